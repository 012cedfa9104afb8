#define _POSIX_C_SOURCE 200809L /* clock_gettime(), strncasecmp() */
/*
 * The original's steps, integer for integer:
 *
 *     picture --> 8-bit RGB --> square (bilinear) --> grey --> network --> colours --> its size (bilinear)
 *        |                                                                                  | U, V
 *        +----------------------------------------- Y --------------------------------------+--> RGB
 *
 * The colours at full size exist a row at a time only. Beyond the original: 16 bits keep theirs in Y, and
 * alpha stays.
 */
#include "src/colorize.h"

#include "engine/alloc.h"
#include "src/bilinear.h"
#include "src/colour8.h"
#include "src/output.h"
#include "src/painter.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* What the row functions share. */
typedef struct job {
    tt_context *c;
    const tt_network *n;
    const tt_image *in;
    tt_image *out;
    int side, colours; /* colours: 1 or 3 channels of the picture are looked at */
    tt_bilinear across, down;
    uint8_t *narrow; /* [height][side][colours]: the picture after the horizontal pass */
    uint8_t *grey;   /* [side][side] */
    uint8_t *square; /* [side][side][3] */
    uint8_t *wide;   /* [side][width][3]: the colours after the horizontal pass */
    uint8_t *row;    /* a picture's row of 3 bytes a pixel for each thread */
} job;

int tt_colorize_usual(const tt_network *n)
{
    for (const char *p = tt_base_name(n->path); *p; p++)
        if (!strncasecmp(p, "video", 5))
            return 21;
    return 35;
}

/* ---- memory --------------------------------------------------------------------------------------- */

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static tt_status estimate(tt_context *c, const tt_network *n, const tt_image *in, int render,
                          tt_colour_report *r, tt_error *err)
{
    uint64_t painter = 0;
    *r = (tt_colour_report){.render = render, .side = TT_RENDER_UNIT * render};
    const tt_status st = tt_painter_measure(c, n, render, &painter, &r->flops, err);
    if (st)
        return st;
    const uint64_t w = (uint64_t)in->width, h = (uint64_t)in->height, side = (uint64_t)r->side;
    const uint64_t threads = (uint64_t)tt_pool_threads(c->pool), alpha = !(in->channels & 1);
    const uint64_t picture = w * h * (uint64_t)(in->depth / 8);
    const uint64_t held =
        n->facts.packed_bytes + picture * (uint64_t)in->channels + side * side * 4 + threads * w * 3;
    const uint64_t before = h * side * 3, after = side * w * 3 + picture * (3 + alpha);
    r->planned_bytes = held + larger(painter, larger(before, after));
    if (r->planned_bytes <= c->memory)
        return TT_OK;
    return tt_fail(
        err, TT_ERR_MEMORY,
        "a picture of %dx%d pixels at render factor %d needs %.0f MiB with this network (weights %.0f MiB) "
        "and the memory budget is %.0f MiB: raise it, or take a smaller factor or picture",
        in->width, in->height, render, ceil((double)r->planned_bytes / (1 << 20)),
        ceil((double)n->facts.packed_bytes / (1 << 20)), floor((double)c->memory / (1 << 20)));
}

tt_status tt_colorize_estimate(tt_context *c, const tt_network *n, const tt_image *in, int render,
                               tt_colour_report *r, tt_error *err)
{
    return estimate(c, n, in, render ? render : tt_colorize_usual(n), r, err);
}

static tt_status take(uint8_t **p, size_t a, size_t b, tt_error *err)
{
    size_t bytes;
    *p = tt_mul(a, b, &bytes) ? malloc(bytes ? bytes : 1) : NULL;
    return *p ? TT_OK : tt_fail_memory(err, bytes);
}

/* ---- to the square ---------------------------------------------------------------------------------- */

