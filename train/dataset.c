/* train/dataset.c - tables of samples: memory, batches, splits and what a model file keeps of them.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/dataset.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <zlib.h>

#include "core/work.h"
#include "train/csv.h"
#include "train/idx.h"
#include "train/input.h"
#include "train/table.h"
#include "train/npy.h"

/* ---- memory ------------------------------------------------------------------------------------- */

kan_dataset *kan_dataset_alloc(kan_task task, size_t n, size_t n_in, size_t n_out, bool bytes) {
    kan_dataset *d = calloc(1, sizeof *d);
    if (!d) return NULL;
    d->task = task, d->n = n, d->n_in = n_in, d->n_out = n_out;
    const size_t n_x = kan_work_product(n, n_in);
    if (bytes && n_x < SIZE_MAX / 2)
        d->bytes = calloc(n_x ? n_x : 1, 1);
    else if (!bytes)
        d->x = kan_work_alloc(n_x);
    if (d->x || d->bytes) d->y = kan_work_alloc(kan_work_product(n, kan_dataset_y_width(d)));
    if (d->y) return d;
    kan_dataset_free(d);
    return NULL;
}

void kan_dataset_free(kan_dataset *d) {
    if (!d) return;
    kan_input_free_names(d->n_in, d->input_names);
    kan_input_free_names(kan_dataset_y_width(d), d->target_names);
    kan_input_free_names(d->n_out, d->class_names);
    kan_work_free(d->x);
    free(d->bytes);
    kan_work_free(d->y);
    kan_work_free(d->weight);
    free(d);
}

size_t kan_dataset_y_width(const kan_dataset *d) {
    return d->task == KAN_CLASSIFICATION ? 1 : d->n_out;
}

/* ---- rows -------------------------------------------------------------------------------------------
 */

kan_dataset *kan_dataset_select(const kan_dataset *d, size_t n_rows, const size_t *rows) {
    kan_dataset *part = kan_dataset_alloc(d->task, n_rows, d->n_in, d->n_out, d->bytes != NULL);
    bool memory = part && kan_input_name_as(part, d);
    if (memory && d->weight) memory = (part->weight = kan_work_alloc(n_rows)) != NULL;
    if (!memory) {
        kan_dataset_free(part);
        return NULL;
    }
    const size_t n_in = d->n_in, width = kan_dataset_y_width(d);
    for (size_t s = 0; s < n_rows; ++s) {
        const size_t row = rows[s];
        assert(row < d->n && "a row number is out of range");
        if (d->bytes)
            memcpy(part->bytes + s * n_in, d->bytes + row * n_in, n_in);
        else
            memcpy(part->x + s * n_in, d->x + row * n_in, n_in * sizeof *d->x);
        memcpy(part->y + s * width, d->y + row * width, width * sizeof *d->y);
        if (d->weight) part->weight[s] = d->weight[row];
    }
    return part;
}

void kan_dataset_batch(const kan_dataset *d, size_t first, size_t n_rows, const size_t *rows, double *x,
                       double *y, double *weight) {
    const size_t n_in = d->n_in, width = kan_dataset_y_width(d);
    for (size_t s = 0; s < n_rows; ++s) {
        const size_t row = rows ? rows[s] : first + s;
        assert(row < d->n && "a row number is out of range");
        if (d->bytes)
            for (size_t i = 0; i < n_in; ++i) x[s * n_in + i] = d->bytes[row * n_in + i] / 255.0;
        else
            memcpy(x + s * n_in, d->x + row * n_in, n_in * sizeof *x);
        memcpy(y + s * width, d->y + row * width, width * sizeof *y);
        if (weight) weight[s] = d->weight ? d->weight[row] : 1.0;
    }
}

/* ---- reading ----------------------------------------------------------------------------------------
 */

