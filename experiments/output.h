/* experiments/output.h - files of text that are there as a whole or not at all.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_EXPERIMENTS_OUTPUT_H
#define KAN_EXPERIMENTS_OUTPUT_H

#include <stdio.h>

#include <jansson.h>

typedef struct output {
    FILE *stream;
    const char *path; /* NULL: stdout */
    char *temporary;  /* where it is written until it is whole; NULL for stdout and devices */
} output;

/* 0 if a file can be written at path, else 1 after one line on stderr: to be asked before long work.
 * NULL is fine. */
int output_check(const char *path);

/* Opens a temporary file beside path, or stdout for NULL; a device or a pipe is opened as it is.
 * output_close brings the file to its place, or removes it when `keep` is 0 or when anything written to
 * it failed. Both return 0, or 1 after one line on stderr. */
int output_open(output *out, const char *path);
int output_close(output *out, int keep);

/* A text as a cell of a CSV file, in quotes where it must be. */
void output_cell(FILE *stream, const char *text);

/* A JSON value as a file, every digit of its numbers kept; takes over the reference to it. NULL for the
 * value means that memory was short when it was made; NULL for path that it is not wanted. As above. */
int output_json(const char *path, json_t *value);

#endif
