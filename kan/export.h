/* kan/export.h - networks as C programs.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_KAN_EXPORT_H
#define KAN_KAN_EXPORT_H

#include <stdio.h>

#include "core/status.h"
#include "kan/net.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Writes C99 that needs math.h, which the caller has included in the text before:
 *
 *     static void net(const double *x, double *y)      y [n_out] from x [n_in]
 *
 * Splines are evaluated as the library does it, from the polynomials of their cells and along tangents outside, so
 * results agree up to rounding; symbolic edges are written as the functions that they are. A net of single precision
 * is written in double. j0 and j1 are declared where they are used: they are in the libm of POSIX. KAN_ECONFIG: the
 * function of an edge has no form in C, or works on one that the standard does not have. */
kan_status kan_export_c(const kan_net *net, FILE *stream, kan_error *error);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
