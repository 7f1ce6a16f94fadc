/* train/lm.h - Levenberg-Marquardt: damped Gauss-Newton steps with an open state.
 *
 * Minimises a function f that knows, beside its gradient g, a positive semidefinite stand-in H for its Hessian
 * (J^T J of least squares). A step solves
 *
 *     (H + lambda D) p = -g          D = max(diag(H), max min(diag(H), 2 diag(H of the data)) / 100)
 *
 * (Marquardt, SIAM J. Appl. Math. 11, 1963; the floor keeps parameters that hardly matter from going far, and what a
 * penalty holds at a kink, where its curvature has no bound, does not raise it for the others) by Cholesky factorisation of the matrix scaled by D^-1/2 on both sides, adds the geodesic acceleration
 *
 *     (H + lambda D) a = -J^T r_pp   r_pp = d2r(x + t p)/dt2
 *
 * (Transtrum and Sethna, arXiv 1201.5885), which follows the bend of a narrow valley, and goes to x + p + a/2 if f is
 * smaller there. A step with |D^1/2 a| > 0.75 |D^1/2 p| counts as a failure. With rho the gain f(x) - f(x + p + a/2) over
 * the predicted one, (lambda p.D p - g.p) / 2, lambda becomes
 *
 *     lambda max(1/9, 1 - (2 rho - 1)^3)   after a step,   nu lambda, nu = 2, 4, 8, ..   after a failure
 *
 * (Nielsen, IMM-REP-1999-05, with 1/9 for 1/3). A failure costs a factorisation and a few values of f, not a new H.
 *
 * Where there are many parameters, conjugate gradients take the place of the factorisation: they need products
 * with H only, and stop when the residual of the linear system is small enough beside its right-hand side (inexact
 * Newton steps; Nocedal and Wright, Numerical Optimization, 2nd ed., section 7.1).
 *
 * Parameters that H knows nothing of (its diagonal is zero: a cell without data, an edge without influence)
 * and those that may not move take no part: their step is zero. Other singular directions are what lambda is
 * for. A step never returns a larger f than it was given, and a point where f is not finite is too far away.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_TRAIN_LM_H
#define KAN_TRAIN_LM_H

#include <stddef.h>
#include <stdint.h>

#include "core/snapshot.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* What is minimised. */
typedef struct kan_lm_function {
    void *context;
    /* f(x) */
    double (*value)(void *context, const double *x);
    /* f(x), and writes g [n] and the lower triangle of H [n][n], row by row */
    double (*linearize)(void *context, const double *x, double *g, double *H);
    /* Without matrices, for more than options.most_dense parameters: f(x), g and the diagonal d [n] of H; and then
     * H v at that x. NULL where there never are so many */
    double (*sketch)(void *context, const double *x, double *g, double *d);
    void (*multiply)(void *context, const double *v, double *Hv);
    /* b = J^T r_pp of least squares, r_pp the second derivative of the residuals along p, by differences with the step
     * h; NULL: steps are straight */
    void (*bend)(void *context, const double *x, const double *p, double h, double *b);
    const uint8_t *movable; /* [n], 0 where x stays; NULL: all move */
    /* [n], written by linearize: the diagonal of the part of H that is no penalty's; NULL: that of H */
    const double *data_diagonal;
} kan_lm_function;

enum { KAN_LM_MAX_EVALUATIONS = 60, KAN_LM_MOST_DENSE = 4000, KAN_LM_MAX_PRODUCTS = 200 };

/* Every zero means the default in brackets. */
typedef struct kan_lm_options {
    double lambda;          /* the first one                                              [1e-3]   */
    double least_lambda;    /*                                                            [1e-15]  */
    size_t max_evaluations; /* values and bends in one step, and perhaps one more         [60]     */
    size_t most_dense;      /* more parameters than this: no matrices                     [4000]   */
    size_t max_products;    /* in one solution of a linear system without matrices        [200]    */
    double residual;        /* of such a solution, beside its right-hand side             [0.01]   */
    double tolerance; /* done when |g|_inf <= tolerance max(1, |f|)  [0: when rounding stops it] */
} kan_lm_options;

/* One step in outcome: */
typedef enum kan_lm_outcome {
    KAN_LM_MOVED = 0, /* x is a better point                                            */
    KAN_LM_CONVERGED, /* the gradient is as small as asked; x unchanged                 */
    KAN_LM_STALLED,   /* no better point at any damping: rounding; x unchanged          */
    KAN_LM_NONFINITE  /* f, g or H at x is not finite; x unchanged                      */
} kan_lm_outcome;

/* Open state: a run that is given f, lambda and nu back, with started, goes on to the same bits; x is the
 * caller's. */
typedef struct kan_lm {
    kan_lm_options options; /* defaults filled in                                         */
    size_t n;
    int started;        /* f below belongs to the current x                               */
    int linearized;     /* so do g and H                                                  */
    size_t evaluations; /* values, linearizations and bends so far                        */
    size_t singular;    /* factorisations that failed                                     */
    double f;           /* value at x                                                     */
    double lambda, nu;
    double *g; /* [n] gradient where H was last computed                     */
    double *d; /* [n] diagonal of H there                                    */
    double *H; /* [n][n], NULL with more than most_dense parameters          */
    double *L; /* [n][n] or NULL, scratch, as are those below                */
    double *scale, *p, *q, *b, *x_trial; /* [n]                                           */
    double *r, *s, *v, *Hv; /* [n] of conjugate gradients; NULL with matrices             */
    size_t products;        /* with H so far, without matrices                            */
    size_t *active;         /* [n] parameters that take part                                  */
    size_t n_active;
} kan_lm;

/* Two matrices of n times n doubles, where n is not more than most_dense. NULL when memory is short. */
kan_lm *kan_lm_alloc(size_t n, const kan_lm_options *options);
void kan_lm_free(kan_lm *lm);

/* Forgets f, H and lambda: call it when x or the function was changed from outside. */
void kan_lm_reset(kan_lm *lm);

/* The state between two steps, to go on from to the same bits (core/snapshot.h); x is the caller's. H is not in it: it
 * is known only after a step that found nothing better, and is then computed again. */
void kan_lm_snapshot(kan_lm *lm, kan_snapshot *s);

/* One iteration: H and g where they are not known, and trials until one is better. Allocates nothing. */
kan_lm_outcome kan_lm_step(kan_lm *lm, const kan_lm_function *f, double *x);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
