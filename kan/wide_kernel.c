/* kan/wide_kernel.c - the layer as it is written: basis functions times coefficients, for any layer.
 *
 * The work is arranged so that numbers are used many times once they are in registers. A block of samples is
 * sorted, input by input, by the cell in which the input lies. The samples of one cell, a run, have the same
 * degree + 1 basis functions; so for some vectors of outputs, a chunk, the degree + 2 rows of coefficients
 * stay in registers while the run goes by:
 *
 *     forward          y[s][o]         += base[o] b(x) + sum_r C[r][o] B_r(x)
 *     input gradient   dx[s]           += sum_o dy[s][o] ( base[o] b'(x) + sum_r C[r][o] B_r'(x) )
 *     its parameters   grad C[r][o]    += B_r(x) dy[s][o],    grad base[o] += b(x) dy[s][o]
 *
 * with C[r] = coef[i][cell + r]. In each of the three, one side of the sum over o or s is in registers and the
 * other a tile of (samples of the block) x (outputs of the chunk) in the first-level cache. The cost of a sample
 * does not depend on the number of cells, but for the shortness of runs.
 *
 * Threads own blocks of samples, then chunks of some inputs' parameters.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "kan/layer.h"

#include <stdbool.h>
#include <string.h>

#include "core/kernel.h"
#include "core/parallel.h"
#include "core/vecmath.h"
#include "kan/lanes.h"

enum {
    WIDTH = VECTOR_REGISTERS == 32 ? 4 : 2, /* vectors of a chunk: degree + 2 = 5 rows fit         */
    BLOCK = 1024,                           /* samples of a block with more than FEW_CELLS, a      */
    FEW_CELLS = 40,                         /* quarter with less: long runs against small tiles    */
    INPUTS = 512 / sizeof(real),            /* inputs whose basis values stay in the second cache  */
    GROUP = 8,                              /* inputs that one task takes together                 */
    DX_GROUP = 4,                           /* the same where more is kept of each: on the stack   */
    LARGE = 1 << 20,                        /* bytes of parameters that may not be in that cache   */
    ROWS = KAN_MAX_DEGREE + 1
};

/* What the forward pass leaves for the backward pass. Samples of a block are in the order of their cells. Slopes of
 * basis functions are not kept: to make them again from v takes less time than to write and read them. */
typedef struct trace {
    real *values;             /* [n_in][batch][degree + 1] of the basis functions                     */
    real *v;                  /* [n_in][batch] place in the cell                                      */
    real *base, *base_slopes; /* [n_in][batch]                                                        */
    kan_basis_run *runs;      /* [n_blocks][n_in][max_runs]                                           */
    uint32_t *n_runs;         /* [n_blocks][n_in]                                                     */
    uint16_t *order;          /* [n_in][batch] sample of the block                                    */
    vec *dy;                  /* [chunk][batch][vectors of the chunk]                                 */
} trace;

typedef struct pass {
    const layer *l;
    size_t batch, block, n_blocks, max_runs;
    size_t rows, n_basis;     /* degree + 1, n_cells + degree                   */
    size_t n_vectors, padded; /* vectors of a row of outputs, the last one filled up; in numbers */
    const double *x, *dy;
    double *y, *grad, *dx;
    bool is_large; /* the parameters do not fit the second cache */
    bool set;      /* grad is made, not added to                  */
    trace t;
} pass;

/* ---- sizes and memory ---------------------------------------------------------------------------- */

/* At least two blocks for two threads where there is one chunk, which they cannot share. With two chunks or more one
 * block of long runs, which reads the parameters once, is worth more. */
static size_t block_of(const layer *l, size_t batch, size_t n_vectors) {
    const size_t half = (batch + 1) / 2, most = l->n_cells <= FEW_CELLS ? BLOCK / 4 : BLOCK;
    if (batch <= 64 || n_vectors >= 2 * WIDTH) return batch < most ? batch : most;
    return half < most ? half : most;
}

/* Whether runs come in the order of their cells, one for a cell. */
static bool is_sorted(const layer *l) {
    return l->n_cells <= KAN_BASIS_MAX_COUNTED;
}

