/* experiments/bench.c - `kan bench`: how fast everything is, on this machine.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "experiments/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/parallel.h"
#include "experiments/command.h"
#include "experiments/options.h"
#include "experiments/output.h"

static const options_command description = {
    .name = "kan bench",
    .args_doc = "",
    .doc =
        "Measure layers, nets, optimizers, reading of tables and, where asked for, whole trainings."
        "\vEvery figure stands beside what it is compared to, measured in the same run: MLPs of the "
        "same shape, matrix products, multiply-adds, exp. Tasks, which are whole trainings, are done "
        "with --data or --only tasks.",
    .takes = OPTIONS_BENCH | OPTIONS_THREADS | OPTIONS_JSON,
};

/* In the order in which they are done: what starts threads comes last, since these still spin when
 * the next part begins. */
static const struct {
    const char *name;
    int (*run)(const bench *b);
} parts[] = {
    {"layers", bench_layers},   {"nets", bench_nets},       {"optimizers", bench_optimizers},
    {"reading", bench_reading}, {"threads", bench_threads}, {"tasks", bench_tasks},
};

enum { N_PARTS = sizeof parts / sizeof *parts, TASKS = N_PARTS - 1 };

/* ---- which parts -------------------------------------------------------------------------------- */

static int choose_one(const char *list, const char *name, size_t length, bool *chosen) {
    for (size_t p = 0; p < N_PARTS; ++p)
        if (strlen(parts[p].name) == length && strncmp(parts[p].name, name, length) == 0) {
            chosen[p] = true;
            return 0;
        }
    return complain(EXIT_USAGE,
                    "--only %.60s: '%.*s' is not layers, nets, optimizers, reading, threads or tasks",
                    list, (int)(length < 60 ? length : 60), name);
}

static int choose_parts(const options *o, bool *chosen) {
    int status = 0;
    const char *at = o->only;
    while (at && status == 0) {
        const size_t length = strcspn(at, ",");
        status = choose_one(o->only, at, length, chosen);
        at = at[length] == ',' ? at + length + 1 : NULL;
    }
    for (size_t p = 0; p < N_PARTS && !o->only; ++p) chosen[p] = p != TASKS || o->data;
    if (status == 0 && o->data && !chosen[TASKS])
        return complain(EXIT_USAGE, "--data is for the tasks, which --only %.60s leaves out", o->only);
    return status;
}

/* ---- the record --------------------------------------------------------------------------------- */

static int no_memory(void) {
    return complain(1, "out of memory for the record");
}

int bench_append(const bench *b, const char *key, json_t *value) {
    return json_array_append_new(json_object_get(b->record, key), value) == 0 ? 0 : no_memory();
}

int bench_set(const bench *b, const char *key, json_t *value) {
    return json_object_set_new(b->record, key, value) == 0 ? 0 : no_memory();
}

/* What is measured fills it; what is not stays empty or null. */
static json_t *make_record(const bench *b) {
    return json_pack("{s:s, s:s, s:b, s:n, s:[], s:n, s:[], s:n, s:n, s:[], s:[], s:[]}", "command",
                     "bench", "version", KAN_VERSION, "quick", (int)b->quick, "machine", "layers",
                     "memory", "nets", "adam", "lbfgs", "reading", "threads", "tasks");
}

/* ---- the command -------------------------------------------------------------------------------- */

static int run(bench *b, const options *o) {
    bool chosen[N_PARTS] = {false};
    int status = choose_parts(o, chosen);
    if (status == 0) status = output_check(o->json);
    if (status != 0) return status;
    b->record = make_record(b);
    if (!b->record) return no_memory();
    kan_parallel_set_threads(b->threads);
    status = bench_machine(b);
    for (size_t p = 0; p < N_PARTS && status == 0 && !interrupted; ++p) {
        fflush(stdout); /* parts take seconds, and somebody may be reading along */
        if (chosen[p]) status = parts[p].run(b);
    }
    if (status == 0 && !chosen[TASKS] && !o->only)
        printf("\ntasks: not without --data FOLDER or --only tasks\n");
    if (status == 0) status = bench_set(b, "interrupted", json_boolean(interrupted != 0));
    if (status == 0) status = output_json(o->json, json_incref(b->record));
    if (status == 0 && interrupted)
        status = complain(EXIT_INTERRUPTED, "interrupted: these are the parts that were finished");
    json_decref(b->record);
    return status;
}

int command_bench(int argc, char **argv) {
    options *o = calloc(1, sizeof *o);
    if (!o) return complain(1, "out of memory");
    int status = options_parse(&description, argc, argv, o);
    bench b = {.quick = o->quick, .threads = o->threads ? o->threads : 1, .data = o->data};
    if (status == 0) status = run(&b, o);
    free(o);
    return status;
}
