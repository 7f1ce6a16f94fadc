/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <gsl/gsl_bspline.h>

#include "core/work.h"
#include "splines/basis.h"
#include "tests/support/bspline_table.h"
#include "tests/support/kan_cases.h"
#include "tests/support/kan_reference.h"

enum { ROWS = KAN_MAX_DEGREE + 1 };

/* Values and two derivatives at x of the basis functions that are not zero there. */
typedef struct local {
    size_t first;
    double d[3][ROWS];
} local;

static local eval(const kan_basis *b, double x) {
    local l;
    for (size_t j = 0; j < 3 * ROWS; ++j) l.d[j / ROWS][j % ROWS] = NAN;
    l.first = kan_basis_eval(b, x, l.d[0], l.d[1], l.d[2]);
    cr_assert(l.first < b->n_cells);
    return l;
}

/* Derivative d of basis function j, which is 0 unless it is a local one. */
static double global(const kan_basis *b, const local *l, size_t j, size_t d) {
    return j >= l->first && j <= l->first + b->degree ? l->d[d][j - l->first] : 0.0;
}

/* ---- the exact tables -----------------------------------------------------------------------------
 */

/* The interval of x: not empty, the last one for the upper end of the grid. */
static size_t interval(const table_case *c, double x) {
    size_t j = 0;
    for (size_t at = 0; at + 1 < c->n_knots; ++at) {
        const bool reached = x == c->hi ? c->knots[at] < x : c->knots[at] <= x;
        if (reached && c->knots[at] < c->knots[at + 1]) j = at;
    }
    return j;
}

/* What derivative d of a basis function can be: k (k-1) .. of the degrees times (2 / cell)^d. */
static double scale(const table_case *c, size_t d) {
    double h = INFINITY, size = 1.0;
    for (size_t j = 0; j + 1 < c->n_knots; ++j)
        if (c->knots[j + 1] > c->knots[j]) h = fmin(h, c->knots[j + 1] - c->knots[j]);
    for (size_t j = 0; j < d; ++j) size *= 2.0 * (double)(c->degree - j) / h;
    return size;
}

/* All kinds of knots, all derivatives, all points between the first and the last knot. The table was
 * rounded to double: half an ulp of each value; the recursion adds some roundings in long double. */
Test(basis, the_reference_of_these_tests_matches_exact_tables) {
    size_t n, n_cases, n_checked = 0;
    table_cases(&n_cases);
    table_point *points = table_points(&n);
    cr_assert(eq(sz, n_cases, 35));
    for (size_t p = 0; p < n; ++p) {
        const table_case *c = points[p].of;
        if (strncmp(points[p].where, "outside", 7) == 0) continue;
        for (size_t b = 0; b < c->n_basis; ++b, ++n_checked) {
            const long double v = reference_bspline(c->knots, c->degree, interval(c, points[p].x), b,
                                                    points[p].x, points[p].d);
            const double error = (double)fabsl(v - points[p].values[b]);
            const double bound = 0.501 * DBL_EPSILON * fabs(points[p].values[b]) +
                                 256.0 * (double)LDBL_EPSILON * scale(c, points[p].d);
            cr_assert(error <= bound, "%s, %s, x %.17g, derivative %zu of %zu: %g > %g", c->name,
                      points[p].where, points[p].x, points[p].d, b, error, bound);
        }
    }
    cr_assert(gt(sz, n_checked, 10000));
    free(points);
}

