/* experiments/reproduce_continual.c - five Gaussian peaks learned one after the other (section 3.4 of the KAN paper):
 *
 *     y = sum_p exp(-300 (x - c_p)^2)     c_p = -0.8, -0.4, 0, 0.4, 0.8
 *
 * In phase p a model sees the 100 points of a uniform grid within 0.2 of peak p and nothing else. After it the error
 * counts on all peaks seen so far, each on 200 points of its own. A KAN [1,1] has no base function and all coefficients
 * begin at zero; those that no sample reaches do not move.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "experiments/evidence.h"
#include "experiments/options.h"
#include "experiments/report.h"
#include "experiments/reproduce.h"

enum { PEAKS = 5, SAMPLES = 100, TESTS = 200 };
static const double half_width = 0.2;

static double centre_of(size_t p) {
    return 0.4 * ((double)p - 2.0);
}

static double target(double x) {
    double y = 0.0;
    for (size_t p = 0; p < PEAKS; ++p) y += exp(-300.0 * (x - centre_of(p)) * (x - centre_of(p)));
    return y;
}

/* n points around each of the peaks first .. first + n_peaks - 1, ends included. */
static kan_dataset *make_points(size_t first, size_t n_peaks, size_t n) {
    kan_dataset *d = kan_dataset_alloc(KAN_REGRESSION, n_peaks * n, 1, 1, false);
    for (size_t s = 0; d && s < d->n; ++s) {
        const double t = 2.0 * (double)(s % n) / (double)(n - 1) - 1.0;
        d->x[s] = centre_of(first + s / n) + half_width * t;
        d->y[s] = target(d->x[s]);
    }
    return d;
}

static kan_status train_phase(kan_model *m, size_t p, uint64_t seed, kan_error *error) {
    kan_dataset *d = make_points(p, 1, SAMPLES);
    if (!d) return kan_status_fail(error, KAN_ENOMEM, "out of memory");
    const kan_train_options how = {.optimizer = KAN_LM, .steps = 300, .seed = seed};
    const kan_status status = kan_trainer_fit(m, d, &how, NULL, error);
    kan_dataset_free(d);
    return status;
}

static kan_status measure(const kan_model *m, size_t first, size_t n_peaks, kan_metric *metric,
                          kan_error *error) {
    kan_dataset *d = make_points(first, n_peaks, TESTS);
    if (!d) return kan_status_fail(error, KAN_ENOMEM, "out of memory");
    const kan_status status = kan_trainer_evaluate(m, d, metric, error);
    kan_dataset_free(d);
    return status;
}

/* All phases: errors on all peaks seen so far into phases; the largest one into *worst. */
static kan_status run_phases(kan_model *m, uint64_t seed, json_t *phases, kan_metric *worst,
                             kan_error *error) {
    kan_status status = KAN_OK;
    for (size_t p = 0; p < PEAKS && status == KAN_OK; ++p) {
        kan_metric seen;
        status = train_phase(m, p, seed, error);
        if (status == KAN_OK) status = measure(m, 0, p + 1, &seen, error);
        if (status != KAN_OK) break;
        (void)json_array_append_new(phases, report_real(seen.rmse));
        if (p == 0 || seen.rmse > worst->rmse) *worst = seen;
    }
    return status;
}

/* The picture of the network after the last phase, on the points of all peaks. */
static kan_status leave_diagram(const reproduce_run *r, kan_net *net, kan_error *error) {
    kan_dataset *d = make_points(0, PEAKS, TESTS);
    json_t *evidence = json_pack("{s:s, s:I, s:I}", "shape", r->contender->shape, "parameters",
                                 (json_int_t)kan_net_model(net)->n_params, "seed", (json_int_t)r->seed);
    kan_status status = d && evidence ? evidence_add_diagram(evidence, d, net, error)
                                      : kan_status_fail(error, KAN_ENOMEM, "out of memory");
    kan_dataset_free(d);
    if (status == KAN_OK) return reproduce_leave(r, evidence, error);
    json_decref(evidence);
    return status;
}

kan_status reproduce_train_peaks(const reproduce_run *r, json_t *line, kan_error *error) {
    const reproduce_contender *c = r->contender;
    const double cpu = kan_clock_cpu(), wall = kan_clock_wall();
    options_shape shape;
    size_t n_grids, grids[OPTIONS_MAX_GRIDS] = {0};
    kan_metric worst = {.rmse = 0.0};
    kan_status status = options_read_shape("shape", c->shape, &shape, error);
    if (status == KAN_OK && c->cells)
        status = options_read_grids("grid", c->cells, &n_grids, grids, error);
    if (status != KAN_OK) return status;
    kan_net_config net_config = {
        .n_cells = grids[0], .degree = c->degree, .base = KAN_BASE_ZERO, .seed = r->seed};
    kan_mlp_config mlp_config = {.activation = c->activation, .seed = r->seed};
    memcpy(net_config.width, shape.width, sizeof shape.width);
    memcpy(mlp_config.width, shape.width, sizeof shape.width);
    kan_net *net = c->family == FAMILY_KAN ? kan_net_alloc(&net_config) : NULL;
    kan_mlp *mlp = c->family == FAMILY_MLP ? kan_mlp_alloc(&mlp_config) : NULL;
    json_t *phases = json_array();
    kan_model *m = net ? kan_net_model(net) : mlp ? kan_mlp_model(mlp) : NULL;
    if (!m || !phases) status = kan_status_fail(error, KAN_ENOMEM, "out of memory");
    if (status == KAN_OK && net) memset(m->theta, 0, m->n_params * sizeof *m->theta);
    if (status == KAN_OK) status = run_phases(m, r->seed, phases, &worst, error);
    if (status == KAN_OK && net && r->evidence) status = leave_diagram(r, net, error);
    if (status == KAN_OK) {
        const candidate about = {.family = c->family, .net = net_config, .mlp = mlp_config};
        json_object_set_new(line, "shape", report_shape(&about));
        json_object_set_new(line, "parameters", json_integer((json_int_t)m->n_params));
        json_object_set_new(line, "validation", report_metric(KAN_REGRESSION, &worst));
        json_object_set_new(line, "test", report_metric(KAN_REGRESSION, &worst));
        json_object_set_new(line, "seconds", report_real(kan_clock_cpu() - cpu));
        json_object_set_new(line, "wall_seconds", report_real(kan_clock_wall() - wall));
        json_object_set(line, "phases", phases);
    }
    json_decref(phases);
    kan_net_free(net);
    kan_mlp_free(mlp);
    return status;
}
