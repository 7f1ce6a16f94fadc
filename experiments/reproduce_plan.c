/* experiments/reproduce_plan.c - rows of the tables, and which run comes next.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "experiments/reproduce.h"
#include "experiments/source.h"

/* ---- rows --------------------------------------------------------------------------------------- */

static reproduce_arm *find_arm(reproduce_row *row, const char *name) {
    for (size_t a = 0; a < row->n_arms; ++a)
        if (strcmp(row->arms[a].name, name) == 0) return &row->arms[a];
    return NULL;
}

/* The sum of one file below the folder, or of both of "a:b"; false and the name of what is missing. */
static bool sum_files(const char *folder, const char *path, uint64_t *sum) {
    char copy[1024], full[2048], *rest = copy;
    snprintf(copy, sizeof copy, "%s", path);
    for (char *one; (one = strsep(&rest, ":")) != NULL;) {
        snprintf(full, sizeof full, "%s/%s", folder, one);
        if (!reproduce_sum_file(full, sum)) return false;
    }
    return true;
}

/* Files of a task: their sum, or which one is missing. */
static uint64_t sum_data(reproduce_row *row, const char *folder) {
    uint64_t sum = REPRODUCE_SUM;
    const reproduce_task *t = row->task;
    const char *files[] = {t->data, t->test, t->split};
    if (source_is_generator(t->data)) return 0;
    for (size_t f = 0; f < 3; ++f)
        if (files[f] && !sum_files(folder, files[f], &sum)) row->missing = files[f];
    return sum;
}

static bool is_about(const reproduce_contender *c, const reproduce_task *t) {
    return !c->tasks || strcmp(c->tasks, t->classes ? "classification" : "regression") == 0 ||
           strcmp(c->tasks, t->name) == 0;
}

static bool takes_part(const reproduce_contender *c, const reproduce_task *t,
                       const reproduce_wishes *w) {
    return !(w->quick && c->full_only) && is_about(c, t);
}

/* Gives every contender its place in an arm; the runs are there. */
static kan_status fill_arms(reproduce_row *row, const reproduce_wishes *w) {
    const reproduce_experiment *e = row->experiment;
    size_t run = 0;
    for (size_t j = 0; j < e->n_contenders; ++j) {
        if (!takes_part(&e->contenders[j], row->task, w)) continue;
        reproduce_arm *a = find_arm(row, e->contenders[j].arm);
        if (!a) {
            a = &row->arms[row->n_arms++];
            a->name = e->contenders[j].arm;
            a->runs = calloc(e->n_contenders, sizeof *a->runs);
            if (!a->runs) return KAN_ENOMEM;
        }
        a->runs[a->n++] = &row->runs[run];
        for (size_t s = 0; s < row->seeds; ++s, ++run) row->runs[run].contender = &e->contenders[j];
    }
    for (size_t a = 0; a < row->n_arms; ++a) row->arms[a].selected = row->arms[a].n;
    return KAN_OK;
}

static kan_status make_row(reproduce_row *row, const reproduce_wishes *w) {
    const reproduce_experiment *e = row->experiment;
    const uint64_t sum = sum_data(row, w->folder);
    row->seeds = w->seeds ? w->seeds : e->seeds[w->quick];
    for (size_t j = 0; j < e->n_contenders; ++j)
        row->n_runs += takes_part(&e->contenders[j], row->task, w) ? row->seeds : 0;
    row->runs = calloc(row->n_runs, sizeof *row->runs);
    if (!row->runs) return KAN_ENOMEM;
    for (size_t j = 0; j < row->n_runs; ++j)
        row->runs[j] = (reproduce_run){.experiment = e,
                                       .task = row->task,
                                       .seed = w->seed + j % row->seeds,
                                       .quick = w->quick,
                                       .budget = w->budget,
                                       .folder = w->folder,
                                       .evidence = j % row->seeds == 0 ? w->evidence : NULL,
                                       .data_sum = sum};
    return fill_arms(row, w);
}

kan_status reproduce_plan_add(reproduce_plan *p, const reproduce_experiment *e,
                              const reproduce_wishes *w) {
    reproduce_row *rows = realloc(p->rows, (p->n + e->n_tasks) * sizeof *rows);
    if (!rows) return KAN_ENOMEM;
    p->rows = rows;
    for (size_t t = 0; t < e->n_tasks; ++t) {
        if (w->quick && e->tasks[t].full_only) continue;
        reproduce_row *row = &p->rows[p->n++];
        *row = (reproduce_row){.experiment = e, .task = &e->tasks[t]};
        if (make_row(row, w) != KAN_OK) return KAN_ENOMEM;
    }
    return KAN_OK;
}

