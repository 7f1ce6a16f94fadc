/* tests/support/kan_reference.h - B-splines and Kolmogorov-Arnold networks in long double, written from
 * the formulas and without the library's code: Cox and de Boor's recursion on the knots as they are.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_TESTS_KAN_REFERENCE_H
#define KAN_TESTS_KAN_REFERENCE_H

#include <stddef.h>

#include "kan/net.h"
#include "splines/basis.h"

/* Derivative d of the polynomial that B-spline b of that degree, with the knots t[b] .. t[b+degree+1],
 * is on the interval [t[interval], t[interval+1]). Repeated knots are fine. */
long double reference_bspline(const double *t, size_t degree, size_t interval, size_t b, long double x,
                              size_t d);

/* Derivative d = 0, 1, 2 at x of basis function b of a grid (degree, n_cells and knots of it are read),
 * continued along the tangents outside; right limits at knots, the left one at the upper end. */
long double reference_basis(const kan_basis *grid, size_t b, long double x, size_t d);

/* The cell of a grid that holds x, the first or last for x outside. */
size_t reference_cell(const kan_basis *grid, long double x);

/* b(x) and b'(x). */
long double reference_base(kan_base base, long double x, size_t d);

/* f(x) and f'(x) of a few rows of symbolic/function.h: "x", "x^2", "sin", "exp", "tanh". */
long double reference_function(const char *name, long double x, size_t d);

/* A network (context: the kan_net, of which shapes, knots and kinds of edges are read) as a model_reference of
 * tests/contract/model_contract.h. What it returns is the largest bound met on the way of the form: sum
 * of absolute values of terms, plus what the bounds of the inputs become through the slopes. */
long double reference_net(const void *context, const long double *theta, const long double *x,
                          long double *y);

#endif
