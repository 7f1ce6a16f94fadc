/* symbolic/curve_private.h - private: what curve.c, curve_search.c and curve_polish.c share.
 *
 * They work on samples (u, v) with u = (t - middle) / half in [-1, 1], and v = y moved and scaled to mean 0 and
 * variance 1; the argument of f is a u + b there.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_SYMBOLIC_CURVE_PRIVATE_H
#define KAN_SYMBOLIC_CURVE_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include "symbolic/function.h"

typedef struct curve_samples {
    size_t n;
    const double *u, *v, *w; /* [n], u ascending; w sums to 1 */
    double origin;           /* the argument a t is a (u + origin) up to a factor */
} curve_samples;

/* What c and d absorb of a function, found by trying: f(k x) = p f(x) + q for k > 0 fixes the size of a,
 * f(x + k) = p f(x) + q fixes b. */
typedef struct curve_family {
    const kan_function *f;
    bool constant, vary_a, vary_b;
    bool both_signs; /* a < 0 is another curve than a > 0 */
    bool sine;       /* f'' = -f: a sine of any phase     */
    bool oscillates; /* has many extrema                  */
} curve_family;

typedef struct curve_point {
    double a, b, sse; /* sse: sum of w r^2 with the best c and d */
} curve_point;

/* Ranges of the search, in u: beyond them a function is a straight line or a pulse between two samples. */
#define CURVE_LEAST_A     1e-3
#define CURVE_MOST_CENTRE 1e3

curve_family kan_curve_family(const kan_function *f);

/* b modulo the period, about 0; modulo half of it where f(x + period/2) is -f(x), flipped saying whether f changed
 * its sign. b itself where f has no period. */
double kan_curve_reduce_phase(const kan_function *f, double b, bool *flipped);

/* The sum of w r^2 of v ~ c F + d with the best c and d, written where not NULL; infinite where an F is not
 * finite. v has mean 0. */
double kan_curve_project(const curve_samples *s, const double *F, double *c, double *d);

/* The frequencies of the search for sines, all phases at once: rows [n_rows] of (a, b of sin(a u + b), sse).
 * Returns n_rows, at most max. scratch [4 n]. */
size_t kan_curve_scan_sines(const curve_samples *s, size_t max, curve_point *rows, double *scratch);

/* The at most max best places for (a, b). sines: what the scan above found, for families that are sines.
 * scratch: kan_curve_search_scratch(s->n) doubles. */
size_t kan_curve_search(const curve_samples *s, const curve_family *family, size_t n_sines,
                        const curve_point *sines, size_t max, curve_point *best, double *scratch);
size_t kan_curve_search_scratch(size_t n);

/* Moves a point to the nearest minimum by Levenberg-Marquardt, at most `steps` steps. scratch [3 n]. */
void kan_curve_polish(const curve_samples *s, const curve_family *family, size_t steps,
                      curve_point *point, double *scratch);

#endif
