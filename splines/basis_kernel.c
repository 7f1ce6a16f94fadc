/* splines/basis_kernel.c - where many points lie, and the basis functions there.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "splines/basis_kernel.h"

#include <stdbool.h>
#include <string.h>
#ifdef __AVX512F__
#include <immintrin.h>
#endif

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
        if (b->cells_per_x > 0.0) { /* by arithmetic, which is faster than by table */
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

enum { PARTS = 4 };

/* Counting sort of points in `parts` parts with counters of their own: points of one cell that follow each other wait
 * for one counter, those of other parts do not. */
static inline size_t sort_parts(size_t parts, size_t n_cells, size_t n, const int32_t *cell,
                                uint16_t *order, kan_basis_run *runs) {
    uint16_t place[PARTS * KAN_BASIS_MAX_COUNTED];
    const size_t size = n / parts; /* of a part; the last one has the rest as well */
    memset(place, 0, parts * n_cells * sizeof *place);
    for (size_t s = 0; s < size; ++s)
        for (size_t j = 0; j < parts; ++j) ++place[j * n_cells + (size_t)cell[j * size + s]];
    for (size_t s = parts * size; s < n; ++s) ++place[(parts - 1) * n_cells + (size_t)cell[s]];
    size_t n_runs = 0;
    uint32_t end = 0;
    for (size_t c = 0; c < n_cells && end < n; ++c) {
        const uint32_t begin = end;
        for (size_t j = 0; j < parts; ++j) {
            const uint32_t count = place[j * n_cells + c];
            place[j * n_cells + c] = (uint16_t)end;
            end += count;
        }
        runs[n_runs] = (kan_basis_run){(uint32_t)c, end};
        n_runs += end > begin;
    }
    for (size_t s = 0; s < size; ++s)
        for (size_t j = 0; j < parts; ++j)
            order[place[j * n_cells + (size_t)cell[j * size + s]]++] = (uint16_t)(j * size + s);
    for (size_t s = parts * size; s < n; ++s)
        order[place[(parts - 1) * n_cells + (size_t)cell[s]]++] = (uint16_t)s;
    return n_runs;
}

/* Sixteen numbers that a comparison picks are put side by side at once where the processor can: then few cells are sorted by one
 * look at all points for each of them. */
enum { LOOK = 16, MOST_LOOKS = 12 };

#ifdef __AVX512F__
static size_t sort_by_looks(size_t n_cells, size_t n, int32_t *cell, uint16_t *order,
                            kan_basis_run *runs) {
    uint16_t sorted[KAN_BASIS_MAX_SORT + LOOK];
    const __m512i first = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    size_t n_runs = 0, end = 0;
    for (size_t s = n; s % LOOK != 0; ++s) cell[s] = -1; /* cell has room for them */
    for (size_t c = 0; c < n_cells && end < n; ++c) {
        const __m512i wanted = _mm512_set1_epi32((int32_t)c);
        const size_t begin = end;
        for (size_t s = 0; s < n; s += LOOK) {
            const __mmask16 here = _mm512_cmpeq_epi32_mask(_mm512_loadu_si512(cell + s), wanted);
            const __m512i place = _mm512_add_epi32(first, _mm512_set1_epi32((int32_t)s));
            _mm256_storeu_si256((__m256i *)(void *)(sorted + end),
                                _mm512_cvtepi32_epi16(_mm512_maskz_compress_epi32(here, place)));
            end += (size_t)__builtin_popcount(here);
        }
        runs[n_runs] = (kan_basis_run){(uint32_t)c, (uint32_t)end};
        n_runs += end > begin;
    }
    memcpy(order, sorted, n * sizeof *order);
    return n_runs;
}
#endif

/* n <= KAN_BASIS_MAX_SORT. With very many cells the counters would cost more than they save: then the order stays, and
 * every point is a run of its own. */
