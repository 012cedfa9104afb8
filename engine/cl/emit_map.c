/* Launches that work value by value, move values or make a mean of them, load the input, store the result. */
#include "engine/cl/emit.h"

/* A launch from the step's first input to its result. */
static int *plain(tt_cl_plan *p, const tt_step *s, tt_cl_kernel kernel, int numbers, tt_cl_launch **l)
{
    const tt_cl_view in = tt_cl_piece_of(p, s->in[0]), out = tt_cl_result_of(p, s);
    int *t = tt_cl_launch_new(p, kernel, numbers, out.w, out.h, tt_cl_blocks(p->net->cl, out.channels), l);
    if (!t)
        return NULL;
    (*l)->bytes += tt_cl_view_bytes(p, &in);
    tt_cl_put_map(t + OUT, &out);
    tt_cl_put_map(t + X, &in);
    t[IN_H] = in.h;
    t[IN_W] = in.w;
    return t;
}

bool tt_cl_map_step(tt_cl_plan *p, int step)
{
    const tt_step *s = &p->net->net->step[step];
    const tt_cl_layer *layer = &p->net->step[step].own;
    tt_cl_launch *l;
    int *t = plain(p, s, TT_CL_map, MAP_INTS, &l);
    if (!t)
        return false;
    tt_cl_view y;
    switch (s->op) {
    case TT_OP_ADD:
        t[MAP_MODE] = MODE_ADD;
        y = tt_cl_piece_of(p, s->in[1]);
        tt_cl_put_map(t + MAP_Y, &y);
        l->bytes += tt_cl_view_bytes(p, &y);
        tt_cl_put_float(t + MAP_SCALE, s->node->scale);
        return true;
    case TT_OP_ACT:
        t[MAP_MODE] = MODE_ACT;
        t[MAP_ACT] = (int)s->node->act;
        tt_cl_put_float(t + MAP_SCALE, s->node->slope);
        return true;
    case TT_OP_CLAMP:
        t[MAP_MODE] = MODE_CLAMP;
        tt_cl_put_float(t + MAP_LO, s->node->lo);
        tt_cl_put_float(t + MAP_HI, s->node->hi);
        return true;
    case TT_OP_GATE:
        t[MAP_MODE] = MODE_GATE;
        y = tt_cl_piece_of(p, s->gate);
        tt_cl_put_map(t + MAP_Y, &y);
        return true;
    default: /* LEVELS, AFFINE */
        t[MAP_MODE] = MODE_AFFINE;
        t[MAP_GAIN] = layer->gain;
        t[MAP_SHIFT] = layer->shift;
        t[MAP_RELU] = s->relu;
        return true;
    }
}

static bool put_pieces(tt_cl_plan *p, int *t, const tt_piece *piece, int pieces)
{
    t[COPY_PIECES] = pieces;
    for (int i = 0; i < pieces; i++) {
        const tt_cl_view v = tt_cl_piece_of(p, piece[i]);
        tt_cl_put_map(t + COPY_PIECE + PIECE_INTS * i, &v);
        t[COPY_PIECE + PIECE_INTS * i + 3] = v.channels;
    }
    return true;
}

static double pieces_bytes(const tt_cl_plan *p, const tt_piece *piece, int pieces)
{
    double sum = 0;
    for (int i = 0; i < pieces; i++) {
        const tt_cl_view v = tt_cl_piece_of(p, piece[i]);
        sum += tt_cl_view_bytes(p, &v);
    }
    return sum;
}

bool tt_cl_copy_step(tt_cl_plan *p, int step)
{
    const tt_step *s = &p->net->net->step[step];
    tt_cl_launch *l;
    int *t = plain(p, s, TT_CL_copy, COPY_PIECE + PIECE_INTS * s->pieces, &l);
    if (!t)
        return false;
    l->bytes += pieces_bytes(p, s->in + 1, s->pieces - 1);
    return put_pieces(p, t, s->in, s->pieces);
}

