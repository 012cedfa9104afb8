/* Transformers: a pixel is a token. Linear layers are convolutions of 1x1. Twins: kernels/tokens.c. */

/* Ba et al., "Layer Normalization", 2016: over the channels of one pixel. */
__kernel void layer_norm(ARGUMENTS)
{
    __global const int *t = table + at;
    const int x = (int)get_global_id(0), y = (int)get_global_id(1) + first, channels = t[NORM_CHANNELS];
    if (x >= t[COLS] || y >= t[ROWS])
        return;
    const int from = place(t + X, 0, y, x), to = place(t + OUT, 0, y, x), plane = t[X + 2], to_plane = t[OUT + 2];
    const int full = channels / LANES; /* blocks; the lanes of one that is not are summed alone */
    float mean = 0.0f, variance = 0.0f;
    vec sums = (vec)(0.0f);
#pragma unroll 4
    for (int b = 0; b < full; b++)
        sums += GET(in, from + b * plane);
    for (int c = full * LANES; c < channels; c++)
        mean += lane_of(in, t + X, c, y, x);
    mean = (across(sums) + mean) / (float)channels;
    sums = (vec)(0.0f);
#pragma unroll 4
    for (int b = 0; b < full; b++) {
        const vec d = GET(in, from + b * plane) - (vec)(mean);
        sums = MULADD(d, d, sums);
    }
    for (int c = full * LANES; c < channels; c++) {
        const float d = lane_of(in, t + X, c, y, x) - mean;
        variance += d * d;
    }
    variance += across(sums);
    const float share = 1.0f / sqrt(variance / (float)channels + NUMBER(NORM_EPS));
    /* gain and shift are zero in lanes without a channel, and what lies there is finite; four blocks are on their way at once,
     * which a compiler cannot arrange that must take `out` for `in` */
    __global const vec *gain = weights + t[NORM_GAIN], *shift = weights + t[NORM_SHIFT];
    for (int b = 0, last = t[BLOCKS] - 1; b <= last; b += 4) {
        vec z[4];
#pragma unroll
        for (int i = 0; i < 4; i++) {
            const int n = min(b + i, last);
            z[i] = (GET(in, from + n * plane) - (vec)(mean)) * (vec)(share) * gain[n] + shift[n];
        }
#pragma unroll
        for (int i = 0; i < 4; i++)
            if (b + i <= last)
                PUT(out, to + (b + i) * to_plane, z[i]);
    }
}

/*
 * One head of one query (Vaswani et al., "Attention Is All You Need", 2017, equation 1, with a bias for each offset) within
 * the window that holds it; the first of the grid is cut, and so are those at the far edges. Global block: the head.
 * Twice over the keys: for the largest score, then for the sum.
 */
__kernel void window_attention(ARGUMENTS)
{
    __global const int *t = table + at;
    const int x = (int)get_global_id(0), y = (int)get_global_id(1) + first, head = (int)get_global_id(2);
    const int heads = t[WINDOW_HEADS], depth = t[WINDOW_DEPTH], window = t[WINDOW_SIZE];
    if (x >= t[COLS] || y >= t[ROWS] || head >= heads)
        return;
    const int before = t[WINDOW_SHIFT] ? window - t[WINDOW_SHIFT] : 0, side = 2 * window - 1;
    const int y0 = (y + before) / window * window - before, x0 = (x + before) / window * window - before;
    const int from_y = max(y0, 0), to_y = min(y0 + window, t[ROWS]), from_x = max(x0, 0), to_x = min(x0 + window, t[COLS]);
    const int q_at = head * depth, k_at = (heads + head) * depth, v_at = (2 * heads + head) * depth;
    const float scale = 1.0f / sqrt((float)depth);
    __global const float *bias = (__global const float *)(weights + t[WINDOW_TABLE]) + head;
    float q[WINDOW_MOST_DEPTH], z[WINDOW_MOST_DEPTH];
    for (int d = 0; d < depth; d++) {
        q[d] = lane_of(in, t + X, q_at + d, y, x);
        z[d] = 0.0f;
    }
    float most = -INFINITY, sum = 0.0f;
    for (int pass = 0; pass < 2; pass++)
        for (int j = from_y; j < to_y; j++)
            for (int i = from_x; i < to_x; i++) {
                float s = 0.0f;
                for (int d = 0; d < depth; d++)
                    s += q[d] * lane_of(in, t + X, k_at + d, j, i);
                s = scale * s + bias[((y - j + window - 1) * side + x - i + window - 1) * heads];
                if (!pass) {
                    most = fmax(most, s);
                    continue;
                }
                const float e = exp(s - most);
                sum += e;
                for (int d = 0; d < depth; d++)
                    z[d] += e * lane_of(in, t + X, v_at + d, j, i);
            }
    for (int d = 0; d < depth; d++)
        PUT1(out, lane_at(t + OUT, q_at + d, y, x), z[d] / sum);
    /* the lanes behind the last channel, once */
    for (int c = heads * depth; head == 0 && c < t[BLOCKS] * LANES; c++)
        PUT1(out, lane_at(t + OUT, c, y, x), 0.0f);
}

