/*
 * Does an ncnn file compute what the network we are about to run computes?
 *
 * Both graphs are written as terms, an operation on numbered terms, and equal terms get one number
 * (hash-consing: Ershov 1958). Spelling is taken out on the way: a Split is what it splits, an activation
 * stands apart from its convolution, x + 0.2 y is a sum of x and of y times 0.2, a concatenation of five is
 * four of two. Weights are the tensors themselves, whose places the published names have fixed. The graphs
 * are the same when their results have the same number; else the first layer whose number the network does
 * not have is where they part.
 */
#include "engine/alloc.h"
#include "engine/graph.h"
#include "engine/weights/ncnn.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OP_SCALE = TT_OPS,
    OP_RESIZE
}; /* in[0] times a; the k * k phases of in[0] by bicubic at k/stride of its size */

/* Compared and hashed as bytes: no padding, and zero wherever an operation has no use for a field. */
typedef struct term {
    int op; /* tt_op, or one of the above */
    int in[2];
    int k, stride, pad, r;
    int act;    /* ACT: TT_ACT_PRELU or TT_ACT_SIGMOID; a ReLU is a PReLU of slope 0 */
    float a, b; /* slope; factor; bounds of a clamp */
    const tt_tensor *weight, *bias, *slopes;
} term;

/* The height of a layer's result: a * (height of the picture) + b */
typedef struct height {
    double a, b;
} height;

typedef struct check {
    const tt_weights *w;
    const tt_graph *g;
    term *term;
    const char **label; /* of each: the layer or node it comes from */
    int terms;
    int *table; /* open addressing: terms by hash, -1 where there is none */
    size_t mask;
    int wanted;                       /* terms below this are the network's */
    int *node;                        /* the term of each node of g */
    int *blob;                        /* the term of each blob of w; -1 before it is made */
    height *high;                     /* of each blob */
    const tt_tensor **weight, **bias; /* of each layer; NULL where it has none */
    tt_error *err;
} check;

static int number_of(check *c, term t, const char *label)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    const unsigned char *bytes = (const unsigned char *)&t;
    for (size_t i = 0; i < sizeof t; i++)
        hash = (hash ^ bytes[i]) * 1099511628211u;
    size_t at = (hash ^ hash >> 32) & c->mask;
    for (; c->table[at] >= 0; at = (at + 1) & c->mask)
        if (!memcmp(&c->term[c->table[at]], &t, sizeof t))
            return c->table[at];
    c->table[at] = c->terms;
    c->label[c->terms] = label;
    c->term[c->terms] = t;
    return c->terms++;
}

/* ---- terms both graphs are made of ---------------------------------------------------------------- */

static int scaled(check *c, int x, float factor, const char *label)
{
    return factor == 1 ? x : number_of(c, (term){.op = OP_SCALE, .in = {x, -1}, .a = factor}, label);
}

static int sum(check *c, int x, int y, const char *label)
{
    return number_of(c, (term){.op = TT_OP_ADD, .in = {x < y ? x : y, x < y ? y : x}}, label);
}

static int pair(check *c, int op, int x, int y, const char *label)
{
    return number_of(c, (term){.op = op, .in = {x, y}}, label);
}

/* crop, nearest, shuffle, unshuffle */
static int moved(check *c, int op, int x, int r, const char *label)
{
    return r == (op == TT_OP_CROP ? 0 : 1) ? x : number_of(c, (term){.op = op, .in = {x, -1}, .r = r}, label);
}

static int activated(check *c, int x, tt_act act, float slope, const tt_tensor *slopes, const char *label)
{
    if (act == TT_ACT_NONE)
        return x;
    if (act == TT_ACT_RELU)
        slope = 0;
    if (slope == 0)
        slope = 0; /* not minus zero */
    const bool bent = act != TT_ACT_SIGMOID;
    return number_of(c,
                     (term){.op = TT_OP_ACT,
                            .in = {x, -1},
                            .act = bent ? TT_ACT_PRELU : TT_ACT_SIGMOID,
                            .a = bent && !slopes ? slope : 0,
                            .slopes = slopes},
                     label);
}

