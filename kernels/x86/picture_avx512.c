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
 * The taps of an output lie side by side in a vector: full ones of sixteen, then one with lanes `last`.
 * Inside a picture their indices count upwards by one and plain loads read the samples; at its borders they
 * repeat or turn back, and a gather does: both see the same values, so nothing depends on the place. Adds the
 * products of taps t, t + 4, t + 8... of one output. `full` is a constant where it is small, which unrolls
 * the loops.
 */
static inline __attribute__((always_inline)) __m128 products(const float *src, const int32_t *index,
                                                             const float *w, int full, __mmask16 last)
{
    const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const float *const window = src + index[0];
    const int t_last = 16 * full;
    __m512i run = _mm512_add_epi32(_mm512_set1_epi32(index[0]), lane);
    __mmask16 stray = 0;
    __m512 sum = _mm512_setzero_ps();
    for (int t = 0; t < t_last; t += 16, run = _mm512_add_epi32(run, _mm512_set1_epi32(16)))
        stray |= _mm512_cmpneq_epi32_mask(_mm512_loadu_si512(index + t), run);
    const __m512i last_at = _mm512_maskz_loadu_epi32(last, index + t_last);
    stray |= _mm512_mask_cmpneq_epi32_mask(last, last_at, run);

    const __m512 last_w = _mm512_maskz_loadu_ps(last, w + t_last);
    if (!stray) {
        for (int t = 0; t < t_last; t += 16)
            sum = _mm512_fmadd_ps(_mm512_loadu_ps(window + t), _mm512_loadu_ps(w + t), sum);
        sum = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(last, window + t_last), last_w, sum);
    } else {
        for (int t = 0; t < t_last; t += 16) {
            const __m512 s = _mm512_i32gather_ps(_mm512_loadu_si512(index + t), src, 4);
            sum = _mm512_fmadd_ps(s, _mm512_loadu_ps(w + t), sum);
        }
        const __m512 s = _mm512_mask_i32gather_ps(_mm512_setzero_ps(), last, last_at, src, 4);
        sum = _mm512_fmadd_ps(s, last_w, sum);
    }
    const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(sum), _mm512_extractf32x8_ps(sum, 1));
    return _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
}

static inline __attribute__((always_inline)) void
resize_any(float *dst, const float *src, const int32_t *index, const float *w, int taps, int full, size_t n)
{
    const __mmask16 last = lanes((size_t)(taps - 16 * full));
    size_t x = 0;
    for (; x + 4 <= n; x += 4, index += 4 * taps, w += 4 * taps) {
        const __m128 a = products(src, index, w, full, last);
        const __m128 b = products(src, index + taps, w + taps, full, last);
        const __m128 c = products(src, index + 2 * taps, w + 2 * taps, full, last);
        const __m128 d = products(src, index + 3 * taps, w + 3 * taps, full, last);
        _mm_storeu_ps(dst + x, _mm_hadd_ps(_mm_hadd_ps(a, b), _mm_hadd_ps(c, d)));
    }
    for (; x < n; x++, index += taps, w += taps) {
        const __m128 a = products(src, index, w, full, last), pairs = _mm_hadd_ps(a, a);
        dst[x] = _mm_cvtss_f32(_mm_hadd_ps(pairs, pairs));
    }
}

void tt_resize_h_avx512(float *dst, const float *src, const int32_t *index, const float *w, int taps,
                        size_t n)
{
    if (taps <= 8) /* the wider vector would be half empty */
        tt_resize_h_avx2(dst, src, index, w, taps, n);
    else if (taps <= 16)
        resize_any(dst, src, index, w, taps, 0, n);
    else
        resize_any(dst, src, index, w, taps, (taps - 1) / 16, n);
}
