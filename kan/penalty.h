/* kan/penalty.h - private: how rough the curves of a net are.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_KAN_PENALTY_H
#define KAN_KAN_PENALTY_H

#include <stddef.h>

/* The penalty operation of the contract: weight * R(theta), grad += weight * dR/dtheta, with
 *
 *     R = sum over edges  G^5 sum_b (coef[b+3] - 3 coef[b+2] + 3 coef[b+1] - coef[b])^2,    G = n_cells,
 *
 * for splines of degree 3 and more on a uniform grid the integral of the squared third derivative over the grid
 * brought to [0, 1], up to O(1/G): the same for the same curve on every grid. (P-splines: Eilers and Marx, Statistical
 * Science 11, 1996.) Neither base weights nor the batch take part. */
double penalty_roughness(const void *self, size_t batch, double weight, double *grad, double *work);

#endif
