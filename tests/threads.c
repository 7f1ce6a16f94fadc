/* Both models forward and backward on several threads, by a plain program: that is what the thread sanitizer and
 * valgrind can watch. Threads that share a model, and threads inside a pass; the results are those of one thread.
 *
 *     threads N [passes]      the second word leaves the trainings out
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/parallel.h"
#include "core/random.h"
#include "core/work.h"
#include "kan/net.h"
#include "mlp/mlp.h"
#include "train/trainer.h"

enum { N_IN = 6, N_OUT = 3, BATCH = 700, SHARING = 3 };

static double x[BATCH * N_IN], dy[BATCH * N_OUT];

/* y, gradient and dx of one pass, one behind the other. */
static double *pass(const kan_model *m) {
    const size_t n_y = BATCH * N_OUT, n_dx = BATCH * N_IN;
    double *out = kan_work_alloc(n_y + m->n_params + n_dx),
           *work = kan_work_alloc(kan_model_work_size(m, BATCH));
    if (!out || !work) exit(2);
    memset(out, 0, (n_y + m->n_params + n_dx) * sizeof *out);
    kan_model_forward(m, BATCH, x, out, work);
    kan_model_backward(m, BATCH, x, dy, out + n_y, out + n_y + m->n_params, work);
    kan_work_free(work);
    return out;
}

static void *pass_of_thread(void *m) {
    return pass(m);
}

static int differ(const kan_model *m, const double *a, const double *b) {
    const size_t size = (BATCH * (N_OUT + N_IN) + m->n_params) * sizeof *a;
    return memcmp(a, b, size) != 0;
}

static int check(kan_model *m, size_t threads) {
    int bad = 0;
    kan_parallel_set_threads(1);
    double *one = pass(m);
    kan_parallel_set_threads(threads);
    double *many = pass(m);
    bad |= differ(m, one, many);
    kan_parallel_set_threads(1);
    pthread_t id[SHARING];
    for (int k = 0; k < SHARING; ++k)
        if (pthread_create(&id[k], NULL, pass_of_thread, m) != 0) exit(2);
    for (int k = 0; k < SHARING; ++k) {
        void *shared = NULL;
        (void)pthread_join(id[k], &shared);
        bad |= differ(m, one, shared);
        kan_work_free(shared);
    }
    kan_work_free(many);
    kan_work_free(one);
    return bad;
}

/* A few steps of every optimizer. */
static int train(kan_model *m, size_t threads) {
    kan_dataset *d = kan_dataset_alloc(KAN_REGRESSION, BATCH, N_IN, N_OUT, false);
    if (!d) return 1;
    memcpy(d->x, x, sizeof x);
    memcpy(d->y, dy, sizeof dy);
    kan_parallel_set_threads(threads);
    int bad = 0;
    for (int optimizer = KAN_LBFGS; optimizer <= KAN_LM; ++optimizer) {
        kan_report report;
        const kan_train_options o = {.optimizer = (kan_optimizer)optimizer, .steps = 3, .batch = 300};
        bad |= kan_trainer_fit(m, d, &o, &report, NULL) != KAN_OK || !isfinite(report.loss);
    }
    kan_dataset_free(d);
    return bad;
}

int main(int argc, char **argv) {
    const size_t threads = argc > 1 ? strtoul(argv[1], NULL, 10) : 2;
    kan_random random = kan_random_seed(2385, 0);
    for (size_t j = 0; j < BATCH * N_IN; ++j) x[j] = 2.4 * kan_random_uniform(&random) - 1.2;
    for (size_t j = 0; j < BATCH * N_OUT; ++j) dy[j] = kan_random_normal(&random);
    kan_net *net = kan_net_alloc(
        &(kan_net_config){.width = {N_IN, 12, N_OUT}, .n_cells = 5, .seed = 1});
    kan_mlp *mlp = kan_mlp_alloc(&(kan_mlp_config){.width = {N_IN, 24, N_OUT}, .seed = 1});
    if (!net || !mlp) return 2;
    const int bad = check(kan_net_model(net), threads) | check(kan_mlp_model(mlp), threads) |
                    (argc == 2 &&
                     (train(kan_net_model(net), threads) | train(kan_mlp_model(mlp), threads)));
    kan_mlp_free(mlp);
    kan_net_free(net);
    if (bad) fprintf(stderr, "%zu threads: another result, or none\n", threads);
    return bad;
}
