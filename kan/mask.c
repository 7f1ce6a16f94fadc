/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kan/mask.h"

#include <assert.h>
#include <stdlib.h>

#include "kan/net_private.h"
#include "kan/shrink.h"

kan_status mask_alloc(mask *m, const kan_net *net) {
    size_t n = 0;
    for (size_t l = 0; l < net->n_layers; ++l) n += net->layers[l].n_in * net->layers[l].n_out;
    assert(n > 0);
    *m = (mask){.memory = malloc(n)};
    if (!m->memory) return KAN_ENOMEM;
    n = 0;
    for (size_t l = 0; l < net->n_layers; ++l) {
        m->keep[l] = m->memory + n;
        n += net->layers[l].n_in * net->layers[l].n_out;
    }
    mask_fill(m, net);
    return KAN_OK;
}

void mask_free(mask *m) {
    free(m->memory);
    *m = (mask){.memory = NULL};
}

void mask_fill(mask *m, const kan_net *net) {
    for (size_t l = 0; l < net->n_layers; ++l)
        for (size_t e = 0; e < net->layers[l].n_in * net->layers[l].n_out; ++e)
            m->keep[l][e] = net->edges[l][e] ? MASK_STAYS : MASK_GOES;
}

/* ---- outputs of layers and the nodes they belong to ---------------------------------------------- */

/* The outputs of the layer below that make a node of a level: the first one, and their number. */
static size_t subs_of(const kan_net *net, size_t level, size_t node, size_t *n) {
    const kan_net_config *c = &net->config;
    const bool adds = node < c->width[level];
    *n = adds ? 1 : c->arity[level];
    return adds ? node : c->width[level] + (node - c->width[level]) * c->arity[level];
}

static bool has_below(const mask *m, const kan_net *net, size_t l, size_t o) {
    const layer *a = &net->layers[l];
    for (size_t i = 0; i < a->n_in; ++i)
        if (m->keep[l][i * a->n_out + o]) return true;
    return false;
}

static bool has_above(const mask *m, const kan_net *net, size_t level, size_t node) {
    const layer *a = &net->layers[level];
    for (size_t o = 0; o < a->n_out; ++o)
        if (m->keep[level][node * a->n_out + o]) return true;
    return false;
}

static void drop_below(mask *m, const kan_net *net, size_t level, size_t node) {
    const layer *a = &net->layers[level - 1];
    size_t n;
    const size_t first = subs_of(net, level, node, &n);
    for (size_t i = 0; i < a->n_in; ++i)
        for (size_t o = first; o < first + n; ++o) m->keep[level - 1][i * a->n_out + o] = MASK_GOES;
}

static void drop_above(mask *m, const kan_net *net, size_t level, size_t node) {
    const layer *a = &net->layers[level];
    for (size_t o = 0; o < a->n_out; ++o) m->keep[level][node * a->n_out + o] = MASK_GOES;
}

void mask_drop_node(mask *m, const kan_net *net, size_t level, size_t node) {
    if (level > 0) drop_below(m, net, level, node);
    if (level < net->n_layers) drop_above(m, net, level, node);
}

/* The edge of highest score into an output of a layer, among those that the net has, or that the mask keeps;
 * n_in if there is none. */
static size_t strongest(const kan_net *net, const kan_attribution *a, const mask *m, size_t l,
                        size_t o) {
    const size_t n_in = net->layers[l].n_in, n_out = net->layers[l].n_out;
    size_t best = n_in;
    for (size_t i = 0; i < n_in; ++i) {
        const size_t e = i * n_out + o;
        if (m ? !m->keep[l][e] : !net->edges[l][e]) continue;
        if (best == n_in || a->edges[l][e] > a->edges[l][best * n_out + o]) best = i;
    }
    return best;
}

/* ---- what follows -------------------------------------------------------------------------------- */

/* Factors of multiplying nodes that nothing is left of. */
static void save_factors(mask *m, const kan_net *net, const kan_attribution *a, size_t level,
                         bool fold) {
    const kan_net_config *c = &net->config;
    for (size_t j = c->width[level]; j < net_n_nodes(c, level); ++j) {
        size_t n, n_left = 0;
        const size_t first = subs_of(net, level, j, &n);
        for (size_t o = first; o < first + n; ++o) n_left += has_below(m, net, level - 1, o);
        for (size_t o = first; n_left > 0 && o < first + n; ++o) {
            const size_t i = strongest(net, a, NULL, level - 1, o);
            if (has_below(m, net, level - 1, o) || i == net->layers[level - 1].n_in) continue;
            m->keep[level - 1][i * net->layers[level - 1].n_out + o] = fold ? MASK_CONSTANT
                                                                            : MASK_STAYS;
        }
    }
}

