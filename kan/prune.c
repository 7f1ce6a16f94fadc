/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kan/prune.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/work.h"
#include "kan/mask.h"
#include "kan/net_private.h"
#include "kan/shrink.h"
#include "train/loss.h"
#include "train/trainer.h"

static kan_prune_options with_defaults(const kan_prune_options *options) {
    kan_prune_options o = options ? *options : (kan_prune_options){.what = 0};
    if (o.what == 0) o.what = KAN_PRUNE_NODES | KAN_PRUNE_EDGES;
    if (o.node_threshold == 0.0) o.node_threshold = 1e-2;
    if (o.edge_threshold == 0.0) o.edge_threshold = 3e-2;
    if (o.input_threshold == 0.0) o.input_threshold = 1e-2;
    if (o.budget == 0.0) o.budget = 0.01;
    if (o.steps == 0) o.steps = 20;
    return o;
}

/* ---- thresholds --------------------------------------------------------------------------------- */

/* A NaN is not above a threshold; there are none, kan_attribution_alloc refuses them. */
static void drop_nodes(mask *m, const kan_net *net, const kan_attribution *a,
                       const kan_prune_options *o) {
    const bool inputs = (o->what & KAN_PRUNE_INPUTS) != 0, nodes = (o->what & KAN_PRUNE_NODES) != 0;
    for (size_t level = 0; level < net->n_layers; ++level) {
        const double threshold = level == 0 ? o->input_threshold : o->node_threshold;
        for (size_t j = 0; (level == 0 ? inputs : nodes) && j < net_n_nodes(&net->config, level); ++j)
            if (!(a->nodes[level][j] > threshold)) mask_drop_node(m, net, level, j);
    }
}

static void drop_edges(mask *m, const kan_net *net, const kan_attribution *a,
                       const kan_prune_options *o) {
    for (size_t l = 0; l < net->n_layers && (o->what & KAN_PRUNE_EDGES); ++l)
        for (size_t e = 0; e < net->layers[l].n_in * net->layers[l].n_out; ++e)
            if (!(a->edges[l][e] > o->edge_threshold)) m->keep[l][e] = MASK_GOES;
}

typedef void drop_rule(mask *m, const kan_net *net, const kan_attribution *a,
                       const kan_prune_options *o);

/* One round of scores. */
static kan_status run_rule(kan_net *net, mask *m, size_t n, const double *x, drop_rule *rule,
                           const kan_prune_options *o, kan_prune_report *report, kan_error *error) {
    kan_attribution *a = kan_attribution_alloc(net, n, x, error);
    if (!a) return error->status;
    mask_fill(m, net);
    rule(m, net, a, o);
    mask_settle(m, net, a, o, report);
    mask_apply(m, net, a, o->fold, report);
    kan_attribution_free(a);
    return KAN_OK;
}

/* The masked copy of a net; NULL and error. */
static kan_net *masked_copy(const kan_net *net, size_t n, const double *x, const kan_prune_options *o,
                            kan_prune_report *report, kan_error *error) {
    mask m = {.memory = NULL};
    kan_error inner;
    kan_net *copy = kan_net_copy(net);
    kan_status status = copy ? mask_alloc(&m, copy) : KAN_ENOMEM;
    if (status != KAN_OK) kan_status_fail(&inner, status, "prune: out of memory");
    *report = (kan_prune_report){.n_inputs = net->model.n_in};
    if (status == KAN_OK && (o->what & (KAN_PRUNE_NODES | KAN_PRUNE_INPUTS)))
        status = run_rule(copy, &m, n, x, drop_nodes, o, report, &inner);
    if (status == KAN_OK && (o->what & KAN_PRUNE_EDGES))
        status = run_rule(copy, &m, n, x, drop_edges, o, report, &inner);
    mask_free(&m);
    if (status == KAN_OK) return copy;
    kan_status_fail(error, status, "%s", inner.message);
    kan_net_free(copy);
    return NULL;
}

/* What one net holds the other one has then; each keeps its address. */
static void exchange(kan_net *a, kan_net *b) {
    const kan_net old = *a;
    *a = *b, *b = old;
    a->model.self = a, b->model.self = b;
}

kan_status kan_prune_mask(kan_net *net, size_t n, const double *x, const kan_prune_options *options,
                          kan_prune_report *report, kan_error *error) {
    const kan_prune_options o = with_defaults(options);
    kan_prune_report own;
    kan_error inner;
    kan_net *copy = masked_copy(net, n, x, &o, report ? report : &own, &inner);
    if (!copy) return kan_status_fail(error, inner.status, "%s", inner.message);
    exchange(net, copy);
    kan_net_free(copy);
    return KAN_OK;
}

kan_net *kan_prune_shrink(const kan_net *net, bool drop_inputs, size_t *inputs, size_t *n_inputs,
                          kan_error *error) {
    return net_shrink(net, drop_inputs, inputs, n_inputs, error);
}

