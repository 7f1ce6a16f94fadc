/* mlp/pass_kernel.c - forward and reverse mode, with dz_l = d(loss)/d(z_l):
 *
 *     z_l  = h_{l-1} W_l + b_l           h_l = s(z_l)
 *     dz_L = dy                          dz_{l-1} = (dz_l W_l^T) s'(z_{l-1})
 *     grad of W_l += h_{l-1}^T dz_l      grad of b_l += sum over samples of dz_l      dx = dz_1 W_1^T
 *
 * Everything per sample (the first two lines, and dx) runs over blocks of samples, each through all
 * layers while it is in cache; the sums over samples run over blocks of rows of W, each through chunks of
 * samples. None of these depends on the number of threads.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mlp/pass_kernel.h"

#include <assert.h>
#include <limits.h>
#include <string.h>

#include <cblas.h>

#include "core/parallel.h"

enum {
    /* Samples of a block: at least so many and, where there are enough, the most. A larger block costs a
     * product less to prepare but leaves the cache; layers of more weights than fit into it beside the
     * block gain from it all the same. */
    MIN_BLOCK = 64,
    MAX_BLOCK = 128,
    MAX_BLOCK_LARGE = 256,
    LARGE_LAYER = 1 << 13,
    /* The weight gradient in one task: rows of W, each through so many samples at a time. */
    ROWS = 32,
    SAMPLES = 64,
    ROWS_LARGE = 128,
    SAMPLES_LARGE = 128,
    LARGE_GRADIENT = 1 << 15,
    CHUNK = 1 << 14 /* parameters rounded in one task */
};

typedef struct pass {
    const kan_mlp *mlp;
    size_t batch, block; /* samples in all, and of a block          */
    const double *x, *dy;
    double *y, *grad, *dx;
    bool set; /* grad is made, not added to */
    real *work;
} pass;

/* ---- products: C (m by n) = A (m by k) B (k by n) + beta C ---------------------------------------- */

#ifdef KAN_KERNEL_SINGLE
#define gemm            cblas_sgemm
#define activation_eval kan_activation_eval_single
#else
#define gemm            cblas_dgemm
#define activation_eval kan_activation_eval
#endif

static int blas_int(size_t n) {
    assert(n <= INT_MAX && "CBLAS counts in int");
    return (int)n;
}

/* C += A B, all row by row. */
static void add_product(size_t m, size_t n, size_t k, const real *a, const real *b, real *c) {
    gemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, blas_int(m), blas_int(n), blas_int(k), 1, a,
         blas_int(k), b, blas_int(n), 1, c, blas_int(n));
}

/* C = A B^T, B [n][k]. */
static void multiply_transposed(size_t m, size_t n, size_t k, const real *a, const real *b, real *c) {
    gemm(CblasRowMajor, CblasNoTrans, CblasTrans, blas_int(m), blas_int(n), blas_int(k), 1, a,
         blas_int(k), b, blas_int(k), 0, c, blas_int(n));
}

/* A^T B + beta C with A [k][a_width], of which m columns are used. */
static void transposed_product(size_t m, size_t n, size_t k, const real *a, size_t a_width,
                               const real *b, real beta, real *c) {
    gemm(CblasRowMajor, CblasTrans, CblasNoTrans, blas_int(m), blas_int(n), blas_int(k), 1, a,
         blas_int(a_width), b, blas_int(n), beta, c, blas_int(n));
}

/* ---- where things are ----------------------------------------------------------------------------
 *
 * The caller's arrays are doubles. Double precision computes in these; single precision has a rounded
 * copy of each in work, which a value enters before it is used and leaves when it is final. */

static real *array_of(const pass *p, size_t at) {
    return p->work + p->mlp->work_shared + p->batch * at;
}

/* s'(z) of a hidden level; the backward pass turns it into dz. */
static real *slopes_of(const pass *p, size_t level) {
    return array_of(p, p->mlp->slope_at[level]);
}

#ifdef KAN_KERNEL_SINGLE

static void enter(size_t n, const double *from, float *to) {
    for (size_t j = 0; j < n; ++j) to[j] = (float)from[j];
}

static void leave(size_t n, const float *from, double *to) {
    for (size_t j = 0; j < n; ++j) to[j] = (double)from[j];
}

static void enter_some_theta(void *context, size_t begin, size_t end) {
    const pass *p = context;
    enter(end - begin, p->mlp->model.theta + begin, p->work + begin);
}

