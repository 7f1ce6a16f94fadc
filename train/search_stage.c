/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/search_private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/work.h"

/* Shares of the time that is left: of the starts of a generation; most that is kept for the last stage. */
static const double starts_share = 0.35, most_reserve = 0.25;

/* A round must make the error smaller than this part of the best one to count as a gain. */
static const double gain = 0.98;

/* ---- time --------------------------------------------------------------------------------------- */

double search_now(const kan_search_state *t) {
    return kan_meter_seconds(t->options.train.meter);
}

bool search_stopped(const kan_search_state *t) {
    return (t->options.stop && *t->options.stop) || kan_meter_is_over(t->options.train.meter);
}

/* What the last stage will want of the time. */
static double reserve(const kan_search_state *t) {
    if (!t->options.all) return 0.0;
    const double rows = (double)t->options.all->n / (double)t->fit->n;
    return fmin(rows * t->best_cost, most_reserve * t->options.seconds);
}

/* Seconds left for starts and ladder; infinity without a clock. */
double search_time_left(const kan_search_state *t) {
    if (!(t->options.seconds > 0.0)) return INFINITY;
    return t->options.seconds - (search_now(t) - t->began) - reserve(t);
}

/* Where a record is replayed: what comes next in it, or NULL. */
const kan_search_stage *search_next_in_replay(const kan_search *s) {
    const kan_search_options *o = &s->state->options;
    return o->replay && s->n_stages < o->n_replay ? &o->replay[s->n_stages] : NULL;
}

/* Whether no other stage of starts or ladder may begin, in this generation or in a new one. */
bool search_is_over(const kan_search *s) {
    const kan_search_state *t = s->state;
    if (search_stopped(t)) return true;
    if (!t->options.replay) return search_time_left(t) <= 0.0;
    const kan_search_stage *next = search_next_in_replay(s);
    return !next || next->phase == KAN_SEARCH_ALL;
}

/* Seconds for the next training of the starts: their share over the trainings that are still to come, those of
 * a later round being twice as long. */
double search_start_seconds(const kan_search_state *t) {
    if (!(t->options.seconds > 0.0)) return INFINITY;
    const double begun = t->generation_began - t->began, left = search_time_left(t);
    const double end = begun + starts_share * (t->options.seconds - begun);
    double weight = (double)(t->n_members - t->next), each = 1.0;
    for (size_t n = t->n_members; n > t->options.survivors;) {
        n = (n + 1) / 2 > t->options.survivors ? (n + 1) / 2 : t->options.survivors;
        each *= 2.0;
        if (n > t->options.survivors) weight += each * (double)n;
    }
    return fmin(left, fmax(end - (search_now(t) - t->began), 0.0) / weight);
}

/* ... and for the next one on the ladder: half of what is left, shared by the members still to come. */
double search_rung_seconds(const kan_search_state *t) {
    size_t n = 0;
    for (size_t j = t->next; j < t->n_members; ++j) n += !t->members[j].out;
    return search_time_left(t) / (double)(n + 1);
}

/* ---- one training ------------------------------------------------------------------------------- */

/* RMSE or cross-entropy. */
static kan_status measure(const kan_model *m, const kan_dataset *d, double *value, kan_error *error) {
    kan_metric metric;
    const kan_status status = kan_trainer_evaluate(m, d, &metric, error);
    if (status == KAN_OK) *value = d->task == KAN_REGRESSION ? metric.rmse : metric.cross_entropy;
    return status;
}

/* The trainer of the stage that is running, from running_steps and running_seconds. */
static kan_status alloc_trainer(kan_search_state *t, kan_model *m, const kan_dataset *d,
                                kan_error *error) {
    const bool validates = d == t->fit;
    kan_train_options o = t->options.train;
    o.steps = t->running_steps;
    o.evaluations = 0;
    o.seconds = isfinite(t->running_seconds) ? fmax(t->running_seconds, 1e-6) : 0.0; /* 0: no limit */
    o.validation = validates ? t->validation : NULL;
    o.patience = validates ? t->options.patience : 0;
    o.stop = t->options.stop;
    t->trainer = kan_trainer_alloc(m, d, &o, error);
    return t->trainer ? KAN_OK : KAN_ENOMEM;
}

kan_status search_begin_training(kan_search *s, kan_model *m, const kan_dataset *d, size_t steps,
                                 double seconds, kan_error *error) {
    kan_search_state *t = s->state;
    const kan_search_stage *replay = search_next_in_replay(s);
    t->running_steps = replay ? replay->steps : steps;
    t->running_seconds = seconds;
    return alloc_trainer(t, m, d, error);
}

kan_status search_train(kan_search *s, kan_model *m, const kan_dataset *d, kan_error *error) {
    kan_search_state *t = s->state;
    kan_search_stage *stage = &t->running;
    const kan_report *report = &t->trainer->report;
    kan_status status = KAN_OK;
    while (status == KAN_OK && report->outcome == KAN_RUNNING) {
        if (t->options.between) t->options.between(t->options.context);
        status = kan_trainer_step(t->trainer, error);
    }
    kan_trainer_finish(t->trainer);
    stage->steps = report->steps;
    stage->best_step = report->best_step;
    stage->evaluations = report->evaluations;
    stage->outcome = report->outcome;
    kan_trainer_free(t->trainer);
    t->trainer = NULL;
    stage->parameters = kan_model_n_trainable(m);
    if (t->family->describe) t->family->describe(m, &stage->n_cells, &stage->degree);
    stage->validation = (double)NAN;
    if (status == KAN_OK) status = measure(m, d, &stage->train, error);
    if (status == KAN_OK && d == t->fit) status = measure(m, t->validation, &stage->validation, error);
    stage->seconds = search_now(t) - t->began;
    return status;
}

