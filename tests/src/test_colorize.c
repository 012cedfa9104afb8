/*
 * Colour: the integer steps byte for byte, the whole pipeline of the original, what is kept of a picture, the
 * command with its names, sheets, frames and streams.
 */
#include "tests/src/picture.h"
#include "tests/src/program.h"

#include "src/bilinear.h"
#include "src/colorize.h"
#include "src/colour8.h"
#include "src/painter.h"
#include "src/film.h"
#include "tests/faults.h"
#include "tests/golden.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

Suite *suite_src_colorize(void);

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void open_golden(tt_weights *w, const char *file)
{
    char rel[128];
    tt_error err = {0};
    snprintf(rel, sizeof rel, "deoldify/%s.safetensors", file);
    ck_assert_msg(tt_weights_open(w, golden_path(rel), &err) == TT_OK, "%s", err.text);
}

static const tt_tensor *bytes_of(const tt_weights *w, const char *name)
{
    const tt_tensor *t = tt_weights_find(w, name);
    ck_assert_msg(t && t->dtype == TT_U8, "%s: no bytes %s", w->path, name);
    return t;
}

static float *floats_of(const tt_weights *w, const char *name, size_t *count)
{
    tt_error err = {0};
    const tt_tensor *t = tt_weights_find(w, name);
    ck_assert(t != NULL);
    float *v = malloc(t->count * sizeof *v);
    ck_assert_int_eq(tt_tensor_floats(w, t, v, &err), TT_OK);
    *count = t->count;
    return v;
}

/* ---- integer steps -------------------------------------------------------------------------------- */

/* Three channels to another size, whole. */
static uint8_t *resized(const uint8_t *in, int in_w, int in_h, int w, int h)
{
    tt_bilinear across, down;
    ck_assert_int_eq(tt_bilinear_init(&across, in_w, w, NULL), TT_OK);
    ck_assert_int_eq(tt_bilinear_init(&down, in_h, h, NULL), TT_OK);
    const size_t line = (size_t)w * 3;
    uint8_t *rows = malloc((size_t)in_h * line), *out = malloc((size_t)h * line);
    for (int y = 0; y < in_h; y++)
        tt_bilinear_across(&across, in + (size_t)y * (size_t)in_w * 3, 3, rows + (size_t)y * line);
    for (int y = 0; y < h; y++)
        tt_bilinear_down(&down, rows, line, y, line, out + (size_t)y * line);
    tt_bilinear_clear(&across);
    tt_bilinear_clear(&down);
    free(rows);
    return out;
}

static const char *const resizes[] = {"resize_97x61_to_48x48", "resize_40x300_to_64x64",
                                      "resize_32x32_to_97x61", "resize_30x48_to_48x48",
                                      "resize_3x5_to_64x48"};

START_TEST(resizing_is_pillows)
{
    tt_weights w;
    open_golden(&w, resizes[_i]);
    const tt_tensor *in = bytes_of(&w, "in"), *want = bytes_of(&w, "out");
    uint8_t *got =
        resized(in->data, (int)in->shape[1], (int)in->shape[0], (int)want->shape[1], (int)want->shape[0]);
    ck_assert_msg(!memcmp(got, want->data, want->bytes), "%s differs", resizes[_i]);
    free(got);
    tt_weights_clear(&w);
}
END_TEST

