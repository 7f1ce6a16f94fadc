/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#ifdef KAN_HAVE_LIBLBFGS
#include <lbfgs.h>
#endif

#include "core/random.h"
#include "tests/support/alloc.h"
#include "train/lbfgs.h"

/* ---- problems ----------------------------------------------------------------------------------- */

enum { MAX_N = 400, SAMPLES = 600 };

/* Inputs and targets of the two fits, and the weights that the targets were made with. */
static double inputs[SAMPLES][MAX_N], targets[SAMPLES], teacher[MAX_N];

static void make_inputs(size_t n) {
    kan_random random = kan_random_seed(2385, n);
    for (size_t i = 0; i < n; ++i) teacher[i] = kan_random_normal(&random);
    for (size_t s = 0; s < SAMPLES; ++s)
        for (size_t i = 0; i < n; ++i)
            inputs[s][i] = kan_random_normal(&random) * 2.0 / sqrt(n * (1.0 + i % 7));
}

static double dot_of(size_t n, const double *a, const double *b) {
    double sum = 0.0;
    for (size_t i = 0; i < n; ++i) sum += a[i] * b[i];
    return sum;
}

static double rosenbrock(void *context, const double *x, double *g) {
    const size_t n = *(const size_t *)context;
    double f = 0.0;
    for (size_t i = 0; i < n; i += 2) {
        const double u = 1.0 - x[i], v = x[i + 1] - x[i] * x[i];
        f += u * u + 100.0 * v * v;
        g[i] = -2.0 * u - 400.0 * x[i] * v;
        g[i + 1] = 200.0 * v;
    }
    return f;
}

static double wood(void *context, const double *x, double *g) {
    (void)context;
    const double a = x[1] - x[0] * x[0], b = 1.0 - x[0], c = x[3] - x[2] * x[2], d = 1.0 - x[2];
    const double e = x[1] - 1.0, h = x[3] - 1.0;
    g[0] = -400.0 * x[0] * a - 2.0 * b;
    g[1] = 200.0 * a + 20.2 * e + 19.8 * h;
    g[2] = -360.0 * x[2] * c - 2.0 * d;
    g[3] = 180.0 * c + 20.2 * h + 19.8 * e;
    return 100.0 * a * a + b * b + 90.0 * c * c + d * d + 10.1 * (e * e + h * h) + 19.8 * e * h;
}

static double beale(void *context, const double *x, double *g) {
    (void)context;
    const double y = x[1], a = 1.5 - x[0] * (1.0 - y), b = 2.25 - x[0] * (1.0 - y * y),
                 c = 2.625 - x[0] * (1.0 - y * y * y);
    g[0] = -2.0 * (a * (1.0 - y) + b * (1.0 - y * y) + c * (1.0 - y * y * y));
    g[1] = 2.0 * x[0] * (a + 2.0 * y * b + 3.0 * y * y * c);
    return a * a + b * b + c * c;
}

static double powell(void *context, const double *x, double *g) {
    (void)context;
    const double a = x[0] + 10.0 * x[1], b = x[2] - x[3], c = x[1] - 2.0 * x[2], d = x[0] - x[3];
    g[0] = 2.0 * a + 40.0 * d * d * d;
    g[1] = 20.0 * a + 4.0 * c * c * c;
    g[2] = 10.0 * b - 8.0 * c * c * c;
    g[3] = -10.0 * b - 40.0 * d * d * d;
    return a * a + 5.0 * b * b + c * c * c * c + 10.0 * d * d * d * d;
}

/* 1/2 sum_i k_i x_i^2 with k from 1 to 1e6. */
static double quadratic(void *context, const double *x, double *g) {
    const size_t n = *(const size_t *)context;
    double f = 0.0;
    for (size_t i = 0; i < n; ++i) {
        const double k = pow(1e6, (double)i / (double)(n - 1));
        g[i] = k * x[i];
        f += 0.5 * g[i] * x[i];
    }
    return f;
}

/* Mean of (tanh(x . inputs) - targets)^2. */
static double tanh_fit(void *context, const double *x, double *g) {
    const size_t n = *(const size_t *)context;
    double f = 0.0;
    memset(g, 0, n * sizeof *g);
    for (size_t s = 0; s < SAMPLES; ++s) {
        const double t = tanh(dot_of(n, x, inputs[s])), r = t - targets[s];
        f += r * r / SAMPLES;
        for (size_t i = 0; i < n; ++i) g[i] += 2.0 * r * (1.0 - t * t) * inputs[s][i] / SAMPLES;
    }
    return f;
}

