/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/vector_kernel.h"

#include <math.h>
#include <string.h>

/* Vectors that a sum keeps apart, so that additions need not wait for each other, and the numbers in them. */
enum { CHAINS = 4, STRIDE = CHAINS * LANES };

static inline vec load(const double *x) {
    return *(const vec_unaligned *)x;
}

static inline void store(double *x, vec v) {
    *(vec_unaligned *)x = v;
}

/* The lanes of all chains, added up as a tree. */
static inline double total(const vec sum[CHAINS]) {
    vec v = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    double lane[LANES];
    memcpy(lane, &v, sizeof v);
    for (size_t width = LANES / 2; width > 0; width /= 2)
        for (size_t k = 0; k < width; ++k) lane[k] += lane[k + width];
    return lane[0];
}

static double dot(size_t n, const double *a, const double *b) {
    vec sum[CHAINS] = {{0}};
    double rest = 0.0;
    size_t i = 0;
    for (; i + STRIDE <= n; i += STRIDE)
        for (size_t k = 0; k < CHAINS; ++k) sum[k] += load(a + i + k * LANES) * load(b + i + k * LANES);
    for (; i + LANES <= n; i += LANES) sum[0] += load(a + i) * load(b + i);
    for (; i < n; ++i) rest += a[i] * b[i];
    return total(sum) + rest;
}

static void add(size_t n, double c, const double *restrict x, double *restrict y) {
    for (size_t i = 0; i < n; ++i) y[i] += c * x[i];
}

static double add_then_dot(size_t n, double c, const double *x, double *y, const double *z) {
    vec sum[CHAINS] = {{0}};
    double rest = 0.0;
    size_t i = 0;
    for (; i + STRIDE <= n; i += STRIDE)
        for (size_t k = 0; k < CHAINS; ++k) {
            const size_t j = i + k * LANES;
            const vec v = load(y + j) + c * load(x + j);
            store(y + j, v);
            sum[k] += v * load(z + j);
        }
    for (; i + LANES <= n; i += LANES) {
        const vec v = load(y + i) + c * load(x + i);
        store(y + i, v);
        sum[0] += v * load(z + i);
    }
    for (; i < n; ++i) {
        y[i] += c * x[i];
        rest += y[i] * z[i];
    }
    return total(sum) + rest;
}

static void move(size_t n, const double *restrict x, double c, const double *restrict p,
                 double *restrict y) {
    for (size_t i = 0; i < n; ++i) y[i] = x[i] + c * p[i];
}

static void scale(size_t n, double c, const double *x, double *y) {
    for (size_t i = 0; i < n; ++i) y[i] = c * x[i];
}

/* A maximum is the same in any order, so lane k takes the entries k, k + STRIDE, .. */
static double max_norm(size_t n, const double *x) {
    double lane[STRIDE] = {0}, largest = 0.0;
    size_t i = 0;
    for (; i + STRIDE <= n; i += STRIDE)
        for (size_t k = 0; k < STRIDE; ++k) {
            const double u = fabs(x[i + k]);
            lane[k] = u > lane[k] ? u : lane[k];
        }
    for (; i < n; ++i) largest = fabs(x[i]) > largest ? fabs(x[i]) : largest;
    for (size_t k = 0; k < STRIDE; ++k) largest = lane[k] > largest ? lane[k] : largest;
    return largest;
}

static double squares(size_t n, const double *y_hat, const double *y, double slope, double *dy) {
    vec sum[CHAINS] = {{0}};
    double rest = 0.0;
    size_t i = 0;
    for (; i + STRIDE <= n; i += STRIDE)
        for (size_t k = 0; k < CHAINS; ++k) {
            const size_t j = i + k * LANES;
            const vec r = load(y_hat + j) - load(y + j);
            sum[k] += r * r;
            if (dy) store(dy + j, slope * r);
        }
    for (; i < n; ++i) {
        const double r = y_hat[i] - y[i];
        rest += r * r;
        if (dy) dy[i] = slope * r;
    }
    return total(sum) + rest;
}

/* One entry: the moments in place, and where theta goes. */
static inline double moved(const adam_constants *k, double g, double *m, double *v, double theta) {
    *m = k->beta1 * *m + (1.0 - k->beta1) * g;
    *v = k->beta2 * *v + (1.0 - k->beta2) * (g * g);
    return theta - k->rate * (*m * k->c1 / (sqrt(*v * k->c2) + k->epsilon) + k->decay * theta);
}

static void move_all(const adam_constants *step, size_t n, const double *restrict grad,
                     double *restrict m, double *restrict v, double *restrict theta) {
    const adam_constants k = *step;
    for (size_t p = 0; p < n; ++p) theta[p] = moved(&k, grad[p], m + p, v + p, theta[p]);
}

/* A frozen entry counts as one without a gradient. Both sides of each choice are computed first, so
 * that the loop has no branches. */
static void move_trainable(const adam_constants *step, size_t n, const double *restrict grad,
                           const uint8_t *restrict trainable, double *restrict m, double *restrict v,
                           double *restrict theta) {
    const adam_constants k = *step;
    for (size_t p = 0; p < n; ++p) {
        const double g = grad[p], old = theta[p];
        const double new = moved(&k, trainable[p] ? g : 0.0, m + p, v + p, old);
        theta[p] = trainable[p] ? new : old;
    }
}

static void adam(const adam_constants *k, size_t n, const double *grad, const uint8_t *trainable,
                 double *m, double *v, double *theta) {
    if (trainable)
        move_trainable(k, n, grad, trainable, m, v, theta);
    else
        move_all(k, n, grad, m, v, theta);
}

const vector_kernel KAN_KERNEL(vector_kernel) = {.dot = dot,
                                                 .add = add,
                                                 .add_then_dot = add_then_dot,
                                                 .move = move,
                                                 .scale = scale,
                                                 .max_norm = max_norm,
                                                 .squares = squares,
                                                 .adam = adam};
