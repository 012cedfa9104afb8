/*
 * Layers of transformers: layer norm, linear, GELU, attention in windows. A step is a chain of them (net.c),
 * worked piece by piece in a thread's scratch; only what goes in and what comes out are maps:
 *
 *     map rows --load--> [channels][tokens] --norm--> in place --linear--> the other buffer ... --store, +
 * x--> map rows
 *
 * A unit of work is some windows of a row of windows where the chain has an attention, else a run of pixels
 * of a row: about TOKENS of them, so that both buffers stay in the second cache beside the weights. A unit
 * reads and writes the pixels of its own and no others, so its result may lie where its input lay.
 */
#include "engine/alloc.h"
#include "engine/ops/ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TOKENS = 64 };

/* ---- windows -------------------------------------------------------------------------------------- */

static const tt_node *attention_of(const tt_step *s)
{
    for (int i = 0; i < s->stages; i++)
        if (s->stage[i].node->op == TT_OP_ATTENTION)
            return s->stage[i].node;
    return NULL;
}

/* The pixels begin..end-1 of an axis of `length` that window i of the grid holds: the first one only `shift`.
 */
static void window_at(const tt_node *n, int length, int i, int *begin, int *end)
{
    const int before = n->shift ? n->window - n->shift : 0;
    *begin = i * n->window - before;
    *end = *begin + n->window < length ? *begin + n->window : length;
    *begin = *begin < 0 ? 0 : *begin;
}

static int windows(const tt_node *n, int length)
{
    return length / n->window + (n->shift ? 1 : 0);
}

static int lanes_of(int tokens)
{
    return (tokens + TT_TOKEN_LANES - 1) / TT_TOKEN_LANES * TT_TOKEN_LANES;
}

/* Windows of a unit. */
static int windows_a_unit(const tt_node *n)
{
    const int lanes = lanes_of(n->window * n->window);
    return lanes < TOKENS ? TOKENS / lanes : 1;
}

/* A window is so high (or wide): the whole, what the grid leaves before it, what it leaves behind. */
static int extent_of(const tt_node *n, int kind)
{
    return kind == 0 ? n->window : kind == 1 ? n->shift : n->window - n->shift;
}
static int kind_of(const tt_node *n, int extent)
{
    return extent == n->window ? 0 : extent == n->shift ? 1 : 2;
}

/* ---- packing -------------------------------------------------------------------------------------- */

static tt_status floats_of(float **to, size_t room, const tt_weights *w, const tt_tensor *t, tt_step *s,
                           tt_error *err)
{
    size_t bytes;
    *to = tt_mul(room, sizeof **to, &bytes) ? tt_aligned_zalloc(bytes) : NULL;
    if (!*to)
        return tt_fail_memory(err, bytes);
    s->packed_bytes += bytes;
    return t ? tt_tensor_floats(w, t, *to, err) : TT_OK;
}

/* [out][in] to [group][in][TT_LINEAR_GROUP] */
static tt_status pack_linear(tt_step *s, tt_stage *g, const tt_weights *w, tt_error *err)
{
    const size_t out = g->node->weight->shape[0], in = g->node->weight->shape[1], group = TT_LINEAR_GROUP;
    const size_t groups = (out + group - 1) / group;
    float *values = malloc(g->node->weight->count * sizeof *values);
    tt_status st = values ? tt_tensor_floats(w, g->node->weight, values, err)
                          : tt_fail_memory(err, g->node->weight->count * sizeof *values);
    size_t room;
    if (!st && !tt_mul(groups * group, in, &room))
        st = tt_fail_memory(err, room);
    if (!st)
        st = floats_of(&g->weights, room, w, NULL, s, err);
    for (size_t o = 0; o < out && !st; o++)
        for (size_t i = 0; i < in; i++)
            g->weights[(o / group * in + i) * group + o % group] = values[o * in + i];
    free(values);
    return st ? st : floats_of(&g->bias, out, w, g->node->bias, s, err);
}

