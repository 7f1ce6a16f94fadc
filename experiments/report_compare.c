/* experiments/report_compare.c - the report of `kan compare`.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "experiments/html.h"
#include "experiments/report.h"
#include "experiments/report_html.h"

/* The record, and what is asked of it again and again. */
typedef struct view {
    page p;
    const json_t *record, *kan, *mlp; /* evidence */
    bool classes;
    double n_test;
} view;

static const char *const families[] = {"kan", "mlp"};
static const char *const names[] = {"KAN", "MLP"};

static bool is_family(const json_t *run, int f) {
    return strcmp(page_text(run, "model"), families[f]) == 0;
}

/* What charts call error: RMSE, or the share of wrong answers; of no wrong one half a row, as zero has no
 * logarithm. */
static double error_of(const view *v, const json_t *run, const char *rows) {
    char path[64];
    snprintf(path, sizeof path, "%s.%s", rows, v->classes ? "accuracy" : "rmse");
    const double value = page_number(run, path);
    return v->classes ? fmax(1.0 - value, isnan(value) ? value : 0.5 / v->n_test) : value;
}

static const char *error_name(const view *v) {
    return v->classes ? "share of wrong answers" : "RMSE";
}

/* ---- tables ---------------------------------------------------------------------------------------- */

static void add_seconds(table *t, double seconds) {
    char text[32];
    table_add(t, "%s", report_seconds_text(seconds, text, sizeof text));
}

/* "0.0123 ± 0.0004" of a metric over seeds. */
static void add_metric(table *t, const json_t *series, const char *metric) {
    char mean[32], sd[32];
    const int digits = strcmp(metric, "r2") == 0 ? 6 : 4;
    snprintf(mean, sizeof mean, "test.%s", metric);
    snprintf(sd, sizeof sd, "test_sd.%s", metric);
    if (isfinite(page_number(series, sd)))
        table_add(t, "%.*g \xc2\xb1 %.1g", digits, page_number(series, mean), page_number(series, sd));
    else if (isfinite(page_number(series, mean)))
        table_add(t, "%.*g", digits, page_number(series, mean));
    else
        table_add(t, "-");
}

static void add_result(const view *v, table *t, const char *what, const json_t *series, int f) {
    static const char *const metrics[2][3] = {{"rmse", "mae", "r2"},
                                              {"accuracy", "macro_f1", "cross_entropy"}};
    char shape[128];
    if (!json_is_object(series)) return;
    table_add(t, "%s", what);
    table_add(t, "%s", names[f]);
    table_add(t, "%s", page_shape(series, shape, sizeof shape));
    table_add(t, "%s", page_text(series, "recipe"));
    table_add(t, "%.0f", page_number(series, "parameters"));
    for (int k = 0; k < 3; ++k) add_metric(t, series, metrics[v->classes][k]);
    table_add(t, "%.0f", page_number(series, "seeds"));
    add_seconds(t, page_number(series, "seconds"));
}

static void show_results(view *v) {
    static const char *const headings[2][3] = {{"RMSE", "MAE", "R2"},
                                               {"accuracy", "macro F1", "cross-entropy"}};
    static const char *const parts[][2] = {{"best", "at their best"}, {"equal", "equal parameters"}};
    table t = table_make("llllrrrrrr");
    static const char *const first[] = {"", "model", "shape", "trained as", "parameters"};
    for (size_t k = 0; k < 5; ++k) table_add(&t, "%s", first[k]);
    for (size_t k = 0; k < 3; ++k) table_add(&t, "%s", headings[v->classes][k]);
    table_add(&t, "seeds"), table_add(&t, "CPU time");
    for (int part = 0; part < 2; ++part)
        for (int f = 0; f < 2; ++f)
            add_result(v, &t, parts[part][1],
                       json_object_get(json_object_get(v->record, parts[part][0]), families[f]), f);
    html_element(v->p.out, "h2", NULL, "On the test rows");
    html_table(v->p.out, &t);
    html_element(v->p.out, "p", "note",
                 "Means over seeds \xc2\xb1 standard deviations, of models trained on all rows to "
                 "train on. Which "
                 "configuration that is was decided by the validation rows alone; the larger one of "
                 "the two was then "
                 "narrowed to the parameters of the other.");
    table_free(&t);
}

