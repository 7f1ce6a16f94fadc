/* experiments/plot.c - `kan plot`: the picture of a saved KAN.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "core/parallel.h"
#include "core/work.h"
#include "experiments/command.h"
#include "experiments/model_file.h"
#include "experiments/options.h"
#include "experiments/output.h"
#include "kan/attribution.h"
#include "kan/diagram.h"

static const options_command description = {
    .name = "kan plot",
    .args_doc = "MODEL",
    .min_arguments = 1,
    .max_arguments = 1,
    .doc =
        "Draw the network of a saved KAN, as SVG."
        "\vInputs are below, outputs above; every edge has its curve in a box and is drawn as strongly "
        "as it matters. What matters is measured on the rows of --data, or else on points that "
        "fill the grids of the inputs. The picture goes to standard output or to the file of -o.",
    .takes = OPTIONS_ROWS | OPTIONS_THREADS | OPTIONS_OUTPUT,
};

enum { POINTS = 1000 };

/* The rows of a file as the net is given them: x [n][n_in], to be freed by the caller. 0 or the exit status. */
static int read_rows(const char *path, const model_file *m, size_t *n, double **x) {
    kan_error error;
    kan_dataset *d;
    if (model_file_rows(m, path, &d, NULL, &error) != KAN_OK) return complain(1, "%s", error.message);
    int status = d->n < 2 ? complain(1, "%s: one row says nothing about what matters", path) : 0;
    *n = d->n;
    *x = kan_work_alloc(kan_work_product(d->n, d->n_in));
    double *y = kan_work_alloc(d->n * kan_dataset_y_width(d));
    if (status == 0 && (!*x || !y)) status = complain(1, "%s: out of memory", path);
    if (status == 0) kan_dataset_batch(d, 0, d->n, NULL, *x, y, NULL);
    kan_work_free(y);
    kan_dataset_free(d);
    return status;
}

static kan_attribution *score(const model_file *m, size_t n, const double *x, int *status) {
    kan_error error;
    kan_attribution *a = kan_attribution_alloc(m->net, n, x, &error);
    if (!a) *status = complain(1, "%s", error.message);
    return a;
}

static int draw(const options *o, const model_file *m, const kan_attribution *a, size_t n) {
    kan_error error;
    char note[320];
    output out;
    if (o->data)
        snprintf(note, sizeof note, "opacity: tanh(3 score) over the %zu rows of %.240s", n, o->data);
    else
        snprintf(note, sizeof note, "opacity: tanh(3 score) over %zu points uniform on the input grids",
                 n);
    const kan_dataset *d = m->schema;
    const kan_diagram_options how = {.input_names = d->input_names,
                                     .output_names = d->task == KAN_CLASSIFICATION ? d->class_names
                                                                                   : d->target_names,
                                     .note = note};
    int status = output_open(&out, o->output);
    if (status != 0) return status;
    const kan_status drawn = kan_diagram_write(m->net, a, &how, out.stream, &error);
    status = output_close(&out, drawn == KAN_OK);
    return drawn == KAN_OK ? status : complain(1, "%s", error.message);
}

int command_plot(int argc, char **argv) {
    kan_error error;
    options o;
    model_file m = {.file = NULL};
    size_t n = POINTS;
    double *x = NULL;
    kan_attribution *a = NULL;
    int status = options_parse(&description, argc, argv, &o);
    if (status == 0) status = output_check(o.output);
    if (status == 0 && model_file_read(o.arguments[0], &m, &error) != KAN_OK)
        status = complain(1, "%s", error.message);
    if (status == 0 && !m.net)
        status = complain(1, "%s: holds an MLP, which has no curves to draw", o.arguments[0]);
    if (status == 0) kan_parallel_set_threads(o.threads ? o.threads : 1);
    if (status == 0 && o.data) status = read_rows(o.data, &m, &n, &x);
    if (status == 0 && !o.data) {
        x = kan_work_alloc(kan_work_product(n, m.schema->n_in));
        if (!x) status = complain(1, "out of memory");
        if (x) kan_attribution_points(m.net, n, 0, x);
    }
    if (status == 0) a = score(&m, n, x, &status);
    if (status == 0) status = draw(&o, &m, a, n);
    kan_attribution_free(a);
    kan_work_free(x);
    model_file_free(&m);
    return status;
}
