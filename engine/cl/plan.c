/*
 * From the steps to launches. Values are whole maps, channels in blocks of the device's lanes:
 *     [block][row][pixel][lane]
 * in one arena, in which those that are not alive at a time share places. What a step needs beside its result (a map
 * before its pixel shuffle, the layers of a chain on tokens, scores) is a region that lives for the step.
 */
#include "engine/cl/plan.h"

#include "engine/alloc.h"
#include "kernels/cl/params.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SCORES = 1 << 24 }; /* floats of attention over all positions at a time */

/* ---- regions ------------------------------------------------------------------------------------------- */

static tt_extent extent_of(const tt_cl_plan *p, const tt_node *n)
{
    return p->shapes->extent[n - p->net->net->graph->node];
}

static tt_cl_region *value_of(const tt_cl_plan *p, int node)
{
    return &p->region[node];
}
static tt_cl_region *temp_of(const tt_cl_plan *p, int step, int i)
{
    return &p->region[p->net->net->graph->count + step * TT_CL_TEMPS + i];
}
/* channels x h x w as a map; SIZE_MAX: too many to count. */
static size_t map_vectors(const tt_cl_plan *p, int channels, tt_extent e)
{
    size_t n;
    if (!tt_mul((size_t)e.h, (size_t)e.w, &n) || !tt_mul(n, (size_t)tt_cl_blocks(p->net->cl, channels), &n))
        return SIZE_MAX;
    return n;
}

static size_t float_vectors(const tt_cl_plan *p, size_t floats)
{
    const size_t lanes = (size_t)p->net->cl->cut.lanes;
    return floats == SIZE_MAX ? floats : (floats + lanes - 1) / lanes;
}

/* Positions of attention whose scores are held at a time. */
static int attend_chunk(tt_extent e)
{
    const size_t n = (size_t)e.h * (size_t)e.w, most = MOST_SCORES / n;
    return (int)(most < 64 ? (n < 64 ? n : 64) : most < n ? most : n);
}

/* Which of two buffers a stage of a chain writes to; the last writes the result. A GELU is part of its linear layer. */
static bool in_place_stage(const tt_step *s, int i)
{
    return s->stage[i].node->op == TT_OP_ACT && i && s->stage[i - 1].node->op == TT_OP_LINEAR;
}

static void want_temps(tt_cl_plan *p, int step)
{
    const tt_step *s = &p->net->net->step[step];
    const tt_extent e = extent_of(p, s->node);
    size_t want[TT_CL_TEMPS] = {0};
    if (s->stages) {
        for (int i = 0, now = 0; i < s->stages; i++) {
            if (in_place_stage(s, i))
                continue;
            const size_t n = map_vectors(p, s->stage[i].node->channels, e);
            want[now] = n > want[now] ? n : want[now];
            now = !now;
        }
    } else if (s->shuffle) {
        want[0] = map_vectors(p, s->node->channels, e);
    } else if (s->op == TT_OP_MEAN) {
        const tt_extent from = p->shapes->extent[s->node->in[0]];
        want[0] = map_vectors(p, s->in[0].channels, (tt_extent){from.h, 1});
    } else if (s->op == TT_OP_ATTEND) {
        size_t floats;
        tt_mul((size_t)e.h * (size_t)e.w, (size_t)attend_chunk(e), &floats);
        want[0] = float_vectors(p, floats);
    }
    for (int i = 0; i < TT_CL_TEMPS; i++)
        *temp_of(p, step, i) = (tt_cl_region){.vectors = want[i], .first = step + 1, .last = step + 1};
}

static void read_at(tt_cl_plan *p, tt_piece piece, int task)
{
    tt_cl_region *r = value_of(p, piece.value);
    r->last = task > r->last ? task : r->last;
}

static void want_regions(tt_cl_plan *p)
{
    const tt_net *net = p->net->net;
    const tt_graph *g = net->graph;
    *value_of(p, g->input) = (tt_cl_region){
        .vectors = map_vectors(p, g->node[g->input].channels, p->shapes->extent[g->input])};
    for (int i = 0; i < net->steps; i++) {
        const tt_step *s = &net->step[i];
        *value_of(p, s->out) = (tt_cl_region){
            .vectors = map_vectors(p, g->node[s->out].channels, p->shapes->extent[s->out]), .first = i + 1, .last = i + 1};
        want_temps(p, i);
        for (int j = 0; j < s->pieces; j++)
            read_at(p, s->in[j], i + 1);
        for (int j = 0; j < s->adds; j++)
            read_at(p, s->add[j], i + 1);
        if (s->op == TT_OP_GATE)
            read_at(p, s->gate, i + 1);
    }
    for (int i = 0; i < net->result_pieces; i++)
        read_at(p, net->result[i], net->steps + 1);
}

