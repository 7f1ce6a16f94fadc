/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kan/discover.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "kan/form.h"
#include "kan/polish.h"
#include "kan/reading.h"

enum { LEAST_ROWS = 20, MOST_FORMULAS = 64, READ_FIRST = 3, SWAP_ROUNDS = 3 };

/* The share of the spread of y that a form may miss at most to be read. */
static const double hopeless = 0.3;

/* Everything that a search knows. */
typedef struct hunt {
    const kan_dataset *d;
    const char *const *names;
    kan_discover_options options; /* defaults filled in */
    kan_dataset *fit, *held;
    double *y;       /* [d->n] the target */
    double spread;   /* standard deviation of y */
    double rounding; /* error that counts as rounding */
    double began;
    kan_formula pool[MOST_FORMULAS];
    size_t n_pool;
    double best_form; /* smallest error of a form so far, over the spread */
    bool exact;
} hunt;

static bool is_over(const hunt *h) {
    return h->exact || (h->options.stop && *h->options.stop) ||
           kan_clock_cpu() - h->began > h->options.seconds;
}

/* n log(rmse^2) + complexity log(n), rmse not below rounding: what a formula is chosen by. */
static double description(const hunt *h, const kan_formula *f) {
    const double n = (double)h->d->n, least = h->rounding;
    return 2.0 * n * log(fmax(f->rmse, least)) + f->complexity * log(n);
}

/* Takes the formula over. */
static void keep(hunt *h, const kan_formula *f) {
    size_t at = h->n_pool;
    if (at == MOST_FORMULAS) { /* the worst one goes */
        at = 0;
        for (size_t j = 1; j < h->n_pool; ++j)
            if (description(h, &h->pool[j]) > description(h, &h->pool[at])) at = j;
        kan_expression_free(h->pool[at].expression);
    } else {
        ++h->n_pool;
    }
    h->pool[at] = *f;
    h->exact |= f->to_rounding;
}

/* ---- readings ------------------------------------------------------------------------------------- */

/* The formula of a choice, its constants fitted to all rows; *made = NULL where it cannot be (not finite). */
static kan_status try_choice(const hunt *h, const reading *r, const size_t *choice,
                             kan_expression **made, double *rmse, kan_error *error) {
    *made = NULL, *rmse = INFINITY;
    char *text = reading_formula(r, choice, h->names);
    if (!text) return kan_status_fail(error, KAN_ENOMEM, "discover: out of memory");
    kan_expression *e = kan_expression_parse_with(text, h->d->n_in, h->names, error);
    free(text);
    if (!e) return error->status;
    const kan_status status = kan_polish_fit(e, h->d, h->names, h->options.target, rmse, error);
    if (status == KAN_OK) {
        *made = e;
        return KAN_OK;
    }
    kan_expression_free(e);
    *rmse = INFINITY;
    return status == KAN_ENONFINITE ? KAN_OK : status;
}

/* Goes over to another candidate of one part as long as that makes the error smaller. */
static kan_status improve(hunt *h, const reading *r, size_t *choice, kan_expression **best,
                          double *rmse, kan_error *error) {
    kan_status status = try_choice(h, r, choice, best, rmse, error);
    bool better = true;
    for (size_t round = 0; better && round < SWAP_ROUNDS; ++round) {
        better = false;
        for (size_t p = 0; p < r->n_parts; ++p)
            for (size_t c = 0; c < r->parts[p].n; ++c) {
                if (status != KAN_OK || is_over(h) || *rmse <= h->rounding) return status;
                const size_t before = choice[p];
                if (c == before) continue;
                kan_expression *e;
                double with;
                choice[p] = c;
                status = try_choice(h, r, choice, &e, &with, error);
                if (e && with < 0.99 * *rmse) {
                    kan_expression_free(*best);
                    *best = e, *rmse = with, better = true;
                } else {
                    kan_expression_free(e);
                    choice[p] = before;
                }
            }
    }
    return status;
}

/* The constants of f->expression at values with a name, and what the formula is worth. */
static kan_status polish(const hunt *h, kan_formula *f, kan_error *error) {
    const size_t target = h->options.target;
    kan_status status = kan_polish_formula(&f->expression, h->d, h->names, target, &f->rmse, error);
    if (status == KAN_OK)
        status = kan_polish_measure(f->expression, h->held, h->names, target, &f->validation, error);
    f->complexity = kan_expression_complexity(f->expression);
    f->to_rounding = f->rmse <= h->rounding;
    return status;
}

