/* core/file_write.c - a file is written whole or not at all.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file_image.h"

/* json_object_set_new and json_array_append_new take over what they are given, NULL and failure
 * included: a failure need only be remembered. */
static json_t *tensor_entry(const tensor *t, size_t begin) {
    json_t *entry = json_object(), *shape = json_array(), *offsets = json_array();
    int failed = 0;
    for (size_t d = 0; d < t->n_dims; ++d)
        failed |= json_array_append_new(shape, json_integer((json_int_t)t->shape[d]));
    failed |= json_array_append_new(offsets, json_integer((json_int_t)begin));
    failed |= json_array_append_new(offsets, json_integer((json_int_t)(begin + t->bytes)));
    failed |= json_object_set_new(entry, "dtype", json_string(kan_file_dtype_names[t->dtype]));
    failed |= json_object_set_new(entry, "shape", shape);
    failed |= json_object_set_new(entry, "data_offsets", offsets);
    if (!failed) return entry;
    json_decref(entry);
    return NULL;
}

/* The keys of KAN_FILE_PREFIX come first, in its order; jansson keeps it. */
static json_t *header_json(const kan_file *file) {
    json_t *header = json_object(), *metadata = json_object(), *text;
    const char *name;
    int failed = 0;
    failed |= json_object_set_new(metadata, "format", json_string("kan"));
    failed |= json_object_set_new(metadata, "version", json_string("1"));
    failed |= json_object_set_new(metadata, "crc32", json_string("00000000"));
    json_object_foreach(file->metadata, name, text) { /* json_object_update_missing drops failures */
        if (!json_object_get(metadata, name)) failed |= json_object_set(metadata, name, text);
    }
    failed |= json_object_set_new(header, "__metadata__", metadata);
    size_t begin = 0;
    for (size_t j = 0; j < file->n_tensors && !failed; ++j) {
        const tensor *t = &file->tensors[j];
        failed |= json_object_set_new(header, t->name, tensor_entry(t, begin));
        begin += t->bytes;
    }
    if (!failed) return header;
    json_decref(header);
    return NULL;
}

/* The start of the file, length to padding, [*size]; the checksum's digits are zeros. NULL when memory
 * is short. */
static unsigned char *alloc_header(const kan_file *file, size_t *size) {
    json_t *json = header_json(file);
    const size_t n = json ? json_dumpb(json, NULL, 0, JSON_COMPACT) : 0;
    const size_t padded = (n + 7) / 8 * 8;
    unsigned char *header = n > 0 ? malloc(KAN_FILE_LENGTH_SIZE + padded) : NULL;
    if (header) {
        for (size_t b = 0; b < KAN_FILE_LENGTH_SIZE; ++b)
            header[b] = (unsigned char)((uint64_t)padded >> (8 * b));
        memset(header + KAN_FILE_LENGTH_SIZE, ' ', padded);
        if (json_dumpb(json, (char *)header + KAN_FILE_LENGTH_SIZE, n, JSON_COMPACT) != n) {
            free(header);
            header = NULL;
        }
    }
    json_decref(json);
    *size = KAN_FILE_LENGTH_SIZE + padded;
    return header;
}

static void set_checksum(const kan_file *file, unsigned char *header, size_t size) {
    assert(memcmp(header + KAN_FILE_LENGTH_SIZE, KAN_FILE_PREFIX, KAN_FILE_PREFIX_SIZE) == 0);
    uLong crc = crc32_z(0, header, size);
    for (size_t j = 0; j < file->n_tensors; ++j)
        crc = crc32_z(crc, (const void *)file->tensors[j].values, file->tensors[j].bytes);
    char digits[KAN_FILE_N_DIGITS + 1];
    kan_file_write_digits(digits, crc);
    memcpy(header + KAN_FILE_LENGTH_SIZE + KAN_FILE_PREFIX_SIZE, digits, KAN_FILE_N_DIGITS);
}

/* Opens a new file path.XXXXXX and writes its name to `name`, which has room for it. -1 and errno. Not
 * mkstemp, whose permissions are not those that the umask asks for. */
static int create_temporary(const char *path, char *name, size_t size) {
    int fd = -1;
    for (unsigned attempt = 0; attempt < 1000 && fd < 0; ++attempt) {
        snprintf(name, size, "%s.%06x", path, ((unsigned)getpid() + attempt) & 0xffffffU);
        fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd < 0 && errno != EEXIST) return -1;
    }
    return fd;
}

static bool write_bytes(int fd, const void *from, size_t n) {
    const char *next = from;
    while (n > 0) {
        const ssize_t written = write(fd, next, n);
        if (written < 0 && errno != EINTR) return false;
        if (written > 0) next += written, n -= (size_t)written;
    }
    return true;
}

/* 0, or the errno of what went wrong. Closes fd in any case. */
static int write_contents(int fd, const kan_file *file, const unsigned char *header, size_t size) {
    bool good = write_bytes(fd, header, size);
    for (size_t j = 0; j < file->n_tensors && good; ++j)
        good = write_bytes(fd, file->tensors[j].values, file->tensors[j].bytes);
    good = good && fsync(fd) == 0;
    const int cause = good ? 0 : errno;
    return close(fd) != 0 && cause == 0 ? errno : cause;
}

/* Makes the new name last through a loss of power. Whether that works is not reported: the file is in
 * its place, and some directories can be written to but not opened. */
static void sync_directory(char *path) {
    char *slash = strrchr(path, '/');
    if (slash) slash[slash == path] = '\0';
    const int fd = open(slash ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    (void)fsync(fd);
    (void)close(fd);
}

static kan_status write_and_rename(const kan_file *file, const char *path, const unsigned char *header,
                                   size_t size, kan_error *error) {
    /* A rename would put the file in the place of a device. */
    struct stat there;
    if (stat(path, &there) == 0 && !S_ISREG(there.st_mode))
        return kan_status_fail(error, KAN_EIO, "%s: cannot write: not a regular file", path);
    const size_t name_size = strlen(path) + sizeof ".XXXXXX";
    char *name = malloc(name_size);
    if (!name) return kan_file_fail_memory(error, path);

    const int fd = create_temporary(path, name, name_size);
    int cause = fd < 0 ? errno : write_contents(fd, file, header, size);
    if (cause == 0 && rename(name, path) != 0) cause = errno;
    if (cause == 0)
        sync_directory(name);
    else if (fd >= 0)
        (void)unlink(name);
    free(name);
    return cause == 0 ? KAN_OK : kan_file_fail_errno(error, path, "cannot write", cause);
}

kan_status kan_file_write(const kan_file *file, const char *path, kan_error *error) {
    size_t size;
    unsigned char *header = alloc_header(file, &size);
    if (!header) return kan_file_fail_memory(error, path);
    kan_status status;
    if (size > KAN_FILE_MAX_HEADER) {
        status = kan_status_fail(error, KAN_EIO, "%s: cannot write: a header of %zu bytes is too long",
                                 path, size);
    } else {
        set_checksum(file, header, size);
        status = write_and_rename(file, path, header, size, error);
    }
    free(header);
    return status;
}
