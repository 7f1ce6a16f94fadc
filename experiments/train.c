/* experiments/train.c - `kan train`: one model, trained from one or several starts; the best on the
 * validation rows is saved.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/parallel.h"
#include "experiments/checkpoint.h"
#include "experiments/command.h"
#include "experiments/effort.h"
#include "experiments/model_file.h"
#include "experiments/options.h"
#include "experiments/output.h"
#include "experiments/progress.h"
#include "experiments/protocol.h"
#include "experiments/recipe.h"
#include "experiments/report.h"
#include "experiments/source.h"

static const options_command description = {
    .name = "kan train",
    .args_doc = "DATA",
    .min_arguments = 1,
    .max_arguments = 1,
    .doc = "Train one model and save it."
           "\vDATA is a file (.csv, .tsv, .npy, also with .gz; images:labels in IDX) or a generator "
           "(fn:FORMULA, or one that kan data lists). The default model is a KAN with 5 nodes between "
           "inputs and outputs. A fifth of the training rows validates.",
    .takes = OPTIONS_TABLE | OPTIONS_TEST | OPTIONS_GENERATOR | OPTIONS_MODEL | OPTIONS_TRAINING |
             OPTIONS_PENALTY | OPTIONS_THREADS | OPTIONS_CHECKPOINT | OPTIONS_OUTPUT | OPTIONS_JSON,
};

/* All that a training has and makes; zero at first. */
typedef struct job {
    options o;
    json_t *command; /* the command line, a text */
    source s;
    problem p;
    candidate c;
    trained best;   /* no model in it: nothing was trained yet */
    problem best_p; /* its own, where every seed has new data  */
    json_t *runs;
    table table;
    size_t k;    /* the seed that is trained with, counted from 0 */
    double used; /* CPU seconds of those before                   */
    checkpoint checkpoint;
    kan_search_stage *replay; /* [c.n_replay] of --replay */
} job;

/* ---- before ------------------------------------------------------------------------------------- */

static int check_options(const options *o) {
    if (o->n_kan + o->n_mlp > 1)
        return complain(EXIT_USAGE, "kan train takes one model: one --kan or one --mlp");
    const char *given = o->n_grids > 0     ? "grid"
                        : o->degree > 0    ? "degree"
                        : o->has_base      ? "base"
                        : o->has_roughness ? "roughness"
                        : o->lamb > 0.0    ? "lamb"
                                           : NULL;
    if (o->n_mlp > 0 && given) return complain(EXIT_USAGE, "--%s is for a KAN, not for --mlp", given);
    if (o->n_mlp == 0 && o->has_activation)
        return complain(EXIT_USAGE, "--activation is for --mlp, not for a KAN");
    if (o->replay && !(o->effort > 0.0)) return complain(EXIT_USAGE, "--replay goes with --effort");
    if (o->replay && o->seeds > 1)
        return complain(EXIT_USAGE, "--replay repeats one search, not --seeds");
    const int status = recipe_check(o);
    if (status != 0) return status;
    return output_check(o->output) != 0 ? 1 : output_check(o->json);
}

static void print_choice(const job *j) {
    char shape[256], grid[64] = "";
    if (j->c.family == FAMILY_KAN)
        snprintf(grid, sizeof grid, ", grid %zu, degree %zu", j->c.net.n_cells, j->c.net.degree);
    printf(
        "data   %s: %s, %zu training rows (%zu to fit and %zu to validate, then all), %zu test rows\n",
        j->s.name, report_task_name(j->s.train->task), j->s.train->n, j->p.fit->n, j->p.validation->n,
        j->s.test->n);
    printf("model  %s %s%s%s, %s\n\n", family_name(j->c.family),
           report_shape_text(&j->c, shape, sizeof shape), j->o.effort > 0.0 ? "" : grid,
           j->o.n_kan + j->o.n_mlp == 0 ? " (default)" : "",
           report_optimizer_text(j->c.train.optimizer));
    fflush(stdout);
}

/* With a budget and no number of steps the clock alone says how many there are. */
static void free_steps(const options *o, candidate *c) {
    enum { MOST = 1000 * 1000 }; /* a trainer keeps a line of history for each */
    if (o->budget > 0.0 && o->steps == 0) c->train.steps = MOST;
}

