/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kan/polish.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolic/constant.h"
#include "symbolic/refit.h"

/* Share of the spread of the target that counts as rounding. */
static const double rounding = 1e-11;

/* The rows that a formula is measured by. */
typedef struct rows {
    const kan_dataset *d;
    const char *const *names;
    size_t target;
} rows;

/* ---- formulas and rows ------------------------------------------------------------------------------ */

/* x [n][n_variables of e] from the rows of d. NULL without memory. */
static double *columns(const rows *h, const kan_expression *e) {
    const kan_dataset *d = h->d;
    const size_t n_variables = kan_expression_n_variables(e);
    double *x = malloc((d->n * n_variables + 1) * sizeof *x);
    for (size_t v = 0; x && v < n_variables; ++v) {
        size_t i = 0;
        while (i < d->n_in && strcmp(h->names[i], kan_expression_variable(e, v)) != 0) ++i;
        for (size_t s = 0; s < d->n; ++s) x[s * n_variables + v] = d->x[s * d->n_in + i];
    }
    return x;
}

/* r [n] = y - f(x). KAN_ENOMEM. */
static kan_status residuals(const rows *h, const kan_expression *e, double *r, kan_error *error) {
    const kan_dataset *d = h->d;
    double *x = columns(h, e), *work = malloc((kan_expression_work_size(e) + 1) * sizeof *work);
    const bool good = x && work;
    if (good) kan_expression_eval_rows(e, d->n, x, r, work);
    for (size_t s = 0; good && s < d->n; ++s) r[s] = d->y[s * d->n_out + h->target] - r[s];
    free(work);
    free(x);
    return good ? KAN_OK : kan_status_fail(error, KAN_ENOMEM, "formula: out of memory");
}

/* RMSE on rows; infinite where the formula is not finite. KAN_ENOMEM. */
static kan_status measure(const rows *h, const kan_expression *e, double *rmse, kan_error *error) {
    const size_t n = h->d->n;
    double *r = malloc((n + 1) * sizeof *r), sum = 0.0;
    const kan_status status = r ? residuals(h, e, r, error)
                                : kan_status_fail(error, KAN_ENOMEM, "formula: out of memory");
    for (size_t s = 0; status == KAN_OK && s < n; ++s) sum += r[s] * r[s];
    if (status == KAN_OK) *rmse = isfinite(sum) ? sqrt(sum / (double)n) : INFINITY;
    free(r);
    return status;
}

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

/* The text with 0 for what rounding left, numbers below `nothing`, and "pi/2" for 1.5707963267948966 and the like, numbers
 * that kan_refit_round put there. To be freed; NULL without memory. */
