/* train/lbfgs.h - L-BFGS with a strong-Wolfe line search and a history that can be saved.
 *
 * Minimises any smooth function. The direction is the two-loop recursion (Nocedal and Wright, Numerical
 * Optimization, 2nd ed., algorithm 7.4) over the last `history` pairs s_k = x_k+1 - x_k, y_k = g_k+1 -
 * g_k, scaled by s.y / y.y; a pair is kept only if s.y > DBL_EPSILON |s| |y|. Without pairs it is the
 * unit vector along -g. The line search starts at a = 1, brackets and zooms with cubic interpolation
 * (algorithms 3.5 and 3.6) until, along the direction p,
 *
 *     f(x + a p) <= f(x) + c1 a g.p     and     |g(x + a p).p| <= c2 |g.p|,
 *
 * or, where f no longer resolves the decrease, f(x + a p) = f(x) with a smaller |g|_inf. A step never
 * returns a larger f than it was given, and a point where f or a gradient entry is not finite is
 * treated as too far away.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_TRAIN_LBFGS_H
#define KAN_TRAIN_LBFGS_H

#include <stddef.h>

#include "core/snapshot.h"
#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Returns f(x) and writes its gradient [n]. */
typedef double kan_lbfgs_function(void *context, const double *x, double *gradient);

/* The settings of L-BFGS: zero means the default in brackets. */
typedef struct kan_lbfgs_options {
    size_t history;         /* pairs kept                                       [10]    */
    size_t max_evaluations; /* of one line search                               [25]    */
    double c1, c2;          /* the Wolfe constants, 0 < c1 < c2 < 1             [1e-4, 0.9] */
    double tolerance; /* done when |g|_inf <= tolerance max(1, |f|)  [0: when rounding stops it]    */
} kan_lbfgs_options;

/* One step in outcome: */
typedef enum kan_lbfgs_outcome {
    KAN_LBFGS_MOVED = 0, /* x is a better point                                            */
    KAN_LBFGS_CONVERGED, /* the gradient is as small as asked; x unchanged                 */
    KAN_LBFGS_STALLED,   /* no better point along -g either: rounding; x unchanged         */
    KAN_LBFGS_NONFINITE  /* f or its gradient at the start is not finite; x unchanged      */
} kan_lbfgs_outcome;

/* Open state: the fields up to rho are all that a run needs to go on to the same bits after being saved
 * and restored; x is the caller's. A step exchanges the arrays behind g, g_trial and g_low: copy g, do not
 * keep its address. */
typedef struct kan_lbfgs {
    kan_lbfgs_options options; /* defaults filled in                                       */
    size_t n;
    size_t pairs, next; /* pairs stored, and the slot the next one goes to          */
    int started;        /* f and g below belong to the current x                    */
    size_t evaluations; /* calls of the function so far                             */
    double f;           /* value at x                                               */
    double *g;          /* [n] gradient at x                                        */
    double *s, *y;      /* [history][n]                                             */
    double *rho;        /* [history] 1/(s.y)                                        */
    double *alpha;      /* [history] scratch, as are those below                    */
    double *p, *x_trial, *g_trial, *g_low; /* [n]; their contents do not outlive a step */
} kan_lbfgs;

kan_lbfgs *kan_lbfgs_alloc(size_t n, const kan_lbfgs_options *options); /* NULL when memory is short */
void kan_lbfgs_free(kan_lbfgs *lbfgs);                                  /* or NULL */

/* Forgets pairs, f and g: call it when x or the function was changed from outside. */
void kan_lbfgs_reset(kan_lbfgs *lbfgs);

/* The state between two steps, to go on from to the same bits (core/snapshot.h); x is the caller's. */
void kan_lbfgs_snapshot(kan_lbfgs *lbfgs, kan_snapshot *s);

/* One iteration: direction, line search, update of x [n] and the history. Allocates nothing. A line
 * search that has used its evaluations up takes the lowest point of sufficient decrease it has seen;
 * one that has seen none is repeated once along -g, without pairs, with as many evaluations. */
kan_lbfgs_outcome kan_lbfgs_step(kan_lbfgs *lbfgs, kan_lbfgs_function *f, void *context, double *x);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
