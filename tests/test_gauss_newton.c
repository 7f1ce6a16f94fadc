/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/parallel.h"
#include "core/random.h"
#include "core/work.h"
#include "kan/net.h"
#include "mlp/mlp.h"
#include "tests/support/alloc.h"
#include "train/cholesky.h"
#include "train/objective.h"

/* ---- models and data ---------------------------------------------------------------------------- */

typedef struct spec {
    size_t width[5], n_cells; /* n_cells 0: an MLP */
    size_t n;
    int classes, weighted;
    int dense; /* which way of making H it should take */
} spec;

static spec specs[] = {
    {{2, 3}, 0, 40, 1, 1, 1},         {{3, 6, 2}, 0, 300, 0, 1, 1},  {{3, 6, 4}, 0, 50, 1, 0, 1},
    {{2, 5, 1}, 3, 40, 0, 0, 1},      {{2, 5, 1}, 60, 300, 0, 1, 0}, {{3, 4, 3}, 40, 90, 1, 1, 0},
    {{2, 2, 2, 2}, 25, 700, 0, 0, 0}, {{2, 3, 3}, 2, 33, 1, 0, 1},
};

static kan_net *net;
static kan_mlp *mlp;

static kan_model *make_model(const spec *p) {
    kan_net_config k = {.n_cells = p->n_cells, .seed = 3};
    kan_mlp_config m = {.activation = KAN_TANH, .seed = 3};
    memcpy(k.width, p->width, sizeof p->width);
    memcpy(m.width, p->width, sizeof p->width);
    if (p->n_cells > 0) {
        net = kan_net_alloc(&k);
        return kan_net_model(net);
    }
    mlp = kan_mlp_alloc(&m);
    return kan_mlp_model(mlp);
}

static void free_model(void) {
    kan_net_free(net);
    kan_mlp_free(mlp);
    net = NULL, mlp = NULL;
}

static kan_dataset *make_data(const spec *p, const kan_model *m) {
    kan_dataset *d = kan_dataset_alloc(p->classes ? KAN_CLASSIFICATION : KAN_REGRESSION, p->n, m->n_in,
                                       m->n_out, false);
    kan_random random = kan_random_seed(5, p->n);
    for (size_t j = 0; j < p->n * m->n_in; ++j) d->x[j] = 2.4 * kan_random_uniform(&random) - 1.2;
    for (size_t j = 0; j < p->n * kan_dataset_y_width(d); ++j)
        d->y[j] = p->classes ? (double)kan_random_below(&random, m->n_out) : kan_random_normal(&random);
    if (p->weighted) d->weight = kan_work_alloc(p->n);
    for (size_t s = 0; d->weight && s < p->n; ++s) d->weight[s] = 0.2 + kan_random_uniform(&random);
    return d;
}

static objective make_objective(kan_model *m, const kan_dataset *d) {
    objective o;
    cr_assert(eq(int, (int)objective_alloc(&o, m, kan_loss_of_task(d->task), 0.0, d, d->n, MATRIX_MADE),
                 KAN_OK));
    return o;
}

/* ---- H, g and b ---------------------------------------------------------------------------------- */

/* y and the rows dy[o]/dtheta of one sample by backward passes. */
static void plain_rows(const kan_model *m, const double *x, double *y, double *rows) {
    double *work = kan_work_alloc(kan_model_work_size(m, 1)), *dy = kan_work_alloc(m->n_out);
    memset(rows, 0, m->n_out * m->n_params * sizeof *rows);
    for (size_t o = 0; o < m->n_out; ++o) {
        memset(dy, 0, m->n_out * sizeof *dy);
        dy[o] = 1.0;
        kan_model_forward(m, 1, x, y, work);
        kan_model_backward(m, 1, x, dy, rows + o * m->n_params, NULL, work);
    }
    kan_work_free(dy);
    kan_work_free(work);
}

/* The second derivative L'' of a sample's loss by its logits, [o][k], without the code under test. */
static double second_derivative(const spec *p, size_t n_out, const double *y, size_t o, size_t k) {
    double sum = 0.0;
    if (!p->classes) return o == k ? 2.0 / (double)n_out : 0.0;
    for (size_t j = 0; j < n_out; ++j) sum += exp(y[j]);
    return (o == k ? exp(y[o]) / sum : 0.0) - exp(y[o]) * exp(y[k]) / (sum * sum);
}

