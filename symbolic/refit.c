/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "symbolic/refit.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/work.h"
#include "symbolic/constant.h"

/* All the memory of a refit, one block. m = n_numbers, p = n_free. */
typedef struct refit {
    kan_expression *e;
    size_t n, m, p;
    const double *x, *y;
    double *root_w; /* [n] square roots of the weights, which sum to 1 */
    double spread;  /* of y */
    double size;    /* root mean square of y */
    double *f;      /* [n] */
    double *J;      /* [n][m] */
    double *A;      /* [n][p] columns of the free numbers, of norm 1 */
    double *r;      /* [n] residuals, times root_w */
    double *R;      /* [2 p][p] the triangle, below it that of the damping */
    double *q;      /* [2 p] */
    double *norm;   /* [p] of the columns */
    double *start;  /* [m] the numbers */
    double *work;   /* of the expression */
    size_t *free;   /* [p] which number */
    kan_meter *meter;
} refit;

/* ---- memory and data ------------------------------------------------------------------------- */

static void release(refit *q, double *block) {
    kan_work_free(block);
    free(q->free);
}

static double *reserve(refit *q) {
    const size_t n = q->n, m = q->m;
    double *block = kan_work_alloc(3 * n + 2 * n * m + 2 * m * m + 2 * m + 2 * m +
                                   kan_expression_work_size(q->e));
    q->free = malloc((m + 1) * sizeof *q->free);
    if (!block || !q->free) {
        release(q, block);
        return NULL;
    }
    double *next = block;
    q->root_w = next, next += n;
    q->f = next, next += n;
    q->r = next, next += n;
    q->J = next, next += n * m;
    q->A = next, next += n * m;
    q->R = next, next += 2 * m * m;
    q->q = next, next += 2 * m;
    q->norm = next, next += m;
    q->start = next, next += m;
    q->work = next;
    return block;
}

static kan_status take_data(refit *q, const double *weight, kan_error *error) {
    double sum = 0.0, mean = 0.0, square = 0.0;
    for (size_t s = 0; s < q->n; ++s) sum += weight ? weight[s] : 1.0;
    for (size_t s = 0; s < q->n; ++s) {
        const double w = (weight ? weight[s] : 1.0) / sum;
        if (!isfinite(q->y[s]) || !isfinite(w))
            return kan_status_fail(error, KAN_ENONFINITE, "row %zu of the data is not finite: %g", s,
                                   q->y[s]);
        mean += w * q->y[s];
        q->root_w[s] = sqrt(w);
    }
    for (size_t s = 0; s < q->n; ++s) {
        const double v = q->root_w[s] * (q->y[s] - mean);
        square += v * v;
    }
    q->spread = sqrt(square);
    q->size = hypot(mean, q->spread);
    return KAN_OK;
}

/* ---- linear algebra -------------------------------------------------------------------------- */

/* Householder: turns A [n][p], n >= p, into its triangle, in place, and b [n] with it. */
static void triangulate(size_t n, size_t p, double *A, double *b) {
    for (size_t k = 0; k < p && k < n; ++k) {
        double square = 0.0;
        for (size_t i = k; i < n; ++i) square += A[i * p + k] * A[i * p + k];
        if (!(square > 0.0)) continue;
        const double pivot = A[k * p + k], alpha = pivot > 0.0 ? -sqrt(square) : sqrt(square);
        const double beta = 1.0 / (square - pivot * alpha); /* 2 / |v|^2, v = column - alpha e_k */
        A[k * p + k] = pivot - alpha;
        for (size_t j = k + 1; j <= p; ++j) {
            double *column = j < p ? A + j : b;
            const size_t stride = j < p ? p : 1;
            double dot = 0.0;
            for (size_t i = k; i < n; ++i) dot += A[i * p + k] * column[i * stride];
            dot *= beta;
            for (size_t i = k; i < n; ++i) column[i * stride] -= dot * A[i * p + k];
        }
        A[k * p + k] = alpha;
        for (size_t i = k + 1; i < n; ++i) A[i * p + k] = 0.0;
    }
}

