/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/random.h"
#include "kan/polish.h"

enum { N = 300 };
static const char *const names[] = {"x", "y"};

/* Rows of size x exp(y) + noise. */
static kan_dataset *rows(double size, double noise, uint64_t seed) {
    kan_dataset *d = kan_dataset_alloc(KAN_REGRESSION, N, 2, 1, false);
    kan_random random = kan_random_seed(seed, 0);
    for (size_t s = 0; s < N; ++s) {
        for (size_t i = 0; i < 2; ++i) d->x[2 * s + i] = 2.0 * kan_random_uniform(&random) - 1.0;
        d->y[s] = size * d->x[2 * s] * exp(d->x[2 * s + 1]) + noise * kan_random_normal(&random);
    }
    return d;
}

static void polished(double size, const char *given, const char *expected) {
    kan_error error;
    double rmse;
    kan_dataset *d = rows(size, 0.0, 1);
    kan_expression *e = kan_expression_parse_with(given, 2, names, &error);
    cr_assert(e && kan_polish_measure(e, d, names, 0, &rmse, &error) == KAN_OK);
    cr_assert(kan_polish_formula(&e, d, names, 0, NULL, &rmse, &error) == KAN_OK);
    char *text = kan_expression_print(e, KAN_EXPRESSION_TEXT, NULL);
    cr_assert(strcmp(text, expected) == 0, "%s, not %s", text, expected);
    cr_assert(rmse <= 1e-15 * size, "%g", rmse);
    free(text);
    kan_expression_free(e);
    kan_dataset_free(d);
}

Test(polish, what_is_nothing_beside_the_others_goes) {
    polished(1.0, "1.0000000000000002*x*exp(y)+3e-17*x^3+1e-18", "x*exp(y)");
}

Test(polish, tiny_numbers_of_a_tiny_target_stay_and_zeros_go) {
    polished(1e-20, "1.0000000000000002e-20*x*exp(y)+1e-39", "1e-20*x*exp(y)");
}

Test(polish, unseen_rows_are_judged_by_constants_of_the_others) {
    const double noise = 0.1;
    kan_error error;
    kan_dataset *seen = rows(2.0, noise, 1), *unseen = rows(2.0, noise, 2);
    kan_expression *e = kan_expression_parse_with("7.123*x*exp(y)+0.377", 2, names, &error);
    double rmse, r[N], sum = 0.0;
    cr_assert(kan_polish_unseen(e, seen, unseen, names, 0, NULL, &rmse, &error) == KAN_OK);
    cr_assert(fabs(rmse - noise) < 4.0 * noise / sqrt(2.0 * N), "%g", rmse);
    cr_assert(eq(dbl, kan_expression_number_at(e, 0), 7.123), "the formula stays");
    cr_assert(kan_polish_residuals(e, seen, names, 0, r, &error) == KAN_OK);
    for (size_t s = 0; s < N; ++s) {
        const double f = 7.123 * seen->x[2 * s] * exp(seen->x[2 * s + 1]) + 0.377;
        sum += fabs(r[s] - (seen->y[s] - f));
    }
    cr_assert(sum < 1e-12 * N);
    kan_expression_free(e);
    kan_dataset_free(seen);
    kan_dataset_free(unseen);
}