Test(basis, matches_exact_tables) {
    size_t n, n_cases, n_points = 0, n_grids = 0;
    const table_case *cases = table_cases(&n_cases);
    table_point *points = table_points(&n);
    for (const table_case *c = cases; c < cases + n_cases; ++c) {
        if (!c->extended) continue;
        ++n_grids;
        grid g = grid_from_knots(c->degree, c->n_cells, c->knots);
        for (table_point *p = points; p < points + n; ++p) {
            if (p->of != c || p->d > 2 || !table_is_inside(p->where)) continue;
            ++n_points;
            const local l = eval(&g.basis, p->x);
            for (size_t b = 0; b < c->n_basis; ++b)
                cr_assert(epsilon_eq(dbl, global(&g.basis, &l, b, p->d), p->values[b],
                                     grid_tolerance(&g.basis, p->d)),
                          "%s, %s, x %.17g, derivative %zu of %zu", c->name, p->where, p->x, p->d, b);
        }
        grid_free(&g);
    }
    cr_assert(eq(sz, n_grids, 20));
    cr_assert(gt(sz, n_points, 1000));
    free(points);
}

/* ---- GSL, and the reference --------------------------------------------------------------------- */

/* dB [n_basis][3] by GSL, which is right on [lo, hi) only. */
static void gsl_eval(const kan_basis *b, double x, gsl_matrix *dB, gsl_bspline_workspace *w) {
    for (size_t j = 0; j < kan_knots_count(b->degree, b->n_cells); ++j)
        gsl_vector_set(w->knots, j, b->knots[j]);
    cr_assert(eq(int, gsl_bspline_deriv_eval(x, 2, dB, w), 0));
}

Test(basis, matches_gsl_on_any_grid) {
    kan_random random = kan_random_seed(10, 0);
    for (size_t round = 0; round < 210; ++round) {
        const size_t k = 1 + round % KAN_MAX_DEGREE;
        grid g = grid_any(&random, k, 30);
        gsl_bspline_workspace *w = gsl_bspline_alloc(k + 1, g.basis.n_cells + 1);
        gsl_matrix *dB = gsl_matrix_alloc(g.basis.n_cells + k, 3);
        for (size_t j = 0; j < 60; ++j) {
            const double x = grid_point(&random, &g.basis);
            if (x < grid_lo(&g.basis) || x >= grid_hi(&g.basis)) continue;
            const local l = eval(&g.basis, x);
            gsl_eval(&g.basis, x, dB, w);
            for (size_t b = 0; b < g.basis.n_cells + k; ++b)
                for (size_t d = 0; d < 3; ++d)
                    cr_assert(epsilon_eq(dbl, global(&g.basis, &l, b, d), gsl_matrix_get(dB, b, d),
                                         2.0 * grid_tolerance(&g.basis, d)),
                              "degree %zu, x %.17g, derivative %zu of %zu", k, x, d, b);
        }
        gsl_matrix_free(dB);
        gsl_bspline_free(w);
        grid_free(&g);
    }
}

/* Everywhere: outside, on knots, one ulp beside them. A tangent takes the error of its slope along. */
Test(basis, matches_the_reference_inside_and_outside) {
    kan_random random = kan_random_seed(11, 0);
    for (size_t round = 0; round < 210; ++round) {
        grid g = grid_any(&random, 1 + round % KAN_MAX_DEGREE, 30);
        const double lo = grid_lo(&g.basis), hi = grid_hi(&g.basis);
        for (size_t j = 0; j < 40; ++j) {
            const double x = grid_point(&random, &g.basis);
            const double beyond = fmax(0.0, fmax(lo - x, x - hi));
            const local l = eval(&g.basis, x);
            cr_assert(eq(sz, l.first, reference_cell(&g.basis, x)), "cell of %.17g", x);
            for (size_t b = 0; b < g.basis.n_cells + g.basis.degree; ++b)
                for (size_t d = 0; d < 3; ++d)
                    cr_assert(epsilon_eq(dbl, global(&g.basis, &l, b, d),
                                         (double)reference_basis(&g.basis, b, x, d),
                                         grid_tolerance(&g.basis, d) +
                                             (d == 0) * beyond * grid_tolerance(&g.basis, 1)),
                              "degree %zu, x %.17g, derivative %zu of %zu", g.basis.degree, x, d, b);
        }
        grid_free(&g);
    }
}