static int larger_first(const void *a, const void *b)
{
    const tt_cl_region *x = *(tt_cl_region *const *)a, *y = *(tt_cl_region *const *)b;
    if (x->vectors != y->vectors)
        return x->vectors < y->vectors ? 1 : -1;
    return (x > y) - (x < y);
}

static int by_place(const void *a, const void *b)
{
    const tt_cl_region *x = *(tt_cl_region *const *)a, *y = *(tt_cl_region *const *)b;
    return (x->at > y->at) - (x->at < y->at);
}

/* As the CPU's plan does: the largest first, each into the smallest gap among those alive with it. */
static size_t find_gap(tt_cl_region *const *placed, int count, const tt_cl_region *r, tt_cl_region **near)
{
    int n = 0;
    for (int i = 0; i < count; i++)
        if (placed[i]->first <= r->last && r->first <= placed[i]->last)
            near[n++] = placed[i];
    qsort(near, (size_t)n, sizeof *near, by_place);
    size_t end = 0, best = SIZE_MAX, best_size = SIZE_MAX;
    for (int i = 0; i < n; i++) {
        const size_t at = (size_t)near[i]->at;
        if (at > end && at - end >= r->vectors && at - end < best_size) {
            best = end;
            best_size = at - end;
        }
        end = at + near[i]->vectors > end ? at + near[i]->vectors : end;
    }
    return best != SIZE_MAX ? best : end;
}

static tt_status too_large(const tt_cl_plan *p, tt_error *err)
{
    return tt_fail(err, TT_ERR_MEMORY, "%s: a picture of %d x %d pixels is too large for the device",
                   p->net->cl->info.name, p->shapes->facts.in_w, p->shapes->facts.in_h);
}

static tt_status place_regions(tt_cl_plan *p, tt_error *err)
{
    const int room = p->regions;
    tt_cl_region **list = malloc(2 * (size_t)room * sizeof *list);
    if (!list)
        return tt_fail_memory(err, 2 * (size_t)room * sizeof *list);
    int n = 0;
    for (int i = 0; i < room; i++)
        if (p->region[i].vectors)
            list[n++] = &p->region[i];
    qsort(list, (size_t)n, sizeof *list, larger_first);
    tt_status st = TT_OK;
    for (int i = 0; i < n && !st; i++) {
        if (list[i]->vectors > INT_MAX) {
            st = too_large(p, err);
            break;
        }
        const size_t at = find_gap(list, i, list[i], list + room), end = at + list[i]->vectors;
        if (end > INT_MAX) /* kernels count in ints */
            st = too_large(p, err);
        list[i]->at = (int)at;
        p->vectors = end > p->vectors ? end : p->vectors;
    }
    free(list);
    return st;
}

/* ---- launches ------------------------------------------------------------------------------------------ */

/* A map in the arena, and what of it is read. */
typedef struct view {
    int at, row, plane, h, w, channels;
} view;

static view whole_of(const tt_cl_region *r, int channels, tt_extent e)
{
    return (view){r->at, e.w, e.h * e.w, e.h, e.w, channels};
}

static view piece_of(const tt_cl_plan *p, tt_piece piece)
{
    const tt_extent e = p->shapes->extent[piece.value];
    view v = whole_of(value_of(p, piece.value), piece.channels, e);
    v.at += piece.crop * v.row + piece.crop;
    v.h -= 2 * piece.crop;
    v.w -= 2 * piece.crop;
    return v;
}

static view result_of(const tt_cl_plan *p, const tt_step *s)
{
    return whole_of(value_of(p, s->out), p->net->net->graph->node[s->out].channels, p->shapes->extent[s->out]);
}

/* `count` more numbers in the table, zeros; NULL without memory. Good until the next call. */
static int *more_numbers(tt_cl_plan *p, int count)
{
    if (p->table_room - p->numbers < count) {
        const int room = 2 * (p->table_room + count) + 1024;
        int *t = realloc(p->table, (size_t)room * sizeof *t);
        if (!t)
            return NULL;
        p->table = t;
        p->table_room = room;
    }
    int *t = p->table + p->numbers;
    memset(t, 0, (size_t)count * sizeof *t);
    p->numbers += count;
    return t;
}

static void put_float(int *to, float f)
{
    memcpy(to, &f, sizeof f);
}

static void put_map(int *to, const view *v)
{
    to[0] = v->at;
    to[1] = v->row;
    to[2] = v->plane;
}

