/* tests/fuzz/fuzz.c - libFuzzer targets for all that reads: compiled once for each, FUZZ_TARGET being its name; or once for
 * all, for replay.c, which says by `fuzz_target` which one it wants.
 *
 *     cmake --preset fuzz && cmake --build --preset fuzz
 *     build/fuzz/tests/fuzz/fuzz_csv -max_total_time=60 CORPUS
 *
 * Readers take names of files, so each input becomes a file in memory. What is read is freed again: leaks count.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gsl/gsl_errno.h>
#include <zlib.h>

#include "core/work.h"
#include "experiments/model_file.h"
#include "symbolic/expression.h"
#include "tests/fuzz/fuzz.h"
#include "train/dataset.h"

#ifndef FUZZ_TARGET
int fuzz_target;
#define FUZZ_TARGET fuzz_target
#endif

/* The file of this process with that ending, which is left to be written anew. */
static const char *path_of(const char *ending) {
    static char path[64];
    snprintf(path, sizeof path, "/dev/shm/kan_fuzz_%d%s", (int)getpid(), ending);
    return path;
}

static void remove_files(void) {
    static const char *const endings[] = {".csv",    ".npy", ".csv.gz", ".images",
                                          ".labels", ".kan", ".rows"};
    for (size_t k = 0; k < sizeof endings / sizeof *endings; ++k) (void)unlink(path_of(endings[k]));
}

/* The bytes in a file of this process with that ending; its name. */
static const char *file_of(const uint8_t *data, size_t size, const char *ending) {
    static int registered;
    if (!registered++) (void)atexit(remove_files);
    const char *path = path_of(ending);
    FILE *out = fopen(path, "wb");
    if (!out || fwrite(data, 1, size, out) != size || fclose(out) != 0) abort();
    return path;
}

static void read_table(const char *path, size_t size) {
    kan_error error;
    kan_dataset *d = kan_dataset_read(path, &(kan_read_options){.task = size % 3}, &error);
    if (!d && error.status == KAN_OK) abort();
    kan_dataset_free(d);
}

/* Images are the first bytes, as many as the first two say, labels the others. */
static void read_idx(const uint8_t *data, size_t size) {
    char both[160];
    if (size < 2) return;
    size_t n = data[0] + 256U * data[1];
    if (n > size - 2) n = size - 2;
    snprintf(both, sizeof both, "%s", file_of(data + 2, n, ".images"));
    const size_t used = strlen(both);
    snprintf(both + used, sizeof both - used, ":%s", file_of(data + 2 + n, size - 2 - n, ".labels"));
    read_table(both, 0);
}

/* The checksum is made right, or nothing behind it would ever be read. */
static void read_model(const uint8_t *data, size_t size) {
    static const char key[] = "\"crc32\":\"";
    uint8_t *copy = malloc(size + 1);
    memcpy(copy, data, size);
    uint8_t *at = memmem(copy, size, key, sizeof key - 1);
    if (at && (size_t)(at - copy) + sizeof key + 8 < size) {
        char digits[9];
        at += sizeof key - 1;
        memset(at, '0', 8);
        snprintf(digits, sizeof digits, "%08lx", (unsigned long)crc32_z(0, copy, size));
        memcpy(at, digits, 8);
    }
    model_file m;
    kan_error error;
    if (model_file_read(file_of(copy, size, ".kan"), &m, &error) == KAN_OK) {
        double *x = kan_work_alloc(m.model->n_in), *y = kan_work_alloc(m.model->n_out),
               *work = kan_work_alloc(kan_model_work_size(m.model, 1));
        if (x && y && work) kan_model_forward(m.model, 1, x, y, work);
        kan_work_free(work);
        kan_work_free(y);
        kan_work_free(x);
        model_file_free(&m);
    }
    free(copy);
}

static void parse(const uint8_t *data, size_t size) {
    char *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = '\0';
    kan_error error;
    kan_expression *e = kan_expression_parse(text, &error);
    if (!e && error.status == KAN_OK) abort();
    kan_expression_free(e);
    free(text);
}

static void read_rows(const uint8_t *data, size_t size) {
    kan_error error;
    size_t n = 0;
    free(kan_dataset_read_rows(file_of(data, size, ".rows"), 1000, &n, &error));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    gsl_set_error_handler_off();
    switch (FUZZ_TARGET) {
    case csv: read_table(file_of(data, size, ".csv"), size); break;
    case npy: read_table(file_of(data, size, ".npy"), size); break;
    case gz: read_table(file_of(data, size, ".csv.gz"), size); break;
    case idx: read_idx(data, size); break;
    case model: read_model(data, size); break;
    case expression: parse(data, size); break;
    case rows: read_rows(data, size); break;
    }
    return 0;
}
