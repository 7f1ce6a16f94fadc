/* Of `kan reproduce`: the entries, the store that a torn line cannot spoil, the plan, and the pool.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "experiments/reproduce.h"

#include <fcntl.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "experiments/candidates.h"
#include "experiments/generator.h"
#include "experiments/options.h"
#include "experiments/source.h"

/* ---- entries ------------------------------------------------------------------------------------ */

/* A shape with 3 for n and 2 for c, so that it can be read. */
static void check_shape(const char *shape, const char *name) {
    char text[256];
    options_shape read;
    kan_error error;
    if (strcmp(shape, "equal") == 0 || strcmp(shape, "flops") == 0) return;
    snprintf(text, sizeof text, "%s", shape);
    for (char *c = text; *c; ++c) *c = *c == 'n' ? '3' : *c == 'c' ? '2' : *c;
    cr_assert(eq(int, options_read_shape("shape", text, &read, &error), KAN_OK), "%s: %s", name,
              error.message);
}

/* The tasks of a contender are those of a kind, or one that there is. */
static bool has_tasks(const reproduce_experiment *e, const reproduce_contender *c) {
    bool has = !c->tasks || strcmp(c->tasks, "regression") == 0 ||
               strcmp(c->tasks, "classification") == 0;
    for (size_t t = 0; t < e->n_tasks; ++t) has |= c->tasks && strcmp(c->tasks, e->tasks[t].name) == 0;
    return has;
}

static void check_contender(const reproduce_experiment *e, const reproduce_contender *c) {
    size_t n, grids[OPTIONS_MAX_GRIDS];
    kan_error error;
    cr_assert(c->arm != NULL);
    cr_assert(has_tasks(e, c), "%s: no task %s", e->name, c->tasks);
    if (c->shape) check_shape(c->shape, e->name);
    if (c->cells) cr_assert(eq(int, options_read_grids("grid", c->cells, &n, grids, &error), KAN_OK));
    if (c->method == REPRODUCE_CANDIDATE) cr_assert(lt(sz, c->number, CANDIDATES));
    if (c->method == REPRODUCE_TRAIN)
        cr_assert(c->epochs[0] > 0 && (c->epochs[1] > 0 || c->full_only) && c->batch > 0 &&
                  c->rate > 0.0);
}

static bool needs_shapes(const reproduce_experiment *e) {
    for (size_t j = 0; j < e->n_contenders; ++j)
        if (!e->contenders[j].shape && e->contenders[j].method != REPRODUCE_CANDIDATE) return true;
    return false;
}

Test(reproduce, every_entry_can_be_read) {
    for (size_t k = 0; k < reproduce_count(); ++k) {
        const reproduce_experiment *e = reproduce_at(k);
        cr_assert(e->n_tasks > 0 && e->n_contenders > 0 && e->seeds[0] > 0 && e->seeds[1] > 0, "%s",
                  e->name);
        /* first, since others wait for it */
        cr_assert(eq(int, strcmp(e->contenders[0].arm, "kan"), 0), "%s", e->name);
        for (size_t j = 0; j < e->n_contenders; ++j) check_contender(e, &e->contenders[j]);
        for (size_t t = 0; t < e->n_tasks; ++t) {
            cr_assert(zero(int, needs_shapes(e) && !e->tasks[t].shape), "%s %s", e->name,
                      e->tasks[t].name);
            if (e->tasks[t].shape) check_shape(e->tasks[t].shape, e->tasks[t].name);
        }
    }
}

/* Every formula with its ranges makes rows that are finite. */
Test(reproduce, every_formula_makes_rows) {
    size_t made = 0;
    for (size_t k = 0; k < reproduce_count(); ++k)
        for (size_t t = 0; t < reproduce_at(k)->n_tasks; ++t) {
            const reproduce_task *task = &reproduce_at(k)->tasks[t];
            if (!source_is_generator(task->data) || reproduce_at(k) == &reproduce_continual) continue;
            options o = {.rows = 20, .test_count = 1000};
            char copy[512], *rest = copy;
            kan_error error;
            snprintf(copy, sizeof copy, "%s", task->ranges ? task->ranges : "");
            for (char *one; (one = strsep(&rest, ";")) != NULL;)
                if (*one)
                    cr_assert(eq(int, options_read_range("range", one, &o.ranges[o.n_ranges++], &error),
                                 KAN_OK));
            source s;
            cr_assert(eq(int, source_read(task->data, &o, &s), 0), "%s", task->name);
            source_free(&s);
            ++made;
        }
    cr_assert(gt(sz, made, 60));
}