/* A launch whose result is cols x rows x blocks; its numbers up to OWN are set but for OUT and X. */
static int *new_launch(tt_cl_plan *p, tt_cl_kernel kernel, int numbers, int cols, int rows, int blocks, tt_cl_launch **out)
{
    const tt_cl_cut *c = &p->net->cl->cut;
    if (p->launches == p->launch_room) {
        const int room = p->launch_room ? 2 * p->launch_room : 64;
        tt_cl_launch *more = realloc(p->launch, (size_t)room * sizeof *more);
        if (!more)
            return NULL;
        p->launch = more;
        p->launch_room = room;
    }
    int *t = more_numbers(p, numbers);
    if (!t)
        return NULL;
    t[ROWS] = rows;
    t[COLS] = cols;
    t[BLOCKS] = blocks;
    tt_cl_launch *l = &p->launch[p->launches++];
    *l = (tt_cl_launch){.kernel = kernel,
                        .at = (int)(t - p->table),
                        .cols = cols,
                        .rows = rows,
                        .blocks = blocks,
                        .rows_an_item = 1,
                        .group = {c->group_x, c->group_y, 1}};
    l->bytes = 2.0 * cols * rows * blocks * c->lanes * sizeof(float);
    if (out)
        *out = l;
    return t;
}

/* ---- convolutions -------------------------------------------------------------------------------------- */

typedef struct conv {
    const tt_cl_layer *layer;
    const view *in;
    int pieces;
    view out;      /* all of it */
    int side;      /* classes side by side: 1, or the stride of a transposed one */
    int stride;
    bool replicate;
    tt_act act;
    const tt_step *fused; /* adds, clamp, norm, ReLU of the step; NULL: none */
} conv;

static int patch_vectors(const tt_cl_cut *c, const tt_cl_taps *t, int stride)
{
    return ((c->tile_x - 1) * stride + t->kw) * ((c->tile_y * c->pixels - 1) * stride + t->kh);
}

/* Which kernel, and over what. */
static void choose_conv(const tt_cl_plan *p, const tt_cl_taps *t, int stride, tt_cl_launch *l)
{
    const tt_cl *cl = p->net->cl;
    const tt_cl_cut *c = &cl->cut;
    const int blocks = l->blocks, most_local = cl->info.local < (32 << 10) ? (int)cl->info.local : 32 << 10;
    const int patch = c->tile_x ? patch_vectors(c, t, stride) * c->lanes * (int)sizeof(float) : 0;
    const bool one = blocks == 1 || c->outputs == 1, three = t->kh == 3 && t->kw == 3 && stride == 1;
    l->blocks = one ? blocks : (blocks + c->outputs - 1) / c->outputs;
    if (c->tile_x && t->kh * t->kw > 1 && patch <= most_local) {
        l->kernel = three ? (one ? TT_CL_conv3_tiled_one : TT_CL_conv3_tiled) : one ? TT_CL_conv_tiled_one : TT_CL_conv_tiled;
        l->group[0] = c->tile_x;
        l->group[1] = c->tile_y;
        l->rows_an_item = c->pixels;
        l->rows = (l->rows + c->pixels - 1) / c->pixels;
        l->local = patch;
        return;
    }
    const bool single = t->kh == 1 && t->kw == 1 && stride == 1;
    l->kernel = three ? (one ? TT_CL_conv3_one : TT_CL_conv3)
                      : single ? (one ? TT_CL_conv1_one : TT_CL_conv1) : one ? TT_CL_conv_one : TT_CL_conv;
    l->group[0] = c->beside;
    l->group[1] = 1;
    l->cols = (l->cols + c->pixels - 1) / c->pixels; /* a group makes beside * pixels columns */
}

static void put_fused(const tt_cl_plan *p, const conv *c, int *t)
{
    const tt_step *s = c->fused;
    for (int i = 0; i < s->adds; i++) {
        const view add = piece_of(p, s->add[i]);
        put_map(t + CONV_ADD + 4 * i, &add);
        put_float(t + CONV_ADD + 4 * i + 3, s->stages ? 1 : s->scale[i]);
    }
    t[CONV_ADDS] = s->adds;
    t[CONV_CLAMP] = s->clamp;
    put_float(t + CONV_LO, s->lo);
    put_float(t + CONV_HI, s->hi);
    if (s->norm && !s->stages) {
        t[CONV_AFFINE] = 1;
        t[CONV_GAIN] = c->layer->gain;
        t[CONV_SHIFT] = c->layer->shift;
    }
    t[CONV_THEN_RELU] = s->relu;
}

