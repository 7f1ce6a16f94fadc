/* kan/snap_beam.c - several edges chosen together: `width` partial assignments side by side.
 *
 * Edges are decided one after the other, the surest first. Of all partial assignments that come from those at
 * hand by one more function, the `width` best are kept, by
 *
 *     log2(error / spread of the targets) + price * sum of the costs of the functions,
 *
 * so that a function which is not the best for its edge lives on until others have shown whether it fits. To stay
 * a spline is one of the choices, at a cost. Errors may grow on the way, further than at the end: beside a spline
 * the right function is no better than splines are, and two splines together may be better than that. There are
 * two starts, the net as it was given and as it is when fitted on: that makes splines better together, by bending
 * curves that were functions.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kan/net_private.h"
#include "kan/snap_private.h"

/* A unit of cost is worth a factor sqrt(2) in the error. Children of one assignment whose errors agree to `same`
 * are one function in two spellings. Final results whose errors are within `tie` are compared by their cost. */
static const double price = 0.5, spline_cost = 12.0, same = 1e-4, tie = 1.05;

typedef struct branch {
    kan_net *net;
    kan_snapped *edges;
    double smallest, error, score;
    size_t n_splines; /* edges that were decided to stay splines */
    size_t parent;    /* number in the beam before */
} branch;

typedef struct beam {
    size_t n;
    branch branches[SNAP_MOST_WIDTH];
} beam;

static void free_branch(branch *b) {
    kan_net_free(b->net);
    free(b->edges);
    *b = (branch){.net = NULL};
}

static void free_beam(beam *b) {
    for (size_t j = 0; j < b->n; ++j) free_branch(&b->branches[j]);
    b->n = 0;
}

static double cost_of(const kan_net *net) {
    double cost = 0.0;
    for (size_t k = 0; k < net->n_symbolic; ++k) cost += net->symbolic[k].f->cost;
    return cost;
}

static double score_of(const snapping *s, const branch *b) {
    const double cost = cost_of(b->net) + spline_cost * (double)b->n_splines;
    return log2(fmax(b->error, snap_rounding * s->spread) / s->spread) + price * cost;
}

static bool is_there(const beam *to, const branch *child) {
    for (size_t j = 0; j < to->n; ++j)
        if (to->branches[j].parent == child->parent && to->branches[j].n_splines == child->n_splines &&
            fabs(to->branches[j].error - child->error) <= same * child->error)
            return true;
    return false;
}

/* Keeps the child, and drops the worst where there are more than width; takes what it owns. */
static void insert(beam *to, size_t width, branch child) {
    size_t at = to->n;
    if (is_there(to, &child)) {
        free_branch(&child);
        return;
    }
    while (at > 0 && child.score < to->branches[at - 1].score) --at;
    if (to->n == width) {
        if (at == width) {
            free_branch(&child);
            return;
        }
        free_branch(&to->branches[--to->n]);
    }
    memmove(&to->branches[at + 1], &to->branches[at], (to->n - at) * sizeof child);
    to->branches[at] = child;
    ++to->n;
}

/* A copy of the decisions of a branch with that net, which it takes; edges = NULL without memory. */
static branch child_of(const branch *parent, size_t number, size_t n_edges, kan_net **net) {
    branch child = *parent;
    child.parent = number;
    child.net = *net, *net = NULL;
    child.edges = malloc((n_edges + 1) * sizeof *child.edges);
    if (child.edges) memcpy(child.edges, parent->edges, n_edges * sizeof *child.edges);
    return child;
}

/* What a branch becomes with one more edge decided, into the next beam; its net may go there. */
static kan_status expand(snapping *s, branch *b, size_t number, size_t edge, beam *next,
                         kan_error *error) {
    trials t;
    double least = INFINITY;
    s->net = b->net, s->smallest = b->smallest; /* the branch keeps its net */
    kan_status status = snap_try(s, b->edges[edge].edge, &t, error);
    for (size_t j = 0; j < t.n && status == KAN_OK; ++j) {
        if (!isfinite(t.values[j])) continue;
        branch child = child_of(b, number, s->report->n_edges, &t.made[j]);
        if (!child.edges) {
            free_branch(&child);
            status = kan_status_fail(error, KAN_ENOMEM, "snap: out of memory");
            break;
        }
        child.edges[edge].outcome = KAN_SNAP_FUNCTION, child.edges[edge].error = t.values[j];
        child.error = t.values[j], child.smallest = fmin(b->smallest, t.values[j]);
        child.score = score_of(s, &child);
        insert(next, s->o.width, child);
        least = fmin(least, t.values[j]);
    }
    snap_free_trials(&t);
    if (status != KAN_OK) return status;
    b->edges[edge].outcome = KAN_SNAP_SPLINE, b->edges[edge].error = isfinite(least) ? least : NAN;
    ++b->n_splines, b->parent = number, b->score = score_of(s, b);
    insert(next, s->o.width, *b);
    *b = (branch){.net = NULL};
    return KAN_OK;
}

