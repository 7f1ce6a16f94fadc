/* experiments/options.c - see the header. One table says everything about an option: who takes it, what
 * it holds, where that goes. argp reads the command line; its messages take two lines and more, so all
 * but those of getopt below it are made here.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "experiments/options.h"

#include <argp.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "experiments/command.h"
#include "splines/knots.h"

/* ---- values ------------------------------------------------------------------------------------- */

/* A number of digits and nothing else at *at, which moves behind it. */
static bool read_digits(const char **at, size_t lo, size_t hi, size_t *value) {
    if (!isdigit((unsigned char)**at)) return false;
    char *end;
    errno = 0;
    const unsigned long long n = strtoull(*at, &end, 10);
    if (errno == ERANGE || n < lo || n > hi) return false;
    *value = (size_t)n, *at = end;
    return true;
}

kan_status options_read_size(const char *name, const char *text, size_t lo, size_t hi, size_t *value,
                             kan_error *error) {
    const char *at = text;
    size_t n;
    if (!read_digits(&at, lo, hi, &n) || *at)
        return kan_status_fail(error, KAN_ECONFIG, "--%s %.60s: must be a whole number from %zu to %zu",
                               name, text, lo, hi);
    *value = n;
    return KAN_OK;
}

/* A finite number at *at, which moves behind it. */
static bool read_number(const char **at, double *value) {
    char *end;
    *value = strtod(*at, &end);
    const bool good = end != *at && isfinite(*value);
    *at = end;
    return good;
}

kan_status options_read_real(const char *name, const char *text, double lo, double hi, double *value,
                             kan_error *error) {
    const char *at = text;
    double x;
    if (!read_number(&at, &x) || *at || x < lo || x > hi)
        return kan_status_fail(error, KAN_ECONFIG, "--%s %.60s: must be a number from %g to %g", name,
                               text, lo, hi);
    *value = x;
    return KAN_OK;
}

/* One level of a shape: "5", "3+2m", "2m", and an arity behind the m. */
static bool read_level(const char **at, size_t *width, size_t *mult, size_t *arity) {
    enum { MOST = 1 << 20, MAX_ARITY = 16 };
    *mult = *arity = 0;
    if (!read_digits(at, 1, MOST, width)) return false;
    if (**at == '+') {
        ++*at;
        if (!read_digits(at, 1, MOST, mult) || **at != 'm') return false;
    } else if (**at == 'm') {
        *mult = *width, *width = 0;
    } else {
        return true;
    }
    ++*at;
    *arity = 2;
    return !isdigit((unsigned char)**at) || read_digits(at, 2, MAX_ARITY, arity);
}

kan_status options_read_shape(const char *name, const char *text, options_shape *shape,
                              kan_error *error) {
    options_shape s = {.text = text};
    const char *at = text;
    bool good = true, more = true;
    for (; good && more && s.n_levels < KAN_MAX_LEVELS; ++s.n_levels) {
        const size_t l = s.n_levels;
        good = read_level(&at, &s.width[l], &s.mult[l], &s.arity[l]);
        more = *at == ',';
        at += more;
    }
    if (good && more)
        return kan_status_fail(error, KAN_ECONFIG, "--%s %.60s: more than %d levels of nodes", name,
                               text, KAN_MAX_LEVELS);
    if (!good || *at)
        return kan_status_fail(error, KAN_ECONFIG,
                               "--%s %.60s: must be numbers of nodes such as 2,5,1 or, in a KAN, "
                               "2,3+2m,1",
                               name, text);
    if (s.n_levels < 2)
        return kan_status_fail(error, KAN_ECONFIG,
                               "--%s %.60s: needs inputs and outputs, such as 2,5,1", name, text);
    if (s.mult[0] > 0)
        return kan_status_fail(error, KAN_ECONFIG, "--%s %.60s: inputs cannot multiply", name, text);
    *shape = s;
    return KAN_OK;
}