static bool emit_class(tt_cl_plan *p, const conv *c, int ry, int rx)
{
    const tt_cl_taps *taps = &c->layer->taps[ry * c->side + rx];
    const int rows = (c->out.h - ry + c->side - 1) / c->side, cols = (c->out.w - rx + c->side - 1) / c->side;
    tt_cl_launch *l;
    if (rows <= 0 || cols <= 0)
        return true;
    int *t = new_launch(p, TT_CL_conv, CONV_PIECE + PIECE_INTS * c->pieces, cols, rows,
                        tt_cl_blocks(p->net->cl, c->out.channels), &l);
    if (!t)
        return false;
    put_map(t + OUT, &c->out);
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
    t[CONV_WEIGHTS] = taps->at;
    t[CONV_WEIGHTS_STEP] = taps->step;
    t[CONV_BIAS] = c->layer->bias;
    t[CONV_ACT] = (int)c->act;
    t[CONV_SLOPES] = c->layer->slopes;
    if (c->fused)
        put_fused(p, c, t);
    t[CONV_PIECES] = c->pieces;
    int channels = 0;
    for (int i = 0; i < c->pieces; i++) {
        put_map(t + CONV_PIECE + PIECE_INTS * i, &c->in[i]);
        t[CONV_PIECE + PIECE_INTS * i + 3] = c->in[i].channels;
        channels += c->in[i].channels;
    }
    l->flops = 2.0 * taps->kh * taps->kw * channels * c->out.channels * rows * cols;
    l->bytes = sizeof(float) * ((double)channels * rows * cols + (double)c->out.channels * rows * cols);
    choose_conv(p, taps, c->stride, l);
    return true;
}

static bool emit_conv(tt_cl_plan *p, const conv *c)
{
    for (int i = 0; i < c->side * c->side; i++)
        if (!emit_class(p, c, i / c->side, i % c->side))
            return false;
    return true;
}

static bool emit_shuffle(tt_cl_plan *p, const view *in, const view *out, int r, const view *add)
{
    int *t = new_launch(p, TT_CL_shuffle_up, MOVE_INTS, out->w, out->h, tt_cl_blocks(p->net->cl, out->channels), NULL);
    if (!t)
        return false;
    put_map(t + OUT, out);
    put_map(t + X, in);
    t[MOVE_R] = r;
    t[MOVE_CHANNELS] = out->channels;
    t[MOVE_ADDS] = add != NULL;
    if (add)
        put_map(t + MOVE_ADD, add);
    return true;
}

static bool conv_step(tt_cl_plan *p, int step)
{
    const tt_step *s = &p->net->net->step[step];
    const tt_node *n = s->node;
    view *in = malloc((size_t)s->pieces * sizeof *in);
    if (!in)
        return false;
    for (int i = 0; i < s->pieces; i++)
        in[i] = piece_of(p, s->in[i]);
    conv c = {.layer = &p->net->step[step].own,
              .in = in,
              .pieces = s->pieces,
              .out = s->shuffle ? whole_of(temp_of(p, step, 0), n->channels, extent_of(p, n)) : result_of(p, s),
              .side = n->op == TT_OP_DECONV ? n->stride : 1,
              .stride = n->op == TT_OP_DECONV ? 1 : n->stride,
              .replicate = n->replicate,
              .act = n->act,
              .fused = s->shuffle ? NULL : s};
    bool good = emit_conv(p, &c);
    if (good && s->shuffle) {
        const view out = result_of(p, s), add = s->adds ? piece_of(p, s->add[0]) : (view){0};
        good = emit_shuffle(p, &c.out, &out, s->shuffle, s->adds ? &add : NULL);
    }
    free(in);
    return good;
}

/* ---- value by value ------------------------------------------------------------------------------------ */

/* A launch from the step's first input to its result. */
static int *plain(tt_cl_plan *p, const tt_step *s, tt_cl_kernel kernel, int numbers)
{
    const view in = piece_of(p, s->in[0]), out = result_of(p, s);
    int *t = new_launch(p, kernel, numbers, out.w, out.h, tt_cl_blocks(p->net->cl, out.channels), NULL);
    if (!t)
        return NULL;
    put_map(t + OUT, &out);
    put_map(t + X, &in);
    t[IN_H] = in.h;
    t[IN_W] = in.w;
    return t;
}

