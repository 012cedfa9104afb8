#include "kernels/arm/neon.h"
#include "kernels/kernels.h"

/*
 * Values that come apart or together are the business of the structure loads and stores: LD4 gives four pixels
 * of a block as a vector a channel, ST2 to ST4 write the values of two to four vectors in turns.
 */
INLINE void store_in_turns(float *dst, const float32x4_t v[4], int r)
{
    if (r == 2)
        vst2q_f32(dst, (float32x4x2_t){{v[0], v[1]}});
    else if (r == 3)
        vst3q_f32(dst, (float32x4x3_t){{v[0], v[1], v[2]}});
    else
        vst4q_f32(dst, (float32x4x4_t){{v[0], v[1], v[2], v[3]}});
}

void tt_nearest_neon(float *dst, const float *src, int r, int pixel, size_t n)
{
    if (pixel == 1 && r >= 2 && r <= 4) {
        size_t x = 0;
        for (; x + LANES <= n; x += LANES, dst += LANES * r) {
            const float32x4_t v = vld1q_f32(src + x);
            store_in_turns(dst, (float32x4_t[]){v, v, v, v}, r);
        }
        tt_nearest_c(dst, src + x, r, 1, n - x);
    } else if (pixel % LANES == 0) {
        for (size_t x = 0; x < n; x++, src += pixel, dst += (ptrdiff_t)r * pixel)
            for (int l = 0; l < pixel; l += LANES) {
                const float32x4_t v = vld1q_f32(src + l);
                for (int i = 0; i < r; i++)
                    vst1q_f32(dst + (ptrdiff_t)i * pixel + l, v);
            }
    } else {
        tt_nearest_c(dst, src, r, pixel, n);
    }
}

/* The part of the row from pixel x on, planar or blocked. */
static void shuffle_rest(const tt_shuffle_row *a, int x)
{
    tt_shuffle_row rest = *a;
    rest.n -= x;
    rest.src += (ptrdiff_t)x * a->block;
    rest.add = a->add ? a->add + (ptrdiff_t)x * a->db : NULL;
    rest.dst += (ptrdiff_t)x * a->r * a->db;
    tt_shuffle_c(&rest);
}

/* Values k to k + r - 1 of four pixels; at most two blocks hold them. */
INLINE void values(float32x4_t v[4], const float *src, ptrdiff_t plane, int k, const int r)
{
    const float32x4x4_t one = vld4q_f32(src + k / LANES * plane);
    const int lane = k % LANES; /* r = 2: 0 or 2; r = 4: 0 */
    if (r == 4) {
        UNROLL for (int i = 0; i < 4; i++)
            v[i] = one.val[i];
    } else if (lane + r <= LANES) {
        UNROLL for (int i = 0; i < r; i++)
            v[i] = lane == 0 ? one.val[i] : lane == 1 ? one.val[(1 + i) % LANES] : one.val[(2 + i) % LANES];
    } else {
        const float32x4x4_t two = vld4q_f32(src + (k / LANES + 1) * plane);
        v[0] = lane == 2 ? one.val[2] : one.val[3];
        v[1] = lane == 2 ? one.val[3] : two.val[0];
        v[2] = lane == 2 ? two.val[0] : two.val[1];
    }
}

/* Planar output: the r values that a pixel gives to a row of channel c lie beside each other. */
INLINE void shuffle_planar(const tt_shuffle_row *a, const int r)
{
    const int whole = a->n - a->n % LANES;
    for (int c = 0; c < a->channels; c++)
        for (ptrdiff_t x = 0; x < whole; x += LANES) {
            float32x4_t v[4];
            values(v, a->src + x * LANES, a->src_plane, (c * r + a->dy) * r, r);
            if (a->add) {
                const float32x4_t base = vld1q_f32(a->add + c * a->add_plane + x);
                UNROLL for (int i = 0; i < r; i++)
                    v[i] = vaddq_f32(v[i], base);
            }
            store_in_turns(a->dst + c * a->dst_plane + x * r, v, r);
        }
    if (whole < a->n)
        shuffle_rest(a, whole);
}

/* Blocked output: the lanes of a pixel lie r * r channels apart, in the r * r blocks from b * r * r on. */
static void shuffle_blocked(const tt_shuffle_row *a, int blocks)
{
    const int r = a->r;
    for (int dx = 0; dx < r; dx++) {
        ptrdiff_t at[LANES];
        for (int l = 0; l < LANES; l++) {
            const int k = l * r * r + a->dy * r + dx;
            at[l] = k / LANES * a->src_plane + k % LANES;
        }
        for (int b = 0; b < blocks; b++) {
            const float *src = a->src + (ptrdiff_t)b * r * r * a->src_plane;
            const float *add = a->add ? a->add + b * a->add_plane : NULL;
            float *dst = a->dst + b * a->dst_plane + dx * LANES;
            for (ptrdiff_t x = 0; x < a->n; x++, src += LANES) {
                float32x4_t v = vld1q_dup_f32(src + at[0]);
                v = vld1q_lane_f32(src + at[1], v, 1);
                v = vld1q_lane_f32(src + at[2], v, 2);
                v = vld1q_lane_f32(src + at[3], v, 3);
                if (add)
                    v = vaddq_f32(v, vld1q_f32(add + x * LANES));
                vst1q_f32(dst + x * r * LANES, v);
            }
        }
    }
}

/* Channels of the last block, where it is not full: lanes beyond them are not written. */
static void shuffle_last(const tt_shuffle_row *a, int blocks)
{
    tt_shuffle_row last = *a;
    last.channels -= blocks * LANES;
    last.src += (ptrdiff_t)blocks * a->r * a->r * a->src_plane;
    last.add = a->add ? a->add + blocks * a->add_plane : NULL;
    last.dst += blocks * a->dst_plane;
    tt_shuffle_c(&last);
}

void tt_shuffle_neon(const tt_shuffle_row *a)
{
    if (a->block == LANES && a->db == 1 && a->r == 2) {
        shuffle_planar(a, 2);
    } else if (a->block == LANES && a->db == 1 && a->r == 3) {
        shuffle_planar(a, 3);
    } else if (a->block == LANES && a->db == 1 && a->r == 4) {
        shuffle_planar(a, 4);
    } else if (a->block == LANES && a->db == LANES) {
        const int blocks = a->channels / LANES;
        shuffle_blocked(a, blocks);
        if (blocks * LANES < a->channels)
            shuffle_last(a, blocks);
    } else {
        tt_shuffle_c(a);
    }
}
