/* core/vecmath_kernel.h - private: the table of core/vecmath_kernel.c.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_CORE_VECMATH_KERNEL_H
#define KAN_CORE_VECMATH_KERNEL_H

#include <stddef.h>

#include "core/kernel.h"

typedef void vecmath_function(size_t n, const double *x, size_t stride, double *y, double *slope);
typedef struct vecmath_kernel {
    vecmath_function *sigmoid, *silu, *tanh;
} vecmath_kernel;

#endif
