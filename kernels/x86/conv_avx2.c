#include <immintrin.h>

#include "kernels/kernels.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 32") /* -O2 alone would leave the accumulators in memory */

enum { BLOCK = 8, GROUP = 2 };

/*
 * conv: a tile is NB blocks of outputs times NX pixels, one accumulator each, held in registers over
 * the whole sum:
 *
 *              x    x+1   ...  x+NX-1     <- one input value each, broadcast to 8 lanes
 *     w[0]    acc   acc         acc
 *     w[1]    acc   acc         acc          12 accumulators, NB weights and a broadcast
 *                                            of the 16 registers
 *
 * A value read serves NB products and a weight vector NX (2 x 6: 8 loads to 12 FMAs). Latency 4 times
 * 2 ports asks for 8 accumulators at least; only the tails have fewer.
 */
INLINE void start(__m256 *acc, const tt_conv_row *a, int b, const int NB, const int NX)
{
    UNROLL for (int o = 0; o < NB; o++) {
        const __m256 bias = _mm256_loadu_ps(a->bias + (b + o) * BLOCK);
        UNROLL for (int p = 0; p < NX; p++)
            acc[o * NX + p] = bias;
    }
}

INLINE void activate(__m256 *acc, const tt_conv_row *a, int b, const int NB, const int NX)
{
    const __m256 zero = _mm256_setzero_ps();
    if (a->act == TT_ACT_RELU) {
        UNROLL for (int i = 0; i < NB * NX; i++)
            acc[i] = _mm256_max_ps(acc[i], zero);
    } else if (a->act == TT_ACT_PRELU) {
        UNROLL for (int o = 0; o < NB; o++) {
            const __m256 slope = _mm256_loadu_ps(a->slope + (b + o) * BLOCK);
            UNROLL for (int i = o * NX; i < (o + 1) * NX; i++) {
                const __m256 up = _mm256_cmp_ps(acc[i], zero, _CMP_GT_OQ);
                acc[i] = _mm256_blendv_ps(_mm256_mul_ps(acc[i], slope), acc[i], up);
            }
        }
    }
}

/* Not fused: a sum added here has the bits of one added by the axpy kernel. */
INLINE void add(__m256 *acc, const tt_conv_row *a, int j, int b, int x, const int NB, const int NX)
{
    const __m256 scale = _mm256_set1_ps(a->scale[j]);
    UNROLL for (int o = 0; o < NB; o++) {
        const float *at = a->add[j] + (b + o) * a->add_plane[j] + x * a->add_step[j];
        UNROLL for (int p = 0; p < NX; p++, at += a->add_step[j])
            acc[o * NX + p] = _mm256_add_ps(_mm256_loadu_ps(at), _mm256_mul_ps(scale, acc[o * NX + p]));
    }
}

#include "kernels/x86/fetch.inc"

INLINE void finish(__m256 *acc, const tt_conv_row *a, int b, int x, const int NB, const int NX)
{
    activate(acc, a, b, NB, NX);
    if (a->add[0])
        add(acc, a, 0, b, x, NB, NX);
    if (a->add[1])
        add(acc, a, 1, b, x, NB, NX);
    if (a->clamp) {
        const __m256 lo = _mm256_set1_ps(a->lo), hi = _mm256_set1_ps(a->hi);
        UNROLL for (int i = 0; i < NB * NX; i++)
            acc[i] = _mm256_min_ps(_mm256_max_ps(acc[i], lo), hi);
    }
    UNROLL for (int o = 0; o < NB; o++) {
        float *at = a->dst + (b + o) * a->dst_plane + x * a->dst_step;
        UNROLL for (int p = 0; p < NX; p++, at += a->dst_step)
            _mm256_storeu_ps(at, acc[o * NX + p]);
    }
}

