/* experiments/reproduce_run.c - one run: what determines it, and the training.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/isa.h"
#include "experiments/candidates.h"
#include "experiments/command.h"
#include "experiments/evidence.h"
#include "experiments/options.h"
#include "experiments/output.h"
#include "experiments/provenance.h"
#include "experiments/recipe.h"
#include "experiments/report.h"
#include "experiments/reproduce.h"
#include "experiments/source.h"
#include "kan/attribution.h"

/* ---- what determines it --------------------------------------------------------------------------- */

uint64_t reproduce_sum(uint64_t sum, const void *bytes, size_t n) {
    const unsigned char *at = bytes;
    for (size_t j = 0; j < n; ++j) sum = (sum ^ at[j]) * UINT64_C(0x100000001b3);
    return sum;
}

bool reproduce_sum_file(const char *path, uint64_t *sum) {
    char bytes[1 << 14];
    FILE *file = fopen(path, "rb");
    if (!file) return false;
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, file)) > 0;) *sum = reproduce_sum(*sum, bytes, n);
    const bool good = !ferror(file);
    (void)fclose(file);
    return good;
}

/* A text of an entry, "-" for NULL. */
static const char *or_dash(const char *text) {
    return text ? text : "-";
}

static const char *cells_of(const reproduce_run *r) {
    if (r->contender->cells) return r->contender->cells;
    return r->task->cells ? r->task->cells : r->experiment->cells[r->quick];
}

static size_t rows_of(const reproduce_run *r) {
    return r->task->rows ? r->task->rows : r->experiment->rows;
}

void reproduce_recipe(const reproduce_run *r, char *text, size_t size) {
    const reproduce_contender *c = r->contender;
    const reproduce_task *t = r->task;
    const effort_limits *e = &r->experiment->effort[r->quick];
    snprintf(
        text, size,
        "%s %s: data %s sum %016llx test %s split %s ranges %s rows %zu noise %.17g classes %d; %s %s "
        "method %d shape %s human %s equal %zu cells %s degree %zu number %zu activation %d init %d "
        "epochs "
        "%zu batch %zu rate %.17g decay %.17g precision %d; starts %zu steps %zu %zu generations %zu; "
        "seed "
        "%llu budget %.17g isa %s",
        r->experiment->name, t->name, t->data, (unsigned long long)r->data_sum, or_dash(t->test),
        or_dash(t->split), or_dash(t->ranges), rows_of(r), t->noise, t->classes, c->arm,
        family_name(c->family), (int)c->method, or_dash(c->shape), or_dash(t->shape), r->equal,
        or_dash(cells_of(r)), c->degree, c->number, (int)c->activation, (int)c->init,
        c->epochs[r->quick], c->batch, c->rate, c->decay, (int)c->precision, e->starts, e->round_steps,
        e->rung_steps, e->generations, (unsigned long long)r->seed, r->budget,
        kan_isa_name(kan_isa_get()));
}

/* A checksum of the program itself: another one may compute something else. */
static uint64_t program_sum(void) {
    static uint64_t sum = 0;
    if (sum != 0) return sum;
    sum = reproduce_sum(REPRODUCE_SUM, KAN_VERSION, sizeof KAN_VERSION);
    (void)reproduce_sum_file("/proc/self/exe", &sum);
    return sum;
}

void reproduce_set_key(reproduce_run *r) {
    char text[2048];
    reproduce_recipe(r, text, sizeof text);
    const uint64_t sum = reproduce_sum(program_sum(), text, strlen(text));
    snprintf(r->key, sizeof r->key, "%016llx", (unsigned long long)sum);
}

/* ---- from the entry to options ---------------------------------------------------------------------- */

enum { PATH_SIZE = 1024 };

/* Texts that options point to. */
typedef struct texts {
    char data[2 * PATH_SIZE], test[2 * PATH_SIZE], split[PATH_SIZE], shape[256];
} texts;

/* "FOLDER/path", of "images:labels" both. */
static void join(const char *folder, const char *path, char *text, size_t size) {
    const char *colon = strchr(path, ':');
    if (colon)
        snprintf(text, size, "%s/%.*s:%s/%s", folder, (int)(colon - path), path, folder, colon + 1);
    else
        snprintf(text, size, "%s/%s", folder, path);
}

