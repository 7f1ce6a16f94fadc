/* symbolic/curve_search.c - the best places for (a, b) of one function, over the whole plane.
 *
 * Every search is a list of rows, each the best b of one a (or a single point, where c and d absorb a or b);
 * the rows that are better than both their neighbours are where polishing starts.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "symbolic/curve_private.h"

#include <math.h>
#include <string.h>

static const double PI = 3.14159265358979323846;

enum { MAX_ROWS = 8192, TABLE_CELLS_PER_UNIT = 32, TABLE_REACH = 220 };
enum { TABLE_SIZE = 2 * TABLE_REACH * TABLE_CELLS_PER_UNIT + 1 };

/* ---- what kind of function it is ------------------------------------------------------------- */

enum { N_TRIALS = 6 };
static const double TRIALS[N_TRIALS] = {0.31, -0.43, 0.57, -0.71, 0.89, 0.11}; /* both sides of kinks */

/* Whether f at the points y is p times f at the points x plus q. */
static bool is_affine_image(const kan_function *f, const double *x, const double *y) {
    double fx[N_TRIALS], fy[N_TRIALS];
    for (size_t i = 0; i < N_TRIALS; ++i) {
        fx[i] = f->f(x[i]), fy[i] = f->f(y[i]);
        if (!isfinite(fx[i]) || !isfinite(fy[i])) return false;
    }
    if (fx[1] == fx[0]) return false;
    const double p = (fy[1] - fy[0]) / (fx[1] - fx[0]), q = fy[0] - p * fx[0];
    for (size_t i = 2; i < N_TRIALS; ++i)
        if (fabs(fy[i] - p * fx[i] - q) > 1e-12 * (fabs(fy[i]) + fabs(p * fx[i]) + fabs(q)))
            return false;
    return true;
}

static bool is_affine_under(const kan_function *f, double factor, double shift) {
    const bool positive = f->lo >= 0.0; /* and then factor > 0 alone makes sense */
    double x[N_TRIALS], y[N_TRIALS];
    for (size_t i = 0; i < N_TRIALS; ++i) {
        x[i] = positive ? fabs(TRIALS[i]) : TRIALS[i];
        y[i] = factor * x[i] + shift;
    }
    return is_affine_image(f, x, y);
}

static bool is_sine(const kan_function *f) {
    if (f->period <= 0.0 || f->pole) return false;
    for (size_t i = 0; i < N_TRIALS; ++i)
        if (!(fabs(f->d2(TRIALS[i]) + f->f(TRIALS[i])) < 1e-14)) return false;
    return true;
}

static bool is_constant(const kan_function *f) {
    for (size_t i = 0; i < N_TRIALS; ++i)
        if (f->f(TRIALS[i]) != f->f(TRIALS[0])) return false;
    return true;
}

static bool has_many_extrema(const kan_function *f) {
    size_t n = 0;
    double last = 0.0;
    for (double x = 0.5; x < 40.0; x += 0.5) {
        const double slope = f->d1(x);
        n += slope * last < 0.0;
        if (slope != 0.0) last = slope;
    }
    return n >= 6;
}

curve_family kan_curve_family(const kan_function *f) {
    curve_family family = {.f = f, .constant = is_constant(f), .sine = is_sine(f)};
    if (family.constant) return family;
    const bool moves = is_affine_under(f, 1.0, 0.1), scales = f->scales || is_affine_under(f, 1.1, 0.0);
    family.vary_a = !scales;
    family.vary_b = !moves;
    family.both_signs = f->parity == 0 && !is_affine_under(f, -1.0, 0.0);
    family.oscillates = isinf(f->lo) && isinf(f->hi) && f->period <= 0.0 && has_many_extrema(f);
    return family;
}

double kan_curve_reduce_phase(const kan_function *f, double b, bool *flipped) {
    *flipped = false;
    if (!(f->period > 0.0)) return b;
    bool antisymmetric = true; /* f(x + period/2) = -f(x) */
    for (size_t i = 0; i < N_TRIALS; ++i)
        antisymmetric &= fabs(f->f(TRIALS[i] + 0.5 * f->period) + f->f(TRIALS[i])) < 1e-14;
    const double period = antisymmetric ? 0.5 * f->period : f->period, turns = floor(b / period + 0.5);
    *flipped = antisymmetric && fmod(turns, 2.0) != 0.0;
    return b - period * turns;
}

