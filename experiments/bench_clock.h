/* experiments/bench_clock.h - how `kan bench` measures.
 *
 * What is to be compared is measured in one loop, case after case, round after round, so that a neighbour who
 * takes the machine for a while slows all of it down and not one side. A sample is as many calls of a case
 * as last long enough for the clock; a case's figure is the median of its samples.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_EXPERIMENTS_BENCH_CLOCK_H
#define KAN_EXPERIMENTS_BENCH_CLOCK_H

#include <stdbool.h>
#include <stddef.h>

enum { BENCH_MAX_CASES = 20, BENCH_MAX_ROUNDS = 31 };

/* How much care is taken. */
typedef struct bench_effort {
    bool wall; /* wall clock, for what runs on several threads; else CPU time of the process */
    double
        sample_seconds; /* a sample lasts at least so long                                            */
    size_t
        least_rounds; /* samples of every case ..                                                   */
    double seconds;   /* .. and more of them, up to BENCH_MAX_ROUNDS, as long as all took less      */
} bench_effort;

/* The usual effort, and that of --quick. */
bench_effort bench_effort_make(bool quick, bool wall);

typedef struct bench_case {
    void (*run)(void *context); /* one call of what is measured */
    void *context;
    size_t threads; /* kan_parallel_set_threads before each sample; 0: as it is */
    double us;      /* out: microseconds a call                                 */
    size_t calls;   /* out: calls in a sample                                   */
} bench_case;

/* Fills in us of n cases, n <= BENCH_MAX_CASES. False when it was interrupted: nothing is then known. */
bool bench_measure(const bench_effort *effort, size_t n, bench_case *cases);

/* CPU seconds of the process. */
double bench_cpu_seconds(void);

/* The median of values [n], which are sorted; n > 0. */
double bench_median(size_t n, double *values);

#endif
