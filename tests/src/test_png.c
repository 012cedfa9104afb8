#define _GNU_SOURCE
#include "src/image/grey.h"
#include "src/image/icc.h"
#include "src/image/image.h"
#include "src/image/turn.h"
#include "tests/faults.h"
#include "tests/src/kit.h"

#include <math.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* Every kind of PNG there is: colour type, depth. */
static const int kinds[][2] = {{0, 1}, {0, 2}, {0, 4}, {0, 8}, {0, 16}, {2, 8}, {2, 16}, {3, 1},
                               {3, 2}, {3, 4}, {3, 8}, {4, 8}, {4, 16}, {6, 8}, {6, 16}};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* Write, and read what was written. */
static void again(tt_image *back, const tt_image *img)
{
    tt_error err = {0};
    const tt_write_options o = {.overwrite = true};
    ck_assert_msg(!tt_image_write(img, kit_path("again.png"), &o, &err), "%s", err.text);
    ck_assert_msg(!tt_image_read(back, kit_path("again.png"), NULL, &err), "%s", err.text);
}

START_TEST(every_kind)
{
    for (int interlaced = 0; interlaced < 2; interlaced++)
        for (int clear = 0; clear < 2; clear++)
            for (int size = 0; size < 5; size++) {
                static const int sizes[][2] = {{1, 1}, {31, 17}, {8, 8}, {3, 40}, {129, 2}};
                const kit_png k = {.width = sizes[size][0], .height = sizes[size][1], .colour = kinds[_i][0],
                                   .depth = kinds[_i][1], .interlaced = interlaced, .clear = clear};
                if (clear && k.colour & PNG_COLOR_MASK_ALPHA)
                    continue;
                tt_image want, got, back;
                tt_blob file = kit_make_png(&k, (unsigned)(1 + _i * 100 + size), &want);
                kit_read(&got, &file);
                kit_same(&want, &got, "colour %d, depth %d, interlaced %d, clear %d, %d x %d", k.colour, k.depth,
                         interlaced, clear, k.width, k.height);
                ck_assert_str_eq(got.format, "PNG");
                ck_assert_int_eq(got.file_depth, k.depth);
                ck_assert(!got.icc.size && !got.exif.size && !got.xmp.size && !got.srgb && got.gamma == 0 &&
                          got.dpi_x == 0 && got.missing == 0);
                again(&back, &got);
                kit_same(&want, &back, "written and read");
                ck_assert_msg(!back.srgb && back.gamma == 0, "colour chunks from nowhere");
                tt_image_clear(&want);
                tt_image_clear(&got);
                tt_image_clear(&back);
                free(file.data);
            }
}
END_TEST

START_TEST(every_orientation)
{
    const int o = _i + 1;
    const kit_exif e = {.big = o & 1, .orientation = o, .width = 31, .height = 17, .dpi = 300, .thumbnail = 500};
    tt_blob exif = kit_make_exif(&e);
    for (int kind = 0; kind < KINDS; kind++) {
        const kit_png k = {.width = 31, .height = 17, .colour = kinds[kind][0], .depth = kinds[kind][1],
                           .exif = &exif, .xmp = kit_xmp};
        tt_image want, got, back;
        tt_blob file = kit_make_png(&k, (unsigned)kind, &want);
        kit_read(&got, &file);
        kit_turned(&want, &got, o);
        ck_assert_int_eq(got.orientation, o);
        kit_settled(&got.exif, got.width, got.height);
        ck_assert_double_eq(got.dpi_x, 300); /* there is no pHYs */
        kit_settled_xmp(&got.xmp, o);
        again(&back, &got);
        kit_same(&got, &back, "written and read");
        ck_assert_int_eq(back.orientation, 1);
        kit_same_blob(&got.exif, &back.exif, "EXIF");
        kit_same_blob(&got.xmp, &back.xmp, "XMP");
        tt_image_clear(&want);
        tt_image_clear(&got);
        tt_image_clear(&back);
        free(file.data);
    }
    free(exif.data);
}
END_TEST

