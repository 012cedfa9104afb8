#define _POSIX_C_SOURCE 200809L /* clock_gettime() */
#include "src/pass.h"

#include "engine/alloc.h"
#include "engine/plan.h"
#include "src/sink.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What one run of a pass works with. */
typedef struct run {
    tt_pass *p;
    const tt_kernels *k;
    tt_pool *pool;
    const tt_pixels *from;
    const tt_pass_watch *watch;
    tt_plan *plan;  /* of a tile as it lies */
    float *in;      /* [planes][tile h][tile w]; three planes where Y is made of them, or each goes by itself */
    float *out;     /* [planes][tile_out_h][tile_out_w] */
    float *colour;  /* LUMA, EACH: [3][tile_out_h][tile_out_w] */
    float *turned;  /* TTA: like in */
    float *mean;    /* TTA: like out */
    tt_zoom zoom;   /* in_* to out_* */
    tt_sink sink;
    int tile, step; /* for progress: tiles done, and runs of this one */
    int plane;      /* EACH: the channel in hand */
} run;

/* ---- memory --------------------------------------------------------------------------------------- */

static bool take(float **p, int planes, int h, int w, size_t *failed)
{
    size_t n;
    if (!tt_mul((size_t)planes * (size_t)h, (size_t)w, &n) || !tt_mul(n, sizeof(float), &n) ||
        !(*p = tt_aligned_zalloc(n))) {
        *failed = n;
        return false;
    }
    return true;
}

static tt_status prepare(run *r, const tt_pixels *to, tt_error *err)
{
    const tt_pass *p = r->p;
    const tt_net_facts *f = &p->net->facts;
    const bool luma = p->route == TT_ROUTE_LUMA, three = luma || p->route == TT_ROUTE_EACH;
    const int h = p->down.tile, w = p->across.tile, oh = p->tile_out_h, ow = p->tile_out_w;
    size_t failed = 0;
    if (!take(&r->in, three ? 3 : f->in_channels, h, w, &failed) ||
        !take(&r->out, f->out_channels, oh, ow, &failed) || (three && !take(&r->colour, 3, oh, ow, &failed)) ||
        (p->tta && (!take(&r->turned, f->in_channels, h, w, &failed) ||
                    !take(&r->mean, f->out_channels, oh, ow, &failed))))
        return tt_fail_memory(err, failed);
    if (p->base_w != p->in_w || p->base_h != p->in_h || (luma && p->out_w != p->in_w)) {
        const tt_status st = tt_zoom_init(&r->zoom, p->in_w, p->in_h, p->out_w, p->out_h, 0, w > ow ? w : ow,
                                          p->threads, err);
        if (st)
            return st;
    }
    const tt_status st = tt_sink_init(&r->sink, r->pool, r->k, to, 0, p->colours, p->out_w, p->out_h,
                                      p->across.count == 1, oh, err);
    if (st)
        return st;
    const tt_plan_options o = {.threads = p->threads};
    return tt_plan_new(&r->plan, p->net->net, h, w, &o, err);
}

static void release(run *r)
{
    tt_plan_free(r->plan);
    tt_aligned_free(r->in);
    tt_aligned_free(r->out);
    tt_aligned_free(r->colour);
    tt_aligned_free(r->turned);
    tt_aligned_free(r->mean);
    tt_zoom_clear(&r->zoom);
    tt_sink_clear(&r->sink);
    *r = (run){.p = r->p, .k = r->k, .pool = r->pool, .from = r->from, .watch = r->watch};
}

/* Is luma MATLAB's? */
static bool matlab(const tt_pass *p)
{
    return p->net->model->planes == TT_PLANES_LUMA || p->net->traits.grey == TT_GREY_MATLAB;
}

/* ---- into the network ----------------------------------------------------------------------------- */

