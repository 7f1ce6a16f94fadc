/* Numerical faults of trainings: which fault it was, and that the best finite parameters are kept, for every optimizer,
 * both models and both tasks.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "support/trainer_cases.h"

#include <string.h>

#include "core/work.h"
#include "train/loss.h"

enum { ROWS = 80, WIDTH = 3 };

/* A case: a model of one kind on data of one task. */
typedef struct fit {
    kan_dataset *d;
    kan_net *net;
    kan_mlp *mlp;
    kan_model *m;
    double *before; /* [n_params] parameters it starts with */
} fit;

/* Targets are those of make_data, or whether these are positive. Columns 1 and 2 are the same with `twins`. */
static fit make_fit(bool classes, bool is_kan, bool twins) {
    const size_t n_out = classes ? 2 : 1;
    kan_dataset *numbers = make_data(ROWS, 4);
    fit f = {.d = kan_dataset_alloc(classes ? KAN_CLASSIFICATION : KAN_REGRESSION, ROWS, N_IN, n_out,
                                    false)};
    memcpy(f.d->x, numbers->x, ROWS * N_IN * sizeof(double));
    for (size_t s = 0; s < ROWS; ++s) {
        f.d->y[s] = classes ? (double)(numbers->y[s] > 0.0) : numbers->y[s];
        if (twins) f.d->x[s * N_IN + 2] = f.d->x[s * N_IN + 1];
    }
    kan_dataset_free(numbers);
    if (is_kan)
        f.net = kan_net_alloc(
            &(kan_net_config){.width = {N_IN, WIDTH, n_out}, .n_cells = 4, .seed = 5});
    else
        f.mlp = kan_mlp_alloc(&(kan_mlp_config){.width = {N_IN, WIDTH, n_out}, .seed = 5});
    f.m = is_kan ? kan_net_model(f.net) : kan_mlp_model(f.mlp);
    f.before = malloc(f.m->n_params * sizeof *f.before);
    memcpy(f.before, f.m->theta, f.m->n_params * sizeof *f.before);
    return f;
}

static void free_fit(fit *f) {
    free(f->before);
    kan_net_free(f->net);
    kan_mlp_free(f->mlp);
    kan_dataset_free(f->d);
}

/* The loss of the present parameters, without the trainer. */
static double loss_of(const fit *f) {
    double *y = kan_work_alloc(ROWS * f->d->n_out),
           *work = kan_work_alloc(kan_model_work_size(f->m, ROWS));
    kan_model_forward(f->m, ROWS, f->d->x, y, work);
    const double loss =
        kan_loss_of_task(f->d->task)->eval(ROWS, f->d->n_out, y, f->d->y, NULL, 1.0 / ROWS, NULL);
    kan_work_free(work);
    kan_work_free(y);
    return loss;
}

static bool all_finite(const kan_model *m) {
    for (size_t p = 0; p < m->n_params; ++p)
        if (!isfinite(m->theta[p])) return false;
    return true;
}

static bool is_as_before(const fit *f) {
    return memcmp(f->before, f->m->theta, f->m->n_params * sizeof *f->before) == 0;
}

/* ---- a loss that becomes NaN, or whose gradient does, after so many calls ------------------------ */

static const kan_loss *honest;
static int calls_left;
static bool gradient_only;

static double failing_eval(size_t batch, size_t n_out, const double *y_hat, const double *y,
                           const double *weight, double scale, double *dy) {
    const double loss = honest->eval(batch, n_out, y_hat, y, weight, scale, dy);
    if (calls_left-- > 0) return loss;
    if (gradient_only && dy) dy[0] = NAN;
    return gradient_only ? loss : (double)NAN;
}

static void failing_root(size_t n_out, const double *y_hat, double *S) {
    honest->root(n_out, y_hat, S);
}

/* Trains until the end with a loss that fails after `calls`; what was said, and how the training ended. */
static kan_status train_failing(fit *f, kan_optimizer optimizer, int calls, kan_report *report,
                                kan_error *error) {
    honest = kan_loss_of_task(f->d->task);
    calls_left = calls;
    const kan_loss failing = {"failing", failing_eval, failing_root};
    const kan_train_options options = {
        .optimizer = optimizer, .loss = &failing, .steps = 300, .batch = ROWS, .rate = 0.01};
    return kan_trainer_fit(f->m, f->d, &options, report, error);
}

