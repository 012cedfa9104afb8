#define _POSIX_C_SOURCE 200809L /* clock_gettime() */
#include "src/pass.h"

#include "engine/alloc.h"
#include "engine/plan.h"
#include "src/device.h"
#include "src/runner.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A tile that was begun: its place, and who is told how far it is. */
typedef struct begun_tile {
    struct run *r;
    tt_tile down, across;
    int tile;
} begun_tile;

/* What one run of a pass works with. */
typedef struct run {
    tt_pass *p;
    const tt_kernels *k;
    tt_pool *pool;
    tt_source *from;
    tt_feed take, merge; /* its rows for the network, and for what is read beside the network's output */
    const tt_pass_watch *watch;
    tt_runner runner; /* of a tile as it lies */
    float *three;   /* LUMA: [3][take_rows][tile w], of which Y is made */
    float *colour;  /* LUMA: [3][give_rows][tile_out_w]; EACH: [3][tile_out_h][tile_out_w] */
    float *in;      /* EACH: [3][tile h][tile w]; TTA: [planes][tile h][tile w] */
    float *turned;  /* TTA: [planes][tile h][tile w] */
    float *out, *mean; /* EACH, TTA: [planes][tile_out_h][tile_out_w]; the mean of TTA alone */
    tt_zoom zoom;   /* in_* to out_* */
    tt_sink sink;
    tt_tile down, across; /* the tile in hand */
    int tile, step; /* for progress: tiles done, and runs of this one */
    begun_tile begun[TT_RUNNER_BEGUN]; /* tiles that the device has: */
    int begins, ends; /* how many were begun and ended so far */
    int plane;      /* EACH: the channel in hand */
    double beside;  /* seconds of reading and writing rows in which the network had nothing to do */
    bool given;     /* something went on: it cannot be taken back */
} run;

/* Tiles are numbered row by row. */
static void tile_at(const tt_pass *p, int tile, tt_tile *down, tt_tile *across)
{
    *down = tt_axis_tile(&p->down, tile / p->across.count);
    *across = tt_axis_tile(&p->across, tile % p->across.count);
}

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

static tt_status plan_tile(const tt_pass *p, int h, int w, tt_runner *runner, tt_error *err)
{
    const tt_plan_options o = tt_pass_plan_options(p, h == p->down.tile && w == p->across.tile);
    tt_runner_clear(runner);
    return tt_runner_init(runner, p->net, h, w, &o, p->device, tt_pass_way(p), false, err);
}

/* May the device's lack of memory end the run, to be begun again with smaller tiles? */
static bool may_shrink(const run *r)
{
    return !r->given && !r->tile && !r->plane && !r->step;
}

static tt_status open_feeds(run *r, tt_error *err)
{
    const tt_span take = tt_pass_takes(r->p), merge = tt_pass_merges(r->p);
    const tt_status st = tt_feed_init(&r->take, r->from, take.rows + take.back, err);
    return st || !merge.rows ? st : tt_feed_init(&r->merge, r->from, merge.rows + merge.back, err);
}

static tt_status prepare(run *r, const tt_pixels *to, const tt_sink_next *on, tt_error *err)
{
    const tt_pass *p = r->p;
    const tt_net_facts *f = &p->net->facts;
    const bool luma = p->route == TT_ROUTE_LUMA, three = luma || p->route == TT_ROUTE_EACH;
    const int h = p->down.tile, w = p->across.tile, oh = p->tile_out_h, ow = p->tile_out_w;
    size_t failed = 0;
    if ((luma && !take(&r->three, 3, p->take_rows, w, &failed)) ||
        (three && !take(&r->colour, 3, p->give_rows, ow, &failed)) ||
        (tt_pass_holds(p) && (!take(&r->in, p->route == TT_ROUTE_EACH ? 3 : f->in_channels, h, w, &failed) ||
                              !take(&r->out, f->out_channels, oh, ow, &failed))) ||
        (p->tta && (!take(&r->turned, f->in_channels, h, w, &failed) ||
                    !take(&r->mean, f->out_channels, oh, ow, &failed))))
        return tt_fail_memory(err, failed);
    if (p->base_w != p->in_w || p->base_h != p->in_h || (luma && p->out_w != p->in_w)) {
        const tt_status st = tt_zoom_init(&r->zoom, p->in_w, p->in_h, p->out_w, p->out_h, 0, w > ow ? w : ow,
                                          p->threads, err);
        if (st)
            return st;
    }
    tt_status st = tt_sink_init(&r->sink, r->pool, r->k, to, 0, p->colours, p->out_w, p->out_h,
                                p->across.count == 1, oh, on, err);
    if (!st)
        st = open_feeds(r, err);
    return st ? st : plan_tile(p, h, w, &r->runner, err);
}

