/*
 * A network's weights as the kernels want them, in one buffer of vectors: of a convolution
 *     [output block][piece, its blocks of inputs][ky][kx][input lane], each a vector of outputs
 * from the weights as the file has them, norms folded in; nothing of the CPU's packing is used. Lanes without a channel
 * hold zeros.
 */
#include "engine/cl/cl.h"

#include "engine/alloc.h"
#include "engine/ops/ops.h"
#include "kernels/cl/params.h"
#include "kernels/kernels.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

typedef struct packing {
    const tt_cl *cl;
    const tt_graph *graph; /* with its weights */
    const tt_net *net;
    bool wino; /* may weights be transformed? */
    float *v;
    size_t count, room; /* vectors */
    tt_error *err;
} packing;

/* n more vectors of zeros; where they begin. */
static tt_status more(packing *p, size_t n, int *at)
{
    const size_t lanes = (size_t)p->cl->cut.lanes;
    size_t count, floats;
    if (!tt_add(p->count, n, &count) || count > INT_MAX || !tt_mul(count, lanes * sizeof *p->v, &floats))
        return tt_fail_memory(p->err, SIZE_MAX);
    if (count > p->room) {
        const size_t room = count > 2 * p->room ? count : 2 * p->room;
        float *v = realloc(p->v, room * lanes * sizeof *v);
        if (!v)
            return tt_fail_memory(p->err, room * lanes * sizeof *v);
        p->v = v;
        p->room = room;
    }
    memset(p->v + p->count * lanes, 0, n * lanes * sizeof *p->v);
    *at = (int)p->count;
    p->count = count;
    return TT_OK;
}

static tt_status put_vector(packing *p, const float *values, int n, int *at)
{
    const tt_status st = more(p, (size_t)tt_cl_blocks(p->cl, n), at);
    if (!st && values)
        memcpy(p->v + (size_t)*at * (size_t)p->cl->cut.lanes, values, (size_t)n * sizeof *values);
    return st;
}

static tt_status put_tensor(packing *p, const tt_tensor *t, int *at)
{
    float *values = malloc(t->count * sizeof *values);
    tt_status st = values ? tt_tensor_floats(p->graph->weights, t, values, p->err)
                          : tt_fail_memory(p->err, t->count * sizeof *values);
    if (!st)
        st = put_vector(p, values, (int)t->count, at);
    free(values);
    return st;
}

/* The node of the graph with weights that one of the net's stands for. */
static const tt_node *original(const packing *p, const tt_node *n)
{
    return &p->graph->node[n - p->net->graph->node];
}

/* ---- convolutions -------------------------------------------------------------------------------------- */

/*
 * The taps of one class along one axis, by their offset: of a transposed convolution those k with class + pad - k a
 * multiple of the stride, and offset (class + pad - k) / stride (engine/ops/conv.c). They are consecutive offsets; `least`
 * is the first of them.
 */
static int class_taps(const tt_node *n, int class, int *least)
{
    int count = 0;
    *least = 0;
    if (n->op == TT_OP_CONV) {
        *least = -n->pad;
        return n->k;
    }
    for (int k = 0; k < n->k; k++) {
        const int d = class + n->pad - k;
        if (d % n->stride)
            continue;
        *least = !count || d / n->stride < *least ? d / n->stride : *least;
        count++;
    }
    return count;
}

/* The tap with offset number i of the class. */
static int tap_of(const tt_node *n, int class, int least, int i)
{
    return n->op == TT_OP_CONV ? i : class + n->pad - (least + i) * n->stride;
}

typedef struct tensor_shape {
    int in, out;
    const tt_piece *piece;
    int pieces;
} tensor_shape;

static size_t blocks_in(const packing *p, const tensor_shape *s)
{
    size_t n = 0;
    for (int i = 0; i < s->pieces; i++)
        n += (size_t)tt_cl_blocks(p->cl, s->piece[i].channels);
    return n;
}

