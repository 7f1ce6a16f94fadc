/* experiments/evidence.h - what one trained model shows of itself on the test rows, as JSON for a report.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_EXPERIMENTS_EVIDENCE_H
#define KAN_EXPERIMENTS_EVIDENCE_H

#include <jansson.h>

#include "experiments/protocol.h"

/* {"seed", "n": test rows, "target"; for numbers "true" and "predicted" (evenly spaced rows, the first
 * target) and "quantiles" of |y_hat - y| over all rows and targets (101 of them); for classes "confusion",
 * "classes"; "curve", the losses on the way; "diagram" (an SVG, of a KAN)}. A new reference; NULL and
 * error: KAN_ENOMEM, KAN_ENONFINITE. */
json_t *evidence_make(const problem *p, const trained *t, const kan_dataset *test, kan_error *error);

/* Adds the "diagram" of a network, its edges as strong as they matter on these rows, scaled as those it was trained on; nothing of
 * one too large to be read. KAN_ENOMEM. */
kan_status evidence_add_diagram(json_t *object, const kan_dataset *d, const kan_net *net,
                                kan_error *error);

/* Adds to such an object of a KAN "formula", a text of ours, where all its edges can become functions and
 * that costs no more than it may, and "formula_remark", what that is worth or why there is none: of a small
 * network for one number. train and test are the rows as they were read. It takes seconds, and no clock.
 * KAN_ENOMEM. */
kan_status evidence_add_formula(json_t *object, const problem *p, const trained *t,
                                const kan_dataset *train, const kan_dataset *test, kan_error *error);

#endif
