#include "src/compare.h"

#include "engine/alloc.h"
#include "engine/planes.h"
#include "engine/pool.h"
#include "kernels/cpu.h"
#include "src/image/image.h"
#include "src/sink.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static tt_pixels pixels_of(const tt_image *img)
{
    return (tt_pixels){img->samples, img->width, img->height, img->channels, img->depth, 0};
}

/* ---- SSIM ----------------------------------------------------------------------------------------- */

enum { WINDOW = 11, MAPS = 5 }; /* x, y, xx, yy, xy */

static void gaussian(double g[WINDOW])
{
    double sum = 0;
    for (int i = 0; i < WINDOW; i++) {
        const double d = i - WINDOW / 2;
        g[i] = exp(-d * d / (2 * 1.5 * 1.5));
        sum += g[i];
    }
    for (int i = 0; i < WINDOW; i++)
        g[i] /= sum;
}

/* Wang et al., "Image quality assessment: from error visibility to structural similarity", 2004,
 * equation 13. */
static double similarity(const double m[MAPS])
{
    const double c1 = 0.01 * 0.01, c2 = 0.03 * 0.03;
    const double xx = m[2] - m[0] * m[0], yy = m[3] - m[1] * m[1], xy = m[4] - m[0] * m[1];
    return (2 * m[0] * m[1] + c1) * (2 * xy + c2) / ((m[0] * m[0] + m[1] * m[1] + c1) * (xx + yy + c2));
}

typedef struct ssim_map {
    double g[WINDOW];
    int w;       /* of the rows */
    int seen;    /* rows put in */
    double *ring; /* [WINDOW][MAPS][w - 10]: rows filtered across */
    double *raw; /* [MAPS][w] */
    double sum;
} ssim_map;

/* One row of both planes; from the eleventh on, each gives a row of the map. */
static void ssim_row(ssim_map *s, const float *x, const float *y)
{
    const int n = s->w - (WINDOW - 1);
    double *raw[MAPS], *to = s->ring + (ptrdiff_t)(s->seen % WINDOW) * MAPS * n;
    for (int m = 0; m < MAPS; m++)
        raw[m] = s->raw + (ptrdiff_t)m * s->w;
    for (int i = 0; i < s->w; i++) {
        const double a = x[i], b = y[i];
        raw[0][i] = a;
        raw[1][i] = b;
        raw[2][i] = a * a;
        raw[3][i] = b * b;
        raw[4][i] = a * b;
    }
    for (int m = 0; m < MAPS; m++, to += n) {
        memset(to, 0, (size_t)n * sizeof *to);
        for (int t = 0; t < WINDOW; t++)
            for (int i = 0; i < n; i++)
                to[i] += s->g[t] * raw[m][i + t];
    }
    if (++s->seen < WINDOW)
        return;
    for (int i = 0; i < n; i++) {
        double mean[MAPS] = {0};
        for (int t = 0; t < WINDOW; t++) {
            const double *row = s->ring + (ptrdiff_t)((s->seen + t) % WINDOW) * MAPS * n + i;
            for (int m = 0; m < MAPS; m++)
                mean[m] += s->g[t] * row[(ptrdiff_t)m * n];
        }
        s->sum += similarity(mean);
    }
}

/* ---- both measures -------------------------------------------------------------------------------- */

/* A row of one picture as the planes that are compared: Y, or as many as the richer of both has. */
static void read_row(const tt_kernels *k, const tt_pixels *p, int planes, bool luma, int y, int x, int n,
                     float *dst)
{
    const int colours = p->channels > 2 ? 3 : 1;
    float *const row[3] = {dst, dst + n, dst + 2 * n};
    for (int c = 0; c < (luma ? 3 : planes); c++)
        tt_pixels_read(k, p, c < colours ? c : 0, y, x, (size_t)n, row[c]);
    if (luma)
        tt_planes_colour3(NULL, k, row, 1, n, tt_ycc_from_rgb);
}

typedef struct measuring {
    const tt_kernels *k;
    tt_pixels a, b;
    bool luma;
    int planes, border, w, h;
    float *rows; /* [2][3][w] */
    ssim_map map[3];
    double squares;
} measuring;

