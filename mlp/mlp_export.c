/* mlp/mlp_export.c - an MLP as a C program.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/ctext.h"
#include "mlp/mlp.h"

static const char *const texts[KAN_N_ACTIVATIONS] = {
    "z / (1.0 + exp(-z))", "tanh(z)", "z > 0.0 ? z : 0.0 * z",
    "z * 0.5 * erfc(-z * 0.70710678118654752440)", "1.0 / (1.0 + exp(-z))"};

static const char layer_text[] =
    "/* z = x W + b with W [n_in][n_out], and behind it b [n_out]. */\n"
    "static void linear(int n_in, int n_out, const double *w, const double *x, double *z)\n"
    "{\n"
    "    int i, o;\n"
    "    for (o = 0; o < n_out; ++o) z[o] = w[(long)n_in * n_out + o];\n"
    "    for (i = 0; i < n_in; ++i)\n"
    "        for (o = 0; o < n_out; ++o) z[o] += x[i] * w[(long)i * n_out + o];\n"
    "}\n\n";

void kan_mlp_export_c(kan_mlp *mlp, FILE *stream) {
    const size_t *width = kan_mlp_get_config(mlp)->width;
    const double *theta = kan_mlp_model(mlp)->theta;
    size_t n_layers = 0;
    fprintf(stream, "static double activation(double z)\n{\n    return %s;\n}\n\n%s",
            texts[kan_mlp_get_config(mlp)->activation], layer_text);
    for (; width[n_layers + 1] > 0; ++n_layers) {
        const size_t n = (width[n_layers] + 1) * width[n_layers + 1];
        char name[32];
        snprintf(name, sizeof name, "w%zu", n_layers);
        kan_ctext_array(stream, name, n, theta);
        theta += n;
    }
    fputs("\nstatic void net(const double *x, double *y)\n{\n", stream);
    if (n_layers > 1) fputs("    int j;\n", stream);
    for (size_t l = 1; l < n_layers; ++l) fprintf(stream, "    double h%zu[%zu];\n", l, width[l]);
    fputs("    const double *h0 = x;\n", stream);
    for (size_t l = 0; l < n_layers; ++l) {
        const bool last = l + 1 == n_layers;
        char to[32] = "y";
        if (!last) snprintf(to, sizeof to, "h%zu", l + 1);
        fprintf(stream, "    linear(%zu, %zu, w%zu, h%zu, %s);\n", width[l], width[l + 1], l, l, to);
        if (!last)
            fprintf(stream, "    for (j = 0; j < %zu; ++j) %s[j] = activation(%s[j]);\n", width[l + 1],
                    to, to);
    }
    fputs("}\n\n", stream);
}
