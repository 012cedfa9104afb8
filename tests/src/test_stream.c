/* Pictures that go through row by row: the same pixels as with everything held, and memory that follows the
 * width. */
#include "tests/src/picture.h"
#include "tests/src/program.h"

#include "engine/plan.h"
#include "src/upscale.h"
#include "tests/golden.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

/* ---- rows as they are made ------------------------------------------------------------------------ */

typedef struct gathering {
    tt_image img;
    int rows, calls, fail_at;
} gathering;

static tt_status begin(void *user, const tt_image *head, tt_error *err)
{
    gathering *g = user;
    ck_assert(!g->img.samples);
    return tt_image_init(&g->img, head->width, head->height, head->channels, head->depth, err);
}

static tt_status rows(void *user, const void *samples, int n, tt_error *err)
{
    gathering *g = user;
    const size_t row = (size_t)g->img.width * tt_image_pixel_bytes(&g->img);
    ck_assert(g->rows + n <= g->img.height);
    memcpy((char *)g->img.samples + (size_t)g->rows * row, samples, (size_t)n * row);
    g->rows += n;
    g->calls++;
    return g->fail_at && g->rows >= g->fail_at ? tt_fail(err, TT_ERR_TEMPORARY, "the disk is full") : TT_OK;
}

static const struct flowing {
    const char *net;
    int w, h, channels, depth;
    double scale;
    int tta, held;
} cases[] = {
    {"rrdb/body_x4", 70, 150, 3, 8, 0, 0, 0},   {"rrdb/body_x4", 70, 150, 3, 16, 2.7, 0, 0},
    {"srvgg/x2", 50, 130, 1, 16, 0, 0, 0},      {"srvgg/x2", 40, 90, 3, 8, 3, 0, 0},
    {"srvgg/x2", 40, 90, 3, 8, 0.4, 0, 0},      {"waifu2x/vgg_7", 60, 140, 3, 16, 0, 0, 0},
    {"waifu2x/cunet", 60, 50, 3, 8, 0, 0, 0},   {"vdsr/bias", 60, 70, 3, 8, 2, 0, 0},
    {"rrdb/body_x2", 60, 80, 3, 16, 0, 1, 0},   {"rrdb/body_x4", 70, 90, 4, 8, 0, 0, 0},
    {"rrdb/body_x4", 70, 90, 2, 16, 1.5, 0, 0},
};

START_TEST(rows_are_those_of_the_whole)
{
    const struct flowing *t = &cases[_i];
    char path[256];
    tt_error err = {0};
    tt_report r;
    snprintf(path, sizeof path, "%s/weights.safetensors", t->net);
    tt_network *n = pic_network(path, NULL);
    tt_context *c = pic_context(2, 0);
    tt_image *in = pic_new(t->w, t->h, t->channels, t->depth, 5),
             *want = pic_upscale(c, n, in, t->scale, t->tta, NULL);
    const tt_upscale_options o = {.size = sizeof o, .scale = t->scale, .tta = t->tta};
    gathering g = {0};
    const tt_upscale_to to = {begin, rows, NULL, &g};
    tt_source from = tt_source_of(in);
    ck_assert_msg(!tt_upscale_rows(c, n, &from, &o, &to, &r, &err), "%s", err.text);
    ck_assert_int_eq(g.rows, want->height);
    ck_assert_msg(pic_same(want, &g.img), "%s", t->net);
    ck_assert(t->held ? g.calls == 1 : g.calls > 1 || want->height <= 64);
    tt_image_clear(&g.img);
    /* who takes them may give up */
    g = (gathering){.fail_at = 30};
    ck_assert_int_eq(tt_upscale_rows(c, n, &from, &o, &to, &r, &err), TT_ERR_TEMPORARY);
    ck_assert_str_eq(err.text, "the disk is full");
    tt_image_clear(&g.img);
    tt_image_free(in);
    tt_image_free(want);
    tt_context_free(c);
    tt_network_free(n);
}
END_TEST

/* ---- files in rows, columns and bands ------------------------------------------------------------- */

