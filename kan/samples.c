/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kan/samples.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int compare_doubles(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

bool samples_spread(size_t n, const double *v, size_t stride, samples *s) {
    double *sorted = malloc(n * sizeof *sorted);
    if (!sorted) return false;
    for (size_t j = 0; j < n; ++j) sorted[j] = v[j * stride];
    qsort(sorted, n, sizeof *sorted, compare_doubles);
    s->n = n < MOST_SAMPLES ? n : MOST_SAMPLES;
    for (size_t j = 0; j < s->n; ++j) s->t[j] = sorted[s->n > 1 ? j * (n - 1) / (s->n - 1) : 0];
    free(sorted);
    return true;
}

void samples_moments(const samples *s, double *mean, double *sd) {
    double sum = 0.0, squares = 0.0;
    for (size_t j = 0; j < s->n; ++j) sum += s->y[j];
    *mean = sum / (double)s->n;
    for (size_t j = 0; j < s->n; ++j) squares += (s->y[j] - *mean) * (s->y[j] - *mean);
    *sd = sqrt(squares / (double)s->n);
}

/* How large c f becomes beside the spread of the curve. */
static double amplification(const kan_curve *q, const samples *s) {
    double lo = INFINITY, hi = -INFINITY, far = 0.0;
    for (size_t j = 0; j < s->n; ++j) {
        lo = fmin(lo, s->y[j]), hi = fmax(hi, s->y[j]);
        far = fmax(far, fabs(q->c * q->f->f(q->a * s->t[j] + q->b)));
    }
    return far / (hi - lo);
}

static const double most_amplification = 100.0;

/* A function with a kink or a jump whose samples are all on one side of it: |x + 1| that is x + 1. */
static bool is_disguise(const kan_curve *q, const samples *s) {
    static const char *const kinked[] = {"abs", "relu", "sign", "step"};
    bool has_kink = false;
    for (size_t k = 0; k < sizeof kinked / sizeof *kinked; ++k)
        has_kink |= strcmp(q->f->name, kinked[k]) == 0;
    if (!has_kink) return false;
    const double first = q->a * s->t[0] + q->b, last = q->a * s->t[s->n - 1] + q->b,
                 width = fabs(last - first);
    return fmin(first, last) > -0.02 * width || fmax(first, last) < 0.02 * width;
}

/* The curves that are no imitations move to the front; how many they are, all where there are none. */
static size_t keep_sound(const samples *s, size_t n, kan_curve *found) {
    size_t n_sound = 0;
    for (size_t j = 0; j < n; ++j)
        if (amplification(&found[j], s) <= most_amplification && !is_disguise(&found[j], s))
            found[n_sound++] = found[j];
    return n_sound > 0 ? n_sound : n;
}

/* By the cost of the function, then by its constants too: x^2 before a cosine that looks like it. */
static bool is_simpler(const kan_curve *p, const kan_curve *q) {
    return p->f->cost < q->f->cost || (p->f->cost == q->f->cost && p->complexity < q->complexity);
}

size_t samples_suggest(const samples *s, const kan_curve_options *options, double known,
                       kan_curve *found, double *least, kan_error *error) {
    *error = (kan_error){.status = KAN_OK};
    size_t n = kan_curve_fit(s->n, s->t, s->y, NULL, options, MOST_CURVES, found, error);
    if (n == 0) return 0;
    n = keep_sound(s, n, found);
    *least = found[0].rmse;
    const double as_good = fmax(known, 2.0 * *least);
    size_t simplest = 0;
    for (size_t j = 1; j < n; ++j)
        if (found[j].rmse <= as_good && found[j].f->cost > 0.0 &&
            is_simpler(&found[j], &found[simplest]))
            simplest = j;
    const kan_curve first = found[simplest];
    memmove(found + 1, found, simplest * sizeof *found);
    found[0] = first;
    return n;
}
