/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kan/net.h"
#include "kan/net_private.h"
#include "tests/support/alloc.h"
#include "tests/support/kan_cases.h"

/* A net with everything that a file has to keep. */
static kan_net *rich_net(void) {
    const kan_net_config config = {.width = {2, 3, 1},
                                   .mult = {0, 2},
                                   .arity = {0, 3},
                                   .n_cells = 4,
                                   .degree = 2,
                                   .lo = -1.5,
                                   .hi = 0.1,
                                   .base = KAN_BASE_IDENTITY,
                                   .init = KAN_INIT_POWER,
                                   .noise = 0.123456789012345678,
                                   .power_base = 1.0 / 3.0,
                                   .power_spline = 1.1,
                                   .precision = KAN_SINGLE,
                                   .seed = UINT64_MAX - 3};
    kan_net *net = net_with_entropy(&config, true, 61);
    kan_net_remove_edge(net, (kan_edge){0, 1, 4});
    kan_net_set_trainable(net, (kan_edge){1, KAN_EVERY, 0}, KAN_PART_SPLINE, false);
    const kan_penalty penalty = {.l1 = 0.1,
                                 .entropy = 2.0 / 3.0,
                                 .coef = 1e-300,
                                 .coefdiff = 7.0,
                                 .metric = KAN_SCALE_ATTRIBUTED};
    kan_net_set_penalty(net, &penalty);
    return net;
}

static kan_file *file_of(kan_net *net) {
    kan_error error = {KAN_OK, ""};
    kan_file *file = kan_file_alloc();
    cr_assert(file != NULL);
    cr_assert(kan_model_add_to(kan_net_model(net), file, &error) == KAN_OK, "%s", error.message);
    return file;
}

static void assert_same_nets(const kan_net *a, const kan_net *b) {
    cr_assert(memcmp(&a->config, &b->config, sizeof a->config) == 0, "the config");
    cr_assert(eq(sz, b->n_layers, a->n_layers));
    cr_assert(memcmp(&a->penalty, &b->penalty, sizeof a->penalty) == 0, "the penalty");
    cr_assert(memcmp(a->model.theta, b->model.theta, a->model.n_params * sizeof(double)) == 0);
    cr_assert(memcmp(a->trainable, b->trainable, a->model.n_params) == 0);
    for (size_t l = 0; l < a->n_layers; ++l) {
        const layer *p = &a->layers[l], *q = &b->layers[l];
        const size_t n_knots = kan_knots_count(p->degree, p->n_cells);
        cr_assert(memcmp(p->knots, q->knots, p->n_in * n_knots * sizeof(double)) == 0);
        cr_assert(memcmp(a->edges[l], b->edges[l], p->n_in * p->n_out) == 0);
        cr_assert(memcmp(p->cells, q->cells,
                         p->n_in * kan_basis_cells_size(p->degree, p->n_cells) * sizeof(double)) == 0);
    }
}

Test(net_file, keeps_every_bit) {
    char path[] = "/tmp/kan_net_file_XXXXXX";
    close(mkstemp(path));
    kan_error error = {KAN_OK, ""};
    kan_net *net = rich_net();
    cr_assert(kan_model_save(kan_net_model(net), path, &error) == KAN_OK, "%s", error.message);
    kan_file *file = kan_file_read(path, &error);
    cr_assert(file != NULL, "%s", error.message);
    kan_net *loaded = kan_net_load(file, &error);
    kan_file_free(file);
    unlink(path);
    cr_assert(loaded != NULL, "%s", error.message);
    assert_same_nets(net, loaded);

    enum { N = 300 };
    kan_random random = kan_random_seed(62, 0);
    double x[2 * N], y[N], again[N];
    for (size_t j = 0; j < 2 * N; ++j) x[j] = draw(&random, -2.0, 2.0);
    net_forward(net, N, x, y);
    net_forward(loaded, N, x, again);
    cr_assert(memcmp(y, again, sizeof y) == 0);
    kan_net_free(loaded), kan_net_free(net);
}

/* ---- damaged files ------------------------------------------------------------------------------- */

static void assert_refused(const kan_file *file, const char *what) {
    kan_error error = {KAN_OK, ""};
    kan_net *net = kan_net_load(file, &error);
    cr_assert(net == NULL, "%s is accepted", what);
    cr_assert(eq(int, (int)error.status, KAN_EFORMAT), "%s", what);
    cr_assert(strlen(error.message) > 15, "%s: %s", what, error.message);
}

/* Texts that are not what they were; the last ones would be networks, but not the one in the tensors.
 */
