/* tests/contract/contract_parts.h - private: batches, references and Jacobians, for the files of the suite.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_TESTS_CONTRACT_PARTS_H
#define KAN_TESTS_CONTRACT_PARTS_H

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/random.h"
#include "core/work.h"
#include "tests/contract/model_contract.h"
#include "tests/support/alloc.h"

/* ---- one batch and what a model makes of it ----------------------------------------------------- */

typedef struct pass {
    size_t batch, n_x, n_y, n_params, n_work;
    double *x, *dy;               /* drawn at random      */
    double *y, *grad, *dx, *work; /* made by run()         */
} pass;

static inline double *numbers(size_t n) {
    double *values = kan_work_alloc(n);
    cr_assert(values != NULL, "no memory for %zu numbers", n);
    return values;
}

static inline void fill(size_t n, double value, double *values) {
    for (size_t j = 0; j < n; ++j) values[j] = value;
}

static inline void draw(kan_random *random, size_t n, double lo, double hi, double *values) {
    for (size_t j = 0; j < n; ++j) values[j] = lo + (hi - lo) * kan_random_uniform(random);
}

static inline pass pass_alloc(const kan_model *m, size_t batch) {
    pass p = {.batch = batch, .n_params = m->n_params, .n_work = kan_model_work_size(m, batch)};
    p.n_x = batch * m->n_in, p.n_y = batch * m->n_out;
    p.x = numbers(p.n_x), p.dx = numbers(p.n_x);
    p.y = numbers(p.n_y), p.dy = numbers(p.n_y);
    p.grad = numbers(p.n_params), p.work = numbers(p.n_work);
    return p;
}

static inline void pass_free(pass *p) {
    double *arrays[] = {p->x, p->dx, p->y, p->dy, p->grad, p->work};
    for (size_t j = 0; j < sizeof arrays / sizeof *arrays; ++j) kan_work_free(arrays[j]);
}

/* A batch of the contract's size, x and dy drawn from a stream of its seed. */
static inline pass pass_draw(const kan_model *m, const model_contract *c, uint64_t stream) {
    pass p = pass_alloc(m, c->batch);
    kan_random random = kan_random_seed(c->seed, stream);
    draw(&random, p.n_x, c->lo, c->hi, p.x);
    draw(&random, p.n_y, -1.0, 1.0, p.dy);
    return p;
}

/* Forward and backward from a zero gradient; outputs and work hold NaN before. */
static inline void run(const kan_model *m, pass *p) {
    fill(p->n_work, NAN, p->work);
    fill(p->n_y, NAN, p->y);
    fill(p->n_x, NAN, p->dx);
    fill(p->n_params, 0.0, p->grad);
    kan_model_forward(m, p->batch, p->x, p->y, p->work);
    kan_model_backward(m, p->batch, p->x, p->dy, p->grad, p->dx, p->work);
}

static inline void assert_same_bits(const char *what, size_t n, const double *a, const double *b) {
    for (size_t j = 0; j < n; ++j)
        cr_assert(memcmp(a + j, b + j, sizeof *a) == 0, "%s, entry %zu: %.17g and %.17g", what, j, a[j],
                  b[j]);
}

/* ---- the reference ------------------------------------------------------------------------------ */

/* loss = sum over samples and outputs of dy y, in long double, and what it takes to bound errors. */
typedef struct reference {
    const kan_model *m;
    const model_contract *c;
    const pass *p;
    long double *theta, *x;           /* as they are                                         */
    long double *v_theta, *v_x;       /* a direction                                         */
    long double *at_theta, *at_x, *y; /* scratch                                             */
    double *magnitude;                /* [batch] of each sample                              */
    double total;                     /* sum over samples and outputs of |dy| magnitude      */
} reference;

static inline long double *long_numbers(size_t n, const double *values) {
    long double *copy = calloc(n + 1, sizeof *copy);
    cr_assert(copy != NULL, "no memory for %zu numbers", n);
    for (size_t j = 0; values && j < n; ++j) copy[j] = values[j];
    return copy;
}

static inline reference reference_alloc(const kan_model *m, const model_contract *c, const pass *p) {
    reference r = {.m = m, .c = c, .p = p};
    r.theta = long_numbers(p->n_params, m->theta), r.x = long_numbers(p->n_x, p->x);
    r.v_theta = long_numbers(p->n_params, NULL), r.v_x = long_numbers(p->n_x, NULL);
    r.at_theta = long_numbers(p->n_params, NULL), r.at_x = long_numbers(p->n_x, NULL);
    r.y = long_numbers(m->n_out, NULL);
    r.magnitude = numbers(p->batch);
    for (size_t s = 0; s < p->batch; ++s) {
        r.magnitude[s] = (double)c->reference(c->context, r.theta, r.x + s * m->n_in, r.y);
        for (size_t o = 0; o < m->n_out; ++o) r.total += fabs(p->dy[s * m->n_out + o]) * r.magnitude[s];
    }
    cr_assert(isfinite(r.total) && r.total > 0.0, "the reference gives no magnitudes");
    return r;
}

