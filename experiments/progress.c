/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "experiments/progress.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/clock.h"

enum { MAX_WIDTH = 255 };
static const double seconds_between = 0.1;

/* Columns that can be used; a full line would wrap. */
static size_t line_width(void) {
    struct winsize size;
    size_t columns = 80;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1) columns = size.ws_col;
    return (columns < MAX_WIDTH ? columns : MAX_WIDTH) - 1;
}

/* Cut to the width, but not inside a character of UTF-8. */
static void show(progress *p, char *line) {
    size_t end = line_width();
    if (strlen(line) > end) {
        while (end > 0 && ((unsigned char)line[end] & 0xc0) == 0x80) --end;
        line[end] = '\0';
    }
    fprintf(stderr, "\r\033[K%s", line);
    fflush(stderr);
    p->dirty = true;
}

void progress_start(progress *p, const char *what) {
    if (!p) return;
    *p = (progress){.shown = isatty(STDERR_FILENO) == 1, .started = kan_clock_wall()};
    snprintf(p->what, sizeof p->what, "%s", what);
    char line[MAX_WIDTH + 1];
    snprintf(line, sizeof line, "%s", p->what);
    if (p->shown) show(p, line);
}

void progress_step(progress *p, const kan_report *report, size_t steps) {
    if (!p || !p->shown) return;
    const double t = kan_clock_wall();
    if (t - p->last < seconds_between) return;
    p->last = t;
    char line[MAX_WIDTH + 1], total[32] = "", validation[48] = "";
    if (steps > 0) snprintf(total, sizeof total, "/%zu", steps);
    if (isfinite(report->validation))
        snprintf(validation, sizeof validation, "  validation %.4g", report->validation);
    snprintf(line, sizeof line, "%s  step %zu%s  loss %.4g%s  %.0f s", p->what, report->steps, total,
             report->loss, validation, t - p->started);
    show(p, line);
}

void progress_end(progress *p) {
    if (!p || !p->dirty) return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
    p->dirty = false;
}
