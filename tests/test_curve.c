/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/parallel.h"
#include "core/random.h"
#include "support/alloc.h"
#include "symbolic/curve.h"

enum { N = 1000, MOST = 50 };

/* A curve with known constants, in the canonical form, on samples drawn from [lo, hi]. */
typedef struct known {
    char f[16];
    double a, b, c, d, lo, hi;
} known;

static known curves[] = {
    {"x", 1.0, 0.0, -2.385, 0.71, -1.0, 1.0},     {"x^2", 1.0, 0.37, 1.7, -0.3, -1.0, 1.0},
    {"x^3", 1.0, -0.21, 0.83, 0.3, -1.0, 2.0},    {"x^4", 1.0, 0.21, 0.83, 0.3, -1.0, 2.0},
    {"x^5", 1.0, 0.5, 0.83, 0.3, -1.0, 1.0},      {"1/x", 1.0, 1.3, 0.83, 0.3, -1.0, 1.0},
    {"1/x", 1.0, -0.3, 0.83, 0.3, -1.0, 1.0}, /* a pole among the samples */
    {"1/x^2", 1.0, -2.1, 0.83, 0.3, -1.0, 1.0},   {"1/x^3", 1.0, 0.9, 0.83, 0.3, 0.1, 1.0},
    {"sqrt", 1.0, 1.0, 3.1, 0.3, -1.0, 1.0},      {"sqrt", -1.0, 2.3, 3.1, 0.3, -1.0, 1.0},
    {"1/sqrt", -1.0, 2.3, 3.1, 0.3, -1.0, 1.0},   {"x^1.5", 1.0, 0.0, 3.1, 0.3, 0.0, 5.0},
    {"cbrt", 1.0, 0.21, 3.1, 0.3, -1.0, 1.0},     {"exp", -2.385, 0.0, 0.7, 0.1, -1.0, 3.0},
    {"log", 1.0, 1.7, -0.9, 0.4, -1.0, 1.0},      {"log", 1.0, 0.0, 1.0, 0.0, 0.2, 5.0},
    {"abs", 1.0, -0.3, 0.9, 0.4, -1.0, 1.0},      {"relu", -1.0, 0.2, 0.9, 0.4, -1.0, 1.0},
    {"sin", 40.0, 0.6, 2.0, 0.3, -1.0, 1.0},      {"sin", 700.0, 0.4, 2.0, 0.3, -1.0, 1.0},
    {"sin", 0.4, -0.7, 2.0, 0.3, -1.0, 1.0},      {"cos", 3.0, 0.2, -2.0, 0.3, -10.0, 1.0},
    {"tan", 1.2, 0.2, -2.0, 0.3, -1.0, 1.0},      {"tanh", 30.0, -12.0, 0.9, 0.4, -1.0, 1.0},
    {"tanh", 0.4, 0.3, 0.9, 0.4, -1.0, 1.0},      {"erf", 2.0, 0.6, 0.9, 0.4, -1.0, 1.0},
    {"atan", 4.0, 1.0, 0.9, 0.4, -1.0, 1.0},      {"asin", 0.9, 0.05, 0.9, 0.4, -1.0, 1.0},
    {"acos", 1.0, 0.0, 0.9, 0.0, -1.0, 1.0},      {"atanh", 0.8, -0.1, 0.9, 0.4, -1.0, 1.0},
    {"sinh", 3.0, 0.4, 0.9, 0.4, -1.0, 1.0},      {"cosh", 2.0, -0.3, 0.9, 0.4, -1.0, 1.0},
    {"asinh", 5.0, 0.7, 0.9, 0.4, -1.0, 1.0},     {"acosh", 1.0, 2.5, 0.9, 0.4, -1.0, 1.0},
    {"gaussian", 3.0, -0.6, 0.9, 0.4, -1.0, 1.0}, {"sinc", 12.0, 0.0, 0.9, 0.4, -1.0, 1.0},
    {"j0", 20.0, 0.0, 1.0, 0.0, -1.0, 1.0},       {"j0", 55.0, 3.0, 0.9, 0.4, -1.0, 1.0},
    {"j1", 7.0, 0.6, 0.9, 0.4, -1.0, 1.0},        {"sigmoid", 6.0, 1.0, 0.9, 0.4, -1.0, 1.0},
    {"silu", 3.0, 0.1, 0.9, 0.4, -1.0, 1.0},
};

