#define _POSIX_C_SOURCE 200809L /* mkstemp(), fdopen() */
/* The path of one picture: whole-picture goldens, ways of colour, sizes, and what must be refused. */
#include "src/alpha.h"
#include "tests/golden.h"
#include "tests/src/picture.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- goldens -------------------------------------------------------------------------------------- */

static const struct driver {
    const char *folder, *name;
    double scale;
    int tta, block;
} drivers[] = {
    {"realesrgan_x2", "odd", 0, 0, 0},
    {"realesrgan_x1", "odd", 0, 0, 0},
    {"srvgg_x4", "tta8", 0, 1, 0},
    {"vdsr_x3_rgb", "case0", 3, 0, 0},
    {"waifu2x_upcunet", "blocks64", 0, 0, 64},
    {"swinir_x2", "whole", 0, 0, 0},
    {"waifu2x_upconv_7", "blocks40", 0, 0, 0}, /* no squeeze-excitation: blocks leave no trace */
};

/* Bytes equal but where the float lies too near to a rounding boundary to tell. */
START_TEST(whole_pictures)
{
    const struct driver *d = &drivers[_i];
    char path[256];
    tt_weights g;
    snprintf(path, sizeof path, "drivers/%s/%s.safetensors", d->folder, d->name);
    ck_assert(!tt_weights_open(&g, golden_path(path), NULL));
    snprintf(path, sizeof path, "drivers/%s/weights.safetensors", d->folder);
    tt_network *n = pic_network(path, NULL);
    if (d->block)
        n->traits.block = d->block;
    tt_context *c = pic_context(2, 0);
    tt_image *in = pic_golden(&g, "input"), *want = pic_golden(&g, "output_u8");
    tt_image *got = pic_upscale(c, n, in, d->scale, d->tta, NULL);
    const tt_tensor *t = tt_weights_find(&g, "output");
    float *exact = malloc(t->count * sizeof *exact);
    ck_assert(!tt_tensor_floats(&g, t, exact, NULL));
    ck_assert_int_eq(got->width, want->width);
    ck_assert_int_eq(got->height, want->height);
    for (size_t i = 0; i < t->count; i++) {
        const int w = ((uint8_t *)want->samples)[i], v = ((uint8_t *)got->samples)[i];
        const double level = 255 * (double)exact[i], to_half = fabs(level - floor(level) - 0.5);
        ck_assert_msg(v == w || (abs(v - w) == 1 && to_half <= 255 * 2e-5), "%s: value %zu is %d, not %d (%.4f)",
                      path, i, v, w, level);
    }
    free(exact);
    tt_weights_clear(&g);
    tt_image_free(in);
    tt_image_free(want);
    tt_image_free(got);
    tt_network_free(n);
    tt_context_free(c);
}
END_TEST

/* ---- colour --------------------------------------------------------------------------------------- */

static const char *const nets[] = {
    "rrdb/body_x4", "rrdb/body_x2", "rrdb/old_x2_gray", "srvgg/x2", "srcnn/915",
    "vdsr/bias", "swinir/light_x2", "swinir/gray_dn", "swinir/jpeg_gray", "waifu2x/vgg_7_y",
    "waifu2x/upconv_7", "waifu2x/cunet", "waifu2x/upcunet",
};
enum { NETS = sizeof nets / sizeof *nets };

static tt_network *open_net(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/weights.safetensors", name);
    tt_network *n = pic_network(path, NULL);
    if (n->traits.block)
        n->traits.block = 64; /* quicker */
    return n;
}

static int natural(const tt_network *n)
{
    return n->traits.enlarge_first ? 2 : n->facts.scale_num;
}

/* Grey, grey+alpha, RGB, RGB+alpha, 8 and 16 bits through every kind of network. Grey stays what it is as a
 * colour picture with three equal channels; alpha has no say in the colour where nothing is transparent. */
START_TEST(every_kind_of_picture)
{
    tt_network *n = open_net(nets[_i]);
    tt_context *c = pic_context(2, 0);
    for (int depth = 8; depth <= 16; depth += 8)
        for (int channels = 1; channels <= 4; channels++) {
            tt_report r;
            tt_image *in = pic_new(23, 17, channels, depth, 5);
            tt_image *out = pic_upscale(c, n, in, 0, 0, &r);
            ck_assert_int_eq(out->width, 23 * natural(n));
            ck_assert_int_eq(out->height, 17 * natural(n));
            ck_assert_int_eq(r.passes, 1);
            ck_assert_int_eq(r.width, out->width);
            ck_assert(r.planned_bytes > 0 && r.flops > 0 && r.tiles >= 1);
            tt_image_free(in);
            tt_image_free(out);
        }
    tt_network_free(n);
    tt_context_free(c);
}
END_TEST

