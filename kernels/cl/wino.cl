/*
 * 3x3 convolution of stride 1 by Winograd's F(4x4, 3x3) (Lavin and Gray, "Fast Algorithms for Convolutional Neural
 * Networks", 2016), all of it in one kernel: a quarter of the multiplications, and nothing but the maps themselves in the
 * arena. The points are those of kernels/wino.h, the twins tt_wino_*_c() in kernels/wino.c.
 *
 * A group of 192 items makes 4 x 4 tiles of 4x4 pixels, of 8 blocks of outputs. For one block of input channels after the
 * other:
 *     columns   B^T d, from the arena into local memory: [row of tiles][frequency i][pixel]
 *     rows      (B^T d) B: [frequency i, j][tile]; with them the weights of these inputs, which every tile needs
 *     products  an item has one i and all six j, 4 tiles (one below the other) and one block: 24 vectors in registers
 * What the next round reads from the arena and of the weights is on its way while the products are made. Then A^T m A:
 * first along j, where an item has all it needs, then along i through local memory, two columns of all tiles at a time.
 *     weights   [group of 8 blocks of outputs][block of inputs][i][j][input lane][block]
 */
#if LANES == 4 && defined WINO
#define PA 0.625f
#define PB 1.5f
#define TILES 16
#define ITEMS 192
#define READ_ACROSS 18          /* pixels of a row that a group reads */
#define PART 5                  /* every fourth of them, so that neighbouring tiles read side by side */
#define BAND (24 * PART + 4)    /* vectors of one row of tiles; what is added keeps two of them out of each other's banks */
#define PITCH (2 * TILES + 1)
#define WEIGHTS (36 * 4 * 8)    /* vectors, of one block of inputs */
#define TILE_X_OF(n) ((n) & 3)
#define TILE_Y_OF(n) ((n) >> 2)
/* local memory, in vectors: 4 * BAND for columns, 36 * TILES for rows, WEIGHTS; later 48 * PITCH for the way back */

/* Half a block of channels. */
typedef float2 pair;
#ifdef HALF_MAPS
#define GET2(p, i, half) vload_half2(2 * (size_t)(i) + (half), p)
#else
#define GET2(p, i, half) (((__global const pair *)(p))[2 * (i) + (half)])
#endif

/* Six values to six frequencies: 0, PA, -PA, PB, -PB, infinity. */
static inline void to_frequencies(pair *v, const pair *d)
{
    const pair even_a = d[4] - (PB * PB) * d[2], odd_a = d[3] - (PB * PB) * d[1];
    const pair even_b = d[4] - (PA * PA) * d[2], odd_b = d[3] - (PA * PA) * d[1];
    v[0] = MULADD((pair)(PA * PA * PB * PB), d[0], MULADD((pair)(-(PA * PA + PB * PB)), d[2], d[4]));
    v[1] = MULADD((pair)(PA), odd_a, even_a);
    v[2] = MULADD((pair)(-PA), odd_a, even_a);
    v[3] = MULADD((pair)(PB), odd_b, even_b);
    v[4] = MULADD((pair)(-PB), odd_b, even_b);
    v[5] = MULADD((pair)(PA * PA * PB * PB), d[1], MULADD((pair)(-(PA * PA + PB * PB)), d[3], d[5]));
}

/* Value c of four from six frequencies. */
static inline vec from_frequencies(const int c, vec m0, vec m1, vec m2, vec m3, vec m4, vec m5)
{
    if (c == 0)
        return m0 + ((m1 + m2) + (m3 + m4));
    if (c == 1)
        return MULADD((vec)(PA), m1 - m2, (vec)(PB) * (m3 - m4));
    if (c == 2)
        return MULADD((vec)(PA * PA), m1 + m2, (vec)(PB * PB) * (m3 + m4));
    return MULADD((vec)(PA * PA * PA), m1 - m2, MULADD((vec)(PB * PB * PB), m3 - m4, m5));
}

/* A column of six pixels of a piece's block, half of its channels; x, y: the first, which may be outside. */
static inline void fetch(pair *d, __global const cell *in, int from, int row, int x, int y, int half_of,
                         __global const int *t)
{
    const int h = t[IN_H], w = t[IN_W], legal_x = clamp(x, 0, w - 1);
    if (legal_x == x && y >= 0 && y + 6 <= h) {
#pragma unroll
        for (int r = 0; r < 6; r++)
            d[r] = GET2(in, from + (y + r) * row + x, half_of);
        return;
    }
#pragma unroll
    for (int r = 0; r < 6; r++) {
        const int legal_y = clamp(y + r, 0, h - 1);
        d[r] = GET2(in, from + legal_y * row + legal_x, half_of);
        if ((legal_x != x || legal_y != y + r) && !t[CONV_REPLICATE])
            d[r] = (pair)(0.0f);
    }
}

