/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/random.h"
#include "support/alloc.h"
#include "symbolic/refit.h"

enum { N = 400, MOST = 16 };

static kan_expression *parse(const char *text) {
    kan_error error;
    kan_expression *e = kan_expression_parse(text, &error);
    cr_assert(e != NULL, "%s: %s", text, error.message);
    return e;
}

/* Rows of two variables on [0.2, 2]^2, or one, and the values of a formula there with noise. */
static void sample(const char *text, double noise, double *x, double *y) {
    kan_expression *e = parse(text);
    const size_t d = kan_expression_n_variables(e);
    kan_random random = kan_random_seed(3, 4);
    for (size_t i = 0; i < N * d; ++i) x[i] = 0.2 + 1.8 * kan_random_uniform(&random);
    for (size_t s = 0; s < N; ++s)
        y[s] = kan_expression_eval(e, x + s * d) + noise * kan_random_normal(&random);
    kan_expression_free(e);
}

static void expect_numbers(const kan_expression *e, size_t n, const double *numbers, double tolerance) {
    cr_assert(kan_expression_n_numbers(e) == n);
    for (size_t k = 0; k < n; ++k)
        cr_expect(fabs(kan_expression_number_at(e, k) - numbers[k]) <= tolerance * fabs(numbers[k]),
                  "number %zu is %.17g, not %g", k, kan_expression_number_at(e, k), numbers[k]);
}

Test(refit, finds_the_numbers_of_exact_data_to_rounding) {
    double x[2 * N], y[N], se[MOST];
    kan_refit_report report;
    kan_expression *e = parse("1.4*exp(0.8*sin(2.9*a+0.1)+0.9*b^2)-0.1");
    sample("1.7*exp(0.9*sin(3.2*a+0.3)+0.7*b^2)+0.25", 0.0, x, y);
    cr_assert(kan_refit_expression(e, N, x, y, NULL, se, &report, NULL) == KAN_OK);
    const double numbers[] = {1.7, 0.9, 3.2, 0.3, 0.7, 2.0, -0.25};
    expect_numbers(e, 7, numbers, 1e-12);
    cr_expect(report.unexplained < 1e-28, "%g", report.unexplained);
    cr_expect(report.converged);
    for (size_t k = 0; k < 7; ++k) cr_expect(se[k] >= 0.0 && se[k] < 1e-13, "%zu: %g", k, se[k]);
    kan_expression_free(e);
}

/* A straight line through data with noise: y = k0 + k1 x has its errors in every textbook. */
Test(refit, knows_the_standard_errors_of_a_straight_line) {
    double x[N], y[N], se[2];
    kan_refit_report report;
    kan_expression *e = parse("0.1+5*a");
    sample("0.7+2.5*a", 0.1, x, y);
    cr_assert(kan_refit_expression(e, N, x, y, NULL, se, &report, NULL) == KAN_OK);
    double mx = 0.0, my = 0.0, xx = 0.0, xy = 0.0, sse = 0.0;
    for (size_t s = 0; s < N; ++s) mx += x[s] / N, my += y[s] / N;
    for (size_t s = 0; s < N; ++s) xx += (x[s] - mx) * (x[s] - mx), xy += (x[s] - mx) * (y[s] - my);
    const double slope = xy / xx, offset = my - slope * mx;
    for (size_t s = 0; s < N; ++s) sse += pow(y[s] - offset - slope * x[s], 2.0);
    const double numbers[] = {offset, slope};
    expect_numbers(e, 2, numbers, 1e-12);
    cr_expect(epsilon_eq(dbl, report.rmse, sqrt(sse / N), 1e-13));
    cr_expect(epsilon_eq(dbl, se[1], sqrt(sse / (N - 2) / xx), 1e-12));
    cr_expect(epsilon_eq(dbl, se[0], sqrt(sse / (N - 2) * (1.0 / N + mx * mx / xx)), 1e-12));
    kan_expression_free(e);
}

Test(refit, leaves_fixed_numbers_and_rows_without_weight) {
    double x[N], y[N], w[N];
    const bool fixed[] = {false, true};
    kan_expression *e = parse("0.1+2.5*a");
    sample("0.7+2.5*a", 0.0, x, y);
    for (size_t s = 0; s < N; ++s) w[s] = s % 2 ? 3.0 : 0.0;
    for (size_t s = 0; s < N; s += 2) y[s] = 77.0;
    cr_assert(kan_refit_expression(e, N, x, y, &(kan_refit_options){.weight = w, .fixed = fixed}, NULL,
                                   NULL, NULL) == KAN_OK);
    cr_expect(epsilon_eq(dbl, kan_expression_number_at(e, 0), 0.7, 1e-14));
    cr_expect_eq(kan_expression_number_at(e, 1), 2.5);
    kan_expression_free(e);
}

static void expect_rounded(const char *start, const char *truth, double noise, size_t n,
                           const double *numbers, double tolerance) {
    double x[2 * N], y[N];
    bool fixed[MOST] = {false};
    kan_refit_report report;
    kan_expression *e = parse(start);
    sample(truth, noise, x, y);
    cr_assert(kan_refit_round(e, N, x, y, NULL, fixed, &report, NULL) == KAN_OK);
    expect_numbers(e, n, numbers, tolerance);
    if (noise == 0.0) cr_expect(report.unexplained < 1e-24, "%g", report.unexplained);
    kan_expression_free(e);
}

Test(refit, rounds_to_exact_numbers) {
    const double numbers[] = {1.0, 1.0, M_PI, 0.0, 1.0, 2.0, 0.0};
    expect_rounded("1.1*exp(0.8*sin(2.9*a+0.1)+0.9*b^2)-0.1", "exp(sin(pi*a)+b^2)", 0.0, 7, numbers,
                   1e-15);
}

/* 3 (2 a + 1) is k0 (k1 a + k2) for any k1: one gauge freedom, and k0 becomes 1. */
Test(refit, takes_out_a_gauge_freedom) {
    const double numbers[] = {1.0, 6.0, 3.0};
    expect_rounded("2.7*(1.9*a+1.1)", "3*(2*a+1)", 0.0, 3, numbers, 1e-15);
}

Test(refit, rounds_what_noise_allows) {
    const double numbers[] = {0.0, 2.0}, free[] = {0.7};
    expect_rounded("0.1+1.8*a", "2*a", 0.01, 2, numbers, 1e-15);
    expect_rounded("0.6*sin(a)", "0.7*sin(a)", 0.001, 1, free, 1e-3);
}

Test(refit, refuses_what_is_not_finite) {
    double x[N], y[N];
    kan_error error;
    kan_expression *e = parse("log(a-1.1)*2.5");
    sample("2*a", 0.0, x, y);
    cr_expect(kan_refit_expression(e, N, x, y, NULL, NULL, NULL, &error) == KAN_ENONFINITE);
    kan_expression_set_number(e, 0, -1.0);
    y[7] = INFINITY;
    cr_expect(kan_refit_expression(e, N, x, y, NULL, NULL, NULL, &error) == KAN_ENONFINITE);
    kan_expression_free(e);
}

static kan_status attempt(void *context) {
    const double x[] = {0.1, 0.2, 0.3}, y[] = {0.5, 0.7, 0.8};
    bool fixed[2] = {false, false};
    return kan_refit_round(context, 3, x, y, NULL, fixed, NULL, NULL);
}

Test(refit, survives_every_allocation_that_fails) {
    kan_expression *e = parse("0.1+1.8*a");
    cr_expect(alloc_fail_every(attempt, e) == 3);
    kan_expression_free(e);
}
