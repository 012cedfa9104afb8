#include "kernels/arm/neon.h"
#include "kernels/kernels.h"

enum { BLOCK = LANES, GROUP = 4 };

/*
 * conv: a tile is NB blocks of outputs times NX pixels, one accumulator each, held in registers over the
 * whole sum:
 *
 *              x    x+1   ...  x+NX-1     <- four input values each, in the lanes of a register
 *     w[0]    acc   acc         acc
 *     ...                                    4 x 6: 24 accumulators, 6 of values and 2 of weights
 *     w[3]    acc   acc         acc          are the 32 registers
 *
 * The multiplication takes one lane of the values times a whole vector of weights, so nothing is broadcast:
 * 22 loads to 96 multiply-adds for four taps. Taps beyond a multiple of four (windows of planar rows, the
 * last block of an odd number of channels) are read one value at a time.
 */
INLINE void start(float32x4_t *acc, const tt_conv_row *a, int b, const int NB, const int NX)
{
    UNROLL for (int o = 0; o < NB; o++) {
        const float32x4_t bias = vld1q_f32(a->bias + (b + o) * BLOCK);
        UNROLL for (int p = 0; p < NX; p++)
            acc[o * NX + p] = bias;
    }
}

INLINE void activate(float32x4_t *acc, const tt_conv_row *a, int b, const int NB, const int NX)
{
    if (a->act == TT_ACT_RELU) {
        UNROLL for (int i = 0; i < NB * NX; i++)
            acc[i] = larger(acc[i], vdupq_n_f32(0));
    } else if (a->act == TT_ACT_PRELU) {
        UNROLL for (int o = 0; o < NB; o++) {
            const float32x4_t slope = vld1q_f32(a->slope + (b + o) * BLOCK);
            UNROLL for (int i = o * NX; i < (o + 1) * NX; i++)
                acc[i] = prelu(acc[i], slope);
        }
    }
}

INLINE void add(float32x4_t *acc, const tt_conv_row *a, int j, int b, int x, const int NB, const int NX)
{
    const float32x4_t scale = vdupq_n_f32(a->scale[j]);
    UNROLL for (int o = 0; o < NB; o++) {
        const float *at = a->add[j] + (b + o) * a->add_plane[j] + x * a->add_step[j];
        UNROLL for (int p = 0; p < NX; p++, at += a->add_step[j])
            acc[o * NX + p] = add_scaled(vld1q_f32(at), scale, acc[o * NX + p]);
    }
}

INLINE void finish(float32x4_t *acc, const tt_conv_row *a, int b, int x, const int NB, const int NX)
{
    activate(acc, a, b, NB, NX);
    if (a->add[0])
        add(acc, a, 0, b, x, NB, NX);
    if (a->add[1])
        add(acc, a, 1, b, x, NB, NX);
    if (a->clamp) {
        const float32x4_t lo = vdupq_n_f32(a->lo), hi = vdupq_n_f32(a->hi);
        UNROLL for (int i = 0; i < NB * NX; i++)
            acc[i] = smaller(larger(acc[i], lo), hi);
    }
    UNROLL for (int o = 0; o < NB; o++) {
        float *at = a->dst + (b + o) * a->dst_plane + x * a->dst_step;
        UNROLL for (int p = 0; p < NX; p++, at += a->dst_step)
            vst1q_f32(at, acc[o * NX + p]);
    }
}

/* One tap: lane LANE of the values, which must be a constant in the text. */
#define TAP(LANE)                                                                                            \
    UNROLL for (int o = 0; o < NB; o++, w += BLOCK) {                                                        \
        const float32x4_t weight = vld1q_f32(w);                                                             \
        UNROLL for (int p = 0; p < NX; p++)                                                                  \
            acc[o * NX + p] = vfmaq_laneq_f32(acc[o * NX + p], weight, v[p], LANE);                          \
    }

INLINE void tile(const tt_conv_row *a, const float *w, int b, int x, const int NB, const int NX)
{
    float32x4_t acc[24];
    start(acc, a, b, NB, NX);
    for (int s = 0; s < a->segments; s++) {
        const float *src[12];
        UNROLL for (int p = 0; p < NX; p++)
            src[p] = a->seg[s] + (x + p) * a->step;
        ptrdiff_t i = 0;
        const ptrdiff_t count = a->count[s];
        for (; i + 4 <= count; i += 4) {
            float32x4_t v[12];
            UNROLL for (int p = 0; p < NX; p++)
                v[p] = vld1q_f32(src[p] + i);
            TAP(0)
            TAP(1)
            TAP(2)
            TAP(3)
        }
        for (; i < count; i++) {
            float32x4_t v[12];
            UNROLL for (int p = 0; p < NX; p++)
                v[p] = vld1q_dup_f32(src[p] + i);
            TAP(0)
        }
    }
    finish(acc, a, b, x, NB, NX);
}

#define ROW(NB, WIDE)                                                                                        \
    static void row_##NB(const tt_conv_row *a, const float *w, int b)                                        \
    {                                                                                                        \
        int x = 0;                                                                                           \
        for (; x + WIDE <= a->n; x += WIDE)                                                                  \
            tile(a, w, b, x, NB, WIDE);                                                                      \
        if (WIDE > 8 && x + 8 <= a->n) {                                                                     \
            tile(a, w, b, x, NB, 8);                                                                         \
            x += 8;                                                                                          \
        }                                                                                                    \
        if (x + 4 <= a->n) {                                                                                 \
            tile(a, w, b, x, NB, 4);                                                                         \
            x += 4;                                                                                          \
        }                                                                                                    \
        if (x + 2 <= a->n) {                                                                                 \
            tile(a, w, b, x, NB, 2);                                                                         \
            x += 2;                                                                                          \
        }                                                                                                    \
        if (x < a->n)                                                                                        \
            tile(a, w, b, x, NB, 1);                                                                         \
    }
