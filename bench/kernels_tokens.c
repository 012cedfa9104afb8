/* The kernels of transformers on one window of tokens, which stay in the second cache as they do in a
 * network. */
#include <stdlib.h>

#include "bench/bench.h"
#include "bench/list.h"
#include "engine/alloc.h"

enum { TIMES = 64, REPEAT = TT_TOKEN_LANES };

typedef struct tokens tokens;
typedef struct tokens_shape {
    void (*run)(const tokens *s);
    int in, out, tokens;
} tokens_shape;

struct tokens {
    tokens_shape shape;
    const tt_kernels *k;
    int lanes, times;
    float *src, *dst, *weights, *bias, *scores;
};

/* ---- what is measured ------------------------------------------------------------------------------ */

static void linear(const tokens *s)
{
    s->k->linear(s->dst, s->src, s->lanes, s->weights, s->bias, s->shape.in, s->shape.out, s->lanes);
}

static void attention(const tokens *s)
{
    const ptrdiff_t size = (ptrdiff_t)s->shape.in * s->lanes;
    s->k->attention(&(tt_attention){.q = s->src,
                                    .k = s->src + size,
                                    .v = s->src + 2 * size,
                                    .dst = s->dst,
                                    .row = s->lanes,
                                    .tokens = s->shape.tokens,
                                    .depth = s->shape.in,
                                    .scale = 0.3f,
                                    .bias = s->weights,
                                    .scores = s->scores});
}

static void layer_norm(const tokens *s)
{
    s->k->layer_norm(s->dst, s->lanes, s->shape.in, s->weights, s->bias, 1e-5f, s->lanes);
}

static void gelu(const tokens *s)
{
    s->k->act(s->dst, s->src, TT_ACT_GELU, NULL, 1, (size_t)s->shape.in * (size_t)s->lanes);
}

static void load(const tokens *s)
{
    const ptrdiff_t plane = (ptrdiff_t)s->lanes * s->k->block;
    for (int t = 0; t < s->lanes; t += 8) /* a window's row at a time */
        s->k->tokens_load(s->dst + t, s->lanes, s->src + (ptrdiff_t)t * s->k->block, plane, s->k->block,
                          s->shape.in, 8);
}

static void store(const tokens *s)
{
    const ptrdiff_t plane = (ptrdiff_t)s->lanes * s->k->block;
    for (int t = 0; t < s->lanes; t += 8) {
        float *dst = s->dst + (ptrdiff_t)t * s->k->block;
        s->k->tokens_store(dst, plane, dst, plane, s->k->block, s->src + t, s->lanes, s->shape.in, 8);
    }
}

/* ---- one side -------------------------------------------------------------------------------------- */

static void teardown(void *state)
{
    tokens *s = state;
    tt_aligned_free(s->src);
    tt_aligned_free(s->dst);
    tt_aligned_free(s->weights);
    tt_aligned_free(s->bias);
    tt_aligned_free(s->scores);
    free(s);
}

static void fill(float *p, size_t n)
{
    for (size_t i = 0; p && i < n; i++)
        p[i] = (float)(i * 7919 % 251) / 251.0f - 0.5f;
}

static void *setup(const void *shape, const tt_bench_env *env, tt_bench_work *work)
{
    tokens *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->shape = *(const tokens_shape *)shape;
    s->k = env->kernels;
    s->times = env->part ? TIMES / 16 : TIMES;
    s->lanes = (s->shape.tokens + TT_TOKEN_LANES - 1) / TT_TOKEN_LANES * TT_TOKEN_LANES;
    const size_t in = (size_t)s->shape.in, out = (size_t)s->shape.out, n = (size_t)s->shape.tokens;
    const size_t lanes = (size_t)s->lanes, all = 3 * (in + REPEAT) * lanes + (out + REPEAT) * lanes;
    const size_t weights = in * (out + REPEAT) + n * lanes;
    s->src = tt_aligned_zalloc(all * sizeof(float));
    s->dst = tt_aligned_zalloc(all * sizeof(float));
    s->weights = tt_aligned_zalloc(weights * sizeof(float));
    s->bias = tt_aligned_zalloc((in + out) * sizeof(float));
    s->scores = tt_aligned_zalloc(n * TT_ATTENTION_QUERIES * sizeof(float));
    if (!s->src || !s->dst || !s->weights || !s->bias || !s->scores) {
        teardown(s);
        return NULL;
    }
    fill(s->src, all);
    fill(s->dst, all);
    fill(s->weights, weights);
    const double values = (double)(in * lanes) * s->times;
    if (s->shape.run == linear)
        work->flops = 2.0 * values * (double)out;
    else if (s->shape.run == attention)
        work->flops = 4.0 * (double)(n * n * in) * s->times;
    else
        work->bytes = (s->shape.run == store ? 12 : 8) * values;
    return s;
}

static void run(void *state)
{
    const tokens *s = state;
    for (int i = 0; i < s->times; i++)
        s->shape.run(s);
}

static const tt_bench_side side = {"ours", setup, run, teardown, NULL};

#define CASE(label, function, ...)                                                                           \
    {.name = label,                                                                                          \
     .shape = &(const tokens_shape){.run = function, __VA_ARGS__},                                           \
     .ours = &side,                                                                                          \
     .scalar = true,                                                                                         \
     .one_thread = true},
const tt_bench_case tt_bench_kernels_tokens[] = {BENCH_TOKENS(CASE){.name = NULL}};
