/* train/trainer_predict.c - what a model says of a data set, and how good that is.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "core/work.h"
#include "train/trainer.h"

/* Rows that go through the model at once: bounds the working memory. */
enum { BLOCK = 1024 };

kan_status kan_trainer_predict(const kan_model *m, const kan_dataset *d, double *y_hat,
                               kan_error *error) {
    const size_t block = d->n < BLOCK ? d->n : BLOCK;
    double *work = kan_work_alloc(kan_model_work_size(m, block));
    double *x = kan_work_alloc(kan_work_product(block, d->n_in + kan_dataset_y_width(d)));
    kan_status status = KAN_ENOMEM;
    if (!work || !x) goto done;
    for (size_t first = 0; first < d->n; first += block) {
        const size_t size = d->n - first < block ? d->n - first : block;
        kan_dataset_batch(d, first, size, NULL, x, x + block * d->n_in, NULL);
        kan_model_forward(m, size, x, y_hat + first * m->n_out, work);
    }
    status = KAN_OK;
    for (size_t j = 0; j < d->n * m->n_out && status == KAN_OK; ++j)
        if (!isfinite(y_hat[j]))
            status = kan_status_fail(error, KAN_ENONFINITE, "the prediction for row %zu is %g",
                                     j / m->n_out + 1, y_hat[j]);
done:
    kan_work_free(x);
    kan_work_free(work);
    return status == KAN_ENOMEM ? kan_status_fail(error, status, "predictions: out of memory") : status;
}

kan_status kan_trainer_evaluate(const kan_model *m, const kan_dataset *d, kan_metric *metric,
                                kan_error *error) {
    double *y_hat = kan_work_alloc(kan_work_product(d->n, m->n_out)),
           *counts = kan_work_alloc(3 * m->n_out);
    kan_status status = KAN_ENOMEM;
    if (!y_hat || !counts) {
        kan_status_fail(error, status, "predictions: out of memory");
        goto done;
    }
    status = kan_trainer_predict(m, d, y_hat, error);
    if (status == KAN_OK) *metric = kan_metric_eval(d, y_hat, counts);
done:
    kan_work_free(counts);
    kan_work_free(y_hat);
    return status;
}
