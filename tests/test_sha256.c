/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/sha256.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

/* Published: FIPS 180-4's examples (NIST, "SHA256.pdf" and "SHA2_Additional.pdf") and SHA256ShortMsg.rsp of
 * NIST's validation program. */
static const struct {
    size_t n;
    const char *bytes, *digits;
} vectors[] = {
    {0, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {3, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {56, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {112,
     "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsm"
     "nopqrst"
     "nopqrstu",
     "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    {1, "\xbd", "68325720aabd7c82f30f554b313d0570c95accbb7dc4b5aae11204c08ffe732b"},
    {4, "\xc9\x8c\x8e\x55", "7abc22c0ae5af26ce93dbb94433a0e0b2e119d014f8e7f65bd56c61ccccd9504"},
    {1, "\xd3", "28969cdfa74a12c82f3bad960b0b000aca2ac329deea5c2328ebc6f2ba9802c1"},
};

/* n bytes of one value, in parts of `part` bytes. */
static void sum_repeated(size_t n, unsigned char value, size_t part, char digits[KAN_SHA256_SIZE]) {
    unsigned char *bytes = malloc(part);
    kan_sha256 s = kan_sha256_begin();
    memset(bytes, value, part);
    for (size_t done = 0; done < n;) {
        const size_t now = n - done < part ? n - done : part;
        kan_sha256_add(&s, bytes, now);
        done += now;
    }
    kan_sha256_end(&s, digits);
    free(bytes);
}

Test(sha256, published_vectors) {
    for (size_t k = 0; k < sizeof vectors / sizeof *vectors; ++k) {
        char digits[KAN_SHA256_SIZE];
        kan_sha256 s = kan_sha256_begin();
        kan_sha256_add(&s, vectors[k].bytes, vectors[k].n);
        kan_sha256_end(&s, digits);
        cr_assert(zero(int, strcmp(digits, vectors[k].digits)), "vector %zu", k);
    }
}

/* NIST's additional vectors: zeros around the ends of blocks, and a million letters; in parts of any size. */
Test(sha256, long_messages_in_parts) {
    static const struct {
        size_t n;
        unsigned char value;
        const char *digits;
    } long_ones[] = {
        {55, 0, "02779466cdec163811d078815c633f21901413081449002f24aa3e80f0b88ef7"},
        {56, 0, "d4817aa5497628e7c77e6b606107042bbba3130888c5f47a375e6179be789fbb"},
        {57, 0, "65a16cb7861335d5ace3c60718b5052e44660726da4cd13bb745381b235a1785"},
        {64, 0, "f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b"},
        {1000, 0, "541b3e9daa09b20bf85fa273e5cbd3e80185aa4ec298e765db87742b70138a53"},
        {1000, 'A', "c2e686823489ced2017f6059b8b239318b6364f6dcd835d0a519105a1eadd6e4"},
        {1005, 'U', "f4d62ddec0f3dd90ea1380fa16a5ff8dc4c54b21740650f24afc4120903552b0"},
        {1000000, 'a', "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
    };
    static const size_t parts[] = {1, 3, 63, 64, 65, 1000};
    for (size_t k = 0; k < sizeof long_ones / sizeof *long_ones; ++k)
        for (size_t j = 0; j < sizeof parts / sizeof *parts; ++j) {
            char digits[KAN_SHA256_SIZE];
            sum_repeated(long_ones[k].n, long_ones[k].value, parts[j], digits);
            cr_assert(zero(int, strcmp(digits, long_ones[k].digits)), "%zu bytes by %zu",
                      long_ones[k].n, parts[j]);
        }
}

Test(sha256, of_a_file) {
    char path[] = "/tmp/kan_sha256_XXXXXX", digits[KAN_SHA256_SIZE];
    kan_error error;
    const int file = mkstemp(path);
    cr_assert(ge(int, file, 0));
    cr_assert(eq(long, (long)write(file, "abc", 3), 3L));
    close(file);
    cr_assert(eq(int, kan_sha256_file(path, digits, &error), KAN_OK));
    cr_assert(zero(int, strcmp(digits, vectors[1].digits)));
    unlink(path);
    cr_assert(eq(int, kan_sha256_file(path, digits, &error), KAN_EIO));
    cr_assert(strstr(error.message, path) != NULL, "%s", error.message);
    cr_assert(eq(int, kan_sha256_file("/", digits, &error), KAN_EIO));
}
