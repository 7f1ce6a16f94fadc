/* kan/net_private.h - private: what a net is made of, for the other files of this folder.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_KAN_NET_PRIVATE_H
#define KAN_KAN_NET_PRIVATE_H

#include <stdbool.h>

#include "kan/layer.h"
#include "kan/net.h"

/* What an edge is: values of kan_net.edges, and in model files. */
enum { EDGE_REMOVED = 0, EDGE_SPLINE = 1, EDGE_SYMBOLIC = 2 };

typedef struct symbolic_edge {
    kan_edge edge;
    const kan_function *f;
} symbolic_edge;

struct kan_net {
    kan_net_config config; /* defaults filled in */
    kan_penalty penalty;
    kan_model model;
    size_t n_layers;
    layer layers[KAN_MAX_LEVELS - 1];
    uint8_t *edges[KAN_MAX_LEVELS - 1]; /* [n_in][n_out] of each layer: EDGE_SPLINE, .. */
    uint8_t *trainable;                 /* [n_params] */
    double *memory;                     /* theta, then knots and cells of every layer */
    kan_basis *bases;                   /* [sum of n_in] */

    /* Symbolic edges, those of layer l being before[l] .. before[l+1]-1, ascending by (in, out);
     * a, b, c, d of number k are theta[n_spline + 4k ..]. */
    size_t n_spline, n_symbolic, room; /* parameters of the layers; edges; edges that memory is for */
    symbolic_edge *symbolic;           /* [room] */
    size_t before[KAN_MAX_LEVELS];
    bool idle[KAN_MAX_LEVELS - 1]; /* no splines in this layer, in a net with symbolic edges      */
    double *kept;                  /* [n_spline], once there were any: splines that are set aside */
    uint8_t *kept_trainable;       /* [n_spline], and which of their parameters were trainable    */
};

/* Nodes of a level, and the outputs that the layer below it must have. */
size_t net_n_nodes(const kan_net_config *config, size_t level);
size_t net_n_sub(const kan_net_config *config, size_t level);

/* The node of a level that output `sub` of the layer below belongs to: itself, or the product that it is a factor of. */
size_t net_node_of(const kan_net_config *config, size_t level, size_t sub);

/* Memory laid out, grids initial, parameters zero; NULL without memory. */
kan_net *net_alloc_empty(const kan_net_config *config);

/* Memory for `room` symbolic edges at least; moves theta. KAN_ENOMEM, the net being as it was. */
kan_status net_reserve_symbolic(kan_net *net, size_t room);

/* before and idle, after edges became other kinds. */
void net_count_symbolic(kan_net *net);

/* The number of a symbolic edge, or of the first one after it. */
size_t net_find_symbolic(const kan_net *net, kan_edge edge);

/* Makes room for one more and inserts it, with parameters [4] that are trainable; the edge has no spline any
 * more. KAN_ENOMEM. */
kan_status net_insert_symbolic(kan_net *net, kan_edge edge, const kan_function *f,
                               const double *parameters);

/* Gives a net of the same shape without symbolic edges those of another, their parameters and locks, in the same
 * order. KAN_ENOMEM. */
kan_status net_transfer_symbolic(const kan_net *net, kan_net *to);

/* Exchanges the splines of symbolic edges of one input with those that are set aside. */
void net_swap_kept(kan_net *net, size_t l, size_t i);

/* y [batch][n_out] of layer l, splines and symbolic edges, from x [batch][n_in]; values as for
 * symbolic_forward. */
void net_layer_forward(const kan_net *net, size_t l, size_t batch, const double *x, double *y,
                       double *trace, double *values);

/* Values [n][nodes] of the nodes below layer `level` at the samples x [n][n_in], to be freed with kan_work_free (grid.c).
 * NULL without memory. */
double *net_node_values(const kan_net *net, size_t level, size_t n, const double *x, kan_error *error);

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
