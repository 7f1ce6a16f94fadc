/* What searches reach on functions without noise: the published figures stand beside the bounds.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <math.h>

#include "core/random.h"
#include "kan/grid.h"
#include "kan/ladder.h"
#include "train/search.h"

typedef double function(const double *x);

static double hello(const double *x) {
    return exp(sin(acos(-1.0) * x[0]) + x[1] * x[1]);
}
static double product(const double *x) {
    return x[0] * x[1];
}
static double velocities(const double *x) {
    return (x[0] + x[1]) / (1.0 + x[0] * x[1]);
}
static double bessel(const double *x) {
    return j0(20.0 * x[0]);
}

static kan_dataset *draw_rows(function *f, size_t n, size_t n_in, double range, uint64_t seed) {
    kan_dataset *d = kan_dataset_alloc(KAN_REGRESSION, n, n_in, 1, false);
    kan_random random = kan_random_seed(seed, 0);
    for (size_t s = 0; s < n; ++s) {
        for (size_t i = 0; i < n_in; ++i)
            d->x[s * n_in + i] = range * (2.0 * kan_random_uniform(&random) - 1.0);
        d->y[s] = f(d->x + s * n_in);
    }
    return d;
}

/* Test RMSE after one generation of starts on a ladder of few rungs, without a clock; standardised targets differ from
 * these by a factor near 1. */
static double reached(function *f, const size_t *width, double range, uint64_t seed) {
    kan_ladder_config ladder = {
        .net = {.base = KAN_BASE_ZERO}, .cells = {3, 6, 12, 24, 48, 96, 192}, .degrees = {5, 7}};
    for (size_t l = 0; width[l] > 0; ++l) ladder.net.width[l] = width[l];
    kan_dataset *fit = draw_rows(f, 800, width[0], range, 4 * seed),
                *validation = draw_rows(f, 200, width[0], range, 4 * seed + 1),
                *test = draw_rows(f, 1000, width[0], range, 4 * seed + 2);
    const kan_search_options options = {.train = {.optimizer = KAN_LM, .penalty = 1e-10}, .seed = seed};
    kan_error error = {.message = ""};
    kan_metric metric;
    kan_model *m = kan_search_fit(kan_ladder_family, &ladder, fit, validation, &options, NULL, NULL,
                                  &error);
    cr_assert(m != NULL, "%s", error.message);
    cr_assert(kan_trainer_evaluate(m, test, &metric, NULL) == KAN_OK);
    kan_ladder_family->release(m);
    kan_dataset_free(test);
    kan_dataset_free(validation);
    kan_dataset_free(fit);
    return metric.rmse;
}

/* Liu et al., arXiv 2404.19756, and its notebooks: 1.2e-5 for the first, 1.7e-7, 2.3e-3. */
Test(accuracy, of_formulas_is_beyond_the_published_one) {
    static const struct {
        const char *name;
        function *f;
        size_t width[4];
        double range, bound;
    } rows[] = {{"exp(sin(pi x) + y^2)", hello, {2, 1, 1}, 1.0, 4e-6},
                {"x y", product, {2, 2, 1}, 1.0, 1e-10},
                {"(u + v)/(1 + u v)", velocities, {2, 1, 1}, 0.9, 5e-6},
                {"J0(20 x)", bessel, {1, 1}, 1.0, 4e-8}};
    for (size_t k = 0; k < sizeof rows / sizeof *rows; ++k)
        for (uint64_t seed = 1; seed <= 2; ++seed) {
            const double rmse = reached(rows[k].f, rows[k].width, rows[k].range, seed);
            cr_assert(rmse <= rows[k].bound, "%s, seed %d: %g", rows[k].name, (int)seed, rmse);
        }
}

/* Splines of degree k are as far from a smooth function as (1/G)^(k+1); the published networks fall like G^-3. */
Test(accuracy, falls_with_the_fourth_power_of_the_number_of_cells) {
    enum { RUNGS = 5, ROWS = 10000 };
    const kan_ladder_config ladder = {.net = {.width = {2, 1, 1}, .base = KAN_BASE_ZERO},
                                      .cells = {6, 12, 24, 48, 96}};
    kan_dataset *d = draw_rows(hello, ROWS, 2, 1.0, 7), *test = draw_rows(hello, 1000, 2, 1.0, 8);
    kan_search_options options = {.train = {.optimizer = KAN_LM}, .seed = 3, .round_steps = 20};
    double x_mean = 0.0, y_mean = 0.0, xx = 0.0, xy = 0.0, x[RUNGS], y[RUNGS];
    kan_search *search = kan_search_alloc(kan_ladder_family, &ladder, d, test, &options, NULL);
    cr_assert(search != NULL);
    while (search->phase != KAN_SEARCH_DONE) cr_assert(kan_search_step(search, NULL) == KAN_OK);
    size_t at = search->best;
    for (size_t r = RUNGS; r-- > 0; at = search->stages[at].parent) {
        cr_assert(at != SIZE_MAX && search->stages[at].n_cells == ladder.cells[r]);
        x[r] = log((double)search->stages[at].n_cells), x_mean += x[r] / RUNGS;
        y[r] = log(search->stages[at].validation), y_mean += y[r] / RUNGS;
    }
    for (size_t r = 0; r < RUNGS; ++r)
        xx += (x[r] - x_mean) * (x[r] - x_mean), xy += (x[r] - x_mean) * (y[r] - y_mean);
    cr_assert(xy / xx <= -3.8, "slope %g", xy / xx);
    kan_search_free(search);
    kan_dataset_free(test);
    kan_dataset_free(d);
}
