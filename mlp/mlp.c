/* mlp/mlp.c - forward and reverse mode, with dz_l = d(loss)/d(z_l):
 *
 *     z_l  = h_{l-1} W_l + b_l           h_l = s(z_l)
 *     dz_L = dy                          dz_{l-1} = (dz_l W_l^T) s'(z_{l-1})
 *     grad of W_l += h_{l-1}^T dz_l      grad of b_l += sum over samples of dz_l      dx = dz_1 W_1^T
 *
 * Everything per sample (left, and dz, dx) runs over blocks of samples, each through all layers while
 * it is in cache; the sums over samples run over blocks of rows of W. Levels of nodes count from 0, the
 * inputs; layer l of the code, 0 .. L-1, joins level l to level l + 1.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mlp/mlp.h"

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cblas.h>

#include "core/parallel.h"
#include "core/random.h"
#include "core/work.h"

enum {
    MAX_LAYERS = KAN_MLP_MAX_LEVELS - 1,
    BLOCK = 64,            /* samples of a block                                                   */
    TILE = 64,             /* columns of a product that is kept on the stack: BLOCK * TILE doubles */
    MIN_ROWS = 16,         /* rows of W in one block of the weight gradient: at least so many,     */
    TASK_WEIGHTS = 1 << 11 /* and more as long as they hold no more weights than this              */
};

struct kan_mlp {
    kan_mlp_config config;
    kan_model model;
    size_t n_layers;
    size_t weights_at[MAX_LAYERS]; /* of W in theta; b follows W */
    /* Work holds [batch][nodes] arrays: h and s'(z) of every hidden level, at `batch` times these. */
    size_t h_at[KAN_MLP_MAX_LEVELS], slope_at[KAN_MLP_MAX_LEVELS], work_per_sample;
    double *memory; /* theta, and behind it the bytes of model.trainable */
};

/* ---- products: C (m by n) = A (m by k) B (k by n) + beta C ----------------------------------------
 */

static int blas_int(size_t n) {
    assert(n <= INT_MAX && "CBLAS counts in int");
    return (int)n;
}

/* A B, all row by row. */
static void multiply(size_t m, size_t n, size_t k, const double *a, const double *b, double beta,
                     double *c) {
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, blas_int(m), blas_int(n), blas_int(k), 1.0,
                a, blas_int(k), b, blas_int(n), beta, c, blas_int(n));
}

/* A B^T, B [n][k]. */
static void multiply_transposed(size_t m, size_t n, size_t k, const double *a, const double *b,
                                double *c) {
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, blas_int(m), blas_int(n), blas_int(k), 1.0, a,
                blas_int(k), b, blas_int(k), 0.0, c, blas_int(n));
}

/* C += A^T B with A [k][a_width], of which m columns are used. */
static void add_transposed_product(size_t m, size_t n, size_t k, const double *a, size_t a_width,
                                   const double *b, double *c) {
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, blas_int(m), blas_int(n), blas_int(k), 1.0, a,
                blas_int(a_width), b, blas_int(n), 1.0, c, blas_int(n));
}

/* ---- one pass over a batch
 * --------------------------------------------------------------------------- */

typedef struct pass {
    const kan_mlp *mlp;
    size_t batch;
    const double *x, *dy;
    double *y, *grad, *dx, *work;
} pass;

/* h of a level [batch][nodes]. */
static const double *values_of(const pass *p, size_t level) {
    return level == 0 ? p->x : p->work + p->batch * p->mlp->h_at[level];
}

/* s'(z) of a hidden level; the backward pass turns it into dz. */
static double *slopes_of(const pass *p, size_t level) {
    return p->work + p->batch * p->mlp->slope_at[level];
}

/* dz of a level, once the backward pass over its samples is done. */
static const double *dz_of(const pass *p, size_t level) {
    return level == p->mlp->n_layers ? p->dy : slopes_of(p, level);
}

/* A pass costs this many multiply-adds of the kind that core/parallel.h counts: CBLAS does some four in
 * the time of one of these, an activation takes that of eight. */
