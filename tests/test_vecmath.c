/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "core/random.h"
#include "core/vecmath.h"

enum { EXP, SIGMOID, SILU, TANH, GELU, N_FUNCTIONS, N_KINDS = 2 * N_FUNCTIONS };
static const char *const names[] = {"exp", "sigmoid", "silu", "tanh", "gelu"};

/* A function in one precision. */
typedef struct kind {
    int f;
    bool single;
} kind;
static kind kinds[N_KINDS] = {{EXP, false},  {SIGMOID, false}, {SILU, false},   {TANH, false},
                              {GELU, false}, {EXP, true},      {SIGMOID, true}, {SILU, true},
                              {TANH, true},  {GELU, true}};

/* Evaluates it at values that single precision can hold, if it is of that. At most MAX values. */
enum { MAX = 1024 };
static void eval(kind k, size_t n, const double *x, size_t stride, double *y, double *slope) {
    typedef void in_double(size_t n, const double *x, size_t stride, double *y, double *slope);
    typedef void in_single(size_t n, const float *x, size_t stride, float *y, float *slope);
    static in_double *const doubles[] = {kan_vecmath_exp, kan_vecmath_sigmoid, kan_vecmath_silu,
                                         kan_vecmath_tanh, kan_vecmath_gelu};
    static in_single *const singles[] = {kan_vecmath_exp_single, kan_vecmath_sigmoid_single,
                                         kan_vecmath_silu_single, kan_vecmath_tanh_single,
                                         kan_vecmath_gelu_single};
    if (!k.single) {
        doubles[k.f](n, x, stride, y, slope);
        return;
    }
    static float u[MAX], v[MAX + 1], d[MAX + 1];
    cr_assert(n * stride <= MAX);
    for (size_t j = 0; j < n * stride; ++j) u[j] = (float)x[j];
    for (size_t j = 0; j <= n; ++j) v[j] = (float)y[j], d[j] = slope ? (float)slope[j] : 0.0F;
    singles[k.f](n, u, stride, v, slope ? d : NULL);
    for (size_t j = 0; j <= n; ++j) {
        y[j] = (double)v[j];
        if (slope) slope[j] = (double)d[j];
    }
}

/* ---- references: the definitions in long double, in forms that neither cancel nor overflow ------------- */

/* z^2 / 2 = half + rest to twice the digits, for long double has too few for its exponential. */
static long double half_square(long double z, long double *rest) {
    const long double half = 0.5L * z * z;
    *rest = fmal(0.5L * z, z, -half);
    return half;
}

/* Phi(z) = erfc(w) / 2, w = -z / sqrt 2 rounded; that w^2 is off z^2 / 2 by e takes e^-e from a left tail. */
static long double normal_cdf(long double z) {
    const long double w = -z * 0.707106781186547524400844362104849039L;
    if (w < 1.0L) return 0.5L * erfcl(w);
    long double rest;
    const long double half = half_square(z, &rest), square = w * w;
    return 0.5L * erfcl(w) * (1.0L - ((half - square) + (rest - fmal(w, w, -square))));
}

static long double normal_pdf(long double z) {
    long double rest;
    const long double half = half_square(z, &rest);
    return 0.398942280401432677939946059934381868L * expl(-half) * (1.0L - rest);
}

static long double logistic(long double x) {
    return 1.0L / (1.0L + expl(-x));
}

static long double value(int f, long double x) {
    switch (f) {
    case EXP: return expl(x);
    case SIGMOID: return logistic(x);
    case SILU: return x * logistic(x);
    case TANH: return tanhl(x);
    default: return x * normal_cdf(x);
    }
}

static long double slope_of(int f, long double x) {
    const long double s = logistic(x), t = logistic(-x);
    switch (f) {
    case EXP: return expl(x);
    case SIGMOID: return s * t;
    case SILU: return s * (1.0L + x * t);
    case TANH: return 4.0L * logistic(2 * x) * logistic(-2 * x);
    default: return normal_cdf(x) + x * normal_pdf(x);
    }
}

/* ---- accuracy ------------------------------------------------------------------------------------------ */