#if LANES == 4 && !defined NO_PRODUCTS
/*
 * The same for GPUs, for windows of 8 x 8 at most and heads of 16 or 32 channels at most: a group of 64 items has one head
 * of one window. Keys and values lie in local memory, an item's query and its sums in registers. Once over the keys, 8 at
 * a time: when a larger score than before turns up, what is summed so far is scaled down to it (Milakov and Gimelshein,
 * "Online normalizer calculation for softmax", 2018). Heads need not begin with a block of channels.
 *     room   keys, values: [vector][position]; the head's biases, then where each key lies in their table
 */
#define WINDOW_ITEMS 64
#define KEYS 8 /* at a time */
/* Bounds are numbers, or compilers unroll too late to keep arrays in registers. */
#define EACH_VECTOR(d) _Pragma("unroll") for (int d = 0; d < 8; d++) if (d < vectors)
#define EACH_KEY(a) _Pragma("unroll") for (int a = 0; a < KEYS; a++)

/* The lanes of a from r on, then those of b. */
ALWAYS_INLINE vec shifted(vec a, vec b, int r)
{
    const float f0 = r & 2 ? a.z : a.x, f1 = r & 2 ? a.w : a.y, f2 = r & 2 ? b.x : a.z, f3 = r & 2 ? b.y : a.w;
    const float f4 = r & 2 ? b.z : b.x;
    return r & 1 ? (vec)(f1, f2, f3, f4) : (vec)(f0, f1, f2, f3);
}

/* `depth` channels of one pixel from c on, then zeros; what is read for them is another head's, or the last block again. */
ALWAYS_INLINE void fetch_head(vec to[8], __global const cell *in, __global const int *map, int c, int depth, int last,
                              int y, int x, const int vectors)
{
    const int b = c / LANES, r = c & (LANES - 1);
    vec now = GET(in, place(map, b, y, x));
    EACH_VECTOR(d) {
        const vec next = GET(in, place(map, min(b + d + 1, last), y, x));
        to[d] = shifted(now, next, r) *
                clamp((vec)((float)(depth - LANES * d)) - (vec)(0.0f, 1.0f, 2.0f, 3.0f), (vec)(0.0f), (vec)(1.0f));
        now = next;
    }
}

ALWAYS_INLINE void put_lane(__global cell *out, __global const int *map, int c, int from, int to, int y, int x, float f)
{
    if (c >= from && c < to)
        PUT1(out, lane_at(map, c, y, x), f);
}

/* Blocks that are all the head's as they are, of the first and the last what is its own: others write the rest. */
ALWAYS_INLINE void put_head(__global cell *out, __global const int *map, const vec z[8], float share, int from, int depth, int y,
                            int x, const int vectors)
{
    const int b = from / LANES, r = from & (LANES - 1), to = from + depth;
    vec before = z[0]; /* which nobody looks at, nor at what follows the last */
#pragma unroll
    for (int d = 0; d <= 8; d++) {
        if (d > vectors)
            continue;
        const vec now = d < vectors ? z[d & 7] : before, f = (r ? shifted(before, now, LANES - r) : now) * (vec)(share);
        const int c = (b + d) * LANES;
        before = now;
        if (c >= from && c + LANES <= to) {
            PUT(out, place(map, b + d, y, x), f);
            continue;
        }
        put_lane(out, map, c, from, to, y, x, f.x);
        put_lane(out, map, c + 1, from, to, y, x, f.y);
        put_lane(out, map, c + 2, from, to, y, x, f.z);
        put_lane(out, map, c + 3, from, to, y, x, f.w);
    }
}

