/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/gauss_newton.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <gsl/gsl_cblas.h>

#include "core/parallel.h"
#include "core/work.h"
#include "train/rows_kernel.h"

KAN_KERNEL_DECLARE(double, rows_kernel, rows_kernel);

/* Samples taken at once, rows of a dense product, and rows of H of one task of it. */
enum { MOST_SAMPLES = 256, TILE = 128, BAND = 128 };

/* Runs, and samples, of one task of a product with a vector. */
enum { RUNS = 16, SAMPLES = 64 };

/* Nanoseconds of a product with structured rows, for each run met and for each multiply-add; and of an entry of H
 * in a product of dense matrices, which makes half of them. */
static const double run_cost = 1.3, sparse_cost = 0.15, dense_cost = 0.02;

/* ---- memory ------------------------------------------------------------------------------------- */

/* Every number of a row meets half of its runs, and half of its numbers. */
static bool dense_is_cheaper(const gauss_newton *gn) {
    const double n = (double)gn->model->n_params, width = (double)gn->width;
    const double sparse = width * 0.5 * ((double)gn->n_runs * run_cost + width * sparse_cost);
    return n * n * dense_cost < sparse;
}

static bool alloc_arrays(gauss_newton *gn) {
    const kan_model *m = gn->model;
    const size_t kept = gn->stored > 0 ? gn->stored : gn->block;
    gn->starts = calloc(kan_work_product(kept, gn->n_runs), sizeof *gn->starts);
    gn->values = kan_work_alloc(kan_work_product(kept * m->n_out, gn->width));
    gn->y = kan_work_alloc(gn->block * m->n_out);
    gn->dy = kan_work_alloc(kept * m->n_out);
    gn->work = kan_work_alloc(kan_model_jacobian_work_size(m, gn->block));
    gn->root = kan_work_alloc(kan_work_product(m->n_out, m->n_out));
    gn->rotated = kan_work_alloc(kan_work_product(m->n_out, gn->width));
    const bool dense = gn->stored == 0 && dense_is_cheaper(gn);
    if (dense) gn->dense = kan_work_alloc(kan_work_product(TILE, m->n_params));
    return gn->starts && gn->values && gn->y && gn->dy && gn->work && gn->root && gn->rotated &&
           (gn->dense || !dense);
}

gauss_newton *gauss_newton_alloc(const kan_model *m, const kan_loss *loss, size_t most_samples,
                                 size_t n_stored) {
    assert(loss->root && "a loss with a Gauss-Newton form");
    gauss_newton *gn = calloc(1, sizeof *gn);
    if (!gn) return NULL;
    gn->model = m;
    gn->loss = loss;
    gn->block = most_samples < MOST_SAMPLES ? most_samples : MOST_SAMPLES;
    gn->stored = n_stored;
    gn->n_runs = kan_model_jacobian_runs(m, NULL);
    gn->lengths = calloc(2 * gn->n_runs, sizeof *gn->lengths);
    if (gn->lengths) {
        gn->at = gn->lengths + gn->n_runs;
        kan_model_jacobian_runs(m, gn->lengths);
        for (size_t k = 0; k < gn->n_runs; ++k) gn->at[k] = gn->width, gn->width += gn->lengths[k];
        if (alloc_arrays(gn)) return gn;
    }
    gauss_newton_free(gn);
    return NULL;
}

void gauss_newton_free(gauss_newton *gn) {
    if (!gn) return;
    free(gn->lengths);
    free(gn->starts);
    double *arrays[] = {gn->values, gn->y, gn->dy, gn->work, gn->root, gn->rotated, gn->dense};
    for (size_t j = 0; j < sizeof arrays / sizeof *arrays; ++j) kan_work_free(arrays[j]);
    free(gn);
}

/* ---- sums over rows ----------------------------------------------------------------------------- */

typedef struct sums {
    const gauss_newton *gn;
    rows r;
    const double *dy, *v;
    double *g, *H, *product;
    size_t band, n_tile; /* of the dense product */
} sums;

static void gradient_runs(void *context, size_t begin, size_t end) {
    const sums *t = context;
    KAN_KERNEL_GET(double, rows_kernel)->add_transposed(&t->r, begin, end, t->dy, t->g);
}

static void multiply_samples(void *context, size_t begin, size_t end) {
    const sums *t = context;
    KAN_KERNEL_GET(double, rows_kernel)->multiply(&t->r, begin, end, t->v, t->product);
}

/* Run a costs as a: the first with the last, the second with the last but one, .. cost the same. */
static void gram_pairs(void *context, size_t begin, size_t end) {
    const sums *t = context;
    const rows_kernel *k = KAN_KERNEL_GET(double, rows_kernel);
    for (size_t j = begin; j < end; ++j) {
        const size_t other = t->r.n_runs - 1 - j;
        k->add_gram(&t->r, j, t->gn->model->n_params, t->H);
        if (other != j) k->add_gram(&t->r, other, t->gn->model->n_params, t->H);
    }
}

/* H[band][0 .. its end] += R[:, band]^T R[:, 0 .. its end] */
static void gram_band(void *context, size_t begin, size_t end) {
    const sums *t = context;
    const int n = (int)t->gn->model->n_params, k = (int)t->n_tile;
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)(end - begin), (int)end, k, 1.0,
                t->gn->dense + begin, n, t->gn->dense, n, 1.0, t->H + begin * (size_t)n, n);
}

