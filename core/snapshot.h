/* core/snapshot.h - the state of something that runs, into a file and back.
 *
 * Whoever has a state has one function that names its fields, in the manner of
 *
 *     void kan_thing_snapshot(kan_thing *t, kan_snapshot *s) {
 *         kan_snapshot_size(s, "steps", &t->steps, t->most);
 *         kan_snapshot_reals(s, "theta", t->n, t->theta);
 *     }
 *
 * which writes them to the file, or reads them back into a thing that was made as the first one had been. Single
 * values are texts of the file's metadata, arrays are its tensors, names those within the scope of the file
 * (core/file.h). The first failure is kept in `status`, and every later call does nothing: one look at the end is
 * enough. After a failure to load, the thing is good for being freed.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_CORE_SNAPSHOT_H
#define KAN_CORE_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/file.h"
#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* A file with a direction: fields are saved to it or loaded from it. */
typedef struct kan_snapshot {
    kan_file *file; /* borrowed */
    bool loading;
    kan_status
        status; /* KAN_OK, KAN_ENOMEM, or KAN_EFORMAT: a field is missing, damaged or out of its range */
    kan_error *error; /* or NULL */
} kan_snapshot;

/* Names up to the matching leave are those of a part: "part/name". At most 8 parts deep. */
void kan_snapshot_enter(kan_snapshot *s, const char *part);
void kan_snapshot_leave(kan_snapshot *s);

/* One value. A size is at most `most` when it is read; a real may be NaN or infinite. */
void kan_snapshot_size(kan_snapshot *s, const char *name, size_t *value, size_t most);
void kan_snapshot_flag(kan_snapshot *s, const char *name, bool *value);
void kan_snapshot_real(kan_snapshot *s, const char *name, double *value);

/* A text in UTF-8, new when it is read: the caller frees it with free. *text is then not looked at before. */
void kan_snapshot_text(kan_snapshot *s, const char *name, char **text);

/* An array of n values; n is known to both sides. Bytes are those of memory, little-endian. */
void kan_snapshot_reals(kan_snapshot *s, const char *name, size_t n, double *values);
void kan_snapshot_bytes(kan_snapshot *s, const char *name, size_t n, void *bytes);

/* Says no in the place of a field that was read and cannot be: KAN_EFORMAT. */
void kan_snapshot_refuse(kan_snapshot *s, const char *name);

/* Takes over a failure that something else met on the way; its message is in s->error already. */
void kan_snapshot_fail(kan_snapshot *s, kan_status status);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
