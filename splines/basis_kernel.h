/* splines/basis_kernel.h - private: the table of splines/basis_kernel.c.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_SPLINES_BASIS_KERNEL_H
#define KAN_SPLINES_BASIS_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#include "core/kernel.h"
#include "splines/basis.h"

typedef void basis_locate(const kan_basis *b, size_t n, const double *x, uint32_t *cell, double *v,
                          double *t, double *inv_h);
typedef size_t basis_sort(const kan_basis *b, size_t n, const double *x, uint16_t *order,
                          kan_basis_run *runs);

/* What differs between the precisions is the type of values, places and slopes. */
typedef struct basis_kernel_double {
    basis_locate *locate;
    basis_sort *sort;
    void (*eval)(const kan_basis *b, size_t n_runs, const kan_basis_run *runs, const double *x,
                 double *values, double *v);
    void (*slope)(const kan_basis *b, size_t n_runs, const kan_basis_run *runs, const double *v,
                  double *slopes);
} basis_kernel_double;

typedef struct basis_kernel_single {
    basis_locate *locate;
    basis_sort *sort;
    void (*eval)(const kan_basis *b, size_t n_runs, const kan_basis_run *runs, const double *x,
                 float *values, float *v);
    void (*slope)(const kan_basis *b, size_t n_runs, const kan_basis_run *runs, const float *v,
                  float *slopes);
} basis_kernel_single;

#endif
