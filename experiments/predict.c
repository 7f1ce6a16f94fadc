/* experiments/predict.c - `kan predict`: raw columns in, raw units out.
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
#include "experiments/source.h"
#include "train/metric.h"
#include "train/trainer.h"

static const options_command description = {
    .name = "kan predict",
    .args_doc = "MODEL DATA",
    .min_arguments = 2,
    .max_arguments = 2,
    .doc = "Apply a saved model to data."
           "\vThe columns of DATA are found by their names, by their order where there are none; the "
           "target may be missing. Of a generator these are the test rows. Predictions are written as "
           "CSV to standard output or to the file of -o: the target, or the class and the probability "
           "of every class. Where DATA has the target, the metrics are printed as well.",
    .takes = OPTIONS_GENERATOR | OPTIONS_THREADS | OPTIONS_OUTPUT | OPTIONS_JSON,
};

/* All that a prediction has and makes; zero at first. */
typedef struct job {
    options o;
    model_file model;
    const char *name; /* DATA */
    kan_dataset *d;
    bool has_target;
    double *y_hat; /* [n][n_out] */
    kan_metric metric;
} job;

/* ---- data --------------------------------------------------------------------------------------- */

/* The test rows, which must have the model's columns. */
static int generate(job *j) {
    const kan_dataset *like = j->model.schema;
    kan_dataset *train;
    const int status = source_generate(j->name, &j->o, &train, &j->d);
    kan_dataset_free(train);
    if (status != 0) return status;
    const kan_dataset *d = j->d;
    if (d->task != like->task || d->n_in != like->n_in || d->n_out != like->n_out)
        return complain(1, "%s: %s of %zu inputs and %zu outputs, but the model's is %s of %zu and %zu",
                        j->name, report_task_name(d->task), d->n_in, d->n_out,
                        report_task_name(like->task), like->n_in, like->n_out);
    for (size_t i = 0; like->input_names && i < d->n_in; ++i)
        if (strcmp(d->input_names[i], like->input_names[i]) != 0)
            return complain(1, "%s: input '%s' where the model has '%s'", j->name, d->input_names[i],
                            like->input_names[i]);
    j->has_target = true;
    return 0;
}

/* Whether there is a target is not part of what a reader returns: it is asked with and without. */
static int read_file(job *j) {
    kan_error error;
    kan_read_options how = {.like = j->model.schema};
    j->d = kan_dataset_read(j->name, &how, &error);
    j->has_target = j->d != NULL;
    how.target_optional = true;
    if (!j->d && error.status == KAN_EFORMAT) j->d = kan_dataset_read(j->name, &how, &error);
    if (!j->d) return complain(1, "%s", error.message);
    if (j->d->bytes && j->model.scaler->n_in > 0)
        return complain(1, "%s: images, but the model was trained on columns of numbers", j->name);
    return 0;
}

/* ---- predictions -------------------------------------------------------------------------------- */

static int predict(job *j) {
    kan_error error;
    kan_dataset *d = j->d;
    const size_t n_out = j->model.model->n_out, n_y = d->n * kan_dataset_y_width(d);
    double *y = kan_work_alloc(n_y), *counts = kan_work_alloc(3 * n_out);
    j->y_hat = kan_work_alloc(kan_work_product(d->n, n_out));
    int status = y && counts && j->y_hat ? 0 : complain(1, "%s: out of memory", j->name);
    if (status == 0) memcpy(y, d->y, n_y * sizeof *y);
    if (status == 0) kan_scaler_apply(j->model.scaler, d);
    if (status == 0 && kan_trainer_predict(j->model.model, d, j->y_hat, &error) != KAN_OK)
        status = complain(1, "%s: %s", j->name, error.message);
    if (status == 0) {
        kan_scaler_undo(j->model.scaler, d->n, j->y_hat);
        memcpy(d->y, y, n_y * sizeof *y);
        if (j->has_target) j->metric = kan_metric_eval(d, j->y_hat, counts);
    }
    kan_work_free(counts);
    kan_work_free(y);
    return status;
}

/* ---- output ------------------------------------------------------------------------------------- */

