/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "experiments/generator.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/random.h"
#include "symbolic/special.h"

static const double pi = 3.14159265358979323846;

/* Far from the small numbers that others use as streams of the same seed. */
enum stream { TRAIN_INPUTS = 0x6b616e00, TRAIN_NOISE, TEST_INPUTS, TEST_NOISE };

/* ---- points with classes ----------------------------------------------------------------- */

/* Writes row number s without noise to x [2] and returns its class. Classes take turns where the place
 * does not decide. */
typedef size_t draw_point(kan_random *random, size_t s, double *x);

/* Two half circles that reach into each other, as in scikit-learn's make_moons. */
static size_t draw_moons(kan_random *random, size_t s, double *x) {
    const double t = pi * kan_random_uniform(random);
    x[0] = s % 2 == 0 ? cos(t) : 1.0 - cos(t);
    x[1] = s % 2 == 0 ? sin(t) : 0.5 - sin(t);
    return s % 2;
}

/* Two arms, one the other turned by half a turn: radius angle / (3 pi), angle from pi/4 to 3 pi. The
 * square root spreads the points evenly along the arm. */
static size_t draw_spirals(kan_random *random, size_t s, double *x) {
    const double t = pi * (0.25 + 2.75 * sqrt(kan_random_uniform(random)));
    const double radius = (s % 2 == 0 ? 1.0 : -1.0) * t / (3.0 * pi);
    x[0] = radius * cos(t);
    x[1] = radius * sin(t);
    return s % 2;
}

/* The corners of a triangle; the noise makes blobs of them. */
static size_t draw_blobs(kan_random *random, size_t s, double *x) {
    (void)random;
    const double t = 2.0 * pi * (double)(s % 3) / 3.0;
    x[0] = cos(t);
    x[1] = sin(t);
    return s % 3;
}

static size_t draw_checkerboard(kan_random *random, size_t s, double *x) {
    (void)s;
    const double column = 4.0 * kan_random_uniform(random), row = 4.0 * kan_random_uniform(random);
    x[0] = column / 2.0 - 1.0;
    x[1] = row / 2.0 - 1.0;
    return ((size_t)column + (size_t)row) % 2;
}

/* ---- the built-ins ----------------------------------------------------------------------- */

typedef struct source {
    generator about;
    const char *expression; /* where it is not the formula of about */
    draw_point *draw;       /* for classification                   */
} source;

#define U "(x*cos(0.175)-y*sin(0.175))"
#define V "(x*sin(0.175)+y*cos(0.175))"

