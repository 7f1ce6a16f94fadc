/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "experiments/effort.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "experiments/checkpoint.h"
#include "experiments/command.h"
#include "experiments/progress.h"
#include "kan/ladder.h"
#include "mlp/restart.h"

/* Weight of the roughness of a KAN's curves, for standardised targets. Its bias is some 1e-9 of a curve whose
 * sixth derivative is 1e4, and where a cell has no sample it is all that there is. */
static const double default_roughness = 1e-10;

/* Degrees beside the cubic one that the starts have, where no --degree is given. */
static const size_t other_degrees[] = {5, 7};

/* ---- options ------------------------------------------------------------------------------------ */

int effort_check(const options *o) {
    const char *given = o->steps > 0        ? "steps"
                        : o->budget > 0.0   ? "budget"
                        : o->rate > 0.0     ? "rate"
                        : o->batch > 0      ? "batch"
                        : o->has_decay      ? "decay"
                        : o->precision != 0 ? "precision single"
                                            : NULL;
    if (o->effort > 0.0 && given)
        return complain(EXIT_USAGE, "--%s does not go with --effort, which decides that itself", given);
    if (o->effort > 0.0 && o->has_optimizer && o->optimizer == KAN_ADAM)
        return complain(EXIT_USAGE, "--optimizer adam does not go with --effort");
    if (!(o->effort > 0.0) && o->has_roughness)
        return complain(EXIT_USAGE, "--roughness goes with --effort");
    if (o->effort > 0.0 && o->n_grids > KAN_LADDER_RUNGS)
        return complain(EXIT_USAGE, "--grid: at most %d grids", KAN_LADDER_RUNGS);
    return 0;
}

void effort_make(const options *o, candidate *c) {
    c->train = (kan_train_options){.optimizer = o->has_optimizer ? o->optimizer : KAN_LM};
    if (c->family == FAMILY_MLP) return;
    c->train.penalty = o->has_roughness ? o->roughness : default_roughness;
    c->ladder = (kan_ladder_config){.net = {.degree = c->net.degree}};
    for (size_t g = 0; g < o->n_grids; ++g) c->ladder.cells[g] = o->grids[g];
    if (o->degree == 0) memcpy(c->ladder.degrees, other_degrees, sizeof other_degrees);
    /* splines can be any smooth function: a base function beside them only makes parameters dependent */
    if (!o->has_base) c->net.base = KAN_BASE_ZERO;
}

/* ---- one search --------------------------------------------------------------------------------- */

/* A search with the metrics of its stages; those not looked at are NaN. */
typedef struct journey {
    const problem *p;
    const kan_dataset *test;
    kan_search *search;
    size_t capacity;
    kan_metric *train, *test_metric; /* [capacity] of the stages */
    trained *out;
    double cpu, wall; /* when it began */
    checkpoint *checkpoint;
} journey;

static kan_status make_room(journey *j, size_t n, kan_error *error) {
    if (n <= j->capacity) return KAN_OK;
    const size_t capacity = 2 * n + 64;
    kan_metric *train = realloc(j->train, capacity * sizeof *train);
    if (train) j->train = train;
    kan_metric *test = realloc(j->test_metric, capacity * sizeof *test);
    if (test) j->test_metric = test;
    if (!train || !test) return kan_status_fail(error, KAN_ENOMEM, "out of memory");
    const double nan = (double)NAN;
    for (size_t k = j->capacity; k < capacity; ++k)
        train[k] = test[k] = (kan_metric){nan, nan, nan, nan, nan, nan};
    j->capacity = capacity;
    return KAN_OK;
}

/* The metrics of n stages; those of starts are mostly not known. */
static void snapshot_metrics(journey *j, size_t n, kan_snapshot *s) {
    for (size_t k = 0; k < n && s->status == KAN_OK; ++k) {
        char name[32];
        bool known = j->search->stages[k].phase != KAN_SEARCH_STARTS || !isnan(j->train[k].mae) ||
                     !isnan(j->train[k].accuracy);
        snprintf(name, sizeof name, "known%zu", k);
        kan_snapshot_flag(s, name, &known);
        if (!known) continue;
        snprintf(name, sizeof name, "train%zu", k);
        protocol_snapshot_metric(&j->train[k], s, name);
        snprintf(name, sizeof name, "test%zu", k);
        protocol_snapshot_metric(&j->test_metric[k], s, name);
    }
}

static void snapshot_journey(void *context, kan_snapshot *s) {
    journey *j = context;
    double cpu = kan_clock_cpu() - j->cpu, wall = kan_clock_wall() - j->wall;
    kan_snapshot_real(s, "cpu", &cpu);
    kan_snapshot_real(s, "wall", &wall);
    if (s->loading) j->cpu = kan_clock_cpu() - cpu, j->wall = kan_clock_wall() - wall;
    kan_trainer_snapshot_report(&j->out->report, s);
    protocol_snapshot_metric(&j->out->validation, s, "validation_metric");
    kan_snapshot_enter(s, "search");
    kan_search_snapshot(j->search, s);
    kan_snapshot_leave(s);
    const size_t n = j->search->n_stages;
    if (s->status == KAN_OK && s->loading) kan_snapshot_fail(s, make_room(j, n, s->error));
    snapshot_metrics(j, n, s);
}

static void between(void *context) {
    checkpoint_step(((journey *)context)->checkpoint);
}

