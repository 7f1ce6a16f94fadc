/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <gsl/gsl_linalg.h>

#include "core/work.h"
#include "splines/spline.h"
#include "tests/support/alloc.h"
#include "tests/support/bspline_table.h"
#include "tests/support/kan_cases.h"

static size_t n_basis(const kan_basis *b) {
    return b->n_cells + b->degree;
}

static double *draw_many(kan_random *random, size_t n, double lo, double hi) {
    double *values = poisoned(n);
    for (size_t j = 0; j < n; ++j) values[j] = draw(random, lo, hi);
    return values;
}

static double largest(size_t n, const double *values) {
    double m = 0.0;
    for (size_t j = 0; j < n; ++j) m = fmax(m, fabs(values[j]));
    return m;
}

static double value(const kan_basis *b, const double *coef, double x) {
    double out[3] = {NAN, NAN, NAN};
    kan_spline_eval(b, coef, 1, x, out);
    return out[0];
}

/* ---- evaluation ---------------------------------------------------------------------------------- */

/* A spline has degree + 1 terms at a point, each with the error of its basis function. */
Test(spline, matches_exact_tables) {
    size_t n, n_checked = 0;
    table_curve *curves = table_curves(&n);
    for (table_curve *p = curves; p < curves + n; ++p) {
        const table_case *c = p->of;
        if (!c->extended || !table_is_inside(p->where)) continue;
        grid g = grid_from_knots(c->degree, c->n_cells, c->knots);
        double strided[3 * TABLE_MAX_KNOTS], out[3];
        for (size_t j = 0; j < 3 * c->n_basis; ++j) strided[j] = j % 3 ? NAN : c->coef[j / 3];
        kan_spline_eval(&g.basis, strided, 3, p->x, out);
        const double terms = (double)(c->degree + 1) * largest(c->n_basis, c->coef);
        for (size_t d = 0; d < 3; ++d, ++n_checked)
            cr_assert(epsilon_eq(dbl, out[d], p->f[d], terms * grid_tolerance(&g.basis, d)),
                      "%s, %s, x %.17g, derivative %zu", c->name, p->where, p->x, d);
        grid_free(&g);
    }
    cr_assert(gt(sz, n_checked, 600));
    free(curves);
}

/* ---- least squares ------------------------------------------------------------------------------- */

/* Error of the solution of normal equations: their condition number times rounding. That of a B-spline
 * basis grows like 2^degree and these have it squared; 100 DBL_EPSILON for sums and for the samples. */
static double fit_tolerance(size_t degree) {
    return 100.0 * DBL_EPSILON * pow(4.0, (double)degree);
}

Test(spline, fit_matches_exact_tables) {
    size_t n_cases, n_fits = 0;
    const table_case *cases = table_cases(&n_cases);
    table_lsq *all = table_lsqs();
    for (size_t j = 0; j < n_cases; ++j) {
        const table_case *c = &cases[j];
        const table_lsq *q = &all[j];
        if (!c->extended || q->n == 0) continue;
        ++n_fits;
        grid g = grid_from_knots(c->degree, c->n_cells, c->knots);
        double coef[TABLE_MAX_KNOTS] = {0.0};
        cr_assert(kan_spline_fit(&g.basis, q->n, q->x, NULL, 1, q->y, coef, NULL) == KAN_OK);
        for (size_t b = 0; b < c->n_basis; ++b)
            cr_assert(epsilon_eq(dbl, coef[b], q->coef[b],
                                 fit_tolerance(c->degree) * largest(c->n_basis, q->coef)),
                      "%s, coefficient %zu", c->name, b);
        grid_free(&g);
    }
    cr_assert(eq(sz, n_fits, 20));
    free(all);
}

/* One problem and its solution of least norm by GSL. */
typedef struct problem {
    grid g;
    size_t n, n_rhs;
    double *x, *y, *weight, *coef, *expected; /* coef, expected [n_basis][n_rhs] */
} problem;

static problem problem_alloc(kan_random *random, grid g, size_t n, size_t n_rhs, double lo, double hi) {
    problem p = {.g = g, .n = n, .n_rhs = n_rhs};
    p.x = draw_many(random, n, lo, hi), p.y = draw_many(random, n * n_rhs, -2.0, 2.0);
    p.weight = draw_many(random, n, 0.3, 3.0);
    p.coef = kan_work_alloc(n_basis(&g.basis) * n_rhs);
    p.expected = poisoned(n_basis(&g.basis) * n_rhs);
    return p;
}