/* The small net of a masked one, which is freed. */
static kan_net *finish(kan_net *masked, const kan_prune_options *o, size_t *inputs,
                       kan_prune_report *report, kan_error *error) {
    kan_net *small = net_shrink(masked, (o->what & KAN_PRUNE_INPUTS) != 0, inputs, &report->n_inputs,
                                error);
    kan_net_free(masked);
    return small;
}

kan_net *kan_prune(const kan_net *net, size_t n, const double *x, const kan_prune_options *options,
                   size_t *inputs, kan_prune_report *report, kan_error *error) {
    const kan_prune_options o = with_defaults(options);
    kan_prune_report own;
    if (!report) report = &own;
    kan_net *masked = masked_copy(net, n, x, &o, report, error);
    return masked ? finish(masked, &o, inputs, report, error) : NULL;
}

/* ---- budget ------------------------------------------------------------------------------------- */

/* Something that may go: an edge, or a node where `out` is KAN_EVERY, `layer` being its level and `in` it. */
typedef struct part {
    double score;
    kan_edge edge;
} part;

typedef struct search {
    kan_net *net; /* the best so far */
    const kan_dataset *d;
    const kan_prune_options *options;
    kan_prune_report *report;
    double *x, *y_hat; /* [n][n_in], [n][n_out] */
    part *parts;
    mask mask;
    double limit, began;
} search;

/* RMSE, or cross-entropy; NaN where the net is not finite. */
static kan_status measure(const search *s, const kan_net *net, double *value, kan_error *error) {
    const kan_dataset *d = s->d;
    double weights = (double)d->n;
    const kan_status status = kan_trainer_predict(&net->model, d, s->y_hat, error);
    *value = NAN;
    if (status != KAN_OK) return status == KAN_ENONFINITE ? KAN_OK : status;
    for (size_t j = 0; d->weight && j < d->n; ++j) weights += d->weight[j] - 1.0;
    *value = kan_loss_of_task(d->task)->eval(d->n, d->n_out, s->y_hat, d->y, d->weight, 1.0 / weights,
                                             NULL);
    if (d->task == KAN_REGRESSION) *value = sqrt(*value);
    return KAN_OK;
}

static int by_score(const void *p, const void *q) {
    const part *a = p, *b = q;
    if (a->score != b->score) return a->score < b->score ? -1 : 1;
    if (a->edge.layer != b->edge.layer) return a->edge.layer < b->edge.layer ? -1 : 1;
    if (a->edge.in != b->edge.in) return a->edge.in < b->edge.in ? -1 : 1;
    return (a->edge.out > b->edge.out) - (a->edge.out < b->edge.out);
}

static bool has_any_edge(const kan_net *net, size_t l, size_t i) {
    const size_t n_out = net->layers[l].n_out;
    for (size_t o = 0; o < n_out; ++o)
        if (net->edges[l][i * n_out + o]) return true;
    return false;
}

/* All that is still there, the lowest scores first. */
static size_t list_parts(const search *s, const kan_attribution *a) {
    const unsigned what = s->options->what;
    size_t n = 0;
    for (size_t l = 0; l < s->net->n_layers; ++l) {
        const size_t n_in = s->net->layers[l].n_in, n_out = s->net->layers[l].n_out;
        for (size_t i = 0; i < n_in; ++i) {
            const bool node = (what & (l == 0 ? KAN_PRUNE_INPUTS : KAN_PRUNE_NODES)) != 0;
            if (node && has_any_edge(s->net, l, i))
                s->parts[n++] = (part){a->nodes[l][i], {l, i, KAN_EVERY}};
            for (size_t o = 0; o < n_out && (what & KAN_PRUNE_EDGES); ++o)
                if (s->net->edges[l][i * n_out + o])
                    s->parts[n++] = (part){a->edges[l][i * n_out + o], {l, i, o}};
        }
    }
    qsort(s->parts, n, sizeof *s->parts, by_score);
    return n;
}

/* Whether the part is still there: what went before it may have taken it along. */
static bool is_there(const kan_net *net, kan_edge e) {
    return e.out == KAN_EVERY ? has_any_edge(net, e.layer, e.in) : kan_net_has_edge(net, e);
}

/* What is left is fitted to the rows of options->refit, as far as it is good for the rows that judge. */
static kan_status refit(const search *s, kan_net *net, kan_error *error) {
    kan_error why;
    const kan_train_options how = {
        .optimizer = KAN_LM, .steps = s->options->steps, .validation = s->d, .stop = s->options->stop};
    if (!s->options->refit || kan_model_n_trainable(&net->model) == 0) return KAN_OK;
    const kan_status status = kan_trainer_fit(&net->model, s->options->refit, &how, NULL, &why);
    if (status == KAN_OK || status == KAN_ENONFINITE) return KAN_OK; /* its error says the rest */
    return kan_status_fail(error, status, "%s", why.message);
}

