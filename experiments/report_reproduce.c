/* experiments/report_reproduce.c - the report of `kan reproduce`.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/xml.h"
#include "experiments/html.h"
#include "experiments/report.h"
#include "experiments/report_html.h"

enum {
    MOST_OTHERS = 8,          /* arms beside KAN and MLP                       */
    MOST_WAYS = 6,            /* rows whose way over time is drawn as lines    */
    MOST_DIAGRAM = 150 * 1000 /* bytes of a picture that is not the first one  */
};

/* ---- an experiment ---------------------------------------------------------------------------------- */

static bool is_accuracy(const json_t *row) {
    return strcmp(page_text(row, "metric"), "accuracy") == 0;
}

/* What charts call error; of no wrong answer nothing, as zero has no logarithm. */
static double to_error(const json_t *row, double value) {
    return is_accuracy(row) ? 1.0 - value : value;
}

static bool is_arm(const char *key, const json_t *value) {
    return strcmp(key, "published") != 0 && json_object_get(value, "median") != NULL;
}

/* Names of arms beside KAN and MLP, of all rows. */
static size_t other_arms(const json_t *rows, const char *names[MOST_OTHERS]) {
    size_t n = 0, k;
    const json_t *row;
    json_array_foreach(rows, k, row) {
        const char *key;
        json_t *value;
        json_object_foreach((json_t *)(uintptr_t)row, key, value) {
            bool known = !is_arm(key, value) || strcmp(key, "kan") == 0 || strcmp(key, "mlp") == 0;
            for (size_t j = 0; j < n; ++j) known = known || strcmp(names[j], key) == 0;
            if (!known && n < MOST_OTHERS) names[n++] = key;
        }
    }
    return n;
}

static const char *metric_name(const json_t *rows) {
    bool numbers = false, classes = false;
    size_t k;
    const json_t *row;
    json_array_foreach(rows, k, row) is_accuracy(row) ? (classes = true) : (numbers = true);
    const char *metric = page_text(json_array_get(rows, 0), "metric");
    if (numbers && classes) return "RMSE, or share of wrong answers";
    if (classes) return "share of wrong answers";
    if (strcmp(metric, "seconds") == 0) return "CPU seconds to the published error";
    return strcmp(metric, "mae") == 0 ? "MAE" : "RMSE";
}

/* ---- tables ----------------------------------------------------------------------------------------- */

static void add_value(table *t, const json_t *row, double value) {
    if (!isfinite(value))
        table_add(t, "-");
    else
        table_add(t, is_accuracy(row) ? "%.4f" : "%.2e", value);
}

static bool has_seeds(const json_t *arm) {
    return json_array_size(json_object_get(arm, "values")) > 1;
}

static void add_arm(table *t, const json_t *row, const char *name, bool with_range) {
    const json_t *arm = json_object_get(row, name);
    const double low = page_number(arm, "low"), high = page_number(arm, "high");
    char shape[128];
    add_value(t, row, page_number(arm, "median"));
    if (with_range && has_seeds(arm))
        table_add(t, is_accuracy(row) ? "%.4f \xe2\x80\x93 %.4f" : "%.1e \xe2\x80\x93 %.1e", low, high);
    else if (with_range)
        table_add(t, "-");
    page_shape(arm, shape, sizeof shape);
    if (*shape)
        table_add(t, "%s (%.0f)", shape, page_number(arm, "parameters"));
    else
        table_add(t, "-");
    if (isfinite(page_number(arm, "seconds")))
        table_add(t, "%.3g", page_number(arm, "seconds"));
    else
        table_add(t, "-");
}

static void add_heading(table *t, const char *model, bool with_range) {
    table_add(t, "%s", model);
    if (with_range) table_add(t, "over seeds");
    table_add(t, "shape (parameters)");
    table_add(t, "CPU s");
}

static void add_row(table *t, const json_t *row, bool with_range, size_t n_others,
                    const char *const *others) {
    const bool timed = strcmp(page_text(row, "metric"), "seconds") == 0;
    table_add(t, "%s", page_text(row, "task"));
    add_value(t, row, page_number(row, timed ? "published.seconds" : "published.kan"));
    add_value(t, row, page_number(row, "published.mlp"));
    add_arm(t, row, "kan", with_range);
    add_arm(t, row, "mlp", with_range);
    for (size_t j = 0; j < n_others; ++j)
        add_value(t, row, page_number(json_object_get(row, others[j]), "median"));
    table_add(t, "%s", page_text(row, "verdict"));
}

