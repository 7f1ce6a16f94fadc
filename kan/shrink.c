/* kan/shrink.c - see the header.
 *
 * Upwards it is found out what is constant: an edge that was removed (0), one whose spline has equal coefficients
 * and no base, and every edge from a constant node; an output of a layer all of whose edges are constant; a node that
 * adds such an output, and one that multiplies only such, or a 0. An output of a layer that is not constant is
 *
 *     y_o = offset_o + sum over the edges that vary of phi_io(x_i),
 *
 * and offset_o goes into the first of these edges. Constant factors of a product go into another factor; a
 * product with one factor left becomes an adding node. Downwards it is found out what is needed: the outputs, and
 * the nodes from which an edge that varies leads to something needed.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "kan/shrink.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/work.h"
#include "kan/net_private.h"
#include "kan/symbolic_edges.h"

enum { NONE = -1 };

/* What becomes an output of a layer of the new net: scale y_from + shift, or the constant shift. */
typedef struct new_sub {
    ptrdiff_t from; /* of the old net, or NONE */
    double scale, shift;
} new_sub;

typedef struct old_node {
    bool constant, needed;
    double value; /* where it is constant */
} old_node;

typedef struct old_sub {
    bool varies;
    double offset;
} old_sub;

/* A level of both nets. */
typedef struct level_plan {
    old_node *nodes;
    old_sub *subs; /* outputs of the layer below; not at level 0 */
    size_t n_new;
    size_t *order; /* [n_new] the old number of each new node */
    new_sub *new_subs;
} level_plan;

typedef struct plan {
    const kan_net *net;
    kan_net_config config; /* of the new net */
    level_plan levels[KAN_MAX_LEVELS];
} plan;

/* ---- single edges ------------------------------------------------------------------------------- */

/* Whether the function of an edge is constant whatever comes in, and which constant. */
static bool is_constant(const kan_net *net, kan_edge edge, double *value) {
    const layer *a = &net->layers[edge.layer];
    const double *coef = a->theta + edge.in * layer_input_size(a) + edge.out;
    const size_t n_basis = layer_n_basis(a);
    kan_symbolic s;
    *value = 0.0;
    if (!kan_net_has_edge(net, edge)) return true;
    if (kan_net_get_symbolic(net, edge, &s)) {
        kan_net_edge_curve(net, edge, 1, value, value);
        return isfinite(*value) && (s.a == 0.0 || s.c == 0.0 || strcmp(s.f->name, "0") == 0);
    }
    if (a->base != KAN_BASE_ZERO && coef[n_basis * a->n_out] != 0.0) return false;
    for (size_t b = 1; b < n_basis; ++b)
        if (coef[b * a->n_out] != coef[0]) return false;
    *value = coef[0];
    return true;
}

/* The spline of an edge: scale phi + shift. Basis functions sum to one, on the tangents as well. */
static void change_spline(kan_net *net, kan_edge edge, double scale, double shift) {
    const layer *a = &net->layers[edge.layer];
    double *coef = a->theta + edge.in * layer_input_size(a) + edge.out;
    const size_t n_basis = layer_n_basis(a);
    for (size_t b = 0; b < n_basis; ++b) coef[b * a->n_out] = scale * coef[b * a->n_out] + shift;
    coef[n_basis * a->n_out] *= scale;
}

/* a, b, c, d of a symbolic edge in theta. */
static size_t first_parameter(const kan_net *net, kan_edge edge) {
    return net->n_spline + SYMBOLIC_PARAMS * net_find_symbolic(net, edge);
}

void net_change_edge(kan_net *net, kan_edge edge, double scale, double shift) {
    if (!kan_net_get_symbolic(net, edge, NULL)) {
        change_spline(net, edge, scale, shift);
        return;
    }
    double *own = net->model.theta + first_parameter(net, edge);
    own[2] *= scale;
    own[3] = scale * own[3] + shift;
}

