#include "kernels/kernels.h"

#include <immintrin.h>

enum { LANES = 8 };

static __m256i lanes(size_t left)
{
    static const int32_t ones[2 * LANES] = {-1, -1, -1, -1, -1, -1, -1, -1};
    return _mm256_loadu_si256((const __m256i *)(ones + LANES - (left < LANES ? left : LANES)));
}

/* Periods that divide a vector: a channel alone, or a block. As in the reference, the maximum gives its
 * second operand for NaN. */
void tt_affine_avx2(float *dst, const float *src, const float *gain, const float *shift, int relu,
                    size_t period, size_t n)
{
    if (period != 1 && period != LANES) {
        tt_affine_c(dst, src, gain, shift, relu, period, n);
        return;
    }
    const __m256 g = period == 1 ? _mm256_set1_ps(*gain) : _mm256_loadu_ps(gain);
    const __m256 t = period == 1 ? _mm256_set1_ps(*shift) : _mm256_loadu_ps(shift);
    for (size_t i = 0; i < n; i += LANES) {
        const __m256i m = lanes(n - i);
        __m256 z = _mm256_add_ps(_mm256_mul_ps(g, _mm256_maskload_ps(src + i, m)), t);
        if (relu)
            z = _mm256_max_ps(z, _mm256_setzero_ps());
        _mm256_maskstore_ps(dst + i, m, z);
    }
}

void tt_pool_avx2(float *dst, const float *const row[3], int pixel, int w, int n)
{
    if (pixel != LANES) {
        tt_pool_c(dst, row, pixel, w, n);
        return;
    }
    for (int x = 0; x < n; x++) {
        const ptrdiff_t column[3] = {x ? 2 * x - 1 : 0, 2 * x, 2 * x + 1 < w ? 2 * x + 1 : w - 1};
        __m256 most = _mm256_loadu_ps(row[0] + column[0] * LANES);
        for (int i = 1; i < 9; i++)
            most = _mm256_max_ps(_mm256_loadu_ps(row[i / 3] + column[i % 3] * LANES), most);
        _mm256_storeu_ps(dst + (ptrdiff_t)x * LANES, most);
    }
}

void tt_blur_avx2(float *dst, const float *above, const float *here, int pixel, size_t n)
{
    const __m256 quarter = _mm256_set1_ps(0.25f);
    const size_t b = (size_t)pixel, end = n * b;
    if (n)
        tt_blur_c(dst, above, here, pixel, 1);
    for (size_t i = b; i < end; i += LANES) {
        const __m256i m = lanes(end - i);
        __m256 z = _mm256_add_ps(_mm256_maskload_ps(above + i - b, m), _mm256_maskload_ps(above + i, m));
        z = _mm256_add_ps(z, _mm256_maskload_ps(here + i - b, m));
        z = _mm256_add_ps(z, _mm256_maskload_ps(here + i, m));
        _mm256_maskstore_ps(dst + i, m, _mm256_mul_ps(quarter, z));
    }
}
