/*
 * Measuring: `make bench` and `tintype bench`.
 *
 * A case is a side of ours and, where there is one, a peer's: both are set up once and run in turns (ours,
 * peer, ours, peer...), so that whatever else the machine does falls on both. In the same turns runs a loop
 * that only multiplies and adds in registers: a share of peak is a share of what the processor gave in
 * those very seconds.
 */
#ifndef TT_BENCH_BENCH_H
#define TT_BENCH_BENCH_H

#include <stdbool.h>
#include <stdio.h>

#include "engine/status.h"
#include "kernels/kernels.h"

typedef struct tt_bench_options {
    const char *only; /* cases whose name contains this; NULL: all */
    const char *isa;  /* a word of TINTYPE_CPU, or "all"; NULL: the best there is */
    double seconds;   /* per case and instruction set; 0: 1 */
    bool json;        /* an object per line, instead of a table */
    int threads;      /* for networks; 0: 1. Kernels always run on one */
} tt_bench_options;

/* Run and print. Returns 0; 1 where no case has that name; 2 where no instruction set has that name. */
int tt_bench_run(FILE *out, const tt_bench_options *o);

/*
 * The first kernel's case whose name begins with `name`, for `options->seconds` and nothing besides: no peer, no peak, one
 * thread. For profilers. Prints how often it ran and its rate. TT_ERR_USAGE where there is no such case,
 * TT_ERR_UNSUPPORTED where the processor has not the instruction set asked for.
 */
tt_status tt_bench_steady(FILE *out, const char *name, const tt_bench_options *o, tt_error *err);

/*
 * The steps of the network in a weight file, for an input of h x w, by kinds of steps: time, rate, share of the peak of
 * all threads. `options` as above, without `only`; settings as for tt_model_build().
 */
tt_status tt_bench_steps(FILE *out, const char *path, const char *const *settings, int h, int w,
                         const tt_bench_options *o, tt_error *err);
/* The same of its kernels on a device, as tt_context_options.device names it; halves: with maps of 16 bits. */
tt_status tt_bench_device(FILE *out, const char *path, const char *const *settings, const char *device, bool halves,
                          int h, int w, const tt_bench_options *o, tt_error *err);

/* ---- for those who write cases --------------------------------------------------------------------- */

typedef struct tt_bench_env {
    const tt_kernels *kernels; /* borrowed for the life of the state */
    int threads;
    bool part; /* a sixteenth of the work is enough: only the rate matters, of slow scalar kernels */
} tt_bench_env;

/* What one run does. Zero: not known, not printed. */
typedef struct tt_bench_work {
    double flops;  /* multiplication and addition count as two */
    double bytes;  /* moved by a kernel, or held at the peak by a network */
    double pixels; /* put out by a network */
} tt_bench_work;

typedef struct tt_bench_side {
    const char *name;
    /* The state for one case, or NULL where that is not possible here. Fills *work. */
    void *(*setup)(const void *shape, const tt_bench_env *env, tt_bench_work *work);
    void (*run)(void *state);
    void (*teardown)(void *state);
    /* Optional, after a run: result number i, the same i being the same thing on both sides, which must then
     * agree to three digits. */
    float (*result)(const void *state, unsigned i);
} tt_bench_side;

typedef struct tt_bench_case {
    const char *name;
    const void *shape; /* for setup() */
    const tt_bench_side *ours, *peer; /* peer may be NULL */
    bool scalar; /* compare with ours under the scalar table */
    bool one_thread; /* timed by the thread's own clock, which stands while others have the processor */
} tt_bench_case;

/* ---- parts (bench/peak.c, bench/peer.c) ------------------------------------------------------------- */

/* Seconds: of this thread's own work, or on the wall. */
double tt_bench_now(bool of_thread);

/* Multiply and add in registers, `rounds` times; returns how many flops that was. The C one is what the
 * compiler makes of plain C, as for the scalar kernels. */
typedef double tt_bench_spin_fn(long rounds);
tt_bench_spin_fn tt_bench_spin_c, tt_bench_spin_avx2, tt_bench_spin_avx512, tt_bench_spin_neon;
tt_bench_spin_fn *tt_bench_spin(unsigned cpu);
/* flops per second of it: the best of a few tries */
double tt_bench_peak(unsigned cpu);

/* OpenBLAS, row-major C = A * B, on one thread; loaded at run time, NULL where there is none. */
typedef void tt_bench_sgemm_fn(int m, int n, int k, const float *a, const float *b, float *c, int ldc);
tt_bench_sgemm_fn *tt_bench_sgemm(void);

#endif
