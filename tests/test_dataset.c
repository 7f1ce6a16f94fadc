/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/work.h"
#include "tests/support/alloc.h"
#include "train/dataset.h"

/* Every test has one file in a directory of its own. */
static char folder[64], path[128];

static void with_name(const char *name) {
    unlink(path);
    snprintf(path, sizeof path, "%s/%s", folder, name);
}

static void enter_folder(void) {
    strcpy(folder, "/tmp/kan_dataset_XXXXXX");
    cr_assert(mkdtemp(folder) != NULL);
    with_name("file.csv");
}

static void leave_folder(void) {
    unlink(path);
    rmdir(folder);
}

TestSuite(dataset, .init = enter_folder, .fini = leave_folder);

static void write_text(const char *text) {
    FILE *file = fopen(path, "wb");
    cr_assert(file != NULL);
    cr_assert(fputs(text, file) >= 0);
    cr_assert(eq(int, fclose(file), 0));
}

/* n new texts. */
static char **make_names(size_t n, const char *const *texts) {
    char **names = calloc(n, sizeof *names);
    for (size_t j = 0; j < n; ++j) names[j] = strdup(texts[j]);
    return names;
}

/* ---- rows -------------------------------------------------------------------------------------------
 */

/* Five samples of two inputs and two targets, all numbers different. */
static kan_dataset *make_small(void) {
    kan_dataset *d = kan_dataset_alloc(KAN_REGRESSION, 5, 2, 2, false);
    cr_assert(d != NULL);
    for (size_t j = 0; j < 10; ++j) d->x[j] = 0.37 + (double)j, d->y[j] = -1.21 * (double)j - 7.0;
    d->weight = kan_work_alloc(5);
    for (size_t s = 0; s < 5; ++s) d->weight[s] = 0.5 + (double)s;
    d->input_names = make_names(2, (const char *[]){"a", "b"});
    return d;
}

Test(dataset, a_new_one_is_zero) {
    kan_dataset *d = kan_dataset_alloc(KAN_CLASSIFICATION, 3, 2, 4, true);
    cr_assert(d->x == NULL && d->weight == NULL && d->input_names == NULL && d->class_names == NULL);
    cr_assert(eq(sz, kan_dataset_y_width(d), 1));
    for (size_t j = 0; j < 6; ++j) cr_assert(eq(u8, d->bytes[j], 0));
    for (size_t s = 0; s < 3; ++s) cr_assert(eq(dbl, d->y[s], 0.0));
    kan_dataset_free(d);
    cr_assert(kan_dataset_alloc(KAN_REGRESSION, (size_t)1 << 40, (size_t)1 << 40, 1, false) == NULL);
    cr_assert(kan_dataset_alloc(KAN_REGRESSION, (size_t)1 << 40, (size_t)1 << 40, 1, true) == NULL);
    kan_dataset_free(NULL);
}

Test(dataset, select_takes_rows_with_weights_and_names) {
    kan_dataset *d = make_small();
    const size_t rows[] = {4, 0, 4};
    kan_dataset *part = kan_dataset_select(d, 3, rows);
    cr_assert(eq(sz, part->n, 3));
    for (size_t s = 0; s < 3; ++s) {
        for (size_t j = 0; j < 2; ++j) {
            cr_assert(eq(dbl, part->x[2 * s + j], d->x[2 * rows[s] + j]));
            cr_assert(eq(dbl, part->y[2 * s + j], d->y[2 * rows[s] + j]));
        }
        cr_assert(eq(dbl, part->weight[s], d->weight[rows[s]]));
    }
    cr_assert(strcmp(part->input_names[1], "b") == 0 && part->input_names[1] != d->input_names[1]);
    cr_assert(part->target_names == NULL && part->class_names == NULL);
    kan_dataset_free(part);
    kan_dataset_free(d);
}

