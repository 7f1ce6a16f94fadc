/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mlp/mlp.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/work.h"
#include "mlp/mlp_private.h"

static const char *const init_names[KAN_MLP_N_INITS] = {"auto", "he", "glorot"};

enum { NAME_SIZE = 32, WIDTH_SIZE = 21 * KAN_MLP_MAX_LEVELS };

/* Adds W and b of one layer. */
static kan_status save_layer(const kan_mlp *mlp, size_t l, kan_file *file, kan_error *error) {
    const size_t *shape = mlp->config.width + l; /* n_in, n_out */
    const double *w = mlp->model.theta + mlp->weights_at[l];
    char name[NAME_SIZE];
    snprintf(name, sizeof name, "mlp.W%zu", l);
    kan_status status = kan_file_add(file, name, KAN_F64, 2, shape, w, error);
    snprintf(name, sizeof name, "mlp.b%zu", l);
    if (status == KAN_OK)
        status = kan_file_add(file, name, KAN_F64, 1, shape + 1, w + shape[0] * shape[1], error);
    return status;
}

static kan_status save_config(const kan_mlp_config *config, kan_file *file, kan_error *error) {
    char width[WIDTH_SIZE], seed[WIDTH_SIZE];
    int at = snprintf(width, sizeof width, "%zu", config->width[0]);
    for (size_t level = 1; level < mlp_n_levels(config); ++level)
        at += snprintf(width + at, sizeof width - (size_t)at, ",%zu", config->width[level]);
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)config->seed);

    const char *activation = kan_activation_name(config->activation), *init = init_names[config->init],
               *precision = kan_model_precision_name(config->precision);
    kan_status status = kan_file_set(file, "mlp.width", width, error);
    if (status == KAN_OK) status = kan_file_set(file, "mlp.activation", activation, error);
    if (status == KAN_OK) status = kan_file_set(file, "mlp.init", init, error);
    if (status == KAN_OK) status = kan_file_set(file, "mlp.precision", precision, error);
    if (status == KAN_OK) status = kan_file_set(file, "mlp.seed", seed, error);
    return status;
}

kan_status mlp_save(const void *self, kan_file *file, kan_error *error) {
    const kan_mlp *mlp = self;
    uint8_t trainable[MLP_MAX_LAYERS];
    kan_status status = save_config(&mlp->config, file, error);
    for (size_t l = 0; l < mlp->n_layers && status == KAN_OK; ++l) {
        trainable[l] = mlp->model.trainable[mlp->weights_at[l]];
        status = save_layer(mlp, l, file, error);
    }
    if (status != KAN_OK) return status;
    return kan_file_add(file, "mlp.trainable", KAN_U8, 1, &mlp->n_layers, trainable, error);
}

/* The digits at *text as a number of at most max; moves *text behind them. */
static bool read_number(const char **text, uint64_t max, uint64_t *value) {
    const char *c = *text;
    *value = 0;
    for (; *c >= '0' && *c <= '9'; ++c) {
        const uint64_t digit = (uint64_t)(*c - '0');
        if (*value > max / 10 || *value * 10 > max - digit) return false;
        *value = *value * 10 + digit;
    }
    const bool any = c != *text;
    *text = c;
    return any;
}

/* "2,32,1" */
static bool read_width(const char *text, size_t width[KAN_MLP_MAX_LEVELS + 1]) {
    for (size_t level = 0; level < KAN_MLP_MAX_LEVELS; ++level, ++text) {
        uint64_t value;
        if (!read_number(&text, INT_MAX, &value) || value == 0) return false;
        width[level] = (size_t)value;
        if (*text != ',') return *text == '\0';
    }
    return false;
}

/* A text that has to be there. */
static const char *find_text(const kan_file *file, const char *name, kan_error *error) {
    const char *text = kan_file_get(file, name);
    if (!text) kan_status_fail(error, KAN_EFORMAT, "\"%s\" is missing", name);
    return text;
}

