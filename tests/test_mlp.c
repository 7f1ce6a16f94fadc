/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>

#include <dlfcn.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/random.h"
#include "core/work.h"
#include "mlp/mlp.h"
#include "tests/contract/model_contract.h"
#include "tests/support/alloc.h"

/* What programs do too: OpenBLAS in one thread. Another BLAS has no such function. */
static void one_blas_thread(void) {
    typedef void set_threads(int);
    set_threads *set = NULL;
    void *symbol = dlsym(RTLD_DEFAULT, "openblas_set_num_threads");
    memcpy(&set, &symbol, sizeof set);
    if (set) set(1);
}

TestSuite(mlp, .init = one_blas_thread);

/* ---- the contract -------------------------------------------------------------------------------- */

static long double activate(kan_activation activation, long double z) {
    switch (activation) {
    case KAN_SILU: return z / (1.0L + expl(-z));
    case KAN_TANH: return tanhl(z);
    case KAN_RELU: return z > 0.0L ? z : 0.0L;
    case KAN_GELU: return 0.5L * z * erfcl(-z / sqrtl(2.0L));
    case KAN_SIGMOID: return 1.0L / (1.0L + expl(-z));
    case KAN_N_ACTIVATIONS: break;
    }
    return (long double)NAN;
}

enum { MAX_WIDTH = 128 };

/* The context is the config. */
static long double reference(const void *context, const long double *theta, const long double *x,
                             long double *y) {
    const kan_mlp_config *config = context;
    long double h[MAX_WIDTH], z[MAX_WIDTH], magnitude = 0.0L;
    size_t n_in = config->width[0];
    for (size_t i = 0; i < n_in; ++i) h[i] = x[i];
    for (size_t l = 1; config->width[l] > 0; ++l) {
        const size_t n_out = config->width[l];
        const long double *b = theta + n_in * n_out;
        for (size_t o = 0; o < n_out; ++o) {
            long double absolute = fabsl(b[o]);
            z[o] = b[o];
            for (size_t i = 0; i < n_in; ++i) {
                z[o] += h[i] * theta[i * n_out + o];
                absolute += fabsl(h[i] * theta[i * n_out + o]);
            }
            magnitude = fmaxl(magnitude, absolute);
        }
        const bool last = config->width[l + 1] == 0;
        for (size_t o = 0; o < n_out; ++o)
            (last ? y : h)[o] = last ? z[o] : activate(config->activation, z[o]);
        theta = b + n_out;
        n_in = n_out;
    }
    return magnitude;
}

/* The model's self is the MLP, which is all that freeing it takes. */
static kan_model *load(const kan_file *file, kan_error *error) {
    kan_mlp *mlp = kan_mlp_load(file, error);
    return mlp ? kan_mlp_model(mlp) : NULL;
}

static void release(kan_model *m) {
    kan_mlp_free(m->self);
}

/* With biases that are not zero. */
static kan_mlp *alloc_random(const kan_mlp_config *config) {
    kan_mlp *mlp = kan_mlp_alloc(config);
    cr_assert(mlp != NULL);
    kan_model *m = kan_mlp_model(mlp);
    kan_random random = kan_random_seed(config->seed, 1);
    for (size_t j = 0; j < m->n_params; ++j) m->theta[j] += 0.5 * (kan_random_uniform(&random) - 0.5);
    return mlp;
}

typedef struct spec {
    size_t width[8];
    int activation;
    size_t batch;
} spec;

/* Widths on both sides of a task of the weight gradient (32 rows) and batches on both sides of a block of
 * samples (64, 128). */
static spec specs[] = {
    {{1, 1}, KAN_SILU, 3},          {{3, 2}, KAN_TANH, 17},
    {{2, 5, 1}, KAN_SILU, 1},       {{2, 5, 1}, KAN_SILU, 64},
    {{2, 5, 1}, KAN_TANH, 257},     {{2, 5, 1}, KAN_GELU, 65},
    {{2, 5, 1}, KAN_SIGMOID, 17},   {{2, 5, 1}, KAN_RELU, 17},
    {{3, 4, 3, 2}, KAN_SILU, 17},   {{3, 4, 3, 2}, KAN_GELU, 3},
    {{1, 7, 1, 6, 2}, KAN_TANH, 5}, {{4, 3, 3, 3, 2, 2, 3}, KAN_SILU, 17},
    {{7, 16, 16, 3}, KAN_RELU, 17}, {{3, 70, 2}, KAN_SILU, 3},
    {{70, 40, 2}, KAN_TANH, 3},     {{2, 5, 66, 3}, KAN_SILU, 3},
    {{5, 6, 4}, KAN_SIGMOID, 130},
};

