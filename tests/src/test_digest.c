/* SHA-256 against the examples of FIPS 180-4, in pieces, of files. */
#include "src/digest.h"
#include "tests/src/program.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const struct {
    const char *bytes;
    size_t repeat;
    const char *sum;
} known[] = {
    {"", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {"a", 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
};
enum { KNOWN = sizeof known / sizeof *known };

START_TEST(the_published_examples)
{
    const char *bytes = known[_i].bytes;
    const size_t n = strlen(bytes);
    char sum[TT_SHA256_TEXT], of_file[TT_SHA256_TEXT], name[32];
    uint64_t size;
    tt_sha256 s;
    tt_error e;
    snprintf(name, sizeof name, "known-%d", _i);
    FILE *f = fopen(pg_at(name), "wb");
    ck_assert_ptr_nonnull(f);
    tt_sha256_init(&s);
    for (size_t i = 0; i < known[_i].repeat; i++) {
        tt_sha256_add(&s, bytes, n);
        fwrite(bytes, 1, n, f);
    }
    fclose(f);
    tt_sha256_text(&s, sum);
    ck_assert_str_eq(sum, known[_i].sum);
    ck_assert_int_eq(tt_sha256_file(pg_at(name), of_file, &size, &e), TT_OK);
    ck_assert_str_eq(of_file, known[_i].sum);
    ck_assert_uint_eq(size, n * known[_i].repeat);
}
END_TEST

START_TEST(pieces_do_not_matter)
{
    unsigned char bytes[1000];
    char whole[TT_SHA256_TEXT], parts[TT_SHA256_TEXT];
    tt_sha256 s;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 37 + i / 7);
    for (size_t n = 0; n <= sizeof bytes; n += 111)
        for (size_t piece = 1; piece < 140; piece += 23) {
            tt_sha256_init(&s);
            tt_sha256_add(&s, bytes, n);
            tt_sha256_text(&s, whole);
            tt_sha256_init(&s);
            for (size_t at = 0; at < n; at += piece)
                tt_sha256_add(&s, bytes + at, n - at < piece ? n - at : piece);
            tt_sha256_add(&s, NULL, 0);
            tt_sha256_text(&s, parts);
            ck_assert_str_eq(whole, parts);
        }
}
END_TEST

START_TEST(what_is_no_file_is_refused)
{
    char sum[TT_SHA256_TEXT];
    tt_error e;
    ck_assert_int_eq(tt_sha256_file(pg_at("missing"), sum, NULL, &e), TT_ERR_INPUT);
    ck_assert_ptr_nonnull(strstr(e.text, "missing: cannot be opened: "));
    ck_assert_int_eq(tt_sha256_file(pg_at("."), sum, NULL, &e), TT_ERR_INPUT);
    ck_assert_ptr_nonnull(strstr(e.text, "is a directory"));
    ck_assert_int_eq(tt_sha256_file("/dev/zero", sum, NULL, &e), TT_ERR_INPUT);
    ck_assert_ptr_nonnull(strstr(e.text, "is a device"));
}
END_TEST

START_TEST(sums_as_text)
{
    static const char good[] = "BA7816BF8F01CFEA414140DE5DAE2223b00361a396177a9cb410ff61f20015ad";
    char to[TT_SHA256_TEXT], bad[TT_SHA256_TEXT + 1];
    ck_assert(tt_sha256_parse(good, to));
    ck_assert_str_eq(to, known[1].sum);
    for (int i = 0; i < 64; i++) {
        snprintf(bad, sizeof bad, "%s", good);
        bad[i] = "g/:`@G"[i % 6];
        ck_assert(!tt_sha256_parse(bad, to));
        bad[i] = 0;
        ck_assert(!tt_sha256_parse(bad, to));
    }
    snprintf(bad, sizeof bad, "%s0", good);
    ck_assert(!tt_sha256_parse(bad, to));
}
END_TEST

Suite *suite_src_digest(void);
Suite *suite_src_digest(void)
{
    Suite *s = suite_create("src/digest");
    TCase *tc = tcase_create("sha256");
    tcase_add_unchecked_fixture(tc, pg_setup, pg_teardown);
    tcase_add_loop_test(tc, the_published_examples, 0, KNOWN);
    tcase_add_test(tc, pieces_do_not_matter);
    tcase_add_test(tc, what_is_no_file_is_refused);
    tcase_add_test(tc, sums_as_text);
    suite_add_tcase(s, tc);
    return s;
}