static double pass_cost(const kan_mlp *mlp, size_t batch) {
    return (double)batch * (0.25 * (double)mlp->model.n_params + 4.0 * (double)mlp->work_per_sample);
}

static void forward_block(void *context, size_t begin, size_t end) {
    const pass *p = context;
    const kan_mlp *mlp = p->mlp;
    const size_t n = end - begin, *width = mlp->config.width;
    for (size_t l = 0; l < mlp->n_layers; ++l) {
        const size_t n_in = width[l], n_out = width[l + 1];
        const double *w = mlp->model.theta + mlp->weights_at[l], *b = w + n_in * n_out;
        const bool last = l + 1 == mlp->n_layers;
        double *z = (last ? p->y : p->work + p->batch * mlp->h_at[l + 1]) + begin * n_out;
        for (size_t s = 0; s < n; ++s) memcpy(z + s * n_out, b, n_out * sizeof *b);
        multiply(n, n_out, n_in, values_of(p, l) + begin * n_in, w, 1.0, z);
        if (!last)
            kan_activation_eval(mlp->config.activation, n * n_out, z, z,
                                slopes_of(p, l + 1) + begin * n_out);
    }
}

static void forward(const void *self, size_t batch, const double *x, double *y, double *work) {
    const kan_mlp *mlp = self;
    pass p = {.mlp = mlp, .batch = batch, .x = x, .y = y, .work = work};
    kan_parallel_for(batch, BLOCK, pass_cost(mlp, batch), forward_block, &p);
}

/* slopes [n][n_in], n <= BLOCK, becomes (dz W^T) slopes, where dz is [n][n_out]. */
static void chain(size_t n, size_t n_in, size_t n_out, const double *dz, const double *w,
                  double *slopes) {
    double tile[BLOCK * TILE];
    for (size_t begin = 0; begin < n_in; begin += TILE) {
        const size_t m = n_in - begin < TILE ? n_in - begin : TILE;
        multiply_transposed(n, m, n_out, dz, w + begin * n_out, tile);
        for (size_t s = 0; s < n; ++s)
            for (size_t i = 0; i < m; ++i) slopes[s * n_in + begin + i] *= tile[s * m + i];
    }
}

/* dz of every hidden level, and dx. */
static void backward_block(void *context, size_t begin, size_t end) {
    const pass *p = context;
    const kan_mlp *mlp = p->mlp;
    const size_t n = end - begin, *width = mlp->config.width;
    for (size_t l = mlp->n_layers; l-- > 0;) {
        const double *w = mlp->model.theta + mlp->weights_at[l];
        const double *dz = dz_of(p, l + 1) + begin * width[l + 1];
        if (l > 0)
            chain(n, width[l], width[l + 1], dz, w, slopes_of(p, l) + begin * width[l]);
        else if (p->dx)
            multiply_transposed(n, width[0], width[1], dz, w, p->dx + begin * width[0]);
    }
}

/* Rows of W in one task of the weight gradient, and the number of these tasks. */
static size_t rows_per_task(size_t n_out) {
    return n_out * MIN_ROWS < TASK_WEIGHTS ? TASK_WEIGHTS / n_out : MIN_ROWS;
}

static size_t n_tasks(const kan_mlp *mlp, size_t l) {
    const size_t rows = rows_per_task(mlp->config.width[l + 1]);
    return (mlp->config.width[l] + rows - 1) / rows;
}

