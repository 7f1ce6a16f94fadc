/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kan/snap.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/work.h"
#include "kan/net_private.h"
#include "kan/samples.h"
#include "kan/snap_private.h"
#include "train/trainer.h"

enum { MOST_PASSES = 4, FIT_ON = 5, WIDTH = 3 };

/* Errors within a factor are equal: that of exact data where they are less than a share of the spread of the targets,
 * since what is left there is how well splines describe functions. Less than rounding is nothing. */
static const double near_tie = 1.05, near_tie_exact = 2.0, exact = 1e-6;

/* ---- one curve ------------------------------------------------------------------------------------- */

/* The curve of an edge where the samples x [n][n_in] put its node. */
static kan_status take_curve(const kan_net *net, kan_edge edge, size_t n, const double *x, samples *s,
                             kan_error *error) {
    double *nodes = net_node_values(net, edge.layer, n, x, error);
    if (!nodes) return KAN_ENOMEM;
    const bool taken = samples_spread(n, nodes + edge.in, net->layers[edge.layer].n_in, s);
    kan_work_free(nodes);
    if (!taken) return kan_status_fail(error, KAN_ENOMEM, "snap: out of memory");
    for (size_t j = 0; j < s->n; ++j)
        if (!isfinite(s->t[j]))
            return kan_status_fail(error, KAN_ENONFINITE, "snap: node %zu below layer %zu is %g",
                                   edge.in, edge.layer, s->t[j]);
    kan_net_edge_curve(net, edge, s->n, s->t, s->y);
    return KAN_OK;
}

/* As kan_snap_suggest, from the functions of the options; found [MOST_CURVES]. share: the smallest rmse over the spread
 * of the curve, how unsure the best one is. */
static size_t suggest(const kan_net *net, kan_edge edge, size_t n, const double *x,
                      const kan_curve_options *options, kan_curve *found, double *share,
                      kan_error *error) {
    double least, mean, sd;
    kan_error why;
    samples *s = malloc(sizeof *s);
    kan_status status = s ? take_curve(net, edge, n, x, s, &why)
                          : kan_status_fail(&why, KAN_ENOMEM, "snap: out of memory");
    size_t n_found = 0;
    if (status == KAN_OK) n_found = samples_suggest(s, options, 0.0, found, &least, &why);
    if (n_found > 0) {
        samples_moments(s, &mean, &sd);
        *share = least > 0.0 ? least / sd : 0.0;
    } else if (why.status == KAN_OK) {
        kan_status_fail(error, KAN_ECONFIG, "snap: no function is defined where node %zu is", edge.in);
    } else {
        kan_status_fail(error, why.status, "%s", why.message);
    }
    free(s);
    return n_found;
}

static kan_symbolic as_edge(const kan_curve *q) {
    return (kan_symbolic){q->f, q->a, q->b, q->c, q->d};
}

size_t kan_snap_suggest(const kan_net *net, kan_edge edge, size_t n, const double *x, size_t max,
                        kan_curve *best, kan_error *error) {
    assert(n > 0 && kan_net_has_edge(net, edge) && "samples, and an edge that was not removed");
    kan_curve found[MOST_CURVES];
    double share;
    size_t n_found = suggest(net, edge, n, x, NULL, found, &share, error);
    if (n_found > max) n_found = max;
    if (n_found > 0) memcpy(best, found, n_found * sizeof *best);
    return n_found;
}

kan_status kan_snap_edge(kan_net *net, kan_edge edge, const kan_function *f, size_t n, const double *x,
                         kan_error *error) {
    assert(n > 0 && kan_net_has_edge(net, edge) && "samples, and an edge that was not removed");
    kan_curve found[MOST_CURVES];
    double share;
    kan_error why;
    const kan_curve_options options = {.functions = &f, .n_functions = 1};
    if (suggest(net, edge, n, x, &options, found, &share, &why) == 0)
        return kan_status_fail(error, why.status, "%s", why.message);
    const kan_symbolic s = as_edge(&found[0]);
    return kan_net_set_symbolic(net, edge, &s, error);
}

