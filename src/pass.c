/* Planning of a pass: routes, extension, tiles. Its run is in src/pass_run.c. */
#include "src/pass.h"

#include "engine/alloc.h"
#include "engine/plan.h"
#include "src/device.h"
#include "src/runner.h"
#include "src/sink.h"

#include <math.h>
#include <string.h>

tt_status tt_pass_init(tt_pass *p, const tt_network *net, int colours, int in_w, int in_h, int base_w, int base_h,
                       bool tta, int threads, tt_error *err)
{
    const tt_net_facts *f = &net->facts;
    const tt_traits *t = &net->traits;
    *p = (tt_pass){.net = net, .tta = tta, .colours = colours, .in_w = in_w, .in_h = in_h, .base_w = in_w,
                   .base_h = in_h, .threads = threads};
    if (t->colours)
        return tt_fail(err, TT_ERR_UNSUPPORTED, "%s: the network colours pictures and does not enlarge them; use: "
                       "tintype colorize", net->path);
    if (f->scale_den != 1 || f->scale_num < 1)
        return tt_fail(err, TT_ERR_UNSUPPORTED, "%s: a network that makes pictures smaller is not for pictures",
                       net->path);
    if (f->in_channels != f->out_channels || (f->in_channels != 1 && f->in_channels != 3))
        return tt_fail(err, TT_ERR_UNSUPPORTED,
                       "%s: the network turns %d planes into %d; pictures need 3 into 3 or 1 into 1", net->path,
                       f->in_channels, f->out_channels);
    if (t->enlarge_first) {
        if (t->border || t->multiple > 1 || f->multiple > 1 || f->scale_num != 1)
            return tt_fail(err, TT_ERR_INTERNAL, "%s: a network at the output's size must take any size",
                           net->path);
        p->base_w = base_w;
        p->base_h = base_h;
    }
    p->out_w = p->to_w = p->base_w * f->scale_num;
    p->out_h = p->to_h = p->base_h * f->scale_num;
    if (f->in_channels == 3 && colours == 1)
        p->route = TT_ROUTE_GREY;
    else if (f->in_channels == 1 && colours == 3)
        p->route = t->grey == TT_GREY_EACH ? TT_ROUTE_EACH : TT_ROUTE_LUMA;
    return TT_OK;
}

int tt_pass_tiles(const tt_pass *p)
{
    return p->across.count * p->down.count;
}

bool tt_pass_holds(const tt_pass *p)
{
    return p->tta || p->route == TT_ROUTE_EACH;
}

tt_runner_way tt_pass_way(const tt_pass *p)
{
    return tt_pass_holds(p) ? TT_WAY_HELD : p->device && tt_pass_tiles(p) > 1 ? TT_WAY_AHEAD : TT_WAY_ROWS;
}

int tt_pass_runs(const tt_pass *p)
{
    return (p->tta ? 8 : 1) * (p->route == TT_ROUTE_EACH ? 3 : 1);
}

double tt_pass_flops(const tt_pass *p)
{
    return p->flops * tt_pass_tiles(p) * tt_pass_runs(p);
}

/* ---- memory --------------------------------------------------------------------------------------- */

