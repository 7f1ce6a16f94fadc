/* experiments/compare.h - private: what compare.c, which trains, and compare_say.c, which tells, share.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_EXPERIMENTS_COMPARE_H
#define KAN_EXPERIMENTS_COMPARE_H

#include <jansson.h>

#include "experiments/options.h"
#include "experiments/progress.h"
#include "experiments/protocol.h"
#include "experiments/source.h"

enum {
    COMPARE_MAX_CANDIDATES = OPTIONS_MAX_SHAPES,
    COMPARE_SEEDS = 3, /* unless the command line says otherwise */
    COMPARE_MAX_SEEDS = 100
};
#define COMPARE_BUDGET 30.0 /* likewise, CPU seconds of a family */

/* The runs of one configuration that was trained with every seed. */
typedef struct series {
    const char *stage; /* "selected" or "equal" */
    size_t n;
    trained runs[COMPARE_MAX_SEEDS]; /* their models are freed */
} series;

/* All that one family did. */
typedef struct contest {
    family family;
    size_t n_candidates;
    candidate candidates[COMPARE_MAX_CANDIDATES];
    size_t n_search;
    trained search[COMPARE_MAX_CANDIDATES];
    size_t best; /* in search */
    series selected, equal;
    json_t *evidence; /* of the selected one with the first seed, where a report is wanted; or NULL */
} contest;

typedef struct comparison {
    const options *o;
    char *command; /* the command line */
    source source;
    problem problem;
    contest contests[N_FAMILIES];
    progress progress;
    char verdict[1024];
} comparison;

/* Seeds, and CPU seconds of a family. */
size_t compare_seeds(const options *o);
double compare_budget(const options *o);

/* Writes the verdict into c; prints all that a person wants to know. */
void compare_make_verdict(comparison *c);
void compare_print(const comparison *c);

/* The record of --json. NULL without memory. */
json_t *compare_json(const comparison *c);

/* Writes the page of --report. 0, or the exit status after one line on stderr. */
int compare_report(const comparison *c);

#endif
