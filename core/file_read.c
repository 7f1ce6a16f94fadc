/* core/file_read.c - nothing that a file claims is believed before it is checked.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file_image.h"

/* A file on its way in. */
typedef struct reader {
    const char *path;
    int fd;
    size_t size, header_size;       /* of the file, and of the JSON in it */
    uLong crc;                      /* of what was read so far, the digits taken as zeros */
    char digits[KAN_FILE_N_DIGITS]; /* the checksum that the file claims to have */
    kan_error *error;
} reader;

static kan_status read_bytes(reader *r, void *to, size_t n) {
    char *next = to;
    while (n > 0) {
        const ssize_t got = read(r->fd, next, n);
        if (got < 0 && errno != EINTR)
            return kan_file_fail_errno(r->error, r->path, "cannot read", errno);
        if (got == 0)
            return kan_status_fail(r->error, KAN_EFORMAT, "%s: cut short while it was read", r->path);
        if (got > 0) next += got, n -= (size_t)got;
    }
    return KAN_OK;
}

static kan_status open_file(reader *r) {
    struct stat status;
    r->fd = open(r->path, O_RDONLY | O_CLOEXEC);
    if (r->fd < 0) return kan_file_fail_errno(r->error, r->path, "cannot open", errno);
    if (fstat(r->fd, &status) != 0) return kan_file_fail_errno(r->error, r->path, "cannot read", errno);
    if (!S_ISREG(status.st_mode))
        return kan_status_fail(r->error, KAN_EIO, "%s: cannot read: not a regular file", r->path);
    r->size = (size_t)status.st_size;
    return KAN_OK;
}

/* Reads the length of the header and believes it only if such a header fits. */
static kan_status read_length(reader *r) {
    unsigned char bytes[KAN_FILE_LENGTH_SIZE];
    if (r->size < KAN_FILE_LENGTH_SIZE)
        return kan_status_fail(r->error, KAN_EFORMAT, "%s: not a model file: only %zu bytes", r->path,
                               r->size);
    const kan_status status = read_bytes(r, bytes, KAN_FILE_LENGTH_SIZE);
    if (status != KAN_OK) return status;
    uint64_t length = 0;
    for (size_t b = KAN_FILE_LENGTH_SIZE; b-- > 0;) length = length << 8 | bytes[b];
    if (length < 2 || length > KAN_FILE_MAX_HEADER || length > r->size - KAN_FILE_LENGTH_SIZE)
        return kan_status_fail(r->error, KAN_EFORMAT, "%s: not a model file, or cut short: %zu bytes",
                               r->path, r->size);
    r->header_size = (size_t)length;
    r->crc = crc32_z(0, bytes, KAN_FILE_LENGTH_SIZE);
    return KAN_OK;
}

/* Takes the digits out of the header [header_size], which must be of this version. */
static kan_status take_digits(reader *r, unsigned char *header) {
    const size_t at = KAN_FILE_PREFIX_SIZE;
    if (r->header_size < at + KAN_FILE_N_DIGITS || memcmp(header, KAN_FILE_PREFIX, at) != 0)
        return kan_status_fail(r->error, KAN_EFORMAT, "%s: the checksum is not at its place", r->path);
    memcpy(r->digits, header + at, KAN_FILE_N_DIGITS);
    memset(header + at, '0', KAN_FILE_N_DIGITS);
    r->crc = crc32_z(r->crc, header, r->header_size);
    return KAN_OK;
}