START_TEST(there_and_back)
{
    static const int inverse[] = {0, 1, 2, 3, 4, 5, 8, 7, 6};
    for (int channels = 1; channels <= 4; channels++)
        for (int depth = 8; depth <= 16; depth += 8) {
            tt_image a, b;
            ck_assert(!tt_image_init(&a, 67, 35, channels, depth, NULL));
            ck_assert(!tt_image_init(&b, 67, 35, channels, depth, NULL));
            kit_random(a.samples, 67 * 35 * tt_image_pixel_bytes(&a), 7);
            memcpy(b.samples, a.samples, 67 * 35 * tt_image_pixel_bytes(&a));
            a.dpi_x = b.dpi_x = 100;
            for (int o = 0; o <= 9; o++) {
                ck_assert(!tt_image_turn(&b, o, NULL));
                ck_assert(!tt_image_turn(&b, o > 8 ? o : inverse[o], NULL));
                kit_same(&a, &b, "%d there and back", o);
                ck_assert(b.dpi_x == 100 && b.dpi_y == 0);
            }
            tt_image_clear(&a);
            tt_image_clear(&b);
        }
}
END_TEST

START_TEST(grey_and_colour)
{
    for (int channels = 1; channels <= 2; channels++)
        for (int depth = 8; depth <= 16; depth += 8) {
            tt_image a, b;
            ck_assert(!tt_image_init(&a, 67, 35, channels, depth, NULL));
            ck_assert(!tt_image_init(&b, 67, 35, channels, depth, NULL));
            kit_random(a.samples, 67 * 35 * tt_image_pixel_bytes(&a), 7);
            memcpy(b.samples, a.samples, 67 * 35 * tt_image_pixel_bytes(&a));
            ck_assert(!tt_image_only_grey(&b) && !tt_image_from_grey(&b, NULL) && tt_image_only_grey(&b));
            ck_assert_int_eq(b.channels, channels + 2);
            const size_t last = tt_image_pixel_bytes(&b) * (67 * 35 - 1) / (size_t)(depth / 8); /* sample of the last pixel */
            for (size_t c = 0; c < 3; c++) { /* one colour off is colour */
                unsigned char *p = (unsigned char *)b.samples + (last + c) * (size_t)(depth / 8);
                *p ^= 1;
                ck_assert(!tt_image_only_grey(&b));
                *p ^= 1;
            }
            tt_image_to_grey(&b);
            kit_same(&a, &b, "there and back");
            tt_image_clear(&a);
            tt_image_clear(&b);
        }
}
END_TEST

START_TEST(resolution)
{
    static const struct {
        int ppm;
        double dpi;
    } cases[] = {{11811, 300}, {2835, 72}, {3780, 96}, {23622, 600}, {5906, 150}, {3000, 76.2}, {1, 0.0254}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tt_image got, back;
        const kit_png k = {.width = 2, .height = 2, .colour = 2, .depth = 8, .ppm = cases[i].ppm};
        tt_blob file = kit_make_png(&k, 1, NULL);
        kit_read(&got, &file);
        ck_assert_double_eq_tol(got.dpi_x, cases[i].dpi, 1e-9);
        ck_assert_double_eq_tol(got.dpi_y, cases[i].dpi, 1e-9);
        again(&back, &got);
        ck_assert_double_eq_tol(back.dpi_x, cases[i].dpi, 1e-9);
        tt_image_clear(&got);
        tt_image_clear(&back);
        free(file.data);
    }
}
END_TEST

