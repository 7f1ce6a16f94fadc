/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zlib.h>

#include "core/random.h"
#include "core/work.h"
#include "tests/support/alloc.h"
#include "train/csv.h"

/* Every test has one file in a directory of its own; with_name() gives the file another name. */
static char folder[64], path[128];

static void with_name(const char *name) {
    unlink(path);
    snprintf(path, sizeof path, "%s/%s", folder, name);
}

static void enter_folder(void) {
    strcpy(folder, "/tmp/kan_csv_XXXXXX");
    cr_assert(mkdtemp(folder) != NULL);
    with_name("table.csv");
}

static void leave_folder(void) {
    unlink(path);
    rmdir(folder);
}

TestSuite(csv, .init = enter_folder, .fini = leave_folder);

static void write_bytes(size_t n, const void *bytes) {
    FILE *file = fopen(path, "wb");
    cr_assert(file != NULL);
    cr_assert(eq(sz, fwrite(bytes, 1, n, file), n));
    cr_assert(eq(int, fclose(file), 0));
}

static void write_text(const char *text) {
    write_bytes(strlen(text), text);
}

/* Reads a table that is good. */
static kan_dataset *read_good(const char *text, const kan_read_options *options) {
    kan_error error = {0};
    write_text(text);
    kan_dataset *d = kan_csv_read(path, options, &error);
    cr_assert(d != NULL, "%s", error.message);
    return d;
}

/* Reads a table that is bad; the message must begin with its path and hold the text. */
static void read_bad(const char *table, const kan_read_options *options, kan_status status,
                     const char *text) {
    kan_error error = {0};
    write_text(table);
    cr_assert(kan_csv_read(path, options, &error) == NULL, "read: %s", table);
    cr_assert(eq(int, error.status, status), "%s", error.message);
    cr_assert(strncmp(error.message, path, strlen(path)) == 0, "%s", error.message);
    cr_assert(strstr(error.message, text) != NULL, "'%s' is not in: %s", text, error.message);
    cr_assert(strchr(error.message, '\n') == NULL);
    cr_assert(kan_csv_read(path, options, NULL) == NULL); /* no error struct, no crash */
}

static void check_numbers(size_t n, const double *values, const double *expected) {
    for (size_t j = 0; j < n; ++j)
        cr_assert(eq(dbl, values[j], expected[j]), "value %zu is %g", j, values[j]);
}

static void check_names(size_t n, char **names, const char *const *expected) {
    cr_assert(names != NULL);
    for (size_t j = 0; j < n; ++j) cr_assert(strcmp(names[j], expected[j]) == 0, "%s", names[j]);
}

/* ---- records ----------------------------------------------------------------------------------------
 */

/* Asserts the next record of csv: its line, and its cells joined by '|'. */
static void check_record(kan_csv *csv, kan_csv_record *record, size_t line, const char *expected) {
    kan_error error = {0};
    char joined[256] = "";
    cr_assert(eq(int, kan_csv_next(csv, record, &error), KAN_OK), "%s", error.message);
    for (size_t j = 0; j < record->n; ++j) {
        if (j) strcat(joined, "|");
        strcat(joined, kan_csv_cells(record)[j].text);
    }
    cr_assert(strcmp(joined, expected) == 0, "cells are %s, not %s", joined, expected);
    cr_assert(eq(sz, record->line, line));
}

Test(csv, records_of_every_dialect) {
    write_text("\xef\xbb\xbf"
               "a, b c ,\"d\"\"e\"\r\n"
               "\r\n"
               " , ,\r\n"
               "\"1,5\", \" 2\r\n3\" ,\r"
               "4\"5,\"\",6\n"
               "\n"
               ",,\n"
               "x,y,z");
    kan_csv *csv = kan_csv_open(path, NULL);
    kan_csv_record record = {0};
    check_record(csv, &record, 1, "a|b c|d\"e");
    check_record(csv, &record, 4, "1,5| 2\n3|");
    check_record(csv, &record, 6, "4\"5||6");
    check_record(csv, &record, 9, "x|y|z");
    for (int again = 0; again < 2; ++again) {
        cr_assert(eq(int, kan_csv_next(csv, &record, NULL), KAN_OK));
        cr_assert(eq(sz, record.n, 0));
    }
    kan_csv_record_clear(&record);
    kan_csv_close(csv);
}