static pass make_pass(const layer *l, size_t batch) {
    pass p = {.l = l, .batch = batch};
    p.n_vectors = (l->n_out + LANES - 1) / LANES;
    p.padded = p.n_vectors * LANES;
    p.block = block_of(l, batch, p.n_vectors);
    p.n_blocks = p.block > 0 ? (batch + p.block - 1) / p.block : 0;
    p.max_runs = is_sorted(l) && l->n_cells < p.block ? l->n_cells : p.block;
    p.rows = l->degree + 1;
    p.n_basis = l->n_cells + l->degree;
    p.is_large = l->n_in * (p.n_basis + 1) * l->n_out * sizeof(double) > LARGE;
    return p;
}

static void *take(char *memory, size_t *used, size_t bytes) {
    void *slice = memory ? memory + *used : NULL;
    *used += (bytes + 63) / 64 * 64;
    return slice;
}

/* Called with NULL to measure and with the memory to bind; bytes. Vectors lie on lines of the cache, wherever the
 * memory begins: there is a line to spare. */
static size_t bind(pass *p, void *memory) {
    enum { LINE = 64 };
    const size_t n_in = p->l->n_in, n = n_in * p->batch;
    size_t used = memory ? (LINE - (uintptr_t)memory % LINE) % LINE : LINE;
    p->t.values = take(memory, &used, n * p->rows * sizeof(real));
    p->t.v = take(memory, &used, n * sizeof(real));
    p->t.base = take(memory, &used, n * sizeof(real));
    p->t.base_slopes = take(memory, &used, n * sizeof(real));
    p->t.runs = take(memory, &used, p->n_blocks * n_in * p->max_runs * sizeof(kan_basis_run));
    p->t.n_runs = take(memory, &used, p->n_blocks * n_in * sizeof(uint32_t));
    p->t.order = take(memory, &used, n * sizeof(uint16_t));
    p->t.dy = take(memory, &used, p->batch * p->padded * sizeof(real));
    return used;
}

static size_t trace_size(const layer *l, size_t batch) {
    pass p = make_pass(l, batch);
    return bind(&p, NULL) / sizeof(double);
}

/* ---- basis values, sorted by cell ------------------------------------------------------------------ */

enum { X_STRIDE = BLOCK + 8 }; /* not a power of two, whose multiples compete for places in the cache */

/* The columns first .. last - 1 of n rows of x, turned. */
static void turn(const pass *p, size_t begin, size_t n, size_t first, size_t last, double *x) {
    const size_t n_in = p->l->n_in;
    for (size_t s = 0; s < n; ++s) {
        const double *row = p->x + (begin + s) * n_in + first;
        for (size_t i = 0; i < last - first; ++i) x[i * X_STRIDE + s] = row[i];
    }
}

static void eval_base(const layer *l, size_t n, const double *x, real *base, real *slopes) {
#ifdef KAN_KERNEL_SINGLE
    if (l->base == KAN_BASE_SILU) {
        float z[BLOCK];
        for (size_t q = 0; q < n; ++q) z[q] = (float)x[q];
        kan_vecmath_silu_single(n, z, 1, base, slopes);
        return;
    }
    double b[BLOCK], b_slopes[BLOCK];
    layer_base(l->base, n, x, 1, b, b_slopes);
    for (size_t q = 0; q < n; ++q) base[q] = (real)b[q], slopes[q] = (real)b_slopes[q];
#else
    layer_base(l->base, n, x, 1, base, slopes);
#endif
}

/* The trace of input i for n samples from `begin` on, which are one block, at x. */
static void prepare_input(const pass *p, size_t i, size_t begin, size_t n, const double *x) {
    const size_t at = i * p->batch + begin, list = begin / p->block * p->l->n_in + i;
    const kan_basis *b = &p->l->basis[i];
    kan_basis_run *runs = p->t.runs + list * p->max_runs;
    uint16_t *order = p->t.order + at;
    real *values = p->t.values + at * p->rows, *v = p->t.v + at;
    double sorted[BLOCK];
    const size_t n_runs = kan_basis_sort(b, n, x, order, runs);
    for (size_t q = 0; q < n; ++q) sorted[q] = x[order[q]];
#ifdef KAN_KERNEL_SINGLE
    kan_basis_eval_runs_single(b, n_runs, runs, sorted, values, v);
#else
    kan_basis_eval_runs(b, n_runs, runs, sorted, values, v);
#endif
    eval_base(p->l, n, sorted, p->t.base + at, p->t.base_slopes + at);
    p->t.n_runs[list] = (uint32_t)n_runs;
}

