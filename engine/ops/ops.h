/*
 * What the engine knows between a graph and its run, and the operations. Internal to engine/.
 *
 * A value is a feature map in the arena. Its storage is decided by its channels alone: up to TT_NARROW_MAX channels
 * it is planar (b = 1), else blocked (b = block of the kernel table). One image row is
 *
 *      plane 0                        plane 1                       (a plane: one block of b channels)
 *     | border | W pixels | border | border | W pixels | border | ...
 *
 * and rows follow each other. Only row pointers matter to a step, so a row above or below the picture is a pointer
 * to zeros (or to the edge row), and in strips (engine/strips.c) a ring of rows takes the place of a whole map. The
 * step that writes a row also writes its borders.
 */
#ifndef TT_ENGINE_OPS_OPS_H
#define TT_ENGINE_OPS_OPS_H

#include "engine/graph.h"
#include "engine/net.h"
#include "engine/plan.h"

#include <stdatomic.h>

typedef struct tt_extent {
    int h, w;
} tt_extent;

/* Row y of a value needs rows [y * step + lo, y * step + hi] of the input. */
typedef struct tt_reach {
    double step, lo, hi;
    bool global;
} tt_reach;

/* A stored value, or a cropped view of it. A concatenation is a list of them: nothing is copied. */
typedef struct tt_piece {
    int value;    /* node id */
    int crop;     /* pixels left out on each side */
    int channels;
} tt_piece;

/* A run of input values beside each other: where it begins, relative to the output pixel. */
typedef struct tt_segment {
    int piece, plane;
    int dy, dx;
    int count;
} tt_segment;

/* The segments that one parity class of output pixels sums over, and their weights. A convolution has one class, a
 * transposed one stride * stride. */
typedef struct tt_taps_class {
    tt_segment *segment;
    int *count; /* of each segment, beside each other as the kernel wants them */
    int segments;
    ptrdiff_t taps; /* values in all segments */
    float *weights; /* packed as tt_conv_row says */
} tt_taps_class;

/* One operation of a chain on tokens: see engine/ops/tokens.c. */
typedef struct tt_stage {
    const tt_node *node;
    float *weights, *bias; /* packed; of an attention the expanded biases, and where those of each form begin */
    size_t form[9];
} tt_stage;

typedef struct tt_step {
    tt_op op;
    const tt_node *node; /* with the weights and numbers */
    int out;             /* the value it stores: the last node fused into it */
    tt_piece *in;        /* owned */
    int pieces;
    tt_piece gate;       /* GATE's second input */
    /* fused into a convolution, in this order */
    int shuffle;         /* pixel shuffle by this factor; 0: none */
    int adds;
    tt_piece add[2];
    float scale[2];
    int nearest;         /* after a shuffle: add[0] is enlarged by this factor */
    bool clamp;
    float lo, hi;
    tt_stage *stage;     /* owned; NORM, LINEAR, ATTENTION: the operations in their order, of which node is the first */
    int stages;          /* then add[0] is added */
    const tt_node *norm; /* AFFINE after all that, or the step's own */
    bool relu;           /* and ReLU after that; also of an AFFINE step */
    /* packed */
    tt_taps_class *taps; /* CONV: 1, DECONV: stride * stride, [ry][rx] */
    int classes;
    float *bias, *slopes;
    float *gain, *shift; /* of the norm, as many as bias; NULL where there is none */
    size_t packed_bytes;
    int strips;          /* as in the node of its result */
} tt_step;

struct tt_net {
    tt_kernels k;
    tt_graph *graph; /* a copy without weights */
    tt_step *step;
    int steps;
    tt_piece *result; /* of the graph's output */
    int result_pieces;
    tt_net_facts facts;
};

typedef struct tt_value {
    bool stored;
    int c, h, w;
    int b, planes, border;
    bool replicate; /* the borders repeat the edge pixel */
    int ring;       /* rows that exist, row y at y % ring: h, or fewer in strips */
    ptrdiff_t plane, row; /* floats */
    size_t floats;        /* in all */
    size_t at;            /* place in the arena, floats */
    int place;            /* the value whose place it has: itself, or one that dies where it is written */
    int first, last;      /* steps; -1 is the input's copy, `steps` the output's */
} tt_value;

/* Steps first..last that run in strips: after strip t of `count`, step i has done done[t * steps + i - first] units of
 * its work (rows of tt_op_def.rows). */
typedef struct tt_strips {
    int first, last, count;
    int *done;
} tt_strips;

