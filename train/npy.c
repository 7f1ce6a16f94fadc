/* train/npy.c - NumPy's .npy files ("numpy.lib.format", NEP 1):
 *
 *     "\x93NUMPY"  major  minor  length of the header (2 bytes; 4 from version 2 on)  header  array
 *
 * The header is a Python dictionary, such as
 *     {'descr': '<f8', 'fortran_order': False, 'shape': (1030, 9), }
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/npy.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/work.h"
#include "train/input.h"
#include "train/table.h"

enum { MAX_DIMS = 32 }; /* NumPy's own limit before version 2 */

typedef struct npy_header {
    char descr[16];
    bool has_descr, has_order, columns_first;
    size_t n_dims, shape[MAX_DIMS];
    bool has_shape;
} npy_header;

/* ---- header -----------------------------------------------------------------------------------------
 */

static void skip_space(const char **p) {
    while (**p == ' ' || **p == '\n' || **p == '\t') ++*p;
}

/* Takes a text if it comes next. */
static bool take(const char **p, const char *text) {
    const size_t n = strlen(text);
    skip_space(p);
    if (strncmp(*p, text, n) != 0) return false;
    *p += n;
    return true;
}

/* A quoted text of at most 15 bytes. */
static bool take_quoted(const char **p, char text[16]) {
    skip_space(p);
    const char quote = **p;
    if (quote != '\'' && quote != '"') return false;
    const char *begin = *p + 1, *end = strchr(begin, quote);
    if (!end || end - begin > 15) return false;
    memcpy(text, begin, (size_t)(end - begin));
    text[end - begin] = '\0';
    *p = end + 1;
    return true;
}

static bool take_size(const char **p, size_t *value) {
    char digits[24];
    size_t n = 0;
    skip_space(p);
    while (**p >= '0' && **p <= '9' && n < sizeof digits - 1) digits[n++] = *(*p)++;
    digits[n] = '\0';
    (void)take(p, "L"); /* written by Python 2 */
    return kan_input_size(digits, value);
}

static bool take_shape(const char **p, npy_header *h) {
    if (!take(p, "(")) return false;
    while (!take(p, ")")) {
        if (h->n_dims == MAX_DIMS || !take_size(p, &h->shape[h->n_dims])) return false;
        ++h->n_dims;
        if (!take(p, ",")) return take(p, ")");
    }
    return true;
}

static bool parse_header(const char *text, npy_header *h) {
    const char *p = text;
    if (!take(&p, "{")) return false;
    while (!take(&p, "}")) {
        char key[16];
        if (!take_quoted(&p, key) || !take(&p, ":")) return false;
        if (strcmp(key, "descr") == 0 && !h->has_descr)
            h->has_descr = take_quoted(&p, h->descr);
        else if (strcmp(key, "fortran_order") == 0 && !h->has_order) {
            h->columns_first = take(&p, "True");
            h->has_order = h->columns_first || take(&p, "False");
        } else if (strcmp(key, "shape") == 0 && !h->has_shape)
            h->has_shape = take_shape(&p, h);
        else
            return false;
        if (!take(&p, ",")) {
            if (!take(&p, "}")) return false;
            break;
        }
    }
    skip_space(&p);
    return *p == '\0' && h->has_descr && h->has_order && h->has_shape;
}

/* The header's length behind magic and version; false with an error. */
static bool read_length(kan_input *in, const char *path, size_t *length, kan_error *error) {
    unsigned char *b = kan_input_block(in, 8, error);
    if (!b) return false;
    const bool magic = memcmp(b, "\x93NUMPY", 6) == 0;
    const unsigned major = b[6], minor = b[7];
    free(b);
    if (!magic || major < 1 || major > 3 || minor != 0) {
        if (magic)
            kan_status_fail(error, KAN_EFORMAT, "%s: .npy version %u.%u is unknown", path, major,
                            minor);
        else
            kan_status_fail(error, KAN_EFORMAT, "%s: not a .npy file", path);
        return false;
    }
    const size_t n_digits = major == 1 ? 2 : 4;
    if (!(b = kan_input_block(in, n_digits, error))) return false;
    *length = 0;
    for (size_t j = n_digits; j-- > 0;) *length = *length << 8 | b[j];
    free(b);
    return true;
}

static bool read_header(kan_input *in, const char *path, npy_header *h, kan_error *error) {
    size_t length;
    if (!read_length(in, path, &length, error)) return false;
    unsigned char *b = kan_input_block(in, length, error);
    if (!b) return false;
    char *text = malloc(length + 1);
    bool good = false;
    if (text) {
        memcpy(text, b, length);
        text[length] = '\0';
        good = parse_header(text, h);
        if (!good)
            kan_status_fail(error, KAN_EFORMAT, "%s: the header is not that of a plain array", path);
    } else
        kan_status_fail(error, KAN_ENOMEM, "%s: out of memory", path);
    free(text);
    free(b);
    return good;
}

