/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "experiments/bench_yardstick.h"

#include <math.h>

#include <cblas.h>

#include "core/isa.h"
#include "core/random.h"
#include "core/work.h"
#include "experiments/bench_peak_kernel.h"

/* ---- matrix products ---------------------------------------------------------------------------- */

/* Numbers of order one: a product of zeros or of subnormal ones takes another time. */
static double *make_matrix(kan_precision precision, size_t n) {
    double *matrix = kan_work_alloc(n);
    float *single = (float *)matrix;
    kan_random random = kan_random_seed(2, n);
    for (size_t j = 0; matrix && j < n; ++j) {
        const double value = 2.0 * kan_random_uniform(&random) - 1.0;
        if (precision == KAN_SINGLE)
            single[j] = (float)value;
        else
            matrix[j] = value;
    }
    return matrix;
}

bool bench_gemm_make(kan_precision precision, size_t m, size_t n, size_t k, bench_gemm *g) {
    *g = (bench_gemm){.precision = precision, .m = m, .n = n, .k = k};
    g->a = make_matrix(precision, m * k);
    g->b = make_matrix(precision, k * n);
    g->c = kan_work_alloc(m * n);
    return g->a && g->b && g->c;
}

void bench_gemm_free(bench_gemm *g) {
    kan_work_free(g->a);
    kan_work_free(g->b);
    kan_work_free(g->c);
    *g = (bench_gemm){.a = NULL};
}

void bench_gemm_run(void *gemm) {
    const bench_gemm *g = gemm;
    const int m = (int)g->m, n = (int)g->n, k = (int)g->k;
    if (g->precision == KAN_SINGLE)
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1.0F, (const float *)g->a, k,
                    (const float *)g->b, n, 0.0F, (float *)g->c, n);
    else
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1.0, g->a, k, g->b, n, 0.0,
                    g->c, n);
}

double bench_gemm_gflops(const bench_gemm *g, double us) {
    return 2e-3 * (double)g->m * (double)g->n * (double)g->k / us;
}

/* ---- exp ---------------------------------------------------------------------------------------- */

void bench_exp_fill(bench_exp *e) {
    kan_random random = kan_random_seed(3, 0);
    for (size_t j = 0; j < BENCH_EXP_COUNT; ++j) e->x[j] = 2.0 * kan_random_uniform(&random) - 1.0;
}

/* Without the options of the kernels no compiler makes a vector of these calls. */
void bench_exp_run(void *e) {
    bench_exp *own = e;
    double sum = 0.0;
    for (size_t j = 0; j < BENCH_EXP_COUNT; ++j) sum += exp(own->x[j]);
    own->sum = sum;
}

/* ---- multiply-adds ------------------------------------------------------------------------------ */

void bench_peak_run(void *peak) {
    bench_peak *p = peak;
    bench_peak_function *f = bench_peak_baseline;
#ifdef KAN_HAVE_X86_LEVELS
    const kan_isa isa = kan_isa_get();
    if (isa == KAN_ISA_V3) f = bench_peak_v3;
    if (isa == KAN_ISA_V4) f = bench_peak_v4;
#endif
    p->sum = f(10000, 0.5, 0.999, 0.001, &p->multiply_adds); /* x stays between 0.5 and 11.5 */
}
