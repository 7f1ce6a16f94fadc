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

static double add_roughness(const kan_net *net, double weight, double *grad) {
    double sum = 0.0, d[KAN_MAX_DEGREE + 1] = {0.0};
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

static void add_roughness_hessian(const kan_net *net, double weight, double *hessian) {
    double d[KAN_MAX_DEGREE + 1] = {0.0};
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

/* ---- sizes of coefficients and of their differences ----------------------------------------------- */

/* |c| = sqrt(c^2 + e^2) - e: what is meant by small, in a net whose values are of the order of one. */
static const double small = 1e-5;

typedef struct coefs {
    size_t first, n, stride; /* of one edge: parameters first, first + stride, .. */
} coefs;

static coefs coefs_of(const kan_net *net, const layer *a, size_t e) {
    const size_t input = (size_t)(a->theta - net->model.theta) + e / a->n_out * layer_input_size(a);
    return (coefs){input + e % a->n_out, layer_n_basis(a), a->n_out};
}

/* lag 0: the coefficients; 1: their first differences. */
static double add_sizes(const double *theta, coefs c, size_t lag, double weight, double *grad) {
    double sum = 0.0;
    for (size_t r = 0; r + lag < c.n; ++r) {
        const size_t p = c.first + r * c.stride, q = p + lag * c.stride;
        const double value = theta[q] - (lag ? theta[p] : 0.0);
        const double size = sqrt(value * value + small * small);
        sum += size - small;
        grad[q] += weight * value / size;
        if (lag) grad[p] -= weight * value / size;
    }
    return weight * sum;
}

static void add_sizes_hessian(const double *theta, coefs c, size_t lag, double weight, size_t n_params,
                              double *hessian) {
    for (size_t r = 0; r + lag < c.n; ++r) {
        const size_t p = c.first + r * c.stride, q = p + lag * c.stride;
        const double value = theta[q] - (lag ? theta[p] : 0.0);
        const double h = weight / sqrt(value * value + small * small);
        hessian[q * n_params + q] += h;
        if (!lag) continue;
        hessian[p * n_params + p] += h;
        hessian[q * n_params + p] -= h;
    }
}

double penalty_of_theta(const kan_net *net, double weight, double *grad) {
    const kan_penalty *p = &net->penalty;
    double sum = p->roughness > 0.0 ? add_roughness(net, weight * p->roughness, grad) : 0.0;
    for (size_t l = 0; l < net->n_layers && (p->coef != 0.0 || p->coefdiff != 0.0); ++l) {
        const layer *a = &net->layers[l];
        const double mean = weight / (double)a->n_out;
        for (size_t e = 0; e < a->n_in * a->n_out; ++e) {
            if (net->edges[l][e] != EDGE_SPLINE) continue;
            const coefs c = coefs_of(net, a, e);
            sum += add_sizes(net->model.theta, c, 0, mean * p->coef, grad);
            sum += add_sizes(net->model.theta, c, 1, mean * p->coefdiff, grad);
        }
    }
    return sum;
}

void penalty_hessian_of_theta(const kan_net *net, double weight, double *hessian) {
    const kan_penalty *p = &net->penalty;
    const size_t n = net->model.n_params;
    if (p->roughness > 0.0) add_roughness_hessian(net, weight * p->roughness, hessian);
    for (size_t l = 0; l < net->n_layers && (p->coef > 0.0 || p->coefdiff > 0.0); ++l) {
        const layer *a = &net->layers[l];
        const double mean = weight / (double)a->n_out;
        for (size_t e = 0; e < a->n_in * a->n_out; ++e) {
            if (net->edges[l][e] != EDGE_SPLINE) continue;
            const coefs c = coefs_of(net, a, e);
            if (p->coef > 0.0) add_sizes_hessian(net->model.theta, c, 0, mean * p->coef, n, hessian);
            if (p->coefdiff > 0.0)
                add_sizes_hessian(net->model.theta, c, 1, mean * p->coefdiff, n, hessian);
        }
    }
}
