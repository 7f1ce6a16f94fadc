/* What the command line may say, and what is said about the rest.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/redirect.h>

#include "experiments/command.h"
#include "experiments/options.h"

static const options_command everything = {
    .name = "kan test",
    .args_doc = "MODEL DATA",
    .min_arguments = 1,
    .max_arguments = 2,
    .doc = "",
    .takes = OPTIONS_TABLE | OPTIONS_TEST | OPTIONS_GENERATOR | OPTIONS_MODEL | OPTIONS_TRAINING |
             OPTIONS_THREADS | OPTIONS_OUTPUT | OPTIONS_JSON,
};

/* Parses a line of words between blanks, "kan test" left out. Texts in o point into the line. */
static int parse_as(const options_command *command, char *line, options *o) {
    char *argv[64] = {line};
    int argc = 1;
    for (char *word = strtok(line, " "); word && argc < 63; word = strtok(NULL, " "))
        argv[argc++] = word;
    return options_parse(command, argc, argv, o);
}

static int parse(char *line, options *o) {
    memset(o, 0xff, sizeof *o);
    return parse_as(&everything, line, o);
}

static bool same(const char *a, const char *b) {
    return strcmp(a, b) == 0;
}

/* ---- single values ------------------------------------------------------------------------------ */

Test(options, reads_whole_numbers_in_their_range_only) {
    size_t n = 77;
    cr_assert(eq(int, options_read_size("rows", "17", 3, 17, &n, NULL), KAN_OK));
    cr_assert(eq(sz, n, 17));
    static const char *const bad[] = {"",
                                      "2",
                                      "18",
                                      "-3",
                                      "+5",
                                      " 5",
                                      "5 ",
                                      "5x",
                                      "5.0",
                                      "1e1",
                                      "nan",
                                      "0x8",
                                      "18446744073709551621",
                                      "99999999999999999999"};
    for (size_t j = 0; j < sizeof bad / sizeof *bad; ++j) {
        kan_error error = {KAN_OK, ""};
        cr_assert(eq(int, options_read_size("rows", bad[j], 3, 17, &n, &error), KAN_ECONFIG), "'%s'",
                  bad[j]);
        cr_assert(eq(sz, n, 17), "'%s' changed the value", bad[j]);
        char expected[128];
        snprintf(expected, sizeof expected, "--rows %s: must be a whole number from 3 to 17", bad[j]);
        cr_assert(same(error.message, expected));
    }
}

Test(options, reads_finite_numbers_in_their_range_only) {
    double x = 77.0;
    cr_assert(eq(int, options_read_real("rate", "2.385e-3", 1e-4, 0.5, &x, NULL), KAN_OK));
    cr_assert(ieee_ulp_eq(dbl, x, 0.002385, 0));
    static const char *const bad[] = {"",    "nan",  "inf",  "-inf", "1e999",
                                      "0.6", "-0.1", "0.1x", "0,1",  "x"};
    for (size_t j = 0; j < sizeof bad / sizeof *bad; ++j) {
        kan_error error = {KAN_OK, ""};
        cr_assert(eq(int, options_read_real("rate", bad[j], 1e-4, 0.5, &x, &error), KAN_ECONFIG),
                  "'%s'", bad[j]);
        cr_assert(ieee_ulp_eq(dbl, x, 0.002385, 0));
        cr_assert(strstr(error.message, "--rate") && strstr(error.message, bad[j]), "%s",
                  error.message);
    }
}

Test(options, reads_shapes) {
    options_shape s;
    cr_assert(eq(int, options_read_shape("kan", "2,5,1", &s, NULL), KAN_OK));
    cr_assert(eq(sz, s.n_levels, 3));
    cr_assert(s.width[0] == 2 && s.width[1] == 5 && s.width[2] == 1);
    cr_assert(s.width[3] == 0 && s.mult[3] == 0);
    for (size_t l = 0; l < 3; ++l) cr_assert(eq(sz, s.mult[l], 0));
}

