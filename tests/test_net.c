/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>

#include <float.h>
#include <math.h>
#include <string.h>

#include "core/work.h"
#include "kan/net.h"
#include "tests/contract/model_contract.h"
#include "tests/support/alloc.h"
#include "tests/support/kan_cases.h"
#include "tests/support/kan_reference.h"

static kan_model *load(const kan_file *file, kan_error *error) {
    kan_net *net = kan_net_load(file, error);
    return net ? kan_net_model(net) : NULL;
}

static void release(kan_model *m) {
    kan_net_free(m->self);
}

/* ---- the contract -------------------------------------------------------------------------------- */

/* Batches of four samples a cell and more take the narrow kernel, smaller ones the wide one. */
typedef struct contract_case {
    size_t width[6], mult[6], arity[6], degree, n_cells, batch;
    kan_base base;
    bool moved;
    kan_precision precision;
} contract_case;

static contract_case contract_cases[] = {
    {.width = {2, 5, 1}, .batch = 7},
    {.width = {2, 5, 1}, .batch = 23, .moved = true},
    {.width = {3, 4, 2}, .degree = 2, .batch = 5, .base = KAN_BASE_IDENTITY, .moved = true},
    {.width = {3, 4, 2}, .degree = 4, .n_cells = 3, .batch = 15, .base = KAN_BASE_ZERO},
    {.width = {2, 3, 1}, .mult = {0, 2}, .batch = 21},
    {.width = {2, 1, 2},
     .mult = {0, 2, 1},
     .arity = {0, 3, 2},
     .n_cells = 3,
     .batch = 13,
     .moved = true},
    {.width = {2, 2, 0}, .mult = {0, 0, 2}, .arity = {0, 0, 3}, .n_cells = 4, .batch = 6},
    {.width = {2, 0, 1}, .mult = {0, 2}, .arity = {0, 4}, .n_cells = 2, .batch = 9, .moved = true},
    {.width = {2, 3, 3, 3, 1}, .n_cells = 3, .batch = 14, .moved = true},
    {.width = {5, 12, 3}, .n_cells = 3, .batch = 6, .moved = true},
    {.width = {5, 12, 3}, .n_cells = 2, .batch = 13},
    {.width = {1, 1}, .degree = 1, .n_cells = 7, .batch = 40},
    {.width = {2, 2, 1}, .degree = 7, .n_cells = 2, .batch = 11, .moved = true},
    {.width = {3, 9}, .degree = 5, .n_cells = 1, .batch = 8},
    {.width = {2, 5, 1}, .batch = 13, .precision = KAN_SINGLE},
    {.width = {2, 3, 17},
     .mult = {0, 2},
     .n_cells = 3,
     .batch = 9,
     .precision = KAN_SINGLE,
     .moved = true},
};

static kan_net *contract_net(const contract_case *p) {
    kan_net_config config = {.n_cells = p->n_cells,
                             .degree = p->degree,
                             .base = p->base,
                             .precision = p->precision,
                             .seed = 5};
    memcpy(config.width, p->width, sizeof p->width);
    memcpy(config.mult, p->mult, sizeof p->mult);
    memcpy(config.arity, p->arity, sizeof p->arity);
    const char *wrong = kan_net_check(&config);
    cr_assert(wrong == NULL, "%s", wrong);
    return net_with_entropy(&config, p->moved, 51);
}

ParameterizedTestParameters(net, fulfils_the_contract)
{
    return cr_make_param_array(contract_case, contract_cases,
                               sizeof contract_cases / sizeof *contract_cases);
}

/* A basis function is a polynomial with coefficients that sum to 2^degree (tests/support/kan_cases.h),
 * so rounding is as many times that of a plain sum. */
ParameterizedTest(contract_case *p, net, fulfils_the_contract) {
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
                                           .seed = 52});
    kan_net_free(net);
}

/* All kernels: few outputs; wide because of its outputs, or because of its cells; with one block of samples, and
 * with many. */
static contract_case thread_cases[] = {
    {.width = {2, 5, 1}, .mult = {0, 1}, .batch = 20001, .moved = true},
    {.width = {5, 12, 3}, .batch = 12001},
    {.width = {9, 6, 3}, .n_cells = 1000, .batch = 3999},
    {.width = {70, 300, 2}, .batch = 60, .moved = true},
    {.width = {70, 90, 20}, .batch = 150, .precision = KAN_SINGLE, .moved = true},
    {.width = {60, 400, 20}, .batch = 64, .precision = KAN_SINGLE},
};

