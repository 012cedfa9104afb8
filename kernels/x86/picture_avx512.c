#include "kernels/kernels.h"

#include <immintrin.h>

static __mmask16 lanes(size_t left)
{
    return (__mmask16)(left < 16 ? (1u << left) - 1 : 0xffffu);
}

/* ---- samples -------------------------------------------------------------------------------------- */

/*
 * Samples of interleaved pixels: the 32-bit word that holds each is brought to its lane, the sample shifted
 * down and the rest masked off. With up to 4 samples a pixel 64 bytes hold 16 samples of a byte, 128 bytes 16
 * of two; what lies behind the last sample is not read.
 */
enum { STEP_MAX = 4 };

typedef struct picker {
    __m512i word, shift;
} picker;

static picker pick(ptrdiff_t step, int bytes)
{
    const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i byte = _mm512_mullo_epi32(lane, _mm512_set1_epi32((int)step * bytes));
    return (picker){_mm512_srli_epi32(byte, 2),
                    _mm512_slli_epi32(_mm512_and_si512(byte, _mm512_set1_epi32(3)), 3)};
}

static __mmask64 first_bytes(ptrdiff_t left)
{
    return left < 64 ? ((__mmask64)1 << left) - 1 : ~(__mmask64)0;
}

static __mmask32 first_words(ptrdiff_t left)
{
    return left < 0 ? 0 : left < 32 ? ((__mmask32)1 << left) - 1 : ~(__mmask32)0;
}

void tt_from_u8_avx512(float *dst, const uint8_t *src, ptrdiff_t step, size_t n)
{
    if (step < 1 || step > STEP_MAX) {
        tt_from_u8_c(dst, src, step, n);
        return;
    }
    const __m512 range = _mm512_set1_ps(255);
    const __m512i low = _mm512_set1_epi32(0xff);
    const picker k = pick(step, 1);
    const ptrdiff_t count = (ptrdiff_t)n;
    for (ptrdiff_t i = 0; i < count; i += 16) {
        const __mmask64 there = first_bytes((count - 1 - i) * step + 1);
        const __m512i bytes = _mm512_maskz_loadu_epi8(there, src + i * step);
        const __m512i v = _mm512_srlv_epi32(_mm512_permutexvar_epi32(k.word, bytes), k.shift);
        const __m512 level = _mm512_cvtepi32_ps(_mm512_and_si512(v, low));
        _mm512_mask_storeu_ps(dst + i, lanes((size_t)(count - i)), _mm512_div_ps(level, range));
    }
}

void tt_from_u16_avx512(float *dst, const uint16_t *src, ptrdiff_t step, size_t n)
{
    if (step < 1 || step > STEP_MAX) {
        tt_from_u16_c(dst, src, step, n);
        return;
    }
    const __m512 range = _mm512_set1_ps(65535);
    const __m512i low = _mm512_set1_epi32(0xffff);
    const picker k = pick(step, 2);
    const ptrdiff_t count = (ptrdiff_t)n;
    for (ptrdiff_t i = 0; i < count; i += 16) {
        const ptrdiff_t there = (count - 1 - i) * step + 1;
        const __m512i a = _mm512_maskz_loadu_epi16(first_words(there), src + i * step);
        const __m512i b = _mm512_maskz_loadu_epi16(first_words(there - 32), src + i * step + 32);
        const __m512i v = _mm512_srlv_epi32(_mm512_permutex2var_epi32(a, k.word, b), k.shift);
        const __m512 level = _mm512_cvtepi32_ps(_mm512_and_si512(v, low));
        _mm512_mask_storeu_ps(dst + i, lanes((size_t)(count - i)), _mm512_div_ps(level, range));
    }
}

/* The maximum gives its second operand for NaN; the conversion rounds halves to even. */
static __m512i levels(__m512 v, __m512 range)
{
    v = _mm512_min_ps(_mm512_max_ps(v, _mm512_setzero_ps()), _mm512_set1_ps(1));
    return _mm512_cvtps_epi32(_mm512_mul_ps(v, range));
}

