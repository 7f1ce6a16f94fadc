/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>

#include "core/work.h"
#include "experiments/bench_clock.h"
#include "experiments/bench_tasks.h"
#include "experiments/command.h"
#include "experiments/generator.h"
#include "experiments/report.h"
#include "kan/net.h"
#include "train/scaler.h"
#include "train/trainer.h"

/* The recipe. Entries of the matrices are uniform in 0 .. 1 and become -1 .. 1, where the grids are; the target
 * is standardised. Adam needs some three passes, at a rate that hardly falls meanwhile. A look at the test
 * rows every LOOK steps makes the seconds a little too long, by half a distance on average. */
enum { HIDDEN = 64, N_CELLS = 5, BATCH = 256, EPOCHS = 6, LOOK = 10, SEEDS = 3 };
static const double rate = 0.005;

enum { N_GOALS = 2 };
static const double goals[N_GOALS] = {0.94, 0.97};

/* Pearson's correlation of predictions and targets, both [n]. */
static double correlation(size_t n, const double *y_hat, const double *y) {
    double mean = 0.0, mean_hat = 0.0, aa = 0.0, bb = 0.0, ab = 0.0;
    for (size_t s = 0; s < n; ++s) mean += y[s] / (double)n, mean_hat += y_hat[s] / (double)n;
    for (size_t s = 0; s < n; ++s) {
        const double a = y_hat[s] - mean_hat, b = y[s] - mean;
        aa += a * a, bb += b * b, ab += a * b;
    }
    return ab / sqrt(aa * bb);
}

/* Trains until the last goal is reached or the steps are used up; seconds [N_GOALS] are infinite for goals that
 * were not reached. */
static kan_status train_to_goals(kan_model *m, kan_trainer *t, const kan_dataset *test, double *y_hat,
                                 double *seconds, kan_error *error) {
    double used = 0.0;
    size_t reached = 0;
    kan_status status = KAN_OK;
    for (size_t g = 0; g < N_GOALS; ++g) seconds[g] = INFINITY;
    while (status == KAN_OK && reached < N_GOALS && t->report.outcome == KAN_RUNNING) {
        const double start = bench_cpu_seconds();
        for (size_t j = 0; j < LOOK && status == KAN_OK; ++j) status = kan_trainer_step(t, error);
        used += bench_cpu_seconds() - start;
        if (status == KAN_OK) status = kan_trainer_predict(m, test, y_hat, error);
        if (status != KAN_OK) break;
        const double r = correlation(test->n, y_hat, test->y);
        while (reached < N_GOALS && r >= goals[reached]) seconds[reached++] = used;
    }
    return status;
}

static kan_status run_seed(const kan_dataset *train, const kan_dataset *test, uint64_t seed,
                           double *seconds, kan_error *error) {
    const kan_train_options training = {.optimizer = KAN_ADAM,
                                        .steps = EPOCHS * ((train->n + BATCH - 1) / BATCH),
                                        .batch = BATCH,
                                        .rate = rate,
                                        .seed = seed,
                                        .stop = &interrupted};
    kan_status status = KAN_ENOMEM;
    kan_trainer *trainer = NULL;
    double *y_hat = kan_work_alloc(test->n);
    kan_net *net = kan_net_alloc(
        &(kan_net_config){.width = {train->n_in, HIDDEN, 1}, .n_cells = N_CELLS, .seed = seed});
    if (!y_hat || !net) {
        kan_status_fail(error, status, "out of memory");
        goto done;
    }
    trainer = kan_trainer_alloc(kan_net_model(net), train, &training, error);
    if (trainer) status = train_to_goals(kan_net_model(net), trainer, test, y_hat, seconds, error);
done:
    kan_trainer_free(trainer);
    kan_net_free(net);
    kan_work_free(y_hat);
    return status;
}

static kan_status make_rows(bool quick, kan_dataset **train, kan_dataset **test, kan_error *error) {
    const generator_options rows = {.n_train = quick ? 5000 : 100000, .n_test = quick ? 1000 : 20000};
    kan_status status = generator_make("det4", &rows, train, test, error);
    if (status != KAN_OK) return status;
    kan_scaler *scaler = kan_scaler_alloc(*train);
    if (!scaler) return kan_status_fail(error, KAN_ENOMEM, "out of memory");
    for (size_t i = 0; i < scaler->n_in; ++i) scaler->x_mean[i] = scaler->x_scale[i] = 0.5;
    kan_scaler_apply(scaler, *train);
    kan_scaler_apply(scaler, *test);
    kan_scaler_free(scaler);
    return KAN_OK;
}

static const char *seconds_text(double seconds, char *text, size_t size) {
    if (isfinite(seconds))
        snprintf(text, size, "after %.3f CPU s", seconds);
    else
        snprintf(text, size, "not reached");
    return text;
}

static int report(const bench *b, const kan_dataset *train, size_t n_seeds, double seconds[N_GOALS]) {
    char text[N_GOALS][32];
    printf("det4, %zu,%d,1, %zu rows, Adam, batch %d, double precision, median of %zu seed%s: "
           "correlation\n"
           "  %.2f %s, %.2f %s\n",
           train->n_in, (int)HIDDEN, train->n, (int)BATCH, n_seeds, n_seeds == 1 ? "" : "s", goals[0],
           seconds_text(seconds[0], text[0], sizeof text[0]), goals[1],
           seconds_text(seconds[1], text[1], sizeof text[1]));
    return bench_append(b, "tasks",
                        json_pack("{s:s, s:[i,i,i], s:s, s:I, s:I, s:I, s:I, s:f, s:o, s:o}", "task",
                                  "det4", "shape", (int)train->n_in, (int)HIDDEN, 1, "precision",
                                  "double", "rows", (json_int_t)train->n, "batch", (json_int_t)BATCH,
                                  "n_cells", (json_int_t)N_CELLS, "seeds", (json_int_t)n_seeds,
                                  "kan_rate", rate, "seconds_to_0.94", report_real(seconds[0]),
                                  "seconds_to_0.97", report_real(seconds[1])));
}

int bench_det4(const bench *b) {
    double seconds[N_GOALS][SEEDS];
    kan_error error = {.status = KAN_OK};
    kan_dataset *train = NULL, *test = NULL;
    const size_t n_seeds = b->quick ? 1 : SEEDS;
    kan_status status = make_rows(b->quick, &train, &test, &error);
    for (uint64_t seed = 0; seed < n_seeds && status == KAN_OK && !interrupted; ++seed) {
        double own[N_GOALS];
        status = run_seed(train, test, seed, own, &error);
        for (size_t g = 0; g < N_GOALS && status == KAN_OK; ++g) seconds[g][seed] = own[g];
    }
    int result = 0;
    if (status != KAN_OK)
        result = complain(1, "det4: %s", error.message);
    else if (!interrupted)
        result = report(
            b, train, n_seeds,
            (double[]){bench_median(n_seeds, seconds[0]), bench_median(n_seeds, seconds[1])});
    kan_dataset_free(train);
    kan_dataset_free(test);
    return result;
}