/* The stages of a search from the record of a model. False where it has none, or not such. */
static bool read_stages(const json_t *list, job *j) {
    enum { N = KAN_SEARCH_REPLAY_NUMBERS };
    const size_t n = json_array_size(list);
    double *numbers = n > 0 ? calloc(n, N * sizeof *numbers) : NULL;
    j->replay = n > 0 ? calloc(n, sizeof *j->replay) : NULL;
    bool good = numbers && j->replay;
    for (size_t k = 0; good && k < n * N; ++k) {
        const json_t *number = json_array_get(json_array_get(list, k / N), k % N);
        good = json_is_integer(number);
        numbers[k] = (double)json_integer_value(number);
    }
    good = good && kan_search_replay_numbers(n, j->replay, numbers, true);
    j->c.replay = j->replay, j->c.n_replay = n;
    free(numbers);
    return good;
}

static int load_replay(job *j) {
    kan_error error;
    model_file m;
    if (!j->o.replay) return 0;
    if (model_file_read(j->o.replay, &m, &error) != KAN_OK) return complain(1, "%s", error.message);
    const bool good = read_stages(json_object_get(m.training, "search"), j);
    model_file_free(&m);
    return good ? 0 : complain(1, "%s: holds no search that could be repeated", j->o.replay);
}

static int prepare(job *j) {
    const options *o = &j->o;
    kan_error error;
    int status = check_options(o);
    if (status == 0) status = source_load(o->arguments[0], o, &j->s);
    if (status == 0)
        status = recipe_make(o, j->s.train, o->n_mlp > 0 ? FAMILY_MLP : FAMILY_KAN,
                             o->n_mlp > 0   ? &o->mlp[0]
                             : o->n_kan > 0 ? &o->kan[0]
                                            : NULL,
                             &j->c);
    free_steps(o, &j->c);
    if (status == 0) status = load_replay(j);
    if (status == 0) status = checkpoint_begin(&j->checkpoint, o);
    if (status == 0 && problem_make(j->s.train, o->data_seed, &j->p, &error) != KAN_OK)
        status = complain(1, "%s: %s", j->s.name, error.message);
    if (status == 0 && interrupted)
        status = complain(EXIT_INTERRUPTED, "interrupted before the training: nothing was written");
    return status;
}

/* ---- trainings ---------------------------------------------------------------------------------- */

static const char *outcome_name(kan_outcome outcome) {
    switch (outcome) {
    case KAN_RUNNING: return "running";
    case KAN_STEPS_USED: return "steps used";
    case KAN_CONVERGED: return "converged";
    case KAN_STALLED: return "no smaller loss";
    case KAN_PATIENCE: return "no more progress";
    case KAN_STOPPED: return "interrupted";
    case KAN_DIVERGED: return "diverged";
    }
    return "";
}

/* Smaller is better. */
static double validation_loss(const job *j, const trained *t) {
    return j->s.train->task == KAN_REGRESSION ? t->validation.rmse : t->validation.cross_entropy;
}

/* With --effort, every seed also draws its own rows where these are generated. */
static bool has_new_data(const job *j) {
    return j->o.effort > 0.0 && j->s.is_generator;
}

static void add_row(job *j, const trained *t) {
    const kan_task task = j->s.train->task;
    char seconds[32];
    table_add(&j->table, "%llu", (unsigned long long)t->seed);
    table_add(&j->table, "%zu", t->parameters);
    table_add(&j->table, "%.5g", report_metric_value(task, &t->validation));
    table_add(&j->table, "%.5g", report_metric_value(task, &t->test));
    table_add(&j->table, "%s", report_seconds_text(t->seconds, seconds, sizeof seconds));
    table_add(&j->table, "%zu", t->report.steps);
    table_add(&j->table, "%s", outcome_name(t->report.outcome));
}

static void add_heading(job *j) {
    const char *metric = report_metric_name(j->s.train->task);
    j->table = table_make("rrrrrrl");
    table_add(&j->table, "seed");
    table_add(&j->table, "parameters");
    table_add(&j->table, "validation %s", metric);
    table_add(&j->table, "test %s", metric);
    table_add(&j->table, "seconds");
    table_add(&j->table, "steps");
    table_add(&j->table, "end");
}

/* What ends a training: with checkpoints only once the state is safe. */
static const volatile sig_atomic_t *stop_of(const job *j) {
    return j->checkpoint.path ? &j->checkpoint.stop : &interrupted;
}

