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

#include "tests/support/alloc.h"
#include "train/npy.h"

/* Every test has one file in a directory of its own. */
static char folder[64], path[128];

static void enter_folder(void) {
    strcpy(folder, "/tmp/kan_npy_XXXXXX");
    cr_assert(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/table.npy", folder);
}

static void leave_folder(void) {
    unlink(path);
    rmdir(folder);
}

TestSuite(npy, .init = enter_folder, .fini = leave_folder);

enum { MAX_FILE = 4096 };
typedef struct image {
    size_t size;
    unsigned char bytes[MAX_FILE];
} image;

/* A file as numpy.save writes it: the header is filled up with blanks and ends in a line end, so that
 * the array begins at a multiple of 64. */
static image make_file(unsigned version, const char *header, size_t size, const void *array) {
    image f = {0};
    const size_t digits = version == 1 ? 2 : 4, prefix = 8 + digits, text = strlen(header),
                 total = (prefix + text + 1 + 63) / 64 * 64, length = total - prefix;
    memcpy(f.bytes, "\x93NUMPY", 6);
    f.bytes[6] = (unsigned char)version;
    for (size_t j = 0; j < digits; ++j) f.bytes[8 + j] = (unsigned char)(length >> (8 * j));
    memset(f.bytes + prefix, ' ', length);
    memcpy(f.bytes + prefix, header, text);
    f.bytes[total - 1] = '\n';
    memcpy(f.bytes + total, array, size);
    f.size = total + size;
    return f;
}

static void write_file(const image *f) {
    FILE *file = fopen(path, "wb");
    cr_assert(file != NULL);
    cr_assert(eq(sz, fwrite(f->bytes, 1, f->size, file), f->size));
    cr_assert(eq(int, fclose(file), 0));
}

static kan_dataset *read_good(const image *f, const kan_read_options *options) {
    kan_error error = {0};
    write_file(f);
    kan_dataset *d = kan_npy_read(path, options, &error);
    cr_assert(d != NULL, "%s", error.message);
    return d;
}

static void read_bad(const image *f, const kan_read_options *options, kan_status status,
                     const char *text) {
    kan_error error = {0};
    write_file(f);
    cr_assert(kan_npy_read(path, options, &error) == NULL, "expected: %s", text);
    cr_assert(eq(int, error.status, status), "%s", error.message);
    cr_assert(strncmp(error.message, path, strlen(path)) == 0, "%s", error.message);
    cr_assert(strstr(error.message, text) != NULL, "'%s' is not in: %s", text, error.message);
}

static void check_numbers(size_t n, const double *values, const double *expected) {
    for (size_t j = 0; j < n; ++j)
        cr_assert(eq(dbl, values[j], expected[j]), "value %zu is %g", j, values[j]);
}

/* Reads the 2 x 2 array of that type; expected [4]. */
static void check_type(const char *descr, size_t size, const void *array, const double *expected) {
    char header[128];
    snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': (2, 2), }",
             descr);
    const image f = make_file(1, header, 4 * size, array);
    kan_dataset *d = read_good(&f, NULL);
    cr_assert(d->task == KAN_REGRESSION && d->input_names == NULL);
    const double found[4] = {d->x[0], d->y[0], d->x[1], d->y[1]};
    check_numbers(4, found, expected);
    kan_dataset_free(d);
}

/* The arrays are written by the compiler for this machine, which the library supports only where it is
 * little-endian, as the types say. */
