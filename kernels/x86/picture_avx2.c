#include "kernels/kernels.h"

#include <immintrin.h>

static __m256i lanes(size_t left)
{
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(left < 8 ? (int)left : 8), lane);
}

/* ---- samples -------------------------------------------------------------------------------------- */

/*
 * Samples of interleaved pixels: the 32-bit word that holds each is brought to its lane, the sample shifted
 * down and the rest masked off. With 2, 3 or 4 samples a pixel 32 bytes hold 8 samples of a byte, or 4 of
 * two. The last few samples, for which so many bytes are not there, are left to the loop of the reference.
 */
enum { STEP_MAX = 4 };

typedef struct picker {
    __m256i word, shift;
} picker;

static picker pick(ptrdiff_t step, int bytes)
{
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i byte = _mm256_mullo_epi32(lane, _mm256_set1_epi32((int)step * bytes));
    return (picker){_mm256_srli_epi32(byte, 2),
                    _mm256_slli_epi32(_mm256_and_si256(byte, _mm256_set1_epi32(3)), 3)};
}

static __m256i picked(const void *p, picker k)
{
    const __m256i words = _mm256_loadu_si256((const __m256i *)p);
    return _mm256_srlv_epi32(_mm256_permutevar8x32_epi32(words, k.word), k.shift);
}

void tt_from_u8_avx2(float *dst, const uint8_t *src, ptrdiff_t step, size_t n)
{
    const __m256 range = _mm256_set1_ps(255);
    const ptrdiff_t count = (ptrdiff_t)n;
    ptrdiff_t i = 0;
    if (step == 1) {
        for (; i + 8 <= count; i += 8) {
            const __m128i u = _mm_loadl_epi64((const __m128i *)(const void *)(src + i));
            const __m256 level = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(u));
            _mm256_storeu_ps(dst + i, _mm256_div_ps(level, range));
        }
    } else if (step > 1 && step <= STEP_MAX) {
        const picker k = pick(step, 1);
        for (; (count - 1 - i) * step + 1 >= 32; i += 8) {
            const __m256i v = _mm256_and_si256(picked(src + i * step, k), _mm256_set1_epi32(0xff));
            _mm256_storeu_ps(dst + i, _mm256_div_ps(_mm256_cvtepi32_ps(v), range));
        }
    }
    tt_from_u8_c(dst + i, src + i * step, step, (size_t)(count - i));
}

void tt_from_u16_avx2(float *dst, const uint16_t *src, ptrdiff_t step, size_t n)
{
    const __m256 range = _mm256_set1_ps(65535);
    const ptrdiff_t count = (ptrdiff_t)n;
    ptrdiff_t i = 0;
    if (step == 1) {
        for (; i + 8 <= count; i += 8) {
            const __m128i u = _mm_loadu_si128((const __m128i *)(const void *)(src + i));
            const __m256 level = _mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(u));
            _mm256_storeu_ps(dst + i, _mm256_div_ps(level, range));
        }
    } else if (step > 1 && step <= STEP_MAX) {
        const picker k = pick(step, 2);
        for (; (count - 1 - i - 4) * step + 1 >= 16; i += 8) {
            const __m256i lo = picked(src + i * step, k), hi = picked(src + (i + 4) * step, k);
            const __m256i both = _mm256_inserti128_si256(lo, _mm256_castsi256_si128(hi), 1);
            const __m256i v = _mm256_and_si256(both, _mm256_set1_epi32(0xffff));
            _mm256_storeu_ps(dst + i, _mm256_div_ps(_mm256_cvtepi32_ps(v), range));
        }
    }
    tt_from_u16_c(dst + i, src + i * step, step, (size_t)(count - i));
}

/* The maximum gives its second operand for NaN; the conversion rounds halves to even. */
static __m256i levels(__m256 v, __m256 range)
{
    v = _mm256_min_ps(_mm256_max_ps(v, _mm256_setzero_ps()), _mm256_set1_ps(1));
    return _mm256_cvtps_epi32(_mm256_mul_ps(v, range));
}

/* A strided sample is stored alone: what lies between may be another channel, written by someone else. */
void tt_to_u8_avx2(uint8_t *dst, ptrdiff_t step, const float *src, size_t n)
{
    const __m256 range = _mm256_set1_ps(255);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m256i v = levels(_mm256_loadu_ps(src + i), range);
        __m128i u = _mm_packus_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
        u = _mm_packus_epi16(u, u);
        if (step == 1) {
            _mm_storel_epi64((__m128i *)(void *)(dst + i), u);
        } else {
            uint8_t eight[8];
            _mm_storel_epi64((__m128i *)(void *)eight, u);
            for (int l = 0; l < 8; l++)
                dst[((ptrdiff_t)i + l) * step] = eight[l];
        }
    }
    tt_to_u8_c(dst + (ptrdiff_t)i * step, step, src + i, n - i);
}

