/* kan/shrink.h - private: the smallest network of this kind that computes the same function as a given one.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_KAN_SHRINK_H
#define KAN_KAN_SHRINK_H

#include <stdbool.h>
#include <stddef.h>

#include "core/status.h"
#include "kan/net.h"

/* kan_prune_shrink (prune.h). */
kan_net *net_shrink(const kan_net *net, bool drop_inputs, size_t *inputs, size_t *n_inputs,
                    kan_error *error);

/* The edge, spline or symbolic, becomes scale phi + shift. */
void net_change_edge(kan_net *net, kan_edge edge, double scale, double shift);

/* The edge, whatever it was, becomes a constant, its parameters frozen. */
void net_set_constant(kan_net *net, kan_edge edge, double value);

#endif