INLINE void tile(const tt_conv_row *a, const float *w, int b, int x, const int NB, const int NX)
{
    const ptrdiff_t step = a->step;
    __m256 acc[12];
    start(acc, a, b, NB, NX);
    fetch_result(a, b, x, NB, NX);
    for (int s = 0; s < a->segments; s++) {
        const float *src[3];
        UNROLL for (int q = 0; q < (NX + 3) / 4; q++)
            src[q] = a->seg[s] + (x + 4 * q) * step;
        fetch_next(src[0], step, NX);
        const float *end = w + (ptrdiff_t)a->count[s] * NB * BLOCK;
        for (ptrdiff_t i = 0; w < end; w += NB * BLOCK, i++) {
            __m256 v[2];
            UNROLL for (int o = 0; o < NB; o++)
                v[o] = _mm256_load_ps(w + o * BLOCK);
            UNROLL for (int p = 0; p < NX; p++) {
                const __m256 value = _mm256_broadcast_ss(src[p / 4] + p % 4 * step + i);
                UNROLL for (int o = 0; o < NB; o++)
                    acc[o * NX + p] = _mm256_fmadd_ps(value, v[o], acc[o * NX + p]);
            }
        }
    }
    finish(acc, a, b, x, NB, NX);
}

#define ROW(NB, WIDE)                                                                                        \
    static void row_##NB(const tt_conv_row *a, const float *w, int b)                                        \
    {                                                                                                        \
        int x = 0;                                                                                           \
        for (; x + WIDE <= a->n; x += WIDE)                                                                  \
            tile(a, w, b, x, NB, WIDE);                                                                      \
        if (WIDE > 8 && x + 8 <= a->n) {                                                                     \
            tile(a, w, b, x, NB, 8);                                                                         \
            x += 8;                                                                                          \
        }                                                                                                    \
        if (x + 4 <= a->n) {                                                                                 \
            tile(a, w, b, x, NB, 4);                                                                         \
            x += 4;                                                                                          \
        }                                                                                                    \
        if (x + 2 <= a->n) {                                                                                 \
            tile(a, w, b, x, NB, 2);                                                                         \
            x += 2;                                                                                          \
        }                                                                                                    \
        if (x < a->n)                                                                                        \
            tile(a, w, b, x, NB, 1);                                                                         \
    }
ROW(1, 12)
ROW(2, 6)

void tt_conv_avx2(const tt_conv_row *a)
{
    const float *w = a->weights;
    ptrdiff_t taps = 0;
    for (int s = 0; s < a->segments; s++)
        taps += a->count[s];
    for (int b = 0; b < a->outputs; b += GROUP, w += taps * GROUP * BLOCK) {
        if (a->outputs - b < GROUP)
            row_1(a, w, b);
        else
            row_2(a, w, b);
    }
}

/*
 * conv_narrow: too few outputs to fill the lanes, so the lanes are inputs, and each accumulator (one per
 * output and pixel) holds 8 partial sums. Four pixels are folded together at the end:
 *
 *     8 lanes of a pixel    -> 4: upper half added to lower half
 *     4 lanes of 4 pixels   -> (0 + 1) + (2 + 3) of each, one pixel a lane
 */
INLINE __m128 fold(__m256 v)
{
    return _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
}

INLINE __m128 load_pixels(const float *p, ptrdiff_t step, int n)
{
    float v[4] = {0};
    if (step == 1 && n == 4)
        return _mm_loadu_ps(p);
    for (int i = 0; i < n; i++)
        v[i] = p[i * step];
    return _mm_loadu_ps(v);
}

INLINE void store_pixels(float *p, ptrdiff_t step, int n, __m128 z)
{
    float v[4];
    if (step == 1 && n == 4) {
        _mm_storeu_ps(p, z);
        return;
    }
    _mm_storeu_ps(v, z);
    for (int i = 0; i < n; i++)
        p[i * step] = v[i];
}

