/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "symbolic/function.h"

#include <string.h>

#include "symbolic/function_private.h"

static const struct {
    const char *other, *name;
} spellings[] = {{"x^1", "x"},          {"x^0.5", "sqrt"},     {"1/sqrt(x)", "1/sqrt"},
                 {"1/x^0.5", "1/sqrt"}, {"x^-1", "1/x"},       {"x^-2", "1/x^2"},
                 {"x^-3", "1/x^3"},     {"x^-4", "1/x^4"},     {"x^-5", "1/x^5"},
                 {"x^-0.5", "1/sqrt"},  {"x^(1/3)", "cbrt"},   {"exp(-x^2)", "gaussian"},
                 {"sin(x)/x", "sinc"},  {"ln", "log"},         {"arcsin", "asin"},
                 {"arccos", "acos"},    {"arctan", "atan"},    {"arcsinh", "asinh"},
                 {"arccosh", "acosh"},  {"arctanh", "atanh"},  {"fabs", "abs"},
                 {"Abs", "abs"},        {"sgn", "sign"},       {"tgamma", "gamma"},
                 {"J0", "j0"},          {"J1", "j1"},          {"Y0", "y0"},
                 {"Y1", "y1"},          {"heaviside", "step"}, {"logistic", "sigmoid"}};

static int is_name(const char *text, size_t length, const char *name) {
    return strlen(name) == length && memcmp(text, name, length) == 0;
}

const kan_function *kan_function_find_n(const char *name, size_t length) {
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; ++i)
        if (is_name(name, length, spellings[i].other)) {
            name = spellings[i].name;
            length = strlen(name);
            break;
        }
    for (size_t i = 0; i < kan_function_n_edge; ++i)
        if (is_name(name, length, kan_function_edge[i].name)) return &kan_function_edge[i];
    for (size_t i = 0; i < kan_function_n_further; ++i)
        if (is_name(name, length, kan_function_further[i].name)) return &kan_function_further[i];
    return NULL;
}

const kan_function *kan_function_table(size_t *n) {
    *n = kan_function_n_edge;
    return kan_function_edge;
}

const kan_function *kan_function_find(const char *name) {
    return kan_function_find_n(name, strlen(name));
}
