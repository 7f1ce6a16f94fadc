/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "experiments/command.h"

#include <stdarg.h>
#include <stdio.h>

volatile sig_atomic_t interrupted;

/* Names of files and columns may hold line ends and worse: they become question marks. */
static void say(const char *kind, const char *format, va_list arguments) {
    char message[1024];
    vsnprintf(message, sizeof message, format, arguments);
    for (char *c = message; *c; ++c)
        if ((unsigned char)*c < ' ' || *c == 127) *c = '?';
    fflush(stdout);
    fprintf(stderr, "kan: %s%s\n", kind, message);
}

#undef complain /* of command.h */
int complain(int exit_status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    say("", format, arguments);
    va_end(arguments);
    return exit_status;
}

void warn(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    say("warning: ", format, arguments);
    va_end(arguments);
}
