/* Whole networks through the engine: the embedded one, and published architectures with weights made in memory. */
#include "bench/bench.h"
#include "bench/list.h"
#include "bench/weights.h"
#include "engine/plan.h"
#include "models/models.h"

#include <stdint.h>
#include <stdlib.h>

extern const unsigned char tt_default_weights[];
extern const size_t tt_default_weights_size;

typedef struct state {
    tt_net *net;
    tt_plan *plan;
    tt_pool *pool;
    float *in, *out;
} state;

/* ---- a side --------------------------------------------------------------------------------------- */

static tt_status ready(state *s, const tt_bench_network *c, const tt_bench_env *env, tt_bench_work *work)
{
    tt_weights w = {0};
    tt_graph *graph = NULL;
    const tt_model *model;
    tt_traits traits;
    size_t size = tt_default_weights_size;
    unsigned char *made = c->make ? c->make(c, &size) : NULL;
    tt_status st = c->make && !made ? TT_ERR_MEMORY : TT_OK;
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

#define CASE(label, ...) {.name = label, .shape = &(const tt_bench_network){__VA_ARGS__}, .ours = &engine},
const tt_bench_case tt_bench_networks[] = {BENCH_NETWORKS(CASE){.name = NULL}};
