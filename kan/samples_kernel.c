/* kan/samples_kernel.c - the layer with few outputs and many samples, a pack of them at once.
 *
 * Value and slope of an edge are Horner's scheme in the polynomials of kan/polynomials.h:
 *
 *     phi(x) = w b(x) + A(v) + t A'(v),    phi'(x) = w b'(x) + A'(v) / h
 *
 * The powers p go in packs, padded with zeros, so that the A of one sample are one load or two, and the A_0 of some
 * samples, their A_1 .. come from such loads by turning a square of numbers. Where the processor looks up eight numbers
 * in a register at once, the A_p of up to eight cells are one, and need no loads. For the sums D each sample adds its
 * own packs of q_p dy to those of its cell.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdbool.h>
#include <string.h>
#ifdef __AVX512F__
#include <immintrin.h>
#endif

#include "core/kernel.h"
#include "core/parallel.h"
#include "kan/lanes.h"
#include "kan/layer.h"
#include "kan/polynomials.h"
#include "kan/turn.h"

/* A pack is what one register holds, at most four numbers: more would not make up for turning squares of them. */
#ifdef __AVX__
enum { PACK = 4 };
typedef double pack __attribute__((vector_size(32), aligned(8), may_alias));
#else
enum { PACK = 2 };
typedef double pack __attribute__((vector_size(16), aligned(8), may_alias));
#endif

ALWAYS_INLINE pack *packs(double *x) {
    return (pack *)(void *)x;
}

ALWAYS_INLINE const pack *const_packs(const double *x) {
    return (const pack *)(const void *)x;
}

/* Rows of a square of numbers become its columns. */
ALWAYS_INLINE void turn_square(pack row[PACK]) {
#ifdef __AVX__
    const pack a = __builtin_shufflevector(row[0], row[1], 0, 4, 2, 6);
    const pack b = __builtin_shufflevector(row[0], row[1], 1, 5, 3, 7);
    const pack c = __builtin_shufflevector(row[2], row[3], 0, 4, 2, 6);
    const pack d = __builtin_shufflevector(row[2], row[3], 1, 5, 3, 7);
    row[0] = __builtin_shufflevector(a, c, 0, 1, 4, 5);
    row[1] = __builtin_shufflevector(b, d, 0, 1, 4, 5);
    row[2] = __builtin_shufflevector(a, c, 2, 3, 6, 7);
    row[3] = __builtin_shufflevector(b, d, 2, 3, 6, 7);
#else
    const pack a = __builtin_shufflevector(row[0], row[1], 0, 2);
    row[1] = __builtin_shufflevector(row[0], row[1], 1, 3);
    row[0] = a;
#endif
}

/* Eight numbers of a register by their places, or zero for a kernel that cannot. */
#ifdef __AVX512F__
enum { TABLE = 8 };
typedef __m512i places_8;

ALWAYS_INLINE places_8 load_places(const uint32_t *cell) {
    return _mm512_cvtepu32_epi64(_mm256_loadu_si256((const __m256i *)(const void *)cell));
}

ALWAYS_INLINE vec load(const double *from) {
    return *(const vec_unaligned *)(const void *)from;
}

ALWAYS_INLINE void store(double *to, vec v) {
    *(vec_unaligned *)(void *)to = v;
}

ALWAYS_INLINE vec look_up(places_8 places, const double *table) {
    return (vec)_mm512_permutexvar_pd(places, _mm512_loadu_pd(table));
}
#else
enum { TABLE = 0 };
#endif

enum {
    BLOCK = 128,                      /* samples of one forward block */
    MOST_POWERS = KAN_MAX_DEGREE + 1, /* 8, a multiple of PACK        */
    COPIES = 4                        /* of D, see add_to_sums        */
};

/* What the forward pass leaves for the backward pass; n = batch rounded up to whole vectors, powers = degree + 1
 * rounded up. */
typedef struct trace {
    double *A;      /* [n_in][n_out][n_cells][powers], or [n_in][n_out][powers][TABLE] */
    double *D;      /* [n_in][n_out][COPIES][n_cells][powers]                   */
    double *v, *t;  /* [n_in][n]                                                */
    double *base;   /* [n_in][n] b(x)                                           */
    double *slopes; /* [n_in][n_out][n] phi'(x)                                 */
    double *dy;     /* [n_out][n], turned by the backward pass                  */
    uint32_t *cell; /* [n_in][n]                                                */
} trace;

typedef struct pass {
    const layer *l;
    size_t batch, n, powers;
    const double *x, *dy;
    double *y, *grad, *dx;
    trace t;
} pass;

