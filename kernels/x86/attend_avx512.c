#include "kernels/kernels.h"

#include <immintrin.h>

enum { LANES = 16 };

static __mmask16 lanes(int left)
{
    return (__mmask16)(left < LANES ? (1u << left) - 1 : 0xffffu);
}

void tt_scores_max_avx512(float *most, const float *s, ptrdiff_t plane, int n, int count, int block)
{
    if (block != LANES) {
        tt_scores_max_c(most, s, plane, n, count, block);
        return;
    }
    for (int x = 0; x < n; x++) {
        __m512 m = _mm512_set1_ps(most[x]);
        const float *at = s + (ptrdiff_t)x * LANES;
        for (int i = 0; i < count; i += LANES, at += plane)
            m = _mm512_mask_max_ps(m, lanes(count - i), _mm512_loadu_ps(at), m);
        most[x] = _mm512_reduce_max_ps(m);
    }
}

/* exp by 2^n times a polynomial of the rest, which is at most ln(2) / 2 in size (Cody and Waite 1980, chapter
 * 6; the coefficients are those of the Cephes library). Below -87.3 the result would not be a normal number:
 * zero. */
static __m512 exp_not_positive(__m512 x)
{
    const __m512 least = _mm512_set1_ps(-87.33654f);
    const __mmask16 tiny = _mm512_cmp_ps_mask(x, least, _CMP_LT_OQ);
    x = _mm512_max_ps(least, x); /* NaN stays */
    const __m512 n =
        _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), _MM_FROUND_TO_NEAREST_INT);
    __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), x);
    r = _mm512_fnmadd_ps(n, _mm512_set1_ps(-2.12194440e-4f), r);
    __m512 p = _mm512_set1_ps(1.9875691500e-4f);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.3981999507e-3f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(8.3334519073e-3f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(4.1665795894e-2f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.6666665459e-1f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(5.0000001201e-1f));
    p = _mm512_fmadd_ps(p, _mm512_mul_ps(r, r), _mm512_add_ps(r, _mm512_set1_ps(1)));
    return _mm512_mask_mov_ps(_mm512_scalef_ps(p, n), tiny, _mm512_setzero_ps());
}

void tt_scores_exp_avx512(float *s, double *sum, const float *most, ptrdiff_t plane, int n, int count,
                          int block)
{
    if (block != LANES) {
        tt_scores_exp_c(s, sum, most, plane, n, count, block);
        return;
    }
    for (int x = 0; x < n; x++, sum += LANES) {
        const __m512 m = _mm512_set1_ps(most[x]);
        __m512d lo = _mm512_loadu_pd(sum), hi = _mm512_loadu_pd(sum + 8);
        float *at = s + (ptrdiff_t)x * LANES;
        for (int i = 0; i < count; i += LANES, at += plane) {
            const __mmask16 real = lanes(count - i);
            const __m512 e =
                _mm512_maskz_mov_ps(real, exp_not_positive(_mm512_sub_ps(_mm512_loadu_ps(at), m)));
            _mm512_storeu_ps(at, e);
            lo = _mm512_add_pd(lo, _mm512_cvtps_pd(_mm512_castps512_ps256(e)));
            hi = _mm512_add_pd(hi, _mm512_cvtps_pd(_mm512_extractf32x8_ps(e, 1)));
        }
        _mm512_storeu_pd(sum, lo);
        _mm512_storeu_pd(sum + 8, hi);
    }
}
