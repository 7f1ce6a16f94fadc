/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core/work.h"
#include "kan/grid.h"
#include "kan/net.h"
#include "kan/net_private.h"
#include "tests/contract/model_contract.h"
#include "tests/support/alloc.h"
#include "tests/support/kan_cases.h"
#include "tests/support/kan_reference.h"

static const char *const names[] = {"sin", "x^2", "x", "exp", "tanh"};
enum { N_NAMES = sizeof names / sizeof *names };

/* Function number j with random parameters. */
static kan_symbolic any_function(kan_random *random, size_t j) {
    return (kan_symbolic){.f = kan_function_find(names[j % N_NAMES]),
                          .a = draw(random, 0.3, 0.9),
                          .b = draw(random, -0.7, 0.7),
                          .c = draw(random, -0.8, 0.8),
                          .d = draw(random, -0.5, 0.5)};
}

/* Makes every edge symbolic, or removes it, with these probabilities in percent; in an order of its own. */
static void make_symbolic(kan_net *net, size_t percent, size_t removed, uint64_t seed) {
    kan_random random = kan_random_seed(seed, 5);
    for (size_t l = kan_net_n_layers(net); l-- > 0;)
        for (size_t o = 0; o < kan_net_n_out(net, l); ++o)
            for (size_t i = kan_net_n_in(net, l); i-- > 0;) {
                const kan_edge edge = {l, i, o};
                const kan_symbolic s = any_function(&random, l + i + o);
                if (kan_random_below(&random, 100) < percent)
                    cr_assert(kan_net_set_symbolic(net, edge, &s, NULL) == KAN_OK);
                else if (kan_random_below(&random, 100) < removed)
                    kan_net_remove_edge(net, edge);
            }
    cr_assert(kan_net_n_symbolic(net) > 0);
}

/* ---- the contract ------------------------------------------------------------------------------- */

static kan_model *load(const kan_file *file, kan_error *error) {
    kan_net *net = kan_net_load(file, error);
    return net ? kan_net_model(net) : NULL;
}

static void release(kan_model *m) {
    kan_net_free(m->self);
}

typedef struct contract_case {
    size_t width[6], mult[6], arity[6], degree, n_cells, batch, percent, removed;
    kan_precision precision;
    bool moved;
} contract_case;

static contract_case contract_cases[] = {
    {.width = {2, 5, 1}, .batch = 7, .percent = 40},
    {.width = {2, 5, 1}, .batch = 23, .percent = 40, .removed = 30, .moved = true},
    {.width = {2, 5, 1}, .batch = 23, .percent = 100},
    {.width = {2, 3, 1}, .mult = {0, 2}, .batch = 21, .percent = 50},
    {.width = {2, 3, 1}, .mult = {0, 2}, .batch = 300, .percent = 100},
    {.width = {2, 1, 2},
     .mult = {0, 2, 1},
     .arity = {0, 3, 2},
     .n_cells = 3,
     .batch = 13,
     .percent = 60,
     .removed = 10,
     .moved = true},
    {.width = {2, 2, 0},
     .mult = {0, 0, 2},
     .arity = {0, 0, 3},
     .n_cells = 4,
     .batch = 6,
     .percent = 100},
    {.width = {2, 0, 1},
     .mult = {0, 2},
     .arity = {0, 3},
     .n_cells = 2,
     .batch = 9,
     .percent = 85,
     .removed = 100},
    {.width = {3, 4, 2}, .degree = 2, .n_cells = 1, .batch = 40, .percent = 60, .removed = 100},
    {.width = {1, 1}, .degree = 1, .n_cells = 7, .batch = 40, .percent = 100},
    {.width = {2, 3, 2, 1}, .n_cells = 2, .batch = 15, .percent = 50, .moved = true},
    {.width = {2, 5, 1}, .batch = 13, .percent = 40, .precision = KAN_SINGLE},
};

static kan_net *contract_net(const contract_case *p) {
    kan_net_config config = {
        .n_cells = p->n_cells, .degree = p->degree, .precision = p->precision, .seed = 5};
    memcpy(config.width, p->width, sizeof p->width);
    memcpy(config.mult, p->mult, sizeof p->mult);
    memcpy(config.arity, p->arity, sizeof p->arity);
    kan_net *net = net_with_entropy(&config, p->moved, 71);
    make_symbolic(net, p->percent, p->removed, 72);
    return net;
}

