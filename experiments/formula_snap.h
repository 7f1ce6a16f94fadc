/* experiments/formula_snap.h - from a trained network to functions on its edges, and to a formula in the
 * units of the data.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_EXPERIMENTS_FORMULA_SNAP_H
#define KAN_EXPERIMENTS_FORMULA_SNAP_H

#include <stdbool.h>

#include "kan/net.h"
#include "kan/prune.h"
#include "kan/snap.h"
#include "symbolic/expression.h"
#include "train/scaler.h"

/* A network pruned and snapped. Owns net and snapped. */
typedef struct snapped_net {
    kan_net *net;
    kan_prune_report pruned;
    kan_snap_report snapped;
    double tolerance; /* what its error may be, times that of the network */
} snapped_net;

/* Prunes and snaps a network as far as its error on the held rows allows: once and more and more gently,
 * until all edges are functions and the error is that of the network; else the last attempt counts. The
 * rows hold what the network is given. has_target: their targets are no predictions of its own. `deadline`
 * is a reading of kan_clock_cpu after which no more is begun, 0 for none. KAN_ENOMEM, KAN_ENONFINITE. */
kan_status formula_snap(const kan_net *net, const kan_dataset *fit, const kan_dataset *held,
                        bool has_target, double deadline, snapped_net *found, kan_error *error);
void formula_snap_free(snapped_net *found);

/* Output o of a net without splines in the units of the data, whose inputs have these names: the scaler's
 * part is put around it. The caller frees it. NULL and error: KAN_ECONFIG (an edge on the way is a spline),
 * KAN_ENOMEM, .. */
kan_expression *formula_unscaled(const kan_net *net, const kan_scaler *s, size_t o,
                                 const char *const *names, kan_error *error);

#endif