/* Task t of layer l: some rows of the gradient of W, and with the first of them that of b. */
static void add_gradient(const pass *p, size_t l, size_t t) {
    const size_t n_in = p->mlp->config.width[l], n_out = p->mlp->config.width[l + 1];
    const size_t rows = rows_per_task(n_out), begin = t * rows;
    const size_t m = n_in - begin < rows ? n_in - begin : rows;
    const double *dz = dz_of(p, l + 1);
    double *grad = p->grad + p->mlp->weights_at[l], *grad_b = grad + n_in * n_out;
    add_transposed_product(m, n_out, p->batch, values_of(p, l) + begin, n_in, dz, grad + begin * n_out);
    if (t == 0)
        for (size_t s = 0; s < p->batch; ++s, dz += n_out)
            for (size_t o = 0; o < n_out; ++o) grad_b[o] += dz[o];
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

static void backward(const void *self, size_t batch, const double *x, const double *dy, double *grad,
                     double *dx, double *work) {
    const kan_mlp *mlp = self;
    pass p = {.mlp = mlp, .batch = batch, .x = x, .dy = dy, .grad = grad, .dx = dx, .work = work};
    size_t total = 0;
    for (size_t l = 0; l < mlp->n_layers; ++l) total += n_tasks(mlp, l);
    kan_parallel_for(batch, BLOCK, pass_cost(mlp, batch), backward_block, &p);
    kan_parallel_for(total, 1, pass_cost(mlp, batch), gradient_tasks, &p);
}

static size_t work_size(const void *self, size_t batch) {
    const kan_mlp *mlp = self;
    return kan_work_product(batch, mlp->work_per_sample);
}

/* ---- configuration
 * ------------------------------------------------------------------------------------ */

static const char *const init_names[KAN_MLP_N_INITS] = {"auto", "he", "glorot"};

static size_t n_levels(const kan_mlp_config *config) {
    size_t n = 0;
    while (n <= KAN_MLP_MAX_LEVELS && config->width[n] > 0) ++n;
    return n;
}

size_t kan_mlp_count(const kan_mlp_config *config) {
    const size_t levels = n_levels(config);
    size_t count = 0;
    for (size_t l = 0; l + 1 < levels; ++l) {
        const size_t n_in = config->width[l], n_out = config->width[l + 1];
        const size_t n = n_in < SIZE_MAX ? kan_work_product(n_in + 1, n_out) : SIZE_MAX;
        count = n > SIZE_MAX - count ? SIZE_MAX : count + n;
    }
    return count;
}

const char *kan_mlp_check(const kan_mlp_config *config) {
    const size_t levels = n_levels(config);
    if (levels < 2) return "an MLP needs inputs and outputs: two widths at least";
    if (levels > KAN_MLP_MAX_LEVELS) return "an MLP has at most 16 layers";
    for (size_t level = 0; level < levels; ++level)
        if (config->width[level] > INT_MAX) return "a width of an MLP is too large";
    if (kan_mlp_count(config) > SIZE_MAX / 16) return "an MLP of these widths has too many parameters";
    if ((unsigned)config->activation >= KAN_N_ACTIVATIONS) return "no such activation";
    if ((unsigned)config->init >= KAN_MLP_N_INITS) return "no such initialisation of an MLP";
    return NULL;
}

static kan_mlp_config with_defaults(const kan_mlp_config *config) {
    kan_mlp_config c = *config;
    const bool saturates = c.activation == KAN_TANH || c.activation == KAN_SIGMOID;
    if (c.init == KAN_MLP_INIT_AUTO) c.init = saturates ? KAN_MLP_INIT_GLOROT : KAN_MLP_INIT_HE;
    return c;
}

/* ---- model files
 * -------------------------------------------------------------------------------------- */

enum { NAME_SIZE = 32, WIDTH_SIZE = 21 * KAN_MLP_MAX_LEVELS };

/* Adds W and b of one layer. */
static kan_status save_layer(const kan_mlp *mlp, size_t l, kan_file *file, kan_error *error) {
    const size_t *shape = mlp->config.width + l; /* n_in, n_out */
    const double *w = mlp->model.theta + mlp->weights_at[l];
    char name[NAME_SIZE];
    snprintf(name, sizeof name, "mlp.W%zu", l);
    kan_status status = kan_file_add(file, name, KAN_F64, 2, shape, w, error);
    snprintf(name, sizeof name, "mlp.b%zu", l);
    if (status == KAN_OK)
        status = kan_file_add(file, name, KAN_F64, 1, shape + 1, w + shape[0] * shape[1], error);
    return status;
}

static kan_status save_config(const kan_mlp_config *config, kan_file *file, kan_error *error) {
    char width[WIDTH_SIZE], seed[WIDTH_SIZE];
    int at = snprintf(width, sizeof width, "%zu", config->width[0]);
    for (size_t level = 1; level < n_levels(config); ++level)
        at += snprintf(width + at, sizeof width - (size_t)at, ",%zu", config->width[level]);
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)config->seed);

    const char *activation = kan_activation_name(config->activation), *init = init_names[config->init];
    kan_status status = kan_file_set(file, "mlp.width", width, error);
    if (status == KAN_OK) status = kan_file_set(file, "mlp.activation", activation, error);
    if (status == KAN_OK) status = kan_file_set(file, "mlp.init", init, error);
    if (status == KAN_OK) status = kan_file_set(file, "mlp.seed", seed, error);
    return status;
}