static void measure(measuring *m)
{
    float *const a = m->rows, *const b = m->rows + (ptrdiff_t)3 * m->w;
    for (int y = 0; y < m->h; y++) {
        read_row(m->k, &m->a, m->planes, m->luma, y + m->border, m->border, m->w, a);
        read_row(m->k, &m->b, m->planes, m->luma, y + m->border, m->border, m->w, b);
        double row = 0;
        for (int i = 0; i < m->planes * m->w; i++) {
            const double d = (double)a[i] - b[i];
            row += d * d;
        }
        m->squares += row;
        for (int p = 0; p < m->planes; p++)
            if (m->map[p].ring)
                ssim_row(&m->map[p], a + (ptrdiff_t)p * m->w, b + (ptrdiff_t)p * m->w);
    }
}

static tt_status begin_ssim(measuring *m, tt_error *err)
{
    for (int p = 0; p < m->planes; p++) {
        ssim_map *s = &m->map[p];
        s->w = m->w;
        gaussian(s->g);
        s->ring = malloc(sizeof(double) * WINDOW * MAPS * (size_t)m->w);
        s->raw = malloc(sizeof(double) * MAPS * (size_t)m->w);
        if (!s->ring || !s->raw)
            return tt_fail_memory(err, sizeof(double) * WINDOW * MAPS * (size_t)m->w);
    }
    return TT_OK;
}

static double ssim_result(const measuring *m)
{
    if (m->w < WINDOW || m->h < WINDOW)
        return NAN;
    double sum = 0;
    for (int p = 0; p < m->planes; p++)
        sum += m->map[p].sum;
    return sum / m->planes / (m->w - WINDOW + 1) / (m->h - WINDOW + 1);
}

tt_status tt_compare(const tt_image *a, const tt_image *b, const tt_compare_options *o, double *psnr, double *ssim,
                     tt_error *err)
{
    tt_compare_options given = {.size = sizeof given};
    tt_kernels k;
    if (o && o->size < sizeof o->size)
        return tt_fail(err, TT_ERR_USAGE, "tt_compare_options.size is not set");
    if (o)
        memcpy(&given, o, o->size < sizeof given ? o->size : sizeof given);
    if (a->width != b->width || a->height != b->height)
        return tt_fail(err, TT_ERR_USAGE, "pictures of %dx%d and %dx%d pixels cannot be compared", a->width,
                       a->height, b->width, b->height);
    if (given.border < 0 || given.border >= (a->width + 1) / 2 || given.border >= (a->height + 1) / 2)
        return tt_fail(err, TT_ERR_USAGE, "a border of %d pixels leaves nothing of %dx%d", given.border, a->width,
                       a->height);
    tt_kernels_init(&k, tt_cpu_detect());
    measuring m = {.k = &k, .a = pixels_of(a), .b = pixels_of(b), .luma = given.luma != 0,
                   .border = given.border, .w = a->width - 2 * given.border, .h = a->height - 2 * given.border};
    m.planes = !m.luma && (a->channels > 2 || b->channels > 2) ? 3 : 1;
    m.rows = malloc(sizeof(float) * 6 * (size_t)m.w);
    tt_status st = m.rows ? TT_OK : tt_fail_memory(err, sizeof(float) * 6 * (size_t)m.w);
    if (!st && ssim && m.w >= WINDOW && m.h >= WINDOW)
        st = begin_ssim(&m, err);
    if (!st) {
        measure(&m);
        const double mse = m.squares / m.planes / m.w / m.h;
        if (psnr)
            *psnr = mse > 0 ? -10 * log10(mse) : INFINITY;
        if (ssim)
            *ssim = ssim_result(&m);
    }
    for (int p = 0; p < 3; p++) {
        free(m.map[p].ring);
        free(m.map[p].raw);
    }
    free(m.rows);
    return st;
}

/* ---- side by side --------------------------------------------------------------------------------- */

enum { ROWS = 64 };

/* A channel of the result for one half, from src's channel (-1: opaque). */
typedef struct half {
    tt_pool *pool;
    const tt_kernels *k;
    const tt_pixels *src;
    int from;
    tt_image *part; /* one channel, of the half's size */
} half;

