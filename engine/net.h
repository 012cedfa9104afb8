/*
 * A network made ready: the graph's nodes fused into steps, the weights packed for one kernel table.
 * Knows nothing of the picture's size yet (engine/plan.h does). Read-only once made, shared by plans and threads.
 */
#ifndef TT_ENGINE_NET_H
#define TT_ENGINE_NET_H

#include "engine/build.h"
#include "kernels/kernels.h"

typedef struct tt_net tt_net;

/*
 * Fuse and pack. The graph may be freed afterwards, and the weights closed. `k` is copied.
 * TT_ERR_NUMERIC for a weight that is not finite (by name), TT_ERR_MEMORY.
 */
tt_status tt_net_new(tt_net **net, const tt_graph *graph, const tt_kernels *k, tt_error *err);
void tt_net_free(tt_net *net); /* accepts NULL */

typedef struct tt_net_facts {
    int in_channels, out_channels;
    int scale_num, scale_den; /* an input pixel becomes scale_num / scale_den output pixels */
    int steps, convolutions;  /* after fusing; layers with weights */
    size_t parameters;        /* weights and biases in the file's count */
    size_t packed_bytes;
    int global;               /* 1: some value depends on every pixel (a mean): reach means nothing */
    /* Output row o needs input rows floor(o * reach_step + reach_lo) .. ceil(o * reach_step + reach_hi), clipped; the
     * same for columns. receptive_field = reach_hi - reach_lo + 1 rounded up. */
    double reach_step, reach_lo, reach_hi;
    int receptive_field;
    /* Tiles begin at multiples of it; height and width must be multiples too, but where the network pads itself. */
    int multiple;
} tt_net_facts;
void tt_net_get_facts(const tt_net *net, tt_net_facts *f);

/*
 * Tiles of a picture of h x w that give the bits of the whole: they begin at multiples of `grid`, and output row (column) o
 * needs input floor(o * step + lo) .. ceil(o * step + hi), clipped. That is more than the reach in the facts where
 * convolutions are computed in tiles of their own: there a value's rounding depends on all that its tile reads.
 */
typedef struct tt_net_tiling {
    int grid;
    double step, lo, hi;
} tt_net_tiling;
tt_status tt_net_get_tiling(const tt_net *net, int h, int w, tt_net_tiling *t, tt_error *err);

/* Size of the output for an input of h x w; TT_ERR_USAGE with a sentence when the network cannot take it. */
tt_status tt_net_size(const tt_net *net, int h, int w, int *out_h, int *out_w, tt_error *err);

#endif
