/* kan/multiply.c - nodes of a level from the outputs of the layer below it, and the way back.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "kan/net_private.h"

void net_multiply(const kan_net_config *config, size_t level, size_t batch, const double *sub,
                  double *y) {
    const size_t n_add = config->width[level], n_mult = config->mult[level],
                 arity = config->arity[level];
    for (size_t s = 0; s < batch; ++s) {
        for (size_t o = 0; o < n_add; ++o) *y++ = *sub++;
        for (size_t m = 0; m < n_mult; ++m, sub += arity) {
            double product = sub[0];
            for (size_t a = 1; a < arity; ++a) product *= sub[a];
            *y++ = product;
        }
    }
}

/* Not y / factor: a factor may be 0. */
void net_multiply_backward(const kan_net_config *config, size_t level, size_t batch, const double *sub,
                           const double *d_y, double *d_sub) {
    const size_t n_add = config->width[level], n_mult = config->mult[level],
                 arity = config->arity[level];
    for (size_t s = 0; s < batch; ++s) {
        for (size_t o = 0; o < n_add; ++o, ++sub) *d_sub++ = *d_y++;
        for (size_t m = 0; m < n_mult; ++m, sub += arity, ++d_y)
            for (size_t a = 0; a < arity; ++a) {
                double others = *d_y;
                for (size_t b = 0; b < arity; ++b)
                    if (b != a) others *= sub[b];
                *d_sub++ = others;
            }
    }
}