/* Takes one part out if that costs no more than there is. */
static kan_status try_part(search *s, const kan_attribution *a, kan_edge e, bool *gone,
                           kan_error *error) {
    kan_prune_report report = *s->report;
    double value;
    kan_net *trial = kan_net_copy(s->net);
    *gone = false;
    if (!trial) return kan_status_fail(error, KAN_ENOMEM, "prune: out of memory");
    mask_fill(&s->mask, trial);
    if (e.out == KAN_EVERY)
        mask_drop_node(&s->mask, trial, e.layer, e.in);
    else
        s->mask.keep[e.layer][e.in * trial->layers[e.layer].n_out + e.out] = MASK_GOES;
    mask_settle(&s->mask, trial, a, s->options, &report);
    mask_apply(&s->mask, trial, a, s->options->fold, &report);
    kan_status status = refit(s, trial, error);
    if (status == KAN_OK) status = measure(s, trial, &value, error);
    /* a path that had to be kept stands where it was: nothing went, and nothing is gained */
    if (status == KAN_OK && value <= s->limit && report.n_edges_removed > s->report->n_edges_removed) {
        kan_net *old = s->net;
        s->net = trial, trial = old;
        report.error_after = value;
        report.n_kept_outputs = 0;
        *s->report = report;
        *gone = true;
    }
    kan_net_free(trial);
    return status;
}

static bool is_over(const search *s) {
    return (s->options->stop && *s->options->stop) ||
           (s->options->seconds > 0.0 && kan_clock_cpu() - s->began > s->options->seconds);
}

/* Scores everything, then tries everything once. */
static kan_status sweep(search *s, bool *any, kan_error *error) {
    kan_attribution *a = kan_attribution_alloc(s->net, s->d->n, s->x, error);
    if (!a) return error->status;
    kan_status status = KAN_OK;
    const size_t n = list_parts(s, a);
    *any = false;
    for (size_t j = 0; j < n && status == KAN_OK && !is_over(s); ++j) {
        bool gone;
        if (!is_there(s->net, s->parts[j].edge)) continue;
        status = try_part(s, a, s->parts[j].edge, &gone, error);
        *any = *any || gone;
    }
    kan_attribution_free(a);
    return status;
}

static kan_status start_search(search *s, const kan_net *net, kan_error *error) {
    size_t n_parts = 0;
    for (size_t l = 0; l < net->n_layers; ++l)
        n_parts += net->layers[l].n_in * (net->layers[l].n_out + 1);
    s->net = kan_net_copy(net);
    s->x = kan_work_alloc(kan_work_product(s->d->n, net->model.n_in));
    s->y_hat = kan_work_alloc(kan_work_product(s->d->n, net->model.n_out));
    assert(n_parts > 0);
    s->parts = calloc(n_parts, sizeof *s->parts);
    double *y = kan_work_alloc(s->d->n * kan_dataset_y_width(s->d));
    if (!s->net || !s->x || !s->y_hat || !s->parts || !y || mask_alloc(&s->mask, net) != KAN_OK) {
        kan_work_free(y);
        return kan_status_fail(error, KAN_ENOMEM, "prune: out of memory");
    }
    kan_dataset_batch(s->d, 0, s->d->n, NULL, s->x, y, NULL);
    kan_work_free(y);
    *s->report = (kan_prune_report){.n_inputs = net->model.n_in};
    const kan_status status = measure(s, net, &s->report->error_before, error);
    if (status == KAN_OK && !isfinite(s->report->error_before))
        return kan_status_fail(error, KAN_ENONFINITE, "prune: the error of the net is not finite");
    s->report->error_after = s->report->error_before;
    s->limit = fmax((1.0 + s->options->budget) * s->report->error_before, s->options->floor);
    return status;
}

kan_net *kan_prune_budget(const kan_net *net, const kan_dataset *d, const kan_prune_options *options,
                          size_t *inputs, kan_prune_report *report, kan_error *error) {
    const kan_prune_options o = with_defaults(options);
    kan_prune_report own;
    kan_error inner;
    search s = {.d = d, .options = &o, .report = report ? report : &own, .began = kan_clock_cpu()};
    kan_status status = start_search(&s, net, &inner);
    for (bool any = true; status == KAN_OK && any;) status = sweep(&s, &any, &inner);
    mask_free(&s.mask);
    free(s.parts);
    kan_work_free(s.y_hat);
    kan_work_free(s.x);
    if (status == KAN_OK) return finish(s.net, &o, inputs, s.report, error);
    kan_net_free(s.net);
    kan_status_fail(error, status, "%s", inner.message);
    return NULL;
}
