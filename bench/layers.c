/*
 * One convolution as the engine runs it, on one thread: by Winograd's tiles, weights transformed in each run, beside the same
 * step computed directly. GFLOP/s are those of the direct sum. And the stages of the tiles by themselves, on one block.
 */
#include "bench/bench.h"
#include "bench/list.h"
#include "engine/alloc.h"
#include "engine/ops/ops.h"

#include <stdlib.h>
#include <string.h>

typedef struct layer_shape {
    int k, in, out, h, w;
} layer_shape;

typedef struct state {
    tt_net *net;
    tt_plan *plan;
    tt_pool *pool;
} state;

/* -0.5 .. 0.5 */
static float *noise(size_t n)
{
    float *p = tt_aligned_malloc(n * sizeof *p);
    uint32_t seed = 1;
    for (size_t i = 0; p && i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        p[i] = (float)(seed >> 8) * 0x1p-24f - 0.5f;
    }
    return p;
}

/* A picture whose upper rows do not depend on its height. */
static void draw(float *x, const layer_shape *c)
{
    for (int i = 0; i < c->in; i++)
        for (int y = 0; y < c->h; y++)
            for (int j = 0; j < c->w; j++) {
                uint32_t v = (uint32_t)((i * 1024 + y) * 1024 + j) * 0x2c1b3c6du;
                v = (v ^ (v >> 12)) * 0x297a2d39u;
                *x++ = (float)(v >> 8) * 0x1p-24f - 0.5f;
            }
}

static void teardown(void *p)
{
    state *s = p;
    tt_plan_free(s->plan);
    tt_net_free(s->net);
    tt_pool_free(s->pool);
    free(s);
}

static tt_status make_net(state *s, const layer_shape *c, const tt_kernels *k)
{
    const size_t in = (size_t)c->in, out = (size_t)c->out, size = (size_t)c->k;
    float *weight = noise(in * out * size * size), *bias = noise(out);
    const tt_tensor_out t[] = {{.name = "c.weight", .rank = 4, .shape = {out, in, size, size}, .data = weight},
                               {.name = "c.bias", .rank = 1, .shape = {out}, .data = bias}};
    tt_weights w = {0};
    tt_graph *graph = NULL;
    unsigned char *bytes = NULL;
    size_t n;
    tt_status st = weight && bias ? tt_safetensors_write(t, 2, NULL, &bytes, &n, NULL) : TT_ERR_MEMORY;
    if (!st)
        st = tt_weights_open_memory(&w, bytes, n, "bench", NULL);
    tt_build *b = st ? NULL : tt_build_new(&w, NULL);
    if (b)
        st = tt_build_finish(b, tt_conv(b, tt_input(b, c->in), "c", .act = TT_ACT_PRELU, .slope = 0.2f), &graph, NULL);
    if (!st)
        st = b ? tt_net_new(&s->net, graph, k, NULL) : TT_ERR_MEMORY;
    tt_graph_free(graph);
    tt_weights_clear(&w);
    tt_aligned_free(weight);
    tt_aligned_free(bias);
    free(bytes);
    return st;
}

static void *setup(const layer_shape *c, const tt_bench_env *env, tt_bench_work *work, tt_conv_choice conv)
{
    state *s = calloc(1, sizeof *s);
    const layer_shape part = {c->k, c->in, c->out, env->part ? c->h / 16 : c->h, c->w};
    const size_t in = (size_t)(c->in * part.h * c->w), out = (size_t)(c->out * part.h * c->w);
    float *x = tt_aligned_malloc(in * sizeof *x), *y = tt_aligned_malloc(out * sizeof *y);
    const tt_plan_options o = {.strip = TT_WHOLE, .conv = conv, .keep = true};
    if (x)
        draw(x, &part);
    tt_status st = s && x && y ? make_net(s, c, env->kernels) : TT_ERR_MEMORY;
    if (!st)
        st = tt_pool_new(&s->pool, 1, NULL);
    if (!st)
        st = tt_plan_new(&s->plan, s->net, part.h, part.w, &o, NULL);
    if (!st)
        st = tt_plan_run(s->plan, s->pool, x, y, NULL, NULL); /* the input is in its place now */
    tt_aligned_free(x);
    tt_aligned_free(y);
    if (st && s)
        teardown(s);
    work->flops = 2.0 * c->k * c->k * c->in * c->out * part.h * part.w;
    return st ? NULL : s;
}