ParameterizedTestParameters(mlp, fulfils_the_contract)
{ return cr_make_param_array(spec, specs, sizeof specs / sizeof *specs); }

ParameterizedTest(spec *p, mlp, fulfils_the_contract, .init = one_blas_thread) {
    for (int precision = KAN_DOUBLE; precision < KAN_N_PRECISIONS; ++precision) {
        kan_mlp_config config = {.activation = (kan_activation)p->activation,
                                 .precision = (kan_precision)precision,
                                 .seed = 2385};
        memcpy(config.width, p->width, sizeof p->width);
        kan_mlp *mlp = alloc_random(&config);
        model_contract_check(kan_mlp_model(mlp),
                             &(model_contract){
                                 .reference = reference,
                                 .context = &config,
                                 .load = load,
                                 .release = release,
                                 .batch = p->batch,
                                 .epsilon = precision == KAN_SINGLE ? FLT_EPSILON : DBL_EPSILON,
                                 .step = config.activation == KAN_RELU ? 0x1p-22 : 0.0,
                                 .seed = 42,
                             });
        kan_mlp_free(mlp);
    }
}

/* Every one runs in a process of its own, which has no threads yet. */
typedef struct large_spec {
    spec shape;
    int precision;
} large_spec;

static large_spec large[] = {
    {{{2, 32, 32, 1}, KAN_SILU, 3001}, KAN_DOUBLE}, {{{2, 32, 32, 1}, KAN_SILU, 3001}, KAN_SINGLE},
    {{{100, 64, 10}, KAN_TANH, 999}, KAN_DOUBLE},   {{{100, 64, 10}, KAN_TANH, 999}, KAN_SINGLE},
    {{{5, 80, 3}, KAN_GELU, 2048}, KAN_DOUBLE},     {{{5, 80, 3}, KAN_GELU, 2048}, KAN_SINGLE},
    {{{200, 170, 2}, KAN_SILU, 700}, KAN_DOUBLE},   {{{200, 170, 2}, KAN_SILU, 700}, KAN_SINGLE},
};

ParameterizedTestParameters(mlp, gives_the_same_bits_with_any_number_of_threads)
{ return cr_make_param_array(large_spec, large, sizeof large / sizeof *large); }

ParameterizedTest(large_spec *p, mlp, gives_the_same_bits_with_any_number_of_threads,
                  .init = one_blas_thread) {
    kan_mlp_config config = {.activation = (kan_activation)p->shape.activation,
                             .precision = (kan_precision)p->precision,
                             .seed = 77};
    memcpy(config.width, p->shape.width, sizeof p->shape.width);
    kan_mlp *mlp = alloc_random(&config);
    model_contract_check_threads(kan_mlp_model(mlp),
                                 &(model_contract){.batch = p->shape.batch, .seed = 43});
    kan_mlp_free(mlp);
}

static double *random_numbers(size_t n, uint64_t seed) {
    double *values = kan_work_alloc(n);
    cr_assert(values != NULL);
    kan_random random = kan_random_seed(seed, 2);
    for (size_t j = 0; j < n; ++j) values[j] = 2.0 * kan_random_uniform(&random) - 1.0;
    return values;
}

enum { WIDE_IN = 200, WIDE = 170, WIDE_OUT = 3, WIDE_BATCH = 523 };