void reproduce_plan_free(reproduce_plan *p) {
    for (size_t r = 0; r < p->n; ++r) {
        for (size_t j = 0; j < p->rows[r].n_runs; ++j) json_decref(p->rows[r].runs[j].line);
        for (size_t a = 0; a < p->rows[r].n_arms; ++a) free(p->rows[r].arms[a].runs);
        free(p->rows[r].runs);
    }
    free(p->rows);
    *p = (reproduce_plan){.n = 0};
}

/* ---- selection ------------------------------------------------------------------------------------ */

static bool is_good(const reproduce_run *r) {
    return r->state == REPRODUCE_DONE && r->line && !json_object_get(r->line, "failed");
}

static kan_metric validation_of(const reproduce_run *r) {
    const json_t *v = json_object_get(r->line, "validation");
    return (kan_metric){.rmse = json_number_value(json_object_get(v, "rmse")),
                        .accuracy = json_number_value(json_object_get(v, "accuracy")),
                        .cross_entropy = json_number_value(json_object_get(v, "cross_entropy"))};
}

/* The best contender of an arm on the validation rows of the first seed; n while one of them is not done, and where all
 * of them failed. */
static void select_best(reproduce_row *row, reproduce_arm *a) {
    const kan_task task = row->task->classes ? KAN_CLASSIFICATION : KAN_REGRESSION;
    a->selected = a->n;
    for (size_t j = 0; j < a->n; ++j)
        if (a->runs[j]->state != REPRODUCE_DONE) return;
    for (size_t j = 0; j < a->n; ++j) {
        if (!is_good(a->runs[j])) continue;
        const kan_metric mine = validation_of(a->runs[j]);
        const kan_metric best = a->selected < a->n ? validation_of(a->runs[a->selected]) : mine;
        if (a->selected == a->n || protocol_is_better(task, &mine, &best)) a->selected = j;
    }
}

size_t reproduce_arm_results(const reproduce_row *row, const reproduce_arm *a,
                             const reproduce_run **results) {
    size_t n = 0;
    for (size_t s = 0; a->selected < a->n && s < row->seeds; ++s)
        if (is_good(&a->runs[a->selected][s])) results[n++] = &a->runs[a->selected][s];
    return n;
}

/* ---- what comes next -------------------------------------------------------------------------------- */

/* What of a KAN's line a run waits for, which is to equal it in that; NULL: for nothing. */
static const char *equal_in(const reproduce_contender *c) {
    if (c->as_long) return "seconds";
    if (!c->shape) return NULL;
    return strcmp(c->shape, "equal") == 0   ? "parameters"
           : strcmp(c->shape, "flops") == 0 ? "flops"
                                            : NULL;
}

/* Whether a run may begin: its key is then known. What is to equal the KAN waits for the KANs of the first seed. */
static bool is_ready(reproduce_row *row, reproduce_run *r) {
    if (r->key[0]) return true;
    const char *what = equal_in(r->contender);
    if (what) {
        const reproduce_arm *kan = find_arm(row, "kan");
        if (!kan || kan->selected == kan->n) return false;
        const double value = json_number_value(json_object_get(kan->runs[kan->selected]->line, what));
        if (r->contender->as_long)
            r->budget = value;
        else
            r->equal = (size_t)value;
    }
    reproduce_set_key(r);
    return true;
}

/* Takes the result of a run from lines of before. */
static bool take_line(reproduce_run *r, const json_t *lines, size_t *reused) {
    json_t *line = json_object_get(lines, r->key);
    if (!line) return false;
    r->line = json_incref(line);
    r->state = REPRODUCE_DONE;
    ++*reused;
    return true;
}

/* The next run of an arm, NULL where there is none now. */
static reproduce_run *next_of_arm(reproduce_row *row, reproduce_arm *a, const json_t *lines,
                                  size_t *reused) {
    for (size_t j = 0; j < a->n; ++j) {
        reproduce_run *r = a->runs[j];
        if (r->state == REPRODUCE_OPEN && is_ready(row, r) && !take_line(r, lines, reused)) return r;
    }
    if (a->selected == a->n) select_best(row, a);
    for (size_t s = 1; a->selected < a->n && s < row->seeds; ++s) {
        reproduce_run *r = &a->runs[a->selected][s];
        if (r->state == REPRODUCE_OPEN && is_ready(row, r) && !take_line(r, lines, reused)) return r;
    }
    return NULL;
}

reproduce_run *reproduce_plan_next(reproduce_plan *p, const json_t *lines, size_t *reused) {
    for (size_t k = 0; k < p->n; ++k) {
        reproduce_row *row = &p->rows[k];
        for (size_t a = 0; a < row->n_arms && !row->missing; ++a) {
            reproduce_run *r = next_of_arm(row, &row->arms[a], lines, reused);
            if (r) return r;
        }
    }
    return NULL;
}
