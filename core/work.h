/* core/work.h - scratch memory that the caller owns.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_CORE_WORK_H
#define KAN_CORE_WORK_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* An array of n_doubles zeros, aligned to 64 bytes; also for n_doubles = 0. NULL when memory is
 * short or when the size in bytes would overflow. The caller frees it with kan_work_free. */
double *kan_work_alloc(size_t n_doubles);

/* Frees what kan_work_alloc returned; NULL is fine. */
void kan_work_free(double *work);

/* a * b, or SIZE_MAX where that overflows: for sizes that come from a file. SIZE_MAX is then
 * refused by every allocation. */
size_t kan_work_product(size_t a, size_t b);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
