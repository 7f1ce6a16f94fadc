/* experiments/formula_model.c - `kan formula MODEL`: a saved network, read edge by edge.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/random.h"
#include "core/work.h"
#include "experiments/command.h"
#include "experiments/formula.h"
#include "experiments/formula_snap.h"
#include "experiments/model_file.h"
#include "experiments/output.h"
#include "experiments/report.h"
#include "kan/attribution.h"
#include "kan/polish.h"
#include "train/trainer.h"

enum { POINTS = 1000, LEAST_ROWS = 20 };

/* All that the work on one network has and makes; zero at first. */
typedef struct reading {
    formula_job *j;
    model_file m;
    const char *name; /* of the model */
    bool has_target;  /* the rows have one of their own */
    double *y_net;    /* [n][n_out] what the network says of the rows, in the units of the data */
    kan_dataset *fit, *held; /* as the network is given them */
    snapped_net found;
    double began;
} reading;

bool formula_is_model(const char *path) {
    const size_t n = strlen(path);
    if (n > 4 && strcmp(path + n - 4, ".kan") == 0) return true;
    unsigned char first[9] = {0}; /* of a model file: the length of a header that begins with a brace */
    FILE *file = source_is_generator(path) ? NULL : fopen(path, "rb");
    const bool read = file && fread(first, 1, sizeof first, file) == sizeof first;
    if (file) fclose(file);
    return read && first[8] == '{' && first[5] == 0 && first[6] == 0 && first[7] == 0;
}

static int open_model(reading *r) {
    kan_error error;
    if (model_file_read(r->name, &r->m, &error) != KAN_OK) return complain(1, "%s", error.message);
    if (!r->m.net) return complain(1, "%s: holds an MLP, which has no curves to read", r->name);
    if (r->m.schema->task != KAN_REGRESSION)
        return complain(1, "%s: kan formula needs numbers as targets", r->name);
    if (r->m.scaler->n_in == 0) return complain(1, "%s: kan formula reads no images", r->name);
    return formula_make_names(r->j, r->m.schema);
}

/* ---- rows ----------------------------------------------------------------------------------------- */

/* Points uniform on the input grids, as far as inputs are not shortened, in the units of the data. */
static int make_points(reading *r) {
    const kan_scaler *s = r->m.scaler;
    const size_t n_in = r->m.schema->n_in;
    kan_dataset *d = kan_dataset_alloc(KAN_REGRESSION, POINTS, n_in, r->m.schema->n_out, false);
    if (!d) return complain(1, "out of memory");
    r->j->s.train = d;
    kan_attribution_points(r->m.net, POINTS, r->j->o.seed, d->x);
    for (size_t j = 0; j < POINTS * n_in; ++j) {
        if (s->x_tail > 0.0) d->x[j] = fmin(fmax(d->x[j], -s->x_tail), s->x_tail);
        d->x[j] = s->x_mean[j % n_in] + s->x_scale[j % n_in] * d->x[j];
    }
    return 0;
}

static int read_rows(reading *r, const char *name) {
    kan_error error;
    kan_dataset *d = NULL, *test = NULL;
    const kan_dataset *like = r->m.schema;
    kan_read_options how = {.like = like};
    if (source_is_generator(name)) {
        const int status = source_generate(name, &r->j->o, &d, &test);
        kan_dataset_free(test);
        if (status != 0) return status;
    } else {
        d = kan_dataset_read(name, &how, &error);
        r->has_target = d != NULL;
        how.target_optional = true;
        if (!d && error.status == KAN_EFORMAT) d = kan_dataset_read(name, &how, &error);
        if (!d) return complain(1, "%s", error.message);
    }
    r->j->s.train = d;
    if (d->bytes || d->task != like->task || d->n_in != like->n_in || d->n_out != like->n_out)
        return complain(1, "%s: not data of %zu inputs and %zu outputs as those of the model", name,
                        like->n_in, like->n_out);
    if (d->n < LEAST_ROWS)
        return complain(1, "%s: %zu rows, and a formula needs %d", name, d->n, LEAST_ROWS);
    return 0;
}

/* All rows of d as the network is given them. NULL without memory. */
static kan_dataset *scaled(const reading *r, const kan_dataset *d) {
    size_t *rows = malloc(d->n * sizeof *rows);
    for (size_t s = 0; rows && s < d->n; ++s) rows[s] = s;
    kan_dataset *copy = rows ? kan_dataset_select(d, d->n, rows) : NULL;
    if (copy) kan_scaler_apply(r->m.scaler, copy);
    free(rows);
    return copy;
}