/* ---- Levenberg-Marquardt --------------------------------------------------------------------- */

/* The weighted sum of squares at the numbers as they are; leaves f. */
static double value(refit *q) {
    double sse = 0.0;
    kan_expression_eval_rows(q->e, q->n, q->x, q->f, q->work);
    for (size_t s = 0; s < q->n; ++s) {
        const double r = q->root_w[s] * (q->y[s] - q->f[s]);
        sse += r * r;
    }
    return isfinite(sse) ? sse : INFINITY;
}

/* J S = Q R with S scaling columns to norm 1, and the first p of Q^T r; false where J is not finite. */
static bool linearize(refit *q) {
    const size_t n = q->n, p = q->p;
    kan_expression_jacobian(q->e, n, q->x, q->f, q->J, q->work);
    for (size_t k = 0; k < p; ++k) {
        double square = 0.0;
        for (size_t s = 0; s < n; ++s) {
            const double d = q->root_w[s] * q->J[s * q->m + q->free[k]];
            q->A[s * p + k] = d;
            square += d * d;
        }
        if (!isfinite(square)) return false;
        q->norm[k] = square > 0.0 ? sqrt(square) : 1.0;
        for (size_t s = 0; s < n; ++s) q->A[s * p + k] /= q->norm[k];
    }
    for (size_t s = 0; s < n; ++s) q->r[s] = q->root_w[s] * (q->y[s] - q->f[s]);
    triangulate(n, p, q->A, q->r);
    return true;
}

/* The numbers start + S d, where (R; sqrt(lambda) I) d = (Q^T r; 0) in least squares. False where nothing moved. */
static bool move(refit *q, double lambda) {
    const size_t p = q->p, rows = q->n < p ? q->n : p;
    memset(q->R, 0, 2 * p * p * sizeof *q->R);
    memset(q->q, 0, 2 * p * sizeof *q->q);
    memcpy(q->R, q->A, rows * p * sizeof *q->R);
    memcpy(q->q, q->r, rows * sizeof *q->q);
    for (size_t k = 0; k < p; ++k) q->R[(p + k) * p + k] = sqrt(lambda);
    triangulate(2 * p, p, q->R, q->q);
    bool moved = false;
    for (size_t k = p; k-- > 0;) {
        double d = q->q[k];
        for (size_t j = k + 1; j < p; ++j) d -= q->R[k * p + j] * q->q[j];
        q->q[k] = d / q->R[k * p + k];
        const double from = q->start[q->free[k]], to = from + q->q[k] / q->norm[k];
        if (!isfinite(to)) return false;
        moved |= to != from;
        kan_expression_set_number(q->e, q->free[k], to);
    }
    return moved;
}

static void keep(refit *q) {
    for (size_t k = 0; k < q->m; ++k) q->start[k] = kan_expression_number_at(q->e, k);
}

static void restore(refit *q) {
    for (size_t k = 0; k < q->m; ++k) kan_expression_set_number(q->e, k, q->start[k]);
}

/* Multiply-adds, about: of a value of f and of its derivatives, which are a few for every number; of the triangle. */
static double trial_work(const refit *q) {
    const double n = (double)q->n, m = (double)q->m, p = (double)q->p;
    return 20.0 * n * (m + 2.0) + 4.0 * p * p * p;
}

static double step_work(const refit *q) {
    return trial_work(q) + (double)q->n * (double)q->p * (double)(q->p + 4);
}

