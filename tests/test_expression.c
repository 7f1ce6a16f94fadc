/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gsl/gsl_sf_bessel.h>
#include <gsl/gsl_sf_erf.h>
#include <gsl/gsl_sf_gamma.h>

#include "core/random.h"
#include "symbolic/expression.h"
#include "tests/support/alloc.h"

/* The value of a formula at x; its variables in alphabetical order. */
static double value(const char *text, const double *x) {
    kan_error error = {KAN_OK, ""};
    kan_expression *e = kan_expression_parse(text, &error);
    cr_assert(e != NULL, "%s: %s", text, error.message);
    const double y = kan_expression_eval(e, x);
    kan_expression_free(e);
    return y;
}

/* ---- grammar ----------------------------------------------------------------------------- */

/* Worked by hand; every value is exact. x = 3, y = 5. */
Test(expression, precedence_and_grouping) {
    static const struct {
        const char *text;
        double expected;
    } cases[] = {
        {"1+2*3", 7},
        {"(1+2)*3", 9},
        {"10-4-3", 3},
        {"10-(4-3)", 9},
        {"24/4/3", 2},
        {"24/(4/3*1)", 18},
        {"24/4*3", 18},
        {"2*3^2", 18},
        {"(2*3)^2", 36},
        {"2^3^2", 512},
        {"(2^3)^2", 64},
        {"2**3**2", 512},
        {"2^3**2", 512},
        {"-2^2", -4},
        {"(-2)^2", 4},
        {"--2^2", 4},
        {"2^-1", 0.5},
        {"2^-2^2", 0.0625},
        {"2^-1*4", 2},
        {"-2*-3", 6},
        {"4--3", 7},
        {"4-+3", 1},
        {"-x^2", -9},
        {"x-y-x", -5},
        {"x*-y", -15},
        {"+x", 3},
        {"-(x-y)", 2},
        {"x/y*y", 3},
        {"1/2*x", 1.5},
        {"1/2/x*6", 1},
        {"x^2+y^2", 34},
        {"x**2*y", 45},
        {"x*y**2", 75},
        {"2*x^2/3", 6},
        {" 2\t*\n3 ", 6},
        {"2* *3", NAN},
        {"min(x,y)+max(x,y)", 8},
        {"pow(x,2)-mod(y,x)", 7},
        {"abs(-x)", 3},
        {"-abs(-x)^2", -9},
        {"((((x))))", 3},
        {"sqrt(x^2+(y-1)^2)", 5},
        {"0^0", 1},
        {"x^0", 1},
        {"floor(7/2)+ceil(7/2)", 7},
        {"step(0)+step(-x)+10*sign(-y)+sign(0)", -9},
    };
    for (size_t j = 0; j < sizeof cases / sizeof *cases; ++j) {
        if (isnan(cases[j].expected)) { /* no formula: two signs of a product, apart */
            cr_assert(kan_expression_parse(cases[j].text, NULL) == NULL, "%s", cases[j].text);
            continue;
        }
        /* x alone is variable 0; the formulas with y have x before it. */
        const double x[] = {strchr(cases[j].text, 'x') ? 3.0 : 5.0, 5.0};
        cr_assert(eq(dbl, value(cases[j].text, x), cases[j].expected), "%s", cases[j].text);
    }
}

Test(expression, powers_are_those_of_pow) {
    for (double x = -2.385; x < 3.0; x += 0.271)
        for (int k = -4; k <= 7; ++k) {
            char text[32];
            snprintf(text, sizeof text, "x^%d", k);
            cr_assert(eq(dbl, value(text, &x), pow(x, k)), "%s", text);
        }
    cr_assert(isnan(value("x^0.5", (double[]){-1.0})));
}

/* Bits of what strtod makes of the same text, in the C locale that a program starts in. */
Test(expression, numbers_are_read_exactly) {
    static const char *plain[] = {"1e-3",
                                  ".5",
                                  "2.",
                                  "1E3",
                                  "0.1",
                                  "1.e2",
                                  "007",
                                  "0",
                                  "3e+05",
                                  "4e-08",
                                  ".0",
                                  "12345678901234567890.125",
                                  "5e-324",
                                  "1.7976931348623157e308",
                                  "1e-400",
                                  "0.3e1",
                                  "9007199254740993"};
    for (size_t j = 0; j < sizeof plain / sizeof *plain; ++j)
        cr_assert(eq(dbl, value(plain[j], NULL), strtod(plain[j], NULL)), "%s", plain[j]);
    kan_random random = kan_random_seed(3, 0);
    for (size_t j = 0; j < 3000; ++j) {
        char text[64];
        const double x = kan_random_uniform(&random) *
                         pow(10.0, 600.0 * kan_random_uniform(&random) - 300.0);
        const int digits = (int)kan_random_below(&random, 25);
        snprintf(text, sizeof text, j % 2 ? "%.*e" : "%.*g", digits, x);
        cr_assert(eq(dbl, value(text, NULL), strtod(text, NULL)), "%s", text);
    }
}

