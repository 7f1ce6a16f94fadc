/* experiments/prune.c - `kan prune`: a smaller model from a saved KAN.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/parallel.h"
#include "core/work.h"
#include "experiments/command.h"
#include "experiments/model_file.h"
#include "experiments/options.h"
#include "experiments/output.h"
#include "experiments/report.h"
#include "kan/attribution.h"
#include "kan/prune.h"
#include "train/trainer.h"

static const options_command description = {
    .name = "kan prune",
    .args_doc = "MODEL",
    .min_arguments = 1,
    .max_arguments = 1,
    .doc = "Take out of a saved KAN what matters little, and save what is left."
           "\vHidden nodes and edges go that do not score more than a threshold; scores are measured "
           "on the rows of "
           "--data, or else on points that fill the grids of the inputs. With --error-budget they go "
           "as long as the "
           "error on the rows of --data, which must have the target, stays within it: best rows that "
           "the model was not "
           "trained on. The smaller model is written to the file of -o and takes the same columns.",
    .takes = OPTIONS_ROWS | OPTIONS_PRUNE | OPTIONS_THREADS | OPTIONS_OUTPUT | OPTIONS_JSON,
};

enum { POINTS = 1000 };

/* All that the command has and makes; zero at first. */
typedef struct pruning {
    options o;
    json_t *command;
    model_file m;
    kan_dataset *d; /* rows as the net is given them, or NULL */
    bool has_target;
    size_t n;
    double *x; /* [n][n_in] points to score by */
    kan_net *small;
    kan_prune_report report;
    kan_metric before, after; /* on the rows, in their units, where they have a target */
} pruning;

/* ---- rows ----------------------------------------------------------------------------------------- */

static int read_rows(pruning *p) {
    kan_error error;
    if (model_file_rows(&p->m, p->o.data, &p->d, &p->has_target, &error) != KAN_OK)
        return complain(1, "%s", error.message);
    if (p->d->n < 2) return complain(1, "%s: one row says nothing about what matters", p->o.data);
    if (p->o.error_budget > 0.0 && !p->has_target)
        return complain(1, "%s: has no target, which --error-budget needs", p->o.data);
    p->n = p->d->n;
    double *y = kan_work_alloc(kan_work_product(p->n, kan_dataset_y_width(p->d)));
    p->x = kan_work_alloc(kan_work_product(p->n, p->d->n_in));
    if (y && p->x) kan_dataset_batch(p->d, 0, p->n, NULL, p->x, y, NULL);
    const bool failed = !y || !p->x;
    kan_work_free(y);
    return failed ? complain(1, "%s: out of memory", p->o.data) : 0;
}

static int make_points(pruning *p) {
    p->n = POINTS;
    p->x = kan_work_alloc(kan_work_product(p->n, p->m.schema->n_in));
    if (!p->x) return complain(1, "out of memory");
    kan_attribution_points(p->m.net, p->n, 0, p->x);
    return 0;
}

/* ---- the smaller net -------------------------------------------------------------------------------- */

/* The error of a net on the rows, in the units of the target. */
static int measure(const pruning *p, const kan_model *m, kan_metric *metric) {
    kan_error error;
    kan_dataset raw = *p->d;
    const size_t n = p->d->n, n_y = n * kan_dataset_y_width(p->d);
    double *y = kan_work_alloc(n_y), *y_hat = kan_work_alloc(kan_work_product(n, m->n_out)),
           *counts = kan_work_alloc(3 * m->n_out);
    int status = y && y_hat && counts ? 0 : complain(1, "%s: out of memory", p->o.data);
    if (status == 0 && kan_trainer_predict(m, p->d, y_hat, &error) != KAN_OK)
        status = complain(1, "%s: %s", p->o.data, error.message);
    if (status == 0) {
        memcpy(y, p->d->y, n_y * sizeof *y);
        raw.y = y;
        if (raw.task == KAN_REGRESSION) kan_scaler_undo(p->m.scaler, n, y_hat);
        if (raw.task == KAN_REGRESSION) kan_scaler_undo(p->m.scaler, n, y);
        *metric = kan_metric_eval(&raw, y_hat, counts);
    }
    kan_work_free(counts);
    kan_work_free(y_hat);
    kan_work_free(y);
    return status;
}

