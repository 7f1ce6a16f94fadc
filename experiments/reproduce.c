/* experiments/reproduce.c - `kan reproduce NAME...`: all runs of the experiments over worker processes, every finished
 * one at once in the store, and the tables.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/parallel.h"
#include "experiments/command.h"
#include "experiments/options.h"
#include "experiments/output.h"
#include "experiments/provenance.h"
#include "experiments/reproduce.h"

static const char default_folder[] = "../shared/data", default_out[] = "reproduce.out";

typedef struct journey {
    const options *o;
    reproduce_plan plan;
    reproduce_pool pool;
    reproduce_store store;
    size_t n_experiments;
    const reproduce_experiment **experiments;
    size_t reused, made, died;
    char *command, *evidence; /* the command line; the folder of what models show */
} journey;

/* ---- the experiments that were asked for --------------------------------------------------------------- */

static const char *directory(const journey *j) {
    return j->o->out ? j->o->out : default_out;
}

static bool is_asked_for(const options *o, const char *name) {
    for (size_t a = 0; a < o->n_arguments; ++a)
        if (strcmp(o->arguments[a], name) == 0 || strcmp(o->arguments[a], "all") == 0) return true;
    return false;
}

static int check_names(const options *o) {
    char list[256] = "";
    for (size_t e = 0; e < reproduce_count(); ++e) {
        strcat(list, reproduce_at(e)->name);
        strcat(list, ", ");
    }
    for (size_t a = 0; a < o->n_arguments; ++a) {
        bool known = strcmp(o->arguments[a], "all") == 0;
        for (size_t e = 0; e < reproduce_count(); ++e)
            known = known || strcmp(o->arguments[a], reproduce_at(e)->name) == 0;
        if (!known)
            return complain(EXIT_USAGE, "there is no experiment '%.60s': %sall", o->arguments[a], list);
    }
    if (o->seeds > REPRODUCE_MAX_SEEDS)
        return complain(EXIT_USAGE, "--seeds: %zu is more than %d", o->seeds, REPRODUCE_MAX_SEEDS);
    return 0;
}

static int make_plan(journey *j) {
    const options *o = j->o;
    const reproduce_wishes wishes = {.seeds = o->seeds,
                                     .seed = o->seed,
                                     .budget = o->budget,
                                     .quick = o->quick,
                                     .folder = o->data ? o->data : default_folder,
                                     .evidence = j->evidence};
    j->experiments = calloc(reproduce_count(), sizeof *j->experiments);
    if (!j->experiments) return complain(1, "out of memory");
    for (size_t e = 0; e < reproduce_count(); ++e) {
        if (!is_asked_for(o, reproduce_at(e)->name)) continue;
        j->experiments[j->n_experiments++] = reproduce_at(e);
        if (reproduce_plan_add(&j->plan, reproduce_at(e), &wishes) != KAN_OK)
            return complain(1, "out of memory");
    }
    return 0;
}

/* ---- running -------------------------------------------------------------------------------------------- */

static void show(const reproduce_run *r, const json_t *line) {
    const char *failed = json_string_value(json_object_get(line, "failed"));
    if (failed) {
        warn("%s %s: %s %s, seed %llu: %s", r->experiment->name, r->task->name, r->contender->arm,
             r->contender->shape ? r->contender->shape : "", (unsigned long long)r->seed, failed);
    } else if (isatty(STDERR_FILENO)) {
        fprintf(stderr, "%-9s %-16s %-9s seed %llu  %.1f s\n", r->experiment->name, r->task->name,
                r->contender->arm, (unsigned long long)r->seed,
                json_number_value(json_object_get(line, "seconds")));
    }
}

/* Waits for one run. A process that died is no result: the next --resume tries it again. */
static int take_result(journey *j) {
    json_t *line = NULL;
    reproduce_run *r = reproduce_pool_wait(&j->pool, &line);
    if (!r) return 0;
    r->state = REPRODUCE_DONE;
    r->line = line;
    if (!line) {
        ++j->died;
        warn("%s %s: the process of a run died: %s, seed %llu", r->experiment->name, r->task->name,
             r->contender->arm, (unsigned long long)r->seed);
        return 0;
    }
    ++j->made;
    show(r, line);
    return reproduce_store_append(&j->store, line);
}

static int run_all(journey *j) {
    int status = 0;
    while (status == 0 && !interrupted) {
        reproduce_run *r = j->pool.busy < j->pool.n
                               ? reproduce_plan_next(&j->plan, j->store.lines, &j->reused)
                               : NULL;
        if (r)
            status = reproduce_pool_start(&j->pool, r);
        else if (j->pool.busy > 0)
            status = take_result(j);
        else
            break;
    }
    reproduce_pool_stop(&j->pool);
    return status;
}

