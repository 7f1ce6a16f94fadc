/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "experiments/output.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "experiments/command.h"

static int fail(const char *path, int cause) {
    return complain(1, "%s: cannot write: %s", path ? path : "standard output", strerror(cause));
}

/* A rename would put a file in the place of a device or a pipe. */
static bool is_special(const char *path) {
    struct stat there;
    return stat(path, &there) == 0 && !S_ISREG(there.st_mode);
}

static bool is_directory(const char *path) {
    struct stat there;
    return stat(path, &there) == 0 && S_ISDIR(there.st_mode);
}

int output_check(const char *path) {
    if (!path) return 0;
    if (*path == '\0') return fail(path, ENOENT);
    if (is_directory(path)) return fail(path, EISDIR);
    if (is_special(path)) return access(path, W_OK) == 0 ? 0 : fail(path, errno);
    char *copy = strdup(path);
    if (!copy) return fail(path, ENOMEM);
    const char *folder = dirname(copy);
    int cause = access(folder, W_OK | X_OK) == 0 ? 0 : errno;
    if (cause == 0 && !is_directory(folder)) cause = ENOTDIR;
    free(copy);
    return cause == 0 ? 0 : fail(path, cause);
}

/* A new file beside path, whose name is kept in out. -1 and errno. */
static int create_temporary(output *out, const char *path) {
    const size_t size = strlen(path) + sizeof ".XXXXXX";
    out->temporary = malloc(size);
    int fd = -1;
    for (unsigned attempt = 0; out->temporary && attempt < 1000 && fd < 0; ++attempt) {
        snprintf(out->temporary, size, "%s.%06x", path, ((unsigned)getpid() + attempt) & 0xffffffU);
        fd = open(out->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd < 0 && errno != EEXIST) break;
    }
    return fd;
}

int output_open(output *out, const char *path) {
    *out = (output){.stream = stdout, .path = path};
    if (!path) return 0;
    if (output_check(path) != 0) return 1;
    const int fd = is_special(path) ? open(path, O_WRONLY | O_CLOEXEC) : create_temporary(out, path);
    out->stream = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (out->stream) return 0;
    const int cause = errno;
    if (fd >= 0) (void)close(fd);
    if (fd >= 0 && out->temporary) (void)unlink(out->temporary);
    free(out->temporary);
    return fail(path, cause);
}

int output_close(output *out, int keep) {
    int cause = 0;
    if (fflush(out->stream) != 0) cause = errno;
    if (cause == 0 && ferror(out->stream)) cause = EIO;
    if (cause == 0 && out->temporary && fsync(fileno(out->stream)) != 0) cause = errno;
    if (out->path && fclose(out->stream) != 0 && cause == 0) cause = errno;
    if (out->temporary) {
        if (keep && cause == 0 && rename(out->temporary, out->path) != 0) cause = errno;
        if (!keep || cause != 0) (void)unlink(out->temporary);
        free(out->temporary);
    }
    const char *path = out->path;
    *out = (output){.stream = NULL};
    return cause == 0 || !keep ? 0 : fail(path, cause);
}

void output_cell(FILE *stream, const char *text) {
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, stream);
        return;
    }
    fputc('"', stream);
    for (; *text; ++text) {
        if (*text == '"') fputc('"', stream);
        fputc(*text, stream);
    }
    fputc('"', stream);
}

int output_json(const char *path, json_t *value) {
    int status = 0;
    if (path && !value) {
        status = complain(1, "%s: cannot write: out of memory", path);
    } else if (path) {
        output out;
        status = output_open(&out, path);
        if (status == 0) {
            if (json_dumpf(value, out.stream, JSON_INDENT(1) | JSON_REAL_PRECISION(17)) != 0 ||
                fputc('\n', out.stream) == EOF) {
                status = fail(path, errno);
                (void)output_close(&out, 0);
            } else {
                status = output_close(&out, 1);
            }
        }
    }
    json_decref(value);
    return status;
}
