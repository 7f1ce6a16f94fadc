/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>

#include <float.h>
#include <math.h>
#include <string.h>

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_randist.h>

#include "core/random.h"
#include "mlp/activation.h"

enum { N = 2001 };
static const double span = 36.0; /* gelu(-37.5) is the last that is a normal number */

static double at(size_t j) {
    return span * (2.0 * (double)j / (N - 1) - 1.0) + 1e-3;
}

/* From the definitions, in long double. */
static long double value(int activation, long double z) {
    switch (activation) {
    case KAN_SILU: return z / (1.0L + expl(-z));
    case KAN_TANH: return (expl(z) - expl(-z)) / (expl(z) + expl(-z));
    case KAN_RELU: return fmaxl(z, 0.0L);
    case KAN_GELU: return z * 0.5L * erfcl(-z / sqrtl(2.0L));
    case KAN_SIGMOID: return 1.0L / (1.0L + expl(-z));
    }
    return (long double)NAN;
}

/* How far value is off, relatively: for gelu by the rounding of z / sqrt 2, whose square is an exponent; for tanh
 * by what cancels near 0. */
static long double value_error(int activation, long double z) {
    return 4.0L * LDBL_EPSILON *
           (activation == KAN_GELU   ? 1.0L + z * z
            : activation == KAN_TANH ? 1.0L + 1.0L / fabsl(z)
                                     : 1.0L);
}

/* By (8 (s(z+h) - s(z-h)) - (s(z+2h) - s(z-2h))) / 12 h: truncation h^4 = 2^-48 times a fifth
 * derivative over 30, that is below 4e-15 here; rounding 8 LDBL_EPSILON |s| / h. */
static const long double step = 0x1p-12L;
static long double slope_of(int activation, long double z) {
    const long double h = step;
    return (8 * (value(activation, z + h) - value(activation, z - h)) -
            (value(activation, z + 2 * h) - value(activation, z - 2 * h))) /
           (12 * h);
}

static int activations[] = {KAN_SILU, KAN_TANH, KAN_RELU, KAN_GELU, KAN_SIGMOID};

/* Asserts that y and slope are those of z to two units in the last place, epsilon |y| at most each. */
static void check(int a, double z, double y, double slope, double epsilon, double smallest) {
    const long double expected = value(a, z);
    const long double bound = (2.0L * epsilon + value_error(a, z)) * fabsl(expected) + 2.0L * smallest;
    cr_assert(fabsl((long double)y - expected) <= bound, "%s(%.17g) = %.17g",
              kan_activation_name((kan_activation)a), z, y);
    const double rounding = 16.0 * (double)(LDBL_EPSILON / step) * fmax(1.0, fabs(z));
    const double derivative = (double)slope_of(a, z);
    cr_assert(epsilon_eq(dbl, slope, derivative,
                         2.0 * epsilon * fmax(0.125, fabs(derivative)) + 4e-15 + rounding),
              "%s'(%.17g) = %.17g", kan_activation_name((kan_activation)a), z, slope);
}

ParameterizedTestParameters(activation, matches_its_definition)
{ return cr_make_param_array(int, activations, KAN_N_ACTIVATIONS); }

ParameterizedTest(int *a, activation, matches_its_definition) {
    static double z[N], y[N], slope[N];
    for (size_t j = 0; j < N; ++j) z[j] = at(j), y[j] = slope[j] = NAN;
    kan_activation_eval((kan_activation)*a, N, z, y, slope);
    for (size_t j = 0; j < N; ++j) check(*a, z[j], y[j], slope[j], DBL_EPSILON, DBL_TRUE_MIN);
}

ParameterizedTestParameters(activation, matches_its_definition_in_single_precision)
{ return cr_make_param_array(int, activations, KAN_N_ACTIVATIONS); }

ParameterizedTest(int *a, activation, matches_its_definition_in_single_precision) {
    static float z[N], y[N], slope[N];
    for (size_t j = 0; j < N; ++j) z[j] = (float)at(j), y[j] = slope[j] = NAN;
    kan_activation_eval_single((kan_activation)*a, N, z, y, slope);
    for (size_t j = 0; j < N; ++j)
        check(*a, (double)z[j], (double)y[j], (double)slope[j], (double)FLT_EPSILON,
              (double)FLT_TRUE_MIN);
}

/* GSL's normal distribution, an independent implementation. */
Test(activation, gelu_is_the_normal_distribution_of_gsl) {
    for (size_t j = 0; j < N; ++j) {
        const double z = at(j) / 6.0, cdf = gsl_cdf_ugaussian_P(z);
        double y = NAN, slope = NAN;
        kan_activation_eval(KAN_GELU, 1, &z, &y, &slope);
        cr_assert(epsilon_eq(dbl, y, z * cdf, (6.0 + 2.0 * z * z) * DBL_EPSILON * fabs(z * cdf)),
                  "z = %g", z);
        cr_assert(epsilon_eq(dbl, slope, cdf + z * gsl_ran_ugaussian_pdf(z), 8 * DBL_EPSILON), "z = %g",
                  z);
    }
}

