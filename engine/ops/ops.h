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
 * to zeros (or to the edge row), and where steps run in strips (engine/strips.c) a ring of rows takes the place of a
 * whole map. The step that writes a row also writes its borders.
 */
#ifndef TT_ENGINE_OPS_OPS_H
#define TT_ENGINE_OPS_OPS_H

#include "engine/graph.h"
#include "engine/net.h"
#include "engine/plan.h"

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
    int *plane_count; /* of CONV whose input is blocked: the channels of each block, planes of them; else NULL */
    int planes;
    ptrdiff_t taps; /* values in all segments */
    float *weights; /* packed as tt_conv_row says; NULL: stored in 16 bits, see tt_step.half */
    size_t floats, at; /* of them; and where those of this class begin in tt_step.half */
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
    /* Weights that came in 16 bits and lost nothing by it stay so, the classes behind each other, and are widened before each
     * run of the step. */
    uint16_t *half;
    size_t halves;
    tt_from_half_fn *widen;
    float *bias, *slopes;
    float *gain, *shift; /* of the norm, as many as bias; NULL where there is none */
    size_t packed_bytes;
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
    int first, last;      /* tasks */
    int reads;            /* columns that are read beyond its own, whatever else has the same place */
    bool reads_edge;      /* ... and they repeat the edge */
} tt_value;

/*
 * How a step's work is divided: bands, one after the other, of `units` calls of row() each. Band b makes rows
 * b * tall - before .. (b + 1) * tall - before - 1 of the result, as far as there are such. tall 0: all rows are there
 * when the last band is done.
 */
typedef struct tt_work {
    int bands, units, tall, before;
} tt_work;

/* A run is a list of tasks: 0 copies the input in, 1..steps are the steps, steps + 1 copies the output out. */
typedef struct tt_task {
    tt_work work;
    int advance; /* most bands a strip */
    int done;    /* bands, in a run and while planning */
    int was;     /* bands before the strip, while planning */
    double rate; /* rows of its result for a row of the input */
    bool alone;  /* in no strips: it runs to its end before the next task begins */
    bool cut;    /* not in strips with the task before it */
    int group, group_end; /* the tasks that it takes turns with: the first, and the one behind the last */
    int use;     /* the first of its uses; they go on to that of the next task */
    size_t change; /* floats more than before that are in use: modulo SIZE_MAX + 1 */
} tt_task;

/*
 * How a step is computed on this size: a convolution directly, or by Winograd's tiles (engine/ops/wino.c), the first of
 * which begins `before` rows above and columns left of the result.
 */
typedef struct tt_way {
    tt_wino form;
    int before;
} tt_way;

/* A task reads a value that another makes: for row y of its result rows ceil(y * step + lo)..floor(y * step + hi), as
 * far as there are such rows. */
typedef struct tt_use {
    int maker, reader; /* tasks */
    int value;
    double step, lo, hi;
} tt_use;

/* Bands from..to-1 of a step, in one of its rounds, to be divided among `threads`. */
typedef struct tt_share {
    int from, to;
    int threads;
    int round;
} tt_share;

struct tt_plan {
    const tt_net *net;
    tt_extent *extent; /* of every node */
    tt_way *way;       /* of every step */
    tt_value *value;   /* one a node */
    float *arena;
    size_t arena_floats;
    int threads;
    long cache; /* bytes of the second cache */
    int most_segments;
    const float **segment; /* most_segments a thread */
    float *zeros;          /* a row above or below the picture */
    size_t zero_floats;
    float *scratch;        /* scratch_floats a thread: a row before its pixel shuffle; tokens; what room() asks */
    size_t scratch_floats;
    float *shared;         /* what all threads of a step share, beside its values */
    size_t shared_floats;
    tt_task *task;         /* steps + 2 of them, and an end for `use` */
    tt_use *use;
    int strip;             /* rows of the input a strip; 0: no steps run in strips */
    float *take, *give;    /* rows on their way in and out: planar, take_rows and give_rows of them (facts) */
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
    tt_work (*work)(const tt_plan *p, const tt_step *s); /* NULL: a band and a unit a row of the result */
    /* One unit of a band. */
    void (*row)(const tt_plan *p, const tt_step *s, int unit, int thread);
    /* Or parts that the operation makes of all bands at once, in rounds (NULL: one), one after the other. row is not called
     * where there are parts. */
    int (*rounds)(const tt_plan *p, const tt_step *s);
    int (*parts)(const tt_plan *p, const tt_step *s, const tt_share *a);
    void (*part)(const tt_plan *p, const tt_step *s, const tt_share *a, int part, int thread);
    /* Work that must be done before a round begins: how many pieces of it, and one. NULL: none. */
    int (*early)(const tt_plan *p, const tt_step *s, const tt_share *a);
    void (*early_part)(const tt_plan *p, const tt_step *s, const tt_share *a, int part, int thread);
    /* After rows y0..y1-1 of the result, alone; may be NULL. */
    void (*finish)(const tt_plan *p, const tt_step *s, int y0, int y1);
} tt_op_def;
extern const tt_op_def *const tt_ops[TT_OPS];