/* A first branch: nothing decided but what was a function before. */
static kan_status begin(const snapping *s, const kan_net *net, double value, beam *at,
                        kan_error *error) {
    const size_t n_edges = s->report->n_edges;
    branch *b = &at->branches[at->n++];
    *b = (branch){.net = kan_net_copy(net),
                  .edges = calloc(n_edges + 1, sizeof *b->edges),
                  .smallest = value,
                  .error = value};
    if (!b->net || !b->edges) return kan_status_fail(error, KAN_ENOMEM, "snap: out of memory");
    for (size_t j = 0; j < n_edges; ++j) {
        const kan_snapped *e = &s->report->edges[j];
        const bool before = e->outcome == KAN_SNAP_BEFORE;
        b->edges[j] = (kan_snapped){
            .edge = e->edge, .outcome = before ? KAN_SNAP_BEFORE : KAN_SNAP_OPEN, .error = NAN};
    }
    return KAN_OK;
}

/* Whether a result (net, error) is to be preferred to another one: fewer splines, where its error is one that may
 * be; then the smaller error; then the smaller cost. Errors that are rounding are equal: far from its middle a
 * sigmoid is an exp. */
static bool is_better(const snapping *s, const kan_net *net, double error, const kan_net *other,
                      double other_error) {
    const size_t n = kan_net_n_edges(net) - kan_net_n_symbolic(net);
    const size_t n_other = kan_net_n_edges(other) - kan_net_n_symbolic(other);
    const double good = fmax(s->floor, s->o.tolerance * fmin(s->report->error_before, other_error));
    if (n != n_other) return n < n_other && error <= good;
    const double as_good = fmax(tie * fmin(error, other_error), snap_rounding * s->spread);
    if (fmax(error, other_error) <= as_good) return cost_of(net) < cost_of(other);
    return error < other_error;
}

/* What is left of each branch's edges, greedily, and the last fit; the best result, at first that of s, stays
 * in s. */
static kan_status conclude(snapping *s, beam *at, kan_net **best, kan_error *error) {
    kan_status status = KAN_OK;
    for (size_t j = 0; j < at->n && status == KAN_OK && !snap_is_over(s); ++j) {
        branch *b = &at->branches[j];
        const double best_error = s->report->error_after;
        kan_snapped *best_edges = s->report->edges;
        s->net = b->net, b->net = NULL;
        s->smallest = b->smallest, s->report->edges = b->edges;
        status = snap_edges(s, error);
        if (status == KAN_OK) status = snap_finish(s, error);
        if (status == KAN_OK && is_better(s, s->net, s->report->error_after, *best, best_error)) {
            b->net = *best, *best = s->net;
            b->edges = best_edges;
        } else {
            b->net = s->net;
            b->edges = s->report->edges;
            s->report->edges = best_edges, s->report->error_after = best_error;
        }
    }
    return status;
}

/* s->open as a new branch has them. */
static kan_status list_edges(snapping *s, const branch *b, kan_error *error) {
    kan_snapped *edges = s->report->edges;
    s->net = b->net, s->report->edges = b->edges;
    const kan_status status = snap_list_open(s, error);
    s->report->edges = edges;
    return status;
}

kan_status snap_beam(snapping *s, const kan_net *given, const kan_net *fitted, double fitted_error,
                     kan_error *error) {
    beam *beams = calloc(2, sizeof *beams), *at = beams, *next = beams ? beams + 1 : NULL;
    kan_net *best = s->net;
    const double smallest = s->smallest;
    if (!beams) return kan_status_fail(error, KAN_ENOMEM, "snap: out of memory");
    kan_status status = begin(s, given, s->report->error_before, at, error);
    if (status == KAN_OK) status = begin(s, fitted, fitted_error, at, error);
    if (status == KAN_OK) status = list_edges(s, &at->branches[0], error);
    for (size_t k = 0; k < s->n_open && status == KAN_OK && !snap_is_over(s); ++k) {
        for (size_t j = 0; j < at->n && status == KAN_OK; ++j)
            status = expand(s, &at->branches[j], j, s->open[k].number, next, error);
        free_beam(at);
        beam *old = at;
        at = next, next = old;
    }
    if (status == KAN_OK) status = conclude(s, at, &best, error);
    s->net = best, s->smallest = smallest;
    free_beam(at), free_beam(next);
    free(beams);
    return status;
}