static const source sources[] = {
    {.about = {"hello", "exp(sin(pi*x)+y^2)", "x y", "the KAN paper's first example", .n_in = 2}},
    {.about = {"j0", "j0(20*x)", "x", "Bessel function J_0(20x)", .n_in = 1}},
    {.about = {"xy", "x*y", "x y", .n_in = 2}},
    {.about = {"velocities", "(u+v)/(1+u*v)", "u v", "relativistic addition", .n_in = 2,
               .ranges = {{NULL, -0.9, 0.9}}, .n_ranges = 1}},
    {.about = {"sin100", "exp(mean of sin(pi*x/2)^2 over the inputs)", "x001 .. x100", .n_in = 100}},
    {.about = {"four", "exp((sin(pi*(x1^2+x2^2))+sin(pi*(x3^2+x4^2)))/2)", "x1 .. x4", .n_in = 4}},
    {.about = {"det4", "determinant of a 4x4 matrix", "a11 .. a44", "a standard test of streaming fits",
               .n_in = 16, .ranges = {{NULL, 0.0, 1.0}}, .n_ranges = 1},
     /* Laplace's expansion: minors of the rows 1, 2 times minors of the rows 3, 4 */
     .expression = "(a11*a22-a12*a21)*(a33*a44-a34*a43)-(a11*a23-a13*a21)*(a32*a44-a34*a42)"
                   "+(a11*a24-a14*a21)*(a32*a43-a33*a42)+(a12*a23-a13*a22)*(a31*a44-a34*a41)"
                   "-(a12*a24-a14*a22)*(a31*a43-a33*a41)+(a13*a24-a14*a23)*(a31*a42-a32*a41)"},
    {.about = {"rotated", "cos(4*pi*u)+sin(pi*v)+sin(2*pi*v)+abs(sin(3*pi*v^2))", "x y",
               "u, v are x, y rotated by 0.175; not smooth", .n_in = 2},
     .expression = "cos(4*pi*" U ")+sin(pi*" V ")+sin(2*pi*" V ")+abs(sin(3*pi*" V "^2))"},
    {.about = {"moons", "two half circles", "x y", "noise moves the points", KAN_CLASSIFICATION,
               .n_in = 2, .n_classes = 2, .noise = 0.1},
     .draw = draw_moons},
    {.about = {"spirals", "two spiral arms", "x y", "noise moves the points", KAN_CLASSIFICATION,
               .n_in = 2, .n_classes = 2, .noise = 0.02},
     .draw = draw_spirals},
    {.about = {"blobs", "three Gaussian blobs", "x y", "noise is their standard deviation",
               KAN_CLASSIFICATION, .n_in = 2, .n_classes = 3, .noise = 0.3},
     .draw = draw_blobs},
    {.about = {"checkerboard", "4x4 squares on -1 to 1", "x y", "noise moves the points",
               KAN_CLASSIFICATION, .n_in = 2, .n_classes = 2, .noise = 0.0},
     .draw = draw_checkerboard},
};

enum { N_SOURCES = sizeof sources / sizeof *sources, SIN100_INPUTS = 100 };

size_t generator_count(void) {
    size_t n;
    kan_special_table(&n);
    return N_SOURCES + n;
}

generator generator_at(size_t i) {
    assert(i < generator_count() && "there is no such generator");
    if (i < N_SOURCES) return sources[i].about;
    size_t n;
    const kan_special *s = &kan_special_table(&n)[i - N_SOURCES];
    generator g = {.name = s->name, .note = s->formula, .n_in = 2, .n_ranges = 2};
    snprintf(g.formula, sizeof g.formula, "%s(%s,%s)", s->name, s->arguments[0], s->arguments[1]);
    snprintf(g.variables, sizeof g.variables, "%s %s", s->arguments[0], s->arguments[1]);
    for (size_t a = 0; a < 2; ++a) g.ranges[a] = (generator_range){s->arguments[a], s->lo[a], s->hi[a]};
    return g;
}

/* The number of the built-in of that name, generator_count() if there is none. */
static size_t find_generator(const char *name) {
    size_t i = 0;
    while (i < generator_count() && strcmp(generator_at(i).name, name) != 0) ++i;
    return i;
}

/* ---- the generating expression ----------------------------------------------------------- */

/* exp((sin(pi*x001/2)^2+ .. +sin(pi*x100/2)^2)/100), 24 characters a term at most */
static void write_sin100(char text[SIN100_INPUTS * 24]) {
    char *at = text + sprintf(text, "exp((");
    for (int i = 1; i <= SIN100_INPUTS; ++i)
        at += sprintf(at, "%ssin(pi*x%03d/2)^2", i > 1 ? "+" : "", i);
    sprintf(at, ")/%d)", SIN100_INPUTS);
}

/* True for a text that can be nothing but the name of a built-in or of a variable. */
static bool is_lone_name(const char *spec) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char digits[] = "0123456789_";
    if (*spec == '\0' || !strchr(letters, *spec)) return false;
    while (*spec != '\0' && (strchr(letters, *spec) || strchr(digits, *spec))) ++spec;
    return *spec == '\0';
}

