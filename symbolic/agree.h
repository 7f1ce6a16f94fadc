/* symbolic/agree.h - are two formulas the same function?
 *
 * Decided by values: at random points of a box, a tenth wider on each side than the ranges of the data, in long
 * double, where both formulas are finite. The difference is measured against |q|, the reference, or a thousandth
 * of the median of |q| where |q| is less (near its zeros rounding of a constant is any relative error).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_SYMBOLIC_AGREE_H
#define KAN_SYMBOLIC_AGREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"
#include "symbolic/expression.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* The range of the variable of that name: lo <= hi, both finite. */
typedef struct kan_agree_range {
    const char *name;
    double lo, hi;
} kan_agree_range;

/* How two expressions are compared. */
typedef struct kan_agree_options { /* zero means the default in brackets                              */
    double tolerance; /* of the difference [1e-8]                                                     */
    size_t n_points;  /* looked for, in ten times as many trials [1000]                               */
    size_t n_least;   /* fewer where both are finite decide nothing [100]                             */
    uint64_t seed;    /* of the points                                                                */
} kan_agree_options;

/* What the comparison of two expressions found. */
typedef struct kan_agree_report {
    bool agree;      /* decided, and everywhere within the tolerance                                  */
    bool decided;    /* there were n_least points where both are finite                               */
    size_t n_points; /* where both are finite                                                         */
    double worst;    /* largest difference in the measure above                                       */
} kan_agree_report;

/* Compares p with the reference q; ranges [n_ranges] has every variable of either. KAN_ENOMEM; KAN_ECONFIG when a
 * variable has no range. */
kan_status kan_agree_expressions(const kan_expression *p, const kan_expression *q, size_t n_ranges,
                                 const kan_agree_range *ranges, const kan_agree_options *options,
                                 kan_agree_report *report, kan_error *error);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
