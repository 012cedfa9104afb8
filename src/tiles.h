/*
 * How a picture is cut for a network that does not fit in memory as a whole, one axis at a time.
 *
 * The axis is the picture extended: what the network needs beyond the picture's edge is already counted in
 * `size`. All tiles are of one length. A tile's outer outputs depend on pixels it does not hold, so tiles
 * overlap by the network's reach and only exact outputs are kept. The first and the last tile touch the
 * ends, where the network's own padding stands where it stands in the whole picture. So the kept outputs
 * equal those of the untiled run.
 *
 *     input   |=======tile 0=======|
 *                         |=======tile 1=======|
 *     output  |---kept----------|----kept------|
 */
#ifndef TT_SRC_TILES_H
#define TT_SRC_TILES_H

#include "engine/net.h"

#include <stdbool.h>

typedef struct tt_axis {
    int size;     /* input samples, extension included */
    int want;     /* output samples wanted, from 0 on; beyond lies what the extension became */
    int scale;    /* an input sample becomes so many output samples */
    int multiple; /* the size is one of it */
    int grid;     /* tiles begin at multiples of it, itself one of `multiple` */
    double step, lo, hi; /* output o depends on inputs floor(o * step + lo) .. ceil(o * step + hi) */
    /* set by tt_axis_whole(), tt_axis_cut(), tt_axis_blocks() */
    int tile;     /* input samples of each tile */
    int stride;   /* from one tile to the next */
    int count;
    int keep;     /* outputs of a tile from its start on that are exact, unless it is the last */
} tt_axis;

/* One tile: it begins at input `at`, and outputs from..to-1 of the whole are taken from it. Its own output
 * 0 is output at * scale of the whole. */
typedef struct tt_tile {
    int at, from, to;
} tt_tile;

/* grid, step, lo, hi. symmetric: exactness also where the picture runs backwards (flips) */
void tt_axis_reach(tt_axis *a, const tt_net_tiling *t, int border, bool symmetric);
void tt_axis_whole(tt_axis *a);
/* Tiles of `tile` samples, size minus a multiple of the grid, so that the last one begins on it too; false if they would
 * not overlap enough to get ahead. */
bool tt_axis_cut(tt_axis *a, int tile);
/* As few samples a tile as `count` tiles need; false if such short tiles do not get ahead. */
bool tt_axis_divide(tt_axis *a, int count);
/* The shortest tile that gets `least` samples ahead each time. */
int tt_axis_shortest(const tt_axis *a, int least);
/* Blocks of fixed length that stand side by side, `border` samples of each side eaten. size must be
 * count * (block - 2 * border) + 2 * border. */
void tt_axis_blocks(tt_axis *a, int block, int border);
tt_tile tt_axis_tile(const tt_axis *a, int i);

#endif