/* What the network says of the rows; without a target that is the target. */
static int predict(reading *r) {
    kan_error error;
    kan_dataset *d = r->j->s.train, *copy = scaled(r, d);
    r->y_net = kan_work_alloc(kan_work_product(d->n, d->n_out));
    int status = copy && r->y_net ? 0 : complain(1, "out of memory");
    if (status == 0 && kan_trainer_predict(r->m.model, copy, r->y_net, &error) != KAN_OK)
        status = complain(1, "%s: %s", r->name, error.message);
    if (status == 0) kan_scaler_undo(r->m.scaler, d->n, r->y_net);
    if (status == 0 && !r->has_target) memcpy(d->y, r->y_net, d->n * d->n_out * sizeof *d->y);
    kan_dataset_free(copy);
    return status;
}

/* A fifth of the rows validates. */
static int split(reading *r) {
    kan_error error;
    const kan_dataset *d = r->j->s.train;
    const size_t n_held = d->n / 5;
    kan_random random = kan_random_seed(r->j->o.data_seed, 0);
    kan_dataset *all = scaled(r, d);
    size_t *rows = malloc(d->n * sizeof *rows);
    if (all && rows && kan_dataset_split(all, n_held, &random, rows, &error) == KAN_OK) {
        r->fit = kan_dataset_select(all, d->n - n_held, rows);
        r->held = kan_dataset_select(all, n_held, rows + (d->n - n_held));
    }
    free(rows);
    kan_dataset_free(all);
    return r->fit && r->held ? 0 : complain(1, "out of memory");
}

static int get_rows(reading *r) {
    const char *name = r->j->o.arguments[1];
    r->j->s.name = name;
    r->j->s.is_generator = r->has_target = name && source_is_generator(name);
    int status = name ? read_rows(r, name) : make_points(r);
    if (status == 0) status = predict(r);
    return status == 0 ? split(r) : status;
}

/* ---- the network ------------------------------------------------------------------------------------ */

static int snap(reading *r) {
    kan_error error;
    const double deadline = r->began + (r->j->o.budget > 0.0 ? r->j->o.budget : 60.0);
    if (formula_snap(r->m.net, r->fit, r->held, r->has_target, deadline, &r->found, &error) == KAN_OK)
        return 0;
    return complain(1, "%s: %s", r->name, error.message);
}

static void print_edges(const reading *r) {
    const double unit = r->m.scaler->n_y == 1 ? r->m.scaler->y_scale[0] : 1.0;
    printf("%zu edges, %zu pruned; RMSE %.3g on the validation rows, with functions %.3g, %.1f s\n",
           r->found.snapped.n_edges + r->found.pruned.n_edges_removed, r->found.pruned.n_edges_removed,
           unit * r->found.pruned.error_before, unit * r->found.snapped.error_after,
           r->found.snapped.seconds);
    table t = table_make("lrrlr");
    table_add(&t, "layer"), table_add(&t, "from"), table_add(&t, "to"), table_add(&t, "function");
    table_add(&t, "RMSE");
    for (size_t k = 0; k < r->found.snapped.n_edges; ++k) {
        const kan_snapped *e = &r->found.snapped.edges[k];
        table_add(&t, "%zu", e->edge.layer);
        if (e->edge.layer == 0)
            table_add(&t, "%s", r->j->names[e->edge.in]);
        else
            table_add(&t, "%zu", e->edge.in);
        table_add(&t, "%zu", e->edge.out);
        table_add(&t, "%s",
                  e->symbolic.f                   ? e->symbolic.f->name
                  : e->outcome == KAN_SNAP_SPLINE ? "none: stays a spline"
                                                  : "not tried: a spline");
        table_add(&t, "%.3g", unit * e->error);
    }
    table_print(&t, stdout);
    table_free(&t);
}

static json_t *edges_record(const reading *r) {
    json_t *list = json_array();
    for (size_t k = 0; list && k < r->found.snapped.n_edges; ++k) {
        const kan_snapped *e = &r->found.snapped.edges[k];
        const kan_symbolic *s = &e->symbolic;
        json_t *edge = json_pack("{s:I, s:I, s:I, s:o}", "layer", (json_int_t)e->edge.layer, "in",
                                 (json_int_t)e->edge.in, "out", (json_int_t)e->edge.out, "function",
                                 s->f ? json_string(s->f->name) : json_null());
        if (s->f)
            json_object_update_new(edge, json_pack("{s:o, s:o, s:o, s:o}", "a", report_real(s->a), "b",
                                                   report_real(s->b), "c", report_real(s->c), "d",
                                                   report_real(s->d)));
        json_array_append_new(list, edge);
    }
    return list;
}

/* ---- formulas --------------------------------------------------------------------------------------- */

/* What a formula is worth: RMSE on the rows, and how far it is from the network there. */
typedef struct worth {
    double rmse, from_net, worst, complexity;
} worth;

static void compare_with_net(const reading *r, size_t o, const kan_expression *e, worth *w) {
    const kan_dataset *d = r->j->s.train;
    double squares = 0.0;
    for (size_t s = 0; s < d->n; ++s) {
        const double off = fabs(formula_value(r->j, e, d->x + s * d->n_in) -
                                r->y_net[s * d->n_out + o]);
        squares += off * off;
        w->worst = fmax(w->worst, off);
    }
    w->from_net = sqrt(squares / (double)d->n);
    w->complexity = kan_expression_complexity(e);
}

