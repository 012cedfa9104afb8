#include "kernels/kernels.h"

#include <math.h>
#include <string.h>

void tt_act_c(float *dst, const float *src, tt_act act, const float *slope, size_t period, size_t n)
{
    switch (act) {
    case TT_ACT_NONE:
        for (size_t i = 0; i < n; i++)
            dst[i] = src[i];
        break;
    case TT_ACT_RELU:
        for (size_t i = 0; i < n; i++)
            dst[i] = src[i] > 0 ? src[i] : 0;
        break;
    case TT_ACT_PRELU:
        for (size_t i = 0; i < n; i++)
            dst[i] = src[i] > 0 ? src[i] : slope[i % period] * src[i];
        break;
    case TT_ACT_SIGMOID:
        for (size_t i = 0; i < n; i++)
            dst[i] = 1 / (1 + expf(-src[i]));
        break;
    case TT_ACT_GELU:
        for (size_t i = 0; i < n; i++)
            dst[i] = (float)(0.5 * src[i] * erfc(-src[i] * 0.70710678118654752));
        break;
    }
}

void tt_axpy_c(float *dst, const float *a, const float *b, float scale, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = a[i] + scale * b[i];
}

void tt_clamp_c(float *dst, const float *src, float lo, float hi, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const float z = src[i] > lo ? src[i] : lo; /* false for NaN */
        dst[i] = z < hi ? z : hi;
    }
}

void tt_mul_period_c(float *dst, const float *src, const float *g, size_t period, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = src[i] * g[i % period];
}

void tt_sum_period_c(double *sum, const float *src, size_t period, size_t n)
{
    for (size_t i = 0; i < n; i += period)
        for (size_t l = 0; l < period; l++)
            sum[l] += src[i + l];
}

size_t tt_count_nonfinite_c(const float *src, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &src[i], sizeof bits);
        count += (bits & 0x7f800000u) == 0x7f800000u;
    }
    return count;
}
