/* experiments/provenance.h - what somebody else needs to run the same thing again.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_EXPERIMENTS_PROVENANCE_H
#define KAN_EXPERIMENTS_PROVENANCE_H

#include <jansson.h>

#include "core/sha256.h"
#include "experiments/source.h"

/* The command line as it must be typed, quoted for a shell: "kan", the command's name argv[0], and its
 * arguments. To be asked before these are read, which moves them. The caller frees it with free; NULL
 * without memory. */
char *provenance_command(int argc, char **argv);

/* {"command", "version", "machine": [[what, text], ..], "data": [[what, SHA-256], ..]}, and each of the
 * rows of `data` a file of source s (NULL: none), or the rows themselves where they are generated. Without
 * memory NULL. */
json_t *provenance_make(const char *command, const source *s, const options *o);

/* Adds a file, or both of "images:labels", to such a list; a file that cannot be read says so in place of
 * its sum. */
void provenance_add_file(json_t *list, const char *path);

/* SHA-256 of the rows as they are in memory, little-endian doubles (images: bytes): inputs and targets to
 * train on, then inputs and targets to test. */
void provenance_rows(const source *s, char digits[KAN_SHA256_SIZE]);

/* The name of the processor in text [size], "" where the system does not tell. */
void provenance_cpu(char *text, size_t size);

#endif
