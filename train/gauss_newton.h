/* train/gauss_newton.h - private: loss, gradient and Gauss-Newton matrix of a model over rows of data.
 *
 * With J_s [n_out][n_params] the Jacobian of sample s, L = scale sum_s weight_s l(y_hat_s, y_s) and S_s^T S_s the second
 * derivative of l (train/loss.h),
 *
 *     g = sum_s J_s^T dL/dy_hat_s        H = sum_s R_s^T R_s,    R_s = sqrt(scale weight_s) S_s J_s
 *
 * H is the Hessian of L but for the terms with second derivatives of the model: the normal equations of least
 * squares, and the generalised Gauss-Newton form for cross-entropy (Schraudolph, Neural Computation 14, 2002).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_TRAIN_GAUSS_NEWTON_H
#define KAN_TRAIN_GAUSS_NEWTON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/model.h"
#include "train/loss.h"

typedef struct gauss_newton {
    const kan_model *model;
    const kan_loss *loss;
    size_t block;           /* samples that are taken at once                                       */
    size_t n_runs, width;   /* of a row                                                             */
    size_t *lengths, *at;   /* [n_runs] of the runs, and where they begin in a row                  */
    uint32_t *starts;       /* [block][n_runs]                                                      */
    double *values;         /* [block][n_out][width], J and then R                                  */
    double *y, *dy, *work;  /* [block][n_out], and the model's scratch                              */
    double *root, *rotated; /* [n_out][n_out], [n_out][width]                                       */
    double *dense;          /* [TILE][n_params], where dense products are cheaper; or NULL          */
    size_t stored;          /* samples whose R are kept for products, 0 where H is wanted */
} gauss_newton;

/* Keeps model and loss, whose root is not NULL. With n_stored > 0 the R of so many samples are kept, for products
 * with an H that is never made; starts, values and dy are then for n_stored samples. NULL without memory. */
gauss_newton *gauss_newton_alloc(const kan_model *m, const kan_loss *loss, size_t most_samples,
                                 size_t n_stored);
void gauss_newton_free(gauss_newton *gn);

/* Adds what n <= block samples have to g [n_params] and to the lower triangle of H [n_params][n_params], and returns
 * their part of L; arguments as in kan_loss. */
double gauss_newton_add(gauss_newton *gn, size_t n, const double *x, const double *y,
                        const double *weight, double scale, double *g, double *H);

/* The same for samples first .. first+n-1 of those that are stored, with the diagonal d of H in its place. */
double gauss_newton_store(gauss_newton *gn, size_t first, size_t n, const double *x, const double *y,
                          const double *weight, double scale, double *g, double *d);

/* Hv = H v from what is stored. */
void gauss_newton_multiply(gauss_newton *gn, const double *v, double *Hv);

/* v [n][n_out] becomes scale weight_s S_s^T S_s v_s: second derivatives of the loss at y_hat, any number of samples. */
void gauss_newton_weigh(gauss_newton *gn, size_t n, const double *y_hat, const double *weight,
                        double scale, double *v);

#endif
