/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kan/reading.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kan/net.h"
#include "kan/samples.h"

/* ---- candidates ------------------------------------------------------------------------------------ */

static void add_candidate(part *p, const kan_curve *q) {
    if (p->n == READING_CANDIDATES || !(q->f->cost > 0.0)) return;
    p->candidate[p->n++] = (kan_composite){
        .g = q->f, .a = q->a, .b = q->b, .c = q->c, .d = q->d, .rmse = q->rmse};
}

/* A function of a function, where that is far better than the best single one and the curve is known well enough to
 * say so. */
static kan_status suggest_composite(part *p, const samples *s, double least, double known,
                                    kan_meter *meter, kan_error *error) {
    double mean, sd;
    samples_moments(s, &mean, &sd);
    if (known > 1e-3 * sd || least <= 10.0 * known || least <= 1e-9 * sd) return KAN_OK;
    kan_error why = {.status = KAN_OK};
    kan_composite found;
    const kan_composite_options options = {.meter = meter};
    const size_t n = kan_composite_fit(s->n, s->t, s->y, NULL, &options, 1, &found, &why);
    if (n == 0 && why.status == KAN_ENOMEM)
        return kan_status_fail(error, KAN_ENOMEM, "%s", why.message);
    if (n == 1 && found.rmse < 0.1 * least) p->candidate[p->n++] = found;
    return KAN_OK;
}

/* Multiply-adds, about, of the search for all functions of the table, for each sample. */
static const double curve_work = 1e5;

/* Candidates of a part, its curve being known to within `known`: the simplest of those that are as good as the best
 * one comes first. */
static kan_status suggest(part *p, const samples *s, double known, kan_meter *meter, kan_error *error) {
    kan_curve found[MOST_CURVES];
    double least;
    kan_error why;
    if (kan_meter_is_over(meter)) return KAN_OK;
    kan_meter_add(meter, curve_work * (double)s->n);
    const size_t n = samples_suggest(s, NULL, known, found, &least, &why);
    if (n == 0 && why.status == KAN_ENOMEM)
        return kan_status_fail(error, KAN_ENOMEM, "%s", why.message);
    if (n == 0) return KAN_OK;
    const kan_status status = suggest_composite(p, s, least, known, meter, error);
    for (size_t j = 0; j < n; ++j) add_candidate(p, &found[j]);
    return status;
}

/* ---- what the form's curves are ------------------------------------------------------------------- */

/* Samples of psi of every input in a product, and its moments. */
typedef struct product {
    samples *factors; /* [n_in] */
    double *mean, *sd;
    double rms;       /* of the product if its factors were independent */
    size_t n_varying; /* factors that are not constant */
} product;

static double root_mean_square(double mean, double sd) {
    return sqrt(mean * mean + sd * sd);
}

/* A constant factor, or candidates. A psi matters as much as the rest of its product is large. */
static kan_status read_factor(const product *q, size_t i, double error_z, kan_meter *meter, part *p,
                              kan_error *error) {
    const double own = root_mean_square(q->mean[i], q->sd[i]);
    const double beside = own > 0.0 ? q->rms / own : 0.0;
    p->constant = q->mean[i];
    if (q->sd[i] * beside <= 3.0 * error_z) return KAN_OK;
    return suggest(p, &q->factors[i], beside > 0.0 ? error_z / beside : INFINITY, meter, error);
}

static kan_status read_product(reading *r, const kan_form_fit *f, size_t k, size_t n, const double *x,
                               product *q, kan_error *error) {
    q->rms = 1.0;
    for (size_t i = 0; i < f->n_in; ++i) {
        if (!samples_spread(n, x + i, f->n_in, &q->factors[i]))
            return kan_status_fail(error, KAN_ENOMEM, "reading: out of memory");
        kan_form_psi(f, k, i, q->factors[i].n, q->factors[i].t, q->factors[i].y);
        samples_moments(&q->factors[i], &q->mean[i], &q->sd[i]);
        q->rms *= root_mean_square(q->mean[i], q->sd[i]);
    }
    kan_status status = KAN_OK;
    for (size_t i = 0; status == KAN_OK && i < f->n_in; ++i) {
        part *p = &r->parts[f->n_in * (k + 1) + i];
        *p = (part){.kind = PART_PSI, .product = k, .input = i};
        status = read_factor(q, i, f->error_z, r->meter, p, error);
        q->n_varying += p->n > 0;
    }
    return status;
}

