/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/parallel.h"
#include "core/random.h"
#include "kan/ladder.h"
#include "mlp/restart.h"
#include "support/alloc.h"
#include "train/search.h"

/* y = exp(sin(pi x0) / 2 + x1^2) on [-1, 1]^2. */
static kan_dataset *make_data(size_t n, uint64_t seed) {
    kan_dataset *d = kan_dataset_alloc(KAN_REGRESSION, n, 2, 1, false);
    kan_random random = kan_random_seed(seed, 0);
    for (size_t s = 0; s < n; ++s) {
        double *x = d->x + 2 * s;
        x[0] = 2.0 * kan_random_uniform(&random) - 1.0;
        x[1] = 2.0 * kan_random_uniform(&random) - 1.0;
        d->y[s] = exp(sin(acos(-1.0) * x[0]) / 2.0 + x[1] * x[1]);
    }
    return d;
}

/* Data, and a ladder of three rungs and two degrees for it. */
typedef struct scene {
    kan_dataset *fit, *validation, *all;
    kan_ladder_config ladder;
    kan_search_options options;
} scene;

static scene make_scene(size_t n) {
    scene s = {.fit = make_data(n, 1), .validation = make_data(n / 4, 2), .all = make_data(n, 3)};
    s.ladder = (kan_ladder_config){
        .net = {.width = {2, 1, 1}, .base = KAN_BASE_ZERO}, .cells = {2, 4, 8}, .degrees = {4}};
    s.options = (kan_search_options){
        .all = s.all, .starts = 6, .round_steps = 6, .rung_steps = 25, .seed = 5};
    return s;
}

static void free_scene(scene *s) {
    kan_dataset_free(s->fit);
    kan_dataset_free(s->validation);
    kan_dataset_free(s->all);
}

static kan_search *search_of(const scene *s, const kan_search_options *options) {
    kan_search *search = kan_search_alloc(kan_ladder_family, &s->ladder, s->fit, s->validation, options,
                                          NULL);
    cr_assert(search != NULL);
    return search;
}

static void run(kan_search *search) {
    kan_error error = {.message = ""};
    while (search->phase != KAN_SEARCH_DONE)
        cr_assert(kan_search_step(search, &error) == KAN_OK, "%s", error.message);
}

static double rmse(const kan_model *m, const kan_dataset *d) {
    kan_metric metric;
    cr_assert(kan_trainer_evaluate(m, d, &metric, NULL) == KAN_OK);
    return metric.rmse;
}

/* ---- what happens ------------------------------------------------------------------------------- */

Test(search, halves_the_starts_by_validation_error) {
    scene s = make_scene(120);
    kan_search *search = search_of(&s, &s.options);
    run(search);
    const kan_search_stage *stages = search->stages;
    /* rounds of 6, 3 (which is halved to the 2 survivors), then the ladder in two degrees: 4, 2, 1 */
    size_t n_starts = 0;
    while (stages[n_starts].phase == KAN_SEARCH_STARTS) ++n_starts;
    cr_assert(eq(sz, n_starts, 9));
    for (size_t j = 0; j < 6; ++j) cr_assert(stages[j].start == j && stages[j].parent == SIZE_MAX);
    for (size_t j = 6; j < 9; ++j) {
        size_t better = 0;
        cr_assert(stages[j].parent < 6 && stages[j].steps <= 12);
        for (size_t k = 0; k < 6; ++k)
            better += stages[k].validation < stages[stages[j].parent].validation;
        cr_assert(better < 3, "start %zu is not among the better half", stages[j].start);
    }
    for (size_t j = 9; j < 13; ++j)
        cr_assert(stages[j].phase == KAN_SEARCH_LADDER && stages[j].n_cells == 2, "stage %zu", j);
    cr_assert(stages[9].degree == 3 && stages[11].degree == 4);
    cr_assert(stages[13].n_cells == 4 && stages[14].n_cells == 4 && stages[15].n_cells == 8);
    kan_search_free(search);
    free_scene(&s);
}

