/* train/input.h - what the readers of data files share: bytes through zlib, and memory that grows with what
 * is really there. Private.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_TRAIN_INPUT_H
#define KAN_TRAIN_INPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "core/status.h"
#include "train/dataset.h"

/* ---- memory that grows -------------------------------------------------------------------------- */

typedef struct kan_input_buffer {
    void *data; /* NULL at first; the owner frees it */
    size_t capacity;
} kan_input_buffer;

/* At least n * size bytes, what was there kept; grows by doubling. False, and the buffer as it was,
 * when memory is short or the size overflows. */
bool kan_input_reserve(kan_input_buffer *buffer, size_t n, size_t size);

/* Copies of n names in a new array (NULL when memory is short), freed by the other one. Where names is
 * NULL so is the copy. */
char **kan_input_copy_names(size_t n, char *const *names);
void kan_input_free_names(size_t n, char **names);

/* Gives d, which has none, the names of `like`, which has its sizes. False when memory is short: then
 * some are missing, for kan_dataset_free to cope with. */
bool kan_input_name_as(kan_dataset *d, const kan_dataset *like);

/* A whole text of decimal digits as a number; false for anything else and for overflow. */
bool kan_input_size(const char *text, size_t *value);

/* ---- bytes of a file, decompressed where it is gzip ------------------------------------------------
 */

typedef struct kan_input kan_input;

/* NULL: KAN_EIO, KAN_ENOMEM. path is kept. */
kan_input *kan_input_open(const char *path, kan_error *error);
void kan_input_close(kan_input *in);

/* The next byte; -1 at the end of the file and after an error, which kan_input_status then tells. */
int kan_input_byte(kan_input *in);

/* The *n bytes that come next, as many as are in memory; none at the end and after an error. */
const unsigned char *kan_input_peek(kan_input *in, size_t *n);

/* KAN_EIO, KAN_ENOMEM, or KAN_EFORMAT where the compressed data are cut short or damaged. */
kan_status kan_input_status(const kan_input *in, kan_error *error);

/* Exactly n bytes in a new block for the caller to free. It grows as bytes arrive, so a header that
 * claims too much costs nothing. NULL: as above, and KAN_EFORMAT when the file ends earlier. */
unsigned char *kan_input_block(kan_input *in, size_t n, kan_error *error);

/* KAN_EFORMAT when there are bytes left. */
kan_status kan_input_end(kan_input *in, kan_error *error);

#endif