static kan_status read_ranges(const char *text, options *o, kan_error *error) {
    char copy[512], *rest = copy;
    snprintf(copy, sizeof copy, "%s", text ? text : "");
    for (char *one; (one = strsep(&rest, ";")) != NULL;) {
        if (!*one) continue;
        const kan_status status = options_read_range("range", one, &o->ranges[o->n_ranges], error);
        if (status != KAN_OK) return status;
        ++o->n_ranges;
    }
    return KAN_OK;
}

/* Where the rows come from. */
static kan_status set_data(const reproduce_run *r, options *o, texts *t, kan_error *error) {
    const reproduce_task *task = r->task;
    o->data_seed = r->seed;
    if (task->classes) o->task = KAN_TASK_CLASSIFICATION;
    if (source_is_generator(task->data)) {
        snprintf(t->data, sizeof t->data, "%s", task->data);
        o->rows = rows_of(r);
        o->has_noise = task->noise > 0.0;
        o->noise = task->noise;
        o->task = KAN_TASK_AUTO;
        return read_ranges(task->ranges, o, error);
    }
    join(r->folder, task->data, t->data, sizeof t->data);
    if (strchr(task->data, ':')) o->task = KAN_TASK_AUTO;
    if (task->test) {
        join(r->folder, task->test, t->test, sizeof t->test);
        o->test = t->test;
    }
    if (task->split) {
        join(r->folder, task->split, t->split, sizeof t->split);
        o->test_rows = t->split;
    }
    return KAN_OK;
}

/* "n,w,w,c" with the largest w that has at most `most` parameters, or, with biases = 0, weights. */
static void write_equal(size_t n_in, size_t n_out, size_t biases, size_t most, char *text,
                        size_t size) {
    size_t w = 1;
    while ((n_in + biases) * (w + 1) + (w + 1 + biases) * (w + 1) + (w + 1 + biases) * n_out <= most)
        ++w;
    snprintf(text, size, "%zu,%zu,%zu,%zu", n_in, w, w, n_out);
}

/* The shape of an entry for that many inputs and outputs: its letters n and c are numbers. */
static void write_shape(const reproduce_run *r, const kan_dataset *d, char *text, size_t size) {
    const char *shape = r->contender->shape ? r->contender->shape : r->task->shape;
    const bool as_many_flops = strcmp(shape, "flops") == 0;
    if (as_many_flops || strcmp(shape, "equal") == 0) {
        write_equal(d->n_in, d->n_out, as_many_flops ? 0 : 1, r->equal, text, size);
        return;
    }
    size_t used = 0;
    for (const char *c = shape; *c && used + 24 < size; ++c)
        if (*c == 'n' || *c == 'c')
            used += (size_t)snprintf(text + used, size - used, "%zu", *c == 'n' ? d->n_in : d->n_out);
        else
            text[used++] = *c;
    text[used] = '\0';
}

/* The configuration that is trained. */
static kan_status make_candidate(const reproduce_run *r, const kan_dataset *d, options *o, texts *t,
                                 candidate *made, kan_error *error) {
    const reproduce_contender *c = r->contender;
    const size_t epochs = c->epochs[r->quick];
    if (c->method == REPRODUCE_CANDIDATE) {
        candidate list[CANDIDATES];
        candidates_make(c->family, d, list);
        *made = list[c->number];
        if (c->cells) made->net.n_cells = strtoul(c->cells, NULL, 10);
        if (c->rate > 0.0) made->train.rate = c->rate;
        if (c->decay > 0.0) made->train.weight_decay = c->decay;
        const size_t epoch = made->train.batch ? (d->n + made->train.batch - 1) / made->train.batch : 1;
        if (epochs > 0 && epochs * epoch < made->train.steps) made->train.steps = epochs * epoch;
        return KAN_OK;
    }
    if (c->method == REPRODUCE_SEARCH && d->bytes)
        return kan_status_fail(error, KAN_ECONFIG, "images have too many inputs for least squares");
    options_shape shape;
    write_shape(r, d, t->shape, sizeof t->shape);
    kan_status status = options_read_shape(family_name(c->family), t->shape, &shape, error);
    if (status == KAN_OK && c->family == FAMILY_KAN && cells_of(r))
        status = options_read_grids("grid", cells_of(r), &o->n_grids, o->grids, error);
    if (status != KAN_OK) return status;
    o->degree = c->degree;
    o->activation = c->activation;
    o->precision = c->precision;
    if (c->method == REPRODUCE_SEARCH) {
        o->effort = 1.0;
    } else {
        o->has_optimizer = true, o->optimizer = KAN_ADAM;
        o->rate = c->rate, o->batch = c->batch;
        o->has_decay = true, o->decay = c->decay;
        o->steps = epochs * ((d->n + c->batch - 1) / c->batch);
    }
    if (recipe_make(o, d, c->family, &shape, made) != 0)
        return kan_status_fail(error, KAN_ECONFIG, "no such model");
    made->net.init = c->init;
    return KAN_OK;
}