static void show_rows(page *p, const json_t *rows) {
    const char *others[MOST_OTHERS];
    char align[24 + MOST_OTHERS] = "lrr";
    const size_t n_others = other_arms(rows, others);
    bool with_range = false;
    size_t k;
    const json_t *row;
    json_array_foreach(rows, k, row) with_range = with_range ||
                                                  has_seeds(json_object_get(row, "kan")) ||
                                                  has_seeds(json_object_get(row, "mlp"));
    strcat(align, with_range ? "rrlrrrlr" : "rlrrlr");
    for (size_t j = 0; j < n_others; ++j) strcat(align, "r");
    strcat(align, "l");
    table t = table_make(align);
    table_add(&t, "task"), table_add(&t, "published KAN"), table_add(&t, "published MLP");
    add_heading(&t, "KAN", with_range);
    add_heading(&t, "MLP", with_range);
    for (size_t j = 0; j < n_others; ++j) table_add(&t, "%s", others[j]);
    table_add(&t, "verdict");
    json_array_foreach(rows, k, row) add_row(&t, row, with_range, n_others, others);
    html_table(p->out, &t);
    table_free(&t);
}

/* Slopes of error over parameters along the ladders, where there are ladders. */
static void show_slopes(page *p, const json_t *rows) {
    static const char *const arms[] = {"kan", "cubic"};
    size_t k;
    const json_t *row;
    table t = table_make("llr");
    table_add(&t, "task"), table_add(&t, "ladder of"), table_add(&t, "slope");
    json_array_foreach(rows, k, row) for (size_t a = 0; a < 2; ++a) {
        const json_t *arm = json_object_get(row, arms[a]);
        if (!isfinite(page_number(arm, "slope"))) continue;
        table_add(&t, "%s", page_text(row, "task"));
        table_add(&t, "%s", arms[a]);
        table_add(&t, "%.2f", page_number(arm, "slope"));
    }
    if (t.n_cells > 3) {
        html_details_begin(
            p->out, json_array_size(rows) <= MOST_WAYS,
            "Slopes: log10 of the error over log10 of the parameters along a ladder of grids");
        html_table(p->out, &t);
        html_details_end(p->out);
    }
    table_free(&t);
}

/* ---- charts ----------------------------------------------------------------------------------------- */

/* Every seed of every row, and what was published. */
static void chart_rows(page *p, const json_t *rows) {
    static const char *const arms[] = {"kan", "mlp"}, *const titles[] = {"KAN", "MLP"};
    chart c = {.x_label = "", .y_label = metric_name(rows), .log_y = true, .wide = true};
    size_t k;
    const json_t *row;
    if (json_array_size(rows) < 2 || json_array_size(rows) > CHART_MAX_TICS) return;
    chart_series *published = chart_add(&c, "published KAN", CHART_POINTS, CHART_GREY);
    json_array_foreach(rows, k, row) {
        c.tics[c.n_tics++] = page_text(row, "task");
        chart_point(&c, published, (double)k, to_error(row, page_number(row, "published.kan")));
    }
    for (size_t a = 0; a < 2; ++a) {
        chart_series *s = chart_add(&c, titles[a], CHART_POINTS, (chart_colour)a);
        json_array_foreach(rows, k, row) {
            const json_t *values = json_object_get(json_object_get(row, arms[a]), "values");
            for (size_t j = 0; j < json_array_size(values); ++j)
                chart_point(&c, s, (double)k + (a == 0 ? -0.12 : 0.12),
                            to_error(row, json_number_value(json_array_get(values, j))));
        }
    }
    page_chart(p, &c, "Test errors of all rows: a point a seed, and the published ones.");
}

/* Of a row a point for the selected model, or, of few rows, a line along its stages. */
static void chart_cost(page *p, const json_t *rows, const char *cost, const char *label,
                       const char *caption) {
    static const char *const arms[] = {"kan", "mlp"}, *const titles[] = {"KAN", "MLP"};
    chart c = {.x_label = label, .y_label = metric_name(rows), .log_x = true, .log_y = true};
    size_t k;
    const json_t *row;
    for (size_t a = 0; a < 2; ++a) {
        chart_series *s = chart_add(&c, titles[a], CHART_POINTS, (chart_colour)a);
        json_array_foreach(rows, k, row) {
            const json_t *arm = json_object_get(row, arms[a]);
            if (strcmp(page_text(row, "metric"), "seconds") != 0)
                chart_point(&c, s, page_number(arm, cost), to_error(row, page_number(arm, "median")));
        }
    }
    page_chart(p, &c, "%s", caption);
}

