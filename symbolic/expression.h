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

#include <stdbool.h>
#include <stddef.h>

#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* A formula, as nodes in the order of a calculator with a stack. */
typedef struct kan_expression kan_expression;

/* Parses text. NULL: KAN_ENOMEM, or KAN_EFORMAT with a message that points at the column (the first is
 * 1). Brackets, calls and powers may be nested 200 deep; sums and products may have any length. */
kan_expression *kan_expression_parse(const char *text, kan_error *error);

/* The same with names [n] that are variables wherever they stand before no "(": e or pi in a formula
 * that means something else by them. */
kan_expression *kan_expression_parse_with(const char *text, size_t n, const char *const *names,
                                          kan_error *error);

/* NULL is allowed. */
void kan_expression_free(kan_expression *e);

/* The variables in alphabetical (byte) order: their number, and the name of number i (owned by e). */
size_t kan_expression_n_variables(const kan_expression *e);
const char *kan_expression_variable(const kan_expression *e, size_t i);

/* The value at x [n_variables]; where the formula is not defined it is NaN or infinite, as in <math.h>.
 * Allocates nothing; any number of threads may evaluate one expression. */
double kan_expression_eval(const kan_expression *e, const double *x);

/* The same in long double, with the functions of <math.h> for it; digamma, trigamma and the table of
 * symbolic/special.h have double precision only. */
long double kan_expression_eval_long(const kan_expression *e, const long double *x);

/* ---- many rows, and derivatives by the numbers ----------------------------------------------------- */

/* The doubles of scratch (work) that the next two need; it grows with e, not with the number of rows. */
size_t kan_expression_work_size(const kan_expression *e);

/* y [n] at the rows x [n][n_variables]: the values of kan_expression_eval, to the bit. */
void kan_expression_eval_rows(const kan_expression *e, size_t n, const double *x, double *y,
                              double *work);

/* The same, and J [n][n_numbers]: d y/d number. A number in an exponent has the derivative a^b log a; where a <= 0 it has
 * none and J is 0 there, so that a fit leaves the 2 of x^2 alone. Kinks and jumps count as in symbolic/function.h.
 * The functions of symbolic/special.h go by differences, to about 1e-11. */
void kan_expression_jacobian(const kan_expression *e, size_t n, const double *x, double *y, double *J,
                             double *work);

/* The numbers of the formula, in the order in which they stand in it (pi and e are none). Number k may be
 * given any value, negative ones too. */
size_t kan_expression_n_numbers(const kan_expression *e);
double kan_expression_number_at(const kan_expression *e, size_t k);
void kan_expression_set_number(kan_expression *e, size_t k, double value);

/* ---- made from others; each returns a new expression, to be freed ----------------------------------- */

/* NULL: KAN_ENOMEM, or KAN_EFORMAT where the result is nested too deep to be evaluated. */
kan_expression *kan_expression_number(double value, kan_error *error);
kan_expression *kan_expression_copy(const kan_expression *e, kan_error *error);

/* e with by[k] for every variable names[k], all [n] at once: what comes in is not replaced again. Names that
 * are no variables of e do nothing. The variables of the result are those that were not replaced and
 * those of what came in. So formulas are made from templates:
 *     "c*f + d" with f -> parsed "sin(u)", u -> parsed "a*x + b". */
kan_expression *kan_expression_substitute(const kan_expression *e, size_t n, const char *const *names,
                                          const kan_expression *const *by, kan_error *error);

/* The normal form. Sums and products are flat and sorted; numbers are added and multiplied; like terms are
 * collected, powers of one base combined (x*x, sqrt(u)^2, exp(a)*exp(b), (u^2)^0.5 = abs(u)); f(-u) is +-f(u) where f is even
 * or odd; a number times a sum is multiplied out, and a sum that is one of several factors, or the base of a whole
 * power, gives its sign and the common divisor of its whole numbers to the product. Functions of whole numbers stay (sqrt(2), log(2)), pi and e too.
 * Where e was finite the result has the same value but for rounding (and for what overflows on the way); it
 * may be defined where e was not (x/x). The variables stay those of e, whether they still occur or not. */
kan_expression *kan_expression_simplify(const kan_expression *e, kan_error *error);

/* d e/d variable i, in normal form, with the variables of e. NULL: KAN_ENOMEM; KAN_EFORMAT for a function whose derivative is
 * no formula (trigamma, symbolic/special.h). Jumps have the derivative 0. */
kan_expression *kan_expression_derivative(const kan_expression *e, size_t i, kan_error *error);

/* True where variable i stands anywhere in the formula. */
bool kan_expression_uses(const kan_expression *e, size_t i);

/* ---- written out ----------------------------------------------------------------------------------- */

/* The forms in which a formula is written. */
typedef enum kan_expression_form {
    KAN_EXPRESSION_TEXT, /* of the grammar above: parses back to an expression of the same values, to the bit */
    KAN_EXPRESSION_C99, /* an expression of doubles for a file that includes <math.h>                        */
    KAN_EXPRESSION_LATEX, /* for math mode                                                                     */
    KAN_EXPRESSION_SYMPY, /* for sympy.sympify; whole numbers stay whole, symbols are the variables' names     */
    KAN_EXPRESSION_JSON /* nested: 2.5, {"variable": "x"}, {"constant": "pi"}, {"op": "+", "args": [.., ..]}, */
} kan_expression_form; /* also "-", "*", "/", "^", "neg"; {"call": "sin", "args": [..]}                     */

/* The formula in that form, to be freed with free(). Numbers have as few digits as read back to the same bits. C: sign,
 * step, relu, silu and sinc repeat their argument; names of variables are taken as they are, so they should be none of
 * C's. NULL: KAN_ENOMEM, or KAN_EFORMAT for a function that C has not (digamma, trigamma, symbolic/special.h). */
char *kan_expression_print(const kan_expression *e, kan_expression_form form, kan_error *error);

/* The same with numbers rounded to `digits` (1..17) significant ones, for people; 0: as above. */
char *kan_expression_print_digits(const kan_expression *e, kan_expression_form form, size_t digits,
                                  kan_error *error);

/* The sum over the tree: 1 for a number, a constant, a variable, an operator or a sign; kan_function's cost for a
 * function of one variable, 2 for one of two. */
double kan_expression_complexity(const kan_expression *e);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