/* Mean of log(1 + exp(-targets (x . inputs))), targets +1 or -1, and a little of x^2. */
static double logistic(void *context, const double *x, double *g) {
    const size_t n = *(const size_t *)context;
    const double ridge = 1e-3;
    double f = 0.5 * ridge * dot_of(n, x, x);
    for (size_t i = 0; i < n; ++i) g[i] = ridge * x[i];
    for (size_t s = 0; s < SAMPLES; ++s) {
        const double margin = targets[s] * dot_of(n, x, inputs[s]);
        f += log1p(exp(-margin)) / SAMPLES;
        for (size_t i = 0; i < n; ++i)
            g[i] -= targets[s] * inputs[s][i] / (1.0 + exp(margin)) / SAMPLES;
    }
    return f;
}

typedef struct problem {
    const char *name;
    size_t n;
    kan_lbfgs_function *f;
    double start[4]; /* repeated */
    double least;    /* value at the minimum, where it is known */
} problem;

static problem problems[] = {
    {"Rosenbrock", 100, rosenbrock, {-1.2, 1.0, -1.2, 1.0}, 0.0},
    {"Wood", 4, wood, {-3.0, -1.0, -3.0, -1.0}, 0.0},
    {"Beale", 2, beale, {1.0, 1.0}, 0.0},
    {"Powell singular", 4, powell, {3.0, -1.0, 0.0, 1.0}, 0.0},
    {"quadratic", 100, quadratic, {0.6, -1.3, 2.385, -0.44}, 0.0},
    {"tanh fit", 400, tanh_fit, {0.01, -0.02, 0.03, 0.01}, NAN},
    {"logistic", 50, logistic, {0.01, -0.02, 0.03, 0.01}, NAN},
};
enum { N_PROBLEMS = sizeof problems / sizeof *problems };

/* Makes the data of the fits and puts the start into x [n]. */
static void set_up(const problem *p, double *x) {
    for (size_t i = 0; i < p->n; ++i) x[i] = p->start[i % 4];
    if (p->f != tanh_fit && p->f != logistic) return;
    make_inputs(p->n);
    kan_random noise = kan_random_seed(7, p->n);
    for (size_t s = 0; s < SAMPLES; ++s) {
        const double z = dot_of(p->n, teacher, inputs[s]);
        if (p->f == tanh_fit)
            targets[s] = tanh(z) + 0.1 * kan_random_normal(&noise);
        else
            targets[s] = kan_random_uniform(&noise) < 1.0 / (1.0 + exp(-z)) ? 1.0 : -1.0;
    }
}

static double norm_of(size_t n, const double *x) {
    return sqrt(dot_of(n, x, x));
}

static kan_lbfgs_outcome step(kan_lbfgs *l, problem *p, double *x) {
    return kan_lbfgs_step(l, p->f, &p->n, x);
}

static problem *set_up_by_name(const char *name, double *x) {
    for (size_t k = 0; k < N_PROBLEMS; ++k)
        if (strcmp(problems[k].name, name) == 0) {
            set_up(problems + k, x);
            return problems + k;
        }
    cr_fatal("no problem %s", name);
    return NULL;
}

static size_t numbers[] = {0, 1, 2, 3, 4, 5, 6};
_Static_assert(sizeof numbers / sizeof *numbers == N_PROBLEMS, "a number for every problem");

/* ---- liblbfgs as the oracle --------------------------------------------------------------------- */

/* Steps until |g| <= tolerance max(1, |x|), the test of liblbfgs; returns the evaluations. */
static size_t minimise(problem *p, double tolerance, double *x, double *f) {
    kan_lbfgs *l = kan_lbfgs_alloc(p->n, NULL);
    kan_lbfgs_outcome outcome = KAN_LBFGS_MOVED;
    while (outcome == KAN_LBFGS_MOVED) {
        outcome = step(l, p, x);
        if (norm_of(p->n, l->g) <= tolerance * fmax(1.0, norm_of(p->n, x))) break;
    }
    cr_assert(outcome == KAN_LBFGS_MOVED, "%s: outcome %d", p->name, outcome);
    const size_t evaluations = l->evaluations;
    *f = l->f;
    kan_lbfgs_free(l);
    return evaluations;
}

#ifdef KAN_HAVE_LIBLBFGS
typedef struct counted {
    problem *p;
    size_t calls;
} counted;

static double call(void *context, const double *x, double *g, int n, double a) {
    (void)n, (void)a;
    counted *c = context;
    ++c->calls;
    return c->p->f(&c->p->n, x, g);
}

static size_t minimise_with_liblbfgs(problem *p, double tolerance, double *x, double *f) {
    counted c = {p, 0};
    lbfgs_parameter_t parameter;
    lbfgs_parameter_init(&parameter);
    parameter.m = 10;
    parameter.epsilon = tolerance;
    double *aligned = lbfgs_malloc((int)p->n);
    memcpy(aligned, x, p->n * sizeof *x);
    const int status = lbfgs((int)p->n, aligned, f, call, NULL, &c, &parameter);
    cr_assert(status == LBFGS_SUCCESS, "%s: liblbfgs says %d", p->name, status);
    memcpy(x, aligned, p->n * sizeof *x);
    lbfgs_free(aligned);
    return c.calls;
}
#else
static size_t minimise_with_liblbfgs(problem *p, double tolerance, double *x, double *f) {
    (void)p, (void)tolerance, (void)x, (void)f;
    cr_skip_test("liblbfgs was not found when this was configured");
    return 0;
}
#endif

