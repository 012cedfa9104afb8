/* Tiles leave no trace: the same bytes for any memory budget and any number of threads. And the parts
 * beside. */
#define _POSIX_C_SOURCE 200809L /* mkdtemp() */
#include "src/alpha.h"
#include "src/compare.h"
#include "src/memory.h"
#include "src/pass.h"
#include "src/sink.h"
#include "src/tiles.h"
#include "tests/faults.h"
#include "tests/golden.h"
#include "tests/src/picture.h"

#include "kernels/cpu.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- geometry ------------------------------------------------------------------------------------- */

/* Every output once, from a tile that holds what it depends on or ends where the picture ends. One ck_assert
 * for all of it: each is a system call. */
static void check_axis(const tt_axis *a)
{
    int next = 0;
    bool good = true;
    for (int i = 0; i < a->count; i++) {
        const tt_tile t = tt_axis_tile(a, i);
        good &= t.from == next && t.at >= 0 && t.at + a->tile <= a->size && t.at % a->grid == 0 &&
                t.from <= t.to;
        for (int o = t.from; o < t.to; o++) {
            const double eps = 1e-9; /* thirds are not exact */
            const int lo = (int)floor(o * a->step + a->lo + eps), hi = (int)ceil(o * a->step + a->hi - eps);
            good &= (lo < 0 ? 0 : lo) >= t.at && (hi >= a->size ? a->size - 1 : hi) < t.at + a->tile;
        }
        next = t.to;
    }
    ck_assert_msg(good && next == a->want, "%d pixels, %d wanted, %d tiles of %d every %d", a->size, a->want,
                  a->count, a->tile, a->stride);
}

START_TEST(tiles_cover)
{
    static const tt_net_tiling tilings[] = {
        {1, 1, -6, 6},
        {1, 0.25, -11.625, 11.25},
        {1, 0.5, 0, 14.5}, /* a border of 7 */
        {4, 1.0 / 3, -4 - 1.0 / 3, 4},
        {3, 0.5, -9, 3}, /* lopsided */
    };
    const tt_net_tiling *f = &tilings[_i];
    const int scale = (int)lrint(1 / f->step), border = _i == 2 ? 7 : 0;
    for (int multiple = 1; multiple <= 4; multiple *= 2)
        for (int flips = 0; flips < 2; flips++)
            for (int size = multiple * (20 / multiple); size < 200; size += multiple) {
                tt_axis a = {.size = size,
                             .want = (size - 2 * border - size % 3) * scale,
                             .scale = scale,
                             .multiple = multiple};
                tt_axis_reach(&a, f, border, flips);
                tt_axis_whole(&a);
                check_axis(&a);
                ck_assert(a.grid % multiple == 0 && a.grid % f->grid == 0);
                for (int tile = size; tile > 0; tile -= a.grid)
                    if (tt_axis_cut(&a, tile))
                        check_axis(&a);
                for (int count = 1; count < 6; count++) {
                    ck_assert(tt_axis_divide(&a, count));
                    ck_assert_int_le(a.count, count);
                    check_axis(&a);
                    if (a.tile > a.grid)
                        ck_assert(!tt_axis_cut(&a, a.tile - a.grid) || a.count > count);
                }
                ck_assert(tt_axis_cut(&a, tt_axis_shortest(&a, 32)));
                ck_assert(a.stride >= 32 || a.count == 1);
            }
}
END_TEST

START_TEST(blocks_stand_side_by_side)
{
    tt_axis a = {.size = 3 * 28 + 36, .want = 2 * 70, .scale = 2, .multiple = 2};
    tt_axis_blocks(&a, 64, 18);
    ck_assert_int_eq(a.count, 3);
    for (int i = 0; i < 3; i++) {
        const tt_tile t = tt_axis_tile(&a, i);
        ck_assert(t.at == 28 * i && t.from == 56 * i && t.to == (i < 2 ? 56 * (i + 1) : 140));
    }
}
END_TEST

/* ---- whole pictures ------------------------------------------------------------------------------- */

