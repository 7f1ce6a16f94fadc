/* train/csv.h - tables as text: cells between commas, tabs or semicolons. Private.
 *
 * RFC 4180 and what is found beside it: CRLF, LF or CR at the end of a line, a byte order mark, blanks
 * around cells, cells in quotes with doubled quotes, delimiters and line ends in them (which become
 * LF), no line end behind the last line. Records without any text, blank lines too, are skipped.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_TRAIN_CSV_H
#define KAN_TRAIN_CSV_H

#include "core/status.h"
#include "train/dataset.h"
#include "train/input.h"
#include "train/table.h"

/* One line of a table, which with quotes may be several lines of the file. Zero at first. */
typedef struct kan_csv_record {
    size_t line, n;               /* where it begins, counted from 1; cells. n = 0: end of the file */
    kan_input_buffer cells, text; /* kan_table_cell [n], and their texts one behind the other       */
    size_t text_size;
} kan_csv_record;

static inline const kan_table_cell *kan_csv_cells(const kan_csv_record *record) {
    return record->cells.data;
}
void kan_csv_record_clear(kan_csv_record *record);

typedef struct kan_csv kan_csv;

/* The delimiter is a tab in a .tsv; else a comma, unless the first line has none outside quotes but has
 * a tab or else a semicolon. path is kept. NULL: KAN_EIO, KAN_ENOMEM, KAN_EFORMAT. */
kan_csv *kan_csv_open(const char *path, kan_error *error);
void kan_csv_close(kan_csv *csv);

/* The next record, in place of what was in it. A cell is a number when strtod of the C locale takes all
 * of it; that includes "inf" and "nan". KAN_EIO, KAN_ENOMEM, KAN_EFORMAT. */
kan_status kan_csv_next(kan_csv *csv, kan_csv_record *record, kan_error *error);

/* A whole file as kan_dataset_read describes.
 *
 * The first line is a header if it has a text cell. One case is ambiguous: all cells are numbers but
 * the target's, which may be the name of a column or of a class. It is a header if it is the name that
 * was asked for or if that cell is a number in the second line, and data otherwise. */
kan_dataset *kan_csv_read(const char *path, const kan_read_options *options, kan_error *error);

#endif
