/*
 * The kernels beside the convolutions, a row at a time out of the second cache, as they run between the
 * steps of a network. Bytes are those read and written, each once.
 */
#include <stdlib.h>

#include "bench/bench.h"
#include "bench/list.h"
#include "engine/alloc.h"

enum { VALUES = 16384, GROWTH = 4, TAPS_MAX = 16 };

typedef struct row row;
typedef struct misc_shape {
    void (*run)(row *s);
    double bytes; /* per value of s->n */
    int taps;
} misc_shape;

struct row {
    const misc_shape *shape;
    const tt_kernels *k;
    size_t n;
    float *a, *b, *weights, *dst; /* GROWTH * VALUES each, but weights: TAPS_MAX * VALUES */
    int32_t *index;               /* as many as weights */
    uint16_t *samples;            /* GROWTH * VALUES, or twice as many bytes */
    double sum[16];
    size_t count;
};

/* ---- what is measured ------------------------------------------------------------------------------ */

static void prelu(row *s)
{
    s->k->act(s->dst, s->a, TT_ACT_PRELU, s->b, (size_t)s->k->block, s->n);
}

static void axpy(row *s)
{
    s->k->axpy(s->dst, s->a, s->b, 0.2f, s->n);
}

static void clamp(row *s)
{
    s->k->clamp(s->dst, s->a, 0, 1, s->n);
}

static void mul_period(row *s)
{
    s->k->mul_period(s->dst, s->a, s->b, (size_t)s->k->block, s->n);
}

static void sum_period(row *s)
{
    s->k->sum_period(s->sum, s->a, (size_t)s->k->block, s->n);
}

static void count_nonfinite(row *s)
{
    s->count += s->k->count_nonfinite(s->a, s->n);
}

static void nearest_planar(row *s)
{
    s->k->nearest(s->dst, s->a, 2, 1, s->n);
}

static void nearest_blocked(row *s)
{
    s->k->nearest(s->dst, s->a, 2, s->k->block, s->n / (size_t)s->k->block);
}

/* One of r rows of `channels` each; n counts the values written. */
static void shuffle(row *s, int r, int channels, int db)
{
    const int n = (int)s->n / (r * channels);
    const tt_shuffle_row a = {
        .n = n,
        .r = r,
        .dy = 1,
        .channels = channels,
        .block = s->k->block,
        .db = db,
        .src = s->a,
        .src_plane = n * s->k->block,
        .dst = s->dst,
        .dst_plane = n * r * db,
    };
    s->k->shuffle(&a);
}

static void shuffle_planar(row *s)
{
    shuffle(s, 4, 4, 1);
}

static void shuffle_blocked(row *s)
{
    shuffle(s, 2, 32, s->k->block);
}

static void from_u8(row *s)
{
    s->k->from_u8(s->dst, (const uint8_t *)s->samples, 3, s->n);
}

static void to_u8(row *s)
{
    s->k->to_u8((uint8_t *)s->samples, 3, s->a, s->n);
}

static void from_u16(row *s)
{
    s->k->from_u16(s->dst, s->samples, 3, s->n);
}

static void to_u16(row *s)
{
    s->k->to_u16(s->samples, 3, s->a, s->n);
}

static void affine3(row *s)
{
    static const float ycc[3][4] = {
        {0.299f, 0.587f, 0.114f, 0},
        {-0.168736f, -0.331264f, 0.5f, 0.5f},
        {0.5f, -0.418688f, -0.081312f, 0.5f},
    };
    const size_t n = s->n / 4; /* keeps the rows aligned, as the engine's are */
    float *const to[3] = {s->dst, s->dst + n, s->dst + 2 * n};
    const float *const from[3] = {s->a, s->a + n, s->a + 2 * n};
    s->k->affine3(to, from, ycc, n);
}

static void resize_v(row *s)
{
    const size_t n = s->n / 4;
    const float *rows[TAPS_MAX];
    for (int t = 0; t < s->shape->taps; t++)
        rows[t] = s->a + (size_t)t * n;
    s->k->resize_v(s->dst, rows, s->weights, s->shape->taps, n);
}

static void resize_h(row *s)
{
    s->k->resize_h(s->dst, s->a, s->index, s->weights, s->shape->taps, s->n / 4);
}

static void from_f16(row *s)
{
    s->k->from_f16(s->dst, s->samples, s->n);
}

/* ---- the side ------------------------------------------------------------------------------------- */

static void teardown(void *state)
{
    row *s = state;
    if (!s)
        return;
    tt_aligned_free(s->a);
    tt_aligned_free(s->b);
    tt_aligned_free(s->weights);
    tt_aligned_free(s->dst);
    tt_aligned_free(s->index);
    tt_aligned_free(s->samples);
    free(s);
}

/* An enlargement by two: windows of neighbours, held at the borders. */
static void fill_windows(row *s)
{
    const int taps = s->shape->taps, n = (int)s->n / 4;
    for (int i = 0; i < n * taps; i++) {
        const int at = i / taps / 2 + i % taps - taps / 2;
        s->index[i] = at < 0 ? 0 : at < n ? at : n - 1;
        s->weights[i] = (float)(i % 7) * 0.0625f;
    }
}

static void *setup(const void *shape, const tt_bench_env *env, tt_bench_work *work)
{
    row *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->shape = shape;
    s->k = env->kernels;
    s->n = env->part ? VALUES / 16 : VALUES;
    s->a = tt_aligned_zalloc(GROWTH * VALUES * sizeof *s->a);
    s->b = tt_aligned_zalloc(GROWTH * VALUES * sizeof *s->b);
    s->dst = tt_aligned_zalloc(GROWTH * VALUES * sizeof *s->dst);
    s->samples = tt_aligned_zalloc(GROWTH * VALUES * sizeof *s->samples);
    s->weights = tt_aligned_zalloc(TAPS_MAX * VALUES * sizeof *s->weights);
    s->index = tt_aligned_zalloc(TAPS_MAX * VALUES * sizeof *s->index);
    if (!s->a || !s->b || !s->dst || !s->samples || !s->weights || !s->index) {
        teardown(s);
        return NULL;
    }
    for (unsigned i = 0; i < GROWTH * VALUES; i++) {
        s->a[i] = (float)(i * 2654435761u >> 8) * 0x1p-23f - 1;
        s->b[i] = (float)(i % 8) * 0.125f; /* the same whatever the block */
        s->samples[i] = (uint16_t)(i * 40503u >> 4);
    }
    fill_windows(s);
    work->bytes = s->shape->bytes * (double)s->n;
    return s;
}

static void run(void *state)
{
    row *s = state;
    s->shape->run(s);
}

static const tt_bench_side tintype = {"tintype", setup, run, teardown, NULL};

#define CASE(text, ...)                                                                                      \
    {.name = text, .shape = &(const misc_shape){__VA_ARGS__}, .ours = &tintype, .scalar = true,              \
     .one_thread = true},
const tt_bench_case tt_bench_kernels_misc[] = {BENCH_MISC(CASE){.name = NULL}};
