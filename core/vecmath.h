/* core/vecmath.h - functions of one variable over arrays, written so that compilers vectorise them.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_CORE_VECMATH_H
#define KAN_CORE_VECMATH_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* For j = 0 .. n-1, y[j] the function at x[j * stride] and, unless slope is NULL, slope[j] its derivative,
 *
 *     exp  e^x    sigmoid  1 / (1 + e^-x)    silu  x / (1 + e^-x)    tanh
 *     gelu  x Phi(x), Phi the normal distribution function (exact, not the formula with tanh)
 *
 * x may be y when stride is 1; slope overlaps neither. A value does not depend on its neighbours. NaN gives NaN,
 * infinities give the limits, and the functions that are 0 at 0 keep the sign of a zero.
 *
 * The error of y is at most 2 units in the last place, in the tails too: results underflow gradually, and a
 * subnormal y is right to 2 times the smallest positive number. The same holds for slope, except that the slope
 * of silu near its zero at -1.278, and that of gelu near -0.752, is right to a quarter of DBL_EPSILON (FLT_EPSILON)
 * where that is more; near means within 1. */
void kan_vecmath_exp(size_t n, const double *x, size_t stride, double *y, double *slope);
void kan_vecmath_sigmoid(size_t n, const double *x, size_t stride, double *y, double *slope);
void kan_vecmath_silu(size_t n, const double *x, size_t stride, double *y, double *slope);
void kan_vecmath_tanh(size_t n, const double *x, size_t stride, double *y, double *slope);
void kan_vecmath_gelu(size_t n, const double *x, size_t stride, double *y, double *slope);

/* The same in single precision. */
void kan_vecmath_exp_single(size_t n, const float *x, size_t stride, float *y, float *slope);
void kan_vecmath_sigmoid_single(size_t n, const float *x, size_t stride, float *y, float *slope);
void kan_vecmath_silu_single(size_t n, const float *x, size_t stride, float *y, float *slope);
void kan_vecmath_tanh_single(size_t n, const float *x, size_t stride, float *y, float *slope);
void kan_vecmath_gelu_single(size_t n, const float *x, size_t stride, float *y, float *slope);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
