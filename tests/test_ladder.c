/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <math.h>
#include <string.h>

#include "core/work.h"
#include "kan/grid.h"
#include "kan/ladder.h"
#include "tests/support/kan_cases.h"

enum { N = 500, N_IN = 3, HIDDEN = 4 };

static const kan_ladder_config config = {
    .net = {.width = {N_IN, HIDDEN, 1}, .base = KAN_BASE_ZERO}, .cells = {3, 6, 10}, .degrees = {5}};

/* Inputs far from [-1, 1], each on a range of its own. */
static kan_dataset *make_data(void) {
    kan_dataset *d = kan_dataset_alloc(KAN_REGRESSION, N, N_IN, 1, false);
    kan_random random = kan_random_seed(31, 0);
    for (size_t s = 0; s < N; ++s)
        for (size_t i = 0; i < N_IN; ++i)
            d->x[s * N_IN + i] = draw(&random, 2.0 + (double)i, 7.0 * (double)(i + 1));
    return d;
}

static kan_model *start(const kan_dataset *d, uint64_t seed, uint64_t number) {
    kan_model *m = NULL;
    cr_assert(kan_ladder_family->start(&config, seed, number, 0, d, &m, NULL) == KAN_OK);
    return m;
}

static double largest_difference(const kan_model *a, const kan_model *b, const kan_dataset *d) {
    static double y[N], z[N];
    double worst = 0.0;
    net_forward(kan_ladder_net(a), N, d->x, y);
    net_forward(kan_ladder_net(b), N, d->x, z);
    for (size_t s = 0; s < N; ++s) worst = fmax(worst, fabs(y[s] - z[s]));
    return worst;
}

Test(ladder, starts_use_every_grid) {
    kan_dataset *d = make_data();
    kan_model *m = start(d, 1, 2);
    kan_net *net = kan_ladder_net(m);
    size_t counts[N_IN + HIDDEN];
    cr_assert(kan_grid_outside(net, N, d->x, counts, NULL) == KAN_OK);
    for (size_t j = 0; j < N_IN + HIDDEN; ++j) cr_assert(eq(sz, counts[j], 0), "node %zu", j);
    for (size_t i = 0; i < N_IN; ++i) {
        const kan_basis b = kan_net_basis(net, 0, i);
        const double width = 7.0 * (double)(i + 1) - 2.0 - (double)i;
        cr_assert(grid_hi(&b) - grid_lo(&b) < 1.03 * width, "input %zu", i);
    }
    /* that of a hidden node: a covered grid moves if it is filled by less than 0.8, and this one is filled more */
    kan_model *same = kan_ladder_family->copy(m);
    const kan_grid_cover_options less = {.first = 1, .least = 0.8, .grid_eps = 1.0};
    cr_assert(kan_grid_cover(kan_ladder_net(same), N, d->x, &less, NULL) == KAN_OK);
    cr_assert(largest_difference(m, same, d) == 0.0);
    kan_ladder_family->release(same);
    kan_ladder_family->release(m);
    kan_dataset_free(d);
}

Test(ladder, starts_differ_by_number_and_seed_alone) {
    kan_dataset *d = make_data();
    kan_model *a = start(d, 1, 2), *b = start(d, 1, 2), *c = start(d, 1, 3), *e = start(d, 2, 2);
    cr_assert(largest_difference(a, b, d) == 0.0);
    cr_assert(largest_difference(a, c, d) > 0.01 && largest_difference(a, e, d) > 0.01);
    kan_model *all[] = {a, b, c, e};
    for (size_t j = 0; j < 4; ++j) kan_ladder_family->release(all[j]);
    kan_dataset_free(d);
}

Test(ladder, begins_higher_in_every_second_generation_on_its_own_rungs) {
    kan_dataset *d = make_data();
    for (size_t generation = 0; generation < 4; ++generation) {
        kan_model *m = NULL;
        size_t n_cells, degree;
        cr_assert(kan_ladder_family->start(&config, 1, 2, generation, d, &m, NULL) == KAN_OK);
        kan_ladder_family->describe(m, &n_cells, &degree);
        cr_assert(eq(sz, n_cells, 3));
        kan_ladder_family->release(m);
        kan_ladder_config fine = config, free_rungs = config;
        fine.cells[0] = 200, fine.cells[1] = 0;
        cr_assert(kan_ladder_family->start(&fine, 1, 2, generation, d, &m, NULL) == KAN_OK);
        kan_ladder_family->describe(m, &n_cells, &degree);
        cr_assert(eq(sz, n_cells, 3), "two hundred random coefficients are no smooth curve");
        kan_ladder_family->release(m);
        free_rungs.cells[0] = 0;
        cr_assert(kan_ladder_family->start(&free_rungs, 1, 2, generation, d, &m, NULL) == KAN_OK);
        kan_ladder_family->describe(m, &n_cells, &degree);
        cr_assert(eq(sz, n_cells, generation % 2 == 0 ? 3 : 12));
        kan_ladder_family->release(m);
    }
    kan_dataset_free(d);
}

Test(ladder, climbs_the_rungs_it_was_given) {
    kan_dataset *d = make_data();
    kan_model *m = start(d, 1, 2), *finer = NULL, *finest = NULL, *none = NULL;
    size_t n_cells, degree;
    cr_assert(kan_ladder_family->refine(&config, m, d, &finer, NULL) == KAN_OK);
    kan_ladder_family->describe(finer, &n_cells, &degree);
    cr_assert(n_cells == 6 && degree == 3);
    cr_assert(largest_difference(m, finer, d) < 1e-13, "knot insertion is exact");
    cr_assert(kan_ladder_family->refine(&config, finer, d, &finest, NULL) == KAN_OK);
    kan_ladder_family->describe(finest, &n_cells, &degree);
    cr_assert(eq(sz, n_cells, 10));
    cr_assert(kan_ladder_family->refine(&config, finest, d, &none, NULL) == KAN_OK && none == NULL);
    kan_ladder_family->release(finest);
    kan_ladder_family->release(finer);
    kan_ladder_family->release(m);
    kan_dataset_free(d);
}

Test(ladder, varies_the_degree_and_lets_hidden_grids_follow) {
    kan_dataset *d = make_data();
    kan_model *m = start(d, 1, 2), *made[2] = {NULL, NULL};
    size_t n_cells, degree;
    cr_assert(eq(sz, kan_ladder_family->n_variants(&config), 2));
    for (size_t v = 0; v < 2; ++v) {
        cr_assert(kan_ladder_family->vary(&config, m, v, d, &made[v], NULL) == KAN_OK);
        kan_ladder_family->describe(made[v], &n_cells, &degree);
        cr_assert(n_cells == 3 && degree == (v == 0 ? 3 : 5));
        const kan_basis input = kan_net_basis(kan_ladder_net(made[v]), 0, 0),
                        hidden = kan_net_basis(kan_ladder_net(made[v]), 1, 0);
        cr_assert(input.cells_per_x > 0.0 && hidden.cells_per_x == 0.0,
                  "hidden grids alone are uneven");
        cr_assert(largest_difference(m, made[v], d) < 0.2);
        kan_ladder_family->release(made[v]);
    }
    kan_ladder_family->release(m);
    kan_dataset_free(d);
}