static void problem_free(problem *p) {
    double *arrays[] = {p->x, p->y, p->weight, p->coef, p->expected};
    for (size_t j = 0; j < 5; ++j) kan_work_free(arrays[j]);
    grid_free(&p->g);
}

/* By a complete orthogonal decomposition, row s of basis values and data times the root of its weight.
 */
static void solve_by_gsl(problem *p) {
    const size_t m = n_basis(&p->g.basis), n = p->n > m ? p->n : m; /* rows of zeros do no harm */
    gsl_matrix *B = gsl_matrix_calloc(n, m);
    gsl_vector *y = gsl_vector_calloc(n), *c = gsl_vector_alloc(m), *residual = gsl_vector_alloc(n);
    gsl_vector *tau_q = gsl_vector_alloc(m), *tau_z = gsl_vector_alloc(m), *work = gsl_vector_alloc(m);
    gsl_permutation *permutation = gsl_permutation_alloc(m);
    size_t rank;
    for (size_t s = 0; s < p->n; ++s) {
        double values[KAN_MAX_DEGREE + 1];
        const size_t first = kan_basis_eval(&p->g.basis, p->x[s], values, NULL, NULL);
        for (size_t r = 0; r <= p->g.basis.degree; ++r)
            gsl_matrix_set(B, s, first + r, sqrt(p->weight[s]) * values[r]);
    }
    gsl_linalg_COD_decomp_e(B, tau_q, tau_z, permutation, 1e-12, &rank, work);
    for (size_t j = 0; j < p->n_rhs; ++j) {
        for (size_t s = 0; s < p->n; ++s)
            gsl_vector_set(y, s, sqrt(p->weight[s]) * p->y[s * p->n_rhs + j]);
        gsl_linalg_COD_lssolve(B, tau_q, tau_z, permutation, rank, y, c, residual);
        for (size_t b = 0; b < m; ++b) p->expected[b * p->n_rhs + j] = gsl_vector_get(c, b);
    }
    gsl_permutation_free(permutation);
    gsl_vector_free(work), gsl_vector_free(tau_z), gsl_vector_free(tau_q);
    gsl_vector_free(residual), gsl_vector_free(c), gsl_vector_free(y);
    gsl_matrix_free(B);
}

static kan_status fit(problem *p) {
    return kan_spline_fit(&p->g.basis, p->n, p->x, p->weight, p->n_rhs, p->y, p->coef, NULL);
}

Test(spline, weighted_fit_of_several_curves_matches_gsl) {
    kan_random random = kan_random_seed(20, 0);
    for (size_t round = 0; round < 70; ++round) {
        /* not few cells, nor uneven ones for high degrees: there the basis functions are so hard to
         * tell apart that normal equations, which square this, have no digit left */
        const size_t k = 1 + round % KAN_MAX_DEGREE, cells = 4 + kan_random_below(&random, 9);
        grid g = round % 2 && k < 6 ? grid_uneven(&random, k, cells)
                                    : grid_uniform(k, cells, -1.0, 1.0);
        const size_t n = 60 * n_basis(&g.basis), n_rhs = 1 + kan_random_below(&random, 12);
        problem p = problem_alloc(&random, g, n, n_rhs, grid_lo(&g.basis), grid_hi(&g.basis));
        solve_by_gsl(&p);
        cr_assert(fit(&p) == KAN_OK);
        const size_t n_coef = n_basis(&g.basis) * n_rhs;
        /* 20: weights of 0.3 to 3, cells of 0.2 to 1, and where a sample happens to be at the ends */
        const double tolerance = 20.0 * fit_tolerance(g.basis.degree) * largest(n_coef, p.expected);
        for (size_t j = 0; j < n_coef; ++j)
            cr_assert(epsilon_eq(dbl, p.coef[j], p.expected[j], tolerance), "degree %zu", k);
        for (size_t s = 0; s < n * n_rhs; ++s) {
            double got[3], expected[3];
            kan_spline_eval(&g.basis, p.coef + s % n_rhs, n_rhs, p.x[s / n_rhs], got);
            kan_spline_eval(&g.basis, p.expected + s % n_rhs, n_rhs, p.x[s / n_rhs], expected);
            cr_assert(epsilon_eq(dbl, got[0], expected[0], 20.0 * fit_tolerance(k)), "degree %zu", k);
        }
        problem_free(&p);
    }
}

