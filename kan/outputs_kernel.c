/* kan/outputs_kernel.c - the layer with up to eight outputs and many samples, a vector of them at once.
 *
 * Edges are the polynomials of kan/polynomials.h, those of one input side by side, A[i][c][p][o], the outputs padded
 * to whole vectors:
 *
 *     y[s][o]  += base[i][o] b(x) + sum_p q_p A[i][c][p][o]
 *     dx[s][i]  = sum_o dy[s][o] ( base[i][o] b'(x) + sum_p q_p' A[i][c][p][o] )
 *     D[c][p][o] += q_p dy[s][o]
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "core/kernel.h"
#include "core/parallel.h"
#include "kan/lanes.h"
#include "kan/layer.h"
#include "kan/polynomials.h"
#include "kan/turn.h"

enum { BLOCK = 128, MOST_VECTORS = (NARROW_MAX_OUT + LANES - 1) / LANES };

ALWAYS_INLINE vec load(const double *from) {
    return *(const vec_unaligned *)(const void *)from;
}

ALWAYS_INLINE vec_unaligned *at(double *to) {
    return (vec_unaligned *)(void *)to;
}

/* What the forward pass leaves for the backward pass; n = batch rounded up to whole vectors, width = n_out rounded
 * up. */
typedef struct trace {
    double *A, *D;             /* [n_in][n_cells][degree + 1][width]                              */
    double *weights;           /* [n_in][width] of the base function                              */
    double *q, *slope;         /* [n_in][degree][n] q_p and q_p' for p = 1 .. degree              */
    double *base, *base_slope; /* [n_in][n]                                                       */
    double *dy;                /* [n][width], padded by the backward pass                         */
    uint32_t *cell;            /* [n_in][n]                                                       */
} trace;

typedef struct pass {
    const layer *l;
    size_t batch, n, rows, width;
    const double *x, *dy;
    double *y, *grad, *dx;
    trace t;
} pass;

static pass make_pass(const layer *l, size_t batch) {
    return (pass){.l = l,
                  .batch = batch,
                  .n = round_up(batch, LANES),
                  .rows = l->degree + 1,
                  .width = round_up(l->n_out, LANES)};
}

/* Numbers in the polynomials of one input. */
static size_t table_size(const pass *p) {
    return p->l->n_cells * p->rows * p->width;
}

/* Called with NULL to measure and with the memory to bind; doubles. */
static size_t bind(pass *p, double *memory) {
    const size_t n_in = p->l->n_in, places = n_in * p->n, table = n_in * table_size(p);
    const size_t sizes[] = {
        table,  table,  n_in * p->width, places * p->l->degree, places * p->l->degree,
        places, places, p->n * p->width};
    double **slices[] = {&p->t.A,     &p->t.D,    &p->t.weights,    &p->t.q,
                         &p->t.slope, &p->t.base, &p->t.base_slope, &p->t.dy};
    size_t used = 0;
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; ++k) {
        *slices[k] = memory ? memory + used : NULL;
        used += round_up(sizes[k], 8);
    }
    p->t.cell = memory ? (uint32_t *)(void *)(memory + used) : NULL;
    return used + round_up(places, 2) / 2;
}

static size_t trace_size(const layer *l, size_t batch) {
    pass p = make_pass(l, batch);
    return bind(&p, NULL);
}

/* ---- forward ------------------------------------------------------------------------------------------- */

/* Where n samples x [BLOCK] of input i lie from `begin` on, with the powers there. Samples that fill up the last vector
 * are copies of the last one. */
static void find_places(const pass *p, size_t i, size_t begin, size_t n, double *x) {
    const layer *l = p->l;
    const size_t padded = round_up(n, LANES), first = i * p->n + begin;
    double v[BLOCK], t[BLOCK], inv_h[BLOCK], power[BLOCK];
    for (size_t s = n; s < padded; ++s) x[s] = x[n - 1];
    kan_basis_locate(&l->basis[i], padded, x, p->t.cell + first, v, t, inv_h);
    layer_base(l->base, padded, x, 1, p->t.base + first, p->t.base_slope + first);
    for (size_t s = 0; s < padded; ++s) power[s] = 1.0;
    for (size_t k = 1; k <= l->degree; ++k) {
        const size_t row = (i * l->degree + k - 1) * p->n + begin;
        double *restrict q = p->t.q + row, *restrict slope = p->t.slope + row;
        for (size_t s = 0; s < padded; ++s) {
            q[s] = power[s] * (v[s] + (double)k * t[s]);
            slope[s] = (double)k * power[s] * inv_h[s];
            power[s] *= v[s];
        }
    }
}

