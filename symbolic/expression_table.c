/* symbolic/expression_table.c - functions of two variables and constants: values, slopes, spellings.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <float.h>
#include <math.h>
#include <string.h>

#include "symbolic/expression_private.h"
#include "symbolic/special.h"

double kan_expression_power(double a, double b) {
    return b == 2.0 ? a * a : b == -1.0 ? 1.0 / a : pow(a, b);
}

/* d/da a^b = b a^(b-1), d/db a^b = a^b log a. Where a <= 0, a^b is defined for whole b (and 0^b for b > 0) only, so
 * that it has no derivative by b: 0 stands there, and a fit leaves such an exponent alone. */
void kan_expression_power_slopes(double a, double b, double d[2]) {
    d[0] = b == 2.0 ? 2.0 * a : b == 0.0 ? 0.0 : b * kan_expression_power(a, b - 1.0);
    if (a > 0.0)
        d[1] = pow(a, b) * log(a);
    else
        d[1] = isnan(pow(a, b)) ? NAN : 0.0;
}

static void atan2_slopes(double a, double b, double d[2]) {
    const double square = a * a + b * b;
    d[0] = b / square;
    d[1] = -a / square;
}

static void hypot_slopes(double a, double b, double d[2]) {
    const double h = hypot(a, b);
    d[0] = a / h;
    d[1] = b / h;
}

static void mod_slopes(double a, double b, double d[2]) {
    d[0] = 1.0;
    d[1] = -trunc(a / b);
}

static void min_slopes(double a, double b, double d[2]) {
    d[0] = a <= b;
    d[1] = !(a <= b);
}

static void max_slopes(double a, double b, double d[2]) {
    d[0] = a >= b;
    d[1] = !(a >= b);
}

static const function_2 functions_2[] = {{"pow",
                                          kan_expression_power,
                                          powl,
                                          kan_expression_power_slopes,
                                          {"(#)*(%)^((#)-1)", "log(%)*(%)^(#)"},
                                          "pow(%, #)",
                                          "\\left(%\\right)^{#}",
                                          "(%)**(#)"},
                                         {"atan2",
                                          atan2,
                                          atan2l,
                                          atan2_slopes,
                                          {"(#)/((%)^2+(#)^2)", "-(%)/((%)^2+(#)^2)"},
                                          "atan2(%, #)",
                                          "\\operatorname{atan2}\\left(%, #\\right)",
                                          "atan2(%, #)"},
                                         {"hypot",
                                          hypot,
                                          hypotl,
                                          hypot_slopes,
                                          {"(%)/hypot(%, #)", "(#)/hypot(%, #)"},
                                          "hypot(%, #)",
                                          "\\sqrt{\\left(%\\right)^{2} + \\left(#\\right)^{2}}",
                                          "sqrt((%)**2 + (#)**2)"},
                                         {"mod",
                                          fmod,
                                          fmodl,
                                          mod_slopes,
                                          {"1", "-sign((%)/(#))*floor(abs((%)/(#)))"},
                                          "fmod(%, #)",
                                          "\\left(% \\bmod #\\right)",
                                          "((%) - (#)*sign((%)/(#))*floor(Abs((%)/(#))))"},
                                         {"min",
                                          fmin,
                                          fminl,
                                          min_slopes,
                                          {"step((#)-(%))", "1-step((#)-(%))"},
                                          "fmin(%, #)",
                                          "\\min\\left(%, #\\right)",
                                          "Min(%, #)"},
                                         {"max",
                                          fmax,
                                          fmaxl,
                                          max_slopes,
                                          {"step((%)-(#))", "1-step((%)-(#))"},
                                          "fmax(%, #)",
                                          "\\max\\left(%, #\\right)",
                                          "Max(%, #)"}};

static const struct {
    const char *other, *name;
} spellings[] = {{"fmod", "mod"}, {"fmin", "min"}, {"fmax", "max"}};

static const constant constants[] = {
    {"pi", 3.14159265358979323846, 3.14159265358979323846264338327950288L, "3.14159265358979323846",
     "\\pi", "pi"},
    {"e", 2.71828182845904523536, 2.71828182845904523536028747135266250L, "2.71828182845904523536", "e",
     "E"}};

static bool same_name(const char *text, size_t length, const char *name) {
    return strlen(name) == length && memcmp(text, name, length) == 0;
}

bool kan_expression_find_function(const char *name, size_t length, function *found) {
    /* Rows such as "x" are no functions that one calls. */
    const kan_function *row = kan_function_find_n(name, length);
    if (row && *row->text != '(' && *row->text != '0') {
        *found = (function){1, row->name, row, NULL, NULL};
        return true;
    }
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; ++i)
        if (same_name(name, length, spellings[i].other)) {
            name = spellings[i].name;
            length = strlen(name);
            break;
        }
    for (size_t i = 0; i < sizeof functions_2 / sizeof *functions_2; ++i)
        if (same_name(name, length, functions_2[i].name)) {
            *found = (function){2, functions_2[i].name, NULL, functions_2[i].f, &functions_2[i]};
            return true;
        }
    size_t n;
    const kan_special *special = kan_special_table(&n);
    for (size_t i = 0; i < n; ++i)
        if (same_name(name, length, special[i].name)) {
            *found = (function){2, special[i].name, NULL, special[i].eval, NULL};
            return true;
        }
    return false;
}

const constant *kan_expression_find_constant(const char *name, size_t length) {
    for (size_t i = 0; i < sizeof constants / sizeof *constants; ++i)
        if (same_name(name, length, constants[i].name)) return &constants[i];
    return NULL;
}

/* (8 (f(t+h) - f(t-h)) - (f(t+2h) - f(t-2h))) / 12h; h = eps^(1/5) balances h^4 and eps/h. */
static double difference(double (*f)(double, double), double a, double b, int by) {
    const double h = pow(DBL_EPSILON, 0.2) * fmax(1.0, fabs(by ? b : a));
    const double ha = by ? 0.0 : h, hb = by ? h : 0.0;
    return (8.0 * (f(a + ha, b + hb) - f(a - ha, b - hb)) -
            (f(a + 2.0 * ha, b + 2.0 * hb) - f(a - 2.0 * ha, b - 2.0 * hb))) /
           (12.0 * h);
}

void kan_expression_slopes_2(const function *f, double a, double b, double d[2]) {
    if (f->row2) {
        f->row2->slopes(a, b, d);
        return;
    }
    for (int k = 0; k < 2; ++k) d[k] = difference(f->f2, a, b, k);
}
