#include <immintrin.h>

#include "kernels/kernels.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 32") /* -O2 alone would leave the accumulators in memory */

/* Tokens come in sixteens, so every tile is two vectors wide. */
enum { LANES = 8, WIDE = 2 * LANES, GROUP = TT_LINEAR_GROUP };

/* ---- between blocks and tokens -------------------------------------------------------------------- */

/* v[i] lane j and v[j] lane i change places. */
INLINE void turn(__m256 v[8])
{
    __m256 a[8], b[8];
    UNROLL for (int i = 0; i < 8; i += 2) {
        a[i] = _mm256_unpacklo_ps(v[i], v[i + 1]);
        a[i + 1] = _mm256_unpackhi_ps(v[i], v[i + 1]);
    }
    UNROLL for (int i = 0; i < 8; i += 4) {
        UNROLL for (int h = 0; h < 2; h++) {
            const __m256d x = _mm256_castps_pd(a[i + h]), y = _mm256_castps_pd(a[i + h + 2]);
            b[i + 2 * h] = _mm256_castpd_ps(_mm256_unpacklo_pd(x, y));
            b[i + 2 * h + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(x, y));
        }
    }
    UNROLL for (int l = 0; l < 4; l++) {
        v[l] = _mm256_permute2f128_ps(b[l], b[l + 4], 0x20);
        v[l + 4] = _mm256_permute2f128_ps(b[l], b[l + 4], 0x31);
    }
}

