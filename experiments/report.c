/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "experiments/report.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* ---- JSON --------------------------------------------------------------------------------------- */

json_t *report_real(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *count(size_t n) {
    return json_integer((json_int_t)n);
}

json_t *report_text(const char *text) {
    json_t *value = json_string(text);
    if (value) return value;
    char *ascii = strdup(text);
    if (!ascii) return NULL;
    for (char *c = ascii; *c; ++c)
        if ((unsigned char)*c >= 128) *c = '?';
    value = json_string(ascii);
    free(ascii);
    return value;
}

json_t *report_command(int argc, char **argv) {
    size_t size = sizeof "kan";
    for (int a = 0; a < argc; ++a) size += strlen(argv[a]) + 1;
    char *text = malloc(size), *end = text;
    if (!text) return NULL;
    end = stpcpy(end, "kan");
    for (int a = 0; a < argc; ++a) end = stpcpy(stpcpy(end, " "), argv[a]);
    json_t *value = report_text(text);
    free(text);
    return value;
}

json_t *report_metric(kan_task task, const kan_metric *m) {
    if (task == KAN_REGRESSION)
        return json_pack("{s:o, s:o, s:o}", "rmse", report_real(m->rmse), "mae", report_real(m->mae),
                         "r2", report_real(m->r2));
    return json_pack("{s:o, s:o, s:o}", "accuracy", report_real(m->accuracy), "macro_f1",
                     report_real(m->macro_f1), "cross_entropy", report_real(m->cross_entropy));
}

static const size_t *widths(const candidate *c) {
    return c->family == FAMILY_KAN ? c->net.width : c->mlp.width;
}

/* One level as --kan spells it. */
static void write_level(const candidate *c, size_t l, char text[96]) {
    const size_t width = widths(c)[l], mult = c->family == FAMILY_KAN ? c->net.mult[l] : 0;
    const size_t arity = mult > 0 && c->net.arity[l] > 0 ? c->net.arity[l] : 2;
    char factors[24] = "";
    if (arity != 2) snprintf(factors, sizeof factors, "%zu", arity);
    if (mult == 0)
        snprintf(text, 96, "%zu", width);
    else if (width == 0)
        snprintf(text, 96, "%zum%s", mult, factors);
    else
        snprintf(text, 96, "%zu+%zum%s", width, mult, factors);
}

static bool is_level(const candidate *c, size_t l) {
    return l < KAN_MAX_LEVELS && (widths(c)[l] > 0 || (c->family == FAMILY_KAN && c->net.mult[l] > 0));
}

json_t *report_shape(const candidate *c) {
    json_t *shape = json_array();
    int failed = shape == NULL;
    for (size_t l = 0; !failed && is_level(c, l); ++l) {
        char text[96];
        write_level(c, l, text);
        const bool adds = c->family == FAMILY_MLP || c->net.mult[l] == 0;
        failed = json_array_append_new(shape, adds ? count(widths(c)[l]) : json_string(text));
    }
    if (!failed) return shape;
    json_decref(shape);
    return NULL;
}

json_t *report_data(const source *s) {
    return json_pack("{s:o, s:s, s:o, s:o, s:o, s:o}", "name", report_text(s->name), "task",
                     report_task_name(s->train->task), "n_train", count(s->train->n), "n_test",
                     count(s->test->n), "n_in", count(s->train->n_in), "n_out", count(s->train->n_out));
}

/* Trainable parameters at a stage: those of the net at the end, less what its grid and degree had less. */
static size_t stage_parameters(const trained *t, const trained_stage *s) {
    const trained_stage *last = &t->stages[t->n_stages - 1];
    kan_net_config then = t->candidate.net, end = t->candidate.net;
    if (t->candidate.family != FAMILY_KAN) return t->parameters;
    then.n_cells = s->n_cells, then.degree = s->degree;
    end.n_cells = last->n_cells, end.degree = last->degree;
    return t->parameters + kan_net_count(&then) - kan_net_count(&end);
}

static json_t *report_stages(kan_task task, const trained *t) {
    json_t *list = json_array();
    char train[32], test[32];
    snprintf(train, sizeof train, "train_%s", report_metric_name(task));
    snprintf(test, sizeof test, "test_%s", report_metric_name(task));
    int failed = list == NULL;
    for (size_t k = 0; k < t->n_stages && !failed; ++k) {
        const trained_stage *s = &t->stages[k];
        json_t *stage = json_pack(
            "{s:s, s:o, s:o, s:o, s:o}", "phase", s->phase, "steps", count(s->steps), train,
            report_real(report_metric_value(task, &s->train)), test,
            report_real(report_metric_value(task, &s->test)), "seconds", report_real(s->seconds));
        failed |= json_object_set_new(stage, "parameters", count(stage_parameters(t, s)));
        if (t->candidate.family == FAMILY_KAN) {
            failed |= json_object_set_new(stage, "n_cells", count(s->n_cells));
            failed |= json_object_set_new(stage, "degree", count(s->degree));
        }
        failed |= json_array_append_new(list, stage);
    }
    if (!failed) return list;
    json_decref(list);
    return NULL;
}

json_t *report_penalty(const candidate *c, const kan_net *net) {
    if (!net || !(c->train.penalty > 0.0)) return NULL;
    const kan_penalty *p = kan_net_get_penalty(net);
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:s}", "weight", report_real(c->train.penalty),
                     "roughness", report_real(p->roughness), "l1", report_real(p->l1), "entropy",
                     report_real(p->entropy), "coef", report_real(p->coef), "coefdiff",
                     report_real(p->coefdiff), "metric", kan_net_scale_name(p->metric));
}