ParameterizedTestParameters(symbolic_edges, fulfil_the_contract)
{
    return cr_make_param_array(contract_case, contract_cases,
                               sizeof contract_cases / sizeof *contract_cases);
}

ParameterizedTest(contract_case *p, symbolic_edges, fulfil_the_contract) {
    kan_net *net = contract_net(p);
    const double degree = (double)kan_net_get_config(net)->degree;
    const bool single = p->precision == KAN_SINGLE;
    model_contract_check(kan_net_model(net),
                         &(model_contract){.reference = reference_net,
                                           .context = net,
                                           .load = load,
                                           .release = release,
                                           .batch = p->batch,
                                           .ulps = 16.0 * pow(2.0, degree),
                                           .epsilon = single ? FLT_EPSILON : DBL_EPSILON,
                                           .seed = 73});
    kan_net_free(net);
}

static contract_case thread_cases[] = {
    {.width = {2, 5, 1}, .mult = {0, 1}, .batch = 20001, .percent = 50},
    {.width = {2, 5, 1}, .mult = {0, 1}, .batch = 20001, .percent = 100},
};

ParameterizedTestParameters(symbolic_edges, give_the_same_bits_with_any_number_of_threads)
{ return cr_make_param_array(contract_case, thread_cases, sizeof thread_cases / sizeof *thread_cases); }

ParameterizedTest(contract_case *p, symbolic_edges, give_the_same_bits_with_any_number_of_threads) {
    kan_net *net = contract_net(p);
    model_contract_check_threads(kan_net_model(net), &(model_contract){.batch = p->batch, .seed = 74});
    kan_net_free(net);
}

/* ---- changing kinds ----------------------------------------------------------------------------- */

static const double points[] = {-3.7, -1.0, 0.123, 0.6, 1.0, 14.0};
enum { N_POINTS = sizeof points / sizeof *points };

static void assert_same_nets(const kan_net *a, const kan_net *b) {
    cr_assert(eq(sz, a->model.n_params, b->model.n_params));
    cr_assert(memcmp(a->model.theta, b->model.theta, a->model.n_params * sizeof(double)) == 0);
    cr_assert(memcmp(a->trainable, b->trainable, a->model.n_params) == 0);
    cr_assert(eq(sz, a->n_symbolic, b->n_symbolic));
    for (size_t k = 0; k < a->n_symbolic; ++k) cr_assert(a->symbolic[k].f == b->symbolic[k].f);
    for (size_t l = 0; l < a->n_layers; ++l) {
        const layer *p = &a->layers[l];
        cr_assert(memcmp(a->edges[l], b->edges[l], p->n_in * p->n_out) == 0);
        cr_assert(eq(int, a->idle[l], b->idle[l]));
        for (size_t i = 0; i < p->n_in; ++i)
            cr_assert(memcmp(p->basis[i].knots, b->layers[l].basis[i].knots,
                             kan_knots_count(p->degree, p->n_cells) * sizeof(double)) == 0);
    }
    if (a->n_symbolic > 0) {
        cr_assert(memcmp(a->kept, b->kept, a->n_spline * sizeof(double)) == 0);
        cr_assert(memcmp(a->kept_trainable, b->kept_trainable, a->n_spline) == 0);
    }
}

Test(symbolic_edges, set_and_unset_bring_every_bit_back) {
    kan_net *net = net_with_entropy(&(kan_net_config){.width = {2, 3, 1}, .mult = {0, 1}}, true, 81);
    kan_net_set_trainable(net, (kan_edge){0, 1, KAN_EVERY}, KAN_PART_BASE, false);
    kan_net_remove_edge(net, (kan_edge){0, 0, 2});
    kan_net *before = kan_net_copy(net);
    make_symbolic(net, 60, 0, 82);
    const size_t n = kan_net_n_symbolic(net), n_edges = kan_net_n_edges(before);
    cr_assert(eq(sz, kan_net_n_edges(net), n_edges));
    cr_assert(eq(sz, kan_net_model(net)->n_params, kan_net_model(before)->n_params + 4 * n));
    for (size_t l = 0; l < 2; ++l)
        for (size_t i = 0; i < kan_net_n_in(net, l); ++i)
            for (size_t o = 0; o < kan_net_n_out(net, l); ++o)
                kan_net_unset_symbolic(net, (kan_edge){l, i, o});
    assert_same_nets(before, net);
    kan_net_free(before), kan_net_free(net);
}

