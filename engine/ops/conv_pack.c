/* The weights of a convolution made ready for its kernel: the segments of its classes (engine/ops/conv.c), and the values in
 * their order. */
#include "engine/alloc.h"
#include "engine/ops/ops.h"

#include <stdlib.h>

/* ---- packing -------------------------------------------------------------------------------------- */

/* Which tap of the window a segment's i-th value meets, and which input channel it is. */
typedef struct tap {
    int channel, ky, kx;
} tap;

typedef struct packing {
    tt_net *net;
    tt_step *s;
    const float *w; /* the tensor's values */
    int in, out;    /* channels */
    bool narrow;
    tap *tap; /* of the class in hand, segment after segment */
    int taps, room;
} packing;

static bool push_tap(packing *p, tap t)
{
    if (p->taps == p->room) {
        const int room = p->room ? 2 * p->room : 1024;
        tap *more = realloc(p->tap, (size_t)room * sizeof *more);
        if (!more)
            return false;
        p->tap = more;
        p->room = room;
    }
    p->tap[p->taps++] = t;
    return true;
}

static bool push_segment(tt_taps_class *c, tt_segment seg)
{
    if (!(c->segments & (c->segments - 1))) { /* room doubles at powers of two */
        tt_segment *more = realloc(c->segment, (size_t)(c->segments ? 2 * c->segments : 1) * sizeof *more);
        if (!more)
            return false;
        c->segment = more;
    }
    c->segment[c->segments++] = seg;
    return true;
}

/* The window positions of one class along one axis: dy for ky, or false where ky is not of this class. */
static bool offset(const tt_node *n, int class, int k, int *d)
{
    if (n->op == TT_OP_CONV) {
        *d = k - n->pad;
        return true;
    }
    *d = (class + n->pad - k) / n->stride;
    return (class + n->pad - k) % n->stride == 0;
}

/* The segments of class (ry, rx): blocked pieces run along channels, planar ones along the window's row. */
static bool list_segments(packing *p, tt_taps_class *c, int ry, int rx)
{
    const tt_node *n = p->s->node;
    const int block = p->net->k.block;
    const int most = p->narrow ? block : n->k;
    p->taps = 0;
    for (int i = 0, first = 0; i < p->s->pieces; first += p->s->in[i].channels, i++) {
        const int channels = p->s->in[i].channels, b = tt_block_of(&p->net->k, channels);
        for (int plane = 0; plane * b < channels; plane++)
            for (int ky = 0; ky < n->k; ky++)
                for (int kx = 0; kx < n->k; kx++) {
                    tt_segment seg = {.piece = i, .plane = plane, .count = 1};
                    if (!offset(n, ry, ky, &seg.dy) || !offset(n, rx, kx, &seg.dx))
                        continue;
                    if (b > 1) {
                        seg.count = channels - plane * b < b ? channels - plane * b : b;
                        for (int l = 0; l < seg.count; l++)
                            if (!push_tap(p, (tap){first + plane * b + l, ky, kx}))
                                return false;
                    } else {
                        if (n->op == TT_OP_CONV) { /* a transposed window runs backwards: one tap each */
                            seg.count = n->k - kx < most ? n->k - kx : most;
                            for (int t = 1; t < seg.count; t++)
                                if (!push_tap(p, (tap){first + plane, ky, kx + t - 1}))
                                    return false;
                            kx += seg.count - 1;
                        }
                        if (!push_tap(p, (tap){first + plane, ky, kx}))
                            return false;
                    }
                    if (!push_segment(c, seg))
                        return false;
                }
    }
    return true;
}

static float weight_at(const packing *p, int o, tap t)
{
    const size_t k = (size_t)p->s->node->k;
    const size_t row = p->s->op == TT_OP_CONV ? (size_t)o * (size_t)p->in + (size_t)t.channel
                                              : (size_t)t.channel * (size_t)p->out + (size_t)o;
    return p->w[(row * k + (size_t)t.ky) * k + (size_t)t.kx];
}

/* [group][tap][blocks of the group * block] */
static void fill_wide(const packing *p, float *to)
{
    const int block = p->net->k.block, group = p->net->k.group, blocks = (p->out + block - 1) / block;
    for (int g = 0; g < blocks; g += group) {
        const int lanes = (blocks - g < group ? blocks - g : group) * block;
        for (int t = 0; t < p->taps; t++, to += lanes)
            for (int l = 0; l < lanes && g * block + l < p->out; l++)
                to[l] = weight_at(p, g * block + l, p->tap[t]);
    }
}

/* [segment][output][block] */
static void fill_narrow(const packing *p, const tt_taps_class *c, float *to)
{
    const int block = p->net->k.block;
    for (int i = 0, t = 0; i < c->segments; t += c->segment[i].count, i++)
        for (int o = 0; o < p->out; o++, to += block)
            for (int l = 0; l < c->segment[i].count; l++)
                to[l] = weight_at(p, o, p->tap[t + l]);
}

/* Of a blocked input: each block has a segment a tap. */
static bool list_planes(const packing *p, tt_taps_class *c)
{
    const int window = p->s->node->k * p->s->node->k;
    if (p->s->op != TT_OP_CONV || tt_block_of(&p->net->k, p->s->in[0].channels) == 1)
        return true;
    c->planes = c->segments / window;
    c->plane_count = malloc((size_t)(c->planes ? c->planes : 1) * sizeof *c->plane_count);
    for (int i = 0; c->plane_count && i < c->planes; i++)
        c->plane_count[i] = c->count[i * window];
    return c->plane_count != NULL;
}

