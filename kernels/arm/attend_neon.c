#include "kernels/arm/neon.h"
#include "kernels/kernels.h"

/* All ones in the first `left` lanes. */
static uint32x4_t lanes(int left)
{
    static const int32_t lane[LANES] = {0, 1, 2, 3};
    return vcgtq_s32(vdupq_n_s32(left), vld1q_s32(lane));
}

void tt_scores_max_neon(float *most, const float *s, ptrdiff_t plane, int n, int count, int block)
{
    if (block != LANES) {
        tt_scores_max_c(most, s, plane, n, count, block);
        return;
    }
    for (int x = 0; x < n; x++) {
        float32x4_t m = vdupq_n_f32(most[x]);
        const float *at = s + (ptrdiff_t)x * LANES;
        int i = 0;
        for (; i + LANES <= count; i += LANES, at += plane)
            m = larger(vld1q_f32(at), m);
        if (i < count)
            m = vbslq_f32(lanes(count - i), larger(vld1q_f32(at), m), m);
        most[x] = vmaxvq_f32(m);
    }
}

/* exp by 2^n times a polynomial of the rest, which is at most ln(2) / 2 in size (Cody and Waite 1980, chapter
 * 6; the coefficients are those of the Cephes library). Below -87.3 the result would not be a normal number:
 * zero. */
static float32x4_t exp_not_positive(float32x4_t x)
{
    const float32x4_t least = vdupq_n_f32(-87.33654f);
    const uint32x4_t tiny = vcltq_f32(x, least);
    x = vmaxq_f32(x, least); /* NaN stays */
    const float32x4_t n = vrndnq_f32(vmulq_f32(x, vdupq_n_f32(1.44269504f)));
    float32x4_t r = vfmsq_f32(x, n, vdupq_n_f32(0.693359375f));
    r = vfmsq_f32(r, n, vdupq_n_f32(-2.12194440e-4f));
    float32x4_t p = vdupq_n_f32(1.9875691500e-4f);
    p = vfmaq_f32(vdupq_n_f32(1.3981999507e-3f), p, r);
    p = vfmaq_f32(vdupq_n_f32(8.3334519073e-3f), p, r);
    p = vfmaq_f32(vdupq_n_f32(4.1665795894e-2f), p, r);
    p = vfmaq_f32(vdupq_n_f32(1.6666665459e-1f), p, r);
    p = vfmaq_f32(vdupq_n_f32(5.0000001201e-1f), p, r);
    p = vfmaq_f32(vaddq_f32(r, vdupq_n_f32(1)), p, vmulq_f32(r, r));
    /* n is -126 at least: the exponent stays a normal number's */
    const int32x4_t power = vshlq_n_s32(vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127)), 23);
    p = vmulq_f32(p, vreinterpretq_f32_s32(power));
    return vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(p), tiny));
}

void tt_scores_exp_neon(float *s, double *sum, const float *most, ptrdiff_t plane, int n, int count,
                        int block)
{
    if (block != LANES) {
        tt_scores_exp_c(s, sum, most, plane, n, count, block);
        return;
    }
    for (int x = 0; x < n; x++, sum += LANES) {
        const float32x4_t m = vdupq_n_f32(most[x]);
        float64x2_t lo = vld1q_f64(sum), hi = vld1q_f64(sum + 2);
        float *at = s + (ptrdiff_t)x * LANES;
        for (int i = 0; i < count; i += LANES, at += plane) {
            float32x4_t e = exp_not_positive(vsubq_f32(vld1q_f32(at), m));
            e = vbslq_f32(lanes(count - i), e, vdupq_n_f32(0));
            vst1q_f32(at, e);
            lo = vaddq_f64(lo, vcvt_f64_f32(vget_low_f32(e)));
            hi = vaddq_f64(hi, vcvt_high_f64_f32(e));
        }
        vst1q_f64(sum, lo);
        vst1q_f64(sum + 2, hi);
    }
}
