/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/search.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/work.h"

/* Shares of the time that is left: of the starts of a generation; most that is kept for the last stage. */
static const double starts_share = 0.35, most_reserve = 0.25;

/* A round must make the error smaller than this part of the best one to count as a gain. */
static const double gain = 0.98;

enum { ROUNDS_WITHOUT_GAIN = 2 };

/* A model on its way. */
typedef struct member {
    kan_model *model;
    size_t start, variant, stage; /* the last stage; SIZE_MAX: none                       */
    double validation, least;     /* of the last stage, and of all                        */
    size_t without_gain;          /* rounds                                               */
    double step_seconds;          /* of the last stage                                    */
    bool ended;                   /* its training came to an end by itself                */
    bool out;                     /* cannot go on                                         */
} member;

struct kan_search_state {
    const kan_search_family *family;
    const void *self;
    const kan_dataset *fit, *validation;
    kan_search_options options; /* defaults filled in */
    kan_search_stage *stages;   /* what kan_search shows */
    size_t capacity;
    member *members; /* [capacity_members] of the round */
    size_t n_members, most_members, next, round, generation;
    bool fresh;                   /* the members of this phase have not been made yet */
    kan_model *best;              /* a copy of the best model                         */
    double *best_origin, *origin; /* theta before the training of the best model, and of the last one */
    size_t origin_size, best_origin_size;
    double best_validation, best_cost; /* seconds of that stage */
    kan_model *final;                  /* best, trained on all rows */
    double began, generation_began;
};

const char *kan_search_phase_name(kan_search_phase phase) {
    static const char *const names[] = {"starts", "ladder", "all rows", "done"};
    return (size_t)phase < sizeof names / sizeof *names ? names[phase] : NULL;
}

static kan_search_options with_defaults(const kan_search_options *given) {
    kan_search_options o = given ? *given : (kan_search_options){.all = NULL};
    const bool lbfgs = o.train.optimizer == KAN_LBFGS;
    if (o.starts == 0) o.starts = 12;
    if (o.survivors == 0) o.survivors = 2;
    if (o.survivors > o.starts) o.survivors = o.starts;
    if (o.round_steps == 0) o.round_steps = lbfgs ? 40 : 10;
    if (o.rung_steps == 0) o.rung_steps = lbfgs ? 300 : 60;
    if (o.patience == 0) o.patience = lbfgs ? 50 : 6;
    if (o.replay) o.seconds = 0.0;
    if (o.generations == 0) o.generations = o.seconds > 0.0 || o.replay ? SIZE_MAX : 1;
    return o;
}

/* ---- memory ------------------------------------------------------------------------------------- */

static size_t n_variants(const kan_search_state *t) {
    return t->family->n_variants ? t->family->n_variants(t->self) : 1;
}

kan_search *kan_search_alloc(const kan_search_family *family, const void *self, const kan_dataset *fit,
                             const kan_dataset *validation, const kan_search_options *options,
                             kan_error *error) {
    assert(fit->n > 0 && validation->n > 0);
    kan_search *s = calloc(1, sizeof *s);
    kan_search_state *t = calloc(1, sizeof *t);
    if (s && t) {
        *t = (kan_search_state){.family = family,
                                .self = self,
                                .fit = fit,
                                .validation = validation,
                                .options = with_defaults(options),
                                .best_validation = INFINITY};
        assert(t->options.train.optimizer != KAN_ADAM);
        const size_t on_ladder = t->options.survivors * n_variants(t);
        t->most_members = t->options.starts > on_ladder ? t->options.starts : on_ladder;
        t->members = calloc(t->most_members, sizeof *t->members);
        t->fresh = true;
        t->began = t->generation_began = kan_clock_cpu();
        *s = (kan_search){.best = SIZE_MAX, .state = t};
        if (t->members) return s;
    }
    free(t);
    free(s);
    kan_status_fail(error, KAN_ENOMEM, "search: out of memory");
    return NULL;
}

static void release(const kan_search_state *t, kan_model **m) {
    if (*m) t->family->release(*m);
    *m = NULL;
}

static void drop_members(kan_search_state *t) {
    for (size_t j = 0; j < t->n_members; ++j) release(t, &t->members[j].model);
    t->n_members = 0;
}

