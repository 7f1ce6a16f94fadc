/* Penalties under Levenberg-Marquardt: it finds what L-BFGS finds, on the objective with the penalty itself.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>

#include <math.h>
#include <string.h>

#include "core/work.h"
#include "tests/support/kan_cases.h"
#include "tests/support/trainer_cases.h"

enum { ROWS = 200 };

typedef struct sparsity_case {
    char name[32];
    kan_penalty penalty;
    double weight, gain; /* what L-BFGS may still find after LM, as a share */
} sparsity_case;

static sparsity_case cases[] = {
    {"l1", {.l1 = 1.0}, 1e-2, 0.01},
    {"l1 of spreads", {.l1 = 1.0, .metric = KAN_SCALE_EDGE}, 1e-2, 0.05},
    {"l1 of scores", {.l1 = 1.0, .metric = KAN_SCALE_ATTRIBUTED}, 1e-2, 0.05},
    {"l1 of scores of nodes", {.l1 = 1.0, .metric = KAN_SCALE_NODES}, 1e-2, 0.05},
    {"entropy", {.entropy = 1.0}, 1e-2, 0.05},
    {"l1 and entropy", {.l1 = 1.0, .entropy = 2.0}, 1e-2, 0.01},
    {"coefficients", {.coef = 1.0}, 1e-2, 0.05},
    {"their differences", {.coefdiff = 1.0}, 1e-2, 0.05},
    {"roughness", {.roughness = 1.0}, 1e-2, 0.05},
};

/* mean (y_hat - y)^2 + weight R from the contract's passes alone. */
static double objective_at(kan_net *net, const kan_dataset *d, double weight) {
    const kan_model *m = kan_net_model(net);
    double *work = poisoned(kan_model_work_size(m, d->n)), *y = poisoned(d->n), sum = 0.0;
    double *grad = kan_work_alloc(m->n_params);
    kan_model_forward(m, d->n, d->x, y, work);
    for (size_t s = 0; s < d->n; ++s) sum += (y[s] - d->y[s]) * (y[s] - d->y[s]) / (double)d->n;
    sum += kan_model_penalty(m, d->n, weight, grad, work);
    kan_work_free(grad);
    kan_work_free(y);
    kan_work_free(work);
    return sum;
}

static kan_net *net_for(const sparsity_case *c, uint64_t seed) {
    kan_net *net = kan_net_alloc(&(kan_net_config){.width = {N_IN, 4, 1}, .n_cells = 4, .seed = seed});
    kan_net_set_penalty(net, &c->penalty);
    return net;
}

static double train_on(kan_net *net, const kan_dataset *d, const sparsity_case *c,
                       kan_optimizer optimizer, size_t steps) {
    const kan_train_options how = {.optimizer = optimizer, .penalty = c->weight, .steps = steps};
    cr_assert(kan_trainer_fit(kan_net_model(net), d, &how, NULL, NULL) == KAN_OK);
    return objective_at(net, d, c->weight);
}

ParameterizedTestParameters(sparsity, lm_finds_what_lbfgs_finds)
{ return cr_make_param_array(sparsity_case, cases, sizeof cases / sizeof *cases); }

/* The better of two starts, as there are several minima; and L-BFGS finds hardly more from where LM ended. */
ParameterizedTest(sparsity_case *c, sparsity, lm_finds_what_lbfgs_finds) {
    enum { LM_STEPS = 150, LBFGS_STEPS = 300 };
    kan_dataset *d = make_data(ROWS, 1);
    double lm = INFINITY, lbfgs = INFINITY;
    for (uint64_t seed = 5; seed < 7; ++seed) {
        kan_net *by_lm = net_for(c, seed), *by_lbfgs = net_for(c, seed);
        const double value = train_on(by_lm, d, c, KAN_LM, LM_STEPS);
        lm = fmin(lm, value);
        lbfgs = fmin(lbfgs, train_on(by_lbfgs, d, c, KAN_LBFGS, LBFGS_STEPS));
        const double further = train_on(by_lm, d, c, KAN_LBFGS, LBFGS_STEPS / 3);
        cr_assert(further >= (1.0 - c->gain) * value, "%s: %g, and %g after L-BFGS", c->name, value,
                  further);
        kan_net_free(by_lm);
        kan_net_free(by_lbfgs);
    }
    cr_assert(lm <= 1.02 * lbfgs, "%s: %g by LM, %g by L-BFGS", c->name, lm, lbfgs);
    kan_dataset_free(d);
}

ParameterizedTestParameters(sparsity, the_penalised_objective_falls_at_every_step)
{ return cr_make_param_array(sparsity_case, cases, sizeof cases / sizeof *cases); }

ParameterizedTest(sparsity_case *c, sparsity, the_penalised_objective_falls_at_every_step) {
    enum { STEPS = 25 };
    kan_dataset *d = make_data(ROWS, 2);
    kan_net *net = net_for(c, 5);
    const kan_train_options how = {.optimizer = KAN_LM, .penalty = c->weight, .steps = STEPS};
    kan_trainer *t = kan_trainer_alloc(kan_net_model(net), d, &how, NULL);
    double before = objective_at(net, d, c->weight);
    const double start = before;
    while (t->report.outcome == KAN_RUNNING) {
        cr_assert(kan_trainer_step(t, NULL) == KAN_OK);
        const double now = objective_at(net, d, c->weight);
        cr_assert(epsilon_eq(dbl, t->report.loss, now, 1e-11 * now), "%s", c->name);
        cr_assert(now <= before * (1.0 + 1e-14), "%s: %g after %g", c->name, now, before);
        before = now;
    }
    cr_assert(before < 0.5 * start, "%s: %g from %g", c->name, before, start);
    kan_trainer_free(t);
    kan_net_free(net);
    kan_dataset_free(d);
}

