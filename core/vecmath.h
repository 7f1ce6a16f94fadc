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
 * The error of y is at most 2 units in the last place. exp and gelu underflow gradually, and a subnormal y is
 * right to 2 times the smallest positive number; sigmoid and silu are 0 below -708.39 (-87.3 in single precision),
 * where they would be less than 1e-304 (1e-35). The error of slope is at most 2 units in the last place too for exp
 * and gelu, but for a quarter of DBL_EPSILON (FLT_EPSILON) within 1 of the zero of gelu's at -0.752; for the others it is
 * at most 2 DBL_EPSILON, 2 units in the last place of a slope of 1: more digits of a slope that is all but zero
 * would cost more than twice the time. */
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
