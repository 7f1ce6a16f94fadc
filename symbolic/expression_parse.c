/* symbolic/expression_parse.c - from text to tree.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "symbolic/expression_private.h"

enum { MAX_DIGITS = 300 /* of a number */ };

/* The first error sticks: its status is no longer KAN_OK, and every function returns at once. */
typedef struct parser {
    kan_expression *e;
    size_t at, nesting; /* `at`: the next character */
    size_t n_names;
    const char *const *names; /* [n_names], of variables even where they are constants */
    kan_status status;
    kan_error *error;
} parser;

static char look(parser *p) {
    const char *text = p->e->text;
    while (text[p->at] == ' ' || text[p->at] == '\t' || text[p->at] == '\n' || text[p->at] == '\r')
        ++p->at;
    return text[p->at];
}

/* Takes the next character if it is c. */
static bool take(parser *p, char c) {
    if (p->status != KAN_OK || look(p) != c) return false;
    ++p->at;
    return true;
}

/* Fails with `what` at the given place, unless something failed before. */
static void fail_at(parser *p, size_t at, const char *what) {
    if (p->status == KAN_OK)
        p->status = kan_status_fail(p->error, KAN_EFORMAT, "%s at column %zu", what, at + 1);
}

/* Fails at the next character, which is not what is wanted there. */
static void fail_here(parser *p, const char *wanted) {
    if (p->status != KAN_OK) return;
    const unsigned char c = (unsigned char)look(p);
    if (c == '\0')
        p->status = kan_status_fail(
            p->error, KAN_EFORMAT, "%s expected at column %zu, where the text ends", wanted, p->at + 1);
    else if (c < ' ' || c > '~')
        p->status = kan_status_fail(p->error, KAN_EFORMAT,
                                    "%s expected at column %zu instead of byte 0x%02x", wanted,
                                    p->at + 1, c);
    else
        p->status = kan_status_fail(p->error, KAN_EFORMAT, "%s expected at column %zu instead of '%c'",
                                    wanted, p->at + 1, c);
}

/* Appends a node. There is room: every node takes at least one character of the text. */
static size_t add_node(parser *p, node made) {
    p->e->nodes[p->e->n_nodes] = made;
    return p->e->n_nodes++;
}