/* A strided sample is stored alone: what lies between may be another channel, written by someone else. */
void tt_to_u8_avx512(uint8_t *dst, ptrdiff_t step, const float *src, size_t n)
{
    const __m512 range = _mm512_set1_ps(255);
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 m = lanes(n - i);
        const __m128i u = _mm512_cvtepi32_epi8(levels(_mm512_maskz_loadu_ps(m, src + i), range));
        if (step == 1) {
            _mm_mask_storeu_epi8(dst + i, m, u);
        } else {
            uint8_t sixteen[16];
            _mm_storeu_si128((__m128i *)(void *)sixteen, u);
            const int left = n - i < 16 ? (int)(n - i) : 16;
            for (int l = 0; l < left; l++)
                dst[((ptrdiff_t)i + l) * step] = sixteen[l];
        }
    }
}

void tt_to_u16_avx512(uint16_t *dst, ptrdiff_t step, const float *src, size_t n)
{
    const __m512 range = _mm512_set1_ps(65535);
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 m = lanes(n - i);
        const __m256i u = _mm512_cvtepi32_epi16(levels(_mm512_maskz_loadu_ps(m, src + i), range));
        if (step == 1) {
            _mm256_mask_storeu_epi16(dst + i, m, u);
        } else {
            uint16_t sixteen[16];
            _mm256_storeu_si256((__m256i *)(void *)sixteen, u);
            const int left = n - i < 16 ? (int)(n - i) : 16;
            for (int l = 0; l < left; l++)
                dst[((ptrdiff_t)i + l) * step] = sixteen[l];
        }
    }
}

/* ---- colour --------------------------------------------------------------------------------------- */

static __m512 affine(const float m[4], __m512 s0, __m512 s1, __m512 s2)
{
    __m512 v = _mm512_fmadd_ps(_mm512_set1_ps(m[2]), s2, _mm512_set1_ps(m[3]));
    v = _mm512_fmadd_ps(_mm512_set1_ps(m[1]), s1, v);
    return _mm512_fmadd_ps(_mm512_set1_ps(m[0]), s0, v);
}

void tt_affine3_avx512(float *const dst[3], const float *const src[3], const float m[3][4], size_t n)
{
    float matrix[3][4]; /* a copy, which the stores below cannot be thought to change */
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 4; j++)
            matrix[i][j] = m[i][j];
    float *const d0 = dst[0], *const d1 = dst[1], *const d2 = dst[2];
    const float *const s0 = src[0], *const s1 = src[1], *const s2 = src[2];
    for (size_t x = 0; x < n; x += 16) {
        const __mmask16 t = lanes(n - x);
        const __m512 a = _mm512_maskz_loadu_ps(t, s0 + x), b = _mm512_maskz_loadu_ps(t, s1 + x);
        const __m512 c = _mm512_maskz_loadu_ps(t, s2 + x);
        _mm512_mask_storeu_ps(d0 + x, t, affine(matrix[0], a, b, c));
        _mm512_mask_storeu_ps(d1 + x, t, affine(matrix[1], a, b, c));
        _mm512_mask_storeu_ps(d2 + x, t, affine(matrix[2], a, b, c));
    }
}

/* ---- resampling ----------------------------------------------------------------------------------- */

void tt_resize_v_avx512(float *dst, const float *const *rows, const float *w, int taps, size_t n)
{
    size_t x = 0;
    for (; x + 64 <= n; x += 64) { /* four sums at a time hide the latency of one */
        __m512 a = _mm512_setzero_ps(), b = a, c = a, d = a;
        for (int t = 0; t < taps; t++) {
            const __m512 f = _mm512_set1_ps(w[t]);
            const float *const p = rows[t] + x;
            a = _mm512_fmadd_ps(f, _mm512_loadu_ps(p), a);
            b = _mm512_fmadd_ps(f, _mm512_loadu_ps(p + 16), b);
            c = _mm512_fmadd_ps(f, _mm512_loadu_ps(p + 32), c);
            d = _mm512_fmadd_ps(f, _mm512_loadu_ps(p + 48), d);
        }
        _mm512_storeu_ps(dst + x, a);
        _mm512_storeu_ps(dst + x + 16, b);
        _mm512_storeu_ps(dst + x + 32, c);
        _mm512_storeu_ps(dst + x + 48, d);
    }
    for (; x < n; x += 16) {
        const __mmask16 m = lanes(n - x);
        __m512 a = _mm512_setzero_ps();
        for (int t = 0; t < taps; t++)
            a = _mm512_fmadd_ps(_mm512_set1_ps(w[t]), _mm512_maskz_loadu_ps(m, rows[t] + x), a);
        _mm512_mask_storeu_ps(dst + x, m, a);
    }
}

