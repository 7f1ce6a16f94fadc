/* tests/support/random_formula.h - formulas of x, y and z at random, for fuzzing.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_TESTS_SUPPORT_RANDOM_FORMULA_H
#define KAN_TESTS_SUPPORT_RANDOM_FORMULA_H

#include <stddef.h>

#include "core/random.h"
#include "symbolic/expression.h"

/* A number in [lo, hi). */
double random_between(kan_random *random, double lo, double hi);

/* A formula, nested at most `depth` deep, as text in the buffer [size]. Smooth ones only if
 * smooth is set. */
void random_formula(kan_random *random, size_t depth, int smooth, char *text, size_t size);

/* The formula, parsed: an assertion of the test. */
kan_expression *parsed(const char *text);

#endif
