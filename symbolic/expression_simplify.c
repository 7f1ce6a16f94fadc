/* symbolic/expression_simplify.c - from nodes to the normal form and back; derivatives.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "symbolic/expression_term.h"

/* ---- from terms to nodes ------------------------------------------------------------------------- */

/* p and q where c is the quotient of two small whole numbers and no short decimal; q = 1 otherwise. */
static void as_fraction(double c, double *p, double *q) {
    *p = c;
    *q = 1.0;
    if (c * 1000.0 == floor(c * 1000.0)) return;
    for (double d = 3.0; d <= 99.0; d += 1.0) {
        const double n = round(c * d);
        if (n != 0.0 && fabs(n) < 1000.0 && n / d == c) {
            *p = n;
            *q = d;
            return;
        }
    }
}

static size_t emit_call(const char *name, const term *u, builder *b) {
    function f;
    const bool known = kan_expression_find_function(name, strlen(name), &f);
    assert(known);
    (void)known;
    return kan_builder_call(b, &f, kan_term_emit(u, b), 0);
}

/* base^n, n > 0 */
static size_t emit_numeric_power(const term *base, double n, builder *b) {
    if (n == 1.0) return kan_term_emit(base, b);
    if (n == 0.5) return emit_call("sqrt", base, b);
    const size_t left = kan_term_emit(base, b);
    return kan_builder_operator(b, POWER, left, kan_builder_number(b, n));
}

static bool is_exponential(const term *t) {
    return t->kind == T_POWER && t->child[0]->kind == T_CONSTANT &&
           strcmp(t->child[0]->constant->name, "e") == 0;
}

/* The exponent if it is a number below 0, by which the factor stands below the line; or else 0. */
static double below_line(const term *t) {
    if (t->kind != T_POWER || is_exponential(t) || t->child[1]->kind != T_NUMBER) return 0.0;
    return fmin(t->child[1]->number, 0.0);
}

/* The factors above or below the line, started by the number unless it is 1. */
static size_t emit_factors(const term *t, bool below, double number, builder *b) {
    const size_t n = t->kind == T_PRODUCT ? t->n : 1;
    size_t made = 0;
    bool any = number != 1.0;
    if (any) made = kan_builder_number(b, number);
    for (size_t i = 0; i < n; ++i) {
        const term *f = t->kind == T_PRODUCT ? t->child[i] : t;
        if ((below_line(f) != 0.0) != below) continue;
        const size_t right = below ? emit_numeric_power(f->child[0], -below_line(f), b)
                                   : kan_term_emit(f, b);
        made = any ? kan_builder_operator(b, MULTIPLY, made, right) : right;
        any = true;
    }
    return any ? made : kan_builder_number(b, 1.0);
}

/* A product, or a power below the line, with the sign of its coefficient left out. */
static size_t emit_product(const term *t, builder *b) {
    double p, q;
    bool below = false;
    as_fraction(fabs(t->kind == T_PRODUCT ? t->number : 1.0), &p, &q);
    for (size_t i = 0; i < (t->kind == T_PRODUCT ? t->n : 1); ++i)
        below |= below_line(t->kind == T_PRODUCT ? t->child[i] : t) != 0.0;
    const size_t above = emit_factors(t, false, p, b);
    if (!below && q == 1.0) return above;
    return kan_builder_operator(b, DIVIDE, above,
                                below ? emit_factors(t, true, q, b) : kan_builder_number(b, q));
}

static size_t emit_number(double v, builder *b) {
    double p, q;
    as_fraction(v, &p, &q);
    const size_t above = kan_builder_number(b, p);
    return q == 1.0 ? above : kan_builder_operator(b, DIVIDE, above, kan_builder_number(b, q));
}

static bool has_minus(const term *t) {
    return (t->kind == T_PRODUCT || t->kind == T_NUMBER) && t->number < 0.0;
}

/* t without its sign. */
static size_t emit_size(const term *t, builder *b) {
    if (t->kind == T_NUMBER) return emit_number(fabs(t->number), b);
    return t->kind == T_PRODUCT ? emit_product(t, b) : kan_term_emit(t, b);
}

