/* Launches of convolutions, transposed ones, and of the pixel shuffles behind them. */
#include "engine/cl/emit.h"

#include <stdlib.h>

/* Bytes of local memory of a group in tiles: a part of the input, and weights (kernels/cl/conv.cl says which). */
static int tile_local(const tt_cl_cut *c, const tt_cl_taps *t, int stride, int blocks, bool three)
{
    const int patch = ((c->tile_x - 1) * stride + t->kw) * ((c->tile_y * c->pixels - 1) * stride + t->kh);
    return (patch + blocks * (three ? 3 : 1) * t->kw * c->lanes) * c->lanes * (int)sizeof(float);
}

static void in_frequencies(int grid, tt_cl_launch *l)
{
    l->kernel = TT_CL_conv_wino;
    l->group[0] = TT_CL_WINO_ITEMS;
    l->group[1] = 1;
    l->cols = (grid + l->cols + TT_CL_WINO_SIDE - 1) / TT_CL_WINO_SIDE * TT_CL_WINO_ITEMS;
    l->rows = (grid + l->rows + TT_CL_WINO_SIDE - 1) / TT_CL_WINO_SIDE;
    l->rows_an_item = TT_CL_WINO_SIDE;
    l->blocks = (l->blocks + TT_CL_WINO_BLOCKS - 1) / TT_CL_WINO_BLOCKS;
    l->local = TT_CL_WINO_LOCAL;
}

/* Is it a matrix product, and are there outputs enough for it? */
static bool is_product(const tt_cl *cl, const tt_cl_taps *t, const tt_cl_conv *c, const tt_cl_launch *l)
{
    return cl->products && t->kh == 1 && t->kw == 1 && !t->pad_y && !t->pad_x && l->blocks >= 5 &&
           (l->rows - 1) * c->stride < c->in[0].h && (l->cols - 1) * c->stride < c->in[0].w;
}

/* Which kernel, and over what. */
static void choose_conv(const tt_cl *cl, const tt_cl_taps *t, const tt_cl_conv *conv, tt_cl_launch *l)
{
    const tt_cl_cut *c = &cl->cut;
    const int stride = conv->stride, blocks = l->blocks, most_local = cl->info.local < (32 << 10) ? (int)cl->info.local : 32 << 10;
    const bool one = blocks == 1 || c->outputs == 1, three = t->kh == 3 && t->kw == 3 && stride == 1;
    const int local = c->tile_x ? tile_local(c, t, stride, one ? 1 : c->outputs, three) : 0;
    if (t->wino) {
        in_frequencies(conv->grid, l);
        return;
    }
    if (is_product(cl, t, conv, l)) {
        tt_cl_by_products(cl, l, l->rows * l->cols, TT_CL_conv1_large, TT_CL_conv1_small);
        return;
    }
    l->blocks = one ? blocks : (blocks + c->outputs - 1) / c->outputs;
    if (c->tile_x && t->kh * t->kw > 1 && local <= most_local) {
        l->kernel = three ? (one ? TT_CL_conv3_tiled_one : TT_CL_conv3_tiled)
                          : one ? TT_CL_conv_tiled_one : TT_CL_conv_tiled;
        l->group[0] = c->tile_x;
        l->group[1] = c->tile_y;
        l->rows_an_item = c->pixels;
        l->rows = (l->rows + c->pixels - 1) / c->pixels;
        l->local = local;
        return;
    }
    const bool single = t->kh == 1 && t->kw == 1 && stride == 1;
    l->kernel = three ? (one ? TT_CL_conv3_one : TT_CL_conv3)
                      : single ? (one ? TT_CL_conv1_one : TT_CL_conv1) : one ? TT_CL_conv_one : TT_CL_conv;
    l->group[0] = c->beside;
    l->group[1] = 1;
    l->cols = (l->cols + c->pixels - 1) / c->pixels; /* a group makes beside * pixels columns */
}

static void put_fused(const tt_cl_plan *p, const tt_cl_conv *c, int *t)
{
    const tt_step *s = c->fused;
    for (int i = 0; i < s->adds; i++) {
        const tt_cl_view add = tt_cl_piece_of(p, s->add[i]);
        tt_cl_put_map(t + CONV_ADD + 4 * i, &add);
        tt_cl_put_float(t + CONV_ADD + 4 * i + 3, s->stages ? 1 : s->scale[i]);
    }
    t[CONV_ADDS] = s->adds;
    t[CONV_CLAMP] = s->clamp;
    tt_cl_put_float(t + CONV_LO, s->lo);
    tt_cl_put_float(t + CONV_HI, s->hi);
    if (s->norm && !s->stages) {
        t[CONV_AFFINE] = 1;
        t[CONV_GAIN] = c->layer->gain;
        t[CONV_SHIFT] = c->layer->shift;
    }
    t[CONV_THEN_RELU] = s->relu;
}