Test(dataset, a_batch_is_gathered_by_list_or_in_order) {
    kan_dataset *d = make_small();
    const size_t rows[] = {3, 1};
    double x[4], y[4], weight[2];
    for (size_t j = 0; j < 4; ++j) x[j] = y[j] = weight[j / 2] = NAN;
    kan_dataset_batch(d, 77, 2, rows, x, y, weight);
    for (size_t j = 0; j < 4; ++j) {
        cr_assert(eq(dbl, x[j], d->x[2 * rows[j / 2] + j % 2]));
        cr_assert(eq(dbl, y[j], d->y[2 * rows[j / 2] + j % 2]));
        cr_assert(eq(dbl, weight[j / 2], d->weight[rows[j / 2]]));
    }
    kan_work_free(d->weight);
    d->weight = NULL;
    alloc_count_begin();
    kan_dataset_batch(d, 3, 2, NULL, x, y, weight);
    cr_assert(eq(sz, alloc_count_end(), 0));
    for (size_t j = 0; j < 4; ++j) {
        cr_assert(eq(dbl, x[j], d->x[6 + j]));
        cr_assert(eq(dbl, y[j], d->y[6 + j]));
        cr_assert(eq(dbl, weight[j / 2], 1.0));
    }
    kan_dataset_batch(d, 0, 2, NULL, x, y, NULL);
    cr_assert(eq(dbl, x[3], d->x[3]));
    kan_dataset_free(d);
}

Test(dataset, bytes_are_selected_as_bytes) {
    kan_dataset *d = kan_dataset_alloc(KAN_CLASSIFICATION, 3, 2, 2, true);
    for (size_t j = 0; j < 6; ++j) d->bytes[j] = (uint8_t)(40 * j + 3);
    d->y[2] = 1.0;
    kan_dataset *part = kan_dataset_select(d, 1, (size_t[]){2});
    cr_assert(eq(u8, part->bytes[1], 203));
    cr_assert(eq(dbl, part->y[0], 1.0));
    cr_assert(part->x == NULL);
    kan_dataset_free(part);
    kan_dataset_free(d);
}

/* ---- splits -----------------------------------------------------------------------------------------
 */

/* A classification data set with count[c] rows of class c, the classes in a seeded mixture. */
static kan_dataset *make_classes(size_t n_classes, const size_t *count) {
    size_t n = 0, k = 0;
    for (size_t c = 0; c < n_classes; ++c) n += count[c];
    kan_dataset *d = kan_dataset_alloc(KAN_CLASSIFICATION, n, 1, n_classes, false);
    size_t *place = calloc(n, sizeof *place);
    kan_random random = kan_random_seed(99, 0);
    for (size_t s = 0; s < n; ++s) place[s] = s;
    kan_random_shuffle(&random, n, place);
    for (size_t c = 0; c < n_classes; ++c)
        for (size_t j = 0; j < count[c]; ++j) d->y[place[k++]] = (double)c;
    free(place);
    return d;
}

/* Splits, checks that the parts are sorted and make up all rows, and counts the held-out ones by class.
 */
static void check_split(const kan_dataset *d, size_t n_held, uint64_t seed, size_t *rows,
                        size_t *held) {
    kan_random random = kan_random_seed(seed, 0);
    char *seen = calloc(d->n, 1);
    for (size_t j = 0; j < d->n; ++j) rows[j] = SIZE_MAX;
    cr_assert(eq(int, kan_dataset_split(d, n_held, &random, rows, NULL), KAN_OK));
    const size_t n_kept = d->n - n_held;
    for (size_t j = 0; j < d->n; ++j) {
        cr_assert(rows[j] < d->n && !seen[rows[j]]);
        seen[rows[j]] = 1;
        if (j > 0 && j != n_kept) cr_assert(rows[j] > rows[j - 1]);
    }
    if (held) memset(held, 0, d->n_out * sizeof *held);
    for (size_t j = n_kept; held && j < d->n; ++j) ++held[(size_t)d->y[rows[j]]];
    free(seen);
}

typedef struct stratified {
    size_t n_held, count[5], held[5];
} stratified;

/* Worked by hand. */
static const stratified cases[] = {
    {30, {50, 50, 50}, {10, 10, 10}},           /* shares 10, 10, 10 */
    {20, {59, 71, 30, 0, 40}, {6, 7, 3, 0, 4}}, /* shares 5.9, 7.1, 3, 0, 4 */
    {10, {33, 33, 34}, {3, 3, 4}},              /* shares 3.3, 3.3, 3.4 */
    {11, {33, 33, 34}, {4, 3, 4}},              /* 3.63, 3.63, 3.74: one more, and the first in a tie */
    {20, {96, 2, 2}, {18, 1, 1}},               /* shares 19.2, 0.4, 0.4 */
    {2,
     {96, 2, 2},
     {1, 0, 1}}, /* shares 1.92, 0.04, 0.04: three classes want one, and a pair gives way */
    {5, {7, 1, 1, 1}, {5, 0, 0, 0}}, /* single rows stay */
    {9, {7, 1, 1, 1}, {6, 1, 1, 1}}, /* until there is no other way */
    {98, {50, 48, 2}, {49, 47, 2}},  /* one of each class can stay for 97 only: the pair gives way */
    {3, {2, 2, 2}, {1, 1, 1}},
};

