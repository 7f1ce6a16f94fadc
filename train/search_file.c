/* train/search_file.c - searches to a file and back.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/search_private.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/work.h"

/* A number of a stage is a double in the file; SIZE_MAX, which is none, stands there as -1. */
static double from_size(size_t value) {
    return value == SIZE_MAX ? -1.0 : (double)value;
}

static bool to_size(double number, size_t *value) {
    const double most = 9007199254740992.0; /* 2^53 */
    if (!(number >= -1.0 && number <= most)) return false;
    *value = number < 0.0 ? SIZE_MAX : (size_t)number;
    return true;
}

bool kan_search_replay_numbers(size_t n, kan_search_stage *stages, double *numbers, bool back) {
    for (size_t j = 0; j < n; ++j) {
        kan_search_stage *g = &stages[j];
        double *to = numbers + j * KAN_SEARCH_REPLAY_NUMBERS;
        size_t phase = g->phase,
               *values[] = {&phase, &g->generation, &g->start, &g->variant, &g->steps};
        for (size_t k = 0; k < KAN_SEARCH_REPLAY_NUMBERS; ++k)
            if (!back)
                to[k] = from_size(*values[k]);
            else if (!to_size(to[k], values[k]))
                return false;
        if (phase > KAN_SEARCH_ALL || g->steps == 0 || g->steps == SIZE_MAX) return false;
        g->phase = (kan_search_phase)phase;
    }
    return true;
}

/* ---- parts -------------------------------------------------------------------------------------- */

/* One stage as numbers, and back. */
enum { STAGE_SIZES = 11, STAGE_REALS = 3, STAGE_NUMBERS = STAGE_SIZES + STAGE_REALS };

static bool stage_numbers(kan_search_stage *g, double *numbers, bool loading) {
    size_t phase = g->phase, outcome = g->outcome;
    size_t *sizes[STAGE_SIZES] = {&phase,     &g->generation, &g->start,      &g->variant,
                                  &g->parent, &g->n_cells,    &g->degree,     &g->parameters,
                                  &g->steps,  &g->best_step,  &g->evaluations};
    double *reals[STAGE_REALS] = {&g->train, &g->validation, &g->seconds};
    for (size_t k = 0; k < STAGE_SIZES; ++k)
        if (!loading)
            numbers[k] = from_size(*sizes[k]);
        else if (!to_size(numbers[k], sizes[k]))
            return false;
    for (size_t k = 0; k < STAGE_REALS; ++k)
        if (loading)
            *reals[k] = numbers[STAGE_SIZES + k];
        else
            numbers[STAGE_SIZES + k] = *reals[k];
    if (!loading)
        numbers[STAGE_NUMBERS] = (double)outcome;
    else if (!to_size(numbers[STAGE_NUMBERS], &outcome))
        return false;
    g->phase = (kan_search_phase)phase, g->outcome = (kan_outcome)outcome;
    return phase <= KAN_SEARCH_DONE && outcome <= KAN_STOPPED;
}

/* n stages as one tensor. */
static void snapshot_stages(kan_snapshot *s, const char *name, size_t n, kan_search_stage *stages) {
    const size_t width = STAGE_NUMBERS + 1;
    double *numbers = s->status == KAN_OK ? kan_work_alloc(kan_work_product(n, width)) : NULL;
    if (s->status == KAN_OK && !numbers) kan_snapshot_fail(s, KAN_ENOMEM);
    for (size_t j = 0; numbers && !s->loading && j < n; ++j)
        stage_numbers(&stages[j], numbers + j * width, false);
    kan_snapshot_reals(s, name, n * width, numbers);
    for (size_t j = 0; numbers && s->status == KAN_OK && s->loading && j < n; ++j)
        if (!stage_numbers(&stages[j], numbers + j * width, true)) kan_snapshot_refuse(s, name);
    kan_work_free(numbers);
}

/* A model, or that there is none. */
static void snapshot_model(const kan_search_state *t, const char *part, kan_model **m,
                           kan_snapshot *s) {
    kan_snapshot_enter(s, part);
    bool there = *m != NULL;
    kan_snapshot_flag(s, "there", &there);
    if (s->status == KAN_OK && s->loading) search_release(t, m);
    if (s->status == KAN_OK && there && !s->loading)
        kan_snapshot_fail(s, kan_model_add_to(*m, s->file, s->error));
    if (s->status == KAN_OK && there && s->loading) {
        kan_error why = {.status = KAN_ENOMEM};
        *m = t->family->load(t->self, s->file, &why);
        if (!*m) kan_snapshot_fail(s, kan_status_fail(s->error, why.status, "%s", why.message));
    }
    kan_snapshot_leave(s);
}