/* Cells of 1e-60 and 1e60, and 1e9 beside an origin: the powers of a width must neither overflow nor
 * vanish. A grid that is scaled by s has the same values, and slopes over s. */
Test(basis, does_not_care_about_units) {
    kan_random random = kan_random_seed(12, 0);
    static const double scales[] = {1e-60, 1e-7, 1e9, 1e60};
    for (size_t round = 0; round < 28; ++round) {
        const size_t k = 1 + round / 4;
        const double s = scales[round % 4], u = draw(&random, 0.0, 1.0);
        grid one = grid_uniform(k, 7, 0.0, 1.0), scaled = grid_uniform(k, 7, 0.0, s);
        const local a = eval(&one.basis, u), b = eval(&scaled.basis, u * s);
        cr_assert(eq(sz, a.first, b.first));
        for (size_t r = 0; r <= k; ++r) {
            cr_assert(epsilon_eq(dbl, b.d[0][r], a.d[0][r], 2 * grid_tolerance(&one.basis, 0)), "%g",
                      s);
            cr_assert(epsilon_eq(dbl, b.d[1][r] * s, a.d[1][r], 2 * grid_tolerance(&one.basis, 1)),
                      "%g", s);
        }
        grid_free(&scaled);
        grid_free(&one);
    }
}

/* ---- theorems ----------------------------------------------------------------------------------- */

Test(basis, sums_to_one_and_its_derivatives_to_zero) {
    kan_random random = kan_random_seed(13, 0);
    for (size_t round = 0; round < 350; ++round) {
        grid g = grid_any(&random, 1 + round % KAN_MAX_DEGREE, 40);
        for (size_t j = 0; j < 40; ++j) {
            const double x = grid_point(&random, &g.basis),
                         width = grid_hi(&g.basis) - grid_lo(&g.basis);
            const local l = eval(&g.basis, x);
            for (size_t d = 0; d < 3; ++d) {
                double sum = 0.0, bound = grid_tolerance(&g.basis, d);
                if (d == 0) bound += 2.0 * width * grid_tolerance(&g.basis, 1); /* outside */
                for (size_t r = 0; r <= g.basis.degree; ++r) sum += l.d[d][r];
                cr_assert(epsilon_eq(dbl, sum, d == 0 ? 1.0 : 0.0, bound), "x %.17g, %zu", x, d);
                if (d == 0 && x >= grid_lo(&g.basis) && x <= grid_hi(&g.basis))
                    for (size_t r = 0; r <= g.basis.degree; ++r)
                        cr_assert(l.d[0][r] >= -bound && l.d[0][r] <= 1.0 + bound, "in [0, 1]");
            }
        }
        grid_free(&g);
    }
}

Test(basis, goes_on_along_its_tangent) {
    kan_random random = kan_random_seed(14, 0);
    for (size_t round = 0; round < 140; ++round) {
        grid g = grid_any(&random, 1 + round % KAN_MAX_DEGREE, 20);
        for (size_t side = 0; side < 2; ++side) {
            const double end = side ? grid_hi(&g.basis) : grid_lo(&g.basis);
            const double x = end + (side ? 1.0 : -1.0) * draw(&random, 1e-9, 50.0);
            const local at = eval(&g.basis, end), out = eval(&g.basis, x);
            const local beside = eval(&g.basis, nextafter(end, x));
            cr_assert(eq(sz, out.first, at.first));
            for (size_t r = 0; r <= g.basis.degree; ++r) {
                const double value = at.d[0][r] + at.d[1][r] * (x - end);
                cr_assert(epsilon_eq(dbl, out.d[0][r], value, 2.0 * DBL_EPSILON * (1.0 + fabs(value))));
                cr_assert(eq(dbl, out.d[1][r], at.d[1][r]), "the slope is that of the end");
                cr_assert(eq(dbl, out.d[2][r], 0.0));
                cr_assert(eq(dbl, beside.d[2][r], 0.0), "one ulp outside");
                cr_assert(epsilon_eq(dbl, beside.d[0][r], at.d[0][r],
                                     4.0 * DBL_EPSILON * (1.0 + fabs(end * at.d[1][r]))));
            }
        }
        grid_free(&g);
    }
}