static float weight_at(const tt_node *n, const tensor_shape *s, const float *w, int o, int i, int ky, int kx)
{
    const size_t k = (size_t)n->k, row = n->op == TT_OP_DECONV ? (size_t)i * (size_t)s->out + (size_t)o
                                                               : (size_t)o * (size_t)s->in + (size_t)i;
    return w[(row * k + (size_t)ky) * k + (size_t)kx];
}

/* One class: ry, rx. */
static tt_status pack_class(packing *p, const tt_node *n, const tensor_shape *s, const float *w, int ry, int rx,
                            tt_cl_taps *t)
{
    const int lanes = p->cl->cut.lanes, out_blocks = tt_cl_blocks(p->cl, s->out);
    int top, left;
    t->kh = class_taps(n, ry, &top);
    t->kw = class_taps(n, rx, &left);
    t->pad_y = -top;
    t->pad_x = -left;
    size_t step, all;
    if (!tt_mul(blocks_in(p, s) * (size_t)lanes, (size_t)t->kh * (size_t)t->kw, &step) || step > INT_MAX ||
        !tt_mul(step, (size_t)out_blocks, &all))
        return tt_fail_memory(p->err, SIZE_MAX);
    t->step = (int)step;
    const tt_status st = more(p, all, &t->at);
    if (st)
        return st;
    for (int o = 0; o < s->out; o++) {
        float *to = p->v + ((size_t)t->at + (size_t)(o / lanes) * step) * (size_t)lanes + o % lanes;
        for (int i = 0, first = 0; i < s->pieces; first += s->piece[i].channels, i++)
            for (int c = 0; c < s->piece[i].channels; c += lanes)
                for (int y = 0; y < t->kh; y++)
                    for (int x = 0; x < t->kw; x++)
                        for (int l = 0; l < lanes; l++, to += lanes)
                            if (c + l < s->piece[i].channels)
                                *to = weight_at(n, s, w, o, first + c + l, tap_of(n, ry, top, y),
                                                tap_of(n, rx, left, x));
    }
    return TT_OK;
}

/* ---- 3x3 in frequencies ---------------------------------------------------------------------------------- */

enum { FREQUENCIES = 6, GROUP = TT_CL_WINO_BLOCKS };

/* Does the kernel conv_wino do it, and fill its group of outputs well? With few inputs the way back would be most of it. */
static bool in_frequencies(const tt_cl *cl, const tt_node *n, const tensor_shape *s)
{
    const int blocks = tt_cl_blocks(cl, s->out), groups = (blocks + GROUP - 1) / GROUP;
    return n->op == TT_OP_CONV && n->k == 3 && n->stride == 1 && s->in >= 16 &&
           4 * blocks >= 3 * groups * GROUP;
}

/* A block of inputs from c on of a piece, whose first channel is input `first`, to a group of outputs: [tap][lane][output],
 * zeros where there is none. */
static void gather(const tt_node *n, const tensor_shape *s, const float *w, int first_output, int first, int c, int channels,
                   int lanes, float *to)
{
    for (int tap = 0; tap < 9; tap++)
        for (int l = 0; l < lanes; l++)
            for (int o = 0; o < GROUP * lanes; o++, to++)
                *to = c + l < channels && first_output + o < s->out
                          ? weight_at(n, s, w, first_output + o, first + c + l, tap / 3, tap % 3)
                          : 0;
}

