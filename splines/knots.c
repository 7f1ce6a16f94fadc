/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "splines/knots.h"

#include <assert.h>
#include <float.h>
#include <math.h>

/* Smallest part of the uniform grid that is blended into an adapted one. */
static const double least_grid_eps = 0.01;

size_t kan_knots_count(size_t degree, size_t n_cells) {
    return n_cells + 2 * degree + 1;
}

/* Continues the breakpoints knots[degree .. degree + n_cells] on both sides at their mean width. */
static void extend(size_t degree, size_t n_cells, double *knots) {
    const double lo = knots[degree], hi = knots[degree + n_cells], h = (hi - lo) / (double)n_cells;
    for (size_t j = 1; j <= degree; ++j) {
        knots[degree - j] = lo - h * (double)j;
        knots[degree + n_cells + j] = hi + h * (double)j;
    }
}

/* Breakpoint i of n uniform cells; the ends are exact. */
static double uniform_breakpoint(double lo, double hi, size_t i, size_t n) {
    const double t = (double)i / (double)n;
    return lo * (1.0 - t) + hi * t;
}

void kan_knots_uniform(size_t degree, size_t n_cells, double lo, double hi, double *knots) {
    assert(n_cells > 0 && lo < hi);
    for (size_t i = 0; i <= n_cells; ++i) knots[degree + i] = uniform_breakpoint(lo, hi, i, n_cells);
    extend(degree, n_cells, knots);
}

void kan_knots_extend(size_t degree, size_t n_cells, const double *breakpoints, double *knots) {
    for (size_t i = 0; i <= n_cells; ++i) knots[degree + i] = breakpoints[i];
    extend(degree, n_cells, knots);
}

void kan_knots_adapt(size_t degree, size_t n_cells, size_t n, const double *sorted, double grid_eps,
                     double *knots) {
    assert(n > 0 && n_cells > 0);
    const double lo = sorted[0], hi = sorted[n - 1];
    /* A spread that is rounding noise of the values themselves cannot carry a grid; one that is little
     * more carries one that is nearly uniform. A cell is to have room for some 16 numbers, which is
     * twice what kan_knots_check wants, since the breakpoints below are rounded. */
    const double noise = 16.0 * (DBL_EPSILON * (double)n_cells * fmax(fabs(lo), fabs(hi)) + DBL_MIN);
    if (!(hi - lo > noise)) {
        const double c = lo + (hi - lo) / 2.0, reach = fmax(1.0, 2.0 * noise);
        kan_knots_uniform(degree, n_cells, c - reach, c + reach, knots);
        return;
    }
    const double eps = fmax(fmax(grid_eps, least_grid_eps), noise / (hi - lo));
    for (size_t i = 0; i <= n_cells; ++i) {
        const double position = (double)i / (double)n_cells * (double)(n - 1);
        const size_t below = (size_t)position, above = below + 1 < n ? below + 1 : below;
        const double part = position - (double)below;
        const double quantile = sorted[below] * (1.0 - part) + sorted[above] * part;
        knots[degree + i] = eps * uniform_breakpoint(lo, hi, i, n_cells) + (1.0 - eps) * quantile;
    }
    knots[degree] = lo;
    knots[degree + n_cells] = hi;
    extend(degree, n_cells, knots);
}

const char *kan_knots_check(size_t degree, size_t n_cells, const double *knots) {
    if (degree < 1 || degree > KAN_MAX_DEGREE) return "the degree must be 1 to 7";
    if (n_cells < 1 || n_cells > KAN_MAX_CELLS) return "the number of cells must be 1 to 100000";
    const size_t n = kan_knots_count(degree, n_cells);
    for (size_t j = 0; j < n; ++j)
        if (!isfinite(knots[j])) return "a knot is not finite";
    for (size_t j = 1; j < n; ++j) {
        /* A cell needs room for its points: some ulp of its ends. */
        const double ulp = DBL_EPSILON * fmax(fabs(knots[j - 1]), fabs(knots[j]));
        if (!(knots[j] - knots[j - 1] > 8.0 * ulp)) return "the knots do not increase";
    }
    return NULL;
}

bool kan_knots_nest(size_t degree, size_t coarse_cells, const double *coarse, size_t fine_cells,
                    const double *fine) {
    size_t i = 0;
    for (size_t j = 0; j <= fine_cells && i <= coarse_cells; ++j)
        if (fine[degree + j] == coarse[degree + i]) ++i;
    return i == coarse_cells + 1 && fine[degree] == coarse[degree] &&
           fine[degree + fine_cells] == coarse[degree + coarse_cells];
}

void kan_knots_split(size_t degree, size_t coarse_cells, const double *coarse, size_t fine_cells,
                     double *fine) {
    assert(fine_cells % coarse_cells == 0);
    const size_t parts = fine_cells / coarse_cells;
    const double *t = coarse + degree;
    for (size_t c = 0; c < coarse_cells; ++c)
        for (size_t j = 0; j < parts; ++j)
            fine[degree + c * parts + j] = uniform_breakpoint(t[c], t[c + 1], j, parts);
    fine[degree + fine_cells] = t[coarse_cells];
    extend(degree, fine_cells, fine);
}
