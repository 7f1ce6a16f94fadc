/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kan/export.h"

#include <string.h>

#include "core/ctext.h"
#include "kan/net_private.h"

/* One layer: the same loops as in kan/layer.h, a sample at a time. */
static const char layer_text[] =
    "/* One layer of splines. knots [n_in][n_cells+1]; cells [n_in][n_cells][2+(k+1)^2]: middle, "
    "1/half width,\n"
    " * and P[p][r] with basis function c+r = sum_p P[p][r] v^p, v = (x - middle) / half width, in "
    "cell c; theta\n"
    " * [n_in][n_cells+k+1][n_out], the last row being the weights of the base function. */\n"
    "static void spline_layer(int n_in, int n_out, int k, int n_cells, const double *knots,\n"
    "                         const double *cells, const double *theta, const double *x, double *y)\n"
    "{\n"
    "    const int size = 2 + (k + 1) * (k + 1);\n"
    "    int i, o, p, r, lo, hi, mid;\n"
    "    for (o = 0; o < n_out; ++o) y[o] = 0.0;\n"
    "    for (i = 0; i < n_in; ++i) {\n"
    "        const double *t = knots + (long)i * (n_cells + 1);\n"
    "        const double *coef = theta + (long)i * (n_cells + k + 1) * n_out;\n"
    "        const double inside = x[i] < t[0] ? t[0] : x[i] > t[n_cells] ? t[n_cells] : x[i];\n"
    "        const double *cell;\n"
    "        double v, b = base(x[i]);\n"
    "        for (lo = 0, hi = n_cells; hi - lo > 1;) {\n"
    "            mid = (lo + hi) / 2;\n"
    "            if (inside >= t[mid]) lo = mid; else hi = mid;\n"
    "        }\n"
    "        cell = cells + ((long)i * n_cells + lo) * size;\n"
    "        v = (inside - cell[0]) * cell[1];\n"
    "        for (r = 0; r <= k; ++r) {\n"
    "            double value = 0.0, slope = 0.0;\n"
    "            for (p = k; p >= 0; --p) {\n"
    "                slope = slope * v + value;\n"
    "                value = value * v + cell[2 + p * (k + 1) + r];\n"
    "            }\n"
    "            value += slope * cell[1] * (x[i] - inside);\n"
    "            for (o = 0; o < n_out; ++o) y[o] += value * coef[(long)(lo + r) * n_out + o];\n"
    "        }\n"
    "        for (o = 0; b != 0.0 && o < n_out; ++o) y[o] += b * coef[(long)(n_cells + k) * n_out + "
    "o];\n"
    "    }\n"
    "}\n\n";

static const char *const base_texts[KAN_N_BASES] = {"x / (1.0 + exp(-x))", "x", "0.0 * x"};

static bool is_formula(const kan_net *net, size_t l) {
    return !memchr(net->edges[l], EDGE_SPLINE, net->layers[l].n_in * net->layers[l].n_out);
}

/* ---- functions ---------------------------------------------------------------------------------- */

static kan_status check_functions(const kan_net *net, kan_error *error) {
    for (size_t k = 0; k < net->n_symbolic; ++k)
        if (!net->symbolic[k].f->c)
            return kan_status_fail(error, KAN_ECONFIG, "export: the function %s has no form in C",
                                   net->symbolic[k].f->name);
    return KAN_OK;
}

/* Those that libm has and C99 has not. */
static void declare_functions(const kan_net *net, FILE *out) {
    static const char *const names[] = {"j0", "j1"};
    for (size_t j = 0; j < sizeof names / sizeof *names; ++j)
        for (size_t k = 0; k < net->n_symbolic; ++k)
            if (strstr(net->symbolic[k].f->c, names[j])) {
                fprintf(out, "double %s(double);\n", names[j]);
                break;
            }
}

/* y[o] += c f(a x[i] + b) + d */
static void write_function(FILE *out, kan_edge edge, const kan_symbolic *s) {
    fputs("    u = ", out);
    kan_ctext_real(out, s->a);
    fprintf(out, " * x%zu[%zu] + ", edge.layer, edge.in);
    kan_ctext_real(out, s->b);
    fprintf(out, ", y%zu[%zu] += ", edge.layer, edge.out);
    kan_ctext_real(out, s->c);
    fputs(" * ", out);
    for (const char *at = s->f->c; *at; ++at) fputc(*at == '%' ? 'u' : *at, out);
    fputs(" + ", out);
    kan_ctext_real(out, s->d);
    fputs(";\n", out);
}

