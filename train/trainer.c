/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/trainer.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/random.h"
#include "core/work.h"
#include "train/adam.h"
#include "train/lbfgs.h"
#include "train/lm.h"
#include "train/objective.h"
#include "train/vector_kernel.h"

static const double pi = 3.14159265358979323846;

/* Rows that go through the model at once: bounds the working memory. */
enum { BLOCK = 1024 };

struct kan_trainer_state {
    kan_model *model;
    const kan_dataset *data;
    kan_train_options options; /* defaults filled in */
    objective objective;
    double *grad;  /* [n_params]                                             */
    double *theta; /* [n_params] L-BFGS, LM: the point they move             */
    double *best;  /* [n_params] best parameters so far                      */
    size_t *rows;  /* [n] Adam: order of the rows in this epoch              */
    kan_random random;
    kan_adam *adam;
    kan_lbfgs *lbfgs;
    kan_lm *lm;
    kan_record *history;
    size_t looks_without_gain; /* at the validation rows */
    double epoch_loss;         /* Adam: sum of this epoch's losses times their rows */
    double zero_loss;          /* Adam: that of predicting zero */
    double start, wall_start;  /* seconds: CPU or counted ones; on the wall */
};

static kan_train_options with_defaults(const kan_train_options *given, const kan_dataset *d) {
    kan_train_options o = given ? *given : (kan_train_options){.steps = 0};
    const bool adam = o.optimizer == KAN_ADAM;
    if (!o.loss) o.loss = kan_loss_of_task(d->task);
    if (o.steps == 0) o.steps = adam ? 1000 : 100;
    if (o.batch == 0) o.batch = 64;
    if (!adam || o.batch > d->n) o.batch = d->n;
    if (o.check_every == 0) o.check_every = (d->n + o.batch - 1) / o.batch;
    if (o.rate == 0.0) o.rate = 1e-3;
    return o;
}

KAN_KERNEL_DECLARE(double, vector_kernel, vector_kernel);

static double norm(size_t n, const double *v) {
    return sqrt(KAN_KERNEL_GET(double, vector_kernel)->dot(n, v, v));
}

/* ---- memory ------------------------------------------------------------------------------------- */

/* The loss of a model that says 0 whatever it is asked: with the first loss the measure of what is too large. */
static kan_status measure_zero(kan_trainer_state *t) {
    const kan_dataset *d = t->data;
    const size_t block = d->n < BLOCK ? d->n : BLOCK, width = kan_dataset_y_width(d);
    double *zeros = calloc(block * d->n_out, sizeof *zeros), total = 0.0;
    if (!zeros) return KAN_ENOMEM;
    for (size_t s = 0; s < d->n; ++s) total += d->weight ? d->weight[s] : 1.0;
    t->zero_loss = 0.0;
    for (size_t s = 0; s < d->n; s += block)
        t->zero_loss += t->options.loss->eval(d->n - s < block ? d->n - s : block, d->n_out, zeros,
                                              d->y + s * width, d->weight ? d->weight + s : NULL,
                                              1.0 / total, NULL);
    free(zeros);
    return KAN_OK;
}

static kan_status alloc_optimizer(kan_trainer_state *t) {
    const kan_train_options *o = &t->options;
    const size_t n_params = t->model->n_params;
    if (o->optimizer == KAN_ADAM) {
        t->adam = kan_adam_alloc(n_params, &(kan_adam_options){.decay = o->weight_decay});
        t->rows = malloc(t->data->n * sizeof *t->rows);
        if (!t->rows) return KAN_ENOMEM;
        for (size_t s = 0; s < t->data->n; ++s) t->rows[s] = s;
        return t->adam ? measure_zero(t) : KAN_ENOMEM;
    }
    t->theta = kan_work_alloc(n_params);
    if (o->optimizer == KAN_LM) {
        t->lm = kan_lm_alloc(n_params, NULL);
        return t->theta && t->lm ? KAN_OK : KAN_ENOMEM;
    }
    t->lbfgs = kan_lbfgs_alloc(n_params, &(kan_lbfgs_options){.history = o->history});
    return t->theta && t->lbfgs ? KAN_OK : KAN_ENOMEM;
}

