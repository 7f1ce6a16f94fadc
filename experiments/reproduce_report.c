/* experiments/reproduce_report.c - tables of `kan reproduce`, for people and for programs.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "experiments/report.h"
#include "experiments/reproduce.h"
#include "experiments/statistics.h"

static const double significance = 0.05;
/* Published values have three digits: what agrees in these is as good. */
static const double as_good = 0.995;

/* ---- numbers of an arm --------------------------------------------------------------------------- */

/* What the selected contender of an arm reached, over its seeds. */
typedef struct summary {
    size_t n;
    const reproduce_run *runs[REPRODUCE_MAX_SEEDS];
    double values[REPRODUCE_MAX_SEEDS]; /* of the metric that counts */
    double median, low, high;
    double seconds, search_seconds; /* of one run, median; of all runs of the arm */
} summary;

static reproduce_metric metric_of(const reproduce_row *row) {
    return row->task->classes ? REPRODUCE_ACCURACY : row->experiment->metric;
}

static const char *metric_name(reproduce_metric m) {
    static const char *const names[] = {"rmse", "mae", "accuracy"};
    return names[m];
}

static double number(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

/* CPU seconds after which the way to the model had the published error; NaN: it never had. */
static double seconds_to(const json_t *line, double error) {
    size_t k;
    const json_t *stage;
    json_array_foreach(json_object_get(line, "stages"), k,
                       stage) if (number(stage, "test_rmse") <= error) return number(stage, "seconds");
    return (double)NAN;
}

static double value_of(const reproduce_row *row, const reproduce_run *r) {
    if (row->experiment->timed) return seconds_to(r->line, row->task->published_kan);
    return number(json_object_get(r->line, "test"), metric_name(metric_of(row)));
}

static double seconds_of_all(const reproduce_row *row, const reproduce_arm *a) {
    double sum = 0.0;
    for (size_t j = 0; j < a->n; ++j)
        for (size_t s = 0; s < row->seeds; ++s) {
            const double seconds = number(a->runs[j][s].line, "seconds");
            sum += isnan(seconds) ? 0.0 : seconds;
        }
    return sum;
}

static void summarize(const reproduce_row *row, const reproduce_arm *a, summary *s) {
    double seconds[REPRODUCE_MAX_SEEDS];
    *s = (summary){.median = (double)NAN, .low = (double)NAN, .high = (double)NAN};
    if (!a) return;
    const reproduce_run *all[REPRODUCE_MAX_SEEDS];
    const size_t n = reproduce_arm_results(row, a, all);
    for (size_t j = 0; j < n; ++j) {
        const double value = value_of(row, all[j]);
        if (isnan(value)) continue;
        seconds[s->n] = number(all[j]->line, "seconds");
        s->runs[s->n] = all[j], s->values[s->n++] = value;
    }
    if (s->n == 0) return;
    s->median = statistics_median(s->n, s->values);
    s->low = statistics_quantile(s->n, s->values, 0.0);
    s->high = statistics_quantile(s->n, s->values, 1.0);
    s->seconds = statistics_median(s->n, seconds);
    s->search_seconds = seconds_of_all(row, a);
}

static const reproduce_arm *arm_of(const reproduce_row *row, const char *name) {
    for (size_t a = 0; a < row->n_arms; ++a)
        if (strcmp(row->arms[a].name, name) == 0) return &row->arms[a];
    return NULL;
}

static void shape_text(const summary *s, char *text, size_t size) {
    size_t k, used = 0;
    const json_t *level;
    *text = '\0';
    if (s->n == 0) return;
    json_array_foreach(json_object_get(s->runs[0]->line, "shape"), k, level) {
        const char *comma = k > 0 ? "," : "";
        if (json_is_string(level))
            used += (size_t)snprintf(text + used, size - used, "%s%s", comma, json_string_value(level));
        else
            used += (size_t)snprintf(text + used, size - used, "%s%lld", comma,
                                     json_integer_value(level));
        if (used + 24 > size) break;
    }
}

/* ---- what may be said ------------------------------------------------------------------------------ */

typedef struct judgement {
    size_t n;                 /* seeds that both have */
    double p, p_wilcoxon;     /* KAN against MLP */
    bool kan_ahead, is_clear; /* of the MLP */
    double published_ratio;   /* published over ours; accuracies: ours over published; NaN without */
} judgement;

static bool larger_wins(const reproduce_row *row) {
    return metric_of(row) == REPRODUCE_ACCURACY;
}

static judgement judge(const reproduce_row *row, const summary *kan, const summary *mlp) {
    double a[REPRODUCE_MAX_SEEDS] = {0.0}, b[REPRODUCE_MAX_SEEDS] = {0.0};
    const bool larger = larger_wins(row);
    judgement j = {.p = 1.0, .p_wilcoxon = 1.0, .published_ratio = (double)NAN};
    for (size_t k = 0; k < kan->n; ++k)
        for (size_t m = 0; m < mlp->n; ++m) {
            if (kan->runs[k]->seed != mlp->runs[m]->seed) continue;
            /* errors of zero have no logarithm */
            const double least = 1e-300;
            a[j.n] = larger ? kan->values[k] : log(fmax(kan->values[k], least));
            b[j.n++] = larger ? mlp->values[m] : log(fmax(mlp->values[m], least));
        }
    j.p = statistics_paired_t(j.n, a, b);
    j.p_wilcoxon = statistics_wilcoxon(j.n, a, b);
    j.kan_ahead = larger ? kan->median > mlp->median : kan->median < mlp->median;
    j.is_clear = j.n > 1 && j.p < significance;
    const double published = row->experiment->timed ? row->task->published_seconds
                                                    : row->task->published_kan;
    if (published > 0.0 && kan->n > 0)
        j.published_ratio = larger ? kan->median / published : published / kan->median;
    return j;
}

/* "3.4e+02 times below the published KAN; KAN better than MLP (p = 0.001)" */
static void write_verdict(const reproduce_row *row, const summary *kan, const summary *mlp, char *text,
                          size_t size) {
    const judgement j = judge(row, kan, mlp);
    const bool larger = larger_wins(row);
    size_t used = 0;
    *text = '\0';
    if (row->missing) {
        snprintf(text, size, "skipped: no %s", row->missing);
        return;
    }
    if (kan->n == 0) {
        snprintf(text, size,
                 row->experiment->timed ? "the published error was not reached" : "no result");
        return;
    }
    if (isfinite(j.published_ratio) && larger)
        used = (size_t)snprintf(text, size, "%+.2f points to the published KAN; ",
                                100.0 * (kan->median - row->task->published_kan));
    else if (fabs(log(j.published_ratio)) < log(1.05))
        used = (size_t)snprintf(text, size, "within 5 %% of the published KAN; ");
    else if (isfinite(j.published_ratio))
        used = (size_t)snprintf(text, size, "%.2g times %s the published KAN; ",
                                j.published_ratio >= 1.0 ? j.published_ratio : 1.0 / j.published_ratio,
                                j.published_ratio >= 1.0 ? "below" : "ABOVE");
    if (mlp->n == 0)
        snprintf(text + used, size - used, "no MLP");
    else if (j.is_clear)
        snprintf(text + used, size - used, "%s better (p = %.2g)", j.kan_ahead ? "KAN" : "MLP", j.p);
    else if (j.n > 1)
        snprintf(text + used, size - used, "tie with the MLP (p = %.2g)", j.p);
    else
        snprintf(text + used, size - used, "%s ahead (one seed)", j.kan_ahead ? "KAN" : "MLP");
}

/* ---- for people --------------------------------------------------------------------------------------- */

static void add_value(table *t, reproduce_metric m, double value, bool known) {
    if (!known || !isfinite(value))
        table_add(t, "-");
    else if (m == REPRODUCE_ACCURACY)
        table_add(t, "%.4f", value);
    else
        table_add(t, "%.2e", value);
}

/* Arms beside KAN and MLP, in the order of the entry: names [MAX_ARMS]. */
static size_t other_arms(const reproduce_experiment *e, const char **names) {
    size_t n = 0;
    for (size_t j = 0; j < e->n_contenders; ++j) {
        const char *name = e->contenders[j].arm;
        bool known = strcmp(name, "kan") == 0 || strcmp(name, "mlp") == 0;
        for (size_t k = 0; k < n; ++k) known = known || strcmp(name, names[k]) == 0;
        if (!known) names[n++] = name;
    }
    return n;
}

static void print_heading(table *t, size_t n_others, const char *const *others) {
    static const char *const first[] = {"task",  "publ. KAN", "publ. MLP", "KAN",   "low",
                                        "high",  "shape",     "par.",      "CPU s", "MLP",
                                        "shape", "par.",      "CPU s"};
    for (size_t k = 0; k < sizeof first / sizeof *first; ++k) table_add(t, "%s", first[k]);
    for (size_t k = 0; k < n_others; ++k) table_add(t, "%s", others[k]);
    table_add(t, "verdict");
}

static void add_model(table *t, reproduce_metric m, const summary *s, bool with_spread) {
    char shape[128];
    shape_text(s, shape, sizeof shape);
    add_value(t, m, s->median, s->n > 0);
    if (with_spread) {
        add_value(t, m, s->low, s->n > 0);
        add_value(t, m, s->high, s->n > 0);
    }
    table_add(t, "%s", *shape ? shape : "-");
    if (s->n == 0) {
        table_add(t, "-");
        table_add(t, "-");
        return;
    }
    table_add(t, "%.0f", number(s->runs[0]->line, "parameters"));
    table_add(t, "%.2f", s->seconds);
}

static void print_row(table *t, const reproduce_row *row, size_t n_others, const char *const *others) {
    const reproduce_metric m = metric_of(row);
    const reproduce_task *task = row->task;
    char verdict[256];
    summary kan, mlp, other;
    summarize(row, arm_of(row, "kan"), &kan);
    summarize(row, arm_of(row, "mlp"), &mlp);
    write_verdict(row, &kan, &mlp, verdict, sizeof verdict);
    table_add(t, "%s", task->name);
    add_value(t, m, row->experiment->timed ? task->published_seconds : task->published_kan,
              task->published_kan > 0.0);
    add_value(t, m, task->published_mlp, task->published_mlp > 0.0);
    add_model(t, m, &kan, true);
    add_model(t, m, &mlp, false);
    for (size_t k = 0; k < n_others; ++k) {
        summarize(row, arm_of(row, others[k]), &other);
        add_value(t, m, other.median, other.n > 0);
    }
    table_add(t, "%s", verdict);
}

/* What is true of all rows of an experiment. */
typedef struct total {
    size_t rows, published, below, kan_wins, mlp_wins, n_means;
    double kan[STATISTICS_MAX], mlp[STATISTICS_MAX], published_kan[STATISTICS_MAX];
    double seconds[N_FAMILIES];
} total;

static void add_up(const reproduce_plan *p, const reproduce_experiment *e, total *t) {
    *t = (total){.rows = 0};
    for (size_t k = 0; k < p->n; ++k) {
        const reproduce_row *row = &p->rows[k];
        summary kan, mlp;
        if (row->experiment != e || row->missing) continue;
        summarize(row, arm_of(row, "kan"), &kan);
        summarize(row, arm_of(row, "mlp"), &mlp);
        const judgement j = judge(row, &kan, &mlp);
        ++t->rows;
        t->published += isfinite(j.published_ratio);
        t->below += isfinite(j.published_ratio) && j.published_ratio >= as_good;
        t->kan_wins += j.is_clear && j.kan_ahead;
        t->mlp_wins += j.is_clear && !j.kan_ahead;
        t->seconds[FAMILY_KAN] += kan.search_seconds;
        t->seconds[FAMILY_MLP] += mlp.search_seconds;
        if (kan.n == 0 || mlp.n == 0 || t->n_means == STATISTICS_MAX) continue;
        t->published_kan[t->n_means] = row->task->published_kan;
        t->kan[t->n_means] = kan.median, t->mlp[t->n_means++] = mlp.median;
    }
}

static void print_total(const reproduce_experiment *e, const total *t, FILE *stream) {
    if (t->published > 0)
        fprintf(stream, "Median of the KAN as good as the published KAN or better: %zu of %zu.\n",
                t->below, t->published);
    fprintf(stream, "KAN better than MLP in %zu rows, MLP better in %zu, no clear difference in %zu.\n",
            t->kan_wins, t->mlp_wins, t->rows - t->kan_wins - t->mlp_wins);
    if (e->metric != REPRODUCE_ACCURACY && t->n_means > 1 && !e->timed) {
        fprintf(stream, "Geometric means: KAN %.2e, MLP %.2e",
                statistics_geometric_mean(t->n_means, t->kan),
                statistics_geometric_mean(t->n_means, t->mlp));
        const double published = statistics_geometric_mean(t->n_means, t->published_kan);
        if (isfinite(published)) fprintf(stream, ", published KAN %.2e", published);
        fprintf(stream, ".\n");
    }
    fprintf(stream, "CPU seconds of all runs: KAN %.1f, MLP %.1f.\n", t->seconds[FAMILY_KAN],
            t->seconds[FAMILY_MLP]);
}

/* The inputs that matter most to the KAN of a row, each with its score beside the largest one. */
static void print_scores(const reproduce_row *row, FILE *stream) {
    enum { SHOWN = 5 };
    summary kan;
    summarize(row, arm_of(row, "kan"), &kan);
    if (kan.n == 0) return;
    json_t *scores = json_object_get(kan.runs[0]->line, "scores");
    double last = INFINITY;
    fprintf(stream, "%s: inputs that matter most to the KAN:", row->task->name);
    for (int k = 0; k < SHOWN; ++k) {
        const char *key, *best = NULL;
        json_t *score;
        double most = -1.0;
        json_object_foreach(scores, key, score) if (json_number_value(score) < last &&
                                                    json_number_value(score) > most)
            most = json_number_value(score),
            best = key;
        if (!best) break;
        fprintf(stream, "%s %s %.2f", k > 0 ? "," : "", best, most);
        last = most;
    }
    fprintf(stream, "\n");
}

/* Slope of log10 error over log10 parameters along the ladder of an arm's first seed, the stage on all rows left out; NaN with
 * fewer than three sizes. */
static double slope_of(const summary *s) {
    enum { MOST = TRAINED_MAX_STAGES };
    double x[MOST], y[MOST];
    size_t n = 0, k;
    const json_t *stage;
    if (s->n == 0) return (double)NAN;
    json_array_foreach(json_object_get(s->runs[0]->line, "stages"), k, stage) {
        const double parameters = number(stage, "parameters"), error = number(stage, "test_rmse");
        const bool last = strcmp(json_string_value(json_object_get(stage, "phase")), "all rows") == 0;
        if (last || !(parameters > 0.0) || !(error > 0.0)) continue;
        const double size = log10(parameters);
        if (n > 0 && x[n - 1] == size) --n; /* a later stage of the same size */
        if (n < MOST) x[n] = size, y[n++] = log10(error);
    }
    return n < 3 ? (double)NAN : statistics_slope(n, x, y);
}

/* The slopes of the KAN's ladder and of that of cubic splines alone. */
static void print_slopes(const reproduce_row *row, FILE *stream) {
    static const char *const names[] = {"kan", "cubic"};
    const char *comma = "";
    for (size_t k = 0; k < 2; ++k) {
        summary s;
        summarize(row, arm_of(row, names[k]), &s);
        const double slope = slope_of(&s);
        if (isnan(slope)) continue;
        if (!*comma)
            fprintf(stream, "%s: slope of log10 error over log10 parameters:", row->task->name);
        fprintf(stream, "%s %s %.2f", comma, names[k], slope);
        comma = ",";
    }
    if (*comma) fprintf(stream, "\n");
}

/* What stands below a table of its own rows. */
static void print_remarks(const reproduce_plan *p, const reproduce_experiment *e, FILE *stream) {
    for (size_t k = 0; k < p->n; ++k) {
        const reproduce_row *row = &p->rows[k];
        if (row->experiment != e) continue;
        if (row->task->remark) fprintf(stream, "%s: %s\n", row->task->name, row->task->remark);
        if (e->attributed) print_scores(row, stream);
        if (arm_of(row, "cubic")) print_slopes(row, stream);
    }
}

void reproduce_print(const reproduce_plan *p, const reproduce_experiment *e, FILE *stream) {
    const char *others[REPRODUCE_MAX_ARMS];
    char align[16 + REPRODUCE_MAX_ARMS] = "lrrrrrlrrrlrr";
    total *t = malloc(sizeof *t);
    const size_t n_others = other_arms(e, others);
    for (size_t k = 0; k < n_others; ++k) strcat(align, "r");
    strcat(align, "l");
    table rows = table_make(align);
    print_heading(&rows, n_others, others);
    size_t n = 0;
    for (size_t k = 0; k < p->n; ++k)
        if (p->rows[k].experiment == e) print_row(&rows, &p->rows[k], n_others, others), ++n;
    fprintf(stream, "%s: %s (%s)\nPublished: %s\n", e->name, e->title,
            e->timed ? "CPU seconds to the published error" : metric_name(e->metric), e->source);
    if (n > 0) table_print(&rows, stream);
    if (t) {
        add_up(p, e, t);
        print_total(e, t, stream);
    }
    print_remarks(p, e, stream);
    free(t);
    table_free(&rows);
}

/* ---- for programs ------------------------------------------------------------------------------------- */

/* {"median", "low", "high", "values", "seeds", "shape", "parameters", "flops", "seconds", "search_seconds", "slope", ..} */
static json_t *arm_json(const reproduce_row *row, const reproduce_arm *a) {
    static const char *const copied[] = {"shape", "n_cells", "degree",      "parameters",
                                         "flops", "stages",  "phases",      "scores",
                                         "train", "test",    "wall_seconds"};
    summary s;
    summarize(row, a, &s);
    if (s.n == 0) return json_null();
    json_t *values = json_array(), *seeds = json_array();
    for (size_t k = 0; k < s.n; ++k) {
        json_array_append_new(values, report_real(s.values[k]));
        json_array_append_new(seeds, json_integer((json_int_t)s.runs[k]->seed));
    }
    json_t *object = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I}", "median",
                               report_real(s.median), "low", report_real(s.low), "high",
                               report_real(s.high), "values", values, "seeds", seeds, "seconds",
                               report_real(s.seconds), "search_seconds", report_real(s.search_seconds),
                               "configurations", (json_int_t)a->n);
    if (!isnan(slope_of(&s))) json_object_set_new(object, "slope", report_real(slope_of(&s)));
    for (size_t k = 0; k < sizeof copied / sizeof *copied; ++k) {
        json_t *value = json_object_get(s.runs[0]->line, copied[k]);
        if (value) json_object_set(object, copied[k], value);
    }
    return object;
}