/* One channel of a picture as a picture. */
static tt_image *channel_of(const tt_image *img, int channel)
{
    tt_image *grey = pic_new(img->width, img->height, 1, 16, 0);
    for (int i = 0; i < img->width * img->height; i++)
        ((uint16_t *)grey->samples)[i] = ((uint16_t *)img->samples)[i * img->channels + channel];
    return grey;
}

/* A grey denoiser cleans each channel as if it were a grey picture. */
START_TEST(grey_denoisers_take_each_channel)
{
    tt_network *n = open_net("swinir/gray_dn");
    tt_context *c = pic_context(2, 0);
    tt_image *in = pic_new(37, 21, 3, 16, 3);
    for (int tta = 0; tta < 2; tta++) {
        tt_report three, one;
        tt_image *got = pic_upscale(c, n, in, 0, tta, &three);
        for (int i = 0; i < 3; i++) {
            tt_image *grey = channel_of(in, i), *mine = channel_of(got, i);
            tt_image *want = pic_upscale(c, n, grey, 0, tta, &one);
            ck_assert(pic_same(want, mine));
            tt_image_free(grey);
            tt_image_free(mine);
            tt_image_free(want);
        }
        ck_assert(three.flops == 3 * one.flops);
        tt_image_free(got);
    }
    tt_image_free(in);
    tt_network_free(n);
    tt_context_free(c);
}
END_TEST

/* A grey JPEG network sees MATLAB's luma: of grey in colours, 16/255 + 219/255 of it. */
START_TEST(grey_jpeg_networks_take_matlabs_luma)
{
    enum { W = 23, H = 16, W7 = 28, H7 = 21 };
    tt_network *n = open_net("swinir/jpeg_gray");
    tt_context *c = pic_context(1, 0);
    tt_image *grey = pic_new(W, H, 1, 16, 3), *rgb = pic_new(W, H, 3, 16, 3);
    float y[H7 * W7], want[H7 * W7];
    for (int i = 0; i < W * H * 3; i++)
        ((uint16_t *)rgb->samples)[i] = ((uint16_t *)grey->samples)[i / 3];
    for (int v = 0; v < H7; v++)
        for (int u = 0; u < W7; u++) { /* extended by the mirror that repeats the edge */
            const int sv = v < H ? v : 2 * H - 1 - v, su = u < W ? u : 2 * W - 1 - u;
            y[v * W7 + u] = (16 + 219 * (float)((uint16_t *)grey->samples)[sv * W + su] / 65535) / 255;
        }
    ck_assert(!tt_network_run(c, n, y, H7, W7, want, NULL, NULL, NULL, NULL));
    tt_image *got = pic_upscale(c, n, rgb, 0, 0, NULL);
    for (int v = 0; v < H; v++)
        for (int u = 0; u < W; u++) {
            const double luma = (255 * (double)want[v * W7 + u] - 16) / 219, is = fmin(fmax(luma, 0), 1) * 65535;
            for (int i = 0; i < 3; i++)
                ck_assert_double_eq_tol(((uint16_t *)got->samples)[(v * W + u) * 3 + i], is, 3);
        }
    tt_image_free(grey);
    tt_image_free(rgb);
    tt_image_free(got);
    tt_network_free(n);
    tt_context_free(c);
}
END_TEST

START_TEST(grey_is_grey_colour)
{
    tt_network *n = open_net("rrdb/body_x2");
    tt_context *c = pic_context(1, 0);
    tt_image *grey = pic_new(20, 15, 1, 16, 3), *rgb = pic_new(20, 15, 3, 16, 3);
    for (int i = 0; i < 20 * 15 * 3; i++)
        ((uint16_t *)rgb->samples)[i] = ((uint16_t *)grey->samples)[i / 3];
    tt_image *a = pic_upscale(c, n, grey, 0, 0, NULL), *b = pic_upscale(c, n, rgb, 0, 0, NULL);
    for (int i = 0; i < a->width * a->height; i++) {
        const uint16_t *p = (uint16_t *)b->samples + 3 * i;
        const double luma = 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2];
        /* the colours may have been clamped before they became luma here */
        if (p[0] > 0 && p[1] > 0 && p[2] > 0 && p[0] < 65535 && p[1] < 65535 && p[2] < 65535)
            ck_assert_double_eq_tol(((uint16_t *)a->samples)[i], luma, 1.6);
    }
    tt_image_free(grey);
    tt_image_free(rgb);
    tt_image_free(a);
    tt_image_free(b);
    tt_network_free(n);
    tt_context_free(c);
}
END_TEST

