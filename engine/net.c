#define _POSIX_C_SOURCE 200809L /* strdup */
#include "engine/net.h"
#include "engine/alloc.h"
#include "engine/ops/ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* While fusing: what each node became. */
typedef struct fusing {
    tt_net *net;
    const tt_graph *g;
    int *uses;         /* consumers of each node, the graph's result counted as one */
    int *step_of;      /* the step that stores the node, -1 for views and for what was fused away */
    tt_piece **pieces; /* a list a node, owned */
    int *count;
    int room;          /* for steps */
    tt_error *err;
} fusing;

static tt_status no_memory(fusing *f)
{
    return tt_fail_memory(f->err, (size_t)f->g->count * sizeof(tt_step));
}

/* ---- views ---------------------------------------------------------------------------------------- */

static tt_status set_pieces(fusing *f, int node, const tt_piece *piece, int count)
{
    tt_piece *copy = malloc((size_t)(count ? count : 1) * sizeof *copy);
    if (!copy)
        return no_memory(f);
    if (count)
        memcpy(copy, piece, (size_t)count * sizeof *copy);
    free(f->pieces[node]);
    f->pieces[node] = copy;
    f->count[node] = count;
    return TT_OK;
}

static tt_status stored(fusing *f, int node)
{
    return set_pieces(f, node, &(tt_piece){node, 0, f->g->node[node].channels}, 1);
}

static tt_status view_concat(fusing *f, int node)
{
    const int a = f->g->node[node].in[0], b = f->g->node[node].in[1];
    const int count = f->count[a] + f->count[b];
    tt_piece *both = malloc((size_t)count * sizeof *both);
    if (!both)
        return no_memory(f);
    memcpy(both, f->pieces[a], (size_t)f->count[a] * sizeof *both);
    memcpy(both + f->count[a], f->pieces[b], (size_t)f->count[b] * sizeof *both);
    free(f->pieces[node]);
    f->pieces[node] = both;
    f->count[node] = count;
    return TT_OK;
}

static tt_status view_crop(fusing *f, int node)
{
    const int from = f->g->node[node].in[0];
    const tt_status st = set_pieces(f, node, f->pieces[from], f->count[from]);
    for (int i = 0; !st && i < f->count[node]; i++)
        f->pieces[node][i].crop += f->g->node[node].op == TT_OP_CROP ? f->g->node[node].r : 0;
    return st;
}

/* ---- steps ---------------------------------------------------------------------------------------- */

/* A step for the node's operation; its inputs are the pieces of the given node. */
static tt_status new_step(fusing *f, int node, int input, tt_step **out)
{
    tt_net *net = f->net;
    if (net->steps == f->room) {
        const int room = f->room ? 2 * f->room : 64;
        tt_step *more = realloc(net->step, (size_t)room * sizeof *more);
        if (!more)
            return no_memory(f);
        net->step = more;
        f->room = room;
    }
    tt_step *s = &net->step[net->steps];
    *s = (tt_step){.op = f->g->node[node].op, .node = &net->graph->node[node], .out = node};
    if (input >= 0) {
        /* room for a second input of element-wise operations */
        s->in = malloc((size_t)(f->count[input] + 1) * sizeof *s->in);
        if (!s->in)
            return no_memory(f);
        memcpy(s->in, f->pieces[input], (size_t)f->count[input] * sizeof *s->in);
        s->pieces = f->count[input];
    }
    f->step_of[node] = net->steps++;
    *out = s;
    return stored(f, node);
}

/* Make the node's view a value of its own. */
static tt_status materialise(fusing *f, int node)
{
    tt_step *s;
    const tt_status st = new_step(f, node, node, &s);
    if (!st)
        s->op = TT_OP_CONCAT; /* whatever made the view: from now on a copy of its pieces */
    return st;
}

/* Operations other than convolutions read one value. */
static tt_status single(fusing *f, int node)
{
    return f->count[node] == 1 ? TT_OK : materialise(f, node);
}

/* What a convolution reads: pieces of one layout, and cropped ones only where nothing outside is read (the pixels
 * around a crop are not zeros). */
static tt_status readable(fusing *f, const tt_node *n)
{
    const int from = n->in[0];
    bool ok = true;
    for (int i = 0; i < f->count[from]; i++) {
        const tt_piece piece = f->pieces[from][i];
        ok &= tt_block_of(&f->net->k, piece.channels) == tt_block_of(&f->net->k, f->pieces[from][0].channels);
        ok &= !piece.crop || (n->op == TT_OP_CONV && !n->pad);
    }
    return ok ? TT_OK : materialise(f, from);
}

/* The step whose result, used only once, is this node; or NULL. */
static tt_step *open_step(fusing *f, int node)
{
    if (node < 0 || f->uses[node] != 1 || f->step_of[node] < 0)
        return NULL;
    tt_step *s = &f->net->step[f->step_of[node]];
    return s->out == node && !s->clamp && !s->relu ? s : NULL;
}

