/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolic/expression.h"
#include "symbolic/function.h"
#include "symbolic/function_private.h"

/* Places in the domain of every function, none of them at a kink, a jump or a pole. */
static const double places[] = {-7.31,  -2.417, -0.83,  -0.2385, -1.7e-3, 1.7e-3, 0.0391,
                                0.2385, 0.617,  0.9713, 1.0123,  1.318,   3.307,  9.771};
enum { N_PLACES = sizeof places / sizeof *places, MOST = 80 };

/* All rows, of edges and of formulas. */
static size_t all_rows(const kan_function **rows) {
    size_t n = 0;
    for (size_t i = 0; i < kan_function_n_edge; ++i) rows[n++] = &kan_function_edge[i];
    for (size_t i = 0; i < kan_function_n_further; ++i) rows[n++] = &kan_function_further[i];
    cr_assert(n <= MOST);
    return n;
}

static int is_inside(const kan_function *f, double x) {
    return x > f->lo && x < f->hi;
}

/* template with argument in place of each "%"; the caller frees it. */
static char *apply_form(const char *form, const char *argument) {
    char *text = calloc(1, strlen(form) * (strlen(argument) + 1) + 1), *end = text;
    for (; *form; ++form)
        if (*form == '%') {
            strcpy(end, argument);
            end += strlen(argument);
        } else
            *end++ = *form;
    return text;
}

Test(function, table_starts_with_0_and_x_and_has_what_the_reference_has) {
    size_t n;
    const kan_function *table = kan_function_table(&n);
    cr_assert(strcmp(table[0].name, "0") == 0);
    cr_assert(strcmp(table[1].name, "x") == 0);
    const char *wanted[] = {"0",      "x",     "x^2",    "x^3",     "x^4",       "x^5",     "1/x",
                            "1/x^2",  "1/x^3", "1/x^4",  "1/x^5",   "sqrt",      "x^0.5",   "x^1.5",
                            "1/sqrt", "exp",   "log",    "abs",     "sin",       "cos",     "tan",
                            "tanh",   "sgn",   "arcsin", "arccos",  "arctan",    "arctanh", "gaussian",
                            "sinh",   "cosh",  "erf",    "sinc",    "1/sqrt(x)", "J0",      "ln",
                            "step",   "relu",  "cbrt",   "sigmoid", "silu",      "acosh",   "1/x^0.5"};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; ++i) {
        const kan_function *f = kan_function_find(wanted[i]);
        cr_assert(f != NULL, "%s", wanted[i]);
        cr_expect(f >= table && f < table + n, "%s is in the table", wanted[i]);
    }
    cr_assert(kan_function_find("x^7") == NULL);
    cr_assert(kan_function_find("") == NULL);
    const double costs[] = {0, 1, 2, 3, 3, 3, 2, 2, 3, 4, 5}; /* the reference's, of "0" to "1/x^5" */
    for (size_t i = 0; i < 11; ++i) cr_expect(eq(dbl, table[i].cost, costs[i]), "%s", table[i].name);
}

Test(function, names_are_unique_and_lead_to_their_rows) {
    const kan_function *rows[MOST];
    const size_t n = all_rows(rows);
    for (size_t i = 0; i < n; ++i)
        cr_expect(kan_function_find(rows[i]->name) == rows[i], "%s", rows[i]->name);
}

/* Central differences of fourth order of the long double function: the error is near h^4 f^(5) and eps f / h. */
static long double difference(const kan_function *f, long double x, long double h) {
    long double (*const g)(long double) = f->f_long;
    return (8.0L * (g(x + h) - g(x - h)) - (g(x + 2 * h) - g(x - 2 * h))) / (12.0L * h);
}

static long double second_difference(const kan_function *f, long double x, long double h) {
    long double (*const g)(long double) = f->f_long;
    return (16.0L * (g(x + h) + g(x - h)) - (g(x + 2 * h) + g(x - 2 * h)) - 30.0L * g(x)) /
           (12.0L * h * h);
}

/* How far a function's values spread near x, which is what limits a difference. */
static long double bulk(const kan_function *f, long double x, long double h) {
    return fabsl(f->f_long(x - 2 * h)) + fabsl(f->f_long(x)) + fabsl(f->f_long(x + 2 * h));
}

Test(function, derivatives_are_those_of_long_double_differences) {
    const kan_function *rows[MOST];
    const size_t n = all_rows(rows);
    for (size_t i = 0; i < n; ++i) {
        const kan_function *f = rows[i];
        size_t seen = 0;
        for (size_t p = 0; p < N_PLACES; ++p) {
            const double x = places[p];
            const long double room = fminl(fabs(x), fminl(fabs(x - 1.0), fabs(x + 1.0)));
            const long double h = fminl(2e-4L, room * 5e-4L); /* poles and ends lie at -1, 0 and 1 */
            if (!is_inside(f, x) || f->f_long == NULL) continue;
            if (x < 0 && (f->f == tgamma || strstr(f->name, "gamma"))) continue; /* poles all over */
            ++seen;
            const double y = (double)f->f_long(x);
            cr_expect(epsilon_eq(dbl, f->f(x), y, 1e-14 * fabs(y) + 1e-16), "%s(%g)", f->name, x);
            const double size = (double)bulk(f, x, h), d1 = (double)difference(f, x, h);
            cr_expect(epsilon_eq(dbl, f->d1(x), d1, 1e-10 * fabs(d1) + 1e-17 * size / (double)h),
                      "%s'(%g)", f->name, x);
            const double d2 = (double)second_difference(f, x, h);
            cr_expect(epsilon_eq(dbl, f->d2(x), d2, 1e-8 * fabs(d2) + 1e-16 * size / (double)(h * h)),
                      "%s''(%g)", f->name, x);
        }
        cr_expect(seen >= 4 || f->f_long == NULL, "%s was tested %zu times", f->name, seen);
    }
}

