/* symbolic/expression_print.c - from tree to text, C, LaTeX, SymPy and JSON.
 *
 * The nodes are taken in their order, as by a calculator whose stack holds texts: all of them stand one after another in
 * one buffer. An operator puts its template around the last one or two.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolic/expression_private.h"

/* How tightly a text holds together. A sign counts as a product; BLOCK is a factor that is no base of a power. */
typedef enum tightness { SUM = 1, PRODUCT, BLOCK, TIGHT_POWER, ATOM } tightness;

typedef struct operand {
    size_t start; /* in the text; it ends where the next one starts */
    tightness tight;
} operand;

typedef struct printer {
    char *text; /* [room] */
    size_t length, room;
    operand *stack; /* [n_nodes] */
    size_t top;
    kan_expression_form form;
    size_t digits;
    kan_status status;
    kan_error *error;
} printer;

static void append_n(printer *p, const char *text, size_t n) {
    if (p->status != KAN_OK) return;
    if (p->length + n >= p->room) {
        const size_t room = 2 * (p->length + n) + 256;
        char *grown = realloc(p->text, room);
        if (!grown) {
            p->status = kan_status_fail(p->error, KAN_ENOMEM,
                                        "no memory for a formula of %zu characters", room);
            return;
        }
        p->text = grown;
        p->room = room;
    }
    assert(p->text);
    memcpy(p->text + p->length, text, n);
    p->length += n;
}

static void append(printer *p, const char *text) {
    append_n(p, text, strlen(text));
}

static void push(printer *p, size_t start, tightness tight) {
    p->stack[p->top++] = (operand){start, tight};
}

/* ---- numbers ------------------------------------------------------------------------------- */

/* The digits of |value| > 0 without the point, after which value = 0.d1d2d3.. 10^exponent: as few as read back to the
 * same bits, or `digits` of them if that is not 0. */
static size_t digits_of(double value, size_t digits, char *out, int *exponent) {
    char text[64];
    for (int n = digits ? (int)digits : 1; n <= 17; ++n) {
        snprintf(text, sizeof text, "%.*e", n - 1, fabs(value));
        if (digits || strtod(text, NULL) == fabs(value)) break;
    }
    size_t n = 0;
    const char *s = text;
    for (; *s != 'e'; ++s) /* whatever the locale's point is */
        if (*s >= '0' && *s <= '9') out[n++] = *s;
    *exponent = (int)strtol(s + 1, NULL, 10) + 1;
    while (n > 1 && out[n - 1] == '0') --n;
    return n;
}

/* Digits as 0.00123, 1230, 12.3, or 1.23e45 where zeros would be many. True if there is an exponent. */
static bool append_digits(printer *p, const char *digits, size_t n, int exponent) {
    static const char zeros[] = "0000000000000000000000";
    char tail[32];
    if (exponent > 16 || exponent < -4) {
        append_n(p, digits, 1);
        if (n > 1) {
            append(p, ".");
            append_n(p, digits + 1, n - 1);
        }
        if (p->form == KAN_EXPRESSION_LATEX)
            snprintf(tail, sizeof tail, " \\cdot 10^{%d}", exponent - 1);
        else
            snprintf(tail, sizeof tail, "e%d", exponent - 1);
        append(p, tail);
        return true;
    }
    if (exponent <= 0) {
        append(p, "0.");
        append_n(p, zeros, (size_t)-exponent);
        append_n(p, digits, n);
    } else if (n <= (size_t)exponent) {
        append_n(p, digits, n);
        append_n(p, zeros, (size_t)exponent - n);
        if (p->form == KAN_EXPRESSION_C99) append(p, ".0");
    } else {
        append_n(p, digits, (size_t)exponent);
        append(p, ".");
        append_n(p, digits + exponent, n - (size_t)exponent);
    }
    return false;
}

/* What is no number, in forms that read back to it where there is one. */
static const char *const not_finite[][2] = {[KAN_EXPRESSION_TEXT] = {"(1/0)", "(0/0)"},
                                            [KAN_EXPRESSION_C99] = {"INFINITY", "NAN"},
                                            [KAN_EXPRESSION_LATEX] = {"\\infty", "\\mathrm{NaN}"},
                                            [KAN_EXPRESSION_SYMPY] = {"oo", "nan"},
                                            [KAN_EXPRESSION_JSON] = {"null", "null"}};

