/* A gain and a shift for each channel: batch norm as it is used, after a convolution's row or alone. */
#include "engine/alloc.h"
#include "engine/ops/ops.h"

tt_status tt_affine_pack(tt_net *net, tt_step *s, const tt_weights *w, tt_error *err)
{
    const size_t bytes = tt_round_up((size_t)s->norm->channels, 64) * sizeof(float);
    (void)net;
    s->gain = tt_aligned_zalloc(bytes); /* zeros in the lanes without a channel */
    s->shift = tt_aligned_zalloc(bytes);
    if (!s->gain || !s->shift)
        return tt_fail_memory(err, bytes);
    s->packed_bytes += 2 * bytes;
    return tt_norm_floats(w, s->norm, s->gain, s->shift, err);
}

void tt_affine_row(const tt_plan *p, const tt_step *s, const float *src, ptrdiff_t src_plane, float *dst,
                   int w, int from, int to)
{
    const tt_value *v = &p->value[s->out];
    const size_t n = (size_t)w * (size_t)v->b, b = (size_t)v->b;
    for (int i = from; i < to; i++) {
        const float *x = src + i * src_plane;
        float *z = dst + i * v->plane;
        if (s->gain)
            p->net->k.affine(z, x, s->gain + (size_t)i * b, s->shift + (size_t)i * b, s->relu, b, n);
        else
            p->net->k.act(z, x, TT_ACT_RELU, NULL, 1, n);
    }
}

static void affine_row(const tt_plan *p, const tt_step *s, int y, int thread)
{
    (void)thread;
    const tt_value *v = &p->value[s->out];
    tt_affine_row(p, s, tt_piece_row(p, s->in[0], y), p->value[s->in[0].value].plane, tt_row(p, v, y), v->w,
                  0, v->planes);
    tt_row_border(p, v, y);
}

const tt_op_def tt_op_affine = {
    .word = "norm", .size = tt_size_same, .reach = tt_reach_same, .pack = tt_affine_pack, .row = affine_row};