/* Forward and backward of a WIDE_IN, WIDE, WIDE_OUT net with tanh, term by term. */
static void plain_pass(const double *theta, const double *x, const double *dy, double *y, double *grad,
                       double *dx) {
    const double *w = theta, *b = w + WIDE_IN * WIDE, *v = b + WIDE, *c = v + WIDE * WIDE_OUT;
    double *gw = grad, *gb = gw + WIDE_IN * WIDE, *gv = gb + WIDE, *gc = gv + WIDE * WIDE_OUT;
    for (size_t s = 0; s < WIDE_BATCH;
         ++s, x += WIDE_IN, dx += WIDE_IN, y += WIDE_OUT, dy += WIDE_OUT) {
        for (size_t o = 0; o < WIDE_OUT; ++o) y[o] = c[o], gc[o] += dy[o];
        for (size_t i = 0; i < WIDE_IN; ++i) dx[i] = 0.0;
        for (size_t k = 0; k < WIDE; ++k) {
            double z = b[k], dz = 0.0;
            for (size_t i = 0; i < WIDE_IN; ++i) z += x[i] * w[i * WIDE + k];
            const double h = tanh(z);
            for (size_t o = 0; o < WIDE_OUT; ++o) {
                y[o] += h * v[k * WIDE_OUT + o];
                gv[k * WIDE_OUT + o] += h * dy[o];
                dz += dy[o] * v[k * WIDE_OUT + o];
            }
            dz *= 1.0 - h * h;
            gb[k] += dz;
            for (size_t i = 0; i < WIDE_IN; ++i) {
                gw[i * WIDE + k] += x[i] * dz;
                dx[i] += dz * w[i * WIDE + k];
            }
        }
    }
}

static void assert_near(const char *what, size_t n, const double *a, const double *b, double epsilon) {
    double largest = 0.0;
    for (size_t j = 0; j < n; ++j) largest = fmax(largest, fabs(b[j]));
    for (size_t j = 0; j < n; ++j)
        cr_assert(epsilon_eq(dbl, a[j], b[j], epsilon * largest), "%s, entry %zu", what, j);
}

/* Layers too wide for the contract's differences, in the larger blocks. A sum of n terms of random sign
 * has an error of some sqrt(n) roundings, relative to its size; a few hundred terms and several layers of
 * them are below 256. */
Test(mlp, wide_layers_give_what_plain_loops_give) {
    for (int precision = KAN_DOUBLE; precision < KAN_N_PRECISIONS; ++precision) {
        const kan_mlp_config config = {.width = {WIDE_IN, WIDE, WIDE_OUT},
                                       .activation = KAN_TANH,
                                       .precision = (kan_precision)precision,
                                       .seed = 6};
        const double epsilon = 256.0 * (precision == KAN_SINGLE ? FLT_EPSILON : DBL_EPSILON);
        kan_mlp *mlp = kan_mlp_alloc(&config);
        kan_model *m = kan_mlp_model(mlp);
        double *x = random_numbers(WIDE_BATCH * WIDE_IN, 1),
               *dy = random_numbers(WIDE_BATCH * WIDE_OUT, 2),
               *y = kan_work_alloc(WIDE_BATCH * WIDE_OUT), *y0 = kan_work_alloc(WIDE_BATCH * WIDE_OUT),
               *dx = kan_work_alloc(WIDE_BATCH * WIDE_IN), *dx0 = kan_work_alloc(WIDE_BATCH * WIDE_IN),
               *grad = kan_work_alloc(m->n_params), *grad0 = kan_work_alloc(m->n_params),
               *work = kan_work_alloc(kan_model_work_size(m, WIDE_BATCH));
        plain_pass(m->theta, x, dy, y0, grad0, dx0);
        kan_model_forward(m, WIDE_BATCH, x, y, work);
        kan_model_backward(m, WIDE_BATCH, x, dy, grad, dx, work);
        assert_near("y", WIDE_BATCH * WIDE_OUT, y, y0, epsilon);
        assert_near("grad", m->n_params, grad, grad0, epsilon);
        assert_near("dx", WIDE_BATCH * WIDE_IN, dx, dx0, epsilon);
        double *arrays[] = {x, dy, y, y0, dx, dx0, grad, grad0, work};
        for (size_t j = 0; j < sizeof arrays / sizeof *arrays; ++j) kan_work_free(arrays[j]);
        kan_mlp_free(mlp);
    }
}

