/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kan/layer.h"

#include "core/kernel.h"
#include "core/vecmath.h"

KAN_KERNEL_DECLARE(double, layer_kernel, wide_kernel);
KAN_KERNEL_DECLARE(single, layer_kernel, wide_kernel);
KAN_KERNEL_DECLARE(double, layer_kernel, samples_kernel);
KAN_KERNEL_DECLARE(double, layer_kernel, outputs_kernel);

const layer_kernel *layer_wide_kernel(kan_precision precision) {
    return precision == KAN_SINGLE ? KAN_KERNEL_GET(single, wide_kernel)
                                   : KAN_KERNEL_GET(double, wide_kernel);
}

const layer_kernel *layer_samples_kernel(void) {
    return KAN_KERNEL_GET(double, samples_kernel);
}

const layer_kernel *layer_outputs_kernel(void) {
    return KAN_KERNEL_GET(double, outputs_kernel);
}

size_t layer_n_basis(const layer *l) {
    return l->n_cells + l->degree;
}

size_t layer_input_size(const layer *l) {
    return (layer_n_basis(l) + 1) * l->n_out;
}

/* Making the cell polynomials costs an input (degree+1)^2 n_out multiply-adds a cell, and saves it the
 * values and slopes of degree + 1 basis functions a sample: it pays from some samples a cell and output
 * on. */
static size_t least_narrow_batch(const layer *l) {
    return 4 * l->n_cells;
}

static bool is_narrow(const layer *l, size_t batch) {
    return l->n_out <= NARROW_MAX_OUT && batch >= least_narrow_batch(l);
}

static const layer_kernel *kernel_of(const layer *l, size_t batch) {
    if (!is_narrow(l, batch)) return layer_wide_kernel(l->precision);
    const layer_kernel *samples = layer_samples_kernel();
    return l->n_out <= samples->best_out ? samples : layer_outputs_kernel();
}

/* Grows with the batch, so that work for a large one serves a small one: where the narrow kernel
 * begins, the largest batch of the wide one may need more. */
size_t layer_trace_size(const layer *l, size_t batch) {
    const size_t size = kernel_of(l, batch)->trace_size(l, batch);
    if (!is_narrow(l, batch)) return size;
    const size_t wide = layer_wide_kernel(l->precision)->trace_size(l, least_narrow_batch(l) - 1);
    return size > wide ? size : wide;
}

void layer_forward(const layer *l, size_t batch, const double *x, double *y, double *trace) {
    kernel_of(l, batch)->forward(l, batch, x, y, trace);
}

void layer_backward(const layer *l, size_t batch, const double *dy, double *trace, bool set,
                    double *grad, double *dx) {
    kernel_of(l, batch)->backward(l, batch, dy, trace, set, grad, dx);
}

void layer_base(kan_base base, size_t n, const double *x, size_t stride, double *y, double *slopes) {
    switch (base) {
    case KAN_BASE_SILU: kan_vecmath_silu(n, x, stride, y, slopes); break;
    case KAN_BASE_IDENTITY:
        for (size_t j = 0; j < n; ++j) y[j] = x[j * stride], slopes[j] = 1.0;
        break;
    case KAN_BASE_ZERO:
    case KAN_N_BASES:
        for (size_t j = 0; j < n; ++j) y[j] = 0.0, slopes[j] = 0.0;
        break;
    }
}
