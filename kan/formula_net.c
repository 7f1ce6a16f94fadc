/* kan/formula_net.c - the network that computes an expression.
 *
 * Every part of the expression becomes a form, what an output of a layer can be:
 *
 *     constant + sum_t c_t f_t(a_t v_t + b_t)
 *
 * v_t being values: inputs, or nodes of which each is a form itself (an adding node) or a product of forms (a
 * multiplying node). Sums, multiples and functions of multiples of a single value only change forms; everything
 * else makes a node. A value stands one level above the highest of those it is made of; nodes of levels between
 * carry it up to where it is used.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kan/formula.h"
#include "kan/net_private.h"
#include "symbolic/expression_tree.h"

enum { MAX_FACTORS = 16, NO_PLACE = -1 };

typedef struct term {
    size_t value;
    const kan_function *f;
    double a, b, c;
} term;

typedef struct form {
    size_t n;
    term *terms;
    double constant;
} form;

typedef struct value {
    size_t level, n_factors; /* 0 factors: an input; 1: an adding node */
    form *factors;
    bool used;
    int place[KAN_MAX_LEVELS]; /* its node of each level, or NO_PLACE */
} value;

typedef struct block {
    struct block *next;
    max_align_t bytes[];
} block;

/* Everything while it is put together. The first failure sticks. */
typedef struct draft {
    const kan_function *identity, *zero;
    block *blocks; /* all memory of forms */
    value *values;
    size_t n_values, room, n_in;
    kan_status status;
    kan_error *error;
} draft;

/* ---- memory ------------------------------------------------------------------------------------- */

static kan_status fail(draft *d, kan_status status, const char *what) {
    if (d->status == KAN_OK) d->status = kan_status_fail(d->error, status, "formula: %s", what);
    return d->status;
}

static void *take(draft *d, size_t n, size_t size) {
    block *made = d->status == KAN_OK ? malloc(sizeof *made + n * size) : NULL;
    if (!made) {
        fail(d, KAN_ENOMEM, "out of memory");
        return NULL;
    }
    made->next = d->blocks, d->blocks = made;
    return made->bytes;
}

static void release(draft *d) {
    while (d->blocks) {
        block *next = d->blocks->next;
        free(d->blocks);
        d->blocks = next;
    }
    free(d->values);
}

/* ---- forms -------------------------------------------------------------------------------------- */

static form constant_form(double constant) {
    return (form){.constant = constant};
}

static form term_form(draft *d, term t) {
    form f = {.n = 1, .terms = take(d, 1, sizeof t)};
    if (!f.terms) return constant_form(0.0);
    f.terms[0] = t;
    return f;
}

static form value_form(draft *d, size_t v) {
    return term_form(d, (term){v, d->identity, 1.0, 0.0, 1.0});
}

/* p + factor q; terms of the same function of the same argument become one. */
static form add_forms(draft *d, form p, form q, double factor) {
    form sum = {.n = p.n, .terms = take(d, p.n + q.n, sizeof *sum.terms)};
    if (!sum.terms) return constant_form(0.0);
    sum.constant = p.constant + factor * q.constant;
    if (p.n > 0) memcpy(sum.terms, p.terms, p.n * sizeof *p.terms);
    for (size_t k = 0; k < q.n; ++k) {
        const term *t = &q.terms[k];
        size_t j = 0;
        while (j < sum.n && !(sum.terms[j].value == t->value && sum.terms[j].f == t->f &&
                              sum.terms[j].a == t->a && sum.terms[j].b == t->b))
            ++j;
        if (j == sum.n) {
            sum.terms[sum.n] = *t;
            sum.terms[sum.n++].c = 0.0;
        }
        sum.terms[j].c += factor * t->c;
    }
    return sum;
}

static form scale_form(draft *d, form p, double factor) {
    return factor == 1.0 ? p : add_forms(d, constant_form(0.0), p, factor);
}

