/* symbolic/constant.h - which exact number is this decimal one?
 *
 *   v = +- (p/q) X      X one of 1, pi, pi^2, pi^3, sqrt(pi), e, e^2, log(2), log(3), log(10), square roots of
 *                       squarefree integers up to 30, some of their products and inverses;
 *                       q from 1 to 30, or (X = 1) a power of ten up to 10^6
 *
 * A form has a length in bits, 2 log2(p) + 2 log2(q) + that of X. A number is recognised as the shortest form within
 * its error, and only where that is no accident: of the forms that are not longer, fewer than 0.01 must be expected
 * within the error of a random number of that size.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_SYMBOLIC_CONSTANT_H
#define KAN_SYMBOLIC_CONSTANT_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* An exact form of a number. */
typedef struct kan_constant {
    double value;      /* of the exact form, rounded once                                          */
    double complexity; /* bits; 0 for 0 and 1                                                      */
    double chance;     /* forms as short as this expected within the error by accident             */
    char text[96];     /* "pi", "-3/4", "2*pi", "sqrt(2)/2", "0.37"; kan_expression_parse reads it */
} kan_constant;

/* Whether value, known to within +-error, is such a number; if so writes it to made. error >= 0, and counts as no less
 * than two roundings of value. Within the error of zero it is 0. False for what is not finite. */
bool kan_constant_recognise(double value, double error, kan_constant *made);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