static kan_status read_form(hunt *h, const kan_form_fit *fit, kan_error *error) {
    reading *r = reading_alloc(fit, h->d->n, h->d->x, error);
    size_t *choice = r ? calloc(r->n_parts, sizeof *choice) : NULL;
    kan_expression *e = NULL;
    double rmse;
    kan_status status = choice ? improve(h, r, choice, &e, &rmse, error) : KAN_ENOMEM;
    if (status == KAN_OK && e) {
        kan_formula f = {.expression = e, .rmse = rmse};
        status = polish(h, &f, error);
        if (status == KAN_OK)
            keep(h, &f);
        else
            kan_expression_free(f.expression);
    }
    free(choice);
    reading_free(r);
    return status;
}

/* ---- forms ------------------------------------------------------------------------------------------- */

/* Fits a form; *made = NULL where that failed for the form alone. */
static kan_status fit_form(hunt *h, const kan_form *form, kan_form_fit **made, kan_error *error) {
    const double left = h->options.seconds - (kan_clock_cpu() - h->began);
    const double most = form->products == 0 ? 1.0 : 1.5 * (double)form->products;
    const kan_form_options options = {
        .seconds = fmax(0.05, fmin(left, most)), .seed = h->options.seed, .stop = h->options.stop};
    kan_error why = {.status = KAN_OK};
    *made = kan_form_train(form, h->fit, h->held, h->options.target, &options, &why);
    if (!*made && why.status != KAN_ENONFINITE)
        return kan_status_fail(error, why.status, "%s", why.message);
    if (!*made) return KAN_OK;
    h->best_form = fmin(h->best_form, (*made)->error);
    if (h->options.progress) h->options.progress(h->options.context, form->head->name, (*made)->error);
    return KAN_OK;
}

/* Sums of curves under every head: all are fitted, then the best few read, the best first. */
static kan_status try_sums(hunt *h, size_t n_heads, const kan_head *const *heads, kan_error *error) {
    kan_form_fit *fits[32] = {NULL};
    kan_status status = KAN_OK;
    for (size_t j = 0; j < n_heads && status == KAN_OK && !is_over(h); ++j)
        status = fit_form(h, &(kan_form){.head = heads[j]}, &fits[j], error);
    for (size_t read = 0; read < READ_FIRST && status == KAN_OK && !is_over(h); ++read) {
        size_t best = n_heads;
        for (size_t j = 0; j < n_heads; ++j)
            if (fits[j] && (best == n_heads || fits[j]->error < fits[best]->error)) best = j;
        if (best == n_heads || fits[best]->error > hopeless) break;
        status = read_form(h, fits[best], error);
        kan_form_free(fits[best]);
        fits[best] = NULL;
    }
    for (size_t j = 0; j < n_heads; ++j) kan_form_free(fits[j]);
    return status;
}

/* One form, read where it is about as good as the best so far. */
static kan_status try_form(hunt *h, const kan_form *form, kan_error *error) {
    kan_form_fit *fit;
    kan_status status = is_over(h) ? KAN_OK : fit_form(h, form, &fit, error);
    if (status != KAN_OK || is_over(h) || !fit) return status;
    if (fit->error <= hopeless && fit->error <= fmax(2.0 * h->best_form, 1e-4))
        status = read_form(h, fit, error);
    kan_form_free(fit);
    return status;
}

static kan_status try_all(hunt *h, kan_error *error) {
    size_t n_table, n_heads = 0;
    const kan_head *table = kan_head_table(&n_table), *heads[32];
    for (size_t j = 0; j < n_table && n_heads < 32; ++j)
        if (kan_head_fits(&table[j], h->d->n, h->y)) heads[n_heads++] = &table[j];
    kan_status status = try_sums(h, n_heads, heads, error);
    for (size_t k = 1; h->d->n_in > 1 && k <= h->options.most_products; ++k) {
        if (status == KAN_OK) status = try_form(h, &(kan_form){.products = k, .head = heads[0]}, error);
        if (status == KAN_OK && k == 1)
            status = try_form(h, &(kan_form){.kind = KAN_FORM_OUTER, .head = heads[0]}, error);
        for (size_t j = 1; j < n_heads && status == KAN_OK; ++j)
            status = try_form(h, &(kan_form){.products = k, .head = heads[j]}, error);
    }
    return status;
}

