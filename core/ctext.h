/* core/ctext.h - numbers and texts as C source, for models that are written as programs.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_CORE_CTEXT_H
#define KAN_CORE_CTEXT_H

#include <stddef.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* A double constant that reads back as that value, in brackets where it is negative; NAN and INFINITY need math.h. */
void kan_ctext_real(FILE *stream, double value);

/* "static const double NAME[n] = {..};" and a line end; n > 0, since C has no empty arrays. */
void kan_ctext_array(FILE *stream, const char *name, size_t n, const double *values);

/* A text of any bytes as a string literal. */
void kan_ctext_string(FILE *stream, const char *text);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
