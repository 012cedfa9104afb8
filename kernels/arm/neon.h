/*
 * What the NEON kernels share. There are no masked loads and stores: the last n < 4 floats go lane by lane. Where a
 * kernel must be exact, a maximum is a comparison and a choice, as in plain C, since FMAX and FMAXNM have their own
 * mind about NaN and zeros of both signs.
 */
#ifndef TT_KERNELS_ARM_NEON_H
#define TT_KERNELS_ARM_NEON_H

#if defined __aarch64__

#include <arm_neon.h>
#include <stddef.h>

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 32") /* -O2 alone would leave the accumulators in memory */

enum { LANES = 4 };

/* The first n floats, four at most; zeros in the lanes of the others. */
INLINE float32x4_t load_some(const float *p, size_t n)
{
    float32x4_t v = vdupq_n_f32(0);
    if (n >= LANES)
        return vld1q_f32(p);
    if (n > 0)
        v = vld1q_lane_f32(p, v, 0);
    if (n > 1)
        v = vld1q_lane_f32(p + 1, v, 1);
    if (n > 2)
        v = vld1q_lane_f32(p + 2, v, 2);
    return v;
}

INLINE void store_some(float *p, float32x4_t v, size_t n)
{
    if (n >= LANES) {
        vst1q_f32(p, v);
        return;
    }
    if (n > 0)
        vst1q_lane_f32(p, v, 0);
    if (n > 1)
        vst1q_lane_f32(p + 1, v, 1);
    if (n > 2)
        vst1q_lane_f32(p + 2, v, 2);
}

/* a > b ? a : b; a < b ? a : b */
INLINE float32x4_t larger(float32x4_t a, float32x4_t b)
{
    return vbslq_f32(vcgtq_f32(a, b), a, b);
}
INLINE float32x4_t smaller(float32x4_t a, float32x4_t b)
{
    return vbslq_f32(vcltq_f32(a, b), a, b);
}

/* z > 0 ? z : slope * z */
INLINE float32x4_t prelu(float32x4_t z, float32x4_t slope)
{
    return vbslq_f32(vcgtzq_f32(z), z, vmulq_f32(slope, z));
}

/* Not fused: a sum made here has the bits of one made by the axpy kernel. */
INLINE float32x4_t add_scaled(float32x4_t a, float32x4_t scale, float32x4_t b)
{
    return vaddq_f32(a, vmulq_f32(scale, b));
}

/* Lane i is the sum of v[i]: (0 + 1) + (2 + 3). */
INLINE float32x4_t sums(float32x4_t a, float32x4_t b, float32x4_t c, float32x4_t d)
{
    return vpaddq_f32(vpaddq_f32(a, b), vpaddq_f32(c, d));
}

#endif
#endif
