/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <math.h>

#include "core/random.h"
#include "kan/form.h"

/* n rows of y(x) with every input uniform in [lo, hi]. */
static kan_dataset *rows(size_t n, size_t n_in, double lo, double hi, uint64_t seed,
                         double (*y)(const double *x)) {
    kan_dataset *d = kan_dataset_alloc(KAN_REGRESSION, n, n_in, 1, false);
    kan_random random = kan_random_seed(seed, 0);
    for (size_t s = 0; s < n; ++s) {
        for (size_t i = 0; i < n_in; ++i)
            d->x[s * n_in + i] = lo + (hi - lo) * kan_random_uniform(&random);
        d->y[s] = y(d->x + s * n_in);
    }
    return d;
}

/* Error on the validation rows of a form under head number h. */
static kan_form_fit *fitted(size_t h, kan_form_kind kind, size_t products, size_t n_in, double lo,
                            double hi, double (*y)(const double *x)) {
    size_t n_heads;
    kan_error error;
    const kan_form form = {.kind = kind, .products = products, .head = &kan_head_table(&n_heads)[h]};
    cr_assert(h < n_heads);
    kan_dataset *fit = rows(800, n_in, lo, hi, 1, y), *held = rows(200, n_in, lo, hi, 2, y);
    const kan_form_options options = {.seed = 3, .starts = 8};
    kan_form_fit *f = kan_form_train(&form, fit, held, 0, &options, &error);
    cr_assert(f != NULL, "%s", error.message);
    kan_dataset_free(fit);
    kan_dataset_free(held);
    return f;
}

Test(form, heads_and_their_inverses) {
    size_t n;
    const kan_head *heads = kan_head_table(&n);
    for (size_t h = 0; h < n; ++h)
        for (double y = 0.05; y < 1.0; y += 0.05)
            cr_assert(fabs(heads[h].invert(heads[h].apply(y)) - y) <= 1e-12, "%s at %g", heads[h].name,
                      y);
}

Test(form, heads_that_do_not_come_back_do_not_fit) {
    size_t n;
    const kan_head *heads = kan_head_table(&n);
    const double mixed[] = {-1.0, 0.5, 2.0}, positive[] = {0.5, 1.0, 2.0}, constant[] = {1.0, 1.0};
    cr_assert(kan_head_fits(&heads[0], 3, mixed));
    cr_assert(not(kan_head_fits(&heads[0], 2, constant)));
    for (size_t h = 1; h < 3; ++h) { /* log y, y^2 */
        cr_assert(not(kan_head_fits(&heads[h], 3, mixed)), "%s", heads[h].name);
        cr_assert(kan_head_fits(&heads[h], 3, positive), "%s", heads[h].name);
    }
}

static double hello(const double *x) {
    return exp(sin(acos(-1.0) * x[0]) + x[1] * x[1]);
}

Test(form, a_sum_under_its_head_is_found_to_the_last_digits) {
    kan_form_fit *f = fitted(1, KAN_FORM_SUM, 0, 2, -1.0, 1.0, hello);
    cr_assert(f->error < 1e-10, "%g", f->error);
    double x[2] = {-0.4, 0.7}, phi[2];
    kan_form_phi(f, 1, 2, x, phi);
    cr_assert(fabs((phi[1] - phi[0]) * f->z_scale - (0.49 - 0.16)) < 1e-9);
    kan_form_free(f);
    f = fitted(0, KAN_FORM_SUM, 0, 2, -1.0, 1.0, hello);
    cr_assert(f->error > 0.1, "no sum without its head, and yet %g", f->error);
    kan_form_free(f);
}

static double swing(const double *x) {
    return x[0] + x[0] * x[1] * cos(2.0 * x[2]);
}

Test(form, a_product_of_three_and_a_sum) {
    kan_form_fit *f = fitted(0, KAN_FORM_SUM, 1, 3, -1.0, 1.0, swing);
    cr_assert(f->error < 1e-7, "%g", f->error);
    /* psi is known up to a factor: of x it is x, of cos it is cos */
    double x[3] = {-0.5, 0.25, 0.75}, psi[3];
    kan_form_psi(f, 0, 1, 3, x, psi);
    cr_assert(fabs((psi[2] - psi[1]) / (psi[1] - psi[0]) - 0.5 / 0.75) < 1e-5);
    kan_form_psi(f, 0, 2, 3, x, psi);
    cr_assert(fabs(psi[2] / psi[1] - cos(1.5) / cos(0.5)) < 1e-5);
    kan_form_free(f);
}

static double velocities(const double *x) {
    return (x[0] + x[1]) / (1.0 + x[0] * x[1]);
}

Test(form, a_function_of_a_sum) {
    kan_form_fit *f = fitted(0, KAN_FORM_OUTER, 0, 2, -0.9, 0.9, velocities);
    cr_assert(f->error < 1e-4, "%g", f->error);
    const double x[] = {0.0, 0.5};
    double phi[2], other[2], s[2], g[2];
    kan_form_phi(f, 0, 2, x, phi);
    kan_form_phi(f, 1, 2, x, other);
    for (size_t j = 0; j < 2; ++j) s[j] = phi[j] + other[j];
    kan_form_outer(f, 2, s, g);
    cr_assert(fabs(f->z_shift + f->z_scale * g[1] - 0.8) < 1e-3);
    kan_form_free(f);
}
