/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <string.h>

#include "core/status.h"

Test(status, has_words_of_its_own_for_every_value) {
    for (int s = KAN_OK; s <= KAN_ENONFINITE; ++s) {
        const char *words = kan_status_string((kan_status)s);
        cr_assert(words != NULL && words[0] != '\0');
        cr_assert(strcmp(words, "unknown status") != 0, "status %d", s);
        for (int t = KAN_OK; t < s; ++t)
            cr_assert(strcmp(words, kan_status_string((kan_status)t)) != 0, "%d and %d", s, t);
    }
    cr_assert(strcmp(kan_status_string((kan_status)(KAN_ENONFINITE + 1)), "unknown status") == 0,
              "the loop above ends with the last value");
}

Test(status, of_a_failure_is_returned_and_kept) {
    kan_error error = {0};
    const kan_status status = kan_status_fail(&error, KAN_EFORMAT, "%s: line %d", "data.csv", 17);
    cr_assert(eq(int, (int)status, KAN_EFORMAT));
    cr_assert(eq(int, (int)error.status, KAN_EFORMAT));
    cr_assert(strcmp(error.message, "data.csv: line 17") == 0);
}

Test(status, may_go_without_an_error) {
    cr_assert(eq(int, (int)kan_status_fail(NULL, KAN_EIO, "%d", 1), KAN_EIO));
}

Test(status, cuts_a_message_that_is_too_long) {
    kan_error error;
    char path[2 * sizeof error.message];
    memset(&error, 'x', sizeof error);
    memset(path, 'p', sizeof path);
    path[sizeof path - 1] = '\0';
    kan_status_fail(&error, KAN_EIO, "%s", path);
    cr_assert(eq(sz, strlen(error.message), sizeof error.message - 1));
    cr_assert(strspn(error.message, "p") == sizeof error.message - 1);
}
