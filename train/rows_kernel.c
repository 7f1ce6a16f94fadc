/* train/rows_kernel.c - products with structured rows, run by run:
 *
 *     H[start_a + u][start_b + v] += J[a][u] J[b][v]      b <= a, on and left of the diagonal
 *
 * Runs go to rows of H that no other run goes to, so threads may own runs.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/rows_kernel.h"

/* Runs are short: fours, a two and a one without loops cost less than what a compiler makes of the plain loop. */
typedef double four __attribute__((vector_size(32), aligned(8), may_alias));
typedef double two __attribute__((vector_size(16), aligned(8), may_alias));

static inline void add_four(double c, const double *x, double *y) {
    *(four *)(void *)y += c * *(const four *)(const void *)x;
}

static inline void add(size_t n, double c, const double *x, double *y) {
    size_t i = 0;
    for (; i + 4 <= n; i += 4) add_four(c, x + i, y + i);
    if (n & 2) {
        *(two *)(void *)(y + i) += c * *(const two *)(const void *)(x + i);
        i += 2;
    }
    if (n & 1) y[i] += c * x[i];
}

/* H[u][v] += x[u] y[v], H with a stride of n. */
static inline void add_outer(size_t n_x, const double *x, size_t n_y, const double *y, double *H,
                             size_t n) {
    for (size_t u = 0; u < n_x; ++u, H += n)
        if (x[u] != 0.0) add(n_y, x[u], y, H);
}

/* The same of four by four. */
static inline void add_outer_four(const double *x, const double *y, double *H, size_t n) {
    add_four(x[0], y, H);
    add_four(x[1], y, H + n);
    add_four(x[2], y, H + 2 * n);
    add_four(x[3], y, H + 3 * n);
}

static void add_gram(const rows *r, size_t a, size_t n_params, double *H) {
    const size_t *lengths = r->lengths, *at = r->at, length = lengths[a];
    for (size_t row = 0; row < r->n * r->n_out; ++row) {
        const uint32_t *starts = r->starts + row / r->n_out * r->n_runs;
        const double *values = r->values + row * r->width, *x = values + at[a];
        double *to = H + starts[a] * n_params;
        for (size_t b = 0; b < a; ++b)
            if (length == 4 && lengths[b] == 4)
                add_outer_four(x, values + at[b], to + starts[b], n_params);
            else
                add_outer(length, x, lengths[b], values + at[b], to + starts[b], n_params);
        for (size_t u = 0; u < length; ++u) add(u + 1, x[u], x, to + u * n_params + starts[a]);
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