/* The same of convolutions, before their norm. */
static tt_step *open_conv(fusing *f, int node)
{
    tt_step *s = open_step(f, node);
    return s && (s->op == TT_OP_CONV || s->op == TT_OP_DECONV) && !s->norm ? s : NULL;
}

static tt_status absorb(fusing *f, tt_step *s, int node)
{
    f->step_of[node] = f->step_of[s->out];
    f->step_of[s->out] = -1;
    s->out = node;
    return stored(f, node);
}

/* The chain on tokens (engine/ops/tokens.c) whose result, used only once, is this node; or NULL. */
static tt_step *open_chain(fusing *f, int node)
{
    if (node < 0 || f->uses[node] != 1 || f->step_of[node] < 0)
        return NULL;
    tt_step *s = &f->net->step[f->step_of[node]];
    return s->stages && s->out == node && !s->adds ? s : NULL;
}

static bool attends(const tt_step *s)
{
    for (int i = 0; i < s->stages; i++)
        if (s->stage[i].node->op == TT_OP_ATTENTION)
            return true;
    return false;
}

static tt_status push_stage(fusing *f, tt_step *s, int node)
{
    tt_stage *more = realloc(s->stage, ((size_t)s->stages + 1) * sizeof *more);
    if (!more)
        return no_memory(f);
    s->stage = more;
    s->stage[s->stages++] = (tt_stage){.node = &f->net->graph->node[node]};
    return TT_OK;
}

/* A layer of a transformer at the end of a chain, or the first of a new one. One chain holds one attention, for its
 * windows are the chain's units of work. */
static tt_status fuse_tokens(fusing *f, int node)
{
    const tt_node *n = &f->g->node[node];
    tt_step *s = open_chain(f, n->in[0]);
    if (s && (n->op != TT_OP_ATTENTION || !attends(s))) {
        const tt_status st = push_stage(f, s, node);
        return st ? st : absorb(f, s, node);
    }
    tt_status st = single(f, n->in[0]);
    if (!st)
        st = new_step(f, node, n->in[0], &s);
    return st ? st : push_stage(f, s, node);
}

/* x + scale * y into the convolution that makes y (or, where scale is 1, x). */
static tt_status fuse_add(fusing *f, int node, bool *done)
{
    const tt_node *n = &f->g->node[node];
    *done = false;
    for (int side = 1; side >= 0; side--) { /* the later one of two convolutions: y as a rule */
        const int conv = n->in[side], other = n->in[!side];
        tt_step *s = side || n->scale == 1 ? open_conv(f, conv) : NULL;
        if (!s || other == conv || f->count[other] != 1)
            continue;
        const int from = f->step_of[other];
        tt_step *near = from >= 0 && f->net->step[from].op == TT_OP_NEAREST ? &f->net->step[from] : NULL;
        if (s->shuffle) { /* only the skip connection of a shuffled picture: its nearest neighbour */
            if (s->adds || !near || n->scale != 1 || near->node->r != s->shuffle || f->uses[other] != 1)
                continue;
            s->add[s->adds++] = near->in[0];
            s->nearest = s->shuffle;
            free(near->in);
            *near = (tt_step){.out = -1}; /* swept below */
            f->step_of[other] = -1;
        } else {
            if (s->adds == 2)
                continue;
            s->add[s->adds] = f->pieces[other][0];
            s->scale[s->adds++] = n->scale;
        }
        *done = true;
        return absorb(f, s, node);
    }
    for (int side = 1; side >= 0 && n->scale == 1; side--) {
        const int other = n->in[!side];
        tt_step *s = open_chain(f, n->in[side]);
        if (!s || other == n->in[side] || f->count[other] != 1)
            continue;
        s->add[s->adds++] = f->pieces[other][0];
        *done = true;
        return absorb(f, s, node);
    }
    return TT_OK;
}

static tt_status elementwise(fusing *f, int node)
{
    const tt_node *n = &f->g->node[node];
    tt_step *s;
    tt_status st = single(f, n->in[0]);
    if (!st && n->in[1] >= 0)
        st = single(f, n->in[1]);
    if (!st)
        st = new_step(f, node, n->in[0], &s);
    if (st || n->in[1] < 0 || n->op == TT_OP_FIT)
        return st;
    if (n->op == TT_OP_GATE)
        s->gate = f->pieces[n->in[1]][0];
    else
        s->in[s->pieces++] = f->pieces[n->in[1]][0];
    return TT_OK;
}