static void read_tile(run *r, int y, int x)
{
    const tt_pass *p = r->p;
    const size_t n = (size_t)p->down.tile * (size_t)p->across.tile;
    tt_window w = {y, x, p->down.tile, p->across.tile};
    if (p->net->traits.enlarge_first && r->zoom.scratch) {
        for (int c = 0; c < p->colours; c++)
            tt_zoom_read(r->pool, r->k, &r->zoom, r->from, c, &w, r->in + (size_t)c * n);
    } else {
        w.y0 -= p->border;
        w.x0 -= p->border;
        tt_planes_read(r->pool, r->k, r->from, p->colours, &w, p->extend, r->in);
    }
    if (p->route == TT_ROUTE_GREY) {
        memcpy(r->in + n, r->in, n * sizeof *r->in);
        memcpy(r->in + 2 * n, r->in, n * sizeof *r->in);
    } else if (p->route == TT_ROUTE_LUMA) {
        tt_planes_colour(r->pool, r->k, r->in, w.h, w.w, matlab(p) ? tt_ycc_from_rgb : tt_full_ycc_from_rgb);
    }
}

/* ---- through it ----------------------------------------------------------------------------------- */

static void on_progress(void *user, double done)
{
    const run *r = user;
    const tt_pass_watch *w = r->watch;
    const int step = r->plane * (r->p->tta ? 8 : 1) + r->step;
    if (w->progress)
        w->progress(w->user, w->done + w->share * (r->tile + (step + done) / tt_pass_runs(r->p)) / tt_pass_tiles(r->p));
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static tt_status through(run *r, tt_plan *plan, const float *in, tt_error *err)
{
    const tt_watch watch = {.cancel = r->watch->cancel, .progress = on_progress, .user = r};
    const double begun = now();
    const tt_status st = tt_plan_run(plan, r->pool, in, r->out, &watch, err);
    if (r->watch->network_seconds)
        *r->watch->network_seconds += now() - begun;
    return st;
}

/*
 * The eight turns of a square: bit 0 flips x, bit 1 flips y, then bit 2 transposes. In both directions
 *     straight[v][u] <-> turned[y][x],  (y, x) = (fy, fx) or, transposed, (fx, fy),
 * fx = u or w-1-u, fy likewise. The straight side is [planes,h,w].
 */
typedef struct turning {
    const float *src;
    float *dst;
    int h, w, turn;
    bool back; /* dst is straight, and added to unless this is the first */
} turning;

static void turn_row(void *arg, int unit, int thread)
{
    const turning *a = arg;
    (void)thread;
    const int plane = unit / a->h, v = unit % a->h;
    const ptrdiff_t base = (ptrdiff_t)plane * a->h * a->w;
    const int fy = a->turn & 2 ? a->h - 1 - v : v;
    /* where on the turned side column u lies: start + u * step */
    ptrdiff_t start = a->turn & 4 ? fy : (ptrdiff_t)fy * a->w, step = a->turn & 4 ? a->h : 1;
    if (a->turn & 1) {
        start += (a->w - 1) * step;
        step = -step;
    }
    const ptrdiff_t row = base + (ptrdiff_t)v * a->w;
    start += base;
    if (!a->back) {
        for (int u = 0; u < a->w; u++)
            a->dst[start + u * step] = a->src[row + u];
    } else if (!a->turn) {
        memcpy(a->dst + row, a->src + row, (size_t)a->w * sizeof *a->dst);
    } else {
        for (int u = 0; u < a->w; u++)
            a->dst[row + u] += a->src[start + u * step];
    }
}

static void eighth_row(void *arg, int unit, int thread)
{
    const turning *a = arg;
    (void)thread;
    float *row = a->dst + (ptrdiff_t)unit * a->w;
    for (int u = 0; u < a->w; u++)
        row[u] *= 0.125f;
}

/* Mean of the eight, added in a fixed order; left in r->mean. */
static tt_status through_all(run *r, const float *planes, tt_error *err)
{
    const tt_pass *p = r->p;
    const tt_net_facts *f = &p->net->facts;
    const int h = p->down.tile, w = p->across.tile;
    tt_plan *lying = NULL;
    tt_status st = TT_OK;
    for (int turn = 0; turn < 8 && !st; turn++) {
        if (turn == 4 && h != w) {
            /* one arena at a time */
            const tt_plan_options o = {.threads = p->threads};
            tt_plan_free(r->plan);
            r->plan = NULL;
            st = tt_plan_new(&lying, p->net->net, w, h, &o, err);
            if (st)
                break;
        }
        turning in = {.src = planes, .dst = r->turned, .h = h, .w = w, .turn = turn};
        tt_parallel(r->pool, f->in_channels * h, turn_row, &in);
        r->step = turn;
        st = through(r, lying ? lying : r->plan, r->turned, err);
        turning out = {.src = r->out, .dst = r->mean, .h = p->tile_out_h, .w = p->tile_out_w, .turn = turn,
                       .back = true};
        if (!st)
            tt_parallel(r->pool, f->out_channels * out.h, turn_row, &out);
    }
    r->step = 0;
    turning all = {.dst = r->mean, .w = p->tile_out_w};
    if (!st)
        tt_parallel(r->pool, f->out_channels * p->tile_out_h, eighth_row, &all);
    tt_plan_free(lying);
    const bool more = r->tile + 1 < tt_pass_tiles(p) || (p->route == TT_ROUTE_EACH && r->plane < 2);
    if (!st && !r->plan && more) {
        const tt_plan_options o = {.threads = p->threads};
        st = tt_plan_new(&r->plan, p->net->net, h, w, &o, err);
    }
    return st;
}

/* ---- out of it ------------------------------------------------------------------------------------ */

typedef struct counting {
    const tt_kernels *k;
    const float *src;
    ptrdiff_t stride, plane;
    int h, w;
    atomic_size_t bad;
} counting;

static void count_row(void *arg, int unit, int thread)
{
    counting *a = arg;
    (void)thread;
    const size_t bad =
        a->k->count_nonfinite(a->src + unit / a->h * a->plane + unit % a->h * a->stride, (size_t)a->w);
    if (bad)
        atomic_fetch_add(&a->bad, bad);
}

/* Where in a plane of a tile's result its kept part begins. */
static ptrdiff_t kept_at(const tt_pass *p, const tt_tile *down, const tt_tile *across)
{
    return (ptrdiff_t)(down->from - down->at * p->down.scale) * p->tile_out_w +
           (across->from - across->at * p->across.scale);
}

/* Only what is kept counts: the outer outputs of a tile are not those of the picture. */
static tt_status check_finite(const run *r, const float *kept, int h, int w, const tt_tile *down,
                              const tt_tile *across, tt_error *err)
{
    const tt_pass *p = r->p;
    counting c = {.k = r->k, .src = kept, .stride = p->tile_out_w,
                  .plane = (ptrdiff_t)p->tile_out_h * p->tile_out_w, .h = h, .w = w};
    tt_parallel(r->pool, p->net->facts.out_channels * h, count_row, &c);
    const size_t bad = atomic_load(&c.bad);
    if (!bad)
        return TT_OK;
    return tt_fail(err, TT_ERR_NUMERIC,
                   "%s: %zu values that the network makes are infinite or no numbers (columns %d to %d, rows %d to %d "
                   "of its output)",
                   p->net->path, bad, across->from, across->to - 1, down->from, down->to - 1);
}

/* Y from the network, Cb and Cr from the picture; [3][h][w] in r->colour. */
static void merge(run *r, const float *kept, const tt_window *w)
{
    const tt_pass *p = r->p;
    const size_t n = (size_t)w->h * (size_t)w->w;
    if (r->zoom.scratch) {
        for (int c = 0; c < 3; c++)
            tt_zoom_read(r->pool, r->k, &r->zoom, r->from, c, w, r->colour + (size_t)c * n);
    } else {
        tt_planes_read(r->pool, r->k, r->from, 3, w, TT_EXTEND_REPLICATE, r->colour);
    }
    tt_planes_colour(r->pool, r->k, r->colour, w->h, w->w, matlab(p) ? tt_ycc_from_rgb : tt_full_ycc_from_rgb);
    for (int y = 0; y < w->h; y++)
        memcpy(r->colour + (size_t)y * (size_t)w->w, kept + (ptrdiff_t)y * p->tile_out_w,
               (size_t)w->w * sizeof *kept);
    tt_planes_colour(r->pool, r->k, r->colour, w->h, w->w, matlab(p) ? tt_rgb_from_ycc : tt_rgb_from_full_ycc);
}

/* Red, green and blue by themselves; the kept part of each, [3][h][w], in r->colour. */
static tt_status each_channel(run *r, const tt_tile *down, const tt_tile *across, tt_error *err)
{
    const tt_pass *p = r->p;
    const size_t plane = (size_t)p->down.tile * (size_t)p->across.tile;
    const int h = down->to - down->from, w = across->to - across->from;
    tt_status st = TT_OK;
    for (r->plane = 0; r->plane < 3 && !st; r->plane++) {
        const float *in = r->in + (size_t)r->plane * plane;
        st = p->tta ? through_all(r, in, err) : through(r, r->plan, in, err);
        const float *kept = (p->tta ? r->mean : r->out) + kept_at(p, down, across);
        if (!st)
            st = check_finite(r, kept, h, w, down, across, err);
        for (int y = 0; y < h && !st; y++)
            memcpy(r->colour + ((size_t)r->plane * (size_t)h + (size_t)y) * (size_t)w,
                   kept + (ptrdiff_t)y * p->tile_out_w, (size_t)w * sizeof *kept);
    }
    r->plane = 0;
    return st;
}

static tt_status run_tile(run *r, int row, int column, tt_error *err)
{
    const tt_pass *p = r->p;
    const tt_tile down = tt_axis_tile(&p->down, row), across = tt_axis_tile(&p->across, column);
    const int h = down.to - down.from, w = across.to - across.from;
    if (h <= 0 || w <= 0)
        return TT_OK; /* all of it is extension */
    read_tile(r, down.at, across.at);
    if (p->route == TT_ROUTE_EACH) {
        const tt_status all = each_channel(r, &down, &across, err);
        if (!all)
            tt_sink_put(&r->sink, r->colour, w, (ptrdiff_t)h * w, down.from, down.to, across.from, across.to);
        return all;
    }
    tt_status st = p->tta ? through_all(r, r->in, err) : through(r, r->plan, r->in, err);
    if (st)
        return st;
    float *out = p->tta ? r->mean : r->out;
    const ptrdiff_t plane = (ptrdiff_t)p->tile_out_h * p->tile_out_w;
    float *kept = out + kept_at(p, &down, &across);
    st = check_finite(r, kept, h, w, &down, &across, err);
    if (st)
        return st;
    if (p->route == TT_ROUTE_LUMA) {
        const tt_window win = {down.from, across.from, h, w};
        merge(r, kept, &win);
        tt_sink_put(&r->sink, r->colour, w, (ptrdiff_t)h * w, down.from, down.to, across.from, across.to);
        return TT_OK;
    }
    if (p->route == TT_ROUTE_GREY)
        tt_planes_colour(r->pool, r->k, out, p->tile_out_h, p->tile_out_w, tt_full_ycc_from_rgb);
    tt_sink_put(&r->sink, kept, p->tile_out_w, plane, down.from, down.to, across.from, across.to);
    return TT_OK;
}

tt_status tt_pass_run(tt_pass *p, tt_pool *pool, const tt_pixels *from, const tt_pixels *to,
                      const tt_pass_watch *watch, tt_error *err)
{
    run r = {.p = p, .k = &p->net->kernels, .pool = pool, .from = from, .watch = watch};
    tt_status st = prepare(&r, to, err);
    while (st == TT_ERR_MEMORY) {
        /* the budget allows it and the machine does not have it: half as much, as long as there is a way */
        release(&r);
        if (tt_pass_plan(p, p->bytes / 2, 0, NULL))
            break;
        st = prepare(&r, to, err);
    }
    for (int y = 0; y < p->down.count && !st; y++) {
        for (int x = 0; x < p->across.count && !st; x++) {
            if (watch->cancel && atomic_load(watch->cancel))
                st = tt_fail(err, TT_ERR_CANCELLED, "stopped as asked");
            else
                st = run_tile(&r, y, x, err);
            r.tile++;
        }
    }
    release(&r);
    return st;
}
