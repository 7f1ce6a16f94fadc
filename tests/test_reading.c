/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <math.h>
#include <stdlib.h>

#include "core/random.h"
#include "kan/reading.h"
#include "symbolic/expression.h"

enum { ROWS = 400, INPUTS = 2 };

static const char *const names[INPUTS] = {"x", "y"};

/* exp(x + y^2), every input uniform in [-1, 1]. */
static kan_dataset *rows(uint64_t seed) {
    kan_dataset *d = kan_dataset_alloc(KAN_REGRESSION, ROWS, INPUTS, 1, false);
    kan_random random = kan_random_seed(seed, 0);
    for (size_t s = 0; s < ROWS; ++s) {
        double *x = d->x + s * INPUTS;
        for (size_t i = 0; i < INPUTS; ++i) x[i] = 2.0 * kan_random_uniform(&random) - 1.0;
        d->y[s] = exp(x[0] + x[1] * x[1]);
    }
    return d;
}

/* A form of these rows, read until the meter is over. */
static reading *read_rows(const kan_form *form, const kan_dataset *d, kan_meter *meter) {
    kan_error error;
    kan_dataset *held = rows(2);
    kan_form_fit *fit = kan_form_train(form, d, held, 0, &(kan_form_options){.seed = 3}, &error);
    cr_assert(fit != NULL, "%s", error.message);
    reading *r = reading_alloc(fit, d->n, d->x, meter, &error);
    cr_assert(r != NULL, "%s", error.message);
    kan_form_free(fit);
    kan_dataset_free(held);
    return r;
}

/* The formula of the choice of these candidates for all parts. */
static kan_expression *formula(const reading *r, const size_t *choice) {
    kan_error error;
    char *text = reading_formula(r, choice, names);
    cr_assert(text != NULL);
    kan_expression *e = kan_expression_parse_with(text, INPUTS, names, &error);
    cr_assert(e != NULL, "%s: %s", text, error.message);
    free(text);
    return e;
}

/* What was not looked at is a constant: near the mean of the target, whatever the kind of the form. */
Test(reading, one_cut_before_it_began_is_a_constant) {
    size_t n_heads;
    const kan_head *head = kan_head_table(&n_heads);
    const kan_form forms[] = {{.kind = KAN_FORM_OUTER, .head = head},
                              {.products = 0, .head = head},
                              {.products = 1, .head = head},
                              {.products = 2, .head = head}};
    kan_dataset *d = rows(1);
    double mean = 0.0;
    for (size_t s = 0; s < d->n; ++s) mean += d->y[s] / (double)d->n;
    for (size_t k = 0; k < sizeof forms / sizeof *forms; ++k) {
        kan_meter over = {.most = 1};
        reading *r = read_rows(&forms[k], d, &over);
        size_t *choice = calloc(r->n_parts, sizeof *choice);
        for (size_t p = 0; p < r->n_parts; ++p) cr_assert(eq(sz, r->parts[p].n, 0));
        kan_expression *e = formula(r, choice);
        const double here = kan_expression_eval(e, (double[]){0.3, 0.6}),
                     there = kan_expression_eval(e, (double[]){-0.9, 0.1});
        cr_assert(eq(dbl, here, there));
        cr_assert(fabs(here - mean) < 0.5, "form %zu: %g, the mean is %g", k, here, mean);
        kan_expression_free(e);
        free(choice);
        reading_free(r);
    }
    kan_dataset_free(d);
}

/* g(p f(a s + b) + q) of the sum s: the candidate that is a function of a function. */
Test(reading, an_outer_function_of_a_function) {
    size_t n_heads;
    const kan_form form = {.kind = KAN_FORM_OUTER, .head = kan_head_table(&n_heads)};
    kan_dataset *d = rows(1);
    kan_meter over = {.most = 1};
    reading *r = read_rows(&form, d, &over);
    const kan_function *sine = kan_function_find("sin"), *exponential = kan_function_find("exp");
    cr_assert(sine != NULL && exponential != NULL);
    part *g = &r->parts[INPUTS];
    g->n = 1;
    g->candidate[0] = (kan_composite){
        .g = sine, .f = exponential, .a = 0.5, .b = 0.1, .p = 0.7, .q = 0.2, .c = 3.0, .d = -1.0};
    const double s = r->parts[0].constant + r->parts[1].constant;
    const double expected = r->z_shift + r->z_scale * (3.0 * sin(0.7 * exp(0.5 * s + 0.1) + 0.2) - 1.0);
    kan_expression *e = formula(r, (size_t[INPUTS + 1]){0});
    cr_assert(ieee_ulp_eq(dbl, kan_expression_eval(e, (double[]){0.3, 0.6}), expected, 8));
    kan_expression_free(e);
    reading_free(r);
    kan_dataset_free(d);
}
