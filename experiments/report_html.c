/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "experiments/report_html.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "experiments/html.h"
#include "experiments/report.h"

enum {
    MOST_LISTED = 20,  /* points of a series below a chart            */
    MOST_CLASSES = 25, /* of a matrix that is shown as one            */
    MOST_CONFUSED = 10 /* pairs that are listed where there are more  */
};

/* ---- records -------------------------------------------------------------------------------------- */

double page_number(const json_t *object, const char *path) {
    char copy[64], *rest = copy;
    snprintf(copy, sizeof copy, "%s", path);
    for (char *key; (key = strsep(&rest, ".")) != NULL;) object = json_object_get(object, key);
    return json_is_number(object) ? json_number_value(object) : (double)NAN;
}

const char *page_text(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

const char *page_shape(const json_t *run, char *text, size_t size) {
    size_t k, used = 0;
    const json_t *level, *shape = json_object_get(run, "shape");
    snprintf(text, size, "%s", json_is_string(shape) ? json_string_value(shape) : "");
    json_array_foreach(shape, k, level) {
        const char *comma = k > 0 ? "," : "";
        if (used + 24 > size) break;
        used += (size_t)(json_is_string(level) ? snprintf(text + used, size - used, "%s%s", comma,
                                                          json_string_value(level))
                                               : snprintf(text + used, size - used, "%s%lld", comma,
                                                          (long long)json_integer_value(level)));
        if (used >= size) break;
    }
    return text;
}

/* ---- charts --------------------------------------------------------------------------------------- */

static void list_points(const page *p, const chart *c, bool open) {
    bool thinned;
    table t = chart_table(c, MOST_LISTED, &thinned);
    html_details_begin(p->out, open, thinned ? "Numbers (evenly spaced ones)" : "Numbers");
    html_table(p->out, &t);
    html_details_end(p->out);
    table_free(&t);
}

void page_charts_begin(page *p) {
    fputs("<div class=\"charts\">\n", p->out);
}

void page_charts_end(page *p) {
    fputs("</div>\n", p->out);
}

void page_chart(page *p, chart *c, const char *format, ...) {
    if (chart_has_points(c)) {
        char caption[512];
        va_list values;
        va_start(values, format);
        vsnprintf(caption, sizeof caption, format, values);
        va_end(values);
        fputs(c->wide ? "<figure class=\"wide\">\n" : "<figure>\n", p->out);
        html_element(p->out, "figcaption", NULL, "%s", caption);
        fputs("<div class=\"chart\">\n", p->out);
        const bool drawn = chart_write(c, ++p->n_charts, p->out);
        fputs("</div>\n", p->out);
        if (!drawn && !p->said_no_gnuplot)
            html_element(p->out, "p", "note",
                         "Charts need gnuplot on the PATH; here are their numbers.");
        p->said_no_gnuplot = p->said_no_gnuplot || !drawn;
        list_points(p, c, !drawn);
        fputs("</figure>\n", p->out);
    }
    chart_free(c);
}

static void add_losses(chart *c, const json_t *evidence, const char *train, const char *validation,
                       chart_colour colour) {
    size_t k;
    const json_t *point;
    chart_series *dashes = chart_add(c, validation, CHART_DASHES, colour),
                 *line = chart_add(c, train, CHART_LINE, colour);
    json_array_foreach(json_object_get(evidence, "curve"), k, point) {
        const double step = page_number(point, "step");
        chart_point(c, line, step, page_number(point, "loss"));
        chart_point(c, dashes, step, page_number(point, "validation"));
    }
}

void page_losses(page *p, const json_t *kan, const json_t *mlp) {
    chart c = {.x_label = "step", .y_label = "loss", .log_x = true, .log_y = true};
    add_losses(&c, kan, "KAN", "KAN, validation", CHART_KAN);
    add_losses(&c, mlp, "MLP", "MLP, validation", CHART_MLP);
    page_chart(p, &c,
               "Loss over steps of the first seed, in standardised units: means over parts of the "
               "steps, and the rows "
               "that validate.");
}

/* ---- predictions ----------------------------------------------------------------------------------- */

static void add_predicted(chart *c, const json_t *evidence, chart_series *s, double range[2]) {
    const json_t *truth = json_object_get(evidence, "true"),
                 *said = json_object_get(evidence, "predicted");
    for (size_t k = 0; k < json_array_size(truth); ++k) {
        const double y = json_number_value(json_array_get(truth, k)),
                     y_hat = json_number_value(json_array_get(said, k));
        range[0] = fmin(range[0], y), range[1] = fmax(range[1], y);
        chart_point(c, s, y, y_hat);
    }
}

static void chart_predicted(page *p, const json_t *kan, const json_t *mlp) {
    chart c = {.x_label = "true", .y_label = "predicted"};
    double range[2] = {INFINITY, -INFINITY};
    const char *target = page_text(kan ? kan : mlp, "target");
    chart_series *diagonal = chart_add(&c, "y = x", CHART_LINE, CHART_GREY);
    add_predicted(&c, mlp, chart_add(&c, "MLP", CHART_POINTS, CHART_MLP), range);
    add_predicted(&c, kan, chart_add(&c, "KAN", CHART_POINTS, CHART_KAN), range);
    chart_point(&c, diagonal, range[0], range[0]);
    chart_point(&c, diagonal, range[1], range[1]);
    page_chart(p, &c, "Predicted against true on test rows, first seed%s%s%s.",
               page_number(kan ? kan : mlp, "n_out") > 1.0 ? ", first of the targets" : "",
               *target ? ": " : "", target);
}

static void add_quantiles(chart *c, const json_t *evidence, const char *name, chart_colour colour) {
    const json_t *list = json_object_get(evidence, "quantiles");
    const size_t n = json_array_size(list);
    chart_series *s = chart_add(c, name, CHART_LINE, colour);
    for (size_t k = 0; k < n; ++k)
        chart_point(c, s, json_number_value(json_array_get(list, k)),
                    100.0 * (double)k / (double)(n - 1));
}

static void chart_errors(page *p, const json_t *kan, const json_t *mlp) {
    chart c = {.x_label = "absolute error", .y_label = "% of the test rows below it", .log_x = true};
    add_quantiles(&c, kan, "KAN", CHART_KAN);
    add_quantiles(&c, mlp, "MLP", CHART_MLP);
    page_chart(p, &c, "Errors over the test rows, first seed: which share of them is smaller.");
}

/* A list of the pairs that are confused most, where a matrix would be too large. */
static void list_confused(page *p, const json_t *matrix, const json_t *names) {
    const size_t n = json_array_size(names);
    json_int_t below = -1;
    table t = table_make("llr");
    table_add(&t, "true"), table_add(&t, "predicted"), table_add(&t, "test rows");
    for (size_t shown = 0; shown < MOST_CONFUSED && below != 0;) {
        json_int_t most = 0;
        for (size_t k = 0; k < n * n; ++k) { /* the largest count that was not shown yet */
            const json_int_t count = json_integer_value(
                json_array_get(json_array_get(matrix, k / n), k % n));
            if (k / n != k % n && count > most && (below < 0 || count < below)) most = count;
        }
        for (size_t k = 0; k < n * n && most > 0 && shown < MOST_CONFUSED; ++k) {
            const json_int_t count = json_integer_value(
                json_array_get(json_array_get(matrix, k / n), k % n));
            if (k / n == k % n || count != most) continue;
            table_add(&t, "%s", json_string_value(json_array_get(names, k / n)));
            table_add(&t, "%s", json_string_value(json_array_get(names, k % n)));
            table_add(&t, "%lld", (long long)count);
            ++shown;
        }
        below = most;
    }
    html_element(p->out, "p", "note",
                 "%zu classes are too many for a matrix; what is confused most:", n);
    html_table(p->out, &t);
    table_free(&t);
}

static void show_confusion(page *p, const json_t *evidence, const char *model) {
    char shape[128], align[MOST_CLASSES + 3] = "l";
    const json_t *matrix = json_object_get(evidence, "confusion"),
                 *names = json_object_get(evidence, "classes");
    const size_t n = json_array_size(names);
    if (n == 0) return;
    html_element(p->out, "h3", NULL, "Confusion matrix of the %s %s, seed %.0f", model,
                 page_shape(evidence, shape, sizeof shape), page_number(evidence, "seed"));
    if (n > MOST_CLASSES) {
        list_confused(p, matrix, names);
        return;
    }
    for (size_t k = 0; k < n; ++k) strcat(align, "r");
    table t = table_make(align);
    table_add(&t, "true \\ predicted");
    for (size_t k = 0; k < n; ++k) table_add(&t, "%s", json_string_value(json_array_get(names, k)));
    for (size_t k = 0; k < n; ++k) {
        table_add(&t, "%s", json_string_value(json_array_get(names, k)));
        for (size_t j = 0; j < n; ++j) {
            const json_int_t count = json_integer_value(json_array_get(json_array_get(matrix, k), j));
            if (count > 0)
                table_add(&t, "%lld", (long long)count);
            else
                table_add(&t, "\xc2\xb7");
        }
    }
    html_table(p->out, &t);
    table_free(&t);
}

void page_predictions(page *p, const json_t *kan, const json_t *mlp) {
    if (json_object_get(kan ? kan : mlp, "confusion")) {
        show_confusion(p, kan, "KAN");
        show_confusion(p, mlp, "MLP");
        return;
    }
    if (!json_object_get(kan ? kan : mlp, "predicted")) return;
    page_charts_begin(p);
    chart_predicted(p, kan, mlp);
    chart_errors(p, kan, mlp);
    page_charts_end(p);
}

/* ---- the network ------------------------------------------------------------------------------------ */

void page_network(page *p, const json_t *evidence) {
    const char *diagram = page_text(evidence, "diagram"), *formula = page_text(evidence, "formula"),
               *remark = page_text(evidence, "formula_remark");
    if (*formula) html_element(p->out, "pre", "formula", "%s", formula);
    if (*remark) html_element(p->out, "p", "note", "%s", remark);
    if (!*diagram) return;
    fputs("<div class=\"diagram\">\n", p->out);
    fputs(diagram, p->out); /* ours, with its texts escaped */
    fputs("</div>\n", p->out);
}

/* ---- to repeat it ----------------------------------------------------------------------------------- */

static void show_pairs(page *p, const json_t *list, const char *what, const char *text) {
    size_t k;
    const json_t *pair;
    table t = table_make("ll");
    table_add(&t, "%s", what), table_add(&t, "%s", text);
    json_array_foreach(list, k, pair) {
        table_add(&t, "%s", json_string_value(json_array_get(pair, 0)));
        table_add(&t, "%s", json_string_value(json_array_get(pair, 1)));
    }
    html_table(p->out, &t);
    table_free(&t);
}

void page_provenance(page *p, const json_t *provenance, const char *seeds) {
    html_element(p->out, "h2", NULL, "To repeat it");
    html_element(p->out, "pre", "command", "%s", page_text(provenance, "command"));
    html_element(p->out, "p", NULL, "kan %s. %s", page_text(provenance, "version"), seeds);
    show_pairs(p, json_object_get(provenance, "data"), "data", "SHA-256");
    show_pairs(p, json_object_get(provenance, "machine"), "machine", "");
}