static tt_status pack_class(packing *p, tt_taps_class *c, int ry, int rx, tt_error *err)
{
    const tt_kernels *k = &p->net->k;
    if (!list_segments(p, c, ry, rx))
        return tt_fail_memory(err, (size_t)p->room * sizeof *p->tap);
    const size_t lanes = p->narrow ? (size_t)p->out * (size_t)k->block
                                   : tt_round_up((size_t)p->out, (size_t)k->block);
    size_t bytes;
    if (!tt_mul(lanes * sizeof(float), (size_t)(p->narrow ? c->segments : p->taps), &bytes))
        return tt_fail_memory(err, bytes);
    c->weights = tt_aligned_zalloc(bytes);
    c->floats = bytes / sizeof(float);
    c->count = malloc((size_t)(c->segments ? c->segments : 1) * sizeof *c->count);
    if (!c->weights || !c->count)
        return tt_fail_memory(err, bytes);
    for (int i = 0; i < c->segments; i++)
        c->count[i] = c->segment[i].count;
    c->taps = p->taps;
    if (!list_planes(p, c))
        return tt_fail_memory(err, (size_t)c->segments * sizeof *c->count);
    if (p->narrow)
        fill_narrow(p, c, c->weights);
    else
        fill_wide(p, c->weights);
    p->s->packed_bytes += bytes;
    return TT_OK;
}

/* Room for the bias, and the slopes, padded to whole blocks. */
static tt_status pack_vectors(packing *p, const tt_weights *w, tt_error *err)
{
    tt_step *s = p->s;
    const size_t bytes = tt_round_up((size_t)p->out, 64) * sizeof(float);
    s->bias = tt_aligned_zalloc(bytes);
    s->slopes = tt_aligned_zalloc(bytes);
    if (!s->bias || !s->slopes)
        return tt_fail_memory(err, bytes);
    tt_status st = TT_OK;
    for (int i = 0; !s->node->slopes && i < p->out; i++)
        s->slopes[i] = s->node->slope;
    if (!st && s->node->slopes)
        st = tt_tensor_floats(w, s->node->slopes, s->slopes, err);
    s->packed_bytes += 2 * bytes;
    return st;
}

/* Is the weight used as it is stored, in 16 bits a value? */
static bool stays_half(const tt_node *n)
{
    return (n->weight->dtype == TT_F16 || n->weight->dtype == TT_BF16) && !n->spectral_u && !n->weight_g && !n->norm[0];
}

/* Packed weights back into 16 bits, which is exact. */
static tt_status store_half(tt_net *net, tt_step *s, tt_dtype type, tt_error *err)
{
    enum { FEW = 4096 }; /* floats that are not worth it */
    size_t all = 0;
    for (int i = 0; i < s->classes; i++) {
        s->taps[i].at = all;
        all += tt_round_up(s->taps[i].floats, 16);
    }
    if (all < FEW)
        return TT_OK;
    s->half = tt_aligned_zalloc(all * sizeof *s->half);
    if (!s->half)
        return tt_fail_memory(err, all * sizeof *s->half);
    s->halves = all;
    s->widen = type == TT_F16 ? net->k.from_f16 : net->k.from_bf16;
    for (int i = 0; i < s->classes; i++) {
        (type == TT_F16 ? tt_to_f16_c : tt_to_bf16_c)(s->half + s->taps[i].at, s->taps[i].weights, s->taps[i].floats);
        tt_aligned_free(s->taps[i].weights);
        s->taps[i].weights = NULL;
        s->packed_bytes -= s->taps[i].floats * sizeof(float);
    }
    s->packed_bytes += all * sizeof *s->half;
    return TT_OK;
}

tt_status tt_conv_pack(tt_net *net, tt_step *s, const tt_weights *w, tt_error *err)
{
    const tt_node *n = s->node;
    packing p = {.net = net, .s = s, .out = n->channels, .narrow = n->channels <= TT_NARROW_MAX};
    for (int i = 0; i < s->pieces; i++)
        p.in += s->in[i].channels;
    const int side = n->op == TT_OP_DECONV ? n->stride : 1;
    float *values = malloc(n->weight->count * sizeof *values);
    s->taps = calloc((size_t)side * (size_t)side, sizeof *s->taps);
    tt_status st = TT_OK;
    if (!values || !s->taps) {
        st = tt_fail_memory(err, n->weight->count * sizeof *values);
        goto done;
    }
    s->classes = side * side;
    st = pack_vectors(&p, w, err);
    if (!st)
        st = tt_fold(w, n, values, s->bias, err);
    p.w = values;
    for (int i = 0; i < s->classes && !st; i++)
        st = pack_class(&p, &s->taps[i], i / side, i % side, err);
    if (!st && !p.narrow && stays_half(n))
        st = store_half(net, s, n->weight->dtype, err);
    if (!st && s->norm)
        st = tt_affine_pack(net, s, w, err);
done:
    free(p.tap);
    free(values);
    return st;
}

void tt_step_clear(tt_step *s)
{
    for (int i = 0; i < s->classes; i++) {
        free(s->taps[i].segment);
        free(s->taps[i].count);
        free(s->taps[i].plane_count);
        tt_aligned_free(s->taps[i].weights);
    }
    free(s->taps);
    tt_aligned_free(s->half);
    for (int i = 0; i < s->stages; i++) {
        tt_aligned_free(s->stage[i].weights);
        tt_aligned_free(s->stage[i].bias);
    }
    free(s->stage);
    tt_aligned_free(s->bias);
    tt_aligned_free(s->slopes);
    tt_aligned_free(s->gain);
    tt_aligned_free(s->shift);
    free(s->in);
    *s = (tt_step){0};
}
