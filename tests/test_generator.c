/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <gsl/gsl_linalg.h>
#include <gsl/gsl_sf_bessel.h>

#include "experiments/generator.h"
#include "symbolic/special.h"
#include "tests/support/alloc.h"

/* A training and a test set. */
typedef struct pair {
    kan_dataset *train, *test;
} pair;

static pair make(const char *spec, const generator_options *options) {
    pair p;
    kan_error error = {KAN_OK, ""};
    const kan_status status = generator_make(spec, options, &p.train, &p.test, &error);
    cr_assert(eq(int, (int)status, KAN_OK), "%s: %s", spec, error.message);
    return p;
}

static void release(pair p) {
    kan_dataset_free(p.train);
    kan_dataset_free(p.test);
}

static bool same_rows(const kan_dataset *a, const kan_dataset *b, size_t n) {
    return memcmp(a->x, b->x, n * a->n_in * sizeof *a->x) == 0 &&
           memcmp(a->y, b->y, n * sizeof *a->y) == 0;
}

/* ---- every built-in ---------------------------------------------------------------------- */

Test(generator, every_built_in_makes_what_it_says) {
    cr_assert(ge(sz, generator_count(), 28));
    for (size_t i = 0; i < generator_count(); ++i) {
        const generator g = generator_at(i);
        const pair p = make(g.name, &(generator_options){.n_train = 300, .n_test = 200, .seed = i});
        cr_assert(eq(sz, p.train->n, 300));
        cr_assert(eq(sz, p.test->n, 200));
        const kan_dataset *both[] = {p.train, p.test};
        for (size_t j = 0; j < 2; ++j) {
            const kan_dataset *d = both[j];
            cr_assert(eq(int, (int)d->task, (int)g.task), "%s", g.name);
            cr_assert(eq(sz, d->n_in, g.n_in), "%s", g.name);
            cr_assert(eq(sz, d->n_out, g.n_classes > 0 ? g.n_classes : 1), "%s", g.name);
            size_t seen[3] = {0};
            for (size_t k = 0; k < d->n * d->n_in; ++k) cr_assert(isfinite(d->x[k]) != 0, "%s", g.name);
            for (size_t s = 0; s < d->n; ++s) {
                cr_assert(isfinite(d->y[s]) != 0, "%s", g.name);
                if (g.n_classes > 0) ++seen[(size_t)d->y[s]];
            }
            for (size_t c = 0; c < g.n_classes; ++c) {
                /* Each about its share: five standard deviations of a binomial count. */
                const double share = (double)d->n / (double)g.n_classes;
                cr_assert(epsilon_eq(dbl, (double)seen[c], share, 5.0 * sqrt(share)), "%s", g.name);
                const char name[] = {(char)('0' + c), '\0'};
                cr_assert(strcmp(d->class_names[c], name) == 0);
            }
            cr_assert(strcmp(d->target_names[0], g.n_classes > 0 ? "class" : "target") == 0);
        }
        release(p);
    }
}

/* The listing names the first and the last input, or all; and the formula where it can be parsed. */
Test(generator, the_listing_agrees_with_the_data) {
    for (size_t i = 0; i < generator_count(); ++i) {
        const generator g = generator_at(i);
        const pair p = make(g.name, &(generator_options){.n_train = 2, .n_test = 2});
        const char *first = p.train->input_names[0], *last = p.train->input_names[g.n_in - 1];
        cr_assert(strstr(g.variables, first) != NULL, "%s: %s", g.name, g.variables);
        cr_assert(strstr(g.variables, last) != NULL, "%s: %s", g.name, g.variables);
        release(p);
    }
}

/* ---- values ------------------------------------------------------------------------------ */

typedef double reference(const double *x);

static double hello(const double *x) {
    return exp(sin(M_PI * x[0]) + x[1] * x[1]);
}

static double j0_of_20x(const double *x) {
    return gsl_sf_bessel_J0(20.0 * x[0]);
}

static double xy(const double *x) {
    return x[0] * x[1];
}

