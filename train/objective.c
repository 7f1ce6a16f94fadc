/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/objective.h"

#include <string.h>

#include "core/work.h"

/* ---- memory ------------------------------------------------------------------------------------- */

kan_status objective_alloc(objective *o, kan_model *m, const kan_loss *loss, double penalty,
                           const kan_dataset *d, size_t most_rows, objective_matrix matrix) {
    *o = (objective){.model = m, .loss = loss, .penalty = penalty, .block = most_rows};
    o->x = kan_work_alloc(o->block * m->n_in);
    o->y = kan_work_alloc(o->block * kan_dataset_y_width(d));
    o->weight = kan_work_alloc(o->block);
    o->y_hat = kan_work_alloc(o->block * m->n_out);
    o->dy = kan_work_alloc(o->block * m->n_out);
    o->work = kan_work_alloc(kan_model_work_size(m, o->block));
    if (matrix != MATRIX_NONE) {
        o->beside = kan_work_alloc(o->block * m->n_out);
        o->gn = gauss_newton_alloc(m, loss, o->block, matrix == MATRIX_PRODUCTS ? d->n : 0);
        if (!o->beside || !o->gn) return KAN_ENOMEM;
    }
    return o->x && o->y && o->weight && o->y_hat && o->dy && o->work ? KAN_OK : KAN_ENOMEM;
}

void objective_free(objective *o) {
    double *arrays[] = {o->x, o->y, o->weight, o->y_hat, o->dy, o->work, o->beside};
    for (size_t j = 0; j < sizeof arrays / sizeof *arrays; ++j) kan_work_free(arrays[j]);
    gauss_newton_free(o->gn);
}

/* ---- rows --------------------------------------------------------------------------------------- */

/* The samples of a block: pointers into the data where they lie there as they are needed, else
 * gathered. */
typedef struct samples {
    size_t n;
    const double *x, *y, *weight;
} samples;

static samples gather(objective *o, const kan_dataset *d, size_t first, size_t n, const size_t *rows) {
    if (!rows && d->x) {
        const double *weight = d->weight ? d->weight + first : NULL;
        return (samples){n, d->x + first * d->n_in, d->y + first * kan_dataset_y_width(d), weight};
    }
    kan_dataset_batch(d, first, n, rows ? rows + first : NULL, o->x, o->y, o->weight);
    return (samples){n, o->x, o->y, d->weight ? o->weight : NULL};
}

/* Of at most `most` rows from `first` on, up to the end of the data. */
static samples gather_next(objective *o, const kan_dataset *d, size_t first, size_t most) {
    return gather(o, d, first, d->n - first < most ? d->n - first : most, NULL);
}

static double total_weight(const kan_dataset *d, size_t first, size_t n, const size_t *rows) {
    if (!d->weight) return (double)n;
    double sum = 0.0;
    for (size_t s = first; s < first + n; ++s) sum += d->weight[rows ? rows[s] : s];
    return sum;
}

/* ---- sums over rows ----------------------------------------------------------------------------- */

double objective_pass(objective *o, const kan_dataset *d, size_t first, size_t n, const size_t *rows,
                      objective_aim aim, double *grad) {
    const kan_model *m = o->model;
    const double scale = 1.0 / total_weight(d, first, n, rows);
    double loss = 0.0;
    const bool set = aim == AIM_GRADIENT && !(o->penalty > 0.0); /* the first block makes grad */
    if (aim != AIM_LOSS && !set) memset(grad, 0, m->n_params * sizeof *grad);
    for (size_t done = 0; done < n; done += o->block) {
        const size_t size = n - done < o->block ? n - done : o->block;
        const samples b = gather(o, d, first + done, size, rows);
        kan_model_forward(m, size, b.x, o->y_hat, o->work);
        loss += o->loss->eval(size, m->n_out, o->y_hat, b.y, b.weight, scale,
                              aim == AIM_GRADIENT ? o->dy : NULL);
        if (aim == AIM_LOSS) continue;
        const double share = scale * total_weight(d, first + done, size, rows);
        if (o->penalty > 0.0) loss += kan_model_penalty(m, size, o->penalty * share, grad, o->work);
        if (set && done == 0)
            kan_model_gradient(m, size, b.x, o->dy, grad, NULL, o->work);
        else if (aim == AIM_GRADIENT)
            kan_model_backward(m, size, b.x, o->dy, grad, NULL, o->work);
    }
    for (size_t p = 0; aim == AIM_GRADIENT && o->frozen && p < m->n_params; ++p)
        if (!m->trainable[p]) grad[p] = 0.0;
    return loss;
}

