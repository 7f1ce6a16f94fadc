/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/work.h"
#include "kan/export.h"
#include "tests/support/kan_cases.h"

enum { N = 100 };

typedef struct net_case {
    size_t width[6], mult[6], arity[6], degree, n_cells, n_symbolic;
    kan_base base;
} net_case;

static net_case cases[] = {
    {.width = {2, 5, 1}},
    {.width = {3, 4, 2}, .degree = 7, .n_cells = 3, .base = KAN_BASE_IDENTITY, .n_symbolic = 5},
    {.width = {2, 1, 1}, .mult = {0, 2, 1}, .arity = {0, 3, 2}, .degree = 1, .base = KAN_BASE_ZERO},
    {.width = {2, 0, 1}, .mult = {0, 2}, .arity = {0, 2}, .n_cells = 1, .degree = 2, .n_symbolic = 9},
    {.width = {1, 1}, .n_cells = 40, .n_symbolic = 1}, /* no spline at all */
};

static kan_net *make_net(const net_case *p) {
    static const char *const names[] = {"sin", "exp(-x^2)", "tanh", "x^2", "j0", "abs", "step"};
    kan_net_config config = {.n_cells = p->n_cells, .degree = p->degree, .base = p->base};
    memcpy(config.width, p->width, sizeof p->width);
    memcpy(config.mult, p->mult, sizeof p->mult);
    memcpy(config.arity, p->arity, sizeof p->arity);
    kan_net *net = net_with_entropy(&config, true, 5);
    kan_random random = kan_random_seed(7, 0);
    for (size_t j = 0; j < p->n_symbolic; ++j) {
        const size_t l = j % kan_net_n_layers(net);
        const kan_edge edge = {l, kan_random_below(&random, kan_net_n_in(net, l)),
                               kan_random_below(&random, kan_net_n_out(net, l))};
        const kan_function *f = kan_function_find(names[j % 7]);
        if (!f) f = kan_function_find("gaussian");
        cr_assert(f != NULL);
        const kan_symbolic s = {f, draw(&random, -2.0, 2.0), draw(&random, -1.0, 1.0), 1.7, -0.3};
        cr_assert(kan_net_set_symbolic(net, edge, &s, NULL) == KAN_OK);
    }
    return net;
}

static void write_program(const char *path, const kan_net *net, size_t n_out) {
    FILE *stream = fopen(path, "w");
    cr_assert(stream != NULL);
    fputs("#include <math.h>\n#include <stdio.h>\n\n", stream);
    cr_assert(kan_export_c(net, stream, NULL) == KAN_OK);
    fprintf(stream,
            "int main(void)\n{\n    double x[%zu], y[%zu];\n    int j;\n"
            "    while (fread(x, sizeof x, 1, stdin) == 1) {\n        net(x, y);\n"
            "        for (j = 0; j < %zu; ++j) fwrite(&y[j], sizeof y[j], 1, stdout);\n    }\n    "
            "return 0;\n}\n",
            kan_net_n_in(net, 0), n_out, n_out);
    fclose(stream);
}

static void write_values(const char *path, size_t n, const double *values) {
    FILE *stream = fopen(path, "wb");
    cr_assert(stream && fwrite(values, sizeof *values, n, stream) == n);
    fclose(stream);
}

static void read_values(const char *path, size_t n, double *values) {
    FILE *stream = fopen(path, "rb");
    cr_assert(stream && fread(values, sizeof *values, n, stream) == n);
    fclose(stream);
}

ParameterizedTestParameters(export, the_program_computes_what_the_net_computes)
{ return cr_make_param_array(net_case, cases, sizeof cases / sizeof *cases); }

ParameterizedTest(net_case *p, export, the_program_computes_what_the_net_computes) {
    if (system("command -v cc >/dev/null 2>&1") != 0) cr_skip_test("no C compiler");
    char folder[] = "/tmp/kan_export_XXXXXX";
    cr_assert(mkdtemp(folder) != NULL && chdir(folder) == 0);
    kan_net *net = make_net(p);
    const size_t n_in = kan_net_model(net)->n_in, n_out = kan_net_model(net)->n_out;
    double *x = poisoned(N * n_in), *y = poisoned(N * n_out), *said = poisoned(N * n_out);
    kan_random random = kan_random_seed(8, 0);
    for (size_t j = 0; j < N * n_in; ++j) x[j] = draw(&random, -2.5, 2.5);
    net_forward(net, N, x, y);
    write_program("net.c", net, n_out);
    write_values("x", N * n_in, x);
    cr_assert(eq(
        int, system("cc -std=c99 -pedantic -Wall -Wextra -Werror net.c -o net -lm && ./net <x >y"), 0));
    read_values("y", N * n_out, said);
    for (size_t j = 0; j < N * n_out; ++j)
        cr_assert(epsilon_eq(dbl, said[j], y[j], 1e-12 * (1.0 + fabs(y[j]))), "value %zu", j);
    cr_assert(eq(int, system("rm -f net.c net x y"), 0));
    cr_assert(chdir("/") == 0 && rmdir(folder) == 0);
    kan_work_free(said);
    kan_work_free(y);
    kan_work_free(x);
    kan_net_free(net);
}

Test(export, refuses_a_function_without_a_form_in_c) {
    kan_error error;
    kan_net *net = net_with_entropy(&(kan_net_config){.width = {1, 1}}, false, 1);
    kan_function own = *kan_function_find("sin");
    own.name = "mine", own.c = NULL;
    cr_assert(kan_net_set_symbolic(net, (kan_edge){0, 0, 0}, &(kan_symbolic){&own, 1, 0, 1, 0}, NULL) ==
              KAN_OK);
    FILE *nowhere = fopen("/dev/null", "w");
    cr_assert(kan_export_c(net, nowhere, &error) == KAN_ECONFIG &&
              strstr(error.message, "mine") != NULL);
    fclose(nowhere);
    kan_net_free(net);
}
