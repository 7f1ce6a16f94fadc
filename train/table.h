/* train/table.h - a table on its way to a data set: takes rows of cells, settles columns, kinds and classes.
 * Private.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_TRAIN_TABLE_H
#define KAN_TRAIN_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/status.h"
#include "train/dataset.h"

enum { KAN_TABLE_MAX_CLASSES = 65535 };

typedef struct kan_table_cell {
    const char *text; /* NULL where the file holds numbers */
    double value;     /* if it is a number                 */
    bool number;
} kan_table_cell;

/* The cell as messages show it: in quotes, one line, at most 40 bytes of it and whole characters.
 * Returns quoted. */
enum { KAN_TABLE_QUOTED = 64 };
const char *kan_table_quote(const kan_table_cell *cell, char quoted[KAN_TABLE_QUOTED]);

typedef struct kan_table kan_table;

/* Settles which of n_columns columns are inputs, targets and weights. header [n_columns] holds the
 * names or is NULL; counted, "line" or "row", is what row numbers in messages mean. path and options
 * are kept. NULL: KAN_ENOMEM, KAN_EFORMAT. */
kan_table *kan_table_alloc(const char *path, const char *counted, const kan_read_options *options,
                           size_t n_columns, const kan_table_cell *header, kan_error *error);
void kan_table_free(kan_table *t);

/* Takes the row cells [n_columns] which stands at `line` of the file. KAN_ENOMEM, KAN_EFORMAT,
 * KAN_ENONFINITE. */
kan_status kan_table_add(kan_table *t, size_t line, const kan_table_cell *cells, kan_error *error);

/* The rows taken so far as a data set. NULL: KAN_ENOMEM, KAN_EFORMAT. */
kan_dataset *kan_table_finish(kan_table *t, kan_error *error);

#endif
