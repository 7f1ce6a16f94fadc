/* experiments/formula.c - `kan formula`: the formula behind a table, from one or several seeds.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/parallel.h"
#include "experiments/command.h"
#include "experiments/formula.h"
#include "experiments/generator.h"
#include "experiments/options.h"
#include "experiments/output.h"
#include "experiments/progress.h"
#include "experiments/report.h"
#include "experiments/source.h"
#include "kan/discover.h"
#include "kan/polish.h"
#include "symbolic/agree.h"

static const options_command description = {
    .name = "kan formula",
    .args_doc = "DATA | MODEL [DATA]",
    .min_arguments = 1,
    .max_arguments = 2,
    .doc = "Find the formula behind data, or that of a saved KAN."
           "\vDATA is a file or a generator as for kan train, with numbers as targets. --budget is CPU "
           "seconds a seed "
           "[60]. With a generator every seed has new rows. A formula is called exact only where the "
           "data come from "
           "a formula and the two are the same function; a small error alone is not a recovery. "
           "Of a MODEL edges become functions one after the other, judged by the rows of DATA, or else "
           "by the "
           "network's own predictions at points that fill its input grids.",
    .takes = OPTIONS_TABLE | OPTIONS_TEST | OPTIONS_GENERATOR | OPTIONS_SEARCH | OPTIONS_FORMULA |
             OPTIONS_THREADS | OPTIONS_JSON,
};

typedef formula_job job;

/* ---- names ---------------------------------------------------------------------------------------- */

static bool is_taken(const job *j, size_t i, const char *name) {
    for (size_t k = 0; k < i; ++k)
        if (strcmp(j->names[k], name) == 0) return true;
    return false;
}

/* "petal length (cm)" is petal_length_cm; without a name, or with one that another input has, x3. */
static char *make_name(const job *j, const kan_dataset *d, size_t i) {
    const char *given = d->input_names ? d->input_names[i] : "";
    char *name = malloc(strlen(given) + 24);
    if (!name) return NULL;
    size_t n = 0;
    for (const char *c = given; *c; ++c) {
        const bool plain = isascii((unsigned char)*c) && isalnum((unsigned char)*c);
        if (plain && (n > 0 || isalpha((unsigned char)*c)))
            name[n++] = *c;
        else if (n > 0 && name[n - 1] != '_')
            name[n++] = '_';
    }
    while (n > 0 && name[n - 1] == '_' && given[n - 1] != '_') --n;
    name[n] = '\0';
    if (n == 0 || is_taken(j, i, name)) sprintf(name, "x%zu", i);
    return name;
}

int formula_make_names(job *j, const kan_dataset *d) {
    j->names = calloc(d->n_in, sizeof *j->names);
    j->values = calloc(d->n_in, sizeof *j->values);
    if (!j->names || !j->values) return complain(1, "out of memory");
    for (; j->n_names < d->n_in; ++j->n_names) {
        j->names[j->n_names] = make_name(j, d, j->n_names);
        if (!j->names[j->n_names]) return complain(1, "out of memory");
    }
    return 0;
}

/* ---- one seed --------------------------------------------------------------------------------------- */

double formula_value(const job *j, const kan_expression *e, const double *x) {
    for (size_t v = 0; v < kan_expression_n_variables(e); ++v) {
        size_t i = 0;
        while (i < j->n_names && strcmp(j->names[i], kan_expression_variable(e, v)) != 0) ++i;
        j->values[v] = x[i];
    }
    return kan_expression_eval(e, j->values);
}

/* RMSE and R2 on rows. */
static void measure(const job *j, const kan_dataset *d, const kan_expression *e, double *rmse,
                    double *r2) {
    double mean = 0.0, off = 0.0, about = 0.0;
    for (size_t s = 0; s < d->n; ++s) mean += d->y[s] / (double)d->n;
    for (size_t s = 0; s < d->n; ++s) {
        const double y = formula_value(j, e, d->x + s * d->n_in);
        off += (y - d->y[s]) * (y - d->y[s]);
        about += (d->y[s] - mean) * (d->y[s] - mean);
    }
    *rmse = sqrt(off / (double)d->n);
    *r2 = 1.0 - off / about;
}