Test(dataset, a_split_is_stratified) {
    for (size_t j = 0; j < sizeof cases / sizeof *cases; ++j) {
        kan_dataset *d = make_classes(5, cases[j].count);
        size_t rows[256], held[5], expected[5];
        memcpy(expected, cases[j].held, sizeof expected);

        for (uint64_t seed = 1; seed <= 5; ++seed) {
            check_split(d, cases[j].n_held, seed, rows, held);
            for (size_t c = 0; c < 5; ++c)
                cr_assert(eq(sz, held[c], expected[c]), "case %zu, class %zu", j, c);
        }
        kan_dataset_free(d);
    }
}

Test(dataset, a_split_depends_on_the_seed_only) {
    const size_t count[] = {40, 25, 35};
    kan_dataset *d = make_classes(3, count);
    size_t a[100], b[100], c[100];
    check_split(d, 20, 5, a, NULL);
    check_split(d, 20, 5, b, NULL);
    check_split(d, 20, 6, c, NULL);
    cr_assert(memcmp(a, b, sizeof a) == 0);
    cr_assert(memcmp(a, c, sizeof a) != 0);
    kan_dataset_free(d);
}

/* Over many seeds every row of a regression is held out as often: each count is binomial with p = 1/4,
 * and five standard deviations are allowed. */
Test(dataset, every_row_has_the_same_chance) {
    enum { N = 40, SEEDS = 4000 };
    kan_dataset *d = kan_dataset_alloc(KAN_REGRESSION, N, 1, 1, false);
    size_t times[N] = {0}, rows[N];
    for (uint64_t seed = 0; seed < SEEDS; ++seed) {
        check_split(d, N / 4, seed, rows, NULL);
        for (size_t j = N - N / 4; j < N; ++j) ++times[rows[j]];
    }
    for (size_t row = 0; row < N; ++row)
        cr_assert(epsilon_eq(dbl, (double)times[row], SEEDS / 4.0, 5 * sqrt(SEEDS * 3.0 / 16.0)));
    kan_dataset_free(d);
}

/* Every class with two rows or more is on both sides whenever the number held out allows that. */
Test(dataset, every_class_is_on_both_sides_where_possible) {
    kan_random random = kan_random_seed(3, 1);
    size_t n_unbounded = 0;
    for (int round = 0; round < 400; ++round) {
        size_t count[6], n = 0, least = 0, most = 0, rows[128], held[6];
        for (size_t c = 0; c < 6; ++c) {
            count[c] = kan_random_below(&random, 20) + (c == 0 ? 2 : 0);
            n += count[c], least += count[c] > 1, most += count[c] > 1 ? count[c] - 1 : 0;
        }
        const size_t n_held = 1 + kan_random_below(&random, n - 1);
        kan_dataset *d = make_classes(6, count);
        check_split(d, n_held, (uint64_t)round, rows, held);
        bool unbounded =
            true; /* rounding alone decides: the largest remainder is within one of the share */
        for (size_t c = 0; c < 6; ++c)
            unbounded = unbounded && count[c] > 1 && count[c] * n_held >= n &&
                        count[c] * n_held <= (count[c] - 1) * n;
        n_unbounded += unbounded;
        for (size_t c = 0; c < 6; ++c) {
            const double share = (double)count[c] * (double)n_held / (double)n;
            if (count[c] > 1 && n_held >= least && n_held <= most)
                cr_assert(held[c] > 0 && held[c] < count[c], "%zu of %zu", held[c], count[c]);
            if (unbounded) cr_assert(fabs((double)held[c] - share) < 1.0);
        }
        kan_dataset_free(d);
    }
    cr_assert(n_unbounded > 50, "%zu", n_unbounded);
}

/* ---- row files --------------------------------------------------------------------------------------
 */

