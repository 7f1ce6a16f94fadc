/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "experiments/statistics.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_statistics_double.h>

static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double statistics_quantile(size_t n, const double *values, double q) {
    double sorted[STATISTICS_MAX];
    assert(n > 0 && n <= STATISTICS_MAX && "a list of 1 to STATISTICS_MAX values");
    memcpy(sorted, values, n * sizeof *values);
    qsort(sorted, n, sizeof *sorted, by_size);
    return gsl_stats_quantile_from_sorted_data(sorted, 1, n, q);
}

double statistics_median(size_t n, const double *values) {
    return statistics_quantile(n, values, 0.5);
}

double statistics_geometric_mean(size_t n, const double *values) {
    double sum = 0.0;
    for (size_t j = 0; j < n; ++j) {
        if (!(values[j] > 0.0)) return (double)NAN;
        sum += log(values[j]);
    }
    return n > 0 ? exp(sum / (double)n) : (double)NAN;
}

double statistics_paired_t(size_t n, const double *a, const double *b) {
    double d[STATISTICS_MAX];
    assert(n <= STATISTICS_MAX);
    if (n < 2) return 1.0;
    for (size_t j = 0; j < n; ++j) d[j] = a[j] - b[j];
    const double mean = gsl_stats_mean(d, 1, n), sd = gsl_stats_sd_m(d, 1, n, mean);
    if (mean == 0.0) return 1.0;
    if (sd == 0.0) return 0.0;
    return 2.0 * gsl_cdf_tdist_Q(fabs(mean) * sqrt((double)n) / sd, (double)(n - 1));
}

/* ---- signed ranks ------------------------------------------------------------------------------- */

static int by_magnitude(const void *a, const void *b) {
    const double x = fabs(*(const double *)a), y = fabs(*(const double *)b);
    return (x > y) - (x < y);
}

/* Twice the ranks of |d| [n], sorted by it, so that shared ranks are whole; sum of t^3 - t over groups of t. */
static double double_ranks(size_t n, const double *d, size_t *ranks) {
    double ties = 0.0;
    for (size_t first = 0, end; first < n; first = end) {
        for (end = first + 1; end < n && fabs(d[end]) == fabs(d[first]);) ++end;
        /* ranks first + 1 .. end: their mean is (first + 1 + end) / 2 */
        for (size_t j = first; j < end; ++j) ranks[j] = first + 1 + end;
        const double t = (double)(end - first);
        ties += t * t * t - t;
    }
    return ties;
}

/* Share of the 2^n choices of signs whose sum of positive (doubled) ranks is at most `sum`. */
static double exact_below(size_t n, const size_t *ranks, size_t sum) {
    enum { MOST = 50 * 51 + 1 };
    double share[MOST] = {1.0}; /* of the choices so far, by sum */
    size_t top = 0;
    for (size_t j = 0; j < n; ++j) {
        top += ranks[j];
        for (size_t s = top + 1; s-- > 0;)
            share[s] = 0.5 * (share[s] + (s >= ranks[j] ? share[s - ranks[j]] : 0.0));
    }
    double below = 0.0;
    for (size_t s = 0; s <= sum && s <= top; ++s) below += share[s];
    return below;
}

double statistics_wilcoxon(size_t n, const double *a, const double *b) {
    enum { MOST_EXACT = 50 };
    double d[STATISTICS_MAX];
    size_t ranks[STATISTICS_MAX], m = 0, plus = 0, all = 0;
    assert(n <= STATISTICS_MAX);
    for (size_t j = 0; j < n; ++j)
        if (a[j] != b[j]) d[m++] = a[j] - b[j];
    if (m == 0) return 1.0;
    qsort(d, m, sizeof *d, by_magnitude);
    const double ties = double_ranks(m, d, ranks);
    for (size_t j = 0; j < m; ++j) {
        all += ranks[j];
        if (d[j] > 0.0) plus += ranks[j];
    }
    const size_t smaller = plus < all - plus ? plus : all - plus;
    double p;
    if (m <= MOST_EXACT) {
        p = 2.0 * exact_below(m, ranks, smaller);
    } else {
        const double k = (double)m, mean = k * (k + 1.0) / 4.0;
        const double variance = k * (k + 1.0) * (2.0 * k + 1.0) / 24.0 - ties / 48.0;
        p = 2.0 * gsl_cdf_ugaussian_P((0.5 * (double)smaller - mean) / sqrt(variance));
    }
    return p < 1.0 ? p : 1.0;
}

double statistics_slope(size_t n, const double *x, const double *y) {
    const double mean_x = gsl_stats_mean(x, 1, n), mean_y = gsl_stats_mean(y, 1, n);
    double xx = 0.0, xy = 0.0;
    for (size_t j = 0; j < n; ++j) {
        xx += (x[j] - mean_x) * (x[j] - mean_x);
        xy += (x[j] - mean_x) * (y[j] - mean_y);
    }
    return n > 1 && xx > 0.0 ? xy / xx : (double)NAN;
}