Test(expression, numbers_have_a_point_in_every_locale) {
    static const char *locales[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "fr_FR.utf8", "de_DE"};
    for (size_t j = 0; j < sizeof locales / sizeof *locales; ++j)
        if (setlocale(LC_NUMERIC, locales[j])) {
            cr_assert(strcmp(localeconv()->decimal_point, ",") == 0);
            cr_assert(eq(dbl, value("2.5e1+.25", NULL), 25.25));
            return;
        }
    cr_skip_test("no locale with a decimal comma is installed");
}

Test(expression, variables_are_in_byte_order) {
    kan_expression *e = kan_expression_parse("x10+x2*Z-_b(", NULL);
    cr_assert(e == NULL);
    e = kan_expression_parse("x10 + x2*Z - gamma*x2/pi + gamma(x_1)*e + E", NULL);
    static const char *names[] = {"E", "Z", "gamma", "x10", "x2", "x_1"};
    const double x[] = {0.25, 2.0, -3.0, 10.0, 7.0, 5.0};
    cr_assert(e != NULL);
    cr_assert(eq(sz, kan_expression_n_variables(e), 6));
    for (size_t i = 0; i < 6; ++i)
        cr_assert(strcmp(kan_expression_variable(e, i), names[i]) == 0, "%s", names[i]);
    const double expected = 10.0 + 7.0 * 2.0 - -3.0 * 7.0 / M_PI + 24.0 * M_E + 0.25;
    cr_assert(epsilon_eq(dbl, kan_expression_eval(e, x), expected, 8 * DBL_EPSILON * fabs(expected)));
    kan_expression_free(e);
    e = kan_expression_parse("pi^e", NULL);
    cr_assert(eq(sz, kan_expression_n_variables(e), 0));
    cr_assert(eq(dbl, kan_expression_eval(e, NULL), pow(M_PI, M_E)));
    kan_expression_free(e);
}

Test(expression, constants_become_variables_when_they_are_named) {
    static const char *const names[] = {"unused", "e"};
    const double x[] = {7.0, 0.5}; /* e, x */
    kan_expression *e = kan_expression_parse_with("e*x+pi+1e1", 2, names, NULL);
    cr_assert(e != NULL);
    cr_assert(eq(sz, kan_expression_n_variables(e), 2));
    cr_assert(eq(dbl, kan_expression_eval(e, x), 3.5 + M_PI + 10.0));
    kan_expression_free(e);
    cr_assert(eq(dbl, value("e*x", (double[]){0.5}), 0.5 * M_E));
}

/* ---- functions --------------------------------------------------------------------------- */

Test(expression, functions_are_those_of_math_h) {
    static const struct {
        const char *name;
        double (*f)(double);
    } cases[] = {{"exp", exp},
                 {"log", log},
                 {"ln", log},
                 {"sqrt", sqrt},
                 {"cbrt", cbrt},
                 {"sin", sin},
                 {"cos", cos},
                 {"tan", tan},
                 {"asin", asin},
                 {"arcsin", asin},
                 {"acos", acos},
                 {"arccos", acos},
                 {"atan", atan},
                 {"arctan", atan},
                 {"sinh", sinh},
                 {"cosh", cosh},
                 {"tanh", tanh},
                 {"asinh", asinh},
                 {"arcsinh", asinh},
                 {"acosh", acosh},
                 {"arccosh", acosh},
                 {"atanh", atanh},
                 {"arctanh", atanh},
                 {"exp2", exp2},
                 {"expm1", expm1},
                 {"log2", log2},
                 {"log10", log10},
                 {"log1p", log1p},
                 {"erf", erf},
                 {"erfc", erfc},
                 {"gamma", tgamma},
                 {"tgamma", tgamma},
                 {"abs", fabs},
                 {"fabs", fabs},
                 {"Abs", fabs},
                 {"floor", floor},
                 {"ceil", ceil},
                 {"J0", gsl_sf_bessel_J0},
                 {"j0", gsl_sf_bessel_J0},
                 {"J1", gsl_sf_bessel_J1},
                 {"j1", gsl_sf_bessel_J1},
                 {"Y0", gsl_sf_bessel_Y0},
                 {"y1", gsl_sf_bessel_Y1},
                 {"lgamma", gsl_sf_lngamma}};
    static const double arguments[] = {0.3718, 0.9211, 1.2385, 4.6127};
    for (size_t j = 0; j < sizeof cases / sizeof *cases; ++j)
        for (size_t i = 0; i < 4; ++i) {
            char text[32];
            snprintf(text, sizeof text, "%s(x)", cases[j].name);
            const double y = value(text, &arguments[i]), expected = cases[j].f(arguments[i]);
            if (isnan(expected)) {
                cr_assert(isnan(y), "%s", text);
                continue;
            }
            /* GSL's functions are good to some epsilon absolutely, the others are the same code. */
            cr_assert(epsilon_eq(dbl, y, expected, 8 * DBL_EPSILON * fmax(1.0, fabs(expected))),
                      "%s at %g", text, arguments[i]);
        }
}

