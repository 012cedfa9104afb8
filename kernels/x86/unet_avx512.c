#include "kernels/kernels.h"

#include <immintrin.h>

enum { LANES = 16 };

/* The lanes that hold one of `left` more values. */
static __mmask16 lanes(size_t left)
{
    return (__mmask16)(left < LANES ? (1u << left) - 1 : 0xffffu);
}

/* Periods that divide a vector: a channel alone, or a block. As in the reference, the maximum gives its
 * second operand for NaN. */
void tt_affine_avx512(float *dst, const float *src, const float *gain, const float *shift, int relu,
                      size_t period, size_t n)
{
    if (period != 1 && period != LANES) {
        tt_affine_c(dst, src, gain, shift, relu, period, n);
        return;
    }
    const __m512 g = period == 1 ? _mm512_set1_ps(*gain) : _mm512_loadu_ps(gain);
    const __m512 t = period == 1 ? _mm512_set1_ps(*shift) : _mm512_loadu_ps(shift);
    for (size_t i = 0; i < n; i += LANES) {
        const __mmask16 m = lanes(n - i);
        __m512 z = _mm512_add_ps(_mm512_mul_ps(g, _mm512_maskz_loadu_ps(m, src + i)), t);
        if (relu)
            z = _mm512_max_ps(z, _mm512_setzero_ps());
        _mm512_mask_storeu_ps(dst + i, m, z);
    }
}

void tt_pool_avx512(float *dst, const float *const row[3], int pixel, int w, int n)
{
    if (pixel != LANES) {
        tt_pool_c(dst, row, pixel, w, n);
        return;
    }
    for (int x = 0; x < n; x++) {
        const ptrdiff_t column[3] = {x ? 2 * x - 1 : 0, 2 * x, 2 * x + 1 < w ? 2 * x + 1 : w - 1};
        __m512 most = _mm512_loadu_ps(row[0] + column[0] * LANES);
        for (int i = 1; i < 9; i++)
            most = _mm512_max_ps(_mm512_loadu_ps(row[i / 3] + column[i % 3] * LANES), most);
        _mm512_storeu_ps(dst + (ptrdiff_t)x * LANES, most);
    }
}

void tt_blur_avx512(float *dst, const float *above, const float *here, int pixel, size_t n)
{
    const __m512 quarter = _mm512_set1_ps(0.25f);
    const size_t b = (size_t)pixel, end = n * b;
    if (n)
        tt_blur_c(dst, above, here, pixel, 1);
    for (size_t i = b; i < end; i += LANES) {
        const __mmask16 m = lanes(end - i);
        __m512 z =
            _mm512_add_ps(_mm512_maskz_loadu_ps(m, above + i - b), _mm512_maskz_loadu_ps(m, above + i));
        z = _mm512_add_ps(z, _mm512_maskz_loadu_ps(m, here + i - b));
        z = _mm512_add_ps(z, _mm512_maskz_loadu_ps(m, here + i));
        _mm512_mask_storeu_ps(dst + i, m, _mm512_mul_ps(quarter, z));
    }
}
