/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "experiments/html.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/xml.h"

/* Colours are variables, so that dark is one block; pictures that gnuplot made have black and grey to be
 * replaced. */
static const char *const style[] = {
    ":root{color-scheme:light "
    "dark;--paper:#ffffff;--ink:#1b1f24;--soft:#59636e;--line:#d5dae0;--tint:#f3f6f9;",
    "--mark:#e4effb;--accent:#1f5fa8}\n",
    "@media(prefers-color-scheme:dark){:root{--paper:#15181c;--ink:#e4e8ec;--soft:#9aa5b1;--line:#"
    "363d46;",
    "--tint:#1d2228;--mark:#1d3147;--accent:#7db4f0}\n",
    ".diagram svg{filter:invert(.91) hue-rotate(180deg)}}\n",
    "*{box-sizing:border-box}\n",
    "body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 "
    "system-ui,-apple-system,\"Segoe UI\",",
    "\"DejaVu Sans\",Helvetica,Arial,sans-serif;overflow-wrap:anywhere}\n",
    "main{max-width:80rem;margin:0 auto;padding:1.5rem 1rem 4rem}\n",
    "h1{font-size:1.6rem;line-height:1.25;margin:.2rem 0 1rem}\n",
    "h2{font-size:1.25rem;margin:2.4rem 0 .6rem;padding-top:.6rem;border-top:1px solid var(--line)}\n",
    "h3{font-size:1.02rem;margin:1.4rem 0 .4rem}\np{margin:.5rem 0}\na{color:var(--accent)}\n",
    ".verdict{font-size:1.12rem;background:var(--mark);border-left:4px solid var(--accent);",
    "padding:.8rem 1rem;margin:0 0 1rem}\n",
    ".note{color:var(--soft);font-size:.9rem}\n",
    ".scroll{overflow-x:auto;margin:.6rem 0}\n",
    "table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}\n",
    "th,td{padding:.28rem .5rem;border-bottom:1px solid "
    "var(--line);text-align:left;vertical-align:top;",
    "overflow-wrap:normal}\n",
    "th{color:var(--soft);font-weight:600;vertical-align:bottom}\n",
    "th.r,td.r{text-align:right;white-space:nowrap}th.l,td.l{white-space:nowrap}\ntr.best "
    "td{background:var(--mark)}\n",
    "th.wide,td.wide{min-width:20rem;white-space:normal;overflow-wrap:anywhere}\n",
    "pre,code{font:.88rem/1.45 ui-monospace,\"DejaVu Sans Mono\",Menlo,Consolas,monospace}\n",
    "pre{background:var(--tint);padding:.7rem .9rem;white-space:pre-wrap;margin:.5rem 0}\n",
    ".charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));gap:1rem "
    "1.5rem}\n",
    "figure{margin:.4rem 0;min-width:0}figcaption{font-size:.9rem;color:var(--soft)}\n",
    "figcaption b{color:var(--ink)}\n",
    ".chart svg{display:block;width:100%;height:auto;max-width:40rem}\n",
    ".wide{grid-column:1/-1}.wide .chart{overflow-x:auto}.wide .chart "
    "svg{min-width:48rem;max-width:none}\n",
    ".chart text{fill:var(--ink)}.chart [color=\"black\"]{color:var(--ink)}\n",
    ".chart [stroke=\"black\"]{stroke:var(--ink)}.chart [stroke=\"gray\"]{stroke:var(--line)}\n",
    ".diagram{overflow-x:auto}.diagram svg{display:block;height:auto;max-width:max(100%,80rem)}\n",
    "details{margin:.5rem 0}summary{cursor:pointer;color:var(--accent)}\n",
    "@media(max-width:34rem){main{padding:1rem .7rem 3rem}h1{font-size:1.3rem}th,td{padding:.25rem "
    ".45rem}}\n",
    "@media "
    "print{:root{color-scheme:light;--paper:#ffffff;--ink:#000000;--soft:#444444;--line:#bbbbbb;",
    "--tint:#f5f5f5;--mark:#eeeeee;--accent:#1f5fa8}main{max-width:none;padding:0}body{font-size:11pt}",
    ".scroll,.diagram{overflow:visible}table{font-size:7.5pt}.diagram svg{max-width:100%;filter:none}",
    ".charts{grid-template-columns:1fr 1fr}figure,tr{break-inside:avoid}h2,h3{break-after:avoid}",
    "details:not([open]){display:none}th,td{padding:.12rem "
    ".25rem}th.l,th.r,td.l{white-space:normal}",
    "td.wide{min-width:0}}\n"};

void html_begin(FILE *out, const char *title) {
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n",
          out);
    html_element(out, "title", NULL, "%s", title);
    fputs("<style>\n", out);
    for (size_t k = 0; k < sizeof style / sizeof *style; ++k) fputs(style[k], out);
    fputs("</style>\n</head>\n<body>\n<main>\n", out);
}

void html_end(FILE *out) {
    fputs("</main>\n</body>\n</html>\n", out);
}

/* Without memory the text is left out. */
static void write_formatted(FILE *out, const char *format, va_list values) {
    char *text = NULL;
    if (vasprintf(&text, format, values) < 0) return;
    kan_xml_text(out, text, SIZE_MAX);
    free(text);
}

static void open_tag(FILE *out, const char *tag, const char *class) {
    fprintf(out, class ? "<%s class=\"%s\">" : "<%s>", tag, class);
}

void html_element(FILE *out, const char *tag, const char *class, const char *format, ...) {
    va_list values;
    va_start(values, format);
    open_tag(out, tag, class);
    write_formatted(out, format, values);
    fprintf(out, "</%s>\n", tag);
    va_end(values);
}

void html_table(FILE *out, const table *t) {
    const size_t n_rows = t->n_columns > 0 ? t->n_cells / t->n_columns : 0;
    if (n_rows < 2 || t->failed) return;
    fputs("<div class=\"scroll\"><table>\n", out);
    for (size_t r = 0; r < n_rows; ++r) {
        char *const *cells = t->cells + r * t->n_columns;
        const bool best = r > 0 && cells[0][0] == '*';
        if (r == 0) fputs("<thead>", out);
        if (r == 1) fputs("<tbody>", out);
        open_tag(out, "tr", best ? "best" : NULL);
        for (size_t k = 0; k < t->n_columns; ++k) {
            const char *text = cells[k] + (best && k == 0);
            const bool wide = t->align[k] == 'l' && strlen(text) > 40;
            html_element(out, r == 0 ? "th" : "td",
                         t->align[k] == 'r' ? "r"
                         : wide             ? "l wide"
                                            : "l",
                         "%s", text);
        }
        fputs(r == 0 ? "</tr></thead>\n" : "</tr>\n", out);
    }
    fputs("</tbody></table></div>\n", out);
}

void html_details_begin(FILE *out, bool open, const char *format, ...) {
    va_list values;
    va_start(values, format);
    fputs(open ? "<details open=\"open\"><summary>" : "<details><summary>", out);
    write_formatted(out, format, values);
    fputs("</summary>\n", out);
    va_end(values);
}

void html_details_end(FILE *out) {
    fputs("</details>\n", out);
}