/* What a network of RGB makes of a picture is what tt_network_run() makes of its planes. */
START_TEST(same_as_the_raw_network)
{
    tt_network *n = open_net("srvgg/x2");
    tt_context *c = pic_context(2, 0);
    tt_image *in = pic_new(19, 14, 3, 16, 1), *out = pic_upscale(c, n, in, 0, 0, NULL);
    const int area = 19 * 14;
    float planes[3 * 19 * 14], *got = malloc(sizeof planes * 4);
    int oc, oh, ow;
    for (int i = 0; i < 3 * area; i++)
        planes[i % 3 * area + i / 3] = (float)((uint16_t *)in->samples)[i] / 65535;
    ck_assert(!tt_network_run(c, n, NULL, 14, 19, NULL, &oc, &oh, &ow, NULL));
    ck_assert(oc == 3 && oh == 28 && ow == 38);
    ck_assert(!tt_network_run(c, n, planes, 14, 19, got, NULL, NULL, NULL, NULL));
    for (int i = 0; i < 12 * area; i++) {
        const float v = got[i % 3 * 4 * area + i / 3];
        ck_assert_int_eq(((uint16_t *)out->samples)[i], lrintf((v < 0 ? 0 : v > 1 ? 1 : v) * 65535));
    }
    free(got);
    tt_image_free(in);
    tt_image_free(out);
    tt_network_free(n);
    tt_context_free(c);
}
END_TEST

/* ---- alpha ---------------------------------------------------------------------------------------- */

static int alpha_at(const tt_image *img, int i)
{
    const int at = (i + 1) * img->channels - 1;
    return img->depth == 8 ? ((uint8_t *)img->samples)[at] : ((uint16_t *)img->samples)[at];
}

static void set_alpha(tt_image *img, int v)
{
    for (int i = 0; i < img->width * img->height; i++) {
        const int at = (i + 1) * img->channels - 1;
        if (img->depth == 8)
            ((uint8_t *)img->samples)[at] = (uint8_t)v;
        else
            ((uint16_t *)img->samples)[at] = (uint16_t)v;
    }
}

START_TEST(constant_alpha_stays)
{
    const int channels = _i & 1 ? 2 : 4, depth = _i & 2 ? 16 : 8, most = depth == 8 ? 255 : 65535;
    const double scales[] = {0, 1.5, 3, 0.7};
    tt_network *n = open_net("srvgg/x2");
    tt_context *c = pic_context(2, 0);
    tt_image *in = pic_new(13, 9, channels, depth, 2);
    for (int s = 0; s < 4; s++)
        for (int v = 0; v <= most; v += most / 5) {
            set_alpha(in, v);
            tt_image *out = pic_upscale(c, n, in, scales[s], 0, NULL);
            for (int i = 0; i < out->width * out->height; i++)
                ck_assert_int_eq(alpha_at(out, i), v);
            tt_image_free(out);
        }
    tt_image_free(in);
    tt_network_free(n);
    tt_context_free(c);
}
END_TEST

/* Whatever a file holds under alpha 0, the result is the same; and no darkness comes from there. */
START_TEST(hidden_colour_is_harmless)
{
    const int w = 40, h = 30;
    tt_network *n = open_net("rrdb/body_x2");
    tt_context *c = pic_context(2, 0);
    tt_image *a = pic_new(w, h, 4, 8, 7), *b = pic_new(w, h, 4, 8, 7);
    int holes = 0;
    for (int i = 0; i < w * h; i++)
        if (!alpha_at(a, i)) {
            holes++;
            memset((uint8_t *)a->samples + 4 * i, 0, 3);
            memset((uint8_t *)b->samples + 4 * i, i % 251, 3);
        }
    ck_assert(holes > 50 && holes < w * h - 50);
    ck_assert_int_eq((int)tt_alpha_holes(a), holes);
    tt_image *x = pic_upscale(c, n, a, 0, 0, NULL), *y = pic_upscale(c, n, b, 0, 0, NULL);
    ck_assert(pic_same(x, y));
    /* far from the rim: exactly 0 and 255 */
    ck_assert_int_eq(alpha_at(x, 0), 0);
    ck_assert_int_eq(alpha_at(x, h * 2 * w + w), 255);
    tt_image_free(a);
    tt_image_free(b);
    tt_image_free(x);
    tt_image_free(y);
    tt_network_free(n);
    tt_context_free(c);
}
END_TEST

