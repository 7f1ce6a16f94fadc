/* symbolic/curve.c - fit of every function to one curve: samples, canonical forms, order.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "symbolic/curve.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/parallel.h"
#include "core/random.h"
#include "core/work.h"
#include "symbolic/curve_private.h"

enum { MOST_DENSE = 1024, MOST_SINES = 4096, N_STARTS = 5, STEPS = 60 };

typedef struct fit {
    kan_curve_options options;
    size_t n;
    double *t, *y, *w;              /* [n] sorted by t, w sums to 1            */
    double middle, half;            /* of the range of t                       */
    double mean, spread;            /* of y                                    */
    curve_samples all, dense, thin; /* all of them; for sines; for the search */
    size_t n_sines;
    curve_point *sines;
    kan_curve *curves; /* [n_functions], rmse infinite where there is none */
    bool *failed;      /* [n_functions] memory was short */
} fit;

/* ---- samples --------------------------------------------------------------------------------- */

typedef struct sample {
    double t, y, w;
} sample;

static int by_t(const void *a, const void *b) {
    const sample *p = a, *q = b;
    if (p->t != q->t) return (p->t > q->t) - (p->t < q->t);
    return (p->y > q->y) - (p->y < q->y);
}

/* Every n/m-th sample, moved at random within its stratum: even spacing would alias high frequencies. The
 * ends stay, since they decide about domains. */
static size_t stratum(kan_random *random, size_t n, size_t m, size_t j) {
    const size_t begin = j * n / m, end = (j + 1) * n / m;
    if (j == 0) return 0;
    if (j + 1 == m) return n - 1;
    return begin + kan_random_below(random, end - begin);
}

/* m of the sorted samples as (u, v, w) in block [3 m]. */
static curve_samples choose(const fit *q, size_t m, double *block) {
    double *u = block, *v = u + m, *w = v + m, sum = 0.0, mean = 0.0, square = 0.0;
    kan_random random = kan_random_seed(0, 0);
    for (size_t j = 0; j < m; ++j) {
        const size_t i = m == q->n ? j : stratum(&random, q->n, m, j);
        u[j] = q->half > 0.0 ? (q->t[i] - q->middle) / q->half : 0.0;
        v[j] = (q->y[i] - q->mean) / q->spread;
        w[j] = q->w[i];
        sum += w[j];
    }
    for (size_t j = 0; j < m; ++j) w[j] = sum > 0.0 ? w[j] / sum : 1.0 / (double)m, mean += w[j] * v[j];
    for (size_t j = 0; j < m; ++j) v[j] -= mean, square += w[j] * v[j] * v[j];
    for (size_t j = 0; j < m && square > 0.0; ++j) v[j] /= sqrt(square);
    return (curve_samples){m, u, v, w, q->half > 0.0 ? q->middle / q->half : 0.0};
}

/* Sorts, and finds range, mean and spread. */
static kan_status take_samples(fit *q, const double *t, const double *y, const double *weight,
                               sample *sorted, kan_error *error) {
    double sum = 0.0, square = 0.0;
    for (size_t i = 0; i < q->n; ++i) {
        sorted[i] = (sample){t[i], y[i], weight ? weight[i] : 1.0};
        if (!isfinite(t[i]) || !isfinite(y[i]) || !isfinite(sorted[i].w))
            return kan_status_fail(error, KAN_ENONFINITE,
                                   "sample %zu of the curve is not finite: (%g, %g)", i, t[i], y[i]);
        assert(sorted[i].w >= 0.0 && "a weight is not negative");
        sum += sorted[i].w;
    }
    assert(sum > 0.0 && "some weight is positive");
    qsort(sorted, q->n, sizeof *sorted, by_t);
    for (size_t i = 0; i < q->n; ++i) {
        q->t[i] = sorted[i].t, q->y[i] = sorted[i].y, q->w[i] = sorted[i].w / sum;
        q->mean += q->w[i] * q->y[i];
    }
    double rest = 0.0; /* what rounding left in the mean */
    for (size_t i = 0; i < q->n; ++i) rest += q->w[i] * (q->y[i] - q->mean);
    q->mean += rest;
    for (size_t i = 0; i < q->n; ++i) square += q->w[i] * (q->y[i] - q->mean) * (q->y[i] - q->mean);
    q->middle = 0.5 * q->t[0] + 0.5 * q->t[q->n - 1];
    q->half = 0.5 * q->t[q->n - 1] - 0.5 * q->t[0];
    q->spread = sqrt(square);
    if (q->spread <= 8.0 * DBL_EPSILON * fabs(q->mean)) q->spread = 0.0; /* y is constant */
    return KAN_OK;
}

