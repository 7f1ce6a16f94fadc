/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kan/attribution.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/parallel.h"
#include "core/random.h"
#include "core/work.h"
#include "kan/net_private.h"

/* Of the reference: what keeps the quotient of spreads finite. */
static const double softening = 1e-4;

/* ---- memory ------------------------------------------------------------------------------------- */

static double *take(double *memory, size_t *used, size_t n) {
    double *slice = memory ? memory + *used : NULL;
    *used += n;
    return slice;
}

/* Called with NULL to measure and with memory to bind; returns doubles. */
static size_t lay_out(const kan_net *net, kan_attribution *a, double *memory) {
    size_t used = 0;
    for (size_t l = 0; l < net->n_layers; ++l) {
        const size_t n_edges = net->layers[l].n_in * net->layers[l].n_out;
        a->edges[l] = take(memory, &used, n_edges);
        a->means[l] = take(memory, &used, n_edges);
        a->spreads[l] = take(memory, &used, n_edges);
        a->sub_spreads[l] = take(memory, &used, net->layers[l].n_out);
    }
    for (size_t level = 0; level <= net->n_layers; ++level)
        a->nodes[level] = take(memory, &used, net_n_nodes(&net->config, level));
    a->features = take(memory, &used, a->n_out * a->n_in);
    return used;
}

static kan_attribution *alloc_empty(const kan_net *net) {
    kan_attribution *a = calloc(1, sizeof *a);
    if (!a) return NULL;
    a->config = net->config;
    a->n_layers = net->n_layers, a->n_in = net->model.n_in, a->n_out = net->model.n_out;
    a->memory = kan_work_alloc(lay_out(net, a, NULL));
    if (a->memory) {
        lay_out(net, a, a->memory);
        return a;
    }
    free(a);
    return NULL;
}

void kan_attribution_free(kan_attribution *a) {
    if (!a) return;
    kan_work_free(a->memory);
    free(a);
}

/* ---- spreads ------------------------------------------------------------------------------------ */

/* Columns of values of a level: node i is columns[i * n .. ]. */
typedef struct layer_pass {
    const kan_net *net;
    kan_attribution *a;
    size_t l, n;
    const double *below; /* [n_in][n]  */
    double *sub, *phi;   /* [n_out][n] */
} layer_pass;

/* Mean and standard deviation, divisor n - 1, of n values. */
static void moments(size_t n, const double *v, double *mean, double *spread) {
    double sum = 0.0, squares = 0.0;
    for (size_t s = 0; s < n; ++s) sum += v[s];
    const double m = sum / (double)n;
    for (size_t s = 0; s < n; ++s) squares += (v[s] - m) * (v[s] - m);
    *mean = m, *spread = sqrt(squares / (double)(n - 1));
}

/* Outputs begin .. end-1 of a layer: y_o = sum_i phi_io, and the moments of all of these. */
static void pass_outputs(void *context, size_t begin, size_t end) {
    const layer_pass *p = context;
    const size_t n = p->n, n_in = kan_net_n_in(p->net, p->l), n_out = kan_net_n_out(p->net, p->l);
    for (size_t o = begin; o < end; ++o) {
        double *sub = p->sub + o * n, *phi = p->phi + o * n, mean;
        memset(sub, 0, n * sizeof *sub);
        for (size_t i = 0; i < n_in; ++i) {
            const kan_edge edge = {p->l, i, o};
            if (!kan_net_has_edge(p->net, edge)) continue; /* its moments stay 0 */
            kan_net_edge_curve(p->net, edge, n, p->below + i * n, phi);
            moments(n, phi, &p->a->means[p->l][i * n_out + o], &p->a->spreads[p->l][i * n_out + o]);
            for (size_t s = 0; s < n; ++s) sub[s] += phi[s];
        }
        moments(n, sub, &mean, &p->a->sub_spreads[p->l][o]);
    }
}