static void sample(const known *k, double noise, double *t, double *y) {
    const kan_function *f = kan_function_find(k->f);
    cr_assert(f != NULL, "there is no function %s", k->f);
    kan_random random = kan_random_seed(7, 2);
    double mean = 0.0, square = 0.0;
    for (size_t i = 0; i < N; ++i) {
        t[i] = k->lo + (k->hi - k->lo) * kan_random_uniform(&random);
        y[i] = k->c * f->f(k->a * t[i] + k->b) + k->d;
        mean += y[i] / N;
    }
    for (size_t i = 0; i < N; ++i) square += (y[i] - mean) * (y[i] - mean) / N;
    for (size_t i = 0; i < N; ++i) y[i] += noise * sqrt(square) * kan_random_normal(&random);
}

ParameterizedTestParameters(curve, finds_every_function_to_rounding)
{ return cr_make_param_array(known, curves, sizeof curves / sizeof *curves); }

ParameterizedTest(known *k, curve, finds_every_function_to_rounding) {
    double t[N], y[N];
    kan_curve best[MOST];
    kan_error error;
    sample(k, 0.0, t, y);
    const size_t n = kan_curve_fit(N, t, y, NULL, NULL, MOST, best, &error);
    cr_assert(n > 10);
    cr_expect_str_eq(best[0].f->name, k->f);
    /* Conditioning: constants of a curve that bends little are known to fewer digits than the curve. */
    cr_expect(fabs(best[0].a - k->a) < 1e-11 * fabs(k->a), "a %.17g", best[0].a);
    cr_expect(fabs(best[0].b - k->b) < 1e-10, "b %.17g", best[0].b);
    cr_expect(fabs(best[0].c - k->c) < 1e-10 * fabs(k->c), "c %.17g", best[0].c);
    cr_expect(fabs(best[0].d - k->d) < 1e-10, "d %.17g", best[0].d);
    cr_expect(best[0].unexplained < 1e-26, "1 - r2 is %g", best[0].unexplained);
    cr_expect(best[0].r2 == 1.0);
}

Test(curve, names_a_noisy_curve_and_is_honest_about_the_rest) {
    double t[N], y[N];
    kan_curve best[MOST];
    const known k = {"sin", 7.0, 0.3, 1.3, 0.2, -1.0, 1.0};
    sample(&k, 0.05, t, y);
    cr_assert(kan_curve_fit(N, t, y, NULL, NULL, MOST, best, NULL) > 10);
    cr_expect_str_eq(best[0].f->name, "sin");
    /* Noise of 0.05 sd leaves 0.0025 of the variance, less 4 of 1000 degrees of freedom; the standard error of
     * a chi square with 1000 degrees is 4.5 %. */
    cr_expect(fabs(best[0].unexplained / (0.0025 / 1.0025) - 1.0) < 0.15, "%g", best[0].unexplained);
    cr_expect(best[0].r2 == 1.0 - best[0].unexplained);
}

Test(curve, scores_against_a_sum_done_by_hand) {
    const kan_function *rows[] = {kan_function_find("x")};
    const double t[] = {0.0, 1.0, 2.0, 3.0}, y[] = {0.0, 1.0, 1.0, 2.0}, w[] = {1.0, 1.0, 1.0, 0.0};
    const kan_curve_options options = {.functions = rows, .n_functions = 1};
    kan_curve best;
    cr_assert(kan_curve_fit(4, t, y, NULL, &options, 1, &best, NULL) == 1);
    /* slope 3/5, intercept 1/10, residuals -0.1, 0.3, -0.3, 0.1; SST 2 */
    cr_expect(epsilon_eq(dbl, best.c, 0.6, 1e-15));
    cr_expect(epsilon_eq(dbl, best.d, 0.1, 1e-15));
    cr_expect(epsilon_eq(dbl, best.unexplained, 0.1, 1e-15));
    cr_expect(epsilon_eq(dbl, best.rmse, sqrt(0.05), 1e-15));
    /* without the last: slope 1/2, intercept 1/6, SSE 1/6, SST 2/3 */
    cr_assert(kan_curve_fit(4, t, y, w, &options, 1, &best, NULL) == 1);
    cr_expect(epsilon_eq(dbl, best.c, 0.5, 1e-15));
    cr_expect(epsilon_eq(dbl, best.unexplained, 0.25, 1e-15));
}

