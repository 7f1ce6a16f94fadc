/* kan/scales.h - private: how large the edges of a net are on a batch, and what moves that.
 *
 * With m and s mean and standard deviation over the samples of a batch, s^2 = sum (v - m)^2 / (n - 1) + tiny^2, of the
 * values phi_io of an edge, of the y_o of a layer's output, and of the x_i of a node,
 *
 *     SPLINE      v_io = s(phi_io) / (s(x_i) + 0.1), 0 for a symbolic edge
 *     EDGE        v_io = s(phi_io)
 *     RELATIVE    v_io = s(phi_io) / (s(x_i) + 0.1)
 *     ATTRIBUTED  v_io = S_o s(phi_io) / (s(y_o) + 1e-4) = E_io of kan/attribution.h
 *     NODES       see kan/node_scores.h, where levels take the place of layers
 *
 * and the penalty of a layer with matrix v, p_o = v_io / (1 + sum_i v_io) and p_i the same with the other sum,
 *
 *     R = l1 sum v - entropy ( mean_o sum_i p_o log2(p_o + 1e-4) + mean_i sum_o p_i log2(p_i + 1e-4) ).
 *
 * The gradient reaches through all layers: values of an edge depend on what is below it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_KAN_SCALES_H
#define KAN_KAN_SCALES_H

#include <stddef.h>

#include "kan/net_private.h"

/* Doubles of scratch; 0 for a net whose penalty has no edge scales. */
size_t scales_size(const kan_net *net, size_t batch);

/* weight * R of the batch x [batch][n_in], which adds its gradient to grad [n_params]. 0 for a batch of one. */
double scales_penalty(const kan_net *net, size_t batch, const double *x, double weight, double *grad,
                      double *work);

/* Adds a positive semidefinite stand-in for the Hessian of weight * R to the lower triangle of hessian
 * [n_params][n_params]: for each edge, C being the covariance over the batch of d phi/d parameters,
 *
 *     H = max(0, dR/ds) C / s,        s^2 = p^T C p for the parameters p of a spline.
 *
 * As a function of p, s is convex, and s_0/2 + s^2 / (2 s_0) with the Hessian C / s_0 touches it at s_0 and nowhere falls
 * below it (iteratively reweighted least squares). Of the entropy and of what v is made of besides s the tangent is
 * taken, which is dR/ds; where that is negative, -s lies below its tangent. How an edge depends on the layers below it is
 * in the gradient alone. */
void scales_hessian(const kan_net *net, size_t batch, const double *x, double weight, double *hessian,
                    double *work);

#endif