static size_t emit_sum(const term *t, builder *b) {
    size_t first = 0, made = 0; /* start with something positive if there is any */
    while (first < t->n && has_minus(t->child[first])) ++first;
    bool any = false, number_done = t->number == 0.0;
    if (first == t->n && t->number > 0.0) {
        made = emit_number(t->number, b);
        any = number_done = true;
    } else if (first < t->n) {
        made = kan_term_emit(t->child[first], b);
        any = true;
    }
    for (size_t i = 0; i < t->n; ++i) {
        if (i == first) continue;
        const bool minus = has_minus(t->child[i]);
        const size_t right = any ? emit_size(t->child[i], b) : kan_term_emit(t->child[i], b);
        made = any ? kan_builder_operator(b, minus ? SUBTRACT : ADD, made, right) : right;
        any = true;
    }
    if (number_done) return made;
    const size_t right = emit_number(fabs(t->number), b);
    return kan_builder_operator(b, t->number < 0.0 ? SUBTRACT : ADD, made, right);
}

static size_t emit_power(const term *t, builder *b) {
    if (is_exponential(t)) return emit_call("exp", t->child[1], b);
    if (t->child[1]->kind == T_NUMBER && t->child[1]->number > 0.0)
        return emit_numeric_power(t->child[0], t->child[1]->number, b);
    if (below_line(t) != 0.0) return emit_product(t, b);
    const size_t left = kan_term_emit(t->child[0], b);
    return kan_builder_operator(b, POWER, left, kan_term_emit(t->child[1], b));
}

size_t kan_term_emit(const term *t, builder *b) {
    switch (t->kind) {
    case T_NUMBER: return emit_number(t->number, b);
    case T_CONSTANT: return kan_builder_add(b, (node){.kind = CONSTANT, .is.constant = t->constant});
    case T_VARIABLE: return kan_builder_add(b, (node){.kind = VARIABLE, .is.variable = t->variable});
    case T_SUM: return emit_sum(t, b);
    case T_POWER: return emit_power(t, b);
    case T_PRODUCT: {
        const size_t made = emit_product(t, b);
        return has_minus(t) ? kan_builder_negate(b, made) : made;
    }
    case T_CALL: break;
    }
    const size_t first = kan_term_emit(t->child[0], b);
    return kan_builder_call(b, &t->call, first, t->n == 2 ? kan_term_emit(t->child[1], b) : 0);
}

/* ---- from nodes to terms ------------------------------------------------------------------------- */

/* A value and its derivative by one variable (slope is NULL while nobody asks for it). */
typedef struct dual {
    const term *value, *slope;
} dual;

static const term *operator_value(term_arena *arena, const node *n, const dual *v) {
    switch (n->kind) {
    case NEGATE: return kan_term_scale(arena, v[0].value, -1.0);
    case ADD: return kan_term_add(arena, v[0].value, v[1].value);
    case SUBTRACT: return kan_term_subtract(arena, v[0].value, v[1].value);
    case MULTIPLY: return kan_term_multiply(arena, v[0].value, v[1].value);
    case DIVIDE: return kan_term_divide(arena, v[0].value, v[1].value);
    case POWER: return kan_term_power(arena, v[0].value, v[1].value);
    default: break;
    }
    const term *arguments[2] = {v[0].value, n->n_children == 2 ? v[1].value : NULL};
    return kan_term_call(arena, &n->is.call, arguments);
}

static const term *leaf_value(term_arena *arena, const node *n, const term *const *variables) {
    if (n->kind == NUMBER) return kan_term_number(arena, n->is.number);
    if (n->kind == CONSTANT) return kan_term_constant(arena, n->is.constant);
    return variables ? variables[n->is.variable] : kan_term_variable(arena, n->is.variable);
}

/* The value of e as a term, its variables being the terms given. */
static const term *value_of(term_arena *arena, const kan_expression *e, const term *const *variables) {
    dual stack[MAX_STACK];
    size_t top = 0;
    for (size_t j = 0; j < e->n_nodes; ++j) {
        const node *n = &e->nodes[j];
        assert(kan_node_is_complete(n) && top >= n->n_children);
        top -= n->n_children;
        stack[top].value = n->n_children ? operator_value(arena, n, stack + top)
                                         : leaf_value(arena, n, variables);
        ++top;
    }
    assert(top == 1);
    return stack[0].value;
}

/* The text of a slope at arguments u[]; NULL with a message where there is none. */
static const term *slope_at(term_arena *arena, const char *slope, const dual *v, kan_error *error) {
    char text[200];
    size_t n = 0;
    for (; *slope; ++slope) text[n++] = *slope == '%' ? 'u' : *slope == '#' ? 'v' : *slope;
    text[n] = '\0';
    kan_expression *e = kan_expression_parse(text, error);
    if (!e) return NULL;
    const term *variables[2] = {NULL, NULL};
    for (size_t i = 0; i < e->n_variables; ++i) variables[i] = v[*e->variables[i] - 'u'].value;
    const term *made = value_of(arena, e, variables);
    kan_expression_free(e);
    return made;
}

