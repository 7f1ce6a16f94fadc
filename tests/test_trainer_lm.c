/* tests/test_trainer_lm.c - the trainer with Levenberg-Marquardt; what all optimizers share is in test_trainer.c.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <math.h>
#include <string.h>

#include "core/parallel.h"
#include "tests/support/trainer_cases.h"
#include "train/trainer.h"

/* A linear model is solved by one step without damping; the first lambda takes a few more. The normal equations
 * of these columns, condition number below 10, leave errors of some hundred roundings. */
Test(trainer_lm, finds_the_least_squares_line_of_gsl) {
    const kan_train_options options = {.optimizer = KAN_LM, .steps = 20};
    for (int weighted = 0; weighted < 2; ++weighted)
        cr_assert(eq(int, check_line(&options, weighted, 1e-9), KAN_STALLED));
}

/* Cross-entropy of a model that is linear in its parameters is convex: both optimizers go to its one minimum. */
Test(trainer_lm, trains_classifiers_to_where_lbfgs_does) {
    kan_dataset *numbers = make_data(N, 1),
                *d = kan_dataset_alloc(KAN_CLASSIFICATION, N, N_IN, 3, false);
    memcpy(d->x, numbers->x, N * N_IN * sizeof *d->x);
    kan_random random = kan_random_seed(3, 1);
    for (size_t s = 0; s < N; ++s) {
        const double y = numbers->y[s] + kan_random_normal(&random);
        d->y[s] = y < -0.3 ? 0.0 : y < 0.6 ? 1.0 : 2.0;
    }
    double loss[2];
    for (int k = 0; k < 2; ++k) {
        kan_mlp *line = kan_mlp_alloc(&(kan_mlp_config){.width = {N_IN, 3}, .seed = 3});
        kan_report report;
        const kan_train_options options = {.optimizer = k ? KAN_LM : KAN_LBFGS, .steps = k ? 20 : 500};
        cr_assert(eq(int, kan_trainer_fit(kan_mlp_model(line), d, &options, &report, NULL), KAN_OK));
        loss[k] = report.loss;
        kan_mlp_free(line);
    }
    cr_assert(epsilon_eq(dbl, loss[1], loss[0], 1e-12));
    kan_dataset_free(d);
    kan_dataset_free(numbers);
}

/* With acceleration, from a random start, and in the valleys beyond: what is reported is the loss of theta, and
 * it falls. */
Test(trainer_lm, never_returns_a_worse_loss) {
    kan_dataset *d = make_data(N, 4);
    kan_net *net = make_net();
    const kan_train_options options = {.optimizer = KAN_LM, .steps = 60};
    kan_trainer *t = kan_trainer_alloc(kan_net_model(net), d, &options, NULL);
    double last = INFINITY;
    while (t->report.outcome == KAN_RUNNING) {
        kan_metric metric;
        cr_assert(eq(int, kan_trainer_step(t, NULL), KAN_OK));
        cr_assert(le(dbl, t->report.loss, last), "step %zu", t->report.steps);
        last = t->report.loss;
        kan_trainer_evaluate(kan_net_model(net), d, &metric, NULL);
        cr_assert(epsilon_eq(dbl, metric.rmse, sqrt(last), 1e-12));
    }
    cr_assert(lt(dbl, sqrt(last), 1e-3), "rmse %g", sqrt(last));
    kan_trainer_free(t);
    kan_net_free(net);
    kan_dataset_free(d);
}

/* 5001 parameters, more than have a matrix. */
Test(trainer_lm, does_without_matrices_where_there_are_many_parameters) {
    kan_dataset *d = make_data(60, 4);
    static double first[5001];
    for (size_t threads = 1; threads <= 3; threads += 2) {
        kan_mlp *mlp = kan_mlp_alloc(
            &(kan_mlp_config){.width = {N_IN, 1000, 1}, .activation = KAN_TANH, .seed = 3});
        kan_model *m = kan_mlp_model(mlp);
        cr_assert(eq(sz, m->n_params, sizeof first / sizeof *first));
        kan_parallel_set_threads(threads);
        kan_report report;
        const kan_train_options options = {.optimizer = KAN_LM, .steps = 12};
        cr_assert(eq(int, kan_trainer_fit(m, d, &options, &report, NULL), KAN_OK));
        cr_assert(lt(dbl, sqrt(report.loss), 1e-2), "rmse %g", sqrt(report.loss));
        if (threads == 1) memcpy(first, m->theta, sizeof first);
        cr_assert(memcmp(first, m->theta, sizeof first) == 0, "%zu threads", threads);
        kan_mlp_free(mlp);
    }
    kan_dataset_free(d);
}

static double plain_loss(size_t batch, size_t n_out, const double *y_hat, const double *y,
                         const double *weight, double scale, double *dy) {
    return kan_loss_mse->eval(batch, n_out, y_hat, y, weight, scale, dy);
}

Test(trainer_lm, refuses_a_loss_without_a_gauss_newton_form) {
    const kan_loss loss = {.name = "plain", .eval = plain_loss};
    kan_dataset *d = make_data(N, 1);
    kan_mlp *line = make_line();
    kan_error error = {KAN_OK, ""};
    const kan_train_options options = {.optimizer = KAN_LM, .loss = &loss};
    cr_assert(eq(int, kan_trainer_fit(kan_mlp_model(line), d, &options, NULL, &error), KAN_ECONFIG));
    cr_assert(strstr(error.message, "plain") != NULL, "%s", error.message);
    cr_assert(eq(int, kan_trainer_fit(kan_mlp_model(line), d, &options, NULL, NULL), KAN_ECONFIG));
    kan_mlp_free(line);
    kan_dataset_free(d);
}
