/* The penalties that kan_net_set_penalty sets.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>

#include <math.h>
#include <string.h>

#include "core/work.h"
#include "kan/attribution.h"
#include "kan/net.h"
#include "tests/support/kan_cases.h"
#include "tests/support/trainer_cases.h"

enum { BATCH = 9 };

/* R after a forward pass of x; grad [n_params] += unless NULL. */
static double penalty_at(kan_net *net, size_t n, const double *x, double weight, double *grad) {
    const kan_model *m = kan_net_model(net);
    double *work = poisoned(kan_model_work_size(m, n)), *y = poisoned(n * m->n_out);
    double *own = kan_work_alloc(m->n_params);
    kan_model_forward(m, n, x, y, work);
    const double value = kan_model_penalty(m, n, weight, grad ? grad : own, work);
    kan_work_free(own);
    kan_work_free(y);
    kan_work_free(work);
    return value;
}

/* Lines 3 x0 - 4 x1 on a square of sd u = 2 / sqrt 3: v = 3 u, 4 u, over u + 0.1 where relative. Row sum 1 + 7 v. */
Test(scales, follow_the_worked_example) {
    const double x[] = {-1, -1, 1, -1, -1, 1, 1, 1}, u = 2.0 / sqrt(3.0);
    kan_net *net = kan_net_alloc(&(kan_net_config){.width = {2, 1}, .base = KAN_BASE_IDENTITY});
    double *theta = kan_net_layer_theta(net, 0);
    memset(theta, 0, 18 * sizeof *theta);
    theta[8] = 3.0, theta[17] = -4.0;
    kan_net_set_penalty(net, &(kan_penalty){.l1 = 1.0, .metric = KAN_SCALE_EDGE});
    cr_assert(epsilon_eq(dbl, penalty_at(net, 4, x, 1.0, NULL), 7.0 * u, 1e-12));
    kan_net_set_penalty(net, &(kan_penalty){.l1 = 0.5});
    cr_assert(epsilon_eq(dbl, penalty_at(net, 4, x, 2.0, NULL), 7.0 * u / (u + 0.1), 1e-12));
    kan_net_set_penalty(net, &(kan_penalty){.l1 = 1.0, .metric = KAN_SCALE_ATTRIBUTED});
    cr_assert(epsilon_eq(dbl, penalty_at(net, 4, x, 1.0, NULL), 7.0 * u / (5.0 * u + 1e-4), 1e-12));
    kan_net_set_penalty(net, &(kan_penalty){.l1 = 1.0, .metric = KAN_SCALE_NODES});
    cr_assert(epsilon_eq(dbl, penalty_at(net, 4, x, 1.0, NULL), 7.0 * u / (5.0 * u + 1e-4), 1e-12));
    kan_net_set_penalty(net, &(kan_penalty){.entropy = 1.0, .metric = KAN_SCALE_EDGE});
    const double a = 3.0 * u, b = 4.0 * u, p = a / (a + b + 1.0), q = b / (a + b + 1.0);
    const double row = -p * log2(p + 1e-4) - q * log2(q + 1e-4), r = a / (a + 1.0), s = b / (b + 1.0);
    const double column = -(r * log2(r + 1e-4) + s * log2(s + 1e-4)) / 2.0;
    cr_assert(epsilon_eq(dbl, penalty_at(net, 4, x, 1.0, NULL), row + column, 1e-12));
    theta[0] = 2.0, theta[1] = -1.0, theta[9] = 0.5;
    kan_net_set_penalty(net, &(kan_penalty){.coef = 1.0});
    cr_assert(epsilon_eq(dbl, penalty_at(net, 4, x, 1.0, NULL), 3.5, 1e-4));
    kan_net_set_penalty(net, &(kan_penalty){.coefdiff = 1.0});
    cr_assert(epsilon_eq(dbl, penalty_at(net, 4, x, 1.0, NULL), 3.0 + 1.0 + 0.5, 1e-4));
    kan_net_free(net);
}

typedef struct scale_case {
    size_t width[6], mult[6], arity[6], n_symbolic;
    kan_base base;
    kan_penalty penalty;
} scale_case;

