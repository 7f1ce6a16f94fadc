/* train/scaler.c - standardisation.
 *
 *     mean = sum_s w_s x_s / W        scale^2 = sum_s w_s (x_s - mean)^2 / W        W = sum_s w_s
 *
 * The mean is corrected by the mean of the deviations from it, so it is right to an ulp however small
 * the spread is beside it, and the deviations are taken from the corrected mean.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/scaler.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/work.h"
#include "train/input.h"

/* One block holds the four arrays. */
static kan_scaler *alloc_sizes(size_t n_in, size_t n_y) {
    if (n_in > SIZE_MAX / 32 || n_y > SIZE_MAX / 32) return NULL;
    kan_scaler *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    if (!(s->x_mean = kan_work_alloc(2 * (n_in + n_y)))) {
        free(s);
        return NULL;
    }
    s->n_in = n_in, s->n_y = n_y;
    s->x_scale = s->x_mean + n_in;
    s->y_mean = s->x_scale + n_in;
    s->y_scale = s->y_mean + n_y;
    return s;
}

void kan_scaler_free(kan_scaler *s) {
    if (!s) return;
    kan_work_free(s->x_mean);
    free(s);
}

/* sum_s w_s v_s / W, each v_s = (x[s * stride] - origin) / unit or its square. */
static double mean_of(size_t n, const double *x, size_t stride, const double *weight, double origin,
                      double unit, bool square) {
    double sum = 0.0, total = 0.0;
    for (size_t s = 0; s < n; ++s) {
        const double w = weight ? weight[s] : 1.0, v = (x[s * stride] - origin) / unit;
        sum += w * (square ? v * v : v), total += w;
    }
    return sum / total;
}

/* max_s |x[s * stride] - origin|: a unit in which sums and squares neither overflow nor vanish. */
static double largest(size_t n, const double *x, size_t stride, double origin) {
    double most = 0.0;
    for (size_t s = 0; s < n; ++s) most = fmax(most, fabs(x[s * stride] - origin));
    return most;
}

/* Mean and scale of one column, x[s * stride] for s = 0 .. n-1. */
static void learn_column(size_t n, const double *x, size_t stride, const double *weight, double *mean,
                         double *scale) {
    double unit = largest(n, x, stride, 0.0), m = 0.0, spread = 0.0;
    if (unit > 0.0) m = unit * mean_of(n, x, stride, weight, 0.0, unit, false);
    unit = largest(n, x, stride, m);
    if (unit > 0.0) m += unit * mean_of(n, x, stride, weight, m, unit, false);
    unit = largest(n, x, stride, m);
    if (unit > 0.0) spread = unit * sqrt(mean_of(n, x, stride, weight, m, unit, true));
    /* Numbers that ought to be equal differ by their own rounding, at most half an ulp each way, and
     * from a mean that is right to an ulp: up to 2 ulps, an ulp being at most DBL_EPSILON |mean|. Twice
     * that is still only noise. */
    const bool constant = spread <= 4.0 * DBL_EPSILON * fabs(m);
    *mean = m, *scale = constant ? 1.0 : spread;
}

kan_scaler *kan_scaler_alloc(const kan_dataset *d) {
    assert(d->n > 0 && "a scaler learns from rows");
    kan_scaler *s = alloc_sizes(d->bytes ? 0 : d->n_in, d->task == KAN_CLASSIFICATION ? 0 : d->n_out);
    if (!s) return NULL;
    for (size_t i = 0; i < s->n_in; ++i)
        learn_column(d->n, d->x + i, d->n_in, d->weight, s->x_mean + i, s->x_scale + i);
    for (size_t k = 0; k < s->n_y; ++k)
        learn_column(d->n, d->y + k, d->n_out, d->weight, s->y_mean + k, s->y_scale + k);
    return s;
}

/* v [n][width] */
static void standardise(size_t n, size_t width, const double *mean, const double *scale, double *v) {
    for (size_t s = 0; s < n; ++s, v += width)
        for (size_t j = 0; j < width; ++j) v[j] = (v[j] - mean[j]) / scale[j];
}

/* The inputs beyond the tail, see the header. */
static void shorten_tails(size_t n, double tail, double *x) {
    for (size_t j = 0; j < n; ++j) {
        const double beyond = fabs(x[j]) - tail;
        if (beyond > 0.0) x[j] = copysign(tail + log1p(beyond), x[j]);
    }
}

void kan_scaler_apply(const kan_scaler *s, kan_dataset *d) {
    assert(s->n_in == (d->bytes ? 0 : d->n_in) && "the inputs are not those the scaler learned from");
    assert(s->n_y == (d->task == KAN_CLASSIFICATION ? 0 : d->n_out) && "nor may the targets differ");
    standardise(d->n, s->n_in, s->x_mean, s->x_scale, d->x);
    if (s->x_tail > 0.0) shorten_tails(d->n * s->n_in, s->x_tail, d->x);
    standardise(d->n, s->n_y, s->y_mean, s->y_scale, d->y);
}

