/*
 * Resampling of 8-bit pictures by Pillow's BILINEAR, bit for bit: a triangle as wide as the sampling distance
 * of the coarser side, weights of 22 bits, the result of the horizontal pass rounded to 8 bits before the
 * vertical one. A pass that would not change its size is none.
 */
#ifndef TT_SRC_BILINEAR_H
#define TT_SRC_BILINEAR_H

#include "engine/status.h"

#include <stddef.h>
#include <stdint.h>

/* One axis: output i is made of the inputs first[i] .. first[i] + count[i] - 1. */
typedef struct tt_bilinear {
    int in, out;
    int most; /* the largest count */
    int *first, *count;
    int32_t *weight; /* [out][most] */
} tt_bilinear;

/* in, out: 1 to 1000000. TT_ERR_MEMORY; tt_bilinear_clear() in any case. */
tt_status tt_bilinear_init(tt_bilinear *b, int in, int out, tt_error *err);
void tt_bilinear_clear(tt_bilinear *b); /* accepts zeros */

/* A row of b->in pixels to one of b->out, `channels` interleaved samples each. */
void tt_bilinear_across(const tt_bilinear *b, const uint8_t *src, int channels, uint8_t *dst);
/* Row y of the result from the b->in rows of n samples, `stride` apart. */
void tt_bilinear_down(const tt_bilinear *b, const uint8_t *src, size_t stride, int y, size_t n, uint8_t *dst);

#endif