START_TEST(colours_are_pillows_and_opencvs)
{
    tt_weights w;
    open_golden(&w, "colour");
    const uint8_t *in = bytes_of(&w, "in")->data, *other = bytes_of(&w, "in.other")->data;
    const uint8_t *luma = bytes_of(&w, "out.luma")->data, *yuv = bytes_of(&w, "out.yuv")->data;
    const uint8_t *merged = bytes_of(&w, "out.merge_other_into_in")->data;
    const uint8_t *back = bytes_of(&w, "out.rgb_from_in_as_yuv")->data;
    for (size_t i = 0; i < tt_weights_find(&w, "out.luma")->count; i++) {
        const uint8_t *p = in + 3 * i;
        uint8_t u, v;
        int64_t rgb[3];
        ck_assert_int_eq(tt_luma8(p), luma[i]);
        const int64_t y = tt_yuv_luma(p[0], p[1], p[2]);
        tt_yuv_chroma8(p, &u, &v);
        ck_assert(y == yuv[3 * i] && u == yuv[3 * i + 1] && v == yuv[3 * i + 2]);
        tt_yuv_to_rgb(p[0], p[1], p[2], 255, rgb);
        for (int c = 0; c < 3; c++)
            ck_assert_int_eq(rgb[c], back[3 * i + (size_t)c]);
        tt_yuv_chroma8(other + 3 * i, &u, &v);
        tt_yuv_to_rgb(y, u, v, 255, rgb);
        for (int c = 0; c < 3; c++)
            ck_assert_int_eq(rgb[c], merged[3 * i + (size_t)c]);
    }
    tt_weights_clear(&w);
}
END_TEST

START_TEST(grey_stays_grey_of_any_depth)
{
    for (int64_t y = 0; y < 65536; y++) {
        int64_t rgb[3];
        tt_yuv_to_rgb(y, 128, 128, 65535, rgb);
        ck_assert(rgb[0] == y && rgb[1] == y && rgb[2] == y && tt_yuv_luma(y, y, y) == y);
    }
}
END_TEST

START_TEST(squares_are_prepared_as_the_original)
{
    enum { SIDE = 48, N = SIDE * SIDE };
    tt_weights w;
    size_t n;
    open_golden(&w, "prepare");
    const tt_tensor *in = bytes_of(&w, "in");
    float *want = floats_of(&w, "out", &n), *got = malloc(n * sizeof *got);
    uint8_t *square = resized(in->data, (int)in->shape[1], (int)in->shape[0], SIDE, SIDE), grey[N];
    for (int i = 0; i < N; i++)
        grey[i] = tt_luma8(square + 3 * i);
    tt_painter_normalise(grey, N, got);
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(fabsf(want[i] - got[i]) <= 9.7e-6f, "value %zu is %g, not %g", i, (double)got[i],
                      (double)want[i]);
    free(square);
    free(want);
    free(got);
    tt_weights_clear(&w);
}
END_TEST

/* What is cut off may be off by one where the float lies at the edge of a level; hardly anywhere does it. */
START_TEST(squares_are_finished_as_the_original)
{
    tt_weights w;
    size_t n, off = 0;
    open_golden(&w, "finish");
    const tt_tensor *want = bytes_of(&w, "out");
    float *in = floats_of(&w, "in", &n);
    uint8_t *got = malloc(n);
    tt_painter_bytes(in, n / 3, got);
    for (size_t i = 0; i < n; i++) {
        ck_assert_int_le(abs(got[i] - want->data[i]), 1);
        off += got[i] != want->data[i];
    }
    ck_assert_uint_le(off, n / 1000);
    free(in);
    free(got);
    tt_weights_clear(&w);
}
END_TEST

/* ---- the pipeline --------------------------------------------------------------------------------- */

static const char *const kinds[] = {"deep", "wide"};

static tt_network *network(int kind)
{
    char rel[64];
    snprintf(rel, sizeof rel, "deoldify/unet_%s.safetensors", kinds[kind]);
    return pic_network(rel, NULL);
}

static tt_image *coloured(tt_context *c, const tt_network *n, const tt_image *in, int render)
{
    tt_image *out;
    tt_error err = {0};
    const tt_colorize_options o = {.size = sizeof o, .render = render};
    ck_assert_msg(!tt_colorize(c, n, in, &o, &out, &err), "%s", err.text);
    ck_assert(out->width == in->width && out->height == in->height && out->depth == in->depth);
    return out;
}

