#include "src/film.h"

#include "engine/alloc.h"
#include "src/colour8.h"

#include <math.h>
#include <stdlib.h>

static tt_status check_memory(const tt_context *c, const tt_network *n, int render, int width, int height,
                              uint64_t rest, tt_error *err)
{
    uint64_t painter = 0;
    double flops;
    const tt_status st = tt_painter_measure(c, n, render, &painter, &flops, err);
    const uint64_t all = painter + n->facts.packed_bytes + rest;
    if (st || all <= c->memory)
        return st;
    return tt_fail(
        err, TT_ERR_MEMORY,
        "frames of %dx%d pixels at render factor %d need %.0f MiB with this network and the memory budget is "
        "%.0f MiB: raise it, or take a smaller factor",
        width, height, render, ceil((double)all / (1 << 20)), floor((double)c->memory / (1 << 20)));
}

tt_status tt_film_init(tt_film *f, tt_context *c, const tt_network *n, int render, int width, int height,
                       int chroma_width, int chroma_height, bool full, tt_error *err)
{
    const size_t side = (size_t)TT_RENDER_UNIT * (size_t)render, threads = (size_t)tt_pool_threads(c->pool);
    const size_t widest = (size_t)(width > chroma_width ? width : chroma_width) * 3;
    const size_t bytes[] = {(size_t)height * side, side * side, side * side * 3,
                            side * (size_t)chroma_width * 3, threads * widest};
    *f = (tt_film){.width = width,
                   .height = height,
                   .chroma_width = chroma_width,
                   .chroma_height = chroma_height,
                   .full = full};
    uint8_t **const to[] = {&f->narrow, &f->grey, &f->square, &f->wide, &f->row};
    uint64_t rest = (uint64_t)width * (uint64_t)height * 6; /* a frame and its result, whoever holds them */
    for (int i = 0; i < 5; i++)
        rest += bytes[i];
    tt_status st = check_memory(c, n, render, width, height, rest, err);
    for (int i = 0; i < 5 && !st; i++)
        if (!(*to[i] = malloc(bytes[i])))
            st = tt_fail_memory(err, bytes[i]);
    if (!st)
        st = tt_bilinear_init(&f->in_across, width, (int)side, err);
    if (!st)
        st = tt_bilinear_init(&f->in_down, height, (int)side, err);
    if (!st)
        st = tt_bilinear_init(&f->out_across, (int)side, chroma_width, err);
    if (!st)
        st = tt_bilinear_init(&f->out_down, (int)side, chroma_height, err);
    return st ? st : tt_painter_init(&f->painter, c, n, render, err);
}

void tt_film_clear(tt_film *f)
{
    tt_painter_clear(&f->painter);
    tt_bilinear_clear(&f->in_across);
    tt_bilinear_clear(&f->in_down);
    tt_bilinear_clear(&f->out_across);
    tt_bilinear_clear(&f->out_down);
    free(f->narrow);
    free(f->grey);
    free(f->square);
    free(f->wide);
    free(f->row);
    *f = (tt_film){0};
}

typedef struct frame {
    const tt_film *f;
    const uint8_t *y;
    uint8_t *u, *v;
    uint8_t grey[256]; /* what a Y means */
    size_t widest;
} frame;

static void narrow_row(void *arg, int y, int thread)
{
    const frame *a = arg;
    const size_t w = (size_t)a->f->width;
    uint8_t *row = a->f->row + (size_t)thread * a->widest;
    for (size_t x = 0; x < w; x++)
        row[x] = a->grey[a->y[(size_t)y * w + x]];
    tt_bilinear_across(&a->f->in_across, row, 1, a->f->narrow + (size_t)y * (size_t)a->f->painter.side);
}

static void grey_row(void *arg, int y, int thread)
{
    const frame *a = arg;
    const size_t n = (size_t)a->f->painter.side;
    (void)thread;
    tt_bilinear_down(&a->f->in_down, a->f->narrow, n, y, n, a->f->grey + (size_t)y * n);
}

static void wide_row(void *arg, int y, int thread)
{
    const frame *a = arg;
    (void)thread;
    tt_bilinear_across(&a->f->out_across, a->f->square + (size_t)y * (size_t)a->f->painter.side * 3, 3,
                       a->f->wide + (size_t)y * (size_t)a->f->chroma_width * 3);
}

/* BT.601 with 16 bits behind the point, chroma of 16..240 or, `full`, of 0..255. */
static void chroma_row(void *arg, int y, int thread)
{
    static const int weight[2][2][3] = {{{-9714, -19070, 28784}, {28784, -24103, -4681}},
                                        {{-11058, -21710, 32768}, {32768, -27439, -5329}}};
    const frame *a = arg;
    const size_t w = (size_t)a->f->chroma_width;
    uint8_t *row = a->f->row + (size_t)thread * a->widest, *to[2] = {a->u, a->v};
    tt_bilinear_down(&a->f->out_down, a->f->wide, w * 3, y, w * 3, row);
    for (int i = 0; i < 2; i++) {
        const int *m = weight[a->f->full][i];
        for (size_t x = 0; x < w; x++) {
            const int64_t sum = m[0] * row[3 * x] + m[1] * row[3 * x + 1] + m[2] * row[3 * x + 2];
            to[i][(size_t)y * w + x] = (uint8_t)tt_clamp_to((sum + (128 << 16) + (1 << 15)) >> 16, 255);
        }
    }
}

tt_status tt_film_frame(tt_film *f, const uint8_t *y, uint8_t *u, uint8_t *v, const tt_watch *watch,
                        tt_error *err)
{
    tt_pool *pool = f->painter.c->pool;
    frame a = {.f = f, .y = y, .u = u, .v = v};
    a.widest = (size_t)(f->width > f->chroma_width ? f->width : f->chroma_width) * 3;
    for (int i = 0; i < 256; i++)
        a.grey[i] = (uint8_t)(f->full ? i : tt_clamp_to(((i - 16) * 255 * 2 + 219) / (2 * 219), 255));
    tt_parallel(pool, f->height, narrow_row, &a);
    tt_parallel(pool, f->painter.side, grey_row, &a);
    const tt_status st = tt_painter_run(&f->painter, f->grey, f->square, watch, err);
    if (st)
        return st;
    tt_parallel(pool, f->painter.side, wide_row, &a);
    tt_parallel(pool, f->chroma_height, chroma_row, &a);
    return TT_OK;
}
