/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "experiments/protocol.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/random.h"
#include "core/work.h"
#include "experiments/checkpoint.h"
#include "experiments/progress.h"
#include "kan/grid.h"
#include "kan/ladder.h"
#include "mlp/restart.h"

static const double validation_share = 0.2;

/* Standard deviations beyond which an input counts by its logarithm. Uniform inputs end at 1.7, normal
 * ones pass 4 once in 16 000: only heavy tails are touched. */
static const double input_tail = 4.0;

const char *family_name(family f) {
    return f == FAMILY_KAN ? "kan" : "mlp";
}

/* ---- the problem -------------------------------------------------------------------------------- */

kan_status problem_make(const kan_dataset *train, uint64_t seed, problem *p, kan_error *error) {
    *p = (problem){.fit = NULL};
    if (train->n < 5)
        return kan_status_fail(error, KAN_EFORMAT, "%zu training rows are too few", train->n);
    const size_t n_held = (size_t)(validation_share * (double)train->n + 0.5),
                 n_fit = train->n - n_held;
    kan_random random = kan_random_seed(seed, 0);
    kan_status status = KAN_ENOMEM;
    size_t *rows = malloc(train->n * sizeof *rows);
    if (!rows) goto done;
    status = kan_dataset_split(train, n_held, &random, rows, error);
    if (status != KAN_OK) goto done;
    status = KAN_ENOMEM;
    p->all = kan_dataset_select(train, train->n, rows);
    p->fit = kan_dataset_select(train, n_fit, rows);
    p->validation = kan_dataset_select(train, n_held, rows + n_fit);
    p->held = kan_dataset_select(train, n_held, rows + n_fit);
    if (!p->all || !p->fit || !p->validation || !p->held) goto done;
    p->scaler = kan_scaler_alloc(p->fit);
    if (!p->scaler) goto done;
    p->scaler->x_tail = input_tail;
    kan_scaler_apply(p->scaler, p->all);
    kan_scaler_apply(p->scaler, p->fit);
    kan_scaler_apply(p->scaler, p->validation);
    status = KAN_OK;
done:
    free(rows);
    if (status == KAN_ENOMEM) kan_status_fail(error, status, "out of memory");
    if (status != KAN_OK) problem_free(p);
    return status;
}

void problem_free(problem *p) {
    kan_dataset_free(p->all);
    kan_dataset_free(p->fit);
    kan_dataset_free(p->validation);
    kan_dataset_free(p->held);
    kan_scaler_free(p->scaler);
    *p = (problem){.fit = NULL};
}

/* Metrics in the units of the data from scaled rows: their predictions, and their targets, go back. */
kan_status problem_evaluate_scaled(const problem *p, const kan_model *m, const kan_dataset *d,
                                   kan_metric *metric, kan_error *error) {
    kan_status status = KAN_ENOMEM;
    double *y_hat = kan_work_alloc(kan_work_product(d->n, m->n_out)),
           *y = kan_work_alloc(kan_work_product(d->n, kan_dataset_y_width(d))),
           *counts = kan_work_alloc(3 * m->n_out);
    if (!y_hat || !y || !counts) goto done;
    status = kan_trainer_predict(m, d, y_hat, error);
    if (status != KAN_OK) goto done;
    memcpy(y, d->y, d->n * kan_dataset_y_width(d) * sizeof *y);
    kan_scaler_undo(p->scaler, d->n, y_hat);
    kan_scaler_undo(p->scaler, d->n, y);
    kan_dataset raw = *d;
    raw.y = y;
    *metric = kan_metric_eval(&raw, y_hat, counts);
done:
    kan_work_free(counts);
    kan_work_free(y);
    kan_work_free(y_hat);
    return status == KAN_ENOMEM ? kan_status_fail(error, status, "out of memory") : status;
}

kan_status problem_evaluate(const problem *p, const kan_model *m, const kan_dataset *d,
                            kan_metric *metric, kan_error *error) {
    kan_status status = KAN_ENOMEM;
    kan_dataset *scaled = NULL;
    size_t *rows = malloc(d->n * sizeof *rows);
    if (!rows) goto done;
    for (size_t s = 0; s < d->n; ++s) rows[s] = s;
    scaled = kan_dataset_select(d, d->n, rows);
    if (!scaled) goto done;
    kan_scaler_apply(p->scaler, scaled);
    status = problem_evaluate_scaled(p, m, scaled, metric, error);
done:
    kan_dataset_free(scaled);
    free(rows);
    return status == KAN_ENOMEM ? kan_status_fail(error, status, "out of memory") : status;
}

