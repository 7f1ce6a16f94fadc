/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <float.h>
#include <math.h>

#include "core/random.h"
#include "tests/support/alloc.h"
#include "train/metric.h"

/* A handful of operations on numbers of size 1. */
static const double rounding = 8 * DBL_EPSILON;

/* The example of scikit-learn's pages of mean_squared_error, mean_absolute_error and r2_score:
 * residuals 1/2, -1/2, 0, -1, and targets with mean 23/8 and sum of squares about it 467/16. */
Test(metric, of_one_output_follows_the_published_example) {
    double y[] = {3.0, -0.5, 2.0, 7.0};
    const double y_hat[] = {2.5, 0.0, 2.0, 8.0};
    const kan_dataset d = {.task = KAN_REGRESSION, .n = 4, .n_in = 1, .n_out = 1, .y = y};
    const kan_metric m = kan_metric_eval(&d, y_hat, NULL);
    cr_assert(epsilon_eq(dbl, m.rmse, sqrt(0.375), rounding));
    cr_assert(epsilon_eq(dbl, m.mae, 0.5, rounding));
    cr_assert(epsilon_eq(dbl, m.r2, 1.0 - 1.5 / (467.0 / 16.0), rounding));
    cr_assert(epsilon_eq(dbl, m.r2, 0.948, 1e-3), "as published");
    cr_assert(isnan(m.accuracy) && isnan(m.macro_f1) && isnan(m.cross_entropy));
}

/* The example of the same pages with two outputs; r2_score with multioutput="variance_weighted".
 * Squared residuals add up to 1/4 + 0 + 1 and 1 + 1 + 1; sums of squares about the means 13/6 and -4/3
 * are 217/6 and 98/3. */
Test(metric, of_two_outputs_follows_the_published_example) {
    double y[] = {0.5, 1.0, -1.0, 1.0, 7.0, -6.0};
    const double y_hat[] = {0.0, 2.0, -1.0, 2.0, 8.0, -5.0};
    const kan_dataset d = {.task = KAN_REGRESSION, .n = 3, .n_in = 1, .n_out = 2, .y = y};
    const kan_metric m = kan_metric_eval(&d, y_hat, NULL);
    cr_assert(epsilon_eq(dbl, m.rmse, sqrt(4.25 / 6.0), rounding));
    cr_assert(epsilon_eq(dbl, m.mae, 0.75, rounding));
    cr_assert(epsilon_eq(dbl, m.r2, 1.0 - 4.25 / (217.0 / 6.0 + 98.0 / 3.0), rounding));
    cr_assert(epsilon_eq(dbl, m.r2, 0.938, 1e-3), "as published");
}

/* A weight of 3 is a row that stands there three times. */
Test(metric, weights_are_repetitions) {
    enum { N = 5 };
    double y[N] = {0.3, -1.1, 2.385, 0.44, 0.9}, weight[N] = {3, 1, 2, 1, 4}, repeated[11],
           prediction[11];
    const double y_hat[N] = {0.1, -0.7, 2.5, 0.9, 0.2};
    size_t n = 0;
    for (size_t s = 0; s < N; ++s)
        for (double w = 0; w < weight[s]; ++w) repeated[n] = y[s], prediction[n++] = y_hat[s];
    kan_dataset d = {.n = N, .n_in = 1, .n_out = 1, .y = y, .weight = weight};
    kan_dataset r = {.n = n, .n_in = 1, .n_out = 1, .y = repeated};
    const kan_metric m = kan_metric_eval(&d, y_hat, NULL),
                     expected = kan_metric_eval(&r, prediction, NULL);
    cr_assert(eq(sz, n, 11));
    cr_assert(epsilon_eq(dbl, m.rmse, expected.rmse, rounding));
    cr_assert(epsilon_eq(dbl, m.mae, expected.mae, rounding));
    cr_assert(epsilon_eq(dbl, m.r2, expected.r2, rounding));
}

/* 0.1 is not a double: a mean of such numbers is easily off by a rounding, and a spread of 1e-34 would
 * make an r2 of -1e30 out of it. */
Test(metric, a_constant_target_has_no_r2) {
    double y[7], weight[7] = {0.3, 1.7, 2.385, 0.9, 1.1, 0.2, 0.6};
    const double y_hat[7] = {0.1, 0.2, 0.05, 0.1, 0.3, 0.1, 0.4};
    for (size_t s = 0; s < 7; ++s) y[s] = 0.1;
    for (int weighted = 0; weighted < 2; ++weighted) {
        const kan_dataset d = {
            .n = 7, .n_in = 1, .n_out = 1, .y = y, .weight = weighted ? weight : NULL};
        const kan_metric m = kan_metric_eval(&d, y_hat, NULL);
        cr_assert(isnan(m.r2), "%g", m.r2);
        cr_assert(gt(dbl, m.rmse, 0.05));
    }
}

