/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <jansson.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolic/expression.h"
#include "tests/support/alloc.h"
#include "tests/support/random_formula.h"

static void expect_form(const char *text, kan_expression_form form, const char *expected) {
    kan_expression *e = parsed(text);
    kan_error error = {0};
    char *printed = kan_expression_print(e, form, &error);
    cr_assert(printed != NULL, "%s: %s", text, error.message);
    cr_expect(strcmp(printed, expected) == 0, "%s: %s instead of %s", text, printed, expected);
    free(printed);
    kan_expression_free(e);
}

Test(expression_print, text_has_no_brackets_but_those_it_needs) {
    const char *const same[] = {"a - (b - c)", "a*b/c",    "a/(b*c)",      "(a + b)*c", "-x^2",
                                "(-x)^2",      "x^-2",     "(x^2)^3",      "x^2^3",     "a + b*c",
                                "a*(-b)",      "-(a + b)", "sin(x + 1)^2", "1e100*x",   "0.001*x",
                                "12345.5",     "1e-7",     "x^(y + 1)",    "max(x, y)", "pi*e"};
    for (size_t i = 0; i < sizeof same / sizeof *same; ++i)
        expect_form(same[i], KAN_EXPRESSION_TEXT, same[i]);
    expect_form("a + -b*c", KAN_EXPRESSION_TEXT, "a - b*c");
    expect_form("a - -3", KAN_EXPRESSION_TEXT, "a + 3");
    expect_form("--x", KAN_EXPRESSION_TEXT, "x");
    expect_form("2.50e0", KAN_EXPRESSION_TEXT, "2.5");
}

Test(expression_print, other_forms_look_as_they_should) {
    expect_form("2*x^2/3", KAN_EXPRESSION_C99, "2.0*pow(x, 2.0)/3.0");
    expect_form("abs(x - 1)", KAN_EXPRESSION_C99, "fabs(x - 1.0)");
    expect_form("2*x^2/3", KAN_EXPRESSION_SYMPY, "2*x**2/3");
    expect_form("ln(x)*e", KAN_EXPRESSION_SYMPY, "log(x)*E");
    expect_form("(x_1 + 1)/theta*sin(mass)^2", KAN_EXPRESSION_LATEX,
                "\\frac{x_{1} + 1}{\\theta} \\, \\left(\\sin\\left(\\mathrm{mass}\\right)\\right)^{2}");
    expect_form("2*3e20", KAN_EXPRESSION_LATEX, "2 \\, \\left(3 \\cdot 10^{20}\\right)");
    expect_form(
        "x+sin(2)", KAN_EXPRESSION_JSON,
        "{\"op\": \"+\", \"args\": [{\"variable\": \"x\"}, {\"call\": \"sin\", \"args\": [2]}]}");
}

Test(expression_print, digits_for_people) {
    kan_expression *e = parsed("3.14159265358979*x + 1234567");
    char *text = kan_expression_print_digits(e, KAN_EXPRESSION_TEXT, 3, NULL);
    cr_expect(strcmp(text, "3.14*x + 1230000") == 0, "%s", text);
    free(text);
    kan_expression_free(e);
}

Test(expression_print, complexity_adds_up) {
    kan_expression *e = parsed("2*sin(x) + tanh(x)");
    cr_expect(eq(dbl, kan_expression_complexity(e), 1 + 1 + 2 + 1 + 1 + 3 + 1));
    kan_expression_free(e);
}

/* Numbers that a formula of the fuzz may get: negative, tiny, huge, zero of either sign. */
static double any_number(kan_random *random) {
    switch (kan_random_below(random, 6)) {
    case 0: return -(double)kan_random_below(random, 9);
    case 1: return random_between(random, -3.0, 3.0);
    case 2: return ldexp(random_between(random, -1.0, 1.0), (int)kan_random_below(random, 2090) - 1070);
    default: return random_between(random, 0.1, 5.0);
    }
}

/* Random formulas with numbers of any kind. */
static kan_expression *next_formula(kan_random *random, size_t depth) {
    char text[65536];
    random_formula(random, depth, 0, text, sizeof text);
    kan_expression *e = parsed(text);
    for (size_t k = 0; k < kan_expression_n_numbers(e); ++k)
        if (kan_random_below(random, 2)) kan_expression_set_number(e, k, any_number(random));
    return e;
}

/* The value at x = 0.71, y = 1.37, z = 0.93. */
static double value_of(const kan_expression *e) {
    const double at[] = {0.71, 1.37, 0.93};
    double x[3];
    for (size_t i = 0; i < kan_expression_n_variables(e); ++i)
        x[i] = at[*kan_expression_variable(e, i) - 'x'];
    return kan_expression_eval(e, x);
}

Test(expression_print, text_reads_back_to_the_same_bits) {
    kan_random random = kan_random_seed(17, 0);
    size_t finite = 0;
    for (int t = 0; t < 4000; ++t) {
        kan_expression *e = next_formula(&random, 5);
        char *text = kan_expression_print(e, KAN_EXPRESSION_TEXT, NULL);
        kan_expression *back = parsed(text);
        const double y = value_of(e), z = value_of(back);
        if (isnan(y))
            cr_expect(isnan(z), "%s", text);
        else
            cr_expect(memcmp(&y, &z, sizeof y) == 0, "%s: %.17g, %.17g", text, y, z);
        finite += isfinite(y) && y != 0.0;
        cr_expect(eq(sz, kan_expression_n_numbers(e), kan_expression_n_numbers(back)));
        free(text);
        kan_expression_free(back);
        kan_expression_free(e);
    }
    cr_expect(finite > 1500, "%zu", finite);
}