/* One head's biases for windows of h x w, [key][lanes of queries] as the kernel wants them. */
static void expand(float *to, const tt_node *n, const float *table, int head, int h, int w)
{
    const int lanes = lanes_of(h * w), side = 2 * n->window - 1;
    for (int j = 0; j < h * w; j++)
        for (int i = 0; i < h * w; i++) {
            const int dy = i / w - j / w + n->window - 1, dx = i % w - j % w + n->window - 1;
            to[(ptrdiff_t)j * lanes + i] = table[(dy * side + dx) * n->heads + head];
        }
}

/* The biases of every form that a window can have: a whole one, and with a shift those that the edges cut. */
static tt_status pack_attention(tt_step *s, tt_stage *g, const tt_weights *w, tt_error *err)
{
    const tt_node *n = g->node;
    const int kinds = n->shift ? 3 : 1;
    size_t room = 0;
    float *table = malloc(n->weight->count * sizeof *table);
    tt_status st = table ? tt_tensor_floats(w, n->weight, table, err)
                         : tt_fail_memory(err, n->weight->count * sizeof *table);
    for (int i = 0; i < kinds * kinds; i++) {
        const int tokens = extent_of(n, i / kinds) * extent_of(n, i % kinds);
        g->form[i / kinds * 3 + i % kinds] = room; /* at most 9 x 16^4 x heads */
        room += (size_t)n->heads * (size_t)tokens * (size_t)lanes_of(tokens);
    }
    if (!st)
        st = floats_of(&g->weights, room, w, NULL, s, err);
    for (int i = 0; i < kinds * kinds && !st; i++) {
        const int high = extent_of(n, i / kinds), wide = extent_of(n, i % kinds);
        const size_t size = (size_t)(high * wide) * (size_t)lanes_of(high * wide);
        for (int head = 0; head < n->heads; head++)
            expand(g->weights + g->form[i / kinds * 3 + i % kinds] + (size_t)head * size, n, table, head,
                   high, wide);
    }
    free(table);
    return st;
}

static tt_status tokens_pack(tt_net *net, tt_step *s, const tt_weights *w, tt_error *err)
{
    (void)net;
    tt_status st = TT_OK;
    for (int i = 0; i < s->stages && !st; i++) {
        tt_stage *g = &s->stage[i];
        if (g->node->op == TT_OP_LINEAR)
            st = pack_linear(s, g, w, err);
        else if (g->node->op == TT_OP_ATTENTION)
            st = pack_attention(s, g, w, err);
        else if (g->node->op == TT_OP_NORM &&
                 !(st = floats_of(&g->weights, (size_t)g->node->channels, w, g->node->weight, s, err)))
            st = floats_of(&g->bias, (size_t)g->node->channels, w, g->node->bias, s, err);
    }
    return st;
}

/* ---- scratch -------------------------------------------------------------------------------------- */

/* Two buffers that the chain goes to and fro between, and the scores of one head. */
typedef struct room {
    size_t buffer, scores; /* floats */
    int row;               /* lanes */
} room;

static room room_of(const tt_step *s)
{
    const tt_node *a = attention_of(s);
    room r = {.row = a ? windows_a_unit(a) * lanes_of(a->window * a->window) : TOKENS};
    int most = s->in[0].channels;
    for (int i = 0; i < s->stages; i++)
        most = s->stage[i].node->channels > most ? s->stage[i].node->channels : most;
    r.buffer = (size_t)most * (size_t)r.row; /* at most 2^20 * 256 */
    r.scores = a ? (size_t)a->window * (size_t)a->window * TT_ATTENTION_QUERIES : 0;
    return r;
}

static size_t tokens_scratch(const tt_step *s)
{
    const room r = room_of(s);
    return 2 * r.buffer + r.scores;
}

/* ---- running -------------------------------------------------------------------------------------- */

/* Pixels y0.., x0.. of h x w, which lie in the buffers from token t on, row after row. */
typedef struct part {
    int y0, x0, h, w, t;
} part;

typedef struct unit {
    const tt_plan *p;
    const tt_step *s;
    room room;
    float *buffer[2], *scores;
    part part[TOKENS / TT_TOKEN_LANES];
    int parts, lanes;
} unit;

static void add_part(unit *u, int y0, int y1, int x0, int x1)
{
    u->part[u->parts++] = (part){y0, x0, y1 - y0, x1 - x0, u->lanes};
    u->lanes += lanes_of((y1 - y0) * (x1 - x0));
}