/* In the blocks of objective_pass: a penalty may depend on which samples are together. H may be NULL. */
static double add_penalty(objective *o, const kan_dataset *d, double scale, double *g, double *H) {
    const kan_model *m = o->model;
    double sum = 0.0;
    if (!(o->penalty > 0.0 && m->ops->penalty)) return sum;
    for (size_t first = 0; first < d->n; first += o->block) {
        const samples b = gather_next(o, d, first, o->block);
        const double share = scale * total_weight(d, first, b.n, NULL);
        kan_model_forward(m, b.n, b.x, o->y_hat, o->work);
        sum += kan_model_penalty(m, b.n, o->penalty * share, g, o->work);
        if (H) kan_model_penalty_hessian(m, b.n, o->penalty * share, H, o->work);
    }
    return sum;
}

/* Value and g; and H, or where that is NULL the diagonal of the data's part of it. */
static double linearize(objective *o, const kan_dataset *d, double *g, double *H, double *diagonal) {
    const kan_model *m = o->model;
    const double scale = 1.0 / total_weight(d, 0, d->n, NULL);
    double loss = 0.0;
    memset(g, 0, m->n_params * sizeof *g);
    for (size_t first = 0; first < d->n; first += o->gn->block) {
        const samples b = gather_next(o, d, first, o->gn->block);
        loss += H ? gauss_newton_add(o->gn, b.n, b.x, b.y, b.weight, scale, g, H)
                  : gauss_newton_store(o->gn, first, b.n, b.x, b.y, b.weight, scale, g, diagonal);
    }
    for (size_t p = 0; H && diagonal && p < m->n_params; ++p) diagonal[p] = H[p * (m->n_params + 1)];
    return loss + add_penalty(o, d, scale, g, H);
}

double objective_linearize(objective *o, const kan_dataset *d, double *g, double *H, double *diagonal) {
    memset(H, 0, o->model->n_params * o->model->n_params * sizeof *H);
    return linearize(o, d, g, H, diagonal);
}

double objective_sketch(objective *o, const kan_dataset *d, double *g, double *diagonal) {
    memset(diagonal, 0, o->model->n_params * sizeof *diagonal);
    return linearize(o, d, g, NULL, diagonal);
}

void objective_multiply(objective *o, const double *v, double *Hv) {
    gauss_newton_multiply(o->gn, v, Hv);
}

/* y of a block at theta + c p; the model's theta is then that point. */
static void forward_beside(objective *o, const samples *b, const double *theta, double c,
                           const double *p, double *y) {
    const kan_model *m = o->model;
    for (size_t j = 0; j < m->n_params; ++j) m->theta[j] = theta[j] + c * p[j];
    kan_model_forward(m, b->n, b->x, y, o->work);
}

void objective_bend(objective *o, const kan_dataset *d, const double *theta, const double *p, double h,
                    double *b) {
    const kan_model *m = o->model;
    const double scale = 1.0 / total_weight(d, 0, d->n, NULL);
    memset(b, 0, m->n_params * sizeof *b);
    for (size_t first = 0; first < d->n; first += o->block) {
        const samples s = gather_next(o, d, first, o->block);
        forward_beside(o, &s, theta, h, p, o->beside);
        forward_beside(o, &s, theta, -h, p, o->dy);
        forward_beside(o, &s, theta, 0.0, p, o->y_hat); /* last: the backward pass belongs to it */
        for (size_t j = 0; j < s.n * m->n_out; ++j)
            o->dy[j] = ((o->beside[j] - o->y_hat[j]) + (o->dy[j] - o->y_hat[j])) / (h * h);
        gauss_newton_weigh(o->gn, s.n, o->y_hat, s.weight, scale, o->dy);
        kan_model_backward(m, s.n, s.x, o->dy, b, NULL, o->work);
    }
}
