/* kan/penalty.h - private: how rough the curves of a net are.
 *
 * With G = n_cells, k = degree, and Delta^k coef the k-th differences of an edge's coefficients, of which there are G,
 *
 *     R = sum over edges  1/G sum_c ( (l G)^k Delta^k coef[c] )^2,    l = 1/50.
 *
 * On a uniform grid (l G)^k Delta^k coef[c] is l^k times the k-th derivative of the spline in cell c, its grid brought to
 * [0, 1]: R is the integral of the square of that, the same for the same curve on every grid. Third differences for
 * cubic splines; for higher degrees higher ones, whose bias falls as fast as the error of the spline, and which go on
 * beyond the data with more than a parabola. Waves of l range / (2 pi) or longer count less the smoother the
 * splines are, shorter ones more. (P-splines: Eilers and Marx, Statistical Science 11, 1996.) Neither base weights nor
 * the batch take part.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_KAN_PENALTY_H
#define KAN_KAN_PENALTY_H

#include <stddef.h>

/* The operation of the contract: weight * R(theta), grad += weight * dR/dtheta. */
double penalty_roughness(const void *self, size_t batch, double weight, double *grad, double *work);

/* Adds weight * d2R/dtheta2 to the lower triangle of hessian [n_params][n_params]. */
void penalty_roughness_hessian(const void *self, double weight, double *hessian);

#endif