/* Parses text; the variables that have ranges are variables even if they are called e or pi. */
static kan_expression *parse_formula(const char *text, const generator_options *options,
                                     kan_error *error) {
    const char **names = malloc((options->n_ranges + 1) * sizeof *names);
    if (!names) {
        kan_status_fail(error, KAN_ENOMEM, "no memory for %zu ranges", options->n_ranges);
        return NULL;
    }
    size_t n = 0;
    for (size_t r = 0; r < options->n_ranges; ++r)
        if (options->ranges[r].variable) names[n++] = options->ranges[r].variable;
    kan_error inner;
    kan_expression *e = kan_expression_parse_with(text, n, names, &inner);
    if (!e) kan_status_fail(error, inner.status, "formula '%.200s': %s", text, inner.message);
    free(names);
    return e;
}

kan_expression *generator_expression(const char *spec, const generator_options *options,
                                     kan_error *error) {
    static const generator_options none;
    if (!options) options = &none;
    const size_t i = find_generator(spec);
    if (i == generator_count()) {
        if (!is_lone_name(spec)) return parse_formula(spec, options, error);
        kan_status_fail(error, KAN_EFORMAT,
                        "no generator is called '%.100s'; for the variable itself write 1*%.100s", spec,
                        spec);
        return NULL;
    }
    const generator g = generator_at(i);
    if (g.task == KAN_CLASSIFICATION) {
        kan_status_fail(error, KAN_ECONFIG, "%s makes classes, which have no formula", spec);
        return NULL;
    }
    char sin100[SIN100_INPUTS * 24];
    const char *text = i < N_SOURCES && sources[i].expression ? sources[i].expression : g.formula;
    if (strcmp(g.name, "sin100") == 0) {
        write_sin100(sin100);
        text = sin100;
    }
    return parse_formula(text, &none, error);
}

/* ---- names ------------------------------------------------------------------------------- */

static char *copy_text(const char *text) {
    const size_t size = strlen(text) + 1;
    char *copy = malloc(size);
    return copy ? memcpy(copy, text, size) : NULL;
}

/* An array of n copies, freed by kan_dataset_free once the data set has it; NULL without memory. */
static char **copy_names(size_t n, const char *const *names) {
    char **copies = calloc(n, sizeof *copies);
    if (!copies) return NULL;
    bool memory = true;
    for (size_t i = 0; memory && i < n; ++i) memory = (copies[i] = copy_text(names[i])) != NULL;
    if (memory) return copies;
    for (size_t i = 0; i < n; ++i) free(copies[i]);
    free(copies);
    return NULL;
}

/* An empty table with its names; n_classes is 0 for regression. NULL without memory. */
static kan_dataset *alloc_table(size_t n, size_t n_in, const char *const *inputs, size_t n_classes) {
    static const char *const classes[] = {"0", "1", "2"};
    assert(n_classes <= sizeof classes / sizeof *classes);
    const kan_task task = n_classes > 0 ? KAN_CLASSIFICATION : KAN_REGRESSION;
    const char *target = n_classes > 0 ? "class" : "target";
    kan_dataset *d = kan_dataset_alloc(task, n, n_in, n_classes > 0 ? n_classes : 1, false);
    if (!d) return NULL;
    d->input_names = copy_names(n_in, inputs);
    d->target_names = copy_names(1, &target);
    if (n_classes > 0) d->class_names = copy_names(n_classes, classes);
    if (d->input_names && d->target_names && (n_classes == 0 || d->class_names)) return d;
    kan_dataset_free(d);
    return NULL;
}

/* ---- regression -------------------------------------------------------------------------- */

/* A formula with the box of its inputs. */
typedef struct problem {
    kan_expression *expression;
    size_t n_in;
    const char **names; /* [n_in], of the expression */
    double *lo, *hi;    /* [n_in]                    */
} problem;

static void problem_clear(problem *p) {
    kan_expression_free(p->expression);
    free(p->names);
    free(p->lo);
    free(p->hi);
}

/* Applies ranges to the box. */
static kan_status set_ranges(problem *p, size_t n, const generator_range *ranges, kan_error *error) {
    for (size_t r = 0; r < n; ++r) {
        const char *variable = ranges[r].variable;
        const double lo = ranges[r].lo, hi = ranges[r].hi;
        if (!(lo < hi) || !isfinite(hi - lo))
            return kan_status_fail(error, KAN_ECONFIG,
                                   "range %g to %g of %s: it must be finite and rise", lo, hi,
                                   variable ? variable : "all variables");
        bool found = false;
        for (size_t i = 0; i < p->n_in; ++i) {
            if (variable && strcmp(variable, p->names[i]) != 0) continue;
            p->lo[i] = lo, p->hi[i] = hi;
            found = true;
        }
        if (!found)
            return kan_status_fail(error, KAN_ECONFIG, "range of %s: the formula has no such variable",
                                   variable);
    }
    return KAN_OK;
}

/* Reads the formula and settles its box. p is to be cleared whatever comes back. */
static kan_status problem_init(problem *p, const char *spec, const generator_options *options,
                               kan_error *error) {
    kan_error inner;
    p->expression = generator_expression(spec, options, &inner);
    if (!p->expression) return kan_status_fail(error, inner.status, "%s", inner.message);
    const size_t n = p->n_in = kan_expression_n_variables(p->expression);
    if (n == 0) return kan_status_fail(error, KAN_ECONFIG, "formula '%.200s' has no variables", spec);
    p->names = malloc(n * sizeof *p->names);
    p->lo = malloc(n * sizeof *p->lo);
    p->hi = malloc(n * sizeof *p->hi);
    if (!p->names || !p->lo || !p->hi)
        return kan_status_fail(error, KAN_ENOMEM, "no memory for %zu variables", n);
    for (size_t i = 0; i < n; ++i) {
        p->names[i] = kan_expression_variable(p->expression, i);
        if (strcmp(p->names[i], "target") == 0)
            return kan_status_fail(error, KAN_ECONFIG, "a variable cannot be called target");
        p->lo[i] = -1.0, p->hi[i] = 1.0;
    }
    const size_t g = find_generator(spec);
    if (g < generator_count()) {
        const generator own = generator_at(g);
        const kan_status status = set_ranges(p, own.n_ranges, own.ranges, error);
        if (status != KAN_OK) return status;
    }
    return set_ranges(p, options->n_ranges, options->ranges, error);
}

/* Says where the formula is not finite; of many inputs the first ones. */
static kan_status fail_not_finite(const problem *p, const double *x, kan_error *error) {
    char where[256] = "";
    size_t length = 0;
    for (size_t i = 0; i < p->n_in && length < sizeof where - 80; ++i) {
        const int n = snprintf(where + length, sizeof where - length, "%s%.40s=%.9g", i > 0 ? ", " : "",
                               p->names[i], x[i]);
        length += (size_t)n;
        if (i + 1 < p->n_in && length >= sizeof where - 80) strcat(where, ", ..");
    }
    return kan_status_fail(error, KAN_ENONFINITE,
                           "the formula is not finite at %s; choose another --range", where);
}

/* Makes a table of n rows of the formula, without noise; the caller frees it also after a failure. */
static kan_status make_rows(const problem *p, size_t n, kan_random random, kan_dataset **made,
                            kan_error *error) {
    kan_dataset *d = *made = alloc_table(n, p->n_in, p->names, 0);
    if (!d)
        return kan_status_fail(error, KAN_ENOMEM, "no memory for %zu rows of %zu inputs", n, p->n_in);
    for (size_t s = 0; s < n; ++s) {
        double *x = d->x + s * p->n_in;
        for (size_t i = 0; i < p->n_in; ++i)
            x[i] = p->lo[i] + (p->hi[i] - p->lo[i]) * kan_random_uniform(&random);
        d->y[s] = kan_expression_eval(p->expression, x);
        if (!isfinite(d->y[s])) return fail_not_finite(p, x, error);
    }
    return KAN_OK;
}

