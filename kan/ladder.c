/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kan/ladder.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "core/random.h"
#include "kan/grid.h"
#include "kan/net_private.h"

/* Cells of a random curve: with more, curves of independent coefficients are no longer smooth. */
enum { FIRST_CELLS = 3, MOST_RANDOM_CELLS = 12 };

/* The rung where every second generation begins, unless the caller chose the rungs. */
enum { LATER_RUNG = 2 };

static kan_ladder_config with_defaults(const kan_ladder_config *config) {
    kan_ladder_config c = *config;
    for (size_t r = 0; c.cells[0] == 0 || (r > 0 && r < KAN_LADDER_RUNGS); ++r)
        c.cells[r] = (size_t)FIRST_CELLS << r;
    if (c.net.degree == 0) c.net.degree = 3;
    if (c.bend == 0.0) c.bend = 0.3;
    if (c.margin == 0.0) c.margin = 0.01;
    if (c.hidden_margin == 0.0) c.hidden_margin = 0.1;
    if (c.least == 0.0) c.least = 0.5;
    if (c.grid_eps == 0.0) c.grid_eps = 0.2;
    return c;
}

kan_net *kan_ladder_net(const kan_model *m) {
    return m->self;
}

static void release(kan_model *m) {
    kan_net_free(m->self);
}

static kan_model *copy(const kan_model *m) {
    kan_net *net = kan_net_copy(m->self);
    return net ? kan_net_model(net) : NULL;
}

static kan_model *load(const void *self, const kan_file *file, kan_error *error) {
    (void)self;
    kan_net *net = kan_net_load(file, error);
    return net ? kan_net_model(net) : NULL;
}

static void describe(const kan_model *m, size_t *n_cells, size_t *degree) {
    const kan_net_config *config = kan_net_get_config(m->self);
    *n_cells = config->n_cells;
    *degree = config->degree;
}

/* ---- starts ------------------------------------------------------------------------------------- */

/* Smooth random curves for every edge of a layer. */
static void draw_curves(layer *a, double bend, kan_random *random) {
    const size_t n_basis = layer_n_basis(a), n_out = a->n_out;
    const double scale = 1.0 / sqrt((double)a->n_in);
    for (size_t i = 0; i < a->n_in; ++i) {
        const double *knots = a->basis[i].knots, lo = knots[a->degree],
                     hi = knots[a->degree + a->n_cells];
        double *coef = a->theta + i * layer_input_size(a);
        for (size_t o = 0; o < n_out; ++o) {
            const double slope = kan_random_normal(random);
            for (size_t b = 0; b < n_basis; ++b) {
                double g = 0.0;
                for (size_t j = 1; j <= a->degree; ++j) g += knots[b + j] / (double)a->degree;
                g = (2.0 * g - lo - hi) / (hi - lo);
                coef[b * n_out + o] = scale * (slope * g + bend * kan_random_normal(random));
            }
            coef[n_basis * n_out + o] = 0.0;
        }
    }
}

enum { EVERY_GRID = 2 }; /* more than data can fill */

/* Uniform grids for the data of every node, the curves stretched to them. Bytes (images) stay on the configured
 * grid, which covers them. */
static kan_status place(const kan_ladder_config *c, kan_net *net, const kan_dataset *d,
                        kan_error *error) {
    kan_grid_cover_options options = {
        .margin = c->margin, .least = EVERY_GRID, .grid_eps = 1.0, .stretch = true};
    if (!d->x) return KAN_OK;
    const kan_status status = kan_grid_cover(net, d->n, d->x, &options, error);
    if (status != KAN_OK) return status;
    options.first = 1, options.margin = c->hidden_margin;
    return kan_grid_cover(net, d->n, d->x, &options, error);
}