Test(options, reads_shapes_with_nodes_that_multiply) {
    options_shape s;
    cr_assert(eq(int, options_read_shape("kan", "4,3+2m,7m3,1m16", &s, NULL), KAN_OK));
    static const size_t width[] = {4, 3, 0, 0, 0}, mult[] = {0, 2, 7, 1, 0}, arity[] = {0, 2, 3, 16, 0};
    cr_assert(eq(sz, s.n_levels, 4));
    for (size_t l = 0; l < 5; ++l) {
        cr_assert(eq(sz, s.width[l], width[l]), "level %zu", l);
        cr_assert(eq(sz, s.mult[l], mult[l]), "level %zu", l);
        cr_assert(eq(sz, s.arity[l], arity[l]), "level %zu", l);
    }
}

Test(options, takes_as_many_levels_as_a_network_has) {
    options_shape s;
    kan_error error;
    cr_assert(eq(int,
                 options_read_shape("kan", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", &s, &error),
                 KAN_OK));
    cr_assert(eq(sz, s.n_levels, KAN_MAX_LEVELS));
    cr_assert(s.width[16] == 17 && s.width[17] == 0);
    cr_assert(eq(int,
                 options_read_shape("kan", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,1", &s, &error),
                 KAN_ECONFIG));
    cr_assert(strstr(error.message, "more than 17 levels") != NULL, "%s", error.message);
}

Test(options, refuses_what_is_no_shape) {
    static const char *const bad[] = {"",          "2",         "2,",
                                      ",2,1",      "2,,1",      "2,5,1,",
                                      "2,0,1",     "2,-5,1",    "2, 5,1",
                                      "2,5.5",     "2,x,1",     "m,1",
                                      "2m,1",      "2,3+,1",    "2,3+2,1",
                                      "2,3+2m1,1", "2,3+m,1",   "2,2m17,1",
                                      "2,2mm,1",   "1048577,1", "2,99999999999999999999999,1",
                                      "2;5;1"};
    for (size_t j = 0; j < sizeof bad / sizeof *bad; ++j) {
        options_shape s = {.text = "kept"};
        kan_error error = {KAN_OK, ""};
        cr_assert(eq(int, options_read_shape("kan", bad[j], &s, &error), KAN_ECONFIG), "'%s'", bad[j]);
        cr_assert(same(s.text, "kept"));
        cr_assert(strstr(error.message, "--kan") && strstr(error.message, bad[j]), "%s", error.message);
    }
}

Test(options, reads_grids_that_rise) {
    size_t n = 0, grids[OPTIONS_MAX_GRIDS];
    cr_assert(eq(int, options_read_grids("grid", "3,6,12", &n, grids, NULL), KAN_OK));
    cr_assert(eq(sz, n, 3));
    cr_assert(grids[0] == 3 && grids[1] == 6 && grids[2] == 12);
    cr_assert(eq(int, options_read_grids("grid", "100000", &n, grids, NULL), KAN_OK));
    cr_assert(n == 1 && grids[0] == 100000);
    static const char *const bad[] = {"",
                                      "0",
                                      "100001",
                                      "1e99",
                                      "3,3",
                                      "6,3",
                                      "3,",
                                      ",3",
                                      "3,x",
                                      "-1",
                                      "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17"};
    for (size_t j = 0; j < sizeof bad / sizeof *bad; ++j) {
        kan_error error = {KAN_OK, ""};
        cr_assert(eq(int, options_read_grids("grid", bad[j], &n, grids, &error), KAN_ECONFIG), "'%s'",
                  bad[j]);
        cr_assert(n == 1 && grids[0] == 100000);
        cr_assert(strstr(error.message, "--grid") != NULL, "%s", error.message);
    }
}

Test(options, reads_ranges_of_all_and_of_one) {
    options_range r;
    cr_assert(eq(int, options_read_range("range", "-1.5,2.385", &r, NULL), KAN_OK));
    cr_assert(same(r.name, "") && r.lo == -1.5 && r.hi == 2.385);
    cr_assert(eq(int, options_read_range("range", "x_1=-3e2,-0.25", &r, NULL), KAN_OK));
    cr_assert(same(r.name, "x_1") && r.lo == -300.0 && r.hi == -0.25);
    static const char *const bad[] = {
        "",
        "1",
        "1,",
        ",1",
        "1,1",
        "2,1",
        "nan,1",
        "0,inf",
        "0,1,2",
        "=0,1",
        "x=",
        "x=1",
        "-1e308,1e308",
        "x=0;1",
        "a234567890123456789012345678901234567890123456789012345678901234=0,1"};
    for (size_t j = 0; j < sizeof bad / sizeof *bad; ++j) {
        kan_error error = {KAN_OK, ""};
        cr_assert(eq(int, options_read_range("range", bad[j], &r, &error), KAN_ECONFIG), "'%s'",
                  bad[j]);
        cr_assert(same(r.name, "x_1"));
        cr_assert(strstr(error.message, "--range") != NULL, "%s", error.message);
    }
}

/* ---- whole command lines ------------------------------------------------------------------------ */

Test(options, are_all_zero_when_nothing_is_said) {
    char line[] = "model";
    options o;
    cr_assert(eq(int, parse(line, &o), 0));
    cr_assert(o.n_arguments == 1 && same(o.arguments[0], "model") && !o.arguments[1]);
    const char *const texts[] = {o.target, o.weight, o.test, o.test_rows, o.output, o.json};
    for (size_t j = 0; j < sizeof texts / sizeof *texts; ++j)
        cr_assert(texts[j] == NULL, "text %zu", j);
    cr_assert(o.task == KAN_TASK_AUTO && o.test_fraction == 0.0 && o.noise == 0.0 && !o.has_noise);
    cr_assert(o.rows == 0 && o.test_count == 0 && o.n_ranges == 0 && o.data_seed == 0 && o.seed == 0);
    cr_assert(o.n_kan == 0 && o.n_mlp == 0 && o.n_grids == 0 && o.degree == 0);
    cr_assert(o.has_base + o.has_activation + o.has_optimizer == 0);
    cr_assert(o.base == KAN_BASE_SILU && o.activation == KAN_SILU && o.optimizer == KAN_LBFGS);
    cr_assert(o.steps == 0 && o.batch == 0 && o.seeds == 0 && o.threads == 0);
    cr_assert(o.budget == 0.0 && o.rate == 0.0 && o.decay == 0.0);
}

Test(options, of_data_go_where_they_belong) {
    char line[] =
        "model data --target price --weight w --task classification --test-fraction 0.25 --rows 17 "
        "--test-count 23 --range -2,3 --range=q=-1,1 --noise 0.125 --data-seed 9007199254740992";
    options o;
    cr_assert(eq(int, parse(line, &o), 0));
    cr_assert(o.n_arguments == 2 && same(o.arguments[1], "data"));
    cr_assert(same(o.target, "price") && same(o.weight, "w"));
    cr_assert(eq(int, o.task, KAN_TASK_CLASSIFICATION));
    cr_assert(ieee_ulp_eq(dbl, o.test_fraction, 0.25, 0));
    cr_assert(o.rows == 17 && o.test_count == 23 && o.n_ranges == 2);
    cr_assert(same(o.ranges[0].name, "") && o.ranges[0].lo == -2.0);
    cr_assert(same(o.ranges[1].name, "q") && o.ranges[1].hi == 1.0);
    cr_assert(o.has_noise && o.noise == 0.125);
    cr_assert(eq(u64, o.data_seed, UINT64_C(9007199254740992)));
}

Test(options, of_models_and_training_go_where_they_belong) {
    char line[] =
        "model --kan 2,5,1 --kan 2,3+2m,1 --grid 7 --degree 2 --base identity --mlp 2,8,1 "
        "--activation gelu --optimizer adam --rate 0.02 --batch 32 --decay 0.5 --steps 12 --budget 1.5 "
        "--seeds 4 --seed 99 --threads 2 -o out.csv --json out.json";
    options o;
    cr_assert(eq(int, parse(line, &o), 0));
    cr_assert(o.n_kan == 2 && o.n_mlp == 1);
    cr_assert(o.kan[1].mult[1] == 2 && same(o.kan[1].text, "2,3+2m,1"));
    cr_assert(eq(sz, o.mlp[0].width[1], 8));
    cr_assert(o.n_grids == 1 && o.grids[0] == 7 && o.degree == 2);
    cr_assert(o.has_base && o.base == KAN_BASE_IDENTITY);
    cr_assert(o.has_activation && o.activation == KAN_GELU);
    cr_assert(o.has_optimizer && o.optimizer == KAN_ADAM);
    cr_assert(o.rate == 0.02 && o.decay == 0.5);
    cr_assert(ieee_ulp_eq(dbl, o.budget, 1.5, 0));
    cr_assert(o.batch == 32 && o.steps == 12 && o.seeds == 4 && o.threads == 2);
    cr_assert(eq(u64, o.seed, 99));
    cr_assert(same(o.output, "out.csv") && same(o.json, "out.json"));
}

/* The words of a choice are written once more in options.c: they must be those of the library. */
Test(options, call_bases_activations_and_precisions_as_the_library_does) {
    for (int b = 0; b < KAN_N_BASES; ++b) {
        char line[64];
        options o;
        snprintf(line, sizeof line, "model --base %s", kan_net_base_name((kan_base)b));
        cr_assert(eq(int, parse(line, &o), 0));
        cr_assert(o.has_base && o.base == (kan_base)b);
    }
    for (int a = 0; a < KAN_N_ACTIVATIONS; ++a) {
        char line[64];
        options o;
        snprintf(line, sizeof line, "model --activation %s", kan_activation_name((kan_activation)a));
        cr_assert(eq(int, parse(line, &o), 0));
        cr_assert(o.has_activation && o.activation == (kan_activation)a);
    }
    for (int p = 0; p < KAN_N_PRECISIONS; ++p) {
        char line[64];
        options o;
        snprintf(line, sizeof line, "model --precision %s", kan_model_precision_name((kan_precision)p));
        cr_assert(eq(int, parse(line, &o), 0));
        cr_assert(o.precision == (kan_precision)p);
    }
}

/* Each wrong line, and what its message must contain. */
static const struct {
    const char *line, *message;
} wrong[] = {
    {"", "MODEL is missing"},
    {"a b c", "'c'"},
    {"a --seeds 0", "--seeds 0:"},
    {"a --rows -5", "--rows -5:"},
    {"a --degree 9", "--degree 9:"},
    {"a --test-fraction 1.5", "--test-fraction 1.5:"},
    {"a --noise nan", "--noise nan:"},
    {"a --task both", "--task both: must be regression or classification"},
    {"a --base tanh", "--base tanh: must be silu, identity or zero"},
    {"a --optimizer sgd", "--optimizer sgd: must be lbfgs, adam or lm"},
    {"a --mlp 2,2m,1", "--mlp 2,2m,1:"},
    {"a --test x --test-rows y", "--test-rows"},
    {"a --test x --test-fraction 0.5", "--test-fraction"},
    {"a --data-seed 9007199254740993", "--data-seed 9007199254740993:"},
    {"a --unknown", "--unknown"},
    {"a --grid", "--grid"},
};

Test(options, refuse_a_wrong_line_in_one_line, .init = cr_redirect_stderr) {
    FILE *err = cr_get_redirected_stderr();
    for (size_t j = 0; j < sizeof wrong / sizeof *wrong; ++j) {
        char line[128], said[1024] = "";
        options o;
        snprintf(line, sizeof line, "%s", wrong[j].line);
        cr_assert(eq(int, parse(line, &o), EXIT_USAGE), "'%s'", wrong[j].line);
        fflush(stderr);
        cr_assert(fgets(said, sizeof said, err) != NULL, "'%s' said nothing", wrong[j].line);
        cr_assert(eq(int, strncmp(said, "kan: ", 5), 0), "%s", said);
        cr_assert(strstr(said, wrong[j].message) != NULL, "'%s' said: %s", wrong[j].line, said);
    }
    /* a second line of any of them would have been read as the first one of the next */
    fputs("end\n", stderr);
    fflush(stderr);
    char last[16] = "";
    cr_assert(fgets(last, sizeof last, err) != NULL && same(last, "end\n"), "%s", last);
}

Test(options, of_other_commands_are_refused_by_name, .init = cr_redirect_stderr) {
    options_command few = everything;
    few.takes = OPTIONS_JSON;
    options o;
    char good[] = "a --json x", bad[] = "a --seeds 3", said[256] = "";
    cr_assert(eq(int, parse_as(&few, good, &o), 0));
    cr_assert(eq(int, parse_as(&few, bad, &o), EXIT_USAGE));
    fflush(stderr);
    cr_assert(fgets(said, sizeof said, cr_get_redirected_stderr()) != NULL);
    cr_assert(strstr(said, "--seeds") && strstr(said, "kan test"), "%s", said);
}
