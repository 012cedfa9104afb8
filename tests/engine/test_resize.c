/* Resampling, colour and the way between samples and planes, against MATLAB's results and against each
 * other. */
#include "engine/planes.h"
#include "engine/weights.h"
#include "kernels/cpu.h"
#include "tests/golden.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static tt_weights golden;
static tt_kernels k;
static tt_pool *pool;

static void open_golden(const char *name)
{
    tt_error err = {0};
    ck_assert_msg(!tt_weights_open(&golden, golden_path(name), &err), "%s", err.text);
}

static void setup(void)
{
    tt_kernels_init(&k, tt_cpu_detect());
    ck_assert(!tt_pool_new(&pool, 3, NULL));
}

static void teardown(void)
{
    tt_weights_clear(&golden);
    tt_pool_free(pool);
}

/* Tensor [h,w,c] as planes [c,h,w]; malloc. */
static float *planes_of(const char *name, int *h, int *w, int *c)
{
    const tt_tensor *t = tt_weights_find(&golden, name);
    ck_assert_ptr_nonnull(t);
    *h = (int)t->shape[0];
    *w = (int)t->shape[1];
    *c = t->rank > 2 ? (int)t->shape[2] : 1;
    float *flat = malloc(t->count * sizeof *flat), *planes = malloc(t->count * sizeof *planes);
    ck_assert(!tt_tensor_floats(&golden, t, flat, NULL));
    for (int i = 0; i < *c; i++)
        for (int p = 0; p < *h * *w; p++)
            planes[i * *h * *w + p] = flat[p * *c + i];
    free(flat);
    return planes;
}

static void close_to(const float *want, const float *got, int n, double most, const char *what)
{
    for (int i = 0; i < n; i++)
        ck_assert_msg(fabs((double)want[i] - got[i]) <= most, "%s: value %d is %.9g, not %.9g", what, i, got[i],
                      want[i]);
}

static float *resized(const float *src, int c, int h, int w, int oh, int ow, double scale)
{
    tt_taps across, down;
    float *dst = malloc((size_t)(c * oh * ow) * sizeof *dst);
    ck_assert(!tt_taps_init(&across, TT_FILTER_BICUBIC, w, ow, scale, NULL));
    ck_assert(!tt_taps_init(&down, TT_FILTER_BICUBIC, h, oh, scale, NULL));
    for (int i = 0; i < c; i++)
        ck_assert(!tt_resize_plane(pool, &k, dst + i * oh * ow, ow, &across, &down, src + i * h * w, w, NULL));
    tt_taps_clear(&across);
    tt_taps_clear(&down);
    return dst;
}

static void check_resize(const char *to, const char *from, double scale)
{
    int h, w, c, oh, ow, oc;
    float *src = planes_of(from, &h, &w, &c), *want = planes_of(to, &oh, &ow, &oc);
    float *got = resized(src, c, h, w, oh, ow, scale);
    close_to(want, got, c * oh * ow, 1e-6, to);
    free(src);
    free(want);
    free(got);
}

START_TEST(bicubic_is_matlabs)
{
    open_golden("imageproc/matlab_bicubic.safetensors");
    check_resize("up2", "input", 2);
    check_resize("up3", "input", 3);
    check_resize("up4", "input", 4);
    check_resize("down2", "input", 1.0 / 2);
    check_resize("down3", "input", 1.0 / 3);
    check_resize("down4", "input", 1.0 / 4);
    check_resize("to_20x50", "input", 0);
}
END_TEST

