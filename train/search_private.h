/* train/search_private.h - private: what a search is made of, for train/search.c (rounds, from one to the next) and
 * train/search_stage.c (the time, and one training).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_TRAIN_SEARCH_PRIVATE_H
#define KAN_TRAIN_SEARCH_PRIVATE_H

#include "train/search.h"

/* A model on its way. */
typedef struct member {
    kan_model *model;
    size_t start, variant, stage; /* the last stage; SIZE_MAX: none                       */
    double validation, least;     /* of the last stage, and of all                        */
    size_t without_gain;          /* rounds                                               */
    double step_seconds;          /* of the last stage                                    */
    bool ended;                   /* its training came to an end by itself                */
    bool out;                     /* cannot go on                                         */
} member;

struct kan_search_state {
    const kan_search_family *family;
    const void *self;
    const kan_dataset *fit, *validation;
    kan_search_options options; /* defaults filled in */
    kan_search_stage *stages;   /* what kan_search shows */
    size_t capacity;
    member *members; /* [most_members] of the round */
    size_t n_members, most_members, next, round, generation;
    bool fresh;                   /* the members of this phase have not been made yet */
    kan_model *best;              /* a copy of the best model                         */
    double *best_origin, *origin; /* theta before the training of the best model, and of the last one */
    size_t origin_size, best_origin_size;
    double best_validation, best_cost; /* seconds of that stage */
    kan_model *final;                  /* best, trained on all rows */
    double began, generation_began;
    kan_trainer *trainer;     /* of the stage that is being trained, or NULL; that stage so far ..   */
    kan_search_stage running; /* .. of `final` in the phase of all rows, else of members[next]      */
    size_t running_steps;     /* at most                                                            */
    double running_seconds;
    double running_began;
};

/* Frees *m as the family does; *m = NULL. */
void search_release(const kan_search_state *t, kan_model **m);

/* CPU seconds, or those that the meter counts. */
double search_now(const kan_search_state *t);

/* Whether *stop is set, or the meter is over; and whether no other stage of starts or ladder may begin, in this
 * generation or in a new one. */
bool search_stopped(const kan_search_state *t);
bool search_is_over(const kan_search *s);

/* Where a record is replayed: what comes next in it, or NULL. */
const kan_search_stage *search_next_in_replay(const kan_search *s);

/* Seconds left for starts and ladder, and those for the next training of a start and on a rung; infinity without a
 * clock. */
double search_time_left(const kan_search_state *t);
double search_start_seconds(const kan_search_state *t);
double search_rung_seconds(const kan_search_state *t);

/* A trainer for m on d, at most `steps` steps, or for those of the replay. */
kan_status search_begin_training(kan_search *s, kan_model *m, const kan_dataset *d, size_t steps,
                                 double seconds, kan_error *error);

/* The stage that is running, of m on d, to its end. */
kan_status search_train(kan_search *s, kan_model *m, const kan_dataset *d, kan_error *error);
kan_status search_add_stage(kan_search *s, const kan_search_stage *stage);

/* A stage of one member, recorded, the best model kept. One that diverges is out. */
kan_status search_train_member(kan_search *s, member *a, size_t steps, double seconds,
                               kan_error *error);

/* The part of kan_search_snapshot that is the training in progress, but for the stage `running`. */
void search_snapshot_training(kan_search *s, kan_snapshot *snapshot);

#endif
