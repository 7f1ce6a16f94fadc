/* train/rows_kernel.c - products with structured rows, run by run:
 *
 *     H[start_a + u][start_b + v] += J[a][u] J[b][v]      b <= a, on and left of the diagonal
 *
 * Runs go to rows of H that no other run goes to, so threads may own runs.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/rows_kernel.h"

static inline void add(size_t n, double c, const double *restrict x, double *restrict y) {
    for (size_t i = 0; i < n; ++i) y[i] += c * x[i];
}

/* Four numbers, what a cubic has in a run. */
static inline void add_four(double c, const double *restrict x, double *restrict y) {
    for (size_t i = 0; i < 4; ++i) y[i] += c * x[i];
}

static void add_gram_from(const rows *r, size_t a, size_t first, size_t n_params, double *H) {
    const size_t *lengths = r->lengths, *at = r->at, length = lengths[a];
    for (size_t s = 0; s < r->n; ++s) {
        const uint32_t *starts = r->starts + s * r->n_runs;
        for (size_t o = 0; o < r->n_out; ++o) {
            const double *row = r->values + (s * r->n_out + o) * r->width;
            for (size_t u = 0; u < length; ++u) {
                const double c = row[at[a] + u];
                double *to = H + (starts[a] + u) * n_params;
                if (c == 0.0) continue;
                for (size_t b = first; b < a; ++b)
                    if (lengths[b] == 4)
                        add_four(c, row + at[b], to + starts[b]);
                    else
                        add(lengths[b], c, row + at[b], to + starts[b]);
                add(u + 1, c, row + at[a], to + starts[a]);
            }
        }
    }
}

static void add_gram(const rows *r, size_t a, size_t n_params, double *H) {
    add_gram_from(r, a, 0, n_params, H);
}

static void add_transposed(const rows *r, size_t a, const double *c, double *g) {
    for (size_t s = 0; s < r->n; ++s)
        for (size_t o = 0; o < r->n_out; ++o) {
            const size_t row = s * r->n_out + o;
            add(r->lengths[a], c[row], r->values + row * r->width + r->at[a],
                g + r->starts[s * r->n_runs + a]);
        }
}

static void multiply(const rows *r, size_t begin, size_t end, const double *p, double *c) {
    for (size_t s = begin; s < end; ++s)
        for (size_t o = 0; o < r->n_out; ++o) {
            const double *row = r->values + (s * r->n_out + o) * r->width;
            double sum = 0.0;
            for (size_t k = 0; k < r->n_runs; ++k) {
                const double *from = p + r->starts[s * r->n_runs + k];
                for (size_t u = 0; u < r->lengths[k]; ++u) sum += *row++ * from[u];
            }
            c[s * r->n_out + o] = sum;
        }
}

const rows_kernel KAN_KERNEL(rows_kernel) = {.add_gram = add_gram,
                                             .add_gram_from = add_gram_from,
                                             .add_transposed = add_transposed,
                                             .multiply = multiply};
