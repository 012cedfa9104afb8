#define _GNU_SOURCE
#include "src/image/image.h"
#include "tests/src/kit.h"

#include <lcms2.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <jpeglib.h> /* wants FILE */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static const char *const names[] = {"grey", "YCbCr", "RGB", "CMYK", "YCCK"};
static const int sizes[][2] = {{1, 1}, {31, 17}, {8, 8}, {3, 40}, {129, 2}};
enum { SIZES = sizeof sizes / sizeof *sizes };

/* One more segment, behind the APP segments that are there. */
static void add_segment(tt_blob *file, int marker, const void *head, size_t head_size, const void *bytes,
                        size_t n)
{
    const size_t at = kit_find_segment(file, "\xdb\xc0\xc1\xc2\xc4\xdd"), all = 4 + head_size + n;
    ck_assert_uint_lt(all - 2, 65536);
    unsigned char *p = realloc(file->data, file->size + all);
    memmove(p + at + all, p + at, file->size - at);
    p[at] = 0xff;
    p[at + 1] = (unsigned char)marker;
    p[at + 2] = (unsigned char)((all - 2) >> 8);
    p[at + 3] = (unsigned char)(all - 2);
    memcpy(p + at + 4, head, head_size);
    if (n)
        memcpy(p + at + 4 + head_size, bytes, n);
    *file = (tt_blob){p, file->size + all};
}

/* ---- pictures --------------------------------------------------------------------------------------- */

/* What the four inks give without a profile. */
static void naive(tt_image *cmyk, bool inverted)
{
    tt_image rgb;
    const unsigned flip = inverted ? 0 : 255;
    ck_assert(!tt_image_init(&rgb, cmyk->width, cmyk->height, 3, 8, NULL));
    for (size_t i = 0; i < (size_t)cmyk->width * (size_t)cmyk->height; i++)
        for (int k = 0; k < 3; k++) {
            const unsigned char *p = (unsigned char *)cmyk->samples + 4 * i;
            const double light = (p[k] ^ flip) / 255.0 * (p[3] ^ flip);
            ((unsigned char *)rgb.samples)[3 * i + (size_t)k] = (unsigned char)lround(light);
        }
    tt_image_clear(cmyk);
    *cmyk = rgb;
}

START_TEST(every_colour)
{
    for (int size = 0; size < SIZES; size++)
        for (int how = 0; how < 6; how++) {
            const kit_jpeg k = {.width = sizes[size][0],
                                .height = sizes[size][1],
                                .colour = kit_jpeg_colours[_i],
                                .progressive = how & 1,
                                .restart = how & 2 ? 1 : 0,
                                .no_adobe = how >= 4};
            const bool four = _i >= 3;
            const int as = k.no_adobe && k.colour == JCS_YCCK ? JCS_CMYK : k.colour;
            if (k.no_adobe && !four) /* three components without a marker are known by their numbers */
                continue;
            tt_image want, got;
            tt_blob file = kit_make_jpeg(&k, &want);
            if (four)
                naive(&want, !k.no_adobe);
            kit_read(&got, &file);
            kit_same(&want, &got, "%s, %d x %d, kind %d", names[_i], k.width, k.height, how);
            ck_assert_str_eq(got.format, "JPEG");
            ck_assert_str_eq(got.file_colour, as == JCS_CMYK ? "CMYK" : names[_i]);
            ck_assert_int_eq(got.file_depth, 8);
            ck_assert_int_eq(got.jpeg_quality, 95);
            ck_assert(got.srgb == four && !got.icc.size && !got.exif.size && !got.xmp.size &&
                      !got.iptc.size && got.dpi_x == 0 && got.gamma == 0 && got.missing == 0);
            tt_image_clear(&want);
            tt_image_clear(&got);
            free(file.data);
        }
}
END_TEST

