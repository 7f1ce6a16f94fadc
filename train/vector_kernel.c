/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/vector_kernel.h"

#include <float.h>
#include <math.h>
#include <string.h>
#ifdef __AVX512F__
#include <immintrin.h>
#endif

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

/* a / (sqrt(z) + epsilon), z >= 0. */
#ifdef __AVX512F__
/* Square root and division of the processor take two thirds of the time of a step. Newton's iteration from its
 * approximations to 14 bits gives the same to the last bit or two: y ~ 1/sqrt(z), s = z y + y (z - (z y)^2) / 2;
 * q ~ 1/(s + epsilon). */
static inline vec quotient(vec a, vec z, double epsilon) {
    const __m512d least = _mm512_set1_pd(DBL_MIN), most = _mm512_set1_pd(DBL_MAX);
    z = (vec)_mm512_min_pd(most, _mm512_max_pd(least, (__m512d)z)); /* NaN, which is second, stays */
    vec y = (vec)_mm512_rsqrt14_pd((__m512d)z), s = z * y;
    y += 0.5 * y * (1.0 - s * y);
    s = z * y;
    s += 0.5 * y * (z - s * s);
    const vec d = s + epsilon;
    vec q = (vec)_mm512_rcp14_pd((__m512d)d);
    q += q * (1.0 - d * q);
    const vec result = a * q;
    return result + q * (a - result * d);
}
#else
static inline vec quotient(vec a, vec z, double epsilon) {
    for (size_t k = 0; k < LANES; ++k) a[k] /= sqrt(z[k]) + epsilon;
    return a;
}
#endif

/* The entries from p on: the moments in place, and where theta goes. */
static inline vec moved(const adam_constants *k, vec g, double *m, double *v, vec theta) {
    const vec m_new = k->beta1 * load(m) + (1.0 - k->beta1) * g;
    const vec v_new = k->beta2 * load(v) + (1.0 - k->beta2) * (g * g);
    store(m, m_new);
    store(v, v_new);
    return theta - k->rate * (quotient(m_new * k->c1, v_new * k->c2, k->epsilon) + k->decay * theta);
}

static void move_all(const adam_constants *k, size_t n, const double *grad, double *m, double *v,
                     double *theta) {
    for (size_t p = 0; p < n; p += LANES)
        store(theta + p, moved(k, load(grad + p), m + p, v + p, load(theta + p)));
}

/* A frozen entry counts as one without a gradient. Both sides of each choice are computed first, so
 * that the loop has no branches. */
static void move_trainable(const adam_constants *k, size_t n, const double *grad,
                           const uint8_t *trainable, double *m, double *v, double *theta) {
    for (size_t p = 0; p < n; p += LANES) {
        vec g = load(grad + p);
        const vec old = load(theta + p);
        for (size_t j = 0; j < LANES; ++j) g[j] = trainable[p + j] ? g[j] : 0.0;
        vec new = moved(k, g, m + p, v + p, old);
        for (size_t j = 0; j < LANES; ++j) new[j] = trainable[p + j] ? new[j] : old[j];
        store(theta + p, new);
    }
}

/* What fills no whole vector goes through copies, so that an entry moves alike wherever it lies. */
static void move_rest(const adam_constants *k, size_t n, const double *grad, const uint8_t *trainable,
                      double *m, double *v, double *theta) {
    double g[LANES] = {0.0}, m_copy[LANES] = {0.0}, v_copy[LANES] = {0.0}, copy[LANES] = {0.0};
    for (size_t j = 0; j < n; ++j) {
        g[j] = trainable && !trainable[j] ? 0.0 : grad[j];
        m_copy[j] = m[j], v_copy[j] = v[j], copy[j] = theta[j];
    }
    move_all(k, LANES, g, m_copy, v_copy, copy);
    for (size_t j = 0; j < n; ++j) {
        m[j] = m_copy[j], v[j] = v_copy[j];
        theta[j] = trainable && !trainable[j] ? theta[j] : copy[j];
    }
}

static void adam(const adam_constants *k, size_t n, const double *grad, const uint8_t *trainable,
                 double *m, double *v, double *theta) {
    const size_t whole = n / LANES * LANES;
    if (trainable)
        move_trainable(k, whole, grad, trainable, m, v, theta);
    else
        move_all(k, whole, grad, m, v, theta);
    move_rest(k, n - whole, grad + whole, trainable ? trainable + whole : NULL, m + whole, v + whole,
              theta + whole);
}

const vector_kernel KAN_KERNEL(vector_kernel) = {.dot = dot,
                                                 .add = add,
                                                 .add_then_dot = add_then_dot,
                                                 .move = move,
                                                 .scale = scale,
                                                 .max_norm = max_norm,
                                                 .squares = squares,
                                                 .adam = adam};
