/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "experiments/bench_clock.h"

#include <assert.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/parallel.h"
#include "experiments/command.h"

bench_effort bench_effort_make(bool quick, bool wall) {
    bench_effort e = {.wall = wall, .sample_seconds = 2e-3, .least_rounds = 7, .seconds = 0.7};
    if (wall) e.sample_seconds = 5e-3, e.least_rounds = 15; /* threads must be woken, once a sample */
    if (quick) e.sample_seconds = 2e-4, e.least_rounds = 3, e.seconds = 0.02;
    return e;
}

static double seconds_of(bool wall) {
    return wall ? kan_clock_wall() : kan_clock_cpu();
}

double bench_cpu_seconds(void) {
    return seconds_of(false);
}

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(size_t n, double *values) {
    assert(n > 0);
    qsort(values, n, sizeof *values, compare);
    return n % 2 ? values[n / 2] : 0.5 * (values[n / 2 - 1] + values[n / 2]);
}

/* Seconds of `calls` calls. One call before them finds the caches as the cases between left them: a case of a single
 * call would pay for that wholly, one of a hundred calls not at all. */
static double sample(const bench_case *c, size_t calls, bool wall) {
    if (c->threads > 0) kan_parallel_set_threads(c->threads);
    c->run(c->context);
    const double start = seconds_of(wall);
    for (size_t j = 0; j < calls; ++j) c->run(c->context);
    return seconds_of(wall) - start;
}

/* Warms up, and finds how many calls last long enough. */
static void calibrate(const bench_effort *e, bench_case *c) {
    enum { MOST = 1 << 24 };
    c->calls = 1;
    double seconds = sample(c, 1, e->wall);
    while (seconds < e->sample_seconds && c->calls < MOST) {
        c->calls *= 2;
        seconds = sample(c, c->calls, e->wall);
    }
}

bool bench_measure(const bench_effort *effort, size_t n, bench_case *cases) {
    assert(n <= BENCH_MAX_CASES && effort->least_rounds <= BENCH_MAX_ROUNDS);
    double samples[BENCH_MAX_CASES][BENCH_MAX_ROUNDS];
    const size_t threads = kan_parallel_threads();
    for (size_t c = 0; c < n && !interrupted; ++c) calibrate(effort, &cases[c]);
    const double start = seconds_of(true);
    size_t rounds = 0;
    while (!interrupted && rounds < BENCH_MAX_ROUNDS &&
           (rounds < effort->least_rounds || seconds_of(true) - start < effort->seconds)) {
        for (size_t c = 0; c < n && !interrupted; ++c)
            samples[c][rounds] = sample(&cases[c], cases[c].calls, effort->wall);
        ++rounds;
    }
    kan_parallel_set_threads(threads);
    if (interrupted) return false;
    for (size_t c = 0; c < n; ++c)
        cases[c].us = 1e6 * bench_median(rounds, samples[c]) / (double)cases[c].calls;
    return true;
}
