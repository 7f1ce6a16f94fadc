/* train/metric.h - how good predictions are, in the words people publish.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_TRAIN_METRIC_H
#define KAN_TRAIN_METRIC_H

#include <stddef.h>

#include "train/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* The first three for regression, over all samples and outputs; the others for classification. What
 * does not apply is NaN, and all are where a prediction is NaN. Weighted by the data set's weights
 * where it has them. */
typedef struct kan_metric {
    double rmse; /* sqrt(mean (y_hat - y)^2)                                                          */
    double mae;  /* mean |y_hat - y|                                                                  */
    double r2;   /* 1 - sum (y_hat - y)^2 / sum (y - mean y)^2, mean per output; NaN without spread   */
    double accuracy; /* share of samples whose largest logit is their class (the first of equal ones) */
    double macro_f1; /* mean over the classes that occur in y or y_hat of 2 TP / (2 TP + FP + FN) */
    double cross_entropy; /* mean of kan_loss_cross_entropy, in nats */
} kan_metric;

/* Of predictions y_hat [n][n_out] against the targets of d, n = d->n samples; n > 0. Macro F1 allocates
 * nothing: it takes counts [3][n_out] of the caller's as scratch (may be NULL for regression). */
kan_metric kan_metric_eval(const kan_dataset *d, const double *y_hat, double *counts);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