/* The first `colours` channels of a row as bytes. */
static void read_bytes(const job *j, int y, uint8_t *to)
{
    const tt_image *in = j->in;
    const size_t w = (size_t)in->width, channels = (size_t)in->channels, colours = (size_t)j->colours;
    if (in->depth == 8) {
        const uint8_t *from = (const uint8_t *)in->samples + (size_t)y * w * channels;
        for (size_t x = 0; x < w; x++)
            for (size_t c = 0; c < colours; c++)
                to[x * colours + c] = from[x * channels + c];
    } else {
        const uint16_t *from = (const uint16_t *)in->samples + (size_t)y * w * channels;
        for (size_t x = 0; x < w; x++)
            for (size_t c = 0; c < colours; c++)
                to[x * colours + c] = (uint8_t)((from[x * channels + c] + 128u) / 257);
    }
}

static uint8_t *thread_row(const job *j, int thread)
{
    return j->row + (size_t)thread * (size_t)j->in->width * 3;
}

static void narrow_row(void *arg, int y, int thread)
{
    const job *j = arg;
    uint8_t *row = thread_row(j, thread);
    read_bytes(j, y, row);
    tt_bilinear_across(&j->across, row, j->colours,
                       j->narrow + (size_t)y * (size_t)j->side * (size_t)j->colours);
}

/* Grey last: of three equal channels it is the channel itself, so one was enough. Each row lies in `square`
 * before. */
static void grey_row(void *arg, int y, int thread)
{
    const job *j = arg;
    const size_t n = (size_t)j->side, colours = (size_t)j->colours;
    uint8_t *row = j->square + (size_t)y * n * 3, *grey = j->grey + (size_t)y * n;
    (void)thread;
    tt_bilinear_down(&j->down, j->narrow, n * colours, y, n * colours, row);
    for (size_t x = 0; x < n; x++)
        grey[x] = colours == 1 ? row[x] : tt_luma8(row + 3 * x);
}

static tt_status to_square(job *j, tt_error *err)
{
    const tt_image *in = j->in;
    tt_status st = tt_bilinear_init(&j->across, in->width, j->side, err);
    if (!st)
        st = tt_bilinear_init(&j->down, in->height, j->side, err);
    if (!st)
        st = take(&j->narrow, (size_t)in->height, (size_t)j->side * (size_t)j->colours, err);
    if (!st) {
        tt_parallel(j->c->pool, in->height, narrow_row, j);
        tt_parallel(j->c->pool, j->side, grey_row, j);
    }
    free(j->narrow);
    j->narrow = NULL;
    tt_bilinear_clear(&j->across);
    tt_bilinear_clear(&j->down);
    return st;
}

/* ---- and back --------------------------------------------------------------------------------------- */

static void wide_row(void *arg, int y, int thread)
{
    const job *j = arg;
    (void)thread;
    tt_bilinear_across(&j->across, j->square + (size_t)y * (size_t)j->side * 3, 3,
                       j->wide + (size_t)y * (size_t)j->in->width * 3);
}

static int64_t sample(const tt_image *img, size_t i)
{
    return img->depth == 8 ? ((const uint8_t *)img->samples)[i] : ((const uint16_t *)img->samples)[i];
}

static void store(tt_image *img, size_t i, int64_t v)
{
    if (img->depth == 8)
        ((uint8_t *)img->samples)[i] = (uint8_t)v;
    else
        ((uint16_t *)img->samples)[i] = (uint16_t)v;
}

/* Y of the picture, U and V of the colours. */
static void merge_row(void *arg, int y, int thread)
{
    const job *j = arg;
    const tt_image *in = j->in;
    const size_t w = (size_t)in->width, from = (size_t)in->channels, to = (size_t)j->out->channels;
    const int64_t most = in->depth == 8 ? 255 : 65535;
    uint8_t *colour = thread_row(j, thread);
    tt_bilinear_down(&j->down, j->wide, w * 3, y, w * 3, colour);
    for (size_t x = 0, i = (size_t)y * w; x < w; x++, i++) {
        uint8_t u, v;
        int64_t rgb[3], luma = sample(in, i * from);
        if (j->colours == 3)
            luma = tt_yuv_luma(luma, sample(in, i * from + 1), sample(in, i * from + 2));
        tt_yuv_chroma8(colour + 3 * x, &u, &v);
        tt_yuv_to_rgb(luma, u, v, most, rgb);
        for (size_t c = 0; c < 3; c++)
            store(j->out, i * to + c, rgb[c]);
        if (to == 4)
            store(j->out, i * to + 3, sample(in, i * from + from - 1));
    }
}