/* ---- a search in progress -------------------------------------------------------------------- */

typedef struct search {
    const curve_samples *s;
    const curve_family *family;
    double *F;     /* [n] */
    double *table; /* [TABLE_SIZE] f at multiples of 1/TABLE_CELLS_PER_UNIT, or NULL */
    curve_point *rows;
    size_t n_rows;
} search;

/* kan_curve_project in one pass, with the rounding of a difference of sums, which a search can bear; four sums at a
 * time, since each addition would wait for the one before. */
static double project_fast(const curve_samples *s, const double *F) {
    enum { LANES = 4 };
    double f[LANES] = {0.0}, ff[LANES] = {0.0}, fv[LANES] = {0.0};
    size_t i = 0;
    for (; i + LANES <= s->n; i += LANES)
        for (size_t k = 0; k < LANES; ++k) {
            const double wf = s->w[i + k] * F[i + k];
            f[k] += wf, ff[k] += wf * F[i + k], fv[k] += wf * s->v[i + k];
        }
    for (; i < s->n; ++i) {
        const double wf = s->w[i] * F[i];
        f[0] += wf, ff[0] += wf * F[i], fv[0] += wf * s->v[i];
    }
    const double mean = (f[0] + f[1]) + (f[2] + f[3]), square = (ff[0] + ff[1]) + (ff[2] + ff[3]);
    const double product = (fv[0] + fv[1]) + (fv[2] + fv[3]), spread = square - mean * mean;
    if (!isfinite(square) || !isfinite(product)) return INFINITY;
    return spread > 1e-13 * square ? 1.0 - product * product / spread : 1.0;
}

static double evaluate(const search *q, double a, double b) {
    const curve_samples *s = q->s;
    const kan_function *f = q->family->f;
    if (!q->table || fabs(a) + fabs(b) > TABLE_REACH - 1) {
        for (size_t i = 0; i < s->n; ++i) q->F[i] = f->f(a * s->u[i] + b);
    } else {
        for (size_t i = 0; i < s->n; ++i) {
            const double x = (a * s->u[i] + b + TABLE_REACH) * TABLE_CELLS_PER_UNIT;
            const size_t cell = (size_t)x;
            const double *y = q->table + cell;
            q->F[i] = y[0] + (x - (double)cell) * (y[1] - y[0]);
        }
    }
    return project_fast(s, q->F);
}

static void new_row(search *q) {
    if (q->n_rows < MAX_ROWS) q->rows[q->n_rows++] = (curve_point){0.0, 0.0, INFINITY};
}

/* Tries (a, b) as a candidate of the newest row. */
static void try(search *q, double a, double b) {
    const double sse = evaluate(q, a, b);
    curve_point *row = &q->rows[q->n_rows - 1];
    if (sse < row->sse) *row = (curve_point){a, b, sse};
}

static void try_row(search *q, double a, double b) {
    new_row(q);
    try(q, a, b);
}

/* ---- the searches ---------------------------------------------------------------------------- */

/* f(+-(u - z)): zeros z to the left of the data, between the samples, to the right. */
static void search_zeros(search *q, double a) {
    const curve_samples *s = q->s;
    for (double e = CURVE_MOST_CENTRE / 2.0; e > 1e-7; e *= 0.7) try_row(q, a, a * (1.0 + e));
    try_row(q, a, a);
    for (size_t i = 0; i + 1 < s->n; ++i) try_row(q, a, -a * 0.5 * (s->u[i] + s->u[i + 1]));
    try_row(q, a, -a);
    for (double e = 1e-7; e < CURVE_MOST_CENTRE / 2.0; e /= 0.7) try_row(q, a, -a * (1.0 + e));
    new_row(q);
    if (fabs(s->origin) < CURVE_MOST_CENTRE) try_row(q, a, a * s->origin);
}

/* f(a u): rates from almost straight to a step between two samples. */
static void search_rates(search *q, double sign) {
    for (double a = 2.0 * CURVE_LEAST_A; a < (double)q->s->n; a *= 1.15) try_row(q, sign * a, 0.0);
}

