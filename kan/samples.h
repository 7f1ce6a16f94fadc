/* kan/samples.h - private: samples of a curve of a network, and which functions of the table it may be.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_KAN_SAMPLES_H
#define KAN_KAN_SAMPLES_H

#include <stdbool.h>
#include <stddef.h>

#include "core/status.h"
#include "symbolic/curve.h"

enum { MOST_SAMPLES = 400, MOST_CURVES = 64 };

typedef struct samples {
    size_t n;
    double t[MOST_SAMPLES], y[MOST_SAMPLES]; /* t ascending */
} samples;

/* t: up to MOST_SAMPLES of the values v[0], v[stride], .. (n of them), the ends among them. False without memory. */
bool samples_spread(size_t n, const double *v, size_t stride, samples *s);

/* Mean and standard deviation of y. */
void samples_moments(const samples *s, double *mean, double *sd);

/* Curves of the table (options as for kan_curve_fit, or NULL) that come closest, [MOST_CURVES], the best first, but the
 * simplest of those that are as good as the best, or as `known`, before it. Imitations are left out: functions far from
 * where they bend, or on a tiny piece of themselves, come close to others (x^2 is 1e6 (1 - cos(x / 700)) to nine
 * digits), with a c f beyond 100 times the spread of the curve; unless there are no others. *least is the smallest rmse.
 * Returns their number; 0 with error->status KAN_OK where no function is
 * defined there; else that is KAN_ENOMEM or KAN_ENONFINITE. error is not NULL. */
size_t samples_suggest(const samples *s, const kan_curve_options *options, double known,
                       kan_curve *found, double *least, kan_error *error);

#endif
