/* mlp/mlp.h - the reference multilayer perceptron.
 *
 * Layer l = 1 .. L maps h_{l-1} [batch][n_in] to
 *
 *     z_l = h_{l-1} W_l + b_l,    h_l = s(z_l),    y = z_L (no activation at the output)
 *
 * theta holds for each layer W_l [n_in][n_out], then b_l [n_out].
 *
 * The products are CBLAS's, which counts in int: a batch has at most INT_MAX samples. Their blocks do
 * not depend on the number of threads, so neither does any result; but a BLAS that starts threads of
 * its own inside each product only slows this down: a program sets it to one thread
 * (OPENBLAS_NUM_THREADS=1, or openblas_set_num_threads(1) before the first call).
 *
 * In a model file layer l = 0 .. L-1 is "mlp.W<l>" [n_in][n_out] and "mlp.b<l>" [n_out];
 * "mlp.trainable", U8 [L], is 0 where a layer is frozen; the texts "mlp.width" ("2,32,1"),
 * "mlp.activation" ("silu"), "mlp.init" ("he", "glorot"), "mlp.precision" ("double", "single"; absent in older
 * files: double) and "mlp.seed" hold the config.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_MLP_MLP_H
#define KAN_MLP_MLP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/file.h"
#include "core/model.h"
#include "core/status.h"
#include "mlp/activation.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

enum { KAN_MLP_MAX_LEVELS = 17 }; /* levels of nodes: 16 layers */

/* How weights start; biases start at zero. */
typedef enum kan_mlp_init {
    KAN_MLP_INIT_AUTO = 0, /* He for silu, relu and gelu, Glorot for tanh and sigmoid                */
    KAN_MLP_INIT_HE,       /* W ~ N(0, 2 / n_in)              (He, Zhang, Ren, Sun 2015)             */
    KAN_MLP_INIT_GLOROT,   /* W ~ U(-a, a), a^2 = 6 / (n_in + n_out)   (Glorot and Bengio 2010)      */
    KAN_MLP_N_INITS
} kan_mlp_init;

/* What is asked for. Every zero means the default in brackets. */
typedef struct kan_mlp_config {
    /* {2, 32, 32, 1}: two inputs, two hidden layers, one output; 0 ends it */
    size_t width[KAN_MLP_MAX_LEVELS + 1];
    kan_activation activation; /* [silu] */
    kan_mlp_init init; /* [KAN_MLP_INIT_AUTO]; the last layer is Glorot in any case, biases are 0 */
    kan_precision precision; /* of what is computed inside, see core/model.h [double]            */
    uint64_t seed; /* each layer draws from a stream of its own                              */
} kan_mlp_config;

/* An MLP, behind the contract of core/model.h. */
typedef struct kan_mlp kan_mlp;

const char *kan_mlp_check(const kan_mlp_config *config); /* NULL, or what is wrong with it           */
kan_mlp *kan_mlp_alloc(const kan_mlp_config *config);    /* a config that passes; NULL without memory */
kan_mlp *kan_mlp_load(const kan_file *file, kan_error *error); /* KAN_EFORMAT, KAN_ENOMEM */
void kan_mlp_free(kan_mlp *mlp);                               /* or NULL */

kan_model *kan_mlp_model(kan_mlp *mlp); /* the contract; owned by mlp */

/* What the MLP is: the config with KAN_MLP_INIT_AUTO resolved. */
const kan_mlp_config *kan_mlp_get_config(const kan_mlp *mlp);

/* Freezes or frees the weights and biases of layer 0 .. L-1. */
void kan_mlp_set_trainable(kan_mlp *mlp, size_t layer, bool trainable);

/* Parameters of an MLP of that shape; SIZE_MAX for more than can be counted. */
size_t kan_mlp_count(const kan_mlp_config *config);

/* Writes C99 that needs math.h, which the caller has included in the text before: static void net(const double *x,
 * double *y), y [n_out] from x [n_in], up to rounding; an MLP of single precision is written in double. */
void kan_mlp_export_c(kan_mlp *mlp, FILE *stream);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
