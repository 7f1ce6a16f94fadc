/* kan/diagram.h - the picture of a network, as SVG.
 *
 * Inputs are below, outputs above. Every edge is a line with its curve in a box, over the grid of its input; boxes have
 * their own scale. How strong an edge is drawn is its score E, as the opacity tanh(beta E). Functions that edges have
 * become are in another colour, with their names. A multiplying node is a circle with a cross above its factors.
 * Large networks are readable at a price that the picture states: boxes of the strongest edges of a layer only,
 * and scores that are all weak, as with many outputs, brought up.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_KAN_DIAGRAM_H
#define KAN_KAN_DIAGRAM_H

#include <stdio.h>

#include "core/status.h"
#include "kan/attribution.h"
#include "kan/net.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Every zero means the default in brackets. */
typedef struct kan_diagram_options {
    char *const *input_names;  /* [x0, x1, ..] */
    char *const *output_names; /* [y0, y1, ..] */
    const char *title;         /* [none]                                       */
    const char *note; /* a line below the picture, such as where the scores come from [none]         */
    double beta;      /*                                                                       [3]  */
    size_t max_boxes; /* of a layer                                                           [36]  */
} kan_diagram_options;

/* Writes the picture of a net whose scores are a. Names may hold any bytes: what SVG cannot hold becomes "?". The
 * stream's own errors are the caller's to look for. KAN_ENOMEM. */
kan_status kan_diagram_write(const kan_net *net, const kan_attribution *a,
                             const kan_diagram_options *options, FILE *stream, kan_error *error);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
