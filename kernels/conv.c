#include "kernels/kernels.h"

/* All that follows the sum, for output channel o whose values in add[j] are at at[j]. */
static float finish(const tt_conv_row *a, float z, int o, const ptrdiff_t at[2])
{
    if (a->act == TT_ACT_RELU)
        z = z > 0.0f ? z : 0.0f;
    else if (a->act == TT_ACT_PRELU)
        z = z > 0.0f ? z : a->slope[o] * z;
    for (int j = 0; j < 2; j++)
        if (a->add[j])
            z = a->add[j][at[j]] + a->scale[j] * z;
    if (a->clamp) {
        z = z > a->lo ? z : a->lo;
        z = z < a->hi ? z : a->hi;
    }
    return z;
}

static ptrdiff_t count_taps(const tt_conv_row *a)
{
    ptrdiff_t taps = 0;
    for (int s = 0; s < a->segments; s++)
        taps += a->count[s];
    return taps;
}

void tt_conv_c(const tt_conv_row *a)
{
    const ptrdiff_t taps = count_taps(a);
    for (int b = 0; b < a->outputs; b++) {
        const int first = b - b % a->group; /* of this block's group */
        const int gb = a->outputs - first < a->group ? a->outputs - first : a->group;
        for (int x = 0; x < a->n; x++) {
            for (int l = 0; l < a->block; l++) {
                const float *w = a->weights + (first * taps + b - first) * a->block + l;
                float z = a->bias[b * a->block + l];
                for (int s = 0; s < a->segments; s++)
                    for (int i = 0; i < a->count[s]; i++, w += gb * a->block)
                        z += a->seg[s][x * a->step + i] * *w;
                const ptrdiff_t at[2] = {b * a->add_plane[0] + x * a->add_step[0] + l,
                                         b * a->add_plane[1] + x * a->add_step[1] + l};
                a->dst[b * a->dst_plane + x * a->dst_step + l] = finish(a, z, b * a->block + l, at);
            }
        }
    }
}

void tt_conv_narrow_c(const tt_conv_row *a)
{
    for (int o = 0; o < a->outputs; o++) {
        for (int x = 0; x < a->n; x++) {
            float z = a->bias[o];
            for (int s = 0; s < a->segments; s++) {
                const float *w = a->weights + ((ptrdiff_t)s * a->outputs + o) * a->block;
                for (int i = 0; i < a->count[s]; i++)
                    z += a->seg[s][x * a->step + i] * w[i];
            }
            const ptrdiff_t at[2] = {o * a->add_plane[0] + x * a->add_step[0],
                                     o * a->add_plane[1] + x * a->add_step[1]};
            a->dst[o * a->dst_plane + x * a->dst_step] = finish(a, z, o, at);
        }
    }
}
