/* experiments/html.h - the pieces of a page that stands on its own: no script, no network, light and dark,
 * on paper and on narrow screens. What is written is well-formed XML as well; every text is escaped.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_EXPERIMENTS_HTML_H
#define KAN_EXPERIMENTS_HTML_H

#include <stddef.h>
#include <stdio.h>

#include "experiments/report.h"

/* A page from its first line to its last; what stands between is the caller's. */
void html_begin(FILE *out, const char *title);
void html_end(FILE *out);

/* <TAG class="CLASS">the formatted text</TAG>; class may be NULL. */
void html_element(FILE *out, const char *tag, const char *class, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* A table that scrolls where it is too wide: the first row is the heading, `align` as in report.h; a row
 * whose first cell begins with "*" is emphasised, without that mark. Nothing for a table of one row or
 * none. */
void html_table(FILE *out, const table *t);

/* What is only wanted by few: a summary to click at and, up to html_details_end, what it hides. */
void html_details_begin(FILE *out, bool open, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void html_details_end(FILE *out);

#endif
