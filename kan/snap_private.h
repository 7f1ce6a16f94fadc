/* kan/snap_private.h - private: what the two ways of snapping a whole network share, the greedy one (snap.c) and
 * the beam (snap_beam.c).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_KAN_SNAP_PRIVATE_H
#define KAN_KAN_SNAP_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include "kan/samples.h"
#include "kan/snap.h"

enum { SNAP_MOST_CANDIDATES = 16, SNAP_MOST_WIDTH = 16 };

/* Less than this share of the spread of the targets is rounding. */
static const double snap_rounding = 1e-11;

/* An edge that may become a function. */
typedef struct open_edge {
    size_t number; /* in the report */
    double share;
} open_edge;

typedef struct snapping {
    const kan_dataset *fit, *validation;
    kan_snap_options o; /* defaults filled in */
    kan_net *net;       /* the best so far */
    kan_snap_report *report;
    open_edge *open;
    size_t n_open;
    double *x;       /* [fit->n][n_in] */
    double smallest; /* error so far */
    double spread;   /* of the targets */
    double floor;    /* error that is always good */
    double began;
} snapping;

/* Functions that an edge was tried as, each in a net of its own (NULL: that failed) with the error it has. */
typedef struct trials {
    size_t n;
    kan_curve found[MOST_CURVES];
    kan_net *made[SNAP_MOST_CANDIDATES];
    double values[SNAP_MOST_CANDIDATES];
} trials;

bool snap_is_over(const snapping *s);

/* The error that a network may have now. */
double snap_limit(const snapping *s);

/* Fills t, whose nets are then the caller's, also on failure. KAN_ENOMEM. */
kan_status snap_try(const snapping *s, kan_edge edge, trials *t, kan_error *error);
void snap_free_trials(trials *t);

/* s->open, the surest edge first. KAN_ENOMEM. */
kan_status snap_list_open(snapping *s, kan_error *error);

/* Greedily, edge after edge, all that are still open or splines in s->net; and the last fit. */
kan_status snap_edges(snapping *s, kan_error *error);
kan_status snap_finish(snapping *s, kan_error *error);

/* From two starts, the net as it was given and `fitted`, whose error is fitted_error: s->o.width partial
 * assignments side by side. s->net and s->report are a finished result, and become the beam's where that is
 * better. KAN_ENOMEM. */
kan_status snap_beam(snapping *s, const kan_net *given, const kan_net *fitted, double fitted_error,
                     kan_error *error);

#endif