/* y [n][width] += the values of all edges of input i, samples begin .. begin + n - 1. degree and n_vec are
 * constants where that is worth it. */
ALWAYS_INLINE void add_input(size_t degree, size_t n_vec, const pass *p, size_t i, size_t begin,
                             size_t n, double *restrict y) {
    const size_t width = n_vec * LANES, first = i * p->n + begin;
    const double *A = p->t.A + i * table_size(p), *q = p->t.q + i * degree * p->n + begin;
    const double *base = p->t.base + first;
    const uint32_t *cell = p->t.cell + first;
    vec w[MOST_VECTORS];
    for (size_t f = 0; f < n_vec; ++f) w[f] = load(p->t.weights + i * width + f * LANES);
    for (size_t s = 0; s < n; ++s, y += width) {
        const double *a = A + cell[s] * (degree + 1) * width;
        for (size_t f = 0; f < n_vec; ++f) {
            vec sum = load(a + f * LANES) + base[s] * w[f];
            for (size_t k = 1; k <= degree; ++k)
                sum += q[(k - 1) * p->n + s] * load(a + k * width + f * LANES);
            *at(y + f * LANES) += sum;
        }
    }
}

#define WITH_CONSTANTS(function, p, ...)                                          \
    switch ((p)->l->degree == 3 ? (p)->width / LANES : 0) {                       \
    case 1: function(3, 1, p, __VA_ARGS__); break;                                \
    case 2: function(3, MOST_VECTORS > 1 ? 2 : 1, p, __VA_ARGS__); break;         \
    default: function((p)->l->degree, (p)->width / LANES, p, __VA_ARGS__); break; \
    }

/* Samples begin .. end-1. */
static void forward_block(void *context, size_t begin, size_t end) {
    const pass *p = context;
    const size_t n = end - begin, n_out = p->l->n_out;
    double y[BLOCK * NARROW_MAX_OUT], x[TURN_MAX][BLOCK];
    memset(y, 0, n * p->width * sizeof *y);
    for (size_t i = 0; i < p->l->n_in; ++i) {
        if (i % TURN_MAX == 0)
            turn(turn_width(p->l->n_in - i), n, p->x + begin * p->l->n_in + i, p->l->n_in, *x, BLOCK);
        find_places(p, i, begin, n, x[i % TURN_MAX]);
        WITH_CONSTANTS(add_input, p, i, begin, n, y);
    }
    for (size_t s = 0; s < n; ++s)
        for (size_t o = 0; o < n_out; ++o) p->y[(begin + s) * n_out + o] = y[s * p->width + o];
}

static double cost(const pass *p) {
    return (double)p->batch * (double)p->l->n_in * (double)((p->rows + 1) * p->l->n_out + 20);
}

static void forward(const layer *l, size_t batch, const double *x, double *y, double *memory) {
    pass p = make_pass(l, batch);
    p.x = x, p.y = y;
    bind(&p, memory);
    memset(p.t.A, 0, l->n_in * table_size(&p) * sizeof *p.t.A);
    memset(p.t.weights, 0, l->n_in * p.width * sizeof *p.t.weights);
    for (size_t i = 0; i < l->n_in; ++i)
        for (size_t o = 0; o < l->n_out; ++o) {
            make_polynomials(l, i, o, p.rows, p.rows * p.width, p.width,
                             p.t.A + i * table_size(&p) + o);
            p.t.weights[i * p.width + o] =
                l->theta[i * layer_input_size(l) + layer_n_basis(l) * l->n_out + o];
        }
    kan_parallel_for(batch, BLOCK, cost(&p), forward_block, &p);
}

/* ---- backward ------------------------------------------------------------------------------------------ */

/* D[c][p][o] += q_p dy[s][o] and base[o] += b dy[s][o] for input i and all samples; neighbouring samples add to
 * different sums of base, which the next addition then need not wait for. */
