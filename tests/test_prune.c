/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>

#include <math.h>
#include <signal.h>
#include <string.h>

#include "core/work.h"
#include "kan/mask.h"
#include "kan/net_private.h"
#include "kan/prune.h"
#include "tests/support/alloc.h"
#include "tests/support/kan_cases.h"

enum { N = 200 };

/* Rows beyond the grids as well. */
static double *draw_rows(size_t n_in, uint64_t seed) {
    kan_random random = kan_random_seed(seed, 0);
    double *x = poisoned(N * n_in);
    for (size_t j = 0; j < N * n_in; ++j) x[j] = draw(&random, -1.5, 1.5);
    return x;
}

/* Both nets compute the same, the small one from the inputs that it has. */
static void assert_same(kan_net *net, kan_net *small, const size_t *inputs, const char *what) {
    const size_t n_in = kan_net_model(net)->n_in, n_out = kan_net_model(net)->n_out;
    const size_t n_left = kan_net_model(small)->n_in;
    double *x = draw_rows(n_in, 9), *left = poisoned(N * n_left);
    double *y = poisoned(N * n_out), *y_small = poisoned(N * n_out);
    for (size_t s = 0; s < N; ++s)
        for (size_t i = 0; i < n_left; ++i) left[s * n_left + i] = x[s * n_in + inputs[i]];
    net_forward(net, N, x, y);
    net_forward(small, N, left, y_small);
    for (size_t j = 0; j < N * n_out; ++j)
        cr_assert(epsilon_eq(dbl, y_small[j], y[j], 1e-11 * (1.0 + fabs(y[j]))), "%s, value %zu", what,
                  j);
    kan_work_free(y_small);
    kan_work_free(y);
    kan_work_free(left);
    kan_work_free(x);
}

typedef struct shape {
    size_t width[6], mult[6], arity[6];
} shape;

static shape shapes[] = {
    {.width = {2, 5, 1}},
    {.width = {4, 6, 5, 3}},
    {.width = {3, 2, 1}, .mult = {0, 3}, .arity = {0, 2}},
    {.width = {3, 1, 2, 1}, .mult = {0, 3, 2}, .arity = {0, 3, 2}},
    {.width = {3, 3, 1}, .mult = {0, 2, 3}, .arity = {0, 3, 3}},
    {.width = {4, 0, 0}, .mult = {0, 4, 3}, .arity = {0, 3, 2}},
};

static kan_net *net_of(const shape *p, uint64_t seed) {
    kan_net_config config = {.n_cells = 3};
    memcpy(config.width, p->width, sizeof p->width);
    memcpy(config.mult, p->mult, sizeof p->mult);
    memcpy(config.arity, p->arity, sizeof p->arity);
    kan_net *net = net_with_entropy(&config, true, seed);
    kan_random random = kan_random_seed(seed, 6);
    for (size_t j = 0; j < seed % 7; ++j) {
        const size_t l = kan_random_below(&random, kan_net_n_layers(net));
        const kan_edge edge = {l, kan_random_below(&random, kan_net_n_in(net, l)),
                               kan_random_below(&random, kan_net_n_out(net, l))};
        const kan_symbolic s = {kan_function_find(j % 3   ? "sin"
                                                  : j % 2 ? "0"
                                                          : "tanh"),
                                draw(&random, -2.0, 2.0), draw(&random, -1.0, 1.0), 1.7,
                                draw(&random, -1.0, 1.0)};
        cr_assert(kan_net_set_symbolic(net, edge, &s, NULL) == KAN_OK);
        kan_net_lock_symbolic(net, edge, KAN_SYMBOLIC_A);
    }
    return net;
}

static size_t n_nodes(kan_net *net) {
    size_t n = kan_net_model(net)->n_out;
    for (size_t l = 0; l < kan_net_n_layers(net); ++l) n += kan_net_n_in(net, l);
    return n;
}

ParameterizedTestParameters(prune, shrinking_keeps_the_function)
{ return cr_make_param_array(shape, shapes, sizeof shapes / sizeof *shapes); }

/* Edges are taken out at random, up to nearly all of them: dead nodes, products that are 0 or have one factor left,
 * outputs that are constant. */
