/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gsl/gsl_statistics_double.h>

#include "core/random.h"
#include "core/work.h"
#include "tests/support/alloc.h"
#include "train/scaler.h"

/* A data set whose columns have very different sizes and spreads. */
static kan_dataset *make_data(size_t n, size_t n_in, size_t n_out, bool weights) {
    kan_dataset *d = kan_dataset_alloc(KAN_REGRESSION, n, n_in, n_out, false);
    kan_random random = kan_random_seed(21, weights);
    for (size_t s = 0; s < n; ++s) {
        for (size_t i = 0; i < n_in; ++i)
            d->x[s * n_in + i] = pow(100.0, (double)i) * (3.0 * (double)i + kan_random_normal(&random));
        for (size_t k = 0; k < n_out; ++k)
            d->y[s * n_out + k] = -5.25 + 1e-3 * kan_random_normal(&random);
    }
    if (weights) d->weight = kan_work_alloc(n);
    for (size_t s = 0; weights && s < n; ++s) d->weight[s] = 0.1 + 3.0 * kan_random_uniform(&random);
    return d;
}

/* Means and standard deviations with divisor n of GSL. Both sides sum n terms of size |mean| + spread,
 * so they may differ by n ulps of that. */
static void check_column(const kan_dataset *d, const double *column, size_t stride, double mean,
                         double scale) {
    double expected_mean, expected_scale;
    if (d->weight) {
        expected_mean = gsl_stats_wmean(d->weight, 1, column, stride, d->n);
        expected_scale = sqrt(
            gsl_stats_wvariance_with_fixed_mean(d->weight, 1, column, stride, d->n, expected_mean));
    } else {
        expected_mean = gsl_stats_mean(column, stride, d->n);
        expected_scale = sqrt(gsl_stats_variance_with_fixed_mean(column, stride, d->n, expected_mean));
    }
    const double tolerance = (double)d->n * DBL_EPSILON * (fabs(expected_mean) + expected_scale);
    cr_assert(expected_scale > 0.0);
    cr_assert(epsilon_eq(dbl, mean, expected_mean, tolerance));
    cr_assert(epsilon_eq(dbl, scale, expected_scale, tolerance));
}

Test(scaler, learns_what_gsl_computes) {
    for (int weights = 0; weights < 2; ++weights) {
        kan_dataset *d = make_data(1003, 4, 2, weights);
        kan_scaler *s = kan_scaler_alloc(d);
        cr_assert(s != NULL);
        cr_assert(s->n_in == 4 && s->n_y == 2);
        for (size_t i = 0; i < 4; ++i) check_column(d, d->x + i, 4, s->x_mean[i], s->x_scale[i]);
        for (size_t k = 0; k < 2; ++k) check_column(d, d->y + k, 2, s->y_mean[k], s->y_scale[k]);
        kan_scaler_free(s);
        kan_dataset_free(d);
    }
}

Test(scaler, standardised_columns_have_mean_zero_and_spread_one) {
    kan_dataset *d = make_data(500, 3, 1, false);
    kan_scaler *s = kan_scaler_alloc(d);
    kan_scaler_apply(s, d);
    /* a mean off by an ulp is off by |mean| / scale ulps after scaling: 5250 at most, here of y */
    for (size_t i = 0; i < 3; ++i) {
        cr_assert(epsilon_eq(dbl, gsl_stats_mean(d->x + i, 3, 500), 0.0, 500 * DBL_EPSILON));
        cr_assert(epsilon_eq(dbl, gsl_stats_variance_with_fixed_mean(d->x + i, 3, 500, 0.0), 1.0,
                             1000 * DBL_EPSILON));
    }
    cr_assert(epsilon_eq(dbl, gsl_stats_mean(d->y, 1, 500), 0.0, 2 * 5250 * DBL_EPSILON));
    kan_scaler_free(s);
    kan_dataset_free(d);
}

Test(scaler, undo_returns_to_the_units_of_the_data) {
    kan_dataset *d = make_data(50, 2, 3, true);
    double original[150];
    memcpy(original, d->y, sizeof original);
    kan_scaler *s = kan_scaler_alloc(d);
    kan_scaler_apply(s, d);
    kan_scaler_undo(s, 50, d->y);
    /* a subtraction, a division, a product and a sum: half an ulp each, of numbers below 5.3 */
    for (size_t j = 0; j < 150; ++j)
        cr_assert(epsilon_eq(dbl, d->y[j], original[j], 2 * DBL_EPSILON * 5.3));
    kan_scaler_free(s);
    kan_dataset_free(d);
}

/* A dataset of one input column. */
static kan_dataset *make_column(size_t n, const double *x) {
    kan_dataset *d = kan_dataset_alloc(KAN_REGRESSION, n, 1, 1, false);
    memcpy(d->x, x, n * sizeof *x);
    return d;
}

