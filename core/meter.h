/* core/meter.h - how much work was done, and when it has been enough.
 *
 * A clock says how long something took on this machine at that moment, so what a clock steers cannot be repeated. A
 * meter counts what was computed, in units of about one multiply-add, from sizes alone: the same data, options and seed give
 * the same count on any machine and any number of threads. Parts of a long search are cut by the count; the clock may only end the
 * whole. Since every look at a meter counts as well, no two looks see the same count, and a search that the clock ended at count
 * W is repeated to the bit by the limit W.
 *
 * Only the thread that owns a meter may call these functions: never from the body of a parallel loop.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_CORE_METER_H
#define KAN_CORE_METER_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Whether a meter is over, and why. */
typedef enum kan_meter_end {
    KAN_METER_RUNNING = 0,
    KAN_METER_WORK,   /* `most` was reached     */
    KAN_METER_CLOCK,  /* `until` was            */
    KAN_METER_STOPPED /* *stop was set          */
} kan_meter_end;

/* Every zero means: none. The owner fills the limits. */
typedef struct kan_meter {
    uint64_t work;                     /* counted so far */
    uint64_t most;                     /* enough at this count */
    double until;                      /* and when kan_clock_cpu() is here */
    const volatile sig_atomic_t *stop; /* and when this becomes non-zero */
    kan_meter_end end;                 /* once it is over, it stays so */
} kan_meter;

/* Counts so many units, rounded up. Nothing for NULL. */
void kan_meter_add(kan_meter *m, double work);

/* Whether it has been enough; counts one unit for the look, unless it is over. False for NULL. */
bool kan_meter_is_over(kan_meter *m);

/* Counted seconds: 3e9 units are one, about what a processor of 2020 does. For NULL it is kan_clock_cpu(). */
double kan_meter_seconds(const kan_meter *m);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