/* Whether p is c v + constant; terms of the identity have a = 1 and b = 0. */
static bool is_multiple(const draft *d, form p) {
    return p.n == 1 && p.terms[0].f == d->identity;
}

static bool same_forms(form p, form q) {
    bool same = p.n == q.n && p.constant == q.constant;
    for (size_t j = 0; same && j < p.n; ++j) {
        const term *s = &p.terms[j], *t = &q.terms[j];
        same = s->value == t->value && s->f == t->f && s->a == t->a && s->b == t->b && s->c == t->c;
    }
    return same;
}

/* ---- values ------------------------------------------------------------------------------------- */

static size_t level_of(const draft *d, form p) {
    size_t level = 0;
    for (size_t j = 0; j < p.n; ++j)
        if (d->values[p.terms[j].value].level > level) level = d->values[p.terms[j].value].level;
    return level;
}

/* The product of forms [n], an adding node where there is one; the one there is already, if there is. */
static size_t make_value(draft *d, size_t n, const form *factors) {
    size_t level = 0;
    for (size_t v = d->n_in; v < d->n_values; ++v) {
        bool same = d->values[v].n_factors == n;
        for (size_t k = 0; same && k < n; ++k) same = same_forms(d->values[v].factors[k], factors[k]);
        if (same) return v;
    }
    for (size_t k = 0; k < n; ++k) {
        const size_t below = level_of(d, factors[k]);
        if (below + 1 > level) level = below + 1;
    }
    value made = {.level = level, .n_factors = n, .factors = take(d, n, sizeof *factors)};
    if (!made.factors) return 0;
    memcpy(made.factors, factors, n * sizeof *factors);
    if (d->n_values == d->room) {
        const size_t room = 2 * d->room;
        value *wider = realloc(d->values, room * sizeof *wider);
        if (!wider) {
            fail(d, KAN_ENOMEM, "out of memory");
            return 0;
        }
        d->values = wider, d->room = room;
    }
    d->values[d->n_values] = made;
    return d->n_values++;
}

/* The first term of p whose value an earlier one has; p.n where there is none. */
static size_t find_twin(form p) {
    for (size_t j = 1; j < p.n; ++j)
        for (size_t k = 0; k < j; ++k)
            if (p.terms[k].value == p.terms[j].value) return j;
    return p.n;
}

/* p with one term a value, since a layer has one edge between two nodes: others become nodes of their own. */
static form separate(draft *d, form p) {
    for (size_t j = find_twin(p); j < p.n && d->status == KAN_OK; j = find_twin(p)) {
        const double c = p.terms[j].c;
        form rest = add_forms(d, constant_form(0.0), p, 1.0), twin = term_form(d, p.terms[j]);
        if (d->status != KAN_OK) break;
        assert(rest.terms && twin.terms);
        twin.terms[0].c = 1.0;
        memmove(rest.terms + j, rest.terms + j + 1, (rest.n - j - 1) * sizeof *rest.terms);
        --rest.n;
        p = add_forms(d, rest, value_form(d, make_value(d, 1, &twin)), c);
    }
    return p;
}

/* c v + constant, equal to p: p itself, or with a node for it. */
static form as_multiple(draft *d, form p) {
    if (is_multiple(d, p)) return p;
    const form whole = separate(d, p);
    return value_form(d, make_value(d, 1, &whole));
}

/* ---- operations --------------------------------------------------------------------------------- */

/* f(p) */
static form apply(draft *d, const kan_function *f, form p) {
    if (!f || !f->f || !f->d1) {
        fail(d, KAN_ECONFIG, "a function that edges cannot be");
        return constant_form(0.0);
    }
    if (p.n == 0) return constant_form(f->f(p.constant));
    if (f == d->identity) return p;
    const form x = as_multiple(d, p);
    if (d->status != KAN_OK) return constant_form(0.0);
    return term_form(d, (term){x.terms[0].value, f, x.terms[0].c, x.constant, 1.0});
}

static form apply_named(draft *d, const char *name, form p) {
    return apply(d, kan_function_find(name), p);
}

