#include "kernels/arm/neon.h"
#include "kernels/kernels.h"

/* Tokens come in sixteens, so every tile is four vectors wide. */
enum { WIDE = TT_TOKEN_LANES, VECTORS = WIDE / LANES, GROUP = TT_LINEAR_GROUP };

/* ---- between blocks and tokens -------------------------------------------------------------------- */

/* LD4 takes the four channels of four pixels apart, ST4 puts them together. Pixels that are no four, and the
 * channels of a block that is not full, go one by one. */
void tt_tokens_load_neon(float *dst, ptrdiff_t row, const float *src, ptrdiff_t plane, int block,
                         int channels, int n)
{
    if (block != LANES) {
        tt_tokens_load_c(dst, row, src, plane, block, channels, n);
        return;
    }
    const int whole = n - n % LANES;
    for (int c = 0; c < channels; c += LANES, src += plane) {
        const int have = channels - c;
        float *to = dst + c * row;
        for (ptrdiff_t x = 0; x < whole; x += LANES) {
            const float32x4x4_t v = vld4q_f32(src + x * LANES);
            UNROLL for (int l = 0; l < LANES; l++)
                if (l < have)
                    vst1q_f32(to + l * row + x, v.val[l]);
        }
        tt_tokens_load_c(to + whole, row, src + (ptrdiff_t)whole * LANES, plane, LANES,
                         have < LANES ? have : LANES, n - whole);
    }
}

void tt_tokens_store_neon(float *dst, ptrdiff_t plane, const float *add, ptrdiff_t add_plane, int block,
                          const float *src, ptrdiff_t row, int channels, int n)
{
    if (block != LANES) {
        tt_tokens_store_c(dst, plane, add, add_plane, block, src, row, channels, n);
        return;
    }
    const ptrdiff_t whole = n - n % LANES;
    for (int c = 0; c < channels; c += LANES, dst += plane, add = add ? add + add_plane : NULL) {
        const int have = channels - c;
        const float *from = src + c * row;
        for (ptrdiff_t x = 0; x < whole; x += LANES) {
            float32x4x4_t v, base;
            if (add)
                base = vld4q_f32(add + x * LANES);
            UNROLL for (int l = 0; l < LANES; l++) {
                v.val[l] = l < have ? vld1q_f32(from + l * row + x) : vdupq_n_f32(0);
                if (add && l < have)
                    v.val[l] = vaddq_f32(base.val[l], v.val[l]);
            }
            vst4q_f32(dst + x * LANES, v);
        }
        tt_tokens_store_c(dst + whole * LANES, plane, add ? add + whole * LANES : NULL, add_plane, LANES,
                          from + whole, row, have < LANES ? have : LANES, (int)(n - whole));
    }
}

/* ---- layer norm ----------------------------------------------------------------------------------- */

void tt_layer_norm_neon(float *p, ptrdiff_t row, int channels, const float *weight, const float *bias,
                        float eps, int n)
{
    const float32x4_t count = vdupq_n_f32((float)channels), zero = vdupq_n_f32(0);
    for (int t = 0; t < n; t += WIDE, p += WIDE) {
        float32x4_t mean[VECTORS] = {zero, zero, zero, zero}, scale[VECTORS] = {zero, zero, zero, zero};
        for (int c = 0; c < channels; c++)
            UNROLL for (int v = 0; v < VECTORS; v++)
                mean[v] = vaddq_f32(mean[v], vld1q_f32(p + c * row + v * LANES));
        UNROLL for (int v = 0; v < VECTORS; v++)
            mean[v] = vdivq_f32(mean[v], count);
        for (int c = 0; c < channels; c++)
            UNROLL for (int v = 0; v < VECTORS; v++) {
                const float32x4_t d = vsubq_f32(vld1q_f32(p + c * row + v * LANES), mean[v]);
                scale[v] = vfmaq_f32(scale[v], d, d);
            }
        UNROLL for (int v = 0; v < VECTORS; v++) {
            const float32x4_t variance = vaddq_f32(vdivq_f32(scale[v], count), vdupq_n_f32(eps));
            scale[v] = vdivq_f32(vdupq_n_f32(1), vsqrtq_f32(variance));
        }
        for (int c = 0; c < channels; c++) {
            const float32x4_t w = vdupq_n_f32(weight[c]), b = vdupq_n_f32(bias[c]);
            UNROLL for (int v = 0; v < VECTORS; v++) {
                float *at = p + c * row + v * LANES;
                vst1q_f32(at, vfmaq_f32(b, vmulq_f32(vsubq_f32(vld1q_f32(at), mean[v]), scale[v]), w));
            }
        }
    }
}