START_TEST(profiles)
{
    static const struct {
        const char *space;
        int colour;
        bool kept;
    } cases[] = {{"RGB ", 2, true}, {"RGB ", 3, true}, {"RGB ", 6, true}, {"GRAY", 0, true}, {"GRAY", 4, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tt_blob icc = kit_profile(cases[i].space);
        const kit_png k = {.width = 5, .height = 4, .colour = cases[i].colour, .depth = 8, .icc = &icc, .gamma = 0.6};
        tt_image want, got, back;
        tt_blob file = kit_make_png(&k, 3, &want);
        kit_read(&got, &file);
        kit_same_blob(&icc, &got.icc, "profile");
        ck_assert_msg(got.gamma == 0, "gamma beside a profile");
        again(&back, &got);
        kit_same(&want, &back, "samples beside a profile");
        kit_same_blob(&icc, &back.icc, "profile written and read");
        /* metadata for a picture of another kind of colour: the profile would be wrong there */
        tt_image other;
        const int channels = got.channels < 3 ? 3 : 1;
        ck_assert(!tt_image_init(&other, 10, 8, channels, 8, NULL));
        ck_assert(!tt_image_copy_metadata(&other, &got, NULL));
        ck_assert_uint_eq(other.icc.size, 0);
        /* and one that is there all the same is not written */
        ck_assert(!tt_blob_set(&other.icc, icc.data, icc.size, NULL));
        tt_image_clear(&back);
        again(&back, &other);
        ck_assert_uint_eq(back.icc.size, 0);
        tt_image_clear(&other);
        tt_image_clear(&want);
        tt_image_clear(&got);
        tt_image_clear(&back);
        free(file.data);
        free(icc.data);
    }
}
END_TEST

/* Broken and foreign profiles, put where a decoder would put them. */
START_TEST(bad_profiles)
{
    tt_blob icc = kit_profile("RGB "), bad = {0};
    ck_assert(!tt_icc_check(&bad, 3, NULL) && !bad.size);
    for (int channels = 1; channels <= 4; channels++) {
        ck_assert(!tt_blob_set(&bad, icc.data, icc.size, NULL) && !tt_icc_check(&bad, channels, NULL));
        ck_assert_uint_eq(bad.size, channels < 3 ? 0 : icc.size);
    }
    for (size_t n = 0; n < icc.size; n++) { /* cut off anywhere */
        ck_assert(!tt_blob_set(&bad, icc.data, n, NULL) && !tt_icc_check(&bad, 3, NULL));
        ck_assert_msg(!bad.size, "%zu bytes of a profile of %zu were kept", n, icc.size);
    }
    unsigned char *longer = calloc(1, icc.size + 100); /* something after it */
    memcpy(longer, icc.data, icc.size);
    ck_assert(!tt_blob_set(&bad, longer, icc.size + 100, NULL) && !tt_icc_check(&bad, 3, NULL));
    kit_same_blob(&icc, &bad, "profile with a tail");
    free(longer);
    for (size_t bit = 0; bit < 8 * icc.size; bit++) { /* no crash; kept or not */
        ck_assert(!tt_blob_set(&bad, icc.data, icc.size, NULL));
        bad.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
        ck_assert(!tt_icc_check(&bad, 3, NULL));
    }
    tt_blob_clear(&bad);
    free(icc.data);
}
END_TEST

START_TEST(gamma_and_primaries)
{
    static const double wide[8] = {0.3127, 0.329, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06}; /* Adobe RGB */
    tt_image got, back;
    kit_png k = {.width = 5, .height = 4, .colour = 2, .depth = 8, .gamma = 0.45455, .chrm = wide};
    tt_blob file = kit_make_png(&k, 3, NULL);
    kit_read(&got, &file);
    again(&back, &got);
    for (int round = 0; round < 2; round++) {
        const tt_image *i = round ? &back : &got;
        ck_assert_double_eq_tol(i->gamma, 0.45455, 1e-6);
        for (int c = 0; c < 8; c++)
            ck_assert_double_eq_tol(i->chrm[c], wide[c], 1e-4);
        ck_assert(!i->srgb);
    }
    /* a JPEG cannot say so, and gets a profile that does */
    tt_error err = {0};
    const tt_write_options o = {.overwrite = true};
    ck_assert_msg(!tt_image_write(&got, kit_path("wide.jpg"), &o, &err), "%s", err.text);
    tt_image_clear(&back);
    ck_assert(!tt_image_read(&back, kit_path("wide.jpg"), NULL, &err));
    ck_assert_uint_gt(back.icc.size, 0);
    tt_image_clear(&got);
    tt_image_clear(&back);
    free(file.data);

    k = (kit_png){.width = 5, .height = 4, .colour = 2, .depth = 8, .srgb = true};
    file = kit_make_png(&k, 3, NULL);
    kit_read(&got, &file);
    ck_assert(got.srgb && got.gamma == 0);
    again(&back, &got);
    ck_assert(back.srgb && back.gamma == 0);
    tt_image_clear(&got);
    tt_image_clear(&back);
    free(file.data);
}
END_TEST

/* To sRGB: a linear picture gets sRGB's own curve, exactly as IEC 61966-2-1 has it; alpha is left alone. */
START_TEST(to_srgb)
{
    for (int channels = 1; channels <= 4; channels++)
        for (int depth = 8; depth <= 16; depth += 8) {
            tt_image a, b;
            const double most = depth == 8 ? 255 : 65535;
            ck_assert(!tt_image_init(&a, 64, 32, channels, depth, NULL));
            ck_assert(!tt_image_init(&b, 64, 32, channels, depth, NULL));
            kit_random(a.samples, 64 * 32 * tt_image_pixel_bytes(&a), 5);
            memcpy(b.samples, a.samples, 64 * 32 * tt_image_pixel_bytes(&a));
            b.gamma = 1;
            ck_assert(!tt_icc_to_srgb(&b, NULL));
            ck_assert(b.srgb && b.gamma == 0);
            for (size_t i = 0; i < (size_t)64 * 32 * (size_t)channels; i++) {
                const double v = depth == 8 ? ((uint8_t *)a.samples)[i] : ((uint16_t *)a.samples)[i];
                const double got = depth == 8 ? ((uint8_t *)b.samples)[i] : ((uint16_t *)b.samples)[i];
                const double l = v / most, s = l <= 0.0031308 ? 12.92 * l : 1.055 * pow(l, 1 / 2.4) - 0.055;
                const bool alpha = !(channels & 1) && i % (size_t)channels == (size_t)channels - 1;
                /* lcms2 works in 16 bits with tables, so a few of 65535 are its rounding */
                const double off = alpha ? 0 : depth == 8 ? 1.01 : 130;
                ck_assert_msg(fabs(got - (alpha ? v : s * most)) <= off, "%d channels: %g became %g, not %g", channels,
                              v, got, alpha ? v : s * most);
            }
            tt_image_clear(&a);
            tt_image_clear(&b);
        }
}
END_TEST

START_TEST(raw_profiles)
{
    static const char iptc_text[] = "\niptc\n      11\n1c0205\n00065469\n6e74790a\n"; /* IPTC: title, 6 bytes */
    const kit_exif e = {.orientation = 6, .width = 4, .height = 3};
    tt_blob exif = kit_make_exif(&e);
    char *text = malloc(2 * exif.size + 100), *p = text;
    p += sprintf(p, "\nexif\n%8zu\n457869660000", exif.size + 6);
    for (size_t i = 0; i < exif.size; i++)
        p += sprintf(p, "%s%02x", i % 30 ? "" : "\n", exif.data[i]);
    kit_png k = {.width = 4, .height = 3, .colour = 2, .depth = 8, .text_key = "Raw profile type exif", .text = text};
    tt_image got, back;
    tt_blob file = kit_make_png(&k, 3, NULL);
    kit_read(&got, &file);
    ck_assert_int_eq(got.orientation, 6);
    ck_assert_int_eq(got.width, 3);
    ck_assert_uint_eq(got.exif.size, exif.size);
    tt_image_clear(&got);
    free(file.data);
    /* no digits, too few of them, a length that is a lie */
    static const char *const bad[] = {"", "\n", "\nexif\n", "\nexif\n  99999999\n4578", "\nexif\n 2\nzz", "\nexif\n 3\n4",
                                      "\nexif\n 0\n", "4949"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        k.text = bad[i];
        file = kit_make_png(&k, 3, NULL);
        kit_read(&got, &file);
        ck_assert_uint_eq(got.exif.size, 0);
        tt_image_clear(&got);
        free(file.data);
    }
    k.text_key = "Raw profile type iptc";
    k.text = iptc_text;
    file = kit_make_png(&k, 3, NULL);
    kit_read(&got, &file);
    ck_assert_uint_eq(got.iptc.size, 11);
    ck_assert_mem_eq(got.iptc.data + 5, "Tinty\n" + 0, 1);
    again(&back, &got);
    kit_same_blob(&got.iptc, &back.iptc, "IPTC");
    tt_image_clear(&got);
    tt_image_clear(&back);
    free(file.data);
    free(text);
    free(exif.data);
}
END_TEST

static tt_status read_bytes(const void *bytes, size_t n, const tt_image_limits *limits, tt_error *err)
{
    tt_image img;
    const tt_status st = tt_image_read_memory(&img, bytes, n, "file", limits, err);
    tt_image_clear(&img);
    return st;
}

/* Chunk by chunk, with checks that are right: put `data` in front of the first IDAT. */
static tt_blob insert_chunk(const tt_blob *file, const char *type, const void *data, size_t n)
{
    tt_blob out = {malloc(file->size + n + 12), file->size + n + 12};
    const unsigned char *idat = memmem(file->data, file->size, "IDAT", 4);
    const size_t before = (size_t)(idat - 4 - file->data);
    unsigned char *p = out.data + before;
    memcpy(out.data, file->data, before);
    for (int i = 0; i < 4; i++)
        *p++ = (unsigned char)(n >> 8 * (3 - i));
    memcpy(p, type, 4);
    memcpy(p + 4, data, n);
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < n + 4; i++) {
        crc ^= p[i];
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    for (int i = 0; i < 4; i++)
        p[4 + n + (size_t)i] = (unsigned char)(~crc >> 8 * (3 - i));
    memcpy(p + 8 + n, file->data + before, file->size - before);
    return out;
}

START_TEST(animations)
{
    const kit_png k = {.width = 4, .height = 3, .colour = 2, .depth = 8};
    tt_blob file = kit_make_png(&k, 3, NULL);
    tt_blob two = insert_chunk(&file, "acTL", "\0\0\0\2\0\0\0\0", 8), one = insert_chunk(&file, "acTL", "\0\0\0\1\0\0\0\0", 8);
    tt_error err = {0};
    ck_assert_int_eq(read_bytes(two.data, two.size, NULL, &err), TT_ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.text, "animated"));
    ck_assert_int_eq(read_bytes(one.data, one.size, NULL, &err), TT_OK); /* one frame is a picture */
    free(file.data);
    free(two.data);
    free(one.data);
}
END_TEST