static scale_case cases[] = {
    {.width = {2, 3, 1}, .penalty = {.l1 = 1.0}},
    {.width = {2, 3, 2}, .n_symbolic = 3, .penalty = {.l1 = 0.4, .entropy = 2.0}},
    {.width = {2, 3, 2},
     .n_symbolic = 3,
     .penalty = {.l1 = 1.0, .entropy = 1.0, .metric = KAN_SCALE_EDGE}},
    {.width = {3, 2, 2, 1},
     .mult = {0, 1},
     .arity = {0, 3},
     .n_symbolic = 2,
     .penalty = {.l1 = 1.0, .entropy = 2.0, .metric = KAN_SCALE_RELATIVE}},
    {.width = {2, 2, 1}, .penalty = {.l1 = 1.0, .entropy = 2.0, .metric = KAN_SCALE_ATTRIBUTED}},
    {.width = {3, 2, 1, 1},
     .mult = {0, 2, 1},
     .arity = {0, 2, 3},
     .n_symbolic = 4,
     .penalty = {.l1 = 1.0, .entropy = 2.0, .metric = KAN_SCALE_ATTRIBUTED}},
    {.width = {2, 3, 2}, .penalty = {.l1 = 1.0, .entropy = 2.0, .metric = KAN_SCALE_NODES}},
    {.width = {3, 2, 1, 2},
     .mult = {0, 2, 1},
     .arity = {0, 2, 3},
     .n_symbolic = 4,
     .penalty = {.l1 = 1.0, .entropy = 2.0, .metric = KAN_SCALE_NODES}},
    {.width = {2, 3, 1},
     .base = KAN_BASE_IDENTITY,
     .penalty = {.coef = 1.0, .coefdiff = 0.7, .roughness = 2.0}},
};

static kan_net *make_case(const scale_case *p) {
    kan_net_config config = {.n_cells = 3, .base = p->base};
    memcpy(config.width, p->width, sizeof p->width);
    memcpy(config.mult, p->mult, sizeof p->mult);
    memcpy(config.arity, p->arity, sizeof p->arity);
    kan_net *net = net_with_entropy(&config, true, 21);
    for (size_t j = 0; j < p->n_symbolic; ++j) {
        const size_t l = j % kan_net_n_layers(net);
        const kan_edge edge = {l, j % kan_net_n_in(net, l), j % kan_net_n_out(net, l)};
        const kan_symbolic s = {kan_function_find("sin"), 1.1, 0.3, 0.9, 0.2};
        cr_assert(kan_net_set_symbolic(net, edge, &s, NULL) == KAN_OK);
    }
    kan_net_remove_edge(net, (kan_edge){0, 1, 1});
    kan_net_set_penalty(net, &p->penalty);
    return net;
}

ParameterizedTestParameters(scales, gradient_is_that_of_differences)
{ return cr_make_param_array(scale_case, cases, sizeof cases / sizeof *cases); }

/* Differences of sixth order, (45 d1 - 9 d2 + d3) / (60 h): error h^6 of the seventh derivative, and
 * rounding DBL_EPSILON R / h. */
ParameterizedTest(scale_case *p, scales, gradient_is_that_of_differences) {
    kan_net *net = make_case(p);
    const kan_model *m = kan_net_model(net);
    kan_random random = kan_random_seed(22, 0);
    double x[3 * BATCH], *grad = kan_work_alloc(m->n_params), sum = 0.0;
    const bool kinks = p->penalty.coef > 0.0; /* |c| bends within 1e-5 of 0 */
    const double h = kinks ? 1e-5 : 2e-3, weight = 1.7, factor[] = {45.0, -9.0, 1.0};
    for (size_t j = 0; j < BATCH * m->n_in; ++j) x[j] = draw(&random, -1.4, 1.4);
    for (size_t q = 0; q < m->n_params; ++q) grad[q] = 0.385;
    const double r = penalty_at(net, BATCH, x, weight, grad);
    cr_assert(r > 0.1 && r == penalty_at(net, BATCH, x, weight, NULL));
    for (size_t q = 0; q < m->n_params; ++q) {
        const double theta = m->theta[q];
        double difference = 0.0;
        if (!m->trainable[q]) continue;
        for (int k = 1; k <= 3; ++k) {
            m->theta[q] = theta + k * h;
            difference += factor[k - 1] * penalty_at(net, BATCH, x, weight, NULL);
            m->theta[q] = theta - k * h;
            difference -= factor[k - 1] * penalty_at(net, BATCH, x, weight, NULL);
        }
        m->theta[q] = theta;
        cr_assert(
            epsilon_eq(dbl, grad[q] - 0.385, difference / (60.0 * h), kinks ? 1e-5 : 1e-8 * (1.0 + r)),
            "parameter %zu", q);
        sum += fabs(grad[q] - 0.385);
    }
    cr_assert(sum > 0.1);
    kan_work_free(grad);
    kan_net_free(net);
}

Test(scales, attributed_ones_are_the_scores) {
    const scale_case p = {.width = {3, 2, 1, 2},
                          .mult = {0, 2, 1},
                          .arity = {0, 2, 3},
                          .n_symbolic = 2,
                          .penalty = {.l1 = 1.0, .metric = KAN_SCALE_ATTRIBUTED}};
    kan_net *net = make_case(&p);
    kan_random random = kan_random_seed(23, 0);
    double x[3 * BATCH], sum = 0.0;
    for (size_t j = 0; j < 3 * BATCH; ++j) x[j] = draw(&random, -1.4, 1.4);
    kan_attribution *a = kan_attribution_alloc(net, BATCH, x, NULL);
    for (size_t l = 0; l < 3; ++l)
        for (size_t e = 0; e < kan_net_n_in(net, l) * kan_net_n_out(net, l); ++e) sum += a->edges[l][e];
    cr_assert(epsilon_eq(dbl, penalty_at(net, BATCH, x, 1.0, NULL), sum, 1e-10 * sum));
    kan_attribution_free(a);
    kan_net_free(net);
}