Test(basis, nan_gives_nan_and_infinity_nothing_finite_that_is_wrong) {
    kan_random random = kan_random_seed(15, 0);
    for (size_t round = 0; round < 70; ++round) {
        grid g = grid_any(&random, 1 + round % KAN_MAX_DEGREE, 20);
        const local l = eval(&g.basis, NAN);
        for (size_t d = 0; d < 3; ++d)
            for (size_t r = 0; r <= g.basis.degree; ++r) cr_assert(isnan(l.d[d][r]), "%zu %zu", d, r);
        cr_assert(eq(sz, eval(&g.basis, INFINITY).first, g.basis.n_cells - 1));
        cr_assert(eq(sz, eval(&g.basis, -INFINITY).first, 0));
        cr_assert(isfinite(eval(&g.basis, INFINITY).d[0][g.basis.degree]) == 0);
        cr_assert(isfinite(eval(&g.basis, -INFINITY).d[0][0]) == 0);
        grid_free(&g);
    }
}

/* ---- many points, cells ---------------------------------------------------------------------------
 */

/* Values and slopes of points by way of sorting, put back into their order. */
static void eval_sorted(const kan_basis *b, size_t n, const double *x, size_t stride, double *values,
                        double *slopes) {
    enum { MAX = 100 };
    const size_t rows = b->degree + 1;
    uint16_t order[MAX], seen[MAX] = {0};
    kan_basis_run runs[MAX];
    double points[MAX], sorted[MAX], place[MAX];
    double *v = poisoned(MAX * rows), *d = poisoned(MAX * rows);
    for (size_t s = 0; s < n; ++s) points[s] = x[s * stride];
    const size_t n_runs = kan_basis_sort(b, n, points, order, runs);
    cr_assert(n_runs <= b->n_cells && runs[n_runs - 1].end == n);
    for (size_t q = 0, k = 0; q < n; ++q) {
        k += q == runs[k].end;
        cr_assert(runs[k].cell == kan_basis_cell(b, points[order[q]]));
        cr_assert(q == 0 || q == runs[k - (k > 0)].end || order[q - 1] < order[q], "stable");
        cr_assert(seen[order[q]]++ == 0, "every point once");
        sorted[q] = points[order[q]];
    }
    kan_basis_eval_runs(b, n_runs, runs, sorted, v, place);
    kan_basis_slope_runs(b, n_runs, runs, place, d);
    for (size_t q = 0; q < n; ++q) {
        memcpy(values + order[q] * rows, v + q * rows, rows * sizeof *v);
        memcpy(slopes + order[q] * rows, d + q * rows, rows * sizeof *d);
    }
    kan_work_free(d);
    kan_work_free(v);
}

