#include "kernels/cpu.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const struct level {
    const char *name;
    unsigned bits;
} levels[] = {
    {"scalar", 0},
    {"c", 0},
#if defined __aarch64__
    {"neon", TT_CPU_NEON},
#else
    {"avx2", TT_CPU_AVX2},
    {"avx512", TT_CPU_AVX2 | TT_CPU_AVX512},
#endif
};

int tt_cpu_parse(const char *word)
{
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (strcmp(word, levels[i].name) == 0)
            return (int)levels[i].bits;
    return -1;
}

const char *tt_cpu_name(unsigned cpu)
{
    return cpu & TT_CPU_AVX512 ? "avx512"
           : cpu & TT_CPU_AVX2 ? "avx2"
           : cpu & TT_CPU_NEON ? "neon"
                               : "scalar";
}

#if defined __x86_64__ || defined __i386__
#include <cpuid.h>

/* clang 14 knows no "f16c" */
static bool has_f16c(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & 1u << 29);
}
#endif

/* gcc and clang ask the system too (xgetbv): without its help the upper halves would not survive a switch. */
static unsigned detect(void)
{
    unsigned cpu = 0;
#if defined __x86_64__ || defined __i386__
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c())
        cpu |= TT_CPU_AVX2;
    if (cpu && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        cpu |= TT_CPU_AVX512;
#elif defined __aarch64__
    cpu = TT_CPU_NEON;
#endif
    return cpu;
}

unsigned tt_cpu_detect(void)
{
    const unsigned cpu = detect();
    const char *word = getenv("TINTYPE_CPU");
    const int wanted = word ? tt_cpu_parse(word) : -1;
    return wanted < 0 ? cpu : cpu & (unsigned)wanted;
}
