/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "experiments/statistics.h"

#include <float.h>
#include <math.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

/* Student's own sleep data (Biometrika 6, 1908): hours gained with two drugs. R's t.test(paired = TRUE) and its
 * documentation give t = -4.0621, df = 9, p-value = 0.002833. */
static const double drug_1[] = {0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0};
static const double drug_2[] = {1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4};

Test(statistics, quantiles_of_a_list_worked_by_hand) {
    const double values[] = {7.5, 1.25, 3.0, 10.0};
    cr_assert(epsilon_eq(dbl, statistics_median(4, values), 5.25, DBL_EPSILON));
    cr_assert(
        epsilon_eq(dbl, statistics_quantile(4, values, 0.25), 1.25 + 0.75 * 1.75, 4 * DBL_EPSILON));
    cr_assert(eq(dbl, statistics_quantile(4, values, 0.0), 1.25));
    cr_assert(eq(dbl, statistics_quantile(4, values, 1.0), 10.0));
    cr_assert(eq(dbl, statistics_median(1, values), 7.5));
    cr_assert(eq(dbl, statistics_median(3, values), 3.0));
}

Test(statistics, geometric_mean_needs_positive_values) {
    const double values[] = {2e-4, 8e-6, 1e-2}, zero[] = {1.0, 0.0};
    cr_assert(epsilon_eq(dbl, statistics_geometric_mean(3, values), cbrt(2e-4 * 8e-6 * 1e-2), 1e-17));
    cr_assert(isnan(statistics_geometric_mean(2, zero)));
    cr_assert(isnan(statistics_geometric_mean(0, values)));
}

Test(statistics, paired_t_is_that_of_students_sleep_data) {
    const double p = statistics_paired_t(10, drug_1, drug_2);
    cr_assert(epsilon_eq(dbl, p, 0.00283289019738427, 1e-12), "p = %.17g", p);
    cr_assert(eq(dbl, statistics_paired_t(10, drug_2, drug_1), p));
}

Test(statistics, paired_t_at_its_edges) {
    const double a[] = {1.5, 2.5, 3.5}, b[] = {1.0, 2.0, 3.0};
    cr_assert(eq(dbl, statistics_paired_t(1, a, b), 1.0));
    cr_assert(eq(dbl, statistics_paired_t(3, a, a), 1.0));
    cr_assert(eq(dbl, statistics_paired_t(3, a, b), 0.0), "always the same difference");
}

/* With n pairs without ties all on one side p = 2 / 2^n; with d = 1, -2, 3, 4 the smaller sum is 2, and of 16 choices
 * of signs {}, {1}, {2} have at most that. */
Test(statistics, wilcoxon_counts_signs) {
    const double zero[5] = {0.0}, up[] = {0.3, 1.1, 0.7, 2.0, 0.2}, mixed[] = {1.0, -2.0, 3.0, 4.0};
    cr_assert(epsilon_eq(dbl, statistics_wilcoxon(5, up, zero), 2.0 / 32.0, DBL_EPSILON));
    cr_assert(epsilon_eq(dbl, statistics_wilcoxon(4, mixed, zero), 2.0 * 3.0 / 16.0, DBL_EPSILON));
    cr_assert(eq(dbl, statistics_wilcoxon(5, zero, zero), 1.0));
}

/* Every choice of signs of the observed differences, one by one. */
static double wilcoxon_by_all_signs(size_t n, const double *d) {
    double ranks[16], plus = 0.0, total = 0.0;
    for (size_t j = 0; j < n; ++j) {
        double below = 0.0, equal = 0.0;
        for (size_t k = 0; k < n; ++k) {
            below += fabs(d[k]) < fabs(d[j]);
            equal += fabs(d[k]) == fabs(d[j]);
        }
        ranks[j] = below + (equal + 1.0) / 2.0;
        total += ranks[j];
        if (d[j] > 0.0) plus += ranks[j];
    }
    const double observed = fmin(plus, total - plus);
    size_t as_far = 0;
    for (size_t signs = 0; signs < (size_t)1 << n; ++signs) {
        double sum = 0.0;
        for (size_t j = 0; j < n; ++j) sum += signs >> j & 1 ? ranks[j] : 0.0;
        as_far += fmin(sum, total - sum) <= observed;
    }
    return (double)as_far / (double)((size_t)1 << n);
}

Test(statistics, wilcoxon_is_that_of_all_signs_with_ties) {
    const double zero[9] = {0.0}, d[] = {1.5, -1.5, 2.0, 3.0, 3.0, -0.5, 4.0, 1.5, 6.0};
    cr_assert(epsilon_eq(dbl, statistics_wilcoxon(9, d, zero), wilcoxon_by_all_signs(9, d), 1e-14));
}

Test(statistics, wilcoxon_of_many_pairs_is_close_to_the_exact_one) {
    double a[51], b[51] = {0.0};
    for (size_t j = 0; j < 51; ++j) a[j] = (double)(j + 1) * (j % 3 == 0 ? -1.0 : 1.0);
    const double exact = statistics_wilcoxon(50, a, b), normal = statistics_wilcoxon(51, a, b);
    cr_assert(lt(dbl, exact, 0.1));
    cr_assert(lt(dbl, fabs(normal - exact), 0.03), "%g and %g", normal, exact);
}

Test(statistics, slope_of_a_line) {
    const double x[] = {0.5, 1.75, 2.0, 4.0}, y[] = {1.0 - 2.0, 1.0 - 7.0, 1.0 - 8.0, 1.0 - 16.0};
    cr_assert(epsilon_eq(dbl, statistics_slope(4, x, y), -4.0, 8 * DBL_EPSILON));
    cr_assert(isnan(statistics_slope(2, (const double[]){1.0, 1.0}, y)));
}
