/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <dirent.h>
#include <float.h>
#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>
#include <zlib.h>

#include "core/file.h"
#include "core/random.h"
#include "tests/support/alloc.h"

/* Every test works in a directory of its own, which goes with all that is in it. */
static char folder[64], path[128];

static void enter_folder(void) {
    strcpy(folder, "/tmp/kan_file_XXXXXX");
    cr_assert(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/model.kan", folder);
}

/* Files in the folder; *name is one of them. */
static size_t count_files(char name[256]) {
    size_t n = 0;
    DIR *directory = opendir(folder);
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        if (entry->d_name[0] == '.') continue;
        snprintf(name, 256, "%s", entry->d_name);
        ++n;
    }
    if (directory) closedir(directory);
    return n;
}

static void leave_folder(void) {
    char name[256], victim[512];
    chmod(folder, 0700);
    while (count_files(name) > 0) {
        snprintf(victim, sizeof victim, "%s/%s", folder, name);
        if (remove(victim) != 0) break;
    }
    rmdir(folder);
}

TestSuite(file, .init = enter_folder, .fini = leave_folder);

enum { MAX_IMAGE = 4096 };
typedef struct image {
    size_t size;
    unsigned char bytes[MAX_IMAGE];
} image;

static image read_image(const char *from) {
    image im = {0};
    FILE *in = fopen(from, "rb");
    cr_assert(in != NULL, "%s", from);
    im.size = fread(im.bytes, 1, MAX_IMAGE, in);
    fclose(in);
    cr_assert(im.size < MAX_IMAGE);
    return im;
}

static void write_image(const image *im) {
    FILE *out = fopen(path, "wb");
    cr_assert(out != NULL);
    cr_assert(eq(sz, fwrite(im->bytes, 1, im->size, out), im->size));
    cr_assert(eq(int, fclose(out), 0));
}

/* A file made by hand: any header behind any claimed length. */
static image make_image(const char *header, size_t claimed, size_t n_data) {
    image im = {.size = 8 + strlen(header) + n_data};
    cr_assert(im.size < MAX_IMAGE);
    for (size_t b = 0; b < 8; ++b) im.bytes[b] = (unsigned char)(claimed >> (8 * b));
    memcpy(im.bytes + 8, header, strlen(header));
    return im;
}

static const double numbers[2][3] = {{0.1, -1e300, DBL_MIN / 8}, {INFINITY, NAN, -0.0}};
static const size_t numbers_shape[2] = {2, 3};
static const unsigned char mask[5] = {1, 0, 255, 7, 2};
static const size_t mask_shape[1] = {5};
static const size_t none_shape[2] = {0, 3};
/* What a reader that searches for the checksum would stumble over. */
static const char tricky[] = "a \"crc32\":\"00000000\", \\ and \xc3\xa4\n";

/* KAN_OK, or the first failure. */
static kan_status fill(kan_file *file) {
    const double scalar = 2.385;
    kan_status status = kan_file_add(file, "mask", KAN_U8, 1, mask_shape, mask, NULL);
    if (status == KAN_OK)
        status = kan_file_add(file, "theta", KAN_F64, 2, numbers_shape, numbers, NULL);
    if (status == KAN_OK) status = kan_file_add(file, "scalar", KAN_F64, 0, NULL, &scalar, NULL);
    if (status == KAN_OK) status = kan_file_add(file, "none", KAN_F64, 2, none_shape, NULL, NULL);
    if (status == KAN_OK) status = kan_file_set(file, "columns", tricky, NULL);
    if (status == KAN_OK) status = kan_file_set(file, "x\"crc32\":\"", "00000000", NULL);
    return status;
}

static kan_file *example(void) {
    kan_file *file = kan_file_alloc();
    cr_assert(file != NULL);
    cr_assert(eq(int, (int)fill(file), KAN_OK));
    return file;
}

static void write_example(void) {
    kan_error error = {0};
    kan_file *file = example();
    cr_assert(eq(int, (int)kan_file_write(file, path, &error), KAN_OK), "%s", error.message);
    kan_file_free(file);
}

