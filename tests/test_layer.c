/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/work.h"
#include "kan/layer.h"
#include "tests/support/kan_cases.h"
#include "tests/support/kan_reference.h"

enum { MAX_IN = 9, MANY_IN = 270 }; /* drawn; and as much as any test takes */

/* ---- a layer and a batch ---------------------------------------------------------------------------
 */

typedef struct setting {
    layer l;
    grid grids[MANY_IN];
    kan_basis bases[MANY_IN];
    size_t batch, n_theta, n_x, n_y;
    double *theta, *x, *dy;
} setting;

static setting setting_with_cells(kan_random *random, size_t n_cells, size_t degree, size_t n_in,
                                  size_t n_out, size_t batch, kan_base base) {
    setting s = {.batch = batch, .n_x = batch * n_in, .n_y = batch * n_out};
    for (size_t i = 0; i < n_in; ++i) {
        s.grids[i] = kan_random_below(random, 2) ? grid_uneven(random, degree, n_cells)
                                                 : grid_uniform(degree, n_cells, -1.1, 0.9);
        s.bases[i] = s.grids[i].basis;
    }
    s.n_theta = n_in * (n_cells + degree + 1) * n_out;
    s.theta = poisoned(s.n_theta), s.x = poisoned(s.n_x), s.dy = poisoned(s.n_y);
    for (size_t j = 0; j < s.n_theta; ++j) s.theta[j] = draw(random, -1.0, 1.0);
    for (size_t j = 0; j < s.n_x; ++j) s.x[j] = grid_point(random, &s.bases[j % n_in]);
    for (size_t j = 0; j < s.n_y; ++j) s.dy[j] = draw(random, -1.0, 1.0);
    s.l = (layer){.n_in = n_in, .n_out = n_out, .degree = degree, .n_cells = n_cells, .base = base};
    s.l.theta = s.theta;
    return s;
}

static setting setting_draw(kan_random *random, size_t degree, size_t n_in, size_t n_out, size_t batch,
                            kan_base base) {
    const size_t n_cells = 1 + kan_random_below(random, 30);
    return setting_with_cells(random, n_cells, degree, n_in, n_out, batch, base);
}

/* The layer points into the setting, wherever that is. */
static const layer *layer_of(setting *s) {
    s->l.basis = s->bases;
    return &s->l;
}

static setting setting_any(kan_random *random, size_t round, size_t max_out) {
    const size_t n_in = 1 + kan_random_below(random, MAX_IN),
                 n_out = 1 + kan_random_below(random, max_out);
    const size_t batch = 1 + kan_random_below(random, round % 5 ? 60 : 300);
    return setting_draw(random, 1 + round % KAN_MAX_DEGREE, n_in, n_out, batch,
                        (kan_base)kan_random_below(random, KAN_N_BASES));
}

static void setting_free(setting *s) {
    for (size_t i = 0; i < s->l.n_in; ++i) grid_free(&s->grids[i]);
    kan_work_free(s->theta), kan_work_free(s->x), kan_work_free(s->dy);
}

/* ---- what a kernel makes of it, and what is right --------------------------------------------------
 */

typedef struct outcome {
    double *y, *grad, *dx; /* expected values, or results */
    double *y_error, *grad_error, *dx_error;
} outcome;

static outcome outcome_alloc(const setting *s, double value) {
    outcome r = {poisoned(s->n_y), poisoned(s->n_theta), poisoned(s->n_x), NULL, NULL, NULL};
    for (size_t j = 0; j < s->n_theta; ++j) r.grad[j] = value;
    return r;
}

static void outcome_free(outcome *r) {
    double *arrays[] = {r->y, r->grad, r->dx, r->y_error, r->grad_error, r->dx_error};
    for (size_t j = 0; j < 6; ++j) kan_work_free(arrays[j]);
}

enum { WIDE, NARROW, EITHER, WIDE_SINGLE };

/* Forward and backward by one kernel with poisoned trace and outputs; grad is added to `value`, or set where that is
 * NaN. */
