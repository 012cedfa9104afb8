#define _GNU_SOURCE
#include "src/image/image.h"
#include "tests/faults.h"
#include "tests/src/kit.h"

#include <malloc.h>
#include <stdio.h>
#include <jpeglib.h> /* wants FILE */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static tt_status read_bytes(const tt_blob *file, const tt_image_limits *limits, tt_image *img, tt_error *err)
{
    *err = (tt_error){0};
    return tt_image_read_memory(img, file->data, file->size, "file", limits, err);
}

/* ---- what is refused -------------------------------------------------------------------------------- */

START_TEST(hundred_scans)
{
    for (int scans = 99; scans <= 102; scans++) {
        const kit_jpeg k = {.width = 20, .height = 20, .colour = JCS_GRAYSCALE, .scans = scans};
        tt_image want, got;
        tt_blob file = kit_make_jpeg(&k, &want);
        if (scans <= 100) {
            kit_read(&got, &file);
            kit_same(&want, &got, "%d scans", scans);
            tt_image_clear(&got);
        } else {
            const tt_image_limits salvage = {.salvage = true};
            kit_refused(&file, NULL, TT_ERR_FORMAT, "more than 100 scans");
            kit_refused(&file, &salvage, TT_ERR_FORMAT, "more than 100 scans");
        }
        tt_image_clear(&want);
        free(file.data);
    }
}
END_TEST

/* Bytes between segments cost no pixel, but a file full of them is not put up with. */
START_TEST(hundred_faults)
{
    for (int faults = 100; faults <= 101; faults++) {
        const kit_jpeg k = {.width = 20, .height = 20, .colour = JCS_YCbCr};
        const tt_image_limits salvage = {.salvage = true};
        tt_image want, got;
        tt_error err;
        tt_blob file = kit_make_jpeg(&k, &want);
        const size_t at = kit_find_segment(&file, "\xdb"), all = 5 * (size_t)faults;
        file.data = realloc(file.data, file.size + all);
        memmove(file.data + at + all, file.data + at, file.size - at);
        for (size_t i = 0; i < all; i += 5)
            memcpy(file.data + at + i, "\xff\xfe\0\2\0",
                   5); /* an empty comment, and a byte that belongs nowhere */
        file.size += all;
        if (faults <= 100) {
            kit_read(&got, &file);
            kit_same(&want, &got, "%d faults", faults);
            tt_image_clear(&got);
        } else {
            kit_refused(&file, NULL, TT_ERR_FORMAT, "more faults than are put up with");
        }
        ck_assert(!read_bytes(&file, &salvage, &got, &err));
        kit_same(&want, &got, "%d faults, salvaged", faults);
        ck_assert(got.missing == 0);
        tt_image_clear(&got);
        tt_image_clear(&want);
        free(file.data);
    }
}
END_TEST

START_TEST(kinds_that_are_not_read)
{
    kit_jpeg k = {.width = 20, .height = 20, .colour = JCS_YCbCr};
    tt_blob file = kit_make_jpeg(&k, NULL);
    const size_t sof = kit_find_segment(&file, "\xc0");
    file.data[sof + 4] = 12;
    kit_refused(&file, NULL, TT_ERR_UNSUPPORTED, "a JPEG of 12 bits a sample; only 8 are read");
    file.data[sof + 4] = 8;
    static const unsigned char processes[] = {0xc3, 0xc5, 0xc6, 0xc7,
                                              0xcb, 0xcd, 0xce, 0xcf}; /* lossless, ... */
    for (size_t i = 0; i < sizeof processes; i++) {
        file.data[sof + 1] = processes[i];
        kit_refused(&file, NULL, TT_ERR_UNSUPPORTED, "a JPEG of a kind that is not read: ");
    }
    free(file.data);
    for (int n = 1; n <= 4; n++) { /* taken for grey, nothing, YCbCr, CMYK */
        static const char part[] = "whose colours are unknown";
        k.colour = JCS_UNKNOWN;
        k.components = n;
        file = kit_make_jpeg(&k, NULL);
        char text[64];
        snprintf(text, sizeof text, "a JPEG of %d components, %s", n, part);
        if (n == 2) {
            kit_refused(&file, NULL, TT_ERR_UNSUPPORTED, text);
        } else {
            tt_image got;
            kit_read(&got, &file);
            ck_assert_int_eq(got.channels, n == 1 ? 1 : 3);
            tt_image_clear(&got);
        }
        free(file.data);
    }
    /* arithmetic coding: Debian's libjpeg reads it, others are built without */
    for (int progressive = 0; progressive < 2; progressive++) {
        tt_image want, got;
        tt_error err;
        k = (kit_jpeg){
            .width = 20, .height = 20, .colour = JCS_YCbCr, .arithmetic = true, .progressive = progressive};
        file = kit_make_jpeg(&k, &want);
        const tt_status st = read_bytes(&file, NULL, &got, &err);
        if (st)
            ck_assert_msg(st == TT_ERR_UNSUPPORTED && strstr(err.text, "not read"), "%d, %s", st, err.text);
        else
            kit_same(&want, &got, "arithmetic coding");
        tt_image_clear(&want);
        tt_image_clear(&got);
        free(file.data);
    }
}
END_TEST

