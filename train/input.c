/* train/input.c - see the header. In three parts: memory, bytes, table.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/input.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "core/work.h"

/* ---- memory ------------------------------------------------------------------------------------- */

bool kan_input_reserve(kan_input_buffer *buffer, size_t n, size_t size) {
    const size_t bytes = kan_work_product(n, size);
    if (buffer->data && bytes <= buffer->capacity) return true;
    if (bytes > SIZE_MAX / 4) return false;
    const size_t doubled = 2 * buffer->capacity, wanted = doubled > bytes ? doubled : bytes,
                 capacity = wanted > 256 ? wanted : 256;
    void *data = realloc(buffer->data, capacity);
    if (!data) return false;
    buffer->data = data, buffer->capacity = capacity;
    return true;
}

char **kan_input_copy_names(size_t n, char *const *names) {
    if (!names) return NULL;
    char **copy = calloc(n + 1, sizeof *copy);
    if (!copy) return NULL;
    for (size_t j = 0; j < n; ++j)
        if (!(copy[j] = strdup(names[j]))) {
            kan_input_free_names(n, copy);
            return NULL;
        }
    return copy;
}

void kan_input_free_names(size_t n, char **names) {
    if (!names) return;
    for (size_t j = 0; j < n; ++j) free(names[j]);
    free(names);
}

bool kan_input_name_as(kan_dataset *d, const kan_dataset *like) {
    d->input_names = kan_input_copy_names(d->n_in, like->input_names);
    d->target_names = kan_input_copy_names(kan_dataset_y_width(d), like->target_names);
    const size_t n_classes = d->task == KAN_CLASSIFICATION ? d->n_out : 0;
    d->class_names = n_classes ? kan_input_copy_names(n_classes, like->class_names) : NULL;
    return (d->input_names || !like->input_names) && (d->target_names || !like->target_names) &&
           (d->class_names || !like->class_names || !n_classes);
}

bool kan_input_size(const char *text, size_t *value) {
    size_t sum = 0;
    const char *digit = text;
    for (; *digit >= '0' && *digit <= '9'; ++digit) {
        const size_t d = (size_t)(*digit - '0');
        if (sum > (SIZE_MAX - d) / 10) return false;
        sum = 10 * sum + d;
    }
    if (digit == text || *digit) return false;
    *value = sum;
    return true;
}

/* ---- bytes ----------------------------------------------------------------------------------------
 */

enum { BUFFER = 1 << 16 };

struct kan_input {
    const char *path;
    gzFile stream;
    kan_error error;
    size_t next, n; /* bytes [next .. n-1] of the buffer are still to come */
    unsigned char buffer[BUFFER];
};

kan_input *kan_input_open(const char *path, kan_error *error) {
    kan_input *in = malloc(sizeof *in);
    if (!in) {
        kan_status_fail(error, KAN_ENOMEM, "%s: out of memory", path);
        return NULL;
    }
    in->path = path, in->next = in->n = 0;
    in->error.status = KAN_OK;
    errno = 0; /* zlib leaves it alone when it runs out of memory itself */
    in->stream = gzopen(path, "rb");
    if (in->stream) return in;
    const bool short_of_memory = errno == 0 || errno == ENOMEM;
    kan_status_fail(error, short_of_memory ? KAN_ENOMEM : KAN_EIO, "%s: %s", path,
                    short_of_memory ? "out of memory" : strerror(errno));
    free(in);
    return NULL;
}

void kan_input_close(kan_input *in) {
    if (!in) return;
    (void)gzclose_r(in->stream); /* every fault of a file that is read shows in kan_input_status */
    free(in);
}

/* Turns what zlib found wrong into a status and a message. */
static void note_fault(kan_input *in) {
    int code = Z_OK;
    const char *text = gzerror(in->stream, &code);
    if (code == Z_OK || code == Z_STREAM_END) return;
    if (code == Z_ERRNO)
        kan_status_fail(&in->error, KAN_EIO, "%s: %s", in->path, strerror(errno));
    else if (code == Z_MEM_ERROR)
        kan_status_fail(&in->error, KAN_ENOMEM, "%s: out of memory", in->path);
    else if (code == Z_BUF_ERROR)
        kan_status_fail(&in->error, KAN_EFORMAT, "%s: the compressed data are cut short", in->path);
    else
        kan_status_fail(&in->error, KAN_EFORMAT, "%s: the compressed data are damaged (%s)", in->path,
                        text);
}

const unsigned char *kan_input_peek(kan_input *in, size_t *n) {
    if (in->next == in->n && in->error.status == KAN_OK) {
        const int got = gzread(in->stream, in->buffer, BUFFER);
        in->next = 0, in->n = got > 0 ? (size_t)got : 0;
        if (got <= 0) note_fault(in);
    }
    *n = in->n - in->next;
    return in->buffer + in->next;
}

int kan_input_byte(kan_input *in) {
    if (in->next == in->n) {
        size_t n;
        (void)kan_input_peek(in, &n);
        if (n == 0) return -1;
    }
    return in->buffer[in->next++];
}

kan_status kan_input_status(const kan_input *in, kan_error *error) {
    if (in->error.status != KAN_OK && error) *error = in->error;
    return in->error.status;
}

unsigned char *kan_input_block(kan_input *in, size_t n, kan_error *error) {
    kan_input_buffer block = {0};
    size_t got = 0, ready = 0;
    bool memory = kan_input_reserve(&block, 1, 1);
    while (memory && got < n) {
        const unsigned char *bytes = kan_input_peek(in, &ready);
        if (ready == 0) break;
        const size_t taken = ready < n - got ? ready : n - got;
        memory = kan_input_reserve(&block, got + taken, 1);
        if (memory) memcpy((unsigned char *)block.data + got, bytes, taken);
        got += taken, in->next += taken;
    }
    if (memory && got == n) return block.data;
    if (!memory)
        kan_status_fail(error, KAN_ENOMEM, "%s: out of memory", in->path);
    else if (kan_input_status(in, error) == KAN_OK)
        kan_status_fail(error, KAN_EFORMAT, "%s: the file ends after %zu of %zu bytes", in->path, got,
                        n);
    free(block.data);
    return NULL;
}

kan_status kan_input_end(kan_input *in, kan_error *error) {
    size_t n;
    (void)kan_input_peek(in, &n);
    if (n == 0) return kan_input_status(in, error);
    return kan_status_fail(error, KAN_EFORMAT,
                           "%s: the file goes on after the data its header announces", in->path);
}
