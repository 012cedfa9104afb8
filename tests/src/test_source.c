/* Pictures that are decoded row by row, whatever the window: those that reading the whole gives, in samples, metadata and
 * complaints. */
#include "tests/faults.h"
#include "tests/src/kit.h"

#include "src/alpha.h"
#include "src/image/grey.h"
#include "src/image/icc.h"
#include "src/source.h"

#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

enum { NEVER = 1 }; /* bytes up to which samples are held: none */

/* ---- the same rows -------------------------------------------------------------------------------- */

/* The whole picture in one piece, with the same conversions made afterwards. */
static tt_status whole(tt_image *img, const char *path, const tt_source_options *o, tt_error *err)
{
    tt_status st = tt_image_read(img, path, &o->limits, err);
    if (!st && o->srgb)
        st = tt_icc_to_srgb(img, err);
    if (!st && o->deep && img->depth == 8) {
        const size_t n = (size_t)img->width * (size_t)img->height * (size_t)img->channels;
        uint16_t *to = malloc(2 * n);
        for (size_t i = 0; i < n; i++)
            to[i] = (uint16_t)(((uint8_t *)img->samples)[i] * 257);
        free(img->samples);
        img->samples = to;
        img->depth = 16;
    }
    return st;
}

static void same_rows(const tt_image *want, const tt_pixels *at, int y0, int y1, const char *what)
{
    const size_t row = (size_t)want->width * tt_image_pixel_bytes(want);
    for (int y = y0; y < y1; y++) {
        const size_t ring = (size_t)(at->ring ? y % at->ring : y);
        if (memcmp((char *)want->samples + (size_t)y * row, (char *)at->data + ring * row, row))
            ck_abort_msg("%s: row %d differs", what, y);
    }
}

/* One reading through windows of `tall` rows that overlap by `back`. */
static void read_windows(tt_source *s, const tt_image *want, int tall, int back, const char *what)
{
    tt_feed f;
    tt_error err = {0};
    const int h = s->head.height;
    ck_assert_msg(!tt_feed_init(&f, s, tall + back, &err), "%s: %s", what, err.text);
    ck_assert(f.at.channels == want->channels && f.at.depth == want->depth && f.at.width == want->width);
    ck_assert_int_le(f.at.ring, tall + back);
    for (int y = 0; y < h; y += tall) {
        const int y0 = y > back ? y - back : 0, y1 = h - y < tall ? h : y + tall;
        ck_assert_msg(!tt_feed_need(&f, y0, y1, &err), "%s: %s", what, err.text);
        same_rows(want, &f.at, y0, y1, what);
    }
    ck_assert(!f.reader); /* all was read, and found to be what it was */
    tt_feed_clear(&f);
}

static void same_metadata(const tt_image *want, const tt_image *got)
{
    kit_same_blob(&want->icc, &got->icc, "ICC");
    kit_same_blob(&want->exif, &got->exif, "EXIF");
    kit_same_blob(&want->xmp, &got->xmp, "XMP");
    kit_same_blob(&want->iptc, &got->iptc, "IPTC");
    ck_assert(want->dpi_x == got->dpi_x && want->dpi_y == got->dpi_y && want->gamma == got->gamma &&
              want->srgb == got->srgb && want->orientation == got->orientation && want->missing == got->missing &&
              want->jpeg_quality == got->jpeg_quality && want->file_depth == got->file_depth &&
              !memcmp(want->chrm, got->chrm, sizeof got->chrm));
    ck_assert_str_eq(want->format, got->format);
    ck_assert_str_eq(want->file_colour, got->file_colour);
}

