/* train/cholesky.c - by block columns, each from those left of it:
 *
 *     C = A[j..][J] - L[j..][0..j] L[J][0..j]^T      C[J] = L_JJ L_JJ^T      L[below][J] = C[below] L_JJ^-T
 *
 * Threads own bands of rows below the diagonal block.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/cholesky.h"

#include <math.h>

#include <gsl/gsl_cblas.h>

#include "core/parallel.h"
#include "train/vector_kernel.h"

KAN_KERNEL_DECLARE(double, vector_kernel, vector_kernel);

enum { BLOCK = 48, BAND = 192 }; /* columns of a block, rows of a task */

typedef struct column {
    size_t n, j, width; /* of the matrix; first column of the block, and its columns */
    double *A;
} column;

/* Subtracts the product from rows begin .. end-1 below j. */
static void update_rows(void *context, size_t begin, size_t end) {
    const column *c = context;
    double *rows = c->A + (c->j + begin) * c->n;
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)(end - begin), (int)c->width, (int)c->j,
                -1.0, rows, (int)c->n, c->A + c->j * c->n, (int)c->n, 1.0, rows + c->j, (int)c->n);
}

static void solve_rows(void *context, size_t begin, size_t end) {
    const column *c = context;
    const double *diagonal = c->A + c->j * c->n + c->j;
    cblas_dtrsm(CblasRowMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, (int)(end - begin),
                (int)c->width, 1.0, diagonal, (int)c->n, c->A + (c->j + c->width + begin) * c->n + c->j,
                (int)c->n);
}

static bool factor_diagonal(const column *c, double least) {
    const vector_kernel *k = KAN_KERNEL_GET(double, vector_kernel);
    double *A = c->A + c->j * c->n + c->j;
    for (size_t i = 0; i < c->width; ++i) {
        double *row = A + i * c->n;
        for (size_t q = 0; q < i; ++q)
            row[q] = (row[q] - k->dot(q, row, A + q * c->n)) / A[q * c->n + q];
        const double pivot = row[i] - k->dot(i, row, row);
        if (!(pivot > least)) return false;
        row[i] = sqrt(pivot);
    }
    return true;
}

bool cholesky_factor(size_t n, double least, double *A) {
    for (size_t j = 0; j < n; j += BLOCK) {
        column c = {n, j, n - j < BLOCK ? n - j : BLOCK, A};
        const double work = (double)(n - j) * (double)c.width;
        if (j > 0) kan_parallel_for(n - j, BAND, work * (double)j, update_rows, &c);
        if (!factor_diagonal(&c, least)) return false;
        kan_parallel_for(n - j - c.width, BAND, work * (double)c.width, solve_rows, &c);
    }
    return true;
}

void cholesky_solve(size_t n, const double *L, double *x) {
    cblas_dtrsv(CblasRowMajor, CblasLower, CblasNoTrans, CblasNonUnit, (int)n, L, (int)n, x, 1);
    cblas_dtrsv(CblasRowMajor, CblasLower, CblasTrans, CblasNonUnit, (int)n, L, (int)n, x, 1);
}
