/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "core/isa.h"

Test(isa, names_and_levels_correspond) {
    for (kan_isa isa = 0; isa < KAN_N_ISAS; ++isa)
        cr_assert(kan_isa_from_name(kan_isa_name(isa)) == isa);
    cr_assert(kan_isa_from_name("V3") == KAN_N_ISAS);
    cr_assert(kan_isa_from_name("") == KAN_N_ISAS);
}

/* A processor that has a level has those below it. */
Test(isa, the_baseline_is_always_there) {
    cr_assert(kan_isa_available(KAN_ISA_BASELINE));
    cr_assert(!kan_isa_available(KAN_ISA_V4) || kan_isa_available(KAN_ISA_V3));
    cr_assert(!(kan_isa_available(KAN_N_ISAS)));
}

Test(isa, without_a_wish_the_best_is_chosen) {
    unsetenv("KAN_ISA");
    const kan_isa chosen = kan_isa_get();
    cr_assert(kan_isa_available(chosen));
    for (kan_isa isa = chosen + 1; isa < KAN_N_ISAS; ++isa) cr_assert(!(kan_isa_available(isa)));
}

Test(isa, the_wish_of_the_environment_is_followed_once) {
    setenv("KAN_ISA", "baseline", 1);
    cr_assert(kan_isa_get() == KAN_ISA_BASELINE);
    setenv("KAN_ISA", "v3", 1);
    cr_assert(kan_isa_get() == KAN_ISA_BASELINE, "it stays for the life of the process");
}

Test(isa, a_wish_that_makes_no_sense_is_ignored) {
    setenv("KAN_ISA", "pentium", 1);
    cr_assert(kan_isa_available(kan_isa_get()));
}
