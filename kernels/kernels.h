/*
 * Every kernel: its contract, its versions, and the table the engine calls through.
 *
 * A kernel works on raw pointers. It does not allocate, lock, print or fail. The version whose name
 * ends in _c is the reference: plain loops in the order of the formula, always built, and the judge of
 * every faster one (tests/kernels). Kernels called on different outputs may run at the same time.
 *
 * Layouts. A *planar* row holds one channel: value x at p[x]. A *blocked* row holds `block` channels
 * (tt_kernels.block: 16 for AVX-512, 4 for NEON, 8 else) beside each other: channel l of pixel x at
 * p[x * block + l]; channels above `block` follow in further rows, one "plane" (a distance in floats) apart. Lanes beyond
 * the last channel hold zero.
 */
#ifndef TT_KERNELS_KERNELS_H
#define TT_KERNELS_KERNELS_H

#include <stddef.h>
#include <stdint.h>

enum { TT_BLOCK_LEAST = 4 }; /* no table has a smaller block */

/* ---- convolution ---------------------------------------------------------------------------------- */

typedef enum tt_act {
    TT_ACT_NONE,
    TT_ACT_RELU,  /* z > 0 ? z : 0 */
    TT_ACT_PRELU, /* z > 0 ? z : slope * z, a slope per channel; LeakyReLU is the same slope everywhere */
    TT_ACT_SIGMOID, /* 1 / (1 + exp(-z)); tt_act_fn only, no convolution takes it */
    TT_ACT_GELU,    /* z / 2 * (1 + erf(z / sqrt(2))); tt_act_fn only */
} tt_act;

/*
 * conv, conv_narrow: one row of output pixels of a convolution, summed over a list of segments.
 *
 *     z[o,x] = bias[o] + sum_s sum_{i < count[s]} seg[s][x * step + i] * w(o,s,i)
 *     z = act(z);  for j = 0, 1 with add[j]: z = add[j][o,x] + scale[j] * z;  if clamp: z = min(max(z, lo), hi)
 *     dst[o,x] = z
 *
 * A segment is a run of input values that lie beside each other: the channels of one block under one
 * tap of the window (blocked input), or the taps of one window row (planar input). So stride, padding
 * (a pointer to zeros), window shape, transposed convolution (dst_step > block) and rings of rows are
 * the caller's business and cost nothing here.
 *
 * conv         output blocked: o = b * block + l is at dst[b * dst_plane + x * dst_step + l]; `outputs` counts
 *              blocks. add[j] likewise, with add_plane, add_step. bias and slope: outputs * block floats.
 *              Weights: groups of tt_kernels.group blocks (the last may have fewer, gb):
 *              [group][tap][gb * block], the taps of all segments in order. 64-byte aligned.
 * conv_narrow  output planar, few channels: o is at dst[o * dst_plane + x * dst_step]; `outputs` counts channels,
 *              1..TT_NARROW_MAX. count[s] <= block. Weights: [segment][output][block], lanes from count[s] up
 *              are zero. 64-byte aligned. bias and slope: `outputs` floats.
 *
 * seg[s]       readable for the values named above, no more; any alignment
 * dst          does not overlap any input; add[j] may be dst itself
 * n            pixels, any, zero included; no write outside them
 * Order: a pixel's sum never depends on n or on its place in the row.
 * Rounding: every version within (terms + 4) * FLT_EPSILON * (sum of magnitudes) of _c.
 */
enum { TT_NARROW_MAX = 4 };
typedef struct tt_conv_row {
    int n;
    int outputs;
    int segments;
    const float *const *seg;
    const int *count;
    ptrdiff_t step;
    const float *weights;
    const float *bias;
    tt_act act;
    const float *slope; /* TT_ACT_PRELU only */
    const float *add[2];
    ptrdiff_t add_plane[2], add_step[2];
    float scale[2];
    int clamp;
    float lo, hi;
    float *dst;
    ptrdiff_t dst_plane, dst_step;
    int block, group; /* as in the table; _c takes any block of 1..16 and any group */
} tt_conv_row;
typedef void tt_conv_fn(const tt_conv_row *a);
tt_conv_fn tt_conv_c, tt_conv_avx2, tt_conv_avx512, tt_conv_neon;
tt_conv_fn tt_conv_narrow_c, tt_conv_narrow_avx2, tt_conv_narrow_avx512, tt_conv_narrow_neon;

