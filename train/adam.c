/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/adam.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "core/work.h"
#include "train/vector_kernel.h"

/* What the struct itself takes at the head of the block, in doubles: whole cache lines. */
enum { HEAD = (sizeof(kan_adam) + 63) / 64 * 8 };

static kan_adam_options with_defaults(const kan_adam_options *options) {
    kan_adam_options o = options ? *options : (kan_adam_options){0};
    if (o.beta1 == 0.0) o.beta1 = 0.9;
    if (o.beta2 == 0.0) o.beta2 = 0.999;
    if (o.epsilon == 0.0) o.epsilon = 1e-8;
    return o;
}

KAN_KERNEL_DECLARE(double, vector_kernel, vector_kernel);

kan_adam *kan_adam_alloc(size_t n, const kan_adam_options *options) {
    if (n > SIZE_MAX / 64) return NULL;
    double *block = kan_work_alloc(HEAD + 2 * n);
    if (!block) return NULL;
    kan_adam *adam = (void *)block;
    adam->options = with_defaults(options);
    adam->n = n;
    adam->m = block + HEAD;
    adam->v = adam->m + n;
    return adam;
}

void kan_adam_free(kan_adam *adam) {
    void *block = adam;
    kan_work_free(block);
}

void kan_adam_reset(kan_adam *adam) {
    adam->t = 0;
    memset(adam->m, 0, adam->n * sizeof *adam->m);
    memset(adam->v, 0, adam->n * sizeof *adam->v);
}

void kan_adam_step(kan_adam *adam, double rate, const double *grad, const uint8_t *trainable,
                   double *theta) {
    assert(adam && "an optimizer");
    assert((adam->n == 0 || (grad && theta)) && "a gradient and parameters");
    const kan_adam_options *o = &adam->options;
    const double t = (double)++adam->t;
    const adam_constants k = {.beta1 = o->beta1,
                              .beta2 = o->beta2,
                              .c1 = 1.0 / (1.0 - pow(o->beta1, t)),
                              .c2 = 1.0 / (1.0 - pow(o->beta2, t)),
                              .epsilon = o->epsilon,
                              .rate = rate,
                              .decay = o->decay};
    KAN_KERNEL_GET(double, vector_kernel)->adam(&k, adam->n, grad, trainable, adam->m, adam->v, theta);
}

void kan_adam_snapshot(kan_adam *adam, kan_snapshot *s) {
    kan_snapshot_size(s, "t", &adam->t, SIZE_MAX);
    kan_snapshot_reals(s, "m", adam->n, adam->m);
    kan_snapshot_reals(s, "v", adam->n, adam->v);
}