static kan_status save(const void *self, kan_file *file, kan_error *error) {
    const kan_mlp *mlp = self;
    uint8_t trainable[MAX_LAYERS];
    kan_status status = save_config(&mlp->config, file, error);
    for (size_t l = 0; l < mlp->n_layers && status == KAN_OK; ++l) {
        trainable[l] = mlp->model.trainable[mlp->weights_at[l]];
        status = save_layer(mlp, l, file, error);
    }
    if (status != KAN_OK) return status;
    return kan_file_add(file, "mlp.trainable", KAN_U8, 1, &mlp->n_layers, trainable, error);
}

/* The digits at *text as a number of at most max; moves *text behind them. */
static bool read_number(const char **text, uint64_t max, uint64_t *value) {
    const char *c = *text;
    *value = 0;
    for (; *c >= '0' && *c <= '9'; ++c) {
        const uint64_t digit = (uint64_t)(*c - '0');
        if (*value > max / 10 || *value * 10 > max - digit) return false;
        *value = *value * 10 + digit;
    }
    const bool any = c != *text;
    *text = c;
    return any;
}

/* "2,32,1" */
static bool read_width(const char *text, size_t width[KAN_MLP_MAX_LEVELS + 1]) {
    for (size_t level = 0; level < KAN_MLP_MAX_LEVELS; ++level, ++text) {
        uint64_t value;
        if (!read_number(&text, INT_MAX, &value) || value == 0) return false;
        width[level] = (size_t)value;
        if (*text != ',') return *text == '\0';
    }
    return false;
}

/* A text that has to be there. */
static const char *find_text(const kan_file *file, const char *name, kan_error *error) {
    const char *text = kan_file_get(file, name);
    if (!text) kan_status_fail(error, KAN_EFORMAT, "\"%s\" is missing", name);
    return text;
}

static kan_status read_config(const kan_file *file, kan_mlp_config *config, kan_error *error) {
    const char *kind = find_text(file, "model", error);
    if (kind && strcmp(kind, "mlp") != 0)
        return kan_status_fail(error, KAN_EFORMAT, "\"model\": \"%.99s\" is not \"mlp\"", kind);
    const char *width = kind ? find_text(file, "mlp.width", error) : NULL;
    const char *activation = width ? find_text(file, "mlp.activation", error) : NULL;
    const char *init = activation ? find_text(file, "mlp.init", error) : NULL;
    const char *seed = init ? find_text(file, "mlp.seed", error) : NULL;
    if (!seed) return KAN_EFORMAT;

    *config = (kan_mlp_config){.activation = kan_activation_from_name(activation)};
    if (!read_width(width, config->width))
        return kan_status_fail(error, KAN_EFORMAT, "\"mlp.width\": \"%.99s\" is no list of widths",
                               width);
    if (config->activation == KAN_N_ACTIVATIONS)
        return kan_status_fail(error, KAN_EFORMAT,
                               "\"mlp.activation\": no activation is named \"%.99s\"", activation);
    while (config->init < KAN_MLP_N_INITS && strcmp(init_names[config->init], init) != 0)
        ++config->init;
    if (config->init == KAN_MLP_N_INITS)
        return kan_status_fail(error, KAN_EFORMAT, "\"mlp.init\": no initialisation is named \"%.99s\"",
                               init);
    const char *end = seed;
    if (!read_number(&end, UINT64_MAX, &config->seed) || *end != '\0')
        return kan_status_fail(error, KAN_EFORMAT, "\"mlp.seed\": \"%.99s\" is no seed", seed);
    const char *problem = kan_mlp_check(config);
    if (problem) return kan_status_fail(error, KAN_EFORMAT, "\"mlp.width\": %s", problem);
    return KAN_OK;
}

