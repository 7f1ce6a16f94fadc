/* core/vecmath_kernel.h - private: the tables of core/vecmath_kernel.c, one type for each precision.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_CORE_VECMATH_KERNEL_H
#define KAN_CORE_VECMATH_KERNEL_H

#include <stddef.h>

#include "core/kernel.h"

typedef void vecmath_double_function(size_t n, const double *x, size_t stride, double *y,
                                     double *slope);
typedef struct vecmath_double {
    vecmath_double_function *exp, *sigmoid, *silu, *tanh, *gelu;
} vecmath_double;

typedef void vecmath_single_function(size_t n, const float *x, size_t stride, float *y, float *slope);
typedef struct vecmath_single {
    vecmath_single_function *exp, *sigmoid, *silu, *tanh, *gelu;
} vecmath_single;

/* For the kernel file itself: the type in its own precision. */
#ifdef KAN_KERNEL_SINGLE
typedef vecmath_single vecmath_kernel;
#else
typedef vecmath_double vecmath_kernel;
#endif

#endif
