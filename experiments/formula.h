/* experiments/formula.h - what the formula of a table and that of a saved network share.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_EXPERIMENTS_FORMULA_H
#define KAN_EXPERIMENTS_FORMULA_H

#include <jansson.h>
#include <stdbool.h>

#include "experiments/options.h"
#include "experiments/source.h"
#include "symbolic/expression.h"
#include "train/dataset.h"

typedef struct formula_job {
    options o;
    source s;           /* of a network: train has the rows that it is looked at, test is NULL */
    char **names;       /* [n_names] of the inputs, as formulas can have them */
    size_t n_structure; /* seeds whose formula has the right structure */
    size_t n_names;
    double *values; /* [n_names] scratch of formula_value */
    json_t *runs;
    size_t n_exact, n_known;
} formula_job;

/* Makes the names from those of the columns of d. 0, or the exit status after one line on stderr. */
int formula_make_names(formula_job *j, const kan_dataset *d);

/* The value at a row x [n_names]. */
double formula_value(const formula_job *j, const kan_expression *e, const double *x);

/* Whether the formula is the one that made the rows: 1, 0, or -1 where there is none. */
int formula_is_exact(const formula_job *j, const kan_expression *e);

/* As a JSON string; and in the form that the command line asks for, to be freed (NULL without memory). */
json_t *formula_json(const kan_expression *e, kan_expression_form form);
char *formula_text(const formula_job *j, const kan_expression *e, kan_error *error);

/* Whether an argument is a saved model, and not data: by its first bytes or its name. */
bool formula_is_model(const char *path);

/* The formulas of a saved network, one for each output; *record is what --json writes. As above. */
int formula_of_model(formula_job *j, json_t **record);

#endif
