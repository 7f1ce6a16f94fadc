/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zlib.h>

#include "core/work.h"
#include "tests/support/alloc.h"
#include "train/idx.h"

/* Every test has two files in a directory of its own. */
static char folder[64], images[128], labels[128], both[300];

static void enter_folder(void) {
    strcpy(folder, "/tmp/kan_idx_XXXXXX");
    cr_assert(mkdtemp(folder) != NULL);
    snprintf(images, sizeof images, "%s/images", folder);
    snprintf(labels, sizeof labels, "%s/labels", folder);
    snprintf(both, sizeof both, "%s:%s", images, labels);
}

static void leave_folder(void) {
    unlink(images);
    unlink(labels);
    rmdir(folder);
}

TestSuite(idx, .init = enter_folder, .fini = leave_folder);

static void write_bytes(const char *path, size_t n, const void *bytes) {
    FILE *file = fopen(path, "wb");
    cr_assert(file != NULL);
    cr_assert(eq(sz, fwrite(bytes, 1, n, file), n));
    cr_assert(eq(int, fclose(file), 0));
}

/* Three images of 2 x 2 and their labels, written down byte for byte. */
static const unsigned char three_images[28] = {0, 0, 8, 3, 0, 0, 0,   3,  0,  0,  0,  2,  0,  0,
                                               0, 2, 9, 8, 7, 6, 255, 51, 13, 17, 40, 41, 42, 43};
static const unsigned char three_labels[11] = {0, 0, 8, 1, 0, 0, 0, 3, 2, 0, 3};

static void write_three(void) {
    write_bytes(images, sizeof three_images, three_images);
    write_bytes(labels, sizeof three_labels, three_labels);
}

static void read_bad(const kan_read_options *options, const char *text) {
    kan_error error = {0};
    cr_assert(kan_idx_read(both, options, &error) == NULL, "expected: %s", text);
    cr_assert(eq(int, error.status, KAN_EFORMAT), "%s", error.message);
    cr_assert(strncmp(error.message, folder, strlen(folder)) == 0, "%s", error.message);
    cr_assert(strstr(error.message, text) != NULL, "'%s' is not in: %s", text, error.message);
}

Test(idx, images_stay_bytes_and_labels_become_classes) {
    write_three();
    kan_dataset *d = kan_idx_read(both, NULL, NULL);
    cr_assert(d != NULL);
    cr_assert(d->task == KAN_CLASSIFICATION && d->x == NULL && d->weight == NULL);
    cr_assert(eq(sz, d->n, 3));
    cr_assert(eq(sz, d->n_in, 4));
    cr_assert(eq(sz, d->n_out, 4)); /* 0 to the highest label, also those that do not occur */
    for (size_t j = 0; j < 12; ++j) cr_assert(eq(u8, d->bytes[j], three_images[16 + j]));
    for (size_t s = 0; s < 3; ++s) cr_assert(eq(dbl, d->y[s], (double)three_labels[8 + s]));
    for (size_t k = 0; k < 4; ++k) cr_assert(d->class_names[k][0] == (char)('0' + k));
    double x[4], y[1];
    kan_dataset_batch(d, 1, 1, NULL, x, y, NULL);
    cr_assert(eq(dbl, x[0], 1.0));
    cr_assert(eq(dbl, x[1], 51.0 / 255.0));
    kan_dataset_free(d);
}

Test(idx, labels_may_be_numbers) {
    write_three();
    kan_dataset *d = kan_idx_read(both, &(kan_read_options){.task = KAN_TASK_REGRESSION}, NULL);
    cr_assert(d != NULL && d->task == KAN_REGRESSION && d->class_names == NULL);
    cr_assert(eq(sz, d->n_out, 1));
    for (size_t s = 0; s < 3; ++s) cr_assert(eq(dbl, d->y[s], (double)three_labels[8 + s]));
    kan_dataset_free(d);
}

/* A model's classes may be others, and in another order. */
Test(idx, like_keeps_the_classes_of_the_model) {
    write_three();
    kan_dataset *like = kan_dataset_alloc(KAN_CLASSIFICATION, 0, 4, 3, false);
    like->class_names = calloc(3, sizeof *like->class_names);
    cr_assert(like->class_names != NULL);
    like->class_names[0] = strdup("3");
    like->class_names[1] = strdup("2");
    like->class_names[2] = strdup("0");
    const kan_read_options options = {.like = like, .target_optional = true};
    kan_dataset *d = kan_idx_read(both, &options, NULL);
    cr_assert(d != NULL);
    cr_assert(eq(sz, d->n_out, 3));
    cr_assert(eq(dbl, d->y[0], 1.0));
    cr_assert(eq(dbl, d->y[1], 2.0));
    cr_assert(eq(dbl, d->y[2], 0.0));
    cr_assert(strcmp(d->class_names[1], "2") == 0);
    kan_dataset_free(d);

    char alone[160]; /* images without labels */
    snprintf(alone, sizeof alone, "%s:", images);
    d = kan_idx_read(alone, &options, NULL);
    cr_assert(d != NULL);
    cr_assert(eq(sz, d->n, 3));
    cr_assert(eq(dbl, d->y[2], 0.0));
    kan_dataset_free(d);
    kan_error error = {0};
    cr_assert(kan_idx_read(alone, NULL, &error) == NULL);
    cr_assert(eq(int, error.status, KAN_EIO));

    strcpy(like->class_names[2], "7");
    read_bad(&options, "labels: row 1: 0 is not one of the known classes");
    like->n_in = 5;
    read_bad(&options, "images of 4 bytes, expected 5");
    kan_dataset_free(like);
}