START_TEST(filters)
{
    const tt_filter filter[] = {TT_FILTER_NEAREST, TT_FILTER_BILINEAR, TT_FILTER_BICUBIC, TT_FILTER_LANCZOS3};
    const int sizes[][2] = {{1, 1}, {1, 7}, {7, 1}, {5, 5}, {2, 300}, {300, 2}, {10, 15}, {31, 7}};
    for (int f = 0; f < 4; f++)
        for (int s = 0; s < 8; s++) {
            tt_taps t;
            ck_assert(!tt_taps_init(&t, filter[f], sizes[s][0], sizes[s][1], 0, NULL));
            ck_assert((size_t)t.taps * (size_t)t.out * 8 <= tt_taps_bytes(filter[f], t.in, t.out));
            for (int x = 0; x < t.out; x++) {
                double sum = 0;
                for (int i = x * t.taps; i < (x + 1) * t.taps; i++) {
                    ck_assert(t.index[i] >= 0 && t.index[i] < t.in);
                    sum += t.weight[i];
                    if (t.in == t.out && t.weight[i] != 0) /* same size: nothing happens */
                        ck_assert(t.index[i] == x && t.weight[i] == 1);
                }
                ck_assert_double_eq_tol(sum, 1, 1e-6);
            }
            tt_taps_clear(&t);
        }
    tt_taps t;
    ck_assert_int_eq(tt_taps_init(&t, TT_FILTER_BICUBIC, 0, 5, 0, NULL), TT_ERR_USAGE);
    ck_assert(!tt_taps_init(&t, TT_FILTER_NEAREST, 3, 6, 0, NULL));
    for (int x = 0; x < 6; x++)
        ck_assert_int_eq(t.index[x], x / 2);
    tt_taps_clear(&t);
}
END_TEST

START_TEST(colour_is_matlabs)
{
    open_golden("imageproc/ycbcr.safetensors");
    int h, w, c;
    float *want = planes_of("ycbcr_f32", &h, &w, &c), *back = planes_of("rgb_back_f32", &h, &w, &c);
    float *luma = planes_of("luma601_f32", &h, &w, &c);
    const tt_tensor *u8 = tt_weights_find(&golden, "rgb_u8");
    const tt_pixels p = {(void *)(uintptr_t)u8->data, w, h, 3, 8, 0};
    const tt_window all = {0, 0, h, w};
    float *got = malloc((size_t)(3 * h * w) * sizeof *got);
    tt_planes_read(pool, &k, &p, 3, &all, TT_EXTEND_REPLICATE, got);
    tt_planes_colour(pool, &k, got, h, w, tt_ycc_from_rgb);
    close_to(want, got, 3 * h * w, 1e-6, "rgb2ycbcr");
    tt_planes_colour(pool, &k, got, h, w, tt_rgb_from_ycc);
    close_to(back, got, 3 * h * w, 1e-6, "ycbcr2rgb");
    tt_planes_read(pool, &k, &p, 3, &all, TT_EXTEND_REPLICATE, got);
    tt_planes_colour(pool, &k, got, h, w, tt_full_ycc_from_rgb);
    close_to(luma, got, h * w, 1e-6, "luma");
    tt_planes_colour(pool, &k, got, h, w, tt_rgb_from_full_ycc);
    close_to(back, got, 3 * h * w, 1e-6, "and back");
    free(want);
    free(back);
    free(luma);
    free(got);
}
END_TEST

START_TEST(bytes_survive)
{
    uint16_t wide[65536], again[65536];
    uint8_t narrow[256], same[256];
    float f[65536];
    for (int i = 0; i < 65536; i++)
        wide[i] = (uint16_t)i;
    for (int i = 0; i < 256; i++)
        narrow[i] = (uint8_t)i;
    const tt_pixels from16 = {wide, 65536, 1, 1, 16, 0}, to16 = {again, 65536, 1, 1, 16, 0};
    const tt_pixels from8 = {narrow, 256, 1, 1, 8, 0}, to8 = {same, 256, 1, 1, 8, 0};
    tt_pixels_read(&k, &from16, 0, 0, 0, 65536, f);
    tt_pixels_write(&k, &to16, 0, 0, 0, 65536, f);
    ck_assert(!memcmp(wide, again, sizeof wide));
    tt_pixels_read(&k, &from8, 0, 0, 0, 256, f);
    tt_pixels_write(&k, &to8, 0, 0, 0, 256, f);
    ck_assert(!memcmp(narrow, same, sizeof narrow));
}
END_TEST