/* ---- convolution by Winograd's minimal filtering ---------------------------------------------------- */

/*
 * F(m x m, r x r): a tile of m x m outputs of a convolution of window r and stride 1, from n x n inputs, n = m + r - 1, by
 * n * n products instead of m * m * r * r (Winograd, "Arithmetic Complexity of Computations", 1980; Lavin and Gray, "Fast
 * Algorithms for Convolutional Neural Networks", 2016, equation 13):
 *
 *     Y = A^T [ (G g G^T) . (B^T d B) ] A        d: inputs, g: window, .: one by one, summed over input channels
 *
 * Between the transforms stand n * n *frequencies*, and in each of them a small matrix product over the channels. Four
 * kernels, for a block of tiles that the caller chooses so that all of it stays in the second cache:
 *
 *     wino_weights   G g G^T     once a layer            u[f][i][lane]      i: input channel; lane: output channel
 *     wino_input     B^T d B     a block of channels     v[f][plane][tile][l]
 *     wino_product   U V         a group of outputs      m[f][plane][tile][l]
 *     wino_output    A^T M A     and the rest of the convolution's formula
 *
 * All channels are blocked. A frequency's values are `..._freq` floats apart, which should be no multiple of a page, or all
 * frequencies would meet in the same lines of the first cache. u, v and m are 64-byte aligned, as are their distances.
 * The points at which the polynomials are evaluated are in kernels/wino.h.
 */
typedef enum tt_wino {
    TT_WINO_NONE,
    TT_WINO_4_3, /* F(4x4, 3x3): 36 products for 144 */
    TT_WINO_6_3, /* F(6x6, 3x3): 64 for 324 */
    TT_WINO_4_5, /* F(4x4, 5x5): 64 for 400 */
    TT_WINOS
} tt_wino;
enum { TT_WINO_MOST = 8 }; /* n at most */

/* m, r and n of a form; and its matrices A^T [m][n], B^T [n][n], G [n][r]. */
typedef struct tt_wino_form {
    int m, r, n;
    float at[TT_WINO_MOST][TT_WINO_MOST], bt[TT_WINO_MOST][TT_WINO_MOST], g[TT_WINO_MOST][TT_WINO_MOST];
} tt_wino_form;
extern const tt_wino_form tt_wino_forms[TT_WINOS];

/*
 * wino_weights: the windows of `count` input channels and `lanes` output channels (whole blocks):
 *     u[(i * n + j) * u_freq + c * lanes + l] = (G g G^T)[i][j],  g[y][x] = w[((y * r + x) * count + c) * lanes + l]
 * Within 16 * FLT_EPSILON * (the same sum of magnitudes) of _c.
 */
typedef struct tt_wino_weights {
    tt_wino form;
    int count, lanes;
    const float *w;
    float *u;
    ptrdiff_t u_freq;
} tt_wino_weights;
typedef void tt_wino_weights_fn(const tt_wino_weights *a);
tt_wino_weights_fn tt_wino_weights_c, tt_wino_weights_avx2, tt_wino_weights_avx512, tt_wino_weights_neon;

/*
 * wino_input: `tiles` tiles beside each other of one block of channels:
 *     v[(i * n + j) * v_freq + t * block + l] = (B^T d B)[i][j],  d[y][x] = pixel `x0 + t * m + x` of row[y]
 * row[0..n-1] point to pixel 0; pixels 0..w-1 exist, x0 may be negative. Others are zeros or, where `replicate`, the
 * nearest that exists.
 * Within 16 * FLT_EPSILON * (the same sum of magnitudes) of _c.
 */
typedef struct tt_wino_input {
    tt_wino form;
    int tiles, block;
    const float *const *row;
    int x0, w, replicate;
    float *v;
    ptrdiff_t v_freq;
} tt_wino_input;
typedef void tt_wino_input_fn(const tt_wino_input *a);
tt_wino_input_fn tt_wino_input_c, tt_wino_input_avx2, tt_wino_input_avx512, tt_wino_input_neon;