void kan_search_free(kan_search *s) {
    if (!s) return;
    kan_search_state *t = s->state;
    drop_members(t);
    release(t, &t->best);
    release(t, &t->final);
    kan_work_free(t->best_origin);
    kan_work_free(t->origin);
    free(t->members);
    free(t->stages);
    free(t);
    free(s);
}

static kan_status add_stage(kan_search *s, const kan_search_stage *stage) {
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

/* ---- time --------------------------------------------------------------------------------------- */

static bool stopped(const kan_search_state *t) {
    return t->options.stop && *t->options.stop;
}

/* What the last stage will want of the time. */
static double reserve(const kan_search_state *t) {
    if (!t->options.all) return 0.0;
    const double rows = (double)t->options.all->n / (double)t->fit->n;
    return fmin(rows * t->best_cost, most_reserve * t->options.seconds);
}

/* Seconds left for starts and ladder; infinity without a clock. */
static double time_left(const kan_search_state *t) {
    if (!(t->options.seconds > 0.0)) return INFINITY;
    return t->options.seconds - (kan_clock_cpu() - t->began) - reserve(t);
}

/* Where a record is replayed: what comes next in it, or NULL. */
static const kan_search_stage *next_in_replay(const kan_search *s) {
    const kan_search_options *o = &s->state->options;
    return o->replay && s->n_stages < o->n_replay ? &o->replay[s->n_stages] : NULL;
}

/* Whether no other stage of starts or ladder may begin, in this generation or in a new one. */
static bool is_over(const kan_search *s) {
    const kan_search_state *t = s->state;
    if (stopped(t)) return true;
    if (!t->options.replay) return time_left(t) <= 0.0;
    const kan_search_stage *next = next_in_replay(s);
    return !next || next->phase == KAN_SEARCH_ALL;
}

/* Seconds for the next training of the starts: their share over the trainings that are still to come, those of
 * a later round being twice as long. */
static double start_seconds(const kan_search_state *t) {
    if (!(t->options.seconds > 0.0)) return INFINITY;
    const double begun = t->generation_began - t->began, left = time_left(t);
    const double end = begun + starts_share * (t->options.seconds - begun);
    double weight = (double)(t->n_members - t->next), each = 1.0;
    for (size_t n = t->n_members; n > t->options.survivors;) {
        n = (n + 1) / 2 > t->options.survivors ? (n + 1) / 2 : t->options.survivors;
        each *= 2.0;
        if (n > t->options.survivors) weight += each * (double)n;
    }
    return fmin(left, fmax(end - (kan_clock_cpu() - t->began), 0.0) / weight);
}

/* ... and for the next one on the ladder: half of what is left, shared by the members still to come. */
static double rung_seconds(const kan_search_state *t) {
    size_t n = 0;
    for (size_t j = t->next; j < t->n_members; ++j) n += !t->members[j].out;
    return time_left(t) / (double)(n + 1);
}

/* ---- one training ------------------------------------------------------------------------------- */

/* RMSE or cross-entropy. */
static kan_status measure(const kan_model *m, const kan_dataset *d, double *value, kan_error *error) {
    kan_metric metric;
    const kan_status status = kan_trainer_evaluate(m, d, &metric, error);
    if (status == KAN_OK) *value = d->task == KAN_REGRESSION ? metric.rmse : metric.cross_entropy;
    return status;
}

/* Trains m on d for at most `steps` steps, or for those of the replay, and fills the stage. */
static kan_status train(kan_search *s, kan_model *m, const kan_dataset *d, size_t steps, double seconds,
                        kan_search_stage *stage, kan_error *error) {
    kan_search_state *t = s->state;
    const kan_search_stage *replay = next_in_replay(s);
    const bool validates = d == t->fit;
    kan_train_options o = t->options.train;
    o.steps = replay ? replay->steps : steps;
    o.evaluations = 0;
    o.seconds = isfinite(seconds) ? fmax(seconds, 1e-6) : 0.0; /* 0 would mean no limit */
    o.validation = validates ? t->validation : NULL;
    o.patience = validates ? t->options.patience : 0;
    o.stop = t->options.stop;
    kan_trainer *trainer = kan_trainer_alloc(m, d, &o, error);
    if (!trainer) return KAN_ENOMEM;
    kan_status status = KAN_OK;
    while (status == KAN_OK && trainer->report.outcome == KAN_RUNNING)
        status = kan_trainer_step(trainer, error);
    kan_trainer_finish(trainer);
    stage->steps = trainer->report.steps;
    stage->best_step = trainer->report.best_step;
    stage->evaluations = trainer->report.evaluations;
    stage->outcome = trainer->report.outcome;
    kan_trainer_free(trainer);
    stage->parameters = kan_model_n_trainable(m);
    if (t->family->describe) t->family->describe(m, &stage->n_cells, &stage->degree);
    stage->validation = (double)NAN;
    if (status == KAN_OK) status = measure(m, d, &stage->train, error);
    if (status == KAN_OK && validates) status = measure(m, t->validation, &stage->validation, error);
    stage->seconds = kan_clock_cpu() - t->began;
    return status;
}

/* The model of the stage that was just recorded is the best so far. */
static kan_status keep_best(kan_search *s, const kan_model *m, double validation, double cost) {
    kan_search_state *t = s->state;
    kan_model *copy = t->family->copy(m);
    if (!copy) return KAN_ENOMEM;
    release(t, &t->best);
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

/* A stage of one member. One that diverges is out. */
static kan_status train_member(kan_search *s, member *a, size_t steps, double seconds,
                               kan_error *error) {
    kan_search_state *t = s->state;
    const double begin = kan_clock_cpu();
    kan_search_stage stage = {.phase = s->phase,
                              .generation = t->generation,
                              .start = a->start,
                              .variant = a->variant,
                              .parent = a->stage};
    kan_status status = KAN_OK;
    if (t->family->settle) status = t->family->settle(t->self, a->model, t->fit, error);
    if (status == KAN_OK) status = keep_theta(a->model, &t->origin, &t->origin_size);
    if (status == KAN_OK) status = train(s, a->model, t->fit, steps, seconds, &stage, error);
    if (status == KAN_ENONFINITE) {
        a->out = true;
        a->validation = INFINITY;
        return KAN_OK;
    }
    if (status == KAN_OK) status = add_stage(s, &stage);
    if (status != KAN_OK) return status;
    a->stage = s->n_stages - 1;
    s->model = a->model;
    const double cost = kan_clock_cpu() - begin;
    update_member(a, &stage, cost / (double)stage.steps);
    if (!(stage.validation < t->best_validation)) return KAN_OK;
    return keep_best(s, a->model, stage.validation, cost);
}

/* ---- rounds ------------------------------------------------------------------------------------- */

/* Better ones first, equal ones by their numbers. */
static int compare_members(const void *a, const void *b) {
    const member *p = a, *q = b;
    if (p->out != q->out) return p->out ? 1 : -1;
    if (p->validation != q->validation) return p->validation < q->validation ? -1 : 1;
    if (p->start != q->start) return p->start < q->start ? -1 : 1;
    return (p->variant > q->variant) - (p->variant < q->variant);
}

/* Keeps the best `keep` of those that can go on. */
static void halve(kan_search_state *t, size_t keep) {
    qsort(t->members, t->n_members, sizeof *t->members, compare_members);
    size_t n = 0;
    while (n < t->n_members && n < keep && !t->members[n].out) ++n;
    for (size_t j = n; j < t->n_members; ++j) release(t, &t->members[j].model);
    t->n_members = n;
    t->next = 0;
    ++t->round;
}

/* Empty places for the starts of a new generation; each model is made when its turn comes. */
static void begin_starts(kan_search *s) {
    kan_search_state *t = s->state;
    drop_members(t);
    for (size_t j = 0; j < t->options.starts; ++j)
        t->members[j] = (member){.start = t->generation * t->options.starts + j,
                                 .stage = SIZE_MAX,
                                 .validation = INFINITY,
                                 .least = INFINITY};
    t->n_members = t->options.starts;
    t->next = t->round = 0;
    t->generation_began = kan_clock_cpu();
    s->phase = KAN_SEARCH_STARTS;
}

/* Every survivor in every variant. Variant 0 takes the place of the start itself, at last. */
static kan_status begin_ladder(kan_search *s, kan_error *error) {
    kan_search_state *t = s->state;
    const size_t variants = n_variants(t), n = t->n_members;
    kan_status status = KAN_OK;
    s->phase = KAN_SEARCH_LADDER;
    t->round = t->next = 0;
    for (size_t j = 0; j < n; ++j) t->members[j].least = INFINITY, t->members[j].without_gain = 0;
    if (!t->family->vary) return KAN_OK;
    for (size_t v = variants; v-- > 0 && status == KAN_OK;)
        for (size_t j = 0; j < n && status == KAN_OK; ++j) {
            kan_model *made = NULL;
            member *from = &t->members[j], *a = v > 0 ? &t->members[t->n_members] : from;
            status = t->family->vary(t->self, from->model, v, t->fit, &made, error);
            if (status == KAN_ENONFINITE) status = KAN_OK;
            if (!made) continue;
            if (v > 0)
                *a = *from, ++t->n_members;
            else
                release(t, &a->model);
            a->model = made, a->variant = v;
        }
    return status;
}

/* Whether the time allows a rung at all: a step of a finer model takes up to eight times as long, and a few steps are
 * the least that helps. In a replay, whether the record has that rung. */
static bool rung_fits(const kan_search *s, const member *a) {
    enum { DEARER = 8, LEAST_STEPS = 3 };
    const kan_search_state *t = s->state;
    const kan_search_stage *next = next_in_replay(s);
    if (t->options.replay) return next && next->start == a->start && next->variant == a->variant;
    return (double)(DEARER * LEAST_STEPS) * a->step_seconds < time_left(t);
}

/* The model of the next rung, in place of the one below it; out where there is none. */
static kan_status climb(const kan_search *s, member *a, kan_error *error) {
    const kan_search_state *t = s->state;
    if (!t->family->refine) {
        a->out = a->ended;
        return KAN_OK;
    }
    kan_model *finer = NULL;
    if (!rung_fits(s, a)) {
        a->out = true;
        return KAN_OK;
    }
    kan_status status = t->family->refine(t->self, a->model, t->fit, &finer, error);
    if (status == KAN_ENONFINITE) status = KAN_OK;
    if (status != KAN_OK) return status;
    a->out = !finer;
    if (!finer) return KAN_OK;
    release(t, &a->model);
    a->model = finer;
    return KAN_OK;
}

static kan_status step_start(kan_search *s, member *a, kan_error *error) {
    kan_search_state *t = s->state;
    if (a->ended) return KAN_OK;
    if (!a->model) {
        const kan_status status = t->family->start(t->self, t->options.seed, a->start, t->generation,
                                                   t->fit, &a->model, error);
        if (status == KAN_ENONFINITE) a->out = true;
        if (status != KAN_OK) return a->out ? KAN_OK : status;
    }
    const size_t longest = 20; /* doublings; a shift may not overflow */
    const size_t steps = t->options.round_steps << (t->round < longest ? t->round : longest);
    return train_member(s, a, steps, start_seconds(t), error);
}

static kan_status step_rung(kan_search *s, member *a, kan_error *error) {
    kan_search_state *t = s->state;
    kan_status status = KAN_OK;
    if (t->round > 0) status = climb(s, a, error);
    if (status != KAN_OK || a->out) return status;
    status = train_member(s, a, t->options.rung_steps, rung_seconds(t), error);
    if (a->without_gain >= ROUNDS_WITHOUT_GAIN) a->out = true;
    return status;
}

/* ---- from round to round ------------------------------------------------------------------------ */

/* Whether another generation may begin after the one that has just ended: not for the last crumbs of time. */
static bool generation_fits(const kan_search *s) {
    const kan_search_state *t = s->state;
    if (t->generation + 1 >= t->options.generations) return false;
    if (t->options.replay) return true; /* what follows in the record is one */
    return time_left(t) > (kan_clock_cpu() - t->generation_began) / 2.0;
}

/* Goes on to the phase on all rows, or to the end. */
static void end_generations(kan_search *s) {
    const kan_search_state *t = s->state;
    const bool in_record = !t->options.replay || next_in_replay(s);
    s->phase = t->options.all && in_record && !stopped(t) ? KAN_SEARCH_ALL : KAN_SEARCH_DONE;
}

/* After the last member of a round: fewer members, the next phase or the next generation. */
static kan_status end_round(kan_search *s, kan_error *error) {
    kan_search_state *t = s->state;
    const size_t half = (t->n_members + 1) / 2, survivors = t->options.survivors;
    const bool starts = s->phase == KAN_SEARCH_STARTS;
    halve(t, starts && half < survivors ? survivors : half);
    if (starts && t->n_members > survivors) return KAN_OK;
    if (t->n_members > 0) return starts ? begin_ladder(s, error) : KAN_OK;
    if (!t->best)
        return kan_status_fail(error, KAN_ENONFINITE, "search: every one of %zu starts diverged",
                               t->options.starts);
    if (!generation_fits(s)) {
        end_generations(s);
        return KAN_OK;
    }
    ++t->generation;
    begin_starts(s);
    return KAN_OK;
}

/* The best model once more, on all rows. Where the clock cuts a training that began anew, the model stays
 * what it was. */
static kan_status step_all(kan_search *s, kan_error *error) {
    kan_search_state *t = s->state;
    const kan_search_stage *from = &s->stages[s->best];
    kan_search_stage stage = *from;
    stage.phase = KAN_SEARCH_ALL, stage.parent = s->best;
    const size_t steps = from->best_step;
    const bool anew = from->outcome == KAN_PATIENCE;
    const double left = t->options.seconds > 0.0
                            ? fmax(t->options.seconds - (kan_clock_cpu() - t->began), 0.0)
                            : INFINITY;
    s->phase = KAN_SEARCH_DONE;
    kan_model *m = t->family->copy(t->best);
    if (!m) return kan_status_fail(error, KAN_ENOMEM, "search: out of memory");
    if (anew) memcpy(m->theta, t->best_origin, m->n_params * sizeof *m->theta);
    kan_status status = train(s, m, t->options.all, steps, left, &stage, error);
    const bool cut = stage.steps < steps &&
                     (stage.outcome == KAN_STEPS_USED || stage.outcome == KAN_STOPPED);
    if (status == KAN_ENONFINITE || (status == KAN_OK && anew && cut)) {
        release(t, &m);
        return KAN_OK;
    }
    if (status == KAN_OK) status = add_stage(s, &stage);
    if (status != KAN_OK) {
        release(t, &m);
        return status;
    }
    t->final = m;
    s->model = m;
    s->best = s->n_stages - 1;
    return KAN_OK;
}

static kan_status step(kan_search *s, kan_error *error) {
    kan_search_state *t = s->state;
    const size_t n_before = s->n_stages;
    kan_status status = KAN_OK;
    if (t->fresh) begin_starts(s);
    t->fresh = false;
    /* members that have come to their end need no stage */
    while (status == KAN_OK && s->n_stages == n_before && s->phase < KAN_SEARCH_ALL) {
        if (t->best && is_over(s)) {
            end_generations(s);
        } else if (t->next == t->n_members) {
            status = end_round(s, error);
        } else {
            member *a = &t->members[t->next];
            status = s->phase == KAN_SEARCH_STARTS ? step_start(s, a, error) : step_rung(s, a, error);
            ++t->next;
        }
    }
    if (status == KAN_OK && s->n_stages == n_before && s->phase == KAN_SEARCH_ALL)
        status = step_all(s, error);
    return status;
}

kan_status kan_search_step(kan_search *s, kan_error *error) {
    s->model = NULL;
    if (s->phase == KAN_SEARCH_DONE) return KAN_OK;
    const kan_status status = step(s, error);
    if (status == KAN_ENOMEM) kan_status_fail(error, status, "search: out of memory");
    return status;
}

kan_model *kan_search_take(kan_search *s) {
    kan_search_state *t = s->state;
    kan_model *m = t->final ? t->final : t->best;
    if (m == t->final)
        t->final = NULL;
    else
        t->best = NULL;
    s->model = NULL;
    s->phase = KAN_SEARCH_DONE;
    return m;
}

kan_model *kan_search_fit(const kan_search_family *family, const void *self, const kan_dataset *fit,
                          const kan_dataset *validation, const kan_search_options *options,
                          kan_search_stage **record, size_t *n_stages, kan_error *error) {
    kan_search *s = kan_search_alloc(family, self, fit, validation, options, error);
    if (!s) return NULL;
    kan_status status = KAN_OK;
    while (status == KAN_OK && s->phase != KAN_SEARCH_DONE) status = kan_search_step(s, error);
    kan_model *m = status == KAN_OK ? kan_search_take(s) : NULL;
    if (m && record) {
        *record = s->state->stages, *n_stages = s->n_stages;
        s->state->stages = NULL;
    }
    kan_search_free(s);
    return m;
}
