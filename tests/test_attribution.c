/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <math.h>
#include <string.h>

#include "core/parallel.h"
#include "core/work.h"
#include "kan/attribution.h"
#include "tests/support/alloc.h"
#include "tests/support/kan_cases.h"

/* Lines phi_io(x) = w[i][o] x as edges of layer l. */
static void set_lines(kan_net *net, size_t l, const double *w) {
    const kan_net_config *c = kan_net_get_config(net);
    const size_t n_in = kan_net_n_in(net, l), n_out = kan_net_n_out(net, l);
    const size_t rows = c->n_cells + c->degree + 1;
    double *theta = kan_net_layer_theta(net, l);
    memset(theta, 0, n_in * rows * n_out * sizeof *theta);
    for (size_t i = 0; i < n_in; ++i)
        for (size_t o = 0; o < n_out; ++o) theta[(i * rows + rows - 1) * n_out + o] = w[i * n_out + o];
}

/* Four samples whose columns have mean 0, sd 2/sqrt(3), and no correlation. */
static const double square[] = {-1, -1, 1, -1, -1, 1, 1, 1};
static const double unit = 1.1547005383792515;

/* h = 3 x0 + 4 x1 has sd 5 unit, g = 1.5 x0 has sd 1.5 unit, y = 2 h + 0 g has 10 unit:
 * E(h y) = 10 u / (10 u + t) = S(h), E(g y) = 0, E(x0 h) = 3 u S(h) / (5 u + t), .. */
Test(attribution, follows_the_worked_example) {
    kan_net *net = kan_net_alloc(&(kan_net_config){.width = {2, 2, 1}, .base = KAN_BASE_IDENTITY});
    set_lines(net, 0, (double[]){3.0, 1.5, -4.0, 0.0});
    set_lines(net, 1, (double[]){2.0, 0.0});
    kan_attribution *a = kan_attribution_alloc(net, 4, square, NULL);
    const double t = 1e-4, h = 10.0 * unit / (10.0 * unit + t);
    cr_assert(epsilon_eq(dbl, a->edges[1][0], h, 1e-14));
    cr_assert(a->edges[1][1] == 0.0 && a->nodes[1][1] == 0.0);
    cr_assert(epsilon_eq(dbl, a->nodes[1][0], h, 1e-14));
    cr_assert(epsilon_eq(dbl, a->edges[0][0], 3.0 * unit * h / (5.0 * unit + t), 1e-14));
    cr_assert(epsilon_eq(dbl, a->edges[0][2], 4.0 * unit * h / (5.0 * unit + t), 1e-14));
    cr_assert(a->edges[0][1] == 0.0, "an edge to a node that nobody hears");
    cr_assert(epsilon_eq(dbl, a->nodes[0][1], 4.0 * unit * h / (5.0 * unit + t), 1e-14));
    cr_assert(epsilon_eq(dbl, a->spreads[0][1], 1.5 * unit, 1e-14));
    cr_assert(epsilon_eq(dbl, a->nodes[2][0], 1.0, 0.0));
    kan_attribution_free(a);
    kan_net_free(net);
}

/* y0 = x0, y1 = x0 x1: both factors get the score of their node; scores are means over outputs. */
Test(attribution, hands_scores_to_factors_and_averages_over_outputs) {
    kan_net *net = kan_net_alloc(
        &(kan_net_config){.width = {2, 1, 0}, .mult = {0, 1}, .base = KAN_BASE_IDENTITY});
    set_lines(net, 0, (double[]){1.0, 1.0, 0.0, 0.0, 0.0, 1.0});
    kan_attribution *a = kan_attribution_alloc(net, 4, square, NULL);
    const double line = unit / (unit + 1e-4);
    cr_assert(epsilon_eq(dbl, a->features[0], line, 1e-14));
    cr_assert(a->features[1] == 0.0);
    cr_assert(epsilon_eq(dbl, a->features[2], line, 1e-14));
    cr_assert(epsilon_eq(dbl, a->features[3], line, 1e-14));
    cr_assert(epsilon_eq(dbl, a->nodes[0][0], line, 1e-14));
    cr_assert(epsilon_eq(dbl, a->nodes[0][1], line / 2.0, 1e-14));
    cr_assert(epsilon_eq(dbl, a->edges[0][1], line / 2.0, 1e-14));
    cr_assert(epsilon_eq(dbl, a->edges[0][5], line / 2.0, 1e-14));
    cr_assert(epsilon_eq(dbl, a->nodes[1][1], 0.5, 0.0));
    kan_attribution_free(a);
    kan_net_free(net);
}

