#include "src/sink.h"

#include "engine/alloc.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { STEP = 64 }; /* rows resampled across at a time */

/* ---- memory --------------------------------------------------------------------------------------- */

static uint64_t add(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t floats(int planes, int rows, int width)
{
    return (uint64_t)planes * (uint64_t)rows * (uint64_t)width * sizeof(float); /* sides are below 2^31: fits */
}

/* Rows between the first that is still needed and the last that is: of bicubic, 4 / scale and mirrors. */
static int most_rows(int height, int to_height)
{
    const double ratio = (double)height / to_height;
    const double span = 5 * (ratio > 1 ? ratio : 1) + 4;
    return STEP + (span < height ? (int)span : height);
}

uint64_t tt_sink_bytes(int planes, int width, int height, int to_width, int to_height, bool whole, int tallest,
                       int threads)
{
    if (width == to_width && height == to_height)
        return 0;
    uint64_t sum = floats(planes, most_rows(height, to_height), to_width);
    sum = add(sum, tt_taps_bytes(TT_FILTER_BICUBIC, width, to_width));
    sum = add(sum, tt_taps_bytes(TT_FILTER_BICUBIC, height, to_height));
    sum = add(sum, floats(1, threads, to_width));
    return whole ? sum : add(sum, floats(planes, tallest, width));
}

/* ---- making --------------------------------------------------------------------------------------- */

static void schedule(tt_sink *s)
{
    int most = 0;
    for (int y = 0; y < s->to.height; y++)
        tt_taps_reach(&s->down, y, y + 1, &s->first[y], &s->last[y]);
    for (int y = s->to.height - 2; y >= 0; y--)
        if (s->first[y + 1] < s->first[y])
            s->first[y] = s->first[y + 1];
    for (int y = 0; y < s->to.height; y++)
        if (s->last[y] - s->first[y] + 1 > most)
            most = s->last[y] - s->first[y] + 1;
    s->room = STEP + most;
}

tt_status tt_sink_init(tt_sink *s, tt_pool *pool, const tt_kernels *k, const tt_pixels *to, int channel,
                       int planes, int width, int height, bool whole, int tallest, const tt_sink_next *on,
                       tt_error *err)
{
    assert(!to->ring || (on && !channel));
    *s = (tt_sink){.pool = pool, .k = k, .to = *to, .channel = channel, .planes = planes, .width = width,
                   .height = height, .resample = width != to->width || height != to->height,
                   .tallest = tallest, .on = on ? *on : (tt_sink_next){0}};
    if (!s->resample)
        return TT_OK;
    const size_t threads = (size_t)tt_pool_threads(pool), out_h = (size_t)to->height, out_w = (size_t)to->width;
    tt_status st = tt_taps_init(&s->across, TT_FILTER_BICUBIC, width, to->width, 0, err);
    if (!st)
        st = tt_taps_init(&s->down, TT_FILTER_BICUBIC, height, to->height, 0, err);
    if (st)
        goto fail;
    s->first = malloc(out_h * sizeof *s->first);
    s->last = malloc(out_h * sizeof *s->last);
    s->out = malloc(threads * out_w * sizeof *s->out);
    s->row = malloc(threads * (size_t)s->down.taps * sizeof *s->row);
    if (!s->first || !s->last || !s->out || !s->row) {
        st = tt_fail_memory(err, threads * out_w * sizeof *s->out);
        goto fail;
    }
    schedule(s);
    s->ring = malloc(floats(planes, s->room, to->width));
    if (!whole)
        s->band = malloc(floats(planes, tallest, width));
    if (s->ring && (whole || s->band))
        return TT_OK;
    st = tt_fail_memory(err, floats(planes, s->room, to->width));
fail:
    tt_sink_clear(s);
    return st;
}

void tt_sink_clear(tt_sink *s)
{
    tt_taps_clear(&s->across);
    tt_taps_clear(&s->down);
    free(s->first);
    free(s->last);
    free(s->ring);
    free(s->out);
    free(s->row);
    free(s->band);
    *s = (tt_sink){0};
}

/* ---- rows ----------------------------------------------------------------------------------------- */

typedef struct rows {
    tt_sink *s;
    float *src;
    ptrdiff_t stride, plane;
    int y0, n, at; /* at: of the ring */
} rows;

/* One row of one plane into the ring. */
static void across_row(void *arg, int unit, int thread)
{
    const rows *r = arg;
    const tt_sink *s = r->s;
    (void)thread;
    const int plane = unit / r->n, y = unit % r->n;
    float *src = r->src + plane * r->plane + y * r->stride;
    s->k->clamp(src, src, 0, 1, (size_t)s->width);
    s->k->resize_h(s->ring + ((ptrdiff_t)plane * s->room + r->at + y) * s->to.width, src, s->across.index,
                   s->across.weight, s->across.taps, (size_t)s->to.width);
}

/* One row of one plane of the result. */
static void down_row(void *arg, int unit, int thread)
{
    const rows *r = arg;
    const tt_sink *s = r->s;
    const int plane = unit / r->n, y = r->y0 + unit % r->n, taps = s->down.taps;
    const float **row = s->row + (ptrdiff_t)thread * taps;
    float *out = s->out + (ptrdiff_t)thread * s->to.width;
    for (int t = 0; t < taps; t++)
        row[t] = s->ring +
                 ((ptrdiff_t)plane * s->room + s->down.index[(ptrdiff_t)y * taps + t] - s->base) * s->to.width;
    s->k->resize_v(out, row, s->down.weight + (ptrdiff_t)y * taps, taps, (size_t)s->to.width);
    tt_pixels_write(s->k, &s->to, s->channel + plane, y, 0, (size_t)s->to.width, out);
}

/* Rows y0..y1-1 of the result are written; they do not go around the end of a ring. */
static tt_status hand_on(const tt_sink *s, int y0, int y1, tt_error *err)
{
    const size_t row = (size_t)s->to.width * (size_t)s->to.channels * (size_t)(s->to.depth / 8);
    if (!s->to.ring)
        return TT_OK;
    return s->on.rows(s->on.user, (const char *)s->to.data + (size_t)(y0 % s->to.ring) * row, y0, y1, err);
}

/* The end of the rows that can be written from y on before they are handed on. */
static int turn_end(const tt_sink *s, int y, int end)
{
    const int turn = s->to.ring ? y - y % s->to.ring + s->to.ring : end;
    return turn < end ? turn : end;
}

/* Write what can be written, and make room. */
static tt_status emit(tt_sink *s, tt_error *err)
{
    int end = s->next;
    tt_status st = TT_OK;
    while (end < s->to.height && s->last[end] < s->base + s->have)
        end++;
    for (int to; s->next < end && !st; s->next = to) {
        to = turn_end(s, s->next, end);
        rows r = {.s = s, .y0 = s->next, .n = to - s->next};
        tt_parallel(s->pool, r.n * s->planes, down_row, &r);
        st = hand_on(s, s->next, to, err);
    }
    int drop = (end < s->to.height ? s->first[end] : s->height) - s->base;
    drop = drop < s->have ? drop : s->have; /* where rows are skipped altogether, they still come by */
    for (int p = 0; p < s->planes; p++) {
        float *plane = s->ring + (ptrdiff_t)p * s->room * s->to.width;
        memmove(plane, plane + (ptrdiff_t)drop * s->to.width,
                (size_t)(s->have - drop) * (size_t)s->to.width * sizeof *plane);
    }
    s->base += drop;
    s->have -= drop;
    return st;
}

static tt_status put_band(tt_sink *s, float *src, ptrdiff_t stride, ptrdiff_t plane, int n, tt_error *err)
{
    tt_status st = TT_OK;
    for (int y = 0; y < n && !st; y += STEP) {
        rows r = {.s = s, .src = src + y * stride, .stride = stride, .plane = plane,
                  .n = n - y < STEP ? n - y : STEP, .at = s->have};
        assert(s->have + r.n <= s->room);
        tt_parallel(s->pool, r.n * s->planes, across_row, &r);
        s->have += r.n;
        st = emit(s, err);
    }
    return st;
}

/* Where nothing is resampled. */
static tt_status put_rows(tt_sink *s, const float *src, ptrdiff_t stride, ptrdiff_t plane, const tt_window *w,
                          tt_error *err)
{
    const int end = w->y0 + w->h;
    tt_status st = TT_OK;
    for (int y = w->y0, to; y < end && !st; y = to) {
        to = turn_end(s, y, end);
        for (int p = 0; p < s->planes; p++)
            tt_planes_write(s->pool, s->k, &s->to, s->channel + p, y, w->x0, to - y, w->w,
                            src + p * plane + (y - w->y0) * stride, stride);
        if (w->x0 + w->w == s->width)
            st = hand_on(s, y, to, err);
    }
    return st;
}

tt_status tt_sink_put(tt_sink *s, float *src, ptrdiff_t stride, ptrdiff_t plane, int y0, int y1, int x0, int x1,
                      tt_error *err)
{
    const int h = y1 - y0, w = x1 - x0;
    if (h <= 0 || w <= 0)
        return TT_OK;
    if (!s->resample)
        return put_rows(s, src, stride, plane, &(tt_window){y0, x0, h, w}, err);
    if (!s->band) {
        assert(y0 == s->base + s->have);
        return put_band(s, src, stride, plane, h, err);
    }
    if (x0 == 0 && y0 == s->base + s->have)
        s->top = y0;
    const ptrdiff_t band = (ptrdiff_t)s->tallest * s->width;
    float *to = s->band + (ptrdiff_t)(y0 - s->top) * s->width;
    for (int p = 0; p < s->planes; p++)
        for (int y = 0; y < h; y++)
            memcpy(to + p * band + (ptrdiff_t)y * s->width + x0, src + p * plane + y * stride,
                   (size_t)w * sizeof *src);
    if (x1 < s->width)
        return TT_OK;
    assert(y0 == s->base + s->have);
    return put_band(s, to, s->width, band, h, err);
}