START_TEST(pictures_become_those_of_the_original)
{
    static const int threads[] = {1, 2, 3, 7};
    char file[64];
    tt_weights w;
    snprintf(file, sizeof file, "colorize_%s", kinds[_i]);
    open_golden(&w, file);
    tt_image *in = pic_golden(&w, "in"), *want = pic_golden(&w, "out"), *first = NULL;
    tt_network *n = network(_i);
    for (size_t t = 0; t < COUNT(threads); t++) {
        tt_context *c = pic_context(threads[t], 0);
        tt_image *got = coloured(c, n, in, 3);
        for (int i = 0; i < 3 * in->width * in->height; i++)
            ck_assert_msg(abs(((uint8_t *)got->samples)[i] - ((uint8_t *)want->samples)[i]) <= 3, "sample %d",
                          i);
        ck_assert_msg(!first || pic_same(first, got), "%d threads give another picture", threads[t]);
        if (first)
            tt_image_free(got);
        else
            first = got;
        tt_context_free(c);
    }
    tt_network_free(n);
    tt_image_free(first);
    tt_image_free(in);
    tt_image_free(want);
    tt_weights_clear(&w);
}
END_TEST

/* The released container: a legacy .pth with the optimiser beside the model, storages tagged as of a GPU. */
START_TEST(the_released_container_gives_the_same)
{
    tt_context *c = pic_context(2, 0);
    tt_network *a = network(0), *b = pic_network("deoldify/unet_deep_legacy.pth", NULL);
    tt_image *in = pic_new(33, 20, 3, 8, 3), *want = coloured(c, a, in, 2), *got = coloured(c, b, in, 2);
    ck_assert(pic_same(want, got));
    tt_image_free(in);
    tt_image_free(want);
    tt_image_free(got);
    tt_network_free(a);
    tt_network_free(b);
    tt_context_free(c);
}
END_TEST

static int64_t sample(const tt_image *img, int i)
{
    return img->depth == 8 ? ((const uint8_t *)img->samples)[i] : ((const uint16_t *)img->samples)[i];
}

/* Every kind of picture: the luma stays within what the clamp of a colour takes, alpha stays, grey becomes
 * RGB. */
START_TEST(luma_and_alpha_stay)
{
    const int channels = _i % 4 + 1, depth = _i < 4 ? 8 : 16, colours = channels > 2 ? 3 : 1;
    const int64_t most = depth == 8 ? 255 : 65535;
    tt_context *c = pic_context(2, 0);
    tt_network *n = network(0);
    tt_image *in = pic_new(37, 53, channels, depth, 5), *out = coloured(c, n, in, 3);
    ck_assert_int_eq(out->channels, channels & 1 ? 3 : 4);
    int whole = 0, colourful = 0; /* pixels that no clamp touched */
    for (int i = 0; i < in->width * in->height; i++) {
        int64_t y = sample(in, i * channels);
        if (colours == 3)
            y = tt_yuv_luma(y, sample(in, i * channels + 1), sample(in, i * channels + 2));
        const int o = i * out->channels;
        const int64_t r = sample(out, o), g = sample(out, o + 1), b = sample(out, o + 2);
        const bool full = !r || !g || !b || r == most || g == most || b == most;
        whole += !full;
        colourful += r != g || g != b;
        ck_assert_msg(full || llabs(tt_yuv_luma(r, g, b) - y) <= 1 + most / 2000, "pixel %d: luma %d was %d",
                      i, (int)tt_yuv_luma(r, g, b), (int)y);
        ck_assert(channels & 1 || sample(out, o + 3) == sample(in, i * channels + channels - 1));
    }
    ck_assert_int_gt(whole, in->width * in->height / 5);
    ck_assert_int_gt(colourful, in->width * in->height / 2);
    tt_image_free(in);
    tt_image_free(out);
    tt_network_free(n);
    tt_context_free(c);
}
END_TEST

