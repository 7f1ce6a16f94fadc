/* symbolic/composite.h - which function of which function is this curve?
 *
 *   y ~ c g(p f(a t + b) + q) + d        g and f rows of the table of functions: 1/sqrt(1 - t^2), 1/cosh(t), ..
 *
 * A coarse search over (a, b), for each the search of symbolic/curve.h over (p, q) on the curve (f, y), and the best
 * places refitted by symbolic/refit.h. It takes about a hundred times as long as the fit of single functions, so it is
 * for curves that none of these fits.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_SYMBOLIC_COMPOSITE_H
#define KAN_SYMBOLIC_COMPOSITE_H

#include <stddef.h>

#include "core/meter.h"
#include "core/status.h"
#include "symbolic/expression.h"
#include "symbolic/function.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Canonical as a kan_curve is: |a| = 1 and |p| = 1 where the size of an argument is absorbed outside (powers,
 * log), b = 0 and q = 0 where its shift is (exp). */
typedef struct kan_composite {
    const kan_function *g, *f;
    double a, b, p, q, c, d;
    double r2, unexplained,
        rmse; /* as in kan_curve                                                     */
    double
        complexity; /* the costs, and a quarter for each of the constants that is not 1, -1 (a, p, c) or 0 */
} kan_composite;

/* Where a composite is looked for. */
typedef struct kan_composite_options { /* zero means the default in brackets                        */
    const kan_function *const *outer;  /* [exp log sqrt 1/sqrt 1/x 1/x^2 x^2 sin] g, n_outer of them */
    const kan_function *const *inner;  /* [x^2 exp log sqrt sin cosh] f, n_inner of them             */
    size_t n_outer, n_inner;           /* rows of the table: their text forms are parsed              */
    /* Counts the pairs; when it is over before the last one, there is no result: 0, error as it was. */
    kan_meter *meter;
} kan_composite_options;

/* Fits every pair to n samples, as kan_curve_fit does, and writes the at most max best by rmse to `best`; rmse within
 * a factor 1.5 is a tie, sorted by complexity after kan_refit_round of the constants of the best. Returns how many there are; 0 with an error: KAN_ENOMEM, or KAN_ENONFINITE
 * for a sample that is not finite. Uses threads; the result does not depend on their number. */
size_t kan_composite_fit(size_t n, const double *t, const double *y, const double *weight,
                         const kan_composite_options *options, size_t max, kan_composite *best,
                         kan_error *error);

/* The value at t. */
double kan_composite_eval(const kan_composite *composite, double t);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
