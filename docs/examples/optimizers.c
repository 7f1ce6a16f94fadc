/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include <kan/grid.h>
#include <kan/net.h>
#include <train/trainer.h>

#include "hello.h"

/* Trains with a loop of its own: after step 10 the grids move to where the nodes' values are. */
static kan_status fit(kan_net *net, const kan_dataset *d, const kan_train_options *options,
                      kan_report *report, kan_error *error) {
    kan_status status = KAN_OK;
    kan_trainer *t = kan_trainer_alloc(kan_net_model(net), d, options, error);
    if (!t) return KAN_ENOMEM;
    while (status == KAN_OK && t->report.outcome == KAN_RUNNING) {
        status = kan_trainer_step(t, error);
        if (status == KAN_OK && t->report.steps == 10) {
            status = kan_grid_update(net, d->n, d->x, 0.05, error);
            kan_trainer_reset(t);
        }
    }
    kan_trainer_finish(t);
    *report = t->report;
    kan_trainer_free(t);
    return status;
}

int main(void) {
    const char *names[] = {"L-BFGS", "Adam", "Levenberg-Marquardt"};
    const kan_train_options options[] = {
        {.optimizer = KAN_LBFGS, .steps = 100},
        {.optimizer = KAN_ADAM, .steps = 2000, .rate = 0.01, .batch = 64, .seed = 1},
        {.optimizer = KAN_LM, .steps = 100},
    };
    kan_error error = {.message = "out of memory"};
    kan_status status = KAN_OK;
    kan_dataset *d = hello_rows(1000, 1);
    for (int k = 0; d && k < 3 && status == KAN_OK; ++k) {
        kan_report report;
        kan_net *net = kan_net_alloc(&(kan_net_config){.width = {2, 5, 1}, .seed = 3});
        status = net ? fit(net, d, &options[k], &report, &error) : KAN_ENOMEM;
        if (status == KAN_OK)
            printf("%-20s %4zu steps, loss %.1e\n", names[k], report.steps, report.loss);
        kan_net_free(net);
    }
    if (!d || status != KAN_OK) fprintf(stderr, "%s\n", error.message);
    kan_dataset_free(d);
    return d && status == KAN_OK ? 0 : 1;
}