kan_status options_read_grids(const char *name, const char *text, size_t *n, size_t *grids,
                              kan_error *error) {
    const char *at = text;
    size_t count = 0, list[OPTIONS_MAX_GRIDS];
    bool more = true;
    while (more && count < OPTIONS_MAX_GRIDS) {
        if (!read_digits(&at, 1, KAN_MAX_CELLS, &list[count])) break;
        if (count > 0 && list[count] <= list[count - 1]) break;
        ++count;
        more = *at == ',';
        at += more;
    }
    if (more || *at)
        return kan_status_fail(error, KAN_ECONFIG,
                               "--%s %.60s: must be a number of cells from 1 to %d, or at most %d of "
                               "them that rise, such as 3,6,12",
                               name, text, KAN_MAX_CELLS, OPTIONS_MAX_GRIDS);
    memcpy(grids, list, count * sizeof *list);
    *n = count;
    return KAN_OK;
}

kan_status options_read_range(const char *name, const char *text, options_range *range,
                              kan_error *error) {
    options_range r = {.lo = 0.0};
    const char *equals = strchr(text, '='), *at = equals ? equals + 1 : text;
    const size_t length = equals ? (size_t)(equals - text) : 0;
    bool good = length < sizeof r.name && (!equals || length > 0);
    if (good) memcpy(r.name, text, length);
    good = good && read_number(&at, &r.lo) && *at++ == ',' && read_number(&at, &r.hi) && !*at;
    if (!good || !(r.lo < r.hi) || !isfinite(r.hi - r.lo))
        return kan_status_fail(error, KAN_ECONFIG,
                               "--%s %.60s: must be LO,HI or NAME=LO,HI with LO below HI", name, text);
    *range = r;
    return KAN_OK;
}

/* ---- the table ---------------------------------------------------------------------------------- */

typedef enum kind { TEXT, SIZE, SEED, REAL, CHOICE, NOISE, SHAPE, GRIDS, RANGE, FLAG } kind;

/* Words that mean 0, 1, .. of an enum. */
typedef struct choice {
    const char *words[KAN_N_ACTIVATIONS + 1];
} choice;

static const choice tasks = {{"regression", "classification"}};
static const choice bases = {{"silu", "identity", "zero"}};
static const choice activations = {{"silu", "tanh", "relu", "gelu", "sigmoid"}};
static const choice optimizers = {{"lbfgs", "adam", "lm"}};
static const choice metrics = {{"edge_forward_spline_n", "edge_forward_spline_u", "edge_forward_sum",
                                "edge_backward", "node_backward"}};
static const choice precisions = {{"double", "single"}};

typedef struct entry {
    unsigned group;
    const char *name, *arg, *doc;
    kind kind;
    size_t at;     /* where in options TEXT, SIZE, SEED, REAL, SHAPE and FLAG go */
    double lo, hi; /* of SIZE and REAL */
    const choice *choice;
} entry;

#define AT(member) offsetof(options, member)

