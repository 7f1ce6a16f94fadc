/* kan/ladder.h - KANs for train/search.h: how one is started, refined and freed.
 *
 * A start has few cells and smooth random curves,
 *
 *     coef[b] = (slope g_b + bend N(0, 1)) / sqrt(n_in),    slope ~ N(0, 1) for every edge,
 *
 * g_b being the mean of the inner knots of basis function b (Greville's abscissa) brought to [-1, 1]; base weights are
 * zero. It has the cells of the first rung, in every second generation those of the third: what has many waves needs
 * more cells before it can be told right from wrong, what has many layers is found more easily with few. Rungs of the
 * caller's own are always climbed from the first, and a first one of more than 12 cells from 3. Every grid is
 * uniform and lies where the data put its node, so that all cells are in use.
 *
 * A variant is a degree of the splines: the curves of a start are fitted anew in that degree. At the same time the
 * grids of hidden nodes follow their data, most of the way from uniform to quantiles: where samples are few, at the ends
 * of what a sum of inputs can be, cells are wide, and polynomials reach further there than narrow cells can.
 *
 * A rung of the ladder cuts every cell into equal parts (3, 6, 12, 24, ..): the function stays what it was up to
 * rounding (knot insertion), and so does the training error. Before a training, grids of hidden nodes that the data
 * left, or of which they fill less than a part, move to the data.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_KAN_LADDER_H
#define KAN_KAN_LADDER_H

#include <stddef.h>

#include "kan/net.h"
#include "train/search.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

enum { KAN_LADDER_RUNGS = 16 };

/* The `self` of the family. Every zero means the default in brackets. */
typedef struct kan_ladder_config {
    kan_net_config
        net; /* shape, base, precision; its cells, init and seed are not used; degree of the starts */
    size_t cells[KAN_LADDER_RUNGS +
                 1]; /* cells of the rungs, rising; 0 ends them  [3, 6, 12, .., 3 * 2^15] */
    size_t degrees[KAN_MAX_DEGREE +
                   1]; /* variants beside the degree of net; 0 ends them  [none]            */
    double bend;       /* [0.3] */
    /* What is to be done to a start before its grids are placed: edges removed, frozen or made symbolic. [NULL] */
    void (*prepare)(const void *context, kan_net *net);
    const void *context;
    double margin,
        hidden_margin; /* parts of the width of the data by which grids are wider on either side, those
                                     of inputs and of hidden nodes [0.01, 0.1] */
    double least;      /* part of a grid that data must fill [0.5] */
    double grid_eps;   /* share of the uniform grid on the ladder, of hidden nodes [0.2] */
} kan_ladder_config;

/* For kan_search_alloc; self is a kan_ladder_config whose net passes kan_net_check. The models are those of
 * nets: kan_ladder_net gives the net, which frees the model. */
extern const kan_search_family *const kan_ladder_family;
kan_net *kan_ladder_net(const kan_model *m);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