static bool map_step(tt_cl_plan *p, int step)
{
    const tt_step *s = &p->net->net->step[step];
    const tt_cl_layer *layer = &p->net->step[step].own;
    int *t = plain(p, s, TT_CL_map, MAP_INTS);
    if (!t)
        return false;
    view y;
    switch (s->op) {
    case TT_OP_ADD:
        t[MAP_MODE] = MODE_ADD;
        y = piece_of(p, s->in[1]);
        put_map(t + MAP_Y, &y);
        put_float(t + MAP_SCALE, s->node->scale);
        return true;
    case TT_OP_ACT:
        t[MAP_MODE] = MODE_ACT;
        t[MAP_ACT] = (int)s->node->act;
        put_float(t + MAP_SCALE, s->node->slope);
        return true;
    case TT_OP_CLAMP:
        t[MAP_MODE] = MODE_CLAMP;
        put_float(t + MAP_LO, s->node->lo);
        put_float(t + MAP_HI, s->node->hi);
        return true;
    case TT_OP_GATE:
        t[MAP_MODE] = MODE_GATE;
        y = piece_of(p, s->gate);
        put_map(t + MAP_Y, &y);
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
        const view v = piece_of(p, piece[i]);
        put_map(t + COPY_PIECE + PIECE_INTS * i, &v);
        t[COPY_PIECE + PIECE_INTS * i + 3] = v.channels;
    }
    return true;
}

static bool copy_step(tt_cl_plan *p, int step)
{
    const tt_step *s = &p->net->net->step[step];
    int *t = plain(p, s, TT_CL_copy, COPY_PIECE + PIECE_INTS * s->pieces);
    return t && put_pieces(p, t, s->in, s->pieces);
}

static bool move_step(tt_cl_plan *p, int step)
{
    const tt_step *s = &p->net->net->step[step];
    static const tt_cl_kernel kernels[TT_OPS] = {[TT_OP_NEAREST] = TT_CL_nearest,
                                                 [TT_OP_SHUFFLE] = TT_CL_shuffle_up,
                                                 [TT_OP_UNSHUFFLE] = TT_CL_shuffle_down,
                                                 [TT_OP_PAD] = TT_CL_reflect,
                                                 [TT_OP_POOL] = TT_CL_pool,
                                                 [TT_OP_BLUR] = TT_CL_blur};
    int *t = plain(p, s, kernels[s->op], MOVE_INTS);
    if (!t)
        return false;
    t[MOVE_R] = s->node->r;
    t[MOVE_CHANNELS] = s->node->channels;
    return true;
}

static bool mean_step(tt_cl_plan *p, int step)
{
    const tt_step *s = &p->net->net->step[step];
    const view in = piece_of(p, s->in[0]), out = result_of(p, s);
    const view sums = {.at = temp_of(p, step, 0)->at};
    const int blocks = tt_cl_blocks(p->net->cl, in.channels);
    tt_cl_launch *l;
    int *t = new_launch(p, TT_CL_mean_rows, MEAN_INTS, 1, in.h, blocks, &l);
    if (!t)
        return false;
    put_map(t + OUT, &sums);
    put_map(t + X, &in);
    t[IN_H] = in.h;
    t[IN_W] = in.w;
    l->bytes *= in.w;
    l->group[0] = 1;
    l->group[1] = p->net->cl->cut.group_x;
    t = new_launch(p, TT_CL_mean_all, MEAN_INTS, 1, 1, blocks, &l);
    if (!t)
        return false;
    put_map(t + OUT, &out);
    put_map(t + X, &sums);
    t[IN_H] = in.h;
    put_float(t + MEAN_COUNT, (float)((double)in.h * in.w));
    l->group[0] = l->group[1] = 1;
    return true;
}

/* ---- attention over all positions ----------------------------------------------------------------------- */

static int *attend_launch(tt_cl_plan *p, tt_cl_kernel kernel, int first, int chunk, int n, int cols, int rows, int blocks,
                          double flops, tt_cl_launch **out)
{
    tt_cl_launch *l;
    int *t = new_launch(p, kernel, ATTEND_INTS, cols, rows, blocks, &l);
    if (!t)
        return NULL;
    t[BLOCKS] = blocks;
    t[ATTEND_FIRST] = first;
    t[ATTEND_CHUNK] = chunk;
    t[ATTEND_POSITIONS] = n;
    l->flops = flops;
    l->bytes = (double)n * chunk * sizeof(float);
    l->group[1] = 1;
    *out = l;
    return t;
}

