/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/lbfgs.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "core/work.h"
#include "train/vector_kernel.h"

/* What the struct itself takes at the head of the block, in doubles: whole cache lines. */
enum { HEAD = (sizeof(kan_lbfgs) + 63) / 64 * 8 };

/* ---- vectors ------------------------------------------------------------------------------------ */

KAN_KERNEL_DECLARE(double, vector_kernel, vector_kernel);

static const vector_kernel *vectors(void) {
    return KAN_KERNEL_GET(double, vector_kernel);
}

static double dot(size_t n, const double *a, const double *b) {
    return vectors()->dot(n, a, b);
}

static double max_norm(size_t n, const double *x) {
    return vectors()->max_norm(n, x);
}

static bool all_finite(size_t n, const double *x) {
    for (size_t i = 0; i < n; ++i)
        if (!isfinite(x[i])) return false;
    return true;
}

static void swap(double **a, double **b) {
    double *kept = *a;
    *a = *b;
    *b = kept;
}

/* ---- line search -------------------------------------------------------------------------------- */

/* f and its slope g.p at x + a p. */
typedef struct point {
    double a, f, slope;
} point;

/* A minimum lies between low and high: low is the lowest point of sufficient decrease so far (start,
 * until there is one) and its slope points to high, which may be on either side. high.a is infinite
 * until the bracket is closed; high.f is infinite where the function was not finite. The gradient at
 * low is g_low. */
typedef struct search {
    kan_lbfgs *lbfgs;
    kan_lbfgs_function *f;
    void *context;
    const double *x;
    point start, low, high;
} search;

static point evaluate(const search *s, double a) {
    kan_lbfgs *l = s->lbfgs;
    vectors()->move(l->n, s->x, a, l->p, l->x_trial);
    ++l->evaluations;
    const double f = s->f(s->context, l->x_trial, l->g_trial);
    const double slope = dot(l->n, l->g_trial, l->p); /* not finite if an entry of g is not */
    return isfinite(f) && isfinite(slope) ? (point){a, f, slope} : (point){a, INFINITY, NAN};
}

/* The minimiser of the cubic through values and slopes at two points (Nocedal and Wright 3.59); NaN
 * where it has none. Values within a few roundings of each other say nothing about the rise between
 * them, which is then the mean of the slopes: the cubic becomes the parabola through the slopes. */
static double cubic_minimum(const point *u, const point *v) {
    const bool resolved = fabs(v->f - u->f) > 8.0 * DBL_EPSILON * fabs(u->f);
    const double rise = resolved ? (v->f - u->f) / (v->a - u->a) : 0.5 * (u->slope + v->slope);
    const double d1 = u->slope + v->slope - 3.0 * rise;
    const double d2 = copysign(sqrt(d1 * d1 - u->slope * v->slope), v->a - u->a);
    return v->a - (v->a - u->a) * (v->slope + d2 - d1) / (v->slope - u->slope + 2.0 * d2);
}

/* The next trial beyond low, with `last` the low point before it: where the cubic goes, within the
 * limits of More and Thuente (ACM TOMS 20, 1994). */
static double next_beyond(const point *last, const point *low) {
    const double step = low->a - last->a, least = low->a + 1.1 * step, most = low->a + 4.0 * step;
    const double a = cubic_minimum(last, low);
    if (!(a > low->a)) return most;
    return fmin(fmax(a, least), most);
}

/* The next trial inside the bracket, at least a tenth of it away from both ends; its middle where the
 * cubic says nothing. A wall where the function is not finite may be far too far when nothing else is
 * known yet. */
static double next_inside(const search *s) {
    const point *low = &s->low, *high = &s->high;
    const double width = high->a - low->a;
    if (isinf(high->f) && low->a == 0.0) return 0.1 * width;
    const double t = (cubic_minimum(low, high) - low->a) / width;
    if (!isfinite(t)) return low->a + 0.5 * width;
    return low->a + fmin(fmax(t, 0.1), 0.9) * width;
}

/* Where rounding hides any decrease, a point as low with a smaller gradient is the better one. */
static bool is_tie(const search *s, const point *trial) {
    const kan_lbfgs *l = s->lbfgs;
    return s->low.a == 0.0 && trial->f == s->start.f &&
           max_norm(l->n, l->g_trial) < max_norm(l->n, l->g);
}

/* Makes the bracket smaller, or moves low outwards while it is open. True when the trial point ends the
 * search; it is then low. */
