/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kan/formula.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kan/net_private.h"
#include "kan/symbolic_edges.h"

/* ---- text --------------------------------------------------------------------------------------- */

/* Text that grows; the first failure sticks. */
typedef struct text {
    char *at; /* NUL-terminated once anything was added */
    size_t length, room;
    kan_status status;
} text;

static void add_n(text *t, const char *added, size_t n) {
    if (t->status != KAN_OK) return;
    if (t->length + n + 1 > t->room) {
        const size_t room = 2 * (t->length + n) + 64;
        char *wider = realloc(t->at, room);
        if (!wider) {
            t->status = KAN_ENOMEM;
            return;
        }
        t->at = wider, t->room = room;
    }
    assert(t->at);
    memcpy(t->at + t->length, added, n);
    t->length += n;
    t->at[t->length] = '\0';
}

static void add(text *t, const char *added) {
    add_n(t, added, strlen(added));
}

/* All digits of a number, with a point whatever the locale; in brackets where it is negative. */
static void add_number(text *t, double value) {
    char digits[40];
    if (!isfinite(value) && t->status == KAN_OK) t->status = KAN_ENONFINITE;
    snprintf(digits, sizeof digits, signbit(value) ? "(%.17g)" : "%.17g", value);
    for (char *c = digits; *c; ++c)
        if (!strchr("0123456789e+-()", *c)) *c = '.';
    add(t, digits);
}

/* c f(a x + b), x being a text. */
static void add_edge(text *t, const kan_function *f, const double *parameters, const char *x) {
    const double a = parameters[0], b = parameters[1], c = parameters[2];
    if (c != 1.0) add_number(t, c), add(t, "*");
    for (const char *form = f->text; *form; ++form) {
        if (*form != '%') {
            add_n(t, form, 1);
            continue;
        }
        if (a != 1.0) add_number(t, a), add(t, "*");
        add(t, "("), add(t, x), add(t, ")");
        if (b != 0.0) add(t, " + "), add_number(t, b);
    }
}

/* ---- nodes -------------------------------------------------------------------------------------- */

/* Output o of layer l, from the texts of the nodes below; KAN_ECONFIG where a spline is on the way. */
static void add_output(const kan_net *net, size_t l, size_t o, const text *below, text *t) {
    bool first = true;
    double constant = 0.0;
    for (size_t i = 0; i < net->layers[l].n_in && t->status == KAN_OK; ++i) {
        const kan_edge edge = {l, i, o};
        if (!kan_net_has_edge(net, edge)) continue;
        if (!kan_net_get_symbolic(net, edge, NULL)) t->status = KAN_ECONFIG;
        if (t->status == KAN_OK) t->status = below[i].status;
        if (t->status != KAN_OK) return;
        assert(below[i].at);
        const size_t k = net_find_symbolic(net, edge);
        const double *parameters = net->model.theta + net->n_spline + SYMBOLIC_PARAMS * k;
        if (!first) add(t, " + ");
        add_edge(t, net->symbolic[k].f, parameters, below[i].at);
        first = false, constant += parameters[3];
    }
    if (first || constant != 0.0) {
        if (!first) add(t, " + ");
        add_number(t, constant);
    }
}

/* Node j of level l + 1. */
static void add_node(const kan_net *net, size_t l, size_t j, const text *below, text *t) {
    const size_t n_add = net->config.width[l + 1], arity = net->config.arity[l + 1];
    if (j < n_add) {
        add_output(net, l, j, below, t);
        return;
    }
    for (size_t a = 0; a < arity; ++a) {
        add(t, a > 0 ? "*(" : "(");
        add_output(net, l, n_add + (j - n_add) * arity + a, below, t);
        add(t, ")");
    }
}

static void free_texts(text *texts, size_t n) {
    for (size_t j = 0; texts && j < n; ++j) free(texts[j].at);
    free(texts);
}

static text *input_texts(const kan_net *net, const char *const *names) {
    text *made = calloc(net->model.n_in, sizeof *made);
    for (size_t i = 0; made && i < net->model.n_in; ++i) {
        char name[24];
        snprintf(name, sizeof name, "x%zu", i + 1);
        add(&made[i], names ? names[i] : name);
    }
    return made;
}

/* The text of an output: level by level, every node once. */
static text output_text(const kan_net *net, size_t output, const char *const *names) {
    text *below = input_texts(net, names), made = {.status = KAN_ENOMEM};
    for (size_t l = 0; below && l < net->n_layers; ++l) {
        const size_t n = net_n_nodes(&net->config, l + 1);
        text *nodes = calloc(n, sizeof *nodes);
        for (size_t j = 0; nodes && j < n; ++j)
            if (l + 1 < net->n_layers || j == output) add_node(net, l, j, below, &nodes[j]);
        free_texts(below, net_n_nodes(&net->config, l));
        below = nodes;
    }
    if (!below) return made;
    made = below[output];
    below[output].at = NULL;
    free_texts(below, net->model.n_out);
    return made;
}

kan_status kan_net_formula(const kan_net *net, size_t output, const char *const *names,
                           kan_expression **made, kan_error *error) {
    *made = NULL;
    text t = output_text(net, output, names);
    kan_status status = t.status;
    switch (status) {
    case KAN_OK: {
        kan_error why;
        *made = kan_expression_parse_with(t.at, names ? net->model.n_in : 0, names, &why);
        if (!*made) status = kan_status_fail(error, why.status, "formula: %s", why.message);
        break;
    }
    case KAN_ECONFIG:
        kan_status_fail(error, status, "formula: an edge below output %zu is a spline", output);
        break;
    case KAN_ENONFINITE:
        kan_status_fail(error, status, "formula: a parameter below output %zu is not finite", output);
        break;
    default: kan_status_fail(error, status, "formula: out of memory");
    }
    free(t.at);
    return status;
}