/*
 * wino_product: for all n * n frequencies f, `outputs` blocks (at most tt_kernels.group) of one group of outputs:
 *     m[f * m_freq + b * m_plane + t * block + l] =
 *         sum_p sum_{i < count[p]} v[f * v_freq + p * v_plane + t * block + i] * u[f * u_freq + c * lanes + b * block + l]
 * with lanes = outputs * block, c counting all (p, i) in order. Sums run in that order.
 * tiles    1 or more. Up to TT_WINO_ROUND - 1 tiles behind them may be read from v and written to m, so both have room for
 *          a multiple of it; what they hold is nobody's concern.
 * Within (channels + 4) * FLT_EPSILON * (sum of magnitudes) of _c.
 */
enum { TT_WINO_ROUND = 4 };
typedef struct tt_wino_product {
    tt_wino form;
    int tiles, outputs, block, planes;
    const int *count;
    const float *u, *v;
    float *m;
    ptrdiff_t u_freq, v_freq, v_plane, m_freq, m_plane;
} tt_wino_product;
typedef void tt_wino_product_fn(const tt_wino_product *a);
tt_wino_product_fn tt_wino_product_c, tt_wino_product_avx2, tt_wino_product_avx512, tt_wino_product_neon;

/*
 * wino_output: the same tiles and outputs, transformed back and finished as tt_conv_row says:
 *     z[y][x] = (A^T M A)[y][x] + bias;  z = act(z);  for j = 0, 1 with add[j]: z = add + scale[j] * z;  clamp
 * Output pixel `x0 + t * form.m + x` of row y goes to dst[y] + b * dst_plane + pixel * block. Rows with dst[y] NULL and
 * pixels outside 0..w-1 do not exist. dst, add[j]: form.m pointers to pixel 0 of the group's first block; add[j] may be
 * dst. bias, slope: outputs * block floats.
 * Within 16 * FLT_EPSILON * (the same sum of magnitudes) of _c.
 */
typedef struct tt_wino_output {
    tt_wino form;
    int tiles, outputs, block;
    const float *m;
    ptrdiff_t m_freq, m_plane;
    int x0, w;
    const float *bias;
    tt_act act;
    const float *slope; /* TT_ACT_PRELU only */
    const float *const *add[2];
    ptrdiff_t add_plane[2];
    float scale[2];
    int clamp;
    float lo, hi;
    float *const *dst;
    ptrdiff_t dst_plane;
} tt_wino_output;
typedef void tt_wino_output_fn(const tt_wino_output *a);
tt_wino_output_fn tt_wino_output_c, tt_wino_output_avx2, tt_wino_output_avx512, tt_wino_output_neon;

/* ---- element by element --------------------------------------------------------------------------- */

/*
 * act: dst[i] = act(src[i]); TT_ACT_PRELU uses slope[i % period].
 * n any; dst may be src. NONE, RELU, PRELU exact; SIGMOID within 4 * FLT_EPSILON (computed by expf in
 * every version for now). GELU within 1.5 * FLT_EPSILON * max(1, |z|) of the true value in every version (the scalar
 * one within half of FLT_EPSILON of the value); -infinity gives NaN, as the formula does.
 * He et al., "Delving Deep into Rectifiers", 2015, equation 1; Hendrycks and Gimpel, "Gaussian Error Linear Units",
 * 2016, the form with erf.
 */
typedef void tt_act_fn(float *dst, const float *src, tt_act act, const float *slope, size_t period, size_t n);
tt_act_fn tt_act_c, tt_act_avx2, tt_act_avx512, tt_act_neon;

/* axpy: dst[i] = a[i] + scale * b[i]; dst may be a or b. One multiplication and one addition, both rounded
 * (not fused), so exact in every version. */
typedef void tt_axpy_fn(float *dst, const float *a, const float *b, float scale, size_t n);
tt_axpy_fn tt_axpy_c, tt_axpy_avx2, tt_axpy_avx512, tt_axpy_neon;

/* clamp: dst[i] = min(max(src[i], lo), hi), NaN gives lo; exact; dst may be src. */
typedef void tt_clamp_fn(float *dst, const float *src, float lo, float hi, size_t n);
tt_clamp_fn tt_clamp_c, tt_clamp_avx2, tt_clamp_avx512, tt_clamp_neon;

