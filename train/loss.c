/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/loss.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "core/vecmath.h"
#include "train/vector_kernel.h"

KAN_KERNEL_DECLARE(double, vector_kernel, vector_kernel);

/* l = 1/n_out sum_o (y_hat[o] - y[o])^2        dl/dy_hat[o] = 2/n_out (y_hat[o] - y[o])
 *
 * Without weights all samples are one long row. */
static double mse(size_t batch, size_t n_out, const double *y_hat, const double *y,
                  const double *weight, double scale, double *dy) {
    const vector_kernel *k = KAN_KERNEL_GET(double, vector_kernel);
    const double mean = 1.0 / (double)n_out;
    double sum = 0.0;
    if (!weight) return scale * (mean * k->squares(batch * n_out, y_hat, y, 2.0 * mean * scale, dy));
    for (size_t s = 0; s < batch; ++s) {
        const size_t at = s * n_out;
        const double slope = 2.0 * mean * scale * weight[s];
        sum += weight[s] * k->squares(n_out, y_hat + at, y + at, slope, dy ? dy + at : NULL);
    }
    return scale * (mean * sum);
}

/* S = sqrt(2/n_out) I */
static void mse_root(size_t n_out, const double *y_hat, double *S) {
    (void)y_hat;
    memset(S, 0, n_out * n_out * sizeof *S);
    for (size_t o = 0; o < n_out; ++o) S[o * n_out + o] = sqrt(2.0 / (double)n_out);
}

static size_t class_index(double y, size_t n_out) {
    assert(y >= 0.0 && y < (double)n_out && floor(y) == y && "a class is an integer 0 .. n_out-1");
    (void)n_out;
    return (size_t)y;
}

size_t kan_loss_class(size_t n_out, const double *logits) {
    assert(n_out > 0 && "at least one class");
    size_t top = 0;
    for (size_t o = 1; o < n_out; ++o)
        if (logits[o] > logits[top]) top = o;
    return top;
}

/* Of one sample with logits z, with e_o = exp(z_o - z_top) and rest = sum of e_o over o other than top:
 *
 *     l = log(1 + rest) + z_top - z_class        dl/dz_o = e_o / (1 + rest) - [o = class]
 *
 * A certain prediction has a rest far below 1: log1p keeps its digits, and so does -rest / (1 + rest),
 * the slope of the class that is top. slope holds `weight` times dl/dz, unless NULL. */
static double sample_cross_entropy(size_t n_out, const double *z, size_t class, double weight,
                                   double *slope) {
    enum { TILE = 64 };
    const size_t top = kan_loss_class(n_out, z);
    double e[TILE], rest = 0.0;
    for (size_t begin = 0; begin < n_out; begin += TILE) {
        const size_t m = n_out - begin < TILE ? n_out - begin : TILE;
        for (size_t j = 0; j < m; ++j) e[j] = z[begin + j] - z[top];
        kan_vecmath_exp(m, e, 1, e, NULL);
        for (size_t j = 0; j < m; ++j)
            if (begin + j != top) rest += e[j];
        for (size_t j = 0; slope && j < m; ++j) slope[begin + j] = e[j];
    }
    if (slope) {
        for (size_t o = 0; o < n_out; ++o) slope[o] *= weight / (1.0 + rest);
        slope[class] = class == top ? -weight * (rest / (1.0 + rest)) : slope[class] - weight;
    }
    return log1p(rest) + (z[top] - z[class]);
}

static double cross_entropy(size_t batch, size_t n_out, const double *y_hat, const double *y,
                            const double *weight, double scale, double *dy) {
    double sum = 0.0;
    for (size_t s = 0; s < batch; ++s) {
        const double w = weight ? weight[s] : 1.0;
        sum += w * sample_cross_entropy(n_out, y_hat + s * n_out, class_index(y[s], n_out), scale * w,
                                        dy ? dy + s * n_out : NULL);
    }
    return scale * sum;
}

/* S[o][k] = sqrt(p_o) ([o = k] - p_k): p_k [k = j] - p_k p_j = sum_o p_o ([o = k] - p_k) ([o = j] - p_j). The first
 * row holds p until its own turn, the last. */
static void cross_entropy_root(size_t n_out, const double *y_hat, double *S) {
    const double top = y_hat[kan_loss_class(n_out, y_hat)];
    double *p = S, sum = 0.0;
    for (size_t k = 0; k < n_out; ++k) p[k] = y_hat[k] - top;
    kan_vecmath_exp(n_out, p, 1, p, NULL);
    for (size_t k = 0; k < n_out; ++k) sum += p[k];
    for (size_t k = 0; k < n_out; ++k) p[k] /= sum;
    for (size_t o = n_out; o-- > 0;) {
        const double p_o = p[o], root = sqrt(p_o);
        for (size_t k = 0; k < n_out; ++k) S[o * n_out + k] = root * ((o == k ? 1.0 : 0.0) - p[k]);
    }
}

static const kan_loss mse_loss = {"mse", mse, mse_root};
static const kan_loss cross_entropy_loss = {"cross entropy", cross_entropy, cross_entropy_root};

const kan_loss *const kan_loss_mse = &mse_loss;
const kan_loss *const kan_loss_cross_entropy = &cross_entropy_loss;

const kan_loss *kan_loss_of_task(kan_task task) {
    return task == KAN_CLASSIFICATION ? kan_loss_cross_entropy : kan_loss_mse;
}
