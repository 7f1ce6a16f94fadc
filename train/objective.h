/* train/objective.h - private: what a trainer makes small, the mean loss of a model over rows of data and the
 * model's own penalty, and what optimizers need to know of it.
 *
 * Rows go through the model in blocks; sums over more rows are sums over blocks in their order. Nothing here but
 * objective_alloc allocates.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_TRAIN_OBJECTIVE_H
#define KAN_TRAIN_OBJECTIVE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/model.h"
#include "train/dataset.h"
#include "train/gauss_newton.h"
#include "train/loss.h"

typedef struct objective {
    kan_model *model;
    const kan_loss *loss;
    double penalty;            /* weight of the model's own */
    bool frozen;               /* some entry of theta is not trainable; the owner keeps that true */
    size_t block;              /* rows of the buffers */
    double *x, *y, *weight;    /* a block of samples, gathered */
    double *y_hat, *dy, *work; /* what the model makes of it */
    double *beside;   /* [block][n_out] y_hat beside theta, where Gauss-Newton matrices are wanted */
    gauss_newton *gn; /* or NULL */
} objective;

/* Whether Gauss-Newton matrices are wanted, and if so, made or only as products with vectors. */
typedef enum objective_matrix { MATRIX_NONE = 0, MATRIX_MADE, MATRIX_PRODUCTS } objective_matrix;

/* Buffers for blocks of at most most_rows rows like those of d; a matrix is over all rows of d. Keeps model and
 * loss. KAN_ENOMEM; objective_free is then still to be called. */
kan_status objective_alloc(objective *o, kan_model *m, const kan_loss *loss, double penalty,
                           const kan_dataset *d, size_t most_rows, objective_matrix matrix);
void objective_free(objective *o);

/* What a pass computes: the mean loss; with the penalty in it; and the gradient of that, which is 0 for frozen
 * parameters. The last two write to grad [n_params]. */
typedef enum objective_aim { AIM_LOSS = 0, AIM_VALUE, AIM_GRADIENT } objective_aim;

/* Of n rows of d from `first` on, or of the list `rows` unless that is NULL. */
double objective_pass(objective *o, const kan_dataset *d, size_t first, size_t n, const size_t *rows,
                      objective_aim aim, double *grad);

/* Value, gradient g and, lower triangle, Gauss-Newton matrix H [n_params][n_params] over all rows, with the stand-in for
 * the Hessian of the penalty in it; diagonal [n_params], unless NULL, is that of H without it. */
double objective_linearize(objective *o, const kan_dataset *d, double *g, double *H, double *diagonal);

/* The same without H: its diagonal, and then, as often as wanted, Hv = H v at that theta. The penalty is not in H. */
double objective_sketch(objective *o, const kan_dataset *d, double *g, double *diagonal);
void objective_multiply(objective *o, const double *v, double *Hv);

/* b = J^T L'' y_pp over all rows, with J = dy/dtheta, L'' the second derivative of the loss by y, and y_pp that of y
 * along p,
 *
 *     y_pp = ( y(theta + h p) - 2 y(theta) + y(theta - h p) ) / h^2
 */
void objective_bend(objective *o, const kan_dataset *d, const double *theta, const double *p, double h,
                    double *b);

#endif