/* The ladders of a row: error after each stage, over parameters or seconds. */
static void chart_way(page *p, const json_t *row, const char *cost, const char *label) {
    static const char *const arms[] = {"kan", "mlp", "cubic"}, *const titles[] = {"KAN", "MLP",
                                                                                  "cubic KAN"};
    const char *metric = is_accuracy(row) ? "test_accuracy" : "test_rmse";
    chart c = {.x_label = label,
               .y_label = is_accuracy(row) ? "share of wrong answers" : "test RMSE",
               .log_x = true,
               .log_y = true};
    for (size_t a = 0; a < 3; ++a) {
        const json_t *stages = json_object_get(json_object_get(row, arms[a]), "stages");
        const size_t n = json_array_size(stages);
        /* an MLP does not grow: over parameters the end of its way is enough */
        const bool grows = strcmp(arms[a], "mlp") != 0 || strcmp(cost, "parameters") != 0;
        if (n == 0) continue;
        chart_series *s = chart_add(&c, titles[a], CHART_BOTH, (chart_colour)a);
        for (size_t k = grows ? 0 : n - 1; k < n; ++k) {
            const json_t *stage = json_array_get(stages, k);
            chart_point(&c, s, page_number(stage, cost), to_error(row, page_number(stage, metric)));
        }
    }
    page_chart(p, &c, "%s: error after each stage over %s.", page_text(row, "task"), label);
}

static void show_charts(page *p, const json_t *rows) {
    page_charts_begin(p);
    chart_rows(p, rows);
    if (json_array_size(rows) > 1) {
        chart_cost(p, rows, "parameters", "parameters", "Median error over parameters, a point a row.");
        chart_cost(p, rows, "seconds", "CPU seconds",
                   "Median error over the time of a training, a point a row.");
    }
    for (size_t k = 0; k < json_array_size(rows) && json_array_size(rows) <= MOST_WAYS; ++k) {
        chart_way(p, json_array_get(rows, k), "parameters", "parameters");
        chart_way(p, json_array_get(rows, k), "seconds", "CPU seconds");
    }
    page_charts_end(p);
}

/* ---- networks --------------------------------------------------------------------------------------- */

static const json_t *evidence_of(const json_t *row, const char *arm) {
    return json_object_get(json_object_get(row, arm), "evidence");
}

/* How good the KAN of a row is beside what was published; 0 where nothing was. */
static double merit(const json_t *row) {
    const double published = page_number(row, "published.kan"), ours = page_number(row, "kan.median");
    if (!isfinite(published) || !isfinite(ours)) return 0.0;
    return is_accuracy(row) ? ours / published : published / fmax(ours, 1e-300);
}

static const json_t *best_row(const json_t *rows) {
    const json_t *best = NULL, *row;
    size_t k;
    json_array_foreach(rows, k, row) if (evidence_of(row, "kan") && (!best || merit(row) > merit(best)))
        best = row;
    return best;
}

static void show_recipe(page *p, const json_t *row) {
    const json_t *kan = evidence_of(row, "kan");
    html_element(p->out, "p", NULL, "Data: %s%s%s", page_text(row, "data"),
                 *page_text(kan, "data_sha256") ? "; SHA-256 of the rows with the first seed: " : "",
                 page_text(kan, "data_sha256"));
}

static void show_best(page *p, const json_t *rows) {
    char shape[128];
    const json_t *row = best_row(rows), *kan = evidence_of(row, "kan");
    if (!row) return;
    html_element(p->out, "h3", NULL, "%s: KAN %s, seed %.0f", page_text(row, "task"),
                 page_shape(kan, shape, sizeof shape), page_number(kan, "seed"));
    html_element(p->out, "p", "note", "%s",
                 merit(row) > 0.0 ? "The row whose KAN is the best beside the published one."
                                  : "The first row; nothing was published to compare with.");
    show_recipe(p, row);
    page_network(p, kan);
    page_predictions(p, kan, evidence_of(row, "mlp"));
    if (json_array_size(json_object_get(kan, "curve")) > 1) {
        page_charts_begin(p);
        page_losses(p, kan, evidence_of(row, "mlp"));
        page_charts_end(p);
    }
}

static void show_others(page *p, const json_t *rows) {
    size_t k;
    const json_t *row, *best = best_row(rows);
    char shape[128];
    json_array_foreach(rows, k, row) {
        const json_t *kan = evidence_of(row, "kan");
        if (!kan || row == best) continue;
        html_details_begin(p->out, false, "%s: KAN %s", page_text(row, "task"),
                           page_shape(kan, shape, sizeof shape));
        show_recipe(p, row);
        if (strlen(page_text(kan, "diagram")) <= MOST_DIAGRAM)
            page_network(p, kan);
        else
            html_element(p->out, "p", "note", "Its picture is too large for this page.");
        html_details_end(p->out);
    }
}

/* ---- the page --------------------------------------------------------------------------------------- */

