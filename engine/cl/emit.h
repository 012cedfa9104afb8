/*
 * From the steps of a network to launches: a file for each kind of steps, and what they share. Functions that return
 * false had no memory. Internal to engine/cl/.
 */
#ifndef TT_ENGINE_CL_EMIT_H
#define TT_ENGINE_CL_EMIT_H

#include "engine/cl/plan.h"
#include "kernels/cl/params.h"

#include <string.h>

/* A map in the arena, and what of it is read. */
typedef struct tt_cl_view {
    int at, row, plane, h, w, channels;
} tt_cl_view;

tt_extent tt_cl_extent_of(const tt_cl_plan *p, const tt_node *n);
/* A node's value, and what a step needs beside it. */
tt_cl_region *tt_cl_value_of(const tt_cl_plan *p, int node);
tt_cl_region *tt_cl_temp_of(const tt_cl_plan *p, int step, int i);
tt_cl_view tt_cl_whole_of(const tt_cl_region *r, int channels, tt_extent e);
tt_cl_view tt_cl_piece_of(const tt_cl_plan *p, tt_piece piece);
tt_cl_view tt_cl_result_of(const tt_cl_plan *p, const tt_step *s);

/*
 * A launch whose result is cols x rows x blocks; its numbers up to OWN are set but for OUT and X, the others are zero.
 * They are good until the next launch is made; so is *out, which is said to write its result: what it reads and computes is for
 * the caller to add. NULL without memory.
 */
int *tt_cl_launch_new(tt_cl_plan *p, tt_cl_kernel kernel, int numbers, int cols, int rows, int blocks,
                      tt_cl_launch **out);

/* Bytes of a map as a kernel reads or writes it, each value once. */
double tt_cl_view_bytes(const tt_cl_plan *p, const tt_cl_view *v);

static inline void tt_cl_put_float(int *to, float f)
{
    memcpy(to, &f, sizeof f);
}

static inline void tt_cl_put_map(int *to, const tt_cl_view *v)
{
    to[0] = v->at;
    to[1] = v->row;
    to[2] = v->plane;
}

/*
 * A launch over columns (pixels, positions) x l->blocks becomes one of kernels/cl/product.cl: in groups of 128 columns and
 * 16 blocks of outputs, or of 64 and 8 where that would leave units of the device idle.
 */
void tt_cl_by_products(const tt_cl *cl, tt_cl_launch *l, int columns, tt_cl_kernel large, tt_cl_kernel small);

/* engine/cl/emit_conv.c */
typedef struct tt_cl_conv {
    const tt_cl_layer *layer;
    const tt_cl_view *in;
    int pieces;
    tt_cl_view out; /* all of it */
    int side;       /* classes side by side: 1, or the stride of a transposed one */
    int stride;
    int grid; /* pixels of the result by which Winograd's tiles begin before it */
    bool replicate;
    tt_act act;
    const tt_step *fused; /* adds, clamp, norm, ReLU of the step; NULL: none */
} tt_cl_conv;
bool tt_cl_emit_conv(tt_cl_plan *p, const tt_cl_conv *c);
bool tt_cl_conv_step(tt_cl_plan *p, int step);

/* engine/cl/emit_map.c */
bool tt_cl_map_step(tt_cl_plan *p, int step);
bool tt_cl_copy_step(tt_cl_plan *p, int step);
bool tt_cl_move_step(tt_cl_plan *p, int step);
bool tt_cl_mean_step(tt_cl_plan *p, int step);
/* Where maps are halves: no value was too large for one yet. */
bool tt_cl_clear_mark(tt_cl_plan *p);
bool tt_cl_load_input(tt_cl_plan *p);
bool tt_cl_store_result(tt_cl_plan *p);

/* engine/cl/emit_tokens.c */
/* Positions of attention whose scores are held at a time. */
int tt_cl_attend_chunk(tt_extent e);
bool tt_cl_attend_step(tt_cl_plan *p, int step);
/* A GELU is part of its linear layer: it takes no turn between a chain's two buffers. */
bool tt_cl_in_place_stage(const tt_step *s, int i);
bool tt_cl_chain_step(tt_cl_plan *p, int step);

/* All launches of the plan, whose regions have their places. */
tt_status tt_cl_emit(tt_cl_plan *p, tt_error *err);

#endif
