/* kan/net_file.c - networks to and from model files.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "kan/net.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kan/net_private.h"
#include "kan/symbolic_edges.h"

/* "2,5,1" from the entries of a list that goes with the levels. */
static kan_status set_list(kan_file *file, const char *name, const size_t *list, size_t n,
                           kan_error *error) {
    char text[24 * KAN_MAX_LEVELS] = "";
    size_t used = 0;
    for (size_t j = 0; j < n; ++j)
        used += (size_t)snprintf(text + used, sizeof text - used, j ? ",%zu" : "%zu", list[j]);
    return kan_file_set(file, name, text, error);
}

static kan_status set_number(kan_file *file, const char *name, double value, kan_error *error) {
    char text[32];
    snprintf(text, sizeof text, "%.17g", value);
    return kan_file_set(file, name, text, error);
}

static kan_status save_config(const kan_net *net, kan_file *file, kan_error *error) {
    const kan_net_config *c = &net->config;
    const size_t n_levels = net->n_layers + 1;
    char seed[24];
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)c->seed);
    kan_status status = set_list(file, "kan.width", c->width, n_levels, error);
    if (!status) status = set_list(file, "kan.mult", c->mult, n_levels, error);
    if (!status) status = set_list(file, "kan.arity", c->arity, n_levels, error);
    if (!status) status = set_list(file, "kan.n_cells", &c->n_cells, 1, error);
    if (!status) status = set_list(file, "kan.degree", &c->degree, 1, error);
    if (!status) status = set_number(file, "kan.lo", c->lo, error);
    if (!status) status = set_number(file, "kan.hi", c->hi, error);
    if (!status) status = kan_file_set(file, "kan.base", kan_net_base_name(c->base), error);
    if (!status) status = kan_file_set(file, "kan.init", kan_net_init_name(c->init), error);
    if (!status) status = set_number(file, "kan.noise", c->noise, error);
    if (!status) status = set_number(file, "kan.power_base", c->power_base, error);
    if (!status) status = set_number(file, "kan.power_spline", c->power_spline, error);
    if (!status)
        status = kan_file_set(file, "kan.precision", kan_model_precision_name(c->precision), error);
    if (!status) status = kan_file_set(file, "kan.seed", seed, error);
    return status;
}

/* The factors of the penalty, in the order of their texts; the metric has a text of its own. */
enum { PENALTY_FACTORS = 5 };
static const char *const factor_names[PENALTY_FACTORS] = {"kan.penalty.roughness", "kan.penalty.l1",
                                                          "kan.penalty.entropy", "kan.penalty.coef",
                                                          "kan.penalty.coefdiff"};
static const char *const metric_name = "kan.penalty.metric";

static double *penalty_factor(kan_penalty *p, size_t which) {
    double *const factors[PENALTY_FACTORS] = {&p->roughness, &p->l1, &p->entropy, &p->coef,
                                              &p->coefdiff};
    return factors[which];
}

static kan_status save_penalty(const kan_net *net, kan_file *file, kan_error *error) {
    kan_penalty p = net->penalty;
    kan_status status = kan_file_set(file, metric_name, kan_net_scale_name(p.metric), error);
    for (size_t j = 0; j < PENALTY_FACTORS && status == KAN_OK; ++j)
        status = set_number(file, factor_names[j], *penalty_factor(&p, j), error);
    return status;
}

/* The tensors of a layer: their names, types and shapes, used to save and to load. */
typedef struct tensor {
    char name[48];
    kan_dtype dtype;
    size_t n_dims, shape[3];
    void *values;
    size_t bytes;
} tensor;

/* The last two, splines that are set aside, are those of nets with symbolic edges. */
enum { LAYER_TENSORS = 4, LAYER_TENSORS_KEPT = 6 };

static tensor layer_tensor(const kan_net *net, size_t l, size_t which) {
    static const char *const names[LAYER_TENSORS_KEPT] = {"knots", "theta", "trainable",
                                                          "edges", "kept",  "kept_trainable"};
    const layer *a = &net->layers[l];
    const size_t n_knots = kan_knots_count(a->degree, a->n_cells), rows = layer_n_basis(a) + 1;
    const size_t n_theta = a->n_in * rows * a->n_out;
    const size_t first = (size_t)(a->theta - net->model.theta);
    tensor t = {.dtype = which < 2 || which == 4 ? KAN_F64 : KAN_U8,
                .n_dims = 3,
                .shape = {a->n_in, rows, a->n_out}};
    snprintf(t.name, sizeof t.name, "layer%zu.%s", l, names[which]);
    switch (which) {
    case 0:
        t.n_dims = 2, t.shape[1] = n_knots;
        t.values = a->knots, t.bytes = a->n_in * n_knots * sizeof(double);
        break;
    case 1: t.values = a->theta, t.bytes = n_theta * sizeof(double); break;
    case 2: t.values = net->trainable + first, t.bytes = n_theta; break;
    case 3:
        t.n_dims = 2, t.shape[1] = a->n_out;
        t.values = net->edges[l], t.bytes = a->n_in * a->n_out;
        break;
    case 4: t.values = net->kept + first, t.bytes = n_theta * sizeof(double); break;
    default: t.values = net->kept_trainable + first, t.bytes = n_theta;
    }
    return t;
}

