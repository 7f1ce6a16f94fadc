/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>

#include <float.h>
#include <math.h>
#include <string.h>

#include <gsl/gsl_blas.h>
#include <gsl/gsl_linalg.h>
#include <gsl/gsl_multifit_nlinear.h>

#include "core/random.h"
#include "tests/support/alloc.h"
#include "train/lm.h"

/* ---- least-squares problems: f = |r|^2 / 2, g = J^T r, H = J^T J -------------------------------- */

enum { MAX_N = 12, MAX_M = 60 };

typedef struct problem {
    size_t n, m;
    int kind;
    double start[4]; /* repeated */
    double least;    /* f at the minimum; NaN: as GSL says */
} problem;

enum { ROSENBROCK, WOOD, POWELL, LINEAR, SINGULAR, EXPONENTIAL, WALL };

static problem problems[] = {
    {2, 2, ROSENBROCK, {-1.2, 1.0, -1.2, 1.0}, 0.0}, {4, 6, WOOD, {-3.0, -1.0, -3.0, -1.0}, 0.0},
    {4, 4, POWELL, {3.0, -1.0, 0.0, 1.0}, 0.0},      {7, 30, LINEAR, {0.3, -2.1, 0.7, 5.0}, NAN},
    {3, 40, EXPONENTIAL, {1.0, 0.3, 0.1, 0.0}, NAN},
};

/* Numbers of the fits: a design and targets with noise. */
static double design[MAX_M][MAX_N], target[MAX_M];

static void make_data(void) {
    kan_random random = kan_random_seed(2385, 1);
    for (size_t k = 0; k < MAX_M; ++k) {
        for (size_t i = 0; i < MAX_N; ++i) design[k][i] = kan_random_normal(&random);
        target[k] = kan_random_normal(&random);
    }
}

static void rosenbrock(const double *x, double *r, double (*J)[MAX_N]) {
    r[0] = 10.0 * (x[1] - x[0] * x[0]), r[1] = 1.0 - x[0];
    J[0][0] = -20.0 * x[0], J[0][1] = 10.0, J[1][0] = -1.0;
}

static void wood(const double *x, double *r, double (*J)[MAX_N]) {
    const double a = sqrt(90.0), b = sqrt(10.0), c = 1.0 / sqrt(10.0);
    r[0] = 10.0 * (x[1] - x[0] * x[0]), r[1] = 1.0 - x[0];
    r[2] = a * (x[3] - x[2] * x[2]), r[3] = 1.0 - x[2];
    r[4] = b * (x[1] + x[3] - 2.0), r[5] = c * (x[1] - x[3]);
    J[0][0] = -20.0 * x[0], J[0][1] = 10.0, J[1][0] = -1.0;
    J[2][2] = -2.0 * a * x[2], J[2][3] = a, J[3][2] = -1.0;
    J[4][1] = J[4][3] = b, J[5][1] = c, J[5][3] = -c;
}

static void powell(const double *x, double *r, double (*J)[MAX_N]) {
    const double b = x[1] - 2.0 * x[2], d = x[0] - x[3], five = sqrt(5.0), ten = sqrt(10.0);
    r[0] = x[0] + 10.0 * x[1], r[1] = five * (x[2] - x[3]), r[2] = b * b, r[3] = ten * d * d;
    J[0][0] = 1.0, J[0][1] = 10.0, J[1][2] = five, J[1][3] = -five;
    J[2][1] = 2.0 * b, J[2][2] = -4.0 * b, J[3][0] = 2.0 * ten * d, J[3][3] = -2.0 * ten * d;
}

/* Of singular ones column 2 repeats column 0 and column 3 is zero. */
static void linear(const problem *p, const double *x, double *r, double (*J)[MAX_N]) {
    for (size_t k = 0; k < p->m; ++k) {
        memcpy(J[k], design[k], sizeof J[k]);
        if (p->kind == SINGULAR) J[k][2] = J[k][0], J[k][3] = 0.0;
        r[k] = -target[k];
        for (size_t i = 0; i < p->n; ++i) r[k] += J[k][i] * x[i];
    }
}

