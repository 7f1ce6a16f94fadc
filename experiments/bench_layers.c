/* experiments/bench_layers.c - KAN layers beside MLP layers.
 *
 * All that has one shape and one precision is measured in one loop: the MLP layer (bias and silu), the matrix
 * product that both live on, and for every number of cells the KAN layer and the MLP with one hidden
 * layer that has as many parameters. Every step computes the gradient of the inputs too, as a layer inside
 * a net must.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>

#include "experiments/bench.h"
#include "experiments/bench_clock.h"
#include "experiments/bench_subject.h"
#include "experiments/bench_yardstick.h"
#include "experiments/command.h"
#include "experiments/report.h"

enum { DEGREE = 3, MAX_GRIDS = 3 };

typedef struct group {
    size_t width, batch;           /* [width, width] */
    size_t n_cells[MAX_GRIDS + 1]; /* 0 ends them  */
} group;

static const group groups[] = {
    {64, 1024, {5, 20, 100}}, {128, 1024, {5, 20, 100}}, {1000, 256, {5, 20}}};
static const group quick_groups[] = {{64, 64, {5, 20}}};

/* The MLP [width, hidden, width] whose parameters are as many as those of a KAN layer. */
static size_t equal_hidden(size_t width, size_t n_params) {
    const size_t each = 2 * width + 1;
    return (n_params - width + each / 2) / each;
}

typedef struct subjects {
    bench_gemm gemm;
    bench_subject mlp;
    size_t n; /* grids */
    bench_subject kan[MAX_GRIDS], equal[MAX_GRIDS];
} subjects;

static void free_subjects(subjects *s) {
    bench_gemm_free(&s->gemm);
    bench_subject_free(&s->mlp);
    for (size_t j = 0; j < MAX_GRIDS; ++j)
        bench_subject_free(&s->kan[j]), bench_subject_free(&s->equal[j]);
}

static bool make_subjects(const group *g, kan_precision precision, subjects *s) {
    const kan_mlp_config layer = {.width = {g->width, g->width}, .precision = precision};
    bench_subject_config config = {.mlp = &layer, .batch = g->batch, .bent = true, .want_dx = true};
    *s = (subjects){.n = 0};
    bool good = bench_gemm_make(precision, g->batch, g->width, g->width, &s->gemm);
    good = good && bench_subject_make(&config, &s->mlp);
    config.bent = false;
    for (; good && g->n_cells[s->n] > 0; ++s->n) {
        const kan_net_config net = {.width = {g->width, g->width},
                                    .n_cells = g->n_cells[s->n],
                                    .degree = DEGREE,
                                    .precision = precision};
        const kan_mlp_config equal = {
            .width = {g->width, equal_hidden(g->width, kan_net_count(&net)), g->width},
            .precision = precision};
        config.net = &net, config.mlp = NULL;
        good = bench_subject_make(&config, &s->kan[s->n]);
        config.net = NULL, config.mlp = &equal;
        good = good && bench_subject_make(&config, &s->equal[s->n]);
    }
    return good;
}

/* What was measured of a group: case numbers. */
enum { GEMM, MLP_FORWARD, MLP_STEP, N_COMMON };
enum { KAN_FORWARD, KAN_STEP, EQUAL_STEP, N_EACH };

static size_t list_cases(subjects *s, bench_case *cases) {
    cases[GEMM] = (bench_case){.run = bench_gemm_run, .context = &s->gemm};
    cases[MLP_FORWARD] = (bench_case){.run = bench_subject_forward, .context = &s->mlp};
    cases[MLP_STEP] = (bench_case){.run = bench_subject_step, .context = &s->mlp};
    for (size_t j = 0; j < s->n; ++j) {
        bench_case *own = &cases[N_COMMON + j * N_EACH];
        own[KAN_FORWARD] = (bench_case){.run = bench_subject_forward, .context = &s->kan[j]};
        own[KAN_STEP] = (bench_case){.run = bench_subject_step, .context = &s->kan[j]};
        own[EQUAL_STEP] = (bench_case){.run = bench_subject_step, .context = &s->equal[j]};
    }
    return N_COMMON + s->n * N_EACH;
}

/* GFLOP/s by the count of docs/performance.md: degree + 2 multiply-adds an edge and sample, three times. */
static double step_gflops(const group *g, double us) {
    return 2e-3 * 3.0 * (DEGREE + 2) * (double)(g->width * g->width * g->batch) / us;
}

