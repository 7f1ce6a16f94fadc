/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "symbolic/composite.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "core/parallel.h"
#include "core/random.h"
#include "core/work.h"
#include "symbolic/curve_private.h"
#include "symbolic/refit.h"

#define TIE 1.5 /* in rmse */

enum {
    AT_ONCE = 4,
    THIN = 80,
    MAX_INNER = 512,
    N_KEPT = 4,
    N_NUMBERS = 6,
    POLISH_STEPS = 12,
    MAX_SINES = 256
};

typedef struct job {
    size_t n, n_thin, n_outer, n_inner;
    size_t first; /* pair of this part */
    const double *t, *y, *weight;
    double middle, half;
    double thin_t[THIN], thin_y[THIN], thin_w[THIN];
    const kan_function *const *outer, *const *inner;
    kan_composite *made; /* [n_outer][n_inner] */
    kan_status *status;
} job;

double kan_composite_eval(const kan_composite *k, double t) {
    return k->c * k->g->f(k->p * k->f->f(k->a * t + k->b) + k->q) + k->d;
}

/* ---- places for (a, b) ----------------------------------------------------------------------- */

typedef struct place {
    double a, b;
} place;

static void add(place *places, size_t *n, double a, double b) {
    if (*n < MAX_INNER) places[(*n)++] = (place){a, b};
}

/* Zeros of the argument: t = 0, inside the data, at their ends and outside. */
static size_t place_zeros(const job *q, double a, place *places, size_t n) {
    static const double outside[] = {1.02, 1.1, 1.3, 1.7, 2.5, 5.0, 20.0};
    add(places, &n, a, 0.0);
    for (int i = -10; i <= 10; ++i) add(places, &n, a, -a * (q->middle + 0.1 * i * q->half));
    for (size_t i = 0; i < sizeof outside / sizeof *outside; ++i)
        for (double side = -1.0; side < 2.0; side += 2.0)
            add(places, &n, a, -a * (q->middle + side * outside[i] * q->half));
    return n;
}

static size_t find_places(const job *q, const curve_family *family, place *places) {
    size_t n = 0;
    if (!family->vary_a) {
        n = place_zeros(q, 1.0, places, n);
        return family->both_signs ? place_zeros(q, -1.0, places, n) : n;
    }
    const double period = family->f->period;
    for (double rate = 0.15; rate < 16.0; rate *= 1.3) {
        const double a = rate / q->half;
        add(places, &n, a, 0.0);
        if (!family->vary_b)
            add(places, &n, -a, 0.0);
        else if (period > 0.0)
            for (size_t i = 0; i < 12; ++i)
                add(places, &n, a, (double)i * period / 12.0 - a * q->middle);
        else
            for (int i = -4; i <= 4; ++i) add(places, &n, a, -a * (q->middle + 0.375 * i * q->half));
    }
    return n;
}

/* ---- the outer function on (f, y) ------------------------------------------------------------ */

typedef struct point {
    double s, y, w;
} point;

static int by_s(const void *a, const void *b) {
    const point *p = a, *q = b;
    if (p->s != q->s) return (p->s > q->s) - (p->s < q->s);
    return (p->y > q->y) - (p->y < q->y);
}

/* The thin samples as a curve over s = f(a t + b); false where f is not finite or constant. */
static bool bend(const job *q, const kan_function *f, place at, double *block, curve_samples *s,
                 double *middle, double *half) {
    point points[THIN];
    const size_t n = q->n_thin;
    double *u = block, *v = u + n, *w = v + n, mean = 0.0, square = 0.0;
    for (size_t i = 0; i < n; ++i) {
        points[i] = (point){f->f(at.a * q->thin_t[i] + at.b), q->thin_y[i], q->thin_w[i]};
        if (!isfinite(points[i].s)) return false;
    }
    qsort(points, n, sizeof *points, by_s);
    *middle = 0.5 * points[0].s + 0.5 * points[n - 1].s,
    *half = 0.5 * points[n - 1].s - 0.5 * points[0].s;
    if (!(*half > 1e-12 * fabs(*middle)) || !isfinite(*half)) return false;
    for (size_t i = 0; i < n; ++i) {
        u[i] = (points[i].s - *middle) / *half, v[i] = points[i].y, w[i] = points[i].w;
        mean += w[i] * v[i];
    }
    for (size_t i = 0; i < n; ++i) v[i] -= mean, square += w[i] * v[i] * v[i];
    for (size_t i = 0; i < n && square > 0.0; ++i) v[i] /= sqrt(square);
    *s = (curve_samples){n, u, v, w, *middle / *half};
    return true;
}

/* The best g for one place of f: sse, and (p, q). */
static double fit_outer(const job *q, const curve_family *g, const kan_function *f, place at,
                        double *scratch, double *p, double *shift) {
    curve_samples s;
    curve_point best, sines[MAX_SINES];
    double middle, half;
    if (!bend(q, f, at, scratch, &s, &middle, &half)) return INFINITY;
    scratch += 3 * THIN;
    const size_t n_sines = g->sine ? kan_curve_scan_sines(&s, MAX_SINES, sines, scratch) : 0;
    if (kan_curve_search(&s, g, n_sines, sines, 1, &best, scratch) == 0) return INFINITY;
    kan_curve_polish(&s, g, POLISH_STEPS, &best, scratch);
    if (g->vary_a)
        *p = best.a / half, *shift = g->vary_b ? best.b - *p * middle : 0.0;
    else
        *p = best.a, *shift = best.b * half - best.a * middle;
    return best.sse;
}

/* ---- the pair, refitted ---------------------------------------------------------------------- */

/* text with every % replaced by argument, into out. */
static void apply(const char *text, const char *argument, char *out, size_t size) {
    size_t at = 0;
    for (; *text && at + 1 < size; ++text) {
        if (*text != '%')
            out[at++] = *text;
        else
            at += (size_t)snprintf(out + at, size - at, "%s", argument);
        if (at >= size) at = size - 1;
    }
    out[at] = '\0';
}

/* Numbers that no form of a function contains stand for a, b, p, q, c, d. */
static const double marks[N_NUMBERS] = {7001.5, 7002.5, 7003.5, 7004.5, 7005.5, 7006.5};

static kan_expression *template_of(const kan_function *g, const kan_function *f, kan_error *error) {
    char inner[256], argument[320], outer[1024], whole[1100];
    apply(f->text, "(7001.5*t+7002.5)", inner, sizeof inner);
    snprintf(argument, sizeof argument, "(7003.5*%s+7004.5)", inner);
    apply(g->text, argument, outer, sizeof outer);
    snprintf(whole, sizeof whole, "7005.5*%s+7006.5", outer);
    return kan_expression_parse(whole, error);
}

/* Phases of periodic functions about 0. */
static void reduce_phases(kan_composite *k) {
    bool flipped;
    k->b = kan_curve_reduce_phase(k->f, k->b, &flipped);
    if (flipped) k->p = -k->p;
    k->q = kan_curve_reduce_phase(k->g, k->q, &flipped);
    if (flipped) k->c = -k->c;
}

static void count_constants(kan_composite *k) {
    k->complexity = k->g->cost + k->f->cost +
                    0.25 * ((fabs(k->a) != 1.0) + (k->b != 0.0) + (fabs(k->p) != 1.0) + (k->q != 0.0) +
                            (fabs(k->c) != 1.0) + (k->d != 0.0));
}

/* c and d for the rest as it is, from two sums over all samples. */
static void start_outside(const job *q, kan_composite *k) {
    double sw = 0.0, sf = 0.0, sy = 0.0, ff = 0.0, fy = 0.0;
    k->c = 1.0, k->d = 0.0;
    for (size_t i = 0; i < q->n; ++i) {
        const double w = q->weight ? q->weight[i] : 1.0;
        sw += w, sf += w * kan_composite_eval(k, q->t[i]), sy += w * q->y[i];
    }
    for (size_t i = 0; i < q->n; ++i) {
        const double w = q->weight ? q->weight[i] : 1.0, e = kan_composite_eval(k, q->t[i]) - sf / sw;
        ff += w * e * e, fy += w * e * (q->y[i] - sy / sw);
    }
    const double c = ff > 0.0 ? fy / ff : 0.0;
    k->d = sy / sw - c * sf / sw, k->c = c;
}

/* Refits the constants that are not absorbed by others, on all samples; rmse infinite where that fails. With
 * `round`, makes as many of them exact as the data allow. */
static kan_status refit(const job *q, const curve_family *g, const curve_family *f, bool round,
                        kan_composite *k) {
    kan_error error;
    kan_expression *e = template_of(k->g, k->f, &error);
    if (!e) return error.status;
    double *numbers[N_NUMBERS] = {&k->a, &k->b, &k->p, &k->q, &k->c, &k->d};
    const bool held[N_NUMBERS] = {!f->vary_a, !f->vary_b, !g->vary_a, !g->vary_b, false, false};
    enum { MOST = 64 };
    bool fixed[MOST];
    size_t which[MOST];
    const size_t m = kan_expression_n_numbers(e);
    assert(m <= MOST && "a form has few numbers");
    start_outside(q, k);
    for (size_t i = 0; i < m; ++i) {
        which[i] = N_NUMBERS;
        for (size_t j = 0; j < N_NUMBERS; ++j)
            if (kan_expression_number_at(e, i) == marks[j]) which[i] = j;
        fixed[i] = which[i] == N_NUMBERS || held[which[i]];
        if (which[i] < N_NUMBERS) kan_expression_set_number(e, i, *numbers[which[i]]);
    }
    kan_refit_report report = {0};
    const kan_refit_options options = {.weight = q->weight, .fixed = fixed, .steps = 60};
    const kan_status status = round ? kan_refit_round(e, q->n, q->t, q->y, &options, fixed, &report,
                                                      &error)
                                    : kan_refit_expression(e, q->n, q->t, q->y, &options, NULL, &report,
                                                           &error);
    k->rmse = INFINITY;
    if (status == KAN_OK) {
        for (size_t i = 0; i < m; ++i)
            if (which[i] < N_NUMBERS) *numbers[which[i]] = kan_expression_number_at(e, i);
        k->rmse = report.rmse, k->unexplained = report.unexplained, k->r2 = 1.0 - report.unexplained;
        if (!round) reduce_phases(k);
        count_constants(k);
    }
    kan_expression_free(e);
    return status == KAN_ENONFINITE ? KAN_OK : status;
}

static kan_status fit_pair(const job *q, const kan_function *g, const kan_function *f,
                           kan_composite *best, double *scratch) {
    const curve_family outer = kan_curve_family(g), inner = kan_curve_family(f);
    place places[MAX_INNER];
    kan_composite kept[N_KEPT] = {0};
    size_t n_kept = 0;
    *best = (kan_composite){.g = g, .f = f, .rmse = INFINITY};
    const size_t n = find_places(q, &inner, places);
    for (size_t i = 0; i < n; ++i) {
        kan_composite k = {.g = g, .f = f, .a = places[i].a, .b = places[i].b};
        k.rmse = fit_outer(q, &outer, f, places[i], scratch, &k.p, &k.q);
        if (!isfinite(k.rmse) || (n_kept == N_KEPT && !(k.rmse < kept[N_KEPT - 1].rmse))) continue;
        size_t at = n_kept < N_KEPT ? n_kept++ : N_KEPT - 1;
        for (; at > 0 && k.rmse < kept[at - 1].rmse; --at) kept[at] = kept[at - 1];
        kept[at] = k;
    }
    for (size_t i = 0; i < n_kept; ++i) {
        const kan_status status = refit(q, &outer, &inner, false, &kept[i]);
        if (status != KAN_OK) return status;
        if (kept[i].rmse < best->rmse) *best = kept[i];
    }
    return KAN_OK;
}

static void fit_some(void *context, size_t begin, size_t end) {
    job *q = context;
    double *scratch = kan_work_alloc(3 * THIN + kan_curve_search_scratch(THIN));
    for (size_t i = q->first + begin; i < q->first + end; ++i)
        q->status[i] = !scratch ? KAN_ENOMEM
                                : fit_pair(q, q->outer[i / q->n_inner], q->inner[i % q->n_inner],
                                           &q->made[i], scratch);
    kan_work_free(scratch);
}

/* ---- all pairs ------------------------------------------------------------------------------- */

/* A few of the samples, at random, the ends of t among them; range of t. */
static kan_status take_samples(job *q, kan_error *error) {
    size_t first = 0, last = 0;
    double sum = 0.0;
    for (size_t i = 0; i < q->n; ++i) {
        if (!isfinite(q->t[i]) || !isfinite(q->y[i]))
            return kan_status_fail(error, KAN_ENONFINITE,
                                   "sample %zu of the curve is not finite: (%g, %g)", i, q->t[i],
                                   q->y[i]);
        if (q->t[i] < q->t[first]) first = i;
        if (q->t[i] > q->t[last]) last = i;
    }
    q->middle = 0.5 * q->t[first] + 0.5 * q->t[last], q->half = 0.5 * q->t[last] - 0.5 * q->t[first];
    q->n_thin = q->n < THIN ? q->n : THIN;
    kan_random random = kan_random_seed(0, 1);
    for (size_t j = 0; j < q->n_thin; ++j) {
        size_t i = j;
        if (q->n > THIN) i = j == 0 ? first : j == 1 ? last : kan_random_below(&random, q->n);
        q->thin_t[j] = q->t[i], q->thin_y[j] = q->y[i], q->thin_w[j] = q->weight ? q->weight[i] : 1.0;
        sum += q->thin_w[j];
    }
    for (size_t j = 0; j < q->n_thin; ++j)
        q->thin_w[j] = sum > 0.0 ? q->thin_w[j] / sum : 1.0 / (double)q->n_thin;
    return KAN_OK;
}

