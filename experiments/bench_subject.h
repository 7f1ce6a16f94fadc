/* experiments/bench_subject.h - a model with all that a forward pass or a step of it needs, as something that
 * can be measured.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_EXPERIMENTS_BENCH_SUBJECT_H
#define KAN_EXPERIMENTS_BENCH_SUBJECT_H

#include <stdbool.h>
#include <stddef.h>

#include "core/model.h"
#include "kan/net.h"
#include "mlp/mlp.h"

typedef struct bench_subject {
    kan_net *net; /* one of the two */
    kan_mlp *mlp;
    const kan_model *model;
    size_t batch;
    kan_precision precision;
    bool bent;         /* outputs go through silu: a layer of an MLP inside a net                 */
    double *x, *y, *t; /* [batch][n_in], [batch][n_out] and targets of that shape                 */
    double *dx, *dy;   /* dx NULL: a step needs none (the first layer of a net)                   */
    double *grad;      /* [n_params]                                                              */
    double *work;      /* kan_model_work_size                                                     */
    double *slope;     /* bent: [batch][n_out]                                                    */
    float *single;     /* bent, in single precision: [2][batch][n_out]                            */
} bench_subject;

/* What a subject is made of: one of the two configs, the other NULL. */
typedef struct bench_subject_config {
    const kan_net_config *net;
    const kan_mlp_config *mlp;
    size_t batch;
    bool bent, want_dx;
} bench_subject_config;

/* Inputs and targets are uniform in -1 .. 1, the same ones for the same shape. False when memory is short:
 * what there is of it is still to be freed. */
bool bench_subject_make(const bench_subject_config *config, bench_subject *s);
void bench_subject_free(bench_subject *s);

/* The two things that are measured, for bench_case. A step is: forward, loss (mean
 * squared error) with its gradient, backward. */
void bench_subject_forward(void *subject);
void bench_subject_step(void *subject);

size_t bench_subject_work_bytes(const bench_subject *s);

#endif