void tt_to_u16_avx2(uint16_t *dst, ptrdiff_t step, const float *src, size_t n)
{
    const __m256 range = _mm256_set1_ps(65535);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m256i v = levels(_mm256_loadu_ps(src + i), range);
        const __m128i u = _mm_packus_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
        if (step == 1) {
            _mm_storeu_si128((__m128i *)(void *)(dst + i), u);
        } else {
            uint16_t eight[8];
            _mm_storeu_si128((__m128i *)(void *)eight, u);
            for (int l = 0; l < 8; l++)
                dst[((ptrdiff_t)i + l) * step] = eight[l];
        }
    }
    tt_to_u16_c(dst + (ptrdiff_t)i * step, step, src + i, n - i);
}

/* ---- colour --------------------------------------------------------------------------------------- */

static __m256 affine(const float m[4], __m256 s0, __m256 s1, __m256 s2)
{
    __m256 v = _mm256_fmadd_ps(_mm256_set1_ps(m[2]), s2, _mm256_set1_ps(m[3]));
    v = _mm256_fmadd_ps(_mm256_set1_ps(m[1]), s1, v);
    return _mm256_fmadd_ps(_mm256_set1_ps(m[0]), s0, v);
}

void tt_affine3_avx2(float *const dst[3], const float *const src[3], const float m[3][4], size_t n)
{
    float matrix[3][4]; /* a copy, which the stores below cannot be thought to change */
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 4; j++)
            matrix[i][j] = m[i][j];
    float *const d0 = dst[0], *const d1 = dst[1], *const d2 = dst[2];
    const float *const s0 = src[0], *const s1 = src[1], *const s2 = src[2];
    size_t x = 0;
    for (; x + 8 <= n; x += 8) {
        const __m256 a = _mm256_loadu_ps(s0 + x), b = _mm256_loadu_ps(s1 + x), c = _mm256_loadu_ps(s2 + x);
        _mm256_storeu_ps(d0 + x, affine(matrix[0], a, b, c));
        _mm256_storeu_ps(d1 + x, affine(matrix[1], a, b, c));
        _mm256_storeu_ps(d2 + x, affine(matrix[2], a, b, c));
    }
    if (x < n) {
        const __m256i t = lanes(n - x);
        const __m256 a = _mm256_maskload_ps(s0 + x, t), b = _mm256_maskload_ps(s1 + x, t);
        const __m256 c = _mm256_maskload_ps(s2 + x, t);
        _mm256_maskstore_ps(d0 + x, t, affine(matrix[0], a, b, c));
        _mm256_maskstore_ps(d1 + x, t, affine(matrix[1], a, b, c));
        _mm256_maskstore_ps(d2 + x, t, affine(matrix[2], a, b, c));
    }
}

/* ---- resampling ----------------------------------------------------------------------------------- */

void tt_resize_v_avx2(float *dst, const float *const *rows, const float *w, int taps, size_t n)
{
    size_t x = 0;
    for (; x + 32 <= n; x += 32) { /* four sums at a time hide the latency of one */
        __m256 a = _mm256_setzero_ps(), b = a, c = a, d = a;
        for (int t = 0; t < taps; t++) {
            const __m256 f = _mm256_set1_ps(w[t]);
            const float *const p = rows[t] + x;
            a = _mm256_fmadd_ps(f, _mm256_loadu_ps(p), a);
            b = _mm256_fmadd_ps(f, _mm256_loadu_ps(p + 8), b);
            c = _mm256_fmadd_ps(f, _mm256_loadu_ps(p + 16), c);
            d = _mm256_fmadd_ps(f, _mm256_loadu_ps(p + 24), d);
        }
        _mm256_storeu_ps(dst + x, a);
        _mm256_storeu_ps(dst + x + 8, b);
        _mm256_storeu_ps(dst + x + 16, c);
        _mm256_storeu_ps(dst + x + 24, d);
    }
    for (; x < n; x += 8) {
        const __m256i m = lanes(n - x);
        __m256 a = _mm256_setzero_ps();
        for (int t = 0; t < taps; t++)
            a = _mm256_fmadd_ps(_mm256_set1_ps(w[t]), _mm256_maskload_ps(rows[t] + x, m), a);
        _mm256_maskstore_ps(dst + x, m, a);
    }
}

/*
 * The taps of an output lie side by side in a vector. Inside a picture their indices count upwards by one and
 * plain loads read the samples; at its borders they repeat or turn back, and a gather does: both see the same
 * values, so nothing depends on the place. Four or eight outputs are summed together.
 */
static __m256i load_index(const int32_t *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

/* Zero where the indices of both outputs count upwards by one. */
static __m256i stray4(__m256i at)
{
    const __m256i first = _mm256_shuffle_epi32(at, 0);
    return _mm256_xor_si256(at, _mm256_add_epi32(first, _mm256_setr_epi32(0, 1, 2, 3, 0, 1, 2, 3)));
}

static __m256 samples4(const float *src, const int32_t *index)
{
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(src + index[0])),
                                _mm_loadu_ps(src + index[4]), 1);
}

