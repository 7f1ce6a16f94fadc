/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <math.h>
#include <signal.h>
#include <stdlib.h>

#include "core/random.h"
#include "kan/discover.h"
#include "symbolic/agree.h"

/* A formula in alphabetical variables, each uniform in [lo, hi]. */
typedef struct problem {
    const char *formula;
    double lo, hi, noise;
} problem;

static kan_dataset *rows(const problem *p, const kan_expression *e, size_t n, uint64_t seed) {
    const size_t n_in = kan_expression_n_variables(e);
    kan_dataset *d = kan_dataset_alloc(KAN_REGRESSION, n, n_in, 1, false);
    kan_random random = kan_random_seed(seed, 0);
    for (size_t s = 0; s < n; ++s) {
        for (size_t i = 0; i < n_in; ++i)
            d->x[s * n_in + i] = p->lo + (p->hi - p->lo) * kan_random_uniform(&random);
        d->y[s] = kan_expression_eval(e, d->x + s * n_in) + p->noise * kan_random_normal(&random);
    }
    return d;
}

static kan_discovery *found_by(const problem *p, const kan_discover_options *options,
                               kan_expression **e) {
    kan_error error;
    *e = kan_expression_parse(p->formula, &error);
    cr_assert(ne(ptr, *e, NULL));
    const char *names[8];
    for (size_t i = 0; i < kan_expression_n_variables(*e); ++i)
        names[i] = kan_expression_variable(*e, i);
    kan_dataset *d = rows(p, *e, 1000, 1);
    kan_discovery *found = kan_discover(d, names, options, &error);
    kan_dataset_free(d);
    cr_assert(found != NULL, "%s", error.message);
    return found;
}

static void expect_same_text(const kan_expression *a, const kan_expression *b) {
    char *left = kan_expression_print(a, KAN_EXPRESSION_TEXT, NULL);
    char *right = kan_expression_print(b, KAN_EXPRESSION_TEXT, NULL);
    cr_assert(eq(str, left, right));
    free(left);
    free(right);
}

static bool same(const problem *p, const kan_expression *e, const kan_expression *made) {
    kan_error error;
    kan_agree_range box[8];
    kan_agree_report report;
    const size_t n = kan_expression_n_variables(e);
    for (size_t i = 0; i < n; ++i)
        box[i] = (kan_agree_range){kan_expression_variable(e, i), p->lo, p->hi};
    cr_assert(kan_agree_expressions(made, e, n, box, NULL, &report, &error) == KAN_OK);
    return report.agree;
}

static const problem exact_ones[] = {{"exp(sin(pi*x)+y^2)", -1.0, 1.0, 0.0},
                                     {"x*y", -1.0, 1.0, 0.0},
                                     {"x/y", 0.5, 2.0, 0.0},
                                     {"(u+v)/(1+u*v)", -0.9, 0.9, 0.0},
                                     {"exp(j0(20*x)+y^2)", -1.0, 1.0, 0.0},
                                     {"x^2+0.3*y+0.1*z^3+0*w", -1.0, 1.0, 0.0},
                                     {"b*(1+a*cos(3*t))", -1.0, 1.0, 0.0},
                                     {"sin(2*(log(x)+log(y)))", 0.2, 5.0, 0.0},
                                     {"(1-a)/sqrt(1-b^2)", -0.9, 0.9, 0.0}};

Test(discover, finds_formulas_exactly) {
    for (size_t k = 0; k < sizeof exact_ones / sizeof *exact_ones; ++k) {
        kan_expression *e;
        const kan_discover_options options = {.seed = 2, .seconds = 60.0};
        kan_discovery *found = found_by(&exact_ones[k], &options, &e);
        cr_assert(found->n > 0, "%s", exact_ones[k].formula);
        const kan_formula *f = &found->formulas[found->best];
        char *text = kan_expression_print(f->expression, KAN_EXPRESSION_TEXT, NULL);
        cr_assert(f->to_rounding && same(&exact_ones[k], e, f->expression), "%s: found %s, RMSE %g",
                  exact_ones[k].formula, text, f->rmse);
        free(text);
        kan_discovery_free(found);
        kan_expression_free(e);
    }
}

