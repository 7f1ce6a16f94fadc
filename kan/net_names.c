/* kan/net_names.c - the names of what a net can be, in model files and on command lines.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "kan/net.h"

static const char *const base_names[KAN_N_BASES] = {"silu", "identity", "zero"};
static const char *const scale_names[KAN_N_SCALES] = {"edge_forward_spline_n", "edge_forward_spline_u",
                                                      "edge_forward_sum", "edge_backward",
                                                      "node_backward"};
static const char *const init_names[KAN_N_INITS] = {"reference", "glorot", "power"};

const char *kan_net_base_name(kan_base base) {
    return base < KAN_N_BASES ? base_names[base] : NULL;
}

kan_base kan_net_base_from_name(const char *name) {
    kan_base base = 0;
    while (base < KAN_N_BASES && strcmp(base_names[base], name) != 0) ++base;
    return base;
}

const char *kan_net_init_name(kan_init init) {
    return init < KAN_N_INITS ? init_names[init] : NULL;
}

kan_init kan_net_init_from_name(const char *name) {
    kan_init init = 0;
    while (init < KAN_N_INITS && strcmp(init_names[init], name) != 0) ++init;
    return init;
}

const char *kan_net_scale_name(kan_scale scale) {
    return scale < KAN_N_SCALES ? scale_names[scale] : NULL;
}

kan_scale kan_net_scale_from_name(const char *name) {
    kan_scale scale = 0;
    while (scale < KAN_N_SCALES && strcmp(scale_names[scale], name) != 0) ++scale;
    return scale;
}