static json_t *make_entry(const bench *b, const group *g, const subjects *s, size_t j,
                          const bench_case *cases) {
    const bench_case *own = &cases[N_COMMON + j * N_EACH];
    const double forward = own[KAN_FORWARD].us, step = own[KAN_STEP].us,
                 fewest = cases[N_COMMON + KAN_STEP].us;
    json_t *entry = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "precision",
                              kan_model_precision_name(s->mlp.precision), "n_in", (json_int_t)g->width,
                              "n_out", (json_int_t)g->width, "batch", (json_int_t)g->batch, "n_cells",
                              (json_int_t)g->n_cells[j], "degree", (json_int_t)DEGREE, "threads",
                              (json_int_t)b->threads);
    const struct {
        const char *key;
        double value;
    } numbers[] = {{"kan_forward_us", forward},
                   {"kan_step_us", step},
                   {"mlp_forward_us", cases[MLP_FORWARD].us},
                   {"mlp_step_us", cases[MLP_STEP].us},
                   {"ratio_forward", forward / cases[MLP_FORWARD].us},
                   {"ratio_step", step / cases[MLP_STEP].us},
                   {"ratio_step_equal_parameters", step / own[EQUAL_STEP].us},
                   {"equal_step_us", own[EQUAL_STEP].us},
                   {"ratio_step_fewest_cells", step / fewest},
                   {"gemm_us", cases[GEMM].us},
                   {"gemm_gflops", bench_gemm_gflops(&s->gemm, cases[GEMM].us)},
                   {"kan_step_gflops", step_gflops(g, step)}};
    int failed = !entry;
    for (size_t k = 0; k < sizeof numbers / sizeof *numbers && !failed; ++k)
        failed = json_object_set_new(entry, numbers[k].key, report_real(numbers[k].value));
    const size_t hidden = equal_hidden(g->width, s->kan[j].model->n_params);
    if (!failed) failed = json_object_set_new(entry, "equal_hidden", json_integer((json_int_t)hidden));
    if (!failed)
        failed = json_object_set_new(entry, "kan_work_bytes",
                                     json_integer((json_int_t)bench_subject_work_bytes(&s->kan[j])));
    if (!failed) return entry;
    json_decref(entry);
    return NULL;
}

static void add_row(table *t, const group *g, const subjects *s, size_t j, const bench_case *cases) {
    const bench_case *own = &cases[N_COMMON + j * N_EACH];
    const double forward = own[KAN_FORWARD].us, step = own[KAN_STEP].us;
    table_add(t, "%s", kan_model_precision_name(s->mlp.precision));
    table_add(t, "%zu,%zu", g->width, g->width);
    table_add(t, "%zu", g->batch);
    table_add(t, "%zu", g->n_cells[j]);
    table_add(t, "%.0f", forward);
    table_add(t, "%.0f", cases[MLP_FORWARD].us);
    table_add(t, "%.2f", forward / cases[MLP_FORWARD].us);
    table_add(t, "%.0f", step);
    table_add(t, "%.0f", cases[MLP_STEP].us);
    table_add(t, "%.2f", step / cases[MLP_STEP].us);
    table_add(t, "%.3f", step / own[EQUAL_STEP].us);
    table_add(t, "%.2f", step / cases[N_COMMON + KAN_STEP].us);
    table_add(t, "%.1f", step_gflops(g, step));
    table_add(t, "%.1f", bench_gemm_gflops(&s->gemm, cases[GEMM].us));
}

/* Measures a group and adds its rows; nothing when it was interrupted. */
static int run_group(const bench *b, const group *g, kan_precision precision, table *t) {
    bench_case cases[BENCH_MAX_CASES];
    subjects *s = malloc(sizeof *s);
    int status = 0;
    if (!s || !make_subjects(g, precision, s)) {
        status = complain(1, "out of memory for layers of %zu nodes", g->width);
    } else {
        const bench_effort effort = bench_effort_make(b->quick, b->threads > 1);
        const bool measured = bench_measure(&effort, list_cases(s, cases), cases);
        for (size_t j = 0; j < s->n && measured && status == 0; ++j) {
            add_row(t, g, s, j, cases);
            status = bench_append(b, "layers", make_entry(b, g, s, j, cases));
        }
    }
    if (s) free_subjects(s);
    free(s);
    return status;
}

/* The layer of which the working memory is looked at, beside what it should be at most. */
static int report_memory(const bench *b) {
    const kan_net_config net = {.width = {64, 64}, .precision = KAN_SINGLE};
    const size_t batch = 1024, target = (size_t)4 << 20;
    kan_net *layer = kan_net_alloc(&net);
    if (!layer) return complain(1, "out of memory");
    const size_t bytes = kan_model_work_size(kan_net_model(layer), batch) * sizeof(double);
    kan_net_free(layer);
    printf(
        "working memory of a step of 64,64 at batch 1024 in single precision: %.2f MiB (aim: at most "
        "%.0f)\n",
        (double)bytes / 0x1p20, (double)target / 0x1p20);
    return bench_set(b, "memory",
                     json_pack("{s:s, s:[i,i], s:I, s:I, s:I}", "precision", "single", "shape", 64, 64,
                               "batch", (json_int_t)batch, "work_bytes", (json_int_t)bytes,
                               "target_bytes", (json_int_t)target));
}

int bench_layers(const bench *b) {
    const group *list = b->quick ? quick_groups : groups;
    const size_t n = b->quick ? sizeof quick_groups / sizeof *list : sizeof groups / sizeof *list;
    table t = table_make("llrrrrrrrrrrrr");
    static const char *const heading[] = {"layer",  "shape",   "batch",   "cells",  "forward us",
                                          "MLP us", "ratio",   "step us", "MLP us", "ratio",
                                          "equal",  "5 cells", "GFLOP/s", "GEMM"};
    for (size_t c = 0; c < t.n_columns; ++c) table_add(&t, "%s", heading[c]);
    int status = 0;
    for (size_t j = 0; j < n && status == 0 && !interrupted; ++j)
        for (int p = 0; p < KAN_N_PRECISIONS && status == 0 && !interrupted; ++p)
            status = run_group(b, &list[j], (kan_precision)p, &t);
    printf("\nKAN layers beside MLP layers (%s, medians; equal: over the MLP of as many parameters; 5 "
           "cells:\nover the same layer with 5 cells)\n",
           b->threads > 1 ? "wall clock" : "CPU time");
    table_print(&t, stdout);
    table_free(&t);
    return status == 0 ? report_memory(b) : status;
}
