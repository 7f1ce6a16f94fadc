/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/vecmath.h"

#include "core/vecmath_kernel.h"

KAN_KERNEL_DECLARE(double, vecmath_double, vecmath_kernel);
KAN_KERNEL_DECLARE(single, vecmath_single, vecmath_kernel);

void kan_vecmath_exp(size_t n, const double *x, size_t stride, double *y, double *slope) {
    KAN_KERNEL_GET(double, vecmath_kernel)->exp(n, x, stride, y, slope);
}

void kan_vecmath_sigmoid(size_t n, const double *x, size_t stride, double *y, double *slope) {
    KAN_KERNEL_GET(double, vecmath_kernel)->sigmoid(n, x, stride, y, slope);
}

void kan_vecmath_silu(size_t n, const double *x, size_t stride, double *y, double *slope) {
    KAN_KERNEL_GET(double, vecmath_kernel)->silu(n, x, stride, y, slope);
}

void kan_vecmath_tanh(size_t n, const double *x, size_t stride, double *y, double *slope) {
    KAN_KERNEL_GET(double, vecmath_kernel)->tanh(n, x, stride, y, slope);
}

void kan_vecmath_gelu(size_t n, const double *x, size_t stride, double *y, double *slope) {
    KAN_KERNEL_GET(double, vecmath_kernel)->gelu(n, x, stride, y, slope);
}

void kan_vecmath_exp_single(size_t n, const float *x, size_t stride, float *y, float *slope) {
    KAN_KERNEL_GET(single, vecmath_kernel)->exp(n, x, stride, y, slope);
}

void kan_vecmath_sigmoid_single(size_t n, const float *x, size_t stride, float *y, float *slope) {
    KAN_KERNEL_GET(single, vecmath_kernel)->sigmoid(n, x, stride, y, slope);
}

void kan_vecmath_silu_single(size_t n, const float *x, size_t stride, float *y, float *slope) {
    KAN_KERNEL_GET(single, vecmath_kernel)->silu(n, x, stride, y, slope);
}

void kan_vecmath_tanh_single(size_t n, const float *x, size_t stride, float *y, float *slope) {
    KAN_KERNEL_GET(single, vecmath_kernel)->tanh(n, x, stride, y, slope);
}

void kan_vecmath_gelu_single(size_t n, const float *x, size_t stride, float *y, float *slope) {
    KAN_KERNEL_GET(single, vecmath_kernel)->gelu(n, x, stride, y, slope);
}