/* ---- one training ------------------------------------------------------------------------------- */

/* Moves the grids of a KAN to the data: those of its inputs before the training, all of them during it.
 * Images are not moved to: their pixels are in [0, 1] and mostly 0, where the configured grid covers
 * them. */
static kan_status move_grids(const trained *t, const kan_dataset *d, bool inputs_only,
                             kan_error *error) {
    if (!t->net || t->candidate.grid_updates == 0 || !d->x) return KAN_OK;
    const double grid_eps = t->candidate.grid_eps;
    return inputs_only ? kan_grid_update_inputs(t->net, d->n, d->x, grid_eps, error)
                       : kan_grid_update(t->net, d->n, d->x, grid_eps, error);
}

/* The model of a candidate, its first grids where the data are. */
static kan_status make_model(trained *t, const kan_dataset *d, kan_error *error) {
    if (t->candidate.family == FAMILY_KAN)
        t->net = kan_net_alloc(&t->candidate.net);
    else
        t->mlp = kan_mlp_alloc(&t->candidate.mlp);
    if (!t->net && !t->mlp) return kan_status_fail(error, KAN_ENOMEM, "out of memory");
    t->model = t->net ? kan_net_model(t->net) : kan_mlp_model(t->mlp);
    if (t->net && t->candidate.has_penalty) kan_net_set_penalty(t->net, &t->candidate.penalty);
    return move_grids(t, d, true, error);
}

/* The steps that fit in the given seconds, at most the candidate's own: a few steps of a model that is
 * thrown away tell what one costs, so the clock decides how many steps there are and nothing else. */
static kan_status count_steps(const trained *t, const problem *p, double seconds, size_t *steps,
                              kan_error *error) {
    enum { LEAST = 3, MOST = 200 };
    trained probe = {.candidate = t->candidate};
    kan_trainer *trainer = NULL;
    const double start = kan_clock_cpu();
    double used = 0.0;
    size_t done = 0;
    kan_status status = make_model(&probe, p->fit, error);
    if (status == KAN_OK) {
        trainer = kan_trainer_alloc(probe.model, p->fit, &probe.candidate.train, error);
        if (!trainer) status = KAN_ENOMEM;
    }
    const double first = kan_clock_cpu();
    while (status == KAN_OK && done < MOST && (done < LEAST || used < 0.02 * seconds)) {
        status = kan_trainer_step(trainer, NULL);
        used = kan_clock_cpu() - first;
        ++done;
    }
    /* a probe that diverges is no reason to stop: the training itself will say so */
    if (status == KAN_ENONFINITE) status = KAN_OK;
    if (status == KAN_OK && done > 0) {
        const double left = seconds - (kan_clock_cpu() - start), fit = 0.9 * left * (double)done / used;
        if (fit < (double)*steps) *steps = fit > 1.0 ? (size_t)fit : 1;
    }
    kan_trainer_free(trainer);
    trained_free(&probe);
    return status;
}

/* When all grids are moved: with Adam at equal distances in the first third of the schedule; with the
 * others, which have no schedule that a clock could not cut, every 50 steps from the start. */
static bool grids_are_due(const trained *t, size_t step) {
    enum { DISTANCE = 50 };
    const candidate *c = &t->candidate;
    const bool adam = c->train.optimizer == KAN_ADAM;
    const size_t every = adam ? c->train.steps / (2 * c->grid_updates + 1) + 1 : DISTANCE;
    return t->net && step > 0 && step % every == 0 && step / every < c->grid_updates;
}

/* ---- to a file and back ------------------------------------------------------------------------- */

void protocol_snapshot_metric(kan_metric *m, kan_snapshot *s, const char *name) {
    double v[] = {m->rmse, m->mae, m->r2, m->accuracy, m->macro_f1, m->cross_entropy};
    kan_snapshot_reals(s, name, sizeof v / sizeof *v, v);
    *m = (kan_metric){v[0], v[1], v[2], v[3], v[4], v[5]};
}

