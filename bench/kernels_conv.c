/*
 * One layer on one thread, the way the engine calls the kernels: per output row a list of segments, then
 * one call. Both sides take the same numbers from value(), whatever their layouts.
 */
#include <stdint.h>
#include <stdlib.h>

#include "bench/bench.h"
#include "bench/list.h"
#include "engine/alloc.h"

typedef struct conv_shape {
    int k, in, out, w, h;
    int up; /* 2: transposed, window 4, stride 2; else 0 */
} conv_shape;

/*
 * A transposed convolution is `up` * `up` small convolutions, one per parity of the output pixel:
 * tap t of parity p reads input y - 1 + p + t and weight 3 - p - 2 * t. A plain one has parity 0 only.
 */
enum { PARITIES = 4, SEGMENTS = 1024 };

static int upscale(const conv_shape *c) { return c->up ? c->up : 1; }

static int window(const conv_shape *c) { return c->up ? 2 : c->k; }

/* The input row (column) of tap 0 for output row 0 of a parity: -1, 0 or, plain, half a window up. */
static int origin(const conv_shape *c, int parity) { return c->up ? parity - 1 : -(c->k / 2); }

static int tap_index(const conv_shape *c, int parity, int t) { return c->up ? 3 - parity - 2 * t : t; }

/* -0.5 .. 0.5, decided by i alone */
static float value(uint32_t i)
{
    i = (i ^ (i >> 15)) * 0x2c1b3c6du;
    i = (i ^ (i >> 12)) * 0x297a2d39u;
    return (float)((i ^ (i >> 15)) >> 8) * 0x1p-24f - 0.5f;
}

static float input_at(const conv_shape *c, int channel, int y, int x)
{
    return value((uint32_t)((channel * c->h + y) * c->w + x));
}

static float weight_at(const conv_shape *c, int o, int i, int parity, int ty, int tx)
{
    const int ky = tap_index(c, parity / 2, ty), kx = tap_index(c, parity % 2, tx);
    return value(0x40000000u + (uint32_t)(((o * c->in + i) * c->k + ky) * c->k + kx)) * 0.25f;
}

static void result_place(const conv_shape *c, unsigned i, int *o, int *y, int *x)
{
    *o = (int)(i * 7 % (unsigned)c->out);
    *y = (int)(i * 1009 % (unsigned)(c->h / 16 * upscale(c))); /* what env->part leaves */
    *x = (int)(i * 2003 % (unsigned)(c->w * upscale(c)));
}

static double flops(const conv_shape *c, int rows)
{
    const int parities = upscale(c) * upscale(c);
    return 2.0 * window(c) * window(c) * c->in * c->out * c->w * rows * parities;
}

/* ---- ours ------------------------------------------------------------------------------------------ */

typedef struct ours {
    const conv_shape *c;
    const tt_kernels *k;
    int rows, planar, narrow; /* rows of output / upscale; layout of input, of output */
    int width, planes;        /* padded pixels of an input row; its channels or blocks */
    int outputs;              /* channels or blocks of output */
    int segments;
    const float *seg[SEGMENTS];
    int count[SEGMENTS];
    float *in, *zeros, *weights[PARITIES], *bias, *slope, *out;
} ours;

static size_t row_size(const ours *s)
{
    return (size_t)s->planes * (size_t)s->width * (size_t)(s->planar ? 1 : s->k->block);
}

static size_t out_row_size(const ours *s)
{
    return (size_t)s->outputs * (size_t)(s->c->w * upscale(s->c)) * (size_t)(s->narrow ? 1 : s->k->block);
}

/* in[y]: planes of width * block floats, w pixels between margins of zeros */
static void fill_input(ours *s)
{
    const int block = s->planar ? 1 : s->k->block;
    for (int y = 0; y < s->c->h; y++)
        for (int i = 0; i < s->c->in; i++)
            for (int x = 0; x < s->c->w; x++)
                s->in[(size_t)y * row_size(s) + (size_t)((i / block * s->width + x + s->c->k) * block +
                                                         i % block)] = input_at(s->c, i, y, x);
}

/* The segments of output row y of a parity, from pixel 0: for input block, for ky, for kx (planar: for
 * channel, for ky; a window row is one segment, cut by conv_narrow's limit). */