ParameterizedTestParameters(lbfgs, needs_no_more_evaluations_than_liblbfgs)
{ return cr_make_param_array(size_t, numbers, N_PROBLEMS); }

/* Both are above the minimum by g H^-1 g / 2 or so. |g| is at most 25 tolerance here, and the flattest
 * direction, one of the tanh fit, has a curvature of 1e-4: (25 tolerance)^2 / 2e-4. */
ParameterizedTest(size_t *k, lbfgs, needs_no_more_evaluations_than_liblbfgs) {
    problem *p = problems + *k;
    const double tolerances[] = {1e-6, 1e-8};
    for (size_t j = 0; j < 2; ++j) {
        double x[MAX_N], x_oracle[MAX_N], f = NAN, f_oracle = NAN;
        set_up(p, x);
        memcpy(x_oracle, x, sizeof x);
        const size_t oracle = minimise_with_liblbfgs(p, tolerances[j], x_oracle, &f_oracle);
        const size_t ours = minimise(p, tolerances[j], x, &f);
        cr_log_info("%s to %g: %zu evaluations, liblbfgs %zu", p->name, tolerances[j], ours, oracle);
        cr_assert(ours <= 1.3 * oracle, "%s: %zu evaluations, liblbfgs %zu", p->name, ours, oracle);
        const double error = 3e6 * tolerances[j] * tolerances[j];
        cr_assert(epsilon_eq(dbl, f, f_oracle, error), "%s", p->name);
        if (!isnan(p->least)) cr_assert(epsilon_eq(dbl, f, p->least, error), "%s", p->name);
    }
}

/* ---- promises ----------------------------------------------------------------------------------- */

ParameterizedTestParameters(lbfgs, never_goes_up_and_ends)
{ return cr_make_param_array(size_t, numbers, N_PROBLEMS); }

/* Without a tolerance a run ends when rounding stops it. f then resolves its own minimum, so that
 * g H^-1 g is about DBL_EPSILON f, and |g| about sqrt(DBL_EPSILON) where f and the curvatures are at
 * most 1. The quadratic goes on to the smallest numbers there are, for it has no rounding to stop at.
 */
ParameterizedTest(size_t *k, lbfgs, never_goes_up_and_ends) {
    problem *p = problems + *k;
    double x[MAX_N], g[MAX_N];
    set_up(p, x);
    kan_lbfgs *l = kan_lbfgs_alloc(p->n, NULL);
    double f = p->f(&p->n, x, g);
    kan_lbfgs_outcome outcome = KAN_LBFGS_MOVED;
    size_t steps = 0;
    for (; steps < 3000 && outcome == KAN_LBFGS_MOVED; ++steps) {
        const double before = f;
        outcome = step(l, p, x);
        f = p->f(&p->n, x, g);
        cr_assert(f <= before, "%s, step %zu: %.17g after %.17g", p->name, steps, f, before);
        cr_assert(eq(dbl, f, l->f), "the state has the f of x");
        for (size_t i = 0; i < p->n; ++i) cr_assert(eq(dbl, g[i], l->g[i]), "and its gradient");
    }
    if (p->f != quadratic) {
        cr_assert(outcome == KAN_LBFGS_CONVERGED || outcome == KAN_LBFGS_STALLED, "%s", p->name);
        cr_assert(lt(dbl, norm_of(p->n, g), sqrt(DBL_EPSILON)), "%s", p->name);
    }
    cr_assert(gt(sz, steps, 10), "%s moved", p->name);
    kan_lbfgs_free(l);
}

ParameterizedTestParameters(lbfgs, steps_fulfil_the_wolfe_conditions)
{ return cr_make_param_array(size_t, numbers, N_PROBLEMS); }

/* With s the step and g.s its slope; other constants than the defaults, so that they are seen to be
 * used. The slack is the rounding of f, and of x + a p in s. */