/* One layer: the objective is convex, its minimum one. y depends on x0 and hardly on x1, so that the edge of x1
 * falls to 0, as that of x2 does. */
Test(sparsity, one_layer_has_one_minimum) {
    const sparsity_case c = {"one layer", {.l1 = 1.0}, 5e-2, 0.0};
    kan_dataset *d = make_data(ROWS, 3);
    double value[2], x2[2];
    for (size_t s = 0; s < d->n; ++s) d->y[s] = sin(2.0 * d->x[3 * s]) + 0.01 * d->x[3 * s + 1];
    for (int k = 0; k < 2; ++k) {
        kan_net *net = kan_net_alloc(&(kan_net_config){.width = {3, 1}, .seed = 6});
        kan_net_set_penalty(net, &c.penalty);
        value[k] = train_on(net, d, &c, k ? KAN_LBFGS : KAN_LM, k ? 3000 : 60);
        double t[] = {-0.8, 0.8}, phi[3][2];
        for (size_t i = 0; i < 3; ++i) kan_net_edge_curve(net, (kan_edge){0, i, 0}, 2, t, phi[i]);
        cr_assert(fabs(phi[0][1] - phi[0][0]) > 1.0);
        x2[k] = fmax(fabs(phi[1][1] - phi[1][0]), fabs(phi[2][1] - phi[2][0]));
        kan_net_free(net);
    }
    cr_assert(value[0] <= value[1] * (1.0 + 1e-6), "%.9g by LM, %.9g by L-BFGS", value[0], value[1]);
    cr_assert(value[0] >= value[1] * (1.0 - 1e-2), "%.9g by LM, %.9g by L-BFGS", value[0], value[1]);
    cr_assert(x2[0] < 1e-6, "%g", x2[0]);
    kan_dataset_free(d);
}

/* R, its gradient and, unless NULL, H at theta. */
static double penalty_at(kan_net *net, size_t n, const double *x, double *grad, double *hessian) {
    const kan_model *m = kan_net_model(net);
    double *work = poisoned(kan_model_work_size(m, n)), *y = poisoned(n * m->n_out);
    kan_model_forward(m, n, x, y, work);
    memset(grad, 0, m->n_params * sizeof *grad);
    const double value = kan_model_penalty(m, n, 1.3, grad, work);
    if (hessian) kan_model_penalty_hessian(m, n, 1.3, hessian, work);
    kan_work_free(y);
    kan_work_free(work);
    return value;
}

/* Where inputs are given, spreads are norms of parameters: the parabola lies above. Of functions c f(a x + b) + d
 * that holds for c and d. */
Test(sparsity, the_parabola_touches_from_above) {
    enum { N_X = 40 };
    kan_random random = kan_random_seed(25, 0);
    kan_net *net = net_with_entropy(&(kan_net_config){.width = {2, 3}, .n_cells = 3}, true, 26);
    const kan_symbolic sine = {kan_function_find("sin"), 1.1, 0.3, 0.9, 0.2};
    cr_assert(kan_net_set_symbolic(net, (kan_edge){0, 1, 1}, &sine, NULL) == KAN_OK);
    kan_net_set_penalty(net, &(kan_penalty){.l1 = 1.0, .metric = KAN_SCALE_RELATIVE});
    const kan_model *m = kan_net_model(net);
    const size_t n = m->n_params;
    double x[2 * N_X], *g = poisoned(n), *other = poisoned(n), *step = poisoned(n),
                       *theta = poisoned(n);
    double *H = kan_work_alloc(n * n);
    for (size_t j = 0; j < 2 * N_X; ++j) x[j] = draw(&random, -1.2, 1.2);
    const double r = penalty_at(net, N_X, x, g, H);
    memcpy(theta, m->theta, n * sizeof *theta);
    for (int k = 0; k < 200; ++k) {
        const double size = pow(10.0, draw(&random, -3.0, 1.0));
        double parabola = r;
        for (size_t p = 0; p < n; ++p) {
            step[p] = p == n - 4 || p == n - 3 ? 0.0 : draw(&random, -size, size);
            m->theta[p] = theta[p] + step[p];
        }
        for (size_t p = 0; p < n; ++p) {
            parabola += step[p] * (g[p] + 0.5 * step[p] * H[p * n + p]);
            for (size_t q = 0; q < p; ++q) parabola += step[p] * step[q] * H[p * n + q];
        }
        const double value = penalty_at(net, N_X, x, other, NULL);
        cr_assert(value <= parabola + 1e-12 * r, "step of %g: %g above %g", size, value, parabola);
    }
    for (size_t p = 0; p < n;
         ++p) /* -theta has the same R, and so is below by all that the parabola adds */
        for (size_t q = p + 1; q < n; ++q) cr_assert(H[p * n + q] == 0.0, "above the diagonal");
    double sum = 0.0; /* theta^T H theta of splines is R: s = p^T C p / s */
    kan_net_unset_symbolic(net, (kan_edge){0, 1, 1});
    kan_work_free(H);
    H = kan_work_alloc(n * n);
    memcpy(m->theta, theta, m->n_params * sizeof *theta);
    const double splines = penalty_at(net, N_X, x, g, H);
    for (size_t p = 0; p < m->n_params; ++p)
        for (size_t q = 0; q <= p; ++q)
            sum += (p == q ? 1.0 : 2.0) * m->theta[p] * m->theta[q] * H[p * m->n_params + q];
    cr_assert(epsilon_eq(dbl, sum, splines, 1e-9 * splines));
    double *arrays[] = {g, other, step, theta, H};
    for (size_t j = 0; j < 5; ++j) kan_work_free(arrays[j]);
    kan_net_free(net);
}
