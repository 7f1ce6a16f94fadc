/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/parallel.h"
#include "core/random.h"
#include "support/alloc.h"
#include "symbolic/composite.h"
#include "symbolic/expression.h"

enum { N = 1000, MOST = 60 };

typedef struct known {
    char formula[32], g[8], f[8];
    double lo, hi;
} known;

static known cases[] = {
    {"1/sqrt(1-t^2)", "1/sqrt", "x^2", -0.9, 0.9}, {"1/(exp(t)+exp(-t))", "1/x", "cosh", -2.0, 2.0},
    {"1/sin(t/2)^2", "1/x^2", "sin", 0.3, 3.0},    {"log(1+t^2)", "log", "x^2", -2.0, 3.0},
    {"exp(-(t-0.3)^2)", "exp", "x^2", -2.0, 3.0},  {"sqrt(1+t^2)", "sqrt", "x^2", -2.0, 3.0},
    {"1/(exp(t)-1)", "1/x", "exp", 0.5, 4.0},      {"exp(sin(3*t+0.5))", "exp", "sin", -1.0, 1.0},
    {"sin(2*log(t))", "sin", "log", 0.2, 5.0},
};

static void sample(const known *k, double noise, double *t, double *y) {
    kan_expression *e = kan_expression_parse(k->formula, NULL);
    cr_assert(e != NULL);
    kan_random random = kan_random_seed(8, 1);
    for (size_t i = 0; i < N; ++i) {
        t[i] = k->lo + (k->hi - k->lo) * kan_random_uniform(&random);
        y[i] = kan_expression_eval(e, &t[i]);
        y[i] *= 1.0 + noise * kan_random_normal(&random);
    }
    kan_expression_free(e);
}

/* A case takes seconds: three of them, or all where KAN_TEST_ALL is set (the CTest label long). */
ParameterizedTestParameters(composite, finds_pairs_in_spline_quality_data)
{ return cr_make_param_array(known, cases, getenv("KAN_TEST_ALL") ? sizeof cases / sizeof *cases : 3); }

/* Of the pairs that are the same function, 1/cosh(t) and sqrt(2)/sqrt(1 + cosh(2 t)), the one with fewer constants. */
ParameterizedTest(known *k, composite, finds_pairs_in_spline_quality_data) {
    double t[N], y[N];
    kan_composite best[MOST];
    kan_error error;
    sample(k, 1e-7, t, y);
    const double start = kan_clock_cpu();
    const size_t n = kan_composite_fit(N, t, y, NULL, NULL, MOST, best, &error);
    cr_log_info("%s: %s(%s) a %.9g b %.9g p %.9g q %.9g c %.9g d %.9g, 1 - r2 %.2g, %.2f s", k->formula,
                best[0].g->name, best[0].f->name, best[0].a, best[0].b, best[0].p, best[0].q, best[0].c,
                best[0].d, best[0].unexplained, kan_clock_cpu() - start);
    cr_assert(n > 10);
    cr_expect(best[0].unexplained < 1e-12, "%g", best[0].unexplained);
    cr_expect_str_eq(best[0].g->name, k->g);
    cr_expect_str_eq(best[0].f->name, k->f);
    for (size_t i = 0; i < N; ++i) /* beyond the noise it is the function itself */
        cr_assert(fabs(kan_composite_eval(&best[0], t[i]) - y[i]) < 1e-6 * (1.0 + fabs(y[i])));
}

Test(composite, is_the_same_to_the_bit_with_one_thread_and_with_two) {
    double t[N], y[N];
    kan_composite one[MOST], two[MOST];
    sample(&cases[3], 1e-3, t, y);
    kan_parallel_set_threads(1);
    const size_t n = kan_composite_fit(N, t, y, NULL, NULL, MOST, one, NULL);
    kan_parallel_set_threads(2);
    cr_assert(kan_composite_fit(N, t, y, NULL, NULL, MOST, two, NULL) == n && n > 10);
    for (size_t i = 0; i < n; ++i)
        cr_expect(one[i].g == two[i].g && one[i].a == two[i].a && one[i].q == two[i].q &&
                  one[i].c == two[i].c);
}

static kan_status attempt(void *context) {
    double t[30], y[30];
    kan_composite best[1];
    kan_error error = {0};
    const kan_function *g[] = {kan_function_find("sqrt")}, *f[] = {kan_function_find("x^2")};
    const kan_composite_options options = {.outer = g, .inner = f, .n_outer = 1, .n_inner = 1};
    (void)context;
    for (size_t i = 0; i < 30; ++i) t[i] = 0.1 * (double)i, y[i] = sqrt(2.0 + t[i] * t[i]);
    return kan_composite_fit(30, t, y, NULL, &options, 1, best, &error) > 0 ? KAN_OK : error.status;
}

Test(composite, survives_every_allocation_that_fails) {
    kan_parallel_set_threads(1);
    cr_expect(alloc_fail_every(attempt, NULL) > 3);
}
