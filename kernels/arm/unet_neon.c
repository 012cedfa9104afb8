#include "kernels/arm/neon.h"
#include "kernels/kernels.h"

/* Periods that divide a vector: a channel alone, or a block. */
void tt_affine_neon(float *dst, const float *src, const float *gain, const float *shift, int relu,
                    size_t period, size_t n)
{
    if (period != 1 && period != LANES) {
        tt_affine_c(dst, src, gain, shift, relu, period, n);
        return;
    }
    const float32x4_t g = period == 1 ? vdupq_n_f32(*gain) : vld1q_f32(gain);
    const float32x4_t t = period == 1 ? vdupq_n_f32(*shift) : vld1q_f32(shift);
    for (size_t i = 0; i < n; i += LANES) {
        float32x4_t z = vaddq_f32(vmulq_f32(g, load_some(src + i, n - i)), t);
        if (relu)
            z = larger(z, vdupq_n_f32(0));
        store_some(dst + i, z, n - i);
    }
}

void tt_pool_neon(float *dst, const float *const row[3], int pixel, int w, int n)
{
    if (pixel != LANES) {
        tt_pool_c(dst, row, pixel, w, n);
        return;
    }
    for (int x = 0; x < n; x++) {
        const ptrdiff_t column[3] = {x ? 2 * x - 1 : 0, 2 * x, 2 * x + 1 < w ? 2 * x + 1 : w - 1};
        float32x4_t most = vld1q_f32(row[0] + column[0] * LANES);
        UNROLL for (int i = 1; i < 9; i++)
            most = larger(vld1q_f32(row[i / 3] + column[i % 3] * LANES), most);
        vst1q_f32(dst + (ptrdiff_t)x * LANES, most);
    }
}

void tt_blur_neon(float *dst, const float *above, const float *here, int pixel, size_t n)
{
    const size_t b = (size_t)pixel, end = n * b;
    if (n)
        tt_blur_c(dst, above, here, pixel, 1);
    for (size_t i = b; i < end; i += LANES) {
        const size_t left = end - i;
        float32x4_t z = vaddq_f32(load_some(above + i - b, left), load_some(above + i, left));
        z = vaddq_f32(z, load_some(here + i - b, left));
        z = vaddq_f32(z, load_some(here + i, left));
        store_some(dst + i, vmulq_f32(vdupq_n_f32(0.25f), z), left);
    }
}
