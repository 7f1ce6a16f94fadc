/* train/loss.h - what training makes small.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_TRAIN_LOSS_H
#define KAN_TRAIN_LOSS_H

#include <stddef.h>

#include "train/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* A loss is a weighted sum over samples, of which the caller chooses the scale (1 / sum of weights for
 * a mean):
 *
 *     value = scale * sum_s weight[s] * l(y_hat[s], y[s]),      dy = d(value) / d(y_hat) [batch][n_out]
 *
 * y_hat [batch][n_out]; y [batch][y_width of the data set]; weight [batch] or NULL for ones; dy may be
 * NULL and overlaps nothing. A NaN among y_hat (or the targets of a regression) makes the value NaN.
 *
 * root writes S [n_out][n_out] with S^T S = d2l/d(y_hat)2 of one sample, which Gauss-Newton steps need; it does
 * not depend on y. NULL in a loss that has none: Levenberg-Marquardt is then refused. */
typedef struct kan_loss {
    const char *name;
    double (*eval)(size_t batch, size_t n_out, const double *y_hat, const double *y,
                   const double *weight, double scale, double *dy);
    void (*root)(size_t n_out, const double *y_hat, double *S);
} kan_loss;

/* Mean squared error: l = 1/n_out * sum_o (y_hat[o] - y[o])^2, the square of the RMSE. S = sqrt(2/n_out) I. */
extern const kan_loss *const kan_loss_mse;

/* Softmax cross-entropy with the outputs as logits: l = log sum_o exp(y_hat[o]) - y_hat[class], in
 * nats, computed with the largest logit taken out so that it never overflows. y [batch] holds integers
 * 0 .. n_out-1. With p the softmax of y_hat, row o of S is sqrt(p_o) (e_o - p), e_o the unit vector. */
extern const kan_loss *const kan_loss_cross_entropy;

/* The class that logits [n_out] speak for: the largest, the first of equal ones. */
size_t kan_loss_class(size_t n_out, const double *logits);

/* The loss that belongs to a task. */
const kan_loss *kan_loss_of_task(kan_task task);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