static kan_status alloc_buffers(kan_trainer_state *t) {
    kan_model *m = t->model;
    const kan_train_options *o = &t->options;
    size_t most = o->batch;
    if (o->validation && o->validation->n > most) most = o->validation->n;
    if (most > BLOCK) most = BLOCK;
    objective_matrix matrix = MATRIX_NONE;
    if (o->optimizer == KAN_LM)
        matrix = m->n_params <= KAN_LM_MOST_DENSE ? MATRIX_MADE : MATRIX_PRODUCTS;
    if (objective_alloc(&t->objective, m, o->loss, o->penalty, t->data, most, matrix) != KAN_OK)
        return KAN_ENOMEM;
    t->grad = kan_work_alloc(m->n_params);
    t->best = kan_work_alloc(m->n_params);
    t->history = calloc(t->options.steps, sizeof *t->history);
    return t->grad && t->best && t->history ? KAN_OK : KAN_ENOMEM;
}

/* What the trainer keeps of theta and of what may move in it. */
static void look_at_model(kan_trainer_state *t) {
    const size_t n_params = t->model->n_params;
    t->objective.frozen = kan_model_n_trainable(t->model) < n_params;
    memcpy(t->best, t->model->theta, n_params * sizeof *t->best);
    if (t->theta) memcpy(t->theta, t->model->theta, n_params * sizeof *t->theta);
}

static void start(kan_trainer *trainer) {
    kan_trainer_state *t = trainer->state;
    trainer->history = t->history;
    trainer->report = (kan_report){
        .loss = NAN, .validation = NAN, .best = INFINITY, .gradient_norm = NAN};
    look_at_model(t);
    t->random = kan_random_seed(t->options.seed, 0);
    t->start = kan_meter_seconds(t->options.meter);
    t->wall_start = kan_clock_wall();
}

kan_trainer *kan_trainer_alloc(kan_model *m, const kan_dataset *data, const kan_train_options *options,
                               kan_error *error) {
    assert(data->n > 0 && data->n_in == m->n_in && data->n_out == m->n_out);
    const kan_train_options o = with_defaults(options, data);
    if (o.optimizer == KAN_LM && !o.loss->root) {
        kan_status_fail(error, KAN_ECONFIG, "Levenberg-Marquardt: the loss %s has no Gauss-Newton form",
                        o.loss->name);
        return NULL;
    }
    kan_trainer *trainer = calloc(1, sizeof *trainer);
    kan_trainer_state *t = calloc(1, sizeof *t);
    if (trainer && t) {
        trainer->state = t;
        t->model = m;
        t->data = data;
        t->options = o;
        if (alloc_buffers(t) == KAN_OK && alloc_optimizer(t) == KAN_OK) {
            start(trainer);
            return trainer;
        }
        t = NULL; /* freed with the trainer */
    }
    free(t);
    kan_trainer_free(trainer);
    kan_status_fail(error, KAN_ENOMEM, "trainer: out of memory");
    return NULL;
}

void kan_trainer_free(kan_trainer *trainer) {
    if (!trainer) return;
    kan_trainer_state *t = trainer->state;
    if (t) {
        objective_free(&t->objective);
        kan_work_free(t->grad);
        kan_work_free(t->theta);
        kan_work_free(t->best);
        free(t->rows);
        free(t->history);
        kan_adam_free(t->adam);
        kan_lbfgs_free(t->lbfgs);
        kan_lm_free(t->lm);
    }
    free(t);
    free(trainer);
}

/* ---- one step ----------------------------------------------------------------------------------- */

static double full_loss(void *context, const double *theta, double *gradient) {
    kan_trainer_state *t = context;
    memcpy(t->model->theta, theta, t->model->n_params * sizeof *theta);
    return objective_pass(&t->objective, t->data, 0, t->data->n, NULL, AIM_GRADIENT, gradient);
}

