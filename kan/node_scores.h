/* kan/node_scores.h - private: the penalty of the scores of inputs for nodes (KAN_SCALE_NODES, kan/net.h).
 *
 * With r_io = s(phi_io) / (s(y_o) + 1e-4) of a layer and T[j][k] = sum of r_jo over the outputs o of node k above it,
 *
 *     A_1 = T_0      A_{l+1} = A_l T_l            scores of the inputs for each node of a level, [n_in][nodes]
 *     S_L = 1 / n    S_l = T_l S_{l+1}            scores of the nodes, n being the outputs of the net
 *
 * and the matrix of level l = 1 .. L is v[k][i] = S_l[k] A_l[i][k]. Its sum is that of S_0 at every level, so that l1 is L
 * times the feature scores; entropy tells the levels apart.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_KAN_NODE_SCORES_H
#define KAN_KAN_NODE_SCORES_H

#include <stddef.h>

#include "kan/net_private.h"

/* Doubles of scratch. */
size_t node_scores_size(const kan_net *net);

/* The penalty of a matrix v [n_rows][n_columns] times weight (kan/scales.h), and d/dv to bar. */
typedef double node_scores_matrix(const kan_penalty *p, size_t n_rows, size_t n_columns,
                                  const double *v, double weight, double *bar);

/* weight times the penalty of all levels from r[l] [n_in][n_out]; sets bar_r to its gradient. */
double node_scores_penalty(const kan_net *net, double *const *r, double *const *bar_r, double weight,
                           node_scores_matrix *matrix, double *work);

#endif