/* A tensor of finite numbers. */
static const double *find_numbers(const kan_file *file, const char *name, size_t n_dims,
                                  const size_t *shape, kan_error *error) {
    const double *values = kan_file_find(file, name, KAN_F64, n_dims, shape, error);
    const size_t n = n_dims == 1 ? shape[0] : kan_work_product(shape[0], shape[1]);
    for (size_t j = 0; values && j < n; ++j)
        if (!isfinite(values[j])) {
            kan_status_fail(error, KAN_EFORMAT, "\"%s\": entry %zu is not finite", name, j);
            return NULL;
        }
    return values;
}

/* W and b of one layer, views into the file. */
typedef struct stored_layer {
    const double *w, *b;
} stored_layer;

static stored_layer find_layer(const kan_file *file, const kan_mlp_config *config, size_t l,
                               kan_error *error) {
    const size_t *shape = config->width + l;
    stored_layer layer = {NULL, NULL};
    char name[NAME_SIZE];
    snprintf(name, sizeof name, "mlp.W%zu", l);
    layer.w = find_numbers(file, name, 2, shape, error);
    snprintf(name, sizeof name, "mlp.b%zu", l);
    if (layer.w) layer.b = find_numbers(file, name, 1, shape + 1, error);
    return layer;
}

static const uint8_t *find_trainable(const kan_file *file, size_t n_layers, kan_error *error) {
    const uint8_t *trainable = kan_file_find(file, "mlp.trainable", KAN_U8, 1, &n_layers, error);
    for (size_t l = 0; trainable && l < n_layers; ++l)
        if (trainable[l] > 1) {
            kan_status_fail(error, KAN_EFORMAT, "\"mlp.trainable\": entry %zu is %u, not 0 or 1", l,
                            (unsigned)trainable[l]);
            return NULL;
        }
    return trainable;
}

/* ---- construction
 * ------------------------------------------------------------------------------------- */

static const kan_model_ops mlp_ops = {
    .name = "mlp", .work_size = work_size, .forward = forward, .backward = backward, .save = save};

/* Places of the parameters in theta and of the hidden levels in work. */
static void lay_out(kan_mlp *mlp) {
    const size_t *width = mlp->config.width;
    size_t weights_at = 0, work_at = 0;
    for (size_t l = 0; l < mlp->n_layers; ++l) {
        mlp->weights_at[l] = weights_at;
        weights_at += (width[l] + 1) * width[l + 1];
    }
    for (size_t level = 1; level < mlp->n_layers; ++level) {
        mlp->h_at[level] = work_at;
        mlp->slope_at[level] = work_at + width[level];
        work_at += 2 * width[level];
    }
    mlp->work_per_sample = work_at;
}

/* Parameters zero, all of them trainable. */
static kan_mlp *alloc_zero(const kan_mlp_config *config) {
    const size_t n_params = kan_mlp_count(config), flags = n_params / sizeof(double) + 1;
    kan_mlp *mlp = calloc(1, sizeof *mlp);
    double *memory = kan_work_alloc(n_params + flags);
    if (!mlp || !memory) {
        kan_work_free(memory);
        free(mlp);
        return NULL;
    }
    mlp->config = with_defaults(config);
    mlp->n_layers = n_levels(config) - 1;
    mlp->memory = memory;
    mlp->model = (kan_model){.ops = &mlp_ops,
                             .self = mlp,
                             .n_in = config->width[0],
                             .n_out = config->width[mlp->n_layers],
                             .n_params = n_params,
                             .theta = memory,
                             .trainable = (uint8_t *)(memory + n_params)};
    memset(memory + n_params, 1, n_params);
    lay_out(mlp);
    return mlp;
}

