/* experiments/effort.h - one configuration with all its starts and stages within a time budget (--effort):
 * train/search.h under the rules of experiments/protocol.h, the same for KAN and MLP.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_EXPERIMENTS_EFFORT_H
#define KAN_EXPERIMENTS_EFFORT_H

#include "experiments/options.h"
#include "experiments/protocol.h"

/* Refuses options that do not go with --effort, or that go with it alone. 0, or the exit status after one line
 * on stderr. */
int effort_check(const options *o);

/* Makes the candidate's training one of --effort: optimizer, ladder and degrees from the options; what they leave
 * open is the same for every shape and all data. */
void effort_make(const options *o, candidate *c);

/* How long a search may take, by the clock or in counted stages and steps; every zero means the default of
 * train/search.h. Without seconds the same data, options and seed give the same bits, however fast the machine. */
typedef struct effort_limits {
    double seconds; /* CPU */
    size_t starts, round_steps, rung_steps, generations;
} effort_limits;

/* Searches within the limits and ends with a model that was trained on all rows. The validation metric is
 * from before that; the stages on the way to the model have metrics of the rows to fit (of all rows in the last
 * stage) and of `test`, which decide nothing. On interruption the best result so far is returned. KAN_ENOMEM,
 * KAN_ENONFINITE. */
kan_status effort_train(const candidate *c, const problem *p, const kan_dataset *test, uint64_t seed,
                        const effort_limits *limits, const volatile sig_atomic_t *stop, progress *show,
                        trained *out, kan_error *error);

#endif
