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

/* ---- the program ---------------------------------------------------------------------------------- */

static long peak_of(const char *model, const char *from, const char *to)
{
    pg_run r = RUN("upscale", "-q", "-t", "2", "-m", model, from, "-o", to);
    EXPECT(r, 0, "");
    return r.peak_kib;
}

START_TEST(a_tall_picture_takes_no_more_than_a_low_one)
{
    enum { WIDTH = 96, LOW = 600, HIGH = 3000, SLACK_KIB = 6 << 10 };
    const char *model = golden_path("rrdb/body_x4/weights.safetensors");
    tt_network *n = pic_network("rrdb/body_x4/weights.safetensors", NULL);
    tt_plan *plan;
    tt_plan_facts whole;
    tt_error err = {0};
    pg_picture("low.png", WIDTH, LOW, 3, 8);
    pg_picture("high.png", WIDTH, HIGH, 3, 8);
    pg_picture("high.jpg", WIDTH, HIGH, 3, 8);
    const long low = peak_of(model, "low.png", "low_x4.png"),
               high = peak_of(model, "high.png", "high_x4.png");
    const long jpeg = peak_of(model, "high.jpg", "jpeg_x4.png");
    ck_assert_int_eq(pg_shape_of("high_x4.png").height, 4 * HIGH);
    const tt_plan_options o = {.threads = 2, .strip = TT_WHOLE, .only_size = true};
    ck_assert(!tt_plan_new(&plan, n->net, HIGH, WIDTH, &o, &err));
    tt_plan_get_facts(plan, &whole);
    tt_plan_free(plan);
    const long picture = (long)WIDTH * HIGH * 3 / 1024; /* decoded, and in its file */
    ck_assert_msg(SANITIZED || (high < low + 2 * picture + SLACK_KIB && jpeg < low + 2 * picture + SLACK_KIB),
                  "%d rows took %ld KiB, %d rows %ld, as JPEG %ld", LOW, low, HIGH, high, jpeg);
    ck_assert_int_gt((long)(whole.arena_bytes >> 10), 2 * high); /* whole maps would not have done */
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
    tcase_add_test(t, a_tall_picture_takes_no_more_than_a_low_one);
    suite_add_tcase(s, t);
    return s;
}