static void write_target_names(FILE *out, const kan_dataset *d) {
    for (size_t o = 0; o < d->n_out; ++o) {
        if (o > 0) fputc(',', out);
        if (d->target_names)
            output_cell(out, d->target_names[o]);
        else if (d->n_out == 1)
            fputs("y", out);
        else
            fprintf(out, "y%zu", o);
    }
    fputc('\n', out);
}

static void write_class(FILE *out, const kan_dataset *d, const char *prefix, size_t k) {
    char name[512];
    if (d->class_names)
        snprintf(name, sizeof name, "%s%s", prefix, d->class_names[k]);
    else
        snprintf(name, sizeof name, "%s%zu", prefix, k);
    output_cell(out, name);
}

/* The class, and p[k] = exp(y_k) / sum_j exp(y_j), with the largest y taken out. */
static void write_probabilities(FILE *out, const kan_dataset *d, const double *y) {
    size_t best = 0;
    double sum = 0.0;
    for (size_t k = 1; k < d->n_out; ++k)
        if (y[k] > y[best]) best = k;
    for (size_t k = 0; k < d->n_out; ++k) sum += exp(y[k] - y[best]);
    write_class(out, d, "", best);
    for (size_t k = 0; k < d->n_out; ++k) fprintf(out, ",%.17g", exp(y[k] - y[best]) / sum);
    fputc('\n', out);
}

static void write_rows(FILE *out, const job *j) {
    const kan_dataset *d = j->model.schema;
    if (d->task == KAN_REGRESSION) {
        write_target_names(out, d);
    } else {
        fputs("class", out);
        for (size_t k = 0; k < d->n_out; ++k) fputc(',', out), write_class(out, d, "p_", k);
        fputc('\n', out);
    }
    for (size_t s = 0; s < j->d->n && !interrupted; ++s) {
        const double *y = j->y_hat + s * d->n_out;
        if (d->task == KAN_CLASSIFICATION) {
            write_probabilities(out, d, y);
            continue;
        }
        for (size_t o = 0; o < d->n_out; ++o) fprintf(out, "%s%.17g", o > 0 ? "," : "", y[o]);
        fputc('\n', out);
    }
}

static json_t *make_record(const job *j) {
    const kan_task task = j->d->task;
    json_t *data = json_pack("{s:o, s:s, s:I, s:I, s:I}", "name", report_text(j->name), "task",
                             report_task_name(task), "n", (json_int_t)j->d->n, "n_in",
                             (json_int_t)j->d->n_in, "n_out", (json_int_t)j->d->n_out);
    return json_pack("{s:s, s:s, s:o, s:o, s:o}", "command", "predict", "version", KAN_VERSION, "model",
                     report_text(j->o.arguments[0]), "data", data, "metrics",
                     j->has_target ? report_metric(task, &j->metric) : json_null());
}

static int write_all(const job *j) {
    output out;
    int status = output_open(&out, j->o.output);
    if (status != 0) return status;
    write_rows(out.stream, j);
    status = output_close(&out, !interrupted);
    if (status == 0 && interrupted)
        status = complain(EXIT_INTERRUPTED, "interrupted: no predictions were written");
    if (status == 0) status = output_json(j->o.json, j->o.json ? make_record(j) : NULL);
    if (status != 0 || !j->has_target) return status;
    char text[160];
    fprintf(j->o.output ? stdout : stderr, "%zu rows: %s\n", j->d->n,
            report_metric_text(j->d->task, &j->metric, text, sizeof text));
    return 0;
}

int command_predict(int argc, char **argv) {
    kan_error error;
    job *j = calloc(1, sizeof *j);
    if (!j) return complain(1, "out of memory");
    int status = options_parse(&description, argc, argv, &j->o);
    j->name = j->o.arguments[1];
    if (status == 0) status = output_check(j->o.output);
    if (status == 0) status = output_check(j->o.json);
    if (status == 0 && model_file_read(j->o.arguments[0], &j->model, &error) != KAN_OK)
        status = complain(1, "%s", error.message);
    if (status == 0) status = source_is_generator(j->name) ? generate(j) : read_file(j);
    if (status == 0) kan_parallel_set_threads(j->o.threads ? j->o.threads : 1);
    if (status == 0) status = predict(j);
    if (status == 0) status = write_all(j);
    kan_work_free(j->y_hat);
    kan_dataset_free(j->d);
    model_file_free(&j->model);
    free(j);
    return status;
}
