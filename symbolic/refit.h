/* symbolic/refit.h - the numbers of a formula, fitted to data.
 *
 *   minimise  sum_s w[s] (y[s] - f(x[s]; k))^2        k the numbers of f, as kan_expression_number_at counts them
 *
 * by Levenberg-Marquardt with orthogonal factorisations (J itself, never J^T J), down to rounding; and which of the
 * numbers may just as well be exact ones.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_SYMBOLIC_REFIT_H
#define KAN_SYMBOLIC_REFIT_H

#include <stdbool.h>
#include <stddef.h>

#include "core/meter.h"
#include "core/status.h"
#include "symbolic/expression.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* How the constants of an expression are fitted. */
typedef struct
    kan_refit_options { /* zero means the default in brackets                               */
    const double
        *weight;       /* [n], or NULL: 1; not negative, not all 0                                  */
    const bool *fixed; /* [n_numbers] true: stays as it is; or NULL: all are free                   */
    size_t steps;      /* at most so many [100]                                                     */
    kan_meter *meter;  /* counts them, and ends the fit where it is when it is over [NULL]          */
} kan_refit_options;

/* What the fit of the constants did. */
typedef struct kan_refit_report {
    size_t steps, n_free;
    double rmse; /* root of the (weighted) mean square residual                                 */
    double
        unexplained; /* SSE/SST: 1 - R2                                                             */
    bool converged;  /* no step gained more than rounding; false: all steps used                    */
} kan_refit_report;

/* Fits the free numbers of e to the rows x [n][n_variables], y [n], from where they are: a local search. Writes
 * standard_error [n_numbers] unless NULL: sqrt of the diagonal of s^2 (J^T J)^-1 with s^2 = SSE / (n - n_free); 0 for
 * fixed numbers; huge or infinite for those that the data do not tell apart. KAN_ENOMEM, or KAN_ENONFINITE when a
 * datum, or f at the start, is not finite; e is then as it was. */
kan_status kan_refit_expression(kan_expression *e, size_t n, const double *x, const double *y,
                                const kan_refit_options *options, double *standard_error,
                                kan_refit_report *report, kan_error *error);

/* Fixes as many numbers of e as the data allow at exact values, one after the other, and refits the others each time:
 * first zeros, then 1 and -1, integers, at last what symbolic/constant.h recognises. A value is kept when the fit
 * is as good as before: for exact data (rmse below 1e-9 of the spread of y) not above 4 times the first rmse or 1e-12 of
 * the spread; for others when the Bayesian information criterion does not grow. This also takes out gauge freedoms,
 * numbers that can be traded for one another. fixed [n_numbers] is read and written. The same errors. */
kan_status kan_refit_round(kan_expression *e, size_t n, const double *x, const double *y,
                           const kan_refit_options *options, bool *fixed, kan_refit_report *report,
                           kan_error *error);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
