/* Operations that only move values: copies of views, nearest neighbour, pixel shuffle and its inverse,
 * padding by reflection. */
#include "engine/ops/ops.h"

/* One channel of a row. */
static float *channel(const tt_value *v, float *row, int c)
{
    return row + c / v->b * v->plane + c % v->b;
}
static const float *channel_of(const tt_value *v, const float *row, int c)
{
    return row + c / v->b * v->plane + c % v->b;
}

/* ---- concat, crop: views; the row function serves where a consumer cannot read a view -------------- */

static void copy_row(const tt_plan *p, const tt_step *s, int y, int thread)
{
    (void)thread;
    const tt_value *v = &p->value[s->out];
    float *out = tt_row(p, v, y);
    for (int i = 0, c = 0; i < s->pieces; i++) {
        const tt_value *from = &p->value[s->in[i].value];
        const float *x = tt_piece_row(p, s->in[i], y);
        for (int j = 0; j < s->in[i].channels; j++, c++)
            p->net->k.gather(channel(v, out, c), v->b, channel_of(from, x, j), from->b, (size_t)v->w);
    }
    tt_row_border(p, v, y);
}

static bool crop_size(const tt_node *n, const tt_extent *in, tt_extent *out)
{
    *out = (tt_extent){in[0].h - 2 * n->r, in[0].w - 2 * n->r};
    return out->h > 0 && out->w > 0;
}

static void crop_reach(const tt_node *n, const tt_reach *in, tt_reach *out)
{
    *out = in[0];
    out->lo += n->r * in[0].step;
    out->hi += n->r * in[0].step;
}

/* ---- nearest -------------------------------------------------------------------------------------- */

static bool larger(const tt_node *n, const tt_extent *in, tt_extent *out)
{
    int h, w;
    if (__builtin_mul_overflow(in[0].h, n->r, &h) || __builtin_mul_overflow(in[0].w, n->r, &w))
        return false;
    *out = (tt_extent){h, w};
    return true;
}

/* row y of the result is row y / r, rounded down, of the input */
static void larger_reach(const tt_node *n, const tt_reach *in, tt_reach *out)
{
    *out = in[0];
    out->step = in[0].step / n->r;
    out->lo -= in[0].step * (n->r - 1) / n->r;
}

static void nearest_row(const tt_plan *p, const tt_step *s, int y, int thread)
{
    (void)thread;
    const int r = s->node->r;
    const tt_value *v = &p->value[s->out], *from = &p->value[s->in[0].value];
    const float *x = tt_piece_row(p, s->in[0], y / r);
    float *out = tt_row(p, v, y);
    for (int i = 0; i < v->planes; i++)
        p->net->k.nearest(out + i * v->plane, x + i * from->plane, r, v->b, (size_t)(v->w / r));
    tt_row_border(p, v, y);
}

/* ---- pixel shuffle --------------------------------------------------------------------------------- */

static void shuffle_row(const tt_plan *p, const tt_step *s, int y, int thread)
{
    (void)thread;
    const int r = s->node->r, dy = y % r;
    const tt_value *v = &p->value[s->out], *from = &p->value[s->in[0].value];
    const float *x = tt_piece_row(p, s->in[0], y / r);
    float *out = tt_row(p, v, y);
    if (from->b > 1)
        p->net->k.shuffle(&(tt_shuffle_row){.n = v->w / r, .r = r, .dy = dy, .channels = v->c, .block = from->b,
                                            .db = v->b, .src = x, .src_plane = from->plane, .dst = out,
                                            .dst_plane = v->plane});
    else /* at most TT_NARROW_MAX planes: not worth a kernel */
        for (int c = 0; c < v->c; c++)
            for (int dx = 0; dx < r; dx++)
                p->net->k.gather(channel(v, out, c) + dx * v->b, (ptrdiff_t)r * v->b,
                                 channel_of(from, x, (c * r + dy) * r + dx), 1, (size_t)(v->w / r));
    tt_row_border(p, v, y);
}

