/* experiments/report.h - how results look: tables for people, JSON for programs.
 *
 * Functions that make JSON return a new reference, or NULL when memory is short; jansson's functions
 * that put such a value into another one pass that on.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_EXPERIMENTS_REPORT_H
#define KAN_EXPERIMENTS_REPORT_H

#include <stdio.h>

#include <jansson.h>

#include "experiments/protocol.h"
#include "experiments/source.h"
#include "train/metric.h"

/* A number; null where it is not finite. */
json_t *report_real(double value);

/* A text; what is not ASCII becomes "?" in one that is not UTF-8, as JSON must be. */
json_t *report_text(const char *text);

/* "kan train DATA ..", the command line before argp reorders it. */
json_t *report_command(int argc, char **argv);

/* {"rmse", "mae", "r2"} or {"accuracy", "macro_f1", "cross_entropy"}. */
json_t *report_metric(kan_task task, const kan_metric *m);

/* [2, 5, 1]; a level with multiplying nodes is a text, [2, "3+2m", 1]. */
json_t *report_shape(const candidate *c);

/* {"name", "task", "n_train", "n_test", "n_in", "n_out"} */
json_t *report_data(const source *s);

/* {"weight", "roughness", "l1", "entropy", "coef", "coefdiff", "metric"}: what a KAN's training made small beside the
 * loss. NULL where that was nothing. */
json_t *report_penalty(const candidate *c, const kan_net *net);

/* {"model", "seed", "shape", "n_cells", "degree", "parameters", "validation", "test", "seconds",
 * "wall_seconds" (where it differs by more than a tenth), "steps", "evaluations"}; n_cells and degree
 * are those of a KAN. With --effort also "train", the metrics of all training rows, and "stages", a list of
 * {"phase", "n_cells", "degree", "parameters", "steps", "train_rmse", "test_rmse", "seconds"} (accuracies for classes). */
json_t *report_run(kan_task task, const trained *t);

/* "lbfgs", "adam", "lm"; and for a person "L-BFGS", "Adam", "Levenberg-Marquardt" */
const char *report_optimizer_name(kan_optimizer optimizer);
const char *report_optimizer_text(kan_optimizer optimizer);

/* "regression", "classification" */
const char *report_task_name(kan_task task);

/* "target", "targets", "classes": what n outputs are. */
const char *report_outputs_name(kan_task task, size_t n);

/* A text of several sentences, broken between words into lines of at most 110 characters. */
void report_paragraph(const char *text, FILE *stream);

/* All metrics of a task in one line, "rmse 0.012, mae 0.01, r2 0.99", in text [size]. Returns text. */
char *report_metric_text(kan_task task, const kan_metric *m, char *text, size_t size);

/* The number people look at first, RMSE or accuracy, and its name. */
const char *report_metric_name(kan_task task);
double report_metric_value(kan_task task, const kan_metric *m);

/* The shape of a candidate, "2,3+2m,1", in text [size]. Returns text. */
char *report_shape_text(const candidate *c, char *text, size_t size);

/* "0.52 s", "1 min 12 s" in text [size]. Returns text. */
char *report_seconds_text(double seconds, char *text, size_t size);

/* ---- tables ------------------------------------------------------------------------------------ */

/* A table of texts that is printed with its columns aligned: to the left where `align` has 'l', to the
 * right where it has 'r'. Cells are added row by row; the first row is the heading. */
typedef struct table {
    const char *align; /* one letter a column */
    size_t n_columns, n_cells, capacity;
    char **cells;
    bool failed; /* memory was short */
} table;

table table_make(const char *align);
void table_add(table *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void table_print(const table *t, FILE *stream);
void table_free(table *t);

#endif