static int clamped(check *c, int x, float lo, float hi, const char *label)
{
    return number_of(c, (term){.op = TT_OP_CLAMP, .in = {x, -1}, .a = lo, .b = hi}, label);
}

/* The phases of a bicubic reduction to num/den; where there are several, a pixel shuffle follows. */
static int reduced(check *c, int x, int num, int den, const char *label)
{
    return number_of(c, (term){.op = OP_RESIZE, .in = {x, -1}, .k = num, .stride = den}, label);
}

/* ---- the network's graph -------------------------------------------------------------------------- */

static int term_of_node(check *c, const tt_node *n)
{
    const int x = n->in[0] >= 0 ? c->node[n->in[0]] : -1, y = n->in[1] >= 0 ? c->node[n->in[1]] : -1;
    int z;
    if (n - c->g->node == c->g->prepared) /* what comes before stays without a number anyone meets */
        return number_of(c, (term){.op = TT_OP_INPUT, .in = {-1, -1}}, n->name);
    switch (n->op) {
    case TT_OP_CONV:
    case TT_OP_DECONV:
        if (n->bicubic)
            return reduced(c, x, n->r, n->stride, n->name);
        z = number_of(c,
                      (term){.op = (int)n->op,
                             .in = {x, -1},
                             .k = n->k,
                             .stride = n->stride,
                             .pad = n->pad,
                             .r = n->replicate,
                             .weight = n->weight,
                             .bias = n->bias},
                      n->name);
        return activated(c, z, n->act, n->slope, n->slopes, n->name);
    case TT_OP_ADD:
        return sum(c, x, scaled(c, y, n->scale, n->name), n->name);
    case TT_OP_ACT:
        return activated(c, x, n->act, n->slope, NULL, n->name);
    case TT_OP_CLAMP:
        return clamped(c, x, n->lo, n->hi, n->name);
    case TT_OP_CONCAT:
    case TT_OP_GATE:
        return pair(c, (int)n->op, x, y, n->name);
    case TT_OP_MEAN:
        return pair(c, (int)n->op, x, -1, n->name);
    default:
        return moved(c, (int)n->op, x, n->r, n->name);
    }
}

/* ---- the file's ----------------------------------------------------------------------------------- */

/* "FILE: line 7: layer NAME: " and the reason */
#define LAYER_FAIL(c, status, l, format, ...)                                                                \
    tt_fail((c)->err, status, "%s: line %zu: layer %.200s: " format, (c)->w->path, (l)->line, (l)->name,     \
            __VA_ARGS__)

/*
 * The keys a type of layer may have, those that must have one value with it: "18=0". Any other key might
 * change what it computes. Keys that are read are checked where they are.
 */
static const struct {
    const char *type;
    int ins, outs; /* 0: any number from 1 */
    const char *keys;
} types[] = {
    {"Input", -1, 1, "0 1 2"}, /* the size the picture once had */
    {"Split", 1, 0, ""},
    {"Convolution", 1, 1, "0 1 2=1 3 4 5 6 8=0 9 10 11 12=1 13 14 15 16 18=0 19=0"},
    {"Deconvolution", 1, 1, "0 1 2=1 3 4 5 6 8=0 9 10 11 12=1 13 14 15 16 18=0 19=0 20=0 21=0 28=0"},
    {"InnerProduct", 1, 1, "0 1 2 8=0 9 10"},
    {"PReLU", 1, 1, "0"},
    {"ReLU", 1, 1, "0"},
    {"Sigmoid", 1, 1, ""},
    {"Clip", 1, 1, "0 1"},
    {"Concat", 0, 1, "0=0"},
    {"Eltwise", 0, 1, "0 1"},
    {"BinaryOp", 0, 1, "0 1 2"},
    {"Scale", 2, 1, "0=-233 1=0"},
    {"Pooling", 1, 1, "0 4"},
    {"Crop", 2, 1, "0 1"},
    {"Interp", 1, 1, "0 1 2 3=0 4=0 5=0 6=0"},
    {"PixelShuffle", 1, 1, "0 1=0"},
    {"Reorg", 1, 1, "0 1=0"},
};