/* Single precision is not double precision under another name. */
Test(mlp, single_precision_rounds) {
    kan_mlp_config config = {.width = {3, 8, 1}, .seed = 4};
    double x[] = {0.1, -0.7, 0.385}, y[2], *work;
    for (int precision = KAN_DOUBLE; precision < KAN_N_PRECISIONS; ++precision) {
        config.precision = (kan_precision)precision;
        kan_mlp *mlp = kan_mlp_alloc(&config);
        work = kan_work_alloc(kan_model_work_size(kan_mlp_model(mlp), 1));
        kan_model_forward(kan_mlp_model(mlp), 1, x, y + precision, work);
        kan_work_free(work);
        kan_mlp_free(mlp);
    }
    cr_assert(ne(dbl, y[0], y[1]));
    cr_assert(eq(dbl, y[1], (double)(float)y[1]));
    cr_assert(epsilon_eq(dbl, y[0], y[1], 16.0 * FLT_EPSILON));
}

/* Worked by hand: XOR is max(a + b, 0) - 2 max(a + b - 1, 0). */
Test(mlp, computes_xor_as_worked_by_hand) {
    kan_mlp *mlp = kan_mlp_alloc(&(kan_mlp_config){.width = {2, 2, 1}, .activation = KAN_RELU});
    kan_model *m = kan_mlp_model(mlp);
    const double theta[] = {1, 1, 1, 1, 0, -1, 1, -2, 0}, x[] = {0, 0, 0, 1, 1, 0, 1, 1};
    const double expected[] = {0, 1, 1, 0};
    cr_assert(eq(sz, m->n_params, 9));
    memcpy(m->theta, theta, sizeof theta);
    double y[4] = {NAN, NAN, NAN, NAN}, *work = kan_work_alloc(kan_model_work_size(m, 4));
    kan_model_forward(m, 4, x, y, work);
    for (size_t s = 0; s < 4; ++s) cr_assert(eq(dbl, y[s], expected[s]), "sample %zu", s);
    kan_work_free(work);
    kan_mlp_free(mlp);
}

Test(mlp, an_empty_batch_changes_nothing) {
    kan_mlp *mlp = kan_mlp_alloc(&(kan_mlp_config){.width = {3, 4, 2}, .seed = 1});
    kan_model *m = kan_mlp_model(mlp);
    double grad[26], none = 2.385;
    cr_assert(eq(sz, m->n_params, 26));
    for (size_t j = 0; j < 26; ++j) grad[j] = 0.1 * (double)j;
    kan_model_forward(m, 0, &none, &none, &none);
    kan_model_backward(m, 0, &none, &none, grad, &none, &none);
    for (size_t j = 0; j < 26; ++j) cr_assert(eq(dbl, grad[j], 0.1 * (double)j));
    cr_assert(eq(dbl, none, 2.385));
    cr_assert(eq(dbl, kan_model_penalty(m, 0, 3.0, grad, &none), 0.0));
    kan_mlp_free(mlp);
}

/* ---- configuration and initialisation
 * ---------------------------------------------------------------- */

Test(mlp, a_config_is_checked) {
    kan_mlp_config good = {.width = {2, 32, 1}}, c = good;
    cr_assert(kan_mlp_check(&good) == NULL);
    c.width[1] = 0;
    cr_assert(kan_mlp_check(&c) != NULL, "one level");
    cr_assert(kan_mlp_check(&(kan_mlp_config){.seed = 3}) != NULL, "no level");
    c = good, c.width[1] = (size_t)1 << 31;
    cr_assert(kan_mlp_check(&c) != NULL, "a width that CBLAS cannot count");
    c = good, c.width[1] = c.width[2] = c.width[3] = ((size_t)1 << 31) - 1;
    cr_assert(kan_mlp_check(&c) != NULL, "more weights than memory can hold");
    c = good, c.activation = KAN_N_ACTIVATIONS;
    cr_assert(kan_mlp_check(&c) != NULL, "no activation");
    c = good, c.init = KAN_MLP_N_INITS;
    cr_assert(kan_mlp_check(&c) != NULL, "no initialisation");
    c = good, c.precision = KAN_N_PRECISIONS;
    cr_assert(kan_mlp_check(&c) != NULL, "no precision");
    c = good;
    for (size_t level = 0; level <= KAN_MLP_MAX_LEVELS; ++level) c.width[level] = 2;
    c.init = KAN_MLP_INIT_HE, c.width[KAN_MLP_MAX_LEVELS] = 0;
    cr_assert(kan_mlp_check(&c) == NULL, "16 layers");
    c.width[KAN_MLP_MAX_LEVELS] = 2;
    cr_assert(kan_mlp_check(&c) != NULL, "17 layers");
}

