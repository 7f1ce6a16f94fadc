/* train/idx.c - IDX files, the format of MNIST (Y. LeCun):
 *
 *     0  0  8  number of dimensions  each dimension (4 bytes, big-endian)  that many unsigned bytes
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/idx.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/work.h"
#include "train/input.h"

enum { UNSIGNED_BYTE = 8, N_LABELS = 256 };

typedef struct idx_array {
    size_t n, width;      /* first dimension, product of the others */
    unsigned char *bytes; /* [n][width] */
} idx_array;

/* Sizes of an array of n_dims dimensions, or of 2 and more where that is 0. */
static bool read_sizes(kan_input *in, const char *path, size_t n_dims, idx_array *a, kan_error *error) {
    unsigned char *b = kan_input_block(in, 4, error);
    if (!b) return false;
    const bool magic = b[0] == 0 && b[1] == 0 && b[2] == UNSIGNED_BYTE;
    const size_t dims = b[3];
    free(b);
    if (!magic || dims < 1) {
        kan_status_fail(error, KAN_EFORMAT, "%s: not an IDX file of unsigned bytes", path);
        return false;
    }
    if (n_dims ? dims != n_dims : dims < 2) {
        kan_status_fail(error, KAN_EFORMAT, "%s: %zu dimension%s, expected %s", path, dims,
                        dims == 1 ? "" : "s", n_dims ? "1 for labels" : "at least 2 for images");
        return false;
    }
    if (!(b = kan_input_block(in, 4 * dims, error))) return false;
    a->width = 1;
    for (size_t j = 0; j < dims; ++j) {
        const unsigned char *digits = b + 4 * j;
        const size_t size = (size_t)digits[0] << 24 | (size_t)digits[1] << 16 | (size_t)digits[2] << 8 |
                            (size_t)digits[3];
        if (j == 0)
            a->n = size;
        else
            a->width = kan_work_product(a->width, size);
    }
    free(b);
    if (a->n > 0 && a->width > 0) return true;
    kan_status_fail(error, KAN_EFORMAT, "%s: there are no rows", path);
    return false;
}

static bool read_array(const char *path, size_t n_dims, idx_array *a, kan_error *error) {
    kan_input *in = kan_input_open(path, error);
    if (!in) return false;
    if (read_sizes(in, path, n_dims, a, error))
        a->bytes = kan_input_block(in, kan_work_product(a->n, a->width), error);
    const bool good = a->bytes && kan_input_end(in, error) == KAN_OK;
    kan_input_close(in);
    return good;
}

/* The class of each possible label among those of `like`, or n_out where it has none. */
static void match_labels(const kan_dataset *like, size_t class[N_LABELS]) {
    for (size_t label = 0; label < N_LABELS; ++label) {
        char name[24];
        snprintf(name, sizeof name, "%zu", label);
        class[label] = like->class_names ? like->n_out : label < like->n_out ? label : like->n_out;
        for (size_t k = 0; like->class_names && k < like->n_out; ++k)
            if (strcmp(like->class_names[k], name) == 0) class[label] = k;
    }
}

/* Names "0", "1", .. for the classes of d. */
static bool name_classes(kan_dataset *d) {
    if (!(d->class_names = calloc(d->n_out, sizeof *d->class_names))) return false;
    for (size_t k = 0; k < d->n_out; ++k) {
        char name[24];
        snprintf(name, sizeof name, "%zu", k);
        if (!(d->class_names[k] = strdup(name))) return false;
    }
    return true;
}

/* y of d from labels [d->n]; NULL labels: unknown. */
static kan_status set_targets(kan_dataset *d, const char *path, const unsigned char *labels,
                              const kan_dataset *like, kan_error *error) {
    size_t class[N_LABELS];
    for (size_t label = 0; label < N_LABELS; ++label) class[label] = label;
    if (like && d->task == KAN_CLASSIFICATION) match_labels(like, class);
    for (size_t s = 0; s < d->n; ++s) {
        if (!labels) {
            d->y[s] = d->task == KAN_REGRESSION ? NAN : 0.0;
            continue;
        }
        if (d->task == KAN_CLASSIFICATION && class[labels[s]] >= d->n_out)
            return kan_status_fail(error, KAN_EFORMAT,
                                   "%s: row %zu: %d is not one of the known classes", path, s,
                                   labels[s]);
        d->y[s] = (double)class[labels[s]];
    }
    return KAN_OK;
}

