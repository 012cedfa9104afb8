#include <arm_neon.h>

#include "bench/bench.h"

/* 24 accumulators, m and b are 26 of the 32 registers; 4 ports of latency 4 need 16. */
double tt_bench_spin_neon(long rounds)
{
    enum { CHAINS = 24, LANES = 4 };
    const volatile float source[] = {0.999f, 1e-3f}; /* known to nobody before the run */
    const float32x4_t m = vdupq_n_f32(source[0]), b = vdupq_n_f32(source[1]);
    volatile float sink;
    float32x4_t acc[CHAINS];
    _Pragma("GCC unroll 32") for (int i = 0; i < CHAINS; i++)
        acc[i] = vdupq_n_f32(source[0]); /* read anew: equal chains would be made one */
    for (long r = 0; r < rounds; r++)
        _Pragma("GCC unroll 32") for (int i = 0; i < CHAINS; i++)
            acc[i] = vfmaq_f32(b, acc[i], m);
    _Pragma("GCC unroll 32") for (int i = 0; i < CHAINS; i++)
        sink = vgetq_lane_f32(acc[i], 0);
    (void)sink;
    return 2.0 * CHAINS * LANES * (double)rounds;
}
