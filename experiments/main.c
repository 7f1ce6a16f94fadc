/* experiments/main.c - the program `kan`: finds the command and calls it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gsl/gsl_errno.h>

#include "core/isa.h"
#include "experiments/command.h"

/* OpenBLAS has it, another BLAS has not. */
void openblas_set_num_threads(int n) __attribute__((weak));

static const struct {
    const char *name, *summary;
    int (*function)(int argc, char **argv);
} commands[] = {
    {"compare", "say whether a KAN or an MLP describes data better", command_compare},
    {"train", "train one model and save it", command_train},
    {"predict", "apply a saved model to data", command_predict},
    {"info", "say what is in a saved model", command_info},
    {"formula", "find the formula behind data", command_formula},
    {"prune", "take out of a saved KAN what matters little", command_prune},
    {"plot", "draw the network of a saved KAN", command_plot},
    {"export", "write a saved model as a C program", command_export},
    {"reproduce", "run the published tables again", command_reproduce},
    {"data", "list the data that need no file, or write them", command_data},
    {"bench", "measure how fast all of this is here", command_bench},
};

enum { N_COMMANDS = sizeof commands / sizeof *commands };

static void print_help(void) {
    printf("Usage: kan COMMAND [OPTION...]\n"
           "Kolmogorov-Arnold networks and multilayer perceptrons under the same rules.\n\n");
    for (size_t c = 0; c < N_COMMANDS; ++c)
        printf("  kan %-9s %s\n", commands[c].name, commands[c].summary);
    printf("\n  kan COMMAND --help   what a command takes\n"
           "  kan --version        which program this is\n");
}

/* The first signal asks for an end in good order; the second one finds the default action. */
static void interrupt(int number) {
    (void)number;
    interrupted = 1;
}

static void prepare_process(void) {
    const struct sigaction ask = {.sa_handler = interrupt,
                                  .sa_flags = (int)(SA_RESETHAND | SA_RESTART)};
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGINT, &ask, NULL);
    (void)sigaction(SIGTERM, &ask, NULL);
    (void)sigaction(SIGPIPE, &ignore, NULL);
    (void)sigaction(SIGXFSZ, &ignore, NULL); /* write then says that the file is too large */
    gsl_set_error_handler_off();
    /* the threads are ours; a BLAS with threads of its own inside them is slower */
    if (openblas_set_num_threads) openblas_set_num_threads(1);
}

/* The library ignores a wish that it cannot fulfil; a person who has one wants to know. */
static int check_isa(void) {
    const char *wish = getenv("KAN_ISA");
    const kan_isa isa = wish ? kan_isa_from_name(wish) : KAN_ISA_BASELINE;
    if (isa == KAN_N_ISAS) return complain(EXIT_USAGE, "KAN_ISA: '%s' is not baseline, v3 or v4", wish);
    if (!kan_isa_available(isa)) return complain(EXIT_USAGE, "KAN_ISA: this processor has no %s", wish);
    return 0;
}

static int run(int argc, char **argv) {
    const int wrong = check_isa();
    if (wrong) return wrong;
    if (argc < 2) return complain(EXIT_USAGE, "a command is missing (see kan --help)");
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-?") == 0) {
        print_help();
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        puts("kan " KAN_VERSION);
        return 0;
    }
    for (size_t c = 0; c < N_COMMANDS; ++c)
        if (strcmp(argv[1], commands[c].name) == 0) return commands[c].function(argc - 1, argv + 1);
    return complain(EXIT_USAGE, "there is no %s '%s' (see kan --help)",
                    argv[1][0] == '-' ? "option" : "command", argv[1]);
}

int main(int argc, char **argv) {
    prepare_process();
    const int status = run(argc, argv);
    if (fflush(stdout) == 0 && !ferror(stdout)) return status;
    /* whoever closed the pipe has seen enough */
    if (status != 0 || errno == EPIPE) return status ? status : 1;
    return complain(1, "standard output: cannot write: %s", strerror(errno));
}