static pass make_pass(const layer *l, size_t batch) {
    return (pass){
        .l = l, .batch = batch, .n = round_up(batch, LANES), .powers = round_up(l->degree + 1, PACK)};
}

static bool is_tabled(const layer *l) {
    return l->n_cells <= TABLE;
}

/* Numbers in the polynomials of an edge. */
static size_t edge_size(const pass *p) {
    return (is_tabled(p->l) ? TABLE : p->l->n_cells) * p->powers;
}

/* Called with NULL to measure and with the memory to bind; doubles. */
static size_t bind(pass *p, double *memory) {
    const size_t n_in = p->l->n_in, n_out = p->l->n_out, table = p->l->n_cells * p->powers;
    const size_t edges = n_in * n_out, places = n_in * p->n;
    const size_t sizes[] = {
        edges * edge_size(p), COPIES * edges * table, places, places, places, edges * p->n,
        n_out * p->n};
    double **slices[] = {&p->t.A, &p->t.D, &p->t.v, &p->t.t, &p->t.base, &p->t.slopes, &p->t.dy};
    size_t used = 0;
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; ++k) {
        *slices[k] = memory ? memory + used : NULL;
        used += round_up(sizes[k], 8);
    }
    p->t.cell = memory ? (uint32_t *)(void *)(memory + used) : NULL;
    return used + round_up(places, 2) / 2;
}

static size_t trace_size(const layer *l, size_t batch) {
    pass p = make_pass(l, batch);
    return bind(&p, NULL);
}

/* ---- forward ------------------------------------------------------------------------------------------- */

/* One block of samples of one input: where they lie. */
typedef struct places {
    const uint32_t *cell;
    const double *v, *t, *base;
    double inv_h[BLOCK], base_slope[BLOCK];
} places;

/* The places of n samples x [BLOCK] of input i from `begin` on. Samples that fill up the last vector are copies of
 * the last one. */
static void find_places(const pass *p, size_t i, size_t begin, size_t n, double *x, places *at) {
    const layer *l = p->l;
    const size_t padded = round_up(n, LANES), first = i * p->n + begin;
    for (size_t s = n; s < padded; ++s) x[s] = x[n - 1];
    kan_basis_locate(&l->basis[i], padded, x, p->t.cell + first, p->t.v + first, p->t.t + first,
                     at->inv_h);
    layer_base(l->base, padded, x, 1, p->t.base + first, at->base_slope);
    at->cell = p->t.cell + first;
    at->v = p->t.v + first, at->t = p->t.t + first, at->base = p->t.base + first;
}

/* y[s] += phi(x[s]) and slopes[s] = phi'(x[s]) of one edge of base weight w; the degree is a constant where that
 * is worth it. */
ALWAYS_INLINE void add_edge(size_t degree, size_t powers, size_t n, const places *at, const double *A,
                            double w, double *restrict y, double *restrict slopes) {
    for (size_t s = 0; s < n; s += PACK) {
        pack a[MOST_POWERS];
        for (size_t power = 0; power < powers; power += PACK) {
            for (size_t k = 0; k < PACK; ++k)
                a[power + k] = *const_packs(A + at->cell[s + k] * powers + power);
            turn_square(a + power);
        }
        const pack v = *const_packs(at->v + s);
        pack value = a[degree] * v + a[degree - 1], slope = a[degree];
        for (size_t power = degree - 1; power-- > 0;) {
            slope = slope * v + value;
            value = value * v + a[power];
        }
        *packs(y + s) += value + *const_packs(at->t + s) * slope + w * *const_packs(at->base + s);
        *packs(slopes + s) = slope * *const_packs(at->inv_h + s) + w * *const_packs(at->base_slope + s);
    }
}

#ifdef __AVX512F__
/* The same for all edges of an input, polynomials in tables, rows of y BLOCK and of slopes `row` apart: what is known of
 * eight samples serves all edges. */
ALWAYS_INLINE void add_tabled_edges(size_t degree, size_t n_out, size_t n, const places *at,
                                    const double *A, const double *weights, double *y, size_t row,
                                    double *slopes) {
    const size_t edge = round_up(degree + 1, PACK) * TABLE;
    for (size_t s = 0; s < n; s += LANES) {
        const places_8 cell = load_places(at->cell + s);
        const vec v = load(at->v + s), t = load(at->t + s), inv_h = load(at->inv_h + s);
        const vec base = load(at->base + s), base_slope = load(at->base_slope + s);
        const double *a = A;
        for (size_t o = 0; o < n_out; ++o, a += edge) {
            const vec top = look_up(cell, a + degree * TABLE);
            vec value = top * v + look_up(cell, a + (degree - 1) * TABLE), slope = top;
            for (size_t power = degree - 1; power-- > 0;) {
                slope = slope * v + value;
                value = value * v + look_up(cell, a + power * TABLE);
            }
            double *sum = y + o * BLOCK + s;
            store(sum, load(sum) + value + t * slope + weights[o] * base);
            store(slopes + o * row + s, slope * inv_h + weights[o] * base_slope);
        }
    }
}
#endif