Test(search, returns_nothing_worse_than_its_best_stage) {
    scene s = make_scene(200);
    s.options.all = NULL;
    kan_search *search = search_of(&s, &s.options);
    double least = INFINITY;
    while (search->phase != KAN_SEARCH_DONE) {
        const size_t n = search->n_stages;
        cr_assert(kan_search_step(search, NULL) == KAN_OK);
        if (search->n_stages == n) break; /* the end */
        const double value = search->stages[search->n_stages - 1].validation;
        cr_assert(search->model && value == rmse(search->model, s.validation));
        least = fmin(least, value);
        cr_assert(search->stages[search->best].validation == least);
    }
    cr_assert(search->phase == KAN_SEARCH_DONE && search->model == NULL);
    cr_assert(search->n_stages > 10 && least < search->stages[0].validation / 10.0);
    kan_model *m = kan_search_take(search);
    cr_assert(rmse(m, s.validation) == least);
    kan_net_free(kan_ladder_net(m));
    kan_search_free(search);
    free_scene(&s);
}

Test(search, refining_never_makes_the_training_error_worse) {
    scene s = make_scene(300);
    s.ladder.cells[3] = 16;
    s.options.patience = 1000;
    kan_search *search = search_of(&s, &s.options);
    run(search);
    size_t n_rungs = 0;
    for (size_t j = 0; j < search->n_stages; ++j) {
        const kan_search_stage *stage = &search->stages[j], *below;
        if (stage->phase != KAN_SEARCH_LADDER || stage->n_cells == 2) continue;
        below = &search->stages[stage->parent];
        cr_assert(stage->n_cells == 2 * below->n_cells && stage->train <= below->train * (1.0 + 1e-9),
                  "from %zu cells: %g, then %g", below->n_cells, below->train, stage->train);
        ++n_rungs;
    }
    cr_assert(n_rungs >= 3);
    kan_search_free(search);
    free_scene(&s);
}

Test(search, ends_on_all_rows) {
    scene s = make_scene(120);
    kan_search *search = search_of(&s, &s.options);
    run(search);
    const kan_search_stage *last = &search->stages[search->n_stages - 1];
    cr_assert(last->phase == KAN_SEARCH_ALL && search->best == search->n_stages - 1);
    cr_assert(isnan(last->validation) && last->train == rmse(search->model, s.all));
    cr_assert(search->stages[last->parent].best_step >= last->steps);
    kan_search_free(search);
    free_scene(&s);
}

/* ---- the same again ----------------------------------------------------------------------------- */

static void assert_same_record(const kan_search *a, const kan_search *b) {
    cr_assert(eq(sz, a->n_stages, b->n_stages));
    for (size_t j = 0; j < a->n_stages; ++j) {
        const kan_search_stage *p = &a->stages[j], *q = &b->stages[j];
        cr_assert(p->phase == q->phase && p->start == q->start && p->variant == q->variant &&
                      p->parent == q->parent && p->steps == q->steps && p->n_cells == q->n_cells,
                  "stage %zu", j);
        cr_assert(p->train == q->train, "stage %zu: %.17g and %.17g", j, p->train, q->train);
    }
}

Test(search, same_seed_same_bits_with_any_number_of_threads) {
    scene s = make_scene(2100); /* enough rows for threads */
    s.options.starts = 3;
    s.options.round_steps = 3, s.options.rung_steps = 5;
    kan_parallel_set_threads(1);
    kan_search *one = search_of(&s, &s.options), *four = search_of(&s, &s.options);
    run(one);
    kan_parallel_set_threads(4);
    run(four);
    assert_same_record(one, four);
    s.options.seed = 6;
    kan_search *other = search_of(&s, &s.options);
    run(other);
    cr_assert(other->stages[0].train != one->stages[0].train, "the seed does nothing");
    kan_search_free(other);
    kan_search_free(four);
    kan_search_free(one);
    free_scene(&s);
}

Test(search, replays_what_the_clock_decided) {
    scene s = make_scene(400);
    s.options.seconds = 0.3;
    kan_search *search = search_of(&s, &s.options);
    run(search);
    const kan_search_stage *last = &search->stages[search->n_stages - 1];
    cr_assert(last->phase == KAN_SEARCH_ALL && last->seconds < 0.6 && last->generation > 0);
    kan_search_options again = s.options;
    again.replay = search->stages, again.n_replay = search->n_stages;
    kan_search *replay = search_of(&s, &again);
    run(replay);
    assert_same_record(search, replay);
    kan_model *a = kan_search_take(search), *b = kan_search_take(replay);
    cr_assert(a->n_params == b->n_params);
    cr_assert(memcmp(a->theta, b->theta, a->n_params * sizeof *a->theta) == 0);
    kan_net_free(kan_ladder_net(a));
    kan_net_free(kan_ladder_net(b));
    kan_search_free(replay);
    kan_search_free(search);
    free_scene(&s);
}