/* The delimiter of a first line, seen in how many cells it has. */
static void check_delimiter(const char *name, const char *first_line, size_t n_cells) {
    with_name(name);
    write_text(first_line);
    kan_csv *csv = kan_csv_open(path, NULL);
    kan_csv_record record = {0};
    cr_assert(eq(int, kan_csv_next(csv, &record, NULL), KAN_OK));
    cr_assert(eq(sz, record.n, n_cells), "%s", first_line);
    kan_csv_record_clear(&record);
    kan_csv_close(csv);
}

Test(csv, the_delimiter_shows_in_the_first_line) {
    check_delimiter("a.csv", "a,b;c\td", 2);
    check_delimiter("a.csv", "a;b c;\"d,e\"", 3);
    check_delimiter("a.csv", "a\tb;c\td", 3);
    check_delimiter("a.csv", "a;b\n1,2,3,4\n", 2);
    check_delimiter("a.tsv", "a,b\tc,d", 2);
    check_delimiter("a.TSV.gz", "a,b\tc,d", 2); /* not compressed: read all the same */
    check_delimiter("a.csv", "alone", 1);
}

/* A cell longer than every buffer, and many rows: more than one buffer of bytes. */
Test(csv, long_cells_and_files) {
    enum { LENGTH = 200000, ROWS = 30000 };
    FILE *file = fopen(path, "w");
    fprintf(file, "x,");
    for (int j = 0; j < LENGTH; ++j) fputc('a' + j % 26, file);
    fprintf(file, "\r\n");
    for (int s = 0; s < ROWS; ++s) fprintf(file, "%d,%.17g\r\n", s, s / 7.0);
    fclose(file);
    kan_dataset *d = kan_csv_read(path, NULL, NULL);
    cr_assert(d != NULL);
    cr_assert(eq(sz, d->n, ROWS));
    cr_assert(eq(sz, strlen(d->target_names[0]), LENGTH));
    for (size_t s = 0; s < ROWS; ++s) {
        cr_assert(eq(dbl, d->x[s], (double)s));
        cr_assert(eq(dbl, d->y[s], (double)s / 7.0)); /* 17 digits are enough for every double */
    }
    kan_dataset_free(d);
}

Test(csv, compressed_or_not_the_same) {
    const char *text = "a,b\n1.25,-3e-2\n0x1p-3,7\n";
    with_name("table.csv.gz");
    gzFile file = gzopen(path, "wb");
    cr_assert(gzwrite(file, text, (unsigned)strlen(text)) > 0);
    gzclose(file);
    kan_dataset *d = kan_csv_read(path, NULL, NULL);
    cr_assert(d != NULL);
    check_numbers(2, d->x, (double[]){1.25, 0.125});
    check_numbers(2, d->y, (double[]){-0.03, 7});
    kan_dataset_free(d);
}

/* A compressed table cut short at every byte: never read, never a crash. Two bytes are needed to see
 * that the file is compressed at all. */
Test(csv, a_compressed_file_cut_short_is_refused) {
    with_name("table.csv.gz");
    gzFile file = gzopen(path, "wb");
    for (int s = 0; s < 200; ++s) gzprintf(file, "%d,%d\n", s * s, s);
    gzclose(file);
    static unsigned char bytes[8192];
    FILE *whole = fopen(path, "rb");
    const size_t size = fread(bytes, 1, sizeof bytes, whole);
    fclose(whole);
    cr_assert(size > 100 && size < sizeof bytes);
    for (size_t n = 2; n < size; ++n) {
        kan_error error = {0};
        write_bytes(n, bytes);
        cr_assert(kan_csv_read(path, NULL, &error) == NULL, "%zu of %zu bytes", n, size);
        cr_assert(eq(int, error.status, KAN_EFORMAT), "%s", error.message);
        cr_assert(strstr(error.message, "compressed data are cut short") != NULL, "%zu: %s", n,
                  error.message);
    }
    bytes[size - 6] ^= 0x40; /* of the checksum */
    write_bytes(size, bytes);
    kan_error error = {0};
    cr_assert(kan_csv_read(path, NULL, &error) == NULL);
    cr_assert(strstr(error.message, "damaged") != NULL, "%s", error.message);
}