/* H and magnitudes [n_params][n_params] of its sums, term by term. */
static void plain_matrix(const spec *p, const kan_model *m, const kan_dataset *d, double *H) {
    const size_t n_params = m->n_params, n_out = m->n_out;
    double *rows = kan_work_alloc(n_out * n_params), *y = kan_work_alloc(n_out), total = 0.0;
    for (size_t s = 0; s < d->n; ++s) total += d->weight ? d->weight[s] : 1.0;
    for (size_t s = 0; s < d->n; ++s) {
        plain_rows(m, d->x + s * m->n_in, y, rows);
        for (size_t o = 0; o < n_out; ++o)
            for (size_t k = 0; k < n_out; ++k) {
                const double c = second_derivative(p, n_out, y, o, k) *
                                 (d->weight ? d->weight[s] : 1.0) / total;
                const double *a = rows + o * n_params, *b = rows + k * n_params;
                for (size_t i = 0; i < n_params; ++i)
                    for (size_t j = 0; j <= i; ++j) H[i * n_params + j] += c * a[i] * b[j];
            }
    }
    kan_work_free(y);
    kan_work_free(rows);
}

ParameterizedTestParameters(gauss_newton, is_the_sum_of_its_terms)
{ return cr_make_param_array(spec, specs, sizeof specs / sizeof *specs); }

/* Entries are sums over some hundred samples of products of numbers of order 1 .. 10. */
ParameterizedTest(spec *p, gauss_newton, is_the_sum_of_its_terms) {
    kan_model *m = make_model(p);
    kan_dataset *d = make_data(p, m);
    objective o = make_objective(m, d);
    const size_t n = m->n_params;
    double *H = kan_work_alloc(n * n), *expected = kan_work_alloc(n * n), *g = kan_work_alloc(n),
           *grad = kan_work_alloc(n), largest = 0.0;
    cr_assert(eq(int, o.gn->dense != NULL, p->dense));
    for (size_t j = 0; j < n * n; ++j) H[j] = 2.385; /* is overwritten */
    alloc_count_begin();
    const double value = objective_linearize(&o, d, g, H, NULL);
    cr_assert(eq(sz, alloc_count_end(), 0));
    cr_assert(epsilon_eq(dbl, value, objective_pass(&o, d, 0, d->n, NULL, AIM_GRADIENT, grad), 1e-13));
    plain_matrix(p, m, d, expected);
    for (size_t j = 0; j < n * n; ++j) largest = fmax(largest, fabs(expected[j]));
    cr_assert(gt(dbl, largest, 1e-3));
    for (size_t i = 0; i < n; ++i) {
        cr_assert(epsilon_eq(dbl, g[i], grad[i], 1e-13), "g[%zu]", i);
        for (size_t j = 0; j <= i; ++j)
            cr_assert(epsilon_eq(dbl, H[i * n + j], expected[i * n + j], 1e-13 * largest),
                      "H[%zu][%zu]", i, j);
    }
    double *arrays[] = {H, expected, g, grad};
    for (size_t j = 0; j < 4; ++j) kan_work_free(arrays[j]);
    objective_free(&o);
    kan_dataset_free(d);
    free_model();
}

/* Of a model linear in its parameters H is the Hessian: differences of the gradient, with errors of h^2 and
 * DBL_EPSILON / h. */
Test(gauss_newton, is_the_hessian_of_a_linear_model) {
    for (size_t k = 0; k < 2; ++k) {
        const spec p = {{2, 3}, k == 0 ? 0 : 3, 60, 1, 1, 1};
        const double h = 1e-5;
        kan_model *m = make_model(&p);
        kan_dataset *d = make_data(&p, m);
        objective o = make_objective(m, d);
        const size_t n = m->n_params;
        double *H = kan_work_alloc(n * n), *g = kan_work_alloc(n), *up = kan_work_alloc(n),
               *down = kan_work_alloc(n), largest = 0.0;
        objective_linearize(&o, d, g, H, NULL);
        for (size_t i = 0; i < n; ++i) {
            const double kept = m->theta[i];
            m->theta[i] = kept + h;
            objective_pass(&o, d, 0, d->n, NULL, AIM_GRADIENT, up);
            m->theta[i] = kept - h;
            objective_pass(&o, d, 0, d->n, NULL, AIM_GRADIENT, down);
            m->theta[i] = kept;
            for (size_t j = 0; j <= i; ++j) {
                cr_assert(epsilon_eq(dbl, H[i * n + j], (up[j] - down[j]) / (2.0 * h), 1e-9), "%zu %zu",
                          i, j);
                largest = fmax(largest, fabs(H[i * n + j]));
            }
        }
        cr_assert(gt(dbl, largest, 1e-3));
        double *arrays[] = {H, g, up, down};
        for (size_t j = 0; j < 4; ++j) kan_work_free(arrays[j]);
        objective_free(&o);
        kan_dataset_free(d);
        free_model();
    }
}

