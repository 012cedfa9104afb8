#include "tests/src/picture.h"

#include "tests/golden.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static double sample(int x, int y, int c, unsigned seed)
{
    const double wave = 0.5 + 0.3 * sin(0.21 * x + 0.13 * y + c + seed) + 0.15 * sin(0.9 * y - 0.4 * x * (c + 1));
    const unsigned noise = ((unsigned)x * 73856093u ^ (unsigned)y * 19349663u ^ ((unsigned)c + seed) * 83492791u) *
                           2654435761u >> 24;
    const double v = wave + noise / 2550.0 + ((x / 11 + y / 7) % 3 == 0 ? 0.25 : 0);
    return v < 0 ? 0 : v > 1 ? 1 : v;
}

/* 0 outside, 1 inside, a slope between */
static double opacity(int x, int y, int w, int h)
{
    const double dx = (x + 0.5) / w - 0.5, dy = (y + 0.5) / h - 0.5;
    const double v = 3 - 8 * (dx * dx + dy * dy) * 1.8;
    return v < 0.4 ? 0 : v > 1.4 ? 1 : v - 0.4;
}

tt_image *pic_new(int w, int h, int channels, int depth, unsigned seed)
{
    tt_image *img = calloc(1, sizeof *img);
    ck_assert(img && !tt_image_init(img, w, h, channels, depth, NULL));
    for (int y = 0, i = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            for (int c = 0; c < channels; c++, i++) {
                const bool alpha = c == channels - 1 && channels % 2 == 0;
                const double v = alpha ? opacity(x, y, w, h) : sample(x, y, c, seed);
                if (depth == 8)
                    ((uint8_t *)img->samples)[i] = (uint8_t)lrint(v * 255);
                else
                    ((uint16_t *)img->samples)[i] = (uint16_t)lrint(v * 65535);
            }
    return img;
}

tt_image *pic_golden(const tt_weights *g, const char *name)
{
    const tt_tensor *t = tt_weights_find(g, name);
    tt_image *img;
    ck_assert(t && t->dtype == TT_U8 && t->rank == 3);
    ck_assert(!tt_image_new(&img, (int)t->shape[1], (int)t->shape[0], (int)t->shape[2], 8, t->data, NULL));
    return img;
}

tt_context *pic_context(int threads, uint64_t memory)
{
    tt_context *c;
    tt_error err = {0};
    const tt_context_options o = {.size = sizeof o, .threads = threads,
                                  .memory = memory ? memory : (uint64_t)1 << 40};
    ck_assert_msg(!tt_context_new(&c, &o, &err), "%s", err.text);
    return c;
}

tt_network *pic_network(const char *golden, const char *setting)
{
    tt_network *n;
    tt_error err = {0};
    const char *const settings[] = {setting, NULL};
    ck_assert_msg(!tt_network_open(&n, golden_path(golden), setting ? settings : NULL, &err), "%s", err.text);
    return n;
}

tt_image *pic_upscale(tt_context *c, const tt_network *n, const tt_image *in, double scale, int tta, tt_report *r)
{
    tt_image *out = NULL;
    tt_error err = {0};
    const tt_upscale_options o = {.size = sizeof o, .scale = scale, .tta = tta};
    ck_assert_msg(!tt_upscale_report(c, n, in, &o, &out, r, &err), "%s", err.text);
    ck_assert_int_eq(out->channels, in->channels);
    ck_assert_int_eq(out->depth, in->depth);
    return out;
}

bool pic_same(const tt_image *a, const tt_image *b)
{
    return a->width == b->width && a->height == b->height && a->channels == b->channels && a->depth == b->depth &&
           !memcmp(a->samples, b->samples, (size_t)a->width * (size_t)a->height * tt_image_pixel_bytes(a));
}