/* ---- products ------------------------------------------------------------------------------------- */

/*
 * acc[o][v] += sum_k a[k * a_k + o * a_o] * b[k * b_k + vector v]: a tile of NO values that are the same for
 * all tokens times four vectors of tokens, in registers over the whole sum. 6 x 4: 24 accumulators of 32
 * registers. Where the NO values lie beside each other (a_o = 1) two loads bring them, and each product takes
 * its lane: six loads to 24 multiply-adds.
 */
#define TIMES(o, fma, vector, lane)                                                                          \
    UNROLL for (int v = 0; v < VECTORS; v++)                                                                 \
        acc[(o) * VECTORS + v] = fma(acc[(o) * VECTORS + v], x[v], vector, lane);

INLINE void multiply(float32x4_t *acc, const float *a, ptrdiff_t a_k, ptrdiff_t a_o, const float *b,
                     ptrdiff_t b_k, int k, const int NO)
{
    for (; k > 0; k--, a += a_k, b += b_k) {
        float32x4_t x[VECTORS];
        UNROLL for (int v = 0; v < VECTORS; v++)
            x[v] = vld1q_f32(b + v * LANES);
        if (a_o == 1 && NO == 6) {
            const float32x4_t four = vld1q_f32(a);
            const float32x2_t two = vld1_f32(a + 4);
            TIMES(0, vfmaq_laneq_f32, four, 0)
            TIMES(1, vfmaq_laneq_f32, four, 1)
            TIMES(2, vfmaq_laneq_f32, four, 2)
            TIMES(3, vfmaq_laneq_f32, four, 3)
            TIMES(4, vfmaq_lane_f32, two, 0)
            TIMES(5, vfmaq_lane_f32, two, 1)
        } else {
            UNROLL for (int o = 0; o < NO; o++) {
                const float32x2_t w = vld1_dup_f32(a + o * a_o);
                TIMES(o, vfmaq_lane_f32, w, 0)
            }
        }
    }
}

void tt_linear_neon(float *dst, const float *src, ptrdiff_t row, const float *weights, const float *bias,
                    int in, int out, int n)
{
    for (int t = 0; t < n; t += WIDE) {
        const float *w = weights;
        for (int o = 0; o < out; o += GROUP, w += in * GROUP) {
            const int have = out - o < GROUP ? out - o : GROUP;
            float32x4_t acc[VECTORS * GROUP];
            UNROLL for (int i = 0; i < VECTORS * GROUP; i++)
                acc[i] = vdupq_n_f32(i / VECTORS < have ? bias[o + i / VECTORS] : 0);
            multiply(acc, w, GROUP, 1, src + t, row, in, GROUP);
            UNROLL for (int i = 0; i < VECTORS * GROUP; i++)
                if (i / VECTORS < have)
                    vst1q_f32(dst + (o + i / VECTORS) * row + t + i % VECTORS * LANES, acc[i]);
        }
    }
}

/* ---- attention ------------------------------------------------------------------------------------ */

/* exp(x), x <= 0: 2 to the whole part, put together from bits, times a polynomial of degree 5, relative
 * error 9.2e-8, about the rest. Below -87 it stays at 1.6e-38. */
