/* experiments/reproduce_page.c - DIR/report.html: the record of `kan reproduce` with what the selected
 * models showed of themselves when they were trained.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "experiments/command.h"
#include "experiments/output.h"
#include "experiments/provenance.h"
#include "experiments/report_html.h"
#include "experiments/reproduce.h"
#include "experiments/source.h"

void reproduce_evidence_path(const char *folder, const char *key, char *path, size_t size) {
    snprintf(path, size, "%s/%s.json", folder, key);
}

/* Of the first seed of what an arm selected; what is not there is not shown. */
static void add_evidence(json_t *row, const reproduce_arm *a) {
    char path[2048];
    const reproduce_run *r = a->selected < a->n ? a->runs[a->selected] : NULL;
    json_t *arm = json_object_get(row, a->name);
    if (!r || !r->evidence || !json_is_object(arm)) return;
    reproduce_evidence_path(r->evidence, r->key, path, sizeof path);
    json_t *evidence = json_load_file(path, 0, NULL);
    if (evidence) json_object_set_new(arm, "evidence", evidence);
}

static void add_rows(const reproduce_plan *p, const reproduce_experiment *e, const json_t *rows) {
    size_t at = 0;
    for (size_t k = 0; k < p->n; ++k) {
        const reproduce_row *row = &p->rows[k];
        if (row->experiment != e) continue;
        json_t *object = json_array_get(rows, at++);
        for (size_t a = 0; a < row->n_arms; ++a) add_evidence(object, &row->arms[a]);
    }
}

/* Adds "FOLDER/file", of "a:b" both, unless it is there. */
static void add_file(json_t *list, const char *folder, const char *files) {
    char copy[1024], path[2048], *rest = copy;
    snprintf(copy, sizeof copy, "%s", files);
    for (char *one; (one = strsep(&rest, ":")) != NULL;) {
        bool known = false;
        size_t k;
        json_t *pair;
        snprintf(path, sizeof path, "%s/%s", folder, one);
        json_array_foreach(list, k, pair) {
            const char *name = json_string_value(json_array_get(pair, 0));
            known = known || (name && strcmp(name, path) == 0);
        }
        if (!known) provenance_add_file(list, path);
    }
}

static void add_files(const reproduce_plan *p, json_t *list) {
    for (size_t k = 0; k < p->n; ++k) {
        const reproduce_task *t = p->rows[k].task;
        const char *files[] = {t->data, t->test, t->split};
        if (p->rows[k].missing || p->rows[k].n_runs == 0 || source_is_generator(t->data)) continue;
        for (size_t f = 0; f < 3; ++f)
            if (files[f]) add_file(list, p->rows[k].runs[0].folder, files[f]);
    }
}

int reproduce_page(const reproduce_plan *p, const reproduce_experiment *const *experiments,
                   json_t *record, const char *command, uint64_t seed, const char *directory) {
    char path[2048];
    output out;
    const json_t *list = json_object_get(record, "experiments");
    json_t *provenance = provenance_make(command, NULL, NULL);
    snprintf(path, sizeof path, "%s/report.html", directory);
    if (!record || !provenance) {
        json_decref(record);
        json_decref(provenance);
        return complain(1, "%s: cannot write: out of memory", path);
    }
    add_files(p, json_object_get(provenance, "data"));
    json_object_set_new(record, "provenance", provenance);
    json_object_set_new(record, "seed", json_integer((json_int_t)seed));
    for (size_t e = 0; e < json_array_size(list); ++e)
        add_rows(p, experiments[e], json_object_get(json_array_get(list, e), "rows"));
    int status = output_open(&out, path);
    if (status == 0) {
        report_html_reproduce(out.stream, record);
        status = output_close(&out, 1);
    }
    json_decref(record);
    return status;
}
