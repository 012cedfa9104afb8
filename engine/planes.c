#include "engine/planes.h"

#include "engine/alloc.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The matrix of rgb2ycbcr and its inverse, computed in rational arithmetic: MATLAB inverts, the two entries
 * near zero are no rounding errors. */
const float tt_ycc_from_rgb[3][4] = {
    {65.481f / 255, 128.553f / 255, 24.966f / 255, 16.0f / 255},
    {-37.797f / 255, -74.203f / 255, 112.0f / 255, 128.0f / 255},
    {112.0f / 255, -93.786f / 255, -18.214f / 255, 128.0f / 255},
};
const float tt_rgb_from_ycc[3][4] = {
    {1.1643835616438356f, 3.0112439743723867e-07f, 1.596026887335704f, -0.8742024200360563f},
    {1.1643835616438356f, -0.39176253994145005f, -0.8129682921622052f, 0.5316682726390843f},
    {1.1643835616438356f, 2.0172326395564593f, 3.054261745434849e-06f, -1.0856325717452218f},
};
const float tt_full_ycc_from_rgb[3][4] = {
    {0.299f, 0.587f, 0.114f, 0},
    {-0.16873589164785552f, -0.3312641083521445f, 0.5f, 0},
    {0.5f, -0.4186875891583452f, -0.08131241084165478f, 0},
};
const float tt_rgb_from_full_ycc[3][4] = {
    {1, 0, 1.402f, 0},
    {1, -0.34413628620102214f, -0.7141362862010222f, 0},
    {1, 1.772f, 0, 0},
};

static void each(tt_pool *pool, int units, tt_unit_fn *fn, void *arg)
{
    if (pool) {
        tt_parallel(pool, units, fn, arg);
    } else {
        for (int i = 0; i < units; i++)
            fn(arg, i, 0);
    }
}

/* ---- samples -------------------------------------------------------------------------------------- */

static size_t position(const tt_pixels *p, int channel, int y, int x)
{
    const size_t row = (size_t)(p->ring ? y % p->ring : y);
    return (row * (size_t)p->width + (size_t)x) * (size_t)p->channels + (size_t)channel;
}

void tt_pixels_read(const tt_kernels *k, const tt_pixels *p, int channel, int y, int x, size_t n, float *dst)
{
    const size_t at = position(p, channel, y, x);
    if (p->depth == 8)
        k->from_u8(dst, (const uint8_t *)p->data + at, p->channels, n);
    else
        k->from_u16(dst, (const uint16_t *)p->data + at, p->channels, n);
}

void tt_pixels_write(const tt_kernels *k, const tt_pixels *p, int channel, int y, int x, size_t n,
                     const float *src)
{
    const size_t at = position(p, channel, y, x);
    if (p->depth == 8)
        k->to_u8((uint8_t *)p->data + at, p->channels, src, n);
    else
        k->to_u16((uint16_t *)p->data + at, p->channels, src, n);
}

/* ---- windows -------------------------------------------------------------------------------------- */

/* The sample that stands at position i of 0..n-1 continued. */
static int continued(int i, int n, tt_extend e)
{
    if (i >= 0 && i < n)
        return i;
    if (e == TT_EXTEND_REPLICATE || n == 1)
        return i < 0 ? 0 : n - 1;
    if (e == TT_EXTEND_MIRROR) {
        const int j = continued(i, 2 * n, TT_EXTEND_REFLECT);
        return j < n ? j : 2 * n - 1 - j;
    }
    const int period = 2 * n - 2;
    const int m = ((i % period) + period) % period;
    return m < n ? m : period - m;
}

typedef struct reading {
    const tt_kernels *k;
    const tt_pixels *p;
    const tt_window *w;
    tt_extend e;
    float *dst;
} reading;