static const entry entries[] = {
    {OPTIONS_TABLE, "target", "COLUMN", "Column to predict, name or number from 0 [the last]",
     .kind = TEXT, .at = AT(target)},
    {OPTIONS_TABLE, "task", "NAME",
     "What the target is: regression, classification [text is classes, numbers are not]",
     .kind = CHOICE, .choice = &tasks},
    {OPTIONS_TABLE, "weight", "COLUMN", "Column with the weights of the rows", .kind = TEXT,
     .at = AT(weight)},
    {OPTIONS_TEST, "test", "FILE", "Test rows are those of FILE", .kind = TEXT, .at = AT(test)},
    {OPTIONS_TEST, "test-rows", "FILE", "Test rows have the numbers in FILE, from 0", .kind = TEXT,
     .at = AT(test_rows)},
    {OPTIONS_TEST, "test-fraction", "F", "Test rows are this share of all, at random [0.2]",
     .kind = REAL, .at = AT(test_fraction), .lo = 1e-6, .hi = 0.999999},
    {OPTIONS_GENERATOR, "rows", "N", "Generated training rows [1000]", .kind = SIZE, .at = AT(rows),
     .lo = 1, .hi = 1e8},
    {OPTIONS_GENERATOR, "test-count", "N", "Generated test rows [1000]", .kind = SIZE,
     .at = AT(test_count), .lo = 1, .hi = 1e8},
    {OPTIONS_GENERATOR, "range", "LO,HI",
     "Range of all variables, or x=LO,HI of one; repeatable [-1,1]", .kind = RANGE},
    {OPTIONS_GENERATOR, "noise", "F", "Noise in the generated rows, in standard deviations",
     .kind = NOISE},
    {OPTIONS_GENERATOR, "data-seed", "N", "Seed of generated rows and of splits [0]", .kind = SEED,
     .at = AT(data_seed)},
    {OPTIONS_MODEL, "kan", "SHAPE", "KAN of this shape: 2,5,1 or, with nodes that multiply, 2,3+2m,1",
     .kind = SHAPE, .at = AT(kan)},
    {OPTIONS_MODEL, "grid", "CELLS", "Grid cells of a KAN [5]", .kind = GRIDS},
    {OPTIONS_MODEL, "degree", "K", "Degree of a KAN's splines [3]", .kind = SIZE, .at = AT(degree),
     .lo = 1, .hi = KAN_MAX_DEGREE},
    {OPTIONS_MODEL, "base", "NAME", "Base function of a KAN: silu, identity, zero [silu]",
     .kind = CHOICE, .choice = &bases},
    {OPTIONS_MODEL, "mlp", "SHAPE", "MLP of this shape: 2,32,32,1", .kind = SHAPE, .at = AT(mlp)},
    {OPTIONS_MODEL, "activation", "NAME",
     "Activation of an MLP: silu, tanh, relu, gelu, sigmoid [silu]", .kind = CHOICE,
     .choice = &activations},
    {OPTIONS_MODEL, "precision", "NAME",
     "Precision of what a model computes inside: double, single; single is for Adam [double]",
     .kind = CHOICE, .choice = &precisions},
    {OPTIONS_TRAINING, "optimizer", "NAME",
     "Optimizer: lbfgs, adam, lm; lm is Levenberg-Marquardt [lbfgs up to 5000 training rows]",
     .kind = CHOICE, .choice = &optimizers},
    {OPTIONS_TRAINING, "rate", "F", "Learning rate of Adam [0.01]", .kind = REAL, .at = AT(rate),
     .lo = 1e-12, .hi = 10},
    {OPTIONS_TRAINING, "batch", "N", "Rows in a step of Adam [64 or 128]", .kind = SIZE,
     .at = AT(batch), .lo = 1, .hi = 1e9},
    {OPTIONS_TRAINING, "decay", "F", "Weight decay of Adam [0.1]", .kind = REAL, .at = AT(decay),
     .lo = 0, .hi = 1},
    {OPTIONS_TRAINING, "steps", "N", "Steps of the optimizer, at most", .kind = SIZE, .at = AT(steps),
     .lo = 1, .hi = 1e7},
    {OPTIONS_TRAINING | OPTIONS_SEARCH, "budget", "SECONDS", "CPU seconds that training may take",
     .kind = REAL, .at = AT(budget), .lo = 1e-3, .hi = 1e9},
    {OPTIONS_TRAINING, "effort", "SECONDS",
     "CPU seconds for one search with all its starts and grids, in place of one training", .kind = REAL,
     .at = AT(effort), .lo = 1e-3, .hi = 1e9},
    {OPTIONS_TRAINING, "roughness", "F", "With --effort: weight of a KAN's roughness penalty [1e-10]",
     .kind = REAL, .at = AT(roughness), .lo = 0, .hi = 1e6},
    {OPTIONS_TRAINING, "replay", "MODEL",
     "With --effort: repeat the search that made MODEL to the bit, whatever the time", .kind = TEXT,
     .at = AT(replay)},
    {OPTIONS_TRAINING | OPTIONS_SEARCH, "seeds", "N", "Number of trainings from different starts",
     .kind = SIZE, .at = AT(seeds), .lo = 1, .hi = 1000},
    {OPTIONS_TRAINING | OPTIONS_SEARCH, "seed", "N", "Seed of the first training [0]", .kind = SEED,
     .at = AT(seed)},
    {OPTIONS_PENALTY, "lamb", "F", "Weight of the penalty of a KAN that the next options make up [0]",
     .kind = REAL, .at = AT(lamb), .lo = 0, .hi = 1e6},
    {OPTIONS_PENALTY, "lamb-l1", "F", "Factor of the sizes of its edges [1]", .kind = REAL,
     .at = AT(reg.l1), .lo = 0, .hi = 1e6},
    {OPTIONS_PENALTY, "lamb-entropy", "F", "Factor of the entropy of these sizes [2]", .kind = REAL,
     .at = AT(reg.entropy), .lo = 0, .hi = 1e6},
    {OPTIONS_PENALTY, "lamb-coef", "F", "Factor of the sizes of coefficients [0]", .kind = REAL,
     .at = AT(reg.coef), .lo = 0, .hi = 1e6},
    {OPTIONS_PENALTY, "lamb-coefdiff", "F", "Factor of the sizes of their differences [0]",
     .kind = REAL, .at = AT(reg.coefdiff), .lo = 0, .hi = 1e6},
    {OPTIONS_PENALTY, "reg-metric", "NAME",
     "What the size of an edge is: edge_forward_spline_n, edge_forward_spline_u, edge_forward_sum, "
     "edge_backward, node_backward [edge_forward_spline_n]",
     .kind = CHOICE, .choice = &metrics},
    {OPTIONS_THREADS, "threads", "N", "Threads [1]", .kind = SIZE, .at = AT(threads), .lo = 1,
     .hi = 1024},
    {OPTIONS_FORMULA, "work", "N",
     "End a search at that count of work, whatever the time: repeats one of that count", .kind = SIZE,
     .at = AT(work), .lo = 1, .hi = 9e15},
    {OPTIONS_FORMULA, "latex", NULL, "Print the formula in LaTeX", .kind = FLAG, .at = AT(latex)},
    {OPTIONS_FORMULA, "sympy", NULL, "Print the formula for SymPy", .kind = FLAG, .at = AT(sympy)},
    {OPTIONS_BENCH | OPTIONS_REPRODUCE, "quick", NULL,
     "Everything shortly: to see that it works, not to be quoted", .kind = FLAG, .at = AT(quick)},
    {OPTIONS_REPRODUCE, "resume", NULL, "Go on with the finished runs in the folder of --out",
     .kind = FLAG, .at = AT(resume_runs)},
    {OPTIONS_REPRODUCE, "out", "DIR", "Folder of runs.jsonl [reproduce.out]", .kind = TEXT,
     .at = AT(out)},
    {OPTIONS_BENCH, "only", "PARTS",
     "Only these parts, with commas between: layers, nets, optimizers, reading, threads, tasks "
     "[all but tasks]",
     .kind = TEXT, .at = AT(only)},
    {OPTIONS_BENCH, "data", "DIR", "Tasks too, their data in DIR/mnist, DIR/sklearn and DIR/splits",
     .kind = TEXT, .at = AT(data)},
    {OPTIONS_ROWS, "data", "FILE", "Rows on which to measure what matters", .kind = TEXT,
     .at = AT(data)},
    {OPTIONS_REPRODUCE, "data", "DIR", "Folder of the files with data [../shared/data]", .kind = TEXT,
     .at = AT(data)},
    {OPTIONS_PRUNE, "node-threshold", "F", "Hidden nodes go that do not score more [0.01]",
     .kind = REAL, .at = AT(node_threshold), .lo = 1e-12, .hi = 1e6},
    {OPTIONS_PRUNE, "edge-threshold", "F", "Edges go that do not score more [0.03]", .kind = REAL,
     .at = AT(edge_threshold), .lo = 1e-12, .hi = 1e6},
    {OPTIONS_PRUNE, "error-budget", "F",
     "In the place of thresholds: part of the error on the rows of --data that may be added, 0.01 for "
     "1 %",
     .kind = REAL, .at = AT(error_budget), .lo = 1e-12, .hi = 1e6},
    {OPTIONS_EXPORT | OPTIONS_FORMULA, "c", NULL, "As C99", .kind = FLAG, .at = AT(c)},
    {OPTIONS_CHECKPOINT, "checkpoint", "FILE", "Write the state of the training to FILE as it goes on",
     .kind = TEXT, .at = AT(checkpoint)},
    {OPTIONS_CHECKPOINT, "every", "SECONDS", "Seconds between two checkpoints [60]", .kind = REAL,
     .at = AT(every), .lo = 0, .hi = 1e9},
    {OPTIONS_CHECKPOINT, "resume", "FILE", "Go on from the checkpoint in FILE", .kind = TEXT,
     .at = AT(resume)},
    {OPTIONS_OUTPUT, "output", "FILE", "Write the result to FILE", .kind = TEXT, .at = AT(output)},
    {OPTIONS_REPORT, "report", "FILE", "Write a report for people, one HTML file, to FILE",
     .kind = TEXT, .at = AT(report)},
    {OPTIONS_JSON, "json", "FILE", "Write a record for programs to FILE", .kind = TEXT, .at = AT(json)},
};

