/* experiments/bench_machine.c - the first part of `kan bench`: what this machine can do.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/isa.h"
#include "experiments/bench.h"
#include "experiments/bench_clock.h"
#include "experiments/bench_yardstick.h"
#include "experiments/command.h"
#include "experiments/provenance.h"
#include "experiments/report.h"

/* OpenBLAS has it, another BLAS has not. */
char *openblas_get_corename(void) __attribute__((weak));

static const char *blas_name(void) {
    return openblas_get_corename ? openblas_get_corename() : "unknown";
}

/* OpenBLAS takes the kernels of an older processor for one that it does not know, as 0.3.21 does for AMD's with
 * AVX-512, and MLPs are measured too slow. */
static void warn_of_old_kernels(void) {
    const char *name = blas_name();
    if (kan_isa_get() != KAN_ISA_V4 || (strcmp(name, "Haswell") != 0 && strcmp(name, "Zen") != 0))
        return;
    printf("The BLAS leaves AVX-512 unused: OPENBLAS_CORETYPE=SkylakeX gives the MLP its due.\n");
}

static json_t *make_record(const double gflops[3], double exp_ns, const char *cpu) {
    return json_pack("{s:f, s:f, s:f, s:f, s:s, s:o, s:s, s:I}", "fma_gflops", gflops[0],
                     "dgemm_gflops", gflops[1], "sgemm_gflops", gflops[2], "exp_ns", exp_ns, "isa",
                     kan_isa_name(kan_isa_get()), "cpu", report_text(cpu), "blas_core", blas_name(),
                     "processors", (json_int_t)sysconf(_SC_NPROCESSORS_ONLN));
}

int bench_machine(const bench *b) {
    enum { SIZE = 512 };
    bench_gemm gemm[KAN_N_PRECISIONS] = {{.a = NULL}};
    bench_exp exponentials;
    bench_peak peak = {.sum = 0.0};
    char cpu[128];
    int status = 0;
    bool good = true;
    for (int p = 0; p < KAN_N_PRECISIONS; ++p)
        good = bench_gemm_make((kan_precision)p, SIZE, SIZE, SIZE, &gemm[p]) && good;
    if (!good) {
        status = complain(1, "out of memory");
        goto done;
    }
    bench_exp_fill(&exponentials);
    bench_case cases[] = {{.run = bench_peak_run, .context = &peak},
                          {.run = bench_gemm_run, .context = &gemm[KAN_DOUBLE]},
                          {.run = bench_gemm_run, .context = &gemm[KAN_SINGLE]},
                          {.run = bench_exp_run, .context = &exponentials}};
    const bench_effort effort = bench_effort_make(b->quick, false);
    if (!bench_measure(&effort, sizeof cases / sizeof *cases, cases)) goto done;
    const double gflops[3] = {2e-3 * (double)peak.multiply_adds / cases[0].us,
                              bench_gemm_gflops(&gemm[KAN_DOUBLE], cases[1].us),
                              bench_gemm_gflops(&gemm[KAN_SINGLE], cases[2].us)};
    const double exp_ns = 1e3 * cases[3].us / BENCH_EXP_COUNT;
    provenance_cpu(cpu, sizeof cpu);
    printf("%s; kernels for %s, BLAS for %s\n", *cpu ? cpu : "unknown processor",
           kan_isa_name(kan_isa_get()), blas_name());
    printf("one core: %.1f GFLOP/s of multiply-adds in double precision; products of 512x512 matrices "
           "%.1f\nGFLOP/s in double, %.1f in single precision; exp of the C library %.2f ns\n",
           gflops[0], gflops[1], gflops[2], exp_ns);
    warn_of_old_kernels();
    status = bench_set(b, "machine", make_record(gflops, exp_ns, cpu));
done:
    for (int p = 0; p < KAN_N_PRECISIONS; ++p) bench_gemm_free(&gemm[p]);
    return status;
}
