/* splines/basis_kernel.c - where many points lie, and the basis functions there.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "splines/basis_kernel.h"

#include <string.h>

enum { TILE = 64, ROWS = KAN_MAX_DEGREE + 1 };

/* x held within [lo, hi], NaN let through, without a branch. */
static inline double hold(double x, double lo, double hi) {
    x = x < lo ? lo : x;
    return x > hi ? hi : x;
}

/* The cells of m places held within the grid, by the arithmetic of uniform cells: right up to rounding, that is
 * to one cell. NaN goes to cell 0. */
static void guess_cells(const kan_basis *b, size_t m, const double *inside, int32_t *c) {
    const double lo = b->knots[b->degree], last = (double)(b->n_cells - 1), per_x = b->cells_per_x;
    for (size_t s = 0; s < m; ++s) {
        double position = (inside[s] - lo) * per_x;
        position = position > 0.0 ? position : 0.0;
        c[s] = (int32_t)(position < last ? position : last);
    }
}

/* The same for a few cells of any widths: c counts the inner breakpoints that are not above. */
static void count_cells(const kan_basis *b, size_t m, const double *inside, int32_t *c) {
    const double *t = b->knots + b->degree;
    for (size_t s = 0; s < m; ++s) c[s] = 0;
    for (size_t j = 1; j < b->n_cells; ++j)
        for (size_t s = 0; s < m; ++s) c[s] += inside[s] >= t[j];
}

/* The same for many cells, by halving, for all places at once. */
static void search_cells(const kan_basis *b, size_t m, const double *inside, int32_t *c) {
    const double *t = b->knots + b->degree;
    for (size_t s = 0; s < m; ++s) c[s] = 0;
    for (int32_t count = (int32_t)b->n_cells; count > 1;) {
        const int32_t half = count / 2;
        for (size_t s = 0; s < m; ++s) c[s] = inside[s] >= t[c[s] + half] ? c[s] + half : c[s];
        count -= half;
    }
}

/* The cells of m places held within the grid, for any grid. */
static void find_cells(const kan_basis *b, size_t m, const double *inside, int32_t *c) {
    enum { FEW_CELLS = 8 };
    const double *knots = b->knots + b->degree;
    const int32_t last = (int32_t)(b->n_cells - 1);
    if (b->n_cells <= (b->cells_per_x > 0.0 ? FEW_CELLS : 2 * FEW_CELLS)) {
        count_cells(b, m, inside, c);
    } else if (b->cells_per_x > 0.0) {
        guess_cells(b, m, inside, c);
        for (size_t s = 0; s < m; ++s) { /* rounding of the guess, by one cell at most */
            c[s] -= (c[s] > 0) & (inside[s] < knots[c[s]]);
            c[s] += (c[s] < last) & (inside[s] >= knots[c[s] + 1]);
        }
    } else {
        search_cells(b, m, inside, c);
    }
}

static void locate(const kan_basis *b, size_t n, const double *restrict x, uint32_t *restrict cell,
                   double *restrict v, double *restrict t, double *restrict inv_h) {
    const size_t rows = b->degree + 1, size = 2 + rows * rows;
    const double lo = b->knots[b->degree], hi = b->knots[b->degree + b->n_cells];
    const double width = (hi - lo) / (double)b->n_cells, over_h = b->cells[1];
    double inside[TILE];
    int32_t c[TILE];
    for (size_t begin = 0; begin < n; begin += TILE) {
        const size_t m = n - begin < TILE ? n - begin : TILE;
        for (size_t s = 0; s < m; ++s) inside[s] = hold(x[begin + s], lo, hi);
        find_cells(b, m, inside, c);
        for (size_t s = 0; s < m; ++s) cell[begin + s] = (uint32_t)c[s];
        if (b->cells_per_x >
            0.0) { /* middles and widths by arithmetic, which is faster than by table */
            for (size_t s = 0; s < m; ++s) {
                v[begin + s] = ((inside[s] - lo) - ((double)c[s] + 0.5) * width) * over_h;
                t[begin + s] = (x[begin + s] - inside[s]) * over_h;
                inv_h[begin + s] = over_h;
            }
            continue;
        }
        for (size_t s = 0; s < m; ++s) {
            const double *record = b->cells + (size_t)c[s] * size;
            v[begin + s] = (inside[s] - record[0]) * record[1];
            t[begin + s] = (x[begin + s] - inside[s]) * record[1];
            inv_h[begin + s] = record[1];
        }
    }
}

/* Counting sort, n <= KAN_BASIS_MAX_SORT. With very many cells the counters would cost more than they save: then
 * the order stays, and every point is a run of its own. */