/* Fewer samples than coefficients. The curve goes through all samples. Among the coefficients that do
 * so, rounding in the right-hand side, about DBL_EPSILON, over the ridge, 8 n_basis DBL_EPSILON, leaves
 * them known to about a tenth only: they are not far from the shortest. */
Test(spline, fit_of_few_samples_goes_through_them_with_short_coefficients) {
    kan_random random = kan_random_seed(21, 0);
    for (size_t round = 0; round < 140; ++round) {
        const size_t k = 1 + round % KAN_MAX_DEGREE, cells = 4 + kan_random_below(&random, 20);
        grid g = round % 2 ? grid_uneven(&random, k, cells) : grid_uniform(k, cells, -1.0, 1.0);
        const size_t n = 1 + kan_random_below(&random, 4), m = n_basis(&g.basis);
        problem p = problem_alloc(&random, g, n, 1, 0.0, 0.0);
        for (size_t s = 0; s < n; ++s) /* in cells of their own */
            p.x[s] = g.knots[k + s * (cells / n)] + draw(&random, 0.3, 0.7) * grid_narrowest(&g.basis);
        solve_by_gsl(&p);
        cr_assert(fit(&p) == KAN_OK);
        double norm = 0.0, shortest = 0.0;
        for (size_t b = 0; b < m; ++b) {
            norm += p.coef[b] * p.coef[b], shortest += p.expected[b] * p.expected[b];
            cr_assert(fabs(p.coef[b] - p.expected[b]) <= 0.2 * largest(m, p.expected),
                      "coefficient %zu", b);
        }
        cr_assert(sqrt(norm) <= 1.1 * sqrt(shortest), "%g and %g", sqrt(norm), sqrt(shortest));
        for (size_t s = 0; s < n; ++s)
            cr_assert(
                epsilon_eq(dbl, value(&g.basis, p.coef, p.x[s]), p.y[s], 1e-11 * largest(m, p.coef)));
        problem_free(&p);
    }
}

Test(spline, coefficients_without_data_keep_their_prior_to_the_bit) {
    kan_random random = kan_random_seed(22, 0);
    for (size_t round = 0; round < 70; ++round) {
        const size_t k = 1 + round % KAN_MAX_DEGREE, cells = 20,
                     cell = kan_random_below(&random, cells);
        grid g = round % 2 ? grid_uneven(&random, k, cells) : grid_uniform(k, cells, -1.0, 1.0);
        problem p = problem_alloc(&random, g, 50, 2, g.knots[k + cell], g.knots[k + cell + 1]);
        double *prior = draw_many(&random, n_basis(&g.basis) * 2, -1.0, 1.0);
        memcpy(p.coef, prior, n_basis(&g.basis) * 2 * sizeof *prior);
        cr_assert(fit(&p) == KAN_OK);
        for (size_t j = 0; j < n_basis(&g.basis) * 2; ++j)
            if (j / 2 < cell || j / 2 > cell + k) cr_assert(eq(dbl, p.coef[j], prior[j]), "%zu", j / 2);
        p.n = 0;
        memcpy(p.coef, prior, n_basis(&g.basis) * 2 * sizeof *prior);
        cr_assert(fit(&p) == KAN_OK, "no samples at all");
        for (size_t j = 0; j < n_basis(&g.basis) * 2; ++j) cr_assert(eq(dbl, p.coef[j], prior[j]));
        kan_work_free(prior);
        problem_free(&p);
    }
}

/* A column that is constant, or takes two values, or lies outside: sums of many equal terms, whose
 * rounding errors all go one way. */
