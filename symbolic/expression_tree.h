/* symbolic/expression_tree.h - an expression as a tree to be read; for all folders of the library.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_SYMBOLIC_EXPRESSION_TREE_H
#define KAN_SYMBOLIC_EXPRESSION_TREE_H

#include <stddef.h>

#include "symbolic/expression.h"
#include "symbolic/function.h"

typedef enum kan_part_kind {
    KAN_NUMBER, /* a constant too */
    KAN_VARIABLE,
    KAN_NEGATE,
    KAN_ADD,
    KAN_SUBTRACT,
    KAN_MULTIPLY,
    KAN_DIVIDE,
    KAN_POWER,
    KAN_CALL
} kan_part_kind;

/* One node of the tree. */
typedef struct kan_part {
    kan_part_kind kind;
    size_t n_children, child[2]; /* numbers of parts */
    double number;               /* of KAN_NUMBER                                       */
    size_t variable;             /* of KAN_VARIABLE: its number                         */
    const kan_function *f;       /* of KAN_CALL with one argument                       */
    const char *name;            /* of KAN_CALL                                         */
} kan_part;

/* The parts of e, children before parents, the root last. */
size_t kan_expression_n_parts(const kan_expression *e);
kan_part kan_expression_part(const kan_expression *e, size_t j);

#endif