ParameterizedTest(shape *p, prune, shrinking_keeps_the_function) {
    size_t n_smaller = 0;
    for (uint64_t seed = 0; seed < 40; ++seed) {
        kan_net *net = net_of(p, seed);
        kan_random random = kan_random_seed(seed, 5);
        const double part = draw(&random, 0.2, 0.95);
        for (size_t l = 0; l < kan_net_n_layers(net); ++l)
            for (size_t i = 0; i < kan_net_n_in(net, l); ++i)
                for (size_t o = 0; o < kan_net_n_out(net, l); ++o)
                    if (draw(&random, 0.0, 1.0) < part) kan_net_remove_edge(net, (kan_edge){l, i, o});
        size_t inputs[8], n_inputs;
        kan_net *small = kan_prune_shrink(net, seed % 2, inputs, &n_inputs, NULL);
        cr_assert(eq(sz, n_inputs, kan_net_model(small)->n_in));
        if (seed % 2 == 0) cr_assert(eq(sz, n_inputs, kan_net_model(net)->n_in));
        cr_assert(le(sz, kan_net_n_edges(small), kan_net_n_edges(net) + 3));
        n_smaller += n_nodes(small) < n_nodes(net);
        assert_same(net, small, inputs, "shrunk");
        kan_net_free(small);
        kan_net_free(net);
    }
    cr_assert(gt(sz, n_smaller, 10));
}

ParameterizedTestParameters(prune, pruned_computes_what_masked_computes)
{ return cr_make_param_array(shape, shapes, sizeof shapes / sizeof *shapes); }

ParameterizedTest(shape *p, prune, pruned_computes_what_masked_computes) {
    size_t n_smaller = 0;
    for (uint64_t seed = 0; seed < 24; ++seed) {
        kan_net *net = net_of(p, seed), *masked = kan_net_copy(net);
        const kan_prune_options options = {.what = seed % 3 ? KAN_PRUNE_NODES | KAN_PRUNE_EDGES
                                                            : KAN_PRUNE_INPUTS | KAN_PRUNE_EDGES,
                                           .node_threshold = 0.1 * (double)(seed % 5) + 0.05,
                                           .edge_threshold = 0.04 * (double)(seed % 7) + 0.02,
                                           .input_threshold = 0.4,
                                           .fold = seed % 2,
                                           .cut_outputs = seed % 5 == 4};
        size_t inputs[8];
        kan_prune_report report, again;
        double *x = draw_rows(kan_net_model(net)->n_in, seed);
        kan_net *small = kan_prune(net, N, x, &options, inputs, &report, NULL);
        cr_assert(kan_prune_mask(masked, N, x, &options, &again, NULL) == KAN_OK);
        cr_assert(eq(sz, report.n_edges_removed, again.n_edges_removed));
        cr_assert(eq(sz, kan_net_n_edges(masked) + report.n_edges_removed, kan_net_n_edges(net)));
        if (!options.cut_outputs) cr_assert(eq(sz, report.n_cut_outputs, 0));
        n_smaller += n_nodes(small) < n_nodes(net);
        assert_same(masked, small, inputs, "pruned");
        kan_work_free(x);
        kan_net_free(masked);
        kan_net_free(small);
        kan_net_free(net);
    }
    cr_assert(gt(sz, n_smaller, 2));
}

/* y = silu-free lines: 2 x0 + 0.01 x1, through two hidden nodes; the third hidden node is never heard. */
static kan_net *lines(void) {
    kan_net *net = kan_net_alloc(&(kan_net_config){
        .width = {3, 3, 1}, .base = KAN_BASE_IDENTITY, .n_cells = 4, .degree = 2, .noise = 0.7});
    memset(kan_net_model(net)->theta, 0, kan_net_model(net)->n_params * sizeof(double));
    const double w0[] = {2.0, 0.0, 1.0, 0.0, 0.01, 1.0, 0.0, 0.0, 0.0};
    for (size_t e = 0; e < 9; ++e) kan_net_layer_theta(net, 0)[(e / 3 * 7 + 6) * 3 + e % 3] = w0[e];
    for (size_t i = 0; i < 2; ++i) kan_net_layer_theta(net, 1)[i * 7 + 6] = 1.0;
    return net;
}

Test(prune, finds_the_net_within_and_keeps_its_settings) {
    kan_net *net = lines();
    kan_net_set_trainable(net, (kan_edge){0, 0, 0}, KAN_PART_SPLINE, false);
    double *x = draw_rows(3, 1);
    size_t inputs[3];
    kan_prune_report report;
    const kan_prune_options options = {.what = KAN_PRUNE_NODES | KAN_PRUNE_EDGES | KAN_PRUNE_INPUTS};
    kan_net *small = kan_prune(net, N, x, &options, inputs, &report, NULL);
    const kan_net_config *c = kan_net_get_config(small), *was = kan_net_get_config(net);
    cr_assert(c->width[0] == 1 && c->width[1] == 1 && c->width[2] == 1 && c->width[3] == 0);
    cr_assert(eq(sz, report.n_inputs, 1));
    cr_assert(eq(sz, inputs[0], 0));
    cr_assert(eq(sz, kan_net_n_edges(small), 2));
    cr_assert(eq(sz, report.n_edges_removed, 10));
    cr_assert(c->base == was->base && c->n_cells == 4 && c->degree == 2 && c->noise == 0.7);
    cr_assert(eq(sz, kan_model_n_trainable(kan_net_model(small)), 7 + 1), "its spline is frozen");
    kan_net_free(small);
    kan_work_free(x);
    kan_net_free(net);
}