/* ---- the three sums for one input, one block and one chunk ---------------------------------------- */

/* What they all need: one input, its samples of the block, and where the rows of the chunk are, in theta or in
 * grad, whose numbers are doubles in either precision. The functions that use it are inlined with constant numbers
 * of rows and vectors, so that rows and sums are registers. */
typedef struct edges {
    const kan_basis_run *runs;
    size_t n_runs;
    const uint16_t *order;
    const real *B, *base; /* values or slopes of the basis functions, and of the base function */
    size_t n_basis, n_out;
    const double *coef, *end, *next; /* first row; end of theta; the rows that are used next, or NULL */
    double *grad;                    /* first row */
    bool set;                        /* and whether its rows are made, not added to */
    size_t width;                    /* outputs of the chunk, at most its vectors times LANES */
} edges;

/* LANES numbers from doubles. */
typedef double doubles __attribute__((vector_size(LANES * 8), aligned(8), may_alias));

ALWAYS_INLINE vec load(const double *from) {
    return __builtin_convertvector(*(const doubles *)(const void *)from, vec);
}

/* The row of a chunk. The last vector may take in some of the next row: what belongs to no output of the chunk is
 * never looked at, or meets a zero. Behind the last row there is nothing to take in. */
ALWAYS_INLINE void load_row(const edges *e, size_t row, size_t n_vec, vec *to) {
    const double *from = e->coef + row * e->n_out;
    if ((size_t)(e->end - from) >= n_vec * LANES) {
        for (size_t j = 0; j < n_vec; ++j) to[j] = load(from + j * LANES);
        return;
    }
    double copy[WIDTH * LANES] = {0.0};
    for (size_t o = 0; o < e->width; ++o) copy[o] = from[o];
    for (size_t j = 0; j < n_vec; ++j) to[j] = load(copy + j * LANES);
}

/* Row r becomes row r + 1: from one cell to the next. */
ALWAYS_INLINE void shift_rows(size_t rows, size_t n_vec, vec C[ROWS][WIDTH]) {
    for (size_t r = 0; r + 1 < rows; ++r)
        for (size_t j = 0; j < n_vec; ++j) C[r][j] = C[r + 1][j];
}

/* The rows of run k. A run in the next cell shares all but one of them with the last run. */
ALWAYS_INLINE void load_rows(const edges *e, size_t k, size_t rows, size_t n_vec, vec C[ROWS][WIDTH]) {
    const size_t cell = e->runs[k].cell;
    if (k > 0 && cell == e->runs[k - 1].cell + 1) {
        shift_rows(rows, n_vec, C);
        load_row(e, cell + rows - 1, n_vec, C[rows - 1]);
        return;
    }
    for (size_t r = 0; r < rows; ++r) load_row(e, cell + r, n_vec, C[r]);
}

/* The gradient of a row = sums. */
ALWAYS_INLINE void set_row(const edges *e, size_t row, size_t n_vec, const vec *sums) {
    double *to = e->grad + row * e->n_out;
    if (e->width == n_vec * LANES) {
        for (size_t j = 0; j < n_vec; ++j)
            *(doubles *)(void *)(to + j * LANES) = __builtin_convertvector(sums[j], doubles);
        return;
    }
    real copy[WIDTH * LANES] = {0};
    memcpy(copy, sums, n_vec * sizeof *sums);
    for (size_t o = 0; o < e->width; ++o) to[o] = (double)copy[o];
}

/* The gradient of a row += sums. */
ALWAYS_INLINE void add_row(const edges *e, size_t row, size_t n_vec, const vec *sums) {
    double *to = e->grad + row * e->n_out;
    if (e->set) {
        set_row(e, row, n_vec, sums);
        return;
    }
    if (e->width == n_vec * LANES) {
        for (size_t j = 0; j < n_vec; ++j)
            *(doubles *)(void *)(to + j * LANES) += __builtin_convertvector(sums[j], doubles);
        return;
    }
    real copy[WIDTH * LANES] = {0};
    memcpy(copy, sums, n_vec * sizeof *sums);
    for (size_t o = 0; o < e->width; ++o) to[o] += (double)copy[o];
}

/* Adds to the gradient the rows that are finished with run k, those below the next run's, and makes room for the next
 * ones. A gradient that is set gets zeros where no run comes. */
