#define _POSIX_C_SOURCE 200809L /* clock_gettime */
#include <time.h>

#include "bench/bench.h"
#include "kernels/cpu.h"

double tt_bench_now(bool of_thread)
{
    struct timespec t;
    clock_gettime(of_thread ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double tt_bench_spin_c(long rounds)
{
    enum { CHAINS = 12 };
    const volatile float source[] = {0.999f, 1e-3f}; /* known to nobody before the run */
    const float m = source[0], b = source[1];
    volatile float sink;
    float acc[CHAINS];
    for (int i = 0; i < CHAINS; i++)
        acc[i] = source[0]; /* read anew: equal chains would be made one */
    for (long r = 0; r < rounds; r++)
        _Pragma("GCC unroll 16") for (int i = 0; i < CHAINS; i++)
            acc[i] = acc[i] * m + b;
    for (int i = 0; i < CHAINS; i++)
        sink = acc[i];
    (void)sink;
    return 2.0 * CHAINS * (double)rounds;
}

tt_bench_spin_fn *tt_bench_spin(unsigned cpu)
{
#if defined __x86_64__ || defined __i386__
    if (cpu & TT_CPU_AVX512)
        return tt_bench_spin_avx512;
    if (cpu & TT_CPU_AVX2)
        return tt_bench_spin_avx2;
#elif defined __aarch64__
    if (cpu & TT_CPU_NEON)
        return tt_bench_spin_neon;
#endif
    (void)cpu;
    return tt_bench_spin_c;
}

double tt_bench_peak(unsigned cpu)
{
    double best = 0;
    for (int i = 0; i < 20; i++) {
        const double start = tt_bench_now(true);
        const double flops = tt_bench_spin(cpu)(1000000);
        const double rate = flops / (tt_bench_now(true) - start);
        best = rate > best ? rate : best;
    }
    return best;
}
