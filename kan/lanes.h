/* kan/lanes.h - private: sums over the lanes of a vector, for kernel files.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_KAN_LANES_H
#define KAN_KAN_LANES_H

#include <stddef.h>

#include "core/kernel.h"

/* The functions that are to be compiled with constants. */
#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* a0 + a1, a2 + a3, .., b0 + b1, b2 + b3, .. */
#if KAN_KERNEL_LANES == 16
#define EVEN 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
#define ODD  1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31
#elif KAN_KERNEL_LANES == 8
#define EVEN 0, 2, 4, 6, 8, 10, 12, 14
#define ODD  1, 3, 5, 7, 9, 11, 13, 15
#elif KAN_KERNEL_LANES == 4
#define EVEN 0, 2, 4, 6
#define ODD  1, 3, 5, 7
#else
#define EVEN 0, 2
#define ODD  1, 3
#endif
ALWAYS_INLINE vec sums_of_pairs(vec a, vec b) {
    return __builtin_shufflevector(a, b, EVEN) + __builtin_shufflevector(a, b, ODD);
}

/* LANES vectors v, which are used up, shrink pairwise to one: lane k is the sum of the lanes of v[k]. */
ALWAYS_INLINE vec sums_of_lanes(vec v[LANES]) {
    for (size_t m = LANES / 2; m > 0; m /= 2)
        for (size_t k = 0; k < m; ++k) v[k] = sums_of_pairs(v[2 * k], v[2 * k + 1]);
    return v[0];
}

#endif