/* The run of one seed: a first training, and then, of t, the second one. */
typedef struct seed_run {
    const job *j;
    trained *t;
    size_t checksum; /* of the data */
    bool refits;
} seed_run;

static void snapshot_run(void *context, kan_snapshot *s) {
    seed_run *r = context;
    size_t checksum = r->checksum;
    kan_snapshot_size(s, "data", &checksum, UINT32_MAX);
    if (s->status == KAN_OK && checksum != r->checksum)
        kan_snapshot_fail(s, kan_status_fail(s->error, KAN_ECONFIG,
                                             "the checkpoint of other data than %s", r->j->s.name));
    kan_snapshot_flag(s, "refits", &r->refits);
    if (r->refits) trained_snapshot(r->t, s);
}

/* One training and then again on all training rows, which costs 1.25 times as much; or, with --effort, a search.
 * After a second training that diverged the model is that of the first; after a first one that did, its best before.
 * KAN_ENOMEM, KAN_ENONFINITE: there is none. */
static kan_status train_run(job *j, seed_run *r, uint64_t seed, double seconds, progress *show,
                            kan_error *error) {
    const volatile sig_atomic_t *stop = stop_of(j);
    trained *t = r->t;
    if (j->o.effort > 0.0)
        return effort_train(&j->c, &j->p, j->s.test, seed, &(effort_limits){.seconds = j->o.effort},
                            stop, show, t, error);
    kan_status status = KAN_OK;
    if (!r->refits) status = protocol_train(&j->c, &j->p, seed, seconds / 2.25, stop, show, t, error);
    if (status == KAN_ENONFINITE && t->model) {
        warn("seed %llu: %s", (unsigned long long)seed, error->message);
        return KAN_OK;
    }
    if (status != KAN_OK || *stop) return status;
    r->refits = true;
    t->candidate.train.stop = stop;
    status = protocol_refit(t, &j->p, show, error);
    if (status != KAN_ENONFINITE) return status;
    warn("seed %llu, on all rows: %s", (unsigned long long)seed, error->message);
    return KAN_OK;
}

static kan_status make_run(job *j, uint64_t seed, double seconds, progress *show, trained *t,
                           kan_error *error) {
    *t = (trained){.candidate = j->c};
    seed_run r = {.j = j, .t = t};
    r.checksum = kan_dataset_checksum(j->s.train) ^ kan_dataset_checksum(j->s.test);
    kan_status status = checkpoint_enter(&j->checkpoint, "run", snapshot_run, &r, error);
    const bool loaded = status == KAN_OK;
    if (loaded) status = train_run(j, &r, seed, seconds, show, error);
    checkpoint_leave(&j->checkpoint);
    if (status != KAN_OK) trained_free(t);
    return status;
}

/* Keeps a run that is the best so far, with its data where these are its own; frees another. */
static void keep_better(job *j, trained *t) {
    if (j->best.model && !(validation_loss(j, t) < validation_loss(j, &j->best))) {
        trained_free(t);
        return;
    }
    trained_free(&j->best);
    j->best = *t;
    if (!has_new_data(j)) return;
    problem_free(&j->best_p);
    j->best_p = j->p;
    j->p = (problem){.fit = NULL};
}

static kan_status train_once(job *j, uint64_t seed, double seconds, kan_error *error) {
    progress show;
    trained t;
    char what[64];
    snprintf(what, sizeof what, "%s, seed %llu", family_name(j->c.family), (unsigned long long)seed);
    progress_start(&show, what);
    show.checkpoint = &j->checkpoint;
    kan_status status = make_run(j, seed, seconds, &show, &t, error);
    progress_end(&show);
    if (status != KAN_OK) return status;
    status = problem_evaluate(&j->p, t.model, j->s.test, &t.test, error);
    if (status == KAN_OK && json_array_append_new(j->runs, report_run(j->s.train->task, &t)) != 0)
        status = kan_status_fail(error, KAN_ENOMEM, "out of memory");
    if (status != KAN_OK) {
        trained_free(&t);
        return status;
    }
    add_row(j, &t);
    keep_better(j, &t);
    return KAN_OK;
}