static kan_status check_metadata(reader *r, json_t *metadata) {
    const char *name;
    json_t *text;
    json_object_foreach(metadata, name, text) {
        if (!json_is_string(text))
            return kan_status_fail(r->error, KAN_EFORMAT, "%s: '%s' of the metadata is not a text",
                                   r->path, name);
    }
    const char *format = json_string_value(json_object_get(metadata, "format"));
    const char *version = json_string_value(json_object_get(metadata, "version"));
    if (!format || strcmp(format, "kan") != 0 || !version)
        return kan_status_fail(r->error, KAN_EFORMAT, "%s: not a model file of this library", r->path);
    if (strcmp(version, "1") == 0) return KAN_OK;
    char *end;
    if (strtol(version, &end, 10) > 1 && *end == '\0')
        return kan_status_fail(r->error, KAN_EFORMAT,
                               "%s: written by a newer version (of the format: %s, known: 1)", r->path,
                               version);
    return kan_status_fail(r->error, KAN_EFORMAT, "%s: unknown version '%s' of the format", r->path,
                           version);
}

/* When its buffer cannot grow, jansson's lexer drops a character and goes on (a text is then one letter
 * short) or calls the token invalid. malloc sets errno, and what two runs agree on is what is there. */
static kan_status parse_json(reader *r, const char *text, json_t **json) {
    json_error_t wrong;
    errno = 0;
    *json = json_loadb(text, r->header_size, JSON_REJECT_DUPLICATES, &wrong);
    if (!*json && errno != ENOMEM)
        return kan_status_fail(r->error, KAN_EFORMAT, "%s: not a model file: header, byte %d: %s",
                               r->path, wrong.position, wrong.text);
    json_t *again = json_loadb(text, r->header_size, JSON_REJECT_DUPLICATES, NULL);
    const bool agreed = *json && json_equal(*json, again);
    json_decref(again);
    return agreed ? KAN_OK : kan_file_fail_memory(r->error, r->path);
}

static kan_status parse_header(reader *r, unsigned char *text, json_t **json) {
    kan_status status = parse_json(r, (const char *)text, json);
    if (status == KAN_OK) status = check_metadata(r, json_object_get(*json, "__metadata__"));
    if (status == KAN_OK) status = take_digits(r, text);
    return status;
}

/* *json is to be released by the caller in any case. */
static kan_status read_header(reader *r, json_t **json) {
    kan_status status = read_length(r);
    if (status != KAN_OK) return status;
    unsigned char *text = malloc(r->header_size);
    if (!text) return kan_file_fail_memory(r->error, r->path);
    status = read_bytes(r, text, r->header_size);
    if (status == KAN_OK) status = parse_header(r, text, json);
    free(text);
    return status;
}

static bool get_size(const json_t *value, size_t *size) {
    *size = (size_t)json_integer_value(value);
    return json_is_integer(value) && json_integer_value(value) >= 0;
}

static bool get_dtype(const json_t *value, kan_dtype *dtype) {
    for (int d = 0; d < KAN_FILE_N_DTYPES; ++d) {
        *dtype = (kan_dtype)d;
        if (json_is_string(value) && strcmp(json_string_value(value), kan_file_dtype_names[d]) == 0)
            return true;
    }
    return false;
}

/* NULL, or what is wrong with the entry. */
static const char *parse_entry(const json_t *entry, tensor *t) {
    const json_t *shape = json_object_get(entry, "shape"),
                 *offsets = json_object_get(entry, "data_offsets");
    size_t end;
    if (!json_is_array(shape) || !json_is_array(offsets) || json_object_size(entry) != 3)
        return "wants dtype, shape, data_offsets and nothing else";
    if (!get_dtype(json_object_get(entry, "dtype"), &t->dtype)) return "dtype is neither F64 nor U8";
    t->n_dims = json_array_size(shape);
    if (t->n_dims > KAN_FILE_MAX_DIMS) return "too many dimensions";
    for (size_t d = 0; d < t->n_dims; ++d)
        if (!get_size(json_array_get(shape, d), &t->shape[d])) return "shape is not made of sizes";
    if (json_array_size(offsets) != 2 || !get_size(json_array_get(offsets, 0), &t->begin) ||
        !get_size(json_array_get(offsets, 1), &end) || end < t->begin)
        return "data_offsets are not two sizes in order";
    t->bytes = kan_file_shape_bytes(t->dtype, t->n_dims, t->shape);
    return t->bytes == end - t->begin ? NULL : "shape and data_offsets differ";
}

