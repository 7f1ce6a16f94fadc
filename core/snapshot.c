/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/snapshot.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void kan_snapshot_enter(kan_snapshot *s, const char *part) {
    kan_file_enter(s->file, part);
}

void kan_snapshot_leave(kan_snapshot *s) {
    kan_file_leave(s->file);
}

void kan_snapshot_fail(kan_snapshot *s, kan_status status) {
    if (s->status == KAN_OK) s->status = status;
}

void kan_snapshot_refuse(kan_snapshot *s, const char *name) {
    if (s->status != KAN_OK) return;
    s->status = kan_status_fail(s->error, KAN_EFORMAT, "snapshot: '%s' is missing or damaged", name);
}

/* The text of a value; NULL, refused, where it is missing. */
static const char *get(kan_snapshot *s, const char *name) {
    const char *text = kan_file_get(s->file, name);
    if (!text || *text == '\0') {
        kan_snapshot_refuse(s, name);
        return NULL;
    }
    return text;
}

static void set(kan_snapshot *s, const char *name, const char *text) {
    assert(!kan_file_get(s->file, name) && "a name for every field");
    s->status = kan_file_set(s->file, name, text, s->error);
}

void kan_snapshot_size(kan_snapshot *s, const char *name, size_t *value, size_t most) {
    char number[24];
    if (s->status != KAN_OK) return;
    if (!s->loading) {
        snprintf(number, sizeof number, "%zu", *value);
        set(s, name, number);
        return;
    }
    const char *text = get(s, name);
    if (!text) return;
    char *end;
    errno = 0;
    const unsigned long long n = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno == ERANGE || n > most)
        kan_snapshot_refuse(s, name);
    else
        *value = (size_t)n;
}

void kan_snapshot_flag(kan_snapshot *s, const char *name, bool *value) {
    size_t number = *value;
    kan_snapshot_size(s, name, &number, 1);
    *value = number != 0;
}

void kan_snapshot_real(kan_snapshot *s, const char *name, double *value) {
    char number[32];
    if (s->status != KAN_OK) return;
    if (!s->loading) {
        snprintf(number, sizeof number, "%.17g", *value);
        set(s, name, number);
        return;
    }
    const char *text = get(s, name);
    if (!text) return;
    char *end;
    const double x = strtod(text, &end);
    if (end == text || *end != '\0')
        kan_snapshot_refuse(s, name);
    else
        *value = x;
}

void kan_snapshot_text(kan_snapshot *s, const char *name, char **text) {
    if (s->loading) *text = NULL;
    if (s->status != KAN_OK) return;
    if (!s->loading) {
        set(s, name, *text);
        return;
    }
    const char *found = kan_file_get(s->file, name);
    if (!found)
        kan_snapshot_refuse(s, name);
    else if (!(*text = strdup(found)))
        s->status = kan_status_fail(s->error, KAN_ENOMEM, "snapshot: out of memory");
}

static void array(kan_snapshot *s, const char *name, kan_dtype dtype, size_t n, size_t bytes,
                  void *values) {
    if (s->status != KAN_OK) return;
    if (!s->loading) {
        s->status = kan_file_add(s->file, name, dtype, 1, &n, values, s->error);
        return;
    }
    const void *from = kan_file_find(s->file, name, dtype, 1, &n, s->error);
    if (!from)
        s->status = KAN_EFORMAT;
    else if (bytes > 0)
        memcpy(values, from, bytes);
}

void kan_snapshot_reals(kan_snapshot *s, const char *name, size_t n, double *values) {
    array(s, name, KAN_F64, n, n * sizeof *values, values);
}

void kan_snapshot_bytes(kan_snapshot *s, const char *name, size_t n, void *bytes) {
    array(s, name, KAN_U8, n, n, bytes);
}
