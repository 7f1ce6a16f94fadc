/* tests/support/trainer_cases.h - data and models for the tests of the trainer.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_TESTS_TRAINER_CASES_H
#define KAN_TESTS_TRAINER_CASES_H

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <math.h>
#include <stdbool.h>

#include <gsl/gsl_multifit.h>

#include "core/random.h"
#include "kan/net.h"
#include "mlp/mlp.h"
#include "train/dataset.h"
#include "train/trainer.h"

enum { N_IN = 3, N = 300 };

/* y = 1.7 x0 - 0.4 x1 + 0.3 + a bend that no line follows, inputs uniform on [-1, 1]. */
static inline kan_dataset *make_data(size_t n, uint64_t seed) {
    kan_dataset *d = kan_dataset_alloc(KAN_REGRESSION, n, N_IN, 1, false);
    kan_random random = kan_random_seed(seed, 0);
    for (size_t s = 0; s < n; ++s) {
        double *x = d->x + s * N_IN;
        for (size_t i = 0; i < N_IN; ++i) x[i] = 2.0 * kan_random_uniform(&random) - 1.0;
        d->y[s] = 1.7 * x[0] - 0.4 * x[1] + 0.3 + 0.5 * sin(3.0 * x[2]) * x[0];
    }
    return d;
}

static inline kan_mlp *make_line(void) {
    return kan_mlp_alloc(&(kan_mlp_config){.width = {N_IN, 1}, .seed = 3});
}

static inline kan_net *make_net(void) {
    return kan_net_alloc(&(kan_net_config){.width = {N_IN, 4, 1}, .n_cells = 4, .seed = 5});
}

/* The weighted least-squares line by GSL's singular value decomposition: three slopes and the constant.
 */
static inline void gsl_line(const kan_dataset *d, double *c) {
    gsl_matrix *x = gsl_matrix_alloc(d->n, N_IN + 1), *cov = gsl_matrix_alloc(N_IN + 1, N_IN + 1);
    gsl_vector *w = gsl_vector_alloc(d->n), *y = gsl_vector_alloc(d->n),
               *solution = gsl_vector_alloc(N_IN + 1);
    gsl_multifit_linear_workspace *work = gsl_multifit_linear_alloc(d->n, N_IN + 1);
    double chisq;
    for (size_t s = 0; s < d->n; ++s) {
        for (size_t i = 0; i < N_IN; ++i) gsl_matrix_set(x, s, i, d->x[s * N_IN + i]);
        gsl_matrix_set(x, s, N_IN, 1.0);
        gsl_vector_set(y, s, d->y[s]);
        gsl_vector_set(w, s, d->weight ? d->weight[s] : 1.0);
    }
    gsl_multifit_wlinear(x, w, y, solution, cov, &chisq, work);
    for (size_t i = 0; i <= N_IN; ++i) c[i] = gsl_vector_get(solution, i);
    gsl_multifit_linear_free(work);
    gsl_vector_free(solution);
    gsl_vector_free(y);
    gsl_vector_free(w);
    gsl_matrix_free(cov);
    gsl_matrix_free(x);
}

/* Trains a line on N rows, weighted or not: every coefficient is GSL's within `tolerance`. */
static inline kan_outcome check_line(const kan_train_options *options, bool weighted,
                                     double tolerance) {
    kan_dataset *d = make_data(N, 1);
    double weights[N], expected[N_IN + 1];
    for (size_t s = 0; s < N; ++s) weights[s] = 0.5 + (double)(s % 7);
    if (weighted) d->weight = weights;
    kan_mlp *line = make_line();
    kan_report report;
    cr_assert(kan_trainer_fit(kan_mlp_model(line), d, options, &report, NULL) == KAN_OK);
    gsl_line(d, expected);
    for (size_t i = 0; i <= N_IN; ++i)
        cr_assert(epsilon_eq(dbl, kan_mlp_model(line)->theta[i], expected[i], tolerance),
                  "coefficient %zu", i);
    d->weight = NULL;
    kan_mlp_free(line);
    kan_dataset_free(d);
    return report.outcome;
}

#endif