ALWAYS_INLINE void leave_rows(const edges *e, size_t k, size_t rows, size_t n_vec, vec C[ROWS][WIDTH]) {
    static const vec zeros[WIDTH];
    const size_t cell = e->runs[k].cell;
    const size_t next = k + 1 < e->n_runs ? e->runs[k + 1].cell : e->n_basis;
    const size_t finished = next - cell < rows ? next - cell : rows; /* all, if runs are not sorted */
    for (size_t r = 0; r < finished; ++r) {
        add_row(e, cell + r, n_vec, C[0]);
        shift_rows(rows, n_vec, C);
        for (size_t j = 0; j < n_vec; ++j) C[rows - 1][j] = (vec){0};
    }
    if (!e->set) return;
    for (size_t row = k == 0 ? 0 : cell; row < cell; ++row) set_row(e, row, n_vec, zeros);
    for (size_t row = cell + rows; row < next; ++row) set_row(e, row, n_vec, zeros);
}

/* Asks for a row that is used next. With thousands of parameters an input the rows of a chunk are short pieces far
 * apart, which no hardware foresees; a few at a time, run by run, they come while sums are formed. */
ALWAYS_INLINE void ask_for(const edges *e, size_t row, size_t n_vec) {
    for (size_t o = 0; e->next && o < n_vec * LANES; o += 8)
        __builtin_prefetch(e->next + row * e->n_out + o);
}

/* The rows behind the first ones of every run. */
ALWAYS_INLINE void ask_for_last(const edges *e, size_t rows, size_t n_vec) {
    for (size_t row = e->n_basis - rows + 1; row <= e->n_basis; ++row) ask_for(e, row, n_vec);
}

/* y[s][j] += base[j] b + sum_r C[r][j] B_r, y [block][n_vec]. A store of a vec might change *e for all that the compiler
 * knows: what the loop over samples needs of it is copied. */
ALWAYS_INLINE void forward_chunk(size_t rows, size_t n_vec, const edges *e, vec *y) {
    vec base[WIDTH], C[ROWS][WIDTH];
    const real *B = e->B, *b = e->base;
    const uint16_t *order = e->order;
    ask_for_last(e, rows, n_vec);
    load_row(e, e->n_basis, n_vec, base);
    for (size_t k = 0, q = 0; k < e->n_runs; ++k) {
        ask_for(e, e->runs[k].cell, n_vec);
        load_rows(e, k, rows, n_vec, C);
        for (const size_t end = e->runs[k].end; q < end; ++q, B += rows) {
            vec *sum = y + order[q] * n_vec, z[WIDTH];
            for (size_t j = 0; j < n_vec; ++j) z[j] = sum[j] + b[q] * base[j];
            for (size_t r = 0; r < rows; ++r)
                for (size_t j = 0; j < n_vec; ++j) z[j] += B[r] * C[r][j];
            for (size_t j = 0; j < n_vec; ++j) sum[j] = z[j];
        }
    }
}

/* dx[q] += dy[s][j] (base[j] b' + sum_r C[r][j] B_r'), lane by lane; dx [block] in sorted order */
ALWAYS_INLINE void dx_chunk(size_t rows, size_t n_vec, const edges *e, const vec *dy, vec *dx) {
    vec base[WIDTH], C[ROWS][WIDTH];
    const real *B = e->B, *b = e->base;
    const uint16_t *order = e->order;
    ask_for_last(e, rows, n_vec);
    load_row(e, e->n_basis, n_vec, base);
    for (size_t k = 0, q = 0; k < e->n_runs; ++k) {
        ask_for(e, e->runs[k].cell, n_vec);
        load_rows(e, k, rows, n_vec, C);
        for (const size_t end = e->runs[k].end; q < end; ++q, B += rows) {
            const vec *d = dy + order[q] * n_vec;
            vec sum = dx[q];
            for (size_t j = 0; j < n_vec; ++j) {
                vec slope = b[q] * base[j];
                for (size_t r = 0; r < rows; ++r) slope += B[r] * C[r][j];
                sum += d[j] * slope;
            }
            dx[q] = sum;
        }
    }
}