/* Every reader of JSON has whole numbers up to here. */
static const size_t MAX_SEED = (size_t)1 << 53;

enum { N_ENTRIES = sizeof entries / sizeof *entries, FIRST_KEY = 256, HELP_KEY = '?' };
_Static_assert(N_ENTRIES < 256, "options.given holds their numbers");

/* ---- one option --------------------------------------------------------------------------------- */

/* The number of a word in its list, which the message repeats. */
static kan_status read_choice(const entry *e, const char *text, unsigned *number, kan_error *error) {
    char list[120] = "";
    for (unsigned w = 0; e->choice->words[w]; ++w) {
        const char *word = e->choice->words[w];
        if (strcmp(text, word) == 0) {
            *number = w;
            return KAN_OK;
        }
        if (w > 0) strcat(list, e->choice->words[w + 1] ? ", " : " or ");
        strcat(list, word);
    }
    return kan_status_fail(error, KAN_ECONFIG, "--%s %.60s: must be %s", e->name, text, list);
}

static kan_status set_choice(options *o, const entry *e, const char *text, kan_error *error) {
    unsigned number = 0;
    const kan_status status = read_choice(e, text, &number, error);
    if (status != KAN_OK) return status;
    if (e->choice == &tasks)
        o->task = number == 0 ? KAN_TASK_REGRESSION : KAN_TASK_CLASSIFICATION;
    else if (e->choice == &bases)
        o->has_base = true, o->base = (kan_base)number;
    else if (e->choice == &activations)
        o->has_activation = true, o->activation = (kan_activation)number;
    else if (e->choice == &metrics)
        o->has_metric = true, o->reg.metric = (kan_scale)number;
    else if (e->choice == &precisions)
        o->precision = (kan_precision)number;
    else
        o->has_optimizer = true, o->optimizer = (kan_optimizer)number;
    return KAN_OK;
}

