/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/table.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/work.h"
#include "train/input.h"

typedef struct named {
    const char *name;
    size_t index;
} named;

/* What the target cells are; UNDECIDED until the first of them is seen. */
typedef enum target_kind { ABSENT, UNDECIDED, NUMBERS, TEXTS, CLASSES, KNOWN_CLASSES } target_kind;

struct kan_table {
    const char *path, *counted;
    kan_read_options options;
    size_t n_columns;
    char **names;   /* [n_columns] or NULL                                      */
    named *by_name; /* [n_columns] sorted by name, or NULL                      */
    size_t n_in, n_targets, weight;
    size_t *inputs, *targets; /* [n_in], [n_targets]; weight may be NO_COLUMN             */
    target_kind kind;
    named *classes; /* KNOWN_CLASSES: like's, sorted by name; NULL if it has no names */
    size_t n, line;
    kan_input_buffer x, y, w;       /* [n][n_in], [n][n_targets], [n]                           */
    kan_input_buffer text, label;   /* texts one behind the other; where that of each row begins */
    size_t text_size, n_texts;      /* bytes of text; labels that are no numbers                */
    bool has_fraction;              /* some label is a number but no integer; of the first such:    */
    size_t fraction, fraction_line; /* its row, and the line of the file */
};

static const size_t NO_COLUMN = SIZE_MAX;

static int compare_names(const void *a, const void *b) {
    return strcmp(((const named *)a)->name, ((const named *)b)->name);
}

static int compare_numbers(const void *a, const void *b) {
    const double x = strtod(((const named *)a)->name, NULL), y = strtod(((const named *)b)->name, NULL);
    return (x > y) - (x < y);
}

/* [n], sorted by name; NULL when memory is short. */
static named *sort_names(size_t n, char *const *names) {
    named *sorted = calloc(n + 1, sizeof *sorted);
    if (!sorted) return NULL;
    for (size_t j = 0; j < n; ++j) sorted[j] = (named){names[j], j};
    qsort(sorted, n, sizeof *sorted, compare_names);
    return sorted;
}

/* The index that belongs to a name; n where it is unknown. */
static size_t find_sorted(size_t n, const named *sorted, const char *name) {
    const named key = {name, 0};
    const named *found = bsearch(&key, sorted, n, sizeof key, compare_names);
    return found ? found->index : n;
}

/* Length of the UTF-8 sequence at s, 0 if it is none. Overlong forms and surrogates are none (RFC 3629,
 * section 4). */
static size_t utf8_length(const unsigned char *s) {
    if (s[0] < 0x80) return 1;
    const size_t n = s[0] >= 0xc2 && s[0] <= 0xdf   ? 2
                     : (s[0] & 0xf0) == 0xe0        ? 3
                     : s[0] >= 0xf0 && s[0] <= 0xf4 ? 4
                                                    : 0;
    for (size_t j = 1; j < n; ++j)
        if ((s[j] & 0xc0) != 0x80) return 0;
    const bool wrong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
                       (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f);
    return wrong ? 0 : n;
}

static bool is_utf8(const char *text) {
    const unsigned char *s = (const unsigned char *)text;
    while (*s) {
        const size_t n = utf8_length(s);
        if (n == 0) return false;
        s += n;
    }
    return true;
}

const char *kan_table_quote(const kan_table_cell *cell, char quoted[KAN_TABLE_QUOTED]) {
    if (!cell->text) {
        snprintf(quoted, KAN_TABLE_QUOTED, "'%.17g'", cell->value);
        return quoted;
    }
    const unsigned char *s = (const unsigned char *)cell->text;
    size_t n = 0;
    quoted[n++] = '\'';
    while (*s && n <= 40) {
        const size_t length = utf8_length(s);
        for (size_t j = 0; j < length; ++j)
            quoted[n + j] = s[j] < 0x20 || s[j] == 0x7f ? '?' : (char)s[j];
        if (length == 0) quoted[n] = '?';
        n += length ? length : 1, s += length ? length : 1;
    }
    snprintf(quoted + n, KAN_TABLE_QUOTED - n, "%s", *s ? "...'" : "'");
    return quoted;
}

/* Reports that a cell of the present row `is` something that it should not be. */
static kan_status refuse_cell(const kan_table *t, const kan_table_cell *cell, size_t column,
                              kan_status status, const char *is, kan_error *error) {
    char quoted[KAN_TABLE_QUOTED];
    kan_table_quote(cell, quoted);
    if (t->names)
        return kan_status_fail(error, status, "%s: %s %zu: column '%s': %s %s", t->path, t->counted,
                               t->line, t->names[column], quoted, is);
    return kan_status_fail(error, status, "%s: %s %zu: column %zu: %s %s", t->path, t->counted, t->line,
                           column, quoted, is);
}