static double velocities(const double *x) {
    return tanh(atanh(x[0]) + atanh(x[1]));
}

static double sin100(const double *x) {
    double mean = 0.0;
    for (size_t i = 0; i < 100; ++i) mean += pow(sin(M_PI * x[i] / 2.0), 2.0) / 100.0;
    return exp(mean);
}

static double four(const double *x) {
    const double a = x[0] * x[0] + x[1] * x[1], b = x[2] * x[2] + x[3] * x[3];
    return exp((sin(M_PI * a) + sin(M_PI * b)) / 2.0);
}

static double det4(const double *x) {
    double a[16];
    int sign;
    memcpy(a, x, sizeof a);
    gsl_matrix_view view = gsl_matrix_view_array(a, 4, 4);
    gsl_permutation *order = gsl_permutation_alloc(4);
    gsl_linalg_LU_decomp(&view.matrix, order, &sign);
    gsl_permutation_free(order);
    return gsl_linalg_LU_det(&view.matrix, sign);
}

static double rotated(const double *x) {
    const double c = cos(0.175), s = sin(0.175), u = c * x[0] - s * x[1], v = s * x[0] + c * x[1];
    return cos(4 * M_PI * u) + sin(M_PI * v) + sin(2 * M_PI * v) + fabs(sin(3 * M_PI * v * v));
}

Test(generator, built_ins_have_the_values_of_their_formulas) {
    static const struct {
        const char *name;
        reference *f;
    } cases[] = {{"hello", hello},           {"j0", j0_of_20x}, {"xy", xy},     {"sin100", sin100},
                 {"velocities", velocities}, {"four", four},    {"det4", det4}, {"rotated", rotated}};
    for (size_t j = 0; j < sizeof cases / sizeof *cases; ++j) {
        const pair p = make(cases[j].name, NULL);
        double spread = 0.0;
        for (size_t s = 0; s < p.test->n; ++s) {
            const double expected = cases[j].f(p.test->x + s * p.test->n_in);
            /* Arguments up to 20 of sines and of J_0 are off by 20 epsilon / 2. */
            cr_assert(epsilon_eq(dbl, p.test->y[s], expected, 32 * DBL_EPSILON * fmax(1.0, expected)),
                      "%s", cases[j].name);
            spread = fmax(spread, fabs(p.test->y[s] - p.test->y[0]));
        }
        cr_assert(spread > 0.1, "%s", cases[j].name);
        release(p);
    }
}

Test(generator, special_functions_take_their_arguments_in_order) {
    size_t n;
    const kan_special *table = kan_special_table(&n);
    for (size_t i = 0; i < n; ++i) {
        const pair p = make(table[i].name, NULL);
        const kan_dataset *d = p.train;
        const size_t first = strcmp(d->input_names[0], table[i].arguments[0]) == 0 ? 0 : 1;
        cr_assert(strcmp(d->input_names[1 - first], table[i].arguments[1]) == 0);
        for (size_t s = 0; s < d->n; ++s) {
            const double a = d->x[2 * s + first], b = d->x[2 * s + 1 - first];
            cr_assert(eq(dbl, d->y[s], table[i].eval(a, b)), "%s", table[i].name);
            cr_assert(a >= table[i].lo[0] && a <= table[i].hi[0] && b >= table[i].lo[1] &&
                      b <= table[i].hi[1]);
        }
        release(p);
    }
}

Test(generator, any_formula_will_do) {
    const pair p = make("2*b_1 - a^2", &(generator_options){.n_train = 50});
    cr_assert(eq(sz, p.train->n, 50));
    cr_assert(eq(sz, p.test->n, 1000));
    cr_assert(strcmp(p.train->input_names[0], "a") == 0);
    cr_assert(strcmp(p.train->input_names[1], "b_1") == 0);
    for (size_t s = 0; s < 50; ++s) {
        const double *x = p.train->x + 2 * s;
        cr_assert(eq(dbl, p.train->y[s], 2.0 * x[1] - pow(x[0], 2.0)));
    }
    release(p);
}