/* grad of C[r][j] += B_r dy[s][j], of base[j] += b dy[s][j] */
ALWAYS_INLINE void gradient_chunk(size_t rows, size_t n_vec, const edges *e, const vec *dy) {
    vec base[WIDTH] = {{0}}, C[ROWS][WIDTH] = {{{0}}};
    const real *B = e->B;
    ask_for_last(e, rows, n_vec);
    for (size_t k = 0, q = 0; k < e->n_runs; ++k) {
        ask_for(e, e->runs[k].cell, n_vec);
        for (; q < e->runs[k].end; ++q, B += rows) {
            const vec *d = dy + e->order[q] * n_vec;
            for (size_t j = 0; j < n_vec; ++j) base[j] += e->base[q] * d[j];
            for (size_t r = 0; r < rows; ++r)
                for (size_t j = 0; j < n_vec; ++j) C[r][j] += B[r] * d[j];
        }
        leave_rows(e, k, rows, n_vec, C);
    }
    add_row(e, e->n_basis, n_vec, base);
}

/* Calls `function` with constants where that is worth it: degree 3, and the number of vectors. */
#define WITH_CONSTANTS(function, rows, n_vec, ...)              \
    switch ((rows) == 4 ? (n_vec) : 0) {                        \
    case 1: function(4, 1, __VA_ARGS__); break;                 \
    case 2: function(4, 2, __VA_ARGS__); break;                 \
    case 3: function(4, WIDTH > 2 ? 3 : 2, __VA_ARGS__); break; \
    case 4: function(4, WIDTH > 2 ? 4 : 2, __VA_ARGS__); break; \
    default: function(rows, n_vec, __VA_ARGS__); break;         \
    }

/* Input i of the block that starts at `begin`, the chunk from vector j on. */
static edges edges_of(const pass *p, size_t i, size_t begin, size_t j) {
    const layer *l = p->l;
    const size_t at = i * p->batch + begin, list = begin / p->block * l->n_in + i;
    const size_t o = j * LANES, row = i * (p->n_basis + 1) * l->n_out + o;
    return (edges){.runs = p->t.runs + list * p->max_runs,
                   .n_runs = p->t.n_runs[list],
                   .order = p->t.order + at,
                   .B = p->t.values + at * p->rows,
                   .base = p->t.base + at,
                   .n_basis = p->n_basis,
                   .n_out = l->n_out,
                   .coef = l->theta + row,
                   .end = l->theta + l->n_in * (p->n_basis + 1) * l->n_out,
                   .grad = p->grad ? p->grad + row : NULL,
                   .width = l->n_out - o < WIDTH * LANES ? l->n_out - o : WIDTH * LANES};
}

static size_t chunk_width(const pass *p, size_t first_vector) {
    const size_t left = p->n_vectors - first_vector;
    return left < WIDTH ? left : WIDTH;
}

/* ---- forward ---------------------------------------------------------------------------------------- */

/* A tile [n][n_vec] is a chunk, from output `first` on, of n rows of n_out doubles; what is left of its last vectors
 * is zero. */
static void fill_tile(size_t n, size_t n_out, size_t first, size_t n_vec, const double *rows,
                      vec *tile) {
    const size_t width = n_out - first < n_vec * LANES ? n_out - first : n_vec * LANES;
    const size_t whole = width / LANES;
    for (size_t s = 0; s < n; ++s, tile += n_vec) {
        const double *from = rows + s * n_out + first;
        for (size_t j = 0; j < whole; ++j) tile[j] = load(from + j * LANES);
        if (whole == n_vec) continue;
        real *rest = (real *)(tile + whole);
        for (size_t o = 0; o < LANES; ++o) rest[o] = 0;
        for (size_t o = whole * LANES; o < width; ++o) rest[o - whole * LANES] = (real)from[o];
    }
}

static void empty_tile(size_t n, size_t n_out, size_t first, size_t n_vec, const vec *tile,
                       double *rows) {
    const size_t width = n_out - first < n_vec * LANES ? n_out - first : n_vec * LANES;
    const size_t whole = width / LANES;
    for (size_t s = 0; s < n; ++s, tile += n_vec) {
        double *to = rows + s * n_out + first;
        for (size_t j = 0; j < whole; ++j)
            *(doubles *)(void *)(to + j * LANES) = __builtin_convertvector(tile[j], doubles);
        const real *rest = (const real *)tile;
        for (size_t o = whole * LANES; o < width; ++o) to[o] = (double)rest[o];
    }
}

/* Some inputs first .. last - 1 of one block, whose basis values stay in the second cache while all chunks use
 * them. */
