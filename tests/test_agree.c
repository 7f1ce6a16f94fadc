/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "support/alloc.h"
#include "symbolic/agree.h"

static const kan_agree_range ranges[] = {{"x", 0.5, 2.0}, {"y", -1.0, 1.0}, {"z", 1.0, 1.0}};

static kan_agree_report compare(const char *p, const char *q) {
    kan_error error;
    kan_expression *a = kan_expression_parse(p, &error), *b = kan_expression_parse(q, &error);
    cr_assert(a && b, "%s", error.message);
    kan_agree_report report;
    cr_assert(kan_agree_expressions(a, b, 3, ranges, NULL, &report, &error) == KAN_OK);
    kan_expression_free(a);
    kan_expression_free(b);
    return report;
}

Test(agree, knows_one_function_in_two_forms) {
    const char *const pairs[][2] = {
        {"exp(sin(pi*x)+y^2)", "exp(y*y)*exp(sin(3.141592653589793*x))"},
        {"x*y", "((x+y)^2-(x-y)^2)/4"},
        {"sin(2*(log(x)+log(y+3)))", "sin(2*log(x*(y+3)))"},
        {"0.3*y", "3/10*y"},
        {"log(y^2)/2", "log(y)"}, /* where both are finite */
        {"x/z", "x"},
        {"0*x", "0"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; ++i) {
        const kan_agree_report report = compare(pairs[i][0], pairs[i][1]);
        cr_expect(report.agree, "%s and %s differ by %g at %zu points", pairs[i][0], pairs[i][1],
                  report.worst, report.n_points);
        cr_expect(report.decided && report.n_points == 1000);
    }
}

Test(agree, sees_a_part_in_ten_million_and_not_one_in_ten_billion) {
    const kan_agree_report off = compare("1.0000001*x*y", "x*y"),
                           close = compare("1.0000000001*x*y", "x*y");
    cr_expect(off.decided && !off.agree);
    cr_expect(off.worst > 0.99e-7 && off.worst < 1.01e-7, "%g", off.worst);
    cr_expect(close.agree && close.worst > 0.99e-10 && close.worst < 1.01e-10, "%g", close.worst);
}

/* They are the same on the data, y in [-1, 1], and not a tenth beyond. */
Test(agree, looks_beyond_the_data) {
    cr_expect_not(compare("abs(y+1)-1", "y").agree);
    cr_expect_not(compare("0", "1e-9*y").agree);
}

Test(agree, decides_nothing_without_points) {
    const kan_agree_report report = compare("sqrt(-x)", "sqrt(-x)");
    cr_expect_not(report.decided || report.agree || report.n_points > 0);
}

Test(agree, says_which_variable_has_no_range) {
    kan_error error;
    kan_agree_report report;
    kan_expression *a = kan_expression_parse("x+u", &error), *b = kan_expression_parse("x", &error);
    cr_expect(kan_agree_expressions(b, a, 3, ranges, NULL, &report, &error) == KAN_ECONFIG);
    cr_expect_str_eq(error.message, "the variable u has no range");
    kan_expression_free(a);
    kan_expression_free(b);
}

static kan_status attempt(void *context) {
    const kan_expression *e = context;
    kan_agree_report report;
    return kan_agree_expressions(e, e, 3, ranges, NULL, &report, NULL);
}

Test(agree, survives_every_allocation_that_fails) {
    kan_expression *e = kan_expression_parse("x*y", NULL);
    cr_expect(alloc_fail_every(attempt, e) == 5);
    kan_expression_free(e);
}
