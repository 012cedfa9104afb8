/*
 * Colour under transparent pixels. Files hold anything there, black as a rule, and a network spreads it
 * into the visible rim. waifu2x's cure: colours bleed outwards from the visible pixels before the network
 * runs.
 */
#ifndef TT_SRC_ALPHA_H
#define TT_SRC_ALPHA_H

#include "src/image/image.h"

/* Pixels with alpha 0; 0 where there is no alpha. */
size_t tt_alpha_holes(const tt_image *img);
/* Memory that filling takes beside the picture. */
uint64_t tt_alpha_fill_bytes(const tt_image *img, size_t holes);

/*
 * rgb [h,w,channels] interleaved floats in place, visible [h,w]: not 0 where the colour is real. The others
 * are filled in `passes` rounds, each setting a still empty pixel to the mean of its non-empty 3x3
 * neighbours; what is not reached becomes 0. Where passes is 0 nothing stays empty (but in a picture
 * without a visible pixel).
 */
tt_status tt_alpha_bleed(float *rgb, const float *visible, int w, int h, int channels, int passes, tt_error *err);

/* The same, all passes, on the samples of a picture with alpha: colour under alpha 0 is replaced. */
tt_status tt_alpha_fill(tt_image *img, tt_error *err);

#endif
