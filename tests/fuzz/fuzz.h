/* tests/fuzz/fuzz.h - the targets of fuzz.c.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_TESTS_FUZZ_FUZZ_H
#define KAN_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

enum { csv = 1, npy, idx, gz, model, expression, rows };

/* Which of them an input goes to, where fuzz.c was compiled for all. */
extern int fuzz_target;

/* One input; its name is libFuzzer's. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