/* ---- the result ------------------------------------------------------------------------------------- */

/* Multiply-adds of a forward pass of one sample: W x of an MLP; of a KAN degree + 1 splines an edge and a base function
 * where there is one, and for each input their values, degree (degree + 1). */
static double count_flops(const trained *t) {
    const candidate *c = &t->candidate;
    const kan_net_config *net = t->net ? kan_net_get_config(t->net) : NULL;
    double sum = 0.0;
    for (size_t l = 0; l + 1 < KAN_MAX_LEVELS; ++l) {
        if (net) {
            const double k = (double)net->degree, base = net->base == KAN_BASE_ZERO ? 0.0 : 1.0;
            const size_t arity = net->arity[l + 1] ? net->arity[l + 1] : 2;
            const double in = (double)(net->width[l] + net->mult[l]),
                         out = (double)(net->width[l + 1] + net->mult[l + 1] * arity);
            sum += out > 0.0 ? in * out * (k + 1.0 + base) + in * k * (k + 1.0) : 0.0;
            if (out == 0.0) break;
        } else {
            if (c->mlp.width[l + 1] == 0) break;
            sum += (double)c->mlp.width[l] * (double)c->mlp.width[l + 1];
        }
    }
    return sum;
}

/* Scores of the inputs for the outputs together (kan/attribution.h) by name, largest one 1. */
static json_t *make_scores(const trained *t, const kan_dataset *scaled) {
    enum { MOST = 200 };
    kan_error error;
    if (!t->net || !scaled->x || scaled->n_in > MOST) return json_null();
    kan_attribution *a = kan_attribution_alloc(t->net, scaled->n < 5000 ? scaled->n : 5000, scaled->x,
                                               &error);
    json_t *scores = json_object();
    double most = 0.0;
    for (size_t i = 0; a && i < a->n_in; ++i) most = fmax(most, a->nodes[0][i]);
    for (size_t i = 0; a && scores && i < a->n_in; ++i) {
        char number[32];
        snprintf(number, sizeof number, "%zu", i);
        (void)json_object_set_new(scores, scaled->input_names ? scaled->input_names[i] : number,
                                  report_real(most > 0.0 ? a->nodes[0][i] / most : 0.0));
    }
    kan_attribution_free(a);
    return scores;
}

static json_t *begin_line(const reproduce_run *r) {
    char recipe[2048];
    reproduce_recipe(r, recipe, sizeof recipe);
    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:s, s:s}", "key", r->key, "experiment",
                     r->experiment->name, "task", r->task->name, "arm", r->contender->arm, "seed",
                     (json_int_t)r->seed, "version", KAN_VERSION, "recipe", recipe);
}

/* A file of its own: lines of the store are for numbers. */
kan_status reproduce_leave(const reproduce_run *r, json_t *evidence, kan_error *error) {
    char path[2 * PATH_SIZE];
    if (!evidence) return kan_status_fail(error, KAN_ENOMEM, "out of memory");
    reproduce_evidence_path(r->evidence, r->key, path, sizeof path);
    return output_json(path, evidence) == 0
               ? KAN_OK
               : kan_status_fail(error, KAN_EIO, "%s: cannot be written", path);
}

/* What a trained model shows of itself, in full its formula too, which takes its time. Models that cannot be shown are
 * results as well. */