START_TEST(limits)
{
    const kit_png k = {.width = 100, .height = 100, .colour = 0, .depth = 1};
    tt_blob file = kit_make_png(&k, 3, NULL);
    tt_error err = {0};
    tt_image_limits l = {.max_pixels = 9999};
    ck_assert_int_eq(read_bytes(file.data, file.size, &l, &err), TT_ERR_MEMORY);
    l = (tt_image_limits){.max_pixels = 10000, .max_bytes = 9999};
    ck_assert_int_eq(read_bytes(file.data, file.size, &l, &err), TT_ERR_MEMORY);
    l.max_bytes = 10000;
    ck_assert_int_eq(read_bytes(file.data, file.size, &l, &err), TT_OK);
    /* 100,000 x 100,000 and more of one bit: refused from the header */
    static const unsigned sides[][2] = {{100000, 100000}, {0x7fffffff, 0x7fffffff}, {1000001, 1}, {1, 1000001}, {0, 5}};
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
        unsigned char *p = file.data + 16;
        for (int b = 0; b < 8; b++)
            p[b] = (unsigned char)(sides[i][b / 4] >> 8 * (3 - b % 4));
        uint32_t crc = 0xffffffff;
        for (int b = 12; b < 29; b++) {
            crc ^= file.data[b];
            for (int j = 0; j < 8; j++)
                crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
        }
        for (int b = 0; b < 4; b++)
            file.data[29 + b] = (unsigned char)(~crc >> 8 * (3 - b));
        const tt_status st = read_bytes(file.data, file.size, NULL, &err);
        ck_assert_msg(st == TT_ERR_MEMORY || st == TT_ERR_FORMAT, "%u x %u: %d %s", sides[i][0], sides[i][1], st, err.text);
    }
    free(file.data);
}
END_TEST

