/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>

#include <core/work.h>
#include <kan/net.h>
#include <train/trainer.h>

/* A function that the table has not: a damped wave, with its first two derivatives. */
static double wave(double x) {
    return exp(-x * x) * cos(3.0 * x);
}
static double wave_d1(double x) {
    return -exp(-x * x) * (2.0 * x * cos(3.0 * x) + 3.0 * sin(3.0 * x));
}
static double wave_d2(double x) {
    return exp(-x * x) * ((4.0 * x * x - 11.0) * cos(3.0 * x) + 12.0 * x * sin(3.0 * x));
}
static const kan_function row = {.name = "wave",
                                 .f = wave,
                                 .d1 = wave_d1,
                                 .d2 = wave_d2,
                                 .lo = -INFINITY,
                                 .hi = INFINITY,
                                 .parity = 1,
                                 .cost = 3};

/* One edge becomes c wave(a x + b) + d, and the four constants are trained like any parameters. */
int main(void) {
    kan_error error = {.message = "out of memory"};
    kan_status status = KAN_ENOMEM;
    kan_symbolic s = {&row, 1.0, 0.0, 1.0, 0.0};
    const kan_edge edge = {0, 0, 0};
    kan_dataset *d = kan_dataset_alloc(KAN_REGRESSION, 200, 1, 1, false);
    kan_net *net = kan_net_alloc(&(kan_net_config){.width = {1, 1}});
    if (!d || !net) goto end;
    for (size_t k = 0; k < d->n; ++k) {
        d->x[k] = (double)k / 100.0 - 1.0;
        d->y[k] = 2.0 * wave(1.5 * d->x[k] - 0.25) + 0.5;
    }
    status = kan_net_set_symbolic(net, edge, &s, &error);
    if (status == KAN_OK)
        status = kan_trainer_fit(kan_net_model(net), d, &(kan_train_options){.optimizer = KAN_LM}, NULL,
                                 &error);
    if (status == KAN_OK && kan_net_get_symbolic(net, edge, &s))
        printf("%.6f %s(%.6f x %+.6f) %+.6f\n", s.c, s.f->name, s.a, s.b, s.d);
end:
    if (status != KAN_OK) fprintf(stderr, "%s\n", error.message);
    kan_net_free(net), kan_dataset_free(d);
    return status == KAN_OK ? 0 : 1;
}