/* Adds the factors of p to a product, or p as one of them; constants go to *scale. */
static void add_factors(draft *d, form p, form *factors, size_t *n, double *scale) {
    if (p.n == 0) {
        *scale *= p.constant;
        return;
    }
    if (is_multiple(d, p) && p.constant == 0.0) {
        const value *v = &d->values[p.terms[0].value];
        *scale *= p.terms[0].c;
        if (v->n_factors > 1 && *n + v->n_factors < MAX_FACTORS) {
            memcpy(factors + *n, v->factors, v->n_factors * sizeof *factors);
            *n += v->n_factors;
            return;
        }
        p = value_form(d, p.terms[0].value);
    }
    factors[(*n)++] = separate(d, p);
}

static form multiply(draft *d, form p, form q) {
    form factors[MAX_FACTORS + 1];
    size_t n = 0;
    double scale = 1.0;
    if (p.n == 0) return scale_form(d, q, p.constant);
    if (q.n == 0) return scale_form(d, p, q.constant);
    add_factors(d, p, factors, &n, &scale);
    add_factors(d, q, factors, &n, &scale);
    return scale_form(d, value_form(d, make_value(d, n, factors)), scale);
}

static form divide(draft *d, form p, form q) {
    if (q.n == 0) return scale_form(d, p, 1.0 / q.constant);
    return multiply(d, p, apply_named(d, "1/x", q));
}

/* p^exponent: a function of the table, whole powers as products of such, all others by the logarithm. */
static form raise(draft *d, form p, double exponent) {
    enum { MOST_WHOLE = 64, TABLE = 5 };
    if (p.n == 0) return constant_form(pow(p.constant, exponent));
    if (exponent == 0.0) return constant_form(1.0);
    char name[40];
    snprintf(name, sizeof name, exponent < 0.0 ? "1/x^%g" : "x^%g", fabs(exponent));
    if (exponent == -1.0) snprintf(name, sizeof name, "1/x");
    const kan_function *f = kan_function_find(name);
    if (f) return apply(d, f, p);
    if (exponent != floor(exponent) || fabs(exponent) > MOST_WHOLE)
        return apply_named(d, "exp", scale_form(d, apply_named(d, "log", p), exponent));
    const double part = exponent < 0.0 ? -TABLE : TABLE;
    return multiply(d, raise(d, p, part), raise(d, p, exponent - part));
}

static form power(draft *d, form p, form q) {
    if (q.n == 0) return raise(d, p, q.constant);
    if (p.n == 0 && p.constant > 0.0) return apply_named(d, "exp", scale_form(d, q, log(p.constant)));
    return apply_named(d, "exp", multiply(d, q, apply_named(d, "log", p)));
}

static form call(draft *d, const kan_part *part, form p, form q) {
    if (part->n_children == 1) return apply(d, part->f, p);
    if (strcmp(part->name, "pow") == 0) return power(d, p, q);
    if (strcmp(part->name, "hypot") == 0)
        return apply_named(d, "sqrt",
                           add_forms(d, apply_named(d, "x^2", p), apply_named(d, "x^2", q), 1.0));
    fail(d, KAN_ECONFIG, "a function of two variables that is no network");
    return constant_form(0.0);
}

static form convert_part(draft *d, const kan_part *part, const size_t *inputs, form p, form q) {
    switch (part->kind) {
    case KAN_NUMBER: return constant_form(part->number);
    case KAN_VARIABLE: return value_form(d, inputs[part->variable]);
    case KAN_NEGATE: return scale_form(d, p, -1.0);
    case KAN_ADD: return add_forms(d, p, q, 1.0);
    case KAN_SUBTRACT: return add_forms(d, p, q, -1.0);
    case KAN_MULTIPLY: return multiply(d, p, q);
    case KAN_DIVIDE: return divide(d, p, q);
    case KAN_POWER: return power(d, p, q);
    case KAN_CALL: break;
    }
    return call(d, part, p, q);
}

