/* kan/mask.h - private: which edges of a net stay, and how the others are taken out.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_KAN_MASK_H
#define KAN_KAN_MASK_H

#include <stdint.h>

#include "kan/attribution.h"
#include "kan/prune.h"

/* What becomes of an edge. */
enum { MASK_GOES = 0, MASK_STAYS, MASK_CONSTANT /* the mean of its output over the samples */ };

/* keep [n_in][n_out] of each layer; room for one net. */
typedef struct mask {
    uint8_t *keep[KAN_MAX_LEVELS - 1];
    uint8_t *memory;
} mask;

/* KAN_ENOMEM; and the mask that keeps what the net has. */
kan_status mask_alloc(mask *m, const kan_net *net);
void mask_free(mask *m);
void mask_fill(mask *m, const kan_net *net);

/* All edges of a node to the layer below it, and to that above it. */
void mask_drop_node(mask *m, const kan_net *net, size_t level, size_t node);

/* What follows from edges that go: factors that stay keep an edge, nodes without edges lose the other ones, and
 * outputs keep a path unless options->cut_outputs. Adds to the outputs of the report that were kept; the cut ones are
 * counted anew. */
void mask_settle(mask *m, const kan_net *net, const kan_attribution *a,
                 const kan_prune_options *options, kan_prune_report *report);

/* Takes the edges out of the net, or folds them into others, and adds their number to the report. */
void mask_apply(const mask *m, kan_net *net, const kan_attribution *a, bool fold,
                kan_prune_report *report);

#endif
