/* train/smooth.h - is there more in the residuals of a model than noise?
 *
 * Where y = f(x) + noise, r = y - f(x) cannot be predicted from x; where f is wrong, r is a function of x. The test predicts
 * every r by the others near it (kernel ridge regression, Rasmussen and Williams 2006, 2.25) in four folds,
 *
 *     p_s = sum_t K(x_s, x_t) a_t    (K + ridge I) a = r    t over the other folds
 *
 * with Gaussian kernels from narrow to wide, all inputs being brought to mean 0 and variance 1, and with a sum of narrow
 * kernels of one input each, under a small and a large ridge, and compares squares in pairs: d_s = r_s^2 - (r_s - p_s)^2.
 * Student's t = mean(d) / (sd(d) / sqrt(n)) is large where some of these kernels predicts r. Of noise they predict nothing, and
 * what they add of their own makes t negative more often than not.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_TRAIN_SMOOTH_H
#define KAN_TRAIN_SMOOTH_H

#include <stddef.h>

#include "core/meter.h"
#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* The smallest probability, over the kernels, of a t as large by chance: small where r [n] is a function of x
 * [n][n_in] in part. Of more than 1000 rows a thousand, evenly spaced, are looked at. n >= 20, all finite. A meter, or NULL,
 * counts; *probability is 0 when it is over before the end. KAN_ENOMEM. */
kan_status kan_smooth_test(size_t n, size_t n_in, const double *x, const double *r, kan_meter *meter,
                           double *probability, kan_error *error);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