static tt_status from_square(job *j, tt_error *err)
{
    const tt_image *in = j->in;
    tt_status st = tt_image_init(j->out, in->width, in->height, in->channels & 1 ? 3 : 4, in->depth, err);
    if (!st)
        st = tt_bilinear_init(&j->across, j->side, in->width, err);
    if (!st)
        st = tt_bilinear_init(&j->down, j->side, in->height, err);
    if (!st)
        st = take(&j->wide, (size_t)j->side, (size_t)in->width * 3, err);
    if (!st) {
        tt_parallel(j->c->pool, j->side, wide_row, j);
        tt_parallel(j->c->pool, in->height, merge_row, j);
    }
    return st ? st : tt_image_copy_metadata(j->out, in, err);
}

/* ---- the whole -------------------------------------------------------------------------------------- */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static tt_status paint(job *j, int render, const tt_colorize_options *o, double *seconds, tt_error *err)
{
    const tt_watch watch = {.cancel = &j->c->cancel, .progress = o->progress, .user = o->user};
    tt_painter p;
    tt_status st = tt_painter_init(&p, j->c, j->n, render, err);
    if (!st) {
        const double begun = now();
        st = tt_painter_run(&p, j->grey, j->square, &watch, err);
        *seconds = now() - begun;
    }
    tt_painter_clear(&p);
    return st;
}

static tt_status work(job *j, int render, const tt_colorize_options *o, double *seconds, tt_error *err)
{
    const size_t side = (size_t)j->side, threads = (size_t)tt_pool_threads(j->c->pool);
    tt_status st = take(&j->row, threads * 3, (size_t)j->in->width, err);
    if (!st)
        st = take(&j->grey, side, side, err);
    if (!st)
        st = take(&j->square, side * 3, side, err);
    if (!st)
        st = to_square(j, err);
    if (!st)
        st = paint(j, render, o, seconds, err);
    if (!st)
        st = from_square(j, err);
    free(j->row);
    free(j->grey);
    free(j->square);
    free(j->wide);
    tt_bilinear_clear(&j->across);
    tt_bilinear_clear(&j->down);
    return st;
}

tt_status tt_colorize_report(tt_context *c, const tt_network *n, const tt_image *in,
                             const tt_colorize_options *o, tt_image **out, tt_colour_report *r, tt_error *err)
{
    tt_colorize_options given = {.size = sizeof given};
    tt_colour_report report;
    *out = NULL;
    if (o && o->size < sizeof o->size)
        return tt_fail(err, TT_ERR_USAGE, "tt_colorize_options.size is not set");
    if (o)
        memcpy(&given, o, o->size < sizeof given ? o->size : sizeof given);
    tt_status st = tt_colorize_estimate(c, n, in, given.render, &report, err);
    if (st)
        return st;
    tt_image *img = calloc(1, sizeof *img);
    if (!img)
        return tt_fail_memory(err, sizeof *img);
    job j = {.c = c, .n = n, .in = in, .out = img, .side = report.side, .colours = in->channels > 2 ? 3 : 1};
    tt_network_forget(n);
    st = work(&j, report.render, &given, &report.network_seconds, err);
    if (st) {
        tt_image_free(img);
        if (st == TT_ERR_CANCELLED)
            atomic_store(&c->cancel, 0); /* the wish is fulfilled: the context works again */
        return st;
    }
    if (given.progress)
        given.progress(given.user, 1);
    if (r)
        *r = report;
    *out = img;
    return TT_OK;
}

tt_status tt_colorize(tt_context *c, const tt_network *n, const tt_image *in, const tt_colorize_options *o,
                      tt_image **out, tt_error *err)
{
    return tt_colorize_report(c, n, in, o, out, NULL, err);
}