START_TEST(bombs)
{
    static const struct {
        unsigned width, height;
        tt_status st;
        const char *part;
    } cases[] = {{65500, 65500, TT_ERR_MEMORY, "65500 x 65500 pixels are more than allowed"},
                 {65535, 65535, TT_ERR_MEMORY, "not enough memory for this JPEG: "},
                 {65535, 1, TT_ERR_MEMORY, "not enough memory for this JPEG: "},
                 {0, 5, TT_ERR_FORMAT, "damaged JPEG"},
                 {5, 0, TT_ERR_FORMAT, "damaged JPEG"}};
    for (int c = 0; c < KIT_JPEG_COLOURS; c++)
        for (int progressive = 0; progressive < 2; progressive++) {
            const kit_jpeg k = {
                .width = 100, .height = 100, .colour = kit_jpeg_colours[c], .progressive = progressive};
            const int channels = c ? 3 : 1;
            tt_image got;
            tt_error err;
            tt_blob file = kit_make_jpeg(&k, NULL);
            tt_image_limits l = {.max_pixels = 9999};
            kit_refused(&file, &l, TT_ERR_MEMORY, "100 x 100 pixels are more than allowed");
            l = (tt_image_limits){.max_pixels = 10000, .max_bytes = (unsigned)channels * 10000 - 1};
            kit_refused(&file, &l, TT_ERR_MEMORY, progressive ? "progressive" : "more bytes than allowed");
            if (progressive) { /* it is gathered in memory, two bytes a sample, before the first row comes out
                                */
                l.max_bytes = (unsigned)channels * 10000 + 104 * 104 * 2 - 1;
                kit_refused(&file, &l, TT_ERR_MEMORY, "progressive");
                l.max_bytes = 100 * 100 * 3 + 112 * 112 * 4 * 2;
            } else {
                l.max_bytes = (unsigned)channels * 10000;
            }
            ck_assert_msg(!read_bytes(&file, &l, &got, &err), "%s", err.text);
            tt_image_clear(&got);
            const size_t sof = kit_find_segment(&file, "\xc0\xc1\xc2");
            for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
                for (int b = 0; b < 2; b++) {
                    file.data[sof + 5 + (size_t)b] = (unsigned char)(cases[i].height >> 8 * (1 - b));
                    file.data[sof + 7 + (size_t)b] = (unsigned char)(cases[i].width >> 8 * (1 - b));
                }
                kit_refused(&file, NULL, cases[i].st, cases[i].part);
            }
            free(file.data);
        }
}
END_TEST

/* ---- what is damaged -------------------------------------------------------------------------------- */

/* Noise, so that the file's bytes are spread evenly over its rows. */
static tt_blob noise(bool progressive, int restart, tt_image *want)
{
    kit_jpeg k = {.width = 128,
                  .height = 128,
                  .colour = JCS_YCbCr,
                  .noise = true,
                  .progressive = progressive,
                  .restart = restart};
    return kit_make_jpeg(&k, want);
}