Test(csv, a_missing_file_and_a_directory_are_named) {
    kan_error error = {0};
    cr_assert(kan_csv_read(path, NULL, &error) == NULL);
    cr_assert(eq(int, error.status, KAN_EIO));
    cr_assert(strstr(error.message, path) && strstr(error.message, "No such file"), "%s",
              error.message);
    error = (kan_error){0};
    cr_assert(kan_csv_read(folder, NULL, &error) == NULL);
    cr_assert(eq(int, error.status, KAN_EIO));
    cr_assert(strstr(error.message, folder) && strstr(error.message, "directory"), "%s", error.message);
}

/* ---- headers ----------------------------------------------------------------------------------------
 */

Test(csv, a_header_names_the_columns) {
    kan_dataset *d = read_good("x1 ,\"x,2\",,y\n1,2,3,4\n5,6,7,8\n", NULL);
    cr_assert(eq(sz, d->n, 2));
    cr_assert(eq(sz, d->n_in, 3));
    cr_assert(eq(sz, d->n_out, 1));
    cr_assert(d->task == KAN_REGRESSION && !d->weight && !d->class_names && !d->bytes);
    check_names(3, d->input_names, (const char *[]){"x1", "x,2", "column_2"});
    check_names(1, d->target_names, (const char *[]){"y"});
    check_numbers(6, d->x, (double[]){1, 2, 3, 5, 6, 7});
    check_numbers(2, d->y, (double[]){4, 8});
    kan_dataset_free(d);
}

Test(csv, numbers_alone_have_no_header) {
    kan_dataset *d = read_good("1,2,3\n 4 , +5.5e0 , -6 \n\n,,\n", NULL);
    cr_assert(eq(sz, d->n, 2));
    cr_assert(d->input_names == NULL && d->target_names == NULL);
    check_numbers(4, d->x, (double[]){1, 2, 4, 5.5});
    check_numbers(2, d->y, (double[]){3, -6});
    kan_dataset_free(d);
}

/* The first row has text in the target's cell only. */
Test(csv, a_class_in_the_first_row_is_no_header) {
    kan_dataset *d = read_good("5.1,3.5,setosa\n7.0,3.2,versicolor\n", NULL);
    cr_assert(eq(sz, d->n, 2));
    cr_assert(d->task == KAN_CLASSIFICATION && !d->input_names);
    check_names(2, d->class_names, (const char *[]){"setosa", "versicolor"});
    kan_dataset_free(d);

    d = read_good("red,1,2\nblue,3,4\n", &(kan_read_options){.target = "0"});
    cr_assert(eq(sz, d->n, 2));
    check_numbers(2, d->y, (double[]){1, 0});
    kan_dataset_free(d);

    d = read_good("5.1,3.5,setosa\n", NULL); /* one row */
    cr_assert(eq(sz, d->n, 1));
    kan_dataset_free(d);
}

Test(csv, columns_named_by_numbers_and_a_named_target_are_a_header) {
    kan_dataset *d = read_good("0,1,y\n5.1,3.5,2\n", NULL);
    cr_assert(eq(sz, d->n, 1));
    check_names(2, d->input_names, (const char *[]){"0", "1"});
    kan_dataset_free(d);

    d = read_good("0,1,kind\n5.1,3.5,a\n5.2,3.5,b\n", &(kan_read_options){.target = "kind"});
    cr_assert(eq(sz, d->n, 2));
    check_names(1, d->target_names, (const char *[]){"kind"});
    kan_dataset_free(d);

    d = read_good("x,1,2\n5.1,3.5,2\n", NULL); /* text in an input's cell */
    cr_assert(eq(sz, d->n, 1));
    kan_dataset_free(d);
}

/* ---- targets, weights, classes ----------------------------------------------------------------------
 */

