/* Launches of attention over all positions, and of the chains on tokens. */
#include "engine/cl/emit.h"

/* ---- attention over all positions ----------------------------------------------------------------------- */

enum { MOST_SCORES = 1 << 24 }; /* floats held at a time */

int tt_cl_attend_chunk(tt_extent e)
{
    const size_t n = (size_t)e.h * (size_t)e.w, most = MOST_SCORES / n;
    return (int)(most < 64 ? (n < 64 ? n : 64) : most < n ? most : n);
}

static int *attend_launch(tt_cl_plan *p, tt_cl_kernel kernel, int first, int chunk, int n, int cols, int rows, int blocks,
                          double flops, tt_cl_launch **out)
{
    tt_cl_launch *l;
    int *t = tt_cl_launch_new(p, kernel, ATTEND_INTS, cols, rows, blocks, &l);
    if (!t)
        return NULL;
    t[ATTEND_FIRST] = first;
    t[ATTEND_CHUNK] = chunk;
    t[ATTEND_POSITIONS] = n;
    l->flops = flops;
    l->bytes = (double)n * chunk * sizeof(float); /* the scores, once */
    l->group[1] = 1;
    *out = l;
    return t;
}

static bool attend_chunk_launches(tt_cl_plan *p, int step, int first, int chunk)
{
    enum { SIDE = 4 }; /* kernels/cl/attend.cl */
    const tt_step *s = &p->net->net->step[step];
    const tt_cl_cut *c = &p->net->cl->cut;
    const tt_cl_view q = tt_cl_piece_of(p, s->in[0]), k = tt_cl_piece_of(p, s->in[1]);
    const tt_cl_view v = tt_cl_piece_of(p, s->in[2]), out = tt_cl_result_of(p, s);
    const tt_cl_view held = {.at = tt_cl_temp_of(p, step, 0)->at};
    const int n = out.h * out.w, blocks = tt_cl_blocks(p->net->cl, v.channels);
    const double products = 2.0 * n * chunk;
    tt_cl_launch *l;
    int *t = attend_launch(p, TT_CL_scores, first, chunk, n, (chunk + SIDE - 1) / SIDE, (n + SIDE - 1) / SIDE, 1,
                           products * q.channels, &l);
    if (!t)
        return false;
    tt_cl_put_map(t + OUT, &held);
    tt_cl_put_map(t + X, &q);
    tt_cl_put_map(t + ATTEND_OTHER, &k);
    t[IN_W] = q.w;
    t[ATTEND_CHANNELS] = q.channels;
    l->bytes += tt_cl_view_bytes(p, &q) * chunk / n + tt_cl_view_bytes(p, &k);
    t = attend_launch(p, TT_CL_softmax, first, chunk, n, chunk, 1, 1, 10 * products, &l);
    if (!t)
        return false;
    tt_cl_put_map(t + OUT, &held);
    l->bytes *= 2;
    if (p->net->cl->products) {
        l->kernel = TT_CL_softmax_by_groups;
        l->group[0] = TT_CL_PRODUCT_ITEMS;
        l->cols = (chunk + TT_CL_SOFTMAX_COLUMNS - 1) / TT_CL_SOFTMAX_COLUMNS * TT_CL_PRODUCT_ITEMS;
        l->local = TT_CL_PRODUCT_ITEMS * 2 * (int)sizeof(float);
    }
    t = attend_launch(p, TT_CL_weigh, first, chunk, n, (chunk + c->pixels - 1) / c->pixels, blocks, 1,
                      products * v.channels, &l);
    if (!t)
        return false;
    tt_cl_put_map(t + OUT, &out);
    tt_cl_put_map(t + X, &held);
    tt_cl_put_map(t + ATTEND_OTHER, &v);
    t[IN_W] = v.w;
    t[BLOCKS] = blocks;
    l->bytes += tt_cl_view_bytes(p, &v) + tt_cl_view_bytes(p, &out) * chunk / n;
    l->group[0] = c->beside;
    if (p->net->cl->products) {
        l->blocks = blocks;
        tt_cl_by_products(p->net->cl, l, chunk, TT_CL_weigh_large, TT_CL_weigh_small);
    }
    return true;
}

bool tt_cl_attend_step(tt_cl_plan *p, int step)
{
    const tt_extent e = tt_cl_extent_of(p, p->net->net->step[step].node);
    const int n = e.h * e.w, chunk = tt_cl_attend_chunk(e);
    for (int first = 0; first < n; first += chunk)
        if (!attend_chunk_launches(p, step, first, n - first < chunk ? n - first : chunk))
            return false;
    return true;
}

/* ---- chains on tokens ----------------------------------------------------------------------------------- */

bool tt_cl_in_place_stage(const tt_step *s, int i)
{
    return s->stage[i].node->op == TT_OP_ACT && i && s->stage[i - 1].node->op == TT_OP_LINEAR;
}

static bool norm_stage(tt_cl_plan *p, const tt_node *n, const tt_cl_layer *layer, const tt_cl_view *in,
                       const tt_cl_view *out)
{
    tt_cl_launch *l;
    int *t = tt_cl_launch_new(p, TT_CL_layer_norm, NORM_INTS, out->w, out->h, tt_cl_blocks(p->net->cl, out->channels), &l);
    if (!t)
        return false;
    tt_cl_put_map(t + OUT, out);
    tt_cl_put_map(t + X, in);
    t[NORM_CHANNELS] = out->channels;
    t[NORM_GAIN] = layer->gain;
    t[NORM_SHIFT] = layer->shift;
    tt_cl_put_float(t + NORM_EPS, n->eps);
    l->blocks = 1; /* an item works all blocks */
    l->bytes += tt_cl_view_bytes(p, in);
    l->flops = 7.0 * out->channels * out->h * out->w;
    return true;
}