/* y [n_out][BLOCK] += the edges of an input, slopes [n_out][p->n] = their slopes, for n samples. */
static void add_edges(const pass *p, size_t n, const places *at, const double *A, const double *weights,
                      double *y, double *slopes) {
    const size_t degree = p->l->degree, n_out = p->l->n_out;
#ifdef __AVX512F__
    if (is_tabled(p->l)) {
        if (degree == 3)
            add_tabled_edges(3, n_out, n, at, A, weights, y, p->n, slopes);
        else
            add_tabled_edges(degree, n_out, n, at, A, weights, y, p->n, slopes);
        return;
    }
#endif
    for (size_t o = 0; o < n_out; ++o, A += edge_size(p), y += BLOCK, slopes += p->n)
        if (degree == 3)
            add_edge(3, 4, n, at, A, weights[o], y, slopes);
        else
            add_edge(degree, p->powers, n, at, A, weights[o], y, slopes);
}

/* Samples begin .. end-1. */
static void forward_block(void *context, size_t begin, size_t end) {
    const pass *p = context;
    const layer *l = p->l;
    const size_t n = end - begin, padded = round_up(n, LANES), n_out = l->n_out;
    double y[NARROW_MAX_OUT][BLOCK], x[TURN_MAX][BLOCK];
    places at;
    memset(y, 0, n_out * sizeof *y);
    for (size_t i = 0; i < l->n_in; ++i) {
        const double *weights = l->theta + i * layer_input_size(l) + layer_n_basis(l) * n_out;
        if (i % TURN_MAX == 0)
            turn(turn_width(l->n_in - i), n, p->x + begin * l->n_in + i, l->n_in, *x, BLOCK);
        find_places(p, i, begin, n, x[i % TURN_MAX], &at);
        add_edges(p, padded, &at, p->t.A + i * n_out * edge_size(p), weights, *y,
                  p->t.slopes + i * n_out * p->n + begin);
    }
    turn_back(n_out, n, p->y + begin * n_out, n_out, *y, BLOCK);
}

static double cost(const pass *p) {
    return (double)p->batch * (double)p->l->n_in * (double)((p->l->degree + 2) * p->l->n_out + 20);
}

static void forward(const layer *l, size_t batch, const double *x, double *y, double *memory) {
    pass p = make_pass(l, batch);
    p.x = x, p.y = y;
    bind(&p, memory);
    const size_t cell_stride = is_tabled(l) ? 1 : p.powers, stride = is_tabled(l) ? TABLE : 1;
    for (size_t i = 0; i < l->n_in; ++i)
        for (size_t o = 0; o < l->n_out; ++o)
            make_polynomials(l, i, o, p.powers, cell_stride, stride,
                             p.t.A + (i * l->n_out + o) * edge_size(&p));
    kan_parallel_for(batch, BLOCK, cost(&p), forward_block, &p);
}

/* ---- backward ------------------------------------------------------------------------------------------ */

/* D[c][p] += q_p dy[s] for the edges of input i, all samples. Neighbours add to different copies of D, so that the
 * next addition to a cell need not wait for the last one. */
ALWAYS_INLINE void add_to_sums(size_t degree, size_t powers, const pass *p, size_t i, size_t n_out,
                               double *D) {
    const double *v = p->t.v + i * p->n, *t = p->t.t + i * p->n;
    const uint32_t *cell = p->t.cell + i * p->n;
    /* copies, since a store into packs might change *p for all that the compiler knows */
    const size_t table = p->l->n_cells * powers, n = p->n;
    const double *all_dy = p->t.dy;
    for (size_t s = 0; s < n; s += PACK) {
        const pack v_s = *const_packs(v + s), t_s = *const_packs(t + s);
        pack q[MOST_POWERS] = {{0.0}}, power = q[0] + 1.0;
        q[0] = power;
        for (size_t k = 1; k <= degree; ++k) {
            q[k] = power * (v_s + (double)k * t_s);
            power *= v_s;
        }
        for (size_t k = 0; k < powers; k += PACK) turn_square(q + k);
        double *cell_sums[PACK];
        for (size_t k = 0; k < PACK; ++k) cell_sums[k] = D + k % COPIES * table + cell[s + k] * powers;
        const double *dy = all_dy + s;
        for (size_t o = 0; o < n_out; ++o, dy += n)
            for (size_t k = 0; k < PACK; ++k) {
                double *to = cell_sums[k] + o * COPIES * table;
                for (size_t first = 0; first < powers; first += PACK)
                    *packs(to + first) += dy[k] * q[first + k];
            }
    }
}

