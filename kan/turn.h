/* kan/turn.h - private: columns of a table become rows, and back, for kernel files.
 *
 * A table has a sample in each row, and vectors of samples want a row for each column. Where its width is a constant
 * the loops become shuffles, or at least lose what they cost beside loads and stores.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_KAN_TURN_H
#define KAN_KAN_TURN_H

#include "kan/lanes.h"

enum { TURN_MAX = 8 }; /* columns that are turned at once */

/* Of so many columns that are left. */
ALWAYS_INLINE size_t turn_width(size_t left) {
    return left < TURN_MAX ? left : TURN_MAX;
}

ALWAYS_INLINE void turn_constant(size_t width, size_t n, const double *restrict table, size_t stride,
                                 double *restrict rows, size_t row) {
    for (size_t s = 0; s < n; ++s)
        for (size_t k = 0; k < width; ++k) rows[k * row + s] = table[s * stride + k];
}

ALWAYS_INLINE void turn_back_constant(size_t width, size_t n, double *restrict table, size_t stride,
                                      const double *restrict rows, size_t row) {
    for (size_t s = 0; s < n; ++s)
        for (size_t k = 0; k < width; ++k) table[s * stride + k] = rows[k * row + s];
}

/* Tables that have no other columns are a case of their own. */
#define TURN_CASE(function, width, n, table, stride, rows, row) \
    case width:                                                 \
        if ((stride) == (width))                                \
            function(width, n, table, width, rows, row);        \
        else                                                    \
            function(width, n, table, stride, rows, row);       \
        break;
#define TURN_CASES(function, width, ...)    \
    switch (width) {                        \
        TURN_CASE(function, 1, __VA_ARGS__) \
        TURN_CASE(function, 2, __VA_ARGS__) \
        TURN_CASE(function, 3, __VA_ARGS__) \
        TURN_CASE(function, 4, __VA_ARGS__) \
        TURN_CASE(function, 5, __VA_ARGS__) \
        TURN_CASE(function, 6, __VA_ARGS__) \
        TURN_CASE(function, 7, __VA_ARGS__) \
        TURN_CASE(function, 8, __VA_ARGS__) \
    }

/* rows[k][s] = table[s][k] for k < width <= TURN_MAX and n samples; rows of the table are `stride` apart, the others `row`. */
static inline void turn(size_t width, size_t n, const double *table, size_t stride, double *rows,
                        size_t row) {
    TURN_CASES(turn_constant, width, n, table, stride, rows, row)
}

/* table[s][k] = rows[k][s] */
static inline void turn_back(size_t width, size_t n, double *table, size_t stride, const double *rows,
                             size_t row) {
    TURN_CASES(turn_back_constant, width, n, table, stride, rows, row)
}

#endif