ParameterizedTestParameters(gauss_newton, multiplies_without_a_matrix)
{ return cr_make_param_array(spec, specs, sizeof specs / sizeof *specs); }

ParameterizedTest(spec *p, gauss_newton, multiplies_without_a_matrix) {
    kan_model *m = make_model(p);
    kan_dataset *d = make_data(p, m);
    objective made = make_objective(m, d), o;
    const size_t n = m->n_params;
    double *H = kan_work_alloc(n * n), *g = kan_work_alloc(n), *other = kan_work_alloc(n),
           *v = kan_work_alloc(n), *Hv = kan_work_alloc(n);
    kan_random random = kan_random_seed(9, 2);
    const kan_loss *loss = kan_loss_of_task(d->task);
    cr_assert(eq(int, (int)objective_alloc(&o, m, loss, 0.0, d, d->n, MATRIX_PRODUCTS), KAN_OK));
    for (size_t i = 0; i < n; ++i) v[i] = 2.0 * kan_random_uniform(&random) - 1.0, Hv[i] = NAN;
    const double value = objective_linearize(&made, d, g, H, NULL);
    double *diagonal = kan_work_alloc(n), largest = 0.0;
    cr_assert(eq(dbl, objective_sketch(&o, d, other, diagonal), value));
    for (size_t repeat = 0; repeat < 2; ++repeat) objective_multiply(&o, v, Hv);
    for (size_t i = 0; i < n; ++i) largest = fmax(largest, H[i * n + i]);
    for (size_t i = 0; i < n; ++i) {
        double sum = 0.0;
        for (size_t j = 0; j < n; ++j) sum += (j <= i ? H[i * n + j] : H[j * n + i]) * v[j];
        cr_assert(epsilon_eq(dbl, other[i], g[i], 1e-14), "g[%zu]", i);
        cr_assert(epsilon_eq(dbl, diagonal[i], H[i * n + i], 1e-14 * largest), "diagonal of %zu", i);
        cr_assert(epsilon_eq(dbl, Hv[i], sum, 1e-14 * largest * (double)n), "Hv[%zu]", i);
    }
    double *arrays[] = {H, g, other, v, Hv, diagonal};
    for (size_t j = 0; j < 6; ++j) kan_work_free(arrays[j]);
    objective_free(&made);
    objective_free(&o);
    kan_dataset_free(d);
    free_model();
}

ParameterizedTestParameters(gauss_newton, bends_as_the_model_does)
{ return cr_make_param_array(spec, specs, sizeof specs / sizeof *specs); }

/* b = J^T L'' y_pp with y_pp by differences with the same h. */
ParameterizedTest(spec *p, gauss_newton, bends_as_the_model_does) {
    enum { OUT = 4 };
    const double h = 0.03;
    kan_model *m = make_model(p);
    kan_dataset *d = make_data(p, m);
    objective o = make_objective(m, d);
    const size_t n = m->n_params;
    double *b = kan_work_alloc(n), *expected = kan_work_alloc(n), *v = kan_work_alloc(n),
           *theta = kan_work_alloc(n), *rows = kan_work_alloc(n * m->n_out),
           *other = kan_work_alloc(n * m->n_out);
    double total = 0.0, y[3][OUT];
    kan_random random = kan_random_seed(9, 1);
    for (size_t i = 0; i < n; ++i) v[i] = 2.0 * kan_random_uniform(&random) - 1.0;
    memcpy(theta, m->theta, n * sizeof *theta);
    objective_bend(&o, d, theta, v, h, b);
    for (size_t s = 0; s < d->n; ++s) total += d->weight ? d->weight[s] : 1.0;
    for (size_t s = 0; s < d->n; ++s) {
        for (int k = 2; k >= 0; --k) { /* theta + h v, theta - h v, theta */
            for (size_t i = 0; i < n; ++i)
                m->theta[i] = theta[i] + (k == 2 ? h : k == 1 ? -h : 0.0) * v[i];
            plain_rows(m, d->x + s * m->n_in, y[k], k == 0 ? rows : other);
        }
        for (size_t a = 0; a < m->n_out; ++a)
            for (size_t k = 0; k < m->n_out; ++k) {
                const double bend = (y[2][k] - 2.0 * y[0][k] + y[1][k]) / (h * h);
                const double c = second_derivative(p, m->n_out, y[0], a, k) * bend *
                                 (d->weight ? d->weight[s] : 1.0) / total;
                for (size_t i = 0; i < n; ++i) expected[i] += c * rows[a * n + i];
            }
    }
    /* differences of order-1 numbers over h^2 */
    for (size_t i = 0; i < n; ++i) cr_assert(epsilon_eq(dbl, b[i], expected[i], 1e-10), "b[%zu]", i);
    double *arrays[] = {b, expected, v, theta, rows, other};
    for (size_t j = 0; j < 6; ++j) kan_work_free(arrays[j]);
    objective_free(&o);
    kan_dataset_free(d);
    free_model();
}

