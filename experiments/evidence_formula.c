/* experiments/evidence_formula.c - the formula of a trained network, for a report.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/work.h"
#include "experiments/evidence.h"
#include "experiments/formula.h"
#include "experiments/formula_snap.h"
#include "experiments/report.h"
#include "kan/polish.h"

enum {
    MOST_EDGES = 20, /* of a network that is read: the work grows with their square */
    MOST_ROWS = 300  /* that edges are fitted to                                    */
};
static const double good = 2.0; /* factor by which a formula may be worse than the network */

/* At most MOST_ROWS evenly spaced rows. NULL without memory. */
static kan_dataset *thin(const kan_dataset *d) {
    const size_t n = d->n < MOST_ROWS ? d->n : MOST_ROWS;
    size_t *rows = malloc(n * sizeof *rows);
    if (!rows) return NULL;
    for (size_t s = 0; s < n; ++s) rows[s] = s * d->n / n;
    kan_dataset *few = kan_dataset_select(d, n, rows);
    free(rows);
    return few;
}

static void remark(json_t *object, const char *text) {
    json_object_set_new(object, "formula_remark", json_string(text));
}

static size_t count_edges(const kan_net *net) {
    const kan_net_config *c = kan_net_get_config(net);
    size_t n = 0;
    for (size_t l = 0; l + 1 < KAN_MAX_LEVELS && c->width[l] + c->mult[l] > 0; ++l)
        n += (c->width[l] + c->mult[l]) * (c->width[l + 1] + c->mult[l + 1] * c->arity[l + 1]);
    return n;
}

/* The formula, its constants fitted to the rows, beside the network on the test rows. */
static kan_status say(json_t *object, kan_expression *e, const char *const *names, const trained *t,
                      const kan_dataset *test, kan_error *error) {
    double rmse = 0.0;
    char text[256];
    kan_status status = kan_polish_measure(e, test, names, 0, &rmse, error);
    if (status != KAN_OK) return status;
    if (!isfinite(rmse) || rmse > good * t->test.rmse) {
        snprintf(text, sizeof text,
                 "No formula: all edges can be functions, but with these the RMSE on the test rows is "
                 "%.3g, and that "
                 "of the network %.3g.",
                 rmse, t->test.rmse);
        remark(object, text);
        return KAN_OK;
    }
    json_object_set_new(object, "formula", formula_json(e, KAN_EXPRESSION_TEXT));
    snprintf(text, sizeof text,
             "The edges of the network as functions: RMSE %.3g on the test rows, where the network has "
             "%.3g.",
             rmse, t->test.rmse);
    remark(object, text);
    return KAN_OK;
}

static kan_status find(json_t *object, const problem *p, const trained *t, const kan_dataset *train,
                       const kan_dataset *test, const char *const *names, kan_error *error) {
    snapped_net found = {.net = NULL};
    kan_dataset *fit = thin(p->fit), *held = thin(p->validation), *rows = thin(train);
    kan_expression *e = NULL;
    double rmse;
    char text[256];
    kan_status status = fit && held && rows ? KAN_OK
                                            : kan_status_fail(error, KAN_ENOMEM, "out of memory");
    if (status == KAN_OK) status = formula_snap(t->net, fit, held, true, 0.0, &found, error);
    if (status == KAN_OK && found.snapped.n_splines > 0) {
        snprintf(text, sizeof text, "No formula: %zu of its %zu edges stay splines; %zu were pruned.",
                 found.snapped.n_splines, found.snapped.n_edges, found.pruned.n_edges_removed);
        remark(object, text);
    } else if (status == KAN_OK) {
        e = formula_unscaled(found.net, p->scaler, 0, names, error);
        status = e ? kan_polish_formula(&e, rows, names, 0, NULL, &rmse, error) : error->status;
        if (status == KAN_OK) status = say(object, e, names, t, test, error);
    }
    kan_expression_free(e);
    formula_snap_free(&found);
    kan_dataset_free(rows);
    kan_dataset_free(held);
    kan_dataset_free(fit);
    return status;
}

kan_status evidence_add_formula(json_t *object, const problem *p, const trained *t,
                                const kan_dataset *train, const kan_dataset *test, kan_error *error) {
    formula_job names = {.n_names = 0};
    if (!t->net || train->task != KAN_REGRESSION || train->bytes) return KAN_OK;
    if (train->n_out > 1 || count_edges(t->net) > MOST_EDGES) {
        remark(object,
               "No formula is looked for: the network has more than 20 edges, or more than one output. "
               "kan formula reads saved networks.");
        return KAN_OK;
    }
    kan_status status = formula_make_names(&names, train) == 0 ? KAN_OK : KAN_ENOMEM;
    if (status == KAN_OK)
        status = find(object, p, t, train, test, (const char *const *)names.names, error);
    if (status != KAN_OK && status != KAN_ENOMEM) {
        remark(object, "No formula: the functions of its edges are not finite on all rows.");
        status = KAN_OK;
    }
    for (size_t i = 0; i < names.n_names; ++i) free(names.names[i]);
    free(names.names);
    free(names.values);
    return status;
}
