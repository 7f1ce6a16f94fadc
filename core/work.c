/* SPDX-License-Identifier: GPL-3.0-or-later */
#define _DEFAULT_SOURCE /* madvise, where there is one */
#include "core/work.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

enum {
    LINE = 64,           /* bytes of a cache line, and of a 512-bit vector */
    HUGE_PAGE = 2 << 20, /* of a large page, as most processors have it    */
};

/* Large arrays lie on large pages where the system gives them: kernels go through coefficients in strides, and with
 * pages of 4 KiB every few cache lines would be another page to look up. */
static void *alloc_huge(size_t bytes) {
    void *memory = aligned_alloc(HUGE_PAGE, (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE);
#ifdef MADV_HUGEPAGE
    if (memory) (void)madvise(memory, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE); /* a wish */
#endif
    return memory;
}

double *kan_work_alloc(size_t n_doubles) {
    if (n_doubles > (SIZE_MAX / 2 - HUGE_PAGE) / sizeof(double)) return NULL;
    /* aligned_alloc wants a positive multiple of the alignment */
    const size_t bytes = (n_doubles * sizeof(double) / LINE + 1) * LINE;
    double *work = bytes < HUGE_PAGE ? aligned_alloc(LINE, bytes) : alloc_huge(bytes);
    if (work) memset(work, 0, bytes);
    return work;
}

void kan_work_free(double *work) {
    free(work);
}

size_t kan_work_product(size_t a, size_t b) {
    return b != 0 && a > SIZE_MAX / b ? SIZE_MAX : a * b;
}
