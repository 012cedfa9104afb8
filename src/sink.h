/*
 * Where the pixels of a picture go as they are made, in bands of rows from top to bottom: into the samples
 * of the result, or through an antialiased bicubic to another size first. Resampling keeps only as many
 * rows as its filter spans, and where finished rows are handed on, only some of the result exist.
 */
#ifndef TT_SRC_SINK_H
#define TT_SRC_SINK_H

#include "engine/planes.h"

#include <stdbool.h>
#include <stdint.h>

/* Who takes the rows of a result as they are finished, y0..y1-1, in their order. */
typedef struct tt_sink_next {
    tt_status (*rows)(void *user, const void *samples, int y0, int y1, tt_error *err);
    void *user;
} tt_sink_next;

typedef struct tt_sink {
    tt_pool *pool;
    const tt_kernels *k;
    tt_pixels to;
    tt_sink_next on; /* where `to` is a ring */
    int channel, planes; /* planes go to channels channel.. of `to` */
    int width, height;   /* of what is put in */
    /* where that is not the size of `to`: */
    bool resample;
    tt_taps across, down;
    int *first;    /* [to.height] the first row that this output or a later one needs */
    int *last;     /* [to.height] the last row that this output needs */
    float *ring;   /* [planes][room][to.width] rows resampled across, from row `base` on */
    int room, base, have;
    int next;      /* the next output row */
    float *out;    /* [threads][to.width] */
    const float **row; /* [threads][down.taps] */
    /* where bands arrive in pieces: */
    float *band;   /* [planes][tallest][width], from row `top` on */
    int tallest, top;
} tt_sink;

/*
 * to.ring: `on` takes the rows; channels that are not put here it has to put there itself. Where tiles arrive and nothing
 * is resampled, the ring has their height.
 * whole: bands arrive in full width; else in tiles, at most `tallest` rows high, left to right, each tile's rows from
 * top to bottom.
 * `to` is borrowed: its samples must be there until the last put.
 */
tt_status tt_sink_init(tt_sink *s, tt_pool *pool, const tt_kernels *k, const tt_pixels *to, int channel,
                       int planes, int width, int height, bool whole, int tallest, const tt_sink_next *on,
                       tt_error *err);
void tt_sink_clear(tt_sink *s); /* accepts zeros */
/* What tt_sink_init() takes at most. */
uint64_t tt_sink_bytes(int planes, int width, int height, int to_width, int to_height, bool whole, int tallest,
                       int threads);

/* src [planes]: rows y0..y1-1 and columns x0..x1-1; rows `stride` floats apart, planes `plane`. Values are
 * clamped to 0..1, in place where they are resampled. A status only of `on`. */
tt_status tt_sink_put(tt_sink *s, float *src, ptrdiff_t stride, ptrdiff_t plane, int y0, int y1, int x0, int x1,
                      tt_error *err);

#endif
