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
#include "experiments/effort.h"
#include "experiments/options.h"
#include "experiments/output.h"
#include "experiments/progress.h"
#include "experiments/protocol.h"
#include "experiments/recipe.h"
#include "experiments/report.h"
#include "experiments/source.h"
#include "experiments/verdict.h"

enum { MAX_CANDIDATES = OPTIONS_MAX_SHAPES, DEFAULT_SEEDS = 3, MAX_SEEDS = 100 };
static const double default_budget = 30.0;

/* The runs of one configuration that was trained with every seed. */
typedef struct series {
    const char *stage; /* "selected" or "equal" */
    size_t n;
    trained runs[MAX_SEEDS]; /* their models are freed */
} series;

/* All that one family did. */
typedef struct contest {
    family family;
    size_t n_candidates;
    candidate candidates[MAX_CANDIDATES];
    size_t n_search;
    trained search[MAX_CANDIDATES];
    size_t best; /* in search */
    series selected, equal;
} contest;

typedef struct comparison {
    const options *o;
    source source;
    problem problem;
    contest contests[N_FAMILIES];
    progress progress;
    char verdict[1024];
} comparison;

/* ---- training ----------------------------------------------------------------------------------- */

static size_t n_seeds(const options *o) {
    return o->seeds ? o->seeds : DEFAULT_SEEDS;
}

