#include "kernels/kernels.h"

#include <immintrin.h>

enum { LANES = 8, R_MAX = 8 };

static __m256i lanes(size_t left)
{
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(left < 8 ? (int)left : 8), lane);
}

/*
 * Eight values become r vectors; vector v takes its lanes from the values (v * 8 + lane) / r:
 *     r = 3:  0 0 0 1 1 1 2 2 | 2 3 3 3 4 4 4 5 | 5 5 6 6 6 7 7 7
 */
static void repeat_pattern(int32_t where[R_MAX * LANES], int r)
{
    for (int x = 0; x < LANES; x++)
        for (int i = 0; i < r; i++)
            where[x * r + i] = x;
}

static __m256i load_index(const int32_t *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

void tt_nearest_avx2(float *dst, const float *src, int r, int pixel, size_t n)
{
    if (pixel == 1 && r <= R_MAX) {
        int32_t where[R_MAX * LANES];
        repeat_pattern(where, r);
        for (size_t x = 0; x < n; x += LANES, src += LANES, dst += r * LANES) {
            const size_t in = n - x < LANES ? n - x : LANES, out = in * (size_t)r;
            const __m256 s = in == LANES ? _mm256_loadu_ps(src) : _mm256_maskload_ps(src, lanes(in));
            for (size_t o = 0; o < out; o += LANES) {
                const __m256 v = _mm256_permutevar8x32_ps(s, load_index(where + o));
                if (out - o >= LANES)
                    _mm256_storeu_ps(dst + o, v);
                else
                    _mm256_maskstore_ps(dst + o, lanes(out - o), v);
            }
        }
    } else if (pixel % LANES == 0) {
        for (size_t x = 0; x < n; x++, src += pixel, dst += (ptrdiff_t)r * pixel) {
            for (int l = 0; l < pixel; l += LANES) {
                const __m256 v = _mm256_loadu_ps(src + l);
                for (int i = 0; i < r; i++)
                    _mm256_storeu_ps(dst + (ptrdiff_t)i * pixel + l, v);
            }
        }
    } else {
        tt_nearest_c(dst, src, r, pixel, n);
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
            const __m256 base = add ? _mm256_maskload_ps(add + x, lanes((size_t)in)) : _mm256_setzero_ps();
            for (int o = 0; o < out; o += LANES) {
                const __m256i mask = lanes((size_t)(out - o));
                __m256 v = _mm256_mask_i32gather_ps(_mm256_setzero_ps(), src, load_index(offset + o),
                                                    _mm256_castsi256_ps(mask), 4);
                if (add)
                    v = _mm256_add_ps(v, _mm256_permutevar8x32_ps(base, load_index(where + o)));
                if (out - o >= LANES)
                    _mm256_storeu_ps(dst + o, v);
                else
                    _mm256_maskstore_ps(dst + o, mask, v);
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
        const __m256i index = load_index(offset);
        for (int b = 0; b * LANES < a->channels; b++) {
            const __m256i mask = lanes((size_t)(a->channels - b * LANES));
            const float *src = a->src + (ptrdiff_t)b * r * r * a->src_plane;
            const float *add = a->add ? a->add + b * a->add_plane : NULL;
            float *dst = a->dst + b * a->dst_plane + dx * LANES;
            for (ptrdiff_t x = 0; x < a->n; x++) {
                __m256 v = _mm256_mask_i32gather_ps(_mm256_setzero_ps(), src + x * LANES, index,
                                                    _mm256_castsi256_ps(mask), 4);
                if (add)
                    v = _mm256_add_ps(v, _mm256_maskload_ps(add + x * LANES, mask));
                _mm256_maskstore_ps(dst + x * r * LANES, mask, v);
            }
        }
    }
}

void tt_shuffle_avx2(const tt_shuffle_row *a)
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