static void list_segments(ours *s, int y, int parity)
{
    const conv_shape *c = s->c;
    const int k = window(c), block = s->k->block;
    const int run = s->planar ? k : s->c->in, most = s->planar && !s->narrow ? k : block;
    const int x0 = c->k + origin(c, parity % 2);
    s->segments = 0;
    for (int p = 0; p < s->planes; p++) {
        for (int ty = 0; ty < k; ty++) {
            const int from = y + origin(c, parity / 2) + ty;
            const float *row = from < 0 || from >= c->h ? s->zeros : s->in + (size_t)from * row_size(s);
            row += p * s->width * (s->planar ? 1 : block) + x0 * (s->planar ? 1 : block);
            for (int tx = 0; tx < (s->planar ? (run + most - 1) / most : k); tx++) {
                const int left = s->planar ? run - tx * most : run - p * block;
                s->seg[s->segments] = row + tx * (s->planar ? most : block);
                s->count[s->segments++] = left < most ? left : most;
            }
        }
    }
}

static float packed_weight(const ours *s, int o, int p, int ty, int t, int parity)
{
    if (o >= s->c->out)
        return 0;
    if (s->planar)
        return weight_at(s->c, o, p, parity, ty, t);
    return weight_at(s->c, o, p * s->k->block + t % s->k->block, parity, ty, t / s->k->block);
}

/* conv: [group][tap][gb * block], taps in the order of the segments */
static void pack(ours *s, int parity)
{
    const int k = window(s->c), block = s->k->block, group = s->k->group;
    float *w = s->weights[parity];
    for (int first = 0; first < s->outputs; first += group) {
        const int gb = s->outputs - first < group ? s->outputs - first : group;
        for (int p = 0; p < s->planes; p++) {
            const int lanes = s->planar ? 1 : s->c->in - p * block < block ? s->c->in - p * block : block;
            for (int ty = 0; ty < k; ty++)
                for (int tx = 0; tx < k; tx++)
                    for (int i = 0; i < lanes; i++)
                        for (int o = 0; o < gb * block; o++)
                            *w++ = packed_weight(s, first * block + o, p, ty,
                                                 tx * (s->planar ? 1 : block) + i, parity);
        }
    }
}

/* conv_narrow: [segment][output][block], zeros beyond the segment. Only blocked input is measured so far. */
static void pack_narrow(ours *s, int parity)
{
    const int k = window(s->c), block = s->k->block;
    float *w = s->weights[parity];
    for (int p = 0; p < s->planes; p++)
        for (int t = 0; t < k * k; t++)
            for (int o = 0; o < s->c->out; o++)
                for (int i = 0; i < block; i++)
                    *w++ = p * block + i < s->c->in ? packed_weight(s, o, p, t / k, t % k * block + i, parity)
                                                    : 0;
}

static void teardown(void *state)
{
    ours *s = state;
    if (!s)
        return;
    for (int p = 0; p < PARITIES; p++)
        tt_aligned_free(s->weights[p]);
    tt_aligned_free(s->in);
    tt_aligned_free(s->zeros);
    tt_aligned_free(s->bias);
    tt_aligned_free(s->slope);
    tt_aligned_free(s->out);
    free(s);
}

static bool allocate(ours *s)
{
    const size_t block = (size_t)s->k->block, lanes = (size_t)s->outputs * block;
    const size_t taps = (size_t)window(s->c) * (size_t)window(s->c) * (size_t)s->planes * block;
    s->in = tt_aligned_zalloc((size_t)s->c->h * row_size(s) * sizeof(float));
    s->zeros = tt_aligned_zalloc(row_size(s) * sizeof(float));
    s->bias = tt_aligned_zalloc(lanes * sizeof(float));
    s->slope = tt_aligned_zalloc(lanes * sizeof(float));
    s->out = tt_aligned_zalloc((size_t)(s->c->h * upscale(s->c)) * out_row_size(s) * sizeof(float));
    bool all = s->in && s->zeros && s->bias && s->slope && s->out;
    for (int p = 0; p < upscale(s->c) * upscale(s->c); p++)
        all = (s->weights[p] = tt_aligned_zalloc(taps * lanes * sizeof(float))) && all;
    return all;
}