Test(npy, every_type_of_number) {
    const uint16_t one = 1;
    if (*(const unsigned char *)&one != 1) {
        leave_folder(); /* which a skipped test does not */
        cr_skip_test("this machine is not little-endian");
    }
    check_type("|b1", 1, (uint8_t[]){0, 1, 1, 0}, (double[]){0, 1, 1, 0});
    check_type("|u1", 1, (uint8_t[]){0, 7, 128, 255}, (double[]){0, 7, 128, 255});
    check_type("|i1", 1, (int8_t[]){-128, -1, 0, 127}, (double[]){-128, -1, 0, 127});
    check_type("<u2", 2, (uint16_t[]){0, 258, 32768, 65535}, (double[]){0, 258, 32768, 65535});
    check_type("<i2", 2, (int16_t[]){-32768, -259, 0, 32767}, (double[]){-32768, -259, 0, 32767});
    check_type("<u4", 4, (uint32_t[]){0, 66051, 2147483648u, 4294967295u},
               (double[]){0, 66051, 2147483648.0, 4294967295.0});
    check_type("<i4", 4, (int32_t[]){INT32_MIN, -66052, 0, INT32_MAX},
               (double[]){-2147483648.0, -66052, 0, 2147483647.0});
    check_type("<u8", 8, (uint64_t[]){0, 1ull << 40, 1ull << 63, UINT64_MAX},
               (double[]){0, 0x1p40, 0x1p63, 0x1p64});
    check_type("<i8", 8, (int64_t[]){INT64_MIN, -(1ll << 40) - 5, 0, INT64_MAX},
               (double[]){-0x1p63, -0x1p40 - 5, 0, 0x1p63});
    check_type("<f4", 4, (float[]){-1.5f, 3.402823e38f, 1e-45f, 0.1f},
               (double[]){-1.5, (double)3.402823e38f, (double)1e-45f, (double)0.1f});
    check_type("<f8", 8, (double[]){-1.5, 1.7e308, 5e-324, 0.1},
               (double[]){-1.5, 1.7e308, 5e-324, 0.1});
}

static const double numbers[6] = {0.5, -2.385, 3.25, 4.125, 7.75, 1e-3};
#define F8 "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }"

Test(npy, every_version_of_the_format) {
    for (unsigned version = 1; version <= 3; ++version) {
        const image f = make_file(version, F8, sizeof numbers, numbers);
        kan_dataset *d = read_good(&f, NULL);
        cr_assert(eq(sz, d->n, 2));
        cr_assert(eq(sz, d->n_in, 2));
        check_numbers(4, d->x, (double[]){0.5, -2.385, 4.125, 7.75});
        check_numbers(2, d->y, (double[]){3.25, 1e-3});
        kan_dataset_free(d);
    }
}

/* Other ways to write the same dictionary; the keys of format version 1 may come in any order. */
Test(npy, headers_with_other_spacing) {
    static const char *const headers[] = {
        "{\"shape\":(2,3),\"fortran_order\":False,\"descr\":\"<f8\"}",
        "{'shape': (2L, 3L), 'descr': '<f8', 'fortran_order': False}",
        " { 'fortran_order' : False , 'descr' : '<f8' , 'shape' : ( 2 , 3 , ) , } \n"};
    for (size_t j = 0; j < 3; ++j) {
        const image f = make_file(1, headers[j], sizeof numbers, numbers);
        kan_dataset *d = read_good(&f, NULL);
        check_numbers(2, d->y, (double[]){3.25, 1e-3});
        kan_dataset_free(d);
    }
}

Test(npy, columns_may_come_first) {
    const double columns[6] = {0.5, 4.125, -2.385, 7.75, 3.25, 1e-3};
    const image f = make_file(1, "{'descr': '<f8', 'fortran_order': True, 'shape': (2, 3), }",
                              sizeof columns, columns);
    kan_dataset *d = read_good(&f, NULL);
    check_numbers(4, d->x, (double[]){0.5, -2.385, 4.125, 7.75});
    check_numbers(2, d->y, (double[]){3.25, 1e-3});
    kan_dataset_free(d);
}