Test(net_file, refuses_texts_that_make_no_sense) {
    static const char *const changes[][2] = {
        {"model", "mlp"},
        {"kan.width", ""},
        {"kan.width", "2,3"},
        {"kan.width", "2,3,-1"},
        {"kan.width", "2,3,1,"},
        {"kan.width", "2;3;1"},
        {"kan.width", "2,3,1x"},
        {"kan.width", "0,3,1"},
        {"kan.width", "2,99999999999999999999,1"},
        {"kan.mult", "0,2"},
        {"kan.mult", "1,2,0"},
        {"kan.arity", "2,3"},
        {"kan.arity", "2,99,2"},
        {"kan.n_cells", "x"},
        {"kan.n_cells", "4,4"},
        {"kan.n_cells", "100001"},
        {"kan.degree", "8"},
        {"kan.degree", ""},
        {"kan.lo", "nan"},
        {"kan.lo", "1e999"},
        {"kan.lo", "3"},
        {"kan.hi", "0.1 m"},
        {"kan.base", "relu"},
        {"kan.precision", "half"},
        {"kan.init", "random"},
        {"kan.noise", "inf"},
        {"kan.power_base", "much"},
        {"kan.power_spline", ""},
        {"kan.width", "2,4,1"},
        {"kan.width", "2,3,1,1"},
        {"kan.mult", "0,1,0"},
        {"kan.arity", "2,4,2"},
        {"kan.n_cells", "5"},
        {"kan.degree", "3"},
        {"kan.penalty.l1", "-1"},
        {"kan.penalty.coef", "inf"},
        {"kan.penalty.entropy", "2 bits"},
        {"kan.penalty.coefdiff", ""},
        {"kan.penalty.metric", "edge_sideways"},
        {"kan.penalty.roughness", "-0.5"},
    };
    kan_net *net = rich_net();
    for (size_t j = 0; j < sizeof changes / sizeof *changes; ++j) {
        char what[128];
        snprintf(what, sizeof what, "%s = \"%s\"", changes[j][0], changes[j][1]);
        kan_file *file = file_of(net);
        cr_assert(kan_file_set(file, changes[j][0], changes[j][1], NULL) == KAN_OK);
        assert_refused(file, what);
        kan_file_free(file);
    }
    kan_net_free(net);
    kan_file *empty = kan_file_alloc();
    assert_refused(empty, "an empty file");
    cr_assert(kan_file_set(empty, "model", "kan", NULL) == KAN_OK);
    assert_refused(empty, "a KAN without texts");
    kan_file_free(empty);
}

Test(net_file, names_a_metric_that_it_does_not_know) {
    kan_error error = {KAN_OK, ""};
    kan_net *net = rich_net();
    kan_file *file = file_of(net);
    cr_assert(kan_file_set(file, "kan.penalty.metric", "edge_sideways", NULL) == KAN_OK);
    cr_assert(kan_net_load(file, &error) == NULL);
    cr_assert(strstr(error.message, "edge_sideways") != NULL, "%s", error.message);
    kan_file_free(file);
    kan_net_free(net);
}

Test(net_file, refuses_knots_that_are_none) {
    for (size_t j = 0; j < 9; ++j)
        for (size_t kind = 0; kind < 3; ++kind) {
            kan_net *net = rich_net();
            double *knots = net->layers[1].knots + 2 * 9; /* of node 2: 4 cells + 2 * degree 2 + 1 */
            knots[j] = kind == 0 ? NAN : kind == 1 ? -INFINITY : knots[j > 0 ? j - 1 : 1];
            kan_file *file = file_of(net);
            assert_refused(file, "a damaged knot");
            kan_file_free(file);
            kan_net_free(net);
        }
}

/* A network of the file's texts may need any amount of memory: none is taken before the tensors are
 * seen. */
Test(net_file, allocates_nothing_for_sizes_that_are_only_claimed) {
    kan_net *net = kan_net_alloc(&(kan_net_config){.width = {2, 3, 1}});
    kan_file *file = file_of(net);
    cr_assert(kan_file_set(file, "kan.width", "2,3,1000000,1000000", NULL) == KAN_OK);
    cr_assert(kan_file_set(file, "kan.mult", "0,0,0,0", NULL) == KAN_OK);
    cr_assert(kan_file_set(file, "kan.arity", "2,2,2,2", NULL) == KAN_OK);
    alloc_count_begin();
    assert_refused(file, "a file that claims too much");
    cr_assert(eq(sz, alloc_count_end(), 0));
    kan_file_free(file);
    kan_net_free(net);
}

/* ---- memory -------------------------------------------------------------------------------------- */

static kan_status attempt_load(void *context) {
    kan_error error = {KAN_OK, ""};
    kan_net *net = kan_net_load(context, &error);
    kan_net_free(net);
    return net ? KAN_OK : error.status;
}

static kan_status attempt_add(void *context) {
    kan_net *net = context;
    kan_file *file = kan_file_alloc();
    const kan_status status = file ? kan_model_add_to(kan_net_model(net), file, NULL) : KAN_ENOMEM;
    kan_file_free(file);
    return status;
}

Test(net_file, survives_failing_allocations) {
    kan_net *net = rich_net();
    cr_assert(gt(sz, alloc_fail_every(attempt_add, net), 10));
    kan_file *file = file_of(net);
    cr_assert(gt(sz, alloc_fail_every(attempt_load, file), 4));
    kan_file_free(file);
    kan_net_free(net);
}
