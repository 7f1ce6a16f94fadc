/* symbolic/expression_build.c - trees that are made, not parsed: numbers, copies, substitution.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "symbolic/expression_private.h"

size_t kan_builder_add(builder *b, node made) {
    if (b->n == b->room) {
        const size_t room = b->room ? 2 * b->room : 64;
        node *nodes = b->failed ? NULL : realloc(b->nodes, room * sizeof *nodes);
        if (!nodes) {
            b->failed = true;
            b->n = 0;
            if (b->room == 0) return 0;
        } else {
            b->nodes = nodes;
            b->room = room;
        }
    }
    made.has_number = made.kind == NUMBER;
    for (size_t k = 0; k < made.n_children && !b->failed; ++k) {
        assert(made.child[k] < b->n && "children come before their parent");
        made.has_number |= b->nodes[made.child[k]].has_number;
    }
    b->nodes[b->n] = made;
    return b->n++;
}

size_t kan_builder_number(builder *b, double value) {
    return kan_builder_add(b, (node){.kind = NUMBER, .is.number = value});
}

size_t kan_builder_operator(builder *b, node_kind kind, size_t left, size_t right) {
    return kan_builder_add(b, (node){.kind = kind, .n_children = 2, .child = {left, right}});
}

size_t kan_builder_negate(builder *b, size_t value) {
    return kan_builder_add(b, (node){.kind = NEGATE, .n_children = 1, .child = {value, 0}});
}

size_t kan_builder_call(builder *b, const function *f, size_t first, size_t second) {
    return kan_builder_add(
        b, (node){.kind = CALL, .n_children = f->arity, .child = {first, second}, .is.call = *f});
}

size_t kan_expression_start(const node *nodes, size_t root) {
    while (nodes[root].n_children > 0) root = nodes[root].child[0];
    return root;
}

size_t kan_builder_copy(builder *b, const node *nodes, size_t root, const size_t *map) {
    const size_t start = kan_expression_start(nodes, root), to = b->n;
    size_t last = 0;
    for (size_t j = start; j <= root; ++j) {
        node made = nodes[j];
        for (size_t k = 0; k < made.n_children; ++k) made.child[k] = made.child[k] - start + to;
        if (made.kind == VARIABLE && map) made.is.variable = map[made.is.variable];
        last = kan_builder_add(b, made);
    }
    return last;
}

/* The most values that wait on the stack of an evaluation. */
static size_t stack_of(const node *nodes, size_t n) {
    size_t top = 0, most = 0;
    for (size_t j = 0; j < n; ++j) {
        top += 1 - nodes[j].n_children; /* may pass through SIZE_MAX on its way to a number above 0 */
        if (top > most) most = top;
    }
    return most;
}

kan_expression *kan_builder_finish(builder *b, size_t n, const char *const *names, kan_error *error) {
    size_t length = 0;
    for (size_t i = 0; i < n; ++i) length += strlen(names[i]) + 1;
    kan_expression *e = b->failed ? NULL : calloc(1, sizeof *e);
    if (e) {
        e->text = malloc(length + 1);
        e->variables = malloc((n + 1) * sizeof *e->variables);
    }
    if (!e || !e->text || !e->variables) {
        kan_status_fail(error, KAN_ENOMEM, "no memory for an expression of %zu nodes", b->n);
        goto fail;
    }
    if (stack_of(b->nodes, b->n) > MAX_STACK) {
        kan_status_fail(error, KAN_EFORMAT, "an expression that is nested too deep");
        goto fail;
    }
    char *name = e->text;
    for (size_t i = 0; i < n; ++i) {
        const size_t size = strlen(names[i]) + 1;
        e->variables[i] = memcpy(name, names[i], size);
        name += size;
    }
    e->n_variables = n;
    e->nodes = b->nodes;
    e->n_nodes = b->n;
    return e;
fail:
    kan_expression_free(e);
    free(b->nodes);
    return NULL;
}

/* ---- public functions ---------------------------------------------------------------------- */

kan_expression *kan_expression_number(double value, kan_error *error) {
    builder b = {0};
    kan_builder_number(&b, value);
    return kan_builder_finish(&b, 0, NULL, error);
}

