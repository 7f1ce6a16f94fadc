/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <float.h>
#include <math.h>

#include "core/work.h"
#include "kan/grid.h"
#include "kan/net.h"
#include "tests/support/kan_cases.h"

static const kan_net_config config = {.width = {2, 2, 1}, .mult = {0, 1}, .n_cells = 6, .seed = 3};

static double value(const kan_model *m, double weight) {
    double *grad = kan_work_alloc(m->n_params);
    const double r = kan_model_penalty(m, 1, weight, grad, NULL);
    kan_work_free(grad);
    return r;
}

Test(penalty, gradient_is_that_of_differences) {
    kan_net *net = net_with_entropy(&config, true, 11);
    kan_model *m = kan_net_model(net);
    double *grad = kan_work_alloc(m->n_params), sum = 0.0;
    for (size_t p = 0; p < m->n_params; ++p) grad[p] = 0.385;
    const double r = kan_model_penalty(m, 1, 1e5, grad, NULL);
    cr_assert(r > 0.0 && r == value(m, 1e5));
    for (size_t p = 0; p < m->n_params; ++p) {
        /* R is quadratic: the central difference is exact but for rounding of R, which the step divides */
        const double step = 0.25, theta = m->theta[p];
        m->theta[p] = theta + step;
        const double above = value(m, 1e5);
        m->theta[p] = theta - step;
        const double difference = (above - value(m, 1e5)) / (2.0 * step);
        m->theta[p] = theta;
        cr_assert(epsilon_eq(dbl, grad[p] - 0.385, difference, 1e3 * DBL_EPSILON * (r + 1.0) / step),
                  "%zu", p);
        sum += fabs(difference);
    }
    cr_assert(sum > 1.0);
    kan_work_free(grad);
    kan_net_free(net);
}

Test(penalty, hessian_is_that_of_the_gradient) {
    kan_net *net = net_with_entropy(&config, true, 14);
    kan_model *m = kan_net_model(net);
    const size_t n = m->n_params;
    double *hessian = kan_work_alloc(n * n), *before = kan_work_alloc(n), *after = kan_work_alloc(n);
    kan_model_penalty_hessian(m, 1, 1e5, hessian, NULL);
    cr_assert(hessian[0] > 0.01);
    kan_model_penalty(m, 1, 1e5, before, NULL);
    for (size_t p = 0; p < n; ++p) {
        const double theta = m->theta[p];
        for (size_t q = 0; q < n; ++q) after[q] = 0.0;
        m->theta[p] += 0.5; /* the gradient is linear */
        kan_model_penalty(m, 1, 1e5, after, NULL);
        m->theta[p] = theta;
        for (size_t q = 0; q < n; ++q) {
            const double difference = (after[q] - before[q]) / 0.5;
            const double entry = q <= p ? hessian[p * n + q] : hessian[q * n + p];
            cr_assert(epsilon_eq(dbl, entry, difference, 1e-11 * hessian[0]), "%zu, %zu", p, q);
            cr_assert(q <= p || hessian[p * n + q] == 0.0, "above the diagonal");
        }
    }
    kan_work_free(after);
    kan_work_free(before);
    kan_work_free(hessian);
    kan_net_free(net);
}

/* One edge, cubic: the third derivative is a constant in each cell, found by differences of the curve. */
Test(penalty, is_the_integral_of_the_squared_third_derivative) {
    const double length = 1.0 / 50.0;
    kan_net *net = net_with_entropy(
        &(kan_net_config){.width = {1, 1}, .n_cells = 60, .base = KAN_BASE_ZERO, .lo = -0.7, .hi = 2.3},
        false, 12);
    const kan_basis b = kan_net_basis(net, 0, 0);
    const double h = 3.0 / 60.0;
    long double integral = 0.0L;
    double *coef = kan_net_layer_theta(net, 0);
    for (size_t j = 0; j < 63; ++j) coef[j] = sin(0.1 * (double)j);
    for (size_t c = 0; c < 60; ++c) {
        double t[4], phi[4];
        for (size_t j = 0; j < 4; ++j) t[j] = b.knots[3 + c] + h * (0.05 + 0.3 * (double)j);
        kan_net_edge_curve(net, (kan_edge){0, 0, 0}, 4, t, phi);
        const double step = 0.3 * h / 3.0, /* in units of the grid's width, 3 */
            third = (phi[3] - 3.0 * phi[2] + 3.0 * phi[1] - phi[0]) / (step * step * step);
        integral += pow(length, 6) * third * third / 60.0;
    }
    /* rounding of the third differences: some DBL_EPSILON / (0.02 * 6e-3^3) */
    cr_assert(
        epsilon_eq(dbl, value(kan_net_model(net), 1.0), (double)integral, 1e-6 * (double)integral));
    kan_net_free(net);
}

Test(penalty, means_the_same_on_a_refined_grid) {
    for (size_t degree = 1; degree <= KAN_MAX_DEGREE; ++degree) {
        kan_net_config other = config;
        other.degree = degree;
        kan_net *net = net_with_entropy(&other, false, 13), *fine = kan_grid_refine(net, 24, NULL);
        const double r = value(kan_net_model(net), 1.0), s = value(kan_net_model(fine), 1.0);
        /* differences cancel: 2^k roundings, divided by the k-th power of four times as many cells */
        const double tolerance = 64.0 * DBL_EPSILON * pow(8.0, (double)degree);
        cr_assert(r > 0.0 && fabs(s - r) <= tolerance * r, "degree %zu: %.17g and %.17g", degree, r, s);
        kan_net_free(fine);
        kan_net_free(net);
    }
}
