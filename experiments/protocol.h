/* experiments/protocol.h - the rules under which every model is trained and judged, KAN and MLP alike.
 *
 * The training rows are split once, by the seed of the data: four fifths to fit, one fifth to validate.
 * Scaling is learned on the rows to fit. A candidate is trained on these, looks at the validation rows
 * to keep its best parameters, and is judged in the units of the data. Test rows are looked at once, by
 * whoever calls problem_test.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_EXPERIMENTS_PROTOCOL_H
#define KAN_EXPERIMENTS_PROTOCOL_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/snapshot.h"
#include "core/status.h"
#include "kan/ladder.h"
#include "kan/net.h"
#include "mlp/mlp.h"
#include "train/dataset.h"
#include "train/metric.h"
#include "train/scaler.h"
#include "train/trainer.h"

typedef enum family { FAMILY_KAN = 0, FAMILY_MLP, N_FAMILIES } family;

/* One configuration: a shape and a recipe. Seeds are filled in when it is trained. */
typedef struct candidate {
    family family;
    kan_net_config net;      /* when it is a KAN */
    kan_mlp_config mlp;      /* when it is an MLP */
    kan_train_options train; /* data, validation, seed and stop are filled in by protocol_train */
    size_t grid_updates; /* KAN: times the grids are moved to the data in the first third of the steps,
                            the first time before the first step; 0: grids stay as configured */
    bool has_penalty;    /* KAN: train.penalty is the weight of this, not of roughness alone */
    kan_penalty penalty;
    double grid_eps; /* KAN: share of the uniform grid in a moved one (kan/grid.h) */
    kan_ladder_config
        ladder; /* KAN with --effort; of its net the degree alone counts, that of the starts */
    const kan_search_stage *replay; /* [n_replay] with --effort: the search to be repeated; borrowed */
    size_t n_replay;
} candidate;

/* A data set made ready: scaled parts, and the scaler that undoes it. Owns all of it. */
typedef struct problem {
    kan_dataset *all;        /* the training rows, scaled         */
    kan_dataset *fit;        /* four fifths of them, scaled       */
    kan_dataset *validation; /* the other fifth, scaled           */
    kan_dataset *held;       /* the same fifth as it was read     */
    kan_scaler *scaler;
} problem;

/* One of the stages that led to a model (experiments/effort.h). */
enum { TRAINED_MAX_STAGES = 32 };
typedef struct trained_stage {
    const char *phase;             /* "starts", "ladder", "all rows"           */
    size_t n_cells, degree, steps; /* the first two 0 for an MLP               */
    kan_metric train, test;        /* in the units of the data                 */
    double seconds;                /* since the search began, at its end       */
} trained_stage;

/* A part of the steps of a training, each longer than the one before: where it ended, and what was seen there. */
enum { TRAINED_MAX_POINTS = 60 };
typedef struct trained_point {
    size_t step;
    double loss, validation,
        seconds; /* loss: mean over the part; validation: the last look, NaN without one */
} trained_point;

/* A trained model and how it went. Owns net or mlp. */
typedef struct trained {
    candidate candidate;
    uint64_t seed;
    kan_net *net; /* one of the two */
    kan_mlp *mlp;
    kan_model *model; /* that of net or mlp */
    size_t parameters;
    kan_report report;
    kan_metric validation; /* in the units of the data */
    kan_metric test;       /* NaN until somebody looks */
    double seconds, wall_seconds;
    size_t n_stages; /* 0 without --effort */
    trained_stage stages[TRAINED_MAX_STAGES];
    size_t
        n_points; /* of the training that validates; 0 with --effort and of what was read from a file */
    trained_point points[TRAINED_MAX_POINTS];
    size_t n_record;          /* all stages of the search; 0 without --effort        */
    kan_search_stage *record; /* [n_record], owned; freed with the model             */
} trained;

const char *family_name(family f); /* "kan", "mlp" */

/* Splits and scales a copy of the training rows. KAN_ENOMEM; KAN_EFORMAT with fewer than 5 rows. */
kan_status problem_make(const kan_dataset *train, uint64_t seed, problem *p, kan_error *error);
void problem_free(problem *p);

/* Metrics of a model on raw rows d (units of the data). KAN_ENOMEM, KAN_ENONFINITE. */
kan_status problem_evaluate(const problem *p, const kan_model *m, const kan_dataset *d,
                            kan_metric *metric, kan_error *error);

/* The same for rows that are scaled already, those of a problem. */
kan_status problem_evaluate_scaled(const problem *p, const kan_model *m, const kan_dataset *d,
                                   kan_metric *metric, kan_error *error);

/* Called after every step of a training for progress; may be NULL. */
typedef struct progress progress;

/* Trains one candidate with one seed (L-BFGS, which has no schedule, is also stopped by the clock): model made, grids moved to the data (KAN), trained, best
 * parameters kept, judged on the validation rows. `seconds` > 0 lets a clock decide how many steps are
 * taken (train.steps is then ignored unless it is smaller); the number is in out->report.steps. On
 * interruption (*stop) the result so far is returned. KAN_ENOMEM. KAN_ENONFINITE: out is the best that there was
 * before the fault, for the caller to free, or has no model where that is what the training began with. */
kan_status protocol_train(const candidate *c, const problem *p, uint64_t seed, double seconds,
                          const volatile sig_atomic_t *stop, progress *show, trained *out,
                          kan_error *error);

/* Trains the same model again, from the same start, on all training rows: as many passes over the rows
 * as the best look at the validation rows had come after. With Levenberg-Marquardt, whose path turns on the
 * rows, from where the first training had ended instead. The validation metric stays that of the first
 * training; seconds, steps and evaluations add up. On interruption the model is left as it was. As
 * above. */
kan_status protocol_refit(trained *t, const problem *p, progress *show, kan_error *error);

/* Whether a is better than b on validation rows: a smaller RMSE; more right answers, and of equally many the surer
 * ones. */
bool protocol_is_better(kan_task task, const kan_metric *a, const kan_metric *b);

void trained_free(trained *t);

/* A trained model or none, to a file and back; into a t whose candidate is the one that was trained, but for what
 * trainings change in it, and whose pointers are the caller's. */
void trained_snapshot(trained *t, kan_snapshot *s);

/* Metrics, to a file and back. */
void protocol_snapshot_metric(kan_metric *m, kan_snapshot *s, const char *name);

#endif
