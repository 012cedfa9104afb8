/*
 * Integer colour conversions of the programs that DeOldify is made with, bit for bit: Pillow's luma, OpenCV's
 * 8-bit YUV (14-bit fixed point, every result rounded and clamped).
 */
#ifndef TT_SRC_COLOUR8_H
#define TT_SRC_COLOUR8_H

#include <stdint.h>

/* Pillow, RGB to L. */
static inline uint8_t tt_luma8(const uint8_t rgb[3])
{
    return (uint8_t)((19595 * rgb[0] + 38470 * rgb[1] + 7471 * rgb[2] + 0x8000) >> 16);
}

/* What a sum of 14-bit products says; negative ones are rounded down at the half, as an arithmetic shift
 * does. */
static inline int64_t tt_descale14(int64_t t)
{
    return (t + (1 << 13)) >> 14;
}

static inline int64_t tt_clamp_to(int64_t v, int64_t most)
{
    return v < 0 ? 0 : v > most ? most : v;
}

/* OpenCV, COLOR_RGB2YUV. Samples of any depth: `most` is the largest; only 8 bits (most 255) are OpenCV's. */
static inline int64_t tt_yuv_luma(int64_t r, int64_t g, int64_t b)
{
    return tt_descale14(4899 * r + 9617 * g + 1868 * b);
}
static inline void tt_yuv_chroma8(const uint8_t rgb[3], uint8_t *u, uint8_t *v)
{
    const int64_t y = tt_yuv_luma(rgb[0], rgb[1], rgb[2]), half = (int64_t)128 << 14;
    *u = (uint8_t)tt_clamp_to(tt_descale14(8061 * (rgb[2] - y) + half), 255);
    *v = (uint8_t)tt_clamp_to(tt_descale14(14369 * (rgb[0] - y) + half), 255);
}

/* OpenCV, COLOR_YUV2RGB, with chroma of 8 bits and luma of 0..most: 255, or 65535 where it has 16 bits. */
static inline void tt_yuv_to_rgb(int64_t y, uint8_t u, uint8_t v, int64_t most, int64_t rgb[3])
{
    const int64_t unit = most / 255, cu = (u - 128) * unit, cv = (v - 128) * unit;
    rgb[0] = tt_clamp_to(y + tt_descale14(18678 * cv), most);
    rgb[1] = tt_clamp_to(y + tt_descale14(-6472 * cu - 9519 * cv), most);
    rgb[2] = tt_clamp_to(y + tt_descale14(33292 * cu), most);
}

#endif
