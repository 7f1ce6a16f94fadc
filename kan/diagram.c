/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kan/diagram.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/xml.h"
#include "kan/net_private.h"

enum {
    CURVE_POINTS = 49, /* of a curve in its box                       */
    MAX_LINES = 600,   /* edges of a layer that are drawn at all      */
    MAX_NAMES = 60,    /* names of a row, above which there are none  */
    MAX_NAME = 18,     /* characters of a name, where there is no room for more */
    MOST_NAME = 60     /* and where there is                                     */
};
static const double margin = 28.0, letter = 6.4, faintest = 0.1;
static const double weak = 0.3; /* a layer whose strongest score is less is drawn as if it were that */
static const char ink[] = "#222222", blue[] = "#1f5fa8", red[] = "#c0392b";

/* An edge that is drawn, with a box if it is among the strongest. */
typedef struct line {
    kan_edge edge;
    double score, x; /* middle of the box */
    bool has_box;
} line;

typedef struct picture {
    const kan_net *net;
    const kan_attribution *a;
    kan_diagram_options o;
    FILE *out;
    line *lines[KAN_MAX_LEVELS - 1]; /* [n_lines], in the order of (in, out) */
    size_t n_lines[KAN_MAX_LEVELS - 1], n_boxes[KAN_MAX_LEVELS - 1], n_edges[KAN_MAX_LEVELS - 1];
    double left, right, width, height, box;
    double gain[KAN_MAX_LEVELS - 1]; /* of weak layers: what scores are multiplied by */
    double y_node[KAN_MAX_LEVELS], y_sub[KAN_MAX_LEVELS], y_box[KAN_MAX_LEVELS - 1];
    double below, above; /* room for the names of inputs, of outputs */
    bool slanted_below, slanted_above;
    size_t longest_below, longest_above; /* characters of these names that are shown */
    size_t n_notes;
} picture;

/* ---- which edges -------------------------------------------------------------------------------- */

static int by_strength(const void *p, const void *q) {
    const line *a = p, *b = q;
    if (a->score != b->score) return a->score > b->score ? -1 : 1;
    if (a->edge.in != b->edge.in) return a->edge.in < b->edge.in ? -1 : 1;
    return (a->edge.out > b->edge.out) - (a->edge.out < b->edge.out);
}

static int by_place(const void *p, const void *q) {
    const line *a = p, *b = q;
    if (a->edge.in != b->edge.in) return a->edge.in < b->edge.in ? -1 : 1;
    return (a->edge.out > b->edge.out) - (a->edge.out < b->edge.out);
}

static bool choose_lines(picture *p, size_t l) {
    const layer *a = &p->net->layers[l];
    line *lines = p->lines[l] = malloc(a->n_in * a->n_out * sizeof *lines);
    size_t n = 0;
    if (!lines) return false;
    for (size_t e = 0; e < a->n_in * a->n_out; ++e) {
        const kan_edge edge = {l, e / a->n_out, e % a->n_out};
        if (kan_net_has_edge(p->net, edge))
            lines[n++] = (line){.edge = edge, .score = p->a->edges[l][e]};
    }
    qsort(lines, n, sizeof *lines, by_strength);
    p->n_edges[l] = n;
    p->n_lines[l] = n < MAX_LINES ? n : MAX_LINES;
    p->n_boxes[l] = n < p->o.max_boxes ? n : p->o.max_boxes;
    for (size_t j = 0; j < p->n_boxes[l]; ++j) lines[j].has_box = true;
    const double most = n > 0 ? lines[0].score : 0.0;
    p->gain[l] = most > 0.0 && most < weak ? weak / most : 1.0;
    for (size_t j = 0; j < n; ++j) lines[j].score *= p->gain[l];
    qsort(lines, p->n_lines[l], sizeof *lines, by_place);
    return true;
}

/* ---- where everything is ------------------------------------------------------------------------- */

static double x_sub(const picture *p, size_t level, size_t o) {
    return p->left + ((double)o + 0.5) * p->width / (double)net_n_sub(&p->net->config, level);
}

/* A node stands in the middle of its factors. */
static double x_node(const picture *p, size_t level, size_t j) {
    const kan_net_config *c = &p->net->config;
    if (level == 0) return p->left + ((double)j + 0.5) * p->width / (double)c->width[0];
    if (j < c->width[level]) return x_sub(p, level, j);
    const size_t first = c->width[level] + (j - c->width[level]) * c->arity[level];
    return (x_sub(p, level, first) + x_sub(p, level, first + c->arity[level] - 1)) / 2.0;
}

/* Room for a row of names, whether they must be slanted to fit, and then their reach to the side; *shown: characters of a
 * name. */
static double room_for_names(const picture *p, char *const *names, size_t n, size_t *shown,
                             bool *slanted, double *reach) {
    size_t longest = 3;
    const double column = p->width / (double)n;
    for (size_t j = 0; names && j < n; ++j)
        if (kan_xml_length(names[j]) > longest) longest = kan_xml_length(names[j]);
    *shown = (size_t)fmin(fmax(MAX_NAME, (column - 4.0) / letter), MOST_NAME);
    if (longest > *shown) longest = *shown;
    const double width = (double)longest * letter;
    *slanted = width > column - 4.0;
    if (n > MAX_NAMES) return 14.0;
    if (*slanted) *reach = fmax(*reach, 0.85 * width - 0.5 * column + 8.0);
    return *slanted ? 22.0 + 0.6 * width : 26.0;
}

static void place(picture *p) {
    const kan_net_config *c = &p->net->config;
    const size_t n_layers = p->net->n_layers;
    size_t most = 1;
    p->width = 380.0;
    for (size_t l = 0; l < n_layers; ++l)
        if (p->n_boxes[l] > most) most = p->n_boxes[l];
    p->box = fmax(34.0, fmin(60.0, 1300.0 / (double)most - 8.0));
    p->width = fmax(p->width, (double)most * (p->box + 8.0));
    for (size_t level = 0; level <= n_layers; ++level)
        p->width = fmax(p->width, fmin(1600.0, 30.0 * (double)net_n_sub(c, level)));
    const double gap = fmax(42.0, fmin(110.0, 0.08 * p->width));
    p->left = p->right = margin;
    p->above = room_for_names(p, p->o.output_names, p->net->model.n_out, &p->longest_above,
                              &p->slanted_above, &p->right);
    p->below = room_for_names(p, p->o.input_names, p->net->model.n_in, &p->longest_below,
                              &p->slanted_below, &p->left);
    double y = margin + (p->o.title ? 22.0 : 0.0) + p->above;
    for (size_t level = n_layers; level > 0; --level) {
        p->y_node[level] = y;
        if (c->mult[level] > 0) y += 34.0;
        p->y_sub[level] = y;
        p->y_box[level - 1] = y + gap;
        y += 2.0 * gap + p->box;
    }
    p->y_node[0] = y;
    p->height = y + p->below + 34.0;
}

/* Boxes stand in one row, and so do the passages of lines without one. */
static void place_boxes(picture *p, size_t l) {
    size_t n = 0;
    for (size_t j = 0; j < p->n_lines[l]; ++j) {
        line *at = &p->lines[l][j];
        at->x = p->left + ((double)n + 0.5) * p->width / (double)p->n_boxes[l];
        n += at->has_box;
    }
}

/* ---- text ---------------------------------------------------------------------------------------- */

/* "x3" where there are no names. A name that is cut stands in full in the title, which viewers show at the pointer. */
static void write_name(const picture *p, char *const *names, char letter_of, size_t most, size_t j) {
    if (!names) {
        fprintf(p->out, "%c%zu", letter_of, j);
        return;
    }
    if (kan_xml_length(names[j]) > most) {
        fputs("<title>", p->out);
        kan_xml_text(p->out, names[j], SIZE_MAX);
        fputs("</title>", p->out);
    }
    kan_xml_text(p->out, names[j], most);
}

static void write_names(const picture *p, bool inputs) {
    const size_t n = inputs ? p->net->model.n_in : p->net->model.n_out;
    const size_t level = inputs ? 0 : p->net->n_layers;
    const bool slanted = inputs ? p->slanted_below : p->slanted_above;
    for (size_t j = 0; n <= MAX_NAMES && j < n; ++j) {
        const double x = x_node(p, level, j), y = p->y_node[level] + (inputs ? 20.0 : -13.0);
        if (slanted)
            fprintf(p->out, "<text transform=\"translate(%.1f %.1f) rotate(-35)\" text-anchor=\"%s\">",
                    x + (inputs ? 4.0 : 0.0), y, inputs ? "end" : "start");
        else
            fprintf(p->out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">", x, y);
        write_name(p, inputs ? p->o.input_names : p->o.output_names, inputs ? 'x' : 'y',
                   inputs ? p->longest_below : p->longest_above, j);
        fputs("</text>\n", p->out);
    }
}

/* ---- lines and boxes ------------------------------------------------------------------------------ */

static double opacity(const picture *p, double score) {
    return fmax(faintest, tanh(p->o.beta * score));
}

/* The name of the function that an edge is; NULL for a spline. */
static const char *function_name(const kan_net *net, kan_edge edge) {
    kan_symbolic s;
    return kan_net_get_symbolic(net, edge, &s) ? s.f->name : NULL;
}

static const char *colour_of(const picture *p, kan_edge edge) {
    return function_name(p->net, edge) ? red : ink;
}

static void draw_line(const picture *p, const line *at) {
    const kan_edge e = at->edge;
    const double x0 = x_node(p, e.layer, e.in), y0 = p->y_node[e.layer];
    const double x1 = x_sub(p, e.layer + 1, e.out), y1 = p->y_sub[e.layer + 1];
    const double top = p->y_box[e.layer], bottom = top + p->box;
    fprintf(p->out, "<path d=\"M%.1f %.1f", x0, y0);
    if (at->has_box) fprintf(p->out, "L%.1f %.1fM%.1f %.1f", at->x, bottom, at->x, top);
    fprintf(p->out, "L%.1f %.1f\" stroke=\"%s\" stroke-width=\"%s\" opacity=\"%.2f\"/>\n", x1, y1,
            colour_of(p, e), at->has_box ? "1.4" : "0.7",
            at->has_box ? opacity(p, at->score) : 0.6 * opacity(p, at->score));
}

/* The curve of an edge within its box, over the grid of its input. */
static void draw_curve(const picture *p, const line *at) {
    const kan_basis b = kan_net_basis(p->net, at->edge.layer, at->edge.in);
    const double lo = b.knots[b.degree], hi = b.knots[b.degree + b.n_cells];
    const double inner = p->box - 8.0, left = at->x - inner / 2.0, top = p->y_box[at->edge.layer] + 4.0;
    double t[CURVE_POINTS], phi[CURVE_POINTS], least = INFINITY, most = -INFINITY;
    for (size_t j = 0; j < CURVE_POINTS; ++j)
        t[j] = lo + (hi - lo) * (double)j / (double)(CURVE_POINTS - 1);
    kan_net_edge_curve(p->net, at->edge, CURVE_POINTS, t, phi);
    for (size_t j = 0; j < CURVE_POINTS; ++j)
        if (isfinite(phi[j])) least = fmin(least, phi[j]), most = fmax(most, phi[j]);
    const double middle = least / 2.0 + most / 2.0, half = most / 2.0 - least / 2.0;
    bool pen = false; /* a curve has gaps where it is not finite */
    fputs("<path d=\"", p->out);
    for (size_t j = 0; j < CURVE_POINTS; ++j) {
        const double v = half > 1e-12 * fabs(middle) ? (phi[j] - middle) / half : 0.0;
        if (isfinite(phi[j]))
            fprintf(p->out, "%c%.1f %.1f", pen ? 'L' : 'M',
                    left + inner * (double)j / (double)(CURVE_POINTS - 1),
                    top + inner * (1.0 - v) / 2.0);
        pen = isfinite(phi[j]);
    }
    fprintf(p->out, "\" stroke=\"%s\" stroke-width=\"1.6\" stroke-linejoin=\"round\"/>\n",
            function_name(p->net, at->edge) ? red : blue);
}

static void draw_box(const picture *p, const line *at) {
    const double y = p->y_box[at->edge.layer];
    const char *name = function_name(p->net, at->edge);
    fprintf(p->out,
            "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"3\" fill=\"#ffffff\"/>\n"
            "<g opacity=\"%.2f\">"
            "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"3\" stroke=\"%s\"/>\n",
            at->x - p->box / 2.0, y, p->box, p->box, opacity(p, at->score), at->x - p->box / 2.0, y,
            p->box, p->box, colour_of(p, at->edge));
    draw_curve(p, at);
    fputs("</g>\n", p->out);
    if (!name) return;
    fprintf(p->out,
            "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\" class=\"f\" stroke=\"#ffffff\" "
            "stroke-width=\"3\" paint-order=\"stroke\">",
            at->x, y + p->box + 11.0);
    kan_xml_text(p->out, name, MAX_NAME);
    fputs("</text>\n", p->out);
}

/* ---- nodes ---------------------------------------------------------------------------------------- */

static void draw_factors(const picture *p, size_t level, size_t j, double x) {
    const kan_net_config *c = &p->net->config;
    const size_t first = c->width[level] + (j - c->width[level]) * c->arity[level];
    for (size_t o = first; o < first + c->arity[level]; ++o)
        fprintf(p->out,
                "<path d=\"M%.1f %.1fL%.1f %.1f\" stroke=\"%s\" stroke-width=\"1.2\"/>"
                "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>\n",
                x_sub(p, level, o), p->y_sub[level], x, p->y_node[level], ink, x_sub(p, level, o),
                p->y_sub[level], ink);
    fprintf(p->out,
            "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"8\" fill=\"#ffffff\" stroke=\"%s\" "
            "stroke-width=\"1.4\"/><path d=\"M%.1f %.1fl7 7m0 -7l-7 7\" stroke=\"%s\" "
            "stroke-width=\"1.6\"/>\n",
            x, p->y_node[level], ink, x - 3.5, p->y_node[level] - 3.5, ink);
}