static outcome run(setting *s, size_t kernel, double value) {
    const layer *l = layer_of(s);
    outcome r = outcome_alloc(s, value);
    const layer_kernel *narrow = (l->n_out + l->n_in) % 2 ? layer_samples_kernel()
                                                          : layer_outputs_kernel();
    const layer_kernel layers = {layer_trace_size, layer_forward, layer_backward, 0};
    const layer_kernel *const kernels[] = {layer_wide_kernel(KAN_DOUBLE), narrow, &layers,
                                           layer_wide_kernel(KAN_SINGLE)};
    /* a trace need not begin a line of the cache */
    double *memory = poisoned(kernels[kernel]->trace_size(l, s->batch) + 1), *trace = memory + 1;
    kernels[kernel]->forward(l, s->batch, s->x, r.y, trace);
    kernels[kernel]->backward(l, s->batch, s->dy, trace, isnan(value), r.grad, r.dx);
    kan_work_free(memory);
    return r;
}

/* One edge and sample: value, slope, gradient, and how far rounding may take each: every basis function
 * is as exact as grid_tolerance says, outside it takes the error of its slope along, and coefficients
 * are below 1; the base function has a few ulp of its own. */
static void add_edge(const setting *s, const outcome *r, size_t sample, size_t i, size_t o) {
    const kan_basis *b = &s->bases[i];
    const size_t k = b->degree, n_out = s->l.n_out, n_basis = b->n_cells + k,
                 cell = reference_cell(b, s->x[sample * s->l.n_in + i]);
    const double x = s->x[sample * s->l.n_in + i], dy = s->dy[sample * n_out + o];
    const double beyond = fmax(0.0, fmax(grid_lo(b) - x, x - grid_hi(b)));
    const double value_error = grid_tolerance(b, 0) + beyond * grid_tolerance(b, 1);
    const double *coef = s->theta + i * (n_basis + 1) * n_out + o;
    double *grad = r->grad + i * (n_basis + 1) * n_out + o;
    double *grad_error = r->grad_error + i * (n_basis + 1) * n_out + o;
    const double base = (double)reference_base(s->l.base, x, 0);
    const double base_slope = (double)reference_base(s->l.base, x, 1);
    double phi = coef[n_basis * n_out] * base, slope = coef[n_basis * n_out] * base_slope;

    for (size_t j = cell; j <= cell + k; ++j) {
        const double value = (double)reference_basis(b, j, x, 0);
        phi += coef[j * n_out] * value;
        slope += coef[j * n_out] * (double)reference_basis(b, j, x, 1);
        grad[j * n_out] += value * dy;
        grad_error[j * n_out] += 2.0 * value_error * fabs(dy);
    }
    grad[n_basis * n_out] += base * dy;
    grad_error[n_basis * n_out] += 64.0 * DBL_EPSILON * fabs(dy) * (1.0 + fabs(base));
    r->y[sample * n_out + o] += phi;
    r->y_error[sample * n_out + o] += (double)(k + 2) *
                                      (2.0 * value_error + 8.0 * DBL_EPSILON * fabs(base));
    r->dx[sample * s->l.n_in + i] += slope * dy;
    r->dx_error[sample * s->l.n_in + i] += (double)(k + 2) *
                                           (2.0 * grid_tolerance(b, 1) + 16.0 * DBL_EPSILON);
}

static outcome expect(setting *s) {
    outcome r = {kan_work_alloc(s->n_y), kan_work_alloc(s->n_theta), kan_work_alloc(s->n_x),
                 kan_work_alloc(s->n_y), kan_work_alloc(s->n_theta), kan_work_alloc(s->n_x)};
    for (size_t sample = 0; sample < s->batch; ++sample)
        for (size_t i = 0; i < s->l.n_in; ++i)
            for (size_t o = 0; o < s->l.n_out; ++o) add_edge(s, &r, sample, i, o);
    return r;
}

static void assert_near(const char *what, size_t n, const double *got, const double *expected,
                        const double *error, double factor) {
    double largest = 0.0;
    for (size_t j = 0; j < n; ++j) {
        cr_assert(epsilon_eq(dbl, got[j], expected[j], factor * error[j] + DBL_MIN), "%s %zu of %zu",
                  what, j, n);
        largest = fmax(largest, fabs(expected[j]));
    }
    cr_assert(largest > 1e-3, "%s is all but zero: nothing was compared", what);
}

