/* experiments/bench_reading.c - how fast tables are read: a temporary file of random numbers, as text and as
 * .npy, beside the time that strtod takes for numbers of the same length.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/random.h"
#include "experiments/bench.h"
#include "experiments/bench_clock.h"
#include "experiments/command.h"
#include "experiments/report.h"
#include "train/dataset.h"

enum { COLUMNS = 10, NUMBER_SIZE = 32, N_TEXTS = 1024 };

typedef struct reading {
    size_t rows;
    char folder[96], csv[128], npy[128];
    char texts[N_TEXTS][NUMBER_SIZE]; /* for strtod */
    double sum;
    kan_status status; /* of the last call that failed */
    kan_error error;
} reading;

static void read_table(reading *r, const char *path) {
    kan_dataset *d = kan_dataset_read(path, NULL, &r->error);
    if (!d) r->status = r->error.status;
    kan_dataset_free(d);
}

static void read_csv(void *context) {
    reading *r = context;
    read_table(r, r->csv);
}

static void read_npy(void *context) {
    reading *r = context;
    read_table(r, r->npy);
}

static void convert(void *context) {
    reading *r = context;
    for (size_t j = 0; j < N_TEXTS; ++j) r->sum += strtod(r->texts[j], NULL);
}

/* The next number of a table: every digit that a double needs. */
static double draw(kan_random *random) {
    return 200.0 * kan_random_uniform(random) - 100.0;
}

static void write_csv(FILE *file, size_t rows) {
    kan_random random = kan_random_seed(5, 0);
    for (size_t j = 0; j < rows * COLUMNS; ++j)
        fprintf(file, "%.17g%c", draw(&random), j % COLUMNS + 1 < COLUMNS ? ',' : '\n');
}

/* Version 1.0 of the format: ten bytes, then a header that fills up to a multiple of 64. */
static void write_npy(FILE *file, size_t rows) {
    enum { HEADER = 118 };
    char header[HEADER + 1];
    const int length = snprintf(header, sizeof header,
                                "{'descr': '<f8', 'fortran_order': False, 'shape': (%zu, %d), }", rows,
                                (int)COLUMNS);
    memset(header + length, ' ', (size_t)(HEADER - length));
    header[HEADER - 1] = '\n';
    fwrite("\x93NUMPY\x01\x00\x76\x00", 1, 10, file);
    fwrite(header, 1, HEADER, file);
    kan_random random = kan_random_seed(5, 0);
    for (size_t j = 0; j < rows * COLUMNS; ++j) {
        const double value = draw(&random);
        fwrite(&value, sizeof value, 1, file);
    }
}

/* A file, written whole; 0 or errno. */
static int write_file(const char *path, size_t rows, void (*write)(FILE *, size_t)) {
    FILE *file = fopen(path, "wb");
    if (!file) return errno;
    write(file, rows);
    const int failed = ferror(file);
    if (fclose(file) != 0) return errno;
    return failed ? EIO : 0;
}

/* The folder of temporary files, and the tables in it. 0 or errno. */
static int make_files(reading *r) {
    const char *parent = getenv("TMPDIR");
    if (!parent || strlen(parent) > 64) parent = "/tmp";
    snprintf(r->folder, sizeof r->folder, "%s/kan-bench-XXXXXX", parent);
    if (!mkdtemp(r->folder)) {
        r->folder[0] = '\0';
        return errno;
    }
    snprintf(r->csv, sizeof r->csv, "%s/table.csv", r->folder);
    snprintf(r->npy, sizeof r->npy, "%s/table.npy", r->folder);
    const int cause = write_file(r->csv, r->rows, write_csv);
    return cause ? cause : write_file(r->npy, r->rows, write_npy);
}

static void remove_files(const reading *r) {
    if (r->folder[0] == '\0') return;
    (void)unlink(r->csv);
    (void)unlink(r->npy);
    (void)rmdir(r->folder);
}

static double file_size(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) return 0.0;
    const double size = fseek(file, 0, SEEK_END) == 0 ? (double)ftell(file) : 0.0;
    fclose(file);
    return size;
}

static int report(const bench *b, const reading *r, const char *format, const char *path, double us,
                  double strtod_ns) {
    const double bytes = file_size(path), ns = 1e3 * us / (double)(r->rows * COLUMNS);
    printf("%-6s %6.0f MB/s, %.1f ns a number; strtod takes %.1f ns\n", format, bytes / us, ns,
           strtod_ns);
    return bench_append(b, "reading",
                        json_pack("{s:s, s:I, s:I, s:I, s:f, s:f, s:f, s:f}", "format", format, "rows",
                                  (json_int_t)r->rows, "columns", (json_int_t)COLUMNS, "bytes",
                                  (json_int_t)bytes, "us", us, "mb_per_s", bytes / us, "ns_per_number",
                                  ns, "strtod_ns", strtod_ns));
}

static int measure(const bench *b, reading *r) {
    kan_random random = kan_random_seed(5, 0);
    for (size_t j = 0; j < N_TEXTS; ++j) snprintf(r->texts[j], NUMBER_SIZE, "%.17g", draw(&random));
    bench_case cases[] = {{.run = read_csv, .context = r},
                          {.run = read_npy, .context = r},
                          {.run = convert, .context = r}};
    const bench_effort effort = bench_effort_make(b->quick, false);
    const bool measured = bench_measure(&effort, 3, cases);
    if (r->status != KAN_OK) return complain(1, "%s", r->error.message);
    if (!measured) return 0;
    const double strtod_ns = 1e3 * cases[2].us / N_TEXTS;
    printf("\nTables of %zu rows and %d columns (in the page cache)\n", r->rows, (int)COLUMNS);
    const int status = report(b, r, "csv", r->csv, cases[0].us, strtod_ns);
    return status == 0 ? report(b, r, "npy", r->npy, cases[1].us, strtod_ns) : status;
}

int bench_reading(const bench *b) {
    reading *r = calloc(1, sizeof *r);
    if (!r) return complain(1, "out of memory");
    r->rows = b->quick ? 500 : 20000;
    const int cause = make_files(r);
    const int status = cause ? complain(1, "%s: cannot write a temporary table: %s",
                                        *r->folder ? r->folder : "temporary folder", strerror(cause))
                             : measure(b, r);
    remove_files(r);
    free(r);
    return status;
}