int formula_is_exact(const job *j, const kan_expression *e) {
    if (!j->s.is_generator) return -1;
    kan_error error;
    generator_range ranges[OPTIONS_MAX_RANGES];
    for (size_t k = 0; k < j->o.n_ranges; ++k)
        ranges[k] = (generator_range){j->o.ranges[k].name[0] ? j->o.ranges[k].name : NULL,
                                      j->o.ranges[k].lo, j->o.ranges[k].hi};
    const generator_options made_with = {.ranges = ranges, .n_ranges = j->o.n_ranges};
    kan_expression *truth = generator_expression(strchr(j->s.name, ':') + 1, &made_with, &error);
    if (!truth) return -1;
    const kan_dataset *d = j->s.train;
    kan_agree_range *box = malloc(d->n_in * sizeof *box);
    kan_agree_report found = {.decided = false};
    for (size_t i = 0; box && i < d->n_in; ++i) {
        box[i] = (kan_agree_range){.name = j->names[i], .lo = INFINITY, .hi = -INFINITY};
        for (size_t s = 0; s < d->n; ++s) {
            box[i].lo = fmin(box[i].lo, d->x[s * d->n_in + i]);
            box[i].hi = fmax(box[i].hi, d->x[s * d->n_in + i]);
        }
    }
    const bool asked = box &&
                       kan_agree_expressions(e, truth, d->n_in, box, NULL, &found, &error) == KAN_OK;
    free(box);
    kan_expression_free(truth);
    return asked && found.decided ? found.agree : -1;
}

/* Whether the formula becomes exact when its constants alone are fitted to rows without noise, as test rows of a
 * generator are; -1 where there is no formula to compare with. */
static int has_structure(const job *j, const kan_expression *e) {
    if (!j->s.is_generator) return -1;
    double rmse;
    kan_error error;
    kan_expression *copy = kan_expression_copy(e, &error);
    if (!copy) return -1;
    const kan_status status = kan_polish_fit(copy, j->s.test, (const char *const *)j->names, 0, NULL,
                                             &rmse, &error);
    const int exact = status == KAN_OK ? formula_is_exact(j, copy) : -1;
    kan_expression_free(copy);
    return exact == -1 && status == KAN_ENONFINITE ? 0 : exact;
}

json_t *formula_json(const kan_expression *e, kan_expression_form form) {
    char *text = kan_expression_print(e, form, NULL);
    json_t *value = text ? json_string(text) : NULL;
    free(text);
    return value;
}

char *formula_text(const job *j, const kan_expression *e, kan_error *error) {
    const kan_expression_form form = j->o.latex   ? KAN_EXPRESSION_LATEX
                                     : j->o.c     ? KAN_EXPRESSION_C99
                                     : j->o.sympy ? KAN_EXPRESSION_SYMPY
                                                  : KAN_EXPRESSION_TEXT;
    return kan_expression_print(e, form, error);
}

static json_t *report_pareto(const kan_discovery *found) {
    json_t *list = json_array();
    for (size_t k = 0; list && k < found->n; ++k) {
        const kan_formula *f = &found->formulas[k];
        json_array_append_new(list,
                              json_pack("{s:o, s:o, s:o, s:o}", "formula",
                                        formula_json(f->expression, KAN_EXPRESSION_TEXT), "complexity",
                                        report_real(f->complexity), "rmse", report_real(f->rmse),
                                        "validation", report_real(f->validation)));
    }
    return list;
}

/* What ended the search, and what repeats it. */
static void add_end(json_t *run, const kan_discovery *found) {
    json_object_set_new(run, "ended", json_string(kan_discover_end_name(found->end)));
    json_object_set_new(run, "work", json_integer((json_int_t)found->work));
}

