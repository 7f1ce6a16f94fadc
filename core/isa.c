/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/isa.h"

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[KAN_N_ISAS] = {"baseline", "v3", "v4"};

const char *kan_isa_name(kan_isa isa) {
    assert(isa < KAN_N_ISAS && "a level of the list");
    return names[isa];
}

kan_isa kan_isa_from_name(const char *name) {
    kan_isa isa = KAN_ISA_BASELINE;
    while (isa < KAN_N_ISAS && strcmp(names[isa], name) != 0) ++isa;
    return isa;
}

/* What a level adds to the one below, as far as the kernels use it. */
bool kan_isa_available(kan_isa isa) {
    switch (isa) {
    case KAN_ISA_BASELINE: return true;
#ifdef KAN_HAVE_X86_LEVELS
    case KAN_ISA_V3:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
               __builtin_cpu_supports("bmi2");
    case KAN_ISA_V4:
        return kan_isa_available(KAN_ISA_V3) && __builtin_cpu_supports("avx512f") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#endif
    default: return false;
    }
}

static kan_isa choose(void) {
    const char *wish = getenv("KAN_ISA");
    const kan_isa wished = wish ? kan_isa_from_name(wish) : KAN_N_ISAS;
    if (wished < KAN_N_ISAS && kan_isa_available(wished)) return wished;
    kan_isa best = KAN_N_ISAS - 1;
    while (!kan_isa_available(best)) --best;
    return best;
}

/* Two threads that both come first choose the same. */
kan_isa kan_isa_get(void) {
    static atomic_int chosen = -1;
    int isa = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (isa < 0) {
        isa = (int)choose();
        atomic_store_explicit(&chosen, isa, memory_order_relaxed);
    }
    return (kan_isa)isa;
}
