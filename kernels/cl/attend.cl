/*
 * Attention over all N positions, a chunk of positions j at a time (Zhang et al., "Self-Attention Generative Adversarial
 * Networks", 2019, figure 2; engine/ops/attend.c says which is which):
 *     scores    s[i][j] = sum over c of q[c][i] * k[c][j]
 *     softmax   over i, for each j
 *     weigh     out[c][j] = sum over i of v[c][i] * s[i][j]
 */
#define SIDE 4
#define EACH_OF_SIDE(a) _Pragma("unroll") for (int a = 0; a < SIDE; a++)

static inline int position(__global const int *map, int width, int i)
{
    int x;
    const int y = divide(i, width, &x);
    return place(map, 0, y, x);
}

static inline float across(vec z)
{
    float f[LANES], sum = 0.0f;
    JOIN(vstore, LANES)(z, 0, f);
#pragma unroll
    for (int l = 0; l < LANES; l++)
        sum += f[l];
    return sum;
}

/* SIDE x SIDE scores an item; lanes beyond the last channel are left out. */
__kernel void scores(ARGUMENTS)
{
    __global const int *t = table + at;
    const int n = t[ATTEND_POSITIONS], chunk = t[ATTEND_CHUNK], width = t[IN_W];
    const int j0 = (int)get_global_id(0) * SIDE, i0 = ((int)get_global_id(1) + first) * SIDE;
    if (j0 >= chunk || i0 >= n)
        return;
    __global float *s = FLOATS(out, t[OUT]);
    int q[SIDE], k[SIDE];
    vec acc[SIDE][SIDE];
    float rest[SIDE][SIDE];
    EACH_OF_SIDE(a) {
        q[a] = position(t + X, width, min(i0 + a, n - 1));
        k[a] = position(t + ATTEND_OTHER, width, min(t[ATTEND_FIRST] + j0 + a, n - 1));
        EACH_OF_SIDE(b) {
            acc[a][b] = (vec)(0.0f);
            rest[a][b] = 0.0f;
        }
    }
    const int full = t[ATTEND_CHANNELS] / LANES;
    for (int c = 0; c < full; c++)
        EACH_OF_SIDE(a) {
            const vec qa = GET(in, q[a] + c * t[X + 2]);
            EACH_OF_SIDE(b)
                acc[a][b] = MULADD(qa, GET(in, k[b] + c * t[ATTEND_OTHER + 2]), acc[a][b]);
        }
    for (int l = 0; l < (t[ATTEND_CHANNELS] & (LANES - 1)); l++)
        EACH_OF_SIDE(a)
            EACH_OF_SIDE(b)
                rest[a][b] += GET1(in, (size_t)(q[a] + full * t[X + 2]) * LANES + l) *
                              GET1(in, (size_t)(k[b] + full * t[ATTEND_OTHER + 2]) * LANES + l);
    EACH_OF_SIDE(a)
        EACH_OF_SIDE(b)
            if (i0 + a < n && j0 + b < chunk)
                s[(size_t)(i0 + a) * chunk + j0 + b] = across(acc[a][b]) + rest[a][b];
}

/* In place; one position j an item. */
__kernel void softmax(ARGUMENTS)
{
    __global const int *t = table + at;
    const int n = t[ATTEND_POSITIONS], chunk = t[ATTEND_CHUNK], j = (int)get_global_id(0);
    if (j >= chunk || (int)get_global_id(1) + first > 0)
        return;
    __global float *s = FLOATS(out, t[OUT]) + j;
    float most = -INFINITY, sum = 0.0f, lost = 0.0f;
    for (int i = 0; i < n; i++)
        most = fmax(most, s[(size_t)i * chunk]);
    for (int i = 0; i < n; i++) {
        const float e = exp(s[(size_t)i * chunk] - most), now = sum + e, back = now - sum;
        s[(size_t)i * chunk] = e;
        lost += (sum - (now - back)) + (e - back);
        sum = now;
    }
    const float share = 1.0f / (sum + lost);
    for (int i = 0; i < n; i++)
        s[(size_t)i * chunk] *= share;
}

#if LANES == 4 && !defined NO_PRODUCTS
/*
 * For GPUs: a group has SOFTMAX_COLUMNS positions j, each of them SOFTMAX_SLICES items, whose rows lie SOFTMAX_SLICES
 * apart. First the largest and the sum together, scaled down whenever something larger turns up, then all is written once.
 */
