/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kan/inputs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static kan_dataset *copy_rows(const kan_dataset *d) {
    kan_dataset *made = kan_dataset_alloc(d->task, d->n, d->n_in, d->n_out, false);
    if (!made) return NULL;
    memcpy(made->x, d->x, d->n * d->n_in * sizeof *d->x);
    memcpy(made->y, d->y, d->n * kan_dataset_y_width(d) * sizeof *d->y);
    return made;
}

inputs *inputs_alloc(const kan_dataset *all, const kan_dataset *fit, const kan_dataset *held,
                     const char *const *names) {
    inputs *v = calloc(1, sizeof *v);
    if (!v) return NULL;
    v->error = INFINITY;
    v->all = copy_rows(all), v->fit = copy_rows(fit), v->held = copy_rows(held);
    v->names = calloc(all->n_in, sizeof *v->names);
    bool good = v->all && v->fit && v->held && v->names;
    for (size_t i = 0; good && i < all->n_in; ++i) {
        v->names[i] = strdup(names[i]);
        good = v->names[i] != NULL;
    }
    if (good) return v;
    inputs_free(v);
    return NULL;
}

void inputs_free(inputs *v) {
    if (!v) return;
    for (size_t i = 0; v->names && v->all && i < v->all->n_in; ++i) free(v->names[i]);
    free(v->names);
    kan_dataset_free(v->all);
    kan_dataset_free(v->fit);
    kan_dataset_free(v->held);
    free(v);
}

static double pair(pair_kind kind, double a, double b) {
    switch (kind) {
    case PAIR_MINUS: return a - b;
    case PAIR_OVER: return a / b;
    case PAIR_TIMES: return a * b;
    case PAIR_PLUS: return a + b;
    default: return a * a + b * b;
    }
}

static void combine_rows(kan_dataset *d, size_t i, size_t j, pair_kind kind) {
    for (size_t s = 0; s < d->n; ++s) {
        double *x = d->x + s * d->n_in;
        x[i] = pair(kind, x[i], x[j]);
    }
}

/* Finite, not constant, and not so wide that most rows lie in one place (a quotient with a denominator near 0). */
static bool is_useful(const kan_dataset *d, size_t i) {
    double lo = INFINITY, hi = -INFINITY, sum = 0.0;
    for (size_t s = 0; s < d->n; ++s) {
        const double x = d->x[s * d->n_in + i];
        if (!isfinite(x)) return false;
        lo = fmin(lo, x), hi = fmax(hi, x), sum += fabs(x);
    }
    return hi - lo > 1e-9 * fmax(fabs(lo), fabs(hi)) &&
           fmax(fabs(lo), fabs(hi)) < 200.0 * sum / (double)d->n;
}

kan_status inputs_combine(const inputs *v, size_t i, size_t j, pair_kind kind, inputs **made,
                          kan_error *error) {
    static const char *const templates[N_PAIRS] = {"(%s-%s)", "(%s/%s)", "(%s*%s)", "(%s+%s)",
                                                   "(%s^2+%s^2)"};
    const size_t length = strlen(v->names[i]) + strlen(v->names[j]) + 16;
    *made = inputs_alloc(v->all, v->fit, v->held, (const char *const *)v->names);
    char *name = malloc(length);
    if (!*made || !name) {
        free(name);
        inputs_free(*made);
        *made = NULL;
        return kan_status_fail(error, KAN_ENOMEM, "inputs: out of memory");
    }
    snprintf(name, length, templates[kind], v->names[i], v->names[j]);
    free((*made)->names[i]);
    (*made)->names[i] = name;
    combine_rows((*made)->all, i, j, kind);
    combine_rows((*made)->fit, i, j, kind);
    combine_rows((*made)->held, i, j, kind);
    if (!is_useful((*made)->all, i)) {
        inputs_free(*made);
        *made = NULL;
    }
    return KAN_OK;
}
