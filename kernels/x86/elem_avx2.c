#include "kernels/kernels.h"
#include "kernels/gelu.h"

#include <immintrin.h>

/* The lanes that hold one of `left` more values. */
static __m256i lanes(size_t left)
{
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(left < 8 ? (int)left : 8), lane);
}

/* ---- one value at a time -------------------------------------------------------------------------- */

/* As in the reference, maximum and minimum give their second operand for NaN and where both are zero. */
static __m256 relu(__m256 z, __m256 lo, __m256 hi)
{
    (void)hi;
    return _mm256_max_ps(z, lo);
}

static __m256 clamp(__m256 z, __m256 lo, __m256 hi)
{
    return _mm256_min_ps(_mm256_max_ps(z, lo), hi);
}

/* lo and hi: the ends of the polynomial's range */
static __m256 gelu(__m256 z, __m256 lo, __m256 hi)
{
    const __m256 one = _mm256_set1_ps(1);
    const __m256 s = _mm256_fmsub_ps(_mm256_mul_ps(z, z), _mm256_set1_ps(TT_GELU_SQUARE), one);
    __m256 p = _mm256_set1_ps(tt_gelu_q[TT_GELU_DEGREE]);
#pragma GCC unroll 16 /* -O2 alone goes round for each coefficient */
    for (int k = TT_GELU_DEGREE - 1; k >= 0; k--)
        p = _mm256_fmadd_ps(p, s, _mm256_set1_ps(tt_gelu_q[k]));
    p = _mm256_fmadd_ps(p, z, _mm256_set1_ps(0.5f));
    p = _mm256_blendv_ps(p, one, _mm256_cmp_ps(z, hi, _CMP_GE_OQ));
    p = _mm256_and_ps(p, _mm256_cmp_ps(z, lo, _CMP_NLE_UQ));
    return _mm256_mul_ps(z, p);
}

typedef __m256 op3(__m256, __m256, __m256);

static inline __attribute__((always_inline)) void each(float *dst, const float *src, float a, float b,
                                                       size_t n, op3 *op)
{
    const __m256 va = _mm256_set1_ps(a), vb = _mm256_set1_ps(b);
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(dst + i, op(_mm256_loadu_ps(src + i), va, vb));
    if (i < n) {
        const __m256i tail = lanes(n - i);
        _mm256_maskstore_ps(dst + i, tail, op(_mm256_maskload_ps(src + i, tail), va, vb));
    }
}

void tt_clamp_avx2(float *dst, const float *src, float lo, float hi, size_t n)
{
    each(dst, src, lo, hi, n, clamp);
}

void tt_axpy_avx2(float *dst, const float *a, const float *b, float scale, size_t n)
{
    const __m256 s = _mm256_set1_ps(scale);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m256 product = _mm256_mul_ps(s, _mm256_loadu_ps(b + i));
        _mm256_storeu_ps(dst + i, _mm256_add_ps(_mm256_loadu_ps(a + i), product));
    }
    if (i < n) {
        const __m256i tail = lanes(n - i);
        const __m256 product = _mm256_mul_ps(s, _mm256_maskload_ps(b + i, tail));
        _mm256_maskstore_ps(dst + i, tail, _mm256_add_ps(_mm256_maskload_ps(a + i, tail), product));
    }
}

/* ---- with a factor that comes round every `period` values ----------------------------------------- */

static __m256 prelu(__m256 z, __m256 slope)
{
    const __m256 positive = _mm256_cmp_ps(z, _mm256_setzero_ps(), _CMP_GT_OQ);
    return _mm256_blendv_ps(_mm256_mul_ps(slope, z), z, positive);
}

static __m256 mul(__m256 z, __m256 g)
{
    return _mm256_mul_ps(z, g);
}

typedef __m256 op2(__m256, __m256);