static void check_example(const kan_file *file) {
    kan_error error = {0};
    const double *theta = kan_file_find(file, "theta", KAN_F64, 2, numbers_shape, &error);
    cr_assert(theta != NULL, "%s", error.message);
    cr_assert(eq(sz, (size_t)theta % sizeof(double), 0));
    cr_assert(memcmp(theta, numbers, sizeof numbers) == 0);
    const unsigned char *bytes = kan_file_find(file, "mask", KAN_U8, 1, mask_shape, &error);
    cr_assert(bytes != NULL && memcmp(bytes, mask, sizeof mask) == 0);
    const double *scalar = kan_file_find(file, "scalar", KAN_F64, 0, NULL, &error);
    cr_assert(scalar != NULL && *scalar == 2.385);
    cr_assert(kan_file_find(file, "none", KAN_F64, 2, none_shape, &error) != NULL);
    cr_assert(strcmp(kan_file_get(file, "columns"), tricky) == 0);
    cr_assert(kan_file_get(file, "rows") == NULL);
}

/* Reads a file that must be refused, with a message that names it and says `reason`. */
static void refuse(kan_status expected, const char *reason) {
    kan_error error = {0};
    cr_assert(kan_file_read(path, &error) == NULL, "was read, wanted: %s", reason);
    cr_assert(eq(int, (int)error.status, (int)expected), "%s", error.message);
    cr_assert(strncmp(error.message, path, strlen(path)) == 0, "%s", error.message);
    cr_assert(strstr(error.message, reason) != NULL, "'%s' does not say '%s'", error.message, reason);
}

Test(file, comes_back_as_it_was_written) {
    kan_file *made = example();
    check_example(made);
    kan_file_free(made);

    kan_error error = {0};
    write_example();
    kan_file *file = kan_file_read(path, &error);
    cr_assert(file != NULL, "%s", error.message);
    check_example(file);
    cr_assert(strcmp(kan_file_get(file, "version"), "1") == 0);

    const image before = read_image(path);
    cr_assert(eq(int, (int)kan_file_write(file, path, &error), KAN_OK));
    const image after = read_image(path);
    kan_file_free(file);
    cr_assert(eq(sz, before.size, after.size));
    cr_assert(memcmp(before.bytes, after.bytes, before.size) == 0);
    char name[256];
    cr_assert(eq(sz, count_files(name), 1), "%s is left", name);
}

Test(file, may_be_empty) {
    kan_file *file = kan_file_alloc();
    cr_assert(eq(int, (int)kan_file_write(file, path, NULL), KAN_OK));
    kan_file_free(file);
    file = kan_file_read(path, NULL);
    cr_assert(file != NULL);
    kan_file_free(file);
}

/* A file with many tensors of both kinds, each of its own length, made of random bits. */
Test(file, keeps_many_tensors_apart) {
    enum { N = 60 };
    kan_file *file = kan_file_alloc();
    unsigned char bytes[N];
    double values[N];
    for (size_t round = 0; round < 2; ++round) {
        kan_random random = kan_random_seed(11, 0);
        for (size_t j = 0; j < N; ++j) {
            char name[16];
            const kan_dtype dtype = j % 3 == 0 ? KAN_F64 : KAN_U8;
            snprintf(name, sizeof name, "t%zu", j);
            for (size_t k = 0; k < j; ++k) {
                values[k] = kan_random_normal(&random);
                bytes[k] = (unsigned char)kan_random_u64(&random);
            }
            const void *from = dtype == KAN_F64 ? (const void *)values : bytes;
            if (round == 0)
                cr_assert(eq(int, (int)kan_file_add(file, name, dtype, 1, &j, from, NULL), KAN_OK));
            const void *found = kan_file_find(file, name, dtype, 1, &j, NULL);
            cr_assert(found != NULL);
            cr_assert(memcmp(found, from, dtype == KAN_F64 ? j * sizeof(double) : j) == 0, "tensor %zu",
                      j);
        }
        if (round == 1) break;
        cr_assert(eq(int, (int)kan_file_write(file, path, NULL), KAN_OK));
        kan_file_free(file);
        file = kan_file_read(path, NULL);
        cr_assert(file != NULL);
    }
    kan_file_free(file);
}

/* Python's standard library, which shares no code with ours, finds the same numbers at aligned places
 * and the same checksum. */