void net_set_constant(kan_net *net, kan_edge edge, double value) {
    kan_net_unset_symbolic(net, edge);
    net->edges[edge.layer][edge.in * net->layers[edge.layer].n_out + edge.out] = EDGE_SPLINE;
    change_spline(net, edge, 0.0, value);
    kan_net_set_trainable(net, edge, KAN_PART_BASE | KAN_PART_SPLINE, false);
    net_count_symbolic(net);
}

/* The new net's edge, a spline one, becomes scale phi + shift of the old net's, frozen or not as it was there; of a
 * symbolic edge, what is set aside comes along. KAN_ENOMEM. */
static kan_status copy_edge(const kan_net *net, kan_edge from, kan_net *small, kan_edge to,
                            double scale, double shift) {
    const layer *a = &net->layers[from.layer], *b = &small->layers[to.layer];
    const bool symbolic = kan_net_get_symbolic(net, from, NULL);
    const double *theta = symbolic ? net->kept : net->model.theta;
    const uint8_t *trainable = symbolic ? net->kept_trainable : net->trainable;
    const size_t p = (size_t)(a->theta - net->model.theta) + from.in * layer_input_size(a) + from.out;
    const size_t q = (size_t)(b->theta - small->model.theta) + to.in * layer_input_size(b) + to.out;
    small->edges[to.layer][to.in * b->n_out + to.out] = EDGE_SPLINE;
    for (size_t row = 0; row <= layer_n_basis(a); ++row) {
        small->model.theta[q + row * b->n_out] = theta[p + row * a->n_out];
        small->trainable[q + row * b->n_out] = trainable[p + row * a->n_out];
    }
    change_spline(small, to, scale, shift);
    if (!symbolic) return KAN_OK;
    const size_t k = net_find_symbolic(net, from), own = first_parameter(net, from);
    if (net_insert_symbolic(small, to, net->symbolic[k].f, net->model.theta + own) != KAN_OK)
        return KAN_ENOMEM;
    net_change_edge(small, to, scale, shift);
    memcpy(small->trainable + first_parameter(small, to), net->trainable + own, SYMBOLIC_PARAMS);
    return KAN_OK;
}

/* ---- upwards: what is constant ------------------------------------------------------------------ */

static void find_offsets(plan *p, size_t l) {
    const layer *a = &p->net->layers[l];
    const old_node *nodes = p->levels[l].nodes;
    for (size_t o = 0; o < a->n_out; ++o) {
        old_sub *sub = &p->levels[l + 1].subs[o];
        for (size_t i = 0; i < a->n_in; ++i) {
            const kan_edge edge = {l, i, o};
            double value;
            const bool constant = is_constant(p->net, edge, &value);
            if (!constant && nodes[i].constant)
                kan_net_edge_curve(p->net, edge, 1, &nodes[i].value, &value);
            if (constant || nodes[i].constant)
                sub->offset += value;
            else
                sub->varies = true;
        }
    }
}

/* The first factor of a multiplying node. */
static size_t first_factor(const kan_net_config *c, size_t level, size_t m) {
    return c->width[level] + m * c->arity[level];
}

static void find_constants(plan *p, size_t level) {
    const kan_net_config *c = &p->net->config;
    level_plan *v = &p->levels[level];
    for (size_t j = 0; j < c->width[level]; ++j)
        v->nodes[j].constant = !v->subs[j].varies, v->nodes[j].value = v->subs[j].offset;
    for (size_t m = 0; m < c->mult[level]; ++m) {
        const old_sub *factors = v->subs + first_factor(c, level, m);
        old_node *node = &v->nodes[c->width[level] + m];
        node->constant = true, node->value = 1.0;
        for (size_t q = 0; q < c->arity[level]; ++q) {
            if (factors[q].varies)
                node->constant = false;
            else
                node->value *= factors[q].offset;
        }
        if (node->value == 0.0) node->constant = true;
    }
}

/* ---- downwards: what is needed ------------------------------------------------------------------ */

/* Whether the new net has an edge for this one. */
static bool survives(const plan *p, kan_edge edge) {
    const level_plan *above = &p->levels[edge.layer + 1];
    const old_node *node = &above->nodes[net_node_of(&p->net->config, edge.layer + 1, edge.out)];
    double value;
    return node->needed && !node->constant && !p->levels[edge.layer].nodes[edge.in].constant &&
           !is_constant(p->net, edge, &value);
}

