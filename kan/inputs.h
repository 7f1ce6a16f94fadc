/* kan/inputs.h - private: the inputs of a search for formulas, and pairs of them made one.
 *
 * A function of x - y, of x/y or of x^2 + y^2 is no function of a sum of curves of x and y, but one of a sum of curves of the
 * pair and the other inputs. A pair takes the place of one of its two inputs; the other stays and is left out by the fit where it has
 * no more to say.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_KAN_INPUTS_H
#define KAN_KAN_INPUTS_H

#include "train/dataset.h"

typedef enum pair_kind {
    PAIR_MINUS = 0,
    PAIR_OVER,
    PAIR_TIMES,
    PAIR_PLUS,
    PAIR_SQUARES,
    N_PAIRS
} pair_kind;

typedef struct inputs {
    kan_dataset *all, *fit, *held; /* the same columns; y is that of the data */
    char **names;                  /* [n_in] as formulas take them: "x", "(x-y)" */
    double error;                  /* of the best form that was fitted to them; the owner keeps it */
} inputs;

/* Copies. NULL without memory. */
inputs *inputs_alloc(const kan_dataset *all, const kan_dataset *fit, const kan_dataset *held,
                     const char *const *names);
void inputs_free(inputs *v);

/* The inputs with the pair of i and j in the place of i; *made = NULL where it is not finite, or not a new one (a pair of
 * pairs that undoes itself). KAN_ENOMEM. */
kan_status inputs_combine(const inputs *v, size_t i, size_t j, pair_kind kind, inputs **made,
                          kan_error *error);

#endif