Test(mlp, counts_its_parameters) {
    cr_assert(eq(sz, kan_mlp_count(&(kan_mlp_config){.width = {1, 1}}), 2));
    cr_assert(eq(sz, kan_mlp_count(&(kan_mlp_config){.width = {2, 32, 32, 1}}), 96 + 1056 + 33));
    cr_assert(eq(sz, kan_mlp_count(&(kan_mlp_config){.width = {SIZE_MAX, 2}}), SIZE_MAX));
    cr_assert(
        eq(sz, kan_mlp_count(&(kan_mlp_config){.width = {SIZE_MAX / 4, 3, SIZE_MAX / 6}}), SIZE_MAX));
}

/* Moments of the n numbers at w. */
static void measure(size_t n, const double *w, double *mean, double *variance, double *largest) {
    *mean = *variance = *largest = 0.0;
    for (size_t j = 0; j < n; ++j) {
        *mean += w[j] / (double)n;
        *variance += w[j] * w[j] / (double)n;
        *largest = fmax(*largest, fabs(w[j]));
    }
}

/* Means and variances within five standard errors: sqrt(v / n); v sqrt(2 / n) for normal, v sqrt(0.8 /
 * n) for uniform numbers. */
static void assert_he(size_t n_in, size_t n, const double *w) {
    double mean, variance, largest;
    const double v = 2.0 / (double)n_in;
    measure(n, w, &mean, &variance, &largest);
    cr_assert(epsilon_eq(dbl, mean, 0.0, 5.0 * sqrt(v / (double)n)));
    cr_assert(epsilon_eq(dbl, variance, v, 5.0 * v * sqrt(2.0 / (double)n)));
    cr_assert(gt(dbl, largest, 3.0 * sqrt(v)), "no tails");
}

static void assert_glorot(size_t n_in, size_t n_out, const double *w) {
    double mean, variance, largest;
    const double v = 2.0 / (double)(n_in + n_out), n = (double)(n_in * n_out);
    measure(n_in * n_out, w, &mean, &variance, &largest);
    cr_assert(epsilon_eq(dbl, mean, 0.0, 5.0 * sqrt(v / n)));
    cr_assert(epsilon_eq(dbl, variance, v, 5.0 * v * sqrt(0.8 / n)));
    cr_assert(le(dbl, largest, sqrt(3.0 * v)));
}

Test(mlp, starts_as_he_and_glorot_say) {
    enum { A = 80, B = 120, C = 70 };
    static const kan_activation activations[] = {KAN_SILU, KAN_TANH, KAN_RELU, KAN_GELU, KAN_SIGMOID};
    for (size_t k = 0; k < 5; ++k)
        for (int init = 0; init < KAN_MLP_N_INITS; ++init) {
            const kan_mlp_config config = {.width = {A, B, C},
                                           .activation = activations[k],
                                           .init = (kan_mlp_init)init,
                                           .seed = 5 + k};
            kan_mlp *mlp = kan_mlp_alloc(&config);
            const double *w = kan_mlp_model(mlp)->theta, *b = w + A * B, *last = b + B;
            const bool saturates = config.activation == KAN_TANH || config.activation == KAN_SIGMOID;
            const bool he = init == KAN_MLP_INIT_HE || (init == KAN_MLP_INIT_AUTO && !saturates);
            if (he)
                assert_he(A, A * B, w);
            else
                assert_glorot(A, B, w);
            assert_glorot(B, C, last);
            for (size_t o = 0; o < B; ++o) cr_assert(eq(dbl, b[o], 0.0));
            for (size_t o = 0; o < C; ++o) cr_assert(eq(dbl, last[B * C + o], 0.0));
            cr_assert(eq(int, (int)kan_mlp_get_config(mlp)->init,
                         he ? KAN_MLP_INIT_HE : KAN_MLP_INIT_GLOROT));
            kan_mlp_free(mlp);
        }
}