/* Only the luma counts: a grey picture and its RGB copy, in 8 bits and widened, become the same. */
START_TEST(grey_and_its_copies_become_the_same)
{
    tt_context *c = pic_context(1, 0);
    tt_network *n = network(1);
    tt_image *grey = pic_new(40, 31, 1, 8, 9), *rgb = pic_new(40, 31, 3, 8, 9),
             *deep = pic_new(40, 31, 1, 16, 9);
    for (int i = 0; i < 40 * 31; i++) {
        const uint8_t v = ((uint8_t *)grey->samples)[i];
        memset((uint8_t *)rgb->samples + 3 * i, v, 3);
        ((uint16_t *)deep->samples)[i] = (uint16_t)(v * 257);
    }
    tt_image *a = coloured(c, n, grey, 2), *b = coloured(c, n, rgb, 2), *d = coloured(c, n, deep, 2);
    ck_assert(pic_same(a, b));
    for (int i = 0; i < 3 * 40 * 31; i++)
        ck_assert_int_le(llabs((sample(d, i) + 128) / 257 - sample(a, i)), 1);
    tt_image_free(grey);
    tt_image_free(rgb);
    tt_image_free(deep);
    tt_image_free(a);
    tt_image_free(b);
    tt_image_free(d);
    tt_network_free(n);
    tt_context_free(c);
}
END_TEST

/* The estimate is what the work is held to, and it is refused before the work. */
START_TEST(a_small_budget_is_refused_before)
{
    tt_network *n = network(0);
    tt_image *in = pic_new(64, 64, 1, 8, 1), *out = NULL;
    tt_context *rich = pic_context(2, 0);
    tt_colour_report r;
    tt_error err = {0};
    ck_assert_int_eq(tt_colorize_estimate(rich, n, in, 4, &r, &err), TT_OK);
    ck_assert(r.side == 64 && r.render == 4 && r.planned_bytes > n->facts.packed_bytes && r.flops > 0);
    tt_context *poor = pic_context(2, r.planned_bytes - 1), *enough = pic_context(2, r.planned_bytes);
    const tt_colorize_options o = {.size = sizeof o, .render = 4};
    ck_assert_int_eq(tt_colorize(poor, n, in, &o, &out, &err), TT_ERR_MEMORY);
    ck_assert_msg(strstr(err.text, "64x64") && strstr(err.text, "factor 4"), "%s", err.text);
    ck_assert_int_eq(tt_colorize(enough, n, in, &o, &out, &err), TT_OK);
    tt_image_free(out);
    tt_image_free(in);
    tt_context_free(rich);
    tt_context_free(poor);
    tt_context_free(enough);
    tt_network_free(n);
}
END_TEST

START_TEST(what_makes_no_sense_is_refused)
{
    tt_context *c = pic_context(1, 0);
    tt_network *n = network(0), *other = pic_network("srvgg/x2/weights.safetensors", NULL);
    tt_image *in = pic_new(8, 8, 3, 8, 1), *out = NULL;
    tt_error err = {0};
    tt_colorize_options o = {.size = sizeof o, .render = 129};
    ck_assert_int_eq(tt_colorize(c, n, in, &o, &out, &err), TT_ERR_USAGE);
    o.render = -1;
    ck_assert_int_eq(tt_colorize(c, n, in, &o, &out, &err), TT_ERR_USAGE);
    o.render = 3;
    ck_assert_int_eq(tt_colorize(c, other, in, &o, &out, &err), TT_ERR_USAGE);
    ck_assert_msg(strstr(err.text, "does not colour"), "%s", err.text);
    ck_assert_int_eq(tt_upscale(c, n, in, NULL, &out, &err), TT_ERR_UNSUPPORTED);
    ck_assert_msg(strstr(err.text, "tintype colorize"), "%s", err.text);
    tt_context_cancel(c);
    ck_assert_int_eq(tt_colorize(c, n, in, &o, &out, &err), TT_ERR_CANCELLED);
    ck_assert_int_eq(tt_colorize(c, n, in, &o, &out, &err), TT_OK); /* the wish is used up */
    ck_assert_int_eq(tt_colorize_usual(n), 35);
    char *path = n->path;
    n->path = (char *)"/video/ColorizeVideo_gen.pth";
    ck_assert_int_eq(tt_colorize_usual(n), 21);
    n->path = (char *)"/video/ColorizeStable_gen.pth";
    ck_assert_int_eq(tt_colorize_usual(n), 35);
    n->path = path;
    tt_image_free(out);
    tt_image_free(in);
    tt_network_free(n);
    tt_network_free(other);
    tt_context_free(c);
}
END_TEST