/* The tensors of symbolic edges: their parameters, and which are trainable. Their names are a text, a line
 * each; which edges they are stands in the layers' tensors "edges". */
enum { SYMBOLIC_TENSORS = 2 };
static const char *const symbolic_names = "kan.symbolic";

static tensor symbolic_tensor(const kan_net *net, size_t which) {
    const size_t n = net->n_symbolic * SYMBOLIC_PARAMS;
    tensor t = {.n_dims = 2, .shape = {net->n_symbolic, SYMBOLIC_PARAMS}};
    snprintf(t.name, sizeof t.name, "symbolic.%s", which == 0 ? "theta" : "trainable");
    t.dtype = which == 0 ? KAN_F64 : KAN_U8;
    t.values = which == 0 ? (void *)(net->model.theta + net->n_spline)
                          : (void *)(net->trainable + net->n_spline);
    t.bytes = which == 0 ? n * sizeof(double) : n;
    return t;
}

static kan_status save_names(const kan_net *net, kan_file *file, kan_error *error) {
    size_t length = 1;
    for (size_t k = 0; k < net->n_symbolic; ++k) {
        const char *name = net->symbolic[k].f->name;
        if (kan_function_find(name) != net->symbolic[k].f)
            return kan_status_fail(error, KAN_ECONFIG,
                                   "model file: the function \"%s\" is none of the table", name);
        length += strlen(name) + 1;
    }
    char *text = malloc(length), *at = text;
    if (!text) return kan_status_fail(error, KAN_ENOMEM, "model file: out of memory");
    for (size_t k = 0; k < net->n_symbolic; ++k)
        at += snprintf(at, length - (size_t)(at - text), k ? "\n%s" : "%s", net->symbolic[k].f->name);
    const kan_status status = kan_file_set(file, symbolic_names, text, error);
    free(text);
    return status;
}

static kan_status save_symbolic(const kan_net *net, kan_file *file, kan_error *error) {
    if (net->n_symbolic == 0) return KAN_OK;
    kan_status status = save_names(net, file, error);
    for (size_t which = 0; which < SYMBOLIC_TENSORS && status == KAN_OK; ++which) {
        const tensor t = symbolic_tensor(net, which);
        status = kan_file_add(file, t.name, t.dtype, t.n_dims, t.shape, t.values, error);
    }
    return status;
}

kan_status net_save(const void *self, kan_file *file, kan_error *error) {
    const kan_net *net = self;
    const size_t n_tensors = net->n_symbolic > 0 ? LAYER_TENSORS_KEPT : LAYER_TENSORS;
    kan_status status = save_config(net, file, error);
    if (status == KAN_OK) status = save_penalty(net, file, error);
    if (status == KAN_OK) status = save_symbolic(net, file, error);
    for (size_t l = 0; l < net->n_layers; ++l)
        for (size_t which = 0; which < n_tensors && status == KAN_OK; ++which) {
            const tensor t = layer_tensor(net, l, which);
            status = kan_file_add(file, t.name, t.dtype, t.n_dims, t.shape, t.values, error);
        }
    return status;
}

static kan_status get_list(const kan_file *file, const char *name, size_t *list, size_t max, size_t *n,
                           kan_error *error) {
    const char *text = kan_file_get(file, name);
    *n = 0;
    while (text && *n < max) {
        char *end;
        if (*text < '0' || *text > '9') break;
        const unsigned long long value = strtoull(text, &end, 10);
        if (value > UINT32_MAX) break;
        list[(*n)++] = (size_t)value;
        if (*end == '\0') return KAN_OK;
        if (*end != ',') break;
        text = end + 1;
    }
    return kan_status_fail(error, KAN_EFORMAT, "model file: the text \"%s\" is missing or damaged",
                           name);
}

static kan_status get_number(const kan_file *file, const char *name, double *value, kan_error *error) {
    const char *text = kan_file_get(file, name);
    char *end = NULL;
    if (text) *value = strtod(text, &end);
    if (text && end != text && *end == '\0' && isfinite(*value)) return KAN_OK;
    return kan_status_fail(error, KAN_EFORMAT, "model file: the text \"%s\" is missing or damaged",
                           name);
}

