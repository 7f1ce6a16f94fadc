/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include <core/random.h>
#include <train/dataset.h>

/* n rows of exp(sin(pi x) + y^2), x and y uniform on [-1, 1], other ones with every seed; NULL without memory. */
static kan_dataset *hello_rows(size_t n, uint64_t seed) {
    const double pi = 3.14159265358979323846;
    kan_dataset *d = kan_dataset_alloc(KAN_REGRESSION, n, 2, 1, false);
    kan_random random = kan_random_seed(seed, 0);
    for (size_t s = 0; d && s < n; ++s) {
        double *x = d->x + 2 * s; /* x [n][2], row by row */
        x[0] = 2.0 * kan_random_uniform(&random) - 1.0;
        x[1] = 2.0 * kan_random_uniform(&random) - 1.0;
        d->y[s] = exp(sin(pi * x[0]) + x[1] * x[1]);
    }
    return d;
}
