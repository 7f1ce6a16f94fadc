/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <stdlib.h>
#include <string.h>

#include "core/work.h"
#include "tests/support/alloc.h"

Test(support_alloc, counts_every_kind_of_call_and_knows_what_is_live) {
    void *volatile kinds[6]; /* volatile: an optimiser may remove blocks that nobody reads */
    alloc_count_begin();
    kinds[0] = malloc(10), kinds[1] = calloc(3, 7), kinds[2] = aligned_alloc(64, 128);
    kinds[3] = strdup("text"), kinds[4] = strndup("text", 2), kinds[5] = realloc(NULL, 5);
    cr_assert(eq(sz, alloc_live(), 6));
    kinds[0] = realloc(kinds[0], 100000);
    cr_assert(eq(sz, alloc_live(), 6));
    cr_assert(strcmp(kinds[3], "text") == 0);
    cr_assert(strcmp(kinds[4], "te") == 0);
    for (size_t j = 0; j < 6; ++j) {
        free(kinds[j]);
        cr_assert(eq(sz, alloc_live(), 5 - j));
    }
    cr_assert(eq(sz, alloc_count_end(), 7));
}

Test(support_alloc, sees_the_calls_of_the_library) {
    alloc_count_begin();
    double *work = kan_work_alloc(3);
    cr_assert(eq(sz, alloc_live(), 1));
    kan_work_free(work);
    cr_assert(eq(sz, alloc_live(), 0));
    cr_assert(eq(sz, alloc_count_end(), 1));
}

Test(support_alloc, fails_the_chosen_call_and_no_other) {
    alloc_count_begin();
    alloc_fail_at(2);
    void *volatile first = malloc(8); /* volatile: compilers object to its use after a realloc */
    void *second = realloc(first, 1 << 20), *volatile third = malloc(8);
    cr_assert(first != NULL);
    cr_assert(second == NULL);
    cr_assert(third != NULL);
    cr_assert(alloc_failed());
    cr_assert(eq(sz, alloc_live(), 2), "a failed realloc keeps the old block");
    cr_assert(eq(sz, alloc_count_end(), 3));
    free(first);
    free(third);
    cr_assert(eq(sz, alloc_live(), 0));
}

static kan_status three_blocks(void *context) {
    (void)context;
    void *volatile blocks[3];
    size_t n = 0;
    while (n < 3 && (blocks[n] = malloc(8))) ++n;
    for (size_t j = 0; j < n; ++j) free(blocks[j]);
    return n == 3 ? KAN_OK : KAN_ENOMEM;
}

Test(support_alloc, fails_every_call_in_turn) {
    cr_assert(eq(sz, alloc_fail_every(three_blocks, NULL), 3));
}
