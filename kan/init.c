/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kan/init.h"

#include <math.h>

#include "core/work.h"
#include "splines/spline.h"

/* pykan: base ~ U(-1, 1) / sqrt(n_in); coef = spline of least norm through noise at the breakpoints. */
static kan_status init_reference(const kan_net_config *config, layer *l, kan_random *random) {
    const size_t n_points = l->n_cells + 1, n_basis = layer_n_basis(l);
    const double scale = 1.0 / sqrt((double)l->n_in);
    double *noise = kan_work_alloc(kan_work_product(n_points, l->n_out));
    if (!noise) return KAN_ENOMEM;
    kan_status status = KAN_OK;
    for (size_t i = 0; i < l->n_in && status == KAN_OK; ++i) {
        double *coef = l->theta + i * layer_input_size(l), *base = coef + n_basis * l->n_out;
        for (size_t j = 0; j < n_points * l->n_out; ++j)
            noise[j] = scale * config->noise * (kan_random_uniform(random) - 0.5) / (double)l->n_cells;
        for (size_t j = 0; j < n_basis * l->n_out; ++j) coef[j] = 0.0;
        /* fewer points than coefficients: the fit moves as little from zero as it must */
        status = kan_spline_fit(&l->basis[i], n_points, l->basis[i].knots + l->degree, NULL, l->n_out,
                                noise, coef, NULL);
        for (size_t o = 0; o < l->n_out; ++o)
            base[o] = scale * (2.0 * kan_random_uniform(random) - 1.0);
    }
    kan_work_free(noise);
    return status;
}

/* Means over x uniform on the grid: B^2 and B'^2, over all basis functions as well, and b^2 and b'^2.
 */
typedef struct moments {
    double basis, basis_slope, base, base_slope;
} moments;

static moments measure(const layer *l) {
    enum { PER_CELL = 32 };
    const kan_basis *b = &l->basis[0];
    const double lo = b->knots[l->degree], hi = b->knots[l->degree + l->n_cells];
    const size_t n = PER_CELL * l->n_cells;
    moments m = {0.0, 0.0, 0.0, 0.0};
    for (size_t j = 0; j < n; ++j) {
        const double x = lo + (hi - lo) * ((double)j + 0.5) / (double)n;
        double values[KAN_MAX_DEGREE + 1], slopes[KAN_MAX_DEGREE + 1], base, base_slope;
        kan_basis_eval(b, x, values, slopes, NULL);
        layer_base(l->base, 1, &x, 1, &base, &base_slope);
        for (size_t r = 0; r <= l->degree; ++r) {
            m.basis += values[r] * values[r];
            m.basis_slope += slopes[r] * slopes[r];
        }
        m.base += base * base;
        m.base_slope += base_slope * base_slope;
    }
    const double terms = (double)(n * layer_n_basis(l));
    return (moments){m.basis / terms, m.basis_slope / terms, m.base / (double)n,
                     m.base_slope / (double)n};
}

/* Normal base weights and coefficients with the given standard deviations. */
static void fill_normal(layer *l, double base_sd, double coef_sd, kan_random *random) {
    const size_t n_coef = layer_n_basis(l) * l->n_out;
    for (size_t i = 0; i < l->n_in; ++i) {
        double *coef = l->theta + i * layer_input_size(l);
        for (size_t j = 0; j < n_coef; ++j) coef[j] = coef_sd * kan_random_normal(random);
        for (size_t o = 0; o < l->n_out; ++o) coef[n_coef + o] = base_sd * kan_random_normal(random);
    }
}

static void init_glorot(layer *l, kan_random *random) {
    const kan_basis *b = &l->basis[0];
    const double width = b->knots[l->degree + l->n_cells] - b->knots[l->degree];
    const double gain = width / sqrt(12.0), terms = (double)(layer_n_basis(l) + 1);
    const double n_in = (double)l->n_in, n_out = (double)l->n_out;
    const moments m = measure(l);
    const double coef_sd = gain * sqrt(2.0 / (terms * (n_in * m.basis + n_out * m.basis_slope)));
    const double base = terms * (n_in * m.base + n_out * m.base_slope);
    fill_normal(l, base > 0.0 ? gain * sqrt(2.0 / base) : 0.0, coef_sd, random);
}

kan_status init_layer(const kan_net_config *config, layer *l, kan_random *random) {
    const double terms = (double)(l->n_in * (layer_n_basis(l) + 1));
    switch (config->init) {
    case KAN_INIT_GLOROT: init_glorot(l, random); return KAN_OK;
    case KAN_INIT_POWER:
        fill_normal(l, pow(terms, -config->power_base), pow(terms, -config->power_spline), random);
        return KAN_OK;
    case KAN_INIT_REFERENCE:
    case KAN_N_INITS: break;
    }
    return init_reference(config, l, random);
}