START_TEST(salvage)
{
    for (int interlaced = 0; interlaced < 2; interlaced++) {
        const kit_png k = {.width = 64, .height = 64, .colour = 2, .depth = 8, .interlaced = interlaced};
        tt_image want, got;
        tt_error err = {0};
        const tt_image_limits l = {.salvage = true};
        tt_blob file = kit_make_png(&k, 3, &want);
        ck_assert_int_eq(read_bytes(file.data, file.size / 2, NULL, &err), TT_ERR_FORMAT);
        ck_assert_ptr_nonnull(strstr(err.text, "truncated"));
        ck_assert_ptr_nonnull(strstr(err.text, " of 64"));
        ck_assert(!tt_image_read_memory(&got, file.data, file.size / 2, "file", &l, &err));
        ck_assert_msg(got.missing > 0.3 && got.missing < 0.7, "%g is missing", got.missing);
        if (!interlaced)
            ck_assert_mem_eq(want.samples, got.samples, (size_t)((1 - got.missing) * 64) * 64 * 3);
        else /* every eighth of the first pass is right */
            for (int y = 0; y < 64; y += 8)
                for (int x = 0; x < 64; x += 8)
                    ck_assert_mem_eq((char *)want.samples + (y * 64 + x) * 3, (char *)got.samples + (y * 64 + x) * 3, 3);
        tt_image_clear(&got);
        ck_assert(!tt_image_read_memory(&got, file.data, file.size, "file", &l, &err));
        kit_same(&want, &got, "a whole file, salvaged");
        ck_assert(got.missing == 0);
        tt_image_clear(&got);
        tt_image_clear(&want);
        free(file.data);
    }
}
END_TEST

