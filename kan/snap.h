/* kan/snap.h - edges of a trained network become named functions, chosen in context.
 *
 * What a curve is cannot be told from the curve alone: several functions come close to it. So every candidate is put
 * into a copy of the whole network, all that is trainable is fitted again for a few steps of Levenberg-Marquardt, and the
 * candidate is taken with which the network's error is smallest.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_KAN_SNAP_H
#define KAN_KAN_SNAP_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/status.h"
#include "kan/net.h"
#include "symbolic/curve.h"
#include "train/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* What the edge, which must not have been removed, may be: writes the at most max likeliest functions of the table to
 * best, fitted to its curve where the samples x [n][n_in of the net], n > 0, put its node, the likeliest first: the
 * smallest rmse, but a simpler function before it that is as good within a factor of 2. Functions that only imitate
 * others, by a c f beyond 100 times the spread of the curve, are left out unless there are no others. Returns how many
 * there are; 0 with an error: KAN_ENOMEM, KAN_ENONFINITE (a value of the node or of the curve is not finite),
 * KAN_ECONFIG (no function is defined there). */
size_t kan_snap_suggest(const kan_net *net, kan_edge edge, size_t n, const double *x, size_t max,
                        kan_curve *best, kan_error *error);

/* One edge by hand: it becomes c f(a x + b) + d with the constants that fit its curve best, as above. Nothing else is fitted;
 * kan_net_unset_symbolic takes it back. The same errors, KAN_ECONFIG where f is not defined; the net is then as it was. */
kan_status kan_snap_edge(kan_net *net, kan_edge edge, const kan_function *f, size_t n, const double *x,
                         kan_error *error);

/* Every zero means the default in brackets. Errors are RMSE, or cross-entropy for classes. */
typedef struct kan_snap_options {
    size_t candidates;  /* functions that are tried for an edge                             [5] */
    size_t width;       /* of the beam, at most 16; 1: without                              [3] */
    size_t steps;       /* of Levenberg-Marquardt after a candidate was put in             [10] */
    size_t final_steps; /* after all edges                                                [200] */
    double tolerance;   /* factor by which the error may exceed the smallest one so far   [1.5] */
    double floor;       /* an error of that share of the spread of the targets is always good [1e-9] */
    const kan_function *const *functions; /* [the table] the functions that an edge may become  */
    size_t n_functions;
    double seconds; /* CPU seconds, after which no further edge is begun [no limit] */
    const volatile sig_atomic_t *stop; /* the same, when it becomes non-zero         [NULL] */
} kan_snap_options;

/* What became of one edge. */
typedef enum kan_snap_outcome {
    KAN_SNAP_OPEN = 0, /* not tried: time was up                                                   */
    KAN_SNAP_SPLINE,   /* stays a spline: every function made the error too large                 */
    KAN_SNAP_FUNCTION, /* became a function                                                       */
    KAN_SNAP_BEFORE    /* was one before                                                          */
} kan_snap_outcome;

/* What became of an edge. */
typedef struct kan_snapped {
    kan_edge edge;
    kan_snap_outcome outcome;
    kan_symbolic symbolic; /* as it is at the end; f = NULL of a spline                            */
    double
        error; /* of the network when the edge was tried: with the function, or with the best that was refused; else NaN */
} kan_snapped;

/* What became of the edges. */
typedef struct kan_snap_report {
    kan_snapped *edges; /* [n_edges] all edges that are not removed, ascending by (layer, in, out)  */
    size_t n_edges, n_splines; /* n_splines: edges that are none of the functions                  */
    double error_before,
        error_after; /* on the validation rows                                                    */
    double seconds;
} kan_snap_report;

/* A new net with as many edges as possible snapped. The net is first fitted on, for 5 times `steps`; then edges are tried
 * one after the other, the surest first: each of a few candidates on a copy, fitted again (first those that no other one
 * beats in complexity and rmse at once). Errors that differ by less than 5 % are equal, or by a factor of 2 where they
 * are below 1e-6 of the spread of the targets, and the simpler function wins. Where even the best candidate makes the
 * error worse than options->tolerance allows, the edge stays a spline; it is tried again after other edges have become
 * functions. At last all that is trainable is fitted to rounding.
 *
 * Where that leaves splines, or an error above the floor that is not one of noise either, several edges are chosen
 * together, by a beam of `width` partial assignments, from the net as it was given and as it was fitted on. The better
 * result counts: that with fewer splines, if its error is one that may be, then the smaller error, then the simpler
 * functions. The beam costs `width` times what came before it, or a little more. Edges that are functions already stay
 * those, with their locks.
 *
 * fit and validation hold what the net is given, so standardised where the net was trained so; validation may be NULL
 * (the rows to fit serve). The report, unless NULL, is to be freed with kan_snap_report_free. NULL: KAN_ENOMEM,
 * KAN_ENONFINITE (the net is not finite on the rows). */
kan_net *kan_snap_all(const kan_net *net, const kan_dataset *fit, const kan_dataset *validation,
                      const kan_snap_options *options, kan_snap_report *report, kan_error *error);
void kan_snap_report_free(kan_snap_report *report);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