Test(generator, the_generating_expression_makes_the_targets) {
    for (size_t i = 0; i < generator_count(); ++i) {
        const generator g = generator_at(i);
        kan_error error = {KAN_OK, ""};
        kan_expression *e = generator_expression(g.name, NULL, &error);
        if (g.task == KAN_CLASSIFICATION) {
            cr_assert(e == NULL && error.status == KAN_ECONFIG, "%s", g.name);
            continue;
        }
        cr_assert(e != NULL, "%s: %s", g.name, error.message);
        const pair p = make(g.name, &(generator_options){.n_train = 20, .n_test = 20, .seed = 5});
        for (size_t s = 0; s < 20; ++s)
            cr_assert(eq(dbl, kan_expression_eval(e, p.train->x + s * g.n_in), p.train->y[s]), "%s",
                      g.name);
        release(p);
        kan_expression_free(e);
    }
}

/* ---- rows and streams -------------------------------------------------------------------- */

Test(generator, rows_depend_on_the_seed_alone) {
    static const char *specs[] = {"hello", "moons", "checkerboard", "x*z", "kv"};
    const double none = 0.0, noise = 0.05;
    for (size_t j = 0; j < sizeof specs / sizeof *specs; ++j) {
        const pair a = make(specs[j], &(generator_options){.seed = 7, .noise = &noise});
        const pair b = make(specs[j], &(generator_options){.seed = 7, .noise = &noise});
        const pair c = make(specs[j], &(generator_options){.seed = 8, .noise = &noise});
        cr_assert(same_rows(a.train, b.train, 1000) && same_rows(a.test, b.test, 1000), "%s", specs[j]);
        cr_assert(same_rows(a.train, c.train, 1) == false, "%s", specs[j]);
        cr_assert(same_rows(a.test, c.test, 1) == false, "%s", specs[j]);
        /* Without noise, which would make different rows of the same inputs. */
        const pair d = make(specs[j], &(generator_options){.seed = 7, .noise = &none});
        cr_assert(d.train->x[0] != d.test->x[0], "%s", specs[j]);
        release(a), release(b), release(c), release(d);
    }
}

Test(generator, training_and_test_rows_do_not_disturb_each_other) {
    static const char *specs[] = {"four", "spirals", "blobs", "checkerboard", "sin(x)*y"};
    for (size_t j = 0; j < sizeof specs / sizeof *specs; ++j) {
        const pair a = make(specs[j], &(generator_options){.n_train = 40, .n_test = 300, .seed = 3});
        const pair b = make(specs[j], &(generator_options){.n_train = 500, .n_test = 60, .seed = 3});
        cr_assert(same_rows(a.train, b.train, 40), "%s", specs[j]);
        cr_assert(same_rows(a.test, b.test, 60), "%s", specs[j]);
        release(a), release(b);
    }
}

/* ---- ranges ------------------------------------------------------------------------------ */

/* Smallest, largest and mean value of a column. */
static void expect_uniform(const kan_dataset *d, size_t column, double lo, double hi) {
    double least = INFINITY, most = -INFINITY, mean = 0.0;
    for (size_t s = 0; s < d->n; ++s) {
        const double x = d->x[s * d->n_in + column];
        least = fmin(least, x), most = fmax(most, x), mean += x / (double)d->n;
    }
    /* One row in a thousand is expected in every thousandth part: the ends are reached to a hundredth
     * but with a chance of (1 - 1/100)^1000 = 4e-5; the mean has a standard deviation of 0.29 /
     * sqrt(n). */
    cr_assert(least >= lo && least <= lo + 0.01 * (hi - lo), "%g to %g", least, most);
    cr_assert(most <= hi && most >= hi - 0.01 * (hi - lo), "%g to %g", least, most);
    cr_assert(epsilon_eq(dbl, mean, (lo + hi) / 2, 5 * 0.29 * (hi - lo) / sqrt((double)d->n)));
}

