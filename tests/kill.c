/* tests/kill.c - kills `kan train` again and again and lets it go on, until it ends: the model is then that of a training
 * that nobody interrupted.
 *
 *     kill PROGRAM SAME_MODEL KILLS SEED      0: the same bits in every case; else 1, and what happened
 *
 * KILLS is for every case. The moments are drawn from SEED, from the start of the program to a little more than its length;
 * a program that was killed before its first checkpoint begins anew. A search (--effort) is stopped by the clock, so what
 * it is compared with is its own record, replayed in one go. The files are in memory where that is possible: a checkpoint
 * after every step is a thousand syncs.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/random.h"

enum { MAX_WORDS = 64 };

static const struct {
    const char *name, *command; /* words with one blank between them */
    bool search;
} cases[] = {
    {"lbfgs", "fn:hello --rows 200 --optimizer lbfgs --steps 120 --seeds 2", false},
    {"adam", "fn:hello --rows 200 --optimizer adam --steps 150 --batch 32", false},
    {"lm", "fn:hello --rows 200 --optimizer lm --steps 30 --seeds 2 --lamb 0.0001", false},
    {"mlp", "fn:moons --rows 200 --mlp 2,8,2 --optimizer adam --steps 150", false},
    {"ladder", "fn:hello --rows 60 --effort 0.25", true},
    {"restart", "fn:hello --rows 100 --mlp 2,5,1 --optimizer lbfgs --effort 0.2", true},
};
enum { N_CASES = sizeof cases / sizeof *cases };

static void fail(const char *what, const char *which) {
    fprintf(stderr, "kill: %s: %s\n", which, what);
    exit(1);
}

/* ---- one program -------------------------------------------------------------------------------- */

/* Starts `kan train` with the words of both texts. */
static pid_t start(char *program, const char *command, const char *more) {
    static char text[512], train[] = "train";
    char *words[MAX_WORDS] = {program, train};
    size_t n = 2;
    snprintf(text, sizeof text, "%s %s", command, more);
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) words[n++] = word;
    const pid_t child = fork();
    if (child != 0) return child;
    const int null = open("/dev/null", O_WRONLY), log = open("log", O_WRONLY | O_CREAT | O_TRUNC, 0666);
    dup2(null, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    execv(program, words);
    _exit(127);
}

/* Waits for its end. True if that was a good one, false if it was killed; anything else is a failure. */
static bool ended_well(pid_t child, const char *which) {
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) fail("waitpid", which);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) return false;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail("kan train failed: see the file log", which);
    return true;
}

static void train(char *program, const char *command, const char *more, const char *which) {
    if (!ended_well(start(program, command, more), which)) fail("somebody else killed it", which);
}

static void wait_seconds(double seconds) {
    const struct timespec time = {(time_t)seconds, (long)(1e9 * (seconds - (double)(time_t)seconds))};
    nanosleep(&time, NULL);
}

static void compare(const char *same_model, const char *which) {
    const pid_t child = fork();
    if (child == 0) {
        execl(same_model, same_model, "whole.kan", "pieces.kan", (char *)NULL);
        _exit(127);
    }
    int status = 1;
    waitpid(child, &status, 0);
    if (status != 0) fail("not the same model", which);
}

/* ---- one case ----------------------------------------------------------------------------------- */

/* One training in pieces; the number of kills in it, at most `most`. */
static size_t train_in_pieces(char *program, const char *command, double seconds, size_t most,
                              kan_random *random, const char *which) {
    static const char begin[] = "-o pieces.kan --checkpoint c --every 0";
    static const char go_on[] = "-o pieces.kan --checkpoint c --every 0 --resume c";
    size_t kills = 0;
    bool done = false;
    unlink("c");
    while (!done) {
        const pid_t child = start(program, command, access("c", F_OK) == 0 ? go_on : begin);
        if (kills < most) {
            wait_seconds(seconds * kan_random_uniform(random));
            kill(child, SIGKILL);
        }
        done = ended_well(child, which);
        kills += !done;
    }
    return kills;
}

static void run_case(char *program, const char *same_model, size_t c, size_t n_kills,
                     kan_random *random) {
    static const char whole[] = "-o whole.kan";
    static const char kept[] = "-o pieces.kan --checkpoint c --every 0";
    static const char again[] = "-o whole.kan --replay pieces.kan";
    const char *command = cases[c].command, *which = cases[c].name;
    const double begin = kan_clock_wall();
    train(program, command, kept, which);
    const double seconds = 1.1 * (kan_clock_wall() - begin);
    size_t kills = 0, trainings = 0;
    if (!cases[c].search) train(program, command, whole, which);
    for (; kills < n_kills; ++trainings) {
        kills += train_in_pieces(program, command, seconds, n_kills - kills, random, which);
        if (cases[c].search) train(program, command, again, which);
        compare(same_model, which);
    }
    printf("%-8s %zu kills in %zu trainings of %.2f s: the same bits\n", which, kills, trainings,
           seconds / 1.1);
}

/* With all that is in it: the temporary files of writers that were killed, too. */
static void remove_folder(const char *folder) {
    DIR *d = opendir(".");
    for (struct dirent *entry; d && (entry = readdir(d));) unlink(entry->d_name);
    if (d) closedir(d);
    rmdir(folder);
}

int main(int argc, char **argv) {
    char in_memory[] = "/dev/shm/kan_kill_XXXXXX", elsewhere[] = "/tmp/kan_kill_XXXXXX";
    if (argc != 5) fail("PROGRAM SAME_MODEL KILLS SEED", "usage");
    const char *folder = mkdtemp(in_memory);
    if (!folder) folder = mkdtemp(elsewhere);
    const size_t n_kills = strtoul(argv[3], NULL, 10);
    kan_random random = kan_random_seed(strtoull(argv[4], NULL, 10), 0);
    if (!folder || chdir(folder) != 0) fail("no folder", "/tmp");
    for (size_t c = 0; c < N_CASES; ++c) run_case(argv[1], argv[2], c, n_kills, &random);
    remove_folder(folder);
    return 0;
}