/* The distance of a from b in units in the last place of b, for subnormal b in the smallest number. */
static double ulps(bool single, double a, long double b) {
    const long double largest = single ? FLT_MAX : DBL_MAX;
    if (isinf(a)) return fabsl(b) > largest ? 0.0 : INFINITY;
    const int digits = single ? FLT_MANT_DIG : DBL_MANT_DIG;
    const int smallest = single ? FLT_MIN_EXP - FLT_MANT_DIG : DBL_MIN_EXP - DBL_MANT_DIG;
    int exponent;
    frexpl(b, &exponent);
    const int last = exponent - digits > smallest ? exponent - digits : smallest;
    return (double)ldexpl(fabsl((long double)a - b), -last);
}

/* What the slope may be off by beside units in its last place, in epsilons. */
static double slope_tolerance(int f, double x) {
    if (f == GELU) return fabs(x + 0.752) < 1.0 ? 0.25 : 0.0;
    return f == EXP ? 0.0 : 2.0;
}

/* Whether the function may have given up at 0 before it underflows. */
static bool may_vanish(kind k, long double y) {
    return (k.f == SIGMOID || k.f == SILU) && fabsl(y) < (k.single ? 1e-35L : 1e-304L);
}

/* Asserts what the header promises. Returns the largest error of y seen, in units in the last place. */
static double check(kind k, size_t n, double *x) {
    static double y[MAX + 1], slope[MAX + 1];
    double largest = 0.0;
    for (size_t j = 0; j < n; ++j) {
        y[j] = slope[j] = NAN;
        if (k.single) x[j] = (double)(float)x[j];
    }
    eval(k, n, x, 1, y, slope);
    for (size_t j = 0; j < n; ++j) {
        const long double right = value(k.f, x[j]);
        if (y[j] == 0.0 && may_vanish(k, right)) continue;
        const double error = ulps(k.single, y[j], right);
        cr_assert(error <= 2.0, "%s(%.17g) = %.17g is off by %g ulp", names[k.f], x[j], y[j], error);
        largest = fmax(largest, error);
        const long double expected = slope_of(k.f, x[j]);
        const double absolute = (double)fabsl((long double)slope[j] - expected);
        const bool forgiven = absolute <= slope_tolerance(k.f, x[j]) *
                                              (k.single ? (double)FLT_EPSILON : DBL_EPSILON);
        cr_assert(forgiven || ulps(k.single, slope[j], expected) <= 2.0,
                  "%s'(%.17g) = %.17g is off by %g ulp", names[k.f], x[j], slope[j],
                  ulps(k.single, slope[j], expected));
    }
    return largest;
}

/* Every magnitude, and densely where the functions bend. */
ParameterizedTestParameters(vecmath, is_right_to_two_ulp)
{ return cr_make_param_array(kind, kinds, N_KINDS); }

ParameterizedTest(kind *k, vecmath, is_right_to_two_ulp) {
    enum { BATCH = 256, ROUNDS = 400 };
    double x[BATCH], largest = 0.0;
    /* where e^x, and e^(-x^2 / 2), underflow */
    const double end = k->f == GELU ? (k->single ? 15.0 : 39.0) : (k->single ? 105.0 : 760.0);
    kan_random random = kan_random_seed(11, (uint64_t)k->f);
    for (int round = 0; round < ROUNDS; ++round) {
        for (size_t j = 0; j < BATCH; ++j) {
            const double u = 2.0 * kan_random_uniform(&random) - 1.0;
            switch (round % 4) {
            case 0: x[j] = 3.0 * u; break;
            case 1: x[j] = end / 8.0 * u; break;
            case 2: x[j] = end * u; break;
            default:
                x[j] = copysign(
                    pow(10.0, (k->single ? 37.0 : 308.0) * kan_random_normal(&random) / 4.0), u);
            }
            if (k->single) x[j] = fmin(fmax(x[j], -(double)FLT_MAX), (double)FLT_MAX);
            x[j] = fmin(fmax(x[j], -DBL_MAX), DBL_MAX);
        }
        largest = fmax(largest, check(*k, BATCH, x));
    }
    cr_assert(largest > 0.3, "an error of %g is too good to be measured", largest);
}

/* Numbers of single precision from all over, by their bits; the stride is odd, so that the last digits vary. */
ParameterizedTestParameters(vecmath, is_right_over_the_bit_patterns_of_single_precision)
{ return cr_make_param_array(kind, kinds + N_FUNCTIONS, N_FUNCTIONS); }