/* Grids of hidden nodes that follow the data, where they must or all of them. */
static kan_status follow(const kan_ladder_config *c, kan_net *net, const kan_dataset *d, double least,
                         kan_error *error) {
    const kan_grid_cover_options options = {
        .first = 1, .margin = c->hidden_margin, .least = least, .grid_eps = c->grid_eps};
    return d->x ? kan_grid_cover(net, d->n, d->x, &options, error) : KAN_OK;
}

static kan_status start(const void *self, uint64_t seed, uint64_t number, size_t generation,
                        const kan_dataset *d, kan_model **made, kan_error *error) {
    const kan_ladder_config c = with_defaults(self);
    kan_net_config config = c.net;
    config.n_cells = c.cells[0] <= MOST_RANDOM_CELLS ? c.cells[0] : FIRST_CELLS;
    const bool own_rungs = ((const kan_ladder_config *)self)->cells[0] > 0;
    if (generation % 2 == 1 && !own_rungs) config.n_cells = c.cells[LATER_RUNG];
    kan_random random = kan_random_seed(seed, number);
    config.seed = kan_random_u64(&random);
    kan_net *net = kan_net_alloc(&config);
    if (!net) return kan_status_fail(error, KAN_ENOMEM, "ladder: out of memory");
    for (size_t l = 0; l < net->n_layers; ++l) draw_curves(&net->layers[l], c.bend, &random);
    if (c.prepare) c.prepare(c.context, net);
    const kan_status status = place(&c, net, d, error);
    if (status != KAN_OK) {
        kan_net_free(net);
        return status;
    }
    *made = kan_net_model(net);
    return KAN_OK;
}

/* ---- variants and rungs ------------------------------------------------------------------------- */

static size_t n_variants(const void *self) {
    const kan_ladder_config *c = self;
    size_t n = 0;
    while (c->degrees[n] > 0) ++n;
    return n + 1;
}

/* A net that was made, or why it was not. */
static kan_status give(kan_net *net, kan_model **made, const kan_error *why, kan_error *error) {
    if (net) {
        *made = kan_net_model(net);
        return KAN_OK;
    }
    return kan_status_fail(error, why->status, "%s", why->message);
}

static kan_status vary(const void *self, const kan_model *m, size_t variant, const kan_dataset *d,
                       kan_model **made, kan_error *error) {
    const kan_ladder_config c = with_defaults(self);
    kan_error why = {.status = KAN_ENOMEM, .message = "ladder: out of memory"};
    kan_net *net = variant == 0 ? kan_net_copy(m->self)
                                : kan_grid_raise(m->self, c.degrees[variant - 1], &why);
    if (net) {
        why.status = follow(&c, net, d, EVERY_GRID, &why);
        if (why.status != KAN_OK) {
            kan_net_free(net);
            net = NULL;
        }
    }
    return give(net, made, &why, error);
}

static kan_status refine(const void *self, const kan_model *m, const kan_dataset *d, kan_model **made,
                         kan_error *error) {
    (void)d;
    const kan_ladder_config c = with_defaults(self);
    const size_t now = kan_net_get_config(m->self)->n_cells;
    size_t r = 0;
    while (r < KAN_LADDER_RUNGS && c.cells[r] > 0 && c.cells[r] <= now) ++r;
    if (r == KAN_LADDER_RUNGS || c.cells[r] == 0) return KAN_OK;
    kan_error why;
    kan_net *net = kan_grid_refine(m->self, c.cells[r], &why);
    if (!net && why.status == KAN_ECONFIG) return KAN_OK; /* as fine as it gets */
    return give(net, made, &why, error);
}

static kan_status settle(const void *self, kan_model *m, const kan_dataset *d, kan_error *error) {
    const kan_ladder_config c = with_defaults(self);
    return follow(&c, m->self, d, c.least, error);
}

static const kan_search_family family = {.start = start,
                                         .n_variants = n_variants,
                                         .vary = vary,
                                         .refine = refine,
                                         .copy = copy,
                                         .load = load,
                                         .settle = settle,
                                         .describe = describe,
                                         .release = release};
const kan_search_family *const kan_ladder_family = &family;
