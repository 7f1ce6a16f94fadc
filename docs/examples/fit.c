/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include <kan/net.h>
#include <train/dataset.h>
#include <train/trainer.h>

int main(void) {
    kan_error error = {.message = "out of memory"};
    kan_metric test;
    kan_dataset *d = kan_dataset_read("train.csv", NULL, &error);
    kan_dataset *t = d ? kan_dataset_read("test.csv", &(kan_read_options){.like = d}, &error) : NULL;
    kan_net *net = t ? kan_net_alloc(&(kan_net_config){.width = {d->n_in, 5, d->n_out}, .seed = 42})
                     : NULL;
    kan_status status = net ? kan_trainer_fit(kan_net_model(net), d, NULL, NULL, &error) : KAN_ENOMEM;
    if (status == KAN_OK) status = kan_trainer_evaluate(kan_net_model(net), t, &test, &error);
    if (status == KAN_OK)
        printf("test rmse %g\n", test.rmse);
    else
        fprintf(stderr, "%s\n", error.message);
    kan_net_free(net), kan_dataset_free(t), kan_dataset_free(d);
    return status == KAN_OK ? 0 : 1;
}
