/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <math.h>
#include <signal.h>
#include <string.h>

#include "core/work.h"
#include "kan/formula.h"
#include "kan/ladder.h"
#include "kan/snap.h"
#include "splines/spline.h"
#include "tests/support/kan_cases.h"
#include "train/search.h"

enum { N = 800, N_HELD = 200 };

typedef double target(const double *x);

static kan_dataset *rows(size_t n, size_t n_in, target *f, double lo, double hi, uint64_t seed) {
    kan_dataset *d = kan_dataset_alloc(KAN_REGRESSION, n, n_in, 1, false);
    kan_random random = kan_random_seed(seed, 0);
    for (size_t j = 0; j < n * n_in; ++j) d->x[j] = draw(&random, lo, hi);
    for (size_t s = 0; s < n; ++s) d->y[s] = f(d->x + s * n_in);
    return d;
}

/* A net trained by a search. */
static kan_net *trained(const kan_net_config *config, const kan_dataset *fit, const kan_dataset *held,
                        size_t top) {
    kan_ladder_config ladder = {.net = *config, .cells = {3, 6, 12, top}};
    const kan_search_options how = {
        .train = {.optimizer = KAN_LM, .penalty = 1e-10}, .generations = 1, .seed = 1};
    kan_model *m = kan_search_fit(kan_ladder_family, &ladder, fit, held, &how, NULL, NULL, NULL);
    cr_assert(m != NULL);
    return kan_ladder_net(m);
}

static const char *name_of(const kan_net *net, kan_edge edge) {
    kan_symbolic s;
    return kan_net_get_symbolic(net, edge, &s) ? s.f->name : "spline";
}

/* Whether the edge is that function; "spline" for one that is none. */
static bool is_named(const kan_net *net, kan_edge edge, const char *name) {
    return strcmp(name_of(net, edge), name) == 0;
}

static double hello(const double *x) {
    return exp(sin(M_PI * x[0]) + x[1] * x[1]);
}

Test(snap, a_trained_net_becomes_its_formula) {
    kan_error error;
    kan_dataset *fit = rows(N, 2, hello, -1.0, 1.0, 1), *held = rows(N_HELD, 2, hello, -1.0, 1.0, 2);
    kan_net *net = trained(&(kan_net_config){.width = {2, 1, 1}, .base = KAN_BASE_ZERO}, fit, held, 24);
    kan_snap_report report;
    kan_net *made = kan_snap_all(net, fit, held, NULL, &report, &error);
    cr_assert(made != NULL, "%s", error.message);
    cr_assert(is_named(made, (kan_edge){0, 0, 0}, "sin"));
    cr_assert(is_named(made, (kan_edge){0, 1, 0}, "x^2"));
    cr_assert(is_named(made, (kan_edge){1, 0, 0}, "exp"));
    cr_assert(report.n_edges == 3 && report.n_splines == 0);
    cr_assert(report.error_after < 1e-10, "%g", report.error_after);
    cr_assert(report.error_before > 1e-8, "splines are no functions");
    kan_snap_report_free(&report);
    kan_net_free(made);
    kan_net_free(net);
    kan_dataset_free(fit);
    kan_dataset_free(held);
}

/* A curve that no function of the table is: three waves of different lengths. */
static double strange(double t) {
    return sin(7.0 * t) + 0.6 * cos(12.0 * t + 1.0) + 0.4 * sin(17.0 * t);
}

static double partly_strange(const double *x) {
    return x[0] * x[0] + strange(x[1]);
}

Test(snap, an_edge_that_no_function_fits_stays_a_spline) {
    kan_error error;
    kan_dataset *fit = rows(N, 2, partly_strange, -1.0, 1.0, 1);
    kan_dataset *held = rows(N_HELD, 2, partly_strange, -1.0, 1.0, 2);
    kan_net *net = trained(&(kan_net_config){.width = {2, 1}, .base = KAN_BASE_ZERO}, fit, held, 24);
    kan_snap_report report;
    kan_net *made = kan_snap_all(net, fit, held, NULL, &report, &error);
    cr_assert(made != NULL, "%s", error.message);
    cr_assert(is_named(made, (kan_edge){0, 0, 0}, "x^2"));
    cr_assert(is_named(made, (kan_edge){0, 1, 0}, "spline"));
    cr_assert(report.n_splines == 1 && report.edges[1].outcome == KAN_SNAP_SPLINE);
    cr_assert(report.edges[1].error > 10.0 * report.error_before, "what it would have cost");
    cr_assert(report.error_after <= 1.5 * report.error_before);
    kan_snap_report_free(&report);
    kan_net_free(made);
    kan_net_free(net);
    kan_dataset_free(fit);
    kan_dataset_free(held);
}

static double product(const double *x) {
    return exp(x[0]) * sin(2.0 * x[1]);
}