/* Every optimizer on all four cases. */
#define FOR_EACH_CASE(f, optimizer, twins)                            \
    for (int optimizer = KAN_LBFGS; optimizer <= KAN_LM; ++optimizer) \
        for (int number = 0; number < 4; ++number)                    \
            for (fit f = make_fit(number / 2, number % 2, twins); f.d; free_fit(&f), f.d = NULL)

Test(trainer_faults, a_loss_that_is_nan_from_some_point_on_leaves_the_best_parameters) {
    FOR_EACH_CASE(f, optimizer, false) {
        kan_error error = {0};
        kan_report report;
        const double first = loss_of(&f);
        const kan_status status = train_failing(&f, (kan_optimizer)optimizer, 25, &report, &error);
        cr_assert(all_finite(f.m));
        cr_assert(report.best_step > 0 && !is_as_before(&f), "optimizer %d, case %d", optimizer,
                  number);
        cr_assert(loss_of(&f) < first, "optimizer %d, case %d", optimizer, number);
        if (optimizer !=
            KAN_ADAM) /* whose loss never rises; Adam's best is the one of the step before */
            cr_assert(epsilon_eq(dbl, loss_of(&f), report.best, 1e-12 * first));
        if (status == KAN_OK) { /* where no trial is finite any more there is no better point */
            cr_assert(optimizer != KAN_ADAM && report.outcome == KAN_STALLED);
            continue;
        }
        cr_assert(eq(int, status, KAN_ENONFINITE));
        cr_assert(eq(int, report.outcome, KAN_DIVERGED));
        cr_assert(strstr(error.message, "the loss is not finite") || optimizer == KAN_LM, "%s",
                  error.message);
        char kept[64];
        snprintf(kept, sizeof kept, "of step %zu, are kept", report.best_step);
        cr_assert(strstr(error.message, kept) != NULL, "%s", error.message);
    }
}

Test(trainer_faults, a_loss_that_is_nan_at_once_changes_nothing) {
    FOR_EACH_CASE(f, optimizer, false) {
        kan_error error = {0};
        kan_report report;
        cr_assert(
            eq(int, train_failing(&f, (kan_optimizer)optimizer, 0, &report, &error), KAN_ENONFINITE));
        cr_assert(strstr(error.message, "the loss is not finite in step 1") != NULL, "%s",
                  error.message);
        cr_assert(report.outcome == KAN_DIVERGED && report.best_step == 0 && is_as_before(&f));
    }
}

Test(trainer_faults, a_gradient_that_is_nan_is_called_that) {
    gradient_only = true;
    FOR_EACH_CASE(f, optimizer, false) {
        kan_error error = {0};
        kan_report report;
        cr_assert(
            eq(int, train_failing(&f, (kan_optimizer)optimizer, 0, &report, &error), KAN_ENONFINITE));
        cr_assert(strstr(error.message, "the gradient is not finite") != NULL, "%s", error.message);
        cr_assert(report.outcome == KAN_DIVERGED && is_as_before(&f));
    }
}

/* ---- sizes ----------------------------------------------------------------------------------------- */

Test(trainer_faults, steps_that_explode_are_reported_and_undone) {
    static const double rates[] = {1e6, 1e150, 1e300};
    size_t ended_well = 0;
    for (int number = 0; number < 24; ++number) {
        fit f = make_fit(number & 1, number & 2, false);
        kan_error error = {0};
        kan_report report;
        const size_t some[] = {3, 7, 20, 41, 66};
        kan_dataset *validation = number & 4 ? kan_dataset_select(f.d, 5, some) : NULL;
        const kan_train_options options = {.optimizer = KAN_ADAM,
                                           .rate = rates[number / 8],
                                           .schedule = KAN_CONSTANT,
                                           .validation = validation,
                                           .steps = 60,
                                           .batch = 16};
        const kan_status status = kan_trainer_fit(f.m, f.d, &options, &report, &error);
        ended_well += status == KAN_OK;
        if (status != KAN_OK) {
            cr_assert(eq(int, status, KAN_ENONFINITE));
            cr_assert(eq(int, report.outcome, KAN_DIVERGED));
            cr_assert(strstr(error.message, "exploded") || strstr(error.message, "not finite"));
            cr_assert(number / 8 > 0 || strstr(error.message, "the loss has exploded"), "%s",
                      error.message);
            if (!validation) cr_assert(is_as_before(&f), "case %d", number);
        } else { /* classes may be told apart by logits of any size */
            const double reached = validation ? report.best : loss_of(&f);
            cr_assert(f.d->task == KAN_CLASSIFICATION && reached < 1e3, "case %d", number);
        }
        cr_assert(all_finite(f.m));
        kan_dataset_free(validation);
        free_fit(&f);
    }
    cr_assert(ended_well <= 6, "%zu of 24", ended_well);
}