/* Older files have none: then it stays what it is in a new net. */
static kan_status load_penalty(kan_net *net, const kan_file *file, kan_error *error) {
    const char *metric = kan_file_get(file, metric_name);
    kan_status status = KAN_OK;
    if (!metric) return KAN_OK;
    net->penalty.metric = kan_net_scale_from_name(metric);
    if (net->penalty.metric == KAN_N_SCALES)
        return kan_status_fail(error, KAN_EFORMAT,
                               "model file: the penalty's metric \"%.40s\" is not known", metric);
    for (size_t j = 0; j < PENALTY_FACTORS && status == KAN_OK; ++j) {
        double *factor = penalty_factor(&net->penalty, j);
        status = get_number(file, factor_names[j], factor, error);
        if (status == KAN_OK && *factor < 0.0)
            status = kan_status_fail(error, KAN_EFORMAT, "model file: \"%s\" is %g, less than 0",
                                     factor_names[j], *factor);
    }
    return status;
}

static kan_status load_config(const kan_file *file, kan_net_config *c, kan_error *error) {
    size_t n_levels = 0, n_mult = 0, n_arity = 0, one = 0;
    const char *base = kan_file_get(file, "kan.base"), *init = kan_file_get(file, "kan.init");
    const char *seed = kan_file_get(file, "kan.seed");
    const char *precision = kan_file_get(file, "kan.precision"); /* older files have none: double */
    kan_status status = get_list(file, "kan.width", c->width, KAN_MAX_LEVELS, &n_levels, error);
    if (!status) status = get_list(file, "kan.mult", c->mult, KAN_MAX_LEVELS, &n_mult, error);
    if (!status) status = get_list(file, "kan.arity", c->arity, KAN_MAX_LEVELS, &n_arity, error);
    if (!status) status = get_list(file, "kan.n_cells", &c->n_cells, 1, &one, error);
    if (!status) status = get_list(file, "kan.degree", &c->degree, 1, &one, error);
    if (!status) status = get_number(file, "kan.lo", &c->lo, error);
    if (!status) status = get_number(file, "kan.hi", &c->hi, error);
    if (!status) status = get_number(file, "kan.noise", &c->noise, error);
    if (!status) status = get_number(file, "kan.power_base", &c->power_base, error);
    if (!status) status = get_number(file, "kan.power_spline", &c->power_spline, error);
    if (status != KAN_OK) return status;
    c->base = base ? kan_net_base_from_name(base) : KAN_N_BASES;
    c->init = init ? kan_net_init_from_name(init) : KAN_N_INITS;
    c->precision = precision ? kan_model_precision_from_name(precision) : KAN_DOUBLE;
    c->seed = seed ? strtoull(seed, NULL, 10) : 0;
    const char *wrong = kan_net_check(c);
    if (!wrong && (n_mult != n_levels || n_arity != n_levels)) wrong = "its levels do not agree";
    return wrong ? kan_status_fail(error, KAN_EFORMAT, "model file: %s", wrong) : KAN_OK;
}

static kan_status load_tensor(const kan_file *file, const tensor *t, kan_error *error) {
    const void *values = kan_file_find(file, t->name, t->dtype, t->n_dims, t->shape, error);
    if (!values) return KAN_EFORMAT;
    memcpy(t->values, values, t->bytes);
    return KAN_OK;
}

static kan_status load_layer(kan_net *net, const kan_file *file, size_t l, kan_error *error) {
    layer *a = &net->layers[l];
    for (size_t which = 0; which < LAYER_TENSORS; ++which) {
        const tensor t = layer_tensor(net, l, which);
        if (load_tensor(file, &t, error) != KAN_OK) return KAN_EFORMAT;
    }
    for (size_t e = 0; e < a->n_in * a->n_out; ++e)
        if (net->edges[l][e] > EDGE_SYMBOLIC)
            return kan_status_fail(error, KAN_EFORMAT, "model file: layer%zu: an unknown kind of edge",
                                   l);
    for (size_t i = 0; i < a->n_in; ++i) {
        const double *knots = a->basis[i].knots;
        const char *wrong = kan_knots_check(a->degree, a->n_cells, knots);
        if (wrong) return kan_status_fail(error, KAN_EFORMAT, "model file: layer%zu: %s", l, wrong);
        const kan_status status = net_set_knots(net, l, i, knots, error);
        if (status != KAN_OK) return status;
    }
    return KAN_OK;
}

