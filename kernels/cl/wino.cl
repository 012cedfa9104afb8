/*
 * 3x3 convolution of stride 1 by Winograd's F(4x4, 3x3) (Lavin and Gray, "Fast Algorithms for Convolutional Neural
 * Networks", 2016), all of it in one kernel: a quarter of the multiplications, and nothing but the maps themselves in the
 * arena. The points are those of kernels/wino.h, the twins tt_wino_*_c() in kernels/wino.c.
 *
 * A group of 192 items makes 16 tiles of 4x4 pixels, 4 tiles each way, of 32 outputs; with WINO == 2 twice the items make
 * 8 x 4 tiles. For one block of input channels after the other:
 *     columns   B^T d, from the arena into local memory: [row of tiles][frequency i][pixel]
 *     rows      (B^T d) B: [frequency i, j][tile]
 *     products  an item has one i and all six j, 4 tiles (one below the other) and 4 outputs: 24 vectors in registers.
 *               Weights come straight from global memory, for each of them meets 16 tiles in one row of 32 items.
 * Then A^T m A: first along j, where an item has all it needs, then along i through local memory, a column (or two) of
 * all tiles at a time.
 *     weights   [group of 8 blocks of outputs][block of inputs][i][j][input lane][block]
 */
#if LANES == 4 && defined WINO
#define PA 0.625f
#define PB 1.5f
#define TILES (16 * WINO)
#define ITEMS (192 * WINO)
#define WIDE (16 * WINO + 2)           /* pixels of a row that a group reads */
#define PART (4 * WINO + 1)            /* every fourth of them, so that neighbouring tiles read side by side */
#define BAND (24 * PART + 4)           /* vectors of one row of tiles; what is added keeps two of them out of each other's banks */
#define COLUMNS (2 / WINO)             /* of a tile's results at a time */
#define PITCH (TILES * COLUMNS + 1)
#define TILE_X_OF(n) (((n) >> 4) * 4 + ((n) & 3)) /* 4 x 4 tiles, then those to the right of them */
#define TILE_Y_OF(n) ((n) >> 2 & 3)
#define U_BLOCK (36 * 4 * 8)           /* vectors of weights for one block of inputs */
/* local memory, in vectors: 4 * BAND for columns and 36 * TILES for rows; later 48 * PITCH for the way back */

/* Six values to six frequencies: 0, PA, -PA, PB, -PB, infinity. */
#define TO_FREQUENCIES(v, d)                                                                                           \
    do {                                                                                                               \
        const pair evenA = d[4] - (PB * PB) * d[2], oddA = d[3] - (PB * PB) * d[1];                                    \
        const pair evenB = d[4] - (PA * PA) * d[2], oddB = d[3] - (PA * PA) * d[1];                                    \
        v[0] = MULADD((pair)(PA * PA * PB * PB), d[0], MULADD((pair)(-(PA * PA + PB * PB)), d[2], d[4]));              \
        v[1] = MULADD((pair)(PA), oddA, evenA);                                                                        \
        v[2] = MULADD((pair)(-PA), oddA, evenA);                                                                       \
        v[3] = MULADD((pair)(PB), oddB, evenB);                                                                        \
        v[4] = MULADD((pair)(-PB), oddB, evenB);                                                                       \
        v[5] = MULADD((pair)(PA * PA * PB * PB), d[1], MULADD((pair)(-(PA * PA + PB * PB)), d[3], d[5]));              \
    } while (0)

typedef float2 pair; /* half a block of channels */
#ifdef HALF_MAPS
#define GET2(p, i, half) vload_half2(2 * (size_t)(i) + (half), p)
#else
#define GET2(p, i, half) (((__global const pair *)(p))[2 * (i) + (half)])
#endif

/* Value c of four from the frequencies; p: where frequency k lies. */
#define FROM_FREQUENCIES(c, p)                                                                                         \
    ((c) == 0   ? p(0) + ((p(1) + p(2)) + (p(3) + p(4)))                                                               \
     : (c) == 1 ? MULADD((vec)(PA), p(1) - p(2), (vec)(PB) * (p(3) - p(4)))                                            \
     : (c) == 2 ? MULADD((vec)(PA * PA), p(1) + p(2), (vec)(PB * PB) * (p(3) + p(4)))                                  \
                : MULADD((vec)(PA * PA * PA), p(1) - p(2), MULADD((vec)(PB * PB * PB), p(3) - p(4), p(5))))

/* Where an item reads the input: a column of six pixels, half a block of channels. */
typedef struct column {
    int x, y; /* its first pixel */
    int side;
    int live; /* else the item has none */
    int outside; /* bit r: pixel r is none, and zero */
    int at[6]; /* in a piece's block */
} column;

static inline void aim(column *c, __global const int *t, __global const int *piece)
{
    const int x = clamp(c->x, 0, t[IN_W] - 1);
    c->outside = 0;
#pragma unroll
    for (int r = 0; r < 6; r++) {
        const int y = clamp(c->y + r, 0, t[IN_H] - 1);
        c->outside |= ((y != c->y + r || x != c->x) && !t[CONV_REPLICATE]) << r;
        c->at[r] = y * piece[1] + x;
    }
}