/* a . b, n a multiple of PACK; four sums of packs, since each addition waits for the one before. */
static double dot(size_t n, const double *a, const double *b) {
    enum { SUMS = 4 };
    pack sum[SUMS] = {{0.0}};
    size_t s = 0;
    for (; s + SUMS * PACK <= n; s += SUMS * PACK)
        for (size_t k = 0; k < SUMS; ++k)
            sum[k] += *const_packs(a + s + PACK * k) * *const_packs(b + s + PACK * k);
    for (; s < n; s += PACK) sum[0] += *const_packs(a + s) * *const_packs(b + s);
    const pack all = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    double total = 0.0;
    for (size_t k = 0; k < PACK; ++k) total += all[k];
    return total;
}

/* dx[s][i] = sum_o dy[s][o] phi_io'(x[s]), samples begin .. end-1. */
static void make_dx(void *context, size_t begin, size_t end) {
    const pass *p = context;
    const size_t n = end - begin, n_out = p->l->n_out, n_in = p->l->n_in;
    double dx[TURN_MAX][BLOCK];
    for (size_t first = 0; first < n_in; first += TURN_MAX) {
        const size_t width = turn_width(n_in - first);
        for (size_t k = 0; k < width; ++k) {
            const double *slopes = p->t.slopes + (first + k) * n_out * p->n + begin,
                         *dy = p->t.dy + begin;
            for (size_t s = 0; s < n; ++s) dx[k][s] = dy[s] * slopes[s];
            for (size_t o = 1; o < n_out; ++o)
                for (size_t s = 0; s < n; ++s) dx[k][s] += dy[o * p->n + s] * slopes[o * p->n + s];
        }
        turn_back(width, n, p->dx + begin * n_in + first, n_in, *dx, BLOCK);
    }
}

/* Threads own inputs, so every sum runs over the samples in their order. */
static void backward_input(const pass *p, size_t i) {
    const layer *l = p->l;
    const size_t n_out = l->n_out, table = l->n_cells * p->powers;
    double *D = p->t.D + i * n_out * COPIES * table;
    double *base_grad = p->grad + i * layer_input_size(l) + layer_n_basis(l) * n_out;
    memset(D, 0, n_out * COPIES * table * sizeof *D);
    if (l->degree == 3 && n_out == 1)
        add_to_sums(3, 4, p, i, 1, D);
    else if (l->degree == 3)
        add_to_sums(3, 4, p, i, n_out, D);
    else
        add_to_sums(l->degree, p->powers, p, i, n_out, D);
    for (size_t o = 0; o < n_out; ++o) {
        double *sums = D + o * COPIES * table;
        for (size_t copy = 1; copy < COPIES; ++copy)
            for (size_t k = 0; k < table; ++k) sums[k] += sums[copy * table + k];
        add_coefficient_gradient(l, i, o, p->powers, 1, sums, p->grad);
        base_grad[o] += dot(p->n, p->t.base + i * p->n, p->t.dy + o * p->n);
    }
}

static void backward_inputs(void *context, size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) backward_input(context, i);
}

static void backward(const layer *l, size_t batch, const double *dy, double *memory, bool set,
                     double *grad, double *dx) {
    pass p = make_pass(l, batch);
    p.dy = dy, p.grad = grad, p.dx = dx;
    if (set) memset(grad, 0, l->n_in * layer_input_size(l) * sizeof *grad);
    bind(&p, memory);
    turn(l->n_out, batch, dy, l->n_out, p.t.dy, p.n);
    for (size_t o = 0; o < l->n_out; ++o) /* copies count for nothing */
        for (size_t s = batch; s < p.n; ++s) p.t.dy[o * p.n + s] = 0.0;
    kan_parallel_for(l->n_in, 1, 2.0 * cost(&p), backward_inputs, &p);
    if (dx) kan_parallel_for(batch, BLOCK, cost(&p), make_dx, &p);
}

const layer_kernel KAN_KERNEL(samples_kernel) = {
    .trace_size = trace_size, .forward = forward, .backward = backward, .best_out = TABLE > 0 ? 5 : 3};