/* A product with a constant factor: the other one takes it, and stays what it is. */
Test(prune, symbolic_edges_survive_with_their_locks_and_splines) {
    kan_net *net = net_with_entropy(&(kan_net_config){.width = {2, 0, 1}, .mult = {0, 1}, .n_cells = 3},
                                    true, 3);
    kan_symbolic s = {kan_function_find("sin"), 1.5, 0.5, 2.0, 0.25};
    cr_assert(kan_net_set_symbolic(net, (kan_edge){0, 1, 1}, &s, NULL) == KAN_OK);
    kan_net_lock_symbolic(net, (kan_edge){0, 1, 1}, KAN_SYMBOLIC_A | KAN_SYMBOLIC_C);
    s = (kan_symbolic){kan_function_find("exp"), 0.0, 0.0, 3.0, 1.0}; /* the constant 4 */
    cr_assert(kan_net_set_symbolic(net, (kan_edge){0, 0, 0}, &s, NULL) == KAN_OK);
    kan_net_remove_edge(net, (kan_edge){0, 1, 0});
    kan_net_remove_edge(net, (kan_edge){0, 0, 1});
    size_t inputs[2], n;
    kan_net *small = kan_prune_shrink(net, true, inputs, &n, NULL);
    cr_assert(n == 1 && inputs[0] == 1);
    cr_assert(kan_net_get_config(small)->width[1] == 1 && kan_net_get_config(small)->mult[1] == 0);
    cr_assert(kan_net_get_symbolic(small, (kan_edge){0, 0, 0}, &s));
    cr_assert(s.a == 1.5 && s.b == 0.5 && s.c == 8.0 && s.d == 1.0 && strcmp(s.f->name, "sin") == 0);
    const kan_model *m = kan_net_model(small);
    const uint8_t *locks = m->trainable + m->n_params - 4;
    cr_assert(locks[0] == 0 && locks[1] == 1 && locks[2] == 0 && locks[3] == 1);
    kan_net_unset_symbolic(net, (kan_edge){0, 1, 1});
    kan_net_unset_symbolic(small, (kan_edge){0, 0, 0});
    const double t[] = {-0.4, 0.3};
    double phi[2], kept[2];
    kan_net_edge_curve(net, (kan_edge){0, 1, 1}, 2, t, phi);
    kan_net_edge_curve(small, (kan_edge){0, 0, 0}, 2, t, kept);
    for (size_t j = 0; j < 2; ++j) cr_assert(epsilon_eq(dbl, kept[j], 4.0 * phi[j], 1e-12));
    kan_net_free(small);
    kan_net_free(net);
}

/* phi_0 = x0, phi_1 = 5 + 0.001 x1, y their sum: the edge goes, the 5 stays if it is folded. */
Test(prune, folds_the_mean_of_an_edge_into_another) {
    for (int fold = 0; fold < 2; ++fold) {
        kan_net *net = kan_net_alloc(
            &(kan_net_config){.width = {2, 1}, .base = KAN_BASE_IDENTITY, .degree = 1});
        double *theta = kan_net_layer_theta(net, 0);
        memset(theta, 0, 14 * sizeof *theta);
        theta[6] = 1.0, theta[13] = 1e-3;
        for (size_t b = 0; b < 6; ++b) theta[7 + b] = 5.0;
        const double x[] = {-1, -1, 1, 1, -1, 3, 1, 5};
        double y[4];
        const kan_prune_options options = {.fold = fold};
        cr_assert(kan_prune_mask(net, 4, x, &options, NULL, NULL) == KAN_OK);
        cr_assert(eq(sz, kan_net_n_edges(net), 1));
        net_forward(net, 4, x, y);
        for (size_t s = 0; s < 4; ++s)
            cr_assert(epsilon_eq(dbl, y[s], x[2 * s] + (fold ? 5.002 : 0.0), 1e-13));
        kan_net_free(net);
    }
}

