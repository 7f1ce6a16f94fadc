/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "splines/knots.h"
#include "tests/support/kan_cases.h"

enum { MAX_KNOTS = 400 };

static double knots[MAX_KNOTS], fine[MAX_KNOTS];

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void sort(size_t n, double *x) {
    qsort(x, n, sizeof *x, compare);
}

static void assert_are_knots(size_t degree, size_t n_cells, const double *t) {
    const char *wrong = kan_knots_check(degree, n_cells, t);
    cr_assert(wrong == NULL, "degree %zu, %zu cells: %s", degree, n_cells, wrong);
    for (size_t j = 1; j < kan_knots_count(degree, n_cells); ++j)
        cr_assert(t[j] > t[j - 1], "knot %zu", j);
}

/* ---- uniform ------------------------------------------------------------------------------------- */

/* lo (1 - i/n) + hi i/n has three roundings at the size of the ends, h j as many. */
static double rounding(double lo, double hi) {
    return 4.0 * DBL_EPSILON * fmax(fabs(lo), fabs(hi));
}

Test(knots, uniform_ones_have_exact_ends_and_equal_cells) {
    kan_random random = kan_random_seed(1, 0);
    for (size_t round = 0; round < 2000; ++round) {
        const size_t k = 1 + round % KAN_MAX_DEGREE, n = 1 + kan_random_below(&random, 60);
        const double lo = draw(&random, -9.0, 9.0), hi = lo + draw(&random, 1e-3, 20.0);
        const double h = (hi - lo) / (double)n;
        for (size_t j = 0; j < MAX_KNOTS; ++j) knots[j] = NAN;
        kan_knots_uniform(k, n, lo, hi, knots);
        assert_are_knots(k, n, knots);
        cr_assert(eq(dbl, knots[k], lo));
        cr_assert(eq(dbl, knots[k + n], hi));
        for (size_t j = 0; j < kan_knots_count(k, n); ++j) {
            const double expected = lo + h * ((double)j - (double)k);
            cr_assert(
                epsilon_eq(dbl, knots[j], expected, rounding(fabs(lo) + 7 * h, fabs(hi) + 7 * h)));
        }
        cr_assert(isnan(knots[kan_knots_count(k, n)]), "a knot too many");
    }
}

/* The grid of the reference implementation for its defaults, -2.2 .. 2.2. */
Test(knots, uniform_ones_are_those_of_the_reference_implementation) {
    cr_assert(eq(sz, kan_knots_count(3, 5), 12));
    kan_knots_uniform(3, 5, -1.0, 1.0, knots);
    for (size_t j = 0; j < 12; ++j)
        cr_assert(epsilon_eq(dbl, knots[j], -2.2 + 0.4 * (double)j, rounding(2.2, 2.2)));
}

Test(knots, extension_goes_on_at_the_mean_width) {
    const double t[] = {-0.73, -0.51, 0.22, 0.27, 1.19}, h = (1.19 + 0.73) / 4.0;
    kan_knots_extend(3, 4, t, knots);
    assert_are_knots(3, 4, knots);
    for (size_t i = 0; i < 5; ++i) cr_assert(eq(dbl, knots[3 + i], t[i]), "breakpoint %zu", i);
    for (size_t j = 1; j <= 3; ++j) {
        cr_assert(epsilon_eq(dbl, knots[3 - j], -0.73 - h * (double)j, rounding(3, 3)));
        cr_assert(epsilon_eq(dbl, knots[7 + j], 1.19 + h * (double)j, rounding(3, 3)));
    }
}

/* ---- adapted ------------------------------------------------------------------------------------- */

/* Data of every kind: spread out, in clusters, many equal, skewed. */
static void draw_data(kan_random *random, size_t n, double *x) {
    const size_t kind = kan_random_below(random, 4);
    for (size_t s = 0; s < n; ++s) {
        const double u = kan_random_uniform(random);
        x[s] = kind == 0   ? u
               : kind == 1 ? floor(3.0 * u) + 1e-6 * kan_random_uniform(random)
               : kind == 2 ? (u < 0.9 ? 0.5 : u)
                           : exp(-20.0 * u);
    }
    sort(n, x);
}

