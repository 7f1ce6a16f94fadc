/* experiments/compare_say.c - what `kan compare` says: tables, the verdict, the record and the report.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "experiments/command.h"
#include "experiments/compare.h"
#include "experiments/output.h"
#include "experiments/provenance.h"
#include "experiments/report.h"
#include "experiments/report_html.h"
#include "experiments/verdict.h"

size_t compare_seeds(const options *o) {
    return o->seeds ? o->seeds : COMPARE_SEEDS;
}

double compare_budget(const options *o) {
    return o->budget > 0.0 ? o->budget : COMPARE_BUDGET;
}

/* ---- saying it ---------------------------------------------------------------------------------- */

static spread series_spread(kan_task task, const series *s) {
    double values[COMPARE_MAX_SEEDS];
    for (size_t j = 0; j < s->n; ++j) values[j] = report_metric_value(task, &s->runs[j].test);
    return spread_of(s->n, values);
}

static double mean_seconds(const series *s) {
    double sum = 0.0;
    for (size_t j = 0; j < s->n; ++j) sum += s->runs[j].seconds;
    return sum / (double)s->n;
}

/* What a person wants to know of a configuration besides its shape. */
static const char *recipe_text(const candidate *c, char *text, size_t size) {
    const char *optimizer = report_optimizer_text(c->train.optimizer);
    if (c->family == FAMILY_KAN)
        snprintf(text, size, "%zu cells, %s", c->net.n_cells ? c->net.n_cells : 5, optimizer);
    else
        snprintf(text, size, "%s, %s", kan_activation_name(c->mlp.activation), optimizer);
    return text;
}

static void add_row(table *t, kan_task task, const trained *run, const char *metric, double seconds) {
    char shape[128], recipe[64], time[32];
    (void)task;
    table_add(t, "%s", run->candidate.family == FAMILY_KAN ? "KAN" : "MLP");
    table_add(t, "%s", report_shape_text(&run->candidate, shape, sizeof shape));
    table_add(t, "%s", recipe_text(&run->candidate, recipe, sizeof recipe));
    table_add(t, "%zu", run->parameters);
    table_add(t, "%s", metric);
    table_add(t, "%s", report_seconds_text(seconds, time, sizeof time));
}

static void add_heading(table *t, const char *metric) {
    table_add(t, "model");
    table_add(t, "shape");
    table_add(t, "trained as");
    table_add(t, "parameters");
    table_add(t, "%s", metric);
    table_add(t, "CPU time");
}

static void print_search(const comparison *c, kan_task task) {
    char heading[64], value[32];
    table t = table_make("lllrrr");
    snprintf(heading, sizeof heading, "validation %s", report_metric_name(task));
    add_heading(&t, heading);
    for (int f = 0; f < N_FAMILIES; ++f)
        for (size_t j = 0; j < c->contests[f].n_search; ++j) {
            const trained *run = &c->contests[f].search[j];
            snprintf(value, sizeof value, "%.4g%s", report_metric_value(task, &run->validation),
                     j == c->contests[f].best ? " *" : "  ");
            add_row(&t, task, run, value, run->seconds);
        }
    table_print(&t, stdout);
    table_free(&t);
}

static void print_series(const comparison *c, kan_task task) {
    char heading[64], value[64];
    table t = table_make("lllrrr");
    snprintf(heading, sizeof heading, "test %s", report_metric_name(task));
    add_heading(&t, heading);
    for (int f = 0; f < N_FAMILIES; ++f) {
        const series *both[] = {&c->contests[f].selected, &c->contests[f].equal};
        for (size_t b = 0; b < 2; ++b) {
            if (both[b]->n == 0) continue;
            const spread s = series_spread(task, both[b]);
            if (s.n > 1)
                snprintf(value, sizeof value, "%.4g +- %.2g", s.mean, s.sd);
            else
                snprintf(value, sizeof value, "%.4g", s.mean);
            add_row(&t, task, &both[b]->runs[0], value, mean_seconds(both[b]));
        }
    }
    table_print(&t, stdout);
    table_free(&t);
}

