/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kan/discover.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "kan/form.h"
#include "kan/inputs.h"
#include "kan/polish.h"
#include "kan/reading.h"
#include "train/smooth.h"

enum {
    LEAST_ROWS = 20,
    MOST_FORMULAS = 64,
    MOST_HEADS = 16,
    READ_FIRST = 3,   /* sums */
    SWAP_ROUNDS = 3,  /* over the parts of a reading */
    BEST_HEADS = 3,   /* with more than one product */
    SCREEN_HEADS = 5, /* of pairs */
    BEAM = 3,
    MOST_PAIRS = 4, /* one after the other */
    BESIDE = 4      /* forms without a better formula, before the best one may be called all there is */
};

/* The share of the spread of y that a form may miss at most to be read. */
static const double hopeless = 0.3;

/* Everything that a search knows. */
typedef struct hunt {
    const kan_dataset *d;
    const char *const *names;
    kan_discover_options options; /* defaults filled in */
    kan_dataset *fit, *held;
    double *y;       /* [d->n] the target */
    double spread;   /* standard deviation of y */
    double rounding; /* error that counts as rounding */
    double began;
    kan_formula pool[MOST_FORMULAS];
    size_t n_pool;
    double best_form; /* smallest error of a form so far, over the spread */
    bool exact, settled;
    kan_meter meter;
    double held_spread;                /* of y on the rows held back */
    const kan_expression *tested;      /* the formula whose residuals were looked at last */
    const kan_expression *leader;      /* the best formula, */
    size_t beside;                     /* and how many forms were fitted since it was found */
    inputs *given;                     /* the inputs as they are */
    const kan_head *heads[MOST_HEADS]; /* [n_heads] that fit y */
    size_t n_heads;
} hunt;

static bool is_over(hunt *h) {
    return h->exact || h->settled || kan_meter_is_over(&h->meter);
}

/* n log(rmse^2) + complexity log(n), rmse not below rounding: what a formula is chosen by. */
static double description(const hunt *h, const kan_formula *f) {
    const double n = (double)h->d->n, least = h->rounding;
    return 2.0 * n * log(fmax(f->rmse, least)) + f->complexity * log(n);
}

/* Takes the formula over. */
static void keep(hunt *h, const kan_formula *f) {
    size_t at = h->n_pool;
    if (at == MOST_FORMULAS) { /* the worst one goes */
        at = 0;
        for (size_t j = 1; j < h->n_pool; ++j)
            if (description(h, &h->pool[j]) > description(h, &h->pool[at])) at = j;
        kan_expression_free(h->pool[at].expression);
    } else {
        ++h->n_pool;
    }
    h->pool[at] = *f;
    h->exact |= f->to_rounding;
}

/* ---- readings ------------------------------------------------------------------------------------- */

/* The formula of a choice, its constants fitted to all rows; *made = NULL where it cannot be (not finite). */
static kan_status try_choice(hunt *h, const inputs *v, const reading *r, const size_t *choice,
                             kan_expression **made, double *rmse, kan_error *error) {
    *made = NULL, *rmse = INFINITY;
    char *text = reading_formula(r, choice, (const char *const *)v->names);
    if (!text) return kan_status_fail(error, KAN_ENOMEM, "discover: out of memory");
    kan_expression *e = kan_expression_parse_with(text, h->d->n_in, h->names, error);
    free(text);
    if (!e) return error->status;
    const kan_status status = kan_polish_fit(e, h->d, h->names, h->options.target, &h->meter, rmse,
                                             error);
    if (status == KAN_OK) {
        *made = e;
        return KAN_OK;
    }
    kan_expression_free(e);
    *rmse = INFINITY;
    return status == KAN_ENONFINITE ? KAN_OK : status;
}

/* Goes over to another candidate of one part as long as that makes the error smaller. */
static kan_status improve(hunt *h, const inputs *v, const reading *r, size_t *choice,
                          kan_expression **best, double *rmse, kan_error *error) {
    kan_status status = try_choice(h, v, r, choice, best, rmse, error);
    bool better = true;
    for (size_t round = 0; better && round < SWAP_ROUNDS; ++round) {
        better = false;
        for (size_t p = 0; p < r->n_parts; ++p)
            for (size_t c = 0; c < r->parts[p].n; ++c) {
                if (status != KAN_OK || is_over(h) || *rmse <= h->rounding) return status;
                const size_t before = choice[p];
                if (c == before) continue;
                kan_expression *e;
                double with;
                choice[p] = c;
                status = try_choice(h, v, r, choice, &e, &with, error);
                if (e && with < 0.99 * *rmse) {
                    kan_expression_free(*best);
                    *best = e, *rmse = with, better = true;
                } else {
                    kan_expression_free(e);
                    choice[p] = before;
                }
            }
    }
    return status;
}