/* held: it cannot be had row by row. */
static void by_rows(const tt_blob *file, const char *ending, bool held, const tt_source_options *options,
                    const char *what)
{
    static const int windows[][2] = {{1, 0}, {3, 2}, {7, 7}, {1000, 0}};
    char name[32];
    tt_source s;
    tt_image want;
    tt_error err = {0};
    tt_source_options o = *options;
    snprintf(name, sizeof name, "in.%s", ending);
    kit_store(kit_path(name), file->data, file->size);
    o.held_most = NEVER;
    ck_assert_msg(!whole(&want, kit_path(name), &o, &err), "%s: %s", what, err.text);
    ck_assert_msg(!tt_source_open(&s, kit_path(name), &o, &err), "%s: %s", what, err.text);
    ck_assert_msg(tt_source_held(&s) == held, "%s: held %d", what, tt_source_held(&s));
    ck_assert(s.head.width == want.width && s.head.height == want.height && s.head.channels == want.channels &&
              s.head.depth == want.depth);
    same_metadata(&want, &s.head);
    ck_assert_msg(s.only_grey == tt_image_only_grey(&want), "%s: only grey?", what);
    ck_assert_uint_eq(s.holes, tt_alpha_holes(&want));
    if (held)
        kit_same(&want, &s.head, "%s", what);
    for (size_t i = 0; i < sizeof windows / sizeof *windows && !held; i++)
        read_windows(&s, &want, windows[i][0], windows[i][1], what);
    if (s.only_grey) {
        tt_source_to_grey(&s);
        tt_image_to_grey(&want);
        if (!held)
            read_windows(&s, &want, 5, 1, what);
    }
    ck_assert_msg(!tt_source_hold(&s, &err), "%s: %s", what, err.text);
    kit_same(&want, &s.head, "%s, held", what);
    tt_source_clear(&s);
    tt_image_clear(&want);
}

static const int kinds[][2] = {{0, 1}, {0, 2}, {0, 4}, {0, 8}, {0, 16}, {2, 8}, {2, 16}, {3, 1},
                               {3, 2}, {3, 4}, {3, 8}, {4, 8}, {4, 16}, {6, 8}, {6, 16}};
enum { KINDS = sizeof kinds / sizeof *kinds };
static const tt_source_options plain_options, srgb_options = {.srgb = true}, deep_options = {.deep = true},
                                              both_options = {.srgb = true, .deep = true};
static const tt_source_options *const options[] = {&plain_options, &srgb_options, &deep_options, &both_options};
enum { OPTIONS = 4 };

START_TEST(every_png)
{
    tt_blob rgb = kit_profile("RGB "), grey = kit_profile("GRAY");
    const int colour = kinds[_i][0], depth = kinds[_i][1];
    for (int how = 0; how < 8; how++)
        for (int o = 0; o < OPTIONS; o++) {
            const kit_exif e = {.orientation = how & 4 ? 6 : 1, .width = 31, .height = 40, .dpi = 300};
            tt_blob exif = kit_make_exif(&e);
            const kit_png k = {.width = 31,
                               .height = 40,
                               .colour = colour,
                               .depth = depth,
                               .interlaced = how & 1,
                               .clear = how & 2 && !(colour & PNG_COLOR_MASK_ALPHA),
                               .icc = how & 2 ? (colour & PNG_COLOR_MASK_COLOR ? &rgb : &grey) : NULL,
                               .gamma = how & 2 ? 0 : 0.7,
                               .exif = &exif,
                               .xmp = kit_xmp};
            char what[64];
            snprintf(what, sizeof what, "PNG of colour %d, depth %d, kind %d, options %d", colour, depth, how, o);
            tt_blob file = kit_make_png(&k, (unsigned)(_i + how), NULL);
            by_rows(&file, "png", how & 1 || how & 4, options[o], what);
            free(file.data);
            free(exif.data);
        }
    free(rgb.data);
    free(grey.data);
}
END_TEST