static size_t sort(const kan_basis *b, size_t n, const double *x, uint16_t *order,
                   kan_basis_run *runs) {
    enum { MOST_COUNTED = 1024 };
    const double lo = b->knots[b->degree], hi = b->knots[b->degree + b->n_cells];
    double inside[TILE];
    int32_t cell[KAN_BASIS_MAX_SORT];
    uint16_t place[MOST_COUNTED];
    for (size_t begin = 0; begin < n; begin += TILE) {
        const size_t m = n - begin < TILE ? n - begin : TILE;
        for (size_t s = 0; s < m; ++s) inside[s] = hold(x[begin + s], lo, hi);
        find_cells(b, m, inside, cell + begin);
    }
    if (b->n_cells > MOST_COUNTED) {
        for (size_t s = 0; s < n; ++s) {
            order[s] = (uint16_t)s;
            runs[s] = (kan_basis_run){(uint32_t)cell[s], (uint32_t)s + 1};
        }
        return n;
    }
    memset(place, 0, b->n_cells * sizeof *place);
    for (size_t s = 0; s < n; ++s) ++place[cell[s]];
    size_t n_runs = 0;
    uint32_t end = 0;
    for (size_t c = 0; c < b->n_cells && end < n; ++c) {
        const uint32_t count = place[c];
        place[c] = (uint16_t)end;
        end += count;
        runs[n_runs] = (kan_basis_run){(uint32_t)c, end};
        n_runs += count > 0;
    }
    for (size_t s = 0; s < n; ++s) order[place[cell[s]]++] = (uint16_t)s;
    return n_runs;
}

/* Horner in v for all r at once: values P(v) + P'(v) t, slopes P'(v) / h. */
static inline void eval_point(size_t degree, const double *record, double v, double t,
                              real *restrict values, real *restrict slopes) {
    const size_t rows = degree + 1;
    const double inv_h = record[1], *restrict P = record + 2;
    double p[ROWS], dp[ROWS];
    for (size_t r = 0; r < rows; ++r) p[r] = P[degree * rows + r], dp[r] = 0.0;
    for (size_t j = degree; j-- > 0;)
        for (size_t r = 0; r < rows; ++r) {
            dp[r] = dp[r] * v + p[r];
            p[r] = p[r] * v + P[j * rows + r];
        }
    for (size_t r = 0; r < rows; ++r) {
        values[r] = (real)(p[r] + dp[r] * t);
        slopes[r] = (real)(dp[r] * inv_h);
    }
}

/* The points x [n] of one cell, which are held within the ends. */
static inline void eval_run(const kan_basis *b, size_t degree, size_t cell, size_t n, const double *x,
                            real *restrict values, real *restrict slopes) {
    const size_t rows = degree + 1;
    const double lo = b->knots[degree], hi = b->knots[degree + b->n_cells];
    const double *record = b->cells + cell * (2 + rows * rows), middle = record[0], inv_h = record[1];
    for (size_t q = 0; q < n; ++q) {
        const double inside = hold(x[q], lo, hi);
        eval_point(degree, record, (inside - middle) * inv_h, (x[q] - inside) * inv_h,
                   values + q * rows, slopes + q * rows);
    }
}

/* The same for degree 3, whose four functions are one vector. */
typedef double four __attribute__((vector_size(32)));
typedef real four_real __attribute__((vector_size(4 * sizeof(real)), aligned(sizeof(real)), may_alias));

static inline void eval_cubic_run(const kan_basis *b, size_t cell, size_t n, const double *x,
                                  real *restrict values, real *restrict slopes) {
    const double lo = b->knots[3], hi = b->knots[3 + b->n_cells];
    const double *record = b->cells + cell * 18, middle = record[0], inv_h = record[1];
    four P[4];
    memcpy(P, record + 2, sizeof P);
    const four D1 = P[1] * inv_h, D2 = 2.0 * P[2] * inv_h, D3 = 3.0 * P[3] * inv_h; /* P' / h */
    for (size_t q = 0; q < n; ++q) {
        const double inside = hold(x[q], lo, hi), v = (inside - middle) * inv_h;
        const four slope = (D3 * v + D2) * v + D1;
        const four value = (((P[3] * v + P[2]) * v + P[1]) * v + P[0]) + slope * (x[q] - inside);
        *(four_real *)(void *)(values + 4 * q) = __builtin_convertvector(value, four_real);
        *(four_real *)(void *)(slopes + 4 * q) = __builtin_convertvector(slope, four_real);
    }
}

static void eval(const kan_basis *b, size_t n_runs, const kan_basis_run *runs, const double *x,
                 real *values, real *slopes) {
    const size_t degree = b->degree, rows = degree + 1;
    for (size_t k = 0, q = 0; k < n_runs; q = runs[k++].end) {
        const size_t cell = runs[k].cell, n = runs[k].end - q;
        real *to = values + q * rows, *slopes_to = slopes + q * rows;
        switch (degree) {
        case 1: eval_run(b, 1, cell, n, x + q, to, slopes_to); break;
        case 2: eval_run(b, 2, cell, n, x + q, to, slopes_to); break;
        case 3: eval_cubic_run(b, cell, n, x + q, to, slopes_to); break;
        case 4: eval_run(b, 4, cell, n, x + q, to, slopes_to); break;
        case 5: eval_run(b, 5, cell, n, x + q, to, slopes_to); break;
        default: eval_run(b, degree, cell, n, x + q, to, slopes_to); break;
        }
    }
}

#ifdef KAN_KERNEL_SINGLE
const basis_kernel_single KAN_KERNEL(basis_kernel) = {.locate = locate, .sort = sort, .eval = eval};
#else
const basis_kernel_double KAN_KERNEL(basis_kernel) = {.locate = locate, .sort = sort, .eval = eval};
#endif