kan_status search_add_stage(kan_search *s, const kan_search_stage *stage) {
    kan_search_state *t = s->state;
    if (s->n_stages == t->capacity) {
        const size_t capacity = 2 * t->capacity + 64;
        kan_search_stage *grown = realloc(t->stages, capacity * sizeof *grown);
        if (!grown) return KAN_ENOMEM;
        t->stages = grown, t->capacity = capacity;
    }
    t->stages[s->n_stages++] = *stage;
    s->stages = t->stages;
    return KAN_OK;
}

/* Copies theta into *to [*size], which grows where it must. */
static kan_status keep_theta(const kan_model *m, double **to, size_t *size) {
    if (*size < m->n_params) {
        kan_work_free(*to);
        *to = kan_work_alloc(m->n_params);
        *size = *to ? m->n_params : 0;
    }
    if (!*to) return KAN_ENOMEM;
    memcpy(*to, m->theta, m->n_params * sizeof **to);
    return KAN_OK;
}

/* The model of the stage that was just recorded is the best so far. */
static kan_status keep_best(kan_search *s, const kan_model *m, double validation, double cost) {
    kan_search_state *t = s->state;
    kan_model *copy = t->family->copy(m);
    if (!copy) return KAN_ENOMEM;
    search_release(t, &t->best);
    t->best = copy;
    double *origin = t->best_origin;
    const size_t size = t->best_origin_size;
    t->best_origin = t->origin, t->best_origin_size = t->origin_size;
    t->origin = origin, t->origin_size = size;
    t->best_validation = validation, t->best_cost = cost;
    s->best = s->n_stages - 1;
    return KAN_OK;
}

static void update_member(member *a, const kan_search_stage *stage, double step_seconds) {
    a->validation = stage->validation;
    a->without_gain = stage->validation < gain * a->least ? 0 : a->without_gain + 1;
    a->least = fmin(a->least, stage->validation);
    a->step_seconds = step_seconds;
    a->ended = stage->outcome == KAN_CONVERGED || stage->outcome == KAN_STALLED;
}

/* Everything before the first step of a stage of one member. */
static kan_status begin_stage(kan_search *s, member *a, size_t steps, double seconds,
                              kan_error *error) {
    kan_search_state *t = s->state;
    t->running_began = search_now(t);
    t->running = (kan_search_stage){.phase = s->phase,
                                    .generation = t->generation,
                                    .start = a->start,
                                    .variant = a->variant,
                                    .parent = a->stage};
    kan_status status = KAN_OK;
    if (t->family->settle) status = t->family->settle(t->self, a->model, t->fit, error);
    if (status == KAN_OK) status = keep_theta(a->model, &t->origin, &t->origin_size);
    if (status == KAN_OK) status = search_begin_training(s, a->model, t->fit, steps, seconds, error);
    return status;
}

/* A stage of one member, or the rest of it where its trainer was loaded. One that diverges is out. */
kan_status search_train_member(kan_search *s, member *a, size_t steps, double seconds,
                               kan_error *error) {
    kan_search_state *t = s->state;
    kan_search_stage *stage = &t->running;
    kan_status status = t->trainer ? KAN_OK : begin_stage(s, a, steps, seconds, error);
    if (status == KAN_OK) status = search_train(s, a->model, t->fit, error);
    if (status == KAN_ENONFINITE) {
        a->out = true;
        a->validation = INFINITY;
        return KAN_OK;
    }
    if (status == KAN_OK) status = search_add_stage(s, stage);
    if (status != KAN_OK) return status;
    a->stage = s->n_stages - 1;
    s->model = a->model;
    const double cost = search_now(t) - t->running_began;
    update_member(a, stage, cost / (double)stage->steps);
    if (!(stage->validation < t->best_validation)) return KAN_OK;
    return keep_best(s, a->model, stage->validation, cost);
}

/* ---- to a file and back ------------------------------------------------------------------------- */

void search_snapshot_training(kan_search *s, kan_snapshot *snapshot) {
    kan_search_state *t = s->state;
    bool running = t->trainer != NULL;
    const bool all = s->phase == KAN_SEARCH_ALL;
    kan_model *m = all ? t->final : t->next < t->n_members ? t->members[t->next].model : NULL;
    double used = search_now(t) - t->running_began;
    kan_snapshot_flag(snapshot, "running", &running);
    if (snapshot->status != KAN_OK || !running) return;
    if (!m || (all && !t->options.all)) {
        kan_snapshot_refuse(snapshot, "running");
        return;
    }
    kan_snapshot_size(snapshot, "running_steps", &t->running_steps, SIZE_MAX);
    kan_snapshot_real(snapshot, "running_seconds", &t->running_seconds);
    kan_snapshot_real(snapshot, "running_used", &used);
    if (snapshot->status != KAN_OK) return;
    if (snapshot->loading) {
        t->running_began = search_now(t) - used;
        kan_snapshot_fail(snapshot,
                          alloc_trainer(t, m, all ? t->options.all : t->fit, snapshot->error));
    }
    kan_snapshot_enter(snapshot, "trainer");
    if (t->trainer) kan_trainer_snapshot(t->trainer, snapshot);
    kan_snapshot_leave(snapshot);
}