/* ---- one function: from (a, b) in u to the canonical form in t ------------------------------- */

double kan_curve_eval(const kan_curve *curve, double t) {
    return curve->c * curve->f->f(curve->a * t + curve->b) + curve->d;
}

/* Sets rmse, r2 of the curve as it stands. */
static void score(const fit *q, kan_curve *curve) {
    double sse = 0.0;
    for (size_t i = 0; i < q->n; ++i) {
        const double r = q->y[i] - kan_curve_eval(curve, q->t[i]);
        sse += q->w[i] * r * r;
    }
    curve->rmse = isfinite(sse) ? sqrt(sse) : INFINITY;
    const double relative = q->spread > 0.0 ? curve->rmse / q->spread : 0.0;
    curve->unexplained = relative * relative;
    curve->r2 = 1.0 - curve->unexplained;
}

/* The best c and d for its a and b; F [n]. */
static void solve(const fit *q, kan_curve *curve, double *F) {
    const double scale = q->spread;
    curve_samples s = q->all;
    for (size_t i = 0; i < q->n; ++i) F[i] = curve->f->f(curve->a * q->t[i] + curve->b);
    curve->rmse = INFINITY;
    if (!isfinite(kan_curve_project(&s, F, &curve->c, &curve->d))) return;
    curve->c *= scale, curve->d = scale * curve->d + q->mean;
    score(q, curve);
}

static bool is_no_worse(const fit *q, const kan_curve *trial, const kan_curve *curve) {
    return trial->rmse <=
               fmax(curve->rmse * (1.0 + 1e-9), fmin(2.0 * curve->rmse, 1e-14 * q->spread)) ||
           trial->rmse <= 4.0 * DBL_EPSILON * q->spread;
}

/* b = 0, a = 1, the edge of the domain at an end of the data; c = 1, d = 0: where rounding alone differs. */
static void round_constants(const fit *q, kan_curve *curve, double *F) {
    const double size = fabs(curve->a) * (fabs(q->middle) + q->half) + fabs(curve->b);
    const double edge = isfinite(curve->f->lo) ? curve->f->lo : 0.0;
    const double b[3] = {0.0, edge - curve->a * q->t[0], edge - curve->a * q->t[q->n - 1]};
    for (size_t k = 0; k < 3; ++k) {
        kan_curve trial = *curve;
        if (fabs(trial.b - b[k]) > 1e-6 * size || trial.b == b[k]) continue;
        trial.b = b[k];
        solve(q, &trial, F);
        if (is_no_worse(q, &trial, curve)) *curve = trial;
    }
    kan_curve trial = *curve;
    trial.a = round(trial.a);
    if (trial.a != curve->a && fabs(trial.a - curve->a) < 1e-9) {
        solve(q, &trial, F);
        if (is_no_worse(q, &trial, curve)) *curve = trial;
    }
    trial = *curve;
    if (fabs(trial.d) < 1e-12 * (q->spread + fabs(q->mean))) trial.d = 0.0;
    if (fabs(trial.c - round(trial.c)) < 1e-12 * fabs(trial.c)) trial.c = round(trial.c);
    score(q, &trial);
    if (is_no_worse(q, &trial, curve)) *curve = trial;
}

/* Rounding may have moved the first or last argument out of the domain: back, by a few ulps. */
static void enter_domain(const fit *q, kan_curve *curve) {
    const double size = fabs(curve->a) * (fabs(q->middle) + q->half) + fabs(curve->b);
    const double inward = isfinite(curve->f->lo) ? 1.0 : -1.0, b = curve->b;
    for (double ulps = 0.0; ulps < 64.0; ulps = 2.0 * ulps + 1.0) {
        curve->b = b + inward * ulps * DBL_EPSILON * size;
        if (isfinite(curve->f->f(curve->a * q->t[0] + curve->b)) &&
            isfinite(curve->f->f(curve->a * q->t[q->n - 1] + curve->b)))
            return;
    }
}

static bool is_finite_beyond(const fit *q, const kan_curve *curve) {
    enum { N = 512 };
    const kan_function *f = curve->f;
    double before = 0.0, slope_before = 0.0, x_before = 0.0;
    for (size_t i = 0; i <= N; ++i) {
        const double t = q->middle + 1.2 * q->half * (2.0 * (double)i / N - 1.0);
        const double x = curve->a * t + curve->b, y = f->f(x), slope = f->pole ? f->d1(x) : 0.0;
        if (!isfinite(y)) return false;
        if (i > 0 && f->pole) {
            if ((y - before) * slope < 0.0 && (y - before) * slope_before < 0.0)
                return false; /* an odd pole */
            if (x * x_before <= 0.0 && !isfinite(f->f(0.0))) return false;
        }
        before = y, slope_before = slope, x_before = x;
    }
    return true;
}

static kan_curve finish(const fit *q, const curve_family *family, const curve_point *point, double *F) {
    kan_curve curve = {.f = family->f, .a = point->a / q->half};
    curve.b = point->b - curve.a * q->middle;
    if (!family->vary_a && !family->vary_b)
        curve.a = 1.0, curve.b = 0.0;
    else if (!family->vary_a)
        curve.a = point->a, curve.b = point->b * q->half - point->a * q->middle;
    else if (!family->vary_b)
        curve.b = 0.0;
    if (curve.a < 0.0 && !family->both_signs) curve.a = -curve.a, curve.b = -curve.b;
    bool flipped; /* c follows: it is solved for below */
    curve.b = kan_curve_reduce_phase(family->f, curve.b, &flipped);
    if (isfinite(family->f->lo) || isfinite(family->f->hi)) enter_domain(q, &curve);
    solve(q, &curve, F);
    if (!isfinite(curve.rmse)) return curve;
    round_constants(q, &curve, F);
    curve.beyond = is_finite_beyond(q, &curve);
    curve.complexity = family->f->cost + 0.25 * ((fabs(curve.a) != 1.0) + (curve.b != 0.0) +
                                                 (fabs(curve.c) != 1.0) + (curve.d != 0.0));
    return curve;
}

/* ---- one function ---------------------------------------------------------------------------- */

/* A step has no slope to follow: its place is looked for between all samples near the one found. */
static void move_jump(const curve_samples *s, const curve_family *family, double reach,
                      curve_point *point, double *F) {
    const double b = point->b;
    for (size_t i = 0; i + 1 < s->n; ++i) {
        const double here = -point->a * 0.5 * (s->u[i] + s->u[i + 1]);
        if (fabs(here - b) > reach) continue;
        for (size_t k = 0; k < s->n; ++k) F[k] = family->f->f(point->a * s->u[k] + here);
        const double sse = kan_curve_project(s, F, NULL, NULL);
        if (sse < point->sse) *point = (curve_point){point->a, here, sse};
    }
}

static kan_curve fit_function(const fit *q, const kan_function *f, double *scratch) {
    const curve_family family = kan_curve_family(f);
    kan_curve best = {.f = f, .rmse = INFINITY};
    if (family.constant) {
        best.d = q->mean, best.beyond = true;
        best.complexity = f->cost + 0.25 * (best.d != 0.0);
        score(q, &best);
        return best;
    }
    if (!(q->half > 0.0) || !(q->spread > 0.0)) return best;
    curve_point starts[N_STARTS];
    const curve_samples *few = family.sine ? &q->dense : &q->thin;
    const size_t n = kan_curve_search(few, &family, q->n_sines, q->sines, N_STARTS, starts, scratch);
    for (size_t k = 0; k < n; ++k) kan_curve_polish(few, &family, STEPS, &starts[k], scratch);
    for (size_t k = 1; k < n; ++k) /* the best first */
        for (size_t l = k; l > 0 && starts[l].sse < starts[l - 1].sse; --l) {
            const curve_point swap = starts[l];
            starts[l] = starts[l - 1], starts[l - 1] = swap;
        }
    for (size_t k = 0; k < n && k < 2; ++k) {
        if (k > 0 && starts[0].sse < 1e-20) break;
        kan_curve_polish(&q->all, &family, STEPS, &starts[k], scratch);
        if (f->scales && f->d1(0.5) == 0.0)
            move_jump(&q->all, &family, 4.0 / (double)q->thin.n, &starts[k], scratch);
        const kan_curve curve = finish(q, &family, &starts[k], scratch);
        const double handicap = curve.beyond == best.beyond ? 1.0
                                : curve.beyond              ? 1.0 / q->options.tie
                                                            : q->options.tie;
        if (curve.rmse * handicap < best.rmse) best = curve;
    }
    return best;
}

static void fit_some(void *context, size_t begin, size_t end) {
    fit *q = context;
    const size_t search = kan_curve_search_scratch(q->dense.n > q->thin.n ? q->dense.n : q->thin.n);
    double *scratch = kan_work_alloc(search > 3 * q->n ? search : 3 * q->n);
    for (size_t i = begin; i < end; ++i) {
        q->failed[i] = !scratch;
        if (scratch) q->curves[i] = fit_function(q, q->options.functions[i], scratch);
    }
    kan_work_free(scratch);
}

/* ---- all of them ----------------------------------------------------------------------------- */

static bool is_before(const kan_curve *a, const kan_curve *b) {
    if (a->beyond != b->beyond) return a->beyond;
    if (a->complexity != b->complexity) return a->complexity < b->complexity;
    if (a->f->period > 0.0 && b->f->period > 0.0) return fabs(a->b) < fabs(b->b); /* sin and cos */
    return a->rmse < b->rmse;
}

static void swap_curves(kan_curve *a, kan_curve *b) {
    const kan_curve swap = *a;
    *a = *b, *b = swap;
}

/* By rmse; then each run of ties with its best by is_before. Order of the table where all is equal. */
static void sort_curves(size_t n, kan_curve *curves, double tie, double floor) {
    for (size_t k = 1; k < n; ++k)
        for (size_t l = k; l > 0 && curves[l].rmse < curves[l - 1].rmse; --l)
            swap_curves(&curves[l], &curves[l - 1]);
    for (size_t begin = 0, end; begin < n; begin = end) {
        const double most = fmax(curves[begin].rmse * tie, floor);
        for (end = begin + 1; end < n && curves[end].rmse <= most; ++end)
            for (size_t l = end; l > begin && is_before(&curves[l], &curves[l - 1]); --l)
                swap_curves(&curves[l], &curves[l - 1]);
    }
}

size_t kan_curve_pareto(size_t n, kan_curve *curves) {
    size_t n_front = 0;
    for (size_t i = 0; i < n; ++i) {
        bool beaten = false;
        for (size_t j = 0; j < n && !beaten; ++j) {
            const kan_curve *a = &curves[j], *b = &curves[i];
            beaten = a->complexity <= b->complexity && a->rmse <= b->rmse &&
                     (a->complexity < b->complexity || a->rmse < b->rmse || j < i);
        }
        curves[i].pareto = !beaten;
        n_front += !beaten;
    }
    return n_front;
}