/* ---- layers ------------------------------------------------------------------------------------- */

static void write_tables(const kan_net *net, size_t l, FILE *out) {
    const layer *a = &net->layers[l];
    char name[32];
    fprintf(out, "static const double knots%zu[%zu] = {", l, a->n_in * (a->n_cells + 1));
    for (size_t i = 0; i < a->n_in; ++i)
        for (size_t c = 0; c <= a->n_cells; ++c) {
            fputs(i + c == 0 ? "\n    " : c == 0 ? ",\n    " : ", ", out);
            kan_ctext_real(out, a->basis[i].knots[a->degree + c]);
        }
    fputs("};\n", out);
    snprintf(name, sizeof name, "cells%zu", l);
    kan_ctext_array(out, name, a->n_in * kan_basis_cells_size(a->degree, a->n_cells), a->cells);
    snprintf(name, sizeof name, "theta%zu", l);
    kan_ctext_array(out, name, a->n_in * layer_input_size(a), a->theta);
}

/* "x1[..] = products of y0[..]" */
static void write_nodes(const kan_net *net, size_t level, FILE *out) {
    const kan_net_config *c = &net->config;
    const bool last = level == net->n_layers;
    char to[16];
    snprintf(to, sizeof to, last ? "y" : "x%zu", level);
    fprintf(out, "    for (j = 0; j < %zu; ++j) %s[j] = y%zu[j];\n", c->width[level], to, level - 1);
    for (size_t m = 0; m < c->mult[level]; ++m) {
        fprintf(out, "    %s[%zu] = ", to, c->width[level] + m);
        for (size_t q = 0; q < c->arity[level]; ++q)
            fprintf(out, "%sy%zu[%zu]", q > 0 ? " * " : "", level - 1,
                    c->width[level] + m * c->arity[level] + q);
        fputs(";\n", out);
    }
}

static void write_layer(const kan_net *net, size_t l, FILE *out) {
    const layer *a = &net->layers[l];
    if (is_formula(net, l))
        fprintf(out, "    for (j = 0; j < %zu; ++j) y%zu[j] = 0.0;\n", a->n_out, l);
    else
        fprintf(out,
                "    spline_layer(%zu, %zu, %zu, %zu, knots%zu, cells%zu, theta%zu, x%zu, y%zu);\n",
                a->n_in, a->n_out, a->degree, a->n_cells, l, l, l, l, l);
    for (size_t k = net->before[l]; k < net->before[l + 1]; ++k) {
        kan_symbolic s;
        kan_net_get_symbolic(net, net->symbolic[k].edge, &s);
        write_function(out, net->symbolic[k].edge, &s);
    }
    write_nodes(net, l + 1, out);
}

kan_status kan_export_c(const kan_net *net, FILE *stream, kan_error *error) {
    const kan_status status = check_functions(net, error);
    if (status != KAN_OK) return status;
    bool splines = false;
    declare_functions(net, stream);
    for (size_t l = 0; l < net->n_layers; ++l) {
        if (is_formula(net, l)) continue;
        if (!splines)
            fprintf(stream, "static double base(double x)\n{\n    return %s;\n}\n\n%s",
                    base_texts[net->config.base], layer_text);
        splines = true;
        write_tables(net, l, stream);
    }
    fputs("\nstatic void net(const double *x, double *y)\n{\n    int j;\n", stream);
    if (net->n_symbolic > 0) fputs("    double u;\n", stream);
    for (size_t l = 0; l < net->n_layers; ++l) {
        if (l > 0) fprintf(stream, "    double x%zu[%zu];\n", l, net->layers[l].n_in);
        fprintf(stream, "    double y%zu[%zu];\n", l, net->layers[l].n_out);
    }
    fputs("    const double *x0 = x;\n", stream);
    for (size_t l = 0; l < net->n_layers; ++l) write_layer(net, l, stream);
    fputs("}\n\n", stream);
    return KAN_OK;
}
