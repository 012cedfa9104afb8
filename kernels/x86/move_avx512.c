#include "kernels/kernels.h"

#include <immintrin.h>

enum { LANES = 16, R_MAX = 8 };

static __mmask16 lanes(int left)
{
    return (__mmask16)(left < LANES ? (1u << left) - 1 : 0xffffu);
}

/*
 * Sixteen values become r vectors; vector v takes its lanes from the values (v * 16 + lane) / r:
 *     r = 3:  0 0 0 1 1 1 2 2 2 3 3 3 4 4 4 5 | 5 5 6 6 6 7 7 7 ...
 */
static void repeat_pattern(int32_t where[R_MAX * LANES], int r)
{
    for (int x = 0; x < LANES; x++)
        for (int i = 0; i < r; i++)
            where[x * r + i] = x;
}

void tt_nearest_avx512(float *dst, const float *src, int r, int pixel, size_t n)
{
    if (pixel == 1 && r <= R_MAX) {
        int32_t where[R_MAX * LANES];
        repeat_pattern(where, r);
        for (size_t x = 0; x < n; x += LANES, src += LANES, dst += r * LANES) {
            const int in = n - x < LANES ? (int)(n - x) : LANES, out = in * r;
            const __m512 s = _mm512_maskz_loadu_ps(lanes(in), src);
            for (int o = 0; o < out; o += LANES)
                _mm512_mask_storeu_ps(dst + o, lanes(out - o),
                                      _mm512_permutexvar_ps(_mm512_loadu_si512(where + o), s));
        }
        return;
    }
    for (size_t x = 0; x < n; x++, src += pixel, dst += (ptrdiff_t)r * pixel) {
        for (int l = 0; l < pixel; l += LANES) {
            const __mmask16 m = lanes(pixel - l);
            const __m512 v = _mm512_maskz_loadu_ps(m, src + l);
            for (int i = 0; i < r; i++)
                _mm512_mask_storeu_ps(dst + (ptrdiff_t)i * pixel + l, m, v);
        }
    }
}

/* An offset that a 32-bit index holds, and room to add a few to it. */
static int fits(ptrdiff_t offset)
{
    return offset > -(1 << 30) && offset < 1 << 30;
}

/*
 * Planar output: the r values that pixel x gives to a row of channel c lie beside each other (unless a block
 * ends between them), and so do their places; one gather reads as many pixels as fill a vector.
 */
static void shuffle_planar(const tt_shuffle_row *a)
{
    const int r = a->r;
    int32_t where[R_MAX * LANES], offset[R_MAX * LANES];
    repeat_pattern(where, r);
    for (int c = 0; c < a->channels; c++) {
        const int k = c * r * r + a->dy * r, plane = k / a->block;
        for (int dx = 0; dx < r; dx++) {
            const int32_t at = (int32_t)(((k + dx) / a->block - plane) * a->src_plane) + (k + dx) % a->block;
            for (int x = 0; x < LANES; x++)
                offset[x * r + dx] = at + x * a->block;
        }
        const float *src = a->src + plane * a->src_plane;
        const float *add = a->add ? a->add + c * a->add_plane : NULL;
        float *dst = a->dst + c * a->dst_plane;
        for (int x = 0; x < a->n; x += LANES, src += LANES * a->block, dst += LANES * r) {
            const int in = a->n - x < LANES ? a->n - x : LANES, out = in * r;
            const __m512 base = add ? _mm512_maskz_loadu_ps(lanes(in), add + x) : _mm512_setzero_ps();
            for (int o = 0; o < out; o += LANES) {
                const __mmask16 m = lanes(out - o);
                const __m512i index = _mm512_loadu_si512(offset + o);
                __m512 v = _mm512_mask_i32gather_ps(_mm512_setzero_ps(), m, index, src, 4);
                if (add)
                    v = _mm512_add_ps(v, _mm512_permutexvar_ps(_mm512_loadu_si512(where + o), base));
                _mm512_mask_storeu_ps(dst + o, m, v);
            }
        }
    }
}

/* Blocked output: the lanes of a pixel lie r * r channels apart, in the r * r blocks from b * r * r on. */
static void shuffle_blocked(const tt_shuffle_row *a)
{
    const int r = a->r;
    for (int dx = 0; dx < r; dx++) {
        int32_t offset[LANES];
        for (int l = 0; l < LANES; l++) {
            const int k = l * r * r + a->dy * r + dx;
            offset[l] = (int32_t)(k / LANES * a->src_plane) + k % LANES;
        }
        const __m512i index = _mm512_loadu_si512(offset);
        for (int b = 0; b * LANES < a->channels; b++) {
            const __mmask16 m = lanes(a->channels - b * LANES);
            const float *src = a->src + (ptrdiff_t)b * r * r * a->src_plane;
            const float *add = a->add ? a->add + b * a->add_plane : NULL;
            float *dst = a->dst + b * a->dst_plane + dx * LANES;
            for (ptrdiff_t x = 0; x < a->n; x++) {
                __m512 v = _mm512_mask_i32gather_ps(_mm512_setzero_ps(), m, index, src + x * LANES, 4);
                if (add)
                    v = _mm512_add_ps(v, _mm512_maskz_loadu_ps(m, add + x * LANES));
                _mm512_mask_storeu_ps(dst + x * r * LANES, m, v);
            }
        }
    }
}

void tt_shuffle_avx512(const tt_shuffle_row *a)
{
    if (a->r > R_MAX || !fits((ptrdiff_t)a->r * a->r * a->src_plane))
        tt_shuffle_c(a);
    else if (a->db == 1)
        shuffle_planar(a);
    else if (a->db == LANES && a->block == LANES)
        shuffle_blocked(a);
    else
        tt_shuffle_c(a);
}