void kan_scaler_undo(const kan_scaler *s, size_t n, double *y) {
    for (size_t j = 0; j < n; ++j, y += s->n_y)
        for (size_t k = 0; k < s->n_y; ++k) y[k] = s->y_mean[k] + s->y_scale[k] * y[k];
}

/* ---- model file -------------------------------------------------------------------------------------
 */

static kan_status save_array(kan_file *file, const char *name, size_t n, const double *values,
                             kan_error *error) {
    return n ? kan_file_add(file, name, KAN_F64, 1, &n, values, error) : KAN_OK;
}

static kan_status save_size(kan_file *file, const char *name, size_t n, kan_error *error) {
    char text[32];
    snprintf(text, sizeof text, "%zu", n);
    return kan_file_set(file, name, text, error);
}

/* Texts "scaler.n_in", "scaler.n_y", "scaler.x_tail" and tensors "scaler.x_mean", .. of those lengths;
 * none of length 0.
 */
kan_status kan_scaler_save(const kan_scaler *s, kan_file *file, kan_error *error) {
    char tail[32];
    snprintf(tail, sizeof tail, "%.17g", s->x_tail);
    kan_status status = kan_file_set(file, "scaler.x_tail", tail, error);
    if (status == KAN_OK) status = save_size(file, "scaler.n_in", s->n_in, error);
    if (status == KAN_OK) status = save_size(file, "scaler.n_y", s->n_y, error);
    if (status == KAN_OK) status = save_array(file, "scaler.x_mean", s->n_in, s->x_mean, error);
    if (status == KAN_OK) status = save_array(file, "scaler.x_scale", s->n_in, s->x_scale, error);
    if (status == KAN_OK) status = save_array(file, "scaler.y_mean", s->n_y, s->y_mean, error);
    if (status == KAN_OK) status = save_array(file, "scaler.y_scale", s->n_y, s->y_scale, error);
    return status;
}

static kan_status load_size(const kan_file *file, const char *name, size_t *n, kan_error *error) {
    const char *text = kan_file_get(file, name);
    if (text && kan_input_size(text, n)) return KAN_OK;
    return kan_status_fail(error, KAN_EFORMAT, "%s: '%.40s' is not a size", name, text ? text : "");
}

/* A file without the text has no tail. */
static kan_status load_tail(const kan_file *file, double *tail, kan_error *error) {
    const char *text = kan_file_get(file, "scaler.x_tail");
    char *end = NULL;
    *tail = text ? strtod(text, &end) : 0.0;
    if (!text || (end != text && *end == '\0' && *tail >= 0.0 && isfinite(*tail))) return KAN_OK;
    return kan_status_fail(error, KAN_EFORMAT, "scaler.x_tail: '%.40s' is not a tail", text);
}

/* The tensor, finite and, if it is a scale, positive; NULL where that is not so. n > 0. */
static const double *load_array(const kan_file *file, const char *name, size_t n, bool scale,
                                kan_error *error) {
    const double *values = kan_file_find(file, name, KAN_F64, 1, &n, error);
    for (size_t j = 0; values && j < n; ++j)
        if (!isfinite(values[j]) || (scale && !(values[j] > 0.0))) {
            kan_status_fail(error, KAN_EFORMAT, "%s: value %zu is %g", name, j, values[j]);
            return NULL;
        }
    return values;
}

kan_scaler *kan_scaler_load(const kan_file *file, kan_error *error) {
    static const char *const names[] = {"scaler.x_mean", "scaler.x_scale", "scaler.y_mean",
                                        "scaler.y_scale"};
    const double *values[4] = {NULL};
    size_t n_in, n_y;
    double tail;
    if (load_tail(file, &tail, error) != KAN_OK ||
        load_size(file, "scaler.n_in", &n_in, error) != KAN_OK ||
        load_size(file, "scaler.n_y", &n_y, error) != KAN_OK)
        return NULL;
    /* Found before memory is asked for: the tensors prove the sizes. */
    const size_t length[] = {n_in, n_in, n_y, n_y};
    for (size_t j = 0; j < 4; ++j)
        if (length[j] && !(values[j] = load_array(file, names[j], length[j], j % 2 == 1, error)))
            return NULL;
    kan_scaler *s = alloc_sizes(n_in, n_y);
    if (!s) {
        kan_status_fail(error, KAN_ENOMEM, "scaler: out of memory");
        return NULL;
    }
    s->x_tail = tail;
    double *const to[] = {s->x_mean, s->x_scale, s->y_mean, s->y_scale};
    for (size_t j = 0; j < 4; ++j)
        if (length[j]) memcpy(to[j], values[j], length[j] * sizeof(double));
    return s;
}
