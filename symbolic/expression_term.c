/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "symbolic/expression_term.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const term ONE = {.kind = T_NUMBER, .number = 1.0};

/* ---- making terms ------------------------------------------------------------------------------ */

static term *make(term_arena *arena, term_kind kind, size_t n) {
    term *t = arena->failed ? NULL : calloc(1, sizeof *t + n * sizeof *t->child);
    if (!t) {
        arena->failed = true;
        arena->nothing = (term){.kind = T_NUMBER};
        return &arena->nothing;
    }
    t->kind = kind;
    t->n = n;
    t->child = (const term **)(t + 1);
    t->next = arena->first;
    arena->first = t;
    return t;
}

void kan_term_free(term_arena *arena) {
    for (term *t = arena->first, *next; t; t = next) {
        next = t->next;
        free(t);
    }
    arena->first = NULL;
}

const term *kan_term_number(term_arena *arena, double value) {
    term *t = make(arena, T_NUMBER, 0);
    t->number = value;
    return t;
}

const term *kan_term_constant(term_arena *arena, const constant *c) {
    term *t = make(arena, T_CONSTANT, 0);
    t->constant = c;
    return t;
}

const term *kan_term_variable(term_arena *arena, size_t variable) {
    term *t = make(arena, T_VARIABLE, 0);
    t->variable = variable;
    return t;
}

/* A sum or product of children [n] with the number given, no more than that. */
static const term *make_list(term_arena *arena, term_kind kind, double number, size_t n,
                             const term *const *child) {
    const double neutral = kind == T_SUM ? 0.0 : 1.0;
    if (n == 0) return kan_term_number(arena, number);
    if (n == 1 && number == neutral) return child[0];
    term *t = make(arena, kind, n);
    t->number = number;
    if (t->n == n) memcpy(t->child, child, n * sizeof *child);
    return t;
}

static const term *make_power(term_arena *arena, const term *b, const term *e) {
    term *t = make(arena, T_POWER, 2);
    if (t->n == 2) t->child[0] = b, t->child[1] = e;
    return t;
}

static bool is_whole(double v) {
    return fabs(v) < 0x1p53 && v == floor(v);
}

static bool is_even(double v) {
    return is_whole(v) && is_whole(v / 2.0);
}

static bool is_e(const term *t) {
    return t->kind == T_CONSTANT && strcmp(t->constant->name, "e") == 0;
}

static bool is_call(const term *t, const char *name) {
    return t->kind == T_CALL && strcmp(t->call.name, name) == 0;
}

/* ---- order ------------------------------------------------------------------------------------- */

/* Any term as a product of powers. */
static size_t n_factors(const term *t) {
    return t->kind == T_PRODUCT ? t->n : 1;
}

static const term *factor(const term *t, size_t i) {
    return t->kind == T_PRODUCT ? t->child[i] : t;
}

static const term *base_of(const term *t) {
    return t->kind == T_POWER ? t->child[0] : t;
}

static const term *exponent_of(const term *t) {
    return t->kind == T_POWER ? t->child[1] : &ONE;
}

static double coefficient(const term *t) {
    return t->kind == T_PRODUCT ? t->number : 1.0;
}

static int compare_numbers(double a, double b) {
    return (a > b) - (a < b);
}

/* Where a base stands: as its kind, but e, the base of exponentials, among the calls. */
static int rank(const term *t) {
    return is_e(t) ? T_CALL : (int)t->kind;
}

/* Of bases, by kind and then by what they hold. */
static int compare_bases(const term *a, const term *b) {
    if (rank(a) != rank(b)) return rank(a) < rank(b) ? -1 : 1;
    if (a->kind != b->kind) return a->kind < b->kind ? -1 : 1; /* e and a call */
    int order = 0;
    switch (a->kind) {
    case T_NUMBER: return compare_numbers(a->number, b->number);
    case T_CONSTANT: return strcmp(a->constant->name, b->constant->name);
    case T_VARIABLE: return (a->variable > b->variable) - (a->variable < b->variable);
    case T_CALL: order = strcmp(a->call.name, b->call.name); break;
    case T_SUM: order = compare_numbers((double)a->n, (double)b->n); break;
    default: return kan_term_compare(a, b);
    }
    for (size_t i = 0; i < a->n && order == 0; ++i) order = kan_term_compare(a->child[i], b->child[i]);
    return order ? order : compare_numbers(a->number, b->number);
}