/* "KAN 8,32,1 (2880 parameters)" */
static const char *name_of(const series *s, char *text, size_t size) {
    char shape[128];
    const trained *run = &s->runs[0];
    snprintf(text, size, "%s %s (%zu parameters)", run->candidate.family == FAMILY_KAN ? "KAN" : "MLP",
             report_shape_text(&run->candidate, shape, sizeof shape), run->parameters);
    return text;
}

static void compare_series(const comparison *c, const series *a, const series *b, char *text,
                           size_t size) {
    const kan_task task = c->source.train->task;
    char name_a[192], name_b[192];
    const spread spread_a = series_spread(task, a), spread_b = series_spread(task, b);
    verdict_write(task, name_of(a, name_a, sizeof name_a), &spread_a, name_of(b, name_b, sizeof name_b),
                  &spread_b, c->source.test->n, text, size);
}

void compare_make_verdict(comparison *c) {
    const contest *kan = &c->contests[FAMILY_KAN], *mlp = &c->contests[FAMILY_MLP];
    char best[480] = "", equal[480] = "";
    if (kan->selected.n == 0 || mlp->selected.n == 0) {
        snprintf(c->verdict, sizeof c->verdict,
                 "Interrupted before the test rows were looked at: no verdict.");
        return;
    }
    compare_series(c, &kan->selected, &mlp->selected, best, sizeof best);
    const series *small_kan = kan->equal.n ? &kan->equal : &kan->selected;
    const series *small_mlp = mlp->equal.n ? &mlp->equal : &mlp->selected;
    if (kan->equal.n || mlp->equal.n)
        compare_series(c, small_kan, small_mlp, equal, sizeof equal);
    else
        snprintf(equal, sizeof equal,
                 "that is the same comparison, or no model of the larger family is as small");
    snprintf(c->verdict, sizeof c->verdict, "At their best: %s. At equal parameters: %s.", best, equal);
}

/* {"shape", .., "test": means, "test_sd": standard deviations, "seconds": mean} */
static json_t *series_json(kan_task task, const series *s) {
    if (s->n == 0) return json_null();
    const trained *run = &s->runs[0];
    json_t *test = json_object(), *sd = json_object();
    json_t *first = report_metric(task, &run->test);
    const char *key;
    json_t *unused;
    json_object_foreach(first, key, unused) {
        double values[COMPARE_MAX_SEEDS];
        for (size_t j = 0; j < s->n; ++j) {
            json_t *metric = report_metric(task, &s->runs[j].test);
            json_t *value = json_object_get(metric, key);
            values[j] = json_is_number(value) ? json_number_value(value) : (double)NAN;
            json_decref(metric);
        }
        const spread all = spread_of(s->n, values);
        json_object_set_new(test, key, report_real(all.mean));
        json_object_set_new(sd, key, report_real(all.sd));
    }
    json_decref(first);
    json_t *object = report_run(task, run);
    json_object_del(object, "seed");
    json_object_del(object, "validation");
    json_object_set_new(object, "test", test);
    json_object_set_new(object, "test_sd", sd);
    json_object_set_new(object, "seconds", report_real(mean_seconds(s)));
    json_object_set_new(object, "seeds", json_integer((json_int_t)s->n));
    return object;
}

static void append_runs(json_t *list, kan_task task, const trained *runs, size_t n, const char *stage) {
    for (size_t j = 0; j < n; ++j) {
        json_t *run = report_run(task, &runs[j]);
        json_object_set_new(run, "stage", json_string(stage));
        json_array_append_new(list, run);
    }
}