Test(reproduce, feynman_is_the_frozen_table) {
    char line[1024];
    size_t n = 0;
    FILE *file = fopen(KAN_SHARED "/data/feynman/dimensionless.csv", "r");
    if (!file) cr_skip_test("no ../shared/data: the frozen table is not compared");
    cr_assert(fgets(line, sizeof line, file) != NULL);
    while (fgets(line, sizeof line, file)) {
        cr_assert(lt(sz, n, reproduce_feynman.n_tasks));
        const reproduce_task *t = &reproduce_feynman.tasks[n++];
        cr_assert(eq(int, strncmp(line, t->name, strlen(t->name)), 0), "%s", line);
        cr_assert(strstr(line, t->ranges) && strstr(line, t->shape) && strstr(line, t->data + 3), "%s",
                  line);
    }
    (void)fclose(file);
    cr_assert(eq(sz, n, reproduce_feynman.n_tasks));
}

/* ---- the store ------------------------------------------------------------------------------------ */

static json_t *line_of(const char *key, double value) {
    return json_pack("{s:s, s:f}", "key", key, "value", value);
}

static void append_bytes(const char *path, const char *bytes) {
    const int file = open(path, O_WRONLY | O_APPEND);
    cr_assert(eq(sz, (size_t)write(file, bytes, strlen(bytes)), strlen(bytes)));
    (void)close(file);
}

Test(reproduce, a_torn_line_is_cut_off_and_all_others_stay) {
    char folder[] = "/tmp/test_reproduce_XXXXXX", path[64];
    cr_assert(mkdtemp(folder) != NULL);
    reproduce_store s;
    cr_assert(eq(int, reproduce_store_open(&s, folder, false), 0));
    for (int k = 0; k < 2; ++k) {
        json_t *line = line_of(k ? "b" : "a", 0.1 + k);
        cr_assert(eq(int, reproduce_store_append(&s, line), 0));
        json_decref(line);
    }
    reproduce_store_close(&s);
    snprintf(path, sizeof path, "%s/runs.jsonl", folder);
    append_bytes(path, "{\"key\":\"c\",\"val");

    cr_assert(eq(int, reproduce_store_open(&s, folder, true), 0));
    cr_assert(eq(sz, s.n_torn, 1));
    cr_assert(eq(sz, json_object_size(s.lines), 2));
    cr_assert(eq(dbl, json_number_value(json_object_get(json_object_get(s.lines, "b"), "value")), 1.1));
    json_t *line = line_of("d", 4.0);
    cr_assert(eq(int, reproduce_store_append(&s, line), 0));
    json_decref(line);
    reproduce_store_close(&s);

    cr_assert(eq(int, reproduce_store_open(&s, folder, true), 0));
    cr_assert(eq(sz, s.n_torn, 0));
    cr_assert(eq(sz, json_object_size(s.lines), 3));
    reproduce_store_close(&s);
    cr_assert(eq(int, reproduce_store_open(&s, folder, false), 1), "results are not overwritten");
    reproduce_store_close(&s);
    cr_assert(eq(int, unlink(path), 0));
    cr_assert(eq(int, rmdir(folder), 0));
}

/* ---- what determines a run -------------------------------------------------------------------------- */

Test(reproduce, a_key_holds_what_determines_the_result) {
    reproduce_task task = reproduce_feynman.tasks[0];
    reproduce_run r = {.experiment = &reproduce_feynman,
                       .task = &task,
                       .contender = &reproduce_feynman.contenders[0],
                       .folder = "here"};
    char first[17];
    reproduce_set_key(&r);
    snprintf(first, sizeof first, "%s", r.key);
    cr_assert(eq(sz, strlen(first), 16));
    r.folder = "elsewhere"; /* what is in a file counts, not where it is */
    reproduce_set_key(&r);
    cr_assert(eq(int, strcmp(first, r.key), 0));
    task.ranges = "theta=-2,2;sigma=0.5,2.5";
    reproduce_set_key(&r);
    cr_assert(ne(int, strcmp(first, r.key), 0));
    task.ranges = reproduce_feynman.tasks[0].ranges;
    r.seed = 1;
    reproduce_set_key(&r);
    cr_assert(ne(int, strcmp(first, r.key), 0));
    r.seed = 0, r.quick = true;
    reproduce_set_key(&r);
    cr_assert(ne(int, strcmp(first, r.key), 0));
    r.quick = false, r.data_sum = 1;
    reproduce_set_key(&r);
    cr_assert(ne(int, strcmp(first, r.key), 0));
}

