/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/status.h"

#include <stdarg.h>
#include <stdio.h>

const char *kan_status_string(kan_status status) {
    switch (status) {
    case KAN_OK: return "success";
    case KAN_ENOMEM: return "out of memory";
    case KAN_EIO: return "input or output failed";
    case KAN_EFORMAT: return "wrong format";
    case KAN_ECONFIG: return "impossible configuration";
    case KAN_ESINGULAR: return "singular system";
    case KAN_ENONFINITE: return "a number is not finite";
    }
    return "unknown status";
}

#undef kan_status_fail /* of cmake/analysis.h */
kan_status kan_status_fail(kan_error *error, kan_status status, const char *format, ...) {
    if (error) {
        va_list arguments;
        va_start(arguments, format);
        error->status = status;
        vsnprintf(error->message, sizeof error->message, format, arguments);
        va_end(arguments);
    }
    return status;
}