static void rows_bad(const char *text, kan_status status, const char *message) {
    kan_error error = {0};
    size_t n;
    write_text(text);
    cr_assert(kan_dataset_read_rows(path, 10, &n, &error) == NULL, "read: %s", text);
    cr_assert(eq(int, error.status, status), "%s", error.message);
    cr_assert(strncmp(error.message, path, strlen(path)) == 0, "%s", error.message);
    cr_assert(strstr(error.message, message) != NULL, "'%s' is not in: %s", message, error.message);
}

Test(dataset, row_files_are_sorted_sets) {
    static const char *const texts[] = {"test_row\n7\n0\n9\n", "7\r\n0\r\n9\r\n\r\n", "\n 9\n7\n\n0"};
    for (size_t j = 0; j < 3; ++j) {
        size_t n = 0;
        write_text(texts[j]);
        size_t *rows = kan_dataset_read_rows(path, 10, &n, NULL);
        cr_assert(rows != NULL);
        cr_assert(eq(sz, n, 3));
        cr_assert(rows[0] == 0 && rows[1] == 7 && rows[2] == 9);
        free(rows);
    }
}

Test(dataset, bad_row_files_are_refused_with_the_line) {
    rows_bad("", KAN_EFORMAT, "no rows");
    rows_bad("test_row\n", KAN_EFORMAT, "no rows");
    rows_bad("test_row\n3\n10\n", KAN_EFORMAT, "line 3: row 10, but there are only 10 rows");
    rows_bad("3\n1\n3\n", KAN_EFORMAT, "line 3: row 3 was named in line 1");
    rows_bad("3\n1.5\n", KAN_EFORMAT, "line 2: '1.5' is not a row number");
    rows_bad("3\n-1\n", KAN_EFORMAT, "line 2: '-1' is not a row number");
    rows_bad("a\nb\n", KAN_EFORMAT, "line 2: 'b' is not a row number");
    rows_bad("1e0\n", KAN_EFORMAT, "line 1: '1e0' is not a row number");
    rows_bad("99999999999999999999999\n", KAN_EFORMAT, "line 1: '99999999999999999999999' is not");
    rows_bad("3\n1,2\n", KAN_EFORMAT, "line 2: 2 cells, expected one row number");
    unlink(path);
    kan_error error = {0};
    size_t n;
    cr_assert(kan_dataset_read_rows(path, 10, &n, &error) == NULL);
    cr_assert(eq(int, error.status, KAN_EIO));
}

/* ---- names of files ---------------------------------------------------------------------------------
 */

Test(dataset, the_name_tells_the_format) {
    static const char *const good[] = {"a.csv", "a.CSV", "a.tsv", "c:a.csv", "a.csv.gz"};
    for (size_t j = 0; j < sizeof good / sizeof *good; ++j) {
        with_name(good[j]);
        write_text(j == 2 ? "1\t2\n" : "1,2\n");
        kan_dataset *d = kan_dataset_read(path, NULL, NULL);
        cr_assert(d != NULL, "%s", good[j]);
        cr_assert(eq(dbl, d->y[0], 2.0));
        kan_dataset_free(d);
    }
    kan_error error = {0};
    with_name("a.npy");
    write_text("1,2\n");
    cr_assert(kan_dataset_read(path, NULL, &error) == NULL);
    cr_assert(strstr(error.message, "a.npy: ") != NULL, "%s", error.message);
    with_name("a.dat");
    cr_assert(kan_dataset_read(path, NULL, &error) == NULL);
    cr_assert(eq(int, error.status, KAN_EFORMAT));
    cr_assert(strstr(error.message, "a.dat: the name must end in .csv") != NULL, "%s", error.message);
    cr_assert(kan_dataset_read("no/images:no/labels", NULL, &error) == NULL);
    cr_assert(eq(int, error.status, KAN_EIO));
    cr_assert(strncmp(error.message, "no/images: ", 11) == 0, "%s", error.message);
}

/* ---- schema -----------------------------------------------------------------------------------------
 */

static void check_names(size_t n, char **a, char **b) {
    cr_assert(a ? b != NULL : b == NULL);
    for (size_t j = 0; a && j < n; ++j) cr_assert(strcmp(a[j], b[j]) == 0, "%s, %s", a[j], b[j]);
}

