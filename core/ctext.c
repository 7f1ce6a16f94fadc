/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/ctext.h"

#include <math.h>
#include <string.h>

void kan_ctext_real(FILE *stream, double value) {
    char text[40];
    if (isnan(value)) {
        fputs("NAN", stream);
        return;
    }
    if (isinf(value)) {
        fputs(value < 0 ? "(-INFINITY)" : "INFINITY", stream);
        return;
    }
    snprintf(text, sizeof text, "%.17g", value);
    const char *point = strpbrk(text, ".e") ? "" : ".0"; /* or it were an int */
    fprintf(stream, *text == '-' ? "(%s%s)" : "%s%s", text, point);
}

void kan_ctext_array(FILE *stream, const char *name, size_t n, const double *values) {
    enum { A_LINE = 4 };
    fprintf(stream, "static const double %s[%zu] = {", name, n);
    for (size_t j = 0; j < n; ++j) {
        fputs(j % A_LINE == 0 ? "\n    " : " ", stream);
        kan_ctext_real(stream, values[j]);
        if (j + 1 < n) fputc(',', stream);
    }
    fputs("};\n", stream);
}

void kan_ctext_string(FILE *stream, const char *text) {
    fputc('"', stream);
    for (const unsigned char *s = (const unsigned char *)text; *s; ++s) {
        /* octal: no letter that follows can belong to it, and no trigraph comes about */
        if (*s < ' ' || *s > '~' || strchr("\"\\?", *s))
            fprintf(stream, "\\%03o", *s);
        else
            fputc(*s, stream);
    }
    fputc('"', stream);
}