/* After a stage: what its model does in the units of the data. */
static kan_status look(journey *j, trained *out, kan_error *error) {
    const kan_search *s = j->search;
    const size_t last = s->n_stages - 1;
    const kan_search_stage *stage = &s->stages[last];
    const problem *p = j->p;
    const bool is_best = s->best == last, all = stage->phase == KAN_SEARCH_ALL;
    kan_status status = make_room(j, s->n_stages, error);
    if (status != KAN_OK || (stage->phase == KAN_SEARCH_STARTS && !is_best)) return status;
    status = problem_evaluate_scaled(p, s->model, all ? p->all : p->fit, &j->train[last], error);
    if (status == KAN_OK) status = problem_evaluate(p, s->model, j->test, &j->test_metric[last], error);
    if (status == KAN_OK && is_best && !all)
        status = problem_evaluate(p, s->model, p->held, &out->validation, error);
    return status;
}

/* Steps until done. */
static kan_status run(journey *j, progress *show, trained *out, kan_error *error) {
    kan_search *s = j->search;
    kan_status status = KAN_OK;
    while (status == KAN_OK && s->phase != KAN_SEARCH_DONE) {
        const size_t n = s->n_stages;
        status = kan_search_step(s, error);
        if (status != KAN_OK || s->n_stages == n) continue;
        const kan_search_stage *last = &s->stages[s->n_stages - 1];
        out->report.steps += last->steps;
        out->report.evaluations += last->evaluations;
        out->report.outcome = last->outcome;
        const kan_report shown = {.steps = out->report.steps,
                                  .loss = last->train,
                                  .validation = s->stages[s->best].validation};
        progress_step(show, &shown, 0);
        status = look(j, out, error);
    }
    return status;
}

/* The stages that led to the model, from the one that ended its starts on; where there are too many, the last
 * ones. */
static void record_path(const journey *j, trained *out) {
    const kan_search_stage *stages = j->search->stages;
    size_t n = 0, path[TRAINED_MAX_STAGES];
    for (size_t at = j->search->best; at != SIZE_MAX && n < TRAINED_MAX_STAGES;
         at = stages[at].parent) {
        if (n > 0 && stages[at].phase == KAN_SEARCH_STARTS) break;
        path[n++] = at;
    }
    out->n_stages = n;
    for (size_t k = 0; k < n; ++k) {
        const kan_search_stage *from = &stages[path[n - 1 - k]];
        out->stages[k] = (trained_stage){.phase = kan_search_phase_name(from->phase),
                                         .n_cells = from->n_cells,
                                         .degree = from->degree,
                                         .steps = from->steps,
                                         .train = j->train[path[n - 1 - k]],
                                         .test = j->test_metric[path[n - 1 - k]],
                                         .seconds = from->seconds};
    }
}

/* All stages, to be replayed. */
static kan_status keep_record(const journey *j, trained *out, kan_error *error) {
    const size_t n = j->search->n_stages;
    out->record = malloc(n * sizeof *out->record);
    if (!out->record) return kan_status_fail(error, KAN_ENOMEM, "out of memory");
    memcpy(out->record, j->search->stages, n * sizeof *out->record);
    out->n_record = n;
    return KAN_OK;
}

static void take_model(const journey *j, trained *out) {
    kan_model *m = kan_search_take(j->search);
    out->model = m;
    out->parameters = kan_model_n_trainable(m);
    if (out->candidate.family == FAMILY_KAN) {
        out->net = kan_ladder_net(m);
        out->candidate.net = *kan_net_get_config(out->net);
    } else {
        out->mlp = kan_restart_mlp(m);
    }
}

kan_status effort_train(const candidate *c, const problem *p, const kan_dataset *test, uint64_t seed,
                        const effort_limits *limits, const volatile sig_atomic_t *stop, progress *show,
                        trained *out, kan_error *error) {
    const double nan = (double)NAN;
    const bool is_kan = c->family == FAMILY_KAN;
    *out = (trained){.candidate = *c, .seed = seed, .test = {nan, nan, nan, nan, nan, nan}};
    kan_ladder_config ladder = c->ladder;
    ladder.net = c->net;
    ladder.net.degree = c->ladder.net.degree;
    journey j = {.p = p,
                 .test = test,
                 .out = out,
                 .cpu = kan_clock_cpu(),
                 .wall = kan_clock_wall(),
                 .checkpoint = show ? show->checkpoint : NULL};
    const kan_search_options search = {.train = c->train,
                                       .all = p->all,
                                       .seconds = limits->seconds,
                                       .starts = limits->starts,
                                       .round_steps = limits->round_steps,
                                       .rung_steps = limits->rung_steps,
                                       .generations = limits->generations,
                                       .seed = seed,
                                       .replay = c->replay,
                                       .n_replay = c->n_replay,
                                       .stop = stop,
                                       .between = between,
                                       .context = &j};
    j.search = kan_search_alloc(is_kan ? kan_ladder_family : kan_restart_family,
                                is_kan ? (const void *)&ladder : &c->mlp, p->fit, p->validation,
                                &search, error);
    if (!j.search) return KAN_ENOMEM;
    kan_status status = checkpoint_enter(j.checkpoint, "search", snapshot_journey, &j, error);
    checkpoint_arrived(j.checkpoint);
    if (status == KAN_OK) status = run(&j, show, out, error);
    checkpoint_leave(j.checkpoint);
    if (status == KAN_OK) status = keep_record(&j, out, error);
    if (status == KAN_OK) {
        record_path(&j, out);
        take_model(&j, out);
    }
    kan_search_free(j.search);
    free(j.train);
    free(j.test_metric);
    out->seconds = kan_clock_cpu() - j.cpu;
    out->wall_seconds = kan_clock_wall() - j.wall;
    return status;
}