static int prune(pruning *p) {
    kan_error error;
    const kan_prune_options how = {.node_threshold = p->o.node_threshold,
                                   .edge_threshold = p->o.edge_threshold,
                                   .budget = p->o.error_budget,
                                   .fold = true,
                                   .stop = &interrupted};
    p->small = p->o.error_budget > 0.0
                   ? kan_prune_budget(p->m.net, p->d, &how, NULL, &p->report, &error)
                   : kan_prune(p->m.net, p->n, p->x, &how, NULL, &p->report, &error);
    if (!p->small) return complain(1, "%s: %s", p->o.arguments[0], error.message);
    if (!p->has_target) return 0;
    const int status = measure(p, p->m.model, &p->before);
    return status == 0 ? measure(p, kan_net_model(p->small), &p->after) : status;
}

static candidate as_candidate(const kan_net *net) {
    return (candidate){.family = FAMILY_KAN, .net = *kan_net_get_config(net)};
}

/* Whether nothing of the net looks at an input. */
static bool is_unused(const kan_net *net, size_t input) {
    for (size_t o = 0; o < kan_net_n_out(net, 0); ++o)
        if (kan_net_has_edge(net, (kan_edge){0, input, o})) return false;
    return true;
}

/* ---- what came of it -------------------------------------------------------------------------------- */

static void print_inputs(const pruning *p) {
    const kan_dataset *d = p->m.schema;
    size_t n = 0;
    for (size_t i = 0; i < d->n_in; ++i) {
        if (!is_unused(p->small, i)) continue;
        printf("%s", n++ == 0 ? "inputs that nothing looks at: " : ", ");
        if (d->input_names)
            printf("%s", d->input_names[i]);
        else
            printf("%zu", i);
    }
    if (n > 0) printf("\n");
}

static void print_result(const pruning *p) {
    char before[256], after[256];
    const candidate was = as_candidate(p->m.net), is = as_candidate(p->small);
    const kan_task task = p->m.schema->task;
    table t = table_make("lrr");
    table_add(&t, "%s", ""), table_add(&t, "before"), table_add(&t, "after");
    table_add(&t, "shape"), table_add(&t, "%s", report_shape_text(&was, before, sizeof before));
    table_add(&t, "%s", report_shape_text(&is, after, sizeof after));
    table_add(&t, "edges"), table_add(&t, "%zu", kan_net_n_edges(p->m.net));
    table_add(&t, "%zu", kan_net_n_edges(p->small));
    table_add(&t, "parameters"), table_add(&t, "%zu", kan_model_n_trainable(p->m.model));
    table_add(&t, "%zu", kan_model_n_trainable(kan_net_model(p->small)));
    if (p->has_target) {
        table_add(&t, "%s on the rows", report_metric_name(task));
        table_add(&t, "%.5g", report_metric_value(task, &p->before));
        table_add(&t, "%.5g", report_metric_value(task, &p->after));
    }
    table_print(&t, stdout);
    table_free(&t);
    print_inputs(p);
    if (p->report.n_kept_outputs > 0)
        printf("%zu output%s kept a last path that scores below the threshold\n",
               p->report.n_kept_outputs, p->report.n_kept_outputs == 1 ? "" : "s");
    if (p->report.n_cut_outputs > 0)
        printf("%zu output%s constant\n", p->report.n_cut_outputs,
               p->report.n_cut_outputs == 1 ? " is" : "s are");
}

/* {"shape", "edges", ..} of a net, and its error where there are targets. */
static json_t *net_json(const pruning *p, kan_net *net, const kan_metric *metric) {
    const candidate c = as_candidate(net);
    return json_pack("{s:o, s:I, s:I, s:o}", "shape", report_shape(&c), "edges",
                     (json_int_t)kan_net_n_edges(net), "parameters",
                     (json_int_t)kan_model_n_trainable(kan_net_model(net)), "metrics",
                     p->has_target ? report_metric(p->m.schema->task, metric) : json_null());
}

