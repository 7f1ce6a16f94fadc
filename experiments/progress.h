/* experiments/progress.h - one line on the terminal that says how far a training is.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_EXPERIMENTS_PROGRESS_H
#define KAN_EXPERIMENTS_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "train/trainer.h"

/* What is told of every step of a training. Open; it owns nothing. The line is shown only where stderr is a terminal, at most ten times a second. */
typedef struct progress {
    bool shown; /* stderr is a terminal */
    bool dirty; /* there is a line to be wiped */
    char what[64];
    double started, last;          /* wall-clock seconds */
    struct checkpoint *checkpoint; /* that is told of every step as well, or NULL; of kan train */
} progress;

/* Every function takes NULL for "nobody looks". */
void progress_start(progress *p, const char *what);
void progress_step(progress *p, const kan_report *report, size_t steps);
void progress_end(progress *p); /* wipes the line */

#endif