static void search_centres(search *q, double a, double step) {
    new_row(q);
    for (double b = -(fabs(a) + 5.0); b <= fabs(a) + 5.0; b += step) try(q, a, b);
}

/* f(a u + b), f defined everywhere: b such that the middle of f is in the range of u or near it. Functions
 * with many extrema need steps in a that are a fraction of a period at the ends, up to the highest frequency
 * that the samples carry, pi (n - 1) / 2; their high frequencies are tried about u = 0 and t = 0 only. */
static void search_plane(search *q, double sign) {
    const bool oscillates = q->family->oscillates;
    const double nyquist = 0.5 * PI * (double)(q->s->n - 1);
    const double most = oscillates ? fmin(40.0, nyquist) : fmin(100.0, (double)q->s->n);
    const double step = oscillates ? 0.8 : 0.5;
    double a = 0.05;
    for (; a < (oscillates ? 2.0 : most); a *= 1.4) search_centres(q, sign * a, step);
    for (; oscillates && a < most; a += step) search_centres(q, sign * a, step);
    for (; oscillates && a < nyquist; a += step) {
        new_row(q);
        for (double b = -4.0; b < 4.5; b += 1.0) {
            try(q, sign * a, b);
            if (fabs(q->s->origin) > 1e-3) try(q, sign * a, sign * a * q->s->origin + b);
        }
    }
}

/* The same with poles or a period: few of either inside the data. */
static void search_poles(search *q, double sign) {
    const double period = q->family->f->period;
    for (double a = 0.05; a < 12.0; a *= 1.2) {
        new_row(q);
        if (period > 0.0)
            for (double b = -0.5 * period; b < 0.5 * period; b += period / 24.0) try(q, sign * a, b);
        else
            for (double b = -(a + 5.0); b <= a + 5.0; b += 0.3) try(q, sign * a, b);
    }
}

/* f defined on one side of lo or hi: the nearest argument a step e inside. */
static void search_half_line(search *q, double sign) {
    const kan_function *f = q->family->f;
    const bool above = isfinite(f->lo);
    const double end = above ? f->lo : f->hi, inward = above ? 1.0 : -1.0;
    const double most = q->s->n > 100 ? 50.0 : 10.0;
    for (double a = 0.02; a < most; a *= 1.6) {
        new_row(q);
        for (double e = 1e-6 * a; e < 1e2; e *= 3.0) try(q, sign * a, end + inward * (a + e));
    }
}

/* f defined between lo and hi: the arguments fill a part of it. */
static void search_interval(search *q, double sign) {
    enum { N = 16 };
    const double lo = q->family->f->lo, hi = q->family->f->hi;
    for (size_t i = 0; i < N; ++i) { /* cells of cosine spacing: finer at the ends */
        const double from = 0.5 * (lo + hi) - 0.5 * (hi - lo) * cos(PI * (double)i / N);
        for (size_t j = i + 1; j <= N; ++j) {
            const double to = 0.5 * (lo + hi) - 0.5 * (hi - lo) * cos(PI * (double)j / N);
            const double shrink = 1.0 - 1e-9; /* the very ends may be poles */
            try_row(q, sign * shrink * 0.5 * (to - from), 0.5 * (from + to));
        }
    }
}

/* Frequencies a up to the mean Nyquist frequency. For each the best
 *     v ~ p cos(a u) + r sin(a u) + d        from the sums of a three by three system, centred;
 * cosines and sines of the next frequency by rotation through the step times u. */
