/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>

#include <float.h>
#include <math.h>
#include <signal.h>
#include <string.h>

#include "core/random.h"
#include "tests/support/alloc.h"
#include "train/loss.h"

/* ---- the definitions, in long double and without any care for overflow -------------------------- */

typedef struct shape {
    size_t batch, n_out;
    int classes, weighted;
} shape;

enum { MAX_BATCH = 64, MAX_OUT = 12, MAX = MAX_BATCH * MAX_OUT };

typedef struct sample_set {
    long double z[MAX];
    double y_hat[MAX], y[MAX], weight[MAX_BATCH], scale;
} sample_set;

static long double reference(const shape *h, const sample_set *d, const long double *z) {
    long double value = 0.0L;
    for (size_t s = 0; s < h->batch; ++s, z += h->n_out) {
        long double l = 0.0L;
        for (size_t o = 0; o < h->n_out; ++o) {
            const long double r = z[o] - d->y[s * h->n_out + o];
            l += h->classes ? expl(z[o]) : r * r / h->n_out;
        }
        if (h->classes) l = logl(l) - z[(size_t)d->y[s]];
        value += (h->weighted ? d->weight[s] : 1.0L) * l;
    }
    return d->scale * value;
}

static void make_samples(const shape *h, sample_set *d) {
    kan_random random = kan_random_seed(h->batch, h->n_out);
    d->scale = 0.2385 / (double)h->batch;
    for (size_t s = 0; s < h->batch; ++s) d->weight[s] = 0.1 + kan_random_uniform(&random);
    for (size_t j = 0; j < h->batch * h->n_out; ++j) {
        d->z[j] = d->y_hat[j] = 2.0 * kan_random_normal(&random);
        d->y[j] = kan_random_normal(&random);
    }
    if (h->classes)
        for (size_t s = 0; s < h->batch; ++s) d->y[s] = (double)kan_random_below(&random, h->n_out);
}

static double eval(const shape *h, const sample_set *d, double *dy) {
    const kan_loss *loss = h->classes ? kan_loss_cross_entropy : kan_loss_mse;
    return loss->eval(h->batch, h->n_out, d->y_hat, d->y, h->weighted ? d->weight : NULL, d->scale, dy);
}

static shape shapes[] = {{1, 1, 0, 0}, {1, 4, 0, 1},  {37, 1, 0, 1}, {64, 12, 0, 0}, {17, 3, 0, 1},
                         {1, 1, 1, 0}, {37, 2, 1, 1}, {1, 7, 1, 1},  {64, 12, 1, 0}, {17, 3, 1, 1}};
enum { N_SHAPES = sizeof shapes / sizeof *shapes };

ParameterizedTestParameters(loss, value_is_that_of_the_definition)
{ return cr_make_param_array(shape, shapes, N_SHAPES); }

/* A sum of m positive terms, each with a few roundings; and those of the reference, where the loss of a
 * single class is nothing else. */
ParameterizedTest(shape *h, loss, value_is_that_of_the_definition) {
    static sample_set d;
    double dy[MAX];
    make_samples(h, &d);
    const double expected = (double)reference(h, &d, d.z);
    const double error = (double)(h->batch * h->n_out + 8) * DBL_EPSILON * expected +
                         (double)LDBL_EPSILON;
    cr_assert(epsilon_eq(dbl, eval(h, &d, NULL), expected, error));
    cr_assert(eq(dbl, eval(h, &d, dy), eval(h, &d, NULL)), "the same with and without a gradient");
    cr_assert(expected > 0.0 || (h->classes && h->n_out == 1));
}

ParameterizedTestParameters(loss, gradient_is_the_central_difference)
{ return cr_make_param_array(shape, shapes, N_SHAPES); }

/* In long double with h = 1e-5 the difference is wrong by h^2 f''' / 6 + LDBL_EPSILON f / h, below
 * 1e-10 for f and f''' of size 1. */
ParameterizedTest(shape *h, loss, gradient_is_the_central_difference) {
    static sample_set d;
    double dy[MAX], sum = 0.0;
    make_samples(h, &d);
    for (size_t j = 0; j < MAX; ++j) dy[j] = NAN;
    (void)eval(h, &d, dy);
    for (size_t j = 0; j < h->batch * h->n_out; ++j) {
        const long double kept = d.z[j], step = 1e-5L;
        d.z[j] = kept + step;
        const long double above = reference(h, &d, d.z);
        d.z[j] = kept - step;
        const long double below = reference(h, &d, d.z);
        d.z[j] = kept;
        cr_assert(epsilon_eq(dbl, dy[j], (double)((above - below) / (2.0L * step)), 1e-10), "%zu", j);
        sum += fabs(dy[j]);
    }
    for (size_t j = h->batch * h->n_out; j < MAX; ++j) cr_assert(isnan(dy[j]), "%zu is beyond", j);
    cr_assert(sum > 1e-3 || (h->classes && h->n_out == 1));
}