ParameterizedTest(size_t *k, lbfgs, steps_fulfil_the_wolfe_conditions) {
    problem *p = problems + *k;
    const kan_lbfgs_options options = {.c1 = 0.01, .c2 = 0.1, .history = 4};
    double x[MAX_N], old[MAX_N], g[MAX_N], s[MAX_N];
    set_up(p, x);
    kan_lbfgs *l = kan_lbfgs_alloc(p->n, &options);
    for (size_t j = 0; j < 40; ++j) {
        const double f = p->f(&p->n, x, g);
        memcpy(old, x, sizeof x);
        if (step(l, p, x) != KAN_LBFGS_MOVED) break;
        for (size_t i = 0; i < p->n; ++i) s[i] = x[i] - old[i];
        if (norm_of(p->n, s) < 1e-7 * norm_of(p->n, x)) break;
        const double slope = dot_of(p->n, g, s), after = dot_of(p->n, l->g, s);
        if (fabs(slope) < 1000 * DBL_EPSILON * f) break;
        cr_assert(lt(dbl, slope, 0.0));
        cr_assert(l->f <= f + 0.01 * slope * (1 - 1e-7), "%s, step %zu: decrease", p->name, j);
        cr_assert(fabs(after) <= 0.1 * fabs(slope) * (1 + 1e-7), "%s, step %zu: slope", p->name, j);
    }
    cr_assert(gt(sz, l->pairs, 3));
    kan_lbfgs_free(l);
}

/* What the header says a saved run consists of. */
static kan_lbfgs *restored(const kan_lbfgs *l) {
    kan_lbfgs *copy = kan_lbfgs_alloc(l->n, &l->options);
    const size_t n = l->n, history = l->options.history;
    copy->pairs = l->pairs, copy->next = l->next, copy->started = l->started;
    copy->evaluations = l->evaluations, copy->f = l->f;
    memcpy(copy->g, l->g, n * sizeof(double));
    memcpy(copy->s, l->s, history * n * sizeof(double));
    memcpy(copy->y, l->y, history * n * sizeof(double));
    memcpy(copy->rho, l->rho, history * sizeof(double));
    for (size_t j = 0; j < history; ++j) copy->alpha[j] = NAN;
    for (size_t i = 0; i < n; ++i)
        copy->p[i] = copy->x_trial[i] = copy->g_trial[i] = copy->g_low[i] = NAN;
    return copy;
}

ParameterizedTestParameters(lbfgs, a_restored_run_goes_on_to_the_same_bits)
{ return cr_make_param_array(size_t, numbers, N_PROBLEMS); }

ParameterizedTest(size_t *k, lbfgs, a_restored_run_goes_on_to_the_same_bits) {
    problem *p = problems + *k;
    double x[MAX_N], y[MAX_N];
    for (size_t cut = 0; cut <= 14; cut += 7) {
        set_up(p, x);
        kan_lbfgs *l = kan_lbfgs_alloc(p->n, &(kan_lbfgs_options){.history = 5});
        for (size_t j = 0; j < cut; ++j) (void)step(l, p, x);
        memcpy(y, x, sizeof x);
        kan_lbfgs *other = restored(l);
        for (size_t j = 0; j < 12; ++j) {
            const kan_lbfgs_outcome outcome = step(l, p, x);
            cr_assert(outcome == step(other, p, y));
            cr_assert(eq(int, memcmp(x, y, p->n * sizeof *x), 0), "%s: step %zu", p->name, j);
            cr_assert(eq(dbl, l->f, other->f));
        }
        cr_assert(eq(sz, l->evaluations, other->evaluations));
        kan_lbfgs_free(l);
        kan_lbfgs_free(other);
    }
}

Test(lbfgs, a_step_allocates_nothing) {
    double x[MAX_N];
    problem *p = set_up_by_name("Rosenbrock", x);
    kan_lbfgs *l = kan_lbfgs_alloc(p->n, NULL);
    alloc_count_begin();
    for (size_t j = 0; j < 30; ++j) (void)step(l, p, x);
    kan_lbfgs_reset(l);
    (void)step(l, p, x);
    cr_assert(eq(sz, alloc_count_end(), 0));
    cr_assert(gt(sz, l->evaluations, 30));
    kan_lbfgs_free(l);
}

static kan_status attempt(void *context) {
    (void)context;
    kan_lbfgs *l = kan_lbfgs_alloc(17, NULL);
    const kan_status status = l ? KAN_OK : KAN_ENOMEM;
    kan_lbfgs_free(l);
    return status;
}

Test(lbfgs, is_one_block_that_may_be_refused) {
    cr_assert(eq(sz, alloc_fail_every(attempt, NULL), 1));
    const size_t huge[] = {SIZE_MAX, SIZE_MAX / 8, SIZE_MAX / 168, SIZE_MAX / 200};
    for (size_t j = 0; j < 4; ++j) cr_assert(kan_lbfgs_alloc(huge[j], NULL) == NULL, "%zu", huge[j]);
    cr_assert(kan_lbfgs_alloc(3, &(kan_lbfgs_options){.history = SIZE_MAX}) == NULL);
    cr_assert(kan_lbfgs_alloc(3, &(kan_lbfgs_options){.history = SIZE_MAX / 32}) == NULL);
}