static void print_end(const kan_discovery *found) {
    if (found->end == KAN_DISCOVER_CLOCK)
        printf("        the time was up; --work %llu repeats this search\n",
               (unsigned long long)found->work);
    if (found->end == KAN_DISCOVER_NOISE)
        printf("        what the formula leaves of the rows is noise\n");
}

static kan_status report_nothing(job *j, uint64_t seed, const kan_discovery *found, double seconds,
                                 kan_error *error) {
    json_t *run = json_pack("{s:I, s:n, s:n, s:n, s:o, s:f}", "seed", (json_int_t)seed, "formula",
                            "exact", "structure", "network_rmse", report_real(found->network),
                            "seconds", seconds);
    if (!run) return kan_status_fail(error, KAN_ENOMEM, "out of memory");
    add_end(run, found);
    json_array_append_new(j->runs, run);
    printf("seed %llu: no formula; the best network has RMSE %.3g on the validation rows\n",
           (unsigned long long)seed, found->network);
    print_end(found);
    return KAN_OK;
}

static kan_status report(job *j, uint64_t seed, const kan_discovery *found, double seconds,
                         kan_error *error) {
    const kan_formula *f = found->n > 0 ? &found->formulas[found->best] : NULL;
    if (!f) return report_nothing(j, seed, found, seconds, error);
    double test, r2;
    measure(j, j->s.test, f->expression, &test, &r2);
    const int exact = formula_is_exact(j, f->expression), structure = has_structure(j, f->expression);
    j->n_structure += structure == 1;
    j->n_known += exact >= 0;
    j->n_exact += exact == 1;
    json_t *run = json_pack(
        "{s:I, s:o, s:o, s:o, s:o, s:{s:o}, s:{s:o, s:o}, s:o, s:o, s:o, s:o, s:f}", "seed",
        (json_int_t)seed, "formula", formula_json(f->expression, KAN_EXPRESSION_TEXT), "sympy",
        formula_json(f->expression, KAN_EXPRESSION_SYMPY), "latex",
        formula_json(f->expression, KAN_EXPRESSION_LATEX), "complexity", report_real(f->complexity),
        "train", "rmse", report_real(f->rmse), "test", "rmse", report_real(test), "r2", report_real(r2),
        "exact", exact < 0 ? json_null() : json_boolean(exact), "structure",
        structure < 0 ? json_null() : json_boolean(structure), "network_rmse",
        report_real(found->network), "pareto", report_pareto(found), "seconds", seconds);
    if (!run || json_array_append_new(j->runs, run) != 0)
        return kan_status_fail(error, KAN_ENOMEM, "out of memory");
    add_end(run, found);
    char *text = formula_text(j, f->expression, error);
    if (!text) return KAN_ENOMEM;
    printf("seed %llu  %s\n        test RMSE %.3g, R2 %.6g, complexity %g, %.1f s%s\n",
           (unsigned long long)seed, text, test, r2, f->complexity, seconds,
           exact == 1       ? ", exact"
           : structure == 1 ? ", the structure of the formula of the data, not its constants"
           : exact == 0     ? ", not the formula of the data"
                            : "");
    print_end(found);
    fflush(stdout);
    free(text);
    return KAN_OK;
}

/* The formulas from simple to exact. */
static void print_pareto(const kan_discovery *found) {
    table t = table_make("rrl");
    table_add(&t, "complexity"), table_add(&t, "RMSE"), table_add(&t, "formula");
    for (size_t k = 0; k < found->n; ++k) {
        char *text = kan_expression_print(found->formulas[k].expression, KAN_EXPRESSION_TEXT, NULL);
        table_add(&t, "%g", found->formulas[k].complexity);
        table_add(&t, "%.3g", found->formulas[k].rmse);
        table_add(&t, "%s", text ? text : "?");
        free(text);
    }
    table_print(&t, stdout);
    table_free(&t);
}

static void show(void *context, const char *what, double error) {
    (void)what;
    progress_step(context, &(kan_report){.loss = error, .validation = NAN}, 0);
}

