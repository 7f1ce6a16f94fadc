/* experiments/bench_tasks.h - whole trainings, with the library's trainer, as a user would write them.
 *
 * Seconds are CPU seconds of the process in the steps of the trainer: gathering of the mini-batch, gradient
 * and optimizer. Reading, scaling and looks at the test rows do not count.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_EXPERIMENTS_BENCH_TASKS_H
#define KAN_EXPERIMENTS_BENCH_TASKS_H

#include "core/model.h"
#include "experiments/bench.h"
#include "train/dataset.h"

enum { BENCH_MAX_EPOCHS = 30, BENCH_MAX_SEEDS = 3 };

/* How a KAN and an MLP [n_in, hidden, classes] are trained on classes, both with Adam and a cosine. */
typedef struct bench_classes {
    const char *name;
    size_t hidden, n_cells, batch, epochs, seeds;
    double kan_rate, mlp_rate;
    kan_precision precision;
    double lo, hi; /* the KAN's grids: where the inputs are */
} bench_classes;

/* Trains both, epoch by epoch in turn so that noise hits both, and adds the task to the record. 0, or 1 after one
 * line on stderr. */
int bench_classify(const bench *b, const bench_classes *recipe, const kan_dataset *train,
                   const kan_dataset *test);

/* Determinants of random 4x4 matrices: CPU seconds until predictions of other rows correlate with the truth.
 * As above. */
int bench_det4(const bench *b);

#endif