static kan_status read_config(const kan_file *file, kan_mlp_config *config, kan_error *error) {
    const char *kind = find_text(file, "model", error);
    if (kind && strcmp(kind, "mlp") != 0)
        return kan_status_fail(error, KAN_EFORMAT, "\"model\": \"%.99s\" is not \"mlp\"", kind);
    const char *width = kind ? find_text(file, "mlp.width", error) : NULL;
    const char *activation = width ? find_text(file, "mlp.activation", error) : NULL;
    const char *init = activation ? find_text(file, "mlp.init", error) : NULL;
    const char *seed = init ? find_text(file, "mlp.seed", error) : NULL;
    const char *precision = kan_file_get(file, "mlp.precision"); /* older files have none: double */
    if (!seed) return KAN_EFORMAT;

    *config = (kan_mlp_config){.activation = kan_activation_from_name(activation)};
    if (!read_width(width, config->width))
        return kan_status_fail(error, KAN_EFORMAT, "\"mlp.width\": \"%.99s\" is no list of widths",
                               width);
    if (config->activation == KAN_N_ACTIVATIONS)
        return kan_status_fail(error, KAN_EFORMAT,
                               "\"mlp.activation\": no activation is named \"%.99s\"", activation);
    while (config->init < KAN_MLP_N_INITS && strcmp(init_names[config->init], init) != 0)
        ++config->init;
    if (config->init == KAN_MLP_N_INITS)
        return kan_status_fail(error, KAN_EFORMAT, "\"mlp.init\": no initialisation is named \"%.99s\"",
                               init);
    if (precision) config->precision = kan_model_precision_from_name(precision);
    if (config->precision == KAN_N_PRECISIONS)
        return kan_status_fail(error, KAN_EFORMAT, "\"mlp.precision\": no precision is named \"%.99s\"",
                               precision);
    const char *end = seed;
    if (!read_number(&end, UINT64_MAX, &config->seed) || *end != '\0')
        return kan_status_fail(error, KAN_EFORMAT, "\"mlp.seed\": \"%.99s\" is no seed", seed);
    const char *problem = kan_mlp_check(config);
    if (problem) return kan_status_fail(error, KAN_EFORMAT, "\"mlp.width\": %s", problem);
    return KAN_OK;
}

/* A tensor of finite numbers. */
static const double *find_numbers(const kan_file *file, const char *name, size_t n_dims,
                                  const size_t *shape, kan_error *error) {
    const double *values = kan_file_find(file, name, KAN_F64, n_dims, shape, error);
    const size_t n = n_dims == 1 ? shape[0] : kan_work_product(shape[0], shape[1]);
    for (size_t j = 0; values && j < n; ++j)
        if (!isfinite(values[j])) {
            kan_status_fail(error, KAN_EFORMAT, "\"%s\": entry %zu is not finite", name, j);
            return NULL;
        }
    return values;
}

/* W and b of one layer, views into the file. */
typedef struct stored_layer {
    const double *w, *b;
} stored_layer;

static stored_layer find_layer(const kan_file *file, const kan_mlp_config *config, size_t l,
                               kan_error *error) {
    const size_t *shape = config->width + l;
    stored_layer layer = {NULL, NULL};
    char name[NAME_SIZE];
    snprintf(name, sizeof name, "mlp.W%zu", l);
    layer.w = find_numbers(file, name, 2, shape, error);
    snprintf(name, sizeof name, "mlp.b%zu", l);
    if (layer.w) layer.b = find_numbers(file, name, 1, shape + 1, error);
    return layer;
}

static const uint8_t *find_trainable(const kan_file *file, size_t n_layers, kan_error *error) {
    const uint8_t *trainable = kan_file_find(file, "mlp.trainable", KAN_U8, 1, &n_layers, error);
    for (size_t l = 0; trainable && l < n_layers; ++l)
        if (trainable[l] > 1) {
            kan_status_fail(error, KAN_EFORMAT, "\"mlp.trainable\": entry %zu is %u, not 0 or 1", l,
                            (unsigned)trainable[l]);
            return NULL;
        }
    return trainable;
}

kan_mlp *kan_mlp_load(const kan_file *file, kan_error *error) {
    kan_mlp_config config;
    stored_layer layers[MLP_MAX_LAYERS];
    if (read_config(file, &config, error) != KAN_OK) return NULL;

    /* All tensors are found before anything is allocated: a file cannot ask for more than it holds. */
    const size_t n_layers = mlp_n_levels(&config) - 1;
    const uint8_t *trainable = find_trainable(file, n_layers, error);
    if (!trainable) return NULL;
    for (size_t l = 0; l < n_layers; ++l) {
        layers[l] = find_layer(file, &config, l, error);
        if (!layers[l].b) return NULL;
    }

    kan_mlp *mlp = mlp_alloc_zero(&config);
    if (!mlp) {
        kan_status_fail(error, KAN_ENOMEM, "no memory for an MLP");
        return NULL;
    }
    for (size_t l = 0; l < n_layers; ++l) {
        const size_t n_in = config.width[l], n_out = config.width[l + 1];
        double *w = mlp->model.theta + mlp->weights_at[l];
        memcpy(w, layers[l].w, n_in * n_out * sizeof *w);
        memcpy(w + n_in * n_out, layers[l].b, n_out * sizeof *w);
        kan_mlp_set_trainable(mlp, l, trainable[l]);
    }
    return mlp;
}
