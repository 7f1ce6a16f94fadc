/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/xml.h"

#include <stdbool.h>
#include <string.h>

size_t kan_xml_length(const char *text) {
    size_t n = 0;
    for (; *text; ++text) n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

/* The length of a UTF-8 character that SVG can hold; 0 for anything else. */
static size_t character(const unsigned char *s) {
    size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : 0;
    if (n == 0 && s[0] >= 0xf0 && s[0] < 0xf5) n = 4;
    if (n == 1) return s[0] >= ' ' && s[0] != 127;
    for (size_t j = 1; j < n; ++j)
        if ((s[j] & 0xc0) != 0x80) return 0;
    const bool surrogate = s[0] == 0xed && s[1] >= 0xa0, overlong = s[0] == 0xe0 && s[1] < 0xa0;
    const bool beyond = (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] >= 0x90);
    const bool none = s[0] == 0xef && s[1] == 0xbf && s[2] >= 0xbe;
    return n > 1 && (surrogate || overlong || beyond || none) ? 0 : n;
}

void kan_xml_text(FILE *stream, const char *text, size_t most) {
    const unsigned char *s = (const unsigned char *)text;
    const bool cut = kan_xml_length(text) > most;
    for (size_t count = cut ? 1 : 0; *s && count < most; ++count) {
        const size_t n = character(s);
        if (n == 0)
            fputc('?', stream);
        else if (strchr("<>&\"", *s))
            fprintf(stream, "&#%d;", *s);
        else
            fwrite(s, 1, n, stream);
        s += n ? n : 1;
    }
    if (cut) fputs("\xe2\x80\xa6", stream);
}