static kan_dataset *make_named(kan_task task) {
    kan_dataset *d = kan_dataset_alloc(task, 4, 3, 2, false);
    d->input_names = make_names(3, (const char *[]){"two\nlines", "back\\slash\\n", ""});
    d->target_names = make_names(kan_dataset_y_width(d), (const char *[]){"\xc3\xa9\n", "y\\"});
    if (task == KAN_CLASSIFICATION) d->class_names = make_names(2, (const char *[]){"\n\n", "\\"});
    return d;
}

Test(dataset, the_schema_survives_a_file) {
    with_name("model.kan");
    for (int task = KAN_REGRESSION; task <= KAN_CLASSIFICATION; ++task) {
        kan_error error = {0};
        kan_dataset *d = make_named((kan_task)task);
        kan_file *file = kan_file_alloc();
        cr_assert(eq(int, kan_dataset_save_schema(d, file, &error), KAN_OK), "%s", error.message);
        cr_assert(eq(int, kan_file_write(file, path, &error), KAN_OK), "%s", error.message);
        kan_file_free(file);
        file = kan_file_read(path, &error);
        cr_assert(file != NULL, "%s", error.message);
        kan_dataset *back = kan_dataset_load_schema(file, &error);
        cr_assert(back != NULL, "%s", error.message);
        cr_assert(back->task == d->task && back->n == 0 && back->n_in == 3 && back->n_out == 2);
        check_names(3, d->input_names, back->input_names);
        check_names(kan_dataset_y_width(d), d->target_names, back->target_names);
        check_names(2, d->class_names, back->class_names);
        kan_dataset_free(back);
        kan_dataset_free(d);
        kan_file_free(file);
    }
}

Test(dataset, a_schema_without_names_has_none) {
    kan_file *file = kan_file_alloc();
    kan_dataset *d = kan_dataset_alloc(KAN_CLASSIFICATION, 1, 3, 2, true);
    cr_assert(eq(int, kan_dataset_save_schema(d, file, NULL), KAN_OK));
    kan_dataset *back = kan_dataset_load_schema(file, NULL);
    cr_assert(back != NULL && back->n_in == 3 && back->n_out == 2);
    cr_assert(back->input_names == NULL && back->target_names == NULL && back->class_names == NULL);
    kan_dataset_free(back);
    kan_dataset_free(d);
    kan_file_free(file);
}

/* A good schema but for one text, NULL for a text that is missing. */
static void schema_bad(const char *key, const char *text, const char *message) {
    static const char *const keys[] = {"task", "n_in", "n_out", "input_names", "class_names"};
    static const char *const texts[] = {"classification", "2", "2", "a\nb\n", "c\nd\n"};
    kan_file *file = kan_file_alloc();
    kan_error error = {0};
    for (size_t j = 0; j < 5; ++j) {
        const char *value = strcmp(keys[j], key) == 0 ? text : texts[j];
        if (value) cr_assert(eq(int, kan_file_set(file, keys[j], value, NULL), KAN_OK));
    }
    kan_dataset *d = kan_dataset_load_schema(file, &error);
    if (message) {
        cr_assert(d == NULL, "%s: %s", key, text);
        cr_assert(eq(int, error.status, KAN_EFORMAT));
        cr_assert(strstr(error.message, key) && strstr(error.message, message), "%s", error.message);
    } else
        cr_assert(d != NULL);
    kan_dataset_free(d);
    kan_file_free(file);
}

Test(dataset, bad_schemas_are_refused) {
    schema_bad("", NULL, NULL); /* the good one */
    schema_bad("task", NULL, "unknown");
    schema_bad("task", "regressio", "'regressio' is unknown");
    schema_bad("n_in", NULL, "not a size");
    schema_bad("n_in", "0", "'0' is not a size");
    schema_bad("n_in", "2x", "'2x' is not a size");
    schema_bad("n_in", "-2", "'-2' is not a size");
    schema_bad("n_out", "18446744073709551616", "not a size");
    schema_bad("input_names", "a\n", "1 names, expected 2");
    schema_bad("input_names", "a\nb\nc", "text behind the last name");
    schema_bad("class_names", "a\nb\nc\n", "3 names, expected 2");
    schema_bad("class_names", "a\nb\\t\n", "\\ is followed by something else");
    schema_bad("class_names", "a\nb\\\n", "\\ is followed by something else");
}