/* A product whose second factor hardly moves. */
Test(prune, a_factor_that_hardly_moves_is_not_lost) {
    for (int fold = 0; fold < 2; ++fold) {
        kan_net *net = kan_net_alloc(&(kan_net_config){
            .width = {2, 0, 1}, .mult = {0, 1}, .base = KAN_BASE_IDENTITY, .degree = 1});
        memset(kan_net_model(net)->theta, 0, kan_net_model(net)->n_params * sizeof(double));
        double *theta = kan_net_layer_theta(net, 0);
        theta[6 * 2] = 1.0, theta[(7 + 6) * 2 + 1] = 1e-9;
        for (size_t b = 0; b < 6; ++b) theta[(7 + b) * 2 + 1] = 3.0;
        kan_net_layer_theta(net, 1)[6] = 1.0;
        const double x[] = {-1, -1, 1, 1, -1, 3, 1, 5};
        double y[4];
        const kan_prune_options options = {.fold = fold};
        kan_net *small = kan_prune(net, 4, x, &options, NULL, NULL, NULL);
        const kan_net_config *c = kan_net_get_config(small);
        cr_assert(c->mult[1] == (fold ? 0 : 1) && c->width[1] == (fold ? 1 : 0));
        net_forward(small, 4, x, y);
        for (size_t s = 0; s < 4; ++s) cr_assert(epsilon_eq(dbl, y[s], 3.0 * x[2 * s], 1e-7));
        kan_net_free(small);
        kan_net_free(net);
    }
}

Test(prune, an_output_keeps_its_last_path_unless_told_otherwise) {
    kan_net *net = net_with_entropy(&(kan_net_config){.width = {2, 3, 2}}, false, 8);
    double *x = draw_rows(2, 2);
    kan_prune_report report;
    kan_prune_options options = {.node_threshold = 1e3, .edge_threshold = 1e3};
    kan_net *small = kan_prune(net, N, x, &options, NULL, &report, NULL);
    cr_assert(report.n_kept_outputs > 0 && report.n_cut_outputs == 0);
    cr_assert(ge(sz, kan_net_n_edges(small), 3));
    kan_net_free(small);
    options.cut_outputs = true;
    small = kan_prune(net, N, x, &options, NULL, &report, NULL);
    cr_assert(eq(sz, report.n_cut_outputs, 2));
    cr_assert(eq(sz, kan_net_n_edges(small), 0));
    double y[2 * N];
    net_forward(small, N, x, y);
    cr_assert(y[0] == 0.0 && y[2 * N - 1] == 0.0);
    kan_net_free(small);
    kan_work_free(x);
    kan_net_free(net);
}

/* y = 2 x0 + 0.01 x1 and the net of that: 1 % of nothing allows nothing, an error of its own something. */
Test(prune, keeps_within_the_budget) {
    kan_net *net = lines();
    kan_dataset *d = kan_dataset_alloc(KAN_REGRESSION, N, 3, 1, false);
    double *x = draw_rows(3, 1);
    kan_random random = kan_random_seed(4, 4);
    for (size_t j = 0; j < 3 * N; ++j) d->x[j] = x[j];
    for (size_t s = 0; s < N; ++s)
        d->y[s] = 2.0 * x[3 * s] + 0.01 * x[3 * s + 1] + draw(&random, -0.1, 0.1);
    kan_prune_options options = {.what = KAN_PRUNE_NODES | KAN_PRUNE_EDGES | KAN_PRUNE_INPUTS,
                                 .budget = 1e-9};
    kan_prune_report report;
    size_t inputs[3];
    kan_net *small = kan_prune_budget(net, d, &options, inputs, &report, NULL);
    const kan_net_config *c = kan_net_get_config(small);
    cr_assert(c->width[0] == 2 && c->width[1] == 2 && inputs[0] == 0 && inputs[1] == 1);
    cr_assert(report.error_before > 0.05 && report.error_before < 0.065);
    cr_assert(report.error_after <= report.error_before * (1.0 + 1e-9));
    assert_same(net, small, inputs, "nothing was lost");
    kan_net_free(small);
    options.budget = 0.2;
    small = kan_prune_budget(net, d, &options, inputs, &report, NULL);
    cr_assert(kan_net_get_config(small)->width[0] == 1 && kan_net_n_edges(small) == 2);
    cr_assert(report.error_after <= report.error_before * 1.2 &&
              report.error_after != report.error_before);
    kan_net_free(small);
    kan_dataset_free(d);
    kan_work_free(x);
    kan_net_free(net);
}

Test(prune, refuses_samples_that_are_not_finite) {
    kan_error error;
    kan_net *net = lines();
    const double x[] = {0.1, NAN, 0.2, 0.3, 0.1, 0.2};
    cr_assert(kan_prune(net, 2, x, NULL, NULL, NULL, &error) == NULL);
    cr_assert(error.status == KAN_ENONFINITE);
    kan_net_free(net);
}

