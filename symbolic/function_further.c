/* symbolic/function_further.c - functions of one variable that formulas know, but no edge becomes.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _DEFAULT_SOURCE /* y0, y1, yn, lgamma_r and their long double forms */

#include <math.h>

#include <gsl/gsl_sf_psi.h>

#include "symbolic/function_private.h"

static const double LN_2 = 0.69314718055994530942, LN_10 = 2.30258509299404568402;
static const double TWO_BY_SQRT_PI = 1.12837916709551257390;

static double where_positive(double x, double v) {
    return x >= 0.0 ? v : NAN;
}

static double zero(double x) {
    return isnan(x) ? x : 0.0;
}

/* lgamma itself writes to a global variable, the sign of gamma. */
static double log_gamma(double x) {
    int sign_of_gamma;
    return lgamma_r(x, &sign_of_gamma);
}

static long double log_gamma_long(long double x) {
    int sign_of_gamma;
    return lgammal_r(x, &sign_of_gamma);
}

/* psi(x), psi'(x) = d^n/dx^n log Gamma, n = 1, 2; poles at 0, -1, -2, .., where GSL would call its error handler.
 * Beyond 1e15 a negative double is a whole number or so near to one that there is no digit to lose. */
static double polygamma(int n, double x) {
    if (isnan(x)) return x;
    if (x <= 0.0 && (x == floor(x) || x < -1e15)) return NAN;
    if (isinf(x)) return n == 1 ? x : 0.0;
    gsl_sf_result r;
    const int status = n == 1 ? gsl_sf_psi_e(x, &r) : gsl_sf_psi_1_e(x, &r);
    return status == 0 ? r.val : NAN;
}

static double digamma(double x) {
    return polygamma(1, x);
}

static double trigamma(double x) {
    return polygamma(2, x);
}

/* psi''(x); by recurrence psi''(x) = psi''(x+1) - 2/x^3 from where GSL knows it. */
static double tetragamma(double x) {
    double sum = 0.0;
    if (isnan(x) || x < -1e3 || (x <= 0.0 && x == floor(x))) return NAN;
    for (; x <= 0.0; x += 1.0) sum -= 2.0 / (x * x * x);
    gsl_sf_result r;
    if (isinf(x)) return 0.0;
    return gsl_sf_psi_n_e(2, x, &r) == 0 ? sum + r.val : NAN;
}

/* f, f', f'' of the double x. */
#define VALUES(id, value, first, second) \
    static double id##_f(double x) {     \
        return value;                    \
    }                                    \
    static double id##_d1(double x) {    \
        return first;                    \
    }                                    \
    static double id##_d2(double x) {    \
        return second;                   \
    }

VALUES(exp2, exp2(x), LN_2 *exp2(x), LN_2 *LN_2 *exp2(x))
VALUES(expm1, expm1(x), exp(x), exp(x))
VALUES(log2, log2(x), where_positive(x, 1.0 / (LN_2 * x)), where_positive(x, -1.0 / (LN_2 * x * x)))
VALUES(log10, log10(x), where_positive(x, 1.0 / (LN_10 * x)), where_positive(x, -1.0 / (LN_10 * x * x)))
VALUES(log1p, log1p(x), where_positive(1.0 + x, 1.0 / (1.0 + x)),
       where_positive(1.0 + x, -1.0 / ((1.0 + x) * (1.0 + x))))
VALUES(erfc, erfc(x), -TWO_BY_SQRT_PI *exp(-x *x),
       fabs(x) > 30.0 ? 0.0 : 2.0 * TWO_BY_SQRT_PI * x * exp(-x * x))
VALUES(gamma, tgamma(x), tgamma(x) * digamma(x), tgamma(x) * (digamma(x) * digamma(x) + trigamma(x)))
VALUES(lgamma, log_gamma(x), digamma(x), trigamma(x))
VALUES(digamma, digamma(x), trigamma(x), tetragamma(x))
VALUES(trigamma, trigamma(x), tetragamma(x), NAN + x)
VALUES(y0, y0(x), -y1(x), 0.5 * (yn(2, x) - y0(x)))
VALUES(y1, y1(x), 0.5 * (y0(x) - yn(2, x)), 0.25 * (yn(3, x) - 3.0 * y1(x)))
VALUES(floor, floor(x), zero(x), zero(x))
VALUES(ceil, ceil(x), zero(x), zero(x))

