/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/parallel.h"
#include "core/random.h"

static const double much = 1e9; /* work that pays for threads */

enum { MAX = 5000 };

typedef struct loop {
    size_t n, chunk;
    bool bad_chunk;
    unsigned char count[MAX + 1];
    bool other_thread[MAX];
    pthread_t caller;
} loop;

/* Threads write to what belongs to their chunk, and only raise flags elsewhere. */
static void count(void *context, size_t begin, size_t end) {
    loop *l = context;
    const bool whole = end - begin == l->chunk || end == l->n;
    if (begin % l->chunk != 0 || begin >= end || end > l->n || !whole) l->bad_chunk = true;
    for (size_t j = begin; j < end && j < MAX; ++j) {
        ++l->count[j];
        l->other_thread[j] = !pthread_equal(pthread_self(), l->caller);
    }
}

static loop *run(size_t n, size_t chunk, double work) {
    loop *l = calloc(1, sizeof *l);
    cr_assert(l != NULL);
    l->n = n, l->chunk = chunk, l->caller = pthread_self();
    kan_parallel_for(n, chunk, work, count, l);
    return l;
}

Test(parallel, runs_every_index_exactly_once) {
    static const size_t ns[] = {0, 1, 2, 3, 63, 64, 65, 127, 1000, 1023, 4999};
    static const size_t chunks[] = {1, 2, 3, 7, 64, 1000, 100000};
    static const size_t threads[] = {1, 2, 3, 4, 7};
    for (size_t t = 0; t < 5; ++t) {
        kan_parallel_set_threads(threads[t]);
        for (size_t i = 0; i < sizeof ns / sizeof *ns; ++i)
            for (size_t k = 0; k < sizeof chunks / sizeof *chunks; ++k)
                for (int heavy = 0; heavy < 2; ++heavy) {
                    loop *l = run(ns[i], chunks[k], heavy ? much : 1.0);
                    cr_assert(l->bad_chunk == false, "n %zu, chunk %zu", ns[i], chunks[k]);
                    for (size_t j = 0; j <= MAX; ++j)
                        cr_assert(l->count[j] == (j < ns[i]), "n %zu, chunk %zu, index %zu: %d times",
                                  ns[i], chunks[k], j, l->count[j]);
                    free(l);
                }
    }
}

static size_t count_elsewhere(const loop *l) {
    size_t n = 0;
    for (size_t j = 0; j < MAX; ++j) n += l->other_thread[j];
    return n;
}

Test(parallel, uses_threads_for_much_work_only) {
    kan_parallel_set_threads(4);
    loop *little = run(4999, 7, 1e3), *one_chunk = run(64, 64, much), *large = run(4999, 7, much);
    cr_assert(eq(sz, count_elsewhere(little), 0), "little work");
    cr_assert(eq(sz, count_elsewhere(one_chunk), 0), "one chunk");
    if (kan_parallel_threads() > 1)
        cr_assert(gt(sz, count_elsewhere(large), 0), "much work");
    else
        cr_assert(eq(sz, count_elsewhere(large), 0), "a build without OpenMP");
    free(large);
    free(one_chunk);
    free(little);
}

Test(parallel, the_number_of_threads_is_what_was_set) {
    cr_assert(ge(sz, kan_parallel_threads(), 1));
    const bool openmp = (kan_parallel_set_threads(3), kan_parallel_threads() == 3);
    kan_parallel_set_threads(1);
    cr_assert(eq(sz, kan_parallel_threads(), 1));
    loop *l = run(4999, 7, much);
    cr_assert(eq(sz, count_elsewhere(l), 0), "one thread is the caller");
    free(l);
#ifdef _OPENMP
    cr_assert(openmp);
#else
    cr_assert(openmp == false);
#endif
}

/* Sums of chunks: what a kernel with chunks of fixed size does. */
enum { N_NUMBERS = 20011, CHUNK = 128, N_SUMS = (N_NUMBERS + CHUNK - 1) / CHUNK };

typedef struct sums {
    const double *x;
    double of_chunk[N_SUMS];
} sums;

static void add_up(void *context, size_t begin, size_t end) {
    sums *s = context;
    double sum = 0.0;
    for (size_t j = begin; j < end; ++j) sum += s->x[j] / (1.0 + (double)j);
    s->of_chunk[begin / CHUNK] = sum;
}

Test(parallel, gives_the_same_bits_with_1_2_and_4_threads) {
    static double x[N_NUMBERS];
    static sums s[3];
    static const size_t threads[] = {1, 2, 4};
    kan_random random = kan_random_seed(6, 0);
    for (size_t j = 0; j < N_NUMBERS; ++j) x[j] = kan_random_normal(&random);
    for (size_t t = 0; t < 3; ++t) {
        s[t].x = x;
        kan_parallel_set_threads(threads[t]);
        kan_parallel_for(N_NUMBERS, CHUNK, much, add_up, &s[t]);
        cr_assert(memcmp(s[t].of_chunk, s[0].of_chunk, sizeof s[0].of_chunk) == 0, "%zu threads",
                  threads[t]);
    }
    cr_assert(ne(dbl, s[0].of_chunk[0], s[0].of_chunk[N_SUMS - 1]));
}

/* A loop inside a loop runs on the thread that meets it. */
enum { N_OUTER = 16 };

static void outer(void *context, size_t begin, size_t end) {
    loop **inner = context;
    for (size_t j = begin; j < end; ++j) inner[j] = run(1000, 10, much);
}

Test(parallel, a_loop_inside_a_loop_is_serial) {
    loop *inner[N_OUTER] = {NULL};
    kan_parallel_set_threads(4);
    kan_parallel_for(N_OUTER, 1, much, outer, inner);
    for (size_t j = 0; j < N_OUTER; ++j) {
        if (kan_parallel_threads() > 1) cr_assert(eq(sz, count_elsewhere(inner[j]), 0), "loop %zu", j);
        for (size_t i = 0; i < 1000; ++i)
            cr_assert(inner[j]->count[i] == 1, "loop %zu, index %zu", j, i);
        free(inner[j]);
    }
}