/* ---- numbers ----------------------------------------------------------------------------------------
 */

/* What stands behind the byte order in descr. */
typedef struct number_type {
    char name[4];
    char kind; /* 'u' unsigned, 'i' signed, 'f' floating, 'b' truth */
    size_t size;
} number_type;

static const number_type types[] = {{"b1", 'b', 1}, {"u1", 'u', 1}, {"u2", 'u', 2}, {"u4", 'u', 4},
                                    {"u8", 'u', 8}, {"i1", 'i', 1}, {"i2", 'i', 2}, {"i4", 'i', 4},
                                    {"i8", 'i', 8}, {"f4", 'f', 4}, {"f8", 'f', 8}};

static const number_type *find_type(const char *descr) {
    for (size_t j = 0; j < sizeof types / sizeof *types; ++j)
        if (strcmp(descr + 1, types[j].name) == 0 &&
            (descr[0] == '<' || (descr[0] == '|' && types[j].size == 1)))
            return &types[j];
    return NULL;
}

/* The little-endian number at b. */
static double number_at(const number_type *type, const unsigned char *b) {
    assert(type->size >= 1 && type->size <= 8);
    uint64_t bits = 0;
    for (size_t j = type->size; j-- > 0;) bits = bits << 8 | b[j];
    if (type->kind == 'f' && type->size == 4) {
        const uint32_t half = (uint32_t)bits;
        float value;
        memcpy(&value, &half, sizeof value);
        return value;
    }
    if (type->kind == 'f') {
        double value;
        memcpy(&value, &bits, sizeof value);
        return value;
    }
    if (type->kind == 'b') return bits != 0;
    if (type->kind == 'u' || !(bits >> (8 * type->size - 1))) return (double)bits;
    /* two's complement: the magnitude of a negative number of that many bits */
    const uint64_t mask = UINT64_MAX >> (64 - 8 * type->size);
    return -(double)((~bits & mask) + 1);
}

/* ---- array ------------------------------------------------------------------------------------------
 */

static kan_status check_header(const npy_header *h, const char *path, const number_type **type,
                               kan_error *error) {
    *type = h->descr[0] ? find_type(h->descr) : NULL;
    if (!*type)
        return kan_status_fail(
            error, KAN_EFORMAT,
            "%s: numbers of type '%s', expected little-endian b1, u1 to u8, i1 to i8, "
            "f4 or f8",
            path, h->descr);
    if (h->n_dims != 2)
        return kan_status_fail(error, KAN_EFORMAT, "%s: the array has %zu dimensions, expected 2", path,
                               h->n_dims);
    if (h->shape[0] == 0 || h->shape[1] == 0)
        return kan_status_fail(error, KAN_EFORMAT, "%s: %zu rows of %zu columns: there are no rows",
                               path, h->shape[0], h->shape[1]);
    return KAN_OK;
}

/* Puts the numbers of array [n][m], or [m][n] where columns come first, into t. */
static kan_status add_rows(const npy_header *h, const number_type *type, const unsigned char *array,
                           kan_table *t, kan_table_cell *cells, kan_error *error) {
    const size_t n = h->shape[0], m = h->shape[1];
    for (size_t s = 0; s < n; ++s) {
        for (size_t c = 0; c < m; ++c) {
            const size_t position = h->columns_first ? c * n + s : s * m + c;
            const double value = number_at(type, array + position * type->size);
            cells[c] = (kan_table_cell){.text = NULL, .value = value, .number = true};
        }
        const kan_status status = kan_table_add(t, s, cells, error);
        if (status != KAN_OK) return status;
    }
    return KAN_OK;
}

static kan_dataset *read_array(kan_input *in, const char *path, const kan_read_options *options,
                               kan_error *error) {
    npy_header h = {0};
    const number_type *type;
    if (!read_header(in, path, &h, error) || check_header(&h, path, &type, error) != KAN_OK)
        return NULL;
    const size_t size = kan_work_product(kan_work_product(h.shape[0], h.shape[1]), type->size);
    unsigned char *array = kan_input_block(in, size, error);
    if (!array || kan_input_end(in, error) != KAN_OK) {
        free(array);
        return NULL;
    }
    kan_dataset *d = NULL;
    kan_table_cell *cells = calloc(h.shape[1], sizeof *cells);
    if (!cells) kan_status_fail(error, KAN_ENOMEM, "%s: out of memory", path);
    kan_table *t = cells ? kan_table_alloc(path, "row", options, h.shape[1], NULL, error) : NULL;
    if (t && add_rows(&h, type, array, t, cells, error) == KAN_OK) d = kan_table_finish(t, error);
    kan_table_free(t);
    free(cells);
    free(array);
    return d;
}

kan_dataset *kan_npy_read(const char *path, const kan_read_options *options, kan_error *error) {
    kan_input *in = kan_input_open(path, error);
    if (!in) return NULL;
    kan_dataset *d = read_array(in, path, options, error);
    kan_input_close(in);
    return d;
}
