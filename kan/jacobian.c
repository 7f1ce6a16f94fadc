/* kan/jacobian.c - dy/dtheta of a network as structured rows (core/model.h).
 *
 * With x the nodes below a layer, d[q] = dy[o]/d(output q of the layer) and first the cell of x[i],
 *
 *     dy[o]/d coef[i][first+r][q] = d[q] B_{first+r}(x[i])        dy[o]/d base[i][q] = d[q] b(x[i])
 *     dy[o]/dx[i] = sum_q d[q] phi'_iq(x[i])
 *
 * so a sample needs values and slopes once, and then each output one way back through the layers, which is
 * d alone. Input i of a layer owns two runs: (degree + 1) n_out coefficients from `first` on, and n_out base
 * weights. The parameters of all symbolic edges are one run more, the last; layers whose edges are all
 * symbolic or removed have no others.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <string.h>

#include "core/parallel.h"
#include "kan/net_private.h"
#include "kan/symbolic_edges.h"

enum { CHUNK = 32 }; /* samples that go through the layers together */

/* What a chunk of samples leaves of one layer for the way back. */
typedef struct layer_trace {
    double *values;         /* [n_in][CHUNK][degree+1]  B                                     */
    double *base, *d_base;  /* [n_in][CHUNK]            b, b'                                 */
    double *slopes;         /* [n_in][CHUNK][n_out]     phi', of all layers but the first     */
    double *symbolic;       /* [n_symbolic][CHUNK][4]   d phi/d(a, b, c, d)                   */
    double *sub, *nodes;    /* [CHUNK][..]              outputs of the layer, and their nodes */
    size_t at, runs_before; /* of the layer in a row of values, and in the list of runs       */
} layer_trace;

typedef struct chunk {
    layer_trace layers[KAN_MAX_LEVELS - 1];
    double *d_nodes, *d_sub;    /* [widest level] */
    size_t symbolic_at;         /* where symbolic edges begin in a row of values */
    size_t width, n_runs, size; /* of a row; of a sample; of all this in doubles */
} chunk;

typedef struct pass {
    const kan_net *net;
    const double *x;
    double *y, *values, *work;
    uint32_t *starts;
    size_t chunk_size; /* doubles */
} pass;

static double *take(double *memory, size_t *used, size_t n) {
    double *slice = memory ? memory + *used : NULL;
    *used += (n + 7) / 8 * 8;
    return slice;
}

/* Called with NULL to measure and with memory to bind. */
static chunk lay_out(const kan_net *net, double *memory) {
    chunk c = {.size = 0};
    size_t widest = 0;
    for (size_t l = 0; l < net->n_layers; ++l) {
        const layer *a = &net->layers[l];
        const size_t rows = a->degree + 1, n_nodes = net_n_nodes(&net->config, l + 1);
        const size_t n_splines = net->idle[l] ? 0 : a->n_in,
                     n_symbolic = net->before[l + 1] - net->before[l];
        layer_trace *t = &c.layers[l];
        t->values = take(memory, &c.size, n_splines * CHUNK * rows);
        t->base = take(memory, &c.size, n_splines * CHUNK);
        t->d_base = take(memory, &c.size, n_splines * CHUNK);
        t->symbolic = take(memory, &c.size, n_symbolic * CHUNK * SYMBOLIC_PARAMS);
        t->slopes = take(memory, &c.size, l > 0 ? a->n_in * CHUNK * a->n_out : 0);
        t->sub = take(memory, &c.size, CHUNK * a->n_out);
        t->nodes = take(memory, &c.size, CHUNK * n_nodes);
        t->at = c.width, c.width += n_splines * (rows + 1) * a->n_out;
        t->runs_before = c.n_runs, c.n_runs += 2 * n_splines;
        if (a->n_out > widest) widest = a->n_out;
        if (a->n_in > widest) widest = a->n_in;
    }
    c.symbolic_at = c.width, c.width += SYMBOLIC_PARAMS * net->n_symbolic;
    c.n_runs += net->n_symbolic > 0;
    c.d_nodes = take(memory, &c.size, widest);
    c.d_sub = take(memory, &c.size, widest);
    return c;
}