Test(generator, ranges_are_respected_and_filled) {
    const generator_range ranges[] = {
        {NULL, 2.0, 3.0}, {"y", -0.25, 0.385}, {"z", 5, 6}, {"z", 1e3, 1e4}};
    const pair p = make("x+y+z", &(generator_options){.ranges = ranges, .n_ranges = 4});
    const kan_dataset *both[] = {p.train, p.test};
    for (size_t j = 0; j < 2; ++j) {
        expect_uniform(both[j], 0, 2.0, 3.0);
        expect_uniform(both[j], 1, -0.25, 0.385);
        expect_uniform(both[j], 2, 1e3, 1e4);
    }
    release(p);
    const pair q = make("hello", NULL);
    expect_uniform(q.train, 0, -1.0, 1.0);
    expect_uniform(q.train, 1, -1.0, 1.0);
    release(q);
    const pair r = make("det4", NULL);
    for (size_t i = 0; i < 16; ++i) expect_uniform(r.train, i, 0.0, 1.0);
    release(r);
    /* The built-in's own ranges hold where the options say nothing. */
    const pair s = make(
        "jv", &(generator_options){.ranges = &(generator_range){"x", 1.0, 2.0}, .n_ranges = 1});
    expect_uniform(s.train, 0, 0.0, 5.0);
    expect_uniform(s.train, 1, 1.0, 2.0);
    release(s);
}

Test(generator, a_range_makes_a_variable_of_e) {
    const pair p = make(
        "a*e", &(generator_options){.ranges = &(generator_range){"e", 3.0, 4.0}, .n_ranges = 1});
    cr_assert(eq(sz, p.train->n_in, 2));
    expect_uniform(p.train, 1, 3.0, 4.0);
    release(p);
}

/* ---- noise ------------------------------------------------------------------------------- */

Test(generator, noise_is_a_fraction_of_the_spread_of_the_training_targets) {
    enum { N = 20000 };
    const double noise = 0.1;
    const pair clean = make("hello", &(generator_options){.n_train = N, .seed = 2});
    const pair noisy = make("hello", &(generator_options){.n_train = N, .seed = 2, .noise = &noise});
    cr_assert(memcmp(clean.train->x, noisy.train->x, 2 * N * sizeof(double)) == 0);
    cr_assert(same_rows(clean.test, noisy.test, 1000)); /* no noise there */
    double mean = 0.0, spread = 0.0, error_mean = 0.0, error = 0.0;
    for (size_t s = 0; s < N; ++s) mean += clean.train->y[s] / N;
    for (size_t s = 0; s < N; ++s) {
        const double d = noisy.train->y[s] - clean.train->y[s];
        spread += (clean.train->y[s] - mean) * (clean.train->y[s] - mean) / N;
        error_mean += d / N;
        error += d * d / N;
    }
    /* The ratio of the variances has a relative standard deviation of sqrt(2/N), the mean one of
     * 1/sqrt(N). */
    cr_assert(epsilon_eq(dbl, error / spread, 0.01, 5 * 0.01 * sqrt(2.0 / N)));
    cr_assert(epsilon_eq(dbl, error_mean / sqrt(spread), 0.0, 5 * 0.1 / sqrt(N)));
    release(clean), release(noisy);
}

