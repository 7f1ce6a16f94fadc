/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mlp/mlp.h"

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/random.h"
#include "core/work.h"
#include "mlp/mlp_private.h"
#include "mlp/pass_kernel.h"

/* ---- configuration -------------------------------------------------------------------------------- */

size_t mlp_n_levels(const kan_mlp_config *config) {
    size_t n = 0;
    while (n <= KAN_MLP_MAX_LEVELS && config->width[n] > 0) ++n;
    return n;
}

size_t kan_mlp_count(const kan_mlp_config *config) {
    const size_t levels = mlp_n_levels(config);
    size_t count = 0;
    for (size_t l = 0; l + 1 < levels; ++l) {
        const size_t n_in = config->width[l], n_out = config->width[l + 1];
        const size_t n = n_in < SIZE_MAX ? kan_work_product(n_in + 1, n_out) : SIZE_MAX;
        count = n > SIZE_MAX - count ? SIZE_MAX : count + n;
    }
    return count;
}

const char *kan_mlp_check(const kan_mlp_config *config) {
    const size_t levels = mlp_n_levels(config);
    if (levels < 2) return "an MLP needs inputs and outputs: two widths at least";
    if (levels > KAN_MLP_MAX_LEVELS) return "an MLP has at most 16 layers";
    for (size_t level = 0; level < levels; ++level)
        if (config->width[level] > INT_MAX) return "a width of an MLP is too large";
    if (kan_mlp_count(config) > SIZE_MAX / 16) return "an MLP of these widths has too many parameters";
    if ((unsigned)config->activation >= KAN_N_ACTIVATIONS) return "no such activation";
    if ((unsigned)config->init >= KAN_MLP_N_INITS) return "no such initialisation of an MLP";
    if ((unsigned)config->precision >= KAN_N_PRECISIONS) return "no such precision";
    return NULL;
}

static kan_mlp_config with_defaults(const kan_mlp_config *config) {
    kan_mlp_config c = *config;
    const bool saturates = c.activation == KAN_TANH || c.activation == KAN_SIGMOID;
    if (c.init == KAN_MLP_INIT_AUTO) c.init = saturates ? KAN_MLP_INIT_GLOROT : KAN_MLP_INIT_HE;
    return c;
}

/* ---- the contract and construction ---------------------------------------------------------------- */

KAN_KERNEL_DECLARE(double, pass_kernel, pass_kernel);
KAN_KERNEL_DECLARE(single, pass_kernel, pass_kernel);

static const pass_kernel *kernel_of(const kan_mlp *mlp) {
    return mlp->config.precision == KAN_SINGLE ? KAN_KERNEL_GET(single, pass_kernel)
                                               : KAN_KERNEL_GET(double, pass_kernel);
}

static void forward(const void *self, size_t batch, const double *x, double *y, double *work) {
    const kan_mlp *mlp = self;
    kernel_of(mlp)->forward(mlp, batch, x, y, work);
}

static void backward(const void *self, size_t batch, const double *x, const double *dy, double *grad,
                     double *dx, double *work) {
    const kan_mlp *mlp = self;
    kernel_of(mlp)->backward(mlp, batch, x, dy, false, grad, dx, work);
}

static void gradient(const void *self, size_t batch, const double *x, const double *dy, double *grad,
                     double *dx, double *work) {
    const kan_mlp *mlp = self;
    kernel_of(mlp)->backward(mlp, batch, x, dy, true, grad, dx, work);
}

static size_t work_size(const void *self, size_t batch) {
    const kan_mlp *mlp = self;
    const size_t samples = kan_work_product(batch, mlp->work_per_sample);
    if (samples > SIZE_MAX - mlp->work_shared) return SIZE_MAX;
    const size_t values = mlp->work_shared + samples;
    return mlp->config.precision == KAN_SINGLE ? values / 2 + values % 2 : values;
}

static const kan_model_ops mlp_ops = {.name = "mlp",
                                      .work_size = work_size,
                                      .forward = forward,
                                      .backward = backward,
                                      .gradient = gradient,
                                      .jacobian_runs = mlp_jacobian_runs,
                                      .jacobian_work_size = mlp_jacobian_work_size,
                                      .jacobian = mlp_jacobian,
                                      .save = mlp_save};

