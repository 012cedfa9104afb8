#include "kernels/arm/neon.h"
#include "kernels/kernels.h"

/* ---- samples -------------------------------------------------------------------------------------- */

/*
 * Samples of interleaved pixels: LD2 to LD4 take two to four channels apart, and the first is the one wanted.
 * They read eight whole pixels, so the last samples, for which so much is not there, are left to the loop of
 * the reference.
 */
enum { STEP_MAX = 4, SAMPLES = 8 };

/* How many samples of n can be read by eights without going past the last one. */
static ptrdiff_t readable(ptrdiff_t n, ptrdiff_t step)
{
    if (step < 1 || step > STEP_MAX || n < 1)
        return 0;
    return ((n - 1) * step + 1) / (SAMPLES * step) * SAMPLES;
}

INLINE void store_share(float *dst, uint16x8_t v, float range)
{
    const float32x4_t r = vdupq_n_f32(range);
    vst1q_f32(dst, vdivq_f32(vcvtq_f32_u32(vmovl_u16(vget_low_u16(v))), r));
    vst1q_f32(dst + LANES, vdivq_f32(vcvtq_f32_u32(vmovl_high_u16(v)), r));
}

INLINE uint16x8_t eight_u8(const uint8_t *src, ptrdiff_t step)
{
    return vmovl_u8(step == 1   ? vld1_u8(src)
                    : step == 2 ? vld2_u8(src).val[0]
                    : step == 3 ? vld3_u8(src).val[0]
                                : vld4_u8(src).val[0]);
}

INLINE uint16x8_t eight_u16(const uint16_t *src, ptrdiff_t step)
{
    return step == 1   ? vld1q_u16(src)
           : step == 2 ? vld2q_u16(src).val[0]
           : step == 3 ? vld3q_u16(src).val[0]
                       : vld4q_u16(src).val[0];
}

void tt_from_u8_neon(float *dst, const uint8_t *src, ptrdiff_t step, size_t n)
{
    const ptrdiff_t end = readable((ptrdiff_t)n, step);
    for (ptrdiff_t i = 0; i < end; i += SAMPLES)
        store_share(dst + i, eight_u8(src + i * step, step), 255);
    tt_from_u8_c(dst + end, src + end * step, step, n - (size_t)end);
}

void tt_from_u16_neon(float *dst, const uint16_t *src, ptrdiff_t step, size_t n)
{
    const ptrdiff_t end = readable((ptrdiff_t)n, step);
    for (ptrdiff_t i = 0; i < end; i += SAMPLES)
        store_share(dst + i, eight_u16(src + i * step, step), 65535);
    tt_from_u16_c(dst + end, src + end * step, step, n - (size_t)end);
}

/* The larger one gives its second operand for NaN; the conversion rounds halves to even. */
INLINE uint16x4_t levels(const float *src, float range)
{
    const float32x4_t v = smaller(larger(vld1q_f32(src), vdupq_n_f32(0)), vdupq_n_f32(1));
    return vmovn_u32(vcvtnq_u32_f32(vmulq_n_f32(v, range)));
}

/* A strided sample is stored alone: what lies between may be another channel, written by someone else. */
void tt_to_u8_neon(uint8_t *dst, ptrdiff_t step, const float *src, size_t n)
{
    size_t i = 0;
    for (; i + SAMPLES <= n; i += SAMPLES) {
        const uint8x8_t v = vmovn_u16(vcombine_u16(levels(src + i, 255), levels(src + i + LANES, 255)));
        if (step == 1) {
            vst1_u8(dst + i, v);
        } else {
            uint8_t eight[SAMPLES];
            vst1_u8(eight, v);
            for (int l = 0; l < SAMPLES; l++)
                dst[((ptrdiff_t)i + l) * step] = eight[l];
        }
    }
    tt_to_u8_c(dst + (ptrdiff_t)i * step, step, src + i, n - i);
}

void tt_to_u16_neon(uint16_t *dst, ptrdiff_t step, const float *src, size_t n)
{
    size_t i = 0;
    for (; i + SAMPLES <= n; i += SAMPLES) {
        const uint16x8_t v = vcombine_u16(levels(src + i, 65535), levels(src + i + LANES, 65535));
        if (step == 1) {
            vst1q_u16(dst + i, v);
        } else {
            uint16_t eight[SAMPLES];
            vst1q_u16(eight, v);
            for (int l = 0; l < SAMPLES; l++)
                dst[((ptrdiff_t)i + l) * step] = eight[l];
        }
    }
    tt_to_u16_c(dst + (ptrdiff_t)i * step, step, src + i, n - i);
}

/* ---- colour --------------------------------------------------------------------------------------- */