/* May the key stand in `keys`, and with this value? */
static bool allowed(const char *keys, int key, double value)
{
    for (const char *p = keys; *p;) {
        char *end;
        const long k = strtol(p, &end, 10);
        const bool fixed = *end == '=';
        const long v = fixed ? strtol(end + 1, &end, 10) : 0;
        if (k == key)
            return !fixed || value == (double)v;
        p = end + (*end == ' ');
    }
    return false;
}

static tt_status check_keys(check *c, const tt_layer *l)
{
    size_t i = 0;
    const size_t count = sizeof types / sizeof *types;
    while (i < count && strcmp(types[i].type, l->type))
        i++;
    if (i == count)
        return LAYER_FAIL(c, TT_ERR_UNSUPPORTED, l, "its type, %.60s, is of no network known here", l->type);
    const int ins = types[i].ins < 0 ? 0 : types[i].ins ? types[i].ins : l->ins;
    if (l->ins != ins || (types[i].ins == 0 && l->ins < 1) ||
        (types[i].outs ? l->outs != types[i].outs : l->outs < 1))
        return LAYER_FAIL(c, TT_ERR_FORMAT, l, "a %s with %d inputs and %d outputs", l->type, l->ins,
                          l->outs);
    for (int j = 0; j < l->value_count; j++) {
        const tt_layer_value *v = &l->values[j];
        const double first = v->count ? v->value[0] : 0;
        if (!allowed(types[i].keys, v->key, first))
            return LAYER_FAIL(c, TT_ERR_UNSUPPORTED, l, "a %s with %g for key %d is not supported", l->type,
                              first, v->key);
    }
    return TT_OK;
}

static tt_status wrong_value(check *c, const tt_layer *l, int key)
{
    return LAYER_FAIL(c, TT_ERR_UNSUPPORTED, l, "a %s with %g for key %d is not supported", l->type,
                      tt_layer_number(l, key, 0, 0), key);
}

/* A whole number of a key, 0 .. 1024; *bad is the key where it is none. */
static int small(const tt_layer *l, int key, double usual, int *bad)
{
    const double d = tt_layer_number(l, key, 0, usual);
    if (d >= 0 && d <= 1024 && d == (int)d)
        return (int)d;
    *bad = key;
    return 0;
}

/* What key 9 does to the layer's result, with the parameters of key 10. */
static tt_status fused(check *c, const tt_layer *l, int *x)
{
    const double kind = tt_layer_number(l, 9, 0, 0);
    const float first = (float)tt_layer_number(l, 10, 0, 0), second = (float)tt_layer_number(l, 10, 1, 0);
    if (kind == 1 || kind == 2)
        *x = activated(c, *x, TT_ACT_PRELU, kind == 2 ? first : 0, NULL, l->name);
    else if (kind == 3)
        *x = clamped(c, *x, first, second, l->name);
    else if (kind == 4)
        *x = activated(c, *x, TT_ACT_SIGMOID, 0, NULL, l->name);
    else if (kind != 0)
        return wrong_value(c, l, 9);
    return TT_OK;
}

