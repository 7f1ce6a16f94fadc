/* experiments/bench_tasks.c - the training tasks: their data and their recipes.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "experiments/bench_tasks.h"

#include <stdio.h>
#include <stdlib.h>

#include "experiments/command.h"
#include "train/scaler.h"

enum { PATH_SIZE = 1024 };

/* ---- MNIST -------------------------------------------------------------------------------------- */

/* Pixels are 0 .. 1 and so are the grids. Larger rates than 0.001 make the KAN learn the rows by heart sooner and
 * the others less well. The MLP has the best of 0.001, 0.002 and 0.005. */
static const bench_classes mnist = {.name = "mnist",
                                    .hidden = 64,
                                    .n_cells = 5,
                                    .batch = 128,
                                    .epochs = 10,
                                    .seeds = 1,
                                    .kan_rate = 0.001,
                                    .mlp_rate = 0.005,
                                    .precision = KAN_SINGLE,
                                    .lo = 0.0,
                                    .hi = 1.0};

/* "images:labels" of a part of it, "train" or "t10k", in text. */
static const char *mnist_path(const char *folder, const char *part, char *text) {
    snprintf(text, PATH_SIZE, "%s/mnist/%s-images-idx3-ubyte.gz:%s/mnist/%s-labels-idx1-ubyte.gz",
             folder, part, folder, part);
    return text;
}

static kan_status read_mnist(const bench *b, kan_dataset **train, kan_dataset **test,
                             kan_error *error) {
    char path[PATH_SIZE];
    *train = kan_dataset_read(mnist_path(b->data, "train", path), NULL, error);
    if (!*train) return error->status;
    const kan_read_options like = {.like = *train};
    *test = kan_dataset_read(mnist_path(b->data, "t10k", path), &like, error);
    return *test ? KAN_OK : error->status;
}

/* ---- digits ------------------------------------------------------------------------------------- */

/* Pixels are 0 .. 16 and become -1 .. 1, where the grids are. The KAN is good from 0.002 to 0.01, the MLP has
 * the best of 0.001 to 0.02. */
static const bench_classes digits = {.name = "digits",
                                     .hidden = 64,
                                     .n_cells = 3,
                                     .batch = 64,
                                     .epochs = 30,
                                     .seeds = 3,
                                     .kan_rate = 0.002,
                                     .mlp_rate = 0.02,
                                     .precision = KAN_SINGLE,
                                     .lo = -1.0,
                                     .hi = 1.0};
static const double digits_max = 16.0;

static kan_status scale_digits(kan_dataset *train, kan_dataset *test) {
    kan_scaler *scaler = kan_scaler_alloc(train);
    if (!scaler) return KAN_ENOMEM;
    for (size_t i = 0; i < scaler->n_in; ++i) scaler->x_mean[i] = scaler->x_scale[i] = digits_max / 2.0;
    kan_scaler_apply(scaler, train);
    kan_scaler_apply(scaler, test);
    kan_scaler_free(scaler);
    return KAN_OK;
}

/* Cuts the rows of a table: those of the sorted list `held` [n_held] to test on, all others to train on. */
static kan_status cut(const kan_dataset *all, size_t n_held, const size_t *held, kan_dataset **train,
                      kan_dataset **test) {
    size_t *rest = malloc(all->n * sizeof *rest), n = 0;
    if (!rest) return KAN_ENOMEM;
    for (size_t s = 0, next = 0; s < all->n; ++s) {
        if (next < n_held && held[next] == s)
            ++next;
        else
            rest[n++] = s;
    }
    *train = kan_dataset_select(all, n, rest);
    *test = kan_dataset_select(all, n_held, held);
    free(rest);
    return *train && *test ? scale_digits(*train, *test) : KAN_ENOMEM;
}

static kan_status read_digits(const bench *b, kan_dataset **train, kan_dataset **test,
                              kan_error *error) {
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/sklearn/digits.csv", b->data);
    const kan_read_options classes = {.task = KAN_TASK_CLASSIFICATION};
    kan_dataset *all = kan_dataset_read(path, &classes, error);
    if (!all) return error->status;
    snprintf(path, sizeof path, "%s/splits/digits.csv", b->data);
    size_t n_held = 0, *held = kan_dataset_read_rows(path, all->n, &n_held, error);
    kan_status status = error->status;
    if (held) status = cut(all, n_held, held, train, test);
    free(held);
    kan_dataset_free(all);
    return status == KAN_ENOMEM ? kan_status_fail(error, status, "out of memory") : status;
}

/* ---- all of them -------------------------------------------------------------------------------- */

typedef kan_status reader(const bench *b, kan_dataset **train, kan_dataset **test, kan_error *error);

/* A table that is not there is no failure of the measurement: it says so and goes on. */
static int run(const bench *b, const bench_classes *recipe, reader *read) {
    kan_dataset *train = NULL, *test = NULL;
    kan_error error = {.status = KAN_OK};
    bench_classes own = *recipe;
    if (b->quick) own.epochs = own.seeds = 1;
    if (!b->data) {
        printf("%s: skipped, its data are for --data to say\n", own.name);
        return 0;
    }
    int status = 0;
    if (read(b, &train, &test, &error) == KAN_OK)
        status = bench_classify(b, &own, train, test);
    else
        printf("%s: skipped, %s\n", own.name, error.message);
    kan_dataset_free(train);
    kan_dataset_free(test);
    return status;
}

int bench_tasks(const bench *b) {
    printf("\nTasks (CPU time of the steps, optimizer included)\n");
    int status = bench_det4(b);
    fflush(stdout);
    if (status == 0 && !interrupted) status = run(b, &digits, read_digits);
    fflush(stdout);
    if (status == 0 && !interrupted) status = run(b, &mnist, read_mnist);
    return status;
}
