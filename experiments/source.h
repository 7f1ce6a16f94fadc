/* experiments/source.h - DATA of a command line: a file or a generator, as rows to train on and rows to
 * test on.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_EXPERIMENTS_SOURCE_H
#define KAN_EXPERIMENTS_SOURCE_H

#include <stdbool.h>

#include "experiments/options.h"
#include "train/dataset.h"

/* Fewer rows than this cannot be cut into rows to fit and rows to validate. */
enum { SOURCE_MIN_ROWS = 5 };

typedef struct source {
    const char *name; /* DATA as it was typed */
    bool is_generator;
    kan_dataset *train, *test;
} source;

/* Reads or makes the data; test rows are those of --test, of --test-rows or --test-fraction [0.2].
 * Says what is suspicious about the rows to train on (a constant input, a class with a single row) as
 * warnings. Returns 0, or the exit status after one line on stderr. */
int source_load(const char *name, const options *o, source *s);
void source_free(source *s);

/* The same without a look at what is read, for rows that somebody has looked at. */
int source_read(const char *name, const options *o, source *s);

/* Whether DATA is "fn:.." and not a file. */
bool source_is_generator(const char *name);

/* The rows of a generator. 0 or the exit status, as above. */
int source_generate(const char *name, const options *o, kan_dataset **train, kan_dataset **test);

#endif
