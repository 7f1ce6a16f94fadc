/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "splines/spline.h"

#include <assert.h>
#include <float.h>
#include <math.h>

#include <gsl/gsl_errno.h>
#include <gsl/gsl_linalg.h>
#include <gsl/gsl_matrix.h>
#include <gsl/gsl_vector.h>

#include "core/work.h"

void kan_spline_eval(const kan_basis *b, const double *coef, size_t stride, double x, double out[3]) {
    double values[KAN_MAX_DEGREE + 1], slopes[KAN_MAX_DEGREE + 1], curvatures[KAN_MAX_DEGREE + 1];
    const size_t first = kan_basis_eval(b, x, values, slopes, curvatures);
    out[0] = out[1] = out[2] = 0.0;
    for (size_t r = 0; r <= b->degree; ++r) {
        const double c = coef[(first + r) * stride];
        out[0] += c * values[r];
        out[1] += c * slopes[r];
        out[2] += c * curvatures[r];
    }
}

/* The normal equations. With w = weight, B the basis matrix (degree + 1 entries a row),
 *     gram = B' w B    stored by diagonals: gram[b][d] = (B' w B)_{b, b+d}, d = 0 .. degree
 * and residual right-hand sides  rhs = B' w (y - B coef). */
typedef struct normal {
    const kan_basis *basis;
    size_t n, n_rhs, n_basis, bands;
    const double *x, *weight, *y;
    gsl_matrix *gram;   /* [n_basis][bands]; later its Cholesky factor */
    gsl_vector *column; /* [n_basis] one right-hand side */
    double *rhs;        /* [n_basis][n_rhs] */
    double *lost;       /* [n_basis][bands or n_rhs] what rounding took from the sums */
} normal;

/* sum += term, with what rounding takes away kept for the next term (Kahan). The error of a sum then
 * does not grow with the number of samples, as it otherwise does, and past the ridge, when thousands of
 * them are alike. */
static inline void add(double *sum, double *lost, double term) {
    const double corrected = term - *lost, total = *sum + corrected;
    *lost = (total - *sum) - corrected;
    *sum = total;
}

static void add_gram(normal *q) {
    double values[KAN_MAX_DEGREE + 1];
    gsl_matrix_set_zero(q->gram);
    for (size_t j = 0; j < q->n_basis * q->bands; ++j) q->lost[j] = 0.0;
    for (size_t s = 0; s < q->n; ++s) {
        const double w = q->weight ? q->weight[s] : 1.0;
        const size_t first = kan_basis_eval(q->basis, q->x[s], values, NULL, NULL);
        for (size_t r = 0; r < q->bands; ++r)
            for (size_t d = 0; r + d < q->bands; ++d)
                add(gsl_matrix_ptr(q->gram, first + r, d), &q->lost[(first + r) * q->bands + d],
                    w * values[r] * values[r + d]);
    }
}

static void add_residual(const normal *q, const double *coef) {
    double values[KAN_MAX_DEGREE + 1];
    for (size_t j = 0; j < q->n_basis * q->n_rhs; ++j) q->rhs[j] = q->lost[j] = 0.0;
    for (size_t s = 0; s < q->n; ++s) {
        const double w = q->weight ? q->weight[s] : 1.0;
        const size_t first = kan_basis_eval(q->basis, q->x[s], values, NULL, NULL);
        for (size_t j = 0; j < q->n_rhs; ++j) {
            double residual = q->y[s * q->n_rhs + j];
            for (size_t r = 0; r < q->bands; ++r)
                residual -= values[r] * coef[(first + r) * q->n_rhs + j];
            for (size_t r = 0; r < q->bands; ++r) {
                const size_t at = (first + r) * q->n_rhs + j;
                add(&q->rhs[at], &q->lost[at], w * values[r] * residual);
            }
        }
    }
}

/* gram + ridge, factored. The computed Gram matrix differs from the true one by rounding of about
 * n_basis DBL_EPSILON of its largest diagonal entry; a ridge of that size makes the sum positive
 * definite whatever the data, and the smallest such ridge disturbs the solution least. */
static kan_status factor(normal *q) {
    double largest = 0.0;
    for (size_t b = 0; b < q->n_basis; ++b) largest = fmax(largest, gsl_matrix_get(q->gram, b, 0));
    if (!isfinite(largest)) return KAN_ESINGULAR;
    const double ridge = largest > 0.0 ? 8.0 * DBL_EPSILON * (double)q->n_basis * largest : 1.0;
    for (size_t b = 0; b < q->n_basis; ++b) *gsl_matrix_ptr(q->gram, b, 0) += ridge;
    return gsl_linalg_cholesky_band_decomp(q->gram) == GSL_SUCCESS ? KAN_OK : KAN_ESINGULAR;
}

