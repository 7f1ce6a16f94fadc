/* train/vector_kernel.h - private: the table of train/vector_kernel.c, loops over long arrays of doubles.
 *
 * Sums are in an order that depends on the length and the instruction set alone.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_TRAIN_VECTOR_KERNEL_H
#define KAN_TRAIN_VECTOR_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#include "core/kernel.h"

/* The constants of one step of Adam: the bias corrections are c1 = 1 / (1 - beta1^t), c2 = 1 / (1 - beta2^t). */
typedef struct adam_constants {
    double beta1, beta2, c1, c2, epsilon, rate, decay;
} adam_constants;

typedef struct vector_kernel {
    /* a.b */
    double (*dot)(size_t n, const double *a, const double *b);
    /* y += c x */
    void (*add)(size_t n, double c, const double *x, double *y);
    /* y += c x, then y.z, in one pass */
    double (*add_then_dot)(size_t n, double c, const double *x, double *y, const double *z);
    /* y = x + c p */
    void (*move)(size_t n, const double *x, double c, const double *p, double *y);
    /* y = c x; x may be y */
    void (*scale)(size_t n, double c, const double *x, double *y);
    /* the largest |x|, of which NaN is none */
    double (*max_norm)(size_t n, const double *x);
    /* the sum of r^2, r = y_hat - y; unless dy is NULL, dy = slope r */
    double (*squares)(size_t n, const double *y_hat, const double *y, double slope, double *dy);
    /* train/adam.h; trainable may be NULL */
    void (*adam)(const adam_constants *k, size_t n, const double *grad, const uint8_t *trainable,
                 double *m, double *v, double *theta);
} vector_kernel;

#endif