static bool attend_chunk_launches(tt_cl_plan *p, int step, int first, int chunk)
{
    enum { SIDE = 4 }; /* kernels/cl/attend.cl */
    const tt_step *s = &p->net->net->step[step];
    const tt_cl_cut *c = &p->net->cl->cut;
    const view q = piece_of(p, s->in[0]), k = piece_of(p, s->in[1]), v = piece_of(p, s->in[2]), out = result_of(p, s);
    const view held = {.at = temp_of(p, step, 0)->at};
    const int n = out.h * out.w, blocks = tt_cl_blocks(p->net->cl, v.channels);
    const double products = 2.0 * n * chunk;
    tt_cl_launch *l;
    int *t = attend_launch(p, TT_CL_scores, first, chunk, n, (chunk + SIDE - 1) / SIDE, (n + SIDE - 1) / SIDE, 1,
                           products * q.channels, &l);
    if (!t)
        return false;
    put_map(t + OUT, &held);
    put_map(t + X, &q);
    put_map(t + ATTEND_OTHER, &k);
    t[IN_W] = q.w;
    t[ATTEND_CHANNELS] = q.channels;
    t = attend_launch(p, TT_CL_softmax, first, chunk, n, chunk, 1, 1, 10 * products, &l);
    if (!t)
        return false;
    put_map(t + OUT, &held);
    t = attend_launch(p, TT_CL_weigh, first, chunk, n, (chunk + c->pixels - 1) / c->pixels, blocks, 1,
                      products * v.channels, &l);
    if (!t)
        return false;
    put_map(t + OUT, &out);
    put_map(t + X, &held);
    put_map(t + ATTEND_OTHER, &v);
    t[IN_W] = v.w;
    t[BLOCKS] = blocks;
    l->group[0] = c->beside;
    return true;
}

static bool attend_step(tt_cl_plan *p, int step)
{
    const tt_extent e = extent_of(p, p->net->net->step[step].node);
    const int n = e.h * e.w, chunk = attend_chunk(e);
    for (int first = 0; first < n; first += chunk)
        if (!attend_chunk_launches(p, step, first, n - first < chunk ? n - first : chunk))
            return false;
    return true;
}

/* ---- chains on tokens ----------------------------------------------------------------------------------- */

static bool norm_stage(tt_cl_plan *p, const tt_node *n, const tt_cl_layer *layer, const view *in, const view *out)
{
    tt_cl_launch *l;
    int *t = new_launch(p, TT_CL_layer_norm, NORM_INTS, out->w, out->h, tt_cl_blocks(p->net->cl, out->channels), &l);
    if (!t)
        return false;
    put_map(t + OUT, out);
    put_map(t + X, in);
    t[NORM_CHANNELS] = out->channels;
    t[NORM_GAIN] = layer->gain;
    t[NORM_SHIFT] = layer->shift;
    put_float(t + NORM_EPS, n->eps);
    l->blocks = 1; /* an item works all blocks */
    l->flops = 7.0 * out->channels * out->h * out->w;
    return true;
}

static bool window_stage(tt_cl_plan *p, const tt_node *n, const tt_cl_layer *layer, const view *in, const view *out)
{
    tt_cl_launch *l;
    int *t = new_launch(p, TT_CL_window_attention, WINDOW_INTS, out->w, out->h, tt_cl_blocks(p->net->cl, out->channels), &l);
    if (!t)
        return false;
    put_map(t + OUT, out);
    put_map(t + X, in);
    t[WINDOW_SIZE] = n->window;
    t[WINDOW_SHIFT] = n->shift;
    t[WINDOW_HEADS] = n->heads;
    t[WINDOW_DEPTH] = n->channels / n->heads;
    t[WINDOW_TABLE] = layer->table;
    l->blocks = n->heads;
    l->flops = 4.0 * n->window * n->window * n->channels * out->h * out->w;
    return true;
}

static bool act_stage(tt_cl_plan *p, const tt_node *n, const view *in, const view *out)
{
    int *t = new_launch(p, TT_CL_map, MAP_INTS, out->w, out->h, tt_cl_blocks(p->net->cl, out->channels), NULL);
    if (!t)
        return false;
    put_map(t + OUT, out);
    put_map(t + X, in);
    t[MAP_MODE] = MODE_ACT;
    t[MAP_ACT] = (int)n->act;
    return true;
}

static bool add_stage(tt_cl_plan *p, const view *in, const view *add, const view *out)
{
    int *t = new_launch(p, TT_CL_map, MAP_INTS, out->w, out->h, tt_cl_blocks(p->net->cl, out->channels), NULL);
    if (!t)
        return false;
    put_map(t + OUT, out);
    put_map(t + X, add);
    put_map(t + MAP_Y, in);
    t[MAP_MODE] = MODE_ADD;
    put_float(t + MAP_SCALE, 1);
    return true;
}