/* ---- the whole network ------------------------------------------------------------------------------ */

bool snap_is_over(const snapping *s) {
    return (s->o.stop && *s->o.stop) ||
           (s->o.seconds > 0.0 && kan_clock_cpu() - s->began > s->o.seconds);
}

/* RMSE or cross-entropy on the validation rows; infinite where the net is not finite. */
static kan_status measure(const snapping *s, const kan_net *net, double *value, kan_error *error) {
    kan_metric metric;
    kan_error why;
    const kan_status status = kan_trainer_evaluate(&net->model, s->validation, &metric, &why);
    *value = INFINITY;
    if (status == KAN_OK) *value = s->fit->task == KAN_REGRESSION ? metric.rmse : metric.cross_entropy;
    if (!isfinite(*value)) *value = INFINITY;
    return status == KAN_OK || status == KAN_ENONFINITE
               ? KAN_OK
               : kan_status_fail(error, status, "%s", why.message);
}

/* Fits all that is trainable, and what the error is then. */
static kan_status refit(const snapping *s, kan_net *net, size_t steps, double *value,
                        kan_error *error) {
    kan_error why;
    const kan_train_options how = {.optimizer = KAN_LM,
                                   .steps = steps,
                                   .stop = s->o.stop,
                                   .validation = s->validation == s->fit ? NULL : s->validation};
    const kan_status status = kan_model_n_trainable(&net->model) == 0
                                  ? KAN_OK
                                  : kan_trainer_fit(&net->model, s->fit, &how, NULL, &why);
    if (status != KAN_OK && status != KAN_ENONFINITE)
        return kan_status_fail(error, status, "%s", why.message);
    return measure(s, net, value, error);
}

/* A copy with the edge as that function, fitted again; *made = NULL where that fails. */
static kan_status try_candidate(const snapping *s, kan_edge edge, const kan_curve *q, kan_net **made,
                                double *value, kan_error *error) {
    const kan_symbolic symbolic = as_edge(q);
    *made = kan_net_copy(s->net), *value = INFINITY;
    if (!*made) return kan_status_fail(error, KAN_ENOMEM, "snap: out of memory");
    kan_status status = kan_net_set_symbolic(*made, edge, &symbolic, error);
    if (status == KAN_OK) status = refit(s, *made, s->o.steps, value, error);
    return status;
}

/* The simplest, then the likeliest, of the candidates whose error is as good as that of the best; n where none is finite. */
static size_t choose(const snapping *s, size_t n, const kan_curve *found, const double *values) {
    double least = INFINITY;
    for (size_t j = 0; j < n; ++j) least = fmin(least, values[j]);
    const double factor = least <= exact * s->spread ? near_tie_exact : near_tie;
    const double as_good = fmax(factor * least, snap_rounding * s->spread);
    size_t best = n;
    for (size_t j = 0; j < n; ++j)
        if (isfinite(values[j]) && values[j] <= as_good &&
            (best == n || found[j].complexity < found[best].complexity))
            best = j;
    return best;
}

double snap_limit(const snapping *s) {
    return fmax(s->o.tolerance * s->smallest, s->floor);
}

static void take(snapping *s, kan_net **made, double value) {
    kan_net *old = s->net;
    s->net = *made, *made = old;
    s->smallest = fmin(s->smallest, value);
}

/* Whether p is as close as q with less complexity, or closer with no more, rmse within a tenth being the same. */
static bool beats(const kan_curve *p, const kan_curve *q) {
    return (p->complexity < q->complexity && p->rmse <= 1.1 * q->rmse) ||
           (p->complexity <= q->complexity && 1.1 * p->rmse < q->rmse);
}

/* Curves that no other one beats come to the front, as far as they are within a factor of 10 of the best: with four
 * constants a function comes closer to a noisy curve of three. */