static size_t sort(const kan_basis *b, size_t n, const double *x, uint16_t *order,
                   kan_basis_run *runs) {
    const double lo = b->knots[b->degree], hi = b->knots[b->degree + b->n_cells];
    double inside[TILE];
    int32_t cell[KAN_BASIS_MAX_SORT + LOOK];
    for (size_t begin = 0; begin < n; begin += TILE) {
        const size_t m = n - begin < TILE ? n - begin : TILE;
        for (size_t s = 0; s < m; ++s) inside[s] = hold(x[begin + s], lo, hi);
        find_cells(b, m, inside, cell + begin);
    }
    if (b->n_cells > KAN_BASIS_MAX_COUNTED) {
        for (size_t s = 0; s < n; ++s) {
            order[s] = (uint16_t)s;
            runs[s] = (kan_basis_run){(uint32_t)cell[s], (uint32_t)s + 1};
        }
        return n;
    }
#ifdef __AVX512F__
    if (b->n_cells <= MOST_LOOKS) return sort_by_looks(b->n_cells, n, cell, order, runs);
#endif
    return n >= 2 * PARTS * b->n_cells ? sort_parts(PARTS, b->n_cells, n, cell, order, runs)
                                       : sort_parts(1, b->n_cells, n, cell, order, runs);
}

/* Horner in v for all r at once: values P(v) + P'(v) t at the points x [n] of one cell, and v. */
static inline void eval_run(const kan_basis *b, size_t degree, size_t cell, size_t n, const double *x,
                            real *restrict values, real *restrict v) {
    const size_t rows = degree + 1;
    const double lo = b->knots[degree], hi = b->knots[degree + b->n_cells];
    const double *record = b->cells + cell * (2 + rows * rows), *P = record + 2;
    for (size_t q = 0; q < n; ++q, values += rows) {
        const double inside = hold(x[q], lo, hi), u = (inside - record[0]) * record[1];
        const double t = (x[q] - inside) * record[1];
        double p[ROWS], dp[ROWS];
        for (size_t r = 0; r < rows; ++r) p[r] = P[degree * rows + r], dp[r] = 0.0;
        for (size_t j = degree; j-- > 0;)
            for (size_t r = 0; r < rows; ++r) {
                dp[r] = dp[r] * u + p[r];
                p[r] = p[r] * u + P[j * rows + r];
            }
        for (size_t r = 0; r < rows; ++r) values[r] = (real)(p[r] + dp[r] * t);
        v[q] = (real)u;
    }
}

/* slopes P'(v) / h at the places v [n] of one cell. */
static inline void slope_run(const kan_basis *b, size_t degree, size_t cell, size_t n, const real *v,
                             real *restrict slopes) {
    const size_t rows = degree + 1;
    const double *record = b->cells + cell * (2 + rows * rows), *P = record + 2;
    for (size_t q = 0; q < n; ++q, slopes += rows) {
        double dp[ROWS] = {0.0};
        for (size_t j = degree; j > 0; --j)
            for (size_t r = 0; r < rows; ++r)
                dp[r] = dp[r] * (double)v[q] + (double)j * P[j * rows + r];
        for (size_t r = 0; r < rows; ++r) slopes[r] = (real)(dp[r] * record[1]);
    }
}

/* The same for degree 3, whose four functions are one vector. */
typedef double four __attribute__((vector_size(32)));
typedef real four_real __attribute__((vector_size(4 * sizeof(real)), aligned(sizeof(real)), may_alias));

/* Only the first and the last cell hold points beyond the ends, and so need tangents. */
static inline void eval_cubic_run(const kan_basis *b, size_t cell, size_t n, const double *x,
                                  real *restrict values, real *restrict v) {
    const double lo = b->knots[3], hi = b->knots[3 + b->n_cells];
    const double *record = b->cells + cell * 18, middle = record[0], inv_h = record[1];
    four P[4];
    memcpy(P, record + 2, sizeof P);
    if (cell > 0 && cell + 1 < b->n_cells) {
        for (size_t q = 0; q < n; ++q) {
            const double u = (x[q] - middle) * inv_h;
            const four value = ((P[3] * u + P[2]) * u + P[1]) * u + P[0];
            *(four_real *)(void *)(values + 4 * q) = __builtin_convertvector(value, four_real);
            v[q] = (real)u;
        }
        return;
    }
    const four D1 = P[1] * inv_h, D2 = 2.0 * P[2] * inv_h, D3 = 3.0 * P[3] * inv_h; /* P' / h */
    for (size_t q = 0; q < n; ++q) {
        const double inside = hold(x[q], lo, hi), u = (inside - middle) * inv_h;
        const four tangent = ((D3 * u + D2) * u + D1) * (x[q] - inside);
        const four value = (((P[3] * u + P[2]) * u + P[1]) * u + P[0]) + tangent;
        *(four_real *)(void *)(values + 4 * q) = __builtin_convertvector(value, four_real);
        v[q] = (real)u;
    }
}