/* Of a product of two curves, the constants of its factors belong to the sum: (u + d) (v + e) = u v + e u + d v + ..,
 * with u and v the candidates without their d. Adds to phi of input i what it gets, and takes the d away. */
static void move_constants(reading *r, const kan_form_fit *f, const product *q, size_t k, size_t i,
                           samples *phi) {
    part *parts = &r->parts[f->n_in * (k + 1)];
    if (q->n_varying != 2 || parts[i].n == 0) return;
    double scale = 1.0;
    size_t other = i;
    for (size_t j = 0; j < f->n_in; ++j) {
        if (parts[j].n == 0) scale *= parts[j].constant;
        if (parts[j].n > 0 && j != i) other = j;
    }
    const double d = parts[i].candidate[0].d, e = parts[other].candidate[0].d;
    for (size_t j = 0; j < phi->n; ++j) phi->y[j] += scale * e * (q->factors[i].y[j] - d);
}

static kan_status read_phi(reading *r, const kan_form_fit *f, const product *products, size_t i,
                           size_t n, const double *x, kan_error *error) {
    samples *s = malloc(sizeof *s);
    if (!s || !samples_spread(n, x + i, f->n_in, s)) {
        free(s);
        return kan_status_fail(error, KAN_ENOMEM, "reading: out of memory");
    }
    kan_form_phi(f, i, s->n, s->t, s->y);
    for (size_t k = 0; k < f->form.products; ++k) move_constants(r, f, &products[k], k, i, s);
    double mean, sd;
    samples_moments(s, &mean, &sd);
    part *p = &r->parts[i];
    *p = (part){.kind = PART_PHI, .input = i, .constant = mean};
    kan_status status = KAN_OK;
    if (sd > 3.0 * f->error_z) status = suggest(p, s, f->error_z, r->meter, error);
    free(s);
    return status;
}

/* g where the sums of the curves are. */
static kan_status read_outer(reading *r, const kan_form_fit *f, size_t n, const double *x,
                             kan_error *error) {
    samples *s = malloc(sizeof *s);
    double *sums = calloc(2 * n, sizeof *sums), *column = sums ? sums + n : NULL;
    kan_status status = s && sums ? KAN_OK : KAN_ENOMEM;
    for (size_t i = 0; status == KAN_OK && i < f->n_in; ++i)
        for (size_t j = 0; j < n; ++j) {
            kan_form_phi(f, i, 1, &x[j * f->n_in + i], &column[j]);
            sums[j] += column[j];
        }
    if (status == KAN_OK && !samples_spread(n, sums, 1, s)) status = KAN_ENOMEM;
    if (status != KAN_OK) kan_status_fail(error, KAN_ENOMEM, "reading: out of memory");
    if (status == KAN_OK) {
        kan_form_outer(f, s->n, s->t, s->y);
        double mean, sd;
        samples_moments(s, &mean, &sd);
        part *p = &r->parts[f->n_in];
        *p = (part){.kind = PART_OUTER, .constant = mean};
        status = suggest(p, s, f->error_z, r->meter, error);
    }
    free(s);
    free(sums);
    return status;
}

static void free_products(size_t n, product *q) {
    for (size_t k = 0; q && k < n; ++k) {
        free(q[k].factors);
        free(q[k].mean);
        free(q[k].sd);
    }
    free(q);
}

static product *alloc_products(const kan_form_fit *f) {
    product *q = calloc(f->form.products + 1, sizeof *q);
    bool good = q != NULL;
    for (size_t k = 0; good && k < f->form.products; ++k) {
        q[k].factors = malloc(f->n_in * sizeof *q[k].factors);
        q[k].mean = malloc(f->n_in * sizeof(double));
        q[k].sd = malloc(f->n_in * sizeof(double));
        good = q[k].factors && q[k].mean && q[k].sd;
    }
    if (good) return q;
    free_products(f->form.products, q);
    return NULL;
}

