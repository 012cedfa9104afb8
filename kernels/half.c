#include "kernels/kernels.h"

#include <string.h>

static float from_bits(uint32_t bits)
{
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* IEEE 754 binary16: a sign, 5 bits of exponent (bias 15), 10 of fraction. */
void tt_from_f16_c(float *dst, const uint16_t *src, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const uint32_t sign = (uint32_t)(src[i] & 0x8000) << 16;
        const uint32_t exponent = src[i] >> 10 & 31, fraction = src[i] & 1023;
        if (exponent == 31)
            dst[i] = from_bits(sign | 0x7f800000u | fraction << 13); /* infinity, NaN */
        else if (exponent > 0)
            dst[i] = from_bits(sign | (exponent + 127 - 15) << 23 | fraction << 13);
        else
            dst[i] = (float)fraction * (sign ? -0x1p-24f : 0x1p-24f); /* subnormal, zero */
    }
}

/* bfloat16 is the upper half of a float. */
void tt_from_bf16_c(float *dst, const uint16_t *src, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = from_bits((uint32_t)src[i] << 16);
}
