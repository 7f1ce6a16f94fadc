/* experiments/verdict.h - what may be said about two models from their runs.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_EXPERIMENTS_VERDICT_H
#define KAN_EXPERIMENTS_VERDICT_H

#include <stddef.h>

#include "train/dataset.h"

/* Mean and standard deviation (divisor n - 1; NaN for one value) of a metric over seeds. */
typedef struct spread {
    size_t n;
    double mean, sd;
} spread;

spread spread_of(size_t n, const double *values);

/* Probability, if both families were equally good, of a difference of means at least as large as this
 * one: Welch's t-test over the seeds. For accuracies on n_test rows the variance of counting right
 * answers, p (1 - p) / n_test, is added to each mean's, since every seed is judged on the same rows. 1
 * with fewer than two seeds. */
double verdict_p_value(kan_task task, const spread *a, const spread *b, size_t n_test);

/* Writes one sentence into text [size]: a is called name_a, and so on. "Better" is said at a p-value
 * below 0.05 only. */
void verdict_write(kan_task task, const char *name_a, const spread *a, const char *name_b,
                   const spread *b, size_t n_test, char *text, size_t size);

#endif