Test(snap, factors_of_products_become_functions) {
    kan_error error;
    kan_dataset *fit = rows(N, 2, product, -1.0, 1.0, 1),
                *held = rows(N_HELD, 2, product, -1.0, 1.0, 2);
    kan_net *net = trained(&(kan_net_config){.width = {2}, .mult = {0, 1}, .base = KAN_BASE_ZERO}, fit,
                           held, 24);
    kan_snap_report report;
    kan_net *made = kan_snap_all(net, fit, held, NULL, &report, &error);
    cr_assert(made != NULL, "%s", error.message);
    cr_assert(eq(sz, report.n_splines, 0));
    cr_assert(report.error_after < 1e-10, "%g", report.error_after);
    kan_expression *e = NULL;
    cr_assert(kan_net_formula(made, 0, NULL, &e, &error) == KAN_OK);
    for (size_t s = 0; s < N_HELD; ++s) /* x1 and x2, in that order */
        cr_assert(fabs(kan_expression_eval(e, held->x + 2 * s) - held->y[s]) < 1e-9);
    kan_expression_free(e);
    kan_snap_report_free(&report);
    kan_net_free(made);
    kan_net_free(net);
    kan_dataset_free(fit);
    kan_dataset_free(held);
}

static const char *const known[] = {"x",    "x^2",  "x^3", "sin", "exp",
                                    "atan", "sqrt", "log", "1/x", "j0"};

/* An edge that is c f(a x + b) + d itself, behind one that is x + 3: the curve is asked for where the node's values are. */
Test(snap, suggestions_come_first_for_known_curves) {
    enum { N_KNOWN = sizeof known / sizeof *known };
    for (size_t k = 0; k < N_KNOWN; ++k) {
        kan_error error;
        kan_net *net = kan_net_alloc(&(kan_net_config){.width = {1, 1, 1}});
        const kan_symbolic line = {kan_function_find("x"), 1.0, 0.0, 1.0, 3.0};
        const kan_symbolic s = {kan_function_find(known[k]), 1.25, 0.5, 1.5, -0.75};
        cr_assert(kan_net_set_symbolic(net, (kan_edge){0, 0, 0}, &line, NULL) == KAN_OK);
        cr_assert(kan_net_set_symbolic(net, (kan_edge){1, 0, 0}, &s, NULL) == KAN_OK);
        double x[N_HELD];
        kan_random random = kan_random_seed(3, 0);
        for (size_t j = 0; j < N_HELD; ++j) x[j] = draw(&random, -2.5, 2.5);
        kan_curve best[3];
        cr_assert(eq(sz, kan_snap_suggest(net, (kan_edge){1, 0, 0}, N_HELD, x, 3, best, &error), 3));
        cr_assert(best[0].f == s.f, "%s: %s", known[k], best[0].f->name);
        cr_assert(best[0].rmse < 1e-10 && best[1].rmse >= best[0].rmse);
        kan_net_free(net);
    }
}

Test(snap, by_hand_an_edge_takes_the_constants_of_its_curve) {
    kan_error error;
    kan_net *net = kan_net_alloc(&(kan_net_config){.width = {1, 1}});
    const kan_symbolic sine = {kan_function_find("sin"), 2.0, 0.25, 1.5, -0.75};
    const kan_edge edge = {0, 0, 0};
    cr_assert(kan_net_set_symbolic(net, edge, &sine, NULL) == KAN_OK);
    double x[N_HELD];
    kan_random random = kan_random_seed(3, 0);
    for (size_t j = 0; j < N_HELD; ++j) x[j] = draw(&random, -1.0, 1.0);
    cr_assert(kan_snap_edge(net, edge, kan_function_find("cos"), N_HELD, x, &error) == KAN_OK);
    kan_symbolic s;
    cr_assert(kan_net_get_symbolic(net, edge, &s));
    for (size_t j = 0; j < N_HELD; ++j)
        cr_assert(epsilon_eq(dbl, s.c * cos(s.a * x[j] + s.b) + s.d,
                             1.5 * sin(2.0 * x[j] + 0.25) - 0.75, 1e-9));
    kan_net_unset_symbolic(net, edge);
    cr_assert(not(kan_net_get_symbolic(net, edge, NULL)));
    x[7] = NAN;
    cr_assert(kan_snap_edge(net, edge, kan_function_find("cos"), N_HELD, x, &error) == KAN_ENONFINITE);
    cr_assert(not(kan_net_get_symbolic(net, edge, NULL)));
    kan_net_free(net);
}