/* Every allocation may fail, alone or with all that follow: a status, no picture, and the next try works. */
START_TEST(no_memory_is_a_status)
{
    tt_context *c = pic_context(2, 0);
    tt_network *n = network(0);
    tt_image *in = pic_new(20, 18, 4, 8, 1);
    const tt_colorize_options o = {.size = sizeof o, .render = 1};
    uint8_t y[20 * 18] = {0}, u[10 * 9], v[10 * 9];
    for (int all = 0; all < 2; all++)
        for (long k = 1, failed = 1; failed; k++) {
            tt_image *out = NULL;
            tt_film f;
            tt_error err = {0};
            faults_fail(k, all);
            tt_status st = _i ? tt_film_init(&f, c, n, 1, 20, 18, 10, 9, false, &err)
                              : tt_colorize(c, n, in, &o, &out, &err);
            if (_i && !st)
                st = tt_film_frame(&f, y, u, v, NULL, &err);
            failed = faults_failed();
            faults_fail(0, 0);
            ck_assert_msg(st == (failed ? TT_ERR_MEMORY : TT_OK), "allocation %ld: %d, %s", k, (int)st,
                          err.text);
            ck_assert(!out == (_i || failed));
            if (_i)
                tt_film_clear(&f);
            tt_image_free(out);
        }
    tt_image_free(in);
    tt_network_free(n);
    tt_context_free(c);
}
END_TEST

/* The same of the weights' way into the engine; every tenth is enough of thousands. */
START_TEST(no_memory_for_weights_is_a_status)
{
    int failures = 0;
    for (long k = 1 + _i, failed = 1; failed; k += 11) {
        tt_network *n = NULL;
        tt_error err = {0};
        faults_fail(k, 0);
        const tt_status st = tt_network_open(&n, golden_path("deoldify/unet_deep.safetensors"), NULL, &err);
        failed = faults_failed();
        faults_fail(0, 0);
        ck_assert_msg(st == (failed ? TT_ERR_MEMORY : TT_OK), "allocation %ld: %d, %s", k, (int)st, err.text);
        failures += failed != 0;
        tt_network_free(n);
    }
    ck_assert_int_gt(failures, 50);
}
END_TEST

/* Folded or not, the tensors that count are kept under their names; counters of the training are not. */
START_TEST(weights_may_be_converted)
{
    pg_within("convert");
    pg_picture("a.png", 30, 20, 3, 8);
    pg_run r = RUN("convert", golden_path("deoldify/unet_deep_legacy.pth"), "-o", "deep.safetensors");
    EXPECT(r, 0, "artistic (deep)");
    r = RUN("colorize", "-m", "deep.safetensors", "--render", "2", "a.png", "-o", "b.png");
    EXPECT(r, 0, "render 2");
    r = RUN("colorize", "-m", golden_path("deoldify/unet_deep_legacy.pth"), "--render", "2", "a.png", "-o",
            "c.png");
    EXPECT(r, 0, "render 2");
    ck_assert(pg_same("b.png", "c.png"));
}
END_TEST

/* ---- the command ---------------------------------------------------------------------------------- */

static const char *weights(void)
{
    return golden_path("deoldify/unet_deep.safetensors");
}

