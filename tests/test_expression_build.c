/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <string.h>

#include "symbolic/expression.h"
#include "tests/support/alloc.h"
#include "tests/support/random_formula.h"

Test(expression_build, numbers_are_read_and_set_in_order) {
    kan_expression *e = parsed("2.5*sin(0.75*x - 3)^2 + pi");
    const double expected[] = {2.5, 0.75, 3.0, 2.0}, x = 0.613;
    cr_assert(eq(sz, kan_expression_n_numbers(e), 4));
    for (size_t k = 0; k < 4; ++k) cr_expect(eq(dbl, kan_expression_number_at(e, k), expected[k]));
    kan_expression *copy = kan_expression_copy(e, NULL);
    kan_expression_set_number(e, 1, -1.25);
    cr_expect(eq(dbl, kan_expression_number_at(e, 1), -1.25));
    const double s = sin(-1.25 * x - 3), t = sin(0.75 * x - 3);
    cr_expect(epsilon_eq(dbl, kan_expression_eval(e, &x), 2.5 * s * s + 3.14159265358979323846, 1e-15));
    cr_expect(
        epsilon_eq(dbl, kan_expression_eval(copy, &x), 2.5 * t * t + 3.14159265358979323846, 1e-15));
    kan_expression_free(copy);
    kan_expression_free(e);
}

Test(expression_build, substitution_replaces_all_at_once) {
    kan_expression *e = parsed("x - 2*y + z"), *by[] = {parsed("y*a"), parsed("x^2")};
    const char *names[] = {"x", "y", "unknown"};
    kan_expression *number = kan_expression_number(-7.25, NULL);
    const kan_expression *with[] = {by[0], by[1], number};
    kan_expression *made = kan_expression_substitute(e, 3, names, with, NULL);
    cr_assert(made != NULL);
    const char *variables[] = {"a", "x", "y", "z"};
    cr_assert(eq(sz, kan_expression_n_variables(made), 4));
    for (size_t i = 0; i < 4; ++i) {
        cr_expect(strcmp(kan_expression_variable(made, i), variables[i]) == 0);
        cr_expect(kan_expression_uses(made, i));
    }
    const double x[] = {1.3, 0.7, -2.1, 5.5}; /* a, x, y, z */
    cr_expect(epsilon_eq(dbl, kan_expression_eval(made, x), -2.1 * 1.3 - 2 * 0.49 + 5.5, 1e-14));
    kan_expression_free(made);
    kan_expression_free(number);
    for (int i = 0; i < 2; ++i) kan_expression_free(by[i]);
    kan_expression_free(e);
}

Test(expression_build, substitution_is_composition) {
    kan_random random = kan_random_seed(11, 0);
    size_t finite = 0;
    char text[65536];
    for (int t = 0; t < 500; ++t) {
        random_formula(&random, 4, 0, text, sizeof text);
        kan_expression *outer = parsed(text);
        random_formula(&random, 3, 0, text, sizeof text);
        kan_expression *inner = parsed(text);
        const char *name = "y";
        kan_expression *made = kan_expression_substitute(outer, 1, &name,
                                                         (const kan_expression *const *)&inner, NULL);
        double at[3] = {1.37, 0.41, 0.93}, x[3], u[3];
        const kan_expression *both[] = {inner, outer, made};
        double value = NAN;
        for (int k = 0; k < 3; ++k) {
            for (size_t i = 0; i < kan_expression_n_variables(both[k]); ++i) {
                const char v = *kan_expression_variable(both[k], i);
                u[i] = k == 1 && v == 'y' ? value : at[v - 'x'];
            }
            x[k] = kan_expression_eval(both[k], u);
            if (k == 0) value = x[0];
        }
        if (isfinite(x[1])) {
            ++finite;
            cr_expect(eq(dbl, x[2], x[1]), "formula %d", t);
        }
        kan_expression_free(made);
        kan_expression_free(inner);
        kan_expression_free(outer);
    }
    cr_expect(finite > 150, "%zu", finite);
}

static kan_status substitute_itself(void *context) {
    const kan_expression *e = context;
    const char *name = "x";
    kan_expression *made = kan_expression_substitute(e, 1, &name, &e, NULL);
    kan_expression_free(made);
    return made ? KAN_OK : KAN_ENOMEM;
}

Test(expression_build, too_deep_and_no_memory_are_said) {
    kan_error error;
    kan_expression *e = parsed("1+(2+x)"), *deep = parsed("x");
    const char *name = "x";
    for (int i = 0; i < 400 && deep; ++i) {
        kan_expression *next = kan_expression_substitute(e, 1, &name,
                                                         (const kan_expression *const *)&deep, &error);
        kan_expression_free(deep);
        deep = next;
    }
    cr_assert(deep == NULL);
    cr_expect(eq(int, error.status, KAN_EFORMAT));
    cr_expect(eq(sz, alloc_fail_every(substitute_itself, e), 6));
    kan_expression_free(e);
}
