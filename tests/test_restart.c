/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <string.h>

#include "mlp/restart.h"

static const kan_mlp_config config = {.width = {2, 5, 1}, .activation = KAN_TANH, .seed = 77};

static kan_model *start(uint64_t seed, uint64_t number) {
    kan_model *m = NULL;
    cr_assert(kan_restart_family->start(&config, seed, number, 0, NULL, &m, NULL) == KAN_OK);
    return m;
}

static bool same(const kan_model *a, const kan_model *b) {
    return a->n_params == b->n_params &&
           memcmp(a->theta, b->theta, a->n_params * sizeof *a->theta) == 0;
}

Test(restart, starts_differ_by_number_and_seed_alone) {
    kan_model *a = start(1, 2), *b = start(1, 2), *c = start(1, 3), *d = start(2, 2);
    cr_assert(same(a, b) && !same(a, c) && !same(a, d));
    cr_assert(kan_mlp_get_config(kan_restart_mlp(a))->activation == KAN_TANH);
    kan_model *all[] = {a, b, c, d};
    for (size_t j = 0; j < 4; ++j) kan_restart_family->release(all[j]);
}

Test(restart, copies_are_their_own) {
    kan_model *a = start(1, 2);
    a->theta[3] = 2.385;
    kan_model *b = kan_restart_family->copy(a);
    cr_assert(same(a, b));
    b->theta[3] = 0.0;
    cr_assert(a->theta[3] == 2.385);
    kan_restart_family->release(a);
    kan_restart_family->release(b);
}
