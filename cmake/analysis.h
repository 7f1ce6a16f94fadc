/* cmake/analysis.h - what static analysers cannot see from one file, and what of theirs is left out, each for its
 * reason. scripts/analyse and the preset analyzer include it before every source, nothing else does. The checks of
 * clang-tidy that are left out are in .clang-tidy.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/status.h"

/* A failure is never KAN_OK and a complaint of the program (experiments/command.h) never 0, so that
 * `status = p ? KAN_OK : kan_status_fail(..)` says whether p is NULL. No system header may be included here:
 * some sources say first what of it they want. */
#define KAN_ANALYSIS
static inline int known_failure(int status) {
    if (status == 0) __builtin_trap();
    return status;
}
#define kan_status_fail(...) ((kan_status)known_failure((int)kan_status_fail(__VA_ARGS__)))

#if defined __GNUC__ && !defined __clang__
/* GCC 12 takes a pointer that is stored in an array at a variable index for lost. Clang's analyzer looks for leaks
 * as well, and so do the tests under valgrind and the address sanitizer. */
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif
