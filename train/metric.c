/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/metric.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "train/loss.h"

static double weight_of(const kan_dataset *d, size_t s) {
    return d->weight ? d->weight[s] : 1.0;
}

static double total_weight(const kan_dataset *d) {
    double sum = 0.0;
    for (size_t s = 0; s < d->n; ++s) sum += weight_of(d, s);
    return sum;
}

/* sum_s w (y - mean y)^2 of one output, y in the given unit. Values are counted from the first one, so that a constant
 * column has exactly no spread. */
static double spread(const kan_dataset *d, size_t o, double total, double unit) {
    const double *y = d->y + o, first = y[0] / unit;
    double mean = 0.0, sum = 0.0;
    for (size_t s = 0; s < d->n; ++s) mean += weight_of(d, s) * (y[s * d->n_out] / unit - first);
    mean /= total;
    for (size_t s = 0; s < d->n; ++s) {
        const double r = y[s * d->n_out] / unit - first - mean;
        sum += weight_of(d, s) * (r * r);
    }
    return sum;
}

static double spreads(const kan_dataset *d, double total, double unit) {
    double sum = 0.0;
    for (size_t o = 0; o < d->n_out; ++o) sum += spread(d, o, total, unit);
    return sum;
}

/* The errors are absolute ones, or their squares, in the given unit. */
static double mean_error(const kan_dataset *d, const double *y_hat, double total, double unit,
                         bool square) {
    double mean = 0.0;
    for (size_t s = 0; s < d->n; ++s) {
        double sum = 0.0;
        for (size_t o = 0; o < d->n_out; ++o) {
            const double e = fabs(y_hat[s * d->n_out + o] / unit - d->y[s * d->n_out + o] / unit);
            sum += square ? e * e : e;
        }
        mean += weight_of(d, s) * sum;
    }
    return mean / (total * (double)d->n_out);
}

/* The largest number of all targets and predictions. */
static double largest(const kan_dataset *d, const double *y_hat) {
    double most = 0.0;
    for (size_t j = 0; j < d->n * d->n_out; ++j) most = fmax(most, fmax(fabs(y_hat[j]), fabs(d->y[j])));
    return most;
}

/* Whether squares of it, and sums of them, neither overflow nor lose digits. */
static bool is_moderate(double v) {
    return v > 1e-120 && v < 1e120;
}

/* Numbers whose squares are no doubles are measured in a unit of their own, a power of two. */
static void eval_regression(const kan_dataset *d, const double *y_hat, double total, kan_metric *m) {
    const double most = largest(d, y_hat);
    const bool moderate = most == 0.0 || is_moderate(most);
    const double unit = moderate || !isfinite(most) ? 1.0 : ldexp(1.0, ilogb(most));
    const double mse = moderate ? kan_loss_mse->eval(d->n, d->n_out, y_hat, d->y, d->weight,
                                                     1.0 / total, NULL)
                                : mean_error(d, y_hat, total, unit, true),
                 all = spreads(d, total, unit);
    m->rmse = unit * sqrt(mse);
    m->mae = unit * mean_error(d, y_hat, total, unit, false);
    if (all > 0.0) m->r2 = 1.0 - mse * total * (double)d->n_out / all;
}

/* Mean of 2 TP / (2 TP + FP + FN) over the classes where any of the three is not 0. */
static double macro_f1(size_t n_out, const double *tp, const double *fp, const double *fn) {
    double sum = 0.0, occurring = 0.0;
    for (size_t o = 0; o < n_out; ++o) {
        const double all = 2.0 * tp[o] + fp[o] + fn[o];
        if (all > 0.0) sum += 2.0 * tp[o] / all, ++occurring;
    }
    return sum / occurring;
}

static void eval_classification(const kan_dataset *d, const double *y_hat, double total, double *counts,
                                kan_metric *m) {
    const size_t n_out = d->n_out;
    double *tp = counts, *fp = tp + n_out, *fn = fp + n_out, right = 0.0;
    m->cross_entropy = kan_loss_cross_entropy->eval(d->n, n_out, y_hat, d->y, d->weight, 1.0 / total,
                                                    NULL);
    if (isnan(m->cross_entropy)) return; /* a NaN is neither largest nor not */

    memset(counts, 0, 3 * n_out * sizeof *counts);
    for (size_t s = 0; s < d->n; ++s) {
        const size_t class = (size_t)d->y[s], predicted = kan_loss_class(n_out, y_hat + s * n_out);
        const double w = weight_of(d, s);
        if (predicted == class)
            tp[class] += w, right += w;
        else
            fp[predicted] += w, fn[class] += w;
    }
    m->accuracy = right / total;
    m->macro_f1 = macro_f1(n_out, tp, fp, fn);
}

kan_metric kan_metric_eval(const kan_dataset *d, const double *y_hat, double *counts) {
    assert(d && y_hat && d->n > 0 && "at least one sample");
    kan_metric m = {NAN, NAN, NAN, NAN, NAN, NAN};
    const double total = total_weight(d);
    if (d->task == KAN_REGRESSION) {
        eval_regression(d, y_hat, total, &m);
    } else {
        assert(counts && "scratch for the counts of macro F1");
        eval_classification(d, y_hat, total, counts, &m);
    }
    return m;
}
