/* kan/net_edges.c - what single edges are: spline, function or nothing.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <string.h>

#include "kan/net_private.h"
#include "kan/symbolic_edges.h"
#include "splines/spline.h"

size_t kan_net_n_edges(const kan_net *net) {
    size_t n = 0;
    for (size_t l = 0; l < net->n_layers; ++l)
        for (size_t e = 0; e < net->layers[l].n_in * net->layers[l].n_out; ++e)
            n += net->edges[l][e] != 0;
    return n;
}

/* Where the kind of an edge stands, and its first coefficient in theta. */
static uint8_t *kind_of(const kan_net *net, kan_edge edge) {
    return net->edges[edge.layer] + edge.in * net->layers[edge.layer].n_out + edge.out;
}

static size_t first_of(const kan_net *net, kan_edge edge) {
    const layer *a = &net->layers[edge.layer];
    return (size_t)(a->theta - net->model.theta) + edge.in * layer_input_size(a) + edge.out;
}

void kan_net_edge_curve(const kan_net *net, kan_edge edge, size_t n, const double *t, double *phi) {
    const layer *a = &net->layers[edge.layer];
    if (kan_net_get_symbolic(net, edge, NULL)) {
        symbolic_curve(net, net_find_symbolic(net, edge), n, t, phi);
        return;
    }
    const double *coef = a->theta + edge.in * layer_input_size(a) + edge.out;
    const double base_weight = coef[layer_n_basis(a) * a->n_out];
    for (size_t j = 0; j < n; ++j) {
        double spline[3], base, slope;
        kan_spline_eval(&a->basis[edge.in], coef, a->n_out, t[j], spline);
        layer_base(a->base, 1, &t[j], 1, &base, &slope);
        phi[j] = base_weight * base + spline[0];
    }
}

bool kan_net_has_edge(const kan_net *net, kan_edge edge) {
    return *kind_of(net, edge) != EDGE_REMOVED;
}

static void set_edge_trainable(kan_net *net, kan_edge edge, unsigned parts, bool trainable) {
    const layer *a = &net->layers[edge.layer];
    const size_t n_basis = layer_n_basis(a), n_out = a->n_out;
    const bool symbolic = kan_net_get_symbolic(net, edge, NULL);
    uint8_t *entry = (symbolic ? net->kept_trainable : net->trainable) + first_of(net, edge);
    if (!kan_net_has_edge(net, edge)) trainable = false;
    if (parts & KAN_PART_SPLINE)
        for (size_t b = 0; b < n_basis; ++b) entry[b * n_out] = trainable;
    /* without a base function its weights would be parameters that do nothing */
    if (parts & KAN_PART_BASE) entry[n_basis * n_out] = trainable && a->base != KAN_BASE_ZERO;
}

/* Whether an index is meant by an entry of an edge that may be KAN_EVERY. */
static bool means(size_t pattern, size_t index) {
    return pattern == KAN_EVERY || pattern == index;
}

void kan_net_set_trainable(kan_net *net, kan_edge edge, unsigned parts, bool trainable) {
    for (size_t l = 0; l < net->n_layers; ++l)
        for (size_t i = 0; i < net->layers[l].n_in && means(edge.layer, l); ++i)
            for (size_t o = 0; o < net->layers[l].n_out && means(edge.in, i); ++o)
                if (means(edge.out, o)) set_edge_trainable(net, (kan_edge){l, i, o}, parts, trainable);
}

void kan_net_remove_edge(kan_net *net, kan_edge edge) {
    const layer *a = &net->layers[edge.layer];
    double *coef = net->model.theta + first_of(net, edge);
    kan_net_unset_symbolic(net, edge);
    *kind_of(net, edge) = EDGE_REMOVED;
    for (size_t b = 0; b <= layer_n_basis(a); ++b) coef[b * a->n_out] = 0.0;
    set_edge_trainable(net, edge, KAN_PART_BASE | KAN_PART_SPLINE, false);
    net_count_symbolic(net);
}