static const char *output_name(const reading *r, size_t o) {
    return r->m.schema->target_names ? r->m.schema->target_names[o] : "y";
}

static int report(reading *r, size_t o, const kan_expression *e, const worth *w) {
    kan_error error;
    const double seconds = kan_clock_cpu() - r->began;
    const int exact = formula_is_exact(r->j, e);
    r->j->n_known += exact >= 0, r->j->n_exact += exact == 1;
    json_t *run = json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:{s:o}, s:{s:o, s:o}, s:o, s:f}", "output",
        report_text(output_name(r, o)), "formula", formula_json(e, KAN_EXPRESSION_TEXT), "sympy",
        formula_json(e, KAN_EXPRESSION_SYMPY), "latex", formula_json(e, KAN_EXPRESSION_LATEX),
        "complexity", report_real(w->complexity), "train", "rmse", report_real(w->rmse), "network",
        "rmse", report_real(w->from_net), "worst", report_real(w->worst), "exact",
        exact < 0 ? json_null() : json_boolean(exact), "seconds", seconds);
    char *text = formula_text(r->j, e, &error);
    if (!run || json_array_append_new(r->j->runs, run) != 0 || !text) {
        free(text);
        return complain(1, "out of memory");
    }
    printf("%s = %s\n    RMSE %.3g, complexity %g; from the network %.3g, at most %.3g%s\n",
           output_name(r, o), text, w->rmse, w->complexity, w->from_net, w->worst,
           exact == 1   ? "; exact"
           : exact == 0 ? "; not the formula of the data"
                        : "");
    free(text);
    return 0;
}

/* An output on whose way a spline is left. */
static int report_none(reading *r, size_t o) {
    printf("%s: no formula, some of its edges stay splines\n", output_name(r, o));
    return json_array_append_new(
               r->j->runs, json_pack("{s:o, s:n, s:n, s:f}", "output", report_text(output_name(r, o)),
                                     "formula", "exact", "seconds", kan_clock_cpu() - r->began)) == 0
               ? 0
               : complain(1, "out of memory");
}

static int run_output(reading *r, size_t o) {
    kan_error error;
    const char *const *names = (const char *const *)r->j->names;
    const kan_dataset *d = r->j->s.train;
    kan_expression *e = formula_unscaled(r->found.net, r->m.scaler, o, names, &error);
    if (!e && error.status == KAN_ECONFIG) return report_none(r, o);
    if (!e) return complain(1, "%s: %s", r->name, error.message);
    worth w = {.worst = 0.0};
    kan_status status = kan_polish_measure(e, d, names, o, &w.rmse, &error);
    if (status == KAN_OK && isfinite(w.rmse))
        status = kan_polish_formula(&e, d, names, o, NULL, &w.rmse, &error);
    int result = 0;
    if (status == KAN_OK) {
        compare_with_net(r, o, e, &w);
        result = report(r, o, e, &w);
    } else {
        result = complain(1, "%s: %s", r->name, error.message);
    }
    kan_expression_free(e);
    return result;
}

static json_t *make_record(const reading *r) {
    const kan_dataset *d = r->j->s.train;
    return json_pack("{s:s, s:s, s:o, s:o, s:I, s:o, s:I, s:I, s:o, s:o, s:O, s:f, s:b}", "command",
                     "formula", "version", KAN_VERSION, "model", report_text(r->name), "data",
                     r->j->s.name ? report_text(r->j->s.name) : json_null(), "n", (json_int_t)d->n,
                     "edges", edges_record(r), "n_pruned", (json_int_t)r->found.pruned.n_edges_removed,
                     "n_splines", (json_int_t)r->found.snapped.n_splines, "validation_before",
                     report_real(r->found.pruned.error_before), "validation_after",
                     report_real(r->found.snapped.error_after), "runs", r->j->runs, "seconds",
                     kan_clock_cpu() - r->began, "interrupted", (int)interrupted);
}

int formula_of_model(formula_job *j, json_t **record) {
    reading r = {.j = j, .name = j->o.arguments[0], .began = kan_clock_cpu()};
    int status = j->o.seeds > 1 || j->o.test || j->o.test_rows
                     ? complain(EXIT_USAGE,
                                "%s: --seeds and --test are for data, not for a saved model", r.name)
                     : open_model(&r);
    if (status == 0) status = get_rows(&r);
    if (status == 0) status = snap(&r);
    if (status == 0) print_edges(&r);
    for (size_t o = 0; status == 0 && o < r.m.schema->n_out; ++o) status = run_output(&r, o);
    if (status == 0) *record = make_record(&r);
    formula_snap_free(&r.found);
    kan_dataset_free(r.fit);
    kan_dataset_free(r.held);
    kan_work_free(r.y_net);
    model_file_free(&r.m);
    return status;
}
