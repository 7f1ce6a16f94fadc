/* kan/form.h - networks that can be read: a named function of a sum of curves and of products of curves.
 *
 *     SUM       T(y) = sum_i phi_i(x_i) + sum_k prod_i psi_ki(x_i)
 *     OUTER     T(y) = g( sum_i phi_i(x_i) )
 *
 * A SUM is the network [n, 1 + K products of arity n, 1] whose edges that lead nowhere new are missing: factor i of
 * a product has one edge, from input i, and the last layer is a sum. Its curves are determined by y up to constants (for
 * one product, or products of different inputs), so that a table of functions can tell what they are. T, the head, is
 * the inverse of a last edge whose function is known: where y = exp(a(x) + b(y)), log y is a sum, and no network needs to
 * learn the exponential. Sums of few curves are linear least squares, which is why many heads can be tried in the time
 * of one network.
 *
 * OUTER is the network [n, 1, 1] in full.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_KAN_FORM_H
#define KAN_KAN_FORM_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/meter.h"
#include "core/status.h"
#include "kan/net.h"
#include "train/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* z = T(y) and back, and the way back as text: "exp(%)". */
typedef struct kan_head {
    const char *name;
    double (*apply)(double y), (*invert)(double z);
    const char *text;
} kan_head;

/* The heads: an array of *n, static; the first is the identity. */
const kan_head *kan_head_table(size_t *n);

/* Whether every y [n] survives there and back, and z is not constant. */
bool kan_head_fits(const kan_head *head, size_t n, const double *y);

/* The kinds of a form, as above. */
typedef enum kan_form_kind { KAN_FORM_SUM = 0, KAN_FORM_OUTER } kan_form_kind;

/* A form: what a network is to be. */
typedef struct kan_form {
    kan_form_kind kind;
    size_t products; /* K of a SUM */
    const kan_head *head;
} kan_form;

/* A network of a form, fitted. Its inputs are u_i = (x_i - shift_i) / scale_i, its output (z - z_shift) / z_scale. */
typedef struct kan_form_fit {
    kan_form form;
    size_t n_in;
    kan_net *net;
    double *shift, *scale; /* [n_in] */
    double z_shift, z_scale;
    double
        error; /* RMSE of y on the validation rows over the standard deviation of y; infinite where not finite */
    double error_z; /* the same of z */
    double seconds; /* CPU seconds that it took, or counted ones */
} kan_form_fit;

/* How a form is fitted. */
typedef struct kan_form_options {
    double seconds; /* CPU seconds at most, counted ones with a meter; 0: no limit */
    uint64_t seed;
    size_t starts;                     /* random starts [8; 1 for a sum without products]  */
    bool quick;                        /* one coarse grid of cubic splines: to compare, not to read */
    const volatile sig_atomic_t *stop; /* or NULL */
    kan_meter *meter; /* counts the work, and ends the fit where it is when it is over; or NULL */
} kan_form_options;

/* Fits the form to column `target` of the rows of `fit`, regression without bytes, stopping by those of `validation`.
 * The head fits all rows of both. NULL: KAN_ENOMEM, KAN_ENONFINITE (no start could be trained). */
kan_form_fit *kan_form_train(const kan_form *form, const kan_dataset *fit,
                             const kan_dataset *validation, size_t target,
                             const kan_form_options *options, kan_error *error);
void kan_form_free(kan_form_fit *f);

/* phi [n] of input i, psi [n] of input i in product k, at x [n] in the units of the data. And g, of an OUTER, at sums s
 * [n], of which z = z_shift + z_scale g(s). */
void kan_form_phi(const kan_form_fit *f, size_t i, size_t n, const double *x, double *phi);
void kan_form_psi(const kan_form_fit *f, size_t k, size_t i, size_t n, const double *x, double *psi);
void kan_form_outer(const kan_form_fit *f, size_t n, const double *s, double *g);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
