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
    float scale, lo, hi;
    int r; /* NEAREST, SHUFFLE, UNSHUFFLE, FIT factor; CROP pixels; PAD multiple */
    float offset[4]; /* LEVELS */
    float eps; /* NORM */
    int heads, window, shift; /* ATTENTION; window 0: any other operation */
} tt_node;

struct tt_graph {
    const tt_weights *weights; /* borrowed */
    unsigned char *used;       /* of each tensor of the file: tt_graph_uses() */
    tt_tensor **fixed;         /* weights that are in no file: each with its values in one block, owned; NULL ends */
    tt_node *node;
    int count;
    int input, output; /* ids */
    int prepared;      /* id: what the published network takes; the input, as a rule */
};

#endif