size_t kan_curve_scan_sines(const curve_samples *s, size_t max, curve_point *rows, double *scratch) {
    double *c = scratch, *z = c + s->n, *dc = z + s->n, *dz = dc + s->n, a = 0.05;
    const double nyquist = 0.5 * PI * (double)(s->n - 1), step = 0.7;
    size_t n = 0;
    bool rotating = false;
    for (; n < max && a <= nyquist; a = a < 2.0 ? a * 1.35 : a + step) {
        double mc = 0.0, mz = 0.0, cc = 0.0, zz = 0.0, cz = 0.0, cv = 0.0, zv = 0.0;
        for (size_t i = 0; i < s->n; ++i) {
            if (rotating) {
                const double turned = c[i] * dc[i] - z[i] * dz[i];
                z[i] = c[i] * dz[i] + z[i] * dc[i];
                c[i] = turned;
            } else {
                c[i] = cos(a * s->u[i]), z[i] = sin(a * s->u[i]);
                dc[i] = cos(step * s->u[i]), dz[i] = sin(step * s->u[i]);
            }
            const double w = s->w[i], wc = w * c[i], wz = w * z[i];
            mc += wc, mz += wz, cc += wc * c[i], zz += wz * z[i], cz += wc * z[i];
            cv += wc * s->v[i], zv += wz * s->v[i];
        }
        rotating = a >= 2.0;
        cc -= mc * mc, zz -= mz * mz, cz -= mc * mz;
        const double det = cc * zz - cz * cz;
        if (!(det > 1e-13 * cc * zz)) continue;
        const double p = (zz * cv - cz * zv) / det, r = (cc * zv - cz * cv) / det;
        rows[n++] = (curve_point){a, atan2(p, r), 1.0 - p * cv - r * zv};
    }
    return n;
}

/* ---- the best of them ------------------------------------------------------------------------ */

static void insert(curve_point point, size_t max, size_t *n, curve_point *best) {
    if (!isfinite(point.sse) || (*n == max && !(point.sse < best[max - 1].sse))) return;
    size_t at = *n < max ? (*n)++ : max - 1;
    for (; at > 0 && point.sse < best[at - 1].sse; --at) best[at] = best[at - 1];
    best[at] = point;
}

static size_t pick(size_t n_rows, const curve_point *rows, size_t max, curve_point *best) {
    size_t n = 0;
    for (size_t i = 0; i < n_rows; ++i) {
        const bool left = i == 0 || !(rows[i - 1].sse < rows[i].sse);
        const bool right = i + 1 == n_rows || !(rows[i + 1].sse < rows[i].sse);
        if (left && right) insert(rows[i], max, &n, best);
    }
    return n;
}

size_t kan_curve_search_scratch(size_t n) {
    return n + TABLE_SIZE + MAX_ROWS * (sizeof(curve_point) / sizeof(double));
}

static size_t pick_sines(const curve_family *family, size_t n_sines, const curve_point *sines,
                         size_t max, curve_point *best) {
    /* f(x) = h sin(x + phase) with f(0) and f'(0) as they are. */
    const double phase = atan2(family->f->f(0.0), family->f->d1(0.0));
    const size_t n = pick(n_sines, sines, max, best);
    for (size_t i = 0; i < n; ++i) best[i].b -= phase;
    return n;
}

static void search_sign(search *q, double sign) {
    const curve_family *family = q->family;
    const bool lo = isfinite(family->f->lo), hi = isfinite(family->f->hi);
    new_row(q);
    if (!family->vary_a && !family->vary_b)
        try_row(q, 1.0, 0.0);
    else if (!family->vary_a)
        search_zeros(q, sign);
    else if (!family->vary_b)
        search_rates(q, sign);
    else if (lo && hi)
        search_interval(q, sign);
    else if (lo || hi)
        search_half_line(q, sign);
    else if (family->f->pole || family->f->period > 0.0)
        search_poles(q, sign);
    else
        search_plane(q, sign);
}

size_t kan_curve_search(const curve_samples *s, const curve_family *family, size_t n_sines,
                        const curve_point *sines, size_t max, curve_point *best, double *scratch) {
    if (family->sine) return pick_sines(family, n_sines, sines, max, best);
    const kan_function *f = family->f;
    search q = {.s = s, .family = family, .F = scratch, .rows = (void *)(scratch + s->n + TABLE_SIZE)};
    const bool in_plane = family->vary_a && family->vary_b && isinf(f->lo) && isinf(f->hi) &&
                          !f->pole && f->period <= 0.0;
    if (in_plane) {
        q.table = scratch + s->n;
        for (size_t i = 0; i < TABLE_SIZE; ++i)
            q.table[i] = f->f(((double)i) / TABLE_CELLS_PER_UNIT - TABLE_REACH);
    }
    search_sign(&q, 1.0);
    if (family->both_signs) search_sign(&q, -1.0);
    return pick(q.n_rows, q.rows, max, best);
}