/* ---- symbolic edges ----------------------------------------------------------------------------- */

size_t kan_net_n_symbolic(const kan_net *net) {
    return net->n_symbolic;
}

static bool stands_before(kan_edge a, kan_edge b) {
    if (a.layer != b.layer) return a.layer < b.layer;
    return a.in != b.in ? a.in < b.in : a.out < b.out;
}

size_t net_find_symbolic(const kan_net *net, kan_edge edge) {
    size_t k = net->before[edge.layer];
    while (k < net->before[edge.layer + 1] && stands_before(net->symbolic[k].edge, edge)) ++k;
    return k;
}

void net_count_symbolic(kan_net *net) {
    size_t k = 0;
    for (size_t l = 0; l < net->n_layers; ++l) {
        const size_t n = net->layers[l].n_in * net->layers[l].n_out;
        net->before[l] = k;
        while (k < net->n_symbolic && net->symbolic[k].edge.layer == l) ++k;
        net->idle[l] = net->n_symbolic > 0 && !memchr(net->edges[l], EDGE_SPLINE, n);
    }
    net->before[net->n_layers] = k;
}

/* Exchanges the spline of an edge, numbers and whether they are trainable, with what is kept of it. */
static void swap_edge(kan_net *net, kan_edge edge) {
    const layer *a = &net->layers[edge.layer];
    size_t p = first_of(net, edge);
    for (size_t b = 0; b <= layer_n_basis(a); ++b, p += a->n_out) {
        const double value = net->model.theta[p];
        const uint8_t trainable = net->trainable[p];
        net->model.theta[p] = net->kept[p], net->kept[p] = value;
        net->trainable[p] = net->kept_trainable[p], net->kept_trainable[p] = trainable;
    }
}

void net_swap_kept(kan_net *net, size_t l, size_t i) {
    for (size_t k = net->before[l]; k < net->before[l + 1]; ++k)
        if (net->symbolic[k].edge.in == i) swap_edge(net, net->symbolic[k].edge);
}

kan_status net_insert_symbolic(kan_net *net, kan_edge edge, const kan_function *f,
                               const double *parameters) {
    const size_t grown = net->n_symbolic < net->room ? net->room : 2 * net->n_symbolic + 2;
    if (net_reserve_symbolic(net, grown) != KAN_OK) return KAN_ENOMEM;
    const size_t k = net_find_symbolic(net, edge), n_after = net->n_symbolic - k;
    const size_t first = net->n_spline + SYMBOLIC_PARAMS * k;
    double *own = net->model.theta + first;
    uint8_t *trainable = net->trainable + first;
    memmove(net->symbolic + k + 1, net->symbolic + k, n_after * sizeof *net->symbolic);
    memmove(own + SYMBOLIC_PARAMS, own, n_after * SYMBOLIC_PARAMS * sizeof *own);
    memmove(trainable + SYMBOLIC_PARAMS, trainable, n_after * SYMBOLIC_PARAMS);
    net->symbolic[k] = (symbolic_edge){edge, f};
    memcpy(own, parameters, SYMBOLIC_PARAMS * sizeof *own);
    memset(trainable, 1, SYMBOLIC_PARAMS);
    ++net->n_symbolic;
    net->model.n_params += SYMBOLIC_PARAMS;
    swap_edge(net, edge); /* what was kept of a spline edge is zero */
    *kind_of(net, edge) = EDGE_SYMBOLIC;
    net_count_symbolic(net);
    return KAN_OK;
}