static void exponential(const problem *p, const double *x, double *r, double (*J)[MAX_N]) {
    for (size_t k = 0; k < p->m; ++k) {
        const double t = 0.1 * (double)k, e = exp(-x[1] * t);
        r[k] = x[0] * e + x[2] - (5.0 * exp(-1.5 * t) + 1.0 + 0.05 * target[k]);
        J[k][0] = e, J[k][1] = -t * x[0] * e, J[k][2] = 1.0;
    }
}

static void residuals(const problem *p, const double *x, double *r, double (*J)[MAX_N]) {
    memset(J, 0, MAX_M * sizeof *J);
    switch (p->kind) {
    case ROSENBROCK: rosenbrock(x, r, J); break;
    case WOOD: wood(x, r, J); break;
    case POWELL: powell(x, r, J); break;
    case EXPONENTIAL: exponential(p, x, r, J); break;
    case WALL: r[0] = log(x[0]) - 1.0, J[0][0] = 1.0 / x[0]; break; /* NaN beyond 0 */
    default: linear(p, x, r, J);
    }
}

static double value(void *context, const double *x) {
    const problem *p = context;
    static double r[MAX_M], J[MAX_M][MAX_N];
    double f = 0.0;
    residuals(p, x, r, J);
    for (size_t k = 0; k < p->m; ++k) f += 0.5 * r[k] * r[k];
    return f;
}

static double linearize(void *context, const double *x, double *g, double *H) {
    const problem *p = context;
    static double r[MAX_M], J[MAX_M][MAX_N];
    residuals(p, x, r, J);
    for (size_t i = 0; i < p->n; ++i) {
        g[i] = 0.0;
        for (size_t k = 0; k < p->m; ++k) g[i] += J[k][i] * r[k];
        for (size_t j = 0; j <= i; ++j) {
            H[i * p->n + j] = 0.0;
            for (size_t k = 0; k < p->m; ++k) H[i * p->n + j] += J[k][i] * J[k][j];
        }
    }
    return value(context, x);
}

static double matrix[MAX_N * MAX_N];

static double sketch(void *context, const double *x, double *g, double *d) {
    const problem *p = context;
    const double f = linearize(context, x, g, matrix);
    for (size_t i = 0; i < p->n; ++i) d[i] = matrix[i * p->n + i];
    return f;
}

static void multiply(void *context, const double *v, double *Hv) {
    const problem *p = context;
    for (size_t i = 0; i < p->n; ++i) {
        Hv[i] = 0.0;
        for (size_t j = 0; j < p->n; ++j) Hv[i] += matrix[j <= i ? i * p->n + j : j * p->n + i] * v[j];
    }
}

/* J^T r_pp, by central differences. */
static void bend(void *context, const double *x, const double *v, double h, double *b) {
    const problem *p = context;
    static double r[3][MAX_M], J[MAX_M][MAX_N];
    double at[MAX_N];
    for (int k = 2; k >= 0; --k) {
        for (size_t i = 0; i < p->n; ++i) at[i] = x[i] + (k == 2 ? h : k == 1 ? -h : 0.0) * v[i];
        residuals(p, at, r[k], J);
    }
    for (size_t i = 0; i < p->n; ++i) {
        b[i] = 0.0;
        for (size_t k = 0; k < p->m; ++k)
            b[i] += J[k][i] * (r[2][k] - 2.0 * r[0][k] + r[1][k]) / (h * h);
    }
}

static kan_lm_function function_of(problem *p) {
    return (kan_lm_function){
        .context = p, .value = value, .linearize = linearize, .sketch = sketch, .multiply = multiply};
}

static void set_start(const problem *p, double *x) {
    make_data();
    for (size_t i = 0; i < p->n; ++i) x[i] = p->start[i % 4];
}

/* ---- GSL's answer ------------------------------------------------------------------------------- */

