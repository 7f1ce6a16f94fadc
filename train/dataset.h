/* train/dataset.h - tables of samples.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_TRAIN_DATASET_H
#define KAN_TRAIN_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/file.h"
#include "core/random.h"
#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* What targets are: numbers, or classes. */
typedef enum kan_task { KAN_REGRESSION = 0, KAN_CLASSIFICATION } kan_task;

/* Open: fill it by hand or let a reader do it. Freed with kan_dataset_free, so what is put into it by
 * hand comes from kan_work_alloc (x, y, weight) and malloc (bytes, arrays of names and each name). */
typedef struct kan_dataset {
    kan_task task;
    size_t n, n_in;
    size_t n_out;        /* regression: target columns; classification: classes                    */
    double *x;           /* [n][n_in]; NULL where `bytes` holds the inputs                         */
    uint8_t *bytes;      /* [n][n_in] or NULL: images kept as read; the input is byte / 255        */
    double *y;           /* regression [n][n_out]; classification [n]: the class, 0 .. n_out-1     */
    double *weight;      /* [n], positive, or NULL: all one                                        */
    char **input_names;  /* [n_in] or NULL                                                         */
    char **target_names; /* regression [n_out], classification [1]; or NULL                        */
    char **class_names;  /* [n_out] for classification, or NULL                                    */
} kan_dataset;

/* Zeroed x (or bytes) and y for that many samples, no weights, no names. NULL when memory is short or
 * the sizes overflow. */
kan_dataset *kan_dataset_alloc(kan_task task, size_t n, size_t n_in, size_t n_out, bool bytes);
void kan_dataset_free(kan_dataset *d);

/* Columns of y: n_out for regression, 1 for classification. */
size_t kan_dataset_y_width(const kan_dataset *d);

/* A new data set of the given rows (row numbers below d->n; repeats allowed), names and weights
 * included. NULL when memory is short. */
kan_dataset *kan_dataset_select(const kan_dataset *d, size_t n_rows, const size_t *rows);

/* Gathers samples for a batch: x [n_rows][n_in], y [n_rows][y_width] and, unless NULL, weight [n_rows]
 * (ones where d has none). rows NULL means first, first+1, .. . Allocates nothing. */
void kan_dataset_batch(const kan_dataset *d, size_t first, size_t n_rows, const size_t *rows, double *x,
                       double *y, double *weight);

/* CRC-32 of everything in a data set: task, sizes, values, weights, names. */
uint32_t kan_dataset_checksum(const kan_dataset *d);

/* How a table is to be read. Zero means the default in brackets. */
typedef enum kan_task_choice {
    KAN_TASK_AUTO = 0,
    KAN_TASK_REGRESSION,
    KAN_TASK_CLASSIFICATION
} kan_task_choice;
typedef struct kan_read_options {
    const char *target;      /* column name, or 0-based number [the last column]                     */
    const char *weight;      /* column name, or 0-based number, of the sample weights [none]         */
    kan_task_choice task;    /* [text or IDX labels: classes; numbers: regression]                   */
    const kan_dataset *like; /* [NULL] read the columns of that one by name (by position where one of
                                the two has no names), with its task and its classes; a class it does
                                not know is an error. Only its sizes and names are used              */
    bool target_optional;    /* with like: a table without the target column gives y = NaN (class 0) */
} kan_read_options;

/* Reads .csv, .tsv, .npy, each also with .gz behind it, or IDX as "images:labels"; `options` may be
 * NULL. Classes are numbered in the order of their names, which is that of numbers for integers (named
 * "-2", "0", "10") and that of bytes for texts. A text table may have a header line; without one, and
 * in .npy, columns have numbers only. Lines of a text table without any text are skipped. NULL and
 * error: KAN_EIO, KAN_ENOMEM, KAN_EFORMAT (ragged row, text in a number column, a target that is not
 * there, no rows), KAN_ENONFINITE (NaN, infinity or an empty cell); the message names file, line and
 * column. */
kan_dataset *kan_dataset_read(const char *path, const kan_read_options *options, kan_error *error);

/* Row numbers, one a line after an optional header line "test_row": a new array of *n, all below limit
 * and none twice, sorted. NULL and error as above. The caller frees it with free. */
size_t *kan_dataset_read_rows(const char *path, size_t limit, size_t *n, kan_error *error);

/* Splits 0 .. d->n-1 into `rows` [n] so that the last n_held of them are the held-out rows: a seeded
 * shuffle of all rows; for classification, class by class, so that every class with more than one row
 * is on both sides as far as n_held allows. Both parts are sorted. 0 < n_held < n. */
kan_status kan_dataset_split(const kan_dataset *d, size_t n_held, kan_random *random, size_t *rows,
                             kan_error *error);

/* Names, classes, task and sizes into a model file, and back as a data set with n = 0 (to be `like`).
 */
kan_status kan_dataset_save_schema(const kan_dataset *d, kan_file *file, kan_error *error);
kan_dataset *kan_dataset_load_schema(const kan_file *file, kan_error *error);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
