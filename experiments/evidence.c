/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "experiments/evidence.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/work.h"
#include "experiments/report.h"
#include "kan/attribution.h"
#include "kan/diagram.h"

enum {
    MOST_POINTS = 400,      /* of predicted against true            */
    N_QUANTILES = 101,      /* of errors                            */
    MOST_SCORED = 1000,     /* rows by which edges are scored       */
    MOST_EDGES = 200 * 1000 /* of a network that is drawn           */
};

static kan_status no_memory(kan_error *error) {
    return kan_status_fail(error, KAN_ENOMEM, "out of memory");
}

/* ---- numbers ------------------------------------------------------------------------------------- */

static int by_size(const void *p, const void *q) {
    const double a = *(const double *)p, b = *(const double *)q;
    return (a > b) - (a < b);
}

/* Quantiles of values [n], which are sorted on the way. */
static json_t *make_quantiles(size_t n, double *values) {
    json_t *list = json_array();
    qsort(values, n, sizeof *values, by_size);
    for (size_t k = 0; list && k < N_QUANTILES; ++k) {
        const size_t at = (size_t)((double)k * (double)(n - 1) / (N_QUANTILES - 1) + 0.5);
        (void)json_array_append_new(list, report_real(values[at]));
    }
    return list;
}

static void add_numbers(json_t *object, const kan_dataset *d, double *y_hat) {
    const size_t stride = (d->n + MOST_POINTS - 1) / MOST_POINTS;
    json_t *truth = json_array(), *predicted = json_array();
    for (size_t s = 0; s < d->n; s += stride) {
        json_array_append_new(truth, report_real(d->y[s * d->n_out]));
        json_array_append_new(predicted, report_real(y_hat[s * d->n_out]));
    }
    json_object_set_new(object, "true", truth);
    json_object_set_new(object, "predicted", predicted);
    for (size_t k = 0; k < d->n * d->n_out; ++k) y_hat[k] = fabs(y_hat[k] - d->y[k]);
    json_object_set_new(object, "quantiles", make_quantiles(d->n * d->n_out, y_hat));
}

/* The first of the largest outputs, as the metric has it. */
static size_t predicted_class(size_t n, const double *y_hat) {
    size_t best = 0;
    for (size_t k = 1; k < n; ++k)
        if (y_hat[k] > y_hat[best]) best = k;
    return best;
}

/* [true][predicted] rows. */
static kan_status add_classes(json_t *object, const kan_dataset *d, const double *y_hat,
                              kan_error *error) {
    const size_t n = d->n_out;
    size_t *counts = calloc(n * n, sizeof *counts);
    if (!counts) return no_memory(error);
    for (size_t s = 0; s < d->n; ++s) ++counts[(size_t)d->y[s] * n + predicted_class(n, y_hat + s * n)];
    json_t *matrix = json_array(), *names = json_array();
    for (size_t k = 0; k < n; ++k) {
        char number[32];
        json_t *row = json_array();
        for (size_t j = 0; j < n; ++j)
            json_array_append_new(row, json_integer((json_int_t)counts[k * n + j]));
        json_array_append_new(matrix, row);
        snprintf(number, sizeof number, "%zu", k);
        json_array_append_new(names, report_text(d->class_names ? d->class_names[k] : number));
    }
    free(counts);
    json_object_set_new(object, "confusion", matrix);
    json_object_set_new(object, "classes", names);
    return KAN_OK;
}

static kan_status add_predictions(json_t *object, const problem *p, const kan_model *m,
                                  const kan_dataset *test, kan_error *error) {
    kan_status status = KAN_ENOMEM;
    size_t *rows = malloc(test->n * sizeof *rows);
    for (size_t s = 0; rows && s < test->n; ++s) rows[s] = s;
    kan_dataset *scaled = rows ? kan_dataset_select(test, test->n, rows) : NULL;
    double *y_hat = kan_work_alloc(kan_work_product(test->n, m->n_out));
    if (scaled && y_hat) {
        kan_scaler_apply(p->scaler, scaled);
        status = kan_trainer_predict(m, scaled, y_hat, error);
    }
    if (status == KAN_OK) {
        kan_scaler_undo(p->scaler, test->n, y_hat);
        if (test->task == KAN_REGRESSION)
            add_numbers(object, test, y_hat);
        else
            status = add_classes(object, test, y_hat, error);
    }
    kan_work_free(y_hat);
    kan_dataset_free(scaled);
    free(rows);
    return status == KAN_ENOMEM ? no_memory(error) : status;
}

