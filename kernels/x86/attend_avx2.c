#include "kernels/kernels.h"

#include <immintrin.h>

enum { LANES = 8 };

static __m256 lanes(int left)
{
    static const int32_t ones[2 * LANES] = {-1, -1, -1, -1, -1, -1, -1, -1};
    return _mm256_castsi256_ps(
        _mm256_loadu_si256((const __m256i *)(ones + LANES - (left < LANES ? left : LANES))));
}

void tt_scores_max_avx2(float *most, const float *s, ptrdiff_t plane, int n, int count, int block)
{
    if (block != LANES) {
        tt_scores_max_c(most, s, plane, n, count, block);
        return;
    }
    for (int x = 0; x < n; x++) {
        __m256 m = _mm256_set1_ps(most[x]);
        const float *at = s + (ptrdiff_t)x * LANES;
        for (int i = 0; i < count; i += LANES, at += plane)
            m = _mm256_blendv_ps(m, _mm256_max_ps(_mm256_loadu_ps(at), m), lanes(count - i));
        __m128 h = _mm_max_ps(_mm256_castps256_ps128(m), _mm256_extractf128_ps(m, 1));
        h = _mm_max_ps(h, _mm_movehl_ps(h, h));
        h = _mm_max_ss(h, _mm_movehdup_ps(h));
        most[x] = _mm_cvtss_f32(h);
    }
}

/* exp by 2^n times a polynomial of the rest, which is at most ln(2) / 2 in size (Cody and Waite 1980, chapter
 * 6; the coefficients are those of the Cephes library). Below -87.3 the result would not be a normal number:
 * zero. */
static __m256 exp_not_positive(__m256 x)
{
    const __m256 least = _mm256_set1_ps(-87.33654f);
    const __m256 tiny = _mm256_cmp_ps(x, least, _CMP_LT_OQ);
    x = _mm256_max_ps(least, x); /* NaN stays */
    const __m256 n = _mm256_round_ps(_mm256_mul_ps(x, _mm256_set1_ps(1.44269504f)),
                                     _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0.693359375f), x);
    r = _mm256_fnmadd_ps(n, _mm256_set1_ps(-2.12194440e-4f), r);
    __m256 p = _mm256_set1_ps(1.9875691500e-4f);
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.3981999507e-3f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(8.3334519073e-3f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(4.1665795894e-2f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.6666665459e-1f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(5.0000001201e-1f));
    p = _mm256_fmadd_ps(p, _mm256_mul_ps(r, r), _mm256_add_ps(r, _mm256_set1_ps(1)));
    /* n is -126 at least: the exponent stays a normal number's */
    const __m256i power =
        _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
    return _mm256_andnot_ps(tiny, _mm256_mul_ps(p, _mm256_castsi256_ps(power)));
}

void tt_scores_exp_avx2(float *s, double *sum, const float *most, ptrdiff_t plane, int n, int count,
                        int block)
{
    if (block != LANES) {
        tt_scores_exp_c(s, sum, most, plane, n, count, block);
        return;
    }
    for (int x = 0; x < n; x++, sum += LANES) {
        const __m256 m = _mm256_set1_ps(most[x]);
        __m256d lo = _mm256_loadu_pd(sum), hi = _mm256_loadu_pd(sum + 4);
        float *at = s + (ptrdiff_t)x * LANES;
        for (int i = 0; i < count; i += LANES, at += plane) {
            const __m256 e =
                _mm256_and_ps(lanes(count - i), exp_not_positive(_mm256_sub_ps(_mm256_loadu_ps(at), m)));
            _mm256_storeu_ps(at, e);
            lo = _mm256_add_pd(lo, _mm256_cvtps_pd(_mm256_castps256_ps128(e)));
            hi = _mm256_add_pd(hi, _mm256_cvtps_pd(_mm256_extractf128_ps(e, 1)));
        }
        _mm256_storeu_pd(sum, lo);
        _mm256_storeu_pd(sum + 4, hi);
    }
}