/* A small file with every chunk we look at; checking the profile takes most of the time. */
static tt_blob rich(int colour, int depth, bool interlaced, bool profile)
{
    const kit_exif e = {.orientation = 6, .width = 9, .height = 7, .dpi = 300, .thumbnail = 20};
    tt_blob exif = kit_make_exif(&e), icc = kit_profile(colour & 2 ? "RGB " : "GRAY");
    const kit_png k = {.width = 9, .height = 7, .colour = colour, .depth = depth, .interlaced = interlaced,
                       .clear = !(colour & 4), .icc = profile ? &icc : NULL, .exif = &exif, .xmp = kit_xmp, .ppm = 1000,
                       .text_key = "Raw profile type iptc", .text = "\niptc\n 4\n1c020500\n"};
    tt_blob file = kit_make_png(&k, 3, NULL);
    free(exif.data);
    free(icc.data);
    return file;
}

/* The pixels of every kind, which share what reads the rest. */
START_TEST(hostile_pixels)
{
    const kit_png k = {.width = 9, .height = 7, .colour = kinds[_i][0], .depth = kinds[_i][1], .interlaced = _i & 1,
                       .clear = !(kinds[_i][0] & 4)};
    tt_blob file = kit_make_png(&k, 3, NULL);
    kit_hostile(&file, 20000);
    free(file.data);
}
END_TEST

START_TEST(hostile_metadata)
{
    const bool profile = _i & 1;
    tt_blob file = _i & 2 ? rich(PNG_COLOR_TYPE_RGB_ALPHA, 16, false, profile) : rich(PNG_COLOR_TYPE_GRAY, 8, true, profile);
    kit_hostile(&file, profile ? 8000 : 20000);
    free(file.data);
}
END_TEST

/* A chunk that claims 2 GiB costs none of them: the test may have 256 MiB in all. */
START_TEST(claims_cost_nothing)
{
    static const char *const chunks[] = {"eXIf", "iCCP", "zTXt", "tRNS", "pHYs", "teSt", "IEND"};
    tt_blob file = rich(PNG_COLOR_TYPE_RGB, 8, false, true);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    const struct rlimit tight = {256 << 20, RLIM_INFINITY};
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &tight), 0);
#endif
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++)
        for (int save = 0; save < 2; save++) {
            const tt_image_limits l = {.salvage = save};
            tt_blob bad = insert_chunk(&file, chunks[i], "\0\0\0", 3);
            tt_error err = {0};
            unsigned char *type = memmem(bad.data, bad.size, chunks[i], 4);
            memcpy(type - 4, "\x7f\xff\xff\xff", 4);
            ck_assert_int_eq(read_bytes(bad.data, bad.size, &l, &err), TT_ERR_FORMAT);
            ck_assert_msg(strstr(err.text, "truncated PNG"), "%s: %s", chunks[i], err.text);
            free(bad.data);
        }
    free(file.data);
}
END_TEST

