/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/support/alloc.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ld --wrap=f sends calls of f to __wrap_f and calls of __real_f to f. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *block, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void __real_free(void *block);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *block, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t n);
void __wrap_free(void *block);

enum { MAX_BLOCKS = 1 << 16 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool counting, failed;
static size_t n_calls, calls_to_failure; /* 0: none is to fail */
static size_t n_blocks;
static void *blocks[MAX_BLOCKS];

/* Counts a call; false if it is the one that has to fail. */
static bool may_allocate(void) {
    pthread_mutex_lock(&lock);
    const bool fails = counting && calls_to_failure > 0 && --calls_to_failure == 0;
    n_calls += counting;
    failed |= fails;
    pthread_mutex_unlock(&lock);
    if (fails) errno = ENOMEM;
    return !fails;
}

static void *remember(void *block) {
    if (!block) return NULL;
    pthread_mutex_lock(&lock);
    if (counting) {
        if (n_blocks == MAX_BLOCKS) {
            fputs("tests/support/alloc.c: more live blocks than MAX_BLOCKS\n", stderr);
            abort();
        }
        blocks[n_blocks++] = block;
    }
    pthread_mutex_unlock(&lock);
    return block;
}

/* A block may be unknown: made before the count began, or inside a shared library. True if it was
 * known. The search starts at the youngest, which is usually the one. */
static bool forget(const void *block) {
    bool known = false;
    pthread_mutex_lock(&lock);
    for (size_t j = n_blocks; j-- > 0 && !known;)
        if (blocks[j] == block) {
            blocks[j] = blocks[--n_blocks];
            known = true;
        }
    pthread_mutex_unlock(&lock);
    return known;
}

void *__wrap_malloc(size_t size) {
    return may_allocate() ? remember(__real_malloc(size)) : NULL;
}

void *__wrap_calloc(size_t n, size_t size) {
    return may_allocate() ? remember(__real_calloc(n, size)) : NULL;
}

void *__wrap_aligned_alloc(size_t alignment, size_t size) {
    return may_allocate() ? remember(__real_aligned_alloc(alignment, size)) : NULL;
}

/* Forgets the old block before it may become another thread's; remembers it again where it stays. */
void *__wrap_realloc(void *block, size_t size) {
    if (!may_allocate()) return NULL;
    const bool known = block && forget(block);
    void *moved = __real_realloc(block, size);
    if (!moved && known && size > 0) remember(block);
    return remember(moved);
}

char *__wrap_strndup(const char *text, size_t n) {
    const size_t length = strnlen(text, n);
    char *copy = __wrap_malloc(length + 1);
    if (!copy) return NULL;
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *__wrap_strdup(const char *text) {
    return __wrap_strndup(text, strlen(text));
}

void __wrap_free(void *block) {
    if (block) forget(block);
    __real_free(block);
}

void alloc_count_begin(void) {
    pthread_mutex_lock(&lock);
    counting = true, failed = false;
    n_calls = calls_to_failure = n_blocks = 0;
    pthread_mutex_unlock(&lock);
}

size_t alloc_count_end(void) {
    pthread_mutex_lock(&lock);
    counting = false;
    const size_t n = n_calls;
    pthread_mutex_unlock(&lock);
    return n;
}

void alloc_fail_at(size_t k) {
    pthread_mutex_lock(&lock);
    calls_to_failure = k;
    pthread_mutex_unlock(&lock);
}

bool alloc_failed(void) {
    return failed;
}

size_t alloc_live(void) {
    return n_blocks;
}

size_t alloc_fail_every(alloc_attempt *attempt, void *context) {
    for (size_t k = 1;; ++k) {
        alloc_count_begin();
        alloc_fail_at(k);
        const kan_status status = attempt(context);
        const size_t n = alloc_count_end();
        cr_assert(eq(sz, alloc_live(), 0), "blocks are left after allocation %zu failed", k);
        if (!alloc_failed()) {
            cr_assert(eq(int, (int)status, KAN_OK), "no allocation failed, yet the attempt did");
            return n;
        }
        cr_assert(eq(int, (int)status, KAN_ENOMEM), "allocation %zu failed", k);
    }
}