static uint64_t add(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t plane_bytes(int planes, int h, int w)
{
    return (uint64_t)planes * (uint64_t)h * (uint64_t)w * sizeof(float);
}

/* Is the picture read through the bicubic somewhere? */
static bool zooms(const tt_pass *p)
{
    return p->base_w != p->in_w || p->base_h != p->in_h || (p->route == TT_ROUTE_LUMA && p->out_w != p->in_w);
}

/* `rows` rows of a picture of out_h rows, made by bicubic of one of in_h: four taps, wider where it shrinks, mirrored at
 * the edges. */
static tt_span zoomed(int rows, int in_h, int out_h)
{
    const double ratio = (double)in_h / out_h, reach = 5 * (ratio > 1 ? ratio : 1) + 4;
    return (tt_span){(int)fmin(rows * ratio + reach, in_h), (int)fmin(reach, in_h)};
}

/* Columns beside each other read the same rows. */
tt_span tt_pass_takes(const tt_pass *p)
{
    const int rows = tt_pass_tiles(p) > 1 ? p->down.tile : p->take_rows;
    const int below = p->down.size - p->border - p->base_h; /* it is mirrored; above, the border is */
    if (p->net->traits.enlarge_first && zooms(p))
        return zoomed(rows, p->in_h, p->out_h);
    return (tt_span){rows > p->border ? rows : p->border + 1, below + 1};
}

tt_span tt_pass_merges(const tt_pass *p)
{
    const int rows = tt_pass_tiles(p) > 1 ? p->tile_out_h : p->give_rows;
    if (p->route != TT_ROUTE_LUMA)
        return (tt_span){0};
    return zooms(p) ? zoomed(rows, p->in_h, p->out_h) : (tt_span){rows, 0};
}

int tt_pass_ring(const tt_pass *p)
{
    enum { BAND = 64 };
    const bool resampled = p->to_w != p->out_w || p->to_h != p->out_h; /* then the sink puts columns together */
    const int rows = p->across.count > 1 && !resampled && p->tile_out_h > BAND ? p->tile_out_h : BAND;
    return rows < p->to_h ? rows : p->to_h;
}

static uint64_t feed_bytes(const tt_pass *p, tt_span s)
{
    return p->source && s.rows ? tt_feed_bytes(p->source, s.rows + s.back) : 0;
}

static uint64_t buffer_bytes(const tt_pass *p)
{
    const tt_net_facts *f = &p->net->facts;
    uint64_t sum = feed_bytes(p, tt_pass_takes(p)) + feed_bytes(p, tt_pass_merges(p)) +
                   (uint64_t)tt_pass_ring(p) * p->result_row;
    if (p->route == TT_ROUTE_LUMA)
        sum += plane_bytes(3, p->take_rows, p->across.tile) + plane_bytes(3, p->give_rows, p->tile_out_w);
    if (tt_pass_holds(p))
        sum += plane_bytes(p->route == TT_ROUTE_EACH ? 3 : f->in_channels, p->down.tile, p->across.tile) +
               plane_bytes(f->out_channels, p->tile_out_h, p->tile_out_w);
    if (p->route == TT_ROUTE_EACH)
        sum += plane_bytes(3, p->tile_out_h, p->tile_out_w);
    if (p->tta)
        sum += plane_bytes(f->in_channels, p->down.tile, p->across.tile) +
               plane_bytes(f->out_channels, p->tile_out_h, p->tile_out_w);
    if (zooms(p)) {
        const int widest = p->across.tile > p->tile_out_w ? p->across.tile : p->tile_out_w;
        sum = add(sum, tt_zoom_bytes(p->in_w, p->in_h, p->out_w, p->out_h, widest, p->threads));
    }
    return add(sum, tt_sink_bytes(p->colours, p->out_w, p->out_h, p->to_w, p->to_h, p->across.count == 1,
                                  p->tile_out_h, p->threads));
}

tt_plan_options tt_pass_plan_options(const tt_pass *p, bool upright)
{
    tt_plan_options o = {.threads = p->threads, .most = p->most};
    if (!p->net->traits.block) { /* blocks are pictures of their own */
        o.whole_h = upright ? p->down.size : p->across.size;
        o.whole_w = upright ? p->across.size : p->down.size;
    }
    return o;
}

/* arena, rows and flops of one tile lying h x w */
static tt_status measure_plan(tt_pass *p, int h, int w, uint64_t *arena, tt_error *err)
{
    tt_plan *plan;
    tt_plan_facts f;
    tt_plan_options o = tt_pass_plan_options(p, h == p->down.tile && w == p->across.tile);
    o.only_size = true;
    const tt_status st = tt_plan_new(&plan, p->net->net, h, w, &o, err);
    if (st)
        return st;
    tt_plan_get_facts(plan, &f);
    tt_plan_free(plan);
    p->flops = f.flops;
    p->take_rows = tt_pass_holds(p) || p->device ? p->down.tile : f.take_rows;
    p->give_rows = tt_pass_holds(p) || p->device ? p->tile_out_h : f.give_rows;
    *arena = f.arena_bytes > *arena ? f.arena_bytes : *arena;
    return TT_OK;
}

/* The same of the device, and what the host needs for it beside all that, since it must be able to take over. */
static tt_status measure_there(tt_pass *p, int h, int w, uint64_t *beside, tt_error *err)
{
    uint64_t host = 0, there = 0;
    const tt_status st = tt_runner_measure(p->net, h, w, tt_pass_way(p), &host, &there, err);
    if (st)
        return st;
    if (p->device_most && there > p->device_most)
        return tt_fail(err, TT_ERR_MEMORY, "half as much as the device did not have is too little for a tile");
    p->device_bytes = there > p->device_bytes ? there : p->device_bytes;
    *beside = host > *beside ? host : *beside;
    return TT_OK;
}

/* The sizes that follow from the tile's shape. The plan is told what the rest leaves of the budget. */
static tt_status measure(tt_pass *p, uint64_t budget, tt_error *err)
{
    const bool lies = p->tta && p->down.tile != p->across.tile;
    uint64_t arena = 0, beside = 0;
    tt_status st = tt_net_size(p->net->net, p->down.tile, p->across.tile, &p->tile_out_h, &p->tile_out_w, err);
    p->take_rows = p->give_rows = 0;
    if (!st) {
        const uint64_t rest = buffer_bytes(p), left = budget > rest ? budget - rest : 1;
        p->most = left < SIZE_MAX ? (size_t)left : SIZE_MAX;
    }
    if (!st)
        st = measure_plan(p, p->down.tile, p->across.tile, &arena, err);
    if (!st && lies)
        st = measure_plan(p, p->across.tile, p->down.tile, &arena, err);
    p->device_bytes = 0;
    if (!st && p->device)
        st = measure_there(p, p->down.tile, p->across.tile, &beside, err);
    if (!st && p->device && lies)
        st = measure_there(p, p->across.tile, p->down.tile, &beside, err);
    if (!st) {
        p->bytes = add(add(arena, beside), buffer_bytes(p));
    } else if (st == TT_ERR_MEMORY) {
        p->bytes = UINT64_MAX; /* too large to reckon with: certainly too large */
        st = TT_OK;
    }
    return st;
}

/* ---- extension ------------------------------------------------------------------------------------ */

static void extend_axis(const tt_pass *p, tt_axis *a, int n)
{
    const tt_traits *t = &p->net->traits;
    const tt_net_facts *f = &p->net->facts;
    const int m = t->multiple > 1 ? t->multiple : 1, g = f->multiple > 1 ? f->multiple : 1;
    *a = (tt_axis){.want = n * f->scale_num, .scale = f->scale_num, .multiple = tt_common_multiple(m, g)};
    if (t->block) {
        const int step = t->block - 2 * t->border, count = (n + step - 1) / step;
        a->size = count * step + 2 * t->border;
        tt_axis_blocks(a, t->block, t->border);
        return;
    }
    a->size = n + 2 * t->border + (t->mirrored ? 1 : 0);
    if (a->size < t->least)
        a->size = t->least;
    a->size = (a->size + a->multiple - 1) / a->multiple * a->multiple;
    tt_axis_whole(a);
}

/* What tiles of both axes have to overlap by, which follows from the size. */
static tt_status reach_axes(tt_pass *p, tt_error *err)
{
    const tt_traits *t = &p->net->traits;
    tt_net_tiling tiling;
    if (t->block)
        return TT_OK;
    const tt_status st = p->device ? tt_cl_net_get_tiling(p->net->there, p->down.size, p->across.size, &tiling, err)
                                   : tt_net_get_tiling(p->net->net, p->down.size, p->across.size, &tiling, err);
    if (!st) {
        tt_axis_reach(&p->across, &tiling, t->border, p->tta);
        tt_axis_reach(&p->down, &tiling, t->border, p->tta);
    }
    return st;
}

/* ---- tiles ---------------------------------------------------------------------------------------- */

enum { MOST = 80, LEAST_STRIDE = 32 }; /* shorter strides compute next to nothing but overlap */

/* Lengths worth trying on one axis, longest first: those that leave no tile half used. */
static int lengths(const tt_axis *axis, int *length)
{
    tt_axis a = *axis;
    const int shortest = tt_axis_shortest(&a, LEAST_STRIDE);
    int n = 0;
    for (int count = 1; n < MOST - 1; count += 1 + count / 6) {
        if (!tt_axis_divide(&a, count) || a.tile <= shortest)
            break;
        if (!n || a.tile < length[n - 1])
            length[n++] = a.tile;
    }
    length[n++] = shortest;
    return n;
}

static double mebibytes(uint64_t bytes)
{
    return (double)bytes / (1 << 20);
}

static tt_status refuse(const tt_pass *p, uint64_t memory, uint64_t held, tt_error *err)
{
    const char *what = p->net->traits.block ? "block" : "tile";
    if (p->bytes == UINT64_MAX)
        return tt_fail(err, TT_ERR_MEMORY, "a picture of %dx%d pixels is too large for this network", p->out_w,
                       p->out_h);
    return tt_fail(err, TT_ERR_MEMORY,
                   "a result of %dx%d pixels needs at least %.0f MiB with this network (pictures and weights %.0f MiB, "
                   "the smallest %s %.0f MiB) and the memory budget is %.0f MiB: raise it, or take a smaller picture, "
                   "factor or network",
                   p->to_w, p->to_h, ceil(mebibytes(add(held, p->bytes))), mebibytes(held), what,
                   mebibytes(p->bytes), floor(mebibytes(memory)));
}

/* Pixels that go through the network, those of the overlap as often as they do. */
static double pixels(const tt_pass *p)
{
    return (double)p->down.tile * p->down.count * p->across.tile * p->across.count;
}

/* The widest columns of full height that fit, for memory grows with the width; by the device, which has whole maps, the
 * highest tiles of full width, so that rows can go on. false: none. */
static tt_status columns(tt_pass *p, uint64_t budget, bool *fits, tt_error *err)
{
    int wide[MOST];
    tt_axis *cut = p->device ? &p->down : &p->across;
    int lo = -1, hi = lengths(cut, wide); /* longest first: lo does not fit, hi does if there is one */
    tt_pass best = {0};
    *fits = false;
    tt_axis_whole(p->device ? &p->across : &p->down);
    while (hi - lo > 1) {
        const int mid = lo + (hi - lo) / 2;
        tt_axis_cut(cut, wide[mid]);
        const tt_status st = measure(p, budget, err);
        if (st)
            return st;
        if (p->bytes > budget) {
            lo = mid;
            continue;
        }
        hi = mid;
        best = *p;
        *fits = true;
    }
    if (*fits)
        *p = best;
    return TT_OK;
}

/*
 * *fits: p is the cheapest of what fits; else it is the smallest there is.
 * Walk along the border between what fits and what does not: lengths down the one axis, and for each the longest
 * that fits on the other. Memory grows with both, so neither has to go back.
 */
static tt_status choose(tt_pass *p, uint64_t budget, bool *fits, tt_error *err)
{
    int tall[MOST], wide[MOST];
    const tt_status stop = columns(p, budget, fits, err);
    if (stop || *fits)
        return stop;
    const int n_tall = lengths(&p->down, tall), n_wide = lengths(&p->across, wide);
    tt_pass best = {0};
    double least = INFINITY;
    *fits = false;
    for (int i = 0, j = n_wide - 1; i < n_tall && j >= 0; i++) {
        for (; j >= 0; j--) {
            tt_axis_cut(&p->down, tall[i]);
            tt_axis_cut(&p->across, wide[j]);
            const tt_status st = measure(p, budget, err);
            if (st)
                return st;
            if (p->bytes > budget)
                break;
            if (pixels(p) < least) {
                least = pixels(p);
                best = *p;
            }
        }
        j = j < n_wide - 1 ? j + 1 : j; /* the last that fitted; the next row of lengths starts there */
    }
    *fits = least < INFINITY;
    if (*fits)
        *p = best;
    return TT_OK;
}

static tt_status plan(tt_pass *p, uint64_t memory, uint64_t held, tt_error *err)
{
    const uint64_t budget = memory > held ? memory - held : 0;
    const tt_traits *t = &p->net->traits;
    const bool bare = !t->border && !t->block;
    p->border = t->border;
    p->extend = t->mirrored ? TT_EXTEND_MIRROR : bare ? TT_EXTEND_REFLECT : TT_EXTEND_REPLICATE;
    if (t->block && t->block <= 2 * t->border)
        return tt_fail(err, TT_ERR_INTERNAL, "a block of %d pixels is all border", t->block);
    extend_axis(p, &p->across, p->base_w);
    extend_axis(p, &p->down, p->base_h);
    tt_status st = reach_axes(p, err);
    if (!st)
        st = measure(p, budget, err);
    bool fits = p->bytes <= budget;
    if (!st && !fits && !t->block && !p->net->facts.global)
        st = choose(p, budget, &fits, err);
    return st || fits ? st : refuse(p, memory, held, err);
}

tt_status tt_pass_plan(tt_pass *p, uint64_t memory, uint64_t held, tt_error *err)
{
    p->memory = memory;
    p->held = held;
    p->device = p->net->there && !p->device_off && tt_device_works(p->net->device);
    p->device_floats = tt_runner_needs_floats(p->net);
    p->device_small = false;
    if (!p->device)
        return plan(p, memory, held, err);
    const tt_status st = plan(p, memory, held, err);
    if (st != TT_ERR_MEMORY || p->net->device->only)
        return st;
    p->device = false;
    p->device_small = true;
    return plan(p, memory, held, err);
}