/* Query, key, value: one piece each. */
static tt_status attend(fusing *f, int node)
{
    const tt_node *n = &f->g->node[node], *both = &f->g->node[n->in[0]];
    tt_step *s;
    tt_status st = single(f, both->in[0]);
    if (!st)
        st = single(f, both->in[1]);
    if (!st)
        st = view_concat(f, n->in[0]);
    if (!st)
        st = single(f, n->in[1]);
    if (!st)
        st = new_step(f, node, n->in[0], &s);
    if (!st)
        s->in[s->pieces++] = f->pieces[n->in[1]][0];
    return st;
}

static tt_status fuse_node(fusing *f, int node)
{
    const tt_node *n = &f->g->node[node];
    tt_step *s;
    tt_status st;
    bool done = false;
    switch (n->op) {
    case TT_OP_INPUT:
        return stored(f, node);
    case TT_OP_CONCAT:
        return view_concat(f, node);
    case TT_OP_CROP:
        return view_crop(f, node);
    case TT_OP_CONV:
    case TT_OP_DECONV:
        st = readable(f, n);
        return st ? st : new_step(f, node, n->in[0], &s);
    case TT_OP_SHUFFLE:
    case TT_OP_NEAREST:
    case TT_OP_UNSHUFFLE:
        if (n->r == 1)
            return view_crop(f, node); /* nothing moves: a view */
        s = n->op == TT_OP_SHUFFLE ? open_conv(f, n->in[0]) : NULL;
        if (s && s->op == TT_OP_CONV && !s->adds && !s->shuffle && s->node->channels > TT_NARROW_MAX) {
            s->shuffle = n->r;
            return absorb(f, s, node);
        }
        return elementwise(f, node);
    case TT_OP_ADD:
        st = fuse_add(f, node, &done);
        return st || done ? st : elementwise(f, node);
    case TT_OP_AFFINE:
        s = open_conv(f, n->in[0]);
        if (s && !s->shuffle) {
            s->norm = &f->net->graph->node[node];
            return absorb(f, s, node);
        }
        st = elementwise(f, node);
        if (!st)
            f->net->step[f->step_of[node]].norm = &f->net->graph->node[node];
        return st;
    case TT_OP_ACT:
        s = n->act == TT_ACT_RELU ? open_step(f, n->in[0]) : NULL;
        if (s && (s->op == TT_OP_AFFINE || s->op == TT_OP_CONV || s->op == TT_OP_DECONV) && !s->shuffle) {
            s->relu = true;
            return absorb(f, s, node);
        }
        return n->act == TT_ACT_GELU && open_chain(f, n->in[0]) ? fuse_tokens(f, node) : elementwise(f, node);
    case TT_OP_ATTEND:
        return attend(f, node);
    case TT_OP_CLAMP:
        s = open_conv(f, n->in[0]);
        if (s && !s->shuffle) {
            s->clamp = true;
            s->lo = n->lo;
            s->hi = n->hi;
            return absorb(f, s, node);
        }
        return elementwise(f, node);
    case TT_OP_NORM:
    case TT_OP_LINEAR:
    case TT_OP_ATTENTION:
        return fuse_tokens(f, node);
    case TT_OP_FIT: /* what is copied out may be cut; who reads it as a map must have one */
        return node == f->g->output ? view_crop(f, node) : elementwise(f, node);
    default:
        return elementwise(f, node);
    }
}

static int by_output(const void *a, const void *b)
{
    const tt_step *x = a, *y = b;
    return (x->out > y->out) - (x->out < y->out);
}

/* A fused step runs where its last node stood: all it reads is there by then. */
static void order_steps(tt_net *net)
{
    qsort(net->step, (size_t)net->steps, sizeof *net->step, by_output);
    int dead = 0;
    while (dead < net->steps && net->step[dead].out < 0)
        dead++;
    memmove(net->step, net->step + dead, (size_t)(net->steps - dead) * sizeof *net->step);
    net->steps -= dead;
}

static tt_status fuse(tt_net *net, const tt_graph *g, tt_error *err)
{
    const size_t n = (size_t)g->count;
    fusing f = {.net = net, .g = g, .err = err};
    f.uses = calloc(n, sizeof *f.uses);
    f.step_of = malloc(n * sizeof *f.step_of);
    f.pieces = calloc(n, sizeof *f.pieces);
    f.count = calloc(n, sizeof *f.count);
    tt_status st = f.uses && f.step_of && f.pieces && f.count ? TT_OK : no_memory(&f);
    for (int i = 0; i < g->count && !st; i++) {
        f.step_of[i] = -1;
        for (int j = 0; j < 2; j++)
            if (g->node[i].in[j] >= 0)
                f.uses[g->node[i].in[j]]++;
    }
    if (!st)
        f.uses[g->output]++;
    for (int i = 0; i < g->count && !st; i++)
        st = fuse_node(&f, i);
    if (!st) {
        net->result = f.pieces[g->output];
        net->result_pieces = f.count[g->output];
        f.pieces[g->output] = NULL;
        order_steps(net);
    }
    for (int i = 0; f.pieces && i < g->count; i++)
        free(f.pieces[i]);
    free(f.pieces);
    free(f.count);
    free(f.step_of);
    free(f.uses);
    return st;
}

