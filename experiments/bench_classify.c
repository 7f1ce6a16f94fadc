/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>

#include "experiments/bench_clock.h"
#include "experiments/bench_tasks.h"
#include "experiments/command.h"
#include "experiments/report.h"
#include "kan/net.h"
#include "mlp/mlp.h"
#include "train/trainer.h"

/* One of the two models in training. */
typedef struct side {
    kan_net *net; /* one of the two */
    kan_mlp *mlp;
    kan_model *model;
    kan_trainer *trainer;
} side;

/* What came of it, for all seeds. */
typedef struct course {
    size_t n_seconds;                                   /* epochs of all seeds                 */
    double seconds[BENCH_MAX_EPOCHS * BENCH_MAX_SEEDS]; /* [n_seconds]                       */
    double accuracy[BENCH_MAX_EPOCHS];                  /* after each epoch, sum over seeds    */
    size_t parameters;
} course;

static void free_side(side *s) {
    kan_trainer_free(s->trainer);
    kan_net_free(s->net);
    kan_mlp_free(s->mlp);
    *s = (side){.net = NULL};
}

static size_t n_batches(const bench_classes *r, const kan_dataset *train) {
    return (train->n + r->batch - 1) / r->batch;
}

static kan_status make_side(const bench_classes *r, bool is_kan, uint64_t seed,
                            const kan_dataset *train, side *s, kan_error *error) {
    *s = (side){.net = NULL};
    if (is_kan)
        s->net = kan_net_alloc(&(kan_net_config){.width = {train->n_in, r->hidden, train->n_out},
                                                 .n_cells = r->n_cells,
                                                 .lo = r->lo,
                                                 .hi = r->hi,
                                                 .precision = r->precision,
                                                 .seed = seed});
    else
        s->mlp = kan_mlp_alloc(&(kan_mlp_config){
            .width = {train->n_in, r->hidden, train->n_out}, .precision = r->precision, .seed = seed});
    if (!s->net && !s->mlp) return kan_status_fail(error, KAN_ENOMEM, "out of memory");
    s->model = s->net ? kan_net_model(s->net) : kan_mlp_model(s->mlp);
    const kan_train_options training = {.optimizer = KAN_ADAM,
                                        .steps = r->epochs * n_batches(r, train),
                                        .batch = r->batch,
                                        .rate = is_kan ? r->kan_rate : r->mlp_rate,
                                        .seed = seed,
                                        .stop = &interrupted};
    s->trainer = kan_trainer_alloc(s->model, train, &training, error);
    return s->trainer ? KAN_OK : KAN_ENOMEM;
}

/* One pass over the training rows, and a look at the test rows; what was interrupted is not noted. */
static kan_status run_epoch(side *s, size_t steps, const kan_dataset *test, size_t epoch, course *c,
                            kan_error *error) {
    kan_metric metric;
    kan_status status = KAN_OK;
    const double start = bench_cpu_seconds();
    for (size_t j = 0; j < steps && status == KAN_OK && !interrupted; ++j)
        status = kan_trainer_step(s->trainer, error);
    const double seconds = bench_cpu_seconds() - start;
    if (status != KAN_OK || interrupted) return status;
    status = kan_trainer_evaluate(s->model, test, &metric, error);
    if (status != KAN_OK) return status;
    c->seconds[c->n_seconds++] = seconds;
    c->accuracy[epoch] += metric.accuracy;
    return KAN_OK;
}

/* Trains both models with one seed. */
static kan_status run_seed(const bench_classes *r, uint64_t seed, const kan_dataset *train,
                           const kan_dataset *test, course courses[2], kan_error *error) {
    side sides[2] = {{.net = NULL}, {.net = NULL}};
    kan_status status = KAN_OK;
    for (int m = 0; m < 2 && status == KAN_OK; ++m) {
        status = make_side(r, m == 0, seed, train, &sides[m], error);
        if (status == KAN_OK) courses[m].parameters = kan_model_n_trainable(sides[m].model);
    }
    for (size_t epoch = 0; epoch < r->epochs && status == KAN_OK && !interrupted; ++epoch)
        for (int m = 0; m < 2 && status == KAN_OK; ++m)
            status = run_epoch(&sides[m], n_batches(r, train), test, epoch, &courses[m], error);
    free_side(&sides[0]);
    free_side(&sides[1]);
    return status;
}

