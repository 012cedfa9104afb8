#include <immintrin.h>

#include "kernels/kernels.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 32") /* -O2 alone would leave the accumulators in memory */

enum { BLOCK = 16, GROUP = 4 };

/*
 * conv: a tile is NB blocks of outputs times NX pixels, one accumulator each, held in registers over
 * the whole sum:
 *
 *              x    x+1   ...  x+NX-1     <- one input value each, broadcast to 16 lanes
 *     w[0]    acc   acc         acc
 *     ...                                    24 accumulators, NB weights and a broadcast
 *     w[NB-1] acc   acc         acc          of the 32 registers
 *
 * A value read serves NB products and a weight vector NX, so the loads stay well below what the two
 * load ports give (4 x 6: 10 loads to 24 FMAs). Latency 4 times 2 ports asks for 8 accumulators at
 * least; only the tails have fewer.
 */
INLINE void start(__m512 *acc, const tt_conv_row *a, int b, const int NB, const int NX)
{
    UNROLL for (int o = 0; o < NB; o++) {
        const __m512 bias = _mm512_loadu_ps(a->bias + (b + o) * BLOCK);
        UNROLL for (int p = 0; p < NX; p++)
            acc[o * NX + p] = bias;
    }
}

INLINE void activate(__m512 *acc, const tt_conv_row *a, int b, const int NB, const int NX)
{
    const __m512 zero = _mm512_setzero_ps();
    if (a->act == TT_ACT_RELU) {
        UNROLL for (int i = 0; i < NB * NX; i++)
            acc[i] = _mm512_max_ps(acc[i], zero);
    } else if (a->act == TT_ACT_PRELU) {
        UNROLL for (int o = 0; o < NB; o++) {
            const __m512 slope = _mm512_loadu_ps(a->slope + (b + o) * BLOCK);
            UNROLL for (int i = o * NX; i < (o + 1) * NX; i++) {
                const __mmask16 down = _mm512_cmp_ps_mask(acc[i], zero, _CMP_NGT_UQ);
                acc[i] = _mm512_mask_mul_ps(acc[i], down, acc[i], slope);
            }
        }
    }
}

/* Not fused: a sum added here has the bits of one added by the axpy kernel. */
INLINE void add(__m512 *acc, const tt_conv_row *a, int j, int b, int x, const int NB, const int NX)
{
    const __m512 scale = _mm512_set1_ps(a->scale[j]);
    UNROLL for (int o = 0; o < NB; o++) {
        const float *at = a->add[j] + (b + o) * a->add_plane[j] + x * a->add_step[j];
        UNROLL for (int p = 0; p < NX; p++, at += a->add_step[j])
            acc[o * NX + p] = _mm512_add_ps(_mm512_loadu_ps(at), _mm512_mul_ps(scale, acc[o * NX + p]));
    }
}

#include "kernels/x86/fetch.inc"

INLINE void finish(__m512 *acc, const tt_conv_row *a, int b, int x, const int NB, const int NX)
{
    activate(acc, a, b, NB, NX);
    if (a->add[0])
        add(acc, a, 0, b, x, NB, NX);
    if (a->add[1])
        add(acc, a, 1, b, x, NB, NX);
    if (a->clamp) {
        const __m512 lo = _mm512_set1_ps(a->lo), hi = _mm512_set1_ps(a->hi);
        UNROLL for (int i = 0; i < NB * NX; i++)
            acc[i] = _mm512_min_ps(_mm512_max_ps(acc[i], lo), hi);
    }
    UNROLL for (int o = 0; o < NB; o++) {
        float *at = a->dst + (b + o) * a->dst_plane + x * a->dst_step;
        UNROLL for (int p = 0; p < NX; p++, at += a->dst_step)
            _mm512_storeu_ps(at, acc[o * NX + p]);
    }
}

/* Every fourth pixel has a pointer of its own: step, 2 * step and 3 * step then fit an address, and 16
 * pixels need 6 registers instead of 16. */