/* Makes the constants exact, where the data allow it, of the pairs that are as good as the best: what they cost
 * decides between them. */
static kan_status round_best(const job *q, size_t n, kan_composite *made) {
    double least = INFINITY;
    kan_status status = KAN_OK;
    for (size_t i = 0; i < n; ++i) least = fmin(least, made[i].rmse);
    for (size_t i = 0; i < n && status == KAN_OK; ++i) {
        const curve_family outer = kan_curve_family(made[i].g), inner = kan_curve_family(made[i].f);
        kan_composite rounded = made[i];
        if (!(made[i].rmse <= TIE * least)) continue;
        status = refit(q, &outer, &inner, true, &rounded);
        if (status == KAN_OK && isfinite(rounded.rmse)) made[i] = rounded;
    }
    return status;
}

/* All pairs, a few at once where a meter may end that. */
static void fit_pairs(job *q, size_t n_pairs, kan_meter *meter) {
    const double pair_work = 1e7 * (1.0 + (double)q->n / 400.0);
    const size_t part = meter ? AT_ONCE : n_pairs;
    for (q->first = 0; q->first < n_pairs && !kan_meter_is_over(meter); q->first += part) {
        const size_t n = n_pairs - q->first < part ? n_pairs - q->first : part;
        kan_parallel_for(n, 1, 1e7 * (double)n, fit_some, q);
        kan_meter_add(meter, pair_work * (double)n);
    }
}

static size_t choose(const char *const *names, size_t n, const kan_function **rows) {
    for (size_t i = 0; i < n; ++i) rows[i] = kan_function_find(names[i]);
    return n;
}

/* Sorts made [n] by rmse, ties by complexity, and copies the best. */
static size_t sort(size_t n, kan_composite *made, size_t max, kan_composite *best) {
    size_t n_made = 0;
    for (size_t i = 0; i < n; ++i) {
        const kan_composite k = made[i];
        if (!isfinite(k.rmse)) continue;
        size_t at = n_made++;
        for (; at > 0 && k.rmse < made[at - 1].rmse; --at) made[at] = made[at - 1];
        made[at] = k;
    }
    for (size_t begin = 0, end; begin < n_made; begin = end) {
        for (end = begin + 1; end < n_made && made[end].rmse <= TIE * made[begin].rmse; ++end) {
            const kan_composite k = made[end];
            size_t at = end;
            for (; at > begin && k.complexity < made[at - 1].complexity; --at) made[at] = made[at - 1];
            made[at] = k;
        }
    }
    if (n_made > max) n_made = max;
    if (n_made > 0) memcpy(best, made, n_made * sizeof *best);
    return n_made;
}

size_t kan_composite_fit(size_t n, const double *t, const double *y, const double *weight,
                         const kan_composite_options *options, size_t max, kan_composite *best,
                         kan_error *error) {
    static const char *const outer_names[] = {"exp", "log",   "sqrt", "1/sqrt",
                                              "1/x", "1/x^2", "x^2",  "sin"};
    static const char *const inner_names[] = {"x^2", "exp", "log", "sqrt", "sin", "cosh"};
    const kan_function *outer[8], *inner[6];
    assert(n > 0 && t && y && (max == 0 || best));
    job q = {.n = n, .t = t, .y = y, .weight = weight, .outer = outer, .inner = inner};
    q.n_outer = choose(outer_names, 8, outer), q.n_inner = choose(inner_names, 6, inner);
    if (options && options->outer) q.outer = options->outer, q.n_outer = options->n_outer;
    if (options && options->inner) q.inner = options->inner, q.n_inner = options->n_inner;
    const size_t n_pairs = q.n_outer * q.n_inner;
    size_t n_made = 0;
    if (take_samples(&q, error) != KAN_OK || !(q.half > 0.0)) return 0;
    q.made = malloc((n_pairs + 1) * sizeof *q.made);
    q.status = calloc(n_pairs + 1, sizeof *q.status);
    kan_status status = q.made && q.status ? KAN_OK : KAN_ENOMEM;
    kan_meter *meter = options ? options->meter : NULL;
    if (status == KAN_OK) fit_pairs(&q, n_pairs, meter);
    const bool all = q.first >= n_pairs;
    for (size_t i = 0; i < n_pairs && status == KAN_OK; ++i) status = q.status[i];
    if (status == KAN_OK && all) status = round_best(&q, n_pairs, q.made);
    if (status == KAN_OK)
        n_made = all ? sort(n_pairs, q.made, max, best) : 0;
    else
        kan_status_fail(error, status, "cannot fit pairs of functions: %s", kan_status_string(status));
    free(q.made);
    free(q.status);
    return n_made;
}