static bool is_zero(const term *t) {
    assert(t);
    return t->kind == T_NUMBER && t->number == 0.0;
}

/* sum_k d f/d v_k v_k' */
static const term *call_slope(term_arena *arena, const function *f, const dual *v, kan_error *error) {
    const term *sum = kan_term_number(arena, 0.0);
    for (size_t k = 0; k < f->arity; ++k) {
        if (is_zero(v[k].slope)) continue;
        const char *slope = f->row ? f->row->slope : f->row2 ? f->row2->slope[k] : NULL;
        if (!slope) {
            kan_status_fail(error, KAN_EFORMAT, "the derivative of %s is no formula", f->name);
            return NULL;
        }
        const term *outer = slope_at(arena, slope, v, error);
        if (!outer) return NULL;
        sum = kan_term_add(arena, sum, kan_term_multiply(arena, outer, v[k].slope));
    }
    return sum;
}

/* (a^b)' = b a^(b-1) a' + a^b log(a) b' */
static const term *power_slope(term_arena *arena, const term *made, const dual *v) {
    const term *a = v[0].value, *b = v[1].value, *one = kan_term_number(arena, 1.0);
    const term *lower = kan_term_power(arena, a, kan_term_subtract(arena, b, one));
    const term *sum = kan_term_multiply(arena, kan_term_multiply(arena, b, lower), v[0].slope);
    if (is_zero(v[1].slope)) return sum;
    function log_function;
    kan_expression_find_function("log", 3, &log_function);
    const term *logarithm = kan_term_multiply(arena, made, kan_term_call(arena, &log_function, &a));
    return kan_term_add(arena, sum, kan_term_multiply(arena, logarithm, v[1].slope));
}

static const term *operator_slope(term_arena *arena, const node *n, const term *made, const dual *v,
                                  kan_error *error) {
    switch (n->kind) {
    case NEGATE: return kan_term_scale(arena, v[0].slope, -1.0);
    case ADD: return kan_term_add(arena, v[0].slope, v[1].slope);
    case SUBTRACT: return kan_term_subtract(arena, v[0].slope, v[1].slope);
    case MULTIPLY:
        return kan_term_add(arena, kan_term_multiply(arena, v[0].slope, v[1].value),
                            kan_term_multiply(arena, v[0].value, v[1].slope));
    case DIVIDE: /* (a/b)' = (a' - (a/b) b')/b */
        return kan_term_divide(
            arena, kan_term_subtract(arena, v[0].slope, kan_term_multiply(arena, made, v[1].slope)),
            v[1].value);
    case POWER: return power_slope(arena, made, v);
    default: return call_slope(arena, &n->is.call, v, error);
    }
}

static const term *slope_of(term_arena *arena, const kan_expression *e, size_t variable,
                            kan_error *error) {
    dual stack[MAX_STACK] = {{.value = NULL}};
    size_t top = 0;
    for (size_t j = 0; j < e->n_nodes; ++j) {
        const node *n = &e->nodes[j];
        dual made;
        assert(kan_node_is_complete(n) && top >= n->n_children);
        top -= n->n_children;
        if (n->n_children == 0) {
            made.value = leaf_value(arena, n, NULL);
            made.slope = kan_term_number(arena, n->kind == VARIABLE && n->is.variable == variable);
        } else {
            made.value = operator_value(arena, n, stack + top);
            made.slope = operator_slope(arena, n, made.value, stack + top, error);
        }
        if (!made.slope) return NULL;
        stack[top++] = made;
    }
    assert(top == 1);
    return stack[0].slope;
}

/* ---- public functions ------------------------------------------------------------------------------ */

/* The expression of a term, with the variables of e. The arena goes. */
static kan_expression *finish(term_arena *arena, const term *t, const kan_expression *e,
                              kan_error *error) {
    kan_expression *made = NULL;
    builder b = {0};
    if (t && !arena->failed) {
        kan_term_emit(t, &b);
        made = kan_builder_finish(&b, e->n_variables, e->variables, error);
    } else if (t)
        kan_status_fail(error, KAN_ENOMEM, "no memory to simplify an expression of %zu nodes",
                        e->n_nodes);
    kan_term_free(arena);
    return made;
}

kan_expression *kan_expression_simplify(const kan_expression *e, kan_error *error) {
    term_arena arena = {0};
    return finish(&arena, value_of(&arena, e, NULL), e, error);
}

kan_expression *kan_expression_derivative(const kan_expression *e, size_t i, kan_error *error) {
    assert(i < e->n_variables && "there is no such variable");
    term_arena arena = {0};
    return finish(&arena, slope_of(&arena, e, i, error), e, error);
}