/* The value that FNV's authors give for "foobar", and none for no bytes. */
Test(reproduce, sum_is_fnv_1a) {
    cr_assert(eq(u64, reproduce_sum(REPRODUCE_SUM, "foobar", 6), UINT64_C(0x85944171f73967e8)));
    cr_assert(eq(u64, reproduce_sum(REPRODUCE_SUM, "", 0), UINT64_C(0xcbf29ce484222325)));
}

/* ---- plan, pool and tables ---------------------------------------------------------------------------- */

static const reproduce_task tiny_tasks[] = {
    {.name = "sum", .data = "fn:x+y*y", .shape = "2,1", .published_kan = 1e-3},
    {.name = "gone", .data = "no/such/file.csv", .shape = "n,1"},
};
static const reproduce_contender tiny_contenders[] = {
    {.arm = "kan"},
    {.arm = "kan", .shape = "n,1,c", .degree = 1, .cells = "1"},
    {.arm = "mlp", .family = FAMILY_MLP, .shape = "n,2,c"},
    {.arm = "mlp_equal", .family = FAMILY_MLP, .shape = "equal"},
};
static const reproduce_experiment tiny = {.name = "tiny",
                                          .title = "a test",
                                          .source = "nobody",
                                          .tasks = tiny_tasks,
                                          .n_tasks = 2,
                                          .contenders = tiny_contenders,
                                          .n_contenders = 4,
                                          .rows = 60,
                                          .seeds = {3, 2},
                                          .effort = {{.starts = 2, .round_steps = 2, .rung_steps = 2},
                                                     {.starts = 2, .round_steps = 2, .rung_steps = 2}},
                                          .cells = {"2,4", "2,4"}};

/* Runs all there is with n workers; results by key. */
static size_t run_plan(reproduce_plan *p, json_t *lines, size_t n_workers, size_t most,
                       size_t *reused) {
    reproduce_pool pool = {.n = n_workers};
    size_t made = 0;
    for (;;) {
        reproduce_run *r = pool.busy < pool.n && made + pool.busy < most
                               ? reproduce_plan_next(p, lines, reused)
                               : NULL;
        if (r) {
            cr_assert(eq(int, reproduce_pool_start(&pool, r), 0));
            continue;
        }
        json_t *line = NULL;
        r = reproduce_pool_wait(&pool, &line);
        if (!r) break;
        cr_assert(line != NULL && !json_object_get(line, "failed"), "%s", r->contender->arm);
        r->state = REPRODUCE_DONE, r->line = line, ++made;
        (void)json_object_set(lines, r->key, line);
    }
    return made;
}

/* The record of a plan without what the clock says. */
static char *record_of(const reproduce_plan *p) {
    json_t *record = reproduce_json(p, &tiny), *row;
    size_t k, s;
    json_object_del(json_object_get(record, "summary"), "kan_seconds");
    json_object_del(json_object_get(record, "summary"), "mlp_seconds");
    json_array_foreach(json_object_get(record, "rows"), k, row) {
        const char *name;
        json_t *arm, *stage;
        json_object_foreach(row, name, arm) {
            if (!json_is_object(arm) || strcmp(name, "published") == 0) continue;
            json_object_del(arm, "seconds");
            json_object_del(arm, "wall_seconds");
            json_object_del(arm, "search_seconds");
            json_array_foreach(json_object_get(arm, "stages"), s, stage)
                json_object_del(stage, "seconds");
        }
    }
    char *text = json_dumps(record, JSON_REAL_PRECISION(17));
    json_decref(record);
    return text;
}