/* theta before a training: an array that may be longer than what is in it. */
static void snapshot_origin(const char *name, double **theta, size_t *size, kan_snapshot *s) {
    char length[32];
    size_t n = *size;
    snprintf(length, sizeof length, "%s_size", name);
    kan_snapshot_size(s, length, &n, SIZE_MAX / sizeof **theta);
    if (s->status == KAN_OK && s->loading) {
        kan_work_free(*theta);
        const size_t shape[1] = {n}; /* nothing is allocated for what the file only claims */
        const bool there = kan_file_find(s->file, name, KAN_F64, 1, shape, s->error) != NULL;
        *theta = there ? kan_work_alloc(n) : NULL;
        *size = *theta ? n : 0;
        if (!there) kan_snapshot_fail(s, KAN_EFORMAT);
        if (there && !*theta)
            kan_snapshot_fail(s, kan_status_fail(s->error, KAN_ENOMEM, "search: out of memory"));
    }
    kan_snapshot_reals(s, name, n, *theta);
}

static void snapshot_member(const kan_search_state *t, member *a, kan_snapshot *s) {
    kan_snapshot_size(s, "start", &a->start, SIZE_MAX);
    kan_snapshot_size(s, "variant", &a->variant, SIZE_MAX);
    kan_snapshot_size(s, "stage", &a->stage, SIZE_MAX);
    kan_snapshot_size(s, "without_gain", &a->without_gain, SIZE_MAX);
    kan_snapshot_real(s, "validation", &a->validation);
    kan_snapshot_real(s, "least", &a->least);
    kan_snapshot_real(s, "step_seconds", &a->step_seconds);
    kan_snapshot_flag(s, "ended", &a->ended);
    kan_snapshot_flag(s, "out", &a->out);
    snapshot_model(t, "model", &a->model, s);
}

/* ---- the whole ---------------------------------------------------------------------------------- */

/* How far the search is. */
static void snapshot_place(kan_search *search, kan_snapshot *s) {
    kan_search_state *t = search->state;
    size_t phase = search->phase;
    double used = search_now(t) - t->began, begun = t->generation_began - t->began;
    kan_snapshot_size(s, "phase", &phase, KAN_SEARCH_DONE);
    kan_snapshot_size(s, "best", &search->best, SIZE_MAX);
    kan_snapshot_size(s, "n_stages", &search->n_stages, (size_t)1 << 40);
    kan_snapshot_size(s, "n_members", &t->n_members, t->most_members);
    kan_snapshot_size(s, "next", &t->next, t->most_members);
    kan_snapshot_size(s, "round", &t->round, SIZE_MAX);
    kan_snapshot_size(s, "generation", &t->generation, SIZE_MAX);
    kan_snapshot_flag(s, "fresh", &t->fresh);
    kan_snapshot_real(s, "used", &used);
    kan_snapshot_real(s, "generation_began", &begun);
    kan_snapshot_real(s, "best_validation", &t->best_validation);
    kan_snapshot_real(s, "best_cost", &t->best_cost);
    if (s->status != KAN_OK || !s->loading) return;
    search->phase = (kan_search_phase)phase;
    t->began = search_now(t) - used;
    t->generation_began = t->began + begun;
}

/* Memory for the stages that a file has. */
static void make_room(kan_search *search, kan_snapshot *s) {
    kan_search_state *t = search->state;
    const size_t n = search->n_stages, shape[1] = {kan_work_product(n, STAGE_NUMBERS + 1)};
    search->n_stages = 0;
    if (!kan_file_find(s->file, "stages", KAN_F64, 1, shape, s->error)) {
        kan_snapshot_fail(s, KAN_EFORMAT);
        return;
    }
    free(t->stages);
    t->stages = calloc(n + 1, sizeof *t->stages);
    search->stages = t->stages, t->capacity = t->stages ? n + 1 : 0;
    if (!t->stages)
        kan_snapshot_fail(s, kan_status_fail(s->error, KAN_ENOMEM, "search: out of memory"));
    if (t->stages) search->n_stages = n;
}

void kan_search_snapshot(kan_search *search, kan_snapshot *s) {
    kan_search_state *t = search->state;
    snapshot_place(search, s);
    if (s->status == KAN_OK && s->loading) make_room(search, s);
    if (s->status == KAN_OK && s->loading && search->best != SIZE_MAX &&
        search->best >= search->n_stages)
        kan_snapshot_refuse(s, "best");
    if (s->status != KAN_OK) return;
    snapshot_stages(s, "stages", search->n_stages, t->stages);
    snapshot_stages(s, "stage", 1, &t->running);
    for (size_t j = 0; s->loading && s->status == KAN_OK && j < search->n_stages; ++j)
        if (t->stages[j].parent != SIZE_MAX && t->stages[j].parent >= j)
            kan_snapshot_refuse(s, "stages");
    for (size_t j = 0; j < t->n_members && s->status == KAN_OK; ++j) {
        char part[32];
        snprintf(part, sizeof part, "member%zu", j);
        kan_snapshot_enter(s, part);
        snapshot_member(t, &t->members[j], s);
        kan_snapshot_leave(s);
    }
    snapshot_model(t, "best_model", &t->best, s);
    snapshot_model(t, "final", &t->final, s);
    snapshot_origin("origin", &t->origin, &t->origin_size, s);
    snapshot_origin("best_origin", &t->best_origin, &t->best_origin_size, s);
    if (s->status == KAN_OK) search_snapshot_training(search, s);
}
