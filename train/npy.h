/* train/npy.h - NumPy's .npy files. Private.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_TRAIN_NPY_H
#define KAN_TRAIN_NPY_H

#include "core/status.h"
#include "train/dataset.h"

/* A two-dimensional array of numbers, rows = samples, as kan_dataset_read describes; columns have
 * numbers, no names. Format versions 1.0 to 3.0; b1, u1 to u8, i1 to i8, f4, f8, little-endian; rows or
 * columns first. 64-bit integers are rounded to doubles. */
kan_dataset *kan_npy_read(const char *path, const kan_read_options *options, kan_error *error);

#endif