Test(discover, noise_is_no_part_of_a_formula) {
    const problem p = {"exp(sin(pi*x)+y^2)", -1.0, 1.0, 0.02};
    kan_expression *e;
    kan_discovery *found = found_by(&p, &(kan_discover_options){.seconds = 60.0, .most_products = 1},
                                    &e);
    cr_assert(found->n > 0);
    const kan_formula *f = &found->formulas[found->best];
    char *text = kan_expression_print(f->expression, KAN_EXPRESSION_TEXT, NULL);
    cr_assert(not(f->to_rounding));
    cr_assert(f->rmse < 0.021 && f->complexity < 25.0, "%s: RMSE %g", text, f->rmse);
    cr_assert(found->end == KAN_DISCOVER_NOISE, "ended by %s", kan_discover_end_name(found->end));
    free(text);
    kan_discovery_free(found);
    kan_expression_free(e);
}

Test(discover, formulas_are_a_pareto_front) {
    const problem p = {"sin(a*b)+c^2*a", -2.0, 2.0, 0.1};
    kan_expression *e;
    kan_discovery *found = found_by(&p, &(kan_discover_options){.seconds = 3.0}, &e);
    for (size_t k = 1; k < found->n; ++k) {
        cr_assert(found->formulas[k].complexity > found->formulas[k - 1].complexity);
        cr_assert(found->formulas[k].rmse < found->formulas[k - 1].rmse);
        cr_assert(not(found->formulas[k].to_rounding));
    }
    kan_discovery_free(found);
    kan_expression_free(e);
}

Test(discover, the_same_seed_gives_the_same_formula) {
    const problem p = {"x*y", -1.0, 1.0, 0.0};
    kan_expression *e, *again;
    kan_discovery *a = found_by(&p, NULL, &e), *b = found_by(&p, NULL, &again);
    expect_same_text(a->formulas[a->best].expression, b->formulas[b->best].expression);
    kan_discovery_free(a);
    kan_discovery_free(b);
    kan_expression_free(e);
    kan_expression_free(again);
}

Test(discover, stops_when_asked) {
    const problem p = {"exp(sin(pi*x)+y^2)", -1.0, 1.0, 0.1};
    const volatile sig_atomic_t stop = 1;
    kan_expression *e;
    kan_discovery *found = found_by(&p, &(kan_discover_options){.stop = &stop}, &e);
    cr_assert(found->seconds < 5.0);
    kan_discovery_free(found);
    kan_expression_free(e);
}

/* What the clock ended is repeated by the count of work at which it did. */
Test(discover, a_count_of_work_repeats_what_the_clock_ended) {
    const problem p = {"sin(a*b)+c^2*a", -2.0, 2.0, 0.1};
    kan_expression *e, *again;
    kan_discovery *a = found_by(&p, &(kan_discover_options){.seconds = 1.3}, &e);
    cr_assert(a->end == KAN_DISCOVER_CLOCK, "ended by %s", kan_discover_end_name(a->end));
    cr_assert(a->seconds < 1.3 + 0.5, "took %g s", a->seconds);
    kan_discovery *b = found_by(&p, &(kan_discover_options){.work = a->work}, &again);
    cr_assert(b->end == KAN_DISCOVER_WORK);
    cr_assert(eq(ulong, b->work, a->work));
    cr_assert(eq(dbl, b->network, a->network));
    cr_assert(eq(sz, b->n, a->n)); /* 0 where 1.3 s are too few for a first formula */
    for (size_t k = 0; k < a->n; ++k) {
        cr_assert(eq(dbl, a->formulas[k].rmse, b->formulas[k].rmse));
        expect_same_text(a->formulas[k].expression, b->formulas[k].expression);
    }
    kan_discovery_free(a);
    kan_discovery_free(b);
    kan_expression_free(e);
    kan_expression_free(again);
}

Test(discover, few_rows_are_refused) {
    kan_error error;
    const char *names[] = {"x"};
    kan_dataset *d = kan_dataset_alloc(KAN_REGRESSION, 10, 1, 1, false);
    cr_assert(kan_discover(d, names, NULL, &error) == NULL);
    cr_assert(error.status == KAN_ECONFIG);
    kan_dataset_free(d);
}

Test(discover, a_constant_target_is_refused) {
    kan_error error;
    const char *names[] = {"x", "y"};
    kan_dataset *d = kan_dataset_alloc(KAN_REGRESSION, 40, 2, 1, false);
    kan_random random = kan_random_seed(1, 0);
    for (size_t k = 0; k < 2 * d->n; ++k) d->x[k] = kan_random_uniform(&random);
    for (size_t s = 0; s < d->n; ++s) d->y[s] = 0.5;
    cr_assert(kan_discover(d, names, NULL, &error) == NULL);
    cr_assert(error.status == KAN_ECONFIG);
    kan_dataset_free(d);
}
