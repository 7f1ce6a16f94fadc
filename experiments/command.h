/* experiments/command.h - what all commands of the program share: how they are called, how they end,
 * and how they say what went wrong.
 *
 * A command is called with argv[0] its own name, says everything that went wrong in one line on stderr,
 * and returns the exit status of the program.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_EXPERIMENTS_COMMAND_H
#define KAN_EXPERIMENTS_COMMAND_H

#include <signal.h>

/* Exit statuses beside 0 and 1: a command line that makes no sense (EX_USAGE of BSD, and argp's own),
 * and what shells report of a program that Ctrl-C ended. */
enum { EXIT_DIVERGED = 3, EXIT_USAGE = 64, EXIT_INTERRUPTED = 130 };

/* Set by the first SIGINT or SIGTERM; the second one ends the program. Long work looks at it. */
extern volatile sig_atomic_t interrupted;

/* "kan: " and the message in one line on stderr, whatever characters it has. Returns exit_status, so
 * that a command can end in one line. */
int complain(int exit_status, const char *format, ...) __attribute__((format(printf, 2, 3)));
#ifdef KAN_ANALYSIS
#define complain(...) known_failure(complain(__VA_ARGS__)) /* cmake/analysis.h */
#endif

/* The same with "kan: warning: ". */
void warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

int command_compare(int argc, char **argv);
int command_train(int argc, char **argv);
int command_predict(int argc, char **argv);
int command_info(int argc, char **argv);
int command_prune(int argc, char **argv);
int command_plot(int argc, char **argv);
int command_export(int argc, char **argv);
int command_data(int argc, char **argv);
int command_bench(int argc, char **argv);
int command_reproduce(int argc, char **argv);
int command_formula(int argc, char **argv);

#endif
