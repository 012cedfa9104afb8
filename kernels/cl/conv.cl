/*
 * Convolution, the twin of tt_conv_c (kernels/kernels.h), and one parity class of a transposed one:
 *     z[o,y,x] = bias[o] + sum over pieces, channels i, ky, kx of in[i, y * stride + ky - pad_y, x * stride + kx - pad_x] * w
 *     z = act(z);  for each add: z = add + scale * z;  z = min(max(z, lo), hi);  z = gain * z + shift;  z = max(z, 0)
 * as far as each is wanted. Outside a piece are zeros or its edge.
 */

static inline void conv_finish(ARGUMENTS, vec z, int o, int y, int x)
{
    __global const int *t = table + at;
    const int to_y = y * t[CONV_STEP] + t[CONV_OY], to_x = x * t[CONV_STEP] + t[CONV_OX];
    if (t[CONV_ACT])
        z = activate(z, t[CONV_ACT], weights[t[CONV_SLOPES] + o]);
    for (int i = 0; i < t[CONV_ADDS]; i++)
        z = GET(in, place(t + CONV_ADD + 4 * i, o, to_y, to_x)) + (vec)(NUMBER(CONV_ADD + 4 * i + 3)) * z;
    if (t[CONV_CLAMP])
        z = fmin(fmax(z, (vec)(NUMBER(CONV_LO))), (vec)(NUMBER(CONV_HI)));
    if (t[CONV_AFFINE])
        z = weights[t[CONV_GAIN] + o] * z + weights[t[CONV_SHIFT] + o];
    if (t[CONV_THEN_RELU])
        z = relu(z);
    PUT(out, place(t + OUT, o, to_y, to_x), z);
}

/* An item's blocks of outputs: `blocks` of them. The bound is a number, or compilers unroll too late to keep acc in registers. */
#define EACH_OUTPUT(j) _Pragma("unroll") for (int j = 0; j < 4; j++) if (j < blocks)
#define EACH_PIXEL(p) _Pragma("unroll") for (int p = 0; p < PIXELS; p++)

#if LANES == 4
/* acc[p] += the pixels v times LANES vectors of weights, of one block of outputs. */
ALWAYS_INLINE void multiply(vec acc[PIXELS], const vec *v, vec w0, vec w1, vec w2, vec w3)
{
    EACH_PIXEL(p) {
        vec z = acc[p];
        z = MULADD((vec)(v[p].x), w0, z);
        z = MULADD((vec)(v[p].y), w1, z);
        z = MULADD((vec)(v[p].z), w2, z);
        acc[p] = MULADD((vec)(v[p].w), w3, z);
    }
}
#define WEIGHTS_FROM(w) (w)[0], (w)[1], (w)[2], (w)[3] /* in any memory */
#endif

/*
 * Straight from the arena: PIXELS pixels and `blocks` output blocks an item. The pixels of neighbours in a group lie
 * beside each other, which GPUs want; in a group of one item its own do, which CPUs want.
 */
