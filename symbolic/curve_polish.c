/* symbolic/curve_polish.c - the nearest best (a, b) of one function.
 *
 *   minimise  sum w r^2,   r = v - c F - d,   F = f(a u + b),   c, d the best for this (a, b)
 *
 * by Levenberg-Marquardt steps with Kaufman's Jacobian of the projected residual (BIT 15, 1975): the columns
 * c f'(a u + b) u and c f'(a u + b), less their parts along 1 and F.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "symbolic/curve_private.h"

#include <float.h>
#include <math.h>

double kan_curve_project(const curve_samples *s, const double *F, double *c, double *d) {
    double mean = 0.0, ff = 0.0, fv = 0.0, sse = 0.0;
    for (size_t i = 0; i < s->n; ++i) mean += s->w[i] * F[i];
    if (!isfinite(mean)) return INFINITY;
    for (size_t i = 0; i < s->n; ++i) {
        const double e = F[i] - mean;
        ff += s->w[i] * e * e;
        fv += s->w[i] * e * s->v[i];
    }
    if (!isfinite(ff) || !isfinite(fv)) return INFINITY;
    /* An F whose spread is the rounding of its mean is a constant. */
    const double slope = ff > 16.0 * DBL_EPSILON * DBL_EPSILON * mean * mean ? fv / ff : 0.0;
    for (size_t i = 0; i < s->n; ++i) {
        const double r = s->v[i] - slope * (F[i] - mean);
        sse += s->w[i] * r * r;
    }
    if (c) *c = slope;
    if (d) *d = -slope * mean;
    return sse;
}

/* Inside the bounds of the search; f does all it can within a quarter of the mean gap of the samples, 2/n. */
static bool is_allowed(const curve_samples *s, const curve_family *family, double a, double b) {
    if (family->vary_a)
        return fabs(a) >= CURVE_LEAST_A && fabs(a) <= fmax(2.0 * (double)s->n, 50.0) &&
               fabs(b) <= CURVE_MOST_CENTRE * (1.0 + fabs(a));
    return fabs(b) <= CURVE_MOST_CENTRE * fabs(a);
}

static double eval(const curve_samples *s, const curve_family *family, double a, double b, double *F) {
    if (!is_allowed(s, family, a, b)) return INFINITY;
    for (size_t i = 0; i < s->n; ++i) F[i] = family->f->f(a * s->u[i] + b);
    return kan_curve_project(s, F, NULL, NULL);
}

/* Normal equations of the step in (a, b): g = J^T W r, H = J^T W J, with the projected columns. */
typedef struct normal {
    double g[2], h[3]; /* h: aa, ab, bb */
} normal;

static normal linearize(const curve_samples *s, const curve_family *family, const curve_point *point,
                        const double *F, double *G) {
    double c = 0.0, d = 0.0, mean = 0.0, ff = 0.0, ga = 0.0, gb = 0.0, fa = 0.0, fb = 0.0;
    kan_curve_project(s, F, &c, &d);
    for (size_t i = 0; i < s->n; ++i) {
        G[i] = c * family->f->d1(point->a * s->u[i] + point->b);
        if (!isfinite(G[i])) G[i] = 0.0; /* the end of sqrt: this sample has no say in the step */
        mean += s->w[i] * F[i];
        ga += s->w[i] * G[i] * s->u[i];
        gb += s->w[i] * G[i];
    }
    for (size_t i = 0; i < s->n; ++i) {
        const double e = F[i] - mean;
        ff += s->w[i] * e * e;
        fa += s->w[i] * e * (G[i] * s->u[i] - ga);
        fb += s->w[i] * e * (G[i] - gb);
    }
    if (ff > 0.0) fa /= ff, fb /= ff;
    normal e = {{0.0, 0.0}, {0.0, 0.0, 0.0}};
    for (size_t i = 0; i < s->n; ++i) {
        const double r = s->v[i] - c * F[i] - d, w = s->w[i];
        const double ja = family->vary_a ? G[i] * s->u[i] - ga - fa * (F[i] - mean) : 0.0;
        const double jb = family->vary_b ? G[i] - gb - fb * (F[i] - mean) : 0.0;
        e.g[0] += w * ja * r, e.g[1] += w * jb * r;
        e.h[0] += w * ja * ja, e.h[1] += w * ja * jb, e.h[2] += w * jb * jb;
    }
    return e;
}

/* Solves (H + lambda diag H) p = g for the one or two parameters that vary. */
static bool solve(const curve_family *family, const normal *e, double lambda, double p[2]) {
    const double aa = e->h[0] * (1.0 + lambda), bb = e->h[2] * (1.0 + lambda), ab = e->h[1];
    p[0] = p[1] = 0.0;
    if (family->vary_a && family->vary_b) {
        const double det = aa * bb - ab * ab;
        if (!(det > DBL_EPSILON * aa * bb)) return false;
        p[0] = (bb * e->g[0] - ab * e->g[1]) / det;
        p[1] = (aa * e->g[1] - ab * e->g[0]) / det;
    } else if (family->vary_a) {
        if (!(aa > 0.0)) return false;
        p[0] = e->g[0] / aa;
    } else {
        if (!(bb > 0.0)) return false;
        p[1] = e->g[1] / bb;
    }
    return isfinite(p[0]) && isfinite(p[1]);
}

void kan_curve_polish(const curve_samples *s, const curve_family *family, size_t steps,
                      curve_point *point, double *scratch) {
    double *F = scratch, *G = scratch + s->n, *trial = scratch + 2 * s->n, lambda = 1e-3, nu = 2.0;
    if (!family->vary_a && !family->vary_b) return;
    point->sse = eval(s, family, point->a, point->b, F);
    if (!isfinite(point->sse)) return;
    for (size_t step = 0; step < steps; ++step) {
        const normal e = linearize(s, family, point, F, G);
        const double before = point->sse;
        for (;; lambda = lambda < 1e-15 ? 1e-15 : lambda * nu, nu *= 2.0) {
            double p[2];
            if (lambda > 1e12) return;
            if (!solve(family, &e, lambda, p)) {
                if (!(e.h[0] + e.h[2] > 0.0)) return;
                continue;
            }
            const double a = point->a + p[0], b = point->b + p[1];
            if (a == point->a && b == point->b) return;
            const double sse = eval(s, family, a, b, trial);
            if (!(sse < point->sse)) continue;
            *point = (curve_point){a, b, sse};
            double *swap = F;
            F = trial, trial = swap;
            lambda *= 0.1, nu = 2.0;
            break;
        }
        /* Far from rounding, a step that gains a part in 1e9 is the last that matters; near it, each may. */
        if (before - point->sse < 1e-9 * before && before > 1e-24) return;
    }
}
