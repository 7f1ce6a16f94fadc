/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/support/random_formula.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

double random_between(kan_random *random, double lo, double hi) {
    return lo + (hi - lo) * kan_random_uniform(random);
}

static void leaf(kan_random *random, char *text, size_t size) {
    static const char *const leaves[] = {"x", "y", "z", "x", "y", "pi", "e", "0", "1", "2", "3"};
    const size_t n = sizeof leaves / sizeof *leaves, k = kan_random_below(random, n + 3);
    if (k < n)
        snprintf(text, size, "%s", leaves[k]);
    else
        snprintf(text, size, "%.*g", (int)(1 + kan_random_below(random, 17)),
                 random_between(random, 0.0, 4.0));
}

static const char *const functions[] = {"exp",  "sin",   "cos",  "tanh", "log",      "sqrt",
                                        "atan", "sinh",  "j0",   "cbrt", "erf",      "sigmoid",
                                        "silu", "asinh", "sinc", "log2", "gaussian", "acos",
                                        "abs",  "sign",  "step", "relu", "floor"};
enum { N_FUNCTIONS = sizeof functions / sizeof *functions, N_SMOOTH = N_FUNCTIONS - 5 };

void random_formula(kan_random *random, size_t depth, int smooth, char *text, size_t size) {
    enum { MOST = 4096 };
    char a[MOST], b[MOST];
    const size_t kind = depth == 0 ? 0 : kan_random_below(random, 14);
    if (kind < 2) {
        leaf(random, text, size);
        return;
    }
    random_formula(random, depth - 1, smooth, a, sizeof a);
    random_formula(random, depth - 1, smooth, b, sizeof b);
    int n = 0;
    switch (kind) {
    case 2: n = snprintf(text, size, "%s + %s", a, b); break;
    case 3: n = snprintf(text, size, "(%s) - (%s)", a, b); break;
    case 4: n = snprintf(text, size, "(%s)*(%s)", a, b); break;
    case 5: n = snprintf(text, size, "(%s)/(%s)", a, b); break;
    case 6: n = snprintf(text, size, "-(%s)", a); break;
    case 7: n = snprintf(text, size, "(%s)^%zu", a, kan_random_below(random, 5)); break;
    case 8: n = snprintf(text, size, "(%s)^(%s)", a, b); break;
    case 9: n = snprintf(text, size, "(%s)^-%.2g", a, random_between(random, 0.3, 3.0)); break;
    case 10: n = snprintf(text, size, smooth ? "hypot(%s, %s)" : "max(%s, %s)", a, b); break;
    case 11: n = snprintf(text, size, "%s*%s", a, b); break;
    default:
        n = snprintf(text, size, "%s(%s)",
                     functions[kan_random_below(random, smooth ? N_SMOOTH : N_FUNCTIONS)], a);
    }
    cr_assert(n > 0 && (size_t)n < size);
}

kan_expression *parsed(const char *text) {
    kan_error error;
    kan_expression *e = kan_expression_parse(text, &error);
    cr_assert(e != NULL, "%s: %s", text, error.message);
    return e;
}