/* ---- ends --------------------------------------------------------------------------------------- */

Test(search, stops_in_good_order_with_the_best_so_far) {
    scene s = make_scene(120);
    volatile sig_atomic_t stop = 0;
    s.options.stop = &stop;
    kan_search *search = search_of(&s, &s.options);
    for (size_t j = 0; j < 4; ++j) cr_assert(kan_search_step(search, NULL) == KAN_OK);
    const double least = search->stages[search->best].validation;
    stop = 1;
    cr_assert(kan_search_step(search, NULL) == KAN_OK);
    cr_assert(search->phase == KAN_SEARCH_DONE && search->n_stages == 4);
    kan_model *m = kan_search_take(search);
    cr_assert(m && rmse(m, s.validation) == least);
    kan_net_free(kan_ladder_net(m));
    kan_search_free(search);
    free_scene(&s);
}

static size_t n_poisoned; /* starts of a family that begin with a NaN */

static kan_status poisoned_start(const void *self, uint64_t seed, uint64_t number, size_t generation,
                                 const kan_dataset *d, kan_model **made, kan_error *error) {
    const kan_status status = kan_ladder_family->start(self, seed, number, generation, d, made, error);
    if (status == KAN_OK && number < n_poisoned) (*made)->theta[0] = (double)NAN;
    return status;
}

Test(search, leaves_out_what_diverges_and_fails_when_all_do) {
    scene s = make_scene(120);
    kan_search_family family = *kan_ladder_family;
    family.start = poisoned_start;
    family.settle = NULL;
    n_poisoned = 5;
    kan_error error = {.message = ""};
    kan_search *search = kan_search_alloc(&family, &s.ladder, s.fit, s.validation, &s.options, &error);
    run(search);
    for (size_t j = 0; j < search->n_stages; ++j) cr_assert(eq(sz, search->stages[j].start, 5));
    kan_search_free(search);
    n_poisoned = 6;
    search = kan_search_alloc(&family, &s.ladder, s.fit, s.validation, &s.options, &error);
    cr_assert(kan_search_step(search, &error) == KAN_ENONFINITE && strstr(error.message, "6 starts"));
    cr_assert(kan_search_take(search) == NULL);
    kan_search_free(search);
    free_scene(&s);
}

Test(search, trains_an_mlp_on_where_nothing_can_be_refined) {
    scene s = make_scene(200);
    const kan_mlp_config config = {.width = {2, 6, 1}, .activation = KAN_TANH};
    kan_search_stage *record = NULL;
    size_t n = 0;
    kan_model *m = kan_search_fit(kan_restart_family, &config, s.fit, s.validation, &s.options, &record,
                                  &n, NULL);
    cr_assert(m && n > 10 && record[n - 1].phase == KAN_SEARCH_ALL);
    for (size_t j = 0; j < n; ++j) cr_assert(record[j].n_cells == 0 && record[j].parameters == 25);
    cr_assert(rmse(m, s.validation) < 0.25 * record[0].validation);
    free(record);
    kan_mlp_free(kan_restart_mlp(m));
    free_scene(&s);
}

static kan_status attempt(void *context) {
    const scene *s = context;
    kan_error error = {.status = KAN_OK};
    kan_model *m = kan_search_fit(kan_ladder_family, &s->ladder, s->fit, s->validation, &s->options,
                                  NULL, NULL, &error);
    if (!m) return error.status;
    kan_net_free(kan_ladder_net(m));
    return KAN_OK;
}

Test(search, survives_every_failing_allocation) {
    scene s = make_scene(20);
    s.options.starts = 2, s.options.survivors = 1, s.options.round_steps = s.options.rung_steps = 1;
    s.ladder.cells[2] = 0;
    cr_assert(alloc_fail_every(attempt, &s) > 50);
    free_scene(&s);
}