static const char script[] =
    "import json, math, struct, sys, zlib\n"
    "image = open(sys.argv[1], 'rb').read()\n"
    "n, = struct.unpack('<Q', image[:8])\n"
    "header, data = json.loads(image[8:8 + n]), image[8 + n:]\n"
    "meta = header.pop('__metadata__')\n"
    "crc = meta['crc32']\n"
    "zeroed = image.replace(('\"crc32\":\"%s\"' % crc).encode(), b'\"crc32\":\"00000000\"', 1)\n"
    "assert zlib.crc32(zeroed) == int(crc, 16) and len(crc) == 8\n"
    "assert meta['format'] == 'kan' and meta['version'] == '1' and n % 8 == 0\n"
    "assert meta['columns'] == 'a \"crc32\":\"00000000\", \\\\ and \\xe4\\n'\n"
    "assert sum(e - b for b, e in (t['data_offsets'] for t in header.values())) == len(data)\n"
    "begin, end = header['theta']['data_offsets']\n"
    "assert begin % 8 == 0 and header['theta']['shape'] == [2, 3] and header['theta']['dtype'] == "
    "'F64'\n"
    "v = struct.unpack('<6d', data[begin:end])\n"
    "assert v[:4] == (0.1, -1e300, sys.float_info.min / 8, math.inf) and math.isnan(v[4])\n"
    "assert v[5] == 0 and math.copysign(1, v[5]) == -1\n"
    "begin, end = header['mask']['data_offsets']\n"
    "assert header['mask']['dtype'] == 'U8' and data[begin:end] == bytes([1, 0, 255, 7, 2])\n"
    "assert header['scalar']['shape'] == [] and header['none']['shape'] == [0, 3]\n";

Test(file, is_read_by_python) {
    if (system("python3 -c '' >/dev/null 2>&1") != 0) cr_skip_test("python3 is not here");
    char program[128], command[512];
    snprintf(program, sizeof program, "%s/read.py", folder);
    FILE *out = fopen(program, "w");
    cr_assert(out != NULL && fputs(script, out) >= 0 && fclose(out) == 0);
    write_example();
    snprintf(command, sizeof command, "python3 '%s' '%s'", program, path);
    cr_assert(eq(int, system(command), 0));
}

Test(file, is_refused_when_it_is_cut_short) {
    write_example();
    image im = read_image(path);
    const size_t size = im.size;
    for (im.size = 0; im.size < size; ++im.size) {
        write_image(&im);
        kan_error error = {0};
        cr_assert(kan_file_read(path, &error) == NULL, "%zu bytes of %zu were enough", im.size, size);
        cr_assert(eq(int, (int)error.status, KAN_EFORMAT), "%s", error.message);
    }
    im.size = size + 1;
    write_image(&im);
    refuse(KAN_EFORMAT, "1 bytes behind the last tensor");
    im.size = size;
    write_image(&im);
    kan_file *file = kan_file_read(path, NULL);
    cr_assert(file != NULL, "the whole file is fine");
    kan_file_free(file);
}

Test(file, is_refused_when_any_bit_is_wrong) {
    write_example();
    image im = read_image(path);
    for (size_t b = 0; b < im.size; ++b)
        for (unsigned bit = 0; bit < 8; ++bit) {
            im.bytes[b] ^= (unsigned char)(1u << bit);
            write_image(&im);
            kan_error error = {0};
            cr_assert(kan_file_read(path, &error) == NULL, "byte %zu, bit %u", b, bit);
            cr_assert(eq(int, (int)error.status, KAN_EFORMAT), "%s", error.message);
            im.bytes[b] ^= (unsigned char)(1u << bit);
        }
}

/* A header as the library writes it, but for what is wrong with it; the checksum is right. */
static void write_header(const char *version, const char *tensors, size_t n_data) {
    char header[1024];
    snprintf(header, sizeof header,
             "{\"__metadata__\":{\"format\":\"kan\",\"version\":\"%s\",\"crc32\":\"00000000\"}%s%s}",
             version, tensors[0] ? "," : "", tensors);
    image im = make_image(header, strlen(header), n_data);
    char *digits = strstr((char *)im.bytes + 8, "00000000");
    char crc[16];
    snprintf(crc, sizeof crc, "%08lx", crc32(0, im.bytes, (uInt)im.size));
    memcpy(digits, crc, 8);
    write_image(&im);
}

#define TENSOR(name, dtype, shape, offsets) \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

