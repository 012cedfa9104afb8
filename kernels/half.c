#include "kernels/kernels.h"

#include <stdbool.h>
#include <string.h>

static float from_bits(uint32_t bits)
{
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static uint32_t to_bits(float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
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

/* v / 2^shift, rounded to the nearest whole number, to the even one of two. shift 1..31. */
static uint32_t round_even(uint32_t v, unsigned shift)
{
    const uint32_t half = 1u << (shift - 1), rest = v & (2 * half - 1), whole = v >> shift;
    return whole + (rest > half || (rest == half && (whole & 1)));
}

void tt_to_f16_c(uint16_t *dst, const float *src, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const uint32_t bits = to_bits(src[i]), size = bits & 0x7fffffffu;
        const unsigned exponent = size >> 23;
        uint32_t h;
        if (size > 0x7f800000u)
            h = 0x7e00u | (size >> 13 & 0x3ffu); /* NaN, a quiet one */
        else if (exponent >= 127 + 16)
            h = 0x7c00u;
        else if (exponent >= 127 - 14) /* a carry out of the fraction goes into the exponent, as it should */
            h = round_even(size - ((uint32_t)(127 - 15) << 23), 13);
        else if (exponent >= 127 - 25) /* subnormal: the hidden bit counts, in units of 2^-24 */
            h = round_even((size & 0x7fffffu) | 0x800000u, 126 - exponent);
        else
            h = 0;
        dst[i] = (uint16_t)((bits >> 16 & 0x8000u) | h);
    }
}

void tt_to_bf16_c(uint16_t *dst, const float *src, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const uint32_t bits = to_bits(src[i]);
        const bool nan = (bits & 0x7fffffffu) > 0x7f800000u;
        dst[i] = (uint16_t)(nan ? bits >> 16 | 0x40u : round_even(bits, 16));
    }
}
