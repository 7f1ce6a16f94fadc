/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "symbolic/expression.h"
#include "tests/support/alloc.h"
#include "tests/support/random_formula.h"

static char *printed(const kan_expression *e) {
    return kan_expression_print(e, KAN_EXPRESSION_TEXT, NULL);
}

static void expect_simple(const char *text, const char *expected) {
    kan_expression *e = parsed(text), *simple = kan_expression_simplify(e, NULL);
    char *found = printed(simple);
    cr_expect(strcmp(found, expected) == 0, "%s: %s instead of %s", text, found, expected);
    free(found);
    kan_expression_free(simple);
    kan_expression_free(e);
}

Test(expression_simplify, normal_forms) {
    expect_simple("x*x", "x^2");
    expect_simple("x + x - 2*x", "0");
    expect_simple("y + x + 1 + 2*y + 2", "x + 3*y + 3");
    expect_simple("2*(x + 3) - 6", "2*x");
    expect_simple("exp(a)*exp(b)", "exp(a + b)");
    expect_simple("sqrt(u)^2", "u");
    expect_simple("sqrt(u^2)", "abs(u)");
    expect_simple("exp(log(x)*2)", "x^2");
    expect_simple("log(exp(x))", "x");
    expect_simple("x/y/x", "1/y");
    expect_simple("sin(-x)*cos(-x)", "-cos(x)*sin(x)");
    expect_simple("(b - a)^2", "(a - b)^2");
    expect_simple("(2*x + 2)/(4*y + 4)", "0.5*(x + 1)/(y + 1)");
    expect_simple("x^0 + 0*y + 1*z", "z + 1");
    expect_simple("sqrt(2)*sqrt(2)*x + 2*pi", "2*pi + 2*x");
    expect_simple("0 - x + 1", "1 - x");
    expect_simple("x/3", "x/3");
    expect_simple("exp(-x^2)*3/(2*x)", "1.5*exp(-x^2)/x");
    expect_simple("gaussian(x)", "exp(-x^2)");
    expect_simple("2*3 + sin(0)", "6");
    expect_simple("(u+v)/(1+u*v)", "(u + v)/(u*v + 1)");
    expect_simple("1/0", "1/0");
}

/* A formula, what it became, and the value of both at some x, y, z. */
static double value_at(const kan_expression *e, const double at[3]) {
    double x[3];
    for (size_t i = 0; i < kan_expression_n_variables(e); ++i)
        x[i] = at[*kan_expression_variable(e, i) - 'x'];
    return kan_expression_eval(e, x);
}

static long double value_long(const kan_expression *e, const double at[3]) {
    long double x[3];
    for (size_t i = 0; i < kan_expression_n_variables(e); ++i)
        x[i] = at[*kan_expression_variable(e, i) - 'x'];
    return kan_expression_eval_long(e, x);
}

/* True where an infinity or an undefined 0^u is written into the formula: then the sign of a zero matters, or a product with
 * zero, and neither is kept. */
static int has_infinity(const kan_expression *e) {
    regex_t zero;
    cr_assert(eq(
        int, regcomp(&zero, "/0($|[^.0-9])|(^|[^0-9.])0\\^|\\(-?0\\)", REG_EXTENDED | REG_NOSUB), 0));
    char *text = printed(e);
    const int found = regexec(&zero, text, 0, NULL, 0) == 0;
    free(text);
    regfree(&zero);
    return found;
}

static void somewhere(kan_random *random, double at[3]) {
    for (int i = 0; i < 3; ++i) at[i] = random_between(random, -2.5, 2.5);
}