/* Net or MLP; one that is there already is replaced. */
static void snapshot_model(trained *t, kan_snapshot *s) {
    kan_snapshot_enter(s, "model");
    if (s->status == KAN_OK && !s->loading) {
        kan_snapshot_fail(s, kan_model_add_to(t->model, s->file, s->error));
    } else if (s->status == KAN_OK) {
        kan_error why = {.status = KAN_ENOMEM};
        trained_free(t);
        if (t->candidate.family == FAMILY_KAN)
            t->net = kan_net_load(s->file, &why);
        else
            t->mlp = kan_mlp_load(s->file, &why);
        if (t->net || t->mlp)
            t->model = t->net ? kan_net_model(t->net) : kan_mlp_model(t->mlp);
        else
            kan_snapshot_fail(s, kan_status_fail(s->error, why.status, "%s", why.message));
        if (t->net && t->candidate.has_penalty) kan_net_set_penalty(t->net, &t->candidate.penalty);
    }
    kan_snapshot_leave(s);
}

static void snapshot_stage(trained_stage *g, kan_snapshot *s) {
    size_t phase = KAN_SEARCH_STARTS;
    while (!s->loading && phase < KAN_SEARCH_DONE &&
           strcmp(g->phase, kan_search_phase_name((kan_search_phase)phase)) != 0)
        ++phase;
    kan_snapshot_size(s, "phase", &phase, KAN_SEARCH_DONE);
    g->phase = kan_search_phase_name((kan_search_phase)phase);
    kan_snapshot_size(s, "n_cells", &g->n_cells, SIZE_MAX);
    kan_snapshot_size(s, "degree", &g->degree, SIZE_MAX);
    kan_snapshot_size(s, "steps", &g->steps, SIZE_MAX);
    kan_snapshot_real(s, "seconds", &g->seconds);
    protocol_snapshot_metric(&g->train, s, "train");
    protocol_snapshot_metric(&g->test, s, "test");
}

/* The record of a search, as far as a replay wants it. */
static void snapshot_record(trained *t, kan_snapshot *s) {
    size_t n = t->n_record;
    kan_snapshot_size(s, "n_record", &n, (size_t)1 << 30);
    if (s->status != KAN_OK || n == 0) return;
    if (s->loading) t->record = calloc(n, sizeof *t->record);
    double *numbers = kan_work_alloc(kan_work_product(n, KAN_SEARCH_REPLAY_NUMBERS));
    if (!numbers || !t->record)
        kan_snapshot_fail(s, kan_status_fail(s->error, KAN_ENOMEM, "out of memory"));
    else
        t->n_record = n;
    if (s->status == KAN_OK && !s->loading) kan_search_replay_numbers(n, t->record, numbers, false);
    kan_snapshot_reals(s, "record", n * KAN_SEARCH_REPLAY_NUMBERS, numbers);
    if (s->status == KAN_OK && s->loading && !kan_search_replay_numbers(n, t->record, numbers, true))
        kan_snapshot_refuse(s, "record");
    kan_work_free(numbers);
}

void trained_snapshot(trained *t, kan_snapshot *s) {
    bool there = t->model != NULL;
    kan_snapshot_flag(s, "there", &there);
    if (s->status != KAN_OK || !there) return;
    kan_train_options *train = &t->candidate.train;
    kan_snapshot_size(s, "seed", &t->seed, SIZE_MAX);
    kan_snapshot_size(s, "parameters", &t->parameters, SIZE_MAX);
    kan_snapshot_size(s, "most_steps", &train->steps, SIZE_MAX);
    kan_snapshot_size(s, "most_evaluations", &train->evaluations, SIZE_MAX);
    kan_snapshot_real(s, "cpu_seconds", &t->seconds);
    kan_snapshot_real(s, "wall", &t->wall_seconds);
    protocol_snapshot_metric(&t->validation, s, "validation_metric");
    protocol_snapshot_metric(&t->test, s, "test_metric");
    kan_trainer_snapshot_report(&t->report, s);
    kan_snapshot_size(s, "n_stages", &t->n_stages, TRAINED_MAX_STAGES);
    for (size_t k = 0; k < t->n_stages && s->status == KAN_OK; ++k) {
        char part[32];
        snprintf(part, sizeof part, "stage%zu", k);
        kan_snapshot_enter(s, part);
        snapshot_stage(&t->stages[k], s);
        kan_snapshot_leave(s);
    }
    snapshot_model(t, s);
    snapshot_record(t, s);
    if (!s->loading || s->status != KAN_OK) return;
    t->candidate.net.seed = t->candidate.mlp.seed = train->seed = t->seed;
    if (t->n_stages > 0 && t->net) t->candidate.net = *kan_net_get_config(t->net);
}

