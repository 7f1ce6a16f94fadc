/* kan/layer_wide.c - the layer as it is written: basis functions times coefficients.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "kan/layer.h"

#include "core/parallel.h"

/* Samples of one forward block: its basis values and outputs stay in the first caches. */
enum { BLOCK = 64 };

/* Input by input, what the forward pass of a batch leaves for the backward pass. */
typedef struct wide_trace {
    double *values, *slopes;    /* [n_in][batch][degree + 1] of the basis functions             */
    double *base, *base_slopes; /* [n_in][batch] b(x), b'(x)                                    */
    uint32_t *first;            /* [n_in][batch] cell of x, the first of these basis functions  */
} wide_trace;

size_t wide_trace_size(const layer *l, size_t batch) {
    const size_t n = l->n_in * batch;
    return n * 2 * (l->degree + 1) + n * 2 + (n + 1) / 2;
}

static wide_trace bind(const layer *l, size_t batch, double *memory) {
    const size_t n = l->n_in * batch, rows = l->degree + 1;
    wide_trace trace;
    trace.values = memory;
    trace.slopes = trace.values + n * rows;
    trace.base = trace.slopes + n * rows;
    trace.base_slopes = trace.base + n;
    trace.first = (uint32_t *)(void *)(trace.base_slopes + n);
    return trace;
}

typedef struct pass {
    const layer *l;
    size_t batch;
    const double *x, *dy;
    double *y, *grad, *dx;
    wide_trace trace;
} pass;

/* y[s][o] += base b[o] + sum_r value[r] c[r][o] for one input and n samples. The degree is a constant
 * where this is called, so that the sum over r stays in registers. */
static inline void add_input(size_t degree, size_t n_out, size_t n, const uint32_t *first,
                             const double *values, const double *base, const double *coef,
                             const double *base_weights, double *restrict y) {
    const size_t rows = degree + 1;
    for (size_t s = 0; s < n; ++s, y += n_out) {
        const double *restrict c = coef + first[s] * n_out, *restrict v = values + s * rows;
        const double b = base[s];
        for (size_t o = 0; o < n_out; ++o) {
            double sum = b * base_weights[o];
            for (size_t r = 0; r < rows; ++r) sum += v[r] * c[r * n_out + o];
            y[o] += sum;
        }
    }
}

static void add_input_of_degree(size_t degree, size_t n_out, size_t n, const uint32_t *first,
                                const double *values, const double *base, const double *coef,
                                const double *base_weights, double *y) {
    if (degree == 3 && n_out == 1)
        add_input(3, 1, n, first, values, base, coef, base_weights, y);
    else if (degree == 3)
        add_input(3, n_out, n, first, values, base, coef, base_weights, y);
    else
        add_input(degree, n_out, n, first, values, base, coef, base_weights, y);
}

/* Samples begin .. end-1. */
static void forward_block(void *context, size_t begin, size_t end) {
    const pass *p = context;
    const layer *l = p->l;
    const size_t n = end - begin, rows = l->degree + 1, n_basis = layer_n_basis(l);
    double *y = p->y + begin * l->n_out;
    for (size_t j = 0; j < n * l->n_out; ++j) y[j] = 0.0;

    for (size_t i = 0; i < l->n_in; ++i) {
        const size_t at = i * p->batch + begin;
        const double *x = p->x + begin * l->n_in + i;
        uint32_t *first = p->trace.first + at;
        double *values = p->trace.values + at * rows, *base = p->trace.base + at;
        kan_basis_eval_many(&l->basis[i], n, x, l->n_in, first, values, p->trace.slopes + at * rows);
        layer_base(l->base, n, x, l->n_in, base, p->trace.base_slopes + at);
        const double *coef = l->theta + i * layer_input_size(l);
        add_input_of_degree(l->degree, l->n_out, n, first, values, base, coef,
                            coef + n_basis * l->n_out, y);
    }
}

void wide_forward(const layer *l, size_t batch, const double *x, double *y, double *trace) {
    pass p = {.l = l, .batch = batch, .x = x, .y = y, .trace = bind(l, batch, trace)};
    const double work = (double)batch * (double)l->n_in * (double)((l->degree + 2) * l->n_out + 30);
    kan_parallel_for(batch, BLOCK, work, forward_block, &p);
}

/* For one input i and all samples, with d = dy[s][o]:
 *     grad[first+r][o] += value[r] d,    grad of base[o] += b d
 *     dx[s][i] = sum_o d ( b' base[o] + sum_r slope[r] coef[first+r][o] )
 * Threads own inputs, so every sum runs over the samples in their order. */
static inline void backward_input(size_t degree, size_t n_out, const pass *p, size_t i) {
    const layer *l = p->l;
    const size_t rows = degree + 1, n_basis = layer_n_basis(l), at = i * p->batch;
    const double *coef = l->theta + i * layer_input_size(l), *base_weights = coef + n_basis * n_out;
    double *grad = p->grad + i * layer_input_size(l), *restrict base_grad = grad + n_basis * n_out;

    for (size_t s = 0; s < p->batch; ++s) {
        const size_t first = p->trace.first[at + s] * n_out;
        const double *restrict v = p->trace.values + (at + s) * rows;
        const double *restrict slope = p->trace.slopes + (at + s) * rows;
        const double *restrict c = coef + first, *restrict dy = p->dy + s * n_out;
        const double b = p->trace.base[at + s], b_slope = p->trace.base_slopes[at + s];
        double *restrict g = grad + first, sum = 0.0;
        for (size_t o = 0; o < n_out; ++o) {
            const double d = dy[o];
            double phi_slope = b_slope * base_weights[o];
            for (size_t r = 0; r < rows; ++r) {
                phi_slope += slope[r] * c[r * n_out + o];
                g[r * n_out + o] += v[r] * d;
            }
            base_grad[o] += b * d;
            sum += d * phi_slope;
        }
        if (p->dx) p->dx[s * l->n_in + i] = sum;
    }
}

static void backward_inputs(void *context, size_t begin, size_t end) {
    const pass *p = context;
    const size_t degree = p->l->degree, n_out = p->l->n_out;
    for (size_t i = begin; i < end; ++i) {
        if (degree == 3 && n_out == 1)
            backward_input(3, 1, p, i);
        else if (degree == 3)
            backward_input(3, n_out, p, i);
        else
            backward_input(degree, n_out, p, i);
    }
}

void wide_backward(const layer *l, size_t batch, const double *dy, double *trace, double *grad,
                   double *dx) {
    pass p = {.l = l, .batch = batch, .dy = dy, .grad = grad, .dx = dx, .trace = bind(l, batch, trace)};
    const double work = 2.0 * (double)batch * (double)l->n_in * (double)((l->degree + 2) * l->n_out);
    kan_parallel_for(l->n_in, 1, work, backward_inputs, &p);
}
