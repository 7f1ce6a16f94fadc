/* tests/same_model.c - whether two model files say the same to the bit, but for how long it took and how it was asked for:
 * all tensors, and all texts without the checksum, the command line and, in the record of the training, the seconds.
 *
 *     same_model A B        0: the same; 1: not, and what differs first; 2: cannot be read
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file_image.h"

/* Takes "seconds" and "wall_seconds" out of a record, at every depth. */
static void forget_seconds(json_t *value) {
    json_t *inner;
    const char *name;
    size_t j;
    if (json_is_object(value)) {
        json_object_del(value, "seconds");
        json_object_del(value, "wall_seconds");
        json_object_foreach(value, name, inner) forget_seconds(inner);
    }
    json_array_foreach(value, j, inner) forget_seconds(inner);
}

/* The texts that are to agree. */
static json_t *texts(const kan_file *file) {
    json_t *all = json_deep_copy(file->metadata);
    json_object_del(all, "crc32");
    json_object_del(all, "kan.command");
    const char *training = json_string_value(json_object_get(all, "kan.training"));
    json_t *record = training ? json_loads(training, 0, NULL) : NULL;
    forget_seconds(record);
    if (record) json_object_set_new(all, "kan.training", record);
    return all;
}

static int differ(const char *what, const char *name) {
    printf("%s %s differs\n", what, name);
    return 1;
}

static int compare(const kan_file *a, const kan_file *b) {
    json_t *x = texts(a), *y = texts(b), *text;
    const char *name;
    if (a->n_tensors != b->n_tensors) return differ("the number of", "tensors");
    for (size_t j = 0; j < a->n_tensors; ++j) {
        const tensor *t = &a->tensors[j], *u = &b->tensors[j];
        if (strcmp(t->name, u->name) != 0 || t->bytes != u->bytes || t->dtype != u->dtype ||
            (t->bytes > 0 && memcmp(t->values, u->values, t->bytes) != 0))
            return differ("tensor", t->name);
    }
    json_object_foreach(x, name, text) {
        if (!json_equal(text, json_object_get(y, name))) return differ("text", name);
    }
    const int status = json_object_size(x) == json_object_size(y) ? 0
                                                                  : differ("the number of", "texts");
    json_decref(x);
    json_decref(y);
    return status;
}

int main(int argc, char **argv) {
    kan_error error = {.message = "usage: same_model A B"};
    kan_file *a = argc == 3 ? kan_file_read(argv[1], &error) : NULL;
    kan_file *b = a ? kan_file_read(argv[2], &error) : NULL;
    int status = 2;
    if (b)
        status = compare(a, b);
    else
        fprintf(stderr, "%s\n", error.message);
    kan_file_free(a);
    kan_file_free(b);
    return status;
}
