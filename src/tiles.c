#include "src/tiles.h"

#include "engine/alloc.h"

#include <assert.h>
#include <math.h>

void tt_axis_reach(tt_axis *a, const tt_net_tiling *t, int border, bool symmetric)
{
    a->grid = tt_common_multiple(a->multiple, t->grid);
    a->step = t->step;
    a->lo = t->lo;
    a->hi = t->hi;
    if (!symmetric)
        return;
    /* output o lies above input o * step + (step - 1) / 2 of the picture, and that is `border` further in */
    const double middle = (a->step - 1) / 2 + border;
    const double lo = 2 * middle - a->hi, hi = 2 * middle - a->lo;
    a->lo = lo < a->lo ? lo : a->lo;
    a->hi = hi > a->hi ? hi : a->hi;
}

void tt_axis_whole(tt_axis *a)
{
    a->tile = a->stride = a->size;
    a->count = 1;
    a->keep = a->want;
}

/* Outputs of a tile before this one may depend on samples before the tile. */
static int first_exact(const tt_axis *a)
{
    int o = (int)ceil(-a->lo / a->step);
    o = o < 0 ? 0 : o;
    while (floor(o * a->step + a->lo) < 0) /* the division may have rounded */
        o++;
    return o;
}

/* Outputs of a tile from this one on may depend on samples behind the tile. */
static int end_exact(const tt_axis *a, int tile)
{
    int o = (int)floor((tile - 1 - a->hi) / a->step) + 1;
    while (o >= 0 && ceil(o * a->step + a->hi) > tile - 1)
        o--;
    return o + 1;
}

static int stride_of(const tt_axis *a, int tile)
{
    const int outputs = end_exact(a, tile) - first_exact(a);
    return outputs < 0 ? 0 : outputs / a->scale / a->grid * a->grid;
}

bool tt_axis_cut(tt_axis *a, int tile)
{
    if (tile >= a->size) {
        tt_axis_whole(a);
        return true;
    }
    assert((a->size - tile) % a->grid == 0);
    const int stride = stride_of(a, tile);
    if (stride <= 0)
        return false;
    a->tile = tile;
    a->stride = stride;
    a->count = 1 + (a->size - tile + stride - 1) / stride;
    a->keep = end_exact(a, tile);
    return true;
}

/* The lengths that tiles can have, the whole the last of them. */
static int lengths(const tt_axis *a)
{
    return (a->size + a->grid - 1) / a->grid;
}
static int length(const tt_axis *a, int i)
{
    return a->size - (lengths(a) - 1 - i) * a->grid;
}

bool tt_axis_divide(tt_axis *a, int count)
{
    int lo = -1, hi = lengths(a) - 1; /* lo is too short, hi is long enough */
    while (hi - lo > 1) {
        const int mid = lo + (hi - lo) / 2;
        if (tt_axis_cut(a, length(a, mid)) && a->count <= count)
            hi = mid;
        else
            lo = mid;
    }
    return tt_axis_cut(a, length(a, hi));
}

int tt_axis_shortest(const tt_axis *a, int least)
{
    int lo = -1, hi = lengths(a) - 1;
    while (hi - lo > 1) {
        const int mid = lo + (hi - lo) / 2;
        if (stride_of(a, length(a, mid)) >= least)
            hi = mid;
        else
            lo = mid;
    }
    return length(a, hi);
}

void tt_axis_blocks(tt_axis *a, int block, int border)
{
    a->tile = block;
    a->stride = block - 2 * border;
    a->count = (a->size - 2 * border) / a->stride;
    a->keep = a->stride * a->scale;
    assert(a->count * a->stride + 2 * border == a->size);
}

tt_tile tt_axis_tile(const tt_axis *a, int i)
{
    tt_tile t = {.at = i * a->stride, .from = 0, .to = a->want};
    if (i > 0)
        t.from = (i - 1) * a->stride * a->scale + a->keep;
    if (i < a->count - 1) {
        t.to = t.at * a->scale + a->keep;
        t.to = t.to < a->want ? t.to : a->want;
    } else {
        t.at = a->size - a->tile; /* the last one is moved back to end with the picture */
    }
    t.from = t.from < a->want ? t.from : a->want;
    return t;
}