static void promote(size_t n, kan_curve *found) {
    double least = INFINITY;
    size_t n_front = 0;
    for (size_t j = 0; j < n; ++j) least = fmin(least, found[j].rmse);
    for (size_t j = 0; j < n; ++j) {
        bool front = found[j].rmse <= 10.0 * least;
        for (size_t k = 0; k < n && front; ++k) front = !beats(&found[k], &found[j]);
        if (!front) continue;
        const kan_curve q = found[j];
        memmove(found + n_front + 1, found + n_front, (j - n_front) * sizeof *found);
        found[n_front++] = q;
    }
}

kan_status snap_try(const snapping *s, kan_edge edge, trials *t, kan_error *error) {
    double share;
    kan_error why;
    const kan_curve_options from = {.functions = s->o.functions, .n_functions = s->o.n_functions};
    t->n = 0;
    size_t n = suggest(s->net, edge, s->fit->n, s->x, &from, t->found, &share, &why);
    if (n == 0 && why.status == KAN_ENOMEM)
        return kan_status_fail(error, KAN_ENOMEM, "%s", why.message);
    promote(n, t->found);
    if (n > s->o.candidates) n = s->o.candidates;
    kan_status status = KAN_OK;
    for (; t->n < n && status == KAN_OK; ++t->n)
        status = try_candidate(s, edge, &t->found[t->n], &t->made[t->n], &t->values[t->n], error);
    return status;
}

void snap_free_trials(trials *t) {
    for (size_t j = 0; j < t->n; ++j) kan_net_free(t->made[j]);
    t->n = 0;
}

/* Tries the best few functions for one edge and takes one, or none. */
static kan_status snap_one(snapping *s, kan_snapped *e, kan_error *error) {
    trials t;
    const kan_status status = snap_try(s, e->edge, &t, error);
    const size_t best = status == KAN_OK ? choose(s, t.n, t.found, t.values) : t.n;
    e->outcome = KAN_SNAP_SPLINE;
    if (best < t.n) {
        e->error = t.values[best];
        if (t.values[best] <= snap_limit(s)) {
            e->outcome = KAN_SNAP_FUNCTION;
            take(s, &t.made[best], t.values[best]);
        }
    }
    snap_free_trials(&t);
    return status;
}

static int surest_first(const void *p, const void *q) {
    const open_edge *a = p, *b = q;
    if (a->share != b->share) return a->share < b->share ? -1 : 1;
    return (a->number > b->number) - (a->number < b->number);
}

kan_status snap_list_open(snapping *s, kan_error *error) {
    const kan_curve_options from = {.functions = s->o.functions, .n_functions = s->o.n_functions};
    kan_curve found[MOST_CURVES];
    s->n_open = 0;
    for (size_t j = 0; j < s->report->n_edges && !snap_is_over(s); ++j) {
        const kan_snapped *e = &s->report->edges[j];
        if (e->outcome == KAN_SNAP_FUNCTION || e->outcome == KAN_SNAP_BEFORE) continue;
        open_edge *o = &s->open[s->n_open++];
        kan_error why;
        *o = (open_edge){.number = j, .share = INFINITY};
        if (suggest(s->net, e->edge, s->fit->n, s->x, &from, found, &o->share, &why) == 0 &&
            why.status == KAN_ENOMEM)
            return kan_status_fail(error, KAN_ENOMEM, "%s", why.message);
    }
    qsort(s->open, s->n_open, sizeof *s->open, surest_first);
    return KAN_OK;
}

/* Edges that stayed splines have another chance once others have become functions. */
kan_status snap_edges(snapping *s, kan_error *error) {
    kan_status status = KAN_OK;
    bool any = true;
    for (size_t pass = 0; pass < MOST_PASSES && any && status == KAN_OK && !snap_is_over(s); ++pass) {
        any = false;
        status = snap_list_open(s, error);
        bool refused = false;
        for (size_t j = 0; j < s->n_open && status == KAN_OK && !snap_is_over(s); ++j) {
            kan_snapped *e = &s->report->edges[s->open[j].number];
            status = snap_one(s, e, error);
            if (e->outcome == KAN_SNAP_FUNCTION)
                any = any || refused;
            else
                refused = true;
        }
    }
    return status;
}