kan_expression *kan_expression_copy(const kan_expression *e, kan_error *error) {
    builder b = {0};
    kan_builder_copy(&b, e->nodes, e->n_nodes - 1, NULL);
    return kan_builder_finish(&b, e->n_variables, e->variables, error);
}

size_t kan_expression_n_numbers(const kan_expression *e) {
    size_t n = 0;
    for (size_t j = 0; j < e->n_nodes; ++j) n += e->nodes[j].kind == NUMBER;
    return n;
}

/* The node of number k. */
static node *number_node(const kan_expression *e, size_t k) {
    for (size_t j = 0; j < e->n_nodes; ++j)
        if (e->nodes[j].kind == NUMBER && k-- == 0) return &e->nodes[j];
    assert(0 && "there is no such number");
    return NULL;
}

double kan_expression_number_at(const kan_expression *e, size_t k) {
    return number_node(e, k)->is.number;
}

void kan_expression_set_number(kan_expression *e, size_t k, double value) {
    number_node(e, k)->is.number = value;
}

bool kan_expression_uses(const kan_expression *e, size_t i) {
    for (size_t j = 0; j < e->n_nodes; ++j)
        if (e->nodes[j].kind == VARIABLE && e->nodes[j].is.variable == i) return true;
    return false;
}

/* ---- substitution -------------------------------------------------------------------------- */

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The place of name among names [n]; n if it is none of them. */
static size_t place_of(const char *name, size_t n, const char *const *names) {
    size_t i = 0;
    while (i < n && strcmp(name, names[i]) != 0) ++i;
    return i;
}

/* The names in result that are not by themselves replaced, and those of what replaces; sorted, each once. */
static size_t collect_names(const kan_expression *e, size_t n, const char *const *names,
                            const kan_expression *const *by, const char **result) {
    size_t m = 0, kept = 0;
    for (size_t i = 0; i < e->n_variables; ++i) {
        const size_t k = place_of(e->variables[i], n, names);
        if (k == n)
            result[m++] = e->variables[i];
        else
            for (size_t v = 0; v < by[k]->n_variables; ++v) result[m++] = by[k]->variables[v];
    }
    if (m > 0) qsort(result, m, sizeof *result, compare_names);
    for (size_t i = 0; i < m; ++i)
        if (i == 0 || strcmp(result[i], result[kept - 1]) != 0) result[kept++] = result[i];
    return kept;
}

/* Copies e's nodes; variables give way to by[], or keep their name. new_index [n_nodes]. */
static void replace(builder *b, const kan_expression *e, size_t n, const char *const *names,
                    const kan_expression *const *by, size_t n_all, const char *const *all,
                    size_t *new_index, size_t *map) {
    for (size_t j = 0; j < e->n_nodes; ++j) {
        node made = e->nodes[j];
        if (made.kind != VARIABLE) {
            for (size_t k = 0; k < made.n_children; ++k) made.child[k] = new_index[made.child[k]];
            new_index[j] = kan_builder_add(b, made);
            continue;
        }
        const char *name = e->variables[made.is.variable];
        const size_t k = place_of(name, n, names);
        if (k == n) {
            made.is.variable = place_of(name, n_all, all);
            new_index[j] = kan_builder_add(b, made);
            continue;
        }
        for (size_t v = 0; v < by[k]->n_variables; ++v)
            map[v] = place_of(by[k]->variables[v], n_all, all);
        new_index[j] = kan_builder_copy(b, by[k]->nodes, by[k]->n_nodes - 1, map);
    }
}

kan_expression *kan_expression_substitute(const kan_expression *e, size_t n, const char *const *names,
                                          const kan_expression *const *by, kan_error *error) {
    size_t most = e->n_variables;
    for (size_t k = 0; k < n; ++k) most += by[k]->n_variables;
    const char **all = malloc((most + 1) * sizeof *all);
    size_t *new_index = malloc((e->n_nodes + most + 1) * sizeof *new_index);
    kan_expression *made = NULL;
    if (all && new_index) {
        const size_t n_all = collect_names(e, n, names, by, all);
        builder b = {0};
        replace(&b, e, n, names, by, n_all, all, new_index, new_index + e->n_nodes);
        made = kan_builder_finish(&b, n_all, all, error);
    } else
        kan_status_fail(error, KAN_ENOMEM, "no memory for an expression");
    free(new_index);
    free(all);
    return made;
}