/* Places of the parameters in theta and of the levels in work. */
static void lay_out(kan_mlp *mlp) {
    const bool single = mlp->config.precision == KAN_SINGLE;
    const size_t *width = mlp->config.width;
    size_t weights_at = 0, work_at = 0;
    for (size_t l = 0; l < mlp->n_layers; ++l) {
        mlp->weights_at[l] = weights_at;
        weights_at += (width[l] + 1) * width[l + 1];
    }
    for (size_t level = 0; level <= mlp->n_layers; ++level) {
        const bool hidden = level > 0 && level < mlp->n_layers;
        mlp->h_at[level] = mlp->slope_at[level] = work_at;
        if (hidden || single) work_at += width[level];
        if (hidden) mlp->slope_at[level] = work_at, work_at += width[level];
        if ((hidden || (single && level == 0)) && width[level] > mlp->product_width)
            mlp->product_width = width[level];
    }
    mlp->product_at = work_at;
    mlp->work_per_sample = work_at + mlp->product_width;
    mlp->work_shared = single ? 2 * mlp->model.n_params : 0;
}

kan_mlp *mlp_alloc_zero(const kan_mlp_config *config) {
    const size_t n_params = kan_mlp_count(config), flags = n_params / sizeof(double) + 1;
    kan_mlp *mlp = calloc(1, sizeof *mlp);
    double *memory = kan_work_alloc(n_params + flags);
    if (!mlp || !memory) {
        kan_work_free(memory);
        free(mlp);
        return NULL;
    }
    mlp->config = with_defaults(config);
    mlp->n_layers = mlp_n_levels(config) - 1;
    mlp->memory = memory;
    mlp->model = (kan_model){.ops = &mlp_ops,
                             .self = mlp,
                             .n_in = config->width[0],
                             .n_out = config->width[mlp->n_layers],
                             .n_params = n_params,
                             .theta = memory,
                             .trainable = (uint8_t *)(memory + n_params)};
    memset(memory + n_params, 1, n_params);
    lay_out(mlp);
    return mlp;
}

/* The weights of one layer; its biases stay zero. Streams of random numbers are "mlp" in ASCII and the
 * layer, so that they meet no other use of the same seed. */
static void draw_weights(kan_mlp *mlp, size_t l) {
    const size_t n_in = mlp->config.width[l], n_out = mlp->config.width[l + 1];
    const bool he = mlp->config.init == KAN_MLP_INIT_HE && l + 1 < mlp->n_layers;
    const double sd = sqrt(2.0 / (double)n_in), a = sqrt(6.0 / ((double)n_in + (double)n_out));
    kan_random random = kan_random_seed(mlp->config.seed, (UINT64_C(0x6d6c70) << 8) + l);
    double *w = mlp->model.theta + mlp->weights_at[l];
    for (size_t j = 0; j < n_in * n_out; ++j)
        w[j] = he ? sd * kan_random_normal(&random) : a * (2.0 * kan_random_uniform(&random) - 1.0);
}

kan_mlp *kan_mlp_alloc(const kan_mlp_config *config) {
    assert(!kan_mlp_check(config) && "a config that kan_mlp_check accepts");
    kan_mlp *mlp = mlp_alloc_zero(config);
    if (!mlp) return NULL;
    for (size_t l = 0; l < mlp->n_layers; ++l) draw_weights(mlp, l);
    return mlp;
}

void kan_mlp_free(kan_mlp *mlp) {
    if (!mlp) return;
    kan_work_free(mlp->memory);
    free(mlp);
}

kan_model *kan_mlp_model(kan_mlp *mlp) {
    return &mlp->model;
}

const kan_mlp_config *kan_mlp_get_config(const kan_mlp *mlp) {
    return &mlp->config;
}

void kan_mlp_set_trainable(kan_mlp *mlp, size_t layer, bool trainable) {
    assert(layer < mlp->n_layers && "layer 0 .. L-1");
    const size_t n_in = mlp->config.width[layer], n_out = mlp->config.width[layer + 1];
    uint8_t *flags = (uint8_t *)(mlp->memory + mlp->model.n_params);
    memset(flags + mlp->weights_at[layer], trainable, (n_in + 1) * n_out);
}
