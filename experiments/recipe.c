/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "experiments/recipe.h"

#include <string.h>

#include "experiments/candidates.h"
#include "experiments/command.h"
#include "experiments/effort.h"

/* A training holds some twenty arrays of this length: beyond it lies a typing error or another machine.
 */
enum { MAX_PARAMETERS = 100 * 1000 * 1000 };

/* With more training rows than this a step over all of them is too dear: Adam is the default. */
enum { MAX_ROWS_LBFGS = 5000 };

enum { DEFAULT_HIDDEN = 5, DEFAULT_CELLS = 5, DEFAULT_DEGREE = 3 };

_Static_assert((int)KAN_MAX_LEVELS == (int)KAN_MLP_MAX_LEVELS, "one shape serves both models");

/* The option of Adam that was given, or NULL. */
static const char *option_of_adam(const options *o) {
    return o->rate > 0.0 ? "rate" : o->batch > 0 ? "batch" : o->has_decay ? "decay" : NULL;
}

/* The option about the penalty that was given, or NULL. */
static const char *option_of_penalty(const options *o) {
    return o->has_l1               ? "lamb-l1"
           : o->has_entropy        ? "lamb-entropy"
           : o->reg.coef > 0.0     ? "lamb-coef"
           : o->reg.coefdiff > 0.0 ? "lamb-coefdiff"
           : o->has_metric         ? "reg-metric"
                                   : NULL;
}

static int check_penalty(const options *o) {
    const char *given = option_of_penalty(o);
    if (given && !(o->lamb > 0.0)) return complain(EXIT_USAGE, "--%s goes with --lamb", given);
    if (o->lamb > 0.0 && o->effort > 0.0)
        return complain(EXIT_USAGE, "--lamb does not go with --effort, which has a penalty of its own");
    return 0;
}

int recipe_check(const options *o) {
    const char *given = option_of_adam(o);
    if (given && o->has_optimizer && o->optimizer != KAN_ADAM)
        return complain(EXIT_USAGE, "--%s is for --optimizer adam", given);
    if (o->precision == KAN_SINGLE && o->has_optimizer && o->optimizer != KAN_ADAM)
        return complain(EXIT_USAGE, "--precision single is for --optimizer adam");
    int status = effort_check(o);
    if (status == 0) status = check_penalty(o);
    if (status != 0) return status;
    if (o->n_grids > 1 && !(o->effort > 0.0))
        return complain(EXIT_USAGE, "--grid with %zu numbers: a ladder of grids goes with --effort",
                        o->n_grids);
    return 0;
}

static kan_optimizer choose_optimizer(const options *o, const kan_dataset *d) {
    if (o->has_optimizer) return o->optimizer;
    const bool adam = option_of_adam(o) || o->precision == KAN_SINGLE || d->n > MAX_ROWS_LBFGS;
    return adam ? KAN_ADAM : KAN_LBFGS;
}

static void set_training(const options *o, kan_train_options *train) {
    if (o->steps > 0) train->steps = o->steps;
    if (o->batch > 0) train->batch = o->batch;
    if (o->rate > 0.0) train->rate = o->rate;
    if (o->has_decay) train->weight_decay = o->decay;
}

/* The factors that are not given are the reference's. */
static void set_penalty(const options *o, candidate *c) {
    c->has_penalty = true;
    c->penalty = o->reg;
    if (!o->has_l1) c->penalty.l1 = 1.0;
    if (!o->has_entropy) c->penalty.entropy = 2.0;
    c->train.penalty = o->lamb;
}

static void set_model(const options *o, const kan_dataset *d, const options_shape *shape,
                      candidate *c) {
    c->net.precision = c->mlp.precision = o->precision;
    if (c->family == FAMILY_MLP) {
        memcpy(c->mlp.width, shape->width, sizeof shape->width);
        c->mlp.activation = o->activation;
        return;
    }
    memcpy(c->net.width, shape->width, sizeof shape->width);
    memcpy(c->net.mult, shape->mult, sizeof shape->mult);
    memcpy(c->net.arity, shape->arity, sizeof shape->arity);
    c->net.n_cells = o->n_grids > 0 ? o->grids[0] : DEFAULT_CELLS;
    c->net.degree = o->degree > 0 ? o->degree : DEFAULT_DEGREE;
    c->net.base = o->base;
    /* images come as [0, 1] and their grids are not moved */
    if (d->bytes) c->net.lo = 0.0, c->net.hi = 1.0;
}

/* Nodes of the level l of a shape. */
static size_t n_nodes(const options_shape *shape, size_t l) {
    return shape->width[l] + shape->mult[l];
}

int recipe_make(const options *o, const kan_dataset *d, family f, const options_shape *shape,
                candidate *c) {
    const options_shape five = {
        .text = "default", .n_levels = 3, .width = {d->n_in, DEFAULT_HIDDEN, d->n_out}};
    if (!shape) shape = &five;
    const char *name = family_name(f);
    const int status = recipe_check(o);
    if (status != 0) return status;
    if (n_nodes(shape, 0) != d->n_in || n_nodes(shape, shape->n_levels - 1) != d->n_out)
        return complain(EXIT_USAGE, "--%s %s: the data want %zu input%s and %zu output%s", name,
                        shape->text, d->n_in, d->n_in == 1 ? "" : "s", d->n_out,
                        d->n_out == 1 ? "" : "s");
    *c = candidates_recipe(f, choose_optimizer(o, d), d);
    set_model(o, d, shape, c);
    set_training(o, &c->train);
    if (o->lamb > 0.0 && f == FAMILY_KAN) set_penalty(o, c);
    if (o->effort > 0.0) effort_make(o, c);
    const char *wrong = f == FAMILY_KAN ? kan_net_check(&c->net) : kan_mlp_check(&c->mlp);
    if (wrong) return complain(EXIT_USAGE, "--%s %s: %s", name, shape->text, wrong);
    if (candidates_parameters(c) > MAX_PARAMETERS)
        return complain(EXIT_USAGE, "--%s %s: %.3g parameters, and at most %d are possible", name,
                        shape->text, (double)candidates_parameters(c), MAX_PARAMETERS);
    return 0;
}
