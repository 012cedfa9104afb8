#include <immintrin.h>

#include "kernels/kernels.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 32") /* -O2 alone would leave the accumulators in memory */

enum { LANES = 16, MOST = 4, GROUP = TT_LINEAR_GROUP };

/* ---- between blocks and tokens -------------------------------------------------------------------- */

/*
 * Eight pixels of 16 channels, one a vector, and eight vectors that hold channel c in their lower half and
 * c + 8 in the upper one: the same steps in both directions, for they turn 8 x 8 values about in each half.
 */
INLINE void turn(__m512 v[8])
{
    __m512 a[8], b[8];
    UNROLL for (int i = 0; i < 8; i += 2) { /* pairs of vectors: c0 c0 c1 c1 */
        a[i] = _mm512_unpacklo_ps(v[i], v[i + 1]);
        a[i + 1] = _mm512_unpackhi_ps(v[i], v[i + 1]);
    }
    UNROLL for (int i = 0; i < 8; i += 4) { /* fours: quarter q of b[i + l] has channel 4q + l */
        UNROLL for (int h = 0; h < 2; h++) {
            const __m512d x = _mm512_castps_pd(a[i + h]), y = _mm512_castps_pd(a[i + h + 2]);
            b[i + 2 * h] = _mm512_castpd_ps(_mm512_unpacklo_pd(x, y));
            b[i + 2 * h + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(x, y));
        }
    }
    const __m512i even = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13);
    const __m512i odd = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
    UNROLL for (int l = 0; l < 4; l++) { /* quarters 0, 2 belong to l, l + 8; 1 and 3 to l + 4, l + 12 */
        const __m512d x = _mm512_castps_pd(b[l]), y = _mm512_castps_pd(b[l + 4]);
        v[l] = _mm512_castpd_ps(_mm512_permutex2var_pd(x, even, y));
        v[l + 4] = _mm512_castpd_ps(_mm512_permutex2var_pd(x, odd, y));
    }
}

INLINE __m512 join(__m256 lower, __m256 higher)
{
    return _mm512_insertf32x8(_mm512_castps256_ps512(lower), higher, 1);
}

/* The upper half by a shuffle: an extraction would be merged into the store that follows, and that
 * instruction faults on addresses that its mask leaves out. */
INLINE __m256 upper(__m512 v)
{
    return _mm512_castps512_ps256(_mm512_shuffle_f32x4(v, v, 0xee));
}

INLINE __mmask8 first(int n)
{
    return (__mmask8)(n < 8 ? (1u << n) - 1 : 0xffu);
}

/* Pixels 0..n-1, at most eight, of `have` channels of one block. */
INLINE void load8(float *dst, ptrdiff_t row, const float *src, int have, int n)
{
    const __mmask8 m = first(n);
    __m512 v[8];
    UNROLL for (int x = 0; x < 8; x++)
        v[x] = x < n ? _mm512_loadu_ps(src + x * LANES) : _mm512_setzero_ps();
    turn(v);
    UNROLL for (int c = 0; c < 8; c++) {
        if (c < have)
            _mm256_mask_storeu_ps(dst + c * row, m, _mm512_castps512_ps256(v[c]));
        if (c + 8 < have)
            _mm256_mask_storeu_ps(dst + (c + 8) * row, m, upper(v[c]));
    }
}

INLINE void store8(float *dst, const float *add, const float *src, ptrdiff_t row, int have, int n)
{
    const __mmask8 m = first(n);
    __m512 v[8];
    UNROLL for (int c = 0; c < 8; c++)
        v[c] = join(_mm256_maskz_loadu_ps(c < have ? m : 0, src + c * row),
                    _mm256_maskz_loadu_ps(c + 8 < have ? m : 0, src + (c + 8) * row));
    turn(v);
    UNROLL for (int x = 0; x < 8; x++)
        if (x < n)
            _mm512_storeu_ps(dst + x * LANES, add ? _mm512_maskz_add_ps((__mmask16)((1u << have) - 1), v[x],
                                                                        _mm512_loadu_ps(add + x * LANES))
                                                  : v[x]);
}

void tt_tokens_load_avx512(float *dst, ptrdiff_t row, const float *src, ptrdiff_t plane, int block,
                           int channels, int n)
{
    (void)block;
    for (int c = 0; c < channels; c += LANES, src += plane) {
        const int have = channels - c < LANES ? channels - c : LANES;
        int x = 0;
        for (; have == LANES && x + 8 <= n; x += 8)
            load8(dst + c * row + x, row, src + x * LANES, LANES, 8);
        for (; x < n; x += 8)
            load8(dst + c * row + x, row, src + x * LANES, have, n - x < 8 ? n - x : 8);
    }
}