static void enter_theta(pass *p) {
    const size_t n_params = p->mlp->model.n_params;
    kan_parallel_for(n_params, CHUNK, (double)n_params, enter_some_theta, p);
}

/* W of layer l, followed by b. */
static const float *weights_of(const pass *p, size_t l) {
    return p->work + p->mlp->weights_at[l];
}

/* h of a level [batch][nodes], x of level 0 and y of the last one. */
static const float *values_of(const pass *p, size_t level) {
    return array_of(p, p->mlp->h_at[level]);
}

static void enter_x(const pass *p, size_t begin, size_t end) {
    const size_t n_in = p->mlp->model.n_in;
    enter((end - begin) * n_in, p->x + begin * n_in, array_of(p, p->mlp->h_at[0]) + begin * n_in);
}

static float *outputs_of(const pass *p) {
    return array_of(p, p->mlp->h_at[p->mlp->n_layers]);
}

static void leave_y(const pass *p, size_t begin, size_t end) {
    const size_t n_out = p->mlp->model.n_out;
    leave((end - begin) * n_out, outputs_of(p) + begin * n_out, p->y + begin * n_out);
}

static void enter_dy(const pass *p, size_t begin, size_t end) {
    const size_t n_out = p->mlp->model.n_out;
    enter((end - begin) * n_out, p->dy + begin * n_out, slopes_of(p, p->mlp->n_layers) + begin * n_out);
}

/* dz of a level, once the backward pass over its samples is there. */
static const float *dz_of(const pass *p, size_t level) {
    return slopes_of(p, level);
}

/* dx is made in the array of the products. */
static float *dx_of(const pass *p, size_t begin) {
    return array_of(p, p->mlp->product_at) + begin * p->mlp->product_width;
}

static void leave_dx(const pass *p, size_t begin, size_t end) {
    const size_t n_in = p->mlp->model.n_in;
    leave((end - begin) * n_in, dx_of(p, begin), p->dx + begin * n_in);
}

/* What counts of the numbers that are there before, where the gradient of parameters `at` .. is summed up. */
static float before(const pass *p) {
    (void)p;
    return 0.0F;
}

static float *sums_of(const pass *p, size_t at) {
    return p->work + p->mlp->model.n_params + at;
}

static void leave_sums(const pass *p, size_t n, size_t at) {
    const float *sum = sums_of(p, at);
    double *grad = p->grad + at;
    if (p->set)
        for (size_t j = 0; j < n; ++j) grad[j] = (double)sum[j];
    else
        for (size_t j = 0; j < n; ++j) grad[j] += (double)sum[j];
}

#else

static void enter_theta(pass *p) {
    (void)p;
}

/* W of layer l, followed by b. */
static const double *weights_of(const pass *p, size_t l) {
    return p->mlp->model.theta + p->mlp->weights_at[l];
}

/* h of a level [batch][nodes], x of level 0. */
static const double *values_of(const pass *p, size_t level) {
    return level == 0 ? p->x : array_of(p, p->mlp->h_at[level]);
}

static void enter_x(const pass *p, size_t begin, size_t end) {
    (void)p, (void)begin, (void)end;
}

static double *outputs_of(const pass *p) {
    return p->y;
}

static void leave_y(const pass *p, size_t begin, size_t end) {
    (void)p, (void)begin, (void)end;
}

static void enter_dy(const pass *p, size_t begin, size_t end) {
    (void)p, (void)begin, (void)end;
}

/* dz of a level, once the backward pass over its samples is there. */
static const double *dz_of(const pass *p, size_t level) {
    return level == p->mlp->n_layers ? p->dy : slopes_of(p, level);
}

static double *dx_of(const pass *p, size_t begin) {
    return p->dx + begin * p->mlp->model.n_in;
}

static void leave_dx(const pass *p, size_t begin, size_t end) {
    (void)p, (void)begin, (void)end;
}

/* What counts of the numbers that are there before, where the gradient of parameters `at` .. is summed up. */
static double before(const pass *p) {
    return p->set ? 0.0 : 1.0;
}

static double *sums_of(const pass *p, size_t at) {
    return p->grad + at;
}

static void leave_sums(const pass *p, size_t n, size_t at) {
    (void)p, (void)n, (void)at;
}

#endif

/* ---- blocks and costs ----------------------------------------------------------------------------- */

static size_t n_weights(const kan_mlp *mlp, size_t l) {
    return mlp->config.width[l] * mlp->config.width[l + 1];
}