/* CMYK and YCCK, inverted as Adobe stores them and not, through the profile: against lcms2 asked directly. */
START_TEST(inks_through_their_profile)
{
    tt_blob icc = kit_profile("CMYK"), foreign = kit_profile("RGB ");
    cmsHPROFILE from = cmsOpenProfileFromMem(icc.data, (cmsUInt32Number)icc.size),
                to = cmsCreate_sRGBProfile();
    for (int how = 0; how < 3; how++) {
        kit_jpeg k = {.width = 61,
                      .height = 47,
                      .colour = how == 1 ? JCS_YCCK : JCS_CMYK,
                      .no_adobe = how == 2,
                      .icc = &icc};
        const kit_exif e = {.orientation = 1, .width = 61, .height = 47};
        tt_blob exif = kit_make_exif(&e);
        k.exif = &exif;
        tt_image inks, got;
        tt_blob file = kit_make_jpeg(&k, &inks);
        kit_read(&got, &file);
        ck_assert(got.channels == 3 && got.srgb && !got.icc.size);
        ck_assert_int_eq(kit_exif_value(&got.exif, true, 0xa001), 1); /* it is sRGB now */
        cmsHTRANSFORM t = cmsCreateTransform(from, how == 2 ? TYPE_CMYK_8 : TYPE_CMYK_8_REV, to, TYPE_RGB_8,
                                             INTENT_RELATIVE_COLORIMETRIC, cmsFLAGS_BLACKPOINTCOMPENSATION);
        unsigned char want[3];
        for (size_t i = 0; i < (size_t)61 * 47; i++) {
            cmsDoTransform(t, (unsigned char *)inks.samples + 4 * i, want, 1);
            for (size_t c = 0; c < 3; c++) {
                const int v = ((unsigned char *)got.samples)[3 * i + c];
                if (v != want[c])
                    ck_abort_msg("kind %d, pixel %zu: %d instead of %d", how, i, v, want[c]);
            }
        }
        cmsDeleteTransform(t);
        tt_image_clear(&got);
        free(file.data);
        /* a profile that is not for inks is no help */
        k.icc = &foreign;
        file = kit_make_jpeg(&k, NULL);
        naive(&inks, how != 2);
        kit_read(&got, &file);
        kit_same(&inks, &got, "an RGB profile, kind %d", how);
        ck_assert(!got.icc.size);
        tt_image_clear(&inks);
        tt_image_clear(&got);
        free(file.data);
        free(exif.data);
    }
    cmsCloseProfile(from);
    cmsCloseProfile(to);
    free(icc.data);
    free(foreign.data);
}
END_TEST

START_TEST(every_orientation)
{
    const int o = _i + 1;
    const kit_exif e = {
        .big = o & 1, .orientation = o, .width = 31, .height = 17, .dpi = 300, .thumbnail = 500};
    tt_blob exif = kit_make_exif(&e);
    for (int c = 0; c < KIT_JPEG_COLOURS; c++) {
        const kit_jpeg k = {
            .width = 31, .height = 17, .colour = kit_jpeg_colours[c], .exif = &exif, .xmp = kit_xmp};
        tt_image want, got, back;
        tt_blob file = kit_make_jpeg(&k, &want);
        if (want.channels == 4)
            naive(&want, true);
        kit_read(&got, &file);
        kit_turned(&want, &got, o);
        ck_assert_int_eq(got.orientation, o);
        kit_settled(&got.exif, got.width, got.height);
        kit_settled_xmp(&got.xmp, o);
        ck_assert_double_eq(got.dpi_x, 300); /* JFIF gives none */
        static const char *const ways[] = {"again.jpg", "again.png"};
        for (int way = 0; way < 2; way++) {
            kit_again(&back, &got, ways[way], 0);
            ck_assert_int_eq(back.width, got.width);
            ck_assert_int_eq(back.height, got.height);
            ck_assert_int_eq(back.channels, got.channels);
            ck_assert_int_eq(back.orientation, 1);
            kit_same_blob(&got.exif, &back.exif, "EXIF");
            kit_same_blob(&got.xmp, &back.xmp, "XMP");
            ck_assert_double_eq_tol(back.dpi_x, 300, 0.01);
            ck_assert_double_eq_tol(back.dpi_y, 300, 0.01);
            tt_image_clear(&back);
        }
        tt_image_clear(&want);
        tt_image_clear(&got);
        free(file.data);
    }
    free(exif.data);
}
END_TEST