static void find_needed(plan *p, size_t l) {
    const layer *a = &p->net->layers[l];
    for (size_t i = 0; i < a->n_in; ++i)
        for (size_t o = 0; o < a->n_out; ++o)
            if (survives(p, (kan_edge){l, i, o})) p->levels[l].nodes[i].needed = true;
}

/* ---- the shape of the new net ------------------------------------------------------------------- */

static size_t count_varying(const plan *p, size_t level, size_t m) {
    const kan_net_config *c = &p->net->config;
    const old_sub *factors = p->levels[level].subs + first_factor(c, level, m);
    size_t n = 0;
    for (size_t q = 0; q < c->arity[level]; ++q) n += factors[q].varies;
    return p->levels[level].nodes[c->width[level] + m].constant ? 0 : n;
}

/* The first varying factor takes the constant ones. Those behind the last one are ones. */
static void add_factors(plan *p, size_t level, size_t m, size_t arity, new_sub *subs) {
    const kan_net_config *c = &p->net->config;
    const size_t first = first_factor(c, level, m);
    const old_sub *factors = p->levels[level].subs;
    const old_node *node = &p->levels[level].nodes[c->width[level] + m];
    double scale = node->value; /* the product of the constant factors */
    size_t n = 0;
    if (node->constant) subs[n++] = (new_sub){NONE, 0.0, scale};
    for (size_t o = first; !node->constant && o < first + c->arity[level]; ++o) {
        if (!factors[o].varies) continue;
        subs[n++] = (new_sub){(ptrdiff_t)o, scale, scale * factors[o].offset};
        scale = 1.0;
    }
    while (n < arity) subs[n++] = (new_sub){NONE, 0.0, 1.0};
}

static void add_adding(level_plan *v, size_t node, size_t *n_subs) {
    const old_sub *sub = &v->subs[node];
    v->order[v->n_new++] = node;
    v->new_subs[(*n_subs)++] = (new_sub){sub->varies ? (ptrdiff_t)node : NONE, 1.0, sub->offset};
}

/* Whether a multiplying node can become an adding one: outputs must keep their order. */
static bool becomes_adding(const plan *p, size_t level, size_t m) {
    if (count_varying(p, level, m) > 1) return false;
    return level < p->net->n_layers || m == 0 || becomes_adding(p, level, m - 1);
}

static void shape_level(plan *p, size_t level) {
    const kan_net_config *c = &p->net->config;
    level_plan *v = &p->levels[level];
    size_t n_subs = 0, arity = 2;
    for (size_t j = 0; j < c->width[level]; ++j)
        if (v->nodes[j].needed) add_adding(v, j, &n_subs);
    for (size_t m = 0; m < c->mult[level]; ++m) {
        if (!v->nodes[c->width[level] + m].needed) continue;
        if (count_varying(p, level, m) > arity) arity = count_varying(p, level, m);
        if (!becomes_adding(p, level, m)) continue;
        v->order[v->n_new++] = c->width[level] + m;
        add_factors(p, level, m, 1, v->new_subs + n_subs++);
    }
    p->config.width[level] = v->n_new, p->config.mult[level] = 0;
    for (size_t m = 0; m < c->mult[level]; ++m) {
        if (!v->nodes[c->width[level] + m].needed || becomes_adding(p, level, m)) continue;
        v->order[v->n_new++] = c->width[level] + m;
        add_factors(p, level, m, arity, v->new_subs + n_subs);
        n_subs += arity, ++p->config.mult[level];
    }
    if (p->config.mult[level] > 0) p->config.arity[level] = arity;
    if (v->n_new > 0) return;
    /* a level without nodes is none: a node without edges takes its place */
    v->order[v->n_new++] = 0, v->new_subs[0] = (new_sub){NONE, 0.0, 0.0};
    p->config.width[level] = 1;
}