Test(spline, fit_takes_any_number_of_equal_samples) {
    static double x[200000], y[200000], weight[200000];
    kan_random random = kan_random_seed(23, 0);
    for (size_t round = 0; round < 28; ++round) {
        grid g = grid_any(&random, 1 + round % KAN_MAX_DEGREE, 10);
        const size_t n = (size_t[]){1, 300, 20000, 200000}[round % 4];
        const double a = draw(&random, -2.0, 3.0), b = round < 14 ? a : draw(&random, -2.0, 3.0);
        for (size_t s = 0; s < n; ++s)
            x[s] = s % 2 ? a : b, y[s] = s % 2 && a != b ? 0.71 : -1.37, weight[s] = 1.7;
        double *coef = kan_work_alloc(n_basis(&g.basis));
        cr_assert(kan_spline_fit(&g.basis, n, x, weight, 1, y, coef, NULL) == KAN_OK, "n = %zu", n);
        const double bound = 1e-10 * (1.0 + largest(n_basis(&g.basis), coef));
        cr_assert(epsilon_eq(dbl, value(&g.basis, coef, b), -1.37, bound));
        if (a != b && n > 1) cr_assert(epsilon_eq(dbl, value(&g.basis, coef, a), 0.71, bound));
        cr_assert(largest(n_basis(&g.basis), coef) < 1e4);
        kan_work_free(coef);
        grid_free(&g);
    }
}

Test(spline, fit_says_when_data_are_not_finite) {
    const double bad[] = {NAN, INFINITY, -INFINITY};
    for (size_t j = 0; j < 18; ++j) {
        kan_random random = kan_random_seed(24, j);
        grid g = grid_any(&random, 1 + j % KAN_MAX_DEGREE, 10);
        problem p = problem_alloc(&random, g, 40, 2, -1.0, 1.0);
        double *arrays[] = {p.x, p.y, p.weight};
        kan_error error = {KAN_OK, ""};
        arrays[j / 6][17] = bad[j % 3];
        const kan_status status = kan_spline_fit(&g.basis, p.n, p.x, p.weight, 2, p.y, p.coef, &error);
        cr_assert(eq(int, (int)status, KAN_ESINGULAR), "array %zu, %g", j / 6, bad[j % 3]);
        cr_assert(eq(int, (int)error.status, KAN_ESINGULAR));
        cr_assert(error.message[0] != '\0');
        problem_free(&p);
    }
}

static kan_status attempt(void *context) {
    return fit(context);
}

Test(spline, fit_survives_failing_allocations) {
    kan_random random = kan_random_seed(25, 0);
    problem p = problem_alloc(&random, grid_any(&random, 3, 10), 40, 2, -1.0, 1.0);
    cr_assert(gt(sz, alloc_fail_every(attempt, &p), 0));
    problem_free(&p);
}

/* ---- order of convergence ------------------------------------------------------------------------ */

static double error_of_best_fit(size_t degree, size_t n_cells) {
    enum { N = 4001 };
    static double x[N], y[N];
    grid g = grid_uniform(degree, n_cells, -1.0, 1.0);
    double *coef = kan_work_alloc(n_basis(&g.basis)), worst = 0.0;
    for (size_t s = 0; s < N; ++s)
        x[s] = -1.0 + 2.0 * (double)s / (N - 1), y[s] = sin(5.0 * x[s] + 0.3) + exp(0.7 * x[s]);
    cr_assert(kan_spline_fit(&g.basis, N, x, NULL, 1, y, coef, NULL) == KAN_OK);
    for (size_t s = 0; s < N; ++s) worst = fmax(worst, fabs(value(&g.basis, coef, x[s]) - y[s]));
    kan_work_free(coef);
    grid_free(&g);
    return worst;
}

Test(spline, the_error_of_the_best_fit_falls_as_the_power_degree_plus_one) {
    for (size_t k = 1; k <= KAN_MAX_DEGREE; ++k) {
        const double coarse = error_of_best_fit(k, 8), fine = error_of_best_fit(k, 24);
        const double order = log(coarse / fine) / log(3.0);
        cr_assert(order >= (double)(k + 1) - 0.5, "degree %zu: %g and %g, order %g", k, coarse, fine,
                  order);
        cr_assert(fine > 1e-13, "rounding hides the order");
    }
}

/* ---- refining ------------------------------------------------------------------------------------ */

/* The fine coefficients are combinations of coarse ones with weights that sum to 1 and are, for the
 * inner knots beyond the ends, of sizes up to 2^degree; then both splines are evaluated. */