Test(basis, many_points_are_as_good_as_one) {
    enum { N = 100, STRIDE = 3 };
    kan_random random = kan_random_seed(16, 0);
    for (size_t round = 0; round < 140; ++round) {
        grid g = grid_any(&random, 1 + round % KAN_MAX_DEGREE, 30);
        const size_t rows = g.basis.degree + 1;
        double x[N * STRIDE], *values = poisoned(N * rows), *slopes = poisoned(N * rows);
        double points[N], v[N], t[N], inv_h[N];
        uint32_t cell[N];
        for (size_t j = 0; j < N * STRIDE; ++j) x[j] = grid_point(&random, &g.basis);
        x[7 * STRIDE] = NAN;
        for (size_t s = 0; s < N; ++s) points[s] = x[s * STRIDE];
        kan_basis_locate(&g.basis, N, points, cell, v, t, inv_h);
        eval_sorted(&g.basis, N, x, STRIDE, values, slopes);
        for (size_t s = 0; s < N; ++s) {
            const double at = x[s * STRIDE], lo = grid_lo(&g.basis), hi = grid_hi(&g.basis);
            const local l = eval(&g.basis, at);
            cr_assert(l.first == cell[s]);
            cr_assert(eq(sz, l.first, kan_basis_cell(&g.basis, at)));
            if (s == 7) {
                cr_assert(isnan(values[s * rows]) && isnan(slopes[s * rows]) && isnan(v[s]) &&
                          isnan(t[s]));
                continue;
            }
            for (size_t r = 0; r < rows; ++r) {
                const double bound = grid_tolerance(&g.basis, 0), slope = grid_tolerance(&g.basis, 1);
                const double far = fabs(t[s]) * (grid_hi(&g.basis) - grid_lo(&g.basis));
                cr_assert(epsilon_eq(dbl, values[s * rows + r], l.d[0][r], bound + far * slope));
                cr_assert(epsilon_eq(dbl, slopes[s * rows + r], l.d[1][r], slope));
            }
            const double *knot = g.knots + g.basis.degree + l.first, half = (knot[1] - knot[0]) / 2.0;
            const double beyond = at < lo ? at - lo : at > hi ? at - hi : 0.0;
            const double ulp = 4.0 * DBL_EPSILON * (1.0 + 3.0 / half); /* |knots| < 3.5 */
            cr_assert(fabs(v[s]) <= 1.0 + ulp);
            cr_assert(
                epsilon_eq(dbl, knot[0] + half * (1.0 + v[s]) + beyond, at, 2.0 * ulp * (1.0 + half)));
            cr_assert(epsilon_eq(dbl, t[s] * half, beyond, ulp * fabs(beyond)));
            cr_assert(epsilon_eq(dbl, inv_h[s] * half, 1.0, ulp));
        }
        kan_work_free(slopes);
        kan_work_free(values);
        grid_free(&g);
    }
}

/* The division that finds a cell of a uniform grid is off by one ulp beside breakpoints; also where
 * cells are as narrow as they may be. */
Test(basis, cells_begin_at_their_breakpoints) {
    kan_random random = kan_random_seed(17, 0);
    for (size_t round = 0; round < 300; ++round) {
        const size_t n = 1 + kan_random_below(&random, 2000);
        const double lo = draw(&random, -1e3, 1e3);
        const double least = 16.0 * DBL_EPSILON * (double)n * (fabs(lo) + 1e-3);
        grid g = grid_uniform(3, n, lo, lo + least * (round % 2 ? 1.0 : draw(&random, 2.0, 1e12)));
        for (size_t c = 0; c < n; ++c) {
            const double t = g.knots[3 + c];
            cr_assert(eq(sz, kan_basis_cell(&g.basis, t), c), "breakpoint %zu of %zu", c, n);
            cr_assert(eq(sz, kan_basis_cell(&g.basis, nextafter(t, -1e9)), c > 0 ? c - 1 : 0));
            cr_assert(eq(sz, kan_basis_cell(&g.basis, nextafter(t, 1e9)), c));
        }
        cr_assert(eq(sz, kan_basis_cell(&g.basis, grid_hi(&g.basis)), n - 1));
        grid_free(&g);
    }
}

Test(basis, a_grid_of_the_largest_size_is_made_quickly) {
    grid g = grid_uniform(3, KAN_MAX_CELLS, -1.0,
                          1.0); /* seconds, where the work per cell grew with n */
    const local l = eval(&g.basis, 0.3771);
    cr_assert(epsilon_eq(dbl, l.d[0][0] + l.d[0][1] + l.d[0][2] + l.d[0][3], 1.0,
                         grid_tolerance(&g.basis, 0)));
    cr_assert(eq(sz, l.first, reference_cell(&g.basis, 0.3771)));
    grid_free(&g);
}