/* CPU seconds that one training may take. */
static double share(const comparison *c, const contest *k) {
    const double budget = c->o->budget > 0.0 ? c->o->budget : default_budget;
    return budget / ((double)k->n_candidates + 4.5 * (double)n_seeds(c->o));
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

/* Trains a configuration with every seed, first as in the search, then on all rows, and looks at the
 * test rows. The steps are those that the search took, so that the clock has no say here. */
static int train_series(comparison *c, const candidate *what, const char *stage, double seconds,
                        series *s) {
    kan_error error;
    s->stage = stage;
    for (size_t j = 0; j < n_seeds(c->o) && !interrupted; ++j) {
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

/* ---- saying it ---------------------------------------------------------------------------------- */

static spread series_spread(kan_task task, const series *s) {
    double values[MAX_SEEDS];
    for (size_t j = 0; j < s->n; ++j) values[j] = report_metric_value(task, &s->runs[j].test);
    return spread_of(s->n, values);
}

static double mean_seconds(const series *s) {
    double sum = 0.0;
    for (size_t j = 0; j < s->n; ++j) sum += s->runs[j].seconds;
    return sum / (double)s->n;
}

/* What a person wants to know of a configuration besides its shape. */
static const char *recipe_text(const candidate *c, char *text, size_t size) {
    const char *optimizer = report_optimizer_text(c->train.optimizer);
    if (c->family == FAMILY_KAN)
        snprintf(text, size, "%zu cells, %s", c->net.n_cells ? c->net.n_cells : 5, optimizer);
    else
        snprintf(text, size, "%s, %s", kan_activation_name(c->mlp.activation), optimizer);
    return text;
}

static void add_row(table *t, kan_task task, const trained *run, const char *metric, double seconds) {
    char shape[128], recipe[64], time[32];
    (void)task;
    table_add(t, "%s", run->candidate.family == FAMILY_KAN ? "KAN" : "MLP");
    table_add(t, "%s", report_shape_text(&run->candidate, shape, sizeof shape));
    table_add(t, "%s", recipe_text(&run->candidate, recipe, sizeof recipe));
    table_add(t, "%zu", run->parameters);
    table_add(t, "%s", metric);
    table_add(t, "%s", report_seconds_text(seconds, time, sizeof time));
}

static void add_heading(table *t, const char *metric) {
    table_add(t, "model");
    table_add(t, "shape");
    table_add(t, "trained as");
    table_add(t, "parameters");
    table_add(t, "%s", metric);
    table_add(t, "CPU time");
}

static void print_search(const comparison *c, kan_task task) {
    char heading[64], value[32];
    table t = table_make("lllrrr");
    snprintf(heading, sizeof heading, "validation %s", report_metric_name(task));
    add_heading(&t, heading);
    for (int f = 0; f < N_FAMILIES; ++f)
        for (size_t j = 0; j < c->contests[f].n_search; ++j) {
            const trained *run = &c->contests[f].search[j];
            snprintf(value, sizeof value, "%.4g%s", report_metric_value(task, &run->validation),
                     j == c->contests[f].best ? " *" : "  ");
            add_row(&t, task, run, value, run->seconds);
        }
    table_print(&t, stdout);
    table_free(&t);
}

static void print_series(const comparison *c, kan_task task) {
    char heading[64], value[64];
    table t = table_make("lllrrr");
    snprintf(heading, sizeof heading, "test %s", report_metric_name(task));
    add_heading(&t, heading);
    for (int f = 0; f < N_FAMILIES; ++f) {
        const series *both[] = {&c->contests[f].selected, &c->contests[f].equal};
        for (size_t b = 0; b < 2; ++b) {
            if (both[b]->n == 0) continue;
            const spread s = series_spread(task, both[b]);
            if (s.n > 1)
                snprintf(value, sizeof value, "%.4g +- %.2g", s.mean, s.sd);
            else
                snprintf(value, sizeof value, "%.4g", s.mean);
            add_row(&t, task, &both[b]->runs[0], value, mean_seconds(both[b]));
        }
    }
    table_print(&t, stdout);
    table_free(&t);
}

/* "KAN 8,32,1 (2880 parameters)" */
static const char *name_of(const series *s, char *text, size_t size) {
    char shape[128];
    const trained *run = &s->runs[0];
    snprintf(text, size, "%s %s (%zu parameters)", run->candidate.family == FAMILY_KAN ? "KAN" : "MLP",
             report_shape_text(&run->candidate, shape, sizeof shape), run->parameters);
    return text;
}

static void compare_series(const comparison *c, const series *a, const series *b, char *text,
                           size_t size) {
    const kan_task task = c->source.train->task;
    char name_a[192], name_b[192];
    const spread spread_a = series_spread(task, a), spread_b = series_spread(task, b);
    verdict_write(task, name_of(a, name_a, sizeof name_a), &spread_a, name_of(b, name_b, sizeof name_b),
                  &spread_b, c->source.test->n, text, size);
}

static void make_verdict(comparison *c) {
    const contest *kan = &c->contests[FAMILY_KAN], *mlp = &c->contests[FAMILY_MLP];
    char best[480] = "", equal[480] = "";
    if (kan->selected.n == 0 || mlp->selected.n == 0) {
        snprintf(c->verdict, sizeof c->verdict,
                 "Interrupted before the test rows were looked at: no verdict.");
        return;
    }
    compare_series(c, &kan->selected, &mlp->selected, best, sizeof best);
    const series *small_kan = kan->equal.n ? &kan->equal : &kan->selected;
    const series *small_mlp = mlp->equal.n ? &mlp->equal : &mlp->selected;
    if (kan->equal.n || mlp->equal.n)
        compare_series(c, small_kan, small_mlp, equal, sizeof equal);
    else
        snprintf(equal, sizeof equal,
                 "that is the same comparison, or no model of the larger family is as small");
    snprintf(c->verdict, sizeof c->verdict, "At their best: %s. At equal parameters: %s.", best, equal);
}

/* {"shape", .., "test": means, "test_sd": standard deviations, "seconds": mean} */
static json_t *series_json(kan_task task, const series *s) {
    if (s->n == 0) return json_null();
    const trained *run = &s->runs[0];
    json_t *test = json_object(), *sd = json_object();
    json_t *first = report_metric(task, &run->test);
    const char *key;
    json_t *unused;
    json_object_foreach(first, key, unused) {
        double values[MAX_SEEDS];
        for (size_t j = 0; j < s->n; ++j) {
            json_t *metric = report_metric(task, &s->runs[j].test);
            json_t *value = json_object_get(metric, key);
            values[j] = json_is_number(value) ? json_number_value(value) : (double)NAN;
            json_decref(metric);
        }
        const spread all = spread_of(s->n, values);
        json_object_set_new(test, key, report_real(all.mean));
        json_object_set_new(sd, key, report_real(all.sd));
    }
    json_decref(first);
    json_t *object = report_run(task, run);
    json_object_del(object, "seed");
    json_object_del(object, "validation");
    json_object_set_new(object, "test", test);
    json_object_set_new(object, "test_sd", sd);
    json_object_set_new(object, "seconds", report_real(mean_seconds(s)));
    json_object_set_new(object, "seeds", json_integer((json_int_t)s->n));
    return object;
}

static void append_runs(json_t *list, kan_task task, const trained *runs, size_t n, const char *stage) {
    for (size_t j = 0; j < n; ++j) {
        json_t *run = report_run(task, &runs[j]);
        json_object_set_new(run, "stage", json_string(stage));
        json_array_append_new(list, run);
    }
}

static json_t *make_json(const comparison *c) {
    const kan_task task = c->source.train->task;
    json_t *runs = json_array(), *searched = json_array(), *best = json_object(),
           *equal = json_object();
    for (int f = 0; f < N_FAMILIES; ++f) {
        const contest *k = &c->contests[f];
        append_runs(searched, task, k->search, k->n_search, "search");
        append_runs(runs, task, k->selected.runs, k->selected.n, "selected");
        append_runs(runs, task, k->equal.runs, k->equal.n, "equal");
        json_object_set_new(best, family_name(k->family), series_json(task, &k->selected));
        json_object_set_new(equal, family_name(k->family),
                            series_json(task, k->equal.n ? &k->equal : &k->selected));
    }
    return json_pack("{s:s, s:s, s:o, s:f, s:o, s:o, s:o, s:o, s:s, s:b}", "command", "compare",
                     "version", KAN_VERSION, "data", report_data(&c->source), "budget",
                     c->o->budget > 0.0 ? c->o->budget : default_budget, "runs", runs, "search",
                     searched, "best", best, "equal", equal, "verdict", c->verdict, "interrupted",
                     interrupted != 0);
}

static void print_all(const comparison *c) {
    const kan_task task = c->source.train->task;
    const kan_dataset *train = c->source.train, *test = c->source.test;
    printf("%s: %s, %zu rows to train on, %zu to test, %zu inputs, %zu %s\n\n", c->source.name,
           report_task_name(task), train->n, test->n, train->n_in, train->n_out,
           task == KAN_REGRESSION ? "target(s)" : "classes");
    printf("Search: each configuration once, judged on %zu validation rows (* selected)\n",
           c->problem.held->n);
    print_search(c, task);
    if (c->contests[FAMILY_KAN].selected.n > 0) {
        printf("\nTest: %zu seed(s), then trained on all %zu rows\n", n_seeds(c->o), train->n);
        print_series(c, task);
    }
    printf("\n%s\n", c->verdict);
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
        "time of each training, with several starts and, for a KAN, a ladder of grids. Exit status 130 "
        "after Ctrl-C, "
        "with the results so far.",
    .takes = OPTIONS_TABLE | OPTIONS_TEST | OPTIONS_GENERATOR | OPTIONS_MODEL | OPTIONS_TRAINING |
             OPTIONS_THREADS | OPTIONS_JSON,
};

static int compare(comparison *c, const options *o) {
    kan_error error;
    if (o->seeds > MAX_SEEDS)
        return complain(EXIT_USAGE, "--seeds: %zu is more than %d", o->seeds, MAX_SEEDS);
    kan_parallel_set_threads(o->threads ? o->threads : 1);
    int status = recipe_check(o);
    if (status == 0) status = output_check(o->json);
    if (status == 0) status = source_load(o->arguments[0], o, &c->source);
    if (status != 0) return status;
    if (problem_make(c->source.train, o->data_seed, &c->problem, &error) != KAN_OK)
        return complain(1, "%s: %s", c->source.name, error.message);
    for (int f = 0; f < N_FAMILIES && status == 0; ++f) status = make_candidates(c, (family)f);
    if (status == 0) status = run_all(c);
    if (status != 0) return status;
    make_verdict(c);
    print_all(c);
    if (o->json) status = output_json(o->json, make_json(c));
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
    status = options_parse(&description, argc, argv, o);
    c->o = o;
    if (status == 0) status = compare(c, o);
    problem_free(&c->problem);
    source_free(&c->source);
done:
    free(c);
    free(o);
    return status;
}
