/* tests/support/kan_cases.h - grids, points and networks with entropy, for the tests of splines/ and
 * kan/.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_TESTS_KAN_CASES_H
#define KAN_TESTS_KAN_CASES_H

#include <stddef.h>

#include "core/random.h"
#include "kan/net.h"
#include "splines/basis.h"

/* Uniform on [lo, hi). */
double draw(kan_random *random, double lo, double hi);

/* A basis that owns its arrays. */
typedef struct grid {
    double *knots, *cells;
    kan_basis basis;
} grid;

grid grid_from_knots(size_t degree, size_t n_cells, const double *knots);
grid grid_uniform(size_t degree, size_t n_cells, double lo, double hi);

/* Cells whose widths differ by up to a factor of five, on about [-1.3, 1.7]. */
grid grid_uneven(kan_random *random, size_t degree, size_t n_cells);

/* n_cells [1 .. max] uniform or uneven cells. */
grid grid_any(kan_random *random, size_t degree, size_t max_cells);
void grid_free(grid *g);

double grid_lo(const kan_basis *b);
double grid_hi(const kan_basis *b);

/* The narrowest cell. */
double grid_narrowest(const kan_basis *b);

/* A point inside, on a knot, at an end, one ulp beside one of these, or outside by up to the whole
 * width. */
double grid_point(kan_random *random, const kan_basis *b);

/* How far rounding may take derivative d of a basis function. On a cell of half width h a B-spline is
 *     sum_p P_p v^p,   |P_p| <= binomial(k, p),   so sum |P_p| <= 2^k,   |v| <= 1,
 * a derivative takes a factor of (k - d + 1) / h at most, v is known to DBL_EPSILON (1 + |x| / h), and
 * each P_p comes from k levels of the recursion with a few roundings each: c (k + 1) DBL_EPSILON, c
 * = 2. */
double grid_tolerance(const kan_basis *b, size_t d);

/* A net of that config with parameters uniform in [-1, 1] and, where moved, grids that followed
 * samples. */
kan_net *net_with_entropy(const kan_net_config *config, bool moved, uint64_t seed);

/* Room for n numbers, all NaN; free with kan_work_free. */
double *poisoned(size_t n);

/* y [n][n_out] of a net at x [n][n_in]. */
void net_forward(kan_net *net, size_t n, const double *x, double *y);

#endif
