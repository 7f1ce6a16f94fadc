/* kan/scales.c - see the header. Up: values and moments. Then d R/d moments. Down: with a bar for dR/d,
 *
 *     bar phi_io[s] = bar y_o[s] + bar s(phi_io) (phi_io[s] - m) / ((n - 1) s)
 *     bar x_i[s]    = sum_o bar phi_io[s] phi_io'(x_i[s]) + bar s(x_i) (x_i[s] - m) / ((n - 1) s)
 *
 * and bar y_o from the node above it, with the spread of y_o where that counts.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "kan/scales.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "kan/node_scores.h"
#include "kan/symbolic_edges.h"

/* tiny keeps the gradient of a spread finite where it is 0. */
static const double tiny = 1e-10, beside = 0.1, softening = 1e-4, log_offset = 1e-4;

typedef struct moment {
    double mean, spread, bar; /* bar = d R/d spread */
} moment;

typedef struct layer_scales {
    moment *edges, *subs, *nodes; /* [n_in][n_out], [n_out], [n_in] */
    double *x, *sub;              /* [batch][n_in], [batch][n_out]  */
    double *v, *bar_v;            /* [n_in][n_out]                  */
    double *score, *bar_score;    /* [n_out]: S of the node that an output belongs to */
} layer_scales;

typedef struct scales {
    layer_scales layers[KAN_MAX_LEVELS - 1];
    double *bar_nodes, *bar_sub, *y; /* [batch][widest] */
    double *node_scores;             /* of KAN_SCALE_NODES */
    double *covariance, *mean;       /* [parameters of an edge] squared, and [the same] */
    size_t size;
} scales;

static double *take(double *memory, size_t *used, size_t n) {
    double *slice = memory ? memory + *used : NULL;
    *used += n;
    return slice;
}

static moment *take_moments(double *memory, size_t *used, size_t n) {
    _Static_assert(sizeof(moment) == 3 * sizeof(double), "moments are taken from doubles");
    return (moment *)take(memory, used, 3 * n);
}

static scales lay_out(const kan_net *net, size_t batch, double *memory) {
    scales w = {.size = 0};
    size_t widest = 1, most_rows = SYMBOLIC_PARAMS;
    for (size_t l = 0; l < net->n_layers; ++l) {
        const size_t n_in = net->layers[l].n_in, n_out = net->layers[l].n_out;
        layer_scales *t = &w.layers[l];
        t->edges = take_moments(memory, &w.size, n_in * n_out);
        t->subs = take_moments(memory, &w.size, n_out);
        t->nodes = take_moments(memory, &w.size, n_in);
        t->x = take(memory, &w.size, batch * n_in);
        t->sub = take(memory, &w.size, batch * n_out);
        t->v = take(memory, &w.size, n_in * n_out);
        t->bar_v = take(memory, &w.size, n_in * n_out);
        t->score = take(memory, &w.size, n_out);
        t->bar_score = take(memory, &w.size, n_out);
        const size_t rows = layer_n_basis(&net->layers[l]) + 1;
        if (rows > most_rows) most_rows = rows;
        if (n_in > widest) widest = n_in;
        if (n_out > widest) widest = n_out;
    }
    w.bar_nodes = take(memory, &w.size, batch * widest);
    w.bar_sub = take(memory, &w.size, batch * widest);
    w.y = take(memory, &w.size, batch * widest);
    w.covariance = take(memory, &w.size, most_rows * most_rows);
    w.mean = take(memory, &w.size, most_rows);
    if (net->penalty.metric == KAN_SCALE_NODES)
        w.node_scores = take(memory, &w.size, node_scores_size(net));
    return w;
}

size_t scales_size(const kan_net *net, size_t batch) {
    if (net->penalty.l1 == 0.0 && net->penalty.entropy == 0.0) return 0;
    return lay_out(net, batch, NULL).size;
}

/* ---- edges at a point ---------------------------------------------------------------------------- */

/* What all edges of one input need at one point. */
typedef struct point {
    size_t first, n_rows;
    double x, values[KAN_MAX_DEGREE + 1], slopes[KAN_MAX_DEGREE + 1], base, d_base;
} point;

static point locate(const layer *a, size_t i, double x) {
    point at = {.x = x, .n_rows = a->degree + 1};
    at.first = kan_basis_eval(&a->basis[i], x, at.values, at.slopes, NULL);
    layer_base(a->base, 1, &at.x, 1, &at.base, &at.d_base);
    return at;
}