Test(expression, functions_of_two_variables) {
    const double x[] = {2.385, -0.713}; /* a, b */
    cr_assert(eq(dbl, value("atan2(a,b)", x), atan2(2.385, -0.713)));
    cr_assert(eq(dbl, value("hypot(a, b)", x), hypot(2.385, -0.713)));
    cr_assert(eq(dbl, value("fmin(a,b)*fmax(a,b)", x), -0.713 * 2.385));
    cr_assert(eq(dbl, value("fmod(a,b)", x), fmod(2.385, -0.713)));
    cr_assert(eq(dbl, value("pow(a,b)", x), pow(2.385, -0.713)));
    cr_assert(epsilon_eq(dbl, value("jv(1/2, a)", x), sqrt(2 / (M_PI * 2.385)) * sin(2.385), 1e-14));
}

/* ---- errors ------------------------------------------------------------------------------ */

Test(expression, errors_point_at_the_column) {
    static const struct {
        const char *text;
        size_t column;
        const char *says;
    } cases[] = {
        {"", 1, "empty"},
        {"  \t", 1, "empty"},
        {"1+", 3, "the text ends"},
        {"x+foo(3)", 3, "unknown function 'foo'"},
        {"sin(x)+2*bar (x)", 10, "unknown function 'bar'"},
        {"sin()", 1, "takes 1 argument, not 0"},
        {"1+sin(x,y)", 3, "takes 1 argument, not 2"},
        {"atan2(x)", 1, "takes 2 arguments, not 1"},
        {"min(1,2,3,4)", 1, "takes 2 arguments, not 4"},
        {"2*(x+1", 3, "never closed"},
        {"sin(x", 6, "',' or ')'"},
        {"x)", 2, "an operator expected"},
        {"x y", 3, "an operator expected"},
        {"2x", 2, "an operator expected"},
        {"2e", 2, "an operator expected"},
        {"1..2", 3, "an operator expected"},
        {"0x10", 2, "an operator expected"},
        {"x,y", 2, "instead of ','"},
        {"*x", 1, "a number, a name or '('"},
        {"x+*y", 3, "instead of '*'"},
        {"x^", 3, "the text ends"},
        {"()", 2, "instead of ')'"},
        {"x & y", 3, "instead of '&'"},
        {"x+\xc3\xa9", 3, "byte 0xc3"},
        {"_x", 1, "instead of '_'"},
        {"1+.", 3, "'.' without digits"},
        {"2*1e999", 3, "beyond the largest double"},
        {"2*1e99999999999999999999", 3, "beyond the largest double"},
        {"(x+1))*2", 6, "an operator expected"},
        {"min(1,)", 7, "instead of ')'"},
    };
    for (size_t j = 0; j < sizeof cases / sizeof *cases; ++j) {
        kan_error error = {KAN_OK, ""};
        char column[32];
        cr_assert(kan_expression_parse(cases[j].text, &error) == NULL, "%s", cases[j].text);
        cr_assert(eq(int, (int)error.status, KAN_EFORMAT), "%s", cases[j].text);
        snprintf(column, sizeof column, "column %zu", cases[j].column);
        const char *found = strstr(error.message, column);
        cr_assert(found != NULL && !(found[strlen(column)] >= '0' && found[strlen(column)] <= '9'),
                  "%s: %s", cases[j].text, error.message);
        cr_assert(strstr(error.message, cases[j].says) != NULL, "%s: %s", cases[j].text, error.message);
    }
    cr_assert(kan_expression_parse("1+", NULL) == NULL);
}

