/* splines/knots.h - knot vectors of one input.
 *
 * A grid of n_cells cells has the breakpoints t_0 < t_1 < .. < t_n_cells; its knots are these, extended
 * by `degree` more beyond each end at the mean cell width (as the reference implementation does):
 *
 *     knots [n_cells + 2*degree + 1],   knots[degree] = lo,   knots[degree + n_cells] = hi
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_SPLINES_KNOTS_H
#define KAN_SPLINES_KNOTS_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

enum { KAN_MAX_DEGREE = 7, KAN_MAX_CELLS = 100000 };

/* n_cells + 2*degree + 1, the length of a knot vector. */
size_t kan_knots_count(size_t degree, size_t n_cells);

/* Uniform knots on [lo, hi], lo < hi. */
void kan_knots_uniform(size_t degree, size_t n_cells, double lo, double hi, double *knots);

/* Knots from breakpoints [n_cells + 1] of the caller's, strictly increasing. */
void kan_knots_extend(size_t degree, size_t n_cells, const double *breakpoints, double *knots);

/* Knots that follow data, sorted [n] ascending, n > 0, finite: quantiles q_i blended with the uniform
 * breakpoints u_i of [sorted[0], sorted[n-1]],
 *
 *     t_i = grid_eps u_i + (1 - grid_eps) q_i,   0 <= grid_eps <= 1,
 *
 * so no cell is narrower than grid_eps times the mean width; grid_eps below 0.01 is taken as 0.01 to
 * keep that a positive number, and as more where a cell would have no room for 16 numbers. Data without
 * spread at c, or with no more than rounding gives them, get the range [c - 1, c + 1], a wider one
 * where numbers of that size need it. */
void kan_knots_adapt(size_t degree, size_t n_cells, size_t n, const double *sorted, double grid_eps,
                     double *knots);

/* NULL, or why these are not knots of a grid: a degree not in 1..7, no cells, knots that are not finite
 * or do not increase by more than rounding. */
const char *kan_knots_check(size_t degree, size_t n_cells, const double *knots);

/* Whether every breakpoint of the coarse grid is, to the bit, one of the fine grid, and the ends agree.
 */
bool kan_knots_nest(size_t degree, size_t coarse_cells, const double *coarse, size_t fine_cells,
                    const double *fine);

/* Cuts every cell of the coarse grid into fine_cells / coarse_cells equal ones; that must be whole. The
 * result nests. */
void kan_knots_split(size_t degree, size_t coarse_cells, const double *coarse, size_t fine_cells,
                     double *fine);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
