/* train/idx.h - IDX files, the format of MNIST. Private.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_TRAIN_IDX_H
#define KAN_TRAIN_IDX_H

#include "core/status.h"
#include "train/dataset.h"

/* "images:labels", unsigned bytes [n][...] and [n], as kan_dataset_read describes; the first colon
 * divides. The bytes of the images are kept. Classes are 0 to the highest label, by the names "0", "1",
 * .. . With target_optional there may be nothing behind the colon. */
kan_dataset *kan_idx_read(const char *paths, const kan_read_options *options, kan_error *error);

#endif
