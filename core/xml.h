/* core/xml.h - texts of unknown bytes within SVG and HTML.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_CORE_XML_H
#define KAN_CORE_XML_H

#include <stddef.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Characters of a text in UTF-8. */
size_t kan_xml_length(const char *text);

/* Writes a text that may hold any bytes, between tags or as the value of an attribute in double quotes: < >
 * & " are escaped, and what XML cannot hold (control characters, what is no UTF-8) becomes "?". Of a text
 * of more than `most` characters the first ones, and an ellipsis. */
void kan_xml_text(FILE *stream, const char *text, size_t most);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
