/* symbolic/function_edge.c - the functions that edges may become: values, derivatives, forms.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _DEFAULT_SOURCE /* j0, j1, jn and their long double forms */

#include <math.h>

#include "symbolic/function_private.h"

static const double TWO_BY_SQRT_PI = 1.12837916709551257390;

/* f, f', f'' as expressions of the double x, and f as one of the long double x. */
#define VALUES(id, value, first, second, value_long) \
    static double id##_f(double x) {                 \
        return value;                                \
    }                                                \
    static double id##_d1(double x) {                \
        return first;                                \
    }                                                \
    static double id##_d2(double x) {                \
        return second;                               \
    }                                                \
    static long double id##_long(long double x) {    \
        return value_long;                           \
    }

#define FUNCTIONS(id) .f = id##_f, .d1 = id##_d1, .d2 = id##_d2, .f_long = id##_long
#define EVERYWHERE    .lo = -INFINITY, .hi = INFINITY

/* ---- values with more than one case ---------------------------------------------------------- */

static double sign(double x) {
    return isnan(x) ? x : (double)((x > 0.0) - (x < 0.0));
}

static double step(double x) {
    return isnan(x) ? x : (double)(x >= 0.0);
}

/* 0 wherever x is a number. */
static double zero(double x) {
    return isnan(x) ? x : 0.0;
}

/* v where the logarithm is defined. */
static double if_positive(double x, double v) {
    return x >= 0.0 ? v : NAN;
}

static double if_inside_one(double x, double v) {
    return x >= -1.0 && x <= 1.0 ? v : NAN;
}

/* exp(-x^2) times a polynomial's value, which may overflow where the exponential vanishes. */
static double gauss_times(double x, double v) {
    const double g = exp(-x * x);
    return g == 0.0 ? 0.0 : g * v;
}

/* sin(x)/x = sum_k (-1)^k x^2k / (2k+1)!, and its derivative number `order` (0, 1, 2), for |x| <= 1, where the
 * closed forms of the derivatives cancel. Terms beyond k = 10 are below 1e-20. */
static double sinc_series(double x, int order) {
    double sum = 0.0, term = 1.0; /* (-1)^k x^2k / (2k+1)!, divided by x^order */
    if (order > 0) term = -(order == 1 ? x : 1.0) / 6.0;
    for (int k = order > 0; k <= 10; ++k) {
        const double factor = order == 0 ? 1.0 : order == 1 ? 2 * k : 2 * k * (2 * k - 1);
        sum += factor * term;
        term *= -x * x / ((2 * k + 2) * (2 * k + 3));
    }
    return sum;
}

static double sinc_f(double x) {
    return fabs(x) <= 1.0 ? sinc_series(x, 0) : isinf(x) ? 0.0 : sin(x) / x;
}

static double sinc_d1(double x) {
    return fabs(x) <= 1.0 ? sinc_series(x, 1) : isinf(x) ? 0.0 : (cos(x) - sin(x) / x) / x;
}

static double sinc_d2(double x) {
    if (fabs(x) <= 1.0) return sinc_series(x, 2);
    return isinf(x) ? 0.0 : -sin(x) / x - 2.0 * sinc_d1(x) / x;
}

static long double sinc_long(long double x) {
    return x == 0.0L ? 1.0L : isinf(x) ? 0.0L : sinl(x) / x;
}

/* s = 1/(1 + exp(-x)) and s' = s (1 - s), without overflow and without cancellation. */
static double sigmoid_f(double x) {
    return x >= 0.0 ? 1.0 / (1.0 + exp(-x)) : exp(x) / (1.0 + exp(x));
}

static double sigmoid_d1(double x) {
    const double small = exp(-fabs(x));
    return small / ((1.0 + small) * (1.0 + small));
}

/* s'' = s' (1 - 2 s) */
static double sigmoid_d2(double x) {
    return -sigmoid_d1(x) * tanh(0.5 * x);
}

static long double sigmoid_long(long double x) {
    return 1.0L / (1.0L + expl(-x));
}

static double squared(double x) {
    return x * x;
}

static double cubed(double x) {
    return x * x * x;
}

/* ---- values in one line ---------------------------------------------------------------------- */