static int gsl_residuals(const gsl_vector *x, void *params, gsl_vector *f) {
    static double r[MAX_M], J[MAX_M][MAX_N];
    const problem *p = params;
    residuals(p, x->data, r, J);
    for (size_t k = 0; k < p->m; ++k) gsl_vector_set(f, k, r[k]);
    return GSL_SUCCESS;
}

static int gsl_jacobian(const gsl_vector *x, void *params, gsl_matrix *out) {
    static double r[MAX_M], J[MAX_M][MAX_N];
    const problem *p = params;
    residuals(p, x->data, r, J);
    for (size_t k = 0; k < p->m; ++k)
        for (size_t i = 0; i < p->n; ++i) gsl_matrix_set(out, k, i, J[k][i]);
    return GSL_SUCCESS;
}

static void gsl_minimum(problem *p, double *x) {
    gsl_multifit_nlinear_parameters options = gsl_multifit_nlinear_default_parameters();
    gsl_multifit_nlinear_fdf fdf = {
        .f = gsl_residuals, .df = gsl_jacobian, .n = p->m, .p = p->n, .params = p};
    gsl_multifit_nlinear_workspace *w = gsl_multifit_nlinear_alloc(gsl_multifit_nlinear_trust, &options,
                                                                   p->m, p->n);
    gsl_vector_view start = gsl_vector_view_array(x, p->n);
    int info;
    gsl_multifit_nlinear_init(&start.vector, &fdf, w);
    gsl_multifit_nlinear_driver(500, 1e-14, 1e-14, 0.0, NULL, NULL, &info, w);
    gsl_vector_memcpy(&start.vector, gsl_multifit_nlinear_position(w));
    gsl_multifit_nlinear_free(w);
}

/* ---- tests -------------------------------------------------------------------------------------- */

ParameterizedTestParameters(lm, finds_the_minimum_that_gsl_finds)
{ return cr_make_param_array(problem, problems, sizeof problems / sizeof *problems); }

/* Where the least f is not 0 it is known to its rounding, so x to the root of that; Powell's function is of
 * fourth order in two directions. */
ParameterizedTest(problem *p, lm, finds_the_minimum_that_gsl_finds) {
    double expected[MAX_N];
    set_start(p, expected);
    gsl_minimum(p, expected);
    for (int way = 0; way < 4; ++way) { /* with matrices and without, straight and bent */
        double x[MAX_N];
        kan_lm_function f = function_of(p);
        if (way & 1) f.bend = bend;
        kan_lm *lm = kan_lm_alloc(p->n, &(kan_lm_options){.most_dense = way & 2 ? 1 : 0});
        kan_lm_outcome outcome = KAN_LM_MOVED;
        set_start(p, x);
        double last = value(p, x);
        for (size_t step = 0; step < 200 && outcome == KAN_LM_MOVED; ++step) {
            outcome = kan_lm_step(lm, &f, x);
            cr_assert(lm->f == value(p, x), "f is not that of x");
            if (outcome == KAN_LM_MOVED) cr_assert(lt(dbl, lm->f, last), "step %zu", step);
            last = lm->f;
        }
        cr_assert(eq(int, lm->products > 0, way >= 2));
        const double least = isnan(p->least) ? value(p, expected) : p->least;
        cr_assert(epsilon_eq(dbl, lm->f, least, 1e-14 * fmax(1.0, least)), "f, way %d", way);
        for (size_t i = 0; i < p->n; ++i)
            cr_assert(epsilon_eq(dbl, x[i], expected[i], p->kind == POWELL ? 1e-3 : 1e-7),
                      "x[%zu], way %d", i, way);
        kan_lm_free(lm);
    }
}

