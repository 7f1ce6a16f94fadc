/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "experiments/formula_snap.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "experiments/command.h"
#include "kan/formula.h"

/* Pruning may let the error grow to a level, in standard deviations of the target, and by a factor: the
 * roughest first, since a net as small as the formula finds its accuracy again once its edges are
 * functions. */
typedef struct roughness {
    double level, factor;
} roughness;
static const roughness attempts[] = {{1e-2, 3.0}, {1e-3, 1.5}, {0.0, 1.05}};

/* How much worse than the network functions may be: where its error is above `noisy` that is taken for
 * noise, of which it may have learned some; below, for what splines miss. Less than least_error is
 * rounding. The network's own predictions as targets are no measure of its error, and may be missed by a
 * share. */
static const double noisy = 1e-4, tolerance_noise = 1.2, tolerance_spline = 1.5, least_error = 1e-9,
                    own_share = 1e-4;

/* CPU seconds of a third of the time that is left; 0 is no limit. */
static double third_of(double deadline) {
    return deadline > 0.0 ? fmax(0.1, (deadline - kan_clock_cpu()) / 3.0) : 0.0;
}

void formula_snap_free(snapped_net *found) {
    kan_net_free(found->net);
    if (found->snapped.edges) kan_snap_report_free(&found->snapped);
    *found = (snapped_net){.net = NULL};
}

/* Prunes as far as that allows, then snaps: each in a third of the time that is left. */
static kan_status try_once(const kan_net *net, const kan_dataset *fit, const kan_dataset *held,
                           bool has_target, double deadline, const roughness *rough, snapped_net *a,
                           kan_error *error) {
    const double floor = has_target ? least_error : own_share, seconds = third_of(deadline);
    const kan_prune_options smaller = {.budget = rough->factor - 1.0,
                                       .floor = fmax(rough->level, floor),
                                       .seconds = seconds,
                                       .stop = &interrupted,
                                       .refit = fit,
                                       .fold = true};
    *a = (snapped_net){.net = NULL};
    kan_net *small = kan_prune_budget(net, held, &smaller, NULL, &a->pruned, error);
    if (!small) return error->status;
    a->tolerance = a->pruned.error_before > noisy ? tolerance_noise : tolerance_spline;
    const kan_snap_options how = {
        .seconds = seconds, .tolerance = a->tolerance, .floor = floor, .stop = &interrupted};
    a->net = kan_snap_all(small, fit, held, &how, &a->snapped, error);
    kan_net_free(small);
    return a->net ? KAN_OK : error->status;
}

kan_status formula_snap(const kan_net *net, const kan_dataset *fit, const kan_dataset *held,
                        bool has_target, double deadline, snapped_net *found, kan_error *error) {
    bool done = false;
    *found = (snapped_net){.net = NULL};
    for (size_t k = 0; k < sizeof attempts / sizeof *attempts && !done; ++k) {
        formula_snap_free(found);
        const kan_status status = try_once(net, fit, held, has_target, deadline, &attempts[k], found,
                                           error);
        if (status != KAN_OK) return status;
        const double good = fmax(found->tolerance * found->pruned.error_before,
                                 has_target ? least_error : own_share);
        /* where nothing went, less would go next */
        done = interrupted || found->pruned.n_edges_removed == 0 ||
               (found->snapped.n_splines == 0 && found->snapped.error_after <= good);
    }
    return KAN_OK;
}

/* factor name + constant. NULL and error. */
static kan_expression *affine(const char *name, double factor, double constant, kan_error *error) {
    char text[512];
    snprintf(text, sizeof text, "(%.17g)*%.400s + (%.17g)", factor, name, constant);
    return kan_expression_parse_with(text, 1, &name, error);
}

kan_expression *formula_unscaled(const kan_net *net, const kan_scaler *s, size_t o,
                                 const char *const *names, kan_error *error) {
    const size_t n_in = s->n_in;
    kan_expression *inner = NULL, *outer = NULL, *raw = NULL, *made = NULL;
    char(*own)[24] = malloc(n_in * sizeof *own);
    const char **from = malloc(n_in * sizeof *from);
    kan_expression **by = calloc(n_in, sizeof *by);
    kan_status status = own && from && by ? KAN_OK
                                          : kan_status_fail(error, KAN_ENOMEM, "out of memory");
    if (status == KAN_OK) status = kan_net_formula(net, o, NULL, &inner, error);
    for (size_t i = 0; i < n_in && status == KAN_OK; ++i) { /* x1, x2, .. are the formula's own names */
        snprintf(own[i], sizeof own[i], "x%zu", i + 1);
        from[i] = own[i];
        by[i] = affine(names[i], 1.0 / s->x_scale[i], -s->x_mean[i] / s->x_scale[i], error);
        if (!by[i]) status = error->status;
    }
    if (status == KAN_OK)
        raw = kan_expression_substitute(inner, n_in, from, (const kan_expression *const *)by, error);
    if (raw) outer = affine("u", s->y_scale[o], s->y_mean[o], error);
    const char *u = "u";
    if (outer)
        made = kan_expression_substitute(outer, 1, &u, (const kan_expression *const[]){raw}, error);
    for (size_t i = 0; by && i < n_in; ++i) kan_expression_free(by[i]);
    kan_expression_free(outer);
    kan_expression_free(raw);
    kan_expression_free(inner);
    free(by);
    free(from);
    free(own);
    return made;
}