Test(npy, compressed_files_are_read) {
    const image f = make_file(1, F8, sizeof numbers, numbers);
    gzFile file = gzopen(path, "wb");
    cr_assert(gzwrite(file, f.bytes, (unsigned)f.size) > 0);
    gzclose(file);
    kan_dataset *d = kan_npy_read(path, NULL, NULL);
    cr_assert(d != NULL);
    check_numbers(2, d->y, (double[]){3.25, 1e-3});
    kan_dataset_free(d);
}

Test(npy, target_weight_and_classes) {
    const double table[] = {3, 0.5, 1.5, -2, 2.5, 3.5, 10, 4.5, 5.5, 3, 6.5, 7.5};
    const image f = make_file(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (4, 3), }",
                              sizeof table, table);
    const kan_read_options options = {.target = "0", .weight = "2", .task = KAN_TASK_CLASSIFICATION};
    kan_dataset *d = read_good(&f, &options);
    cr_assert(eq(sz, d->n_out, 3));
    cr_assert(strcmp(d->class_names[0], "-2") == 0);
    cr_assert(strcmp(d->class_names[1], "3") == 0);
    cr_assert(strcmp(d->class_names[2], "10") == 0);
    check_numbers(4, d->y, (double[]){1, 0, 2, 1});
    check_numbers(4, d->x, (double[]){0.5, 2.5, 4.5, 6.5});
    check_numbers(4, d->weight, (double[]){1.5, 3.5, 5.5, 7.5});

    const double other[] = {9.5, 10};
    const image g = make_file(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2), }",
                              sizeof other, other);
    kan_dataset *like_it = read_good(&g, &(kan_read_options){.like = d});
    cr_assert(eq(sz, like_it->n_out, 3));
    check_numbers(1, like_it->y, (double[]){2});
    const double unknown[] = {9.5, 4};
    const image h = make_file(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2), }",
                              sizeof unknown, unknown);
    read_bad(&h, &(kan_read_options){.like = d}, KAN_EFORMAT,
             "row 0: column 1: '4' is not one of the known classes");
    kan_dataset_free(like_it);
    kan_dataset_free(d);
}

typedef struct bad_header {
    const char *header, *message;
} bad_header;

static const bad_header bad_headers[] = {
    {"{'descr': '>f8', 'fortran_order': False, 'shape': (2, 3), }", "numbers of type '>f8'"},
    {"{'descr': '|O', 'fortran_order': False, 'shape': (2, 3), }", "numbers of type '|O'"},
    {"{'descr': '<c16', 'fortran_order': False, 'shape': (2, 3), }", "numbers of type '<c16'"},
    {"{'descr': '', 'fortran_order': False, 'shape': (2, 3), }", "numbers of type ''"},
    {"{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (2, 3), }",
     "not that of a plain array"},
    {"{'descr': '<f8', 'fortran_order': False, 'shape': (6,), }", "1 dimensions, expected 2"},
    {"{'descr': '<f8', 'fortran_order': False, 'shape': (), }", "0 dimensions"},
    {"{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2, 3), }", "3 dimensions"},
    {"{'descr': '<f8', 'fortran_order': False, 'shape': (0, 3), }", "no rows"},
    {"{'descr': '<f8', 'fortran_order': False, 'shape': (2, 0), }", "no rows"},
    {"{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2), }", "the file goes on after the data"},
    {"{'descr': '<f8', 'fortran_order': False, 'shape': (3, 3), }",
     "the file ends after 48 of 72 bytes"},
    {"{'descr': '<f8', 'fortran_order': False, 'shape': (4611686018427387904, 4), }",
     "ends after 48 of"},
    {"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999, 1), }", "plain array"},
    {"{'descr': '<f8', 'fortran_order': False, 'shape': (-2, 3), }", "plain array"},
    {"{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3)", "plain array"},
    {"{'descr': '<f8', 'fortran_order': False}", "plain array"},
    {"{'descr': '<f8', 'shape': (2, 3)}", "plain array"},
    {"{'fortran_order': False, 'shape': (2, 3)}", "plain array"},
    {"{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (2, 3)}", "plain array"},
    {"{'descr': '<f8', 'fortran_order': 0, 'shape': (2, 3)}", "plain array"},
    {"{'descr': '<f8', 'other': 1, 'fortran_order': False, 'shape': (2, 3)}", "plain array"},
    {"{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3)} more", "plain array"},
    {"", "plain array"},
};