/* y += noise * sd(y) * normal, with sd^2 = mean of (y - mean of y)^2 */
static kan_status add_target_noise(kan_dataset *d, double noise, kan_random random, kan_error *error) {
    double mean = 0.0, square = 0.0;
    for (size_t s = 0; s < d->n; ++s) mean += d->y[s] / (double)d->n;
    for (size_t s = 0; s < d->n; ++s) square += (d->y[s] - mean) * (d->y[s] - mean) / (double)d->n;
    const double size = noise * sqrt(square);
    for (size_t s = 0; s < d->n; ++s) {
        d->y[s] += size * kan_random_normal(&random);
        if (!isfinite(d->y[s]))
            return kan_status_fail(error, KAN_ENONFINITE, "targets as large as %g cannot have noise",
                                   mean);
    }
    return KAN_OK;
}

static kan_status make_regression(const char *spec, const generator_options *o, kan_dataset **train,
                                  kan_dataset **test, kan_error *error) {
    problem p = {0};
    kan_status status = problem_init(&p, spec, o, error);
    if (status == KAN_OK)
        status = make_rows(&p, o->n_train, kan_random_seed(o->seed, TRAIN_INPUTS), train, error);
    if (status == KAN_OK)
        status = make_rows(&p, o->n_test, kan_random_seed(o->seed, TEST_INPUTS), test, error);
    if (status == KAN_OK && *o->noise > 0.0)
        status = add_target_noise(*train, *o->noise, kan_random_seed(o->seed, TRAIN_NOISE), error);
    problem_clear(&p);
    return status;
}

/* ---- classification ---------------------------------------------------------------------- */

/* A table of n points; NULL without memory. */
static kan_dataset *make_points(const source *from, size_t n, double noise, kan_random random,
                                kan_random noise_random) {
    static const char *const inputs[] = {"x", "y"};
    kan_dataset *d = alloc_table(n, 2, inputs, from->about.n_classes);
    for (size_t s = 0; d && s < n; ++s) {
        double *x = d->x + 2 * s;
        d->y[s] = (double)from->draw(&random, s, x);
        for (size_t i = 0; i < 2; ++i) x[i] += noise * kan_random_normal(&noise_random);
    }
    return d;
}

static kan_status make_classes(const source *from, const generator_options *o, kan_dataset **train,
                               kan_dataset **test, kan_error *error) {
    if (o->n_ranges > 0)
        return kan_status_fail(error, KAN_ECONFIG, "%s has no ranges to choose", from->about.name);
    const uint64_t seed = o->seed;
    *train = make_points(from, o->n_train, *o->noise, kan_random_seed(seed, TRAIN_INPUTS),
                         kan_random_seed(seed, TRAIN_NOISE));
    *test = make_points(from, o->n_test, *o->noise, kan_random_seed(seed, TEST_INPUTS),
                        kan_random_seed(seed, TEST_NOISE));
    if (*train && *test) return KAN_OK;
    return kan_status_fail(error, KAN_ENOMEM, "no memory for %zu and %zu points", o->n_train,
                           o->n_test);
}

/* ---- both -------------------------------------------------------------------------------- */

kan_status generator_make(const char *spec, const generator_options *options, kan_dataset **train,
                          kan_dataset **test, kan_error *error) {
    const size_t g = find_generator(spec);
    const generator about = g < generator_count() ? generator_at(g) : (generator){0};
    generator_options o = options ? *options : (generator_options){0};
    if (o.n_train == 0) o.n_train = 1000;
    if (o.n_test == 0) o.n_test = 1000;
    if (!o.noise) o.noise = &about.noise;

    *train = *test = NULL;
    if (!(*o.noise >= 0.0) || !isfinite(*o.noise))
        return kan_status_fail(error, KAN_ECONFIG, "noise %g: it must be finite and not negative",
                               *o.noise);
    const kan_status status = about.task == KAN_CLASSIFICATION
                                  ? make_classes(&sources[g], &o, train, test, error)
                                  : make_regression(spec, &o, train, test, error);
    if (status != KAN_OK) {
        kan_dataset_free(*train);
        kan_dataset_free(*test);
        *train = *test = NULL;
    }
    return status;
}