START_TEST(every_jpeg)
{
    const int colour = kit_jpeg_colours[_i];
    tt_blob icc = kit_profile(_i == 0 ? "GRAY" : _i < 3 ? "RGB " : "CMYK");
    for (int how = 0; how < 8; how++)
        for (int o = 0; o < OPTIONS; o++) {
            const kit_exif e = {.orientation = how & 4 ? 3 : 1, .width = 45, .height = 70, .dpi = 200};
            tt_blob exif = kit_make_exif(&e);
            const kit_jpeg k = {.width = 45, .height = 70, .colour = colour, .progressive = how & 1, .restart = how & 1,
                                .icc = how & 2 ? &icc : NULL, .exif = &exif, .xmp = kit_xmp, .noise = true};
            char what[64];
            snprintf(what, sizeof what, "JPEG of colour %d, kind %d, options %d", _i, how, o);
            tt_blob file = kit_make_jpeg(&k, NULL);
            by_rows(&file, "jpg", how & 4, options[o], what);
            free(file.data);
            free(exif.data);
        }
    free(icc.data);
}
END_TEST

/* Grey stored as colour, and one pixel in the last row that is not. */
START_TEST(only_grey)
{
    for (int channels = 3; channels <= 4; channels++)
        for (int depth = 8; depth <= 16; depth += 8)
            for (int off = 0; off < 2; off++) {
                tt_image img;
                ck_assert(!tt_image_init(&img, 33, 41, channels - 2, depth, NULL));
                kit_random(img.samples, (size_t)33 * 41 * tt_image_pixel_bytes(&img), 4);
                ck_assert(!tt_image_from_grey(&img, NULL));
                if (off)
                    ((unsigned char *)img.samples)[(size_t)33 * 41 * tt_image_pixel_bytes(&img) - (size_t)channels * (size_t)depth / 8] ^= 1;
                ck_assert(!tt_image_write(&img, kit_path("grey.png"), &(tt_write_options){.overwrite = true}, NULL));
                tt_blob file = kit_load(kit_path("grey.png"));
                for (int o = 0; o < OPTIONS; o++)
                    by_rows(&file, "png", false, options[o], off ? "nearly grey" : "only grey");
                free(file.data);
                tt_image_clear(&img);
            }
}
END_TEST

/* Small pictures are held at once, and a pipe's bytes are counted where they are not. */
START_TEST(what_is_held)
{
    tt_image img;
    tt_source s;
    tt_error err = {0};
    ck_assert(!tt_image_init(&img, 1000, 4000, 3, 8, NULL));
    kit_random(img.samples, 1000, 4);
    ck_assert(!tt_image_write(&img, kit_path("large.png"), NULL, NULL));
    const tt_source_options o = {.held_most = 0}, any = {.held_most = UINT64_MAX},
                            less = {.limits = {.max_bytes = 1000 * 4000 * 3 - 1}};
    ck_assert(!tt_source_open(&s, kit_path("large.png"), &o, &err));
    ck_assert(!tt_source_held(&s) && !tt_source_bytes(&s));
    ck_assert_uint_lt(tt_feed_bytes(&s, 10), 1 << 20);
    tt_source_clear(&s);
    ck_assert(!tt_source_open(&s, kit_path("large.png"), &any, &err));
    ck_assert(tt_source_held(&s) && tt_source_bytes(&s) == 12000000);
    tt_source_clear(&s);
    /* the limit of bytes is one of what is there at a time */
    ck_assert_msg(!tt_source_open(&s, kit_path("large.png"), &less, &err), "%s", err.text);
    ck_assert_int_eq(tt_source_hold(&s, &err), TT_ERR_MEMORY);
    ck_assert_ptr_nonnull(strstr(err.text, "more bytes than allowed"));
    tt_source_clear(&s);
    tt_image_clear(&img);
    ck_assert(!tt_image_init(&img, 100, 80, 3, 8, NULL));
    ck_assert(!tt_image_write(&img, kit_path("small.png"), NULL, NULL));
    ck_assert(!tt_source_open(&s, kit_path("small.png"), &o, &err) && tt_source_held(&s));
    tt_source_clear(&s);
    tt_image_clear(&img);
}
END_TEST

