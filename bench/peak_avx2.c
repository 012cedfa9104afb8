#include <immintrin.h>

#include "bench/bench.h"

/* 12 accumulators, m and b are 14 of the 16 registers; 2 ports of latency 4 need 8. */
double tt_bench_spin_avx2(long rounds)
{
    enum { CHAINS = 12, LANES = 8 };
    const volatile float source[] = {0.999f, 1e-3f}; /* known to nobody before the run */
    const __m256 m = _mm256_set1_ps(source[0]), b = _mm256_set1_ps(source[1]);
    volatile float sink;
    __m256 acc[CHAINS];
    _Pragma("GCC unroll 16") for (int i = 0; i < CHAINS; i++)
        acc[i] = _mm256_set1_ps(source[0]); /* read anew: equal chains would be made one */
    for (long r = 0; r < rounds; r++)
        _Pragma("GCC unroll 16") for (int i = 0; i < CHAINS; i++)
            acc[i] = _mm256_fmadd_ps(acc[i], m, b);
    _Pragma("GCC unroll 16") for (int i = 0; i < CHAINS; i++)
        sink = _mm_cvtss_f32(_mm256_castps256_ps128(acc[i]));
    (void)sink;
    return 2.0 * CHAINS * LANES * (double)rounds;
}