#define ROW(id, from, costs) \
    .name = #id, .f = id##_f, .d1 = id##_d1, .d2 = id##_d2, .lo = from, .hi = INFINITY, .cost = costs
#define CALLED(tex)   tex "\\left(%\\right)"
#define OPERATOR(tex) "\\operatorname{" tex "}\\left(%\\right)"

const kan_function kan_function_further[] = {
    {ROW(exp2, -INFINITY, 3), .text = "exp2(%)", .c = "exp2(%)", .latex = "2^{%}", .sympy = "(2**(%))",
     .slope = "log(2)*exp2(%)", .f_long = exp2l},
    {ROW(expm1, -INFINITY, 3), .text = "expm1(%)", .c = "expm1(%)", .latex = "\\left(e^{%} - 1\\right)",
     .sympy = "(exp(%) - 1)", .slope = "exp(%)", .f_long = expm1l},
    {ROW(log2, 0.0, 3), .text = "log2(%)", .c = "log2(%)", .latex = CALLED("\\log_{2}"),
     .sympy = "log(%, 2)", .slope = "1/(log(2)*(%))", .f_long = log2l},
    {ROW(log10, 0.0, 3), .text = "log10(%)", .c = "log10(%)", .latex = CALLED("\\log_{10}"),
     .sympy = "log(%, 10)", .slope = "1/(log(10)*(%))", .f_long = log10l},
    {ROW(log1p, -1.0, 3), .text = "log1p(%)", .c = "log1p(%)", .latex = "\\log\\left(1 + %\\right)",
     .sympy = "log(1 + (%))", .slope = "1/(1+(%))", .f_long = log1pl},
    {ROW(erfc, -INFINITY, 3), .text = "erfc(%)", .c = "erfc(%)", .latex = OPERATOR("erfc"),
     .sympy = "erfc(%)", .slope = "-2/sqrt(pi)*exp(-(%)^2)", .f_long = erfcl},
    {ROW(gamma, -INFINITY, 4), .pole = 1, .text = "gamma(%)", .c = "tgamma(%)",
     .latex = CALLED("\\Gamma"), .sympy = "gamma(%)", .slope = "gamma(%)*digamma(%)",
     .f_long = tgammal},
    {ROW(lgamma, -INFINITY, 4), .pole = 1, .text = "lgamma(%)", .c = "lgamma(%)",
     .latex = "\\log\\left|\\Gamma\\left(%\\right)\\right|", .sympy = "log(Abs(gamma(%)))",
     .slope = "digamma(%)", .f_long = log_gamma_long},
    {ROW(digamma, -INFINITY, 4), .pole = 1, .text = "digamma(%)", .latex = CALLED("\\psi"),
     .sympy = "polygamma(0, %)", .slope = "trigamma(%)"},
    {ROW(trigamma, -INFINITY, 4), .pole = 1, .text = "trigamma(%)", .latex = CALLED("\\psi_{1}"),
     .sympy = "polygamma(1, %)"},
    {ROW(y0, 0.0, 4), .text = "y0(%)", .c = "y0(%)", .latex = CALLED("Y_{0}"), .sympy = "bessely(0, %)",
     .slope = "-y1(%)", .f_long = y0l},
    {ROW(y1, 0.0, 4), .text = "y1(%)", .c = "y1(%)", .latex = CALLED("Y_{1}"), .sympy = "bessely(1, %)",
     .slope = "y0(%)-y1(%)/(%)", .f_long = y1l},
    {ROW(floor, -INFINITY, 3), .text = "floor(%)", .c = "floor(%)",
     .latex = "\\left\\lfloor %\\right\\rfloor", .sympy = "floor(%)", .slope = "0", .f_long = floorl},
    {ROW(ceil, -INFINITY, 3), .text = "ceil(%)", .c = "ceil(%)",
     .latex = "\\left\\lceil %\\right\\rceil", .sympy = "ceiling(%)", .slope = "0", .f_long = ceill}};
const size_t kan_function_n_further = sizeof kan_function_further / sizeof *kan_function_further;
