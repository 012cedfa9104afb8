/* One kernel, again and again and nothing besides: what `perf stat` and `perf record` should see. */
#include "bench/bench.h"
#include "bench/list.h"
#include "kernels/cpu.h"

#include <stdlib.h>
#include <string.h>

#define DECLARE(group) extern const tt_bench_case tt_bench_##group[];
#define POINT_TO(group) tt_bench_##group,
BENCH_GROUPS(DECLARE)
static const tt_bench_case *const groups[] = {BENCH_GROUPS(POINT_TO)};

/* The first kernel's case whose name begins so. Cases of one thread are kernels, the others whole networks. */
static const tt_bench_case *find(const char *name)
{
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++)
        for (const tt_bench_case *c = groups[g]; c->name; c++)
            if (c->one_thread && !strncmp(c->name, name, strlen(name)))
                return c;
    return NULL;
}

/* The instruction sets asked for, all of which must be here: a profile of others would be no use. */
static tt_status choose(const char *isa, unsigned *cpu, tt_error *err)
{
    const unsigned here = tt_cpu_detect();
    const int word = isa ? tt_cpu_parse(isa) : (int)here;
    if (word < 0)
        return tt_fail(err, TT_ERR_USAGE, "--kernel wants one instruction set, not %s", isa);
    *cpu = isa ? here & (unsigned)word : here;
    if (isa && strcmp(tt_cpu_name(*cpu), isa))
        return tt_fail(err, TT_ERR_UNSUPPORTED, "this processor has no %s, %s at most", isa, tt_cpu_name(here));
    return TT_OK;
}

/* Runs for about a twentieth of a second at a time, so that the clock is read seldom. */
static double repeat(const tt_bench_side *side, void *state, double seconds, long *runs)
{
    double start = tt_bench_now(true), took = 0;
    long batch = 1;
    for (*runs = 0; took < seconds; *runs += batch) {
        const double before = took;
        for (long i = 0; i < batch; i++)
            side->run(state);
        took = tt_bench_now(true) - start;
        if (took - before < 0.025)
            batch *= 2;
    }
    return took;
}

static void print(FILE *out, const tt_bench_case *c, const char *isa, const tt_bench_work *w, long runs, double took,
                  bool json)
{
    const bool counted = w->flops > 0;
    const double rate = (counted ? w->flops : w->bytes) * (double)runs / took * 1e-9;
    if (json)
        fprintf(out, "{\"case\": \"%s\", \"isa\": \"%s\", \"runs\": %ld, \"seconds\": %.3f, \"ms\": %.4f, \"%s\": %.2f}\n",
                c->name, isa, runs, took, took / (double)runs * 1e3, counted ? "gflops" : "gbytes", rate);
    else
        fprintf(out, "%s, %s: %ld runs in %.2f s, %.4f ms each, %.1f %s/s\n", c->name, isa, runs, took,
                took / (double)runs * 1e3, rate, counted ? "GFLOP" : "GB");
}

tt_status tt_bench_steady(FILE *out, const char *name, const tt_bench_options *o, tt_error *err)
{
    const tt_bench_case *c = find(name);
    unsigned cpu = 0;
    long runs;
    tt_kernels table;
    tt_bench_work work = {0};
    if (!c)
        return tt_fail(err, TT_ERR_USAGE, "no kernel's case has a name that begins with %s", name);
    const tt_status st = choose(o->isa, &cpu, err);
    if (st)
        return st;
    tt_kernels_init(&table, cpu);
    void *state = c->ours->setup(c->shape, &(tt_bench_env){&table, 1, false}, &work);
    if (!state)
        return tt_fail(err, TT_ERR_UNSUPPORTED, "%s cannot be measured here", c->name);
    c->ours->run(state); /* pages, caches, clock */
    const double took = repeat(c->ours, state, o->seconds > 0 ? o->seconds : 1, &runs);
    c->ours->teardown(state);
    print(out, c, tt_cpu_name(cpu), &work, runs, took, o->json);
    return TT_OK;
}