static void print_number(printer *p, double value) {
    char digits[64];
    int exponent = 1;
    const size_t start = p->length;
    bool power = false;
    const bool sign = !isnan(value) && signbit(value) &&
                      (isfinite(value) || p->form != KAN_EXPRESSION_JSON);
    if (sign) append(p, "-");
    if (!isfinite(value))
        append(p, not_finite[p->form][isnan(value)]);
    else {
        const size_t n = value == 0.0 ? 1 : digits_of(value, p->digits, digits, &exponent);
        if (value == 0.0) digits[0] = '0';
        power = append_digits(p, digits, n, exponent);
    }
    push(p, start, sign || (power && p->form == KAN_EXPRESSION_LATEX) ? PRODUCT : ATOM);
}

/* ---- names ----------------------------------------------------------------------------------- */

static bool is_greek(const char *name, size_t length) {
    static const char *const greek[] = {
        "alpha",  "beta",  "gamma", "delta", "epsilon", "zeta",  "eta",   "theta", "iota", "kappa",
        "lambda", "mu",    "nu",    "xi",    "rho",     "sigma", "tau",   "phi",   "chi",  "psi",
        "omega",  "Gamma", "Delta", "Theta", "Lambda",  "Xi",    "Sigma", "Phi",   "Psi",  "Omega"};
    for (size_t i = 0; i < sizeof greek / sizeof *greek; ++i)
        if (strlen(greek[i]) == length && memcmp(greek[i], name, length) == 0) return true;
    return false;
}

/* x1 and x_1 become x_{1}, theta becomes its letter, longer names stand upright. */
static void append_latex_name(printer *p, const char *name) {
    size_t length = strcspn(name, "_0123456789");
    const char *index = name + length + (name[length] == '_');
    if (length == 0) length = strlen(name), index = name + length;
    const bool greek = is_greek(name, length), upright = !greek && length > 1;
    append(p, greek ? "\\" : upright ? "\\mathrm{" : "");
    append_n(p, name, length);
    if (upright) append(p, "}");
    if (*index == '\0') return;
    append(p, "_{");
    for (; *index; ++index) {
        if (*index == '_') append(p, "\\");
        append_n(p, index, 1);
    }
    append(p, "}");
}

static void print_name(printer *p, const char *json, const char *name, bool is_variable) {
    const size_t start = p->length;
    if (p->form == KAN_EXPRESSION_JSON) {
        append(p, json);
        append(p, name);
        append(p, "\"}");
    } else if (p->form == KAN_EXPRESSION_LATEX && is_variable)
        append_latex_name(p, name);
    else
        append(p, name);
    push(p, start, ATOM);
}

static void print_constant(printer *p, const constant *c) {
    const char *names[] = {[KAN_EXPRESSION_TEXT] = c->name,
                           [KAN_EXPRESSION_C99] = c->c,
                           [KAN_EXPRESSION_LATEX] = c->latex,
                           [KAN_EXPRESSION_SYMPY] = c->sympy,
                           [KAN_EXPRESSION_JSON] = c->name};
    print_name(p, "{\"constant\": \"", names[p->form], false);
}

/* ---- operators ------------------------------------------------------------------------------- */

/* Puts brackets around the operand k places below the top of the stack. */
static void bracket(printer *p, size_t below) {
    const char *open = p->form == KAN_EXPRESSION_LATEX ? "\\left(" : "(";
    const char *close = p->form == KAN_EXPRESSION_LATEX ? "\\right)" : ")";
    const size_t n_open = strlen(open), n_close = strlen(close);
    append(p, open); /* makes room */
    append(p, close);
    if (p->status != KAN_OK) return;
    const size_t old = p->length - n_open - n_close, k = p->top - 1 - below;
    const size_t start = p->stack[k].start, end = below ? p->stack[k + 1].start : old;
    memmove(p->text + end + n_open + n_close, p->text + end, old - end);
    memmove(p->text + start + n_open, p->text + start, end - start);
    memcpy(p->text + start, open, n_open);
    memcpy(p->text + end + n_open, close, n_close);
    if (below) p->stack[k + 1].start += n_open + n_close;
    p->stack[k].tight = ATOM;
}