ROW(1, 12)
ROW(2, 8)
ROW(3, 6)
ROW(4, 6)

void tt_conv_neon(const tt_conv_row *a)
{
    static void (*const row[GROUP])(const tt_conv_row *a, const float *w, int b) = {row_1, row_2, row_3,
                                                                                    row_4};
    const float *w = a->weights;
    ptrdiff_t taps = 0;
    for (int s = 0; s < a->segments; s++)
        taps += a->count[s];
    for (int b = 0; b < a->outputs; b += GROUP, w += taps * GROUP * BLOCK)
        row[(a->outputs - b < GROUP ? a->outputs - b : GROUP) - 1](a, w, b);
}

/*
 * conv_narrow: too few outputs to fill the lanes, so the lanes are inputs, and each accumulator (one per
 * output and pixel) holds four partial sums, added up at the end for four pixels at once.
 */
INLINE float32x4_t load_pixels(const float *p, ptrdiff_t step, int n)
{
    float v[4] = {0};
    if (step == 1 && n == 4)
        return vld1q_f32(p);
    for (int i = 0; i < n; i++)
        v[i] = p[i * step];
    return vld1q_f32(v);
}

INLINE void store_pixels(float *p, ptrdiff_t step, int n, float32x4_t z)
{
    float v[4];
    if (step == 1 && n == 4) {
        vst1q_f32(p, z);
        return;
    }
    vst1q_f32(v, z);
    for (int i = 0; i < n; i++)
        p[i * step] = v[i];
}

/* Sums of up to four pixels of output o, from x on: the rest of the formula. */
INLINE void finish_narrow(const tt_conv_row *a, float32x4_t z, int o, int x, int n)
{
    z = vaddq_f32(z, vdupq_n_f32(a->bias[o]));
    if (a->act == TT_ACT_RELU)
        z = larger(z, vdupq_n_f32(0));
    else if (a->act == TT_ACT_PRELU)
        z = prelu(z, vdupq_n_f32(a->slope[o]));
    for (int j = 0; j < 2; j++)
        if (a->add[j]) {
            const float *at = a->add[j] + o * a->add_plane[j] + x * a->add_step[j];
            z = add_scaled(load_pixels(at, a->add_step[j], n), vdupq_n_f32(a->scale[j]), z);
        }
    if (a->clamp)
        z = smaller(larger(z, vdupq_n_f32(a->lo)), vdupq_n_f32(a->hi));
    store_pixels(a->dst + o * a->dst_plane + x * a->dst_step, a->dst_step, n, z);
}

/*
 * NX pixels, of which only the first n exist: the last is computed again in place of those that do not. What
 * lies beyond a short segment may be unreadable; where all are whole (a fact of the row) nobody asks.
 */
INLINE void tile_narrow(const tt_conv_row *a, int x, int n, const int whole, const int NO, const int NX)
{
    float32x4_t acc[24];
    const float *w = a->weights;
    UNROLL for (int i = 0; i < NO * NX; i++)
        acc[i] = vdupq_n_f32(0);
    for (int s = 0; s < a->segments; s++, w += NO * BLOCK) {
        const float *src = a->seg[s] + x * a->step;
        float32x4_t weight[TT_NARROW_MAX];
        UNROLL for (int o = 0; o < NO; o++)
            weight[o] = vld1q_f32(w + o * BLOCK);
        UNROLL for (int p = 0; p < NX; p++) {
            const float *at = src + (p < n ? p : n - 1) * a->step;
            const float32x4_t v = whole ? vld1q_f32(at) : load_some(at, (size_t)a->count[s]);
            UNROLL for (int o = 0; o < NO; o++)
                acc[o * NX + p] = vfmaq_f32(acc[o * NX + p], v, weight[o]);
        }
    }
    UNROLL for (int o = 0; o < NO; o++)
        UNROLL for (int p = 0; p < NX; p += 4)
            if (p < n) {
                const float32x4_t *v = acc + o * NX + p;
                finish_narrow(a, sums(v[0], v[1], v[2], v[3]), o, x + p, n - p < 4 ? n - p : 4);
            }
}

#define NARROW(NO, NX)                                                                                       \
    static void narrow_##NO(const tt_conv_row *a, int whole)                                                 \
    {                                                                                                        \
        int x = 0;                                                                                           \
        for (; whole && x + NX <= a->n; x += NX)                                                             \
            tile_narrow(a, x, NX, 1, NO, NX);                                                                \
        for (; x < a->n; x += 4)                                                                             \
            tile_narrow(a, x, a->n - x < 4 ? a->n - x : 4, 0, NO, 4);                                        \
    }
NARROW(1, 16)
NARROW(2, 8)
NARROW(3, 8)
NARROW(4, 4)

void tt_conv_narrow_neon(const tt_conv_row *a)
{
    static void (*const narrow[TT_NARROW_MAX])(const tt_conv_row *a, int whole) = {narrow_1, narrow_2,
                                                                                   narrow_3, narrow_4};
    int whole = 1;
    for (int s = 0; s < a->segments; s++)
        whole = whole && a->count[s] == BLOCK;
    narrow[a->outputs - 1](a, whole);
}