static void assert_same_spline(kan_random *random, const kan_basis *a, const double *coef_a,
                               const kan_basis *b, const double *coef_b, size_t n_rhs) {
    const double width = grid_hi(a) - grid_lo(a), terms = (double)(2 * a->degree + 2);
    const double size = terms * largest(n_basis(a) * n_rhs, coef_a);
    for (size_t j = 0; j < 60; ++j) {
        const double x = grid_point(random, b);
        const double beyond = fmax(0.0, fmax(grid_lo(a) - x, x - grid_hi(a)));
        for (size_t r = 0; r < n_rhs; ++r) {
            double va[3], vb[3];
            kan_spline_eval(a, coef_a + r, n_rhs, x, va);
            kan_spline_eval(b, coef_b + r, n_rhs, x, vb);
            cr_assert(epsilon_eq(dbl, va[0], vb[0],
                                 size * (grid_tolerance(a, 0) + beyond * grid_tolerance(b, 1))),
                      "degree %zu, x %g, width %g", a->degree, x, width);
            cr_assert(epsilon_eq(dbl, va[1], vb[1], size * grid_tolerance(b, 1)), "slope");
        }
    }
}

static grid split(const grid *g, size_t parts) {
    const size_t k = g->basis.degree, n = g->basis.n_cells;
    double *knots = poisoned(kan_knots_count(k, n * parts));
    kan_knots_split(k, n, g->knots, n * parts, knots);
    grid fine = grid_from_knots(k, n * parts, knots);
    kan_work_free(knots);
    return fine;
}

Test(spline, refining_keeps_the_curve) {
    kan_random random = kan_random_seed(26, 0);
    for (size_t round = 0; round < 210; ++round) {
        const size_t parts = (size_t[]){2, 3, 5}[round % 3], n_rhs = 1 + round % 4;
        grid a = grid_any(&random, 1 + round % KAN_MAX_DEGREE, 10), b = split(&a, parts),
             c = split(&b, 2);
        double *coef = draw_many(&random, n_basis(&a.basis) * n_rhs, -1.0, 1.0);
        double *fine = poisoned(n_basis(&b.basis) * n_rhs),
               *finest = poisoned(n_basis(&c.basis) * n_rhs);
        kan_spline_refine(&a.basis, coef, &b.basis, fine, n_rhs);
        kan_spline_refine(&b.basis, fine, &c.basis, finest, n_rhs);
        assert_same_spline(&random, &a.basis, coef, &b.basis, fine, n_rhs);
        assert_same_spline(&random, &a.basis, coef, &c.basis, finest, n_rhs);
        kan_spline_refine(&a.basis, coef, &a.basis, fine, n_rhs);
        for (size_t j = 0; j < n_basis(&a.basis) * n_rhs; ++j)
            cr_assert(epsilon_eq(dbl, fine[j], coef[j], grid_tolerance(&a.basis, 0)), "in itself");
        kan_work_free(finest), kan_work_free(fine), kan_work_free(coef);
        grid_free(&c), grid_free(&b), grid_free(&a);
    }
}

/* Any grid that nests will do, not only equal parts: a breakpoint more in one cell. */
Test(spline, refining_takes_any_grid_that_nests) {
    kan_random random = kan_random_seed(27, 0);
    for (size_t round = 0; round < 70; ++round) {
        const size_t k = 1 + round % KAN_MAX_DEGREE, n = 1 + kan_random_below(&random, 8);
        grid a = grid_uneven(&random, k, n);
        double *t = poisoned(n + 2), *knots = poisoned(kan_knots_count(k, n + 1));
        const size_t cell = kan_random_below(&random, n);
        for (size_t i = 0; i <= n; ++i) t[i + (i > cell)] = a.knots[k + i];
        t[cell + 1] = t[cell] + draw(&random, 0.2, 0.8) * (t[cell + 2] - t[cell]);
        kan_knots_extend(k, n + 1, t, knots);
        grid b = grid_from_knots(k, n + 1, knots);
        double *coef = draw_many(&random, n + k, -1.0, 1.0), *fine = poisoned(n + 1 + k);
        kan_spline_refine(&a.basis, coef, &b.basis, fine, 1);
        assert_same_spline(&random, &a.basis, coef, &b.basis, fine, 1);
        kan_work_free(fine), kan_work_free(coef), kan_work_free(knots), kan_work_free(t);
        grid_free(&b), grid_free(&a);
    }
}
