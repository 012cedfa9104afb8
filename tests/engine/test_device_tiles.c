/* Tiles of a picture on an OpenCL device: the bits of the whole, also where convolutions have tiles of their own. */
#include "tests/engine/device.h"
#include "tests/engine/toy.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

Suite *suite_engine_device_tiles(void);

enum { MANY = 32, SCALE = 2 };

/* Three convolutions of 32 channels between two others, the third twice as large: 3 -> 3 channels, x2. */
static tt_val tall(tt_build *b)
{
    tt_val x = tt_conv(b, tt_input(b, 3), "first");
    for (int i = 0; i < 2; i++)
        x = tt_conv(b, x, "middle", .act = TT_ACT_PRELU, .slope = 0.2f);
    return tt_conv(b, tt_conv(b, tt_nearest(b, x, SCALE), "middle"), "last");
}

/* false where there is no device. memory: 0, or as much of it. */
static bool tall_open(device_net *n, int cut, uint64_t memory)
{
    float *v = toy_noise(9 * MANY * MANY, 1);
    const tt_tensor_out t[] = {{.name = "first.weight", .rank = 4, .shape = {MANY, 3, 3, 3}, .data = v},
                               {.name = "middle.weight", .rank = 4, .shape = {MANY, MANY, 3, 3}, .data = v},
                               {.name = "last.weight", .rank = 4, .shape = {3, MANY, 3, 3}, .data = v}};
    for (int i = 0; i < 9 * MANY * MANY; i++)
        v[i] /= 12;
    const bool there = device_net_open(n, device_open_with(cut, memory, "tiles on a device"), t, 3, tall);
    free(v);
    return there;
}

/* Rows from..from+h-1 of a picture of 3 x whole x w, as a tile of it. [3][2h][2w]; free() it. */
static float *run_rows(const device_net *n, const float *picture, int whole, int w, int from, int h)
{
    const tt_cl_plan_options o = {.whole_h = whole, .whole_w = w};
    const size_t row = (size_t)w, all = 3 * (size_t)h * row;
    tt_cl_plan *plan = NULL;
    tt_error err = {0};
    float *in = malloc(all * sizeof *in), *out = malloc(SCALE * SCALE * all * sizeof *out);
    ck_assert(in && out);
    for (int c = 0; c < 3; c++)
        memcpy(in + (size_t)(c * h) * row, picture + (size_t)(c * whole + from) * row, (size_t)h * row * sizeof *in);
    ck_assert_msg(!tt_cl_plan_new(&plan, n->there, h, w, &o, &err), "%s", err.text);
    ck_assert_msg(!tt_cl_plan_run(plan, in, out, NULL, &err), "%s", err.text);
    tt_cl_plan_free(plan);
    free(in);
    return out;
}

/* How many rows of the tile's result have to be those of the whole; they are. */
static int compare_rows(const tt_net_tiling *t, const float *whole, int all, const float *tile, int w, int from, int h)
{
    int same = 0;
    for (int o = 0; o < SCALE * all; o++) {
        const int lo = (int)floor(o * t->step + t->lo), hi = (int)ceil(o * t->step + t->hi);
        if (o < SCALE * from || o >= SCALE * (from + h) || (lo < from && from > 0) || (hi >= from + h && from + h < all))
            continue;
        same++;
        for (int c = 0; c < 3; c++)
            ck_assert_msg(!memcmp(whole + (size_t)(c * SCALE * all + o) * (size_t)(SCALE * w),
                                  tile + (size_t)(c * SCALE * h + o - SCALE * from) * (size_t)(SCALE * w),
                                  (size_t)(SCALE * w) * sizeof *tile),
                          "row %d of the tile that begins at row %d", o, from);
    }
    return same;
}

/* Large enough for skewed grids, and small. */
START_TEST(tiles_have_the_bits_of_the_whole)
{
    static const int heights[] = {332, 92};
    enum { W = 19 };
    device_net n;
    if (!tall_open(&n, _i, 0))
        return;
    for (int i = 0; i < 2; i++) {
        const int h = heights[i];
        tt_net_tiling t;
        tt_error err = {0};
        ck_assert_msg(!tt_cl_net_get_tiling(n.there, h, W, &t, &err), "%s", err.text);
        float *picture = toy_noise(3 * (size_t)h * W, 7), *whole = run_rows(&n, picture, h, W, 0, h);
        for (int tile = 0; tile < 3; tile++) {
            const int from = tile * h / 4 / t.grid * t.grid, rows = tile == 2 ? h - from : h / 2 / t.grid * t.grid;
            float *part = run_rows(&n, picture, h, W, from, rows);
            ck_assert_int_gt(compare_rows(&t, whole, h, part, W, from, rows), rows / 2);
            free(part);
        }
        free(picture);
        free(whole);
    }
    device_net_close(&n);
}
END_TEST

/* A device with little memory keeps weights as they are: the same picture within rounding. */
START_TEST(weights_that_are_too_large_are_not_transformed)
{
    enum { SIDE = 21, OUT = 3 * SCALE * SCALE * SIDE * SIDE };
    device_net large, little;
    if (!tall_open(&large, TT_CL_CUT_GPU - TT_CL_CUT_CPU, 0))
        return;
    ck_assert(tall_open(&little, TT_CL_CUT_GPU - TT_CL_CUT_CPU, 1500 << 10));
    ck_assert_uint_gt(tt_cl_net_bytes(large.there), 3 * 36 * MANY * MANY * sizeof(float));
    ck_assert_uint_lt(tt_cl_net_bytes(little.there), tt_cl_net_bytes(large.there) / 2);
    float *picture = toy_noise(3 * SIDE * SIDE, 7), *a = run_rows(&large, picture, SIDE, SIDE, 0, SIDE);
    float *b = run_rows(&little, picture, SIDE, SIDE, 0, SIDE);
    for (int i = 0; i < OUT; i++)
        ck_assert_msg(fabsf(a[i] - b[i]) < 1e-5f, "%d: %g and %g", i, (double)a[i], (double)b[i]);
    free(picture);
    free(a);
    free(b);
    device_net_close(&little);
    device_net_close(&large);
}
END_TEST

Suite *suite_engine_device_tiles(void)
{
    Suite *s = suite_create("engine/device_tiles");
    TCase *tc = tcase_create("rows");
    tcase_set_timeout(tc, 600); /* the first time every kernel is compiled */
    tcase_add_loop_test(tc, tiles_have_the_bits_of_the_whole, 0, DEVICE_CUTS);
    tcase_add_test(tc, weights_that_are_too_large_are_not_transformed);
    suite_add_tcase(s, tc);
    return s;
}
