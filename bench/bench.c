#include "bench/bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/list.h"
#include "kernels/cpu.h"

#define DECLARE(group) extern const tt_bench_case tt_bench_##group[];
#define POINT_TO(group) tt_bench_##group,
BENCH_GROUPS(DECLARE)
static const tt_bench_case *const groups[] = {BENCH_GROUPS(POINT_TO)};
static const unsigned levels[] = {0, TT_CPU_AVX2, TT_CPU_AVX2 | TT_CPU_AVX512, TT_CPU_NEON};

enum { MOST = 1000, FEWEST = 5, RESULTS = 64 };
static const double sample_seconds = 2e-3; /* shorter runs are repeated until one sample takes so long */

typedef struct samples {
    int n;
    double seconds[MOST]; /* of one run */
} samples;

typedef struct spread {
    double low, median, high; /* quartiles */
} spread;

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static spread summarize(samples *s)
{
    if (s->n == 0)
        return (spread){0, 0, 0};
    qsort(s->seconds, (size_t)s->n, sizeof *s->seconds, compare);
    return (spread){s->seconds[s->n / 4], s->seconds[s->n / 2], s->seconds[s->n - 1 - s->n / 4]};
}

/* One thing to measure: a side with its state. */
typedef struct runner {
    const tt_bench_side *side;
    void *state; /* NULL: nothing to run */
    tt_bench_work work;
    bool of_thread; /* the clock */
    long batch;
    samples samples;
} runner;

static double timed(runner *r, long runs)
{
    const double start = tt_bench_now(r->of_thread);
    for (long i = 0; i < runs; i++)
        r->side->run(r->state);
    return (tt_bench_now(r->of_thread) - start) / (double)runs;
}

static void prepare(runner *r, const tt_bench_side *side, const tt_bench_case *c, const tt_bench_env *env)
{
    memset(r, 0, sizeof *r);
    r->side = side;
    r->of_thread = c->one_thread;
    r->state = side ? side->setup(c->shape, env, &r->work) : NULL;
    if (!r->state)
        return;
    r->batch = 1;
    const double once = timed(r, 1); /* the warm-up: pages, caches, clock */
    if (once < sample_seconds)
        r->batch = (long)(sample_seconds / (once > 1e-8 ? once : 1e-8)) + 1;
}

static void sample(runner *r)
{
    if (r->state && r->samples.n < MOST)
        r->samples.seconds[r->samples.n++] = timed(r, r->batch);
}

static void release(runner *r)
{
    if (r->state)
        r->side->teardown(r->state);
}

/* Peak as one more runner, so that it shares the turns: its state is the function. */
static tt_bench_spin_fn *spinning;
static void *spin_setup(const void *shape, const tt_bench_env *env, tt_bench_work *work)
{
    (void)shape;
    spinning = tt_bench_spin(env->kernels->cpu);
    work->flops = spinning(20000);
    return &spinning;
}
static void spin_run(void *state) { (*(tt_bench_spin_fn **)state)(20000); }
static void spin_teardown(void *state) { (void)state; }
static const tt_bench_side spin = {"peak", spin_setup, spin_run, spin_teardown, NULL};

static bool agree(const runner *a, const runner *b)
{
    if (!a->state || !b->state || !a->side->result || !b->side->result)
        return true;
    for (unsigned i = 0; i < RESULTS; i++) {
        const double x = (double)a->side->result(a->state, i), y = (double)b->side->result(b->state, i);
        if (!(fabs(x - y) <= 1e-3 * (1e-2 + fabs(x) + fabs(y))))
            return false;
    }
    return true;
}

/* ---- a case ---------------------------------------------------------------------------------------- */

typedef struct report {
    const tt_bench_case *c;
    const char *isa;
    tt_bench_work work;
    spread ours, peer;
    double rate, peak, scalar, peer_rate; /* flops per second; 0: none */
    bool scalar_agrees, peer_agrees, ran;
} report;

/* flops, or where there are none bytes, a second */
static double rate(const runner *r, spread s)
{
    return s.median > 0 ? (r->work.flops > 0 ? r->work.flops : r->work.bytes) / s.median : 0;
}