Test(expression_print, json_is_json_and_locales_change_nothing) {
    const char *had = setlocale(LC_NUMERIC, "de_DE.UTF-8"); /* where it exists */
    kan_random random = kan_random_seed(23, 0);
    for (int t = 0; t < 300; ++t) {
        kan_expression *e = next_formula(&random, 5);
        char *text = kan_expression_print(e, KAN_EXPRESSION_JSON, NULL);
        json_error_t error;
        json_t *read = json_loads(text, JSON_DECODE_ANY, &error);
        cr_expect(read != NULL, "%s: %s", text, error.text);
        json_decref(read);
        free(text);
        kan_expression_free(e);
    }
    (void)had;
    expect_form("0.5*x", KAN_EXPRESSION_TEXT, "0.5*x");
}

enum { N_FORMULAS = 150 };

/* Runs a command that prints one number for each formula that write() wrote, and compares. */
static void expect_values(const char *command, const double *y, size_t n, double near) {
    FILE *out = popen(command, "r");
    for (size_t k = 0; k < n; ++k) {
        double z;
        cr_assert(eq(int, fscanf(out, "%lf", &z), 1), "%s", command);
        if (isfinite(y[k]) && isfinite(z))
            cr_expect(epsilon_eq(dbl, z, y[k], near * fabs(y[k]) + 1e-300), "%zu", k);
        if (isfinite(y[k])) cr_expect(isfinite(z), "%zu", k);
    }
    cr_assert(eq(int, pclose(out), 0));
}

/* Writes formulas in a form, each between head and tail; only such that hold still when a number moves a little. */
static size_t write_formulas(FILE *out, kan_expression_form form, const char *head, const char *tail,
                             double *y) {
    kan_random random = kan_random_seed(29, 0);
    size_t n = 0;
    while (n < N_FORMULAS) {
        char text[65536];
        random_formula(&random, 3, 1, text, sizeof text);
        kan_expression *e = parsed(text);
        y[n] = value_of(e);
        char *printed = kan_expression_print(e, form, NULL);
        if (isfinite(y[n]) && fabs(y[n]) < 1e6 && fabs(y[n]) > 1e-6 && strlen(printed) < 500) {
            fprintf(out, "%s%s%s\n", head, printed, tail);
            ++n;
        }
        free(printed);
        kan_expression_free(e);
    }
    return n;
}

Test(expression_print, c_compiles_to_the_same_values) {
    char folder[] = "/tmp/kan_print_XXXXXX", path[64], command[400];
    double y[N_FORMULAS];
    cr_assert(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/f.c", folder);
    FILE *out = fopen(path, "w");
    fputs("#include <math.h>\n#include <stdio.h>\nint main(void) {\n"
          "volatile double vx = 0.71, vy = 1.37, vz = 0.93; double x = vx, y = vy, z = vz;\n(void)x; "
          "(void)y; (void)z;\n",
          out);
    const size_t n = write_formulas(out, KAN_EXPRESSION_C99, "printf(\"%.17g\\n\", ", ");", y);
    fputs("return 0; }\n", out);
    fclose(out);
    snprintf(command, sizeof command,
             "cc -std=c99 -D_XOPEN_SOURCE=600 -ffp-contract=off %s -o %s/f -lm && %s/f", path, folder,
             folder);
    expect_values(command, y, n, 1e-11);
    snprintf(command, sizeof command, "rm -r %s", folder);
    cr_expect(eq(int, system(command), 0));
}

Test(expression_print, sympy_reads_the_same_values, .timeout = 250) {
    if (system("python3 -c 'import sympy' >/dev/null 2>&1") != 0) cr_skip_test("no SymPy here");
    char path[] = "/tmp/kan_print_XXXXXX", command[100];
    double y[N_FORMULAS];
    FILE *out = fdopen(mkstemp(path), "w");
    fputs("from sympy import sympify, Symbol, Rational, re\nat = {'x': '0.71', 'y': '1.37', 'z': "
          "'0.93'}\n"
          "def show(text):\n"
          "    e = sympify(text, locals={n: Symbol(n) for n in at})\n"
          "    print(float(re(e.subs({Symbol(n): Rational(v) for n, v in at.items()}).evalf(20))))\n",
          out);
    const size_t n = write_formulas(out, KAN_EXPRESSION_SYMPY, "show('", "')", y);
    fclose(out);
    snprintf(command, sizeof command, "python3 %s", path);
    expect_values(command, y, n, 1e-9);
    unlink(path);
}

static kan_status print_once(void *context) {
    kan_error error = {0};
    char *text = kan_expression_print(context, KAN_EXPRESSION_TEXT, &error);
    free(text);
    return text ? KAN_OK : error.status;
}

Test(expression_print, what_cannot_be_printed_is_said) {
    kan_expression *e = parsed("digamma(x)");
    kan_error error;
    cr_expect(kan_expression_print(e, KAN_EXPRESSION_C99, &error) == NULL);
    cr_expect(eq(int, error.status, KAN_EFORMAT));
    kan_expression_free(e);
    e = parsed("(x + 1)*2");
    cr_expect(alloc_fail_every(print_once, e) >= 3);
    kan_expression_free(e);
}
