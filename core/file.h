/* core/file.h - model files: named tensors and named texts in one file.
 *
 * The layout is that of safetensors: an 8-byte little-endian length, that many bytes of JSON, then raw
 * little-endian tensors. Python's standard library and NumPy read it, and so does the safetensors
 * package. The JSON object "__metadata__" maps names to texts; three of them belong to this file:
 *     "format"  "kan"
 *     "version" "1"
 *     "crc32"   eight hexadecimal digits: CRC-32 (zlib) of the whole file, with eight characters '0' in
 *               the place of these digits
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_CORE_FILE_H
#define KAN_CORE_FILE_H

#include <stddef.h>

#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

enum { KAN_FILE_MAX_DIMS = 4 };

/* Types of the elements of tensors. */
typedef enum kan_dtype { KAN_F64 = 0, KAN_U8 } kan_dtype; /* "F64" and "U8" in the header */

/* A model file in memory. */
typedef struct kan_file kan_file;

/* An empty file in memory, or NULL when memory is short. */
kan_file *kan_file_alloc(void);

/* Reads and checks a whole file. NULL and error: KAN_EIO, KAN_ENOMEM, KAN_EFORMAT (not such a file, a
 * newer version, cut short, wrong checksum, tensors that overlap or leave the file). */
kan_file *kan_file_read(const char *path, kan_error *error);

/* NULL is allowed. */
void kan_file_free(kan_file *file);

/* Copies a tensor into the file: values of the dtype, product of shape [n_dims] of them. A second
 * tensor of the same name is a caller's mistake. KAN_ENOMEM. */
kan_status kan_file_add(kan_file *file, const char *name, kan_dtype dtype, size_t n_dims,
                        const size_t *shape, const void *values, kan_error *error);

/* The values of a tensor, owned by the file; NULL and KAN_EFORMAT when it is missing or when dtype or
 * shape [n_dims] differ. */
const void *kan_file_find(const kan_file *file, const char *name, kan_dtype dtype, size_t n_dims,
                          const size_t *shape, kan_error *error);

/* Sets and gets a text of the metadata; the names above are not to be set. KAN_ENOMEM, KAN_EFORMAT for
 * a text that is not UTF-8. Get returns NULL where there is none; the file owns it. */
kan_status kan_file_set(kan_file *file, const char *name, const char *text, kan_error *error);
const char *kan_file_get(const kan_file *file, const char *name);

/* From here to the matching leave all names, of tensors and of texts, are those of a part of the file, "part/name":
 * several models, or whatever else has names of its own, fit in one file. Parts may have parts. */
void kan_file_enter(kan_file *file, const char *part);
void kan_file_leave(kan_file *file);

/* Writes to a temporary name beside path, syncs, renames: path is either the old file or the whole new
 * one. KAN_EIO (also where path is a device or a directory), KAN_ENOMEM. */
kan_status kan_file_write(const kan_file *file, const char *path, kan_error *error);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