/* The scalar kernels, on part of the work and not many times: an order of magnitude is enough of them. */
static void compare_with_scalar(report *out, const runner *ours, const tt_bench_env *env)
{
    tt_kernels table;
    runner *r = malloc(sizeof *r);
    if (!r)
        return;
    tt_kernels_init(&table, 0);
    prepare(r, out->c->ours, out->c, &(tt_bench_env){&table, env->threads, true});
    if (r->state) {
        for (int i = 0; i < 3; i++)
            sample(r);
        out->scalar = rate(r, summarize(&r->samples));
        out->scalar_agrees = agree(ours, r);
        release(r);
    }
    free(r);
}

static report measure(const tt_bench_case *c, const tt_bench_env *env, double seconds)
{
    report out = {.c = c, .isa = tt_cpu_name(env->kernels->cpu), .scalar_agrees = true, .peer_agrees = true};
    runner *r = calloc(3, sizeof *r), *ours = r, *peer = r + 1, *peak = r + 2;
    if (!r)
        return out;
    prepare(ours, c->ours, c, env);
    if (ours->state) {
        prepare(peer, c->peer, c, env);
        prepare(peak, &spin, c, env);
        const double start = tt_bench_now(false);
        while (ours->samples.n < MOST &&
               (ours->samples.n < FEWEST || tt_bench_now(false) - start < seconds)) {
            sample(ours);
            sample(peer);
            sample(peak);
        }
        out.ran = true;
        out.work = ours->work;
        out.ours = summarize(&ours->samples);
        out.peer = summarize(&peer->samples);
        out.rate = rate(ours, out.ours);
        out.peer_rate = rate(peer, out.peer);
        out.peak = rate(peak, summarize(&peak->samples)) * (c->one_thread ? 1 : env->threads);
        out.peer_agrees = agree(ours, peer);
        if (c->scalar && env->kernels->cpu)
            compare_with_scalar(&out, ours, env);
        release(peer);
        release(ours);
    }
    free(r);
    return out;
}

static void print_row(FILE *out, const report *r)
{
    fprintf(out, "%-28s %-7s", r->c->name, r->isa);
    if (!r->ran) {
        fprintf(out, " not possible here\n");
        return;
    }
    const int digits = r->ours.median < 1e-3 ? 4 : 2;
    fprintf(out, " %8.*f (%.*f..%.*f)", digits, r->ours.median * 1e3, digits, r->ours.low * 1e3, digits,
            r->ours.high * 1e3);
    if (r->work.flops > 0)
        fprintf(out, " %7.1f GFLOP/s %3.0f %%", r->rate * 1e-9, 100 * r->rate / r->peak);
    else
        fprintf(out, " %7.1f GB/s", r->rate * 1e-9);
    if (r->work.pixels > 0)
        fprintf(out, " %7.3f Mpixel/s", r->work.pixels / r->ours.median * 1e-6);
    if (r->work.bytes > 0 && !r->c->one_thread)
        fprintf(out, " %7.1f MiB", r->work.bytes / 1048576);
    if (r->scalar > 0)
        fprintf(out, " %5.1f x scalar%s", r->rate / r->scalar, r->scalar_agrees ? "" : " (RESULTS DIFFER)");
    if (r->peer.median > 0)
        fprintf(out, " | %s: %.2f (%.2f..%.2f), ours %.2f x%s", r->c->peer->name, r->peer.median * 1e3,
                r->peer.low * 1e3, r->peer.high * 1e3, r->peer.median / r->ours.median,
                r->peer_agrees ? "" : " (RESULTS DIFFER)");
    fprintf(out, "\n");
    fflush(out);
}