Test(function, derivatives_of_the_gamma_family_are_each_others) {
    const kan_function *g = kan_function_find("lgamma"), *d = kan_function_find("digamma");
    const kan_function *t = kan_function_find("trigamma");
    for (double x = -3.55; x < 9.0; x += 0.3) {
        cr_expect(eq(dbl, g->d1(x), d->f(x)));
        cr_expect(eq(dbl, d->d1(x), t->f(x)));
        const double h = 1e-4,
                     slope = (8 * (t->f(x + h) - t->f(x - h)) - (t->f(x + 2 * h) - t->f(x - 2 * h))) /
                             (12 * h);
        cr_expect(epsilon_eq(dbl, t->d1(x), slope, 1e-8 * (1 + fabs(slope))), "psi''(%g)", x);
    }
    cr_expect(isnan(d->f(-2.0)) && isnan(d->f(0.0)) && isnan(d->f(NAN)));
}

Test(function, sinc_is_smooth_where_its_formula_is_not) {
    const kan_function *f = kan_function_find("sinc");
    cr_expect(eq(dbl, f->f(0.0), 1.0));
    cr_expect(eq(dbl, f->d1(0.0), 0.0));
    cr_expect(epsilon_eq(dbl, f->d2(0.0), -1.0 / 3.0, DBL_EPSILON));
    const double x = 1e-5; /* f' = -x/3 + x^3/30, f'' = -1/3 + x^2/10 */
    cr_expect(epsilon_eq(dbl, f->d1(x), -x / 3 + x * x * x / 30, 1e-20));
    cr_expect(epsilon_eq(dbl, f->d2(x), -1.0 / 3 + x * x / 10, 1e-16));
    for (int d = 0; d < 3; ++d) { /* the two branches meet at 1 */
        double (*const g)(double) = d == 0 ? f->f : d == 1 ? f->d1 : f->d2;
        cr_expect(epsilon_eq(dbl, g(1.0), g(nextafter(1.0, 2.0)), 1e-15), "derivative %d", d);
    }
}

Test(function, nothing_is_a_number_outside_the_domain) {
    const kan_function *rows[MOST];
    const size_t n = all_rows(rows);
    for (size_t i = 0; i < n; ++i) {
        const kan_function *f = rows[i];
        if (f->f(NAN) == f->f(NAN)) cr_expect(0, "%s of NaN", f->name);
        for (size_t p = 0; p < N_PLACES; ++p) {
            const double x = places[p];
            if (x >= f->lo && x <= f->hi) {
                cr_expect(eq(int, isnan(f->f(x)) || isnan(f->d1(x)), 0), "%s(%g)", f->name, x);
                continue;
            }
            const int none = !isfinite(f->f(x)) && !isfinite(f->d1(x)) && !isfinite(f->d2(x));
            cr_expect(none, "%s(%g), f = %g, %g, %g", f->name, x, f->f(x), f->d1(x), f->d2(x));
        }
    }
}

Test(function, symmetry_period_and_scaling_are_true) {
    const kan_function *rows[MOST];
    const size_t n = all_rows(rows);
    for (size_t i = 0; i < n; ++i) {
        const kan_function *f = rows[i];
        const double ratio = f->f(1.7 * 0.617) / f->f(0.617);
        for (size_t p = 0; p < N_PLACES; ++p) {
            const double x = places[p], y = f->f(x), near = 1e-12 * (1 + fabs(y));
            if (!isfinite(y)) continue;
            if (f->parity)
                cr_expect(epsilon_eq(dbl, f->f(-x), f->parity * y, near), "%s(%g)", f->name, x);
            if (f->period > 0.0)
                cr_expect(epsilon_eq(dbl, f->f(x + f->period), y, 100 * near * (1 + y * y)));
            if (f->scales && x > 0.0 && y != 0.0)
                cr_expect(epsilon_eq(dbl, f->f(1.7 * x), ratio * y, near), "%s(%g)", f->name, x);
        }
    }
}

