/* train/search.h - the best model that a number of starts, refinements and a time budget can find.
 *
 * One search is a sequence of stages, each the training of one model by kan_trainer on the rows to fit,
 * judged on the validation rows. In order:
 *
 *     starts    `starts` models from random starts, as coarse as they come. After each round the better half
 *               of them stays and trains on, for twice as many steps, until `survivors` are left
 *               (successive halving: Jamieson and Talwalkar, AISTATS 2016).
 *     ladder    every survivor in every variant that the family knows. In each round a model is refined and
 *               trained, and the better half stays, until one is left, which goes on alone. A model leaves
 *               that cannot be refined or that two rounds in a row did not improve. A family whose models
 *               cannot be refined trains them on instead.
 *     all rows  the best model of all stages trains on, on all rows: for as many steps as had been best with
 *               the rows to fit; from where that stage had begun if it was stopped because the validation
 *               rows grew worse, which training on would only repeat.
 *
 * With time left, starts and ladder are repeated with new starts (a generation) before the last stage.
 *
 * A search knows no model: a family says how one is started, refined and freed. The KAN's is in
 * kan/ladder.h, the MLP's in mlp/restart.h.
 *
 * The clock decides how many steps are taken, and how many stages; all else follows from data, options and
 * seed. The record says how many, and a search that is given it as `replay` repeats it to the bit.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_TRAIN_SEARCH_H
#define KAN_TRAIN_SEARCH_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/model.h"
#include "core/snapshot.h"
#include "core/status.h"
#include "train/dataset.h"
#include "train/trainer.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* What a search must know of a kind of model. `self` is the family's own configuration. Functions that make
 * a model put a new one into *made. KAN_ENOMEM, KAN_ENONFINITE: the model is dropped. */
typedef struct kan_search_family {
    /* Start number `number` of `seed`, in that generation, placed so that the inputs of d make use of it. */
    kan_status (*start)(const void *self, uint64_t seed, uint64_t number, size_t generation,
                        const kan_dataset *d, kan_model **made, kan_error *error);
    /* Variants of one start, at least 1; and variant 0 .. of a model. NULL: one, the model itself. */
    size_t (*n_variants)(const void *self);
    kan_status (*vary)(const void *self, const kan_model *m, size_t variant, const kan_dataset *d,
                       kan_model **made, kan_error *error);
    /* A finer model of the same function; *made = NULL when there is none. NULL: there never is one. */
    kan_status (*refine)(const void *self, const kan_model *m, const kan_dataset *d, kan_model **made,
                         kan_error *error);
    kan_model *(*copy)(const kan_model *m); /* NULL without memory */
    /* A model from a file in which it was saved (kan_model_add_to); NULL and error. NULL: a search cannot be
     * loaded. What `self` asks for beyond that is set anew. */
    kan_model *(*load)(const void *self, const kan_file *file, kan_error *error);
    /* Adapts a model to data before it is trained on, where that is needed. May be NULL. */
    kan_status (*settle)(const void *self, kan_model *m, const kan_dataset *d, kan_error *error);
    /* Numbers that the record shows of a model: cells and degree of a KAN's grids. NULL: none. */
    void (*describe)(const kan_model *m, size_t *n_cells, size_t *degree);
    void (*release)(kan_model *m);
} kan_search_family;

/* The parts of a search, in their order. */
typedef enum kan_search_phase {
    KAN_SEARCH_STARTS = 0,
    KAN_SEARCH_LADDER,
    KAN_SEARCH_ALL,
    KAN_SEARCH_DONE
} kan_search_phase;

/* What happened in one stage. Errors are in the units of the data sets given: RMSE for regression,
 * cross-entropy for classification. */
typedef struct kan_search_stage {
    kan_search_phase phase;
    size_t generation, start; /* start: its number, counted over all generations                   */
    size_t variant;           /* 0 in the phase of the starts                                      */
    size_t parent;            /* stage that its model comes from; SIZE_MAX for a new start         */
    size_t n_cells, degree;   /* as the family describes it; 0 where it does not                   */
    size_t parameters;        /* trainable ones                                                    */
    size_t steps, best_step, evaluations; /* of the trainer                                        */
    double train;        /* on the rows that were trained on                                  */
    double validation;   /* NaN in the phase of all rows                                      */
    double seconds;      /* CPU seconds since the search began, at the end of the stage       */
    kan_outcome outcome; /* of the training                                                   */
} kan_search_stage;