static inline __attribute__((always_inline)) void periodic(float *dst, const float *src, const float *g,
                                                           size_t period, size_t n, op2 *op)
{
    if (period <= 8) {
        float twice[16]; /* g, repeated far enough to load a vector from any phase of it */
        for (size_t i = 0, l = 0; i < 16; i++, l = l + 1 < period ? l + 1 : 0)
            twice[i] = g[l];
        const size_t advance = 8 % period;
        size_t i = 0, phase = 0;
        for (; i + 8 <= n; i += 8) {
            _mm256_storeu_ps(dst + i, op(_mm256_loadu_ps(src + i), _mm256_loadu_ps(twice + phase)));
            phase += advance;
            phase -= phase >= period ? period : 0;
        }
        if (i < n) {
            const __m256i tail = lanes(n - i);
            const __m256 v = op(_mm256_maskload_ps(src + i, tail), _mm256_loadu_ps(twice + phase));
            _mm256_maskstore_ps(dst + i, tail, v);
        }
        return;
    }
    while (n > 0) {
        const size_t w = n < period ? n : period;
        size_t i = 0;
        for (; i + 8 <= w; i += 8)
            _mm256_storeu_ps(dst + i, op(_mm256_loadu_ps(src + i), _mm256_loadu_ps(g + i)));
        if (i < w) {
            const __m256i tail = lanes(w - i);
            const __m256 v = op(_mm256_maskload_ps(src + i, tail), _mm256_maskload_ps(g + i, tail));
            _mm256_maskstore_ps(dst + i, tail, v);
        }
        dst += w;
        src += w;
        n -= w;
    }
}

void tt_mul_period_avx2(float *dst, const float *src, const float *g, size_t period, size_t n)
{
    periodic(dst, src, g, period, n, mul);
}

void tt_act_avx2(float *dst, const float *src, tt_act act, const float *slope, size_t period, size_t n)
{
    if (act == TT_ACT_RELU)
        each(dst, src, 0, 0, n, relu);
    else if (act == TT_ACT_PRELU)
        periodic(dst, src, slope, period, n, prelu);
    else if (act == TT_ACT_GELU)
        each(dst, src, -TT_GELU_END, TT_GELU_END, n, gelu);
    else
        tt_act_c(dst, src, act, slope, period, n);
}

/* ---- sums ----------------------------------------------------------------------------------------- */

/* A sum is a chain of additions in a given order, so only the lanes of a period run side by side. */
void tt_sum_period_avx2(double *sum, const float *src, size_t period, size_t n)
{
    if (period == 1) {
        tt_sum_period_c(sum, src, period, n);
        return;
    }
    for (size_t l = 0; l < period; l += 8) {
        const __m256i mask = lanes(period - l);
        const __m256i mask_lo = _mm256_cvtepi32_epi64(_mm256_castsi256_si128(mask));
        const __m256i mask_hi = _mm256_cvtepi32_epi64(_mm256_extracti128_si256(mask, 1));
        __m256d lo = _mm256_maskload_pd(sum + l, mask_lo);
        __m256d hi = period - l > 4 ? _mm256_maskload_pd(sum + l + 4, mask_hi) : _mm256_setzero_pd();
        for (size_t i = l; i < n; i += period) {
            const __m256 v = _mm256_maskload_ps(src + i, mask);
            lo = _mm256_add_pd(lo, _mm256_cvtps_pd(_mm256_castps256_ps128(v)));
            hi = _mm256_add_pd(hi, _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1)));
        }
        _mm256_maskstore_pd(sum + l, mask_lo, lo);
        if (period - l > 4)
            _mm256_maskstore_pd(sum + l + 4, mask_hi, hi);
    }
}

static __m256i nonfinite(__m256 v)
{
    const __m256i magnitude = _mm256_and_si256(_mm256_castps_si256(v), _mm256_set1_epi32(0x7fffffff));
    return _mm256_cmpgt_epi32(magnitude, _mm256_set1_epi32(0x7f7fffff));
}

size_t tt_count_nonfinite_avx2(const float *src, size_t n)
{
    __m256i count = _mm256_setzero_si256();
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        count = _mm256_sub_epi32(count, nonfinite(_mm256_loadu_ps(src + i)));
    if (i < n)
        count = _mm256_sub_epi32(count, nonfinite(_mm256_maskload_ps(src + i, lanes(n - i))));
    uint32_t lane[8];
    _mm256_storeu_si256((__m256i *)(void *)lane, count);
    size_t total = 0;
    for (int l = 0; l < 8; l++)
        total += lane[l];
    return total;
}
