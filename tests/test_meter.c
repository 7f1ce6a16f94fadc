/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "core/clock.h"
#include "core/meter.h"

Test(meter, nothing_counts_for_nobody) {
    kan_meter_add(NULL, 1e6);
    cr_assert(not(kan_meter_is_over(NULL)));
    const double seconds = kan_meter_seconds(NULL);
    cr_assert(seconds > 0.0 && seconds <= kan_clock_cpu());
}

Test(meter, counts_work_and_looks) {
    kan_meter m = {0};
    kan_meter_add(&m, 41.2); /* rounded up */
    cr_assert(eq(ulong, m.work, 42));
    for (int k = 0; k < 3; ++k) cr_assert(not(kan_meter_is_over(&m)));
    cr_assert(eq(ulong, m.work, 45));
    const double before = kan_meter_seconds(&m);
    kan_meter_add(&m, 3e9);
    cr_assert(epsilon_eq(dbl, kan_meter_seconds(&m) - before, 1.0, 1e-12));
}

/* A loop of unequal portions, ended by what the meter says; where it ended. */
static int run(kan_meter *m, int stop_at, volatile sig_atomic_t *stop) {
    int steps = 0;
    while (!kan_meter_is_over(m) && steps < 1000) {
        kan_meter_add(m, steps % 3); /* every third look has nothing but itself to count */
        if (++steps == stop_at) *stop = 1;
    }
    return steps;
}

Test(meter, its_count_as_the_limit_repeats_an_end) {
    for (int at = 1; at < 40; ++at) {
        volatile sig_atomic_t stop = 0;
        kan_meter first = {.stop = &stop};
        cr_assert(eq(int, run(&first, at, &stop), at));
        cr_assert(first.end == KAN_METER_STOPPED);
        kan_meter again = {.most = first.work};
        cr_assert(eq(int, run(&again, 0, &stop), at));
        cr_assert(again.end == KAN_METER_WORK);
        cr_assert(eq(ulong, again.work, first.work));
    }
}

Test(meter, what_is_over_stays_over_and_counts_no_more_looks) {
    kan_meter m = {.until = 1e-9}; /* the process has used more */
    cr_assert(kan_meter_is_over(&m));
    cr_assert(m.end == KAN_METER_CLOCK);
    m.until = 0.0;
    const unsigned long count = m.work;
    cr_assert(kan_meter_is_over(&m));
    cr_assert(eq(ulong, m.work, count));
}