/* path ends with extension, or with that and ".gz". */
static bool has_extension(const char *path, const char *extension) {
    size_t n = strlen(path);
    const size_t m = strlen(extension);
    if (n >= 3 && strcasecmp(path + n - 3, ".gz") == 0) n -= 3;
    return n >= m && strncasecmp(path + n - m, extension, m) == 0;
}

kan_dataset *kan_dataset_read(const char *path, const kan_read_options *options, kan_error *error) {
    if (has_extension(path, ".csv") || has_extension(path, ".tsv"))
        return kan_csv_read(path, options, error);
    if (has_extension(path, ".npy")) return kan_npy_read(path, options, error);
    if (strchr(path, ':')) return kan_idx_read(path, options, error);
    kan_status_fail(
        error, KAN_EFORMAT,
        "%s: the name must end in .csv, .tsv or .npy, each also with .gz behind it, or be that "
        "of two IDX files, images:labels",
        path);
    return NULL;
}

/* Notes the row number that a record of the file holds: line_of [limit] is 0 for rows not seen. */
static kan_status note_row(const char *path, const kan_csv_record *record, size_t limit,
                           size_t *line_of, kan_error *error) {
    char quoted[KAN_TABLE_QUOTED];
    size_t row;
    if (record->n != 1)
        return kan_status_fail(error, KAN_EFORMAT, "%s: line %zu: %zu cells, expected one row number",
                               path, record->line, record->n);
    if (!kan_input_size(kan_csv_cells(record)->text, &row))
        return kan_status_fail(error, KAN_EFORMAT, "%s: line %zu: %s is not a row number", path,
                               record->line, kan_table_quote(kan_csv_cells(record), quoted));
    if (row >= limit)
        return kan_status_fail(error, KAN_EFORMAT, "%s: line %zu: row %zu, but there are only %zu rows",
                               path, record->line, row, limit);
    if (line_of[row])
        return kan_status_fail(error, KAN_EFORMAT, "%s: line %zu: row %zu was named in line %zu", path,
                               record->line, row, line_of[row]);
    line_of[row] = record->line;
    return KAN_OK;
}

/* All of a file, as note_row; false with an error. */
static bool note_rows(const char *path, size_t limit, size_t *line_of, size_t *n, kan_error *error) {
    kan_csv *csv = kan_csv_open(path, error);
    if (!csv) return false;
    kan_csv_record record = {0};
    kan_status status = kan_csv_next(csv, &record, error);
    if (status == KAN_OK && record.n == 1 && !kan_csv_cells(&record)->number)
        status = kan_csv_next(csv, &record, error);
    for (*n = 0; status == KAN_OK && record.n > 0; ++*n) {
        status = note_row(path, &record, limit, line_of, error);
        if (status == KAN_OK) status = kan_csv_next(csv, &record, error);
    }
    if (status == KAN_OK && *n == 0)
        status = kan_status_fail(error, KAN_EFORMAT, "%s: there are no rows", path);
    kan_csv_record_clear(&record);
    kan_csv_close(csv);
    return status == KAN_OK;
}

size_t *kan_dataset_read_rows(const char *path, size_t limit, size_t *n, kan_error *error) {
    size_t *line_of = calloc(limit ? limit : 1, sizeof *line_of), *rows = NULL;
    if (!line_of) {
        kan_status_fail(error, KAN_ENOMEM, "%s: out of memory", path);
        return NULL;
    }
    if (note_rows(path, limit, line_of, n, error)) {
        rows = malloc(*n * sizeof *rows);
        if (!rows) kan_status_fail(error, KAN_ENOMEM, "%s: out of memory", path);
        for (size_t row = 0, j = 0; rows && row < limit; ++row)
            if (line_of[row]) rows[j++] = row;
    }
    free(line_of);
    return rows;
}