/* Hidden nodes of which an output of the layer below has no edge left, from the bottom up; then those that nobody
 * listens to, from the top down. */
static void drop_idle_nodes(mask *m, const kan_net *net) {
    for (size_t level = 1; level < net->n_layers; ++level)
        for (size_t j = 0; j < net_n_nodes(&net->config, level); ++j) {
            size_t n;
            const size_t first = subs_of(net, level, j, &n);
            for (size_t o = first; o < first + n; ++o)
                if (!has_below(m, net, level - 1, o)) drop_above(m, net, level, j);
        }
    for (size_t level = net->n_layers; level-- > 1;)
        for (size_t j = 0; j < net_n_nodes(&net->config, level); ++j)
            if (!has_above(m, net, level, j)) drop_below(m, net, level, j);
}

/* Gives output o of layer l back its strongest edge, and the node below that what it needs. False where the net has
 * no path. */
static bool keep_path(mask *m, const kan_net *net, const kan_attribution *a, size_t l, size_t o) {
    const size_t n_in = net->layers[l].n_in, n_out = net->layers[l].n_out;
    if (has_below(m, net, l, o)) return true;
    const size_t i = strongest(net, a, NULL, l, o);
    if (i == n_in) return false;
    bool complete = true;
    size_t n = 0;
    const size_t first = l > 0 ? subs_of(net, l, i, &n) : 0;
    for (size_t q = first; q < first + n; ++q) complete = keep_path(m, net, a, l - 1, q) && complete;
    m->keep[l][i * n_out + o] = MASK_STAYS;
    return complete;
}

static void keep_outputs(mask *m, const kan_net *net, const kan_attribution *a,
                         const kan_prune_options *options, kan_prune_report *report) {
    const size_t l = net->n_layers - 1;
    report->n_cut_outputs = 0;
    for (size_t k = 0; k < net->model.n_out; ++k) {
        bool lost = false, cut = false;
        size_t n;
        const size_t first = subs_of(net, l + 1, k, &n);
        for (size_t o = first; o < first + n; ++o) {
            if (has_below(m, net, l, o)) continue;
            lost = true;
            const size_t i = strongest(net, a, NULL, l, o);
            if (!options->cut_outputs)
                cut = !keep_path(m, net, a, l, o) || cut;
            else if (options->fold && i < net->layers[l].n_in)
                m->keep[l][i * net->layers[l].n_out + o] = MASK_CONSTANT;
        }
        report->n_kept_outputs += lost && !cut && !options->cut_outputs;
        report->n_cut_outputs += lost && (cut || options->cut_outputs);
    }
}

void mask_settle(mask *m, const kan_net *net, const kan_attribution *a,
                 const kan_prune_options *options, kan_prune_report *report) {
    for (size_t level = 1; level <= net->n_layers; ++level)
        save_factors(m, net, a, level, options->fold);
    drop_idle_nodes(m, net);
    keep_outputs(m, net, a, options, report);
}

/* ---- taking edges out ---------------------------------------------------------------------------- */

/* The means of the edges into one output that go: into the strongest that stays, or alone where that is to be a
 * constant. */
static void fold_means(const mask *m, kan_net *net, const kan_attribution *a, size_t l, size_t o,
                       bool fold) {
    const size_t n_in = net->layers[l].n_in, n_out = net->layers[l].n_out;
    const size_t best = strongest(net, a, m, l, o);
    double lost = 0.0;
    if (best == n_in) return;
    for (size_t i = 0; i < n_in; ++i)
        if (m->keep[l][i * n_out + o] == MASK_GOES) lost += a->means[l][i * n_out + o];
    if (m->keep[l][best * n_out + o] == MASK_CONSTANT)
        net_set_constant(net, (kan_edge){l, best, o}, lost + a->means[l][best * n_out + o]);
    else if (fold && lost != 0.0)
        net_change_edge(net, (kan_edge){l, best, o}, 1.0, lost);
}

void mask_apply(const mask *m, kan_net *net, const kan_attribution *a, bool fold,
                kan_prune_report *report) {
    for (size_t l = 0; l < net->n_layers; ++l) {
        for (size_t o = 0; o < net->layers[l].n_out; ++o) fold_means(m, net, a, l, o, fold);
        for (size_t e = 0; e < net->layers[l].n_in * net->layers[l].n_out; ++e) {
            if (m->keep[l][e] || !net->edges[l][e]) continue;
            kan_net_remove_edge(net, (kan_edge){l, e / net->layers[l].n_out, e % net->layers[l].n_out});
            ++report->n_edges_removed;
        }
    }
}
