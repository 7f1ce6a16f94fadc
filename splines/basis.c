/* splines/basis.c - the only file that calls GSL's B-splines.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "splines/basis.h"

#include <assert.h>
#include <float.h>
#include <math.h>

#include <gsl/gsl_bspline.h>
#include <gsl/gsl_errno.h>
#include <gsl/gsl_matrix.h>
#include <gsl/gsl_version.h>

#include "splines/basis_kernel.h"

enum { ROWS = KAN_MAX_DEGREE + 1 };

/* One record of `cells`: middle, 1/half width, then P[p][r]. */
static size_t cell_size(size_t degree) {
    return 2 + (degree + 1) * (degree + 1);
}

size_t kan_basis_cells_size(size_t degree, size_t n_cells) {
    return n_cells * cell_size(degree);
}

/* Derivatives 0 .. degree at x, strictly inside a cell, of the basis functions that are not zero there:
 * d[r][p], r = 0 .. degree. GSL 2.8 renamed what 2.7 has. */
static int gsl_derivatives(double x, size_t degree, gsl_matrix *d, gsl_bspline_workspace *w) {
    size_t first;
#if GSL_MAJOR_VERSION > 2 || (GSL_MAJOR_VERSION == 2 && GSL_MINOR_VERSION >= 8)
    return gsl_bspline_basis_deriv(x, degree, d, &first, w);
#else
    size_t last;
    return gsl_bspline_deriv_eval_nonzero(x, degree, d, &first, &last, w);
#endif
}

/* P[p][r] = h^p / p! D^p B_{c+r}(m) for one cell. */
static void scale_cell(size_t degree, double half_width, const gsl_matrix *d, double *p_r) {
    double factor = 1.0;
    for (size_t p = 0; p <= degree; ++p) {
        if (p > 0) factor *= half_width / (double)p;
        for (size_t r = 0; r <= degree; ++r)
            p_r[p * (degree + 1) + r] = factor * gsl_matrix_get(d, r, p);
    }
}

kan_status kan_basis_build(size_t degree, size_t n_cells, const double *knots, double *cells,
                           kan_error *error) {
    assert(!kan_knots_check(degree, n_cells, knots));
    kan_status status = KAN_ENOMEM;
    /* The 2 degree + 2 knots about a cell are all that it depends on: a workspace for one cell serves
     * them in turn. GSL's own knots, with repeated ends, are replaced by ours. */
    gsl_bspline_workspace *w = gsl_bspline_alloc(degree + 1, 2);
    gsl_matrix *d = gsl_matrix_alloc(degree + 1, degree + 1);
    if (!w || !d) goto done;

    status = KAN_OK;
    for (size_t c = 0; c < n_cells && status == KAN_OK; ++c) {
        const double left = knots[degree + c], half_width = (knots[degree + c + 1] - left) / 2.0;
        double *cell = cells + c * cell_size(degree);
        cell[0] = left + half_width;
        cell[1] = 1.0 / half_width;
        /* scaled by a power of two to a cell of about 1: P is the same, and no power of a narrow or
         * wide cell overflows or vanishes */
        const int scale = -ilogb(half_width);
        for (size_t j = 0; j < 2 * degree + 2; ++j)
            gsl_vector_set(w->knots, j, scalbn(knots[c + j], scale));
        if (gsl_derivatives(scalbn(cell[0], scale), degree, d, w) != GSL_SUCCESS)
            status = KAN_ESINGULAR;
        scale_cell(degree, scalbn(half_width, scale), d, cell + 2);
    }
done:
    gsl_matrix_free(d);
    if (w) gsl_bspline_free(w); /* GSL 2.8 does not look */
    if (status != KAN_OK)
        kan_status_fail(error, status, "B-spline basis: %s", kan_status_string(status));
    return status;
}

/* Whether all cells are equally wide up to rounding of the breakpoints. */
static int is_uniform(size_t n_cells, const double *t) {
    const double lo = t[0], hi = t[n_cells], h = (hi - lo) / (double)n_cells;
    const double rounding = 4.0 * DBL_EPSILON * fmax(fabs(lo), fabs(hi));
    for (size_t i = 1; i < n_cells; ++i)
        if (fabs(t[i] - (lo + h * (double)i)) > rounding) return 0;
    return 1;
}

kan_basis kan_basis_view(size_t degree, size_t n_cells, const double *knots, const double *cells) {
    const double *t = knots + degree;
    const double cells_per_x = is_uniform(n_cells, t) ? (double)n_cells / (t[n_cells] - t[0]) : 0.0;
    return (kan_basis){degree, n_cells, knots, cells, cells_per_x};
}

/* The number of breakpoints t[1 .. n-1] that are <= x, by halving. */
static size_t search(size_t n, const double *t, double x) {
    size_t low = 0, count = n;
    while (count > 1) {
        const size_t half = count / 2;
        low = x >= t[low + half] ? low + half : low;
        count -= half;
    }
    return low;
}

