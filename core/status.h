/* core/status.h - how a function says that the world got in its way.
 *
 * Three tiers, and no fourth:
 *   a caller's mistake (wrong length, NULL)      an assertion; documented as a precondition
 *   the world's fault (no memory, a bad file)    a kan_status, with a message in a kan_error
 *   an outcome (converged, stalled)              a field of a report, never a status
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_CORE_STATUS_H
#define KAN_CORE_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* How a call ended. */
typedef enum kan_status {
    KAN_OK = 0,
    KAN_ENOMEM,    /* an allocation failed                                   */
    KAN_EIO,       /* a file could not be opened, read or written            */
    KAN_EFORMAT,   /* a file or an expression is not what it should be       */
    KAN_ECONFIG,   /* a configuration that came from outside makes no sense  */
    KAN_ESINGULAR, /* a least-squares system has no unique solution          */
    KAN_ENONFINITE /* a loss, a parameter or a datum is NaN, infinite or far
                      beyond what it began with                               */
} kan_status;

/* What went wrong, in one line that names the file, line, column or value. The caller owns the
 * struct; functions that take a `kan_error *` accept NULL and write only when they fail. */
typedef struct kan_error {
    kan_status status;
    char message[504];
} kan_error;

/* A few words for a status; static storage. */
const char *kan_status_string(kan_status status);

/* Writes status and the formatted message (printf rules; cut at the end of the buffer) into error
 * unless that is NULL. Returns status, so that a function can fail in one line:
 *     return kan_status_fail(error, KAN_EIO, "%s: %s", path, strerror(errno)); */
kan_status kan_status_fail(kan_error *error, kan_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
