/* train/cholesky.h - private: A = L L^T of a symmetric positive definite matrix, in blocks.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_TRAIN_CHOLESKY_H
#define KAN_TRAIN_CHOLESKY_H

#include <stdbool.h>
#include <stddef.h>

/* The lower triangle of A [n][n], row by row, becomes L; the upper one is neither read nor kept. False where a
 * pivot is not above `least` (nor NaN): A is not positive definite to rounding, and its triangle is lost. */
bool cholesky_factor(size_t n, double least, double *A);

/* x becomes the solution of L L^T x = x. */
void cholesky_solve(size_t n, const double *L, double *x);

#endif