Test(symbolic_edges, are_what_was_set_and_can_be_locked) {
    kan_net *net = net_with_entropy(&(kan_net_config){.width = {2, 3, 1}}, true, 83);
    const kan_edge edge = {0, 1, 2}, other = {0, 0, 1};
    const kan_function *f = kan_function_find("sin");
    const kan_symbolic s = {f, 2.385, 0.4, -1.7, 0.3};
    kan_symbolic got;
    double phi[N_POINTS];
    cr_assert(kan_net_get_symbolic(net, edge, &got) == false);
    cr_assert(kan_net_set_symbolic(net, edge, &s, NULL) == KAN_OK);
    cr_assert(kan_net_set_symbolic(net, other, &(kan_symbolic){f, 1.0, 0.0, 1.0, 0.0}, NULL) == KAN_OK);
    cr_assert(kan_net_get_symbolic(net, edge, &got));
    cr_assert(memcmp(&s, &got, sizeof s) == 0);
    kan_net_edge_curve(net, edge, N_POINTS, points, phi);
    for (size_t j = 0; j < N_POINTS; ++j)
        cr_assert(
            epsilon_eq(dbl, phi[j], -1.7 * sin(2.385 * points[j] + 0.4) + 0.3, 8.0 * DBL_EPSILON));

    const kan_model *m = kan_net_model(net);
    cr_assert(eq(sz, kan_model_n_trainable(m), 7 * 9 + 8));
    kan_net_lock_symbolic(net, edge, KAN_SYMBOLIC_A | KAN_SYMBOLIC_D);
    const uint8_t *trainable = m->trainable + 9 * 9 + 4; /* the second of the two */
    cr_assert(memcmp(trainable, "\0\1\1\0", 4) == 0);
    cr_assert(eq(sz, kan_model_n_trainable(m), 7 * 9 + 6));
    kan_net_set_trainable(net, (kan_edge){KAN_EVERY, KAN_EVERY, KAN_EVERY},
                          KAN_PART_BASE | KAN_PART_SPLINE, true);
    cr_assert(eq(sz, kan_model_n_trainable(m), 7 * 9 + 6), "the splines stay aside");
    kan_net_remove_edge(net, other);
    cr_assert(eq(sz, m->n_params, 9 * 9 + 4));
    cr_assert(kan_net_get_symbolic(net, edge, &got) && kan_net_has_edge(net, other) == false);
    cr_assert(memcmp(&s, &got, sizeof s) == 0);
    kan_net_edge_curve(net, other, N_POINTS, points, phi);
    for (size_t j = 0; j < N_POINTS; ++j) cr_assert(eq(dbl, phi[j], 0.0));
    kan_net_free(net);
}

/* The net whose symbolic edges are splines again. */
static kan_net *without(const kan_net *net) {
    kan_net *made = kan_net_copy(net);
    while (made->n_symbolic > 0) kan_net_unset_symbolic(made, made->symbolic[0].edge);
    return made;
}

static kan_net *regrid(const kan_net *net, bool raise) {
    return raise ? kan_grid_raise(net, 4, NULL) : kan_grid_refine(net, 10, NULL);
}

Test(symbolic_edges, stay_when_grids_are_refined_or_raised_and_their_splines_follow) {
    for (size_t raise = 0; raise < 2; ++raise) {
        kan_net *net = net_with_entropy(&(kan_net_config){.width = {2, 3, 1}}, true, 84);
        make_symbolic(net, 50, 30, 85);
        kan_net_lock_symbolic(net, net->symbolic[0].edge, KAN_SYMBOLIC_B);
        kan_net *fine = regrid(net, raise);
        const size_t n = 4 * net->n_symbolic;
        cr_assert(eq(sz, fine->model.n_params - fine->n_spline, n));
        cr_assert(memcmp(fine->model.theta + fine->n_spline, net->model.theta + net->n_spline,
                         n * sizeof(double)) == 0);
        cr_assert(memcmp(fine->trainable + fine->n_spline, net->trainable + net->n_spline, n) == 0);
        cr_assert(fine->trainable[fine->n_spline + 1] == 0);
        kan_net *splines = without(net), *unset = without(fine), *fine_splines = regrid(splines, raise);
        assert_same_nets(fine_splines, unset);
        kan_net_free(fine_splines), kan_net_free(unset), kan_net_free(splines);
        kan_net_free(fine), kan_net_free(net);
    }
}

