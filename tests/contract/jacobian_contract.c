/* tests/contract/jacobian_contract.c - the checks of structured rows (core/model.h).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/contract/contract_parts.h"

static void assert_runs(const kan_model *m, const jacobian *j, size_t batch) {
    size_t end = 0;
    for (size_t k = 0; k < j->n_runs; ++k) {
        size_t least = SIZE_MAX, most = 0;
        cr_assert(j->lengths[k] > 0);
        for (size_t s = 0; s < batch; ++s) {
            const size_t start = j->starts[s * j->n_runs + k];
            if (start < least) least = start;
            if (start + j->lengths[k] > most) most = start + j->lengths[k];
        }
        cr_assert(least >= end && most <= m->n_params, "run %zu goes from %zu to %zu, after %zu", k,
                  least, most, end);
        end = most;
    }
}

/* The row of sample s and output o as n_params numbers. */
static void expand(const kan_model *m, const jacobian *j, size_t s, size_t o, double *row) {
    const double *values = j->values + (s * m->n_out + o) * j->width;
    fill(m->n_params, 0.0, row);
    for (size_t k = 0; k < j->n_runs; values += j->lengths[k], ++k)
        memcpy(row + j->starts[s * j->n_runs + k], values, j->lengths[k] * sizeof *row);
}

/* Every entry against the backward pass of that output of that sample alone, and every row in a random
 * direction against differences of the reference. */
void contract_check_jacobian(const kan_model *m, const model_contract *c) {
    pass p = pass_draw(m, c, 13);
    reference r = reference_alloc(m, c, &p);
    kan_random random = kan_random_seed(c->seed, 14);
    double *row = numbers(m->n_params), sum_v = 0.0, largest = 0.0;
    jacobian j = jacobian_run(m, &p);
    assert_runs(m, &j, p.batch);
    for (size_t k = 0; k < p.n_params; ++k) r.v_theta[k] = 2.0 * kan_random_uniform(&random) - 1.0;
    for (size_t s = 0; s < p.batch; ++s)
        for (size_t o = 0; o < m->n_out; ++o) {
            fill(p.n_y, 0.0, p.dy);
            p.dy[s * m->n_out + o] = 1.0;
            r.total = r.magnitude[s];
            run(m, &p);
            expand(m, &j, s, o, row);
            for (size_t k = 0; k < p.n_params; ++k)
                cr_assert(epsilon_eq(dbl, row[k], p.grad[k], c->ulps * c->epsilon * r.total),
                          "sample %zu, output %zu, parameter %zu", s, o, k);
            const double slope = dot(p.n_params, r.v_theta, row, &sum_v);
            cr_assert(epsilon_eq(dbl, slope, derivative(&r, s, 1), derivative_tolerance(&r) * sum_v),
                      "sample %zu, output %zu", s, o);
            cr_assert(epsilon_eq(dbl, j.y[s * m->n_out + o], p.y[s * m->n_out + o],
                                 c->ulps * c->epsilon * r.magnitude[s]));
            largest = fmax(largest, fabs(slope));
            sum_v = 0.0;
        }
    cr_assert(largest > 0.0, "all rows are zero");
    kan_work_free(row);
    jacobian_free(&j);
    reference_free(&r);
    pass_free(&p);
}

void contract_check_jacobian_of_nan(const kan_model *m, const model_contract *c) {
    pass p = pass_draw(m, c, 13);
    jacobian clean = jacobian_run(m, &p);
    const size_t row = p.batch / 2, width = m->n_out * clean.width;
    p.x[row * m->n_in] = NAN;
    jacobian j = jacobian_run(m, &p);
    assert_runs(m, &j, p.batch);
    for (size_t o = 0; o < m->n_out; ++o) cr_assert(isnan(j.y[row * m->n_out + o]));
    assert_same_bits("rows before one with NaN", row * width, clean.values, j.values);
    assert_same_bits("rows after one with NaN", (p.batch - row - 1) * width,
                     clean.values + (row + 1) * width, j.values + (row + 1) * width);
    jacobian_free(&j);
    jacobian_free(&clean);
    pass_free(&p);
}