static void assert_outcome(const setting *s, const outcome *got, const outcome *expected,
                           const outcome *errors, double factor) {
    assert_near("y", s->n_y, got->y, expected->y, errors->y_error, factor);
    assert_near("grad", s->n_theta, got->grad, expected->grad, errors->grad_error, factor);
    assert_near("dx", s->n_x, got->dx, expected->dx, errors->dx_error, factor);
}

/* ---- the tests ------------------------------------------------------------------------------------
 */

Test(layer, both_kernels_match_the_reference_and_each_other) {
    kan_random random = kan_random_seed(30, 0);
    for (size_t round = 0; round < 140; ++round) {
        setting s = setting_any(&random, round, NARROW_MAX_OUT);
        outcome expected = expect(&s), wide = run(&s, WIDE, 0.0), narrow = run(&s, NARROW, 0.0);
        assert_outcome(&s, &wide, &expected, &expected, 1.0);
        assert_outcome(&s, &narrow, &expected, &expected, 1.0);
        assert_outcome(&s, &narrow, &wide, &expected, 1.0);
        outcome_free(&narrow), outcome_free(&wide), outcome_free(&expected);
        setting_free(&s);
    }
}

Test(layer, the_wide_kernel_takes_any_number_of_outputs) {
    kan_random random = kan_random_seed(31, 0);
    for (size_t round = 0; round < 60; ++round) {
        setting s = setting_any(&random, round, 24);
        outcome expected = expect(&s), wide = run(&s, WIDE, 0.0), either = run(&s, EITHER, 0.0);
        assert_outcome(&s, &wide, &expected, &expected, 1.0);
        assert_outcome(&s, &either, &expected, &expected, 1.0);
        outcome_free(&either), outcome_free(&wide), outcome_free(&expected);
        setting_free(&s);
    }
}

/* Single precision: every rounding is larger by the ratio of the epsilons. */
Test(layer, the_wide_kernel_in_single_precision) {
    kan_random random = kan_random_seed(36, 0);
    for (size_t round = 0; round < 50; ++round) {
        setting s = setting_any(&random, round, 40);
        outcome expected = expect(&s), single = run(&s, WIDE_SINGLE, 0.0), wide = run(&s, WIDE, 0.0);
        assert_outcome(&s, &single, &expected, &expected, FLT_EPSILON / DBL_EPSILON);
        cr_assert(memcmp(single.y, wide.y, s.n_y * sizeof *wide.y) != 0, "not in double precision");
        outcome_free(&wide), outcome_free(&single), outcome_free(&expected);
        setting_free(&s);
    }
}

/* Cubic layers wider than a chunk of the kernels, with blocks and groups of inputs that are not full. */
Test(layer, cubic_layers_of_every_width) {
    kan_random random = kan_random_seed(37, 0);
    for (size_t n_out = 1; n_out <= 150; n_out += 1 + n_out / 6) {
        setting s = setting_draw(&random, 3, 1 + n_out % MAX_IN, n_out,
                                 300 / (1 + n_out / 20) + n_out % 7, KAN_BASE_SILU);
        outcome expected = expect(&s), wide = run(&s, WIDE, 0.0), single = run(&s, WIDE_SINGLE, 0.0);
        assert_outcome(&s, &wide, &expected, &expected, 1.0);
        assert_outcome(&s, &single, &expected, &expected, FLT_EPSILON / DBL_EPSILON);
        outcome_free(&single), outcome_free(&wide), outcome_free(&expected);
        setting_free(&s);
    }
}

/* Inputs that no group of the kernels holds, of fewer and of more parameters than the caches. */
Test(layer, layers_of_many_inputs) {
    static const size_t inputs[] = {10, 17, 64, 65, 129, MANY_IN};
    kan_random random = kan_random_seed(39, 0);
    for (size_t k = 0; k < sizeof inputs / sizeof *inputs; ++k) {
        const size_t n_out = k % 2 ? 70 : 9, batch = 17 + 40 * (k % 3);
        setting s = setting_with_cells(&random, 5, 3, inputs[k], n_out, batch, KAN_BASE_SILU);
        outcome expected = expect(&s), wide = run(&s, WIDE, 0.0), single = run(&s, WIDE_SINGLE, 0.0);
        assert_outcome(&s, &wide, &expected, &expected, 1.0);
        assert_outcome(&s, &single, &expected, &expected, FLT_EPSILON / DBL_EPSILON);
        outcome_free(&single), outcome_free(&wide), outcome_free(&expected);
        setting_free(&s);
    }
}

