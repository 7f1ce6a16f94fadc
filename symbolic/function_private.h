/* symbolic/function_private.h - the rows behind symbolic/function.h; private to the folder.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_SYMBOLIC_FUNCTION_PRIVATE_H
#define KAN_SYMBOLIC_FUNCTION_PRIVATE_H

#include "symbolic/function.h"

/* What edges may become: [kan_function_n_edge]; and what only formulas use. */
extern const kan_function kan_function_edge[], kan_function_further[];
extern const size_t kan_function_n_edge, kan_function_n_further;

/* As kan_function_find, for the first `length` characters of name. */
const kan_function *kan_function_find_n(const char *name, size_t length);

#endif