START_TEST(no_memory)
{
    tt_blob file = rich(6, 16, false, true);
    tt_image img;
    tt_error err = {0};
    const tt_write_options o = {.overwrite = true};
    long k;
    for (k = 1;; k++) {
        faults_fail(k, k & 1);
        const tt_status st = tt_image_read_memory(&img, file.data, file.size, "file", NULL, &err);
        const int failed = faults_failed();
        faults_fail(0, 0);
        if (!failed) {
            ck_assert_msg(!st, "%s", err.text);
            break;
        }
        ck_assert_msg(st == TT_ERR_MEMORY, "allocation %ld failed, and reading gave %d: %s", k, st, err.text);
        ck_assert_ptr_null(img.samples);
    }
    for (k = 1;; k++) {
        faults_fail(k, k & 1);
        const tt_status st = tt_image_write(&img, kit_path("out.png"), &o, &err);
        const int failed = faults_failed();
        faults_fail(0, 0);
        if (!failed) {
            ck_assert_msg(!st, "%s", err.text);
            break;
        }
        ck_assert_msg(st == TT_ERR_MEMORY, "allocation %ld failed, and writing gave %d: %s", k, st, err.text);
        ck_assert_int_eq(kit_entries(), 0);
    }
    tt_image_clear(&img);
    free(file.data);
}
END_TEST

START_TEST(what_is_refused)
{
    tt_error err = {0};
    tt_image img;
    const tt_write_options none = {0}, gif = {.format = "gif"}, png = {.format = "png"}, bad = {.png_level = 10};
    ck_assert_int_eq(tt_image_can_write(3, 8, "a.tif", &none, &err), TT_ERR_USAGE);
    ck_assert_int_eq(tt_image_can_write(3, 8, "png", &none, &err), TT_ERR_USAGE);
    ck_assert_int_eq(tt_image_can_write(3, 8, "x.png/y", &none, &err), TT_ERR_USAGE);
    ck_assert_int_eq(tt_image_can_write(3, 8, "a.png", &gif, &err), TT_ERR_USAGE);
    ck_assert_int_eq(tt_image_can_write(3, 8, "a.png", &bad, &err), TT_ERR_USAGE);
    ck_assert_int_eq(tt_image_can_write(4, 16, "-", NULL, &err), TT_OK);
    ck_assert_int_eq(tt_image_can_write(4, 16, "a.PNG", NULL, &err), TT_OK);
    ck_assert_int_eq(tt_image_can_write(4, 16, "a.jpg", &png, &err), TT_OK);
    ck_assert_int_eq(tt_image_can_hold(1 << 30, 1 << 30, "a.png", &png, &err), TT_OK);
    ck_assert_int_eq(tt_image_init(&img, 0, 5, 3, 8, &err), TT_ERR_MEMORY);
    ck_assert_int_eq(tt_image_init(&img, 0x7fffffff, 0x7fffffff, 4, 16, &err), TT_ERR_MEMORY);
    ck_assert_int_eq(read_bytes("", 0, NULL, &err), TT_ERR_FORMAT);
    ck_assert_int_eq(read_bytes("GIF89a..............", 20, NULL, &err), TT_ERR_FORMAT);
    tt_image_clear(&img);
}
END_TEST

Suite *suite_src_png(void);
Suite *suite_src_png(void)
{
    Suite *s = suite_create("src/png");
    TCase *tc = tcase_create("png");
    tcase_set_timeout(tc, 300);
    kit_fixture(tc);
    tcase_add_loop_test(tc, every_kind, 0, KINDS);
    tcase_add_loop_test(tc, every_orientation, 0, 8);
    tcase_add_test(tc, there_and_back);
    tcase_add_test(tc, grey_and_colour);
    tcase_add_test(tc, resolution);
    tcase_add_test(tc, profiles);
    tcase_add_test(tc, bad_profiles);
    tcase_add_test(tc, gamma_and_primaries);
    tcase_add_test(tc, to_srgb);
    tcase_add_test(tc, raw_profiles);
    tcase_add_test(tc, animations);
    tcase_add_test(tc, limits);
    tcase_add_test(tc, salvage);
    tcase_add_test(tc, what_is_refused);
    suite_add_tcase(s, tc);
    tc = tcase_create("png-hostile");
    tcase_set_timeout(tc, 300);
    kit_fixture(tc);
    tcase_add_loop_test(tc, hostile_pixels, 0, KINDS);
    tcase_add_loop_test(tc, hostile_metadata, 0, 4);
    tcase_add_test(tc, claims_cost_nothing);
    suite_add_tcase(s, tc);
    tc = tcase_create("png-memory");
    kit_fixture(tc);
    tcase_add_test(tc, no_memory);
    suite_add_tcase(s, tc);
    return s;
}