/* Up to 200 cells, and more of them than are sorted. */
Test(layer, layers_of_many_cells) {
    static const size_t cells[] = {41, 100, 200, KAN_BASIS_MAX_COUNTED + 1};
    kan_random random = kan_random_seed(38, 0);
    for (size_t degree = 1; degree <= KAN_MAX_DEGREE; ++degree)
        for (size_t k = 0; k < sizeof cells / sizeof *cells; ++k) {
            const size_t n_out = 1 + kan_random_below(&random, NARROW_MAX_OUT);
            setting s = setting_with_cells(&random, cells[k], degree, 2, n_out, 101, KAN_BASE_SILU);
            outcome expected = expect(&s), wide = run(&s, WIDE, 0.0), narrow = run(&s, NARROW, 0.0);
            assert_outcome(&s, &wide, &expected, &expected, 1.0);
            assert_outcome(&s, &narrow, &expected, &expected, 1.0);
            outcome_free(&narrow), outcome_free(&wide), outcome_free(&expected);
            setting_free(&s);
        }
}

/* The shapes with constants of their own in the kernels: cubic, one to five outputs. */
Test(layer, cubic_layers_with_few_outputs_match_the_reference) {
    kan_random random = kan_random_seed(32, 0);
    for (size_t n_out = 1; n_out <= NARROW_MAX_OUT; ++n_out)
        for (kan_base base = 0; base < KAN_N_BASES; ++base) {
            setting s = setting_draw(&random, 3, 3, n_out, 290, base);
            outcome expected = expect(&s), wide = run(&s, WIDE, 0.0), narrow = run(&s, NARROW, 0.0);
            assert_outcome(&s, &wide, &expected, &expected, 1.0);
            assert_outcome(&s, &narrow, &expected, &expected, 1.0);
            outcome_free(&narrow), outcome_free(&wide), outcome_free(&expected);
            setting_free(&s);
        }
}

/* Few samples leave cells without any, before, between and behind the others. */
Test(layer, gradients_that_are_set_have_zeros_where_no_sample_is) {
    static const size_t cells[] = {1, 5, 23, 100, KAN_BASIS_MAX_COUNTED + 1};
    kan_random random = kan_random_seed(39, 0);
    for (size_t round = 0; round < 120; ++round) {
        const size_t n_out = 1 + kan_random_below(&random, round % 3 ? 8 : 70);
        setting s = setting_with_cells(&random, cells[round % 5], 1 + round % KAN_MAX_DEGREE, 2, n_out,
                                       1 + kan_random_below(&random, 60), KAN_BASE_SILU);
        for (size_t kernel = WIDE; kernel <= WIDE_SINGLE; ++kernel) {
            if (kernel == NARROW && n_out > NARROW_MAX_OUT) continue;
            outcome zero = run(&s, kernel, 0.0), set = run(&s, kernel, NAN);
            for (size_t j = 0; j < s.n_theta; ++j)
                cr_assert(set.grad[j] == zero.grad[j], "round %zu, kernel %zu, parameter %zu: %g is %g",
                          round, kernel, j, zero.grad[j], set.grad[j]);
            outcome_free(&set), outcome_free(&zero);
        }
        setting_free(&s);
    }
}