static void add_dense(sums *t) {
    const rows *r = &t->r;
    const size_t n_params = t->gn->model->n_params, n_rows = r->n * r->n_out;
    for (size_t first = 0; first < n_rows; first += TILE) {
        t->n_tile = n_rows - first < TILE ? n_rows - first : TILE;
        memset(t->gn->dense, 0, t->n_tile * n_params * sizeof *t->gn->dense);
        for (size_t q = 0; q < t->n_tile; ++q) {
            const uint32_t *starts = r->starts + (first + q) / r->n_out * r->n_runs;
            const double *row = r->values + (first + q) * r->width;
            for (size_t k = 0; k < r->n_runs; row += r->lengths[k], ++k)
                memcpy(t->gn->dense + q * n_params + starts[k], row, r->lengths[k] * sizeof *row);
        }
        const double cost = 0.5 * (double)t->n_tile * (double)n_params * (double)n_params;
        kan_parallel_for(n_params, BAND, cost, gram_band, t);
    }
}

/* J becomes R, sample by sample. */
static void rotate(gauss_newton *gn, size_t n, const double *weight, double scale, double *values) {
    const size_t n_out = gn->model->n_out, width = gn->width;
    for (size_t s = 0; s < n; ++s) {
        double *row = values + s * n_out * width;
        const double factor = sqrt(scale * (weight ? weight[s] : 1.0));
        gn->loss->root(n_out, gn->y + s * n_out, gn->root);
        memset(gn->rotated, 0, n_out * width * sizeof *row);
        for (size_t o = 0; o < n_out; ++o)
            for (size_t k = 0; k < n_out; ++k) {
                const double c = factor * gn->root[o * n_out + k];
                for (size_t u = 0; c != 0.0 && u < width; ++u)
                    gn->rotated[o * width + u] += c * row[k * width + u];
            }
        memcpy(row, gn->rotated, n_out * width * sizeof *row);
    }
}

/* Rows of samples first .. first+n-1 of those that are kept. */
static rows rows_of(const gauss_newton *gn, size_t first, size_t n) {
    const size_t n_out = gn->model->n_out;
    return (rows){.n = n,
                  .n_out = n_out,
                  .n_runs = gn->n_runs,
                  .width = gn->width,
                  .lengths = gn->lengths,
                  .at = gn->at,
                  .starts = gn->starts + first * gn->n_runs,
                  .values = gn->values + first * n_out * gn->width};
}

/* Adds to g, and leaves the R of the samples where they are kept. */
static double make_rows(gauss_newton *gn, size_t first, size_t n, const double *x, const double *y,
                        const double *weight, double scale, double *g) {
    const kan_model *m = gn->model;
    double *values = gn->values + first * m->n_out * gn->width;
    sums t = {.gn = gn, .r = rows_of(gn, first, n), .dy = gn->dy, .g = g};
    kan_model_jacobian(m, n, x, gn->y, gn->starts + first * gn->n_runs, values, gn->work);
    const double loss = gn->loss->eval(n, m->n_out, gn->y, y, weight, scale, gn->dy);
    kan_parallel_for(gn->n_runs, RUNS, (double)(n * m->n_out) * (double)gn->width, gradient_runs, &t);
    rotate(gn, n, weight, scale, values);
    return loss;
}

double gauss_newton_add(gauss_newton *gn, size_t n, const double *x, const double *y,
                        const double *weight, double scale, double *g, double *H) {
    const double width = (double)gn->width, n_rows = (double)(n * gn->model->n_out);
    const double loss = make_rows(gn, 0, n, x, y, weight, scale, g);
    sums t = {.gn = gn, .r = rows_of(gn, 0, n), .H = H};
    if (gn->dense)
        add_dense(&t);
    else
        kan_parallel_for((gn->n_runs + 1) / 2, 1, n_rows * width * width, gram_pairs, &t);
    return loss;
}

double gauss_newton_store(gauss_newton *gn, size_t first, size_t n, const double *x, const double *y,
                          const double *weight, double scale, double *g, double *d) {
    assert(first + n <= gn->stored && "rows that there is room for");
    const double loss = make_rows(gn, first, n, x, y, weight, scale, g);
    const rows r = rows_of(gn, first, n);
    KAN_KERNEL_GET(double, rows_kernel)->add_diagonal(&r, d);
    return loss;
}

/* H v = R^T (R v) */
void gauss_newton_multiply(gauss_newton *gn, const double *v, double *Hv) {
    const double cost = (double)(gn->stored * gn->model->n_out) * (double)gn->width;
    sums t = {
        .gn = gn, .r = rows_of(gn, 0, gn->stored), .v = v, .product = gn->dy, .dy = gn->dy, .g = Hv};
    memset(Hv, 0, gn->model->n_params * sizeof *Hv);
    kan_parallel_for(gn->stored, SAMPLES, cost, multiply_samples, &t);
    kan_parallel_for(gn->n_runs, RUNS, cost, gradient_runs, &t);
}

void gauss_newton_weigh(gauss_newton *gn, size_t n, const double *y_hat, const double *weight,
                        double scale, double *v) {
    const size_t n_out = gn->model->n_out;
    double *product = gn->rotated; /* of n_out numbers at least: every row has some */
    for (size_t s = 0; s < n; ++s, v += n_out) {
        gn->loss->root(n_out, y_hat + s * n_out, gn->root);
        for (size_t o = 0; o < n_out; ++o) {
            product[o] = 0.0;
            for (size_t k = 0; k < n_out; ++k) product[o] += gn->root[o * n_out + k] * v[k];
        }
        for (size_t k = 0; k < n_out; ++k) {
            double sum = 0.0;
            for (size_t o = 0; o < n_out; ++o) sum += gn->root[o * n_out + k] * product[o];
            v[k] = scale * (weight ? weight[s] : 1.0) * sum;
        }
    }
}
