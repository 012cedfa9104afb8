/*
 * What the processor can do, as bits; the kernel table is filled from them once.
 */
#ifndef TT_KERNELS_CPU_H
#define TT_KERNELS_CPU_H

enum {
    TT_CPU_AVX2 = 1u << 0,   /* AVX2, FMA and F16C, saved by the system */
    TT_CPU_AVX512 = 1u << 1, /* AVX-512 F, BW, DQ and VL, saved by the system; implies AVX2 here */
    TT_CPU_NEON = 1u << 2,   /* Advanced SIMD of 64-bit ARM, which all of them have */
};

/* The levels of the machine that this was built for, lowest first; "c" is another word for scalar. */
#if defined __aarch64__
#define TT_CPU_WORDS "scalar neon"
#else
#define TT_CPU_WORDS "scalar avx2 avx512"
#endif

/*
 * The bits of this processor, lowered by the environment: TINTYPE_CPU=one of TT_CPU_WORDS.
 * A level this processor lacks gives the highest it has. An unknown word is ignored here;
 * tt_cpu_parse() tells main about it.
 */
unsigned tt_cpu_detect(void);

/* The bits that `word` stands for (not checked against this processor); -1 if it is no level. */
int tt_cpu_parse(const char *word);

/* "scalar", "avx2", "avx512", "neon": the name of the highest level in `cpu`. */
const char *tt_cpu_name(unsigned cpu);

#endif