Test(mlp, the_seed_decides_and_layers_draw_different_numbers) {
    kan_mlp_config config = {.width = {6, 6, 6, 6}, .init = KAN_MLP_INIT_GLOROT, .seed = 9};
    kan_mlp *a = kan_mlp_alloc(&config), *b = kan_mlp_alloc(&config);
    config.seed = 10;
    kan_mlp *c = kan_mlp_alloc(&config);
    const double *p = kan_mlp_model(a)->theta, *q = kan_mlp_model(b)->theta,
                 *r = kan_mlp_model(c)->theta;
    for (size_t j = 0; j < 3 * 42; ++j) {
        cr_assert(eq(dbl, p[j], q[j]));
        if (j % 42 < 36) cr_assert(ne(dbl, p[j], r[j]));
        if (j < 36) cr_assert(p[j] != p[42 + j] && p[j] != p[84 + j] && p[42 + j] != p[84 + j]);
    }
    kan_mlp_free(c);
    kan_mlp_free(b);
    kan_mlp_free(a);
}

Test(mlp, freezes_layers) {
    kan_mlp *mlp = kan_mlp_alloc(&(kan_mlp_config){.width = {2, 5, 3, 1}, .seed = 1});
    const kan_model *m = kan_mlp_model(mlp);
    cr_assert(eq(sz, kan_model_n_trainable(m), 15 + 18 + 4));
    kan_mlp_set_trainable(mlp, 1, false);
    cr_assert(eq(sz, kan_model_n_trainable(m), 15 + 4));
    for (size_t j = 0; j < m->n_params; ++j)
        cr_assert(eq(int, m->trainable[j], j < 15 || j >= 15 + 18), "parameter %zu", j);
    kan_mlp_set_trainable(mlp, 2, false);
    kan_mlp_set_trainable(mlp, 1, true);
    cr_assert(eq(sz, kan_model_n_trainable(m), 15 + 18));
    kan_mlp_free(mlp);
}

/* ---- model files
 * ------------------------------------------------------------------------------------- */

Test(mlp, a_model_file_keeps_config_and_frozen_layers) {
    const kan_mlp_config config = {.width = {2, 5, 3, 1},
                                   .activation = KAN_GELU,
                                   .init = KAN_MLP_INIT_GLOROT,
                                   .precision = KAN_SINGLE,
                                   .seed = UINT64_MAX};
    kan_mlp *mlp = kan_mlp_alloc(&config);
    kan_mlp_set_trainable(mlp, 1, false);
    kan_file *file = kan_file_alloc();
    cr_assert(eq(int, (int)kan_model_add_to(kan_mlp_model(mlp), file, NULL), KAN_OK));
    cr_assert(strcmp(kan_file_get(file, "mlp.width"), "2,5,3,1") == 0);
    cr_assert(strcmp(kan_file_get(file, "mlp.precision"), "single") == 0);

    kan_mlp *copy = kan_mlp_load(file, NULL);
    cr_assert(copy != NULL);
    const kan_mlp_config *c = kan_mlp_get_config(copy);
    for (size_t level = 0; level <= KAN_MLP_MAX_LEVELS; ++level)
        cr_assert(eq(sz, c->width[level], config.width[level]));
    cr_assert(c->activation == config.activation && c->init == config.init && c->seed == config.seed);
    cr_assert(eq(int, (int)c->precision, KAN_SINGLE));
    for (size_t j = 0; j < kan_mlp_count(&config); ++j)
        cr_assert(eq(int, kan_mlp_model(copy)->trainable[j], kan_mlp_model(mlp)->trainable[j]));
    kan_mlp_free(copy);
    kan_file_free(file);
    kan_mlp_free(mlp);
}