ALWAYS_INLINE void attend_window(ARGUMENTS, __local vec *room, const int vectors)
{
    __global const int *t = table + at;
    const int item = (int)get_local_id(0), head = (int)get_group_id(2);
    const int heads = t[WINDOW_HEADS], depth = t[WINDOW_DEPTH], window = t[WINDOW_SIZE], side = 2 * window - 1;
    const int before = t[WINDOW_SHIFT] ? window - t[WINDOW_SHIFT] : 0, last = (3 * heads * depth - 1) / LANES;
    const int y0 = ((int)get_group_id(1) + first) * window - before, x0 = (int)get_group_id(0) * window - before;
    const int from_y = max(y0, 0), from_x = max(x0, 0), wide = min(x0 + window, t[COLS]) - from_x;
    const int count = wide * (min(y0 + window, t[ROWS]) - from_y), own = item < count;
    const float scale = 1.0f / sqrt((float)depth);
    __local vec *keys = room, *values = room + vectors * WINDOW_ITEMS;
    __local float *biases = (__local float *)(values + vectors * WINDOW_ITEMS);
    __local int *places = (__local int *)(biases + side * side);
    __global const float *bias = (__global const float *)(weights + t[WINDOW_TABLE]) + head;
    int x, y = from_y + divide(own ? item : 0, wide, &x);
    x += from_x;
    vec q[8], z[8], v[8];
    fetch_head(v, in, t + X, (heads + head) * depth, depth, last, y, x, vectors);
    EACH_VECTOR(d)
        keys[d * WINDOW_ITEMS + item] = v[d];
    fetch_head(v, in, t + X, (2 * heads + head) * depth, depth, last, y, x, vectors);
    EACH_VECTOR(d)
        values[d * WINDOW_ITEMS + item] = v[d];
    fetch_head(q, in, t + X, head * depth, depth, last, y, x, vectors);
    EACH_VECTOR(d)
        z[d] = (vec)(0.0f);
    for (int n = item; n < side * side; n += WINDOW_ITEMS)
        biases[n] = bias[n * heads];
    places[item] = (y - y0) * side + x - x0;
    barrier(CLK_LOCAL_MEM_FENCE);
    __local const float *mine = biases + (y - y0 + window - 1) * side + x - x0 + window - 1;
    float most = -INFINITY, sum = 0.0f;
    for (int n = 0; n < count; n += KEYS) {
        float s[KEYS], now = most;
        EACH_KEY(a) {
            vec products = (vec)(0.0f);
            EACH_VECTOR(d)
                products = MULADD(q[d], keys[d * WINDOW_ITEMS + n + a], products);
            s[a] = scale * across(products) + mine[-places[n + a]];
            s[a] = n + a < count ? s[a] : -INFINITY;
            now = fmax(now, s[a]);
        }
        const float less = exp(most - now);
        most = now;
        sum *= less;
        EACH_VECTOR(d)
            z[d] *= (vec)(less);
        EACH_KEY(a) {
            const float e = exp(s[a] - most);
            sum += e;
            EACH_VECTOR(d)
                z[d] = MULADD((vec)(e), values[d * WINDOW_ITEMS + n + a], z[d]);
        }
    }
    if (!own)
        return;
    put_head(out, t + OUT, z, 1.0f / sum, head * depth, depth, y, x, vectors);
    /* the lanes behind the last channel, once */
    for (int c = heads * depth; head == 0 && c < t[BLOCKS] * LANES; c++)
        PUT1(out, lane_at(t + OUT, c, y, x), 0.0f);
}

__kernel GROUPS_OF(WINDOW_ITEMS) void window_16(ARGUMENTS, __local vec *room)
{
    attend_window(in, out, weights, table, at, first, room, 4);
}
__kernel GROUPS_OF(WINDOW_ITEMS) void window_32(ARGUMENTS, __local vec *room)
{
    attend_window(in, out, weights, table, at, first, room, 8);
}
#endif
