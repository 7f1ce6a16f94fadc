/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>

#include <float.h>
#include <math.h>
#include <string.h>

#include "core/random.h"
#include "core/vecmath.h"

typedef void function(size_t n, const double *x, size_t stride, double *y, double *slope);

enum { SIGMOID, SILU, TANH, N_FUNCTIONS };
static function *const functions[] = {kan_vecmath_sigmoid, kan_vecmath_silu, kan_vecmath_tanh};
static int indices[] = {SIGMOID, SILU, TANH};

/* From the definitions, in long double, whose range and digits leave room. */
static long double logistic(long double x) {
    return 1.0L / (1.0L + expl(-x));
}

static long double value(int f, long double x) {
    return f == SIGMOID ? logistic(x) : f == SILU ? x * logistic(x) : tanhl(x);
}

static long double slope_of(int f, long double x) {
    if (f == TANH) return 1.0L / (coshl(x) * coshl(x));
    const long double s = logistic(x), t = logistic(-x);
    return f == SIGMOID ? s * t : s + x * s * t;
}

/* Asserts what the header promises. Returns the largest error of y seen, in units of DBL_EPSILON. */
static double check(int f, size_t n, const double *x) {
    enum { MAX = 512 };
    double y[MAX], slope[MAX], largest = 0.0;
    for (size_t j = 0; j < n; ++j) y[j] = slope[j] = NAN;
    functions[f](n, x, 1, y, slope);
    for (size_t j = 0; j < n; ++j) {
        const long double expected = value(f, x[j]);
        const double error = (double)(fabsl(y[j] - expected) / fmaxl(fabsl(expected), 1e-320L));
        const bool tiny = fabsl(expected) < 1e-304L && f != TANH && x[j] < 0.0;
        if (!(tiny && y[j] == 0.0)) {
            cr_assert(error <= 4 * DBL_EPSILON || fabsl(expected) < DBL_MIN,
                      "x = %.17g: %.17g is off by %g epsilon", x[j], y[j], error / DBL_EPSILON);
            if (fabsl(expected) >= DBL_MIN) largest = fmax(largest, error / DBL_EPSILON);
        }
        cr_assert(epsilon_eq(dbl, slope[j], (double)slope_of(f, x[j]), 4 * DBL_EPSILON),
                  "slope at %.17g", x[j]);
    }
    return largest;
}

/* Every magnitude from 1e-310 to 1e308, and densely where the functions bend. */
ParameterizedTestParameters(vecmath, is_right_to_four_epsilon)
{ return cr_make_param_array(int, indices, N_FUNCTIONS); }

ParameterizedTest(int *f, vecmath, is_right_to_four_epsilon) {
    enum { BATCH = 256, ROUNDS = 400 };
    double x[BATCH], largest = 0.0;
    kan_random random = kan_random_seed(11, (uint64_t)*f);
    for (int round = 0; round < ROUNDS; ++round) {
        for (size_t j = 0; j < BATCH; ++j) {
            const double u = 2.0 * kan_random_uniform(&random) - 1.0;
            switch (round % 4) {
            case 0: x[j] = 3.0 * u; break;
            case 1: x[j] = 50.0 * u; break;
            case 2: x[j] = 760.0 * u; break;
            default: x[j] = copysign(pow(10.0, -1.0 + 309.0 * kan_random_normal(&random) / 5.0), u);
            }
        }
        largest = fmax(largest, check(*f, BATCH, x));
    }
    cr_assert(largest > 0.3, "an error of %g is too good to be measured", largest);
}

/* Around the ends of the range of the exponential, and around the halves of log 2, where n changes. */
Test(vecmath, is_right_where_its_formula_changes) {
    static const double centres[] = {708.39,
                                     354.195,
                                     709.782712893384,
                                     745.133,
                                     0.34657359027997264,
                                     1.0397207708399179,
                                     0.17328679513998632,
                                     36.7368005696771,
                                     0.0};
    for (size_t c = 0; c < sizeof centres / sizeof *centres; ++c)
        for (int f = 0; f < N_FUNCTIONS; ++f) {
            double x[402];
            double up = centres[c], down = centres[c];
            for (size_t j = 0; j < 402; j += 2) {
                x[j] = up = nextafter(up, INFINITY);
                x[j + 1] = down = nextafter(down, -INFINITY);
            }
            check(f, 402, x);
            for (size_t j = 0; j < 402; ++j) x[j] = -x[j];
            check(f, 402, x);
        }
}