static const struct tiled {
    const char *net;
    int w, h, channels, depth;
    double scale;
    int tta;
} cases[] = {
    {"rrdb/body_x4", 450, 51, 3, 8, 0, 0},
    {"rrdb/body_x2", 600, 59, 3, 16, 0, 0},
    {"rrdb/body_x1", 1403, 50, 4, 8, 0, 0},
    {"rrdb/old_x2_gray", 150, 120, 3, 16, 0, 0},
    {"rrdb/body_x2", 331, 61, 1, 16, 3, 0},
    {"srvgg/x3", 300, 290, 3, 16, 2.2, 0},
    {"srvgg/x4", 97, 163, 3, 16, 0, 1},
    {"rrdb/body_x2", 600, 201, 3, 16, 1.7, 1},
    {"srcnn/915", 120, 130, 3, 16, 2, 0},
    {"srcnn/955_zero", 90, 111, 4, 16, 1.9, 0},
    {"vdsr/bias", 250, 45, 3, 8, 3, 0},
    {"waifu2x/vgg_7", 160, 190, 3, 16, 0, 0},
    {"waifu2x/upconv_7", 150, 151, 3, 16, 0, 0},
    {"waifu2x/upconv_7", 140, 110, 2, 16, 2.5, 1},
    {"waifu2x/vgg_7_y", 177, 150, 3, 16, 1.3, 0},
    {"swinir/light_x2", 190, 131, 3, 16, 0, 0},  {"swinir/classical_x3", 120, 160, 3, 16, 0, 0},
    {"swinir/real_l_x4", 351, 40, 3, 16, 0, 0},   {"swinir/jpeg_gray", 144, 150, 3, 16, 0, 0},
    {"swinir/color_dn", 260, 57, 4, 16, 0, 1},    {"swinir/gray_dn", 150, 90, 3, 16, 0, 1},
    {"swinir/fold2_x2", 450, 61, 3, 16, 0, 0},
};

static uint64_t pictures(const tt_image *img)
{
    return (uint64_t)img->width * (uint64_t)img->height * tt_image_pixel_bytes(img);
}

START_TEST(tiles_leave_no_trace)
{
    const struct tiled *t = &cases[_i];
    static const int threads[] = {1, 2, 3, 7};
    char path[256];
    snprintf(path, sizeof path, "%s/weights.safetensors", t->net);
    tt_network *n = pic_network(path, strcmp(t->net, "srcnn/915") ? NULL : "padding=replicate");
    tt_image *in = pic_new(t->w, t->h, t->channels, t->depth, (unsigned)_i);
    const tt_upscale_options o = {.size = sizeof o, .scale = t->scale, .tta = t->tta};
    tt_context *c = pic_context(1, 0);
    tt_report whole, r = {0};
    tt_image *want = pic_upscale(c, n, in, t->scale, t->tta, &whole);
    ck_assert_int_eq(whole.tiles, whole.passes);
    const uint64_t held = n->facts.packed_bytes + pictures(in) + pictures(want); /* whatever the tiles */
    int most = 0;
    for (unsigned share = 2, one = 0;; share += one ? 0 : (share + 1) / 2) {
        tt_error err = {0};
        tt_image *got;
        tt_context_free(c);
        c = pic_context(one ? 1 : threads[share % 4], held + (whole.planned_bytes - held) / share);
        const tt_status st = tt_upscale_report(c, n, in, &o, &got, &r, &err);
        if (st == TT_ERR_MEMORY && one)
            break;
        one = st == TT_ERR_MEMORY; /* a thread takes memory, too: with one it may do */
        if (one)
            continue;
        ck_assert_msg(!st, "%s", err.text);
        ck_assert(r.planned_bytes <= tt_context_memory(c));
        most = r.tiles > most ? r.tiles : most;
        ck_assert_msg(pic_same(want, got), "%s: %d tiles of %dx%d differ from the whole", t->net, r.tiles,
                      r.tile_width, r.tile_height);
        tt_image_free(got);
    }
    ck_assert_msg(most > whole.tiles, "%s: never cut", t->net);
    tt_image_free(want);
    tt_image_free(in);
    tt_context_free(c);
    tt_network_free(n);
}
END_TEST

/* Squeeze-excitation: blocks are fixed. Threads and memory change nothing, too little memory is refused. */
START_TEST(blocks_do_not_follow_memory)
{
    tt_network *n =
        pic_network(_i ? "waifu2x/cunet/weights.safetensors" : "waifu2x/upcunet/weights.safetensors", NULL);
    n->traits.block = _i ? 96 : 64;
    tt_image *in = pic_new(70, 50, 3, 16, 3), *out;
    tt_context *c = pic_context(1, 0);
    tt_report r;
    tt_image *want = pic_upscale(c, n, in, 0, 0, &r);
    ck_assert_int_eq(r.tiles, _i ? 4 : 6);
    ck_assert_int_eq(r.tile_width, n->traits.block);
    tt_context_free(c);
    c = pic_context(3, 0);
    tt_image_free(pic_upscale(c, n, in, 0, 0, &r));
    const uint64_t bytes = r.planned_bytes;
    tt_context_free(c);
    c = pic_context(3, bytes);
    tt_image *got = pic_upscale(c, n, in, 0, 0, NULL);
    ck_assert(pic_same(want, got));
    tt_context_free(c);
    c = pic_context(3, bytes / 4);
    ck_assert_int_eq(tt_upscale(c, n, in, NULL, &out, NULL), TT_ERR_MEMORY);
    ck_assert(!out);
    tt_context_free(c);
    tt_image_free(want);
    tt_image_free(got);
    tt_image_free(in);
    tt_network_free(n);
}
END_TEST

