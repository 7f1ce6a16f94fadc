/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <math.h>
#include <stdlib.h>

#include "core/random.h"
#include "train/smooth.h"

enum { N = 400 };

/* Of r = size g(x) + normal noise, x uniform in [-1, 1]^n_in. */
static double probability(size_t n_in, double size, double noise, double (*g)(size_t, const double *),
                          uint64_t seed) {
    double *x = malloc(N * n_in * sizeof *x), r[N], p = NAN;
    kan_random random = kan_random_seed(seed, 0);
    for (size_t s = 0; s < N; ++s) {
        for (size_t i = 0; i < n_in; ++i) x[s * n_in + i] = 2.0 * kan_random_uniform(&random) - 1.0;
        r[s] = size * g(n_in, x + s * n_in) + noise * kan_random_normal(&random);
    }
    cr_assert(kan_smooth_test(N, n_in, x, r, NULL, &p, NULL) == KAN_OK);
    free(x);
    return p;
}

static double product(size_t n_in, const double *x) {
    (void)n_in;
    return x[0] * x[1];
}

static double wave(size_t n_in, const double *x) {
    return sin(12.0 * x[0]) + (double)n_in * 0.0;
}

static double bend(size_t n_in, const double *x) {
    double sum = 0.0;
    for (size_t i = 0; i + 1 < n_in; ++i) sum += x[i] * x[i + 1];
    return sum;
}

/* Eight looks at one sample: the smallest probability is below 0.02 in fewer than 8 x 2 % of all samples. */
Test(smooth, noise_is_not_predicted) {
    size_t n_seen = 0;
    for (uint64_t seed = 0; seed < 10; ++seed) n_seen += probability(2, 0.0, 1.0, product, seed) < 0.02;
    cr_assert(n_seen <= 2, "%zu of 10", n_seen);
}

/* Without noise whatever is left is a function, of any size. */
Test(smooth, functions_without_noise_are_seen) {
    cr_assert(probability(2, 1.0, 0.0, product, 1) < 1e-6);
    cr_assert(probability(2, 1e-9, 0.0, product, 1) < 1e-6, "the size does not matter");
    cr_assert(probability(2, 1.0, 0.0, wave, 1) < 1e-6);
    cr_assert(probability(9, 1.0, 0.0, bend, 1) < 1e-3);
}

Test(smooth, functions_in_noise_of_their_size_are_seen) {
    cr_assert(probability(2, 1.0, 0.33, product, 2) < 0.01);
    cr_assert(probability(3, 1.0, 0.7, wave, 3) < 0.01);
}
