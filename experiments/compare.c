/* experiments/compare.c - `kan compare DATA`: KANs and MLPs of several sizes under one protocol, and a
 * verdict.
 *
 * Each family gets the same budget of CPU seconds and, unless the command line names shapes, the same
 * number of configurations. In order:
 *
 *     search      every configuration once; the best on the validation rows is selected
 *     selected    that one with every seed, then trained on all rows; the test rows are looked at
 *     equal       the larger family's configuration shrunk to the parameters of the smaller one, likewise
 *
 * With C configurations and S seeds that is C + 2 S (1 + 1.25) trainings,
 * and each may take the same share of the budget (a training on all rows costs 1.25 of one on the rows
 * to fit).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "core/parallel.h"
#include "experiments/candidates.h"
#include "experiments/command.h"
#include "experiments/compare.h"
#include "experiments/effort.h"
#include "experiments/evidence.h"
#include "experiments/output.h"
#include "experiments/provenance.h"
#include "experiments/recipe.h"
#include "experiments/report.h"

/* ---- training ----------------------------------------------------------------------------------- */

/* CPU seconds that one training may take. */
static double share(const comparison *c, const contest *k) {
    return compare_budget(c->o) / ((double)k->n_candidates + 4.5 * (double)compare_seeds(c->o));
}

static void announce(comparison *c, const candidate *what, const char *stage) {
    char shape[128], text[64];
    snprintf(text, sizeof text, "%s %.40s, %s", family_name(what->family),
             report_shape_text(what, shape, sizeof shape), stage);
    progress_start(&c->progress, text);
}

/* A candidate with one seed. A model that diverges is a result of its family, not an error of the
 * program: it is left out, with a warning. */
static kan_status train_one(comparison *c, const candidate *what, uint64_t seed, double seconds,
                            const char *stage, trained *out) {
    kan_error error;
    announce(c, what, stage);
    const kan_status status = c->o->effort > 0.0
                                  ? effort_train(what, &c->problem, c->source.test, seed,
                                                 &(effort_limits){.seconds = c->o->effort},
                                                 &interrupted, &c->progress, out, &error)
                                  : protocol_train(what, &c->problem, seed, seconds, &interrupted,
                                                   &c->progress, out, &error);
    progress_end(&c->progress);
    if (status == KAN_ENONFINITE) {
        warn("%s: %s", family_name(what->family), error.message);
        trained_free(out);
    }
    if (status != KAN_OK && status != KAN_ENONFINITE) complain(1, "%s", error.message);
    return status;
}

static int search(comparison *c, contest *k) {
    const double seconds = c->o->steps ? 0.0 : share(c, k);
    for (size_t j = 0; j < k->n_candidates && !interrupted; ++j) {
        trained *t = &k->search[k->n_search];
        const kan_status status = train_one(c, &k->candidates[j], c->o->seed, seconds, "search", t);
        if (status == KAN_ENONFINITE) continue;
        if (status != KAN_OK) return 1;
        trained_free(t);
        const trained *best = &k->search[k->best];
        if (protocol_is_better(c->source.train->task, &t->validation, &best->validation))
            k->best = k->n_search;
        ++k->n_search;
    }
    if (k->n_search > 0 || interrupted) return 0;
    return complain(EXIT_DIVERGED, "no %s could be trained: every configuration diverged",
                    family_name(k->family));
}

/* What a model shows of itself, while it is there. One that cannot be shown is still a result. */
static kan_status take_evidence(comparison *c, const trained *t, kan_error *error) {
    contest *k = &c->contests[t->candidate.family];
    k->evidence = evidence_make(&c->problem, t, c->source.test, error);
    if (!k->evidence && error->status == KAN_ENONFINITE)
        warn("%s: not in the report: %s", family_name(k->family), error->message);
    if (k->evidence && t->net)
        return evidence_add_formula(k->evidence, &c->problem, t, c->source.train, c->source.test,
                                    error);
    return k->evidence || error->status == KAN_ENONFINITE ? KAN_OK : error->status;
}

