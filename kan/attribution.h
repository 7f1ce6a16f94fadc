/* kan/attribution.h - how much each edge, node and input of a network has to do with its outputs.
 *
 * With sd the standard deviation over samples (divisor n - 1), phi_io the values of an edge, y_o the output o of its
 * layer, and S_k of output k of the network starting as e_k, from the top down
 *
 *     E_k[i][o] = sd(phi_io) S_k[o] / (sd(y_o) + 1e-4)         score of an edge
 *     S_k[i]    = sum_o E_k[i][o]                              score of a node below the layer
 *
 * and a multiplying node hands its score on to each of its factors. Scores are means over k. A node whose own
 * spread is large but which nothing above listens to scores low: scores reach through layers. (Liu et al., KAN 2.0:
 * arXiv 2408.10205, section 4.1.)
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_KAN_ATTRIBUTION_H
#define KAN_KAN_ATTRIBUTION_H

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"
#include "kan/net.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Scores of a network and what they were computed from; l is a layer, L a level: level 0 holds the inputs. */
typedef struct kan_attribution {
    kan_net_config config;             /* the shape of the net, as kan_net_get_config gives it        */
    size_t n_layers, n_in, n_out;      /* of the net                                                  */
    double *edges[KAN_MAX_LEVELS - 1]; /* [n_in][n_out] of layer l: E; 0 where an edge was removed    */
    double *nodes[KAN_MAX_LEVELS];     /* [nodes] of level L: S                                       */
    double *features;                  /* [n_out][n_in] of the net: score of an input for one output  */
    double *means[KAN_MAX_LEVELS - 1]; /* [n_in][n_out] of layer l: mean of phi_io                    */
    double *spreads[KAN_MAX_LEVELS - 1]; /* [n_in][n_out] of layer l: sd(phi_io)                      */
    double *sub_spreads[KAN_MAX_LEVELS - 1]; /* [n_out] of layer l: sd(y_o)                           */
    double *memory;
} kan_attribution;

/* Scores over the samples x [n][n_in], n > 1. The scores of inputs, nodes[0], are the feature scores. NULL: KAN_ENOMEM,
 * KAN_ENONFINITE (a value of an edge is not finite). */
kan_attribution *kan_attribution_alloc(const kan_net *net, size_t n, const double *x, kan_error *error);
void kan_attribution_free(kan_attribution *a);

/* Scores of the inputs for one node of a level: the same recursion, started at that node. scores [n_in]; work
 * [2 * kan_attribution_widest(a)]. */
size_t kan_attribution_widest(const kan_attribution *a);
void kan_attribution_of_node(const kan_attribution *a, size_t level, size_t node, double *scores,
                             double *work);

/* Which inputs act together: every node of a level has the set of the inputs that score more than feature_threshold
 * times the largest of its scores; nodes whose largest score is not above node_threshold have none. Equal sets are
 * counted. (The reference takes 1e-2 for both.) */
typedef struct kan_interactions {
    size_t n_sets, n_in;
    size_t *counts; /* [n_sets] nodes that have the set, in the order of the first of them */
    uint8_t *sets;  /* [n_sets][n_in] 1 where the input belongs to it                      */
} kan_interactions;

/* NULL without memory. */
kan_interactions *kan_attribution_interactions(const kan_attribution *a, size_t level,
                                               double node_threshold, double feature_threshold);
void kan_interactions_free(kan_interactions *interactions);

/* Points to score a net by where there are no data: x [n][n_in] uniform on the grids of its inputs. */
void kan_attribution_points(const kan_net *net, size_t n, uint64_t seed, double *x);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