/* Layer after layer to and fro between two buffers, the last into the result. */
static bool chain_step(tt_cl_plan *p, int step)
{
    const tt_step *s = &p->net->net->step[step];
    const tt_cl_step *there = &p->net->step[step];
    const tt_extent e = extent_of(p, s->node);
    view in = piece_of(p, s->in[0]);
    bool good = true, added = false;
    for (int i = 0, now = 0; i < s->stages && good; i++) {
        const tt_node *n = s->stage[i].node;
        const bool gelu = i + 1 < s->stages && in_place_stage(s, i + 1), last = i + 1 + gelu == s->stages;
        const bool own_add = last && s->adds && (n->op != TT_OP_LINEAR || gelu); /* no convolution to add in */
        view out = last && !own_add ? result_of(p, s) : whole_of(temp_of(p, step, now), n->channels, e);
        if (n->op == TT_OP_LINEAR) {
            const conv c = {.layer = &there->stage[i], .in = &in, .pieces = 1, .out = out, .side = 1, .stride = 1,
                            .act = gelu ? TT_ACT_GELU : TT_ACT_NONE, .fused = last && !own_add ? s : NULL};
            good = emit_conv(p, &c);
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
        const view add = piece_of(p, s->add[0]), out = result_of(p, s);
        good = add_stage(p, &in, &add, &out);
    }
    return good;
}

/* ---- all of them --------------------------------------------------------------------------------------- */

static bool emit_step(tt_cl_plan *p, int step, bool *known)
{
    const tt_step *s = &p->net->net->step[step];
    *known = true;
    if (s->stages)
        return chain_step(p, step);
    switch (s->op) {
    case TT_OP_CONV:
    case TT_OP_DECONV:
        return conv_step(p, step);
    case TT_OP_CONCAT:
    case TT_OP_CROP:
    case TT_OP_FIT:
        return copy_step(p, step);
    case TT_OP_ADD:
    case TT_OP_ACT:
    case TT_OP_CLAMP:
    case TT_OP_GATE:
    case TT_OP_LEVELS:
    case TT_OP_AFFINE:
        return map_step(p, step);
    case TT_OP_NEAREST:
    case TT_OP_SHUFFLE:
    case TT_OP_UNSHUFFLE:
    case TT_OP_PAD:
    case TT_OP_POOL:
    case TT_OP_BLUR:
        return move_step(p, step);
    case TT_OP_MEAN:
        return mean_step(p, step);
    case TT_OP_ATTEND:
        return attend_step(p, step);
    default:
        *known = false;
        return false;
    }
}

static bool emit_in(tt_cl_plan *p)
{
    const tt_graph *g = p->net->net->graph;
    const view v = whole_of(value_of(p, g->input), g->node[g->input].channels, p->shapes->extent[g->input]);
    int *t = new_launch(p, TT_CL_load, LOAD_INTS, v.w, v.h, tt_cl_blocks(p->net->cl, v.channels), NULL);
    if (!t)
        return false;
    put_map(t + OUT, &v);
    t[LOAD_CHANNELS] = v.channels;
    return true;
}

static bool emit_out(tt_cl_plan *p)
{
    const tt_net *net = p->net->net;
    const tt_plan_facts *f = &p->shapes->facts;
    int *t = new_launch(p, TT_CL_store, COPY_PIECE + PIECE_INTS * net->result_pieces, f->out_w, f->out_h, f->out_channels,
                        NULL);
    if (!t)
        return false;
    return put_pieces(p, t, net->result, net->result_pieces);
}

static tt_status emit(tt_cl_plan *p, tt_error *err)
{
    bool known = true, good = emit_in(p);
    for (int i = 0; i < p->net->net->steps && good; i++) {
        good = emit_step(p, i, &known);
        if (!known)
            return tt_fail(err, TT_ERR_UNSUPPORTED, "%s: the device cannot do: %s", p->net->cl->info.name,
                           tt_ops[p->net->net->step[i].op]->word);
    }
    return good && emit_out(p) ? TT_OK : tt_fail_memory(err, (size_t)p->numbers * sizeof *p->table);
}

static size_t input_bytes(const tt_cl_plan *p)
{
    const tt_plan_facts *f = &p->shapes->facts;
    return sizeof(float) * (size_t)f->in_channels * (size_t)f->in_h * (size_t)f->in_w;
}
static size_t output_bytes(const tt_cl_plan *p)
{
    const tt_plan_facts *f = &p->shapes->facts;
    return sizeof(float) * (size_t)f->out_channels * (size_t)f->out_h * (size_t)f->out_w;
}
static size_t arena_bytes(const tt_cl_plan *p)
{
    return p->vectors * (size_t)p->net->cl->cut.lanes * sizeof(float);
}
static size_t table_bytes(const tt_cl_plan *p)
{
    return (size_t)p->numbers * sizeof *p->table;
}

static tt_status make_buffers(tt_cl_plan *p, tt_error *err)
{
    tt_cl *cl = p->net->cl;
    const struct {
        cl_mem *to;
        cl_mem_flags kind;
        size_t bytes;
    } wanted[] = {{&p->arena, CL_MEM_READ_WRITE, arena_bytes(p)},
                  {&p->input, CL_MEM_READ_ONLY, input_bytes(p)},
                  {&p->output, CL_MEM_WRITE_ONLY, output_bytes(p)},
                  {&p->numbers_there, CL_MEM_READ_ONLY, table_bytes(p)}};
    cl_int e = CL_SUCCESS;
    tt_status st = TT_OK;
    pthread_mutex_lock(&cl->lock);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted && !st; i++) {
        *wanted[i].to = cl->api->clCreateBuffer(cl->context, wanted[i].kind, wanted[i].bytes, NULL, &e);
        if (!*wanted[i].to || e != CL_SUCCESS)
            st = tt_cl_fail(err, cl->info.name, "making room for the maps", e);
    }
    if (!st && (e = cl->api->clEnqueueWriteBuffer(cl->queue, p->numbers_there, CL_TRUE, 0, table_bytes(p), p->table, 0,
                                                  NULL, NULL)))
        st = tt_cl_fail(err, cl->info.name, "writing the launches", e);
    pthread_mutex_unlock(&cl->lock);
    return st;
}

