/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/search_private.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/work.h"

enum { ROUNDS_WITHOUT_GAIN = 2 };

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
        t->began = t->generation_began = search_now(t);
        *s = (kan_search){.best = SIZE_MAX, .state = t};
        if (t->members) return s;
    }
    free(t);
    free(s);
    kan_status_fail(error, KAN_ENOMEM, "search: out of memory");
    return NULL;
}

void search_release(const kan_search_state *t, kan_model **m) {
    if (*m) t->family->release(*m);
    *m = NULL;
}

static void drop_members(kan_search_state *t) {
    for (size_t j = 0; j < t->n_members; ++j) search_release(t, &t->members[j].model);
    t->n_members = 0;
}

void kan_search_free(kan_search *s) {
    if (!s) return;
    kan_search_state *t = s->state;
    kan_trainer_free(t->trainer);
    drop_members(t);
    search_release(t, &t->best);
    search_release(t, &t->final);
    kan_work_free(t->best_origin);
    kan_work_free(t->origin);
    free(t->members);
    free(t->stages);
    free(t);
    free(s);
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
    for (size_t j = n; j < t->n_members; ++j) search_release(t, &t->members[j].model);
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
    t->generation_began = search_now(t);
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
                search_release(t, &a->model);
            a->model = made, a->variant = v;
        }
    return status;
}

/* Whether the time allows a rung at all: a step of a finer model takes up to eight times as long, and a few steps are
 * the least that helps. In a replay, whether the record has that rung. */
static bool rung_fits(const kan_search *s, const member *a) {
    enum { DEARER = 8, LEAST_STEPS = 3 };
    const kan_search_state *t = s->state;
    const kan_search_stage *next = search_next_in_replay(s);
    if (t->options.replay) return next && next->start == a->start && next->variant == a->variant;
    return (double)(DEARER * LEAST_STEPS) * a->step_seconds < search_time_left(t);
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
    search_release(t, &a->model);
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
    return search_train_member(s, a, steps, search_start_seconds(t), error);
}

static kan_status step_rung(kan_search *s, member *a, kan_error *error) {
    kan_search_state *t = s->state;
    kan_status status = KAN_OK;
    if (t->round > 0 && !t->trainer) status = climb(s, a, error);
    if (status != KAN_OK || a->out) return status;
    status = search_train_member(s, a, t->options.rung_steps, search_rung_seconds(t), error);
    if (a->without_gain >= ROUNDS_WITHOUT_GAIN) a->out = true;
    return status;
}

/* ---- from round to round ------------------------------------------------------------------------ */

/* Whether another generation may begin after the one that has just ended: not for the last crumbs of time. */
static bool generation_fits(const kan_search *s) {
    const kan_search_state *t = s->state;
    if (t->generation + 1 >= t->options.generations) return false;
    if (t->options.replay) return true; /* what follows in the record is one */
    return search_time_left(t) > (search_now(t) - t->generation_began) / 2.0;
}

/* Goes on to the phase on all rows, or to the end. */
static void end_generations(kan_search *s) {
    const kan_search_state *t = s->state;
    const bool in_record = !t->options.replay || search_next_in_replay(s);
    s->phase = t->options.all && in_record && !search_stopped(t) ? KAN_SEARCH_ALL : KAN_SEARCH_DONE;
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

/* The best model, or what it was before its training, and a trainer for it on all rows. */
static kan_status begin_all(kan_search *s, bool anew, kan_error *error) {
    kan_search_state *t = s->state;
    const kan_search_stage *from = &s->stages[s->best];
    const double left = t->options.seconds > 0.0
                            ? fmax(t->options.seconds - (search_now(t) - t->began), 0.0)
                            : INFINITY;
    t->running = *from;
    t->running.phase = KAN_SEARCH_ALL, t->running.parent = s->best;
    t->final = t->family->copy(t->best);
    if (!t->final) return kan_status_fail(error, KAN_ENOMEM, "search: out of memory");
    if (anew) memcpy(t->final->theta, t->best_origin, t->final->n_params * sizeof *t->final->theta);
    return search_begin_training(s, t->final, t->options.all, from->best_step, left, error);
}

/* The best model once more, on all rows. Where the clock cuts a training that began anew, the model stays
 * what it was. */
static kan_status step_all(kan_search *s, kan_error *error) {
    kan_search_state *t = s->state;
    const kan_search_stage *from = &s->stages[s->best];
    const size_t steps = from->best_step;
    const bool anew = from->outcome == KAN_PATIENCE;
    kan_status status = t->trainer ? KAN_OK : begin_all(s, anew, error);
    if (status == KAN_OK) status = search_train(s, t->final, t->options.all, error);
    s->phase = KAN_SEARCH_DONE;
    const kan_search_stage *stage = &t->running;
    const bool cut = stage->steps < steps &&
                     (stage->outcome == KAN_STEPS_USED || stage->outcome == KAN_STOPPED);
    if (status == KAN_ENONFINITE || (status == KAN_OK && anew && cut)) {
        search_release(t, &t->final);
        return KAN_OK;
    }
    if (status == KAN_OK) status = search_add_stage(s, stage);
    if (status != KAN_OK) {
        search_release(t, &t->final);
        return status;
    }
    s->model = t->final;
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
        if (t->best && search_is_over(s)) {
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
