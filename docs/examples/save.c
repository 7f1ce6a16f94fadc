/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include <core/work.h>
#include <kan/net.h>
#include <train/scaler.h>
#include <train/trainer.h>

#include "hello.h"

/* Model, scaling and the columns' names in one file, which kan predict reads, too. */
static kan_status save(kan_net *net, const kan_scaler *scaler, const kan_dataset *d, const char *path,
                       kan_error *error) {
    kan_file *file = kan_file_alloc();
    kan_status status = file ? kan_model_add_to(kan_net_model(net), file, error) : KAN_ENOMEM;
    if (status == KAN_OK) status = kan_scaler_save(scaler, file, error);
    if (status == KAN_OK) status = kan_dataset_save_schema(d, file, error);
    if (status == KAN_OK) status = kan_file_write(file, path, error);
    kan_file_free(file);
    return status;
}

/* The prediction of the model in a file at one point, in the units of the data. */
static kan_status predict(const char *path, const double x[2], double *y, kan_error *error) {
    kan_file *file = kan_file_read(path, error);
    kan_net *net = file ? kan_net_load(file, error) : NULL;
    kan_scaler *scaler = net ? kan_scaler_load(file, error) : NULL;
    kan_dataset *row = kan_dataset_alloc(KAN_REGRESSION, 1, 2, 1, false);
    kan_status status = file && net && scaler ? KAN_OK : error->status;
    if (status == KAN_OK && !row) status = KAN_ENOMEM;
    if (status == KAN_OK) {
        row->x[0] = x[0], row->x[1] = x[1];
        kan_scaler_apply(scaler, row);
        status = kan_trainer_predict(kan_net_model(net), row, y, error);
        kan_scaler_undo(scaler, 1, y);
    }
    kan_dataset_free(row), kan_scaler_free(scaler), kan_net_free(net), kan_file_free(file);
    return status;
}

int main(void) {
    kan_error error = {.status = KAN_ENOMEM, .message = "out of memory"};
    kan_status status = KAN_ENOMEM;
    double y;
    kan_dataset *d = hello_rows(1000, 1);
    kan_scaler *scaler = d ? kan_scaler_alloc(d) : NULL;
    kan_net *net = kan_net_alloc(
        &(kan_net_config){.width = {2, 1, 1}, .n_cells = 10, .lo = -2, .hi = 2, .seed = 3});
    if (!scaler || !net) goto end;
    kan_scaler_apply(scaler, d);

    status = kan_trainer_fit(kan_net_model(net), d, &(kan_train_options){.optimizer = KAN_LM}, NULL,
                             &error);
    if (status == KAN_OK) status = save(net, scaler, d, "hello.kan", &error);
    if (status == KAN_OK) status = predict("hello.kan", (const double[]){0.5, 0.5}, &y, &error);
    if (status == KAN_OK) printf("f(0.5, 0.5) = %.3f, and it should be %.3f\n", y, exp(1.25));
end:
    if (status != KAN_OK) fprintf(stderr, "%s\n", error.message);
    kan_net_free(net), kan_scaler_free(scaler), kan_dataset_free(d);
    return status == KAN_OK ? 0 : 1;
}
