/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <unistd.h>

#include "core/clock.h"

Test(clock, sleeping_takes_time_but_no_work) {
    const double cpu = kan_clock_cpu(), wall = kan_clock_wall();
    usleep(50 * 1000);
    cr_assert(kan_clock_wall() - wall >= 0.05);
    cr_assert(kan_clock_cpu() - cpu < 0.05);
}

Test(clock, work_takes_both) {
    const double cpu = kan_clock_cpu(), wall = kan_clock_wall();
    while (kan_clock_cpu() - cpu < 0.05)
        ;
    cr_assert(kan_clock_wall() - wall > 0.01); /* the kernel counts CPU time in ticks */
}
