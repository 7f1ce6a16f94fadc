/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "experiments/verdict.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_statistics_double.h>

static const double significance = 0.05;

/* A power of two near v, by which numbers are divided before they are squared: exact, and no square overflows. */
static double unit_near(double v) {
    return isfinite(v) && v != 0.0 ? ldexp(1.0, ilogb(v)) : 1.0;
}

spread spread_of(size_t n, const double *values) {
    spread s = {.n = n, .mean = gsl_stats_mean(values, 1, n), .sd = (double)NAN};
    const double unit = unit_near(s.mean);
    double sum = 0.0;
    for (size_t j = 0; j < n; ++j) {
        const double d = values[j] / unit - s.mean / unit;
        sum += d * d;
    }
    if (n > 1) s.sd = unit * sqrt(sum / (double)(n - 1));
    return s;
}

/* Variance of a mean, and the part of it that comes from the seeds. */
static double variance_of_mean(kan_task task, const spread *s, size_t n_test, double *from_seeds) {
    *from_seeds = s->sd * s->sd / (double)s->n;
    const double counting = task == KAN_CLASSIFICATION ? s->mean * (1.0 - s->mean) / (double)n_test
                                                       : 0.0;
    return *from_seeds + counting;
}

static spread in_unit(const spread *s, double unit) {
    return (spread){.n = s->n, .mean = s->mean / unit, .sd = s->sd / unit};
}

double verdict_p_value(kan_task task, const spread *of_a, const spread *of_b, size_t n_test) {
    const double unit = task == KAN_CLASSIFICATION ? 1.0 : unit_near(fmax(of_a->mean, of_b->mean));
    const spread in_a = in_unit(of_a, unit), in_b = in_unit(of_b, unit), *a = &in_a, *b = &in_b;
    if (a->n < 2 || b->n < 2) return 1.0;
    double seeds_a, seeds_b;
    const double variance = variance_of_mean(task, a, n_test, &seeds_a) +
                            variance_of_mean(task, b, n_test, &seeds_b);
    const double difference = fabs(a->mean - b->mean);
    if (difference == 0.0) return 1.0;
    if (variance == 0.0) return 0.0;
    /* Welch and Satterthwaite; counting right answers has as many degrees of freedom as one likes */
    const double squares = seeds_a * seeds_a / (double)(a->n - 1) +
                           seeds_b * seeds_b / (double)(b->n - 1);
    const double t = difference / sqrt(variance);
    if (squares == 0.0) return 2.0 * gsl_cdf_ugaussian_Q(t);
    return 2.0 * gsl_cdf_tdist_Q(t, variance * variance / squares);
}

void verdict_write(kan_task task, const char *name_a, const spread *a, const char *name_b,
                   const spread *b, size_t n_test, char *text, size_t size) {
    const bool larger_wins = task == KAN_CLASSIFICATION;
    const bool a_ahead = larger_wins ? a->mean >= b->mean : a->mean <= b->mean;
    const spread *ahead = a_ahead ? a : b, *behind = a_ahead ? b : a;
    const char *first = a_ahead ? name_a : name_b, *second = a_ahead ? name_b : name_a;
    const double p = verdict_p_value(task, a, b, n_test);
    const char *metric = larger_wins ? "accuracy" : "RMSE";
    char gap[64];
    if (larger_wins)
        snprintf(gap, sizeof gap, "%.2f points", 100.0 * (ahead->mean - behind->mean));
    else if (ahead->mean > 0.0 && behind->mean / ahead->mean >= 2.0)
        snprintf(gap, sizeof gap, "a factor of %.3g", behind->mean / ahead->mean);
    else
        snprintf(gap, sizeof gap, "%.1f %%", 100.0 * (1.0 - ahead->mean / behind->mean));

    if (a->n < 2 || b->n < 2)
        snprintf(
            text, size,
            "the %s is ahead of the %s by %s in test %s, but one seed says nothing about the spread",
            first, second, gap, metric);
    else if (p < significance)
        snprintf(text, size, "the %s is better than the %s by %s in test %s (p = %.2g over %zu seeds)",
                 first, second, gap, metric, p, ahead->n);
    else
        snprintf(text, size,
                 "no clear difference: the %s is ahead of the %s by %s in test %s, within the spread "
                 "(p = %.2g)",
                 first, second, gap, metric, p);
}
