/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/snapshot.h"
#include "kan/ladder.h"
#include "tests/support/alloc.h"
#include "tests/support/trainer_cases.h"
#include "train/search.h"

static kan_snapshot saving(kan_file *file) {
    return (kan_snapshot){.file = file};
}

static kan_snapshot loading(kan_file *file) {
    return (kan_snapshot){.file = file, .loading = true};
}

/* ---- fields ------------------------------------------------------------------------------------- */

typedef struct thing {
    size_t size;
    bool flag;
    double real[4], array[3];
    unsigned char bytes[5];
    char *text;
} thing;

static void snapshot_thing(thing *t, kan_snapshot *s) {
    static const char *const names[] = {"r0", "r1", "r2", "r3"};
    kan_snapshot_size(s, "size", &t->size, SIZE_MAX);
    kan_snapshot_flag(s, "flag", &t->flag);
    kan_snapshot_enter(s, "reals");
    for (size_t k = 0; k < 4; ++k) kan_snapshot_real(s, names[k], &t->real[k]);
    kan_snapshot_enter(s, "deeper");
    kan_snapshot_reals(s, "size", 3, t->array);
    kan_snapshot_leave(s);
    kan_snapshot_leave(s);
    kan_snapshot_bytes(s, "bytes", 5, t->bytes);
    kan_snapshot_text(s, "text", &t->text);
}

Test(snapshot, gives_every_field_back_to_the_bit) {
    static char words[] = "two\nlines";
    thing a = {.size = SIZE_MAX,
               .flag = true,
               .real = {0.1, -INFINITY, 5e-324, NAN},
               .array = {1.0 / 3.0, NAN, -0.0},
               .bytes = {0, 255, 7, 0, 1},
               .text = words};
    thing b = {.size = 0};
    kan_file *file = kan_file_alloc();
    kan_snapshot s = saving(file);
    snapshot_thing(&a, &s);
    cr_assert(eq(int, s.status, KAN_OK));
    s = loading(file);
    snapshot_thing(&b, &s);
    cr_assert(eq(int, s.status, KAN_OK));
    cr_assert(a.size == b.size && a.flag == b.flag && isnan(b.real[3]));
    cr_assert(memcmp(a.real, b.real, 3 * sizeof *a.real) == 0);
    cr_assert(memcmp(a.array, b.array, sizeof a.array) == 0);
    cr_assert(memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0 && strcmp(a.text, b.text) == 0);
    free(b.text);
    kan_file_free(file);
}

Test(snapshot, refuses_what_is_missing_damaged_or_too_large) {
    kan_file *file = kan_file_alloc();
    kan_file_set(file, "nine", "9", NULL);
    kan_file_set(file, "word", "9x", NULL);
    kan_file_set(file, "minus", "-1", NULL);
    kan_file_set(file, "huge", "99999999999999999999", NULL);
    static const char *const names[] = {"none", "word", "minus", "huge", "nine"};
    for (size_t k = 0; k < 5; ++k) {
        kan_error error = {KAN_OK, ""};
        kan_snapshot s = loading(file);
        s.error = &error;
        size_t value = 3;
        double real = 3.0, array[2];
        kan_snapshot_size(&s, names[k], &value, 8);
        cr_assert(s.status == KAN_EFORMAT && value == 3 && strstr(error.message, names[k]));
        kan_snapshot_size(&s, "nine", &value, 9); /* after a failure nothing is read any more */
        cr_assert(value == 3);
        s = loading(file);
        kan_snapshot_reals(&s, names[k], 2, array);
        cr_assert(s.status == KAN_EFORMAT);
        s = loading(file);
        kan_snapshot_real(&s, names[k], &real);
        cr_assert(s.status == (k < 2 ? KAN_EFORMAT : KAN_OK));
    }
    kan_file_free(file);
}

/* ---- trainers ----------------------------------------------------------------------------------- */

static const kan_train_options recipes[] = {
    {.optimizer = KAN_LBFGS, .steps = 40, .history = 4},
    {.optimizer = KAN_ADAM, .steps = 40, .batch = 32, .seed = 3, .weight_decay = 0.01},
    {.optimizer = KAN_LM, .steps = 15},
};
enum { N_RECIPES = sizeof recipes / sizeof *recipes };

/* The trainer and the parameters of its model, as its owner would save them. */
static void snapshot_both(kan_trainer *t, kan_model *m, kan_snapshot *s) {
    kan_snapshot_reals(s, "model", m->n_params, m->theta);
    kan_snapshot_enter(s, "trainer");
    kan_trainer_snapshot(t, s);
    kan_snapshot_leave(s);
}

