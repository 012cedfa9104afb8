#include "kernels/kernels.h"

void tt_nearest_c(float *dst, const float *src, int r, int pixel, size_t n)
{
    for (size_t x = 0; x < n; x++, src += pixel)
        for (int i = 0; i < r; i++, dst += pixel)
            for (int l = 0; l < pixel; l++)
                dst[l] = src[l];
}

void tt_shuffle_c(const tt_shuffle_row *a)
{
    const int r = a->r, block = a->block, db = a->db;
    for (int c = 0; c < a->channels; c++) {
        float *dst = a->dst + c / db * a->dst_plane + c % db;
        const float *add = a->add ? a->add + c / db * a->add_plane + c % db : NULL;
        for (int dx = 0; dx < r; dx++) {
            const int k = c * r * r + a->dy * r + dx;
            const float *src = a->src + k / block * a->src_plane + k % block;
            for (ptrdiff_t x = 0; x < a->n; x++)
                dst[(x * r + dx) * db] = add ? src[x * block] + add[x * db] : src[x * block];
        }
    }
}

void tt_gather_c(float *dst, ptrdiff_t dst_step, const float *src, ptrdiff_t src_step, size_t n)
{
    for (ptrdiff_t i = 0; i < (ptrdiff_t)n; i++)
        dst[i * dst_step] = src[i * src_step];
}