ParameterizedTestParameters(loss, gradient_is_adjoint_to_the_value)
{ return cr_make_param_array(shape, shapes, N_SHAPES); }

/* <dy, u> is the derivative along any direction u: all entries at once. */
ParameterizedTest(shape *h, loss, gradient_is_adjoint_to_the_value) {
    static sample_set d;
    static long double above[MAX], below[MAX];
    double dy[MAX], product = 0.0;
    make_samples(h, &d);
    (void)eval(h, &d, dy);
    kan_random random = kan_random_seed(99, 0);
    for (size_t j = 0; j < h->batch * h->n_out; ++j) {
        const double u = kan_random_normal(&random);
        above[j] = d.z[j] + 1e-5L * u;
        below[j] = d.z[j] - 1e-5L * u;
        product += dy[j] * u;
    }
    const long double slope = (reference(h, &d, above) - reference(h, &d, below)) / 2e-5L;
    cr_assert(epsilon_eq(dbl, product, (double)slope, 1e-9));
}

/* ---- cross-entropy at its limits ---------------------------------------------------------------- */

static double cross_entropy(size_t n_out, const double *z, size_t class, double *dy) {
    const double y = (double)class;
    for (size_t o = 0; o < n_out; ++o) dy[o] = NAN;
    return kan_loss_cross_entropy->eval(1, n_out, z, &y, NULL, 1.0, dy);
}

Test(loss, huge_logits_do_not_overflow) {
    const double z[3] = {1e300, -1e300, 5.5};
    double dy[3];
    cr_assert(eq(dbl, cross_entropy(3, z, 0, dy), 0.0));
    for (size_t o = 0; o < 3; ++o) cr_assert(eq(dbl, dy[o], 0.0), "%zu", o);
    cr_assert(eq(dbl, cross_entropy(3, z, 1, dy), 2e300));
    cr_assert(dy[0] == 1.0 && dy[1] == -1.0 && dy[2] == 0.0);
    const double low[2] = {-1e300, -1e300};
    cr_assert(epsilon_eq(dbl, cross_entropy(2, low, 1, dy), log(2.0), 2 * DBL_EPSILON));
    cr_assert(dy[0] == 0.5 && dy[1] == -0.5);
}

Test(loss, equal_logits_give_the_logarithm_of_their_number) {
    double z[7], dy[7];
    for (size_t o = 0; o < 7; ++o) z[o] = -3.7;
    cr_assert(epsilon_eq(dbl, cross_entropy(7, z, 4, dy), log(7.0), 4 * DBL_EPSILON));
    for (size_t o = 0; o < 7; ++o)
        cr_assert(epsilon_eq(dbl, dy[o], 1.0 / 7.0 - (o == 4), 2 * DBL_EPSILON), "%zu", o);
}

/* log(1 + e^-50) is e^-50 to all digits, 50 being exact and exp good to an ulp. */
Test(loss, a_certain_prediction_keeps_its_digits) {
    const double z[2] = {-10.0, 40.0}, small = 1.9287498479639178e-22;
    double dy[2];
    cr_assert(epsilon_eq(dbl, cross_entropy(2, z, 1, dy), small, 4 * DBL_EPSILON * small));
    cr_assert(epsilon_eq(dbl, dy[0], small, 4 * DBL_EPSILON * small));
    cr_assert(epsilon_eq(dbl, dy[1], -small, 4 * DBL_EPSILON * small));
}

Test(loss, adding_to_all_logits_changes_nothing) {
    const double z[3] = {0.25, -1.5, 2.0}, shifted[3] = {1024.25, 1022.5, 1026.0}; /* exact */
    double dy[3], other[3];
    cr_assert(eq(dbl, cross_entropy(3, z, 1, dy), cross_entropy(3, shifted, 1, other)));
    for (size_t o = 0; o < 3; ++o) cr_assert(eq(dbl, dy[o], other[o]));
}

Test(loss, an_impossible_class_costs_infinity) {
    const double z[2] = {0.3, -INFINITY};
    double dy[2];
    cr_assert(eq(dbl, cross_entropy(2, z, 1, dy), INFINITY));
    cr_assert(eq(dbl, cross_entropy(2, z, 0, dy), 0.0));
}

/* ---- NaN ---------------------------------------------------------------------------------------- */