Test(csv, target_and_weight_by_name_or_number) {
    const char *text = "a,b,c,d\n1,2,3,4\n5,6,7,8\n";
    static const kan_read_options options[] = {
        {.target = "b", .weight = "c"}, {.target = "1", .weight = "2"}, {.target = "b", .weight = "2"}};
    for (size_t j = 0; j < 3; ++j) {
        kan_dataset *d = read_good(text, &options[j]);
        check_numbers(4, d->x, (double[]){1, 4, 5, 8});
        check_numbers(2, d->y, (double[]){2, 6});
        check_numbers(2, d->weight, (double[]){3, 7});
        check_names(2, d->input_names, (const char *[]){"a", "d"});
        kan_dataset_free(d);
    }
    /* the default is the last column that is not the weight */
    kan_dataset *d = read_good(text, &(kan_read_options){.weight = "d"});
    check_numbers(2, d->y, (double[]){3, 7});
    kan_dataset_free(d);
}

Test(csv, integer_classes_are_sorted_as_numbers) {
    kan_dataset *d = read_good("x,y\n1,10\n2,-2\n3,9.0\n4,-12\n5, -0\n6,1e1\n",
                               &(kan_read_options){.task = KAN_TASK_CLASSIFICATION});
    cr_assert(d->task == KAN_CLASSIFICATION);
    cr_assert(eq(sz, d->n_out, 5));
    check_names(5, d->class_names, (const char *[]){"-12", "-2", "0", "9", "10"});
    check_numbers(6, d->y, (double[]){4, 1, 3, 0, 2, 4});
    kan_dataset_free(d);
}

Test(csv, text_classes_are_sorted_by_bytes) {
    kan_dataset *d = read_good("x,y\n1,b\n2,\xc3\xa9\n3,B\n4,\"a b\"\n5,b\n", NULL);
    cr_assert(eq(sz, d->n_out, 4));
    check_names(4, d->class_names, (const char *[]){"B", "a b", "b", "\xc3\xa9"});
    check_numbers(5, d->y, (double[]){2, 3, 0, 1, 2});
    kan_dataset_free(d);

    /* asked for, a mixture is text; "10" stands before "9" */
    d = read_good("x,y\n1,9\n2,10\n3,other\n4,1.5\n",
                  &(kan_read_options){.task = KAN_TASK_CLASSIFICATION});
    check_names(4, d->class_names, (const char *[]){"1.5", "10", "9", "other"});
    check_numbers(4, d->y, (double[]){2, 1, 3, 0});
    kan_dataset_free(d);
}

Test(csv, as_many_classes_as_are_allowed_and_one_more) {
    for (size_t extra = 0; extra < 2; ++extra) {
        const size_t n = KAN_TABLE_MAX_CLASSES + extra;
        FILE *file = fopen(path, "w");
        for (size_t s = 0; s < n; ++s) fprintf(file, "1,%zu\n", (s * 7919) % n); /* 7919 is prime */
        fclose(file);
        kan_error error = {0};
        kan_dataset *d = kan_csv_read(path, &(kan_read_options){.task = KAN_TASK_CLASSIFICATION},
                                      &error);
        cr_assert(extra ? d == NULL : d != NULL, "%s", error.message);
        for (size_t s = 0; d && s < n; ++s) cr_assert(eq(dbl, d->y[s], (double)((s * 7919) % n)));
        if (!d) cr_assert(strstr(error.message, "65536 classes") != NULL, "%s", error.message);
        kan_dataset_free(d);
    }
}

Test(csv, the_locale_of_the_thread_stays) {
    const locale_t before = uselocale((locale_t)0);
    kan_dataset_free(read_good("a,b\n1.5,2.25\n", NULL));
    cr_assert(uselocale((locale_t)0) == before);
}