/*
 * mul_period: dst[i] = src[i] * g[i % period]; period divides or exceeds nothing: any >= 1. Exact; dst may be src.
 * (Channel gates of squeeze-excitation: period = block over a blocked row, 1 over a planar one.)
 */
typedef void tt_mul_period_fn(float *dst, const float *src, const float *g, size_t period, size_t n);
tt_mul_period_fn tt_mul_period_c, tt_mul_period_avx2, tt_mul_period_avx512, tt_mul_period_neon;

/* sum_period: sum[l] += every src[i] with i % period == l, in order, in double. n is a multiple of period <= 16.
 * Exact order, so the same bits in every version. */
typedef void tt_sum_period_fn(double *sum, const float *src, size_t period, size_t n);
tt_sum_period_fn tt_sum_period_c, tt_sum_period_avx2, tt_sum_period_avx512, tt_sum_period_neon;

/* count_nonfinite: how many of the n values are infinite or NaN, by their exponent bits. */
typedef size_t tt_count_nonfinite_fn(const float *src, size_t n);
tt_count_nonfinite_fn tt_count_nonfinite_c, tt_count_nonfinite_avx2, tt_count_nonfinite_avx512, tt_count_nonfinite_neon;

/* ---- moving pixels -------------------------------------------------------------------------------- */

/*
 * nearest: dst[x] = src[x / r] for whole pixels of `pixel` floats; n source pixels, n * r written. Exact.
 */
typedef void tt_nearest_fn(float *dst, const float *src, int r, int pixel, size_t n);
tt_nearest_fn tt_nearest_c, tt_nearest_avx2, tt_nearest_avx512, tt_nearest_neon;

/*
 * shuffle: one row of a pixel shuffle (Shi et al. 2016, equation 4), source blocked.
 *     dst[(c / db) * dst_plane + (x * r + dx) * db + c % db] = S(c*r*r + dy*r + dx, x) + base
 *     S(k, x) = src[(k / block) * src_plane + x * block + k % block]
 * for c < channels, dx < r, x < n, the given dy. db is 1 (planar dst) or `block`. base is 0 where `add` is NULL, else
 * add[(c / db) * add_plane + x * db + c % db] (the nearest neighbour of the output pixel). Exact. With db = block the
 * lanes from `channels` up are not written. dst overlaps nothing.
 */
typedef struct tt_shuffle_row {
    int n, r, dy, channels, block, db;
    const float *src;
    ptrdiff_t src_plane;
    const float *add;
    ptrdiff_t add_plane;
    float *dst;
    ptrdiff_t dst_plane;
} tt_shuffle_row;
typedef void tt_shuffle_fn(const tt_shuffle_row *a);
tt_shuffle_fn tt_shuffle_c, tt_shuffle_avx2, tt_shuffle_avx512, tt_shuffle_neon;

/* gather: dst[i * dst_step] = src[i * src_step]: between layouts and parities. Exact. */
typedef void tt_gather_fn(float *dst, ptrdiff_t dst_step, const float *src, ptrdiff_t src_step, size_t n);
tt_gather_fn tt_gather_c;

/* ---- tokens --------------------------------------------------------------------------------------- */

/*
 * Layers of a transformer see a picture as tokens, one a pixel. They are worked in a small matrix with the
 * tokens in the lanes: channel c of token t at p[c * row + t]. Then every sum runs down the rows and no lane
 * asks its neighbour, a token's value does not depend on its place, and no number of channels leaves lanes
 * unused.
 *
 * `row` and `n` below are multiples of TT_TOKEN_LANES and matrices begin on 64 bytes. Lanes that hold no token
 * are worked too, so they must hold something (zeros from the start will do); what becomes of them is nobody's
 * concern.
 */
enum { TT_TOKEN_LANES = 16, TT_LINEAR_GROUP = 6, TT_ATTENTION_QUERIES = 64 };

/*
 * tokens_load, tokens_store: between a blocked row and tokens. n pixels, any number, from any token on (then
 * any alignment):
 *     load   dst[c * row + x] = src[c / block * plane + x * block + c % block]
 *     store  the other way round; where add is not NULL, add[c / block * add_plane + ...] + what is stored;
 *            lanes beyond the last channel are set to 0
 * block as in the table. add may be dst. Exact.
 */