Test(reproduce, an_interrupted_plan_ends_in_the_same_table) {
    const reproduce_wishes wishes = {.folder = "."};
    reproduce_plan whole = {.n = 0}, part = {.n = 0}, rest = {.n = 0};
    json_t *all = json_object(), *some = json_object();
    size_t reused = 0;
    cr_assert(eq(int, reproduce_plan_add(&whole, &tiny, &wishes), KAN_OK));
    const size_t n = run_plan(&whole, all, 1, SIZE_MAX, &reused);
    /* two KANs, one of them three times; one MLP three times; one as large as the KAN three times */
    cr_assert(eq(sz, n, 10));
    cr_assert(eq(sz, reused, 0));

    cr_assert(eq(int, reproduce_plan_add(&part, &tiny, &wishes), KAN_OK));
    cr_assert(eq(sz, run_plan(&part, some, 2, 4, &reused), 4));
    reproduce_plan_free(&part);
    cr_assert(eq(int, reproduce_plan_add(&rest, &tiny, &wishes), KAN_OK));
    cr_assert(eq(sz, run_plan(&rest, some, 2, SIZE_MAX, &reused), n - 4), "nothing is run twice");
    cr_assert(eq(sz, reused, 4));

    char *first = record_of(&whole), *second = record_of(&rest);
    cr_assert(eq(int, strcmp(first, second), 0), "%s\n%s", first, second);
    cr_assert(strstr(first, "skipped: no no/such/file.csv") != NULL);
    cr_assert(strstr(first, "published KAN") != NULL);
    free(first);
    free(second);
    json_decref(all);
    json_decref(some);
    reproduce_plan_free(&whole);
    reproduce_plan_free(&rest);
}

/* What is to be trained as long as the KAN waits for it, and is given its seconds; a shape gets its parameters. */
Test(reproduce, what_is_to_equal_the_kan_waits_for_it) {
    const reproduce_contender contenders[] = {
        {.arm = "kan"},
        {.arm = "mlp_time", .family = FAMILY_MLP, .shape = "n,2,c", .as_long = true},
        {.arm = "mlp_equal", .family = FAMILY_MLP, .shape = "equal"}};
    reproduce_experiment e = tiny;
    e.contenders = contenders, e.n_contenders = 3, e.n_tasks = 1, e.seeds[0] = 1;
    reproduce_plan p = {.n = 0};
    json_t *none = json_object();
    size_t reused = 0;
    cr_assert(eq(int, reproduce_plan_add(&p, &e, &(reproduce_wishes){.folder = "."}), KAN_OK));
    reproduce_run *kan = reproduce_plan_next(&p, none, &reused);
    cr_assert(kan != NULL && kan->contender == &contenders[0]);
    kan->state = REPRODUCE_BUSY;
    cr_assert(reproduce_plan_next(&p, none, &reused) == NULL, "nothing else may begin");
    kan->state = REPRODUCE_DONE;
    kan->line = json_pack("{s:f, s:i, s:{s:f}}", "seconds", 2.5, "parameters", 40, "validation", "rmse",
                          0.1);
    reproduce_run *timed = reproduce_plan_next(&p, none, &reused);
    cr_assert(timed != NULL && timed->contender == &contenders[1]);
    cr_assert(eq(dbl, timed->budget, 2.5));
    timed->state = REPRODUCE_BUSY;
    const reproduce_run *equal = reproduce_plan_next(&p, none, &reused);
    cr_assert(equal != NULL && equal->contender == &contenders[2]);
    cr_assert(eq(sz, equal->equal, 40));
    reproduce_plan_free(&p);
    json_decref(none);
}

/* A KAN [1,1] of 200 cubic cells learns the peaks one by one to the error of the best spline, and forgets none. */
Test(reproduce, peaks_are_not_forgotten) {
    reproduce_run r = {.experiment = &reproduce_continual,
                       .task = &reproduce_continual.tasks[0],
                       .contender = &reproduce_continual.contenders[0]};
    reproduce_set_key(&r);
    json_t *line = reproduce_train(&r);
    size_t p;
    const json_t *phase;
    cr_assert(line != NULL && json_object_get(line, "failed") == NULL);
    cr_assert(eq(sz, json_array_size(json_object_get(line, "phases")), 5));
    json_array_foreach(json_object_get(line, "phases"), p, phase) cr_assert(
        lt(dbl, json_number_value(phase), 4.2e-6), "phase %zu: %g", p, json_number_value(phase));
    json_decref(line);
}