/* How much the value of e moves when its numbers and variables move by a few units in the last place. */
static long double shake(const kan_expression *e, const double at[3]) {
    kan_expression *moved = kan_expression_copy(e, NULL);
    long double most = 0.0L;
    const long double y = value_long(e, at);
    for (int t = 0; t < 8; ++t) {
        double there[3];
        for (int i = 0; i < 3; ++i) there[i] = at[i] * (1.0 + 1e-13 * ((t * 7 + i * 3) % 5 - 2.0));
        for (size_t k = 0; k < kan_expression_n_numbers(e); ++k) {
            const double v = kan_expression_number_at(e, k);
            if (v != floor(v))
                kan_expression_set_number(moved, k, v * (1.0 + 1e-13 * ((t + k) % 3 - 1.0)));
        }
        most = fmaxl(most, fabsl(value_long(moved, there) - y));
    }
    kan_expression_free(moved);
    return most;
}

Test(expression_simplify, keeps_values_wherever_they_were_finite) {
    kan_random random = kan_random_seed(41, 0);
    size_t compared = 0;
    char text[65536];
    for (int t = 0; t < 6000; ++t) {
        random_formula(&random, 1 + t % 5, t % 2, text, sizeof text);
        kan_expression *e = parsed(text), *simple = kan_expression_simplify(e, NULL);
        cr_assert(simple != NULL);
        for (int p = 0; p < 5 && !has_infinity(simple); ++p) {
            double at[3];
            somewhere(&random, at);
            const long double y = value_long(e, at), z = value_long(simple, at);
            if (!isfinite(y) || !isfinite(value_at(e, at)) || fabsl(y) > 1e30L) continue;
            const long double near = 1e-12L * (1.0L + fabsl(y)) + 10.0L * shake(e, at);
            if (!(near < 1e-3L * (1.0L + fabsl(y)))) continue; /* noise */
            ++compared;
            char *found = printed(simple);
            cr_expect(fabsl(z - y) <= near, "%s became %s at %.17g, %.17g, %.17g: %.17Lg, %.17Lg", text,
                      found, at[0], at[1], at[2], y, z);
            free(found);
        }
        kan_expression_free(simple);
        kan_expression_free(e);
    }
    cr_expect(compared > 8000, "%zu", compared);
}

Test(expression_simplify, never_makes_it_much_longer_and_is_done_at_once) {
    kan_random random = kan_random_seed(43, 0);
    char text[65536];
    size_t same = 0, n = 1000;
    for (size_t t = 0; t < n; ++t) {
        random_formula(&random, 4, 0, text, sizeof text);
        kan_expression *e = parsed(text), *once = kan_expression_simplify(e, NULL);
        kan_expression *twice = kan_expression_simplify(once, NULL);
        cr_expect(kan_expression_complexity(once) <= 2.0 * kan_expression_complexity(e) + 2.0, "%s",
                  text);
        char *a = printed(once), *b = printed(twice);
        same += strcmp(a, b) == 0;
        free(a);
        free(b);
        kan_expression_free(twice);
        kan_expression_free(once);
        kan_expression_free(e);
    }
    cr_expect(same >= n * 98 / 100, "%zu of %zu", same,
              n); /* rounding of folded numbers may move a fraction */
}

Test(expression_simplify, derivatives_are_those_of_differences) {
    kan_random random = kan_random_seed(47, 0);
    char text[65536];
    size_t compared = 0;
    for (int t = 0; t < 1500; ++t) {
        random_formula(&random, 1 + t % 4, 1, text, sizeof text);
        kan_expression *e = parsed(text);
        for (size_t i = 0; i < kan_expression_n_variables(e); ++i) {
            kan_error error = {0};
            kan_expression *d = kan_expression_derivative(e, i, &error);
            cr_assert(d != NULL, "%s: %s", text, error.message);
            double at[3];
            somewhere(&random, at);
            long double y[4];
            const double h = 0x1p-14;
            double *x = &at[*kan_expression_variable(e, i) - 'x'];
            const double x0 = floor(*x * 0x1p30) * 0x1p-30;
            for (int k = 0; k < 4; ++k) {
                *x = x0 + h * (k < 2 ? k - 2 : k - 1);
                y[k] = value_long(e, at);
            }
            *x = x0;
            const long double high = (8.0L * (y[2] - y[1]) - (y[3] - y[0])) / (12.0L * h);
            const long double near = 1e-2L * fabsl(high - (y[2] - y[1]) / (2.0L * h)) +
                                     1e-10L * (1.0L + fabsl(high)) + 1e-17L * fabsl(y[0]) / h;
            const long double z = value_long(d, at);
            if (!has_infinity(d) && isfinite(high) && near < 1e-5L * (1.0L + fabsl(high))) {
                char *found = printed(d);
                cr_expect(fabsl(z - high) <= near, "%s' = %s: %.17Lg, %.17Lg", text, found, z, high);
                free(found);
                ++compared;
            }
            kan_expression_free(d);
        }
        kan_expression_free(e);
    }
    cr_expect(compared > 1000, "%zu", compared);
}

