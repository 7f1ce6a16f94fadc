/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "symbolic/expression_tree.h"

#include "symbolic/expression_private.h"

size_t kan_expression_n_parts(const kan_expression *e) {
    return e->n_nodes;
}

kan_part kan_expression_part(const kan_expression *e, size_t j) {
    static const kan_part_kind kinds[] = {
        [NUMBER] = KAN_NUMBER, [CONSTANT] = KAN_NUMBER,   [VARIABLE] = KAN_VARIABLE,
        [NEGATE] = KAN_NEGATE, [ADD] = KAN_ADD,           [SUBTRACT] = KAN_SUBTRACT,
        [DIVIDE] = KAN_DIVIDE, [MULTIPLY] = KAN_MULTIPLY, [POWER] = KAN_POWER,
        [CALL] = KAN_CALL};
    const node *n = &e->nodes[j];
    kan_part p = {
        .kind = kinds[n->kind], .n_children = n->n_children, .child = {n->child[0], n->child[1]}};
    switch (n->kind) {
    case NUMBER: p.number = n->is.number; break;
    case CONSTANT: p.number = n->is.constant->value; break;
    case VARIABLE: p.variable = n->is.variable; break;
    case CALL:
        p.f = n->is.call.row;
        p.name = n->is.call.name;
        break;
    default: break;
    }
    return p;
}