static kan_status no_memory(const kan_table *t, kan_error *error) {
    return kan_status_fail(error, KAN_ENOMEM, "%s: out of memory", t->path);
}

/* Reports a column that is not there, and those which are. */
static kan_status refuse_name(const kan_table *t, const char *name, kan_error *error) {
    char list[320] = "";
    if (!t->names)
        return kan_status_fail(error, KAN_EFORMAT,
                               "%s: no column '%s': the columns have no names, only numbers 0 to %zu",
                               t->path, name, t->n_columns - 1);
    size_t used = 0;
    for (size_t c = 0; c < t->n_columns && used < sizeof list; ++c)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", c ? ", " : "", t->names[c]);
    return kan_status_fail(error, KAN_EFORMAT, "%s: no column '%s'; the columns are %s%s", t->path,
                           name, list, used < sizeof list ? "" : "...");
}

/* Names from a header; "column_3" where the cell is empty. */
static kan_status take_names(kan_table *t, const kan_table_cell *header, kan_error *error) {
    if (!(t->names = calloc(t->n_columns, sizeof *t->names))) return no_memory(t, error);
    for (size_t c = 0; c < t->n_columns; ++c) {
        char unnamed[32];
        snprintf(unnamed, sizeof unnamed, "column_%zu", c);
        if (!(t->names[c] = strdup(*header[c].text ? header[c].text : unnamed)))
            return no_memory(t, error);
        if (!is_utf8(t->names[c]))
            return kan_status_fail(error, KAN_EFORMAT, "%s: the name of column %zu is not UTF-8 text",
                                   t->path, c);
    }
    if (!(t->by_name = sort_names(t->n_columns, t->names))) return no_memory(t, error);
    for (size_t j = 1; j < t->n_columns; ++j)
        if (strcmp(t->by_name[j].name, t->by_name[j - 1].name) == 0)
            return kan_status_fail(error, KAN_EFORMAT, "%s: two columns are called '%s'", t->path,
                                   t->by_name[j].name);
    return KAN_OK;
}

/* By name, else by number. */
static kan_status find_column(const kan_table *t, const char *name, size_t *column, kan_error *error) {
    *column = t->names ? find_sorted(t->n_columns, t->by_name, name) : t->n_columns;
    if (*column < t->n_columns) return KAN_OK;
    if (kan_input_size(name, column) && *column < t->n_columns) return KAN_OK;
    return refuse_name(t, name, error);
}

/* Columns of `like`, each by its name. */
static kan_status choose_by_name(kan_table *t, kan_error *error) {
    const kan_dataset *like = t->options.like;
    for (size_t i = 0; i < t->n_in; ++i) {
        t->inputs[i] = find_sorted(t->n_columns, t->by_name, like->input_names[i]);
        if (t->inputs[i] == t->n_columns) return refuse_name(t, like->input_names[i], error);
    }
    for (size_t k = 0; k < t->n_targets; ++k) {
        const char *name = like->target_names ? like->target_names[k] : "target";
        if (t->options.target && t->n_targets == 1) name = t->options.target;
        if (find_column(t, name, &t->targets[k], NULL) == KAN_OK) continue;
        if (!t->options.target_optional) return refuse_name(t, name, error);
        t->kind = ABSENT;
    }
    return KAN_OK;
}

/* Columns in their order: the target that the options name, or else the last ones; the weight where it
 * is; the rest are inputs. */
static kan_status choose_by_position(kan_table *t, kan_error *error) {
    const size_t n = t->n_columns - (t->weight != NO_COLUMN);
    size_t target = NO_COLUMN;
    if (t->options.like && t->options.target_optional && n == t->n_in)
        t->kind = ABSENT;
    else if (n < t->n_in || n - t->n_in != t->n_targets)
        return kan_status_fail(error, KAN_EFORMAT,
                               "%s: %zu columns where %zu inputs and %zu target%s are expected",
                               t->path, n, t->n_in, t->n_targets, t->n_targets == 1 ? "" : "s");
    if (t->kind != ABSENT && t->options.target && t->n_targets == 1) {
        const kan_status status = find_column(t, t->options.target, &target, error);
        if (status != KAN_OK) return status;
    }
    size_t i = 0, k = 0;
    for (size_t c = 0; c < t->n_columns; ++c) {
        if (c == target)
            t->targets[k++] = c;
        else if (c != t->weight && i < t->n_in)
            t->inputs[i++] = c;
        else if (c != t->weight && target == NO_COLUMN)
            t->targets[k++] = c;
    }
    return KAN_OK;
}