typedef void tt_tokens_load_fn(float *dst, ptrdiff_t row, const float *src, ptrdiff_t plane, int block,
                               int channels, int n);
typedef void tt_tokens_store_fn(float *dst, ptrdiff_t plane, const float *add, ptrdiff_t add_plane, int block,
                                const float *src, ptrdiff_t row, int channels, int n);
tt_tokens_load_fn tt_tokens_load_c, tt_tokens_load_avx2, tt_tokens_load_avx512, tt_tokens_load_neon;
tt_tokens_store_fn tt_tokens_store_c, tt_tokens_store_avx2, tt_tokens_store_avx512, tt_tokens_store_neon;

/*
 * layer_norm: each token of p, over its channels, in place (Ba et al., "Layer Normalization", 2016):
 *     p[c] = (p[c] - mean) / sqrt(variance + eps) * weight[c] + bias[c]
 * with the mean of the channels, and the variance the mean square of what is left of it.
 * Every version within (channels + 8) * FLT_EPSILON * (largest |p[c] - mean| / deviation * |weight|, plus
 * |bias|) of _c where |mean| is not larger than the deviation; a larger mean m loses m / deviation times as
 * much.
 */
typedef void tt_layer_norm_fn(float *p, ptrdiff_t row, int channels, const float *weight, const float *bias,
                              float eps, int n);
tt_layer_norm_fn tt_layer_norm_c, tt_layer_norm_avx2, tt_layer_norm_avx512, tt_layer_norm_neon;

/*
 * linear: dst[o * row + t] = bias[o] + sum_i weights(o, i) * src[i * row + t], i in order
 * weights  [group][in][TT_LINEAR_GROUP]: groups of so many outputs, the last filled up with zeros
 * dst      does not overlap src
 * Within (in + 4) * FLT_EPSILON * (sum of magnitudes) of _c.
 */
typedef void tt_linear_fn(float *dst, const float *src, ptrdiff_t row, const float *weights, const float *bias,
                          int in, int out, int n);
tt_linear_fn tt_linear_c, tt_linear_avx2, tt_linear_avx512, tt_linear_neon;

/*
 * attention: one head of one window (Vaswani et al., "Attention Is All You Need", 2017, equation 1; with a
 * bias: Liu et al., "Swin Transformer", 2021, equation 4). For each query i < tokens, over the `tokens` keys j:
 *     s[j] = scale * sum_d q[d][i] * k[d][j] + bias[j * lanes + i];  w = softmax of s
 *     dst[d][i] = sum_j w[j] * v[d][j]
 * x[d][i] is x[d * row + i].
 * q, k, v, dst  [depth] rows of `lanes` floats, readable (dst: writable) to the end; lanes = tokens rounded up
 *               to TT_TOKEN_LANES; 64-byte aligned; dst overlaps nothing
 * bias          [tokens][lanes], key first
 * scores        tokens * TT_ATTENTION_QUERIES floats of scratch, 64-byte aligned: 16 KiB for a window of 8 x 8
 * With S the largest sum of magnitudes in a score: within
 * ((2 * depth + 8) * S + 2 * tokens + 16) * FLT_EPSILON * (largest |v|) of _c. The exponential is within
 * 2 * FLT_EPSILON of its value for arguments down to -10, below within 2e-8 a unit; below -87 it may stay at
 * 2e-38. NaN and infinities give NaN.
 */
typedef struct tt_attention {
    const float *q, *k, *v;
    float *dst;
    ptrdiff_t row;
    int tokens, depth;
    float scale;
    const float *bias;
    float *scores;
} tt_attention;
typedef void tt_attention_fn(const tt_attention *a);
tt_attention_fn tt_attention_c, tt_attention_avx2, tt_attention_avx512, tt_attention_neon;

/* ---- U-Nets: batch norm, max pool, blur ------------------------------------------------------------ */

/*
 * affine: dst[i] = gain[i % period] * src[i] + shift[i % period], and where `relu` is not 0 zero unless that is above
 * zero (NaN too). dst may be src. One multiplication and one addition, both rounded: exact in every version.
 */
typedef void tt_affine_fn(float *dst, const float *src, const float *gain, const float *shift, int relu, size_t period,
                          size_t n);
