/* experiments/report_html.h - reports for people: one page each, made of the records that programs get and
 * of what models show of themselves (experiments/evidence.h). Nothing is computed here that the record does
 * not say.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_EXPERIMENTS_REPORT_HTML_H
#define KAN_EXPERIMENTS_REPORT_HTML_H

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

#include "experiments/chart.h"

/* The page of a comparison: the record of --json with "provenance", with "evidence" of "kan" and "mlp"
 * (either may be missing), and with "recipe", a text, in every run. */
void report_html_compare(FILE *out, const json_t *record);

/* The page of experiments: the record of --json with "provenance", "summary" (a sentence an experiment),
 * and in the "kan" and "mlp" of a row perhaps "evidence". */
void report_html_reproduce(FILE *out, const json_t *record);

/* ---- parts of pages ---------------------------------------------------------------------------- */

typedef struct page {
    FILE *out;
    unsigned n_charts;
    bool said_no_gnuplot;
} page;

/* Members of objects: NaN and "" where they are missing or null. A path is "test.rmse". */
double page_number(const json_t *object, const char *path);
const char *page_text(const json_t *object, const char *key);

/* A shape, "2,5,1", in text [size]. Returns text. */
const char *page_shape(const json_t *run, char *text, size_t size);

/* A chart with a caption, its numbers below it; without gnuplot these alone. The chart is freed; one
 * without points leaves nothing. Charts stand between the first two. */
void page_charts_begin(page *p);
void page_charts_end(page *p);
void page_chart(page *p, chart *c, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Losses on the way of the models whose evidence that is; either may be NULL. */
void page_losses(page *p, const json_t *kan, const json_t *mlp);

/* Predicted against true, and errors over the rows; or both confusion matrices. */
void page_predictions(page *p, const json_t *kan, const json_t *mlp);

/* Diagram and formula of a network. */
void page_network(page *p, const json_t *evidence);

/* How to run it again; seeds is a text of ours. */
void page_provenance(page *p, const json_t *provenance, const char *seeds);

#endif
