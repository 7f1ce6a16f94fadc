/* experiments/bench_yardstick.h - what the library's figures are compared to: matrix products of the BLAS, exp
 * of the C library, the multiply-adds of a core.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_EXPERIMENTS_BENCH_YARDSTICK_H
#define KAN_EXPERIMENTS_BENCH_YARDSTICK_H

#include <stdbool.h>
#include <stddef.h>

#include "core/model.h"

/* C [m][n] = A [m][k] B [k][n] */
typedef struct bench_gemm {
    kan_precision precision;
    size_t m, n, k;
    double *a, *b, *c; /* in single precision these hold floats */
} bench_gemm;

/* False when memory is short: what there is of it is still to be freed. */
bool bench_gemm_make(kan_precision precision, size_t m, size_t n, size_t k, bench_gemm *g);
void bench_gemm_free(bench_gemm *g);
void bench_gemm_run(void *gemm);
double bench_gemm_gflops(const bench_gemm *g, double us); /* two operations a multiply-add */

/* exp of the C library, one number after the other. */
enum { BENCH_EXP_COUNT = 4096 };
typedef struct bench_exp {
    double x[BENCH_EXP_COUNT]; /* uniform in -1 .. 1 */
    double sum;
} bench_exp;
void bench_exp_fill(bench_exp *e);
void bench_exp_run(void *e);

/* Multiply-adds in registers, in the instruction set in use. */
typedef struct bench_peak {
    size_t multiply_adds; /* of a run */
    double sum;
} bench_peak;
void bench_peak_run(void *peak);

#endif
