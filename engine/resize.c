#include "engine/resize.h"

#include "engine/alloc.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* ---- taps ----------------------------------------------------------------------------------------- */

/* Keys, "Cubic convolution interpolation for digital image processing", 1981, equation 15. */
static double cubic(double x)
{
    const double a = fabs(x);
    if (a <= 1)
        return (1.5 * a - 2.5) * a * a + 1;
    return a <= 2 ? ((-0.5 * a + 2.5) * a - 4) * a + 2 : 0;
}

static double triangle(double x)
{
    return fabs(x) < 1 ? 1 - fabs(x) : 0;
}

static double lanczos3(double x)
{
    const double pi = 3.14159265358979323846;
    if (fabs(x) >= 3 || x == trunc(x)) /* sin(pi) is not zero in floating point */
        return x == 0;
    return 3 * sin(pi * x) * sin(pi * x / 3) / (pi * pi * x * x);
}

static const struct {
    double width;
    double (*at)(double x);
} filters[] = {
    [TT_FILTER_NEAREST] = {1, NULL},
    [TT_FILTER_BILINEAR] = {2, triangle},
    [TT_FILTER_BICUBIC] = {4, cubic},
    [TT_FILTER_LANCZOS3] = {6, lanczos3},
};

/* Position i, however far outside, in 0..n-1 of the row n-1..0, 0..n-1, n-1..0, ... */
static int32_t mirrored(double i, int n)
{
    double m = fmod(i, 2.0 * n);
    if (m < 0)
        m += 2.0 * n;
    return (int32_t)(m < n ? m : 2.0 * n - 1 - m);
}

/* Where the first tap of output x lies (it may be outside), and the filter's stretching. MATLAB's formula
 * word for word, positions from 1, so that the rounding of the floor is the same. */
static double centre(int x, double scale)
{
    return (x + 1) / scale + 0.5 * (1 - 1 / scale);
}

static int tap_count(tt_filter filter, double scale)
{
    if (filter == TT_FILTER_NEAREST)
        return 1;
    const double width = filters[filter].width / (scale < 1 ? scale : 1);
    return width < 1e9 ? (int)ceil(width) + 2 : 1000000000;
}

size_t tt_taps_bytes(tt_filter filter, int in, int out)
{
    size_t n;
    if (in <= 0 || out <= 0 || !tt_mul((size_t)tap_count(filter, (double)out / in), (size_t)out, &n) ||
        !tt_mul(n, sizeof(int32_t) + sizeof(float), &n))
        return SIZE_MAX;
    return n;
}

static void nearest_taps(tt_taps *t, double scale)
{
    for (int x = 0; x < t->out; x++) {
        const double at = floor((x + 0.5) / scale);
        t->index[x] = at < t->in - 1 ? (int32_t)at : t->in - 1;
        t->weight[x] = 1;
    }
}

static void filter_taps(tt_taps *t, tt_filter filter, double scale)
{
    const double k = scale < 1 ? scale : 1;
    const double width = filters[filter].width / k;
    for (int x = 0; x < t->out; x++) {
        const double u = centre(x, scale), left = floor(u - width / 2);
        int32_t *index = t->index + (size_t)x * (size_t)t->taps;
        float *weight = t->weight + (size_t)x * (size_t)t->taps;
        double sum = 0;
        for (int i = 0; i < t->taps; i++)
            sum += filters[filter].at(k * (u - (left + i)));
        for (int i = 0; i < t->taps; i++) {
            weight[i] = (float)(filters[filter].at(k * (u - (left + i))) / sum);
            index[i] = mirrored(left + i - 1, t->in);
        }
    }
}

/* Take out the tap positions whose weights are zero for every output. */
static void squeeze(tt_taps *t)
{
    const size_t taps = (size_t)t->taps, n = (size_t)t->out;
    size_t kept = 0;
    for (size_t i = 0; i < taps; i++) {
        bool used = false;
        for (size_t x = 0; x < n && !used; x++)
            used = t->weight[x * taps + i] != 0;
        if (!used)
            continue;
        /* column `kept` is one already given up, or i itself */
        for (size_t x = 0; x < n; x++) {
            t->weight[x * taps + kept] = t->weight[x * taps + i];
            t->index[x * taps + kept] = t->index[x * taps + i];
        }
        kept++;
    }
    for (size_t x = 0; x < n; x++) {
        memmove(t->weight + x * kept, t->weight + x * taps, kept * sizeof *t->weight);
        memmove(t->index + x * kept, t->index + x * taps, kept * sizeof *t->index);
    }
    t->taps = (int)kept;
}