static inline void reference_free(reference *r) {
    long double *arrays[] = {r->theta, r->x, r->v_theta, r->v_x, r->at_theta, r->at_x, r->y};
    for (size_t j = 0; j < sizeof arrays / sizeof *arrays; ++j) free(arrays[j]);
    kan_work_free(r->magnitude);
}

/* The part that rows first .. first+n-1 have in the loss at theta + t v_theta, x + t v_x. */
static inline long double loss(reference *r, size_t first, size_t n, long double t) {
    const size_t n_in = r->m->n_in, n_out = r->m->n_out;
    long double sum = 0.0L;
    for (size_t p = 0; p < r->p->n_params; ++p) r->at_theta[p] = r->theta[p] + t * r->v_theta[p];
    for (size_t s = first; s < first + n; ++s) {
        for (size_t i = s * n_in; i < (s + 1) * n_in; ++i) r->at_x[i] = r->x[i] + t * r->v_x[i];
        r->c->reference(r->c->context, r->at_theta, r->at_x + s * n_in, r->y);
        for (size_t o = 0; o < n_out; ++o) sum += r->p->dy[s * n_out + o] * r->y[o];
    }
    return sum;
}

/* d(loss)/dt at t = 0 by (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12 h, whose error is of order h^4. */
static inline double derivative(reference *r, size_t first, size_t n) {
    const long double h = r->c->step;
    const long double near = loss(r, first, n, h) - loss(r, first, n, -h);
    const long double far = loss(r, first, n, 2 * h) - loss(r, first, n, -2 * h);
    return (double)((8 * near - far) / (12 * h));
}

/* Error of a derivative: rounding of a pass, and of the differences. h^4 is below both. */
static inline double derivative_tolerance(const reference *r) {
    return r->total * (r->c->ulps * r->c->epsilon + 8.0 * (double)LDBL_EPSILON / r->c->step);
}

/* v.g, and the sum of |v| added to sum_v. */
static inline double dot(size_t n, const long double *v, const double *g, double *sum_v) {
    long double sum = 0.0L;
    for (size_t j = 0; j < n; ++j) sum += v[j] * g[j], *sum_v += fabs((double)v[j]);
    return (double)sum;
}

/* ---- the Jacobian -------------------------------------------------------------------------------- */

typedef struct jacobian {
    size_t n_runs, width;
    size_t *lengths;  /* [n_runs]                 */
    double *y;        /* [batch][n_out]           */
    uint32_t *starts; /* [batch][n_runs]          */
    double *values;   /* [batch][n_out][width]    */
} jacobian;

/* That of the inputs of p, with everything poisoned before. */
static inline jacobian jacobian_run(const kan_model *m, const pass *p) {
    jacobian j = {.n_runs = kan_model_jacobian_runs(m, NULL)};
    cr_assert(j.n_runs > 0);
    j.lengths = calloc(j.n_runs, sizeof *j.lengths);
    j.starts = malloc(p->batch * j.n_runs * sizeof *j.starts);
    cr_assert(j.lengths && j.starts);
    cr_assert(eq(sz, kan_model_jacobian_runs(m, j.lengths), j.n_runs));
    for (size_t k = 0; k < j.n_runs; ++k) j.width += j.lengths[k];
    const size_t n_work = kan_model_jacobian_work_size(m, p->batch), n_values = p->n_y * j.width;
    double *work = numbers(n_work);
    j.y = numbers(p->n_y), j.values = numbers(n_values);
    memset(j.starts, 0xff, p->batch * j.n_runs * sizeof *j.starts);
    fill(n_work, NAN, work);
    fill(p->n_y, NAN, j.y);
    fill(n_values, NAN, j.values);
    alloc_count_begin();
    kan_model_jacobian(m, p->batch, p->x, j.y, j.starts, j.values, work);
    cr_assert(eq(sz, alloc_count_end(), 0), "a Jacobian allocates");
    kan_work_free(work);
    return j;
}

static inline void jacobian_free(jacobian *j) {
    free(j->lengths);
    free(j->starts);
    kan_work_free(j->y);
    kan_work_free(j->values);
}

/* The checks of tests/contract/jacobian_contract.c. */
void contract_check_jacobian(const kan_model *m, const model_contract *c);
void contract_check_jacobian_of_nan(const kan_model *m, const model_contract *c);

#endif
