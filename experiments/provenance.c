/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "experiments/provenance.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <gsl/gsl_version.h>

#include "core/isa.h"
#include "experiments/report.h"

/* OpenBLAS has it, another BLAS has not. */
char *openblas_get_config(void) __attribute__((weak));

/* ---- the command ---------------------------------------------------------------------------------- */

/* What no shell reads as anything else. */
static bool is_plain(const char *text) {
    const char *t = text;
    while (isalnum((unsigned char)*t) || (*t && strchr("-_./:,=+%@", *t))) ++t;
    return *text && !*t;
}

static void write_word(FILE *out, const char *text) {
    if (is_plain(text)) {
        fputs(text, out);
        return;
    }
    fputc('\'', out);
    for (; *text; ++text)
        if (*text == '\'')
            fputs("'\\''", out);
        else
            fputc(*text, out);
    fputc('\'', out);
}

char *provenance_command(int argc, char **argv) {
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out) return NULL;
    fputs("kan", out);
    for (int k = 0; k < argc; ++k) {
        fputc(' ', out);
        write_word(out, argv[k]);
    }
    if (fclose(out) == 0) return text;
    free(text);
    return NULL;
}

/* ---- the data ------------------------------------------------------------------------------------- */

static void add_row(json_t *list, const char *what, const char *text) {
    json_t *row = json_array();
    json_array_append_new(row, report_text(what));
    json_array_append_new(row, report_text(text));
    json_array_append_new(list, row);
}

void provenance_add_file(json_t *list, const char *path) {
    char digits[KAN_SHA256_SIZE], *copy = strdup(path), *rest = copy;
    for (char *one; copy && (one = strsep(&rest, ":")) != NULL;) {
        /* a name may have a colon of its own */
        const bool whole = access(path, F_OK) == 0;
        const kan_status status = kan_sha256_file(whole ? path : one, digits, NULL);
        add_row(list, whole ? path : one, status == KAN_OK ? digits : "cannot be read");
        if (whole) break;
    }
    free(copy);
}

static void add_values(kan_sha256 *sum, const kan_dataset *d) {
    if (d->x) kan_sha256_add(sum, d->x, d->n * d->n_in * sizeof *d->x);
    if (d->bytes) kan_sha256_add(sum, d->bytes, d->n * d->n_in);
    kan_sha256_add(sum, d->y, d->n * kan_dataset_y_width(d) * sizeof *d->y);
}

void provenance_rows(const source *s, char digits[KAN_SHA256_SIZE]) {
    kan_sha256 sum = kan_sha256_begin();
    add_values(&sum, s->train);
    add_values(&sum, s->test);
    kan_sha256_end(&sum, digits);
}

static json_t *list_data(const source *s, const options *o) {
    json_t *list = json_array();
    if (!list || !s) return list;
    if (s->is_generator) {
        char digits[KAN_SHA256_SIZE];
        provenance_rows(s, digits);
        add_row(list, "generated rows: to train on, to test", digits);
        return list;
    }
    provenance_add_file(list, s->name);
    if (o->test) provenance_add_file(list, o->test);
    if (o->test_rows) provenance_add_file(list, o->test_rows);
    return list;
}

/* ---- the machine ----------------------------------------------------------------------------------- */

void provenance_cpu(char *text, size_t size) {
    char line[256];
    *text = '\0';
    FILE *file = fopen("/proc/cpuinfo", "r");
    if (!file) return;
    while (*text == '\0' && fgets(line, sizeof line, file)) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon) continue;
        const char *name = colon + 1 + strspn(colon + 1, " \t");
        snprintf(text, size, "%.*s", (int)strcspn(name, "\n"), name);
    }
    (void)fclose(file);
}

static json_t *list_machine(void) {
    struct utsname system = {.sysname = ""};
    char cpu[128], text[512];
    json_t *list = json_array();
    provenance_cpu(cpu, sizeof cpu);
    snprintf(text, sizeof text, "%s, %ld online", *cpu ? cpu : "unknown",
             sysconf(_SC_NPROCESSORS_ONLN));
    add_row(list, "processors", text);
    add_row(list, "instruction set of the kernels", kan_isa_name(kan_isa_get()));
    if (uname(&system) == 0) {
        snprintf(text, sizeof text, "%.60s %.60s %.60s", system.sysname, system.release,
                 system.machine);
        add_row(list, "system", text);
    }
    add_row(list, "compiler", __VERSION__);
    add_row(list, "GSL", gsl_version);
    add_row(list, "BLAS", openblas_get_config ? openblas_get_config() : "unknown");
    return list;
}

json_t *provenance_make(const char *command, const source *s, const options *o) {
    return json_pack("{s:o, s:s, s:o, s:o}", "command", report_text(command), "version", KAN_VERSION,
                     "machine", list_machine(), "data", list_data(s, o));
}
