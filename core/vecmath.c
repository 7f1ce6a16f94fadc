/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/vecmath.h"

#include "core/vecmath_kernel.h"

KAN_KERNEL_DECLARE(double, vecmath_kernel, vecmath_kernel);

void kan_vecmath_sigmoid(size_t n, const double *x, size_t stride, double *y, double *slope) {
    KAN_KERNEL_GET(double, vecmath_kernel)->sigmoid(n, x, stride, y, slope);
}

void kan_vecmath_silu(size_t n, const double *x, size_t stride, double *y, double *slope) {
    KAN_KERNEL_GET(double, vecmath_kernel)->silu(n, x, stride, y, slope);
}

void kan_vecmath_tanh(size_t n, const double *x, size_t stride, double *y, double *slope) {
    KAN_KERNEL_GET(double, vecmath_kernel)->tanh(n, x, stride, y, slope);
}

/* By way of the double precision, for the time being. */
static void by_double(vecmath_function *f, size_t n, const float *x, size_t stride, float *y,
                      float *slope) {
    for (size_t j = 0; j < n; ++j) {
        const double u = (double)x[j * stride];
        double v, d;
        f(1, &u, 1, &v, &d);
        y[j] = (float)v;
        if (slope) slope[j] = (float)d;
    }
}

void kan_vecmath_sigmoid_single(size_t n, const float *x, size_t stride, float *y, float *slope) {
    by_double(KAN_KERNEL_GET(double, vecmath_kernel)->sigmoid, n, x, stride, y, slope);
}

void kan_vecmath_silu_single(size_t n, const float *x, size_t stride, float *y, float *slope) {
    by_double(KAN_KERNEL_GET(double, vecmath_kernel)->silu, n, x, stride, y, slope);
}

void kan_vecmath_tanh_single(size_t n, const float *x, size_t stride, float *y, float *slope) {
    by_double(KAN_KERNEL_GET(double, vecmath_kernel)->tanh, n, x, stride, y, slope);
}
