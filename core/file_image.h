/* core/file_image.h - private: what file.c, file_read.c and file_write.c share. On disk a file is
 *
 *     8 bytes       n, the length of the header, little-endian
 *     n bytes       the header, JSON, filled up with spaces so that 8 + n is a multiple of 8
 *     the rest      the tensors, one behind the other, no gaps; F64 first, so that each is aligned
 *
 * The JSON object maps every name to {"dtype", "shape", "data_offsets": [begin, end]}, offsets counted
 * from the end of the header. It always starts with the prefix below, so that the digits of the
 * checksum stand at one place in every file and need not be searched for.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_CORE_FILE_IMAGE_H
#define KAN_CORE_FILE_IMAGE_H

#include <jansson.h>
#include <zlib.h>

#include "core/file.h"

/* Tensors go to and from the disk as they lie in memory. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a big-endian host needs bytes swapped here");

#define KAN_FILE_PREFIX "{\"__metadata__\":{\"format\":\"kan\",\"version\":\"1\",\"crc32\":\""

enum {
    KAN_FILE_LENGTH_SIZE = 8,
    KAN_FILE_PREFIX_SIZE = sizeof KAN_FILE_PREFIX - 1, /* from the start of the header to the digits */
    KAN_FILE_N_DIGITS = 8,
    KAN_FILE_MAX_HEADER = 100 * 1000 * 1000,
    KAN_FILE_N_DTYPES = 2,
    KAN_FILE_MAX_NAME = 256 /* of a name with its parts, for whoever writes */
};

extern const char *const kan_file_dtype_names[KAN_FILE_N_DTYPES];

typedef struct tensor {
    char *name;
    kan_dtype dtype;
    size_t n_dims, shape[KAN_FILE_MAX_DIMS];
    size_t begin, bytes; /* begin: its place in the file it was read from */
    double *values;      /* [bytes], whatever the dtype: aligned for all of them */
} tensor;

struct kan_file {
    char *path;                   /* it was read from, or NULL */
    json_t *metadata;             /* an object of strings */
    char part[KAN_FILE_MAX_NAME]; /* what all names begin with: "part/part/" */
    size_t n_tensors, capacity;
    tensor *tensors; /* as they are to be written */
};

/* The bytes of a tensor; SIZE_MAX where that overflows. */
size_t kan_file_shape_bytes(kan_dtype dtype, size_t n_dims, const size_t *shape);

/* Memory for so many bytes, aligned for every dtype; freed with kan_work_free. */
double *kan_file_alloc_values(size_t bytes);

/* Puts t under a copy of the name into the list, behind all tensors of its dtype; the values then
 * belong to the file. KAN_ENOMEM. */
kan_status kan_file_insert(kan_file *file, const char *name, tensor t);

/* The checksum as text. */
void kan_file_write_digits(char digits[KAN_FILE_N_DIGITS + 1], uLong crc);

/* Fail with "path: out of memory", and with "path: what: the words for an errno". */
kan_status kan_file_fail_memory(kan_error *error, const char *path);
kan_status kan_file_fail_errno(kan_error *error, const char *path, const char *what, int cause);

#endif
