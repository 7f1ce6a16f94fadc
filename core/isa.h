/* core/isa.h - which instruction set the kernels use.
 *
 * The files that carry the arithmetic are compiled once for every level below, for the double and for the
 * single precision, each time into a table of functions (core/kernel.h). The first call of kan_isa chooses:
 * the best level that both the build and the processor have, or the one that the environment variable KAN_ISA
 * names, if they have it. It stays for the life of the process, since levels differ in the last bits of their
 * results (the baseline has no fused multiply-add).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_CORE_ISA_H
#define KAN_CORE_ISA_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Instruction sets that kernels are compiled for. */
typedef enum kan_isa {
    KAN_ISA_BASELINE = 0, /* whatever the compiler assumes of the processor */
    KAN_ISA_V3,           /* x86-64-v3: AVX2 and fused multiply-add         */
    KAN_ISA_V4,           /* x86-64-v4: AVX-512                             */
    KAN_N_ISAS
} kan_isa;

/* The level in use. */
kan_isa kan_isa_get(void);

/* "baseline", "v3", "v4"; and back: KAN_N_ISAS for a name that is none. */
const char *kan_isa_name(kan_isa isa);
kan_isa kan_isa_from_name(const char *name);

/* Whether both this build and this processor have it. */
bool kan_isa_available(kan_isa isa);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