START_TEST(refusals_say_what_to_do)
{
    tt_network *n = pic_network("rrdb/body_x4/weights.safetensors", NULL);
    tt_image *in = pic_new(300, 200, 4, 8, 3), *out;
    tt_context *c = pic_context(2, 1 << 20);
    tt_error err = {0};
    ck_assert_int_eq(tt_upscale(c, n, in, NULL, &out, &err), TT_ERR_MEMORY);
    ck_assert_msg(strstr(err.text, "budget is 1 MiB") && strstr(err.text, "1200x800"), "%s", err.text);
    const tt_upscale_options o = {.size = sizeof o, .scale = 0.5};
    tt_context_free(c);
    c = pic_context(2, 1000);
    ck_assert_int_eq(tt_upscale(c, n, in, &o, &out, &err), TT_ERR_MEMORY);
    tt_context_free(c);
    tt_image_free(in);
    tt_network_free(n);
}
END_TEST

/* Memory follows the width. Where rings of full width do not fit, columns: of full height, which overlap to the sides
 * alone, where their result may be as tall; else lower ones. */
START_TEST(columns_where_rows_are_too_wide)
{
    tt_network *n = pic_network("rrdb/body_x4/weights.safetensors", NULL);
    tt_context *c = pic_context(2, 0);
    tt_image low, high;
    tt_report r;
    tt_error err;
    ck_assert(!tt_image_init(&low, 3000, 300, 3, 8, NULL));
    ck_assert(!tt_image_init(&high, 3000, 3000, 3, 8, NULL));
    const tt_source lower = tt_source_of(&low), higher = tt_source_of(&high);
    ck_assert(!tt_upscale_estimate(c, n, &lower, NULL, NULL, &r, NULL));
    const uint64_t pass = r.planned_bytes - pictures(&low);
    ck_assert(!tt_upscale_estimate(c, n, &higher, NULL, NULL, &r, NULL));
    ck_assert_int_eq(r.tiles, 1);
    ck_assert_uint_eq(r.planned_bytes - pictures(&high), pass);
    tt_context_free(c);
    bool columns = false;
    for (uint64_t times = 17; times < 40 && !columns; times++) { /* the result is 16 times as large */
        c = pic_context(2, times * pictures(&low));
        if (!tt_upscale_estimate(c, n, &lower, NULL, NULL, &r, &err))
            columns = r.tiles > 1 && r.tile_height == 300 && r.tile_width < 3000;
        tt_context_free(c);
    }
    ck_assert(columns);
    c = pic_context(2, pictures(&high) + pass / 3);
    ck_assert_msg(!tt_upscale_estimate(c, n, &higher, NULL, NULL, &r, &err), "%s", err.text);
    ck_assert_int_lt(r.tile_height, 3000);
    ck_assert_int_lt(r.tile_width, 3000);
    tt_image_clear(&low);
    tt_image_clear(&high);
    tt_context_free(c);
    tt_network_free(n);
}
END_TEST

/* Every allocation fails once, or it and all that follow: a refusal, or the picture as it always is. */
START_TEST(no_memory_at_any_point)
{
    const bool for_ever = _i & 1;
    tt_network *n = pic_network("rrdb/body_x2/weights.safetensors", NULL);
    tt_image *in = pic_new(26, 22, 4, 8, 3), *other = pic_new(9, 9, 1, 8, 3);
    tt_context *c = pic_context(2, 0);
    const tt_upscale_options o = {.size = sizeof o, .scale = 3, .tta = _i / 2};
    tt_image *want = pic_upscale(c, n, in, 3, _i / 2, NULL);
    for (int what = 0; what < 3; what++) {
        long k = 0;
        for (int failed = 1; failed; k++) {
            tt_image *out = NULL;
            tt_network *again = NULL;
            tt_error err = {0};
            faults_fail(k + 1, for_ever);
            const tt_status st = what == 0   ? tt_upscale(c, n, in, &o, &out, &err)
                                 : what == 1 ? tt_side_by_side(in, other, &out, &err)
                                             : tt_network_open(&again, NULL, NULL, &err);
            failed = faults_failed();
            faults_fail(0, 0);
            ck_assert_msg(st          ? st == TT_ERR_MEMORY && !out && !again && *err.text
                          : what == 2 ? again != NULL
                          : what == 1 ? out != NULL
                                      : pic_same(want, out),
                          "%d, allocation %ld: status %d, %s", what, k + 1, st, err.text);
            tt_image_free(out);
            tt_network_free(again);
        }
        ck_assert_int_gt(k, what == 0 ? 20 : 2);
    }
    tt_image_free(want);
    tt_image_free(in);
    tt_image_free(other);
    tt_context_free(c);
    tt_network_free(n);
}
END_TEST

