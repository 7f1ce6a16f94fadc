/* kan/polynomials.h - private: edges as polynomials of the cells, for the kernels of layers with few outputs.
 *
 * On cell c every edge is one polynomial, made once for all samples from its coefficients (splines/basis.h
 * has P):
 *
 *     phi_io(x)     = base[i][o] b(x) + sum_p A[i][o][c][p] q_p
 *     A[i][o][c][p] = sum_r P[c][p][r] coef[i][c+r][o]
 *     q_p           = v^p + p v^(p-1) t,    slope of q_p = p v^(p-1) / h
 *
 * with v in [-1, 1] the place in the cell and t the distance beyond the grid (0 inside), both in half
 * widths h. So a sample needs no basis functions at all, and its gradient goes to D = d(loss)/dA, from
 * which
 *
 *     d(loss)/d coef[i][c+r][o] = sum_p P[c][p][r] D[i][o][c][p].
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_KAN_POLYNOMIALS_H
#define KAN_KAN_POLYNOMIALS_H

#include <stddef.h>

#include "kan/layer.h"

static inline size_t round_up(size_t n, size_t unit) {
    return (n + unit - 1) / unit * unit;
}

/* P[p][r] of cell c of an input. */
static inline const double *cell_polynomials(const layer *l, size_t i, size_t c) {
    const size_t rows = l->degree + 1;
    return l->basis[i].cells + c * (2 + rows * rows) + 2;
}

/* A of one edge from its coefficients: cell by cell `cell_stride` apart, power by power `stride`; zero for the
 * powers above the degree. */
static inline void make_polynomials(const layer *l, size_t i, size_t o, size_t n_powers,
                                    size_t cell_stride, size_t stride, double *A) {
    const size_t rows = l->degree + 1, n_out = l->n_out;
    const double *coef = l->theta + i * layer_input_size(l) + o;
    for (size_t c = 0; c < l->n_cells; ++c, coef += n_out, A += cell_stride) {
        const double *P = cell_polynomials(l, i, c);
        for (size_t p = 0; p < n_powers; ++p) {
            double sum = 0.0;
            for (size_t r = 0; r < rows && p < rows; ++r) sum += P[p * rows + r] * coef[r * n_out];
            A[p * stride] = sum;
        }
    }
}

/* The gradient of the coefficients of one edge from its D, laid out in the same way. */
static inline void add_coefficient_gradient(const layer *l, size_t i, size_t o, size_t cell_stride,
                                            size_t stride, const double *D, double *grad) {
    const size_t rows = l->degree + 1, n_out = l->n_out;
    double *to = grad + i * layer_input_size(l) + o;
    for (size_t c = 0; c < l->n_cells; ++c, to += n_out, D += cell_stride) {
        const double *P = cell_polynomials(l, i, c);
        for (size_t p = 0; p < rows; ++p)
            for (size_t r = 0; r < rows; ++r) to[r * n_out] += P[p * rows + r] * D[p * stride];
    }
}

#endif