/* nodes [n_nodes][n] of level L from the outputs of the layer below it. */
static void multiply_columns(const kan_net_config *c, size_t level, size_t n, const double *sub,
                             double *nodes) {
    memcpy(nodes, sub, c->width[level] * n * sizeof *nodes);
    const double *factor = sub + c->width[level] * n;
    double *product = nodes + c->width[level] * n;
    for (size_t m = 0; m < c->mult[level]; ++m, product += n) {
        memcpy(product, factor, n * sizeof *product);
        factor += n;
        for (size_t q = 1; q < c->arity[level]; ++q, factor += n)
            for (size_t s = 0; s < n; ++s) product[s] *= factor[s];
    }
}

static bool all_finite(size_t n, const double *v) {
    for (size_t j = 0; j < n; ++j)
        if (!isfinite(v[j])) return false;
    return true;
}

/* Most nodes of a level or outputs of a layer. */
static size_t widest(const kan_net_config *c, size_t n_layers) {
    size_t most = c->width[0];
    for (size_t level = 1; level <= n_layers; ++level)
        if (net_n_sub(c, level) > most) most = net_n_sub(c, level);
    return most;
}

/* All moments; buffers [3][widest][n]. */
static kan_status run_layers(const kan_net *net, kan_attribution *a, size_t n, const double *x,
                             double *buffers, kan_error *error) {
    const size_t size = widest(&net->config, net->n_layers) * n, n_in = a->n_in;
    double *below = buffers, *sub = buffers + size, *phi = buffers + 2 * size;
    for (size_t s = 0; s < n; ++s)
        for (size_t i = 0; i < n_in; ++i) below[i * n + s] = x[s * n_in + i];
    for (size_t l = 0; l < net->n_layers; ++l) {
        const size_t n_out = net->layers[l].n_out, n_edges = net->layers[l].n_in * n_out;
        layer_pass pass = {net, a, l, n, below, sub, phi};
        kan_parallel_for(n_out, 1, 10.0 * (double)n * (double)n_edges, pass_outputs, &pass);
        if (!all_finite(n_edges, a->spreads[l]) || !all_finite(n_out, a->sub_spreads[l]))
            return kan_status_fail(error, KAN_ENONFINITE,
                                   "attribution: a value of layer %zu is not finite", l);
        multiply_columns(&net->config, l + 1, n, sub, below);
    }
    return KAN_OK;
}

/* ---- scores ------------------------------------------------------------------------------------- */

/* sub [n_out of the layer below] from the scores of the nodes of a level. */
static void hand_to_factors(const kan_net_config *c, size_t level, const double *nodes, double *sub) {
    for (size_t o = 0; o < c->width[level]; ++o) *sub++ = nodes[o];
    for (size_t m = 0; m < c->mult[level]; ++m)
        for (size_t q = 0; q < c->arity[level]; ++q) *sub++ = nodes[c->width[level] + m];
}

/* E_k and S_k below layer l, from nodes S_k above it, which are overwritten. Adds part * E_k to edges, unless NULL. */
static void score_layer(const kan_attribution *a, size_t l, double *nodes, double *sub, double part,
                        double *edges) {
    const size_t n_in = net_n_nodes(&a->config, l), n_out = net_n_sub(&a->config, l + 1);
    hand_to_factors(&a->config, l + 1, nodes, sub);
    for (size_t i = 0; i < n_in; ++i) {
        double score = 0.0;
        for (size_t o = 0; o < n_out; ++o) {
            const size_t e = i * n_out + o;
            const double edge = a->spreads[l][e] * sub[o] / (a->sub_spreads[l][o] + softening);
            if (edges) edges[e] += part * edge;
            score += edge;
        }
        nodes[i] = score;
    }
}

/* Everything from each output down; work [2][widest]. */
static void score_outputs(kan_attribution *a, double *work) {
    double *nodes = work, *sub = work + kan_attribution_widest(a);
    const double part = 1.0 / (double)a->n_out;
    for (size_t k = 0; k < a->n_out; ++k) {
        memset(nodes, 0, a->n_out * sizeof *nodes);
        nodes[k] = 1.0;
        a->nodes[a->n_layers][k] = part;
        for (size_t l = a->n_layers; l-- > 0;) {
            score_layer(a, l, nodes, sub, part, a->edges[l]);
            for (size_t i = 0; i < net_n_nodes(&a->config, l); ++i) a->nodes[l][i] += part * nodes[i];
        }
        memcpy(a->features + k * a->n_in, nodes, a->n_in * sizeof *nodes);
    }
}

