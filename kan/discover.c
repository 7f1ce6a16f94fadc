/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kan/discover.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "kan/form.h"
#include "kan/inputs.h"
#include "kan/reading.h"
#include "symbolic/constant.h"
#include "symbolic/refit.h"

enum {
    LEAST_ROWS = 20,
    MOST_FORMULAS = 64,
    MOST_HEADS = 16,
    READ_FIRST = 3,   /* sums */
    SWAP_ROUNDS = 3,  /* over the parts of a reading */
    BEST_HEADS = 3,   /* with more than one product */
    SCREEN_HEADS = 5, /* of pairs */
    BEAM = 3,
    MOST_PAIRS = 4 /* one after the other */
};

/* Share of the spread of y that counts as rounding, and the most that a form may miss to be read. */
static const double rounding = 1e-11, hopeless = 0.3;

/* Everything that a search knows. */
typedef struct hunt {
    const kan_dataset *d;
    const char *const *names;
    kan_discover_options options; /* defaults filled in */
    kan_dataset *fit, *held;
    double *y;     /* [d->n] the target */
    double spread; /* standard deviation of y */
    double began;
    kan_formula pool[MOST_FORMULAS];
    size_t n_pool;
    double best_form; /* smallest error of a form so far, over the spread */
    bool exact;
    inputs *given;                     /* the inputs as they are */
    const kan_head *heads[MOST_HEADS]; /* [n_heads] that fit y */
    size_t n_heads;
} hunt;

static bool is_over(const hunt *h) {
    return h->exact || (h->options.stop && *h->options.stop) ||
           kan_clock_cpu() - h->began > h->options.seconds;
}

/* ---- formulas and data ------------------------------------------------------------------------------ */

/* x [n][n_variables of e] from the rows of d. NULL without memory. */
static double *columns(const hunt *h, const kan_dataset *d, const kan_expression *e) {
    const size_t n_variables = kan_expression_n_variables(e);
    double *x = malloc((d->n * n_variables + 1) * sizeof *x);
    for (size_t v = 0; x && v < n_variables; ++v) {
        size_t i = 0;
        while (i < d->n_in && strcmp(h->names[i], kan_expression_variable(e, v)) != 0) ++i;
        for (size_t s = 0; s < d->n; ++s) x[s * n_variables + v] = d->x[s * d->n_in + i];
    }
    return x;
}

/* RMSE on rows; infinite where the formula is not finite. KAN_ENOMEM. */
static kan_status measure(const hunt *h, const kan_dataset *d, const kan_expression *e, double *rmse,
                          kan_error *error) {
    double *x = columns(h, d, e), *y = malloc(d->n * sizeof *y), sum = 0.0;
    double *work = malloc((kan_expression_work_size(e) + 1) * sizeof *work);
    if (x && y && work) {
        kan_expression_eval_rows(e, d->n, x, y, work);
        for (size_t s = 0; s < d->n; ++s) {
            const double off = y[s] - d->y[s * d->n_out + h->options.target];
            sum += off * off;
        }
        *rmse = isfinite(sum) ? sqrt(sum / (double)d->n) : INFINITY;
    }
    const bool good = x && y && work;
    free(work);
    free(x);
    free(y);
    return good ? KAN_OK : kan_status_fail(error, KAN_ENOMEM, "discover: out of memory");
}

