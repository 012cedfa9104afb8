/* Winograd convolution, AVX-512: the body is in wino.inc. */
#include <immintrin.h>

typedef __m512 vec;
enum { BLOCK = 16 };
#define NAME(x) tt_##x##_avx512
#define LOAD _mm512_loadu_ps
#define STORE _mm512_storeu_ps
#define SET1(x) _mm512_set1_ps(x)
#define ADD _mm512_add_ps
#define SUB _mm512_sub_ps
#define MUL _mm512_mul_ps
#define FMA _mm512_fmadd_ps
#define FNMA _mm512_fnmadd_ps
#define MIN _mm512_min_ps
#define MAX _mm512_max_ps
#define RELU(z) _mm512_max_ps(z, _mm512_setzero_ps())
#define PRELU(z, slope) _mm512_mask_mul_ps(z, _mm512_cmp_ps_mask(z, _mm512_setzero_ps(), _CMP_NGT_UQ), z, slope)
/* 24 accumulators of 32 registers: NB blocks of outputs x WIDE tiles */
#define PRODUCTS PRODUCT(1, 16, 4) PRODUCT(2, 12, 4) PRODUCT(3, 8, 4) PRODUCT(4, 6, 2)
#define PRODUCT_LIST product_1, product_2, product_3, product_4

#include "kernels/wino.inc"