/* phi, phi' of edge (i, o), and d phi/d parameters times bar into grad unless that is NULL. */
static double eval_edge(const kan_net *net, kan_edge e, const point *at, double bar, double *grad,
                        double *slope) {
    const layer *a = &net->layers[e.layer];
    const size_t n_out = a->n_out, offset = (size_t)(a->theta - net->model.theta);
    const size_t coef = offset + e.in * layer_input_size(a) + at->first * n_out + e.out;
    const size_t base = offset + e.in * layer_input_size(a) + layer_n_basis(a) * n_out + e.out;
    const double *theta = net->model.theta;
    kan_symbolic s;
    if (kan_net_get_symbolic(net, e, &s)) {
        const double u = s.a * at->x + s.b, f = s.f->f(u), d1 = s.c * s.f->d1(u);
        double *own = grad ? grad + net->n_spline + 4 * net_find_symbolic(net, e) : NULL;
        if (own) own[0] += bar * d1 * at->x, own[1] += bar * d1, own[2] += bar * f, own[3] += bar;
        *slope = d1 * s.a;
        return s.c * f + s.d;
    }
    double phi = theta[base] * at->base;
    *slope = theta[base] * at->d_base;
    for (size_t r = 0; r < at->n_rows; ++r) {
        phi += theta[coef + r * n_out] * at->values[r];
        *slope += theta[coef + r * n_out] * at->slopes[r];
        if (grad) grad[coef + r * n_out] += bar * at->values[r];
    }
    if (grad) grad[base] += bar * at->base;
    return phi;
}

/* ---- up ------------------------------------------------------------------------------------------ */

/* One pass of Welford's: mean and sum of squares, the latter in spread. */
static void add_value(moment *m, size_t s, double value) {
    const double delta = value - m->mean;
    m->mean += delta / (double)(s + 1);
    m->spread += delta * (value - m->mean);
}

static void finish_moments(size_t n_moments, moment *m, size_t batch) {
    for (size_t j = 0; j < n_moments; ++j)
        m[j].spread = sqrt(m[j].spread / (double)(batch - 1) + tiny * tiny);
}

static void measure_layer(const kan_net *net, size_t l, size_t batch, layer_scales *t) {
    const layer *a = &net->layers[l];
    const size_t n_in = a->n_in, n_out = a->n_out;
    memset(t->edges, 0, n_in * n_out * sizeof *t->edges);
    memset(t->subs, 0, n_out * sizeof *t->subs);
    memset(t->nodes, 0, n_in * sizeof *t->nodes);
    memset(t->sub, 0, batch * n_out * sizeof *t->sub);
    for (size_t s = 0; s < batch; ++s) {
        for (size_t i = 0; i < n_in; ++i) {
            const point at = locate(a, i, t->x[s * n_in + i]);
            double slope;
            add_value(&t->nodes[i], s, at.x);
            for (size_t o = 0; o < n_out; ++o) {
                if (!net->edges[l][i * n_out + o]) continue;
                const double phi = eval_edge(net, (kan_edge){l, i, o}, &at, 0.0, NULL, &slope);
                add_value(&t->edges[i * n_out + o], s, phi);
                t->sub[s * n_out + o] += phi;
            }
        }
        for (size_t o = 0; o < n_out; ++o) add_value(&t->subs[o], s, t->sub[s * n_out + o]);
    }
    finish_moments(n_in * n_out, t->edges, batch);
    finish_moments(n_out, t->subs, batch);
    finish_moments(n_in, t->nodes, batch);
}

static void measure(const kan_net *net, size_t batch, const double *x, scales *w) {
    assert(w->layers[0].x);
    memcpy(w->layers[0].x, x, batch * net->model.n_in * sizeof *x);
    for (size_t l = 0; l < net->n_layers; ++l) {
        layer_scales *t = &w->layers[l];
        measure_layer(net, l, batch, t);
        net_multiply(&net->config, l + 1, batch, t->sub,
                     l + 1 < net->n_layers ? w->layers[l + 1].x : w->y);
    }
}

/* ---- the matrices v, and their penalty ------------------------------------------------------------ */

/* S of the outputs of a layer from v of the layer above it; at the top 1 / n_out. */
static void score_layer(const kan_net *net, size_t l, scales *w) {
    const bool top = l + 1 == net->n_layers;
    const size_t n_above = top ? 0 : net->layers[l + 1].n_out;
    for (size_t o = 0; o < net->layers[l].n_out; ++o) {
        const size_t j = net_node_of(&net->config, l + 1, o);
        double score = top ? 1.0 / (double)net->model.n_out : 0.0;
        for (size_t q = 0; q < n_above; ++q) score += w->layers[l + 1].v[j * n_above + q];
        w->layers[l].score[o] = score;
    }
}