/* Returns the sum of squares reached; the numbers are where it is. */
static double minimise(refit *q, size_t steps, kan_refit_report *report) {
    double lambda = 1e-3, nu = 2.0, sse = value(q);
    size_t small = 0;
    report->steps = 0, report->converged = q->p == 0;
    keep(q);
    while (!report->converged && report->steps < steps && isfinite(sse) &&
           !kan_meter_is_over(q->meter)) {
        const double before = sse;
        kan_meter_add(q->meter, step_work(q));
        if (!linearize(q)) break;
        while (sse >= before && !report->converged) {
            kan_meter_add(q->meter, trial_work(q));
            const bool moved = move(q, lambda);
            const double trial = moved ? value(q) : INFINITY;
            if (trial < sse) {
                sse = trial;
                lambda = fmax(0.1 * lambda, 1e-15), nu = 2.0;
                keep(q);
            } else {
                restore(q);
                report->converged = lambda > 1e8 || (!moved && lambda > 1.0);
                lambda *= nu, nu *= 2.0;
            }
        }
        ++report->steps;
        small = before - sse < 1e-10 * before ? small + 1 : 0;
        if (small >= 3 || sse == 0.0) report->converged = true;
    }
    report->rmse = sqrt(sse);
    report->unexplained = q->spread > 0.0 ? sse / (q->spread * q->spread) : sse > 0.0 ? 1.0 : 0.0;
    report->n_free = q->p;
    return sse;
}

/* sqrt(diag(s^2 (J^T J)^-1)): the rows of S R^-1, R in A. */
static void estimate_errors(refit *q, double sse, double *standard_error) {
    const size_t p = q->p;
    for (size_t k = 0; k < q->m; ++k) standard_error[k] = 0.0;
    for (size_t k = 0; k < p; ++k) standard_error[q->free[k]] = INFINITY;
    if (p == 0 || q->n <= p || !linearize(q)) return;
    const double s2 = sse / (double)(q->n - p);
    for (size_t k = 0; k < p; ++k) { /* row k of R^-1: from R^T z = e_k it is a column of R^-T */
        double square = 0.0;
        for (size_t j = k; j < p; ++j) {
            double z = j == k ? 1.0 : 0.0;
            for (size_t i = k; i < j; ++i) z -= q->A[i * p + j] * q->q[i];
            /* Columns have norm 1: a pivot like rounding means that numbers can be traded for one another, and
             * z says whether number k takes part. */
            if (fabs(q->A[j * p + j]) < 1e-12)
                z = fabs(z) > 1e-6 ? INFINITY : 0.0, q->q[j] = z;
            else
                q->q[j] = z / q->A[j * p + j];
            square += q->q[j] * q->q[j];
        }
        const double e = sqrt(s2 * square) / q->norm[k];
        standard_error[q->free[k]] = isfinite(e) ? e : INFINITY;
    }
}

static void choose_free(refit *q, const bool *fixed) {
    q->p = 0;
    for (size_t k = 0; k < q->m; ++k)
        if (!fixed || !fixed[k]) q->free[q->p++] = k;
}

/* Memory, data, the numbers that are free, and whether f is finite. */
static kan_status begin(refit *q, double **block, const kan_refit_options *options, kan_error *error) {
    assert(q->e && q->n > 0 && q->y && "a formula and rows");
    q->m = kan_expression_n_numbers(q->e);
    *block = reserve(q);
    if (!*block) return kan_status_fail(error, KAN_ENOMEM, "no memory to refit %zu numbers", q->m);
    kan_status status = take_data(q, options ? options->weight : NULL, error);
    choose_free(q, options ? options->fixed : NULL);
    if (status == KAN_OK && !isfinite(value(q)))
        status = kan_status_fail(error, KAN_ENONFINITE, "the formula is not finite at every row");
    return status;
}

static size_t steps_of(const kan_refit_options *options) {
    return options && options->steps > 0 ? options->steps : 100;
}

kan_status kan_refit_expression(kan_expression *e, size_t n, const double *x, const double *y,
                                const kan_refit_options *options, double *standard_error,
                                kan_refit_report *report, kan_error *error) {
    refit q = {.e = e, .n = n, .x = x, .y = y, .meter = options ? options->meter : NULL};
    kan_refit_report unused;
    double *block;
    const kan_status status = begin(&q, &block, options, error);
    if (!block) return status;
    if (status == KAN_OK) {
        const double sse = minimise(&q, steps_of(options), report ? report : &unused);
        if (standard_error) estimate_errors(&q, sse, standard_error);
    }
    release(&q, block);
    return status;
}

/* ---- numbers that may be exact --------------------------------------------------------------- */

enum { ZERO, ONE, INTEGER, CONSTANT, N_KINDS };

