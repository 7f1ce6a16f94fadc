/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/work.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64 }; /* one cache line, one 512-bit vector */

double *kan_work_alloc(size_t n_doubles) {
    if (n_doubles > (SIZE_MAX / 2 - ALIGNMENT) / sizeof(double)) return NULL;
    /* aligned_alloc wants a positive multiple of the alignment */
    const size_t bytes = (n_doubles * sizeof(double) / ALIGNMENT + 1) * ALIGNMENT;
    double *work = aligned_alloc(ALIGNMENT, bytes);
    if (work) memset(work, 0, bytes);
    return work;
}

void kan_work_free(double *work) {
    free(work);
}

size_t kan_work_product(size_t a, size_t b) {
    return b != 0 && a > SIZE_MAX / b ? SIZE_MAX : a * b;
}