static void read_row(void *arg, int unit, int thread)
{
    const reading *r = arg;
    const tt_window *w = r->w;
    (void)thread;
    const int channel = unit / w->h, row = unit % w->h;
    const int y = continued(w->y0 + row, r->p->height, r->e);
    float *dst = r->dst + (ptrdiff_t)unit * w->w;
    const int end = w->x0 + w->w;
    int from = w->x0 < 0 ? 0 : w->x0, to = end < r->p->width ? end : r->p->width;
    if (to > from)
        tt_pixels_read(r->k, r->p, channel, y, from, (size_t)(to - from), dst + (from - w->x0));
    else
        from = to = end; /* all of it lies outside */
    for (int x = w->x0; x < from; x++)
        tt_pixels_read(r->k, r->p, channel, y, continued(x, r->p->width, r->e), 1, dst + (x - w->x0));
    for (int x = to; x < end; x++)
        tt_pixels_read(r->k, r->p, channel, y, continued(x, r->p->width, r->e), 1, dst + (x - w->x0));
}

void tt_planes_read(tt_pool *pool, const tt_kernels *k, const tt_pixels *p, int planes, const tt_window *w,
                    tt_extend e, float *dst)
{
    reading r = {k, p, w, e, dst};
    each(pool, planes * w->h, read_row, &r);
}

void tt_planes_reach(int height, const tt_window *w, tt_extend e, int *lo, int *hi)
{
    *lo = height - 1;
    *hi = 0;
    for (int i = w->y0; i < w->y0 + w->h; i++) {
        const int y = continued(i, height, e);
        *lo = y < *lo ? y : *lo;
        *hi = y > *hi ? y : *hi;
    }
}

typedef struct writing {
    const tt_kernels *k;
    const tt_pixels *p;
    int channel, y, x, w;
    const float *src;
    ptrdiff_t stride;
} writing;

static void write_row(void *arg, int unit, int thread)
{
    const writing *a = arg;
    (void)thread;
    tt_pixels_write(a->k, a->p, a->channel, a->y + unit, a->x, (size_t)a->w, a->src + unit * a->stride);
}

void tt_planes_write(tt_pool *pool, const tt_kernels *k, const tt_pixels *p, int channel, int y, int x, int h,
                     int w, const float *src, ptrdiff_t stride)
{
    writing a = {k, p, channel, y, x, w, src, stride};
    each(pool, h, write_row, &a);
}

/* ---- colour --------------------------------------------------------------------------------------- */

typedef struct colouring {
    const tt_kernels *k;
    float *const *plane;
    int w;
    const float (*m)[4];
} colouring;

static void colour_row(void *arg, int y, int thread)
{
    const colouring *a = arg;
    (void)thread;
    float *row[3];
    for (int i = 0; i < 3; i++)
        row[i] = a->plane[i] + (ptrdiff_t)y * a->w;
    const float *const src[3] = {row[0], row[1], row[2]};
    a->k->affine3(row, src, a->m, (size_t)a->w);
}

void tt_planes_colour3(tt_pool *pool, const tt_kernels *k, float *const plane[3], int h, int w,
                       const float m[3][4])
{
    colouring a = {k, plane, w, m};
    each(pool, h, colour_row, &a);
}

void tt_planes_colour(tt_pool *pool, const tt_kernels *k, float *planes, int h, int w, const float m[3][4])
{
    const size_t n = (size_t)h * (size_t)w;
    float *const plane[3] = {planes, planes + n, planes + 2 * n};
    tt_planes_colour3(pool, k, plane, h, w, m);
}

/* ---- a picture enlarged as it is read ------------------------------------------------------------- */

enum { CHUNK = 16 }; /* output rows a unit of work: few source rows are then resampled twice */

/* Source rows that CHUNK output rows may need, mirrored ones counted apart. */
static size_t chunk_rows(int in_h, int out_h)
{
    const double per_row = (double)in_h / out_h;
    const double rows = CHUNK * per_row + 4 * (per_row > 1 ? per_row : 1) + 4;
    return rows < in_h ? (size_t)rows : (size_t)in_h;
}

static bool zoom_floats(size_t rows, int in_w, int widest, int threads, size_t *n)
{
    return tt_mul(rows, (size_t)widest, n) && tt_add(*n, (size_t)in_w, n) && tt_mul(*n, (size_t)threads, n);
}

size_t tt_zoom_bytes(int in_w, int in_h, int out_w, int out_h, int widest, int threads)
{
    size_t n, sum = tt_taps_bytes(TT_FILTER_BICUBIC, in_h, out_h);
    if (!zoom_floats(chunk_rows(in_h, out_h), in_w, widest, threads, &n) || !tt_mul(n, sizeof(float), &n) ||
        !tt_add(sum, n, &sum) || !tt_add(sum, tt_taps_bytes(TT_FILTER_BICUBIC, in_w, out_w), &sum))
        return SIZE_MAX;
    return sum;
}