/* Runs the fits of q, whose options name the functions; scratch has room for them all. */
static kan_status fit_all(fit *q, const double *t, const double *y, const double *weight,
                          kan_error *error) {
    const size_t n = q->n, thin = n < q->options.n_search ? n : q->options.n_search;
    const size_t dense = n < MOST_DENSE ? n : MOST_DENSE, n_functions = q->options.n_functions;
    double *block = kan_work_alloc(3 * n + 3 * n + 3 * thin + 7 * dense + 3 * n + 3 * MOST_SINES);
    kan_status status = KAN_OK;
    if (!block) return kan_status_fail(error, KAN_ENOMEM, "no memory for a curve of %zu samples", n);
    double *next = block + 3 * n;
    q->t = block, q->y = block + n, q->w = block + 2 * n;
    status = take_samples(q, t, y, weight, (sample *)(void *)(block + 6 * n + 3 * thin + 7 * dense),
                          error);
    if (status == KAN_OK && q->spread > 0.0 && q->half > 0.0) {
        q->all = choose(q, n, next), next += 3 * n;
        q->thin = choose(q, thin, next), next += 3 * thin;
        q->dense = choose(q, dense, next), next += 3 * dense;
        q->sines = (curve_point *)(void *)(block + 9 * n + 3 * thin + 7 * dense);
        for (size_t i = 0; i < n_functions && q->n_sines == 0; ++i)
            if (kan_curve_family(q->options.functions[i]).sine)
                q->n_sines = kan_curve_scan_sines(&q->dense, MOST_SINES, q->sines, next);
    }
    if (status == KAN_OK) kan_parallel_for(n_functions, 1, 1e6 * (double)n_functions, fit_some, q);
    for (size_t i = 0; i < n_functions && status == KAN_OK; ++i)
        if (q->failed[i]) status = kan_status_fail(error, KAN_ENOMEM, "no memory to fit a curve");
    kan_work_free(block);
    return status;
}

size_t kan_curve_fit(size_t n, const double *t, const double *y, const double *weight,
                     const kan_curve_options *options, size_t max, kan_curve *best, kan_error *error) {
    assert(n > 0 && t && y && (max == 0 || best));
    fit q = {.n = n};
    if (options) q.options = *options;
    if (!(q.options.n_search > 0)) q.options.n_search = 200;
    if (!(q.options.tie > 0.0)) q.options.tie = 1.1;
    if (!(q.options.rounding > 0.0)) q.options.rounding = 1e-13;
    size_t n_table, n_made = 0;
    const kan_function *table = kan_function_table(&n_table);
    if (!q.options.functions) q.options.n_functions = n_table;
    const size_t n_functions = q.options.n_functions;
    const kan_function **functions = malloc((n_functions + 1) * sizeof *functions);
    q.curves = malloc((n_functions + 1) * sizeof *q.curves);
    q.failed = calloc(n_functions + 1, sizeof *q.failed);
    if (!functions || !q.curves || !q.failed) {
        kan_status_fail(error, KAN_ENOMEM, "no memory to fit a curve");
        n_made = 0;
    } else {
        for (size_t i = 0; i < n_functions; ++i)
            functions[i] = q.options.functions ? q.options.functions[i] : &table[i];
        q.options.functions = functions;
        if (fit_all(&q, t, y, weight, error) == KAN_OK) {
            for (size_t i = 0; i < n_functions; ++i)
                if (isfinite(q.curves[i].rmse)) q.curves[n_made++] = q.curves[i];
            sort_curves(n_made, q.curves, q.options.tie, q.options.rounding * q.spread);
            if (n_made > max) n_made = max;
            if (n_made > 0) memcpy(best, q.curves, n_made * sizeof *best);
        }
    }
    free(functions);
    free(q.curves);
    free(q.failed);
    return n_made;
}
