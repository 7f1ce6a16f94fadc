/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "core/random.h"
#include "tests/support/alloc.h"
#include "train/adam.h"

/* Four steps of three entries, computed from the formula in decimal arithmetic of 60 digits. */
static const kan_adam_options table_options = {
    .beta1 = 0.8, .beta2 = 0.95, .epsilon = 0.001, .decay = 0.1};
static const double table_start[3] = {2.385, -0.71, 0.013};
static const double table_rate[4] = {0.05, 0.04, 0.03, 0.02};
static const double table_grad[4][3] = {
    {0.3, -1.7, 0.0021}, {-0.45, -0.9, 0.0017}, {1.25, 0.6, -0.0033}, {0.08, 2.2, 0.0009}};
static const double table_theta[4][3] = {
    {2.323241112956810415, -0.65647939447383887, -0.02093596774193548},
    {2.326059684951508081, -0.61668785686426424, -0.04670455320169477},
    {2.302520665419855284, -0.60187411379189019, -0.04446178081262374},
    {2.288603178412681975, -0.60622398701647200, -0.04527600815240424}};

/* A step rounds ten times or so, each time by at most DBL_EPSILON / 2 of a number below 1; a moment
 * whose terms cancel loses a digit more. */
static void check_table(const uint8_t *trainable) {
    double theta[3];
    memcpy(theta, table_start, sizeof theta);
    kan_adam *adam = kan_adam_alloc(3, &table_options);
    for (size_t t = 0; t < 4; ++t) {
        kan_adam_step(adam, table_rate[t], table_grad[t], trainable, theta);
        for (size_t p = 0; p < 3; ++p)
            cr_assert(epsilon_eq(dbl, theta[p], table_theta[t][p], 16 * DBL_EPSILON), "step %zu, %zu",
                      t, p);
    }
    cr_assert(eq(sz, adam->t, 4));
    kan_adam_free(adam);
}

Test(adam, follows_the_worked_table) {
    check_table(NULL);
}

Test(adam, follows_the_worked_table_where_all_are_trainable) {
    check_table((const uint8_t[]){1, 1, 1});
}

Test(adam, zero_options_mean_the_published_ones) {
    kan_adam *adam = kan_adam_alloc(1, NULL), *same = kan_adam_alloc(1, &(kan_adam_options){0});
    cr_assert(eq(dbl, adam->options.beta1, 0.9));
    cr_assert(eq(dbl, adam->options.beta2, 0.999));
    cr_assert(eq(dbl, adam->options.epsilon, 1e-8));
    cr_assert(eq(dbl, adam->options.decay, 0.0));
    cr_assert(eq(int, memcmp(&adam->options, &same->options, sizeof adam->options), 0));
    kan_adam_free(adam);
    kan_adam_free(same);
}

/* With the moments corrected, m / sqrt(v) of the first step is the sign of g, whatever its size: off by
 * epsilon / |g|, here below 1e-6, and rounding. */
Test(adam, first_step_is_the_rate_against_the_sign) {
    const double grad[5] = {3.1e-2, -4.4e7, 2.385, -0.017, 6.6e3};
    double theta[5] = {0.1, 0.2, -0.3, 0.4, -0.5}, old[5];
    memcpy(old, theta, sizeof old);
    kan_adam *adam = kan_adam_alloc(5, NULL);
    kan_adam_step(adam, 0.013, grad, NULL, theta);
    for (size_t p = 0; p < 5; ++p)
        cr_assert(epsilon_eq(dbl, theta[p], old[p] - copysign(0.013, grad[p]), 0.013 * 1e-6));
    kan_adam_free(adam);
}

/* Decoupled: weights shrink by the factor 1 - rate decay, and the moments do not see it. */
Test(adam, decay_is_decoupled_from_the_moments) {
    const double grad[3] = {0.0, 0.37, -1.9};
    double theta[3] = {2.385, -0.71, 0.44}, plain[3];
    memcpy(plain, theta, sizeof plain);
    kan_adam *adam = kan_adam_alloc(3, &(kan_adam_options){.decay = 0.25});
    kan_adam *without = kan_adam_alloc(3, NULL);
    for (int t = 0; t < 5; ++t) {
        double expected[3];
        for (size_t p = 0; p < 3; ++p) expected[p] = plain[p] = theta[p];
        kan_adam_step(without, 0.1, grad, NULL, plain);
        kan_adam_step(adam, 0.1, grad, NULL, theta);
        for (size_t p = 0; p < 3; ++p) {
            expected[p] = plain[p] - 0.1 * 0.25 * expected[p];
            cr_assert(epsilon_eq(dbl, theta[p], expected[p], 4 * DBL_EPSILON * 2.4));
            cr_assert(eq(dbl, adam->m[p], without->m[p]));
            cr_assert(eq(dbl, adam->v[p], without->v[p]));
        }
    }
    cr_assert(epsilon_eq(dbl, theta[0], 2.385 * pow(0.975, 5), 16 * DBL_EPSILON));
    kan_adam_free(adam);
    kan_adam_free(without);
}

enum { N = 103 };

static void random_gradient(kan_random *random, double *grad) {
    for (size_t p = 0; p < N; ++p) grad[p] = kan_random_normal(random);
}

