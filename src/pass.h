/*
 * Once through the network with a whole picture: planned, cut into tiles where memory is short, run. Rows of a tile are
 * read as the network takes them and go on as it makes them; only what goes
 * through it more than once is held as whole tiles.
 */
#ifndef TT_SRC_PASS_H
#define TT_SRC_PASS_H

#include "engine/plan.h"
#include "engine/planes.h"

#include "src/context.h"
#include "src/runner.h"
#include "src/sink.h"
#include "src/source.h"
#include "src/tiles.h"

#include <stdbool.h>

typedef enum tt_route {
    TT_ROUTE_PLAIN, /* as many colours as the network has planes */
    TT_ROUTE_GREY,  /* grey through an RGB network: three equal planes, luma of the result */
    TT_ROUTE_EACH,  /* colour through a network of one plane: each channel by itself */
    TT_ROUTE_LUMA,  /* colour through a network of one plane: Y goes through it, chroma is enlarged by bicubic */
} tt_route;

typedef struct tt_pass {
    const tt_network *net;
    tt_route route;
    bool tta;
    int colours;        /* planes of the picture: 1 or 3 */
    int in_w, in_h;     /* of the picture that comes */
    int base_w, base_h; /* of the picture the network sees: another where it is enlarged by bicubic first */
    int out_w, out_h;   /* base times the network's scale */
    int to_w, to_h;     /* after resampling; out_w, out_h where there is none */
    int threads;
    /* where the memory for these is to be counted: */
    const tt_source *source; /* what it reads, borrowed; or NULL */
    size_t result_row;       /* bytes of a row of a result that goes on as it is made; or 0 */
    /* set by tt_pass_plan() */
    tt_extend extend;
    int border;         /* of the extended picture, left and top */
    tt_axis across, down;
    int tile_out_w, tile_out_h; /* what the network makes of a tile */
    int take_rows, give_rows; /* most rows on their way into the network and out of it */
    size_t most;        /* what the network's plan is told: tt_plan_options.most */
    double flops;       /* of one tile, once through the network */
    uint64_t bytes;     /* rows, arena, resampling: all but pictures and weights */
    /* the device: tiles are as large as it has memory for, at most half as large as those that it did not have it for */
    bool device;            /* it does the work */
    bool device_floats;     /* as tt_runner_needs_floats() said */
    bool device_small;      /* it does not, for it has no memory for the smallest tile */
    bool device_off;        /* not again in this pass */
    int device_halved;      /* times */
    uint64_t device_bytes, device_most; /* of a tile; 0: any */
    uint64_t memory, held;  /* as told */
} tt_pass;

/*
 * Fill a pass from the sizes: route and out_*. to_w = to_h = 0: no resampling. base_* only for a network
 * that works at the output's size (traits.enlarge_first).
 */
tt_status tt_pass_init(tt_pass *p, const tt_network *net, int colours, int in_w, int in_h, int base_w, int base_h,
                       bool tta, int threads, tt_error *err);
/*
 * Choose the tiles: one where that fits into what `memory` bytes leave beside the `held` that are taken already, else
 * columns of full height, else those that compute the fewest pixels. TT_ERR_MEMORY where not even the smallest fits.
 */
tt_status tt_pass_plan(tt_pass *p, uint64_t memory, uint64_t held, tt_error *err);
/* For the plan of a tile, lying as in the picture or, upright false, on its side. */
tt_plan_options tt_pass_plan_options(const tt_pass *p, bool upright);
int tt_pass_tiles(const tt_pass *p);
/*
 * Rows of the picture that are wanted at a time: a window of the network's input is made of `rows` of them, and a later
 * window begins at most `back` above it. And the same of what is read beside the network's output; nothing: zeros.
 */
typedef struct tt_span {
    int rows, back;
} tt_span;
tt_span tt_pass_takes(const tt_pass *p);
tt_span tt_pass_merges(const tt_pass *p);
/* Rows that a ring must have for the result to go on as it is made: more where it is put together from columns. */
int tt_pass_ring(const tt_pass *p);
/* Whole tiles are held: what goes through the network more than once. */
bool tt_pass_holds(const tt_pass *p);
/* How tiles come to the device and go from it. */
tt_runner_way tt_pass_way(const tt_pass *p);
/* Times that each tile goes through the network; and the flops of the whole pass. */
int tt_pass_runs(const tt_pass *p);
double tt_pass_flops(const tt_pass *p);

typedef struct tt_pass_watch {
    const atomic_int *cancel;
    void (*progress)(void *user, double done); /* NULL: none */
    void *user;
    double done, share;      /* of the whole work: before this pass, and of it */
    double *network_seconds; /* added to */
} tt_pass_watch;

/* from: a picture of in_w x in_h. to: of to_w x to_h; the first `colours` channels are written. Tiles become
 * smaller where memory cannot be had after all. to->ring: at least tt_pass_ring(), and rows go to `on` as they are finished. TT_ERR_NUMERIC, TT_ERR_CANCELLED, TT_ERR_MEMORY. */
tt_status tt_pass_run(tt_pass *p, tt_pool *pool, tt_source *from, const tt_pixels *to, const tt_sink_next *on,
                      const tt_pass_watch *watch, tt_error *err);

#endif
