/* experiments/bench_peak_kernel.c - compiled once for every instruction set, each time as the function
 * BENCH_PEAK: how fast can a core multiply and add when nothing else is to be done?
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "experiments/bench_peak_kernel.h"

#if defined __AVX512F__
enum { VECTOR_BYTES = 64 };
#elif defined __AVX__
enum { VECTOR_BYTES = 32 };
#else
enum { VECTOR_BYTES = 16 };
#endif
enum { LANES = VECTOR_BYTES / (int)sizeof(double) };
typedef double vec __attribute__((vector_size(VECTOR_BYTES)));

double BENCH_PEAK(size_t n, double start, double a, double b, size_t *multiply_adds) {
    /* A multiply-add takes four or five cycles and two can start in each: ten would do. Named, since
     * compilers may keep an array of them in memory; and a and b still leave room in 16 registers. */
    enum { CHAINS = 12 };
    const vec zero = {0.0}, u = zero + a, v = zero + b;
    vec x0 = zero + start, x1 = x0 + 1.0, x2 = x1 + 1.0, x3 = x2 + 1.0, x4 = x3 + 1.0, x5 = x4 + 1.0;
    vec x6 = x5 + 1.0, x7 = x6 + 1.0, x8 = x7 + 1.0, x9 = x8 + 1.0, x10 = x9 + 1.0, x11 = x10 + 1.0;
    for (size_t j = 0; j < n; ++j) {
        x0 = x0 * u + v, x1 = x1 * u + v, x2 = x2 * u + v, x3 = x3 * u + v;
        x4 = x4 * u + v, x5 = x5 * u + v, x6 = x6 * u + v, x7 = x7 * u + v;
        x8 = x8 * u + v, x9 = x9 * u + v, x10 = x10 * u + v, x11 = x11 * u + v;
    }
    const vec sum = x0 + x1 + x2 + x3 + x4 + x5 + x6 + x7 + x8 + x9 + x10 + x11;
    double total = 0.0;
    for (int lane = 0; lane < LANES; ++lane) total += sum[lane];
    *multiply_adds = n * CHAINS * LANES;
    return total;
}
