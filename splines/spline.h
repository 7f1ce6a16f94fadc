/* splines/spline.h - splines of one input: sum_b coef[b] B_b(x).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_SPLINES_SPLINE_H
#define KAN_SPLINES_SPLINE_H

#include <stddef.h>

#include "core/status.h"
#include "splines/basis.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Value, slope and second derivative at x of the spline with coefficients coef[0], coef[stride], ..
 * (n_cells + degree of them). */
void kan_spline_eval(const kan_basis *b, const double *coef, size_t stride, double x, double out[3]);

/* Weighted least squares for several right-hand sides at once: minimises over coef [n_basis][n_rhs]
 *
 *     sum_s weight[s] ( sum_b B_b(x[s]) coef[b][j] - y[s][j] )^2 + ridge |coef - prior|^2
 *
 * for every j. x [n] finite, y [n][n_rhs], weight [n] or NULL for ones. `coef` holds the prior on entry
 * and the solution on return: coefficients that no sample reaches keep their prior, so the fit never
 * fails for want of data. The ridge is as small as double precision allows (see the source). Banded
 * normal equations, Cholesky by GSL: O(n degree^2 + n_basis degree^2). KAN_ENOMEM; KAN_ESINGULAR when
 * even the ridge cannot help (data that are not finite). */
kan_status kan_spline_fit(const kan_basis *b, size_t n, const double *x, const double *weight,
                          size_t n_rhs, const double *y, double *coef, kan_error *error);

/* The same splines on a finer grid that nests in the coarse one (kan_knots_nest), exact up to rounding:
 * fine_coef[j] is the blossom of the spline at the inner knots of the fine basis function j (de Boor's
 * algorithm with `degree` arguments instead of one; Ramshaw 1989). coarse_coef [n_basis][n_rhs],
 * fine_coef [fine n_basis][n_rhs]; equal degrees. */
void kan_spline_refine(const kan_basis *coarse, const double *coarse_coef, const kan_basis *fine,
                       double *fine_coef, size_t n_rhs);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