static void release(run *r)
{
    tt_runner_clear(&r->runner);
    tt_aligned_free(r->three);
    tt_aligned_free(r->colour);
    tt_aligned_free(r->in);
    tt_aligned_free(r->turned);
    tt_aligned_free(r->out);
    tt_aligned_free(r->mean);
    tt_zoom_clear(&r->zoom);
    tt_sink_clear(&r->sink);
    tt_feed_clear(&r->take);
    tt_feed_clear(&r->merge);
    *r = (run){.p = r->p, .k = r->k, .pool = r->pool, .from = r->from, .watch = r->watch};
}

/* Is luma MATLAB's? */
static bool matlab(const tt_pass *p)
{
    return p->net->model->planes == TT_PLANES_LUMA || p->net->traits.grey == TT_GREY_MATLAB;
}

/* ---- into the network ----------------------------------------------------------------------------- */

/* What is read of the picture, and how. */
typedef struct reading {
    tt_feed *feed;
    bool zoomed; /* through the bicubic; else with what stands beyond the edges: */
    tt_extend extend;
    int back;       /* tt_span.back */
    tt_window tile; /* the whole tile's window, which columns beside it read too */
} reading;

/* The rows that a window reads are there then. */
static tt_status need(run *r, const reading *a, const tt_window *w, tt_error *err)
{
    int lo, hi;
    const tt_window *rows = tt_pass_tiles(r->p) > 1 ? &a->tile : w;
    if (a->zoomed)
        tt_taps_reach(&r->zoom.down, rows->y0, rows->y0 + rows->h, &lo, &hi);
    else
        tt_planes_reach(r->p->in_h, rows, a->extend, &lo, &hi);
    return tt_feed_need(a->feed, lo > a->back ? lo - a->back : 0, hi + 1, err);
}

/* A window of `planes` channels to [planes][h][w]. */
static tt_status read_window(run *r, const reading *a, const tt_window *w, int planes, float *to, tt_error *err)
{
    const size_t n = (size_t)w->h * (size_t)w->w;
    const tt_status st = need(r, a, w, err);
    if (st)
        return st;
    for (int c = 0; c < planes && a->zoomed; c++)
        tt_zoom_read(r->pool, r->k, &r->zoom, &a->feed->at, c, w, to + (size_t)c * n);
    if (!a->zoomed)
        tt_planes_read(r->pool, r->k, &a->feed->at, planes, w, a->extend, to);
    return TT_OK;
}

/* Rows y0..y1-1 of the tile as the network wants them: to [planes][y1 - y0][tile w]. */
static tt_status read_rows(run *r, int y0, int y1, float *to, tt_error *err)
{
    const tt_pass *p = r->p;
    const bool luma = p->route == TT_ROUTE_LUMA, zoomed = p->net->traits.enlarge_first && r->zoom.scratch;
    const int border = zoomed ? 0 : p->border, top = r->down.at - border, left = r->across.at - border;
    const size_t n = (size_t)(y1 - y0) * (size_t)p->across.tile;
    const tt_window w = {top + y0, left, y1 - y0, p->across.tile};
    const reading a = {&r->take, zoomed, p->extend, tt_pass_takes(p).back, {top, left, p->down.tile, p->across.tile}};
    float *planes = luma ? r->three : to;
    const tt_status st = read_window(r, &a, &w, p->colours, planes, err);
    if (st)
        return st;
    if (p->route == TT_ROUTE_GREY) {
        memcpy(to + n, to, n * sizeof *to);
        memcpy(to + 2 * n, to, n * sizeof *to);
    } else if (luma) {
        tt_planes_colour(r->pool, r->k, planes, w.h, w.w, matlab(p) ? tt_ycc_from_rgb : tt_full_ycc_from_rgb);
        memcpy(to, planes, n * sizeof *to);
    }
    return TT_OK;
}

/* ---- through it ----------------------------------------------------------------------------------- */

/* Of a tile so much is done. */
static void tell_progress(const run *r, int tile, double done)
{
    const tt_pass_watch *w = r->watch;
    if (w->progress)
        w->progress(w->user, w->done + w->share * (tile + done) / tt_pass_tiles(r->p));
}