START_TEST(wholly_transparent)
{
    tt_network *n = open_net("srvgg/x2");
    tt_context *c = pic_context(1, 0);
    tt_image *in = pic_new(9, 9, 2, 8, 7);
    set_alpha(in, 0);
    tt_image_free(pic_upscale(c, n, in, 0, 0, NULL));
    tt_image_free(in);
    tt_network_free(n);
    tt_context_free(c);
}
END_TEST

/* ---- sizes ---------------------------------------------------------------------------------------- */

START_TEST(any_factor)
{
    static const struct {
        const char *net;
        double scale;
        int w, h, passes;
    } cases[] = {
        {"srvgg/x2", 0, 46, 34, 1},      {"srvgg/x2", 1.5, 35, 26, 1}, {"srvgg/x2", 3, 69, 51, 2},
        {"srvgg/x2", 0.7, 16, 12, 0},    {"srvgg/x2", 1, 23, 17, 1},   {"srvgg/x2", 8, 184, 136, 3},
        {"rrdb/body_x4", 2.3, 53, 39, 1}, {"rrdb/body_x1", 0, 23, 17, 1}, {"rrdb/body_x1", 2, 46, 34, 1},
        {"rrdb/body_x1", 0.5, 12, 9, 1}, {"vdsr/bias", 0, 46, 34, 1},  {"vdsr/bias", 2.5, 58, 43, 1},
        {"vdsr/bias", 0.5, 12, 9, 0},    {"waifu2x/vgg_7_y", 1.2, 28, 20, 1}, {"srvgg/x2", 0.001, 1, 1, 0},
        {"rrdb/old_x2_gray", 2.9, 67, 49, 2},
    };
    tt_context *c = pic_context(2, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int channels = 1; channels <= 4; channels++) {
            tt_report r;
            tt_network *n = open_net(cases[i].net);
            tt_image *in = pic_new(23, 17, channels, 8, 1);
            tt_image *out = pic_upscale(c, n, in, cases[i].scale, 0, &r);
            ck_assert_msg(out->width == cases[i].w && out->height == cases[i].h && r.passes == cases[i].passes,
                          "%s, factor %g: %dx%d in %d passes", cases[i].net, cases[i].scale, out->width,
                          out->height, r.passes);
            tt_image_free(in);
            tt_image_free(out);
            tt_network_free(n);
        }
    tt_context_free(c);
}
END_TEST

START_TEST(exact_sizes)
{
    static const int cases[][4] = {
        {50, 50, 50, 50}, {100, 0, 100, 74}, {0, 100, 135, 100}, {10, 60, 10, 60}, {5, 0, 5, 4}, {46, 34, 46, 34}};
    static const char *const names[] = {"srvgg/x2", "vdsr/bias", "rrdb/body_x1"};
    tt_context *c = pic_context(1, 0);
    for (int net = 0; net < 3; net++)
        for (int i = 0; i < 6; i++) {
            tt_network *n = open_net(names[net]);
            tt_image *in = pic_new(23, 17, 4, 16, 1), *out;
            const tt_upscale_options o = {.size = sizeof o, .width = cases[i][0], .height = cases[i][1]};
            ck_assert(!tt_upscale(c, n, in, &o, &out, NULL));
            ck_assert_int_eq(out->width, cases[i][2]);
            ck_assert_int_eq(out->height, cases[i][3]);
            tt_image_free(in);
            tt_image_free(out);
            tt_network_free(n);
        }
    tt_context_free(c);
}
END_TEST

