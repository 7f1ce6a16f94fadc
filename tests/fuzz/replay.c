/* tests/fuzz/replay.c - every input of the corpora once through its target, without libFuzzer.
 *
 *     replay FOLDER TARGET..      FOLDER/TARGET/ has the inputs of a target
 *
 * Fails where an input ends the program, where a target has no input, and where reading takes memory out of proportion: the
 * inputs are a few kilobytes, whatever sizes their headers claim.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "tests/fuzz/fuzz.h"

static const char *const names[] = {"", "csv", "npy", "idx", "gz", "model", "expression", "rows"};

static int target_of(const char *name) {
    for (int k = csv; k <= rows; ++k)
        if (strcmp(names[k], name) == 0) return k;
    return 0;
}

/* False where the file cannot be read. */
static int feed(const char *path) {
    enum { MOST = 1 << 16 };
    static uint8_t data[MOST];
    FILE *in = fopen(path, "rb");
    if (!in) return 0;
    const size_t size = fread(data, 1, MOST, in);
    const int good = !ferror(in) && feof(in);
    (void)fclose(in);
    if (good) (void)LLVMFuzzerTestOneInput(data, size);
    return good;
}

/* The number of inputs; 0 with a message. */
static size_t feed_folder(const char *folder, const char *target) {
    char path[4096];
    size_t n = 0;
    snprintf(path, sizeof path, "%s/%s", folder, target);
    DIR *open = opendir(path);
    fuzz_target = target_of(target);
    if (!open || !fuzz_target) {
        fprintf(stderr, "%s: %s\n", path, open ? "no such target" : strerror(errno));
        if (open) (void)closedir(open);
        return 0;
    }
    for (const struct dirent *e = readdir(open); e; e = readdir(open)) {
        if (e->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s/%s", folder, target, e->d_name);
        if (!feed(path)) {
            fprintf(stderr, "%s cannot be read\n", path);
            n = 0;
            break;
        }
        ++n;
    }
    (void)closedir(open);
    return n;
}

int main(int argc, char **argv) {
#ifdef __SANITIZE_ADDRESS__
    const long most = 1 << 20; /* kilobytes */
#else
    const long most = 100 << 10;
#endif
    if (argc < 3) return 2;
    for (int k = 2; k < argc; ++k) {
        const size_t n = feed_folder(argv[1], argv[k]);
        printf("%s: %zu inputs\n", argv[k], n);
        if (n < 2) return 1;
    }
    struct rusage used;
    (void)getrusage(RUSAGE_SELF, &used);
    if (used.ru_maxrss > most)
        fprintf(stderr, "%ld KB of memory, more than %ld\n", used.ru_maxrss, most);
    return used.ru_maxrss > most;
}