/* ---- Cholesky ------------------------------------------------------------------------------------- */

/* A = B B^T + I, of more blocks than one; the upper triangle is NaN. */
static void make_matrix(size_t n, double *B, double *A) {
    kan_random random = kan_random_seed(n, 4);
    for (size_t j = 0; j < n * n; ++j) B[j] = kan_random_normal(&random), A[j] = NAN;
    for (size_t i = 0; i < n; ++i)
        for (size_t j = 0; j <= i; ++j) {
            A[i * n + j] = i == j ? 1.0 : 0.0;
            for (size_t k = 0; k < n; ++k) A[i * n + j] += B[i * n + k] * B[j * n + k] / (double)n;
        }
}

Test(cholesky, factors_and_solves) {
    const size_t sizes[] = {1, 2, 47, 48, 49, 130};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; ++k) {
        const size_t n = sizes[k];
        double *B = kan_work_alloc(n * n), *A = kan_work_alloc(n * n), *L = kan_work_alloc(n * n),
               *x = kan_work_alloc(n);
        make_matrix(n, B, A);
        memcpy(L, A, n * n * sizeof *L);
        for (size_t i = 0; i < n; ++i) x[i] = sin((double)i + 0.385);
        cr_assert(cholesky_factor(n, 0.0, L));
        cholesky_solve(n, L, x);
        for (size_t i = 0; i < n; ++i) { /* entries of A are below 3, its condition number is */
            double sum = 0.0;
            for (size_t j = 0; j < n; ++j) sum += (j <= i ? A[i * n + j] : A[j * n + i]) * x[j];
            cr_assert(
                epsilon_eq(dbl, sum, sin((double)i + 0.385), 16.0 * (double)(n + 1) * DBL_EPSILON));
        }
        double *arrays[] = {A, B, L, x};
        for (size_t j = 0; j < 4; ++j) kan_work_free(arrays[j]);
    }
}

Test(cholesky, refuses_what_is_not_positive_definite) {
    double A[4] = {1.0, NAN, 2.0, 1.0}, B[4] = {1.0, 0.0, NAN, 1.0}, C[4] = {4.0, 0.0, 2.0, 1.0};
    cr_assert(not(cholesky_factor(2, 0.0, A)));
    cr_assert(not(cholesky_factor(2, 0.0, B)));
    cr_assert(not(cholesky_factor(2, 0.0, C)), "a pivot of 0");
}

/* ---- threads -------------------------------------------------------------------------------------- */

static void assert_same_bits(size_t n, const double *a, const double *b) {
    for (size_t i = 0; i < n; ++i)
        for (size_t j = 0; j <= i; ++j)
            cr_assert(memcmp(a + i * n + j, b + i * n + j, sizeof *a) == 0, "entry %zu, %zu", i, j);
}

Test(gauss_newton, any_number_of_threads_gives_the_same_bits) {
    const spec large[] = {{{8, 9, 2}, 20, 700, 1, 1, 0}, {{6, 30, 2}, 0, 700, 0, 1, 1}};
    for (size_t k = 0; k < 2; ++k) {
        kan_model *m = make_model(&large[k]);
        kan_dataset *d = make_data(&large[k], m);
        objective o = make_objective(m, d);
        const size_t n = m->n_params;
        cr_assert(eq(int, o.gn->dense != NULL, large[k].dense));
        double *H[2] = {kan_work_alloc(n * n), kan_work_alloc(n * n)}, *g = kan_work_alloc(2 * n);
        for (size_t threads = 1; threads <= 4; ++threads) {
            const size_t to = threads > 1;
            kan_parallel_set_threads(threads);
            objective_linearize(&o, d, g + to * n, H[to], NULL);
            for (size_t i = 0; i < n; ++i) H[to][i * n + i] += 1.0;
            cr_assert(cholesky_factor(n, 0.0, H[to]));
            if (!to) continue;
            assert_same_bits(n, H[0], H[1]);
            cr_assert(memcmp(g, g + n, n * sizeof *g) == 0);
        }
        double *arrays[] = {H[0], H[1], g};
        for (size_t j = 0; j < 3; ++j) kan_work_free(arrays[j]);
        objective_free(&o);
        kan_dataset_free(d);
        free_model();
    }
}
