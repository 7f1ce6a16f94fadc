/* experiments/evidence.h - what one trained model shows of itself on the test rows, as JSON for a report.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_EXPERIMENTS_EVIDENCE_H
#define KAN_EXPERIMENTS_EVIDENCE_H

#include <jansson.h>

#include "experiments/protocol.h"

/* {"seed", "n": test rows, "target"; for numbers "true" and "predicted" (evenly spaced rows, the first target) and
 * "quantiles" of |y_hat - y| over all rows and targets (101 of them); for classes "confusion", "classes";
 * "curve", the losses on the way; "diagram" (an SVG, of a KAN)}. A new reference; NULL and error: KAN_ENOMEM,
 * KAN_ENONFINITE. */
json_t *evidence_make(const problem *p, const trained *t, const kan_dataset *test, kan_error *error);

#endif