json_t *compare_json(const comparison *c) {
    const kan_task task = c->source.train->task;
    json_t *runs = json_array(), *searched = json_array(), *best = json_object(),
           *equal = json_object();
    for (int f = 0; f < N_FAMILIES; ++f) {
        const contest *k = &c->contests[f];
        append_runs(searched, task, k->search, k->n_search, "search");
        append_runs(runs, task, k->selected.runs, k->selected.n, "selected");
        append_runs(runs, task, k->equal.runs, k->equal.n, "equal");
        json_object_set_new(best, family_name(k->family), series_json(task, &k->selected));
        json_object_set_new(equal, family_name(k->family),
                            series_json(task, k->equal.n ? &k->equal : &k->selected));
    }
    return json_pack("{s:s, s:s, s:o, s:f, s:o, s:o, s:o, s:o, s:s, s:b}", "command", "compare",
                     "version", KAN_VERSION, "data", report_data(&c->source), "budget",
                     compare_budget(c->o), "runs", runs, "search", searched, "best", best, "equal",
                     equal, "verdict", c->verdict, "interrupted", interrupted != 0);
}

void compare_print(const comparison *c) {
    const kan_task task = c->source.train->task;
    const kan_dataset *train = c->source.train, *test = c->source.test;
    printf("%s: %s, %zu rows to train on, %zu to test, %zu inputs, %zu %s\n\n", c->source.name,
           report_task_name(task), train->n, test->n, train->n_in, train->n_out,
           report_outputs_name(task, train->n_out));
    printf("Search: each configuration once, judged on %zu validation rows (* selected)\n",
           c->problem.held->n);
    print_search(c, task);
    if (c->contests[FAMILY_KAN].selected.n > 0) {
        printf("\nTest: %zu seed%s, then trained on all %zu rows\n", compare_seeds(c->o),
               compare_seeds(c->o) == 1 ? "" : "s", train->n);
        print_series(c, task);
    }
    putchar('\n');
    report_paragraph(c->verdict, stdout);
}

/* ---- the report --------------------------------------------------------------------------------- */

/* What the page wants to know of runs [n] beside the members that the record has: from the k-th of the list
 * on. */
static void describe_runs(json_t *list, size_t *k, const trained *runs, size_t n) {
    char text[64];
    for (size_t j = 0; j < n; ++j)
        json_object_set_new(json_array_get(list, (*k)++), "recipe",
                            json_string(recipe_text(&runs[j].candidate, text, sizeof text)));
}

static void describe_series(json_t *object, const series *s) {
    char text[64];
    if (s->n > 0 && json_is_object(object))
        json_object_set_new(object, "recipe",
                            json_string(recipe_text(&s->runs[0].candidate, text, sizeof text)));
}

static json_t *report_record(const comparison *c) {
    json_t *record = compare_json(c), *evidence = json_object();
    size_t searched = 0, tested = 0;
    for (int f = 0; f < N_FAMILIES; ++f) {
        const contest *k = &c->contests[f];
        const char *name = family_name(k->family);
        json_t *search = json_object_get(record, "search"), *runs = json_object_get(record, "runs");
        json_object_set_new(json_array_get(search, searched + k->best), "is_selected", json_true());
        describe_runs(search, &searched, k->search, k->n_search);
        describe_runs(runs, &tested, k->selected.runs, k->selected.n);
        describe_runs(runs, &tested, k->equal.runs, k->equal.n);
        describe_series(json_object_get(json_object_get(record, "best"), name), &k->selected);
        describe_series(json_object_get(json_object_get(record, "equal"), name),
                        k->equal.n ? &k->equal : &k->selected);
        if (k->evidence) json_object_set(evidence, name, k->evidence);
    }
    int failed = json_object_set_new(record, "evidence", evidence);
    failed |= json_object_set_new(record, "data_seed", json_integer((json_int_t)c->o->data_seed));
    failed |= json_object_set_new(record, "has_clock", json_boolean(!c->o->steps));
    failed |= json_object_set_new(record, "provenance", provenance_make(c->command, &c->source, c->o));
    if (!failed) return record;
    json_decref(record);
    return NULL;
}

int compare_report(const comparison *c) {
    output out;
    json_t *record = report_record(c);
    int status = record ? output_open(&out, c->o->report)
                        : complain(1, "%s: cannot write: out of memory", c->o->report);
    if (status == 0) {
        report_html_compare(out.stream, record);
        status = output_close(&out, 1);
    }
    json_decref(record);
    return status;
}
