/* symbolic/expression.h - formulas as text: parsed once, evaluated often.
 *
 *     sum     = product { ("+" | "-") product }
 *     product = unary { ("*" | "/") unary }
 *     unary   = { "+" | "-" } power
 *     power   = atom [ ("^" | "**") unary ]
 *     atom    = number | constant | variable | function "(" sum { "," sum } ")" | "(" sum ")"
 *
 * A power binds tighter than the sign before it and groups from the right: -x^2 is -(x^2), a^b^c is
 * a^(b^c). Numbers are decimal, with a point whatever the locale; the constants are pi and e. Variables
 * are the names that are left: a letter, then letters, digits and underscores. A name before "(" is a
 * function, so `gamma` may be a variable beside the function gamma(x).
 *
 *     of one argument   exp log sqrt cbrt sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh
 *                       exp2 expm1 log2 log10 log1p erf erfc gamma lgamma j0 j1 y0 y1 abs floor ceil
 *                       sign (of 0: 0), step (1 from 0 on, 0 below), relu sigmoid silu sinc gaussian,
 *                       digamma trigamma: all rows of symbolic/function.h whose text form is a call
 *     of two            pow atan2 hypot mod min max, and the table of symbolic/special.h
 *     other spellings   ln arcsin .. arctanh fabs Abs sgn tgamma J0 J1 Y0 Y1 fmod fmin fmax
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_SYMBOLIC_EXPRESSION_H
#define KAN_SYMBOLIC_EXPRESSION_H

#include <stddef.h>

#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct kan_expression kan_expression;

/* Parses text. NULL: KAN_ENOMEM, or KAN_EFORMAT with a message that points at the column (the first is
 * 1). Brackets, calls and powers may be nested 200 deep; sums and products may have any length. */
kan_expression *kan_expression_parse(const char *text, kan_error *error);

/* The same with names [n] that are variables wherever they stand before no "(": e or pi in a formula
 * that means something else by them. */
kan_expression *kan_expression_parse_with(const char *text, size_t n, const char *const *names,
                                          kan_error *error);

void kan_expression_free(kan_expression *e);

/* The variables in alphabetical (byte) order: their number, and the name of number i (owned by e). */
size_t kan_expression_n_variables(const kan_expression *e);
const char *kan_expression_variable(const kan_expression *e, size_t i);

/* The value at x [n_variables]; where the formula is not defined it is NaN or infinite, as in <math.h>.
 * Allocates nothing; any number of threads may evaluate one expression. */
double kan_expression_eval(const kan_expression *e, const double *x);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