static void expect_derivative(const char *text, const char *expected) {
    kan_expression *e = parsed(text), *d = kan_expression_derivative(e, 0, NULL);
    char *found = printed(d);
    cr_expect(strcmp(found, expected) == 0, "%s: %s instead of %s", text, found, expected);
    free(found);
    kan_expression_free(d);
    kan_expression_free(e);
}

Test(expression_simplify, derivatives_look_as_on_paper) {
    expect_derivative("x^3 + 2*x", "3*x^2 + 2");
    expect_derivative("sin(3*x)", "3*cos(3*x)");
    expect_derivative("exp(x^2)", "2*x*exp(x^2)");
    expect_derivative("log(x)", "1/x");
    expect_derivative("2^x", "2^x*log(2)");
    expect_derivative("y + x", "1");
}

Test(expression_simplify, what_has_no_derivative_is_said) {
    kan_expression *e = parsed("jv(2, x) + y");
    kan_error error;
    cr_expect(kan_expression_derivative(e, 0, &error) == NULL);
    cr_expect(eq(int, error.status, KAN_EFORMAT));
    kan_expression *d = kan_expression_derivative(e, 1, &error);
    cr_expect(d != NULL);
    kan_expression_free(d);
    kan_expression_free(e);
}

Test(expression_simplify, comes_to_an_end_whatever_the_numbers) {
    const double odd[] = {INFINITY, -INFINITY, NAN, 1e308, -1e-308, 0.0, -0.0, -1.0, 1e-320};
    kan_random random = kan_random_seed(5, 0);
    char text[65536];
    for (size_t t = 0; t < 4000; ++t) {
        random_formula(&random, 1 + t % 6, 0, text, sizeof text);
        kan_expression *e = parsed(text);
        for (size_t k = 0; k < kan_expression_n_numbers(e); ++k)
            if (kan_random_below(&random, 2))
                kan_expression_set_number(e, k, odd[kan_random_below(&random, 9)]);
        kan_expression *simple = kan_expression_simplify(e, NULL);
        cr_assert(simple != NULL, "%s", text);
        kan_expression_free(simple);
        kan_expression_free(e);
    }
}

static kan_status simplify_once(void *context) {
    kan_error error = {0};
    kan_expression *made = kan_expression_simplify(context, &error);
    kan_expression_free(made);
    return made ? KAN_OK : error.status;
}

static kan_status derive_once(void *context) {
    kan_error error = {0};
    kan_expression *made = kan_expression_derivative(context, 0, &error);
    kan_expression_free(made);
    return made ? KAN_OK : error.status;
}

Test(expression_simplify, survives_without_memory) {
    kan_expression *e = parsed("(2*x + 2)^2*exp(x)*exp(3*y - x)/sqrt(x^2) - sin(-x)*max(x, y)");
    cr_expect(alloc_fail_every(simplify_once, e) > 20);
    cr_expect(alloc_fail_every(derive_once, e) > 40);
    kan_expression_free(e);
}