INLINE float32x4_t affine(const float m[4], float32x4_t s0, float32x4_t s1, float32x4_t s2)
{
    const float32x4_t v = vfmaq_n_f32(vdupq_n_f32(m[3]), s2, m[2]);
    return vfmaq_n_f32(vfmaq_n_f32(v, s1, m[1]), s0, m[0]);
}

void tt_affine3_neon(float *const dst[3], const float *const src[3], const float m[3][4], size_t n)
{
    float matrix[3][4]; /* copies, which the stores below cannot be thought to change */
    float *to[3];
    const float *from[3];
    for (int i = 0; i < 3; i++) {
        to[i] = dst[i];
        from[i] = src[i];
        for (int j = 0; j < 4; j++)
            matrix[i][j] = m[i][j];
    }
    for (size_t x = 0; x < n; x += LANES) {
        const size_t left = n - x;
        const float32x4_t a = load_some(from[0] + x, left), b = load_some(from[1] + x, left);
        const float32x4_t c = load_some(from[2] + x, left);
        UNROLL for (int i = 0; i < 3; i++)
            store_some(to[i] + x, affine(matrix[i], a, b, c), left);
    }
}

/* ---- resampling ----------------------------------------------------------------------------------- */

void tt_resize_v_neon(float *dst, const float *const *rows, const float *w, int taps, size_t n)
{
    size_t x = 0;
    for (; x + 4 * LANES <= n; x += 4 * LANES) { /* four sums at a time hide the latency of one */
        float32x4_t sum[4];
        UNROLL for (int v = 0; v < 4; v++)
            sum[v] = vdupq_n_f32(0);
        for (int t = 0; t < taps; t++)
            UNROLL for (int v = 0; v < 4; v++)
                sum[v] = vfmaq_n_f32(sum[v], vld1q_f32(rows[t] + x + v * LANES), w[t]);
        UNROLL for (int v = 0; v < 4; v++)
            vst1q_f32(dst + x + v * LANES, sum[v]);
    }
    for (; x < n; x += LANES) {
        float32x4_t sum = vdupq_n_f32(0);
        for (int t = 0; t < taps; t++)
            sum = vfmaq_n_f32(sum, load_some(rows[t] + x, n - x), w[t]);
        store_some(dst + x, sum, n - x);
    }
}

/*
 * The taps of an output lie side by side in a vector. Inside a picture their indices count upwards by one and
 * a plain load reads four samples; at its borders they repeat or turn back, and the samples come one by one:
 * both see the same values, so nothing depends on the place.
 */
INLINE float32x4_t samples(const float *src, const int32_t *index)
{
    static const int32_t steps[LANES] = {0, 1, 2, 3};
    const int32x4_t run = vaddq_s32(vdupq_n_s32(index[0]), vld1q_s32(steps));
    if (vminvq_u32(vceqq_s32(vld1q_s32(index), run)))
        return vld1q_f32(src + index[0]);
    float32x4_t v = vld1q_dup_f32(src + index[0]);
    v = vld1q_lane_f32(src + index[1], v, 1);
    v = vld1q_lane_f32(src + index[2], v, 2);
    return vld1q_lane_f32(src + index[3], v, 3);
}

/* Lane l: the sum of the products of taps l, l + 4, l + 8 ... of one output. */
INLINE float32x4_t products(const float *src, const int32_t *index, const float *w, int taps)
{
    float32x4_t sum = vdupq_n_f32(0);
    int t = 0;
    for (; t + LANES <= taps; t += LANES)
        sum = vfmaq_f32(sum, samples(src, index + t), vld1q_f32(w + t));
    if (t < taps) {
        float last[LANES] = {0};
        for (int l = 0; t + l < taps; l++)
            last[l] = src[index[t + l]];
        sum = vfmaq_f32(sum, vld1q_f32(last), load_some(w + t, (size_t)(taps - t)));
    }
    return sum;
}

/* `taps` is a constant where it is common, which unrolls the loops above. */
INLINE void resize(float *dst, const float *src, const int32_t *index, const float *w, int taps, size_t n)
{
    size_t x = 0;
    for (; x + 4 <= n; x += 4, index += 4 * taps, w += 4 * taps) {
        float32x4_t v[4];
        UNROLL for (int i = 0; i < 4; i++)
            v[i] = products(src, index + i * taps, w + i * taps, taps);
        vst1q_f32(dst + x, sums(v[0], v[1], v[2], v[3]));
    }
    for (; x < n; x++, index += taps, w += taps) {
        const float32x4_t v = products(src, index, w, taps);
        dst[x] = vgetq_lane_f32(sums(v, v, v, v), 0);
    }
}

void tt_resize_h_neon(float *dst, const float *src, const int32_t *index, const float *w, int taps, size_t n)
{
    if (taps == 4)
        resize(dst, src, index, w, 4, n);
    else if (taps == 8)
        resize(dst, src, index, w, 8, n);
    else
        resize(dst, src, index, w, taps, n);
}
