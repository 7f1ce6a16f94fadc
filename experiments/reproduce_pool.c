/* experiments/reproduce_pool.c - worker processes. Each makes one run, writes its line into a pipe and ends; it dies
 * with the program. Processes and not threads: a run that crashes or runs out of memory takes nobody with it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "experiments/command.h"
#include "experiments/reproduce.h"

static bool write_all(int file, const char *text, size_t n) {
    while (n > 0) {
        const ssize_t written = write(file, text, n);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        text += written, n -= (size_t)written;
    }
    return true;
}

/* The life of a worker. Signals of the terminal are for the program to act on. */
static _Noreturn void work(const reproduce_run *r, int pipe, int program) {
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGTERM, SIG_DFL);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != program) _exit(1); /* it died before that */
    json_t *line = reproduce_train(r);
    char *text = line ? json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    _exit(text && write_all(pipe, text, strlen(text)) ? 0 : 1);
}

int reproduce_pool_start(reproduce_pool *p, reproduce_run *r) {
    reproduce_worker *w = p->workers;
    while (w->pid != 0) ++w;
    int ends[2];
    const int program = (int)getpid();
    if (pipe(ends) != 0) return complain(1, "cannot make a pipe: %s", strerror(errno));
    fflush(NULL);
    const pid_t pid = fork();
    if (pid < 0) {
        (void)close(ends[0]);
        (void)close(ends[1]);
        return complain(1, "cannot start a process: %s", strerror(errno));
    }
    if (pid == 0) {
        (void)close(ends[0]);
        work(r, ends[1], program);
    }
    (void)close(ends[1]);
    *w = (reproduce_worker){.pid = (int)pid, .pipe = ends[0], .run = r};
    r->state = REPRODUCE_BUSY;
    ++p->busy;
    return 0;
}

/* Reads what a worker wrote; true at the end of it. */
static bool listen_to(reproduce_worker *w) {
    enum { PIECE = 1 << 16 };
    char *text = realloc(w->text, w->length + PIECE);
    if (!text) return true;
    w->text = text;
    const ssize_t n = read(w->pipe, text + w->length, PIECE);
    if (n < 0) return errno != EINTR;
    w->length += (size_t)n;
    return n == 0;
}

static reproduce_run *finish(reproduce_pool *p, reproduce_worker *w, json_t **line) {
    reproduce_run *r = w->run;
    int status = 1;
    while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR) continue;
    *line = status == 0 && w->length > 0 ? json_loadb(w->text, w->length, 0, NULL) : NULL;
    (void)close(w->pipe);
    free(w->text);
    *w = (reproduce_worker){.pid = 0};
    --p->busy;
    return r;
}

reproduce_run *reproduce_pool_wait(reproduce_pool *p, json_t **line) {
    struct pollfd pipes[REPRODUCE_MAX_WORKERS];
    *line = NULL;
    while (p->busy > 0 && !interrupted) {
        for (size_t j = 0; j < p->n; ++j)
            pipes[j] = (struct pollfd){.fd = p->workers[j].pid ? p->workers[j].pipe : -1,
                                       .events = POLLIN};
        /* the signal may come just before poll: half a second is not long to wait */
        if (poll(pipes, p->n, 500) <= 0) continue;
        for (size_t j = 0; j < p->n; ++j)
            if (pipes[j].fd >= 0 && pipes[j].revents && listen_to(&p->workers[j]))
                return finish(p, &p->workers[j], line);
    }
    return NULL;
}

void reproduce_pool_stop(reproduce_pool *p) {
    for (size_t j = 0; j < p->n; ++j) {
        json_t *line = NULL;
        if (p->workers[j].pid == 0) continue;
        (void)kill(p->workers[j].pid, SIGKILL);
        (void)finish(p, &p->workers[j], &line);
        json_decref(line);
    }
}