/* ---- splits
 * ------------------------------------------------------------------------------------------
 *
 * Of class c with n_c of the n rows, h_c rows are held out; all rows are one class for regression. The
 * share of a class is q_c = n_c n_held / n. The h_c start as the shares rounded down, but 1 where a
 * class has two rows or more. Then, one row at a time, the class whose h_c is furthest below (above)
 * its share, the first of them in a tie, is given (loses) a row until their sum is n_held: the method
 * of the largest remainder. Bounds give way in this order only when there is no other class left:
 *     1. a class of two rows or more keeps one on each side, a single row is not held out
 *     2. 0 <= h_c <= n_c
 * Class by class the rows are shuffled, and the last h_c of a class are held out.
 */

typedef struct strata {
    size_t n_classes;
    size_t *count, *held; /* [n_classes]: n_c, h_c          */
    double *share;        /* [n_classes]: q_c               */
    size_t *members;      /* [n]: rows, class after class   */
    char *is_held;        /* [n]                            */
} strata;

static void strata_clear(strata *s) {
    free(s->count);
    free(s->held);
    kan_work_free(s->share);
    free(s->members);
    free(s->is_held);
}

static bool strata_alloc(strata *s, size_t n, size_t n_classes) {
    s->n_classes = n_classes;
    s->count = calloc(n_classes, sizeof *s->count);
    s->held = calloc(n_classes, sizeof *s->held);
    s->share = kan_work_alloc(n_classes);
    s->members = calloc(n, sizeof *s->members);
    s->is_held = calloc(n, 1);
    return s->count && s->held && s->share && s->members && s->is_held;
}

static size_t class_of(const kan_dataset *d, size_t row) {
    return d->task == KAN_CLASSIFICATION ? (size_t)d->y[row] : 0;
}

/* Counts classes and lists their members. */
static void fill_strata(strata *s, const kan_dataset *d) {
    for (size_t row = 0; row < d->n; ++row) {
        assert(class_of(d, row) < s->n_classes && "a class is out of range");
        ++s->count[class_of(d, row)];
    }
    size_t begin = 0;
    size_t *next = s->held; /* where the next member of a class goes; not yet used for h_c */
    for (size_t c = 0; c < s->n_classes; ++c) next[c] = begin, begin += s->count[c];
    for (size_t row = 0; row < d->n; ++row) s->members[next[class_of(d, row)]++] = row;
}

/* The class that is to gain a row (or to lose one), within the bounds of step 1 or else of step 2. */
static size_t neediest(const strata *s, bool gain) {
    size_t best = s->n_classes;
    for (int step = 1; step <= 2 && best == s->n_classes; ++step) {
        double most = -HUGE_VAL;
        for (size_t c = 0; c < s->n_classes; ++c) {
            const size_t n_c = s->count[c], h_c = s->held[c];
            const size_t lowest = step == 1 && n_c > 1, highest = step == 2 ? n_c
                                                                  : n_c > 1 ? n_c - 1
                                                                            : 0;
            const double below = s->share[c] - (double)h_c, need = gain ? below : -below;
            const bool may = gain ? h_c < highest : h_c > lowest;
            if (may && need > most) most = need, best = c;
        }
    }
    return best;
}

static void apportion(strata *s, size_t n, size_t n_held) {
    size_t sum = 0;
    for (size_t c = 0; c < s->n_classes; ++c) {
        s->share[c] = (double)s->count[c] * (double)n_held / (double)n;
        s->held[c] = (size_t)s->share[c];
        if (s->held[c] == 0 && s->count[c] > 1) s->held[c] = 1;
        sum += s->held[c];
    }
    for (; sum < n_held; ++sum) ++s->held[neediest(s, true)];
    for (; sum > n_held; --sum) --s->held[neediest(s, false)];
}