static void *setup(const void *shape, const tt_bench_env *env, tt_bench_work *work)
{
    const conv_shape *c = shape;
    ours *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->c = c;
    s->k = env->kernels;
    s->rows = env->part ? c->h / 16 : c->h;
    s->planar = c->in <= 4;
    s->narrow = c->out <= TT_NARROW_MAX;
    s->width = c->w + 2 * c->k;
    s->planes = s->planar ? c->in : (c->in + s->k->block - 1) / s->k->block;
    s->outputs = s->narrow ? c->out : (c->out + s->k->block - 1) / s->k->block;
    if (s->planes * window(c) * window(c) > SEGMENTS || (s->planar && s->narrow) || !allocate(s)) {
        teardown(s);
        return NULL;
    }
    fill_input(s);
    for (int p = 0; p < upscale(c) * upscale(c); p++)
        s->narrow ? pack_narrow(s, p) : pack(s, p);
    for (int i = 0; i < s->outputs * s->k->block; i++)
        s->slope[i] = 1; /* the work of a LeakyReLU, the result of none, as the peer computes none */
    work->flops = flops(c, s->rows);
    return s;
}

static void run(void *state)
{
    ours *s = state;
    const int up = upscale(s->c), wide = s->c->w * up, block = s->narrow ? 1 : s->k->block;
    for (int y = 0; y < s->rows; y++) {
        for (int p = 0; p < up * up; p++) {
            list_segments(s, y, p);
            const tt_conv_row row = {
                .n = s->c->w,
                .outputs = s->outputs,
                .segments = s->segments,
                .seg = s->seg,
                .count = s->count,
                .step = s->planar ? 1 : s->k->block,
                .weights = s->weights[p],
                .bias = s->bias,
                .act = TT_ACT_PRELU,
                .slope = s->slope,
                .dst = s->out + (size_t)(y * up + p / 2) * out_row_size(s) + p % 2 * block,
                .dst_plane = wide * block,
                .dst_step = up * block,
                .block = s->k->block,
                .group = s->k->group,
            };
            (s->narrow ? s->k->conv_narrow : s->k->conv)(&row);
        }
    }
}

static float result(const void *state, unsigned i)
{
    const ours *s = state;
    const int block = s->narrow ? 1 : s->k->block;
    int o, y, x;
    result_place(s->c, i, &o, &y, &x);
    const float *row = s->out + (size_t)y * out_row_size(s);
    return row[(o / block * s->c->w * upscale(s->c) + x) * block + o % block];
}

static const tt_bench_side tintype = {"tintype", setup, run, teardown, result};

/* ---- the peer: im2col and OpenBLAS -------------------------------------------------------------------- */

/* Eight rows at a time: their columns stay in the second cache, the whole image's would go to memory. */
enum { STRIP = 8 };

typedef struct peer {
    const conv_shape *c;
    tt_bench_sgemm_fn *sgemm;
    float *in;                /* [in][h + 2k][w + 2k], zeros around */
    float *columns;           /* [in * k * k][STRIP * w] */
    float *weights[PARITIES]; /* [out][in * k * k] */
    float *strip;             /* [out][STRIP * w], transposed convolution only */
    float *out;               /* [out][h * up][w * up] */
} peer;

static void peer_teardown(void *state)
{
    peer *s = state;
    if (!s)
        return;
    for (int p = 0; p < PARITIES; p++)
        tt_aligned_free(s->weights[p]);
    tt_aligned_free(s->in);
    tt_aligned_free(s->columns);
    tt_aligned_free(s->strip);
    tt_aligned_free(s->out);
    free(s);
}

static void peer_fill(peer *s)
{
    const conv_shape *c = s->c;
    const int k = window(c), high = c->h + 2 * c->k, wide = c->w + 2 * c->k;
    for (int i = 0; i < c->in; i++)
        for (int y = 0; y < c->h; y++)
            for (int x = 0; x < c->w; x++)
                s->in[(size_t)(i * high + y + c->k) * (size_t)wide + (size_t)(x + c->k)] =
                    input_at(c, i, y, x);
    for (int p = 0; p < upscale(c) * upscale(c); p++)
        for (int o = 0; o < c->out; o++)
            for (int t = 0; t < c->in * k * k; t++)
                s->weights[p][o * c->in * k * k + t] = weight_at(c, o, t / (k * k), p, t / k % k, t % k);
}

