/* kan/grid.h - moving and refining the grids of a network.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_KAN_GRID_H
#define KAN_KAN_GRID_H

#include <stdbool.h>
#include <stddef.h>

#include "core/status.h"
#include "kan/net.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Moves every grid to where the samples x [n][n_in] put their node, layer by layer: knots by
 * kan_knots_adapt with grid_eps, coefficients refitted so that every edge keeps its curve as well as
 * the new grid allows (least squares at the node's samples and, faintly, at points in every cell).
 * Trainers must be reset afterwards. KAN_ENOMEM, KAN_ENONFINITE (a node value is not finite); the net
 * is then unchanged. */
kan_status kan_grid_update(kan_net *net, size_t n, const double *x, double grid_eps, kan_error *error);

/* The same for the grids of the inputs alone: before a training, when the values of hidden nodes say
 * nothing yet about where they will be. */
kan_status kan_grid_update_inputs(kan_net *net, size_t n, const double *x, double grid_eps,
                                  kan_error *error);

/* Places grids where the samples x [n][n_in] put their nodes, level by level from level `first` on (0: the inputs),
 * but only those that the samples leave or of which they fill less than the part `least`; more than 1 moves every
 * grid. The new one reaches `margin` times the width of the samples beyond them on either side, its knots being
 * those of kan_knots_adapt with grid_eps; 1 is uniform. Curves are kept as above; with `stretch` parameters are kept
 * instead, so that curves are stretched to the new range, as suits random ones. Trainers must be reset
 * afterwards. As above. */
typedef struct kan_grid_cover_options {
    size_t first;
    double margin, least, grid_eps;
    bool stretch;
} kan_grid_cover_options;
kan_status kan_grid_cover(kan_net *net, size_t n, const double *x,
                          const kan_grid_cover_options *options, kan_error *error);

/* Gives node `in` below a layer a grid of the caller's: breakpoints [n_cells + 1], n_cells that of the
 * layer. Curves are kept as above. KAN_ENOMEM, KAN_ECONFIG (breakpoints that do not increase). */
kan_status kan_grid_set(kan_net *net, size_t layer, size_t in, const double *breakpoints,
                        kan_error *error);

/* A new net with n_cells cells on every grid. Where n_cells is a multiple of the old number, every cell
 * is cut into equal parts and the function is the same up to rounding; otherwise the new breakpoints
 * follow the density of the old ones and the curves are refitted by least squares. Masks and frozen
 * parameters are kept. NULL: KAN_ENOMEM, KAN_ECONFIG (n_cells 0 or too large). */
kan_net *kan_grid_refine(const kan_net *net, size_t n_cells, kan_error *error);

/* A new net on the same grids with splines of another degree, 1 to 7, its curves fitted to the old ones by least
 * squares. Masks and frozen parameters are kept. NULL: KAN_ENOMEM, KAN_ECONFIG. */
kan_net *kan_grid_raise(const kan_net *net, size_t degree, kan_error *error);

/* How many of the samples x [n][n_in] fall outside the grid of each node: counts [sum over layers of
 * n_in], layer by layer. KAN_ENOMEM. */
kan_status kan_grid_outside(const kan_net *net, size_t n, const double *x, size_t *counts,
                            kan_error *error);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
