/* kan/narrow_kernel.c - the layer with few outputs and many samples.
 *
 * On cell c every edge is one polynomial, made once for all samples from its coefficients
 * (splines/basis.h has P):
 *
 *     phi_io(x)     = base[i][o] b(x) + sum_p A[i][c][p][o] q_p
 *     A[i][c][p][o] = sum_r P[c][p][r] coef[i][c+r][o]
 *     q_p           = v^p + p v^(p-1) t,    slope of q_p = p v^(p-1) / h
 *
 * with v in [-1, 1] the place in the cell and t the distance beyond the grid (0 inside), both in half
 * widths h. So a sample needs no basis functions at all, and its gradient goes to D = d(loss)/dA, from
 * which
 *
 *     d(loss)/d coef[i][c+r][o] = sum_p P[c][p][r] D[i][c][p][o].
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "kan/layer.h"

#include <stdbool.h>
#include <string.h>

#include "core/kernel.h"
#include "core/parallel.h"

/* Samples of one forward block. */
enum { BLOCK = 256 };

typedef struct narrow_trace {
    double *A;                  /* [n_in][n_cells][degree+1][n_out]            */
    double *D;                  /* the same, made by the backward pass         */
    double *v, *t;              /* [n_in][batch] place in the cell, and beyond */
    double *base, *base_slopes; /* [n_in][batch]                               */
    uint32_t *cell;             /* [n_in][batch]                               */
} narrow_trace;

typedef struct pass {
    const layer *l;
    size_t batch;
    const double *x, *dy;
    double *y, *grad, *dx;
    narrow_trace trace;
} pass;

/* Entries of A for one input. */
static size_t polynomial_size(const layer *l) {
    return l->n_cells * (l->degree + 1) * l->n_out;
}

static size_t trace_size(const layer *l, size_t batch) {
    const size_t n = l->n_in * batch;
    return 2 * l->n_in * polynomial_size(l) + 4 * n + (n + 1) / 2;
}

static narrow_trace bind(const layer *l, size_t batch, double *memory) {
    const size_t n = l->n_in * batch, n_polynomial = l->n_in * polynomial_size(l);
    narrow_trace trace;
    trace.A = memory;
    trace.D = trace.A + n_polynomial;
    trace.v = trace.D + n_polynomial;
    trace.t = trace.v + n;
    trace.base = trace.t + n;
    trace.base_slopes = trace.base + n;
    trace.cell = (uint32_t *)(void *)(trace.base_slopes + n);
    return trace;
}

/* P[p][r] of cell c of an input. */
static const double *cell_polynomials(const layer *l, size_t i, size_t c) {
    const size_t rows = l->degree + 1;
    return l->basis[i].cells + c * (2 + rows * rows) + 2;
}

/* A of one input from its coefficients. */
static void make_polynomials(const layer *l, size_t i, double *A) {
    const size_t rows = l->degree + 1, n_out = l->n_out;
    const double *coef = l->theta + i * layer_input_size(l);
    for (size_t c = 0; c < l->n_cells; ++c, coef += n_out) {
        const double *P = cell_polynomials(l, i, c);
        for (size_t p = 0; p < rows; ++p, A += n_out)
            for (size_t o = 0; o < n_out; ++o) {
                double sum = 0.0;
                for (size_t r = 0; r < rows; ++r) sum += P[p * rows + r] * coef[r * n_out + o];
                A[o] = sum;
            }
    }
}

/* The gradient of the coefficients of one input from D. */
static void add_coefficient_gradient(const layer *l, size_t i, const double *D, double *grad) {
    const size_t rows = l->degree + 1, n_out = l->n_out;
    for (size_t c = 0; c < l->n_cells; ++c, grad += n_out) {
        const double *P = cell_polynomials(l, i, c);
        for (size_t p = 0; p < rows; ++p, D += n_out)
            for (size_t r = 0; r < rows; ++r)
                for (size_t o = 0; o < n_out; ++o) grad[r * n_out + o] += P[p * rows + r] * D[o];
    }
}

/* y[s][o] += phi_io(x[s]) for the samples begin .. begin + n - 1 of input i. The degree and the number
 * of outputs are constants where this is called, so that the sums stay in registers. */
static inline void add_input(size_t degree, size_t n_out, const pass *p, size_t i, size_t begin,
                             size_t n) {
    const layer *l = p->l;
    const size_t at = i * p->batch + begin, rows = degree + 1;
    const double *A = p->trace.A + i * polynomial_size(l), *v = p->trace.v + at, *t = p->trace.t + at;
    const double *base = p->trace.base + at;
    const double *base_weights = l->theta + i * layer_input_size(l) + layer_n_basis(l) * n_out;
    const uint32_t *cell = p->trace.cell + at;
    double *restrict y = p->y + begin * n_out;
    for (size_t s = 0; s < n; ++s, y += n_out) {
        const double *a = A + cell[s] * rows * n_out;
        double sum[NARROW_MAX_OUT], power = 1.0;
        for (size_t o = 0; o < n_out; ++o) sum[o] = base[s] * base_weights[o] + a[o];
        for (size_t q = 1; q < rows; ++q, power *= v[s])
            for (size_t o = 0; o < n_out; ++o)
                sum[o] += power * (v[s] + (double)q * t[s]) * a[q * n_out + o];
        for (size_t o = 0; o < n_out; ++o) y[o] += sum[o];
    }
}

/* For input i and all samples, with d = dy[s][o]:
 *     D[c][p][o] += q_p d,   grad of base[o] += b d,   dx[s][i] = sum_o d phi_io'(x[s])
 * Threads own inputs, so every sum runs over the samples in their order. */
