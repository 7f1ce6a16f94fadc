/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <math.h>

#include "core/random.h"

/* The generator of Blackman and Vigna, from its definition and from the state 1, 2, 3, 4: the values
 * published with the rand_xoshiro crate (made there with the authors' C code). */
Test(random, follows_the_published_sequence) {
    kan_random random = {{1, 2, 3, 4}};
    const uint64_t expected[] = {UINT64_C(11520),
                                 UINT64_C(0),
                                 UINT64_C(1509978240),
                                 UINT64_C(1215971899390074240),
                                 UINT64_C(1216172134540287360),
                                 UINT64_C(607988272756665600)};
    for (size_t j = 0; j < sizeof expected / sizeof *expected; ++j)
        cr_assert(eq(u64, kan_random_u64(&random), expected[j]), "value %zu", j);
}

Test(random, streams_and_seeds_differ) {
    kan_random a = kan_random_seed(1, 0), b = kan_random_seed(0, 1), c = kan_random_seed(1, 1);
    const uint64_t x = kan_random_u64(&a), y = kan_random_u64(&b), z = kan_random_u64(&c);
    cr_assert(x != y && y != z && x != z);
}

Test(random, a_copied_state_goes_on_alike) {
    kan_random random = kan_random_seed(7, 3), copy;
    for (int j = 0; j < 100; ++j) (void)kan_random_normal(&random);
    copy = random;
    for (int j = 0; j < 100; ++j)
        cr_assert(eq(dbl, kan_random_normal(&random), kan_random_normal(&copy)));
}

/* Mean and variance within five standard errors of their true values. */
Test(random, moments_of_the_distributions) {
    enum { N = 200000 };
    kan_random random = kan_random_seed(42, 0);
    double u = 0, uu = 0, z = 0, zz = 0;
    for (int j = 0; j < N; ++j) {
        const double a = kan_random_uniform(&random), b = kan_random_normal(&random);
        cr_assert(a >= 0.0 && a < 1.0);
        u += a, uu += a * a, z += b, zz += b * b;
    }
    const double five = 5.0 / sqrt(N);
    cr_assert(epsilon_eq(dbl, u / N, 0.5, five * sqrt(1.0 / 12.0)));
    cr_assert(epsilon_eq(dbl, uu / N, 1.0 / 3.0, five * sqrt(4.0 / 45.0)));
    cr_assert(epsilon_eq(dbl, z / N, 0.0, five));
    cr_assert(epsilon_eq(dbl, zz / N, 1.0, five * sqrt(2.0)));
}

Test(random, shuffle_is_a_permutation_and_below_is_uniform) {
    enum { N = 10, ROUNDS = 20000 };
    kan_random random = kan_random_seed(5, 0);
    size_t first[N] = {0};
    for (int round = 0; round < ROUNDS; ++round) {
        size_t items[N], seen[N] = {0};
        for (size_t j = 0; j < N; ++j) items[j] = j;
        kan_random_shuffle(&random, N, items);
        for (size_t j = 0; j < N; ++j) ++seen[items[j]];
        for (size_t j = 0; j < N; ++j) cr_assert(eq(sz, seen[j], 1));
        ++first[items[0]];
    }
    /* Each count is binomial: 2000 expected, standard deviation sqrt(N p q) = 42. */
    for (size_t j = 0; j < N; ++j)
        cr_assert(epsilon_eq(dbl, (double)first[j], ROUNDS / 10.0, 5 * 42.5));
}