/* ---- directions --------------------------------------------------------------------------------- */

enum { SMALL = 10 };

/* H <- (I - rho s y^T) H (I - rho y s^T) + rho s s^T (Nocedal and Wright 7.16), as a full matrix. */
static void update_inverse(size_t n, const double *s, const double *y, long double h[SMALL][SMALL]) {
    long double sy = 0.0L, hy[SMALL] = {0}, yhy = 0.0L;
    for (size_t i = 0; i < n; ++i) sy += (long double)s[i] * y[i];
    for (size_t i = 0; i < n; ++i)
        for (size_t j = 0; j < n; ++j) hy[i] += h[i][j] * y[j];
    for (size_t i = 0; i < n; ++i) yhy += y[i] * hy[i];
    for (size_t i = 0; i < n; ++i)
        for (size_t j = 0; j < n; ++j)
            h[i][j] += (1.0L + yhy / sy) * s[i] * s[j] / sy - (s[i] * hy[j] + hy[i] * s[j]) / sy;
}

/* -H g from the stored pairs, the oldest first, with H_0 = s.y / y.y of the youngest. */
static void dense_direction(const kan_lbfgs *l, double *direction) {
    const size_t n = l->n, history = l->options.history;
    long double h[SMALL][SMALL] = {{0}};
    const size_t youngest = (l->next + history - 1) % history;
    const double *s = l->s + youngest * n, *y = l->y + youngest * n;
    for (size_t i = 0; i < n; ++i) h[i][i] = dot_of(n, s, y) / dot_of(n, y, y);
    for (size_t j = l->pairs; j-- > 0;) {
        const size_t k = (l->next + history - 1 - j) % history;
        update_inverse(n, l->s + k * n, l->y + k * n, h);
    }
    for (size_t i = 0; i < n; ++i) {
        long double sum = 0.0L;
        for (size_t j = 0; j < n; ++j) sum -= h[i][j] * l->g[j];
        direction[i] = (double)sum;
    }
}

/* Before and after the history is full. H has condition numbers up to 1e4 here: 1e-9 leaves a factor
 * 100 above 1e4 * n * DBL_EPSILON. */
Test(lbfgs, direction_is_that_of_the_dense_update) {
    double x[MAX_N], old[MAX_N], s[SMALL], expected[SMALL];
    problem *p = set_up_by_name("Rosenbrock", x);
    size_t n = SMALL;
    kan_lbfgs *l = kan_lbfgs_alloc(n, &(kan_lbfgs_options){.history = 4});
    for (size_t i = 0; i < n; ++i) x[i] += 0.07 * (double)i;
    cr_assert(kan_lbfgs_step(l, p->f, &n, x) == KAN_LBFGS_MOVED);
    for (size_t j = 0; j < 20; ++j) {
        dense_direction(l, expected);
        memcpy(old, x, sizeof x);
        cr_assert(kan_lbfgs_step(l, p->f, &n, x) == KAN_LBFGS_MOVED);
        for (size_t i = 0; i < n; ++i) s[i] = x[i] - old[i];
        const double a = norm_of(n, s) / norm_of(n, expected), error = 1e-9 * norm_of(n, s);
        for (size_t i = 0; i < n; ++i)
            cr_assert(epsilon_eq(dbl, s[i], a * expected[i], error), "step %zu, entry %zu", j, i);
    }
    cr_assert(eq(sz, l->pairs, 4));
    kan_lbfgs_free(l);
}

/* Pairs that lead uphill, as no run of its own would keep them: the step is that of a run without any.
 */
Test(lbfgs, forgets_pairs_that_lead_nowhere) {
    double x[MAX_N], y[MAX_N];
    problem *p = set_up_by_name("Rosenbrock", x);
    kan_lbfgs *l = kan_lbfgs_alloc(p->n, NULL), *fresh = kan_lbfgs_alloc(p->n, NULL);
    for (size_t j = 0; j < 5; ++j) (void)step(l, p, x);
    memcpy(y, x, sizeof x);
    for (size_t k = 0; k < l->pairs; ++k) l->rho[k] = -l->rho[k];
    cr_assert(step(l, p, x) == KAN_LBFGS_MOVED);
    cr_assert(step(fresh, p, y) == KAN_LBFGS_MOVED);
    cr_assert(eq(int, memcmp(x, y, p->n * sizeof *x), 0));
    cr_assert(eq(sz, l->pairs, 1));
    kan_lbfgs_free(l);
    kan_lbfgs_free(fresh);
}

static double scale = 1.0;
static double scaled_rosenbrock(void *context, const double *x, double *g) {
    const double f = rosenbrock(context, x, g);
    for (size_t i = 0; i < *(const size_t *)context; ++i) g[i] *= scale;
    return scale * f;
}