void tt_tokens_store_avx512(float *dst, ptrdiff_t plane, const float *add, ptrdiff_t add_plane, int block,
                            const float *src, ptrdiff_t row, int channels, int n)
{
    (void)block;
    for (int c = 0; c < channels; c += LANES, dst += plane, add = add ? add + add_plane : NULL) {
        const int have = channels - c < LANES ? channels - c : LANES;
        int x = 0;
        for (; have == LANES && x + 8 <= n; x += 8)
            store8(dst + x * LANES, add ? add + x * LANES : NULL, src + c * row + x, row, LANES, 8);
        for (; x < n; x += 8)
            store8(dst + x * LANES, add ? add + x * LANES : NULL, src + c * row + x, row, have,
                   n - x < 8 ? n - x : 8);
    }
}

/* ---- layer norm ----------------------------------------------------------------------------------- */

void tt_layer_norm_avx512(float *p, ptrdiff_t row, int channels, const float *weight, const float *bias,
                          float eps, int n)
{
    const __m512 count = _mm512_set1_ps((float)channels);
    for (int t = 0; t < n; t += LANES, p += LANES) {
        __m512 mean = _mm512_setzero_ps(), variance = _mm512_setzero_ps();
        for (int c = 0; c < channels; c++)
            mean = _mm512_add_ps(mean, _mm512_load_ps(p + c * row));
        mean = _mm512_div_ps(mean, count);
        for (int c = 0; c < channels; c++) {
            const __m512 d = _mm512_sub_ps(_mm512_load_ps(p + c * row), mean);
            variance = _mm512_fmadd_ps(d, d, variance);
        }
        variance = _mm512_add_ps(_mm512_div_ps(variance, count), _mm512_set1_ps(eps));
        const __m512 scale = _mm512_div_ps(_mm512_set1_ps(1), _mm512_sqrt_ps(variance));
        for (int c = 0; c < channels; c++) {
            const __m512 d = _mm512_mul_ps(_mm512_sub_ps(_mm512_load_ps(p + c * row), mean), scale);
            _mm512_store_ps(p + c * row,
                            _mm512_fmadd_ps(d, _mm512_set1_ps(weight[c]), _mm512_set1_ps(bias[c])));
        }
    }
}

/* ---- products ------------------------------------------------------------------------------------- */

/*
 * acc[o][v] += sum_k a[k * a_k + o * a_o] * b[k * b_k + vector v]: a tile of NO values that are the same for
 * all tokens times NV vectors of tokens, in registers over the whole sum. 6 x 4: ten loads to 24
 * multiply-adds. Two pointers into a: one and two times a_o then fit an address.
 */
INLINE void multiply(__m512 *acc, const float *a, ptrdiff_t a_k, ptrdiff_t a_o, const float *b, ptrdiff_t b_k,
                     int k, const int NO, const int NV)
{
    const float *half[2] = {a, a + 3 * a_o};
    for (; k > 0; k--, half[0] += a_k, half[1] += a_k, b += b_k) {
        __m512 x[MOST];
        UNROLL for (int v = 0; v < NV; v++)
            x[v] = _mm512_load_ps(b + v * LANES);
        UNROLL for (int o = 0; o < NO; o++) {
            const __m512 w = _mm512_set1_ps(half[o / 3][o % 3 * a_o]);
            UNROLL for (int v = 0; v < NV; v++)
                acc[o * NV + v] = _mm512_fmadd_ps(w, x[v], acc[o * NV + v]);
        }
    }
}

/* ---- linear --------------------------------------------------------------------------------------- */

typedef struct matrix {
    float *dst;
    const float *src;
    ptrdiff_t row;
    const float *weights, *bias;
    int in, out;
} matrix;

/* All outputs for NV vectors of tokens from t on. */
INLINE void columns(const matrix *m, int t, const int NV)
{
    const float *w = m->weights;
    for (int o = 0; o < m->out; o += GROUP, w += m->in * GROUP) {
        const int have = m->out - o < GROUP ? m->out - o : GROUP;
        __m512 acc[GROUP * MOST];
        UNROLL for (int i = 0; i < GROUP * NV; i++)
            acc[i] = _mm512_set1_ps(i / NV < have ? m->bias[o + i / NV] : 0);
        multiply(acc, w, GROUP, 1, m->src + t, m->row, m->in, GROUP, NV);
        UNROLL for (int i = 0; i < GROUP * NV; i++)
            if (i / NV < have)
                _mm512_store_ps(m->dst + (o + i / NV) * m->row + t + i % NV * LANES, acc[i]);
    }
}

#define COLUMNS(NV)                                                                                          \
    static void columns_##NV(const matrix *m, int t)                                                         \
    {                                                                                                        \
        columns(m, t, NV);                                                                                   \
    }
COLUMNS(1)
COLUMNS(2)
COLUMNS(3)
COLUMNS(4)

void tt_linear_avx512(float *dst, const float *src, ptrdiff_t row, const float *weights, const float *bias,
                      int in, int out, int n)
{
    static void (*const wide[])(const matrix *m, int t) = {columns_1, columns_2, columns_3, columns_4};
    const matrix m = {dst, src, row, weights, bias, in, out};
    for (int t = 0; t < n; t += MOST * LANES)
        wide[(n - t < MOST * LANES ? n - t : MOST * LANES) / LANES - 1](&m, t);
}

/* ---- attention ------------------------------------------------------------------------------------ */