/* ---- memory -----------------------------------------------------------------------------------------
 */

static kan_status try_select(void *context) {
    kan_dataset *part = kan_dataset_select(context, 2, (size_t[]){1, 0});
    kan_dataset_free(part);
    return part ? KAN_OK : KAN_ENOMEM;
}

static kan_status try_split(void *context) {
    kan_random random = kan_random_seed(1, 0);
    size_t rows[5];
    return kan_dataset_split(context, 2, &random, rows, NULL);
}

static kan_status try_rows(void *context) {
    kan_error error = {0};
    size_t n;
    free(kan_dataset_read_rows(context, 10, &n, &error));
    return error.status;
}

static kan_status try_save(void *context) {
    kan_file *file = kan_file_alloc();
    if (!file) return KAN_ENOMEM;
    const kan_status status = kan_dataset_save_schema(context, file, NULL);
    kan_file_free(file);
    return status;
}

static kan_status try_load(void *context) {
    kan_error error = {0};
    kan_dataset_free(kan_dataset_load_schema(context, &error));
    return error.status;
}

Test(dataset, every_failed_allocation_is_told_and_leaks_nothing) {
    kan_dataset *d = make_small(), *named = make_named(KAN_CLASSIFICATION);
    cr_assert(alloc_fail_every(try_select, d) >= 7);
    cr_assert(alloc_fail_every(try_split, d) >= 5);
    cr_assert(alloc_fail_every(try_save, named) >= 4);
    kan_file *file = kan_file_alloc();
    cr_assert(eq(int, kan_dataset_save_schema(named, file, NULL), KAN_OK));
    cr_assert(alloc_fail_every(try_load, file) >= 12);
    write_text("test_row\n1\n3\n");
    cr_assert(alloc_fail_every(try_rows, path) >= 6);
    kan_file_free(file);
    kan_dataset_free(named);
    kan_dataset_free(d);
}

/* ---- the shared data: the two tables of its description
 * ---------------------------------------------- */

typedef struct shared_file {
    const char *name, *target;
    size_t n, n_in;
    double mean, ulp; /* of the target, as printed, and half a unit of the last printed digit */
    double lo, hi;    /* as printed in full                                                     */
} shared_file;

static const shared_file regressions[] = {
    {"sklearn/diabetes", "progression", 442, 10, 152.13, 0.005, 25, 346},
    {"uci_regression/concrete", "strength_mpa", 1030, 8, 35.818, 0.0005, 2.33, 82.6},
    {"uci_regression/energy_heating", "heating_load", 768, 8, 22.307, 0.0005, 6.01, 43.1},
    {"uci_regression/energy_cooling", "cooling_load", 768, 8, 24.588, 0.0005, 10.9, 48.03},
    {"uci_regression/yacht", "residuary_resistance", 308, 6, 10.495, 0.0005, 0.01, 62.42},
    {"uci_regression/boston", "medv", 506, 13, 22.533, 0.0005, 5, 50},
    {"uci_regression/airfoil", "sound_pressure_db", 1503, 5, 124.84, 0.005, 103.38, 140.987},
    {"uci_regression/wine_quality_red", "quality", 1599, 11, 5.636, 0.0005, 3, 8},
    {"uci_regression/wine_quality_white", "quality", 4898, 11, 5.8779, 0.00005, 3, 9},
    {"uci_regression/power_plant", "energy_mw", 9568, 4, 454.37, 0.005, 420.26, 495.76},
    {"uci_regression/kin8nm", "distance", 8192, 8, 0.71428, 0.000005, 0.0401654, 1.45852},
    {"uci_regression/naval_compressor", "compressor_decay", 11934, 16, 0.975, 0.0005, 0.95, 1},
    {"uci_regression/california_housing", "MedHouseVal", 20640, 8, 2.0686, 0.00005, 0.14999, 5.00001},
    {"uci_regression/protein", "rmsd", 45730, 9, 7.7485, 0.00005, 0, 20.999},
};

static void skip_without_data(void) {
    if (access(KAN_SHARED "/data/README.md", R_OK) == 0) return;
    leave_folder(); /* which a skipped test does not */
    cr_skip_test("the shared data are not here");
}

