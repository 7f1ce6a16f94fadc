/* core/parallel.h - loops whose result is the same bits for any number of threads.
 *
 * A loop over 0 .. n-1 is cut into chunks whose size does not depend on the number of threads; a body
 * that writes only to what belongs to its own chunk then computes the same bits on any number of them.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_CORE_PARALLEL_H
#define KAN_CORE_PARALLEL_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* What is called for a chunk: [begin, end) of the whole, and whatever the caller gave as context. */
typedef void kan_parallel_body(void *context, size_t begin, size_t end);

/* Calls body(context, begin, end) for the chunks [begin, end) of 0 .. n-1, each `chunk` long but the
 * last; chunk > 0. Runs on the calling thread alone when `work`, an estimate of the multiply-adds of
 * the whole loop, would not repay waking a second one, and inside another parallel region. */
void kan_parallel_for(size_t n, size_t chunk, double work, kan_parallel_body *body, void *context);

/* The number of threads that loops started by this thread may use, 1 without OpenMP. As with every
 * OpenMP library it is OMP_NUM_THREADS or the number of processors, until the program sets another. */
size_t kan_parallel_threads(void);

/* For programs, not for libraries: sets that number for loops started by the calling thread; n > 0. */
void kan_parallel_set_threads(size_t n);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
