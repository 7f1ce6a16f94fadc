/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "experiments/bench_subject.h"

#include "core/random.h"
#include "core/vecmath.h"
#include "core/work.h"
#include "train/loss.h"

static void fill(size_t n, double *values, uint64_t stream) {
    kan_random random = kan_random_seed(1, stream);
    for (size_t j = 0; j < n; ++j) values[j] = 2.0 * kan_random_uniform(&random) - 1.0;
}

bool bench_subject_make(const bench_subject_config *config, bench_subject *s) {
    *s = (bench_subject){.batch = config->batch, .bent = config->bent};
    if (config->net) {
        s->precision = config->net->precision;
        s->net = kan_net_alloc(config->net);
    } else {
        s->precision = config->mlp->precision;
        s->mlp = kan_mlp_alloc(config->mlp);
    }
    if (!s->net && !s->mlp) return false;
    s->model = s->net ? kan_net_model(s->net) : kan_mlp_model(s->mlp);
    const size_t n_x = s->batch * s->model->n_in, n_y = s->batch * s->model->n_out;
    s->x = kan_work_alloc(n_x);
    s->y = kan_work_alloc(n_y);
    s->t = kan_work_alloc(n_y);
    s->dy = kan_work_alloc(n_y);
    s->grad = kan_work_alloc(s->model->n_params);
    s->work = kan_work_alloc(kan_model_work_size(s->model, s->batch));
    bool good = s->x && s->y && s->t && s->dy && s->grad && s->work;
    if (config->want_dx) good = (s->dx = kan_work_alloc(n_x)) && good;
    if (s->bent) {
        s->slope = kan_work_alloc(n_y);
        s->single = (float *)kan_work_alloc(n_y); /* as many bytes as two floats each */
        good = good && s->slope && s->single;
    }
    if (!good) return false;
    fill(n_x, s->x, 1);
    fill(n_y, s->t, 2);
    return true;
}

void bench_subject_free(bench_subject *s) {
    kan_work_free((double *)s->single);
    kan_work_free(s->slope);
    kan_work_free(s->work);
    kan_work_free(s->grad);
    kan_work_free(s->dx);
    kan_work_free(s->dy);
    kan_work_free(s->t);
    kan_work_free(s->y);
    kan_work_free(s->x);
    kan_mlp_free(s->mlp);
    kan_net_free(s->net);
    *s = (bench_subject){.net = NULL};
}

size_t bench_subject_work_bytes(const bench_subject *s) {
    return kan_model_work_size(s->model, s->batch) * sizeof(double);
}

/* y = silu(y), in the precision of the layer, and its slopes where they are wanted.
 *
 * The library's MLP does not bend its last layer, and a layer measured as the first of two would be
 * measured together with the second. So the layer is an MLP of one layer and the activation comes after it, by
 * the same function that a hidden layer of the library uses; what is lost against a fused one is a
 * pass over y, which lies in the cache. */
static void bend(bench_subject *s, bool want_slope) {
    const size_t n = s->batch * s->model->n_out;
    if (s->precision == KAN_DOUBLE) {
        kan_activation_eval(KAN_SILU, n, s->y, s->y, want_slope ? s->slope : NULL);
        return;
    }
    float *y = s->single, *slope = want_slope ? s->single + n : NULL;
    for (size_t j = 0; j < n; ++j) y[j] = (float)s->y[j];
    kan_vecmath_silu_single(n, y, 1, y, slope);
    for (size_t j = 0; j < n; ++j) s->y[j] = (double)y[j];
}

/* dy = dy * slope, the way back. */
static void unbend(bench_subject *s) {
    const size_t n = s->batch * s->model->n_out;
    const float *single = s->single + n;
    if (s->precision == KAN_DOUBLE)
        for (size_t j = 0; j < n; ++j) s->dy[j] *= s->slope[j];
    else
        for (size_t j = 0; j < n; ++j) s->dy[j] *= (double)single[j];
}

void bench_subject_forward(void *subject) {
    bench_subject *s = subject;
    kan_model_forward(s->model, s->batch, s->x, s->y, s->work);
    if (s->bent) bend(s, false);
}

void bench_subject_step(void *subject) {
    bench_subject *s = subject;
    const kan_model *m = s->model;
    kan_model_forward(m, s->batch, s->x, s->y, s->work);
    if (s->bent) bend(s, true);
    (void)kan_loss_mse->eval(s->batch, m->n_out, s->y, s->t, NULL, 1.0 / (double)s->batch, s->dy);
    if (s->bent) unbend(s);
    kan_model_gradient(m, s->batch, s->x, s->dy, s->grad, s->dx, s->work);
}