Test(generator, noise_of_classes_moves_both_coordinates) {
    enum { N = 20000 };
    const double none = 0.0, some = 0.2;
    static const char *specs[] = {"moons", "spirals", "blobs", "checkerboard"};
    for (size_t j = 0; j < 4; ++j) {
        const pair a = make(specs[j], &(generator_options){.n_train = N, .n_test = N, .noise = &none});
        const pair b = make(specs[j], &(generator_options){.n_train = N, .n_test = N, .noise = &some});
        const pair c = make(specs[j], &(generator_options){.n_train = N, .n_test = N});
        const double own = generator_at(8 + j).noise;
        cr_assert(strcmp(generator_at(8 + j).name, specs[j]) == 0);
        for (size_t i = 0; i < 4; ++i) {
            const kan_dataset *x = i < 2 ? a.train : a.test, *y = i < 2 ? b.train : b.test;
            const kan_dataset *z = i < 2 ? c.train : c.test;
            double moved = 0.0, by_default = 0.0;
            for (size_t s = 0; s < N; ++s) {
                moved += pow(y->x[2 * s + i % 2] - x->x[2 * s + i % 2], 2.0) / N;
                by_default += pow(z->x[2 * s + i % 2] - x->x[2 * s + i % 2], 2.0) / N;
            }
            cr_assert(epsilon_eq(dbl, moved, 0.04, 5 * 0.04 * sqrt(2.0 / N)), "%s", specs[j]);
            cr_assert(epsilon_eq(dbl, by_default, own * own, 5 * own * own * sqrt(2.0 / N)), "%s",
                      specs[j]);
            cr_assert(memcmp(x->y, y->y, N * sizeof(double)) == 0, "%s", specs[j]);
        }
        release(a), release(b), release(c);
    }
}

/* Without noise the classes lie where the geometry says. */
Test(generator, classes_lie_where_they_should) {
    const double none = 0.0;
    const generator_options o = {.noise = &none, .seed = 9};
    const pair moons = make("moons", &o), spirals = make("spirals", &o),
               board = make("checkerboard", &o);
    for (size_t s = 0; s < 1000; ++s) {
        const double *m = moons.train->x + 2 * s, *t = spirals.train->x + 2 * s,
                     *b = board.train->x + 2 * s;
        const bool lower = moons.train->y[s] == 1.0;
        const double dx = lower ? m[0] - 1.0 : m[0], dy = lower ? 0.5 - m[1] : m[1];
        cr_assert(epsilon_eq(dbl, hypot(dx, dy), 1.0, 4 * DBL_EPSILON));
        cr_assert(dy >= -DBL_EPSILON);

        const double radius = hypot(t[0], t[1]), side = spirals.train->y[s] == 0.0 ? 1.0 : -1.0;
        const double angle = 3.0 * M_PI * radius;
        cr_assert(radius > 0.083 && radius <= 1.0 + DBL_EPSILON);
        cr_assert(epsilon_eq(dbl, t[0], side * radius * cos(angle), 32 * DBL_EPSILON));
        cr_assert(epsilon_eq(dbl, t[1], side * radius * sin(angle), 32 * DBL_EPSILON));

        /* sin(2 pi x) sin(2 pi y) has the sign of the square. */
        const double sign = sin(2.0 * M_PI * b[0]) * sin(2.0 * M_PI * b[1]);
        const bool even = board.train->y[s] == 0.0;
        cr_assert(even == (sign > 0.0), "%g, %g", b[0], b[1]);
    }
    expect_uniform(board.train, 0, -1.0, 1.0);
    expect_uniform(board.train, 1, -1.0, 1.0);
    release(moons), release(spirals), release(board);
}

/* ---- errors ------------------------------------------------------------------------------ */