static int by_place(const void *a, const void *b) {
    const tensor *t = a, *u = b;
    if (t->begin != u->begin) return t->begin < u->begin ? -1 : 1;
    return (t->bytes > u->bytes) - (t->bytes < u->bytes);
}

/* Sorts the tensors as they lie in the file; there they are neighbours and fill it. */
static kan_status check_places(reader *r, kan_file *file) {
    const size_t data_size = r->size - KAN_FILE_LENGTH_SIZE - r->header_size;
    size_t end = 0;
    if (file->n_tensors > 0) qsort(file->tensors, file->n_tensors, sizeof *file->tensors, by_place);
    for (size_t j = 0; j < file->n_tensors; ++j) {
        const tensor *t = &file->tensors[j];
        if (t->begin != end)
            return kan_status_fail(r->error, KAN_EFORMAT, "%s: %s tensor '%s'", r->path,
                                   t->begin < end ? "an overlap at" : "a gap before", t->name);
        end += t->bytes;
        if (end > data_size)
            return kan_status_fail(r->error, KAN_EFORMAT,
                                   "%s: cut short: tensor '%s' ends behind the file", r->path, t->name);
    }
    if (end < data_size)
        return kan_status_fail(r->error, KAN_EFORMAT, "%s: %zu bytes behind the last tensor", r->path,
                               data_size - end);
    return KAN_OK;
}

static kan_status parse_tensors(reader *r, json_t *json, kan_file *file) {
    const char *name;
    json_t *entry;
    json_object_foreach(json, name, entry) {
        if (strcmp(name, "__metadata__") == 0) continue;
        tensor t = {.values = NULL};
        const char *wrong = parse_entry(entry, &t);
        if (wrong)
            return kan_status_fail(r->error, KAN_EFORMAT, "%s: tensor '%s': %s", r->path, name, wrong);
        if (kan_file_insert(file, name, t) != KAN_OK) return kan_file_fail_memory(r->error, r->path);
    }
    return check_places(r, file);
}

static kan_status read_values(reader *r, kan_file *file) {
    for (size_t j = 0; j < file->n_tensors; ++j) {
        tensor *t = &file->tensors[j];
        t->values = kan_file_alloc_values(t->bytes);
        if (!t->values) return kan_file_fail_memory(r->error, r->path);
        const kan_status status = read_bytes(r, t->values, t->bytes);
        if (status != KAN_OK) return status;
        r->crc = crc32_z(r->crc, (const void *)t->values, t->bytes);
    }
    char digits[KAN_FILE_N_DIGITS + 1];
    kan_file_write_digits(digits, r->crc);
    if (memcmp(digits, r->digits, KAN_FILE_N_DIGITS) == 0) return KAN_OK;
    return kan_status_fail(r->error, KAN_EFORMAT, "%s: damaged: the checksum is %s, the file says %.8s",
                           r->path, digits, r->digits);
}

static kan_status read_file(reader *r, kan_file *file) {
    json_t *json = NULL;
    kan_status status = open_file(r);
    if (status == KAN_OK) status = read_header(r, &json);
    if (status == KAN_OK &&
        json_object_update(file->metadata, json_object_get(json, "__metadata__")) != 0)
        status = kan_file_fail_memory(r->error, r->path);
    if (status == KAN_OK) status = parse_tensors(r, json, file);
    if (status == KAN_OK) status = read_values(r, file);
    json_decref(json);
    if (r->fd >= 0) (void)close(r->fd);
    return status;
}

kan_file *kan_file_read(const char *path, kan_error *error) {
    reader r = {.path = path, .fd = -1, .error = error};
    kan_file *file = kan_file_alloc();
    if (file) file->path = strdup(path);
    if (!file || !file->path)
        kan_file_fail_memory(error, path);
    else if (read_file(&r, file) == KAN_OK)
        return file;
    kan_file_free(file);
    return NULL;
}
