/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "experiments/source.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/random.h"
#include "experiments/command.h"
#include "experiments/generator.h"

static const double default_fraction = 0.2;

/* Streams 0 and up of the seed of the data belong to the generator and to the protocol. */
enum { SPLIT_STREAM = 100 };

static int fail(const kan_error *error) {
    return complain(error->status == KAN_ECONFIG ? EXIT_USAGE : 1, "%s", error->message);
}

static int fail_memory(const char *name) {
    return complain(1, "%s: out of memory", name);
}

/* ---- generators --------------------------------------------------------------------------------- */

bool source_is_generator(const char *name) {
    return strncmp(name, "fn:", 3) == 0;
}

/* Options that only make sense for the other kind of data. */
static int check_options(const char *name, const options *o) {
    if (source_is_generator(name)) {
        const char *given = o->test                  ? "test"
                            : o->test_rows           ? "test-rows"
                            : o->test_fraction > 0.0 ? "test-fraction"
                            : o->target              ? "target"
                            : o->weight              ? "weight"
                            : o->task                ? "task"
                                                     : NULL;
        if (given) return complain(EXIT_USAGE, "--%s is for files, and %s is generated", given, name);
        return 0;
    }
    const char *given = o->rows         ? "rows"
                        : o->test_count ? "test-count"
                        : o->n_ranges   ? "range"
                        : o->has_noise  ? "noise"
                                        : NULL;
    if (given)
        return complain(EXIT_USAGE, "--%s is for generators (fn:..), and %s is a file", given, name);
    return 0;
}

int source_generate(const char *name, const options *o, kan_dataset **train, kan_dataset **test) {
    generator_range ranges[OPTIONS_MAX_RANGES];
    for (size_t r = 0; r < o->n_ranges; ++r) {
        const options_range *range = &o->ranges[r];
        ranges[r] = (generator_range){*range->name ? range->name : NULL, range->lo, range->hi};
    }
    const generator_options g = {.n_train = o->rows,
                                 .n_test = o->test_count,
                                 .ranges = ranges,
                                 .n_ranges = o->n_ranges,
                                 .noise = o->has_noise ? &o->noise : NULL,
                                 .seed = o->data_seed};
    kan_error error;
    *train = *test = NULL;
    const int status = check_options(name, o);
    if (status != 0) return status;
    if (generator_make(name + strlen("fn:"), &g, train, test, &error) == KAN_OK) return 0;
    return complain(error.status == KAN_ECONFIG ? EXIT_USAGE : 1, "%s: %s", name, error.message);
}

/* ---- files -------------------------------------------------------------------------------------- */

/* Rows of `all` that are not in test [n_test], which is sorted: train [all->n - n_test]. */
static void take_others(const kan_dataset *all, size_t n_test, const size_t *test, size_t *train) {
    size_t t = 0;
    for (size_t row = 0; row < all->n; ++row)
        if (t < n_test && test[t] == row)
            ++t;
        else
            *train++ = row;
}

/* Rows of both parts, the training rows first, and how many of them are test rows. NULL and error. */
static size_t *choose_rows(const kan_dataset *all, const char *name, const options *o, size_t *n_test,
                           kan_error *error) {
    size_t *rows = malloc((all->n + 1) * sizeof *rows), *listed = NULL;
    kan_status status = KAN_OK;
    if (!rows) {
        kan_status_fail(error, KAN_ENOMEM, "%s: out of memory", name);
        return NULL;
    }
    if (o->test_rows) {
        listed = kan_dataset_read_rows(o->test_rows, all->n, n_test, error);
        if (!listed) status = error->status;
    } else {
        const double fraction = o->test_fraction > 0.0 ? o->test_fraction : default_fraction;
        *n_test = (size_t)(fraction * (double)all->n + 0.5);
        if (*n_test == 0) *n_test = 1;
    }
    if (status == KAN_OK && all->n < *n_test + SOURCE_MIN_ROWS)
        status = kan_status_fail(
            error, KAN_EFORMAT,
            "%s: too few rows: %zu, of which %zu are test rows; %d more are needed "
            "to train on",
            name, all->n, *n_test, SOURCE_MIN_ROWS);
    if (status == KAN_OK && listed) {
        take_others(all, *n_test, listed, rows);
        memcpy(rows + (all->n - *n_test), listed, *n_test * sizeof *rows);
    } else if (status == KAN_OK) {
        kan_random random = kan_random_seed(o->data_seed, SPLIT_STREAM);
        status = kan_dataset_split(all, *n_test, &random, rows, error);
    }
    free(listed);
    if (status == KAN_OK) return rows;
    free(rows);
    return NULL;
}

static int cut(const kan_dataset *all, const options *o, source *s) {
    kan_error error;
    size_t n_test = 0;
    size_t *rows = choose_rows(all, s->name, o, &n_test, &error);
    if (!rows) return fail(&error);
    const size_t n_train = all->n - n_test;
    s->train = kan_dataset_select(all, n_train, rows);
    s->test = kan_dataset_select(all, n_test, rows + n_train);
    free(rows);
    return s->train && s->test ? 0 : fail_memory(s->name);
}

static int read_files(const options *o, source *s) {
    kan_error error;
    kan_read_options how = {.target = o->target, .weight = o->weight, .task = o->task};
    kan_dataset *all = kan_dataset_read(s->name, &how, &error);
    if (!all) return fail(&error);
    if (!o->test) {
        const int status = cut(all, o, s);
        kan_dataset_free(all);
        return status;
    }
    s->train = all;
    how.like = all;
    s->test = kan_dataset_read(o->test, &how, &error);
    return s->test ? 0 : fail(&error);
}

/* ---- what training rows must and should be ------------------------------------------------------- */

