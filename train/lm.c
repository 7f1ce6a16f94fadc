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

/* D is at least this part of its largest entry. Measured on networks from random starts: without a floor they end in
 * poorer minima, with 1, the damping of Levenberg, narrow valleys take longer. */
static const double least_damping = 0.01;

/* The acceleration may be so large beside the step, and is measured by differences with this step. */
static const double most_bend = 0.75, bend_step = 0.1;

/* Parameters that may move and that H knows, and the scale 1 / sqrt(D) of each. */
static void choose_active(kan_lm *lm, const kan_lm_function *f) {
    double largest = 0.0;
    lm->n_active = 0;
    for (size_t i = 0; i < lm->n; ++i) {
        const double d = lm->d[i];
        if ((f->movable && !f->movable[i]) || !(d > 0.0)) continue;
        lm->active[lm->n_active++] = i;
        largest = fmax(largest, lm->H && f->data_diagonal ? fmin(d, 2.0 * f->data_diagonal[i]) : d);
    }
    for (size_t a = 0; a < lm->n_active; ++a) {
        const size_t i = lm->active[a];
        lm->scale[a] = 1.0 / sqrt(fmax(lm->d[i], least_damping * largest));
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

/* L for the present lambda, which grows where the matrix is singular to rounding. False where no lambda helps:
 * H is not finite. */
static bool factor(kan_lm *lm) {
    while (lm->H) {
        scaled_system(lm);
        if (cholesky_factor(lm->n_active, 0.0, lm->L)) return true;
        ++lm->singular;
        lm->lambda = fmax(10.0 * lm->lambda, DBL_EPSILON);
        if (!(lm->lambda < 1e10)) return false;
    }
    return true;
}

static double dot(size_t n, const double *a, const double *b) {
    return KAN_KERNEL_GET(double, vector_kernel)->dot(n, a, b);
}

/* Hv = (D^-1/2 H D^-1/2 + lambda) s over the parameters that take part. */
static void multiply_scaled(kan_lm *lm, const kan_lm_function *f, const double *s) {
    ++lm->products;
    memset(lm->v, 0, lm->n * sizeof *lm->v);
    for (size_t a = 0; a < lm->n_active; ++a) lm->v[lm->active[a]] = lm->scale[a] * s[a];
    f->multiply(f->context, lm->v, lm->Hv);
    for (size_t a = 0; a < lm->n_active; ++a) /* a <= active[a]: what is overwritten has been read */
        lm->Hv[a] = lm->scale[a] * lm->Hv[lm->active[a]] + lm->lambda * s[a];
}

/* q becomes the solution for the right-hand side q by conjugate gradients. */
static void conjugate_gradients(kan_lm *lm, const kan_lm_function *f) {
    const vector_kernel *k = KAN_KERNEL_GET(double, vector_kernel);
    const size_t n = lm->n_active;
    memcpy(lm->r, lm->q, n * sizeof *lm->r);
    memcpy(lm->s, lm->q, n * sizeof *lm->s);
    memset(lm->q, 0, n * sizeof *lm->q);
    double rr = dot(n, lm->r, lm->r);
    const double enough = rr * lm->options.residual * lm->options.residual;
    for (size_t left = lm->options.max_products; left > 0 && rr > enough; --left) {
        multiply_scaled(lm, f, lm->s);
        const double alpha = rr / dot(n, lm->s, lm->Hv), before = rr;
        k->add(n, alpha, lm->s, lm->q);
        k->add(n, -alpha, lm->Hv, lm->r);
        rr = dot(n, lm->r, lm->r);
        k->move(n, lm->r, rr / before, lm->s, lm->s);
    }
}

/* q = -(scaled matrix)^-1 D^-1/2 v, which is D^1/2 times the solution; returns q.q. */
static double solve(kan_lm *lm, const kan_lm_function *f, const double *v) {
    for (size_t a = 0; a < lm->n_active; ++a) lm->q[a] = -lm->scale[a] * v[lm->active[a]];
    if (lm->H)
        cholesky_solve(lm->n_active, lm->L, lm->q);
    else
        conjugate_gradients(lm, f);
    return dot(lm->n_active, lm->q, lm->q);
}

/* The trial point for the present lambda, and the gain that it predicts. False where it bends too much. */
static bool propose(kan_lm *lm, const kan_lm_function *f, const double *x, double *predicted) {
    double length = solve(lm, f, lm->g), slope = 0.0;
    memset(lm->p, 0, lm->n * sizeof *lm->p);
    for (size_t a = 0; a < lm->n_active; ++a) {
        const size_t i = lm->active[a];
        lm->p[i] = lm->scale[a] * lm->q[a];
        slope += lm->g[i] * lm->p[i];
    }
    *predicted = 0.5 * (lm->lambda * length - slope);
    for (size_t i = 0; i < lm->n; ++i) lm->x_trial[i] = x[i] + lm->p[i];
    if (!f->bend) return true;
    ++lm->evaluations;
    f->bend(f->context, x, lm->p, bend_step, lm->b);
    if (!(solve(lm, f, lm->b) <= most_bend * most_bend * length)) return false;
    for (size_t a = 0; a < lm->n_active; ++a)
        lm->x_trial[lm->active[a]] += 0.5 * lm->scale[a] * lm->q[a];
    return true;
}

/* ---- a step ------------------------------------------------------------------------------------- */

static bool linearize(kan_lm *lm, const kan_lm_function *f, const double *x) {
    ++lm->evaluations;
    double sum = lm->H ? f->linearize(f->context, x, lm->g, lm->H)
                       : f->sketch(f->context, x, lm->g, lm->d);
    for (size_t i = 0; lm->H && i < lm->n; ++i) lm->d[i] = lm->H[i * lm->n + i];
    for (size_t i = 0; i < lm->n; ++i) sum += lm->g[i] + lm->d[i];
    if (!isfinite(sum)) return false;
    choose_active(lm, f);
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
    if (!lm->started && !start(lm, f, x)) return KAN_LM_NONFINITE;
    if (!lm->linearized && !linearize(lm, f, x)) return KAN_LM_NONFINITE;
    if (gradient_norm(lm) <= lm->options.tolerance * fmax(1.0, fabs(lm->f))) return KAN_LM_CONVERGED;

    const size_t end = lm->evaluations + lm->options.max_evaluations;
    while (lm->evaluations < end) {
        double predicted;
        if (!factor(lm)) return KAN_LM_NONFINITE;
        if (propose(lm, f, x, &predicted)) {
            ++lm->evaluations;
            const double value = f->value(f->context, lm->x_trial); /* NaN is not smaller */
            if (value < lm->f) {
                succeed(lm, (lm->f - value) / predicted, value, x);
                return KAN_LM_MOVED;
            }
        }
        if (!isfinite(predicted)) return KAN_LM_NONFINITE;
        /* what is left to gain is below the rounding of f */
        if (predicted <= 0.5 * DBL_EPSILON * fabs(lm->f)) break;
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
    if (o.most_dense == 0) o.most_dense = KAN_LM_MOST_DENSE;
    if (o.max_products == 0) o.max_products = KAN_LM_MAX_PRODUCTS;
    if (o.residual == 0.0) o.residual = 0.01;
    if (o.max_evaluations == 0) o.max_evaluations = KAN_LM_MAX_EVALUATIONS;
    assert(o.lambda > 0.0 && o.least_lambda > 0.0 && o.tolerance >= 0.0 && "damping, and a tolerance");
    return o;
}

kan_lm *kan_lm_alloc(size_t n, const kan_lm_options *options) {
    kan_lm *lm = calloc(1, sizeof *lm);
    if (!lm) return NULL;
    lm->options = with_defaults(options);
    lm->n = n;
    const bool dense = n <= lm->options.most_dense;
    if (dense) lm->H = kan_work_alloc(kan_work_product(n, n));
    if (dense) lm->L = kan_work_alloc(kan_work_product(n, n));
    lm->g = kan_work_alloc(kan_work_product(dense ? 7 : 11, n));
    lm->active = calloc(n + 1, sizeof *lm->active);
    if ((dense && (!lm->H || !lm->L)) || !lm->g || !lm->active) {
        kan_lm_free(lm);
        return NULL;
    }
    double **arrays[] = {&lm->d,       &lm->scale, &lm->p, &lm->q, &lm->b,
                         &lm->x_trial, &lm->r,     &lm->s, &lm->v, &lm->Hv};
    for (size_t j = 0; j < (dense ? 6 : 10); ++j) *arrays[j] = lm->g + (j + 1) * n;
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

void kan_lm_snapshot(kan_lm *lm, kan_snapshot *s) {
    bool started = lm->started != 0;
    kan_snapshot_flag(s, "started", &started);
    lm->started = started;
    if (s->loading) lm->linearized = 0;
    kan_snapshot_size(s, "evaluations", &lm->evaluations, SIZE_MAX);
    kan_snapshot_size(s, "products", &lm->products, SIZE_MAX);
    kan_snapshot_size(s, "singular", &lm->singular, SIZE_MAX);
    kan_snapshot_real(s, "f", &lm->f);
    kan_snapshot_real(s, "lambda", &lm->lambda);
    kan_snapshot_real(s, "nu", &lm->nu);
}
