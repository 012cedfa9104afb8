/*
 * What the host and the kernels agree on, read by both: it stands before every kernel's source, and engine/cl/ includes
 * it. A launch's numbers are ints in one table (floats as their bits); the names below are places in it, from the place
 * on that the kernel is given.
 *
 * A map is three ints: where pixel (0, 0) of its first block of channels lies in the arena, the distance from row to row
 * and from block to block; all in vectors of LANES cells: floats, or halves (kernels/cl/common.cl).
 */
#ifndef TT_KERNELS_CL_PARAMS_H
#define TT_KERNELS_CL_PARAMS_H

/* activations, as tt_act */
#define ACT_NONE 0
#define ACT_RELU 1
#define ACT_PRELU 2
#define ACT_SIGMOID 3
#define ACT_GELU 4

/* every kernel */
#define OUT 0    /* map */
#define ROWS 3   /* of the result (or of one class of it) */
#define COLS 4
#define BLOCKS 5 /* of channels of the result */
#define X 6      /* map: the first input */
#define IN_H 9   /* its size */
#define IN_W 10
#define OWN 11   /* what follows is the kernel's own */

/* conv: its input is a list of pieces */
#define CONV_STEP OWN              /* results are so far apart in the output ... */
#define CONV_OY (OWN + 1)          /* ... and begin here */
#define CONV_OX (OWN + 2)
#define CONV_KH (OWN + 3)          /* window */
#define CONV_KW (OWN + 4)
#define CONV_STRIDE (OWN + 5)
#define CONV_PAD_Y (OWN + 6)       /* result 0 begins to read at -pad */
#define CONV_PAD_X (OWN + 7)
#define CONV_REPLICATE (OWN + 8)
#define CONV_WEIGHTS (OWN + 9)     /* [output block][input block][ky][kx][input lane], vectors of outputs */
#define CONV_WEIGHTS_STEP (OWN + 10) /* from output block to output block */
#define CONV_BIAS (OWN + 11)
#define CONV_ACT (OWN + 12)
#define CONV_SLOPES (OWN + 13)
#define CONV_ADDS (OWN + 14)
#define CONV_ADD (OWN + 15)        /* map and scale, twice */
#define CONV_CLAMP (OWN + 23)
#define CONV_LO (OWN + 24)
#define CONV_HI (OWN + 25)
#define CONV_AFFINE (OWN + 26)
#define CONV_GAIN (OWN + 27)
#define CONV_SHIFT (OWN + 28)
#define CONV_THEN_RELU (OWN + 29)
#define CONV_GRID (OWN + 30)       /* conv_wino: its tiles begin so many pixels before result 0, both ways */
#define CONV_PIECES (OWN + 31)
#define CONV_PIECE (OWN + 32)      /* map and channels, of each */
#define PIECE_INTS 4

/* map: value by value */
#define MAP_MODE OWN
#define MAP_Y (OWN + 1) /* map: the second input */
#define MAP_SCALE (OWN + 4)
#define MAP_LO (OWN + 5)
#define MAP_HI (OWN + 6)
#define MAP_ACT (OWN + 7)
#define MAP_GAIN (OWN + 8) /* in the weights */
#define MAP_SHIFT (OWN + 9)
#define MAP_RELU (OWN + 10)
#define MAP_INTS (OWN + 11)
#define MODE_ADD 0    /* x + scale * y */
#define MODE_ACT 1
#define MODE_CLAMP 2
#define MODE_GATE 3   /* x * y of the channel */
#define MODE_AFFINE 4 /* gain * x + shift, then ReLU if asked */

/* copy, store: pieces side by side */
#define COPY_PIECES OWN /* none: zeros */
#define COPY_PIECE (OWN + 1)

/* load: planes of floats to a map, [channels][rows][cols] from X on; store: the other way round, to OUT */
#define LOAD_CHANNELS OWN
#define LOAD_INTS (OWN + 1)

/* nearest, shuffle, unshuffle */
#define MOVE_R OWN
#define MOVE_CHANNELS (OWN + 1) /* of the result */
#define MOVE_ADDS (OWN + 2)     /* shuffle: the map that follows is added, enlarged by r */
#define MOVE_ADD (OWN + 3)
#define MOVE_INTS (OWN + 6)

/* mean_rows: sums of rows, [block][row], to OUT; mean_all: from X, ROWS in all, to OUT */
#define MEAN_COUNT OWN /* values a channel, a float */
#define MEAN_INTS (OWN + 1)

/* scores, softmax, weigh: attention over all positions. OUT of scores and X of weigh are [position][chunk] floats. */
#define ATTEND_FIRST OWN         /* of the chunk's positions */
#define ATTEND_CHUNK (OWN + 1)
#define ATTEND_POSITIONS (OWN + 2)
#define ATTEND_OTHER (OWN + 3)   /* map: scores: the key; weigh: the value */
#define ATTEND_CHANNELS (OWN + 6) /* scores: of query and key */
#define ATTEND_INTS (OWN + 7)

/* layer_norm */
#define NORM_CHANNELS OWN
#define NORM_GAIN (OWN + 1)
#define NORM_SHIFT (OWN + 2)
#define NORM_EPS (OWN + 3)
#define NORM_INTS (OWN + 4)

/* window_attention: X are queries, keys and values, thirds of the channels */
#define WINDOW_SIZE OWN
#define WINDOW_SHIFT (OWN + 1)
#define WINDOW_HEADS (OWN + 2)
#define WINDOW_DEPTH (OWN + 3)
#define WINDOW_TABLE (OWN + 4) /* floats in the weights: [(2 * window - 1)^2][heads] */
#define WINDOW_INTS (OWN + 5)
#define WINDOW_MOST_DEPTH 64

#endif