/* A bent step sees along the valley of Rosenbrock's function: fewer matrices. */
Test(lm, acceleration_saves_steps_in_a_narrow_valley) {
    size_t steps[2] = {0, 0};
    for (int bent = 0; bent < 2; ++bent) {
        problem p = problems[0];
        double x[MAX_N];
        kan_lm_function f = function_of(&p);
        if (bent) f.bend = bend;
        kan_lm *lm = kan_lm_alloc(p.n, NULL);
        set_start(&p, x);
        while (value(&p, x) > 1e-12 && kan_lm_step(lm, &f, x) == KAN_LM_MOVED) ++steps[bent];
        cr_assert(le(dbl, value(&p, x), 1e-12));
        kan_lm_free(lm);
    }
    cr_assert(lt(sz, steps[1], steps[0]));
}

/* Without damping a step is Gauss and Newton's, and a linear problem is solved by one: its normal equations
 * are those of GSL's QR to the square of the condition number, here below 10. */
Test(lm, solves_a_linear_problem_in_one_step) {
    problem p = {7, 30, LINEAR, {0.3, -2.1, 0.7, 5.0}, NAN};
    double x[MAX_N];
    const kan_lm_function f = function_of(&p);
    kan_lm *lm = kan_lm_alloc(p.n, &(kan_lm_options){.lambda = 1e-16});
    gsl_matrix *A = gsl_matrix_alloc(p.m, p.n);
    gsl_vector *b = gsl_vector_alloc(p.m), *tau = gsl_vector_alloc(p.n),
               *solution = gsl_vector_alloc(p.n), *rest = gsl_vector_alloc(p.m);
    set_start(&p, x);
    cr_assert(eq(int, (int)kan_lm_step(lm, &f, x), KAN_LM_MOVED));
    for (size_t k = 0; k < p.m; ++k) {
        for (size_t i = 0; i < p.n; ++i) gsl_matrix_set(A, k, i, design[k][i]);
        gsl_vector_set(b, k, target[k]);
    }
    gsl_linalg_QR_decomp(A, tau);
    gsl_linalg_QR_lssolve(A, tau, b, solution, rest);
    for (size_t i = 0; i < p.n; ++i)
        cr_assert(epsilon_eq(dbl, x[i], gsl_vector_get(solution, i), 1000.0 * DBL_EPSILON), "x[%zu]",
                  i);
    cr_assert(eq(sz, lm->evaluations, 3));
    gsl_matrix_free(A);
    gsl_vector_free(b), gsl_vector_free(tau), gsl_vector_free(solution), gsl_vector_free(rest);
    kan_lm_free(lm);
}

/* A gradient entry whose step, g/H, gains less than the rounding of f: g^2 / 2H < DBL_EPSILON f. */
static double unresolved(const problem *p, const kan_lm *lm, const double *H, size_t i) {
    return sqrt(2.0 * DBL_EPSILON * lm->f * H[i * p->n + i]);
}

/* Two columns that are one, and one that is zero: the residual is the least one all the same, the dead
 * parameter does not move, and the two share their step. */
Test(lm, is_at_home_with_singular_directions) {
    problem p = {6, 30, SINGULAR, {0.3, -2.1, 0.7, 5.0}, NAN};
    double x[MAX_N], g[MAX_N], H[MAX_N * MAX_N];
    const kan_lm_function f = function_of(&p);
    kan_lm *lm = kan_lm_alloc(p.n, NULL);
    set_start(&p, x);
    for (size_t step = 0; step < 100 && kan_lm_step(lm, &f, x) == KAN_LM_MOVED; ++step) continue;
    linearize(&p, x, g, H);
    for (size_t i = 0; i < p.n; ++i)
        cr_assert(epsilon_eq(dbl, g[i], 0.0, unresolved(&p, lm, H, i)), "g[%zu]", i);
    cr_assert(eq(dbl, x[3], 5.0));
    cr_assert(epsilon_eq(dbl, x[0] - 0.3, x[2] - 0.7, 1e-5));
    cr_assert(lt(dbl, fabs(x[0]), 100.0), "the singular direction is followed");
    kan_lm_free(lm);
}