typedef struct attempt_on {
    kan_net *net;
    kan_dataset *d;
} attempt_on;

static kan_status attempt(void *context) {
    attempt_on *on = context;
    kan_error error = {.status = KAN_OK};
    kan_net *small = kan_prune(on->net, on->d->n, on->d->x, NULL, NULL, NULL, &error);
    if (small) kan_net_free(small), small = kan_prune_budget(on->net, on->d, NULL, NULL, NULL, &error);
    kan_net_free(small);
    return small ? KAN_OK : error.status;
}

Test(prune, survives_any_failing_allocation) {
    attempt_on on = {lines(), kan_dataset_alloc(KAN_REGRESSION, 6, 3, 1, false)};
    kan_random random = kan_random_seed(5, 4);
    for (size_t j = 0; j < 18; ++j) on.d->x[j] = draw(&random, -1.0, 1.0);
    for (size_t s = 0; s < 6; ++s) on.d->y[s] = on.d->x[3 * s];
    cr_assert(alloc_fail_every(attempt, &on) > 50);
    kan_dataset_free(on.d);
    kan_net_free(on.net);
}

/* Two nodes that do the same: without either the other one can do it all, once it is fitted again. */
Test(prune, what_is_left_takes_over_where_it_is_fitted_again) {
    kan_net *net = kan_net_alloc(
        &(kan_net_config){.width = {1, 2, 1}, .base = KAN_BASE_IDENTITY, .n_cells = 4, .degree = 2});
    memset(kan_net_model(net)->theta, 0, kan_net_model(net)->n_params * sizeof(double));
    for (size_t j = 0; j < 2; ++j) {
        kan_net_layer_theta(net, 0)[6 * 2 + j] = 0.5;
        kan_net_layer_theta(net, 1)[j * 7 + 6] = 1.0;
    }
    kan_dataset *d = kan_dataset_alloc(KAN_REGRESSION, N, 1, 1, false);
    for (size_t s = 0; s < N; ++s) d->x[s] = d->y[s] = -1.0 + 2.0 * (double)s / (N - 1);
    kan_prune_options options = {.floor = 1e-6};
    kan_prune_report report;
    kan_net *small = kan_prune_budget(net, d, &options, NULL, &report, NULL);
    cr_assert(eq(sz, report.n_edges_removed, 0));
    kan_net_free(small);
    options.refit = d;
    const volatile sig_atomic_t stop = 1;
    options.stop = &stop;
    small = kan_prune_budget(net, d, &options, NULL, &report, NULL);
    cr_assert(eq(sz, report.n_edges_removed, 0), "stopped");
    kan_net_free(small);
    options.stop = NULL;
    small = kan_prune_budget(net, d, &options, NULL, &report, NULL);
    cr_assert(eq(sz, kan_net_get_config(small)->width[1], 1));
    cr_assert(eq(sz, report.n_edges_removed, 2));
    double y[N];
    net_forward(small, N, d->x, y);
    for (size_t s = 0; s < N; ++s) cr_assert(epsilon_eq(dbl, y[s], d->y[s], 1e-5));
    kan_net_free(small);
    kan_net_free(net);
    kan_dataset_free(d);
}

/* A level of two adding nodes and one that multiplies three outputs of the layer below, outputs 2, 3 and 4: all its edges
 * go, below and above, and no other ones. */
Test(prune, a_node_is_dropped_with_all_its_factors) {
    kan_net *net = kan_net_alloc(
        &(kan_net_config){.width = {2, 2, 1}, .mult = {0, 1}, .arity = {0, 3}, .n_cells = 3});
    mask m;
    cr_assert(eq(int, mask_alloc(&m, net), KAN_OK));
    for (size_t node = 3; node-- > 1;) {
        mask_fill(&m, net);
        mask_drop_node(&m, net, 1, node);
        for (size_t i = 0; i < 2; ++i)
            for (size_t o = 0; o < 5; ++o) {
                const bool its_own = node == 2 ? o >= 2 : o == node;
                cr_assert(eq(int, m.keep[0][i * 5 + o], its_own ? MASK_GOES : MASK_STAYS),
                          "%zu: %zu %zu", node, i, o);
            }
        for (size_t i = 0; i < 3; ++i)
            cr_assert(eq(int, m.keep[1][i], i == node ? MASK_GOES : MASK_STAYS), "%zu: %zu", node, i);
    }
    mask_free(&m);
    kan_net_free(net);
}
