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

/* The functions that bend the nodes of an MLP. */
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
 * neither. NaN gives NaN. Errors are those of core/vecmath.h: at most 2 units in the last place, but for slopes
 * near a zero. */
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
