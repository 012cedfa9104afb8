#include "kernels/kernels.h"
#include "kernels/gelu.h"

#include <immintrin.h>

/* The lanes that hold one of `left` more values. */
static __mmask16 lanes(size_t left)
{
    return (__mmask16)(left < 16 ? (1u << left) - 1 : 0xffffu);
}

/* As in the reference, maximum and minimum give their second operand for NaN and where both are zero. */
static void relu(float *dst, const float *src, size_t n)
{
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 m = lanes(n - i);
        const __m512 z = _mm512_maskz_loadu_ps(m, src + i);
        _mm512_mask_storeu_ps(dst + i, m, _mm512_max_ps(z, _mm512_setzero_ps()));
    }
}

void tt_clamp_avx512(float *dst, const float *src, float lo, float hi, size_t n)
{
    const __m512 vlo = _mm512_set1_ps(lo), vhi = _mm512_set1_ps(hi);
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 m = lanes(n - i);
        const __m512 z = _mm512_maskz_loadu_ps(m, src + i);
        _mm512_mask_storeu_ps(dst + i, m, _mm512_min_ps(_mm512_max_ps(z, vlo), vhi));
    }
}

void tt_axpy_avx512(float *dst, const float *a, const float *b, float scale, size_t n)
{
    const __m512 s = _mm512_set1_ps(scale);
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 m = lanes(n - i);
        const __m512 product = _mm512_mul_ps(s, _mm512_maskz_loadu_ps(m, b + i));
        _mm512_mask_storeu_ps(dst + i, m, _mm512_add_ps(_mm512_maskz_loadu_ps(m, a + i), product));
    }
}

/* ---- with a factor that comes round every `period` values ----------------------------------------- */

static __m512 prelu(__m512 z, __m512 slope)
{
    const __mmask16 positive = _mm512_cmp_ps_mask(z, _mm512_setzero_ps(), _CMP_GT_OQ);
    return _mm512_mask_mov_ps(_mm512_mul_ps(slope, z), positive, z);
}

static __m512 mul(__m512 z, __m512 g)
{
    return _mm512_mul_ps(z, g);
}

typedef __m512 op2(__m512, __m512);

static inline __attribute__((always_inline)) void periodic(float *dst, const float *src, const float *g,
                                                           size_t period, size_t n, op2 *op)
{
    if (period <= 16) {
        float twice[32]; /* g, repeated far enough to load a vector from any phase of it */
        for (size_t i = 0, l = 0; i < 32; i++, l = l + 1 < period ? l + 1 : 0)
            twice[i] = g[l];
        const size_t advance = 16 % period;
        for (size_t i = 0, phase = 0; i < n; i += 16) {
            const __mmask16 m = lanes(n - i);
            const __m512 z = _mm512_maskz_loadu_ps(m, src + i);
            _mm512_mask_storeu_ps(dst + i, m, op(z, _mm512_loadu_ps(twice + phase)));
            phase += advance;
            phase -= phase >= period ? period : 0;
        }
        return;
    }
    while (n > 0) {
        const size_t w = n < period ? n : period;
        for (size_t i = 0; i < w; i += 16) {
            const __mmask16 m = lanes(w - i);
            const __m512 z = _mm512_maskz_loadu_ps(m, src + i);
            _mm512_mask_storeu_ps(dst + i, m, op(z, _mm512_maskz_loadu_ps(m, g + i)));
        }
        dst += w;
        src += w;
        n -= w;
    }
}

void tt_mul_period_avx512(float *dst, const float *src, const float *g, size_t period, size_t n)
{
    periodic(dst, src, g, period, n, mul);
}

static void gelu(float *dst, const float *src, size_t n)
{
    const __m512 end = _mm512_set1_ps(TT_GELU_END), one = _mm512_set1_ps(1);
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 m = lanes(n - i);
        const __m512 z = _mm512_maskz_loadu_ps(m, src + i);
        const __m512 s = _mm512_fmsub_ps(_mm512_mul_ps(z, z), _mm512_set1_ps(TT_GELU_SQUARE), one);
        __m512 p = _mm512_set1_ps(tt_gelu_q[TT_GELU_DEGREE]);
#pragma GCC unroll 16 /* -O2 alone goes round for each coefficient */
        for (int k = TT_GELU_DEGREE - 1; k >= 0; k--)
            p = _mm512_fmadd_ps(p, s, _mm512_set1_ps(tt_gelu_q[k]));
        p = _mm512_fmadd_ps(p, z, _mm512_set1_ps(0.5f));
        p = _mm512_mask_mov_ps(p, _mm512_cmp_ps_mask(z, end, _CMP_GE_OQ), one);
        p = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(z, _mm512_sub_ps(_mm512_setzero_ps(), end), _CMP_NLE_UQ),
                                p);
        _mm512_mask_storeu_ps(dst + i, m, _mm512_mul_ps(z, p));
    }
}

void tt_act_avx512(float *dst, const float *src, tt_act act, const float *slope, size_t period, size_t n)
{
    if (act == TT_ACT_RELU)
        relu(dst, src, n);
    else if (act == TT_ACT_PRELU)
        periodic(dst, src, slope, period, n, prelu);
    else if (act == TT_ACT_GELU)
        gelu(dst, src, n);
    else
        tt_act_c(dst, src, act, slope, period, n);
}

/* ---- sums ----------------------------------------------------------------------------------------- */

/* A sum is a chain of additions in a given order, so only the lanes of a period run side by side. */
void tt_sum_period_avx512(double *sum, const float *src, size_t period, size_t n)
{
    if (period == 1) {
        tt_sum_period_c(sum, src, period, n);
        return;
    }
    const __mmask16 m = lanes(period);
    const __mmask8 m_lo = (__mmask8)m, m_hi = (__mmask8)(m >> 8);
    double *const sum_hi = period > 8 ? sum + 8 : sum; /* sum + 8 may not exist */
    __m512d lo = _mm512_maskz_loadu_pd(m_lo, sum), hi = _mm512_maskz_loadu_pd(m_hi, sum_hi);
    for (size_t i = 0; i < n; i += period) {
        const __m512 v = _mm512_maskz_loadu_ps(m, src + i);
        lo = _mm512_add_pd(lo, _mm512_cvtps_pd(_mm512_castps512_ps256(v)));
        hi = _mm512_add_pd(hi, _mm512_cvtps_pd(_mm512_extractf32x8_ps(v, 1)));
    }
    _mm512_mask_storeu_pd(sum, m_lo, lo);
    _mm512_mask_storeu_pd(sum_hi, m_hi, hi);
}

size_t tt_count_nonfinite_avx512(const float *src, size_t n)
{
    const __m512i exponent = _mm512_set1_epi32(0x7f800000), one = _mm512_set1_epi32(1);
    __m512i count = _mm512_setzero_si512();
    for (size_t i = 0; i < n; i += 16) {
        const __m512i bits = _mm512_maskz_loadu_epi32(lanes(n - i), src + i);
        const __mmask16 bad = _mm512_cmpeq_epi32_mask(_mm512_and_si512(bits, exponent), exponent);
        count = _mm512_mask_add_epi32(count, bad, count, one);
    }
    uint32_t lane[16];
    _mm512_storeu_si512(lane, count);
    size_t total = 0;
    for (int l = 0; l < 16; l++)
        total += lane[l];
    return total;
}
