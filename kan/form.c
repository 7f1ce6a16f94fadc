/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kan/form.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/work.h"
#include "kan/ladder.h"
#include "train/trainer.h"

/* ---- heads -------------------------------------------------------------------------------------- */

static double identity(double y) {
    return y;
}

static double square(double y) {
    return y * y;
}

static double reciprocal(double y) {
    return 1.0 / y;
}

static double reciprocal_square(double y) {
    return 1.0 / (y * y);
}

static double reciprocal_root(double z) {
    return 1.0 / sqrt(z);
}

static const kan_head heads[] = {{"y", identity, identity, "(%)"},
                                 {"log y", log, exp, "exp(%)"},
                                 {"y^2", square, sqrt, "sqrt(%)"},
                                 {"1/y", reciprocal, reciprocal, "1/(%)"},
                                 {"1/y^2", reciprocal_square, reciprocal_root, "1/sqrt(%)"},
                                 {"exp y", exp, log, "log(%)"},
                                 {"sin y", sin, asin, "asin(%)"},
                                 {"cos y", cos, acos, "acos(%)"},
                                 {"atanh y", atanh, tanh, "tanh(%)"},
                                 {"tan y", tan, atan, "atan(%)"}};

const kan_head *kan_head_table(size_t *n) {
    *n = sizeof heads / sizeof *heads;
    return heads;
}

bool kan_head_fits(const kan_head *head, size_t n, const double *y) {
    double lo = INFINITY, hi = -INFINITY, far = 0.0, worst = 0.0;
    for (size_t s = 0; s < n; ++s) {
        const double z = head->apply(y[s]);
        if (!isfinite(z)) return false;
        lo = fmin(lo, z), hi = fmax(hi, z), far = fmax(far, fabs(y[s]));
        worst = fmax(worst, fabs(head->invert(z) - y[s]));
    }
    return lo < hi && worst <= 1e-9 * far; /* false for NaN */
}

/* ---- data --------------------------------------------------------------------------------------- */

/* Mean and standard deviation, in two passes; 1 where there is none. */
static void moments(size_t n, const double *v, size_t stride, double *mean, double *sd) {
    double sum = 0.0, squares = 0.0;
    for (size_t s = 0; s < n; ++s) sum += v[s * stride];
    *mean = sum / (double)n;
    for (size_t s = 0; s < n; ++s) squares += (v[s * stride] - *mean) * (v[s * stride] - *mean);
    *sd = squares > 0.0 ? sqrt(squares / (double)n) : 1.0;
}

/* The rows as the net sees them: u and standardised z. */
static kan_dataset *scaled(const kan_form_fit *f, const kan_dataset *d, size_t target) {
    assert(d->n_in == f->n_in);
    kan_dataset *made = kan_dataset_alloc(KAN_REGRESSION, d->n, d->n_in, 1, false);
    if (!made) return NULL;
    for (size_t s = 0; s < d->n; ++s) {
        for (size_t i = 0; i < d->n_in; ++i)
            made->x[s * d->n_in + i] = (d->x[s * d->n_in + i] - f->shift[i]) / f->scale[i];
        made->y[s] = (f->form.head->apply(d->y[s * d->n_out + target]) - f->z_shift) / f->z_scale;
    }
    return made;
}

static kan_status learn_scales(kan_form_fit *f, const kan_dataset *d, size_t target) {
    f->n_in = d->n_in;
    f->shift = malloc(d->n_in * sizeof *f->shift);
    f->scale = malloc(d->n_in * sizeof *f->scale);
    double *z = malloc(d->n * sizeof *z);
    if (f->shift && f->scale && z) {
        for (size_t i = 0; i < d->n_in; ++i)
            moments(d->n, d->x + i, d->n_in, &f->shift[i], &f->scale[i]);
        for (size_t s = 0; s < d->n; ++s) z[s] = f->form.head->apply(d->y[s * d->n_out + target]);
        moments(d->n, z, 1, &f->z_shift, &f->z_scale);
    }
    free(z);
    return f->shift && f->scale && z ? KAN_OK : KAN_ENOMEM;
}

/* Errors on rows `d`, which are `rows` scaled. */
static kan_status judge(kan_form_fit *f, const kan_dataset *d, const kan_dataset *rows, size_t target,
                        kan_error *error) {
    double *z = malloc(d->n * sizeof *z), mean, sd, sum_z = 0.0, sum_y = 0.0;
    if (!z) return kan_status_fail(error, KAN_ENOMEM, "form: out of memory");
    const kan_status status = kan_trainer_predict(kan_net_model(f->net), d, z, error);
    moments(d->n, rows->y + target, rows->n_out, &mean, &sd);
    for (size_t s = 0; status == KAN_OK && s < d->n; ++s) {
        const double off_z = z[s] - d->y[s];
        const double off_y = f->form.head->invert(f->z_shift + f->z_scale * z[s]) -
                             rows->y[s * rows->n_out + target];
        sum_z += off_z * off_z;
        sum_y += off_y * off_y;
    }
    free(z);
    f->error_z = sqrt(sum_z / (double)d->n);
    f->error = isfinite(sum_y) ? sqrt(sum_y / (double)d->n) / sd : INFINITY;
    return status;
}

/* ---- networks ----------------------------------------------------------------------------------- */