static inline size_t find_cell(const kan_basis *b, double x) {
    const size_t n = b->n_cells;
    const double *t = b->knots + b->degree;
    if (b->cells_per_x <= 0.0) return search(n, t, x);
    /* each line one instruction, without a branch; NaN compares false and so goes to cell 0 */
    double position = (x - t[0]) * b->cells_per_x;
    const double last = (double)(n - 1);
    position = position > 0.0 ? position : 0.0;
    position = position < last ? position : last;
    size_t c = (uint32_t)(int32_t)position;
    /* rounding of the division, by one cell at most; the knots beyond the ends are there to be read */
    c -= (size_t)(x < t[c]) & (size_t)(c > 0);
    c += (size_t)(x >= t[c + 1]) & (size_t)(c + 1 < n);
    return c;
}

/* x held within [lo, hi], NaN let through, without a branch: values of hidden nodes come from all sides. */
static inline double hold(double x, double lo, double hi) {
    x = x < lo ? lo : x;
    return x > hi ? hi : x;
}

size_t kan_basis_cell(const kan_basis *b, double x) {
    return find_cell(b, x);
}

/* Horner in v for all r at once: values P(v), slopes P'(v) / h, curvatures P''(v) / h^2. Beyond the
 * ends v stays +-1 and the tangent takes over. The pointers slopes and curvatures may be NULL; with the
 * degree a constant the loops over r are unrolled into registers. */
static inline size_t eval(const kan_basis *b, size_t degree, double x, double *restrict values,
                          double *restrict slopes, double *restrict curvatures) {
    const size_t c = find_cell(b, x), rows = degree + 1;
    const double *restrict cell = b->cells + c * (2 + rows * rows), *restrict P = cell + 2;
    const double inv_h = cell[1], lo = b->knots[b->degree], hi = b->knots[b->degree + b->n_cells];
    const double inside = hold(x, lo, hi), beyond = x - inside;
    const double v = (inside - cell[0]) * inv_h;

    double p[ROWS], dp[ROWS], ddp[ROWS];
    for (size_t r = 0; r < rows; ++r) p[r] = P[degree * rows + r], dp[r] = 0.0, ddp[r] = 0.0;
    for (size_t j = degree; j-- > 0;)
        for (size_t r = 0; r < rows; ++r) {
            if (curvatures) ddp[r] = ddp[r] * v + dp[r];
            dp[r] = dp[r] * v + p[r];
            p[r] = p[r] * v + P[j * rows + r];
        }
    for (size_t r = 0; r < rows; ++r) {
        const double slope = dp[r] * inv_h;
        values[r] = p[r] + slope * beyond;
        if (slopes) slopes[r] = slope;
        if (curvatures) curvatures[r] = beyond != 0.0 ? 0.0 * v : 2.0 * ddp[r] * inv_h * inv_h;
    }
    return c;
}

size_t kan_basis_eval(const kan_basis *b, double x, double *values, double *slopes,
                      double *curvatures) {
    return eval(b, b->degree, x, values, slopes, curvatures);
}

KAN_KERNEL_DECLARE(double, basis_kernel_double, basis_kernel);
KAN_KERNEL_DECLARE(single, basis_kernel_single, basis_kernel);

void kan_basis_locate(const kan_basis *b, size_t n, const double *x, uint32_t *cell, double *v,
                      double *t, double *inv_h) {
    KAN_KERNEL_GET(double, basis_kernel)->locate(b, n, x, cell, v, t, inv_h);
}

size_t kan_basis_sort(const kan_basis *b, size_t n, const double *x, uint16_t *order,
                      kan_basis_run *runs) {
    assert(n <= KAN_BASIS_MAX_SORT && "as many points as can be sorted at once");
    return KAN_KERNEL_GET(double, basis_kernel)->sort(b, n, x, order, runs);
}

void kan_basis_eval_runs(const kan_basis *b, size_t n_runs, const kan_basis_run *runs, const double *x,
                         double *values, double *v) {
    KAN_KERNEL_GET(double, basis_kernel)->eval(b, n_runs, runs, x, values, v);
}

void kan_basis_eval_runs_single(const kan_basis *b, size_t n_runs, const kan_basis_run *runs,
                                const double *x, float *values, float *v) {
    KAN_KERNEL_GET(single, basis_kernel)->eval(b, n_runs, runs, x, values, v);
}

void kan_basis_slope_runs(const kan_basis *b, size_t n_runs, const kan_basis_run *runs, const double *v,
                          double *slopes) {
    KAN_KERNEL_GET(double, basis_kernel)->slope(b, n_runs, runs, v, slopes);
}

void kan_basis_slope_runs_single(const kan_basis *b, size_t n_runs, const kan_basis_run *runs,
                                 const float *v, float *slopes) {
    KAN_KERNEL_GET(single, basis_kernel)->slope(b, n_runs, runs, v, slopes);
}