bool tt_cl_move_step(tt_cl_plan *p, int step)
{
    const tt_step *s = &p->net->net->step[step];
    static const tt_cl_kernel kernels[TT_OPS] = {[TT_OP_NEAREST] = TT_CL_nearest,
                                                 [TT_OP_SHUFFLE] = TT_CL_shuffle_up,
                                                 [TT_OP_UNSHUFFLE] = TT_CL_shuffle_down,
                                                 [TT_OP_PAD] = TT_CL_reflect,
                                                 [TT_OP_POOL] = TT_CL_pool,
                                                 [TT_OP_BLUR] = TT_CL_blur};
    tt_cl_launch *l;
    int *t = plain(p, s, kernels[s->op], MOVE_INTS, &l);
    if (!t)
        return false;
    t[MOVE_R] = s->node->r;
    t[MOVE_CHANNELS] = s->node->channels;
    return true;
}

bool tt_cl_mean_step(tt_cl_plan *p, int step)
{
    const tt_step *s = &p->net->net->step[step];
    const tt_cl_view in = tt_cl_piece_of(p, s->in[0]), out = tt_cl_result_of(p, s);
    const tt_cl_view sums = {.at = tt_cl_temp_of(p, step, 0)->at};
    const int blocks = tt_cl_blocks(p->net->cl, in.channels);
    tt_cl_launch *l;
    int *t = tt_cl_launch_new(p, TT_CL_mean_rows, MEAN_INTS, 1, in.h, blocks, &l);
    if (!t)
        return false;
    tt_cl_put_map(t + OUT, &sums);
    tt_cl_put_map(t + X, &in);
    t[IN_H] = in.h;
    t[IN_W] = in.w;
    l->bytes += tt_cl_view_bytes(p, &in);
    l->group[0] = 1;
    l->group[1] = p->net->cl->cut.group_x;
    t = tt_cl_launch_new(p, TT_CL_mean_all, MEAN_INTS, 1, 1, blocks, &l);
    if (!t)
        return false;
    tt_cl_put_map(t + OUT, &out);
    tt_cl_put_map(t + X, &sums);
    t[IN_H] = in.h;
    l->bytes *= 1 + in.h; /* the sums */
    tt_cl_put_float(t + MEAN_COUNT, (float)((double)in.h * in.w));
    l->group[0] = l->group[1] = 1;
    return true;
}

static double plane_bytes(int planes, int h, int w)
{
    return (double)planes * h * w * sizeof(float);
}

/* A map of one vector, of nothing, where the arena begins. */
bool tt_cl_clear_mark(tt_cl_plan *p)
{
    tt_cl_launch *l;
    return !p->net->cl->half_maps || tt_cl_launch_new(p, TT_CL_copy, COPY_PIECE, 1, 1, 1, &l);
}

bool tt_cl_load_input(tt_cl_plan *p)
{
    const tt_graph *g = p->net->net->graph;
    const tt_cl_view v = tt_cl_whole_of(tt_cl_value_of(p, g->input), g->node[g->input].channels,
                                        p->shapes->extent[g->input]);
    tt_cl_launch *l;
    int *t = tt_cl_launch_new(p, TT_CL_load, LOAD_INTS, v.w, v.h, tt_cl_blocks(p->net->cl, v.channels), &l);
    if (!t)
        return false;
    l->bytes += plane_bytes(v.channels, v.h, v.w);
    tt_cl_put_map(t + OUT, &v);
    t[LOAD_CHANNELS] = v.channels;
    return true;
}

bool tt_cl_store_result(tt_cl_plan *p)
{
    const tt_net *net = p->net->net;
    const tt_plan_facts *f = &p->shapes->facts;
    tt_cl_launch *l;
    int *t = tt_cl_launch_new(p, TT_CL_store, COPY_PIECE + PIECE_INTS * net->result_pieces, f->out_w, f->out_h,
                              f->out_channels, &l);
    if (!t)
        return false;
    l->bytes = plane_bytes(f->out_channels, f->out_h, f->out_w) + pieces_bytes(p, net->result, net->result_pieces);
    return put_pieces(p, t, net->result, net->result_pieces);
}