reading *reading_alloc(const kan_form_fit *f, size_t n, const double *x, kan_meter *meter,
                       kan_error *error) {
    const bool outer = f->form.kind == KAN_FORM_OUTER;
    reading *r = calloc(1, sizeof *r);
    product *products = alloc_products(f);
    kan_status status = KAN_ENOMEM;
    if (r && products) {
        *r = (reading){.meter = meter, .form = f->form, .z_shift = f->z_shift, .z_scale = f->z_scale};
        r->n_parts = f->n_in * (f->form.products + 1) + outer;
        r->parts = calloc(r->n_parts, sizeof *r->parts);
        if (r->parts) status = KAN_OK;
    }
    if (status != KAN_OK) kan_status_fail(error, KAN_ENOMEM, "reading: out of memory");
    for (size_t k = 0; status == KAN_OK && k < f->form.products; ++k)
        status = read_product(r, f, k, n, x, &products[k], error);
    for (size_t i = 0; status == KAN_OK && i < f->n_in; ++i)
        status = read_phi(r, f, products, i, n, x, error);
    if (status == KAN_OK && outer) status = read_outer(r, f, n, x, error);
    free_products(f->form.products, products);
    if (status == KAN_OK) return r;
    reading_free(r);
    return NULL;
}

void reading_free(reading *r) {
    if (!r) return;
    free(r->parts);
    free(r);
}

/* ---- formulas -------------------------------------------------------------------------------------- */

/* A text that grows; NULL once memory was short. */
typedef struct text {
    char *s;
    size_t length, capacity;
} text;

static void add(text *t, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    const size_t more = (size_t)vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (t->s && t->length + more + 1 > t->capacity) {
        t->capacity = 2 * (t->length + more) + 64;
        char *grown = realloc(t->s, t->capacity);
        if (!grown) free(t->s);
        t->s = grown;
    }
    if (t->s) t->length += (size_t)vsnprintf(t->s + t->length, more + 1, format, arguments);
    va_end(arguments);
}

/* The template with `inside` in the place of "%". */
static void add_applied(text *t, const char *template, const char *inside) {
    const char *at;
    for (; (at = strchr(template, '%')); template = at + 1)
        add(t, "%.*s%s", (int)(at - template), template, inside);
    add(t, "%s", template);
}

/* f(a x + b), without what is 1 or 0. */
static void add_applied_affine(text *t, const kan_function *f, double a, double b,
                               const char *argument) {
    text inner = {.s = calloc(1, 1), .capacity = 1};
    if (a == 1.0)
        add(&inner, "%s", argument);
    else if (a == -1.0)
        add(&inner, "-%s", argument);
    else
        add(&inner, "(%.17g)*%s", a, argument);
    if (b != 0.0) add(&inner, "+(%.17g)", b);
    if (inner.s)
        add_applied(t, f->text, inner.s);
    else
        free(t->s), t->s = NULL;
    free(inner.s);
}

static void add_function(text *t, const kan_composite *q, const char *argument) {
    if (!q->f) {
        add_applied_affine(t, q->g, q->a, q->b, argument);
        return;
    }
    text inner = {.s = calloc(1, 1), .capacity = 1};
    add_applied_affine(&inner, q->f, q->a, q->b, argument);
    if (inner.s)
        add_applied_affine(t, q->g, q->p, q->q, inner.s);
    else
        free(t->s), t->s = NULL;
    free(inner.s);
}

/* Adds to the constant and the text of a sum what a curve gives; scale goes into c. */
static void add_curve(text *t, const kan_composite *q, const char *argument, double scale) {
    add(t, "+(%.17g)*", scale * q->c);
    add_function(t, q, argument);
}

