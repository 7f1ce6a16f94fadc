/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/model.h"
#include "tests/support/alloc.h"

/* y = a x + b, and, if it has one, the penalty a^2. */
typedef struct line {
    double theta[2];
    uint8_t trainable[2];
    kan_status save_fails_with; /* KAN_OK: it does not */
} line;

static size_t line_work_size(const void *self, size_t batch) {
    (void)self;
    return 3 * batch + 1;
}

static void line_forward(const void *self, size_t batch, const double *x, double *y, double *work) {
    const line *l = self;
    for (size_t s = 0; s < batch; ++s) y[s] = l->theta[0] * x[s] + l->theta[1], work[s] = x[s];
}

static void line_backward(const void *self, size_t batch, const double *x, const double *dy,
                          double *grad, double *dx, double *work) {
    const line *l = self;
    (void)x;
    for (size_t s = 0; s < batch; ++s) {
        grad[0] += dy[s] * work[s], grad[1] += dy[s];
        if (dx) dx[s] = dy[s] * l->theta[0];
    }
}

static double line_penalty(const void *self, size_t batch, double weight, double *grad, double *work) {
    const line *l = self;
    (void)batch, (void)work;
    grad[0] += weight * 2.0 * l->theta[0];
    return weight * l->theta[0] * l->theta[0];
}

static kan_status line_save(const void *self, kan_file *file, kan_error *error) {
    const line *l = self;
    const size_t shape[] = {2};
    if (l->save_fails_with)
        return kan_status_fail(error, l->save_fails_with, "the line cannot be saved");
    return kan_file_add(file, "line.theta", KAN_F64, 1, shape, l->theta, error);
}

static const kan_model_ops plain_ops = {.name = "line",
                                        .work_size = line_work_size,
                                        .forward = line_forward,
                                        .backward = line_backward,
                                        .save = line_save};
static const kan_model_ops penalised_ops = {.name = "line",
                                            .work_size = line_work_size,
                                            .forward = line_forward,
                                            .backward = line_backward,
                                            .penalty = line_penalty,
                                            .save = line_save};

static kan_model model_of(line *l, const kan_model_ops *ops) {
    *l = (line){.theta = {2.385, -0.71}, .trainable = {1, 0}};
    return (kan_model){.ops = ops,
                       .self = l,
                       .n_in = 1,
                       .n_out = 1,
                       .n_params = 2,
                       .theta = l->theta,
                       .trainable = l->trainable};
}

Test(model, passes_calls_on_to_its_implementation) {
    line l;
    const kan_model m = model_of(&l, &plain_ops);
    const double x[] = {0.3, -1.7}, dy[] = {0.9, 0.4};
    double y[2] = {NAN, NAN}, dx[2] = {NAN, NAN}, grad[2] = {10.0, 20.0}, work[7];
    cr_assert(eq(sz, kan_model_work_size(&m, 2), 7));
    kan_model_forward(&m, 2, x, y, work);
    kan_model_backward(&m, 2, x, dy, grad, dx, work);
    for (size_t s = 0; s < 2; ++s) {
        cr_assert(eq(dbl, y[s], 2.385 * x[s] - 0.71));
        cr_assert(eq(dbl, dx[s], dy[s] * 2.385));
    }
    cr_assert(epsilon_eq(dbl, grad[0], 10.0 + 0.9 * 0.3 - 0.4 * 1.7, 1e-14));
    cr_assert(epsilon_eq(dbl, grad[1], 20.0 + 1.3, 1e-14));
    kan_model_backward(&m, 2, x, dy, grad, NULL, work);
}

Test(model, a_gradient_is_made_of_nothing_that_was_there) {
    line l;
    const kan_model m = model_of(&l, &plain_ops);
    const double x[] = {0.3, -1.7}, dy[] = {0.9, 0.4};
    double y[2], grad[2] = {NAN, NAN}, work[7];
    kan_model_forward(&m, 2, x, y, work);
    kan_model_gradient(&m, 2, x, dy, grad, NULL, work);
    cr_assert(epsilon_eq(dbl, grad[0], 0.9 * 0.3 - 0.4 * 1.7, 1e-14));
    cr_assert(epsilon_eq(dbl, grad[1], 1.3, 1e-14));
}

