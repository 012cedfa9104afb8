/*
 * Whole networks through the engine: the embedded one, and published architectures with seeded weights made in memory
 * (the time does not depend on the values).
 */
#include "bench/bench.h"
#include "bench/list.h"
#include "engine/plan.h"
#include "models/models.h"

#include <stdint.h>
#include <stdlib.h>

extern const unsigned char tt_default_weights[];
extern const size_t tt_default_weights_size;

typedef struct network_shape {
    int blocks; /* RRDBNet x4 in the body layout, 64 features, growth 32 */
    int stages, channels; /* SwinIR, 6 layers a stage: lightweight x2 of 60 channels, else classical x4. All 0: default */
    int h, w;
} network_shape;

typedef struct state {
    tt_net *net;
    tt_plan *plan;
    tt_pool *pool;
    float *in, *out;
} state;

/* ---- weights -------------------------------------------------------------------------------------- */

typedef struct making {
    tt_tensor_out *t;
    size_t count, room;
    bool failed;
} making;

static void tensor(making *m, const char *name, const char *suffix, int rank, size_t a, size_t b, size_t k)
{
    const size_t n = rank == 1 ? a : a * b * k * k;
    char *full = malloc(128);
    float *v = malloc(n * sizeof *v);
    if (m->count == m->room) {
        m->room = m->room ? 2 * m->room : 256;
        tt_tensor_out *more = realloc(m->t, m->room * sizeof *more);
        m->failed |= !more;
        m->t = more ? more : m->t;
    }
    if (m->failed || !full || !v) {
        m->failed = true;
        free(full);
        free(v);
        return;
    }
    snprintf(full, 128, "%s%s", name, suffix);
    uint32_t seed = (uint32_t)m->count + 1;
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        v[i] = ((float)(seed >> 8) / 8388608.0f - 1.0f) * 0.03f;
    }
    m->t[m->count++] = (tt_tensor_out){.name = full, .rank = rank, .shape = {a, b, k, k}, .data = v};
}

static void layer(making *m, const char *name, size_t out, size_t in)
{
    tensor(m, name, ".weight", 4, out, in, 3);
    tensor(m, name, ".bias", 1, out, 0, 0);
}

static unsigned char *write_file(making *m, size_t *size)
{
    unsigned char *bytes = NULL;
    if (!m->failed)
        (void)tt_safetensors_write(m->t, m->count, NULL, &bytes, size, NULL);
    for (size_t i = 0; i < m->count; i++) {
        free((void *)m->t[i].name);
        free((void *)m->t[i].data);
    }
    free(m->t);
    return bytes;
}

static void linear(making *m, const char *prefix, const char *name, size_t out, size_t in)
{
    char full[96];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    if (in)
        tensor(m, full, ".weight", 2, out, in, 1);
    else
        tensor(m, full, ".weight", 1, out, 0, 0); /* a layer norm */
    tensor(m, full, ".bias", 1, out, 0, 0);
}

static unsigned char *swinir_file(int stages, size_t c, size_t *size)
{
    making m = {0};
    char name[64];
    layer(&m, "conv_first", c, 3);
    linear(&m, "patch_embed.", "norm", c, 0);
    for (int s = 0; s < stages; s++) {
        for (int i = 0; i < 6; i++) {
            snprintf(name, sizeof name, "layers.%d.residual_group.blocks.%d.", s, i);
            linear(&m, name, "norm1", c, 0);
            linear(&m, name, "attn.qkv", 3 * c, c);
            tensor(&m, name, "attn.relative_position_bias_table", 2, 225, 6, 1);
            linear(&m, name, "attn.proj", c, c);
            linear(&m, name, "norm2", c, 0);
            linear(&m, name, "mlp.fc1", 2 * c, c);
            linear(&m, name, "mlp.fc2", c, 2 * c);
        }
        snprintf(name, sizeof name, "layers.%d.conv", s);
        layer(&m, name, c, c);
    }
    linear(&m, "", "norm", c, 0);
    layer(&m, "conv_after_body", c, c);
    if (c == 60) {
        layer(&m, "upsample.0", 12, c);
        return write_file(&m, size);
    }
    layer(&m, "conv_before_upsample.0", 64, c);
    layer(&m, "upsample.0", 256, 64);
    layer(&m, "upsample.2", 256, 64);
    layer(&m, "conv_last", 3, 64);
    return write_file(&m, size);
}