/* Powers of two change no digit of a product: the points are the same bits. */
Test(lbfgs, scaling_the_function_changes_nothing) {
    double x[MAX_N], y[MAX_N];
    problem *p = set_up_by_name("Rosenbrock", x);
    const double scales[] = {0x1p-300, 0x1p300};
    for (size_t k = 0; k < 2; ++k) {
        set_up(p, x);
        set_up(p, y);
        scale = scales[k];
        kan_lbfgs *l = kan_lbfgs_alloc(p->n, NULL), *other = kan_lbfgs_alloc(p->n, NULL);
        for (size_t j = 0; j < 30; ++j) {
            (void)step(l, p, x);
            cr_assert(kan_lbfgs_step(other, scaled_rosenbrock, &p->n, y) == KAN_LBFGS_MOVED);
            cr_assert(eq(int, memcmp(x, y, p->n * sizeof *x), 0), "scale %g, step %zu", scale, j);
        }
        kan_lbfgs_free(l);
        kan_lbfgs_free(other);
    }
}

/* ---- the line search, on a line ----------------------------------------------------------------- */

/* x^2 / 2 and x^3 - 3 x, which is least at 1: cubic interpolation knows where from two points. */
static double parabola(void *context, const double *x, double *g) {
    (void)context;
    g[0] = x[0];
    return 0.5 * x[0] * x[0];
}

static double cubic(void *context, const double *x, double *g) {
    (void)context;
    g[0] = 3.0 * x[0] * x[0] - 3.0;
    return x[0] * x[0] * x[0] - 3.0 * x[0];
}

/* The first trial is a step of length 1. Too long, too short by a factor that may be extrapolated, too
 * long again; the second trial is the minimum up to some roundings. */
Test(lbfgs, cubic_interpolation_finds_the_minimum_of_a_cubic) {
    kan_lbfgs_function *functions[] = {parabola, parabola, cubic};
    const double starts[] = {0.31, -3.3, 0.2}, minima[] = {0.0, 0.0, 1.0};
    for (size_t k = 0; k < 3; ++k) {
        double x[1] = {starts[k]};
        kan_lbfgs *l = kan_lbfgs_alloc(1, &(kan_lbfgs_options){.c1 = 1e-3, .c2 = 1e-2});
        cr_assert(kan_lbfgs_step(l, functions[k], NULL, x) == KAN_LBFGS_MOVED);
        cr_assert(eq(sz, l->evaluations, 3), "case %zu", k);
        cr_assert(epsilon_eq(dbl, x[0], minima[k], 100 * DBL_EPSILON), "case %zu", k);
        kan_lbfgs_free(l);
    }
}

/* On x^2 / 2 a step from x to x - 1 falls by x - 1/2: for x = 2/3 a quarter of |g| = x, where c1 = 0.4
 * asks for more. The slope at its end is half as large: enough for c2 = 0.9. */
Test(lbfgs, a_step_too_long_for_c1_is_shortened) {
    for (int strict = 0; strict < 2; ++strict) {
        double x[1] = {2.0 / 3.0};
        kan_lbfgs *l = kan_lbfgs_alloc(1, &(kan_lbfgs_options){.c1 = strict ? 0.4 : 0.2});
        cr_assert(kan_lbfgs_step(l, parabola, NULL, x) == KAN_LBFGS_MOVED);
        cr_assert(eq(sz, l->evaluations, strict ? 3 : 2));
        kan_lbfgs_free(l);
    }
}

/* The stalled step of a run that ends above 0 sees that f has no digits left, and does not use up what
 * its two searches may. */
Test(lbfgs, gives_up_early_where_rounding_hides_the_rest) {
    double x[MAX_N];
    problem *p = set_up_by_name("logistic", x);
    kan_lbfgs *l = kan_lbfgs_alloc(p->n, NULL);
    size_t before = 0;
    kan_lbfgs_outcome outcome = KAN_LBFGS_MOVED;
    while (outcome == KAN_LBFGS_MOVED) {
        before = l->evaluations;
        outcome = step(l, p, x);
    }
    cr_assert(outcome == KAN_LBFGS_STALLED);
    cr_assert(le(sz, l->evaluations - before, 25));
    kan_lbfgs_free(l);
}

/* ---- where a function is not finite ------------------------------------------------------------- */

/* 50 sum x - sum log(1 - x^2): NaN outside the unit cube, least where 50 (1 - x^2) + 2 x = 0. */
static double barrier(void *context, const double *x, double *g) {
    double f = 0.0;
    for (size_t i = 0; i < *(const size_t *)context; ++i) {
        f += 50.0 * x[i] - log(1.0 - x[i] * x[i]);
        g[i] = 50.0 + 2.0 * x[i] / (1.0 - x[i] * x[i]);
    }
    return f;
}

