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
#include "tests/support/random_formula.h"
#include "train/trainer.h"

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

/* ---- networks of expressions -------------------------------------------------------------------- */

typedef struct example {
    const char *text;
    size_t n_levels; /* of the net that computes it */
} example;

static const example examples[] = {
    {"a", 2},
    {"2.385", 2},
    {"-3*a + 0.5", 2},
    {"exp(sin(pi*a) + e^2)", 4},
    {"a*e", 2},
    {"2*a*e*pi", 2},
    {"a/e", 2},
    {"1/(a + 3*e)", 3},
    {"sqrt((a - e)^2 + (pi - x_1)^2)", 4},
    {"(a + e)/(1 + a*e)", 3},
    {"sin(2*(log(a) + log(e)))", 3},
    {"sin(a) + a^2 + 3*a", 3},
    {"sin(a)*sin(a) + cos(a)^2", 3},
    {"a^7 + e^-6 + pi^0 + x_1^0.7", 3},
    {"a^e", 3},
    {"2^a - 3", 2},
    {"pow(a, 1.5)*hypot(e, pi)", 3},
    {"a*e*pi*x_1 + 3", 3},
    {"tanh(exp(a*e) - 1/(pi*pi)) + a", 4},
    {"((((a*e + 1)*pi + 1)*x_1 + 1)*a + 1)*e", 6},
    {"0*a + e", 2},
    {"exp(-(a-e)^2/2)/sqrt(2*3.141592653589793)", 4},
};

static void assert_net_is(const example *example, const char *const *letters) {
    kan_random random = kan_random_seed(7, 3);
    kan_error error = {KAN_OK, ""};
    kan_expression *e = kan_expression_parse_with(example->text, MOST_IN, letters, &error);
    cr_assert(e != NULL, "%s: %s", example->text, error.message);
    kan_net *net = kan_net_from_expression(e, MOST_IN, letters, &error);
    cr_assert(net != NULL, "%s: %s", example->text, error.message);
    cr_expect(eq(sz, kan_net_n_layers(net) + 1, example->n_levels), "%s", example->text);
    double x[N * MOST_IN], y[N];
    for (size_t j = 0; j < N * MOST_IN; ++j) x[j] = draw(&random, 0.2, 2.1);
    net_forward(net, N, x, y);
    for (size_t s = 0; s < N; ++s) {
        const double expected = eval_named(e, MOST_IN, letters, x + s * MOST_IN);
        cr_assert(epsilon_eq(dbl, y[s], expected, 1e-13 * fmax(1.0, fabs(expected))), "%s",
                  example->text);
    }
    kan_expression *again;
    cr_assert(kan_net_formula(net, 0, letters, &again, &error) == KAN_OK, "%s", error.message);
    for (size_t s = 0; s < N; ++s)
        cr_assert(epsilon_eq(dbl, y[s], eval_named(again, MOST_IN, letters, x + s * MOST_IN),
                             1e-13 * fmax(1.0, fabs(y[s]))));
    kan_expression_free(again), kan_net_free(net), kan_expression_free(e);
}

Test(formula, becomes_a_network_that_computes_it) {
    for (size_t j = 0; j < sizeof examples / sizeof *examples; ++j)
        assert_net_is(&examples[j], letters);
}

Test(formula, that_is_no_network_is_refused) {
    static const char *const bad[] = {
        "atan2(a, e)",
        "a + b",
        "sin(cos(sin(cos(sin(cos(sin(cos(sin(cos(sin(cos(sin(cos(sin(cos(sin(a)))))))))))))))))",
    };
    for (size_t j = 0; j < sizeof bad / sizeof *bad; ++j) {
        kan_error error = {KAN_OK, ""};
        kan_expression *e = kan_expression_parse_with(bad[j], MOST_IN, letters, &error);
        cr_assert(e != NULL, "%s", error.message);
        cr_assert(kan_net_from_expression(e, MOST_IN, letters, &error) == NULL, "%s", bad[j]);
        cr_assert(eq(int, (int)error.status, KAN_ECONFIG), "%s", bad[j]);
        kan_expression_free(e);
    }
}