/* Without coefficients: factor by factor, high powers first, and longer products before shorter ones. */
static int compare_monomials(const term *a, const term *b) {
    const size_t n = n_factors(a), m = n_factors(b);
    for (size_t i = 0; i < n && i < m; ++i) {
        const term *f = factor(a, i), *g = factor(b, i);
        int order = compare_bases(base_of(f), base_of(g));
        if (order == 0 && (f->kind == T_POWER || g->kind == T_POWER))
            order = kan_term_compare(exponent_of(g), exponent_of(f));
        if (order) return order;
    }
    return (n < m) - (n > m);
}

int kan_term_compare(const term *a, const term *b) {
    const int order = compare_monomials(a, b);
    return order ? order : compare_numbers(coefficient(a), coefficient(b));
}

/* ---- sums ---------------------------------------------------------------------------------------- */

/* t with another coefficient. */
static const term *with_coefficient(term_arena *arena, const term *t, double c) {
    if (c == coefficient(t)) return t;
    if (t->kind == T_PRODUCT) return make_list(arena, T_PRODUCT, c, t->n, t->child);
    return make_list(arena, T_PRODUCT, c, 1, &t);
}

const term *kan_term_scale(term_arena *arena, const term *a, double by) {
    if (a->kind == T_NUMBER) return kan_term_number(arena, a->number * by);
    if (by == 0.0) return kan_term_number(arena, 0.0);
    if (a->kind != T_SUM) return with_coefficient(arena, a, coefficient(a) * by);
    const term **child = malloc(a->n * sizeof *child);
    arena->failed |= !child;
    for (size_t i = 0; i < a->n && child; ++i)
        child[i] = with_coefficient(arena, a->child[i], coefficient(a->child[i]) * by);
    const term *made = child ? make_list(arena, T_SUM, a->number * by, a->n, child) : a;
    free(child);
    return made;
}

/* Any term as what is added to a number. */
static size_t n_addends(const term *t) {
    return t->kind == T_SUM ? t->n : t->kind == T_NUMBER ? 0 : 1;
}

static const term *addend(const term *t, size_t i) {
    return t->kind == T_SUM ? t->child[i] : t;
}

/* Merges two sorted lists; what is alike is added, what cancels goes. */
const term *kan_term_add(term_arena *arena, const term *a, const term *b) {
    const size_t n = n_addends(a), m = n_addends(b);
    const term **child = malloc((n + m + 1) * sizeof *child);
    if (!child) {
        arena->failed = true;
        return a;
    }
    double number = 0.0;
    if (a->kind == T_SUM || a->kind == T_NUMBER) number += a->number;
    if (b->kind == T_SUM || b->kind == T_NUMBER) number += b->number;
    size_t i = 0, j = 0, k = 0;
    while (i < n || j < m) {
        const term *f = i < n ? addend(a, i) : NULL, *g = j < m ? addend(b, j) : NULL;
        const int order = !g ? -1 : !f ? 1 : compare_monomials(f, g);
        if (order == 0) {
            const double c = coefficient(f) + coefficient(g);
            if (c != 0.0) child[k++] = with_coefficient(arena, f, c);
        } else
            child[k++] = order < 0 ? f : g;
        i += order <= 0;
        j += order >= 0;
    }
    const term *made = make_list(arena, T_SUM, number, k, child);
    free(child);
    /* 1*x + 0: a product of one factor with the coefficient 1 is that factor */
    return made;
}

const term *kan_term_subtract(term_arena *arena, const term *a, const term *b) {
    return kan_term_add(arena, a, kan_term_scale(arena, b, -1.0));
}

/* ---- products ------------------------------------------------------------------------------------ */