ParameterizedTestParameters(net, gives_the_same_bits_with_any_number_of_threads)
{ return cr_make_param_array(contract_case, thread_cases, sizeof thread_cases / sizeof *thread_cases); }

ParameterizedTest(contract_case *p, net, gives_the_same_bits_with_any_number_of_threads) {
    kan_net *net = contract_net(p);
    model_contract_check_threads(kan_net_model(net), &(model_contract){.batch = p->batch, .seed = 53});
    kan_net_free(net);
}

/* ---- configurations ------------------------------------------------------------------------------ */

Test(net, check_refuses_bad_configs_with_a_sentence) {
    const kan_net_config bad[] = {
        {.width = {0}},
        {.width = {2}},
        {.width = {2, 0, 1}},
        {.width = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
        {.width = {2, 5, 1}, .mult = {1}},
        {.width = {2, 5, 1}, .mult = {0, 1}, .arity = {0, 1}},
        {.width = {2, 5, 1}, .mult = {0, 1}, .arity = {0, 17}},
        {.width = {2, SIZE_MAX, 1}},
        {.width = {2, 5, 1}, .mult = {0, SIZE_MAX}},
        {.width = {2, SIZE_MAX, 1}, .mult = {0, 1}},
        {.width = {2, 5, 1}, .degree = 8},
        {.width = {2, 5, 1}, .n_cells = KAN_MAX_CELLS + 1},
        {.width = {2, 5, 1}, .n_cells = SIZE_MAX},
        {.width = {2, 5, 1}, .lo = 1.0, .hi = -1.0},
        {.width = {2, 5, 1}, .lo = NAN, .hi = 1.0},
        {.width = {2, 5, 1}, .lo = 0.0, .hi = INFINITY},
        {.width = {2, 5, 1}, .lo = -1e308, .hi = 1e308},
        {.width = {2, 5, 1}, .lo = 1e9, .hi = 1e9 + 1e-6},
        {.width = {2, 5, 1}, .lo = 0.0, .hi = 5e-324},
        {.width = {2, 5, 1}, .base = KAN_N_BASES},
        {.width = {2, 5, 1}, .base = (kan_base)-1},
        {.width = {2, 5, 1}, .init = KAN_N_INITS},
        {.width = {2, 5, 1}, .noise = NAN},
        {.width = {2, 5, 1}, .power_base = INFINITY},
        {.width = {2, 5, 1}, .power_spline = NAN},
        {.width = {1 << 20, 1 << 20, 1 << 20, 1 << 20}, .n_cells = KAN_MAX_CELLS},
    };
    for (size_t j = 0; j < sizeof bad / sizeof *bad; ++j) {
        const char *wrong = kan_net_check(&bad[j]);
        cr_assert(wrong && strlen(wrong) > 15 && strchr(wrong, ' '), "config %zu passes", j);
    }
}

Test(net, check_takes_the_largest_and_the_smallest) {
    const kan_net_config good[] = {
        {.width = {1, 1}},
        {.width = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
        {.width = {2, 0, 1}, .mult = {0, 1}, .arity = {0, 16}},
        {.width = {2, 1}, .degree = 7, .n_cells = 1},
        {.width = {1, 1}, .degree = 1, .n_cells = KAN_MAX_CELLS},
        {.width = {2, 1}, .lo = 1e9, .hi = 1e9 + 1e-3},
        {.width = {2, 1}, .lo = -1e-30, .hi = 1e-30},
    };
    for (size_t j = 0; j < sizeof good / sizeof *good; ++j) {
        const char *wrong = kan_net_check(&good[j]);
        cr_assert(wrong == NULL, "config %zu: %s", j, wrong);
        kan_net *net = kan_net_alloc(&good[j]);
        cr_assert(net != NULL);
        cr_assert(eq(sz, kan_net_count(&good[j]), kan_net_model(net)->n_params));
        kan_net_free(net);
    }
}

Test(net, defaults_are_the_documented_ones) {
    kan_net *net = kan_net_alloc(&(kan_net_config){.width = {2, 5, 1}});
    const kan_net_config *c = kan_net_get_config(net);
    cr_assert(eq(sz, c->n_cells, 5));
    cr_assert(eq(sz, c->degree, 3));
    cr_assert(eq(sz, c->arity[1], 2));
    cr_assert(c->lo == -1.0 && c->hi == 1.0 && c->noise == 0.3);
    cr_assert(c->power_base == 0.25 && c->power_spline == 1.75);
    cr_assert(c->base == KAN_BASE_SILU && c->init == KAN_INIT_REFERENCE);
    const kan_basis b = kan_net_basis(net, 1, 4);
    cr_assert(b.degree == 3 && b.n_cells == 5 && grid_lo(&b) == -1.0 && grid_hi(&b) == 1.0);
    kan_net_free(net);
}

/* sum over layers of n_in n_out (G + k + 1), where a multiplying node takes as many outputs as factors
 */
Test(net, counts_its_parts) {
    const kan_net_config config = {
        .width = {2, 3, 1}, .mult = {0, 2, 1}, .arity = {0, 3, 0}, .n_cells = 4, .degree = 2};
    kan_net *net = kan_net_alloc(&config);
    const kan_model *m = kan_net_model(net);
    cr_assert(eq(sz, kan_net_n_layers(net), 2));
    cr_assert(kan_net_n_in(net, 0) == 2 && kan_net_n_out(net, 0) == 9);
    cr_assert(kan_net_n_in(net, 1) == 5 && kan_net_n_out(net, 1) == 3);
    cr_assert(m->n_in == 2 && m->n_out == 2);
    cr_assert(eq(sz, kan_net_n_edges(net), 18 + 15));
    cr_assert(eq(sz, m->n_params, (18 + 15) * 7));
    cr_assert(eq(sz, kan_net_count(&config), (18 + 15) * 7));
    cr_assert(eq(sz, kan_model_n_trainable(m), (18 + 15) * 7));
    cr_assert(eq(sz, (size_t)(kan_net_layer_theta(net, 1) - m->theta), 18 * 7));
    kan_net_free(net);
}

Test(net, counts_that_overflow_say_so) {
    const kan_net_config large[] = {
        {.width = {SIZE_MAX / 4, 9}},
        {.width = {2, 1}, .n_cells = SIZE_MAX},
        {.width = {2, 1}, .n_cells = 3, .degree = SIZE_MAX - 1},
        {.width = {2, 1}, .mult = {0, SIZE_MAX / 2}, .arity = {0, 3}},
        {.width = {SIZE_MAX, 1}, .mult = {2}},
    };
    for (size_t j = 0; j < sizeof large / sizeof *large; ++j)
        cr_assert(eq(sz, kan_net_count(&large[j]), SIZE_MAX), "config %zu", j);
}

Test(net, names_lead_back_to_what_they_name) {
    for (kan_base base = 0; base < KAN_N_BASES; ++base)
        cr_assert(kan_net_base_from_name(kan_net_base_name(base)) == base);
    for (kan_init init = 0; init < KAN_N_INITS; ++init)
        cr_assert(kan_net_init_from_name(kan_net_init_name(init)) == init);
    cr_assert(kan_net_base_from_name("relu") == KAN_N_BASES &&
              kan_net_init_from_name("") == KAN_N_INITS);
    cr_assert(strcmp(kan_net_base_name(KAN_BASE_SILU), "silu") == 0);
    cr_assert(strcmp(kan_net_init_name(KAN_INIT_REFERENCE), "reference") == 0);
    cr_assert(kan_net_base_name(KAN_N_BASES) == NULL && kan_net_init_name(KAN_N_INITS) == NULL);
}

/* ---- edges --------------------------------------------------------------------------------------- */

/* A net of one layer, n_in = 3, n_out = 4, is the sum of its edges. */
static void assert_sum_of_edges(kan_net *net) {
    enum { N = 50 };
    kan_random random = kan_random_seed(54, 0);
    double x[3 * N], y[4 * N], t[N], phi[N], sum[4 * N] = {0.0};
    for (size_t j = 0; j < 3 * N; ++j) x[j] = draw(&random, -1.8, 1.8);
    net_forward(net, N, x, y);
    for (size_t e = 0; e < 12; ++e) {
        for (size_t s = 0; s < N; ++s) t[s] = x[3 * s + e / 4], phi[s] = NAN;
        kan_net_edge_curve(net, (kan_edge){0, e / 4, e % 4}, N, t, phi);
        for (size_t s = 0; s < N; ++s) sum[4 * s + e % 4] += phi[s];
    }
    /* five terms an edge, with slopes of up to 15 outside: 3 edges of up to 20 */
    for (size_t j = 0; j < 4 * N; ++j)
        cr_assert(epsilon_eq(dbl, y[j], sum[j], 64.0 * DBL_EPSILON * 60.0), "%zu", j);
}

Test(net, edge_curves_add_up_to_the_outputs) {
    for (size_t moved = 0; moved < 2; ++moved) {
        kan_net *net = net_with_entropy(&(kan_net_config){.width = {3, 4}}, moved, 55);
        assert_sum_of_edges(net);
        kan_net_remove_edge(net, (kan_edge){0, 1, 2});
        assert_sum_of_edges(net);
        kan_net_free(net);
    }
}

Test(net, a_removed_edge_is_the_zero_function_and_frozen_for_good) {
    const kan_edge edge = {0, 1, 3}, every = {KAN_EVERY, KAN_EVERY, KAN_EVERY};
    const double t[] = {-3.7, -1.0, 0.123, 0.6, 1.0, 14.0};
    double phi[6];
    kan_net *net = net_with_entropy(&(kan_net_config){.width = {2, 5, 1}}, true, 56);
    kan_net_edge_curve(net, edge, 6, t, phi);
    for (size_t j = 0; j < 6; ++j) cr_assert(phi[j] != 0.0);
    cr_assert(kan_net_has_edge(net, edge));
    kan_net_remove_edge(net, edge);
    kan_net_set_trainable(net, every, KAN_PART_BASE | KAN_PART_SPLINE, true);
    kan_net_edge_curve(net, edge, 6, t, phi);
    for (size_t j = 0; j < 6; ++j) cr_assert(eq(dbl, phi[j], 0.0));
    cr_assert(kan_net_has_edge(net, edge) == false);
    cr_assert(eq(sz, kan_net_n_edges(net), 14));
    cr_assert(eq(sz, kan_model_n_trainable(kan_net_model(net)), 14 * 9));
    const uint8_t *trainable = kan_net_model(net)->trainable;
    for (size_t j = 0; j < 2 * 9 * 5; ++j) /* theta [n_in][9][n_out] */
        cr_assert(eq(int, trainable[j] != 0, !(j / 45 == 1 && j % 5 == 3)), "parameter %zu", j);
    kan_net_free(net);
}

/* Which parameters a pattern means, counted by hand: [2,5,1] has 10 and 5 edges, 8 + 1 parameters each.
 */
Test(net, patterns_freeze_what_they_mean) {
    const struct {
        kan_edge edge;
        unsigned parts;
        size_t n_frozen;
    } cases[] = {{{0, 1, 3}, KAN_PART_SPLINE, 8},
                 {{0, 1, 3}, KAN_PART_BASE, 1},
                 {{0, 1, 3}, KAN_PART_BASE | KAN_PART_SPLINE, 9},
                 {{0, KAN_EVERY, 3}, KAN_PART_SPLINE, 16},
                 {{0, 1, KAN_EVERY}, KAN_PART_BASE, 5},
                 {{1, KAN_EVERY, KAN_EVERY}, KAN_PART_SPLINE, 40},
                 {{KAN_EVERY, 1, 0}, KAN_PART_BASE, 2},
                 {{KAN_EVERY, 4, 0}, KAN_PART_BASE, 1},
                 {{KAN_EVERY, KAN_EVERY, KAN_EVERY}, KAN_PART_BASE, 15},
                 {{KAN_EVERY, KAN_EVERY, KAN_EVERY}, KAN_PART_BASE | KAN_PART_SPLINE, 135},
                 {{0, 1, 3}, 0, 0}};
    kan_net *net = kan_net_alloc(&(kan_net_config){.width = {2, 5, 1}});
    const kan_model *m = kan_net_model(net);
    for (size_t j = 0; j < sizeof cases / sizeof *cases; ++j) {
        kan_net_set_trainable(net, cases[j].edge, cases[j].parts, false);
        cr_assert(eq(sz, kan_model_n_trainable(m), 135 - cases[j].n_frozen), "case %zu", j);
        kan_net_set_trainable(net, cases[j].edge, cases[j].parts, true);
        cr_assert(eq(sz, kan_model_n_trainable(m), 135), "case %zu", j);
    }
    kan_net_set_trainable(net, (kan_edge){0, 1, 3}, KAN_PART_BASE, false);
    for (size_t j = 0; j < 135; ++j) /* [n_in][8 + 1][n_out]: input 1, last row, output 3 */
        cr_assert(eq(int, m->trainable[j] == 0, j == 45 + 8 * 5 + 3), "parameter %zu", j);
    kan_net_free(net);
}

Test(net, without_a_base_function_its_weights_are_no_parameters) {
    kan_net *net = kan_net_alloc(&(kan_net_config){.width = {2, 5, 1}, .base = KAN_BASE_ZERO});
    cr_assert(eq(sz, kan_model_n_trainable(kan_net_model(net)), 15 * 8));
    kan_net_set_trainable(net, (kan_edge){KAN_EVERY, KAN_EVERY, KAN_EVERY},
                          KAN_PART_BASE | KAN_PART_SPLINE, true);
    cr_assert(eq(sz, kan_model_n_trainable(kan_net_model(net)), 15 * 8));
    kan_net_free(net);
}

/* ---- copies and failures ------------------------------------------------------------------------- */

Test(net, a_copy_is_the_same_and_independent) {
    enum { N = 30 };
    kan_random random = kan_random_seed(57, 0);
    double x[2 * N], y[N], same[N], other[N];
    for (size_t j = 0; j < 2 * N; ++j) x[j] = draw(&random, -1.5, 1.5);
    kan_net *net = net_with_entropy(&(kan_net_config){.width = {2, 3, 1}, .mult = {0, 1}}, true, 58);
    kan_net_remove_edge(net, (kan_edge){0, 0, 1});
    kan_net_set_trainable(net, (kan_edge){1, 2, 0}, KAN_PART_SPLINE, false);
    net_forward(net, N, x, y);
    kan_net *copy = kan_net_copy(net);
    const kan_model *a = kan_net_model(net), *b = kan_net_model(copy);
    net_forward(copy, N, x, same);
    cr_assert(memcmp(y, same, sizeof y) == 0);
    cr_assert(memcmp(a->trainable, b->trainable, a->n_params) == 0);
    cr_assert(kan_net_has_edge(copy, (kan_edge){0, 0, 1}) == false);
    for (size_t p = 0; p < b->n_params; ++p) b->theta[p] += 0.1;
    kan_net_remove_edge(copy, (kan_edge){1, 0, 0});
    net_forward(copy, N, x, other);
    cr_assert(memcmp(y, other, sizeof y) != 0);
    net_forward(net, N, x, same);
    cr_assert(memcmp(y, same, sizeof y) == 0, "the original has changed");
    cr_assert(kan_net_has_edge(net, (kan_edge){1, 0, 0}));
    kan_net_free(net);
    net_forward(copy, N, x, same);
    cr_assert(memcmp(other, same, sizeof same) == 0, "the copy lives on");
    kan_net_free(copy);
    kan_net_free(NULL);
}

static kan_status attempt_alloc(void *context) {
    kan_net *net = kan_net_alloc(context);
    kan_net_free(net);
    return net ? KAN_OK : KAN_ENOMEM;
}

static kan_status attempt_copy(void *context) {
    kan_net *net = kan_net_copy(context);
    kan_net_free(net);
    return net ? KAN_OK : KAN_ENOMEM;
}

Test(net, construction_survives_failing_allocations) {
    for (kan_init init = 0; init < KAN_N_INITS; ++init) {
        kan_net_config config = {.width = {2, 3, 2, 1}, .mult = {0, 1}, .init = init};
        cr_assert(gt(sz, alloc_fail_every(attempt_alloc, &config), 4));
    }
    kan_net *net = kan_net_alloc(&(kan_net_config){.width = {2, 5, 1}});
    cr_assert(gt(sz, alloc_fail_every(attempt_copy, net), 4));
    kan_net_free(net);
}
