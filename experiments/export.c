/* experiments/export.c - `kan export`: a saved model as a C program.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>

#include "core/ctext.h"
#include "experiments/command.h"
#include "experiments/model_file.h"
#include "experiments/options.h"
#include "experiments/output.h"
#include "kan/export.h"

static const options_command description = {
    .name = "kan export",
    .args_doc = "MODEL",
    .min_arguments = 1,
    .max_arguments = 1,
    .doc =
        "Write a saved model as a C99 file that needs libm only."
        "\vThe file has the function model(x, y): raw columns in, raw units out, or for classes their "
        "probabilities. With -DMODEL_MAIN it is a program that reads rows of numbers and writes "
        "those of model. It goes to standard output or to the file of -o.",
    .takes = OPTIONS_OUTPUT | OPTIONS_EXPORT,
};

static void write_names(FILE *out, const char *what, size_t n, char *const *names) {
    fprintf(out, "const char *const model_%s[%zu] = {", what, n);
    for (size_t j = 0; j < n; ++j) {
        fputs(j > 0 ? ",\n    " : "\n    ", out);
        kan_ctext_string(out, names ? names[j] : "");
    }
    fputs("};\n", out);
}

static void write_head(FILE *out, const model_file *m) {
    const kan_dataset *d = m->schema;
    const bool classes = d->task == KAN_CLASSIFICATION;
    fprintf(out,
            "/* Written by kan export " KAN_VERSION ". C99, to be linked with libm.\n *\n"
            " *     void model(const double x[%zu], double y[%zu]);   %s\n"
            " *\n * With -DMODEL_MAIN it is a program: rows of %zu numbers in, %zu out. */\n"
            "#include <math.h>\n#include <stdio.h>\n\n"
            "enum { MODEL_N_IN = %zu, MODEL_N_OUT = %zu };\n",
            d->n_in, d->n_out, classes ? "y: the probability of each class" : "y: the target", d->n_in,
            d->n_out, d->n_in, d->n_out);
    if (m->scaler->n_in == 0) fputs("/* x is what an image has, byte / 255 */\n", out);
    write_names(out, "inputs", d->n_in, d->input_names);
    write_names(out, "outputs", d->n_out, classes ? d->class_names : d->target_names);
    fputs("void model(const double *x, double *y);\n\n", out);
}

/* The scaler before and behind the net (train/scaler.h), softmax for classes. */
static void write_model(FILE *out, const model_file *m) {
    const kan_scaler *s = m->scaler;
    if (s->n_in > 0) kan_ctext_array(out, "x_mean", s->n_in, s->x_mean);
    if (s->n_in > 0) kan_ctext_array(out, "x_scale", s->n_in, s->x_scale);
    if (s->n_y > 0) kan_ctext_array(out, "y_mean", s->n_y, s->y_mean);
    if (s->n_y > 0) kan_ctext_array(out, "y_scale", s->n_y, s->y_scale);
    fprintf(out,
            "\nvoid model(const double *x, double *y)\n{\n"
            "    double z[MODEL_N_IN];\n    int j;\n"
            "    for (j = 0; j < MODEL_N_IN; ++j) z[j] = %s;\n",
            s->n_in > 0 ? "(x[j] - x_mean[j]) / x_scale[j]" : "x[j]");
    if (s->x_tail > 0.0) {
        fputs("    for (j = 0; j < MODEL_N_IN; ++j) {\n        const double tail = ", out);
        kan_ctext_real(out, s->x_tail);
        fputs(", beyond = fabs(z[j]) - tail;\n"
              "        if (beyond > 0.0) z[j] = copysign(tail + log1p(beyond), z[j]);\n    }\n",
              out);
    }
    fputs("    net(z, y);\n", out);
    if (m->schema->task == KAN_CLASSIFICATION)
        fputs("    {\n        double most = y[0], sum = 0.0;\n"
              "        for (j = 1; j < MODEL_N_OUT; ++j)\n            if (y[j] > most) most = y[j];\n"
              "        for (j = 0; j < MODEL_N_OUT; ++j) sum += exp(y[j] - most);\n"
              "        for (j = 0; j < MODEL_N_OUT; ++j) y[j] = exp(y[j] - most) / sum;\n    }\n",
              out);
    else
        fputs("    for (j = 0; j < MODEL_N_OUT; ++j) y[j] = y_mean[j] + y_scale[j] * y[j];\n", out);
    fputs("}\n\n", out);
}

static const char main_text[] =
    "#ifdef MODEL_MAIN\n"
    "int main(void)\n{\n"
    "    static double x[MODEL_N_IN], y[MODEL_N_OUT];\n    int j;\n"
    "    for (;;) {\n"
    "        for (j = 0; j < MODEL_N_IN; ++j)\n"
    "            if (scanf(\"%lf%*[, \\t]\", &x[j]) != 1) return 0;\n"
    "        model(x, y);\n"
    "        for (j = 0; j < MODEL_N_OUT; ++j) printf(\"%s%.17g\", j ? \",\" : \"\", y[j]);\n"
    "        putchar('\\n');\n"
    "    }\n}\n#endif\n";

static int write_all(const options *o, const model_file *m) {
    kan_error error;
    output out;
    kan_status written = KAN_OK;
    int status = output_open(&out, o->output);
    if (status != 0) return status;
    write_head(out.stream, m);
    if (m->net)
        written = kan_export_c(m->net, out.stream, &error);
    else
        kan_mlp_export_c(m->mlp, out.stream);
    write_model(out.stream, m);
    fputs(main_text, out.stream);
    status = output_close(&out, written == KAN_OK);
    return written == KAN_OK ? status : complain(1, "%s", error.message);
}

int command_export(int argc, char **argv) {
    kan_error error;
    options o;
    model_file m = {.file = NULL};
    int status = options_parse(&description, argc, argv, &o);
    if (status == 0 && !o.c)
        status = complain(EXIT_USAGE, "--c is missing: there is no other form yet");
    if (status == 0) status = output_check(o.output);
    if (status == 0 && model_file_read(o.arguments[0], &m, &error) != KAN_OK)
        status = complain(1, "%s", error.message);
    if (status == 0) status = write_all(&o, &m);
    model_file_free(&m);
    return status;
}