/* -sum p log2(p + 1e-4), p = v / (1 + sum v), of a row or column. */
static double entropy_of(size_t n, size_t stride, const double *v) {
    double sum = 1.0, value = 0.0;
    for (size_t j = 0; j < n; ++j) sum += v[j * stride];
    for (size_t j = 0; j < n; ++j) value -= v[j * stride] / sum * log2(v[j * stride] / sum + 1e-4);
    return value;
}

/* Of each level the scores of the inputs for its nodes, asked for node by node, times the score of the node. */
Test(scales, those_of_nodes_are_scores_of_inputs) {
    const scale_case p = {.width = {3, 2, 1, 2},
                          .mult = {0, 2, 1},
                          .arity = {0, 2, 3},
                          .n_symbolic = 2,
                          .penalty = {.l1 = 1.0, .metric = KAN_SCALE_NODES}};
    enum { LEVELS = 3, MOST = 4 };
    static const size_t n_nodes[LEVELS + 1] = {3, 4, 2, 2};
    kan_net *net = make_case(&p);
    kan_random random = kan_random_seed(24, 0);
    double x[3 * BATCH], l1 = 0.0, entropy = 0.0, features = 0.0;
    for (size_t j = 0; j < 3 * BATCH; ++j) x[j] = draw(&random, -1.4, 1.4);
    kan_attribution *a = kan_attribution_alloc(net, BATCH, x, NULL);
    double *work = poisoned(2 * kan_attribution_widest(a));
    for (size_t l = 1; l <= LEVELS; ++l) {
        double v[3 * MOST];
        const size_t n = n_nodes[l];
        for (size_t k = 0; k < n; ++k) {
            kan_attribution_of_node(a, l, k, v + 3 * k, work);
            for (size_t i = 0; i < 3; ++i) v[3 * k + i] *= a->nodes[l][k], l1 += v[3 * k + i];
            entropy += entropy_of(3, 1, v + 3 * k) / (double)n;
        }
        for (size_t i = 0; i < 3; ++i) entropy += entropy_of(n, 3, v + i) / 3.0;
    }
    for (size_t i = 0; i < 3; ++i) features += a->nodes[0][i];
    cr_assert(epsilon_eq(dbl, l1, LEVELS * features, 1e-10 * l1),
              "a sum of scores is that of the inputs'");
    cr_assert(epsilon_eq(dbl, penalty_at(net, BATCH, x, 1.0, NULL), l1, 1e-10 * l1));
    kan_net_set_penalty(net, &(kan_penalty){.entropy = 1.0, .metric = KAN_SCALE_NODES});
    cr_assert(epsilon_eq(dbl, penalty_at(net, BATCH, x, 1.0, NULL), entropy, 1e-9));
    kan_work_free(work);
    kan_attribution_free(a);
    kan_net_free(net);
}

Test(scales, names_lead_back_to_what_they_name) {
    for (kan_scale scale = 0; scale < KAN_N_SCALES; ++scale)
        cr_assert(kan_net_scale_from_name(kan_net_scale_name(scale)) == scale);
    cr_assert(kan_net_scale_from_name("edge") == KAN_N_SCALES);
}

/* Smaller l1 of the edges at a price in the loss, with each optimizer, and a finite net. */
Test(scales, every_optimizer_makes_edges_smaller) {
    for (kan_optimizer optimizer = 0; optimizer < 3; ++optimizer) {
        double sizes[2];
        for (int with = 0; with < 2; ++with) {
            kan_dataset *d = make_data(N, 1);
            kan_net *net = make_net();
            const kan_penalty penalty = {
                .l1 = 1.0, .entropy = 2.0, .coef = 0.1, .coefdiff = 0.1, .metric = KAN_SCALE_EDGE};
            kan_net_set_penalty(net, &penalty);
            const kan_train_options options = {.optimizer = optimizer,
                                               .penalty = with ? 5e-2 : 0.0,
                                               .steps = optimizer == KAN_ADAM ? 400 : 40};
            kan_report report;
            cr_assert(kan_trainer_fit(kan_net_model(net), d, &options, &report, NULL) == KAN_OK);
            kan_net_set_penalty(net, &(kan_penalty){.l1 = 1.0, .metric = KAN_SCALE_EDGE});
            sizes[with] = penalty_at(net, N, d->x, 1.0, NULL);
            cr_assert(isfinite(sizes[with]));
            kan_net_free(net);
            kan_dataset_free(d);
        }
        cr_assert(sizes[1] < 0.8 * sizes[0], "optimizer %d: %g, %g", (int)optimizer, sizes[0],
                  sizes[1]);
    }
}