/* Frozen entries keep their bits, also against decay and NaN; the others move as they would alone. */
Test(adam, frozen_entries_stay_to_the_bit) {
    kan_random random = kan_random_seed(11, 0);
    double theta[N], all[N], start[N], grad[N];
    uint8_t trainable[N];
    for (size_t p = 0; p < N; ++p) {
        theta[p] = all[p] = start[p] = kan_random_normal(&random);
        trainable[p] = kan_random_below(&random, 3) != 0;
    }
    kan_adam *adam = kan_adam_alloc(N, &(kan_adam_options){.decay = 0.1});
    kan_adam *other = kan_adam_alloc(N, &(kan_adam_options){.decay = 0.1});
    for (int t = 0; t < 20; ++t) {
        random_gradient(&random, grad);
        kan_adam_step(other, 0.05, grad, NULL, all);
        for (size_t p = 0; p < N; ++p)
            if (!trainable[p] && p % 2) grad[p] = NAN;
        kan_adam_step(adam, 0.05, grad, trainable, theta);
    }
    size_t frozen = 0;
    for (size_t p = 0; p < N; ++p) {
        frozen += !trainable[p];
        if (trainable[p])
            cr_assert(epsilon_eq(dbl, theta[p], all[p], 64 * DBL_EPSILON), "entry %zu", p);
        else
            cr_assert(eq(int, memcmp(theta + p, start + p, sizeof *theta), 0), "entry %zu", p);
        cr_assert(theta[p] != start[p] || !trainable[p], "entry %zu moves", p);
        cr_assert(trainable[p] || (adam->m[p] == 0.0 && adam->v[p] == 0.0), "entry %zu is at rest", p);
    }
    cr_assert(frozen > 10 && frozen < N - 10);
    kan_adam_free(adam);
    kan_adam_free(other);
}

/* 1/2 sum k (theta - c)^2, curvatures 0.05 to 50, with a rate that falls to 0: the last steps are of
 * the size of the last rates, 1e-6. */
Test(adam, converges_on_a_quadratic) {
    enum { STEPS = 5000 };
    double theta[4] = {2.385, -0.71, 0.44, -1.3}, grad[4];
    const double k[4] = {0.05, 0.5, 5.0, 50.0}, c[4] = {-0.3, 0.21, 1.7, 0.9};
    kan_adam *adam = kan_adam_alloc(4, NULL);
    for (size_t t = 0; t < STEPS; ++t) {
        for (size_t p = 0; p < 4; ++p) grad[p] = k[p] * (theta[p] - c[p]);
        kan_adam_step(adam, 0.02 * (1.0 - (double)t / STEPS), grad, NULL, theta);
    }
    for (size_t p = 0; p < 4; ++p) cr_assert(epsilon_eq(dbl, theta[p], c[p], 1e-6), "entry %zu", p);
    kan_adam_free(adam);
}

Test(adam, a_restored_state_goes_on_to_the_same_bits) {
    kan_random random = kan_random_seed(12, 0);
    double theta[N], copy[N], grad[N];
    for (size_t p = 0; p < N; ++p) theta[p] = kan_random_normal(&random);
    kan_adam *adam = kan_adam_alloc(N, &(kan_adam_options){.decay = 0.01});
    for (int t = 0; t < 7; ++t) {
        random_gradient(&random, grad);
        kan_adam_step(adam, 0.05, grad, NULL, theta);
    }
    kan_adam *other = kan_adam_alloc(N, &adam->options);
    other->t = adam->t;
    memcpy(other->m, adam->m, sizeof theta);
    memcpy(other->v, adam->v, sizeof theta);
    memcpy(copy, theta, sizeof theta);
    for (int t = 0; t < 7; ++t) {
        random_gradient(&random, grad);
        kan_adam_step(adam, 0.05, grad, NULL, theta);
        kan_adam_step(other, 0.05, grad, NULL, copy);
        cr_assert(eq(int, memcmp(theta, copy, sizeof theta), 0), "step %d", t);
    }
    kan_adam_free(adam);
    kan_adam_free(other);
}

Test(adam, a_reset_is_a_new_start) {
    double theta[3], again[3];
    kan_adam *adam = kan_adam_alloc(3, &table_options);
    memcpy(theta, table_start, sizeof theta);
    memcpy(again, table_start, sizeof again);
    for (size_t t = 0; t < 4; ++t) kan_adam_step(adam, table_rate[t], table_grad[t], NULL, theta);
    kan_adam_reset(adam);
    cr_assert(eq(sz, adam->t, 0));
    for (size_t t = 0; t < 4; ++t) kan_adam_step(adam, table_rate[t], table_grad[t], NULL, again);
    cr_assert(eq(int, memcmp(theta, again, sizeof theta), 0));
    kan_adam_free(adam);
}

static kan_status attempt(void *context) {
    (void)context;
    kan_adam *adam = kan_adam_alloc(17, NULL);
    const kan_status status = adam ? KAN_OK : KAN_ENOMEM;
    kan_adam_free(adam);
    return status;
}

Test(adam, is_one_block_that_may_be_refused) {
    cr_assert(eq(sz, alloc_fail_every(attempt, NULL), 1));
    const size_t huge[] = {SIZE_MAX, SIZE_MAX - 64, SIZE_MAX / 2 + 1, SIZE_MAX / 16};
    for (size_t j = 0; j < 4; ++j) cr_assert(kan_adam_alloc(huge[j], NULL) == NULL, "%zu", huge[j]);
}

Test(adam, a_step_allocates_nothing) {
    double theta[3] = {0.3, 0.4, 0.5};
    kan_adam *adam = kan_adam_alloc(3, NULL);
    alloc_count_begin();
    kan_adam_step(adam, 0.1, table_grad[0], NULL, theta);
    kan_adam_step(adam, 0.1, table_grad[1], (const uint8_t[]){1, 0, 1}, theta);
    kan_adam_reset(adam);
    cr_assert(eq(sz, alloc_count_end(), 0));
    cr_assert(theta[0] != 0.3);
    kan_adam_free(adam);
}
