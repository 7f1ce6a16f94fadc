/* symbolic/expression_term.h - the normal form of formulas; private to the folder.
 *
 *     sum      c_0 + t_1 + t_2 + ..      the t sorted, no two alike but for their coefficient
 *     product  c f_1 f_2 ..              the f sorted, no two powers of one base
 *     power    b^e                       exp(u) is the power e^u, sqrt(u) is u^0.5, 1/u is u^-1
 *
 * Every function below takes terms in normal form and returns such a term. Terms live in their arena, and are never
 * changed once made, so that they may be shared.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_SYMBOLIC_EXPRESSION_TERM_H
#define KAN_SYMBOLIC_EXPRESSION_TERM_H

#include "symbolic/expression_private.h"

typedef enum term_kind {
    T_NUMBER,
    T_CONSTANT,
    T_VARIABLE,
    T_CALL,
    T_SUM,
    T_POWER,
    T_PRODUCT
} term_kind;

typedef struct term term;
struct term {
    term_kind kind;
    double number; /* its value; of a sum what is added; of a product the coefficient */
    const constant *constant;
    size_t variable;
    function call;
    term *next; /* of the arena */
    size_t n;
    const term **child; /* [n]; of a power: base and exponent */
};

typedef struct term_arena {
    term *first;
    bool failed; /* no memory: all that was made since is nonsense */
    term nothing;
} term_arena;

void kan_term_free(term_arena *arena);

const term *kan_term_number(term_arena *arena, double value);
const term *kan_term_constant(term_arena *arena, const constant *c);
const term *kan_term_variable(term_arena *arena, size_t variable);
const term *kan_term_add(term_arena *arena, const term *a, const term *b);
const term *kan_term_scale(term_arena *arena, const term *a, double by);
const term *kan_term_subtract(term_arena *arena, const term *a, const term *b);
const term *kan_term_multiply(term_arena *arena, const term *a, const term *b);
const term *kan_term_divide(term_arena *arena, const term *a, const term *b);
const term *kan_term_power(term_arena *arena, const term *b, const term *e);
const term *kan_term_call(term_arena *arena, const function *f, const term *const *arguments);

/* A total order; 0 where both are the same. */
int kan_term_compare(const term *a, const term *b);

/* Appends the nodes of the term. */
size_t kan_term_emit(const term *t, builder *b);

#endif
