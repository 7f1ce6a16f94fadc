/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/sha256.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t turn(uint32_t x, int n) {
    return x >> n | x << (32 - n);
}

/* The message schedule W of a block (FIPS 180-4, 6.2.2, step 1). */
static void spread_block(const uint8_t block[64], uint32_t w[64]) {
    for (int t = 0; t < 16; ++t)
        w[t] = (uint32_t)block[4 * t] << 24 | (uint32_t)block[4 * t + 1] << 16 |
               (uint32_t)block[4 * t + 2] << 8 | block[4 * t + 3];
    for (int t = 16; t < 64; ++t) {
        const uint32_t s0 = turn(w[t - 15], 7) ^ turn(w[t - 15], 18) ^ w[t - 15] >> 3;
        const uint32_t s1 = turn(w[t - 2], 17) ^ turn(w[t - 2], 19) ^ w[t - 2] >> 10;
        w[t] = s1 + w[t - 7] + s0 + w[t - 16];
    }
}

/* Steps 2 to 4: v holds a, b, .., h. */
static void take_block(kan_sha256 *s) {
    uint32_t w[64], v[8];
    spread_block(s->block, w);
    memcpy(v, s->state, sizeof v);
    for (int t = 0; t < 64; ++t) {
        const uint32_t e = v[4], a = v[0];
        const uint32_t t1 = v[7] + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) +
                            ((e & v[5]) ^ (~e & v[6])) + constants[t] + w[t];
        const uint32_t t2 = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) +
                            ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));
        memmove(v + 1, v, 7 * sizeof *v);
        v[4] += t1;
        v[0] = t1 + t2;
    }
    for (int k = 0; k < 8; ++k) s->state[k] += v[k];
}

kan_sha256 kan_sha256_begin(void) {
    return (kan_sha256){.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
                                  0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void kan_sha256_add(kan_sha256 *s, const void *bytes, size_t n) {
    const uint8_t *at = bytes;
    while (n > 0) {
        const size_t used = s->n % sizeof s->block, room = sizeof s->block - used;
        const size_t part = n < room ? n : room;
        memcpy(s->block + used, at, part);
        s->n += part, at += part, n -= part;
        if (part == room) take_block(s);
    }
}

/* A bit 1, as many bits 0 as it takes, and the number of bits before that in the last 8 bytes. */
void kan_sha256_end(kan_sha256 *s, char digits[KAN_SHA256_SIZE]) {
    static const uint8_t padding[64] = {0x80};
    const uint64_t n_bits = 8 * s->n;
    const size_t used = s->n % 64;
    uint8_t length[8];
    for (int k = 0; k < 8; ++k) length[k] = (uint8_t)(n_bits >> (56 - 8 * k));
    kan_sha256_add(s, padding, used < 56 ? 56 - used : 120 - used);
    kan_sha256_add(s, length, sizeof length);
    for (int k = 0; k < 8; ++k) snprintf(digits + 8 * k, 9, "%08x", (unsigned)s->state[k]);
}

kan_status kan_sha256_file(const char *path, char digits[KAN_SHA256_SIZE], kan_error *error) {
    char bytes[1 << 14];
    kan_sha256 s = kan_sha256_begin();
    FILE *file = fopen(path, "rb");
    if (!file) return kan_status_fail(error, KAN_EIO, "%s: %s", path, strerror(errno));
    errno = 0;
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, file)) > 0;) kan_sha256_add(&s, bytes, n);
    const int cause = ferror(file) ? (errno ? errno : EIO) : 0;
    (void)fclose(file);
    if (cause) return kan_status_fail(error, KAN_EIO, "%s: %s", path, strerror(cause));
    kan_sha256_end(&s, digits);
    return KAN_OK;
}