/* An empty data set for these images: task, classes and names. NULL when memory is short. */
static kan_dataset *describe(const idx_array *images, const idx_array *labels,
                             const kan_read_options *o) {
    const kan_dataset *like = o->like;
    const bool regression = like ? like->task == KAN_REGRESSION : o->task == KAN_TASK_REGRESSION;
    size_t n_out = 1;
    if (like)
        n_out = like->n_out;
    else
        for (size_t s = 0; !regression && s < labels->n; ++s)
            if (labels->bytes[s] >= n_out) n_out = labels->bytes[s] + (size_t)1;
    kan_dataset *d = kan_dataset_alloc(regression ? KAN_REGRESSION : KAN_CLASSIFICATION, 0,
                                       images->width, n_out, true);
    if (!d) return NULL;
    bool memory = true;
    if (like)
        memory = kan_input_name_as(d, like);
    else if (!regression)
        memory = name_classes(d);
    if (memory) return d;
    kan_dataset_free(d);
    return NULL;
}

/* Turns the two arrays into a data set, which takes the bytes of the images over. */
static kan_dataset *combine(const char *paths, const char *label_path, idx_array *images,
                            const idx_array *labels, const kan_read_options *o, kan_error *error) {
    const kan_dataset *like = o->like;
    if (labels->bytes && images->n != labels->n) {
        kan_status_fail(error, KAN_EFORMAT, "%s: %zu images, but %zu labels", paths, images->n,
                        labels->n);
        return NULL;
    }
    if (like && (like->n_in != images->width || kan_dataset_y_width(like) != 1)) {
        kan_status_fail(error, KAN_EFORMAT, "%s: images of %zu bytes, expected %zu", paths,
                        images->width, like->n_in);
        return NULL;
    }
    kan_dataset *d = describe(images, labels, o);
    double *y = kan_work_alloc(images->n);
    if (!d || !y) {
        kan_status_fail(error, KAN_ENOMEM, "%s: out of memory", paths);
        kan_work_free(y);
        kan_dataset_free(d);
        return NULL;
    }
    kan_work_free(d->y);
    free(d->bytes);
    d->n = images->n, d->y = y, d->bytes = images->bytes;
    images->bytes = NULL;
    if (set_targets(d, label_path, labels->bytes, like, error) == KAN_OK) return d;
    kan_dataset_free(d);
    return NULL;
}

/* Reads both files; label_path is NULL where there are no labels. */
static kan_dataset *read_pair(const char *paths, const char *image_path, const char *label_path,
                              const kan_read_options *o, kan_error *error) {
    idx_array images = {0}, labels = {0};
    kan_dataset *d = NULL;
    if (read_array(image_path, 0, &images, error) &&
        (!label_path || read_array(label_path, 1, &labels, error)))
        d = combine(paths, label_path, &images, &labels, o, error);
    free(images.bytes);
    free(labels.bytes);
    return d;
}

kan_dataset *kan_idx_read(const char *paths, const kan_read_options *options, kan_error *error) {
    static const kan_read_options defaults = {0};
    const kan_read_options *o = options ? options : &defaults;
    const char *colon = strchr(paths, ':'), *column = o->target ? o->target : o->weight;
    char *image_path = NULL;
    if (!colon)
        kan_status_fail(error, KAN_EFORMAT, "%s: expected images:labels", paths);
    else if (column)
        kan_status_fail(error, KAN_EFORMAT, "%s: no column '%s': images have no columns", paths,
                        column);
    else if (!(image_path = strdup(paths)))
        kan_status_fail(error, KAN_ENOMEM, "%s: out of memory", paths);
    if (!image_path) return NULL;

    image_path[colon - paths] = '\0';
    const bool unlabelled = !colon[1] && o->like && o->target_optional;
    kan_dataset *d = read_pair(paths, image_path, unlabelled ? NULL : colon + 1, o, error);
    free(image_path);
    return d;
}