/* Names are ours and hold nothing that JSON would want escaped. */
static void print_json(FILE *out, const report *r)
{
    if (!r->ran)
        return;
    fprintf(out, "{\"case\": \"%s\", \"isa\": \"%s\", \"ms\": %.4f, \"ms_low\": %.4f, \"ms_high\": %.4f",
            r->c->name, r->isa, r->ours.median * 1e3, r->ours.low * 1e3, r->ours.high * 1e3);
    if (r->work.flops > 0)
        fprintf(out, ", \"gflops\": %.2f, \"share_of_peak\": %.3f", r->rate * 1e-9, r->rate / r->peak);
    if (r->work.pixels > 0)
        fprintf(out, ", \"mpixels\": %.4f", r->work.pixels / r->ours.median * 1e-6);
    if (r->work.bytes > 0)
        fprintf(out, ", \"bytes\": %.0f", r->work.bytes);
    if (r->scalar > 0)
        fprintf(out, ", \"times_scalar\": %.2f", r->rate / r->scalar);
    if (r->peer.median > 0)
        fprintf(out, ", \"peer\": \"%s\", \"peer_ms\": %.4f, \"peer_ms_low\": %.4f, \"peer_ms_high\": %.4f",
                r->c->peer->name, r->peer.median * 1e3, r->peer.low * 1e3, r->peer.high * 1e3);
    fprintf(out, ", \"agrees\": %s}\n", r->peer_agrees && r->scalar_agrees ? "true" : "false");
    fflush(out);
}

/* ---- the run --------------------------------------------------------------------------------------- */

static void print_processor(FILE *out)
{
    char line[256];
    FILE *f = fopen("/proc/cpuinfo", "r");
    const char *name = "unknown";
    while (f && fgets(line, sizeof line, f)) {
        if (strncmp(line, "model name", 10) == 0 && strchr(line, ':')) {
            line[strcspn(line, "\n")] = '\0';
            name = strchr(line, ':') + 1;
            break;
        }
    }
    fprintf(out, "processor: %s\n", name + strspn(name, " \t"));
    if (f)
        fclose(f);
}

static void print_machine(FILE *out, unsigned cpu, int threads)
{
#if defined __clang__
    const char *compiler = ""; /* its version begins with its name */
#else
    const char *compiler = "gcc ";
#endif
    print_processor(out);
    fprintf(out, "threads: 1 for kernels, %d for networks\ncompiler: %s%s\npeak of one thread:", threads,
            compiler, __VERSION__);
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if ((levels[i] & ~cpu) == 0)
            fprintf(out, " %s %.1f", tt_cpu_name(levels[i]), tt_bench_peak(levels[i]) * 1e-9);
    fprintf(out, " GFLOP/s (multiply and add, in registers)\n");
    if (!tt_bench_sgemm())
        fprintf(out, "libopenblas.so.0 is not here: no peer for the convolutions\n");
    fprintf(out, "times: ms, median (quartiles); shares: of the peak measured in the same turns\n\n");
    fflush(out);
}

static bool wanted(const char *only, const char *name) { return !only || strstr(name, only); }

static int run_level(FILE *out, const tt_bench_options *o, unsigned cpu)
{
    const double seconds = o->seconds > 0 ? o->seconds : 1;
    tt_kernels table;
    int ran = 0;
    tt_kernels_init(&table, cpu);
    const tt_bench_env env = {&table, o->threads > 0 ? o->threads : 1, false};
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) {
        for (const tt_bench_case *c = groups[g]; c->name; c++) {
            if (!wanted(o->only, c->name))
                continue;
            const report r = measure(c, &env, seconds);
            (o->json ? print_json : print_row)(out, &r);
            ran++;
        }
    }
    return ran;
}

int tt_bench_run(FILE *out, const tt_bench_options *o)
{
    const unsigned cpu = tt_cpu_detect();
    const bool all = o->isa && strcmp(o->isa, "all") == 0;
    const int word = o->isa && !all ? tt_cpu_parse(o->isa) : (int)cpu;
    int ran = 0;
    if (word < 0)
        return 2;
    if (!o->json)
        print_machine(out, cpu, o->threads > 0 ? o->threads : 1);
    for (size_t i = 0; all && i < sizeof levels / sizeof *levels; i++)
        if (levels[i] && (levels[i] & ~cpu) == 0)
            ran += run_level(out, o, levels[i]);
    if (!all)
        ran = run_level(out, o, cpu & (unsigned)word);
    return ran ? 0 : 1;
}
