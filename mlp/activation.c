/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mlp/activation.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "core/vecmath.h"

static const char *const names[KAN_N_ACTIVATIONS] = {"silu", "tanh", "relu", "gelu", "sigmoid"};

const char *kan_activation_name(kan_activation activation) {
    assert(activation < KAN_N_ACTIVATIONS && "an activation of the list");
    return names[activation];
}

kan_activation kan_activation_from_name(const char *name) {
    kan_activation a = KAN_SILU;
    while (a < KAN_N_ACTIVATIONS && strcmp(names[a], name) != 0) ++a;
    return a;
}

/* The comparisons let NaN through. */
static void relu(size_t n, const double *z, double *y, double *slope) {
    for (size_t j = 0; j < n; ++j) {
        const double u = z[j];
        if (slope) slope[j] = u > 0.0 ? 1.0 : u <= 0.0 ? 0.0 : u;
        y[j] = u < 0.0 ? 0.0 : u;
    }
}

static void relu_single(size_t n, const float *z, float *y, float *slope) {
    for (size_t j = 0; j < n; ++j) {
        const float u = z[j];
        if (slope) slope[j] = u > 0.0F ? 1.0F : u <= 0.0F ? 0.0F : u;
        y[j] = u < 0.0F ? 0.0F : u;
    }
}

void kan_activation_eval(kan_activation activation, size_t n, const double *z, double *y,
                         double *slope) {
    switch (activation) {
    case KAN_SILU: kan_vecmath_silu(n, z, 1, y, slope); return;
    case KAN_TANH: kan_vecmath_tanh(n, z, 1, y, slope); return;
    case KAN_RELU: relu(n, z, y, slope); return;
    case KAN_GELU: kan_vecmath_gelu(n, z, 1, y, slope); return;
    case KAN_SIGMOID: kan_vecmath_sigmoid(n, z, 1, y, slope); return;
    case KAN_N_ACTIVATIONS: break;
    }
    assert(false && "an activation of the list");
}

void kan_activation_eval_single(kan_activation activation, size_t n, const float *z, float *y,
                                float *slope) {
    switch (activation) {
    case KAN_SILU: kan_vecmath_silu_single(n, z, 1, y, slope); return;
    case KAN_TANH: kan_vecmath_tanh_single(n, z, 1, y, slope); return;
    case KAN_RELU: relu_single(n, z, y, slope); return;
    case KAN_GELU: kan_vecmath_gelu_single(n, z, 1, y, slope); return;
    case KAN_SIGMOID: kan_vecmath_sigmoid_single(n, z, 1, y, slope); return;
    case KAN_N_ACTIVATIONS: break;
    }
    assert(false && "an activation of the list");
}