static kan_outcome lbfgs_step(kan_trainer *trainer) {
    kan_trainer_state *t = trainer->state;
    kan_report *report = &trainer->report;
    const size_t n_params = t->model->n_params, limit = t->options.evaluations;
    if (limit > 0) { /* the line search may not go past the limit */
        const size_t left = limit > t->lbfgs->evaluations ? limit - t->lbfgs->evaluations : 1;
        const size_t usual = 25;
        t->lbfgs->options.max_evaluations = left < usual ? left : usual;
    }
    const kan_lbfgs_outcome outcome = kan_lbfgs_step(t->lbfgs, full_loss, t, t->theta);
    memcpy(t->model->theta, t->theta, n_params * sizeof *t->theta);
    report->evaluations = t->lbfgs->evaluations;
    report->loss = t->lbfgs->f;
    report->gradient_norm = norm(n_params, t->lbfgs->g);
    if (outcome == KAN_LBFGS_CONVERGED) return KAN_CONVERGED;
    if (outcome == KAN_LBFGS_STALLED) return KAN_STALLED;
    return KAN_RUNNING;
}

static double lm_value(void *context, const double *theta) {
    kan_trainer_state *t = context;
    memcpy(t->model->theta, theta, t->model->n_params * sizeof *theta);
    return objective_pass(&t->objective, t->data, 0, t->data->n, NULL, AIM_VALUE, t->grad);
}

static double lm_linearize(void *context, const double *theta, double *g, double *H) {
    kan_trainer_state *t = context;
    memcpy(t->model->theta, theta, t->model->n_params * sizeof *theta);
    return objective_linearize(&t->objective, t->data, g, H, t->grad);
}

static double lm_sketch(void *context, const double *theta, double *g, double *d) {
    kan_trainer_state *t = context;
    memcpy(t->model->theta, theta, t->model->n_params * sizeof *theta);
    return objective_sketch(&t->objective, t->data, g, d);
}

static void lm_multiply(void *context, const double *v, double *Hv) {
    kan_trainer_state *t = context;
    objective_multiply(&t->objective, v, Hv);
}

static void lm_bend(void *context, const double *theta, const double *p, double h, double *b) {
    kan_trainer_state *t = context;
    objective_bend(&t->objective, t->data, theta, p, h, b);
}

static kan_outcome lm_step(kan_trainer *trainer) {
    kan_trainer_state *t = trainer->state;
    kan_report *report = &trainer->report;
    const size_t n_params = t->model->n_params, limit = t->options.evaluations;
    const kan_lm_function f = {.context = t,
                               .value = lm_value,
                               .linearize = lm_linearize,
                               .sketch = lm_sketch,
                               .multiply = lm_multiply,
                               .bend = lm_bend,
                               .movable = t->objective.frozen ? t->model->trainable : NULL,
                               .data_diagonal = t->grad};
    if (limit > 0) { /* the trials may not go past the limit */
        const size_t used = t->lm->evaluations + 1, usual = KAN_LM_MAX_EVALUATIONS;
        const size_t left = limit > used ? limit - used : 1;
        t->lm->options.max_evaluations = left < usual ? left : usual;
    }
    const kan_lm_outcome outcome = kan_lm_step(t->lm, &f, t->theta);
    memcpy(t->model->theta, t->theta, n_params * sizeof *t->theta);
    report->evaluations = t->lm->evaluations;
    report->loss = t->lm->f;
    report->singular = t->lm->singular;
    report->gradient_norm = t->lm->linearized || outcome == KAN_LM_MOVED ? norm(n_params, t->lm->g)
                                                                         : NAN;
    if (outcome == KAN_LM_NONFINITE) return KAN_DIVERGED;
    if (outcome == KAN_LM_CONVERGED) return KAN_CONVERGED;
    if (outcome == KAN_LM_STALLED) return KAN_STALLED;
    return KAN_RUNNING;
}

/* rate (1 + cos(pi (step - 1) / steps)) / 2 */
static double rate_at(const kan_train_options *o, size_t step) {
    if (o->schedule == KAN_CONSTANT) return o->rate;
    return o->rate * (1.0 + cos(pi * (double)(step - 1) / (double)o->steps)) / 2.0;
}

