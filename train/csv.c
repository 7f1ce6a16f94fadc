/* train/csv.c - see the header.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/csv.h"

#include <locale.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct kan_csv {
    const char *path;
    kan_input *input;
    int delimiter;
    size_t line;   /* of the next byte, counted from 1     */
    locale_t c;    /* in which numbers are read            */
    bool nul_seen; /* a byte that no text holds            */
};

enum { END = -1 };

/* ---- bytes ------------------------------------------------------------------------------------------
 */

/* The next byte; every kind of line end as '\n'; END at the end. */
static int next_byte(kan_csv *csv) {
    int c = kan_input_byte(csv->input);
    if (c == '\r') {
        size_t n;
        const unsigned char *ahead = kan_input_peek(csv->input, &n);
        if (n > 0 && *ahead == '\n') (void)kan_input_byte(csv->input);
        c = '\n';
    }
    if (c == '\n') ++csv->line;
    if (c == 0) csv->nul_seen = true;
    return c;
}

static bool is_blank(const kan_csv *csv, int c) {
    return (c == ' ' || c == '\t') && c != csv->delimiter;
}

static bool ends_cell(const kan_csv *csv, int c) {
    return c == csv->delimiter || c == '\n' || c == END;
}

static int skip_blanks(kan_csv *csv) {
    int c = next_byte(csv);
    while (is_blank(csv, c)) c = next_byte(csv);
    return c;
}

/* ---- cells ------------------------------------------------------------------------------------------
 */

static kan_status no_memory(const kan_csv *csv, kan_error *error) {
    return kan_status_fail(error, KAN_ENOMEM, "%s: out of memory", csv->path);
}

static bool put(kan_csv_record *record, int c) {
    if (!kan_input_reserve(&record->text, record->text_size + 1, 1)) return false;
    ((char *)record->text.data)[record->text_size++] = (char)c;
    return true;
}

/* The rest of a cell whose opening quote has been read; *c becomes the byte that ends the cell. */
static kan_status read_quoted(kan_csv *csv, kan_csv_record *record, int *c, kan_error *error) {
    for (;;) {
        *c = next_byte(csv);
        if (*c == '"') {
            *c = next_byte(csv);
            if (*c != '"') break;
        } else if (*c == END) {
            const kan_status status = kan_input_status(csv->input, error);
            if (status != KAN_OK) return status;
            return kan_status_fail(error, KAN_EFORMAT,
                                   "%s: line %zu: column %zu: the closing quote is missing", csv->path,
                                   record->line, record->n);
        }
        if (!put(record, *c)) return no_memory(csv, error);
    }
    while (is_blank(csv, *c)) *c = next_byte(csv);
    if (ends_cell(csv, *c)) return KAN_OK;
    return kan_status_fail(error, KAN_EFORMAT,
                           "%s: line %zu: column %zu: there is text behind the closing quote",
                           csv->path, record->line, record->n);
}

/* One cell, without the blanks around it unless they are in quotes; *c becomes the byte that ends it.
 * Clears *blank unless the cell is empty and without quotes. */
static kan_status read_cell(kan_csv *csv, kan_csv_record *record, int *c, bool *blank,
                            kan_error *error) {
    *c = skip_blanks(csv);
    if (*c == '"') {
        *blank = false;
        const kan_status status = read_quoted(csv, record, c, error);
        if (status != KAN_OK) return status;
    } else {
        const size_t begin = record->text_size;
        size_t end = begin; /* behind the last byte that is no blank */
        for (; !ends_cell(csv, *c); *c = next_byte(csv)) {
            if (!put(record, *c)) return no_memory(csv, error);
            if (!is_blank(csv, *c)) end = record->text_size;
        }
        record->text_size = end;
        *blank = *blank && end == begin;
    }
    if (csv->nul_seen)
        return kan_status_fail(error, KAN_EFORMAT,
                               "%s: line %zu: column %zu: a zero byte: this is not plain text",
                               csv->path, record->line, record->n);
    return put(record, '\0') ? KAN_OK : no_memory(csv, error);
}

/* The whole text is one number, blanks around it allowed. */
static bool parse_number(const char *text, double *value) {
    char *end;
    *value = strtod(text, &end);
    if (end == text) return false;
    while (*end == ' ' || *end == '\t' || *end == '\n') ++end;
    return *end == '\0';
}

/* Fills cells [n] from the texts. */
static kan_status parse_cells(const kan_csv *csv, kan_csv_record *record, kan_error *error) {
    if (!kan_input_reserve(&record->cells, record->n, sizeof(kan_table_cell)))
        return no_memory(csv, error);
    kan_table_cell *cells = record->cells.data;
    const char *text = record->text.data;
    const locale_t callers = uselocale(csv->c); /* of this thread alone */
    for (size_t j = 0; j < record->n; ++j, text += strlen(text) + 1) {
        cells[j].text = text;
        cells[j].number = parse_number(text, &cells[j].value);
    }
    (void)uselocale(callers);
    return KAN_OK;
}

/* ---- records ----------------------------------------------------------------------------------------
 */

void kan_csv_record_clear(kan_csv_record *record) {
    free(record->cells.data);
    free(record->text.data);
    *record = (kan_csv_record){0};
}