START_TEST(resolution)
{
    static const struct {
        int unit, x, y;
        double dpi_x, dpi_y;
    } cases[] = {{1, 300, 300, 300, 300}, {1, 72, 144, 72, 144}, {2, 100, 118, 254, 299.72},
                 {0, 1, 1, 0, 0},         {0, 300, 300, 0, 0},   {1, 65535, 1, 65535, 1},
                 {7, 300, 300, 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const kit_exif e = {.orientation = 1, .width = 4, .height = 4, .dpi = 96};
        tt_blob exif = kit_make_exif(&e);
        for (int with = 0; with < 2; with++) {
            const kit_jpeg k = {.width = 4,
                                .height = 4,
                                .colour = JCS_YCbCr,
                                .density_unit = cases[i].unit,
                                .density_x = cases[i].x,
                                .density_y = cases[i].y,
                                .exif = with ? &exif : NULL};
            const double x = cases[i].dpi_x > 0 || !with ? cases[i].dpi_x : 96;
            const double y = cases[i].dpi_y > 0 || !with ? cases[i].dpi_y : 96;
            tt_image got, back;
            tt_blob file = kit_make_jpeg(&k, NULL);
            kit_read(&got, &file);
            ck_assert_double_eq_tol(got.dpi_x, x, 1e-9);
            ck_assert_double_eq_tol(got.dpi_y, y, 1e-9);
            kit_again(&back, &got, "again.jpg", 0); /* whole dots an inch, which is all it can say */
            ck_assert_double_eq_tol(back.dpi_x, round(x), 1e-9);
            ck_assert_double_eq_tol(back.dpi_y, round(y), 1e-9);
            tt_image_clear(&got);
            tt_image_clear(&back);
            free(file.data);
        }
        free(exif.data);
    }
}
END_TEST

/* ---- metadata --------------------------------------------------------------------------------------- */

static void add_piece(tt_blob *file, const tt_blob *icc, int number, int of, size_t from, size_t to)
{
    char head[14] = "ICC_PROFILE";
    head[12] = (char)number;
    head[13] = (char)of;
    add_segment(file, 0xe2, head, sizeof head, icc->data + from, to - from);
}

/* "2/3" is the second of three pieces. What is not whole is no profile, and the picture is read all the same.
 */
START_TEST(profiles_in_pieces)
{
    static const struct {
        const char *pieces;
        bool kept;
    } cases[] = {{"1/1", true},         {"1/2 2/2", true},      {"1/3 2/3 3/3", true}, {"2/3 3/3 1/3", true},
                 {"3/3 2/3 1/3", true}, {"1/2", false},         {"2/2", false},        {"1/3 3/3", false},
                 {"1/2 1/2", false},    {"1/2 2/2 2/2", false}, {"1/2 2/3", false},    {"0/1", false},
                 {"0/2 1/2", false},    {"1/0", false},         {"2/1", false},        {"3/2 1/2", false},
                 {"1/1 1/1", false},    {"1/255", false}};
    tt_blob icc = kit_profile("RGB ");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const kit_jpeg k = {.width = 9, .height = 7, .colour = JCS_YCbCr};
        tt_image want, got;
        tt_blob file = kit_make_jpeg(&k, &want);
        for (const char *p = cases[i].pieces; p; p = strchr(p + 1, ' ')) {
            int number, of;
            ck_assert_int_eq(sscanf(p, "%d/%d", &number, &of), 2);
            const size_t each = icc.size / (size_t)(of ? of : 1) + 1,
                         from = number ? (size_t)(number - 1) * each : 0;
            const size_t start = from < icc.size ? from : 0, end = start + each;
            add_piece(&file, &icc, number, of, start, end < icc.size ? end : icc.size);
        }
        kit_read(&got, &file);
        kit_same(&want, &got, "%s", cases[i].pieces);
        ck_assert_msg(!!got.icc.size == cases[i].kept, "pieces %s: %zu bytes", cases[i].pieces, got.icc.size);
        if (cases[i].kept)
            kit_same_blob(&icc, &got.icc, cases[i].pieces);
        tt_image_clear(&want);
        tt_image_clear(&got);
        free(file.data);
    }
    free(icc.data);
}
END_TEST

/* More than a segment holds. */
START_TEST(a_long_profile)
{
    cmsHPROFILE p = cmsCreate_sRGBProfile();
    unsigned char *filling = malloc(200000);
    kit_random(filling, 200000, 5);
    ck_assert(cmsWriteRawTag(p, (cmsTagSignature)0x74657374, filling, 200000));
    cmsUInt32Number n = 0;
    ck_assert(cmsSaveProfileToMem(p, NULL, &n));
    tt_blob icc = {malloc(n), n};
    ck_assert(cmsSaveProfileToMem(p, icc.data, &n));
    cmsCloseProfile(p);
    free(filling);
    const kit_jpeg k = {.width = 9, .height = 7, .colour = JCS_YCbCr, .icc = &icc};
    tt_image got, back;
    tt_blob file = kit_make_jpeg(&k, NULL);
    kit_read(&got, &file);
    kit_same_blob(&icc, &got.icc, "profile");
    static const char *const ways[] = {"again.jpg", "again.png"};
    for (int way = 0; way < 2; way++) {
        kit_again(&back, &got, ways[way], 0);
        kit_same_blob(&icc, &back.icc, ways[way]);
        tt_image_clear(&back);
    }
    tt_image_clear(&got);
    free(file.data);
    free(icc.data);
}
END_TEST

