/* kan/reading.h - private: what the curves of a fitted form may be, and the formula of a choice.
 *
 * A part is one curve of the form: phi of an input, psi of an input in a product, or the outer g. Each has a few
 * candidates c f(a x + b) + d from the table of functions, or functions of functions where none fits; a choice of one for every part is a formula. What a part
 * is cannot be told from its own curve alone, since several functions come close to it; it is told by the error of
 * the whole formula, after all its constants were fitted again (kan/snap.h).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_KAN_READING_H
#define KAN_KAN_READING_H

#include "core/meter.h"
#include "kan/form.h"
#include "symbolic/composite.h"

enum { READING_CANDIDATES = 6 };

typedef enum part_kind { PART_PHI = 0, PART_PSI, PART_OUTER } part_kind;

typedef struct part {
    part_kind kind;
    size_t product, input;                       /* of psi; of phi and psi */
    size_t n;                                    /* candidates, the likeliest first; 0: a constant */
    kan_composite candidate[READING_CANDIDATES]; /* f NULL: c g(a x + b) + d */
    double constant;                             /* where n is 0 */
} part;

typedef struct reading {
    kan_form form;
    double z_shift, z_scale;
    kan_meter *meter; /* not owned */
    size_t n_parts;
    part *parts; /* phi of all inputs, psi product by product, the outer g */
} reading;

/* Looks at the curves of a form where the rows x [n][n_in] of the data are; when the meter is over, which counts that,
 * what has not been looked at stays a constant. NULL: KAN_ENOMEM. */
reading *reading_alloc(const kan_form_fit *f, size_t n, const double *x, kan_meter *meter,
                       kan_error *error);
void reading_free(reading *r);

/* The formula of a choice [n_parts], as text to be freed; names [n_in]. NULL without memory. */
char *reading_formula(const reading *r, const size_t *choice, const char *const *names);

#endif