json_t *report_run(kan_task task, const trained *t) {
    const candidate *c = &t->candidate;
    json_t *run = json_pack("{s:s, s:o, s:o}", "model", family_name(c->family), "seed",
                            json_integer((json_int_t)t->seed), "shape", report_shape(c));
    int failed = 0;
    if (c->family == FAMILY_KAN) {
        const kan_net_config *net = t->net ? kan_net_get_config(t->net) : &c->net;
        failed |= json_object_set_new(run, "n_cells", count(net->n_cells));
        failed |= json_object_set_new(run, "degree", count(net->degree));
    }
    failed |= json_object_set_new(run, "parameters", count(t->parameters));
    if (t->n_stages > 0)
        failed |= json_object_set_new(run, "train",
                                      report_metric(task, &t->stages[t->n_stages - 1].train));
    failed |= json_object_set_new(run, "validation", report_metric(task, &t->validation));
    failed |= json_object_set_new(run, "test", report_metric(task, &t->test));
    failed |= json_object_set_new(run, "seconds", report_real(t->seconds));
    if (fabs(t->wall_seconds - t->seconds) > 0.1 * t->seconds)
        failed |= json_object_set_new(run, "wall_seconds", report_real(t->wall_seconds));
    failed |= json_object_set_new(run, "steps", count(t->report.steps));
    failed |= json_object_set_new(run, "evaluations", count(t->report.evaluations));
    if (t->n_stages > 0) failed |= json_object_set_new(run, "stages", report_stages(task, t));
    if (!failed) return run;
    json_decref(run);
    return NULL;
}

/* ---- words -------------------------------------------------------------------------------------- */

const char *report_optimizer_name(kan_optimizer optimizer) {
    return optimizer == KAN_ADAM ? "adam" : optimizer == KAN_LM ? "lm" : "lbfgs";
}

const char *report_optimizer_text(kan_optimizer optimizer) {
    return optimizer == KAN_ADAM ? "Adam" : optimizer == KAN_LM ? "Levenberg-Marquardt" : "L-BFGS";
}

const char *report_task_name(kan_task task) {
    return task == KAN_REGRESSION ? "regression" : "classification";
}

const char *report_outputs_name(kan_task task, size_t n) {
    if (task == KAN_CLASSIFICATION) return "classes";
    return n == 1 ? "target" : "targets";
}

const char *report_metric_name(kan_task task) {
    return task == KAN_REGRESSION ? "rmse" : "accuracy";
}

