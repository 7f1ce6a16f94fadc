/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/smooth.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include <gsl/gsl_cdf.h>

#include "core/work.h"
#include "train/cholesky.h"

enum { MOST_ROWS = 1000, FOLDS = 4, N_KERNELS = 4, N_RIDGES = 2 };

/* Widths beside sqrt(n_in), which is what distances grow with; the last kernel is a sum over inputs. */
static const double widths[N_KERNELS] = {0.15, 0.5, 1.5, 0.1};
static const double ridges[N_RIDGES] = {0.3, 10.0};

typedef struct smooth {
    size_t n, n_in;
    double *u; /* [n][n_in] standardised */
    double *r; /* [n] */
    double *K; /* [n][n] */
    double *L; /* [n][n] of the rows of three folds */
    double *a; /* [n] */
    double *p; /* [n] predictions */
} smooth;

/* Rows evenly spaced, every column with mean 0 and variance 1. */
static void take_rows(smooth *q, size_t n, const double *x, const double *r) {
    for (size_t s = 0; s < q->n; ++s) {
        const size_t from = s * n / q->n;
        memcpy(q->u + s * q->n_in, x + from * q->n_in, q->n_in * sizeof *x);
        q->r[s] = r[from];
    }
    for (size_t i = 0; i < q->n_in; ++i) {
        double mean = 0.0, squares = 0.0;
        for (size_t s = 0; s < q->n; ++s) mean += q->u[s * q->n_in + i] / (double)q->n;
        for (size_t s = 0; s < q->n; ++s) {
            q->u[s * q->n_in + i] -= mean;
            squares += q->u[s * q->n_in + i] * q->u[s * q->n_in + i];
        }
        const double scale = squares > 0.0 ? sqrt((double)q->n / squares) : 0.0;
        for (size_t s = 0; s < q->n; ++s) q->u[s * q->n_in + i] *= scale;
    }
}

/* exp(-|u - v|^2 / (2 l^2 n_in)), or the mean over inputs of exp(-(u_i - v_i)^2 / (2 l^2)). */
static double kernel(const smooth *q, size_t k, const double *u, const double *v) {
    const bool sum = k + 1 == N_KERNELS;
    const double l2 = 2.0 * widths[k] * widths[k];
    double distance = 0.0, value = 0.0;
    for (size_t i = 0; i < q->n_in; ++i) {
        const double square = (u[i] - v[i]) * (u[i] - v[i]);
        distance += square;
        if (sum) value += exp(-square / l2);
    }
    return sum ? value / (double)q->n_in : exp(-distance / (l2 * (double)q->n_in));
}

static void fill(smooth *q, size_t k) {
    for (size_t s = 0; s < q->n; ++s)
        for (size_t t = 0; t <= s; ++t)
            q->K[s * q->n + t] = q->K[t * q->n + s] = kernel(q, k, q->u + s * q->n_in,
                                                             q->u + t * q->n_in);
}

/* p of the rows of one fold, s = fold modulo FOLDS, from the others. */
static void predict(smooth *q, size_t fold, double ridge) {
    size_t m = 0, row = 0;
    for (size_t s = 0; s < q->n; ++s) m += s % FOLDS != fold;
    for (size_t s = 0; s < q->n; ++s) {
        if (s % FOLDS == fold) continue;
        for (size_t t = 0, column = 0; t <= s; ++t)
            if (t % FOLDS != fold) q->L[row * m + column++] = q->K[s * q->n + t];
        q->L[row * m + row] += ridge;
        q->a[row++] = q->r[s];
    }
    if (cholesky_factor(m, 0.0, q->L))
        cholesky_solve(m, q->L, q->a);
    else
        memset(q->a, 0, m * sizeof *q->a);
    for (size_t s = fold; s < q->n; s += FOLDS) {
        q->p[s] = 0.0;
        for (size_t t = 0, column = 0; t < q->n; ++t)
            if (t % FOLDS != fold) q->p[s] += q->K[s * q->n + t] * q->a[column++];
    }
}

/* Of Student's t of the paired differences. */
static double tail(const smooth *q) {
    const double n = (double)q->n;
    double mean = 0.0, squares = 0.0;
    for (size_t s = 0; s < q->n; ++s) mean += (2.0 * q->r[s] - q->p[s]) * q->p[s] / n;
    for (size_t s = 0; s < q->n; ++s) {
        const double off = (2.0 * q->r[s] - q->p[s]) * q->p[s] - mean;
        squares += off * off;
    }
    if (!(squares > 0.0)) return 1.0; /* nothing predicted */
    return gsl_cdf_tdist_Q(mean / sqrt(squares / (n - 1.0) / n), n - 1.0);
}

static double least_tail(smooth *q, kan_meter *meter) {
    const double n = (double)q->n, m = 0.75 * n;
    double least = 1.0;
    for (size_t k = 0; k < N_KERNELS; ++k) {
        fill(q, k);
        kan_meter_add(meter, 10.0 * n * n * (double)(q->n_in + 1));
        for (size_t j = 0; j < N_RIDGES; ++j) {
            for (size_t fold = 0; fold < FOLDS; ++fold) {
                if (kan_meter_is_over(meter)) return 0.0;
                predict(q, fold, ridges[j]);
                kan_meter_add(meter, m * m * m / 6.0 + 2.0 * n * n);
            }
            least = fmin(least, tail(q));
        }
    }
    return least;
}

kan_status kan_smooth_test(size_t n, size_t n_in, const double *x, const double *r, kan_meter *meter,
                           double *probability, kan_error *error) {
    assert(n >= 20 && n_in > 0 && "rows to tell noise by");
    smooth q = {.n = n < MOST_ROWS ? n : MOST_ROWS, .n_in = n_in};
    double *block = kan_work_alloc(q.n * n_in + 3 * q.n + 2 * q.n * q.n);
    if (!block) return kan_status_fail(error, KAN_ENOMEM, "smooth: no memory for %zu rows", q.n);
    q.K = block, q.L = q.K + q.n * q.n, q.u = q.L + q.n * q.n;
    q.r = q.u + q.n * n_in, q.a = q.r + q.n, q.p = q.a + q.n;
    take_rows(&q, n, x, r);
    *probability = least_tail(&q, meter);
    kan_work_free(block);
    return KAN_OK;
}
