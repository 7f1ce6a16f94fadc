/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include <kan/net.h>
#include <train/trainer.h>

#include "hello.h"

int main(void) {
    kan_error error = {.message = "out of memory"};
    kan_status status = KAN_ENOMEM;
    kan_report report;
    kan_metric test;
    kan_dataset *rows = hello_rows(1000, 1), *held = hello_rows(1000, 2);
    kan_net *net = kan_net_alloc(&(kan_net_config){.width = {2, 1, 1}, .n_cells = 10, .seed = 3});
    if (!rows || !held || !net) goto end;

    const kan_train_options options = {.optimizer = KAN_LM, .steps = 200};
    status = kan_trainer_fit(kan_net_model(net), rows, &options, &report, &error);
    if (status == KAN_OK) status = kan_trainer_evaluate(kan_net_model(net), held, &test, &error);
    if (status == KAN_OK)
        printf("%zu parameters, loss %.3g, test rmse %.3g\n", kan_model_n_trainable(kan_net_model(net)),
               report.loss, test.rmse);
end:
    if (status != KAN_OK) fprintf(stderr, "%s\n", error.message);
    kan_net_free(net), kan_dataset_free(held), kan_dataset_free(rows);
    return status == KAN_OK ? 0 : 1;
}
