/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <math.h>
#include <unistd.h>

#include "core/clock.h"

/* Some kernels count CPU time by sampling, so that one short sleep may be charged a whole tick
   or more: the least of several sleeps says what a sleep costs. */
Test(clock, sleeping_takes_time_but_no_work) {
    double least = INFINITY;
    for (int k = 0; k < 10 && least > 0.01; k++) {
        const double cpu = kan_clock_cpu(), wall = kan_clock_wall();
        usleep(50 * 1000);
        cr_assert(kan_clock_wall() - wall >= 0.05);
        least = fmin(least, kan_clock_cpu() - cpu);
    }
    cr_assert(least <= 0.01, "a sleep of 0.05 s cost %g s of CPU time", least);
}

Test(clock, work_takes_both) {
    const double cpu = kan_clock_cpu(), wall = kan_clock_wall();
    while (kan_clock_cpu() - cpu < 0.2)
        ;
    cr_assert(kan_clock_wall() - wall > 0.02);
}