ALWAYS_INLINE void conv_direct(ARGUMENTS, const int k, const int blocks)
{
    __global const int *t = table + at;
    const int kh = k ? k : t[CONV_KH], kw = k ? k : t[CONV_KW], stride = k ? 1 : t[CONV_STRIDE];
    const int beside = (int)get_local_size(0);
    const int x0 = (int)get_group_id(0) * beside * PIXELS + (int)get_local_id(0);
    const int y = (int)get_global_id(1) + first, o0 = (int)get_global_id(2) * blocks;
    const int cols = t[COLS], h = t[IN_H], w_in = t[IN_W], last = t[BLOCKS] - 1;
    if (x0 >= cols || y >= t[ROWS] || o0 > last)
        return;
    vec acc[4][PIXELS];
    int of[4]; /* where the weights of each block begin; a block beyond the last is worked as if it were that, and not stored */
    EACH_OUTPUT(j) {
        of[j] = (min(o0 + j, last) - o0) * t[CONV_WEIGHTS_STEP];
        EACH_PIXEL(p)
            acc[j][p] = weights[t[CONV_BIAS] + min(o0 + j, last)];
    }
    __global const vec *w = weights + t[CONV_WEIGHTS] + o0 * t[CONV_WEIGHTS_STEP];
    const int left = x0 * stride - t[CONV_PAD_X];
    const int inside = left >= 0 && left + (PIXELS - 1) * beside * stride + kw <= w_in;
    for (int i = 0; i < t[CONV_PIECES]; i++) {
        __global const int *piece = t + CONV_PIECE + PIECE_INTS * i;
        for (int c = 0; c < piece[3]; c += LANES) {
            const int lanes = min(LANES, piece[3] - c);
            for (int ky = 0; ky < kh; ky++) {
                int from_y = y * stride + ky - t[CONV_PAD_Y];
                if (from_y < 0 || from_y >= h) {
                    if (!t[CONV_REPLICATE]) {
                        w += kw * LANES;
                        continue;
                    }
                    from_y = clamp(from_y, 0, h - 1);
                }
                const int row = place(piece, c / LANES, from_y, 0);
                for (int kx = 0; kx < kw; kx++, w += LANES) {
#if LANES == 4
                    vec v[PIXELS];
                    EACH_PIXEL(p) {
                        const int from_x = left + p * beside * stride + kx;
                        const int legal = clamp(from_x, 0, w_in - 1);
                        v[p] = GET(in, row + legal);
                        if (legal != from_x && !t[CONV_REPLICATE])
                            v[p] = (vec)(0.0f);
                    }
                    EACH_OUTPUT(j)
                        multiply(acc[j], v, WEIGHTS_FROM(w + of[j]));
#else
                    if (inside) {
                        const size_t f = (size_t)(row + left + kx) * LANES;
                        for (int l = 0; l < lanes; l++)
                            EACH_OUTPUT(j) {
                                const vec wl = w[of[j] + l];
                                EACH_PIXEL(p)
                                    acc[j][p] = MULADD((vec)(GET1(in, f + p * beside * stride * LANES + l)), wl, acc[j][p]);
                            }
                    } else {
                        EACH_PIXEL(p) {
                            const int from_x = left + p * beside * stride + kx;
                            const int legal = clamp(from_x, 0, w_in - 1);
                            const size_t f = (size_t)(row + legal) * LANES;
                            if (legal != from_x && !t[CONV_REPLICATE])
                                continue;
                            for (int l = 0; l < lanes; l++)
                                EACH_OUTPUT(j)
                                    acc[j][p] = MULADD((vec)(GET1(in, f + l)), w[of[j] + l], acc[j][p]);
                        }
                    }
#endif
                }
            }
        }
    }
    EACH_OUTPUT(j)
        EACH_PIXEL(p)
            if (o0 + j <= last && x0 + p * beside < cols)
                conv_finish(in, out, weights, table, at, first, acc[j][p], o0 + j, y, x0 + p * beside);
}

/* Any window; 3x3 and 1x1 of stride 1. The second of each makes one output block an item. */
__kernel void conv(ARGUMENTS)
{
    conv_direct(in, out, weights, table, at, first, 0, OUTPUTS);
}
__kernel void conv_one(ARGUMENTS)
{
    conv_direct(in, out, weights, table, at, first, 0, 1);
}
__kernel void conv3(ARGUMENTS)
{
    conv_direct(in, out, weights, table, at, first, 3, OUTPUTS);
}
__kernel void conv3_one(ARGUMENTS)
{
    conv_direct(in, out, weights, table, at, first, 3, 1);
}
__kernel void conv1(ARGUMENTS)
{
    conv_direct(in, out, weights, table, at, first, 1, OUTPUTS);
}
__kernel void conv1_one(ARGUMENTS)
{
    conv_direct(in, out, weights, table, at, first, 1, 1);
}

#if LANES == 4 && !defined NO_TILES
/*
 * For GPUs: a group of TILE_X x TILE_Y items makes TILE_X x (TILE_Y * PIXELS) pixels of `blocks` output blocks. What one
 * block of input channels holds of them, with the window's rim, is brought into local memory by all, then each item takes
 * from there what it needs: an implicit matrix product whose tiles lie in registers. The pixels of an item lie below
 * each other, so neighbours read local memory side by side. The weights come the same way, all of a 3x3 window at once, of
 * others a row at a time.
 *     patch   ((TILE_X - 1) * stride + kw) * ((TILE_Y * PIXELS - 1) * stride + kh) vectors, and `blocks` times LANES for
 *             each weight of that
 */