static size_t add_binary(parser *p, node_kind kind, size_t left, size_t right) {
    return add_node(p, (node){.kind = kind, .n_children = 2, .child = {left, right}});
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_name_start(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_name(char c) {
    return is_name_start(c) || is_digit(c) || c == '_';
}

/* The characters of an exponent at s: "e" or "E", a sign or none, digits. 0 if there is none. */
static size_t exponent_length(const char *s) {
    if (*s != 'e' && *s != 'E') return 0;
    size_t length = s[1] == '+' || s[1] == '-' ? 2 : 1;
    if (!is_digit(s[length])) return 0;
    while (is_digit(s[length])) ++length;
    return length;
}

/* A number. strtod takes the locale's decimal point, so it gets none: 1.25e3 is read as 125e1. */
static size_t parse_number(parser *p) {
    const char *text = p->e->text;
    const size_t start = p->at;
    char digits[MAX_DIGITS + 16];
    size_t n = 0;
    long exponent = 0;
    bool point = false;
    for (; is_digit(text[p->at]) || (text[p->at] == '.' && !point); ++p->at) {
        if (text[p->at] == '.') {
            point = true;
            continue;
        }
        if (n < MAX_DIGITS) digits[n] = text[p->at];
        ++n;
        exponent -= point;
    }
    if (n == 0) fail_at(p, start, "a '.' without digits");
    if (n > MAX_DIGITS) fail_at(p, start, "a number with more than 300 digits");
    if (p->status != KAN_OK) return 0;

    const size_t length = exponent_length(text + p->at);
    if (length > 0) {
        /* LONG_MAX or LONG_MIN where it is longer */
        const long given = strtol(text + p->at + 1, NULL, 10);
        exponent += given > 9999 ? 9999 : given < -9999 ? -9999 : given;
        p->at += length;
    }
    digits[n] = 'e';
    digits[n + 1] = exponent < 0 ? '-' : '+';
    for (size_t i = 0, rest = (size_t)labs(exponent); i < 5; ++i, rest /= 10)
        digits[n + 6 - i] = (char)('0' + rest % 10);
    digits[n + 7] = '\0';
    const double number = strtod(digits, NULL);
    if (!isfinite(number)) fail_at(p, start, "a number beyond the largest double");
    return add_node(p, (node){.kind = NUMBER, .is.number = number});
}

static bool same_name(const char *text, size_t length, const char *name) {
    return strlen(name) == length && memcmp(text, name, length) == 0;
}

static size_t parse_sum(parser *p); /* the grammar is a circle */

/* The arguments of a call, from "(" to ")". */
static size_t parse_call(parser *p, size_t start, size_t length) {
    const char *name = p->e->text + start;
    const int shown = length < 40 ? (int)length : 40;
    function f;
    if (!kan_expression_find_function(name, length, &f)) {
        p->status = kan_status_fail(p->error, KAN_EFORMAT, "unknown function '%.*s' at column %zu",
                                    shown, name, start + 1);
        return 0;
    }
    node made = {.kind = CALL, .is.call = f};
    size_t n = 0;
    take(p, '(');
    if (look(p) != ')') {
        do {
            const size_t argument = parse_sum(p);
            if (n < 2) made.child[n] = argument;
            ++n;
        } while (take(p, ','));
    }
    if (!take(p, ')')) fail_here(p, "',' or ')'");
    if (p->status == KAN_OK && n != f.arity)
        p->status = kan_status_fail(p->error, KAN_EFORMAT,
                                    "'%.*s' at column %zu takes %zu argument%s, not %zu", shown, name,
                                    start + 1, f.arity, f.arity == 1 ? "" : "s", n);
    if (p->status != KAN_OK) return 0;
    made.n_children = n;
    return add_node(p, made);
}

/* The constant of that name, NULL if it is none or if the caller wants a variable. */
static const constant *find_constant(const parser *p, const char *name, size_t length) {
    for (size_t i = 0; i < p->n_names; ++i)
        if (same_name(name, length, p->names[i])) return NULL;
    return kan_expression_find_constant(name, length);
}

/* A constant, a variable or a call. */
static size_t parse_name(parser *p) {
    const char *text = p->e->text;
    const size_t start = p->at;
    while (is_name(text[p->at])) ++p->at;
    const size_t length = p->at - start;
    if (look(p) == '(') return parse_call(p, start, length);
    const constant *found = find_constant(p, text + start, length);
    if (found) return add_node(p, (node){.kind = CONSTANT, .is.constant = found});
    return add_node(p, (node){.kind = VARIABLE, .is.variable = start});
}

static size_t parse_atom(parser *p) {
    if (p->status != KAN_OK) return 0;
    const char c = look(p);
    if (is_digit(c) || c == '.') return parse_number(p);
    if (is_name_start(c)) return parse_name(p);
    const size_t open = p->at;
    if (!take(p, '(')) {
        fail_here(p, "a number, a name or '('");
        return 0;
    }
    const size_t inner = parse_sum(p);
    if (p->status == KAN_OK && look(p) == '\0')
        p->status = kan_status_fail(p->error, KAN_EFORMAT, "the '(' at column %zu is never closed",
                                    open + 1);
    else if (!take(p, ')'))
        fail_here(p, "an operator or ')'");
    return inner;
}

/* Brackets, calls and powers all nest through here or through parse_sum, which starts here. */
static size_t parse_unary(parser *p) {
    if (p->nesting > MAX_NESTING) fail_at(p, p->at, "nested more than 200 deep");
    if (p->status != KAN_OK) return 0;
    ++p->nesting;
    bool negative = false;
    for (char c = look(p); c == '+' || c == '-'; c = look(p)) {
        negative ^= c == '-';
        ++p->at;
    }
    size_t value = parse_atom(p);
    const size_t start = p->at;
    bool power = take(p, '^');
    if (!power && take(p, '*')) {
        power = p->e->text[p->at] == '*';
        p->at = power ? p->at + 1 : start; /* a single '*' belongs to the product */
    }
    if (power) value = add_binary(p, POWER, value, parse_unary(p));
    --p->nesting;
    if (!negative) return value;
    return add_node(p, (node){.kind = NEGATE, .n_children = 1, .child = {value, 0}});
}

static size_t parse_product(parser *p) {
    size_t left = parse_unary(p);
    for (;;) {
        node_kind kind;
        if (take(p, '*'))
            kind = MULTIPLY;
        else if (take(p, '/'))
            kind = DIVIDE;
        else
            return left;
        left = add_binary(p, kind, left, parse_unary(p));
    }
}

static size_t parse_sum(parser *p) {
    size_t left = parse_product(p);
    for (;;) {
        node_kind kind;
        if (take(p, '+'))
            kind = ADD;
        else if (take(p, '-'))
            kind = SUBTRACT;
        else
            return left;
        left = add_binary(p, kind, left, parse_product(p));
    }
}

/* ---- variables --------------------------------------------------------------------------- */

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Ends the names of the variables with NUL, sorts them, drops the doubles, and lets the nodes refer to
 * the rest by number. There is room for one name a node. */
static void number_variables(kan_expression *e) {
    size_t n = 0;
    for (size_t j = 0; j < e->n_nodes; ++j) {
        if (e->nodes[j].kind != VARIABLE) continue;
        char *name = e->text + e->nodes[j].is.variable, *end = name;
        while (is_name(*end)) ++end;
        *end = '\0';
        e->variables[n++] = name;
    }
    if (n > 0) qsort(e->variables, n, sizeof *e->variables, compare_names);
    for (size_t j = 0; j < n; ++j)
        if (j == 0 || strcmp(e->variables[j], e->variables[j - 1]) != 0)
            e->variables[e->n_variables++] = e->variables[j];

    for (size_t j = 0; j < e->n_nodes; ++j) {
        if (e->nodes[j].kind != VARIABLE) continue;
        const char *name = e->text + e->nodes[j].is.variable;
        const char **found = bsearch(&name, e->variables, e->n_variables, sizeof name, compare_names);
        e->nodes[j].is.variable = (size_t)(found - e->variables);
    }
}

/* ---- public functions -------------------------------------------------------------------- */

kan_expression *kan_expression_parse_with(const char *text, size_t n, const char *const *names,
                                          kan_error *error) {
    assert(text && "an expression needs a text");
    const size_t length = strlen(text);
    kan_expression *e = calloc(1, sizeof *e);
    if (e && length < SIZE_MAX / sizeof(node)) {
        e->text = malloc(length + 1);
        e->nodes = malloc((length + 1) * sizeof *e->nodes);
        e->variables = malloc((length + 1) * sizeof *e->variables);
    }
    if (!e || !e->text || !e->nodes || !e->variables) {
        kan_expression_free(e);
        kan_status_fail(error, KAN_ENOMEM, "no memory for an expression of %zu characters", length);
        return NULL;
    }
    memcpy(e->text, text, length + 1);

    parser p = {.e = e, .n_names = n, .names = names, .error = error};
    if (look(&p) == '\0') fail_at(&p, 0, "an empty expression");
    parse_sum(&p);
    if (p.status == KAN_OK && look(&p) != '\0') fail_here(&p, "an operator");
    if (p.status != KAN_OK) {
        kan_expression_free(e);
        return NULL;
    }
    number_variables(e);
    for (size_t j = 0; j < e->n_nodes; ++j) {
        node *made = &e->nodes[j];
        made->has_number = made->kind == NUMBER;
        for (size_t k = 0; k < made->n_children; ++k)
            made->has_number |= e->nodes[made->child[k]].has_number;
    }
    return e;
}

kan_expression *kan_expression_parse(const char *text, kan_error *error) {
    return kan_expression_parse_with(text, 0, NULL, error);
}
