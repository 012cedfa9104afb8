#include "src/alpha.h"

#include "engine/alloc.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { EMPTY, FILLED, NEXT }; /* NEXT: in the queue, to be filled in the coming round */

/* Interleaved samples of any kind. depth 32 stands for floats. */
typedef struct canvas {
    void *samples;
    int w, h, step, colours, depth;
    unsigned char *state; /* [h,w] */
    uint32_t *queue;      /* every pixel enters once */
    size_t queued;
} canvas;

static float get(const canvas *c, size_t pixel, int channel)
{
    const size_t at = pixel * (size_t)c->step + (size_t)channel;
    if (c->depth == 8)
        return ((const uint8_t *)c->samples)[at];
    if (c->depth == 16)
        return ((const uint16_t *)c->samples)[at];
    return ((const float *)c->samples)[at];
}

static void set(canvas *c, size_t pixel, int channel, float v)
{
    const size_t at = pixel * (size_t)c->step + (size_t)channel;
    if (c->depth == 8)
        ((uint8_t *)c->samples)[at] = (uint8_t)lrintf(v);
    else if (c->depth == 16)
        ((uint16_t *)c->samples)[at] = (uint16_t)lrintf(v);
    else
        ((float *)c->samples)[at] = v;
}

/* The pixels round `pixel` that exist, and itself. */
static int neighbours(const canvas *c, size_t pixel, size_t found[9])
{
    const int y = (int)(pixel / (size_t)c->w), x = (int)(pixel % (size_t)c->w);
    int n = 0;
    for (int v = y > 0 ? y - 1 : 0; v <= y + 1 && v < c->h; v++)
        for (int u = x > 0 ? x - 1 : 0; u <= x + 1 && u < c->w; u++)
            found[n++] = (size_t)v * (size_t)c->w + (size_t)u;
    return n;
}

static void enqueue_around(canvas *c, size_t pixel)
{
    size_t near[9];
    const int n = neighbours(c, pixel, near);
    for (int i = 0; i < n; i++)
        if (c->state[near[i]] == EMPTY) {
            c->state[near[i]] = NEXT;
            c->queue[c->queued++] = (uint32_t)near[i];
        }
}

static void fill_pixel(canvas *c, size_t pixel)
{
    size_t near[9];
    const int n = neighbours(c, pixel, near);
    float sum[3] = {0};
    int count = 0;
    for (int i = 0; i < n; i++) {
        if (c->state[near[i]] != FILLED)
            continue;
        for (int j = 0; j < c->colours; j++)
            sum[j] += get(c, near[i], j);
        count++;
    }
    for (int j = 0; j < c->colours; j++)
        set(c, pixel, j, sum[j] / (float)count);
}

/* state says what is filled. Rounds go outwards, so each costs only its own pixels. */
static void bleed(canvas *c, int passes)
{
    const size_t pixels = (size_t)c->w * (size_t)c->h;
    for (size_t p = 0; p < pixels; p++)
        if (c->state[p] == FILLED)
            enqueue_around(c, p);
    for (size_t from = 0, round = 0; from < c->queued && (!passes || round < (size_t)passes); round++) {
        const size_t to = c->queued;
        for (size_t i = from; i < to; i++)
            fill_pixel(c, c->queue[i]);
        for (size_t i = from; i < to; i++)
            c->state[c->queue[i]] = FILLED;
        for (size_t i = from; i < to; i++)
            enqueue_around(c, c->queue[i]);
        from = to;
    }
    for (size_t p = 0; p < pixels; p++)
        if (c->state[p] != FILLED)
            for (int i = 0; i < c->colours; i++)
                set(c, p, i, 0);
}

static tt_status prepare(canvas *c, size_t holes, tt_error *err)
{
    const size_t pixels = (size_t)c->w * (size_t)c->h;
    if (pixels > UINT32_MAX)
        return tt_fail(err, TT_ERR_UNSUPPORTED, "a picture with alpha of %zu pixels is too large", pixels);
    c->state = malloc(pixels);
    c->queue = malloc((holes ? holes : 1) * sizeof *c->queue);
    if (!c->state || !c->queue)
        return tt_fail_memory(err, pixels + holes * sizeof *c->queue);
    return TT_OK;
}

static void release(canvas *c)
{
    free(c->state);
    free(c->queue);
}

tt_status tt_alpha_bleed(float *rgb, const float *visible, int w, int h, int channels, int passes, tt_error *err)
{
    canvas c = {.samples = rgb, .w = w, .h = h, .step = channels, .colours = channels, .depth = 32};
    const size_t pixels = (size_t)w * (size_t)h;
    size_t holes = 0;
    for (size_t p = 0; p < pixels; p++)
        holes += !(visible[p] > 0);
    const tt_status st = prepare(&c, holes, err);
    if (!st) {
        for (size_t p = 0; p < pixels; p++)
            c.state[p] = visible[p] > 0 ? FILLED : EMPTY;
        bleed(&c, passes);
    }
    release(&c);
    return st;
}

/* ---- pictures ------------------------------------------------------------------------------------- */

static bool has_alpha(const tt_image *img)
{
    return img->channels == 2 || img->channels == 4;
}

static bool is_hole(const tt_image *img, size_t pixel)
{
    const size_t at = (pixel + 1) * (size_t)img->channels - 1;
    return img->depth == 8 ? !((const uint8_t *)img->samples)[at] : !((const uint16_t *)img->samples)[at];
}

size_t tt_alpha_holes(const tt_image *img)
{
    size_t holes = 0;
    if (has_alpha(img))
        for (size_t p = 0; p < (size_t)img->width * (size_t)img->height; p++)
            holes += is_hole(img, p);
    return holes;
}

uint64_t tt_alpha_fill_bytes(const tt_image *img, size_t holes)
{
    return (uint64_t)img->width * (uint64_t)img->height + (uint64_t)holes * sizeof(uint32_t);
}

tt_status tt_alpha_fill(tt_image *img, tt_error *err)
{
    canvas c = {.samples = img->samples, .w = img->width, .h = img->height, .step = img->channels,
                .colours = img->channels - 1, .depth = img->depth};
    const tt_status st = prepare(&c, tt_alpha_holes(img), err);
    if (!st) {
        for (size_t p = 0; p < (size_t)img->width * (size_t)img->height; p++)
            c.state[p] = is_hole(img, p) ? EMPTY : FILLED;
        bleed(&c, 0);
    }
    release(&c);
    return st;
}
