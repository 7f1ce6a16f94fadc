/* experiments/reproduce_store.c - finished runs, a line each, that survive whatever ends the program.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "experiments/command.h"
#include "experiments/reproduce.h"

static int fail(const reproduce_store *s, const char *what) {
    return complain(1, "%s: %s: %s", s->path, what, strerror(errno));
}

/* The whole file as a text; NULL and errno. */
static char *read_all(int file, size_t *length) {
    struct stat about;
    if (fstat(file, &about) != 0) return NULL;
    char *text = malloc((size_t)about.st_size + 1);
    size_t n = 0;
    while (text && n < (size_t)about.st_size) {
        const ssize_t got = pread(file, text + n, (size_t)about.st_size - n, (off_t)n);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        n += (size_t)got;
    }
    if (text) text[n] = '\0';
    *length = n;
    return text;
}

/* Takes over the lines of a text; returns the length of what ends with a line end. */
static size_t take_lines(reproduce_store *s, const char *text, size_t length) {
    size_t begin = 0;
    for (const char *end; (end = memchr(text + begin, '\n', length - begin)) != NULL;) {
        json_t *line = json_loadb(text + begin, (size_t)(end - text) - begin, 0, NULL);
        const char *key = json_string_value(json_object_get(line, "key"));
        if (key)
            (void)json_object_set(s->lines, key, line);
        else
            ++s->n_torn;
        json_decref(line);
        begin = (size_t)(end - text) + 1;
    }
    return begin;
}

static int read_lines(reproduce_store *s, bool resume) {
    size_t length = 0;
    char *text = read_all(s->file, &length);
    if (!text) return fail(s, "cannot read");
    const size_t whole = take_lines(s, text, length);
    free(text);
    if (!resume && whole > 0)
        return complain(
            1, "%s: has %zu finished runs: --resume goes on with them, --out chooses another place",
            s->path, json_object_size(s->lines));
    if (whole == length) return 0;
    ++s->n_torn;
    return ftruncate(s->file, (off_t)whole) == 0 ? 0 : fail(s, "cannot cut off a torn line");
}

int reproduce_store_open(reproduce_store *s, const char *directory, bool resume) {
    *s = (reproduce_store){.file = -1};
    s->lines = json_object();
    if (!s->lines || asprintf(&s->path, "%s/runs.jsonl", directory) < 0) {
        s->path = NULL;
        return complain(1, "out of memory");
    }
    if (mkdir(directory, 0777) != 0 && errno != EEXIST)
        return complain(1, "%s: cannot make the directory: %s", directory, strerror(errno));
    s->file = open(s->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (s->file < 0) return fail(s, "cannot open");
    /* a lock of POSIX: the workers do not inherit it, so it dies with the program */
    const struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(s->file, F_SETLK, &lock) != 0) return fail(s, "in use by another kan reproduce");
    return read_lines(s, resume);
}

int reproduce_store_append(reproduce_store *s, json_t *line) {
    char *text = json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(17));
    char *whole = NULL;
    int n = text ? asprintf(&whole, "%s\n", text) : -1;
    free(text);
    if (n < 0) return complain(1, "out of memory");
    const ssize_t written = write(s->file, whole, (size_t)n);
    free(whole);
    if (written != (ssize_t)n || fsync(s->file) != 0) return fail(s, "cannot write");
    (void)json_object_set(s->lines, json_string_value(json_object_get(line, "key")), line);
    return 0;
}

void reproduce_store_close(reproduce_store *s) {
    if (s->file >= 0) (void)close(s->file);
    free(s->path);
    json_decref(s->lines);
    *s = (reproduce_store){.file = -1};
}