static double value_of(const kan_net *net, size_t l, size_t i, size_t o, const layer_scales *t) {
    const size_t e = i * net->layers[l].n_out + o;
    const double s = t->edges[e].spread;
    if (!net->edges[l][e]) return 0.0;
    switch (net->penalty.metric) {
    case KAN_SCALE_SPLINE:
        return net->edges[l][e] == EDGE_SYMBOLIC ? 0.0 : s / (t->nodes[i].spread + beside);
    case KAN_SCALE_RELATIVE: return s / (t->nodes[i].spread + beside);
    case KAN_SCALE_ATTRIBUTED: return t->score[o] * s / (t->subs[o].spread + softening);
    case KAN_SCALE_NODES: return s / (t->subs[o].spread + softening); /* r of kan/node_scores.h */
    default: return s;
    }
}

/* -sum_j p_j log2(p_j + 1e-4), p_j = v_j / (1 + sum v), times weight, of v[0], v[stride], ..; adds d/dv to
 * bar. */
static double entropy(size_t n, size_t stride, const double *v, double weight, double *bar) {
    double sum = 1.0, value = 0.0, mean = 0.0;
    for (size_t j = 0; j < n; ++j) sum += v[j * stride];
    for (size_t pass = 0; pass < 2; ++pass)
        for (size_t j = 0; j < n; ++j) {
            const double p = v[j * stride] / sum, lg = log2(p + log_offset);
            const double slope = -lg - p / ((p + log_offset) * log(2.0));
            if (pass == 0)
                value -= p * lg, mean += slope * p;
            else
                bar[j * stride] += weight * (slope - mean) / sum;
        }
    return weight * value;
}

/* Of a matrix v [n_rows][n_columns]; sets bar to d/dv. */
static double penalize_matrix(const kan_penalty *p, size_t n_rows, size_t n_columns, const double *v,
                              double weight, double *bar) {
    double sum = 0.0;
    for (size_t e = 0; e < n_rows * n_columns; ++e) {
        bar[e] = weight * p->l1;
        sum += weight * p->l1 * v[e];
    }
    if (p->entropy == 0.0) return sum;
    for (size_t o = 0; o < n_columns; ++o)
        sum += entropy(n_rows, n_columns, v + o, weight * p->entropy / (double)n_columns, bar + o);
    for (size_t i = 0; i < n_rows; ++i)
        sum += entropy(n_columns, 1, v + i * n_columns, weight * p->entropy / (double)n_rows,
                       bar + i * n_columns);
    return sum;
}

/* ---- from bar v to bar spreads --------------------------------------------------------------------- */

/* bar S of an output of layer l goes into bar v of the layer above, whose sum S is. */
static void pass_scores_up(const kan_net *net, size_t l, scales *w) {
    if (l + 1 == net->n_layers) return;
    const size_t n_above = net->layers[l + 1].n_out;
    for (size_t o = 0; o < net->layers[l].n_out; ++o) {
        const size_t j = net_node_of(&net->config, l + 1, o);
        for (size_t q = 0; q < n_above; ++q)
            w->layers[l + 1].bar_v[j * n_above + q] += w->layers[l].bar_score[o];
    }
}

static void spread_bars(const kan_net *net, size_t l, layer_scales *t) {
    const size_t n_in = net->layers[l].n_in, n_out = net->layers[l].n_out;
    const kan_scale metric = net->penalty.metric;
    const bool attributed = metric == KAN_SCALE_ATTRIBUTED || metric == KAN_SCALE_NODES;
    const bool relative = metric == KAN_SCALE_SPLINE || metric == KAN_SCALE_RELATIVE;
    memset(t->bar_score, 0, n_out * sizeof *t->bar_score);
    for (size_t i = 0; i < n_in; ++i)
        for (size_t o = 0; o < n_out; ++o) {
            const size_t e = i * n_out + o;
            const double s = t->edges[e].spread, bar = t->bar_v[e];
            const double score = metric == KAN_SCALE_ATTRIBUTED ? t->score[o] : 1.0;
            const double below = t->nodes[i].spread + beside, above = t->subs[o].spread + softening;
            if (!net->edges[l][e]) continue;
            if (metric == KAN_SCALE_SPLINE && net->edges[l][e] == EDGE_SYMBOLIC) continue;
            t->edges[e].bar += bar * (attributed ? score / above : relative ? 1.0 / below : 1.0);
            if (relative) t->nodes[i].bar -= bar * s / (below * below);
            if (!attributed) continue;
            t->subs[o].bar -= bar * score * s / (above * above);
            t->bar_score[o] += bar * s / above;
        }
}