/* The constants of f->expression at values with a name, and what the formula is worth. */
static kan_status polish(hunt *h, kan_formula *f, kan_error *error) {
    const size_t target = h->options.target;
    kan_status status = kan_polish_formula(&f->expression, h->d, h->names, target, &h->meter, &f->rmse,
                                           error);
    if (status == KAN_OK)
        status = kan_polish_measure(f->expression, h->held, h->names, target, &f->validation, error);
    f->complexity = kan_expression_complexity(f->expression);
    f->to_rounding = f->rmse <= h->rounding;
    return status;
}

static kan_status read_form(hunt *h, const inputs *v, const kan_form_fit *fit, kan_error *error) {
    reading *r = reading_alloc(fit, v->all->n, v->all->x, &h->meter, error);
    size_t *choice = r ? calloc(r->n_parts, sizeof *choice) : NULL;
    kan_expression *e = NULL;
    double rmse = INFINITY;
    kan_status status = choice ? improve(h, v, r, choice, &e, &rmse, error)
                               : kan_status_fail(error, KAN_ENOMEM, "discover: out of memory");
    kan_formula f = {.expression = e, .rmse = rmse};
    if (status == KAN_OK && e) status = polish(h, &f, error);
    if (status == KAN_OK && e)
        keep(h, &f);
    else
        kan_expression_free(f.expression);
    free(choice);
    reading_free(r);
    return status;
}

/* ---- noise ------------------------------------------------------------------------------------------- */

/* A formula is not all there is whose residuals can be predicted, which by chance they seem to be with this probability;
 * nor one that the best network beats on unseen rows by more than luck over sqrt(rows) of its error: some twenty networks were
 * compared by these rows, and where they are off by a fifth of the noise, the luckiest gains about so much. */
static const double by_chance = 0.02, luck = 0.5;

/* Share of the spread of y below which errors are those of imitations (and of rounding), not of noise. */
static const double least_noise = 1e-6;

/* Ends the search where the best formula is all there is: BESIDE further forms gave no better one, no network is better
 * on rows that were held back, and what it leaves cannot be predicted. */
static kan_status settle(hunt *h, kan_error *error) {
    if (h->n_pool == 0 || is_over(h)) return KAN_OK;
    const kan_formula *best = &h->pool[0];
    for (size_t j = 1; j < h->n_pool; ++j)
        if (description(h, &h->pool[j]) < description(h, best)) best = &h->pool[j];
    if (best->expression != h->leader) h->leader = best->expression, h->beside = 0;
    if (h->beside < BESIDE || h->tested == h->leader || best->rmse < least_noise * h->spread)
        return KAN_OK;
    h->tested = h->leader;
    const size_t target = h->options.target;
    const double as_good = 1.0 + luck / sqrt((double)h->held->n);
    double unseen, probability = 0.0, *r = malloc(h->d->n * sizeof *r);
    if (!r) return kan_status_fail(error, KAN_ENOMEM, "discover: out of memory");
    kan_status status = kan_polish_unseen(h->leader, h->fit, h->held, h->names, target, &h->meter,
                                          &unseen, error);
    if (status == KAN_OK) status = kan_polish_residuals(h->leader, h->d, h->names, target, r, error);
    if (status == KAN_OK && unseen <= as_good * h->best_form * h->held_spread)
        status = kan_smooth_test(h->d->n, h->d->n_in, h->d->x, r, &h->meter, &probability, error);
    h->settled = status == KAN_OK && probability > by_chance;
    free(r);
    return status;
}

/* ---- forms ------------------------------------------------------------------------------------------- */

/* Fits a form; *made = NULL where that failed for the form alone. */
static kan_status fit_form(hunt *h, inputs *v, const kan_form *form, bool quick, kan_form_fit **made,
                           kan_error *error) {
    const double most = form->products == 0 ? 1.0 : 1.5 * (double)form->products; /* counted */
    const kan_form_options options = {
        .seconds = most, .seed = h->options.seed, .quick = quick, .meter = &h->meter};
    kan_error why = {.status = KAN_OK};
    *made = kan_form_train(form, v->fit, v->held, h->options.target, &options, &why);
    if (!*made && why.status != KAN_ENONFINITE)
        return kan_status_fail(error, why.status, "%s", why.message);
    if (!*made) return KAN_OK;
    if (!quick) ++h->beside;
    h->best_form = fmin(h->best_form, (*made)->error);
    v->error = fmin(v->error, (*made)->error);
    if (h->options.progress) h->options.progress(h->options.context, form->head->name, (*made)->error);
    return KAN_OK;
}