/* A file of a 2,3,1 MLP; the texts of `name` and the tensor `tensor` can be made wrong or left out. */
static kan_file *file_with(const char *name, const char *text, const char *tensor, size_t rows,
                           double value) {
    static const char *const texts[][2] = {{"model", "mlp"},
                                           {"mlp.width", "2,3,1"},
                                           {"mlp.activation", "silu"},
                                           {"mlp.init", "he"},
                                           {"mlp.seed", "7"}};
    static const char *const tensors[] = {"mlp.W0", "mlp.b0", "mlp.W1", "mlp.b1"};
    static const size_t shapes[][2] = {{2, 3}, {3, 0}, {3, 1}, {1, 0}};
    kan_file *file = kan_file_alloc();
    for (size_t k = 0; k < 5; ++k) {
        const bool same = name && strcmp(name, texts[k][0]) == 0;
        if (!same || text)
            cr_assert(kan_file_set(file, texts[k][0], same ? text : texts[k][1], NULL) == KAN_OK);
    }
    for (size_t k = 0; k < 4; ++k) {
        const bool same = tensor && strcmp(tensor, tensors[k]) == 0;
        const size_t shape[2] = {same ? rows : shapes[k][0], shapes[k][1]};
        const double values[9] = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9};
        double changed[9];
        memcpy(changed, values, sizeof changed);
        if (same) changed[0] = value;
        if (shape[0] > 0)
            cr_assert(kan_file_add(file, tensors[k], KAN_F64, shape[1] > 0 ? 2 : 1, shape, changed,
                                   NULL) == KAN_OK);
    }
    const bool same = tensor && strcmp(tensor, "mlp.trainable") == 0;
    const size_t n = same ? rows : 2;
    const uint8_t trainable[4] = {same ? (uint8_t)value : 1, 0, 1, 1};
    if (n > 0) cr_assert(kan_file_add(file, "mlp.trainable", KAN_U8, 1, &n, trainable, NULL) == KAN_OK);
    return file;
}

/* The same file with a text that older ones do not have. */
static kan_file *file_with_precision(const char *text) {
    kan_file *file = file_with(NULL, NULL, NULL, 0, 0.0);
    cr_assert(kan_file_set(file, "mlp.precision", text, NULL) == KAN_OK);
    return file;
}

static void assert_refused(kan_file *file, const char *name, const char *text) {
    kan_error error = {KAN_OK, ""};
    kan_mlp *mlp = kan_mlp_load(file, &error);
    cr_assert(mlp == NULL, "%s: %s is accepted", name, text ? text : "absence");
    cr_assert(eq(int, (int)error.status, KAN_EFORMAT), "%s: %s", name, text ? text : "absence");
    cr_assert(strstr(error.message, name) != NULL, "\"%s\" does not name %s", error.message, name);
    kan_file_free(file);
}

Test(mlp, refuses_files_with_wrong_texts) {
    static const char *const wrong[][2] = {
        {"model", "kan"},
        {"model", NULL},
        {"mlp.width", NULL},
        {"mlp.width", ""},
        {"mlp.width", "2"},
        {"mlp.width", "2,3,1,"},
        {"mlp.width", ",2,3,1"},
        {"mlp.width", "2,-3,1"},
        {"mlp.width", "2,+3,1"},
        {"mlp.width", "2, 3,1"},
        {"mlp.width", "2,0,1"},
        {"mlp.width", "2,3,1x"},
        {"mlp.width", "2,3.5,1"},
        {"mlp.width", "2,99999999999999999999999,1"},
        {"mlp.width", "2147483647,2147483647,2147483647,2147483647,2147483647"},
        {"mlp.width", "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1"},
        {"mlp.activation", NULL},
        {"mlp.activation", "SiLU"},
        {"mlp.activation", ""},
        {"mlp.init", NULL},
        {"mlp.init", "xavier"},
        {"mlp.seed", NULL},
        {"mlp.seed", "-1"},
        {"mlp.seed", "7 "},
        {"mlp.seed", ""},
        {"mlp.seed", "18446744073709551616"},
    };
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; ++k)
        assert_refused(file_with(wrong[k][0], wrong[k][1], NULL, 0, 0.0), wrong[k][0], wrong[k][1]);
    kan_file *file = file_with(NULL, NULL, NULL, 0, 0.0);
    kan_mlp *mlp = kan_mlp_load(file, NULL);
    cr_assert(mlp != NULL, "the file that nothing was done to");
    cr_assert(eq(sz, kan_model_n_trainable(kan_mlp_model(mlp)), 9));
    cr_assert(eq(int, (int)kan_mlp_get_config(mlp)->precision, KAN_DOUBLE), "what older files mean");
    kan_mlp_free(mlp);
    kan_file_free(file);
    assert_refused(file_with_precision("Single"), "mlp.precision", "Single");
    assert_refused(file_with_precision(""), "mlp.precision", "");
}

