/* kan/prune.h - smaller networks: without the nodes, edges and inputs that matter little.
 *
 * Scores are those of kan/attribution.h. An edge that goes becomes the zero function; with `fold`, the mean that it had
 * over the samples goes into the strongest edge that its output keeps, so that constants are not lost. A node that
 * goes loses all its edges: it contributes nothing above. A hidden adding node that is left without an edge below or
 * above goes as well; a factor of a multiplying node that stays keeps its strongest edge, or with `fold` its mean,
 * since without it the product would be zero.
 *
 * What stays is then brought into a network that is smaller in memory and computes the same function as the one with
 * the edges taken out: hidden nodes, factors and, where asked for, inputs are gone.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_KAN_PRUNE_H
#define KAN_KAN_PRUNE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/status.h"
#include "kan/net.h"
#include "train/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* What may go, to be combined with |. */
enum { KAN_PRUNE_NODES = 1, KAN_PRUNE_EDGES = 2, KAN_PRUNE_INPUTS = 4 };

/* Every zero means the default in brackets. */
typedef struct kan_prune_options {
    unsigned what; /* KAN_PRUNE_NODES | ..                                        [nodes and edges] */
    double node_threshold;  /* hidden nodes go that do not score more                        [1e-2] */
    double edge_threshold;  /* edges, scored anew when the nodes have gone                   [3e-2] */
    double input_threshold; /* inputs; theirs                                                [1e-2] */
    bool fold;              /* see above                                                            */
    bool cut_outputs;       /* an output may lose its last path to the inputs                       */
    /* of kan_prune_budget: */
    double budget;            /* part of the error that may be added                         [0.01] */
    double floor;             /* an error that is good in any case                              [0] */
    const kan_dataset *refit; /* rows that what is left is fitted to before it is judged     [NULL] */
    size_t steps;             /* of that fit, by Levenberg-Marquardt                           [20] */
    double seconds;           /* CPU seconds, after which nothing more is tried          [no limit] */
    const volatile sig_atomic_t *stop; /* the same, when it becomes non-zero                 [NULL] */
} kan_prune_options;

/* What became of the net. */
typedef struct kan_prune_report {
    size_t n_inputs;        /* that are left                                                        */
    size_t n_edges_removed; /* those of nodes that went included                                    */
    size_t n_kept_outputs;  /* outputs that would have lost their last path: it was kept            */
    size_t n_cut_outputs;   /* outputs that no input reaches (any more): constants                  */
    double error_before,
        error_after; /* of kan_prune_budget: RMSE, or cross-entropy for classes; else 0 */
} kan_prune_report;

/* The first half: removes edges of the net in place, its shape staying as it is, by scores over the samples
 * x [n][n_in], n > 1. report->n_inputs is that of the net. Trainers and pointers into the net must be made anew. KAN_ENOMEM, KAN_ENONFINITE (a value of an edge is not
 * finite), the net being as it was. */
kan_status kan_prune_mask(kan_net *net, size_t n, const double *x, const kan_prune_options *options,
                          kan_prune_report *report, kan_error *error);

/* The second half: a new net, as small as it goes, that computes the same function up to rounding. Gone are nodes from
 * which nothing leads to an output, and nodes that are constant, whose value goes into splines above them; constant
 * factors go into the other factors, and a product of one factor becomes a sum. Grids, frozen parameters and all
 * settings are kept. With drop_inputs, inputs without an edge go, but for one where all would.
 * inputs [n_in of net], unless NULL, receives the numbers of those that stay, ascending, *n_inputs their number.
 * NULL without memory. */
kan_net *kan_prune_shrink(const kan_net *net, bool drop_inputs, size_t *inputs, size_t *n_inputs,
                          kan_error *error);

/* Both: a new net, pruned by thresholds. Inputs go if options->what has KAN_PRUNE_INPUTS. inputs as above; options and
 * report may be NULL. NULL: KAN_ENOMEM, KAN_ENONFINITE. */
kan_net *kan_prune(const kan_net *net, size_t n, const double *x, const kan_prune_options *options,
                   size_t *inputs, kan_prune_report *report, kan_error *error);

/* Pruned by what it costs: the error on the rows of d (which the net was not trained on, best) may become
 * 1 + options->budget times what it is, or options->floor. Nodes, edges and inputs are tried one after the other, the
 * lowest scores first, and come back where that costs more than there is; then all is scored anew, until nothing more can
 * go. With options->refit what is left is fitted to those rows first, so that the others can take over what a part did.
 * Thresholds are not used. d and refit hold what the net is given, so standardised where the net was trained so. */
kan_net *kan_prune_budget(const kan_net *net, const kan_dataset *d, const kan_prune_options *options,
                          size_t *inputs, kan_prune_report *report, kan_error *error);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