#define SOFTMAX_COLUMNS 8
#define SOFTMAX_SLICES 16
#define AT_ONCE 4 /* rows of an item */

/* A sum scaled down from what was the largest so far. Who has no rows has none. */
ALWAYS_INLINE float scaled_down(float sum, float from, float to)
{
    return from > -INFINITY ? sum * exp(from - to) : 0.0f;
}

__kernel GROUPS_OF(SOFTMAX_COLUMNS *SOFTMAX_SLICES) void softmax_by_groups(
    ARGUMENTS, __local float *room)
{
    __global const int *t = table + at;
    const int item = (int)get_local_id(0), column = item & (SOFTMAX_COLUMNS - 1), slice = item / SOFTMAX_COLUMNS;
    const int n = t[ATTEND_POSITIONS], chunk = t[ATTEND_CHUNK], j = (int)get_group_id(0) * SOFTMAX_COLUMNS + column;
    __global float *s = FLOATS(out, t[OUT]) + j;
    float most = -INFINITY, sum = 0.0f;
    for (int i = slice; i < n && j < chunk; i += AT_ONCE * SOFTMAX_SLICES) {
        float f[AT_ONCE], now = most;
#pragma unroll
        for (int a = 0; a < AT_ONCE; a++) {
            const int row = i + a * SOFTMAX_SLICES;
            f[a] = row < n ? s[(size_t)row * chunk] : -INFINITY;
            now = fmax(now, f[a]);
        }
        sum *= exp(most - now);
        most = now;
#pragma unroll
        for (int a = 0; a < AT_ONCE; a++)
            sum += exp(f[a] - most);
    }
    __local float *largest = room, *sums = room + SOFTMAX_COLUMNS * SOFTMAX_SLICES;
    largest[item] = most;
    sums[item] = sum;
    for (int apart = SOFTMAX_SLICES / 2; apart > 0; apart /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (slice < apart) {
            const int other = item + apart * SOFTMAX_COLUMNS;
            const float a = largest[item], b = largest[other], now = fmax(a, b);
            largest[item] = now;
            sums[item] = scaled_down(sums[item], a, now) + scaled_down(sums[other], b, now);
        }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    const float top = largest[column], share = 1.0f / sums[column];
    for (int i = slice; i < n && j < chunk; i += AT_ONCE * SOFTMAX_SLICES)
#pragma unroll
        for (int a = 0; a < AT_ONCE; a++) {
            const int row = i + a * SOFTMAX_SLICES;
            if (row < n)
                s[(size_t)row * chunk] = exp(s[(size_t)row * chunk] - top) * share;
        }
}
#endif

/* PIXELS positions of one block of channels an item. */
__kernel void weigh(ARGUMENTS)
{
    __global const int *t = table + at;
    const int n = t[ATTEND_POSITIONS], chunk = t[ATTEND_CHUNK], width = t[IN_W];
    const int beside = (int)get_local_size(0), b = (int)get_global_id(1) + first;
    const int j0 = (int)get_group_id(0) * beside * PIXELS + (int)get_local_id(0);
    if (j0 >= chunk || b >= t[BLOCKS])
        return;
    __global const float *s = FLOATS(in, t[X]) + j0;
    __global const int *v = t + ATTEND_OTHER;
    int at_p[PIXELS];
    vec acc[PIXELS];
    for (int p = 0; p < PIXELS; p++) {
        at_p[p] = min(j0 + p * beside, chunk - 1) - j0;
        acc[p] = (vec)(0.0f);
    }
    for (int y = 0, i = 0; i < n; y++) {
        const int row = place(v, b, y, 0);
        for (int x = 0; x < width; x++, i++) {
            const vec vi = GET(in, row + x);
            for (int p = 0; p < PIXELS; p++)
                acc[p] = MULADD((vec)(s[(size_t)i * chunk + at_p[p]]), vi, acc[p]);
        }
    }
    for (int p = 0; p < PIXELS; p++) {
        const int j = t[ATTEND_FIRST] + j0 + p * beside;
        if (j0 + p * beside < chunk)
            PUT(out, position(t + OUT, width, j) + b * t[OUT + 2], acc[p]);
    }
}
