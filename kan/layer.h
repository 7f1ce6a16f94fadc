/* kan/layer.h - private: one Kolmogorov-Arnold layer.
 *
 *     y[s][o] = sum_i ( base[i][o] b(x[s][i]) + sum_r coef[i][first+r][o] B_{first+r}(x[s][i]) )
 *
 * with r = 0 .. degree.   x [batch][n_in]   y [batch][n_out]   theta [n_in][n_basis+1][n_out]: the coef, and
 * the base weights as last row.
 *
 * At most degree + 1 of the B are not zero at a point, so a sample costs n_in n_out (degree + 2)
 * multiply-adds whatever the number of cells, and the backward pass twice that.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_KAN_LAYER_H
#define KAN_KAN_LAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kan/net.h"
#include "splines/basis.h"

/* A view; the net owns the arrays. */
typedef struct layer {
    size_t n_in, n_out, degree, n_cells;
    kan_base base;
    kan_precision precision;
    kan_basis *basis; /* [n_in], views of knots and cells              */
    double *knots;    /* [n_in][n_cells + 2*degree + 1]                */
    double *cells;    /* [n_in][kan_basis_cells_size]                  */
    double *theta;    /* [n_in][n_basis + 1][n_out]                    */
} layer;

/* n_cells + degree; and doubles in the theta of one input. */
size_t layer_n_basis(const layer *l);
size_t layer_input_size(const layer *l);

/* Doubles that a forward pass leaves for the backward pass of the same batch: the trace. */
size_t layer_trace_size(const layer *l, size_t batch);

/* y from x; fills the trace. */
void layer_forward(const layer *l, size_t batch, const double *x, double *y, double *trace);

/* grad [n_in][n_basis+1][n_out] += dy . dy/dtheta, or = where `set`; dx = dy . dy/dx unless dx is NULL. */
void layer_backward(const layer *l, size_t batch, const double *dy, double *trace, bool set,
                    double *grad, double *dx);

/* The kernels behind these, in tables. wide_kernel.c sums over basis functions and takes any layer, in either
 * precision. The other two are for few outputs and many samples, in double precision only: they sum over the
 * polynomials of the cells, which they make first; in samples_kernel.c a vector holds samples, in
 * outputs_kernel.c outputs. */
typedef struct layer_kernel {
    size_t (*trace_size)(const layer *l, size_t batch);
    void (*forward)(const layer *l, size_t batch, const double *x, double *y, double *trace);
    void (*backward)(const layer *l, size_t batch, const double *dy, double *trace, bool set,
                     double *grad, double *dx);
    size_t best_out; /* of the kernel of samples: up to so many outputs it is the faster of the two */
} layer_kernel;

enum { NARROW_MAX_OUT = 8 }; /* outputs that these two can take */
const layer_kernel *layer_wide_kernel(kan_precision precision);
const layer_kernel *layer_samples_kernel(void);
const layer_kernel *layer_outputs_kernel(void);

/* b and b' of n values x[0], x[stride], .. */
void layer_base(kan_base base, size_t n, const double *x, size_t stride, double *y, double *slopes);

#endif