struct tt_plan {
    const tt_net *net;
    tt_extent *extent; /* of every node */
    tt_value *value;   /* one a node */
    float *arena;
    size_t arena_floats;
    int threads;
    int most_segments;
    const float **segment; /* most_segments a thread */
    float *zeros;          /* a row above or below the picture */
    size_t zero_floats;
    float *scratch;        /* scratch_floats a thread: a row before its pixel shuffle; tokens; what room() asks */
    size_t scratch_floats;
    float *shared;         /* what all threads of a step share, beside its values */
    size_t shared_floats;
    tt_strips *strips;     /* in the order of their steps */
    int strips_count;
    double *sums;          /* MEAN: planes * b a row */
    size_t sums_count;
    double *work; /* of each step, in some unit: for progress */
    double work_sum;
    bool keep;
    tt_plan_facts facts;
};

/* One operation: engine/ops/NAME.c, one line in engine/ops/ops.c. */
typedef struct tt_op_def {
    const char *word;
    /* Size of the result; in[1] only where there is a second input. False: it cannot take that. */
    bool (*size)(const tt_node *n, const tt_extent *in, tt_extent *out);
    void (*reach)(const tt_node *n, const tt_reach *in, tt_reach *out);
    double (*flops)(const tt_node *n, int in_channels, tt_extent in, tt_extent out); /* NULL: none */
    tt_status (*pack)(tt_net *net, tt_step *s, const tt_weights *w, tt_error *err);  /* NULL: nothing to pack */
    size_t (*scratch)(const tt_step *s); /* floats a thread; NULL: none */
    /* Floats of p->scratch and p->shared that it needs; false: too many to count. NULL: none. */
    bool (*room)(const tt_plan *p, const tt_step *s, size_t *scratch, size_t *shared);
    /* Work that is done before: rows of it, and one. NULL: none. */
    int (*early_rows)(const tt_plan *p, const tt_step *s);
    void (*early_row)(const tt_plan *p, const tt_step *s, int row, int thread);
    int (*rows)(const tt_plan *p, const tt_step *s); /* rows of work; NULL: those of the result */
    void (*row)(const tt_plan *p, const tt_step *s, int row, int thread);
    void (*finish)(const tt_plan *p, const tt_step *s); /* after all rows, alone; may be NULL */
} tt_op_def;
extern const tt_op_def *const tt_ops[TT_OPS];

/* The columns that a step reads beyond a piece's w pixels: before it and behind it. For CONV and DECONV. */
void tt_conv_need(const tt_plan *p, const tt_step *s, int piece, int *before, int *behind);
void tt_step_clear(tt_step *s);

/*
 * The weight [out, ...] of a convolution as floats with everything folded into it that the node says, in double; and
 * into bias [out] what follows from that, where the node's bias is added too. TT_ERR_NUMERIC by name.
 */
tt_status tt_fold(const tt_weights *w, const tt_node *n, float *values, float *bias, tt_error *err);
/* Gain and shift [channels] of an AFFINE node. TT_ERR_NUMERIC by name. */
tt_status tt_norm_floats(const tt_weights *w, const tt_node *n, float *gain, float *shift, tt_error *err);
/* s->norm into s->gain and s->shift. */
tt_status tt_affine_pack(tt_net *net, tt_step *s, const tt_weights *w, tt_error *err);
/* s->gain and shift, and s->relu, over planes from..to-1 of a row of the step's result; src may be dst. */
void tt_affine_row(const tt_plan *p, const tt_step *s, const float *src, ptrdiff_t src_plane, float *dst, int from,
                   int to);

/* Rows of work of a step: those of its result, unless the operation says otherwise. */
int tt_step_rows(const tt_plan *p, const tt_step *s);
/* Its work, a multiply-add counting two. */
double tt_step_flops(const tt_plan *p, const tt_step *s);

/* engine/strips.c: which steps run in strips, how far each goes, how many rows of their values exist. After the
 * shapes, before the arena. */
tt_status tt_strips_plan(tt_plan *p, tt_error *err);

/* ---- rows ----------------------------------------------------------------------------------------- */

static inline int tt_block_of(const tt_kernels *k, int channels)
{
    return channels <= TT_NARROW_MAX ? 1 : k->block;
}

/* Pixel 0 of row y of plane 0. */
static inline float *tt_row(const tt_plan *p, const tt_value *v, int y)
{
    const int place = y < v->ring ? y : y % v->ring;
    return p->arena + v->at + (size_t)place * (size_t)v->row + (size_t)v->border * (size_t)v->b;
}
static inline const float *tt_piece_row(const tt_plan *p, tt_piece piece, int y)
{
    const tt_value *v = &p->value[piece.value];
    return tt_row(p, v, y + piece.crop) + (size_t)piece.crop * (size_t)v->b;
}
/* Write the borders of a row that has just been computed. */
void tt_row_border(const tt_plan *p, const tt_value *v, int y);
/* The same of planes from..to-1 alone. */
void tt_planes_border(const tt_plan *p, const tt_value *v, int y, int from, int to);

/* Size and reach rules that several operations share. */
bool tt_size_same(const tt_node *n, const tt_extent *in, tt_extent *out);
void tt_reach_same(const tt_node *n, const tt_reach *in, tt_reach *out);

#endif