START_TEST(smallest_pictures)
{
    const int sizes[][2] = {{1, 1}, {1, 5}, {3, 1}, {2, 2}};
    tt_network *n = open_net(nets[_i]);
    tt_context *c = pic_context(2, 0);
    for (int s = 0; s < 4; s++)
        for (int tta = 0; tta < 2; tta++) {
            tt_image *in = pic_new(sizes[s][0], sizes[s][1], 4, 8, 3), *out = pic_upscale(c, n, in, 0, tta, NULL);
            ck_assert_int_eq(out->width, sizes[s][0] * natural(n));
            tt_image_free(in);
            tt_image_free(out);
        }
    tt_network_free(n);
    tt_context_free(c);
}
END_TEST

/* A flat picture through the bicubic, up and down, stays flat: the final resampling has no rim. */
START_TEST(resampling_keeps_flat_pictures)
{
    tt_network *n = open_net("srvgg/x2");
    tt_context *c = pic_context(3, 0);
    tt_image *in = pic_new(40, 30, 3, 16, 1);
    for (int i = 0; i < 40 * 30 * 3; i++)
        ((uint16_t *)in->samples)[i] = (uint16_t)(20000 + i % 3 * 5000);
    for (int s = 1; s < 10; s++) {
        tt_image *out = pic_upscale(c, n, in, s / 10.0, 0, NULL);
        for (int i = 0; i < out->width * out->height * 3; i++)
            ck_assert_int_eq(((uint16_t *)out->samples)[i], 20000 + i % 3 * 5000);
        tt_image_free(out);
    }
    tt_image_free(in);
    tt_network_free(n);
    tt_context_free(c);
}
END_TEST

START_TEST(metadata_goes_along)
{
    tt_network *n = open_net("srvgg/x2");
    tt_context *c = pic_context(1, 0);
    tt_image *in = pic_new(9, 8, 3, 8, 1);
    in->dpi_x = in->dpi_y = 300;
    in->xmp = (tt_blob){malloc(4), 4};
    memcpy(in->xmp.data, "<x/>", 4);
    tt_image *out = pic_upscale(c, n, in, 0, 0, NULL);
    ck_assert(out->dpi_x == 300 && out->xmp.size >= 4);
    tt_image_free(in);
    tt_image_free(out);
    tt_network_free(n);
    tt_context_free(c);
}
END_TEST

/* ---- refusals ------------------------------------------------------------------------------------- */

START_TEST(senseless_options)
{
    static const tt_upscale_options bad[] = {
        {.size = 0},
        {.size = sizeof bad[0], .scale = -1},
        {.size = sizeof bad[0], .scale = NAN},
        {.size = sizeof bad[0], .scale = INFINITY},
        {.size = sizeof bad[0], .width = -5},
        {.size = sizeof bad[0], .scale = 2, .width = 5},
        {.size = sizeof bad[0], .scale = 1e9},
        {.size = sizeof bad[0], .width = 2000000},
    };
    tt_network *n = open_net("srvgg/x2");
    tt_context *c = pic_context(1, 0);
    tt_image *in = pic_new(9, 8, 3, 8, 1), *out = in;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        tt_error err = {0};
        ck_assert_int_eq(tt_upscale(c, n, in, &bad[i], &out, &err), TT_ERR_USAGE);
        ck_assert(err.status == TT_ERR_USAGE && *err.text && !out);
    }
    tt_image_free(in);
    tt_network_free(n);
    tt_context_free(c);
}
END_TEST

/* An open network whose weights are so large that its output is not finite. */
static tt_network *overflowing(void)
{
    tt_weights w;
    tt_tensor_out t[64];
    unsigned char *bytes;
    size_t size;
    ck_assert(!tt_weights_open(&w, golden_path("srvgg/x2/weights.safetensors"), NULL));
    ck_assert(w.count <= 64);
    for (size_t i = 0; i < w.count; i++) {
        float *v = malloc(w.tensors[i].count * sizeof *v);
        ck_assert(!tt_tensor_floats(&w, &w.tensors[i], v, NULL));
        for (size_t j = 0; j < w.tensors[i].count; j++)
            v[j] *= 1e20f;
        t[i] = (tt_tensor_out){.name = w.tensors[i].name, .rank = w.tensors[i].rank, .data = v};
        memcpy(t[i].shape, w.tensors[i].shape, sizeof t[i].shape);
    }
    ck_assert(!tt_safetensors_write(t, w.count, NULL, &bytes, &size, NULL));
    char path[] = "/tmp/tintype-test-XXXXXX";
    FILE *f = fdopen(mkstemp(path), "wb");
    ck_assert(f && fwrite(bytes, 1, size, f) == size && !fclose(f));
    for (size_t i = 0; i < w.count; i++)
        free((void *)(uintptr_t)t[i].data);
    free(bytes);
    tt_weights_clear(&w);
    tt_network *n;
    tt_error err = {0};
    ck_assert_msg(!tt_network_open(&n, path, NULL, &err), "%s", err.text);
    remove(path);
    return n;
}