/* ---- damage --------------------------------------------------------------------------------------- */

/* The sentence for a part of a file is that of reading it as a whole, and so is what can be saved of it. */
static void damaged(const tt_blob *file, size_t n, const char *ending)
{
    char name[32];
    snprintf(name, sizeof name, "part.%s", ending);
    kit_store(kit_path(name), file->data, n);
    for (int salvage = 0; salvage < 2; salvage++) {
        const tt_source_options o = {.limits.salvage = salvage, .held_most = NEVER};
        tt_source s;
        tt_image want;
        tt_error a = {0}, b = {0};
        const tt_status st = whole(&want, kit_path(name), &o, &a), now = tt_source_open(&s, kit_path(name), &o, &b);
        ck_assert_msg(st == now && !strcmp(a.text, b.text), "%zu bytes: %d \"%s\" and %d \"%s\"", n, st, a.text, now, b.text);
        ck_assert(!salvage ? st == TT_ERR_FORMAT : true);
        if (!now && !tt_source_held(&s))
            read_windows(&s, &want, 4, 1, "saved");
        ck_assert(now || s.head.missing == want.missing);
        tt_source_clear(&s);
        tt_image_clear(&want);
    }
}

START_TEST(parts_of_files)
{
    const kit_png png = {.width = 20, .height = 30, .colour = 2, .depth = 8, .interlaced = _i == 1};
    const kit_jpeg jpeg = {.width = 40, .height = 70, .colour = JCS_YCbCr, .progressive = _i == 3, .noise = true};
    tt_blob file = _i < 2 ? kit_make_png(&png, 3, NULL) : kit_make_jpeg(&jpeg, NULL);
    for (size_t n = 1; n < file.size; n += n < 64 ? 1 : 1 + file.size / 97)
        damaged(&file, n, _i < 2 ? "png" : "jpg");
    damaged(&file, file.size - 1, _i < 2 ? "png" : "jpg");
    free(file.data);
}
END_TEST

/* Files longer than the piece that is at hand: a break says where it is, to what libpng fetches at a time. */
START_TEST(parts_of_long_files)
{
    const kit_png png = {.width = 300, .height = 300, .colour = 2, .depth = 8};
    const kit_jpeg jpeg = {.width = 500, .height = 500, .colour = JCS_YCbCr, .progressive = _i == 2, .noise = true};
    tt_blob file = _i ? kit_make_jpeg(&jpeg, NULL) : kit_make_png(&png, 3, NULL);
    ck_assert_uint_gt(file.size, 3 << 16);
    for (size_t n = 1 << 16; n < file.size; n += 70001) {
        char name[32];
        tt_source s;
        tt_error e = {0};
        const tt_source_options o = {.held_most = NEVER};
        snprintf(name, sizeof name, "part%s", _i ? ".jpg" : ".png");
        kit_store(kit_path(name), file.data, n);
        ck_assert_int_eq(tt_source_open(&s, kit_path(name), &o, &e), TT_ERR_FORMAT);
        const char *byte = strstr(e.text, "truncated") ? strstr(e.text, "byte ") : NULL;
        ck_assert_msg(byte && (size_t)atol(byte + 5) <= n && (size_t)atol(byte + 5) + 8300 > n, "%zu bytes: %s", n, e.text);
        tt_source_clear(&s);
    }
    by_rows(&file, _i ? "jpg" : "png", false, &plain_options, "a long file");
    free(file.data);
}
END_TEST