/* [group of blocks of outputs][piece, its blocks of inputs][i][j][input lane][output block], as kernels/cl/wino.cl reads it. */
static tt_status pack_frequencies(packing *p, const tt_node *n, const tensor_shape *s, const float *w, tt_cl_taps *t)
{
    const int lanes = p->cl->cut.lanes, groups = (tt_cl_blocks(p->cl, s->out) + GROUP - 1) / GROUP;
    const size_t block = (size_t)FREQUENCIES * FREQUENCIES * (size_t)lanes * GROUP;
    float taps[9 * 4 * GROUP * 4]; /* conv_wino has four lanes */
    tt_wino_weights a = {.form = TT_WINO_4_3, .count = lanes, .lanes = GROUP * lanes, .w = taps, .u_freq = lanes * GROUP * lanes};
    size_t step, all;
    *t = (tt_cl_taps){.kh = 3, .kw = 3, .pad_y = n->pad, .pad_x = n->pad, .wino = true};
    if (!tt_mul(blocks_in(p, s), block, &step) || step > INT_MAX || !tt_mul(step, (size_t)groups, &all))
        return tt_fail_memory(p->err, SIZE_MAX);
    t->step = (int)step;
    const tt_status st = more(p, all, &t->at);
    if (st)
        return st;
    a.u = p->v + (size_t)t->at * (size_t)lanes;
    for (int g = 0; g < groups; g++)
        for (int i = 0, first = 0; i < s->pieces; first += s->piece[i].channels, i++)
            for (int c = 0; c < s->piece[i].channels; c += lanes, a.u += block * (size_t)lanes) {
                gather(n, s, w, g * GROUP * lanes, first, c, s->piece[i].channels, lanes, taps);
                tt_wino_weights_c(&a);
            }
    return TT_OK;
}

static tt_status pack_slopes(packing *p, const tt_node *n, tt_cl_layer *to)
{
    if (n->act != TT_ACT_PRELU)
        return TT_OK;
    if (n->slopes)
        return put_tensor(p, n->slopes, &to->slopes);
    const tt_status st = put_vector(p, NULL, n->channels, &to->slopes);
    for (int i = 0; i < n->channels && !st; i++)
        p->v[(size_t)to->slopes * (size_t)p->cl->cut.lanes + (size_t)i] = n->slope;
    return st;
}

static tt_status pack_conv(packing *p, const tt_node *n, const tensor_shape *s, tt_cl_layer *to)
{
    const int side = n->op == TT_OP_DECONV ? n->stride : 1;
    float *values = malloc(n->weight->count * sizeof *values), *bias = calloc((size_t)s->out, sizeof *bias);
    to->taps = calloc((size_t)side * (size_t)side, sizeof *to->taps);
    tt_status st = values && bias && to->taps ? TT_OK : tt_fail_memory(p->err, n->weight->count * sizeof *values);
    if (!st)
        st = tt_fold(p->graph->weights, n, values, bias, p->err);
    to->classes = st ? 0 : side * side;
    if (!st && p->wino && in_frequencies(p->cl, n, s))
        st = pack_frequencies(p, n, s, values, to->taps);
    for (int i = 0; i < to->classes && !st && !to->taps->wino; i++)
        st = pack_class(p, n, s, values, i / side, i % side, &to->taps[i]);
    if (!st)
        st = put_vector(p, bias, s->out, &to->bias);
    if (!st)
        st = pack_slopes(p, n, to);
    free(values);
    free(bias);
    return st;
}

static tt_status pack_affine(packing *p, const tt_node *n, tt_cl_layer *to)
{
    float *gain = calloc(2 * (size_t)n->channels, sizeof *gain), *shift = gain + n->channels;
    tt_status st = gain ? tt_norm_floats(p->graph->weights, n, gain, shift, p->err)
                        : tt_fail_memory(p->err, 2 * (size_t)n->channels * sizeof *gain);
    if (!st)
        st = put_vector(p, gain, n->channels, &to->gain);
    if (!st)
        st = put_vector(p, shift, n->channels, &to->shift);
    free(gain);
    return st;
}

/* LEVELS are an affine, too. */
static tt_status pack_levels(packing *p, const tt_node *n, tt_cl_layer *to)
{
    const float scale[4] = {n->scale, n->scale, n->scale, n->scale};
    const tt_status st = put_vector(p, scale, n->channels, &to->gain);
    return st ? st : put_vector(p, n->offset, n->channels, &to->shift);
}