/* n times `open`, then x, then n times `close`. */
static kan_expression *nested(size_t n, const char *open, const char *close, kan_error *error) {
    char *text = calloc(n * (strlen(open) + strlen(close)) + 2, 1);
    for (size_t j = 0; j < n; ++j) strcat(text, open);
    strcat(text, "x");
    for (size_t j = 0; j < n; ++j) strcat(text, close);
    kan_expression *e = kan_expression_parse(text, error);
    free(text);
    return e;
}

/* The formulas that hold the most values at once, up to the limit; and the first one beyond it. */
Test(expression, nesting_has_a_limit) {
    static const struct {
        const char *open, *close;
        double expected; /* of 200 levels at x = 1 */
    } cases[] = {{"(", ")", 1.0},
                 {"-(", ")", 1.0},
                 {"1^", "", 1.0},
                 {"0+1*pow(1,", ")", 1.0},
                 {"1+1*min(900,", ")", 201.0},
                 {"1+1*(1)^(", ")", 2.0}};
    for (size_t j = 0; j < sizeof cases / sizeof *cases; ++j) {
        const size_t levels = j == 5 ? 100 : 200; /* a power and its bracket are two */
        kan_expression *e = nested(levels, cases[j].open, cases[j].close, NULL);
        cr_assert(e != NULL, "%s", cases[j].open);
        cr_assert(eq(dbl, kan_expression_eval(e, (double[]){1.0}), cases[j].expected), "%s",
                  cases[j].open);
        kan_expression_free(e);
        kan_error error = {KAN_OK, ""};
        cr_assert(nested(levels + 1, cases[j].open, cases[j].close, &error) == NULL, "%s",
                  cases[j].open);
        cr_assert(strstr(error.message, "200 deep") != NULL, "%s", error.message);
        cr_assert(nested(3000, cases[j].open, cases[j].close, &error) == NULL);
    }
    cr_assert(nested(3000, "(", "", NULL) == NULL);
}

Test(expression, sums_may_be_long) {
    enum { N = 20000 };
    char *text = malloc(2 * N + 2);
    for (size_t j = 0; j < N; ++j) memcpy(text + 2 * j, j % 3 ? "x+" : "1*", 2);
    strcpy(text + 2 * N, "x");
    kan_expression *e = kan_expression_parse(text, NULL);
    cr_assert(e != NULL);
    /* 6667 of the x are multiplied by 1; 13334 terms are left. */
    cr_assert(eq(dbl, kan_expression_eval(e, (double[]){1.0}), 13334.0));
    kan_expression_free(e);
    free(text);
}

/* Random pieces of formulas: most are wrong, some are right; nothing else may happen. */
Test(expression, garbage_is_refused_or_evaluated) {
    static const char *pieces[] = {"(",   ")",    "+",    "-",  "*",  "/",   "^",  "**",   ",", "x",
                                   "y1",  "sin(", "min(", "2",  ".5", "1e3", "pi", "e",    " ", "j0(",
                                   "foo", "\x01", "\xff", "1e", "_",  "x)",  "(x", "kv(1,"};
    kan_random random = kan_random_seed(17, 0);
    size_t parsed = 0, refused = 0;
    for (size_t j = 0; j < 60000; ++j) {
        char text[128] = "";
        const size_t n = 1 + kan_random_below(&random, 9);
        for (size_t i = 0; i < n; ++i)
            strcat(text, pieces[kan_random_below(&random, sizeof pieces / sizeof *pieces)]);
        kan_error error = {KAN_OK, ""};
        kan_expression *e = kan_expression_parse(text, &error);
        if (e) {
            double x[16];
            cr_assert(le(sz, kan_expression_n_variables(e), 16));
            for (size_t i = 0; i < 16; ++i) x[i] = kan_random_normal(&random);
            (void)kan_expression_eval(e, x);
            ++parsed;
        } else {
            cr_assert(eq(int, (int)error.status, KAN_EFORMAT), "%s", text);
            cr_assert(strstr(error.message, "column ") != NULL, "%s: %s", text, error.message);
            ++refused;
        }
        kan_expression_free(e);
    }
    cr_assert(parsed > 1000 && refused > 1000, "%zu parsed, %zu refused", parsed, refused);
}

