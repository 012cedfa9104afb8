#include "kernels/arm/neon.h"
#include "kernels/kernels.h"

#include <string.h>

static float32x4_t four(const uint16_t *src)
{
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(src)));
}

void tt_from_f16_neon(float *dst, const uint16_t *src, size_t n)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        vst1q_f32(dst + i, four(src + i));
    if (i < n) {
        uint16_t half[LANES] = {0};
        memcpy(half, src + i, (n - i) * sizeof *half);
        store_some(dst + i, four(half), n - i);
    }
}