Test(lbfgs, survives_a_wall_of_nan) {
    size_t n = 5;
    double x[5] = {-0.7, -0.61, -0.83, -0.79, -0.66};
    kan_lbfgs *l = kan_lbfgs_alloc(n, NULL);
    kan_lbfgs_outcome outcome = KAN_LBFGS_MOVED;
    for (size_t j = 0; j < 200 && outcome == KAN_LBFGS_MOVED; ++j) {
        outcome = kan_lbfgs_step(l, barrier, &n, x);
        cr_assert(isfinite(l->f));
    }
    cr_assert(outcome == KAN_LBFGS_STALLED || outcome == KAN_LBFGS_CONVERGED);
    /* f'' is above 1000 here, f about 250: f resolves x to sqrt(2 * 250 / 1000 * DBL_EPSILON) = 1e-8.
     */
    const double expected = (1.0 - sqrt(2501.0)) / 50.0;
    for (size_t i = 0; i < n; ++i) cr_assert(epsilon_eq(dbl, x[i], expected, 1e-8), "entry %zu", i);
    kan_lbfgs_free(l);
}

/* 1/2 (1e11 x)^2 where that is below 1/2, else NaN: a hundred thousand millionth of the first step. */
static double narrow(void *context, const double *x, double *g) {
    (void)context;
    const double u = 1e11 * x[0];
    g[0] = 1e11 * u;
    return fabs(u) < 1.0 ? 0.5 * u * u : NAN;
}

Test(lbfgs, comes_back_from_far_beyond_a_wall) {
    double x[1] = {-0.71e-11};
    kan_lbfgs *l = kan_lbfgs_alloc(1, NULL);
    cr_assert(kan_lbfgs_step(l, narrow, NULL, x) == KAN_LBFGS_MOVED);
    cr_assert(kan_lbfgs_step(l, narrow, NULL, x) == KAN_LBFGS_MOVED);
    cr_assert(epsilon_eq(dbl, x[0], 0.0, 1e-25));
    kan_lbfgs_free(l);
}

/* (x_0 - 3)^2 + (x_1 + 1)^2, but beyond x_0 = 1 f or, in the second kind, one entry of g is not finite.
 */
static double walled(void *context, const double *x, double *g) {
    const int kind = *(const int *)context;
    const double u = x[0] - 3.0, v = x[1] + 1.0;
    g[0] = 2.0 * u;
    g[1] = x[0] > 1.0 && kind == 1 ? NAN : 2.0 * v;
    return x[0] > 1.0 && kind != 1 ? (kind == 0 ? NAN : -INFINITY) : u * u + v * v;
}

Test(lbfgs, walks_up_to_a_wall_that_hides_the_minimum) {
    for (int kind = 0; kind < 3; ++kind) {
        double x[2] = {0.41, 0.37};
        kan_lbfgs *l = kan_lbfgs_alloc(2, NULL);
        kan_lbfgs_outcome outcome = KAN_LBFGS_MOVED;
        double f = INFINITY;
        for (size_t j = 0; j < 1000 && outcome == KAN_LBFGS_MOVED; ++j) {
            outcome = kan_lbfgs_step(l, walled, &kind, x);
            cr_assert(l->f <= f && isfinite(l->f));
            f = l->f;
        }
        cr_assert(x[0] <= 1.0 && x[0] > 1.0 - 1e-6, "kind %d: %.17g", kind, x[0]);
        cr_assert(outcome == KAN_LBFGS_STALLED, "kind %d", kind);
        kan_lbfgs_free(l);
    }
}

static double never_finite(void *context, const double *x, double *g) {
    const int kind = *(const int *)context;
    g[0] = x[0];
    g[1] = kind == 0 ? NAN : kind == 1 ? -INFINITY : x[1];
    return kind == 2 ? NAN : kind == 3 ? INFINITY : 1.0;
}

Test(lbfgs, says_so_where_the_start_is_not_finite) {
    for (int kind = 0; kind < 4; ++kind) {
        double x[2] = {0.3, -0.8};
        kan_lbfgs *l = kan_lbfgs_alloc(2, NULL);
        cr_assert(kan_lbfgs_step(l, never_finite, &kind, x) == KAN_LBFGS_NONFINITE, "kind %d", kind);
        cr_assert(x[0] == 0.3 && x[1] == -0.8);
        /* and looks again when it is asked again */
        int good = 4;
        cr_assert(kan_lbfgs_step(l, never_finite, &good, x) != KAN_LBFGS_NONFINITE);
        kan_lbfgs_free(l);
    }
}

/* ---- ends --------------------------------------------------------------------------------------- */

