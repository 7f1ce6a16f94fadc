/* core/sha256.h - checksums by which people tell each other which data they had.
 *
 * SHA-256 of FIPS 180-4, the sum that sha256sum prints.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_CORE_SHA256_H
#define KAN_CORE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

enum { KAN_SHA256_SIZE = 65 }; /* 64 hexadecimal digits and the end of the text */

/* Open, but nobody's business. */
typedef struct kan_sha256 {
    uint32_t state[8];
    uint64_t n; /* bytes so far */
    uint8_t block[64];
} kan_sha256;

/* The sum of no bytes; more bytes; the sum of all of them as text, after which s is used up. */
kan_sha256 kan_sha256_begin(void);
void kan_sha256_add(kan_sha256 *s, const void *bytes, size_t n);
void kan_sha256_end(kan_sha256 *s, char digits[KAN_SHA256_SIZE]);

/* The sum of a file. KAN_EIO. */
kan_status kan_sha256_file(const char *path, char digits[KAN_SHA256_SIZE], kan_error *error);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
