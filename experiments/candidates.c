/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "experiments/candidates.h"

/* Most hidden levels of a row below. */
enum { MAX_HIDDEN = 3 };

typedef struct row {
    kan_optimizer optimizer;
    size_t hidden[MAX_HIDDEN + 1]; /* widths of the hidden levels; 0 ends them */
    size_t n_cells;                /* KAN */
    kan_activation activation;     /* MLP */
} row;

static const row rows[N_FAMILIES][CANDIDATES] = {
    [FAMILY_KAN] = {{KAN_ADAM, {0}, 10, 0},
                    {KAN_ADAM, {8}, 5, 0},
                    {KAN_ADAM, {32}, 5, 0},
                    {KAN_ADAM, {32}, 10, 0},
                    {KAN_ADAM, {64}, 3, 0},
                    {KAN_ADAM, {16, 8}, 3, 0},
                    {KAN_LBFGS, {5}, 10, 0},
                    {KAN_LBFGS, {8, 4}, 5, 0}},
    [FAMILY_MLP] = {{KAN_ADAM, {16}, 0, KAN_SILU},
                    {KAN_ADAM, {64}, 0, KAN_SILU},
                    {KAN_ADAM, {32, 32}, 0, KAN_SILU},
                    {KAN_ADAM, {64, 64}, 0, KAN_RELU},
                    {KAN_ADAM, {64, 64}, 0, KAN_SILU},
                    {KAN_ADAM, {128, 128}, 0, KAN_SILU},
                    {KAN_LBFGS, {16, 16}, 0, KAN_TANH},
                    {KAN_LBFGS, {32, 32}, 0, KAN_SILU}},
};

candidate candidates_recipe(family f, kan_optimizer optimizer, const kan_dataset *d) {
    enum { MAX_EPOCHS = 600, MAX_ADAM_STEPS = 20000, MAX_FULL_STEPS = 2000, FULL_PATIENCE = 100 };
    candidate c = {.family = f};
    c.grid_updates = 4;
    c.grid_eps = 0.02;
    c.train.optimizer = optimizer;
    if (optimizer != KAN_ADAM) { /* a step takes all rows */
        c.train.steps = MAX_FULL_STEPS;
        c.train.patience = FULL_PATIENCE;
        return c;
    }
    c.train.batch = d->n < 5000 ? 64 : 128;
    if (c.train.batch > d->n) c.train.batch = d->n;
    const size_t epoch = (d->n + c.train.batch - 1) / c.train.batch, steps = MAX_EPOCHS * epoch;
    c.train.steps = steps < MAX_ADAM_STEPS ? steps : MAX_ADAM_STEPS;
    c.train.rate = 0.01;
    c.train.weight_decay = 0.1;
    return c;
}

void candidates_make(family f, const kan_dataset *d, candidate *list) {
    for (size_t j = 0; j < CANDIDATES; ++j) {
        const row *r = &rows[f][j];
        candidate *c = &list[j];
        *c = candidates_recipe(f, r->optimizer, d);
        size_t *width = f == FAMILY_KAN ? c->net.width : c->mlp.width, level = 0;
        width[level++] = d->n_in;
        for (size_t h = 0; r->hidden[h] > 0; ++h) width[level++] = r->hidden[h];
        width[level] = d->n_out;
        c->net.n_cells = r->n_cells;
        c->mlp.activation = r->activation;
        /* images come as [0, 1] and their grids are not moved */
        if (d->bytes) c->net.lo = 0.0, c->net.hi = 1.0;
    }
}

size_t candidates_parameters(const candidate *c) {
    return c->family == FAMILY_KAN ? kan_net_count(&c->net) : kan_mlp_count(&c->mlp);
}

/* Copies c with the hidden level of most nodes `widest` wide and the others in proportion, at least 1.
 */
static candidate with_width(const candidate *c, size_t widest) {
    candidate scaled = *c;
    const size_t *from = c->family == FAMILY_KAN ? c->net.width : c->mlp.width;
    size_t *to = c->family == FAMILY_KAN ? scaled.net.width : scaled.mlp.width, most = 1;
    for (size_t level = 1; from[level] > 0 && from[level + 1] > 0; ++level)
        most = from[level] > most ? from[level] : most;
    for (size_t level = 1; from[level] > 0 && from[level + 1] > 0; ++level) {
        to[level] = (from[level] * widest + most / 2) / most;
        if (to[level] == 0) to[level] = 1;
    }
    return scaled;
}

bool candidates_shrink(const candidate *c, size_t parameters, candidate *small) {
    const size_t *width = c->family == FAMILY_KAN ? c->net.width : c->mlp.width;
    *small = with_width(c, 1);
    if (candidates_parameters(small) > parameters) return false;
    for (size_t widest = 2; width[1] > 0 && width[2] > 0; ++widest) { /* there is a hidden level */
        const candidate wider = with_width(c, widest);
        if (candidates_parameters(&wider) > parameters) break;
        *small = wider;
    }
    return true;
}
