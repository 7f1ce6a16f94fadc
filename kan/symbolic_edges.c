/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kan/symbolic_edges.h"

#include <math.h>
#include <string.h>

#include "core/parallel.h"

/* Samples of one chunk, and what a function costs in multiply-adds. */
enum { CHUNK = 256, COST = 40 };

typedef struct pass {
    const kan_net *net;
    size_t l, batch;
    const double *x, *dy, *kept; /* kept: what forward left in values */
    double *y, *values, *partials, *dx;
} pass;

static const double *parameters(const kan_net *net, size_t k) {
    return net->model.theta + net->n_spline + SYMBOLIC_PARAMS * k;
}

static double cost(const kan_net *net, size_t l, size_t batch) {
    return (double)batch * (double)(net->before[l + 1] - net->before[l]) * COST;
}

/* NaN is rare: one fast look at all inputs, and the sums apart only where there is one. */
void symbolic_start(const kan_net *net, size_t l, size_t batch, const double *x, double *y) {
    const size_t n_in = net->layers[l].n_in, n_out = net->layers[l].n_out;
    size_t n_nan = 0;
    for (size_t j = 0; j < batch * n_in; ++j) n_nan += x[j] != x[j];
    memset(y, 0, batch * n_out * sizeof *y);
    for (size_t s = 0; n_nan > 0 && s < batch; ++s, x += n_in, y += n_out)
        for (size_t i = 0; i < n_in; ++i)
            for (size_t o = 0; isnan(x[i]) && o < n_out; ++o) y[o] = x[i];
}

/* ---- forward ------------------------------------------------------------------------------------ */

static void forward_chunk(void *context, size_t begin, size_t end) {
    const pass *p = context;
    const size_t n_in = p->net->layers[p->l].n_in, n_out = p->net->layers[p->l].n_out;
    for (size_t k = p->net->before[p->l]; k < p->net->before[p->l + 1]; ++k) {
        const symbolic_edge *e = &p->net->symbolic[k];
        const double *t = parameters(p->net, k), a = t[0], b = t[1], c = t[2], d = t[3];
        const double *x = p->x + e->edge.in;
        double *y = p->y + e->edge.out, f[CHUNK];
        for (size_t s = begin; s < end; ++s) f[s - begin] = e->f->f(a * x[s * n_in] + b);
        for (size_t s = begin; s < end; ++s) y[s * n_out] += c * f[s - begin] + d;
        for (size_t s = begin; p->values && s < end; ++s) p->values[k * p->batch + s] = f[s - begin];
    }
}

void symbolic_forward(const kan_net *net, size_t l, size_t batch, const double *x, double *y,
                      double *values) {
    pass p = {.net = net, .l = l, .batch = batch, .x = x, .y = y, .values = values};
    kan_parallel_for(batch, CHUNK, cost(net, l, batch), forward_chunk, &p);
}

/* ---- backward ----------------------------------------------------------------------------------- */

size_t symbolic_partials_size(const kan_net *net, size_t batch) {
    return (batch + CHUNK - 1) / CHUNK * net->n_symbolic * SYMBOLIC_PARAMS;
}

static void backward_chunk(void *context, size_t begin, size_t end) {
    const pass *p = context;
    const size_t n_in = p->net->layers[p->l].n_in, n_out = p->net->layers[p->l].n_out;
    const size_t first = p->net->before[p->l], last = p->net->before[p->l + 1];
    double *sums = p->partials + begin / CHUNK * (last - first) * SYMBOLIC_PARAMS;
    for (size_t k = first; k < last; ++k, sums += SYMBOLIC_PARAMS) {
        const symbolic_edge *e = &p->net->symbolic[k];
        const double *t = parameters(p->net, k), a = t[0], b = t[1], c = t[2];
        const double *x = p->x + e->edge.in, *dy = p->dy + e->edge.out, *f = p->kept + k * p->batch;
        double slopes[CHUNK], sum_a = 0.0, sum_b = 0.0, sum_c = 0.0, sum_d = 0.0;
        for (size_t s = begin; s < end; ++s) slopes[s - begin] = c * e->f->d1(a * x[s * n_in] + b);
        for (size_t s = begin; s < end; ++s) {
            const double g = dy[s * n_out], h = g * slopes[s - begin];
            sum_a += h * x[s * n_in], sum_b += h, sum_c += g * f[s], sum_d += g;
        }
        sums[0] = sum_a, sums[1] = sum_b, sums[2] = sum_c, sums[3] = sum_d;
        double *dx = p->dx ? p->dx + e->edge.in : NULL;
        for (size_t s = begin; dx && s < end; ++s)
            dx[s * n_in] += dy[s * n_out] * slopes[s - begin] * a;
    }
}

void symbolic_backward(const kan_net *net, size_t l, size_t batch, const double *x, const double *dy,
                       const double *values, double *partials, bool set, double *grad, double *dx) {
    pass p = {.net = net, .l = l, .batch = batch, .x = x, .dy = dy, .partials = partials, .dx = dx};
    p.kept = values;
    kan_parallel_for(batch, CHUNK, cost(net, l, batch), backward_chunk, &p);
    const size_t n = (net->before[l + 1] - net->before[l]) * SYMBOLIC_PARAMS;
    double *own = grad + net->n_spline + SYMBOLIC_PARAMS * net->before[l];
    for (size_t j = 0; j < n; ++j) {
        double sum = 0.0;
        for (size_t begin = 0; begin < batch; begin += CHUNK) sum += partials[begin / CHUNK * n + j];
        own[j] = set ? sum : own[j] + sum;
    }
}

/* ---- rows of the Jacobian, and curves ----------------------------------------------------------- */

void symbolic_jacobian(const kan_net *net, size_t l, size_t n, size_t stride, const double *x,
                       double *y, double *d, double *slopes) {
    const size_t n_in = net->layers[l].n_in, n_out = net->layers[l].n_out;
    for (size_t k = net->before[l]; k < net->before[l + 1]; ++k, d += stride * SYMBOLIC_PARAMS) {
        const symbolic_edge *e = &net->symbolic[k];
        const double *t = parameters(net, k);
        for (size_t s = 0; s < n; ++s) {
            const double at = x[s * n_in + e->edge.in], u = t[0] * at + t[1];
            const double f = e->f->f(u), slope = t[2] * e->f->d1(u);
            double *entries = d + s * SYMBOLIC_PARAMS;
            entries[0] = slope * at, entries[1] = slope, entries[2] = f, entries[3] = 1.0;
            y[s * n_out + e->edge.out] += t[2] * f + t[3];
            if (slopes) slopes[(e->edge.in * stride + s) * n_out + e->edge.out] += slope * t[0];
        }
    }
}

void symbolic_curve(const kan_net *net, size_t k, size_t n, const double *x, double *phi) {
    const kan_function *f = net->symbolic[k].f;
    const double *t = parameters(net, k);
    for (size_t j = 0; j < n; ++j) phi[j] = t[2] * f->f(t[0] * x[j] + t[1]) + t[3];
}