__kernel GROUPS_OF(ITEMS) void conv_wino(ARGUMENTS, __local vec *room)
{
    __global const int *t = table + at;
    const int n = (int)get_local_id(0), side = n & 1;
    const int x0 = (int)get_group_id(0) * 16 - t[CONV_GRID], y0 = (int)get_group_id(1) * 16 + first - t[CONV_GRID];
    const int o0 = (int)get_global_id(2) * 8, last = t[BLOCKS] - 1;

    /* of columns: half of the channels, a pixel and a row of tiles; a quarter of the items have none */
    int px;
    const int band = divide(n >> 1, READ_ACROSS, &px), x = x0 + px - t[CONV_PAD_X], y = y0 + 4 * band - t[CONV_PAD_Y];
    __local pair *columns_to = (__local pair *)(room + band * BAND + (px & 3) * PART + (px >> 2)) + side;
    /* of rows: half of the channels, a tile and an i */
    const int m = (n >> 1) & (TILES - 1), i_of_row = n >> 5;
    __local const pair *rows_from = (__local const pair *)(room + TILE_Y_OF(m) * BAND + i_of_row * 4 * PART + TILE_X_OF(m)) + side;
    __local pair *rows_to = (__local pair *)(room + 4 * BAND + i_of_row * 6 * TILES + m) + side;
    /* of products: i, the first of four tiles and a block of outputs. Items whose numbers differ in the last bit read the
     * same weights, those that differ in the next the same tiles: so local memory serves two at a time. */
    const int i = n >> 5, tile = (n & 1) | (n >> 1 & 2), o = (n >> 1 & 1) | (n >> 2 & 6);
    __local vec *const here = room + 4 * BAND + 36 * TILES;
    __local const vec *v = room + 4 * BAND + i * 6 * TILES + tile, *u = here + i * 6 * 32 + o;
    __global const vec *w = weights + t[CONV_WEIGHTS] + (int)get_global_id(2) * t[CONV_WEIGHTS_STEP] + n;

    vec acc[6][4], next[WEIGHTS / ITEMS];
    pair d[6], f[6];
#pragma unroll
    for (int j = 0; j < 6; j++)
#pragma unroll
        for (int s = 0; s < 4; s++)
            acc[j][s] = (vec)(0.0f);
    __global const int *piece = t + CONV_PIECE;
    int pieces = t[CONV_PIECES], channels = piece[3], from = piece[0];
    if (band < 4)
        fetch(d, in, from, piece[1], x, y, side, t);
#pragma unroll
    for (int r = 0; r < WEIGHTS / ITEMS; r++)
        next[r] = w[r * ITEMS];
    while (pieces) {
        if (band < 4) {
            to_frequencies(f, d);
#pragma unroll
            for (int k = 0; k < 6; k++)
                columns_to[2 * k * 4 * PART] = f[k];
        }
        barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
        for (int k = 0; k < 6; k++)
            d[k] = rows_from[2 * ((k & 3) * PART + (k >> 2))];
        to_frequencies(f, d);
#pragma unroll
        for (int k = 0; k < 6; k++)
            rows_to[2 * k * TILES] = f[k];
#pragma unroll
        for (int r = 0; r < WEIGHTS / ITEMS; r++)
            here[n + r * ITEMS] = next[r];
        channels -= LANES;
        from += piece[2];
        if (channels <= 0 && --pieces) {
            piece += PIECE_INTS;
            channels = piece[3];
            from = piece[0];
        }
        if (pieces) {
            if (band < 4)
                fetch(d, in, from, piece[1], x, y, side, t);
            w += WEIGHTS;
#pragma unroll
            for (int r = 0; r < WEIGHTS / ITEMS; r++)
                next[r] = w[r * ITEMS];
        }
        barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
        for (int j = 0; j < 6; j++) {
            const vec u0 = u[j * 32], u1 = u[j * 32 + 8], u2 = u[j * 32 + 16], u3 = u[j * 32 + 24];
#pragma unroll
            for (int s = 0; s < 4; s++) {
                const vec q = v[j * TILES + s * 4];
                vec z = acc[j][s];
                z = MULADD((vec)(q.x), u0, z);
                z = MULADD((vec)(q.y), u1, z);
                z = MULADD((vec)(q.z), u2, z);
                acc[j][s] = MULADD((vec)(q.w), u3, z);
            }
        }
    }

#pragma unroll
    for (int two = 0; two < 4; two += 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
        for (int k = 0; k < 2; k++)
#pragma unroll
            for (int s = 0; s < 4; s++)
                room[(i * 8 + o) * PITCH + (tile + s * 4) * 2 + k] =
                    from_frequencies(two + k, acc[0][s], acc[1][s], acc[2][s], acc[3][s], acc[4][s], acc[5][s]);
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int q = n; q < 8 * 2 * TILES; q += ITEMS) {
            const int of = q >> 5, what = q & 31, to_x = x0 + TILE_X_OF(what >> 1) * 4 + two + (what & 1);
            const int to_y = y0 + TILE_Y_OF(what >> 1) * 4;
            if (o0 + of > last || to_x < 0 || to_x >= t[COLS])
                continue;
            const vec bias = weights[t[CONV_BIAS] + o0 + of];
            __local const vec *p = room + of * PITCH + what;
#pragma unroll
            for (int r = 0; r < 4; r++)
                if (to_y + r >= 0 && to_y + r < t[ROWS])
                    conv_finish(in, out, weights, table, at, first,
                                from_frequencies(r, p[0], p[8 * PITCH], p[16 * PITCH], p[24 * PITCH], p[32 * PITCH],
                                                 p[40 * PITCH]) + bias,
                                o0 + of, to_y + r, to_x);
        }
    }
}
#endif