static int run_seed(job *j, size_t k) {
    kan_error error;
    progress p;
    char what[48];
    const uint64_t seed = j->o.seed + k;
    snprintf(what, sizeof what, "seed %llu", (unsigned long long)seed);
    progress_start(&p, what);
    const kan_discover_options wanted = {.seconds = j->o.budget,
                                         .work = j->o.work,
                                         .seed = seed,
                                         .stop = &interrupted,
                                         .progress = show,
                                         .context = &p};
    kan_discovery *found = kan_discover(j->s.train, (const char *const *)j->names, &wanted, &error);
    progress_end(&p);
    if (!found) return complain(1, "%s: %s", j->s.name, error.message);
    const kan_status status = report(j, seed, found, found->seconds, &error);
    if (status == KAN_OK && j->o.seeds <= 1 && found->n > 0) print_pareto(found);
    kan_discovery_free(found);
    return status == KAN_OK ? 0 : complain(1, "%s", error.message);
}

/* ---- all seeds --------------------------------------------------------------------------------------- */

/* A formula is fitted in the units of the data, so the squares of its errors have to be doubles. */
static int check_targets(const source *s) {
    double most = 0.0;
    for (size_t r = 0; r < s->train->n * s->train->n_out; ++r) most = fmax(most, fabs(s->train->y[r]));
    if (most > 1e-120 && most < 1e120) return 0;
    return complain(1, "%s: kan formula needs other units: the largest target is %g", s->name, most);
}

static int load(job *j, size_t k) {
    options o = j->o;
    if (k > 0 && !j->s.is_generator) return 0;
    o.data_seed += k;
    if (k > 0) source_free(&j->s);
    int status = source_load(o.arguments[0], &o, &j->s);
    if (status != 0) return status;
    if (j->s.train->task != KAN_REGRESSION || j->s.train->bytes)
        return complain(1, "%s: kan formula needs numbers as targets", j->s.name);
    status = check_targets(&j->s);
    if (status != 0) return status;
    return k == 0 ? formula_make_names(j, j->s.train) : 0;
}

static int run_all(job *j) {
    const size_t n = j->o.seeds > 0 ? j->o.seeds : 1;
    int status = 0;
    for (size_t k = 0; k < n && status == 0 && !interrupted; ++k) {
        status = load(j, k);
        if (status == 0) status = run_seed(j, k);
    }
    if (status == 0 && j->n_known > 1)
        printf("exact in %zu of %zu, the right structure in %zu\n", j->n_exact, j->n_known,
               j->n_structure);
    return status;
}

int command_formula(int argc, char **argv) {
    job *j = calloc(1, sizeof *j);
    if (!j) return complain(1, "out of memory");
    j->runs = json_array();
    int status = options_parse(&description, argc, argv, &j->o);
    if (status == 0 && output_check(j->o.json) != 0) status = 1;
    const bool model = status == 0 && formula_is_model(j->o.arguments[0]);
    json_t *record = NULL;
    if (status == 0 && !model && j->o.arguments[1])
        status = complain(EXIT_USAGE, "%s: DATA follows a saved model, and this is none",
                          j->o.arguments[0]);
    if (status == 0) kan_parallel_set_threads(j->o.threads ? j->o.threads : 1);
    if (status == 0) status = model ? formula_of_model(j, &record) : run_all(j);
    if (status == 0 && !model)
        record = json_pack("{s:s, s:s, s:o, s:O, s:b}", "command", "formula", "version", KAN_VERSION,
                           "data", report_data(&j->s), "runs", j->runs, "interrupted",
                           (int)interrupted);
    if (status == 0 && j->o.json)
        status = output_json(j->o.json, record);
    else
        json_decref(record);
    if (status == 0 && interrupted) status = complain(EXIT_INTERRUPTED, "interrupted");
    for (size_t i = 0; i < j->n_names; ++i) free(j->names[i]);
    free(j->values);
    free(j->names);
    source_free(&j->s);
    json_decref(j->runs);
    free(j);
    return status;
}
