/* symbolic/curve.h - which named function is this curve?
 *
 *   y ~ c f(a t + b) + d        f a row of the table of functions (symbolic/function.h)
 *
 * For a given (a, b) the best c and d are linear least squares, so that the search has two dimensions
 * (variable projection: Golub and Pereyra, SIAM J. Numer. Anal. 10, 1973) and fewer for functions whose scale
 * or shift c and d absorb. It is global: a from almost straight to as fast as the samples can carry, b or the
 * zero of the argument inside and outside the range of t; the best places are then polished to rounding.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_SYMBOLIC_CURVE_H
#define KAN_SYMBOLIC_CURVE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/status.h"
#include "symbolic/function.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* A fit in its canonical form. Of the forms that are the same curve it is the one with
 *   a > 0 where f is even or odd;  a = 1 or -1 where c and d absorb the size of a (powers, abs, step, log);
 *   b = 0 where they absorb b (exp);  b in [-period/2, period/2), and in half of that where f(x + period/2)
 *   is -f(x);  a = 1, b = 0 of "x";  a = b = c = 0 of "0". */
typedef struct kan_curve {
    const kan_function *f;
    double a, b, c, d;
    double r2;          /* 1 - SSE/SST about the mean of y; 1 where y is constant and fitted       */
    double unexplained; /* SSE/SST itself, which 1 - r2 would lose to rounding                     */
    double rmse;        /* root of the (weighted) mean square residual                             */
    double complexity; /* f->cost, and a quarter for each constant that is not 1, -1 (a, c), 0 (b, d) */
    bool beyond;       /* finite, without a pole, up to a tenth of the range beyond either end of t */
    bool pareto;       /* set by kan_curve_pareto                                                 */
} kan_curve;

/* How functions are fitted to a curve. */
typedef struct kan_curve_options { /* zero means the default in brackets                        */
    const kan_function *const *functions; /* [the table] the rows to try, n_functions of them        */
    size_t n_functions;
    size_t n_search; /* samples of the global search [200]; all are used to polish                  */
    double tie;      /* fits within this factor in rmse are sorted by complexity [1.1]              */
    double rounding; /* rmse below this times the spread of y is rounding, and a tie [1e-13]        */
} kan_curve_options;

/* Fits every function to the n samples (t, y) with weights (NULL: 1; not negative, not all 0) and writes the
 * at most max best to `best`, sorted by rmse; ties by `beyond`, then complexity, then (sin or cos) the
 * smaller |b|. Returns how many there are:
 * a function is left out when no argument keeps all samples in its domain. Returns 0 with an error, which is
 * KAN_ENOMEM, or KAN_ENONFINITE for a sample that is NaN or infinite. n > 0. Uses threads; the result does not
 * depend on their number. */
size_t kan_curve_fit(size_t n, const double *t, const double *y, const double *weight,
                     const kan_curve_options *options, size_t max, kan_curve *best, kan_error *error);

/* Marks the curves [n] that no other one beats in complexity and rmse at once; returns their number. */
size_t kan_curve_pareto(size_t n, kan_curve *curves);

/* c f(a t + b) + d. */
double kan_curve_eval(const kan_curve *curve, double t);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