ALWAYS_INLINE void add_to_sums(size_t degree, size_t n_vec, const pass *p, size_t i, double *D,
                               double *base_grad) {
    const size_t width = n_vec * LANES;
    const double *q = p->t.q + i * degree * p->n, *base = p->t.base + i * p->n, *dy = p->t.dy;
    const uint32_t *cell = p->t.cell + i * p->n;
    vec sums[2][MOST_VECTORS] = {{{0.0}}};
    for (size_t s = 0; s < p->n; s += 2)
        for (size_t odd = 0; odd < 2; ++odd, dy += width) {
            double *to = D + cell[s + odd] * (degree + 1) * width;
            for (size_t f = 0; f < n_vec; ++f) {
                const vec d = load(dy + f * LANES);
                sums[odd][f] += base[s + odd] * d;
                *at(to + f * LANES) += d;
                for (size_t k = 1; k <= degree; ++k)
                    *at(to + k * width + f * LANES) += q[(k - 1) * p->n + s + odd] * d;
            }
        }
    for (size_t o = 0; o < p->l->n_out; ++o)
        base_grad[o] += sums[0][o / LANES][o % LANES] + sums[1][o / LANES][o % LANES];
}

/* dx[s][i] for all samples, LANES at once. */
ALWAYS_INLINE void make_dx(size_t degree, size_t n_vec, const pass *p, size_t i) {
    const size_t width = n_vec * LANES, n_in = p->l->n_in;
    const double *A = p->t.A + i * table_size(p), *slope = p->t.slope + i * degree * p->n;
    const double *base_slope = p->t.base_slope + i * p->n;
    const uint32_t *cell = p->t.cell + i * p->n;
    vec w[MOST_VECTORS];
    for (size_t f = 0; f < n_vec; ++f) w[f] = load(p->t.weights + i * width + f * LANES);
    for (size_t s = 0; s < p->n; s += LANES) {
        vec sum[LANES] = {{0.0}};
        for (size_t k = 0; k < LANES; ++k) {
            const double *a = A + cell[s + k] * (degree + 1) * width, *dy = p->t.dy + (s + k) * width;
            for (size_t f = 0; f < n_vec; ++f) {
                vec d = base_slope[s + k] * w[f];
                for (size_t power = 1; power <= degree; ++power)
                    d += slope[(power - 1) * p->n + s + k] * load(a + power * width + f * LANES);
                sum[k] += d * load(dy + f * LANES);
            }
        }
        const vec dx = sums_of_lanes(sum);
        for (size_t k = 0; k < LANES && s + k < p->batch; ++k) p->dx[(s + k) * n_in + i] = dx[k];
    }
}

/* Threads own inputs, so every sum runs over the samples in their order. */
static void backward_inputs(void *context, size_t begin, size_t end) {
    const pass *p = context;
    const layer *l = p->l;
    for (size_t i = begin; i < end; ++i) {
        double *D = p->t.D + i * table_size(p);
        double *base_grad = p->grad + i * layer_input_size(l) + layer_n_basis(l) * l->n_out;
        memset(D, 0, table_size(p) * sizeof *D);
        WITH_CONSTANTS(add_to_sums, p, i, D, base_grad);
        for (size_t o = 0; o < l->n_out; ++o)
            add_coefficient_gradient(l, i, o, p->rows * p->width, p->width, D + o, p->grad);
        if (!p->dx) continue;
        WITH_CONSTANTS(make_dx, p, i);
    }
}

static void backward(const layer *l, size_t batch, const double *dy, double *memory, bool set,
                     double *grad, double *dx) {
    pass p = make_pass(l, batch);
    p.dy = dy, p.grad = grad, p.dx = dx;
    if (set) memset(grad, 0, l->n_in * layer_input_size(l) * sizeof *grad);
    bind(&p, memory);
    memset(p.t.dy, 0, p.n * p.width * sizeof *p.t.dy); /* padding counts for nothing */
    for (size_t s = 0; s < batch; ++s)
        for (size_t o = 0; o < l->n_out; ++o) p.t.dy[s * p.width + o] = dy[s * l->n_out + o];
    kan_parallel_for(l->n_in, 1, 2.0 * cost(&p), backward_inputs, &p);
}

const layer_kernel KAN_KERNEL(outputs_kernel) = {
    .trace_size = trace_size, .forward = forward, .backward = backward};