/* Worth a reading: about as good as the best so far. */
static bool is_promising(const hunt *h, const kan_form_fit *fit) {
    return fit->error <= hopeless && fit->error <= fmax(2.0 * h->best_form, 1e-4);
}

/* Sums of curves under every head: all are fitted, then the best few read, the best first; of pairs only those that are
 * promising. */
static kan_status try_sums(hunt *h, inputs *v, kan_error *error) {
    kan_form_fit *fits[MOST_HEADS] = {NULL};
    kan_status status = KAN_OK;
    for (size_t j = 0; j < h->n_heads && status == KAN_OK && !is_over(h); ++j)
        status = fit_form(h, v, &(kan_form){.head = h->heads[j]}, false, &fits[j], error);
    for (size_t read = 0; read < READ_FIRST && status == KAN_OK && !is_over(h); ++read) {
        size_t best = h->n_heads;
        for (size_t j = 0; j < h->n_heads; ++j)
            if (fits[j] && (best == h->n_heads || fits[j]->error < fits[best]->error)) best = j;
        if (best == h->n_heads || fits[best]->error > hopeless) break;
        if (v != h->given && !is_promising(h, fits[best])) break;
        status = read_form(h, v, fits[best], error);
        kan_form_free(fits[best]);
        fits[best] = NULL;
    }
    for (size_t j = 0; j < h->n_heads; ++j) kan_form_free(fits[j]);
    return status == KAN_OK && v != h->given ? settle(h, error) : status;
}

/* One form, read where it is promising; *reached, unless NULL, becomes its error. */
static kan_status try_form(hunt *h, inputs *v, const kan_form *form, double *reached,
                           kan_error *error) {
    kan_form_fit *fit = NULL;
    kan_status status = is_over(h) ? KAN_OK : fit_form(h, v, form, false, &fit, error);
    if (fit && reached) *reached = fit->error;
    if (fit && !is_over(h) && is_promising(h, fit)) status = read_form(h, v, fit, error);
    kan_form_free(fit);
    return status == KAN_OK ? settle(h, error) : status;
}

/* One product under every head, and the outer form; reached [n_heads] of the former. */
static kan_status try_products(hunt *h, inputs *v, double *reached, kan_error *error) {
    kan_status status = KAN_OK;
    for (size_t j = 0; j < h->n_heads && status == KAN_OK; ++j) {
        reached[j] = INFINITY;
        const kan_form product = {.products = 1, .head = h->heads[j]},
                       outer = {.kind = KAN_FORM_OUTER, .head = h->heads[j]};
        status = try_form(h, v, &product, &reached[j], error);
        if (j == 0 && status == KAN_OK) status = try_form(h, v, &outer, NULL, error);
    }
    return status;
}

/* More products under the few heads that did best with one. */
static kan_status try_more_products(hunt *h, double *reached, kan_error *error) {
    kan_status status = KAN_OK;
    for (size_t tried = 0; tried < BEST_HEADS && status == KAN_OK; ++tried) {
        size_t best = 0;
        for (size_t j = 1; j < h->n_heads; ++j)
            if (reached[j] < reached[best]) best = j;
        if (!isfinite(reached[best])) break;
        reached[best] = INFINITY;
        for (size_t k = 2; k <= h->options.most_products && status == KAN_OK; ++k)
            status = try_form(h, h->given, &(kan_form){.products = k, .head = h->heads[best]}, NULL,
                              error);
    }
    return status;
}

/* ---- pairs ------------------------------------------------------------------------------------------- */

/* The few best of the pairs seen, the best first. */
typedef struct beam {
    inputs *member[BEAM];
    size_t n;
} beam;

static void add_to_beam(beam *b, inputs *v) {
    size_t at = b->n;
    while (at > 0 && b->member[at - 1]->error > v->error) --at;
    if (at == BEAM) {
        inputs_free(v);
        return;
    }
    if (b->n == BEAM) inputs_free(b->member[--b->n]);
    memmove(b->member + at + 1, b->member + at, (b->n - at) * sizeof *b->member);
    b->member[at] = v;
    ++b->n;
}

/* The error of quick sums under the first few heads, in v->error. */
static kan_status screen(hunt *h, inputs *v, kan_error *error) {
    const double best = h->best_form;
    kan_status status = KAN_OK;
    v->error = INFINITY;
    for (size_t j = 0; j < h->n_heads && j < SCREEN_HEADS && status == KAN_OK && !is_over(h); ++j) {
        kan_form_fit *fit = NULL;
        status = fit_form(h, v, &(kan_form){.head = h->heads[j]}, true, &fit, error);
        kan_form_free(fit);
    }
    h->best_form = best; /* it is the error of forms that were fitted in full */
    return status;
}