/* The function whose name is the line at *text, which goes on to the next line; NULL where there is none. */
static const kan_function *next_function(const char **text, kan_error *error) {
    char name[64];
    const size_t length = strcspn(*text, "\n");
    snprintf(name, sizeof name, "%.*s", length < sizeof name ? (int)length : 0, *text);
    const kan_function *f = kan_function_find(name);
    if (!f || !f->d1)
        kan_status_fail(error, KAN_EFORMAT, "model file: no function of an edge is called \"%s\"",
                        name);
    *text += length + ((*text)[length] == '\n');
    return f && f->d1 ? f : NULL;
}

/* What the edges are that layers call symbolic, once all layers are loaded. */
static kan_status load_functions(kan_net *net, const char *text, kan_error *error) {
    size_t k = 0;
    for (size_t l = 0; l < net->n_layers; ++l)
        for (size_t e = 0; e < net->layers[l].n_in * net->layers[l].n_out; ++e) {
            if (net->edges[l][e] != EDGE_SYMBOLIC) continue;
            const kan_function *f = next_function(&text, error);
            if (!f) return KAN_EFORMAT;
            const size_t n_out = net->layers[l].n_out;
            net->symbolic[k++] = (symbolic_edge){{l, e / n_out, e % n_out}, f};
        }
    return *text == '\0' ? KAN_OK
                         : kan_status_fail(error, KAN_EFORMAT,
                                           "model file: the text \"%s\" is too long", symbolic_names);
}

static kan_status load_symbolic(kan_net *net, const kan_file *file, kan_error *error) {
    const char *text = kan_file_get(file, symbolic_names);
    size_t n = 0;
    for (size_t l = 0; l < net->n_layers; ++l)
        for (size_t e = 0; e < net->layers[l].n_in * net->layers[l].n_out; ++e)
            n += net->edges[l][e] == EDGE_SYMBOLIC;
    if ((n > 0) != (text != NULL))
        return kan_status_fail(error, KAN_EFORMAT, "model file: the text \"%s\" %s", symbolic_names,
                               text ? "belongs to no edge" : "is missing");
    if (n == 0) return KAN_OK;
    if (net_reserve_symbolic(net, n) != KAN_OK)
        return kan_status_fail(error, KAN_ENOMEM, "model file: out of memory");
    net->n_symbolic = n, net->model.n_params += SYMBOLIC_PARAMS * n;
    kan_status status = load_functions(net, text, error);
    for (size_t which = 0; which < SYMBOLIC_TENSORS && status == KAN_OK; ++which) {
        const tensor t = symbolic_tensor(net, which);
        status = load_tensor(file, &t, error);
    }
    for (size_t l = 0; l < net->n_layers; ++l)
        for (size_t which = LAYER_TENSORS; which < LAYER_TENSORS_KEPT && status == KAN_OK; ++which) {
            const tensor t = layer_tensor(net, l, which);
            status = load_tensor(file, &t, error);
        }
    if (status == KAN_OK) net_count_symbolic(net);
    return status;
}

/* Whether the file holds every parameter: there is no memory for sizes that it only claims. */
static bool has_parameters(const kan_file *file, const kan_net_config *c, kan_error *error) {
    for (size_t l = 0; net_n_nodes(c, l + 1) > 0; ++l) {
        const size_t shape[3] = {net_n_nodes(c, l), c->n_cells + c->degree + 1, net_n_sub(c, l + 1)};
        char name[32];
        snprintf(name, sizeof name, "layer%zu.theta", l);
        if (!kan_file_find(file, name, KAN_F64, 3, shape, error)) return false;
    }
    return true;
}

kan_net *kan_net_load(const kan_file *file, kan_error *error) {
    kan_net_config config = {.n_cells = 0};
    const char *model = kan_file_get(file, "model");
    if (!model || strcmp(model, "kan") != 0) {
        kan_status_fail(error, KAN_EFORMAT, "model file: this is not a KAN");
        return NULL;
    }
    if (load_config(file, &config, error) != KAN_OK) return NULL;
    if (!has_parameters(file, &config, error)) return NULL;
    kan_net *net = net_alloc_empty(&config);
    kan_status status = net ? KAN_OK : kan_status_fail(error, KAN_ENOMEM, "model file: out of memory");
    for (size_t l = 0; net && l < net->n_layers && status == KAN_OK; ++l)
        status = load_layer(net, file, l, error);
    if (status == KAN_OK) status = load_symbolic(net, file, error);
    if (status == KAN_OK) status = load_penalty(net, file, error);
    if (status == KAN_OK) return net;
    kan_net_free(net);
    return NULL;
}
