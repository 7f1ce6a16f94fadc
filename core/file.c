/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/file.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file_image.h"
#include "core/work.h"

const char *const kan_file_dtype_names[KAN_FILE_N_DTYPES] = {"F64", "U8"};

static const size_t dtype_sizes[KAN_FILE_N_DTYPES] = {sizeof(double), 1};

/* The name within the present part of the file. */
typedef struct whole_name {
    char text[KAN_FILE_MAX_NAME];
} whole_name;

static whole_name name_in_part(const kan_file *file, const char *name) {
    whole_name whole;
    const int length = snprintf(whole.text, sizeof whole.text, "%s%s", file->part, name);
    assert(length < KAN_FILE_MAX_NAME && "a name is short");
    (void)length;
    return whole;
}

void kan_file_enter(kan_file *file, const char *part) {
    const size_t used = strlen(file->part);
    assert(used + strlen(part) + 1 < sizeof file->part && !strchr(part, '/'));
    snprintf(file->part + used, sizeof file->part - used, "%s/", part);
}

void kan_file_leave(kan_file *file) {
    size_t length = strlen(file->part);
    assert(length > 0 && "a leave for every enter");
    do file->part[--length] = '\0';
    while (length > 0 && file->part[length - 1] != '/');
}

static const tensor *find_tensor(const kan_file *file, const char *name) {
    for (size_t j = 0; j < file->n_tensors; ++j)
        if (strcmp(file->tensors[j].name, name) == 0) return &file->tensors[j];
    return NULL;
}

size_t kan_file_shape_bytes(kan_dtype dtype, size_t n_dims, const size_t *shape) {
    size_t n = 1;
    for (size_t d = 0; d < n_dims; ++d) n = kan_work_product(n, shape[d]);
    return kan_work_product(n, dtype_sizes[dtype]);
}

double *kan_file_alloc_values(size_t bytes) {
    return kan_work_alloc(bytes / sizeof(double) + (bytes % sizeof(double) != 0));
}

kan_status kan_file_insert(kan_file *file, const char *name, tensor t) {
    if (file->n_tensors == file->capacity) {
        const size_t capacity = 2 * file->capacity + 8;
        tensor *grown = realloc(file->tensors, capacity * sizeof *grown);
        if (!grown) return KAN_ENOMEM;
        file->tensors = grown, file->capacity = capacity;
    }
    t.name = strdup(name);
    if (!t.name) return KAN_ENOMEM;
    size_t j = file->n_tensors++;
    for (; j > 0 && file->tensors[j - 1].dtype > t.dtype; --j) file->tensors[j] = file->tensors[j - 1];
    file->tensors[j] = t;
    return KAN_OK;
}

void kan_file_write_digits(char digits[KAN_FILE_N_DIGITS + 1], uLong crc) {
    snprintf(digits, KAN_FILE_N_DIGITS + 1, "%08lx", crc & 0xffffffffUL);
}

kan_status kan_file_fail_memory(kan_error *error, const char *path) {
    return kan_status_fail(error, KAN_ENOMEM, "%s: out of memory", path ? path : "model file");
}

kan_status kan_file_fail_errno(kan_error *error, const char *path, const char *what, int cause) {
    char reason[128];
    if (strerror_r(cause, reason, sizeof reason) != 0)
        snprintf(reason, sizeof reason, "error %d", cause);
    return kan_status_fail(error, KAN_EIO, "%s: %s: %s", path, what, reason);
}

kan_file *kan_file_alloc(void) {
    kan_file *file = calloc(1, sizeof *file);
    if (!file) return NULL;
    file->metadata = json_object();
    if (!file->metadata) {
        free(file);
        return NULL;
    }
    return file;
}

void kan_file_free(kan_file *file) {
    if (!file) return;
    for (size_t j = 0; j < file->n_tensors; ++j) {
        free(file->tensors[j].name);
        kan_work_free(file->tensors[j].values);
    }
    free(file->tensors);
    free(file->path);
    json_decref(file->metadata);
    free(file);
}