START_TEST(salvage)
{
    const bool progressive = _i;
    const tt_image_limits l = {.salvage = true};
    tt_image want, got;
    tt_error err;
    tt_blob file = noise(progressive, 0, &want), part = file;
    const size_t row = 128 * 3;
    double before = 2;
    for (int tenth = 2; tenth <= 9; tenth++) {
        part.size = file.size * (size_t)tenth / 10;
        kit_refused(&part, NULL, TT_ERR_FORMAT, "truncated JPEG, byte ");
        kit_refused(&part, NULL, TT_ERR_FORMAT, " of 128: the file ends too early");
        ck_assert_msg(!read_bytes(&part, &l, &got, &err), "%s", err.text);
        ck_assert_msg(got.missing > 0 && got.missing < 1 && got.missing <= before,
                      "%d tenths are there, %g is missing", tenth, got.missing);
        if (!progressive) {
            ck_assert_double_eq_tol(got.missing, 1 - tenth / 10.0, 0.15);
            /* rows whose neighbours are there too */
            const int good = (int)((1 - got.missing) * 128) - 1;
            ck_assert_mem_eq(want.samples, got.samples, (size_t)(good > 0 ? good : 0) * row);
        }
        before = got.missing;
        tt_image_clear(&got);
    }
    ck_assert(!read_bytes(&file, &l, &got, &err));
    kit_same(&want, &got, "a whole file, salvaged");
    ck_assert(got.missing == 0);
    tt_image_clear(&got);
    part.size = 150; /* not even the header */
    kit_refused(&part, &l, TT_ERR_FORMAT, "truncated JPEG, byte 150: the file ends too early");
    /* a second half of something else */
    memset(file.data + file.size / 2, 0x55, file.size / 2);
    kit_refused(&file, NULL, TT_ERR_FORMAT, "JPEG, byte ");
    if (!read_bytes(&file, &l, &got, &err))
        ck_assert_double_gt(got.missing, 0);
    tt_image_clear(&got);
    tt_image_clear(&want);
    free(file.data);
}
END_TEST

/* A restart marker that is gone or of the wrong number: an error; salvaged, the rest is found again. */
START_TEST(restart_markers)
{
    tt_image want, got;
    tt_error err;
    const tt_image_limits l = {.salvage = true};
    tt_blob file = noise(false, 8, &want);
    kit_read(&got, &file);
    kit_same(&want, &got, "restart markers");
    tt_image_clear(&got);
    unsigned char *third = memmem(file.data, file.size, "\xff\xd2", 2);
    ck_assert_ptr_nonnull(third);
    third[1] = 0xd5;
    kit_refused(&file, NULL, TT_ERR_FORMAT, "damaged JPEG, byte ");
    ck_assert_msg(!read_bytes(&file, &l, &got, &err), "%s", err.text);
    ck_assert_double_gt(got.missing, 0);
    ck_assert_mem_eq(want.samples, got.samples, 30 * 128 * 3); /* three pieces of 16 rows came whole */
    tt_image_clear(&got);
    tt_image_clear(&want);
    free(file.data);
}
END_TEST

/* The pixels of every kind, which share what reads the rest. */
START_TEST(hostile_pixels)
{
    const kit_jpeg k = {
        .width = 19, .height = 7, .colour = kit_jpeg_colours[_i / 2], .progressive = _i % 2, .restart = 1};
    tt_blob file = kit_make_jpeg(&k, NULL);
    kit_hostile(&file, 20000);
    free(file.data);
}
END_TEST

START_TEST(hostile_metadata)
{
    const bool profile = _i & 1;
    tt_blob file = kit_rich_jpeg(_i & 2 ? JCS_YCbCr : JCS_GRAYSCALE, false, profile);
    kit_hostile(&file, profile ? 8000 : 20000);
    free(file.data);
}
END_TEST

