/*
 * Separable resampling of float planes.
 *
 * Coordinates as MATLAB's imresize and Pillow have them: output pixel centre x at (x + 0.5) / scale - 0.5
 * of the input. When shrinking, the kernel is widened by 1 / scale (antialiasing). Taps are normalised;
 * MATLAB mirrors the edge (symmetric, the edge pixel repeated), and so does this.
 */
#ifndef TT_ENGINE_RESIZE_H
#define TT_ENGINE_RESIZE_H

#include "engine/pool.h"
#include "engine/status.h"
#include "kernels/kernels.h"

#include <stddef.h>

typedef enum tt_filter {
    TT_FILTER_NEAREST,  /* no widening */
    TT_FILTER_BILINEAR, /* triangle, width 2 */
    TT_FILTER_BICUBIC,  /* Keys 1981, a = -0.5: MATLAB's 'bicubic', width 4 */
    TT_FILTER_LANCZOS3, /* width 6 */
} tt_filter;

/* One axis: `out` positions, `taps` (index, weight) each: index[x * taps + t], weight[x * taps + t]. */
typedef struct tt_taps {
    int in, out, taps;
    int32_t *index;
    float *weight;
} tt_taps;

/* out samples from in samples; `scale` is the factor that centres go by (out / in where 0). Weights are
 * reckoned in double. Columns of taps that are zero everywhere are left out. */
tt_status tt_taps_init(tt_taps *t, tt_filter filter, int in, int out, double scale, tt_error *err);
void tt_taps_clear(tt_taps *t); /* accepts zeros */
/* Bytes that tt_taps_init() may take at most. */
size_t tt_taps_bytes(tt_filter filter, int in, int out);
/* The first and the last input sample that outputs from..to-1 read. */
void tt_taps_reach(const tt_taps *t, int from, int to, int *lo, int *hi);

/*
 * dst[out_h][out_w] from src[h][w] (strides in floats). Rows in parallel on `pool` (may be NULL), same bits
 * for any pool. Horizontal first where that is fewer rows, else vertical first: the sizes alone decide.
 * Takes memory for the plane in between.
 */
tt_status tt_resize_plane(tt_pool *pool, const tt_kernels *k, float *dst, ptrdiff_t dst_stride,
                          const tt_taps *horizontal, const tt_taps *vertical, const float *src,
                          ptrdiff_t src_stride, tt_error *err);

#endif
