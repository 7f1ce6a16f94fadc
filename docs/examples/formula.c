/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>

#include <kan/diagram.h>
#include <kan/formula.h>
#include <kan/polish.h>
#include <kan/prune.h>
#include <kan/snap.h>
#include <train/trainer.h>

#include "hello.h"

/* The picture of a net, the edges' strength measured on the rows of d. */
static kan_status draw(const kan_net *net, const kan_dataset *d, const char *path, kan_error *error) {
    char x[] = "x", y[] = "y", f[] = "f", *inputs[] = {x, y}, *outputs[] = {f};
    kan_attribution *a = kan_attribution_alloc(net, d->n, d->x, error);
    FILE *stream = a ? fopen(path, "w") : NULL;
    kan_status status = stream ? KAN_OK : KAN_EIO;
    const kan_diagram_options how = {.input_names = inputs, .output_names = outputs};
    if (status == KAN_OK) status = kan_diagram_write(net, a, &how, stream, error);
    if (stream && fclose(stream) != 0) status = KAN_EIO;
    kan_attribution_free(a);
    return status;
}

/* The formula of a net of functions, in normal form, its constants fitted to the rows and put to those with a name. */
static kan_status print(const kan_net *net, const kan_dataset *d, kan_error *error) {
    const char *const names[] = {"x", "y"};
    double rmse = 0.0;
    char *text = NULL;
    kan_expression *e = NULL;
    kan_status status = kan_net_formula(net, 0, names, &e, error);
    if (status == KAN_OK) status = kan_polish_formula(&e, d, names, 0, NULL, &rmse, error);
    if (status == KAN_OK) {
        text = kan_expression_print(e, KAN_EXPRESSION_TEXT, error);
        status = text ? KAN_OK : KAN_ENOMEM;
    }
    if (text) printf("f = %s\n", text);
    free(text), kan_expression_free(e);
    return status;
}

int main(void) {
    kan_error error = {.message = "out of memory"};
    kan_status status = KAN_ENOMEM;
    kan_prune_report pruned;
    kan_snap_report snapped = {0};
    kan_net *small = NULL, *named = NULL;
    kan_dataset *rows = hello_rows(1000, 1), *held = hello_rows(300, 2);
    kan_net *net = kan_net_alloc(&(kan_net_config){.width = {2, 5, 1}, .seed = 3});
    if (!rows || !held || !net) goto end;

    const kan_train_options lm = {.optimizer = KAN_LM, .steps = 50};
    status = kan_trainer_fit(kan_net_model(net), rows, &lm, NULL, &error);
    if (status != KAN_OK) goto end;

    const kan_prune_options budget = {.budget = 2.0, .floor = 0.03, .refit = rows};
    small = kan_prune_budget(net, held, &budget, NULL, &pruned, &error);
    named = small ? kan_snap_all(small, rows, held, NULL, &snapped, &error) : NULL;
    status = named ? KAN_OK : KAN_ENOMEM;
    if (status != KAN_OK) goto end;
    printf("%zu edges pruned, %zu functions, %zu splines\n", pruned.n_edges_removed,
           snapped.n_edges - snapped.n_splines, snapped.n_splines);
    status = print(named, rows, &error);
    if (status == KAN_OK) status = draw(named, rows, "named.svg", &error);
end:
    if (status != KAN_OK) fprintf(stderr, "%s\n", error.message);
    kan_snap_report_free(&snapped);
    kan_net_free(named), kan_net_free(small), kan_net_free(net);
    kan_dataset_free(held), kan_dataset_free(rows);
    return status == KAN_OK ? 0 : 1;
}
