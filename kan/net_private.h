/* kan/net_private.h - private: what a net is made of, for the other files of this folder.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_KAN_NET_PRIVATE_H
#define KAN_KAN_NET_PRIVATE_H

#include "kan/layer.h"
#include "kan/net.h"

struct kan_net {
    kan_net_config config; /* defaults filled in */
    kan_model model;
    size_t n_layers;
    layer layers[KAN_MAX_LEVELS - 1];
    uint8_t *edges[KAN_MAX_LEVELS - 1]; /* [n_in][n_out] of each layer: 0 where an edge was removed */
    uint8_t *trainable;                 /* [n_params] */
    double *memory;                     /* theta, then knots and cells of every layer */
    kan_basis *bases;                   /* [sum of n_in] */
};

/* Nodes of a level, and the outputs that the layer below it must have. */
size_t net_n_nodes(const kan_net_config *config, size_t level);
size_t net_n_sub(const kan_net_config *config, size_t level);

/* Memory laid out, grids initial, parameters zero; NULL without memory. */
kan_net *net_alloc_empty(const kan_net_config *config);

/* Builds cells and views of one input from its knots. KAN_ENOMEM. */
kan_status net_set_knots(kan_net *net, size_t l, size_t i, const double *knots, kan_error *error);

/* Gives one input the grid of another view of the same degree and number of cells. */
void net_copy_grid(kan_net *net, size_t l, size_t i, const kan_basis *from);

/* Values of the nodes of one level from the outputs of the layer below: y [batch][nodes] from
 * sub [batch][n_sub]; a plain copy where no node multiplies. */
void net_multiply(const kan_net_config *config, size_t level, size_t batch, const double *sub,
                  double *y);

/* The way back: d_sub of a factor = d_y times the product of the other factors. */
void net_multiply_backward(const kan_net_config *config, size_t level, size_t batch, const double *sub,
                           const double *d_y, double *d_sub);

/* The structured Jacobian of the contract (jacobian.c). */
size_t net_jacobian_runs(const void *self, size_t *lengths);
size_t net_jacobian_work_size(const void *self, size_t batch);
void net_jacobian(const void *self, size_t batch, const double *x, double *y, uint32_t *starts,
                  double *values, double *work);

/* The save operation of the contract (net_file.c). */
kan_status net_save(const void *self, kan_file *file, kan_error *error);

#endif