/* Counted seconds that the pairs of one member may take. */
static const double most_screening = 10.0;

/* All pairs of one member that make its sums better. */
static kan_status screen_pairs(hunt *h, const inputs *v, beam *b, kan_error *error) {
    const size_t n_in = v->all->n_in;
    const double until = kan_meter_seconds(&h->meter) + most_screening;
    kan_status status = KAN_OK;
    for (size_t at = 0; at < n_in * n_in * N_PAIRS && status == KAN_OK; ++at) {
        const pair_kind kind = (pair_kind)(at / (n_in * n_in));
        const size_t i = at / n_in % n_in, j = at % n_in;
        if (i == j || (kind == PAIR_MINUS && i > j)) continue;
        if (is_over(h) || kan_meter_seconds(&h->meter) > until) break;
        inputs *made;
        status = inputs_combine(v, i, j, kind, &made, error);
        if (status != KAN_OK || !made) continue;
        status = screen(h, made, error);
        if (status == KAN_OK && made->error < 0.9 * v->error)
            add_to_beam(b, made);
        else
            inputs_free(made);
    }
    return status;
}

/* Pairs, pairs of what these leave, and so on: at each depth the best are tried in full. */
static kan_status try_pairs(hunt *h, kan_error *error) {
    beam now = {.n = 0};
    kan_status status = screen(h, h->given, error);
    for (size_t depth = 0; depth < MOST_PAIRS && status == KAN_OK && !is_over(h); ++depth) {
        beam next = {.n = 0};
        for (size_t m = 0; m < (depth == 0 ? 1 : now.n) && status == KAN_OK; ++m)
            status = screen_pairs(h, depth == 0 ? h->given : now.member[m], &next, error);
        for (size_t m = 0; m < now.n; ++m) inputs_free(now.member[m]);
        now = next;
        for (size_t m = 0; m < now.n && status == KAN_OK && !is_over(h); ++m) {
            double reached[MOST_HEADS];
            status = try_sums(h, now.member[m], error);
            if (status == KAN_OK && m == 0) status = try_products(h, now.member[m], reached, error);
        }
    }
    for (size_t m = 0; m < now.n; ++m) inputs_free(now.member[m]);
    return status;
}

static kan_status try_all(hunt *h, kan_error *error) {
    double reached[MOST_HEADS];
    size_t n_table;
    const kan_head *table = kan_head_table(&n_table);
    for (size_t j = 0; j < MOST_HEADS; ++j) reached[j] = INFINITY;
    for (size_t j = 0; j < n_table && h->n_heads < MOST_HEADS; ++j)
        if (kan_head_fits(&table[j], h->d->n, h->y)) h->heads[h->n_heads++] = &table[j];
    if (h->n_heads == 0) /* not even that of y itself */
        return kan_status_fail(error, KAN_ECONFIG, "discover: the target is constant or not finite");
    kan_status status = try_sums(h, h->given, error);
    if (h->d->n_in < 2) return status;
    if (status == KAN_OK) status = try_products(h, h->given, reached, error);
    if (status == KAN_OK && !is_over(h)) status = try_pairs(h, error);
    if (status == KAN_OK) status = try_more_products(h, reached, error);
    return status;
}

/* ---- the whole --------------------------------------------------------------------------------------- */

static kan_status prepare(hunt *h, kan_error *error) {
    const kan_dataset *d = h->d;
    const size_t n_held = d->n / 5;
    kan_random random = kan_random_seed(h->options.seed, 0);
    size_t *rows = malloc(d->n * sizeof *rows);
    h->y = malloc(d->n * sizeof *h->y);
    kan_status status = rows && h->y ? kan_dataset_split(d, n_held, &random, rows, error) : KAN_ENOMEM;
    if (status == KAN_OK) {
        h->fit = kan_dataset_select(d, d->n - n_held, rows);
        h->held = kan_dataset_select(d, n_held, rows + (d->n - n_held));
        if (!h->fit || !h->held) status = KAN_ENOMEM;
    }
    free(rows);
    if (status == KAN_OK) {
        h->given = inputs_alloc(d, h->fit, h->held, h->names);
        if (!h->given) status = KAN_ENOMEM;
    }
    if (status != KAN_OK) return kan_status_fail(error, status, "discover: out of memory");
    double mean = 0.0, squares = 0.0;
    for (size_t s = 0; s < d->n; ++s) mean += h->y[s] = d->y[s * d->n_out + h->options.target];
    mean /= (double)d->n;
    for (size_t s = 0; s < d->n; ++s) squares += (h->y[s] - mean) * (h->y[s] - mean);
    h->spread = sqrt(squares / (double)d->n);
    h->rounding = kan_polish_rounding(d, h->options.target);
    h->held_spread = kan_polish_rounding(h->held, h->options.target) / h->rounding * h->spread;
    return KAN_OK;
}