/* Trains a configuration with every seed, first as in the search, then on all rows, and looks at the
 * test rows. The steps are those that the search took, so that the clock has no say here. */
static int train_series(comparison *c, const candidate *what, const char *stage, double seconds,
                        series *s) {
    kan_error error;
    s->stage = stage;
    for (size_t j = 0; j < compare_seeds(c->o) && !interrupted; ++j) {
        trained *t = &s->runs[s->n];
        kan_status status = train_one(c, what, c->o->seed + j, seconds, stage, t);
        if (status == KAN_ENONFINITE) continue;
        if (status != KAN_OK) return 1;
        announce(c, what, "all rows");
        if (!(c->o->effort > 0.0)) /* a search ends with all rows */
            status = protocol_refit(t, &c->problem, &c->progress, &error);
        progress_end(&c->progress);
        if (status == KAN_ENONFINITE)
            warn("%s: on all rows: %s", family_name(what->family), error.message);
        if (status == KAN_OK || status == KAN_ENONFINITE)
            status = problem_evaluate(&c->problem, t->model, c->source.test, &t->test, &error);
        if (status == KAN_OK && c->o->report && j == 0 && strcmp(stage, "selected") == 0)
            status = take_evidence(c, t, &error);
        trained_free(t);
        if (status != KAN_OK) return complain(1, "%s: %s", family_name(what->family), error.message);
        ++s->n;
    }
    return s->n > 0 || interrupted ? 0
                                   : complain(EXIT_DIVERGED, "the selected %s diverged with every seed",
                                              family_name(what->family));
}

/* The family whose selected model has more parameters also gets as many as the other one. */
static int train_equal(comparison *c) {
    const contest *kan = &c->contests[FAMILY_KAN], *mlp = &c->contests[FAMILY_MLP];
    const size_t kan_size = kan->search[kan->best].parameters,
                 mlp_size = mlp->search[mlp->best].parameters;
    contest *larger = &c->contests[kan_size > mlp_size ? FAMILY_KAN : FAMILY_MLP];
    const size_t smaller_size = kan_size > mlp_size ? mlp_size : kan_size;
    candidate small;
    if (kan_size == mlp_size) return 0;
    if (!candidates_shrink(&larger->search[larger->best].candidate, smaller_size, &small)) return 0;
    return train_series(c, &small, "equal", 0.0, &larger->equal);
}

static int run_all(comparison *c) {
    int status = 0;
    for (int f = 0; f < N_FAMILIES && status == 0; ++f) status = search(c, &c->contests[f]);
    for (int f = 0; f < N_FAMILIES && status == 0 && !interrupted; ++f) {
        contest *k = &c->contests[f];
        status = train_series(c, &k->search[k->best].candidate, "selected", 0.0, &k->selected);
    }
    if (status == 0 && !interrupted) status = train_equal(c);
    return status;
}

/* ---- the command -------------------------------------------------------------------------------- */

/* What the command line says goes before what the built-in configurations say. */
static void override(const options *o, const kan_dataset *d, candidate *c) {
    if (o->has_optimizer && c->train.optimizer != o->optimizer)
        c->train = candidates_recipe(c->family, o->optimizer, d).train;
    if (o->n_grids) c->net.n_cells = o->grids[0];
    if (o->degree) c->net.degree = o->degree;
    if (o->has_base) c->net.base = o->base;
    if (o->has_activation) c->mlp.activation = o->activation;
    if (o->steps) c->train.steps = o->steps;
    if (o->effort > 0.0) effort_make(o, c);
    if (c->train.optimizer != KAN_ADAM) return;
    c->net.precision = c->mlp.precision = o->precision;
    if (o->batch) c->train.batch = o->batch;
    if (o->rate > 0.0) c->train.rate = o->rate;
    if (o->has_decay) c->train.weight_decay = o->decay;
}