Test(metric, the_mean_itself_has_r2_zero_and_the_truth_one) {
    enum { N = 200 };
    kan_random random = kan_random_seed(3, 0);
    double y[N], mean[N], sum = 0.0;
    for (size_t s = 0; s < N; ++s) sum += y[s] = 1e3 + kan_random_normal(&random);
    for (size_t s = 0; s < N; ++s) mean[s] = sum / N;
    const kan_dataset d = {.n = N, .n_in = 1, .n_out = 1, .y = y};
    /* residuals of size 1 taken from numbers of size 1000 */
    cr_assert(epsilon_eq(dbl, kan_metric_eval(&d, mean, NULL).r2, 0.0, 1e3 * N * DBL_EPSILON));
    const kan_metric m = kan_metric_eval(&d, y, NULL);
    cr_assert(m.r2 == 1.0 && m.rmse == 0.0 && m.mae == 0.0);
}

/* ---- classification ----------------------------------------------------------------------------- */

/* Logits [n][n_out] whose largest is the prediction. */
static void speak_for(size_t n, size_t n_out, const size_t *predictions, double *y_hat) {
    for (size_t s = 0; s < n; ++s)
        for (size_t o = 0; o < n_out; ++o)
            y_hat[s * n_out + o] = o == predictions[s] ? 1.3 : -0.2 - 0.1 * (double)o;
}

/* The example of scikit-learn's page of f1_score: F1 0.8, 0, 0. */
Test(metric, of_classes_follows_the_published_example) {
    double y[] = {0, 1, 2, 0, 1, 2}, y_hat[18], counts[9];
    const size_t predictions[] = {0, 2, 1, 0, 0, 1};
    speak_for(6, 3, predictions, y_hat);
    for (size_t j = 0; j < 9; ++j) counts[j] = NAN;
    const kan_dataset d = {.task = KAN_CLASSIFICATION, .n = 6, .n_in = 1, .n_out = 3, .y = y};
    const kan_metric m = kan_metric_eval(&d, y_hat, counts);
    cr_assert(epsilon_eq(dbl, m.accuracy, 2.0 / 6.0, rounding));
    cr_assert(epsilon_eq(dbl, m.macro_f1, 0.8 / 3.0, rounding));
    cr_assert(isnan(m.rmse) && isnan(m.mae) && isnan(m.r2));
}

/* The example of its page of log_loss, 0.21616.., with logarithms of the probabilities as logits. */
Test(metric, cross_entropy_follows_the_published_example) {
    const double p[] = {0.1, 0.9, 0.9, 0.1, 0.8, 0.2, 0.35, 0.65};
    double y[] = {1, 0, 0, 1}, y_hat[8], counts[6];
    for (size_t j = 0; j < 8; ++j) y_hat[j] = log(p[j]) + 0.7;
    const kan_dataset d = {.task = KAN_CLASSIFICATION, .n = 4, .n_in = 1, .n_out = 2, .y = y};
    const kan_metric m = kan_metric_eval(&d, y_hat, counts);
    cr_assert(epsilon_eq(dbl, m.cross_entropy, -log(0.9 * 0.9 * 0.8 * 0.65) / 4.0, rounding));
    cr_assert(epsilon_eq(dbl, m.cross_entropy, 0.21616, 1e-5), "as published");
    cr_assert(eq(dbl, m.accuracy, 1.0));
    cr_assert(eq(dbl, m.macro_f1, 1.0));
}

/* Of five classes 3 is never the truth but once predicted: its F1 is 0; 4 is neither and does not
 * count.
 *
 *     class   TP FP FN   F1           weights of TP FP FN   F1
 *     0        2  1  0   4/5          4  0.5  0              16/17
 *     1        1  0  1   2/3          2  0    0.5            8/9
 *     2        1  0  1   2/3          1  0    3              2/5
 *     3        0  1  0   0            0  3    0              0         */
static const size_t five_predictions[] = {0, 1, 0, 0, 2, 3};
static double five_y[] = {0, 1, 1, 0, 2, 2};
static double five_weight[] = {1.5, 2.0, 0.5, 2.5, 1.0, 3.0};