static kan_status refuse_more(const entry *e, size_t most, kan_error *error) {
    return kan_status_fail(error, KAN_ECONFIG, "--%s: given more than %zu times", e->name, most);
}

static kan_status add_shape(options *o, const entry *e, const char *text, kan_error *error) {
    const bool is_kan = e->at == AT(kan);
    options_shape *shapes = is_kan ? o->kan : o->mlp;
    size_t *n = is_kan ? &o->n_kan : &o->n_mlp;
    if (*n == OPTIONS_MAX_SHAPES) return refuse_more(e, *n, error);
    const kan_status status = options_read_shape(e->name, text, &shapes[*n], error);
    if (status != KAN_OK) return status;
    for (size_t l = 0; l < shapes[*n].n_levels; ++l)
        if (!is_kan && shapes[*n].mult[l] > 0)
            return kan_status_fail(error, KAN_ECONFIG, "--%s %.60s: only a KAN has nodes that multiply",
                                   e->name, text);
    ++*n;
    return KAN_OK;
}

static kan_status add_range(options *o, const entry *e, const char *text, kan_error *error) {
    if (o->n_ranges == OPTIONS_MAX_RANGES) return refuse_more(e, o->n_ranges, error);
    const kan_status status = options_read_range(e->name, text, &o->ranges[o->n_ranges], error);
    o->n_ranges += status == KAN_OK;
    return status;
}