static const struct tight {
    const char *net;
    int w, h, channels, depth;
    double scale;
    int tta;
    int cut; /* columns are tried on the way */
} tights[] = {
    {"rrdb/body_x4", 150, 131, 3, 8, 0, 0, 0},
    {"rrdb/body_x2", 181, 119, 4, 16, 0, 0, 0},
    {"rrdb/body_x1", 203, 50, 4, 8, 0, 0, 0},
    {"rrdb/body_x2", 231, 61, 1, 16, 3, 0, 1},
    {"srvgg/x3", 200, 90, 2, 16, 2.2, 0, 1},
    {"srvgg/x4", 97, 103, 3, 16, 0, 1, 0},
    {"srcnn/915", 120, 130, 3, 16, 2, 0, 1},
    {"srcnn/955_zero", 90, 111, 4, 16, 1.9, 0, 1},
    {"waifu2x/upconv_7", 150, 151, 3, 16, 0, 0, 1},
    {"waifu2x/vgg_7_y", 177, 150, 3, 16, 1.3, 0, 1},
    {"waifu2x/cunet", 60, 150, 3, 8, 0, 0, 0},
    {"swinir/light_x2", 130, 91, 3, 8, 0, 0, 0},
    {"swinir/gray_dn", 110, 90, 3, 16, 0, 0, 0},
    {"rrdb/body_x2", 81, 219, 4, 8, 0.4, 0, 0},
    {"srvgg/x2", 60, 70, 4, 16, 3.5, 0, 0},
};

/* Nothing is wholly transparent: else the picture is held, to put colour there. */
static void no_holes(tt_image *img)
{
    const size_t step = (size_t)img->channels, n = step * (size_t)img->width * (size_t)img->height;
    for (size_t i = step - 1; i < n; i += step) {
        if (img->depth == 8)
            ((uint8_t *)img->samples)[i] |= 1;
        else
            ((uint16_t *)img->samples)[i] |= 1;
    }
}

/* Decoded row by row, at every budget down to the least, by 1 to 7 threads: the whole picture's result. */
START_TEST(files_go_through_at_every_budget)
{
    const struct tight *t = &tights[_i];
    static const int threads[] = {1, 2, 3, 7};
    const tt_source_options none_held = {.held_most = 1};
    char path[256];
    tt_error err = {0};
    tt_report r = {0};
    tt_source from;
    snprintf(path, sizeof path, "%s/weights.safetensors", t->net);
    tt_network *n = pic_network(path, strcmp(t->net, "srcnn/915") ? NULL : "padding=replicate");
    tt_context *c = pic_context(2, 0);
    tt_image *in = pic_new(t->w, t->h, t->channels, t->depth, (unsigned)_i);
    if (!(t->channels & 1) && _i % 2)
        no_holes(in);
    tt_image *want = pic_upscale(c, n, in, t->scale, t->tta, NULL);
    const tt_upscale_options o = {.size = sizeof o, .scale = t->scale, .tta = t->tta};
    ck_assert(!tt_image_write(in, pg_at("in.png"), &(tt_write_options){.overwrite = true}, NULL));
    ck_assert(!tt_source_open(&from, pg_at("in.png"), &none_held, &err));
    ck_assert(!tt_upscale_estimate(c, n, &from, &o, NULL, &r, &err));
    const uint64_t bytes = r.planned_bytes;
    int runs = 0, most = 0;
    tt_source_clear(&from);
    for (unsigned share = 1;; share += (share + 1) / 2, runs++) {
        tt_context_free(c);
        const uint64_t weights = n->facts.packed_bytes;
        c = pic_context(threads[share % 4], share == 1 ? 2 * bytes : weights + (bytes - weights) / share);
        gathering g = {0};
        const tt_upscale_to to = {begin, rows, NULL, &g};
        ck_assert(!tt_source_open(&from, pg_at("in.png"), &none_held, &err) && !tt_source_held(&from));
        const tt_status st = tt_upscale_rows(c, n, &from, &o, &to, &r, &err);
        tt_source_clear(&from);
        if (!st) {
            most = r.tiles > most ? r.tiles : most;
            ck_assert(r.planned_bytes <= tt_context_memory(c));
            ck_assert_msg(pic_same(want, &g.img), "%s, 1/%u: %d tiles of %dx%d", t->net, share, r.tiles, r.tile_width,
                          r.tile_height);
        }
        tt_image_clear(&g.img);
        if (st == TT_ERR_MEMORY)
            break;
        ck_assert_msg(!st, "%s", err.text);
    }
    ck_assert_int_ge(runs, 1);
    ck_assert_msg(most > 1 || !t->cut, "%s was never cut", t->net);
    tt_image_free(in);
    tt_image_free(want);
    tt_context_free(c);
    tt_network_free(n);
}
END_TEST