INLINE void tile(const tt_conv_row *a, const float *w, int b, int x, const int NB, const int NX)
{
    const ptrdiff_t step = a->step;
    __m512 acc[24];
    start(acc, a, b, NB, NX);
    fetch_result(a, b, x, NB, NX);
    for (int s = 0; s < a->segments; s++) {
        const float *src[4];
        UNROLL for (int q = 0; q < (NX + 3) / 4; q++)
            src[q] = a->seg[s] + (x + 4 * q) * step;
        fetch_next(src[0], step, NX);
        const float *end = w + (ptrdiff_t)a->count[s] * NB * BLOCK;
        for (ptrdiff_t i = 0; w < end; w += NB * BLOCK, i++) {
            __m512 v[4];
            UNROLL for (int o = 0; o < NB; o++)
                v[o] = _mm512_load_ps(w + o * BLOCK);
            UNROLL for (int p = 0; p < NX; p++) {
                const __m512 value = _mm512_set1_ps(src[p / 4][p % 4 * step + i]);
                UNROLL for (int o = 0; o < NB; o++)
                    acc[o * NX + p] = _mm512_fmadd_ps(value, v[o], acc[o * NX + p]);
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
ROW(1, 16)
ROW(2, 12)
ROW(3, 8)
ROW(4, 6)

void tt_conv_avx512(const tt_conv_row *a)
{
    static void (*const row[])(const tt_conv_row *a, const float *w, int b) = {row_1, row_2, row_3, row_4};
    const float *w = a->weights;
    ptrdiff_t taps = 0;
    for (int s = 0; s < a->segments; s++)
        taps += a->count[s];
    for (int b = 0; b < a->outputs; b += GROUP) {
        const int gb = a->outputs - b < GROUP ? a->outputs - b : GROUP;
        row[gb - 1](a, w, b);
        w += taps * gb * BLOCK;
    }
}

/*
 * conv_narrow: too few outputs to fill the lanes, so the lanes are inputs, and each accumulator (one per
 * output and pixel) holds 16 partial sums. Four pixels p q r s are folded together at the end, quarter
 * vectors p0..p3 first (adding across vectors takes half the shuffles of folding each by itself):
 *
 *     p0+p2 p1+p3 q0+q2 q1+q3   and the same of r, s
 *     p     q     r     s       each four lanes wide: 0 + 2 and 1 + 3 are added in place, then those two
 */
/* a b of four quarters each: a0+a2 a1+a3 b0+b2 b1+b3 */
INLINE __m512 add_halves(__m512 a, __m512 b)
{
    return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xee));
}

INLINE __m128 fold4(const __m512 *v)
{
    const __m512i first = _mm512_setr_epi32(0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12);
    const __m512 pq = add_halves(v[0], v[1]), rs = add_halves(v[2], v[3]);
    __m512 sum = _mm512_add_ps(_mm512_shuffle_f32x4(pq, rs, 0x88), _mm512_shuffle_f32x4(pq, rs, 0xdd));
    sum = _mm512_add_ps(sum, _mm512_permute_ps(sum, 0x4e));
    sum = _mm512_add_ps(sum, _mm512_permute_ps(sum, 0xb1));
    return _mm512_castps512_ps128(_mm512_permutexvar_ps(first, sum));
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

/* NX pixels, a multiple of 4, of which only the first n exist: the last is computed again in place of
 * those that do not. */
INLINE void tile_narrow(const tt_conv_row *a, int x, int n, const int NO, const int NX)
{
    const ptrdiff_t step = a->step;
    const float *w = a->weights;
    __m512 acc[24];
    UNROLL for (int i = 0; i < NO * NX; i++)
        acc[i] = _mm512_setzero_ps();
    for (int s = 0; s < a->segments; s++, w += NO * BLOCK) {
        const __mmask16 lanes = (__mmask16)((1u << a->count[s]) - 1);
        const float *src[2];
        UNROLL for (int q = 0; q < NX / 4; q++)
            src[q] = a->seg[s] + (x + 4 * q) * step;
        UNROLL for (int p = 0; p < NX; p++) {
            const int in_four = (p < n ? p : n - 1) - p / 4 * 4;
            const __m512 v = _mm512_maskz_loadu_ps(lanes, src[p / 4] + in_four * step);
            UNROLL for (int o = 0; o < NO; o++)
                acc[o * NX + p] = _mm512_fmadd_ps(v, _mm512_load_ps(w + o * BLOCK), acc[o * NX + p]);
        }
    }
    UNROLL for (int o = 0; o < NO; o++)
        UNROLL for (int p = 0; p < NX; p += 4)
            if (p < n)
                finish_narrow(a, fold4(acc + o * NX + p), o, x + p, n - p < 4 ? n - p : 4);
}

#define NARROW(NO, NX)                                                                                       \
    static void narrow_##NO(const tt_conv_row *a)                                                            \
    {                                                                                                        \
        int x = 0;                                                                                           \
        for (; x + NX <= a->n; x += NX)                                                                      \
            tile_narrow(a, x, NX, NO, NX);                                                                   \
        for (; x < a->n; x += 4)                                                                             \
            tile_narrow(a, x, a->n - x < 4 ? a->n - x : 4, NO, 4);                                           \
    }
NARROW(1, 8)
NARROW(2, 8)
NARROW(3, 8)
NARROW(4, 4)

void tt_conv_narrow_avx512(const tt_conv_row *a)
{
    static void (*const narrow[TT_NARROW_MAX])(const tt_conv_row *a) = {narrow_1, narrow_2, narrow_3,
                                                                        narrow_4};
    narrow[a->outputs - 1](a);
}
