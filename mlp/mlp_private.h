/* mlp/mlp_private.h - what the files of the MLP share.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_MLP_MLP_PRIVATE_H
#define KAN_MLP_MLP_PRIVATE_H

#include "mlp/mlp.h"

enum { MLP_MAX_LAYERS = KAN_MLP_MAX_LEVELS - 1 };

/* Levels of nodes count from 0, the inputs; layer l = 0 .. n_layers-1 joins level l to level l + 1. */
struct kan_mlp {
    kan_mlp_config config;
    kan_model model;
    size_t n_layers;
    size_t weights_at[MLP_MAX_LAYERS]; /* of W in theta; b follows W */
    /* Work holds values of the config's precision: in single precision first theta and the sums of its
     * gradient, which is work_shared values; then [batch][nodes] arrays, each `batch` times these behind
     * them: h and s'(z) of the hidden levels, in single precision also x, y and dy; and the products of
     * the backward pass, [batch][widest level]. */
    size_t work_shared, work_per_sample;
    size_t h_at[KAN_MLP_MAX_LEVELS], slope_at[KAN_MLP_MAX_LEVELS], product_at, product_width;
    double *memory; /* theta, and behind it the bytes of model.trainable */
};

/* Levels of a config; more than KAN_MLP_MAX_LEVELS where it is not ended. */
size_t mlp_n_levels(const kan_mlp_config *config);

/* An MLP with zeros for parameters, all of them trainable; NULL without memory. */
kan_mlp *mlp_alloc_zero(const kan_mlp_config *config);

/* The structured Jacobian of the contract (mlp/jacobian.c). */
size_t mlp_jacobian_runs(const void *self, size_t *lengths);
size_t mlp_jacobian_work_size(const void *self, size_t batch);
void mlp_jacobian(const void *self, size_t batch, const double *x, double *y, uint32_t *starts,
                  double *values, double *work);

/* The operation of the contract (mlp/mlp_file.c). */
kan_status mlp_save(const void *self, kan_file *file, kan_error *error);

#endif
