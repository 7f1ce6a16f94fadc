/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>

#include <kan/net.h>
#include <train/trainer.h>

/* Four faults of the world, each of which is told and none of which ends the program. */
int main(void) {
    kan_error error;

    if (!kan_dataset_read("nowhere.csv", NULL, &error))
        printf("%s\n    (%s)\n", error.message, kan_status_string(error.status));

    FILE *file = fopen("ragged.csv", "w");
    if (file) fputs("x,y\n1,2\n3\n", file), fclose(file);
    if (!kan_dataset_read("ragged.csv", NULL, &error))
        printf("%s\n    (%s)\n", error.message, kan_status_string(error.status));

    const kan_net_config config = {.width = {2, 5, 1},
                                   .degree = 40}; /* as if it had come from a file */
    const char *wrong = kan_net_check(&config);
    if (wrong) printf("config: %s\n", wrong);

    kan_dataset *d = kan_dataset_alloc(KAN_REGRESSION, 10, 1, 1, false);
    kan_net *net = kan_net_alloc(&(kan_net_config){.width = {1, 1}});
    if (d && net) {
        d->y[3] = NAN;
        const kan_status status = kan_trainer_fit(kan_net_model(net), d, NULL, NULL, &error);
        if (status != KAN_OK) printf("%s\n    (%s)\n", error.message, kan_status_string(status));
    }
    kan_net_free(net), kan_dataset_free(d);
    return 0;
}
