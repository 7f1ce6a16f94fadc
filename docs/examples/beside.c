/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include <kan/net.h>
#include <mlp/mlp.h>
#include <train/trainer.h>

#include "hello.h"

/* Knows the contract and no model: whatever is trained here is trained alike. */
static kan_status judge(kan_model *m, const kan_dataset *rows, const kan_dataset *held,
                        kan_error *error) {
    const kan_train_options options = {.optimizer = KAN_LM, .steps = 200};
    kan_metric test;
    kan_status status = kan_trainer_fit(m, rows, &options, NULL, error);
    if (status == KAN_OK) status = kan_trainer_evaluate(m, held, &test, error);
    if (status == KAN_OK)
        printf("%s: %zu parameters, test rmse %.2g\n", m->ops->name, kan_model_n_trainable(m),
               test.rmse);
    return status;
}

int main(void) {
    kan_error error = {.message = "out of memory"};
    kan_status status = KAN_ENOMEM;
    kan_dataset *rows = hello_rows(1000, 1), *held = hello_rows(1000, 2);
    kan_net *net = kan_net_alloc(&(kan_net_config){.width = {2, 1, 1}, .n_cells = 10, .seed = 3});
    kan_mlp *mlp = kan_mlp_alloc(
        &(kan_mlp_config){.width = {2, 5, 5, 1}, .activation = KAN_TANH, .seed = 3});
    if (rows && held && net && mlp) {
        status = judge(kan_net_model(net), rows, held, &error);
        if (status == KAN_OK) status = judge(kan_mlp_model(mlp), rows, held, &error);
    }
    if (status != KAN_OK) fprintf(stderr, "%s\n", error.message);
    kan_mlp_free(mlp), kan_net_free(net), kan_dataset_free(held), kan_dataset_free(rows);
    return status == KAN_OK ? 0 : 1;
}
