/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kan/penalty.h"

#include "kan/net_private.h"

/* One edge: coefficients coef[0], coef[stride], .. [n_basis], and their gradient. */
static double add_edge(size_t n_basis, size_t stride, const double *coef, double weight, double *grad) {
    static const double third[4] = {-1.0, 3.0, -3.0, 1.0};
    double sum = 0.0;
    for (size_t b = 0; b + 3 < n_basis; ++b) {
        double difference = 0.0;
        for (size_t j = 0; j < 4; ++j) difference += third[j] * coef[(b + j) * stride];
        sum += difference * difference;
        for (size_t j = 0; j < 4; ++j) grad[(b + j) * stride] += 2.0 * weight * difference * third[j];
    }
    return weight * sum;
}

double penalty_roughness(const void *self, size_t batch, double weight, double *grad, double *work) {
    (void)batch, (void)work;
    const kan_net *net = self;
    double sum = 0.0;
    for (size_t l = 0; l < net->n_layers; ++l) {
        const layer *a = &net->layers[l];
        const double cells = (double)a->n_cells, scale = cells * cells * cells * cells * cells;
        for (size_t i = 0; i < a->n_in; ++i) {
            const double *coef = a->theta + i * layer_input_size(a);
            double *to = grad + (coef - net->model.theta);
            for (size_t o = 0; o < a->n_out; ++o)
                sum += add_edge(layer_n_basis(a), a->n_out, coef + o, weight * scale, to + o);
        }
    }
    return sum;
}
