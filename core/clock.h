/* core/clock.h - how long something takes.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_CORE_CLOCK_H
#define KAN_CORE_CLOCK_H

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

double kan_clock_cpu(void);  /* CPU seconds of the process so far */
double kan_clock_wall(void); /* seconds since some fixed moment   */

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