Test(file, by_hand_is_read_wherever_its_tensors_lie) {
    write_header("1", TENSOR("b", "F64", "[1]", "[3,11]") "," TENSOR("a", "U8", "[1,3]", "[0,3]"), 11);
    kan_error error = {0};
    kan_file *file = kan_file_read(path, &error);
    cr_assert(file != NULL, "%s", error.message);
    const double *b = kan_file_find(file, "b", KAN_F64, 1, (size_t[]){1}, NULL);
    cr_assert(b != NULL && *b == 0.0);
    cr_assert(eq(sz, (size_t)b % sizeof(double), 0));
    kan_file_free(file);
}

static const struct {
    const char *tensors, *reason;
    size_t n_data;
} bad[] = {
    {TENSOR("a", "F64", "[2]", "[0,16]"), "cut short", 15},
    {TENSOR("a", "F64", "[2]", "[0,16]"), "behind the last tensor", 17},
    {TENSOR("a", "F64", "[2]", "[0,15]"), "differ", 15},
    {TENSOR("a", "F64", "[2]", "[16,0]"), "in order", 16},
    {TENSOR("a", "F64", "[2]", "[-16,0]"), "in order", 16},
    {TENSOR("a", "F64", "[2]", "[0,16,0]"), "in order", 16},
    {TENSOR("a", "F64", "[2]", "[0,16.0]"), "in order", 16},
    {TENSOR("a", "F64", "[-2]", "[0,16]"), "sizes", 16},
    {TENSOR("a", "F64", "[\"2\"]", "[0,16]"), "sizes", 16},
    {TENSOR("a", "F64", "[1,1,1,1,2]", "[0,16]"), "dimensions", 16},
    {TENSOR("a", "BF16", "[8]", "[0,16]"), "neither F64 nor U8", 16},
    {TENSOR("a", "F64", "2", "[0,16]"), "nothing else", 16},
    {"\"a\":{\"dtype\":\"U8\",\"shape\":[1]}", "nothing else", 1},
    {"\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"b\":1}", "nothing else", 1},
    {"\"a\":[0,1]", "nothing else", 1},
    {TENSOR("a", "U8", "[1]", "[0,1]") "," TENSOR("a", "U8", "[1]", "[1,2]"), "duplicate", 2},
    {TENSOR("a", "U8", "[2]", "[0,2]") "," TENSOR("b", "U8", "[2]", "[1,3]"), "overlap at", 3},
    {TENSOR("a", "U8", "[2]", "[0,2]") "," TENSOR("b", "U8", "[2]", "[3,5]"), "gap before", 5},
    {TENSOR("a", "U8", "[2]", "[1,3]"), "gap before", 3},
    /* 2^61 doubles are 2^64 bytes; 2^32 * 2^32 wraps to 0 */
    {TENSOR("a", "F64", "[2305843009213693952]", "[0,0]"), "differ", 0},
    {TENSOR("a", "U8", "[4294967296,4294967296]", "[0,0]"), "differ", 0},
    {TENSOR("a", "U8", "[9223372036854775807]", "[0,9223372036854775807]"), "cut short", 8},
    {TENSOR("a", "U8", "[99999999999999999999]", "[0,1]"), "too big integer", 1},
};

Test(file, is_refused_when_its_tensors_do_not_fit) {
    for (size_t j = 0; j < sizeof bad / sizeof *bad; ++j) {
        write_header("1", bad[j].tensors, bad[j].n_data);
        refuse(KAN_EFORMAT, bad[j].reason);
    }
}

Test(file, of_another_version_is_refused_with_the_reason) {
    write_header("1", "", 0);
    kan_file *file = kan_file_read(path, NULL);
    cr_assert(file != NULL, "version 1 is known");
    kan_file_free(file);
    write_header("2", "", 0);
    refuse(KAN_EFORMAT, "written by a newer version");
    write_header("17", "", 0);
    refuse(KAN_EFORMAT, "written by a newer version");
    write_header("0", "", 0);
    refuse(KAN_EFORMAT, "unknown version '0'");
    write_header("2x", "", 0);
    refuse(KAN_EFORMAT, "unknown version '2x'");
}