static bool is_negative(const term *t) {
    if (t->kind == T_NUMBER) return t->number < 0.0;
    return coefficient(t->kind == T_SUM ? t->child[0] : t) < 0.0;
}

static double common_divisor(double a, double b) {
    while (b != 0.0) {
        const double rest = fmod(a, b);
        a = b;
        b = rest;
    }
    return a;
}

/* What a sum is divided by when it becomes a factor: the sign of its first addend, and the greatest common divisor of its
 * numbers if all are whole, their common size if they are alike. */
static double content(const term *sum) {
    double size = fabs(sum->number);
    bool whole = is_whole(size), alike = true;
    const double first = fabs(coefficient(sum->child[0]));
    if (size != 0.0 && size != first) alike = false;
    for (size_t i = 0; i < sum->n; ++i) {
        const double c = fabs(coefficient(sum->child[i]));
        whole &= is_whole(c);
        alike &= c == first;
        size = whole ? common_divisor(size, c) : size;
    }
    return (is_negative(sum) ? -1.0 : 1.0) * (whole ? size : alike ? first : 1.0);
}

/* A product while it is made. */
typedef struct product {
    term_arena *arena;
    double number;
    size_t n, room;
    const term **factors;
} product;

static void insert(product *p, size_t at, const term *f) {
    if (p->n == p->room) {
        const size_t room = 2 * p->room + 8;
        const term **factors = realloc(p->factors, room * sizeof *factors);
        if (!factors) {
            p->arena->failed = true;
            return;
        }
        p->factors = factors;
        p->room = room;
    }
    memmove(p->factors + at + 1, p->factors + at, (p->n - at) * sizeof *p->factors);
    p->factors[at] = f;
    ++p->n;
}

static void multiply_number(product *p, double c) {
    const double made = p->number * c;
    if (isnormal(made) || p->number == 0.0 || c == 0.0)
        p->number = made;
    else /* a number too large or too small: both stay */
        insert(p, 0, kan_term_number(p->arena, c));
}

/* Multiplies by f; where there is a power of its base already, by that power with the exponents added. */
static void multiply_in(product *p, const term *f) {
    if (p->arena->failed) return;
    if (f->kind == T_NUMBER) {
        multiply_number(p, f->number);
        return;
    }
    if (f->kind == T_PRODUCT) {
        multiply_number(p, f->number);
        for (size_t i = 0; i < f->n; ++i) multiply_in(p, f->child[i]);
        return;
    }
    size_t at = 0;
    int order = 1;
    while (at < p->n && (order = compare_bases(base_of(p->factors[at]), base_of(f))) < 0) ++at;
    if (at == p->n || order != 0) {
        insert(p, at, f);
        return;
    }
    const term *e = kan_term_add(p->arena, exponent_of(p->factors[at]), exponent_of(f));
    --p->n;
    memmove(p->factors + at, p->factors + at + 1, (p->n - at) * sizeof *p->factors);
    multiply_in(p, kan_term_power(p->arena, base_of(f), e));
}

static void multiply_primitive(product *p, const term *t) {
    const double c = t->kind == T_SUM ? content(t) : 1.0;
    multiply_number(p, c);
    multiply_in(p, c == 1.0 ? t : kan_term_scale(p->arena, t, 1.0 / c));
}

static const term *finish(product *p) {
    const term *made;
    if (p->number == 0.0 || p->n == 0)
        made = kan_term_number(p->arena, p->number);
    else if (p->n == 1 && p->factors[0]->kind == T_SUM)
        made = kan_term_scale(p->arena, p->factors[0], p->number);
    else
        made = make_list(p->arena, T_PRODUCT, p->number, p->n, p->factors);
    free(p->factors);
    return made;
}

const term *kan_term_multiply(term_arena *arena, const term *a, const term *b) {
    if (a->kind == T_NUMBER && isnormal(a->number * coefficient(b)))
        return kan_term_scale(arena, b, a->number);
    if (b->kind == T_NUMBER && isnormal(b->number * coefficient(a)))
        return kan_term_scale(arena, a, b->number);
    product p = {.arena = arena, .number = 1.0};
    multiply_primitive(&p, a);
    multiply_primitive(&p, b);
    return finish(&p);
}

