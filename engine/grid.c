/* Sizes of a network's values for a picture, and the grids of windows and tiles that its steps lie on. */
#include "engine/alloc.h"
#include "engine/ops/ops.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>

/* ---- sizes ---------------------------------------------------------------------------------------- */

tt_status tt_net_extents(const tt_net *net, tt_extent *extent, int h, int w, tt_error *err)
{
    const tt_graph *g = net->graph;
    if (h < 1 || w < 1 || h > 1 << 24 || w > 1 << 24)
        return tt_fail(err, TT_ERR_USAGE, "the network cannot take %d x %d pixels", w, h);
    for (int i = 0; i < g->count; i++) {
        const tt_node *n = &g->node[i];
        tt_extent in[2] = {{0}};
        for (int j = 0; j < 2; j++)
            if (n->in[j] >= 0)
                in[j] = extent[n->in[j]];
        if (i == g->input)
            extent[i] = (tt_extent){h, w};
        else if (!tt_ops[n->op]->size(n, in, &extent[i]))
            return tt_fail(err, TT_ERR_USAGE, "the network cannot take %d x %d pixels: they become %d x %d at %s",
                           w, h, in[0].w, in[0].h, n->name);
    }
    return TT_OK;
}

tt_status tt_net_size(const tt_net *net, int h, int w, int *out_h, int *out_w, tt_error *err)
{
    tt_extent *extent = malloc((size_t)net->graph->count * sizeof *extent);
    if (!extent)
        return tt_fail_memory(err, (size_t)net->graph->count * sizeof *extent);
    const tt_status st = tt_net_extents(net, extent, h, w, err);
    if (!st) {
        *out_h = extent[net->graph->output].h;
        *out_w = extent[net->graph->output].w;
    }
    free(extent);
    return st;
}

/* ---- ways ------------------------------------------------------------------------------------------- */

static int floor_mod(int a, int m)
{
    return (a % m + m) % m;
}

void tt_net_reach(const tt_graph *g, tt_reach *reach)
{
    for (int i = 0; i < g->count; i++) {
        tt_reach in[2] = {{.step = 1}, {.step = 1}};
        for (int j = 0; j < 2; j++)
            if (g->node[i].in[j] >= 0)
                in[j] = reach[g->node[i].in[j]];
        tt_ops[g->node[i].op]->reach(&g->node[i], in, &reach[i]);
    }
}

/*
 * In a large picture the tiles of each layer begin one pixel further up and left than those of the layer before: they end
 * where the input ends that is needed for them. So strips of rows lag by one row a layer and not by a tile, and their rings
 * stay short; and tiles of the picture have to overlap by half as much. In a small one that would only make more tiles.
 */
enum { LARGE = 320 };

tt_status tt_net_skew(const tt_net *net, const tt_extent *extent, tt_way *way, tt_error *err)
{
    const tt_graph *g = net->graph;
    tt_reach *reach = calloc((size_t)g->count, sizeof *reach);
    if (!reach)
        return tt_fail_memory(err, (size_t)g->count * sizeof *reach);
    tt_net_reach(g, reach);
    const bool large = extent[g->input].h >= LARGE || extent[g->input].w >= LARGE;
    for (int i = 0; i < net->steps; i++) {
        const tt_reach *r = &reach[net->step[i].node - g->node];
        way[i].before = 0;
        if (way[i].form != TT_WINO_NONE && large && !r->global)
            way[i].before = floor_mod((int)ceil(r->hi / r->step - 1e-9), tt_wino_forms[way[i].form].m);
    }
    free(reach);
    return TT_OK;
}

tt_status tt_net_ways(const tt_net *net, const tt_extent *extent, tt_conv_choice conv, tt_way *way, tt_error *err)
{
    for (int i = 0; i < net->steps; i++)
        way[i].form = tt_wino_choose(net, &net->step[i], extent[net->step[i].node - net->graph->node], conv);
    return tt_net_skew(net, extent, way, err);
}

/* ---- tiles ------------------------------------------------------------------------------------------ */

/* Rows in_lo..in_hi of its inputs that rows lo..hi of the node need; way: of a convolution, or NULL. */
static void rows_read(const tt_node *n, const tt_way *way, int lo, int hi, int *in_lo, int *in_hi)
{
    if (way && way->form != TT_WINO_NONE) {
        const int m = tt_wino_forms[way->form].m;
        lo -= floor_mod(lo + way->before, m);
        hi += m - 1 - floor_mod(hi + way->before, m);
    }
    if (n->window) {
        const int before = n->shift ? n->window - n->shift : 0;
        *in_lo = (int)floor((double)(lo + before) / n->window) * n->window - before;
        *in_hi = (int)floor((double)(hi + before) / n->window) * n->window - before + n->window - 1;
        return;
    }
    const tt_reach one[2] = {{.step = 1}, {.step = 1}};
    tt_reach r = {0};
    tt_ops[n->op]->reach(n, one, &r);
    *in_lo = (int)ceil(lo * r.step + r.lo - 1e-9);
    *in_hi = (int)floor(hi * r.step + r.hi + 1e-9);
}

