/* experiments/candidates.h - the configurations that `kan compare` tries when it is not told which.
 *
 * Both families get the same number of them, from a handful of parameters to some tens of thousands,
 * and the same two recipes: Adam on mini-batches (cosine rate from 0.01, decoupled weight decay 0.1)
 * and L-BFGS on all rows.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_EXPERIMENTS_CANDIDATES_H
#define KAN_EXPERIMENTS_CANDIDATES_H

#include <stddef.h>

#include "experiments/protocol.h"

enum { CANDIDATES = 8 };

/* The recipe for data of the size of d: everything but the shape, grid and activation. */
candidate candidates_recipe(family f, kan_optimizer optimizer, const kan_dataset *d);

/* Fills list [CANDIDATES] for the data d. */
void candidates_make(family f, const kan_dataset *d, candidate *list);

/* The same number of hidden levels and the same recipe as c, with the widths scaled so that it has as
 * many parameters as possible but at most `parameters`. False when even a width of 1 has more. */
bool candidates_shrink(const candidate *c, size_t parameters, candidate *small);

/* Parameters of a candidate. */
size_t candidates_parameters(const candidate *c);

#endif