static tt_status convolution(check *c, const tt_layer *l, int in, height h, bool transposed, int *out,
                             height *oh)
{
    const size_t at = (size_t)(l - c->w->layers);
    const bool window = strcmp(l->type, "InnerProduct") != 0;
    int bad = -1;
    term t = {.op = transposed ? TT_OP_DECONV : TT_OP_CONV, .in = {in, -1}, .k = 1, .stride = 1};
    if (window) {
        t.k = small(l, 1, 1, &bad);
        t.stride = small(l, 3, 1, &bad);
        t.pad = small(l, 4, 0, &bad);
        if (small(l, 11, t.k, &bad) != t.k)
            bad = 11;
        if (small(l, 13, t.stride, &bad) != t.stride)
            bad = 13;
        for (int key = 14; key <= 16; key++)
            if (small(l, key, t.pad, &bad) != t.pad)
                bad = key;
        if (!t.stride)
            bad = 3;
        if (bad >= 0)
            return wrong_value(c, l, bad);
    }
    t.weight = c->weight[at];
    t.bias = c->bias[at];
    *oh = transposed ? (height){h.a * t.stride, (h.b - 1) * t.stride - 2 * t.pad + t.k}
                     : (height){h.a / t.stride, (h.b + 2 * t.pad - t.k) / t.stride + 1};
    *out = number_of(c, t, l->name);
    return fused(c, l, out);
}

static tt_status eltwise(check *c, const tt_layer *l, int *out)
{
    if (tt_layer_number(l, 0, 0, 0) != 1)
        return wrong_value(c, l, 0);
    for (int i = 0; i < l->ins; i++) {
        const int x = scaled(c, c->blob[l->in[i]], (float)tt_layer_number(l, 1, i, 1), l->name);
        *out = i ? sum(c, *out, x, l->name) : x;
    }
    return TT_OK;
}

static tt_status binary(check *c, const tt_layer *l, int *out)
{
    const double op = tt_layer_number(l, 0, 0, 0);
    const bool scalar = tt_layer_number(l, 1, 0, 0) == 1;
    if (l->ins != (scalar ? 1 : 2))
        return LAYER_FAIL(c, TT_ERR_FORMAT, l, "a BinaryOp with %d inputs where %d are wanted", l->ins,
                          scalar ? 1 : 2);
    if (scalar && op == 2)
        *out = scaled(c, *out, (float)tt_layer_number(l, 2, 0, 0), l->name);
    else if (!scalar && op == 0)
        *out = sum(c, *out, c->blob[l->in[1]], l->name);
    else
        return wrong_value(c, l, 0);
    return TT_OK;
}

/* The same on all sides, and the second input is of the size that leaves. */
static tt_status crop(check *c, const tt_layer *l, int *out, height *h)
{
    const height ref = c->high[l->in[1]];
    int bad = -1;
    const int r = small(l, 0, 0, &bad);
    if (small(l, 1, 0, &bad) != r)
        bad = 1;
    if (bad >= 0)
        return wrong_value(c, l, bad);
    h->b -= 2 * r;
    if (h->a != ref.a || h->b != ref.b)
        return LAYER_FAIL(c, TT_ERR_UNSUPPORTED, l,
                          "it cuts %d pixels off two sides and another number off the others", r);
    *out = moved(c, TT_OP_CROP, *out, r, l->name);
    return TT_OK;
}

static tt_status interp(check *c, const tt_layer *l, int *out, height *h)
{
    const double kind = tt_layer_number(l, 0, 0, 0), by = tt_layer_number(l, 1, 0, 1);
    if (tt_layer_number(l, 2, 0, 1) != by)
        return wrong_value(c, l, 2);
    *h = (height){h->a * by, h->b * by};
    if (kind == 1 && by >= 1 && by <= 1024 && by == (int)by)
        *out = moved(c, TT_OP_NEAREST, *out, (int)by, l->name);
    else if (kind == 3 && by == 0.5)
        *out = reduced(c, *out, 1, 2, l->name);
    else if (kind == 3 && by == 0.75)
        *out = moved(c, TT_OP_SHUFFLE, reduced(c, *out, 3, 4, l->name), 3, l->name);
    else
        return wrong_value(c, l, kind == 1 || kind == 3 ? 1 : 0);
    return TT_OK;
}