kan_attribution *kan_attribution_alloc(const kan_net *net, size_t n, const double *x,
                                       kan_error *error) {
    assert(n > 1 && "a spread needs two samples");
    kan_attribution *a = alloc_empty(net);
    const size_t size = kan_work_product(n, widest(&net->config, net->n_layers));
    double *buffers = a ? kan_work_alloc(kan_work_product(3, size)) : NULL;
    kan_status status = buffers ? KAN_OK : kan_status_fail(error, KAN_ENOMEM, "out of memory");
    if (status == KAN_OK) status = run_layers(net, a, n, x, buffers, error);
    if (status == KAN_OK) score_outputs(a, buffers);
    kan_work_free(buffers);
    if (status == KAN_OK) return a;
    kan_attribution_free(a);
    return NULL;
}

size_t kan_attribution_widest(const kan_attribution *a) {
    return widest(&a->config, a->n_layers);
}

void kan_attribution_of_node(const kan_attribution *a, size_t level, size_t node, double *scores,
                             double *work) {
    double *nodes = work, *sub = work + kan_attribution_widest(a);
    memset(nodes, 0, net_n_nodes(&a->config, level) * sizeof *nodes);
    nodes[node] = 1.0;
    for (size_t l = level; l-- > 0;) score_layer(a, l, nodes, sub, 0.0, NULL);
    memcpy(scores, nodes, a->n_in * sizeof *scores);
}

/* ---- interactions ------------------------------------------------------------------------------- */

void kan_interactions_free(kan_interactions *interactions) {
    if (!interactions) return;
    free(interactions->counts);
    free(interactions->sets);
    free(interactions);
}

/* Counts the set that stands behind the n_sets known ones; it stays there where it is new. */
static void count_set(kan_interactions *t) {
    const uint8_t *set = t->sets + t->n_sets * t->n_in;
    size_t j = 0;
    while (j < t->n_sets && memcmp(t->sets + j * t->n_in, set, t->n_in) != 0) ++j;
    ++t->counts[j];
    t->n_sets += j == t->n_sets;
}

kan_interactions *kan_attribution_interactions(const kan_attribution *a, size_t level,
                                               double node_threshold, double feature_threshold) {
    const size_t n_nodes = net_n_nodes(&a->config, level), n_in = a->n_in;
    kan_interactions *t = calloc(1, sizeof *t);
    double *work = kan_work_alloc(n_in + 2 * kan_attribution_widest(a)), *scores = work;
    if (t) t->counts = calloc(n_nodes + 1, sizeof *t->counts);
    if (t) t->sets = malloc((n_nodes + 1) * n_in), t->n_in = n_in;
    if (!t || !work || !t->counts || !t->sets) {
        kan_interactions_free(t);
        kan_work_free(work);
        return NULL;
    }
    for (size_t j = 0; j < n_nodes; ++j) {
        double most = 0.0;
        kan_attribution_of_node(a, level, j, scores, work + n_in);
        for (size_t i = 0; i < n_in; ++i) most = fmax(most, scores[i]);
        if (!(most > node_threshold)) continue;
        for (size_t i = 0; i < n_in; ++i)
            t->sets[t->n_sets * n_in + i] = scores[i] > most * feature_threshold;
        count_set(t);
    }
    kan_work_free(work);
    return t;
}

void kan_attribution_points(const kan_net *net, size_t n, uint64_t seed, double *x) {
    kan_random random = kan_random_seed(seed, 11);
    const size_t n_in = net->model.n_in;
    for (size_t j = 0; j < n * n_in; ++j) {
        const kan_basis b = kan_net_basis(net, 0, j % n_in);
        const double lo = b.knots[b.degree], hi = b.knots[b.degree + b.n_cells];
        x[j] = lo + (hi - lo) * kan_random_uniform(&random);
    }
}