kan_status kan_csv_next(kan_csv *csv, kan_csv_record *record, kan_error *error) {
    bool blank;
    int c;
    do {
        record->line = csv->line, record->n = 0, record->text_size = 0;
        blank = true;
        do {
            const kan_status status = read_cell(csv, record, &c, &blank, error);
            if (status != KAN_OK) return status;
            ++record->n;
        } while (c == csv->delimiter);
    } while (blank && c != END);
    if (c == END) {
        const kan_status status = kan_input_status(csv->input, error);
        if (status != KAN_OK) return status;
    }
    if (blank) record->n = 0;
    return blank ? KAN_OK : parse_cells(csv, record, error);
}

static bool ends_with(const char *text, const char *end) {
    const size_t n = strlen(text), m = strlen(end);
    return n >= m && strcasecmp(text + n - m, end) == 0;
}

/* Reads ahead, as far as one buffer goes, and leaves all bytes but a byte order mark where they are. */
static int find_delimiter(kan_csv *csv) {
    size_t n;
    const unsigned char *bytes = kan_input_peek(csv->input, &n);
    if (n >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
        for (int j = 0; j < 3; ++j) (void)kan_input_byte(csv->input);
        bytes = kan_input_peek(csv->input, &n);
    }
    if (ends_with(csv->path, ".tsv") || ends_with(csv->path, ".tsv.gz")) return '\t';
    bool quoted = false, tab = false, semicolon = false;
    for (size_t j = 0; j < n; ++j) {
        if (bytes[j] == '"') quoted = !quoted;
        if (quoted) continue;
        if (bytes[j] == ',') return ',';
        if (bytes[j] == '\n' || bytes[j] == '\r') break;
        tab |= bytes[j] == '\t', semicolon |= bytes[j] == ';';
    }
    return tab ? '\t' : semicolon ? ';' : ',';
}

kan_csv *kan_csv_open(const char *path, kan_error *error) {
    kan_csv *csv = calloc(1, sizeof *csv);
    if (!csv) {
        kan_status_fail(error, KAN_ENOMEM, "%s: out of memory", path);
        return NULL;
    }
    csv->path = path, csv->line = 1;
    if (!(csv->c = newlocale(LC_ALL_MASK, "C", (locale_t)0))) {
        no_memory(csv, error);
        kan_csv_close(csv);
        return NULL;
    }
    if (!(csv->input = kan_input_open(path, error))) {
        kan_csv_close(csv);
        return NULL;
    }
    csv->delimiter = find_delimiter(csv);
    return csv;
}

void kan_csv_close(kan_csv *csv) {
    if (!csv) return;
    kan_input_close(csv->input);
    if (csv->c) freelocale(csv->c);
    free(csv);
}

/* ---- tables -----------------------------------------------------------------------------------------
 */

static bool is_name(const char *name, const char *text) {
    return name && strcmp(name, text) == 0;
}

static bool is_header(const kan_csv_record *first, const kan_csv_record *second,
                      const kan_read_options *options) {
    const kan_dataset *like = options->like;
    const kan_table_cell *cells = kan_csv_cells(first);
    size_t n_texts = 0, text = 0, target = first->n - 1;
    for (size_t j = 0; j < first->n; ++j)
        if (!cells[j].number && *cells[j].text) ++n_texts, text = j;
    if (n_texts != 1 || first->n == 1) return n_texts > 0;
    if (is_name(options->target, cells[text].text) || is_name(options->weight, cells[text].text) ||
        (like && like->target_names && is_name(like->target_names[0], cells[text].text)))
        return true;
    if (options->target && !kan_input_size(options->target, &target)) return true;
    return text != target || (text < second->n && kan_csv_cells(second)[text].number);
}

static kan_status add_record(const kan_csv *csv, const kan_csv_record *first,
                             const kan_csv_record *record, kan_table *t, kan_error *error) {
    if (record->n == first->n) return kan_table_add(t, record->line, kan_csv_cells(record), error);
    return kan_status_fail(error, KAN_EFORMAT, "%s: line %zu: %zu cells, expected %zu", csv->path,
                           record->line, record->n, first->n);
}

/* Reads all of csv; false with an error. The caller frees *t and what is in records [2]. */
static bool fill_table(kan_csv *csv, const kan_read_options *options, kan_csv_record *records,
                       kan_table **t, kan_error *error) {
    kan_csv_record *first = &records[0], *record = &records[1];
    if (kan_csv_next(csv, first, error) != KAN_OK) return false;
    if (first->n == 0) {
        kan_status_fail(error, KAN_EFORMAT, "%s: there are no rows", csv->path);
        return false;
    }
    if (kan_csv_next(csv, record, error) != KAN_OK) return false;
    const bool header = is_header(first, record, options);
    *t = kan_table_alloc(csv->path, "line", options, first->n, header ? kan_csv_cells(first) : NULL,
                         error);
    if (!*t) return false;
    kan_status status = KAN_OK;
    if (!header) status = add_record(csv, first, first, *t, error);
    while (status == KAN_OK && record->n > 0) {
        status = add_record(csv, first, record, *t, error);
        if (status == KAN_OK) status = kan_csv_next(csv, record, error);
    }
    return status == KAN_OK;
}

kan_dataset *kan_csv_read(const char *path, const kan_read_options *options, kan_error *error) {
    static const kan_read_options defaults = {0};
    kan_csv_record records[2] = {{0}, {0}};
    kan_table *t = NULL;
    kan_dataset *d = NULL;
    kan_csv *csv = kan_csv_open(path, error);
    if (csv && fill_table(csv, options ? options : &defaults, records, &t, error))
        d = kan_table_finish(t, error);
    kan_table_free(t);
    kan_csv_record_clear(&records[0]);
    kan_csv_record_clear(&records[1]);
    kan_csv_close(csv);
    return d;
}