/* n log(rmse^2) + complexity log(n), rmse not below rounding: what a formula is chosen by. */
static double description(const hunt *h, const kan_formula *f) {
    const double n = (double)h->d->n, least = rounding * h->spread;
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

/* The numbers of the table's functions stay: the 2 of x^2. They are the only whole and half ones, since fitted numbers
 * have digits to the last. [n_numbers], NULL without memory. */
static bool *fixed_numbers(const kan_expression *e) {
    const size_t n = kan_expression_n_numbers(e);
    bool *fixed = calloc(n + 1, sizeof *fixed);
    for (size_t k = 0; fixed && k < n; ++k) {
        const double value = kan_expression_number_at(e, k);
        fixed[k] = value != 0.0 && 2.0 * value == rint(2.0 * value) && fabs(value) <= 5.0;
    }
    return fixed;
}

/* The formula of a choice, its constants fitted to all rows; *made = NULL where it cannot be (not finite). */
static kan_status try_choice(const hunt *h, const inputs *v, const reading *r, const size_t *choice,
                             kan_expression **made, double *rmse, kan_error *error) {
    *made = NULL, *rmse = INFINITY;
    char *text = reading_formula(r, choice, (const char *const *)v->names);
    if (!text) return kan_status_fail(error, KAN_ENOMEM, "discover: out of memory");
    kan_expression *e = kan_expression_parse_with(text, h->d->n_in, h->names, error);
    free(text);
    if (!e) return error->status;
    double *x = columns(h, h->d, e);
    bool *fixed = fixed_numbers(e);
    kan_status status = x && fixed ? KAN_OK : KAN_ENOMEM;
    kan_refit_report report = {.rmse = INFINITY};
    const kan_refit_options options = {.fixed = fixed};
    if (status == KAN_OK)
        status = kan_refit_expression(e, h->d->n, x, h->y, &options, NULL, &report, error);
    free(fixed);
    free(x);
    if (status == KAN_OK) {
        *made = e, *rmse = report.rmse;
        return KAN_OK;
    }
    kan_expression_free(e);
    return status == KAN_ENONFINITE ? KAN_OK : status;
}

/* Goes over to another candidate of one part as long as that makes the error smaller. */
static kan_status improve(hunt *h, const inputs *v, const reading *r, size_t *choice,
                          kan_expression **best, double *rmse, kan_error *error) {
    kan_status status = try_choice(h, v, r, choice, best, rmse, error);
    bool better = true;
    for (size_t round = 0; better && round < SWAP_ROUNDS; ++round) {
        better = false;
        for (size_t p = 0; p < r->n_parts; ++p)
            for (size_t c = 0; c < r->parts[p].n; ++c) {
                if (status != KAN_OK || is_over(h) || *rmse <= rounding * h->spread) return status;
                const size_t before = choice[p];
                if (c == before) continue;
                kan_expression *e;
                double with;
                choice[p] = c;
                status = try_choice(h, v, r, choice, &e, &with, error);
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

/* A number of the text at `at`: its end, or NULL where none begins. Digits of a name (x2) are none. */
static const char *number_at(const char *text, const char *at) {
    const char before = at > text ? at[-1] : ' ';
    if (!isdigit((unsigned char)*at) || isalnum((unsigned char)before) || before == '_' ||
        before == '.')
        return NULL;
    char *end;
    strtod(at, &end);
    return end;
}

/* The text with "pi/2" for 1.5707963267948966 and the like: numbers that kan_refit_round put there. To be freed; NULL
 * without memory. */
static char *name_constants(const char *text) {
    kan_constant found;
    char *named = malloc(sizeof found.text * strlen(text) + 3), *to = named;
    for (const char *at = text; named && *at;) {
        const char *end = number_at(text, at);
        if (!end) {
            *to++ = *at++;
        } else if (strcspn(at, ".") < (size_t)(end - at) &&
                   kan_constant_recognise(strtod(at, NULL), 0.0, &found)) {
            char decimal[32];
            snprintf(decimal, sizeof decimal, "%.7g", found.value);
            to += sprintf(to, "(%s)", strtod(decimal, NULL) == found.value ? decimal : found.text);
            at = end;
        } else {
            while (at < end) *to++ = *at++;
        }
    }
    if (named) *to = '\0';
    return named;
}

/* e with names for its constants. NULL: KAN_ENOMEM, KAN_EFORMAT. */
static kan_expression *with_names(const hunt *h, const kan_expression *e, kan_error *error) {
    char *text = e ? kan_expression_print(e, KAN_EXPRESSION_TEXT, error) : NULL;
    char *named = text ? name_constants(text) : NULL;
    kan_expression *made = named ? kan_expression_parse_with(named, h->d->n_in, h->names, error) : NULL;
    free(named);
    free(text);
    return made;
}

/* The normal form with named constants; names once more at the end, since what the normal form multiplies out may
 * be a rounding off: 0.1 * 3. NULL: KAN_ENOMEM, KAN_EFORMAT. */
static kan_expression *tidy(const hunt *h, const kan_expression *e, kan_error *error) {
    kan_expression *plain = kan_expression_simplify(e, error);
    kan_expression *named = with_names(h, plain, error);
    kan_expression *normal = named ? kan_expression_simplify(named, error) : NULL;
    kan_expression *made = with_names(h, normal, error);
    kan_expression_free(plain);
    kan_expression_free(named);
    kan_expression_free(normal);
    return made;
}

/* Whether e is as good as a formula of that error: not worse, or exact to rounding. */
static kan_status is_as_good(const hunt *h, const kan_expression *e, double rmse, bool *good,
                             kan_error *error) {
    double own;
    const kan_status status = measure(h, h->d, e, &own, error);
    *good = status == KAN_OK && (own <= 1.000001 * rmse || own <= rounding * h->spread);
    return status;
}

/* The simpler one of e, taken over, and `normal`, which may be NULL: the normal form if it is as good. */
static kan_status choose(const hunt *h, kan_expression **e, kan_expression *normal, double rmse,
                         kan_error *error) {
    bool good = false;
    const kan_status status = normal ? is_as_good(h, normal, rmse, &good, error) : KAN_OK;
    kan_expression_free(good ? *e : normal);
    if (good) *e = normal;
    return status;
}

/* Normal form, constants at values with a name where the data allow it, normal form. f->expression is e at first. */
static kan_status polish(const hunt *h, kan_formula *f, kan_error *error) {
    kan_expression **e = &f->expression;
    kan_status status = choose(h, e, kan_expression_simplify(*e, error), f->rmse, error);
    double *x = columns(h, h->d, *e);
    bool *fixed = fixed_numbers(*e);
    kan_refit_report report;
    if (!x || !fixed) status = kan_status_fail(error, KAN_ENOMEM, "discover: out of memory");
    if (status == KAN_OK) status = kan_refit_round(*e, h->d->n, x, h->y, NULL, fixed, &report, error);
    free(fixed);
    free(x);
    if (status == KAN_OK) status = measure(h, h->d, *e, &f->rmse, error);
    if (status == KAN_OK) status = choose(h, e, tidy(h, *e, error), f->rmse, error);
    if (status == KAN_OK) status = measure(h, h->d, *e, &f->rmse, error);
    if (status == KAN_OK) status = measure(h, h->held, *e, &f->validation, error);
    f->complexity = kan_expression_complexity(*e);
    f->to_rounding = f->rmse <= rounding * h->spread;
    return status;
}

static kan_status read_form(hunt *h, const inputs *v, const kan_form_fit *fit, kan_error *error) {
    reading *r = reading_alloc(fit, v->all->n, v->all->x, h->began + h->options.seconds, error);
    size_t *choice = r ? calloc(r->n_parts, sizeof *choice) : NULL;
    kan_expression *e = NULL;
    double rmse;
    kan_status status = choice ? improve(h, v, r, choice, &e, &rmse, error) : KAN_ENOMEM;
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
static kan_status fit_form(hunt *h, inputs *v, const kan_form *form, bool quick, kan_form_fit **made,
                           kan_error *error) {
    const double left = h->options.seconds - (kan_clock_cpu() - h->began);
    const double most = form->products == 0 ? 1.0 : 1.5 * (double)form->products;
    const kan_form_options options = {.seconds = fmax(0.05, fmin(left, most)),
                                      .seed = h->options.seed,
                                      .quick = quick,
                                      .stop = h->options.stop};
    kan_error why = {.status = KAN_OK};
    *made = kan_form_train(form, v->fit, v->held, h->options.target, &options, &why);
    if (!*made && why.status != KAN_ENONFINITE)
        return kan_status_fail(error, why.status, "%s", why.message);
    if (!*made) return KAN_OK;
    h->best_form = fmin(h->best_form, (*made)->error);
    v->error = fmin(v->error, (*made)->error);
    if (h->options.progress) h->options.progress(h->options.context, form->head->name, (*made)->error);
    return KAN_OK;
}

/* Worth a reading: about as good as the best so far. */
static bool is_promising(const hunt *h, const kan_form_fit *fit) {
    return fit->error <= hopeless && fit->error <= fmax(2.0 * h->best_form, 1e-4);
}

/* Sums of curves under every head: all are fitted, then the best few read, the best first; of pairs only those that are
 * promising. */
static kan_status try_sums(hunt *h, inputs *v, kan_error *error) {
    kan_form_fit *fits[MOST_HEADS] = {NULL};
    kan_status status = KAN_OK;
    for (size_t j = 0; j < h->n_heads && status == KAN_OK && !is_over(h); ++j)
        status = fit_form(h, v, &(kan_form){.head = h->heads[j]}, false, &fits[j], error);
    for (size_t read = 0; read < READ_FIRST && status == KAN_OK && !is_over(h); ++read) {
        size_t best = h->n_heads;
        for (size_t j = 0; j < h->n_heads; ++j)
            if (fits[j] && (best == h->n_heads || fits[j]->error < fits[best]->error)) best = j;
        if (best == h->n_heads || fits[best]->error > hopeless) break;
        if (v != h->given && !is_promising(h, fits[best])) break;
        status = read_form(h, v, fits[best], error);
        kan_form_free(fits[best]);
        fits[best] = NULL;
    }
    for (size_t j = 0; j < h->n_heads; ++j) kan_form_free(fits[j]);
    return status;
}

/* One form, read where it is promising; *reached, unless NULL, becomes its error. */
static kan_status try_form(hunt *h, inputs *v, const kan_form *form, double *reached,
                           kan_error *error) {
    kan_form_fit *fit;
    kan_status status = is_over(h) ? KAN_OK : fit_form(h, v, form, false, &fit, error);
    if (status != KAN_OK || is_over(h) || !fit) return status;
    if (reached) *reached = fit->error;
    if (is_promising(h, fit)) status = read_form(h, v, fit, error);
    kan_form_free(fit);
    return status;
}

/* One product under every head, and the outer form; reached [n_heads] of the former. */
static kan_status try_products(hunt *h, inputs *v, double *reached, kan_error *error) {
    kan_status status = KAN_OK;
    for (size_t j = 0; j < h->n_heads && status == KAN_OK; ++j) {
        reached[j] = INFINITY;
        const kan_form product = {.products = 1, .head = h->heads[j]},
                       outer = {.kind = KAN_FORM_OUTER, .head = h->heads[j]};
        status = try_form(h, v, &product, &reached[j], error);
        if (j == 0 && status == KAN_OK) status = try_form(h, v, &outer, NULL, error);
    }
    return status;
}

/* More products under the few heads that did best with one. */
static kan_status try_more_products(hunt *h, double *reached, kan_error *error) {
    kan_status status = KAN_OK;
    for (size_t tried = 0; tried < BEST_HEADS && status == KAN_OK; ++tried) {
        size_t best = 0;
        for (size_t j = 1; j < h->n_heads; ++j)
            if (reached[j] < reached[best]) best = j;
        if (!isfinite(reached[best])) break;
        reached[best] = INFINITY;
        for (size_t k = 2; k <= h->options.most_products && status == KAN_OK; ++k)
            status = try_form(h, h->given, &(kan_form){.products = k, .head = h->heads[best]}, NULL,
                              error);
    }
    return status;
}

/* ---- pairs ------------------------------------------------------------------------------------------- */

/* The few best of the pairs seen, the best first. */
typedef struct beam {
    inputs *member[BEAM];
    size_t n;
} beam;

static void add_to_beam(beam *b, inputs *v) {
    size_t at = b->n;
    while (at > 0 && b->member[at - 1]->error > v->error) --at;
    if (at == BEAM) {
        inputs_free(v);
        return;
    }
    if (b->n == BEAM) inputs_free(b->member[--b->n]);
    memmove(b->member + at + 1, b->member + at, (b->n - at) * sizeof *b->member);
    b->member[at] = v;
    ++b->n;
}

/* The error of quick sums under the first few heads, in v->error. */
static kan_status screen(hunt *h, inputs *v, kan_error *error) {
    const double best = h->best_form;
    kan_status status = KAN_OK;
    v->error = INFINITY;
    for (size_t j = 0; j < h->n_heads && j < SCREEN_HEADS && status == KAN_OK && !is_over(h); ++j) {
        kan_form_fit *fit = NULL;
        status = fit_form(h, v, &(kan_form){.head = h->heads[j]}, true, &fit, error);
        kan_form_free(fit);
    }
    h->best_form = best; /* it is the error of forms that were fitted in full */
    return status;
}

/* All pairs of one member that make its sums better. */
static kan_status screen_pairs(hunt *h, const inputs *v, double until, beam *b, kan_error *error) {
    const size_t n_in = v->all->n_in;
    kan_status status = KAN_OK;
    for (size_t at = 0; at < n_in * n_in * N_PAIRS && status == KAN_OK; ++at) {
        const pair_kind kind = (pair_kind)(at / (n_in * n_in));
        const size_t i = at / n_in % n_in, j = at % n_in;
        if (i == j || (kind == PAIR_MINUS && i > j)) continue;
        if (is_over(h) || kan_clock_cpu() - h->began > until) break;
        inputs *made;
        status = inputs_combine(v, i, j, kind, &made, error);
        if (status != KAN_OK || !made) continue;
        status = screen(h, made, error);
        if (status == KAN_OK && made->error < 0.9 * v->error)
            add_to_beam(b, made);
        else
            inputs_free(made);
    }
    return status;
}

/* Pairs, pairs of what these leave, and so on: at each depth the best are tried in full. */
static kan_status try_pairs(hunt *h, kan_error *error) {
    beam now = {.n = 0};
    kan_status status = screen(h, h->given, error);
    for (size_t depth = 0; depth < MOST_PAIRS && status == KAN_OK && !is_over(h); ++depth) {
        beam next = {.n = 0};
        const double left = h->options.seconds - (kan_clock_cpu() - h->began);
        for (size_t m = 0; m < (depth == 0 ? 1 : now.n) && status == KAN_OK; ++m)
            status = screen_pairs(h, depth == 0 ? h->given : now.member[m],
                                  kan_clock_cpu() - h->began + left / 4.0, &next, error);
        for (size_t m = 0; m < now.n; ++m) inputs_free(now.member[m]);
        now = next;
        for (size_t m = 0; m < now.n && status == KAN_OK && !is_over(h); ++m) {
            double reached[MOST_HEADS];
            status = try_sums(h, now.member[m], error);
            if (status == KAN_OK && m == 0) status = try_products(h, now.member[m], reached, error);
        }
    }
    for (size_t m = 0; m < now.n; ++m) inputs_free(now.member[m]);
    return status;
}

static kan_status try_all(hunt *h, kan_error *error) {
    double reached[MOST_HEADS];
    size_t n_table;
    const kan_head *table = kan_head_table(&n_table);
    for (size_t j = 0; j < n_table && h->n_heads < MOST_HEADS; ++j)
        if (kan_head_fits(&table[j], h->d->n, h->y)) h->heads[h->n_heads++] = &table[j];
    kan_status status = try_sums(h, h->given, error);
    if (h->d->n_in < 2) return status;
    if (status == KAN_OK) status = try_products(h, h->given, reached, error);
    if (status == KAN_OK) status = try_more_products(h, reached, error);
    if (status == KAN_OK && !is_over(h)) status = try_pairs(h, error);
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
    if (status == KAN_OK) {
        h->given = inputs_alloc(d, h->fit, h->held, h->names);
        if (!h->given) status = KAN_ENOMEM;
    }
    if (status != KAN_OK) return kan_status_fail(error, status, "discover: out of memory");
    double mean = 0.0, squares = 0.0;
    for (size_t s = 0; s < d->n; ++s) mean += h->y[s] = d->y[s * d->n_out + h->options.target];
    mean /= (double)d->n;
    for (size_t s = 0; s < d->n; ++s) squares += (h->y[s] - mean) * (h->y[s] - mean);
    h->spread = sqrt(squares / (double)d->n);
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
        inputs_free(h->given);
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