/* ---- chains -------------------------------------------------------------------------------------------- */

static tt_status pack_stage(packing *p, const tt_node *n, int in, tt_cl_layer *to)
{
    const tt_piece piece = {.channels = in};
    const tensor_shape s = {in, n->channels, &piece, 1};
    tt_status st;
    switch (n->op) {
    case TT_OP_LINEAR: {
        tt_node conv = *n; /* which it is, of 1x1 */
        conv.op = TT_OP_CONV;
        conv.k = 1;
        conv.pad = 0;
        conv.act = TT_ACT_NONE;
        return pack_conv(p, &conv, &s, to);
    }
    case TT_OP_NORM:
        st = put_tensor(p, n->weight, &to->gain);
        return st ? st : n->bias ? put_tensor(p, n->bias, &to->shift) : put_vector(p, NULL, n->channels, &to->shift);
    case TT_OP_ATTENTION:
        if (n->channels / n->heads > WINDOW_MOST_DEPTH)
            return tt_fail(p->err, TT_ERR_UNSUPPORTED, "%s: heads of more than %d channels are for the CPU only",
                           n->name, WINDOW_MOST_DEPTH);
        return put_tensor(p, n->weight, &to->table);
    default:
        return TT_OK;
    }
}

static tt_status pack_chain(packing *p, const tt_step *s, tt_cl_step *to)
{
    tt_status st = TT_OK;
    to->stage = calloc((size_t)s->stages, sizeof *to->stage);
    if (!to->stage)
        return tt_fail_memory(p->err, (size_t)s->stages * sizeof *to->stage);
    to->stages = s->stages;
    for (int i = 0, channels = s->in[0].channels; i < s->stages && !st; i++) {
        st = pack_stage(p, original(p, s->stage[i].node), channels, &to->stage[i]);
        channels = s->stage[i].node->channels;
    }
    return st;
}

static tensor_shape shape_of(const tt_step *s)
{
    tensor_shape shape = {0, s->node->channels, s->in, s->pieces};
    for (int i = 0; i < s->pieces; i++)
        shape.in += s->in[i].channels;
    return shape;
}

/* Transformed weights take four times the memory. What a picture then lacks, or what no longer is one buffer, would cost
 * more than they save. */
static bool may_transform(const packing *p)
{
    const tt_cl *cl = p->cl;
    const double most = (double)(cl->memory / 2 < cl->info.most_at_once ? cl->memory / 2 : cl->info.most_at_once) / 2;
    double bytes = 0;
    for (int i = 0; i < p->net->steps; i++) {
        const tt_step *s = &p->net->step[i];
        const tensor_shape shape = shape_of(s);
        if (!s->stages && in_frequencies(cl, s->node, &shape))
            bytes += 36.0 * sizeof(float) * shape.in * shape.out;
    }
    return cl->cut.wino && bytes <= most;
}

static tt_status pack_step(packing *p, const tt_step *s, tt_cl_step *to)
{
    const tt_node *n = original(p, s->node);
    const tensor_shape shape = shape_of(s);
    tt_status st = TT_OK;
    to->own.gain = -1;
    if (s->stages)
        return pack_chain(p, s, to);
    if (s->op == TT_OP_CONV || s->op == TT_OP_DECONV)
        st = pack_conv(p, n, &shape, &to->own);
    if (!st && s->op == TT_OP_LEVELS)
        st = pack_levels(p, n, &to->own);
    if (!st && s->norm)
        st = pack_affine(p, original(p, s->norm), &to->own);
    return st;
}

/* ---- life ---------------------------------------------------------------------------------------------- */