static void expect_text(const kan_function *f, const char *form, double (*value)(double)) {
    char *text = apply_form(form, "0.7*x + 0.2"), *doubled;
    kan_error error;
    kan_expression *e = kan_expression_parse(text, &error);
    cr_assert(e != NULL, "%s: %s", text, error.message);
    cr_assert(asprintf(&doubled, form == f->slope ? "3*(%s)" : "3*%s", text) > 0);
    kan_expression *twice = kan_expression_parse(doubled, &error);
    cr_assert(twice != NULL, "%s: %s", doubled, error.message);
    for (size_t p = 0; p < N_PLACES; ++p) {
        const double x = places[p], u = 0.7 * x + 0.2, y = value(u);
        if (!is_inside(f, u) || !isfinite(y)) continue;
        const double found = kan_expression_eval(e, &x);
        cr_expect(epsilon_eq(dbl, found, y, 1e-12 * (fabs(y) + 1e-3)), "%s at %g", text, x);
        cr_expect(epsilon_eq(dbl, kan_expression_eval(twice, &x), 3 * found, 1e-12 * fabs(y)), "%s",
                  doubled);
    }
    kan_expression_free(twice);
    kan_expression_free(e);
    free(doubled);
    free(text);
}

Test(function, text_forms_and_slopes_parse_and_are_the_functions) {
    const kan_function *rows[MOST];
    const size_t n = all_rows(rows);
    for (size_t i = 0; i < n; ++i) {
        expect_text(rows[i], rows[i]->text, rows[i]->f);
        if (rows[i]->slope) expect_text(rows[i], rows[i]->slope, rows[i]->d1);
    }
}

/* The output of a command, the numbers in the order in which it writes them. */
static size_t read_numbers(const char *command, double *numbers, size_t most) {
    FILE *out = popen(command, "r");
    cr_assert(out != NULL);
    size_t n = 0;
    while (n < most && fscanf(out, "%lf", &numbers[n]) == 1) ++n;
    cr_assert(eq(int, pclose(out), 0), "%s", command);
    return n;
}

/* Compares what a program printed, row by row at every place in the domain, with the functions. */
static void expect_printed(const char *command, int sympy) {
    const kan_function *rows[MOST];
    const size_t n = all_rows(rows);
    double *found = calloc(MOST * N_PLACES, sizeof *found);
    const size_t n_found = read_numbers(command, found, MOST * N_PLACES);
    size_t k = 0;
    for (size_t i = 0; i < n; ++i)
        for (size_t p = 0; p < N_PLACES; ++p) {
            const double y = rows[i]->f(0.7 * places[p] + 0.2);
            if (!(sympy ? rows[i]->sympy : rows[i]->c) || !isfinite(y)) continue;
            cr_assert(k < n_found);
            cr_expect(epsilon_eq(dbl, found[k], y, 1e-12 * (fabs(y) + 1e-3)), "%s at %g", rows[i]->name,
                      places[p]);
            ++k;
        }
    cr_assert(eq(sz, k, n_found));
    free(found);
}

/* Writes one line for each row and place: head, the form, tail. */
static void write_lines(FILE *out, int sympy, const char *head, const char *tail) {
    const kan_function *rows[MOST];
    const size_t n = all_rows(rows);
    for (size_t i = 0; i < n; ++i)
        for (size_t p = 0; p < N_PLACES; ++p) {
            const char *form = sympy ? rows[i]->sympy : rows[i]->c;
            if (!form || !isfinite(rows[i]->f(0.7 * places[p] + 0.2))) continue;
            char *applied = apply_form(form, "0.7*x + 0.2");
            fprintf(out, head, places[p]);
            fprintf(out, "%s%s\n", applied, tail);
            free(applied);
        }
}

Test(function, c_forms_compile_and_are_the_functions) {
    char folder[] = "/tmp/kan_function_XXXXXX", path[64], command[400];
    cr_assert(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/f.c", folder);
    FILE *out = fopen(path, "w");
    fputs("#include <math.h>\n#include <stdio.h>\nint main(void) {\ndouble x;\n", out);
    write_lines(out, 0, "x = %.17g; printf(\"%%.17g\\n\", (double)", ");");
    fputs("return 0; }\n", out);
    fclose(out);
    snprintf(command, sizeof command,
             "cc -std=c99 -D_XOPEN_SOURCE=600 -Werror -Wall -ffp-contract=off %s -o %s/f -lm && %s/f",
             path, folder, folder);
    expect_printed(command, 0);
    snprintf(command, sizeof command, "rm -r %s", folder);
    cr_expect(eq(int, system(command), 0));
}

Test(function, sympy_forms_are_read_and_are_the_functions, .timeout = 200) {
    if (system("python3 -c 'import sympy' >/dev/null 2>&1") != 0) cr_skip_test("no SymPy here");
    char path[] = "/tmp/kan_function_XXXXXX", command[100];
    FILE *out = fdopen(mkstemp(path), "w");
    fputs("from sympy import sympify, Symbol, lambdify, re\nx = Symbol('x')\nseen = {}\n"
          "def show(at, text):\n"
          "    if text not in seen: seen[text] = sympify(text)\n"
          "    print(float(re(seen[text].subs(x, at).evalf(25))))\n",
          out);
    write_lines(out, 1, "show(%.17g, \"", "\")");
    fclose(out);
    snprintf(command, sizeof command, "python3 %s", path);
    expect_printed(command, 1);
    unlink(path);
}
