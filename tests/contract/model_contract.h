/* tests/contract/model_contract.h - one suite for every kan_model, the KAN and the MLP alike.
 *
 * The functions assert with Criterion. A test that calls them compiles contract/model_contract.c and
 * contract/jacobian_contract.c, and links test_alloc.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_TESTS_MODEL_CONTRACT_H
#define KAN_TESTS_MODEL_CONTRACT_H

#include "core/model.h"

/* The model in long double and without the library: y [n_out] from theta [n_params] and one x [n_in].
 * Returns the largest sum of absolute values of terms that it met on the way, y included: rounding
 * errors of an evaluation are proportional to it. */
typedef long double model_reference(const void *context, const long double *theta, const long double *x,
                                    long double *y);

typedef struct model_contract {
    model_reference *reference;
    const void *context;                                        /* of reference                       */
    kan_model *(*load)(const kan_file *file, kan_error *error); /* a new model from a file            */
    void (*release)(kan_model *m);                              /* frees it                           */
    size_t batch;                                               /* samples of each check              */
    double lo, hi; /* of the inputs; lo == hi: [-1.5, 1.5] */
    /* Allowed error in units of epsilon times the magnitudes that reference returns [16], and the
     * epsilon of the precision that the model computes in [DBL_EPSILON]. */
    double ulps, epsilon;
    /* Step of the differences [2^-16]. A smaller one is rarely on both sides of a kink, and blurs them
     * by LDBL_EPSILON / step. */
    double step;
    uint64_t seed;
} model_contract;

/* All below but the threads. theta should hold numbers with entropy, none of them zero. The cost is
 * that of 4 n_params reference passes over the batch. Asserts: values     forward agrees with the
 * reference gradients  backward agrees with differences of the reference, for every parameter and every
 * input adjoint    <J v, u> = <v, J^T u> for random u and v, J the derivative by theta and by x samples
 * a batch gives what its samples give one by one work       poisoned work, y and dx change nothing;
 * grad is added to; without dx grad is the same; x, dy and theta stay as they are; nothing is allocated
 *   penalty    between forward and backward adds to grad and disturbs nothing; without one it is 0
 *   NaN        in a row of x makes all of that row of y NaN, and leaves the other rows as they are
 *   Jacobian   rows are the backward passes of single outputs, and agree with differences of the reference;
 *              runs ascend and are disjoint
 *   file       a saved model comes back with the same bits; a file that was cut short does not */
void model_contract_check(kan_model *m, const model_contract *contract);

/* The same bits with 1, 2 and 4 threads; the batch must be large enough for the model to use them,
 * which is asserted where the system lets threads be counted. reference, load and release are not used.
 */
void model_contract_check_threads(kan_model *m, const model_contract *contract);

#endif
