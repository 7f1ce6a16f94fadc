/* experiments/info.c - `kan info`: what is in a saved model.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "experiments/command.h"
#include "experiments/model_file.h"
#include "experiments/options.h"
#include "experiments/output.h"
#include "experiments/report.h"

static const options_command description = {
    .name = "kan info",
    .args_doc = "MODEL",
    .min_arguments = 1,
    .max_arguments = 1,
    .doc = "Say what is in a saved model.",
    .takes = OPTIONS_JSON,
};

/* "0.01 of l1 1, entropy 2; edge_backward" as the training record has it. */
static void print_penalty(const json_t *penalty) {
    static const char *const parts[] = {"roughness", "l1", "entropy", "coef", "coefdiff"};
    const char *metric = json_string_value(json_object_get(penalty, "metric"));
    bool any = false, scales = false;
    if (!penalty) return;
    printf("%-12s %g of", "penalty", json_number_value(json_object_get(penalty, "weight")));
    for (size_t j = 0; j < sizeof parts / sizeof *parts; ++j) {
        const double factor = json_number_value(json_object_get(penalty, parts[j]));
        if (factor == 0.0) continue;
        printf("%s %s %g", any ? "," : "", parts[j], factor);
        any = true, scales = scales || j == 1 || j == 2;
    }
    printf("%s%s\n", scales ? "; " : "", scales ? (metric ? metric : "?") : "");
}

/* The model as a candidate, which is what shapes are printed of. */
static candidate as_candidate(const model_file *m) {
    candidate c = {.family = m->net ? FAMILY_KAN : FAMILY_MLP};
    if (m->net)
        c.net = *kan_net_get_config(m->net);
    else
        c.mlp = *kan_mlp_get_config(m->mlp);
    return c;
}

/* ---- for people --------------------------------------------------------------------------------- */

/* "a, b, c", or the first of many. */
static void print_names(const char *what, size_t n, char *const *names) {
    enum { MOST = 12 };
    printf("%-12s %zu", what, n);
    for (size_t j = 0; names && j < n && j < MOST; ++j) printf("%s%s", j == 0 ? ": " : ", ", names[j]);
    printf("%s\n", names && n > MOST ? ", .." : "");
}

static void print_model(const model_file *m) {
    char shape[256];
    const candidate c = as_candidate(m);
    printf("%-12s %s\n", "model", m->net ? "kan" : "mlp");
    printf("%-12s %s\n", "shape", report_shape_text(&c, shape, sizeof shape));
    if (m->net) {
        printf("%-12s %zu cells, degree %zu\n", "grid", c.net.n_cells, c.net.degree);
        printf("%-12s %s\n", "base", kan_net_base_name(c.net.base));
        printf("%-12s %zu\n", "edges", kan_net_n_edges(m->net));
    } else {
        printf("%-12s %s\n", "activation", kan_activation_name(c.mlp.activation));
    }
    printf("%-12s %s\n", "precision",
           kan_model_precision_name(m->net ? c.net.precision : c.mlp.precision));
    printf("%-12s %zu\n", "parameters", kan_model_n_trainable(m->model));
}

static void print_scaling(const model_file *m) {
    const kan_scaler *s = m->scaler;
    const kan_dataset *d = m->schema;
    if (s->n_in == 0) {
        printf("%-12s none: the inputs are bytes / 255\n", "scaling");
        return;
    }
    table t = table_make("lrr");
    table_add(&t, "column");
    table_add(&t, "mean");
    table_add(&t, "scale");
    for (size_t i = 0; i < s->n_in; ++i) {
        if (d->input_names)
            table_add(&t, "%s", d->input_names[i]);
        else
            table_add(&t, "input %zu", i);
        table_add(&t, "%.6g", s->x_mean[i]);
        table_add(&t, "%.6g", s->x_scale[i]);
    }
    for (size_t o = 0; o < s->n_y; ++o) {
        table_add(&t, "%s", d->target_names ? d->target_names[o] : "target");
        table_add(&t, "%.6g", s->y_mean[o]);
        table_add(&t, "%.6g", s->y_scale[o]);
    }
    printf("\n");
    table_print(&t, stdout);
    table_free(&t);
}

static const char *text_of(const model_file *m, const char *name) {
    const char *text = kan_file_get(m->file, name);
    return text ? text : "not known";
}

static void print_training(const model_file *m) {
    const json_t *data = json_object_get(m->training, "data"),
                 *run = json_object_get(m->training, "run");
    printf("%-12s %s\n", "command", text_of(m, "kan.command"));
    if (run) {
        char seconds[32];
        const char *optimizer = json_string_value(json_object_get(m->training, "optimizer"));
        const char *outcome = json_string_value(json_object_get(m->training, "outcome"));
        printf("%-12s %s, %" JSON_INTEGER_FORMAT " steps in %s: %s\n", "training",
               optimizer ? optimizer : "?", json_integer_value(json_object_get(run, "steps")),
               report_seconds_text(json_number_value(json_object_get(run, "seconds")), seconds,
                                   sizeof seconds),
               outcome ? outcome : "?");
        printf("%-12s %" JSON_INTEGER_FORMAT " training rows, seed %" JSON_INTEGER_FORMAT "\n", "",
               json_integer_value(json_object_get(data, "n_train")),
               json_integer_value(json_object_get(run, "seed")));
    }
    print_penalty(json_object_get(m->training, "penalty"));
    const char *key;
    json_t *value, *test = json_object_get(run, "test");
    if (test) printf("%-12s", "test rows");
    json_object_foreach(test, key, value) if (json_is_number(value))
        printf(" %s %.5g", key, json_number_value(value));
    if (test) printf("\n");
    printf("%-12s version %s, program %s\n", "file", text_of(m, "version"),
           text_of(m, "kan.program_version"));
}