START_TEST(no_picture_of_no_numbers)
{
    tt_network *n = overflowing();
    tt_context *c = pic_context(2, 0);
    for (int tta = 0; tta < 2; tta++)
        for (int channels = 1; channels <= 4; channels++) {
            tt_image *in = pic_new(19, 8, channels, 8, 1), *out = in;
            tt_error err = {0};
            const tt_upscale_options o = {.size = sizeof o, .scale = 1.5, .tta = tta};
            ck_assert_int_eq(tt_upscale(c, n, in, &o, &out, &err), TT_ERR_NUMERIC);
            ck_assert(!out && err.status == TT_ERR_NUMERIC);
            tt_image_free(in);
        }
    tt_network_free(n);
    tt_context_free(c);
}
END_TEST

static void cancel(void *user, double done)
{
    if (done > 0.3)
        tt_context_cancel(user);
}

START_TEST(cancelled)
{
    tt_network *n = open_net("rrdb/body_x4");
    tt_context *c = pic_context(2, 0);
    tt_image *in = pic_new(30, 20, 3, 8, 1), *out = in;
    const tt_upscale_options o = {.size = sizeof o, .progress = cancel, .user = c};
    ck_assert_int_eq(tt_upscale(c, n, in, &o, &out, NULL), TT_ERR_CANCELLED);
    ck_assert(!out);
    tt_image_free(pic_upscale(c, n, in, 0, 0, NULL)); /* the context works again */
    tt_context_cancel(c);
    ck_assert_int_eq(tt_upscale(c, n, in, NULL, &out, NULL), TT_ERR_CANCELLED); /* asked for before */
    tt_image_free(in);
    tt_network_free(n);
    tt_context_free(c);
}
END_TEST

static void ascend(void *user, double done)
{
    double *last = user;
    ck_assert_msg(done >= *last - 1e-12 && done <= 1 + 1e-12, "from %g to %g", *last, done);
    *last = done;
}

START_TEST(progress_goes_up_to_one)
{
    tt_network *n = open_net("srvgg/x2");
    tt_context *c = pic_context(2, 0);
    tt_image *in = pic_new(30, 20, 4, 8, 1), *out;
    for (int tta = 0; tta < 2; tta++) {
        double last = 0;
        const tt_upscale_options o = {.size = sizeof o, .scale = 5, .tta = tta, .progress = ascend, .user = &last};
        ck_assert(!tt_upscale(c, n, in, &o, &out, NULL));
        ck_assert(last == 1);
        tt_image_free(out);
    }
    tt_image_free(in);
    tt_network_free(n);
    tt_context_free(c);
}
END_TEST

Suite *suite_src_upscale(void);
Suite *suite_src_upscale(void)
{
    Suite *s = suite_create("src/upscale");
    TCase *t = tcase_create("upscale");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, whole_pictures, 0, sizeof drivers / sizeof *drivers);
    tcase_add_loop_test(t, every_kind_of_picture, 0, NETS);
    tcase_add_test(t, grey_denoisers_take_each_channel);
    tcase_add_test(t, grey_jpeg_networks_take_matlabs_luma);
    tcase_add_test(t, grey_is_grey_colour);
    tcase_add_test(t, same_as_the_raw_network);
    tcase_add_loop_test(t, constant_alpha_stays, 0, 4);
    tcase_add_test(t, hidden_colour_is_harmless);
    tcase_add_test(t, wholly_transparent);
    tcase_add_test(t, any_factor);
    tcase_add_test(t, exact_sizes);
    tcase_add_loop_test(t, smallest_pictures, 0, NETS);
    tcase_add_test(t, resampling_keeps_flat_pictures);
    tcase_add_test(t, metadata_goes_along);
    tcase_add_test(t, senseless_options);
    tcase_add_test(t, no_picture_of_no_numbers);
    tcase_add_test(t, cancelled);
    tcase_add_test(t, progress_goes_up_to_one);
    suite_add_tcase(s, t);
    return s;
}
