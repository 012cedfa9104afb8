#include "engine/ops/ops.h"

extern const tt_op_def tt_op_input, tt_op_conv, tt_op_deconv, tt_op_concat, tt_op_add, tt_op_act, tt_op_clamp,
    tt_op_crop, tt_op_nearest, tt_op_shuffle, tt_op_unshuffle, tt_op_mean, tt_op_gate;
extern const tt_op_def tt_op_levels, tt_op_pad, tt_op_fit, tt_op_norm, tt_op_linear, tt_op_attention;
extern const tt_op_def tt_op_affine, tt_op_pool, tt_op_blur, tt_op_attend;

const tt_op_def *const tt_ops[TT_OPS] = {
    [TT_OP_INPUT] = &tt_op_input,
    [TT_OP_CONV] = &tt_op_conv,
    [TT_OP_DECONV] = &tt_op_deconv,
    [TT_OP_CONCAT] = &tt_op_concat,
    [TT_OP_ADD] = &tt_op_add,
    [TT_OP_ACT] = &tt_op_act,
    [TT_OP_CLAMP] = &tt_op_clamp,
    [TT_OP_CROP] = &tt_op_crop,
    [TT_OP_NEAREST] = &tt_op_nearest,
    [TT_OP_SHUFFLE] = &tt_op_shuffle,
    [TT_OP_UNSHUFFLE] = &tt_op_unshuffle,
    [TT_OP_MEAN] = &tt_op_mean,
    [TT_OP_GATE] = &tt_op_gate,
    [TT_OP_LEVELS] = &tt_op_levels,
    [TT_OP_PAD] = &tt_op_pad,
    [TT_OP_FIT] = &tt_op_fit,
    [TT_OP_NORM] = &tt_op_norm,
    [TT_OP_LINEAR] = &tt_op_linear,
    [TT_OP_ATTENTION] = &tt_op_attention,
    [TT_OP_AFFINE] = &tt_op_affine,
    [TT_OP_POOL] = &tt_op_pool,
    [TT_OP_BLUR] = &tt_op_blur,
    [TT_OP_ATTEND] = &tt_op_attend,
};

bool tt_size_same(const tt_node *n, const tt_extent *in, tt_extent *out)
{
    if (n->in[1] >= 0 && (in[0].h != in[1].h || in[0].w != in[1].w))
        return false;
    *out = in[0];
    return true;
}

/* Two inputs: what either needs. They are of one size, so their steps are the same. */
void tt_reach_same(const tt_node *n, const tt_reach *in, tt_reach *out)
{
    *out = in[0];
    if (n->in[1] < 0)
        return;
    if (in[1].lo < out->lo)
        out->lo = in[1].lo;
    if (in[1].hi > out->hi)
        out->hi = in[1].hi;
    out->global |= in[1].global;
}

/* `border` pixels, all equal to the one at `edge` or zero. */
static void fill_border(const tt_value *v, float *to, const float *edge)
{
    for (int x = 0; x < v->border; x++)
        for (int l = 0; l < v->b; l++)
            to[x * v->b + l] = v->replicate ? edge[l] : 0;
}

void tt_row_edges(const tt_plan *p, const tt_value *v, int y, int from, int to, bool left, bool right)
{
    const ptrdiff_t b = v->b;
    if (!v->border)
        return;
    for (int i = from; i < to; i++) {
        float *row = tt_row(p, v, y) + i * v->plane;
        if (left)
            fill_border(v, row - v->border * b, row);
        if (right)
            fill_border(v, row + v->w * b, row + (v->w - 1) * b);
    }
}

void tt_row_border(const tt_plan *p, const tt_value *v, int y)
{
    tt_row_edges(p, v, y, 0, v->planes, true, true);
}
