/* experiments/checkpoint.h - the state of `kan train` in a file, so that a run that was killed goes on.
 *
 * A training is nested: the whole command, the run of one seed, the training (or search) in it. Each of these levels has
 * one function that names its state (core/snapshot.h) and enters itself when it begins:
 *
 *     checkpoint_enter(c, "run", snapshot_run, &run, error);   reads its state where the run is resumed
 *     ..                                                       checkpoint_step(c) between two steps, inside
 *     checkpoint_leave(c);
 *
 * A checkpoint is what all levels say one after the other, in the layout of a model file (core/file.h). Beside it stand
 * the texts "checkpoint" (the version, "1"), "recipe" (options_recipe), "kan.isa" and "kan.program_version".
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_EXPERIMENTS_CHECKPOINT_H
#define KAN_EXPERIMENTS_CHECKPOINT_H

#include <signal.h>
#include <stdbool.h>

#include "core/snapshot.h"
#include "experiments/options.h"

enum { CHECKPOINT_LEVELS = 3 };

typedef void checkpoint_snapshot(void *context, kan_snapshot *s);

typedef struct checkpoint {
    const char *path;           /* where to, or NULL                                             */
    double every, last;         /* wall-clock seconds                                            */
    volatile sig_atomic_t stop; /* the training is to end: it was asked to, and the state is safe */
    bool failed;                /* the last attempt to write failed                              */
    char *recipe;               /* of this command line                                          */
    const char *from;           /* --resume                                                      */
    kan_file *resumed;          /* what was read from there, until the innermost level has it    */
    size_t n_levels;
    struct {
        const char *name;
        checkpoint_snapshot *snapshot;
        void *context;
    } levels[CHECKPOINT_LEVELS];
} checkpoint;

/* Reads the file of --resume, which must be of this recipe. 0, or the exit status after one line on stderr. c is to be
 * ended in any case. */
int checkpoint_begin(checkpoint *c, const options *o);
void checkpoint_end(checkpoint *c);

/* From here on all functions take NULL for "no checkpoints". */

/* Whether levels that enter read their state; until the innermost one says that it has. */
bool checkpoint_resuming(const checkpoint *c);
void checkpoint_arrived(checkpoint *c);

/* KAN_ENOMEM, KAN_EFORMAT, KAN_ECONFIG where the state cannot be read. To be left in any case. */
kan_status checkpoint_enter(checkpoint *c, const char *name, checkpoint_snapshot *snapshot,
                            void *context, kan_error *error);
void checkpoint_leave(checkpoint *c);

/* Between two steps: writes when the time has come, and once more before the training ends on a signal. A file that
 * cannot be written is a warning, the one before it stays, and the training goes on. */
void checkpoint_step(checkpoint *c);

#endif
