/* experiments/reproduce.h - `kan reproduce`: the field's tables, run again.
 *
 * An experiment is an entry of a table and no program: data recipes (tasks), models that compete on them
 * (contenders), how long they may train, and what was published. A row of its table is one task. In every
 * row, for each arm (the KANs, the MLPs, ..):
 *
 *     1  every contender of the arm is trained with the first seed; the best on the validation rows is selected
 *     2  the selected one is trained with the other seeds
 *
 * Both arms of a seed see the same rows: those that a generator draws with it, or, of a file, those that it puts
 * aside for validation. Test rows are looked at once a run, and decide nothing.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_EXPERIMENTS_REPRODUCE_H
#define KAN_EXPERIMENTS_REPRODUCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "experiments/effort.h"
#include "experiments/protocol.h"

/* How a contender is trained. */
typedef enum reproduce_method {
    REPRODUCE_SEARCH = 0, /* starts and a ladder of grids, in counted steps: experiments/effort.h     */
    REPRODUCE_TRAIN,      /* one training: experiments/protocol.h, Adam for a number of epochs        */
    REPRODUCE_CANDIDATE,  /* number `number` of those of `kan compare`; cells, rate, decay if given   */
    REPRODUCE_CONTINUAL   /* peaks one after the other: experiments/reproduce_continual.c             */
} reproduce_method;

/* A model that competes. Zero is the default of `kan train`. */
typedef struct reproduce_contender {
    const char *arm; /* "kan", "mlp", "linear", ..: selection is within an arm */
    family family;
    reproduce_method method;
    const char *tasks; /* "regression", "classification" or the name of one task; NULL: all */
    /* "n,5,c": n inputs, c outputs; NULL: that of the task; "equal", "flops": two hidden levels, as many parameters or
     * multiply-adds a sample as the selected KAN, and trained when that is known */
    const char *shape;
    const char *cells; /* grid, or the rungs of a ladder; NULL: those of the task, or of the effort */
    size_t degree, number;
    kan_activation activation;
    kan_init init;
    size_t epochs[2]; /* in full, and with --quick */
    size_t batch;
    double rate, decay;
    kan_precision precision;
    bool full_only; /* left out of --quick */
    /* trained when the KAN is selected, in as many CPU seconds, which the clock counts: epochs are the most there may be */
    bool as_long;
} reproduce_contender;

typedef enum reproduce_metric {
    REPRODUCE_RMSE = 0,
    REPRODUCE_MAE,
    REPRODUCE_ACCURACY
} reproduce_metric;

/* One row. Published values are 0 where there are none. */
typedef struct reproduce_task {
    const char *name;
    const char *data;   /* "fn:..", or a file below --data; "images:labels" are two */
    const char *test;   /* the file of its test rows, or NULL */
    const char *split;  /* the file of the numbers of its test rows, or NULL */
    const char *ranges; /* "theta=-2,2;sigma=0.5,2" */
    const char *shape;  /* of a KAN */
    const char *cells;  /* rungs, NULL: those of the effort */
    size_t rows;        /* generated training rows [those of the experiment] */
    double noise;
    bool classes;   /* the target is a class: accuracy is what counts */
    bool full_only; /* left out of --quick */
    double published_kan, published_mlp, published_seconds;
    const char *source; /* [that of the experiment] */
    const char *remark;
} reproduce_task;

typedef struct reproduce_experiment {
    const char *name, *title, *source;
    reproduce_metric metric; /* of tasks without classes */
    const reproduce_task *tasks;
    size_t n_tasks;
    const reproduce_contender *contenders;
    size_t n_contenders;
    size_t rows, seeds[2];   /* generated training rows; seeds in full, and with --quick */
    effort_limits effort[2]; /* likewise */
    const char *cells[2];    /* rungs of the ladders, likewise */
    bool attributed;         /* which inputs matter is printed */
    bool timed;              /* how long it takes to the published error is what counts */
} reproduce_experiment;

/* All of them, in the order in which they are run. */
size_t reproduce_count(void);
const reproduce_experiment *reproduce_at(size_t i);

extern const reproduce_experiment reproduce_feynman, reproduce_special, reproduce_fair, reproduce_toys,
    reproduce_continual, reproduce_tabular, reproduce_mnist, reproduce_knots, reproduce_noise,
    reproduce_init, reproduce_speed;

/* ---- one run ------------------------------------------------------------------------------------ */

typedef enum reproduce_state { REPRODUCE_OPEN = 0, REPRODUCE_BUSY, REPRODUCE_DONE } reproduce_state;

typedef struct reproduce_run {
    const reproduce_experiment *experiment;
    const reproduce_task *task;
    const reproduce_contender *contender;
    uint64_t seed;
    bool quick;
    double
        budget; /* CPU seconds, 0: as many as the steps take; those of the KAN where it is `as_long` */
    const char *folder;   /* --data */
    const char *evidence; /* where a first seed leaves what its model shows of itself, or NULL */
    uint64_t data_sum;    /* checksum of its files */
    size_t equal;         /* parameters of an "equal" shape, multiply-adds of a "flops" shape */
    char key[17];         /* of all that determines the result; "" until that is known */
    reproduce_state state;
    json_t *line; /* the result, once done */
} reproduce_run;

/* Writes everything that determines the result of a run as one line of text [size] but for the program itself. */
void reproduce_recipe(const reproduce_run *r, char *text, size_t size);

/* Fills r->key: a checksum of the recipe and of the program. */
void reproduce_set_key(reproduce_run *r);