INLINE float32x4_t exponential(float32x4_t x)
{
    const float32x4_t log2e = vdupq_n_f32(1.44269504f);
    x = vmaxq_f32(x, vdupq_n_f32(-87)); /* NaN stays NaN */
    const float32x4_t whole = vrndnq_f32(vmulq_f32(x, log2e));
    const float32x4_t f = vfmaq_f32(vnegq_f32(whole), x, log2e);
    float32x4_t p = vfmaq_f32(vdupq_n_f32(9.671512991e-03f), vdupq_n_f32(1.326472731e-03f), f);
    p = vfmaq_f32(vdupq_n_f32(5.550733581e-02f), p, f);
    p = vfmaq_f32(vdupq_n_f32(2.402224243e-01f), p, f);
    p = vfmaq_f32(vdupq_n_f32(6.931470037e-01f), p, f);
    p = vfmaq_f32(vdupq_n_f32(1), p, f);
    const int32x4_t power = vshlq_n_s32(vaddq_s32(vcvtq_s32_f32(whole), vdupq_n_s32(127)), 23);
    return vmulq_f32(p, vreinterpretq_f32_s32(power));
}

/* Scores of NO keys from j on for the queries from i on; most[] grows. */
INLINE void score(const tt_attention *a, ptrdiff_t lanes, int i, int j, float32x4_t most[VECTORS], const int NO)
{
    const float32x4_t scale = vdupq_n_f32(a->scale);
    float32x4_t acc[VECTORS * GROUP];
    UNROLL for (int n = 0; n < VECTORS * NO; n++)
        acc[n] = vdupq_n_f32(0);
    multiply(acc, a->k + j, a->row, 1, a->q + i, a->row, a->depth, NO);
    UNROLL for (int n = 0; n < VECTORS * NO; n++) {
        const float32x4_t bias = vld1q_f32(a->bias + (j + n / VECTORS) * lanes + i + n % VECTORS * LANES);
        const float32x4_t s = vfmaq_f32(bias, acc[n], scale);
        most[n % VECTORS] = vmaxq_f32(most[n % VECTORS], s);
        vst1q_f32(a->scores + (j + n / VECTORS) * WIDE + n % VECTORS * LANES, s);
    }
}

/* NO channels from d on of the result. */
INLINE void gather(const tt_attention *a, int i, int d, const float32x4_t inverse[VECTORS], const int NO)
{
    float32x4_t acc[VECTORS * GROUP];
    UNROLL for (int n = 0; n < VECTORS * NO; n++)
        acc[n] = vdupq_n_f32(0);
    multiply(acc, a->v + d * a->row, 1, a->row, a->scores, WIDE, a->tokens, NO);
    UNROLL for (int n = 0; n < VECTORS * NO; n++)
        vst1q_f32(a->dst + (d + n / VECTORS) * a->row + i + n % VECTORS * LANES,
                  vmulq_f32(acc[n], inverse[n % VECTORS]));
}

static void queries(const tt_attention *a, int i)
{
    const ptrdiff_t lanes = (a->tokens + WIDE - 1) / WIDE * WIDE;
    float32x4_t most[VECTORS], sum[VECTORS];
    int j = 0, d = 0;
    for (int v = 0; v < VECTORS; v++) {
        most[v] = vdupq_n_f32(-__builtin_inff());
        sum[v] = vdupq_n_f32(0);
    }
    for (; j + GROUP <= a->tokens; j += GROUP)
        score(a, lanes, i, j, most, GROUP);
    for (; j + 2 <= a->tokens; j += 2)
        score(a, lanes, i, j, most, 2);
    if (j < a->tokens)
        score(a, lanes, i, j, most, 1);
    for (float *s = a->scores, *end = s + a->tokens * WIDE; s < end; s += WIDE)
        UNROLL for (int v = 0; v < VECTORS; v++) {
            const float32x4_t p = exponential(vsubq_f32(vld1q_f32(s + v * LANES), most[v]));
            sum[v] = vaddq_f32(sum[v], p);
            vst1q_f32(s + v * LANES, p);
        }
    for (int v = 0; v < VECTORS; v++)
        sum[v] = vdivq_f32(vdupq_n_f32(1), sum[v]);
    for (; d + GROUP <= a->depth; d += GROUP)
        gather(a, i, d, sum, GROUP);
    for (; d + 2 <= a->depth; d += 2)
        gather(a, i, d, sum, 2);
    if (d < a->depth)
        gather(a, i, d, sum, 1);
}

void tt_attention_neon(const tt_attention *a)
{
    for (int i = 0; i < a->tokens; i += WIDE)
        queries(a, i);
}
