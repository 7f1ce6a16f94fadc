/* experiments/reproduce_entries.c - the list of the experiments.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>

#include "experiments/reproduce.h"

static const reproduce_experiment *const list[] = {
    &reproduce_feynman,   &reproduce_special, &reproduce_fair,  &reproduce_toys,
    &reproduce_continual, &reproduce_tabular, &reproduce_mnist, &reproduce_knots,
    &reproduce_noise,     &reproduce_init,    &reproduce_speed,
};

enum { N_EXPERIMENTS = sizeof list / sizeof *list };

size_t reproduce_count(void) {
    return N_EXPERIMENTS;
}

const reproduce_experiment *reproduce_at(size_t i) {
    assert(i < N_EXPERIMENTS && "there is no such experiment");
    return list[i];
}