ParameterizedTest(kind *k, vecmath, is_right_over_the_bit_patterns_of_single_precision) {
    enum { STRIDE = 20011 };
    double x[MAX];
    size_t n = 0;
    for (uint64_t bits = 0; bits <= UINT32_MAX; bits += STRIDE) {
        const uint32_t word = (uint32_t)bits;
        float u;
        memcpy(&u, &word, sizeof u);
        if (isfinite(u)) x[n++] = (double)u;
        if (n < MAX && bits + STRIDE <= UINT32_MAX) continue;
        check(*k, n, x);
        n = 0;
    }
}

/* Around the ends of the exponential, the halves of log 2, where n changes, the switch of gelu's polynomials, and
 * the zeros of slopes. */
Test(vecmath, is_right_where_its_formula_changes) {
    static const double centres[] = {708.39,
                                     354.195,
                                     709.782712893384,
                                     745.133,
                                     714.96,
                                     1000.0,
                                     500.0,
                                     87.336544,
                                     88.722839,
                                     103.97,
                                     91.9,
                                     170.0,
                                     0.34657359027997264,
                                     1.0397207708399179,
                                     0.17328679513998632,
                                     36.7368005696771,
                                     2.75,
                                     1.75,
                                     40.0,
                                     38.5,
                                     37.5,
                                     15.0,
                                     14.2,
                                     13.1,
                                     1.278464542761074,
                                     0.7517915249,
                                     0.0};
    enum { N = 402 };
    for (size_t c = 0; c < sizeof centres / sizeof *centres; ++c)
        for (size_t i = 0; i < N_KINDS; ++i) {
            double x[N], up = centres[c], down = centres[c];
            for (size_t j = 0; j < N; j += 2) {
                x[j] = up = kinds[i].single ? (double)nextafterf((float)up, INFINITY)
                                            : nextafter(up, INFINITY);
                x[j + 1] = down = kinds[i].single ? (double)nextafterf((float)down, -INFINITY)
                                                  : nextafter(down, -INFINITY);
            }
            check(kinds[i], N, x);
            for (size_t j = 0; j < N; ++j) x[j] = -x[j];
            check(kinds[i], N, x);
        }
}

Test(vecmath, takes_nan_infinities_and_signed_zeros) {
    /* at -infinity, infinity, -0, 0 and the ends of the numbers, here by their sign */
    static const double values[][6] = {{0, INFINITY, 1, 1, 0, INFINITY},
                                       {0, 1, 0.5, 0.5, 0, 1},
                                       {-0.0, INFINITY, -0.0, 0.0, -0.0, 1},
                                       {-1, 1, -0.0, 0.0, -1, 1},
                                       {-0.0, INFINITY, -0.0, 0.0, -0.0, 1}};
    static const double slopes[][6] = {{0, INFINITY, 1, 1, 0, INFINITY},
                                       {0, 0, 0.25, 0.25, 0, 0},
                                       {0, 1, 0.5, 0.5, 0, 1},
                                       {0, 0, 1, 1, 0, 0},
                                       {0, 1, 0.5, 0.5, 0, 1}};
    for (size_t i = 0; i < N_KINDS; ++i) {
        const kind k = kinds[i];
        const double largest = k.single ? (double)FLT_MAX : DBL_MAX;
        const double x[] = {-INFINITY, INFINITY, -0.0, 0.0, -largest, largest, NAN, -NAN};
        double y[9] = {0}, slope[9] = {0};
        eval(k, 8, x, 1, y, slope);
        for (size_t j = 0; j < 6; ++j) {
            const bool is_itself = j == 5 && (k.f == SILU || k.f == GELU);
            const double expected = is_itself ? largest : values[k.f][j];
            cr_assert(y[j] == expected && signbit(y[j]) == signbit(expected), "%s(%g) is %g",
                      names[k.f], x[j], y[j]);
            cr_assert(slope[j] == slopes[k.f][j], "%s'(%g) is %g", names[k.f], x[j], slope[j]);
        }
        for (size_t j = 6; j < 8; ++j) cr_assert(isnan(y[j]) && isnan(slope[j]), "%s(NaN)", names[k.f]);
    }
}