static bool take(search *s, const point *trial) {
    kan_lbfgs *l = s->lbfgs;
    const kan_lbfgs_options *o = &l->options;
    const bool flat = fabs(trial->slope) <= o->c2 * fabs(s->start.slope);
    const bool lower = trial->f <= s->start.f + o->c1 * trial->a * s->start.slope &&
                       trial->f < s->low.f;
    const bool done = flat && (lower || is_tie(s, trial));
    if (!lower && !done) {
        s->high = *trial;
        return false;
    }
    if (trial->slope * (s->high.a - s->low.a) >= 0.0) s->high = s->low;
    s->low = *trial;
    swap(&l->g_low, &l->g_trial);
    return done;
}

/* Whether the bracket is so narrow that f cannot resolve what is left to gain in it. */
static bool is_exhausted(const search *s) {
    const double gain = fabs((s->high.a - s->low.a) * s->low.slope);
    return gain <= 0.5 * DBL_EPSILON * fabs(s->low.f);
}

/* Searches along p from x, where the function is f with gradient g. True when low is a better point. */
static bool line_search(search *s) {
    kan_lbfgs *l = s->lbfgs;
    const double slope = dot(l->n, l->g, l->p);
    if (!(slope < 0.0) || !isfinite(slope)) return false;
    s->start = s->low = (point){0.0, l->f, slope};
    s->high = (point){INFINITY, INFINITY, NAN};

    double a = 1.0;
    for (size_t left = l->options.max_evaluations; left > 0; --left) {
        const point last = s->low, trial = evaluate(s, a);
        if (take(s, &trial)) return true;
        if (isinf(s->high.a)) {
            a = next_beyond(&last, &s->low);
        } else {
            if (is_exhausted(s)) break;
            a = next_inside(s);
        }
    }
    return s->low.a > 0.0;
}

/* ---- directions --------------------------------------------------------------------------------- */

/* p = -g / |g|; g is divided by its largest entry first, so that the norm neither over- nor
 * underflows. */
static void steepest_descent(kan_lbfgs *l) {
    const double largest = max_norm(l->n, l->g);
    for (size_t i = 0; i < l->n; ++i) l->p[i] = -l->g[i] / largest;
    vectors()->scale(l->n, 1.0 / sqrt(dot(l->n, l->p, l->p)), l->p, l->p);
}

/* Where the j-th youngest pair is stored. */
static size_t slot(const kan_lbfgs *l, size_t j) {
    const size_t history = l->options.history;
    return (l->next + history - 1 - j) % history;
}

/* p = -H g by the two loops over the pairs, from the youngest to the oldest and back:
 *
 *     p = -g        alpha = rho s.p,   p -= alpha y
 *     p *= gamma    beta  = rho y.p,   p += (alpha - beta) s        gamma = s.y / y.y of the youngest
 *
 * Each addition to p is one pass together with the next product that p is in. */
static void quasi_newton(kan_lbfgs *l) {
    const vector_kernel *k = vectors();
    const size_t n = l->n, youngest = slot(l, 0), oldest = slot(l, l->pairs - 1);
    const double *y = l->y + youngest * n;
    const double gamma = 1.0 / (l->rho[youngest] * dot(n, y, y));
    k->scale(n, -1.0, l->g, l->p);
    double product = dot(n, l->s + youngest * n, l->p);
    for (size_t j = 0; j < l->pairs; ++j) {
        const size_t at = slot(l, j), older = slot(l, j + 1);
        l->alpha[at] = l->rho[at] * product;
        if (at != oldest)
            product = k->add_then_dot(n, -l->alpha[at], l->y + at * n, l->p, l->s + older * n);
        else
            k->add(n, -l->alpha[at], l->y + at * n, l->p);
    }
    k->scale(n, gamma, l->p, l->p);
    product = dot(n, l->y + oldest * n, l->p);
    for (size_t j = l->pairs; j-- > 0;) {
        const size_t at = slot(l, j);
        const double c = l->alpha[at] - l->rho[at] * product;
        if (at != youngest)
            product = k->add_then_dot(n, c, l->s + at * n, l->p, l->y + slot(l, j - 1) * n);
        else
            k->add(n, c, l->s + at * n, l->p);
    }
}

/* Keeps the pair (s, y) in the place of the oldest, if its curvature is positive beyond rounding. */
static void remember(kan_lbfgs *l, const double *s, const double *y) {
    const size_t n = l->n, k = l->next, history = l->options.history;
    const double sy = dot(n, s, y);
    if (!(sy > DBL_EPSILON * sqrt(dot(n, s, s)) * sqrt(dot(n, y, y)))) return;
    memcpy(l->s + k * n, s, n * sizeof *s);
    memcpy(l->y + k * n, y, n * sizeof *y);
    l->rho[k] = 1.0 / sy;
    l->next = (k + 1) % history;
    if (l->pairs < history) ++l->pairs;
}

/* Goes to low, which is the same bits as when the function was there; what p and g_trial held is not
 * needed any more, so they take s and y. */