/* {"parameters", "epoch_seconds", "test_accuracy", "accuracy_by_epoch"} */
static json_t *course_json(const bench_classes *r, const course *c, double epoch_seconds) {
    json_t *list = json_array();
    for (size_t e = 0; list && e < r->epochs; ++e)
        (void)json_array_append_new(list, report_real(c->accuracy[e] / (double)r->seeds));
    return json_pack("{s:I, s:f, s:f, s:o}", "parameters", (json_int_t)c->parameters, "epoch_seconds",
                     epoch_seconds, "test_accuracy", c->accuracy[r->epochs - 1] / (double)r->seeds,
                     "accuracy_by_epoch", list);
}

static void print_course(const bench_classes *r, const char *name, const course *c,
                         double epoch_seconds) {
    printf("  %s  %.4f CPU s an epoch; test accuracy %.4f after %zu epochs (", name, epoch_seconds,
           c->accuracy[r->epochs - 1] / (double)r->seeds, r->epochs);
    const size_t every = r->epochs > 10 ? 5 : 1;
    for (size_t e = every; e <= r->epochs; e += every)
        printf("%s%.4f", e > every ? " " : "", c->accuracy[e - 1] / (double)r->seeds);
    printf(")\n");
}

int bench_classify(const bench *b, const bench_classes *recipe, const kan_dataset *train,
                   const kan_dataset *test) {
    const bench_classes *r = recipe;
    course *courses = calloc(2, sizeof *courses);
    kan_error error = {.status = KAN_OK, .message = "out of memory"};
    kan_status status = courses ? KAN_OK : KAN_ENOMEM;
    for (uint64_t seed = 0; seed < r->seeds && status == KAN_OK && !interrupted; ++seed)
        status = run_seed(r, seed, train, test, courses, &error);
    int result = 0;
    if (status != KAN_OK) {
        result = complain(1, "%s: %s", r->name, error.message);
    } else if (!interrupted) {
        const course *kan = &courses[0], *mlp = &courses[1];
        const double kan_seconds = bench_median(courses[0].n_seconds, courses[0].seconds),
                     mlp_seconds = bench_median(courses[1].n_seconds, courses[1].seconds),
                     ratio = kan_seconds / mlp_seconds;
        printf("%s, %zu,%zu,%zu, Adam, batch %zu, %s precision, mean of %zu seed%s: an epoch takes the "
               "KAN "
               "%.2f times as long\n",
               r->name, train->n_in, r->hidden, train->n_out, r->batch,
               kan_model_precision_name(r->precision), r->seeds, r->seeds == 1 ? "" : "s", ratio);
        print_course(r, "KAN", kan, kan_seconds);
        print_course(r, "MLP", mlp, mlp_seconds);
        result = bench_append(
            b, "tasks",
            json_pack("{s:s, s:[i,i,i], s:s, s:I, s:I, s:I, s:f, s:f, s:o, s:o, s:f}", "task", r->name,
                      "shape", (int)train->n_in, (int)r->hidden, (int)train->n_out, "precision",
                      kan_model_precision_name(r->precision), "batch", (json_int_t)r->batch, "n_cells",
                      (json_int_t)r->n_cells, "seeds", (json_int_t)r->seeds, "kan_rate", r->kan_rate,
                      "mlp_rate", r->mlp_rate, "kan", course_json(r, kan, kan_seconds), "mlp",
                      course_json(r, mlp, mlp_seconds), "ratio_epoch", ratio));
    }
    free(courses);
    return result;
}
