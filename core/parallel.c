/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/parallel.h"

#include <assert.h>

#ifdef _OPENMP
#include <omp.h>
#endif

#ifdef _OPENMP
/* Waking the other threads costs about a microsecond when they spin and ten to forty when they sleep, a
 * multiply-add in a kernel 0.03 to 0.1 ns: below this much work (some 30 to 100 microseconds) one thread is
 * faster. */
static const double serial_work = 1e6;
#endif

void kan_parallel_for(size_t n, size_t chunk, double work, kan_parallel_body *body, void *context) {
    assert(chunk > 0);
    const size_t n_chunks = n / chunk + (n % chunk != 0);
#ifdef _OPENMP
    if (n_chunks > 1 && work >= serial_work && !omp_in_parallel() && omp_get_max_threads() > 1) {
#pragma omp parallel for schedule(static)
        for (size_t c = 0; c < n_chunks; ++c) {
            const size_t begin = c * chunk;
            body(context, begin, n - begin < chunk ? n : begin + chunk);
        }
        return;
    }
#else
    (void)work;
#endif
    for (size_t c = 0; c < n_chunks; ++c) {
        const size_t begin = c * chunk;
        body(context, begin, n - begin < chunk ? n : begin + chunk);
    }
}

size_t kan_parallel_threads(void) {
#ifdef _OPENMP
    return (size_t)omp_get_max_threads();
#else
    return 1;
#endif
}

void kan_parallel_set_threads(size_t n) {
    assert(n > 0);
#ifdef _OPENMP
    omp_set_num_threads((int)n);
#else
    (void)n;
#endif
}
