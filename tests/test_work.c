/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <stdint.h>

#include "core/work.h"
#include "tests/support/alloc.h"

Test(work, is_zero_and_aligned_to_a_cache_line) {
    static const size_t lengths[] = {0, 1, 2, 7, 8, 9, 63, 64, 65, 1000, 100003};
    for (size_t k = 0; k < sizeof lengths / sizeof *lengths; ++k) {
        double *work = kan_work_alloc(lengths[k]);
        cr_assert(work != NULL, "%zu doubles", lengths[k]);
        cr_assert(eq(sz, (size_t)((uintptr_t)work % 64), 0), "%zu doubles", lengths[k]);
        for (size_t j = 0; j < lengths[k]; ++j) {
            cr_assert(work[j] == 0.0, "%zu doubles, entry %zu", lengths[k], j);
            work[j] = 2.385; /* the whole of it can be written to, which the sanitizers watch */
        }
        kan_work_free(work);
    }
}

/* A size in bytes that wraps around must not become a small block. */
Test(work, sizes_that_overflow_give_null) {
    static const size_t lengths[] = {SIZE_MAX,         SIZE_MAX - 1,     SIZE_MAX / 2,
                                     SIZE_MAX / 8,     SIZE_MAX / 8 + 1, SIZE_MAX / 8 - 7,
                                     SIZE_MAX / 4 + 3, SIZE_MAX / 16 + 1};
    for (size_t k = 0; k < sizeof lengths / sizeof *lengths; ++k)
        cr_assert(kan_work_alloc(lengths[k]) == NULL, "%zu doubles", lengths[k]);
}

Test(work, products_saturate) {
    cr_assert(eq(sz, kan_work_product(0, 0), 0));
    cr_assert(eq(sz, kan_work_product(0, SIZE_MAX), 0));
    cr_assert(eq(sz, kan_work_product(SIZE_MAX, 0), 0));
    cr_assert(eq(sz, kan_work_product(1, SIZE_MAX), SIZE_MAX));
    cr_assert(eq(sz, kan_work_product(2385, 41), 97785));
    cr_assert(eq(sz, kan_work_product(2, SIZE_MAX / 2), SIZE_MAX - 1));
    cr_assert(eq(sz, kan_work_product(2, SIZE_MAX / 2 + 1), SIZE_MAX));
    cr_assert(eq(sz, kan_work_product(SIZE_MAX / 3 + 1, 3), SIZE_MAX));
    cr_assert(eq(sz, kan_work_product(SIZE_MAX, SIZE_MAX), SIZE_MAX));
}

static kan_status attempt(void *context) {
    (void)context;
    double *work = kan_work_alloc(100);
    kan_work_free(work);
    return work ? KAN_OK : KAN_ENOMEM;
}

Test(work, is_one_block_that_may_be_missing) {
    cr_assert(eq(sz, alloc_fail_every(attempt, NULL), 1));
    kan_work_free(NULL);
}