/* ---- one training, continued -------------------------------------------------------------------- */

/* A training as it goes on: t has the model, `cpu` and `wall` are when it began. */
typedef struct training {
    trained *t;
    const kan_dataset *d;
    double cpu, wall;
    kan_trainer *trainer;
} training;

static training begin_training(trained *t, const kan_dataset *d) {
    return (training){.t = t, .d = d, .cpu = kan_clock_cpu(), .wall = kan_clock_wall()};
}

static void snapshot_training(void *context, kan_snapshot *s) {
    training *g = context;
    double cpu = kan_clock_cpu() - g->cpu, wall = kan_clock_wall() - g->wall;
    kan_snapshot_size(s, "most_steps", &g->t->candidate.train.steps, SIZE_MAX);
    kan_snapshot_real(s, "cpu", &cpu);
    kan_snapshot_real(s, "wall", &wall);
    snapshot_model(g->t, s);
    if (s->status != KAN_OK) return;
    if (s->loading) {
        g->cpu = kan_clock_cpu() - cpu, g->wall = kan_clock_wall() - wall;
        g->trainer = kan_trainer_alloc(g->t->model, g->d, &g->t->candidate.train, s->error);
        if (!g->trainer) kan_snapshot_fail(s, KAN_ENOMEM);
    }
    kan_snapshot_enter(s, "trainer");
    if (g->trainer) kan_trainer_snapshot(g->trainer, s);
    kan_snapshot_leave(s);
}

/* What the history says, in parts of steps that are equal on a logarithmic scale. */
static void thin_history(trained *t, const kan_trainer *trainer) {
    const kan_record *h = trainer->history;
    const double n = (double)trainer->history_length;
    size_t begin = 0;
    for (int k = 1; k <= TRAINED_MAX_POINTS && trainer->history_length > 0; ++k) {
        const size_t end = (size_t)(pow(n, (double)k / TRAINED_MAX_POINTS) + 0.5);
        trained_point p = {
            .step = h[end - 1].step, .validation = (double)NAN, .seconds = h[end - 1].seconds};
        if (end <= begin) continue;
        for (size_t j = begin; j < end; ++j) {
            p.loss += h[j].loss / (double)(end - begin);
            if (isfinite(h[j].validation)) p.validation = h[j].validation;
        }
        t->points[t->n_points++] = p;
        begin = end;
    }
}

/* Trains the model of t for the steps of its schedule, or up to the step `end` of it. */
static kan_status run(training *g, size_t end, progress *show, kan_error *error) {
    trained *t = g->t;
    checkpoint *c = show ? show->checkpoint : NULL;
    kan_status status = checkpoint_enter(c, "training", snapshot_training, g, error);
    if (status == KAN_OK && !g->trainer)
        g->trainer = kan_trainer_alloc(t->model, g->d, &t->candidate.train, error);
    if (status == KAN_OK && !g->trainer) status = KAN_ENOMEM;
    checkpoint_arrived(c);
    while (status == KAN_OK && g->trainer->report.outcome == KAN_RUNNING &&
           g->trainer->report.steps < end) {
        checkpoint_step(c);
        if (grids_are_due(t, g->trainer->report.steps)) {
            status = move_grids(t, g->d, false, error);
            kan_trainer_reset(g->trainer);
        }
        if (status == KAN_OK) status = kan_trainer_step(g->trainer, error);
        progress_step(show, &g->trainer->report, t->candidate.train.steps);
    }
    checkpoint_leave(c);
    if (g->trainer) {
        kan_trainer_finish(g->trainer);
        t->report = g->trainer->report;
        thin_history(t, g->trainer);
    }
    kan_trainer_free(g->trainer);
    g->trainer = NULL;
    return status;
}