/* All lanes of the first n. */
INLINE __m256i first(int n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* Pixels 0..n-1, at most eight, of `have` channels of one block. */
INLINE void load8(float *dst, ptrdiff_t row, const float *src, int have, int n)
{
    const __m256i m = first(n);
    __m256 v[8];
    UNROLL for (int x = 0; x < 8; x++)
        v[x] = x < n ? _mm256_loadu_ps(src + x * LANES) : _mm256_setzero_ps();
    turn(v);
    UNROLL for (int c = 0; c < 8; c++)
        if (c < have)
            _mm256_maskstore_ps(dst + c * row, m, v[c]);
}

INLINE void store8(float *dst, const float *add, const float *src, ptrdiff_t row, int have, int n)
{
    const __m256i m = first(n);
    const __m256 lanes = _mm256_castsi256_ps(first(have));
    __m256 v[8];
    UNROLL for (int c = 0; c < 8; c++)
        v[c] = c < have ? _mm256_maskload_ps(src + c * row, m) : _mm256_setzero_ps();
    turn(v);
    UNROLL for (int x = 0; x < 8; x++)
        if (x < n)
            _mm256_storeu_ps(dst + x * LANES,
                             add ? _mm256_and_ps(lanes, _mm256_add_ps(_mm256_loadu_ps(add + x * LANES), v[x]))
                                 : v[x]);
}

void tt_tokens_load_avx2(float *dst, ptrdiff_t row, const float *src, ptrdiff_t plane, int block,
                         int channels, int n)
{
    (void)block;
    for (int c = 0; c < channels; c += LANES, src += plane)
        for (int x = 0; x < n; x += 8)
            load8(dst + c * row + x, row, src + x * LANES, channels - c, n - x);
}

void tt_tokens_store_avx2(float *dst, ptrdiff_t plane, const float *add, ptrdiff_t add_plane, int block,
                          const float *src, ptrdiff_t row, int channels, int n)
{
    (void)block;
    for (int c = 0; c < channels; c += LANES, dst += plane, add = add ? add + add_plane : NULL)
        for (int x = 0; x < n; x += 8)
            store8(dst + x * LANES, add ? add + x * LANES : NULL, src + c * row + x, row, channels - c,
                   n - x);
}

/* ---- layer norm ----------------------------------------------------------------------------------- */

void tt_layer_norm_avx2(float *p, ptrdiff_t row, int channels, const float *weight, const float *bias,
                        float eps, int n)
{
    const __m256 count = _mm256_set1_ps((float)channels);
    for (int t = 0; t < n; t += LANES, p += LANES) {
        __m256 mean = _mm256_setzero_ps(), variance = _mm256_setzero_ps();
        for (int c = 0; c < channels; c++)
            mean = _mm256_add_ps(mean, _mm256_load_ps(p + c * row));
        mean = _mm256_div_ps(mean, count);
        for (int c = 0; c < channels; c++) {
            const __m256 d = _mm256_sub_ps(_mm256_load_ps(p + c * row), mean);
            variance = _mm256_fmadd_ps(d, d, variance);
        }
        variance = _mm256_add_ps(_mm256_div_ps(variance, count), _mm256_set1_ps(eps));
        const __m256 scale = _mm256_div_ps(_mm256_set1_ps(1), _mm256_sqrt_ps(variance));
        for (int c = 0; c < channels; c++) {
            const __m256 d = _mm256_mul_ps(_mm256_sub_ps(_mm256_load_ps(p + c * row), mean), scale);
            _mm256_store_ps(p + c * row,
                            _mm256_fmadd_ps(d, _mm256_set1_ps(weight[c]), _mm256_set1_ps(bias[c])));
        }
    }
}

/* ---- products ------------------------------------------------------------------------------------- */

/*
 * acc[o][v] += sum_k a[k * a_k + o * a_o] * b[k * b_k + vector v]: a tile of NO values that are the same for
 * all tokens times two vectors of tokens, in registers over the whole sum. 6 x 2: eight loads to 12
 * multiply-adds. Two pointers into a: one and two times a_o then fit an address.
 */
INLINE void multiply(__m256 *acc, const float *a, ptrdiff_t a_k, ptrdiff_t a_o, const float *b, ptrdiff_t b_k,
                     int k, const int NO)
{
    const float *half[2] = {a, a + 3 * a_o};
    for (; k > 0; k--, half[0] += a_k, half[1] += a_k, b += b_k) {
        const __m256 x0 = _mm256_load_ps(b), x1 = _mm256_load_ps(b + LANES);
        UNROLL for (int o = 0; o < NO; o++) {
            const __m256 w = _mm256_broadcast_ss(half[o / 3] + o % 3 * a_o);
            acc[2 * o] = _mm256_fmadd_ps(w, x0, acc[2 * o]);
            acc[2 * o + 1] = _mm256_fmadd_ps(w, x1, acc[2 * o + 1]);
        }
    }
}

void tt_linear_avx2(float *dst, const float *src, ptrdiff_t row, const float *weights, const float *bias,
                    int in, int out, int n)
{
    for (int t = 0; t < n; t += WIDE) {
        const float *w = weights;
        for (int o = 0; o < out; o += GROUP, w += in * GROUP) {
            const int have = out - o < GROUP ? out - o : GROUP;
            __m256 acc[2 * GROUP];
            UNROLL for (int i = 0; i < 2 * GROUP; i++)
                acc[i] = _mm256_set1_ps(i / 2 < have ? bias[o + i / 2] : 0);
            multiply(acc, w, GROUP, 1, src + t, row, in, GROUP);
            UNROLL for (int i = 0; i < 2 * GROUP; i++)
                if (i / 2 < have)
                    _mm256_store_ps(dst + (o + i / 2) * row + t + i % 2 * LANES, acc[i]);
        }
    }
}

/* ---- attention ------------------------------------------------------------------------------------ */

/* exp(x), x <= 0: 2 to the whole part, put together from bits, times a polynomial of degree 5, relative
 * error 9.2e-8, about the rest. Below -87 it stays at 1.6e-38. */
INLINE __m256 exponential(__m256 x)
{
    const __m256 log2e = _mm256_set1_ps(1.44269504f);
    x = _mm256_max_ps(_mm256_set1_ps(-87), x); /* in this order NaN stays NaN */
    const __m256 whole =
        _mm256_round_ps(_mm256_mul_ps(x, log2e), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const __m256 f = _mm256_fmsub_ps(x, log2e, whole);
    __m256 p = _mm256_fmadd_ps(_mm256_set1_ps(1.326472731e-03f), f, _mm256_set1_ps(9.671512991e-03f));
    p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(5.550733581e-02f));
    p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(2.402224243e-01f));
    p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(6.931470037e-01f));
    p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(1));
    const __m256i power =
        _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(whole), _mm256_set1_epi32(127)), 23);
    return _mm256_mul_ps(p, _mm256_castsi256_ps(power));
}

