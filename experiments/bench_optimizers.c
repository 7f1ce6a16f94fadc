/* experiments/bench_optimizers.c - what moving the parameters costs.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/random.h"
#include "core/work.h"
#include "experiments/bench.h"
#include "experiments/bench_clock.h"
#include "experiments/command.h"
#include "experiments/generator.h"
#include "kan/net.h"
#include "train/adam.h"
#include "train/trainer.h"

/* ---- Adam: the update alone --------------------------------------------------------------------- */

typedef struct update {
    kan_adam *adam;
    double *theta, *grad, *copy; /* [n] */
} update;

static void run_adam(void *context) {
    const update *u = context;
    kan_adam_step(u->adam, 1e-6, u->grad, NULL, u->theta);
}

/* What it is compared to: the same parameters copied once. */
static void run_copy(void *context) {
    const update *u = context;
    memcpy(u->copy, u->theta, u->adam->n * sizeof *u->copy);
}

static int measure_adam(const bench *b) {
    /* those of a KAN [64,64,10] with 5 cells, the digits of the tasks */
    const size_t n = kan_net_count(&(kan_net_config){.width = {64, 64, 10}});
    update u = {kan_adam_alloc(n, NULL), kan_work_alloc(n), kan_work_alloc(n), kan_work_alloc(n)};
    int status = 0;
    if (u.adam && u.theta && u.grad && u.copy) {
        kan_random random = kan_random_seed(4, 0);
        for (size_t j = 0; j < n; ++j) u.grad[j] = kan_random_normal(&random);
        bench_case cases[] = {{.run = run_adam, .context = &u}, {.run = run_copy, .context = &u}};
        const bench_effort effort = bench_effort_make(b->quick, false);
        if (bench_measure(&effort, 2, cases)) {
            const double ns = 1e3 * cases[0].us / (double)n;
            printf(
                "Adam   %.1f us a step for %zu parameters, %.2f ns each; to copy them takes %.1f us\n",
                cases[0].us, n, ns, cases[1].us);
            status = bench_set(b, "adam",
                               json_pack("{s:I, s:f, s:f, s:f}", "parameters", (json_int_t)n, "step_us",
                                         cases[0].us, "ns_per_parameter", ns, "copy_us", cases[1].us));
        }
    } else {
        status = complain(1, "out of memory");
    }
    kan_work_free(u.copy);
    kan_work_free(u.grad);
    kan_work_free(u.theta);
    kan_adam_free(u.adam);
    return status;
}

/* ---- L-BFGS: a whole training ------------------------------------------------------------------- */

enum { LBFGS_CELLS = 3, MAX_SEEDS = 10 };

/* Trains a net of one seed and looks at the test rows. *done tells whether it was not interrupted. */
static kan_status train_once(const kan_dataset *train, const kan_dataset *test, size_t evaluations,
                             uint64_t seed, double *rmse, double *seconds, bool *done,
                             kan_error *error) {
    const kan_train_options options = {
        .optimizer = KAN_LBFGS, .steps = evaluations, .evaluations = evaluations, .stop = &interrupted};
    kan_net *net = kan_net_alloc(
        &(kan_net_config){.width = {train->n_in, 5, 1}, .n_cells = LBFGS_CELLS, .seed = seed});
    if (!net) return kan_status_fail(error, KAN_ENOMEM, "out of memory");
    kan_report report;
    kan_metric metric;
    kan_status status = kan_trainer_fit(kan_net_model(net), train, &options, &report, error);
    if (status == KAN_OK) status = kan_trainer_evaluate(kan_net_model(net), test, &metric, error);
    kan_net_free(net);
    if (status != KAN_OK) return status;
    *rmse = metric.rmse, *seconds = report.seconds;
    *done = report.outcome != KAN_STOPPED;
    return KAN_OK;
}

/* exp(sin(pi x) + y^2), 1000 rows to train on and 1000 to test on, as in the reference implementation's first
 * example: inputs and targets as they are, no noise, grids that stay. */
static int measure_lbfgs(const bench *b) {
    const size_t evaluations = b->quick ? 40 : 480, n_seeds = b->quick ? 2 : MAX_SEEDS;
    double rmse[MAX_SEEDS], seconds[MAX_SEEDS], sum = 0.0;
    kan_dataset *train = NULL, *test = NULL;
    kan_error error = {.status = KAN_OK};
    kan_status status = generator_make("hello", NULL, &train, &test, &error);
    bool done = true;
    for (size_t s = 0; s < n_seeds && status == KAN_OK && done; ++s) {
        status = train_once(train, test, evaluations, s, &rmse[s], &seconds[s], &done, &error);
        sum += status == KAN_OK ? seconds[s] : 0.0;
    }
    kan_dataset_free(train);
    kan_dataset_free(test);
    if (status != KAN_OK) return complain(1, "%s", error.message);
    if (!done) return 0;
    const double median = bench_median(n_seeds, rmse), mean = sum / (double)n_seeds;
    printf("L-BFGS %.3f CPU s for %zu evaluations of fn:hello, KAN 2,5,1 with %d cells, mean of %zu "
           "seeds; "
           "median\n       test RMSE %.5f (the reference implementation takes 3.8 to 4.1 s)\n",
           mean, evaluations, (int)LBFGS_CELLS, n_seeds, median);
    return bench_set(b, "lbfgs",
                     json_pack("{s:s, s:[i,i,i], s:i, s:I, s:I, s:f, s:f}", "data", "fn:hello", "shape",
                               2, 5, 1, "n_cells", (int)LBFGS_CELLS, "evaluations",
                               (json_int_t)evaluations, "seeds", (json_int_t)n_seeds, "seconds", mean,
                               "test_rmse", median));
}

int bench_optimizers(const bench *b) {
    printf("\nOptimizers\n");
    const int status = measure_adam(b);
    return status == 0 && !interrupted ? measure_lbfgs(b) : status;
}
