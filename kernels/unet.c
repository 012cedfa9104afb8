#include "kernels/kernels.h"

void tt_affine_c(float *dst, const float *src, const float *gain, const float *shift, int relu, size_t period,
                 size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const float z = gain[i % period] * src[i] + shift[i % period];
        dst[i] = relu && !(z > 0) ? 0 : z;
    }
}

void tt_pool_c(float *dst, const float *const row[3], int pixel, int w, int n)
{
    for (int x = 0; x < n; x++) {
        const int column[3] = {x ? 2 * x - 1 : 0, 2 * x, 2 * x + 1 < w ? 2 * x + 1 : w - 1};
        for (int l = 0; l < pixel; l++) {
            float most = row[0][(ptrdiff_t)column[0] * pixel + l];
            for (int i = 1; i < 9; i++) {
                const float z = row[i / 3][(ptrdiff_t)column[i % 3] * pixel + l];
                most = z > most ? z : most;
            }
            dst[(ptrdiff_t)x * pixel + l] = most;
        }
    }
}

void tt_blur_c(float *dst, const float *above, const float *here, int pixel, size_t n)
{
    const ptrdiff_t b = pixel, end = (ptrdiff_t)n * b;
    for (ptrdiff_t i = 0; i < end; i++) {
        const ptrdiff_t left = i < b ? i : i - b;
        dst[i] = 0.25f * (((above[left] + above[i]) + here[left]) + here[i]);
    }
}