static void check_scale(size_t n, const double *x, double mean, double scale) {
    kan_dataset *d = make_column(n, x);
    kan_scaler *s = kan_scaler_alloc(d);
    cr_assert(ieee_ulp_eq(dbl, s->x_mean[0], mean, 2), "mean %.17g", s->x_mean[0]);
    cr_assert(ieee_ulp_eq(dbl, s->x_scale[0], scale, 4), "scale %.17g", s->x_scale[0]);
    cr_assert(s->y_mean[0] == 0.0 && s->y_scale[0] == 1.0); /* y is all zero */
    kan_scaler_free(s);
    kan_dataset_free(d);
}

/* Sums of squares would lose these: the spread is 1e-9 of the mean, or overflow, or vanish. */
Test(scaler, keeps_its_digits_where_sums_of_squares_lose_them) {
    check_scale(4, (double[]){1e9 + 1, 1e9 + 2, 1e9 + 3, 1e9 + 4}, 1e9 + 2.5, sqrt(1.25));
    check_scale(2, (double[]){0x1p1023, -0x1p1023}, 0.0, 0x1p1023);
    check_scale(4, (double[]){0x1p1023, 0x1p1023, 0x1p1022, 0x1p1022}, 0x1.8p1022, 0x1p1021);
    check_scale(2, (double[]){0x1p-1060, 0x1.8p-1059}, 0x1p-1059, 0x1p-1060);
}

Test(scaler, a_column_without_spread_gets_scale_one) {
    check_scale(3, (double[]){0, 0, 0}, 0, 1);
    check_scale(1, (double[]){-7.5}, -7.5, 1);
    check_scale(3, (double[]){288.15, 288.15, 288.15}, 288.15, 1);
    /* the same number up to rounding, 0.1 + 0.2 and 0.3 */
    check_scale(4, (double[]){0.1 + 0.2, 0.3, 0.3, 0.1 + 0.2}, 0.3, 1);
    /* but a spread of some thousand ulps is one */
    const double h = 4096 * DBL_EPSILON;
    check_scale(2, (double[]){1 - h, 1 + h}, 1, h);
}

/* Constant columns of any size and length: the mean is exact and the scaled column is 0. */
Test(scaler, constants_of_any_size_become_zero) {
    kan_random random = kan_random_seed(8, 0);
    for (int round = 0; round < 200; ++round) {
        const double value = kan_random_normal(&random) *
                             pow(10.0, -12 + 24 * kan_random_uniform(&random));
        const size_t n = 1 + kan_random_below(&random, 3000);
        kan_dataset *d = kan_dataset_alloc(KAN_REGRESSION, n, 1, 1, false);
        d->weight = kan_work_alloc(n);
        for (size_t s = 0; s < n; ++s)
            d->x[s] = value, d->weight[s] = 0.1 + kan_random_uniform(&random);
        kan_scaler *s = kan_scaler_alloc(d);
        cr_assert(eq(dbl, s->x_scale[0], 1.0), "value %.17g", value);
        cr_assert(ieee_ulp_eq(dbl, s->x_mean[0], value, 1));
        kan_scaler_free(s);
        kan_dataset_free(d);
    }
}

Test(scaler, classes_and_bytes_are_left_alone) {
    kan_dataset *d = kan_dataset_alloc(KAN_CLASSIFICATION, 3, 2, 2, true);
    for (size_t j = 0; j < 6; ++j) d->bytes[j] = (uint8_t)(37 * j);
    d->y[1] = 1.0;
    kan_scaler *s = kan_scaler_alloc(d);
    cr_assert(s->n_in == 0 && s->n_y == 0);
    kan_scaler_apply(s, d);
    double y[2] = {0.25, 0.75};
    kan_scaler_undo(s, 2, y);
    cr_assert(y[0] == 0.25 && y[1] == 0.75);
    cr_assert(d->y[1] == 1.0 && d->bytes[5] == 185);
    kan_file *file = kan_file_alloc();
    cr_assert(eq(int, kan_scaler_save(s, file, NULL), KAN_OK));
    kan_scaler *back = kan_scaler_load(file, NULL);
    cr_assert(back != NULL && back->n_in == 0 && back->n_y == 0);
    kan_scaler_free(back);
    kan_file_free(file);
    kan_scaler_free(s);
    kan_dataset_free(d);
}

Test(scaler, survives_a_file_to_the_bit) {
    char path[] = "/tmp/kan_scaler_XXXXXX";
    const int descriptor = mkstemp(path);
    cr_assert(descriptor >= 0);
    close(descriptor);
    kan_error error = {0};
    kan_dataset *d = make_data(31, 4, 2, true);
    kan_scaler *s = kan_scaler_alloc(d);
    kan_file *file = kan_file_alloc();
    cr_assert(eq(int, kan_scaler_save(s, file, &error), KAN_OK), "%s", error.message);
    cr_assert(eq(int, kan_file_write(file, path, &error), KAN_OK), "%s", error.message);
    kan_file_free(file);
    file = kan_file_read(path, &error);
    unlink(path);
    cr_assert(file != NULL, "%s", error.message);
    kan_scaler *back = kan_scaler_load(file, &error);
    cr_assert(back != NULL, "%s", error.message);
    cr_assert(back->n_in == 4 && back->n_y == 2);
    cr_assert(memcmp(back->x_mean, s->x_mean, 4 * sizeof(double)) == 0);
    cr_assert(memcmp(back->x_scale, s->x_scale, 4 * sizeof(double)) == 0);
    cr_assert(memcmp(back->y_mean, s->y_mean, 2 * sizeof(double)) == 0);
    cr_assert(memcmp(back->y_scale, s->y_scale, 2 * sizeof(double)) == 0);
    kan_scaler_free(back);
    kan_file_free(file);
    kan_scaler_free(s);
    kan_dataset_free(d);
}