/* What output row o needs of the input, from the output back to the input. need[] is room for a pair a node. */
static void trace_row(const tt_graph *g, const tt_way *const *way, int o, int (*need)[2])
{
    for (int i = 0; i < g->count; i++) {
        need[i][0] = INT_MAX;
        need[i][1] = INT_MIN;
    }
    need[g->output][0] = need[g->output][1] = o;
    for (int i = g->output; i > 0; i--)
        for (int j = 0; j < 2 && need[i][0] <= need[i][1]; j++) {
            int lo, hi;
            const int from = g->node[i].in[j];
            if (from < 0 || (g->node[i].op == TT_OP_FIT && j))
                continue;
            rows_read(&g->node[i], way[i], need[i][0], need[i][1], &lo, &hi);
            need[from][0] = lo < need[from][0] ? lo : need[from][0];
            need[from][1] = hi > need[from][1] ? hi : need[from][1];
        }
}

/*
 * Windows lie on a grid, so how far a pixel sees depends on where it lies, and a chain of them sees far less than the
 * sum: two windows that overlap by half reach as far as one and a half. The outputs above one period of the grid are
 * traced one by one, and the farthest counts. Tiles begin on the grid.
 */
tt_status tt_net_trace(const tt_net *net, const tt_way *way, int period, tt_reach *out, tt_error *err)
{
    const tt_graph *g = net->graph;
    if ((double)period * g->count > 1 << 26)
        return TT_OK; /* what the sum says is true as well */
    int(*need)[2] = malloc((size_t)g->count * sizeof *need);
    const tt_way **of = calloc((size_t)g->count, sizeof *of);
    if (!need || !of) {
        free(need);
        free(of);
        return tt_fail_memory(err, (size_t)g->count * sizeof *need);
    }
    for (int i = 0; way && i < net->steps; i++)
        of[net->step[i].node - g->node] = &way[i];
    double lo = INFINITY, hi = -INFINITY;
    for (int o = 0; o < period; o++) {
        trace_row(g, of, o, need);
        lo = fmin(lo, need[g->input][0] - o * out->step);
        hi = fmax(hi, need[g->input][1] - o * out->step);
    }
    out->lo = lo;
    out->hi = hi;
    free(need);
    free(of);
    return TT_OK;
}

/* The smallest number of input rows after which tiles of m rows that are `step` input rows apart begin again. */
static int grid_of(double step, int m)
{
    for (int rows = 1; rows < 1 << 16; rows++) {
        const double tiles = rows / step / m;
        if (fabs(tiles - nearbyint(tiles)) < 1e-6)
            return rows;
    }
    return 1 << 16;
}

static tt_status reckon_tiling(const tt_net *net, const tt_way *way, tt_net_tiling *t, tt_error *err)
{
    const tt_graph *g = net->graph;
    tt_reach *reach = calloc((size_t)g->count, sizeof *reach);
    if (!reach)
        return tt_fail_memory(err, (size_t)g->count * sizeof *reach);
    tt_net_reach(g, reach);
    tt_reach out = {.step = t->step, .lo = t->lo, .hi = t->hi};
    bool any = false;
    for (int i = 0; i < net->steps; i++)
        if (way[i].form != TT_WINO_NONE) {
            any = true;
            t->grid = tt_common_multiple(t->grid, grid_of(reach[net->step[i].node - g->node].step, tt_wino_forms[way[i].form].m));
        }
    const int period = (int)lrint(ceil(t->grid / out.step));
    const tt_status st = any && !out.global ? tt_net_trace(net, way, period, &out, err) : TT_OK;
    t->lo = out.lo;
    t->hi = out.hi;
    free(reach);
    return st;
}

tt_status tt_net_tiling_of(const tt_net *net, int h, int w, const tt_wino *form, tt_net_tiling *t, tt_error *err)
{
    const tt_net_facts *f = &net->facts;
    *t = (tt_net_tiling){.grid = f->multiple, .step = f->reach_step, .lo = f->reach_lo, .hi = f->reach_hi};
    tt_extent *extent = malloc((size_t)net->graph->count * sizeof *extent);
    tt_way *way = calloc((size_t)net->steps + 1, sizeof *way);
    tt_status st = extent && way ? tt_net_extents(net, extent, h, w, err)
                                 : tt_fail_memory(err, (size_t)net->graph->count * sizeof *extent);
    for (int i = 0; !st && form && i < net->steps; i++)
        way[i].form = form[i];
    if (!st)
        st = form ? tt_net_skew(net, extent, way, err) : tt_net_ways(net, extent, TT_CONV_FASTEST, way, err);
    if (!st && !f->global)
        st = reckon_tiling(net, way, t, err);
    free(extent);
    free(way);
    return st;
}

tt_status tt_net_get_tiling(const tt_net *net, int h, int w, tt_net_tiling *t, tt_error *err)
{
    return tt_net_tiling_of(net, h, w, NULL, t, err);
}