/*
 * The products of an output lie side by side, four, eight or sixteen taps in a vector. Inside a picture
 * the indices count upwards by one and a plain load reads the samples; at its borders they repeat or turn
 * back, and a gather does: both see the same values, so nothing depends on the place. Four outputs are
 * summed at once.
 */
static __m128 products4(const float *src, const int32_t *index, const float *w, __mmask8 m)
{
    const int32_t first = index[0];
    const __m128i at = _mm_maskz_loadu_epi32(m, index);
    const __m128i run = _mm_add_epi32(_mm_set1_epi32(first), _mm_setr_epi32(0, 1, 2, 3));
    const __m128 s = _mm_mask_cmpneq_epi32_mask(m, at, run)
                         ? _mm_mmask_i32gather_ps(_mm_setzero_ps(), m, at, src, 4)
                         : _mm_maskz_loadu_ps(m, src + first);
    return _mm_mul_ps(_mm_maskz_loadu_ps(m, w), s);
}

static __m128 products8(const float *src, const int32_t *index, const float *w, __mmask8 m)
{
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const int32_t first = index[0];
    const __m256i at = _mm256_maskz_loadu_epi32(m, index);
    const __m256i run = _mm256_add_epi32(_mm256_set1_epi32(first), lane);
    const __m256 s = _mm256_mask_cmpneq_epi32_mask(m, at, run)
                         ? _mm256_mmask_i32gather_ps(_mm256_setzero_ps(), m, at, src, 4)
                         : _mm256_maskz_loadu_ps(m, src + first);
    const __m256 v = _mm256_mul_ps(_mm256_maskz_loadu_ps(m, w), s);
    return _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
}

static __m128 products16(const float *src, const int32_t *index, const float *w, int taps)
{
    const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __m512 sum = _mm512_setzero_ps();
    for (int t = 0; t < taps; t += 16) {
        const __mmask16 m = lanes((size_t)(taps - t));
        const int32_t first = index[t];
        const __m512i at = _mm512_maskz_loadu_epi32(m, index + t);
        const __m512i run = _mm512_add_epi32(_mm512_set1_epi32(first), lane);
        const __m512 s = _mm512_mask_cmpneq_epi32_mask(m, at, run)
                             ? _mm512_mask_i32gather_ps(_mm512_setzero_ps(), m, at, src, 4)
                             : _mm512_maskz_loadu_ps(m, src + first);
        sum = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(m, w + t), s, sum);
    }
    const __m256 v = _mm256_add_ps(_mm512_castps512_ps256(sum), _mm512_extractf32x8_ps(sum, 1));
    return _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
}

void tt_resize_h_avx512(float *dst, const float *src, const int32_t *index, const float *w, int taps,
                        size_t n)
{
    const __mmask8 m = (__mmask8)lanes((size_t)taps);
    for (size_t x = 0; x < n; x += 4) {
        const int outputs = n - x < 4 ? (int)(n - x) : 4;
        __m128 p[4] = {_mm_setzero_ps(), _mm_setzero_ps(), _mm_setzero_ps(), _mm_setzero_ps()};
        for (int i = 0; i < outputs; i++, index += taps, w += taps)
            p[i] = taps <= 4   ? products4(src, index, w, m)
                   : taps <= 8 ? products8(src, index, w, m)
                               : products16(src, index, w, taps);
        const __m128 sum = _mm_hadd_ps(_mm_hadd_ps(p[0], p[1]), _mm_hadd_ps(p[2], p[3]));
        _mm_mask_storeu_ps(dst + x, (__mmask8)lanes((size_t)outputs), sum);
    }
}
