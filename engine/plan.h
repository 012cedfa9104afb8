/*
 * A net planned for one input size: shapes, the arena, the steps; and its run.
 *
 * Activations live in one arena: each value has a first and a last step; large ones are placed first, each in the
 * smallest gap among those alive with it. Where it saves memory the steps run in strips of rows, and only the rows of a
 * value exist that are still to be read (engine/strips.c): then memory grows with the width and not with the height.
 * After tt_plan_new() a run allocates nothing.
 */
#ifndef TT_ENGINE_PLAN_H
#define TT_ENGINE_PLAN_H

#include "engine/net.h"
#include "engine/pool.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

typedef struct tt_plan tt_plan;

enum { TT_WHOLE = -1 };

/* Convolutions as it is fastest for each layer and size; all directly; by Winograd's tiles wherever that can be. */
typedef enum tt_conv_choice { TT_CONV_FASTEST, TT_CONV_DIRECT, TT_CONV_TILES } tt_conv_choice;

typedef struct tt_plan_options {
    int threads;    /* most threads of the pools it will run on (scratch is per thread); 0: 1 */
    int strip;      /* rows of the input a strip, TT_WHOLE for whole maps, 0: by what memory they take */
    size_t most;    /* bytes that the arena should not go beyond if smaller strips help; 0: none */
    int whole_h, whole_w; /* the plan is for a tile of a picture of this size and gives its bits; 0: of no other */
    tt_conv_choice conv;
    bool keep;      /* every value keeps its place, for tt_plan_value(): tests. Whole maps. */
    bool only_size; /* reckon everything, allocate no arena: for estimates; such a plan cannot run */
} tt_plan_options;

/* h x w input pixels. TT_ERR_USAGE when the network cannot take the size, TT_ERR_MEMORY. Borrows net. */
tt_status tt_plan_new(tt_plan **plan, const tt_net *net, int h, int w, const tt_plan_options *o, tt_error *err);
void tt_plan_free(tt_plan *plan); /* accepts NULL */

typedef struct tt_plan_facts {
    int in_channels, in_h, in_w;
    int out_channels, out_h, out_w;
    size_t arena_bytes;   /* activations, scratch, rows on their way in and out */
    int strip;            /* rows of the input a strip; 0: whole maps */
    int take_rows, give_rows; /* most rows that tt_plan_stream() takes and gives at a time */
    double unshared_bytes; /* what whole maps would take without reuse */
    double flops;         /* of one run, a multiply-add counting two */
    int steps;
} tt_plan_facts;
void tt_plan_get_facts(const tt_plan *plan, tt_plan_facts *f);

/* One line a step: what is fused, shapes, megaFLOP, where the result lies. For `tintype info --plan`. */
void tt_plan_print(const tt_plan *plan, FILE *to);

/* Watching a run; all optional. */
typedef struct tt_watch {
    const atomic_int *cancel; /* not 0: stop soon with TT_ERR_CANCELLED */
    void (*progress)(void *user, double done); /* 0..1 by work, on the calling thread, after each step or strip of it */
    void (*ran)(void *user, int step); /* the same way; in strips a step runs many times. For measurements */
    void *user;
} tt_watch;

/*
 * Rows y0..y1-1 of the input, wanted at `to` [in_channels, y1 - y0, in_w], and of the output, ready at `rows`
 * [out_channels, y1 - y0, out_w], which may be written over. Each row comes once, in their order, on the calling thread,
 * which may use the pool. What is not TT_OK ends the run.
 */
typedef struct tt_flow {
    tt_status (*take)(void *user, int y0, int y1, float *to, tt_error *err);
    tt_status (*give)(void *user, int y0, int y1, float *rows, tt_error *err);
    void *user;
} tt_flow;

/* The same bits for any pool and any height of strips. A plan runs once at a time; plans of one net are independent. */
tt_status tt_plan_stream(tt_plan *plan, tt_pool *pool, const tt_flow *flow, const tt_watch *watch, tt_error *err);
/* The same between in [in_channels, in_h, in_w] and out [out_channels, out_h, out_w], rows without gaps. */
tt_status tt_plan_run(tt_plan *plan, tt_pool *pool, const float *in, float *out, const tt_watch *watch, tt_error *err);

/* A node's value after a run of a plan made with `keep`, as planar [C,H,W]; false where fusing left no such value.
 * dst may be NULL: only the shape. */
bool tt_plan_value(const tt_plan *plan, int node, float *dst, int *c, int *h, int *w);

#endif