static void on_progress(void *user, double done)
{
    const run *r = user;
    const int step = r->plane * (r->p->tta ? 8 : 1) + r->step;
    tell_progress(r, r->tile, (step + done) / tt_pass_runs(r->p));
}

static void on_progress_begun(void *user, double done)
{
    const begun_tile *b = user;
    tell_progress(b->r, b->tile, done);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static tt_status put_rows(run *r, int y0, int y1, float *rows, tt_error *err);

static tt_status take_rows(void *user, int y0, int y1, float *to, tt_error *err)
{
    run *r = user;
    const double begun = now();
    const tt_status st = read_rows(r, y0, y1, to, err);
    r->beside += tt_runner_is_busy(&r->runner) ? 0 : now() - begun;
    return st;
}

static tt_status give_rows(void *user, int y0, int y1, float *rows, tt_error *err)
{
    run *r = user;
    const double begun = now();
    const tt_status st = put_rows(r, y0, y1, rows, err);
    r->beside += tt_runner_is_busy(&r->runner) ? 0 : now() - begun;
    return st;
}

/*
 * Tiles through the network, from the picture to the sink. By the device the next one is begun before this one is ended: while
 * it is computed, this one's result comes back and goes on.
 */
static tt_status begin_tile(run *r, int tile, tt_error *err)
{
    begun_tile *b = &r->begun[r->begins++ % TT_RUNNER_BEGUN];
    *b = (begun_tile){.r = r, .tile = tile};
    tile_at(r->p, tile, &b->down, &b->across);
    r->down = b->down;
    r->across = b->across;
    const tt_watch watch = {.cancel = r->watch->cancel, .progress = on_progress_begun, .user = b};
    const tt_flow flow = {take_rows, give_rows, r};
    return tt_runner_begin(&r->runner, &flow, &watch, err);
}

static tt_status end_tile(run *r, tt_error *err)
{
    begun_tile *b = &r->begun[r->ends++ % TT_RUNNER_BEGUN];
    r->down = b->down;
    r->across = b->across;
    const tt_watch watch = {.cancel = r->watch->cancel, .progress = on_progress_begun, .user = b};
    const tt_flow flow = {take_rows, give_rows, r};
    return tt_runner_end(&r->runner, r->pool, &flow, may_shrink(r), &watch, err);
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
    const tt_watch watch = {.cancel = r->watch->cancel, .progress = on_progress, .user = r};
    tt_runner *now = &r->runner, lying = {0};
    tt_status st = TT_OK;
    for (int turn = 0; turn < 8 && !st; turn++) {
        if (turn == 4 && h != w) {
            tt_runner_clear(now); /* one arena at a time */
            now = &lying;
            st = plan_tile(p, w, h, now, err);
            if (st)
                break;
        }
        turning in = {.src = planes, .dst = r->turned, .h = h, .w = w, .turn = turn};
        tt_parallel(r->pool, f->in_channels * h, turn_row, &in);
        r->step = turn;
        st = tt_runner_run(now, r->pool, r->turned, r->out, may_shrink(r), &watch, err);
        turning out = {.src = r->out, .dst = r->mean, .h = p->tile_out_h, .w = p->tile_out_w, .turn = turn,
                       .back = true};
        if (!st)
            tt_parallel(r->pool, f->out_channels * out.h, turn_row, &out);
    }
    r->step = 0;
    turning all = {.dst = r->mean, .w = p->tile_out_w};
    if (!st)
        tt_parallel(r->pool, f->out_channels * p->tile_out_h, eighth_row, &all);
    const bool turned = now == &lying;
    const bool more = r->tile + 1 < tt_pass_tiles(p) || (p->route == TT_ROUTE_EACH && r->plane < 2);
    tt_runner_clear(&lying);
    return !st && turned && more ? plan_tile(p, h, w, &r->runner, err) : st;
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
static tt_status check_finite(const run *r, const float *kept, ptrdiff_t plane, const tt_window *w, tt_error *err)
{
    const tt_pass *p = r->p;
    counting c = {.k = r->k, .src = kept, .stride = p->tile_out_w, .plane = plane, .h = w->h, .w = w->w};
    tt_parallel(r->pool, p->net->facts.out_channels * w->h, count_row, &c);
    const size_t bad = atomic_load(&c.bad);
    if (!bad)
        return TT_OK;
    return tt_fail(err, TT_ERR_NUMERIC,
                   "%s: %zu values that the network makes are infinite or no numbers (columns %d to %d, rows %d to %d "
                   "of its output)",
                   p->net->path, bad, w->x0, w->x0 + w->w - 1, w->y0, w->y0 + w->h - 1);
}

/* Y from the network, Cb and Cr from the picture; [3][h][w] in r->colour. */
static tt_status merge(run *r, const float *kept, const tt_window *w, tt_error *err)
{
    const tt_pass *p = r->p;
    const reading a = {&r->merge, r->zoom.scratch, TT_EXTEND_REPLICATE, tt_pass_merges(p).back,
                       {r->down.from, w->x0, r->down.to - r->down.from, w->w}};
    const tt_status st = read_window(r, &a, w, 3, r->colour, err);
    if (st)
        return st;
    tt_planes_colour(r->pool, r->k, r->colour, w->h, w->w, matlab(p) ? tt_ycc_from_rgb : tt_full_ycc_from_rgb);
    for (int y = 0; y < w->h; y++)
        memcpy(r->colour + (size_t)y * (size_t)w->w, kept + (ptrdiff_t)y * p->tile_out_w,
               (size_t)w->w * sizeof *kept);
    tt_planes_colour(r->pool, r->k, r->colour, w->h, w->w, matlab(p) ? tt_rgb_from_ycc : tt_rgb_from_full_ycc);
    return TT_OK;
}

/* Red, green and blue by themselves; the kept part of each, [3][h][w], goes on. */
static tt_status each_channel(run *r, tt_error *err)
{
    const tt_pass *p = r->p;
    const size_t plane = (size_t)p->down.tile * (size_t)p->across.tile;
    const tt_window w = {r->down.from, r->across.from, r->down.to - r->down.from, r->across.to - r->across.from};
    const size_t n = (size_t)w.h * (size_t)w.w;
    const tt_watch watch = {.cancel = r->watch->cancel, .progress = on_progress, .user = r};
    tt_status st = read_rows(r, 0, p->down.tile, r->in, err);
    for (r->plane = 0; r->plane < 3 && !st; r->plane++) {
        const float *in = r->in + (size_t)r->plane * plane;
        st = p->tta ? through_all(r, in, err) : tt_runner_run(&r->runner, r->pool, in, r->out, may_shrink(r), &watch, err);
        const float *kept = (p->tta ? r->mean : r->out) + kept_at(p, &r->down, &r->across);
        if (!st)
            st = check_finite(r, kept, 0, &w, err);
        for (int y = 0; y < w.h && !st; y++)
            memcpy(r->colour + (size_t)r->plane * n + (size_t)y * (size_t)w.w, kept + (ptrdiff_t)y * p->tile_out_w,
                   (size_t)w.w * sizeof *kept);
    }
    r->plane = 0;
    r->given |= !st;
    return st ? st : tt_sink_put(&r->sink, r->colour, w.w, (ptrdiff_t)n, w.y0, w.y0 + w.h, w.x0, w.x0 + w.w, err);
}

/* Rows y0..y1-1 that the network made of the tile, [planes][y1 - y0][tile_out_w]: what is kept of them goes on. */
static tt_status put_rows(run *r, int y0, int y1, float *rows, tt_error *err)
{
    const tt_pass *p = r->p;
    const int top = r->down.at * p->down.scale, left = r->across.at * p->across.scale;
    const int from = top + y0 > r->down.from ? top + y0 : r->down.from;
    const int to = top + y1 < r->down.to ? top + y1 : r->down.to;
    const tt_window w = {from, r->across.from, to - from, r->across.to - r->across.from};
    const ptrdiff_t plane = (ptrdiff_t)(y1 - y0) * p->tile_out_w;
    float *kept = rows + (ptrdiff_t)(from - top - y0) * p->tile_out_w + (r->across.from - left);
    if (w.h <= 0)
        return TT_OK;
    r->given = true;
    tt_status st = check_finite(r, kept, plane, &w, err);
    if (!st && p->route == TT_ROUTE_LUMA)
        st = merge(r, kept, &w, err);
    if (st)
        return st;
    if (p->route == TT_ROUTE_LUMA)
        return tt_sink_put(&r->sink, r->colour, w.w, (ptrdiff_t)w.h * w.w, from, to, w.x0, w.x0 + w.w, err);
    if (p->route == TT_ROUTE_GREY)
        tt_planes_colour(r->pool, r->k, rows, y1 - y0, p->tile_out_w, tt_full_ycc_from_rgb);
    return tt_sink_put(&r->sink, kept, p->tile_out_w, plane, from, to, w.x0, w.x0 + w.w, err);
}

/* A tile that goes through the network more than once. */
static tt_status run_held(run *r, int tile, tt_error *err)
{
    const tt_pass *p = r->p;
    tile_at(p, tile, &r->down, &r->across);
    if (p->route == TT_ROUTE_EACH)
        return each_channel(r, err);
    tt_status st = read_rows(r, 0, p->down.tile, r->in, err);
    st = st ? st : through_all(r, r->in, err);
    return st ? st : put_rows(r, 0, p->tile_out_h, r->mean, err);
}

/* The tile after this one that is not all extension; as many as there are: none. */
static int next_tile(const tt_pass *p, int tile)
{
    tt_tile down, across;
    while (++tile < tt_pass_tiles(p)) {
        tile_at(p, tile, &down, &across);
        if (down.to > down.from && across.to > across.from)
            break;
    }
    return tile;
}

static tt_status run_tile(run *r, int next, tt_error *err)
{
    const tt_pass *p = r->p;
    tt_status st = TT_OK;
    if (tt_pass_holds(p))
        return run_held(r, r->tile, err);
    if (r->begins == r->ends)
        st = begin_tile(r, r->tile, err);
    if (!st && next < tt_pass_tiles(p) && tt_pass_way(p) == TT_WAY_AHEAD)
        st = begin_tile(r, next, err);
    return st ? st : end_tile(r, err);
}

static tt_status run_tiles(run *r, tt_error *err)
{
    const tt_pass *p = r->p;
    tt_status st = TT_OK;
    for (r->tile = next_tile(p, -1); r->tile < tt_pass_tiles(p) && !st;) {
        const int next = next_tile(p, r->tile);
        const double begun = now();
        if (r->watch->cancel && atomic_load(r->watch->cancel))
            st = tt_fail(err, TT_ERR_CANCELLED, "stopped as asked");
        else
            st = run_tile(r, next, err);
        if (r->watch->network_seconds)
            *r->watch->network_seconds += now() - begun - r->beside;
        r->beside = 0;
        r->tile = next;
    }
    return st;
}

static bool plan_again(tt_pass *p, uint64_t memory, uint64_t held, const tt_pixels *to)
{
    return !tt_pass_plan(p, memory, held, NULL) && !(to->ring && to->ring < tt_pass_ring(p));
}

/*
 * What the budget allows cannot be had: half as much, as long as there is a way. By the device twice, then it is left
 * alone; where it was reckoned with maps of 16 bits and needs 32, as much once more.
 */
static bool shrink(tt_pass *p, const tt_pixels *to, const tt_error *why)
{
    enum { MOST_HALVED = 2 };
    if (!p->device)
        return plan_again(p, p->bytes / 2, 0, to);
    const bool wider = p->device_floats != tt_runner_needs_floats(p->net);
    if (!wider)
        p->device_most = p->device_bytes / 2;
    const bool exhausted = !wider && p->device_halved++ == MOST_HALVED;
    if (!exhausted && plan_again(p, p->memory, p->held, to))
        return true;
    if (p->net->device->only)
        return false;
    tt_device_excuse(p->net->device, why,
                     exhausted ? "tiles became smaller twice, and now the processor does the work"
                               : "the processor does the work");
    p->device_off = true;
    return plan_again(p, p->memory, p->held, to);
}

static void tell_small(const tt_pass *p)
{
    tt_error e;
    tt_fail(&e, TT_ERR_MEMORY, "%s: the device has too little memory for this network and picture",
            tt_cl_about(p->net->device->cl)->name);
    if (p->device_small && tt_device_works(p->net->device))
        tt_device_excuse(p->net->device, &e, "the processor does the work");
}

tt_status tt_pass_run(tt_pass *p, tt_pool *pool, tt_source *from, const tt_pixels *to, const tt_sink_next *on,
                      const tt_pass_watch *watch, tt_error *err)
{
    run r = {.p = p, .k = &p->net->kernels, .pool = pool, .from = from, .watch = watch};
    tt_error why = {0};
    tt_status st;
    if (p->device_small)
        tell_small(p);
    for (;;) {
        st = prepare(&r, to, on, &why);
        if (!st)
            st = run_tiles(&r, &why);
        const bool again = st == TT_ERR_MEMORY && !r.given && shrink(p, to, &why);
        release(&r);
        if (!again)
            break;
        if (p->device_small)
            tell_small(p);
    }
    return st ? tt_fail(err, st, "%s", why.text) : TT_OK;
}
