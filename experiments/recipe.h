/* experiments/recipe.h - from options to a configuration that can be trained.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_EXPERIMENTS_RECIPE_H
#define KAN_EXPERIMENTS_RECIPE_H

#include "experiments/options.h"
#include "experiments/protocol.h"

/* The configuration of a shape on the data d: grid, degree, base or activation and everything about
 * training from the options, shape NULL for n_in,5,n_out; what they leave open is that of `kan compare`
 * (experiments/candidates.h), with L-BFGS up to 5000 training rows and Adam beyond. 0, or the exit
 * status after one line on stderr (a shape that does not fit the data, more parameters than memory is
 * for). */
int recipe_make(const options *o, const kan_dataset *d, family f, const options_shape *shape,
                candidate *c);

/* Refuses options that no recipe has: those of the other optimizer, a ladder of grids. As above;
 * recipe_make asks it. */
int recipe_check(const options *o);

#endif