/* The data of seed number k, where every seed has new ones. */
static int renew_data(job *j, size_t k) {
    kan_error error;
    options o = j->o;
    if (k == 0 || !has_new_data(j)) return 0;
    o.data_seed += k;
    source_free(&j->s);
    problem_free(&j->p);
    const int status = source_load(o.arguments[0], &o, &j->s);
    if (status != 0) return status;
    if (problem_make(j->s.train, o.data_seed, &j->p, &error) == KAN_OK) return 0;
    return complain(1, "%s: %s", j->s.name, error.message);
}

/* Rows of the table, as a text: a JSON list of its cells. */
static void snapshot_table(table *to, kan_snapshot *s) {
    json_t *cells = json_array();
    for (size_t k = 0; k < to->n_cells && !s->loading; ++k)
        (void)json_array_append_new(cells, json_string(to->cells[k]));
    char *text = s->loading ? NULL : json_dumps(cells, JSON_COMPACT);
    if (!s->loading && !text) kan_snapshot_fail(s, KAN_ENOMEM);
    kan_snapshot_text(s, "table", &text);
    if (s->loading && text) {
        json_decref(cells);
        cells = json_loads(text, 0, NULL);
        if (json_array_size(cells) % to->n_columns != 0) kan_snapshot_refuse(s, "table");
        for (size_t k = to->n_cells; s->status == KAN_OK && k < json_array_size(cells); ++k) {
            const char *cell = json_string_value(json_array_get(cells, k));
            table_add(to, "%s", cell ? cell : "");
        }
    }
    free(text);
    json_decref(cells);
}

/* What the seeds before the present one left. */
static void snapshot_job(void *context, kan_snapshot *s) {
    job *j = context;
    char *runs = s->loading ? NULL : json_dumps(j->runs, JSON_COMPACT | JSON_REAL_PRECISION(17));
    if (!s->loading && !runs) kan_snapshot_fail(s, KAN_ENOMEM);
    kan_snapshot_size(s, "seed", &j->k, 1000);
    kan_snapshot_real(s, "used", &j->used);
    kan_snapshot_text(s, "runs", &runs);
    if (s->loading && runs) {
        json_decref(j->runs);
        j->runs = json_loads(runs, 0, NULL);
        if (!json_is_array(j->runs)) kan_snapshot_refuse(s, "runs");
    }
    free(runs);
    snapshot_table(&j->table, s);
    if (s->loading) j->best = (trained){.candidate = j->c};
    kan_snapshot_enter(s, "best");
    trained_snapshot(&j->best, s);
    kan_snapshot_leave(s);
}

/* After a checkpoint was loaded: the data that belong to the best model. */
static int restore_best_data(job *j) {
    if (!j->best.model || !has_new_data(j)) return 0;
    const int status = renew_data(j, (size_t)(j->best.seed - j->o.seed));
    j->best_p = j->p;
    j->p = (problem){.fit = NULL};
    return status != 0 ? status : renew_data(j, j->k);
}

/* The training of seed number j->k. */
static int train_seed(job *j, size_t n) {
    kan_error error;
    const size_t n_runs = json_array_size(j->runs);
    const uint64_t seed = j->o.seed + j->k;
    const double left = j->o.budget - j->used;
    const double seconds = j->o.budget > 0.0 ? (left > 1e-3 ? left : 1e-3) / (double)(n - j->k) : 0.0;
    if (renew_data(j, j->k) != 0) return 1;
    const kan_status status = train_once(j, seed, seconds, &error);
    if (status == KAN_ENONFINITE && (j->k + 1 < n || j->best.model))
        warn("seed %llu: %s", (unsigned long long)seed, error.message);
    else if (status != KAN_OK)
        return complain(status == KAN_ENONFINITE ? EXIT_DIVERGED : 1, "seed %llu: %s%s",
                        (unsigned long long)seed, error.message,
                        status == KAN_ENONFINITE ? "; there is no model to show or to write" : "");
    if (json_array_size(j->runs) > n_runs)
        j->used += json_real_value(json_object_get(json_array_get(j->runs, n_runs), "seconds"));
    return 0;
}

static int train_all(job *j) {
    const size_t n = j->o.seeds > 0 ? j->o.seeds : 1;
    kan_error error;
    add_heading(j);
    const bool entered = checkpoint_enter(&j->checkpoint, "job", snapshot_job, j, &error) == KAN_OK;
    int status = entered ? restore_best_data(j) : complain(1, "%s", error.message);
    for (; status == 0 && j->k < n && !(*stop_of(j) && j->best.model); ++j->k)
        status = train_seed(j, n);
    checkpoint_leave(&j->checkpoint);
    return status;
}