/* ---- saying it -------------------------------------------------------------------------------------------- */

static json_t *make_json(const journey *j, double seconds) {
    json_t *list = json_array();
    for (size_t e = 0; list && e < j->n_experiments; ++e)
        if (json_array_append_new(list, reproduce_json(&j->plan, j->experiments[e])) != 0) {
            json_decref(list);
            return NULL;
        }
    return json_pack("{s:s, s:s, s:b, s:b, s:f, s:o}", "command", "reproduce", "version", KAN_VERSION,
                     "quick", j->o->quick, "interrupted", interrupted != 0, "seconds", seconds,
                     "experiments", list);
}

static int finish(journey *j, double seconds) {
    for (size_t e = 0; e < j->n_experiments; ++e) {
        if (e > 0) printf("\n");
        reproduce_print(&j->plan, j->experiments[e], stdout);
    }
    printf("\n%zu runs, %zu of them from %s; %.0f s\n", j->made + j->reused, j->reused, j->store.path,
           seconds);
    if (interrupted) printf("Interrupted: the tables have what was done. --resume goes on.\n");
    int status = j->o->json ? output_json(j->o->json, make_json(j, seconds)) : 0;
    if (reproduce_page(&j->plan, j->experiments, make_json(j, seconds), j->command, j->o->seed,
                       directory(j)) != 0)
        status = 1;
    if (status == 0 && j->died > 0)
        status = complain(1, "%zu runs have no result: their processes died", j->died);
    return status;
}

static int reproduce(journey *j) {
    const options *o = j->o;
    const double start = kan_clock_wall();
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int status = check_names(o);
    if (status == 0) status = output_check(o->json);
    if (status == 0 && asprintf(&j->evidence, "%s/evidence", directory(j)) < 0)
        status = complain(1, "out of memory");
    if (status == 0) status = make_plan(j);
    if (status == 0) status = reproduce_store_open(&j->store, directory(j), o->resume_runs);
    if (status == 0 && mkdir(j->evidence, 0777) != 0 && errno != EEXIST)
        status = complain(1, "%s: cannot make the directory: %s", j->evidence, strerror(errno));
    if (status != 0) return status;
    if (j->store.n_torn > 0) warn("%s: %zu torn lines are ignored", j->store.path, j->store.n_torn);
    j->pool.n = o->threads ? o->threads : cores > 1 ? (size_t)cores : 1;
    if (j->pool.n > REPRODUCE_MAX_WORKERS) j->pool.n = REPRODUCE_MAX_WORKERS;
    kan_parallel_set_threads(1); /* of each worker */
    status = run_all(j);
    const int said = finish(j, kan_clock_wall() - start);
    if (status == 0) status = said;
    return status == 0 && interrupted ? EXIT_INTERRUPTED : status;
}

static const options_command description = {
    .name = "kan reproduce",
    .args_doc = "NAME...",
    .min_arguments = 1,
    .max_arguments = OPTIONS_MAX_ARGUMENTS,
    .doc =
        "Run published tables again, KAN and MLP under one protocol, with the published numbers beside."
        "\vNAME is feynman, special, fair, toys, continual, tabular, mnist, knots, noise, init, speed "
        "or all. "
        "Every finished run is a line of DIR/runs.jsonl at once; after any interruption --resume "
        "repeats none of them and ends in the same tables. DIR/report.html has them for people, with "
        "charts (by "
        "gnuplot where it is on the PATH) and the networks. --threads is the number of processes [the "
        "processors]; "
        "--budget the CPU seconds that a single run may take [counted steps instead]. Exit status 130 "
        "after "
        "Ctrl-C, with the results so far.",
    .takes = OPTIONS_REPRODUCE | OPTIONS_SEARCH | OPTIONS_THREADS | OPTIONS_JSON,
};

int command_reproduce(int argc, char **argv) {
    options *o = calloc(1, sizeof *o);
    journey *j = calloc(1, sizeof *j);
    int status = 1;
    if (!o || !j) {
        complain(1, "out of memory");
        goto done;
    }
    j->o = o;
    j->store.file = -1;
    j->command = provenance_command(argc, argv);
    status = j->command ? options_parse(&description, argc, argv, o) : complain(1, "out of memory");
    if (status == 0) status = reproduce(j);
    reproduce_store_close(&j->store);
    reproduce_plan_free(&j->plan);
    free(j->experiments);
    free(j->command);
    free(j->evidence);
done:
    free(j);
    free(o);
    return status;
}
