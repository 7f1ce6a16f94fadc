/* tests/support/fail_alloc.c - to be preloaded: in the whole program, libraries included, the allocation with the number
 * in KAN_FAIL_AT returns NULL, counted from 1 when all libraries are set up. With KAN_FAIL_FILE it appends a line there when
 * that happened, the file of the program or library that asked: a test then knows whether there are more to try.
 *
 * LLVM's OpenMP does not survive it (it aborts, reads NULL or waits for ever), so its requests are counted but granted.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static long left; /* until the failure; 0: none is to fail (any more) */
static const char *file;

__attribute__((constructor)) static void begin(void) {
    const char *at = getenv("KAN_FAIL_AT");
    file = getenv("KAN_FAIL_FILE");
    left = at ? strtol(at, NULL, 10) : 0;
}

static int fails(void *caller) {
    if (left == 0 || __atomic_sub_fetch(&left, 1, __ATOMIC_SEQ_CST) != 0) return 0;
    Dl_info who;
    const char *name = dladdr(caller, &who) && who.dli_fname ? who.dli_fname : "";
    const int fd = file ? open(file, O_WRONLY | O_CREAT | O_APPEND, 0666) : -1;
    if (fd >= 0) {
        (void)!write(fd, name, strlen(name));
        (void)!write(fd, "\n", 1);
        (void)close(fd);
    }
    if (strstr(name, "/libomp")) return 0;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size) {
    return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size) {
    return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *block, size_t size) {
    return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(block, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    return fails(__builtin_return_address(0)) ? NULL : __libc_memalign(alignment, size);
}