static void shape_inputs(plan *p, bool drop) {
    level_plan *v = &p->levels[0];
    for (size_t i = 0; i < p->net->model.n_in; ++i)
        if (v->nodes[i].needed || !drop) v->order[v->n_new++] = i;
    if (v->n_new == 0) v->order[v->n_new++] = 0;
    p->config.width[0] = v->n_new;
}

/* ---- the new net -------------------------------------------------------------------------------- */

static kan_status fill_layer(const plan *p, size_t l, kan_net *small) {
    const level_plan *below = &p->levels[l], *above = &p->levels[l + 1];
    for (size_t i = 0; i < below->n_new; ++i)
        net_copy_grid(small, l, i, &p->net->layers[l].basis[below->order[i]]);
    for (size_t o = 0; o < small->layers[l].n_out; ++o) {
        assert(above->new_subs);
        const new_sub *sub = &above->new_subs[o];
        double shift = sub->shift;
        for (size_t i = 0; i < below->n_new; ++i) {
            const kan_edge to = {l, i, o}, from = {l, below->order[i], (size_t)sub->from};
            kan_net_remove_edge(small, to);
            if (sub->from == NONE || !survives(p, from)) continue;
            const kan_status status = copy_edge(p->net, from, small, to, sub->scale, shift);
            if (status != KAN_OK) return status;
            shift = 0.0;
        }
        if (sub->from == NONE && shift != 0.0) net_set_constant(small, (kan_edge){l, 0, o}, shift);
    }
    return KAN_OK;
}

static kan_status alloc_plan(plan *p, const kan_net *net) {
    assert(net->n_layers > 0);
    *p = (plan){.net = net, .config = net->config};
    for (size_t level = 0; level <= net->n_layers; ++level) {
        const size_t n_sub = net_n_sub(&net->config, level) + 2;
        level_plan *v = &p->levels[level];
        v->nodes = calloc(n_sub, sizeof *v->nodes);
        v->subs = calloc(n_sub, sizeof *v->subs);
        v->order = calloc(n_sub, sizeof *v->order);
        v->new_subs = calloc(n_sub, sizeof *v->new_subs);
        if (!v->nodes || !v->subs || !v->order || !v->new_subs) return KAN_ENOMEM;
    }
    return KAN_OK;
}

static void free_plan(plan *p) {
    for (size_t level = 0; level < KAN_MAX_LEVELS; ++level) {
        free(p->levels[level].nodes);
        free(p->levels[level].subs);
        free(p->levels[level].order);
        free(p->levels[level].new_subs);
    }
}

static void make_plan(plan *p, bool drop_inputs) {
    const size_t n_layers = p->net->n_layers;
    for (size_t l = 0; l < n_layers; ++l) {
        find_offsets(p, l);
        find_constants(p, l + 1);
    }
    for (size_t k = 0; k < p->net->model.n_out; ++k) p->levels[n_layers].nodes[k].needed = true;
    for (size_t l = n_layers; l-- > 0;) find_needed(p, l);
    shape_inputs(p, drop_inputs);
    for (size_t level = 1; level <= n_layers; ++level) shape_level(p, level);
}

kan_net *net_shrink(const kan_net *net, bool drop_inputs, size_t *inputs, size_t *n_inputs,
                    kan_error *error) {
    plan p;
    kan_net *small = NULL;
    if (alloc_plan(&p, net) == KAN_OK) {
        make_plan(&p, drop_inputs);
        small = net_alloc_empty(&p.config);
    }
    kan_status status = small ? KAN_OK : KAN_ENOMEM;
    if (small) small->penalty = net->penalty;
    for (size_t l = 0; status == KAN_OK && l < net->n_layers; ++l) status = fill_layer(&p, l, small);
    if (status == KAN_OK) net_count_symbolic(small);
    if (status != KAN_OK) {
        kan_status_fail(error, status, "prune: out of memory");
        kan_net_free(small);
        small = NULL;
    }
    if (small && inputs) memcpy(inputs, p.levels[0].order, p.levels[0].n_new * sizeof *inputs);
    if (small && n_inputs) *n_inputs = p.levels[0].n_new;
    free_plan(&p);
    return small;
}
