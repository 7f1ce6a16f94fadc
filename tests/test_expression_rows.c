/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <stdlib.h>

#include "symbolic/expression.h"
#include "tests/support/random_formula.h"

enum { ROWS = 75, MOST = 3 };

/* Rows in (0.2, 2.2), where most functions are defined. */
static void fill(kan_random *random, double *x, size_t n) {
    for (size_t i = 0; i < n; ++i) x[i] = random_between(random, 0.2, 2.2);
}

static long double at_row(const kan_expression *e, const double *x) {
    long double row[MOST];
    for (size_t i = 0; i < kan_expression_n_variables(e); ++i) row[i] = x[i];
    return kan_expression_eval_long(e, row);
}

Test(expression_rows, are_the_values_one_by_one_to_the_bit) {
    kan_random random = kan_random_seed(3, 0);
    char text[65536];
    double x[ROWS * MOST], y[ROWS];
    for (int t = 0; t < 300; ++t) {
        random_formula(&random, 5, 0, text, sizeof text);
        kan_expression *e = parsed(text);
        const size_t n = kan_expression_n_variables(e);
        double *work = malloc(kan_expression_work_size(e) * sizeof *work);
        fill(&random, x, ROWS * MOST);
        kan_expression_eval_rows(e, ROWS, x, y, work);
        for (size_t s = 0; s < ROWS; ++s) {
            const double one = kan_expression_eval(e, x + s * n);
            if (isnan(one))
                cr_expect(isnan(y[s]));
            else
                cr_expect(eq(dbl, y[s], one), "%s", text);
        }
        free(work);
        kan_expression_free(e);
    }
}

/* The derivative by number k at row x: central differences in long double, which needs numbers that are whole
 * multiples of a step that doubles hold. */
static double difference(kan_expression *e, size_t k, const double *x, double *error) {
    const double v = kan_expression_number_at(e, k), h = 0x1p-18;
    const double steps[] = {-2 * h, -h, h, 2 * h};
    long double y[4], size = 0.0L;
    for (int i = 0; i < 4; ++i) {
        const volatile double moved = v + steps[i];
        kan_expression_set_number(e, k, moved);
        y[i] = at_row(e, x);
        size += fabsl(y[i]);
    }
    kan_expression_set_number(e, k, v);
    const long double d = (8.0L * (y[2] - y[1]) - (y[3] - y[0])) / (12.0L * h);
    const long double low = (y[2] - y[1]) / (2.0L * h);
    *error = (double)(1e-17L * size / h +
                      1e-2L * fabsl(d - low)); /* of the order h^4 is a part of that of h^2 */
    return (double)d;
}

Test(expression_rows, jacobian_is_that_of_long_double_differences) {
    kan_random random = kan_random_seed(5, 0);
    char text[65536];
    double x[ROWS * MOST], y[ROWS];
    size_t compared = 0;
    for (int t = 0; t < 400; ++t) {
        random_formula(&random, 4, 1, text, sizeof text);
        kan_expression *e = parsed(text);
        const size_t n = kan_expression_n_variables(e), n_numbers = kan_expression_n_numbers(e);
        double *work = malloc(kan_expression_work_size(e) * sizeof *work);
        double *J = malloc((ROWS * n_numbers + 1) * sizeof *J);
        for (size_t k = 0; k < n_numbers; ++k) /* off the kinks and the ends of domains */
            kan_expression_set_number(
                e, k, 0x1p-30 * floor(0x1p30 * (kan_expression_number_at(e, k) + 0.0617)));
        fill(&random, x, ROWS * MOST);
        kan_expression_jacobian(e, ROWS, x, y, J, work);
        for (size_t s = 0; s < ROWS; s += 11)
            for (size_t k = 0; k < n_numbers; ++k) {
                double error;
                const double expected = difference(e, k, x + s * n, &error);
                if (!isfinite(expected) || !isfinite(y[s]) || error > 1e-4 * (fabs(expected) + 1e-3))
                    continue;
                const double near = 1e-9 * (fabs(expected) + fabs(y[s])) + error;
                cr_expect(epsilon_eq(dbl, J[s * n_numbers + k], expected, near), "%s, number %zu", text,
                          k);
                ++compared;
            }
        free(J);
        free(work);
        kan_expression_free(e);
    }
    cr_expect(compared > 2000, "%zu", compared);
}

/* J by the numbers of text at x, y and z of at; n_numbers of them. */
static void jacobian_at(const char *text, const double *at, double *J) {
    kan_expression *e = parsed(text);
    double y, *work = malloc(kan_expression_work_size(e) * sizeof *work);
    kan_expression_jacobian(e, 1, at, &y, J, work);
    free(work);
    kan_expression_free(e);
}

Test(expression_rows, powers_have_slopes_where_there_are_any) {
    double J[4], x = -1.7;
    jacobian_at("3*(x+0.5)^3", &x, J); /* the base is negative */
    cr_expect(epsilon_eq(dbl, J[0], pow(-1.2, 3), 1e-14));
    cr_expect(epsilon_eq(dbl, J[1], 9 * 1.44, 1e-14));
    cr_expect(eq(dbl, J[2], 0.0));
    x = 1.7;
    jacobian_at("x^2.5 + 2^x", &x, J);
    cr_expect(epsilon_eq(dbl, J[0], pow(1.7, 2.5) * log(1.7), 1e-14));
    cr_expect(epsilon_eq(dbl, J[1], 1.7 * pow(2.0, 0.7), 1e-14));
    x = 0.0;
    jacobian_at("(x*3)^2 + sqrt(x*1)*0", &x, J); /* 0 times an infinite slope is a slope of 0 here */
    for (int k = 0; k < 3; ++k) cr_expect(eq(dbl, J[k], 0.0), "%d", k);
}

Test(expression_rows, functions_of_two_variables_have_slopes) {
    const double x = 1.3;
    double J[3];
    jacobian_at("atan2(0.7*x, 2)", &x, J);
    const double u = 0.91, square = u * u + 4.0;
    cr_expect(epsilon_eq(dbl, J[0], x * 2.0 / square, 1e-15));
    cr_expect(epsilon_eq(dbl, J[1], -u / square, 1e-15));
    jacobian_at("max(2*x, 1) + min(3, x)", &x, J);
    cr_expect(eq(dbl, J[0], x));
    cr_expect(eq(dbl, J[1], 0.0));
    jacobian_at("jv(1, 2*x)", &x, J); /* J_1' = (J_0 - J_2)/2, at 2.6 */
    cr_expect(epsilon_eq(dbl, J[1], x * 0.5 * (j0(2.6) - jn(2, 2.6)), 1e-10));
}

Test(expression_rows, long_double_has_more_digits) {
    kan_expression *e = parsed("exp(sin(pi*x) + y^2)");
    const long double x[] = {0.3L, 0.7L},
                      exact = expl(sinl(3.14159265358979323846264338328L * 0.3L) + 0.49L);
    cr_expect(fabsl(kan_expression_eval_long(e, x) - exact) < 2e-18L * exact);
    kan_expression_free(e);
}
