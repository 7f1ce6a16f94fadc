/* experiments/bench_nets.c - whole nets: the loss of all rows and its gradient, which is what L-BFGS asks for,
 * beside the C library's exp; and what a second thread is good for.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "experiments/bench.h"
#include "experiments/bench_clock.h"
#include "experiments/bench_subject.h"
#include "experiments/bench_yardstick.h"
#include "experiments/command.h"
#include "experiments/report.h"

enum { N_CELLS = 5, DEGREE = 3, N_ROWS = 1000 };

typedef struct shape {
    size_t width[KAN_MAX_LEVELS + 1]; /* 0 ends it */
} shape;

static const char *shape_text(const shape *s, char *text, size_t size) {
    size_t used = 0;
    *text = '\0';
    for (size_t l = 0; s->width[l] > 0 && used < size; ++l)
        used += (size_t)snprintf(text + used, size - used, "%s%zu", l > 0 ? "," : "", s->width[l]);
    return text;
}

static json_t *shape_json(const shape *s) {
    json_t *list = json_array();
    for (size_t l = 0; list && s->width[l] > 0; ++l)
        if (json_array_append_new(list, json_integer((json_int_t)s->width[l])) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static bool make_net(const shape *s, size_t batch, kan_precision precision, bool want_dx,
                     bench_subject *subject) {
    kan_net_config net = {.n_cells = N_CELLS, .degree = DEGREE, .precision = precision};
    memcpy(net.width, s->width, sizeof net.width);
    const bench_subject_config config = {.net = &net, .batch = batch, .want_dx = want_dx};
    return bench_subject_make(&config, subject);
}

/* ---- nets --------------------------------------------------------------------------------------- */

static int run_net(const bench *b, const shape *s, table *t) {
    bench_subject subject;
    bench_exp exponentials;
    char text[64];
    int status = 0;
    if (make_net(s, N_ROWS, KAN_DOUBLE, false, &subject)) {
        bench_exp_fill(&exponentials);
        bench_case cases[] = {{.run = bench_subject_step, .context = &subject},
                              {.run = bench_exp_run, .context = &exponentials}};
        const bench_effort effort = bench_effort_make(b->quick, b->threads > 1);
        if (bench_measure(&effort, 2, cases)) {
            const double edges = (double)kan_net_n_edges(subject.net),
                         ns = 1e3 * cases[0].us / (edges * N_ROWS),
                         exp_ns = 1e3 * cases[1].us / BENCH_EXP_COUNT;
            table_add(t, "%s", shape_text(s, text, sizeof text));
            table_add(t, "%d", (int)N_ROWS);
            table_add(t, "%d", (int)N_CELLS);
            table_add(t, "%.1f", cases[0].us);
            table_add(t, "%.2f", ns);
            table_add(t, "%.2f", exp_ns);
            table_add(t, "%.2f", ns / exp_ns);
            status = bench_append(b, "nets",
                                  json_pack("{s:o, s:I, s:I, s:I, s:s, s:I, s:I, s:f, s:f, s:f, s:f}",
                                            "shape", shape_json(s), "batch", (json_int_t)N_ROWS,
                                            "n_cells", (json_int_t)N_CELLS, "degree",
                                            (json_int_t)DEGREE, "precision", "double", "threads",
                                            (json_int_t)b->threads, "edges", (json_int_t)edges,
                                            "kan_step_us", cases[0].us, "ns_per_edge_sample", ns,
                                            "exp_ns", exp_ns, "ratio_exp", ns / exp_ns));
        }
    } else {
        status = complain(1, "out of memory");
    }
    bench_subject_free(&subject);
    return status;
}

int bench_nets(const bench *b) {
    static const shape shapes[] = {{{2, 5, 1}}, {{4, 2, 1, 1}}};
    static const char *const heading[] = {"net",        "rows",   "cells", "step us",
                                          "ns an edge", "exp ns", "ratio"};
    table t = table_make("lrrrrrr");
    for (size_t c = 0; c < t.n_columns; ++c) table_add(&t, "%s", heading[c]);
    int status = 0;
    for (size_t j = 0; j < sizeof shapes / sizeof *shapes && status == 0 && !interrupted; ++j)
        status = run_net(b, &shapes[j], &t);
    printf(
        "\nKANs, loss and gradient of all rows in double precision; time an edge and row beside exp\n");
    table_print(&t, stdout);
    table_free(&t);
    return status;
}

/* ---- threads ------------------------------------------------------------------------------------ */

typedef struct threads_row {
    shape shape;
    size_t batch;
    kan_precision precision;
    bool want_dx;
} threads_row;

static int run_threads(const bench *b, const threads_row *row, size_t many, table *t) {
    bench_subject subject;
    char text[64];
    int status = 0;
    if (make_net(&row->shape, row->batch, row->precision, row->want_dx, &subject)) {
        bench_case cases[] = {{.run = bench_subject_step, .context = &subject, .threads = 1},
                              {.run = bench_subject_step, .context = &subject, .threads = many}};
        const bench_effort effort = bench_effort_make(b->quick, true);
        if (bench_measure(&effort, 2, cases)) {
            const double speedup = cases[0].us / cases[1].us;
            const char *precision = kan_model_precision_name(row->precision);
            table_add(t, "%s", shape_text(&row->shape, text, sizeof text));
            table_add(t, "%zu", row->batch);
            table_add(t, "%s", precision);
            table_add(t, "%.1f", cases[0].us);
            table_add(t, "%.1f", cases[1].us);
            table_add(t, "%.3f", speedup);
            status = bench_append(b, "threads",
                                  json_pack("{s:o, s:I, s:I, s:s, s:I, s:f, s:f, s:f}", "shape",
                                            shape_json(&row->shape), "batch", (json_int_t)row->batch,
                                            "n_cells", (json_int_t)N_CELLS, "precision", precision,
                                            "threads", (json_int_t)many, "one_thread_us", cases[0].us,
                                            "threads_us", cases[1].us, "speedup", speedup));
        }
    } else {
        status = complain(1, "out of memory");
    }
    bench_subject_free(&subject);
    return status;
}

int bench_threads(const bench *b) {
    const threads_row rows[] = {{{{128, 128}}, 1024, KAN_DOUBLE, true},
                                {{{128, 128}}, 1024, KAN_SINGLE, true},
                                {{{2, 5, 1}}, N_ROWS, KAN_DOUBLE, false}};
    const size_t many = b->threads > 1 ? b->threads : 2;
    table t = table_make("lrlrrr");
    static const char *const heading[] = {"net", "rows", "precision", "1 thread us"};
    for (size_t c = 0; c < 4; ++c) table_add(&t, "%s", heading[c]);
    table_add(&t, "%zu threads us", many);
    table_add(&t, "speed-up");
    int status = 0;
    for (size_t j = 0; j < sizeof rows / sizeof *rows && status == 0 && !interrupted; ++j)
        status = run_threads(b, &rows[j], many, &t);
    printf("\nA step on several threads, 5 cells (wall clock, alternating)\n");
    table_print(&t, stdout);
    table_free(&t);
    return status;
}