/* The grid of the only layer moves to the same samples, with and without symbolic edges. */
Test(symbolic_edges, take_the_grid_along_for_the_splines_set_aside) {
    enum { N = 60 };
    kan_random random = kan_random_seed(86, 0);
    double x[2 * N];
    for (size_t j = 0; j < 2 * N; ++j) x[j] = draw(&random, -0.8, 1.6);
    kan_net *net = net_with_entropy(&(kan_net_config){.width = {2, 3}}, false, 87);
    kan_net *splines = kan_net_copy(net);
    make_symbolic(net, 50, 0, 88);
    cr_assert(kan_grid_update(net, N, x, 0.3, NULL) == KAN_OK);
    cr_assert(kan_grid_update(splines, N, x, 0.3, NULL) == KAN_OK);
    cr_assert(kan_net_n_symbolic(net) > 0);
    kan_net *unset = without(net);
    assert_same_nets(splines, unset);
    kan_net_free(unset), kan_net_free(splines), kan_net_free(net);
}

/* Hidden grids move to what symbolic edges make of the samples. */
Test(symbolic_edges, are_on_the_way_of_samples_to_hidden_grids) {
    enum { N = 40 };
    double x[N];
    for (size_t s = 0; s < N; ++s) x[s] = (double)s / (N - 1);
    kan_net *net = net_with_entropy(&(kan_net_config){.width = {1, 1, 1}}, false, 89);
    const kan_symbolic s = {kan_function_find("x"), 1.0, 0.0, 7.0, 20.0};
    cr_assert(kan_net_set_symbolic(net, (kan_edge){0, 0, 0}, &s, NULL) == KAN_OK);
    cr_assert(kan_grid_update(net, N, x, 1.0, NULL) == KAN_OK);
    const kan_basis b = kan_net_basis(net, 1, 0);
    cr_assert(epsilon_eq(dbl, grid_lo(&b), 20.0, 0.2));
    cr_assert(epsilon_eq(dbl, grid_hi(&b), 27.0, 0.2));
    kan_net_free(net);
}

/* ---- copies, files, memory ---------------------------------------------------------------------- */

static kan_file *file_of(kan_net *net) {
    kan_file *file = kan_file_alloc();
    cr_assert(kan_model_add_to(kan_net_model(net), file, NULL) == KAN_OK);
    return file;
}

static kan_net *rich_net(void) {
    kan_net *net = net_with_entropy(&(kan_net_config){.width = {2, 3, 1}, .mult = {0, 2}, .n_cells = 3},
                                    true, 90);
    make_symbolic(net, 50, 20, 91);
    kan_net_lock_symbolic(net, net->symbolic[1].edge, KAN_SYMBOLIC_C);
    return net;
}

Test(symbolic_edges, are_copied_and_saved_to_the_bit) {
    kan_net *net = rich_net(), *copy = kan_net_copy(net);
    kan_error error = {KAN_OK, ""};
    assert_same_nets(net, copy);
    kan_file *file = file_of(net);
    kan_net *loaded = kan_net_load(file, &error);
    cr_assert(loaded != NULL, "%s", error.message);
    assert_same_nets(net, loaded);
    kan_file_free(file);
    kan_net_free(net);
    net = without(copy);
    kan_net *splines = without(loaded);
    assert_same_nets(net, splines);
    kan_net_free(splines), kan_net_free(loaded), kan_net_free(copy), kan_net_free(net);
}

Test(symbolic_edges, with_damaged_names_are_refused) {
    kan_net *net = rich_net();
    kan_file *file = file_of(net);
    char text[512], changed[600];
    snprintf(text, sizeof text, "%s", kan_file_get(file, "kan.symbolic"));
    const char *rest = strchr(text, '\n');
    cr_assert(rest != NULL);
    for (size_t j = 0; j < 4; ++j) {
        kan_error error = {KAN_OK, ""};
        if (j == 0) snprintf(changed, sizeof changed, "sine%s", rest);
        if (j == 1) snprintf(changed, sizeof changed, "%s", rest + 1);
        if (j == 2) snprintf(changed, sizeof changed, "%s\nsin", text);
        if (j == 3) snprintf(changed, sizeof changed, "%0200d%s", 1, rest);
        cr_assert(kan_file_set(file, "kan.symbolic", changed, NULL) == KAN_OK);
        cr_assert(kan_net_load(file, &error) == NULL, "change %zu", j);
        cr_assert(eq(int, (int)error.status, KAN_EFORMAT));
        cr_assert(gt(sz, strlen(error.message), 15));
    }
    kan_file_free(file);
    kan_net_free(net);
}