Test(knots, adapted_ones_increase_and_keep_the_documented_width) {
    enum { N = 300 };
    static const double grid_eps[] = {0.0, 0.004, 0.01, 0.02, 0.3, 1.0};
    kan_random random = kan_random_seed(2, 0);
    double x[N];
    for (size_t round = 0; round < 3000; ++round) {
        const size_t k = 1 + round % KAN_MAX_DEGREE, n_cells = 1 + kan_random_below(&random, 40);
        const size_t n = 2 + kan_random_below(&random, N - 2);
        const double eps = grid_eps[kan_random_below(&random, 6)];
        draw_data(&random, n, x);
        if (x[0] == x[n - 1]) continue;
        kan_knots_adapt(k, n_cells, n, x, eps, knots);
        assert_are_knots(k, n_cells, knots);
        cr_assert(eq(dbl, knots[k], x[0]));
        cr_assert(eq(dbl, knots[k + n_cells], x[n - 1]));
        const double least = fmax(eps, 0.01) * (x[n - 1] - x[0]) / (double)n_cells;
        for (size_t c = k; c < k + n_cells; ++c)
            cr_assert(knots[c + 1] - knots[c] > least - rounding(3.0, 3.0), "cell %zu of %zu", c - k,
                      n_cells);
    }
}

/* With grid_eps = 1 the data only give the ends; with a small one, breakpoints are quantiles. The
 * quantiles of the sorted squares of 0 .. N-1 over N-1 are known without interpolation where cells
 * divide N-1. */
Test(knots, adapted_ones_blend_quantiles_with_equal_cells) {
    enum { N = 101, CELLS = 10 };
    double x[N];
    for (size_t s = 0; s < N; ++s) x[s] = pow((double)s / (N - 1), 2.0);
    for (size_t e = 0; e < 3; ++e) {
        const double eps = (double[]){1.0, 0.01, 0.37}[e];
        kan_knots_adapt(3, CELLS, N, x, eps, knots);
        for (size_t i = 0; i <= CELLS; ++i) {
            const double u = (double)i / CELLS, expected = eps * u + (1.0 - eps) * u * u;
            cr_assert(epsilon_eq(dbl, knots[3 + i], expected, 2 * rounding(0, 1)), "eps %g, %zu", eps,
                      i);
        }
    }
}

Test(knots, a_constant_column_gets_a_range_of_its_own) {
    const double constants[] = {0.0, -0.37, 4.2, 1e9, -3e12, 1e17};
    for (size_t j = 0; j < sizeof constants / sizeof *constants; ++j)
        for (size_t k = 1; k <= KAN_MAX_DEGREE; ++k) {
            const double c = constants[j], x[] = {c, c, c};
            kan_knots_adapt(k, 6, 3, x, 0.02, knots);
            assert_are_knots(k, 6, knots);
            cr_assert(knots[k] <= c - 1.0 && knots[k + 6] >= c + 1.0, "%g", c);
            if (fabs(c) < 1e10) cr_assert(eq(dbl, knots[k], c - 1.0));
            kan_knots_adapt(k, 6, 1, x, 0.02, knots);
            assert_are_knots(k, 6, knots);
        }
}

/* Spreads from far below to far above rounding, half of the data in one place: always a grid that can
 * be used, and as soon as there is room for 16 numbers a cell it is that of the data. */
Test(knots, a_huge_offset_leaves_a_grid_that_can_be_used) {
    enum { N = 50 };
    kan_random random = kan_random_seed(3, 0);
    double x[N];
    for (size_t round = 0; round < 4000; ++round) {
        const size_t k = 1 + round % KAN_MAX_DEGREE, n_cells = 1 + kan_random_below(&random, 30);
        const double offset = (round % 2 ? -1.0 : 1.0) * pow(10.0, draw(&random, -12.0, 15.0));
        const double spread = fabs(offset) * pow(10.0, draw(&random, -17.0, -6.0));
        for (size_t s = 0; s < N; ++s)
            x[s] = offset + spread * (s < N / 2 ? 0.3 : kan_random_uniform(&random));
        sort(N, x);
        kan_knots_adapt(k, n_cells, N, x, 0.01, knots);
        assert_are_knots(k, n_cells, knots);
        cr_assert(knots[k] <= x[0] && knots[k + n_cells] >= x[N - 1]);
        if (x[N - 1] - x[0] > 20.0 * DBL_EPSILON * (double)n_cells * fabs(offset))
            cr_assert(knots[k] == x[0] && knots[k + n_cells] == x[N - 1], "%g + %g", offset, spread);
    }
}

