#include "kernels/kernels.h"

#include <math.h>

void tt_scores_max_c(float *most, const float *s, ptrdiff_t plane, int n, int count, int block)
{
    for (int x = 0; x < n; x++)
        for (int i = 0; i < count; i++) {
            const float z = s[i / block * plane + (ptrdiff_t)x * block + i % block];
            most[x] = z > most[x] ? z : most[x];
        }
}

void tt_scores_exp_c(float *s, double *sum, const float *most, ptrdiff_t plane, int n, int count, int block)
{
    for (int x = 0; x < n; x++)
        for (int i = 0; i < (count + block - 1) / block * block; i++) {
            float *z = &s[i / block * plane + (ptrdiff_t)x * block + i % block];
            *z = i < count ? expf(*z - most[x]) : 0;
            sum[(ptrdiff_t)x * block + i % block] += (double)*z;
        }
}