static void list_windows(unit *u, const tt_node *n, tt_extent e, int number)
{
    const int columns = windows(n, e.w), each = windows_a_unit(n), units = (columns + each - 1) / each;
    int y0, y1;
    window_at(n, e.h, number / units, &y0, &y1);
    for (int i = number % units * each; i < columns && i < (number % units + 1) * each; i++) {
        int x0, x1;
        window_at(n, e.w, i, &x0, &x1);
        add_part(u, y0, y1, x0, x1);
    }
}

static void list_run(unit *u, tt_extent e, int number)
{
    const int units = (e.w + TOKENS - 1) / TOKENS, x0 = number % units * TOKENS;
    add_part(u, number / units, number / units + 1, x0, x0 + TOKENS < e.w ? x0 + TOKENS : e.w);
}

static tt_extent map_of(const tt_plan *p, const tt_step *s)
{
    const tt_value *v = &p->value[s->out];
    return (tt_extent){v->h, v->w};
}

static tt_work tokens_work(const tt_plan *p, const tt_step *s)
{
    const tt_node *n = attention_of(s);
    const tt_extent e = map_of(p, s);
    if (!n)
        return (tt_work){.bands = e.h, .units = (e.w + TOKENS - 1) / TOKENS, .tall = 1};
    return (tt_work){.bands = windows(n, e.h),
                     .units = (windows(n, e.w) + windows_a_unit(n) - 1) / windows_a_unit(n),
                     .tall = n->window,
                     .before = n->shift ? n->window - n->shift : 0};
}

static void load(const unit *u)
{
    const tt_piece piece = u->s->in[0];
    const tt_value *v = &u->p->value[piece.value];
    for (int i = 0; i < u->parts; i++)
        for (int y = 0; y < u->part[i].h; y++) {
            const part *a = &u->part[i];
            float *to = u->buffer[0] + a->t + y * a->w;
            const float *from = tt_piece_row(u->p, piece, a->y0 + y) + (ptrdiff_t)a->x0 * v->b;
            if (v->b > 1)
                u->p->net->k.tokens_load(to, u->room.row, from, v->plane, v->b, v->c, a->w);
            else
                for (int c = 0; c < v->c; c++)
                    memcpy(to + c * u->room.row, from + c * v->plane, (size_t)a->w * sizeof *to);
        }
}

static void store(const unit *u, const float *from)
{
    const tt_value *v = &u->p->value[u->s->out], *x = u->s->adds ? &u->p->value[u->s->add[0].value] : NULL;
    const tt_kernels *k = &u->p->net->k;
    for (int i = 0; i < u->parts; i++)
        for (int y = 0; y < u->part[i].h; y++) {
            const part *a = &u->part[i];
            float *to = tt_row(u->p, v, a->y0 + y) + (ptrdiff_t)a->x0 * v->b;
            const float *tokens = from + a->t + y * a->w;
            const float *add =
                x ? tt_piece_row(u->p, u->s->add[0], a->y0 + y) + (ptrdiff_t)a->x0 * v->b : NULL;
            if (v->b > 1) {
                k->tokens_store(to, v->plane, add, x ? x->plane : 0, v->b, tokens, u->room.row, v->c, a->w);
                continue;
            }
            for (int c = 0; c < v->c; c++, tokens += u->room.row)
                if (add)
                    k->axpy(to + c * v->plane, add + c * x->plane, tokens, 1, (size_t)a->w);
                else
                    memcpy(to + c * v->plane, tokens, (size_t)a->w * sizeof *to);
        }
}

/* Every window and head by itself; q, k and v are thirds of the channels. */
static void attend(const unit *u, const tt_stage *g, const float *qkv, float *out)
{
    const tt_node *n = g->node;
    const int depth = n->channels / n->heads;
    const ptrdiff_t third = (ptrdiff_t)n->channels * u->room.row;
    for (int i = 0; i < u->parts; i++) {
        const part *w = &u->part[i];
        const int form = kind_of(n, w->h) * 3 + kind_of(n, w->w), tokens = w->h * w->w;
        for (int head = 0; head < n->heads; head++) {
            const ptrdiff_t at = (ptrdiff_t)head * depth * u->room.row + w->t;
            const tt_attention a = {.q = qkv + at,
                                    .k = qkv + third + at,
                                    .v = qkv + 2 * third + at,
                                    .dst = out + at,
                                    .row = u->room.row,
                                    .tokens = tokens,
                                    .depth = depth,
                                    .scale = 1 / sqrtf((float)depth),
                                    .bias = g->weights + g->form[form] +
                                            (ptrdiff_t)head * tokens * lanes_of(tokens),
                                    .scores = u->scores};
            u->p->net->k.attention(&a);
        }
    }
}