Test(knots, numbers_too_small_to_divide_count_as_constant) {
    const double x[] = {-5e-324, 0.0, 5e-324, 1e-323};
    kan_knots_adapt(3, 5, 4, x, 0.02, knots);
    assert_are_knots(3, 5, knots);
}

/* ---- check, nest, split -------------------------------------------------------------------------- */

Test(knots, check_says_what_is_wrong) {
    kan_knots_uniform(3, 5, -1.0, 1.0, knots);
    cr_assert(kan_knots_check(3, 5, knots) == NULL);
    cr_assert(kan_knots_check(0, 5, knots) != NULL);
    cr_assert(kan_knots_check(8, 5, knots) != NULL);
    cr_assert(kan_knots_check(3, 0, knots) != NULL);
    cr_assert(kan_knots_check(3, KAN_MAX_CELLS + 1, knots) != NULL);
    for (size_t j = 0; j < 12; ++j) {
        const double kept = knots[j],
                     bad[] = {NAN, INFINITY, -INFINITY, j > 0 ? knots[j - 1] : knots[1]};
        for (size_t b = 0; b < 4; ++b) {
            knots[j] = bad[b];
            const char *wrong = kan_knots_check(3, 5, knots);
            cr_assert(wrong && strlen(wrong) > 10, "knot %zu = %g passes", j, bad[b]);
        }
        knots[j] = kept;
    }
    knots[5] = nextafter(knots[4], 2.0);
    cr_assert(kan_knots_check(3, 5, knots) != NULL, "a cell without room");
}

Test(knots, split_grids_nest_and_cut_cells_equally) {
    kan_random random = kan_random_seed(4, 0);
    for (size_t round = 0; round < 300; ++round) {
        const size_t k = 1 + round % KAN_MAX_DEGREE, parts = 2 + kan_random_below(&random, 6);
        grid g = grid_any(&random, k, 12);
        const size_t n = g.basis.n_cells;
        kan_knots_split(k, n, g.knots, n * parts, fine);
        assert_are_knots(k, n * parts, fine);
        cr_assert(kan_knots_nest(k, n, g.knots, n * parts, fine));
        for (size_t c = 0; c < n; ++c) {
            const double *t = g.knots + k + c, h = (t[1] - t[0]) / (double)parts;
            for (size_t j = 0; j <= parts; ++j)
                cr_assert(
                    epsilon_eq(dbl, fine[k + c * parts + j], t[0] + h * (double)j, rounding(6, 6)));
        }
        const size_t moved = k + 1 + kan_random_below(&random, n * parts - 1);
        const bool shared = (moved - k) % parts == 0;
        fine[moved] = nextafter(fine[moved], 9.0);
        cr_assert(kan_knots_nest(k, n, g.knots, n * parts, fine) == !shared, "knot %zu", moved);
        grid_free(&g);
    }
}

Test(knots, other_ends_do_not_nest) {
    kan_knots_uniform(3, 5, -1.0, 1.0, knots);
    cr_assert(kan_knots_nest(3, 5, knots, 5, knots), "a grid nests in itself");
    kan_knots_uniform(3, 10, -1.0, 1.2, fine);
    cr_assert(kan_knots_nest(3, 5, knots, 10, fine) == false);
    kan_knots_uniform(3, 4, -1.0, 1.0, knots);
    kan_knots_uniform(3, 8, -2.0, 2.0, fine);
    cr_assert(kan_knots_nest(3, 4, knots, 8, fine) == false, "wider, and all breakpoints are there");
}
