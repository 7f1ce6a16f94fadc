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

/* Nanoseconds of a product with structured rows, for each run met and for each multiply-add; and of a multiply-add
 * of a matrix product. */
static const double run_cost = 1.2, sparse_cost = 0.15, dense_cost = 0.045;

/* ---- memory ------------------------------------------------------------------------------------- */

/* Every number of a row meets half of its runs, and half of its numbers. */
static bool dense_is_cheaper(const gauss_newton *gn) {
    const double n = (double)gn->model->n_params, width = (double)gn->width;
    const double sparse = width * 0.5 * ((double)gn->n_runs * run_cost + width * sparse_cost);
    return n * n * dense_cost < sparse;
}

static bool alloc_arrays(gauss_newton *gn) {
    const kan_model *m = gn->model;
    const size_t n_rows = gn->block * m->n_out;
    gn->starts = malloc(kan_work_product(gn->block, gn->n_runs) * sizeof *gn->starts);
    gn->values = kan_work_alloc(kan_work_product(n_rows, gn->width));
    gn->y = kan_work_alloc(n_rows);
    gn->dy = kan_work_alloc(n_rows);
    gn->work = kan_work_alloc(kan_model_jacobian_work_size(m, gn->block));
    gn->root = kan_work_alloc(kan_work_product(m->n_out, m->n_out));
    gn->rotated = kan_work_alloc(kan_work_product(m->n_out, gn->width));
    const bool dense = dense_is_cheaper(gn);
    if (dense) gn->dense = kan_work_alloc(kan_work_product(TILE, m->n_params));
    return gn->starts && gn->values && gn->y && gn->dy && gn->work && gn->root && gn->rotated &&
           (gn->dense || !dense);
}

gauss_newton *gauss_newton_alloc(const kan_model *m, const kan_loss *loss, size_t most_samples) {
    assert(loss->root && "a loss with a Gauss-Newton form");
    gauss_newton *gn = calloc(1, sizeof *gn);
    if (!gn) return NULL;
    gn->model = m;
    gn->loss = loss;
    gn->block = most_samples < MOST_SAMPLES ? most_samples : MOST_SAMPLES;
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
    const double *dy;
    double *g, *H;
    size_t band, n_tile; /* of the dense product */
} sums;

static void gradient_runs(void *context, size_t begin, size_t end) {
    const sums *t = context;
    for (size_t a = begin; a < end; ++a)
        KAN_KERNEL_GET(double, rows_kernel)->add_transposed(&t->r, a, t->dy, t->g);
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
static void rotate(gauss_newton *gn, size_t n, const double *weight, double scale) {
    const size_t n_out = gn->model->n_out, width = gn->width;
    for (size_t s = 0; s < n; ++s) {
        double *row = gn->values + s * n_out * width;
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

double gauss_newton_add(gauss_newton *gn, size_t n, const double *x, const double *y,
                        const double *weight, double scale, double *g, double *H) {
    const kan_model *m = gn->model;
    const double width = (double)gn->width, n_rows = (double)(n * m->n_out);
    sums t = {.gn = gn, .dy = gn->dy, .g = g, .H = H};
    t.r = (rows){n, m->n_out, gn->n_runs, gn->width, gn->lengths, gn->at, gn->starts, gn->values};
    kan_model_jacobian(m, n, x, gn->y, gn->starts, gn->values, gn->work);
    const double loss = gn->loss->eval(n, m->n_out, gn->y, y, weight, scale, gn->dy);
    kan_parallel_for(gn->n_runs, 1, n_rows * width, gradient_runs, &t);
    rotate(gn, n, weight, scale);
    if (gn->dense)
        add_dense(&t);
    else
        kan_parallel_for((gn->n_runs + 1) / 2, 1, n_rows * width * width, gram_pairs, &t);
    return loss;
}