tt_affine_fn tt_affine_c, tt_affine_avx2, tt_affine_avx512, tt_affine_neon;

/*
 * pool: one row of a 3x3 maximum of stride 2 over pixels of `pixel` floats, w of them in each of three rows:
 *     dst[x] = max of row[0..2][2x - 1 .. 2x + 1],  x < n <= (w + 1) / 2
 * Columns outside are those of the edge, which says the same as minus infinity. dst overlaps nothing. Exact.
 */
typedef void tt_pool_fn(float *dst, const float *const row[3], int pixel, int w, int n);
tt_pool_fn tt_pool_c, tt_pool_avx2, tt_pool_avx512, tt_pool_neon;

/*
 * blur: the mean of 2x2 pixels of `pixel` floats that end at the pixel, the left column repeated:
 *     dst[x] = 0.25 * (((above[x-1] + above[x]) + here[x-1]) + here[x]),  x < n
 * dst overlaps nothing. Exact.
 */
typedef void tt_blur_fn(float *dst, const float *above, const float *here, int pixel, size_t n);
tt_blur_fn tt_blur_c, tt_blur_avx2, tt_blur_avx512, tt_blur_neon;

/* ---- attention ------------------------------------------------------------------------------------ */

/*
 * The softmax between two matrix products (Vaswani et al. 2017, equation 1). Scores lie as conv writes them: that of
 * position i for pixel x at s[i / block * plane + x * block + i % block]; positions 0..count-1, pixels 0..n-1.
 * scores_max  most[x] = max(most[x], every score of x). Exact, but for the sign of zero; a NaN counts as
 *             nothing.
 * scores_exp  in place s = exp(s - most[x]), zero in the lanes of the last block beyond `count`;
 *             sum[x * block + l] += every value of lane l, in double, blocks in order.
 *             most[x] is no less than any score of x. Within 4 * FLT_EPSILON of the value of _c; what would be below
 *             FLT_MIN may be zero.
 */
typedef void tt_scores_max_fn(float *most, const float *s, ptrdiff_t plane, int n, int count, int block);
typedef void tt_scores_exp_fn(float *s, double *sum, const float *most, ptrdiff_t plane, int n, int count, int block);
tt_scores_max_fn tt_scores_max_c, tt_scores_max_avx2, tt_scores_max_avx512, tt_scores_max_neon;
tt_scores_exp_fn tt_scores_exp_c, tt_scores_exp_avx2, tt_scores_exp_avx512, tt_scores_exp_neon;

/* ---- pictures ------------------------------------------------------------------------------------- */

/* from_u8, from_u16: dst[i] = src[i * step] / 255 (65535), correctly rounded division. Exact. */
typedef void tt_from_u8_fn(float *dst, const uint8_t *src, ptrdiff_t step, size_t n);
typedef void tt_from_u16_fn(float *dst, const uint16_t *src, ptrdiff_t step, size_t n);
tt_from_u8_fn tt_from_u8_c, tt_from_u8_avx2, tt_from_u8_avx512, tt_from_u8_neon;
tt_from_u16_fn tt_from_u16_c, tt_from_u16_avx2, tt_from_u16_avx512, tt_from_u16_neon;

/*
 * to_u8, to_u16: dst[i * step] = round_half_even(255 (65535) * min(max(src[i], 0), 1)); NaN gives 0. Only the
 * addressed samples are written. Exact: the product is rounded to float before the rounding to integer.
 */
typedef void tt_to_u8_fn(uint8_t *dst, ptrdiff_t step, const float *src, size_t n);
typedef void tt_to_u16_fn(uint16_t *dst, ptrdiff_t step, const float *src, size_t n);
tt_to_u8_fn tt_to_u8_c, tt_to_u8_avx2, tt_to_u8_avx512, tt_to_u8_neon;
tt_to_u16_fn tt_to_u16_c, tt_to_u16_avx2, tt_to_u16_avx512, tt_to_u16_neon;

/*
 * affine3: three planar rows through a 3x3 matrix and an offset, for colour conversion:
 *     dst[i][x] = m[i][0] * src[0][x] + m[i][1] * src[1][x] + m[i][2] * src[2][x] + m[i][3]
 * dst rows may be the src rows. Within 4 * FLT_EPSILON * (sum of magnitudes) of _c.
 */