START_TEST(no_memory)
{
    /* CMYK with its profile, for lcms2 asks for memory at every step */
    tt_blob icc = kit_profile("CMYK"), files[KIT_JPEG_COLOURS + 1];
    const kit_jpeg inks = {.width = 9, .height = 7, .colour = JCS_YCCK, .icc = &icc, .xmp = kit_xmp};
    for (int c = 0; c < KIT_JPEG_COLOURS; c++)
        files[c] = kit_rich_jpeg(kit_jpeg_colours[c], c & 1, true);
    files[KIT_JPEG_COLOURS] = kit_make_jpeg(&inks, NULL);
    for (int f = 0; f <= KIT_JPEG_COLOURS; f++) {
        tt_image img;
        tt_error err = {0};
        const tt_write_options o = {.overwrite = true};
        for (long k = 1;; k++) {
            faults_fail(k, k & 1);
            const tt_status st = read_bytes(&files[f], NULL, &img, &err);
            const int failed = faults_failed();
            faults_fail(0, 0);
            if (!failed) {
                ck_assert_msg(!st, "%s", err.text);
                break;
            }
            ck_assert_msg(st == TT_ERR_MEMORY, "allocation %ld failed, and reading gave %d: %s", k, st,
                          err.text);
            ck_assert(!img.samples && !img.exif.data && !img.icc.data);
        }
        for (long k = 1;; k++) {
            faults_fail(k, k & 1);
            const tt_status st = tt_image_write(&img, kit_path("out.jpg"), &o, &err);
            const int failed = faults_failed();
            faults_fail(0, 0);
            if (!failed) {
                ck_assert_msg(!st, "%s", err.text);
                break;
            }
            ck_assert_msg(st == TT_ERR_MEMORY, "allocation %ld failed, and writing gave %d: %s", k, st,
                          err.text);
            ck_assert_int_eq(kit_entries(), 0);
        }
        ck_assert_int_eq(remove(kit_path("out.jpg")), 0);
        tt_image_clear(&img);
        free(files[f].data);
    }
    free(icc.data);
}
END_TEST

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
START_TEST(libjpeg_without_memory)
{
    puts("skipped: under a sanitizer memory cannot be limited, libjpeg without memory is not checked");
}
END_TEST
#else
/* libjpeg's own allocations, which faults.h does not reach: a limit on the process, moved through them. */
START_TEST(libjpeg_without_memory)
{
    const kit_jpeg k = {.width = 500, .height = 400, .colour = JCS_YCbCr, .noise = true, .progressive = true};
    tt_image img, got;
    tt_error err = {0};
    const tt_write_options o = {.overwrite = true};
    int failed = 0, done = 0;
    tt_blob file = kit_make_jpeg(&k, &img);
    mallopt(M_MMAP_THRESHOLD, 1 << 14); /* what is given back is gone, and must be asked for again */
    mallopt(M_TRIM_THRESHOLD, 0);
    for (rlim_t more = 0; more < 4 << 20; more += 1 << 15) {
        unsigned long pages;
        FILE *f = fopen("/proc/self/statm", "r");
        ck_assert(f && fscanf(f, "%lu", &pages) == 1);
        fclose(f);
        struct rlimit old, tight;
        ck_assert_int_eq(getrlimit(RLIMIT_AS, &old), 0);
        tight = old;
        tight.rlim_cur = pages * (rlim_t)sysconf(_SC_PAGESIZE) + more;
        ck_assert_int_eq(setrlimit(RLIMIT_AS, &tight), 0);
        tt_status st[2] = {read_bytes(&file, NULL, &got, &err)};
        if (!st[0])
            st[1] = tt_image_write(&got, kit_path("out.jpg"), &o, &err);
        ck_assert_int_eq(setrlimit(RLIMIT_AS, &old), 0);
        for (int i = 0; i < 2; i++)
            ck_assert_msg(!st[i] || st[i] == TT_ERR_MEMORY, "%d: %s", st[i], err.text);
        failed += st[0] || st[1];
        done += !st[0] && !st[1];
        ck_assert_int_eq(kit_entries(), !st[0] && !st[1]);
        (void)remove(kit_path("out.jpg"));
        tt_image_clear(&got);
    }
    ck_assert_int_gt(failed, 10);
    ck_assert_int_gt(done, 10);
    tt_image_clear(&img);
    free(file.data);
}
END_TEST
#endif

Suite *suite_src_jpeg_damage(void);
Suite *suite_src_jpeg_damage(void)
{
    Suite *s = suite_create("src/jpeg-damage");
    TCase *tc = tcase_create("jpeg-refused");
    tcase_set_timeout(tc, 300);
    kit_fixture(tc);
    tcase_add_test(tc, hundred_scans);
    tcase_add_test(tc, hundred_faults);
    tcase_add_test(tc, kinds_that_are_not_read);
    tcase_add_test(tc, bombs);
    tcase_add_test(tc, restart_markers);
    tcase_add_loop_test(tc, salvage, 0, 2);
    suite_add_tcase(s, tc);
    tc = tcase_create("jpeg-hostile");
    tcase_set_timeout(tc, 300);
    kit_fixture(tc);
    tcase_add_loop_test(tc, hostile_pixels, 0, 2 * KIT_JPEG_COLOURS);
    tcase_add_loop_test(tc, hostile_metadata, 0, 4);
    suite_add_tcase(s, tc);
    tc = tcase_create("jpeg-memory");
    tcase_set_timeout(tc, 300);
    kit_fixture(tc);
    tcase_add_test(tc, no_memory);
    tcase_add_test(tc, libjpeg_without_memory);
    suite_add_tcase(s, tc);
    return s;
}