VALUES(zero, zero(x), zero(x), zero(x), isnan(x) ? x : 0.0L)
VALUES(x, x, 1.0 + zero(x), zero(x), x)
VALUES(x2, squared(x), 2.0 * x, 2.0 + zero(x), powl(x, 2.0L))
VALUES(x3, cubed(x), 3.0 * squared(x), 6.0 * x, powl(x, 3.0L))
VALUES(x4, squared(squared(x)), 4.0 * cubed(x), 12.0 * squared(x), powl(x, 4.0L))
VALUES(x5, squared(squared(x)) * x, 5.0 * squared(squared(x)), 20.0 * cubed(x), powl(x, 5.0L))
VALUES(r1, 1.0 / x, -1.0 / (x * x), 2.0 / cubed(x), 1.0L / x)
VALUES(r2, 1.0 / (x * x), -2.0 / cubed(x), 6.0 / squared(squared(x)), powl(x, -2.0L))
VALUES(r3, 1.0 / cubed(x), -3.0 / squared(squared(x)), 12.0 / (squared(squared(x)) * x), powl(x, -3.0L))
VALUES(r4, 1.0 / squared(squared(x)), -4.0 / (squared(squared(x)) * x), 20.0 / squared(cubed(x)),
       powl(x, -4.0L))
VALUES(r5, 1.0 / (squared(squared(x)) * x), -5.0 / squared(cubed(x)), 30.0 / (squared(cubed(x)) * x),
       powl(x, -5.0L))
VALUES(sqrt, sqrt(x), 0.5 / sqrt(x), -0.25 / (x * sqrt(x)), sqrtl(x))
VALUES(x32, sqrt(x) * x, 1.5 * sqrt(x), 0.75 / sqrt(x), sqrtl(x) * x)
VALUES(rsqrt, 1.0 / sqrt(x), -0.5 / (x * sqrt(x)), 0.75 / (x * x * sqrt(x)), 1.0L / sqrtl(x))
VALUES(exp, exp(x), exp(x), exp(x), expl(x))
VALUES(log, log(x), if_positive(x, 1.0 / x), if_positive(x, -1.0 / (x * x)), logl(x))
VALUES(abs, fabs(x), sign(x), zero(x), fabsl(x))
VALUES(sin, sin(x), cos(x), -sin(x), sinl(x))
VALUES(cos, cos(x), -sin(x), -cos(x), cosl(x))
VALUES(tan, tan(x), 1.0 / squared(cos(x)), 2.0 * tan(x) / squared(cos(x)), tanl(x))
VALUES(tanh, tanh(x), 1.0 / squared(cosh(x)), -2.0 * tanh(x) / squared(cosh(x)), tanhl(x))
VALUES(sign, sign(x), zero(x), zero(x), isnan(x) ? x : (long double)((x > 0.0L) - (x < 0.0L)))
VALUES(asin, asin(x), 1.0 / sqrt((1.0 - x) * (1.0 + x)), x / cubed(sqrt((1.0 - x) * (1.0 + x))),
       asinl(x))
VALUES(acos, acos(x), -1.0 / sqrt((1.0 - x) * (1.0 + x)), -x / cubed(sqrt((1.0 - x) * (1.0 + x))),
       acosl(x))
VALUES(atan, atan(x), 1.0 / (1.0 + x * x), -2.0 * x / squared(1.0 + x * x), atanl(x))
VALUES(atanh, atanh(x), if_inside_one(x, 1.0 / ((1.0 - x) * (1.0 + x))),
       if_inside_one(x, 2.0 * x / squared((1.0 - x) * (1.0 + x))), atanhl(x))
VALUES(gauss, exp(-squared(x)), gauss_times(x, -2.0 * x), gauss_times(x, 4.0 * x * x - 2.0),
       expl(-powl(x, 2.0L)))
VALUES(sinh, sinh(x), cosh(x), sinh(x), sinhl(x))
VALUES(cosh, cosh(x), sinh(x), cosh(x), coshl(x))
VALUES(erf, erf(x), gauss_times(x, TWO_BY_SQRT_PI), gauss_times(x, -2.0 * TWO_BY_SQRT_PI * x), erfl(x))
VALUES(j0, j0(x), -j1(x), 0.5 * (jn(2, x) - j0(x)), j0l(x))
VALUES(j1, j1(x), 0.5 * (j0(x) - jn(2, x)), 0.25 * (jn(3, x) - 3.0 * j1(x)), j1l(x))
VALUES(step, step(x), zero(x), zero(x), isnan(x) ? x : (long double)(x >= 0.0L))
VALUES(relu, x < 0.0 ? 0.0 : x, isnan(x) ? x : (double)(x > 0.0), zero(x), x < 0.0L ? 0.0L : x)
VALUES(cbrt, cbrt(x), 1.0 / (3.0 * squared(cbrt(x))), -2.0 / (9.0 * x * squared(cbrt(x))), cbrtl(x))
VALUES(asinh, asinh(x), 1.0 / hypot(1.0, x), -x / cubed(hypot(1.0, x)), asinhl(x))
VALUES(acosh, acosh(x), if_positive(x, 1.0 / sqrt((x - 1.0) * (x + 1.0))),
       if_positive(x, -x / cubed(sqrt((x - 1.0) * (x + 1.0)))), acoshl(x))