Test(layer, gradients_are_added_and_dx_is_optional) {
    kan_random random = kan_random_seed(33, 0);
    for (size_t round = 0; round < 42; ++round) {
        setting s = setting_any(&random, round, NARROW_MAX_OUT);
        const size_t kernel = round % 2;
        outcome zero = run(&s, kernel, 0.0), one = run(&s, kernel, 1.0);
        for (size_t j = 0; j < s.n_theta; ++j)
            cr_assert(epsilon_eq(dbl, one.grad[j] - 1.0, zero.grad[j],
                                 DBL_EPSILON * (double)s.batch * (2.0 + fabs(zero.grad[j]))));
        const layer *l = layer_of(&s);
        double *trace = poisoned(layer_trace_size(l, s.batch)), *grad = kan_work_alloc(s.n_theta);
        outcome either = run(&s, EITHER, 0.0);
        layer_forward(l, s.batch, s.x, one.y, trace);
        layer_backward(l, s.batch, s.dy, trace, false, grad, NULL);
        cr_assert(memcmp(grad, either.grad, s.n_theta * sizeof *grad) == 0, "without dx");
        outcome_free(&either), kan_work_free(grad), kan_work_free(trace);
        outcome_free(&one), outcome_free(&zero);
        setting_free(&s);
    }
}

/* NaN reaches the outputs of its sample and nothing else going up; going down, dx of its place, and the
 * gradients of its input. */
Test(layer, nan_stays_in_its_sample) {
    kan_random random = kan_random_seed(34, 0);
    for (size_t round = 0; round < 84; ++round) {
        setting s = setting_any(&random, round, NARROW_MAX_OUT);
        const size_t n_in = s.l.n_in, n_out = s.l.n_out, at = kan_random_below(&random, s.n_x);
        outcome clean = run(&s, round % 2, 0.0);
        s.x[at] = NAN;
        outcome r = run(&s, round % 2, 0.0);
        for (size_t j = 0; j < s.n_y; ++j)
            if (j / n_out == at / n_in)
                cr_assert(isnan(r.y[j]), "output %zu", j % n_out);
            else
                cr_assert(eq(dbl, r.y[j], clean.y[j]));
        for (size_t j = 0; j < s.n_x; ++j)
            if (j == at) /* the slope of a straight line does not depend on x */
                cr_assert(isnan(r.dx[j]) || (s.l.degree == 1 && s.l.base != KAN_BASE_SILU));
            else
                cr_assert(eq(dbl, r.dx[j], clean.dx[j]));
        const size_t size = s.n_theta / n_in;
        for (size_t j = 0; j < s.n_theta; ++j)
            if (j / size != at % n_in) cr_assert(eq(dbl, r.grad[j], clean.grad[j]), "another input");
        outcome_free(&r), outcome_free(&clean);
        setting_free(&s);
    }
}

/* Work made for a batch serves every smaller one, also where they take different kernels. */
Test(layer, the_trace_grows_with_the_batch) {
    for (size_t degree = 1; degree <= KAN_MAX_DEGREE; ++degree)
        for (size_t n_out = 1; n_out <= 12; ++n_out)
            for (size_t n_cells = 1; n_cells <= 30; n_cells += 7) {
                const layer l = {.n_in = 3, .n_out = n_out, .degree = degree, .n_cells = n_cells};
                size_t before = 0;
                for (size_t batch = 1; batch < 300; ++batch) {
                    const size_t size = layer_trace_size(&l, batch);
                    cr_assert(size >= before, "%zu outputs, %zu cells, batch %zu: %zu after %zu", n_out,
                              n_cells, batch, size, before);
                    before = size;
                }
            }
}

Test(layer, base_functions_and_their_slopes) {
    enum { N = 200, STRIDE = 3 };
    kan_random random = kan_random_seed(35, 0);
    double x[N * STRIDE], y[N], slopes[N];
    for (size_t j = 0; j < N * STRIDE; ++j) x[j] = draw(&random, -30.0, 30.0);
    for (kan_base base = 0; base < KAN_N_BASES; ++base) {
        layer_base(base, N, x, STRIDE, y, slopes);
        for (size_t s = 0; s < N; ++s) {
            const double v = (double)reference_base(base, x[s * STRIDE], 0);
            const double d = (double)reference_base(base, x[s * STRIDE], 1);
            cr_assert(epsilon_eq(dbl, y[s], v, 4.0 * DBL_EPSILON * fabs(v)), "base %d", (int)base);
            cr_assert(epsilon_eq(dbl, slopes[s], d, 4.0 * DBL_EPSILON), "base %d", (int)base);
        }
    }
}
