/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>

#include <float.h>
#include <math.h>
#include <string.h>

#include "core/work.h"
#include "kan/grid.h"
#include "kan/net.h"
#include "kan/net_private.h"
#include "tests/contract/model_contract.h"
#include "tests/support/alloc.h"
#include "tests/support/kan_cases.h"
#include "tests/support/kan_reference.h"

static double identity(double x) {
    return x;
}

static double one(double x) {
    return isnan(x) ? x : 1.0;
}

static double square(double x) {
    return x * x;
}

static double twice(double x) {
    return 2.0 * x;
}

static double d_tanh(double x) {
    return 1.0 - tanh(x) * tanh(x);
}

static const kan_function functions[] = {{.name = "sin", .f = sin, .d1 = cos},
                                         {.name = "x^2", .f = square, .d1 = twice},
                                         {.name = "x", .f = identity, .d1 = one},
                                         {.name = "exp", .f = exp, .d1 = exp},
                                         {.name = "tanh", .f = tanh, .d1 = d_tanh}};
enum { N_FUNCTIONS = sizeof functions / sizeof *functions };

/* Function number j with random parameters. */
static kan_symbolic any_function(kan_random *random, size_t j) {
    return (kan_symbolic){.f = &functions[j % N_FUNCTIONS],
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

static const kan_net *to_load; /* stands in for a file */

static kan_model *load(const kan_file *file, kan_error *error) {
    (void)file, (void)error;
    kan_net *net = kan_net_copy(to_load);
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
    to_load = net;
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
