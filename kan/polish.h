/* kan/polish.h - a formula that was found in a network, made as exact and as simple as the data allow.
 *
 * All functions take the rows of d, regression without bytes: the target is column `target` of y, and the inputs have the
 * names [n_in], among which are the variables of the formula. A meter, or NULL, counts the fits; when it is over they end
 * where they are.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_KAN_POLISH_H
#define KAN_KAN_POLISH_H

#include <stddef.h>

#include "core/meter.h"
#include "core/status.h"
#include "symbolic/expression.h"
#include "train/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* RMSE on the rows of `unseen` when the numbers of e are fitted to those of `seen`; e stays as it is. Infinite where that is
 * not finite. KAN_ENOMEM. */
kan_status kan_polish_unseen(const kan_expression *e, const kan_dataset *seen,
                             const kan_dataset *unseen, const char *const *names, size_t target,
                             kan_meter *meter, double *rmse, kan_error *error);

/* r [n] = y - f(x). KAN_ENOMEM. */
kan_status kan_polish_residuals(const kan_expression *e, const kan_dataset *d, const char *const *names,
                                size_t target, double *r, kan_error *error);

/* RMSE on the rows; infinite where the formula is not finite. KAN_ENOMEM. */
kan_status kan_polish_measure(const kan_expression *e, const kan_dataset *d, const char *const *names,
                              size_t target, double *rmse, kan_error *error);

/* Fits the numbers of e to the rows, but for whole and half ones up to 5: those are the table's, as the 2 of x^2, since
 * fitted numbers have digits to the last. KAN_ENOMEM, KAN_ENONFINITE (e is not finite at every row), e being as it was. */
kan_status kan_polish_fit(kan_expression *e, const kan_dataset *d, const char *const *names,
                          size_t target, kan_meter *meter, double *rmse, kan_error *error);

/* *e in normal form, its numbers fitted to the rows and put to 0, 1, pi/2 and others with a name as far as the error stays
 * what it was, in normal form again. *rmse is that of *e on the rows at first, then that of the new *e, which
 * replaces the old one. The same errors; *e is then still to be freed. */
kan_status kan_polish_formula(kan_expression **e, const kan_dataset *d, const char *const *names,
                              size_t target, kan_meter *meter, double *rmse, kan_error *error);

/* The error that is rounding: 1e-11 times the spread of the target. */
double kan_polish_rounding(const kan_dataset *d, size_t target);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