static void print_all(const model_file *m) {
    const kan_dataset *d = m->schema;
    print_model(m);
    printf("%-12s %s\n", "task", report_task_name(d->task));
    print_names("inputs", d->n_in, d->input_names);
    print_names("target", kan_dataset_y_width(d), d->target_names);
    if (d->task == KAN_CLASSIFICATION) print_names("classes", d->n_out, d->class_names);
    print_training(m);
    print_scaling(m);
}

/* ---- for programs ------------------------------------------------------------------------------- */

/* An array of texts, or null. NULL when memory is short. */
static json_t *names_json(size_t n, char *const *names) {
    if (!names) return json_null();
    json_t *list = json_array();
    int failed = list == NULL;
    for (size_t j = 0; j < n && !failed; ++j)
        failed = json_array_append_new(list, report_text(names[j]));
    if (!failed) return list;
    json_decref(list);
    return NULL;
}

static json_t *reals_json(size_t n, const double *values) {
    json_t *list = json_array();
    int failed = list == NULL;
    for (size_t j = 0; j < n && !failed; ++j)
        failed = json_array_append_new(list, report_real(values[j]));
    if (!failed) return list;
    json_decref(list);
    return NULL;
}

static json_t *model_json(const model_file *m) {
    const candidate c = as_candidate(m);
    json_t *model = json_pack("{s:s, s:o, s:I}", "kind", m->net ? "kan" : "mlp", "shape",
                              report_shape(&c), "parameters",
                              (json_int_t)kan_model_n_trainable(m->model));
    int failed = model == NULL;
    failed |= json_object_set_new(
        model, "precision",
        json_string(kan_model_precision_name(m->net ? c.net.precision : c.mlp.precision)));
    if (m->net) {
        failed |= json_object_set_new(model, "n_cells", json_integer((json_int_t)c.net.n_cells));
        failed |= json_object_set_new(model, "degree", json_integer((json_int_t)c.net.degree));
        failed |= json_object_set_new(model, "base", json_string(kan_net_base_name(c.net.base)));
        failed |= json_object_set_new(model, "edges",
                                      json_integer((json_int_t)kan_net_n_edges(m->net)));
    } else {
        failed |= json_object_set_new(model, "activation",
                                      json_string(kan_activation_name(c.mlp.activation)));
    }
    if (!failed) return model;
    json_decref(model);
    return NULL;
}

static json_t *make_record(const char *path, const model_file *m) {
    const kan_dataset *d = m->schema;
    const kan_scaler *s = m->scaler;
    json_t *columns = json_pack("{s:s, s:I, s:I, s:o, s:o, s:o}", "task", report_task_name(d->task),
                                "n_in", (json_int_t)d->n_in, "n_out", (json_int_t)d->n_out, "inputs",
                                names_json(d->n_in, d->input_names), "target",
                                names_json(kan_dataset_y_width(d), d->target_names), "classes",
                                names_json(d->n_out, d->class_names));
    json_t *scaling = json_pack("{s:o, s:o, s:o, s:o}", "x_mean", reals_json(s->n_in, s->x_mean),
                                "x_scale", reals_json(s->n_in, s->x_scale), "y_mean",
                                reals_json(s->n_y, s->y_mean), "y_scale",
                                reals_json(s->n_y, s->y_scale));
    return json_pack("{s:s, s:s, s:o, s:s, s:s, s:s, s:o, s:o, s:o, s:O}", "command", "info", "version",
                     KAN_VERSION, "file", report_text(path), "file_version", text_of(m, "version"),
                     "program_version", text_of(m, "kan.program_version"), "trained_by",
                     text_of(m, "kan.command"), "model", model_json(m), "data", columns, "scaling",
                     scaling, "training", m->training ? m->training : json_null());
}

int command_info(int argc, char **argv) {
    kan_error error;
    model_file m = {.file = NULL};
    options *o = calloc(1, sizeof *o);
    if (!o) return complain(1, "out of memory");
    int status = options_parse(&description, argc, argv, o);
    const char *path = o->arguments[0];
    if (status == 0) status = output_check(o->json);
    if (status == 0 && model_file_read(path, &m, &error) != KAN_OK)
        status = complain(1, "%s", error.message);
    if (status == 0) {
        print_all(&m);
        status = output_json(o->json, o->json ? make_record(path, &m) : NULL);
    }
    model_file_free(&m);
    free(o);
    return status;
}