static kan_status parse_and_free(void *context) {
    kan_error error = {KAN_OK, ""};
    kan_expression *e = kan_expression_parse(context, &error);
    kan_expression_free(e);
    return e ? KAN_OK : error.status;
}

Test(expression, no_memory_is_an_error_and_no_leak) {
    cr_assert(gt(sz, alloc_fail_every(parse_and_free, (char[]){"exp(sin(pi*x)+y^2)"}), 0));
}

Test(expression, evaluation_allocates_nothing) {
    kan_expression *e = kan_expression_parse("exp(sin(pi*x)+y^2)+kv(1,2+x)", NULL);
    cr_assert(e != NULL);
    alloc_count_begin();
    const double y = kan_expression_eval(e, (double[]){0.3, 0.7});
    cr_assert(eq(sz, alloc_count_end(), 0));
    cr_assert(isfinite(y));
    kan_expression_free(e);
}

/* ---- the Feynman formulas ---------------------------------------------------------------- */

enum { MAX_CELLS = 64, MAX_LINE = 4096 };

/* Cuts a line of comma-separated cells, some of them in quotes, in place; the number of cells. */
static size_t cut(char *line, char *cells[MAX_CELLS]) {
    size_t n = 0;
    line[strcspn(line, "\r\n")] = '\0';
    for (char *at = line; n < MAX_CELLS;) {
        const bool quoted = *at == '"';
        cells[n++] = at += quoted;
        char *end = quoted ? strchr(at, '"') : at + strcspn(at, ",");
        const char separator = quoted ? end[1] : *end;
        *end = '\0';
        if (separator == '\0') return n;
        at = end + 1 + quoted;
    }
    return n;
}

static FILE *open_shared(const char *name) {
    char path[512];
    snprintf(path, sizeof path, KAN_SHARED "/data/feynman/%s", name);
    FILE *in = fopen(path, "r");
    if (!in) cr_skip_test("%s is not there", path);
    return in;
}

/* The value of a formula at a point of a table, whose names [n] need not be in alphabetical order. */
static double value_at(const kan_expression *e, size_t n, const char *const *names, const double *x) {
    double sorted[MAX_CELLS];
    for (size_t i = 0; i < kan_expression_n_variables(e); ++i) {
        size_t j = 0;
        while (j < n && strcmp(names[j], kan_expression_variable(e, i)) != 0) ++j;
        cr_assert(lt(sz, j, n), "no column %s", kan_expression_variable(e, i));
        sorted[i] = x[j];
    }
    return kan_expression_eval(e, sorted);
}

/* How far rounding can move y: every operation of a formula has a relative error of about epsilon, as
 * if each of its operands had, so to first order y is off by epsilon times a few (|y| + sum_i |x_i dy /
 * dx_i|). The sum comes from relative steps of 2^-30, large enough to be above rounding itself. */
static double rounding(const kan_expression *e, size_t n, const char *const *names, const double *x,
                       double y) {
    double moved[MAX_CELLS], sum = fabs(y);
    memcpy(moved, x, n * sizeof *x);
    for (size_t j = 0; j < n; ++j) {
        moved[j] = x[j] * (1.0 - 0x1p-30);
        const double step = fabs(value_at(e, n, names, moved) - y);
        if (isfinite(step)) sum += step * 0x1p30;
        moved[j] = x[j];
    }
    return DBL_EPSILON * sum;
}

/* Compares the ten points of one formula, the next lines of `points`, with their values; the largest
 * error in units of `rounding`. */
static double worst_of_formula(const char *id, const kan_expression *e, size_t n,
                               const char *const *names, FILE *points) {
    double worst = 0.0;
    for (size_t point = 0; point < 10; ++point) {
        char line[MAX_LINE], *cells[MAX_CELLS];
        double x[MAX_CELLS];
        cr_assert(fgets(line, sizeof line, points) != NULL);
        const size_t n_cells = cut(line, cells);
        cr_assert(strcmp(cells[0], id) == 0, "%s instead of %s", cells[0], id);
        for (size_t j = 0; j < n; ++j) x[j] = strtod(cells[2 + j], NULL);
        const double expected = strtod(cells[n_cells - 1], NULL), y = value_at(e, n, names, x);
        const double error = fabs(y - expected), unit = rounding(e, n, names, x, expected);
        cr_assert(error <= 16 * unit, "%s, point %zu: %.17g, not %.17g (%.1f)", id, point, y, expected,
                  error / unit);
        worst = fmax(worst, error / unit);
    }
    return worst;
}

