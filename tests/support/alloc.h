/* tests/support/alloc.h - counts allocations and makes chosen ones fail.
 *
 * A test that links the target test_alloc has its calls, and those of the library's objects, of malloc,
 * calloc, realloc, aligned_alloc, strdup, strndup and free go through here (ld --wrap). Calls made
 * inside shared libraries do not. Any thread may allocate; one thread at a time runs the functions
 * below.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_TESTS_SUPPORT_ALLOC_H
#define KAN_TESTS_SUPPORT_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

#include "core/status.h"

/* Counts from here; forgets earlier blocks, counts and failures. */
void alloc_count_begin(void);

/* Stops counting and failing. The number of allocations since the begin, failed ones included. */
size_t alloc_count_end(void);

/* The k-th allocation from now (the first is 1) returns NULL, the others go on as usual. Call it after
 * alloc_count_begin. */
void alloc_fail_at(size_t k);
bool alloc_failed(void); /* whether that happened */

/* Blocks allocated between begin and end that have not been freed yet. */
size_t alloc_live(void);

/* An attempt makes something, frees it again, and says how that went; for a constructor without a
 * status, KAN_ENOMEM stands for NULL. */
typedef kan_status alloc_attempt(void *context);

/* Runs the attempt with its first, second, .. allocation failing, until it needs no more of them.
 * Asserts that each failure gives KAN_ENOMEM, that the last run gives KAN_OK, and that no run leaves a
 * block behind. Returns the number of allocations of the last run, to be compared with what is
 * expected. */
size_t alloc_fail_every(alloc_attempt *attempt, void *context);

#endif
