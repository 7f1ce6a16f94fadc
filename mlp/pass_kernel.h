/* mlp/pass_kernel.h - private: the table of mlp/pass_kernel.c; its functions are those of the contract.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_MLP_PASS_KERNEL_H
#define KAN_MLP_PASS_KERNEL_H

#include <stdbool.h>

#include "core/kernel.h"
#include "mlp/mlp_private.h"

typedef struct pass_kernel {
    void (*forward)(const kan_mlp *mlp, size_t batch, const double *x, double *y, double *work);
    void (*backward)(const kan_mlp *mlp, size_t batch, const double *x, const double *dy, bool set,
                     double *grad, double *dx, double *work); /* set: grad =, not += */
} pass_kernel;

#endif
