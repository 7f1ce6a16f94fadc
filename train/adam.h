/* train/adam.h - Adam with decoupled weight decay (Kingma and Ba 2015; Loshchilov and Hutter 2019).
 *
 * Step t = 1, 2, .. with gradient g and rate a:
 *
 *     m = beta1 m + (1 - beta1) g          v = beta2 v + (1 - beta2) g^2
 *     theta -= a ( m / (1 - beta1^t) / ( sqrt(v / (1 - beta2^t)) + epsilon ) + decay theta )
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_TRAIN_ADAM_H
#define KAN_TRAIN_ADAM_H

#include <stddef.h>
#include <stdint.h>

#include "core/snapshot.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* The settings of Adam. */
typedef struct kan_adam_options {
    double beta1, beta2, epsilon; /* 0: 0.9, 0.999, 1e-8 */
    double decay;                 /* decoupled weight decay, 0: none */
} kan_adam_options;

/* Open state, so that it can be saved and restored: t and the two moments [n]. */
typedef struct kan_adam {
    kan_adam_options options; /* defaults filled in */
    size_t n, t;
    double *m, *v;
} kan_adam;

kan_adam *kan_adam_alloc(size_t n, const kan_adam_options *options); /* NULL when memory is short */
void kan_adam_free(kan_adam *adam);                                  /* or NULL */
void kan_adam_reset(kan_adam *adam);                                 /* t = 0, moments zero */

/* Moves theta [n] against grad [n]; entries with trainable[p] == 0 stay (trainable NULL: all move). */
void kan_adam_step(kan_adam *adam, double rate, const double *grad, const uint8_t *trainable,
                   double *theta);

/* The state, to go on from to the same bits (core/snapshot.h). */
void kan_adam_snapshot(kan_adam *adam, kan_snapshot *s);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