/* ---- down ------------------------------------------------------------------------------------------ */

static double bar_value(const moment *m, double value, size_t batch) {
    return m->bar * (value - m->mean) / ((double)(batch - 1) * m->spread);
}

/* bar_nodes [batch][n_in] and grad from bar_sub [batch][n_out]. */
static void pull_layer(const kan_net *net, size_t l, size_t batch, const layer_scales *t,
                       const double *bar_sub, double *bar_nodes, double *grad) {
    const layer *a = &net->layers[l];
    const size_t n_in = a->n_in, n_out = a->n_out;
    for (size_t s = 0; s < batch; ++s)
        for (size_t i = 0; i < n_in; ++i) {
            const point at = locate(a, i, t->x[s * n_in + i]);
            double sum = bar_value(&t->nodes[i], at.x, batch), slope;
            for (size_t o = 0; o < n_out; ++o) {
                const kan_edge e = {l, i, o};
                const moment *m = &t->edges[i * n_out + o];
                if (!net->edges[l][i * n_out + o]) continue;
                const double phi = eval_edge(net, e, &at, 0.0, NULL, &slope);
                const double bar = bar_value(m, phi, batch) + bar_sub[s * n_out + o] +
                                   bar_value(&t->subs[o], t->sub[s * n_out + o], batch);
                eval_edge(net, e, &at, bar, grad, &slope);
                sum += bar * slope;
            }
            bar_nodes[s * n_in + i] = sum;
        }
}

/* R, with v and bar v of every layer. */
static double penalize(const kan_net *net, double weight, scales *w) {
    double value = 0.0, *v[KAN_MAX_LEVELS], *bar_v[KAN_MAX_LEVELS];
    for (size_t l = net->n_layers; l-- > 0;) {
        layer_scales *t = &w->layers[l];
        const size_t n_in = net->layers[l].n_in, n_out = net->layers[l].n_out;
        score_layer(net, l, w);
        for (size_t e = 0; e < n_in * n_out; ++e) t->v[e] = value_of(net, l, e / n_out, e % n_out, t);
        v[l] = t->v, bar_v[l] = t->bar_v;
        if (net->penalty.metric != KAN_SCALE_NODES)
            value += penalize_matrix(&net->penalty, n_in, n_out, t->v, weight, t->bar_v);
    }
    if (net->penalty.metric != KAN_SCALE_NODES) return value;
    return node_scores_penalty(net, v, bar_v, weight, penalize_matrix, w->node_scores);
}

/* R, and d R/d spread of edges, sums and nodes. */
static double spread_penalty(const kan_net *net, size_t batch, const double *x, double weight,
                             scales *w) {
    measure(net, batch, x, w);
    const double value = penalize(net, weight, w);
    for (size_t l = 0; l < net->n_layers; ++l) {
        spread_bars(net, l, &w->layers[l]);
        if (net->penalty.metric == KAN_SCALE_ATTRIBUTED) pass_scores_up(net, l, w);
    }
    return value;
}

double scales_penalty(const kan_net *net, size_t batch, const double *x, double weight, double *grad,
                      double *work) {
    if (batch < 2 || scales_size(net, batch) == 0) return 0.0;
    scales w = lay_out(net, batch, work);
    const double value = spread_penalty(net, batch, x, weight, &w);
    memset(w.bar_nodes, 0, batch * net->model.n_out * sizeof *w.bar_nodes);
    for (size_t l = net->n_layers; l-- > 0;) {
        net_multiply_backward(&net->config, l + 1, batch, w.layers[l].sub, w.bar_nodes, w.bar_sub);
        pull_layer(net, l, batch, &w.layers[l], w.bar_sub, w.bar_nodes, grad);
    }
    return value;
}

/* ---- curvature ------------------------------------------------------------------------------------- */

/* Sums of d phi/d parameters of an edge, and of their products. */
typedef struct covariance {
    double *c, *mean; /* [n][n], lower triangle, and [n] */
    size_t n;
} covariance;

static covariance begin_covariance(const scales *w, size_t n) {
    memset(w->covariance, 0, n * n * sizeof *w->covariance);
    memset(w->mean, 0, n * sizeof *w->mean);
    return (covariance){w->covariance, w->mean, n};
}