Test(loss, a_nan_anywhere_makes_the_value_nan) {
    static sample_set d;
    double dy[MAX];
    for (size_t k = 0; k < N_SHAPES; ++k) {
        const shape *h = shapes + k;
        make_samples(h, &d);
        for (size_t j = 0; j < h->batch * h->n_out; ++j) {
            const double kept = d.y_hat[j];
            d.y_hat[j] = NAN;
            cr_assert(isnan(eval(h, &d, NULL)), "shape %zu, entry %zu", k, j);
            cr_assert(isnan(eval(h, &d, dy)), "shape %zu, entry %zu", k, j);
            cr_assert(isnan(dy[j]) || (h->classes && h->n_out == 1), "its gradient");
            d.y_hat[j] = kept;
        }
        cr_assert(isfinite(eval(h, &d, dy)));
    }
}

Test(loss, a_nan_target_of_a_regression_makes_the_value_nan) {
    const double y_hat[3] = {0.1, 0.2, 0.3}, y[3] = {0.4, NAN, 0.6};
    cr_assert(isnan(kan_loss_mse->eval(3, 1, y_hat, y, NULL, 1.0, NULL)));
}

/* ---- classes and tasks -------------------------------------------------------------------------- */

Test(loss, belongs_to_a_task) {
    cr_assert(kan_loss_of_task(KAN_REGRESSION) == kan_loss_mse);
    cr_assert(kan_loss_of_task(KAN_CLASSIFICATION) == kan_loss_cross_entropy);
    cr_assert(strcmp(kan_loss_mse->name, kan_loss_cross_entropy->name) != 0);
}

Test(loss, the_class_of_logits_is_the_first_of_the_largest) {
    cr_assert(eq(sz, kan_loss_class(1, (const double[]){-2.385}), 0));
    cr_assert(eq(sz, kan_loss_class(4, (const double[]){-1.0, 0.4, 0.7, 0.7}), 2));
    cr_assert(eq(sz, kan_loss_class(3, (const double[]){-INFINITY, -1e300, -1e301 * 1e5}), 1));
}

#ifndef NDEBUG
static void ask_for_class(double y) {
    const double z[2] = {0.3, 0.4};
    (void)kan_loss_cross_entropy->eval(1, 2, z, &y, NULL, 1.0, NULL);
}

Test(loss, a_class_too_large_is_a_mistake, .signal = SIGABRT) {
    ask_for_class(2.0);
}
Test(loss, a_negative_class_is_a_mistake, .signal = SIGABRT) {
    ask_for_class(-1.0);
}
Test(loss, half_a_class_is_a_mistake, .signal = SIGABRT) {
    ask_for_class(0.5);
}
Test(loss, a_class_that_is_nan_is_a_mistake, .signal = SIGABRT) {
    ask_for_class(NAN);
}
#endif

Test(loss, allocates_nothing) {
    static sample_set d;
    double dy[MAX], sum = 0.0;
    alloc_count_begin();
    for (size_t k = 0; k < N_SHAPES; ++k) {
        make_samples(shapes + k, &d);
        sum += eval(shapes + k, &d, dy);
    }
    cr_assert(eq(sz, alloc_count_end(), 0));
    cr_assert(gt(dbl, sum, 0.5));
}

/* S^T S is the second derivative of the loss of one sample: that of differences of its gradient. */
Test(loss, the_root_squared_is_the_hessian) {
    enum { N_OUT = 4 };
    const kan_loss *const losses[] = {kan_loss_mse, kan_loss_cross_entropy};
    for (size_t k = 0; k < 2; ++k) {
        const kan_loss *loss = losses[k];
        const double z[N_OUT] = {0.3, -1.2, 2.385, 0.7}, y[N_OUT] = {1.0, 0.4, -0.6, 1.9}, h = 1e-5;
        double S[N_OUT * N_OUT];
        loss->root(N_OUT, z, S);
        for (size_t a = 0; a < N_OUT; ++a) {
            double up[N_OUT], down[N_OUT], g_up[N_OUT], g_down[N_OUT];
            for (size_t o = 0; o < N_OUT; ++o)
                up[o] = z[o] + (o == a ? h : 0.0), down[o] = z[o] - (o == a ? h : 0.0);
            loss->eval(1, N_OUT, up, y, NULL, 1.0, g_up);
            loss->eval(1, N_OUT, down, y, NULL, 1.0, g_down);
            for (size_t b = 0; b < N_OUT; ++b) {
                double square = 0.0;
                for (size_t o = 0; o < N_OUT; ++o) square += S[o * N_OUT + a] * S[o * N_OUT + b];
                cr_assert(epsilon_eq(dbl, square, (g_up[b] - g_down[b]) / (2.0 * h), 1e-9),
                          "%s, %zu %zu", loss->name, a, b);
            }
        }
    }
}
