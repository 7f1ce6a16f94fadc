/* mlp/activation.h - the fixed functions of an MLP's nodes.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_MLP_ACTIVATION_H
#define KAN_MLP_ACTIVATION_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef enum kan_activation {
    KAN_SILU = 0, /* z / (1 + e^-z)                                                                */
    KAN_TANH,
    KAN_RELU,    /* max(z, 0); slope 0 at 0                                                        */
    KAN_GELU,    /* z Phi(z), Phi the normal distribution function (exact, not the tanh formula)  */
    KAN_SIGMOID, /* 1 / (1 + e^-z)                                                                */
    KAN_N_ACTIVATIONS
} kan_activation;

/* "silu", "tanh", ..; and back: KAN_N_ACTIVATIONS for a name that is none. */
const char *kan_activation_name(kan_activation activation);
kan_activation kan_activation_from_name(const char *name);

/* y[j] = s(z[j]) and slope[j] = s'(z[j]) for n values; slope may be NULL, y may be z, slope overlaps
 * neither. NaN gives NaN. The error of y is below 4 DBL_EPSILON relative to y, for gelu below
 * (4 + z^2) DBL_EPSILON, but a y below 1e-304 may come out as 0; that of slope is below 4 DBL_EPSILON.
 */
void kan_activation_eval(kan_activation activation, size_t n, const double *z, double *y,
                         double *slope);

/* The same in single precision. */
void kan_activation_eval_single(kan_activation activation, size_t n, const float *z, float *y,
                                float *slope);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
