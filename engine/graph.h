/* The described network as data: nodes in an order in which inputs come first. Internal to engine/ and tests/. */
#ifndef TT_ENGINE_GRAPH_H
#define TT_ENGINE_GRAPH_H

#include "engine/build.h"

typedef enum tt_op {
    TT_OP_INPUT,
    TT_OP_CONV,
    TT_OP_DECONV,
    TT_OP_CONCAT,
    TT_OP_ADD, /* in[0] + scale * in[1] */
    TT_OP_ACT,
    TT_OP_CLAMP,
    TT_OP_CROP,
    TT_OP_NEAREST,
    TT_OP_SHUFFLE,
    TT_OP_UNSHUFFLE,
    TT_OP_MEAN,
    TT_OP_GATE, /* in[0] * in[1] */
    TT_OP_LEVELS, /* scale * in[0] + offset of the channel */
    TT_OP_PAD, /* reflected on the right and below to a multiple of r */
    TT_OP_FIT, /* the upper left part of in[0], r times as large as in[1] */
    TT_OP_NORM,
    TT_OP_LINEAR,
    TT_OP_ATTENTION,
    TT_OP_AFFINE, /* in[0] * gain + shift, a channel each: a batch norm, or the numbers scale and lo */
    TT_OP_POOL,   /* 3x3 maximum of stride 2 */
    TT_OP_BLUR,   /* 2x2 mean, of the size of in[1] */
    TT_OP_ATTEND, /* in[0]: query's channels, then key's; in[1]: value */
    TT_OPS
} tt_op;

typedef struct tt_node {
    tt_op op;
    int in[2]; /* node ids, -1 where there is none */
    int channels;
    char *name; /* the weight's prefix, or the operation's word; owned by the graph */
    int k, stride, pad; /* CONV, DECONV; pad of CONV is the border on each side */
    bool replicate;
    bool bicubic; /* CONV: the fixed weights of a reduction to r / stride */
    tt_act act;
    float slope;
    const tt_tensor *weight, *bias, *slopes; /* borrowed from the weights (or the graph's); bias and slopes may be NULL */
    /* What the weight is folded with, or NULL: weight / (u . W v); weight * g / |weight| for each output; then the
     * batch norm (weight, bias, mean, variance) that follows. AFFINE: only the norm. */
    const tt_tensor *spectral_u, *spectral_v, *weight_g, *norm[4];
    float scale, lo, hi;
    int r; /* NEAREST, SHUFFLE, UNSHUFFLE, FIT factor; CROP pixels; PAD multiple */
    float offset[4]; /* LEVELS */
    float eps; /* NORM */
    int heads, window, shift; /* ATTENTION; window 0: any other operation */
} tt_node;

enum { TT_MOST_SCORED = 2048 }; /* channels of query and key */
#define TT_NORM_EPSILON 1e-5 /* of every batch norm */

struct tt_graph {
    const tt_weights *weights; /* borrowed */
    unsigned char *used;       /* of each tensor of the file: tt_graph_uses() */
    tt_tensor **fixed;         /* weights that are in no file: each with its values in one block, owned; NULL ends */
    tt_node *node;
    int count;
    int input, output; /* ids */
    int prepared;      /* id: what the published network takes; the input, as a rule */
    size_t scalars;    /* single numbers read by tt_scalar() */
};

#endif