static form convert(draft *d, const kan_expression *e, const size_t *inputs) {
    const size_t n = kan_expression_n_parts(e);
    form *forms = take(d, n, sizeof *forms), result = constant_form(0.0);
    assert(n > 0);
    for (size_t j = 0; j < n && d->status == KAN_OK; ++j) {
        const kan_part part = kan_expression_part(e, j);
        assert(part.n_children < 1 || part.child[0] < j);
        assert(part.n_children < 2 || part.child[1] < j);
        const form p = part.n_children > 0 ? forms[part.child[0]] : result;
        const form q = part.n_children > 1 ? forms[part.child[1]] : result;
        forms[j] = convert_part(d, &part, inputs, p, q);
    }
    return d->status == KAN_OK ? forms[n - 1] : result;
}

/* The value that the net gives: a node of its own, or a product that takes a constant factor along. */
static size_t output_value(draft *d, form p) {
    if (is_multiple(d, p) && p.constant == 0.0) {
        const value *v = &d->values[p.terms[0].value];
        form factors[MAX_FACTORS];
        if (v->n_factors > 0) {
            memcpy(factors, v->factors, v->n_factors * sizeof *factors);
            factors[0] = scale_form(d, factors[0], p.terms[0].c);
            return make_value(d, v->n_factors, factors);
        }
    }
    p = separate(d, p);
    return make_value(d, 1, &p);
}

/* ---- the net ------------------------------------------------------------------------------------ */

/* Gives value v a place in the levels from its own to `last`. Where it is carried it is an adding node. */
static void place_value(value *v, size_t last, kan_net_config *config) {
    for (size_t level = v->level; level <= last; ++level) {
        if (level > 0 && v->place[level] == NO_PLACE)
            v->place[level] = (int)(level == v->level && v->n_factors > 1 ? config->mult[level]++
                                                                          : config->width[level]++);
    }
}

/* Places for all that the output needs, from above; the shape of the net. */
static void place_values(draft *d, size_t output, kan_net_config *config) {
    config->width[0] = d->n_in;
    for (size_t v = 0; v < d->n_values; ++v)
        for (size_t level = 0; level < KAN_MAX_LEVELS; ++level)
            d->values[v].place[level] = level == 0 && v < d->n_in ? (int)v : NO_PLACE;
    d->values[output].used = true;
    place_value(&d->values[output], d->values[output].level, config);
    for (size_t v = d->n_values; v-- > d->n_in;) { /* values are made after those they are made of */
        const value *made = &d->values[v];
        if (!made->used) continue;
        if (made->n_factors > config->arity[made->level] && made->n_factors > 1)
            config->arity[made->level] = made->n_factors;
        for (size_t k = 0; k < made->n_factors; ++k)
            for (size_t j = 0; j < made->factors[k].n; ++j) {
                value *from = &d->values[made->factors[k].terms[j].value];
                from->used = true;
                place_value(from, made->level - 1, config);
            }
    }
}

/* A node of a level: multiplying ones stand behind adding ones. */
static size_t node_of(const kan_net *net, const value *v, size_t level) {
    const bool product = level == v->level && v->n_factors > 1;
    return (size_t)v->place[level] + (product ? net->config.width[level] : 0);
}

static void set_edge(draft *d, kan_net *net, kan_edge edge, kan_symbolic s) {
    *(net->edges[edge.layer] + edge.in * net->layers[edge.layer].n_out + edge.out) = EDGE_SPLINE;
    if (d->status == KAN_OK) d->status = kan_net_set_symbolic(net, edge, &s, d->error);
}

/* Output `out` of layer l as a form. */
static void set_output(draft *d, kan_net *net, size_t l, size_t out, form p) {
    if (p.n == 0)
        set_edge(d, net, (kan_edge){l, 0, out}, (kan_symbolic){d->zero, 1.0, 0.0, 1.0, p.constant});
    for (size_t j = 0; j < p.n; ++j) {
        const term *t = &p.terms[j];
        const size_t in = node_of(net, &d->values[t->value], l);
        set_edge(d, net, (kan_edge){l, in, out},
                 (kan_symbolic){t->f, t->a, t->b, t->c, j == 0 ? p.constant : 0.0});
    }
}