static inline void slope_cubic_run(const kan_basis *b, size_t cell, size_t n, const real *v,
                                   real *restrict slopes) {
    const double *record = b->cells + cell * 18, inv_h = record[1];
    four P[4];
    memcpy(P, record + 2, sizeof P);
    const four D1 = P[1] * inv_h, D2 = 2.0 * P[2] * inv_h, D3 = 3.0 * P[3] * inv_h;
    for (size_t q = 0; q < n; ++q) {
        const double u = (double)v[q];
        const four slope = (D3 * u + D2) * u + D1;
        *(four_real *)(void *)(slopes + 4 * q) = __builtin_convertvector(slope, four_real);
    }
}

/* Calls the function of runs with a constant degree where that is worth it, and the cubic one for degree 3. */
#define WITH_DEGREE(name, ...)                             \
    switch (b->degree) {                                   \
    case 1: name##_run(b, 1, __VA_ARGS__); break;          \
    case 2: name##_run(b, 2, __VA_ARGS__); break;          \
    case 3: name##_cubic_run(b, __VA_ARGS__); break;       \
    default: name##_run(b, b->degree, __VA_ARGS__); break; \
    }

/* Cells of one width have one set of polynomials, and runs need not be told apart: short ones cost their ends. */
static bool is_even_cubic(const kan_basis *b) {
    return b->degree == 3 && b->cells_per_x > 0.0;
}

static void eval_even_cubic(const kan_basis *b, size_t n, const double *x, real *restrict values,
                            real *restrict v) {
    four P[4];
    memcpy(P, b->cells + 2, sizeof P);
    const four D2 = 2.0 * P[2], D3 = 3.0 * P[3];
    double u[TILE], t[TILE], inv_h[TILE];
    uint32_t cell[TILE];
    for (size_t begin = 0; begin < n; begin += TILE, values += 4 * TILE) {
        const size_t m = n - begin < TILE ? n - begin : TILE;
        double beyond = 0.0;
        locate(b, m, x + begin, cell, u, t, inv_h);
        for (size_t q = 0; q < m; ++q) v[begin + q] = (real)u[q];
        for (size_t q = 0; q < m; ++q) beyond = t[q] != 0.0 ? 1.0 : beyond;
        for (size_t q = 0; q < m && beyond == 0.0; ++q) {
            const four value = ((P[3] * u[q] + P[2]) * u[q] + P[1]) * u[q] + P[0];
            *(four_real *)(void *)(values + 4 * q) = __builtin_convertvector(value, four_real);
        }
        for (size_t q = 0; q < m && beyond != 0.0; ++q) {
            const four tangent = ((D3 * u[q] + D2) * u[q] + P[1]) * t[q];
            const four value = (((P[3] * u[q] + P[2]) * u[q] + P[1]) * u[q] + P[0]) + tangent;
            *(four_real *)(void *)(values + 4 * q) = __builtin_convertvector(value, four_real);
        }
    }
}

static void eval(const kan_basis *b, size_t n_runs, const kan_basis_run *runs, const double *x,
                 real *values, real *v) {
    const size_t rows = b->degree + 1;
    if (n_runs > 0 && is_even_cubic(b)) {
        eval_even_cubic(b, runs[n_runs - 1].end, x, values, v);
        return;
    }
    for (size_t k = 0, q = 0; k < n_runs; q = runs[k++].end)
        WITH_DEGREE(eval, runs[k].cell, runs[k].end - q, x + q, values + q * rows, v + q)
}

static void slope(const kan_basis *b, size_t n_runs, const kan_basis_run *runs, const real *v,
                  real *slopes) {
    const size_t rows = b->degree + 1;
    if (n_runs > 0 && is_even_cubic(b)) {
        slope_cubic_run(b, 0, runs[n_runs - 1].end, v, slopes);
        return;
    }
    for (size_t k = 0, q = 0; k < n_runs; q = runs[k++].end)
        WITH_DEGREE(slope, runs[k].cell, runs[k].end - q, v + q, slopes + q * rows)
}

#ifdef KAN_KERNEL_SINGLE
const basis_kernel_single KAN_KERNEL(basis_kernel) = {
    .locate = locate, .sort = sort, .eval = eval, .slope = slope};
#else
const basis_kernel_double KAN_KERNEL(basis_kernel) = {
    .locate = locate, .sort = sort, .eval = eval, .slope = slope};
#endif