/* Keeps the parameters of the epoch with the smallest loss, for the case that a later one is not
 * finite. */
static void end_epoch(kan_trainer *trainer) {
    kan_trainer_state *t = trainer->state;
    const double loss = t->epoch_loss / (double)t->data->n;
    t->epoch_loss = 0.0;
    if (t->options.validation || !(loss < trainer->report.best)) return;
    trainer->report.best = loss;
    trainer->report.best_step = trainer->report.steps;
    memcpy(t->best, t->model->theta, t->model->n_params * sizeof *t->best);
}

static kan_outcome adam_step(kan_trainer *trainer) {
    kan_trainer_state *t = trainer->state;
    kan_report *report = &trainer->report;
    const size_t n = t->data->n, batch = t->options.batch, n_batches = (n + batch - 1) / batch;
    const size_t first = (report->steps - 1) % n_batches * batch,
                 size = n - first < batch ? n - first : batch;
    if (first == 0 && report->steps > 1) end_epoch(trainer);
    if (first == 0 && n_batches > 1) kan_random_shuffle(&t->random, n, t->rows);
    report->loss = objective_pass(&t->objective, t->data, first, size, n_batches > 1 ? t->rows : NULL,
                                  AIM_GRADIENT, t->grad);
    report->gradient_norm = norm(t->model->n_params, t->grad);
    ++report->evaluations;
    t->epoch_loss += report->loss * (double)size;
    if (!t->options.validation && isinf(report->best) && isfinite(report->loss)) {
        report->best =
            report->loss; /* of the parameters that this training began with: they are in t->best */
        report->best_step = report->steps - 1;
    }
    if (isfinite(report->gradient_norm))
        kan_adam_step(t->adam, rate_at(&t->options, report->steps), t->grad,
                      t->objective.frozen ? t->model->trainable : NULL, t->model->theta);
    return KAN_RUNNING;
}

/* A look at the validation rows. Without them, L-BFGS's loss is its own judge. */
static kan_outcome look(kan_trainer *trainer) {
    kan_trainer_state *t = trainer->state;
    kan_report *report = &trainer->report;
    const kan_dataset *v = t->options.validation;
    if (!v && t->options.optimizer == KAN_ADAM) return KAN_RUNNING;
    const double value = v ? objective_pass(&t->objective, v, 0, v->n, NULL, AIM_LOSS, NULL)
                           : report->loss;
    if (v) report->validation = value;
    if (value < report->best) {
        report->best = value;
        report->best_step = report->steps;
        memcpy(t->best, t->model->theta, t->model->n_params * sizeof *t->best);
        t->looks_without_gain = 0;
        return KAN_RUNNING;
    }
    ++t->looks_without_gain;
    return v && t->options.patience > 0 && t->looks_without_gain >= t->options.patience ? KAN_PATIENCE
                                                                                        : KAN_RUNNING;
}

static kan_outcome limits(kan_trainer *trainer) {
    const kan_train_options *o = &trainer->state->options;
    const kan_report *report = &trainer->report;
    if ((o->stop && *o->stop) || kan_meter_is_over(o->meter)) return KAN_STOPPED;
    if (report->steps >= o->steps) return KAN_STEPS_USED;
    if (o->evaluations > 0 && report->evaluations >= o->evaluations) return KAN_STEPS_USED;
    if (o->seconds > 0.0 && report->seconds >= o->seconds) return KAN_STEPS_USED;
    return KAN_RUNNING;
}

/* Multiply-adds of a step, about: per sample `width` entries of the Jacobian, their products where Levenberg-Marquardt
 * sums them; p^3/6 for each factorisation, of which there is one to two evaluations. */
static void count(const kan_trainer_state *t, size_t evaluations) {
    kan_meter *meter = t->options.meter;
    if (!meter) return;
    const double rows = t->adam ? (double)t->options.batch : (double)t->data->n,
                 width = t->objective.gn ? (double)t->objective.gn->width : (double)t->model->n_params,
                 pass = 12.0 * rows * width, e = (double)evaluations;
    double work = e * pass;
    if (t->lm && t->lm->H) {
        const double p = (double)t->lm->n_active;
        work += 0.5 * rows * width * width + 0.5 * e * (p * p * p / 6.0 + 2.0 * p * p);
    }
    kan_meter_add(meter, work);
}

