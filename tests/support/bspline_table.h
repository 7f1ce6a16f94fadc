/* tests/support/bspline_table.h - the tables of exact B-spline values in the project's shared data
 * (reference/bspline, whose README says how they were made), as arrays.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_TESTS_BSPLINE_TABLE_H
#define KAN_TESTS_BSPLINE_TABLE_H

#include <stdbool.h>
#include <stddef.h>

enum { TABLE_MAX_CASES = 64, TABLE_MAX_KNOTS = 40 };

typedef struct table_case {
    char name[48];
    bool extended; /* a grid of ours: simple knots, `degree` of them beyond each end */
    size_t degree, n_cells, n_knots, n_basis;
    double lo, hi, knots[TABLE_MAX_KNOTS], coef[TABLE_MAX_KNOTS]; /* coef [n_basis] of one curve */
} table_case;

/* Derivative d of all basis functions of a case at x. */
typedef struct table_point {
    const table_case *of;
    char where[24];
    double x, values[TABLE_MAX_KNOTS];
    size_t d;
} table_point;

/* The curve of a case at x: value and two derivatives. */
typedef struct table_curve {
    const table_case *of;
    char where[24];
    double x, f[3];
} table_curve;

/* The least-squares problem of a case and its solution coef [n_basis]; n = 0 where it has none. */
typedef struct table_lsq {
    size_t n;
    double x[200], y[200], coef[TABLE_MAX_KNOTS];
} table_lsq;

/* The cases; skips the test where the shared data are absent. */
const table_case *table_cases(size_t *n);

/* New arrays, to be freed by the caller. */
table_point *table_points(size_t *n);
table_curve *table_curves(size_t *n);
table_lsq *table_lsqs(void); /* one for each case */

/* Whether a point lies on [lo, hi]. */
bool table_is_inside(const char *where);

#endif