Test(npy, bad_headers_are_refused) {
    for (size_t j = 0; j < sizeof bad_headers / sizeof *bad_headers; ++j) {
        const image f = make_file(1, bad_headers[j].header, sizeof numbers, numbers);
        read_bad(&f, NULL, KAN_EFORMAT, bad_headers[j].message);
    }
}

Test(npy, numbers_that_are_not_finite_are_refused_with_the_place) {
    double table[6];
    memcpy(table, numbers, sizeof table);
    table[4] = NAN;
    image f = make_file(1, F8, sizeof table, table);
    read_bad(&f, NULL, KAN_ENONFINITE, "row 1: column 1: 'nan' is not finite");
    table[4] = 1.0, table[2] = -INFINITY;
    f = make_file(1, F8, sizeof table, table);
    read_bad(&f, NULL, KAN_ENONFINITE, "row 0: column 2: '-inf' is not finite");
}

Test(npy, columns_have_numbers_only) {
    const image f = make_file(1, F8, sizeof numbers, numbers);
    read_bad(&f, &(kan_read_options){.target = "y"}, KAN_EFORMAT, "no column 'y'");
    read_bad(&f, &(kan_read_options){.target = "3"}, KAN_EFORMAT, "only numbers 0 to 2");
    read_bad(&f, &(kan_read_options){.task = KAN_TASK_CLASSIFICATION}, KAN_EFORMAT,
             "row 0: column 2: '3.25' is not an integer");
}

Test(npy, a_file_cut_short_anywhere_is_refused) {
    for (unsigned version = 1; version <= 2; ++version) {
        image f = make_file(version, F8, sizeof numbers, numbers);
        for (size_t size = f.size; size-- > 0;) {
            f.size = size;
            read_bad(&f, NULL, KAN_EFORMAT, "the file ends after");
        }
    }
}

Test(npy, other_files_are_refused) {
    image f = make_file(1, F8, sizeof numbers, numbers);
    f.bytes[1] = 'n';
    read_bad(&f, NULL, KAN_EFORMAT, "not a .npy file");
    f = make_file(1, F8, sizeof numbers, numbers);
    f.bytes[6] = 4;
    read_bad(&f, NULL, KAN_EFORMAT, "version 4.0 is unknown");
    f.bytes[6] = 1, f.bytes[7] = 1;
    read_bad(&f, NULL, KAN_EFORMAT, "version 1.1 is unknown");
    f = make_file(2, F8, sizeof numbers, numbers);
    memset(f.bytes + 8, 0xff, 4); /* a header of 4 GB: asks for no more memory than there are bytes */
    read_bad(&f, NULL, KAN_EFORMAT, "of 4294967295 bytes");
    unlink(path);
    kan_error error = {0};
    cr_assert(kan_npy_read(path, NULL, &error) == NULL);
    cr_assert(eq(int, error.status, KAN_EIO));
}

static kan_status try_to_read(void *context) {
    kan_error error = {0};
    kan_dataset *d = kan_npy_read(path, context, &error);
    kan_dataset_free(d);
    return error.status;
}

Test(npy, every_failed_allocation_is_told_and_leaks_nothing) {
    const double table[6] = {0.5, 1.5, 3, 4.5, 5.5, -3};
    const image f = make_file(1, F8, sizeof table, table);
    write_file(&f);
    cr_assert(alloc_fail_every(try_to_read, NULL) > 10);
    cr_assert(alloc_fail_every(try_to_read, &(kan_read_options){.task = KAN_TASK_CLASSIFICATION}) > 15);
}