/* Ends the training with the best parameters. */
static kan_status diverge(kan_trainer *trainer, const char *what, kan_error *error) {
    kan_trainer_state *t = trainer->state;
    kan_report *report = &trainer->report;
    memcpy(t->model->theta, t->best, t->model->n_params * sizeof *t->best);
    report->outcome = KAN_DIVERGED;
    return kan_status_fail(
        error, KAN_ENONFINITE,
        "training: %s in step %zu (loss %g); the best parameters, of step %zu, are kept", what,
        report->steps, report->loss, report->best_step);
}

/* What is not finite after a step; NULL where all is well. */
static const char *fault(const kan_trainer *trainer) {
    const kan_report *report = &trainer->report;
    if (!isfinite(report->loss)) return "the loss is not finite";
    if (!isfinite(report->gradient_norm)) return "the gradient is not finite";
    if (report->outcome == KAN_DIVERGED)
        return "the Gauss-Newton matrix is not finite or singular whatever the damping";
    return NULL;
}

/* Mean loss of the steps of the last epoch. */
static double last_epoch_loss(const kan_trainer_state *t, size_t steps) {
    const size_t epoch = (t->data->n + t->options.batch - 1) / t->options.batch,
                 n = steps < epoch ? steps : epoch;
    double sum = 0.0;
    for (size_t j = steps - n; j < steps; ++j) sum += t->history[j].loss;
    return sum / (double)n;
}

/* Whether a training by Adam, the only one whose loss may rise, has ended far above where it began. */
static bool has_exploded(const kan_trainer *trainer) {
    static const double most = 1e3;
    const kan_trainer_state *t = trainer->state;
    const kan_report *report = &trainer->report;
    if (!t->adam || report->outcome != KAN_STEPS_USED) return false;
    const double end = t->options.validation ? report->best : last_epoch_loss(t, report->steps);
    return end > most * fmax(t->history[0].loss, t->zero_loss);
}

kan_status kan_trainer_step(kan_trainer *trainer, kan_error *error) {
    kan_trainer_state *t = trainer->state;
    kan_report *report = &trainer->report;
    if (report->outcome != KAN_RUNNING) return KAN_OK;
    const size_t evaluations = report->evaluations;
    ++report->steps;
    report->outcome = t->adam ? adam_step(trainer) : t->lm ? lm_step(trainer) : lbfgs_step(trainer);
    count(t, report->evaluations - evaluations);
    const char *what = fault(trainer);
    if (what) return diverge(trainer, what, error);

    const bool last = report->outcome != KAN_RUNNING || limits(trainer) != KAN_RUNNING;
    const bool due = report->steps % t->options.check_every == 0 || last;
    const kan_outcome seen = due ? look(trainer) : KAN_RUNNING;
    report->seconds = kan_meter_seconds(t->options.meter) - t->start;
    report->wall_seconds = kan_clock_wall() - t->wall_start;
    if (report->outcome == KAN_RUNNING) report->outcome = seen;
    if (report->outcome == KAN_RUNNING) report->outcome = limits(trainer);
    t->history[report->steps - 1] = (kan_record){
        report->steps, report->evaluations, report->loss,
        due && t->options.validation ? report->validation : NAN, report->seconds};
    trainer->history_length = report->steps;
    return has_exploded(trainer) ? diverge(trainer, "the loss has exploded", error) : KAN_OK;
}

void kan_trainer_reset(kan_trainer *trainer) {
    kan_trainer_state *t = trainer->state;
    if (t->adam) kan_adam_reset(t->adam);
    if (t->lbfgs) kan_lbfgs_reset(t->lbfgs);
    if (t->lm) kan_lm_reset(t->lm);
    look_at_model(t);
    trainer->report.best = INFINITY;
    t->looks_without_gain = 0;
    t->epoch_loss = 0.0;
    if (trainer->report.outcome == KAN_CONVERGED || trainer->report.outcome == KAN_STALLED ||
        trainer->report.outcome == KAN_DIVERGED)
        trainer->report.outcome = KAN_RUNNING;
}

