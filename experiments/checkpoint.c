/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "experiments/checkpoint.h"

#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/isa.h"
#include "experiments/command.h"
#include "experiments/output.h"
#include "experiments/report.h"

static const char *const format_version = "1";
static const double default_every = 60.0;

/* ---- what a checkpoint belongs to --------------------------------------------------------------- */

/* Says where two recipes differ first. */
static int complain_recipe(const checkpoint *c, const char *theirs) {
    const char *a = theirs, *b = c->recipe;
    while (*a && strcspn(a, "\n") == strcspn(b, "\n") && strncmp(a, b, strcspn(a, "\n") + 1) == 0) {
        a += strcspn(a, "\n") + 1;
        b += strcspn(b, "\n") + 1;
    }
    return complain(1, "%s: the checkpoint of another training: there '%.*s', here '%.*s'", c->from,
                    (int)strcspn(a, "\n"), a, (int)strcspn(b, "\n"), b);
}

static int check_resumed(const checkpoint *c) {
    const char *version = kan_file_get(c->resumed, "checkpoint"),
               *recipe = kan_file_get(c->resumed, "recipe"), *isa = kan_file_get(c->resumed, "kan.isa"),
               *program = kan_file_get(c->resumed, "kan.program_version");
    if (!version || !recipe || !isa || !program) return complain(1, "%s: not a checkpoint", c->from);
    if (strcmp(version, format_version) != 0)
        return complain(1, "%s: a checkpoint of version %.20s, known: %s", c->from, version,
                        format_version);
    if (strcmp(recipe, c->recipe) != 0) return complain_recipe(c, recipe);
    if (strcmp(program, KAN_VERSION) != 0)
        warn("%s: written by version %.20s, this is %s: the result may be another", c->from, program,
             KAN_VERSION);
    if (strcmp(isa, kan_isa_name(kan_isa_get())) != 0)
        warn("%s: made with the instruction set %.20s, here it is %s: last digits may differ", c->from,
             isa, kan_isa_name(kan_isa_get()));
    return 0;
}

/* Names of files may be anything, texts in a file are UTF-8. */
static char *make_recipe(const options *o) {
    char *raw = options_recipe(o);
    json_t *text = raw ? report_text(raw) : NULL;
    char *recipe = text ? strdup(json_string_value(text)) : NULL;
    json_decref(text);
    free(raw);
    return recipe;
}

int checkpoint_begin(checkpoint *c, const options *o) {
    kan_error error;
    *c = (checkpoint){.path = o->checkpoint,
                      .every = o->has_every ? o->every : default_every,
                      .last = kan_clock_wall(),
                      .from = o->resume};
    if (o->has_every && !o->checkpoint) return complain(EXIT_USAGE, "--every goes with --checkpoint");
    if (o->checkpoint && output_check(o->checkpoint) != 0) return 1;
    c->recipe = make_recipe(o);
    if (!c->recipe) return complain(1, "out of memory");
    if (!o->resume) return 0;
    c->resumed = kan_file_read(o->resume, &error);
    return c->resumed ? check_resumed(c) : complain(1, "%s", error.message);
}

void checkpoint_end(checkpoint *c) {
    free(c->recipe);
    kan_file_free(c->resumed);
    *c = (checkpoint){.path = NULL};
}

/* ---- levels ------------------------------------------------------------------------------------- */

bool checkpoint_resuming(const checkpoint *c) {
    return c && c->resumed;
}

void checkpoint_arrived(checkpoint *c) {
    if (!c) return;
    kan_file_free(c->resumed);
    c->resumed = NULL;
}

kan_status checkpoint_enter(checkpoint *c, const char *name, checkpoint_snapshot *snapshot,
                            void *context, kan_error *error) {
    if (!c) return KAN_OK;
    const size_t l = c->n_levels++;
    c->levels[l].name = name, c->levels[l].snapshot = snapshot, c->levels[l].context = context;
    if (!c->resumed) return KAN_OK;
    kan_error why = {.message = "out of memory"};
    kan_snapshot s = {.file = c->resumed, .loading = true, .error = &why};
    kan_snapshot_enter(&s, name);
    snapshot(context, &s);
    kan_snapshot_leave(&s);
    if (s.status == KAN_OK) return KAN_OK;
    const bool named = strncmp(why.message, c->from, strlen(c->from)) == 0;
    return kan_status_fail(error, s.status, "%s%s%s", named ? "" : c->from, named ? "" : ": ",
                           why.message);
}

void checkpoint_leave(checkpoint *c) {
    if (c) --c->n_levels;
}

/* ---- writing ------------------------------------------------------------------------------------ */

static kan_status add_texts(const checkpoint *c, kan_file *file, kan_error *error) {
    kan_status status = kan_file_set(file, "checkpoint", format_version, error);
    if (status == KAN_OK) status = kan_file_set(file, "recipe", c->recipe, error);
    if (status == KAN_OK) status = kan_file_set(file, "kan.isa", kan_isa_name(kan_isa_get()), error);
    if (status == KAN_OK) status = kan_file_set(file, "kan.program_version", KAN_VERSION, error);
    return status;
}

static kan_status write_all(const checkpoint *c, kan_error *error) {
    kan_file *file = kan_file_alloc();
    if (!file) return kan_status_fail(error, KAN_ENOMEM, "%s: out of memory", c->path);
    kan_snapshot s = {.file = file, .error = error};
    s.status = add_texts(c, file, error);
    for (size_t l = 0; l < c->n_levels && s.status == KAN_OK; ++l) {
        kan_snapshot_enter(&s, c->levels[l].name);
        c->levels[l].snapshot(c->levels[l].context, &s);
        kan_snapshot_leave(&s);
    }
    if (s.status == KAN_OK) s.status = kan_file_write(file, c->path, error);
    kan_file_free(file);
    return s.status;
}

void checkpoint_step(checkpoint *c) {
    kan_error error = {.message = "out of memory"};
    if (!c) return;
    const bool asked = interrupted && !c->stop;
    if (c->path && (asked || kan_clock_wall() - c->last >= c->every)) {
        const bool failed = write_all(c, &error) != KAN_OK;
        if (failed && !c->failed) warn("checkpoint: %s", error.message);
        c->failed = failed;
        c->last = kan_clock_wall();
    }
    if (interrupted) c->stop = 1;
}
