/* Winograd convolution, NEON: the body is in kernels/wino.inc. */
#include "kernels/arm/neon.h"

#if defined __aarch64__

typedef float32x4_t vec;
enum { BLOCK = 4 };
#define NAME(x) tt_##x##_neon
#define LOAD vld1q_f32
#define STORE vst1q_f32
#define SET1(x) vdupq_n_f32(x)
#define ADD vaddq_f32
#define SUB vsubq_f32
#define MUL vmulq_f32
#define FMA(a, b, c) vfmaq_f32(c, a, b)
#define FNMA(a, b, c) vfmsq_f32(c, a, b)
#define MIN smaller
#define MAX larger
#define RELU(z) larger(z, vdupq_n_f32(0))
#define PRELU prelu
/* 24 accumulators of 32 registers: NB blocks of outputs x WIDE tiles */
#define PRODUCTS PRODUCT(1, 16, 4) PRODUCT(2, 12, 4) PRODUCT(3, 8, 4) PRODUCT(4, 6, 2)
#define PRODUCT_LIST product_1, product_2, product_3, product_4

#include "kernels/wino.inc"

#endif