static json_t *positive(double value) {
    return value > 0.0 ? json_real(value) : json_null();
}

static json_t *row_json(const reproduce_row *row) {
    const reproduce_task *task = row->task;
    char verdict[256];
    summary kan, mlp;
    summarize(row, arm_of(row, "kan"), &kan);
    summarize(row, arm_of(row, "mlp"), &mlp);
    write_verdict(row, &kan, &mlp, verdict, sizeof verdict);
    const judgement j = judge(row, &kan, &mlp);
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:{s:o, s:o, s:o, s:s}, s:s, s:b, s:b, s:o, s:o}", "task", task->name,
        "metric", row->experiment->timed ? "seconds" : metric_name(metric_of(row)), "data", task->data,
        "published", "kan", positive(task->published_kan), "mlp", positive(task->published_mlp),
        "seconds", positive(task->published_seconds), "source",
        task->source ? task->source : row->experiment->source, "verdict", verdict, "kan_ahead",
        j.kan_ahead, "clear", j.is_clear, "p_paired_t", report_real(j.p), "p_wilcoxon",
        report_real(j.p_wilcoxon));
    for (size_t a = 0; object && a < row->n_arms; ++a)
        json_object_set_new(object, row->arms[a].name, arm_json(row, &row->arms[a]));
    return object;
}

json_t *reproduce_json(const reproduce_plan *p, const reproduce_experiment *e) {
    total *t = malloc(sizeof *t);
    json_t *rows = json_array();
    for (size_t k = 0; rows && k < p->n; ++k)
        if (p->rows[k].experiment == e) json_array_append_new(rows, row_json(&p->rows[k]));
    if (!t || !rows) {
        free(t);
        json_decref(rows);
        return NULL;
    }
    add_up(p, e, t);
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:o, s:{s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o}}", "name", e->name,
        "title", e->title, "source", e->source, "rows", rows, "summary", "rows", (json_int_t)t->rows,
        "published", (json_int_t)t->published, "below_published", (json_int_t)t->below, "kan_better",
        (json_int_t)t->kan_wins, "mlp_better", (json_int_t)t->mlp_wins, "kan_geometric_mean",
        report_real(statistics_geometric_mean(t->n_means, t->kan)), "mlp_geometric_mean",
        report_real(statistics_geometric_mean(t->n_means, t->mlp)), "kan_seconds",
        report_real(t->seconds[FAMILY_KAN]), "mlp_seconds", report_real(t->seconds[FAMILY_MLP]));
    free(t);
    return object;
}
