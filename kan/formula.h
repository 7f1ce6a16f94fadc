/* kan/formula.h - networks of symbolic edges as formulas, and back.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_KAN_FORMULA_H
#define KAN_KAN_FORMULA_H

#include <stddef.h>

#include "core/status.h"
#include "kan/net.h"
#include "symbolic/expression.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* One output of a net as a formula of its inputs, *made, which the caller frees: an adding node is the sum
 * of its edges c f(a x + b) + d, x being the formula of the node below, a multiplying node is the product
 * of such sums. Nothing is rounded or simplified but for factors of 1 and terms of 0.
 *
 * names [n_in] are those of the inputs, names of variables as symbolic/expression.h defines them; NULL
 * stands for x1, x2, ... KAN_ECONFIG where an edge on the way to the output is a spline, KAN_ENONFINITE
 * where a parameter is not finite, KAN_EFORMAT where a name is no name or the formula is too deep,
 * KAN_ENOMEM. */
kan_status kan_net_formula(const kan_net *net, size_t output, const char *const *names,
                           kan_expression **made, kan_error *error);

/* A net of n_in inputs, n_in > 0, and one output that computes e, all of whose edges are symbolic or removed: sums
 * are adding nodes, products multiplying nodes, functions and powers edges; where it must, a node is carried
 * to higher levels by edges x. names [n_in] are those of the inputs, among which must be the variables of e;
 * NULL stands for the variables of e in their order. One cell of degree 1 (the splines that are set aside are zero;
 * kan_grid_refine gives them more cells). Agrees with kan_expression_eval up to rounding where that is
 * finite; a^b with a b that varies or is no whole number is exp(b log a), for a > 0.
 *
 * NULL: KAN_ECONFIG (a function that no edge can be, a variable that is no input, more than KAN_MAX_LEVELS levels),
 * KAN_ENOMEM. */
kan_net *kan_net_from_expression(const kan_expression *e, size_t n_in, const char *const *names,
                                 kan_error *error);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