/* Replaces the last n operands by a template, "%" the first and "#" the second of them. */
static void apply_template(printer *p, size_t n, const char *form, tightness tight) {
    if (p->status != KAN_OK) return;
    assert(n > 0 && p->top >= n);
    const size_t start = p->stack[p->top - n].start;
    const size_t middle = n == 2 ? p->stack[p->top - 1].start : p->length, end = p->length;
    const size_t n_first = middle - start, n_second = end - middle;
    /* A template that starts with its first operand leaves it where it is: long sums stay cheap. */
    const bool stays = *form == '%' && !strchr(form + 1, '%');
    const size_t kept = stays ? n_first : 0, moved = end - start - kept;
    char *operands = malloc(moved + 1);
    if (!operands) {
        p->status = kan_status_fail(p->error, KAN_ENOMEM, "no memory for a formula");
        return;
    }
    memcpy(operands, p->text + start + kept, moved);
    p->length = start + kept;
    for (const char *c = form + stays; *c; ++c)
        if (*c == '%')
            append_n(p, operands, n_first);
        else if (*c == '#')
            append_n(p, operands + (stays ? 0 : n_first), n_second);
        else
            append_n(p, c, 1);
    free(operands);
    p->top -= n;
    push(p, start, tight);
}

static bool starts_with_minus(const printer *p) {
    return p->text[p->stack[p->top - 1].start] == '-';
}

/* a + b, a - b: where b starts with a minus, the two signs become one. */
static void print_sum(printer *p, bool minus) {
    assert(p->top >= 2);
    if (p->stack[p->top - 1].tight == SUM) bracket(p, 0);
    if (p->status != KAN_OK) return;
    if (starts_with_minus(p)) {
        const size_t start = p->stack[p->top - 1].start;
        memmove(p->text + start, p->text + start + 1, p->length - start - 1);
        --p->length;
        minus = !minus;
    }
    apply_template(p, 2, minus ? "% - #" : "% + #", SUM);
}

static void print_product(printer *p, bool divide) {
    if (divide && p->form == KAN_EXPRESSION_LATEX) {
        apply_template(p, 2, "\\frac{%}{#}", BLOCK);
        return;
    }
    assert(p->top >= 2);
    if (p->stack[p->top - 1].tight <= PRODUCT) bracket(p, 0);
    if (p->stack[p->top - 2].tight == SUM) bracket(p, 1);
    if (p->status != KAN_OK) return;
    const char c = p->text[p->stack[p->top - 1].start];
    const bool digit = c >= '0' && c <= '9';
    const char *times = p->form != KAN_EXPRESSION_LATEX ? "%*#" : digit ? "% \\cdot #" : "% \\, #";
    apply_template(p, 2, divide ? "%/#" : times, PRODUCT);
}

static void print_negative(printer *p) {
    assert(p->top >= 1);
    if (p->stack[p->top - 1].tight == SUM || starts_with_minus(p)) bracket(p, 0);
    apply_template(p, 1, "-%", PRODUCT);
}

static void print_power(printer *p, bool negative_number) {
    if (p->form == KAN_EXPRESSION_C99) {
        apply_template(p, 2, "pow(%, #)", ATOM);
        return;
    }
    assert(p->top >= 2);
    const bool latex = p->form == KAN_EXPRESSION_LATEX;
    if (!latex && !negative_number && p->stack[p->top - 1].tight <= PRODUCT) bracket(p, 0);
    if (p->stack[p->top - 2].tight != ATOM) bracket(p, 1);
    apply_template(p, 2,
                   latex                             ? "%^{#}"
                   : p->form == KAN_EXPRESSION_SYMPY ? "%**#"
                                                     : "%^#",
                   TIGHT_POWER);
}

/* ---- calls ----------------------------------------------------------------------------------- */

