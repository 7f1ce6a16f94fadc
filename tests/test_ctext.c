/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/ctext.h"

static void check(void write(FILE *stream, const void *value), const void *value,
                  const char *expected) {
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    write(stream, value);
    fclose(stream);
    cr_assert(eq(str, text, (char *)(uintptr_t)expected));
    free(text);
}

static void real(FILE *stream, const void *value) {
    kan_ctext_real(stream, *(const double *)value);
}

static void array(FILE *stream, const void *value) {
    kan_ctext_array(stream, "a", 5, value);
}

static void string(FILE *stream, const void *value) {
    kan_ctext_string(stream, value);
}

Test(ctext, numbers_are_doubles_with_all_their_digits) {
    const double values[] = {1.0, -2.5, 0.1, 1e300, NAN, INFINITY, -INFINITY, -0.0};
    const char *expected[] = {"1.0", "(-2.5)",   "0.10000000000000001", "1.0000000000000001e+300",
                              "NAN", "INFINITY", "(-INFINITY)",         "(-0.0)"};
    for (size_t j = 0; j < sizeof values / sizeof *values; ++j) check(real, &values[j], expected[j]);
}

Test(ctext, arrays_have_their_length) {
    const double values[] = {1.0, 2.0, -3.0, 4.0, 5.5};
    check(array, values, "static const double a[5] = {\n    1.0, 2.0, (-3.0), 4.0,\n    5.5};\n");
}

Test(ctext, strings_may_hold_anything) {
    check(string,
          "a \"b\"\\\n\xc3\xa9"
          "7?\?=",
          "\"a \\042b\\042\\134\\012\\303\\2517\\077\\077=\"");
}
