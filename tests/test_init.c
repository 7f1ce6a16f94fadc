/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <math.h>
#include <string.h>

#include "kan/net.h"
#include "splines/spline.h"
#include "tests/support/kan_cases.h"
#include "tests/support/kan_reference.h"

/* Sums of powers of numbers that should have mean 0. */
typedef struct sums {
    double n, first, second, fourth, largest;
} sums;

static void add(sums *s, double z) {
    s->n += 1.0, s->first += z, s->second += z * z, s->fourth += z * z * z * z;
    s->largest = fmax(s->largest, fabs(z));
}

/* Mean, variance and kurtosis within five standard errors of those of a distribution; its moments are
 * sd^2 and kurtosis * sd^4. The standard error of a mean of z^2 is sqrt((kurtosis - 1) / n) sd^2, that
 * of z^4 at most sqrt(105 / n) sd^4, which is the normal distribution's. */
static void assert_distribution(const char *what, const sums *s, double sd, double kurtosis) {
    const double five = 5.0 / sqrt(s->n);
    cr_assert(s->n >= 1000.0 && sd > 0.0);
    cr_assert(epsilon_eq(dbl, s->first / s->n, 0.0, five * sd), "mean of %s", what);
    cr_assert(epsilon_eq(dbl, s->second / s->n / (sd * sd), 1.0, five * sqrt(kurtosis - 1.0)),
              "variance of %s, should be %g", what, sd * sd);
    cr_assert(epsilon_eq(dbl, s->fourth / s->n / pow(sd, 4.0), kurtosis, five * sqrt(105.0)),
              "fourth moment of %s", what);
}

/* Base weights, and coefficients, of a layer. */
static void collect(kan_net *net, size_t l, sums *base, sums *coef) {
    const size_t n_in = kan_net_n_in(net, l), n_out = kan_net_n_out(net, l);
    const kan_basis b = kan_net_basis(net, l, 0);
    const size_t n_basis = b.n_cells + b.degree, rows = n_basis + 1;
    const double *theta = kan_net_layer_theta(net, l);
    *base = *coef = (sums){.n = 0.0};
    for (size_t j = 0; j < n_in * rows * n_out; ++j)
        add(j / n_out % rows == n_basis ? base : coef, theta[j]);
}

static const double uniform_kurtosis = 1.8, normal_kurtosis = 3.0;

/* base ~ U(-1, 1) / sqrt(n_in), sd 1/sqrt(3 n_in); at the G + 1 breakpoints the splines are
 * noise * U(-1/2, 1/2) / (G sqrt(n_in)). */
Test(init, reference_splines_pass_through_noise_of_the_documented_size) {
    static const kan_net_config configs[] = {
        {.width = {40, 50, 30}, .seed = 1},
        {.width = {40, 50, 30},
         .n_cells = 11,
         .degree = 2,
         .noise = 1.7,
         .lo = -2.0,
         .hi = 3.0,
         .seed = 2},
        {.width = {40, 50, 30}, .n_cells = 4, .degree = 5, .seed = 3},
    };
    for (size_t c = 0; c < 3; ++c) {
        kan_net *net = kan_net_alloc(&configs[c]);
        const kan_net_config *config = kan_net_get_config(net);
        for (size_t l = 0; l < 2; ++l) {
            const size_t n_in = kan_net_n_in(net, l), n_out = kan_net_n_out(net, l);
            const double G = (double)config->n_cells, root = sqrt((double)n_in);
            const double reach = 0.5 * config->noise / (G * root);
            sums base, coef, noise = {.n = 0.0};
            collect(net, l, &base, &coef);
            assert_distribution("base weights", &base, 1.0 / (sqrt(3.0) * root), uniform_kurtosis);
            cr_assert(base.largest <= 1.0 / root);
            for (size_t i = 0; i < n_in; ++i) {
                const kan_basis b = kan_net_basis(net, l, i);
                const double *theta = kan_net_layer_theta(net, l) +
                                      i * (b.n_cells + b.degree + 1) * n_out;
                for (size_t j = 0; j < (b.n_cells + 1) * n_out; ++j) {
                    double out[3];
                    kan_spline_eval(&b, theta + j % n_out, n_out, b.knots[b.degree + j / n_out], out);
                    add(&noise, out[0]);
                }
            }
            assert_distribution("noise", &noise, reach / sqrt(3.0), uniform_kurtosis);
            cr_assert(noise.largest <= reach * (1.0 + 1e-9) && noise.largest > 0.99 * reach);
            /* the shortest coefficients: the basis functions of a point sum to 1, so they are not all
             * smaller than the noise, and least squares does not let them grow far beyond */
            cr_assert(coef.largest > reach && coef.largest < 100.0 * reach, "%g", coef.largest / reach);
        }
        kan_net_free(net);
    }
}

