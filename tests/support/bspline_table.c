/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/support/bspline_table.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FIELDS = 9, LINE = 256 };

static table_case cases[TABLE_MAX_CASES];
static size_t n_cases;

/* ---- rows ---------------------------------------------------------------------------------------- */

typedef struct rows {
    FILE *stream;
    char line[LINE], *fields[MAX_FIELDS];
} rows;

static rows open_rows(const char *file) {
    char path[512];
    snprintf(path, sizeof path, KAN_SHARED "/data/reference/bspline/%s", file);
    rows r = {.stream = fopen(path, "r")};
    if (!r.stream) cr_skip_test("%s is not there", path);
    cr_assert(fgets(r.line, LINE, r.stream) != NULL, "%s has no header", path);
    return r;
}

/* The next row cut at its commas; closes the file after the last. */
static bool next_row(rows *r) {
    if (!fgets(r->line, LINE, r->stream)) {
        fclose(r->stream);
        return false;
    }
    r->line[strcspn(r->line, "\r\n")] = '\0';
    char *at = r->line;
    for (size_t j = 0; j < MAX_FIELDS; ++j) {
        r->fields[j] = at;
        at += strcspn(at, ",");
        if (*at) *at++ = '\0';
    }
    return true;
}

static double number(const rows *r, size_t field) {
    char *end;
    const double value = strtod(r->fields[field], &end);
    cr_assert(end != r->fields[field] && *end == '\0', "\"%s\" is no number", r->fields[field]);
    return value;
}

static size_t count(const rows *r, size_t field) {
    return (size_t)number(r, field);
}

/* ---- cases --------------------------------------------------------------------------------------- */

static table_case *find_case(const char *name) {
    size_t j = 0;
    while (j < n_cases && strcmp(cases[j].name, name) != 0) ++j;
    cr_assert(j < n_cases, "no case %s", name);
    return &cases[j];
}

const table_case *table_cases(size_t *n) {
    if (n_cases == 0) {
        rows r = open_rows("cases.csv");
        while (next_row(&r)) {
            table_case *c = &cases[n_cases++];
            snprintf(c->name, sizeof c->name, "%s", r.fields[0]);
            c->extended = strncmp(r.fields[2], "extended", 8) == 0;
            c->degree = count(&r, 1), c->n_cells = count(&r, 3);
            c->lo = number(&r, 4), c->hi = number(&r, 5);
            c->n_knots = count(&r, 6), c->n_basis = count(&r, 7);
            cr_assert(n_cases < TABLE_MAX_CASES && c->n_knots <= TABLE_MAX_KNOTS);
        }
        r = open_rows("knots.csv");
        while (next_row(&r)) find_case(r.fields[0])->knots[count(&r, 1)] = number(&r, 2);
        r = open_rows("curves.csv");
        while (next_row(&r)) find_case(r.fields[0])->coef[count(&r, 1)] = number(&r, 2);
    }
    *n = n_cases;
    return cases;
}

/* ---- values -------------------------------------------------------------------------------------- */

/* Rows of one point and derivative follow each other, and name only what is not zero. */
table_point *table_points(size_t *n) {
    enum { MAX_POINTS = 8000 };
    size_t n_all;
    table_cases(&n_all);
    table_point *points = calloc(MAX_POINTS, sizeof *points);
    cr_assert(points != NULL);
    *n = 0;
    rows r = open_rows("basis_values.csv");
    while (next_row(&r)) {
        const table_case *of = find_case(r.fields[0]);
        const double x = number(&r, 2);
        const size_t d = count(&r, 3);
        table_point *last = *n ? &points[*n - 1] : NULL;
        if (!last || last->of != of || last->x != x || last->d != d) {
            cr_assert(*n < MAX_POINTS);
            last = &points[(*n)++];
            last->of = of, last->x = x, last->d = d;
            snprintf(last->where, sizeof last->where, "%s", r.fields[1]);
        }
        const double basis = number(&r, 4);
        if (basis >= 0.0) last->values[(size_t)basis] = number(&r, 5);
    }
    return points;
}

table_curve *table_curves(size_t *n) {
    enum { MAX_CURVES = 2000 };
    size_t n_all;
    table_cases(&n_all);
    table_curve *curves = calloc(MAX_CURVES, sizeof *curves);
    cr_assert(curves != NULL);
    *n = 0;
    rows r = open_rows("curve_values.csv");
    while (next_row(&r)) {
        cr_assert(*n < MAX_CURVES);
        table_curve *c = &curves[(*n)++];
        c->of = find_case(r.fields[0]), c->x = number(&r, 2);
        snprintf(c->where, sizeof c->where, "%s", r.fields[1]);
        for (size_t d = 0; d < 3; ++d) c->f[d] = number(&r, 3 + d);
    }
    return curves;
}

table_lsq *table_lsqs(void) {
    size_t n_all;
    table_cases(&n_all);
    table_lsq *all = calloc(n_all, sizeof *all);
    cr_assert(all != NULL);
    rows r = open_rows("lsq.csv");
    while (next_row(&r)) {
        table_lsq *q = &all[find_case(r.fields[0]) - cases];
        const size_t at = count(&r, 2);
        if (strcmp(r.fields[1], "data") == 0) {
            cr_assert(at == q->n && at < 200);
            q->x[at] = number(&r, 3), q->y[at] = number(&r, 4);
            ++q->n;
        } else
            q->coef[at] = number(&r, 4);
    }
    return all;
}

bool table_is_inside(const char *where) {
    return strncmp(where, "extended", 8) != 0 && strncmp(where, "outside", 7) != 0;
}