/* Loads a scaler with one input and one target, but for what the arguments say. */
static void load_bad(const char *n_in, const double *mean, double scale, const char *message) {
    const size_t one = 1;
    const double zero = 0.0, unit = 1.0;
    kan_error error = {0};
    kan_file *file = kan_file_alloc();
    if (n_in) cr_assert(eq(int, kan_file_set(file, "scaler.n_in", n_in, NULL), KAN_OK));
    cr_assert(eq(int, kan_file_set(file, "scaler.n_y", "1", NULL), KAN_OK));
    if (mean) kan_file_add(file, "scaler.x_mean", KAN_F64, 1, &one, mean, NULL);
    kan_file_add(file, "scaler.x_scale", KAN_F64, 1, &one, &scale, NULL);
    kan_file_add(file, "scaler.y_mean", KAN_F64, 1, &one, &zero, NULL);
    kan_file_add(file, "scaler.y_scale", KAN_F64, 1, &one, &unit, NULL);
    kan_scaler *s = kan_scaler_load(file, &error);
    if (message) {
        cr_assert(s == NULL, "expected: %s", message);
        cr_assert(eq(int, error.status, KAN_EFORMAT));
        cr_assert(strstr(error.message, message) != NULL, "%s", error.message);
    } else
        cr_assert(s != NULL, "%s", error.message);
    kan_scaler_free(s);
    kan_file_free(file);
}

Test(scaler, bad_files_are_refused) {
    const double mean = 2.5, nan = NAN;
    load_bad("1", &mean, 0.5, NULL); /* the good one */
    load_bad(NULL, &mean, 0.5, "scaler.n_in: '' is not a size");
    load_bad("1.0", &mean, 0.5, "scaler.n_in: '1.0' is not a size");
    load_bad("2", &mean, 0.5, "scaler.x_mean");
    load_bad("4611686018427387904", &mean, 0.5, "scaler.x_mean");
    load_bad("1", NULL, 0.5, "scaler.x_mean");
    load_bad("1", &nan, 0.5, "scaler.x_mean: value 0 is nan");
    load_bad("1", &mean, 0.0, "scaler.x_scale: value 0 is 0");
    load_bad("1", &mean, -1.0, "scaler.x_scale: value 0 is -1");
    load_bad("1", &mean, INFINITY, "scaler.x_scale: value 0 is inf");
}

static kan_status try_alloc(void *context) {
    kan_scaler *s = kan_scaler_alloc(context);
    kan_scaler_free(s);
    return s ? KAN_OK : KAN_ENOMEM;
}

static kan_status try_save_and_load(void *context) {
    kan_error error = {0};
    kan_file *file = kan_file_alloc();
    if (!file) return KAN_ENOMEM;
    if (kan_scaler_save(context, file, &error) == KAN_OK)
        kan_scaler_free(kan_scaler_load(file, &error));
    kan_file_free(file);
    return error.status;
}

Test(scaler, every_failed_allocation_is_told_and_leaks_nothing) {
    kan_dataset *d = make_data(9, 2, 1, true);
    kan_scaler *s = kan_scaler_alloc(d);
    cr_assert(eq(sz, alloc_fail_every(try_alloc, d), 2));
    cr_assert(alloc_fail_every(try_save_and_load, s) > 6);
    alloc_count_begin();
    kan_scaler_apply(s, d);
    kan_scaler_undo(s, d->n, d->y);
    cr_assert(eq(sz, alloc_count_end(), 0));
    kan_scaler_free(s);
    kan_dataset_free(d);
}

/* Two of the inputs of this set are constant, as published. */
Test(scaler, the_shared_compressor) {
    const char *path = KAN_SHARED "/data/uci_regression/naval_compressor.csv";
    if (access(path, R_OK) != 0) cr_skip_test("the shared data are not here");
    kan_error error = {0};
    kan_dataset *d = kan_dataset_read(path, NULL, &error);
    cr_assert(d != NULL, "%s", error.message);
    kan_scaler *s = kan_scaler_alloc(d);
    for (size_t i = 0; i < d->n_in; ++i) {
        const bool constant = strcmp(d->input_names[i], "gt_inlet_temp") == 0 ||
                              strcmp(d->input_names[i], "gt_inlet_pressure") == 0;
        if (constant)
            cr_assert(eq(dbl, s->x_scale[i], 1.0), "%s", d->input_names[i]);
        else
            check_column(d, d->x + i, d->n_in, s->x_mean[i], s->x_scale[i]);
    }
    kan_scaler_free(s);
    kan_dataset_free(d);
}
