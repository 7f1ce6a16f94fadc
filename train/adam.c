/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/adam.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "core/work.h"

/* What the struct itself takes at the head of the block, in doubles: whole cache lines. */
enum { HEAD = (sizeof(kan_adam) + 63) / 64 * 8 };

static kan_adam_options with_defaults(const kan_adam_options *options) {
    kan_adam_options o = options ? *options : (kan_adam_options){0};
    if (o.beta1 == 0.0) o.beta1 = 0.9;
    if (o.beta2 == 0.0) o.beta2 = 0.999;
    if (o.epsilon == 0.0) o.epsilon = 1e-8;
    return o;
}

/* The constants of one step: the bias corrections are c1 = 1 / (1 - beta1^t), c2 = 1 / (1 - beta2^t).
 */
typedef struct step {
    double beta1, beta2, c1, c2, epsilon, rate, decay;
} step;

/* One entry: the moments in place, and where theta goes. */
static inline double moved(const step *k, double g, double *m, double *v, double theta) {
    *m = k->beta1 * *m + (1.0 - k->beta1) * g;
    *v = k->beta2 * *v + (1.0 - k->beta2) * (g * g);
    return theta - k->rate * (*m * k->c1 / (sqrt(*v * k->c2) + k->epsilon) + k->decay * theta);
}

static void move_all(const step *k, size_t n, const double *restrict grad, double *restrict m,
                     double *restrict v, double *restrict theta) {
    for (size_t p = 0; p < n; ++p) theta[p] = moved(k, grad[p], m + p, v + p, theta[p]);
}

/* A frozen entry counts as one without a gradient. Both sides of each choice are computed first, so
 * that the loop has no branches. */
static void move_trainable(const step *k, size_t n, const double *restrict grad,
                           const uint8_t *restrict trainable, double *restrict m, double *restrict v,
                           double *restrict theta) {
    for (size_t p = 0; p < n; ++p) {
        const double g = grad[p], old = theta[p];
        const double new = moved(k, trainable[p] ? g : 0.0, m + p, v + p, old);
        theta[p] = trainable[p] ? new : old;
    }
}

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
    const step k = {.beta1 = o->beta1,
                    .beta2 = o->beta2,
                    .c1 = 1.0 / (1.0 - pow(o->beta1, t)),
                    .c2 = 1.0 / (1.0 - pow(o->beta2, t)),
                    .epsilon = o->epsilon,
                    .rate = rate,
                    .decay = o->decay};
    if (trainable)
        move_trainable(&k, adam->n, grad, trainable, adam->m, adam->v, theta);
    else
        move_all(&k, adam->n, grad, adam->m, adam->v, theta);
}