START_TEST(files_follow_the_rules)
{
    pg_within("colour");
    pg_picture("a.png", 30, 20, 1, 8);
    pg_picture("b.jpg", 30, 20, 3, 8);
    pg_picture("deep.png", 30, 20, 2, 16);
    pg_run r = RUN("colorize", "-m", weights(), "--render", "2", "a.png", "b.jpg", "deep.png");
    EXPECT(r, 0, "3 done, 0 passed over, 0 failed");
    pg_shape s = pg_shape_of("a_colour.png"), d = pg_shape_of("deep_colour.png");
    ck_assert(s.width == 30 && s.height == 20 && s.channels == 3 && s.depth == 8);
    ck_assert(d.channels == 4 && d.depth == 16);
    ck_assert(pg_there("b_colour.jpg"));
    r = RUN("colorize", "-m", weights(), "--render", "2", "a.png");
    EXPECT(r, 73, "exists already");
    r = RUN("colorize", "-m", weights(), "--render", "2", "--skip-existing", "a.png", "-v");
    EXPECT(r, 0, "passed over");
    r = RUN("colorize", "-m", weights(), "--render", "2", "-r", ".", "-o", "out/");
    EXPECT(r, 0, "6 done");
    ck_assert(pg_there("out/a_colour.png") && pg_same("out/a_colour.png", "a_colour.png"));
    r = RUN("colorize", "-m", weights(), "--render", "3", "a.png", "-o", "{stem}-{render}.jpg");
    EXPECT(r, 0, "render 3");
    ck_assert(pg_there("a-3.jpg"));
    r = RUN("colorize", "-m", weights(), "--render", "2", "deep.png", "-o", "deep.jpg");
    EXPECT(r, 65, "deep.jpg");
    ck_assert(!pg_there("deep.jpg"));
    r = RUN("colorize", "-m", weights(), "--render", "2", "--memory", "1M", "a.png", "-o", "no.png");
    EXPECT(r, 75, "the memory budget is 1 MiB");
    ck_assert(!pg_there("no.png"));
    r = RUN("colorize", "-m", weights(), "--dry-run", "--render", "2", "a.png", "-o", "dry.png");
    EXPECT(r, 0, "");
    ck_assert(strstr(r.out, "render 2 (32x32)") && !pg_there("dry.png"));
    char line[4096];
    snprintf(line, sizeof line, "\"$T\" colorize -q -m '%s' --render 2 - -o - <a.png >pipe.png", weights());
    r = pg_shell(line);
    EXPECT(r, 0, "");
    ck_assert(pg_same("pipe.png", "a_colour.png"));
}
END_TEST

START_TEST(several_factors_and_a_sheet)
{
    pg_within("sheet");
    pg_picture("a.png", 60, 40, 1, 8);
    pg_run r = RUN("colorize", "-m", weights(), "--render", "1,2,3", "a.png");
    EXPECT(r, 0, "3 done");
    ck_assert(pg_there("a_r1.png") && pg_there("a_r2.png") && pg_there("a_r3.png"));
    r = RUN("colorize", "-m", weights(), "--render", "1,2,3", "a.png", "-o", "x.png");
    EXPECT(r, 2, "{render}");
    ck_assert(!pg_there("x.png"));
    r = RUN("colorize", "-m", weights(), "--render", "1,2,3", "--contact-sheet", "sheet.png", "a.png", "-o",
            "x.png");
    EXPECT(r, 0, "4 pictures side by side");
    ck_assert(pg_same("x.png", "a_r3.png"));
    pg_shape s = pg_shape_of("sheet.png");
    ck_assert(s.channels == 3 && s.width == 4 * (60 + 12) + 12);
    r = RUN("colorize", "-m", weights(), "--render", "1,2", "--contact-sheet", "sheet.png", "a.png", "-o",
            "y.png");
    EXPECT(r, 73, "sheet.png: exists already");
    ck_assert(!pg_there("y.png"));
}
END_TEST

START_TEST(wrong_lines_are_answered)
{
    static const struct {
        const char *arguments[8];
        const char *said;
    } tries[] = {
        {{"a.png"}, "--model FILE"},
        {{"-m", "default", "a.png"}, "--model FILE"},
        {{"-m", "W"}, "INPUT... or --frames"},
        {{"-m", "W", "--render", "0", "a.png"}, "whole numbers from 1 to 128"},
        {{"-m", "W", "--render", "3,", "a.png"}, "whole numbers from 1 to 128"},
        {{"-m", "W", "--render", "3,3", "a.png"}, "twice"},
        {{"-m", "W", "--render", "2.5", "a.png"}, "whole numbers from 1 to 128"},
        {{"-m", "W", "--frames", "in", "-o", "out", "a.png"}, "goes with no INPUT"},
        {{"-m", "W", "--frames", "in"}, "-o DIRECTORY"},
        {{"-m", "W", "--contact-sheet", "s.png", "a.png", "b.png"}, "one picture"},
        {{"-m", "W", "--y4m", "a.y4m"}, "-o OUTPUT"},
        {{"-m", "W", "--y4m", "a", "b", "-o", "c"}, "one INPUT"},
        {{"-m", "W", "--y4m", "--render", "1,2", "a", "-o", "c"}, "one factor"},
        {{"-m", "W", "a.png", "-o", "{stem}_{scale}.png"}, "{scale}"},
    };
    pg_within("wrong");
    for (size_t i = 0; i < COUNT(tries); i++) {
        const char *arguments[12] = {"colorize"};
        for (int j = 0; j < 8 && tries[i].arguments[j]; j++)
            arguments[j + 1] = !strcmp(tries[i].arguments[j], "W") ? weights() : tries[i].arguments[j];
        pg_run r = pg_exec(arguments, NULL, 0);
        EXPECT(r, 2, tries[i].said);
    }
    pg_run r = RUN("colorize", "-m", golden_path("srvgg/x2/weights.safetensors"), "a.png");
    EXPECT(r, 2, "does not colour");
}
END_TEST

