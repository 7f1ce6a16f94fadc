/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "symbolic/agree.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/random.h"

enum { TRIALS_PER_POINT = 10 };

static kan_agree_options with_defaults(const kan_agree_options *options) {
    kan_agree_options o = options ? *options : (kan_agree_options){0};
    if (!(o.tolerance > 0.0)) o.tolerance = 1e-8;
    if (o.n_points == 0) o.n_points = 1000;
    if (o.n_least == 0) o.n_least = 100;
    return o;
}

/* The values of one formula: which range each of its variables has, and room for a point. */
typedef struct side {
    const kan_expression *e;
    size_t n, *range;
    long double *x;
} side;

static void close_side(side *s) {
    free(s->range);
    free(s->x);
}

static kan_status open_side(side *s, const kan_expression *e, size_t n_ranges,
                            const kan_agree_range *ranges, kan_error *error) {
    s->e = e;
    s->n = kan_expression_n_variables(e);
    s->range = malloc((s->n + 1) * sizeof *s->range);
    s->x = malloc((s->n + 1) * sizeof *s->x);
    if (!s->range || !s->x) return kan_status_fail(error, KAN_ENOMEM, "no memory to compare formulas");
    for (size_t i = 0; i < s->n; ++i) {
        size_t k = 0;
        while (k < n_ranges && strcmp(ranges[k].name, kan_expression_variable(e, i)) != 0) ++k;
        if (k == n_ranges)
            return kan_status_fail(error, KAN_ECONFIG, "the variable %s has no range",
                                   kan_expression_variable(e, i));
        s->range[i] = k;
    }
    return KAN_OK;
}

static long double value_at(side *s, const double *point) {
    for (size_t i = 0; i < s->n; ++i) s->x[i] = (long double)point[s->range[i]];
    return kan_expression_eval_long(s->e, s->x);
}

static int by_size(const void *a, const void *b) {
    const double *p = a, *q = b;
    return (*p > *q) - (*p < *q);
}

/* difference, reference [n]: |p - q| and |q|; sorted [n] is scratch. */
static double worst_of(size_t n, const double *difference, const double *reference, double *sorted) {
    double worst = 0.0;
    if (n == 0) return worst;
    memcpy(sorted, reference, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_size);
    const double least = 1e-3 * sorted[n / 2];
    for (size_t i = 0; i < n; ++i)
        if (difference[i] > 0.0) worst = fmax(worst, difference[i] / fmax(reference[i], least));
    return worst;
}

/* Values at random points of the wider box; returns at how many both are finite. point [n_ranges]. */
static size_t compare(side *p, side *q, size_t n_ranges, const kan_agree_range *ranges,
                      const kan_agree_options *o, double *difference, double *reference,
                      double *point) {
    kan_random random = kan_random_seed(o->seed, 0);
    size_t n = 0;
    for (size_t trial = 0; trial < TRIALS_PER_POINT * o->n_points && n < o->n_points; ++trial) {
        for (size_t k = 0; k < n_ranges; ++k) {
            const double width = ranges[k].hi - ranges[k].lo;
            point[k] = ranges[k].lo + width * (1.2 * kan_random_uniform(&random) - 0.1);
        }
        const long double a = value_at(p, point), b = value_at(q, point);
        if (!isfinite((double)a) || !isfinite((double)b)) continue;
        difference[n] = (double)fabsl(a - b), reference[n] = (double)fabsl(b);
        ++n;
    }
    return n;
}

kan_status kan_agree_expressions(const kan_expression *p, const kan_expression *q, size_t n_ranges,
                                 const kan_agree_range *ranges, const kan_agree_options *options,
                                 kan_agree_report *report, kan_error *error) {
    assert(p && q && report && (n_ranges == 0 || ranges));
    for (size_t k = 0; k < n_ranges; ++k)
        assert(isfinite(ranges[k].hi - ranges[k].lo) && ranges[k].lo <= ranges[k].hi &&
               "a range is finite");
    const kan_agree_options o = with_defaults(options);
    side sides[2] = {{0}, {0}};
    double *block = malloc((3 * o.n_points + n_ranges + 1) * sizeof *block);
    kan_status status = block ? KAN_OK
                              : kan_status_fail(error, KAN_ENOMEM, "no memory to compare formulas");
    if (status == KAN_OK) status = open_side(&sides[0], p, n_ranges, ranges, error);
    if (status == KAN_OK) status = open_side(&sides[1], q, n_ranges, ranges, error);
    if (status == KAN_OK) {
        double *difference = block, *reference = difference + o.n_points,
               *sorted = reference + o.n_points;
        const size_t n = compare(&sides[0], &sides[1], n_ranges, ranges, &o, difference, reference,
                                 sorted + o.n_points);
        const double worst = worst_of(n, difference, reference, sorted);
        report->n_points = n, report->worst = worst;
        report->decided = n >= o.n_least;
        report->agree = report->decided && worst <= o.tolerance;
    }
    close_side(&sides[0]);
    close_side(&sides[1]);
    free(block);
    return status;
}