/* Means over [lo, hi] by the midpoint rule: of f^2 over all basis functions, d-th derivative. */
static double mean_square_basis(const kan_basis *b, size_t d) {
    enum { N = 3000 };
    const double lo = grid_lo(b), hi = grid_hi(b);
    long double sum = 0.0L;
    for (size_t j = 0; j < N; ++j) {
        const long double x = lo + (hi - lo) * ((long double)j + 0.5L) / N;
        for (size_t f = 0; f < b->n_cells + b->degree; ++f) {
            const long double v = reference_basis(b, f, x, d);
            sum += v * v;
        }
    }
    return (double)(sum / N / (long double)(b->n_cells + b->degree));
}

static double mean_square_base(const kan_basis *b, kan_base base, size_t d) {
    enum { N = 3000 };
    const double lo = grid_lo(b), hi = grid_hi(b);
    long double sum = 0.0L;
    for (size_t j = 0; j < N; ++j) {
        const long double v = reference_base(base, lo + (hi - lo) * ((long double)j + 0.5L) / N, d);
        sum += v * v;
    }
    return (double)(sum / N);
}

/* s^2 = 2 gain^2 / ((G + k + 1) (n_in mean f^2 + n_out mean f'^2)), gain = (hi - lo) / sqrt(12). */
Test(init, glorot_spreads_are_the_documented_ones) {
    static const kan_net_config configs[] = {
        {.width = {50, 90, 30}, .init = KAN_INIT_GLOROT, .seed = 4},
        {.width = {50, 90, 30},
         .init = KAN_INIT_GLOROT,
         .n_cells = 9,
         .degree = 2,
         .lo = -2.0,
         .hi = 3.0,
         .base = KAN_BASE_IDENTITY,
         .seed = 5},
        {.width = {50, 90, 30}, .init = KAN_INIT_GLOROT, .base = KAN_BASE_ZERO, .seed = 6},
    };
    for (size_t c = 0; c < 3; ++c) {
        kan_net *net = kan_net_alloc(&configs[c]);
        for (size_t l = 0; l < 2; ++l) {
            const kan_basis b = kan_net_basis(net, l, 0);
            const kan_base kind = kan_net_get_config(net)->base;
            const double n_in = (double)kan_net_n_in(net, l), n_out = (double)kan_net_n_out(net, l);
            const double gain = (grid_hi(&b) - grid_lo(&b)) / sqrt(12.0);
            const double factor = 2.0 * gain * gain / (double)(b.n_cells + b.degree + 1);
            sums base, coef;
            collect(net, l, &base, &coef);
            assert_distribution(
                "coefficients", &coef,
                sqrt(factor / (n_in * mean_square_basis(&b, 0) + n_out * mean_square_basis(&b, 1))),
                normal_kurtosis);
            if (kind == KAN_BASE_ZERO)
                cr_assert(eq(dbl, base.largest, 0.0));
            else
                assert_distribution("base weights", &base,
                                    sqrt(factor / (n_in * mean_square_base(&b, kind, 0) +
                                                   n_out * mean_square_base(&b, kind, 1))),
                                    normal_kurtosis);
        }
        kan_net_free(net);
    }
}

Test(init, power_spreads_are_the_documented_ones) {
    static const kan_net_config configs[] = {
        {.width = {50, 90, 30}, .init = KAN_INIT_POWER, .seed = 7},
        {.width = {50, 90, 30},
         .init = KAN_INIT_POWER,
         .n_cells = 8,
         .power_base = 0.7,
         .power_spline = 1.1,
         .seed = 8},
    };
    for (size_t c = 0; c < 2; ++c) {
        kan_net *net = kan_net_alloc(&configs[c]);
        for (size_t l = 0; l < 2; ++l) {
            const double cells = c ? 8.0 : 5.0, terms = (double)kan_net_n_in(net, l) * (cells + 4.0);
            sums base, coef;
            collect(net, l, &base, &coef);
            assert_distribution("base weights", &base, pow(terms, c ? -0.7 : -0.25), normal_kurtosis);
            assert_distribution("coefficients", &coef, pow(terms, c ? -1.1 : -1.75), normal_kurtosis);
        }
        kan_net_free(net);
    }
}

Test(init, a_seed_gives_the_same_bits_and_another_one_others) {
    for (kan_init init = 0; init < KAN_N_INITS; ++init) {
        kan_net_config config = {.width = {3, 3, 3}, .init = init, .seed = 41};
        kan_net *a = kan_net_alloc(&config), *b = kan_net_alloc(&config);
        config.seed = 42;
        kan_net *c = kan_net_alloc(&config);
        const kan_model *m = kan_net_model(a);
        cr_assert(memcmp(m->theta, kan_net_model(b)->theta, m->n_params * sizeof *m->theta) == 0);
        for (size_t p = 0; p < m->n_params; ++p) {
            cr_assert(m->theta[p] != kan_net_model(c)->theta[p], "parameter %zu of two seeds", p);
            if (p < m->n_params / 2)
                cr_assert(m->theta[p] != m->theta[p + m->n_params / 2], "parameter %zu of two layers",
                          p);
        }
        kan_net_free(c), kan_net_free(b), kan_net_free(a);
    }
}