static kan_status choose_columns(kan_table *t, kan_error *error) {
    const kan_read_options *o = &t->options;
    t->weight = NO_COLUMN;
    if (o->weight) {
        const kan_status status = find_column(t, o->weight, &t->weight, error);
        if (status != KAN_OK) return status;
        size_t target;
        if (o->target && find_column(t, o->target, &target, NULL) == KAN_OK && target == t->weight)
            return kan_status_fail(error, KAN_EFORMAT, "%s: column '%s' is both target and weight",
                                   t->path, o->target);
    }
    const size_t others = 1 + (t->weight != NO_COLUMN);
    t->n_targets = o->like ? kan_dataset_y_width(o->like) : 1;
    t->n_in = o->like ? o->like->n_in : t->n_columns > others ? t->n_columns - others : 0;
    const bool by_name = o->like && t->names && o->like->input_names;
    if (t->n_in == 0)
        return kan_status_fail(error, KAN_EFORMAT, "%s: %zu columns leave none for an input", t->path,
                               t->n_columns);
    /* Without names the sizes of `like` are only a claim: no more room than there are columns. */
    t->inputs = calloc(by_name ? t->n_in : t->n_columns, sizeof *t->inputs);
    t->targets = calloc(by_name ? t->n_targets : t->n_columns, sizeof *t->targets);
    if (!t->inputs || !t->targets) return no_memory(t, error);
    return by_name ? choose_by_name(t, error) : choose_by_position(t, error);
}

static kan_status choose_kind(kan_table *t, kan_error *error) {
    const kan_dataset *like = t->options.like;
    if (!like) {
        static const target_kind of_task[] = {UNDECIDED, NUMBERS, CLASSES};
        t->kind = of_task[t->options.task];
        return KAN_OK;
    }
    t->kind = like->task == KAN_REGRESSION ? NUMBERS : KNOWN_CLASSES;
    if (t->kind == KNOWN_CLASSES && like->class_names)
        if (!(t->classes = sort_names(like->n_out, like->class_names))) return no_memory(t, error);
    return KAN_OK;
}

kan_table *kan_table_alloc(const char *path, const char *counted, const kan_read_options *options,
                           size_t n_columns, const kan_table_cell *header, kan_error *error) {
    assert(n_columns > 0);
    kan_table *t = calloc(1, sizeof *t);
    if (!t) {
        kan_status_fail(error, KAN_ENOMEM, "%s: out of memory", path);
        return NULL;
    }
    t->path = path, t->counted = counted, t->n_columns = n_columns;
    if (options) t->options = *options;
    kan_status status = header ? take_names(t, header, error) : KAN_OK;
    if (status == KAN_OK) status = choose_kind(t, error);
    if (status == KAN_OK) status = choose_columns(t, error);
    if (status == KAN_OK) return t;
    kan_table_free(t);
    return NULL;
}

void kan_table_free(kan_table *t) {
    if (!t) return;
    kan_input_free_names(t->n_columns, t->names);
    free(t->by_name);
    free(t->inputs);
    free(t->targets);
    free(t->classes);
    free(t->x.data);
    free(t->y.data);
    free(t->w.data);
    free(t->text.data);
    free(t->label.data);
    free(t);
}

/* KAN_OK unless the cell of that column is empty or a number that is not finite. */
static kan_status check_there(const kan_table *t, const kan_table_cell *cells, size_t column,
                              kan_error *error) {
    const kan_table_cell *cell = cells + column;
    if (!cell->number && !*cell->text)
        return refuse_cell(t, cell, column, KAN_ENONFINITE, "is an empty cell", error);
    if (cell->number && !isfinite(cell->value))
        return refuse_cell(t, cell, column, KAN_ENONFINITE, "is not finite", error);
    return KAN_OK;
}

static kan_status take_number(const kan_table *t, const kan_table_cell *cells, size_t column,
                              double *value, kan_error *error) {
    const kan_status status = check_there(t, cells, column, error);
    if (status != KAN_OK) return status;
    if (!cells[column].number)
        return refuse_cell(t, cells + column, column, KAN_EFORMAT, "is not a number", error);
    *value = cells[column].value;
    return KAN_OK;
}

/* Integers that a double holds exactly. */
static bool is_integer(const kan_table_cell *cell) {
    return cell->number && fabs(cell->value) <= 0x1p53 && rint(cell->value) == cell->value;
}

/* The name of the class that a cell tells: integers in one form ("1", also for " 1.0"), else the cell's
 * own text. */
