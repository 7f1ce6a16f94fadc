/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kan/formula.h"
#include "kan/net_private.h"
#include "tests/support/alloc.h"
#include "tests/support/kan_cases.h"

enum { N = 40, MOST_IN = 4 };

static const char *const letters[] = {"a", "e", "pi", "x_1"}; /* two would be constants otherwise */

/* ---- networks ----------------------------------------------------------------------------------- */

static const char *const smooth[] = {"sin", "x^2", "x", "tanh", "x^3", "cos", "0", "exp", "gaussian"};
enum { N_SMOOTH = sizeof smooth / sizeof *smooth };

/* Every edge symbolic, but for some that are removed. */
static kan_net *any_net(const kan_net_config *config, uint64_t seed) {
    kan_random random = kan_random_seed(seed, 1);
    kan_net *net = net_with_entropy(config, false, seed);
    for (size_t l = 0; l < net->n_layers; ++l)
        for (size_t e = 0; e < net->layers[l].n_in * net->layers[l].n_out; ++e) {
            const kan_edge edge = {l, e / net->layers[l].n_out, e % net->layers[l].n_out};
            const kan_symbolic s = {.f = kan_function_find(smooth[kan_random_below(&random, N_SMOOTH)]),
                                    .a = draw(&random, -0.9, 0.9),
                                    .b = kan_random_below(&random, 3) ? draw(&random, -0.7, 0.7) : 0.0,
                                    .c = kan_random_below(&random, 3) ? draw(&random, -0.8, 0.8) : 1.0,
                                    .d = draw(&random, -0.5, 0.5)};
            cr_assert(s.f != NULL);
            if (kan_random_below(&random, 8) == 0)
                kan_net_remove_edge(net, edge);
            else
                cr_assert(kan_net_set_symbolic(net, edge, &s, NULL) == KAN_OK);
        }
    return net;
}

/* The formula at x [n_in], its variables being found by name. */
static double eval_named(const kan_expression *e, size_t n_in, const char *const *names,
                         const double *x) {
    double values[MOST_IN] = {0.0};
    for (size_t v = 0; v < kan_expression_n_variables(e); ++v) {
        size_t i = 0;
        while (i < n_in && strcmp(names[i], kan_expression_variable(e, v)) != 0) ++i;
        cr_assert(i < n_in, "%s is no input", kan_expression_variable(e, v));
        values[v] = x[i];
    }
    return kan_expression_eval(e, values);
}

static void assert_formula_is(kan_net *net, uint64_t seed) {
    const kan_model *m = kan_net_model(net);
    kan_random random = kan_random_seed(seed, 2);
    double x[N * MOST_IN], y[N * MOST_IN];
    for (size_t j = 0; j < N * m->n_in; ++j) x[j] = draw(&random, -1.2, 1.2);
    net_forward(net, N, x, y);
    for (size_t o = 0; o < m->n_out; ++o) {
        kan_expression *e;
        kan_error error = {KAN_OK, ""};
        cr_assert(kan_net_formula(net, o, letters, &e, &error) == KAN_OK, "%s", error.message);
        for (size_t s = 0; s < N; ++s)
            cr_assert(epsilon_eq(dbl, eval_named(e, m->n_in, letters, x + s * m->n_in),
                                 y[s * m->n_out + o], 1e-12 * fmax(1.0, fabs(y[s * m->n_out + o]))),
                      "output %zu, sample %zu", o, s);
        kan_expression_free(e);
    }
}

Test(formula, is_the_network) {
    const kan_net_config configs[] = {
        {.width = {1, 1}},
        {.width = {2, 5, 1}},
        {.width = {3, 2, 2}, .mult = {0, 2, 1}},
        {.width = {2, 1, 1}, .mult = {0, 2, 1}, .arity = {0, 3, 3}},
        {.width = {2, 0, 0, 1}, .mult = {0, 2, 1, 1}, .arity = {0, 3, 2, 2}},
        {.width = {4, 3, 3}, .mult = {0, 1}},
    };
    for (size_t c = 0; c < sizeof configs / sizeof *configs; ++c)
        for (uint64_t seed = 0; seed < 10; ++seed) {
            kan_net *net = any_net(&configs[c], 100 * c + seed);
            assert_formula_is(net, seed);
            kan_net_free(net);
        }
}

Test(formula, names_inputs_by_itself) {
    const kan_symbolic s = {kan_function_find("sin"), 2.0, 0.5, -3.0, 0.25};
    kan_net *net = kan_net_alloc(&(kan_net_config){.width = {2, 1}});
    kan_net_remove_edge(net, (kan_edge){0, 0, 0});
    cr_assert(kan_net_set_symbolic(net, (kan_edge){0, 1, 0}, &s, NULL) == KAN_OK);
    kan_expression *e;
    cr_assert(kan_net_formula(net, 0, NULL, &e, NULL) == KAN_OK);
    cr_assert(eq(sz, kan_expression_n_variables(e), 1));
    cr_assert(strcmp(kan_expression_variable(e, 0), "x2") == 0);
    cr_assert(epsilon_eq(dbl, kan_expression_eval(e, (double[]){0.7}), -3.0 * sin(1.9) + 0.25, 1e-14));
    kan_expression_free(e), kan_net_free(net);
}

/* Output 0 depends on hidden node 0 alone, output 1 on node 1, to which a spline leads. */
Test(formula, is_refused_where_a_spline_is_on_the_way) {
    const kan_symbolic s = {kan_function_find("x"), 1.0, 0.0, 1.0, 0.0};
    kan_net *net = kan_net_alloc(&(kan_net_config){.width = {1, 2, 2}});
    kan_error error = {KAN_OK, ""};
    kan_expression *e;
    cr_assert(kan_net_set_symbolic(net, (kan_edge){0, 0, 0}, &s, NULL) == KAN_OK);
    for (size_t i = 0; i < 2; ++i) {
        cr_assert(kan_net_set_symbolic(net, (kan_edge){1, i, i}, &s, NULL) == KAN_OK);
        kan_net_remove_edge(net, (kan_edge){1, i, 1 - i});
    }
    cr_assert(kan_net_formula(net, 0, NULL, &e, &error) == KAN_OK, "%s", error.message);
    cr_assert(eq(dbl, kan_expression_eval(e, (double[]){2.385}), 2.385));
    kan_expression_free(e);
    cr_assert(eq(int, (int)kan_net_formula(net, 1, NULL, &e, &error), KAN_ECONFIG));
    cr_assert(e == NULL && strstr(error.message, "spline"));
    kan_net_model(net)->theta[net->n_spline + 2] = NAN;
    cr_assert(eq(int, (int)kan_net_formula(net, 0, NULL, &e, &error), KAN_ENONFINITE));
    kan_net_model(net)->theta[net->n_spline + 2] = 1.0;
    const char *const bad[] = {"a b"};
    cr_assert(eq(int, (int)kan_net_formula(net, 0, bad, &e, &error), KAN_EFORMAT));
    kan_net_free(net);
}

static kan_status attempt_formula(void *context) {
    kan_expression *e;
    const kan_status status = kan_net_formula(context, 0, letters, &e, NULL);
    kan_expression_free(e);
    return status;
}

Test(formula, survives_failing_allocations) {
    kan_net *net = any_net(&(kan_net_config){.width = {2, 3, 1}, .mult = {0, 1}}, 3);
    cr_assert(gt(sz, alloc_fail_every(attempt_formula, net), 10));
    kan_net_free(net);
}