Test(mlp, refuses_files_with_wrong_tensors) {
    static const char *const tensors[] = {"mlp.W0", "mlp.b0", "mlp.W1", "mlp.b1", "mlp.trainable"};
    static const size_t rows[] = {2, 3, 3, 1, 2};
    for (size_t k = 0; k < 5; ++k) {
        assert_refused(file_with(NULL, NULL, tensors[k], 0, 0.0), tensors[k], "absence");
        assert_refused(file_with(NULL, NULL, tensors[k], rows[k] + 1, 0.5), tensors[k],
                       "another shape");
        if (k < 4) {
            assert_refused(file_with(NULL, NULL, tensors[k], rows[k], NAN), tensors[k], "NaN");
            assert_refused(file_with(NULL, NULL, tensors[k], rows[k], -INFINITY), tensors[k],
                           "infinity");
        }
    }
    assert_refused(file_with(NULL, NULL, "mlp.trainable", 2, 2.0), "mlp.trainable", "2");
    /* widths that no file of this size can hold must not be allocated */
    assert_refused(file_with("mlp.width", "200000000,200000000,1", NULL, 0, 0.0), "mlp.W0",
                   "huge widths");
}

/* ---- memory
 * ------------------------------------------------------------------------------------------ */

static const kan_mlp_config small = {.width = {2, 5, 1}, .seed = 3};

static kan_status attempt_alloc(void *context) {
    (void)context;
    kan_mlp *mlp = kan_mlp_alloc(&small);
    const kan_status status = mlp ? KAN_OK : KAN_ENOMEM;
    kan_mlp_free(mlp);
    return status;
}

static kan_status attempt_save(void *context) {
    kan_error error = {KAN_OK, ""};
    kan_file *file = kan_file_alloc();
    if (!file) return KAN_ENOMEM;
    const kan_status status = kan_model_add_to(context, file, &error);
    kan_file_free(file);
    return status;
}

static kan_status attempt_load(void *context) {
    kan_error error = {KAN_OK, ""};
    kan_mlp *mlp = kan_mlp_load(context, &error);
    kan_mlp_free(mlp);
    return error.status;
}

Test(mlp, survives_every_failing_allocation) {
    cr_assert(eq(sz, alloc_fail_every(attempt_alloc, NULL), 2));
    kan_mlp *mlp = kan_mlp_alloc(&small);
    cr_assert(gt(sz, alloc_fail_every(attempt_save, kan_mlp_model(mlp)), 5));
    kan_file *file = kan_file_alloc();
    cr_assert(kan_model_add_to(kan_mlp_model(mlp), file, NULL) == KAN_OK);
    cr_assert(ge(sz, alloc_fail_every(attempt_load, file), 2));
    kan_file_free(file);
    kan_mlp_free(mlp);
    kan_mlp_free(NULL);
}

Test(mlp, work_that_cannot_be_had_is_said_so) {
    kan_mlp *mlp = kan_mlp_alloc(&small);
    cr_assert(eq(sz, kan_model_work_size(kan_mlp_model(mlp), SIZE_MAX / 3), SIZE_MAX));
    kan_mlp_free(mlp);
}

/* ---- the BLAS behind it
 * ------------------------------------------------------------------------------ */

Test(mlp, openblas_and_not_gsl_answers_cblas_dgemm) {
    if (!dlsym(RTLD_DEFAULT, "openblas_get_config"))
        cr_skip_test("skipped: this build is not linked with OpenBLAS");
    Dl_info info = {0};
    void *dgemm = dlsym(RTLD_DEFAULT, "cblas_dgemm");
    cr_assert(dgemm != NULL && dladdr(dgemm, &info) != 0 && info.dli_fname != NULL);
    cr_assert(strstr(info.dli_fname, "gslcblas") == NULL, "%s answers", info.dli_fname);

    /* and the same library holds OpenBLAS's own functions, under whatever name it is installed */
    Dl_info openblas = {0};
    cr_assert(dladdr(dlsym(RTLD_DEFAULT, "openblas_get_config"), &openblas) != 0);
    cr_assert(strcmp(info.dli_fname, openblas.dli_fname) == 0);
}