/* ---- the whole --------------------------------------------------------------------------------------- */

static kan_status prepare(hunt *h, kan_error *error) {
    const kan_dataset *d = h->d;
    const size_t n_held = d->n / 5;
    kan_random random = kan_random_seed(h->options.seed, 0);
    size_t *rows = malloc(d->n * sizeof *rows);
    h->y = malloc(d->n * sizeof *h->y);
    kan_status status = rows && h->y ? kan_dataset_split(d, n_held, &random, rows, error) : KAN_ENOMEM;
    if (status == KAN_OK) {
        h->fit = kan_dataset_select(d, d->n - n_held, rows);
        h->held = kan_dataset_select(d, n_held, rows + (d->n - n_held));
        if (!h->fit || !h->held) status = KAN_ENOMEM;
    }
    free(rows);
    if (status != KAN_OK) return kan_status_fail(error, status, "discover: out of memory");
    double mean = 0.0, squares = 0.0;
    for (size_t s = 0; s < d->n; ++s) mean += h->y[s] = d->y[s * d->n_out + h->options.target];
    mean /= (double)d->n;
    for (size_t s = 0; s < d->n; ++s) squares += (h->y[s] - mean) * (h->y[s] - mean);
    h->spread = sqrt(squares / (double)d->n);
    h->rounding = kan_polish_rounding(d, h->options.target);
    return KAN_OK;
}

static int compare_formulas(const void *a, const void *b) {
    const kan_formula *p = a, *q = b;
    if (p->complexity != q->complexity) return p->complexity < q->complexity ? -1 : 1;
    return (p->rmse > q->rmse) - (p->rmse < q->rmse);
}

/* The formulas that no other one beats, in the order of their complexity. */
static void sort_out(hunt *h, kan_discovery *f) {
    qsort(h->pool, h->n_pool, sizeof *h->pool, compare_formulas);
    double least = INFINITY;
    for (size_t j = 0; j < h->n_pool; ++j) {
        if (h->pool[j].rmse < least) {
            least = h->pool[j].rmse;
            f->formulas[f->n++] = h->pool[j];
        } else {
            kan_expression_free(h->pool[j].expression);
        }
    }
    for (size_t j = 1; j < f->n; ++j)
        if (description(h, &f->formulas[j]) < description(h, &f->formulas[f->best])) f->best = j;
    h->n_pool = 0;
}

kan_discovery *kan_discover(const kan_dataset *d, const char *const *names,
                            const kan_discover_options *options, kan_error *error) {
    if (d->n < LEAST_ROWS) {
        kan_status_fail(error, KAN_ECONFIG, "a formula needs at least %d rows", LEAST_ROWS);
        return NULL;
    }
    kan_error why = {.status = KAN_OK};
    hunt *h = calloc(1, sizeof *h);
    kan_discovery *f = calloc(1, sizeof *f);
    kan_status status = h && f ? KAN_OK : kan_status_fail(&why, KAN_ENOMEM, "discover: out of memory");
    if (status == KAN_OK) {
        *h = (hunt){.d = d, .names = names, .began = kan_clock_cpu(), .best_form = INFINITY};
        if (options) h->options = *options;
        if (h->options.seconds == 0.0) h->options.seconds = 60.0;
        if (h->options.most_products == 0) h->options.most_products = 2;
        f->formulas = calloc(MOST_FORMULAS, sizeof *f->formulas);
        status = f->formulas ? prepare(h, &why)
                             : kan_status_fail(&why, KAN_ENOMEM, "discover: out of memory");
    }
    if (status == KAN_OK) status = try_all(h, &why);
    if (status == KAN_OK) {
        sort_out(h, f);
        f->network = h->best_form * h->spread;
        f->seconds = kan_clock_cpu() - h->began;
    } else {
        kan_status_fail(error, why.status, "%s", why.message);
        kan_discovery_free(f);
        f = NULL;
    }
    for (size_t j = 0; h && j < h->n_pool; ++j) kan_expression_free(h->pool[j].expression);
    if (h) {
        kan_dataset_free(h->fit);
        kan_dataset_free(h->held);
        free(h->y);
    }
    free(h);
    return f;
}

void kan_discovery_free(kan_discovery *f) {
    if (!f) return;
    for (size_t j = 0; j < f->n; ++j) kan_expression_free(f->formulas[j].expression);
    free(f->formulas);
    free(f);
}