/* One sample: the values at first, first + 1, .. and that at `last`, the others being zero. */
static void add_sample(covariance *q, size_t n_values, size_t first, const double *values,
                       double base) {
    const size_t last = q->n - 1;
    for (size_t r = 0; r < n_values; ++r) {
        q->mean[first + r] += values[r];
        q->c[last * q->n + first + r] += base * values[r];
        for (size_t p = 0; p <= r; ++p) q->c[(first + r) * q->n + first + p] += values[r] * values[p];
    }
    q->mean[last] += base;
    q->c[last * q->n + last] += base * base;
}

static void finish_covariance(covariance *q, size_t batch) {
    for (size_t r = 0; r < q->n; ++r)
        for (size_t p = 0; p <= r; ++p)
            q->c[r * q->n + p] = (q->c[r * q->n + p] - q->mean[r] * q->mean[p] / (double)batch) /
                                 (double)(batch - 1);
}

/* hessian += factor c for parameters first, first + stride, .. */
static void add_covariance(const covariance *q, size_t first, size_t stride, double factor,
                           size_t n_params, double *hessian) {
    for (size_t r = 0; r < q->n; ++r) {
        double *row = hessian + (first + r * stride) * n_params + first;
        for (size_t p = 0; p <= r; ++p) row[p * stride] += factor * q->c[r * q->n + p];
    }
}

/* All splines of one input: the same basis functions. */
static void add_splines(const kan_net *net, size_t l, size_t i, size_t batch, const scales *w,
                        double *hessian) {
    const layer *a = &net->layers[l];
    const layer_scales *t = &w->layers[l];
    covariance q = begin_covariance(w, layer_n_basis(a) + 1);
    for (size_t s = 0; s < batch; ++s) {
        const point at = locate(a, i, t->x[s * a->n_in + i]);
        add_sample(&q, at.n_rows, at.first, at.values, at.base);
    }
    finish_covariance(&q, batch);
    const size_t first = (size_t)(a->theta - net->model.theta) + i * layer_input_size(a);
    for (size_t o = 0; o < a->n_out; ++o) {
        const moment *m = &t->edges[i * a->n_out + o];
        if (net->edges[l][i * a->n_out + o] == EDGE_SPLINE && m->bar > 0.0)
            add_covariance(&q, first + o, a->n_out, m->bar / m->spread, net->model.n_params, hessian);
    }
}

/* One function c f(a x + b) + d: with the derivatives of f in the place of basis functions. */
static void add_function(const kan_net *net, kan_edge e, size_t batch, const scales *w,
                         double *hessian) {
    const layer *a = &net->layers[e.layer];
    const layer_scales *t = &w->layers[e.layer];
    const moment *m = &t->edges[e.in * a->n_out + e.out];
    kan_symbolic f;
    if (!(m->bar > 0.0) || !kan_net_get_symbolic(net, e, &f)) return;
    covariance q = begin_covariance(w, SYMBOLIC_PARAMS);
    for (size_t s = 0; s < batch; ++s) {
        const double x = t->x[s * a->n_in + e.in], u = f.a * x + f.b, slope = f.c * f.f->d1(u);
        const double values[SYMBOLIC_PARAMS - 1] = {slope * x, slope, f.f->f(u)};
        add_sample(&q, SYMBOLIC_PARAMS - 1, 0, values, 1.0);
    }
    finish_covariance(&q, batch);
    add_covariance(&q, net->n_spline + SYMBOLIC_PARAMS * net_find_symbolic(net, e), 1,
                   m->bar / m->spread, net->model.n_params, hessian);
}

void scales_hessian(const kan_net *net, size_t batch, const double *x, double weight, double *hessian,
                    double *work) {
    if (batch < 2 || scales_size(net, batch) == 0) return;
    scales w = lay_out(net, batch, work);
    (void)spread_penalty(net, batch, x, weight, &w);
    for (size_t l = 0; l < net->n_layers; ++l)
        for (size_t i = 0; i < net->layers[l].n_in; ++i) {
            if (!net->idle[l]) add_splines(net, l, i, batch, &w, hessian);
            for (size_t o = 0; o < net->layers[l].n_out; ++o)
                if (net->edges[l][i * net->layers[l].n_out + o] == EDGE_SYMBOLIC)
                    add_function(net, (kan_edge){l, i, o}, batch, &w, hessian);
        }
}