kan_status kan_net_set_symbolic(kan_net *net, kan_edge edge, const kan_symbolic *s, kan_error *error) {
    assert(kan_net_has_edge(net, edge) && "an edge that was not removed");
    assert(s->f->f && s->f->d1 && "a function with a derivative");
    const double parameters[SYMBOLIC_PARAMS] = {s->a, s->b, s->c, s->d};
    if (kan_net_get_symbolic(net, edge, NULL)) {
        const size_t k = net_find_symbolic(net, edge), first = net->n_spline + SYMBOLIC_PARAMS * k;
        net->symbolic[k].f = s->f;
        memcpy(net->model.theta + first, parameters, sizeof parameters);
        memset(net->trainable + first, 1, SYMBOLIC_PARAMS);
        return KAN_OK;
    }
    if (net_insert_symbolic(net, edge, s->f, parameters) == KAN_OK) return KAN_OK;
    return kan_status_fail(error, KAN_ENOMEM, "symbolic edge: out of memory");
}

void kan_net_unset_symbolic(kan_net *net, kan_edge edge) {
    if (!kan_net_get_symbolic(net, edge, NULL)) return;
    const size_t k = net_find_symbolic(net, edge), n_after = net->n_symbolic - k - 1;
    const size_t first = net->n_spline + SYMBOLIC_PARAMS * k;
    double *own = net->model.theta + first;
    uint8_t *trainable = net->trainable + first;
    memmove(net->symbolic + k, net->symbolic + k + 1, n_after * sizeof *net->symbolic);
    memmove(own, own + SYMBOLIC_PARAMS, n_after * SYMBOLIC_PARAMS * sizeof *own);
    memmove(trainable, trainable + SYMBOLIC_PARAMS, n_after * SYMBOLIC_PARAMS);
    --net->n_symbolic;
    net->model.n_params -= SYMBOLIC_PARAMS;
    swap_edge(net, edge);
    *kind_of(net, edge) = EDGE_SPLINE;
    net_count_symbolic(net);
}

bool kan_net_get_symbolic(const kan_net *net, kan_edge edge, kan_symbolic *s) {
    if (*kind_of(net, edge) != EDGE_SYMBOLIC) return false;
    if (!s) return true;
    const size_t k = net_find_symbolic(net, edge);
    const double *own = net->model.theta + net->n_spline + SYMBOLIC_PARAMS * k;
    *s = (kan_symbolic){net->symbolic[k].f, own[0], own[1], own[2], own[3]};
    return true;
}

void kan_net_lock_symbolic(kan_net *net, kan_edge edge, unsigned which) {
    assert(kan_net_get_symbolic(net, edge, NULL) && "a symbolic edge");
    uint8_t *own = net->trainable + net->n_spline + SYMBOLIC_PARAMS * net_find_symbolic(net, edge);
    for (size_t j = 0; j < SYMBOLIC_PARAMS; ++j) own[j] = !(which >> j & 1U);
}

kan_status net_transfer_symbolic(const kan_net *net, kan_net *to) {
    for (size_t k = 0; k < net->n_symbolic; ++k) {
        const size_t first = net->n_spline + SYMBOLIC_PARAMS * k;
        const symbolic_edge *e = &net->symbolic[k];
        if (net_insert_symbolic(to, e->edge, e->f, net->model.theta + first) != KAN_OK)
            return KAN_ENOMEM;
        memcpy(to->trainable + to->n_spline + SYMBOLIC_PARAMS * k, net->trainable + first,
               SYMBOLIC_PARAMS);
    }
    return KAN_OK;
}

kan_net *kan_net_compact(const kan_net *net) {
    kan_net_config config = net->config;
    config.n_cells = 1, config.degree = 1;
    kan_net *made = net_alloc_empty(&config);
    if (!made) return NULL;
    made->penalty = net->penalty;
    for (size_t l = 0; l < net->n_layers; ++l) {
        const layer *a = &net->layers[l];
        assert(!memchr(net->edges[l], EDGE_SPLINE, a->n_in * a->n_out) && "no edge is a spline");
        for (size_t e = 0; e < a->n_in * a->n_out; ++e)
            if (net->edges[l][e] == EDGE_REMOVED)
                kan_net_remove_edge(made, (kan_edge){l, e / a->n_out, e % a->n_out});
    }
    if (net_transfer_symbolic(net, made) == KAN_OK) return made;
    kan_net_free(made);
    return NULL;
}