/* Pixel shuffle and its inverse. */
static tt_status shuffle(check *c, const tt_layer *l, int *out, height *h)
{
    const bool up = !strcmp(l->type, "PixelShuffle");
    int bad = -1;
    const int r = small(l, 0, 1, &bad);
    if (bad >= 0 || !r)
        return wrong_value(c, l, 0);
    *h = (height){up ? h->a * r : h->a / r, up ? h->b * r : h->b / r};
    *out = moved(c, up ? TT_OP_SHUFFLE : TT_OP_UNSHUFFLE, *out, r, l->name);
    return TT_OK;
}

/* The term of what a layer makes. */
static tt_status term_of_layer(check *c, const tt_layer *l, int *out, height *h)
{
    const tt_status st = check_keys(c, l);
    if (st)
        return st;
    const char *type = l->type;
    *out = l->ins ? c->blob[l->in[0]] : -1;
    *h = l->ins ? c->high[l->in[0]] : (height){1, 0};
    if (!strcmp(type, "Convolution") || !strcmp(type, "InnerProduct"))
        return convolution(c, l, *out, *h, false, out, h);
    if (!strcmp(type, "Deconvolution"))
        return convolution(c, l, *out, *h, true, out, h);
    if (!strcmp(type, "Eltwise"))
        return eltwise(c, l, out);
    if (!strcmp(type, "BinaryOp"))
        return binary(c, l, out);
    if (!strcmp(type, "Crop"))
        return crop(c, l, out, h);
    if (!strcmp(type, "Interp"))
        return interp(c, l, out, h);
    if (!strcmp(type, "PixelShuffle") || !strcmp(type, "Reorg"))
        return shuffle(c, l, out, h);
    if (!strcmp(type, "Input")) {
        *out = number_of(c, (term){.op = TT_OP_INPUT, .in = {-1, -1}}, l->name);
    } else if (!strcmp(type, "PReLU")) {
        *out = activated(c, *out, TT_ACT_PRELU, 0, c->weight[l - c->w->layers], l->name);
    } else if (!strcmp(type, "ReLU")) {
        *out = activated(c, *out, TT_ACT_PRELU, (float)tt_layer_number(l, 0, 0, 0), NULL, l->name);
    } else if (!strcmp(type, "Sigmoid")) {
        *out = activated(c, *out, TT_ACT_SIGMOID, 0, NULL, l->name);
    } else if (!strcmp(type, "Clip")) {
        *out = clamped(c, *out, (float)tt_layer_number(l, 0, 0, -1e30), (float)tt_layer_number(l, 1, 0, 1e30),
                       l->name);
    } else if (!strcmp(type, "Scale")) {
        *out = pair(c, TT_OP_GATE, *out, c->blob[l->in[1]], l->name);
    } else if (!strcmp(type, "Pooling")) {
        if (tt_layer_number(l, 0, 0, 0) != 1 || tt_layer_number(l, 4, 0, 0) != 1)
            return LAYER_FAIL(c, TT_ERR_UNSUPPORTED, l, "%s",
                              "a Pooling that is no mean over the whole map is not supported");
        *out = pair(c, TT_OP_MEAN, *out, -1, l->name);
        *h = (height){0, 1};
    } else if (!strcmp(type, "Concat")) {
        for (int i = 1; i < l->ins; i++)
            *out = pair(c, TT_OP_CONCAT, *out, c->blob[l->in[i]], l->name);
    } /* else Split */
    return TT_OK;
}

/* ---- what differs --------------------------------------------------------------------------------- */

/* What a term stands for: the weight's published name, or the operation's. */
static const char *name_of(const check *c, int id, char *to, size_t room)
{
    const int op = id < 0 ? -1 : c->term[id].op;
    const char *what = op == TT_OP_ACT                          ? "the activated "
                       : op == TT_OP_CONV || op == TT_OP_DECONV ? ""
                                                                : "the ";
    snprintf(to, room, "%s%.80s", what, id < 0 ? "nothing" : op == TT_OP_INPUT ? "picture" : c->label[id]);
    return to;
}