kan_status kan_file_add(kan_file *file, const char *name, kan_dtype dtype, size_t n_dims,
                        const size_t *shape, const void *values, kan_error *error) {
    assert(n_dims <= KAN_FILE_MAX_DIMS);
    const whole_name whole = name_in_part(file, name);
    assert(!find_tensor(file, whole.text) && strcmp(whole.text, "__metadata__") != 0);
    tensor t = {.dtype = dtype, .n_dims = n_dims, .bytes = kan_file_shape_bytes(dtype, n_dims, shape)};
    for (size_t d = 0; d < n_dims; ++d) t.shape[d] = shape[d];
    t.values = kan_file_alloc_values(t.bytes);
    if (!t.values || kan_file_insert(file, whole.text, t) != KAN_OK) {
        kan_work_free(t.values);
        return kan_file_fail_memory(error, file->path);
    }
    if (t.bytes > 0) memcpy(t.values, values, t.bytes);
    return KAN_OK;
}

static void write_shape(char *text, size_t size, size_t n_dims, const size_t *shape) {
    size_t used = (size_t)snprintf(text, size, "[");
    for (size_t d = 0; d < n_dims && used < size; ++d)
        used += (size_t)snprintf(text + used, size - used, "%s%zu", d > 0 ? ", " : "", shape[d]);
    if (used < size) snprintf(text + used, size - used, "]");
}

static bool same_shape(const tensor *t, size_t n_dims, const size_t *shape) {
    if (t->n_dims != n_dims) return false;
    for (size_t d = 0; d < n_dims; ++d)
        if (t->shape[d] != shape[d]) return false;
    return true;
}

const void *kan_file_find(const kan_file *file, const char *name, kan_dtype dtype, size_t n_dims,
                          const size_t *shape, kan_error *error) {
    const char *path = file->path ? file->path : "model file";
    const whole_name whole = name_in_part(file, name);
    const tensor *t = find_tensor(file, whole.text);
    if (!t) {
        kan_status_fail(error, KAN_EFORMAT, "%s: there is no tensor '%s'", path, whole.text);
        return NULL;
    }
    if (t->dtype != dtype) {
        kan_status_fail(error, KAN_EFORMAT, "%s: tensor '%s' is %s, not %s", path, whole.text,
                        kan_file_dtype_names[t->dtype], kan_file_dtype_names[dtype]);
        return NULL;
    }
    if (!same_shape(t, n_dims, shape)) {
        char found[104], wanted[104];
        write_shape(found, sizeof found, t->n_dims, t->shape);
        write_shape(wanted, sizeof wanted, n_dims, shape);
        kan_status_fail(error, KAN_EFORMAT, "%s: tensor '%s' has the shape %s, not %s", path,
                        whole.text, found, wanted);
        return NULL;
    }
    return t->values;
}

kan_status kan_file_set(kan_file *file, const char *name, const char *text, kan_error *error) {
    const whole_name whole = name_in_part(file, name);
    assert(strcmp(whole.text, "format") != 0 && strcmp(whole.text, "version") != 0 &&
           strcmp(whole.text, "crc32") != 0);
    /* jansson says NULL to a text that is not UTF-8 and to a lack of memory; malloc sets errno. */
    errno = 0;
    json_t *value = json_string(text);
    if (!value && errno != ENOMEM)
        return kan_status_fail(error, KAN_EFORMAT, "%s: the text '%s' is not UTF-8",
                               file->path ? file->path : "model file", whole.text);
    if (json_object_set_new(file->metadata, whole.text, value) != 0)
        return kan_file_fail_memory(error, file->path);
    return KAN_OK;
}

const char *kan_file_get(const kan_file *file, const char *name) {
    return json_string_value(json_object_get(file->metadata, name_in_part(file, name).text));
}