/* The last fit. Without splines it is that of a net without grids, whose matrices are small. */
kan_status snap_finish(snapping *s, kan_error *error) {
    const bool all = kan_net_n_symbolic(s->net) == kan_net_n_edges(s->net);
    kan_net *made = kan_net_copy(s->net), *small = made && all ? kan_net_compact(made) : NULL;
    kan_status status = KAN_OK;
    if (!made || (all && !small)) status = kan_status_fail(error, KAN_ENOMEM, "snap: out of memory");
    double before, after;
    if (status == KAN_OK) status = measure(s, s->net, &before, error);
    if (status == KAN_OK) status = refit(s, small ? small : made, s->o.final_steps, &after, error);
    if (status == KAN_OK && small) /* the same edges in the same order */
        memcpy(made->model.theta + made->n_spline, small->model.theta + small->n_spline,
               (made->model.n_params - made->n_spline) * sizeof(double));
    if (status == KAN_OK && after <= before) take(s, &made, after);
    if (status == KAN_OK) s->report->error_after = fmin(before, after);
    kan_net_free(small);
    kan_net_free(made);
    return status;
}

/* ---- setting up ------------------------------------------------------------------------------------ */

static kan_snap_options with_defaults(const kan_snap_options *options) {
    kan_snap_options o = options ? *options : (kan_snap_options){.candidates = 0};
    if (o.candidates == 0) o.candidates = 5;
    if (o.candidates > SNAP_MOST_CANDIDATES) o.candidates = SNAP_MOST_CANDIDATES;
    if (o.width == 0) o.width = WIDTH;
    if (o.width > SNAP_MOST_WIDTH) o.width = SNAP_MOST_WIDTH;
    if (o.steps == 0) o.steps = 10;
    if (o.final_steps == 0) o.final_steps = 200;
    if (o.tolerance == 0.0) o.tolerance = 1.5;
    if (o.floor == 0.0) o.floor = 1e-9;
    return o;
}

/* Standard deviation of all targets about the mean of their column; 1 of classes. */
static double spread_of_targets(const kan_dataset *d) {
    if (d->task != KAN_REGRESSION) return 1.0;
    double squares = 0.0;
    for (size_t o = 0; o < d->n_out; ++o) {
        double mean = 0.0;
        for (size_t s = 0; s < d->n; ++s) mean += d->y[s * d->n_out + o] / (double)d->n;
        for (size_t s = 0; s < d->n; ++s)
            squares += (d->y[s * d->n_out + o] - mean) * (d->y[s * d->n_out + o] - mean);
    }
    return sqrt(squares / (double)(d->n * d->n_out));
}

/* All edges that are there, as they are. */
static void list_edges(const kan_net *net, kan_snap_report *report) {
    for (size_t l = 0; l < net->n_layers; ++l)
        for (size_t e = 0; e < net->layers[l].n_in * net->layers[l].n_out; ++e) {
            const kan_edge edge = {l, e / net->layers[l].n_out, e % net->layers[l].n_out};
            if (!kan_net_has_edge(net, edge)) continue;
            report->edges[report->n_edges++] = (kan_snapped){
                .edge = edge,
                .outcome = kan_net_get_symbolic(net, edge, NULL) ? KAN_SNAP_BEFORE : KAN_SNAP_OPEN,
                .error = NAN};
        }
}

