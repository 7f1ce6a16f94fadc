/* train/scaler.h - standardisation: learned on training rows, undone on outputs.
 *
 *     x' = (x - x_mean) / x_scale        y' = (y - y_mean) / y_scale
 *
 * with means and standard deviations (divisor n, weighted where there are weights) of each column. A
 * column without spread gets scale 1. Classes and bytes (images) are not scaled.
 *
 * Inputs may also be kept from running away: with a tail > 0, x' beyond it goes on as a logarithm,
 *
 *     x'' = sign(x') (tail + log(1 + |x'| - tail))   for |x'| > tail,
 *
 * which is monotone, smooth to the first derivative, and leaves all other values as they are. Without
 * it a few extreme rows stretch a KAN's grid over a range where nothing else tells its splines what to
 * do.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_TRAIN_SCALER_H
#define KAN_TRAIN_SCALER_H

#include <stddef.h>

#include "core/file.h"
#include "core/status.h"
#include "train/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Means and scales of columns, as learned from training rows. */
typedef struct kan_scaler {
    size_t n_in, n_y;         /* columns scaled; 0 for bytes, and for classes */
    double *x_mean, *x_scale; /* [n_in] */
    double *y_mean, *y_scale; /* [n_y]  */
    double x_tail;            /* 0: none. Set by whoever wants one, before anything is scaled */
} kan_scaler;

/* Learns from the rows of d. NULL when memory is short. */
kan_scaler *kan_scaler_alloc(const kan_dataset *d);
void kan_scaler_free(kan_scaler *s);

/* Standardises inputs and targets of d in place; d has the columns the scaler learned from. */
void kan_scaler_apply(const kan_scaler *s, kan_dataset *d);

/* Brings predictions y [n][n_y] back to the units of the data, in place. Nothing for classes. */
void kan_scaler_undo(const kan_scaler *s, size_t n, double *y);

/* Into a model file, and back. NULL: KAN_EFORMAT, KAN_ENOMEM. */
kan_status kan_scaler_save(const kan_scaler *s, kan_file *file, kan_error *error);
kan_scaler *kan_scaler_load(const kan_file *file, kan_error *error);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