static const char *class_name(const kan_table_cell *cell, char buffer[32]) {
    if (!is_integer(cell) && cell->text) return cell->text;
    /* adding zero turns -0 into 0 */
    snprintf(buffer, 32, is_integer(cell) ? "%.0f" : "%.17g", cell->value + 0.0);
    return buffer;
}

static kan_status take_known_class(const kan_table *t, const kan_table_cell *cells, size_t column,
                                   double *value, kan_error *error) {
    const kan_table_cell *cell = cells + column;
    const size_t n = t->options.like->n_out;
    char buffer[32];
    size_t class = n;
    if (t->classes)
        class = find_sorted(n, t->classes, class_name(cell, buffer));
    else if (is_integer(cell) && cell->value >= 0 && cell->value < (double)n)
        class = (size_t)cell->value;
    if (class == n)
        return refuse_cell(t, cell, column, KAN_EFORMAT, "is not one of the known classes", error);
    *value = (double)class;
    return KAN_OK;
}

/* Keeps the class name of a cell until all are known. */
static kan_status keep_label(kan_table *t, const kan_table_cell *cells, size_t column,
                             kan_error *error) {
    const kan_table_cell *cell = cells + column;
    char buffer[32];
    const char *name = class_name(cell, buffer);
    if (cell->number && t->kind == TEXTS)
        return refuse_cell(t, cell, column, KAN_EFORMAT,
                           "is a number among texts (ask for classification if it is a class)", error);
    if (!is_utf8(name)) return refuse_cell(t, cell, column, KAN_EFORMAT, "is not UTF-8 text", error);
    const size_t size = strlen(name) + 1;
    if (!kan_input_reserve(&t->text, t->text_size + size, 1) ||
        !kan_input_reserve(&t->label, t->n + 1, sizeof(size_t)))
        return no_memory(t, error);
    memcpy((char *)t->text.data + t->text_size, name, size);
    ((size_t *)t->label.data)[t->n] = t->text_size;
    t->text_size += size;
    t->n_texts += !cell->number;
    if (cell->number && !is_integer(cell) && !t->has_fraction)
        t->has_fraction = true, t->fraction = t->n, t->fraction_line = t->line;
    return KAN_OK;
}

static kan_status take_target(kan_table *t, const kan_table_cell *cells, size_t column, double *value,
                              kan_error *error) {
    const kan_status status = check_there(t, cells, column, error);
    if (status != KAN_OK) return status;
    if (t->kind == UNDECIDED) t->kind = cells[column].number ? NUMBERS : TEXTS;
    if (t->kind == NUMBERS) return take_number(t, cells, column, value, error);
    if (t->kind == KNOWN_CLASSES) return take_known_class(t, cells, column, value, error);
    return keep_label(t, cells, column, error);
}

kan_status kan_table_add(kan_table *t, size_t line, const kan_table_cell *cells, kan_error *error) {
    t->line = line;
    if (!kan_input_reserve(&t->x, kan_work_product(t->n + 1, t->n_in), sizeof(double)) ||
        !kan_input_reserve(&t->y, kan_work_product(t->n + 1, t->n_targets), sizeof(double)) ||
        !kan_input_reserve(&t->w, t->n + 1, sizeof(double)))
        return no_memory(t, error);
    double *x = (double *)t->x.data + t->n * t->n_in, *y = (double *)t->y.data + t->n * t->n_targets,
           *w = (double *)t->w.data + t->n;
    kan_status status = KAN_OK;
    for (size_t i = 0; i < t->n_in && status == KAN_OK; ++i)
        status = take_number(t, cells, t->inputs[i], x + i, error);
    for (size_t k = 0; k < t->n_targets && status == KAN_OK; ++k)
        if (t->kind == ABSENT)
            y[k] = t->options.like->task == KAN_REGRESSION ? NAN : 0.0;
        else
            status = take_target(t, cells, t->targets[k], y + k, error);
    if (t->weight != NO_COLUMN && status == KAN_OK) {
        status = take_number(t, cells, t->weight, w, error);
        if (status == KAN_OK && !(*w > 0.0))
            status = refuse_cell(t, cells + t->weight, t->weight, KAN_EFORMAT,
                                 "is not a positive weight", error);
    }
    t->n += status == KAN_OK;
    return status;
}

/* Numbers the classes: y [n] from the labels kept, and *classes [*n_classes], sorted, whose names lie
 * in the text. Integers are sorted as numbers, texts by their bytes. */