/* ---- parts ---------------------------------------------------------------------------------------- */

START_TEST(bleed_is_waifu2xs)
{
    tt_weights g;
    ck_assert(!tt_weights_open(&g, golden_path("imageproc/alpha_bleed.safetensors"), NULL));
    const tt_tensor *t = tt_weights_find(&g, "rgb"), *a = tt_weights_find(&g, "alpha"),
                    *o = tt_weights_find(&g, "output_7");
    float rgb[12 * 14 * 3], want[12 * 14 * 3], alpha[12 * 14];
    ck_assert(t && a && o && t->count == 12 * 14 * 3);
    ck_assert(!tt_tensor_floats(&g, t, rgb, NULL) && !tt_tensor_floats(&g, a, alpha, NULL) &&
              !tt_tensor_floats(&g, o, want, NULL));
    ck_assert(!tt_alpha_bleed(rgb, alpha, 14, 12, 3, 7, NULL));
    for (int i = 0; i < 12 * 14 * 3; i++)
        ck_assert_float_eq_tol(rgb[i], want[i], 1e-6f);
    tt_weights_clear(&g);
}
END_TEST

START_TEST(bleed_to_the_end)
{
    float v[7] = {9, 9, 9, 5, 9, 9, 9}, two[7] = {9, 9, 9, 5, 9, 9, 9}, none[7] = {9, 9, 9, 9, 9, 9, 9};
    const float seen[7] = {0, 0, 0, 1, 0, 0, 0}, nothing[7] = {0};
    ck_assert(!tt_alpha_bleed(v, seen, 7, 1, 1, 0, NULL));
    ck_assert(!tt_alpha_bleed(two, seen, 7, 1, 1, 2, NULL));
    ck_assert(!tt_alpha_bleed(none, nothing, 7, 1, 1, 0, NULL));
    for (int i = 0; i < 7; i++) {
        ck_assert(v[i] == 5);
        ck_assert(two[i] == (abs(i - 3) <= 2 ? 5 : 0));
        ck_assert(none[i] == 0);
    }
}
END_TEST

/* Bands of any height, whole or in pieces, give what the resampled plane has. */
START_TEST(sink_is_the_resampled_plane)
{
    static const int sizes[][4] = {
        {40, 30, 13, 11}, {30, 200, 31, 9}, {9, 8, 33, 50}, {1, 1, 4, 3}, {50, 140, 50, 139}};
    const int w = sizes[_i][0], h = sizes[_i][1], ow = sizes[_i][2], oh = sizes[_i][3];
    tt_kernels k;
    tt_kernels_init(&k, tt_cpu_detect());
    tt_pool *pool;
    ck_assert(!tt_pool_new(&pool, 3, NULL));
    tt_image *src = pic_new(w, h, 3, 16, 4), *first = NULL;
    const tt_pixels from = {src->samples, w, h, 3, 16, 0};
    const tt_window all = {0, 0, h, w};
    float *plane = malloc((size_t)(3 * w * h) * sizeof *plane);
    for (int tall = 1; tall <= h; tall += tall < 5 ? 1 : 37)
        for (int whole = 0; whole < 2; whole++) {
            tt_image *out = pic_new(ow, oh, 4, 16, 4);
            const tt_pixels to = {out->samples, ow, oh, 4, 16, 0};
            tt_sink s;
            ck_assert(!tt_sink_init(&s, pool, &k, &to, 0, 3, w, h, whole, tall, NULL, NULL));
            tt_planes_read(pool, &k, &from, 3, &all, TT_EXTEND_REPLICATE, plane);
            for (int y = 0; y < h; y += tall)
                for (int x = 0; x < w; x += whole ? w : 7) {
                    const int y1 = y + tall < h ? y + tall : h, x1 = whole || x + 7 > w ? w : x + 7;
                    ck_assert(!tt_sink_put(&s, plane + y * w + x, w, w * h, y, y1, x, x1, NULL));
                }
            ck_assert_int_eq(s.next, oh);
            ck_assert_uint_le(3 * sizeof(float) * (size_t)s.room * (size_t)ow,
                              tt_sink_bytes(3, w, h, ow, oh, whole, tall, 3));
            tt_sink_clear(&s);
            if (first)
                ck_assert(pic_same(first, out));
            else
                first = out;
            if (first != out)
                tt_image_free(out);
        }
    tt_taps across, down;
    float *want = malloc((size_t)(ow * oh) * sizeof *want);
    ck_assert(!tt_taps_init(&across, TT_FILTER_BICUBIC, w, ow, 0, NULL));
    ck_assert(!tt_taps_init(&down, TT_FILTER_BICUBIC, h, oh, 0, NULL));
    ck_assert(!tt_resize_plane(pool, &k, want, ow, &across, &down, plane + w * h, w, NULL));
    for (int i = 0; i < ow * oh; i++) {
        const double v = want[i] < 0 ? 0 : want[i] > 1 ? 1 : want[i];
        ck_assert_double_eq_tol(((uint16_t *)first->samples)[4 * i + 1], v * 65535, 0.6);
    }
    tt_taps_clear(&across);
    tt_taps_clear(&down);
    tt_image_free(first);
    tt_image_free(src);
    tt_pool_free(pool);
    free(plane);
    free(want);
}
END_TEST