/* ---- after -------------------------------------------------------------------------------------- */

/* What --replay wants of a search: lists of five whole numbers. NULL when memory is short. */
static json_t *search_record(const trained *t) {
    enum { N = KAN_SEARCH_REPLAY_NUMBERS };
    json_t *list = json_array();
    for (size_t k = 0; k < t->n_record; ++k) {
        double number[N];
        json_t *stage = json_array();
        kan_search_replay_numbers(1, &t->record[k], number, false);
        for (size_t i = 0; i < N; ++i)
            (void)json_array_append_new(stage, json_integer((json_int_t)number[i]));
        if (json_array_append_new(list, stage) != 0) return NULL;
    }
    return list;
}

/* How the model came to be, for the model file. NULL when memory is short. */
static json_t *training_record(const job *j) {
    const trained *t = &j->best;
    json_t *record = json_pack("{s:o, s:o, s:s, s:s}", "data", report_data(&j->s), "run",
                               report_run(j->s.train->task, t), "optimizer",
                               report_optimizer_name(j->c.train.optimizer), "outcome",
                               outcome_name(t->report.outcome));
    json_t *penalty = report_penalty(&j->c, t->net);
    if (record && penalty && json_object_set_new(record, "penalty", penalty) != 0) {
        json_decref(record);
        return NULL;
    }
    if (record && t->n_record > 0 && json_object_set_new(record, "search", search_record(t)) != 0) {
        json_decref(record);
        return NULL;
    }
    return record;
}

static int write_model(const job *j) {
    kan_error error;
    json_t *training = training_record(j);
    if (!training) return complain(1, "%s: out of memory", j->o.output);
    const problem *p = has_new_data(j) ? &j->best_p : &j->p;
    const kan_status status = model_file_write(j->o.output, j->best.model, p->scaler, j->s.train,
                                               json_string_value(j->command), training, &error);
    json_decref(training);
    return status == KAN_OK ? 0 : complain(1, "%s", error.message);
}

static json_t *make_record(const job *j) {
    return json_pack("{s:s, s:s, s:o, s:O, s:o, s:b}", "command", "train", "version", KAN_VERSION,
                     "data", report_data(&j->s), "runs", j->runs, "best",
                     report_run(j->s.train->task, &j->best), "interrupted", (int)interrupted);
}

static int finish(const job *j) {
    const kan_task task = j->s.train->task;
    char text[160];
    table_print(&j->table, stdout);
    printf("\nbest   seed %llu: %s on the test rows\n", (unsigned long long)j->best.seed,
           report_metric_text(task, &j->best.test, text, sizeof text));
    int status = 0;
    if (j->o.output) status = write_model(j);
    if (status == 0 && j->o.output) printf("model  written to %s\n", j->o.output);
    if (status == 0) status = output_json(j->o.json, j->o.json ? make_record(j) : NULL);
    if (status == 0 && interrupted)
        status = complain(EXIT_INTERRUPTED, "interrupted: this is the best result so far%s",
                          j->o.output ? ", written" : "");
    if (status == 0 && j->best.report.outcome == KAN_DIVERGED)
        status = complain(EXIT_DIVERGED,
                          "every training diverged: this is the best model before that%s",
                          j->o.output ? ", written" : "");
    return status;
}

int command_train(int argc, char **argv) {
    job *j = calloc(1, sizeof *j);
    if (!j) return complain(1, "out of memory");
    j->command = report_command(argc, argv);
    j->runs = json_array();
    int status = options_parse(&description, argc, argv, &j->o);
    if (status == 0 && (!j->command || !j->runs)) status = complain(1, "out of memory");
    if (status == 0) status = prepare(j);
    if (status == 0) {
        kan_parallel_set_threads(j->o.threads ? j->o.threads : 1);
        print_choice(j);
        status = train_all(j);
    }
    if (status == 0) status = finish(j);
    table_free(&j->table);
    trained_free(&j->best);
    problem_free(&j->p);
    problem_free(&j->best_p);
    source_free(&j->s);
    checkpoint_end(&j->checkpoint);
    free(j->replay);
    json_decref(j->runs);
    json_decref(j->command);
    free(j);
    return status;
}