static void draw_nodes(const picture *p, size_t level) {
    const kan_net_config *c = &p->net->config;
    const size_t n = net_n_nodes(c, level);
    const double radius = n > 100 ? 2.0 : 4.5;
    for (size_t j = 0; j < n; ++j) {
        const double x = x_node(p, level, j);
        if (j >= c->width[level]) {
            draw_factors(p, level, j, x);
            continue;
        }
        /* in a row with products, a sum is carried up to them */
        if (level > 0 && p->y_sub[level] != p->y_node[level])
            fprintf(p->out, "<path d=\"M%.1f %.1fL%.1f %.1f\" stroke=\"%s\" stroke-width=\"1.2\"/>\n",
                    x, p->y_sub[level], x, p->y_node[level], ink);
        fprintf(p->out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" fill=\"%s\"/>\n", x,
                p->y_node[level], radius, ink);
    }
}

/* ---- the picture ---------------------------------------------------------------------------------- */

static void write_note(picture *p, const char *text) {
    fprintf(p->out, "<text x=\"%.1f\" y=\"%.1f\" class=\"n\">", margin,
            p->height - 12.0 + 15.0 * (double)p->n_notes++);
    kan_xml_text(p->out, text, 400);
    fputs("</text>\n", p->out);
}

/* What the picture leaves out or changes, line after line; their number. */
static size_t write_notes(picture *p, bool write) {
    char text[160];
    size_t n = p->o.note != NULL;
    if (p->o.note && write) write_note(p, p->o.note);
    for (size_t l = 0; l < p->net->n_layers; ++l) {
        const bool some = p->n_boxes[l] < p->n_edges[l], hidden = p->n_lines[l] < p->n_edges[l];
        size_t used = (size_t)snprintf(text, sizeof text, "layer %zu: ", l);
        if (!some && p->gain[l] == 1.0) continue;
        if (some)
            used += (size_t)snprintf(text + used, sizeof text - used,
                                     "boxes for the %zu strongest of %zu edges, %s%s", p->n_boxes[l],
                                     p->n_edges[l],
                                     hidden ? "the weakest left out" : "thin lines for the others",
                                     p->gain[l] == 1.0 ? "" : "; ");
        if (p->gain[l] != 1.0)
            snprintf(text + used, sizeof text - used, "scores times %.3g", p->gain[l]);
        if (write) write_note(p, text);
        ++n;
    }
    if (p->net->model.n_in <= MAX_NAMES && p->net->model.n_out <= MAX_NAMES) return n;
    if (write) write_note(p, "names are left out where there are more than 60");
    return n + 1;
}

static void write_head(picture *p) {
    const double width = p->left + p->width + p->right,
                 height = p->height + 15.0 * (double)write_notes(p, false);
    fprintf(p->out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
            "viewBox=\"0 0 %.0f %.0f\" font-family=\"DejaVu Sans, Helvetica, Arial, sans-serif\" "
            "font-size=\"12\" fill=\"none\">\n"
            "<style>text{fill:%s}text.f{fill:%s;font-size:11px}text.n{fill:#666666;font-size:11px}"
            "</style>\n<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n",
            width, height, width, height, ink, red);
    if (!p->o.title) return;
    fprintf(p->out, "<text x=\"%.1f\" y=\"%.1f\" font-size=\"15\">", margin, margin);
    kan_xml_text(p->out, p->o.title, 100);
    fputs("</text>\n", p->out);
}

static void draw(picture *p) {
    const size_t n_layers = p->net->n_layers;
    write_head(p);
    for (size_t l = 0; l < n_layers; ++l) {
        place_boxes(p, l);
        for (size_t j = 0; j < p->n_lines[l]; ++j) draw_line(p, &p->lines[l][j]);
    }
    for (size_t l = 0; l < n_layers; ++l)
        for (size_t j = 0; j < p->n_lines[l]; ++j)
            if (p->lines[l][j].has_box) draw_box(p, &p->lines[l][j]);
    for (size_t level = 0; level <= n_layers; ++level) draw_nodes(p, level);
    write_names(p, true);
    write_names(p, false);
    write_notes(p, true);
    fputs("</svg>\n", p->out);
}

kan_status kan_diagram_write(const kan_net *net, const kan_attribution *a,
                             const kan_diagram_options *options, FILE *stream, kan_error *error) {
    picture p = {.net = net, .a = a, .out = stream};
    bool good = true;
    if (options) p.o = *options;
    if (p.o.beta == 0.0) p.o.beta = 3.0;
    if (p.o.max_boxes == 0) p.o.max_boxes = 36;
    for (size_t l = 0; l < net->n_layers && good; ++l) good = choose_lines(&p, l);
    if (good) place(&p), draw(&p);
    for (size_t l = 0; l < net->n_layers; ++l) free(p.lines[l]);
    return good ? KAN_OK : kan_status_fail(error, KAN_ENOMEM, "diagram: out of memory");
}