static kan_dataset *read_shared(const char *name, const char *extension, kan_task_choice task) {
    char full[512];
    kan_error error = {0};
    snprintf(full, sizeof full, "%s/data/%s%s", KAN_SHARED, name, extension);
    kan_dataset *d = kan_dataset_read(full, &(kan_read_options){.task = task}, &error);
    cr_assert(d != NULL, "%s", error.message);
    return d;
}

/* The split file beside a data set names round(n / 5) rows. */
static void check_shared_rows(const char *name, size_t n) {
    char full[512];
    kan_error error = {0};
    size_t n_rows = 0;
    const char *file = strrchr(name, '/') + 1;
    snprintf(full, sizeof full, "%s/data/splits/%s.csv", KAN_SHARED, file);
    size_t *rows = kan_dataset_read_rows(full, n, &n_rows, &error);
    cr_assert(rows != NULL, "%s", error.message);
    cr_assert(eq(sz, n_rows, (size_t)rint(0.2 * (double)n)), "%s", name);
    for (size_t j = 1; j < n_rows; ++j) cr_assert(rows[j] > rows[j - 1]);
    free(rows);
}

Test(dataset, every_shared_regression) {
    skip_without_data();
    for (size_t j = 0; j < sizeof regressions / sizeof *regressions; ++j) {
        const shared_file *f = &regressions[j];
        kan_dataset *d = read_shared(f->name, ".csv", KAN_TASK_AUTO);
        cr_assert(d->task == KAN_REGRESSION);
        cr_assert(eq(sz, d->n, f->n));
        cr_assert(eq(sz, d->n_in, f->n_in));
        cr_assert(strcmp(d->target_names[0], f->target) == 0);
        double sum = 0.0, lo = INFINITY, hi = -INFINITY;
        for (size_t s = 0; s < d->n; ++s) {
            sum += d->y[s], lo = fmin(lo, d->y[s]), hi = fmax(hi, d->y[s]);
        }
        /* kin8nm's limits are printed with six digits */
        const bool rounded = strstr(f->name, "kin8nm") != NULL;
        cr_assert(epsilon_eq(dbl, sum / (double)d->n, f->mean, 1.0001 * f->ulp), "%s", f->name);
        cr_assert(epsilon_eq(dbl, lo, f->lo, rounded ? 5e-6 : 0.0), "%s", f->name);
        cr_assert(epsilon_eq(dbl, hi, f->hi, rounded ? 5e-6 : 0.0), "%s", f->name);
        check_shared_rows(f->name, d->n);
        kan_dataset_free(d);
    }
}

typedef struct shared_classes {
    const char *name, *extension, *target;
    size_t n_in, n_out, count[14]; /* of each class; none where they are not published */
    size_t n;
    bool has_split;
} shared_classes;

static const shared_classes classifications[] = {
    {"sklearn/iris", ".csv", "class", 4, 3, {50, 50, 50}, 150, true},
    {"sklearn/wine", ".csv", "class", 13, 3, {59, 71, 48}, 178, true},
    {"sklearn/breast_cancer", ".csv", "class", 30, 2, {212, 357}, 569, true},
    {"sklearn/digits",
     ".csv",
     "class",
     64,
     10,
     {178, 182, 177, 183, 181, 182, 181, 179, 174, 180},
     1797,
     true},
    {"uci_classification/banknote", ".csv", "class", 4, 2, {762, 610}, 1372, true},
    {"uci_classification/sonar", ".csv", "mine", 60, 2, {97, 111}, 208, true},
    {"uci_classification/titanic", ".csv", "survived", 10, 2, {549, 342}, 891, true},
    {"uci_classification/musk1", ".csv", "musk", 166, 2, {269, 207}, 476, true},
    {"uci_classification/spambase", ".csv", "spam", 57, 2, {2788, 1813}, 4601, true},
    {"uci_classification/magic", ".csv", "gamma", 10, 2, {6688, 12332}, 19020, true},
    {"uci_classification/adult_onehot_train", ".csv.gz", "income_gt_50k", 108, 2, {0}, 32561, false},
    {"uci_classification/adult_onehot_test", ".csv.gz", "income_gt_50k", 108, 2, {0}, 16281, false},
    {"uci_classification/adult_train", ".csv", "income_gt_50k", 14, 2, {0}, 32561, false},
    {"uci_classification/adult_test", ".csv", "income_gt_50k", 14, 2, {0}, 16281, false},
};