/* A list of names for one line: those that fit, and how many there are. */
typedef struct list {
    char text[320];
    size_t used, n, left_out;
} list;

static void list_add(list *l, const char *name, size_t number) {
    char unnamed[32];
    if (!name) snprintf(unnamed, sizeof unnamed, "%zu", number), name = unnamed;
    const size_t length = strlen(name) + (l->n > 0 ? 2 : 0);
    ++l->n;
    if (l->left_out > 0 || l->used + length >= sizeof l->text) {
        ++l->left_out;
        return;
    }
    l->used += (size_t)snprintf(l->text + l->used, sizeof l->text - l->used, "%s%s",
                                l->n > 1 ? ", " : "", name);
}

static void list_warn(const list *l, const char *name, const char *one, const char *many) {
    if (l->n == 0) return;
    if (l->left_out > 0)
        warn("%s: %zu %s: %s and %zu more", name, l->n, many, l->text, l->left_out);
    else
        warn("%s: %s: %s", name, l->n == 1 ? one : many, l->text);
}

static bool is_constant(const double *column, size_t n, size_t stride) {
    for (size_t s = 1; s < n; ++s)
        if (column[s * stride] != column[0]) return false;
    return true;
}

static bool is_constant_bytes(const uint8_t *column, size_t n, size_t stride) {
    for (size_t s = 1; s < n; ++s)
        if (column[s * stride] != column[0]) return false;
    return true;
}

/* Squares and differences of larger numbers than this one cannot be taken, in whatever unit. */
static const double most = DBL_MAX / 8.0;

/* Column of v [n][width] that has a number too large to be standardised; width where there is none. */
static size_t find_too_large(size_t n, size_t width, const double *v, double *value) {
    for (size_t j = 0; v && j < n * width; ++j) {
        if (fabs(v[j]) <= most) continue;
        *value = v[j];
        return j % width;
    }
    return width;
}

static int check_sizes(const source *s, const kan_dataset *d) {
    char number[32];
    double value = 0.0;
    const size_t width = kan_dataset_y_width(d), i = find_too_large(d->n, d->n_in, d->x, &value),
                 o = i < d->n_in ? width : find_too_large(d->n, width, d->y, &value);
    if (i == d->n_in && o == width) return 0;
    char **const names = i < d->n_in ? d->input_names : d->target_names;
    const size_t column = i < d->n_in ? i : o;
    snprintf(number, sizeof number, "%zu", column);
    return complain(1, "%s: column '%s': %g is too large: numbers up to %.2g can be computed with",
                    s->name, names ? names[column] : number, value, most);
}

static void warn_of_inputs(const source *s) {
    const kan_dataset *d = s->train;
    list constant = {.n = 0};
    for (size_t i = 0; i < d->n_in; ++i)
        if (d->x ? is_constant(d->x + i, d->n, d->n_in)
                 : is_constant_bytes(d->bytes + i, d->n, d->n_in))
            list_add(&constant, d->input_names ? d->input_names[i] : NULL, i);
    list_warn(&constant, s->name, "constant input column", "constant input columns");
}

static int check_targets(const source *s) {
    const kan_dataset *d = s->train;
    for (size_t o = 0; o < d->n_out; ++o) {
        if (!is_constant(d->y + o, d->n, d->n_out)) continue;
        const char *name = d->target_names ? d->target_names[o] : "target";
        return complain(1, "%s: target column '%s' is constant (%g): there is nothing to learn",
                        s->name, name, d->y[o] + 0.0); /* 0 for -0 */
    }
    return 0;
}

static int check_classes(const source *s) {
    const kan_dataset *d = s->train;
    size_t *counts = calloc(d->n_out, sizeof *counts), present = 0, last = 0;
    if (!counts) return fail_memory(s->name);
    list single = {.n = 0}, absent = {.n = 0};
    for (size_t r = 0; r < d->n; ++r) ++counts[(size_t)d->y[r]];
    for (size_t k = 0; k < d->n_out; ++k) {
        const char *name = d->class_names ? d->class_names[k] : NULL;
        if (counts[k] > 0) ++present, last = k;
        if (counts[k] == 1) list_add(&single, name, k);
        if (counts[k] == 0) list_add(&absent, name, k);
    }
    free(counts);
    if (present < 2)
        return complain(1, "%s: all training rows are of the class '%s': there is nothing to learn",
                        s->name, d->class_names ? d->class_names[last] : "0");
    list_warn(&single, s->name, "class with a single training row",
              "classes with a single training row");
    list_warn(&absent, s->name, "class without a training row", "classes without a training row");
    return 0;
}

static int check_rows(const source *s) {
    if (s->train->n < SOURCE_MIN_ROWS)
        return complain(1, "%s: too few rows: %zu, and %d are needed to train on", s->name, s->train->n,
                        SOURCE_MIN_ROWS);
    int status = s->train->task == KAN_REGRESSION ? check_targets(s) : check_classes(s);
    if (status == 0) status = check_sizes(s, s->train);
    if (status == 0) status = check_sizes(s, s->test);
    return status;
}

int source_read(const char *name, const options *o, source *s) {
    *s = (source){.name = name, .is_generator = source_is_generator(name)};
    int status = check_options(name, o);
    if (status == 0)
        status = s->is_generator ? source_generate(name, o, &s->train, &s->test) : read_files(o, s);
    if (status != 0) source_free(s);
    return status;
}

int source_load(const char *name, const options *o, source *s) {
    int status = source_read(name, o, s);
    if (status != 0) return status;
    status = check_rows(s);
    if (status == 0) warn_of_inputs(s);
    if (status != 0) source_free(s);
    return status;
}

void source_free(source *s) {
    kan_dataset_free(s->train);
    kan_dataset_free(s->test);
    s->train = s->test = NULL;
}