static bool unshuffle_size(const tt_node *n, const tt_extent *in, tt_extent *out)
{
    *out = (tt_extent){in[0].h / n->r, in[0].w / n->r};
    return in[0].h % n->r == 0 && in[0].w % n->r == 0;
}

static void unshuffle_reach(const tt_node *n, const tt_reach *in, tt_reach *out)
{
    *out = in[0];
    out->step = in[0].step * n->r;
    out->hi += in[0].step * (n->r - 1);
}

static void unshuffle_row(const tt_plan *p, const tt_step *s, int y, int thread)
{
    (void)thread;
    const int r = s->node->r;
    const tt_value *v = &p->value[s->out], *from = &p->value[s->in[0].value];
    float *out = tt_row(p, v, y);
    for (int k = 0; k < v->c; k++) { /* k = (c * r + dy) * r + dx */
        const float *x = tt_piece_row(p, s->in[0], y * r + k / r % r);
        p->net->k.gather(channel(v, out, k), v->b, channel_of(from, x, k / (r * r)) + k % r * from->b,
                         (ptrdiff_t)r * from->b, (size_t)v->w);
    }
    tt_row_border(p, v, y);
}

/* ---- pad, fit ------------------------------------------------------------------------------------- */

static bool pad_size(const tt_node *n, const tt_extent *in, tt_extent *out)
{
    *out = (tt_extent){(in[0].h + n->r - 1) / n->r * n->r, (in[0].w + n->r - 1) / n->r * n->r};
    return true;
}

/* Position i of 0..n-1 continued by mirrors at the first and the last. */
static int reflected(int i, int n)
{
    if (n == 1)
        return 0;
    i %= 2 * n - 2;
    return i < n ? i : 2 * n - 2 - i;
}

static void pad_row(const tt_plan *p, const tt_step *s, int y, int thread)
{
    (void)thread;
    const tt_value *v = &p->value[s->out], *from = &p->value[s->in[0].value];
    const tt_extent e = p->extent[s->node->in[0]];
    const float *x = tt_piece_row(p, s->in[0], reflected(y, e.h));
    float *out = tt_row(p, v, y);
    for (int c = 0; c < v->c; c++) {
        p->net->k.gather(channel(v, out, c), v->b, channel_of(from, x, c), from->b, (size_t)e.w);
        for (int i = e.w; i < v->w; i++)
            channel(v, out, c)[(ptrdiff_t)i * v->b] = channel_of(from, x, c)[(ptrdiff_t)reflected(i, e.w) * from->b];
    }
    tt_row_border(p, v, y);
}

static bool fit_size(const tt_node *n, const tt_extent *in, tt_extent *out)
{
    if (__builtin_mul_overflow(in[1].h, n->r, &out->h) || __builtin_mul_overflow(in[1].w, n->r, &out->w))
        return false;
    return out->h <= in[0].h && out->w <= in[0].w;
}

static void first_reach(const tt_node *n, const tt_reach *in, tt_reach *out)
{
    (void)n;
    *out = in[0];
}

const tt_op_def tt_op_concat = {.word = "copy", .size = tt_size_same, .reach = tt_reach_same, .row = copy_row};
const tt_op_def tt_op_crop = {.word = "copy", .size = crop_size, .reach = crop_reach, .row = copy_row};
const tt_op_def tt_op_pad = {.word = "pad", .size = pad_size, .reach = tt_reach_same, .row = pad_row};
const tt_op_def tt_op_fit = {.word = "copy", .size = fit_size, .reach = first_reach, .row = copy_row};
const tt_op_def tt_op_nearest = {.word = "nearest", .size = larger, .reach = larger_reach, .row = nearest_row};
const tt_op_def tt_op_shuffle = {.word = "pixel shuffle", .size = larger, .reach = larger_reach, .row = shuffle_row};
const tt_op_def tt_op_unshuffle = {
    .word = "pixel unshuffle", .size = unshuffle_size, .reach = unshuffle_reach, .row = unshuffle_row};
