#include "kernels/arm/neon.h"
#include "kernels/gelu.h"
#include "kernels/kernels.h"

/* ---- one value after the other -------------------------------------------------------------------- */

static float32x4_t relu(float32x4_t z, float32x4_t a, float32x4_t b)
{
    (void)a;
    (void)b;
    return larger(z, vdupq_n_f32(0));
}

static float32x4_t clamp(float32x4_t z, float32x4_t lo, float32x4_t hi)
{
    return smaller(larger(z, lo), hi);
}

/* lo and hi: the ends of the polynomial's range */
static float32x4_t gelu(float32x4_t z, float32x4_t lo, float32x4_t hi)
{
    const float32x4_t one = vdupq_n_f32(1);
    const float32x4_t s = vfmaq_f32(vnegq_f32(one), vmulq_f32(z, z), vdupq_n_f32(TT_GELU_SQUARE));
    float32x4_t p = vdupq_n_f32(tt_gelu_q[TT_GELU_DEGREE]);
    UNROLL for (int k = TT_GELU_DEGREE - 1; k >= 0; k--)
        p = vfmaq_f32(vdupq_n_f32(tt_gelu_q[k]), p, s);
    p = vfmaq_f32(vdupq_n_f32(0.5f), p, z);
    p = vbslq_f32(vcgeq_f32(z, hi), one, p);
    p = vbslq_f32(vcleq_f32(z, lo), vdupq_n_f32(0), p);
    return vmulq_f32(z, p);
}

typedef float32x4_t op3(float32x4_t, float32x4_t, float32x4_t);

INLINE void each(float *dst, const float *src, float a, float b, size_t n, op3 *op)
{
    const float32x4_t va = vdupq_n_f32(a), vb = vdupq_n_f32(b);
    size_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) { /* two, for operations that are long chains */
        const float32x4_t y = vld1q_f32(src + i), z = vld1q_f32(src + i + LANES);
        vst1q_f32(dst + i, op(y, va, vb));
        vst1q_f32(dst + i + LANES, op(z, va, vb));
    }
    for (; i < n; i += LANES)
        store_some(dst + i, op(load_some(src + i, n - i), va, vb), n - i);
}

void tt_clamp_neon(float *dst, const float *src, float lo, float hi, size_t n)
{
    each(dst, src, lo, hi, n, clamp);
}

void tt_axpy_neon(float *dst, const float *a, const float *b, float scale, size_t n)
{
    const float32x4_t s = vdupq_n_f32(scale);
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        vst1q_f32(dst + i, add_scaled(vld1q_f32(a + i), s, vld1q_f32(b + i)));
    if (i < n)
        store_some(dst + i, add_scaled(load_some(a + i, n - i), s, load_some(b + i, n - i)), n - i);
}

/* ---- with a factor that comes round every `period` values ----------------------------------------- */

typedef float32x4_t op2(float32x4_t, float32x4_t);

static float32x4_t mul(float32x4_t z, float32x4_t g)
{
    return vmulq_f32(z, g);
}

INLINE void periodic(float *dst, const float *src, const float *g, size_t period, size_t n, op2 *op)
{
    if (period <= LANES) {
        float twice[2 * LANES]; /* g, repeated far enough to load a vector from any phase of it */
        for (size_t i = 0, l = 0; i < 2 * LANES; i++, l = l + 1 < period ? l + 1 : 0)
            twice[i] = g[l];
        const size_t advance = LANES % period;
        size_t i = 0, phase = 0;
        for (; i + LANES <= n; i += LANES) {
            vst1q_f32(dst + i, op(vld1q_f32(src + i), vld1q_f32(twice + phase)));
            phase += advance;
            phase -= phase >= period ? period : 0;
        }
        if (i < n)
            store_some(dst + i, op(load_some(src + i, n - i), vld1q_f32(twice + phase)), n - i);
        return;
    }
    while (n > 0) {
        const size_t w = n < period ? n : period;
        size_t i = 0;
        for (; i + LANES <= w; i += LANES)
            vst1q_f32(dst + i, op(vld1q_f32(src + i), vld1q_f32(g + i)));
        if (i < w)
            store_some(dst + i, op(load_some(src + i, w - i), load_some(g + i, w - i)), w - i);
        dst += w;
        src += w;
        n -= w;
    }
}

void tt_mul_period_neon(float *dst, const float *src, const float *g, size_t period, size_t n)
{
    periodic(dst, src, g, period, n, mul);
}

void tt_act_neon(float *dst, const float *src, tt_act act, const float *slope, size_t period, size_t n)
{
    if (act == TT_ACT_RELU)
        each(dst, src, 0, 0, n, relu);
    else if (act == TT_ACT_PRELU)
        periodic(dst, src, slope, period, n, prelu);
    else if (act == TT_ACT_GELU)
        each(dst, src, -TT_GELU_END, TT_GELU_END, n, gelu);
    else
        tt_act_c(dst, src, act, slope, period, n);
}

/* ---- sums ----------------------------------------------------------------------------------------- */

/* A sum is a chain of additions in a given order, so only the lanes of a period run side by side. */
void tt_sum_period_neon(double *sum, const float *src, size_t period, size_t n)
{
    size_t l = 0;
    for (; l + LANES <= period; l += LANES) {
        float64x2_t lo = vld1q_f64(sum + l), hi = vld1q_f64(sum + l + 2);
        for (size_t i = l; i < n; i += period) {
            const float32x4_t v = vld1q_f32(src + i);
            lo = vaddq_f64(lo, vcvt_f64_f32(vget_low_f32(v)));
            hi = vaddq_f64(hi, vcvt_high_f64_f32(v));
        }
        vst1q_f64(sum + l, lo);
        vst1q_f64(sum + l + 2, hi);
    }
    for (; l < period; l++) {
        double s = sum[l];
        for (size_t i = l; i < n; i += period)
            s += (double)src[i];
        sum[l] = s;
    }
}

/* All ones where the exponent is. */
static uint32x4_t nonfinite(float32x4_t v)
{
    const uint32x4_t infinity = vdupq_n_u32(0x7f800000);
    return vceqq_u32(vandq_u32(vreinterpretq_u32_f32(v), infinity), infinity);
}

size_t tt_count_nonfinite_neon(const float *src, size_t n)
{
    uint32x4_t count = vdupq_n_u32(0);
    for (size_t i = 0; i < n; i += LANES)
        count = vsubq_u32(count, nonfinite(load_some(src + i, n - i)));
    return (size_t)vaddlvq_u32(count);
}