/* What the device has of memory, in one piece and besides the weights. */
static tt_status check_memory(const tt_cl_plan *p, tt_error *err)
{
    const tt_cl *cl = p->net->cl;
    const uint64_t left = cl->memory > p->net->bytes ? cl->memory - p->net->bytes : 0;
    const uint64_t most = left < cl->info.most_at_once ? left : cl->info.most_at_once;
    if (p->facts.bytes <= left && arena_bytes(p) <= most && output_bytes(p) <= most)
        return TT_OK;
    return tt_fail(err, TT_ERR_MEMORY, "%s: %d x %d pixels take %.0f MiB, and the device has %.0f MiB for them",
                   cl->info.name, p->facts.in_w, p->facts.in_h, ceil((double)p->facts.bytes / (1 << 20)),
                   floor((double)most / (1 << 20)));
}

static void reckon(tt_cl_plan *p)
{
    const tt_plan_facts *f = &p->shapes->facts;
    p->facts = (tt_cl_plan_facts){.bytes = (uint64_t)arena_bytes(p) + input_bytes(p) + output_bytes(p) + table_bytes(p),
                                  .flops = f->flops,
                                  .in_channels = f->in_channels,
                                  .in_h = f->in_h,
                                  .in_w = f->in_w,
                                  .out_channels = f->out_channels,
                                  .out_h = f->out_h,
                                  .out_w = f->out_w,
                                  .launches = p->launches};
}

tt_status tt_cl_plan_new(tt_cl_plan **plan, const tt_cl_net *n, int h, int w, bool only_size, tt_error *err)
{
    const tt_plan_options o = {.strip = TT_WHOLE, .only_size = true};
    const tt_net *net = n->net;
    *plan = NULL;
    tt_cl_plan *p = calloc(1, sizeof *p);
    if (!p)
        return tt_fail_memory(err, sizeof *p);
    p->net = n;
    p->regions = net->graph->count + net->steps * TT_CL_TEMPS;
    p->region = calloc((size_t)p->regions, sizeof *p->region);
    tt_status st = p->region ? tt_plan_new(&p->shapes, net, h, w, &o, err)
                             : tt_fail_memory(err, (size_t)p->regions * sizeof *p->region);
    if (!st) {
        want_regions(p);
        st = place_regions(p, err);
    }
    if (!st)
        st = emit(p, err);
    if (!st) {
        reckon(p);
        st = check_memory(p, err);
    }
    if (!st && !only_size)
        st = make_buffers(p, err);
    if (st)
        tt_cl_plan_free(p);
    else
        *plan = p;
    return st;
}

void tt_cl_plan_free(tt_cl_plan *p)
{
    if (!p)
        return;
    const cl_mem held[] = {p->arena, p->input, p->output, p->numbers_there};
    for (size_t i = 0; i < sizeof held / sizeof *held; i++)
        if (held[i])
            p->net->cl->api->clReleaseMemObject(held[i]);
    tt_plan_free(p->shapes);
    free(p->region);
    free(p->table);
    free(p->launch);
    free(p);
}

void tt_cl_plan_get_facts(const tt_cl_plan *p, tt_cl_plan_facts *f)
{
    *f = p->facts;
}