static double sum_of(const json_t *experiments, const char *path) {
    double sum = 0.0;
    size_t k;
    const json_t *e;
    json_array_foreach(experiments, k, e) sum += page_number(e, path);
    return sum;
}

static void show_verdict(page *p, const json_t *record) {
    const json_t *all = json_object_get(record, "experiments"), *e;
    size_t k;
    const double published = sum_of(all, "summary.published"), rows = sum_of(all, "summary.rows"),
                 kan = sum_of(all, "summary.kan_better"), mlp = sum_of(all, "summary.mlp_better");
    char text[512];
    size_t used = 0;
    if (published > 0.0)
        used = (size_t)snprintf(
            text, sizeof text,
            "The median of our KAN is as good as the published KAN or better in %.0f of the %.0f "
            "rows with a published value. ",
            sum_of(all, "summary.below_published"), published);
    snprintf(text + used, sizeof text - used,
             "Under our protocol the KAN is better than the MLP in %.0f of %.0f rows, the MLP in %.0f, "
             "and %.0f show "
             "no clear difference.",
             kan, rows, mlp, rows - kan - mlp);
    html_element(p->out, "p", "verdict", "%s", text);
    if (json_is_true(json_object_get(record, "quick")))
        html_element(p->out, "p", "note",
                     "This is the quick form: short searches, few seeds. It shows that everything "
                     "works and is not "
                     "to be quoted.");
    html_element(p->out, "p", "note",
                 "One seed names no winner; with more, a difference is clear where a paired t-test "
                 "says p < 0.05.");
    if (json_is_true(json_object_get(record, "interrupted")))
        html_element(p->out, "p", "note", "Interrupted: this is what was done until then.");
    fputs("<ul>\n", p->out);
    json_array_foreach(all, k, e) {
        fprintf(p->out, "<li><a href=\"#e%zu\">", k);
        kan_xml_text(p->out, page_text(e, "name"), SIZE_MAX);
        fputs("</a>: ", p->out);
        kan_xml_text(p->out, page_text(e, "title"), SIZE_MAX);
        fputs("</li>\n", p->out);
    }
    fputs("</ul>\n", p->out);
}

static void show_summary(page *p, const json_t *e) {
    const json_t *s = json_object_get(e, "summary");
    const double rows = page_number(s, "rows"), kan = page_number(s, "kan_better"),
                 mlp = page_number(s, "mlp_better");
    if (page_number(s, "published") > 0.0)
        html_element(p->out, "p", NULL, "As good as the published KAN or better: %.0f of %.0f.",
                     page_number(s, "below_published"), page_number(s, "published"));
    html_element(p->out, "p", NULL,
                 "KAN better than MLP in %.0f rows, MLP better in %.0f, no clear difference in %.0f.",
                 kan, mlp, rows - kan - mlp);
    if (isfinite(page_number(s, "kan_geometric_mean")) && rows > 1.0)
        html_element(p->out, "p", NULL, "Geometric means: KAN %.2e, MLP %.2e.",
                     page_number(s, "kan_geometric_mean"), page_number(s, "mlp_geometric_mean"));
    html_element(p->out, "p", "note", "CPU seconds of all runs: KAN %.1f, MLP %.1f.",
                 page_number(s, "kan_seconds"), page_number(s, "mlp_seconds"));
}

static void show_experiment(page *p, const json_t *e, size_t number) {
    const json_t *rows = json_object_get(e, "rows");
    fprintf(p->out, "<section id=\"e%zu\">\n", number);
    html_element(p->out, "h2", NULL, "%s: %s", page_text(e, "name"), page_text(e, "title"));
    show_summary(p, e);
    show_rows(p, rows);
    html_element(p->out, "p", "note", "Errors: %s on test rows. Published: %s.", metric_name(rows),
                 page_text(e, "source"));
    show_slopes(p, rows);
    show_charts(p, rows);
    show_best(p, rows);
    show_others(p, rows);
    fputs("</section>\n", p->out);
}

void report_html_reproduce(FILE *out, const json_t *record) {
    const json_t *all = json_object_get(record, "experiments"), *e;
    page p = {.out = out};
    char seeds[128];
    size_t k;
    html_begin(out, "Published tables, run again");
    html_element(out, "h1", NULL, "Published tables, run again");
    show_verdict(&p, record);
    json_array_foreach(all, k, e) show_experiment(&p, e, k);
    snprintf(seeds, sizeof seeds,
             "First seed: %.0f; generated rows are drawn with the seed of the training.",
             page_number(record, "seed"));
    page_provenance(&p, json_object_get(record, "provenance"), seeds);
    html_end(out);
}