Test(expression, feynman_formulas_have_the_values_of_mpmath) {
    char line[MAX_LINE], *cells[MAX_CELLS];
    FILE *formulas = open_shared("feynman_clean.csv"), *points = open_shared("feynman_values.csv");
    cr_assert(fgets(line, sizeof line, points) && fgets(line, sizeof line, formulas));
    size_t n_formulas = 0;
    double worst = 0.0;
    for (; fgets(line, sizeof line, formulas); ++n_formulas) {
        cut(line, cells); /* id,set,number,output,n_vars,formula,v1,v1_low,v1_high,v2,.. */
        const size_t n = strtoul(cells[4], NULL, 10);
        const char *names[9];
        for (size_t j = 0; j < n; ++j) names[j] = cells[6 + 3 * j];
        kan_error error = {KAN_OK, ""};
        kan_expression *e = kan_expression_parse(cells[5], &error);
        cr_assert(e != NULL, "%s: %s", cells[5], error.message);
        cr_assert(eq(sz, kan_expression_n_variables(e), n), "%s", cells[5]);
        worst = fmax(worst, worst_of_formula(cells[0], e, n, names, points));
        kan_expression_free(e);
    }
    fclose(points);
    fclose(formulas);
    cr_assert(eq(sz, n_formulas, 120));
    cr_assert(worst > 0.0); /* they were compared */
    cr_log_info("worst error: %.2f units of rounding\n", worst);
}

/* Parses every formula of a table and holds its variables against those with ranges in the table. */
Test(expression, pykan_formulas_have_the_variables_of_their_ranges) {
    char line[MAX_LINE], *cells[MAX_CELLS];
    FILE *in = open_shared("pykan_feynman.csv");
    cr_assert(fgets(line, sizeof line, in) != NULL);
    size_t n_formulas = 0;
    for (; fgets(line, sizeof line, in); ++n_formulas) {
        cut(line, cells); /* number,id,n_vars,expression,v1,v1_low,v1_high,.. */
        const size_t n = strtoul(cells[2], NULL, 10);
        const char *names[9];
        double x[9];
        for (size_t j = 0; j < n; ++j) {
            names[j] = cells[4 + 3 * j];
            const double lo = strtod(cells[5 + 3 * j], NULL), hi = strtod(cells[6 + 3 * j], NULL);
            x[j] = lo + (0.51 + 0.03 * (double)j) * (hi - lo);
        }
        kan_error error = {KAN_OK, ""};
        kan_expression *e = kan_expression_parse(cells[3], &error);
        cr_assert(e != NULL, "%s: %s", cells[3], error.message);
        cr_assert(eq(sz, kan_expression_n_variables(e), n), "%s", cells[3]);
        cr_assert(isfinite(value_at(e, n, names, x)), "%s", cells[3]);
        kan_expression_free(e);
    }
    fclose(in);
    cr_assert(eq(sz, n_formulas, 120));
}

Test(expression, dimensionless_formulas_have_the_variables_of_their_ranges) {
    char line[MAX_LINE], *cells[MAX_CELLS];
    FILE *in = open_shared("dimensionless.csv");
    cr_assert(fgets(line, sizeof line, in) != NULL);
    size_t n_formulas = 0;
    for (; fgets(line, sizeof line, in); ++n_formulas) {
        cut(line, cells); /* id,formula,n_in,"a=0,1;b=2,3",.. */
        const size_t n = strtoul(cells[2], NULL, 10);
        const char *names[9];
        double x[9];
        size_t found = 0;
        for (char *range = strtok(cells[3], ";"); range; range = strtok(NULL, ";"), ++found) {
            char *equals = strchr(range, '='), *rest;
            *equals = '\0';
            names[found] = range;
            const double lo = strtod(equals + 1, &rest), hi = strtod(rest + 1, NULL);
            x[found] = lo + (0.51 + 0.03 * (double)found) * (hi - lo);
        }
        cr_assert(eq(sz, found, n));
        /* One of them has a variable e. */
        kan_error error = {KAN_OK, ""};
        kan_expression *e = kan_expression_parse_with(cells[1], n, names, &error);
        cr_assert(e != NULL, "%s: %s", cells[1], error.message);
        cr_assert(eq(sz, kan_expression_n_variables(e), n), "%s", cells[1]);
        cr_assert(isfinite(value_at(e, n, names, x)), "%s", cells[1]);
        kan_expression_free(e);
    }
    fclose(in);
    cr_assert(eq(sz, n_formulas, 27));
}