void kan_trainer_finish(kan_trainer *trainer) {
    kan_trainer_state *t = trainer->state;
    if (t->options.validation && isfinite(trainer->report.best))
        memcpy(t->model->theta, t->best, t->model->n_params * sizeof *t->best);
}

void kan_trainer_snapshot_report(kan_report *r, kan_snapshot *s) {
    size_t outcome = r->outcome;
    kan_snapshot_size(s, "steps", &r->steps, SIZE_MAX);
    kan_snapshot_size(s, "evaluations", &r->evaluations, SIZE_MAX);
    kan_snapshot_size(s, "best_step", &r->best_step, SIZE_MAX);
    kan_snapshot_real(s, "loss", &r->loss);
    kan_snapshot_real(s, "validation", &r->validation);
    kan_snapshot_real(s, "best", &r->best);
    kan_snapshot_real(s, "gradient_norm", &r->gradient_norm);
    kan_snapshot_real(s, "seconds", &r->seconds);
    kan_snapshot_real(s, "wall_seconds", &r->wall_seconds);
    kan_snapshot_size(s, "singular", &r->singular, SIZE_MAX);
    kan_snapshot_size(s, "outcome", &outcome, KAN_DIVERGED);
    r->outcome = (kan_outcome)outcome;
}

/* Order of the rows and generator of Adam. */
static void snapshot_order(kan_trainer_state *t, kan_snapshot *s) {
    const size_t n = t->data->n;
    kan_snapshot_real(s, "epoch_loss", &t->epoch_loss);
    kan_snapshot_bytes(s, "random", sizeof t->random.state, t->random.state);
    kan_snapshot_bytes(s, "rows", n * sizeof *t->rows, t->rows);
    for (size_t j = 0; s->loading && j < n; ++j)
        if (t->rows[j] >= n) kan_snapshot_refuse(s, "rows");
}

void kan_trainer_snapshot(kan_trainer *trainer, kan_snapshot *s) {
    kan_trainer_state *t = trainer->state;
    const size_t n_params = t->model->n_params;
    kan_trainer_snapshot_report(&trainer->report, s);
    kan_snapshot_size(s, "length", &trainer->history_length, t->options.steps);
    kan_snapshot_bytes(s, "history", trainer->history_length * sizeof *t->history, t->history);
    kan_snapshot_size(s, "looks_without_gain", &t->looks_without_gain, SIZE_MAX);
    kan_snapshot_reals(s, "best_theta", n_params, t->best);
    if (t->theta) kan_snapshot_reals(s, "theta", n_params, t->theta);
    if (t->adam) snapshot_order(t, s);
    kan_snapshot_enter(s, "optimizer");
    if (t->adam) kan_adam_snapshot(t->adam, s);
    if (t->lbfgs) kan_lbfgs_snapshot(t->lbfgs, s);
    if (t->lm) kan_lm_snapshot(t->lm, s);
    kan_snapshot_leave(s);
    if (!s->loading || s->status != KAN_OK) return;
    if (trainer->report.steps != trainer->history_length) kan_snapshot_refuse(s, "steps");
    t->start = kan_meter_seconds(t->options.meter) - trainer->report.seconds;
    t->wall_start = kan_clock_wall() - trainer->report.wall_seconds;
}

kan_status kan_trainer_fit(kan_model *m, const kan_dataset *data, const kan_train_options *options,
                           kan_report *report, kan_error *error) {
    kan_error reason = {KAN_OK, ""};
    kan_trainer *trainer = kan_trainer_alloc(m, data, options, error ? error : &reason);
    if (!trainer) return error ? error->status : reason.status;
    kan_status status = KAN_OK;
    while (status == KAN_OK && trainer->report.outcome == KAN_RUNNING)
        status = kan_trainer_step(trainer, error);
    kan_trainer_finish(trainer);
    if (report) *report = trainer->report;
    kan_trainer_free(trainer);
    return status;
}