kan_status protocol_train(const candidate *c, const problem *p, uint64_t seed, double seconds,
                          const volatile sig_atomic_t *stop, progress *show, trained *out,
                          kan_error *error) {
    const double nan = (double)NAN;
    *out = (trained){.candidate = *c, .seed = seed, .test = {nan, nan, nan, nan, nan, nan}};
    training g = begin_training(out, p->fit);
    const bool resuming = show && checkpoint_resuming(show->checkpoint);
    candidate *own = &out->candidate;
    own->net.seed = own->mlp.seed = own->train.seed = seed;
    own->train.validation = p->validation;
    own->train.stop = stop;
    kan_status status = KAN_OK;
    if (seconds > 0.0 && !resuming) status = count_steps(out, p, seconds, &own->train.steps, error);
    /* a step may take many evaluations: optimizers without a schedule also stop by the clock */
    if (own->train.optimizer != KAN_ADAM) own->train.seconds = seconds;
    if (status == KAN_OK) status = make_model(out, p->fit, error);
    if (status == KAN_OK) status = run(&g, SIZE_MAX, show, error);
    const bool fault = status == KAN_ENONFINITE && out->report.best_step > 0;
    if (fault) out->report.outcome = KAN_DIVERGED;
    kan_status judged = status;
    if (status == KAN_OK || fault)
        judged = problem_evaluate(p, out->model, p->held, &out->validation, fault ? NULL : error);
    if (judged != KAN_OK) {
        trained_free(out);
        return status == KAN_OK ? judged : status;
    }
    if (own->train.optimizer != KAN_ADAM) { /* what the clock decided, to be repeated without it */
        own->train.steps = out->report.steps;
        own->train.evaluations = out->report.evaluations;
        own->train.seconds = 0.0;
    }
    out->parameters = kan_model_n_trainable(out->model);
    out->seconds = kan_clock_cpu() - g.cpu;
    out->wall_seconds = kan_clock_wall() - g.wall;
    return status;
}

/* Steps on all rows that are as many passes over the rows as the given ones over the rows to fit. */
static size_t scale_steps(const candidate *c, const problem *p, size_t steps) {
    if (c->train.optimizer != KAN_ADAM) return steps;
    const size_t batch = c->train.batch, fit = (p->fit->n + batch - 1) / batch,
                 all = (p->all->n + batch - 1) / batch;
    return (size_t)((double)steps * (double)all / (double)fit + 0.5);
}

/* A copy of a trained model, whose grids stay where they are. */
static kan_status copy_model(trained *t, const trained *from, kan_error *error) {
    const kan_model *copy = from->net ? kan_ladder_family->copy(from->model)
                                      : kan_restart_family->copy(from->model);
    if (!copy) return kan_status_fail(error, KAN_ENOMEM, "out of memory");
    if (from->net)
        t->net = kan_ladder_net(copy);
    else
        t->mlp = kan_restart_mlp(copy);
    t->model = t->net ? kan_net_model(t->net) : kan_mlp_model(t->mlp);
    t->candidate.grid_updates = 0;
    return KAN_OK;
}

kan_status protocol_refit(trained *t, const problem *p, progress *show, kan_error *error) {
    trained again = {.candidate = t->candidate};
    training g = begin_training(&again, p->all);
    kan_train_options *train = &again.candidate.train;
    const size_t end = scale_steps(&t->candidate, p, t->report.best_step);
    train->validation = NULL;
    train->check_every = 0;
    train->steps = scale_steps(&t->candidate, p, train->steps);
    kan_status status = train->optimizer == KAN_LM ? copy_model(&again, t, error)
                                                   : make_model(&again, p->all, error);
    if (status == KAN_OK) status = run(&g, end, show, error);
    t->report.steps += again.report.steps;
    t->report.evaluations += again.report.evaluations;
    t->seconds += kan_clock_cpu() - g.cpu;
    t->wall_seconds += kan_clock_wall() - g.wall;
    if (status == KAN_OK && again.report.outcome != KAN_STOPPED) {
        trained_free(t);
        t->net = again.net, t->mlp = again.mlp, t->model = again.model;
    } else {
        trained_free(&again);
    }
    return status;
}

bool protocol_is_better(kan_task task, const kan_metric *a, const kan_metric *b) {
    if (task == KAN_REGRESSION) return a->rmse < b->rmse;
    return a->accuracy > b->accuracy ||
           (a->accuracy == b->accuracy && a->cross_entropy < b->cross_entropy);
}

void trained_free(trained *t) {
    kan_net_free(t->net);
    kan_mlp_free(t->mlp);
    free(t->record);
    t->net = NULL, t->mlp = NULL, t->model = NULL;
    t->record = NULL, t->n_record = 0;
}
