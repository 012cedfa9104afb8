#define _GNU_SOURCE /* mkstemps */
/*
 * The embedded network on Set5 x2, as the SRCNN paper measures: MATLAB's antialiased bicubic by 1/2, rounded to bytes,
 * enlarged, PSNR on luma without two pixels of border. The pictures belong to others and are not in the repository:
 * where they are not beside it, the test says so and checks only that the network is there and does its work.
 */
#include "engine/resize.h"
#include "kernels/cpu.h"
#include "src/tintype.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const names[] = {"baby", "bird", "butterfly", "head", "woman"};
enum { PICTURES = 5, BORDER = 2 };

static tt_error err;

static void must(tt_status st)
{
    ck_assert_msg(st == TT_OK, "%s", err.text);
}

static unsigned char to_byte(float v)
{
    const double r = floor((double)v + 0.5); /* MATLAB's uint8(): half up */
    return (unsigned char)(r < 0 ? 0 : r > 255 ? 255 : r);
}

/* The picture at another size by MATLAB's bicubic, 8 bits. */
static tt_image *resized(const tt_image *in, int w, int h)
{
    const int sw = tt_image_width(in), sh = tt_image_height(in), c = tt_image_channels(in);
    const unsigned char *from = tt_image_samples(in);
    tt_kernels k;
    tt_taps across = {0}, down = {0};
    tt_image *out;
    tt_kernels_init(&k, tt_cpu_detect());
    /* an odd column or row at the end is left out, as the papers crop to a multiple of the factor */
    const int use_w = w < sw ? w * 2 : sw, use_h = h < sh ? h * 2 : sh;
    must(tt_taps_init(&across, TT_FILTER_BICUBIC, use_w, w, 0, &err));
    must(tt_taps_init(&down, TT_FILTER_BICUBIC, use_h, h, 0, &err));
    float *plane = malloc(sizeof *plane * (size_t)sw * (size_t)sh), *small = malloc(sizeof *small * (size_t)w * (size_t)h);
    unsigned char *bytes = malloc((size_t)w * (size_t)h * (size_t)c);
    for (int i = 0; i < c; i++) {
        for (int j = 0; j < sw * sh; j++)
            plane[j] = from[j * c + i];
        must(tt_resize_plane(NULL, &k, small, w, &across, &down, plane, sw, &err));
        for (int j = 0; j < w * h; j++)
            bytes[j * c + i] = to_byte(small[j]);
    }
    must(tt_image_new(&out, w, h, c, 8, bytes, &err));
    free(plane);
    free(small);
    free(bytes);
    tt_taps_clear(&across);
    tt_taps_clear(&down);
    return out;
}

/* The picture cut to an even size. */
static tt_image *even(const tt_image *in)
{
    const int w = tt_image_width(in) / 2 * 2, h = tt_image_height(in) / 2 * 2, c = tt_image_channels(in);
    const unsigned char *from = tt_image_samples(in);
    unsigned char *bytes = malloc((size_t)w * (size_t)h * (size_t)c);
    tt_image *out;
    for (int y = 0; y < h; y++)
        memcpy(bytes + (size_t)y * (size_t)(w * c), from + (size_t)y * (size_t)(tt_image_width(in) * c), (size_t)(w * c));
    must(tt_image_new(&out, w, h, c, 8, bytes, &err));
    free(bytes);
    return out;
}

/* PSNR of the network's enlargement and of bicubic's. */
static void measure(tt_context *c, const tt_network *n, const tt_image *low, const tt_image *high, double *net,
                    double *bicubic)
{
    const tt_compare_options o = {.size = sizeof o, .luma = 1, .border = BORDER};
    tt_image *ours, *theirs = resized(low, tt_image_width(high), tt_image_height(high));
    double ssim;
    must(tt_upscale(c, n, low, NULL, &ours, &err));
    must(tt_compare(ours, high, &o, net, &ssim, &err));
    must(tt_compare(theirs, high, &o, bicubic, &ssim, &err));
    tt_image_free(ours);
    tt_image_free(theirs);
}

START_TEST(set5)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/../shared/images/set5/baby.png", TT_TOP);
    if (access(path, R_OK)) {
        printf("SKIPPED: the embedded network on Set5: the pictures are not here\n");
        return;
    }
    char jpeg[] = "/tmp/tintype-default-XXXXXX.jpg";
    const int fd = mkstemps(jpeg, 4);
    ck_assert_int_ge(fd, 0);
    close(fd);
    tt_context *c;
    tt_network *n;
    must(tt_context_new(&c, NULL, &err));
    must(tt_network_open(&n, NULL, NULL, &err));
    double clean = 0, cubic = 0, bad = 0, bad_cubic = 0;
    for (int i = 0; i < PICTURES; i++) {
        tt_image *full, *high, *low, *damaged;
        double a, b;
        snprintf(path, sizeof path, "%s/../shared/images/set5/%s.png", TT_TOP, names[i]);
        must(tt_image_load(&full, path, &err));
        high = even(full);
        low = resized(high, tt_image_width(high) / 2, tt_image_height(high) / 2);
        measure(c, n, low, high, &a, &b);
        clean += a / PICTURES;
        cubic += b / PICTURES;
        const tt_save_options save = {.size = sizeof save, .jpeg_quality = 60, .overwrite = 1};
        must(tt_image_save(low, jpeg, &save, &err));
        must(tt_image_load(&damaged, jpeg, &err));
        measure(c, n, damaged, high, &a, &b);
        bad += a / PICTURES;
        bad_cubic += b / PICTURES;
        tt_image_free(full);
        tt_image_free(high);
        tt_image_free(low);
        tt_image_free(damaged);
    }
    unlink(jpeg);
    tt_network_free(n);
    tt_context_free(c);
    printf("embedded network, Set5 x2, Y-PSNR: clean %.2f dB (bicubic %.2f), JPEG 60 %.2f dB (bicubic %.2f)\n", clean, cubic,
           bad, bad_cubic);
    ck_assert_double_ge(clean, 36.0);
    ck_assert_double_ge(bad - bad_cubic, 0.5);
    ck_assert_double_eq_tol(cubic, 33.66, 0.05); /* the papers' figure: so the measure is theirs */
}
END_TEST

START_TEST(is_there_and_small)
{
    tt_network *n;
    tt_network_info info = {.size = sizeof info};
    must(tt_network_open(&n, "default", NULL, &err));
    must(tt_network_get_info(n, &info));
    ck_assert_str_eq(info.name, "srvgg");
    ck_assert_double_eq(info.scale, 2);
    ck_assert_int_eq(info.channels, 3);
    ck_assert_uint_le(info.parameters * 2, 400 * 1024);
    tt_network_free(n);
}
END_TEST

Suite *suite_src_default(void);
Suite *suite_src_default(void)
{
    Suite *s = suite_create("src/default");
    TCase *t = tcase_create("embedded network");
    tcase_set_timeout(t, 300);
    tcase_add_test(t, is_there_and_small);
    tcase_add_test(t, set5);
    suite_add_tcase(s, t);
    return s;
}