/* A batch of two blocks or more is never made one. */
static size_t block_size(const kan_mlp *mlp, size_t batch) {
    size_t block = MIN_BLOCK, most = MAX_BLOCK;
    for (size_t l = 0; l < mlp->n_layers; ++l)
        if (n_weights(mlp, l) > LARGE_LAYER) most = MAX_BLOCK_LARGE;
    while (block < most && 4 * block <= batch) block *= 2;
    return block;
}

/* A pass costs this many multiply-adds of the kind that core/parallel.h counts: CBLAS does some four in
 * the time of one of these, an activation takes that of eight. Half in single precision. */
static double pass_cost(const pass *p) {
    const double cost = 0.25 * (double)p->mlp->model.n_params + 4.0 * (double)p->mlp->work_per_sample;
    return (double)p->batch * cost * (double)sizeof(real) / (double)sizeof(double);
}

static pass pass_of(const kan_mlp *mlp, size_t batch, double *work) {
    void *values = work;
    return (pass){.mlp = mlp, .batch = batch, .block = block_size(mlp, batch), .work = values};
}

/* ---- forward -------------------------------------------------------------------------------------- */

/* Writes b [n_out] into each of the n > 0 rows of z: the rows that are there double with every copy. */
static void fill_rows(size_t n, size_t n_out, const real *b, real *z) {
    memcpy(z, b, n_out * sizeof *z);
    for (size_t rows = 1; rows < n; rows *= 2) {
        const size_t more = n - rows < rows ? n - rows : rows;
        memcpy(z + rows * n_out, z, more * n_out * sizeof *z);
    }
}

static void forward_block(void *context, size_t begin, size_t end) {
    const pass *p = context;
    const kan_mlp *mlp = p->mlp;
    const size_t n = end - begin, *width = mlp->config.width;
    enter_x(p, begin, end);
    for (size_t l = 0; l < mlp->n_layers; ++l) {
        const size_t n_in = width[l], n_out = width[l + 1];
        const real *w = weights_of(p, l), *b = w + n_in * n_out;
        const bool last = l + 1 == mlp->n_layers;
        real *z = (last ? outputs_of(p) : array_of(p, mlp->h_at[l + 1])) + begin * n_out;
        fill_rows(n, n_out, b, z);
        add_product(n, n_out, n_in, values_of(p, l) + begin * n_in, w, z);
        if (!last)
            activation_eval(mlp->config.activation, n * n_out, z, z,
                            slopes_of(p, l + 1) + begin * n_out);
    }
    leave_y(p, begin, end);
}

static void forward(const kan_mlp *mlp, size_t batch, const double *x, double *y, double *work) {
    if (batch == 0) return;
    pass p = pass_of(mlp, batch, work);
    p.x = x, p.y = y;
    enter_theta(&p);
    kan_parallel_for(batch, p.block, pass_cost(&p), forward_block, &p);
}

/* ---- backward, what belongs to a sample ------------------------------------------------------------ */

/* slope[j] *= product[j] */
static void scale(size_t n, const real *restrict product, real *restrict slope) {
    for (size_t j = 0; j < n; ++j) slope[j] *= product[j];
}

/* slope[s][i] *= dz[s] w[i], what a layer with one output needs no product for */
static void scale_by_outer(size_t n, size_t n_in, const real *restrict dz, const real *restrict w,
                           real *restrict slope) {
    for (size_t s = 0; s < n; ++s, slope += n_in)
        for (size_t i = 0; i < n_in; ++i) slope[i] *= dz[s] * w[i];
}

/* slope [n][n_in] becomes (dz W^T) slope, where dz is [n][n_out]; the product has room for as much. */
static void chain(size_t n, size_t n_in, size_t n_out, const real *dz, const real *w, real *product,
                  real *slope) {
    if (n_out == 1) {
        scale_by_outer(n, n_in, dz, w, slope);
        return;
    }
    multiply_transposed(n, n_in, n_out, dz, w, product);
    scale(n * n_in, product, slope);
}

/* dz of every hidden level, and dx. */
static void backward_block(void *context, size_t begin, size_t end) {
    const pass *p = context;
    const kan_mlp *mlp = p->mlp;
    const size_t n = end - begin, *width = mlp->config.width;
    real *product = array_of(p, mlp->product_at) + begin * mlp->product_width;
    enter_dy(p, begin, end);
    for (size_t l = mlp->n_layers; l-- > 0;) {
        const real *w = weights_of(p, l), *dz = dz_of(p, l + 1) + begin * width[l + 1];
        if (l > 0) {
            chain(n, width[l], width[l + 1], dz, w, product, slopes_of(p, l) + begin * width[l]);
        } else if (p->dx) {
            multiply_transposed(n, width[0], width[1], dz, w, dx_of(p, begin));
            leave_dx(p, begin, end);
        }
    }
}

