#include "kernels/kernels.h"

#include <math.h>

void tt_from_u8_c(float *dst, const uint8_t *src, ptrdiff_t step, size_t n)
{
    for (ptrdiff_t i = 0; i < (ptrdiff_t)n; i++)
        dst[i] = (float)src[i * step] / 255;
}

void tt_from_u16_c(float *dst, const uint16_t *src, ptrdiff_t step, size_t n)
{
    for (ptrdiff_t i = 0; i < (ptrdiff_t)n; i++)
        dst[i] = (float)src[i * step] / 65535;
}

/* 0..1 to 0..range; NaN fails the first comparison. lrintf rounds halves to even, as the vectors do. */
static long level(float v, float range)
{
    v = v > 0 ? v : 0;
    v = v < 1 ? v : 1;
    return lrintf(v * range);
}

void tt_to_u8_c(uint8_t *dst, ptrdiff_t step, const float *src, size_t n)
{
    for (ptrdiff_t i = 0; i < (ptrdiff_t)n; i++)
        dst[i * step] = (uint8_t)level(src[i], 255);
}

void tt_to_u16_c(uint16_t *dst, ptrdiff_t step, const float *src, size_t n)
{
    for (ptrdiff_t i = 0; i < (ptrdiff_t)n; i++)
        dst[i * step] = (uint16_t)level(src[i], 65535);
}

void tt_affine3_c(float *const dst[3], const float *const src[3], const float m[3][4], size_t n)
{
    for (size_t x = 0; x < n; x++) {
        const float s0 = src[0][x], s1 = src[1][x], s2 = src[2][x]; /* dst may be src */
        for (int i = 0; i < 3; i++)
            dst[i][x] = m[i][0] * s0 + m[i][1] * s1 + m[i][2] * s2 + m[i][3];
    }
}

void tt_resize_v_c(float *dst, const float *const *rows, const float *w, int taps, size_t n)
{
    for (size_t x = 0; x < n; x++) {
        float sum = 0;
        for (int t = 0; t < taps; t++)
            sum += w[t] * rows[t][x];
        dst[x] = sum;
    }
}

void tt_resize_h_c(float *dst, const float *src, const int32_t *index, const float *w, int taps, size_t n)
{
    for (size_t x = 0; x < n; x++, index += taps, w += taps) {
        float sum = 0;
        for (int t = 0; t < taps; t++)
            sum += w[t] * src[index[t]];
        dst[x] = sum;
    }
}