Test(lm, leaves_what_may_not_move) {
    problem p = {7, 30, LINEAR, {0.3, -2.1, 0.7, 5.0}, NAN};
    double x[MAX_N], g[MAX_N], H[MAX_N * MAX_N];
    const uint8_t movable[MAX_N] = {1, 0, 1, 1, 0, 1, 1};
    kan_lm_function f = function_of(&p);
    f.movable = movable;
    kan_lm *lm = kan_lm_alloc(p.n, NULL);
    set_start(&p, x);
    for (size_t step = 0; step < 50 && kan_lm_step(lm, &f, x) == KAN_LM_MOVED; ++step) continue;
    linearize(&p, x, g, H);
    for (size_t i = 0; i < p.n; ++i) {
        if (!movable[i]) cr_assert(eq(dbl, x[i], p.start[i % 4]));
        if (movable[i]) cr_assert(epsilon_eq(dbl, g[i], 0.0, unresolved(&p, lm, H, i)), "g[%zu]", i);
    }
    kan_lm_free(lm);
}

/* The first step goes to x < 0, where the logarithm is NaN. */
Test(lm, takes_nan_for_too_far) {
    problem p = {1, 1, WALL, {100.0}, 0.0};
    double x[MAX_N];
    const kan_lm_function f = function_of(&p);
    kan_lm *lm = kan_lm_alloc(1, NULL);
    set_start(&p, x);
    cr_assert(eq(int, (int)kan_lm_step(lm, &f, x), KAN_LM_MOVED));
    cr_assert(gt(sz, lm->evaluations, 3), "no trial has failed");
    for (size_t step = 0; step < 50 && kan_lm_step(lm, &f, x) == KAN_LM_MOVED; ++step) continue;
    cr_assert(epsilon_eq(dbl, x[0], exp(1.0), 1e-7));
    x[0] = -1.0;
    kan_lm_reset(lm);
    cr_assert(eq(int, (int)kan_lm_step(lm, &f, x), KAN_LM_NONFINITE));
    cr_assert(eq(dbl, x[0], -1.0));
    kan_lm_free(lm);
}

Test(lm, says_that_it_has_converged) {
    problem p = {2, 2, ROSENBROCK, {1.0, 1.0, 1.0, 1.0}, 0.0};
    double x[MAX_N];
    const kan_lm_function f = function_of(&p);
    kan_lm *lm = kan_lm_alloc(2, NULL);
    set_start(&p, x);
    cr_assert(eq(int, (int)kan_lm_step(lm, &f, x), KAN_LM_CONVERGED));
    kan_lm_free(lm);
}

Test(lm, goes_on_to_the_same_bits_from_a_saved_state) {
    problem p = problems[1];
    double x[MAX_N], y[MAX_N];
    const kan_lm_function f = function_of(&p);
    kan_lm *lm = kan_lm_alloc(p.n, NULL), *other = kan_lm_alloc(p.n, NULL);
    set_start(&p, x);
    for (size_t step = 0; step < 5; ++step) kan_lm_step(lm, &f, x);
    memcpy(y, x, sizeof x);
    other->started = lm->started, other->f = lm->f, other->lambda = lm->lambda, other->nu = lm->nu;
    for (size_t step = 0; step < 5; ++step) {
        kan_lm_step(lm, &f, x);
        kan_lm_step(other, &f, y);
        cr_assert(memcmp(x, y, p.n * sizeof *x) == 0, "step %zu", step);
    }
    kan_lm_free(other);
    kan_lm_free(lm);
}

static kan_status make(void *context) {
    (void)context;
    kan_lm *lm = kan_lm_alloc(5, NULL);
    if (!lm) return KAN_ENOMEM;
    kan_lm_free(lm);
    return KAN_OK;
}

Test(lm, allocates_when_it_is_made_and_not_in_a_step) {
    problem p = problems[0];
    double x[MAX_N];
    const kan_lm_function f = function_of(&p);
    cr_assert(gt(sz, alloc_fail_every(make, NULL), 0));
    kan_lm *lm = kan_lm_alloc(p.n, NULL);
    set_start(&p, x);
    alloc_count_begin();
    for (size_t step = 0; step < 5; ++step) kan_lm_step(lm, &f, x);
    cr_assert(eq(sz, alloc_count_end(), 0));
    kan_lm_free(lm);
}