const term *kan_term_divide(term_arena *arena, const term *a, const term *b) {
    return kan_term_multiply(arena, a, kan_term_power(arena, b, kan_term_number(arena, -1.0)));
}

/* ---- powers ---------------------------------------------------------------------------------------- */

/* v^n as a number where that hides nothing: 2^0.5 stays, and so does what is too large or small. NULL: it stays. */
static const term *number_power(term_arena *arena, double v, double n) {
    const double r = kan_expression_power(v, n);
    if (v == 0.0 && n < 0.0 && n != -1.0) /* one infinity is enough */
        return make_power(arena, kan_term_number(arena, 0.0), kan_term_number(arena, -1.0));
    if (!isnormal(r) && v != 0.0) return NULL;
    if (!isfinite(r) || (v != 0.0 && is_whole(v) && !is_whole(n) && !is_whole(r))) return NULL;
    return kan_term_number(arena, r);
}

/* (u^m)^n. For even m, (u^m)^n = |u|^(m n); for other m and n that is not whole, u >= 0 where it is defined. */
static const term *power_of_power(term_arena *arena, const term *b, double n) {
    const term *u = b->child[0], *m = b->child[1], *product_of = kan_term_scale(arena, m, n);
    if (is_whole(n) || is_e(u)) return kan_term_power(arena, u, product_of);
    if (m->kind != T_NUMBER) return NULL;
    if (!is_even(m->number)) return kan_term_power(arena, u, product_of);
    function abs_function;
    kan_expression_find_function("abs", 3, &abs_function);
    return kan_term_power(arena, kan_term_call(arena, &abs_function, &u), product_of);
}

/* (c f g ..)^n for whole n; NULL where c^n would leave the range of doubles. */
static const term *power_of_product(term_arena *arena, const term *b, double n) {
    const term *c = number_power(arena, b->number, n), *exponent = kan_term_number(arena, n);
    if (!c) return NULL;
    product p = {.arena = arena, .number = 1.0};
    multiply_in(&p, c);
    for (size_t i = 0; i < b->n; ++i) multiply_in(&p, kan_term_power(arena, b->child[i], exponent));
    return finish(&p);
}

/* (c s)^n = c^n s^n for a sum and its content c. */
static const term *power_of_sum(term_arena *arena, const term *b, double n) {
    const double c = content(b);
    const term *outside = c == 1.0 ? NULL : number_power(arena, c, n);
    if (!outside) return NULL;
    const term *inside = make_power(arena, kan_term_scale(arena, b, 1.0 / c),
                                    kan_term_number(arena, n));
    return kan_term_scale(arena, inside, outside->number);
}

static const term *numeric_power(term_arena *arena, const term *b, double n) {
    if (n == 0.0) return kan_term_number(arena, 1.0);
    if (n == 1.0) return b;
    if (b->kind == T_NUMBER) return number_power(arena, b->number, n);
    if (is_e(b) && !is_whole(n) && isnormal(exp(n))) return kan_term_number(arena, exp(n));
    if (b->kind == T_POWER) return power_of_power(arena, b, n);
    if (b->kind == T_PRODUCT && is_whole(n)) return power_of_product(arena, b, n);
    if (b->kind == T_SUM && is_whole(n)) return power_of_sum(arena, b, n);
    if (is_call(b, "abs") && is_even(n))
        return kan_term_power(arena, b->child[0], kan_term_number(arena, n));
    return NULL;
}

