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

static void add_gram(const rows *r, size_t a, size_t n_params, double *H) {
    const size_t *lengths = r->lengths, *at = r->at, length = lengths[a];
    for (size_t s = 0; s < r->n; ++s) {
        const uint32_t *starts = r->starts + s * r->n_runs;
        for (size_t o = 0; o < r->n_out; ++o) {
            const double *row = r->values + (s * r->n_out + o) * r->width;
            for (size_t u = 0; u < length; ++u) {
                const double c = row[at[a] + u];
                double *to = H + (starts[a] + u) * n_params;
                if (c == 0.0) continue;
                for (size_t b = 0; b < a; ++b)
                    if (lengths[b] == 4)
                        add_four(c, row + at[b], to + starts[b]);
                    else
                        add(lengths[b], c, row + at[b], to + starts[b]);
                add(u + 1, c, row + at[a], to + starts[a]);
            }
        }
    }
}

static void add_diagonal(const rows *r, double *d) {
    for (size_t row = 0; row < r->n * r->n_out; ++row) {
        const double *values = r->values + row * r->width;
        for (size_t a = 0; a < r->n_runs; ++a) {
            double *to = d + r->starts[row / r->n_out * r->n_runs + a];
            for (size_t u = 0; u < r->lengths[a]; ++u, ++values) to[u] += *values * *values;
        }
    }
}

static void add_transposed(const rows *r, size_t begin, size_t end, const double *c, double *g) {
    for (size_t row = 0; row < r->n * r->n_out; ++row) {
        const double *values = r->values + row * r->width;
        const uint32_t *starts = r->starts + row / r->n_out * r->n_runs;
        for (size_t a = begin; a < end; ++a)
            if (r->lengths[a] == 4)
                add_four(c[row], values + r->at[a], g + starts[a]);
            else
                add(r->lengths[a], c[row], values + r->at[a], g + starts[a]);
    }
}

/* As many sums as lanes side by side, and what is left over. */
static inline double dot(size_t n, const double *a, const double *b) {
    vec sum = {0};
    double total = 0.0;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        sum += *(const vec_unaligned *)(a + i) * *(const vec_unaligned *)(b + i);
    for (size_t k = 0; i > 0 && k < LANES; ++k) total += sum[k];
    for (; i < n; ++i) total += a[i] * b[i];
    return total;
}

static void multiply(const rows *r, size_t begin, size_t end, const double *p, double *c) {
    for (size_t row = begin * r->n_out; row < end * r->n_out; ++row) {
        const double *values = r->values + row * r->width;
        const uint32_t *starts = r->starts + row / r->n_out * r->n_runs;
        double sum = 0.0;
        for (size_t a = 0; a < r->n_runs; values += r->lengths[a], ++a)
            sum += dot(r->lengths[a], values, p + starts[a]);
        c[row] = sum;
    }
}

const rows_kernel KAN_KERNEL(rows_kernel) = {.add_gram = add_gram,
                                             .add_diagonal = add_diagonal,
                                             .add_transposed = add_transposed,
                                             .multiply = multiply};