kan_status kan_dataset_split(const kan_dataset *d, size_t n_held, kan_random *random, size_t *rows,
                             kan_error *error) {
    assert(n_held > 0 && n_held < d->n && "both parts need a row");
    strata s = {0};
    if (!strata_alloc(&s, d->n, d->task == KAN_CLASSIFICATION ? d->n_out : 1)) {
        strata_clear(&s);
        return kan_status_fail(error, KAN_ENOMEM, "out of memory");
    }
    fill_strata(&s, d);
    apportion(&s, d->n, n_held);
    size_t *members = s.members;
    for (size_t c = 0; c < s.n_classes; members += s.count[c], ++c) {
        kan_random_shuffle(random, s.count[c], members);
        for (size_t j = s.count[c] - s.held[c]; j < s.count[c]; ++j) s.is_held[members[j]] = 1;
    }
    size_t *kept = rows, *held = rows + (d->n - n_held);
    for (size_t row = 0; row < d->n; ++row) *(s.is_held[row] ? held++ : kept++) = row;
    strata_clear(&s);
    return KAN_OK;
}

/* ---- schema
 * ------------------------------------------------------------------------------------------
 *
 * Texts of a model file: "task" (regression, classification), "n_in", "n_out", and where they are known
 * "input_names", "target_names", "class_names": a name and a line end for each; \ and a line end in a
 * name are written \\ and \n.
 */

static const char *const task_names[] = {"regression", "classification"};

static kan_status save_size(kan_file *file, const char *key, size_t value, kan_error *error) {
    char text[32];
    snprintf(text, sizeof text, "%zu", value);
    return kan_file_set(file, key, text, error);
}

static kan_status save_names(kan_file *file, const char *key, size_t n, char *const *names,
                             kan_error *error) {
    if (!names) return KAN_OK;
    size_t size = 1;
    for (size_t j = 0; j < n; ++j) size += 2 * strlen(names[j]) + 1;
    char *text = malloc(size), *end = text;
    if (!text) return kan_status_fail(error, KAN_ENOMEM, "out of memory");
    for (size_t j = 0; j < n; ++j) {
        for (const char *c = names[j]; *c; ++c) {
            if (*c == '\\' || *c == '\n') *end++ = '\\';
            *end++ = *c == '\n' ? 'n' : *c;
        }
        *end++ = '\n';
    }
    *end = '\0';
    const kan_status status = kan_file_set(file, key, text, error);
    free(text);
    return status;
}

kan_status kan_dataset_save_schema(const kan_dataset *d, kan_file *file, kan_error *error) {
    kan_status status = kan_file_set(file, "task", task_names[d->task], error);
    if (status == KAN_OK) status = save_size(file, "n_in", d->n_in, error);
    if (status == KAN_OK) status = save_size(file, "n_out", d->n_out, error);
    if (status == KAN_OK) status = save_names(file, "input_names", d->n_in, d->input_names, error);
    if (status == KAN_OK)
        status = save_names(file, "target_names", kan_dataset_y_width(d), d->target_names, error);
    if (status == KAN_OK && d->task == KAN_CLASSIFICATION)
        status = save_names(file, "class_names", d->n_out, d->class_names, error);
    return status;
}

/* One name of a list, a new text; *list moves behind it. */
static kan_status load_name(const char **list, const char *key, char **name, kan_error *error) {
    const char *line_end = strchr(*list, '\n');
    if (!line_end) return kan_status_fail(error, KAN_EFORMAT, "%s: a line end is missing", key);
    char *end = *name = malloc((size_t)(line_end - *list) + 1);
    if (!end) return kan_status_fail(error, KAN_ENOMEM, "%s: out of memory", key);
    for (const char *c = *list; c < line_end; ++c) {
        const bool escape = *c == '\\';
        if (escape && *++c != '\\' && *c != 'n')
            return kan_status_fail(error, KAN_EFORMAT,
                                   "%s: \\ is followed by something else than \\ or n", key);
        *end++ = escape && *c == 'n' ? '\n' : *c;
    }
    *end = '\0';
    *list = line_end + 1;
    return KAN_OK;
}

