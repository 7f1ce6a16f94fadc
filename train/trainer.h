/* train/trainer.h - moves the parameters of a model until a data set is described well.
 *
 * The caller owns the loop (GSL's initialise, iterate, test):
 *
 *     kan_trainer *t = kan_trainer_alloc(model, data, &options, &error);
 *     while (status == KAN_OK && t->report.outcome == KAN_RUNNING) status = kan_trainer_step(t, &error);
 *     kan_trainer_finish(t);
 *
 * which is all that kan_trainer_fit does. What a KAN wants between steps (a moved grid, a pruned edge)
 * is plain code in that loop, followed by kan_trainer_reset.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_TRAIN_TRAINER_H
#define KAN_TRAIN_TRAINER_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

#include "core/meter.h"
#include "core/model.h"
#include "core/snapshot.h"
#include "core/status.h"
#include "train/dataset.h"
#include "train/loss.h"
#include "train/metric.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* What moves the parameters. */
typedef enum kan_optimizer { KAN_LBFGS = 0, KAN_ADAM, KAN_LM } kan_optimizer;
/* How the rate of Adam falls. */
typedef enum kan_schedule { KAN_COSINE = 0, KAN_CONSTANT } kan_schedule;

/* Every zero means the default in brackets. */
typedef struct kan_train_options {
    kan_optimizer optimizer; /* L-BFGS, LM: all rows every step; Adam: a mini-batch  [KAN_LBFGS]      */
    const kan_loss *loss; /* [the loss of the data set's task]                                       */
    const kan_dataset *validation; /* rows to stop by; kept, not copied  [NULL] */
    size_t steps;       /* at most  [L-BFGS, LM 100, Adam 1000]                                    */
    size_t evaluations; /* L-BFGS, LM: stop when that many evaluations were made  [no limit]        */
    double seconds;     /* CPU seconds of the process that training may take  [no limit]           */
    kan_meter *
        meter; /* counts the steps, and is kept: seconds are then counted ones, and training ends when it is over [NULL] */
    size_t
        check_every; /* steps between looks at the validation rows  [L-BFGS, LM 1, Adam an epoch]   */
    size_t patience; /* looks without improvement after which training stops  [never]           */
    size_t batch;    /* Adam: rows a step  [64, or all rows where there are fewer]              */
    double rate;     /* Adam  [1e-3]                                                            */
    kan_schedule schedule; /* Adam: rate * (1 + cos(pi t/steps))/2, or constant  [KAN_COSINE]         */
    double weight_decay;   /* Adam, decoupled  [0]                                                    */
    double penalty;        /* weight of the model's own penalty  [0]                                  */
    size_t history;        /* L-BFGS pairs  [10]                                                      */
    uint64_t seed;         /* order of the mini-batches                                               */
    const volatile sig_atomic_t
        *stop; /* training ends in good order when it becomes non-zero  [NULL]        */
} kan_train_options;

/* Whether a training goes on, or why it ended. */
typedef enum kan_outcome {
    KAN_RUNNING = 0,
    KAN_STEPS_USED, /* steps, evaluations or seconds are used up                       */
    KAN_CONVERGED,  /* the gradient is zero to rounding                                */
    KAN_STALLED,    /* no step makes the loss smaller: rounding                        */
    KAN_PATIENCE,   /* the validation rows stopped improving                           */
    KAN_STOPPED,    /* *stop was set, or the meter is over                             */
    KAN_DIVERGED    /* a numerical fault, see kan_trainer_step                         */
} kan_outcome;

/* How a training went, as of its last step. */
typedef struct kan_report {
    size_t steps, evaluations; /* evaluations: losses with gradients, of a mini-batch or of all rows;
                                  LM: losses, and losses with Gauss-Newton matrices                 */
    size_t best_step;          /* step whose parameters are kept                                    */
    double loss;               /* of the last step (Adam: of its mini-batch)                        */
    double validation;         /* last loss on the validation rows; NaN without                     */
    double best;               /* smallest validation loss; smallest training loss without          */
    double gradient_norm;      /* Euclidean, last                                                   */
    size_t singular;           /* LM: factorisations that failed, after which the damping grew      */
    double seconds;            /* CPU seconds in training so far; with a meter counted ones         */
    double wall_seconds;
    kan_outcome outcome;
} kan_report;

/* One line of the history. */
typedef struct kan_record {
    size_t step, evaluations;
    double loss, validation, seconds; /* validation: NaN where it was not looked at */
} kan_record;

typedef struct kan_trainer_state kan_trainer_state; /* private */

/* A training under way; the caller reads it between steps. */
typedef struct kan_trainer {
    kan_report report;         /* read it after any step                        */
    const kan_record *history; /* [history_length], one a step                  */
    size_t history_length;
    kan_trainer_state *state;
} kan_trainer;

/* Keeps model and data (and options->validation), which must outlive it. The data have the model's n_in
 * and n_out. All memory a step needs is allocated here. NULL: KAN_ENOMEM, KAN_ECONFIG (Levenberg-Marquardt
 * with a loss that has no Gauss-Newton form). */
kan_trainer *kan_trainer_alloc(kan_model *m, const kan_dataset *data, const kan_train_options *options,
                               kan_error *error);
void kan_trainer_free(kan_trainer *t);

/* One step, a line of history and, when it is due, a look at the validation rows; allocates nothing.
 * Does nothing once the outcome is no longer KAN_RUNNING. KAN_ENONFINITE, with the outcome KAN_DIVERGED, when
 * the loss, its gradient, a parameter or the matrix of LM is not finite, or a training by Adam ends with a loss a
 * thousand times as large as at its start and as that of predicting zero. The message says which; the parameters are
 * then the best finite ones, those of step report.best_step (0: those it began with). */
kan_status kan_trainer_step(kan_trainer *t, kan_error *error);

/* Forget what the optimizer remembers, and the best parameters (their meaning changed): to be called
 * after theta, its meaning (a grid) or its trainable entries were changed from outside. */
void kan_trainer_reset(kan_trainer *t);

/* Puts the best parameters into the model: best on the validation rows, or, without these, the last
 * ones of Adam, and of L-BFGS and LM, whose loss never rises. */
void kan_trainer_finish(kan_trainer *t);

/* All that a trainer is between two steps but the model, whose parameters (and grids) are saved by whoever owns it:
 * loaded into a trainer that was made with the same options on the same data and that model, training goes on to the same
 * bits. The clocks go on from where they were. */
void kan_trainer_snapshot(kan_trainer *t, kan_snapshot *s);
void kan_trainer_snapshot_report(kan_report *report, kan_snapshot *s);

/* alloc, step until done, finish, free; report may be NULL. */
kan_status kan_trainer_fit(kan_model *m, const kan_dataset *data, const kan_train_options *options,
                           kan_report *report, kan_error *error);

/* Predictions y_hat [d->n][n_out] of all rows, in blocks. KAN_ENOMEM, KAN_ENONFINITE. */
kan_status kan_trainer_predict(const kan_model *m, const kan_dataset *d, double *y_hat,
                               kan_error *error);

/* Metrics of all rows in the units of d. KAN_ENOMEM, KAN_ENONFINITE. */
kan_status kan_trainer_evaluate(const kan_model *m, const kan_dataset *d, kan_metric *metric,
                                kan_error *error);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