/* A grey profile on colours and the other way round would be wrong. */
START_TEST(foreign_profiles)
{
    static const char *const spaces[] = {"RGB ", "GRAY", "CMYK"};
    for (int s = 0; s < 3; s++)
        for (int c = 0; c < 3; c++) {
            tt_blob icc = kit_profile(spaces[s]);
            const kit_jpeg k = {.width = 9, .height = 7, .colour = kit_jpeg_colours[c], .icc = &icc};
            tt_image got;
            tt_blob file = kit_make_jpeg(&k, NULL);
            kit_read(&got, &file);
            ck_assert_msg((got.icc.size > 0) == (c == 0 ? s == 1 : s == 0), "%s in a picture of %s",
                          spaces[s], names[c]);
            tt_image_clear(&got);
            free(file.data);
            free(icc.data);
        }
}
END_TEST

/* The packet is kept. An extension of it is not, before or behind it; then nothing must point to it. */
START_TEST(extended_xmp)
{
    static const char ns[29] = "http://ns.adobe.com/xap/1.0/",
                      extension[35] = "http://ns.adobe.com/xmp/extension/";
    static const char guid[] = "0123456789ABCDEF0123456789ABCDEF";
    static const char *const forms[] = {
        "<x:xmpmeta><rdf:Description xmpNote:HasExtendedXMP=\"0123456789ABCDEF0123456789ABCDEF\" "
        "a:b=\"c\"/></x:xmpmeta>",
        "<x:xmpmeta><xmpNote:HasExtendedXMP>0123456789ABCDEF0123456789ABCDEF</"
        "xmpNote:HasExtendedXMP>a:b=\"c\"</x:xmpmeta>"};
    for (int form = 0; form < 2; form++)
        for (int order = 0; order < 3; order++) {
            const kit_jpeg k = {.width = 9, .height = 7, .colour = JCS_YCbCr};
            tt_image got, back;
            tt_blob file = kit_make_jpeg(&k, NULL);
            char more[32 + 8 + 20] = {0};
            memcpy(more, guid, 32);
            more[35] = 20; /* length (4), offset (4) */
            memcpy(more + 40, "<x:xmpmeta></x:xmpm>", 20);
            if (order == 1)
                add_segment(&file, 0xe1, extension, sizeof extension, more, sizeof more);
            add_segment(&file, 0xe1, ns, sizeof ns, forms[form], strlen(forms[form]));
            if (order == 2)
                add_segment(&file, 0xe1, extension, sizeof extension, more, sizeof more);
            add_segment(&file, 0xe1, ns, sizeof ns, "<second/>", 9); /* there is only one packet */
            kit_read(&got, &file);
            ck_assert_uint_eq(got.xmp.size, strlen(forms[form])); /* its padding is kept */
            ck_assert_ptr_nonnull(memmem(got.xmp.data, got.xmp.size, "a:b=\"c\"", 7));
            ck_assert_msg(!memmem(got.xmp.data, got.xmp.size, guid, 32), "%.*s", (int)got.xmp.size,
                          got.xmp.data);
            kit_again(&back, &got, "again.jpg", 0);
            kit_same_blob(&got.xmp, &back.xmp, "XMP");
            tt_image_clear(&got);
            tt_image_clear(&back);
            free(file.data);
        }
}
END_TEST