static void add_product(text *t, const reading *r, size_t k, size_t n_in, const size_t *choice,
                        const char *const *names, double scale) {
    const part *parts = &r->parts[n_in * (k + 1)];
    size_t n_varying = 0;
    for (size_t i = 0; i < n_in; ++i) {
        n_varying += parts[i].n > 0;
        scale *= parts[i].n > 0 ? parts[i].candidate[choice[n_in * (k + 1) + i]].c : parts[i].constant;
    }
    if (n_varying == 0) return; /* its constant is the sum's */
    add(t, "+(%.17g)", scale);
    for (size_t i = 0; i < n_in; ++i) {
        if (parts[i].n == 0) continue;
        const kan_composite *q = &parts[i].candidate[choice[n_in * (k + 1) + i]];
        add(t, "*(");
        add_function(t, q, names[i]);
        if (n_varying > 2 && q->d != 0.0) add(t, "+(%.17g)", q->d / q->c);
        add(t, ")");
    }
}

/* What a product of at most two curves leaves to the constant of the sum: (u + d) (v + e) without u and v. */
static double constant_of_product(const reading *r, size_t k, size_t n_in, const size_t *choice) {
    const part *parts = &r->parts[n_in * (k + 1)];
    size_t n_varying = 0;
    double constant = 1.0;
    for (size_t i = 0; i < n_in; ++i) {
        n_varying += parts[i].n > 0;
        constant *= parts[i].n > 0 ? parts[i].candidate[choice[n_in * (k + 1) + i]].d
                                   : parts[i].constant;
    }
    return n_varying > 2 ? 0.0 : constant;
}

/* The constant of the sum and all that varies in it. */
static void add_sum(text *t, const reading *r, size_t n_in, const size_t *choice,
                    const char *const *names, double scale, double constant) {
    for (size_t i = 0; i < n_in; ++i) {
        const part *p = &r->parts[i];
        constant += scale * (p->n > 0 ? p->candidate[choice[i]].d : p->constant);
    }
    for (size_t k = 0; k < r->form.products; ++k)
        constant += scale * constant_of_product(r, k, n_in, choice);
    add(t, "(%.17g)", constant);
    for (size_t i = 0; i < n_in; ++i)
        if (r->parts[i].n > 0) add_curve(t, &r->parts[i].candidate[choice[i]], names[i], scale);
    for (size_t k = 0; k < r->form.products; ++k) add_product(t, r, k, n_in, choice, names, scale);
}

/* The outer function of the sum, whose a and b go into the sum's constants: beside these they could not be told. */
static void add_outer(text *t, const reading *r, size_t n_in, const size_t *choice,
                      const char *const *names) {
    const part *p = &r->parts[n_in];
    if (p->n == 0) {
        add(t, "(%.17g)", r->z_shift + r->z_scale * p->constant);
        return;
    }
    const kan_composite *q = &p->candidate[choice[n_in]];
    text sum = {.s = calloc(1, 1), .capacity = 1}, inner = {.s = calloc(1, 1), .capacity = 1};
    add_sum(&sum, r, n_in, choice, names, q->a, q->b);
    add(t, "(%.17g)+(%.17g)*", r->z_shift + r->z_scale * q->d, r->z_scale * q->c);
    if (q->f && sum.s) add_applied(&inner, q->f->text, sum.s);
    if (!sum.s || !inner.s)
        free(t->s), t->s = NULL;
    else if (q->f)
        add_applied_affine(t, q->g, q->p, q->q, inner.s);
    else
        add_applied(t, q->g->text, sum.s);
    free(inner.s);
    free(sum.s);
}

char *reading_formula(const reading *r, const size_t *choice, const char *const *names) {
    const bool outer = r->form.kind == KAN_FORM_OUTER;
    const size_t n_in = (r->n_parts - outer) / (r->form.products + 1);
    text z = {.s = calloc(1, 1), .capacity = 1}, y = {.s = calloc(1, 1), .capacity = 1};
    if (outer) {
        add_outer(&z, r, n_in, choice, names);
    } else {
        add_sum(&z, r, n_in, choice, names, r->z_scale, r->z_shift);
    }
    if (z.s) add_applied(&y, r->form.head->text, z.s);
    free(z.s);
    return y.s;
}
