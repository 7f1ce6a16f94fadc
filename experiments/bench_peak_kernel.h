/* experiments/bench_peak_kernel.h - private: the multiply-adds of bench_peak_kernel.c, one function for each
 * instruction set.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_EXPERIMENTS_BENCH_PEAK_KERNEL_H
#define KAN_EXPERIMENTS_BENCH_PEAK_KERNEL_H

#include <stddef.h>

/* x <- a x + b over and over, from x = start, in every lane of as many registers as keep the units of one
 * core busy, n times each. Returns a sum of the results, so that none can be left out; *multiply_adds is
 * how many there were. */
typedef double bench_peak_function(size_t n, double start, double a, double b, size_t *multiply_adds);

bench_peak_function bench_peak_baseline;
#ifdef KAN_HAVE_X86_LEVELS
bench_peak_function bench_peak_v3, bench_peak_v4;
#endif

#endif
