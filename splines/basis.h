/* splines/basis.h - the B-spline basis of one input, as polynomials of its cells.
 *
 * On cell c = [t_c, t_c+1] with middle m and half width h the degree + 1 basis functions B_c ..
 * B_c+degree are not zero, and each is a polynomial in v = (x - m) / h, v in [-1, 1]:
 *
 *     B_{c+r}(x) = sum_p  P[c][p][r] v^p,      P[c][p][r] = h^p / p! * D^p B_{c+r}(m)
 *
 * The derivatives are GSL's, taken in the middle of the cell. Evaluation is: find the cell, Horner.
 *
 * Outside [lo, hi] every basis function goes on along its tangent at the end,
 *
 *     B_b(x) = B_b(hi) + B_b'(hi) (x - hi)   for x > hi, and the same at lo,
 *
 * so a spline does as well: value and slope never die, second derivatives are zero there.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_SPLINES_BASIS_H
#define KAN_SPLINES_BASIS_H

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"
#include "splines/knots.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* A view: it owns nothing, its arrays must outlive it. Made by kan_basis_view. */
typedef struct kan_basis {
    size_t degree;  /* polynomial degree: 3 is cubic (GSL's order is degree + 1)                  */
    size_t n_cells; /* grid cells; there are n_basis = n_cells + degree basis functions           */
    const double *knots; /* [n_cells + 2*degree + 1] */
    const double *cells; /* [n_cells][2 + (degree+1)^2]: middle, 1/half width, P[p][r] */
    double cells_per_x; /* n_cells / (hi - lo) where the grid is uniform, 0 where it is not           */
} kan_basis;

/* Doubles in the cells of a grid: n_cells * (2 + (degree+1)^2). */
size_t kan_basis_cells_size(size_t degree, size_t n_cells);

/* Fills cells [kan_basis_cells_size] for the knots, which satisfy kan_knots_check, by asking GSL.
 * KAN_ENOMEM. */
kan_status kan_basis_build(size_t degree, size_t n_cells, const double *knots, double *cells,
                           kan_error *error);

/* The view of knots and cells. */
kan_basis kan_basis_view(size_t degree, size_t n_cells, const double *knots, const double *cells);

/* The cell of x: 0 .. n_cells-1, the first for x < lo, the last for x >= hi, and 0 for NaN. */
size_t kan_basis_cell(const kan_basis *b, double x);

/* Values, slopes and second derivatives (each [degree+1], slopes and curvatures may be NULL) of the
 * basis functions first .. first + degree at x; returns first, which is the cell. NaN gives NaN. Where
 * a derivative jumps (at knots, for low degrees) it is the right limit, the left one at hi and beyond.
 */
size_t kan_basis_eval(const kan_basis *b, double x, double *values, double *slopes, double *curvatures);

/* Where n points x lie: their cells, the place v in [-1, 1] in the cell, how far they are beyond the grid,
 * t = (x - nearest end) / h, 0 inside, and inv_h = 1 / h; arrays [n] that do not overlap. NaN gives cell 0 and NaN
 * in v and t. */
void kan_basis_locate(const kan_basis *b, size_t n, const double *x, uint32_t *cell, double *v,
                      double *t, double *inv_h);

/* Points of a sorted list that lie in the same cell: those before `end` and, but for the first run, from the
 * end of the run before on. */
typedef struct kan_basis_run {
    uint32_t cell, end;
} kan_basis_run;

/* Sorts n points x by their cells, those of a cell staying in their order: order [n] says which point comes q-th.
 * runs [the smaller of n and n_cells] receives a run for every cell that has points. Above KAN_BASIS_MAX_COUNTED cells
 * the order stays as it is, and every point is a run: runs [n]. Returns the number of runs. n is at most
 * KAN_BASIS_MAX_SORT. NaN goes to cell 0. */
enum { KAN_BASIS_MAX_SORT = 4096, KAN_BASIS_MAX_COUNTED = 1024 };
size_t kan_basis_sort(const kan_basis *b, size_t n, const double *x, uint16_t *order,
                      kan_basis_run *runs);

/* Values [n][degree + 1] of the basis functions cell .. cell + degree at sorted points x, and their places v [n]
 * in their cells, held within [-1, 1]. */
void kan_basis_eval_runs(const kan_basis *b, size_t n_runs, const kan_basis_run *runs, const double *x,
                         double *values, double *v);
void kan_basis_eval_runs_single(const kan_basis *b, size_t n_runs, const kan_basis_run *runs,
                                const double *x, float *values, float *v);

/* The slopes [n][degree + 1] of these functions, from the places. */
void kan_basis_slope_runs(const kan_basis *b, size_t n_runs, const kan_basis_run *runs, const double *v,
                          double *slopes);
void kan_basis_slope_runs_single(const kan_basis *b, size_t n_runs, const kan_basis_run *runs,
                                 const float *v, float *slopes);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