/* f = (x0 + x1 - 1)^2 / 2: no Cholesky factorisation without damping, and a whole line of solutions. */
static double twins_value(void *context, const double *x) {
    (void)context;
    return 0.5 * (x[0] + x[1] - 1.0) * (x[0] + x[1] - 1.0);
}

static double twins_linearize(void *context, const double *x, double *g, double *H) {
    g[0] = g[1] = x[0] + x[1] - 1.0;
    H[0] = H[2] = H[3] = 1.0;
    return twins_value(context, x);
}

Test(lm, a_singular_system_is_counted_and_solved) {
    const kan_lm_function f = {.value = twins_value, .linearize = twins_linearize};
    kan_lm *lm = kan_lm_alloc(2, &(kan_lm_options){.lambda = 1e-30, .least_lambda = 1e-30});
    double x[] = {0.375, -0.375};
    while (kan_lm_step(lm, &f, x) == KAN_LM_MOVED) {
    }
    cr_assert(lm->singular > 0 && lm->lambda > 1e-30);
    cr_assert(epsilon_eq(dbl, x[0] + x[1], 1.0, 1e-7));
    kan_lm_free(lm);
}

/* f = (x - 1)^2 / 2 + K y^2 / 2, the second a penalty's at a kink: D is its own for y, and x goes on as without it. */
static double stiff_linearize(void *context, const double *x, double *g, double *H) {
    const double k = 1e8;
    double *data_diagonal = context;
    data_diagonal[0] = 1.0, data_diagonal[1] = 0.0;
    g[0] = x[0] - 1.0, g[1] = k * x[1];
    H[0] = 1.0, H[1] = H[2] = 0.0, H[3] = k;
    return 0.5 * g[0] * g[0] + 0.5 * k * x[1] * x[1];
}

static double stiff_value(void *context, const double *x) {
    (void)context;
    return 0.5 * (x[0] - 1.0) * (x[0] - 1.0) + 0.5e8 * x[1] * x[1];
}

Test(lm, what_a_penalty_holds_does_not_damp_the_others) {
    for (int told = 0; told < 2; ++told) {
        double x[2] = {0.0, 0.0}, diagonal[2];
        const kan_lm_function f = {.context = diagonal,
                                   .value = stiff_value,
                                   .linearize = stiff_linearize,
                                   .data_diagonal = told ? diagonal : NULL};
        kan_lm *lm = kan_lm_alloc(2, &(kan_lm_options){.lambda = 1e-3});
        cr_assert(eq(int, (int)kan_lm_step(lm, &f, x), KAN_LM_MOVED));
        cr_assert(epsilon_eq(dbl, x[0], told ? 1.0 / 1.001 : 1.0 / 1001.0, 1e-12));
        kan_lm_free(lm);
    }
}

/* f = (3 x - 6)^2 / 2 has H = D = 9: the first step from 0 with lambda = 1/2 is 18 / (9 + 9/2), no further and no less. */
static double parabola_value(void *context, const double *x) {
    (void)context;
    return 0.5 * (3.0 * x[0] - 6.0) * (3.0 * x[0] - 6.0);
}

static double parabola_linearize(void *context, const double *x, double *g, double *H) {
    g[0] = 3.0 * (3.0 * x[0] - 6.0);
    H[0] = 9.0;
    return parabola_value(context, x);
}

Test(lm, the_damping_is_that_of_the_formula) {
    const kan_lm_function f = {.value = parabola_value, .linearize = parabola_linearize};
    kan_lm *lm = kan_lm_alloc(1, &(kan_lm_options){.lambda = 0.5});
    double x[] = {0.0};
    cr_assert(eq(int, kan_lm_step(lm, &f, x), KAN_LM_MOVED));
    cr_assert(epsilon_eq(dbl, x[0], 18.0 / 13.5, 1e-14));
    kan_lm_free(lm);
}