static int compare_formulas(const void *a, const void *b) {
    const kan_formula *p = a, *q = b;
    if (p->complexity != q->complexity) return p->complexity < q->complexity ? -1 : 1;
    return (p->rmse > q->rmse) - (p->rmse < q->rmse);
}

/* The formulas that no other one beats, in the order of their complexity. */
static void sort_out(hunt *h, kan_discovery *f) {
    qsort(h->pool, h->n_pool, sizeof *h->pool, compare_formulas);
    double least = INFINITY;
    for (size_t j = 0; j < h->n_pool; ++j) {
        if (h->pool[j].rmse < least) {
            least = h->pool[j].rmse;
            f->formulas[f->n++] = h->pool[j];
        } else {
            kan_expression_free(h->pool[j].expression);
        }
    }
    for (size_t j = 1; j < f->n; ++j)
        if (description(h, &f->formulas[j]) < description(h, &f->formulas[f->best])) f->best = j;
    h->n_pool = 0;
}

const char *kan_discover_end_name(kan_discover_end end) {
    static const char *const names[] = {"forms", "exact", "noise", "work", "clock", "stopped"};
    return (size_t)end < sizeof names / sizeof *names ? names[end] : NULL;
}

static kan_discover_end end_of(const hunt *h) {
    static const kan_discover_end ends[] = {[KAN_METER_RUNNING] = KAN_DISCOVER_FORMS,
                                            [KAN_METER_WORK] = KAN_DISCOVER_WORK,
                                            [KAN_METER_CLOCK] = KAN_DISCOVER_CLOCK,
                                            [KAN_METER_STOPPED] = KAN_DISCOVER_STOPPED};
    if (h->exact) return KAN_DISCOVER_EXACT;
    return h->settled ? KAN_DISCOVER_NOISE : ends[h->meter.end];
}

kan_discovery *kan_discover(const kan_dataset *d, const char *const *names,
                            const kan_discover_options *options, kan_error *error) {
    if (d->n < LEAST_ROWS) {
        kan_status_fail(error, KAN_ECONFIG, "a formula needs at least %d rows", LEAST_ROWS);
        return NULL;
    }
    kan_error why = {.status = KAN_OK};
    hunt *h = calloc(1, sizeof *h);
    kan_discovery *f = calloc(1, sizeof *f);
    kan_status status = h && f ? KAN_OK : kan_status_fail(&why, KAN_ENOMEM, "discover: out of memory");
    if (status == KAN_OK) {
        *h = (hunt){.d = d, .names = names, .began = kan_clock_cpu(), .best_form = INFINITY};
        if (options) h->options = *options;
        if (h->options.seconds == 0.0 && h->options.work == 0) h->options.seconds = 60.0;
        h->meter = (kan_meter){.most = h->options.work, .stop = h->options.stop};
        if (h->options.work == 0) h->meter.until = h->began + h->options.seconds;
        if (h->options.most_products == 0) h->options.most_products = 2;
        f->formulas = calloc(MOST_FORMULAS, sizeof *f->formulas);
        status = f->formulas ? prepare(h, &why)
                             : kan_status_fail(&why, KAN_ENOMEM, "discover: out of memory");
    }
    if (status == KAN_OK) status = try_all(h, &why);
    if (status == KAN_OK) {
        sort_out(h, f);
        f->network = h->best_form * h->spread;
        f->seconds = kan_clock_cpu() - h->began;
        f->work = h->meter.work;
        f->end = end_of(h);
    } else {
        kan_status_fail(error, why.status, "%s", why.message);
        kan_discovery_free(f);
        f = NULL;
    }
    for (size_t j = 0; h && j < h->n_pool; ++j) kan_expression_free(h->pool[j].expression);
    if (h) {
        inputs_free(h->given);
        kan_dataset_free(h->fit);
        kan_dataset_free(h->held);
        free(h->y);
    }
    free(h);
    return f;
}

void kan_discovery_free(kan_discovery *f) {
    if (!f) return;
    for (size_t j = 0; j < f->n; ++j) kan_expression_free(f->formulas[j].expression);
    free(f->formulas);
    free(f);
}