ALWAYS_INLINE void conv_in_tiles(ARGUMENTS, __local vec *patch, const int k, const int blocks)
{
    __global const int *t = table + at;
    const int kh = k ? k : t[CONV_KH], kw = k ? k : t[CONV_KW], stride = k ? 1 : t[CONV_STRIDE];
    const int tall = k ? k : 1, taps = tall * kw * LANES;
    const int lx = (int)get_local_id(0), ly = (int)get_local_id(1), item = ly * TILE_X + lx;
    const int x0 = (int)get_group_id(0) * TILE_X, y0 = (int)get_group_id(1) * TILE_Y * PIXELS + first;
    const int o0 = (int)get_global_id(2) * blocks, last = t[BLOCKS] - 1;
    const int h = t[IN_H], w_in = t[IN_W];
    const int wide = (TILE_X - 1) * stride + kw, all = wide * ((TILE_Y * PIXELS - 1) * stride + kh);
    const int left = x0 * stride - t[CONV_PAD_X], top = y0 * stride - t[CONV_PAD_Y];
    __local vec *tile = patch + all;
    vec acc[4][PIXELS];
    int of[4]; /* where the weights of each block begin; a block beyond the last is worked as if it were that, and not stored */
    EACH_OUTPUT(j) {
        of[j] = (min(o0 + j, last) - o0) * t[CONV_WEIGHTS_STEP];
        EACH_PIXEL(p)
            acc[j][p] = weights[t[CONV_BIAS] + min(o0 + j, last)];
    }
    __global const vec *w = weights + t[CONV_WEIGHTS] + o0 * t[CONV_WEIGHTS_STEP];
    for (int i = 0; i < t[CONV_PIECES]; i++) {
        __global const int *piece = t + CONV_PIECE + PIECE_INTS * i;
        for (int c = 0; c < piece[3]; c += LANES) {
            const int from = place(piece, c / LANES, 0, 0), row = piece[1];
            barrier(CLK_LOCAL_MEM_FENCE);
            for (int n = item; n < all; n += TILE_X * TILE_Y) {
                int x;
                const int y = top + divide(n, wide, &x);
                x += left;
                const int legal_y = clamp(y, 0, h - 1), legal_x = clamp(x, 0, w_in - 1);
                vec v = GET(in, from + legal_y * row + legal_x);
                if ((legal_y != y || legal_x != x) && !t[CONV_REPLICATE])
                    v = (vec)(0.0f);
                patch[n] = v;
            }
            for (int ky = 0; ky < kh; ky += tall, w += taps) {
                if (ky)
                    barrier(CLK_LOCAL_MEM_FENCE);
                EACH_OUTPUT(j)
                    for (int n = item; n < taps; n += TILE_X * TILE_Y)
                        tile[j * taps + n] = w[of[j] + n];
                barrier(CLK_LOCAL_MEM_FENCE);
                for (int r = 0; r < tall; r++)
                    for (int kx = 0; kx < kw; kx++) {
                        __local const vec *tap = tile + (r * kw + kx) * LANES;
                        vec v[PIXELS];
                        EACH_PIXEL(p)
                            v[p] = patch[((ly * PIXELS + p) * stride + ky + r) * wide + lx * stride + kx];
                        EACH_OUTPUT(j)
                            multiply(acc[j], v, WEIGHTS_FROM(tap + j * taps));
                    }
            }
        }
    }
    const int x = x0 + lx;
    EACH_OUTPUT(j)
        EACH_PIXEL(p) {
            const int y = y0 + ly * PIXELS + p;
            if (o0 + j <= last && x < t[COLS] && y < t[ROWS])
                conv_finish(in, out, weights, table, at, first, acc[j][p], o0 + j, y, x);
        }
}

#define IN_TILES(name, k, blocks)                                                                                      \
    __kernel __attribute__((reqd_work_group_size(TILE_X, TILE_Y, 1))) void name(ARGUMENTS, __local vec *patch)         \
    {                                                                                                                  \
        conv_in_tiles(in, out, weights, table, at, first, patch, k, blocks);                                           \
    }
IN_TILES(conv_tiled, 0, OUTPUTS)
IN_TILES(conv_tiled_one, 0, 1)
IN_TILES(conv3_tiled, 3, OUTPUTS)
IN_TILES(conv3_tiled_one, 3, 1)
#endif
