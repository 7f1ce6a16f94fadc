/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <float.h>
#include <math.h>
#include <string.h>

#include "core/random.h"
#include "symbolic/constant.h"
#include "symbolic/expression.h"

static const char *const exact[] = {
    "1",        "-1",       "2",          "-7",         "1000",         "1/2",
    "-3/4",     "5/7",      "29/30",      "pi",         "2*pi",         "-pi/2",
    "3*pi/4",   "1/pi",     "1/(2*pi)",   "pi^2",       "pi^2/6",       "e",
    "1/e",      "sqrt(2)",  "sqrt(2)/2",  "sqrt(3)/2",  "-2*sqrt(5)/3", "log(2)",
    "1/log(2)", "sqrt(pi)", "2/sqrt(pi)", "sqrt(2*pi)", "1/sqrt(2*pi)", "0.37",
    "-2.385",   "0.001",    "sqrt(3)/pi", "sqrt(2)*pi", "4*pi^3",
};

static double value_of(const char *text) {
    kan_error error;
    kan_expression *e = kan_expression_parse(text, &error);
    cr_assert(e != NULL, "%s: %s", text, error.message);
    const double value = kan_expression_eval(e, NULL);
    kan_expression_free(e);
    return value;
}

/* The text is what went in, whatever the last digits are. */
Test(constant, recognises_the_exact_ones) {
    for (size_t i = 0; i < sizeof exact / sizeof *exact; ++i) {
        const double value = value_of(exact[i]);
        const double errors[] = {0.0, 1e-12, 1e-9, 1e-7};
        for (size_t k = 0; k < sizeof errors / sizeof *errors; ++k) {
            kan_constant made;
            cr_assert(kan_constant_recognise(value + 0.7 * errors[k], errors[k], &made), "%s within %g",
                      exact[i], errors[k]);
            cr_expect_str_eq(made.text, exact[i]);
            cr_expect(fabs(made.value - value) <= 4.0 * DBL_EPSILON * fabs(value), "%s", exact[i]);
            cr_expect(made.chance < 0.01);
        }
    }
}

Test(constant, writes_what_the_parser_reads_as_the_same_number) {
    kan_random random = kan_random_seed(5, 1);
    size_t n = 0;
    for (size_t i = 0; i < 20000; ++i) {
        kan_constant made;
        const double p = 1.0 + (double)kan_random_below(&random, 12),
                     q = 1.0 + (double)kan_random_below(&random, 30);
        const double roots[] = {1.0,       M_PI,       1.0 / M_PI, M_E,
                                sqrt(7.0), sqrt(M_PI), M_LN2,      1.0 / (M_PI * M_PI)};
        if (!kan_constant_recognise(p / q * roots[i % 8], 1e-13, &made)) continue;
        ++n;
        const double read = value_of(made.text);
        cr_assert(fabs(read - made.value) <= 4.0 * DBL_EPSILON * fabs(read), "%s", made.text);
    }
    cr_expect(n > 19000, "%zu", n);
}

Test(constant, takes_a_number_within_the_error_of_zero_for_zero) {
    kan_constant made;
    cr_assert(kan_constant_recognise(-1e-9, 1e-8, &made));
    cr_expect_str_eq(made.text, "0");
    cr_expect_eq(made.value, 0.0);
    cr_expect_not(kan_constant_recognise(NAN, 1e-8, &made));
}

Test(constant, says_no_where_the_error_is_too_large_to_tell) {
    kan_constant made;
    cr_expect_not(kan_constant_recognise(2.7, 0.1, &made));
    cr_expect_not(kan_constant_recognise(3.14, 0.05, &made));
    cr_expect(kan_constant_recognise(3.0004, 1e-3, &made));
    cr_expect_str_eq(made.text, "3");
}

/* Forms that pass are expected in 0.01 of random numbers, and that bound is the mean over numbers between half
 * and twice the value. */
Test(constant, hardly_ever_recognises_a_random_number) {
    const double errors[] = {1e-3, 1e-6, 1e-10};
    for (size_t k = 0; k < 3; ++k) {
        kan_random random = kan_random_seed(11, k);
        size_t n = 0;
        for (size_t i = 0; i < 20000; ++i) {
            const double v = exp(log(0.02) + log(1e4) * kan_random_uniform(&random)); /* 0.02 to 200 */
            kan_constant made;
            n += kan_constant_recognise(v, errors[k], &made);
        }
        cr_log_info("error %g: %zu of 20000", errors[k], n);
        cr_expect(n < 300, "error %g: %zu of 20000", errors[k], n);
    }
}
