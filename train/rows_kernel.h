/* train/rows_kernel.h - private: the table of train/rows_kernel.c, products with structured rows (core/model.h).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_TRAIN_ROWS_KERNEL_H
#define KAN_TRAIN_ROWS_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#include "core/kernel.h"

/* Rows of a matrix J [n * n_out][n_params]; the n_out rows of a sample have the same runs. */
typedef struct rows {
    size_t n, n_out;        /* samples, and rows of each                                            */
    size_t n_runs, width;   /* runs of a row, and numbers in them                                   */
    const size_t *lengths;  /* [n_runs]                                                             */
    const size_t *at;       /* [n_runs] where a run begins in the values of its row                 */
    const uint32_t *starts; /* [n][n_runs] where in theta                                           */
    const double *values;   /* [n][n_out][width]                                                    */
} rows;

typedef struct rows_kernel {
    /* Adds to the rows of H = J^T J that run a owns, left of the diagonal and on it: H [n_params][n_params] */
    void (*add_gram)(const rows *r, size_t a, size_t n_params, double *H);
    /* d += diagonal of J^T J */
    void (*add_diagonal)(const rows *r, double *d);
    /* g += J^T c for the entries of runs begin .. end-1; c [n][n_out] */
    void (*add_transposed)(const rows *r, size_t begin, size_t end, const double *c, double *g);
    /* c = J p for samples begin .. end-1 */
    void (*multiply)(const rows *r, size_t begin, size_t end, const double *p, double *c);
} rows_kernel;

#endif