static int make_candidates(comparison *c, family f) {
    contest *k = &c->contests[f];
    const options *o = c->o;
    const options_shape *shapes = f == FAMILY_KAN ? o->kan : o->mlp;
    const size_t n_shapes = f == FAMILY_KAN ? o->n_kan : o->n_mlp;
    k->family = f;
    for (size_t j = 0; j < n_shapes; ++j) {
        const int status = recipe_make(o, c->source.train, f, &shapes[j],
                                       &k->candidates[k->n_candidates++]);
        if (status != 0) return status;
    }
    if (n_shapes > 0) return 0;
    k->n_candidates = CANDIDATES;
    candidates_make(f, c->source.train, k->candidates);
    for (size_t j = 0; j < k->n_candidates; ++j) override(o, c->source.train, &k->candidates[j]);
    return 0;
}

static const options_command description = {
    .name = "kan compare",
    .args_doc = "DATA",
    .min_arguments = 1,
    .max_arguments = 1,
    .doc =
        "Train KANs and MLPs of several sizes under the same rules and say which describes DATA better."
        "\vDATA is a .csv, .tsv or .npy file (each also with .gz), IDX files as images:labels, or fn: "
        "and a "
        "generator (see `kan data') or a formula. --kan and --mlp, both repeatable, replace the "
        "built-in "
        "configurations; --grid, --degree, --base, --activation and the options of training then apply "
        "to them. "
        "--budget is the CPU time of each family [30 s]; --steps replaces the clock; --effort is the "
        "CPU "
        "time of each training, with several starts and, for a KAN, a ladder of grids. --report writes "
        "a "
        "page for people: verdict, tables, charts (by gnuplot where it is on the PATH), the network of "
        "the best "
        "KAN, and what it takes to run it again. Exit status 130 after Ctrl-C, with the results so "
        "far.",
    .takes = OPTIONS_TABLE | OPTIONS_TEST | OPTIONS_GENERATOR | OPTIONS_MODEL | OPTIONS_TRAINING |
             OPTIONS_THREADS | OPTIONS_JSON | OPTIONS_REPORT,
};

static int compare(comparison *c, const options *o) {
    kan_error error;
    if (o->seeds > COMPARE_MAX_SEEDS)
        return complain(EXIT_USAGE, "--seeds: %zu is more than %d", o->seeds, COMPARE_MAX_SEEDS);
    kan_parallel_set_threads(o->threads ? o->threads : 1);
    int status = recipe_check(o);
    if (status == 0) status = output_check(o->json);
    if (status == 0) status = output_check(o->report);
    if (status == 0) status = source_load(o->arguments[0], o, &c->source);
    if (status != 0) return status;
    if (problem_make(c->source.train, o->data_seed, &c->problem, &error) != KAN_OK)
        return complain(1, "%s: %s", c->source.name, error.message);
    for (int f = 0; f < N_FAMILIES && status == 0; ++f) status = make_candidates(c, (family)f);
    if (status == 0) status = run_all(c);
    if (status != 0) return status;
    compare_make_verdict(c);
    compare_print(c);
    if (o->json) status = output_json(o->json, compare_json(c));
    if (o->report && compare_report(c) != 0) status = 1;
    return status == 0 && interrupted ? EXIT_INTERRUPTED : status;
}

int command_compare(int argc, char **argv) {
    options *o = calloc(1, sizeof *o);
    comparison *c = calloc(1, sizeof *c);
    int status = 1;
    if (!o || !c) {
        complain(1, "out of memory");
        goto done;
    }
    c->o = o;
    c->command = provenance_command(argc, argv);
    status = c->command ? options_parse(&description, argc, argv, o) : complain(1, "out of memory");
    if (status == 0) status = compare(c, o);
    problem_free(&c->problem);
    source_free(&c->source);
    for (int f = 0; f < N_FAMILIES; ++f) json_decref(c->contests[f].evidence);
    free(c->command);
done:
    free(c);
    free(o);
    return status;
}