/* One value alone, and any number of them, any stride, in place, with and without slopes: the same bits.
 * Tiles are 64 long, vectors up to 16. */
ParameterizedTestParameters(vecmath, a_value_does_not_depend_on_its_neighbours)
{ return cr_make_param_array(kind, kinds, N_KINDS); }

ParameterizedTest(kind *k, vecmath, a_value_does_not_depend_on_its_neighbours) {
    enum { LENGTH = 200, MAX_STRIDE = 3 };
    static const size_t lengths[] = {0, 1, 2, 3, 7, 15, 16, 17, 63, 64, 65, 127, 128, 129, 199};
    double x[LENGTH * MAX_STRIDE], one[LENGTH * MAX_STRIDE + 1], one_slope[LENGTH * MAX_STRIDE + 1];
    kan_random random = kan_random_seed(12, (uint64_t)k->f);
    for (size_t j = 0; j < LENGTH * MAX_STRIDE; ++j) {
        x[j] = (double)(float)(5.0 * kan_random_normal(&random));
        eval(*k, 1, x + j, 1, one + j, one_slope + j);
    }
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; ++l)
        for (size_t stride = 1; stride <= MAX_STRIDE; ++stride) {
            const size_t n = lengths[l];
            double y[LENGTH], slope[LENGTH], plain[LENGTH];
            for (size_t j = 0; j < LENGTH; ++j) y[j] = slope[j] = plain[j] = -7.0;
            eval(*k, n, x, stride, y, slope);
            eval(*k, n, x, stride, plain, NULL);
            for (size_t j = 0; j < n; ++j) {
                cr_assert(eq(dbl, y[j], one[j * stride]), "n %zu, stride %zu, value %zu", n, stride, j);
                cr_assert(eq(dbl, slope[j], one_slope[j * stride]), "n %zu, stride %zu, slope %zu", n,
                          stride, j);
                cr_assert(eq(dbl, plain[j], y[j]), "n %zu, stride %zu, value %zu, no slope", n, stride,
                          j);
            }
            cr_assert(y[n] == -7.0 && slope[n] == -7.0 && plain[n] == -7.0, "writes past the end");
        }
}

Test(vecmath, works_in_place) {
    enum { N = 199 };
    double x[N], y[N], in_place[N];
    float x_single[N], y_single[N];
    kan_random random = kan_random_seed(14, 0);
    for (size_t j = 0; j < N; ++j) {
        x[j] = in_place[j] = 3.0 * kan_random_normal(&random);
        x_single[j] = (float)x[j];
    }
    kan_vecmath_silu(N, x, 1, y, NULL);
    kan_vecmath_silu(N, in_place, 1, in_place, NULL);
    kan_vecmath_silu_single(N, x_single, 1, y_single, NULL);
    kan_vecmath_silu_single(N, x_single, 1, x_single, NULL);
    for (size_t j = 0; j < N; ++j)
        cr_assert(in_place[j] == y[j] && x_single[j] == y_single[j], "value %zu", j);
}

Test(vecmath, has_the_symmetries_of_its_functions) {
    enum { N = 300 };
    double x[N], minus[N], y[N + 1] = {0}, y_minus[N + 1] = {0};
    kan_random random = kan_random_seed(13, 0);
    for (size_t j = 0; j < N; ++j)
        x[j] = (double)(float)(8.0 * kan_random_normal(&random)), minus[j] = -x[j];
    for (int single = 0; single < 2; ++single) {
        const double epsilon = single ? (double)FLT_EPSILON : DBL_EPSILON;
        eval((kind){TANH, single}, N, x, 1, y, NULL);
        eval((kind){TANH, single}, N, minus, 1, y_minus, NULL);
        for (size_t j = 0; j < N; ++j)
            cr_assert(eq(dbl, y_minus[j], -y[j]), "tanh is odd, x = %g", x[j]);
        eval((kind){SIGMOID, single}, N, x, 1, y, NULL);
        eval((kind){SIGMOID, single}, N, minus, 1, y_minus, NULL);
        for (size_t j = 0; j < N; ++j)
            cr_assert(epsilon_eq(dbl, y[j] + y_minus[j], 1.0, 2 * epsilon), "s(x) + s(-x), x = %g",
                      x[j]);
    }
}