START_TEST(captions)
{
    static const unsigned char records[] =
        "8BIM\x03\xed\0\0\0\0\0\x02\1\1"                      /* another resource */
        "8BIM\x04\x04\0\0\0\0\0\x0b\x1c\x02\x05\0\x06Tintyp"; /* odd, padded by the 0 */
    const tt_blob app13 = {(unsigned char *)records, sizeof records};
    for (int c = 0; c < KIT_JPEG_COLOURS; c++) {
        const kit_jpeg k = {.width = 9, .height = 7, .colour = kit_jpeg_colours[c], .app13 = &app13};
        tt_image got, back;
        tt_blob file = kit_make_jpeg(&k, NULL);
        kit_read(&got, &file);
        ck_assert_uint_eq(got.iptc.size, 11);
        ck_assert_mem_eq(got.iptc.data, "\x1c\x02\x05\0\x06Tintyp", 11);
        static const char *const ways[] = {"again.jpg", "again.png"};
        for (int way = 0; way < 2; way++) {
            kit_again(&back, &got, ways[way], 0);
            kit_same_blob(&got.iptc, &back.iptc, ways[way]);
            tt_image_clear(&back);
        }
        tt_image_clear(&got);
        free(file.data);
    }
}
END_TEST

/* ---- writing ---------------------------------------------------------------------------------------- */

START_TEST(qualities)
{
    for (int channels = 1; channels <= 3; channels += 2)
        for (int quality = 0; quality <= 100; quality++) {
            tt_image img, back;
            ck_assert(!tt_image_init(&img, 33, 21, channels, 8, NULL));
            kit_random(img.samples, (size_t)33 * 21 * (size_t)channels, 3);
            kit_again(&back, &img, "out.jpg", quality);
            ck_assert(back.width == 33 && back.height == 21 && back.channels == channels && back.depth == 8);
            ck_assert_int_eq(back.jpeg_quality, quality ? quality : 95);
            /* full resolution of colour from 90 on, half of it each way below */
            tt_blob file = kit_load(kit_path("out.jpg"));
            const size_t sof = kit_find_segment(&file, "\xc0\xc1\xc2");
            ck_assert_int_eq(file.data[sof + 9], channels);
            ck_assert_int_eq(file.data[sof + 11], channels == 1 || !quality || quality >= 90 ? 0x11 : 0x22);
            free(file.data);
            if (quality == 100)
                for (size_t i = 0; i < (size_t)33 * 21 * (size_t)channels; i++)
                    ck_assert_int_le(abs(((uint8_t *)img.samples)[i] - ((uint8_t *)back.samples)[i]), 4);
            tt_image_clear(&img);
            tt_image_clear(&back);
        }
}
END_TEST

START_TEST(everything_is_carried)
{
    for (int c = 0; c < 3; c++) {
        tt_image got, png, jpeg;
        tt_blob file = kit_rich_jpeg(kit_jpeg_colours[c], false, true);
        kit_read(&got, &file);
        ck_assert(got.icc.size && got.exif.size && got.xmp.size && got.iptc.size && got.dpi_x == 300);
        kit_again(&png, &got, "a.png", 0);
        kit_again(&jpeg, &png, "b.jpg", 100);
        const tt_image *const there[] = {&png, &jpeg};
        for (int i = 0; i < 2; i++) {
            kit_same_blob(&got.icc, &there[i]->icc, "profile");
            kit_same_blob(&got.exif, &there[i]->exif, "EXIF");
            kit_same_blob(&got.xmp, &there[i]->xmp, "XMP");
            kit_same_blob(&got.iptc, &there[i]->iptc, "IPTC");
            ck_assert_double_eq_tol(there[i]->dpi_x, 300, 0.01);
            ck_assert_double_eq_tol(there[i]->dpi_y, 300, 0.01);
        }
        kit_same(&got, &png, "the picture");
        tt_image_clear(&got);
        tt_image_clear(&png);
        tt_image_clear(&jpeg);
        free(file.data);
    }
}
END_TEST

/* What no segment can hold is left out, and all the rest is written. */
START_TEST(too_much_to_carry)
{
    static const size_t most[] = {65533 - 6, 65533 - 29, 65533 - 14 - 12 - 1};
    for (int which = 0; which < 3; which++)
        for (size_t over = 0; over < 2; over++) {
            const kit_exif e = {.orientation = 1, .width = 9, .height = 7};
            tt_image img, back;
            ck_assert(!tt_image_init(&img, 9, 7, 3, 8, NULL));
            tt_blob *b = which == 0 ? &img.exif : which == 1 ? &img.xmp : &img.iptc;
            tt_blob exif = kit_make_exif(&e);
            *b = (tt_blob){calloc(1, most[which] + over), most[which] + over};
            if (which == 0)
                memcpy(b->data, exif.data, exif.size);
            else
                memset(b->data, which == 1 ? ' ' : 0x1c, b->size);
            kit_again(&back, &img, "out.jpg", 0);
            const tt_blob *kept = which == 0 ? &back.exif : which == 1 ? &back.xmp : &back.iptc;
            ck_assert_uint_eq(kept->size, over ? 0 : b->size);
            tt_image_clear(&img);
            tt_image_clear(&back);
            free(exif.data);
        }
}
END_TEST