static void move(const search *found, double *x) {
    kan_lbfgs *l = found->lbfgs;
    const vector_kernel *k = vectors();
    k->move(l->n, x, found->low.a, l->p, l->x_trial);
    k->move(l->n, l->x_trial, -1.0, x, l->p);
    k->move(l->n, l->g_low, -1.0, l->g, l->g_trial);
    memcpy(x, l->x_trial, l->n * sizeof *x);
    remember(l, l->p, l->g_trial);
    swap(&l->g, &l->g_low);
    l->f = found->low.f;
}

/* ---- public ------------------------------------------------------------------------------------- */

static kan_lbfgs_options with_defaults(const kan_lbfgs_options *options) {
    kan_lbfgs_options o = options ? *options : (kan_lbfgs_options){0};
    if (o.history == 0) o.history = 10;
    if (o.max_evaluations == 0) o.max_evaluations = 25;
    if (o.c1 == 0.0) o.c1 = 1e-4;
    if (o.c2 == 0.0) o.c2 = 0.9;
    assert(0.0 < o.c1 && o.c1 < o.c2 && o.c2 < 1.0 && "the Wolfe constants");
    assert(o.tolerance >= 0.0 && "a tolerance");
    return o;
}

kan_lbfgs *kan_lbfgs_alloc(size_t n, const kan_lbfgs_options *options) {
    const kan_lbfgs_options o = with_defaults(options);
    const size_t history = o.history;
    if (history > SIZE_MAX / 64 || n > SIZE_MAX / 64) return NULL;
    /* 2 history + 5 arrays of n, and two of history */
    const size_t arrays = kan_work_product(2 * history + 5, n + 1);
    if (arrays > SIZE_MAX / 64) return NULL;
    double *block = kan_work_alloc(HEAD + arrays);
    if (!block) return NULL;
    kan_lbfgs *l = (void *)block;
    l->options = o;
    l->n = n;
    l->g = block + HEAD;
    l->p = l->g + n;
    l->x_trial = l->p + n;
    l->g_trial = l->x_trial + n;
    l->g_low = l->g_trial + n;
    l->s = l->g_low + n;
    l->y = l->s + history * n;
    l->rho = l->y + history * n;
    l->alpha = l->rho + history;
    return l;
}

void kan_lbfgs_free(kan_lbfgs *lbfgs) {
    void *block = lbfgs;
    kan_work_free(block);
}

static void forget_pairs(kan_lbfgs *l) {
    l->pairs = l->next = 0;
}

void kan_lbfgs_reset(kan_lbfgs *lbfgs) {
    forget_pairs(lbfgs);
    lbfgs->started = 0;
}

void kan_lbfgs_snapshot(kan_lbfgs *lbfgs, kan_snapshot *s) {
    kan_lbfgs *l = lbfgs;
    const size_t history = l->options.history;
    bool started = l->started != 0;
    kan_snapshot_flag(s, "started", &started);
    l->started = started;
    kan_snapshot_size(s, "pairs", &l->pairs, history);
    kan_snapshot_size(s, "next", &l->next, history - 1);
    kan_snapshot_size(s, "evaluations", &l->evaluations, SIZE_MAX);
    kan_snapshot_real(s, "f", &l->f);
    kan_snapshot_reals(s, "g", l->n, l->g);
    kan_snapshot_reals(s, "s", history * l->n, l->s);
    kan_snapshot_reals(s, "y", history * l->n, l->y);
    kan_snapshot_reals(s, "rho", history, l->rho);
}

static bool start(kan_lbfgs *l, kan_lbfgs_function *f, void *context, const double *x) {
    ++l->evaluations;
    l->f = f(context, x, l->g);
    l->started = isfinite(l->f) && all_finite(l->n, l->g);
    return l->started;
}

kan_lbfgs_outcome kan_lbfgs_step(kan_lbfgs *lbfgs, kan_lbfgs_function *f, void *context, double *x) {
    kan_lbfgs *l = lbfgs;
    assert(l && f && (x || l->n == 0) && "a state, a function and a point");
    if (!l->started && !start(l, f, context, x)) return KAN_LBFGS_NONFINITE;
    if (max_norm(l->n, l->g) <= l->options.tolerance * fmax(1.0, fabs(l->f)))
        return KAN_LBFGS_CONVERGED;

    search s = {.lbfgs = l, .f = f, .context = context, .x = x};
    bool better = false;
    if (l->pairs > 0) {
        quasi_newton(l);
        better = line_search(&s);
    }
    if (!better) {
        forget_pairs(l);
        steepest_descent(l);
        if (!line_search(&s)) return KAN_LBFGS_STALLED;
    }
    move(&s, x);
    return KAN_LBFGS_MOVED;
}