/* Factor q of product k has an edge from input q alone; the last layer adds. */
static void prepare_sum(const void *context, kan_net *net) {
    (void)context;
    const size_t n_in = kan_net_n_in(net, 0), n_sub = kan_net_n_out(net, 0),
                 n_nodes = kan_net_n_in(net, 1);
    for (size_t q = 1; q < n_sub; ++q)
        for (size_t i = 0; i < n_in; ++i)
            if (i != (q - 1) % n_in) kan_net_remove_edge(net, (kan_edge){0, i, q});
    const kan_net_config *c = kan_net_get_config(net);
    const size_t n_basis = c->n_cells + c->degree;
    double *theta = kan_net_layer_theta(net, 1);
    for (size_t j = 0; j < n_nodes; ++j, theta += n_basis + 1) {
        memset(theta, 0, n_basis * sizeof *theta);
        theta[n_basis] = 1.0;
    }
    const kan_edge last = {1, KAN_EVERY, KAN_EVERY}, first = {0, KAN_EVERY, KAN_EVERY};
    kan_net_set_trainable(net, last, KAN_PART_BASE | KAN_PART_SPLINE, false);
    kan_net_set_trainable(net, first, KAN_PART_BASE, false);
}

static kan_ladder_config ladder_of(const kan_form *form, size_t n_in, bool quick) {
    kan_ladder_config c = {.net = {.width = {n_in, 1}, .degree = 3, .base = KAN_BASE_ZERO},
                           .degrees = {5, 7}};
    if (form->kind == KAN_FORM_OUTER) {
        c.net.width[2] = 1;
    } else if (form->products > 0) {
        c.net.mult[1] = form->products;
        c.net.arity[1] = n_in;
        c.net.width[2] = 1;
        c.net.base = KAN_BASE_IDENTITY;
        c.prepare = prepare_sum;
    } else {
        for (size_t r = 0; r < 4; ++r) c.cells[r] = (size_t)6 << r;
    }
    if (quick) {
        c.degrees[0] = 0;
        c.cells[0] = 8, c.cells[1] = 0;
    }
    return c;
}

/* Roughness that a search weighs in for standardised targets, as in docs/accuracy.md. */
static const double roughness = 1e-10;

static kan_status search(kan_form_fit *f, const kan_dataset *fit, const kan_dataset *validation,
                         const kan_form_options *o, kan_error *error) {
    const kan_ladder_config ladder = ladder_of(&f->form, f->n_in, o->quick);
    const bool linear = f->form.kind == KAN_FORM_SUM && f->form.products == 0;
    const kan_search_options options = {
        .train = {.optimizer = KAN_LM, .penalty = roughness, .meter = o->meter},
        .starts = linear      ? 1
                  : o->starts ? o->starts
                              : 8,
        .survivors = linear ? 1 : 2,
        .generations = 1,
        .seconds = o->seconds,
        .seed = o->seed,
        .stop = o->stop};
    kan_model *m = kan_search_fit(kan_ladder_family, &ladder, fit, validation, &options, NULL, NULL,
                                  error);
    if (!m) return error ? error->status : KAN_ENONFINITE;
    f->net = kan_ladder_net(m);
    return KAN_OK;
}

kan_form_fit *kan_form_train(const kan_form *form, const kan_dataset *fit,
                             const kan_dataset *validation, size_t target,
                             const kan_form_options *options, kan_error *error) {
    const double began = kan_meter_seconds(options->meter);
    kan_error why = {.status = KAN_ENOMEM, .message = "form: out of memory"};
    kan_form_fit *f = calloc(1, sizeof *f);
    kan_dataset *a = NULL, *b = NULL;
    kan_status status = KAN_ENOMEM;
    if (f) {
        f->form = *form;
        status = learn_scales(f, fit, target);
    }
    if (status == KAN_OK) {
        a = scaled(f, fit, target), b = scaled(f, validation, target);
        if (!a || !b) status = KAN_ENOMEM;
    }
    if (status == KAN_OK) status = search(f, a, b, options, &why);
    if (status == KAN_OK) status = judge(f, b, validation, target, &why);
    kan_dataset_free(a);
    kan_dataset_free(b);
    if (status != KAN_OK) {
        kan_status_fail(error, why.status, "%s", why.message);
        kan_form_free(f);
        return NULL;
    }
    f->seconds = kan_meter_seconds(options->meter) - began;
    return f;
}

void kan_form_free(kan_form_fit *f) {
    if (!f) return;
    kan_net_free(f->net);
    free(f->shift);
    free(f->scale);
    free(f);
}

/* ---- curves ------------------------------------------------------------------------------------- */

static void curve(const kan_form_fit *f, kan_edge edge, size_t n, const double *x, double *phi) {
    for (size_t s = 0; s < n; ++s) {
        const double u = (x[s] - f->shift[edge.in]) / f->scale[edge.in];
        kan_net_edge_curve(f->net, edge, 1, &u, &phi[s]);
    }
}

void kan_form_phi(const kan_form_fit *f, size_t i, size_t n, const double *x, double *phi) {
    curve(f, (kan_edge){0, i, 0}, n, x, phi);
}

void kan_form_psi(const kan_form_fit *f, size_t k, size_t i, size_t n, const double *x, double *psi) {
    curve(f, (kan_edge){0, i, 1 + k * f->n_in + i}, n, x, psi);
}

void kan_form_outer(const kan_form_fit *f, size_t n, const double *s, double *g) {
    kan_net_edge_curve(f->net, (kan_edge){1, 0, 0}, n, s, g);
}