/* ---- the program ---------------------------------------------------------------------------------- */

static long peak_of(const char *model, const char *from, const char *to)
{
    pg_run r = RUN("upscale", "-q", "-t", "2", "-m", model, from, "-o", to);
    EXPECT(r, 0, "");
    return r.peak_kib;
}

/* A hundred times as many rows, of which 18 MB were one picture and 72 MB the other: in and out, PNG and JPEG. */
START_TEST(a_tall_picture_takes_no_more_than_a_low_one)
{
    enum { WIDTH = 300, LOW = 200, HIGH = 20000, SLACK_KIB = 4 << 10 };
    static const char *const ways[][2] = {{"png", "png"}, {"png", "jpg"}, {"jpg", "png"}, {"jpg", "jpg"}};
    const char *model = golden_path(_i == 3 ? "rrdb/body_x1/weights.safetensors" : "srvgg/x2/weights.safetensors");
    char low[32], high[32], low_out[32], high_out[32];
    snprintf(low, sizeof low, "low.%s", ways[_i][0]);
    snprintf(high, sizeof high, "high.%s", ways[_i][0]);
    snprintf(low_out, sizeof low_out, "low_x%d.%s", _i, ways[_i][1]);
    snprintf(high_out, sizeof high_out, "high_x%d.%s", _i, ways[_i][1]);
    pg_picture(low, WIDTH, LOW, 3, 8);
    pg_picture(high, WIDTH, HIGH, 3, 8);
    const long less = peak_of(model, low, low_out), more = peak_of(model, high, high_out);
    ck_assert_int_eq(pg_shape_of(high_out).height, _i == 3 ? HIGH : 2 * HIGH);
    ck_assert_msg(SANITIZED || more < less + SLACK_KIB, "%s to %s: %d rows took %ld KiB, %d rows %ld", ways[_i][0],
                  ways[_i][1], LOW, less, HIGH, more);
}
END_TEST

/* The same with a whole network's memory to compare: what must not be held would not fit. */
START_TEST(rows_instead_of_maps)
{
    enum { WIDTH = 96, HIGH = 3000 };
    tt_network *n = pic_network("rrdb/body_x4/weights.safetensors", NULL);
    tt_plan *plan;
    tt_plan_facts whole;
    tt_error err = {0};
    const tt_plan_options o = {.threads = 2, .strip = TT_WHOLE, .only_size = true};
    ck_assert(!tt_plan_new(&plan, n->net, HIGH, WIDTH, &o, &err));
    tt_plan_get_facts(plan, &whole);
    tt_plan_free(plan);
    pg_picture("high.png", WIDTH, HIGH, 3, 8);
    const long high = peak_of(golden_path("rrdb/body_x4/weights.safetensors"), "high.png", "high_x4.png");
    ck_assert_int_gt((long)(whole.arena_bytes >> 10), 2 * high);
    tt_network_free(n);
}
END_TEST

Suite *suite_src_stream(void);
Suite *suite_src_stream(void)
{
    Suite *s = suite_create("src/stream");
    TCase *t = tcase_create("stream");
    tcase_set_timeout(t, 300);
    tcase_add_unchecked_fixture(t, pg_setup, pg_teardown);
    tcase_add_loop_test(t, rows_are_those_of_the_whole, 0, sizeof cases / sizeof *cases);
    tcase_add_loop_test(t, files_go_through_at_every_budget, 0, sizeof tights / sizeof *tights);
    tcase_add_loop_test(t, a_tall_picture_takes_no_more_than_a_low_one, 0, 4);
    tcase_add_test(t, rows_instead_of_maps);
    suite_add_tcase(s, t);
    return s;
}
