/* kan/penalty.h - private: the penalties of a net that depend on its parameters alone (kan_penalty, kan/net.h), and how
 * rough its curves are.
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

#include "kan/net.h"

/* weight * R(theta), roughness and sizes and differences of coefficients; grad += weight * dR/dtheta. */
double penalty_of_theta(const kan_net *net, double weight, double *grad);

/* Adds weight * H to the lower triangle of hessian [n_params][n_params]. For roughness H is the Hessian. For
 * |c| = sqrt(c^2 + e^2) - e it is 1 / sqrt(c^2 + e^2), the curvature of the parabola that touches it at c and nowhere
 * falls below it: steps with it are those of iteratively reweighted least squares. */
void penalty_hessian_of_theta(const kan_net *net, double weight, double *hessian);

#endif
