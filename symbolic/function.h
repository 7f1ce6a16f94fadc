/* symbolic/function.h - the functions of one variable that an edge of a network may become.
 *
 * One table: "0", "x", "x^2", .. "sin", "exp", "j0", ... A row knows its value and derivatives, where it is
 * defined, what it costs, and how it is written in text, C, LaTeX and SymPy. Whoever takes a function takes a
 * pointer to such a row, so that a row of the caller's own serves as well as one of the table.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_SYMBOLIC_FUNCTION_H
#define KAN_SYMBOLIC_FUNCTION_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* A row of the table: one function of one variable. */
typedef struct kan_function {
    const char *name; /* unique: "x^2", "1/x", "sin"; what model files store                          */
    double (*f)(double x);  /* NaN outside the domain, as the next two */
    double (*d1)(double x); /* f' */
    double (*d2)(double x); /* f'' */
    double lo, hi; /* f is defined on lo < x < hi, and at those of the ends where f is finite         */
    int pole;      /* non-zero: f has poles inside (lo, hi), as 1/x and tan                           */
    int parity;    /* 1: f(-x) = f(x); -1: f(-x) = -f(x); 0: neither                                  */
    int scales;    /* non-zero: f(a x) is f(x) times a constant for a > 0 (powers, abs, sign, step)   */
    double period; /* 0: none                                                                         */
    double cost;   /* complexity: 0 of "0", 1 of "x", 2 of "x^2" or "sin", ..                         */
    const char *text; /* how it is applied, "%" standing for the argument: "sin(%)", "(%)^2"; the     */
    const char *c;    /* forms must parse (text), compile (C99 with math.h), typeset, and be read     */
    const char *latex; /* by SymPy, whatever expression the argument is                               */
    const char *sympy;
    /* What a row of the caller's own may leave NULL: */
    const char *slope;                    /* f' as text, for kan_expression_derivative */
    long double (*f_long)(long double x); /* f with more digits; else f serves      */
} kan_function;

/* At a kink or a jump (abs, sign, step, relu at 0) f' and f'' are those of the right-hand or left-hand side or
 * their mean; which, is not promised. Every form is a factor: it may stand in a product or be called as it is,
 * and needs brackets only as the base of a power. The C forms of j0, j1, y0 and y1 are POSIX's. */

/* The table: an array of *n rows, static; the first two are "0" and "x". */
const kan_function *kan_function_table(size_t *n);

/* The row of that name, or of another spelling ("sqrt", "x^0.5", "ln", "arcsin", ..); NULL if there is none.
 * Finds, beside the rows of the table, those functions that only formulas use: exp2, expm1, log2, log10, log1p,
 * erfc, gamma, lgamma, digamma, trigamma, y0, y1, floor, ceil. A form that does not exist is NULL. */
const kan_function *kan_function_find(const char *name);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