/* The exact value of that kind next to v, known to +-error; false where there is none. */
static bool exact_value(int kind, double v, double error, double *exact) {
    kan_constant made;
    *exact = kind == ZERO ? 0.0 : kind == ONE ? copysign(1.0, v) : round(v);
    if (kind == INTEGER && (fabs(*exact) < 2.0 || fabs(*exact) > 1e6)) return false;
    if (kind == CONSTANT) {
        if (!kan_constant_recognise(v, error, &made)) return false;
        *exact = made.value;
    }
    return fabs(*exact - v) <= error;
}

/* Whether a fit with one number less is as good. */
static bool is_as_good(const refit *q, double sse, double before, double first) {
    const double exact = 1e-9 * q->spread, floor = 1e-12 * q->spread;
    if (sqrt(first) <= exact) return sqrt(sse) <= fmax(floor, 4.0 * sqrt(first));
    return (double)q->n * log(sse / before) <= log((double)q->n);
}

/* Tries number k at a value, the others free to follow; true: kept. */
static bool try_value(refit *q, size_t k, double exact, bool *fixed, double first, double *sse,
                      double *saved, const kan_refit_options *options) {
    kan_refit_report report;
    for (size_t j = 0; j < q->m; ++j) saved[j] = kan_expression_number_at(q->e, j);
    fixed[k] = true;
    choose_free(q, fixed);
    kan_expression_set_number(q->e, k, exact);
    const double trial = minimise(q, steps_of(options), &report);
    if (is_as_good(q, trial, *sse, first)) {
        *sse = trial;
        return true;
    }
    for (size_t j = 0; j < q->m; ++j) kan_expression_set_number(q->e, j, saved[j]);
    fixed[k] = false;
    choose_free(q, fixed);
    return false;
}

/* One pass over the free numbers with values of one kind; memory [2 m]. */
static void try_kind(refit *q, int kind, bool *fixed, double first, double *sse, double *memory,
                     const kan_refit_options *options) {
    double *standard_error = memory, *saved = memory + q->m;
    const double rounding = 2.0 * DBL_EPSILON * q->size; /* a residual of 0 is luck */
    estimate_errors(q, fmax(*sse, rounding * rounding), standard_error);
    for (size_t k = 0; k < q->m; ++k) {
        if (fixed[k]) continue;
        if (kan_meter_is_over(q->meter)) return;
        const double v = kan_expression_number_at(q->e, k);
        /* Five standard errors; beside them what rounding of the data leaves. */
        const double error = fmax(5.0 * standard_error[k], 1e-11 * fabs(v));
        double exact;
        if (!exact_value(kind, v, isfinite(error) ? error : 1e300, &exact)) continue;
        if (try_value(q, k, exact, fixed, first, sse, saved, options))
            estimate_errors(q, fmax(*sse, rounding * rounding),
                            standard_error); /* what was free may be determined now */
    }
}

kan_status kan_refit_round(kan_expression *e, size_t n, const double *x, const double *y,
                           const kan_refit_options *options, bool *fixed, kan_refit_report *report,
                           kan_error *error) {
    assert(fixed && "room for which numbers are fixed");
    kan_refit_options mine = options ? *options : (kan_refit_options){0};
    mine.fixed = fixed;
    refit q = {.e = e, .n = n, .x = x, .y = y, .meter = mine.meter};
    kan_refit_report unused;
    double *block;
    kan_status status = begin(&q, &block, &mine, error);
    if (!block) return status;
    double *memory = kan_work_alloc(2 * q.m);
    if (!memory && status == KAN_OK)
        status = kan_status_fail(error, KAN_ENOMEM, "no memory to round numbers");
    if (status == KAN_OK) {
        double sse = minimise(&q, steps_of(&mine), report ? report : &unused);
        const double first = sse;
        for (int kind = 0; kind < N_KINDS; ++kind)
            try_kind(&q, kind, fixed, first, &sse, memory, &mine);
        choose_free(&q, fixed);
        minimise(&q, steps_of(&mine), report ? report : &unused);
    }
    kan_work_free(memory);
    release(&q, block);
    return status;
}
