/* kan/init.h - private: how the parameters of a layer start.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_KAN_INIT_H
#define KAN_KAN_INIT_H

#include "core/random.h"
#include "core/status.h"
#include "kan/layer.h"
#include "kan/net.h"

/* Fills the theta of a layer by the scheme of the config (defaults filled in). KAN_ENOMEM. */
kan_status init_layer(const kan_net_config *config, layer *l, kan_random *random);

#endif
