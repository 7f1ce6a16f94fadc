/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zlib.h>

#include "core/work.h"
#include "experiments/model_file.h"
#include "tests/support/alloc.h"

/* One model of each kind, made by version 1 of the format and program 0.1.0: kan train fn:hello --kan 2,2,1 --grid 2
 * --degree 2, and fn:moons --mlp 2,3,2. */
static const char *const fixtures[] = {KAN_FIXTURES "/kan_v1.safetensors",
                                       KAN_FIXTURES "/mlp_v1.safetensors"};
enum { KAN = 0, MLP, N_FIXTURES, ROWS = 2, N_IN = 2 };

/* Predictions of raw rows, scaled, by the model, and back. */
static void predict(const model_file *m, double *y) {
    double x[ROWS * N_IN] = {0.25, -0.5, -0.9, 0.75}, targets[ROWS * 32] = {0.0};
    kan_dataset rows = {.task = m->schema->task, .n = ROWS, .n_in = N_IN, .n_out = m->schema->n_out};
    rows.x = x, rows.y = targets;
    double *work = kan_work_alloc(kan_model_work_size(m->model, ROWS));
    kan_scaler_apply(m->scaler, &rows);
    kan_model_forward(m->model, ROWS, x, y, work);
    if (m->schema->task == KAN_REGRESSION) kan_scaler_undo(m->scaler, ROWS, y);
    kan_work_free(work);
}

Test(model_file, models_of_version_1_say_what_they_said) {
    static const double told[] = {2.0674881714001896, 1.8583739511599997};
    static const double p1[] = {0.9253282116306274, 0.0022908431818765298};
    double y[4];
    model_file m;
    kan_error error;
    cr_assert(eq(int, model_file_read(fixtures[KAN], &m, &error), KAN_OK), "%s", error.message);
    predict(&m, y);
    for (size_t s = 0; s < ROWS; ++s) cr_assert(epsilon_eq(dbl, y[s], told[s], 1e-12));
    cr_assert(strcmp(m.schema->input_names[1], "y") == 0);
    cr_assert(m.training && json_object_get(m.training, "run"));
    const kan_penalty *p = kan_net_get_penalty(m.net); /* that of a new net: files of then have none */
    cr_assert(p->roughness == 1.0 && p->l1 == 0.0 && p->entropy == 0.0 && p->coef == 0.0);
    model_file_free(&m);
    cr_assert(eq(int, model_file_read(fixtures[MLP], &m, &error), KAN_OK), "%s", error.message);
    predict(&m, y);
    for (size_t s = 0; s < ROWS; ++s)
        cr_assert(epsilon_eq(dbl, 1.0 / (1.0 + exp(y[2 * s] - y[2 * s + 1])), p1[s], 1e-12));
    model_file_free(&m);
}

/* The rule of docs/guide.md: texts and tensors of later programs are no reason to refuse a file. */
Test(model_file, what_a_reader_does_not_know_is_ignored) {
    char path[64];
    double values[6] = {1.0};
    kan_error error;
    model_file m;
    const size_t shape[] = {2, 3};
    snprintf(path, sizeof path, "/tmp/kan_later_%d", (int)getpid());
    kan_file *file = kan_file_read(fixtures[KAN], &error);
    cr_assert(kan_file_set(file, "kan.of_tomorrow", "a text", &error) == KAN_OK);
    cr_assert(kan_file_add(file, "layer0.of_tomorrow", KAN_F64, 2, shape, values, &error) == KAN_OK);
    cr_assert(kan_file_write(file, path, &error) == KAN_OK);
    kan_file_free(file);
    cr_assert(eq(int, model_file_read(path, &m, &error), KAN_OK), "%s", error.message);
    predict(&m, values);
    cr_assert(epsilon_eq(dbl, values[0], 2.0674881714001896, 1e-12));
    model_file_free(&m);
    unlink(path);
}

/* ---- damage ------------------------------------------------------------------------------------- */

typedef struct image {
    size_t size;
    unsigned char *bytes;
    char path[64];
} image;

static image load_image(const char *path) {
    image a = {.size = 0};
    FILE *in = fopen(path, "rb");
    cr_assert(in != NULL);
    a.bytes = malloc(1 << 16);
    a.size = fread(a.bytes, 1, 1 << 16, in);
    fclose(in);
    snprintf(a.path, sizeof a.path, "%s/kan_damaged_%d",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (int)getpid());
    return a;
}