/* The columns that a step reads beyond a piece's w pixels: before it and behind it. For CONV and DECONV. */
void tt_conv_need(const tt_plan *p, const tt_step *s, int piece, int *before, int *behind);
tt_status tt_conv_pack(tt_net *net, tt_step *s, const tt_weights *w, tt_error *err);
/* Does each strip read the weights of this convolution from memory, as they are larger than the cache and rows are short? */
bool tt_conv_rereads(const tt_plan *p, const tt_step *s);
/* The result of a convolution before a fused pixel shuffle. */
tt_extent tt_conv_extent(const tt_plan *p, const tt_step *s);
/* Row y of a piece as a convolution of this step reads it, pixel 0 of plane 0: above and below the picture zeros or the edge
 * row, a plane of which is *plane floats behind the one before. */
const float *tt_conv_input(const tt_plan *p, const tt_step *s, int piece, int y, ptrdiff_t *plane);
/* What follows a row of a convolution's result once columns x0..x1-1 of planes from..to-1 are there: a norm, borders. */
void tt_conv_close(const tt_plan *p, const tt_step *s, int y, int x0, int x1, int from, int to);
/* Pixel shuffle of columns x0..x1-1 of row y of the convolution, which lie at `from`, into the rows of the result. */
void tt_conv_shuffle(const tt_plan *p, const tt_step *s, int y, int x0, int x1, const float *from, ptrdiff_t plane);

/* ---- Winograd: engine/ops/wino.c ---------------------------------------------------------------------- */

/*
 * The form that computes a step fastest whose result is of this size, or TT_WINO_NONE. Depends on the size of the whole
 * picture, never on a tile's, a strip's or the number of threads, for each form has bits of its own.
 */
tt_wino tt_wino_choose(const tt_net *net, const tt_step *s, tt_extent whole, tt_conv_choice choice);
extern const tt_op_def tt_op_tiles; /* how such a step runs: room, work, rounds, early, parts */

/* ---- sizes and grids: engine/grid.c ------------------------------------------------------------------ */

/* What output rows above one period of the grid that all windows and tiles lie on see of the input; way as below, or NULL. */
tt_status tt_net_trace(const tt_net *net, const tt_way *way, int period, tt_reach *out, tt_error *err);
/* The way of each step of a net, `extent` being those of the nodes on the whole picture. */
tt_status tt_net_ways(const tt_net *net, const tt_extent *extent, tt_conv_choice conv, tt_way *way, tt_error *err);
/* The places of the grids, of steps whose forms are known. */
tt_status tt_net_skew(const tt_net *net, const tt_extent *extent, tt_way *way, tt_error *err);
/* tt_net_get_tiling() with the form of each step, or NULL: those that the CPU chooses. */
tt_status tt_net_tiling_of(const tt_net *net, int h, int w, const tt_wino *form, tt_net_tiling *t, tt_error *err);
/* What each node needs of the input. */
void tt_net_reach(const tt_graph *g, tt_reach *reach);
/* Sizes of all nodes for an input of h x w. */
tt_status tt_net_extents(const tt_net *net, tt_extent *extent, int h, int w, tt_error *err);
static inline const tt_way *tt_way_of(const tt_plan *p, const tt_step *s)
{
    return &p->way[s - p->net->step];
}
/* How a step of this plan runs. */
static inline const tt_op_def *tt_op_of(const tt_plan *p, const tt_step *s)
{
    return tt_way_of(p, s)->form == TT_WINO_NONE ? tt_ops[s->op] : &tt_op_tiles;
}
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
/* s->gain and shift, and s->relu, over w pixels of planes from..to-1 of a row of the step's result; src may be dst. */
void tt_affine_row(const tt_plan *p, const tt_step *s, const float *src, ptrdiff_t src_plane, float *dst, int w,
                   int from, int to);

/* The operations of a step on the size planned for, a multiply-add counting two. */
double tt_step_flops(const tt_plan *p, const tt_step *s);

/* ---- strips: engine/strips.c ------------------------------------------------------------------------ */

/* Tasks, what they read, and which of them can only run alone. After the shapes. */
tt_status tt_strips_init(tt_plan *p, tt_error *err);
/* Strips of `rows` input rows, 0 for none, as tt_task.alone and cut say: groups, advances, and of each value the rows
 * that must exist (ring), when it is first and last wanted. */
void tt_strips_schedule(tt_plan *p, int rows);
/* Is there no way but to run this task alone? A barrier: it reads a value as a whole. */
bool tt_strips_barrier(const tt_plan *p, int task);
/* Up to which band the task may go in this strip; and the rows of its result that are there when `bands` are done. */
int tt_strips_next(const tt_plan *p, int task);
int tt_rows_made(const tt_plan *p, int task, int bands);

static inline const tt_step *tt_task_step(const tt_plan *p, int task)
{
    return &p->net->step[task - 1];
}

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
/* Write the borders of a row that has just been computed; or some of those of planes from..to-1. */
void tt_row_border(const tt_plan *p, const tt_value *v, int y);
void tt_row_edges(const tt_plan *p, const tt_value *v, int y, int from, int to, bool left, bool right);

/* Size and reach rules that several operations share. */
bool tt_size_same(const tt_node *n, const tt_extent *in, tt_extent *out);
void tt_reach_same(const tt_node *n, const tt_reach *in, tt_reach *out);

#endif