static tt_status upload(tt_cl_net *n, packing *p)
{
    tt_cl *cl = n->cl;
    cl_int e = CL_SUCCESS;
    int at;
    tt_status st = p->count ? TT_OK : more(p, 1, &at); /* a buffer of nothing there is not */
    if (st)
        return st;
    const size_t bytes = p->count * (size_t)cl->cut.lanes * sizeof(float);
    if (bytes > cl->info.most_at_once || bytes > cl->memory)
        return tt_fail(p->err, TT_ERR_MEMORY, "%s: the weights take %zu bytes, which the device does not have in one",
                       cl->info.name, bytes);
    pthread_mutex_lock(&cl->lock);
    n->weights = cl->api->clCreateBuffer(cl->context, CL_MEM_READ_ONLY, bytes, NULL, &e);
    if (!n->weights || e != CL_SUCCESS)
        st = tt_cl_fail(p->err, cl->info.name, "making room for the weights", e);
    else if ((e = cl->api->clEnqueueWriteBuffer(cl->queue, n->weights, CL_TRUE, 0, bytes, p->v, 0, NULL, NULL)))
        st = tt_cl_fail(p->err, cl->info.name, "writing the weights", e);
    pthread_mutex_unlock(&cl->lock);
    n->bytes = bytes;
    return st;
}

tt_status tt_cl_net_new(tt_cl_net **out, tt_cl *cl, const tt_net *net, const tt_graph *graph, tt_error *err)
{
    *out = NULL;
    tt_cl_net *n = calloc(1, sizeof *n);
    if (!n)
        return tt_fail_memory(err, sizeof *n);
    n->cl = tt_cl_share(cl);
    n->net = net;
    n->step = calloc((size_t)net->steps + 1, sizeof *n->step);
    packing p = {.cl = cl, .graph = graph, .net = net, .err = err};
    p.wino = may_transform(&p);
    tt_status st = n->step ? TT_OK : tt_fail_memory(err, (size_t)net->steps * sizeof *n->step);
    for (int i = 0; i < net->steps && !st; i++)
        st = pack_step(&p, &net->step[i], &n->step[i]);
    if (!st)
        st = upload(n, &p);
    free(p.v);
    if (st)
        tt_cl_net_free(n);
    else
        *out = n;
    return st;
}

tt_status tt_cl_net_floats(tt_cl_net **out, tt_cl *floats, const tt_cl_net *n, tt_error *err)
{
    *out = malloc(sizeof **out);
    if (!*out)
        return tt_fail_memory(err, sizeof **out);
    **out = *n;
    (*out)->cl = tt_cl_share(floats);
    (*out)->borrowed = true;
    return TT_OK;
}

static void free_own(tt_cl_net *n)
{
    for (int i = 0; n->step && i < n->net->steps; i++) {
        free(n->step[i].own.taps);
        for (int j = 0; j < n->step[i].stages; j++)
            free(n->step[i].stage[j].taps);
        free(n->step[i].stage);
    }
    if (n->weights)
        n->cl->api->clReleaseMemObject(n->weights);
    free(n->step);
}

void tt_cl_net_free(tt_cl_net *n)
{
    if (!n)
        return;
    if (!n->borrowed)
        free_own(n);
    tt_cl_free(n->cl);
    free(n);
}

tt_cl *tt_cl_net_device(const tt_cl_net *n)
{
    return n->cl;
}

uint64_t tt_cl_net_bytes(const tt_cl_net *n)
{
    return n->bytes;
}

tt_wino tt_cl_form_of(const tt_cl_net *n, int step)
{
    const tt_cl_layer *l = &n->step[step].own;
    return l->classes && l->taps->wino ? TT_WINO_4_3 : TT_WINO_NONE;
}

tt_status tt_cl_net_get_tiling(const tt_cl_net *n, int h, int w, tt_net_tiling *t, tt_error *err)
{
    tt_wino *form = calloc((size_t)n->net->steps + 1, sizeof *form);
    if (!form)
        return tt_fail_memory(err, (size_t)n->net->steps * sizeof *form);
    for (int i = 0; i < n->net->steps; i++)
        form[i] = tt_cl_form_of(n, i);
    const tt_status st = tt_net_tiling_of(n->net, h, w, form, t, err);
    free(form);
    return st;
}