static void tokens_row(const tt_plan *p, const tt_step *s, int number, int thread)
{
    const tt_node *n = attention_of(s);
    const tt_kernels *k = &p->net->k;
    unit u = {.p = p, .s = s, .room = room_of(s)};
    u.buffer[0] = p->scratch + (size_t)thread * p->scratch_floats;
    u.buffer[1] = u.buffer[0] + u.room.buffer;
    u.scores = u.buffer[1] + u.room.buffer;
    if (n)
        list_windows(&u, n, map_of(p, s), number);
    else
        list_run(&u, map_of(p, s), number);
    load(&u);
    int now = 0, channels = s->in[0].channels;
    for (int i = 0; i < s->stages; i++) {
        const tt_stage *g = &s->stage[i];
        float *x = u.buffer[now], *y = u.buffer[!now];
        if (g->node->op == TT_OP_NORM) {
            k->layer_norm(x, u.room.row, channels, g->weights, g->bias, g->node->eps, u.lanes);
        } else if (g->node->op == TT_OP_ACT) {
            k->act(x, x, g->node->act, NULL, 1, (size_t)channels * (size_t)u.room.row);
        } else {
            if (g->node->op == TT_OP_LINEAR)
                k->linear(y, x, u.room.row, g->weights, g->bias, channels, g->node->channels, u.lanes);
            else
                attend(&u, g, x, y);
            now = !now;
        }
        channels = g->node->channels;
    }
    store(&u, u.buffer[now]);
}

/* Borders once all is there: a row's pixels come from several units. */
static void tokens_finish(const tt_plan *p, const tt_step *s, int y0, int y1)
{
    const tt_value *v = &p->value[s->out];
    for (int y = y0; v->border && y < y1; y++)
        tt_row_border(p, v, y);
}

/* ---- sizes, reach, work --------------------------------------------------------------------------- */

static bool attention_size(const tt_node *n, const tt_extent *in, tt_extent *out)
{
    *out = in[0];
    return in[0].h % n->window == 0 && in[0].w % n->window == 0;
}

/* At most, wherever in its window the pixel lies; net.c knows better. */
static void attention_reach(const tt_node *n, const tt_reach *in, tt_reach *out)
{
    *out = in[0];
    out->lo -= in[0].step * (n->window - 1);
    out->hi += in[0].step * (n->window - 1);
}

/* What the windows of the inside do. */
static double attention_flops(const tt_node *n, int in_channels, tt_extent in, tt_extent out)
{
    (void)in_channels, (void)in;
    return 4.0 * n->window * n->window * n->channels * out.h * out.w;
}

static double linear_flops(const tt_node *n, int in_channels, tt_extent in, tt_extent out)
{
    (void)in;
    return 2.0 * in_channels * n->channels * out.h * out.w;
}

static double norm_flops(const tt_node *n, int in_channels, tt_extent in, tt_extent out)
{
    (void)n, (void)in;
    return 7.0 * in_channels * out.h * out.w;
}

#define CHAIN                                                                                                \
    .pack = tokens_pack, .scratch = tokens_scratch, .work = tokens_work, .row = tokens_row,                  \
    .finish = tokens_finish
const tt_op_def tt_op_norm = {
    .word = "layer norm", .size = tt_size_same, .reach = tt_reach_same, .flops = norm_flops, CHAIN};
const tt_op_def tt_op_linear = {
    .word = "linear", .size = tt_size_same, .reach = tt_reach_same, .flops = linear_flops, CHAIN};
const tt_op_def tt_op_attention = {
    .word = "attention", .size = attention_size, .reach = attention_reach, .flops = attention_flops, CHAIN};