size_t net_jacobian_runs(const void *self, size_t *lengths) {
    const kan_net *net = self;
    size_t n = 0;
    for (size_t l = 0; l < net->n_layers; ++l)
        for (size_t i = 0; i < net->layers[l].n_in && !net->idle[l]; ++i, n += 2) {
            if (!lengths) continue;
            lengths[n] = (net->layers[l].degree + 1) * net->layers[l].n_out;
            lengths[n + 1] = net->layers[l].n_out;
        }
    if (net->n_symbolic == 0) return n;
    if (lengths) lengths[n] = SYMBOLIC_PARAMS * net->n_symbolic;
    return n + 1;
}

size_t net_jacobian_work_size(const void *self, size_t batch) {
    return (batch + CHUNK - 1) / CHUNK * lay_out(self, NULL).size;
}

/* ---- values and slopes -------------------------------------------------------------------------- */

/* sub[q] += phi_iq(x) and slope[q] = phi'_iq(x) of one input; slope NULL where it is not wanted. */
static void add_input(const layer *a, const double *coef, const double *weights, const double *values,
                      const double *slopes, double base, double d_base, double *restrict sub,
                      double *restrict slope) {
    const size_t n_out = a->n_out;
    for (size_t q = 0; q < n_out; ++q) sub[q] += weights[q] * base;
    for (size_t q = 0; slope && q < n_out; ++q) slope[q] = weights[q] * d_base;
    for (size_t r = 0; r <= a->degree; ++r, coef += n_out) {
        for (size_t q = 0; q < n_out; ++q) sub[q] += values[r] * coef[q];
        for (size_t q = 0; slope && q < n_out; ++q) slope[q] += slopes[r] * coef[q];
    }
}

/* Outputs of the splines of layer l for n samples x [n][n_in], their runs, and what the way back needs. */
static void forward_splines(const kan_net *net, size_t l, size_t n, const double *x,
                            const layer_trace *t, size_t n_runs, uint32_t *starts) {
    const layer *a = &net->layers[l];
    const size_t n_out = a->n_out, rows = a->degree + 1;
    memset(t->sub, 0, n * n_out * sizeof *t->sub);
    for (size_t i = 0; i < a->n_in; ++i) {
        const size_t input = (size_t)(a->theta - net->model.theta) + i * layer_input_size(a);
        const size_t weights = input + layer_n_basis(a) * n_out, run = t->runs_before + 2 * i;
        layer_base(a->base, n, x + i, a->n_in, t->base + i * CHUNK, t->d_base + i * CHUNK);
        for (size_t s = 0; s < n; ++s) {
            const size_t at = i * CHUNK + s;
            double slopes[KAN_MAX_DEGREE + 1];
            const size_t first = kan_basis_eval(&a->basis[i], x[s * a->n_in + i], t->values + at * rows,
                                                l > 0 ? slopes : NULL, NULL);
            const size_t coef = input + first * n_out;
            starts[s * n_runs + run] = (uint32_t)coef;
            starts[s * n_runs + run + 1] = (uint32_t)weights;
            add_input(a, net->model.theta + coef, net->model.theta + weights, t->values + at * rows,
                      slopes, t->base[at], t->d_base[at], t->sub + s * n_out,
                      l > 0 ? t->slopes + at * n_out : NULL);
        }
    }
}

static void forward_layer(const kan_net *net, size_t l, size_t n, const double *x, const layer_trace *t,
                          size_t n_runs, uint32_t *starts) {
    const layer *a = &net->layers[l];
    if (!net->idle[l]) {
        forward_splines(net, l, n, x, t, n_runs, starts);
    } else {
        symbolic_start(net, l, n, x, t->sub);
        if (l > 0) memset(t->slopes, 0, a->n_in * CHUNK * a->n_out * sizeof *t->slopes);
    }
    symbolic_jacobian(net, l, n, CHUNK, x, t->sub, t->symbolic, l > 0 ? t->slopes : NULL);
}

/* ---- the way back ------------------------------------------------------------------------------- */