static void *peer_setup(const void *shape, const tt_bench_env *env, tt_bench_work *work)
{
    const conv_shape *c = shape;
    const size_t taps = (size_t)(window(c) * window(c) * c->in), strip = (size_t)(STRIP * c->w);
    const size_t pixels = (size_t)(c->h * upscale(c)) * (size_t)(c->w * upscale(c)), out = (size_t)c->out;
    (void)env;
    peer *s = tt_bench_sgemm() && c->h % STRIP == 0 ? calloc(1, sizeof *s) : NULL;
    if (!s)
        return NULL;
    s->c = c;
    s->sgemm = tt_bench_sgemm();
    s->in = tt_aligned_zalloc(sizeof(float) * (size_t)c->in * (size_t)(c->h + 2 * c->k) *
                              (size_t)(c->w + 2 * c->k));
    s->columns = tt_aligned_zalloc(sizeof(float) * taps * strip);
    s->strip = tt_aligned_zalloc(sizeof(float) * out * strip);
    s->out = tt_aligned_zalloc(sizeof(float) * out * pixels);
    bool all = s->in && s->columns && s->strip && s->out;
    for (int p = 0; p < upscale(c) * upscale(c); p++)
        all = (s->weights[p] = tt_aligned_zalloc(sizeof(float) * taps * out)) && all;
    if (!all) {
        peer_teardown(s);
        return NULL;
    }
    peer_fill(s);
    work->flops = flops(c, c->h);
    return s;
}

static void make_columns(peer *s, int y0, int parity)
{
    const conv_shape *c = s->c;
    const int k = window(c), high = c->h + 2 * c->k, wide = c->w + 2 * c->k;
    float *to = s->columns;
    for (int t = 0; t < c->in * k * k; t++) {
        const int ty = y0 + c->k + origin(c, parity / 2) + t / k % k,
                  tx = c->k + origin(c, parity % 2) + t % k;
        for (int y = 0; y < STRIP; y++, to += c->w) {
            const float *from = s->in + (size_t)(t / (k * k) * high + ty + y) * (size_t)wide + tx;
            for (int x = 0; x < c->w; x++)
                to[x] = from[x];
        }
    }
}

static void scatter(peer *s, int y0, int parity)
{
    const conv_shape *c = s->c;
    const int wide = c->w * 2;
    const float *from = s->strip;
    for (int o = 0; o < c->out; o++) {
        for (int y = 0; y < STRIP; y++, from += c->w) {
            float *to = s->out + (o * c->h * 2 + (y0 + y) * 2 + parity / 2) * wide + parity % 2;
            for (int x = 0; x < c->w; x++)
                to[2 * x] = from[x];
        }
    }
}

static void peer_run(void *state)
{
    peer *s = state;
    const conv_shape *c = s->c;
    const int taps = window(c) * window(c) * c->in, strip = STRIP * c->w;
    for (int y = 0; y < c->h; y += STRIP) {
        for (int p = 0; p < upscale(c) * upscale(c); p++) {
            make_columns(s, y, p);
            if (c->up) {
                s->sgemm(c->out, strip, taps, s->weights[p], s->columns, s->strip, strip);
                scatter(s, y, p);
            } else {
                s->sgemm(c->out, strip, taps, s->weights[p], s->columns, s->out + y * c->w, c->h * c->w);
            }
        }
    }
}

static float peer_result(const void *state, unsigned i)
{
    const peer *s = state;
    int o, y, x;
    result_place(s->c, i, &o, &y, &x);
    return s->out[(o * s->c->h * upscale(s->c) + y) * s->c->w * upscale(s->c) + x];
}

static const tt_bench_side openblas = {"im2col + OpenBLAS", peer_setup, peer_run, peer_teardown, peer_result};

#define CASE(text, ...)                                                                                      \
    {.name = text,                                                                                           \
     .shape = &(const conv_shape){__VA_ARGS__},                                                              \
     .ours = &tintype,                                                                                       \
     .peer = &openblas,                                                                                      \
     .scalar = true,                                                                                         \
     .one_thread = true},
const tt_bench_case tt_bench_kernels_conv[] = {BENCH_CONV(CASE){.name = NULL}};