/* The functions of symbolic/special.h that SymPy has too. */
static const char *sympy_special(const char *name) {
    static const char *const names[][2] = {
        {"ellipkinc", "elliptic_f(%, #)"}, {"ellipeinc", "elliptic_e(%, #)"}, {"jv", "besselj(%, #)"},
        {"yv", "bessely(%, #)"},           {"kv", "besselk(%, #)"},           {"iv", "besseli(%, #)"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i)
        if (strcmp(name, names[i][0]) == 0) return names[i][1];
    return NULL;
}

/* The template of a call in the printer's form; one that is made stands in made [200]. NULL: there is none. */
static const char *template_of(const printer *p, const function *f, char *made) {
    const char *given = NULL, *arguments = f->arity == 1 ? "%" : "%, #";
    switch (p->form) {
    case KAN_EXPRESSION_TEXT:
        break; /* called by its name, even exp(-x^2), so that numbers stay as many */
    case KAN_EXPRESSION_C99: return f->row ? f->row->c : f->row2 ? f->row2->c : NULL;
    case KAN_EXPRESSION_LATEX: given = f->row ? f->row->latex : f->row2 ? f->row2->latex : NULL; break;
    case KAN_EXPRESSION_SYMPY:
        given = f->row ? f->row->sympy : f->row2 ? f->row2->sympy : sympy_special(f->name);
        break;
    case KAN_EXPRESSION_JSON:
        snprintf(made, 200, "{\"call\": \"%s\", \"args\": [%s]}", f->name, arguments);
        return made;
    }
    if (given) return given;
    if (p->form == KAN_EXPRESSION_LATEX) {
        size_t n = (size_t)snprintf(made, 200, "\\operatorname{");
        for (const char *c = f->name; *c; ++c) {
            if (*c == '_') made[n++] = '\\';
            made[n++] = *c;
        }
        snprintf(made + n, 200 - n, "}\\left(%s\\right)", arguments);
    } else
        snprintf(made, 200, "%s(%s)", f->name, arguments);
    return made;
}

static void print_call(printer *p, const function *f) {
    char made[200];
    const char *form = template_of(p, f, made);
    if (!form) {
        p->status = kan_status_fail(p->error, KAN_EFORMAT, "the function %s has no form in C", f->name);
        return;
    }
    const bool atom = p->form != KAN_EXPRESSION_LATEX && strchr("(%#", *form) == NULL;
    const bool power = *form == '(' && form[1] == '%';
    apply_template(p, f->arity, form, atom ? ATOM : power ? TIGHT_POWER : *form == '(' ? ATOM : BLOCK);
}

static void print_json(printer *p, node_kind kind) {
    static const char *const names[] = {[NEGATE] = "neg", [ADD] = "+",    [SUBTRACT] = "-",
                                        [MULTIPLY] = "*", [DIVIDE] = "/", [POWER] = "^"};
    char form[80];
    snprintf(form, sizeof form, "{\"op\": \"%s\", \"args\": [%s]}", names[kind],
             kind == NEGATE ? "%" : "%, #");
    apply_template(p, kind == NEGATE ? 1 : 2, form, ATOM);
}

/* True for 2 and -2, whichever way the sign is kept. */
static bool is_number(const node *nodes, size_t j) {
    return nodes[j].kind == NUMBER ||
           (nodes[j].kind == NEGATE && nodes[nodes[j].child[0]].kind == NUMBER &&
            !signbit(nodes[nodes[j].child[0]].is.number));
}

static void print_node(printer *p, const kan_expression *e, const node *n) {
    const bool is_operator = n->n_children > 0 && n->kind != CALL;
    if (p->form == KAN_EXPRESSION_JSON && is_operator) {
        print_json(p, n->kind);
        return;
    }
    switch (n->kind) {
    case NUMBER: print_number(p, n->is.number); break;
    case CONSTANT: print_constant(p, n->is.constant); break;
    case VARIABLE: print_name(p, "{\"variable\": \"", e->variables[n->is.variable], true); break;
    case NEGATE: print_negative(p); break;
    case ADD: print_sum(p, false); break;
    case SUBTRACT: print_sum(p, true); break;
    case MULTIPLY: print_product(p, false); break;
    case DIVIDE: print_product(p, true); break;
    case POWER: print_power(p, is_number(e->nodes, n->child[1])); break;
    case CALL: print_call(p, &n->is.call); break;
    }
}

/* ---- public functions ------------------------------------------------------------------------ */

char *kan_expression_print_digits(const kan_expression *e, kan_expression_form form, size_t digits,
                                  kan_error *error) {
    assert(digits <= 17 && "a double has 17 digits at most");
    printer p = {.form = form, .digits = digits, .error = error};
    p.stack = malloc(e->n_nodes * sizeof *p.stack);
    if (!p.stack) p.status = kan_status_fail(error, KAN_ENOMEM, "no memory for a formula");
    for (size_t j = 0; j < e->n_nodes && p.status == KAN_OK; ++j) print_node(&p, e, &e->nodes[j]);
    append_n(&p, "", 1);
    free(p.stack);
    if (p.status == KAN_OK) return p.text;
    free(p.text);
    return NULL;
}

char *kan_expression_print(const kan_expression *e, kan_expression_form form, kan_error *error) {
    return kan_expression_print_digits(e, form, 0, error);
}

double kan_expression_complexity(const kan_expression *e) {
    double sum = 0.0;
    for (size_t j = 0; j < e->n_nodes; ++j) {
        const node *n = &e->nodes[j];
        sum += n->kind != CALL ? 1.0 : n->is.call.row ? n->is.call.row->cost : 2.0;
    }
    return sum;
}