static unsigned char *rrdb_file(int blocks, size_t *size)
{
    making m = {0};
    char name[64];
    layer(&m, "conv_first", 64, 3);
    for (int b = 0; b < blocks; b++)
        for (int r = 1; r <= 3; r++)
            for (int c = 1; c <= 5; c++) {
                snprintf(name, sizeof name, "body.%d.rdb%d.conv%d", b, r, c);
                layer(&m, name, c < 5 ? 32 : 64, 64 + 32 * (size_t)(c - 1));
            }
    static const char *const tail[] = {"conv_body", "conv_up1", "conv_up2", "conv_hr"};
    for (int i = 0; i < 4; i++)
        layer(&m, tail[i], 64, 64);
    layer(&m, "conv_last", 3, 64);
    return write_file(&m, size);
}

/* ---- a side --------------------------------------------------------------------------------------- */

static tt_status ready(state *s, const network_shape *c, const tt_bench_env *env, tt_bench_work *work)
{
    tt_weights w = {0};
    tt_graph *graph = NULL;
    const tt_model *model;
    tt_traits traits;
    size_t size = tt_default_weights_size;
    unsigned char *made = c->blocks   ? rrdb_file(c->blocks, &size)
                          : c->stages ? swinir_file(c->stages, (size_t)c->channels, &size)
                                      : NULL;
    tt_status st = (c->blocks || c->stages) && !made ? TT_ERR_MEMORY : TT_OK;
    if (!st)
        st = tt_weights_open_memory(&w, made ? made : tt_default_weights, size, "bench", NULL);
    if (!st)
        st = tt_model_build(&w, NULL, &model, &traits, &graph, NULL);
    if (!st)
        st = tt_net_new(&s->net, graph, env->kernels, NULL);
    tt_graph_free(graph);
    tt_weights_clear(&w);
    free(made);
    if (!st)
        st = tt_pool_new(&s->pool, env->threads, NULL);
    if (!st)
        st = tt_plan_new(&s->plan, s->net, c->h, c->w, &(tt_plan_options){.threads = tt_pool_threads(s->pool)}, NULL);
    if (st)
        return st;
    tt_plan_facts f;
    tt_plan_get_facts(s->plan, &f);
    s->in = calloc((size_t)f.in_channels * (size_t)f.in_h * (size_t)f.in_w, sizeof *s->in);
    s->out = calloc((size_t)f.out_channels * (size_t)f.out_h * (size_t)f.out_w, sizeof *s->out);
    for (int i = 0; s->in && i < f.in_channels * f.in_h * f.in_w; i++)
        s->in[i] = (float)(i * 7919 % 256) / 255.0f;
    *work = (tt_bench_work){.flops = f.flops,
                            .bytes = (double)f.arena_bytes,
                            .pixels = (double)f.out_h * f.out_w};
    return s->in && s->out ? TT_OK : TT_ERR_MEMORY;
}

static void teardown(void *p)
{
    state *s = p;
    tt_plan_free(s->plan);
    tt_pool_free(s->pool);
    tt_net_free(s->net);
    free(s->in);
    free(s->out);
    free(s);
}

static void *setup(const void *shape, const tt_bench_env *env, tt_bench_work *work)
{
    state *s = calloc(1, sizeof *s);
    if (s && ready(s, shape, env, work)) {
        teardown(s);
        return NULL;
    }
    return s;
}

static void run(void *p)
{
    state *s = p;
    (void)tt_plan_run(s->plan, s->pool, s->in, s->out, NULL, NULL);
}

static const tt_bench_side engine = {.name = "engine", .setup = setup, .run = run, .teardown = teardown};

#define CASE(label, ...) {.name = label, .shape = &(const network_shape){__VA_ARGS__}, .ours = &engine},
const tt_bench_case tt_bench_networks[] = {BENCH_NETWORKS(CASE){.name = NULL}};