/* A term in words. */
static void say(const check *c, int id, char *to, size_t room)
{
    const term *t = &c->term[id];
    char first[100], second[100];
    const char *x = name_of(c, t->in[0], first, sizeof first),
               *y = name_of(c, t->in[1], second, sizeof second);
    switch (t->op) {
    case TT_OP_INPUT:
        snprintf(to, room, "the picture");
        break;
    case TT_OP_CONV:
    case TT_OP_DECONV:
        snprintf(to, room, "a %sconvolution of %s with %.80s%s, %dx%d, stride %d, padding %d",
                 t->op == TT_OP_CONV ? "" : "transposed ", x, t->weight ? t->weight->name : "no weights",
                 t->bias ? "" : " without bias", t->k, t->k, t->stride, t->pad);
        break;
    case TT_OP_CONCAT:
        snprintf(to, room, "the concatenation of %s and %s", x, y);
        break;
    case TT_OP_ADD:
        snprintf(to, room, "the sum of %s and %s", x, y);
        break;
    case TT_OP_ACT:
        if (t->act == TT_ACT_SIGMOID)
            snprintf(to, room, "the sigmoid of %s", x);
        else if (t->slopes)
            snprintf(to, room, "%s with the slopes %.80s below zero", x, t->slopes->name);
        else
            snprintf(to, room, "%s with the slope %g below zero", x, (double)t->a);
        break;
    case TT_OP_CLAMP:
        snprintf(to, room, "%s clamped to %g .. %g", x, (double)t->a, (double)t->b);
        break;
    case TT_OP_CROP:
        snprintf(to, room, "%s without %d pixels on each side", x, t->r);
        break;
    case TT_OP_NEAREST:
        snprintf(to, room, "%s enlarged %d times", x, t->r);
        break;
    case TT_OP_SHUFFLE:
    case TT_OP_UNSHUFFLE:
        snprintf(to, room, "a pixel %s of %s by %d", t->op == TT_OP_SHUFFLE ? "shuffle" : "unshuffle", x,
                 t->r);
        break;
    case TT_OP_MEAN:
        snprintf(to, room, "the mean of %s", x);
        break;
    case TT_OP_GATE:
        snprintf(to, room, "the product of %s and %s", x, y);
        break;
    case OP_SCALE:
        snprintf(to, room, "%s times %g", x, (double)t->a);
        break;
    default:
        snprintf(to, room, "%s reduced to %d/%d", x, t->k, t->stride);
        break;
    }
}

/* What the network has where the file has term `id`: of those that are alike, the one that shares most. */
static int counterpart(const check *c, int id)
{
    const term *f = &c->term[id];
    int best = -1, most = 0;
    for (int i = 0; i < c->wanted; i++) {
        const term *t = &c->term[i];
        const int shared = 4 * (t->weight && t->weight == f->weight) +
                           2 * (t->in[0] == f->in[0] && f->in[0] >= 0) +
                           2 * (t->in[1] == f->in[1] && f->in[1] >= 0) +
                           (t->in[0] == f->in[1] && f->in[1] >= 0) + (t->in[1] == f->in[0] && f->in[0] >= 0);
        const int points = shared ? 2 * shared + (t->op == f->op) : 0;
        if (points > most) {
            most = points;
            best = i;
        }
    }
    return best;
}

static tt_status differs(check *c, const tt_layer *l, int id)
{
    char found[400], wanted[400] = "nothing of the kind";
    const int other = counterpart(c, id);
    say(c, id, found, sizeof found);
    if (other >= 0)
        say(c, other, wanted, sizeof wanted);
    return LAYER_FAIL(c, TT_ERR_FORMAT, l, "computes %s; %s is wanted", found, wanted);
}

/* ---- the check ------------------------------------------------------------------------------------ */

/* All layers in turn, until one computes what the network does not. */
static tt_status walk(check *c)
{
    const tt_weights *w = c->w;
    for (size_t i = 0; i < w->layer_count; i++) {
        const tt_layer *l = &w->layers[i];
        const int known = c->terms;
        int made = -1;
        height h = {0, 0};
        const tt_status st = term_of_layer(c, l, &made, &h);
        if (st)
            return st;
        if (c->terms > known) /* the first new one: what it was made from is the network's */
            return differs(c, l, known);
        for (int j = 0; j < l->outs; j++) {
            c->blob[l->out[j]] = made;
            c->high[l->out[j]] = h;
        }
    }
    return TT_OK;
}