Test(generator, errors_say_what_is_wrong) {
    static const double negative = -0.1, infinite = INFINITY, huge = 1e10;
    static const struct {
        const char *spec;
        generator_range range;
        const double *noise;
        kan_status status;
        const char *says;
    } cases[] = {
        {"log(x)", {"x", -1, 1}, NULL, KAN_ENONFINITE, "not finite at x=-"},
        {"1/(x-x)+y", {"x", 2, 3}, NULL, KAN_ENONFINITE, "choose another --range"},
        {"x*y", {"z", 0, 1}, NULL, KAN_ECONFIG, "range of z"},
        {"hello", {"z", 0, 1}, NULL, KAN_ECONFIG, "range of z"},
        {"x*y", {"x", 1, 1}, NULL, KAN_ECONFIG, "range 1 to 1 of x"},
        {"x*y", {NULL, 2, 1}, NULL, KAN_ECONFIG, "range 2 to 1 of all variables"},
        {"x*y", {"x", NAN, 1}, NULL, KAN_ECONFIG, "of x"},
        {"x*y", {"x", 0, INFINITY}, NULL, KAN_ECONFIG, "of x"},
        {"x*y", {"x", -1e308, 1e308}, NULL, KAN_ECONFIG, "of x"},
        {"moons", {"x", 0, 1}, NULL, KAN_ECONFIG, "moons has no ranges"},
        {"x*y", {"x", 0, 1}, &negative, KAN_ECONFIG, "noise -0.1"},
        {"x*y", {"x", 0, 1}, &infinite, KAN_ECONFIG, "noise inf"},
        {"x*1e300", {"x", 0, 1}, &huge, KAN_ENONFINITE, "cannot have noise"},
        {"x+target", {"x", 0, 1}, NULL, KAN_ECONFIG, "target"},
        {"2*pi", {NULL, 0, 1}, NULL, KAN_ECONFIG, "no variables"},
        {"helo", {NULL, 0, 1}, NULL, KAN_EFORMAT, "no generator is called 'helo'"},
        {"x+foo(y)", {NULL, 0, 1}, NULL, KAN_EFORMAT, "'x+foo(y)': unknown function 'foo' at column 3"},
        {"", {NULL, 0, 1}, NULL, KAN_EFORMAT, "empty"},
    };
    for (size_t j = 0; j < sizeof cases / sizeof *cases; ++j) {
        const generator_options o = {.ranges = &cases[j].range, .n_ranges = 1, .noise = cases[j].noise};
        kan_error error = {KAN_OK, ""};
        kan_dataset *train = (void *)&error, *test = (void *)&error;
        const kan_status status = generator_make(cases[j].spec, &o, &train, &test, &error);
        cr_assert(eq(int, (int)status, (int)cases[j].status), "%s: %s", cases[j].spec, error.message);
        cr_assert(eq(int, (int)error.status, (int)cases[j].status), "%s", cases[j].spec);
        cr_assert(strstr(error.message, cases[j].says) != NULL, "%s: %s", cases[j].spec, error.message);
        cr_assert(train == NULL && test == NULL, "%s", cases[j].spec);
    }
}

/* A hundred inputs do not fit into a message; its end, the advice, must. */
Test(generator, a_long_message_keeps_its_end) {
    char text[4096] = "log(-1";
    for (int i = 0; i < 100; ++i) snprintf(text + strlen(text), 32, "-a_rather_long_name_%03d^2", i);
    strcat(text, ")");
    kan_dataset *train, *test;
    kan_error error = {KAN_OK, ""};
    const kan_status status = generator_make(text, NULL, &train, &test, &error);
    cr_assert(eq(int, (int)status, KAN_ENONFINITE));
    cr_assert(strstr(error.message, "a_rather_long_name_001=") != NULL, "%s", error.message);
    cr_assert(strstr(error.message, ", ..; choose another --range") != NULL, "%s", error.message);
}

static kan_status make_and_free(void *context) {
    kan_dataset *train, *test;
    kan_error error;
    const generator_options o = {.n_train = 10, .n_test = 5};
    const kan_status status = generator_make(context, &o, &train, &test, &error);
    kan_dataset_free(train);
    kan_dataset_free(test);
    return status;
}

Test(generator, no_memory_is_an_error_and_no_leak) {
    cr_assert(gt(sz, alloc_fail_every(make_and_free, (char[]){"x*y"}), 0));
    cr_assert(gt(sz, alloc_fail_every(make_and_free, (char[]){"jv"}), 0));
    cr_assert(gt(sz, alloc_fail_every(make_and_free, (char[]){"blobs"}), 0));
}

Test(generator, too_many_rows_are_no_memory) {
    kan_dataset *train, *test;
    const generator_options o = {.n_train = SIZE_MAX / 4};
    cr_assert(eq(int, (int)generator_make("x*y", &o, &train, &test, NULL), KAN_ENOMEM));
    cr_assert(eq(int, (int)generator_make("moons", &o, &train, &test, NULL), KAN_ENOMEM));
    cr_assert(train == NULL && test == NULL);
}