static kan_status number_classes(kan_table *t, named **classes, size_t *n_classes, kan_error *error) {
    named *sorted = calloc(t->n, sizeof *sorted);
    size_t *rank = NULL, n = 0;
    if (!sorted) return no_memory(t, error);
    for (size_t s = 0; s < t->n; ++s)
        sorted[s] = (named){(const char *)t->text.data + ((size_t *)t->label.data)[s], s};
    qsort(sorted, t->n, sizeof *sorted, compare_names);
    double *y = t->y.data;
    for (size_t s = 0; s < t->n; ++s) {
        const named label = sorted[s]; /* classes found so far take [0 .. n-1], n <= s, of the array */
        if (n == 0 || strcmp(label.name, sorted[n - 1].name) != 0)
            sorted[n] = (named){label.name, n}, ++n;
        y[label.index] = (double)(n - 1);
    }
    if (t->n_texts == 0) qsort(sorted, n, sizeof *sorted, compare_numbers);
    if (!(rank = calloc(n, sizeof *rank))) {
        free(sorted);
        return no_memory(t, error);
    }
    for (size_t k = 0; k < n; ++k) rank[sorted[k].index] = k;
    for (size_t s = 0; s < t->n; ++s) y[s] = (double)rank[(size_t)y[s]];
    free(rank);
    *classes = sorted, *n_classes = n;
    return KAN_OK;
}

/* Names of d, from the file or from `like`. False when memory is short. */
static bool name_columns(const kan_table *t, kan_dataset *d) {
    if (t->options.like) return kan_input_name_as(d, t->options.like);
    if (!t->names) return true;
    if (!(d->input_names = calloc(d->n_in, sizeof *d->input_names))) return false;
    if (!(d->target_names = calloc(1, sizeof *d->target_names))) return false;
    for (size_t i = 0; i < d->n_in; ++i)
        if (!(d->input_names[i] = strdup(t->names[t->inputs[i]]))) return false;
    return (d->target_names[0] = strdup(t->names[t->targets[0]])) != NULL;
}

/* A data set with the rows and names of t; classes [n_out] or NULL. NULL when memory is short. */
static kan_dataset *make_dataset(const kan_table *t, kan_task task, size_t n_out,
                                 const named *classes) {
    kan_dataset *d = kan_dataset_alloc(task, t->n, t->n_in, n_out, false);
    if (!d) return NULL;
    memcpy(d->x, t->x.data, t->n * t->n_in * sizeof *d->x);
    memcpy(d->y, t->y.data, t->n * t->n_targets * sizeof *d->y);
    bool memory = name_columns(t, d);
    if (memory && classes) memory = (d->class_names = calloc(n_out, sizeof *d->class_names)) != NULL;
    for (size_t k = 0; memory && classes && k < n_out; ++k)
        memory = (d->class_names[k] = strdup(classes[k].name)) != NULL;
    if (memory && t->weight != NO_COLUMN) {
        memory = (d->weight = kan_work_alloc(t->n)) != NULL;
        if (memory) memcpy(d->weight, t->w.data, t->n * sizeof *d->weight);
    }
    if (memory) return d;
    kan_dataset_free(d);
    return NULL;
}

/* The classes of the labels that were kept, as number_classes. */
static kan_status settle_classes(kan_table *t, named **classes, size_t *n_classes, kan_error *error) {
    if (t->n_texts == 0 && t->has_fraction) {
        const char *text = (const char *)t->text.data + ((size_t *)t->label.data)[t->fraction];
        t->line = t->fraction_line;
        return refuse_cell(t, &(kan_table_cell){.text = text}, t->targets[0], KAN_EFORMAT,
                           "is not an integer, which a class must be", error);
    }
    const kan_status status = number_classes(t, classes, n_classes, error);
    if (status != KAN_OK || *n_classes <= KAN_TABLE_MAX_CLASSES) return status;
    return kan_status_fail(error, KAN_EFORMAT, "%s: %zu classes in the target column, more than %d",
                           t->path, *n_classes, KAN_TABLE_MAX_CLASSES);
}

kan_dataset *kan_table_finish(kan_table *t, kan_error *error) {
    const kan_dataset *like = t->options.like;
    const kan_task task = like ? like->task : t->kind == NUMBERS ? KAN_REGRESSION : KAN_CLASSIFICATION;
    size_t n_out = like ? like->n_out : 1;
    named *classes = NULL;
    kan_dataset *d = NULL;
    kan_status status = KAN_OK;
    if (t->n == 0)
        status = kan_status_fail(error, KAN_EFORMAT, "%s: there are no rows", t->path);
    else if (!like && task == KAN_CLASSIFICATION)
        status = settle_classes(t, &classes, &n_out, error);
    if (status == KAN_OK && !(d = make_dataset(t, task, n_out, classes))) no_memory(t, error);
    free(classes);
    return d;
}