static inline void backward_input(size_t degree, size_t n_out, bool with_dx, const pass *p, size_t i) {
    const layer *l = p->l;
    const size_t at = i * p->batch, rows = degree + 1;
    const double *A = p->trace.A + i * polynomial_size(l), *cells = l->basis[i].cells;
    double *D = p->trace.D + i * polynomial_size(l), base_sum[NARROW_MAX_OUT] = {0.0};
    double *grad = p->grad + i * layer_input_size(l);
    const double *base_weights = l->theta + i * layer_input_size(l) + layer_n_basis(l) * n_out;
    memset(D, 0, polynomial_size(l) * sizeof *D);

    for (size_t s = 0; s < p->batch; ++s) {
        const size_t c = p->trace.cell[at + s];
        const double v = p->trace.v[at + s], t = p->trace.t[at + s], b = p->trace.base[at + s];
        const double b_slope = p->trace.base_slopes[at + s], inv_h = cells[c * (2 + rows * rows) + 1];
        const double *a = A + c * rows * n_out, *dy = p->dy + s * n_out;
        double *d = D + c * rows * n_out, power = 1.0, spline_slope = 0.0, base_slope = 0.0;
        for (size_t o = 0; o < n_out; ++o) {
            d[o] += dy[o];
            base_sum[o] += b * dy[o];
            if (with_dx) base_slope += dy[o] * base_weights[o];
        }
        for (size_t q = 1; q < rows; ++q, power *= v)
            for (size_t o = 0; o < n_out; ++o) {
                d[q * n_out + o] += power * (v + (double)q * t) * dy[o];
                if (with_dx) spline_slope += (double)q * power * a[q * n_out + o] * dy[o];
            }
        if (with_dx) p->dx[s * l->n_in + i] = b_slope * base_slope + inv_h * spline_slope;
    }
    for (size_t o = 0; o < n_out; ++o) grad[layer_n_basis(l) * n_out + o] += base_sum[o];
    add_coefficient_gradient(l, i, D, grad);
}

/* The cases that are worth a constant: cubic, one to five outputs. */
static void add_input_of(const pass *p, size_t i, size_t begin, size_t n) {
    const size_t degree = p->l->degree, n_out = p->l->n_out;
    switch (degree == 3 ? n_out : 0) {
    case 1: add_input(3, 1, p, i, begin, n); break;
    case 2: add_input(3, 2, p, i, begin, n); break;
    case 3: add_input(3, 3, p, i, begin, n); break;
    case 4: add_input(3, 4, p, i, begin, n); break;
    case 5: add_input(3, 5, p, i, begin, n); break;
    default: add_input(degree, n_out, p, i, begin, n); break;
    }
}

/* The first layer is not asked for dx, which is a third of the work. */
static inline void backward_input_of(bool with_dx, const pass *p, size_t i) {
    const size_t degree = p->l->degree, n_out = p->l->n_out;
    switch (degree == 3 ? n_out : 0) {
    case 1: backward_input(3, 1, with_dx, p, i); break;
    case 2: backward_input(3, 2, with_dx, p, i); break;
    case 3: backward_input(3, 3, with_dx, p, i); break;
    case 4: backward_input(3, 4, with_dx, p, i); break;
    case 5: backward_input(3, 5, with_dx, p, i); break;
    default: backward_input(degree, n_out, with_dx, p, i); break;
    }
}

/* Samples begin .. end-1. */
static void forward_block(void *context, size_t begin, size_t end) {
    const pass *p = context;
    const layer *l = p->l;
    memset(p->y + begin * l->n_out, 0, (end - begin) * l->n_out * sizeof *p->y);
    for (size_t i = 0; i < l->n_in; ++i) {
        const size_t at = i * p->batch + begin, n = end - begin;
        const double *x = p->x + begin * l->n_in + i;
        kan_basis_locate(&l->basis[i], n, x, l->n_in, p->trace.cell + at, p->trace.v + at,
                         p->trace.t + at);
        layer_base(l->base, n, x, l->n_in, p->trace.base + at, p->trace.base_slopes + at);
        add_input_of(p, i, begin, n);
    }
}

static void backward_inputs(void *context, size_t begin, size_t end) {
    const pass *p = context;
    for (size_t i = begin; i < end; ++i) {
        if (p->dx)
            backward_input_of(true, p, i);
        else
            backward_input_of(false, p, i);
    }
}

static void forward(const layer *l, size_t batch, const double *x, double *y, double *trace) {
    pass p = {.l = l, .batch = batch, .x = x, .y = y, .trace = bind(l, batch, trace)};
    const double work = (double)batch * (double)l->n_in * (double)((l->degree + 2) * l->n_out + 20);
    for (size_t i = 0; i < l->n_in; ++i) make_polynomials(l, i, p.trace.A + i * polynomial_size(l));
    kan_parallel_for(batch, BLOCK, work, forward_block, &p);
}

static void backward(const layer *l, size_t batch, const double *dy, double *trace, double *grad,
                     double *dx) {
    pass p = {.l = l, .batch = batch, .dy = dy, .grad = grad, .dx = dx, .trace = bind(l, batch, trace)};
    const double work = 2.0 * (double)batch * (double)l->n_in * (double)((l->degree + 2) * l->n_out);
    kan_parallel_for(l->n_in, 1, work, backward_inputs, &p);
}

const layer_kernel KAN_KERNEL(narrow_kernel) = {
    .trace_size = trace_size, .forward = forward, .backward = backward};