/* n names, if the file has that key. */
static kan_status load_names(const kan_file *file, const char *key, size_t n, char ***names,
                             kan_error *error) {
    const char *list = kan_file_get(file, key);
    if (!list) return KAN_OK;
    size_t lines = 0;
    for (const char *c = list; *c; ++c) lines += *c == '\n';
    if (lines != n)
        return kan_status_fail(error, KAN_EFORMAT, "%s: %zu names, expected %zu", key, lines, n);
    if (!(*names = calloc(n + 1, sizeof **names)))
        return kan_status_fail(error, KAN_ENOMEM, "%s: out of memory", key);
    kan_status status = KAN_OK;
    for (size_t j = 0; j < n && status == KAN_OK; ++j)
        status = load_name(&list, key, &(*names)[j], error);
    if (status == KAN_OK && *list)
        status = kan_status_fail(error, KAN_EFORMAT, "%s: text behind the last name", key);
    return status;
}

static kan_status load_size(const kan_file *file, const char *key, size_t *value, kan_error *error) {
    const char *text = kan_file_get(file, key);
    if (text && kan_input_size(text, value) && *value > 0) return KAN_OK;
    return kan_status_fail(error, KAN_EFORMAT, "%s: '%.40s' is not a size", key, text ? text : "");
}

kan_dataset *kan_dataset_load_schema(const kan_file *file, kan_error *error) {
    const char *text = kan_file_get(file, "task");
    const bool classes = text && strcmp(text, task_names[KAN_CLASSIFICATION]) == 0;
    if (!classes && (!text || strcmp(text, task_names[KAN_REGRESSION]) != 0)) {
        kan_status_fail(error, KAN_EFORMAT, "task: '%.40s' is unknown", text ? text : "");
        return NULL;
    }
    size_t n_in, n_out;
    if (load_size(file, "n_in", &n_in, error) != KAN_OK ||
        load_size(file, "n_out", &n_out, error) != KAN_OK)
        return NULL;
    kan_dataset *d = kan_dataset_alloc(classes ? KAN_CLASSIFICATION : KAN_REGRESSION, 0, n_in, n_out,
                                       false);
    if (!d) {
        kan_status_fail(error, KAN_ENOMEM, "out of memory");
        return NULL;
    }
    if (load_names(file, "input_names", n_in, &d->input_names, error) == KAN_OK &&
        load_names(file, "target_names", kan_dataset_y_width(d), &d->target_names, error) == KAN_OK &&
        (!classes || load_names(file, "class_names", n_out, &d->class_names, error) == KAN_OK))
        return d;
    kan_dataset_free(d);
    return NULL;
}

/* ---- checksum ----------------------------------------------------------------------------------- */

static uLong add_names(uLong crc, char **names, size_t n) {
    for (size_t j = 0; names && j < n; ++j)
        crc = crc32_z(crc, (const unsigned char *)names[j], strlen(names[j]) + 1);
    return crc;
}

uint32_t kan_dataset_checksum(const kan_dataset *d) {
    const size_t sizes[] = {d->task, d->n, d->n_in, d->n_out}, width = kan_dataset_y_width(d);
    uLong crc = crc32_z(0, (const void *)sizes, sizeof sizes);
    if (d->x) crc = crc32_z(crc, (const void *)d->x, d->n * d->n_in * sizeof *d->x);
    if (d->bytes) crc = crc32_z(crc, d->bytes, d->n * d->n_in);
    if (d->y) crc = crc32_z(crc, (const void *)d->y, d->n * width * sizeof *d->y);
    if (d->weight) crc = crc32_z(crc, (const void *)d->weight, d->n * sizeof *d->weight);
    crc = add_names(crc, d->input_names, d->n_in);
    crc = add_names(crc, d->target_names, width);
    crc = add_names(crc, d->class_names, d->task == KAN_CLASSIFICATION ? d->n_out : 0);
    return (uint32_t)crc;
}
