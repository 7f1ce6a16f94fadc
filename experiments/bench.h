/* experiments/bench.h - the parts of `kan bench`. Each prints its table, and puts what it measured into the
 * record under the key of its own that docs/guide.md describes.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_EXPERIMENTS_BENCH_H
#define KAN_EXPERIMENTS_BENCH_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

typedef struct bench {
    bool quick;
    size_t threads;   /* of everything that is measured           */
    const char *data; /* folder of the data of the tasks, or NULL */
    json_t *record;
} bench;

/* All return 0, also when they were interrupted, or the exit status after one line on stderr. */
int bench_machine(const bench *b);
int bench_layers(const bench *b);
int bench_nets(const bench *b);
int bench_optimizers(const bench *b);
int bench_reading(const bench *b);
int bench_threads(const bench *b);
int bench_tasks(const bench *b);

/* Appends to the list under a key of the record, and sets a key of it; both take over the value, NULL meaning
 * that memory was short when it was made. 0, or 1 after one line on stderr. */
int bench_append(const bench *b, const char *key, json_t *value);
int bench_set(const bench *b, const char *key, json_t *value);

#endif
