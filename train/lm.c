/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/lm.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/work.h"
#include "train/cholesky.h"
#include "train/vector_kernel.h"

KAN_KERNEL_DECLARE(double, vector_kernel, vector_kernel);

/* ---- the linear system -------------------------------------------------------------------------- */

/* Parameters that may move and that H knows, and the scale 1 / sqrt(D) of each. A diagonal entry below what the
 * largest one resolves counts as that. */
static void choose_active(kan_lm *lm, const uint8_t *movable) {
    double largest = 0.0;
    lm->n_active = 0;
    for (size_t i = 0; i < lm->n; ++i) {
        const double d = lm->H[i * lm->n + i];
        if ((movable && !movable[i]) || !(d > 0.0)) continue;
        lm->active[lm->n_active++] = i;
        largest = fmax(largest, d);
    }
    for (size_t a = 0; a < lm->n_active; ++a) {
        const size_t i = lm->active[a];
        lm->scale[a] = 1.0 / sqrt(fmax(lm->H[i * lm->n + i], DBL_EPSILON * largest));
    }
}

/* L = the active part of H, scaled, with lambda added to its diagonal. */
static void scaled_system(kan_lm *lm) {
    const size_t n = lm->n_active;
    for (size_t a = 0; a < n; ++a) {
        const double *from = lm->H + lm->active[a] * lm->n, c = lm->scale[a];
        double *to = lm->L + a * n;
        for (size_t b = 0; b <= a; ++b) to[b] = c * lm->scale[b] * from[lm->active[b]];
        to[a] += lm->lambda;
    }
}

/* The step p for the present lambda, and the gain that it predicts; lambda grows where the matrix is singular to
 * rounding. False where no lambda helps: H is not finite. */
static bool solve(kan_lm *lm, double *predicted) {
    const size_t n = lm->n_active;
    for (;;) {
        scaled_system(lm);
        if (cholesky_factor(n, 0.0, lm->L)) break;
        lm->lambda = fmax(10.0 * lm->lambda, DBL_EPSILON);
        if (!(lm->lambda < 1e10)) return false;
    }
    double gain = 0.0;
    for (size_t a = 0; a < n; ++a) lm->q[a] = -lm->scale[a] * lm->g[lm->active[a]];
    cholesky_solve(n, lm->L, lm->q);
    memset(lm->p, 0, lm->n * sizeof *lm->p);
    for (size_t a = 0; a < n; ++a) {
        const size_t i = lm->active[a];
        lm->p[i] = lm->scale[a] * lm->q[a];
        gain += lm->lambda * lm->q[a] * lm->q[a] - lm->g[i] * lm->p[i];
    }
    *predicted = 0.5 * gain;
    return isfinite(gain);
}

/* ---- a step ------------------------------------------------------------------------------------- */

static bool linearize(kan_lm *lm, const kan_lm_function *f, const double *x) {
    ++lm->evaluations;
    const double value = f->linearize(f->context, x, lm->g, lm->H);
    double sum = value;
    for (size_t i = 0; i < lm->n; ++i) sum += lm->g[i] + lm->H[i * lm->n + i];
    if (!isfinite(sum)) return false;
    choose_active(lm, f->movable);
    lm->linearized = 1;
    return true;
}

static bool start(kan_lm *lm, const kan_lm_function *f, const double *x) {
    ++lm->evaluations;
    lm->f = f->value(f->context, x);
    lm->started = isfinite(lm->f);
    return lm->started;
}

/* Largest entry of the gradient among parameters that take part. */
static double gradient_norm(const kan_lm *lm) {
    double largest = 0.0;
    for (size_t a = 0; a < lm->n_active; ++a) largest = fmax(largest, fabs(lm->g[lm->active[a]]));
    return largest;
}

static void succeed(kan_lm *lm, double gain, double value, double *x) {
    const double t = 2.0 * gain - 1.0;
    lm->lambda = fmax(lm->lambda * fmax(1.0 / 9.0, 1.0 - t * t * t), lm->options.least_lambda);
    lm->nu = 2.0;
    lm->f = value;
    lm->linearized = 0;
    memcpy(x, lm->x_trial, lm->n * sizeof *x);
}

kan_lm_outcome kan_lm_step(kan_lm *lm, const kan_lm_function *f, double *x) {
    assert(lm && f && (x || lm->n == 0) && "a state, a function and a point");
    const vector_kernel *k = KAN_KERNEL_GET(double, vector_kernel);
    if (!lm->started && !start(lm, f, x)) return KAN_LM_NONFINITE;
    if (!lm->linearized && !linearize(lm, f, x)) return KAN_LM_NONFINITE;
    if (gradient_norm(lm) <= lm->options.tolerance * fmax(1.0, fabs(lm->f))) return KAN_LM_CONVERGED;

    for (size_t left = lm->options.max_evaluations; left > 0; --left) {
        double predicted;
        if (!solve(lm, &predicted)) return KAN_LM_NONFINITE;
        k->move(lm->n, x, 1.0, lm->p, lm->x_trial);
        ++lm->evaluations;
        const double value = f->value(f->context, lm->x_trial); /* NaN is not smaller */
        if (value < lm->f) {
            succeed(lm, (lm->f - value) / predicted, value, x);
            return KAN_LM_MOVED;
        }
        /* what is left to gain is below the rounding of f */
        if (isfinite(value) && predicted <= 0.5 * DBL_EPSILON * fabs(lm->f)) break;
        lm->lambda *= lm->nu;
        lm->nu *= 2.0;
    }
    return KAN_LM_STALLED;
}

/* ---- memory ------------------------------------------------------------------------------------- */

static kan_lm_options with_defaults(const kan_lm_options *options) {
    kan_lm_options o = options ? *options : (kan_lm_options){0};
    if (o.lambda == 0.0) o.lambda = 1e-3;
    if (o.least_lambda == 0.0) o.least_lambda = 1e-15;
    if (o.max_evaluations == 0) o.max_evaluations = 30;
    assert(o.lambda > 0.0 && o.least_lambda > 0.0 && o.tolerance >= 0.0 && "damping, and a tolerance");
    return o;
}

kan_lm *kan_lm_alloc(size_t n, const kan_lm_options *options) {
    kan_lm *lm = calloc(1, sizeof *lm);
    if (!lm) return NULL;
    const size_t square = kan_work_product(n, n);
    lm->options = with_defaults(options);
    lm->n = n;
    lm->H = kan_work_alloc(square);
    lm->L = kan_work_alloc(square);
    lm->g = kan_work_alloc(kan_work_product(5, n));
    lm->active = calloc(n + 1, sizeof *lm->active);
    if (!lm->H || !lm->L || !lm->g || !lm->active) {
        kan_lm_free(lm);
        return NULL;
    }
    lm->scale = lm->g + n;
    lm->p = lm->scale + n;
    lm->q = lm->p + n;
    lm->x_trial = lm->q + n;
    kan_lm_reset(lm);
    return lm;
}

void kan_lm_free(kan_lm *lm) {
    if (!lm) return;
    kan_work_free(lm->H);
    kan_work_free(lm->L);
    kan_work_free(lm->g);
    free(lm->active);
    free(lm);
}

void kan_lm_reset(kan_lm *lm) {
    lm->started = lm->linearized = 0;
    lm->lambda = lm->options.lambda;
    lm->nu = 2.0;
}