typedef void tt_affine3_fn(float *const dst[3], const float *const src[3], const float m[3][4], size_t n);
tt_affine3_fn tt_affine3_c, tt_affine3_avx2, tt_affine3_avx512, tt_affine3_neon;

/*
 * Separable resampling (nearest, bilinear, bicubic, Lanczos are choices of taps: see engine/resize.h).
 * resize_v: dst[x] = sum_t w[t] * rows[t][x]
 * resize_h: dst[x] = sum_t w[x * taps + t] * src[index[x * taps + t]]
 * taps >= 1. resize_v: terms in order of t; resize_h: an order that depends on taps alone. Within taps * FLT_EPSILON * (sum of magnitudes) of _c.
 */
typedef void tt_resize_v_fn(float *dst, const float *const *rows, const float *w, int taps, size_t n);
typedef void tt_resize_h_fn(float *dst, const float *src, const int32_t *index, const float *w, int taps, size_t n);
tt_resize_v_fn tt_resize_v_c, tt_resize_v_avx2, tt_resize_v_avx512, tt_resize_v_neon;
tt_resize_h_fn tt_resize_h_c, tt_resize_h_avx2, tt_resize_h_avx512, tt_resize_h_neon;

/* ---- weights -------------------------------------------------------------------------------------- */

/* from_f16, from_bf16: dst[i] = the value of the half (IEEE binary16, subnormals included) or bfloat16. Exact. */
typedef void tt_from_half_fn(float *dst, const uint16_t *src, size_t n);
tt_from_half_fn tt_from_f16_c, tt_from_f16_avx2, tt_from_f16_avx512, tt_from_f16_neon;
tt_from_half_fn tt_from_bf16_c;
/*
 * to_f16, to_bf16: the half or bfloat16 nearest to src[i], of two equally near the one with an even last bit (IEEE 754,
 * the usual rounding); what is beyond the largest becomes infinite, NaN stays NaN. Where weights are written, which is
 * seldom: there is only the plain version, and no entry in the table.
 */
typedef void tt_to_half_fn(uint16_t *dst, const float *src, size_t n);
tt_to_half_fn tt_to_f16_c, tt_to_bf16_c;

/* ---- the table ------------------------------------------------------------------------------------ */

typedef struct tt_kernels {
    unsigned cpu; /* the bits it was filled from */
    int block;    /* channels in a block */
    int group;    /* blocks in a group of packed conv weights */
    tt_conv_fn *conv, *conv_narrow;
    tt_wino_weights_fn *wino_weights;
    tt_wino_input_fn *wino_input;
    tt_wino_product_fn *wino_product;
    tt_wino_output_fn *wino_output;
    tt_act_fn *act;
    tt_axpy_fn *axpy;
    tt_clamp_fn *clamp;
    tt_mul_period_fn *mul_period;
    tt_sum_period_fn *sum_period;
    tt_count_nonfinite_fn *count_nonfinite;
    tt_nearest_fn *nearest;
    tt_shuffle_fn *shuffle;
    tt_gather_fn *gather;
    tt_tokens_load_fn *tokens_load;
    tt_tokens_store_fn *tokens_store;
    tt_layer_norm_fn *layer_norm;
    tt_linear_fn *linear;
    tt_attention_fn *attention;
    tt_affine_fn *affine;
    tt_pool_fn *pool;
    tt_blur_fn *blur;
    tt_scores_max_fn *scores_max;
    tt_scores_exp_fn *scores_exp;
    tt_from_u8_fn *from_u8;
    tt_from_u16_fn *from_u16;
    tt_to_u8_fn *to_u8;
    tt_to_u16_fn *to_u16;
    tt_affine3_fn *affine3;
    tt_resize_v_fn *resize_v;
    tt_resize_h_fn *resize_h;
    tt_from_half_fn *from_f16, *from_bf16;
} tt_kernels;

/* Fill the table for a processor with these bits (tt_cpu_detect(), or 0 for the scalar table). */
void tt_kernels_init(tt_kernels *k, unsigned cpu);
void tt_kernels_init_x86(tt_kernels *k, unsigned cpu); /* better entries over it; called by the above */
void tt_kernels_init_arm(tt_kernels *k, unsigned cpu);

#endif