static void write_image(const image *a, size_t size) {
    FILE *out = fopen(a->path, "wb");
    cr_assert(out && fwrite(a->bytes, 1, size, out) == size && fclose(out) == 0);
}

static void free_image(image *a) {
    unlink(a->path);
    free(a->bytes);
}

static const char digits_key[] = "\"crc32\":\"";

static unsigned char *digits_of(const image *a) {
    unsigned char *at = memmem(a->bytes, a->size, digits_key, sizeof digits_key - 1);
    return at ? at + sizeof digits_key - 1 : NULL;
}

/* Puts the right checksum into the damaged file, so that the damage is seen by what comes behind it. */
static void mend_checksum(image *a) {
    char digits[9];
    unsigned char *at = digits_of(a);
    if (!at) return;
    memset(at, '0', 8);
    snprintf(digits, sizeof digits, "%08lx", (unsigned long)crc32_z(0, a->bytes, a->size));
    memcpy(at, digits, 8);
}

/* Reads the file; where that works, the model can be used. True if it was refused, with a message. */
static bool refused(const image *a) {
    model_file m;
    kan_error error = {KAN_OK, ""};
    double y[64];
    const kan_status status = model_file_read(a->path, &m, &error);
    if (status != KAN_OK) {
        cr_assert(status == KAN_EFORMAT || status == KAN_EIO);
        cr_assert(strstr(error.message, a->path) && !m.model && !m.file);
        return true;
    }
    if (m.model->n_in == N_IN && m.model->n_out <= 32) predict(&m, y);
    model_file_free(&m);
    return false;
}

Test(model_file, is_refused_when_cut_anywhere) {
    for (size_t f = 0; f < N_FIXTURES; ++f) {
        image a = load_image(fixtures[f]);
        for (size_t size = 0; size < a.size; ++size) {
            write_image(&a, size);
            cr_assert(refused(&a), "%s cut to %zu bytes", fixtures[f], size);
        }
        write_image(&a, a.size);
        cr_assert(refused(&a) == false);
        free_image(&a);
    }
}

static const unsigned char patterns[] = {0x01, 0x80, 0xff};
enum { N_PATTERNS = sizeof patterns };

Test(model_file, is_refused_when_any_byte_is_another) {
    for (size_t f = 0; f < N_FIXTURES; ++f) {
        image a = load_image(fixtures[f]);
        for (size_t at = 0; at < a.size; ++at)
            for (size_t p = 0; p < N_PATTERNS; ++p) {
                a.bytes[at] ^= patterns[p];
                write_image(&a, a.size);
                cr_assert(refused(&a), "%s: byte %zu ^ %02x", fixtures[f], at, patterns[p]);
                a.bytes[at] ^= patterns[p];
            }
        free_image(&a);
    }
}

/* With the checksum made right the readers of header, config, schema and tensors see the damage. */
Test(model_file, is_refused_or_can_be_used_behind_a_right_checksum) {
    size_t n_refused = 0, n = 0;
    for (size_t f = 0; f < N_FIXTURES; ++f) {
        image a = load_image(fixtures[f]), whole = load_image(fixtures[f]);
        for (size_t at = 0; at < a.size; ++at)
            for (size_t p = 0; p < N_PATTERNS; ++p) {
                a.bytes[at] ^= patterns[p];
                mend_checksum(&a);
                write_image(&a, a.size);
                n_refused += refused(&a), ++n;
                memcpy(a.bytes, whole.bytes, a.size);
            }
        free_image(&a);
        free_image(&whole);
    }
    cr_assert(n_refused > n / 3 && n_refused < n, "%zu of %zu", n_refused, n);
}

/* ---- memory ------------------------------------------------------------------------------------- */

static kan_status read_and_write(void *context) {
    const image *a = context;
    model_file m;
    kan_error error = {KAN_OK, ""};
    kan_status status = model_file_read(fixtures[KAN], &m, &error);
    if (status != KAN_OK) return status;
    json_t *record = json_object();
    status = record ? model_file_write(a->path, m.model, m.scaler, m.schema, "kan", record, &error)
                    : KAN_ENOMEM;
    json_decref(record);
    model_file_free(&m);
    return status;
}

Test(model_file, says_that_memory_is_short) {
    image a = load_image(fixtures[KAN]);
    cr_assert(alloc_fail_every(read_and_write, &a) > 20);
    cr_assert(refused(&a) == false);
    free_image(&a);
}