/* All edges into one value, at its own level and where it is carried. */
static void set_value(draft *d, kan_net *net, size_t v) {
    const value *made = &d->values[v];
    const size_t level = made->level, n_add = net->config.width[level],
                 arity = net->config.arity[level];
    for (size_t k = 0; made->n_factors == 1 && k < 1; ++k)
        set_output(d, net, level - 1, (size_t)made->place[level], made->factors[0]);
    for (size_t k = 0; made->n_factors > 1 && k < arity; ++k)
        set_output(d, net, level - 1, n_add + (size_t)made->place[level] * arity + k,
                   k < made->n_factors ? made->factors[k] : constant_form(1.0));
    for (size_t up = level + 1; up < KAN_MAX_LEVELS && made->place[up] != NO_PLACE; ++up)
        set_edge(d, net, (kan_edge){up - 1, node_of(net, made, up - 1), (size_t)made->place[up]},
                 (kan_symbolic){d->identity, 1.0, 0.0, 1.0, 0.0});
}

static kan_net *build(draft *d, size_t output) {
    kan_net_config config = {.n_cells = 1, .degree = 1};
    if (d->values[output].level >= KAN_MAX_LEVELS) {
        fail(d, KAN_ECONFIG, "more levels than a network may have");
        return NULL;
    }
    place_values(d, output, &config);
    const char *wrong = kan_net_check(&config);
    if (wrong) fail(d, KAN_ECONFIG, wrong);
    kan_net *net = wrong ? NULL : net_alloc_empty(&config);
    if (!net) {
        fail(d, KAN_ENOMEM, "out of memory");
        return NULL;
    }
    for (size_t l = 0; l < net->n_layers; ++l)
        for (size_t i = 0; i < net->layers[l].n_in; ++i)
            for (size_t o = 0; o < net->layers[l].n_out; ++o)
                kan_net_remove_edge(net, (kan_edge){l, i, o});
    for (size_t v = 0; v < d->n_values; ++v)
        if (d->values[v].used) set_value(d, net, v);
    if (d->status == KAN_OK) return net;
    kan_net_free(net);
    return NULL;
}

/* Which input each variable of e is. */
static size_t *find_inputs(draft *d, const kan_expression *e, const char *const *names) {
    const size_t n = kan_expression_n_variables(e);
    size_t *inputs = take(d, n, sizeof *inputs);
    for (size_t k = 0; inputs && k < n; ++k) {
        const char *name = kan_expression_variable(e, k);
        inputs[k] = 0;
        if (!names) inputs[k] = k;
        while (names && inputs[k] < d->n_in && strcmp(names[inputs[k]], name) != 0) ++inputs[k];
        if (inputs[k] >= d->n_in) fail(d, KAN_ECONFIG, "a variable that is no input");
    }
    return inputs;
}

kan_net *kan_net_from_expression(const kan_expression *e, size_t n_in, const char *const *names,
                                 kan_error *error) {
    assert(n_in > 0 && "a net needs an input");
    draft d = {.identity = kan_function_find("x"),
               .zero = kan_function_find("0"),
               .n_in = n_in,
               .error = error};
    d.n_values = n_in, d.room = n_in + 16;
    d.values = calloc(d.room, sizeof *d.values);
    kan_net *net = NULL;
    if (!d.values) fail(&d, KAN_ENOMEM, "out of memory");
    const size_t *inputs = find_inputs(&d, e, names);
    const form p = d.status == KAN_OK ? convert(&d, e, inputs) : constant_form(0.0);
    const size_t output = d.status == KAN_OK ? output_value(&d, p) : 0;
    if (d.status == KAN_OK) net = build(&d, output);
    release(&d);
    return net;
}
