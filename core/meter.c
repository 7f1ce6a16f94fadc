/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/meter.h"

#include <assert.h>
#include <math.h>
#include <stddef.h>

#include "core/clock.h"

void kan_meter_add(kan_meter *m, double work) {
    assert(work >= 0.0 && "work is not undone");
    if (m) m->work += (uint64_t)ceil(work);
}

bool kan_meter_is_over(kan_meter *m) {
    if (!m) return false;
    if (m->end != KAN_METER_RUNNING) return true;
    ++m->work;
    if (m->most > 0 && m->work >= m->most)
        m->end = KAN_METER_WORK;
    else if (m->stop && *m->stop)
        m->end = KAN_METER_STOPPED;
    else if (m->until > 0.0 && kan_clock_cpu() >= m->until)
        m->end = KAN_METER_CLOCK;
    return m->end != KAN_METER_RUNNING;
}

double kan_meter_seconds(const kan_meter *m) {
    const double units_a_second = 3e9;
    return m ? (double)m->work / units_a_second : kan_clock_cpu();
}