static json_t *make_record(const pruning *p) {
    const kan_dataset *d = p->m.schema;
    json_t *unused = json_array();
    for (size_t i = 0; unused && i < d->n_in; ++i)
        if (is_unused(p->small, i))
            (void)json_array_append_new(unused, d->input_names ? report_text(d->input_names[i])
                                                               : json_integer((json_int_t)i));
    return json_pack("{s:s, s:s, s:o, s:o, s:I, s:o, s:o, s:o, s:I, s:I, s:b}", "command", "prune",
                     "version", KAN_VERSION, "model", report_text(p->o.arguments[0]), "data",
                     p->o.data ? report_text(p->o.data) : json_null(), "n", (json_int_t)p->n, "before",
                     net_json(p, p->m.net, &p->before), "after", net_json(p, p->small, &p->after),
                     "unused_inputs", unused, "n_kept_outputs", (json_int_t)p->report.n_kept_outputs,
                     "n_cut_outputs", (json_int_t)p->report.n_cut_outputs, "interrupted",
                     (int)interrupted);
}

/* The record of the training stays; "pruned" says by which command. */
static int write_model(const pruning *p) {
    kan_error error;
    json_t *training = p->m.training ? json_deep_copy(p->m.training) : json_object();
    if (!training || json_object_set(training, "pruned", p->command) != 0) {
        json_decref(training);
        return complain(1, "%s: out of memory", p->o.output);
    }
    const char *by = kan_file_get(p->m.file, "kan.command");
    const kan_status status = model_file_write(p->o.output, kan_net_model(p->small), p->m.scaler,
                                               p->m.schema, by ? by : "", training, &error);
    json_decref(training);
    return status == KAN_OK ? 0 : complain(1, "%s", error.message);
}

static int check(const options *o) {
    if (!o->output) return complain(EXIT_USAGE, "kan prune needs -o FILE for the smaller model");
    if (o->error_budget > 0.0 && !o->data)
        return complain(EXIT_USAGE, "--error-budget needs --data, rows to measure the error on");
    if (o->error_budget > 0.0 && (o->node_threshold > 0.0 || o->edge_threshold > 0.0))
        return complain(EXIT_USAGE,
                        "--error-budget takes the place of --node-threshold and --edge-threshold");
    const int status = output_check(o->output);
    return status == 0 ? output_check(o->json) : status;
}

static int run(pruning *p) {
    kan_error error;
    int status = p->command ? check(&p->o) : complain(1, "out of memory");
    if (status == 0 && model_file_read(p->o.arguments[0], &p->m, &error) != KAN_OK)
        status = complain(1, "%s", error.message);
    if (status == 0 && !p->m.net)
        status = complain(1, "%s: holds an MLP, and a KAN can be pruned", p->o.arguments[0]);
    if (status == 0) kan_parallel_set_threads(p->o.threads ? p->o.threads : 1);
    if (status == 0) status = p->o.data ? read_rows(p) : make_points(p);
    if (status == 0) status = prune(p);
    if (status == 0 && interrupted) status = EXIT_INTERRUPTED;
    if (status == 0) status = write_model(p);
    if (status == 0) print_result(p);
    return status == 0 ? output_json(p->o.json, p->o.json ? make_record(p) : NULL) : status;
}

int command_prune(int argc, char **argv) {
    pruning *p = calloc(1, sizeof *p);
    if (!p) return complain(1, "out of memory");
    p->command = report_command(argc, argv);
    int status = options_parse(&description, argc, argv, &p->o);
    if (status == 0) status = run(p);
    kan_net_free(p->small);
    kan_work_free(p->x);
    kan_dataset_free(p->d);
    model_file_free(&p->m);
    json_decref(p->command);
    free(p);
    return status;
}
