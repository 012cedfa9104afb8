/*
 * Between interleaved samples, as files have them, and float planes 0..1, as networks want them.
 *
 * Everything here works on a window, so that a tile needs no planes of the whole picture. A value does not
 * depend on the window it is computed in.
 */
#ifndef TT_ENGINE_PLANES_H
#define TT_ENGINE_PLANES_H

#include "engine/pool.h"
#include "engine/resize.h"
#include "engine/status.h"
#include "kernels/kernels.h"

#include <stddef.h>

/* Interleaved samples, rows without gaps; borrowed. */
typedef struct tt_pixels {
    void *data;
    int width, height, channels;
    int depth; /* 8: uint8_t, 16: uint16_t */
    int ring;  /* rows that exist, row y at y % ring; 0: all */
} tt_pixels;

/* n samples of one channel from (y, x) on, as floats; and back, clamped and rounded half to even. */
void tt_pixels_read(const tt_kernels *k, const tt_pixels *p, int channel, int y, int x, size_t n, float *dst);
void tt_pixels_write(const tt_kernels *k, const tt_pixels *p, int channel, int y, int x, size_t n,
                     const float *src);

typedef enum tt_extend {
    TT_EXTEND_REPLICATE, /* the edge pixel repeated */
    TT_EXTEND_REFLECT,   /* mirrored without repeating the edge pixel, periodically where that is not enough */
    TT_EXTEND_MIRROR,    /* right and below: mirrored with the edge pixel repeated, and what that makes reflected */
} tt_extend;

/* Rows y0.. and columns x0.. of the picture, h x w of them, which may lie outside. */
typedef struct tt_window {
    int y0, x0, h, w;
} tt_window;

/* dst [planes,h,w]: the first `planes` channels. pool may be NULL here and below. */
void tt_planes_read(tt_pool *pool, const tt_kernels *k, const tt_pixels *p, int planes, const tt_window *w,
                    tt_extend e, float *dst);
/* The first and the last row of the picture, `height` rows of it, that a window reads. */
void tt_planes_reach(int height, const tt_window *w, tt_extend e, int *lo, int *hi);
/* h rows of w floats, `stride` apart, of one channel to (y, x) on. */
void tt_planes_write(tt_pool *pool, const tt_kernels *k, const tt_pixels *p, int channel, int y, int x, int h,
                     int w, const float *src, ptrdiff_t stride);

/* Colour: rows of `dst = m * src` for affine3. MATLAB's YCbCr (Y 16..235, over 255) and full range BT.601. */
extern const float tt_ycc_from_rgb[3][4], tt_rgb_from_ycc[3][4];           /* MATLAB's rgb2ycbcr, ycbcr2rgb */
extern const float tt_full_ycc_from_rgb[3][4], tt_rgb_from_full_ycc[3][4]; /* JPEG's, chroma about 0 */
/* In place on planes [3,h,w]. Rows 1 and 2 of the result may be rubbish nobody wants: that is cheap. */
void tt_planes_colour(tt_pool *pool, const tt_kernels *k, float *planes, int h, int w, const float m[3][4]);
/* The same on three planes that lie anywhere. */
void tt_planes_colour3(tt_pool *pool, const tt_kernels *k, float *const plane[3], int h, int w,
                       const float m[3][4]);

/*
 * A picture resampled by bicubic, window by window, without the whole of it ever existing. Horizontal first.
 */
typedef struct tt_zoom {
    tt_taps across, down;
    int widest;    /* the widest window that may be asked for */
    int rows;      /* source rows that a chunk of output rows may need */
    float *scratch;
    const float **row;
} tt_zoom;
/* scale: the factor centres go by, 0 for out / in. threads: of the pool. */
tt_status tt_zoom_init(tt_zoom *z, int in_w, int in_h, int out_w, int out_h, double scale, int widest,
                       int threads, tt_error *err);
void tt_zoom_clear(tt_zoom *z); /* accepts zeros */
/* What tt_zoom_init() takes at most. */
size_t tt_zoom_bytes(int in_w, int in_h, int out_w, int out_h, int widest, int threads);
/* dst [h,w] of the enlarged channel; the window lies inside. One call at a time. */
void tt_zoom_read(tt_pool *pool, const tt_kernels *k, const tt_zoom *z, const tt_pixels *p, int channel,
                  const tt_window *w, float *dst);

#endif