/* The part of a row that layer l has, sample s of the chunk, from d [n_out] of its outputs. */
static void write_row(const layer *a, const layer_trace *t, size_t s, const double *restrict d,
                      double *restrict row) {
    const size_t n_out = a->n_out, rows = a->degree + 1;
    for (size_t i = 0; i < a->n_in; ++i) {
        const double *values = t->values + (i * CHUNK + s) * rows, base = t->base[i * CHUNK + s];
        for (size_t r = 0; r < rows; ++r)
            for (size_t q = 0; q < n_out; ++q) *row++ = values[r] * d[q];
        for (size_t q = 0; q < n_out; ++q) *row++ = base * d[q];
    }
}

/* And that of its symbolic edges. */
static void write_symbolic(const kan_net *net, size_t l, const layer_trace *t, size_t s,
                           const double *restrict d, double *restrict row) {
    row += SYMBOLIC_PARAMS * net->before[l];
    for (size_t k = net->before[l]; k < net->before[l + 1]; ++k) {
        const double *entries = t->symbolic + ((k - net->before[l]) * CHUNK + s) * SYMBOLIC_PARAMS;
        for (size_t j = 0; j < SYMBOLIC_PARAMS; ++j) *row++ = entries[j] * d[net->symbolic[k].edge.out];
    }
}

/* The whole row of output o of sample s. */
static void backward_row(const kan_net *net, const chunk *c, size_t s, size_t o, double *row) {
    memset(c->d_nodes, 0, net->model.n_out * sizeof *c->d_nodes);
    c->d_nodes[o] = 1.0;
    for (size_t l = net->n_layers; l-- > 0;) {
        const layer *a = &net->layers[l];
        const layer_trace *t = &c->layers[l];
        net_multiply_backward(&net->config, l + 1, 1, t->sub + s * a->n_out, c->d_nodes, c->d_sub);
        if (!net->idle[l]) write_row(a, t, s, c->d_sub, row + t->at);
        if (net->n_symbolic > 0) write_symbolic(net, l, t, s, c->d_sub, row + c->symbolic_at);
        for (size_t i = 0; l > 0 && i < a->n_in; ++i) {
            const double *slopes = t->slopes + (i * CHUNK + s) * a->n_out;
            double sum = 0.0;
            for (size_t q = 0; q < a->n_out; ++q) sum += c->d_sub[q] * slopes[q];
            c->d_nodes[i] = sum;
        }
    }
}

static void run_chunk(void *context, size_t begin, size_t end) {
    const pass *p = context;
    const kan_net *net = p->net;
    const size_t n = end - begin, n_out = net->model.n_out;
    double *memory = p->work + begin / CHUNK * p->chunk_size;
    assert(memory);
    const chunk c = lay_out(net, memory);
    const double *nodes = p->x + begin * net->model.n_in;
    for (size_t l = 0; l < net->n_layers; ++l) {
        const layer_trace *t = &c.layers[l];
        forward_layer(net, l, n, nodes, t, c.n_runs, p->starts + begin * c.n_runs);
        net_multiply(&net->config, l + 1, n, t->sub, t->nodes);
        nodes = t->nodes;
    }
    for (size_t s = begin; net->n_symbolic > 0 && s < end; ++s)
        p->starts[(s + 1) * c.n_runs - 1] = (uint32_t)net->n_spline;
    memcpy(p->y + begin * n_out, nodes, n * n_out * sizeof *nodes);
    for (size_t s = 0; s < n; ++s)
        for (size_t o = 0; o < n_out; ++o)
            backward_row(net, &c, s, o, p->values + ((begin + s) * n_out + o) * c.width);
}

void net_jacobian(const void *self, size_t batch, const double *x, double *y, uint32_t *starts,
                  double *values, double *work) {
    const kan_net *net = self;
    const chunk c = lay_out(net, NULL);
    pass p = {.net = net, .x = x, .y = y, .values = values, .work = work, .starts = starts};
    p.chunk_size = c.size;
    const double cost = (double)batch * ((double)c.width * (double)(net->model.n_out + 4) +
                                         20.0 * (double)net->n_symbolic);
    kan_parallel_for(batch, CHUNK, cost, run_chunk, &p);
}