Test(csv, numbers_are_read_in_the_c_locale_whatever_the_program_set) {
    static const char *const candidates[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE"};
    bool set = false;
    for (size_t j = 0; j < 4 && !set; ++j) set = setlocale(LC_ALL, candidates[j]) != NULL;
    if (!set) {
        leave_folder(); /* which a skipped test does not */
        cr_skip_test("no locale with a decimal comma is installed");
    }
    cr_assert(strtod("1,5", NULL) == 1.5);
    kan_dataset *d = read_good("a,b\n1.5,2.25\n", NULL);
    check_numbers(1, d->x, (double[]){1.5});
    cr_assert(strtod("1,5", NULL) == 1.5); /* the caller's locale is back */
    kan_dataset_free(d);
}

/* ---- like -------------------------------------------------------------------------------------------
 */

Test(csv, like_finds_columns_by_name_in_any_order) {
    kan_dataset *like = read_good("a,b,y\n1,2,no\n3,4,yes\n", NULL);
    kan_dataset *d = read_good("note,y,b,a\nany text,yes,20,10\nand more,no,40,30\n",
                               &(kan_read_options){.like = like});
    check_numbers(4, d->x, (double[]){10, 20, 30, 40});
    check_numbers(2, d->y, (double[]){1, 0});
    check_names(2, d->input_names, (const char *[]){"a", "b"});
    check_names(2, d->class_names, (const char *[]){"no", "yes"});
    cr_assert(eq(sz, d->n_out, 2)); /* also when a class does not occur */
    kan_dataset_free(d);

    const kan_read_options options = {.like = like};
    read_bad("a,c,y\n1,2,no\n", &options, KAN_EFORMAT, "no column 'b'; the columns are a, c, y");
    read_bad("a,b\n1,2\n", &options, KAN_EFORMAT, "no column 'y'");
    read_bad("a,b,y\n1,2,no\n3,4,maybe\n", &options, KAN_EFORMAT,
             "line 3: column 'y': 'maybe' is not one of the known classes");
    kan_dataset_free(like);
}

Test(csv, like_takes_columns_by_position_without_a_header) {
    kan_dataset *like = read_good("a,b,y\n1,2,3\n", NULL);
    const kan_read_options strict = {.like = like}, optional = {.like = like, .target_optional = true},
                           first = {.like = like, .target = "0"};
    kan_dataset *d = read_good("4,5,6\n", &strict);
    check_numbers(2, d->x, (double[]){4, 5});
    check_numbers(1, d->y, (double[]){6});
    check_names(2, d->input_names, (const char *[]){"a", "b"});
    kan_dataset_free(d);
    d = read_good("4,5,6\n", &first);
    check_numbers(2, d->x, (double[]){5, 6});
    check_numbers(1, d->y, (double[]){4});
    kan_dataset_free(d);
    d = read_good("4,5\n", &optional);
    check_numbers(2, d->x, (double[]){4, 5});
    cr_assert(isnan(d->y[0]));
    kan_dataset_free(d);
    d = read_good("4,5,6\n", &optional);
    check_numbers(1, d->y, (double[]){6});
    kan_dataset_free(d);
    read_bad("4,5\n", &strict, KAN_EFORMAT, "2 columns where 2 inputs and 1 target are expected");
    read_bad("4,5,6,7\n", &optional, KAN_EFORMAT, "4 columns");
    kan_dataset_free(like);
}

Test(csv, the_target_may_be_missing_where_that_is_allowed) {
    kan_dataset *like = read_good("a,b,y\n1,2,no\n3,4,yes\n", NULL);
    kan_dataset *d = read_good("b,a\n20,10\n",
                               &(kan_read_options){.like = like, .target_optional = true});
    check_numbers(2, d->x, (double[]){10, 20});
    check_numbers(1, d->y, (double[]){0});
    cr_assert(d->task == KAN_CLASSIFICATION);
    kan_dataset_free(d);
    kan_dataset_free(like);
}

/* More than one target, as a library user may fill in by hand. */
Test(csv, like_may_have_several_targets) {
    kan_dataset *like = kan_dataset_alloc(KAN_REGRESSION, 0, 1, 2, false);
    kan_dataset *d = read_good("1,2,3\n4,5,6\n", &(kan_read_options){.like = like});
    check_numbers(2, d->x, (double[]){1, 4});
    check_numbers(4, d->y, (double[]){2, 3, 5, 6});
    kan_dataset_free(d);
    kan_dataset_free(like);
}

/* ---- bad tables -------------------------------------------------------------------------------------
 */

typedef struct bad_table {
    const char *text, *message;
    kan_status status;
    kan_read_options options;
} bad_table;

static const bad_table bad_tables[] = {
    {"", "no rows", KAN_EFORMAT, {0}},
    {"\n\n,,\n", "no rows", KAN_EFORMAT, {0}},
    {"a,b\n", "no rows", KAN_EFORMAT, {0}},
    {"a\n1\n", "1 columns leave none for an input", KAN_EFORMAT, {0}},
    {"a,b\n1,2\n3\n", "line 3: 1 cells, expected 2", KAN_EFORMAT, {0}},
    {"a,b\n\n1,2\n3,4,5\n", "line 4: 3 cells, expected 2", KAN_EFORMAT, {0}},
    {"a,b\n\"1\n\",2\n3,4,5\n", "line 4: 3 cells", KAN_EFORMAT, {0}},
    {"a,b\n1,2\nx,4\n", "line 3: column 'a': 'x' is not a number", KAN_EFORMAT, {0}},
    {"1,2\n3x,4\n", "line 2: column 0: '3x' is not a number", KAN_EFORMAT, {0}},
    {"a;b\n1,5;2\n", "line 2: column 'a': '1,5' is not a number", KAN_EFORMAT, {0}},
    {"a,b\n1,2\n3,x\n", "line 3: column 'b': 'x' is not a number", KAN_EFORMAT, {0}},
    {"a,b\n1,x\n3,2\n", "line 3: column 'b': '2' is a number among texts", KAN_EFORMAT, {0}},
    {"a,b\n1,\n", "line 2: column 'b': '' is an empty cell", KAN_ENONFINITE, {0}},
    {"a,b\n1,c\n,c\n", "line 3: column 'a': '' is an empty cell", KAN_ENONFINITE, {0}},
    {"a,b\n1,c\n2,\n", "line 3: column 'b': '' is an empty cell", KAN_ENONFINITE, {0}},
    {"a,b\n1,nan\n", "line 2: column 'b': 'nan' is not finite", KAN_ENONFINITE, {0}},
    {"a,b\n1,c\n2,NaN\n", "line 3: column 'b': 'NaN' is not finite", KAN_ENONFINITE, {0}},
    {"a,b\n-inf,1\n", "line 2: column 'a': '-inf' is not finite", KAN_ENONFINITE, {0}},
    {"a,b\n1e999,1\n", "line 2: column 'a': '1e999' is not finite", KAN_ENONFINITE, {0}},
    {"a,b\n1,\"2\n", "line 2: column 1: the closing quote is missing", KAN_EFORMAT, {0}},
    {"a,b\n\"1\"2,3\n", "line 2: column 0: there is text behind the closing quote", KAN_EFORMAT, {0}},
    {"a,b,a\n1,2,3\n", "two columns are called 'a'", KAN_EFORMAT, {0}},
    {"\xe4,b\n1,2\n", "column 0 is not UTF-8", KAN_EFORMAT, {0}},
    {"a,b\n1,\xc3\x28\n", "line 2: column 'b': '?(' is not UTF-8", KAN_EFORMAT, {0}},
    {"a,b\n1,2\n", "no column 'c'; the columns are a, b", KAN_EFORMAT, {.target = "c"}},
    {"a,b\n1,2\n", "no column '2'; the columns are a, b", KAN_EFORMAT, {.target = "2"}},
    {"1,2\n3,4\n",
     "no column 'c': the columns have no names, only numbers 0 to 1",
     KAN_EFORMAT,
     {.target = "c"}},
    {"a,b,w\n1,2,3\n", "no column 'v'", KAN_EFORMAT, {.weight = "v"}},
    {"a,b,w\n1,2,3\n",
     "column 'w' is both target and weight",
     KAN_EFORMAT,
     {.target = "w", .weight = "w"}},
    {"a,b,w\n1,2,3\n1,2,0\n",
     "line 3: column 'w': '0' is not a positive weight",
     KAN_EFORMAT,
     {.weight = "w"}},
    {"a,b,w\n1,2,-1\n",
     "line 2: column 'w': '-1' is not a positive weight",
     KAN_EFORMAT,
     {.weight = "w"}},
    {"a,b,w\n1,2,inf\n", "line 2: column 'w': 'inf' is not finite", KAN_ENONFINITE, {.weight = "w"}},
    {"a,w\n1,2\n", "2 columns leave none for an input", KAN_EFORMAT, {.weight = "w"}},
    {"a,b\n1,2\n2,x\n",
     "line 3: column 'b': 'x' is not a number",
     KAN_EFORMAT,
     {.task = KAN_TASK_REGRESSION}},
    {"a,b\n1,2\n2,2.5\n3,1e17\n",
     "line 3: column 'b': '2.5' is not an integer",
     KAN_EFORMAT,
     {.task = KAN_TASK_CLASSIFICATION}},
    {"a,b\n1,2\n2,1e17\n",
     "line 3: column 'b': '1e17' is not an integer",
     KAN_EFORMAT,
     {.task = KAN_TASK_CLASSIFICATION}},
    {"a,b\n1,\"two\nlines\"\n2,3\n",
     "line 4: column 'b': '3' is a number among texts",
     KAN_EFORMAT,
     {0}},
    {"a,b\n\"two\nlines\",2\n", "line 2: column 'a': 'two?lines' is not a number", KAN_EFORMAT, {0}},
};

Test(csv, bad_tables_are_refused_with_the_place) {
    for (size_t j = 0; j < sizeof bad_tables / sizeof *bad_tables; ++j)
        read_bad(bad_tables[j].text, &bad_tables[j].options, bad_tables[j].status,
                 bad_tables[j].message);
}

Test(csv, a_zero_byte_is_refused) {
    kan_error error = {0};
    write_bytes(10, "a,b\n1,\0"
                    "2\n");
    cr_assert(kan_csv_read(path, NULL, &error) == NULL);
    cr_assert(strstr(error.message, "line 2: column 1: a zero byte") != NULL, "%s", error.message);
}

Test(csv, a_long_list_of_columns_is_cut) {
    char text[4096] = "";
    for (int c = 0; c < 200; ++c) sprintf(text + strlen(text), "%scolumn%03d", c ? "," : "", c);
    strcat(text, "\n");
    read_bad(text, &(kan_read_options){.target = "y"}, KAN_EFORMAT, "column000, column001");
}

/* Random bytes of the format's alphabet strewn over a good table: no crash, and an error names the
 * file. */
Test(csv, random_texts_are_read_or_refused) {
    static const char alphabet[] = "0123456789.,,,,\n\n\n\"\r; \tabe-+\xef\xbb\xbf\xc3";
    kan_random random = kan_random_seed(17, 0);
    size_t good = 0, bad = 0;
    for (int round = 0; round < 3000; ++round) {
        char text[] = "1,2.5,3\n-4,5e1,6\n\"7\",8, 9\n";
        const size_t n = kan_random_below(&random, sizeof text);
        for (size_t j = kan_random_below(&random, 8); j-- > 0;)
            text[kan_random_below(&random, sizeof text - 1)] =
                alphabet[kan_random_below(&random, sizeof alphabet - 1)];
        write_bytes(n, text);
        kan_error error = {0};
        kan_dataset *d = kan_csv_read(path, NULL, &error);
        cr_assert(d ? error.status == KAN_OK : error.status != KAN_OK);
        for (size_t s = 0; d && s < d->n * d->n_in; ++s) cr_assert(isfinite(d->x[s]));
        if (!d) cr_assert(strncmp(error.message, path, strlen(path)) == 0);
        good += d != NULL, bad += d == NULL;
        kan_dataset_free(d);
    }
    cr_assert(good > 500 && bad > 500, "%zu good, %zu bad", good, bad);
}

/* ---- memory -----------------------------------------------------------------------------------------
 */

static kan_status try_to_read(void *context) {
    kan_error error = {0};
    kan_dataset *d = kan_csv_read(path, context, &error);
    kan_dataset_free(d);
    return error.status;
}

Test(csv, every_failed_allocation_is_told_and_leaks_nothing) {
    write_text("a,b,w,y\n1,2,3,p\n4,5,6,q\n");
    cr_assert(alloc_fail_every(try_to_read, &(kan_read_options){.weight = "w"}) > 20);
    kan_dataset *like = kan_csv_read(path, &(kan_read_options){.weight = "w"}, NULL);
    cr_assert(like != NULL);
    cr_assert(alloc_fail_every(try_to_read, &(kan_read_options){.like = like}) > 15);
    kan_dataset_free(like);
    write_text("1,2,3\n4,5,6\n");
    cr_assert(alloc_fail_every(try_to_read, NULL) > 8);
}
