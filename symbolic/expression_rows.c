/* symbolic/expression_rows.c - an expression at many rows, with its derivatives by its numbers.
 *
 * Reverse mode: with a_j = d y/d v_j for the value v_j of node j, a_root = 1 and, from the root down,
 *
 *     a_child += a_j d v_j/d v_child,
 *
 * so that the cost is a few times that of the values, however many numbers there are. A block of rows goes through a node
 * at once.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "symbolic/expression_private.h"

enum { BLOCK = 32 }; /* rows at once */

/* The values of node j for m rows x; those of other nodes stand at v[BLOCK * node]. */
static void block_value(const kan_expression *e, size_t j, size_t m, const double *x, const double *a,
                        const double *b, double *restrict y) {
    const node *n = &e->nodes[j];
    switch (n->kind) {
    case NUMBER:
        for (size_t s = 0; s < m; ++s) y[s] = n->is.number;
        break;
    case CONSTANT:
        for (size_t s = 0; s < m; ++s) y[s] = n->is.constant->value;
        break;
    case VARIABLE:
        for (size_t s = 0; s < m; ++s) y[s] = x[s * e->n_variables + n->is.variable];
        break;
    case ADD:
        for (size_t s = 0; s < m; ++s) y[s] = a[s] + b[s];
        break;
    case SUBTRACT:
        for (size_t s = 0; s < m; ++s) y[s] = a[s] - b[s];
        break;
    case MULTIPLY:
        for (size_t s = 0; s < m; ++s) y[s] = a[s] * b[s];
        break;
    case DIVIDE:
        for (size_t s = 0; s < m; ++s) y[s] = a[s] / b[s];
        break;
    default:
        for (size_t s = 0; s < m; ++s) {
            const double v[2] = {a[s], n->n_children == 2 ? b[s] : 0.0};
            y[s] = kan_expression_apply(n, v);
        }
    }
}

/* Values of all nodes, v [n_nodes][BLOCK], for m rows. */
static void block_values(const kan_expression *e, size_t m, const double *x, double *v) {
    for (size_t j = 0; j < e->n_nodes; ++j) {
        const node *n = &e->nodes[j];
        block_value(e, j, m, x, v + BLOCK * n->child[0], v + BLOCK * n->child[1], v + BLOCK * j);
    }
}

/* Derivatives of node n by its children at their values v: d[0], and d[1] if there are two. */
static void node_slopes(const node *n, double y, const double v[2], double d[2]) {
    switch (n->kind) {
    case NEGATE: d[0] = -1.0; break;
    case ADD: d[0] = d[1] = 1.0; break;
    case SUBTRACT: d[0] = 1.0, d[1] = -1.0; break;
    case MULTIPLY: d[0] = v[1], d[1] = v[0]; break;
    case DIVIDE: d[0] = 1.0 / v[1], d[1] = -y / v[1]; break;
    case POWER: kan_expression_power_slopes(v[0], v[1], d); break;
    case CALL:
        if (n->n_children == 1)
            d[0] = n->is.call.row->d1(v[0]);
        else
            kan_expression_slopes_2(&n->is.call, v[0], v[1], d);
        break;
    default: break;
    }
}

/* a_child += a_j d v_j/d v_child for the children with numbers. A factor 0 ends a path: what is infinite below it does not
 * count. */
static void block_adjoint(const kan_expression *e, size_t j, size_t m, const double *v,
                          double *adjoint) {
    const node *n = &e->nodes[j];
    const double *a = v + BLOCK * n->child[0], *b = v + BLOCK * n->child[1];
    const bool fixed = n->kind == POWER && !e->nodes[n->child[1]].has_number;
    for (size_t s = 0; s < m; ++s) {
        const double up = adjoint[BLOCK * j + s], values[2] = {a[s], n->n_children == 2 ? b[s] : 0.0};
        double d[2] = {0.0, 0.0};
        assert(n->n_children <= 2);
        if (up == 0.0) continue;
        if (fixed)
            d[0] = values[1] * kan_expression_power(values[0], values[1] - 1.0);
        else
            node_slopes(n, v[BLOCK * j + s], values, d);
        for (size_t k = 0; k < n->n_children; ++k)
            if (e->nodes[n->child[k]].has_number) adjoint[BLOCK * n->child[k] + s] += up * d[k];
    }
}

size_t kan_expression_work_size(const kan_expression *e) {
    return 2 * BLOCK * e->n_nodes;
}

void kan_expression_eval_rows(const kan_expression *e, size_t n, const double *x, double *y,
                              double *work) {
    for (size_t first = 0; first < n; first += BLOCK) {
        const size_t m = n - first < BLOCK ? n - first : BLOCK;
        block_values(e, m, x + first * e->n_variables, work);
        memcpy(y + first, work + BLOCK * (e->n_nodes - 1), m * sizeof *y);
    }
}

void kan_expression_jacobian(const kan_expression *e, size_t n, const double *x, double *y, double *J,
                             double *work) {
    const size_t n_numbers = kan_expression_n_numbers(e), root = e->n_nodes - 1;
    double *adjoint = work + BLOCK * e->n_nodes;
    for (size_t first = 0; first < n; first += BLOCK) {
        const size_t m = n - first < BLOCK ? n - first : BLOCK;
        block_values(e, m, x + first * e->n_variables, work);
        memcpy(y + first, work + BLOCK * root, m * sizeof *y);
        memset(adjoint, 0, BLOCK * e->n_nodes * sizeof *adjoint);
        for (size_t s = 0; s < m; ++s) adjoint[BLOCK * root + s] = 1.0;
        for (size_t j = e->n_nodes; j-- > 0;)
            if (e->nodes[j].n_children > 0 && e->nodes[j].has_number)
                block_adjoint(e, j, m, work, adjoint);
        for (size_t j = 0, k = 0; j < e->n_nodes; ++j) {
            if (e->nodes[j].kind != NUMBER) continue;
            for (size_t s = 0; s < m; ++s) J[(first + s) * n_numbers + k] = adjoint[BLOCK * j + s];
            ++k;
        }
    }
}

/* ---- extended precision ---------------------------------------------------------------------- */

static long double apply_long(const node *n, const long double *v) {
    switch (n->kind) {
    case NEGATE: return -v[0];
    case ADD: return v[0] + v[1];
    case SUBTRACT: return v[0] - v[1];
    case MULTIPLY: return v[0] * v[1];
    case DIVIDE: return v[0] / v[1];
    case POWER: return v[1] == 2.0L ? v[0] * v[0] : powl(v[0], v[1]);
    default: break;
    }
    const function *f = &n->is.call;
    if (f->row) return f->row->f_long ? f->row->f_long(v[0]) : f->row->f((double)v[0]);
    return f->row2 ? f->row2->f_long(v[0], v[1]) : f->f2((double)v[0], (double)v[1]);
}

long double kan_expression_eval_long(const kan_expression *e, const long double *x) {
    long double stack[MAX_STACK];
    size_t top = 0;
    for (size_t j = 0; j < e->n_nodes; ++j) {
        const node *n = &e->nodes[j];
        long double value;
        switch (n->kind) {
        case NUMBER: value = n->is.number; break;
        case CONSTANT: value = n->is.constant->value_long; break;
        case VARIABLE: value = x[n->is.variable]; break;
        default: top -= n->n_children; value = apply_long(n, stack + top);
        }
        assert(top < MAX_STACK);
        stack[top++] = value;
    }
    assert(top == 1);
    return stack[0];
}