static inline void fetch(pair *d, const column *c, __global const cell *in, int from)
{
#pragma unroll
    for (int r = 0; r < 6; r++) {
        d[r] = GET2(in, from + c->at[r], c->side);
        if (c->outside >> r & 1)
            d[r] = (pair)(0.0f);
    }
}

__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void conv_wino(ARGUMENTS, __local vec *room)
{
    __global const int *t = table + at;
    int i, px;
    const int n = (int)get_local_id(0), lane = n & 31, half_of = divide(n >> 5, 6, &i);
    const int o = lane & 7, tile = half_of * 16 + (lane >> 3); /* of tiles the first: the others are 4 further each */
    const int x0 = (int)get_group_id(0) * 16 * WINO, y0 = (int)get_group_id(1) * 16 + first;
    const int o0 = (int)get_global_id(2) * 8, last = t[BLOCKS] - 1;
    __local pair *columns = (__local pair *)room, *rows = (__local pair *)(room + 4 * BAND);
    __local const vec *v = room + 4 * BAND + i * 6 * TILES + tile;
    __global const vec *u = weights + t[CONV_WEIGHTS] + (int)get_global_id(2) * t[CONV_WEIGHTS_STEP] + i * 192 + o;

    const int band = divide(n >> 1, WIDE, &px); /* of columns: a pixel and a row of tiles */
    column c = {x0 + px - t[CONV_PAD_X], y0 + 4 * band - t[CONV_PAD_Y], n & 1, band < 4, 0, {0}};
    __local pair *columns_to = columns + 2 * (band * BAND + (px & 3) * PART + (px >> 2)) + c.side;
    const int m = (n >> 1) & (TILES - 1), i_too = (n >> 1) / TILES; /* of rows: a tile and an i, which are others than those of the products */
    __local const pair *rows_from = columns + 2 * (TILE_Y_OF(m) * BAND + i_too * 4 * PART + TILE_X_OF(m)) + c.side;
    __local pair *rows_to = rows + 2 * (i_too * 6 * TILES + m) + c.side;

    vec acc[6][4];
#pragma unroll
    for (int j = 0; j < 6; j++)
#pragma unroll
        for (int s = 0; s < 4; s++)
            acc[j][s] = (vec)(0.0f);
    pair d[6], f[6];
    __global const int *piece = t + CONV_PIECE;
    int pieces = t[CONV_PIECES], channels = piece[3], from = piece[0];
    aim(&c, t, piece);
    if (c.live)
        fetch(d, &c, in, from);
    while (pieces) {
        if (c.live) {
            TO_FREQUENCIES(f, d);
#pragma unroll
            for (int k = 0; k < 6; k++)
                columns_to[2 * k * 4 * PART] = f[k];
        }
        barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
        for (int k = 0; k < 6; k++)
            d[k] = rows_from[2 * (k % 4 * PART + k / 4)];
        TO_FREQUENCIES(f, d);
#pragma unroll
        for (int k = 0; k < 6; k++)
            rows_to[2 * k * TILES] = f[k];
        channels -= LANES;
        from += piece[2];
        if (channels <= 0 && --pieces) {
            piece += PIECE_INTS;
            channels = piece[3];
            from = piece[0];
            aim(&c, t, piece);
        }
        if (pieces && c.live)
            fetch(d, &c, in, from); /* while the products are made */
        barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
        for (int j = 0; j < 6; j++) {
            const vec u0 = u[j * 32], u1 = u[j * 32 + 8], u2 = u[j * 32 + 16], u3 = u[j * 32 + 24];
#pragma unroll
            for (int s = 0; s < 4; s++) {
                const vec w = v[j * TILES + s * 4];
                vec z = acc[j][s];
                z = MULADD((vec)(w.x), u0, z);
                z = MULADD((vec)(w.y), u1, z);
                z = MULADD((vec)(w.z), u2, z);
                acc[j][s] = MULADD((vec)(w.w), u3, z);
            }
        }
        u += U_BLOCK;
    }

#pragma unroll
    for (int part = 0; part < 4 / COLUMNS; part++) {
        barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
        for (int k = 0; k < COLUMNS; k++)
#pragma unroll
            for (int s = 0; s < 4; s++) {
#define HERE(j) acc[j][s]
                room[(i * 8 + o) * PITCH + (tile + s * 4) * COLUMNS + k] = FROM_FREQUENCIES(part * COLUMNS + k, HERE);
#undef HERE
            }
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int q = n; q < 8 * TILES * COLUMNS; q += ITEMS) {
            const int of = q / (TILES * COLUMNS), what = q & (TILES * COLUMNS - 1), tile_here = what / COLUMNS;
            const int x = x0 + TILE_X_OF(tile_here) * 4 + part * COLUMNS + (what & (COLUMNS - 1));
            const int y = y0 + TILE_Y_OF(tile_here) * 4;
            if (o0 + of > last || x >= t[COLS])
                continue;
            const vec bias = weights[t[CONV_BIAS] + o0 + of];
#define THERE(k) room[((k) * 8 + of) * PITCH + what]
#pragma unroll
            for (int r = 0; r < 4; r++)
                if (y + r < t[ROWS])
                    conv_finish(in, out, weights, table, at, first, FROM_FREQUENCIES(r, THERE) + bias, o0 + of, y + r, x);
#undef THERE
        }
    }
}
#endif