static kan_status leave_evidence(const reproduce_run *r, const problem *p, const trained *t,
                                 const source *s, kan_error *error) {
    char digits[KAN_SHA256_SIZE];
    const bool shown = strcmp(r->contender->arm, "kan") == 0 || strcmp(r->contender->arm, "mlp") == 0;
    if (!r->evidence || !shown) return KAN_OK;
    json_t *evidence = evidence_make(p, t, s->test, error);
    if (!evidence) return error->status == KAN_ENOMEM ? KAN_ENOMEM : KAN_OK;
    if (s->is_generator) {
        provenance_rows(s, digits);
        json_object_set_new(evidence, "data_sha256", json_string(digits));
    }
    if (!r->quick && evidence_add_formula(evidence, p, t, s->train, s->test, error) == KAN_ENOMEM) {
        json_decref(evidence);
        return KAN_ENOMEM;
    }
    return reproduce_leave(r, evidence, error);
}

static void describe_data(json_t *line, const source *s) {
    json_object_set_new(line, "n_train", json_integer((json_int_t)s->train->n));
    json_object_set_new(line, "n_test", json_integer((json_int_t)s->test->n));
    json_object_set_new(line, "n_in", json_integer((json_int_t)s->train->n_in));
}

/* The share of the seconds for the training on four fifths of the rows; at most 5/4 of it go to that on all of them. */
static double seconds_to_fit(const reproduce_run *r) {
    return r->contender->as_long ? r->budget / (1.0 + 5.0 / 4.0) : r->budget;
}

static kan_status train(const reproduce_run *r, const source *s, options *o, texts *names, json_t *line,
                        kan_error *error) {
    candidate c;
    problem p = {.fit = NULL};
    trained *t = calloc(1, sizeof *t);
    kan_status status = t ? KAN_OK : kan_status_fail(error, KAN_ENOMEM, "out of memory");
    if (status == KAN_OK) status = make_candidate(r, s->train, o, names, &c, error);
    if (status == KAN_OK) status = problem_make(s->train, r->seed, &p, error);
    if (status == KAN_OK && r->contender->method == REPRODUCE_SEARCH) {
        effort_limits limits = r->experiment->effort[r->quick];
        limits.seconds = r->budget;
        status = effort_train(&c, &p, s->test, r->seed, &limits, NULL, NULL, t, error);
    } else if (status == KAN_OK) {
        status = protocol_train(&c, &p, r->seed, seconds_to_fit(r), NULL, NULL, t, error);
        if (status == KAN_OK) status = protocol_refit(t, &p, NULL, error);
    }
    if (status == KAN_OK) status = problem_evaluate(&p, t->model, s->test, &t->test, error);
    if (status == KAN_OK) status = leave_evidence(r, &p, t, s, error);
    if (status == KAN_OK) {
        json_t *run = report_run(s->train->task, t);
        json_object_del(run, "seed");
        json_object_update(line, run);
        json_decref(run);
        json_object_set_new(line, "wall_seconds", report_real(t->wall_seconds));
        json_object_set_new(line, "flops", report_real(count_flops(t)));
        json_object_set_new(line, "scores", make_scores(t, p.fit));
    }
    if (t) trained_free(t);
    free(t);
    problem_free(&p);
    return status;
}

json_t *reproduce_train(const reproduce_run *r) {
    kan_error error = {.status = KAN_OK, .message = ""};
    options *o = calloc(1, sizeof *o);
    texts *t = calloc(1, sizeof *t);
    source s = {.name = NULL};
    json_t *line = begin_line(r);
    kan_status status = o && t && line ? KAN_OK : KAN_ENOMEM;
    if (status == KAN_OK && r->contender->method == REPRODUCE_CONTINUAL) {
        status = reproduce_train_peaks(r, line, &error);
    } else if (status == KAN_OK) {
        status = set_data(r, o, t, &error);
        if (status == KAN_OK && source_read(t->data, o, &s) != 0)
            status = kan_status_fail(&error, KAN_EIO, "the data could not be read");
        if (status == KAN_OK) describe_data(line, &s);
        if (status == KAN_OK) status = train(r, &s, o, t, line, &error);
    }
    /* what memory is short for may be possible another time; all else is a result */
    if (status == KAN_ENOMEM) {
        json_decref(line);
        line = NULL;
    } else if (status != KAN_OK) {
        json_object_set_new(line, "failed", report_text(error.message));
    }
    source_free(&s);
    free(t);
    free(o);
    return line;
}