/* Sums of up to four pixels of output o, from x on: the rest of the formula. */
INLINE void finish_narrow(const tt_conv_row *a, __m128 z, int o, int x, int n)
{
    const __m128 zero = _mm_setzero_ps();
    z = _mm_add_ps(z, _mm_set1_ps(a->bias[o]));
    if (a->act == TT_ACT_RELU)
        z = _mm_max_ps(z, zero);
    else if (a->act == TT_ACT_PRELU)
        z = _mm_blendv_ps(_mm_mul_ps(z, _mm_set1_ps(a->slope[o])), z, _mm_cmp_ps(z, zero, _CMP_GT_OQ));
    for (int j = 0; j < 2; j++) {
        if (a->add[j]) {
            const float *at = a->add[j] + o * a->add_plane[j] + x * a->add_step[j];
            z = _mm_add_ps(load_pixels(at, a->add_step[j], n), _mm_mul_ps(z, _mm_set1_ps(a->scale[j])));
        }
    }
    if (a->clamp)
        z = _mm_min_ps(_mm_max_ps(z, _mm_set1_ps(a->lo)), _mm_set1_ps(a->hi));
    store_pixels(a->dst + o * a->dst_plane + x * a->dst_step, a->dst_step, n, z);
}

/*
 * NX pixels, of which only the first n exist: the last is computed again in place of those that do not.
 * Short segments take a mask, what lies beyond them may be unreadable; where all are whole (a fact of the
 * row) its register is free, and 3 outputs of 4 pixels just fit.
 */
INLINE void tile_narrow(const tt_conv_row *a, int x, int n, const int whole, const int NO, const int NX)
{
    static const int32_t ones[2 * BLOCK] = {-1, -1, -1, -1, -1, -1, -1, -1};
    __m256 acc[12];
    const float *w = a->weights;
    UNROLL for (int i = 0; i < NO * NX; i++)
        acc[i] = _mm256_setzero_ps();
    for (int s = 0; s < a->segments; s++, w += NO * BLOCK) {
        const __m256i lanes = _mm256_loadu_si256((const __m256i *)(ones + BLOCK - a->count[s]));
        const float *src = a->seg[s] + x * a->step;
        UNROLL for (int p = 0; p < NX; p++) {
            const float *at = src + (p < n ? p : n - 1) * a->step;
            const __m256 v = whole ? _mm256_loadu_ps(at) : _mm256_maskload_ps(at, lanes);
            UNROLL for (int o = 0; o < NO; o++)
                acc[o * NX + p] = _mm256_fmadd_ps(v, _mm256_load_ps(w + o * BLOCK), acc[o * NX + p]);
        }
    }
    UNROLL for (int o = 0; o < NO; o++) {
        UNROLL for (int p = 0; p < NX; p += 4) {
            __m128 v[4];
            UNROLL for (int i = 0; i < 4; i++)
                v[i] = fold(acc[o * NX + (p + i < NX ? p + i : NX - 1)]);
            const __m128 z = _mm_hadd_ps(_mm_hadd_ps(v[0], v[1]), _mm_hadd_ps(v[2], v[3]));
            if (p < n)
                finish_narrow(a, z, o, x + p, n - p < 4 ? n - p : 4);
        }
    }
}

#define NARROW(NO, NX)                                                                                       \
    static void narrow_##NO(const tt_conv_row *a, int whole)                                                 \
    {                                                                                                        \
        enum { TAIL = NX < 4 ? NX : 4 };                                                                     \
        int x = 0;                                                                                           \
        for (; whole && x + NX <= a->n; x += NX)                                                             \
            tile_narrow(a, x, NX, 1, NO, NX);                                                                \
        for (; x + NX <= a->n; x += NX)                                                                      \
            tile_narrow(a, x, NX, 0, NO, NX);                                                                \
        for (; x < a->n; x += TAIL)                                                                          \
            tile_narrow(a, x, a->n - x < TAIL ? a->n - x : TAIL, 0, NO, TAIL);                               \
    }
NARROW(1, 8)
NARROW(2, 4)
NARROW(3, 4)
NARROW(4, 2)

void tt_conv_narrow_avx2(const tt_conv_row *a)
{
    static void (*const narrow[TT_NARROW_MAX])(const tt_conv_row *a, int whole) = {narrow_1, narrow_2,
                                                                                   narrow_3, narrow_4};
    int whole = 1;
    for (int s = 0; s < a->segments; s++)
        whole = whole && a->count[s] == BLOCK;
    narrow[a->outputs - 1](a, whole);
}