Test(metric, macro_f1_is_over_the_classes_that_occur) {
    double y_hat[30], counts[15];
    speak_for(6, 5, five_predictions, y_hat);
    for (size_t j = 0; j < 15; ++j) counts[j] = NAN;
    const kan_dataset d = {.task = KAN_CLASSIFICATION, .n = 6, .n_in = 1, .n_out = 5, .y = five_y};
    const kan_metric m = kan_metric_eval(&d, y_hat, counts);
    cr_assert(epsilon_eq(dbl, m.accuracy, 4.0 / 6.0, rounding));
    cr_assert(epsilon_eq(dbl, m.macro_f1, (4.0 / 5.0 + 2.0 / 3.0 + 2.0 / 3.0) / 4.0, rounding));
}

Test(metric, of_classes_takes_weights) {
    double y_hat[30], counts[15];
    speak_for(6, 5, five_predictions, y_hat);
    const kan_dataset d = {
        .task = KAN_CLASSIFICATION, .n = 6, .n_in = 1, .n_out = 5, .y = five_y, .weight = five_weight};
    const kan_metric m = kan_metric_eval(&d, y_hat, counts);
    cr_assert(epsilon_eq(dbl, m.accuracy, 7.0 / 10.5, rounding));
    cr_assert(epsilon_eq(dbl, m.macro_f1, (16.0 / 17.0 + 8.0 / 9.0 + 2.0 / 5.0) / 4.0, rounding));
}

Test(metric, the_first_of_equal_logits_is_the_prediction) {
    double y[] = {1, 0, 2}, counts[9];
    const double y_hat[] = {0.1, 0.7, 0.7, 0.4, 0.4, 0.4, -0.3, 0.2, 0.2};
    const kan_dataset d = {.task = KAN_CLASSIFICATION, .n = 3, .n_in = 1, .n_out = 3, .y = y};
    cr_assert(epsilon_eq(dbl, kan_metric_eval(&d, y_hat, counts).accuracy, 2.0 / 3.0, rounding));
}

Test(metric, a_nan_prediction_makes_everything_nan) {
    double y[] = {1, 0, 1}, counts[6], y_hat[] = {0.1, 0.7, 0.5, 0.4, 0.3, 0.6};
    for (size_t j = 0; j < 6; ++j) {
        const double kept = y_hat[j];
        y_hat[j] = NAN;
        const kan_dataset classes = {.task = KAN_CLASSIFICATION, .n = 3, .n_in = 1, .n_out = 2, .y = y};
        const kan_metric m = kan_metric_eval(&classes, y_hat, counts);
        cr_assert(isnan(m.accuracy) && isnan(m.macro_f1) && isnan(m.cross_entropy), "entry %zu", j);
        y_hat[j] = kept;
    }
    const double z[] = {0.2, NAN, 0.4};
    const kan_dataset numbers = {.n = 3, .n_in = 1, .n_out = 1, .y = y};
    const kan_metric m = kan_metric_eval(&numbers, z, NULL);
    cr_assert(isnan(m.rmse) && isnan(m.mae) && isnan(m.r2));
}

Test(metric, allocates_nothing) {
    double y_hat[30], counts[15];
    speak_for(6, 5, five_predictions, y_hat);
    kan_dataset d = {.task = KAN_CLASSIFICATION, .n = 6, .n_in = 1, .n_out = 5, .y = five_y};
    alloc_count_begin();
    double sum = kan_metric_eval(&d, y_hat, counts).accuracy;
    d.task = KAN_REGRESSION, d.n_out = 1;
    sum += kan_metric_eval(&d, y_hat, NULL).rmse;
    cr_assert(eq(sz, alloc_count_end(), 0));
    cr_assert(gt(dbl, sum, 0.5));
}

/* The numbers of the published example in units whose squares are no doubles, and in such whose squares lose digits. */
Test(metric, does_not_depend_on_the_unit) {
    static const double units[] = {0x1p1010, 0x1p600, 0x1p-600, 0x1p-1060};
    for (size_t k = 0; k < sizeof units / sizeof *units; ++k) {
        const double u = units[k];
        double y[] = {3.0 * u, -0.5 * u, 2.0 * u, 7.0 * u};
        const double y_hat[] = {2.5 * u, 0.0, 2.0 * u, 8.0 * u};
        const kan_dataset d = {.task = KAN_REGRESSION, .n = 4, .n_in = 1, .n_out = 1, .y = y};
        const kan_metric m = kan_metric_eval(&d, y_hat, NULL);
        cr_assert(epsilon_eq(dbl, m.rmse / u, sqrt(0.375), u < 0x1p-1000 ? 1e-3 : rounding), "unit %g",
                  u);
        cr_assert(epsilon_eq(dbl, m.mae / u, 0.5, rounding), "unit %g", u);
        cr_assert(epsilon_eq(dbl, m.r2, 1.0 - 1.5 / (467.0 / 16.0), rounding), "unit %g", u);
    }
}