/* The weights of one layer; its biases stay zero. Streams of random numbers are "mlp" in ASCII and the
 * layer, so that they meet no other use of the same seed. */
static void draw_weights(kan_mlp *mlp, size_t l) {
    const size_t n_in = mlp->config.width[l], n_out = mlp->config.width[l + 1];
    const bool he = mlp->config.init == KAN_MLP_INIT_HE && l + 1 < mlp->n_layers;
    const double sd = sqrt(2.0 / (double)n_in), a = sqrt(6.0 / ((double)n_in + (double)n_out));
    kan_random random = kan_random_seed(mlp->config.seed, (UINT64_C(0x6d6c70) << 8) + l);
    double *w = mlp->model.theta + mlp->weights_at[l];
    for (size_t j = 0; j < n_in * n_out; ++j)
        w[j] = he ? sd * kan_random_normal(&random) : a * (2.0 * kan_random_uniform(&random) - 1.0);
}

kan_mlp *kan_mlp_alloc(const kan_mlp_config *config) {
    assert(!kan_mlp_check(config) && "a config that kan_mlp_check accepts");
    kan_mlp *mlp = alloc_zero(config);
    if (!mlp) return NULL;
    for (size_t l = 0; l < mlp->n_layers; ++l) draw_weights(mlp, l);
    return mlp;
}

kan_mlp *kan_mlp_load(const kan_file *file, kan_error *error) {
    kan_mlp_config config;
    stored_layer layers[MAX_LAYERS];
    const char *kind = find_text(file, "model", error);
    if (kind && strcmp(kind, mlp_ops.name) != 0)
        kan_status_fail(error, KAN_EFORMAT, "the model is a \"%.99s\", not an \"%s\"", kind,
                        mlp_ops.name);
    if (!kind || strcmp(kind, mlp_ops.name) != 0) return NULL;
    if (read_config(file, &config, error) != KAN_OK) return NULL;

    /* All tensors are found before anything is allocated: a file cannot ask for more than it holds. */
    const size_t n_layers = n_levels(&config) - 1;
    const uint8_t *trainable = find_trainable(file, n_layers, error);
    if (!trainable) return NULL;
    for (size_t l = 0; l < n_layers; ++l) {
        layers[l] = find_layer(file, &config, l, error);
        if (!layers[l].b) return NULL;
    }

    kan_mlp *mlp = alloc_zero(&config);
    if (!mlp) {
        kan_status_fail(error, KAN_ENOMEM, "no memory for an MLP");
        return NULL;
    }
    for (size_t l = 0; l < n_layers; ++l) {
        const size_t n_in = config.width[l], n_out = config.width[l + 1];
        double *w = mlp->model.theta + mlp->weights_at[l];
        memcpy(w, layers[l].w, n_in * n_out * sizeof *w);
        memcpy(w + n_in * n_out, layers[l].b, n_out * sizeof *w);
        kan_mlp_set_trainable(mlp, l, trainable[l]);
    }
    return mlp;
}

void kan_mlp_free(kan_mlp *mlp) {
    if (!mlp) return;
    kan_work_free(mlp->memory);
    free(mlp);
}

kan_model *kan_mlp_model(kan_mlp *mlp) {
    return &mlp->model;
}

const kan_mlp_config *kan_mlp_get_config(const kan_mlp *mlp) {
    return &mlp->config;
}

void kan_mlp_set_trainable(kan_mlp *mlp, size_t layer, bool trainable) {
    assert(layer < mlp->n_layers && "layer 0 .. L-1");
    const size_t n_in = mlp->config.width[layer], n_out = mlp->config.width[layer + 1];
    uint8_t *flags = (uint8_t *)(mlp->memory + mlp->model.n_params);
    memset(flags + mlp->weights_at[layer], trainable, (n_in + 1) * n_out);
}
