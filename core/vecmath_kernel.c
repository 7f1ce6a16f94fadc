/* core/vecmath_kernel.c - the loops behind core/vecmath.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/vecmath_kernel.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* e^-range is just above the smallest normal number, and e^range is finite. */
static const double range = 708.39;

/* e^r - 1 for |r| <= 0.347, by the Taylor polynomial of degree 13, whose remainder 0.347^14 / 14! is
 * below 5e-18 r. */
static inline double expm1_near_0(double r) {
    /* Estrin's tree: half the depth of Horner's chain, whose every addition waits for the one before */
    const double r2 = r * r, r4 = r2 * r2;
    const double a = (0.5 + r * (1.0 / 6.0)) + r2 * (1.0 / 24.0 + r * (1.0 / 120.0));
    const double b = (1.0 / 720.0 + r * (1.0 / 5040.0)) + r2 * (1.0 / 40320.0 + r * (1.0 / 362880.0));
    const double c = (1.0 / 3628800.0 + r * (1.0 / 39916800.0)) +
                     r2 * (1.0 / 479001600.0 + r * (1.0 / 6227020800.0));
    return r + r2 * (a + r4 * (b + r4 * c));
}

/* e^x = power (1 + p) for |x| <= range: with n the integer nearest to x / log 2 and r = x - n log 2,
 * |r| <= 0.347, power = 2^n and p = e^r - 1. log 2 is split in two (Cody and Waite), so that n times
 * its first part is exact. */
static inline double exp_parts(double x, double *power) {
    const double log2_e = 0x1.71547652b82fep0, log_2_high = 0x1.62e42fefa0000p-1,
                 log_2_low = 0x1.cf79abc9e3b3ap-40;
    /* adding it rounds to an integer and leaves that in the low bits */
    const double shifter = 0x1.8p52;
    const double shifted = x * log2_e + shifter, n = shifted - shifter;
    uint64_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 1023) << 52;
    memcpy(power, &bits, sizeof bits);
    return expm1_near_0((x - n * log_2_high) - n * log_2_low);
}

/* x held within [-range, range]; the comparisons let NaN through. */
static inline double clamp(double x) {
    x = x < -range ? -range : x;
    return x > range ? range : x;
}

/* The logistic function s = 1 / (1 + e), e = e^-x. Then 1 - s = e s, without cancellation. */
static inline double sigmoid(double x, double *e) {
    double power;
    const double p = exp_parts(-clamp(x), &power);
    *e = power + power * p;
    return x < -range ? 0.0 : 1.0 / (1.0 + *e);
}

/* t = e^(2 |x|) - 1, with every digit also near 0, where power is 1. */
static inline double expm1_of_twice(double x) {
    const double u = 2.0 * fabs(x);
    double power;
    const double p = exp_parts(u > range ? range : u, &power);
    return power * p + (power - 1.0);
}

/* Copies up to TILE of the remaining values to u and returns how many. A compiler knows that a local
 * array is not y, so the loops below are vectorised also where x is y, and for any stride. */
enum { TILE = 64 };
static inline size_t load(size_t n_left, const double *x, size_t stride, double *u) {
    const size_t m = n_left < TILE ? n_left : TILE;
    for (size_t j = 0; j < m; ++j) u[j] = x[j * stride];
    return m;
}

static void vec_sigmoid(size_t n, const double *x, size_t stride, double *y, double *slope) {
    double u[TILE], e;
    for (size_t begin = 0; begin < n; begin += TILE) {
        const size_t m = load(n - begin, x + begin * stride, stride, u);
        if (slope) /* s' = s (1 - s) */
            for (size_t j = 0; j < m; ++j) {
                const double s = sigmoid(u[j], &e);
                slope[begin + j] = s * (e * s);
                y[begin + j] = s;
            }
        else
            for (size_t j = 0; j < m; ++j) y[begin + j] = sigmoid(u[j], &e);
    }
}

static void vec_silu(size_t n, const double *x, size_t stride, double *y, double *slope) {
    /* Below -range s is 0, and a finite factor keeps minus infinity from making that NaN. */
    double u[TILE], e;
    for (size_t begin = 0; begin < n; begin += TILE) {
        const size_t m = load(n - begin, x + begin * stride, stride, u);
        if (slope) /* (x s)' = s + x s (1 - s) */
            for (size_t j = 0; j < m; ++j) {
                const double s = sigmoid(u[j], &e);
                slope[begin + j] = s * (1.0 + clamp(u[j]) * (e * s));
                y[begin + j] = (u[j] < -range ? -range : u[j]) * s;
            }
        else
            for (size_t j = 0; j < m; ++j)
                y[begin + j] = (u[j] < -range ? -range : u[j]) * sigmoid(u[j], &e);
    }
}

static void vec_tanh(size_t n, const double *x, size_t stride, double *y, double *slope) {
    double u[TILE];
    for (size_t begin = 0; begin < n; begin += TILE) {
        const size_t m = load(n - begin, x + begin * stride, stride, u);
        if (slope) /* tanh |x| = t / (t + 2) = 1 - 2 h, and its slope is 1 - (1 - 2 h)^2 */
            for (size_t j = 0; j < m; ++j) {
                const double t = expm1_of_twice(u[j]), h = 1.0 / (t + 2.0);
                slope[begin + j] = 4.0 * h * (1.0 - h);
                y[begin + j] = copysign(t / (t + 2.0), u[j]);
            }
        else
            for (size_t j = 0; j < m; ++j) {
                const double t = expm1_of_twice(u[j]);
                y[begin + j] = copysign(t / (t + 2.0), u[j]);
            }
    }
}

const vecmath_kernel KAN_KERNEL(vecmath_kernel) = {
    .sigmoid = vec_sigmoid, .silu = vec_silu, .tanh = vec_tanh};
