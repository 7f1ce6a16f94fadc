/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mlp/restart.h"

#include <string.h>

#include "core/random.h"
#include "mlp/mlp_private.h"

kan_mlp *kan_restart_mlp(const kan_model *m) {
    return m->self;
}

static void release(kan_model *m) {
    kan_mlp_free(m->self);
}

static kan_model *copy(const kan_model *m) {
    kan_mlp *mlp = kan_mlp_alloc(kan_mlp_get_config(m->self));
    if (!mlp) return NULL;
    kan_model *c = kan_mlp_model(mlp);
    memcpy(c->theta, m->theta, m->n_params * sizeof *m->theta);
    return c;
}

static kan_model *load(const void *self, const kan_file *file, kan_error *error) {
    (void)self;
    kan_mlp *mlp = kan_mlp_load(file, error);
    return mlp ? kan_mlp_model(mlp) : NULL;
}

static kan_status start(const void *self, uint64_t seed, uint64_t number, size_t generation,
                        const kan_dataset *d, kan_model **made, kan_error *error) {
    (void)generation, (void)d;
    kan_mlp_config config = *(const kan_mlp_config *)self;
    kan_random random = kan_random_seed(seed, number);
    config.seed = kan_random_u64(&random);
    kan_mlp *mlp = kan_mlp_alloc(&config);
    if (!mlp) return kan_status_fail(error, KAN_ENOMEM, "restart: out of memory");
    *made = kan_mlp_model(mlp);
    return KAN_OK;
}

static const kan_search_family family = {
    .start = start, .copy = copy, .load = load, .release = release};
const kan_search_family *const kan_restart_family = &family;