/* Files of which byte `at` is another. */
static void with_byte(const char *path, const unsigned char *bytes, size_t n, size_t at,
                      unsigned char value) {
    unsigned char copy[64];
    memcpy(copy, bytes, n);
    copy[at] = value;
    write_bytes(path, n, copy);
}

Test(idx, bad_files_are_refused) {
    write_three();
    with_byte(images, three_images, sizeof three_images, 2, 9); /* signed bytes */
    read_bad(NULL, "images: not an IDX file of unsigned bytes");
    with_byte(images, three_images, sizeof three_images, 0, 1);
    read_bad(NULL, "images: not an IDX file");
    with_byte(images, three_images, sizeof three_images, 3, 1);
    read_bad(NULL, "images: 1 dimension, expected at least 2");
    with_byte(images, three_images, sizeof three_images, 7, 0);
    read_bad(NULL, "images: there are no rows");
    with_byte(images, three_images, sizeof three_images, 7, 2);
    read_bad(NULL, "images: the file goes on after the data");
    with_byte(images, three_images, sizeof three_images, 4,
              0xff); /* 2^34 bytes, of which 12 are there */
    read_bad(NULL, "images: the file ends after 12 of 17112760332 bytes");
    write_bytes(images, sizeof three_images, three_images);
    with_byte(labels, three_labels, sizeof three_labels, 3, 2);
    read_bad(NULL, "labels: 2 dimensions, expected 1");
    with_byte(labels, three_labels, sizeof three_labels - 1, 7, 2);
    read_bad(NULL, "3 images, but 2 labels");
    write_three();
    read_bad(&(kan_read_options){.target = "y"}, "no column 'y'");
    unlink(labels);
    kan_error error = {0};
    cr_assert(kan_idx_read(both, NULL, &error) == NULL);
    cr_assert(eq(int, error.status, KAN_EIO));
    cr_assert(strstr(error.message, labels) != NULL);
    cr_assert(kan_idx_read(images, NULL, &error) == NULL);
    cr_assert(strstr(error.message, "expected images:labels") != NULL, "%s", error.message);
}

/* Sizes whose product is no size_t any more. */
Test(idx, sizes_that_overflow_are_refused) {
    unsigned char huge[48] = {0, 0, 8, 8};
    memset(huge + 4, 0xff, 32);
    write_three();
    write_bytes(images, sizeof huge, huge);
    read_bad(NULL, "images: the file ends after 12 of");
}

Test(idx, files_cut_short_anywhere_are_refused) {
    write_three();
    for (size_t n = 0; n < sizeof three_images; ++n) {
        write_bytes(images, n, three_images);
        read_bad(NULL, "images: the file ends after");
    }
    write_bytes(images, sizeof three_images, three_images);
    for (size_t n = 0; n < sizeof three_labels; ++n) {
        write_bytes(labels, n, three_labels);
        read_bad(NULL, "labels: the file ends after");
    }
}

static kan_status try_to_read(void *context) {
    kan_error error = {0};
    kan_dataset *d = kan_idx_read(both, context, &error);
    kan_dataset_free(d);
    return error.status;
}

Test(idx, every_failed_allocation_is_told_and_leaks_nothing) {
    write_three();
    cr_assert(alloc_fail_every(try_to_read, NULL) > 12);
    kan_dataset *like = kan_idx_read(both, NULL, NULL);
    cr_assert(alloc_fail_every(try_to_read, &(kan_read_options){.like = like}) > 12);
    kan_dataset_free(like);
}

/* The first labels as published with the set, and how often each digit occurs in it. */
Test(idx, mnist) {
    static const size_t count[10] = {980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009};
    static const int first[10] = {7, 2, 1, 0, 4, 1, 4, 9, 5, 9};
    const char *paths = KAN_SHARED "/data/mnist/t10k-images-idx3-ubyte.gz:" KAN_SHARED
                                   "/data/mnist/t10k-labels-idx1-ubyte.gz";
    if (access(KAN_SHARED "/data/mnist/t10k-labels-idx1-ubyte.gz", R_OK) != 0) {
        leave_folder(); /* which a skipped test does not */
        cr_skip_test("the MNIST files are not here");
    }
    kan_error error = {0};
    kan_dataset *d = kan_idx_read(paths, NULL, &error);
    cr_assert(d != NULL, "%s", error.message);
    cr_assert(eq(sz, d->n, 10000));
    cr_assert(eq(sz, d->n_in, 784));
    cr_assert(eq(sz, d->n_out, 10));
    size_t found[10] = {0};
    for (size_t s = 0; s < d->n; ++s) ++found[(size_t)d->y[s]];
    for (size_t k = 0; k < 10; ++k) {
        cr_assert(eq(sz, found[k], count[k]));
        cr_assert(eq(int, (int)d->y[k], first[k]));
    }
    /* the zlib checksum of the pixels, computed by Python from the same file */
    cr_assert(eq(u64, crc32(0, d->bytes, (uInt)(d->n * d->n_in)), UINT64_C(0xe4ca5f57)));
    kan_dataset_free(d);
}