Test(model, has_a_penalty_only_if_its_implementation_has) {
    line l;
    double grad[2] = {0.25, 0.5}, work[1];
    const kan_model plain = model_of(&l, &plain_ops);
    cr_assert(eq(dbl, kan_model_penalty(&plain, 0, 3.0, grad, work), 0.0));
    cr_assert(grad[0] == 0.25 && grad[1] == 0.5);
    const kan_model penalised = model_of(&l, &penalised_ops);
    cr_assert(eq(dbl, kan_model_penalty(&penalised, 0, 0.5, grad, work), 0.5 * 2.385 * 2.385));
    cr_assert(eq(dbl, grad[0], 0.25 + 2.385));
}

Test(model, counts_what_is_trainable) {
    line l;
    const kan_model m = model_of(&l, &plain_ops);
    cr_assert(eq(sz, kan_model_n_trainable(&m), 1));
    l.trainable[1] = 3; /* any value but 0 */
    cr_assert(eq(sz, kan_model_n_trainable(&m), 2));
    l.trainable[0] = l.trainable[1] = 0;
    cr_assert(eq(sz, kan_model_n_trainable(&m), 0));
}

/* A directory of its own, and a path in it. */
static char directory[64], path[96];

static void make_directory(void) {
    snprintf(directory, sizeof directory, "/tmp/kan_model_XXXXXX");
    cr_assert(mkdtemp(directory) != NULL);
    snprintf(path, sizeof path, "%s/line", directory);
}

static void remove_directory(void) {
    unlink(path);
    cr_assert(rmdir(directory) == 0, "files are left in %s", directory);
}

TestSuite(model_file, .init = make_directory, .fini = remove_directory);

static void assert_saved(double a, double b) {
    const size_t shape[] = {2};
    kan_error error = {KAN_OK, ""};
    kan_file *file = kan_file_read(path, &error);
    cr_assert(file != NULL, "%s", error.message);
    cr_assert(strcmp(kan_file_get(file, "model"), "line") == 0);
    const double *theta = kan_file_find(file, "line.theta", KAN_F64, 1, shape, &error);
    cr_assert(theta != NULL, "%s", error.message);
    cr_assert(theta[0] == a && theta[1] == b);
    kan_file_free(file);
}

Test(model_file, holds_the_name_and_what_the_implementation_saves) {
    line l;
    const kan_model m = model_of(&l, &plain_ops);
    cr_assert(eq(int, (int)kan_model_save(&m, path, NULL), KAN_OK));
    assert_saved(2.385, -0.71);
}

Test(model_file, a_failure_leaves_the_earlier_file) {
    line l;
    kan_error error = {KAN_OK, ""};
    const kan_model m = model_of(&l, &plain_ops);
    cr_assert(eq(int, (int)kan_model_save(&m, path, NULL), KAN_OK));
    l.theta[0] = 1.25, l.save_fails_with = KAN_ENOMEM;
    cr_assert(eq(int, (int)kan_model_save(&m, path, &error), KAN_ENOMEM));
    cr_assert(strcmp(error.message, "the line cannot be saved") == 0);
    assert_saved(2.385, -0.71);
    l.save_fails_with = KAN_OK;
    cr_assert(eq(int, (int)kan_model_save(&m, path, &error), KAN_OK));
    assert_saved(1.25, -0.71);
}

Test(model_file, a_place_that_does_not_exist_is_named) {
    line l;
    kan_error error = {KAN_OK, ""};
    const kan_model m = model_of(&l, &plain_ops);
    char nowhere[128];
    snprintf(nowhere, sizeof nowhere, "%s/missing/line", directory);
    cr_assert(eq(int, (int)kan_model_save(&m, nowhere, &error), KAN_EIO));
    cr_assert(eq(int, (int)error.status, KAN_EIO));
    cr_assert(strstr(error.message, nowhere) != NULL, "%s", error.message);
}

static kan_status attempt(void *context) {
    return kan_model_save(context, path, NULL);
}

/* remove_directory then finds no temporary file either. */
Test(model_file, survives_every_failing_allocation) {
    line l;
    kan_model m = model_of(&l, &plain_ops);
    cr_assert(gt(sz, alloc_fail_every(attempt, &m), 2));
    assert_saved(2.385, -0.71);
}