tt_status tt_taps_init(tt_taps *t, tt_filter filter, int in, int out, double scale, tt_error *err)
{
    *t = (tt_taps){0};
    if (in <= 0 || out <= 0)
        return tt_fail(err, TT_ERR_USAGE, "%d samples cannot be made from %d", out, in);
    if (scale == 0)
        scale = (double)out / in;
    const int taps = tap_count(filter, scale);
    size_t n, bytes;
    if (!tt_mul((size_t)taps, (size_t)out, &n) || !tt_mul(n, sizeof(int32_t), &bytes))
        return tt_fail_memory(err, SIZE_MAX);
    *t = (tt_taps){.in = in, .out = out, .taps = taps, .index = malloc(bytes), .weight = malloc(bytes)};
    if (!t->index || !t->weight) {
        tt_taps_clear(t);
        return tt_fail_memory(err, bytes);
    }
    if (filter == TT_FILTER_NEAREST) {
        nearest_taps(t, scale);
    } else {
        filter_taps(t, filter, scale);
        squeeze(t);
    }
    return TT_OK;
}

void tt_taps_clear(tt_taps *t)
{
    free(t->index);
    free(t->weight);
    *t = (tt_taps){0};
}

void tt_taps_reach(const tt_taps *t, int from, int to, int *lo, int *hi)
{
    *lo = t->in - 1;
    *hi = 0;
    for (size_t i = (size_t)from * (size_t)t->taps; i < (size_t)to * (size_t)t->taps; i++) {
        if (t->index[i] < *lo)
            *lo = t->index[i];
        if (t->index[i] > *hi)
            *hi = t->index[i];
    }
}

/* ---- planes --------------------------------------------------------------------------------------- */

typedef struct job {
    const tt_kernels *k;
    const tt_taps *taps;
    const float *src;
    float *dst;
    ptrdiff_t src_stride, dst_stride;
    int width;          /* vertical: of both planes */
    const float **rows; /* vertical: taps->taps pointers a thread */
} job;

static void across_row(void *arg, int y, int thread)
{
    const job *j = arg;
    (void)thread;
    j->k->resize_h(j->dst + y * j->dst_stride, j->src + y * j->src_stride, j->taps->index, j->taps->weight,
                   j->taps->taps, (size_t)j->taps->out);
}

static void down_row(void *arg, int y, int thread)
{
    const job *j = arg;
    const int taps = j->taps->taps;
    const float **rows = j->rows + (size_t)thread * (size_t)taps;
    for (int t = 0; t < taps; t++)
        rows[t] = j->src + j->taps->index[(ptrdiff_t)y * taps + t] * j->src_stride;
    j->k->resize_v(j->dst + y * j->dst_stride, rows, j->taps->weight + (ptrdiff_t)y * taps, taps,
                   (size_t)j->width);
}

static void each(tt_pool *pool, int units, tt_unit_fn *fn, job *j)
{
    if (pool) {
        tt_parallel(pool, units, fn, j);
    } else {
        for (int i = 0; i < units; i++)
            fn(j, i, 0);
    }
}

tt_status tt_resize_plane(tt_pool *pool, const tt_kernels *k, float *dst, ptrdiff_t dst_stride,
                          const tt_taps *horizontal, const tt_taps *vertical, const float *src,
                          ptrdiff_t src_stride, tt_error *err)
{
    const bool across_first = vertical->out >= vertical->in;
    const int w = across_first ? horizontal->out : horizontal->in;
    const int h = across_first ? vertical->in : vertical->out;
    const size_t threads = pool ? (size_t)tt_pool_threads(pool) : 1;
    size_t bytes = SIZE_MAX;
    float *between = NULL;
    if (tt_mul((size_t)w, (size_t)h, &bytes) && tt_mul(bytes, sizeof(float), &bytes))
        between = malloc(bytes);
    const float **rows = malloc(threads * (size_t)vertical->taps * sizeof *rows);
    if (!between || !rows) {
        free(between);
        free(rows);
        return tt_fail_memory(err, bytes);
    }
    job across = {.k = k, .taps = horizontal, .src = src, .src_stride = src_stride, .dst = dst,
                  .dst_stride = dst_stride};
    job down = {.k = k, .taps = vertical, .src = src, .src_stride = src_stride, .dst = dst,
                .dst_stride = dst_stride, .width = w, .rows = rows};
    if (across_first) {
        across.dst = between;
        across.dst_stride = w;
        down.src = between;
        down.src_stride = w;
        each(pool, vertical->in, across_row, &across);
        each(pool, vertical->out, down_row, &down);
    } else {
        down.dst = between;
        down.dst_stride = w;
        across.src = between;
        across.src_stride = w;
        each(pool, vertical->out, down_row, &down);
        each(pool, vertical->out, across_row, &across);
    }
    free(between);
    free(rows);
    return TT_OK;
}
