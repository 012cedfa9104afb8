#include "kernels/kernels.h"

#include <immintrin.h>
#include <string.h>

void tt_from_f16_avx2(float *dst, const uint16_t *src, size_t n)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(dst + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(src + i))));
    if (i < n) { /* no masked load has 16-bit lanes here */
        uint16_t half[8] = {0};
        float value[8];
        memcpy(half, src + i, (n - i) * sizeof *half);
    _mm256_storeu_ps(value, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)half)));
        memcpy(dst + i, value, (n - i) * sizeof *value);
    }
}
