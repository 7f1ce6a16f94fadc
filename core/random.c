/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/random.h"

#include <assert.h>
#include <math.h>

static const double two_pi = 6.283185307179586476925286766559;

static uint64_t rotate_left(uint64_t x, int k) {
    return (x << k) | (x >> (64 - k));
}

static uint64_t splitmix64(uint64_t *x) {
    uint64_t z = (*x += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

kan_random kan_random_seed(uint64_t seed, uint64_t stream) {
    /* The stream is scrambled before it meets the seed, so that (1, 0) and (0, 1) are far apart. */
    uint64_t scrambled = stream;
    uint64_t x = seed ^ (stream ? splitmix64(&scrambled) : 0);
    kan_random random;
    for (int i = 0; i < 4; ++i) random.state[i] = splitmix64(&x);
    return random;
}

uint64_t kan_random_u64(kan_random *random) {
    uint64_t *s = random->state;
    const uint64_t result = rotate_left(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

double kan_random_uniform(kan_random *random) {
    return (double)(kan_random_u64(random) >> 11) * 0x1p-53;
}

double kan_random_normal(kan_random *random) {
    /* 1 - u is in (0, 1], so the logarithm is finite. The sine partner is dropped: a spare value
     * would be state that does not show in kan_random. */
    const double u = 1.0 - kan_random_uniform(random), v = kan_random_uniform(random);
    return sqrt(-2.0 * log(u)) * cos(two_pi * v);
}

size_t kan_random_below(kan_random *random, size_t n) {
    assert(n > 0);
    /* Reject the last, incomplete run of n values. */
    const uint64_t limit = UINT64_MAX - UINT64_MAX % n;
    uint64_t u;
    do u = kan_random_u64(random);
    while (u >= limit);
    return (size_t)(u % n);
}

void kan_random_shuffle(kan_random *random, size_t n, size_t *items) {
    for (size_t i = n; i > 1; --i) {
        const size_t j = kan_random_below(random, i), kept = items[i - 1];
        items[i - 1] = items[j];
        items[j] = kept;
    }
}