START_TEST(frames_keep_their_names)
{
    pg_within("frames");
    ck_assert_int_eq(mkdir(pg_at("in"), 0777), 0);
    pg_picture("in/0001.png", 24, 18, 3, 8);
    pg_picture("in/0002.png", 24, 18, 1, 8);
    pg_run r = RUN("colorize", "-m", weights(), "--render", "2", "--frames", "in", "-o", "out");
    EXPECT(r, 0, "2 done");
    ck_assert(pg_there("out/0001.png") && pg_there("out/0002.png"));
    ck_assert_int_eq(pg_entries("out"), 2);
}
END_TEST

START_TEST(machines_get_json)
{
    pg_within("json");
    pg_picture("a.png", 30, 20, 1, 8);
    pg_run r = RUN("colorize", "-m", weights(), "--render", "2", "--json", "a.png", "-o", "b.png");
    EXPECT(r, 0, "");
    ck_assert_msg(strstr(r.out, "\"event\":\"done\"") && strstr(r.out, "\"render\":2") &&
                      strstr(r.out, "\"model\":\"unet_deep.safetensors\"") &&
                      strstr(r.out, "\"network\":\"deoldify\"") && strstr(r.out, "\"event\":\"summary\""),
                  "%s", r.out);
}
END_TEST

Suite *suite_src_colorize(void)
{
    Suite *s = suite_create("src/colorize");
    TCase *tc = tcase_create("steps");
    tcase_add_loop_test(tc, resizing_is_pillows, 0, (int)COUNT(resizes));
    tcase_add_test(tc, colours_are_pillows_and_opencvs);
    tcase_add_test(tc, grey_stays_grey_of_any_depth);
    tcase_add_test(tc, squares_are_prepared_as_the_original);
    tcase_add_test(tc, squares_are_finished_as_the_original);
    suite_add_tcase(s, tc);
    tc = tcase_create("pipeline");
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, pictures_become_those_of_the_original, 0, 2);
    tcase_add_test(tc, the_released_container_gives_the_same);
    tcase_add_loop_test(tc, luma_and_alpha_stay, 0, 8);
    tcase_add_test(tc, grey_and_its_copies_become_the_same);
    tcase_add_test(tc, a_small_budget_is_refused_before);
    tcase_add_test(tc, what_makes_no_sense_is_refused);
    tcase_add_loop_test(tc, no_memory_is_a_status, 0, 2);
    tcase_add_loop_test(tc, no_memory_for_weights_is_a_status, 0, 3);
    suite_add_tcase(s, tc);
    tc = tcase_create("program");
    tcase_set_timeout(tc, 120);
    tcase_add_unchecked_fixture(tc, pg_setup, pg_teardown);
    tcase_add_test(tc, weights_may_be_converted);
    tcase_add_test(tc, files_follow_the_rules);
    tcase_add_test(tc, several_factors_and_a_sheet);
    tcase_add_test(tc, wrong_lines_are_answered);
    tcase_add_test(tc, frames_keep_their_names);
    tcase_add_test(tc, machines_get_json);
    suite_add_tcase(s, tc);
    return s;
}