Test(snapshot, a_trainer_goes_on_to_the_same_bits_from_every_step) {
    kan_dataset *d = make_data(N, 1), *v = make_data(60, 2);
    for (size_t r = 0; r < N_RECIPES; ++r) {
        kan_train_options options = recipes[r];
        options.validation = v, options.patience = 30;
        kan_net *net = make_net(), *other = make_net();
        kan_model *m = kan_net_model(net), *n = kan_net_model(other);
        kan_trainer *t = kan_trainer_alloc(m, d, &options, NULL);
        kan_file *files[40] = {NULL};
        size_t n_files = 0;
        while (t->report.outcome == KAN_RUNNING) {
            kan_snapshot s = saving(files[n_files++] = kan_file_alloc());
            snapshot_both(t, m, &s);
            cr_assert(eq(int, s.status, KAN_OK));
            cr_assert(eq(int, kan_trainer_step(t, NULL), KAN_OK));
        }
        for (size_t f = 0; f < n_files; f += 3) {
            kan_trainer *u = kan_trainer_alloc(n, d, &options, NULL);
            kan_snapshot s = loading(files[f]);
            snapshot_both(u, n, &s);
            cr_assert(eq(int, s.status, KAN_OK));
            while (u->report.outcome == KAN_RUNNING) kan_trainer_step(u, NULL);
            cr_assert(memcmp(m->theta, n->theta, m->n_params * sizeof *m->theta) == 0, "recipe %zu", r);
            cr_assert(u->report.best == t->report.best && u->report.best_step == t->report.best_step);
            cr_assert(u->report.evaluations == t->report.evaluations);
            cr_assert(u->history_length == t->history_length);
            for (size_t k = 0; k < t->history_length; ++k)
                cr_assert(u->history[k].loss == t->history[k].loss);
            kan_trainer_free(u);
        }
        for (size_t f = 0; f < n_files; ++f) kan_file_free(files[f]);
        kan_trainer_free(t);
        kan_net_free(net);
        kan_net_free(other);
    }
    kan_dataset_free(v);
    kan_dataset_free(d);
}

Test(snapshot, a_trainer_of_other_size_is_refused) {
    kan_dataset *d = make_data(N, 1);
    kan_net *net = make_net();
    kan_mlp *line = make_line();
    for (size_t r = 0; r < N_RECIPES; ++r) {
        kan_trainer *t = kan_trainer_alloc(kan_net_model(net), d, &recipes[r], NULL);
        kan_trainer *u = kan_trainer_alloc(kan_mlp_model(line), d, &recipes[r], NULL);
        kan_file *file = kan_file_alloc();
        kan_snapshot s = saving(file);
        kan_trainer_snapshot(t, &s);
        s = loading(file);
        kan_trainer_snapshot(u, &s);
        cr_assert(eq(int, s.status, KAN_EFORMAT));
        kan_file_free(file);
        kan_trainer_free(u);
        kan_trainer_free(t);
    }
    kan_mlp_free(line);
    kan_net_free(net);
    kan_dataset_free(d);
}

static kan_status save_trainer(void *context) {
    kan_file *file = kan_file_alloc();
    kan_snapshot s = {.file = file, .status = file ? KAN_OK : KAN_ENOMEM};
    if (file) kan_trainer_snapshot(context, &s);
    kan_file_free(file);
    return s.status;
}

Test(snapshot, says_that_memory_is_short) {
    kan_dataset *d = make_data(N, 1);
    kan_net *net = make_net();
    kan_trainer *t = kan_trainer_alloc(kan_net_model(net), d, &recipes[0], NULL);
    cr_assert(alloc_fail_every(save_trainer, t) > 8);
    kan_trainer_free(t);
    kan_net_free(net);
    kan_dataset_free(d);
}

/* ---- searches ----------------------------------------------------------------------------------- */

/* Keeps a file every so many steps. */
typedef struct keeper {
    kan_search *search;
    size_t n_calls, every, n_files;
    kan_file *files[64];
} keeper;

static void keep(void *context) {
    keeper *k = context;
    if (k->n_calls++ % k->every != 0) return;
    kan_snapshot s = saving(k->files[k->n_files++] = kan_file_alloc());
    kan_search_snapshot(k->search, &s);
    cr_assert(eq(int, s.status, KAN_OK));
}

static void finish(kan_search *s) {
    while (s->phase != KAN_SEARCH_DONE) cr_assert(eq(int, kan_search_step(s, NULL), KAN_OK));
}

Test(snapshot, a_search_goes_on_to_the_same_bits_from_anywhere) {
    kan_dataset *fit = make_data(80, 1), *v = make_data(30, 2), *all = make_data(80, 3);
    const kan_ladder_config ladder = {.net = {.width = {N_IN, 1, 1}}, .cells = {2, 4}, .degrees = {4}};
    keeper k = {.every = 11};
    kan_search_options options = {.all = all,
                                  .starts = 4,
                                  .round_steps = 5,
                                  .rung_steps = 20,
                                  .seed = 5,
                                  .train = {.optimizer = KAN_LM},
                                  .between = keep,
                                  .context = &k};
    k.search = kan_search_alloc(kan_ladder_family, &ladder, fit, v, &options, NULL);
    finish(k.search);
    const size_t n = k.search->n_stages;
    cr_assert(k.n_files > 5 && k.search->stages[n - 1].phase == KAN_SEARCH_ALL);
    kan_model *a = kan_search_take(k.search);
    options.between = NULL;
    for (size_t f = 0; f < k.n_files; ++f) {
        kan_search *t = kan_search_alloc(kan_ladder_family, &ladder, fit, v, &options, NULL);
        kan_snapshot s = loading(k.files[f]);
        kan_search_snapshot(t, &s);
        cr_assert(eq(int, s.status, KAN_OK));
        finish(t);
        cr_assert(t->n_stages == n && t->best == k.search->best);
        for (size_t j = 0; j < n; ++j) {
            cr_assert(t->stages[j].train == k.search->stages[j].train);
            cr_assert(t->stages[j].steps == k.search->stages[j].steps);
        }
        kan_model *b = kan_search_take(t);
        cr_assert(a->n_params == b->n_params);
        cr_assert(memcmp(a->theta, b->theta, a->n_params * sizeof *a->theta) == 0);
        kan_net_free(kan_ladder_net(b));
        kan_search_free(t);
        kan_file_free(k.files[f]);
    }
    kan_net_free(kan_ladder_net(a));
    kan_search_free(k.search);
    kan_dataset_free(all);
    kan_dataset_free(v);
    kan_dataset_free(fit);
}