Test(vecmath, takes_nan_infinities_and_signed_zeros) {
    const double x[] = {NAN, -NAN, -INFINITY, INFINITY, -0.0, 0.0, -DBL_MAX, DBL_MAX, -5e-324, 5e-324};
    static const double expected[][8] = {{0, 1, 0.5, 0.5, 0, 1, 0.5, 0.5},
                                         {0, INFINITY, -0.0, 0.0, 0, DBL_MAX, -0.0, 0.0},
                                         {-1, 1, -0.0, 0.0, -1, 1, -5e-324, 5e-324}};
    static const double slopes[][8] = {{0, 0, 0.25, 0.25, 0, 0, 0.25, 0.25},
                                       {0, 1, 0.5, 0.5, 0, 1, 0.5, 0.5},
                                       {0, 0, 1, 1, 0, 0, 1, 1}};
    for (int f = 0; f < N_FUNCTIONS; ++f) {
        double y[10] = {0}, slope[10] = {0};
        functions[f](10, x, 1, y, slope);
        cr_assert(isnan(y[0]) && isnan(y[1]) && isnan(slope[0]) && isnan(slope[1]), "function %d", f);
        for (size_t j = 2; j < 10; ++j) {
            const double e = expected[f][j - 2];
            /* half of the smallest number is a tie: rounding may keep it */
            cr_assert(y[j] == e || fabs(y[j] - e) <= 5e-324, "function %d of %g is %g", f, x[j], y[j]);
            cr_assert(epsilon_eq(dbl, slope[j], slopes[f][j - 2], 4 * DBL_EPSILON), "slope %d at %g", f,
                      x[j]);
        }
        if (f != SIGMOID) cr_assert(signbit(y[4]) && !signbit(y[5]), "sign of zero, function %d", f);
    }
}

/* One value alone, and any number of them, any stride, in place, with and without slopes: the same
 * bits. Tiles are 64 long. */
ParameterizedTestParameters(vecmath, a_value_does_not_depend_on_its_neighbours)
{ return cr_make_param_array(int, indices, N_FUNCTIONS); }

ParameterizedTest(int *index, vecmath, a_value_does_not_depend_on_its_neighbours) {
    enum { MAX = 200, MAX_STRIDE = 3 };
    static const size_t lengths[] = {0, 1, 2, 3, 7, 63, 64, 65, 127, 128, 129, 199};
    function *f = functions[*index];
    double x[MAX * MAX_STRIDE], one[MAX * MAX_STRIDE], one_slope[MAX * MAX_STRIDE];
    kan_random random = kan_random_seed(12, (uint64_t)*index);
    for (size_t j = 0; j < MAX * MAX_STRIDE; ++j) {
        x[j] = 5.0 * kan_random_normal(&random);
        f(1, x + j, 1, one + j, one_slope + j);
    }
    for (size_t k = 0; k < sizeof lengths / sizeof *lengths; ++k)
        for (size_t stride = 1; stride <= MAX_STRIDE; ++stride) {
            const size_t n = lengths[k];
            double y[MAX], slope[MAX], plain[MAX];
            for (size_t j = 0; j < MAX; ++j) y[j] = slope[j] = plain[j] = -7.0;
            f(n, x, stride, y, slope);
            f(n, x, stride, plain, NULL);
            for (size_t j = 0; j < n; ++j) {
                cr_assert(eq(dbl, y[j], one[j * stride]), "n %zu, stride %zu, value %zu", n, stride, j);
                cr_assert(eq(dbl, slope[j], one_slope[j * stride]), "n %zu, stride %zu, %zu", n, stride,
                          j);
                cr_assert(eq(dbl, plain[j], y[j]), "n %zu, stride %zu, value %zu, no slope", n, stride,
                          j);
            }
            cr_assert(y[n] == -7.0 && slope[n] == -7.0 && plain[n] == -7.0, "writes past the end");
            memcpy(y, x, sizeof y);
            f(n, y, 1, y, slope);
            for (size_t j = 0; j < n; ++j) cr_assert(eq(dbl, y[j], one[j]), "in place, value %zu", j);
        }
}

Test(vecmath, has_the_symmetries_of_its_functions) {
    enum { N = 300 };
    double x[N], minus[N], y[N], y_minus[N];
    kan_random random = kan_random_seed(13, 0);
    for (size_t j = 0; j < N; ++j) x[j] = 8.0 * kan_random_normal(&random), minus[j] = -x[j];
    kan_vecmath_tanh(N, x, 1, y, NULL);
    kan_vecmath_tanh(N, minus, 1, y_minus, NULL);
    for (size_t j = 0; j < N; ++j) cr_assert(eq(dbl, y_minus[j], -y[j]), "tanh is odd, x = %g", x[j]);
    kan_vecmath_sigmoid(N, x, 1, y, NULL);
    kan_vecmath_sigmoid(N, minus, 1, y_minus, NULL);
    for (size_t j = 0; j < N; ++j)
        cr_assert(epsilon_eq(dbl, y[j] + y_minus[j], 1.0, 4 * DBL_EPSILON), "s(x) + s(-x), x = %g",
                  x[j]);
}