/* ---- pictures ------------------------------------------------------------------------------------ */

static bool is_drawn(const kan_net *net) {
    const kan_net_config *c = kan_net_get_config(net);
    size_t n = 0;
    for (size_t l = 0; l + 1 < KAN_MAX_LEVELS && c->width[l] + c->mult[l] > 0; ++l)
        n += (c->width[l] + c->mult[l]) * (c->width[l + 1] + c->mult[l + 1] * c->arity[l + 1]);
    return n <= MOST_EDGES;
}

static kan_status write_diagram(const kan_net *net, const kan_dataset *d, const kan_attribution *a,
                                size_t n_scored, json_t *object, kan_error *error) {
    char note[80], *svg = NULL;
    size_t size;
    snprintf(note, sizeof note, "opacity: tanh(3 score) over %zu of the training rows", n_scored);
    const kan_diagram_options how = {.input_names = d->input_names,
                                     .output_names = d->task == KAN_CLASSIFICATION ? d->class_names
                                                                                   : d->target_names,
                                     .note = note};
    FILE *stream = open_memstream(&svg, &size);
    if (!stream) return no_memory(error);
    kan_status status = kan_diagram_write(net, a, &how, stream, error);
    if (fclose(stream) != 0 && status == KAN_OK) status = no_memory(error);
    if (status == KAN_OK) json_object_set_new(object, "diagram", json_string(svg));
    free(svg);
    return status;
}

kan_status evidence_add_diagram(json_t *object, const kan_dataset *d, const kan_net *net,
                                kan_error *error) {
    const size_t n = d->n < MOST_SCORED ? d->n : MOST_SCORED;
    if (n < 2 || !is_drawn(net)) return KAN_OK;
    double *x = kan_work_alloc(kan_work_product(n, d->n_in)),
           *y = kan_work_alloc(kan_work_product(n, kan_dataset_y_width(d)));
    kan_status status = x && y ? KAN_OK : no_memory(error);
    if (status == KAN_OK) {
        kan_dataset_batch(d, 0, n, NULL, x, y, NULL);
        kan_attribution *a = kan_attribution_alloc(net, n, x, error);
        status = a ? write_diagram(net, d, a, n, object, error) : error->status;
        kan_attribution_free(a);
    }
    kan_work_free(y);
    kan_work_free(x);
    return status;
}

/* ---- the whole ------------------------------------------------------------------------------------ */

static json_t *make_curve(const trained *t) {
    json_t *list = json_array();
    for (size_t k = 0; list && k < t->n_points; ++k)
        json_array_append_new(list,
                              json_pack("{s:I, s:o, s:o, s:o}", "step", (json_int_t)t->points[k].step,
                                        "loss", report_real(t->points[k].loss), "validation",
                                        report_real(t->points[k].validation), "seconds",
                                        report_real(t->points[k].seconds)));
    return list;
}

json_t *evidence_make(const problem *p, const trained *t, const kan_dataset *test, kan_error *error) {
    char shape[128];
    report_shape_text(&t->candidate, shape, sizeof shape);
    json_t *object = json_pack("{s:s, s:I, s:I, s:I, s:I, s:o}", "shape", shape, "parameters",
                               (json_int_t)t->parameters, "seed", (json_int_t)t->seed, "n",
                               (json_int_t)test->n, "n_out", (json_int_t)test->n_out, "curve",
                               make_curve(t));
    kan_status status = object ? KAN_OK : no_memory(error);
    if (status == KAN_OK && test->target_names && test->task == KAN_REGRESSION)
        json_object_set_new(object, "target", report_text(test->target_names[0]));
    if (status == KAN_OK) status = add_predictions(object, p, t->model, test, error);
    if (status == KAN_OK && t->net) status = evidence_add_diagram(object, p->fit, t->net, error);
    if (status == KAN_OK) return object;
    json_decref(object);
    return NULL;
}
