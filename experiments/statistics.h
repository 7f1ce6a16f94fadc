/* experiments/statistics.h - what may be said about two lists of numbers, one number a seed.
 *
 * Models are compared in pairs: both saw the same rows of the same seed, so what differs between the seeds
 * cancels. Errors spread over orders of magnitude, so it is their logarithms that are compared.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_EXPERIMENTS_STATISTICS_H
#define KAN_EXPERIMENTS_STATISTICS_H

#include <stddef.h>

enum { STATISTICS_MAX = 1000 }; /* values in a list */

/* The quantile q in [0, 1] of values [n], 0 < n <= STATISTICS_MAX, in any order: linear between neighbours of the
 * sorted list, the value number k of it (from 0) being the quantile k / (n - 1) (Hyndman and Fan's type 7). */
double statistics_quantile(size_t n, const double *values, double q);
double statistics_median(size_t n, const double *values);

/* exp(mean of the logarithms) of positive values; NaN for an empty list or where one is not positive. */
double statistics_geometric_mean(size_t n, const double *values);

/* Two-sided p-value of Student's test for pairs: with d = a - b, t = mean(d) sqrt(n) / sd(d) on n - 1 degrees
 * of freedom. 1 with fewer than two pairs or where all d are zero; 0 where all are the same otherwise. */
double statistics_paired_t(size_t n, const double *a, const double *b);

/* Two-sided p-value of Wilcoxon's signed-rank test. Pairs without a difference are left out, equal ones share the
 * mean of their ranks. Exact (all 2^n signs, counted by the sum of ranks) up to 50 pairs, normal with the correction
 * for ties beyond. 1 without pairs. */
double statistics_wilcoxon(size_t n, const double *a, const double *b);

/* Least-squares slope of y over x [n]; NaN where x has no spread. */
double statistics_slope(size_t n, const double *x, const double *y);

#endif