/* exp(k + c log u + rest) = exp(k) u^c exp(rest); NULL where there is no such logarithm. */
static const term *power_of_logarithms(term_arena *arena, const term *b, const term *e) {
    for (size_t i = 0; i < e->n; ++i) {
        const term *t = e->child[i];
        if (n_factors(t) != 1 || !is_call(factor(t, 0), "log")) continue;
        const term *rest = kan_term_add(arena, e, kan_term_scale(arena, t, -1.0));
        const double k = rest->kind == T_SUM || rest->kind == T_NUMBER ? rest->number : 0.0;
        const bool apart = k != 0.0 && isnormal(exp(k));
        if (apart) rest = kan_term_add(arena, rest, kan_term_number(arena, -k));
        const term *power = kan_term_power(arena, factor(t, 0)->child[0],
                                           kan_term_number(arena, coefficient(t)));
        const term *both = kan_term_multiply(arena, power, kan_term_power(arena, b, rest));
        return apart ? kan_term_multiply(arena, kan_term_number(arena, exp(k)), both) : both;
    }
    return NULL;
}

const term *kan_term_power(term_arena *arena, const term *b, const term *e) {
    const term *made = NULL;
    if (arena->failed) return b;
    if (e->kind == T_NUMBER)
        made = numeric_power(arena, b, e->number);
    else if (b->kind == T_NUMBER && b->number == 1.0)
        made = b;
    else if (is_e(b) && n_factors(e) == 1 && is_call(factor(e, 0), "log")) /* exp(c log u) = u^c */
        made = kan_term_power(arena, factor(e, 0)->child[0], kan_term_number(arena, coefficient(e)));
    else if (is_e(b) && e->kind == T_SUM)
        made = power_of_logarithms(arena, b, e);
    return made ? made : make_power(arena, b, e);
}

/* ---- calls ----------------------------------------------------------------------------------------- */

/* The value for arguments that are numbers, where that hides nothing: log(2) stays. */
static const term *number_call(term_arena *arena, const function *f, const term *const *arguments) {
    const double a = arguments[0]->number, b = f->arity == 2 ? arguments[1]->number : 0.0;
    const double r = f->arity == 1 ? f->row->f(a) : f->f2(a, b);
    if (!isfinite(r) || (is_whole(a) && is_whole(b) && !is_whole(r))) return NULL;
    return kan_term_number(arena, r);
}

/* The functions that are powers, or undone by powers. */
static const term *call_as_power(term_arena *arena, const function *f, const term *u) {
    const constant *e = kan_expression_find_constant("e", 1);
    const double n = strcmp(f->name, "sqrt") == 0 ? 0.5 : 0.0;
    if (n != 0.0) return kan_term_power(arena, u, kan_term_number(arena, n));
    if (strcmp(f->name, "exp") == 0) return kan_term_power(arena, kan_term_constant(arena, e), u);
    if (strcmp(f->name, "gaussian") == 0) {
        const term *square = kan_term_power(arena, u, kan_term_number(arena, 2.0));
        return kan_term_power(arena, kan_term_constant(arena, e), kan_term_scale(arena, square, -1.0));
    }
    if (strcmp(f->name, "log") == 0 && is_e(base_of(u))) return exponent_of(u);
    return NULL;
}

const term *kan_term_call(term_arena *arena, const function *f, const term *const *arguments) {
    const size_t arity = f->arity;
    assert(arity > 0);
    if (arena->failed) return arguments[0];
    const bool numbers = arguments[0]->kind == T_NUMBER &&
                         (f->arity == 1 || arguments[1]->kind == T_NUMBER);
    const term *made = numbers ? number_call(arena, f, arguments) : NULL;
    if (made) return made;
    if (f->arity == 2 && strcmp(f->name, "pow") == 0)
        return kan_term_power(arena, arguments[0], arguments[1]);
    if (f->arity == 1 && (made = call_as_power(arena, f, arguments[0]))) return made;
    if (f->arity == 1 && f->row->parity && is_negative(arguments[0])) { /* f(-u) = +-f(u) */
        const term *u = kan_term_scale(arena, arguments[0], -1.0);
        return kan_term_scale(arena, kan_term_call(arena, f, &u), f->row->parity);
    }
    term *t = make(arena, T_CALL, arity);
    t->call = *f;
    if (t->n == arity) memcpy(t->child, arguments, arity * sizeof *arguments);
    return t;
}