START_TEST(windows_continue_the_picture)
{
    const uint8_t row[3] = {0, 51, 255};
    const tt_pixels p = {(void *)(uintptr_t)row, 3, 1, 1, 8, 0}, one = {(void *)(uintptr_t)row, 1, 1, 1, 8, 0};
    const tt_window w = {0, -4, 1, 12}, far = {5, 3, 1, 2};
    const float a = 0, b = 51.0f / 255, c = 1;
    const float replicate[] = {a, a, a, a, a, b, c, c, c, c, c, c};
    const float reflect[] = {a, b, c, b, a, b, c, b, a, b, c, b};
    float got[12];
    tt_planes_read(NULL, &k, &p, 1, &w, TT_EXTEND_REPLICATE, got);
    close_to(replicate, got, 12, 0, "replicate");
    tt_planes_read(NULL, &k, &p, 1, &w, TT_EXTEND_REFLECT, got);
    close_to(reflect, got, 12, 0, "reflect");
    tt_planes_read(NULL, &k, &p, 1, &far, TT_EXTEND_REPLICATE, got);
    ck_assert(got[0] == c && got[1] == c);
    tt_planes_read(NULL, &k, &one, 1, &w, TT_EXTEND_REFLECT, got);
    for (int i = 0; i < 12; i++)
        ck_assert(got[i] == a);
}
END_TEST

/* Any window of the enlarged picture is what the whole of it has there, bit for bit. */
START_TEST(zoom_windows_are_the_whole)
{
    const int sizes[][4] = {{7, 9, 21, 18}, {40, 33, 60, 50}, {1, 1, 5, 4}, {30, 20, 45, 8}, {25, 60, 9, 200}};
    const int h = sizes[_i][0], w = sizes[_i][1], oh = sizes[_i][2], ow = sizes[_i][3];
    uint8_t *bytes = malloc((size_t)(h * w * 2));
    for (int i = 0; i < h * w * 2; i++)
        bytes[i] = (uint8_t)(i * 2654435761u >> 24);
    const tt_pixels p = {bytes, w, h, 2, 8, 0};
    const tt_window all = {0, 0, oh, ow};
    float *whole = malloc((size_t)(oh * ow) * sizeof *whole), *part = malloc((size_t)(oh * ow) * sizeof *part);
    tt_zoom z;
    ck_assert(!tt_zoom_init(&z, w, h, ow, oh, 0, ow, 3, NULL));
    tt_zoom_read(pool, &k, &z, &p, 1, &all, whole);
    for (int y = 0; y < oh; y += 3)
        for (int x = 0; x < ow; x += 5) {
            const tt_window some = {y, x, oh - y < 20 ? oh - y : 20, ow - x < 17 ? ow - x : 17};
            tt_zoom_read(y % 2 ? pool : NULL, &k, &z, &p, 1, &some, part);
            for (int i = 0; i < some.h; i++)
                ck_assert(!memcmp(part + i * some.w, whole + (y + i) * ow + x, (size_t)some.w * sizeof *part));
        }
    float *plane = malloc((size_t)(h * w) * sizeof *plane);
    for (int y = 0; y < h; y++)
        tt_pixels_read(&k, &p, 1, y, 0, (size_t)w, plane + y * w);
    float *want = resized(plane, 1, h, w, oh, ow, 0);
    close_to(want, whole, oh * ow, 1e-6, "zoom");
    tt_zoom_clear(&z);
    free(bytes);
    free(whole);
    free(part);
    free(plane);
    free(want);
}
END_TEST

Suite *suite_engine_resize(void);
Suite *suite_engine_resize(void)
{
    Suite *s = suite_create("engine/resize");
    TCase *t = tcase_create("resize");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, bicubic_is_matlabs);
    tcase_add_test(t, filters);
    tcase_add_test(t, colour_is_matlabs);
    tcase_add_test(t, bytes_survive);
    tcase_add_test(t, windows_continue_the_picture);
    tcase_add_loop_test(t, zoom_windows_are_the_whole, 0, 5);
    suite_add_tcase(s, t);
    return s;
}