ParameterizedTestParameters(activation, works_in_place_and_without_slopes)
{ return cr_make_param_array(int, activations, KAN_N_ACTIVATIONS); }

ParameterizedTest(int *a, activation, works_in_place_and_without_slopes) {
    enum { MANY = 131 };
    const kan_activation activation = (kan_activation)*a;
    double z[MANY], y[MANY], slope[MANY], in_place[MANY], slope_in_place[MANY];
    kan_random random = kan_random_seed(4, (uint64_t)*a);
    for (size_t j = 0; j < MANY; ++j) z[j] = in_place[j] = 3.0 * kan_random_normal(&random), y[j] = NAN;
    kan_activation_eval(activation, MANY, z, y, slope);
    kan_activation_eval(activation, MANY, in_place, in_place, slope_in_place);
    for (size_t j = 0; j < MANY; ++j) {
        cr_assert(eq(dbl, in_place[j], y[j]), "value %zu", j);
        cr_assert(eq(dbl, slope_in_place[j], slope[j]), "slope %zu", j);
    }
    memcpy(in_place, z, sizeof z);
    kan_activation_eval(activation, MANY, in_place, in_place, NULL);
    for (size_t j = 0; j < MANY; ++j)
        cr_assert(eq(dbl, in_place[j], y[j]), "value %zu without slopes", j);

    float z_single[MANY], y_single[MANY], slope_single[MANY];
    for (size_t j = 0; j < MANY; ++j) z_single[j] = (float)z[j], y_single[j] = NAN;
    kan_activation_eval_single(activation, MANY, z_single, y_single, slope_single);
    kan_activation_eval_single(activation, MANY, z_single, z_single, NULL);
    for (size_t j = 0; j < MANY; ++j) cr_assert(z_single[j] == y_single[j], "single value %zu", j);
}

Test(activation, limits_and_nan) {
    /* at -infinity, 0 and infinity */
    static const double values[][3] = {{0.0, 0.0, INFINITY},
                                       {-1.0, 0.0, 1.0},
                                       {0.0, 0.0, INFINITY},
                                       {0.0, 0.0, INFINITY},
                                       {0.0, 0.5, 1.0}};
    static const double slopes[][3] = {
        {0.0, 0.5, 1.0}, {0.0, 1.0, 0.0}, {0.0, 0.0, 1.0}, {0.0, 0.5, 1.0}, {0.0, 0.25, 0.0}};
    const double z[] = {-INFINITY, 0.0, INFINITY, NAN, -NAN};
    const float z_single[] = {-INFINITY, 0.0F, INFINITY, NAN, -NAN};
    for (int a = 0; a < KAN_N_ACTIVATIONS; ++a) {
        const char *name = kan_activation_name((kan_activation)a);
        double y[5] = {7, 7, 7, 7, 7}, slope[5] = {7, 7, 7, 7, 7};
        float y_single[5] = {7, 7, 7, 7, 7}, slope_single[5] = {7, 7, 7, 7, 7};
        kan_activation_eval((kan_activation)a, 5, z, y, slope);
        kan_activation_eval_single((kan_activation)a, 5, z_single, y_single, slope_single);
        for (size_t j = 0; j < 3; ++j) {
            cr_assert(y[j] == values[a][j] && (double)y_single[j] == values[a][j], "%s(%g)", name,
                      z[j]);
            cr_assert(slope[j] == slopes[a][j] && (double)slope_single[j] == slopes[a][j], "%s'(%g)",
                      name, z[j]);
        }
        for (size_t j = 3; j < 5; ++j)
            cr_assert(isnan(y[j]) && isnan(slope[j]) && isnan(y_single[j]) && isnan(slope_single[j]),
                      "%s(NaN)", name);
    }
}

Test(activation, names_lead_back_to_activations) {
    static const char *const names[] = {"silu", "tanh", "relu", "gelu", "sigmoid"};
    for (int a = 0; a < KAN_N_ACTIVATIONS; ++a) {
        cr_assert(strcmp(kan_activation_name((kan_activation)a), names[a]) == 0);
        cr_assert(eq(int, (int)kan_activation_from_name(names[a]), a));
    }
    static const char *const strangers[] = {"", "Silu", "sil", "silu ", "swish"};
    for (size_t k = 0; k < 5; ++k)
        cr_assert(eq(int, (int)kan_activation_from_name(strangers[k]), KAN_N_ACTIVATIONS));
}