static void *setup_tiles(const void *shape, const tt_bench_env *env, tt_bench_work *work)
{
    return setup(shape, env, work, TT_CONV_TILES);
}
static void *setup_direct(const void *shape, const tt_bench_env *env, tt_bench_work *work)
{
    return setup(shape, env, work, TT_CONV_DIRECT);
}

/* What engine/run.c does with the step. */
static void run(void *p)
{
    const state *s = p;
    const tt_step *step = &s->net->step[0];
    const tt_op_def *op = tt_op_of(s->plan, step);
    tt_share all = {.to = op->work(s->plan, step).bands, .threads = 1};
    for (; all.round < (op->rounds ? op->rounds(s->plan, step) : 1); all.round++) {
        for (int i = 0; i < op->early(s->plan, step, &all); i++)
            op->early_part(s->plan, step, &all, i, 0);
        for (int i = 0; i < op->parts(s->plan, step, &all); i++)
            op->part(s->plan, step, &all, i, 0);
    }
}

/* A few channels of a pixel of the first row, which a part of the work makes, too; far from zero for the three digits. */
static float result(const void *p, unsigned i)
{
    const state *s = p;
    const tt_value *v = &s->plan->value[s->net->step[0].out];
    const int x = (int)(i * 13 % (unsigned)v->w);
    const float *at = tt_row(s->plan, v, 0) + (ptrdiff_t)x * v->b;
    float sum = 64;
    for (int l = 0; l < 4; l++)
        sum += at[l];
    return sum;
}

static const tt_bench_side tiles = {"tiles", setup_tiles, run, teardown, result};
static const tt_bench_side direct = {"direct", setup_direct, run, teardown, result};

/* ---- stages ------------------------------------------------------------------------------------------- */

enum { TILES = 24, WIDE = TILES * 6 + 8, PLANES = 16 };

typedef struct stage {
    const tt_kernels *k;
    const layer_shape *c;
    tt_wino form;
    int count[PLANES];
    float *x, *u, *v, *m, *y, *bias;
    ptrdiff_t u_freq, v_freq, m_freq;
} stage;

static void stage_teardown(void *p)
{
    stage *s = p;
    tt_aligned_free(s->x);
    tt_aligned_free(s->u);
    tt_aligned_free(s->v);
    tt_aligned_free(s->m);
    tt_aligned_free(s->y);
    tt_aligned_free(s->bias);
    free(s);
}

static int blocks(const stage *s, int channels)
{
    return (channels + s->k->block - 1) / s->k->block;
}

static void *stage_setup(const void *shape, const tt_bench_env *env, tt_bench_work *work)
{
    const layer_shape *c = shape;
    stage *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->k = env->kernels;
    s->c = c;
    s->form = c->k == 5 ? TT_WINO_4_5 : TT_WINO_4_3;
    const tt_wino_form *f = &tt_wino_forms[s->form];
    const size_t block = (size_t)s->k->block, nn = (size_t)(f->n * f->n), group = (size_t)s->k->group * block;
    for (int i = 0; i < PLANES; i++)
        s->count[i] = s->k->block;
    s->u_freq = c->in * (ptrdiff_t)group + 16;
    s->v_freq = (ptrdiff_t)((size_t)c->in * TILES) + 16;
    s->m_freq = (ptrdiff_t)(group * TILES) + 16;
    s->x = noise((size_t)f->n * (size_t)c->in * WIDE);
    s->u = noise(nn * (size_t)s->u_freq);
    s->v = noise(nn * (size_t)s->v_freq);
    s->m = noise(nn * (size_t)s->m_freq);
    s->y = noise((size_t)f->m * group * WIDE);
    s->bias = noise(group);
    if (blocks(s, c->in) > PLANES || !s->x || !s->u || !s->v || !s->m || !s->y || !s->bias) {
        stage_teardown(s);
        return NULL;
    }
    *work = (tt_bench_work){0};
    return s;
}