Test(lbfgs, converges_at_once_at_the_minimum) {
    double x[MAX_N];
    problem *p = set_up_by_name("Wood", x);
    for (size_t i = 0; i < 4; ++i) x[i] = 1.0;
    kan_lbfgs *l = kan_lbfgs_alloc(4, NULL);
    cr_assert(step(l, p, x) == KAN_LBFGS_CONVERGED);
    cr_assert(step(l, p, x) == KAN_LBFGS_CONVERGED);
    cr_assert(eq(sz, l->evaluations, 1));
    for (size_t i = 0; i < 4; ++i) cr_assert(eq(dbl, x[i], 1.0));
    kan_lbfgs_free(l);
}

Test(lbfgs, converges_at_the_tolerance_asked_for) {
    double x[MAX_N];
    problem *p = set_up_by_name("Rosenbrock", x);
    kan_lbfgs *l = kan_lbfgs_alloc(p->n, &(kan_lbfgs_options){.tolerance = 1e-3});
    double before = INFINITY;
    while (step(l, p, x) == KAN_LBFGS_MOVED) {
        before = 0.0;
        for (size_t i = 0; i < p->n; ++i) before = fmax(before, fabs(l->g[i]));
    }
    cr_assert(le(dbl, before, 1e-3 * fmax(1.0, l->f)));
    cr_assert(gt(dbl, before, 0.0), "it stopped before rounding did");
    kan_lbfgs_free(l);
}

/* A search that may look once at each of its two directions still never goes up, and gets somewhere. */
Test(lbfgs, works_with_one_evaluation_a_search) {
    double x[MAX_N];
    problem *p = set_up_by_name("Wood", x);
    kan_lbfgs *l = kan_lbfgs_alloc(p->n, &(kan_lbfgs_options){.max_evaluations = 1});
    double f = INFINITY;
    size_t steps = 0, before = 1;
    while (step(l, p, x) == KAN_LBFGS_MOVED) {
        cr_assert(l->f <= f);
        cr_assert(l->evaluations - before <= 2);
        before = l->evaluations, f = l->f, ++steps;
    }
    cr_assert(gt(sz, steps, 0));
    cr_assert(lt(dbl, f, 19192.0), "the value at the start");
    kan_lbfgs_free(l);
}

/* A step that is stopped early takes its lowest point: a slope that falls slowly needs many doublings.
 */
static double far_away(void *context, const double *x, double *g) {
    (void)context;
    const double r = hypot(1.0, x[0] - 1e6);
    g[0] = (x[0] - 1e6) / r;
    return r;
}

Test(lbfgs, a_search_cut_short_keeps_its_best_point) {
    double x[1] = {0.25};
    kan_lbfgs *l = kan_lbfgs_alloc(1, &(kan_lbfgs_options){.max_evaluations = 3});
    cr_assert(kan_lbfgs_step(l, far_away, NULL, x) == KAN_LBFGS_MOVED);
    cr_assert(eq(sz, l->evaluations, 4));
    cr_assert(gt(dbl, x[0], 3.0), "the first trial is at 1.25, the others beyond it");
    double g;
    cr_assert(eq(dbl, far_away(NULL, x, &g), l->f));
    cr_assert(eq(dbl, g, l->g[0]));
    kan_lbfgs_free(l);
}

static double flat_entries(void *context, const double *x, double *g) {
    size_t n = 4;
    (void)context;
    const double f = wood(&n, x, g);
    g[4] = -0.0, g[5] = 0.0;
    return f;
}

Test(lbfgs, entries_without_a_gradient_stay) {
    double x[6] = {-3.0, -1.0, -3.0, -1.0, 0.1, -2.385};
    kan_lbfgs *l = kan_lbfgs_alloc(6, NULL);
    while (kan_lbfgs_step(l, flat_entries, NULL, x) == KAN_LBFGS_MOVED) continue;
    cr_assert(eq(dbl, x[4], 0.1));
    cr_assert(eq(dbl, x[5], -2.385));
    cr_assert(epsilon_eq(dbl, x[0], 1.0, 1e-8));
    kan_lbfgs_free(l);
}

/* After a change from outside: a reset run is a new run. */
Test(lbfgs, a_reset_forgets_everything) {
    double x[MAX_N], y[MAX_N];
    problem *p = set_up_by_name("Wood", x);
    kan_lbfgs *l = kan_lbfgs_alloc(p->n, NULL), *fresh = kan_lbfgs_alloc(p->n, NULL);
    for (size_t j = 0; j < 20; ++j) (void)step(l, p, x);
    for (size_t i = 0; i < p->n; ++i) x[i] = y[i] = 0.3 - 0.9 * (double)i;
    kan_lbfgs_reset(l);
    for (size_t j = 0; j < 20; ++j) {
        cr_assert(step(l, p, x) == step(fresh, p, y));
        cr_assert(eq(int, memcmp(x, y, p->n * sizeof *x), 0), "step %zu", j);
    }
    kan_lbfgs_free(l);
    kan_lbfgs_free(fresh);
}