typedef struct part {
    const pass *p;
    size_t begin, n, first, last;
} part;

static void prepare_inputs(void *context, size_t from, size_t to) {
    const part *a = context;
    double x[GROUP * X_STRIDE];
    turn(a->p, a->begin, a->n, a->first + from, a->first + to, x);
    for (size_t i = from; i < to; ++i)
        prepare_input(a->p, a->first + i, a->begin, a->n, x + (i - from) * X_STRIDE);
}

static void forward_chunks(void *context, size_t from, size_t to) {
    const part *a = context;
    const pass *p = a->p;
    const size_t n_out = p->l->n_out, input_size = layer_input_size(p->l);
    double *y = p->y + a->begin * n_out;
    vec tile[BLOCK * WIDTH];
    for (size_t j = from * WIDTH; j < to * WIDTH && j < p->n_vectors; j += WIDTH) {
        const size_t n_vec = chunk_width(p, j);
        if (a->first == 0)
            memset(tile, 0, a->n * n_vec * sizeof *tile);
        else
            fill_tile(a->n, n_out, j * LANES, n_vec, y, tile);
        for (size_t i = a->first; i < a->last; ++i) {
            edges e = edges_of(p, i, a->begin, j);
            if (p->is_large && i + 1 < a->last) e.next = e.coef + input_size;
            WITH_CONSTANTS(forward_chunk, p->rows, n_vec, &e, tile);
        }
        empty_tile(a->n, n_out, j * LANES, n_vec, tile, y);
    }
}

/* Multiply-adds of one of the three sums for n samples and inputs, and of the basis. */
static double cost(const pass *p, size_t n, size_t n_in) {
    return (double)n * (double)n_in * (double)((p->rows + 1) * p->l->n_out + 30);
}

static size_t n_chunks(const pass *p) {
    return (p->n_vectors + WIDTH - 1) / WIDTH;
}

/* Blocks are shared among threads; where there is only one, its inputs and chunks are. */
static void forward_blocks(void *context, size_t begin, size_t end) {
    const pass *p = context;
    const size_t n_in = p->l->n_in;
    part a = {.p = p, .begin = begin, .n = end - begin};
    for (a.first = 0; a.first < n_in; a.first = a.last) {
        a.last = n_in - a.first < INPUTS ? n_in : a.first + INPUTS;
        const size_t n = a.last - a.first;
        kan_parallel_for(n, GROUP, 30.0 * (double)(a.n * n), prepare_inputs, &a);
        kan_parallel_for(n_chunks(p), 1, cost(p, a.n, n), forward_chunks, &a);
    }
}

static void forward(const layer *l, size_t batch, const double *x, double *y, double *memory) {
    pass p = make_pass(l, batch);
    p.x = x, p.y = y;
    bind(&p, memory);
    if (batch == 0) return;
    kan_parallel_for(batch, p.block, cost(&p, batch, l->n_in), forward_blocks, &p);
}

/* ---- backward --------------------------------------------------------------------------------------- */

static vec *dy_of(const pass *p, size_t begin, size_t j, size_t n_vec) {
    return p->t.dy + j * p->batch + begin * n_vec;
}

static void pack_dy(const pass *p, size_t begin, size_t n) {
    const size_t n_out = p->l->n_out;
    for (size_t j = 0; j < p->n_vectors; j += WIDTH) {
        const size_t n_vec = chunk_width(p, j);
        fill_tile(n, n_out, j * LANES, n_vec, p->dy + begin * n_out, dy_of(p, begin, j, n_vec));
    }
}

/* sums[q] = the sum of the lanes of v[q], for n of them, LANES at a time. */
static void sum_lanes(size_t n, const vec *v, real *sums) {
    for (size_t q = 0; q < n; q += LANES) {
        vec some[LANES];
        for (size_t k = 0; k < LANES; ++k) some[k] = v[q + k];
        const vec total = sums_of_lanes(some);
        memcpy(sums + q, &total, sizeof total);
    }
}

static void slope_runs(const pass *p, size_t i, size_t begin, real *slopes) {
    const size_t at = i * p->batch + begin, list = begin / p->block * p->l->n_in + i;
    const kan_basis_run *runs = p->t.runs + list * p->max_runs;
#ifdef KAN_KERNEL_SINGLE
    kan_basis_slope_runs_single(&p->l->basis[i], p->t.n_runs[list], runs, p->t.v + at, slopes);
#else
    kan_basis_slope_runs(&p->l->basis[i], p->t.n_runs[list], runs, p->t.v + at, slopes);
#endif
}