/* ---- backward, the sums over samples --------------------------------------------------------------- */

/* sum[o] += sum over n samples of dz[s][o]; eight samples at a time, so that their additions need not
 * wait for each other. */
static void add_rows(size_t n, size_t n_out, const real *restrict dz, real *restrict sum) {
    size_t s = 0;
    for (; s + 8 <= n; s += 8, dz += 8 * n_out) {
        const real *d1 = dz + n_out, *d2 = d1 + n_out, *d3 = d2 + n_out, *d4 = d3 + n_out,
                   *d5 = d4 + n_out, *d6 = d5 + n_out, *d7 = d6 + n_out;
        for (size_t o = 0; o < n_out; ++o)
            sum[o] += ((dz[o] + d1[o]) + (d2[o] + d3[o])) + ((d4[o] + d5[o]) + (d6[o] + d7[o]));
    }
    for (; s < n; ++s, dz += n_out)
        for (size_t o = 0; o < n_out; ++o) sum[o] += dz[o];
}

static size_t rows_per_task(const kan_mlp *mlp, size_t l) {
    return n_weights(mlp, l) > LARGE_GRADIENT ? ROWS_LARGE : ROWS;
}

static size_t n_tasks(const kan_mlp *mlp, size_t l) {
    const size_t rows = rows_per_task(mlp, l);
    return (mlp->config.width[l] + rows - 1) / rows;
}

/* Task t of layer l: some rows of the gradient of W, and with the first of them that of b. */
static void add_gradient(const pass *p, size_t l, size_t t) {
    const size_t n_in = p->mlp->config.width[l], n_out = p->mlp->config.width[l + 1];
    const size_t rows = rows_per_task(p->mlp, l), first = t * rows;
    const size_t m = n_in - first < rows ? n_in - first : rows;
    const size_t samples = n_weights(p->mlp, l) > LARGE_GRADIENT ? SAMPLES_LARGE : SAMPLES;
    const size_t w_at = p->mlp->weights_at[l] + first * n_out;
    const size_t b_at = p->mlp->weights_at[l] + n_in * n_out;
    const real *h = values_of(p, l) + first, *dz = dz_of(p, l + 1);
    real *sum = sums_of(p, w_at), *sum_b = sums_of(p, b_at);
    if (t == 0 && before(p) == 0) memset(sum_b, 0, n_out * sizeof *sum_b);
    for (size_t begin = 0; begin < p->batch; begin += samples) {
        const size_t n = p->batch - begin < samples ? p->batch - begin : samples;
        transposed_product(m, n_out, n, h + begin * n_in, n_in, dz + begin * n_out,
                           begin == 0 ? before(p) : 1, sum);
        if (t == 0) add_rows(n, n_out, dz + begin * n_out, sum_b);
    }
    leave_sums(p, m * n_out, w_at);
    if (t == 0) leave_sums(p, n_out, b_at);
}

/* The tasks of all layers count as one list. */
static void gradient_tasks(void *context, size_t begin, size_t end) {
    const pass *p = context;
    for (size_t j = begin; j < end; ++j) {
        size_t l = 0, t = j;
        for (; t >= n_tasks(p->mlp, l); ++l) t -= n_tasks(p->mlp, l);
        add_gradient(p, l, t);
    }
}

static void backward(const kan_mlp *mlp, size_t batch, const double *x, const double *dy, bool set,
                     double *grad, double *dx, double *work) {
    if (batch == 0) {
        if (set) memset(grad, 0, mlp->model.n_params * sizeof *grad);
        return;
    }
    pass p = pass_of(mlp, batch, work);
    p.x = x, p.dy = dy, p.grad = grad, p.dx = dx, p.set = set;
    size_t total = 0;
    for (size_t l = 0; l < mlp->n_layers; ++l) total += n_tasks(mlp, l);
    kan_parallel_for(batch, p.block, pass_cost(&p), backward_block, &p);
    kan_parallel_for(total, 1, pass_cost(&p), gradient_tasks, &p);
}

const pass_kernel KAN_KERNEL(pass_kernel) = {.forward = forward, .backward = backward};