VALUES(silu, sigmoid_f(x) * x, sigmoid_f(x) + x * sigmoid_d1(x),
       2.0 * sigmoid_d1(x) + x * sigmoid_d2(x), sigmoid_long(x) * x)

/* ---- the rows -------------------------------------------------------------------------------- */

#define FORMS(t, c99, tex, py, first) .text = t, .c = c99, .latex = tex, .sympy = py, .slope = first
/* A function that has the same name everywhere. */
#define CALL(id, first) FORMS(#id "(%)", #id "(%)", "\\" #id "\\left(%\\right)", #id "(%)", first)

#define PI 3.14159265358979323846

const kan_function kan_function_edge[] = {
    {.name = "0",
     FUNCTIONS(zero),
     EVERYWHERE,
     .parity = 1,
     .scales = 1,
     .cost = 0,
     FORMS("0", "0.0", "0", "0", "0")},
    {.name = "x",
     FUNCTIONS(x),
     EVERYWHERE,
     .parity = -1,
     .scales = 1,
     .cost = 1,
     FORMS("(%)", "(%)", "\\left(%\\right)", "(%)", "1")},
    {.name = "x^2",
     FUNCTIONS(x2),
     EVERYWHERE,
     .parity = 1,
     .scales = 1,
     .cost = 2,
     FORMS("(%)^2", "pow(%, 2)", "\\left(%\\right)^{2}", "(%)**2", "2*(%)")},
    {.name = "x^3",
     FUNCTIONS(x3),
     EVERYWHERE,
     .parity = -1,
     .scales = 1,
     .cost = 3,
     FORMS("(%)^3", "pow(%, 3)", "\\left(%\\right)^{3}", "(%)**3", "3*(%)^2")},
    {.name = "x^4",
     FUNCTIONS(x4),
     EVERYWHERE,
     .parity = 1,
     .scales = 1,
     .cost = 3,
     FORMS("(%)^4", "pow(%, 4)", "\\left(%\\right)^{4}", "(%)**4", "4*(%)^3")},
    {.name = "x^5",
     FUNCTIONS(x5),
     EVERYWHERE,
     .parity = -1,
     .scales = 1,
     .cost = 3,
     FORMS("(%)^5", "pow(%, 5)", "\\left(%\\right)^{5}", "(%)**5", "5*(%)^4")},
    {.name = "1/x",
     FUNCTIONS(r1),
     EVERYWHERE,
     .pole = 1,
     .parity = -1,
     .scales = 1,
     .cost = 2,
     FORMS("(1/(%))", "(1/(%))", "\\frac{1}{%}", "(1/(%))", "-(%)^-2")},
    {.name = "1/x^2",
     FUNCTIONS(r2),
     EVERYWHERE,
     .pole = 1,
     .parity = 1,
     .scales = 1,
     .cost = 2,
     FORMS("(1/(%)^2)", "pow(%, -2)", "\\frac{1}{\\left(%\\right)^{2}}", "(%)**(-2)", "-2*(%)^-3")},
    {.name = "1/x^3",
     FUNCTIONS(r3),
     EVERYWHERE,
     .pole = 1,
     .parity = -1,
     .scales = 1,
     .cost = 3,
     FORMS("(1/(%)^3)", "pow(%, -3)", "\\frac{1}{\\left(%\\right)^{3}}", "(%)**(-3)", "-3*(%)^-4")},
    {.name = "1/x^4",
     FUNCTIONS(r4),
     EVERYWHERE,
     .pole = 1,
     .parity = 1,
     .scales = 1,
     .cost = 4,
     FORMS("(1/(%)^4)", "pow(%, -4)", "\\frac{1}{\\left(%\\right)^{4}}", "(%)**(-4)", "-4*(%)^-5")},
    {.name = "1/x^5",
     FUNCTIONS(r5),
     EVERYWHERE,
     .pole = 1,
     .parity = -1,
     .scales = 1,
     .cost = 5,
     FORMS("(1/(%)^5)", "pow(%, -5)", "\\frac{1}{\\left(%\\right)^{5}}", "(%)**(-5)", "-5*(%)^-6")},
    {.name = "sqrt",
     FUNCTIONS(sqrt),
     .lo = 0.0,
     .hi = INFINITY,
     .scales = 1,
     .cost = 2,
     FORMS("sqrt(%)", "sqrt(%)", "\\sqrt{%}", "sqrt(%)", "1/(2*sqrt(%))")},
    {.name = "x^1.5",
     FUNCTIONS(x32),
     .lo = 0.0,
     .hi = INFINITY,
     .scales = 1,
     .cost = 4,
     FORMS("(%)^1.5", "pow(%, 1.5)", "\\left(%\\right)^{3/2}", "(%)**(3/2)", "1.5*sqrt(%)")},
    {.name = "1/sqrt",
     FUNCTIONS(rsqrt),
     .lo = 0.0,
     .hi = INFINITY,
     .scales = 1,
     .cost = 2,
     FORMS("(1/sqrt(%))", "(1/sqrt(%))", "\\frac{1}{\\sqrt{%}}", "(1/sqrt(%))", "-0.5*(%)^-1.5")},
    {.name = "exp",
     FUNCTIONS(exp),
     EVERYWHERE,
     .cost = 2,
     FORMS("exp(%)", "exp(%)", "e^{%}", "exp(%)", "exp(%)")},
    {.name = "log", FUNCTIONS(log), .lo = 0.0, .hi = INFINITY, .cost = 2, CALL(log, "1/(%)")},
    {.name = "abs",
     FUNCTIONS(abs),
     EVERYWHERE,
     .parity = 1,
     .scales = 1,
     .cost = 3,
     FORMS("abs(%)", "fabs(%)", "\\left|%\\right|", "Abs(%)", "sign(%)")},
    {.name = "sin",
     FUNCTIONS(sin),
     EVERYWHERE,
     .parity = -1,
     .period = 2.0 * PI,
     .cost = 2,
     CALL(sin, "cos(%)")},
    {.name = "cos",
     FUNCTIONS(cos),
     EVERYWHERE,
     .parity = 1,
     .period = 2.0 * PI,
     .cost = 2,
     CALL(cos, "-sin(%)")},
    {.name = "tan",
     FUNCTIONS(tan),
     EVERYWHERE,
     .pole = 1,
     .parity = -1,
     .period = PI,
     .cost = 3,
     CALL(tan, "1/cos(%)^2")},
    {.name = "tanh", FUNCTIONS(tanh), EVERYWHERE, .parity = -1, .cost = 3, CALL(tanh, "1/cosh(%)^2")},
    {.name = "sign",
     FUNCTIONS(sign),
     EVERYWHERE,
     .parity = -1,
     .scales = 1,
     .cost = 3,
     FORMS("sign(%)", "((%) > 0 ? 1.0 : (%) < 0 ? -1.0 : (%))", "\\operatorname{sign}\\left(%\\right)",
           "sign(%)", "0")},
    {.name = "asin",
     FUNCTIONS(asin),
     .lo = -1.0,
     .hi = 1.0,
     .parity = -1,
     .cost = 4,
     FORMS("asin(%)", "asin(%)", "\\arcsin\\left(%\\right)", "asin(%)", "1/sqrt(1-(%)^2)")},
    {.name = "acos",
     FUNCTIONS(acos),
     .lo = -1.0,
     .hi = 1.0,
     .cost = 4,
     FORMS("acos(%)", "acos(%)", "\\arccos\\left(%\\right)", "acos(%)", "-1/sqrt(1-(%)^2)")},
    {.name = "atan",
     FUNCTIONS(atan),
     EVERYWHERE,
     .parity = -1,
     .cost = 4,
     FORMS("atan(%)", "atan(%)", "\\arctan\\left(%\\right)", "atan(%)", "1/(1+(%)^2)")},
    {.name = "atanh",
     FUNCTIONS(atanh),
     .lo = -1.0,
     .hi = 1.0,
     .parity = -1,
     .cost = 4,
     FORMS("atanh(%)", "atanh(%)", "\\operatorname{artanh}\\left(%\\right)", "atanh(%)",
           "1/(1-(%)^2)")},
    {.name = "gaussian",
     FUNCTIONS(gauss),
     EVERYWHERE,
     .parity = 1,
     .cost = 3,
     FORMS("exp(-(%)^2)", "exp(-pow(%, 2))", "e^{-\\left(%\\right)^{2}}", "exp(-(%)**2)",
           "-2*(%)*exp(-(%)^2)")},
    {.name = "sinh", FUNCTIONS(sinh), EVERYWHERE, .parity = -1, .cost = 3, CALL(sinh, "cosh(%)")},
    {.name = "cosh", FUNCTIONS(cosh), EVERYWHERE, .parity = 1, .cost = 3, CALL(cosh, "sinh(%)")},
    {.name = "erf",
     FUNCTIONS(erf),
     EVERYWHERE,
     .parity = -1,
     .cost = 3,
     FORMS("erf(%)", "erf(%)", "\\operatorname{erf}\\left(%\\right)", "erf(%)",
           "2/sqrt(pi)*exp(-(%)^2)")},
    {.name = "sinc",
     FUNCTIONS(sinc),
     EVERYWHERE,
     .parity = 1,
     .cost = 3,
     FORMS("sinc(%)", "((%) == 0 ? 1.0 : sin(%)/(%))", "\\operatorname{sinc}\\left(%\\right)",
           "sinc(%)", "(cos(%)-sinc(%))/(%)")},
    {.name = "j0",
     FUNCTIONS(j0),
     EVERYWHERE,
     .parity = 1,
     .cost = 4,
     FORMS("j0(%)", "j0(%)", "J_{0}\\left(%\\right)", "besselj(0, %)", "-j1(%)")},
    {.name = "j1",
     FUNCTIONS(j1),
     EVERYWHERE,
     .parity = -1,
     .cost = 4,
     FORMS("j1(%)", "j1(%)", "J_{1}\\left(%\\right)", "besselj(1, %)", "j0(%)-j1(%)/(%)")},
    {.name = "step",
     FUNCTIONS(step),
     EVERYWHERE,
     .scales = 1,
     .cost = 3,
     FORMS("step(%)", "((%) >= 0 ? 1.0 : (%) < 0 ? 0.0 : (%))", "\\theta\\left(%\\right)",
           "Heaviside(%, 1)", "0")},
    {.name = "relu",
     FUNCTIONS(relu),
     EVERYWHERE,
     .scales = 1,
     .cost = 3,
     FORMS("relu(%)", "((%) < 0 ? 0.0 : (%))", "\\max\\left(0, %\\right)", "Max(0, %)", "step(%)")},
    {.name = "cbrt",
     FUNCTIONS(cbrt),
     EVERYWHERE,
     .parity = -1,
     .scales = 1,
     .cost = 3,
     FORMS("cbrt(%)", "cbrt(%)", "\\sqrt[3]{%}", "real_root(%, 3)", "1/(3*cbrt(%)^2)")},
    {.name = "sigmoid",
     FUNCTIONS(sigmoid),
     EVERYWHERE,
     .cost = 3,
     FORMS("sigmoid(%)", "(1/(1 + exp(-(%))))", "\\sigma\\left(%\\right)", "(1/(1 + exp(-(%))))",
           "sigmoid(%)*sigmoid(-(%))")},
    {.name = "asinh",
     FUNCTIONS(asinh),
     EVERYWHERE,
     .parity = -1,
     .cost = 4,
     FORMS("asinh(%)", "asinh(%)", "\\operatorname{arsinh}\\left(%\\right)", "asinh(%)",
           "1/sqrt(1+(%)^2)")},
    {.name = "acosh",
     FUNCTIONS(acosh),
     .lo = 1.0,
     .hi = INFINITY,
     .cost = 4,
     FORMS("acosh(%)", "acosh(%)", "\\operatorname{arcosh}\\left(%\\right)", "acosh(%)",
           "1/sqrt((%)^2-1)")},
    {.name = "silu",
     FUNCTIONS(silu),
     EVERYWHERE,
     .cost = 3,
     FORMS("silu(%)", "((%)/(1 + exp(-(%))))", "\\operatorname{silu}\\left(%\\right)",
           "((%)/(1 + exp(-(%))))", "sigmoid(%)+(%)*sigmoid(%)*sigmoid(-(%))")}};
const size_t kan_function_n_edge = sizeof kan_function_edge / sizeof *kan_function_edge;