static kan_status set_seed(const entry *e, const char *text, uint64_t *seed, kan_error *error) {
    size_t value = 0;
    const kan_status status = options_read_size(e->name, text, 0, MAX_SEED, &value, error);
    if (status == KAN_OK) *seed = value;
    return status;
}

static kan_status set_option(options *o, const entry *e, const char *text, kan_error *error) {
    void *to = (char *)o + e->at;
    switch (e->kind) {
    case TEXT: *(const char **)to = text; return KAN_OK;
    case SIZE: return options_read_size(e->name, text, (size_t)e->lo, (size_t)e->hi, to, error);
    case SEED: return set_seed(e, text, to, error);
    case REAL:
        if (e->at == AT(decay)) o->has_decay = true; /* 0 is a choice of its own */
        if (e->at == AT(roughness)) o->has_roughness = true;
        if (e->at == AT(every)) o->has_every = true;
        if (e->at == AT(reg.l1)) o->has_l1 = true;
        if (e->at == AT(reg.entropy)) o->has_entropy = true;
        return options_read_real(e->name, text, e->lo, e->hi, to, error);
    case CHOICE: return set_choice(o, e, text, error);
    case NOISE:
        o->has_noise = true;
        return options_read_real(e->name, text, 0.0, 1e6, &o->noise, error);
    case SHAPE: return add_shape(o, e, text, error);
    case GRIDS: return options_read_grids(e->name, text, &o->n_grids, o->grids, error);
    case RANGE: return add_range(o, e, text, error);
    case FLAG: *(bool *)to = true; return KAN_OK;
    }
    return KAN_OK;
}

/* ---- the command line --------------------------------------------------------------------------- */

typedef struct parse {
    const options_command *command;
    options *o;
    kan_error error; /* status KAN_OK: nothing went wrong, or getopt has said what */
} parse;

static kan_status add_argument(parse *p, const char *text) {
    if (p->o->n_arguments == p->command->max_arguments)
        return kan_status_fail(&p->error, KAN_ECONFIG,
                               "'%.200s': one argument too many (see %s --help)", text,
                               p->command->name);
    p->o->arguments[p->o->n_arguments++] = text;
    return KAN_OK;
}

/* What can only be said when everything was read. */
static kan_status check_whole(parse *p) {
    const options *o = p->o;
    if (o->n_arguments < p->command->min_arguments) {
        const char *word = p->command->args_doc;
        for (size_t a = 0; a < o->n_arguments; ++a) word = strchr(word, ' ') + 1;
        return kan_status_fail(&p->error, KAN_ECONFIG, "%.*s is missing (see %s --help)",
                               (int)strcspn(word, " "), word, p->command->name);
    }
    if ((o->test != NULL) + (o->test_rows != NULL) + (o->test_fraction > 0.0) > 1)
        return kan_status_fail(&p->error, KAN_ECONFIG,
                               "--test, --test-rows and --test-fraction exclude each other");
    return KAN_OK;
}

static kan_status take_option(options *o, size_t number, const char *text, kan_error *error) {
    if (o->n_given == OPTIONS_MAX_GIVEN) return refuse_more(&entries[number], OPTIONS_MAX_GIVEN, error);
    o->given[o->n_given] = (unsigned char)number;
    o->given_text[o->n_given++] = text;
    return set_option(o, &entries[number], text, error);
}

