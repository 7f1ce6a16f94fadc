/* kan/symbolic_edges.h - private: the passes of symbolic edges, phi(x) = c f(a x + b) + d.
 *
 * With u = a x + b and g = d(loss)/dy[o] of the edge's output o,
 *
 *     d/da = g c f'(u) x     d/db = g c f'(u)     d/dc = g f(u)     d/dd = g     dx += g c f'(u) a
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_KAN_SYMBOLIC_EDGES_H
#define KAN_KAN_SYMBOLIC_EDGES_H

#include <stdbool.h>
#include <stddef.h>

#include "kan/net_private.h"

enum { SYMBOLIC_PARAMS = 4 }; /* a, b, c, d */

/* What a layer without splines starts its sums from: y [batch][n_out] is zero, and NaN where an input is. */
void symbolic_start(const kan_net *net, size_t l, size_t batch, const double *x, double *y);

/* y[s][o] += phi(x[s][i]) for every symbolic edge of layer l; keeps f(u) in values [n_symbolic of the net]
 * [batch], which may be NULL. */
void symbolic_forward(const kan_net *net, size_t l, size_t batch, const double *x, double *y,
                      double *values);

/* Doubles of partial sums that symbolic_backward needs. */
size_t symbolic_partials_size(const kan_net *net, size_t batch);

/* grad [n_params] += those of the symbolic edges of layer l, or = where `set`; dx += unless it is NULL. */
void symbolic_backward(const kan_net *net, size_t l, size_t batch, const double *x, const double *dy,
                       const double *values, double *partials, bool set, double *grad, double *dx);

/* For the Jacobian: y[s][o] += phi, d [n_symbolic of the layer][stride][4] = dphi/d(a, b, c, d), and
 * slopes [n_in][stride][n_out] += phi' unless that is NULL, for n <= stride samples. */
void symbolic_jacobian(const kan_net *net, size_t l, size_t n, size_t stride, const double *x,
                       double *y, double *d, double *slopes);

/* phi of number k at n points. */
void symbolic_curve(const kan_net *net, size_t k, size_t n, const double *x, double *phi);

#endif
