/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <string.h>

#include "kan/inputs.h"

/* Rows (1, 2, 3), (4, 5, 6), .. of three inputs. */
static kan_dataset *rows(size_t n) {
    kan_dataset *d = kan_dataset_alloc(KAN_REGRESSION, n, 3, 1, false);
    for (size_t k = 0; k < 3 * n; ++k) d->x[k] = (double)(k + 1);
    for (size_t s = 0; s < n; ++s) d->y[s] = (double)s;
    return d;
}

static const char *const names[] = {"a", "b", "c"};

Test(inputs, a_pair_takes_the_place_of_its_first_input) {
    static const double expected[N_PAIRS] = {4.0 - 6.0, 4.0 / 6.0, 24.0, 10.0, 52.0};
    static const char *const texts[N_PAIRS] = {"(a-c)", "(a/c)", "(a*c)", "(a+c)", "(a^2+c^2)"};
    kan_error error;
    kan_dataset *all = rows(9), *fit = rows(5), *held = rows(4);
    inputs *v = inputs_alloc(all, fit, held, names);
    cr_assert(v != NULL);
    for (pair_kind kind = PAIR_OVER; kind < N_PAIRS; ++kind) {
        inputs *made;
        cr_assert(inputs_combine(v, 0, 2, kind, &made, &error) == KAN_OK && made != NULL);
        cr_assert(strcmp(made->names[0], texts[kind]) == 0, "%s", made->names[0]);
        cr_assert(made->all->x[3] == expected[kind] && made->held->x[3] == expected[kind]);
        cr_assert(made->fit->x[5] == 6.0 && made->fit->y[2] == 2.0, "the others stay");
        cr_assert(v->all->x[3] == 4.0, "and so do those it was made from");
        inputs_free(made);
    }
    inputs_free(v);
    kan_dataset_free(all);
    kan_dataset_free(fit);
    kan_dataset_free(held);
}

Test(inputs, pairs_that_say_nothing_are_none) {
    kan_error error;
    kan_dataset *d = rows(9);
    inputs *v = inputs_alloc(d, d, d, names), *made;
    cr_assert(inputs_combine(v, 0, 1, PAIR_MINUS, &made, &error) == KAN_OK);
    cr_assert(made == NULL, "a - b is -1 in every row");
    for (size_t s = 0; s < 9; ++s) v->all->x[3 * s + 1] = s == 4 ? 0.0 : 1.0;
    cr_assert(inputs_combine(v, 0, 1, PAIR_OVER, &made, &error) == KAN_OK);
    cr_assert(made == NULL, "a / b is not finite");
    inputs_free(v);
    kan_dataset_free(d);
}
