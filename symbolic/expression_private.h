/* symbolic/expression_private.h - the tree behind symbolic/expression.h; private to the folder.
 *
 * The nodes stand in the order in which a calculator with a stack takes them: children before parents, the
 * first child's nodes before the second's. So the array is a tree and a program at once, and the nodes of a
 * subtree are neighbours, its root the last of them.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_SYMBOLIC_EXPRESSION_PRIVATE_H
#define KAN_SYMBOLIC_EXPRESSION_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include "symbolic/expression.h"
#include "symbolic/function_private.h"

/* A function of two variables; forms and slopes are those of kan_function, the arguments "%" and "#". */
typedef struct function_2 {
    const char *name;
    double (*f)(double a, double b);
    long double (*f_long)(long double a, long double b);
    void (*slopes)(double a, double b, double d[2]); /* d f/da, d f/db */
    const char *slope[2];
    const char *c, *latex, *sympy;
} function_2;

typedef struct constant {
    const char *name;
    double value;
    long double value_long;
    const char *c, *latex, *sympy;
} constant;

typedef struct function {
    size_t arity;
    const char *name;
    const kan_function *row;      /* where arity is 1 */
    double (*f2)(double, double); /* where arity is 2 */
    const function_2 *row2;       /* NULL: one of symbolic/special.h */
} function;

typedef enum node_kind {
    NUMBER,
    CONSTANT,
    VARIABLE,
    NEGATE,
    ADD,
    SUBTRACT,
    MULTIPLY,
    DIVIDE,
    POWER,
    CALL
} node_kind;

typedef struct node {
    node_kind kind;
    size_t n_children, child[2]; /* indices of nodes */
    bool has_number;             /* a number is in its subtree */
    union {
        double number;
        const constant *constant;
        size_t variable; /* its number; while parsing, where its name starts in the text */
        function call;
    } is;
} node;

/* For assertions: it has as many children as its kind takes. */
static inline bool kan_node_is_complete(const node *n) {
    switch (n->kind) {
    case NUMBER:
    case CONSTANT:
    case VARIABLE: return n->n_children == 0;
    case NEGATE: return n->n_children == 1;
    case CALL: return n->n_children == n->is.call.arity;
    default: return n->n_children == 2;
    }
}

struct kan_expression {
    char *text; /* the names of the variables stand in it, each ended by NUL */
    node *nodes;
    size_t n_nodes;
    const char **variables; /* into text */
    size_t n_variables;
};

enum {
    MAX_NESTING = 200,
    /* Values that wait at one level of nesting: at most the left operands of a sum and of a product,
     * and the first argument of a call or the base of a power; and one at the innermost. */
    MAX_STACK = 3 * (MAX_NESTING + 1) + 1
};

/* ---- expression_table.c: the names that formulas know ------------------------------------------ */

/* The function of that name, in *found; false if there is none. */
bool kan_expression_find_function(const char *name, size_t length, function *found);

/* The constant of that name, or NULL. */
const constant *kan_expression_find_constant(const char *name, size_t length);

/* a^b, as every evaluation takes it; and its derivatives. */
double kan_expression_power(double a, double b);
void kan_expression_power_slopes(double a, double b, double d[2]);

/* d f/da and d f/db of a function of two variables: by rule, or by differences where there is none. */
void kan_expression_slopes_2(const function *f, double a, double b, double d[2]);

/* ---- expression.c ------------------------------------------------------------------------------ */

/* The operator or function of a node at its children's values v[0] and, if there are two, v[1]. */
double kan_expression_apply(const node *n, const double *v);

/* ---- expression_build.c: trees that are made, not parsed --------------------------------------- */

/* A growing array of nodes. When memory fails, `failed` is set and what is added is lost. */
typedef struct builder {
    node *nodes;
    size_t n, room;
    bool failed;
} builder;

/* Each appends a node, or a subtree, and returns the index of its root. */
size_t kan_builder_add(builder *b, node made);
size_t kan_builder_number(builder *b, double value);
size_t kan_builder_operator(builder *b, node_kind kind, size_t left, size_t right);
size_t kan_builder_negate(builder *b, size_t value);
size_t kan_builder_call(builder *b, const function *f, size_t first, size_t second);
/* A copy of the subtree of `nodes` whose root is number `root`; variable i becomes variable map[i], or stays i where map
 * is NULL. */
size_t kan_builder_copy(builder *b, const node *nodes, size_t root, const size_t *map);

/* Where the subtree with that root starts. */
size_t kan_expression_start(const node *nodes, size_t root);

/* The expression of all the builder's nodes (its last is the root), whose variables are names [n], sorted and
 * unlike each other; frees the builder's memory in any case. NULL: KAN_ENOMEM, or KAN_EFORMAT when it is nested too
 * deep to be evaluated. */
kan_expression *kan_builder_finish(builder *b, size_t n, const char *const *names, kan_error *error);

#endif