/* Scores of NO keys from j on for the queries from i on; most[] grows. */
INLINE void score(const tt_attention *a, ptrdiff_t lanes, int i, int j, __m256 most[2], const int NO)
{
    const __m256 scale = _mm256_set1_ps(a->scale);
    __m256 acc[2 * GROUP];
    UNROLL for (int n = 0; n < 2 * NO; n++)
        acc[n] = _mm256_setzero_ps();
    multiply(acc, a->k + j, a->row, 1, a->q + i, a->row, a->depth, NO);
    UNROLL for (int n = 0; n < 2 * NO; n++) {
        const __m256 bias = _mm256_load_ps(a->bias + (j + n / 2) * lanes + i + n % 2 * LANES);
        const __m256 s = _mm256_fmadd_ps(acc[n], scale, bias);
        most[n % 2] = _mm256_max_ps(most[n % 2], s);
        _mm256_store_ps(a->scores + (j + n / 2) * WIDE + n % 2 * LANES, s);
    }
}

/* NO channels from d on of the result. */
INLINE void gather(const tt_attention *a, int i, int d, const __m256 inverse[2], const int NO)
{
    __m256 acc[2 * GROUP];
    UNROLL for (int n = 0; n < 2 * NO; n++)
        acc[n] = _mm256_setzero_ps();
    multiply(acc, a->v + d * a->row, 1, a->row, a->scores, WIDE, a->tokens, NO);
    UNROLL for (int n = 0; n < 2 * NO; n++)
        _mm256_store_ps(a->dst + (d + n / 2) * a->row + i + n % 2 * LANES,
                        _mm256_mul_ps(acc[n], inverse[n % 2]));
}

static void queries(const tt_attention *a, int i)
{
    const ptrdiff_t lanes = (a->tokens + WIDE - 1) / WIDE * WIDE;
    const __m256 least = _mm256_set1_ps(-__builtin_inff());
    __m256 most[2] = {least, least}, sum[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
    int j = 0, d = 0;
    for (; j + GROUP <= a->tokens; j += GROUP)
        score(a, lanes, i, j, most, GROUP);
    for (; j + 2 <= a->tokens; j += 2)
        score(a, lanes, i, j, most, 2);
    if (j < a->tokens)
        score(a, lanes, i, j, most, 1);
    for (float *s = a->scores, *end = s + a->tokens * WIDE; s < end; s += WIDE)
        UNROLL for (int v = 0; v < 2; v++) {
            const __m256 p = exponential(_mm256_sub_ps(_mm256_load_ps(s + v * LANES), most[v]));
            sum[v] = _mm256_add_ps(sum[v], p);
            _mm256_store_ps(s + v * LANES, p);
        }
    UNROLL for (int v = 0; v < 2; v++)
        sum[v] = _mm256_div_ps(_mm256_set1_ps(1), sum[v]);
    for (; d + GROUP <= a->depth; d += GROUP)
        gather(a, i, d, sum, GROUP);
    for (; d + 2 <= a->depth; d += 2)
        gather(a, i, d, sum, 2);
    if (d < a->depth)
        gather(a, i, d, sum, 1);
}

void tt_attention_avx2(const tt_attention *a)
{
    for (int i = 0; i < a->tokens; i += WIDE)
        queries(a, i);
}