/* coef += (gram + ridge)^-1 rhs; how large that change is, relative to the coefficients. */
static kan_status solve(const normal *q, double *coef, double *change) {
    double largest_change = 0.0, largest = 0.0;
    for (size_t j = 0; j < q->n_rhs; ++j) {
        for (size_t b = 0; b < q->n_basis; ++b) gsl_vector_set(q->column, b, q->rhs[b * q->n_rhs + j]);
        if (gsl_linalg_cholesky_band_svx(q->gram, q->column) != GSL_SUCCESS) return KAN_ESINGULAR;
        for (size_t b = 0; b < q->n_basis; ++b) {
            double *c = &coef[b * q->n_rhs + j];
            *c += gsl_vector_get(q->column, b);
            if (!isfinite(*c)) return KAN_ESINGULAR;
            largest_change = fmax(largest_change, fabs(gsl_vector_get(q->column, b)));
            largest = fmax(largest, fabs(*c));
        }
    }
    *change = largest > 0.0 ? largest_change / largest : 0.0;
    return KAN_OK;
}

/* Solving for the residual of what is there leaves unreached coefficients at their prior. Further
 * rounds take out what ridge and rounding left over (iterated Tikhonov, iterative refinement). The
 * error falls by about the same factor in each, so that after a change of the square root of
 * DBL_EPSILON nothing is left; two rounds do but for high degrees, whose basis functions on few cells
 * are nearly dependent. */
static kan_status solve_in_rounds(const normal *q, double *coef) {
    enum { MAX_ROUNDS = 10 };
    double change = INFINITY;
    for (size_t round = 0; round < MAX_ROUNDS && change > sqrt(DBL_EPSILON); ++round) {
        add_residual(q, coef);
        const kan_status status = solve(q, coef, &change);
        if (status != KAN_OK) return status;
    }
    return KAN_OK;
}

kan_status kan_spline_fit(const kan_basis *b, size_t n, const double *x, const double *weight,
                          size_t n_rhs, const double *y, double *coef, kan_error *error) {
    kan_status status = KAN_ENOMEM;
    normal q = {b,    n,    n_rhs, b->n_cells + b->degree, b->degree + 1, x, weight, y, NULL,
                NULL, NULL, NULL};
    q.gram = gsl_matrix_alloc(q.n_basis, q.bands);
    q.column = gsl_vector_alloc(q.n_basis);
    q.rhs = kan_work_alloc(kan_work_product(q.n_basis, n_rhs));
    q.lost = kan_work_alloc(kan_work_product(q.n_basis, q.bands > n_rhs ? q.bands : n_rhs));
    if (!q.gram || !q.column || !q.rhs || !q.lost) goto done;

    add_gram(&q);
    status = factor(&q);
    if (status == KAN_OK) status = solve_in_rounds(&q, coef);
done:
    kan_work_free(q.lost);
    kan_work_free(q.rhs);
    gsl_vector_free(q.column);
    gsl_matrix_free(q.gram);
    if (status != KAN_OK) kan_status_fail(error, status, "spline fit: %s", kan_status_string(status));
    return status;
}

/* Blossom of the polynomial piece on coarse cell c at the arguments u[0 .. degree-1]: de Boor's
 * triangle d_i <- ( (t_{i+k+1-j} - u_j) d_{i-1} + (u_j - t_i) d_i ) / (t_{i+k+1-j} - t_i),   j = 1 .. k
 * for the coefficients d_0 .. d_k of the basis functions c .. c+k, with k = degree. */
static double blossom(const kan_basis *b, size_t c, const double *coef, size_t stride,
                      const double *u) {
    const size_t k = b->degree;
    const double *t = b->knots + c; /* local basis function i has the knots t[i] .. t[i+k+1] */
    double d[KAN_MAX_DEGREE + 1];
    for (size_t i = 0; i <= k; ++i) d[i] = coef[(c + i) * stride];
    for (size_t j = 1; j <= k; ++j)
        for (size_t i = k; i >= j; --i) {
            const double left = t[i], right = t[i + k + 1 - j];
            d[i] = ((right - u[j - 1]) * d[i - 1] + (u[j - 1] - left) * d[i]) / (right - left);
        }
    return d[k];
}

void kan_spline_refine(const kan_basis *coarse, const double *coarse_coef, const kan_basis *fine,
                       double *fine_coef, size_t n_rhs) {
    const size_t k = fine->degree, n_fine = fine->n_cells + k;
    assert(coarse->degree == k);
    assert(kan_knots_nest(k, coarse->n_cells, coarse->knots, fine->n_cells, fine->knots));
    for (size_t b = 0; b < n_fine; ++b) {
        /* Fine basis function b lives on fine cells b-k .. b; take one in the middle that is in the
         * grid. */
        const size_t half = k / 2, middle = b > half ? b - half : 0;
        const size_t cell = middle < fine->n_cells ? middle : fine->n_cells - 1;
        const double *t = fine->knots + k + cell;
        const size_t c = kan_basis_cell(coarse, t[0] + (t[1] - t[0]) / 2.0);
        for (size_t j = 0; j < n_rhs; ++j)
            fine_coef[b * n_rhs + j] = blossom(coarse, c, coarse_coef + j, n_rhs, fine->knots + b + 1);
    }
}