static kan_status attempt_net(void *context) {
    kan_error error = {KAN_OK, ""};
    kan_net *net = kan_net_from_expression(context, MOST_IN, letters, &error);
    kan_net_free(net);
    return net ? KAN_OK : error.status;
}

Test(formula, becomes_a_network_or_nothing_when_allocations_fail) {
    kan_expression *e = kan_expression_parse_with("tanh(exp(a*e) - 1/pi) + a + sin(a)", MOST_IN,
                                                  letters, NULL);
    cr_assert(gt(sz, alloc_fail_every(attempt_net, e), 20));
    kan_expression_free(e);
}

/* Rounding of either way: 1e-9, and what a change of x by some ulps does. Powers of negative numbers that are no
 * numbers in the table are NaN in the net. */
static size_t count_agreements(const char *text, kan_random *random) {
    static const char *const xyz[] = {"x", "y", "z"};
    kan_error error = {KAN_OK, ""};
    kan_expression *e = parsed(text);
    kan_net *net = kan_net_from_expression(e, 3, xyz, &error);
    cr_assert(net || error.status == KAN_ECONFIG, "%s: %s", text, error.message);
    size_t n = 0;
    for (size_t s = 0; net && s < N; ++s) {
        double x[3], near[3], y;
        for (size_t i = 0; i < 3; ++i) x[i] = draw(random, 0.2, 1.9), near[i] = x[i] * (1.0 + 1e-13);
        net_forward(net, 1, x, &y);
        const double expected = eval_named(e, 3, xyz, x);
        const double spread = 100.0 * fabs(eval_named(e, 3, xyz, near) - expected);
        if (!isfinite(expected) || !isfinite(y) || !(spread < 1.0)) continue;
        cr_assert(epsilon_eq(dbl, y, expected, 1e-9 * fmax(1.0, fabs(expected)) + spread),
                  "%s at %.17g %.17g %.17g", text, x[0], x[1], x[2]);
        ++n;
    }
    kan_net_free(net), kan_expression_free(e);
    return n;
}

Test(formula, at_random_becomes_a_network_that_computes_it) {
    enum { FORMULAS = 2000 };
    kan_random random = kan_random_seed(11, 0);
    size_t n = 0;
    for (size_t j = 0; j < FORMULAS; ++j) {
        char text[4096];
        random_formula(&random, 1 + j % 4, true, text, sizeof text);
        n += count_agreements(text, &random);
    }
    cr_assert(gt(sz, n, FORMULAS * N / 2), "%zu samples say anything", n);
}

/* ---- training ----------------------------------------------------------------------------------- */

/* Constants that are wrong by some percent come back when the net is trained on the formula's values; one
 * that is locked stays where it is. */
Test(formula, that_is_a_network_is_refitted_to_rounding) {
    enum { ROWS = 200 };
    static const char *const xy[] = {"x", "y"};
    kan_random random = kan_random_seed(12, 0);
    kan_expression *e = parsed("exp(sin(3.14159*x) + 0.7*y^2)*(y + 2)");
    kan_net *net = kan_net_from_expression(e, 2, xy, NULL);
    kan_dataset *d = kan_dataset_alloc(KAN_REGRESSION, ROWS, 2, 1, false);
    const kan_model *m = kan_net_model(net);
    for (size_t s = 0; s < ROWS; ++s) {
        double *x = d->x + 2 * s;
        x[0] = draw(&random, -1.0, 1.0), x[1] = draw(&random, -1.0, 1.0);
        d->y[s] = eval_named(e, 2, xy, x);
    }
    kan_net_lock_symbolic(net, net->symbolic[0].edge, KAN_SYMBOLIC_A);
    const double locked = m->theta[net->n_spline];
    for (size_t p = 0; p < m->n_params; ++p)
        if (m->trainable[p]) m->theta[p] += draw(&random, -0.02, 0.02);
    kan_report report;
    const kan_train_options options = {.optimizer = KAN_LM, .steps = 200};
    cr_assert(kan_trainer_fit(kan_net_model(net), d, &options, &report, NULL) == KAN_OK);
    cr_assert(lt(dbl, report.loss, 1e-24)); /* half the mean square: an RMSE of 1e-12 */
    cr_assert(eq(dbl, m->theta[net->n_spline], locked));
    kan_dataset_free(d), kan_net_free(net), kan_expression_free(e);
}