Test(trainer_faults, a_large_loss_at_the_start_is_no_explosion) {
    for (int is_kan = 0; is_kan < 2; ++is_kan) {
        fit f = make_fit(false, is_kan, false);
        kan_report report;
        for (size_t p = 0; p < f.m->n_params; ++p)
            f.m->theta[p] *= 300.0; /* far off, and it comes nearer */
        const double first = loss_of(&f);
        const kan_train_options options = {.optimizer = KAN_ADAM, .rate = 0.1, .steps = 100};
        cr_assert(eq(int, kan_trainer_fit(f.m, f.d, &options, &report, NULL), KAN_OK));
        cr_assert(report.outcome == KAN_STEPS_USED && loss_of(&f) < first);
        /* nor are targets that are nearly zero, which the model has yet to learn */
        for (size_t s = 0; s < ROWS; ++s) f.d->y[s] *= 1e-9;
        cr_assert(eq(int, kan_trainer_fit(f.m, f.d, &options, &report, NULL), KAN_OK));
        free_fit(&f);
    }
}

Test(trainer_faults, targets_whose_squares_are_no_doubles_change_nothing) {
    FOR_EACH_CASE(f, optimizer, false) {
        if (f.d->task == KAN_CLASSIFICATION) continue;
        kan_error error = {0};
        kan_report report;
        for (size_t s = 0; s < ROWS; ++s) f.d->y[s] *= 1e300;
        const kan_train_options options = {.optimizer = (kan_optimizer)optimizer, .steps = 10};
        cr_assert(eq(int, kan_trainer_fit(f.m, f.d, &options, &report, &error), KAN_ENONFINITE));
        cr_assert(strstr(error.message, "the loss is not finite in step 1") != NULL, "%s",
                  error.message);
        cr_assert(report.outcome == KAN_DIVERGED && is_as_before(&f));
    }
}

/* ---- singular systems ------------------------------------------------------------------------------ */

Test(trainer_faults, columns_that_are_the_same_or_constant_are_fitted) {
    FOR_EACH_CASE(f, optimizer, true) {
        kan_error error = {0};
        kan_report report;
        const double first = loss_of(&f);
        for (size_t s = 0; s < ROWS; ++s) f.d->x[s * N_IN] = number % 2 ? 0.25 : f.d->x[s * N_IN];
        const kan_train_options options = {
            .optimizer = (kan_optimizer)optimizer, .steps = 40, .rate = 0.01};
        cr_assert(eq(int, kan_trainer_fit(f.m, f.d, &options, &report, &error), KAN_OK), "%s",
                  error.message);
        cr_assert(all_finite(f.m) && loss_of(&f) < first, "optimizer %d, case %d", optimizer, number);
    }
}

Test(trainer_faults, more_parameters_than_rows_are_fitted) {
    FOR_EACH_CASE(f, optimizer, false) {
        kan_report report;
        const double first = loss_of(&f);
        f.d->n = 6;
        const kan_train_options options = {
            .optimizer = (kan_optimizer)optimizer, .steps = 60, .rate = 0.01};
        cr_assert(eq(int, kan_trainer_fit(f.m, f.d, &options, &report, NULL), KAN_OK));
        f.d->n = ROWS;
        cr_assert(all_finite(f.m) && first > 0.0 && report.loss < report.best + first);
        if (optimizer == KAN_LM) cr_assert(report.loss < 1e-6, "case %d: %g", number, report.loss);
    }
}
