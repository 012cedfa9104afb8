/* A network of a file on an OpenCL device, kernel by kernel: where the time goes, and what holds it up. */
#include "bench/bench.h"
#include "engine/cl.h"
#include "src/context.h"
#include "src/device.h"

#include <stdlib.h>
#include <string.h>

static int by_seconds(const void *a, const void *b)
{
    const double x = ((const tt_cl_cost *)a)->seconds, y = ((const tt_cl_cost *)b)->seconds;
    return (x < y) - (x > y);
}

/* Neither near its peak: work too small, or waiting. */
static const char *bottleneck(double arithmetic, double memory)
{
    return arithmetic < 0.25 && memory < 0.25 ? "latency" : arithmetic > memory ? "arithmetic" : "memory";
}

static void print(FILE *out, const tt_cl_profile *p, double peak_flops, double peak_bytes)
{
    tt_cl_cost *c = p->cost;
    qsort(c, (size_t)p->count, sizeof *c, by_seconds);
    fprintf(out, "kernels by the %s clock%s\n", p->own_clock ? "device's" : "host's",
            p->own_clock ? "" : ", which counts what waiting for each takes: this device does not tell its own");
    fprintf(out, "%-18s %8s %10s %10s %6s %10s %6s  %s\n", "kernel", "launches", "ms", "GFLOP/s", "peak", "GB/s", "peak",
            "held up by");
    for (int i = 0; i < p->count; i++) {
        const double flops = c[i].flops / c[i].seconds, bytes = c[i].bytes / c[i].seconds;
        fprintf(out, "%-18s %8d %10.2f %10.1f %5.0f%% %10.1f %5.0f%%  %s\n", c[i].kernel, c[i].launches,
                1e3 * c[i].seconds, 1e-9 * flops, 100 * flops / peak_flops, 1e-9 * bytes, 100 * bytes / peak_bytes,
                bottleneck(flops / peak_flops, bytes / peak_bytes));
    }
    fprintf(out, "%-18s %8s %10.2f  %.1f%% of %.2f ms from the first kernel to the last: the host, and gaps between launches\n",
            "no kernel", "", 1e3 * p->idle, p->seconds > 0 ? 100 * p->idle / p->seconds : 0, 1e3 * p->seconds);
    fprintf(out, "longest enqueue    %19.2f\n", 1e3 * p->longest);
}

/* Runs until the time is up, at least three: the least. */
static tt_status least_of_runs(tt_cl_plan *p, const float *in, float *result, double seconds, double *least, tt_error *err)
{
    tt_status st = TT_OK;
    double used = 0;
    *least = 1e30;
    for (int run = 0; !st && (run < 3 || used < seconds); run++) {
        const double begun = tt_bench_now(false);
        st = tt_cl_plan_run(p, in, result, NULL, err);
        const double took = tt_bench_now(false) - begun;
        used += took;
        *least = took < *least ? took : *least;
    }
    return st;
}

/* The same one after the other, each started before the last is finished: the mean. */
static tt_status seconds_in_a_row(tt_cl_plan *p, const float *in, float *result, double seconds, double *each, tt_error *err)
{
    tt_status st = TT_OK;
    int pictures = 0;
    const double begun = tt_bench_now(false);
    tt_cl_plan_start(p, in, NULL);
    do {
        tt_cl_plan_start(p, in, NULL);
        st = tt_cl_plan_finish(p, result, err);
        pictures++;
    } while (!st && (pictures < 3 || tt_bench_now(false) - begun < seconds));
    if (!st)
        st = tt_cl_plan_finish(p, result, err);
    *each = (tt_bench_now(false) - begun) / (pictures + 1);
    return st;
}

static tt_status measure(FILE *out, tt_cl *cl, tt_cl_plan *p, double seconds, tt_error *err)
{
    tt_cl_plan_facts f;
    tt_cl_plan_get_facts(p, &f);
    const size_t in_floats = (size_t)f.in_channels * (size_t)f.in_h * (size_t)f.in_w;
    const size_t out_floats = (size_t)f.out_channels * (size_t)f.out_h * (size_t)f.out_w;
    float *in = calloc(in_floats, sizeof *in), *result = malloc(out_floats * sizeof *result);
    tt_cl_profile profile = {0};
    double least = 0, each = 0, flops = 1, bytes = 1;
    tt_status st = in && result ? TT_OK : tt_fail_memory(err, (in_floats + out_floats) * sizeof *in);
    for (size_t i = 0; !st && i < in_floats; i++)
        in[i] = (float)(i * 7919 % 256) / 255.0f;
    if (!st)
        st = tt_cl_peak(cl, &flops, &bytes, err);
    if (!st)
        st = least_of_runs(p, in, result, seconds, &least, err);
    if (!st)
        st = seconds_in_a_row(p, in, result, seconds, &each, err);
    if (!st)
        st = tt_cl_plan_profile(p, in, result, &profile, err);
    if (!st) {
        const tt_cl_info *i = tt_cl_about(cl);
        fprintf(out, "%d x %d on %s (driver %s), maps of %d bits, peak %.0f GFLOP/s and %.0f GB/s\n", f.in_w, f.in_h, i->name, i->driver,
                tt_cl_half_maps(cl) ? 16 : 32, 1e-9 * flops, 1e-9 * bytes);
        fprintf(out, "%.1f ms with both transfers, least of several runs: %.1f GFLOP/s, %.0f%% of the peak; %d launches, "
                "%.1f MiB\n", 1e3 * least, 1e-9 * f.flops / least, 100 * f.flops / least / flops, f.launches,
                (double)f.bytes / 1048576);
        fprintf(out, "%.1f ms a picture where the next one is started before it is finished\n", 1e3 * each);
        print(out, &profile, flops, bytes);
    }
    free(profile.cost);
    free(in);
    free(result);
    return st;
}

tt_status tt_bench_device(FILE *out, const char *path, const char *const *settings, const char *device, bool halves,
                          int h, int w, const tt_bench_options *o, tt_error *err)
{
    const tt_context_options c = {.size = sizeof c, .threads = 1, .device = device, .device_only = 1,
                                  .precision = halves ? TT_FP16 : TT_FP32};
    tt_context *context = NULL;
    tt_network *n = NULL;
    tt_cl_plan *plan = NULL;
    tt_status st = tt_context_new(&context, &c, err);
    if (!st && !context->device)
        st = tt_fail(err, TT_ERR_USAGE, "--device is %s, which is the processor here", device);
    if (!st)
        st = tt_network_open_for(&n, context, path, settings, err);
    if (!st)
        st = tt_cl_plan_new(&plan, n->there, h, w, &(tt_cl_plan_options){.ahead = true}, err);
    if (!st)
        st = measure(out, context->device->cl, plan, o->seconds, err);
    tt_cl_plan_free(plan);
    tt_network_free(n);
    tt_context_free(context);
    return st;
}