static void put(const char *root, const char *path, const char *text)
{
    char full[512];
    snprintf(full, sizeof full, "%s%s", root, path);
    for (char *p = full + strlen(root) + 1; (p = strchr(p, '/')); p++) {
        *p = 0;
        mkdir(full, 0700);
        *p = '/';
    }
    FILE *f = fopen(full, "w");
    ck_assert(f && fputs(text, f) >= 0 && !fclose(f));
}

START_TEST(memory_limits)
{
    char root[] = "/tmp/tintype-test-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(root));
    const uint64_t gib = (uint64_t)1 << 30;
    ck_assert(tt_memory_limit(root, 8 * gib) == 8 * gib); /* no groups at all */
    put(root, "/proc/self/cgroup", "0::/user/shell\n");
    ck_assert(tt_memory_limit(root, 8 * gib) == 8 * gib);
    put(root, "/sys/fs/cgroup/user/shell/memory.max", "max\n");
    put(root, "/sys/fs/cgroup/user/memory.max", "5368709120\n");
    ck_assert(tt_memory_limit(root, 8 * gib) == 5 * gib);
    put(root, "/sys/fs/cgroup/memory.max", "nonsense\n");
    ck_assert(tt_memory_limit(root, 8 * gib) == 5 * gib);
    put(root, "/sys/fs/cgroup/memory.max", "3221225472\n");
    ck_assert(tt_memory_limit(root, 8 * gib) == 3 * gib);
    ck_assert(tt_memory_limit(root, gib) == gib);
    put(root, "/proc/self/cgroup", "5:cpu:/a\n4:hugetlb,memory:/docker/x\n1:name=systemd:/\n");
    ck_assert(tt_memory_limit(root, 8 * gib) == 8 * gib);
    put(root, "/sys/fs/cgroup/memory/memory.limit_in_bytes", "2147483648\n");
    ck_assert(tt_memory_limit(root, 8 * gib) == 2 * gib);
    put(root, "/sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes", "1073741824\n");
    ck_assert(tt_memory_limit(root, 8 * gib) == gib);
    put(root, "/sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes", "9223372036854771712\n");
    ck_assert(tt_memory_limit(root, 8 * gib) == 2 * gib);
    ck_assert(tt_memory_default() > 0);
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", root);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

Suite *suite_src_tiles(void);
Suite *suite_src_tiles(void)
{
    Suite *s = suite_create("src/tiles");
    TCase *t = tcase_create("tiles");
    tcase_set_timeout(t, 240);
    tcase_add_test(t, columns_where_rows_are_too_wide);
    tcase_add_loop_test(t, tiles_cover, 0, 5);
    tcase_add_test(t, blocks_stand_side_by_side);
    tcase_add_loop_test(t, tiles_leave_no_trace, 0, sizeof cases / sizeof *cases);
    tcase_add_loop_test(t, blocks_do_not_follow_memory, 0, 2);
    tcase_add_test(t, refusals_say_what_to_do);
    tcase_add_loop_test(t, no_memory_at_any_point, 0, 4);
    tcase_add_test(t, bleed_is_waifu2xs);
    tcase_add_test(t, bleed_to_the_end);
    tcase_add_loop_test(t, sink_is_the_resampled_plane, 0, 5);
    tcase_add_test(t, memory_limits);
    suite_add_tcase(s, t);
    return s;
}
