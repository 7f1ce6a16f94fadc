/* core/model.h - the contract every trainable map fulfils.
 *
 * A model is a function y = f(x; theta) whose parameters are one flat array of doubles. Trainers know
 * this header and nothing else of a model; a KAN and an MLP are two implementations of it.
 *
 *   x [batch][n_in]    y [batch][n_out]    theta, grad [n_params]    dx, dy: d(loss)/dx, d(loss)/dy
 *
 * A model is const while it is used: everything that changes is in theta (which the trainer moves) and
 * in `work` (which the caller owns), so any number of threads may evaluate one model, each with its own
 * work.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_CORE_MODEL_H
#define KAN_CORE_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "core/file.h"
#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* The precision of what a model computes inside. theta, gradients, inputs and outputs are doubles in any
 * case, and theta is the master copy: a model of single precision rounds it on its way into the kernels.
 * Single is for classifiers with many parameters and Adam; L-BFGS and Levenberg-Marquardt need the digits
 * of double. */
typedef enum kan_precision { KAN_DOUBLE = 0, KAN_SINGLE, KAN_N_PRECISIONS } kan_precision;

/* "double", "single"; and back: KAN_N_PRECISIONS for a name that is none. */
const char *kan_model_precision_name(kan_precision precision);
kan_precision kan_model_precision_from_name(const char *name);

/* What an implementation provides; `self` is its own object. The functions below, which a user calls,
 * say what each operation does. `gradient`, `penalty` and `penalty_hessian` may be NULL. */
typedef struct kan_model_ops {
    const char *name; /* "kan", "mlp": also the value of "model" in a model file */
    size_t (*work_size)(const void *self, size_t batch);
    void (*forward)(const void *self, size_t batch, const double *x, double *y, double *work);
    void (*backward)(const void *self, size_t batch, const double *x, const double *dy, double *grad,
                     double *dx, double *work);
    void (*gradient)(const void *self, size_t batch, const double *x, const double *dy, double *grad,
                     double *dx, double *work);
    double (*penalty)(const void *self, size_t batch, double weight, double *grad, double *work);
    void (*penalty_hessian)(const void *self, size_t batch, double weight, double *hessian,
                            double *work);
    size_t (*jacobian_runs)(const void *self, size_t *lengths);
    size_t (*jacobian_work_size)(const void *self, size_t batch);
    void (*jacobian)(const void *self, size_t batch, const double *x, double *y, uint32_t *starts,
                     double *values, double *work);
    kan_status (*save)(const void *self, kan_file *file, kan_error *error);
} kan_model_ops;

/* A model: open, so that anyone can write one; most code only passes it on. */
typedef struct kan_model {
    const kan_model_ops *ops;
    void *self;               /* the kan_net or kan_mlp behind the contract                   */
    size_t n_in, n_out;       /* inputs and outputs of one sample                             */
    size_t n_params;          /* length of theta, frozen parameters included                  */
    double *theta;            /* [n_params], owned by self; the trainer moves it              */
    const uint8_t *trainable; /* [n_params], owned by self: 0 where a parameter is frozen     */
} kan_model;

/* Doubles of scratch that forward and backward need for a batch of that size; grows with batch. */
size_t kan_model_work_size(const kan_model *m, size_t batch);

/* y [batch][n_out] from x [batch][n_in]. A NaN in a row of x gives NaN in that row of y. work holds
 * kan_model_work_size(m, batch) doubles, whatever they contain. */
void kan_model_forward(const kan_model *m, size_t batch, const double *x, double *y, double *work);

/* Reverse mode, after kan_model_forward with the same m, batch, x, theta and work (the one exception to
 * "work is contents-free"; a backward pass uses the work up, so each needs its own forward pass):
 *
 *     grad += dy . dy/dtheta   [n_params], of every parameter: that frozen ones stay is the trainer's job
 *     dx    = dy . dy/dx       [batch][n_in]; NULL when it is not wanted
 */
void kan_model_backward(const kan_model *m, size_t batch, const double *x, const double *dy,
                        double *grad, double *dx, double *work);

/* The same with grad = instead of grad +=, whatever grad holds: spares the memory of many parameters two passes, to
 * make zeros and to read them. */
void kan_model_gradient(const kan_model *m, size_t batch, const double *x, const double *dy,
                        double *grad, double *dx, double *work);

/* weight * R(theta), R being the model's own penalty of its parameters (and of the batch, where that
 * matters: then a mean over its samples), after the forward and before the backward pass of that batch;
 * adds weight * dR/dtheta to grad. 0, and grad untouched, for a model that has none. */
double kan_model_penalty(const kan_model *m, size_t batch, double weight, double *grad, double *work);

/* Adds weight * H to the lower triangle of hessian [n_params][n_params], row by row, after the forward pass of that
 * batch as above: H is the Hessian of that penalty, or a positive semidefinite stand-in for it. Adds nothing where the
 * model has none, which for a penalty makes Levenberg-Marquardt steps that know its gradient alone. */
void kan_model_penalty_hessian(const kan_model *m, size_t batch, double weight, double *hessian,
                               double *work);

/* The Jacobian dy/dtheta as structured rows, for least squares. The entries of a sample that may differ from
 * zero lie in runs of neighbouring parameters: run k is lengths[k] long for every sample and output, and
 * begins at parameter starts[s][k] of a sample. The runs of a sample ascend and do not overlap, and where
 * those of all samples go is disjoint from run to run: starts[s][k] + lengths[k] <= starts[r][k+1]. A KAN has
 * two runs for each input of a layer (degree + 1 basis functions, and the base weights), an MLP has one.
 *
 * Writes the lengths, unless that is NULL, and returns the number of runs. */
size_t kan_model_jacobian_runs(const kan_model *m, size_t *lengths);

/* Doubles of scratch for the Jacobian of a batch of that size; grows with batch. */
size_t kan_model_jacobian_work_size(const kan_model *m, size_t batch);

/* With width the sum of the lengths, from x [batch][n_in]:
 *
 *     y      [batch][n_out]          as from kan_model_forward, up to rounding
 *     starts [batch][runs]
 *     values [batch][n_out][width]   dy[s][o]/dtheta, run after run, of frozen parameters too
 *
 * A NaN in a row of x gives NaN in y, and starts within theta. Computed in double precision in any case.
 * work holds kan_model_jacobian_work_size(m, batch) doubles, whatever they contain. */
void kan_model_jacobian(const kan_model *m, size_t batch, const double *x, double *y, uint32_t *starts,
                        double *values, double *work);

/* Parameters as the project counts them: the entries of theta that are trainable. */
size_t kan_model_n_trainable(const kan_model *m);

/* Writes the model alone to path as a model file (core/file.h). To save scalers and names beside it,
 * use kan_model_add_to on a file of your own. KAN_EIO, KAN_ENOMEM; on failure an earlier file is
 * untouched. */
kan_status kan_model_save(const kan_model *m, const char *path, kan_error *error);

/* Adds the model's tensors and settings to a file that is being put together. KAN_ENOMEM. */
kan_status kan_model_add_to(const kan_model *m, kan_file *file, kan_error *error);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