static tt_status draw_channel(const half *a, tt_error *err)
{
    const tt_pixels to = pixels_of(a->part);
    const int w = a->src->width, h = a->src->height;
    tt_sink sink;
    float *band = malloc((size_t)w * ROWS * sizeof *band);
    if (!band)
        return tt_fail_memory(err, (size_t)w * ROWS * sizeof *band);
    const tt_status st = tt_sink_init(&sink, a->pool, a->k, &to, 0, 1, w, h, true, 0, NULL, err);
    for (int y = 0; y < h && !st; y += ROWS) {
        const int rows = h - y < ROWS ? h - y : ROWS;
        for (int i = 0; i < rows; i++)
            tt_pixels_read(a->k, a->src, a->from, y + i, 0, (size_t)w, band + (ptrdiff_t)i * w);
        (void)tt_sink_put(&sink, band, w, 0, y, y + rows, 0, w, NULL); /* nothing is handed on */
    }
    tt_sink_clear(&sink);
    free(band);
    return st;
}

/* Copy the samples of a one-channel picture into a channel of another, `x` columns in. */
static void paste(tt_image *to, int channel, int x, const tt_image *part)
{
    const size_t bytes = (size_t)to->depth / 8;
    for (int v = 0; v < part->height; v++)
        for (int u = 0; u < part->width; u++)
            memcpy((char *)to->samples +
                       (((size_t)v * (size_t)to->width + (size_t)(x + u)) * (size_t)to->channels +
                        (size_t)channel) * bytes,
                   (const char *)part->samples + ((size_t)v * (size_t)part->width + (size_t)u) * bytes, bytes);
}

/* One picture into the result, `x` columns in; the result is white and opaque before. */
static tt_status draw(tt_pool *pool, const tt_kernels *k, const tt_image *img, tt_image *to, int x, int w,
                      tt_error *err)
{
    const tt_pixels src = pixels_of(img);
    const int colours = img->channels > 2 ? 3 : 1, to_colours = to->channels > 2 ? 3 : 1;
    const bool alpha = img->channels != colours;
    tt_image part;
    tt_status st = tt_image_init(&part, w, to->height, 1, to->depth, err);
    for (int c = 0; c < to->channels && !st; c++) {
        half a = {pool, k, &src, c < colours ? c : 0, &part};
        if (c == to_colours) {
            if (!alpha)
                break; /* opaque already */
            a.from = colours;
        }
        st = draw_channel(&a, err);
        if (!st)
            paste(to, c, x, &part);
    }
    tt_image_clear(&part);
    return st;
}

tt_status tt_side_by_side(const tt_image *a, const tt_image *b, tt_image **out, tt_error *err)
{
    const tt_image *large = (uint64_t)a->width * (uint64_t)a->height >= (uint64_t)b->width * (uint64_t)b->height
                                ? a : b;
    const int w = large->width, h = large->height, line = w / 300 + 2;
    const bool colour = a->channels > 2 || b->channels > 2;
    const bool alpha = !(a->channels & 1) || !(b->channels & 1);
    tt_kernels k;
    tt_pool *pool = NULL;
    *out = NULL;
    if (w > (INT32_MAX - line) / 2)
        return tt_fail(err, TT_ERR_USAGE, "two pictures of %d columns do not fit beside each other", w);
    tt_kernels_init(&k, tt_cpu_detect());
    tt_image *made = calloc(1, sizeof *made);
    if (!made)
        return tt_fail_memory(err, sizeof *made);
    tt_status st = tt_image_init(made, 2 * w + line, h, (colour ? 3 : 1) + alpha,
                                 a->depth > b->depth ? a->depth : b->depth, err);
    if (!st)
        st = tt_pool_new(&pool, 0, err);
    if (!st) {
        memset(made->samples, 0xff, (size_t)made->width * (size_t)h * tt_image_pixel_bytes(made));
        st = draw(pool, &k, a, made, 0, w, err);
    }
    if (!st)
        st = draw(pool, &k, b, made, w + line, w, err);
    if (!st)
        st = tt_image_copy_metadata(made, a, err);
    tt_pool_free(pool);
    if (st)
        tt_image_free(made);
    else
        *out = made;
    return st;
}