/* A group has one head of one window, where it is small enough for that. */
static void by_windows(const tt_cl *cl, const tt_node *n, const tt_cl_view *out, tt_cl_launch *l)
{
    const int depth = n->channels / n->heads, before = n->shift ? n->window - n->shift : 0;
    if (!cl->products || n->window > TT_CL_WINDOW_MOST || depth > 32)
        return;
    l->kernel = depth > 16 ? TT_CL_window_32 : TT_CL_window_16;
    l->cols = (out->w + before + n->window - 1) / n->window * TT_CL_WINDOW_ITEMS;
    l->rows = (out->h + before + n->window - 1) / n->window;
    l->group[0] = TT_CL_WINDOW_ITEMS;
    l->group[1] = 1;
    l->local = TT_CL_WINDOW_LOCAL;
}

static bool window_stage(tt_cl_plan *p, const tt_node *n, const tt_cl_layer *layer, const tt_cl_view *in,
                         const tt_cl_view *out)
{
    tt_cl_launch *l;
    int *t = tt_cl_launch_new(p, TT_CL_window_attention, WINDOW_INTS, out->w, out->h,
                              tt_cl_blocks(p->net->cl, out->channels), &l);
    if (!t)
        return false;
    tt_cl_put_map(t + OUT, out);
    tt_cl_put_map(t + X, in);
    t[WINDOW_SIZE] = n->window;
    t[WINDOW_SHIFT] = n->shift;
    t[WINDOW_HEADS] = n->heads;
    t[WINDOW_DEPTH] = n->channels / n->heads;
    t[WINDOW_TABLE] = layer->table;
    l->blocks = n->heads;
    l->bytes += tt_cl_view_bytes(p, in);
    l->flops = 4.0 * n->window * n->window * n->channels * out->h * out->w;
    by_windows(p->net->cl, n, out, l);
    return true;
}

static bool act_stage(tt_cl_plan *p, const tt_node *n, const tt_cl_view *in, const tt_cl_view *out)
{
    tt_cl_launch *l;
    int *t = tt_cl_launch_new(p, TT_CL_map, MAP_INTS, out->w, out->h, tt_cl_blocks(p->net->cl, out->channels), &l);
    if (!t)
        return false;
    l->bytes += tt_cl_view_bytes(p, in);
    tt_cl_put_map(t + OUT, out);
    tt_cl_put_map(t + X, in);
    t[MAP_MODE] = MODE_ACT;
    t[MAP_ACT] = (int)n->act;
    return true;
}

static bool add_stage(tt_cl_plan *p, const tt_cl_view *in, const tt_cl_view *add, const tt_cl_view *out)
{
    tt_cl_launch *l;
    int *t = tt_cl_launch_new(p, TT_CL_map, MAP_INTS, out->w, out->h, tt_cl_blocks(p->net->cl, out->channels), &l);
    if (!t)
        return false;
    l->bytes += tt_cl_view_bytes(p, in) + tt_cl_view_bytes(p, add);
    tt_cl_put_map(t + OUT, out);
    tt_cl_put_map(t + X, add);
    tt_cl_put_map(t + MAP_Y, in);
    t[MAP_MODE] = MODE_ADD;
    tt_cl_put_float(t + MAP_SCALE, 1);
    return true;
}

/* Layer after layer to and fro between two buffers, the last into the result. */
bool tt_cl_chain_step(tt_cl_plan *p, int step)
{
    const tt_step *s = &p->net->net->step[step];
    const tt_cl_step *there = &p->net->step[step];
    const tt_extent e = tt_cl_extent_of(p, s->node);
    tt_cl_view in = tt_cl_piece_of(p, s->in[0]);
    bool good = true, added = false;
    for (int i = 0, now = 0; i < s->stages && good; i++) {
        const tt_node *n = s->stage[i].node;
        const bool gelu = i + 1 < s->stages && tt_cl_in_place_stage(s, i + 1), last = i + 1 + gelu == s->stages;
        const bool own_add = last && s->adds && (n->op != TT_OP_LINEAR || gelu); /* no convolution to add in */
        tt_cl_view out = last && !own_add ? tt_cl_result_of(p, s)
                                          : tt_cl_whole_of(tt_cl_temp_of(p, step, now), n->channels, e);
        if (n->op == TT_OP_LINEAR) {
            const tt_cl_conv c = {.layer = &there->stage[i], .in = &in, .pieces = 1, .out = out, .side = 1, .stride = 1,
                                  .act = gelu ? TT_ACT_GELU : TT_ACT_NONE, .fused = last && !own_add ? s : NULL};
            good = tt_cl_emit_conv(p, &c);
            added = last && !own_add;
        } else if (n->op == TT_OP_NORM) {
            good = norm_stage(p, n, &there->stage[i], &in, &out);
        } else if (n->op == TT_OP_ATTENTION) {
            good = window_stage(p, n, &there->stage[i], &in, &out);
        } else {
            good = act_stage(p, n, &in, &out);
        }
        in = out;
        i += gelu;
        now = !now;
    }
    if (good && s->adds && !added) {
        const tt_cl_view add = tt_cl_piece_of(p, s->add[0]), out = tt_cl_result_of(p, s);
        good = add_stage(p, &in, &add, &out);
    }
    return good;
}