/* Four taps, two outputs a vector: bicubic enlargement. Returns how many outputs it made. */
static size_t resize_h4(float *dst, const float *src, const int32_t *index, const float *w, size_t n)
{
    size_t x = 0;
    for (; x + 8 <= n; x += 8, index += 32, w += 32) {
        const __m256i at0 = load_index(index), at1 = load_index(index + 8);
        const __m256i at2 = load_index(index + 16), at3 = load_index(index + 24);
        const __m256i stray = _mm256_or_si256(_mm256_or_si256(stray4(at0), stray4(at1)),
                                              _mm256_or_si256(stray4(at2), stray4(at3)));
        __m256 a, b, c, d;
        if (_mm256_testz_si256(stray, stray)) {
            a = samples4(src, index);
            b = samples4(src, index + 8);
            c = samples4(src, index + 16);
            d = samples4(src, index + 24);
        } else {
            a = _mm256_i32gather_ps(src, at0, 4);
            b = _mm256_i32gather_ps(src, at1, 4);
            c = _mm256_i32gather_ps(src, at2, 4);
            d = _mm256_i32gather_ps(src, at3, 4);
        }
        a = _mm256_mul_ps(a, _mm256_loadu_ps(w));
        b = _mm256_mul_ps(b, _mm256_loadu_ps(w + 8));
        c = _mm256_mul_ps(c, _mm256_loadu_ps(w + 16));
        d = _mm256_mul_ps(d, _mm256_loadu_ps(w + 24));
        const __m256 even_odd = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
        const __m256i in_order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
        _mm256_storeu_ps(dst + x, _mm256_permutevar8x32_ps(even_odd, in_order));
    }
    return x;
}

/* One output of four taps, summed as above. */
static float one_output4(const float *src, const int32_t *index, const float *w)
{
    const __m128 s = _mm_setr_ps(src[index[0]], src[index[1]], src[index[2]], src[index[3]]);
    const __m128 products = _mm_mul_ps(s, _mm_loadu_ps(w)), pairs = _mm_hadd_ps(products, products);
    return _mm_cvtss_f32(_mm_hadd_ps(pairs, pairs));
}

/*
 * Any number of taps: full vectors of eight, then one with lanes `last`. Adds the products of taps t, t + 4,
 * t + 8... of one output. `full` is a constant where it is small, which unrolls the loops.
 */
static inline __attribute__((always_inline)) __m128 products(const float *src, const int32_t *index,
                                                             const float *w, int full, __m256i last)
{
    const __m256i eight = _mm256_set1_epi32(8);
    const float *const window = src + index[0];
    __m256i run = _mm256_add_epi32(_mm256_set1_epi32(index[0]), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    __m256i stray = _mm256_setzero_si256();
    __m256 sum = _mm256_setzero_ps();
    for (int t = 0; t < 8 * full; t += 8, run = _mm256_add_epi32(run, eight))
        stray = _mm256_or_si256(stray, _mm256_xor_si256(load_index(index + t), run));
    const __m256i last_at = _mm256_maskload_epi32(index + 8 * full, last);
    stray = _mm256_or_si256(stray, _mm256_and_si256(_mm256_xor_si256(last_at, run), last));

    const __m256 last_w = _mm256_maskload_ps(w + 8 * full, last);
    if (_mm256_testz_si256(stray, stray)) {
        for (int t = 0; t < 8 * full; t += 8)
            sum = _mm256_fmadd_ps(_mm256_loadu_ps(window + t), _mm256_loadu_ps(w + t), sum);
        sum = _mm256_fmadd_ps(_mm256_maskload_ps(window + 8 * full, last), last_w, sum);
    } else {
        for (int t = 0; t < 8 * full; t += 8) {
            const __m256 s = _mm256_i32gather_ps(src, load_index(index + t), 4);
            sum = _mm256_fmadd_ps(s, _mm256_loadu_ps(w + t), sum);
        }
        const __m256 m = _mm256_castsi256_ps(last);
        const __m256 s = _mm256_mask_i32gather_ps(_mm256_setzero_ps(), src, last_at, m, 4);
        sum = _mm256_fmadd_ps(s, last_w, sum);
    }
    return _mm_add_ps(_mm256_castps256_ps128(sum), _mm256_extractf128_ps(sum, 1));
}

static inline __attribute__((always_inline)) void
resize_any(float *dst, const float *src, const int32_t *index, const float *w, int taps, int full, size_t n)
{
    const __m256i last = lanes((size_t)(taps - 8 * full));
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

void tt_resize_h_avx2(float *dst, const float *src, const int32_t *index, const float *w, int taps, size_t n)
{
    if (taps == 4) {
        for (size_t x = resize_h4(dst, src, index, w, n); x < n; x++)
            dst[x] = one_output4(src, index + 4 * x, w + 4 * x);
    } else if (taps <= 8) {
        resize_any(dst, src, index, w, taps, 0, n);
    } else if (taps <= 16) {
        resize_any(dst, src, index, w, taps, 1, n);
    } else {
        resize_any(dst, src, index, w, taps, (taps - 1) / 8, n);
    }
}