/* Trains: a new line for runs.jsonl, NULL without memory. A model that diverges or data that cannot be read make a line
 * with "failed". To be called in a process of its own. */
json_t *reproduce_train(const reproduce_run *r);

/* Writes what a model shows of itself, taken over (NULL: without memory), into the file of the run, where one is wanted. KAN_ENOMEM,
 * KAN_EIO. */
kan_status reproduce_leave(const reproduce_run *r, json_t *evidence, kan_error *error);

/* The line of a run that has phases (reproduce_continual.c): one peak a phase. KAN_ENOMEM, KAN_ENONFINITE. */
kan_status reproduce_train_peaks(const reproduce_run *r, json_t *line, kan_error *error);

/* Of bytes, FNV-1a of 64 bits, begun with `sum` [REPRODUCE_SUM]; of a file, false where it cannot be read. */
#define REPRODUCE_SUM UINT64_C(0xcbf29ce484222325)
uint64_t reproduce_sum(uint64_t sum, const void *bytes, size_t n);
bool reproduce_sum_file(const char *path, uint64_t *sum);

/* ---- the store: DIR/runs.jsonl ------------------------------------------------------------------- */

typedef struct reproduce_store {
    int file;
    char *path;
    json_t *lines; /* by key */
    size_t n_torn; /* lines that were no JSON, a last one without its end among them */
} reproduce_store;

/* Makes the directory, opens and locks the file and reads what is there; a last line without its end is cut off. Without
 * `resume` a file with lines is refused. 0, or the exit status after one line on stderr. */
int reproduce_store_open(reproduce_store *s, const char *directory, bool resume);
/* Appends one line by one write, and waits for the disk. As above. */
int reproduce_store_append(reproduce_store *s, json_t *line);
void reproduce_store_close(reproduce_store *s);

/* ---- the pool: processes that work one run each ---------------------------------------------------- */

enum { REPRODUCE_MAX_WORKERS = 64 };
typedef struct reproduce_worker {
    int pid, pipe; /* pid 0: idle */
    reproduce_run *run;
    char *text; /* what it wrote so far */
    size_t length;
} reproduce_worker;
typedef struct reproduce_pool {
    size_t n, busy;
    reproduce_worker workers[REPRODUCE_MAX_WORKERS];
} reproduce_pool;

/* Starts a run in an idle worker; there must be one. The exit status, as above. */
int reproduce_pool_start(reproduce_pool *p, reproduce_run *r);
/* Waits until a run has ended: its line is in *line, NULL where its process died. NULL when no worker is busy or the
 * program was interrupted. */
reproduce_run *reproduce_pool_wait(reproduce_pool *p, json_t **line);
/* Ends all workers. */
void reproduce_pool_stop(reproduce_pool *p);

/* ---- the plan: rows, and what is to be run next --------------------------------------------------- */

enum { REPRODUCE_MAX_SEEDS = 100, REPRODUCE_MAX_ARMS = 6 };
typedef struct reproduce_arm {
    const char *name;
    size_t n;             /* contenders */
    reproduce_run **runs; /* [n]: the first of the [seeds] runs of a contender, in row->runs */
    size_t selected;      /* contender, n: not yet or none */
} reproduce_arm;
typedef struct reproduce_row {
    const reproduce_experiment *experiment;
    const reproduce_task *task;
    const char *missing; /* the file that is not there, or NULL */
    size_t n_arms, n_runs, seeds;
    reproduce_arm arms[REPRODUCE_MAX_ARMS];
    reproduce_run *runs;
} reproduce_row;
typedef struct reproduce_plan {
    size_t n;
    reproduce_row *rows;
} reproduce_plan;

/* What the command line says about all experiments. */
typedef struct reproduce_wishes {
    size_t seeds; /* 0: the experiment's own */
    uint64_t seed;
    double budget;
    bool quick;
    const char *folder, *evidence; /* of --data; for evidence, or NULL */
} reproduce_wishes;

/* Adds the rows of an experiment. KAN_ENOMEM. */
kan_status reproduce_plan_add(reproduce_plan *p, const reproduce_experiment *e,
                              const reproduce_wishes *w);
/* A run that is open and may begin, or NULL. Runs whose key is in `lines` are done by that; *reused counts them. */
reproduce_run *reproduce_plan_next(reproduce_plan *p, const json_t *lines, size_t *reused);
void reproduce_plan_free(reproduce_plan *p);

/* Runs of the selected contender of an arm that are done and did not fail: [seeds] at most. */
size_t reproduce_arm_results(const reproduce_row *row, const reproduce_arm *a,
                             const reproduce_run **results);

/* ---- tables --------------------------------------------------------------------------------------- */

/* Of experiment e in the plan: a table for people; {"name", "title", "rows": [..], ..} for programs, NULL without memory. */
void reproduce_print(const reproduce_plan *p, const reproduce_experiment *e, FILE *stream);
json_t *reproduce_json(const reproduce_plan *p, const reproduce_experiment *e);

/* The file of a run in the folder of evidence: what experiments/evidence.h makes, and "data_sha256" of generated rows. */
void reproduce_evidence_path(const char *folder, const char *key, char *path, size_t size);

/* Writes DIRECTORY/report.html from the record of --json, which is taken over (NULL: without memory), of these experiments
 * and in their order. 0, or the exit status after one line on stderr. */
int reproduce_page(const reproduce_plan *p, const reproduce_experiment *const *experiments,
                   json_t *record, const char *command, uint64_t seed, const char *directory);

#endif
