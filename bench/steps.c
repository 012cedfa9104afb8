/* A network of a file, step by step: where the time goes. */
#include "bench/bench.h"
#include "engine/ops/ops.h"
#include "kernels/cpu.h"
#include "models/models.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_KINDS = 64 };

/* Steps that do the same kind of work. */
typedef struct kind {
    char name[48];
    int steps;
    double flops, seconds;
} kind;

typedef struct watching {
    double last;     /* the clock after the step before */
    double *seconds; /* of each step */
    bool
        of_thread; /* the clock: one thread alone has its own, which stands while others have the processor */
} watching;

static void ran(void *user, int step)
{
    watching *w = user;
    const double now = tt_bench_now(w->of_thread);
    w->seconds[step] += now - w->last;
    w->last = now;
}

static void name_of(const tt_plan *p, const tt_step *s, char name[48])
{
    const tt_node *n = s->node;
    const bool tiles = tt_way_of(p, s)->form != TT_WINO_NONE;
    if (s->op == TT_OP_CONV || s->op == TT_OP_DECONV)
        snprintf(name, 48, "%s %dx%d%s%s%s", tt_ops[s->op]->word, n->k, n->k, n->stride > 1 ? " strided" : "",
                 tiles ? " tiles" : "",
                 s->shuffle                     ? " + shuffle"
                 : n->channels <= TT_NARROW_MAX ? " narrow"
                                                : "");
    else
        snprintf(name, 48, "%s", tt_ops[s->op]->word);
}

static int by_seconds(const void *a, const void *b)
{
    const double x = ((const kind *)a)->seconds, y = ((const kind *)b)->seconds;
    return (x < y) - (x > y);
}

static void print(FILE *out, const tt_plan *p, const double *seconds, double whole, double peak)
{
    kind kinds[MOST_KINDS] = {{{0}, 0, 0, 0}};
    int count = 0;
    for (int i = 0; i < p->net->steps; i++) {
        char name[48];
        int k = 0;
        name_of(p, &p->net->step[i], name);
        while (k < count && strcmp(kinds[k].name, name))
            k++;
        if (k == MOST_KINDS)
            continue;
        if (k == count)
            memcpy(kinds[count++].name, name, sizeof name);
        kinds[k].steps++;
        kinds[k].flops += tt_step_flops(p, &p->net->step[i]);
        kinds[k].seconds += seconds[i];
    }
    qsort(kinds, (size_t)count, sizeof *kinds, by_seconds);
    fprintf(out, "%-28s %5s %10s %10s %10s %6s\n", "steps", "n", "ms", "GFLOP", "GFLOP/s", "peak");
    for (int k = 0; k < count; k++) {
        const double rate = kinds[k].flops / kinds[k].seconds;
        fprintf(out, "%-28s %5d %10.1f %10.2f", kinds[k].name, kinds[k].steps, 1e3 * kinds[k].seconds,
                1e-9 * kinds[k].flops);
        if (kinds[k].flops > 0)
            fprintf(out, " %10.1f %5.0f%%", 1e-9 * rate, 100 * rate / peak);
        fputc('\n', out);
    }
    fprintf(out, "%-28s %5d %10.1f %10.2f %10.1f %5.0f%%\n", "all", p->net->steps, 1e3 * whole,
            1e-9 * p->facts.flops, 1e-9 * p->facts.flops / whole, 100 * p->facts.flops / whole / peak);
}

static double peak_now(unsigned cpu, int threads)
{
    return threads * tt_bench_peak(cpu);
}

/* Runs until the time is up, at least three; each step's least time, the least whole. */
static tt_status measure(FILE *out, tt_plan *p, tt_pool *pool, const tt_bench_options *o, unsigned cpu,
                         tt_error *err)
{
    const size_t steps = (size_t)p->net->steps;
    const size_t in_floats = (size_t)p->facts.in_channels * (size_t)p->facts.in_h * (size_t)p->facts.in_w;
    const size_t out_floats = (size_t)p->facts.out_channels * (size_t)p->facts.out_h * (size_t)p->facts.out_w;
    double *least = malloc(2 * steps * sizeof *least), whole = 1e30, used = 0;
    float *in = calloc(in_floats, sizeof *in), *result = malloc(out_floats * sizeof *result);
    watching w = {.seconds = least + steps, .of_thread = tt_pool_threads(pool) == 1};
    const tt_watch watch = {.ran = ran, .user = &w};
    tt_status st = least && in && result ? TT_OK : tt_fail_memory(err, (in_floats + out_floats) * sizeof *in);
    for (size_t i = 0; !st && i < in_floats; i++)
        in[i] = (float)(i * 7919 % 256) / 255.0f;
    for (size_t i = 0; !st && i < steps; i++)
        least[i] = 1e30;
    double peak = st ? 0 : peak_now(cpu, tt_pool_threads(pool));
    for (int run = 0; !st && (run < 3 || used < o->seconds); run++) {
        memset(w.seconds, 0, steps * sizeof *w.seconds);
        const double begun = w.last = tt_bench_now(w.of_thread);
        st = tt_plan_run(p, pool, in, result, &watch, err);
        const double took = tt_bench_now(w.of_thread) - begun;
        used += took;
        whole = took < whole ? took : whole;
        for (size_t i = 0; i < steps; i++)
            least[i] = w.seconds[i] < least[i] ? w.seconds[i] : least[i];
    }
    if (!st) {
        const double again = peak_now(cpu, tt_pool_threads(pool));
        peak = again > peak ? again : peak;
        fprintf(out, "%d x %d, %s, %d thread%s, peak %.0f GFLOP/s, arena %.1f MiB; least of several runs\n",
                p->facts.in_w, p->facts.in_h, tt_cpu_name(cpu), tt_pool_threads(pool),
                tt_pool_threads(pool) == 1 ? "" : "s", 1e-9 * peak, (double)p->facts.arena_bytes / 1048576);
        print(out, p, least, whole, peak);
    }
    free(least);
    free(in);
    free(result);
    return st;
}

tt_status tt_bench_steps(FILE *out, const char *path, const char *const *settings, int h, int w,
                         const tt_bench_options *o, tt_error *err)
{
    const int level = o->isa && strcmp(o->isa, "all") ? tt_cpu_parse(o->isa) : -1;
    const unsigned cpu = tt_cpu_detect() & (level < 0 ? ~0u : (unsigned)level);
    tt_weights weights = {0};
    tt_graph *graph = NULL;
    tt_net *net = NULL;
    tt_plan *plan = NULL;
    tt_pool *pool = NULL;
    const tt_model *model;
    tt_traits traits;
    tt_kernels k;
    tt_kernels_init(&k, cpu);
    tt_status st = tt_weights_open(&weights, path, err);
    if (!st)
        st = tt_model_build(&weights, settings, &model, &traits, &graph, err);
    if (!st)
        st = tt_net_new(&net, graph, &k, err);
    tt_graph_free(graph);
    tt_weights_clear(&weights);
    if (!st)
        st = tt_pool_new(&pool, o->threads, err);
    if (!st)
        st = tt_plan_new(&plan, net, h, w, &(tt_plan_options){.threads = tt_pool_threads(pool)}, err);
    if (!st)
        st = measure(out, plan, pool, o, cpu, err);
    tt_plan_free(plan);
    tt_pool_free(pool);
    tt_net_free(net);
    return st;
}