static void show_search(view *v) {
    size_t k;
    const json_t *run, *search = json_object_get(v->record, "search");
    table t = table_make("lllrrrr");
    char shape[128];
    static const char *const headings[] = {"model", "shape", "trained as", "parameters"};
    for (size_t h = 0; h < 4; ++h) table_add(&t, "%s", headings[h]);
    table_add(&t, "validation %s", v->classes ? "accuracy" : "RMSE");
    table_add(&t, "steps"), table_add(&t, "CPU time");
    json_array_foreach(search, k, run) {
        table_add(&t, "%s%s", json_is_true(json_object_get(run, "is_selected")) ? "*" : "",
                  names[is_family(run, 1)]);
        table_add(&t, "%s", page_shape(run, shape, sizeof shape));
        table_add(&t, "%s", page_text(run, "recipe"));
        table_add(&t, "%.0f", page_number(run, "parameters"));
        table_add(&t, "%.4g", page_number(run, v->classes ? "validation.accuracy" : "validation.rmse"));
        table_add(&t, "%.0f", page_number(run, "steps"));
        add_seconds(&t, page_number(run, "seconds"));
    }
    html_element(v->p.out, "h2", NULL, "What was tried");
    html_table(v->p.out, &t);
    html_element(v->p.out, "p", "note",
                 "Each configuration once, with the first seed. The marked ones were selected.");
    table_free(&t);
}

/* ---- charts ----------------------------------------------------------------------------------------- */

/* Validation error of the search, and test error of what was selected, over parameters or seconds. */
static void chart_cost(view *v, const char *cost, const char *label, const char *caption) {
    static const char *const searched[] = {"KAN, validation", "MLP, validation"};
    static const char *const tested[] = {"KAN, test", "MLP, test"};
    chart c = {.x_label = label, .y_label = error_name(v), .log_x = true, .log_y = true};
    size_t k;
    const json_t *run;
    for (int f = 0; f < 2; ++f) {
        const chart_colour colour = f == 0 ? CHART_KAN : CHART_MLP;
        chart_series *all = chart_add(&c, searched[f], CHART_POINTS, colour);
        all->hollow = true;
        json_array_foreach(json_object_get(v->record, "search"), k, run) if (is_family(run, f))
            chart_point(&c, all, page_number(run, cost), error_of(v, run, "validation"));
        chart_series *last = chart_add(&c, tested[f], CHART_POINTS, colour);
        json_array_foreach(json_object_get(v->record, "runs"), k, run) if (is_family(run, f))
            chart_point(&c, last, page_number(run, cost), error_of(v, run, "test"));
    }
    page_chart(&v->p, &c, "%s", caption);
}

/* With --effort: test errors on the way of the first tested run of each family. */
static void chart_stages(view *v) {
    static const char *const titles[2][2] = {{"KAN, training rows", "KAN, test rows"},
                                             {"MLP, training rows", "MLP, test rows"}};
    chart c = {.x_label = "CPU seconds", .y_label = error_name(v), .log_x = true, .log_y = true};
    for (int f = 0; f < 2; ++f) {
        const json_t *stages = NULL, *stage, *runs = json_object_get(v->record, "runs");
        for (size_t k = 0; k < json_array_size(runs) && !stages; ++k)
            if (is_family(json_array_get(runs, k), f))
                stages = json_object_get(json_array_get(runs, k), "stages");
        size_t k;
        const chart_colour colour = f == 0 ? CHART_KAN : CHART_MLP;
        chart_series *train = chart_add(&c, titles[f][0], CHART_DASHES, colour),
                     *test = chart_add(&c, titles[f][1], CHART_BOTH, colour);
        json_array_foreach(stages, k, stage) {
            const double seconds = page_number(stage, "seconds");
            const double a = page_number(stage, v->classes ? "train_accuracy" : "train_rmse"),
                         b = page_number(stage, v->classes ? "test_accuracy" : "test_rmse");
            chart_point(&c, train, seconds, v->classes ? 1.0 - a : a);
            chart_point(&c, test, seconds, v->classes ? 1.0 - b : b);
        }
    }
    page_chart(&v->p, &c, "The way of the first seed: errors after each stage of the search.");
}

/* One point a seed, beside each other so that equal ones can be counted. */
static void add_column(view *v, chart *c, chart_series *s, int f, const char *stage, size_t column) {
    size_t k, n = 0;
    const json_t *run;
    json_array_foreach(json_object_get(v->record, "runs"), k, run) {
        if (!is_family(run, f) || strcmp(page_text(run, "stage"), stage) != 0) continue;
        const size_t steps = (n + 1) / 2;
        const double aside = (n % 2 ? 0.05 : -0.05) * (double)steps;
        chart_point(c, s, (double)column + fmax(-0.4, fmin(0.4, aside)), error_of(v, run, "test"));
        ++n;
    }
}

