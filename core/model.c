/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/model.h"

#include <assert.h>
#include <string.h>

static const char *const precision_names[KAN_N_PRECISIONS] = {"double", "single"};

const char *kan_model_precision_name(kan_precision precision) {
    return precision < KAN_N_PRECISIONS ? precision_names[precision] : NULL;
}

kan_precision kan_model_precision_from_name(const char *name) {
    kan_precision precision = KAN_DOUBLE;
    while (precision < KAN_N_PRECISIONS && strcmp(precision_names[precision], name) != 0) ++precision;
    return precision;
}

size_t kan_model_work_size(const kan_model *m, size_t batch) {
    return m->ops->work_size(m->self, batch);
}

void kan_model_forward(const kan_model *m, size_t batch, const double *x, double *y, double *work) {
    m->ops->forward(m->self, batch, x, y, work);
}

void kan_model_backward(const kan_model *m, size_t batch, const double *x, const double *dy,
                        double *grad, double *dx, double *work) {
    m->ops->backward(m->self, batch, x, dy, grad, dx, work);
}

void kan_model_gradient(const kan_model *m, size_t batch, const double *x, const double *dy,
                        double *grad, double *dx, double *work) {
    if (m->ops->gradient) {
        m->ops->gradient(m->self, batch, x, dy, grad, dx, work);
        return;
    }
    memset(grad, 0, m->n_params * sizeof *grad);
    m->ops->backward(m->self, batch, x, dy, grad, dx, work);
}

double kan_model_penalty(const kan_model *m, size_t batch, double weight, double *grad, double *work) {
    return m->ops->penalty ? m->ops->penalty(m->self, batch, weight, grad, work) : 0.0;
}

void kan_model_penalty_hessian(const kan_model *m, size_t batch, double weight, double *hessian,
                               double *work) {
    if (m->ops->penalty_hessian) m->ops->penalty_hessian(m->self, batch, weight, hessian, work);
}

size_t kan_model_jacobian_runs(const kan_model *m, size_t *lengths) {
    return m->ops->jacobian_runs(m->self, lengths);
}

size_t kan_model_jacobian_work_size(const kan_model *m, size_t batch) {
    return m->ops->jacobian_work_size(m->self, batch);
}

void kan_model_jacobian(const kan_model *m, size_t batch, const double *x, double *y, uint32_t *starts,
                        double *values, double *work) {
    assert(m->n_params <= UINT32_MAX && "parameters that 32 bits can count");
    m->ops->jacobian(m->self, batch, x, y, starts, values, work);
}

size_t kan_model_n_trainable(const kan_model *m) {
    size_t n = 0;
    for (size_t p = 0; p < m->n_params; ++p) n += m->trainable[p] != 0;
    return n;
}

kan_status kan_model_add_to(const kan_model *m, kan_file *file, kan_error *error) {
    const kan_status status = kan_file_set(file, "model", m->ops->name, error);
    return status == KAN_OK ? m->ops->save(m->self, file, error) : status;
}

kan_status kan_model_save(const kan_model *m, const char *path, kan_error *error) {
    kan_file *file = kan_file_alloc();
    if (!file) return kan_status_fail(error, KAN_ENOMEM, "%s: out of memory", path);
    kan_status status = kan_model_add_to(m, file, error);
    if (status == KAN_OK) status = kan_file_write(file, path, error);
    kan_file_free(file);
    return status;
}