Test(file, of_another_kind_is_refused_with_the_reason) {
    const char *const headers[][2] = {
        {"{}", "not a model file of this library"},
        {"[]", "not a model file of this library"},
        {"{\"__metadata__\":{\"format\":\"pt\"}}", "not a model file of this library"},
        {"{\"__metadata__\":{\"format\":\"kan\"}}", "not a model file of this library"},
        {"{\"__metadata__\":{\"format\":\"kan\",\"version\":1}}",
         "'version' of the metadata is not a text"},
        {"{\"__metadata__\":{\"version\":\"1\",\"format\":\"kan\",\"crc32\":\"00000000\"}}",
         "not at its place"},
        {"{\"__metadata__\":{\"format\":\"kan\",\"version\":\"1\"}}", "not at its place"},
        {"{\"__metadata__\":", "not a model file: header"},
        {"{\"__metadata__\":{}} x", "not a model file: header"},
        {"{\"a\":\"\\u0000\"}", "not a model file: header"},
    };
    for (size_t j = 0; j < sizeof headers / sizeof *headers; ++j) {
        const image im = make_image(headers[j][0], strlen(headers[j][0]), 0);
        write_image(&im);
        refuse(KAN_EFORMAT, headers[j][1]);
    }
    write_image(&(image){.size = 5, .bytes = "12345"});
    refuse(KAN_EFORMAT, "only 5 bytes");
}

/* The limits of the claim are the file's size and 100 MB: nothing of that size may be allocated. */
Test(file, does_not_believe_a_large_header) {
    const size_t claims[] = {0, 1, 3, 1u << 20, (size_t)1 << 40, SIZE_MAX / 2, SIZE_MAX - 7, SIZE_MAX};
    for (size_t j = 0; j < sizeof claims / sizeof *claims; ++j) {
        const image im = make_image("{}", claims[j], 0);
        write_image(&im);
        alloc_count_begin();
        refuse(KAN_EFORMAT, "not a model file, or cut short");
        /* the file, its path, and no buffer */
        cr_assert(eq(sz, alloc_count_end(), 2));
    }
    const image im = make_image("{}", (size_t)1 << 30, 0);
    write_image(&im);
    cr_assert(eq(int, truncate(path, (off_t)1 << 31), 0), "a sparse file");
    refuse(KAN_EFORMAT, "not a model file");
}

Test(file, says_what_is_wrong_with_a_tensor) {
    kan_error error = {0};
    write_example();
    kan_file *file = kan_file_read(path, &error);
    cr_assert(file != NULL);
    cr_assert(kan_file_find(file, "thetas", KAN_F64, 2, numbers_shape, &error) == NULL);
    cr_assert(strstr(error.message, "model.kan: there is no tensor 'thetas'") != NULL, "%s",
              error.message);
    cr_assert(kan_file_find(file, "theta", KAN_U8, 2, numbers_shape, &error) == NULL);
    cr_assert(strstr(error.message, "'theta' is F64, not U8") != NULL, "%s", error.message);
    cr_assert(kan_file_find(file, "theta", KAN_F64, 2, (size_t[]){2, 4}, &error) == NULL);
    cr_assert(strstr(error.message, "'theta' has the shape [2, 3], not [2, 4]") != NULL, "%s",
              error.message);
    cr_assert(kan_file_find(file, "theta", KAN_F64, 3, (size_t[]){2, 3, 1}, &error) == NULL);
    cr_assert(eq(int, (int)error.status, KAN_EFORMAT));
    cr_assert(kan_file_find(file, "scalar", KAN_F64, 1, (size_t[]){1}, NULL) == NULL,
              "an error may be NULL");
    kan_file_free(file);
}

Test(file, takes_only_texts_in_utf8) {
    kan_error error = {0};
    kan_file *file = kan_file_alloc();
    cr_assert(eq(int, (int)kan_file_set(file, "name", "gr\xfc\xdf", &error), KAN_EFORMAT));
    cr_assert(strstr(error.message, "'name' is not UTF-8") != NULL, "%s", error.message);
    cr_assert(kan_file_get(file, "name") == NULL);
    cr_assert(eq(int, (int)kan_file_set(file, "name", "one", &error), KAN_OK));
    cr_assert(eq(int, (int)kan_file_set(file, "name", "two", &error), KAN_OK));
    cr_assert(strcmp(kan_file_get(file, "name"), "two") == 0, "the last one counts");
    kan_file_free(file);
}

Test(file, that_is_not_there_or_no_file_is_an_input_error) {
    refuse(KAN_EIO, "No such file or directory");
    cr_assert(eq(int, mkdir(path, 0700), 0));
    refuse(KAN_EIO, "not a regular file");
}