/* At their best, and at equal parameters, where one of the two is what it was. */
static void chart_seeds(view *v) {
    static const char *const columns[] = {"KAN, best", "MLP, best", "KAN, equal", "MLP, equal"};
    chart c = {.x_label = "", .y_label = error_name(v), .log_y = true, .n_tics = 2};
    bool narrowed[2] = {false, false};
    size_t k;
    const json_t *run;
    json_array_foreach(json_object_get(v->record, "runs"), k,
                       run) if (strcmp(page_text(run, "stage"), "equal") == 0)
        narrowed[is_family(run, 1)] = true;
    if (narrowed[0] || narrowed[1]) c.n_tics = 4;
    for (size_t column = 0; column < 4; ++column) c.tics[column] = columns[column];
    for (int f = 0; f < 2; ++f) {
        chart_series *s = chart_add(&c, names[f], CHART_POINTS, f == 0 ? CHART_KAN : CHART_MLP);
        add_column(v, &c, s, f, "selected", (size_t)f);
        if (c.n_tics == 4) add_column(v, &c, s, f, narrowed[f] ? "equal" : "selected", 2 + (size_t)f);
    }
    page_chart(&v->p, &c, "Test errors over seeds, a point each.");
}

static void show_charts(view *v) {
    html_element(v->p.out, "h2", NULL, "Error, size and time");
    page_charts_begin(&v->p);
    chart_cost(v, "parameters", "parameters", "Error over parameters.");
    chart_cost(v, "seconds", "CPU seconds", "Error over the time of the training.");
    chart_seeds(v);
    page_losses(&v->p, v->kan, v->mlp);
    chart_stages(v);
    page_charts_end(&v->p);
    if (v->classes)
        html_element(v->p.out, "p", "note",
                     "Where no answer is wrong the charts show half a row, as zero has no logarithm.");
}

/* ---- the page --------------------------------------------------------------------------------------- */

static void show_seeds(view *v, char *text, size_t size) {
    const json_t *runs = json_object_get(v->record, "runs");
    double first = INFINITY, last = -INFINITY;
    for (size_t k = 0; k < json_array_size(runs); ++k) {
        const double seed = page_number(json_array_get(runs, k), "seed");
        first = fmin(first, seed), last = fmax(last, seed);
    }
    *text = '\0';
    if (last == first) snprintf(text, size, "Seed of the training: %.0f.", first);
    if (last > first) snprintf(text, size, "Seeds of the trainings: %.0f to %.0f.", first, last);
    const size_t used = strlen(text);
    snprintf(
        text + used, size - used, "%sSeed of the data and of its split: %.0f.%s", used ? " " : "",
        page_number(v->record, "data_seed"),
        json_is_true(json_object_get(v->record, "has_clock"))
            ? " A clock decided how many steps were taken; they are in the tables, and --steps repeats "
              "a run without it."
            : "");
}

void report_html_compare(FILE *out, const json_t *record) {
    const json_t *data = json_object_get(record, "data"),
                 *evidence = json_object_get(record, "evidence");
    view v = {.p = {.out = out},
              .record = record,
              .kan = json_object_get(evidence, "kan"),
              .mlp = json_object_get(evidence, "mlp"),
              .classes = strcmp(page_text(data, "task"), "classification") == 0,
              .n_test = page_number(data, "n_test")};
    char title[512], seeds[256], shape[128];
    snprintf(title, sizeof title, "KAN or MLP: %.480s", page_text(data, "name"));
    html_begin(out, title);
    html_element(out, "h1", NULL, "%s", title);
    html_element(out, "p", "verdict", "%s", page_text(record, "verdict"));
    const double n_out = page_number(data, "n_out");
    html_element(out, "p", NULL, "%s, %.0f rows to train on, %.0f to test, %.0f inputs, %.0f %s.",
                 v.classes ? "Classification" : "Regression", page_number(data, "n_train"), v.n_test,
                 page_number(data, "n_in"), n_out,
                 report_outputs_name(v.classes ? KAN_CLASSIFICATION : KAN_REGRESSION, (size_t)n_out));
    if (json_is_true(json_object_get(record, "interrupted")))
        html_element(out, "p", "note", "Interrupted: this is what was done until then.");
    show_results(&v);
    show_charts(&v);
    if (v.kan || v.mlp) {
        html_element(out, "h2", NULL, v.classes ? "What is confused" : "Predicted against true");
        page_predictions(&v.p, v.kan, v.mlp);
    }
    if (v.kan) {
        html_element(out, "h2", NULL, "The best KAN: %s, seed %.0f",
                     page_shape(v.kan, shape, sizeof shape), page_number(v.kan, "seed"));
        page_network(&v.p, v.kan);
    }
    show_search(&v);
    show_seeds(&v, seeds, sizeof seeds);
    page_provenance(&v.p, json_object_get(record, "provenance"), seeds);
    html_end(out);
}