double report_metric_value(kan_task task, const kan_metric *m) {
    return task == KAN_REGRESSION ? m->rmse : m->accuracy;
}

char *report_metric_text(kan_task task, const kan_metric *m, char *text, size_t size) {
    if (task == KAN_REGRESSION)
        snprintf(text, size,
                 fabs(m->r2) < 1e3 ? "rmse %.5g, mae %.5g, r2 %.5f" : "rmse %.5g, mae %.5g, r2 %.3g",
                 m->rmse, m->mae, m->r2);
    else
        snprintf(text, size, "accuracy %.4f, macro f1 %.4f, cross-entropy %.5g", m->accuracy,
                 m->macro_f1, m->cross_entropy);
    return text;
}

char *report_shape_text(const candidate *c, char *text, size_t size) {
    assert(size > 0);
    size_t used = 0;
    *text = '\0';
    for (size_t l = 0; is_level(c, l) && used < size; ++l) {
        char level[96];
        write_level(c, l, level);
        used += (size_t)snprintf(text + used, size - used, "%s%s", l > 0 ? "," : "", level);
    }
    return text;
}

char *report_seconds_text(double seconds, char *text, size_t size) {
    if (seconds < 60.0)
        snprintf(text, size, seconds < 9.95 ? "%.2f s" : "%.1f s", seconds);
    else if (seconds < 3600.0)
        snprintf(text, size, "%d min %02d s", (int)(seconds / 60.0), (int)fmod(seconds, 60.0));
    else
        snprintf(text, size, "%.0f h %02d min", floor(seconds / 3600.0),
                 (int)(fmod(seconds, 3600.0) / 60.0));
    return text;
}

void report_paragraph(const char *text, FILE *stream) {
    const size_t width = 110;
    while (strlen(text) > width) {
        size_t n = width;
        while (n > 0 && text[n] != ' ') --n;
        if (n == 0) n = strcspn(text, " "); /* a word that is longer than a line */
        fprintf(stream, "%.*s\n", (int)n, text);
        text += n + strspn(text + n, " ");
    }
    fprintf(stream, "%s\n", text);
}

/* ---- tables ------------------------------------------------------------------------------------- */

table table_make(const char *align) {
    return (table){.align = align, .n_columns = strlen(align)};
}

void table_add(table *t, const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (t->n_cells == t->capacity) {
        const size_t capacity = 2 * t->capacity + 64;
        char **grown = realloc(t->cells, capacity * sizeof *grown);
        if (!grown) {
            t->failed = true;
            return;
        }
        t->cells = grown, t->capacity = capacity;
    }
    char *copy = strdup(text);
    if (copy)
        t->cells[t->n_cells++] = copy;
    else
        t->failed = true;
}

/* Characters of a text in UTF-8, each taken to be one column wide. */
static size_t text_width(const char *text) {
    size_t width = 0;
    for (; *text; ++text) width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static size_t column_width(const table *t, size_t column) {
    size_t width = 0;
    for (size_t cell = column; cell < t->n_cells; cell += t->n_columns)
        if (text_width(t->cells[cell]) > width) width = text_width(t->cells[cell]);
    return width;
}

void table_print(const table *t, FILE *stream) {
    if (t->failed) {
        fprintf(stream, "(no memory for the table)\n");
        return;
    }
    assert(t->n_cells % t->n_columns == 0 && "every row is complete");
    for (size_t cell = 0; cell < t->n_cells; ++cell) {
        const size_t column = cell % t->n_columns;
        const bool last = column + 1 == t->n_columns, right = t->align[column] == 'r';
        const int fill = (int)(column_width(t, column) - text_width(t->cells[cell]));
        if (column > 0) fputs("  ", stream);
        if (right)
            fprintf(stream, "%*s%s", fill, "", t->cells[cell]);
        else
            fprintf(stream, "%s%*s", t->cells[cell], last ? 0 : fill, "");
        if (last) fputc('\n', stream);
    }
}

void table_free(table *t) {
    for (size_t cell = 0; cell < t->n_cells; ++cell) free(t->cells[cell]);
    free(t->cells);
    *t = (table){.align = NULL};
}