static void dx_inputs(void *context, size_t from, size_t to) {
    const part *a = context;
    const pass *p = a->p;
    const size_t input_size = layer_input_size(p->l);
    vec dx[DX_GROUP][BLOCK];
    real slopes[DX_GROUP][BLOCK * ROWS];
    const size_t padded = (a->n + LANES - 1) / LANES * LANES; /* as sum_lanes takes them */
    for (size_t i = from; i < to; ++i) {
        memset(dx[i - from], 0, padded * sizeof(vec));
        slope_runs(p, i, a->begin, slopes[i - from]);
    }
    for (size_t j = 0; j < p->n_vectors; j += WIDTH) {
        const size_t n_vec = chunk_width(p, j);
        const vec *dy = dy_of(p, a->begin, j, n_vec);
        for (size_t i = from; i < to; ++i) {
            edges e = edges_of(p, i, a->begin, j);
            e.B = slopes[i - from], e.base = p->t.base_slopes + i * p->batch + a->begin;
            if (p->is_large && i + 1 < to) e.next = e.coef + input_size;
            WITH_CONSTANTS(dx_chunk, p->rows, n_vec, &e, dy, dx[i - from]);
        }
    }
    real sums[BLOCK];
    double turned[DX_GROUP * X_STRIDE];
    for (size_t i = from; i < to; ++i) {
        const uint16_t *order = p->t.order + i * p->batch + a->begin;
        sum_lanes(a->n, dx[i - from], sums);
        for (size_t q = 0; q < a->n; ++q) turned[(i - from) * X_STRIDE + order[q]] = (double)sums[q];
    }
    for (size_t s = 0; s < a->n; ++s)
        for (size_t i = from; i < to; ++i)
            p->dx[(a->begin + s) * p->l->n_in + i] = turned[(i - from) * X_STRIDE + s];
}

static void backward_blocks(void *context, size_t begin, size_t end) {
    const pass *p = context;
    part a = {.p = p, .begin = begin, .n = end - begin};
    pack_dy(p, begin, a.n);
    if (p->dx) kan_parallel_for(p->l->n_in, DX_GROUP, cost(p, a.n, p->l->n_in), dx_inputs, &a);
}

/* Task k: chunk k % n_chunks of the parameters of some inputs. */
static void gradient_task(const pass *p, size_t k) {
    const size_t n_in = p->l->n_in, first = k / n_chunks(p) * GROUP;
    const size_t last = n_in - first < GROUP ? n_in : first + GROUP;
    const size_t j = k % n_chunks(p) * WIDTH, n_vec = chunk_width(p, j);
    for (size_t begin = 0; begin < p->batch; begin += p->block)
        for (size_t i = first; i < last; ++i) {
            edges e = edges_of(p, i, begin, j);
            e.set = p->set && begin == 0;
            const vec *dy = dy_of(p, begin, j, n_vec);
            if (p->is_large && i + 1 < last) e.next = e.grad + layer_input_size(p->l);
            WITH_CONSTANTS(gradient_chunk, p->rows, n_vec, &e, dy);
        }
}

static void gradient_tasks(void *context, size_t begin, size_t end) {
    for (size_t k = begin; k < end; ++k) gradient_task(context, k);
}

static void backward(const layer *l, size_t batch, const double *dy, double *memory, bool set,
                     double *grad, double *dx) {
    pass p = make_pass(l, batch);
    p.dy = dy, p.grad = grad, p.dx = dx;
    p.set = set && is_sorted(l) && batch > 0;
    bind(&p, memory);
    if (set && !p.set) memset(grad, 0, l->n_in * layer_input_size(l) * sizeof *grad);
    if (batch == 0) return;
    const size_t n_groups = (l->n_in + GROUP - 1) / GROUP;
    const double work = cost(&p, batch, l->n_in);
    kan_parallel_for(batch, p.block, dx ? work : 0.0, backward_blocks, &p);
    kan_parallel_for(n_groups * n_chunks(&p), 1, work, gradient_tasks, &p);
}

const layer_kernel KAN_KERNEL(wide_kernel) = {
    .trace_size = trace_size, .forward = forward, .backward = backward};
