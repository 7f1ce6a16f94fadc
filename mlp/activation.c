/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mlp/activation.h"

#include <assert.h>
#include <math.h>
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

/* y = z Phi(z), y' = Phi(z) + z phi(z), with
 *     Phi(z) = erfc(-z / sqrt 2) / 2,    phi(z) = e^(-z^2 / 2) / sqrt(2 pi)
 * Beyond 40 both have reached their limits, and infinities must not meet a zero. */
static void gelu(size_t n, const double *z, double *y, double *slope) {
    const double sqrt_half = 0.70710678118654752440, one_over_sqrt_2_pi = 0.39894228040143267794;
    for (size_t j = 0; j < n; ++j) {
        const double u = z[j], v = u < -40.0 ? -40.0 : u, phi_cdf = 0.5 * erfc(-v * sqrt_half);
        if (slope) slope[j] = phi_cdf + (v > 40.0 ? 0.0 : v * one_over_sqrt_2_pi * exp(-0.5 * v * v));
        y[j] = v * phi_cdf;
    }
}

void kan_activation_eval(kan_activation activation, size_t n, const double *z, double *y,
                         double *slope) {
    switch (activation) {
    case KAN_SILU: kan_vecmath_silu(n, z, 1, y, slope); return;
    case KAN_TANH: kan_vecmath_tanh(n, z, 1, y, slope); return;
    case KAN_RELU: relu(n, z, y, slope); return;
    case KAN_GELU: gelu(n, z, y, slope); return;
    case KAN_SIGMOID: kan_vecmath_sigmoid(n, z, 1, y, slope); return;
    case KAN_N_ACTIVATIONS: break;
    }
    assert(false && "an activation of the list");
}

/* By way of the double precision. */
void kan_activation_eval_single(kan_activation activation, size_t n, const float *z, float *y,
                                float *slope) {
    enum { TILE = 64 };
    double v[TILE], d[TILE];
    for (size_t begin = 0; begin < n; begin += TILE) {
        const size_t m = n - begin < TILE ? n - begin : TILE;
        for (size_t j = 0; j < m; ++j) v[j] = (double)z[begin + j];
        kan_activation_eval(activation, m, v, v, slope ? d : NULL);
        for (size_t j = 0; j < m; ++j) y[begin + j] = (float)v[j];
        for (size_t j = 0; slope && j < m; ++j) slope[begin + j] = (float)d[j];
    }
}
