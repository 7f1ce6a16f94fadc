/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "symbolic/expression.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "symbolic/expression_private.h"

void kan_expression_free(kan_expression *e) {
    if (!e) return;
    free(e->variables);
    free(e->nodes);
    free(e->text);
    free(e);
}

size_t kan_expression_n_variables(const kan_expression *e) {
    return e->n_variables;
}

const char *kan_expression_variable(const kan_expression *e, size_t i) {
    assert(i < e->n_variables && "there is no such variable");
    return e->variables[i];
}

double kan_expression_apply(const node *n, const double *v) {
    switch (n->kind) {
    case NEGATE: return -v[0];
    case ADD: return v[0] + v[1];
    case SUBTRACT: return v[0] - v[1];
    case MULTIPLY: return v[0] * v[1];
    case DIVIDE: return v[0] / v[1];
    case POWER: return kan_expression_power(v[0], v[1]);
    case CALL: return n->n_children == 1 ? n->is.call.row->f(v[0]) : n->is.call.f2(v[0], v[1]);
    default: return NAN; /* the leaves are kan_expression_eval's */
    }
}

double kan_expression_eval(const kan_expression *e, const double *x) {
    double stack[MAX_STACK];
    size_t top = 0;
    for (size_t j = 0; j < e->n_nodes; ++j) {
        const node *n = &e->nodes[j];
        double value;
        switch (n->kind) {
        case NUMBER: value = n->is.number; break;
        case CONSTANT: value = n->is.constant->value; break;
        case VARIABLE: value = x[n->is.variable]; break;
        default: top -= n->n_children; value = kan_expression_apply(n, stack + top);
        }
        assert(top < MAX_STACK);
        stack[top++] = value;
    }
    assert(top == 1);
    return stack[0];
}