Test(dataset, every_shared_classification) {
    skip_without_data();
    for (size_t j = 0; j < sizeof classifications / sizeof *classifications; ++j) {
        const shared_classes *f = &classifications[j];
        kan_dataset *d = read_shared(f->name, f->extension, KAN_TASK_CLASSIFICATION);
        cr_assert(d->task == KAN_CLASSIFICATION);
        cr_assert(eq(sz, d->n, f->n), "%s", f->name);
        cr_assert(eq(sz, d->n_in, f->n_in), "%s", f->name);
        cr_assert(eq(sz, d->n_out, f->n_out), "%s", f->name);
        cr_assert(strcmp(d->target_names[0], f->target) == 0);
        size_t count[14] = {0};
        for (size_t s = 0; s < d->n; ++s) ++count[(size_t)d->y[s]];
        for (size_t k = 0; f->count[0] && k < f->n_out; ++k)
            cr_assert(eq(sz, count[k], f->count[k]), "%s", f->name);
        /* 24.08 % and 23.62 % of the rows are positive */
        if (strstr(f->name, "adult"))
            cr_assert(epsilon_eq(dbl, 100.0 * (double)count[1] / (double)d->n,
                                 strstr(f->name, "train") ? 24.08 : 23.62, 0.005));
        if (f->has_split) check_shared_rows(f->name, d->n);
        kan_dataset_free(d);
    }
}

/* Even signatures; all classes of the test file occur in the training file. */
Test(dataset, the_shared_knots) {
    skip_without_data();
    kan_dataset *d = read_shared("knot/knot_train", ".csv", KAN_TASK_CLASSIFICATION);
    cr_assert(eq(sz, d->n, 10000));
    cr_assert(eq(sz, d->n_in, 17));
    for (size_t k = 1; k < d->n_out; ++k)
        cr_assert(atoi(d->class_names[k]) > atoi(d->class_names[k - 1]) &&
                  atoi(d->class_names[k]) % 2 == 0);
    kan_error error = {0};
    kan_dataset *test = kan_dataset_read(KAN_SHARED "/data/knot/knot_test.csv",
                                         &(kan_read_options){.like = d}, &error);
    cr_assert(test != NULL, "%s", error.message);
    cr_assert(eq(sz, test->n, 5000));
    cr_assert(eq(sz, test->n_out, d->n_out));
    kan_dataset_free(test);
    kan_dataset_free(d);
}

/* The list of equations has a byte order mark, CRLF, and a tail of rows with nothing but commas. It is
 * no table of numbers: the first text is where reading stops. */
Test(dataset, the_shared_list_of_equations_is_refused_politely) {
    skip_without_data();
    kan_error error = {0};
    cr_assert(kan_dataset_read(KAN_SHARED "/data/feynman/FeynmanEquations.csv",
                               &(kan_read_options){.target = "# variables"}, &error) == NULL);
    cr_assert(eq(int, error.status, KAN_EFORMAT));
    cr_assert(strstr(error.message, "line 2: column 'Filename': 'I.6.2a' is not a number") != NULL,
              "%s", error.message);
}

/* The same dialect with numbers. */
Test(dataset, the_dialect_of_that_list_with_numbers) {
    write_text("\xef\xbb\xbf"
               "Number,low,high\r\n1,2.5,3\r\n2,-1,4\r\n,,\r\n,,\r\n\r\n");
    kan_dataset *d = kan_dataset_read(path, NULL, NULL);
    cr_assert(d != NULL);
    cr_assert(eq(sz, d->n, 2));
    cr_assert(strcmp(d->input_names[0], "Number") == 0);
    cr_assert(eq(dbl, d->y[1], 4.0));
    kan_dataset_free(d);
}

Test(dataset, the_shared_small_images) {
    skip_without_data();
    kan_error error = {0};
    kan_dataset *d = kan_dataset_read(KAN_SHARED
                                      "/data/fashion_mnist_1k/images-idx3-ubyte.gz:" KAN_SHARED
                                      "/data/fashion_mnist_1k/labels-idx1-ubyte.gz",
                                      NULL, &error);
    cr_assert(d != NULL, "%s", error.message);
    cr_assert(d->n == 1000 && d->n_in == 784 && d->n_out == 10);
    check_shared_rows("/fashion_mnist_1k", d->n);
    kan_dataset_free(d);
}
