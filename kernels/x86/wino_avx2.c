/* Winograd convolution, AVX2: the body is in wino.inc. */
#include <immintrin.h>

typedef __m256 vec;
enum { BLOCK = 8 };
#define NAME(x) tt_##x##_avx2
#define LOAD _mm256_loadu_ps
#define STORE _mm256_storeu_ps
#define SET1(x) _mm256_set1_ps(x)
#define ADD _mm256_add_ps
#define SUB _mm256_sub_ps
#define MUL _mm256_mul_ps
#define FMA _mm256_fmadd_ps
#define FNMA _mm256_fnmadd_ps
#define MIN _mm256_min_ps
#define MAX _mm256_max_ps
#define RELU(z) _mm256_max_ps(z, _mm256_setzero_ps())
#define PRELU(z, slope) _mm256_blendv_ps(_mm256_mul_ps(z, slope), z, _mm256_cmp_ps(z, _mm256_setzero_ps(), _CMP_GT_OQ))
/* 12 accumulators of 16 registers */
#define PRODUCTS PRODUCT(1, 12, 4) PRODUCT(2, 6, 2)
#define PRODUCT_LIST product_1, product_2

#include "kernels/wino.inc"