Test(curve, marks_the_pareto_front) {
    kan_curve c[5] = {{.complexity = 1, .rmse = 3},
                      {.complexity = 2, .rmse = 3},
                      {.complexity = 2, .rmse = 1},
                      {.complexity = 3, .rmse = 1},
                      {.complexity = 4, .rmse = 0.5}};
    cr_expect(kan_curve_pareto(5, c) == 3);
    cr_expect(c[0].pareto && !c[1].pareto && c[2].pareto && !c[3].pareto && c[4].pareto);
}

Test(curve, knows_constants_and_refuses_what_is_not_finite) {
    double t[20], y[20];
    kan_curve best[MOST];
    kan_error error;
    for (size_t i = 0; i < 20; ++i) t[i] = 0.1 * (double)i, y[i] = 0.1;
    cr_assert(kan_curve_fit(20, t, y, NULL, NULL, MOST, best, &error) == 1);
    cr_expect_str_eq(best[0].f->name, "0");
    cr_expect(epsilon_eq(dbl, best[0].d, 0.1, 1e-16));
    cr_expect_eq(best[0].r2, 1.0);
    y[3] = 7.0, t[4] = NAN;
    cr_expect(kan_curve_fit(20, t, y, NULL, NULL, MOST, best, &error) == 0);
    cr_expect(error.status == KAN_ENONFINITE);
    for (size_t i = 0; i < 20; ++i) t[i] = 2.0; /* one place, many values */
    cr_assert(kan_curve_fit(20, t, y, NULL, NULL, MOST, best, &error) == 1);
    cr_expect(epsilon_eq(dbl, best[0].r2, 0.0, 1e-14));
}

Test(curve, prefers_what_goes_on_beyond_the_samples) {
    const known k = {"sqrt", 1.0, 1.0, 1.0, 0.0, -1.0, 1.0},
                safe = {"sqrt", 1.0, 1.3, 1.0, 0.0, -1.0, 1.0};
    double t[N], y[N];
    kan_curve best[MOST];
    sample(&k, 0.0, t, y);
    cr_assert(kan_curve_fit(N, t, y, NULL, NULL, MOST, best, NULL) > 0);
    cr_expect_not(best[0].beyond);
    sample(&safe, 0.0, t, y);
    cr_assert(kan_curve_fit(N, t, y, NULL, NULL, MOST, best, NULL) > 0);
    cr_expect_eq(best[0].beyond, true);
}

Test(curve, is_the_same_to_the_bit_with_one_thread_and_with_two) {
    const known k = {"gaussian", 3.0, -0.6, 0.9, 0.4, -1.0, 1.0};
    double t[N], y[N];
    kan_curve one[MOST], two[MOST];
    sample(&k, 0.01, t, y);
    kan_parallel_set_threads(1);
    const size_t n = kan_curve_fit(N, t, y, NULL, NULL, MOST, one, NULL);
    kan_parallel_set_threads(2);
    cr_assert(kan_curve_fit(N, t, y, NULL, NULL, MOST, two, NULL) == n && n > 10);
    for (size_t i = 0; i < n; ++i) {
        cr_expect(one[i].f == two[i].f && one[i].rmse == two[i].rmse);
        cr_expect(one[i].a == two[i].a && one[i].b == two[i].b && one[i].c == two[i].c &&
                  one[i].d == two[i].d);
    }
}

static kan_status attempt(void *context) {
    double t[50], y[50];
    kan_curve best[MOST];
    kan_error error = {0};
    (void)context;
    for (size_t i = 0; i < 50; ++i) t[i] = 0.1 * (double)i, y[i] = exp(-0.2 * t[i]);
    return kan_curve_fit(50, t, y, NULL, NULL, MOST, best, &error) > 0 ? KAN_OK : error.status;
}

Test(curve, survives_every_allocation_that_fails) {
    kan_parallel_set_threads(1);
    cr_expect(alloc_fail_every(attempt, NULL) > 4);
}