static bool emit_class(tt_cl_plan *p, const tt_cl_conv *c, int ry, int rx)
{
    const tt_cl_taps *taps = &c->layer->taps[ry * c->side + rx];
    const int rows = (c->out.h - ry + c->side - 1) / c->side, cols = (c->out.w - rx + c->side - 1) / c->side;
    tt_cl_launch *l;
    if (rows <= 0 || cols <= 0)
        return true;
    int *t = tt_cl_launch_new(p, TT_CL_conv, CONV_PIECE + PIECE_INTS * c->pieces, cols, rows,
                              tt_cl_blocks(p->net->cl, c->out.channels), &l);
    if (!t)
        return false;
    tt_cl_put_map(t + OUT, &c->out);
    t[IN_H] = c->in[0].h;
    t[IN_W] = c->in[0].w;
    t[CONV_STEP] = c->side;
    t[CONV_OY] = ry;
    t[CONV_OX] = rx;
    t[CONV_KH] = taps->kh;
    t[CONV_KW] = taps->kw;
    t[CONV_STRIDE] = c->stride;
    t[CONV_PAD_Y] = taps->pad_y;
    t[CONV_PAD_X] = taps->pad_x;
    t[CONV_REPLICATE] = c->replicate;
    t[CONV_GRID] = c->grid;
    t[CONV_WEIGHTS] = taps->at;
    t[CONV_WEIGHTS_STEP] = taps->step;
    t[CONV_BIAS] = c->layer->bias;
    t[CONV_ACT] = (int)c->act;
    t[CONV_SLOPES] = c->layer->slopes;
    if (c->fused) {
        put_fused(p, c, t);
        l->bytes *= 1 + c->fused->adds; /* as large as the result */
    }
    t[CONV_PIECES] = c->pieces;
    int channels = 0;
    for (int i = 0; i < c->pieces; i++) {
        tt_cl_put_map(t + CONV_PIECE + PIECE_INTS * i, &c->in[i]);
        t[CONV_PIECE + PIECE_INTS * i + 3] = c->in[i].channels;
        l->bytes += tt_cl_view_bytes(p, &c->in[i]);
        channels += c->in[i].channels;
    }
    l->flops = 2.0 * taps->kh * taps->kw * channels * c->out.channels * rows * cols;
    choose_conv(p->net->cl, taps, c, l);
    return true;
}

bool tt_cl_emit_conv(tt_cl_plan *p, const tt_cl_conv *c)
{
    for (int i = 0; i < c->side * c->side; i++)
        if (!emit_class(p, c, i / c->side, i % c->side))
            return false;
    return true;
}

static bool emit_shuffle(tt_cl_plan *p, const tt_cl_view *in, const tt_cl_view *out, int r, const tt_cl_view *add)
{
    tt_cl_launch *l;
    int *t = tt_cl_launch_new(p, TT_CL_shuffle_up, MOVE_INTS, out->w, out->h, tt_cl_blocks(p->net->cl, out->channels), &l);
    if (!t)
        return false;
    tt_cl_put_map(t + OUT, out);
    tt_cl_put_map(t + X, in);
    t[MOVE_R] = r;
    t[MOVE_CHANNELS] = out->channels;
    t[MOVE_ADDS] = add != NULL;
    if (add)
        tt_cl_put_map(t + MOVE_ADD, add);
    l->bytes += tt_cl_view_bytes(p, in) + (add ? tt_cl_view_bytes(p, add) : 0);
    return true;
}

bool tt_cl_conv_step(tt_cl_plan *p, int step)
{
    const tt_step *s = &p->net->net->step[step];
    const tt_node *n = s->node;
    tt_cl_view *in = malloc((size_t)s->pieces * sizeof *in);
    if (!in)
        return false;
    for (int i = 0; i < s->pieces; i++)
        in[i] = tt_cl_piece_of(p, s->in[i]);
    tt_cl_conv c = {.layer = &p->net->step[step].own,
                    .in = in,
                    .pieces = s->pieces,
                    .out = s->shuffle ? tt_cl_whole_of(tt_cl_temp_of(p, step, 0), n->channels, tt_cl_extent_of(p, n))
                                      : tt_cl_result_of(p, s),
                    .side = n->op == TT_OP_DECONV ? n->stride : 1,
                    .stride = n->op == TT_OP_DECONV ? 1 : n->stride,
                    .grid = p->way[step].before,
                    .replicate = n->replicate,
                    .act = n->act,
                    .fused = s->shuffle ? NULL : s};
    bool good = tt_cl_emit_conv(p, &c);
    if (good && s->shuffle) {
        const tt_cl_view out = tt_cl_result_of(p, s), add = s->adds ? tt_cl_piece_of(p, s->add[0]) : (tt_cl_view){0};
        good = emit_shuffle(p, &c.out, &out, s->shuffle, s->adds ? &add : NULL);
    }
    free(in);
    return good;
}
