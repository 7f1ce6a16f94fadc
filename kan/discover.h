/* kan/discover.h - the formula behind a table.
 *
 * Forms of network (kan/form.h) are fitted in the order of their size: sums under every head, then sums with products,
 * then one function of a sum. The curves of those that describe the validation rows well are read (what function of the
 * table is this?), and every reading becomes a formula whose constants are all fitted again to the rows themselves. A
 * reading is judged by the error of the whole formula after that, and where another candidate of one curve makes it
 * smaller, that one is taken. Of a formula that is exact to rounding, or as good as the noise allows, constants are then
 * put to 0, 1 and other numbers with a name, one after the other, as long as the error stays what it was.
 *
 * The search ends with the first formula that is exact to rounding, or that leaves nothing but noise (docs/formulas.md has
 * the rule), or when it has no more forms, or with the time. What it does follows from data, options, seed and the
 * work counted (core/meter.h): a search that the clock ended is repeated to the bit by its count as the limit.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_KAN_DISCOVER_H
#define KAN_KAN_DISCOVER_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/meter.h"
#include "core/status.h"
#include "symbolic/expression.h"
#include "train/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* A formula that was found. */
typedef struct kan_formula {
    kan_expression *expression; /* of the inputs by their names */
    double complexity;          /* kan_expression_complexity */
    double rmse;                /* on all rows */
    double validation;          /* RMSE on the validation rows */
    bool to_rounding;           /* rmse is rounding error: at most 1e-11 times the spread of y */
} kan_formula;

/* Every zero means the default in brackets. */
typedef struct kan_discover_options {
    double seconds;                    /* CPU seconds [60; none where work is given] */
    uint64_t work;                     /* ends the search at that count [no limit] */
    uint64_t seed;                     /* of starts, and of the rows for validation */
    size_t target;                     /* column of y */
    size_t most_products;              /* [2] */
    const volatile sig_atomic_t *stop; /* ends the search in good order when it becomes non-zero   */
    void (*progress)(void *context, const char *what, double error); /* a form was fitted; or NULL */
    void *context;
} kan_discover_options;

/* Why a search ended. */
typedef enum kan_discover_end {
    KAN_DISCOVER_FORMS = 0, /* there were no more forms                          */
    KAN_DISCOVER_EXACT,     /* a formula is exact to rounding                    */
    KAN_DISCOVER_NOISE,     /* what the best formula leaves is noise             */
    KAN_DISCOVER_WORK,      /* options->work was reached                         */
    KAN_DISCOVER_CLOCK,     /* the seconds were used up                          */
    KAN_DISCOVER_STOPPED    /* *stop was set                                     */
} kan_discover_end;

/* "forms", "exact", "noise", "work", "clock", "stopped" */
const char *kan_discover_end_name(kan_discover_end end);

/* The formulas found that no other one beats in complexity and error at once, the simplest first. */
typedef struct kan_discovery {
    kan_formula *formulas;
    size_t n;
    size_t best;    /* the best trade-off: the smallest n log(rmse^2) + complexity log(n) */
    double network; /* RMSE of the best network on the validation rows */
    double seconds;
    uint64_t work; /* counted */
    kan_discover_end end;
} kan_discovery;

/* Of the rows of d, regression without bytes; names [n_in] of its inputs, which kan_expression_parse_with can take. NULL:
 * KAN_ENOMEM, KAN_ECONFIG (fewer than 20 rows, or a target that is constant or not finite). */
kan_discovery *kan_discover(const kan_dataset *d, const char *const *names,
                            const kan_discover_options *options, kan_error *error);
void kan_discovery_free(kan_discovery *f);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