/* Stopped before the first edge: a net that is as good, and nothing was tried. Locked edges stay. */
Test(snap, stops_when_asked_and_keeps_what_is_symbolic) {
    kan_error error;
    const volatile sig_atomic_t stop = 1;
    kan_dataset *fit = rows(200, 2, hello, -1.0, 1.0, 1);
    kan_net *net = kan_net_alloc(&(kan_net_config){.width = {2, 1, 1}, .seed = 4});
    const kan_symbolic s = {kan_function_find("tanh"), 0.5, 0.25, 1.5, -0.75};
    cr_assert(kan_net_set_symbolic(net, (kan_edge){0, 1, 0}, &s, NULL) == KAN_OK);
    kan_net_lock_symbolic(net, (kan_edge){0, 1, 0}, 15U);
    kan_snap_report report;
    kan_net *made = kan_snap_all(net, fit, NULL, &(kan_snap_options){.stop = &stop}, &report, &error);
    cr_assert(made != NULL, "%s", error.message);
    cr_assert(report.n_splines == 2 && report.edges[0].outcome == KAN_SNAP_OPEN);
    cr_assert(report.edges[1].outcome == KAN_SNAP_BEFORE);
    cr_assert(report.edges[1].symbolic.a == 0.5 && report.edges[1].symbolic.d == -0.75);
    cr_assert(report.error_after <= report.error_before);
    kan_snap_report_free(&report);
    kan_net_free(made);
    kan_net_free(net);
    kan_dataset_free(fit);
}

/* The only edge of a layer becomes the spline of c f(a t + b) + d on [-1, 1]. */
static void set_spline(kan_net *net, size_t l, kan_symbolic f) {
    enum { POINTS = 400 };
    const kan_basis basis = kan_net_basis(net, l, 0);
    double t[POINTS], y[POINTS], *coef = kan_net_layer_theta(net, l);
    for (size_t j = 0; j < POINTS; ++j) {
        t[j] = -1.0 + 2.0 * (double)j / (POINTS - 1);
        y[j] = f.c * f.f->f(f.a * t[j] + f.b) + f.d;
    }
    memset(coef, 0, (basis.n_cells + basis.degree + 1) * sizeof *coef);
    cr_assert(kan_spline_fit(&basis, POINTS, t, NULL, 1, y, coef, NULL) == KAN_OK);
}

/* Outer functions of exp (tanh has a twin, sigmoid): whatever the lower edge becomes, the spline above it makes good, so that the best one alone
 * says nothing; the right pair shows when both are there. */
static const char *const outer[] = {"x^2"};

Test(snap, the_beam_finds_a_pair_that_edges_one_by_one_do_not_show) {
    for (size_t k = 0; k < sizeof outer / sizeof *outer; ++k) {
        const double low = exp(-0.8), high = exp(1.2), c = 1.9 / (high - low);
        const kan_symbolic inner = {kan_function_find("exp"), 1.0, 0.2, c, -c * (high + low) / 2.0};
        const kan_symbolic top = {kan_function_find(outer[k]), 2.0, 0.5, 1.0, 0.0};
        kan_dataset *d = kan_dataset_alloc(KAN_REGRESSION, 300, 1, 1, false);
        kan_random random = kan_random_seed(1, 0);
        for (size_t s = 0; s < d->n; ++s) {
            d->x[s] = draw(&random, -1.0, 1.0);
            d->y[s] = top.f->f(2.0 * (inner.c * exp(d->x[s] + 0.2) + inner.d) + 0.5);
        }
        const kan_net_config config = {.width = {1, 1, 1}, .n_cells = 12, .base = KAN_BASE_ZERO};
        kan_net *net = kan_net_alloc(&config), *made[3];
        set_spline(net, 0, inner), set_spline(net, 1, top);
        kan_snap_report report[3];
        for (size_t j = 0; j < 3; ++j) { /* greedily, and twice by the beam */
            const kan_snap_options how = {.width = j == 0 ? 1 : 0};
            made[j] = kan_snap_all(net, d, NULL, &how, &report[j], NULL);
            cr_assert(made[j] != NULL);
        }
        cr_assert(report[0].n_splines > 0, "%s: greedily it is easy", outer[k]);
        cr_assert(eq(sz, report[1].n_splines, 0), "%s", outer[k]);
        cr_assert(is_named(made[1], (kan_edge){0, 0, 0}, "exp"));
        cr_assert(is_named(made[1], (kan_edge){1, 0, 0}, outer[k]));
        cr_assert(report[1].error_after < 1e-12, "%s: %g", outer[k], report[1].error_after);
        const kan_model *p = kan_net_model(made[1]), *q = kan_net_model(made[2]);
        cr_assert(memcmp(p->theta, q->theta, p->n_params * sizeof(double)) == 0, "the same bits");
        for (size_t j = 0; j < 3; ++j) kan_net_free(made[j]), kan_snap_report_free(&report[j]);
        kan_net_free(net);
        kan_dataset_free(d);
    }
}
