/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kan/penalty.h"

#include <math.h>

#include "kan/net_private.h"

/* l: waves that some fifty cells on the range just resolve count the same in every degree. */
static const double length = 1.0 / 50.0;

/* d [k+1] with (l G)^k Delta^k coef[c] / sqrt(G) = sum_j d[j] coef[c + j]. */
static void difference(const layer *a, double *d) {
    const size_t k = a->degree;
    const double cells = (double)a->n_cells;
    d[k] = pow(length * cells, (double)k) / sqrt(cells);
    for (size_t j = k; j-- > 0;) d[j] = -d[j + 1] * (double)(j + 1) / (double)(k - j); /* binomials */
}

/* One edge: coefficients coef[0], coef[stride], .. and their gradient. */
static double add_edge(const layer *a, const double *d, const double *coef, double weight,
                       double *grad) {
    const size_t k = a->degree, stride = a->n_out;
    double sum = 0.0;
    for (size_t c = 0; c < a->n_cells; ++c) {
        double value = 0.0;
        for (size_t j = 0; j <= k; ++j) value += d[j] * coef[(c + j) * stride];
        sum += value * value;
        for (size_t j = 0; j <= k; ++j) grad[(c + j) * stride] += 2.0 * weight * value * d[j];
    }
    return weight * sum;
}

double penalty_roughness(const void *self, size_t batch, double weight, double *grad, double *work) {
    (void)batch, (void)work;
    const kan_net *net = self;
    double sum = 0.0, d[KAN_MAX_DEGREE + 1];
    for (size_t l = 0; l < net->n_layers; ++l) {
        const layer *a = &net->layers[l];
        if (net->idle[l]) continue; /* all coefficients are zero */
        difference(a, d);
        for (size_t e = 0; e < a->n_in * a->n_out; ++e) {
            const double *coef = a->theta + e / a->n_out * layer_input_size(a) + e % a->n_out;
            sum += add_edge(a, d, coef, weight, grad + (coef - net->model.theta));
        }
    }
    return sum;
}

/* One edge whose first coefficient is parameter `first`. */
static void add_edge_hessian(const layer *a, const double *d, size_t first, size_t n_params,
                             double weight, double *hessian) {
    const size_t k = a->degree, stride = a->n_out;
    for (size_t c = 0; c < a->n_cells; ++c)
        for (size_t i = 0; i <= k; ++i) {
            double *row = hessian + (first + (c + i) * stride) * n_params + first;
            for (size_t j = 0; j <= i; ++j) row[(c + j) * stride] += 2.0 * weight * d[i] * d[j];
        }
}

void penalty_roughness_hessian(const void *self, double weight, double *hessian) {
    const kan_net *net = self;
    double d[KAN_MAX_DEGREE + 1];
    for (size_t l = 0; l < net->n_layers; ++l) {
        const layer *a = &net->layers[l];
        if (net->idle[l]) continue; /* all coefficients are zero */
        difference(a, d);
        for (size_t e = 0; e < a->n_in * a->n_out; ++e) {
            const double *coef = a->theta + e / a->n_out * layer_input_size(a) + e % a->n_out;
            add_edge_hessian(a, d, (size_t)(coef - net->model.theta), net->model.n_params, weight,
                             hessian);
        }
    }
}