static kan_status start(snapping *s, const kan_net *net, kan_error *error) {
    const kan_dataset *d = s->fit;
    const size_t n_edges = kan_net_n_edges(net);
    double *y = kan_work_alloc(d->n * kan_dataset_y_width(d));
    s->x = kan_work_alloc(kan_work_product(d->n, d->n_in));
    s->net = kan_net_copy(net);
    s->open = calloc(n_edges + 1, sizeof *s->open);
    s->report->edges = calloc(n_edges + 1, sizeof *s->report->edges);
    const bool good = y && s->x && s->net && s->open && s->report->edges;
    if (good) kan_dataset_batch(d, 0, d->n, NULL, s->x, y, NULL);
    kan_work_free(y);
    if (!good) return kan_status_fail(error, KAN_ENOMEM, "snap: out of memory");
    list_edges(net, s->report);
    s->spread = spread_of_targets(s->validation);
    s->floor = s->o.floor * s->spread;
    kan_status status = measure(s, net, &s->report->error_before, error);
    if (status == KAN_OK && !isfinite(s->report->error_before))
        status = kan_status_fail(error, KAN_ENONFINITE, "snap: the error of the net is not finite");
    s->smallest = s->report->error_before;
    return status;
}

/* What training had left to do is done before candidates are compared, or it would speak for the first of them. */
static kan_status fit_on(snapping *s, kan_error *error) {
    double value;
    kan_net *made = kan_net_copy(s->net);
    if (!made) return kan_status_fail(error, KAN_ENOMEM, "snap: out of memory");
    const kan_status status = refit(s, made, FIT_ON * s->o.steps, &value, error);
    if (status == KAN_OK && value <= s->smallest) take(s, &made, value);
    kan_net_free(made);
    return status;
}

/* Whether another choice might do better: splines are left, or functions say less than they did, and not for noise. */
static bool is_in_doubt(const snapping *s) {
    const double noise = 1e-3, after = s->report->error_after, before = s->report->error_before;
    if (kan_net_n_symbolic(s->net) < kan_net_n_edges(s->net)) return true;
    return after > s->floor && (after <= noise * s->spread || after > near_tie * before);
}

/* Greedily, and where that leaves a doubt by a beam. */
static kan_status search(snapping *s, const kan_net *given, kan_error *error) {
    const double fitted_error = s->smallest;
    kan_net *fitted = s->o.width > 1 ? kan_net_copy(s->net) : NULL;
    kan_status status = KAN_OK;
    if (s->o.width > 1 && !fitted) status = kan_status_fail(error, KAN_ENOMEM, "snap: out of memory");
    if (status == KAN_OK) status = snap_edges(s, error);
    if (status == KAN_OK) status = snap_finish(s, error);
    if (status == KAN_OK && fitted && !snap_is_over(s) && is_in_doubt(s))
        status = snap_beam(s, given, fitted, fitted_error, error);
    kan_net_free(fitted);
    return status;
}

static void conclude(snapping *s) {
    kan_snap_report *r = s->report;
    for (size_t j = 0; j < r->n_edges; ++j)
        r->n_splines += !kan_net_get_symbolic(s->net, r->edges[j].edge, &r->edges[j].symbolic);
    r->seconds = kan_clock_cpu() - s->began;
}

kan_net *kan_snap_all(const kan_net *net, const kan_dataset *fit, const kan_dataset *validation,
                      const kan_snap_options *options, kan_snap_report *report, kan_error *error) {
    assert(fit->n > 0 && fit->n_in == net->model.n_in && fit->n_out == net->model.n_out);
    kan_snap_report own;
    kan_error why;
    snapping s = {.fit = fit,
                  .validation = validation ? validation : fit,
                  .o = with_defaults(options),
                  .report = report ? report : &own,
                  .began = kan_clock_cpu()};
    *s.report = (kan_snap_report){.edges = NULL};
    kan_status status = start(&s, net, &why);
    if (status == KAN_OK) status = fit_on(&s, &why);
    if (status == KAN_OK) status = search(&s, net, &why);
    if (status == KAN_OK) {
        conclude(&s);
    } else {
        kan_status_fail(error, status, "%s", why.message);
        kan_net_free(s.net);
        s.net = NULL;
    }
    if (!report || status != KAN_OK) kan_snap_report_free(s.report);
    kan_work_free(s.x);
    free(s.open);
    return s.net;
}

void kan_snap_report_free(kan_snap_report *report) {
    free(report->edges);
    *report = (kan_snap_report){.edges = NULL};
}
