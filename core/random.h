/* core/random.h - one small seedable generator: xoshiro256** (Blackman and Vigna, "Scrambled linear
 * pseudorandom number generators", ACM TOMS 47, 2021), seeded by splitmix64 as its authors advise.
 * The whole state is four integers, which fit in a model file.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_CORE_RANDOM_H
#define KAN_CORE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Open on purpose: copy it to save the generator, copy it back to go on from there. */
typedef struct kan_random {
    uint64_t state[4];
} kan_random;

/* A generator for (seed, stream). Different streams of one seed are independent for every practical
 * purpose: use one for each use of randomness, so that none can disturb another. */
kan_random kan_random_seed(uint64_t seed, uint64_t stream);

uint64_t kan_random_u64(kan_random *random);           /* uniform on all 64-bit integers         */
double kan_random_uniform(kan_random *random);         /* uniform on [0, 1), a multiple of 2^-53 */
double kan_random_normal(kan_random *random);          /* standard normal (Box and Muller)       */
size_t kan_random_below(kan_random *random, size_t n); /* uniform on 0 .. n-1, unbiased; n > 0   */

/* Shuffles items [n] in place (Fisher and Yates). */
void kan_random_shuffle(kan_random *random, size_t n, size_t *items);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