/* One blob is read by nobody, and it is the network's result. */
static tt_status check_result(check *c)
{
    const tt_weights *w = c->w;
    const int result = c->node[c->g->output];
    const term *t = &c->term[result];
    const int open = t->op == TT_OP_CLAMP && t->a == 0 && t->b == 1 ? t->in[0] : result;
    const tt_layer *last = NULL;
    char text[400];
    for (size_t i = 0; i < w->layer_count; i++)
        for (int j = 0; j < w->layers[i].ins; j++)
            c->high[w->layers[i].in[j]].a = -1; /* read: the heights have served */
    for (size_t i = 0; i < w->layer_count; i++)
        for (int j = 0; j < w->layers[i].outs; j++) {
            const tt_layer *l = &w->layers[i];
            if (c->high[l->out[j]].a == -1)
                continue;
            if (last)
                return LAYER_FAIL(
                    c, TT_ERR_FORMAT, l,
                    "nobody reads what it makes, nor what layer %.200s does; one result is wanted",
                    last->name);
            last = l;
            const int made = c->blob[l->out[j]];
            if (made == result || made == open)
                continue;
            say(c, open, text, sizeof text);
            return LAYER_FAIL(c, TT_ERR_FORMAT, l, "the file ends here; %s is wanted as its result", text);
        }
    return last ? TT_OK : tt_fail(c->err, TT_ERR_FORMAT, "%s: no layer makes a result", w->path);
}

static tt_status prepare(check *c)
{
    const tt_weights *w = c->w;
    size_t terms = 3 * (size_t)c->g->count + 8, table = 64;
    for (size_t i = 0; i < w->layer_count; i++)
        terms += 2 * (size_t)w->layers[i].ins + 4;
    while (table < 2 * terms)
        table *= 2;
    c->term = malloc(terms * sizeof *c->term);
    c->label = malloc(terms * sizeof *c->label);
    c->table = malloc(table * sizeof *c->table);
    c->node = malloc((size_t)c->g->count * sizeof *c->node);
    c->blob = malloc((size_t)w->blobs * sizeof *c->blob);
    c->high = calloc((size_t)w->blobs, sizeof *c->high);
    c->weight = calloc(w->layer_count + 1, sizeof *c->weight);
    c->bias = calloc(w->layer_count + 1, sizeof *c->bias);
    if (!c->term || !c->label || !c->table || !c->node || !c->blob || !c->high || !c->weight || !c->bias)
        return tt_fail_memory(c->err, terms * sizeof *c->term);
    c->mask = table - 1;
    for (size_t i = 0; i < table; i++)
        c->table[i] = -1;
    for (size_t i = 0; i < w->count; i++) {
        const tt_tensor *t = &w->tensors[i];
        const size_t n = strlen(t->name);
        if (t->layer)
            (n > 5 && !strcmp(t->name + n - 5, ".bias") ? c->bias : c->weight)[t->layer - 1] = t;
    }
    return TT_OK;
}

tt_status tt_ncnn_check(const tt_weights *w, const tt_graph *g, tt_error *err)
{
    if (!w->blobs)
        return TT_OK;
    check c = {.w = w, .g = g, .err = err};
    tt_status st = prepare(&c);
    for (int i = 0; i < g->count && !st; i++)
        c.node[i] = term_of_node(&c, &g->node[i]);
    c.wanted = c.terms;
    if (!st)
        st = walk(&c);
    if (!st)
        st = check_result(&c);
    free(c.term);
    free(c.label);
    free(c.table);
    free(c.node);
    free(c.blob);
    free(c.high);
    free(c.weight);
    free(c.bias);
    return st;
}