/* ---- facts ---------------------------------------------------------------------------------------- */

/* step as a fraction of small numbers: scales are products of 2, 3 and their inverses */
static void fraction(double step, int *num, int *den)
{
    for (*den = 1; *den < 4096; ++*den) {
        const double n = step * *den;
        if (fabs(n - nearbyint(n)) < 1e-9 * *den) {
            *num = (int)nearbyint(n);
            return;
        }
    }
    *num = *den = 1;
}

static tt_status reckon_facts(tt_net *net, tt_error *err)
{
    const tt_graph *g = net->graph;
    tt_net_facts *f = &net->facts;
    tt_reach *reach = calloc((size_t)g->count, sizeof *reach);
    if (!reach)
        return tt_fail_memory(err, (size_t)g->count * sizeof *reach);
    tt_net_reach(g, reach);
    bool windows = false;
    f->multiple = 1;
    for (int i = 0; i < g->count; i++) {
        const tt_node *n = &g->node[i];
        windows |= n->window > 0;
        if (n->op == TT_OP_UNSHUFFLE || n->window) {
            const int m = (int)ceil(reach[i].step) * (n->window ? n->window : 1);
            f->multiple = tt_common_multiple(f->multiple, m);
        }
        if (n->bicubic)
            continue; /* weights of ours, which nobody trained */
        f->convolutions += n->weight != NULL;
        const tt_tensor *const trained[] = {n->weight, n->bias, n->slopes, n->weight_g, n->norm[0], n->norm[1]};
        for (size_t j = 0; j < sizeof trained / sizeof *trained; j++)
            f->parameters += trained[j] ? trained[j]->count : 0;
    }
    f->parameters += g->scalars;
    tt_reach *out = &reach[g->output];
    const int period = (int)lrint(ceil(f->multiple / out->step));
    const tt_status st = windows && !out->global ? tt_net_trace(net, NULL, period, out, err) : TT_OK;
    f->in_channels = g->node[g->input].channels;
    f->out_channels = g->node[g->output].channels;
    fraction(out->step, &f->scale_den, &f->scale_num);
    f->steps = net->steps;
    f->global = out->global;
    f->reach_step = out->step;
    f->reach_lo = out->lo;
    f->reach_hi = out->hi;
    f->receptive_field = (int)ceil(out->hi - out->lo - 1e-9) + 1;
    free(reach);
    return st;
}

/* ---- life ----------------------------------------------------------------------------------------- */

static tt_graph *copy_graph(const tt_graph *g)
{
    tt_graph *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    *c = *g;
    c->used = NULL;
    c->fixed = NULL;
    c->count = 0;
    c->node = malloc((size_t)g->count * sizeof *c->node);
    for (; c->node && c->count < g->count; c->count++) {
        tt_node *n = &c->node[c->count];
        *n = g->node[c->count];
        n->name = strdup(n->name);
        if (!n->name)
            break;
    }
    if (c->count == g->count)
        return c;
    tt_graph_free(c);
    return NULL;
}

tt_status tt_net_new(tt_net **out, const tt_graph *graph, const tt_kernels *k, tt_error *err)
{
    *out = NULL;
    tt_net *net = calloc(1, sizeof *net);
    if (!net)
        return tt_fail_memory(err, sizeof *net);
    net->k = *k;
    net->graph = copy_graph(graph);
    tt_status st = net->graph ? fuse(net, net->graph, err) : tt_fail_memory(err, (size_t)graph->count);
    if (!st)
        st = reckon_facts(net, err);
    for (int i = 0; i < net->steps && !st; i++) {
        if (tt_ops[net->step[i].op]->pack)
            st = tt_ops[net->step[i].op]->pack(net, &net->step[i], graph->weights, err);
        net->facts.packed_bytes += net->step[i].packed_bytes;
    }
    if (st) {
        tt_net_free(net);
        return st;
    }
    net->graph->weights = NULL; /* from here on nothing of the file is needed */
    for (int i = 0; i < net->graph->count; i++) {
        tt_node *n = &net->graph->node[i];
        n->weight = n->bias = n->slopes = n->spectral_u = n->spectral_v = n->weight_g = NULL;
        memset(n->norm, 0, sizeof n->norm);
    }
    *out = net;
    return TT_OK;
}

void tt_net_free(tt_net *net)
{
    if (!net)
        return;
    for (int i = 0; i < net->steps; i++)
        tt_step_clear(&net->step[i]);
    free(net->step);
    free(net->result);
    tt_graph_free(net->graph);
    free(net);
}

void tt_net_get_facts(const tt_net *net, tt_net_facts *f)
{
    *f = net->facts;
}
