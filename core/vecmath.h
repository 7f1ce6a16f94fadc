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

/* For j = 0 .. n-1, y[j] the function at x[j * stride] and, unless slope is NULL, slope[j] its
 * derivative. x may be y when stride is 1; slope overlaps neither. NaN gives NaN, infinities give the
 * limits, a zero keeps its sign where the function is odd there. The error of y is below 4 DBL_EPSILON
 * relative to y, but a y below 1e-304 may come out as 0; the error of slope is below 4 DBL_EPSILON. */
void kan_vecmath_sigmoid(size_t n, const double *x, size_t stride, double *y, double *slope);
void kan_vecmath_silu(size_t n, const double *x, size_t stride, double *y, double *slope);
void kan_vecmath_tanh(size_t n, const double *x, size_t stride, double *y, double *slope);

/* The same in single precision. */
void kan_vecmath_sigmoid_single(size_t n, const float *x, size_t stride, float *y, float *slope);
void kan_vecmath_silu_single(size_t n, const float *x, size_t stride, float *y, float *slope);
void kan_vecmath_tanh_single(size_t n, const float *x, size_t stride, float *y, float *slope);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