/* Every zero means the default in brackets. */
typedef struct kan_search_options {
    kan_train_options
        train; /* of every stage; data, steps, seconds, patience and stop are the search's own. With a meter
                  all seconds of the search are counted ones, so that no clock has a part in what it does */
    const kan_dataset *all; /* rows of the last stage; kept, not copied  [NULL: there is none]     */
    size_t starts;          /* of a generation  [12]                                               */
    size_t survivors;       /* that begin the ladder  [2]                                          */
    size_t round_steps;     /* of a start in the first round  [LM 10, L-BFGS 40]                   */
    size_t rung_steps;      /* at most, of a model on a rung of the ladder  [LM 60, L-BFGS 300]    */
    size_t patience;        /* of a rung  [LM 6, L-BFGS 50]                                       */
    size_t generations;     /* at most  [1 without a clock, any number with one]                   */
    double seconds;         /* CPU seconds for the whole search  [no limit]                        */
    uint64_t seed;
    const kan_search_stage
        *replay; /* [n_replay] the record to be repeated, seconds then being ignored */
    size_t n_replay;
    const volatile sig_atomic_t *stop; /* ends the search in good order when it becomes non-zero   */
    /* Called before every step of every training, where the search can be saved  [NULL] */
    void (*between)(void *context);
    void *context;
} kan_search_options;

typedef struct kan_search_state kan_search_state; /* private */

/* A search under way; the caller reads it between steps. */
typedef struct kan_search {
    const kan_search_stage *stages; /* [n_stages], the record so far                              */
    size_t n_stages;
    size_t best;            /* the stage whose model is the best one so far; SIZE_MAX: none        */
    kan_search_phase phase; /* of the next stage                                                   */
    const kan_model *model; /* that of the last step's stage, until the next step; NULL: it had none */
    kan_search_state *state;
} kan_search;

/* Keeps everything it is given, which must outlive it. Neither data set is empty. The optimizer is L-BFGS
 * or Levenberg-Marquardt. NULL: KAN_ENOMEM. */
kan_search *kan_search_alloc(const kan_search_family *family, const void *self, const kan_dataset *fit,
                             const kan_dataset *validation, const kan_search_options *options,
                             kan_error *error);
void kan_search_free(kan_search *s);

/* One stage. Does nothing once the phase is KAN_SEARCH_DONE. A model that diverges is left out of the search,
 * which fails only where no start is left: KAN_ENONFINITE. KAN_ENOMEM. After *stop is set, or the time is used
 * up, the stage comes to its end and the search is done, but for the last stage in the case of time. */
kan_status kan_search_step(kan_search *s, kan_error *error);

/* The best model: that of the last stage on all rows, or else that of stage `best`. The caller frees it as
 * the family does; NULL when there is none yet. The search can then only be looked at and freed. */
kan_model *kan_search_take(kan_search *s);

/* The whole search, also in the midst of a training (from `between`): loaded into a new one that was made with the same
 * arguments it goes on to the same bits, the clock from where it was. */
void kan_search_snapshot(kan_search *search, kan_snapshot *s);

/* What a replay needs of a record, 5 numbers a stage: phase, generation, start, variant, steps. To numbers, or, where
 * `back`, from them; false where they are none. */
enum { KAN_SEARCH_REPLAY_NUMBERS = 5 };
bool kan_search_replay_numbers(size_t n, kan_search_stage *stages, double *numbers, bool back);

/* Steps until done. NULL as above; where the search ended with *record not NULL, it receives the stages
 * [*n_stages], to be freed with free. */
kan_model *kan_search_fit(const kan_search_family *family, const void *self, const kan_dataset *fit,
                          const kan_dataset *validation, const kan_search_options *options,
                          kan_search_stage **record, size_t *n_stages, kan_error *error);

/* "starts", "ladder", "all rows", "done" */
const char *kan_search_phase_name(kan_search_phase phase);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
