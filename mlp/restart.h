/* mlp/restart.h - MLPs for train/search.h: random starts, as mlp/mlp.h draws them. Nothing is refined: those that
 * stay are trained on.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_MLP_RESTART_H
#define KAN_MLP_RESTART_H

#include "mlp/mlp.h"
#include "train/search.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* For kan_search_alloc; self is a kan_mlp_config that passes kan_mlp_check, its seed is not used. The models are
 * those of MLPs: kan_restart_mlp gives the MLP, which frees the model. */
extern const kan_search_family *const kan_restart_family;
kan_mlp *kan_restart_mlp(const kan_model *m);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