/* exp(x), x <= 0: 2 to the whole part times a polynomial of degree 5, relative error 9.2e-8, about the rest
 */
INLINE __m512 exponential(__m512 x)
{
    const __m512 log2e = _mm512_set1_ps(1.44269504f);
    const __m512 whole =
        _mm512_roundscale_ps(_mm512_mul_ps(x, log2e), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const __m512 f = _mm512_fmsub_ps(x, log2e, whole);
    __m512 p = _mm512_fmadd_ps(_mm512_set1_ps(1.326472731e-03f), f, _mm512_set1_ps(9.671512991e-03f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(5.550733581e-02f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(2.402224243e-01f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(6.931470037e-01f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1));
    return _mm512_scalef_ps(p, whole);
}

/* Scores of NO keys from j on for NV vectors of queries from i on; most[] grows. */
INLINE void score(const tt_attention *a, ptrdiff_t lanes, int i, int j, __m512 *most, const int NO,
                  const int NV)
{
    const __m512 scale = _mm512_set1_ps(a->scale);
    __m512 acc[GROUP * MOST];
    UNROLL for (int n = 0; n < NO * NV; n++)
        acc[n] = _mm512_setzero_ps();
    multiply(acc, a->k + j, a->row, 1, a->q + i, a->row, a->depth, NO, NV);
    UNROLL for (int o = 0; o < NO; o++)
        UNROLL for (int v = 0; v < NV; v++) {
            const __m512 bias = _mm512_load_ps(a->bias + (j + o) * lanes + i + v * LANES);
            const __m512 s = _mm512_fmadd_ps(acc[o * NV + v], scale, bias);
            most[v] = _mm512_max_ps(most[v], s);
            _mm512_store_ps(a->scores + (j + o) * TT_ATTENTION_QUERIES + v * LANES, s);
        }
}

/* NO channels from d on of the result. */
INLINE void gather(const tt_attention *a, int i, int d, const __m512 *inverse, const int NO, const int NV)
{
    __m512 acc[GROUP * MOST];
    UNROLL for (int n = 0; n < NO * NV; n++)
        acc[n] = _mm512_setzero_ps();
    multiply(acc, a->v + d * a->row, 1, a->row, a->scores, TT_ATTENTION_QUERIES, a->tokens, NO, NV);
    UNROLL for (int n = 0; n < NO * NV; n++)
        _mm512_store_ps(a->dst + (d + n / NV) * a->row + i + n % NV * LANES,
                        _mm512_mul_ps(acc[n], inverse[n % NV]));
}

/* All keys and all channels of the result for NV vectors of queries from i on; tiles of 6, of 2 and 1 at the
 * end. */
INLINE void queries(const tt_attention *a, int i, const int NV)
{
    const ptrdiff_t lanes = (a->tokens + LANES - 1) / LANES * LANES;
    __m512 most[MOST], sum[MOST];
    UNROLL for (int v = 0; v < NV; v++) {
        most[v] = _mm512_set1_ps(-__builtin_inff());
        sum[v] = _mm512_setzero_ps();
    }
    int j = 0, d = 0;
    for (; j + GROUP <= a->tokens; j += GROUP)
        score(a, lanes, i, j, most, GROUP, NV);
    for (; j + 2 <= a->tokens; j += 2)
        score(a, lanes, i, j, most, 2, NV);
    if (j < a->tokens)
        score(a, lanes, i, j, most, 1, NV);
    for (float *s = a->scores, *end = s + a->tokens * TT_ATTENTION_QUERIES; s < end;
         s += TT_ATTENTION_QUERIES)
        UNROLL for (int v = 0; v < NV; v++) {
            const __m512 p = exponential(_mm512_sub_ps(_mm512_load_ps(s + v * LANES), most[v]));
            sum[v] = _mm512_add_ps(sum[v], p);
            _mm512_store_ps(s + v * LANES, p);
        }
    UNROLL for (int v = 0; v < NV; v++)
        sum[v] = _mm512_div_ps(_mm512_set1_ps(1), sum[v]);
    for (; d + GROUP <= a->depth; d += GROUP)
        gather(a, i, d, sum, GROUP, NV);
    for (; d + 2 <= a->depth; d += 2)
        gather(a, i, d, sum, 2, NV);
    if (d < a->depth)
        gather(a, i, d, sum, 1, NV);
}

#define QUERIES(NV)                                                                                          \
    static void queries_##NV(const tt_attention *a, int i)                                                   \
    {                                                                                                        \
        queries(a, i, NV);                                                                                   \
    }
QUERIES(1)
QUERIES(2)
QUERIES(3)
QUERIES(4)

void tt_attention_avx512(const tt_attention *a)
{
    static void (*const wide[])(const tt_attention *a, int i) = {queries_1, queries_2, queries_3, queries_4};
    for (int i = 0; i < a->tokens; i += MOST * LANES) {
        const int left = (a->tokens - i + LANES - 1) / LANES;
        wide[(left < MOST ? left : MOST) - 1](a, i);
    }
}