static char *name_constants(const char *text, double nothing) {
    kan_constant found;
    char *named = malloc(sizeof found.text * strlen(text) + 3), *to = named;
    for (const char *at = text; named && *at;) {
        const char *end = number_at(text, at);
        if (!end) {
            *to++ = *at++;
        } else if (strtod(at, NULL) < nothing) { /* the caller sees whether it mattered */
            *to++ = '0';
            at = end;
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
static kan_expression *with_names(const rows *h, const kan_expression *e, kan_error *error) {
    char *text = e ? kan_expression_print(e, KAN_EXPRESSION_TEXT, error) : NULL;
    /* Where y is tiny so are numbers that matter: 1e-14 of 1, or of the spread, which is `rounding` of it. */
    const double spread = kan_polish_rounding(h->d, h->target) / rounding;
    char *named = text ? name_constants(text, 1e-14 * fmin(1.0, spread)) : NULL;
    kan_expression *made = named ? kan_expression_parse_with(named, h->d->n_in, h->names, error) : NULL;
    free(named);
    free(text);
    return made;
}

/* The normal form with named constants; names once more at the end, since what the normal form multiplies out may
 * be a rounding off: 0.1 * 3. NULL: KAN_ENOMEM, KAN_EFORMAT. */
static kan_expression *tidy(const rows *h, const kan_expression *e, kan_error *error) {
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
static kan_status is_as_good(const rows *h, const kan_expression *e, double rmse, bool *good,
                             kan_error *error) {
    double own;
    const kan_status status = measure(h, e, &own, error);
    *good = status == KAN_OK && (own <= 1.000001 * rmse || own <= kan_polish_rounding(h->d, h->target));
    return status;
}

/* The simpler one of e, taken over, and `normal`, which may be NULL: the normal form if it is as good. */
static kan_status choose(const rows *h, kan_expression **e, kan_expression *normal, double rmse,
                         kan_error *error) {
    bool good = false;
    const kan_status status = normal ? is_as_good(h, normal, rmse, &good, error) : KAN_OK;
    kan_expression_free(good ? *e : normal);
    if (good) *e = normal;
    return status;
}

/* How e is fitted: its rows, and which numbers stay. */
typedef struct problem {
    double *x, *y;
    bool *fixed;
} problem;

static void close_problem(problem *p) {
    free(p->x);
    free(p->y);
    free(p->fixed);
}

/* KAN_ENOMEM; close_problem is to be called in any case. */
static kan_status open_problem(const rows *h, const kan_expression *e, problem *p, kan_error *error) {
    const kan_dataset *d = h->d;
    *p = (problem){columns(h, e), malloc((d->n + 1) * sizeof *p->y), fixed_numbers(e)};
    if (!p->x || !p->y || !p->fixed)
        return kan_status_fail(error, KAN_ENOMEM, "formula: out of memory");
    for (size_t s = 0; s < d->n; ++s) p->y[s] = d->y[s * d->n_out + h->target];
    return KAN_OK;
}

double kan_polish_rounding(const kan_dataset *d, size_t target) {
    double mean = 0.0, squares = 0.0;
    for (size_t s = 0; s < d->n; ++s) mean += d->y[s * d->n_out + target] / (double)d->n;
    for (size_t s = 0; s < d->n; ++s) {
        const double off = d->y[s * d->n_out + target] - mean;
        squares += off * off;
    }
    return rounding * sqrt(squares / (double)d->n);
}

kan_status kan_polish_residuals(const kan_expression *e, const kan_dataset *d, const char *const *names,
                                size_t target, double *r, kan_error *error) {
    return residuals(&(rows){d, names, target}, e, r, error);
}

kan_status kan_polish_measure(const kan_expression *e, const kan_dataset *d, const char *const *names,
                              size_t target, double *rmse, kan_error *error) {
    return measure(&(rows){d, names, target}, e, rmse, error);
}

kan_status kan_polish_fit(kan_expression *e, const kan_dataset *d, const char *const *names,
                          size_t target, kan_meter *meter, double *rmse, kan_error *error) {
    const rows h = {d, names, target};
    problem p;
    kan_refit_report report = {.rmse = INFINITY};
    kan_status status = open_problem(&h, e, &p, error);
    const kan_refit_options options = {.fixed = p.fixed, .meter = meter};
    if (status == KAN_OK)
        status = kan_refit_expression(e, d->n, p.x, p.y, &options, NULL, &report, error);
    close_problem(&p);
    *rmse = report.rmse;
    return status;
}

kan_status kan_polish_formula(kan_expression **e, const kan_dataset *d, const char *const *names,
                              size_t target, kan_meter *meter, double *rmse, kan_error *error) {
    const rows h = {d, names, target};
    const kan_refit_options options = {.meter = meter};
    problem p;
    kan_refit_report report;
    kan_status status = choose(&h, e, kan_expression_simplify(*e, error), *rmse, error);
    if (status != KAN_OK) return status;
    status = open_problem(&h, *e, &p, error);
    if (status == KAN_OK)
        status = kan_refit_round(*e, d->n, p.x, p.y, &options, p.fixed, &report, error);
    close_problem(&p);
    if (status == KAN_OK) status = measure(&h, *e, rmse, error);
    /* What the rounding put to 0 goes in any case; names may cost digits that matter. */
    if (status == KAN_OK) status = choose(&h, e, kan_expression_simplify(*e, error), *rmse, error);
    if (status == KAN_OK) status = choose(&h, e, tidy(&h, *e, error), *rmse, error);
    return status == KAN_OK ? measure(&h, *e, rmse, error) : status;
}

kan_status kan_polish_unseen(const kan_expression *e, const kan_dataset *seen,
                             const kan_dataset *unseen, const char *const *names, size_t target,
                             kan_meter *meter, double *rmse, kan_error *error) {
    kan_error why = {.status = KAN_OK};
    kan_expression *copy = kan_expression_copy(e, &why);
    kan_status status = copy ? kan_polish_fit(copy, seen, names, target, meter, rmse, &why)
                             : why.status;
    if (status == KAN_OK) status = kan_polish_measure(copy, unseen, names, target, rmse, &why);
    kan_expression_free(copy);
    if (status == KAN_ENONFINITE) {
        *rmse = INFINITY;
        return KAN_OK;
    }
    return status == KAN_OK ? KAN_OK : kan_status_fail(error, status, "%s", why.message);
}
