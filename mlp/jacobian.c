/* mlp/jacobian.c - dy/dtheta of an MLP as structured rows (core/model.h): one run, all of theta.
 *
 * For each output o, with dz_l = dy[o]/d(z_l) and dz_L the unit vector of o,
 *
 *     dz_{l-1} = (W_l dz_l) s'(z_{l-1})      dy[o]/dW_l = h_{l-1} dz_l^T      dy[o]/db_l = dz_l
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "core/parallel.h"
#include "mlp/mlp_private.h"

enum { CHUNK = 16 }; /* samples of a task */

typedef struct pass {
    const kan_mlp *mlp;
    const double *x;
    double *y, *values, *work;
    uint32_t *starts;
} pass;

/* Doubles that one sample needs: h and s'(z) of the hidden levels, and dz of two. */
static size_t sample_size(const kan_mlp *mlp) {
    size_t sum = 0, widest = 0;
    for (size_t level = 1; level <= mlp->n_layers; ++level) {
        const size_t width = mlp->config.width[level];
        sum += 2 * width;
        if (width > widest) widest = width;
    }
    return sum + 2 * widest;
}

size_t mlp_jacobian_runs(const void *self, size_t *lengths) {
    const kan_mlp *mlp = self;
    if (lengths) lengths[0] = mlp->model.n_params;
    return 1;
}

size_t mlp_jacobian_work_size(const void *self, size_t batch) {
    return (batch + CHUNK - 1) / CHUNK * sample_size(self);
}

/* z [n_out] = h W + b */
static void affine(size_t n_in, size_t n_out, const double *h, const double *w, double *restrict z) {
    memcpy(z, w + n_in * n_out, n_out * sizeof *z);
    for (size_t i = 0; i < n_in; ++i, w += n_out)
        for (size_t o = 0; o < n_out; ++o) z[o] += h[i] * w[o];
}

/* The part of a row that a layer has, and dz below it, unless NULL. */
static void backward_layer(size_t n_in, size_t n_out, const double *h, const double *slope,
                           const double *w, const double *restrict dz, double *restrict row,
                           double *restrict below) {
    for (size_t i = 0; i < n_in; ++i, row += n_out, w += n_out) {
        double sum = 0.0;
        for (size_t o = 0; o < n_out; ++o) row[o] = h[i] * dz[o];
        for (size_t o = 0; below && o < n_out; ++o) sum += w[o] * dz[o];
        if (below) below[i] = sum * slope[i];
    }
    memcpy(row, dz, n_out * sizeof *row);
}

/* y [n_out] and the rows [n_out][n_params] of one sample. */
static void run_sample(const kan_mlp *mlp, const double *x, double *y, double *values, double *work) {
    const size_t n_out = mlp->model.n_out, *width = mlp->config.width;
    const double *h[MLP_MAX_LAYERS], *slopes[MLP_MAX_LAYERS] = {NULL};
    size_t widest = 0;
    h[0] = x;
    for (size_t l = 0; l < mlp->n_layers; ++l) {
        const bool last = l + 1 == mlp->n_layers;
        double *z = last ? y : work, *slope = work + width[l + 1];
        affine(width[l], width[l + 1], h[l], mlp->model.theta + mlp->weights_at[l], z);
        if (width[l + 1] > widest) widest = width[l + 1];
        if (last) break;
        kan_activation_eval(mlp->config.activation, width[l + 1], z, z, slope);
        h[l + 1] = z, slopes[l + 1] = slope;
        work += 2 * width[l + 1];
    }
    for (size_t o = 0; o < n_out; ++o, values += mlp->model.n_params) {
        double *dz = work, *below = work + widest;
        memset(dz, 0, n_out * sizeof *dz);
        dz[o] = 1.0;
        for (size_t l = mlp->n_layers; l-- > 0;) {
            const size_t at = mlp->weights_at[l];
            backward_layer(width[l], width[l + 1], h[l], slopes[l], mlp->model.theta + at, dz,
                           values + at, l > 0 ? below : NULL);
            double *kept = dz;
            dz = below, below = kept;
        }
    }
}

static void run_chunk(void *context, size_t begin, size_t end) {
    const pass *p = context;
    const kan_model *m = &p->mlp->model;
    double *work = p->work + begin / CHUNK * sample_size(p->mlp);
    for (size_t s = begin; s < end; ++s) {
        p->starts[s] = 0;
        run_sample(p->mlp, p->x + s * m->n_in, p->y + s * m->n_out,
                   p->values + s * m->n_out * m->n_params, work);
    }
}

void mlp_jacobian(const void *self, size_t batch, const double *x, double *y, uint32_t *starts,
                  double *values, double *work) {
    const kan_mlp *mlp = self;
    pass p = {.mlp = mlp, .x = x, .y = y, .values = values, .work = work, .starts = starts};
    const double cost = (double)batch * (double)mlp->model.n_params *
                        (double)(2 * mlp->model.n_out + 1);
    kan_parallel_for(batch, CHUNK, cost, run_chunk, &p);
}
