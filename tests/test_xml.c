/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/xml.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static void check(const char *text, size_t most, const char *expected) {
    char *written = NULL;
    size_t size;
    FILE *stream = open_memstream(&written, &size);
    kan_xml_text(stream, text, most);
    fclose(stream);
    cr_assert(zero(int, strcmp(written, expected)), "%s", written);
    free(written);
}

Test(xml, escapes_what_has_a_meaning) {
    check("a<b>\"c\" & d", SIZE_MAX, "a&#60;b&#62;&#34;c&#34; &#38; d");
    check("", SIZE_MAX, "");
}

Test(xml, what_xml_cannot_hold_is_a_question_mark) {
    check("a\x01\x7f\nb", SIZE_MAX, "a???b");
    check("\xff\xc3", SIZE_MAX, "??");                       /* no UTF-8, and a character cut off */
    check("\xed\xa0\x80|\xef\xbf\xbf", SIZE_MAX, "???|???"); /* a surrogate, and U+FFFF       */
    check("\xc0\xaf", SIZE_MAX, "??");                       /* overlong                          */
    check("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", SIZE_MAX, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
}

Test(xml, long_texts_are_cut_by_characters) {
    check("\xc3\xa4\xc3\xb6\xc3\xbc!", 3, "\xc3\xa4\xc3\xb6\xe2\x80\xa6");
    check("\xc3\xa4\xc3\xb6\xc3\xbc!", 4, "\xc3\xa4\xc3\xb6\xc3\xbc!");
    cr_assert(eq(sz, kan_xml_length("\xc3\xa4\xc3\xb6\xc3\xbc!"), 4));
}
