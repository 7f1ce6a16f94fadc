/* experiments/generator.h - data that needs no file: "fn:" and a built-in name or any formula.
 *
 * Regression. The inputs are the formula's variables in alphabetical order, uniform in their ranges: -1
 * to 1, or the built-in's own, or what the options say. Noise f adds a Gaussian to the training
 * targets, f times their standard deviation without noise. Test targets are clean, so that an error on
 * them measures the distance from the function and not from the noise.
 *
 * Classification. Points of the plane, x and y, whose class numbers are their names. Noise is the
 * standard deviation of a Gaussian that is added to both coordinates, of training and test points
 * alike, after the class is settled.
 *
 * Training inputs, test inputs and noise have random streams of their own, and rows are drawn one after
 * the other. So the number of test rows changes no training row and vice versa, more rows begin with
 * the rows of fewer, and noise moves no input of a regression.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_EXPERIMENTS_GENERATOR_H
#define KAN_EXPERIMENTS_GENERATOR_H

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"
#include "symbolic/expression.h"
#include "train/dataset.h"

typedef struct generator_range {
    const char *variable; /* NULL: every variable */
    double lo, hi;
} generator_range;

/* What `kan data` shows of a built-in. */
typedef struct generator {
    const char *name;
    char formula[112];  /* for people; what is evaluated is generator_expression */
    char variables[24]; /* their names, or the first and the last */
    const char *note;   /* a few words more, or NULL */
    kan_task task;
    size_t n_in, n_classes;    /* n_classes is 0 for regression */
    double noise;              /* the default */
    generator_range ranges[2]; /* the default ranges of its variables, where they are not -1 to 1 */
    size_t n_ranges;
} generator;

/* The built-ins: their number, and number i by value. */
size_t generator_count(void);
generator generator_at(size_t i);

/* Zero means the default in brackets. */
typedef struct generator_options {
    size_t n_train, n_test;        /* [1000] */
    const generator_range *ranges; /* [n_ranges] a later one replaces an earlier one */
    size_t n_ranges;
    const double *noise; /* [NULL: the generator's own] */
    uint64_t seed;
} generator_options;

/* The generating expression of a spec, the text behind "fn:": a built-in name or a formula. A range for
 * e or pi makes a variable of it. NULL: KAN_ENOMEM; KAN_EFORMAT for a text that is neither; KAN_ECONFIG
 * for a classification, which has none. `options` may be NULL. */
kan_expression *generator_expression(const char *spec, const generator_options *options,
                                     kan_error *error);

/* Makes the rows, with names; the caller frees both with kan_dataset_free. `options` may be NULL. On
 * failure *train and *test are NULL: KAN_ENOMEM; KAN_EFORMAT as above; KAN_ECONFIG for a range of an
 * unknown variable or without lo < hi, for ranges of a classification, for noise below zero, for a
 * formula without variables or with one called "target"; KAN_ENONFINITE where the formula is not
 * finite, with the inputs at which it is not. */
kan_status generator_make(const char *spec, const generator_options *options, kan_dataset **train,
                          kan_dataset **test, kan_error *error);

#endif
