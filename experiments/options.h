/* experiments/options.h - the options of all commands: read, checked and stored in one place.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_EXPERIMENTS_OPTIONS_H
#define KAN_EXPERIMENTS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"
#include "kan/net.h"
#include "mlp/mlp.h"
#include "train/dataset.h"
#include "train/trainer.h"

enum {
    OPTIONS_MAX_SHAPES = 64,
    OPTIONS_MAX_GRIDS = 16,
    OPTIONS_MAX_RANGES = 128,
    OPTIONS_MAX_ARGUMENTS = 16,
    OPTIONS_MAX_GIVEN = 512
};

/* A network as --kan and --mlp spell it, "2,3+2m,1"; a level with neither kind of node ends it. */
typedef struct options_shape {
    const char *text;
    size_t n_levels;
    size_t width[KAN_MAX_LEVELS + 1], mult[KAN_MAX_LEVELS + 1], arity[KAN_MAX_LEVELS + 1];
} options_shape;

/* --range LO,HI, where name is "", or --range name=LO,HI. */
typedef struct options_range {
    char name[64];
    double lo, hi;
} options_range;

/* What was asked for. Zero and NULL mean that it was not, and every command documents its default;
 * values are in their range, but nothing is known yet of the data they are for. Texts are those of
 * argv. */
typedef struct options {
    size_t n_arguments;
    const char *arguments[OPTIONS_MAX_ARGUMENTS]; /* in the order of the command's args_doc */

    const char *target, *weight;
    kan_task_choice task;
    const char *test, *test_rows; /* at most one of these three */
    double test_fraction;

    size_t rows, test_count; /* of generators */
    size_t n_ranges;
    options_range ranges[OPTIONS_MAX_RANGES];
    bool has_noise;
    double noise;
    uint64_t data_seed; /* of generators, of --test-fraction and of the validation split */

    size_t n_kan, n_mlp;
    options_shape kan[OPTIONS_MAX_SHAPES], mlp[OPTIONS_MAX_SHAPES];
    size_t n_grids, grids[OPTIONS_MAX_GRIDS], degree;
    bool has_base, has_activation;
    kan_base base;
    kan_activation activation;
    kan_precision precision;

    bool has_optimizer;
    kan_optimizer optimizer;
    size_t steps, batch, seeds, threads, work;
    double budget, effort, rate, decay, roughness;
    bool has_decay, has_roughness;
    double lamb;     /* weight of the penalty reg      */
    kan_penalty reg; /* l1, entropy, coef, coefdiff, metric */
    bool has_l1, has_entropy, has_metric;
    uint64_t seed;

    double node_threshold, edge_threshold, error_budget; /* of prune */

    bool latex, c, sympy; /* of formula; c of export too */

    bool quick, resume_runs;
    const char *out;  /* of reproduce: a folder */
    const char *only; /* of bench */
    const char *data; /* of bench: a folder; of plot: rows */

    const char *output, *json, *report;

    const char *checkpoint, *resume, *replay; /* of train */
    bool has_every;
    double every; /* seconds between checkpoints */

    size_t n_given; /* options that were given, as numbers in the table and the texts behind them */
    unsigned char given[OPTIONS_MAX_GIVEN];
    const char *given_text[OPTIONS_MAX_GIVEN];
} options;

/* Which options a command takes, to be combined with |. */
enum {
    OPTIONS_TABLE = 1,     /* --target --weight --task                                       */
    OPTIONS_TEST = 2,      /* --test --test-rows --test-fraction                             */
    OPTIONS_GENERATOR = 4, /* --rows --test-count --range --noise --data-seed                */
    OPTIONS_MODEL = 8,     /* --kan --grid --degree --base --mlp --activation --precision    */
    OPTIONS_TRAINING = 16, /* --optimizer --rate --batch --decay --steps --budget --effort --roughness
                               --seeds --seed                                            */
    OPTIONS_THREADS = 32,  /* --threads */
    OPTIONS_OUTPUT = 64,   /* -o        */
    OPTIONS_JSON = 128,    /* --json    */
    OPTIONS_BENCH = 256,   /* --quick --only, and --data FOLDER */
    OPTIONS_ROWS = 512,    /* --data FILE */
    OPTIONS_EXPORT = 1024, /* --c */
    OPTIONS_PENALTY =
        2048, /* --lamb --lamb-l1 --lamb-entropy --lamb-coef --lamb-coefdiff --reg-metric */
    OPTIONS_SEARCH = 4096,      /* --budget --seeds --seed of those of OPTIONS_TRAINING             */
    OPTIONS_FORMULA = 8192,     /* --latex --sympy --work, and --c                                  */
    OPTIONS_CHECKPOINT = 16384, /* --checkpoint --every --resume                                    */
    OPTIONS_REPORT = 65536,     /* --report FILE                                                    */
    OPTIONS_PRUNE = 131072,     /* --node-threshold --edge-threshold --error-budget                 */
    OPTIONS_REPRODUCE = 32768   /* --quick --resume --out, and --data FOLDER                        */
};

typedef struct options_command {
    const char *name;                    /* "kan train"                                      */
    const char *args_doc;                /* "DATA": the words of what stands without a dash  */
    size_t min_arguments, max_arguments; /* how many of them                                 */
    const char *doc;                     /* for --help: what it does, '\v', notes            */
    unsigned takes;
} options_command;

/* Reads a command line. 0, or the exit status after one line on stderr; --help ends the program. */
int options_parse(const options_command *command, int argc, char **argv, options *o);

/* What was asked for and matters for the result, in one text: the arguments and options, a line each, options in the
 * order of the table with their values as they were typed; without --threads, -o, --json, --report and those of checkpoints.
 * The caller frees it with free; NULL without memory. */
char *options_recipe(const options *o);

/* The parsers of single values, `name` being the option that messages blame. KAN_ECONFIG.
 *   size     a whole number from lo to hi          real     a finite number from lo to hi
 *   shape    "2,5,1", "2,3+2m,1" (3 adding and 2 multiplying nodes), "2,2m3,1" (of arity 3) */
kan_status options_read_size(const char *name, const char *text, size_t lo, size_t hi, size_t *value,
                             kan_error *error);
kan_status options_read_real(const char *name, const char *text, double lo, double hi, double *value,
                             kan_error *error);
kan_status options_read_shape(const char *name, const char *text, options_shape *shape,
                              kan_error *error);
kan_status options_read_grids(const char *name, const char *text, size_t *n, size_t *grids,
                              kan_error *error);
kan_status options_read_range(const char *name, const char *text, options_range *range,
                              kan_error *error);

#endif