static void *input_setup(const void *shape, const tt_bench_env *env, tt_bench_work *work)
{
    stage *s = stage_setup(shape, env, work);
    const tt_wino_form *f = s ? &tt_wino_forms[s->form] : NULL;
    if (s)
        work->bytes = sizeof(float) * (double)s->c->in * TILES * (f->n * f->m + f->n * f->n);
    return s;
}

static void input_run(void *p)
{
    const stage *s = p;
    const float *row[TT_WINO_MOST];
    for (int b = 0; b < blocks(s, s->c->in); b++) {
        for (int i = 0; i < tt_wino_forms[s->form].n; i++)
            row[i] = s->x + ((ptrdiff_t)i * blocks(s, s->c->in) + b) * WIDE * s->k->block;
        s->k->wino_input(&(tt_wino_input){s->form, TILES, s->k->block, row, 1, WIDE, 0,
                                          s->v + (ptrdiff_t)b * TILES * s->k->block, s->v_freq});
    }
}

static void *product_setup(const void *shape, const tt_bench_env *env, tt_bench_work *work)
{
    stage *s = stage_setup(shape, env, work);
    const int n = s ? tt_wino_forms[s->form].n : 0;
    if (s)
        work->flops = 2.0 * n * n * s->c->in * s->k->group * s->k->block * TILES;
    return s;
}

static void product_run(void *p)
{
    const stage *s = p;
    const ptrdiff_t plane = TILES * s->k->block;
    s->k->wino_product(&(tt_wino_product){
        .form = s->form, .tiles = TILES, .outputs = s->k->group, .block = s->k->block, .planes = blocks(s, s->c->in),
        .count = s->count, .u = s->u, .v = s->v, .m = s->m, .u_freq = s->u_freq, .v_freq = s->v_freq, .v_plane = plane,
        .m_freq = s->m_freq, .m_plane = plane});
}

static void *output_setup(const void *shape, const tt_bench_env *env, tt_bench_work *work)
{
    stage *s = stage_setup(shape, env, work);
    const tt_wino_form *f = s ? &tt_wino_forms[s->form] : NULL;
    if (s)
        work->bytes = sizeof(float) * (double)s->k->group * s->k->block * TILES * (f->n * f->n + f->m * f->m);
    return s;
}

static void output_run(void *p)
{
    const stage *s = p;
    float *dst[TT_WINO_MOST];
    const ptrdiff_t plane = WIDE * s->k->block;
    for (int i = 0; i < tt_wino_forms[s->form].m; i++)
        dst[i] = s->y + i * s->k->group * plane;
    s->k->wino_output(&(tt_wino_output){
        .form = s->form, .tiles = TILES, .outputs = s->k->group, .block = s->k->block, .m = s->m, .m_freq = s->m_freq,
        .m_plane = TILES * s->k->block, .x0 = 0, .w = WIDE, .bias = s->bias, .act = TT_ACT_PRELU, .slope = s->bias, .dst = dst,
        .dst_plane = plane});
}

static const tt_bench_side input_stage = {"tiles", input_setup, input_run, stage_teardown, NULL};
static const tt_bench_side product_stage = {"tiles", product_setup, product_run, stage_teardown, NULL};
static const tt_bench_side output_stage = {"tiles", output_setup, output_run, stage_teardown, NULL};

#define LAYER(text, ...)                                                                                                 \
    {.name = text, .shape = &(const layer_shape){__VA_ARGS__}, .ours = &tiles, .peer = &direct, .scalar = true,          \
     .one_thread = true},
#define STAGE(text, which, ...)                                                                                          \
    {.name = text, .shape = &(const layer_shape){__VA_ARGS__}, .ours = &which##_stage, .one_thread = true},
const tt_bench_case tt_bench_layers[] = {BENCH_LAYERS(LAYER) BENCH_STAGES(STAGE){.name = NULL}};