Test(attribution, finds_which_inputs_act_together) {
    kan_net *net = kan_net_alloc(&(kan_net_config){.width = {2, 4, 1}, .base = KAN_BASE_IDENTITY});
    set_lines(net, 0, (double[]){1.0, 0.0, 2.0, 0.0, 1.0, 1.0, 1.0, 0.0});
    kan_attribution *a = kan_attribution_alloc(net, 4, square, NULL);
    kan_interactions *t = kan_attribution_interactions(a, 1, 1e-2, 1e-2);
    cr_assert(eq(sz, t->n_sets, 2));
    cr_assert(eq(sz, t->counts[0], 2));
    cr_assert(t->sets[0] == 1 && t->sets[1] == 1);
    cr_assert(eq(sz, t->counts[1], 1));
    cr_assert(t->sets[2] == 0 && t->sets[3] == 1);
    kan_interactions_free(t);
    kan_attribution_free(a);
    kan_net_free(net);
}

/* Two ways to the same numbers: moments of what the net computes, from its edges and from its forward pass. */
Test(attribution, sees_the_values_that_the_net_computes) {
    enum { N = 60 };
    kan_net *net = net_with_entropy(&(kan_net_config){.width = {3, 2, 2}, .mult = {0, 2}}, true, 3);
    double *x = poisoned(3 * N), *y = poisoned(2 * N);
    kan_attribution_points(net, N, 4, x);
    for (size_t s = 0; s < N; ++s)
        for (size_t i = 0; i < 3; ++i) {
            const kan_basis b = kan_net_basis(net, 0, i);
            cr_assert(x[3 * s + i] >= grid_lo(&b) && x[3 * s + i] < grid_hi(&b));
        }
    net_forward(net, N, x, y);
    kan_attribution *a = kan_attribution_alloc(net, N, x, NULL);
    for (size_t o = 0; o < 2; ++o) {
        long double mean = 0.0, squares = 0.0;
        for (size_t s = 0; s < N; ++s) mean += y[2 * s + o] / (long double)N;
        for (size_t s = 0; s < N; ++s) squares += (y[2 * s + o] - mean) * (y[2 * s + o] - mean);
        const double expected = (double)sqrtl(squares / (N - 1));
        cr_assert(epsilon_eq(dbl, a->sub_spreads[1][o], expected, 1e-12 * expected));
    }
    kan_attribution_free(a);
    kan_work_free(y);
    kan_work_free(x);
    kan_net_free(net);
}

Test(attribution, gives_the_same_bits_with_any_number_of_threads) {
    enum { N = 3000 };
    kan_net *net = net_with_entropy(&(kan_net_config){.width = {6, 9, 4}}, true, 6);
    double *x = poisoned(6 * N);
    kan_attribution_points(net, N, 4, x);
    kan_parallel_set_threads(1);
    kan_attribution *one = kan_attribution_alloc(net, N, x, NULL);
    kan_parallel_set_threads(4);
    kan_attribution *four = kan_attribution_alloc(net, N, x, NULL);
    cr_assert(memcmp(one->edges[0], four->edges[0], 54 * sizeof(double)) == 0);
    cr_assert(memcmp(one->features, four->features, 24 * sizeof(double)) == 0);
    cr_assert(one->features[0] > 0.0);
    kan_attribution_free(four);
    kan_attribution_free(one);
    kan_work_free(x);
    kan_net_free(net);
}

Test(attribution, refuses_values_that_are_not_finite) {
    kan_error error;
    kan_net *net = kan_net_alloc(&(kan_net_config){.width = {2, 1}});
    const double x[] = {0.1, NAN, 0.2, 0.3};
    cr_assert(kan_attribution_alloc(net, 2, x, &error) == NULL);
    cr_assert(error.status == KAN_ENONFINITE);
    kan_net_free(net);
}

static kan_status attempt(void *context) {
    kan_attribution *a = kan_attribution_alloc(context, 4, square, NULL);
    kan_interactions *t = a ? kan_attribution_interactions(a, 1, 0.0, 0.0) : NULL;
    const kan_status status = t ? KAN_OK : KAN_ENOMEM;
    kan_interactions_free(t);
    kan_attribution_free(a);
    return status;
}

Test(attribution, survives_any_failing_allocation) {
    kan_net *net = kan_net_alloc(&(kan_net_config){.width = {2, 3, 1}});
    cr_assert(eq(sz, alloc_fail_every(attempt, net), 7));
    kan_net_free(net);
}