/* Writes where that cannot work. */
static void refuse_to_write(const char *to, const char *reason) {
    kan_error error = {0};
    kan_file *file = example();
    cr_assert(eq(int, (int)kan_file_write(file, to, &error), KAN_EIO), "%s", to);
    cr_assert(strncmp(error.message, to, strlen(to)) == 0, "%s", error.message);
    cr_assert(strstr(error.message, reason) != NULL, "'%s' does not say '%s'", error.message, reason);
    kan_file_free(file);
}

Test(file, that_cannot_be_written_leaves_nothing) {
    char to[256], name[256];
    snprintf(to, sizeof to, "%s/missing/model.kan", folder);
    refuse_to_write(to, "No such file or directory");
    cr_assert(eq(sz, count_files(name), 0), "%s is left", name);
    refuse_to_write(folder, "not a regular file");
    cr_assert(eq(sz, count_files(name), 0), "%s is left", name);
    cr_assert(eq(int, mkfifo(path, 0600), 0), "stands for a device");
    refuse_to_write(path, "not a regular file");
    cr_assert(eq(sz, count_files(name), 1), "%s is left", name);
}

/* Permissions do not stop root, so root becomes nobody for a while. */
static void become(uid_t from, uid_t to) {
    if (getuid() != 0 || geteuid() != from) return;
    cr_assert(eq(int, seteuid(to), 0));
    /* A change of user makes a process opaque to LeakSanitizer. */
    cr_assert(eq(int, prctl(PR_SET_DUMPABLE, 1), 0));
}

Test(file, in_a_read_only_folder_is_refused_and_the_old_file_stays) {
    const uid_t root = 0, nobody = 65534;
    if (geteuid() == root) cr_assert(eq(int, chown(folder, nobody, nobody), 0));
    become(root, nobody);
    write_example();
    const image before = read_image(path);
    cr_assert(eq(int, chmod(folder, 0500), 0));
    refuse_to_write(path, "Permission denied");
    chmod(folder, 0700);
    become(nobody, root);
    char name[256];
    cr_assert(eq(sz, count_files(name), 1), "%s is left", name);
    const image after = read_image(path);
    cr_assert(eq(sz, before.size, after.size));
    cr_assert(memcmp(before.bytes, after.bytes, before.size) == 0);
}

/* A full disk, as far as a process can make one: no file may grow beyond 100 bytes. */
Test(file, that_does_not_fit_on_the_disk_leaves_the_old_one) {
    char name[256];
    write_image(&(image){.size = 3, .bytes = "old"});

    const struct rlimit tight = {100, 100};
    cr_assert(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    cr_assert(eq(int, setrlimit(RLIMIT_FSIZE, &tight), 0));
    refuse_to_write(path, "File too large");
    cr_assert(eq(sz, count_files(name), 1), "%s is left", name);
    const image after = read_image(path);
    cr_assert(eq(sz, after.size, 3));
    cr_assert(memcmp(after.bytes, "old", 3) == 0);
}

Test(file, has_the_permissions_that_the_umask_asks_for) {
    struct stat status;
    const mode_t old = umask(027);
    write_example();
    umask(old);
    cr_assert(eq(int, stat(path, &status), 0));
    cr_assert(eq(int, (int)(status.st_mode & 0777), 0640));
}

/* jansson's own allocations are made in a shared library; this brings them here. */
static kan_status make_and_write(void *context) {
    (void)context;
    kan_file *file = kan_file_alloc();
    kan_status status = file ? fill(file) : KAN_ENOMEM;
    if (status == KAN_OK) status = kan_file_write(file, path, NULL);
    kan_file_free(file);
    return status;
}

static kan_status read_again(void *context) {
    (void)context;
    kan_error error = {0};
    kan_file *file = kan_file_read(path, &error);
    kan_file_free(file);
    return file ? KAN_OK : error.status;
}

Test(file, survives_every_failed_allocation) {
    json_set_alloc_funcs(malloc, free);
    const size_t n_written = alloc_fail_every(make_and_write, NULL);
    char name[256];
    cr_assert(eq(sz, count_files(name), 1), "%s is left", name);
    const size_t n_read = alloc_fail_every(read_again, NULL);
    /* 4 tensors with a name and values each, and jansson's many */
    cr_assert(n_written > 50 && n_read > 50, "%zu and %zu allocations: jansson's are missing",
              n_written, n_read);
    kan_file *file = kan_file_read(path, NULL);
    check_example(file);
    kan_file_free(file);
}