Test(symbolic_edges, of_a_function_that_no_file_can_name_are_not_saved) {
    const kan_function *sine = kan_function_find("sin");
    const kan_function own = {.name = "mine", .f = sine->f, .d1 = sine->d1};
    kan_net *net = rich_net();
    const kan_symbolic s = {&own, 1.0, 0.0, 1.0, 0.0};
    cr_assert(kan_net_set_symbolic(net, net->symbolic[0].edge, &s, NULL) == KAN_OK);
    kan_file *file = kan_file_alloc();
    kan_error error = {KAN_OK, ""};
    cr_assert(eq(int, (int)kan_model_add_to(kan_net_model(net), file, &error), KAN_ECONFIG));
    cr_assert(strstr(error.message, "mine") != NULL);
    kan_file_free(file);
    kan_net_free(net);
}

static kan_status attempt_set(void *context) {
    kan_net *net = context;
    const kan_symbolic s = {kan_function_find("exp"), 0.5, 0.1, 0.2, 0.3};
    kan_status status = KAN_OK;
    for (size_t o = 0; o < 3 && status == KAN_OK; ++o)
        status = kan_net_set_symbolic(net, (kan_edge){0, 1, o}, &s, NULL);
    return status;
}

static kan_status attempt_fresh(void *context) {
    (void)context;
    kan_net *net = kan_net_alloc(&(kan_net_config){.width = {2, 3, 1}});
    const kan_status status = net ? attempt_set(net) : KAN_ENOMEM;
    kan_net_free(net);
    return status;
}

static kan_status attempt_copy(void *context) {
    kan_net *net = kan_net_copy(context);
    kan_net_free(net);
    return net ? KAN_OK : KAN_ENOMEM;
}

static kan_status attempt_refine(void *context) {
    kan_error error = {KAN_OK, ""};
    kan_net *net = kan_grid_refine(context, 6, &error);
    kan_net_free(net);
    return net ? KAN_OK : error.status;
}

static kan_status attempt_load(void *context) {
    kan_error error = {KAN_OK, ""};
    kan_net *net = kan_net_load(context, &error);
    kan_net_free(net);
    return net ? KAN_OK : error.status;
}

static kan_status attempt_save(void *context) {
    kan_file *file = kan_file_alloc();
    const kan_status status = file ? kan_model_add_to(kan_net_model(context), file, NULL) : KAN_ENOMEM;
    kan_file_free(file);
    return status;
}

Test(symbolic_edges, survive_failing_allocations) {
    kan_net *net = rich_net();
    kan_file *file = file_of(net);
    cr_assert(gt(sz, alloc_fail_every(attempt_fresh, NULL), 10));
    cr_assert(gt(sz, alloc_fail_every(attempt_copy, net), 6));
    cr_assert(gt(sz, alloc_fail_every(attempt_refine, net), 10));
    cr_assert(gt(sz, alloc_fail_every(attempt_save, net), 10));
    cr_assert(gt(sz, alloc_fail_every(attempt_load, file), 6));
    kan_file_free(file);
    kan_net_free(net);
}

Test(symbolic_edges, alone_make_a_compact_net_of_the_same_function) {
    enum { N = 30 };
    kan_random random = kan_random_seed(92, 0);
    double x[2 * N], y[N], same[N];
    for (size_t j = 0; j < 2 * N; ++j) x[j] = draw(&random, -1.5, 1.5);
    kan_net *net = net_with_entropy(&(kan_net_config){.width = {2, 3, 1}, .mult = {0, 1}}, true, 93);
    make_symbolic(net, 85, 100, 94);
    kan_net *compact = kan_net_compact(net);
    cr_assert(compact != NULL);
    cr_assert(eq(sz, compact->n_spline, net->n_spline / 3)); /* 3 instead of 9 a spline */
    cr_assert(eq(sz, kan_model_n_trainable(kan_net_model(compact)), 4 * kan_net_n_symbolic(net)));
    net_forward(net, N, x, y);
    net_forward(compact, N, x, same);
    cr_assert(memcmp(y, same, sizeof y) == 0);
    for (size_t s = 1; s < N; ++s) cr_assert(y[s] != y[0]);
    kan_net_free(compact), kan_net_free(net);
}