START_TEST(whole_or_not_at_all)
{
    tt_image img;
    tt_error err = {0};
    const tt_write_options none = {0}, over = {.overwrite = true}, jpeg = {.format = "jpeg"},
                           bad = {.jpeg_quality = 101};
    ck_assert(!tt_image_init(&img, 300, 200, 3, 8, NULL));
    kit_random(img.samples, 300 * 200 * 3, 3);
    kit_store(kit_path("old.jpg"), "precious", 8);
    ck_assert_int_eq(tt_image_write(&img, kit_path("old.jpg"), &none, &err), TT_ERR_OUTPUT);
    tt_blob old = kit_load(kit_path("old.jpg"));
    ck_assert(old.size == 8 && !memcmp(old.data, "precious", 8));
    free(old.data);
    ck_assert_int_eq(kit_entries(), 1);
    ck_assert_int_eq(tt_image_write(&img, kit_path("none/x.jpg"), &none, &err), TT_ERR_OUTPUT);
    /* a full disk */
    ck_assert_int_eq(tt_image_write(&img, "/dev/full", &jpeg, &err), TT_ERR_TEMPORARY);
    ck_assert_msg(!strncmp(err.text, "/dev/full: ", 11), "%s", err.text);
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    const struct rlimit small = {30000, limit.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    const tt_status st = tt_image_write(&img, kit_path("old.jpg"), &over, &err);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert_int_eq(st, TT_ERR_TEMPORARY);
    ck_assert_int_eq(kit_entries(), 1);
    old = kit_load(kit_path("old.jpg"));
    ck_assert(old.size == 8 && !memcmp(old.data, "precious", 8));
    free(old.data);
    ck_assert_int_eq(tt_image_write(&img, kit_path("old.jpg"), &over, &err), TT_OK);
    tt_image_clear(&img);
    /* what JPEG cannot hold, told before any work */
    for (int channels = 1; channels <= 4; channels++)
        for (int depth = 8; depth <= 16; depth += 8) {
            const tt_status can = tt_image_can_write(channels, depth, "a.jpg", &none, &err);
            ck_assert_int_eq(can, (channels & 1) && depth == 8 ? TT_OK : TT_ERR_UNSUPPORTED);
        }
    ck_assert_int_eq(tt_image_can_write(3, 8, "a.JPEG", &none, &err), TT_OK);
    ck_assert_int_eq(tt_image_can_write(3, 8, "a.jpe", &none, &err), TT_OK);
    ck_assert_int_eq(tt_image_can_write(3, 8, "a.jpg", &bad, &err), TT_ERR_USAGE);
    ck_assert_int_eq(tt_image_can_hold(65500, 65500, "a.jpg", &none, &err), TT_OK);
    ck_assert_int_eq(tt_image_can_hold(65501, 1, "a.jpg", &none, &err), TT_ERR_UNSUPPORTED);
    ck_assert_int_eq(tt_image_can_hold(1, 65501, "a.jpg", &none, &err), TT_ERR_UNSUPPORTED);
}
END_TEST

Suite *suite_src_jpeg(void);
Suite *suite_src_jpeg(void)
{
    Suite *s = suite_create("src/jpeg");
    TCase *tc = tcase_create("jpeg");
    tcase_set_timeout(tc, 300);
    kit_fixture(tc);
    tcase_add_loop_test(tc, every_colour, 0, KIT_JPEG_COLOURS);
    tcase_add_test(tc, inks_through_their_profile);
    tcase_add_loop_test(tc, every_orientation, 0, 8);
    tcase_add_test(tc, resolution);
    tcase_add_test(tc, profiles_in_pieces);
    tcase_add_test(tc, a_long_profile);
    tcase_add_test(tc, foreign_profiles);
    tcase_add_test(tc, extended_xmp);
    tcase_add_test(tc, captions);
    tcase_add_test(tc, qualities);
    tcase_add_test(tc, everything_is_carried);
    tcase_add_test(tc, too_much_to_carry);
    tcase_add_test(tc, whole_or_not_at_all);
    suite_add_tcase(s, tc);
    return s;
}