tt_status tt_zoom_init(tt_zoom *z, int in_w, int in_h, int out_w, int out_h, double scale, int widest,
                       int threads, tt_error *err)
{
    *z = (tt_zoom){.widest = widest};
    tt_status st = tt_taps_init(&z->across, TT_FILTER_BICUBIC, in_w, out_w, scale, err);
    if (!st)
        st = tt_taps_init(&z->down, TT_FILTER_BICUBIC, in_h, out_h, scale, err);
    if (st)
        goto fail;
    for (int y = 0; y < out_h; y++) { /* windows begin anywhere */
        int lo, hi;
        tt_taps_reach(&z->down, y, y + CHUNK < out_h ? y + CHUNK : out_h, &lo, &hi);
        if (hi - lo + 1 > z->rows)
            z->rows = hi - lo + 1;
    }
    size_t n;
    if (!zoom_floats((size_t)z->rows, in_w, widest, threads, &n) || !tt_mul(n, sizeof(float), &n)) {
        st = tt_fail_memory(err, SIZE_MAX);
        goto fail;
    }
    z->scratch = malloc(n);
    z->row = malloc((size_t)threads * (size_t)z->down.taps * sizeof *z->row);
    if (z->scratch && z->row)
        return TT_OK;
    st = tt_fail_memory(err, n);
fail:
    tt_zoom_clear(z);
    return st;
}

void tt_zoom_clear(tt_zoom *z)
{
    tt_taps_clear(&z->across);
    tt_taps_clear(&z->down);
    free(z->scratch);
    free(z->row);
    *z = (tt_zoom){0};
}

typedef struct zooming {
    const tt_kernels *k;
    const tt_zoom *z;
    const tt_pixels *p;
    int channel;
    const tt_window *w;
    int from, to; /* source columns that the window reads */
    float *dst;
} zooming;

static void zoom_chunk(void *arg, int unit, int thread)
{
    const zooming *a = arg;
    const tt_zoom *z = a->z;
    const tt_window *w = a->w;
    const int taps = z->down.taps, across = z->across.taps;
    float *source = z->scratch + (size_t)thread * ((size_t)z->rows * (size_t)z->widest + (size_t)z->across.in);
    float *between = source + z->across.in;
    const float **row = z->row + (size_t)thread * (size_t)taps;
    const int y0 = w->y0 + unit * CHUNK;
    const int y1 = y0 + CHUNK < w->y0 + w->h ? y0 + CHUNK : w->y0 + w->h;
    int lo, hi;
    tt_taps_reach(&z->down, y0, y1, &lo, &hi);
    for (int y = lo; y <= hi; y++) {
        tt_pixels_read(a->k, a->p, a->channel, y, a->from, (size_t)(a->to - a->from), source + a->from);
        a->k->resize_h(between + (ptrdiff_t)(y - lo) * w->w, source, z->across.index + (ptrdiff_t)w->x0 * across,
                       z->across.weight + (ptrdiff_t)w->x0 * across, across, (size_t)w->w);
    }
    for (int y = y0; y < y1; y++) {
        for (int t = 0; t < taps; t++)
            row[t] = between + (ptrdiff_t)(z->down.index[(ptrdiff_t)y * taps + t] - lo) * w->w;
        a->k->resize_v(a->dst + (ptrdiff_t)(y - w->y0) * w->w, row, z->down.weight + (ptrdiff_t)y * taps, taps,
                       (size_t)w->w);
    }
}

void tt_zoom_read(tt_pool *pool, const tt_kernels *k, const tt_zoom *z, const tt_pixels *p, int channel,
                  const tt_window *w, float *dst)
{
    zooming a = {.k = k, .z = z, .p = p, .channel = channel, .w = w, .dst = dst};
    if (w->w <= 0 || w->h <= 0)
        return;
    tt_taps_reach(&z->across, w->x0, w->x0 + w->w, &a.from, &a.to);
    a.to++;
    each(pool, (w->h + CHUNK - 1) / CHUNK, zoom_chunk, &a);
}
