/* experiments/data.c - `kan data`: the data that need no file, listed or written.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "experiments/command.h"
#include "experiments/generator.h"
#include "experiments/options.h"
#include "experiments/output.h"
#include "experiments/report.h"
#include "experiments/source.h"

static const options_command description = {
    .name = "kan data",
    .args_doc = "[NAME]",
    .min_arguments = 0,
    .max_arguments = 1,
    .doc = "List the generators of data, or write the training rows of one as CSV."
           "\vNAME is one of the list or fn:FORMULA. The rows go to standard output or to the file of "
           "-o; other rows come with another --data-seed.",
    .takes = OPTIONS_GENERATOR | OPTIONS_OUTPUT | OPTIONS_JSON,
};

/* ---- the list ----------------------------------------------------------------------------------- */

/* "-1,1", or "v=0,2 x=0,10" where variables have ranges of their own. */
static const char *range_text(const generator *g, char *text, size_t size) {
    if (g->task == KAN_CLASSIFICATION) return "";
    if (g->n_ranges == 0) return "-1,1";
    size_t used = 0;
    *text = '\0';
    for (size_t r = 0; r < g->n_ranges && used < size; ++r) {
        const generator_range *range = &g->ranges[r];
        used += (size_t)snprintf(text + used, size - used, "%s%s%s%g,%g", r > 0 ? " " : "",
                                 range->variable ? range->variable : "", range->variable ? "=" : "",
                                 range->lo, range->hi);
    }
    return text;
}

static void print_list(void) {
    table t = table_make("lllllll");
    static const char *const heading[] = {"DATA", "task", "variables", "range", "noise", "formula", ""};
    for (size_t c = 0; c < t.n_columns; ++c) table_add(&t, "%s", heading[c]);
    for (size_t i = 0; i < generator_count(); ++i) {
        const generator g = generator_at(i);
        char range[128];
        table_add(&t, "fn:%s", g.name);
        table_add(&t, "%s", g.task == KAN_REGRESSION ? "numbers" : "classes");
        table_add(&t, "%s", g.variables);
        table_add(&t, "%s", range_text(&g, range, sizeof range));
        table_add(&t, "%g", g.noise);
        table_add(&t, "%s", g.formula);
        table_add(&t, "%s", g.note ? g.note : "");
    }
    table_print(&t, stdout);
    table_free(&t);
    printf(
        "\nEvery other formula is fn:FORMULA, such as fn:exp(sin(pi*x)+y^2), with inputs from -1 to 1 "
        "or --range.\n");
}

static json_t *ranges_json(const generator *g) {
    static const generator_range all = {NULL, -1.0, 1.0};
    json_t *list = json_array();
    if (g->task == KAN_CLASSIFICATION) return list;
    const generator_range *ranges = g->n_ranges > 0 ? g->ranges : &all;
    for (size_t r = 0; r < g->n_ranges + (g->n_ranges == 0); ++r) {
        json_t *variable = ranges[r].variable ? json_string(ranges[r].variable) : json_null();
        if (json_array_append_new(list, json_pack("{s:o, s:f, s:f}", "variable", variable, "lo",
                                                  ranges[r].lo, "hi", ranges[r].hi)) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *make_record(void) {
    json_t *list = json_array();
    int failed = list == NULL;
    for (size_t i = 0; i < generator_count() && !failed; ++i) {
        const generator g = generator_at(i);
        failed = json_array_append_new(
            list, json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:f, s:o, s:s}", "name", g.name, "task",
                            report_task_name(g.task), "formula", g.formula, "variables", g.variables,
                            "n_in", (json_int_t)g.n_in, "n_classes", (json_int_t)g.n_classes, "noise",
                            g.noise, "ranges", ranges_json(&g), "note", g.note ? g.note : ""));
    }
    if (!failed)
        return json_pack("{s:s, s:s, s:o}", "command", "data", "version", KAN_VERSION, "generators",
                         list);
    json_decref(list);
    return NULL;
}

static int list_generators(const options *o) {
    const char *given = o->output       ? "output"
                        : o->rows       ? "rows"
                        : o->test_count ? "test-count"
                        : o->n_ranges   ? "range"
                        : o->has_noise  ? "noise"
                                        : NULL;
    if (given) return complain(EXIT_USAGE, "--%s wants the NAME of a generator", given);
    const int status = output_check(o->json);
    if (status != 0) return status;
    print_list();
    return output_json(o->json, o->json ? make_record() : NULL);
}

/* ---- one of them -------------------------------------------------------------------------------- */

static void write_rows(FILE *out, const kan_dataset *d) {
    for (size_t i = 0; i < d->n_in; ++i) output_cell(out, d->input_names[i]), fputc(',', out);
    output_cell(out, d->target_names[0]);
    fputc('\n', out);
    for (size_t s = 0; s < d->n && !interrupted; ++s) {
        for (size_t i = 0; i < d->n_in; ++i) fprintf(out, "%.17g,", d->x[s * d->n_in + i]);
        if (d->task == KAN_CLASSIFICATION)
            output_cell(out, d->class_names[(size_t)d->y[s]]);
        else
            fprintf(out, "%.17g", d->y[s]);
        fputc('\n', out);
    }
}

/* The name as DATA: the list's names may go without "fn:". */
static char *data_name(const char *name) {
    const char *prefix = source_is_generator(name) ? "" : "fn:";
    char *full = malloc(strlen(prefix) + strlen(name) + 1);
    if (full) stpcpy(stpcpy(full, prefix), name);
    return full;
}

static int write_generator(const options *o) {
    if (o->json) return complain(EXIT_USAGE, "--json is for the list: kan data without a NAME");
    if (o->test_count)
        return complain(EXIT_USAGE, "--test-count: kan data writes training rows, see --rows");
    kan_dataset *train = NULL, *test = NULL;
    output out;
    char *name = data_name(o->arguments[0]);
    int status = name ? output_check(o->output) : complain(1, "out of memory");
    if (status == 0) status = source_generate(name, o, &train, &test);
    if (status == 0) status = output_open(&out, o->output);
    if (status == 0) {
        write_rows(out.stream, train);
        status = output_close(&out, !interrupted);
        if (status == 0 && interrupted)
            status = complain(EXIT_INTERRUPTED, "interrupted: no rows were written");
    }
    kan_dataset_free(test);
    kan_dataset_free(train);
    free(name);
    return status;
}

int command_data(int argc, char **argv) {
    options *o = calloc(1, sizeof *o);
    if (!o) return complain(1, "out of memory");
    int status = options_parse(&description, argc, argv, o);
    if (status == 0) status = o->n_arguments > 0 ? write_generator(o) : list_generators(o);
    free(o);
    return status;
}