/* A file that is another one when it is read again is no picture, be it sound or not. */
START_TEST(changed_on_the_way)
{
    kit_png png = {.width = 20, .height = 30, .colour = 2, .depth = 8};
    const tt_source_options o = {.held_most = NEVER};
    tt_blob file = kit_make_png(&png, 3, NULL);
    for (int how = 0; how < 5; how++) {
        tt_source s;
        tt_feed f;
        tt_error e = {0};
        kit_store(kit_path("in.png"), file.data, file.size);
        ck_assert(!tt_source_open(&s, kit_path("in.png"), &o, &e));
        png.height = how == 1 ? 31 : 30;
        png.depth = how == 2 ? 16 : 8;
        png.colour = how == 3 ? 0 : 2;
        tt_blob other = kit_make_png(&png, 4, NULL);
        kit_store(kit_path("in.png"), other.data, how == 4 ? other.size / 2 : other.size); /* the same inode */
        tt_status st = tt_feed_init(&f, &s, 8, &e);
        for (int y = 0; y < 30 && !st; y++)
            st = tt_feed_need(&f, y, y + 1, &e);
        /* the second file is as long as the first, or its end is missing */
        ck_assert_msg(how == 0 ? st == TT_ERR_INPUT : st == TT_ERR_INPUT || st == TT_ERR_FORMAT, "%d: %d %s", how, st, e.text);
        ck_assert_msg(how || strstr(e.text, "has changed"), "%s", e.text);
        tt_feed_clear(&f);
        ck_assert(tt_source_hold(&s, &e) == st && !tt_source_held(&s));
        tt_source_clear(&s);
        free(other.data);
    }
    free(file.data);
}
END_TEST

/* ---- no memory ------------------------------------------------------------------------------------ */

static tt_status open_and_read(const char *path, const tt_source_options *o, tt_error *err)
{
    tt_source s;
    tt_feed f = {0};
    tt_status st = tt_source_open(&s, path, o, err);
    if (!st && !tt_source_held(&s)) {
        st = tt_feed_init(&f, &s, 5, err);
        for (int y = 0; y < s.head.height && !st; y++)
            st = tt_feed_need(&f, y, y + 1, err);
        tt_feed_clear(&f);
    }
    if (!st)
        st = tt_source_hold(&s, err);
    tt_source_clear(&s);
    return st;
}

START_TEST(no_memory)
{
    tt_blob icc = kit_profile("RGB ");
    const kit_png png = {.width = 9, .height = 7, .colour = 2, .depth = 8, .icc = &icc, .xmp = kit_xmp};
    tt_blob file = _i < 2 ? kit_make_png(&png, 3, NULL) : kit_rich_jpeg(_i == 2 ? JCS_YCbCr : JCS_CMYK, _i == 2, false);
    const tt_source_options o = {.srgb = true, .deep = _i & 1, .held_most = NEVER};
    kit_store(kit_path("in"), file.data, file.size);
    for (long k = 1;; k++) {
        tt_error err = {0};
        faults_fail(k, k & 1);
        const tt_status st = open_and_read(kit_path("in"), &o, &err);
        const int failed = faults_failed();
        faults_fail(0, 0);
        if (!failed) {
            ck_assert_msg(!st, "%s", err.text);
            break;
        }
        ck_assert_msg(st == TT_ERR_MEMORY, "allocation %ld failed, and reading gave %d: %s", k, st, err.text);
    }
    free(file.data);
    free(icc.data);
}
END_TEST

Suite *suite_src_source(void);
Suite *suite_src_source(void)
{
    Suite *s = suite_create("src/source");
    TCase *t = tcase_create("source");
    tcase_set_timeout(t, 300);
    kit_fixture(t);
    tcase_add_loop_test(t, every_png, 0, KINDS);
    tcase_add_loop_test(t, every_jpeg, 0, KIT_JPEG_COLOURS);
    tcase_add_test(t, only_grey);
    tcase_add_test(t, what_is_held);
    tcase_add_loop_test(t, parts_of_files, 0, 4);
    tcase_add_loop_test(t, parts_of_long_files, 0, 3);
    tcase_add_test(t, changed_on_the_way);
    tcase_add_loop_test(t, no_memory, 0, 4);
    suite_add_tcase(s, t);
    return s;
}