char *options_recipe(const options *o) {
    const unsigned no_matter = OPTIONS_THREADS | OPTIONS_OUTPUT | OPTIONS_JSON | OPTIONS_REPORT |
                               OPTIONS_CHECKPOINT;
    size_t size = 1;
    for (size_t a = 0; a < o->n_arguments; ++a) size += strlen(o->arguments[a]) + 1;
    for (size_t g = 0; g < o->n_given; ++g) {
        const char *text = o->given_text[g];
        size += strlen(entries[o->given[g]].name) + (text ? strlen(text) : 0) + sizeof "-- \n";
    }
    char *recipe = malloc(size), *end = recipe;
    if (!recipe) return NULL;
    *end = '\0';
    for (size_t a = 0; a < o->n_arguments; ++a) end = stpcpy(stpcpy(end, o->arguments[a]), "\n");
    for (size_t j = 0; j < N_ENTRIES; ++j)
        for (size_t g = 0; g < o->n_given && !(entries[j].group & no_matter); ++g) {
            if (o->given[g] != j) continue;
            end = stpcpy(stpcpy(end, "--"), entries[j].name);
            if (o->given_text[g]) end = stpcpy(stpcpy(end, " "), o->given_text[g]);
            end = stpcpy(end, "\n");
        }
    return recipe;
}

static error_t take(int key, char *text, struct argp_state *state) {
    parse *p = state->input;
    kan_status status = KAN_OK;
    if (key == ARGP_KEY_INIT) {
        state->err_stream = NULL; /* or argp adds a second line to every message */
    } else if (key == HELP_KEY) {
        state->name = (char *)(uintptr_t)p->command->name;
        argp_state_help(state, state->out_stream, ARGP_HELP_STD_HELP);
    } else if (key == ARGP_KEY_ARG) {
        status = add_argument(p, text);
    } else if (key == ARGP_KEY_END) {
        status = check_whole(p);
    } else if (key == 'o' || (key >= FIRST_KEY && key < FIRST_KEY + N_ENTRIES)) {
        size_t j = 0;
        while (key == 'o' ? entries[j].group != OPTIONS_OUTPUT : j != (size_t)(key - FIRST_KEY)) ++j;
        const entry *e = &entries[j];
        if (p->command->takes & e->group)
            status = take_option(p->o, j, text, &p->error);
        else
            status = kan_status_fail(&p->error, KAN_ECONFIG,
                                     "--%s: %s does not take it (see %s --help)", e->name,
                                     p->command->name, p->command->name);
    } else {
        return ARGP_ERR_UNKNOWN;
    }
    return status == KAN_OK ? 0 : EINVAL;
}

/* Whether another option of that name is the one which the command takes. */
static bool is_namesake(unsigned takes, const entry *e) {
    for (size_t j = 0; j < N_ENTRIES && !(takes & e->group); ++j)
        if (takes & entries[j].group && strcmp(entries[j].name, e->name) == 0) return true;
    return false;
}

/* argp's own --help would call every command "kan". Options of other commands are known as well, but
 * not shown: they get a message of their own. */
static void fill_options(unsigned takes, struct argp_option *list) {
    size_t n = 0;
    for (size_t j = 0; j < N_ENTRIES; ++j) {
        const entry *e = &entries[j];
        if (is_namesake(takes, e)) continue;
        list[n++] = (struct argp_option){.name = e->name,
                                         .key = e->group == OPTIONS_OUTPUT ? 'o' : FIRST_KEY + (int)j,
                                         .arg = e->arg,
                                         .flags = takes & e->group ? 0 : OPTION_HIDDEN,
                                         .doc = e->doc,
                                         .group = (int)e->group};
    }
    list[n] = (struct argp_option){
        .name = "help", .key = HELP_KEY, .doc = "Give this help list", .group = -1};
    list[n + 1] = (struct argp_option){.name = NULL};
}

int options_parse(const options_command *command, int argc, char **argv, options *o) {
    static char program[] = "kan"; /* what getopt's messages begin with */
    struct argp_option list[N_ENTRIES + 2];
    fill_options(command->takes, list);
    const struct argp argp = {
        .options = list, .parser = take, .args_doc = command->args_doc, .doc = command->doc};
    parse p = {.command = command, .o = o};
    *o = (options){.n_arguments = 0};
    argv[0] = program;
    const error_t wrong = argp_parse(&argp, argc, argv, ARGP_NO_HELP, NULL, &p);
    if (wrong == 0) return 0;
    if (wrong == ENOMEM) return complain(1, "out of memory");
    return p.error.status == KAN_OK ? EXIT_USAGE : complain(EXIT_USAGE, "%s", p.error.message);
}
